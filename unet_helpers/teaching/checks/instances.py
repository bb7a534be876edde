"""Self-checks of notebook 11, instances."""

import numpy as np

from ._verdict import Wrong, call, exercise, number

_SCENES = (
    ("1122..", "1122..", ".....3"),
    ("111.22", "111.22", "......"),
    ("1.1.22", "111.22", "333333"),
    ("11", "23", ".3"),
)


def _draw(*rows):
    return np.array([[int(c) if c != "." else 0 for c in row] for row in rows])


@exercise
def border(function):
    """A function of a label image (H, W) that gives 1 where a pixel has another object over one of its four edges."""
    for rows in _SCENES:
        labels = _draw(*rows)
        right = _border(labels)
        given = np.asarray(call(function, labels.copy()))
        if given.shape != right.shape:
            raise Wrong(
                f"for labels of shape {labels.shape} it gives shape {given.shape}; give one value for each pixel."
            )
        given = given.astype(int)
        if np.array_equal(given, right):
            continue
        outside = (given != 0) & (labels == 0)
        row, column = np.argwhere(outside if outside.any() else given != right)[0]
        shown = f"in {' / '.join(rows)} the pixel of row {row}, column {column} gives {given[row, column]}. "
        if not labels[row, column]:
            raise Wrong(shown + "It is background; the border is made of pixels of the objects.")
        if given[row, column] and not right[row, column]:
            raise Wrong(
                shown + "Its neighbors of another number are background only; the rim of an object is no border."
            )
        if np.array_equal(given, _border(labels, ((0, 1), (1, 0)))) or np.array_equal(
            given, _border(labels, ((0, -1), (-1, 0)))
        ):
            raise Wrong(shown + "One side of each border is missing: compare both ways.")
        raise Wrong(shown + "Compare each pixel with its neighbors above, below, left and right.")
    return "A U-Net can learn such a class: a thin line that keeps touching objects apart."


def _border(labels, steps=((0, 1), (1, 0), (0, -1), (-1, 0))):
    """1 where the neighbor at one of these steps is another object."""
    padded = np.pad(labels, 1)
    height, width = labels.shape
    found = np.zeros(labels.shape, int)
    for row, column in steps:
        other = padded[1 + row : 1 + row + height, 1 + column : 1 + column + width]
        found |= (labels > 0) & (other > 0) & (other != labels)
    return found


@exercise
def table(function):
    """A function of two label images with objects 1…T and 1…P that gives the IoU of each pair, (T, P)."""
    scenes = (
        (_draw("1122..", "1122.."), _draw("11122.", "1112..")),
        (_draw("1122", "1122", "3333"), _draw("1111", "1111", "....")),
        (_draw("1.2", "1.2"), _draw("111", "222")),
    )
    for true, found in scenes:
        right = _table(true, found)
        given = np.asarray(call(function, true.copy(), found.copy()), dtype=float)
        if given.shape == right.shape and np.allclose(given, right):
            continue
        if given.shape == right.T.shape and np.allclose(given, right.T):
            raise Wrong("rows and columns are exchanged: a row for each true object, a column for each predicted one.")
        if given.shape == (right.shape[0] + 1, right.shape[1] + 1):
            raise Wrong(
                f"it gives shape {given.shape}, not {right.shape}: 0 is background and no object; begin with 1."
            )
        if given.shape != right.shape:
            raise Wrong(f"for {len(right)} true and {right.shape[1]} predicted objects it gives shape {given.shape}.")
        row, column = np.argwhere(~np.isclose(given, right))[0]
        shown = (
            f"true object {row + 1} and predicted object {column + 1} give {given[row, column]:.3g}, "
            f"not {right[row, column]:.3g}. "
        )
        shared = _table(true, found, "shared")
        if np.allclose(given, shared):
            raise Wrong(shown + "These are shared pixels; divide by those that either has.")
        if np.allclose(given, shared / _table(true, found, "sum")):
            raise Wrong(shown + "The shared pixels are counted twice below the line.")
        if np.allclose(given, 2 * shared / _table(true, found, "sum")):
            raise Wrong(shown + "That is Dice; IoU divides by the union.")
        if np.allclose(given, shared / _table(true, found, "true")):
            raise Wrong(shown + "You divided by the true object; the union has the pixels of either.")
        raise Wrong(shown + "Shared pixels, divided by the pixels that either of the two has.")
    return "One table holds all that matching needs."


def _table(true, found, what="iou"):
    """IoU of all pairs, or one of the counts it is made of."""
    rows = []
    for t in range(1, true.max() + 1):
        row = []
        for f in range(1, found.max() + 1):
            a, b = true == t, found == f
            shared, either, both = (a & b).sum(), (a | b).sum(), a.sum() + b.sum()
            row.append({"iou": shared / either, "shared": shared, "sum": both, "true": a.sum()}[what])
        rows.append(row)
    return np.array(rows, float)


@exercise
def quality(function):
    """A function of the IoUs of the pairs and the numbers of true and predicted objects that gives PQ."""
    for ious, true, predicted in (([1.0, 1.0], 2, 2), ([0.7, 0.9, 0.8], 7, 4), ([0.8, 0.6], 3, 5), ([], 3, 1)):
        right = sum(ious) / ((true + predicted) / 2)
        given = number(call(function, list(ious), true, predicted))
        if np.isclose(given, right):
            continue
        shown = f"for pairs with IoU {ious}, {true} true and {predicted} predicted objects it gives {given:.3g}, "
        shown += f"not {right:.3g}. "
        pairs = len(ious)
        if not pairs:
            raise Wrong(shown + "Without a pair nothing was found, and PQ is 0; a mean over no pairs is not defined.")
        if np.isclose(given, sum(ious) / pairs):
            raise Wrong(shown + "That is SQ, the mean over the pairs; what was missed or made up costs nothing in it.")
        if np.isclose(given, pairs / ((true + predicted) / 2)):
            raise Wrong(shown + "That is RQ; it counts a pair as 1, whatever its IoU.")
        if np.isclose(given, sum(ious) / (true + predicted - pairs)):
            raise Wrong(shown + "A missed object and a false one count one half each, as in F1.")
        if np.isclose(given, sum(ious) / true):
            raise Wrong(shown + "False objects cost nothing here; RQ divides by the mean of both counts.")
        if np.isclose(given, sum(ious) / predicted):
            raise Wrong(shown + "Missed objects cost nothing here; RQ divides by the mean of both counts.")
        if np.isclose(given, sum(ious) / (true + predicted)):
            raise Wrong(shown + "Divide by the mean of the two counts, not by their sum.")
        raise Wrong(shown + "SQ is the mean IoU of the pairs, RQ = pairs / (pairs + missed/2 + false/2).")
    return "Sum of the IoUs, divided by the mean of the two counts: PQ in one line."
