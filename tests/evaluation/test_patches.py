"""Patches from volumes, sliding windows, milliliters and limits of agreement."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_helpers.evaluation import (
    limits_of_agreement,
    predict_sliding_window,
    volume_ml,
    window_starts,
    window_weights,
)
from unet_helpers.training import draw_patches, neighbors_as_channels

shapes = st.tuples(*[st.integers(1, 12)] * 3)
overlaps = st.floats(0, 0.9)
kinds = st.sampled_from(["gaussian", "triangular", "uniform"])


def ball(radius, spacing):
    """A ball of ``radius`` mm on a grid of that spacing, with room around it."""
    sides = [2 * int(np.ceil(radius / step)) + 5 for step in spacing]
    grids = np.meshgrid(*[(np.arange(n) - n // 2) * s for n, s in zip(sides, spacing, strict=True)], indexing="ij")
    return sum(grid**2 for grid in grids) <= radius**2


# --- volume ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.7, 0.7), (0.5, 1.5, 1.0)])
def test_a_ball_has_the_volume_of_the_formula(spacing):
    radius = 20.0
    assert volume_ml(ball(radius, spacing), spacing) == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.01)


def test_ten_thousand_voxels_of_a_tenth_of_a_milliliter_are_a_liter():
    assert volume_ml(np.ones((10, 20, 50), np.uint8), (4.0, 5.0, 5.0)) == pytest.approx(1000)
    assert volume_ml(np.zeros((3, 3, 3), bool), (1.0, 1.0, 1.0)) == 0


@pytest.mark.parametrize(
    ("mask", "spacing", "message"),
    [
        (np.ones((4, 4)), (1, 1, 1), "one volume"),
        (np.full((2, 2, 2), 2), (1, 1, 1), "other than 0 and 1"),
        (np.ones((2, 2, 2)), (1, 1), "3 dimensions"),
        (np.ones((2, 2, 2)), (0, 1, 1), "one mm value each"),
        (np.ones((2, 2, 2)), (np.nan, 1, 1), "one mm value each"),
        (np.ones((2, 2, 2)), None, "its spacing"),
    ],
)
def test_what_is_no_volume_is_refused(mask, spacing, message):
    with pytest.raises(ValueError, match=message):
        volume_ml(mask, spacing)


def test_limits_of_agreement_by_hand():
    # differences 1, -1, 3: mean 1, standard deviation 2
    found = limits_of_agreement([2, 1, 6], [1, 2, 3])
    assert (found.bias, found.low, found.high) == pytest.approx((1, 1 - 3.92, 1 + 3.92))


def test_nineteen_of_twenty_normal_differences_lie_within_the_limits():
    rng = np.random.default_rng(0)
    true = rng.uniform(100, 200, 4000)
    measured = true + rng.normal(3, 5, 4000)
    found = limits_of_agreement(measured, true)
    assert np.mean((measured - true > found.low) & (measured - true < found.high)) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(("measured", "reference"), [([1], [1]), ([1, 2], [1]), ([1, np.nan], [1, 2])])
def test_limits_need_pairs(measured, reference):
    with pytest.raises(ValueError, match=r"pair|nan"):
        limits_of_agreement(measured, reference)


# --- windows --------------------------------------------------------------------------------------


@given(st.integers(1, 200), st.integers(1, 64), overlaps)
def test_windows_cover_an_axis_overlap_enough_and_end_at_its_end(side, patch, overlap):
    starts = window_starts(side, patch, overlap)
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    if side <= patch:
        assert starts == [0]
        return
    assert starts[-1] == side - patch
    assert max(np.diff(starts)) <= max(int(patch * (1 - overlap)), 1)


@given(shapes, shapes, overlaps, kinds, st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_a_network_that_changes_nothing_gives_the_volume_back(shape, patch, overlap, kind, channels):
    volume = np.random.default_rng(0).random((*shape, channels)).astype(np.float32)
    found = predict_sliding_window(lambda batch: batch, volume, patch, min(overlap, 0.7), kind)
    assert found.shape == volume.shape
    np.testing.assert_allclose(found, volume, atol=1e-5)


@given(shapes, shapes, overlaps, kinds)
@settings(deadline=None, max_examples=40)
def test_the_shares_of_the_windows_sum_to_one_in_every_voxel(shape, patch, overlap, kind):
    ones = predict_sliding_window(np.ones_like, np.zeros(shape), patch, min(overlap, 0.7), kind)
    np.testing.assert_allclose(ones, 1, atol=1e-5)


def test_without_overlap_each_voxel_is_predicted_once_and_with_half_up_to_eight_times():
    seen = {}
    for overlap in (0, 0.5):
        windows = []
        note = lambda batch, windows=windows: windows.extend(batch) or batch  # noqa: E731
        predict_sliding_window(note, np.zeros((16, 16, 16)), (8, 8, 8), overlap)
        seen[overlap] = len(windows)
    assert seen == {0: 8, 0.5: 27}


def test_where_windows_disagree_the_middle_counts_more_than_the_border():
    first = np.zeros((1, 1, 8, 1))

    def network(batch):  # each window predicts whether it is the one on the left
        return np.full_like(batch, batch[:, :1, :1, :1].max() == 0)

    volume = np.repeat(first, 2, axis=2)
    volume[0, 0, 4:, 0] = 1
    found = predict_sliding_window(network, volume, (1, 1, 8), 0.5, batch_size=1)[0, 0, :, 0]
    assert found[3] > 0.9
    assert found[8] < 0.1


def test_a_small_volume_is_padded_with_its_border_and_cropped_back():
    windows = []
    volume = np.full((3, 5, 5), 7.0)
    found = predict_sliding_window(lambda batch: windows.append(batch) or batch, volume, (8, 8, 8))
    assert found.shape == (3, 5, 5, 1)
    assert windows[0].shape == (1, 8, 8, 8, 1)
    assert (windows[0] == 7).all()


def test_a_keras_network_with_more_classes_than_channels():
    from unet_helpers import UNet3D

    network = UNet3D((8, 16, 16, 2), 3, base_filters=2, depth=1)
    found = predict_sliding_window(network, np.zeros((10, 20, 14, 2)), (8, 16, 16))
    assert found.shape == (10, 20, 14, 3)
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("volume", "patch", "options", "message"),
    [
        (np.zeros((4, 4)), (4, 4, 4), {}, "give .D, H, W, C."),
        (np.zeros((4, 4, 4)), (4, 4), {}, "give .D, H, W, C."),
        (np.zeros((4, 4, 4)), (4, 4, 4), {"overlap": 1.0}, "overlap is 1.0"),
        (np.zeros((4, 4, 4)), (4, 4, 4), {"overlap": -0.1}, "overlap is -0.1"),
        (np.zeros((4, 4, 4)), (4, 4, 4), {"weights": "round"}, "'round'"),
    ],
)
def test_wrong_calls_are_refused(volume, patch, options, message):
    with pytest.raises(ValueError, match=message):
        predict_sliding_window(lambda batch: batch, volume, patch, **options)


def test_a_network_that_shrinks_its_patches_is_refused():
    with pytest.raises(ValueError, match="padding='same'"):
        predict_sliding_window(lambda batch: batch[:, 1:], np.zeros((8, 8, 8)), (4, 4, 4))


@pytest.mark.parametrize("kind", ["gaussian", "triangular", "uniform"])
def test_weights_are_symmetric_positive_and_largest_in_the_middle(kind):
    weights = window_weights((6, 7, 8), kind)
    assert weights.min() > 0
    assert weights.max() == weights[3, 3, 4]
    np.testing.assert_array_equal(weights, weights[::-1, ::-1, ::-1])


# --- training -------------------------------------------------------------------------------------


def test_patches_are_cut_at_one_place_from_image_and_mask():
    masks = np.random.default_rng(0).integers(0, 3, (2, 10, 12, 14)).astype(np.uint8)
    patches, patch_masks = draw_patches(masks.astype(float), masks, (4, 5, 6), 20)
    assert patches.shape == (20, 4, 5, 6, 1)
    np.testing.assert_array_equal(patches[..., 0], patch_masks)
    again, _ = draw_patches(masks.astype(float), masks, (4, 5, 6), 20)
    np.testing.assert_array_equal(patches, again)


def test_a_rare_class_is_in_at_least_its_share_of_the_patches():
    mask = np.zeros((24, 24, 24), np.uint8)
    mask[3, 20, 11] = 2
    found = {
        share: draw_patches([mask], [mask], (6, 6, 6), 100, index=2, share=share)[1].any(axis=(1, 2, 3)).mean()
        for share in (0.0, 0.5, 1.0)
    }
    assert found[1.0] == 1
    assert 0.35 < found[0.5] < 0.75
    assert found[0.0] < 0.1


def test_a_volume_without_the_class_and_channels_are_taken():
    volume, mask = np.zeros((5, 6, 7, 3)), np.zeros((5, 6, 7), np.uint8)
    patches, _ = draw_patches([volume], [mask], (5, 6, 7), 2, index=2, share=1)
    assert patches.shape == (2, 5, 6, 7, 3)
    with pytest.raises(ValueError, match="smaller than the patch"):
        draw_patches([volume], [mask], (8, 6, 7), 1)


def test_neighbors_stand_beside_a_slice_in_their_order():
    volume = np.random.default_rng(0).random((6, 3, 4))
    stacked = neighbors_as_channels(volume, 5)
    assert stacked.shape == (6, 3, 4, 5)
    np.testing.assert_array_equal(stacked[2], np.moveaxis(volume[0:5], 0, -1))
    np.testing.assert_array_equal(stacked[0, ..., 1], volume[0])
    with pytest.raises(ValueError, match="odd"):
        neighbors_as_channels(volume, 2)


def test_a_3d_network_learns_from_patches_with_the_losses_of_the_package():
    import keras

    from unet_helpers import Dataset, UNet3D, train
    from unet_helpers.data import Subset

    rng = np.random.default_rng(0)
    masks = np.zeros((4, 16, 16, 16), np.uint8)
    for k, mask in enumerate(masks):
        mask[4 : 9 + k, 3:12, 5:13] = 1
    volumes = 0.7 * masks + 0.3 * rng.random(masks.shape)
    patches, patch_masks = draw_patches(volumes, masks, (8, 8, 8), 24, index=1)
    names = np.repeat(["P001", "P002", "P003"], 8)
    everything = Subset(patches, patch_masks, names, names, np.ones((24, 3)))
    data = Dataset("balls", ("background", "box"), everything[:8], everything[8:16], everything[16:])
    keras.utils.set_random_seed(0)
    network = UNet3D((8, 8, 8, 1), 2, base_filters=2, depth=1)
    history = train(network, data, epochs=20, batch_size=4, learning_rate=1e-2, progress=False)
    assert max(history["val_dice"]) > 0.9


@pytest.mark.parametrize("name", ["DiceLoss", "DiceCrossEntropy", "DiceMetric"])
def test_a_volume_costs_what_its_slices_cost_side_by_side(name):
    """Pooled over all voxels: it must not matter how they are laid out."""
    from unet_helpers.data import one_hot
    from unet_helpers.training import losses

    rng = np.random.default_rng(0)
    truth = one_hot(rng.integers(0, 3, (2, 4, 6, 5)).astype(np.uint8), 3)
    predicted = rng.dirichlet((1, 1, 1), (2, 4, 6, 5)).astype(np.float32)
    flat = [array.reshape(2, 24, 5, 3) for array in (truth, predicted)]
    if name == "DiceMetric":
        values = []
        for pair in ((truth, predicted), flat):
            metric = losses.DiceMetric(3)
            metric.update_state(*pair)
            values.append(float(metric.result()))
    else:
        values = [float(np.mean(getattr(losses, name)().call(*pair))) for pair in ((truth, predicted), flat)]
    assert values[0] == pytest.approx(values[1], rel=1e-5)
