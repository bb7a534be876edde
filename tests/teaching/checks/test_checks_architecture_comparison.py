"""The self-checks of notebook 08: starter, right answer, and the wrong answers that people give."""

import keras
import numpy as np
import pytest

from unet_helpers.models import build_network, count_multiply_adds, count_parameters
from unet_helpers.teaching.checks import architecture_comparison as check


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda h, w, k, i, o: h * w * k * k * i * o, "Right."),
        (lambda h, w, k, i, o: k * k * i * o, "These are the weights"),
        (lambda h, w, k, i, o: h * w * k * k * o, "all channels that come in"),
        (lambda h, w, k, i, o: h * w * k * k * i, "one output channel"),
        (lambda h, w, k, i, o: h * w * k * i * o, "two sides"),
        (lambda h, w, k, i, o: 2 * h * w * k * k * i * o, "FLOPs"),
        (lambda h, w, k, i, o: h * w * k * k * i * o + h * w * o, "bias"),
        (lambda h, w, k, i, o: h * k * k * i * o, "height × width"),
        (lambda h, w, k, i, o: 1, "Count: places"),
        (lambda h, w, k, i, o: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_multiplications(said, answer, verdict):
    assert verdict in said(check.multiplications, answer)


def test_the_right_answer_is_what_the_package_counts():
    model = keras.Sequential([keras.Input((128, 128, 8)), keras.layers.Conv2D(16, 3, padding="same")])
    assert count_multiply_adds(model) == 128 * 128 * 3 * 3 * 8 * 16


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda w, p, t: round(w * (t / p) ** 0.5), "Right."),
        (lambda w, p, t: w * (t / p) ** 0.5, "part of a channel"),
        (lambda w, p, t: round(w * t / p), "a quarter of them"),
        (lambda w, p, t: round(w * (p / t) ** 0.5), "More parameters"),
        (lambda w, p, t: 99, "square of the width"),
    ],
)
def test_width_for(said, answer, verdict):
    assert verdict in said(check.width_for, answer)


def test_the_rule_of_the_square_gives_the_width_that_the_search_finds():
    has, wanted = (count_parameters(build_network(name, base_filters=8)) for name in ("FCN-8s", "U-Net"))
    assert round(8 * (wanted / has) ** 0.5) == 4


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda a, b: a.mean(axis=0) - b.mean(axis=0), "Right."),
        (lambda a, b: b.mean(axis=0) - a.mean(axis=0), "sign is turned"),
        (lambda a, b: a.mean() - b.mean(), "one number"),
        (lambda a, b: a - b, "seed from seed"),
        (lambda a, b: a[:2] - b[:2], "average axis 0"),
        (lambda a, b: a.mean(axis=0), "not ["),
        (lambda a, b: a.nothing, "AttributeError"),
    ],
)
def test_gain_per_patient(said, answer, verdict):
    assert verdict in said(check.gain_per_patient, answer)


RIGHT = {"A": "budget", "B": "chance", "C": "chosen on test", "D": "fair"}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (RIGHT, "Right."),
        (RIGHT | {"A": ...}, "Not yet: replace each ... by one of 'budget', 'chance', 'chosen on test', 'fair'."),
        (RIGHT | {"A": "fair"}, "four times as long"),
        (RIGHT | {"B": "budget"}, "six patients"),
        (RIGHT | {"C": "chance"}, "best of thirty"),
        (RIGHT | {"D": "chance"}, "so is the conclusion"),
        (RIGHT | {"D": "unfair"}, "is none of"),
        ({"A": "budget"}, "'B' is missing"),
    ],
)
def test_spot_the_flaw(said, answer, verdict):
    assert verdict in said(check.spot_the_flaw, answer)


def test_every_report_has_an_answer_among_the_flaws():
    assert set(check.REPORTS) == set(RIGHT)
    assert np.all([len(text) > 100 for text in check.REPORTS.values()])
