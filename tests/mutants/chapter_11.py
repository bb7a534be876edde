"""Notebook 11."""

import math
from statistics import median

import numpy as np
from scipy import ndimage

from mutants import Exercise
from unet_helpers.evaluation import border_targets, iou_table
from unet_helpers.teaching.checks import instances as check


def pairs(divide, background=False):
    def answer(true, found):
        first = 0 if background else 1
        rows = [[(true == t, found == f) for f in range(first, found.max() + 1)] for t in range(first, true.max() + 1)]
        return [[(a & b).sum() / divide(a, b) for a, b in row] for row in rows]

    return answer


def union(a, b):
    return (a | b).sum()


def loops(true, found):
    ious = np.zeros((true.max(), found.max()))
    for t, f in np.ndindex(ious.shape):
        a, b = true == t + 1, found == f + 1
        ious[t, f] = (a & b).sum() / union(a, b)
    return ious


def by_code(base, dtype=int):
    """Counts the pairs of numbers at once, as ``true * base + found``."""

    def answer(true, found):
        columns = base(found) if callable(base) else base
        code = true.astype(dtype) * dtype(columns) + found.astype(dtype)
        rows, shape = int(true.max()) + 1, (int(true.max()), int(found.max()))
        shared = np.bincount(code.ravel(), minlength=9999)
        shared = [[shared[t * columns + f] for f in range(1, shape[1] + 1)] for t in range(1, rows)]
        shared = np.array(shared, float).reshape(shape)
        areas = [np.bincount(one.ravel(), minlength=n + 1)[1:] for one, n in zip((true, found), shape, strict=True)]
        return shared / (areas[0][:, None] + areas[1] - shared)

    return answer


def of_table(turn):
    return lambda true, found: turn(loops(true, found))


def erases(true, found):
    result = loops(true, found)
    true[true > 0] = 1
    return result


def only_the_best(ious):
    return ious * (ious == ious.max(axis=1, keepdims=True)) if ious.size else ious


def pq(ious, true, predicted):
    return sum(ious) / ((true + predicted) / 2)


def sq_times_rq(ious, true, predicted):
    if not ious:
        return 0
    missed, false = true - len(ious), predicted - len(ious)
    return np.mean(ious) * len(ious) / (len(ious) + 0.5 * missed + 0.5 * false)


def by_loop(ious, true, predicted):
    total = 0.0
    for iou in ious:
        total += 2 * iou / (true + predicted)
    return total


def of_one(choose):
    return lambda ious, true, predicted: pq([choose(ious)] * len(ious), true, predicted) if ious else 0.0


def sorts(ious, true, predicted):
    ious.sort()
    return pq(ious, true, predicted)


def pops(ious, true, predicted):
    total, count = 0.0, (true + predicted) / 2
    while ious:
        total += ious.pop()
    return total / count


def shifted(*steps, background=False, wraps=False, than=np.not_equal):
    def answer(labels):
        found = np.zeros(labels.shape, bool)
        padded = np.pad(labels, 0 if wraps else 1)
        for row, column in steps:
            other = np.roll(padded, (-row, -column), (0, 1))
            other = other if wraps else other[1:-1, 1:-1]
            touches = than(labels, other)
            found |= touches if background else touches & (labels > 0) & (other > 0)
        return found

    return answer


def pixel_by_pixel(labels):
    height, width = labels.shape
    found = [[0] * width for _ in range(height)]
    for row, column in np.argwhere(labels):
        for up, right in FOUR:
            r, c = row + up, column + right
            if 0 <= r < height and 0 <= c < width and labels[r, c] not in (0, labels[row, column]):
                found[row][column] = 1
    return found


def in_place(labels):
    found = shifted(*FOUR)(labels)
    labels[...] = found
    return labels


def while_it_changes(labels):
    """Marks pixels in the array that it still compares with."""
    found = labels.copy()
    for row, column in np.argwhere(labels):
        around = (
            labels[max(row - 1, 0) : row + 2, column].tolist() + labels[row, max(column - 1, 0) : column + 2].tolist()
        )
        found[row, column] = any(one not in (0, labels[row, column]) for one in around)
        labels[row, column] = found[row, column] or labels[row, column]
    return found


def grown(labels):
    footprint = ndimage.generate_binary_structure(2, 1)
    largest = ndimage.maximum_filter(labels, footprint=footprint, mode="constant")
    smallest = ndimage.minimum_filter(np.where(labels, labels, 999), footprint=footprint, mode="constant", cval=999)
    return ((labels > 0) & (largest != smallest)).astype(np.uint8)


FOUR = ((0, 1), (0, -1), (1, 0), (-1, 0))
EIGHT = (*FOUR, (1, 1), (1, -1), (-1, 1), (-1, -1))

EXERCISES = [
    Exercise(
        "11.1",
        check.table,
        right={
            "two loops": loops,
            "lists": pairs(union),
            "all pixels at once": by_code(lambda found: int(found.max()) + 1),
            "the package's": iou_table,
        },
        wrong={
            "counted in uint8": (
                lambda true, found: np.array(
                    [
                        [
                            np.sum((true == t) & (found == f), dtype=np.uint8)
                            / np.sum((true == t) | (found == f), dtype=np.uint8)
                            for f in range(1, found.max() + 1)
                        ]
                        for t in range(1, true.max() + 1)
                    ]
                ).reshape(true.max(), found.max()),
                "3 true and 120 predicted",
            ),
            "transposed": (lambda true, found: iou_table(found, true), "exchanged"),
            "transposed at the end": (of_table(np.transpose), "exchanged"),
            "with background": (pairs(union, background=True), "none for 0, the background"),
            "base 10": (by_code(10), "Shared pixels, divided"),
            "base 100": (by_code(100), "Shared pixels, divided"),
            "codes in uint8": (by_code(lambda found: int(found.max()) + 1, np.uint8), "Shared pixels, divided"),
            "one row": (lambda true, found: np.zeros(3), "gives shape (3,)"),
            "flat": (of_table(np.ravel), "a row for each true object"),
            "best of each row": (of_table(lambda ious: ious.max(axis=1, initial=0)), "a row for each true object"),
            "the others of a row 0": (of_table(only_the_best), "not the best one only"),
            "shared pixels": (pairs(lambda a, b: 1), "shared pixels; divide"),
            "shared counted twice": (pairs(lambda a, b: a.sum() + b.sum()), "counted twice"),
            "Dice": (pairs(lambda a, b: (a.sum() + b.sum()) / 2), "That is Dice"),
            "by the true object": (pairs(lambda a, b: a.sum()), "divided by the true"),
            "by the predicted object": (pairs(lambda a, b: b.sum()), "divided by the predicted"),
            "by the smaller": (pairs(lambda a, b: min(a.sum(), b.sum())), "by the smaller"),
            "by the larger": (pairs(lambda a, b: max(a.sum(), b.sum())), "by the larger"),
            "by all pixels": (pairs(lambda a, b: a.size), "divided by all pixels"),
            "smoothed": (pairs(lambda a, b: (a | b).sum() + 1), "Shared pixels, divided"),
            "1 − IoU": (of_table(lambda ious: 1 - ious), "Shared pixels, divided"),
            "one digit": (of_table(lambda ious: ious.round(1)), "It is rounded"),
            "two digits": (of_table(lambda ious: ious.round(2)), "It is rounded"),
            "matches": (of_table(lambda ious: (ious >= 0.5).astype(int)), "a match comes later"),
            "matches as truth values": (of_table(lambda ious: ious >= 0.5), "numbers were expected"),
            "cut at 0.5": (of_table(lambda ious: np.where(ious < 0.5, 0, ious)), "Shared pixels, divided"),
            "a third": (of_table(lambda ious: ious / 3), "Shared pixels, divided"),
            "as text": (of_table(lambda ious: ious.astype(str)), "numbers were expected"),
            "a square table": (of_table(lambda ious: ious[: ious.shape[1], : len(ious)]), "it gives shape"),
            "at least one object": (
                lambda true, found: np.zeros((true.max(), 1)) if not found.any() else loops(true, found),
                "2 true and 0 predicted objects, it gives shape (2, 1)",
            ),
            "in place": (erases, "changes what it is given"),
            "no such thing": (lambda true, found: true.nothing, "AttributeError"),
        },
    ),
    Exercise(
        "11.2",
        check.quality,
        right={"in one line": pq, "SQ times RQ": sq_times_rq, "by loop": by_loop},
        wrong={
            "the larger IoUs": (lambda i, t, p: sum(one for one in i if one > 0.55) / ((t + p) / 2), "SQ is the mean"),
            "halves cut off": (
                lambda i, t, p: sum(i) / (len(i) + (t - len(i)) // 2 + (p - len(i)) // 2),
                "SQ is the mean",
            ),
            "SQ": (lambda ious, true, predicted: sum(ious) / len(ious), "That is SQ"),
            "RQ": (lambda ious, true, predicted: len(ious) / ((true + predicted) / 2), "That is RQ"),
            "missed and false in full": (lambda i, t, p: sum(i) / (t + p - len(i)), "one half each"),
            "counts beside the pairs": (lambda i, t, p: sum(i) / (len(i) + t + p), "one half each"),
            "by the true": (lambda ious, true, predicted: sum(ious) / (true or 1), "False objects cost nothing"),
            "by the predicted": (lambda ious, true, predicted: sum(ious) / predicted, "Missed objects cost nothing"),
            "by the larger": (
                lambda ious, true, predicted: sum(ious) / max(true, predicted),
                "divides by the mean of both counts",
            ),
            "by the sum": (lambda ious, true, predicted: sum(ious) / (true + predicted), "not by their sum"),
            "by the geometric mean": (lambda i, t, p: sum(i) / math.sqrt(t * p) if i else 0.0, "plain mean"),
            "only the sum": (lambda ious, true, predicted: float(sum(ious)), "a sum over the pairs"),
            "median": (of_one(median), "not their median"),
            "the first pair": (of_one(lambda ious: ious[0]), "every pair counts"),
            "the last pair": (of_one(lambda ious: ious[-1]), "every pair counts"),
            "the best pair": (of_one(max), "every pair counts"),
            "the worst pair": (of_one(min), "every pair counts"),
            "SQ plus RQ": (
                lambda i, t, p: np.mean(i) + len(i) / ((t + p) / 2) if i else 0.0,
                "the product of SQ and RQ, not their sum",
            ),
            "mean of SQ and RQ": (
                lambda i, t, p: (np.mean(i) + len(i) / ((t + p) / 2)) / 2 if i else 0.0,
                "the product of SQ and RQ, not their mean",
            ),
            "whole mean of the counts": (lambda i, t, p: sum(i) / ((t + p) // 2), "half of an odd number"),
            "rounded up": (lambda i, t, p: sum(i) / math.ceil((t + p) / 2), "half of an odd number"),
            "two digits": (lambda ious, true, predicted: round(pq(ious, true, predicted), 2), "rounded"),
            "1 without pairs": (lambda i, t, p: pq(i, t, p) if i else 1.0, "Without a pair"),
            "nan without pairs": (lambda i, t, p: pq(i, t, p) if i else float("nan"), "Without a pair"),
            "a mean of no pairs": (
                lambda i, t, p: float(np.array(i).mean() * len(i) / ((t + p) / 2)),
                "Without a pair",
            ),
            "fails without pairs": (lambda i, t, p: sum(i) / len(i) * len(i) / ((t + p) / 2), "ZeroDivisionError"),
            "nothing without pairs": (lambda i, t, p: pq(i, t, p) if i else None, "returns nothing"),
            "nothing without true objects": (lambda i, t, p: pq(i, t, p) if t else 1.0, "Without a pair"),
            "sorts in place": (sorts, "changes what it is given"),
            "empties the list": (pops, "changes what it is given"),
            "a constant": (lambda ious, true, predicted: 0.123, "SQ is the mean"),
        },
    ),
    Exercise(
        "11.3",
        check.border,
        right={
            "shifted copies": shifted(*FOUR),
            "pixel by pixel": pixel_by_pixel,
            "largest and smallest neighbor": grown,
            "the package's": lambda labels: border_targets(labels, width=1) == 2,
        },
        wrong={
            "background as well": (shifted(*FOUR, background=True), "It is background"),
            "the rim": (
                lambda labels: shifted(*FOUR, background=True)(labels) & (labels > 0),
                "the rim of an object",
            ),
            "right and below": (shifted((0, 1), (1, 0)), "One side"),
            "left and above": (shifted((0, -1), (-1, 0)), "One side"),
            "right and above": (shifted((0, 1), (-1, 0)), "One side"),
            "the larger number only": (shifted(*FOUR, than=np.greater), "One side"),
            "the smaller number only": (shifted(*FOUR, than=np.less), "One side"),
            "left and right": (shifted((0, 1), (0, -1)), "above, below"),
            "above and below": (shifted((1, 0), (-1, 0)), "left and right"),
            "eight neighbors": (shifted(*EIGHT), "its corner only"),
            "np.roll": (shifted(*FOUR, wraps=True), "opposite edge"),
            "two pixels wide": (lambda labels: border_targets(labels, width=2) == 2, "None of its four neighbors"),
            "not the border": (lambda labels: ~shifted(*FOUR)(labels), "It is background"),
            "not the border, in objects": (lambda labels: (labels > 0) & ~shifted(*FOUR)(labels), "None of its four"),
            "numbers of the objects": (lambda labels: shifted(*FOUR)(labels) * labels, "a border is 1"),
            "how many neighbors": (
                lambda labels: sum(shifted(step)(labels).astype(int) for step in FOUR),
                "a border is 1",
            ),
            "255": (lambda labels: shifted(*FOUR)(labels) * 255, "a border is 1"),
            "as text": (lambda labels: shifted(*FOUR)(labels).astype(int).astype(str), "give the number"),
            "without the frame": (lambda labels: np.pad(shifted(*FOUR)(labels)[1:-1, 1:-1], 1), "Compare each pixel"),
            "one row less": (lambda labels: labels[1:], "one value for each pixel"),
            "all objects": (lambda labels: labels > 0, "the rim of an object"),
            "nothing": (lambda labels: np.zeros(labels.shape, int), "Compare each pixel"),
            "in place": (in_place, "changes what it is given"),
            "while it changes": (while_it_changes, "changes what it is given"),
        },
    ),
]
