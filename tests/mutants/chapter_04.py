"""Notebook 04."""

import math

import numpy as np
import pandas as pd
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

#: curves of train_small(learning_rate, slices), as trained once
TRAINED = {
    (1e-05, 128): {"loss": [1.78, 1.77, 1.77, 1.77, 1.76, 1.76], "val_loss": [1.59, 1.72, 1.77, 1.79, 1.79, 1.79]},
    (1e-05, 1): {"loss": [1.92, 1.91, 1.91, 1.9, 1.9, 1.89], "val_loss": [1.62, 1.81, 1.92, 1.95, 1.96, 1.96]},
    (0.0001, 128): {"loss": [1.76, 1.73, 1.7, 1.67, 1.63, 1.59], "val_loss": [1.58, 1.68, 1.69, 1.68, 1.64, 1.6]},
    (0.001, 128): {"loss": [1.64, 1.34, 1.17, 1.09, 1.02, 0.96], "val_loss": [1.6, 1.39, 1.13, 1.07, 1.01, 0.94]},
    (0.003, 128): {"loss": [1.43, 1.06, 0.89, 0.72, 0.57, 0.43], "val_loss": [1.94, 1.03, 0.81, 0.63, 0.48, 0.38]},
    (0.01, 1): {"loss": [1.46, 0.92, 0.44, 0.12, 0.03, 0.02], "val_loss": [1.22, 0.77, 0.72, 0.94, 1.16, 1.21]},
    (0.01, 128): {"loss": [1.16, 0.58, 0.24, 0.11, 0.07, 0.05], "val_loss": [2.68, 0.39, 0.12, 0.1, 0.06, 0.07]},
    (0.02, 1): {"loss": [1.28, 0.42, 0.04, 0.01, 0.0, 0.0], "val_loss": [1.17, 1.3, 1.56, 1.38, 1.29, 1.33]},
    (0.02, 16): {"loss": [0.98, 0.24, 0.11, 0.07, 0.05, 0.05], "val_loss": [4.46, 0.2, 0.77, 0.11, 0.07, 0.05]},
    (0.02, 128): {"loss": [0.95, 0.21, 0.07, 0.05, 0.04, 0.04], "val_loss": [3.85, 0.12, 0.06, 0.06, 0.04, 0.03]},
    (1, 128): {"loss": [1.26, 0.87, 0.62, 0.21, 0.14, 0.18], "val_loss": [7923.0, 41.4, 1.78, 3.01, 0.91, 0.66]},
}
MENDED = {"A": TRAINED[1e-2, 128], "B": TRAINED[2e-2, 128]}

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
        check.start_bias,
        right={
            "logarithm": np.log,
            "one by one": lambda shares: [math.log(share) for share in shares],
            "against the background": lambda shares: np.log(shares / shares[0]),
            "of pixels": lambda shares: np.log(16384 * shares),
            "minus the mean": lambda shares: np.log(shares) - np.log(shares).mean(),
        },
        wrong={
            "the shares": (lambda shares: shares, "shares themselves"),
            "the sign turned": (lambda shares: -np.log(shares), "sign is turned"),
            "base 10": (np.log10, "base 10"),
            "base 2": (np.log2, "base 2"),
            "of 1 + share": (np.log1p, "log1p"),
            "the power itself": (np.exp, "goes the wrong way"),
            "logit": (lambda shares: np.log(shares / (1 - shares)), "undoes a sigmoid"),
            "divided by its sum": (lambda shares: np.log(shares) / np.log(shares).sum(), "do not divide"),
            "divided by the number": (lambda shares: np.log(shares) / len(shares), "do not divide"),
            "divided by its largest": (lambda shares: np.log(shares) / np.abs(np.log(shares)).max(), "do not divide"),
            "sorted": (lambda shares: np.log(np.sort(shares)), "another order"),
            "backward": (lambda shares: np.log(shares)[::-1], "another order"),
            "reciprocal": (lambda shares: 1 / shares, "undoes a power of e"),
            "square root": (np.sqrt, "undoes a power of e"),
            "zeros": (np.zeros_like, "undoes a power of e"),
            "rounded to one place": (lambda shares: np.log(shares).round(1), "undoes a power of e"),
            "a small number added": (lambda shares: np.log(shares + 1e-3), "undoes a power of e"),
            "always three": (lambda shares: np.log([0.8780, 0.1215, 0.0005]), "one number for each class"),
            "three, cut": (lambda shares: np.log(np.resize([0.8780, 0.1215, 0.0005], len(shares))), "not 0.6, 0.4"),
            "their sum": (lambda shares: np.log(shares).sum(), "shape ()"),
            "without the background": (lambda shares: np.log(shares[1:]), "one number for each class"),
            "as a column": (lambda shares: np.log(shares)[:, None], "one number for each class"),
            "a share of 0": (lambda shares: np.where(shares < 0.01, -np.inf, np.log(shares)), "finite"),
            "as text": (lambda shares: [str(number) for number in np.log(shares)], "one number for each class"),
            "a generator": (lambda shares: (math.log(share) for share in shares), "one number for each class"),
            "in place": (lambda shares: np.log(shares, out=shares), "changes what it is given"),
        },
    ),
    Exercise(
        "04.4",
        check.mended,
        right={
            "a rate for A, slices for B": MENDED,
            "the same for both": {"A": TRAINED[2e-2, 128], "B": TRAINED[2e-2, 128]},
            "fewer slices": MENDED | {"B": TRAINED[2e-2, 16]},
            "a table": {name: pd.DataFrame(run) for name, run in MENDED.items()},
        },
        wrong={
            "nothing yet": ({"A": ..., "B": ...}, "Not yet: replace the ... of A and B"),
            "B open": (MENDED | {"B": ...}, "Not yet: replace the ... of B"),
            "as they were": ({"A": TRAINED[1e-5, 128], "B": TRAINED[2e-2, 1]}, "steps are too small"),
            "only A": (MENDED | {"B": TRAINED[2e-2, 1]}, "by heart"),
            "only B": (MENDED | {"A": TRAINED[1e-5, 128]}, "steps are too small"),
            "exchanged": ({"A": TRAINED[2e-2, 1], "B": TRAINED[1e-5, 128]}, "by heart"),
            "A with a single slice": (MENDED | {"A": TRAINED[1e-5, 1]}, "steps are too small"),
            "A ten times as fast": (MENDED | {"A": TRAINED[1e-4, 128]}, "steps are too small"),
            "A a hundred times as fast": (MENDED | {"A": TRAINED[1e-3, 128]}, "but slowly"),
            "A three hundred times as fast": (MENDED | {"A": TRAINED[3e-3, 128]}, "but slowly"),
            "A with far too high a rate": (MENDED | {"A": TRAINED[1.0, 128]}, "learning rate is too high"),
            "B with a lower rate": (MENDED | {"B": TRAINED[1e-2, 1]}, "by heart"),
            "no numbers": (MENDED | {"A": dict.fromkeys(("loss", "val_loss"), [np.nan] * 6)}, "too high"),
            "two epochs": (
                MENDED | {"A": {name: run[-2:] for name, run in MENDED["A"].items()}},
                "leave train_small as it is",
            ),
            "its two numbers": (MENDED | {"A": (1e-2, 128)}, "holds no curves"),
            "the last loss": (MENDED | {"B": 0.06}, "holds no curves"),
            "a word": (MENDED | {"A": "too slow"}, "holds no curves"),
            "one training": (MENDED["A"], "keys 'A' and 'B'"),
            "a list": (list(MENDED.values()), "keep the dictionary"),
            "a third": (MENDED | {"C": MENDED["A"]}, "keys 'A' and 'B'"),
        },
    ),
]
