"""Notebook 08."""

import math

import numpy as np

from mutants import Exercise
from unet_helpers.teaching.checks import architecture_comparison as check


def products(h, w, k, i, o):
    return h * w * k * k * i * o


def products_by_loop(h, w, k, i, o):
    count = 0
    for _ in range(o):
        for _ in range(i):
            count += h * w * k**2
    return count


def width(w, p, t):
    return round(w * (t / p) ** 0.5)


def width_by_search(w, p, t):
    return min(range(1, 200), key=lambda candidate: abs(candidate - w * math.sqrt(t / p)))


def gain(a, b):
    return a.mean(axis=0) - b.mean(axis=0)


def gain_by_loop(a, b):
    return [sum(one) / len(one) - sum(two) / len(two) for one, two in zip(a.T.tolist(), b.T.tolist(), strict=True)]


def gain_in_place(a, b):
    a -= b.mean(axis=0)
    return a.mean(axis=0)


def gain_of_pairs(a, b):
    count = min(len(a), len(b))
    return (a[:count] - b[:count]).mean(axis=0)


def halved(spacing, size):
    long = [mm for mm, voxels in zip(spacing, size, strict=True) if voxels >= 8]
    return [2 if voxels >= 8 and mm < 2 * min(long) else 1 for mm, voxels in zip(spacing, size, strict=True)]


def halved_by_arrays(spacing, size):
    spacing, long = np.asarray(spacing), np.asarray(size) >= 8
    return 1 + (long & (spacing < 2 * spacing[long].min(initial=np.inf)))


def halved_where(holds):
    """A wrong rule: ``holds(mm, voxels, all mm, all voxels)`` for each axis."""
    return lambda spacing, size: [
        2 if holds(mm, voxels, spacing, size) else 1 for mm, voxels in zip(spacing, size, strict=True)
    ]


def finest(spacing, size, shortest=8):
    return min((mm for mm, voxels in zip(spacing, size, strict=True) if voxels >= shortest), default=0)


RIGHT = {"A": "budget", "B": "chance", "C": "chosen on test", "D": "fair"}
WHY = {
    "A": "four times as long",
    "B": "six patients",
    "C": "what the 60 patients were used for",
    "D": "so is the conclusion",
}

EXERCISES = [
    Exercise(
        "08.1",
        check.multiplications,
        right={
            "a product": products,
            "a loop over the channels": products_by_loop,
            "a float": lambda *layer: float(products(*layer)),
            "NumPy": lambda *layer: np.prod(np.array([*layer, layer[2]], dtype=np.int64)),
        },
        wrong={
            "in single precision": (lambda h, w, k, i, o: int(np.float32(h) * w * k * k * i * o), "for 513×641"),
            "the weights": (lambda h, w, k, i, o: k * k * i * o, "These are the weights"),
            "not the channels that come in": (lambda h, w, k, i, o: h * w * k * k * o, "all channels that come in"),
            "not the channels that go out": (lambda h, w, k, i, o: h * w * k * k * i, "one output channel"),
            "one side of the kernel": (lambda h, w, k, i, o: h * w * k * i * o, "two sides"),
            "twice a side of the kernel": (lambda h, w, k, i, o: h * w * 2 * k * i * o, "Count: places"),
            "3×3": (lambda h, w, k, i, o: h * w * 9 * i * o, "use kernel"),
            "FLOPs": (lambda *layer: 2 * products(*layer), "FLOPs"),
            "with bias": (lambda h, w, k, i, o: h * w * k * k * i * o + h * w * o, "bias"),
            "with one bias a channel": (lambda h, w, k, i, o: h * w * k * k * i * o + o, "bias"),
            "height only": (lambda h, w, k, i, o: h * k * k * i * o, "height × width"),
            "a square of the height": (lambda h, w, k, i, o: h * h * k * k * i * o, "not always square"),
            "a square of the width": (lambda h, w, k, i, o: w * w * k * k * i * o, "not always square"),
            "not padded": (lambda h, w, k, i, o: products(h - k + 1, w - k + 1, k, i, o), "The convolution is padded"),
            "padded too much": (lambda h, w, k, i, o: products(h + k - 1, w + k - 1, k, i, o), "Count: places"),
            "stride 2": (lambda h, w, k, i, o: products(h // 2, w // 2, k, i, o), "Count: places"),
            "half the width": (lambda h, w, k, i, o: products(h, w // 2, k, i, o), "Count: places"),
            "channels added": (lambda h, w, k, i, o: h * w * k * k * (i + o), "× and not +"),
            "channel by channel": (lambda h, w, k, i, o: h * w * (k * k * i + i * o), "Count: places"),
            "the kernel's border": (lambda h, w, k, i, o: h * w * (k * k - 1) * i * o, "Count: places"),
            "as many out as in": (lambda h, w, k, i, o: h * w * k * k * i * i, "Count: places"),
            "only odd kernels": (lambda h, w, k, i, o: h * w * (2 * (k // 2) + 1) ** 2 * i * o, "kernel 4"),
            "in 32 bits": (lambda *layer: int(np.int64(products(*layer)).astype(np.int32)), "513×641"),
            "millions": (lambda *layer: products(*layer) / 1e6, "Count: places"),
            "one": (lambda *layer: 1, "Count: places"),
            "the example": (lambda *layer: 128 * 128 * 9 * 8 * 16, "It gives the same"),
            "text": (lambda *layer: str(products(*layer)), "a number was expected"),
            "an error": (lambda *layer: 1 / 0, "ZeroDivisionError"),
        },
    ),
    Exercise(
        "08.2",
        check.width_for,
        right={
            "round": width,
            "int of np.round": lambda w, p, t: int(np.round(w * np.sqrt(t / p))),
            "the nearest of many": width_by_search,
            "from the root of both": lambda w, p, t: round(w * math.sqrt(t) / math.sqrt(p)),
        },
        wrong={
            "a multiple of 8": (lambda width, p, target: round(width * (target / p) ** 0.5 / 8) * 8, "square of the"),
            "a part of a channel": (lambda w, p, t: w * (t / p) ** 0.5, "part of a channel"),
            "a float": (lambda w, p, t: np.round(w * (t / p) ** 0.5), "it is a float"),
            "cut off": (lambda w, p, t: int(w * (t / p) ** 0.5), "nearest whole number"),
            "floor": (lambda w, p, t: math.floor(w * (t / p) ** 0.5), "cut off"),
            "ceil": (lambda w, p, t: math.ceil(w * (t / p) ** 0.5), "Rounded up"),
            "one more": (lambda w, p, t: int(w * (t / p) ** 0.5) + 1, "square of the width"),
            "without a root": (lambda w, p, t: round(w * t / p), "a quarter of them"),
            "cut off, without a root": (lambda w, p, t: w * t // p, "a quarter of them"),
            "turned over": (lambda w, p, t: round(w * (p / t) ** 0.5), "More parameters"),
            "the square": (lambda w, p, t: round(w * (t / p) ** 2), "square of the width"),
            "the third root": (lambda w, p, t: round(w * (t / p) ** (1 / 3)), "square of the width"),
            "the factor": (lambda w, p, t: round((t / p) ** 0.5), "multiply the width"),
            "from 8": (lambda w, p, t: round(8 * (t / p) ** 0.5), "belongs to its number of parameters"),
            "from 9·c²": (lambda w, p, t: round((t / 9) ** 0.5), "square of the width"),
            "no wider": (lambda w, p, t: min(w, width(w, p, t)), "260,000 parameters"),
            "no narrower": (lambda w, p, t: max(w, width(w, p, t)), "31,000,000 parameters"),
            "even": (lambda w, p, t: 2 * round(w * (t / p) ** 0.5 / 2), "nearest whole number"),
            "half": (lambda w, p, t: w // 2, "square of the width"),
            "99": (lambda w, p, t: 99, "square of the width"),
            "text": (lambda w, p, t: str(width(w, p, t)), "a number was expected"),
        },
    ),
    Exercise(
        "08.3",
        check.gain_per_patient,
        right={
            "means of axis 0": gain,
            "a loop, as a list": gain_by_loop,
            "sums": lambda a, b: a.sum(0) / a.shape[0] - b.sum(0) / b.shape[0],
        },
        wrong={
            "the sign": (lambda a, b: b.mean(axis=0) - a.mean(axis=0), "sign is turned"),
            "without sign": (lambda a, b: np.abs(gain(a, b)), "A negative difference"),
            "one number": (lambda a, b: a.mean() - b.mean(), "one difference for each"),
            "one number in a list": (lambda a, b: [a.mean() - b.mean()], "one difference for each"),
            "seed from seed": (lambda a, b: a - b, "seed from seed"),
            "pairs of seeds": (gain_of_pairs, "more of them"),
            "two seeds": (lambda a, b: gain(a[:2], b[:2]), "more of them"),
            "the first seed": (lambda a, b: a[0] - b[0], "only the first"),
            "the last seed": (lambda a, b: a[-1] - b[-1], "only the last"),
            "the last seed of the others": (lambda a, b: a.mean(axis=0) - b[-1], "then subtract"),
            "the first seed of the others": (lambda a, b: a.mean(axis=0) - b[0], "then subtract"),
            "two seeds apart": (lambda a, b: a[:2] - b[:2], "average axis 0"),
            "the other axis": (lambda a, b: a.mean(axis=1)[:2] - b.mean(axis=1)[:2], "average axis 0"),
            "medians": (lambda a, b: np.median(a, axis=0) - np.median(b, axis=0), "not their median"),
            "the best seeds": (lambda a, b: a.max(axis=0) - b.max(axis=0), "not the best"),
            "the worst seeds": (lambda a, b: a.min(axis=0) - b.min(axis=0), "then subtract"),
            "the first network": (lambda a, b: a.mean(axis=0), "then subtract"),
            "sums": (lambda a, b: a.sum(axis=0) - b.sum(axis=0), "then subtract"),
            "sums by the first number of seeds": (lambda a, b: (a.sum(0) - b.sum(0)) / len(a), "then subtract"),
            "of what is left": (lambda a, b: gain(a, b) - gain(a, b).mean(), "then subtract"),
            "relative": (lambda a, b: a.mean(axis=0) / b.mean(axis=0) - 1, "then subtract"),
            "sorted": (lambda a, b: np.sort(gain(a, b)), "keep their order"),
            "backward": (lambda a, b: gain(a, b)[::-1], "then subtract"),
            "one digit": (lambda a, b: gain(a, b).round(1), "rounding is for print"),
            "two digits": (lambda a, b: gain(a, b).round(2), "It is rounded"),
            "percent": (lambda a, b: 100 * gain(a, b), "then subtract"),
            "texts": (lambda a, b: gain(a, b).astype(str), "numbers were expected"),
            "a set": (lambda a, b: set(gain(a, b)), "gives a set"),
            "a dictionary": (lambda a, b: dict(enumerate(gain(a, b))), "gives a dict"),
            "who wins": (lambda a, b: gain(a, b) > 0, "numbers were expected"),
            "in place": (gain_in_place, "changes what it is given"),
            "an error": (lambda a, b: a.nothing, "AttributeError"),
        },
    ),
    Exercise(
        "08.4",
        check.spot_the_flaw,
        right={
            "the four": RIGHT,
            "in another order and in capitals": {letter: flaw.upper() for letter, flaw in reversed(RIGHT.items())},
        },
        wrong={
            f"{letter}: {flaw}": (RIGHT | {letter: flaw}, WHY[letter])
            for letter in RIGHT
            for flaw in RIGHT.values()
            if flaw != RIGHT[letter]
        }
        | {
            "one open": (
                RIGHT | {"A": ...},
                "Not yet: replace each ... by one of 'budget', 'chance', 'chosen on test', 'fair'.",
            ),
            "a word of one's own": (RIGHT | {"D": "unfair"}, "is none of"),
            "two words": (RIGHT | {"A": ("budget", "chance")}, "is none of"),
            "one alone": ({"A": "budget"}, "'B' is missing"),
            "exchanged": (RIGHT | {"A": "chance", "B": "budget"}, "four times as long"),
            "all fair": (dict.fromkeys(RIGHT, "fair"), "four times as long"),
            "the words alone": (list(RIGHT.values()), "keep the dictionary"),
            "a set": (set(RIGHT.values()), "keep the dictionary"),
            "letters for words": ({flaw: letter for letter, flaw in RIGHT.items()}, "keep the keys"),
        },
    ),
    Exercise(
        "08.5",
        check.halved_axes,
        {"a list": halved, "arrays": halved_by_arrays, "a tuple": lambda mm, size: tuple(halved(mm, size))},
        {
            "the finest of all axes": (
                halved_where(lambda mm, n, spacing, size: n >= 8 and mm < 2 * min(spacing)),
                "among the long axes only",
            ),
            "every long axis": (halved_where(lambda mm, n, spacing, size: n >= 8), "Thick slices wait"),
            "short axes too": (
                halved_where(lambda mm, n, spacing, size: mm < 2 * finest(spacing, size)),
                "fewer than 8 voxels",
            ),
            "more than 8": (
                halved_where(lambda mm, n, spacing, size: n > 8 and mm < 2 * finest(spacing, size, 9)),
                "exactly 8 voxels",
            ),
            "up to twice": (
                halved_where(lambda mm, n, spacing, size: n >= 8 and mm <= 2 * finest(spacing, size)),
                "exactly twice waits",
            ),
            "at least 16": (
                halved_where(lambda mm, n, spacing, size: n >= 16 and mm < 2 * finest(spacing, size, 16)),
                "has 8 voxels",
            ),
            "at least 4": (
                halved_where(lambda mm, n, spacing, size: n >= 4 and mm < 2 * finest(spacing, size, 4)),
                "has 8 voxels",
            ),
            "the finest axis alone": (
                halved_where(lambda mm, n, spacing, size: n >= 8 and mm <= finest(spacing, size)),
                "less than twice the smallest",
            ),
            "within a factor of 1.5": (
                halved_where(lambda mm, n, spacing, size: n >= 8 and mm < 1.5 * finest(spacing, size)),
                "less than twice the smallest",
            ),
            "thick slices first": (
                halved_where(lambda mm, n, spacing, size: n >= 8 and mm >= 2 * finest(spacing, size)),
                "Fine pixels are halved first",
            ),
            "1 for halved": (lambda mm, size: [3 - two for two in halved(mm, size)], "other way around"),
            "1 and 0": (lambda mm, size: [two - 1 for two in halved(mm, size)], "Give strides"),
            "the new sizes": (
                lambda mm, size: [n // two for n, two in zip(size, halved(mm, size), strict=True)],
                "Give strides",
            ),
            "True and False": (lambda mm, size: [two == 2 for two in halved(mm, size)], "numbers were expected"),
            "the axes that are halved": (
                lambda mm, size: [axis for axis, two in enumerate(halved(mm, size)) if two == 2],
                "one number for each axis",
            ),
            "no axis is long": (
                lambda mm, size: halved(mm, size) if max(size) >= 8 else None,
                "each way through the function",
            ),
            "always two": (lambda mm, size: [2] * len(mm), "long enough"),
        },
    ),
]
