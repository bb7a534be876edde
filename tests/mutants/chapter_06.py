"""Notebook 06."""

import numpy as np
from scipy import ndimage

from mutants import Exercise
from unet_helpers.failures import ATLAS
from unet_helpers.teaching.checks import failure_analysis as check

CORNERS = np.ones((3, 3))
MISSED = {"A", "B", "C", "F"}  # the riddles whose wrong pixels are true


def islands(truth, predicted, structure=CORNERS):
    labels, _ = ndimage.label(predicted, structure)
    return predicted & ~np.isin(labels, np.unique(labels[truth & predicted]))


def islands_by_loop(truth, predicted):
    labels, count = ndimage.label(predicted, CORNERS)
    found = np.zeros(predicted.shape, int)
    for number in range(1, count + 1):
        if not truth[labels == number].any():
            found[labels == number] = 1
    return found


def islands_by_growing(truth, predicted):
    return predicted ^ ndimage.binary_propagation(truth & predicted, CORNERS, predicted)


def chosen(keep):
    """The mask of the predicted objects for which ``keep(truth, predicted, objects, k)`` holds."""

    def function(truth, predicted):
        labels, count = ndimage.label(predicted, CORNERS)
        objects = [labels == number for number in range(1, count + 1)]
        kept = [one for k, one in enumerate(objects) if keep(truth, objects, k)]
        return np.any([truth & False, *kept], axis=0)

    return function


def center_is_outside(truth, objects, k):
    row, column = ndimage.center_of_mass(objects[k])
    return not truth[round(row), round(column)]


def islands_in_place(truth, predicted):
    predicted &= islands(truth, predicted)
    return predicted


def islands_of_uint8(truth, predicted):
    labels = ndimage.label(predicted, CORNERS)[0].astype(np.uint8)
    return predicted & ~np.isin(labels, labels[truth & predicted])


def numbers_of_islands(truth, predicted):
    return ndimage.label(islands(truth, predicted), CORNERS)[0]


def but_the_most_common(truth, predicted):
    labels, _ = ndimage.label(predicted, CORNERS)
    shared = labels[truth & predicted]
    return predicted & (labels != np.bincount(shared).argmax()) if shared.size else predicted


def balanced(matrix):
    return np.mean(np.diag(matrix) / matrix.sum(axis=1))


def balanced_by_loop(matrix):
    shares = []
    for k, row in enumerate(matrix.tolist()):
        shares.append(row[k] / sum(row))
    return sum(shares) / len(shares)


def balanced_by_normalizing(matrix):
    return np.trace(matrix / matrix.sum(axis=1, keepdims=True)) / len(matrix)


def balanced_in_place(matrix):
    np.fill_diagonal(matrix, 100 * np.diag(matrix))
    return np.mean(np.diag(matrix) / 100 / (matrix.sum(axis=1) - 0.99 * np.diag(matrix)))


def shares(matrix):
    return np.diag(matrix) / matrix.sum(axis=1)


EXERCISES = [
    Exercise(
        "06.1",
        check.name_the_kind,
        right={
            "the six": check.ANSWERS,
            "in capitals": {letter: name.upper() for letter, name in check.ANSWERS.items()},
        },
        wrong={
            f"{letter}: {name}": (
                check.ANSWERS | {letter: name},
                "false negative" if letter in MISSED else "false positive",
            )
            for letter in check.ANSWERS
            for name in ATLAS
            if name != check.ANSWERS[letter]
        }
        | {
            "one open": (check.ANSWERS | {"A": ...}, "Not yet: A still without a name"),
            "a name of one's own": (check.ANSWERS | {"B": "lost"}, "'lost' for 'B' is none of"),
            "a hole for the lost disk": (check.ANSWERS | {"C": "missed object"}, "does the prediction touch that"),
            "an island for the leak": (check.ANSWERS | {"D": "false island"}, "does the wrong piece touch"),
            "a leak for the bridge": (check.ANSWERS | {"E": "leak into a neighbor"}, "how many true objects"),
            "a hole for the cut": (check.ANSWERS | {"F": "hole"}, "how many predicted parts"),
            "the rule in place of the hint": (check.ANSWERS | {"A": "hole"}, ATLAS["hole"]),
            "exchanged": (check.ANSWERS | {"E": "split", "F": "merged"}, "false positive"),
            "names alone": (list(check.ANSWERS.values()), "keep the dictionary"),
            "a set": (set(check.ANSWERS.values()), "keep the dictionary"),
            "one is missing": ({k: v for k, v in check.ANSWERS.items() if k != "C"}, "'C' is missing"),
        },
    ),
    Exercise(
        "06.2",
        check.false_islands,
        right={
            "labels that do not touch": islands,
            "a loop over the objects, 0 and 1": islands_by_loop,
            "grown from what is shared": islands_by_growing,
        },
        wrong={
            "every added pixel": (lambda t, p: p & ~t, "every added pixel"),
            "missed objects": (lambda t, p: islands(p, t), "missed"),
            "corners do not count": (lambda t, p: islands(t, p, None), "at a corner"),
            "those that touch": (lambda t, p: p & ~islands(t, p), "do touch"),
            "how many": (lambda t, p: ndimage.label(islands(t, p), CORNERS)[1], "shape ()"),
            "numbers and count": (lambda t, p: ndimage.label(islands(t, p), CORNERS), "return the mask alone"),
            "numbers": (numbers_of_islands, "holds only True and False"),
            "all that is predicted": (lambda t, p: p, "all that is predicted"),
            "nothing": (lambda t, p: t & False, "an empty mask"),
            "nothing without truth": (lambda t, p: islands(t, p) if t.any() else t, "without any true object"),
            "all but the largest": (
                chosen(lambda truth, objects, k: objects[k].sum() < max(one.sum() for one in objects)),
                "however large",
            ),
            "the smallest": (
                chosen(lambda truth, objects, k: objects[k].sum() == min(one.sum() for one in objects)),
                "however large",
            ),
            "the small ones": (chosen(lambda truth, objects, k: objects[k].sum() < 10), "however large"),
            "by center": (
                chosen(lambda truth, objects, k: center_is_outside(truth, objects, k)),
                "wherever its center",
            ),
            "by half": (
                chosen(lambda truth, objects, k: truth[objects[k]].mean() < 0.5),
                "any of its pixels",
            ),
            "all but the first": (chosen(lambda truth, objects, k: k > 0), "any of its pixels"),
            "the last": (chosen(lambda truth, objects, k: k == len(objects) - 1), "any of its pixels"),
            "the first island": (
                chosen(lambda t, objects, k: k == min(j for j, one in enumerate([*objects, ~t]) if not t[one].any())),
                "any of its pixels",
            ),
            "all but the one that shares most": (but_the_most_common, "any of its pixels"),
            "numbers in uint8": (islands_of_uint8, "620 dots"),
            "inside of the truth's outline": (
                lambda t, p: islands(ndimage.binary_fill_holes(p) & t | t, ndimage.binary_fill_holes(p)) & p,
                "a ring around an object",
            ),
            "transposed": (lambda t, p: islands(t, p).T, "return a mask"),
            "upside down": (lambda t, p: islands(t, p)[::-1], "wrong pixels"),
            "as text": (lambda t, p: islands(t, p).astype(str), "holds only True and False"),
            "in place": (islands_in_place, "changes what it is given"),
        },
    ),
    Exercise(
        "06.3",
        check.balanced_accuracy,
        right={
            "diagonal by rows": balanced,
            "a loop": balanced_by_loop,
            "the trace of shares": balanced_by_normalizing,
        },
        wrong={
            "the geometric mean": (lambda m: np.exp(np.log(shares(m) + 1e-9).mean()), "Divide the diagonal"),
            "three kinds at most": (lambda m: shares(m)[:3].mean(), "Divide the diagonal"),
            "plain accuracy": (lambda m: np.trace(m) / m.sum(), "plain accuracy"),
            "columns": (lambda m: np.mean(np.diag(m) / m.sum(axis=0)), "columns"),
            "one for each": (shares, "take their mean"),
            "the sum": (lambda m: shares(m).sum(), "divide it by the number of kinds"),
            "by three": (lambda m: shares(m).sum() / 3, "not always three"),
            "two thirds": (lambda m: 2 / 3, "Divide the diagonal"),
            "one half": (lambda m: 0.5, "Divide the diagonal"),
            "the median": (lambda m: np.median(shares(m)), "That is the median"),
            "the lowest": (lambda m: shares(m).min(), "one kind"),
            "the highest": (lambda m: shares(m).max(), "one kind"),
            "the first kind": (lambda m: shares(m)[0], "one kind"),
            "the last kind": (lambda m: shares(m)[-1], "one kind"),
            "all but the first": (lambda m: shares(m)[1:].mean(), "then take the mean"),
            "geometric": (lambda m: np.prod(shares(m)) ** (1 / len(m)), "then take the mean"),
            "the other diagonal": (lambda m: np.mean(np.diag(m[:, ::-1]) / m.sum(axis=1)), "Divide the diagonal"),
            "smoothed": (lambda m: np.mean((np.diag(m) + 1) / (m.sum(axis=1) + 1)), "Divide the diagonal"),
            "errors": (lambda m: 1 - balanced(m), "Divide the diagonal"),
            "three rows": (lambda m: shares(m)[:3].mean(), "[8, 0, 1, 1]"),
            "two kinds": (lambda m: shares(m)[:2].mean(), "Divide the diagonal"),
            "only what occurs": (lambda m: shares(m)[np.diag(m) > 0].mean(), "[8, 0, 1, 1]"),
            "balanced for chance": (lambda m: (balanced(m) - 1 / len(m)) / (1 - 1 / len(m)), "Divide the diagonal"),
            "sums in uint8": (
                lambda m: np.mean(np.diag(m) / m.astype(np.uint8).sum(axis=1, dtype=np.uint8)),
                "300",
            ),
            "F1": (lambda m: np.mean(2 * np.diag(m) / (m.sum(axis=0) + m.sum(axis=1))), "Divide the diagonal"),
            "rounded": (lambda m: round(float(balanced(m)), 2), "rounding is for print"),
            "percent": (lambda m: 100 * balanced(m), "Divide the diagonal"),
            "text": (lambda m: str(balanced(m)), "a number was expected"),
            "in place": (balanced_in_place, "changes what it is given"),
        },
    ),
]
