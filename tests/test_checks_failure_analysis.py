"""The checks of notebook 06: starter, right answer, and the message for each typical wrong one."""

import keras
import numpy as np
import pytest

from unet_helpers.checks import failure_analysis as check
from unet_helpers.failures import classify_errors


def said(capsys, task, *answers):
    task(*answers)
    return capsys.readouterr().out


def test_each_riddle_has_one_kind_in_the_main():
    for letter, (truth, prediction) in check.riddles().items():
        pixels = {kind: int(area.sum()) for kind, area in classify_errors(truth, prediction).items()}
        kind = max(pixels, key=pixels.get)
        assert kind == check.ANSWERS[letter]
        assert pixels[kind] > 2 * (sum(pixels.values()) - pixels[kind])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "Right"),
        ({"A": ...}, "Not yet: A"),
        ({"B": "lost"}, "none of the kinds"),
        ({"C": "missed object"}, "does the prediction touch"),
        ({"D": "false island"}, "false positive: predicted, and not true; does the wrong piece touch"),
        ({"A": "hole"}, "false negative: true, and not predicted; how far"),
    ],
)
def test_name_the_kind(capsys, changes, message):
    assert message in said(capsys, check.name_the_kind, {**check.ANSWERS, **changes})


def right_repair(truth, prediction, kind):
    return np.where(classify_errors(truth, prediction)[kind], truth, prediction)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (right_repair, "Right"),
        (lambda truth, prediction, kind: ..., "Not yet"),
        (lambda truth, prediction, kind: truth, "returns the truth"),
        (lambda truth, prediction, kind: prediction, "nothing is repaired"),
        (lambda truth, prediction, kind: classify_errors(truth, prediction)[kind], "map of the errors"),
        (lambda t, p, kind: np.where(classify_errors(t, p)[kind], p, t), "exchanged"),
        (lambda truth, prediction, kind: truth[:2], "shape"),
        (lambda truth, prediction, kind: classify_errors(truth, prediction)["border"], "KeyError"),
    ],
)
def test_repair(capsys, function, message):
    assert message in said(capsys, check.repair, function)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ((4, [(-600, 1500)]), "Right"),
        ((..., ...), "Not yet"),
        ((4, ...), "Not yet"),
        ((5, [(-600, 1500)]), "consequence"),
        ((2, [(-600, 1500)]), "mask values"),
        ((0, [(-600, 1500)]), "no number of a question"),
        ((4, []), "gets HU"),
        ((4, [(-600, 1500)] * 2), "one too many"),
        ((4, [(50, 350)]), "trained with level -600"),
    ],
)
def test_cause_and_repair(capsys, answers, message):
    assert message in said(capsys, check.cause_and_repair, *answers)


def test_the_broken_pipeline_gives_images_without_contrast_and_the_repaired_one_does_not():
    hu = np.linspace(-1000, 500, 64, dtype=np.float32).reshape(1, 8, 8, 1)
    pipeline = check.broken_pipeline(hu, np.zeros((1, 8, 8), np.uint8))
    assert pipeline.images.std() < 1e-3
    pipeline.steps = pipeline.steps[:1]
    assert pipeline.images.std() > 0.2


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda share: max(share, 1 - share), "Right"),
        (lambda share: ..., "Not yet"),
        (lambda share: 1 - share, "more foreground than background"),
        (lambda share: share, "right on every background pixel"),
        (lambda share: 0.5, "classes balance"),
        (lambda share: 0.3, "all pixels of one class"),
    ],
)
def test_best_constant(capsys, function, message):
    assert message in said(capsys, check.best_constant, function)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: keras.layers.Conv2D(1, 1, activation="sigmoid"), "Right. One map"),
        (lambda: keras.layers.Conv2D(2, 1, activation="softmax"), "Right. 2 maps"),
        (lambda: ..., "Not yet"),
        (lambda: keras.layers.Conv2D(1, 1, activation="softmax"), "exactly 1"),
        (lambda: keras.layers.Conv2D(1, 1), "need a sigmoid"),
        (lambda: keras.layers.Conv2D(1, 3, activation="sigmoid"), "kernel at 1"),
        (lambda: keras.layers.Conv2D(2, 1, activation="sigmoid"), "whose sum is not 1"),
    ],
)
def test_output_layer(capsys, function, message):
    keras.utils.set_random_seed(0)
    assert message in said(capsys, check.output_layer, function)
