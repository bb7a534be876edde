"""What is claimed about pictures of unknown display window: one form for all of them, in training and in use."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from display_network import for_any_size, make_display_augmenter

from unet_helpers import dice, prepare_display_slice
from unet_helpers.data import WINDOWS, draw_window, show_in_random_windows
from unet_helpers.phantom import make_patient

SHAPE = (64, 64)


@pytest.fixture(scope="module")
def patient():
    return make_patient(0, index=1, size=64, slices=4, variety="archive")


@pytest.fixture
def picture():
    """An 8-bit picture of a slice in which nothing is clipped."""
    row, column = np.mgrid[:64, :64]
    return (20 + 40 * np.hypot(row - 32, column - 20) / 32 + 30 * ((row // 8 + column // 8) % 2)).astype(np.uint8)


# ---------------------------------------------------------------- prepare_display_slice


@pytest.mark.parametrize("shape", [(64, 64), (100, 70), (512, 512), (33, 200)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_any_gray_picture_becomes_float32_in_0_to_1_of_the_asked_shape(shape, dtype):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    out = prepare_display_slice(pixels, (64, 48))
    assert out.shape == (64, 48)
    assert out.dtype == np.float32
    assert out.min() == 0
    assert out.max() == 1


def test_gray_colors_and_alpha_give_what_gray_gives(picture):
    gray = prepare_display_slice(picture, SHAPE)
    colors = np.repeat(picture[..., None], 3, axis=-1)
    alpha = np.random.default_rng(0).integers(0, 256, (64, 64, 1), np.uint8)
    for same in (picture[..., None], colors, np.concatenate([colors, alpha], axis=-1)):
        np.testing.assert_allclose(prepare_display_slice(same, SHAPE), gray, atol=1e-5)


def test_colors_are_averaged():
    colors = np.zeros((64, 64, 3), np.uint8)
    colors[:, :32] = (90, 0, 0)
    colors[:, 32:] = (20, 30, 100)  # 50 on average, against 30
    out = prepare_display_slice(colors, SHAPE)
    assert (out[:, :32] == 0).all()
    assert (out[:, 32:] == 1).all()


@pytest.mark.parametrize("value", [0, 200, 255])
@pytest.mark.parametrize("shape", [(64, 64), (97, 131)])
def test_picture_of_one_value_becomes_0(value, shape):
    assert (prepare_display_slice(np.full(shape, value, np.uint8), SHAPE) == 0).all()
    assert (prepare_display_slice(np.full(shape, value / 255), SHAPE) == 0).all()


def test_few_bright_pixels_on_black_stay_visible():
    pixels = np.zeros((64, 64), np.uint8)
    pixels[30:33, 30:33] = 40  # fewer than half a percent
    out = prepare_display_slice(pixels, SHAPE)
    np.testing.assert_array_equal(out == 1, pixels == 40)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_refused(bad):
    pixels = np.zeros((64, 64))
    pixels[3, 4] = bad
    with pytest.raises(ValueError, match="NaN or infinite"):
        prepare_display_slice(pixels, SHAPE)


@pytest.mark.parametrize("shape", [(64,), (2, 64, 64, 1), (64, 64, 2), (64, 64, 5), (0, 64)])
def test_what_is_no_slice_is_refused(shape):
    with pytest.raises(ValueError, match="give one slice"):
        prepare_display_slice(np.zeros(shape), SHAPE)


@pytest.mark.parametrize("shape", [(64,), (100, 64), (64, 0), (8, 8)])
def test_a_shape_that_the_network_cannot_halve_is_refused(shape):
    with pytest.raises(ValueError, match="multiples of 16"):
        prepare_display_slice(np.zeros((64, 64)), shape)


def test_brighter_stays_brighter(picture):
    out = prepare_display_slice(picture, SHAPE).ravel()
    order = np.argsort(picture.ravel(), kind="stable")
    assert (np.diff(out[order]) >= 0).all()
    assert len(np.unique(out)) > 50


@pytest.mark.parametrize("shape", [(64, 64), (48, 80)])
def test_another_window_that_clips_nothing_changes_nothing(picture, shape):
    plain = prepare_display_slice(picture, shape)
    for factor, offset in ((2, 5), (0.31, 0), (0.004, -0.1), (7, -1000)):
        np.testing.assert_allclose(
            prepare_display_slice(factor * picture.astype(float) + offset, shape), plain, atol=2e-3
        )


# ---------------------------------------------------------------- random windows


def test_slices_in_random_windows_are_what_the_network_takes(patient):
    hu = patient.volume[..., None]
    shown = show_in_random_windows(hu, seed=3)
    assert shown.shape == hu.shape
    assert shown.dtype == np.float32
    assert shown.min() == 0
    assert shown.max() == 1
    np.testing.assert_array_equal(show_in_random_windows(hu, seed=3), shown)
    assert (show_in_random_windows(hu, seed=4) != shown).any()


def test_random_windows_keep_the_order_of_gray_values(patient):
    for image, out in zip(patient.volume, show_in_random_windows(patient.volume[..., None], seed=0), strict=True):
        assert (np.diff(out.ravel()[np.argsort(image.ravel(), kind="stable")]) >= 0).all()


def test_every_drawn_window_is_of_a_listed_kind_or_the_own_range():
    rng, own, kinds = np.random.default_rng(0), 0, dict.fromkeys(WINDOWS, 0)
    for _ in range(2000):
        low, high = draw_window(rng, -1024.0, 1500.0)
        if (low, high) == (-1024.0, 1500.0):
            own += 1
            continue
        level, width = (low + high) / 2, high - low
        fits = [
            name
            for name, ((least, most, narrow, wide), _) in WINDOWS.items()
            if least - 1e-6 <= level <= most + 1e-6 and narrow - 1e-6 <= width <= wide + 1e-6
        ]
        assert fits, (level, width)
        kinds[fits[0]] += len(fits) == 1
    assert 0.1 < own / 2000 < 0.2
    assert min(kinds.values()) > 40


def test_own_range_of_a_slice_of_one_value_has_a_width():
    rng = np.random.default_rng(0)
    assert all(high > low for low, high in (draw_window(rng, -1000.0, -1000.0) for _ in range(200)))


# ---------------------------------------------------------------- augmentation


def test_image_and_mask_move_together():
    masks = np.zeros((48, 64, 64, 1), np.uint8)
    masks[:, 14:44, 20:48] = 1
    hu = np.where(masks, 1000.0, -1000.0)
    images, targets = (np.asarray(a) for a in make_display_augmenter(seed=0)(hu, masks))
    overlap = [
        dice((i > 0.5).astype(np.uint8), (t > 0.5).astype(np.uint8)) for i, t in zip(images, targets, strict=True)
    ]
    assert min(overlap) > 0.95
    stayed = [dice((t > 0.5).astype(np.uint8), m) for t, m in zip(targets, masks, strict=True)]
    assert min(stayed) < 0.8  # else nothing would have moved


def test_augmented_slices_have_the_ranges_that_training_needs(patient):
    hu, masks = patient.volume[..., None], (patient.masks > 0).astype(np.uint8)[..., None]
    images, targets = make_display_augmenter(seed=0)(tf.constant(hu), tf.constant(masks))
    for array in (images, targets):
        assert array.shape == hu.shape
        assert array.dtype == "float32"
        assert np.min(array) >= 0
        assert np.max(array) <= 1
    assert (np.ptp(images, axis=(1, 2, 3)) > 0.99).all()


def test_augmenter_works_inside_tf_data_and_draws_anew_each_time(patient):
    hu, masks = patient.volume[:2, ..., None], (patient.masks[:2] > 0).astype(np.uint8)[..., None]
    batches = tf.data.Dataset.from_tensors((hu, masks)).repeat(2).map(make_display_augmenter(seed=0))
    (first, _), (second, _) = list(batches.as_numpy_iterator())
    assert first.shape == second.shape == hu.shape
    assert (first != second).any()


def test_training_stretches_as_use_does(patient):
    """A picture that training made is left as it is by prepare_display_slice: there is nothing more to stretch."""
    still = make_display_augmenter(rotation=0, zoom=(1, 1), translation=0, mirror=0, upside_down=0, shear=0, seed=0)
    hu = np.repeat(patient.volume[1:3, ..., None], 12, axis=0)
    images, targets = still(hu, np.zeros_like(hu))
    again = np.stack([prepare_display_slice(image, SHAPE) for image in np.asarray(images)])[..., None]
    assert np.abs(again - images).mean() < 0.01
    assert np.quantile(np.abs(again - images), 0.99) < 0.05
    assert not np.any(targets)


# ---------------------------------------------------------------- any size


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(3)
    image = keras.Input((64, 64, 1))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    return keras.Model(image, keras.layers.Conv2D(2, 1, activation="sigmoid")(x))


def slices(*shape):
    return np.random.default_rng(0).random((2, *shape, 1), np.float32)


def test_at_its_own_size_nothing_changes(network):
    images = slices(64, 64)
    np.testing.assert_allclose(for_any_size(network)(images), network(images), atol=1e-6)


@pytest.mark.parametrize("shape", [(128, 96), (512, 512), (48, 40), (64, 65)])
def test_other_sizes_agree_with_tf_image(network, shape):
    images = slices(*shape)
    found = for_any_size(network)(images)
    assert found.shape == (2, *shape, 2)
    expected = tf.image.resize(network(tf.image.resize(images, (64, 64))), shape)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_of_several_brightnesses_the_largest_probability_counts(network):
    images = slices(64, 64)
    expected = np.maximum(network(images**0.5), network(images))
    np.testing.assert_allclose(for_any_size(network, gammas=(0.5, 1.0))(images), expected, atol=1e-6)


def test_saved_file_needs_nothing_of_the_package(network, tmp_path):
    model, images = for_any_size(network, gammas=(0.8, 1.0, 1.25)), slices(80, 96)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "expected.npy", model(images))
    program = """
import sys, numpy, keras
model = keras.saving.load_model("model.keras")
numpy.testing.assert_allclose(model(numpy.load("images.npy")), numpy.load("expected.npy"), atol=1e-5)
assert not [name for name in sys.modules if name.startswith("unet_helpers")]
print("loaded")
"""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.stdout.strip() == "loaded", run.stderr[-2000:]
