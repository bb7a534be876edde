"""Self-checks of notebook 05, evaluation."""

import functools
import math

import numpy as np

from ...evaluation.intervals import bootstrap_interval
from ._numbers import compare
from ._verdict import Wrong, call, exercise, match_answers, number


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


#: what exercise 05.6 asks for, though the package gives Student's t unless told
_percentile_interval = functools.partial(bootstrap_interval, method="percentile")


def _studies():
    """Small studies on which wrong intervals differ: what it is, values, patients, right interval."""
    rng = np.random.default_rng(5)
    twelve = np.repeat(rng.uniform(0.3, 0.95, 12), 20) + rng.normal(0, 0.01, 240)
    sizes = np.array([30, 3, 20, 1, 4, 2, 9, 2])  # slices of a patient; those with many have high values
    turn = np.argsort(np.concatenate([np.arange(size) for size in sizes]), kind="stable")
    uneven = np.repeat([0.9, 0.4, 0.8, 0.3, 0.5, 0.1, 0.7, 0.2], sizes)[turn] + rng.normal(0, 0.02, sizes.sum())
    skewed = np.repeat([0.6, 0.05, 0.03, 0.1, 0.07, 0.04, 0.02, 0.9], 3) + np.tile([-0.02, 0, 0.02], 8)
    alike = np.repeat(rng.uniform(0.45, 0.55, 16), 4) + np.tile([-0.4, -0.1, 0.2, 0.3], 16)
    studies = {
        "12 patients with 20 similar slices each": (twelve, np.repeat([f"P{k:02d}" for k in range(12)], 20)),
        "8 patients with 1 to 30 slices": (uneven, np.repeat([3, 7, 10, 12, 15, 20, 22, 41], sizes)[turn]),
        "8 patients, two far better than the others": (skewed, np.repeat([f"P{k}" for k in range(2, 10)], 3)),
        "16 similar patients with 4 different slices each": (alike, np.repeat(np.arange(16), 4)),
        "4 patients, one of them with 0.8 and the others with 0.2": (
            np.array([0.2, 0.8, 0.2, 0.2, 0.2, 0.8, 0.2, 0.2]),
            np.array([1, 2, 3, 4, 1, 2, 3, 4]),
        ),
    }
    return [(what, *study, _percentile_interval(*study, repeats=20_000)) for what, study in studies.items()]


@exercise
def interval(function):
    """A function of (values, patients) that gives a 95 % interval of the mean, patients drawn with replacement."""
    studies = _studies()
    found = np.array([_two_numbers(call(function, values, patients)) for _, values, patients, _ in studies])
    right = np.array([ends for *_, ends in studies])
    # in standard errors of each study's mean, outward: 1000 draws leave an end uncertain by a tenth of one; in the last
    # study all draws have one of five means, and its ends are exact
    off = (found - right) / np.ptp(right, axis=1, keepdims=True) * [-4, 4]
    too_much = np.abs(off) > np.array([[0.7], [0.7], [0.7], [0.7], [0.05]])
    if too_much.any() or np.abs(off[:-1].mean(axis=0)).max() > 0.25 or abs(off[:-1].mean()) > 0.18:
        k = np.abs(off).max(axis=1).argmax()
        (low, high), (left, wide) = right[k], found[k]
        raise Wrong(
            f"on {studies[k][0]} your interval is {wide - left:.3f} wide, from {left:.3f} to {wide:.3f}; about "
            f"{low:.3f} to {high:.3f} was expected. {_what_is_wrong(studies[:-1], found[:-1], off[:-1])}"
        )
    _, values, patients, _ = studies[0]
    (low, high), (left, wide) = _percentile_interval(values, patients), _percentile_interval(values)
    return f"About {(high - low) / (wide - left):.0f} times as wide as if the slices were drawn."


def _two_numbers(given):
    if np.shape(given) != (2,):
        raise Wrong("it must return two numbers, low and high.")
    low, high = map(number, given)
    if not math.isfinite(high - low):
        raise Wrong(f"{low} and {high} are no interval; check what is averaged.")
    if low > high:
        raise Wrong("low is above high; return (low, high).")
    return low, high


#: wrong intervals, by what is to be done in their place
_WRONG_INTERVALS = {
    "So wide it is if all slices are independent. Draw patients, each with all its slices.": (
        lambda values, patients: _percentile_interval(values)
    ),
    "That is the spread of the values. The interval is about their mean, so average each draw.": (
        lambda values, patients: np.quantile(values, [0.025, 0.975])
    ),
    "Average all values of a draw together, not the means of its patients: who has more slices counts more.": (
        lambda values, patients: _percentile_interval(
            [values[patients == patient].mean() for patient in np.unique(patients)]
        )
    ),
    "So it is if 5 % are left out at each end (leave out 2.5 %), or more patients drawn than there are.": (
        lambda values, patients: _percentile_interval(values, patients, level=0.9)
    ),
    "So it is if 1 % is left out at each end (leave out 2.5 %), or fewer patients drawn than there are.": (
        lambda values, patients: _percentile_interval(values, patients, level=0.98)
    ),
    "A formula, as Student's t, puts both ends equally far from the mean; percentiles of draws are asked for.": (
        lambda values, patients: bootstrap_interval(values, patients, method="t")
    ),
}


def _what_is_wrong(studies, found, off):
    """What to say of intervals of the studies that are ``off``."""
    right = np.array([ends for *_, ends in studies])
    unit = np.ptp(right, axis=1, keepdims=True) / 4
    for hint, program in _WRONG_INTERVALS.items():
        beside = (found - [program(values, patients) for _, values, patients, _ in studies]) / unit
        if np.abs(beside).max() < 0.5 and np.abs(beside.mean(axis=0)).max() < 0.2:
            return hint
    if (found[:, 1] < right[:, 0]).all():
        return "Both ends lie too low: np.quantile counts from 0 to 1, np.percentile from 0 to 100."
    if (np.ptp(found, axis=1) < unit[:, 0]).all():
        return "Much too narrow: draw *with* replacement, or every draw holds the same patients."
    if np.abs(off[[0, 2]]).max() < 0.7 and off[-1].min() > 2:  # only where the slices of a patient differ
        return "Take all slices of a drawn patient; nothing is drawn among them."
    return (
        "Draw from all patients, as many as there are, 1000 times or more; the ends are the 2.5th and the 97.5th "
        "percentile of the means."
    )


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
