"""The scripts in benchmarks/: their parts, small. What they measure stands in book/results."""

import argparse
import importlib.util
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import binary_dilation

from unet_helpers import load_dataset
from unet_helpers.datasets import Subset

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def script(name):
    """A file of benchmarks/ as a module."""
    specification = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_lung_network_gives_a_probability_for_each_pixel():
    network = script("train_on_phantom").build_network(64, 4, 2)
    found = network.predict(np.random.default_rng(0).random((2, 64, 64, 1), dtype=np.float32), verbose=0)
    assert found.shape == (2, 64, 64, 1)
    assert 0 <= found.min() < found.max() <= 1


def test_training_on_archive_patients_stops_at_the_deadline_and_has_learned(tmp_path, monkeypatch):
    monkeypatch.setenv("UNET_DATA_DIR", str(tmp_path))
    module = script("train_on_phantom")
    data = load_dataset("phantom", variety="archive", size=64, patients=6, slices=6, window=None)
    network = module.build_network(64, 8, 2)
    lung = data.train.masks > 0
    arguments = argparse.Namespace(learning_rate=3e-3, seed=0)
    began = time.perf_counter()
    module.fit(network, data, arguments, deadline=began + 25)
    assert 20 < time.perf_counter() - began < 60
    from unet_helpers.display import show_in_random_windows

    found = network.predict(show_in_random_windows(data.train.images), verbose=0)[..., 0]
    assert found[lung].mean() > found[~lung].mean() + 0.2


def test_synthetic_crops_are_48_pixels_in_0_1_and_some_hold_a_nodule_in_the_middle():
    module = script("transfer")
    images, masks = (np.concatenate(arrays) for arrays in zip(*map(module._crops_of_patient, (0, 1)), strict=True))
    assert images.shape == (len(masks), 48, 48, 1)
    assert masks.shape[1:] == (48, 48)
    assert images.dtype == np.float32
    assert 0 <= images.min() < images.max() <= 1
    holds = masks.any(axis=(1, 2))
    assert 0 < holds.sum() < len(masks)
    rows, columns = np.nonzero(masks[holds].any(axis=0))
    assert rows.mean() == pytest.approx(23.5, abs=8)
    assert columns.mean() == pytest.approx(23.5, abs=8)
    # a nodule is brighter than most of what lies close around it
    for image, mask in zip(images[holds][..., 0], masks[holds], strict=True):
        around = binary_dilation(mask, iterations=4) & ~binary_dilation(mask)
        assert image[mask].mean() > np.median(image[around]) + 0.05


def test_the_3d_benchmark_measures_a_patient_whole_and_by_slice():
    module = script("volumes_3d")
    truth = np.zeros((4, 8, 8), np.uint8)
    truth[:, 2:6, 2:6] = 1
    truth[1:3, 3:5, 3:5] = 2
    found = truth.copy()
    found[2, 3:5, 3:5] = 1  # half of the nodule is missed
    found[0, 7, 7] = 2  # and one voxel beside it is too much
    measured = module.measures([found], [truth], np.array([[5.0, 1.0, 2.0]]))
    assert measured["lung_ml"][0] == pytest.approx(65 * 10 / 1000)  # nodules are part of the lung
    assert measured["nodule_ml"][0] == pytest.approx(5 * 10 / 1000)
    assert measured["nodule_dice"][0] == pytest.approx(2 * 4 / (8 + 5))
    assert measured["nodule_slice_dice"][0] == pytest.approx((0 + 1 + 0) / 3)
    assert [measured[name][0] for name in ("nodules", "nodules_found", "false_objects")] == [1, 1, 1]
    summary = module.summarize([module.measures([found] * 2, [truth] * 2, [(5.0, 1.0, 2.0)] * 2)] * 3)
    assert summary["nodule_dice_by_patient"] == dict.fromkeys(("P025", "P026"), pytest.approx(8 / 13, abs=1e-3))
    assert list(summary["nodule_ml_by_seed"]) == ["seed 0", "seed 1", "seed 2"]


@pytest.mark.parametrize("kind", ["2D", "2.5D", "3D"])
def test_each_network_of_the_3d_benchmark_trains_on_its_batches_and_predicts_a_volume(kind, monkeypatch):
    module = script("volumes_3d")
    monkeypatch.setattr(module, "PATCHES", {"2D": (2, (1, 16, 16)), "2.5D": (2, (1, 16, 16)), "3D": (1, (8, 16, 16))})
    random = np.random.default_rng(0)
    volumes, masks = random.random((2, 8, 16, 16)), random.integers(0, 3, (2, 8, 16, 16)).astype(np.uint8)
    network = module.train_network(kind, volumes, masks, steps=2, seed=0)
    assert module.predict_volume(network, kind, volumes[0]).shape == (8, 16, 16)


def test_the_peak_of_memory_is_seen():
    assert script("volumes_3d").peak_during(lambda: (np.ones(2**24), time.sleep(0.05))) > 0.9 * 2**27


def test_scores_of_losses_count_patients_with_a_nodule_and_the_threshold_is_the_best_of_the_grid():
    module = script("losses")
    masks = np.zeros((3, 8, 8), np.uint8)
    masks[0, 2:4, 2:4], masks[1, 4:6, 4:6] = 1, 1
    subset = Subset(
        np.zeros((3, 8, 8, 1), np.float32), masks, np.array(list("ABC")), np.array(list("abc")), np.full((3, 2), 3.0)
    )
    probabilities = np.where(masks, 0.15, 0.01)
    probabilities[2, 0, 0] = 0.9  # a false alarm in the patient without a nodule
    at_half = module.scores(probabilities, subset, 0.5)
    assert at_half["dice"].to_dict() == {"A": 0, "B": 0}
    assert (at_half["recall"], at_half["precision"]) == (0, 0)
    chosen = module.best_threshold(probabilities, subset)
    assert 0.01 < chosen <= 0.15
    assert module.scores(probabilities, subset, chosen)["dice"].to_dict() == {"A": 1, "B": 1}
    assert module.scores(probabilities, subset, chosen)["precision"] == pytest.approx(8 / 9)
    by_hand = -(8 * np.log(0.15) + 183 * np.log(0.99) + np.log(0.1)) / 192
    assert module.crossentropy(probabilities, masks) == pytest.approx(by_hand)


def test_losses_are_summed_up_over_seeds_first_and_a_seed_without_a_value_is_none():
    module = script("losses")
    shared = {"crossentropy": 0.01, "accuracy": 0.999, "recall": 0.5, "chosen_threshold": 0.5}
    runs = [
        {"dice": pd.Series(dice), "dice_at_chosen": pd.Series(dice), "precision": precision, **shared}
        | {"training_curve": [0.1, dice[0]]}
        for dice, precision in (([0.2, 0.4, 0.9], np.nan), ([0.4, 0.6, 0.9], 0.8))
    ]
    row = module.summarize(runs)
    assert row["dice"] == pytest.approx(np.mean([0.3, 0.5, 0.9]), abs=1e-3)
    assert row["dice_seeds"] == [0.5, 0.633]
    assert row["dice_low"] < row["dice"] < row["dice_high"]
    assert row["precision_seeds"] == [None, 0.8]
    assert row["training_curve"] == [0.1, 0.3]
