"""Notebook 00."""

import numpy as np
from scipy import ndimage

from mutants import Exercise
from unet_helpers.teaching.checks import first_segmentation as check


def by_loop(probabilities):
    best = np.zeros(probabilities.shape[:-1], int)
    for index in range(1, probabilities.shape[-1]):
        best[probabilities[..., index] > np.take_along_axis(probabilities, best[..., None], -1)[..., 0]] = index
    return best


def counted(truth, found):
    both = sum(1 for a, b in zip(truth.ravel(), found.ravel(), strict=True) if a and b)
    return float(both * 2 / (np.count_nonzero(truth) + np.count_nonzero(found)))


def overlap(truth, found):
    return 2 * (truth & found).sum() / (truth.sum() + found.sum())


def at_a_point(a, b):
    return 2 * (a[0] & b[0]).sum() / (a[0].sum() + b[0].sum())


ALL = dict.fromkeys(check.SHOWN, "not shown")
RIGHT = check.SHOWN
TURNED = {"shown": "not shown", "not shown": "shown"}

EXERCISES = [
    Exercise(
        "00.1",
        check.to_mask,
        right={
            "argmax": lambda p: p.argmax(axis=-1),
            "a loop over the classes": by_loop,
            "small integers": lambda p: np.argmax(p, -1).astype(np.uint8),
            "by sorting": lambda p: np.argsort(p, axis=-1)[..., -1],
        },
        wrong={
            "nine tenths of the highest": (
                lambda p: (p >= 0.9 * p.max(axis=-1, keepdims=True)).argmax(axis=-1),
                "the highest of its",
            ),
            "smoothed over neighbors": (lambda p: ndimage.median_filter(p.argmax(axis=-1), 3), "the highest of its"),
            "the probability itself": (lambda p: p.max(axis=-1), "highest probabilities themselves"),
            "the first axis": (lambda p: p.argmax(axis=0), "on the last axis"),
            "axis 1": (lambda p: p.argmax(axis=1), "on the last axis"),
            "axis 3": (lambda p: p.argmax(axis=3), "AxisError"),
            "over everything": (lambda p: p.argmax(), "on the last axis"),
            "rounded": (lambda p: p.round(), "on the last axis"),
            "the least": (lambda p: p.argmin(axis=-1), "the lowest"),
            "above one half": (lambda p: (p > 0.5).argmax(axis=-1), "the highest of its"),
            "only three classes": (lambda p: p[..., :3].argmax(axis=-1), "the highest of its"),
            "never background": (lambda p: p[..., 1:].argmax(axis=-1) + 1, "the highest of its"),
            "numbered from 1": (lambda p: p.argmax(axis=-1) + 1, "numbered from 0"),
            "as floats": (lambda p: p.argmax(axis=-1).astype(float), "whole numbers"),
            "one-hot": (lambda p: (p == p.max(axis=-1, keepdims=True)).astype(int), "on the last axis"),
            "one axis too many": (lambda p: p.argmax(axis=-1)[..., None], "on the last axis"),
            "in place": (lambda p: (p.sort(axis=-1), p.argmax(axis=-1))[1], "changes what it is given"),
        },
    ),
    Exercise(
        "00.2",
        check.dice,
        right={"counts": overlap, "pixel by pixel": counted},
        wrong={
            "smoothed by a thousandth": (
                lambda a, b: (2 * (a & b).sum() + 1e-3) / (a.sum() + b.sum() + 1e-3),
                "Twice the shared",
            ),
            "two digits": (lambda a, b: round(overlap(a, b), 2), "It is rounded"),
            "the geometric mean of the sizes": (lambda a, b: (a & b).sum() / np.sqrt(a.sum() * b.sum()), "added up"),
            "IoU": (lambda a, b: (a & b).sum() / (a | b).sum(), "That is the IoU"),
            "half of it": (lambda a, b: (a & b).sum() / (a.sum() + b.sum()), "shared pixels twice"),
            "divided by those in either": (lambda a, b: 2 * (a & b).sum() / (a | b).sum(), "added up"),
            "recall": (lambda a, b: (a & b).sum() / a.sum(), "of the true pixels"),
            "precision": (lambda a, b: (a & b).sum() / b.sum(), "of the found pixels"),
            "accuracy": (lambda a, b: (a == b).mean(), "the accuracy"),
            "upside down": (lambda a, b: 1 / overlap(a, b), "upside down"),
            "loss": (lambda a, b: 1 - overlap(a, b), "Twice the shared pixels"),
            "smoothed by 1": (lambda a, b: (2 * (a & b).sum() + 1) / (a.sum() + b.sum() + 1), "Twice the shared"),
            "of the first row": (at_a_point, "Twice the shared"),
            "mean over rows": (
                lambda a, b: np.mean([overlap(i, j) for i, j in zip(a, b, strict=True)]),
                "Twice the shared",
            ),
            "an array": (lambda a, b: 2 * (a & b) / (a.sum() + b.sum()), "one number was expected"),
            "in percent": (lambda a, b: 100 * overlap(a, b), "Twice the shared"),
            "in place": (lambda a, b: (overlap(a, b), np.logical_and(a, b, out=a))[0], "changes what it is given"),
        },
    ),
    Exercise(
        "00.3",
        check.claims,
        right={
            "two are shown": RIGHT,
            "in capitals": {claim: word.upper() for claim, word in RIGHT.items()},
        },
        wrong={
            "nothing is shown": (ALL, "was printed"),
            "all is shown": (dict.fromkeys(RIGHT, "shown"), "no real patient"),
            "one open": (RIGHT | {next(iter(RIGHT)): ...}, "1 of 6 are open"),
            "truth values": ({claim: word == "shown" for claim, word in RIGHT.items()}, "is none of"),
            "a list": (list(RIGHT.values()), "keep the dictionary"),
            "the other way round": (
                {claim: TURNED[word] for claim, word in RIGHT.items()},
                "was printed",
            ),
        }
        | {
            f"wrong about: {claim}": (
                RIGHT | {claim: "shown" if word == "not shown" else "not shown"},
                check._WHY[claim],
            )
            for claim, word in RIGHT.items()
        },
    ),
]
