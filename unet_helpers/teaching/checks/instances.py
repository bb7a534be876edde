"""Self-checks of notebook 11, instances."""

import numpy as np

from ._numbers import compare, first_hint
from ._verdict import Wrong, call, exercise


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
    all_four = "Compare each pixel with its neighbors above, below, left and right."
    hints = {
        all_four: np.zeros(labels.shape),
        "One side of each border is missing: both objects have pixels of it, so compare both ways.": [
            *(_border(labels, steps) for steps in one_way),
            *(_border(labels, than=than) for than in (np.less, np.greater)),
        ],
        "The other object touches its corner only; above, below, left and right count.": _border(labels, _EIGHT),
        "The other object is at the opposite edge; np.roll brings it round.": _border(labels, wraps=True),
        "Compare with the neighbors above and below as well.": _border(labels, ((0, 1), (0, -1))),
        "Compare with the neighbors to the left and right as well.": _border(labels, ((1, 0), (-1, 0))),
        "Border and no border are exchanged.": 1 - _border(labels),
        "Only background is beside it: the rim of an object is no border.": _border(labels, background=True),
    }
    none = "None of its four neighbors belongs to another object."
    return first_hint(given, hints, none if given[at] and not _border(labels)[at] else all_four)


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
        (
            np.repeat(np.uint8([1, 2, 3]), 400).reshape(24, 50),  # more pixels than a uint8 can count
            np.repeat(np.arange(120, 0, -1, np.uint8), 10).reshape(24, 50),
        ),
    )
    compare(
        function,
        _table,
        {
            f"in scene {k}, with {true.max()} true and {found.max()} predicted objects,": (true, found)
            for k, (true, found) in enumerate(scenes, 1)
        },
        _wrong_tables,
        "Shared pixels, divided by the pixels that either of the two has.",
        several="a row for each true object, a column for each predicted one, and none for 0, the background",
    )
    return "One table holds all that matching needs."


def _wrong_tables(true, found):
    right, shared, of_true, of_found = (_table(true, found, what) for what in ("iou", "shared", "true", "found"))
    divided = "You divided by {}. The union has the pixels of either.".format
    return {
        "These are shared pixels; divide by those that either has.": shared,
        "The shared pixels are counted twice below the line.": shared / (of_true + of_found),
        "That is Dice; IoU divides by the union.": 2 * shared / (of_true + of_found),
        divided("the true object"): shared / of_true,
        divided("the predicted object"): shared / of_found,
        divided("the smaller of the two"): shared / np.minimum(of_true, of_found),
        divided("all pixels"): shared / true.size,
        divided("the larger of the two"): shared / np.maximum(of_true, of_found),
        "Whether it is a match comes later; give the IoU itself.": right >= 0.5,
        "Give all pairs of a row, not the best one only.": right
        * (right == right.max(axis=1, keepdims=True, initial=0)),
        "Rows and columns are exchanged: a row for each true object.": right.T,
    }


def _table(true, found, what="iou"):
    """IoU of all pairs, or one of the counts it is made of."""
    rows = np.zeros((true.max(), found.max()))
    for t in range(1, len(rows) + 1):
        for f in range(1, rows.shape[1] + 1):
            a, b = true == t, found == f
            counts = {"shared": (a & b).sum(), "true": a.sum(), "found": b.sum()}
            rows[t - 1, f - 1] = counts["shared"] / (a | b).sum() if what == "iou" else counts[what]
    return rows


@exercise
def quality(function):
    """A function of the IoUs of the pairs and the numbers of true and predicted objects that gives PQ."""
    cases = (
        ([0.7, 0.95, 0.6, 0.72], 9, 6), ([1.0, 1.0], 2, 2), ([0.8, 0.6], 3, 5), ([0.55], 1, 6),
        ([0.9, 0.51, 0.62, 0.77, 0.83], 5, 6), ([], 3, 1), ([], 0, 2),
    )  # fmt: skip
    compare(
        function,
        lambda ious, true, predicted: sum(ious) / ((true + predicted) / 2),
        {f"for pairs with IoU {case[0]}, {case[1]} true and {case[2]} predicted objects": case for case in cases},
        _wrong_qualities,
        "SQ is the mean IoU of the pairs, RQ = pairs / (pairs + missed/2 + false/2).",
    )
    return "Sum of the IoUs, divided by the mean of the two counts: PQ in one line."


def _wrong_qualities(ious, true, predicted):
    if not ious:
        return {
            "Without a pair nothing was found, and PQ is 0; a mean over no pairs is not defined.": lambda given: True
        }
    total, pairs, half = sum(ious), len(ious), (true + predicted) / 2
    sq, rq = total / pairs, pairs / half
    return {
        "That is SQ, the mean over the pairs; what was missed or made up costs nothing in it.": sq,
        "That is RQ; it counts a pair as 1, whatever its IoU.": rq,
        "A missed object and a false one count one half each, as in F1.": [
            total / (true + predicted - pairs),
            total / (pairs + true + predicted),
        ],
        "Divide by the mean of the two counts, not by their sum.": total / (true + predicted),
        "False objects cost nothing here; RQ divides by the mean of both counts.": total / true,
        "Missed objects cost nothing here; RQ divides by the mean of both counts.": total / predicted,
        "RQ divides by the mean of both counts, not by the larger.": total / max(true, predicted),
        "RQ divides by the mean of both counts, not by the smaller.": total / min(true, predicted),
        "RQ divides by the plain mean of both counts.": total / np.sqrt(true * predicted),
        "SQ is the mean of the pairs, not their median.": np.median(ious) * rq,
        "The IoU of every pair counts, as their mean.": [one * rq for one in (ious[0], ious[-1], min(ious), max(ious))],
        "That is a sum over the pairs; divide by the mean of both counts.": total,
        "PQ is the product of SQ and RQ, not their sum.": sq + rq,
        "PQ is the product of SQ and RQ, not their mean.": (sq + rq) / 2,
        "Something is rounded: half of an odd number is no whole number.": [
            total / ((true + predicted) // 2),
            total / -(-(true + predicted) // 2),
        ],
    }
