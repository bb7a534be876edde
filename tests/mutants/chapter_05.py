"""Notebook 05."""

import math

import numpy as np
from scipy import ndimage

from mutants import Exercise
from unet_helpers.teaching.checks import evaluation as check

NAN = float("nan")


def ratio(part, whole, empty=NAN):
    return part / whole if whole else empty


def dice(tp, fp, fn):
    return ratio(2 * tp, 2 * tp + fp + fn)


def dice_by_try(tp, fp, fn):
    try:
        return np.float64(tp / (tp + 0.5 * (fp + fn)))
    except ZeroDivisionError:
        return np.nan


def dice_from_iou(tp, fp, fn):
    overlap = ratio(tp, tp + fp + fn)
    return 2 * overlap / (1 + overlap)


def harmonic_mean(tp, fp, fn):
    if tp + fp + fn == 0:
        return NAN
    precision, recall = tp / max(tp + fp, 1), tp / max(tp + fn, 1)
    return 2 * precision * recall / (precision + recall)


def dice_without_else(tp, fp, fn):
    if tp + fp + fn:
        return dice(tp, fp, fn)


def foreground(accuracy, precision, recall):
    return (1 - accuracy) / (1 - recall + recall / precision - recall)


def foreground_in_steps(accuracy, precision, recall):
    found = recall
    missed = 1 - found
    too_much = found / precision - found
    return np.divide(1 - accuracy, missed + too_much)


def never(mask, index):
    return (mask != index).mean()


def never_by_count(mask, index):
    return 1 - np.count_nonzero(mask == index) / mask.size


def never_by_loop(mask, index):
    right = 0
    for value in mask.ravel():
        right += value != index
    return right / mask.size


def never_in_place(mask, index):
    mask[mask != index] = 0
    return never(mask, index)


def never_in_two_dimensions(mask, index):
    rows, columns = mask.shape
    return sum(mask[r, c] != index for r in range(rows) for c in range(columns)) / (rows * columns)


def iou(truth, prediction, empty):
    return ratio(np.sum((truth == 1) & (prediction == 1)), np.sum((truth == 1) | (prediction == 1)), empty)


def iou_of_sets(truth, prediction, empty):
    one, other = (set(np.flatnonzero(mask).tolist()) for mask in (truth, prediction))
    return len(one & other) / len(one | other) if one | other else empty


def iou_of_counts(truth, prediction, empty):
    both = np.count_nonzero(truth * prediction)
    union = np.count_nonzero(truth) + np.count_nonzero(prediction) - both
    return float(ratio(both, union, empty))


def iou_in_place(truth, prediction, empty):
    union = np.sum(truth | prediction)
    truth &= prediction
    return ratio(truth.sum(), union, empty)


def iou_of_uint8(truth, prediction, empty):
    both, union = ((mask).sum(dtype=truth.dtype) for mask in (truth & prediction, truth | prediction))
    return ratio(int(both), int(union), empty)


def iou_of_boxes(truth, prediction, empty):
    boxes = [np.zeros_like(truth) for _ in "tp"]
    for box, mask in zip(boxes, (truth, prediction), strict=True):
        for where in ndimage.find_objects(mask.astype(int)):
            box[where] = 1
    return iou(*boxes, empty)


SITUATIONS = {
    "liver outline": "Dice",
    "safety margin in mm": "HD95",
    "nothing overlooked": "objects found",
    "experts differ by 1 mm": "surface Dice",
}
WHY = {
    "liver outline": "overlap is what is asked",
    "safety margin in mm": "only a distance says it",
    "nothing overlooked": "count",
    "experts differ by 1 mm": "a border with a tolerance",
}

EXERCISES = [
    Exercise(
        "05.1",
        check.dice_from_counts,
        right={
            "if and else": dice,
            "try, and half of the sum": dice_by_try,
            "from the IoU": dice_from_iou,
            "the harmonic mean where something is shared": lambda *n: harmonic_mean(*n) if n[0] or not any(n) else 0,
        },
        wrong={
            "F2": (lambda tp, fp, fn: 5 * tp / (5 * tp + fp + 4 * fn) if tp + fp + fn else NAN, "Twice the shared"),
            "the smaller of precision and recall": (
                lambda tp, fp, fn: min(tp / max(tp + fp, 1), tp / max(tp + fn, 1)) if tp + fp + fn else NAN,
                "Twice the shared",
            ),
            "infinite for nothing": (lambda *n: dice(*n) if any(n) else math.inf, "0/0 has no value"),
            "text": (lambda *n: str(dice(*n)), "a number was expected"),
            "text for the empty masks": (lambda *n: dice(*n) if any(n) else "nan", "a number was expected, not 'nan'"),
            "IoU": (lambda tp, fp, fn: ratio(tp, tp + fp + fn), "You wrote the IoU"),
            "half": (lambda tp, fp, fn: ratio(tp, 2 * tp + fp + fn), "You have half of it"),
            "once below": (lambda tp, fp, fn: ratio(2 * tp, tp + fp + fn), "twice below the line"),
            "precision": (lambda tp, fp, fn: ratio(tp, tp + fp, 0), "That is the precision"),
            "recall": (lambda tp, fp, fn: ratio(tp, tp + fn, 0), "That is the recall"),
            "their arithmetic mean": (
                lambda tp, fp, fn: (ratio(tp, tp + fp, 0) + ratio(tp, tp + fn, 0)) / 2,
                "sizes of both masks added up",
            ),
            "harmonic mean without a thought": (harmonic_mean, "0, 2, 5 your code raised ZeroDivisionError"),
            "0/0 crashes": (lambda tp, fp, fn: 2 * tp / (2 * tp + fp + fn), "divides 0 by 0"),
            "0 for empty": (lambda tp, fp, fn: ratio(2 * tp, 2 * tp + fp + fn, 0), "0/0 has no value"),
            "1 for empty": (lambda tp, fp, fn: ratio(2 * tp, 2 * tp + fp + fn, 1), "0/0 has no value"),
            "three digits": (lambda *n: round(dice(*n), 3), "rounding is for print"),
            "infinite for empty": (lambda *n: dice(*n) if any(n) else math.inf, "0/0 has no value"),
            "smoothed": (lambda tp, fp, fn: (2 * tp + 1) / (2 * tp + fp + fn + 1), "sizes of both masks"),
            "nothing for empty": (dice_without_else, "for two empty masks it returns nothing"),
            "nan if nothing is predicted": (lambda *n: dice(*n) if n[0] + n[1] else NAN, "both masks are empty"),
            "nan if nothing is true": (lambda *n: dice(*n) if n[0] + n[2] else NAN, "both masks are empty"),
            "nan if nothing is shared": (lambda *n: dice(*n) if n[0] else NAN, "both masks are empty"),
            "whole numbers": (lambda tp, fp, fn: ratio(2 * tp // max(2 * tp + fp + fn, 1), any((tp, fp, fn))), "//"),
            "rounded": (lambda *n: round(dice(*n), 2), "rounding is for print"),
            "percent": (lambda *n: 100 * dice(*n), "sizes of both masks"),
            "FP counts twice": (lambda tp, fp, fn: ratio(2 * tp, 2 * tp + 2 * fp + fn), "sizes of both masks"),
            "the loss": (lambda *n: 1 - dice(*n), "sizes of both masks"),
            "the example": (lambda *n: 2 / 3, "5, 1, 3 it gives 0.6667"),
        },
    ),
    Exercise(
        "05.2",
        check.accuracy_of_nothing,
        right={"mean of unequal": never, "one minus the share": never_by_count, "a loop": never_by_loop},
        wrong={
            "the share of the object": (lambda mask, index: (mask == index).mean(), "share of the object"),
            "the background": (lambda mask, index: (mask == 0).mean(), "background only"),
            "its Dice": (lambda mask, index: 0.0, "That is its Dice"),
            "always right": (lambda mask, index: 1.0, "not of this class"),
            "the last class": (lambda mask, index: (mask != 2).mean(), "class that is asked for"),
            "the largest number": (lambda mask, index: (mask != mask.max()).mean(), "not of this class"),
            "what is below": (lambda mask, index: (mask < index).mean(), "above and below"),
            "rows times columns": (
                lambda mask, index: (mask != index).sum() / (mask.shape[-2] * mask.shape[-1]),
                "pixels of all slices",
            ),
            "a square": (lambda mask, index: (mask != index).sum() / mask.shape[-1] ** 2, "as a share of all pixels"),
            "the first row": (lambda mask, index: (mask[0] != index).mean(), "not only at the first"),
            "the last row": (lambda mask, index: (mask[-1] != index).mean(), "as a share of all pixels"),
            "a number for each column": (lambda mask, index: (mask != index).mean(axis=0), "mean over all axes"),
            "a count": (lambda mask, index: (mask != index).sum(), "as a share of all pixels"),
            "two dimensions only": (never_in_two_dimensions, "stack of three masks of 2×3"),
            "counted in uint8": (
                lambda mask, index: 1 - int((mask == index).sum(dtype=np.uint8)) / mask.size,
                "3×300, in uint8, with 420",
            ),
            "rounded": (lambda mask, index: round(never(mask, index), 2), "rounding is for print"),
            "percent": (lambda mask, index: 100 * never(mask, index), "not percent"),
            "in place": (never_in_place, "changes what it is given"),
            "sets": (lambda mask, index: 1 - 1 / len(set(mask.ravel().tolist())), "not of this class"),
            "only 1 and 2": (lambda mask, index: never(mask, index) if index else 1.0, "5 pixels of class 0"),
        },
    ),
    Exercise(
        "05.3",
        check.share,
        right={
            "one formula": foreground,
            "in steps": foreground_in_steps,
            "from counts": lambda a, p, r: (1 - a) * p / (p + r - 2 * p * r),
        },
        wrong={
            "the background": (lambda a, p, r: 1 - foreground(a, p, r), "share of the background"),
            "what was predicted": (lambda a, p, r: foreground(a, p, r) * r / p, "share predicted as foreground"),
            "the wrong pixels": (lambda a, p, r: 1 - a, "wrong per true pixel"),
            "exchanged": (lambda a, p, r: foreground(a, r, p), "precision and recall exchanged"),
            "missed only": (lambda a, p, r: ratio(1 - a, 1 - r), "false positives are wrong pixels too"),
            "too much only": (lambda a, p, r: ratio(1 - a, r * (1 - p) / p), "missed pixels are wrong too"),
            "1 − p of the true ones": (lambda a, p, r: (1 - a) / ((1 - r) + r * (1 - p)), "of what was *predicted*"),
            "right pixels": (lambda a, p, r: a / ((1 - r) + r * (1 - p) / p), "1 − accuracy"),
            "turned over": (lambda a, p, r: 1 / foreground(a, p, r), "divided by wrong per true pixel"),
            "multiplied": (lambda a, p, r: (1 - a) * ((1 - r) + r * (1 - p) / p), "divided by"),
            "the F1": (lambda a, p, r: 2 * p * r / (p + r), "divided by"),
            "a quarter": (lambda a, p, r: 0.25, "It gives the same in all cases"),
            "rounded": (lambda *n: round(foreground(*n), 2), "rounding is for print"),
            "percent": (lambda *n: 100 * foreground(*n), "not percent"),
            "text": (lambda *n: f"{foreground(*n):.3f}", "a number was expected"),
        },
    ),
    Exercise(
        "05.4",
        check.iou_with_policy,
        right={"sums": iou, "sets": iou_of_sets, "counts": iou_of_counts},
        wrong={
            "0 counts as no policy": (lambda t, p, empty: iou(t, p, empty or NAN), "Return what the caller chose"),
            "the policy without its sign": (lambda t, p, empty: iou(t, p, abs(empty)), "Return what the caller chose"),
            "empty if nothing is predicted": (lambda t, p, e: iou(t, p, e) if p.any() else e, "*two* empty masks"),
            "empty if nothing is true": (lambda t, p, e: iou(t, p, e) if t.any() else e, "*two* empty masks"),
            "empty if nothing is shared and both are as large": (
                lambda t, p, e: iou(t, p, e) if (t & p).any() or t.sum() != p.sum() else e,
                "*two* empty masks",
            ),
            "empty if nothing is shared": (lambda t, p, e: iou(t, p, e) if (t & p).any() else e, "*two* empty masks"),
            "nan if one is empty": (lambda t, p, e: iou(t, p, e) if t.any() and p.any() else NAN, "*both* are empty"),
            "Dice": (lambda t, p, e: ratio(2 * (t & p).sum(), t.sum() + p.sum(), e), "That is Dice"),
            "recall": (lambda t, p, e: ratio((t & p).sum(), t.sum(), e if not p.any() else 0), "truth that was found"),
            "precision": (lambda t, p, e: ratio((t & p).sum(), p.sum(), 0), "share of the prediction"),
            "accuracy": (lambda t, p, e: (t == p).mean(), "That is the accuracy"),
            "equal pixels by the union": (lambda t, p, e: ratio((t == p).sum(), (t | p).sum(), e), "IoU is the shared"),
            "by all pixels": (lambda t, p, e: (t & p).mean() if (t | p).any() else e, "divided by the union"),
            "the larger mask": (lambda t, p, e: ratio((t & p).sum(), max(t.sum(), p.sum()), e), "by the union"),
            "no policy": (lambda t, p, e: iou(t, p, 1.0), "Return what the caller chose"),
            "nan is the policy": (lambda t, p, e: iou(t, p, NAN), "Return what the caller chose"),
            "0 is no policy": (lambda t, p, e: iou(t, p, e or 1.0), "Return what the caller chose"),
            "0 or 1": (lambda t, p, e: iou(t, p, min(max(e, 0), 1)), "Return what the caller chose"),
            "the first row": (lambda t, p, e: iou(t[0], p[0], e), "not only at one"),
            "the last row": (lambda t, p, e: iou(t[-1], p[-1], e), "not only at one"),
            "a number for each column": (lambda t, p, e: (t & p).sum(0) / np.maximum((t | p).sum(0), 1), "all axes"),
            "smoothed": (lambda t, p, e: ((t & p).sum() + 1) / ((t | p).sum() + 1), "Nothing may be added"),
            "smoothed a little": (lambda t, p, e: ((t & p).sum() + 1e-3) / ((t | p).sum() + 1e-3), "shared pixels"),
            "turned": (lambda t, p, e: iou(t[:, ::-1], p, e), "divided by the union"),
            "boxes around them": (iou_of_boxes, "divided by the union"),
            "counted in uint8": (iou_of_uint8, "two large masks of uint8"),
            "in place": (iou_in_place, "changes what it is given"),
            "rounded": (lambda t, p, e: round(float(iou(t, p, e)), 2), "rounding is for print"),
            "text": (lambda t, p, e: str(iou(t, p, e)), "a number was expected"),
            "the whole union": (lambda t, p, e: ratio((t & p).sum(), t.sum() + p.sum(), e), "divided by the union"),
        },
    ),
    Exercise(
        "05.5",
        check.metric_for,
        right={
            "the four": SITUATIONS,
            "in another order and in small letters": {k: v.lower() for k, v in reversed(SITUATIONS.items())},
        },
        wrong={
            f"{word} for {task}": (
                SITUATIONS | {task: word},
                "accuracy is high" if word == "accuracy" else WHY[task],
            )
            for task in SITUATIONS
            for word in check.METRICS
            if word != SITUATIONS[task]
        }
        | {
            "three open": (SITUATIONS | {"liver outline": ...}, "1 of 4 are open: liver outline"),
            "no metric": (SITUATIONS | {"nothing overlooked": "IOU"}, "is none of"),
            "two metrics": (SITUATIONS | {"liver outline": ("Dice", "HD95")}, "is none of"),
            "a set": (set(SITUATIONS.values()), "keep the dictionary"),
            "the words alone": (list(SITUATIONS.values()), "keep the dictionary"),
            "one is missing": ({k: v for k, v in SITUATIONS.items() if k != "liver outline"}, "is missing"),
            "keys for values": ({v: k for k, v in SITUATIONS.items()}, "keep the keys"),
            "Dice everywhere": (dict.fromkeys(SITUATIONS, "Dice"), "only a distance says it"),
        },
    ),
]
