"""The scripts in benchmarks/: their parts, small. What they measure stands in book/results."""

import argparse
import importlib.util
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from unet_helpers import load_dataset

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
