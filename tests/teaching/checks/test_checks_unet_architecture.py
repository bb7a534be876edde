"""The self-checks of notebook 03: starter, right answer, and the wrong answers that people give."""

import keras
import pytest
from keras import layers

from unet_helpers.teaching.checks import unet_architecture as check


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda k, i, o: k * k * i * o + o, "Right."),
        (lambda k, i, o: k * k * i * o, "biases are missing"),
        (lambda k, i, o: k * k * i * o + 1, "one bias for each channel"),
        (lambda k, i, o: k * k * o + o, "all incoming channels"),
        (lambda k, i, o: k * i * o + o, "a square"),
        (lambda k, i, o: k * k * i + o, "one filter"),
        (lambda k, i, o: 0, "size × size × channels_in weights"),
        (lambda k, i, o: 1 / 0, "raised ZeroDivisionError"),
    ],
)
def test_parameters_of_conv(said, answer, verdict):
    assert verdict in said(check.parameters_of_conv, answer)


def test_parameters_of_conv_agree_with_keras():
    layer = layers.Conv2D(7, 2)
    layer.build((None, 8, 8, 5))
    assert layer.count_params() == 2 * 2 * 5 * 7 + 7


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda size, depth: -(-size // 2**depth) * 2**depth, "Right."),
        (lambda size, depth: size // 2**depth * 2**depth, "rounded down"),
        (lambda size, depth: size // 2**depth * 2**depth + 2**depth, "needs no padding"),
        (lambda size, depth: size + -size % (2 * depth), "not 2 times depth"),
        (lambda size, depth: size + -size % 16, "depth 4 only"),
        (lambda size, depth: -size % 2**depth, "give the new size"),
        (lambda size, depth: 512, "smallest multiple"),
    ],
)
def test_padded_size(said, answer, verdict):
    assert verdict in said(check.padded_size, answer)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda kernels: 1 + sum(k - 1 for k in kernels), "Right."),
        (sum, "windows overlap"),
        (lambda kernels: 3 if kernels == [3] else 5 if kernels == [5] else 9, "grows by addition"),
        (lambda kernels: sum(k - 1 for k in kernels), "Count the pixel itself"),
        (lambda kernels: (1 + sum(k - 1 for k in kernels)) ** 2, "give its side"),
        (lambda kernels: 99, "Start from 1"),
    ],
)
def test_receptive_field(said, answer, verdict):
    assert verdict in said(check.receptive_field, answer)


def unet(poolings=2, joins=2, strides=(2, 2)):
    """A two-level U-Net, with the mistakes that the exercise meets."""
    inputs = keras.Input((64, 64, 1))
    high = layers.Conv2D(4, 3, padding="same")(inputs)
    middle = layers.Conv2D(4, 3, padding="same")(layers.MaxPooling2D(2)(high) if poolings else high)
    x = layers.MaxPooling2D(2)(middle) if poolings > 1 else middle
    for skip, stride, joined in ((middle, strides[0], joins > 1), (high, strides[1], joins > 0)):
        x = layers.Conv2DTranspose(4, 2, strides=stride, padding="same")(x)
        x = layers.Concatenate()([skip, x]) if joined else x
    return keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(x))


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (unet, "Right. 2 poolings, 2 skip connections."),
        (lambda: unet(joins=1), "hands nothing over"),
        (lambda: unet(poolings=1, strides=(1, 2)), "only 1 pooling is left"),
        (lambda: unet(joins=0, strides=(2, 1)), "the output is 32×32"),
        (lambda: unet(joins=1, strides=(2, 1)), "Not yet: the maps to be joined still differ"),
        (lambda: "a model", "not a keras.Model"),
    ],
)
def test_repaired_unet(said, answer, verdict):
    assert verdict in said(check.repaired_unet, answer)
