"""The parts of the benchmark on hospitals that decide what its numbers mean."""

import keras
import numpy as np
import pytest
from test_benchmark_scripts import script

from unet_helpers.teaching.hospitals import HOSPITALS, SITES, slices_of, with_group_norm

benchmark = script("hospitals")


def test_the_average_is_weighted_array_by_array():
    sent = [[np.array([1.0, 2.0]), np.array(4.0)], [np.array([5.0, 2.0]), np.array(0.0)]]
    first, second = benchmark.average(sent, np.array([0.75, 0.25]))
    assert first.tolist() == [2, 2]
    assert second == 3


def test_statistics_are_put_together_as_if_all_slices_lay_in_one_folder():
    rng, shares = np.random.default_rng(0), np.array([0.6, 0.4])
    own = [[rng.uniform(0.5, 1, w.shape) for w in benchmark.network_of("batch").get_weights()] for _ in range(2)]
    averaged, pooled, missing = benchmark.combined_statistics(own, shares)
    (mean, *_), (variance, *_) = (
        np.flatnonzero(benchmark.named("batch", name)) for name in ("moving_mean", "moving_variance")
    )
    # 60 pixels at one hospital and 40 at the other, drawn with just these means and variances
    for channel in range(3):
        pixels = [
            one[mean][channel] + np.sqrt(one[variance][channel]) * np.resize([-1, 1], count)
            for one, count in zip(own, (60, 40), strict=True)
        ]
        assert pooled[variance][channel] == pytest.approx(np.concatenate(pixels).var())
        assert averaged[variance][channel] < pooled[variance][channel]
    assert len(missing) == 10
    assert min(missing) > 0
    assert max(missing) < 0.5
    kernels = [k for k in range(len(averaged)) if k not in np.flatnonzero(benchmark.named("batch", "moving_variance"))]
    assert all(np.array_equal(averaged[k], pooled[k]) for k in kernels)


def test_an_update_is_clipped_and_noise_is_in_units_of_the_limit():
    rng, update = np.random.default_rng(0), [np.full((100, 100), 0.3, np.float32), np.full(5000, -0.3, np.float32)]
    clipped = benchmark.protect(update, 2.0, 0.0, rng)
    assert benchmark.norm_of(clipped) == pytest.approx(2, rel=1e-5)
    assert clipped[0][0, 0] > 0 > clipped[1][0]
    short = benchmark.protect([array / 1e4 for array in update], 2.0, 0.0, rng)
    assert short[0][0, 0] == pytest.approx(3e-5)
    noisy = benchmark.protect(update, 2.0, 0.1, rng)
    assert np.std(noisy[0] - clipped[0]) == pytest.approx(0.2, rel=0.05)


def test_what_stays_at_home_is_not_averaged(monkeypatch):
    run = object.__new__(benchmark.Run)
    run.sites, run.shares, run.rates = {"a": 1.0, "b": 3.0}, np.array([0.75, 0.25]), {"federated batch": 1}
    monkeypatch.setattr(run, "batches", lambda subset, stream: subset, raising=False)
    monkeypatch.setattr(run, "start", lambda norm: [np.zeros(2), np.zeros(2)], raising=False)
    monkeypatch.setattr(run, "fit", lambda norm, w, batches, steps, rate: [a + batches for a in w], raising=False)
    at_sites = run.federated("batch", steps=8, rounds=2, local=[False, True])
    assert [site[0].tolist() for site in at_sites] == [[3, 3], [3, 3]]  # twice 0.75 * 1 + 0.25 * 3
    assert [site[1].tolist() for site in at_sites] == [[2, 2], [6, 6]]


def test_a_difference_pairs_patients_and_averages_seeds_first():
    runs = [
        {"new": {"North": [0.9, 0.8, 0.7, 0.9, 0.8]}, "old": {"North": [0.8, 0.7, 0.6, 0.8, 0.7]}},
        {"new": {"North": [0.7, 0.8, 0.7, 0.9, 0.8]}, "old": {"North": [0.8, 0.7, 0.6, 0.8, 0.7]}},
    ]
    row = benchmark.mean_of(runs, "new", ("North",), "old")
    assert row["seeds"] == [0.1, 0.06]
    assert row["mean"] == pytest.approx(0.08)
    assert row["mean_low"] < 0.08 < row["mean_high"]
    assert benchmark.mean_of(runs, "new", ("North",))["mean"] == pytest.approx(0.8)


def test_a_picture_is_found_in_its_gradient_and_not_in_that_of_noise(monkeypatch):
    monkeypatch.setattr(benchmark, "LEAKED", 16)
    keras.utils.set_random_seed(0)
    attack, rng = benchmark.Attack(benchmark.leaking_network(smooth=True)), np.random.default_rng(0)
    picture = np.clip(np.indices((16, 16)).sum(axis=0)[None, ..., None] / 30, 0, 1).astype(np.float32)
    mask = np.eye(2, dtype=np.float32)[(picture[..., 0] > 0.5).astype(int)]
    gradient = attack.gradient(picture, mask)
    drowned = benchmark.protect(gradient, benchmark.norm_of(gradient), 0.1, rng)
    right, wrong = (benchmark.error(attack(seen, mask, rng, noisy=False), picture) for seen in (gradient, drowned))
    assert right[0] < 0.5 * wrong[0]


def test_the_hospitals_have_patients_of_their_own_and_one_has_none_to_train_on():
    north, again, south = slices_of("North", [3], 32), slices_of("North", [3], 32), slices_of("South", [3], 32)
    assert np.array_equal(north.images, again.images)
    assert north.images.shape == (8, 32, 32, 1)
    assert set(np.unique(north.masks)) == {0, 1}
    assert not np.array_equal(north.masks, south.masks)
    assert [name for name, hospital in HOSPITALS.items() if not hospital.patients] == ["elsewhere"]
    assert SITES == ("North", "East", "South", "West")


def test_group_normalization_takes_the_place_of_batch_normalization():
    network = with_group_norm(benchmark.network_of("batch"))
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds.count("GroupNormalization") == 10
    assert "BatchNormalization" not in kinds
    image = np.random.default_rng(0).random((1, 64, 64, 1), np.float32)
    # alone or in a batch with another image, an image gets the same probabilities
    both = np.asarray(network(np.concatenate([image, 0 * image]), training=True))
    assert np.allclose(both[:1], np.asarray(network(image, training=True)), atol=1e-5)
