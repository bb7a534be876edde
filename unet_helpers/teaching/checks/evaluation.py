"""Self-checks of notebook 05, evaluation."""

import math

import numpy as np

from ...evaluation.intervals import bootstrap_interval
from ._verdict import Raised, Wrong, call, exercise, match_answers, number


@exercise
def dice_from_counts(function):
    """A function of (tp, fp, fn) that gives the Dice coefficient, nan where nothing is there."""
    for counts in ((4, 1, 3), (10, 0, 0), (0, 2, 5), (6, 6, 0)):
        tp, fp, fn = counts
        right = 2 * tp / (2 * tp + fp + fn)
        given = number(call(function, *counts))
        if _same(given, right):
            continue
        shown = f"for TP, FP, FN = {tp}, {fp}, {fn} it gives {given:.3f}, and Dice is {right:.3f}. "
        if _same(given, tp / (tp + fp + fn)):
            raise Wrong(shown + "You wrote the IoU: in Dice the shared pixels count twice, above and below the line.")
        if _same(given, tp / (2 * tp + fp + fn)):
            raise Wrong(shown + "You have half of it: TP counts twice above the line too.")
        if _same(given, 2 * tp / (tp + fp + fn)):
            raise Wrong(shown + "TP counts twice below the line too, because both masks hold these pixels.")
        raise Wrong(shown + "Twice the shared pixels, divided by the sizes of both masks added up.")
    try:
        empty = number(call(function, 0, 0, 0))
    except Raised as error:
        if not isinstance(error.__cause__, ZeroDivisionError):
            raise
        raise Wrong(
            "it works until both masks are empty, where it divides 0 by 0; return float('nan') there."
        ) from None
    if not math.isnan(empty):
        raise Wrong(f"for two empty masks it gives {empty:g}; 0/0 has no value, so return float('nan').")
    return "4, 1, 3 gives 0.67, as counted by hand."


@exercise
def share(function):
    """A function of (accuracy, precision, recall) that gives the share of foreground."""
    for tp, fp, fn, tn in ((4, 1, 3, 8), (30, 10, 20, 140), (50, 25, 25, 100)):
        total = tp + fp + fn + tn
        numbers = ((tp + tn) / total, tp / (tp + fp), tp / (tp + fn))
        right, given = (tp + fn) / total, number(call(function, *numbers))
        if _same(given, right):
            continue
        shown = f"for the counts TP {tp}, FP {fp}, FN {fn}, TN {tn} it gives {given:.3f}. "
        if _same(given, 1 - right):
            raise Wrong(shown + "That is the share of the background; the foreground has the rest.")
        if _same(given, (tp + fp) / total):
            raise Wrong(
                shown + "That is the share of pixels predicted as foreground, not of those that are foreground."
            )
        raise Wrong(shown + f"The share is {right:.3f}: wrong pixels (1 − accuracy) divided by wrong per true pixel.")


@exercise
def accuracy_of_nothing(answer):
    """A function of a mask and a class index: the accuracy of never predicting the class."""
    mask = np.array([[0, 0, 1, 1], [0, 1, 1, 1], [0, 1, 2, 1], [0, 0, 0, 0]])
    for index in (2, 1):
        right = float((mask != index).mean())
        given = number(call(answer, mask, index))
        if _same(given, right):
            continue
        shown = f"on a 4×4 mask with {int((mask == index).sum())} pixels of class {index} it gives {given:.3f}. "
        if _same(given, 1 - right):
            raise Wrong(shown + "That is the share of the object; an empty prediction is right everywhere else.")
        if _same(given, float((mask == 0).mean())):
            raise Wrong(shown + "You counted the background only: pixels of the other classes are right too.")
        if _same(given, 0):
            raise Wrong(shown + "That is its Dice. Accuracy also counts the pixels that are rightly left alone.")
        raise Wrong(shown + f"It is {right:.3f}: the share of the pixels that are not of this class.")
    return "The smaller the object, the closer to 1 for finding nothing."


@exercise
def iou_with_policy(function):
    """A function of (truth, prediction, empty): IoU, and ``empty`` where both masks are empty."""
    some, other = np.array([[1, 1, 0, 0]]), np.array([[0, 1, 1, 0]])
    nothing = np.zeros((1, 4), int)
    cases = (
        (some, some, 1.0, "two equal masks"),
        (some, other, 1 / 3, "masks that share one of three pixels"),
        (some, nothing, 0.0, "an object that is missed"),
        (nothing, some, 0.0, "a false positive on an empty slice"),
    )
    for truth, prediction, right, what in cases:
        given = number(call(function, truth.copy(), prediction.copy(), math.nan))
        if _same(given, right):
            continue
        if math.isnan(given):
            raise Wrong(
                f"{what} gives nan: only the case in which *both* are empty is undefined. Here IoU is {right:.2f}."
            )
        if what.startswith("masks") and _same(given, 0.5):
            raise Wrong(f"{what} give 0.50, which is Dice; IoU divides by the union: {right:.2f}.")
        raise Wrong(f"{what}: it gives {given:.2f}, and IoU is {right:.2f}.")
    for empty in (math.nan, 1.0, 0.0):
        given = number(call(function, nothing.copy(), nothing.copy(), empty))
        if not (_same(given, empty) or (math.isnan(empty) and math.isnan(given))):
            raise Wrong(f"both masks empty and empty={empty:g} gives {given:g}; return what the caller chose.")
    return "A missed object and a false positive cost 0 under every policy; only the empty pair is a matter of choice."


@exercise
def interval(function):
    """A function of (values, patients) that gives a 95 % interval of the mean, patients drawn with replacement."""
    rng = np.random.default_rng(5)
    patients = np.repeat([f"P{k:02d}" for k in range(12)], 20)
    values = np.repeat(rng.uniform(0.3, 0.95, 12), 20) + rng.normal(0, 0.01, 240)
    low, high = bootstrap_interval(values, patients, method="percentile")  # which the exercise asks for
    by_slice = bootstrap_interval(values, method="percentile")
    given = call(function, values.copy(), patients.copy())
    if np.ndim(given) == 0 or len(given) != 2:
        raise Wrong("it must return two numbers, low and high.")
    given = number(given[0]), number(given[1])
    width, right, narrow = given[1] - given[0], high - low, by_slice[1] - by_slice[0]
    if width < 0:
        raise Wrong("low is above high; return (low, high).")
    shown = f"on 12 patients with 20 similar slices each your interval is {width:.3f} wide"
    if abs(width / narrow - 1) < 0.25:
        raise Wrong(f"{shown}, as if all slices were independent. Draw patients, each with all its slices.")
    if width > 2.5 * right:
        raise Wrong(
            f"{shown}: that is the spread of the patients. The interval is about their mean, so average each draw."
        )
    if width < 0.05 * right:
        raise Wrong(f"{shown}: too narrow. Draw *with* replacement, or every draw holds the same patients.")
    if abs(width / right - 1) > 0.25 or abs(sum(given) / 2 - (low + high) / 2) > 0.25 * right:
        raise Wrong(
            f"{shown}, from {given[0]:.3f} to {given[1]:.3f}; about {low:.3f} to {high:.3f} was expected. Take the "
            "2.5th and 97.5th percentile of 1000 or more means."
        )
    return f"About {right / narrow:.0f} times as wide as if the slices were drawn."


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
        "safety margin in mm": "the largest error in mm is asked, and only a distance gives it.",
        "nothing overlooked": "each missed nodule counts the same, however small: count objects.",
        "experts differ by 1 mm": "an error within the experts' spread must cost nothing: a border with a tolerance.",
    }

    def why(task, metric):
        if metric == "accuracy":
            return "accuracy is high as soon as the object is small, whatever is found."
        if (task, metric) == ("nothing overlooked", "recall"):
            return "recall counts pixels, and one large nodule found hides small ones that were missed."
        return reasons[task]

    match_answers(answers, right, why, METRICS, todo="{count} of {total} are open: {keys}.")


def _same(a, b):
    return math.isclose(a, b, abs_tol=1e-6)
