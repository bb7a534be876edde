"""Maps that claim to explain, on small networks without training."""

import keras
import numpy as np
import pytest

from unet_helpers import UNet
from unet_helpers.teaching import explanations


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)  # with few channels some draws pass nothing on
    return UNet((None, None, 1), 3, base_filters=4)


@pytest.fixture(scope="module")
def question(network):
    images = np.random.default_rng(0).random((2, 32, 48, 1), dtype=np.float32)
    regions = np.zeros((2, 32, 48), bool)
    regions[0, 5:8, 6:9], regions[1, 20, 30:34] = True, True
    return explanations.open_network(network), images, regions


@pytest.mark.parametrize("name", explanations.METHODS)
def test_a_map_for_each_image_is_never_negative(name, question):
    maps = explanations.METHODS[name](*question)
    assert maps.shape == (2, 32, 48)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    alone = explanations.METHODS[name](question[0], question[1][1:], question[2][1:])
    if name != "SmoothGrad":  # its noise is drawn for all images together
        assert np.allclose(alone[0], maps[1], rtol=1e-3, atol=1e-4 * maps[1].max())


def test_the_open_network_gives_the_logits_of_the_same_network(network, question):
    opened, images, _ = question
    logits = opened(images).numpy()
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    assert np.allclose(powers / powers.sum(axis=-1, keepdims=True), network(images).numpy(), atol=1e-5)
    assert np.allclose(explanations.open_network(network, guided=True)(images), logits, atol=1e-4)


def test_log_odds_are_zero_at_one_half_and_a_mean_over_the_region():
    probabilities = np.array([[[[0.2, 0.3, 0.5], [0.05, 0.05, 0.9], [0.8, 0.1, 0.1]]]])
    region = np.array([[[True, True, False]]])
    found = explanations.log_odds(np.log(probabilities), region).numpy()
    assert found == pytest.approx([np.log(9) / 2])


def test_integrated_gradients_add_up_to_the_difference_of_the_scores(question):
    network, images, regions = question
    air = np.full_like(images, explanations.NOTHING)
    steps, total = 200, 0
    for k in range(steps):
        total = total + explanations.signed_gradient(network, air + (k + 0.5) / steps * (images - air), regions)
    sums = ((images - air)[..., 0] * total / steps).sum(axis=(1, 2))
    scores = [explanations.log_odds(network(some), regions).numpy() for some in (images, air)]
    assert sums == pytest.approx(scores[0] - scores[1], rel=0.05, abs=0.01)


def test_occlusion_is_zero_where_air_replaces_air(question):
    network, images, regions = question
    airy = images.copy()
    airy[:, :, 40:] = explanations.NOTHING
    maps = explanations.occlusion(network, airy, regions)
    assert maps[:, :, 40:].max() < 1e-4 * maps.max()
    assert maps[:, :, :40].max() > 0


def test_drawn_anew_down_to_a_part_leaves_the_parts_behind_it(question):
    network = question[0]
    changed = explanations.randomize(network, down_to="up3", seed=3)
    for old, new in zip(network.layers, changed.layers, strict=True):
        kernels = [w for w in zip(old.get_weights(), new.get_weights(), strict=True) if w[0].ndim == 4]
        drawn = old.name.split("_")[0] in ("probabilities", "up1", "up2", "up3")
        assert all(np.array_equal(*pair) != drawn for pair in kernels), old.name
    with pytest.raises(ValueError, match="no part 'up9'"):
        explanations.randomize(network, down_to="up9")


def test_the_gradient_ends_where_the_reach_says(network):
    images = np.random.default_rng(1).random((1, 16, 256, 1), dtype=np.float32)
    region = np.zeros((1, 16, 256), bool)
    region[:, :, 20:23] = True
    first, last = explanations.reach([20, 21, 22])
    assert first < 0
    seen = explanations.gradient(explanations.open_network(network), images, region)[0].any(axis=0)
    assert not seen[last + 1 :].any()
    assert seen[: last - 32].any()
    assert explanations.reach([128]) == (34, 221)  # as notebook 03 prints


def test_resemblance_is_the_rank_correlation_and_zero_for_a_constant_map():
    one = np.array([[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    other = np.array([[[1.0, 4.0], [9.0, 16.0]], [[4.0, 3.0], [2.0, 1.0]], [[1.0, 2.0], [3.0, 4.0]]])
    assert explanations.resemblance(one, other) == pytest.approx([1, -1, 0])


def test_the_share_inside_is_of_the_sum_and_zero_for_a_map_of_zeros():
    maps = np.array([[[1.0, 3.0], [0.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    where = np.array([[False, True], [True, False]])
    assert explanations.share_inside(maps, where) == pytest.approx([3 / 8, 0])
