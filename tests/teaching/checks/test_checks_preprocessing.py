"""Each check of notebook 02: starter, right answer, and the mistakes that people make."""

import numpy as np
import pytest
from skimage.transform import resize

from unet_helpers import window
from unet_helpers.teaching.checks import preprocessing as check


def back(gray, level, width):
    return gray * width + level - width / 2


def linear(mask):
    return resize(mask.astype(float), (2 * mask.shape[0], 2 * mask.shape[1]), order=1).round().astype(mask.dtype)


def blocks(mask):
    return mask.repeat(2, axis=0).repeat(2, axis=1)


LAYERS = {situation: answer for situation, (answer, _) in check.LAST_LAYERS.items()}
CHANGES = {change: answer for change, (answer, _) in check.CHANGES.items()}
FLIP = "flip left to right, keep the labels"
CASES = [
    (check.to_gray, window, "Right."),
    (check.to_gray, lambda hu, level, width: (hu - (level - width / 2)) / width, "not clipped"),
    (check.to_gray, lambda hu, level, width: 1 - window(hu, level, width), "exchanged"),
    (check.to_gray, lambda hu, level, width: np.clip((hu - level) / width, 0, 1), "it is the center"),
    (check.to_gray, lambda hu, level, width: np.clip((hu - (level - width)) / width, 0, 1), "half the width"),
    (check.to_gray, lambda hu, level, width: np.clip((hu - (level - width)) / (2 * width), 0, 1), "half the width"),
    (check.to_gray, lambda hu, level, width: 255 * window(hu, level, width), "not 0 to 255"),
    (check.to_gray, lambda hu, level, width: window(hu, -600, 1500), "use the arguments"),
    (check.to_gray, lambda hu, level, width: (hu - hu.min()) / (hu.max() - hu.min()), "should give 0.5"),
    (check.to_gray, lambda hu, level, width: window(hu, level, width)[:1], "one value for each"),
    (check.to_hu, back, "Right."),
    (check.to_hu, lambda gray, level, width: gray * width + level, "not the level"),
    (check.to_hu, lambda gray, level, width: (gray - 0.5) * width, "level is missing"),
    (check.to_hu, window, "between 0 and 1"),
    (check.to_hu, lambda gray, level, width: back(gray, -600, 1500), "use the arguments"),
    (check.to_hu, lambda gray, level, width: gray * width + level - width, "should give -1350"),
    (check.double, blocks, "Right."),
    (check.double, linear, "invented a class"),
    (check.double, lambda mask: np.tile(mask, (2, 2)), "side by side"),
    (check.double, lambda mask: mask.repeat(2, axis=0), "should be 4×6"),
    (check.double, lambda mask: blocks(mask).astype(float), "dtype is float64"),
    (check.double, lambda mask: blocks(mask)[::-1], "not their places"),
    (check.last_layer, dict.fromkeys(LAYERS, ...), "3 of 3 are open"),
    (check.last_layer, LAYERS, "Right."),
    (check.last_layer, LAYERS | {"polyp or not; 1 map": "softmax"}, "every pixel becomes 1"),
    (check.last_layer, dict.fromkeys(LAYERS, "sigmoid"), "share out one whole"),
    (check.last_layer, LAYERS | {"polyp or not; 1 map": "relu"}, "is none of"),
    (check.last_layer, {"polyp": "sigmoid"}, "'polyp' is not one of them"),
    (check.apply_to, dict.fromkeys(CHANGES, ...), "4 of 4 are open"),
    (check.apply_to, CHANGES, "Right."),
    (check.apply_to, CHANGES | {FLIP: "both"}, "opposite of the picture"),
    (check.apply_to, CHANGES | {"add a little noise": "both"}, "no gray value"),
    (check.apply_to, CHANGES | {"rotate by up to 10 degrees": "image"}, "moves their labels too"),
]


@pytest.mark.parametrize(("task", "answer", "expected"), CASES)
def test_the_verdict_names_what_is_wrong(said, task, answer, expected):
    assert expected in said(task, answer)
