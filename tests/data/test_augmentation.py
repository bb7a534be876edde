import numpy as np
import pytest

from unet_helpers import dice, make_batches, one_hot
from unet_helpers.data import augment_arrays, make_augmenter

OPTIONS = {"rotation": 25, "zoom": 0.2, "translation": 0.1, "flip": "horizontal_and_vertical"}


@pytest.fixture
def blobs():
    """20 pictures of an off-center L: no turn or flip maps it onto itself."""
    masks = np.zeros((20, 128, 128), np.uint8)
    masks[:, 32:96, 32:60] = 1
    masks[:, 72:96, 32:100] = 1
    return masks


def test_image_and_mask_move_together(blobs):
    images, masks = augment_arrays(blobs[..., None].astype(np.float32), blobs, **OPTIONS, seed=3)
    for image, mask, before in zip(images[..., 0] > 0.5, masks, blobs, strict=True):
        assert dice(mask, image) > 0.97
        assert dice(mask, before) < 0.97  # and they did move


def test_labels_stay_in_the_set_and_the_size_stays(blobs):
    blobs[:, 40:56, 40:52] = 3  # 2 lies between 1 and 3 and must not appear
    images, masks = augment_arrays(np.zeros((20, 128, 128, 1), np.float32), blobs, **OPTIONS)
    assert set(np.unique(masks)) == {0, 1, 3}
    assert masks.shape == blobs.shape
    assert images.shape == (20, 128, 128, 1)


@pytest.mark.parametrize("num_classes", [1, 2, 3])
def test_targets_keep_one_class_per_pixel_whatever_enters_the_image(blobs, num_classes):
    targets = blobs[..., None].astype(np.float32) if num_classes == 1 else one_hot(blobs, num_classes)
    for image_fill in (0.0, 1.0, -1000.0):
        augment = make_augmenter(**OPTIONS | {"translation": 0.5}, image_fill=image_fill)
        images, moved = (np.asarray(a) for a in augment(np.full((20, 128, 128, 1), 0.5, np.float32), targets))
        assert moved.shape == targets.shape
        assert moved.dtype == np.float32
        assert set(np.unique(moved)) == {0, 1}
        if num_classes > 1:
            assert (moved.sum(axis=-1) == 1).all()
        entered = np.isclose(images[..., 0], image_fill)
        assert entered.any()
        assert (moved[entered][..., -1] == 0).all()  # what enters from outside is background
        assert np.isclose(images.max(), max(0.5, image_fill), atol=1e-3)


def test_the_same_seed_draws_the_same_changes_and_another_seed_others(blobs):
    image = blobs[..., None].astype(np.float32)
    once, again, other = (augment_arrays(image, blobs, **OPTIONS, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once[0], again[0])
    np.testing.assert_array_equal(once[1], again[1])
    assert (once[1] != other[1]).any()


def test_each_call_and_each_picture_draws_anew(blobs):
    augment = make_augmenter(**OPTIONS)
    image = blobs[..., None].astype(np.float32)
    first, second = (np.asarray(augment(image, image)[1]) for _ in range(2))
    assert (first != second).any()
    assert (first[0] != first[1]).any()


def test_flips_are_off_by_default(blobs):
    image = blobs[..., None].astype(np.float32)
    _, masks = augment_arrays(image, blobs)
    for mask, before in zip(masks, blobs, strict=True):
        assert dice(mask, before) > dice(mask, before[:, ::-1])
        assert dice(mask, before) > dice(mask, before[::-1])
    _, flipped = augment_arrays(image, blobs, rotation=0, zoom=0, translation=0, flip="horizontal")
    assert {(f == b).all() for f, b in zip(flipped, blobs, strict=True)} == {True, False}
    assert {(f == b[:, ::-1]).all() for f, b in zip(flipped, blobs, strict=True)} == {True, False}


def test_gray_changes_leave_the_mask_alone_and_stay_in_0_1(blobs):
    image = 0.2 + 0.6 * blobs[..., None].astype(np.float32)
    still = {"rotation": 0, "zoom": 0, "translation": 0}
    images, masks = augment_arrays(image, blobs, **still, brightness=0.5, contrast=0.5)
    np.testing.assert_array_equal(masks, blobs)
    assert np.ptp(images[:, 0, 0]) > 0.1
    assert images.min() >= 0
    assert images.max() <= 1


def test_nothing_asked_for_changes_nothing(blobs):
    image = blobs[..., None].astype(np.float32)
    images, masks = augment_arrays(image, blobs, rotation=0, zoom=0, translation=0)
    np.testing.assert_array_equal(images, image)
    np.testing.assert_array_equal(masks, blobs)


def test_it_works_inside_the_input_pipeline_and_repeats_with_its_seed(blobs):
    image, targets = blobs[..., None].astype(np.float32), one_hot(blobs, 2)

    def epoch():
        batches = make_batches(image, targets, 8, augment=make_augmenter(**OPTIONS, seed=5), seed=5)
        return [(i.numpy(), t.numpy()) for i, t in batches]

    first, again = epoch(), epoch()
    assert [len(i) for i, _ in first] == [8, 8, 4]
    for (i, t), (i2, t2) in zip(first, again, strict=True):
        np.testing.assert_array_equal(i, i2)
        np.testing.assert_array_equal(t, t2)
        assert dice(t[..., 1], i[..., 0] > 0.5) > 0.97
