"""The self-checks of notebook 07: starter, right answer, and the wrong answers that people give."""

import numpy as np
import pytest

from unet_helpers.teaching.checks import losses_and_imbalance as check
from unet_helpers.training import TverskyLoss


def soft(y, p, above=1, below=1, twice=2):
    return 1 - (twice * (y * p).sum() + above) / (y.sum() + p.sum() + below)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (soft, "Right."),
        (lambda y, p: 1 - soft(y, p), "1 minus it"),
        (lambda y, p: soft(y, p, 0, 0), "missing above and below"),
        (lambda y, p: soft(y, p, 0, 1), "below the line only"),
        (lambda y, p: soft(y, p, twice=1), "counts twice"),
        (lambda y, p: soft(y, p >= 0.5), "cut the probabilities"),
        (lambda y, p: y * p, "one number"),
        (lambda y, p: 0.3, "Above the line stand"),
        (lambda y, p: soft(y, p) + 0.1 * (y.sum() == 0), "empty picture"),
        (lambda y, p: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_soft_dice_loss(said, answer, verdict):
    assert verdict in said(check.soft_dice_loss, answer)


def test_suspect_b_is_the_loss_of_the_package_and_suspect_a_has_its_weights_exchanged():
    truth, found = np.array([1, 1, 0, 0.0]), np.array([0.9, 0.3, 0.4, 0.0])
    pair = [values.reshape(1, 2, 2, 1).astype(np.float32) for values in (truth, found)]
    for suspect, weights in ((check.suspect_b, (0.2, 0.8)), (check.suspect_a, (0.8, 0.2))):
        assert suspect(truth, found) == pytest.approx(float(TverskyLoss(*weights)(*pair)), abs=1e-6)


@pytest.mark.parametrize(
    ("truth", "found", "wrong", "verdict"),
    [
        (..., ..., ..., "Not yet"),
        ([1, 1, 0, 0], [1, 1, 1, 0], "A", "Right."),
        ([[1, 1], [0, 0]], [[1, 0], [0, 0]], "A", "Right."),
        ([1, 1, 0, 0], [1, 1, 1, 0], "a", "Right."),
        ([1, 1, 0, 0], [1, 1, 1, 0], "B", "kind false positive, which should weigh 0.2"),
        ([1, 1, 0, 0], [1, 0, 0, 0], "B", "kind false negative, which should weigh 0.8"),
        ([1, 1, 0, 0], [1, 0, 0, 0], "both", "now name the wrong one"),
        ([1, 1, 0, 0], [1, 1, 0, 0], "A", "cannot fail"),
        ([1, 1, 0, 0], [1, 0, 1, 0], "A", "change places unseen"),
        ([1, 1, 0], [1, 0, 1], "A", "take four"),
        ([1, 1, 0, 0], [0.5, 1, 0, 0], "A", "0 and 1 only"),
    ],
)
def test_four_pixels(said, truth, found, wrong, verdict):
    assert verdict in said(check.four_pixels, truth, found, wrong)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((0.2, 0.8), "Right."),
        (("0.2", "0.8"), "a number was expected, not '0.2'"),
        ((0.8, 0.2), "exchanged"),
        ((0.5, 0.5), "Dice loss"),
        ((0.7, 0.3), "make beta"),
        ((0.3, 0.7), "costs 2.3 times"),
        ((1, 4), "sum to 5"),
        ((0, 1), "free"),
        ((-0.2, 1.2), "reward errors"),
        (0.2, "two numbers"),
    ],
)
def test_tversky_weights(said, answer, verdict):
    assert verdict in said(check.tversky_weights, answer)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda w: 1 / (1 + w), "Right."),
        (lambda w: 1 / w, "has a weight too"),
        (lambda w: w / (1 + w), "other side"),
        (lambda w: 0.5 / w, "shrinks as well"),
        (lambda w: 0.5, "cut at 0.5"),
        (lambda w: 0.1, "solve for q"),
        (lambda w: [0.5, 0.5], "one number"),
    ],
)
def test_threshold_of_weight(said, answer, verdict):
    assert verdict in said(check.threshold_of_weight, answer)
