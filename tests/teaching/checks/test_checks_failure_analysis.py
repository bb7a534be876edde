"""The checks of notebook 06: starter, right answer, and the message for each typical wrong one."""

import numpy as np
import pytest
from scipy import ndimage

from unet_helpers.failures import sort_errors
from unet_helpers.teaching.checks import failure_analysis as check


def test_each_riddle_has_one_kind_in_the_main():
    for letter, (truth, prediction) in check.riddles().items():
        table, _ = sort_errors(truth[None].astype(int), prediction[None].astype(int), truth[None].astype(float))
        assert table.groupby("kind")["pixels"].sum().idxmax() == check.ANSWERS[letter]
        assert table["kind"].nunique() == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "Right"),
        ({"A": ...}, "Not yet: A"),
        ({"B": "lost"}, "'lost' for 'B' is none of"),
        ({"C": "missed object"}, "does the prediction touch"),
        ({"D": "false island"}, "false positive: predicted, and not true; does the wrong piece touch"),
        ({"E": "leak into a neighbor"}, "how many true objects"),
        ({"F": "hole"}, "how many predicted parts"),
        ({"A": "hole"}, "false negative: true, and not predicted; how far"),
    ],
)
def test_name_the_kind(said, changes, message):
    assert message in said(check.name_the_kind, {**check.ANSWERS, **changes})


def islands(truth, predicted, structure=((1,) * 3,) * 3):
    labels, _ = ndimage.label(predicted, structure)
    return predicted & ~np.isin(labels, labels[truth & predicted])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (islands, "Right"),
        (lambda truth, predicted: predicted & ~truth, "every added pixel"),
        (lambda truth, predicted: islands(predicted, truth), "missed"),
        (lambda truth, predicted: islands(truth, predicted, None), "at a corner"),
        (lambda truth, predicted: predicted & ~islands(truth, predicted), "do touch"),
        (lambda truth, predicted: ndimage.label(predicted)[1], "shape"),
        (lambda truth, predicted: predicted, "pixels are not"),
        (lambda truth, predicted: islands(truth, predicted) if truth.any() else truth, "empty mask"),
    ],
)
def test_false_islands(said, function, message):
    assert message in said(check.false_islands, function)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda m: np.mean(np.diag(m) / m.sum(axis=1)), "Right"),
        (lambda m: np.trace(m) / m.sum(), "plain accuracy"),
        (lambda m: np.mean(np.diag(m) / m.sum(axis=0)), "columns"),
        (lambda m: np.diag(m) / m.sum(axis=1), "take their mean"),
        (lambda m: 0.5, "divide the diagonal"),
    ],
)
def test_balanced_accuracy(said, function, message):
    assert message in said(check.balanced_accuracy, function)


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
def test_cause_and_repair(said, answers, message):
    assert message in said(check.cause_and_repair, *answers)


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
        (lambda share: 1 - share, "more foreground than background"),
        (lambda share: share, "right on every background pixel"),
        (lambda share: 0.5, "classes balance"),
        (lambda share: 0.3, "all pixels of one class"),
    ],
)
def test_best_constant(said, function, message):
    assert message in said(check.best_constant, function)
