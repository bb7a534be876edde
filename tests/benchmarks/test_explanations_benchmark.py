"""What benchmarks/explanations.py plants, and how it scores."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from unet_helpers.data import Subset

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location(
        "explanations_benchmark", ROOT / "benchmarks" / "explanations.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def a_subset():
    masks = np.ones((2, 64, 64), np.uint8)
    masks[0, 30:32, 20:22], masks[0, 50:53, 40:43] = 2, 2
    names = np.array(["a", "b"])
    return Subset(np.full((2, 64, 64, 1), 0.3, np.float32), masks, names, names, np.ones((2, 2)))


def test_a_mark_stands_above_each_nodule_of_those_who_carry_one(script):
    subset = a_subset()
    images = script.with_marks(subset, np.array([True, False]))
    changed = images != subset.images
    assert not changed[1].any()
    assert changed.sum() == 2 * 16
    assert set(images[changed].tolist()) == {0, 1}
    assert not (changed[..., 0] & (subset.masks == 2)).any()
    assert changed[0, 21:26, 18:24].sum() == 16


def test_marks_without_a_meaning_stand_elsewhere(script):
    subset = a_subset()
    images = script.with_marks(subset, np.array([True, False]), np.random.default_rng(0))
    assert 16 < (images != subset.images).sum() <= 2 * 16


def test_the_largest_piece_of_a_nodule_comes_first(script):
    found = script.pieces(a_subset().masks[0] == 2)
    assert [piece.sum() for piece in found] == [9, 4]


def test_pointing_shares_a_hit_among_the_brightest(script):
    maps = np.array([[[2.0, 2.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    where = np.array([[[True, False], [True, True]], [[True, False], [False, False]]])
    assert script.points_at(maps, where) == pytest.approx([0.5, 0.25])


def test_like_maps_have_a_likeness_of_one(script):
    maps = np.random.default_rng(0).random((2, 16, 16))
    assert script.likeness(maps, 3 * maps) == pytest.approx([1, 1])
