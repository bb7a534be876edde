"""What the timing benchmarks compute from their runs: when a goal was reached and kept, and how much work a step is."""

import keras
import numpy as np
import pytest
import throughput
import time_to_dice

from unet_helpers import UNet, dice


def curve(*scores):
    return [{"seconds": 10.0 * (i + 1), "steps": i, "lung": lung, "nodule": 0.0} for i, lung in enumerate(scores)]


@pytest.mark.parametrize(
    ("scores", "reached"),
    [
        ((0.5, 0.96, 0.97), 20.0),
        ((0.96, 0.97), 10.0),
        ((0.96, 0.9, 0.97), 30.0),  # reached, but not kept
        ((0.96, 0.97, 0.94), None),
        ((0.95,), 10.0),
    ],
)
def test_reached_means_reached_and_kept(scores, reached):
    row = time_to_dice.summarize(curve(*scores))
    assert row["lung_reached"] == reached
    assert row["nodule_reached"] is None
    assert row["lung_best"] == max(scores)


def test_ratios_are_to_ours_and_none_where_a_peer_never_arrives():
    rows = [
        {"contestant": "ours", "lung_reached": 10.0, "nodule_reached": None},
        {"contestant": "a", "lung_reached": 35.0, "nodule_reached": 80.0},
        {"contestant": "b", "lung_reached": None, "nodule_reached": None},
    ]
    assert time_to_dice.ratios(rows) == {"lung": {"a": 3.5, "b": None}}


def test_ratios_are_those_of_medians_over_seeds():
    times = {"ours": (9.0, 30.0, 10.0), "two of three": (25.0, None, 20.0), "one of three": (None, 11.0, None)}
    rows = [
        {"contestant": who, "seed": seed, "lung_reached": taken, "nodule_reached": None}
        for who, runs in times.items()
        for seed, taken in enumerate(runs)
    ]
    assert time_to_dice.ratios(rows) == {"lung": {"two of three": 2.5, "one of three": None}}


def test_scores_are_taken_more_rarely_as_time_goes_on():
    assert not time_to_dice.is_due(1.4, [], 1.5)
    assert time_to_dice.is_due(1.5, [], 1.5)
    late = [{"seconds": 120.0}]
    assert not time_to_dice.is_due(129.0, late, 1.5)
    assert time_to_dice.is_due(130.1, late, 1.5)


def test_dice_is_per_patient_and_leaves_out_who_has_none_of_the_class():
    rng = np.random.default_rng(0)
    masks, found = rng.integers(3, size=(2, 6, 8, 8))
    patients = np.repeat(["a", "b", "c"], 2)
    masks[4:] = np.minimum(masks[4:], 1)  # c has no nodule
    scores = time_to_dice.dice_by_class(masks, found, patients)
    expected = np.mean([dice(masks[i : i + 2] == 2, found[i : i + 2] == 2) for i in (0, 2)])
    assert scores["nodule"] == pytest.approx(expected, abs=1e-4)
    assert scores["lung"] == pytest.approx(
        np.mean([dice(masks[i : i + 2] == 1, found[i : i + 2] == 1) for i in (0, 2, 4)]), abs=1e-4
    )


@pytest.mark.parametrize("name", ["plain U-Net", "keras.io", "ours"])
def test_a_contestant_can_be_trained(name):
    train = {"images": np.zeros((2, 128, 128, 1), np.float32), "masks": np.zeros((2, 128, 128), np.uint8)}
    train["masks"][:, 40:60, 40:60], train["masks"][:, 50:55, 50:55] = 1, 2
    network, batches, *_ = time_to_dice.CONTESTANTS[name](train)
    images, targets = next(iter(batches))
    assert images.shape[1:] == network.input_shape[1:] or network.input_shape[1] is None
    assert targets.shape[-1] == network.output_shape[-1] == 3
    assert network.optimizer is not None


def test_the_work_of_a_step_is_that_of_the_layers():
    """Counted again from the layers that Keras built: multiply and add for every tap of every output pixel."""
    setting = {"size": 32, "batch_size": 2, "base_filters": 4, "depth": 2}
    work = 0
    for layer in UNet((32, 32, 1), 3, base_filters=4, depth=2).layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):  # stride 2, kernel 2: every input pixel makes 2×2 outputs
            work += 2 * layer.kernel.numpy().size * np.prod(layer.input.shape[1:3])
        elif isinstance(layer, keras.layers.Conv2D):
            work += 2 * layer.kernel.numpy().size * np.prod(layer.output.shape[1:3])
    assert throughput.training_flops(**setting) == 3 * setting["batch_size"] * work
