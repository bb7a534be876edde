"""What the timing benchmarks compute from their runs: when a goal was reached and kept, and how much work a step is."""

import argparse
import json
import os
import subprocess

import keras
import numpy as np
import pytest
import throughput
import time_to_dice

from unet_helpers import UNet, dice
from unet_helpers.training import TRAINING


def curve(*scores):
    fixed = {"nodule": 0.0, "patients": {"lung": [0.1, 0.2], "nodule": [0.3]}}
    return [{"seconds": 10.0 * (i + 1), "steps": i, "lung": lung, **fixed} for i, lung in enumerate(scores)]


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
    scores = time_to_dice.judge({"masks": masks, "patient_ids": patients}, found)
    assert [len(scores["patients"][name]) for name in ("lung", "nodule")] == [3, 2]
    expected = np.mean([dice(masks[i : i + 2] == 2, found[i : i + 2] == 2) for i in (0, 2)])
    assert scores["nodule"] == pytest.approx(expected, abs=1e-4)
    assert scores["lung"] == pytest.approx(
        np.mean([dice(masks[i : i + 2] == 1, found[i : i + 2] == 1) for i in (0, 2, 4)]), abs=1e-4
    )


@pytest.mark.parametrize(
    ("lungs", "nodules", "settled"),
    [
        ((0.5, 0.9, 0.9, 0.9, 0.9), (0, 0.5, 0.5, 0.5, 0.5), True),  # for 30 of 50 seconds
        ((0.5, 0.9, 0.9, 0.9, 0.9), (0, 0.5, 0.5, 0.5, 0.6), False),
        ((0.5, 0.9, 0.9, 0.9, 0.9), (0, 0.5, 0.5, 0.505, 0.51), True),  # no hundredth of the mean
        ((0.5, 0.9, 0.9, 0.9, 0.9), (0, 0, 0, 0, 0), False),  # no nodule yet
        ((0.5, 0.9, 0.9), (0, 0.5, 0.5), False),  # too early to say
    ],
)
def test_a_training_has_settled_once_it_found_both_and_gets_no_better(lungs, nodules, settled):
    scores = [
        {"seconds": 10.0 * (i + 1), "lung": a, "nodule": b} for i, (a, b) in enumerate(zip(lungs, nodules, strict=True))
    ]
    assert time_to_dice.has_settled(scores, 25) is settled
    assert not time_to_dice.has_settled(scores, 45)


def test_ends_are_compared_patient_by_patient_with_an_interval():
    level = np.array([0.2, 0.4, 0.6, 0.7, 0.9])
    rows = [
        {"contestant": who, "lung_patients": level, "nodule_patients": level + shift + 0.01 * seed}
        for who, shift in (("ours", 0.0), ("peer", -0.1))
        for seed in (-1, 1)
    ]
    found = time_to_dice.ends(rows)
    assert found["ours"]["nodule"]["dice"][0] == pytest.approx(level.mean(), abs=1e-4)
    assert "minus_ours" not in found["ours"]["nodule"]
    assert found["peer"]["nodule"]["minus_ours"] == pytest.approx([-0.1] * 3, abs=1e-4)  # every patient lost as much
    low, high = found["peer"]["nodule"]["dice"][1:]
    assert low < 0.3 < 0.6 < high


def some_slices():
    train = {"images": np.zeros((2, 128, 128, 1), np.float32), "masks": np.zeros((2, 128, 128), np.uint8)}
    train["masks"][:, 40:60, 40:60], train["masks"][:, 50:55, 50:55] = 1, 2
    return train


def test_monais_loss_is_dice_over_all_classes_and_cross_entropy():
    truth = np.eye(3, dtype=np.float32)[np.array([[[0, 0], [1, 2]], [[0, 1], [1, 0]]])]
    found = np.full(truth.shape, 0.2, np.float32) + 0.4 * truth
    by_hand = []
    for t, p in zip(truth.reshape(2, 4, 3), found.reshape(2, 4, 3), strict=True):
        dice = [(2 * (t[:, k] * p[:, k]).sum() + 1e-5) / ((t + p)[:, k].sum() + 1e-5) for k in range(3)]
        by_hand.append(np.mean([1 - one for one in dice]) - np.log(0.6))
    assert np.allclose(time_to_dice.monais_loss(truth, found), by_hand, atol=1e-4)


def test_our_recipe_is_handed_to_another_framework_in_numbers(tmp_path):
    for name in ("train", "validation"):
        np.savez(tmp_path / f"{name}.npz", **some_slices(), patient_ids=np.array(["a", "b"]))
    time_to_dice.save_our_recipe(tmp_path, batches=2)
    recipe, crops = json.loads((tmp_path / "recipe.json").read_text()), np.load(tmp_path / "crops.npz")
    assert crops["images"].shape == (32, 64, 64, 1)
    assert set(np.unique(crops["masks"])) == {0, 1, 2}
    assert max(recipe["rates"]) == pytest.approx(TRAINING["learning_rate"], rel=0.02)
    assert recipe["rates"][0] < max(recipe["rates"]) / 5 > recipe["rates"][-1]
    assert sum(recipe["shares"]) == pytest.approx(1)
    assert (tuple(recipe["class_weights"]), recipe["average"]) == (TRAINING["class_weights"], TRAINING["average"])


@pytest.mark.skipif(
    "UNET_TORCH_PYTHON" not in os.environ, reason="UNET_TORCH_PYTHON names no Python with torch and monai"
)
@pytest.mark.parametrize("name", time_to_dice.TORCH)
def test_a_contestant_of_another_framework_can_be_trained(name, tmp_path):
    for subset in ("train", "validation"):
        slices = {key: np.repeat(array, 8, axis=0) for key, array in some_slices().items()}
        np.savez(tmp_path / f"{subset}.npz", **slices, patient_ids=np.repeat(["a", "b"], 8))
    time_to_dice.save_our_recipe(tmp_path, batches=2)
    python = os.environ["UNET_TORCH_PYTHON"]
    if (
        name == "nnU-Net v2"
        and subprocess.run([python, "-c", "import nnunetv2"], capture_output=True, check=False).returncode
    ):
        pytest.skip("UNET_TORCH_PYTHON has no nnunetv2")
    limits = {"limit": 3, "settle": 60, "every": 1, "torch_python": python, "onednn": "off"}
    scores = time_to_dice.start(name, tmp_path, argparse.Namespace(**limits), seed=0)
    row = time_to_dice.summarize(scores)
    assert row["steps"] > 0
    assert len(row["nodule_patients"]) == 2


@pytest.mark.parametrize("name", ["plain U-Net", "keras.io", "ours", "ours, MONAI's recipe", "ours, plain recipe"])
def test_a_contestant_can_be_trained(name):
    train = some_slices()
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
