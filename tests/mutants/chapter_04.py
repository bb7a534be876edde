"""Notebook 04."""

import math

import numpy as np
from scipy import ndimage

from mutants import Exercise
from unet_helpers import load_dataset
from unet_helpers.teaching.checks import gpu_training as check

SIGMOID = ("sigmoid", "binary_crossentropy")
SOFTMAX = ("softmax", "categorical_crossentropy")


def pair(one, many):
    return lambda num_classes: one if num_classes == 1 else many


def stored_targets():
    """As in the notebook: the lungs of the training slice with the largest nodule, as 0 and 255."""
    data = load_dataset("phantom")
    one = data.train[(data.train.masks == 2).sum(axis=(1, 2)).argmax()]
    return (one.masks[..., None] > 0).astype("uint8") * 255, one.masks[..., None]


STORED, CLASSES = stored_targets()
LUNGS = STORED > 0
OUTLINE = LUNGS & ~ndimage.binary_erosion(LUNGS[0, ..., 0])[None, ..., None]

CURVES = {"A": "too slow", "B": "overfits", "C": "healthy"}

EXERCISES = [
    Exercise(
        "04.1",
        check.output_and_loss,
        right={
            "one map or more": pair(SIGMOID, SOFTMAX),
            "a list": lambda num_classes: list(SOFTMAX if num_classes > 1 else SIGMOID),
            "a dictionary with a default": lambda num_classes: {1: SIGMOID}.get(num_classes, SOFTMAX),
        },
        wrong={
            "softmax for one map": (pair(("softmax", "binary_crossentropy"), SOFTMAX), "always 1"),
            "softmax for all": (lambda num_classes: SOFTMAX, "always 1"),
            "categorical for one map": (pair(("sigmoid", "categorical_crossentropy"), SOFTMAX), "always 0"),
            "sparse for one map": (pair(("sigmoid", "sparse_categorical_crossentropy"), SOFTMAX), "class indices"),
            "sparse for several": (pair(SIGMOID, ("softmax", "sparse_categorical_crossentropy")), "class indices"),
            "sigmoid for all": (lambda num_classes: SIGMOID, "exactly one class"),
            "sigmoid with categorical": (pair(SIGMOID, ("sigmoid", "categorical_crossentropy")), "exactly one class"),
            "softmax with binary": (pair(SIGMOID, ("softmax", "binary_crossentropy")), "partner of softmax"),
            "sigmoid for two": (lambda num_classes: SIGMOID if num_classes <= 2 else SOFTMAX, "num_classes=2"),
            "softmax only for three": (lambda num_classes: SOFTMAX if num_classes == 3 else SIGMOID, "num_classes=2"),
            "one fewer": (lambda num_classes: pair(SIGMOID, SOFTMAX)(num_classes - 1), "num_classes=1"),
            "a table of 1 to 3": (lambda num_classes: {1: SIGMOID, 2: SOFTMAX, 3: SOFTMAX}[num_classes], "KeyError"),
            "a table of 1 to 3, then the first": (
                lambda num_classes: {2: SOFTMAX, 3: SOFTMAX}.get(num_classes, SIGMOID),
                "num_classes=4",
            ),
            "exchanged": (lambda num_classes: pair(SIGMOID, SOFTMAX)(num_classes)[::-1], "activation comes first"),
            "pairs exchanged": (pair(SOFTMAX, SIGMOID), "always 1"),
            "the activation alone": (pair("sigmoid", "softmax"), "two names"),
            "a set": (lambda num_classes: set(pair(SIGMOID, SOFTMAX)(num_classes)), "two names"),
            "a dictionary": (
                lambda num_classes: dict([pair(SIGMOID, SOFTMAX)(num_classes)]),
                "two names",
            ),
            "names of classes": (pair(("Sigmoid", "BinaryCrossentropy"), SOFTMAX), "'Sigmoid' is none of the names"),
            "no activation": (pair((None, "binary_crossentropy"), SOFTMAX), "None is none of the names"),
            "another loss": (pair(SIGMOID, ("softmax", "dice")), "'dice' is none of the names"),
            "a function in place of its name": (pair((np.tanh, "binary_crossentropy"), SOFTMAX), "none of the names"),
            "nothing for several maps": (lambda num_classes: SIGMOID if num_classes == 1 else None, "Not yet"),
        },
    ),
    Exercise(
        "04.2",
        check.repaired_targets,
        right={
            "compared with 0": (STORED > 0).astype("float32"),
            "truth values": STORED > 0,
            "divided": STORED / 255,
            "divided without a rest": STORED // 255,
            "clipped": np.clip(STORED, 0, 1),
            "where": np.where(STORED == 255, 1, 0),
            "a list": (STORED // 255).tolist(),
        },
        wrong={
            "as they were": (STORED, "still hold 255"),
            "as decimal numbers": (STORED.astype("float32"), "still hold 255"),
            "divided by 256": (STORED.astype(int) / 256, "not / 256"),
            "divided by 256 without a rest": (STORED.astype(int) // 256, "nothing tells the lungs"),
            "divided by 127": (STORED // 127, "not / 256"),
            "the mean taken away": (STORED - STORED.mean(), "must be 0 and 1"),
            "minus 1 to 1": (STORED / 127.5 - 1, "must be 0 and 1"),
            "an overflow": (STORED + np.uint8(1), "exchanged"),
            "exchanged": (STORED == 0, "exchanged"),
            "all lung": (np.ones_like(STORED), "nothing tells the lungs"),
            "no lung": (np.zeros_like(STORED), "nothing tells the lungs"),
            "no channel": (STORED[..., 0] / 255, "keep (1, 128, 128, 1)"),
            "no batch": (STORED[0] / 255, "keep (1, 128, 128, 1)"),
            "two maps": (np.concatenate([STORED == 0, STORED > 0], axis=-1), "keep (1, 128, 128, 1)"),
            "half the size": (STORED[:, ::2, ::2] / 255, "keep (1, 128, 128, 1)"),
            "classes": (CLASSES, "3 values"),
            "only the nodule": (CLASSES == 2, "pixels that changed sides"),
            "the lungs without the nodule": (CLASSES == 1, "pixels that changed sides"),
            "smoothed": (ndimage.uniform_filter(STORED / 255.0, (0, 3, 3, 0)), "values; a mask of one class"),
            "mirrored": (LUNGS[:, :, ::-1], "not their places"),
            "upside down": (LUNGS[:, ::-1], "not their places"),
            "turned by 180°": (LUNGS[:, ::-1, ::-1], "not their places"),
            "transposed": (np.swapaxes(LUNGS, 1, 2), "not their places"),
            "turned by 90°": (np.rot90(LUNGS, axes=(1, 2)), "not their places"),
            "shifted": (np.roll(LUNGS, 1, axis=1), "not their places"),
            "the outline": (OUTLINE, "pixels that changed sides"),
            "one lung": (LUNGS & (np.arange(128) < 64)[:, None], "pixels that changed sides"),
            "one pixel missing": (LUNGS & (np.cumsum(LUNGS).reshape(LUNGS.shape) > 1), "changed sides: 1."),
            "a square": (
                np.pad(np.ones((1, 40, 40, 1)), ((0, 0), (44, 44), (44, 44), (0, 0))),
                "pixels that changed sides",
            ),
            "text": (STORED.astype(str), "numbers are expected"),
            "a number": (1, "shape ()"),
        },
    ),
    Exercise(
        "04.3",
        check.steps_per_epoch,
        right={
            "rounded up": lambda slices, size: math.ceil(slices / size),
            "with integers": lambda slices, size: -(-slices // size),
            "one more for the rest": lambda slices, size: slices // size + (slices % size > 0),
            "NumPy": lambda slices, size: np.ceil(slices / size),
            "counted": lambda slices, size: len(range(0, slices, size)),
        },
        wrong={
            "a little less, rounded up": (lambda slices, size: math.ceil(slices / size - 1e-4), "One slice left"),
            "rounded down": (lambda slices, size: slices // size, "rounded down"),
            "cut": (lambda slices, size: int(slices / size), "rounded down"),
            "rounded down, at least one": (lambda slices, size: max(1, slices // size), "rounded down"),
            "rounded to the nearest": (lambda slices, size: round(slices / size), "to the nearest"),
            "rounded half up": (lambda slices, size: int(slices / size + 0.5), "to the nearest"),
            "nine tenths added": (lambda slices, size: int(slices / size + 0.9), "One slice left"),
            "nearly one added": (lambda slices, size: int(slices / size + 0.99), "One slice left"),
            "very nearly one added": (lambda slices, size: int(slices / size + 0.999), "One slice left"),
            "a fraction": (lambda slices, size: slices / size, "no fractions"),
            "multiplied": (lambda slices, size: slices * size, "Divide"),
            "always one more": (lambda slices, size: slices // size + 1, "divide evenly"),
            "one more from the fraction on": (lambda slices, size: math.ceil(slices / size + 1), "round up"),
            "upside down": (lambda slices, size: math.ceil(size / slices), "upside down"),
            "the rest": (lambda slices, size: slices % size, "left for the last batch"),
            "always batches of 16": (lambda slices, size: math.ceil(slices / 16), "need not be 16"),
            "the slices": (lambda slices, size: slices, "round up"),
            "1": (lambda slices, size: 1, "round up"),
            "ten epochs": (lambda slices, size: 10 * math.ceil(slices / size), "round up"),
            "text": (lambda slices, size: str(math.ceil(slices / size)), "a number was expected"),
            "steps and rest": (lambda slices, size: divmod(slices, size), "one number was expected"),
        },
    ),
    Exercise(
        "04.4",
        check.which_curve,
        right={
            "the words": CURVES,
            "in another order": dict(reversed(CURVES.items())),
            "capital letters": {name: word.upper() for name, word in CURVES.items()},
        },
        wrong={
            "nothing yet": (dict.fromkeys("ABC", ...), "Not yet: replace each ... by 'healthy', 'overfits' or"),
            "one open": (CURVES | {"B": ...}, "Not yet: replace each"),
            "A and C exchanged": (
                CURVES | {"A": "healthy", "C": "too slow"},
                "'A' is not 'healthy': both of its curves",
            ),
            "A and B exchanged": (CURVES | {"A": "overfits", "B": "too slow"}, "'A' is not 'overfits'"),
            "B and C exchanged": (
                CURVES | {"B": "healthy", "C": "overfits"},
                "'B' is not 'healthy': its training loss goes on",
            ),
            "moved on by one": (dict(zip("BCA", CURVES.values(), strict=True)), "'A' is not 'healthy'"),
            "moved back by one": (dict(zip("CAB", CURVES.values(), strict=True)), "'A' is not 'overfits'"),
            "A overfits": (CURVES | {"A": "overfits"}, "hardly moved"),
            "A healthy": (CURVES | {"A": "healthy"}, "hardly moved"),
            "B healthy": (CURVES | {"B": "healthy"}, "does not"),
            "B too slow": (CURVES | {"B": "too slow"}, "does not"),
            "C overfits": (CURVES | {"C": "overfits"}, "fall together"),
            "C too slow": (CURVES | {"C": "too slow"}, "fall together"),
            "another word": (CURVES | {"C": "great"}, "'great' for 'C' is none of"),
            "one answer": ({"A": "healthy"}, "'B' is missing, 'C' is missing"),
            "a list": (list(CURVES.values()), "keep the dictionary"),
            "a set": (set(CURVES.values()), "keep the dictionary"),
        },
    ),
]
