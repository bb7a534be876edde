"""The self-checks of notebook 10: starter, right answer, and the wrong answers that people give."""

import numpy as np
import pytest

from unet_helpers.teaching.checks import volumes_and_3d_unet as check


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda mask, spacing: mask.sum() * np.prod(spacing) / 1000, "Right."),
        (lambda mask, spacing: mask.sum(), "counts voxels"),
        (lambda mask, spacing: mask.sum() * np.prod(spacing), "mm³"),
        (lambda mask, spacing: mask.sum() * np.prod(spacing) / 100, "10 × 10 × 10"),
        (lambda mask, spacing: mask.sum() * spacing[1] ** 3 / 1000, "no cube"),
        (lambda mask, spacing: mask.sum() * spacing[1] * spacing[2] / 1000, "slice distance is missing"),
        (lambda mask, spacing: mask.sum() * sum(spacing) / 1000, "added the three"),
        (lambda mask, spacing: mask.size * np.prod(spacing) / 1000, "whole array"),
        (lambda mask, spacing: 1.0, "Count the voxels"),
        (lambda mask, spacing: mask.no_such_thing, "AttributeError"),
    ],
)
def test_volume(said, answer, verdict):
    assert verdict in said(check.volume, answer)


def field(grow=True, bottom=True, pool=True, convolutions=4, mm=True, start=1, always_two=False):
    def answer(factors, spacing):
        side, step = start, 1
        for factor in factors:
            factor = 2 if always_two else factor
            side += convolutions * step + (factor - 1) * step * pool
            step *= factor if grow else 1
        side += convolutions * step * bottom
        return side * spacing if mm else side

    return answer


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (field(), "Right."),
        (field(mm=False), "number of voxels"),
        (field(grow=False), "let step grow"),
        (field(bottom=False), "bottleneck"),
        (field(pool=False), "factor − 1"),
        (field(convolutions=2), "two convolutions, and each"),
        (field(always_two=True), "factors that are given"),
        (field(start=0), "Start with 1"),
        (lambda factors, spacing: 3.3, "Per level"),
    ],
)
def test_receptive_field(said, answer, verdict):
    assert verdict in said(check.receptive_field, answer)


def test_the_field_is_what_a_gradient_through_the_network_reaches():
    import keras
    import tensorflow as tf

    from unet_helpers import UNet3D

    pool_sizes = [(1, 2, 2), (2, 2, 2)]
    keras.utils.set_random_seed(0)
    network = UNet3D((40, 64, 64, 1), 1, base_filters=2, depth=2, batch_norm=False, pool_sizes=pool_sizes)
    bottleneck = keras.Model(network.input, network.get_layer("bottleneck_conv2").output)
    for layer in bottleneck.layers:  # all weights positive, so that no path is cut by a ReLU or lost at a maximum
        layer.set_weights([np.abs(weights) + 0.01 for weights in layer.get_weights()])
    volume = tf.Variable(np.random.default_rng(0).random((1, 40, 64, 64, 1)).astype("float32"))
    reached = np.zeros((40, 64, 64), bool)
    with tf.GradientTape() as tape:
        middle = tf.reduce_sum(bottleneck(volume)[0, 10, 8, 8])
    reached = np.asarray(tape.gradient(middle, volume))[0, ..., 0] != 0
    for axis, factors in enumerate(zip(*pool_sizes, strict=True)):
        others = tuple(other for other in range(3) if other != axis)
        seen = np.flatnonzero(reached.any(axis=others))
        # a maximum takes one of the voxels that it sees, so that the outermost may be left out
        assert check._field(factors) - 4 <= seen[-1] - seen[0] + 1 <= check._field(factors)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda patch, border: 2 * border / patch, "Right."),
        (lambda patch, border: 2 * border, "Those are voxels"),
        (lambda patch, border: border / patch, "both patches have a border"),
        (lambda patch, border: 1 - 2 * border / patch, "step from patch to patch"),
        (lambda patch, border: 1.0, "never move"),
        (lambda patch, border: 0.9, "smaller overlap"),
        (lambda patch, border: 0.01, "good middles"),
    ],
)
def test_overlap(said, answer, verdict):
    assert verdict in said(check.overlap, answer)
