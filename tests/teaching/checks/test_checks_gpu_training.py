"""The self-checks of notebook 04: starter, right answer, and the wrong answers that people give."""

import numpy as np
import pytest

from unet_helpers.teaching.checks import gpu_training as check

STORED = np.zeros((2, 4, 4, 1), dtype=np.int64)
STORED[:, 1:3, 1:3] = 255
CURVES = {"A": "too slow", "B": "overfits", "C": "healthy"}


def pair(one, many):
    return lambda num_classes: one if num_classes == 1 else many


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (pair(("sigmoid", "binary_crossentropy"), ("softmax", "categorical_crossentropy")), "Right."),
        (pair(("softmax", "binary_crossentropy"), 0), "always 1"),
        (pair(("sigmoid", "categorical_crossentropy"), 0), "always 0"),
        (pair(("sigmoid", "binary_crossentropy"), ("softmax", "sparse_categorical_crossentropy")), "class indices"),
        (pair(("sigmoid", "binary_crossentropy"), ("sigmoid", "binary_crossentropy")), "exactly one class"),
        (pair(("sigmoid", "binary_crossentropy"), ("softmax", "binary_crossentropy")), "partner of softmax"),
        (pair("sigmoid", 0), "two names"),
    ],
)
def test_output_and_loss(said, answer, verdict):
    assert verdict in said(check.output_and_loss, answer)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda slices, size: -(-slices // size), "Right."),
        (lambda slices, size: slices // size, "rounded down"),
        (lambda slices, size: slices / size, "no fractions"),
        (lambda slices, size: slices * size, "Divide"),
        (lambda slices, size: slices // size + 1, "divide evenly"),
        (lambda slices, size: 1, "round up"),
    ],
)
def test_steps_per_epoch(said, answer, verdict):
    assert verdict in said(check.steps_per_epoch, answer)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (STORED / 255, "Right."),
        (STORED > 0, "Right."),
        (STORED, "still hold 255"),
        (STORED / 256, "not / 256"),
        (STORED // 256, "lungs are gone"),
        (STORED == 0, "exchanged"),
        (STORED[..., 0] / 255, "keep (N, height, width, 1)"),
        (np.linspace(0, 1, 32).reshape(2, 4, 4, 1), "32 values"),
    ],
)
def test_repaired_targets(said, answer, verdict):
    assert verdict in said(check.repaired_targets, answer)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (CURVES, "Right."),
        (dict.fromkeys("ABC", ...), "Not yet: replace each ... by 'healthy', 'overfits' or 'too slow'."),
        (CURVES | {"A": "healthy", "C": "too slow"}, "'A' is not 'healthy': both of its curves"),
        (CURVES | {"B": "healthy", "C": "overfits"}, "'B' is not 'healthy': its training loss goes on"),
        (CURVES | {"C": "great"}, "'great' for 'C' is none of"),
        ({"A": "healthy"}, "'B' is missing, 'C' is missing"),
    ],
)
def test_which_curve(said, answer, verdict):
    assert verdict in said(check.which_curve, answer)
