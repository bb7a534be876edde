"""Notebook 07."""

import math

import numpy as np

from mutants import Answers, Exercise
from unet_helpers.teaching.checks import losses_and_imbalance as check


def soft(y, p, above=1, below=1, twice=2):
    return 1 - (twice * (y * p).sum() + above) / (y.sum() + p.sum() + below)


def soft_of_vectors(y, p):
    y, p = np.ravel(y).astype(float), np.ravel(p)
    return np.float32(1 - (2 * y @ p + 1) / (sum(y) + sum(p) + 1))


def soft_of_counts(y, p):
    tp, fp, fn = np.sum(y * p), np.sum((1.0 - y) * p), np.sum(y * (1 - p))
    return float((fp + fn) / (2 * tp + fp + fn + 1))


def soft_of_bool(y, p):
    inside = p[y == 1]
    return 1 - (2 * inside.sum() + 1) / (inside.size + p.sum() + 1)


def soft_per_picture(y, p):
    pictures = range(len(y)) if y.ndim > 2 else [slice(None)]
    return np.mean([soft(y[k], p[k]) for k in pictures])


def soft_in_place(y, p):
    size = p.sum()
    p *= y
    return 1 - (2 * p.sum() + 1) / (y.sum() + size + 1)


def soft_in_uint8(y, p):
    return 1 - (2 * (y * p).sum() + 1) / (float(y.sum(dtype=y.dtype)) + p.sum() + 1)


RIGHT_PIXELS = Answers(([1, 1, 0, 0], [1, 1, 1, 0], "A"))


def pixels(truth, found, wrong="A"):
    return Answers((truth, found, wrong))


EXERCISES = [
    Exercise(
        "07.1",
        check.soft_dice_loss,
        right={
            "sums": soft,
            "vectors, in float32": soft_of_vectors,
            "counts": soft_of_counts,
            "an index of truth": soft_of_bool,
        },
        wrong={
            "in 16 bits": (lambda y, p: float(np.float16(soft(y, p))), "Above the line"),
            "probabilities from 0.01 to 0.99": (lambda y, p: soft(y, np.clip(p, 0.01, 0.99)), "Above the line"),
            "the overlap": (lambda y, p: 1 - soft(y, p), "1 minus it"),
            "its sign": (lambda y, p: -soft(y, p), "Above the line"),
            "no smoothing": (lambda y, p: soft(y, p, 0, 0), "missing above and below"),
            "smoothed below only": (lambda y, p: soft(y, p, 0, 1), "below the line only"),
            "smoothed above only": (lambda y, p: soft(y, p, 1, 0), "above the line only"),
            "smoothed by nearly nothing": (lambda y, p: soft(y, p, 1e-7, 1e-7), "missing above and below"),
            "smoothed by one half": (lambda y, p: soft(y, p, 0.5, 0.5), "Above the line"),
            "smoothed by 2 above": (lambda y, p: soft(y, p, 2, 1), "Above the line"),
            "once": (lambda y, p: soft(y, p, twice=1), "counts twice"),
            "IoU": (lambda y, p: 1 - ((y * p).sum() + 1) / (y.sum() + p.sum() - (y * p).sum() + 1), "Above the line"),
            "cut": (lambda y, p: soft(y, p >= 0.5), "cut the probabilities"),
            "cut from above 0.5": (lambda y, p: soft(y, (p > 0.5).astype(float)), "cut the probabilities"),
            "squares": (
                lambda y, p: 1 - (2 * (y * p).sum() + 1) / ((y**2).sum() + (p**2).sum() + 1),
                "not their squares",
            ),
            "means": (lambda y, p: 1 - (2 * (y * p).mean() + 1) / (y.mean() + p.mean() + 1), "not means"),
            "per picture": (soft_per_picture, "batch of three pictures"),
            "per column": (
                lambda y, p: np.mean([soft(*pair) for pair in zip(y.T, p.T, strict=True)]),
                "picture by picture",
            ),
            "the first picture": (lambda y, p: soft(y[0], p[0]) if y.ndim > 2 else soft(y, p), "not only the first"),
            "the last picture": (lambda y, p: soft(y[-1], p[-1]) if y.ndim > 2 else soft(y, p), "batch of three"),
            "of the background": (lambda y, p: soft(1.0 - y, 1 - p), "Above the line"),
            "one pixel each": (lambda y, p: y * p, "one number"),
            "a constant": (lambda y, p: 0.35, "Above the line stand"),
            "one minus overlap": (lambda y, p: 1 - 2 * (y * p).sum(), "Above the line"),
            "absolute error": (lambda y, p: np.abs(y - p).mean(), "Above the line"),
            "empty costs": (lambda y, p: soft(y, p) + 0.1 * (y.sum() == 0), "empty picture"),
            "empty is nan": (lambda y, p: soft(y, p) if y.any() else math.nan, "empty picture"),
            "empty is always free": (lambda y, p: soft(y, p) if y.any() else 0.0, "one false pixel"),
            "counted in uint8": (soft_in_uint8, "400 pixels"),
            "in place": (soft_in_place, "changes what it is given"),
            "rounded": (lambda y, p: round(float(soft(y, p)), 2), "rounding is for print"),
            "text": (lambda y, p: str(soft(y, p)), "a number was expected"),
            "an error": (lambda y, p: 1 / 0, "ZeroDivisionError"),
            "nothing but for one vector": (lambda y, p: soft(y, p) if y.ndim == 1 else None, "it returns nothing"),
        },
    ),
    Exercise(
        "07.2",
        check.tversky_weights,
        right={
            "a pair": (0.1, 0.9),
            "a list of fractions": [1 / 10, 9 / 10],
            "an array": np.array([0.1, 0.9]),
            "worked out": (1 - 0.9, 0.9),
        },
        wrong={
            "texts": (["0.1", "0.9"], "a number was expected, not '0.1'"),
            "one text": ("0.1, 0.9", "in this order"),
            "exchanged": ([0.9, 0.1], "exchanged"),
            "equal": ([0.5, 0.5], "Dice loss"),
            "alpha larger": ([0.7, 0.3], "make beta"),
            "another ratio": ([0.3, 0.7], "costs 2.333 times"),
            "a quarter": ([0.25, 0.75], "costs 3 times"),
            "that of the page above": ([0.2, 0.8], "costs 4 times"),
            "five times": ([1 / 6, 5 / 6], "costs 5 times"),
            "sum of ten": ([1, 9], "sum to 10"),
            "percent": ([10, 90], "sum to 100"),
            "free": ([0, 1], "free"),
            "below 0": ([-0.1, 1.1], "reward errors"),
            "nan": ([math.nan, math.nan], "a weight is a number"),
            "infinite": ([0.1, math.inf], "a weight is a number"),
            "a set": ({0.1, 0.9}, "in this order"),
            "a dictionary": ({"alpha": 0.1, "beta": 0.9}, "in this order"),
            "one number": (0.1, "in this order"),
            "three numbers": ([0.1, 0.9, 1.0], "in this order"),
            "a pair of lists": ([[0.1], [0.9]], "one number was expected"),
            "truth values": ([False, True], "a number was expected"),
        },
    ),
    Exercise(
        "07.3",
        check.four_pixels,
        right={
            "one too many": RIGHT_PIXELS,
            "one too few, in a square": pixels([[1, 1], [0, 0]], [[1, 0], [0, 0]]),
            "arrays of bool, a small letter": pixels(np.array([True, False, False, False]), np.ones(4, bool), "a"),
            "more of the one kind": pixels((1, 0, 0, 0), (0, 1, 1, 0)),
            "floats and spaces": pixels([1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], " A "),
        },
        wrong={
            "nothing": (pixels(..., ..., ...), "Not yet"),
            "no letter": (pixels([1, 1, 0, 0], [1, 1, 1, 0], ...), "Not yet"),
            "B, with one too many": (pixels([1, 1, 0, 0], [1, 1, 1, 0], "B"), "false positive, which should weigh 0.2"),
            "B, with one too few": (pixels([1, 1, 0, 0], [1, 0, 0, 0], "b"), "false negative, which should weigh 0.8"),
            "both": (pixels([1, 1, 0, 0], [1, 0, 0, 0], "both"), "now name the wrong one"),
            "a list of letters": (pixels([1, 1, 0, 0], [1, 0, 0, 0], ["A"]), "now name the wrong one"),
            "the function": (pixels([1, 1, 0, 0], [1, 0, 0, 0], check.suspect_a), "now name the wrong one"),
            "no error": (pixels([1, 1, 0, 0], [1, 1, 0, 0]), "cannot fail"),
            "nothing there and nothing found": (pixels([0] * 4, [0] * 4), "cannot fail"),
            "one of each": (pixels([1, 1, 0, 0], [1, 0, 1, 0]), "change places unseen"),
            "two of each": (pixels([1, 1, 0, 0], [0, 0, 1, 1]), "change places unseen"),
            "three pixels": (pixels([1, 1, 0], [1, 0, 1]), "3 pixels; take four"),
            "five found": (pixels([1, 1, 0, 0], [1, 0, 1, 0, 0]), "found has 5 pixels"),
            "one pixel": (pixels([1], [0]), "1 pixel;"),
            "probabilities": (pixels([1, 1, 0, 0], [0.5, 1, 0, 0]), "0 and 1 only"),
            "255": (pixels([255, 255, 0, 0], [255, 0, 0, 0]), "0 and 1 only"),
            "nan": (pixels([1, 1, 0, 0], [math.nan, 1, 0, 0]), "0 and 1 only"),
            "texts": (pixels(list("1100"), list("1110")), "0 and 1 only"),
            "one text": (pixels("1100", "1110"), "write four pixels in order"),
            "a set": (pixels({1, 0}, [1, 0, 0, 0]), "write four pixels in order"),
        },
    ),
    Exercise(
        "07.4",
        check.threshold_of_weight,
        right={
            "solved": lambda w: 1 / (1 + w),
            "from the odds": lambda w: (1 / w) / (1 + 1 / w),
            "a NumPy number": lambda w: np.float32(1) / np.float32(w + 1),
        },
        wrong={
            "weights up to 100": (lambda w: 1 / (1 + min(w, 100)), "for weight 150.75"),
            "no weight of the background": (lambda w: 1 / w, "has a weight too"),
            "the other side": (lambda w: w / (1 + w), "other side"),
            "half of it": (lambda w: 0.5 / w, "shrinks as well"),
            "one half": (lambda w: 0.5, "cut at 0.5"),
            "a constant": (lambda w: 0.15, "solve for q"),
            "the example": (lambda w: 1 / 11, "one weight only"),
            "a list": (lambda w: [0.5, 0.5], "one number"),
            "whole weights": (lambda w: 1 / (1 + int(w)), "need not be a whole number"),
            "rounded weights": (lambda w: 1 / (1 + round(w)), "for weight 2.5"),
            "whole weights, rounded up": (lambda w: 1 / (1 + math.ceil(w)), "for weight 2.5"),
            "divided in whole numbers": (lambda w: 1 // (1 + w), "solve for q"),
            "minus": (lambda w: 1 / (w - 0.999), "solve for q"),
            "the weighted answer to one half": (lambda w: w * 0.5 / (w * 0.5 + 0.5), "other side"),
            "no weight below 1": (lambda w: 1 / (1 + max(w, 1)), "for weight 0.4"),
            "no large weight": (lambda w: 1 / (1 + min(w, 100)), "for weight 150.75"),
            "odds": (lambda w: 1 / (1 + w) / (1 - 1 / (1 + w)), "has a weight too"),
            "a root": (lambda w: 1 / (1 + math.sqrt(w)), "solve for q"),
            "from 1 to 0": (lambda w: 1 - 1 / (1 + w), "other side"),
            "rounded": (lambda w: round(1 / (1 + w), 2), "rounding is for print"),
            "percent": (lambda w: 100 / (1 + w), "solve for q"),
            "text": (lambda w: str(1 / (1 + w)), "a number was expected"),
            "nothing below 1": (lambda w: 1 / (1 + w) if w >= 1 else None, "for weight 0.4 it returns nothing"),
        },
    ),
]
