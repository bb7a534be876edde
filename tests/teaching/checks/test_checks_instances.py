"""The self-checks of notebook 11: starter, right answer, and the wrong answers that people give."""

import numpy as np
import pytest

from unet_helpers.evaluation import border_targets, iou_table
from unet_helpers.teaching.checks import instances as check


def overlap(divide, background=False):
    def answer(true, found):
        first = 0 if background else 1
        pairs = [[(true == t, found == f) for f in range(first, found.max() + 1)] for t in range(first, true.max() + 1)]
        return [[(a & b).sum() / divide(a, b) for a, b in row] for row in pairs]

    return answer


def union(a, b):
    return (a | b).sum()


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (overlap(union), "Right."),
        (iou_table, "Right."),
        (lambda true, found: iou_table(found, true), "exchanged"),
        (overlap(union, background=True), "0 is background"),
        (lambda true, found: np.zeros(3), "gives shape (3,)"),
        (overlap(lambda a, b: 1), "shared pixels; divide"),
        (overlap(lambda a, b: a.sum() + b.sum()), "counted twice"),
        (overlap(lambda a, b: (a.sum() + b.sum()) / 2), "That is Dice"),
        (overlap(lambda a, b: a.sum()), "divided by the true"),
        (lambda true, found: iou_table(true, found) / 3, "Shared pixels, divided"),
        (lambda true, found: true.nothing, "AttributeError"),
    ],
)
def test_table(said, answer, verdict):
    assert verdict in said(check.table, answer)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda ious, true, predicted: sum(ious) / ((true + predicted) / 2), "Right."),
        (lambda ious, true, predicted: np.mean(ious) * len(ious) / (0.5 * (true + predicted)) if ious else 0, "Right."),
        (lambda ious, true, predicted: sum(ious) / len(ious), "That is SQ"),
        (lambda ious, true, predicted: len(ious) / ((true + predicted) / 2), "That is RQ"),
        (lambda ious, true, predicted: sum(ious) / (true + predicted - len(ious)), "one half each"),
        (lambda ious, true, predicted: sum(ious) / true, "False objects cost nothing"),
        (lambda ious, true, predicted: sum(ious) / predicted, "Missed objects cost nothing"),
        (lambda ious, true, predicted: sum(ious) / (true + predicted), "not by their sum"),
        (lambda ious, true, predicted: sum(ious) / ((true + predicted) / 2) if ious else 1.0, "Without a pair"),
        (lambda ious, true, predicted: 0.123, "SQ is the mean"),
    ],
)
def test_quality(said, answer, verdict):
    assert verdict in said(check.quality, answer)


def shifted(*steps, background=False):
    def answer(labels):
        found = np.zeros(labels.shape, bool)
        padded = np.pad(labels, 1)
        for row, column in steps:
            other = np.roll(padded, (-row, -column), (0, 1))[1:-1, 1:-1]
            touches = labels != other
            found |= touches if background else touches & (labels > 0) & (other > 0)
        return found

    return answer


FOUR = ((0, 1), (0, -1), (1, 0), (-1, 0))


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (shifted(*FOUR), "Right."),
        (lambda labels: border_targets(labels, width=1) == 2, "Right."),
        (shifted(*FOUR, background=True), "It is background"),
        (lambda labels: shifted(*FOUR, background=True)(labels) & (labels > 0), "the rim of an object"),
        (shifted((0, 1), (1, 0)), "One side"),
        (shifted((0, -1), (-1, 0)), "One side"),
        (shifted((0, 1), (0, -1)), "above, below"),
        (lambda labels: labels[1:], "one value for each pixel"),
    ],
)
def test_border(said, answer, verdict):
    assert verdict in said(check.border, answer)
