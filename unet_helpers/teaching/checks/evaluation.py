"""Self-checks of notebook 05, evaluation."""

import math

import numpy as np

from ._numbers import compare
from ._verdict import Wrong, exercise, match_answers


def _wrong_dice(tp, fp, fn):
    right = 2 * tp / (2 * tp + fp + fn)
    return {
        "Only where both masks are empty is Dice undefined.": math.nan,
        "You wrote the IoU: in Dice the shared pixels count twice, above and below the line.": tp / (tp + fp + fn),
        "You have half of it: TP counts twice above the line too.": right / 2,
        "TP counts twice below the line too, because both masks hold these pixels.": 2 * tp / (tp + fp + fn),
        "That is the precision, which leaves out what was missed.": tp / max(tp + fp, 1),
        "That is the recall, which leaves out what was predicted too much.": tp / max(tp + fn, 1),
        "The operator // cuts off all behind the point; divide by /.": math.floor(right),
    }


@exercise
def dice_from_counts(function):
    """A function of (tp, fp, fn) that gives the Dice coefficient, nan where nothing is there."""
    counts = ((5, 1, 3), (4, 1, 3), (0, 2, 5), (0, 0, 5), (0, 3, 0), (6, 6, 0), (700, 0, 90))
    compare(
        function,
        lambda tp, fp, fn: 2 * tp / (2 * tp + fp + fn),
        {f"for TP, FP, FN = {tp}, {fp}, {fn}": (tp, fp, fn) for tp, fp, fn in counts},
        _wrong_dice,
        "Twice the shared pixels, divided by the sizes of both masks added up.",
    )
    empty = {"for TP, FP, FN = 4, 1, 3": (4, 1, 3), "for two empty masks": (0, 0, 0)}
    undefined = "0/0 has no value; return float('nan') there."
    try:
        compare(function, lambda tp, fp, fn: 8 / 12 if tp else math.nan, empty, lambda *counts: {}, undefined)
    except Wrong as wrong:
        if not isinstance(wrong.__cause__, ZeroDivisionError):
            raise
        raise Wrong(
            "it works until both masks are empty, where it divides 0 by 0; return float('nan') there."
        ) from None
    return "4, 1, 3 gives 0.67, as counted by hand."


def _share(accuracy, precision, recall):
    return (1 - accuracy) / ((1 - recall) + recall * (1 - precision) / precision)


def _wrong_shares(a, p, r):
    right = _share(a, p, r)
    return {
        "That is the share of the background; the foreground has the rest.": 1 - right,
        "That is the share predicted as foreground; are precision and recall exchanged?": right * r / p,
        "Only missed pixels count in it; false positives are wrong pixels too.": (1 - a) / (1 - r)
        if r < 1
        else math.nan,
        "Only false positives count in it; missed pixels are wrong too.": (1 - a) / (r * (1 - p) / p)
        if p < 1
        else math.nan,
        "The false positives per true pixel are r·(1 − p)/p: they are 1 − p of what was *predicted*.": (
            (1 - a) / ((1 - r) + r * (1 - p))
        ),
        "Return a share, from 0 to 1, not percent.": 100 * right,
    }


@exercise
def share(function):
    """A function of (accuracy, precision, recall) that gives the share of foreground."""
    cases = {}
    for tp, fp, fn, tn in ((4, 1, 3, 8), (30, 10, 20, 140), (80, 35, 5, 20), (20, 0, 30, 50), (6, 9, 0, 85)):
        numbers = ((tp + tn) / (tp + fp + fn + tn), tp / (tp + fp), tp / (tp + fn))
        cases[f"for the counts TP {tp}, FP {fp}, FN {fn}, TN {tn}"] = numbers
    wrong_by_true = "The share of all pixels that are wrong (1 − accuracy), divided by wrong per true pixel."
    compare(function, _share, cases, _wrong_shares, wrong_by_true)


def _masks_of_classes():
    """Masks of class indices by their description: none is square, one is a stack, one has many pixels."""
    wide = np.array([[2, 0, 1, 2, 0], [0, 1, 1, 1, 0], [1, 1, 0, 1, 3]])
    stack = np.array([[[2, 2, 2], [1, 0, 0]], [[1, 0, 3], [0, 0, 2]], [[0, 0, 0], [1, 1, 0]]])
    large = np.repeat(wide.astype(np.uint8), 60, axis=1)
    return {"a mask of 3×5": wide, "a stack of three masks of 2×3": stack, "a mask of 3×300, in uint8,": large}


def _wrong_accuracies(mask, index):
    other = mask != index
    return {
        "That is the share of the object; an empty prediction is right everywhere else.": (mask == index).mean(),
        "You counted the background only: pixels of the other classes are right too.": (mask == 0).mean(),
        "That is its Dice. Accuracy also counts the pixels that are rightly left alone.": 0,
        "Take the class that is asked for.": (mask != 2).mean(),
        "Count what is not of this class, above and below its number.": (mask < index).mean(),
        "Divide by the pixels of all slices: .size counts them, or .mean() divides for you.": (
            other.sum() / mask[0].size
        ),
        "Look at all rows and slices, not only at the first.": other[0].mean(),
        "Return a share, from 0 to 1, not percent.": 100 * other.mean(),
    }


@exercise
def accuracy_of_nothing(answer):
    """A function of a mask and a class index: the accuracy of never predicting the class."""
    masks = _masks_of_classes()
    asked = [*((name, index) for name in masks for index in (2, 1, 0)), ("a mask of 3×5", 7)]
    compare(
        answer,
        lambda mask, index: float((mask != index).mean()),
        {
            f"on {name} with {int((masks[name] == index).sum())} pixels of class {index}": (masks[name], index)
            for name, index in asked
        },
        _wrong_accuracies,
        "Right are the pixels that are not of this class, as a share of all pixels of the mask.",
        several="take the mean over all axes",
    )
    return "The smaller the object, the closer to 1 for finding nothing."


def _iou(truth, prediction, empty):
    return (truth & prediction).sum() / (truth | prediction).sum() if (truth | prediction).any() else empty


def _wrong_ious(truth, found, empty):
    both, either = (truth & found).sum(), (truth | found).sum()
    return {
        "That is what the caller chose for *two* empty masks; only that case is undefined.": empty,
        "Only the case in which *both* are empty is undefined.": math.nan,
        "That is Dice; IoU divides by the union.": 2 * both / (truth.sum() + found.sum()),
        "That is the share of the truth that was found; divide by the union.": both / max(truth.sum(), 1),
        "That is the share of the prediction that is right; divide by the union.": both / max(found.sum(), 1),
        "That is the accuracy, which counts the background too.": (truth == found).mean(),
        "Look at all rows, not only at one.": [_iou(truth[k], found[k], empty) for k in (0, -1)],
        "Nothing may be added above or below the line: it changes the IoU of small objects.": (both + 1) / (either + 1),
    }


@exercise
def iou_with_policy(function):
    """A function of (truth, prediction, empty): IoU, and ``empty`` where both masks are empty."""
    truth = np.array([[0, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]])
    other = np.array([[0, 0, 0, 0, 0], [0, 0, 1, 1, 1], [0, 0, 1, 0, 0]])
    nothing, far = np.zeros_like(truth), np.array([[1, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 1, 1, 0]])
    some = {
        "masks that share two of seven pixels": (truth, other),
        "the same, exchanged": (other, truth),
        "two equal masks": (other, other),
        "masks apart from each other": (truth, far),
        "an object that is missed": (truth, nothing),
        "a false positive on an empty slice": (nothing, truth),
        "two large masks of uint8": tuple(np.repeat(m.astype(np.uint8), 200, axis=0) for m in (truth, other)),
    }
    compare(
        function,
        _iou,
        {f"for {what} and empty={empty:g}": (*pair, empty) for what, pair in some.items() for empty in (math.nan, 1)},
        _wrong_ious,
        "IoU is the shared pixels divided by the union, the pixels that either mask holds.",
        several="sum over all axes",
    )
    empty_pairs = {
        f"for two empty masks and empty={empty:g}": (nothing, nothing, empty) for empty in (math.nan, 1, 0, -2.5)
    }
    cases = {"for two equal masks": (other, other, 0.5)} | empty_pairs
    compare(function, _iou, cases, lambda *masks: {}, "Return what the caller chose.")
    return "A missed object and a false positive cost 0 under every policy; only the empty pair is a matter of choice."


#: the answers to choose from
METRICS = ("Dice", "HD95", "surface Dice", "objects found", "recall", "accuracy")


@exercise
def metric_for(answers):
    """A dict of four situations to one of :data:`METRICS`."""
    right = {
        "liver outline": "Dice",
        "safety margin in mm": "HD95",
        "nothing overlooked": "objects found",
        "experts differ by 1 mm": "surface Dice",
    }
    reasons = {
        "liver outline": "a large object whose area must agree: overlap is what is asked.",
        "safety margin in mm": "how many mm the boundary is off is asked, and only a distance says it.",
        "nothing overlooked": "each missed nodule counts the same, however small: count objects.",
        "experts differ by 1 mm": "an error within the experts' spread must cost nothing: a border with a tolerance.",
    }

    def why(task, metric):
        if metric == "accuracy":
            return "accuracy is high as soon as the object is small, whatever is found."
        if (task, metric) == ("nothing overlooked", "recall"):
            return "recall counts pixels, and one large nodule found hides small ones that were missed; count nodules."
        return reasons[task]

    match_answers(answers, right, why, METRICS, todo="{count} of {total} are open: {keys}.")
