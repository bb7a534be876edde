"""Notebook 02."""

import numpy as np
from scipy import ndimage
from skimage.transform import resize

from mutants import Exercise
from unet_helpers import window
from unet_helpers.teaching.checks import preprocessing as check


def gray(hu, level, width):
    return np.clip((hu - (level - width / 2)) / width, 0, 1)


def with_conditions(hu, level, width):
    low, high = level - width / 2, level + width / 2
    return np.where(hu < low, 0.0, np.where(hu > high, 1.0, (hu - low) / width))


def in_its_range(hu, level, width):
    return (hu - np.min(hu)) / max(np.ptp(hu), 1)


def in_place(hu, level, width):
    if np.ndim(hu):
        hu[...] = np.clip(hu, level - width / 2, level + width / 2)
    return gray(hu, level, width)


def one_by_one(hu, level, width):
    return gray(hu, level, width) if np.ndim(hu) == 0 else [one_by_one(value, level, width) for value in hu]


def back(gray, level, width):
    return gray * width + level - width / 2


def back_in_place(gray, level, width):
    gray *= width
    gray += level - width / 2
    return gray


def only_arrays(function):
    return lambda values, level, width: function(values[...], level, width)


def blocks(mask):
    return mask.repeat(2, axis=0).repeat(2, axis=1)


def filled(mask):
    large = np.empty((2 * mask.shape[0], 2 * mask.shape[1]), mask.dtype)
    for row in (0, 1):
        for column in (0, 1):
            large[row::2, column::2] = mask
    return large


def corners(mask):
    large = np.zeros((2 * mask.shape[0], 2 * mask.shape[1]), mask.dtype)
    large[::2, ::2] = mask
    return large


def nearest(mask):
    return resize(mask, (2 * mask.shape[0], 2 * mask.shape[1]), 0, preserve_range=True, anti_aliasing=False).astype(
        mask.dtype
    )


def linear(mask):
    large = resize(mask.astype(float), (2 * mask.shape[0], 2 * mask.shape[1]), order=1)
    return large.round().astype(mask.dtype)


def emptied(mask):
    large = blocks(mask)
    mask[...] = 0
    return large


LAYERS = {situation: answer for situation, (answer, _) in check.LAST_LAYERS.items()}
ORGANS, POLYP, TUMOR = LAYERS
CHANGES = {change: answer for change, (answer, _) in check.CHANGES.items()}
TURN, NOISE, FLIP, SHIFT = CHANGES

EXERCISES = [
    Exercise(
        "02.1",
        check.to_gray,
        right={
            "the formula": gray,
            "conditions": with_conditions,
            "the window of the package": window,
            "minimum and maximum": lambda hu, level, width: np.minimum(np.maximum((hu - level) / width + 0.5, 0), 1),
            "clipped before it is scaled": lambda hu, level, width: (
                (np.clip(hu, level - width / 2, level + width / 2) - level) / width + 0.5
            ),
            "32 bits": lambda hu, level, width: np.float32(gray(np.float32(hu), level, width)),
            "lists": one_by_one,
        },
        wrong={
            "not clipped": (lambda hu, level, width: (hu - (level - width / 2)) / width, "are not clipped to 0 and 1"),
            "clipped below only": (
                lambda hu, level, width: np.maximum((hu - level) / width + 0.5, 0),
                "above the window are not clipped",
            ),
            "clipped above only": (
                lambda hu, level, width: np.minimum((hu - level) / width + 0.5, 1),
                "below the window are not clipped",
            ),
            "exchanged": (lambda hu, level, width: 1 - gray(hu, level, width), "exchanged"),
            "from the level on": (lambda hu, level, width: np.clip((hu - level) / width, 0, 1), "it is the center"),
            "the width below the level": (
                lambda hu, level, width: np.clip((hu - (level - width)) / width, 0, 1),
                "it begins at level - width",
            ),
            "the width on both sides": (
                lambda hu, level, width: np.clip((hu - (level - width)) / (2 * width), 0, 1),
                "not by the whole",
            ),
            "0 to 255": (lambda hu, level, width: 255 * gray(hu, level, width), "not 0 to 255"),
            "bytes": (lambda hu, level, width: np.uint8(255 * gray(hu, level, width)), "and right is"),
            "rounded": (lambda hu, level, width: gray(hu, level, width).round(), "keep the fractions"),
            "rounded to two digits": (lambda hu, level, width: gray(hu, level, width).round(2), "It is rounded"),
            "whole numbers": (lambda hu, level, width: np.asarray(gray(hu, level, width)).astype(int), "and right is"),
            "the dtype of the HU": (
                lambda hu, level, width: gray(hu, level, width).astype(np.asarray(hu).dtype),
                "and right is",
            ),
            "black or white": (lambda hu, level, width: np.where(hu > level, 1.0, 0.0), "and right is"),
            "clipped HU": (
                lambda hu, level, width: np.clip(hu, level - width / 2, level + width / 2),
                "These still are HU",
            ),
            "the lung window always": (lambda hu, level, width: window(hu, -600, 1500), "use the arguments"),
            "the lung window's level": (lambda hu, level, width: gray(hu, -600, width), "by the formula"),
            "the lung window's width": (lambda hu, level, width: gray(hu, level, 1500), "by the formula"),
            "half of an odd width cut": (
                lambda hu, level, width: np.clip((hu - (level - width // 2)) / width, 0, 1),
                "/ and not //",
            ),
            "divided without a rest": (
                lambda hu, level, width: np.clip((hu - (level - width / 2)) // width, 0, 1),
                "and right is",
            ),
            "a level without its fraction": (lambda hu, level, width: gray(hu, int(level), width), "by the formula"),
            "no level 0": (lambda hu, level, width: gray(hu, level or -600, width), "by the formula"),
            "level and width exchanged": (lambda hu, level, width: gray(hu, width, level), "by the formula"),
            "divided by the upper end": (
                lambda hu, level, width: np.clip((hu - (level - width / 2)) / (level + width / 2), 0, 1),
                "by the formula",
            ),
            "min–max": (in_its_range, "by the formula"),
            "min–max of the clipped": (
                lambda hu, level, width: in_its_range(
                    np.clip(hu, level - width / 2, level + width / 2) / width, level, width
                ),
                "and right is",
            ),
            "an S-shaped curve": (
                lambda hu, level, width: 1 / (1 + np.exp(np.clip((level - hu) / width, -50, 50))),
                "by the formula",
            ),
            "sorted": (lambda hu, level, width: np.sort(gray(hu, level, width).ravel()).reshape(np.shape(hu)), "gives"),
            "only the first": (lambda hu, level, width: gray(hu, level, width)[:1], "return one value for each"),
            "flat": (lambda hu, level, width: np.ravel(gray(hu, level, width)), "return one value for each"),
            "transposed": (lambda hu, level, width: np.transpose(gray(hu, level, width)), "return one value for each"),
            "text": (
                lambda hu, level, width: np.asarray(gray(hu, level, width)).astype(str),
                "numbers were expected",
            ),
            "truth values": (lambda hu, level, width: np.asarray(hu) > level, "numbers were expected"),
            "arrays only": (only_arrays(gray), "TypeError"),
            "numbers only": (lambda hu, level, width: min(max((hu - level) / width + 0.5, 0), 1), "ValueError"),
            "in place": (in_place, "changes what it is given"),
        },
    ),
    Exercise(
        "02.2",
        check.to_hu,
        right={
            "the formula turned around": back,
            "from the center": lambda gray, level, width: level + (gray - 0.5) * width,
            "between both ends": lambda gray, level, width: (
                (1 - gray) * (level - width / 2) + gray * (level + width / 2)
            ),
            "32 bits": lambda gray, level, width: np.float32(back(np.float32(gray), level, width)),
        },
        wrong={
            "from the level on": (lambda gray, level, width: gray * width + level, "gray 0 is level - width / 2"),
            "the whole width below": (lambda gray, level, width: gray * width + level - width, "not level - width"),
            "half the width added": (lambda gray, level, width: gray * width + level + width / 2, "with a minus"),
            "the level subtracted": (lambda gray, level, width: gray * width - level - width / 2, "with a plus"),
            "no level": (lambda gray, level, width: (gray - 0.5) * width, "the level moves them"),
            "the width alone": (lambda gray, level, width: gray * width, "lower end of the window is missing"),
            "the window again": (window, "multiply by the width"),
            "exchanged": (lambda gray, level, width: back(1 - gray, level, width), "exchanged"),
            "the lung window always": (lambda gray, level, width: back(gray, -600, 1500), "use the arguments"),
            "the lung window's level": (lambda gray, level, width: back(gray, -600, width), "and right is"),
            "the lung window's width": (lambda gray, level, width: back(gray, level, 1500), "and right is"),
            "half of an odd width cut": (lambda gray, level, width: gray * width + level - width // 2, "/ and not //"),
            "a level without its fraction": (lambda gray, level, width: back(gray, int(level), width), "and right is"),
            "whole numbers": (lambda gray, level, width: np.round(back(gray, level, width)), "and right is"),
            "whole numbers by dtype": (
                lambda gray, level, width: np.asarray(back(gray, level, width)).astype(int),
                "and right is",
            ),
            "no level 0": (lambda gray, level, width: back(gray, level or -600, width), "and right is"),
            "level and width exchanged": (lambda gray, level, width: back(gray, width, level), "and right is"),
            "divided": (lambda gray, level, width: gray / width + level - width / 2, "and right is"),
            "for 0 to 255": (lambda gray, level, width: back(gray / 255, level, width), "and right is"),
            "stretched to the window": (
                lambda gray, level, width: back((gray - np.min(gray)) / max(np.ptp(gray), 1), level, width),
                "and right is",
            ),
            "only the first": (lambda gray, level, width: back(gray, level, width)[:1], "return one value for each"),
            "the mean": (lambda gray, level, width: np.mean(back(gray, level, width)), "return one value for each"),
            "text": (
                lambda gray, level, width: np.asarray(back(gray, level, width)).astype(str),
                "numbers were expected",
            ),
            "arrays only": (only_arrays(back), "TypeError"),
            "in place": (back_in_place, "changes what it is given"),
        },
    ),
    Exercise(
        "02.3",
        check.double,
        right={
            "repeated": blocks,
            "a Kronecker product": lambda mask: np.kron(mask, np.ones((2, 2), mask.dtype)),
            "four slices filled": filled,
            "nearest neighbor": nearest,
            "a zoom": lambda mask: ndimage.zoom(mask, 2, order=0),
            "indices divided by two": lambda mask: mask[
                np.arange(2 * mask.shape[0])[:, None] // 2, np.arange(2 * mask.shape[1]) // 2
            ],
        },
        wrong={
            "linear": (linear, "invented a class"),
            "side by side": (lambda mask: np.tile(mask, (2, 2)), "side by side"),
            "only higher": (lambda mask: mask.repeat(2, axis=0), "should be 4×6"),
            "only wider": (lambda mask: mask.repeat(2, axis=1), "should be 4×6"),
            "three times": (lambda mask: mask.repeat(3, axis=0).repeat(3, axis=1), "became 6×9"),
            "flat": (lambda mask: mask.repeat(4), "became 24"),
            "transposed": (lambda mask: blocks(mask).T, "became 6×4"),
            "the shape of an example": (lambda mask: np.resize(blocks(mask), (4, 6)), "became 4×6"),
            "reshaped": (lambda mask: mask.repeat(4).reshape(2 * mask.shape[0], -1), "not their places"),
            "upside down": (lambda mask: blocks(mask)[::-1], "not their places"),
            "mirrored": (lambda mask: blocks(mask)[:, ::-1], "not their places"),
            "shifted": (lambda mask: np.roll(blocks(mask), 1, axis=1), "not their places"),
            "one corner of each block": (corners, "three stay empty"),
            "floating-point": (lambda mask: blocks(mask).astype(float), "dtype float64"),
            "a Kronecker product with decimal ones": (lambda mask: np.kron(mask, np.ones((2, 2))), "dtype float64"),
            "always uint8": (lambda mask: blocks(mask).astype(np.uint8), "for the mask [[5], [0], [300], [-1]]"),
            "always int64": (lambda mask: blocks(mask).astype(np.int64), "dtype int64"),
            "always int16": (lambda mask: blocks(mask).astype(np.int16), "dtype int16"),
            "only foreground": (lambda mask: (blocks(mask) > 0).astype(mask.dtype), "the mask holds"),
            "twice the values": (lambda mask: 2 * blocks(mask), "interpolation invented a class"),
            "a single value": (lambda mask: mask.max(), "became a single value"),
            "empties the mask": (emptied, "changes what it is given"),
        },
    ),
    Exercise(
        "02.4",
        check.last_layer,
        right={
            "the words": LAYERS,
            "in another order": dict(reversed(LAYERS.items())),
            "capital letters": {situation: answer.title() for situation, answer in LAYERS.items()},
        },
        wrong={
            "nothing yet": (dict.fromkeys(LAYERS, ...), "3 of 3 are open"),
            "one open": (LAYERS | {POLYP: ...}, "1 of 3 are open"),
            "softmax for one map": (LAYERS | {POLYP: "softmax"}, "every pixel becomes 1"),
            "sigmoid for organs": (LAYERS | {ORGANS: "sigmoid"}, "share out one whole"),
            "softmax for labels that overlap": (LAYERS | {TUMOR: "softmax"}, "force it to choose"),
            "softmax for more than one map": (LAYERS | {TUMOR: "softmax", ORGANS: "softmax"}, "force it to choose"),
            "all softmax": (dict.fromkeys(LAYERS, "softmax"), "every pixel becomes 1"),
            "all sigmoid": (dict.fromkeys(LAYERS, "sigmoid"), "share out one whole"),
            "exchanged": (dict(zip(LAYERS, ("sigmoid", "softmax", "softmax"), strict=True)), "share out one whole"),
            "another layer": (LAYERS | {POLYP: "relu"}, "is none of"),
            "both words": (LAYERS | {POLYP: ("sigmoid", "softmax")}, "is none of"),
            "a key of its own": ({"polyp": "sigmoid"}, "'polyp' is not one of them"),
            "one missing": ({POLYP: "sigmoid", TUMOR: "sigmoid"}, "is missing"),
            "a list": (list(LAYERS.values()), "keep the dictionary"),
            "a set": (set(LAYERS.values()), "keep the dictionary"),
        },
    ),
    Exercise(
        "02.5",
        check.apply_to,
        right={
            "the words": CHANGES,
            "in another order": dict(reversed(CHANGES.items())),
            "spaces around": {change: f" {answer} " for change, answer in CHANGES.items()},
        },
        wrong={
            "nothing yet": (dict.fromkeys(CHANGES, ...), "4 of 4 are open"),
            "flips of both": (CHANGES | {FLIP: "both"}, "opposite of the picture"),
            "flips of the image": (CHANGES | {FLIP: "image"}, "opposite of the picture"),
            "noise on both": (CHANGES | {NOISE: "both"}, "no gray value"),
            "no noise": (CHANGES | {NOISE: "neither"}, "gray values, and a class index"),
            "the image turned alone": (CHANGES | {TURN: "image"}, "moves their labels too"),
            "no rotation": (CHANGES | {TURN: "neither"}, "anatomy allows it"),
            "the image shifted alone": (CHANGES | {SHIFT: "image"}, "moves their labels too"),
            "no shift": (CHANGES | {SHIFT: "neither"}, "a little off-center"),
            "all both": (dict.fromkeys(CHANGES, "both"), "no gray value"),
            "all image": (dict.fromkeys(CHANGES, "image"), "moves their labels too"),
            "all neither": (dict.fromkeys(CHANGES, "neither"), "anatomy allows it"),
            "the mask": (CHANGES | {NOISE: "mask"}, "is none of"),
            "a truth value": (CHANGES | {TURN: True}, "is none of"),
            "a list": (list(CHANGES.values()), "keep the dictionary"),
            "a set": (set(CHANGES.values()), "keep the dictionary"),
        },
    ),
]
