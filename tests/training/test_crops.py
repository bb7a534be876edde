import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet_helpers.training import draw_crops, make_crop_batches


def some(n=6, size=20, seed=0):
    """Images whose values are unique, and three classes of which the last is one pixel in two of the slices."""
    rng = np.random.default_rng(seed)
    images = np.arange(1, n * size * size + 1, dtype=np.float32).reshape(n, size, size, 1)
    masks = (rng.random((n, size, size)) < 0.4).astype(int)
    masks[0, 3, 4] = masks[n // 2, -1, 0] = 2
    return images, np.eye(3, dtype=np.float32)[masks]


def take(count, *arguments, **options):
    return itertools.islice(draw_crops(*arguments, **options), count)


@given(size=st.integers(2, 30), seed=st.integers(0, 100), share=st.sampled_from([0.0, 0.5, 1.0]))
def test_image_and_target_are_cut_at_the_same_place(size, seed, share):
    images, targets = some()
    flat = targets.reshape(-1, 3)
    for image, target in take(5, images, targets, size, around=2, share=share, seed=seed):
        assert image.shape == (size, size, 1)
        assert target.shape == (size, size, 3)
        inside = image[..., 0] > 0
        np.testing.assert_array_equal(target[inside], flat[image[inside][:, 0].astype(int) - 1])
        np.testing.assert_array_equal(target[~inside], np.broadcast_to([1, 0, 0], target[~inside].shape))


def test_the_share_asked_for_holds_the_class():
    images, targets = some()
    for share, expected in ((0.0, 0.03), (0.5, 0.5), (1.0, 1.0)):
        held = [target[..., 2].any() for _, target in take(400, images, targets, 6, around=2, share=share)]
        assert np.mean(held) == pytest.approx(expected, abs=0.08)


def test_every_pixel_is_seen_without_a_class():
    images, targets = some(n=2, size=6)
    seen = np.unique(np.concatenate([image.ravel() for image, _ in take(300, images, targets, 4)]))
    assert set(seen) == {0, *range(1, 73)}


def test_what_lies_outside_a_slice_has_the_gray_value_asked_for():
    images, targets = np.full((2, 6, 6, 1), 0.5, np.float32), np.eye(3, dtype=np.float32)[np.ones((2, 6, 6), int)]
    for image, target in take(50, images, targets, 10, image_fill=0.25):
        outside = target[..., 0] == 1
        assert outside.any()
        assert (image[outside] == 0.25).all()
        assert (image[~outside] == 0.5).all()


def test_one_channel_is_padded_with_background():
    images, targets = some()
    for image, target in take(50, images, targets[..., 2:], 12, around=1):
        assert not target[image[..., 0] == 0].any()


def test_the_same_seed_draws_the_same_batches():
    images, targets = some()
    first, second, other = (
        next(iter(make_crop_batches(images, targets, 8, 4, around=2, seed=seed)))[0].numpy() for seed in (1, 1, 2)
    )
    assert first.shape == (4, 8, 8, 1)
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_a_class_that_is_not_there_is_named():
    images, targets = some()
    with pytest.raises(ValueError, match="holds class 2"):
        next(draw_crops(images, targets[..., [0, 1, 1]] * [1, 1, 0], 8, around=2))
