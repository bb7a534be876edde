"""Self-checks of notebook 11, instances."""

import numpy as np

from ._verdict import Wrong, call, exercise, number


def _draw(*rows):
    """A label image from rows of digits and letters, a = 10; a dot is background."""
    return np.array([[int(one, 36) if one != "." else 0 for one in row] for row in rows])


_SCENES = (
    ("1122..", "1122..", ".....3"),
    ("111.22", "111.22", "......"),
    ("1.1.22", "111.22", "333333"),
    ("11", "23", ".3"),
    ("1..", ".2.", "..3", "1.."),
    ("5...5..7", "5......7", "9.......", "999..5.9"),
    ("22.1133.",),
    ("...", "..."),
)
_FOUR = ((0, 1), (1, 0), (0, -1), (-1, 0))
_EIGHT = (*_FOUR, (1, 1), (1, -1), (-1, 1), (-1, -1))


@exercise
def border(function):
    """A function of a label image (H, W) that gives 1 where a pixel has another object over one of its four edges."""
    for rows in _SCENES:
        labels = _draw(*rows)
        right = _border(labels)
        given = np.asarray(call(function, labels))
        if given.shape != right.shape:
            raise Wrong(
                f"for labels of shape {labels.shape} it gives shape {given.shape}; give one value for each pixel."
            )
        if given.dtype.kind not in "biuf":
            raise Wrong(f"it gives {given.ravel()[:1].tolist()} for a pixel; give the number 1 or 0.")
        if not np.array_equal(given, right):
            outside = (given != 0) & (labels == 0)
            row, column = np.argwhere(outside if outside.any() else given != right)[0]
            shown = f"in {' / '.join(rows)} the pixel of row {row}, column {column} gives {given[row, column]:g}. "
            raise Wrong(shown + _border_hint(labels, given, (row, column)))
    return "A U-Net can learn such a class: a thin line that keeps touching objects apart."


def _border_hint(labels, given, at):
    if not labels[at]:
        return "It is background; the border is made of pixels of the objects."
    if np.array_equal(given != 0, _border(labels)):
        return "It is at a border, and a border is 1, whichever objects meet there."
    one_way = [((0, 1), (1, 0)), ((0, -1), (-1, 0)), ((0, 1), (-1, 0)), ((0, -1), (1, 0))]
    one_side = "One side of each border is missing: both objects have pixels of it, so compare both ways."
    all_four = "Compare each pixel with its neighbors above, below, left and right."
    hints = [
        (np.zeros(labels.shape), all_four),
        *((_border(labels, steps), one_side) for steps in one_way),
        (_border(labels, than=np.less), one_side),
        (_border(labels, than=np.greater), one_side),
        (_border(labels, _EIGHT), "The other object touches its corner only; above, below, left and right count."),
        (
            _border(labels, wraps=True),
            "The other object is at the opposite edge; np.roll brings it round.",
        ),
        (_border(labels, ((0, 1), (0, -1))), "Compare with the neighbors above and below as well."),
        (_border(labels, ((1, 0), (-1, 0))), "Compare with the neighbors to the left and right as well."),
        (1 - _border(labels), "Border and no border are exchanged."),
        (
            _border(labels, background=True),
            "Only background is beside it: the rim of an object is no border.",
        ),
    ]
    if hint := next((hint for wrong, hint in hints if np.array_equal(given, wrong)), None):
        return hint
    if given[at] and not _border(labels)[at]:
        return "None of its four neighbors belongs to another object."
    return all_four


def _border(labels, steps=_FOUR, than=np.not_equal, background=False, wraps=False):
    """1 where the neighbor at one of these steps is another object, or what comes out by a mistake."""
    padded = np.pad(labels, 1, mode="wrap" if wraps else "constant")
    height, width = labels.shape
    found = np.zeros(labels.shape, int)
    for row, column in steps:
        other = padded[1 + row : 1 + row + height, 1 + column : 1 + column + width]
        found |= (labels > 0) & (background | (other > 0)) & than(other, labels)
    return found


@exercise
def table(function):
    """A function of two label images with objects 1…T and 1…P that gives the IoU of each pair, (T, P)."""
    scenes = (
        (_draw("1122..", "1122.."), _draw("11122.", "1112..")),
        (_draw("1122", "1122", "3333"), _draw("1111", "1111", "....")),
        (_draw("1.2", "1.2"), _draw("111", "222")),
        (_draw("1112", "1332", "3322").astype(np.uint8), _draw("1234", "5678", "9abc").astype(np.uint8)),
        (_draw("12345", "6789a", "bbc.."), _draw("11.22", "11222", "11..3")),
        (_draw("11.2", "11.2"), _draw("....", "....")),
        (np.repeat(np.uint8([1, 2, 3]), 40).reshape(8, 15), np.arange(120, 0, -1, np.uint8).reshape(8, 15)),
    )
    for true, found in scenes:
        right = _table(true, found)
        given = np.asarray(call(function, true, found))
        count = f"{len(right)} true and {right.shape[1]} predicted objects"
        if given.dtype.kind not in "fiu":
            raise Wrong(f"for {count} it holds {given.ravel()[:1].tolist()}; give the IoU of each pair, from 0 to 1.")
        if given.shape == right.T.shape and given.shape != right.shape:
            raise Wrong("rows and columns are exchanged: a row for each true object, a column for each predicted one.")
        if given.shape == (right.shape[0] + 1, right.shape[1] + 1):
            raise Wrong(
                f"it gives shape {given.shape}, not {right.shape}: 0 is background and no object; begin with 1."
            )
        if given.shape != right.shape:
            raise Wrong(f"for {count} it gives shape {given.shape}, not {right.shape}: a row for each true object.")
        if not np.allclose(given, right):
            row, column = np.argwhere(~np.isclose(given, right))[0]
            raise Wrong(
                f"true object {row + 1} and predicted object {column + 1} give {given[row, column]:.3g}, "
                f"not {right[row, column]:.3g}. " + _table_hint(given, true, found)
            )
    return "One table holds all that matching needs."


def _table_hint(given, true, found):
    right, either = _table(true, found), "The union has the pixels of either."
    small = np.minimum(_table(true, found, "true"), _table(true, found, "found"))
    large = np.maximum(_table(true, found, "true"), _table(true, found, "found"))
    hints = [
        (_table(true, found, "shared"), "These are shared pixels; divide by those that either has."),
        (_overlap(true, found, "both"), "The shared pixels are counted twice below the line."),
        (2 * _overlap(true, found, "both"), "That is Dice; IoU divides by the union."),
        (_overlap(true, found, "true"), "You divided by the true object. " + either),
        (_overlap(true, found, "found"), "You divided by the predicted object. " + either),
        (_table(true, found, "shared") / small, "You divided by the smaller of the two. " + either),
        (_table(true, found, "shared") / true.size, "You divided by all pixels. " + either),
        (_table(true, found, "shared") / large, "You divided by the larger of the two. " + either),
        (right >= 0.5, "Whether it is a match comes later; give the IoU itself."),
        *((right.round(digits), "It is rounded; give the IoU itself.") for digits in (0, 1, 2)),
        (right * (right == right.max(axis=1, keepdims=True)), "Give all pairs of a row, not the best one only."),
    ]
    if given.shape[0] == given.shape[1]:
        hints += [(right.T, "Rows and columns are exchanged: a row for each true object.")]
    generic = "Shared pixels, divided by the pixels that either of the two has."
    return next((hint for wrong, hint in hints if np.allclose(given, wrong, atol=1e-3)), generic)


def _table(true, found, what="iou"):
    """IoU of all pairs, or one of the counts it is made of."""
    rows = np.zeros((true.max(), found.max()))
    for t in range(1, len(rows) + 1):
        for f in range(1, rows.shape[1] + 1):
            a, b = true == t, found == f
            counts = {"shared": (a & b).sum(), "true": a.sum(), "found": b.sum(), "both": a.sum() + b.sum()}
            rows[t - 1, f - 1] = counts["shared"] / (a | b).sum() if what == "iou" else counts[what]
    return rows


def _overlap(true, found, what):
    """The shared pixels divided by another count than those of the union."""
    return _table(true, found, "shared") / _table(true, found, what)


@exercise
def quality(function):
    """A function of the IoUs of the pairs and the numbers of true and predicted objects that gives PQ."""
    cases = (
        ([0.7, 0.95, 0.6, 0.72], 9, 6), ([1.0, 1.0], 2, 2), ([0.8, 0.6], 3, 5), ([0.55], 1, 6),
        ([0.9, 0.51, 0.62, 0.77, 0.83], 5, 6), ([], 3, 1), ([], 0, 2),
    )  # fmt: skip
    for ious, true, predicted in cases:
        right = sum(ious) / ((true + predicted) / 2)
        given = number(call(function, ious, true, predicted))
        if not np.isclose(given, right):
            shown = f"for pairs with IoU {ious}, {true} true and {predicted} predicted objects it gives {given:.3g}, "
            raise Wrong(f"{shown}not {right:.3g}. {_quality_hint(given, ious, true, predicted)}")
    return "Sum of the IoUs, divided by the mean of the two counts: PQ in one line."


def _quality_hint(given, ious, true, predicted):
    if not ious:
        return "Without a pair nothing was found, and PQ is 0; a mean over no pairs is not defined."
    total, pairs, half = sum(ious), len(ious), (true + predicted) / 2
    one_half = "A missed object and a false one count one half each, as in F1."
    single = "The IoU of every pair counts, as their mean."
    rounded = "Something is rounded: half of an odd number is no whole number."
    hints = [
        (total / pairs, "That is SQ, the mean over the pairs; what was missed or made up costs nothing in it."),
        (pairs / half, "That is RQ; it counts a pair as 1, whatever its IoU."),
        (total / (true + predicted - pairs), one_half),
        (total / (pairs + true + predicted), one_half),
        (total / (true + predicted), "Divide by the mean of the two counts, not by their sum."),
        (total / true, "False objects cost nothing here; RQ divides by the mean of both counts."),
        (total / predicted, "Missed objects cost nothing here; RQ divides by the mean of both counts."),
        (total / max(true, predicted), "RQ divides by the mean of both counts, not by the larger."),
        (total / min(true, predicted), "RQ divides by the mean of both counts, not by the smaller."),
        (total / np.sqrt(true * predicted), "RQ divides by the plain mean of both counts."),
        (np.median(ious) * pairs / half, "SQ is the mean of the pairs, not their median."),
        *((one * pairs / half, single) for one in (ious[0], ious[-1], min(ious), max(ious))),
        (total, "That is a sum over the pairs; divide by the mean of both counts."),
        (total / pairs + pairs / half, "PQ is the product of SQ and RQ, not their sum."),
        ((total / pairs + pairs / half) / 2, "PQ is the product of SQ and RQ, not their mean."),
        (total / ((true + predicted) // 2), rounded),
        (total / -(-(true + predicted) // 2), rounded),
        *((round(total / half, digits), rounded) for digits in (0, 1, 2)),
    ]
    generic = "SQ is the mean IoU of the pairs, RQ = pairs / (pairs + missed/2 + false/2)."
    return next((hint for wrong, hint in hints if np.isclose(given, wrong)), generic)
