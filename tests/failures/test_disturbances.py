"""Disturbances: strength none changes nothing, masks move with their images, and each does what its unit says."""

import numpy as np
import pytest
from atlas import summarize_change

from unet_helpers.data import Subset
from unet_helpers.failures import DISTURBANCES, disturb


def subset(seed=0):
    random = np.random.default_rng(seed)
    images = np.full((2, 64, 64, 1), -850.0) + 20 * random.standard_normal((2, 64, 64, 1))
    masks = np.zeros((2, 64, 64), np.uint8)
    masks[:, 20:36, 30:42] = 1
    images[masks == 1] += 900
    return Subset(
        images.astype(np.float32), masks, np.array(["A", "B"]), np.array(["a", "b"]), np.full((2, 2), [2.0, 2.0])
    )


@pytest.mark.parametrize("name", DISTURBANCES)
def test_the_first_strength_is_none_and_the_others_change_the_image_more_and_more(name):
    given = subset()
    changes = [np.abs(disturb(given, name, s).images - given.images).mean() for s in DISTURBANCES[name].levels]
    assert changes[0] < 1e-3
    assert (np.diff(changes[:4]) > 0).all()  # the strongest shift moves most of the object out of the image


@pytest.mark.parametrize("name", DISTURBANCES)
def test_masks_move_where_the_image_moves_and_only_there(name):
    given = subset()
    moved = disturb(given, name, DISTURBANCES[name].levels[2])
    assert moved.masks.dtype == np.uint8
    assert np.array_equal(moved.masks, given.masks) == (name not in ("rotation", "shift"))
    if name in ("rotation", "shift"):
        bright = moved.images[..., 0] > -400
        assert (bright & (moved.masks == 1)).sum() > 0.95 * (bright | (moved.masks == 1)).sum()


def test_each_strength_is_in_its_unit():
    given = subset()
    assert np.std(disturb(given, "noise", 100).images - given.images) == pytest.approx(100, rel=0.05)
    assert np.ptp(disturb(given, "contrast", 0.2).images) == pytest.approx(0.2 * np.ptp(given.images), rel=1e-3)
    rows = lambda mask: np.flatnonzero(mask[0].any(axis=1))  # noqa: E731
    assert rows(given.masks)[0] - rows(disturb(given, "shift", 20).masks)[0] == 10  # 20 mm, 2 mm each
    lost = (disturb(given, "missing rows", 0.4).images == -1000).all(axis=(2, 3))
    assert 0.25 < lost.mean() < 0.55
    # a step is spread over 4 mm, which are 2 pixels
    edge = np.tile(np.where(np.arange(64) < 32, -1000.0, 0.0), (2, 64, 1))[..., None]
    spread = disturb(Subset(edge, *list(vars(given).values())[1:5]), "blur", 4).images[0, 32, :, 0]
    assert np.interp(-1000 * (1 - 0.841), spread[24:40], np.arange(24, 40)) == pytest.approx(33.5, abs=0.1)


def test_the_same_seed_disturbs_alike_and_bad_input_is_an_error():
    given = subset()
    assert np.array_equal(disturb(given, "noise", 50, seed=1).images, disturb(given, "noise", 50, seed=1).images)
    assert not np.array_equal(disturb(given, "noise", 50, seed=1).images, disturb(given, "noise", 50, seed=2).images)
    with pytest.raises(ValueError, match="choose one of"):
        disturb(given, "fog", 1)
    given.images = given.images / 1500
    with pytest.raises(ValueError, match="give HU"):
        disturb(given, "noise", 50)


def test_a_change_is_that_of_the_same_patients():
    found = summarize_change({"A": 0.5, "B": 0.7, "C": np.nan}, {"A": 0.6, "B": 0.8, "C": 0.9})
    assert (found["dice"], found["change"]) == (0.6, -0.1)
    assert (found["change_low"], found["change_high"]) == (-0.1, -0.1)
    assert found["dice_low"] < 0.6 < found["dice_high"]
