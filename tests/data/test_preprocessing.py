import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from unet_helpers.data import encode_mask, one_hot, resize_image, resize_mask, scale_to_unit, window

label_maps = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9), elements=st.integers(0, 3))


# --- window -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "width"), [(-600, 1500), (50, 350), (400, 1800)])
def test_window_ends_and_center(level, width):
    low, high = level - width / 2, level + width / 2
    gray = window(np.array([low - 1000, low, level, high, high + 1000], float), level, width)
    np.testing.assert_allclose(gray, [0, 0, 0.5, 1, 1], atol=1e-12)


def test_lung_window_of_known_tissue():
    # air -1000, lung -850, water 0 in -600/1500: (hu + 1350) / 1500
    np.testing.assert_allclose(window(np.array([-1000, -850, 0]), -600, 1500), [350 / 1500, 1 / 3, 0.9], rtol=1e-6)


@pytest.mark.parametrize(("given_type", "result"), [(np.int16, np.float32), (np.float32, np.float32), (float, float)])
def test_window_keeps_float32_and_turns_int16_into_it(given_type, result):
    assert window(np.array([0], given_type), -600, 1500).dtype == result


@given(arrays(np.int16, 8, elements=st.integers(-4096, 4095)), st.integers(-1000, 400), st.integers(1, 4000))
def test_window_keeps_the_order_of_gray_values_and_stays_in_0_1(hu, level, width):
    gray = window(np.sort(hu), level, width)
    assert (np.diff(gray) >= 0).all()
    assert gray.min() >= 0
    assert gray.max() <= 1


# --- resize -----------------------------------------------------------------------------------


@given(label_maps, st.integers(1, 12), st.integers(1, 12))
def test_resizing_a_mask_makes_no_new_label(mask, height, width):
    resized = resize_mask(mask, (height, width))
    assert resized.shape == (height, width)
    assert resized.dtype == mask.dtype
    assert set(np.unique(resized)) <= set(np.unique(mask))


@given(label_maps)
def test_a_mask_doubled_repeats_each_pixel(mask):
    doubled = resize_mask(mask, tuple(2 * n for n in mask.shape))
    np.testing.assert_array_equal(doubled, mask.repeat(2, axis=0).repeat(2, axis=1))


def test_resizing_an_image_keeps_range_mean_and_channels():
    random = np.random.default_rng(0)
    image = random.uniform(-1000, 400, (32, 48, 4)).astype(np.float32)
    smaller = resize_image(image, (16, 12))
    assert smaller.shape == (16, 12, 4)
    assert smaller.dtype == np.float32
    assert smaller.min() >= image.min()
    assert smaller.max() <= image.max()
    assert smaller.mean() == pytest.approx(image.mean(), abs=15)


def test_a_shrunk_image_is_smoothed_first():
    stripes = np.tile(np.array([0, 1], np.float32), 24)[None].repeat(48, axis=0)[..., None]
    assert stripes[1::3, 1::3].std() == 0.5  # every third pixel: the fine stripes come back as coarse ones
    assert resize_image(stripes, (16, 16))[:, 2:-2].std() < 0.05


# --- encode -----------------------------------------------------------------------------------


def test_0_255_is_0_1_for_two_classes_only():
    assert encode_mask(np.array([[0, 255]], np.uint8), 2).tolist() == [[0, 1]]
    assert encode_mask(np.array([[255, 255]], np.uint8), 2).tolist() == [[1, 1]]
    with pytest.raises(ValueError, match="255"):
        encode_mask(np.array([[0, 255]], np.uint8), 3)


def test_class_indices_pass_unchanged_and_mixtures_are_refused():
    assert encode_mask(np.array([0, 1, 2]), 3).tolist() == [0, 1, 2]
    assert encode_mask(np.array([0, 0]), 2).tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"\[255\] means nothing"):
        encode_mask(np.array([0, 1, 255]), 2)


def test_named_values_are_taken_at_their_word():
    assert encode_mask(np.array([0, 85, 170, 255]), 3, {0: 0, 85: 1, 170: 2, 255: 1}).tolist() == [0, 1, 2, 1]
    assert encode_mask(np.array([-1, 0, 1]), 2, {-1: 0, 0: 0, 1: 1}).tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="outside"):
        encode_mask(np.array([0, 255]), 2, {0: 0, 255: 2})
    with pytest.raises(ValueError, match=r"\[7\]"):
        encode_mask(np.array([0, 7]), 2, {0: 0, 255: 1})


def test_a_bool_mask_is_a_mask():
    mask = np.array([[True, False], [False, False]])
    assert encode_mask(mask, 2).tolist() == [[1, 0], [0, 0]]
    assert one_hot(mask, 2).argmax(-1).tolist() == [[1, 0], [0, 0]]


def test_encoding_returns_uint8_and_leaves_its_input():
    mask = np.array([0, 255], np.uint8)
    assert encode_mask(mask, 2).dtype == np.uint8
    assert mask.tolist() == [0, 255]


@given(label_maps)
def test_one_hot_and_argmax_are_inverse(mask):
    channels = one_hot(mask, 4)
    assert channels.shape == (*mask.shape, 4)
    assert channels.dtype == np.float32
    assert (channels.sum(axis=-1) == 1).all()
    np.testing.assert_array_equal(channels.argmax(axis=-1), mask)


# --- one range for all ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected", "rule"),
    [
        ([[0, 0.5], [0, 1]], [[0, 0.5], [0, 1]], "as stored"),
        ([[0, 51], [0, 255]], [[0, 0.2], [0, 1]], "8-bit"),
        ([[0, 51], [0, 65535]], [[0, 51 / 65535], [0, 1]], "16-bit"),
        ([[-1350, -600], [0, 150]], [[0, 0.5], [0.9, 1]], "HU, window -600/1500"),
    ],
)
def test_one_rule_for_all_images_from_their_common_range(values, expected, rule):
    images, said = scale_to_unit([np.array(v, np.float32).reshape(1, 2, 1) for v in values])
    np.testing.assert_allclose([image.ravel() for image in images], expected, rtol=1e-6)
    assert rule in said
    assert all(image.dtype == np.float32 for image in images)


@pytest.mark.parametrize("values", [(-10, 5), (-5000, 0), (0, 70000), (0, np.nan)])
def test_a_range_that_fits_no_rule_is_refused(values):
    with pytest.raises(ValueError, match="no range known"):
        scale_to_unit([np.array(values, np.float32).reshape(1, 2, 1)])
