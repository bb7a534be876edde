"""The watch rings when a scanner changes, and for nothing as often as it says."""

import numpy as np
import pytest

from unet_helpers.deployment import Watch, input_statistics
from unet_helpers.files import DataError
from unet_helpers.phantom import Acquisition, make_patient


def skewed(rng, n, shift=0.0):
    """Studies whose statistics go together and have long tails, as those of scanners do."""
    common = rng.gumbel(size=n)
    return [
        {"noise": float(a + shift), "grain": float(a + b), "slice": float(c)}
        for a, b, c in zip(common, rng.exponential(size=n), rng.choice([2.0, 3.0, 5.0], n), strict=True)
    ]


def scanned(**how):
    patient = make_patient(3, size=64, slices=4, acquisition=Acquisition(**how))
    return input_statistics(patient.volume, patient.spacing)


def test_statistics_see_dose_kernel_and_calibration():
    usual, low, sharp = scanned(), scanned(photons=3e3), scanned(kernel="sharp")
    assert low["noise"] > usual["noise"] + 0.4
    assert sharp["grain"] > usual["grain"] * 1.2
    patient = make_patient(3, size=64, slices=4)
    moved = input_statistics(patient.volume + 30, patient.spacing)
    assert moved["air"] > input_statistics(patient.volume, patient.spacing)["air"] + 15
    wide = input_statistics(patient.volume, (3.0, 0.5, 2.0))
    assert (wide["pixel"], wide["slice"]) == (1.0, 3.0)


def test_noise_of_known_size_is_measured_and_edges_and_trends_are_not():
    rng = np.random.default_rng(0)
    flat = np.zeros((4, 64, 64)) + np.arange(64) * 0.5
    flat[:, :, 40:] += 60
    noisy = input_statistics(flat + rng.normal(0, 12, flat.shape), (3, 1, 1))
    assert np.exp(noisy["noise"]) == pytest.approx(12, rel=0.05)
    assert noisy["grain"] == pytest.approx(1, abs=0.1)
    assert input_statistics(flat, (3, 1, 1))["noise"] == pytest.approx(np.log(0.1))


def test_a_picture_without_tissue_has_statistics_too():
    assert all(np.isfinite(value) for value in input_statistics(np.full((2, 9, 9), -1000.0), (3, 1, 1)).values())


def test_false_alarms_come_as_often_as_stated():
    rng = np.random.default_rng(1)
    share = []
    for repeat in range(4):
        watch = Watch.learn(skewed(rng, 300), window=20, rate=0.05, seed=repeat)
        judged = watch.judge(skewed(rng, 20 * 300))
        assert len(judged) == 300
        share.append(np.mean([one.alarm for one in judged]))
    assert 0.025 < np.mean(share) < 0.09


def test_a_change_rings_and_says_what_changed():
    rng = np.random.default_rng(2)
    watch = Watch.learn(skewed(rng, 200), window=20, rate=0.01)
    before, after = watch.judge(skewed(rng, 20) + skewed(rng, 20, shift=2.0))
    assert not before.alarm
    assert (after.alarm, after.statistic, after.first, after.last) == (True, "noise", 20, 39)
    assert after.change > watch.limit


def test_what_never_changed_rings_at_its_first_change():
    rows = [{"noise": float(value), "pixel": 0.7} for value in np.random.default_rng(0).normal(size=60)]
    watch = Watch.learn(rows, window=10)
    assert not watch.judge(rows[:10])[0].alarm
    assert watch.judge([row | {"pixel": 0.71} for row in rows[:10]])[0].statistic == "pixel"


def test_half_a_window_is_not_judged_yet():
    rng = np.random.default_rng(0)
    assert Watch.learn(skewed(rng, 100)).judge(skewed(rng, 19)) == []


def test_a_watch_is_saved_and_read(tmp_path):
    watch = Watch.learn(skewed(np.random.default_rng(0), 100))
    watch.save(tmp_path / "watch.json")
    assert Watch.load(tmp_path / "watch.json") == watch
    (tmp_path / "watch.json").write_text("[1]")
    with pytest.raises(DataError, match=r"watch.json' is no watch .*; learn it again"):
        Watch.load(tmp_path / "watch.json")


def test_too_few_studies_and_strange_ones_are_named():
    rows = skewed(np.random.default_rng(0), 50)
    with pytest.raises(DataError, match="39 studies are too few to learn a window of 20; give 40 or more"):
        Watch.learn(rows[:39])
    with pytest.raises(DataError, match="rate of 0"):
        Watch.learn(rows, rate=0)
    with pytest.raises(DataError, match="study 1 has no 'grain'"):
        Watch.learn([*rows[:1], {"noise": 1.0, "slice": 2.0}, *rows[2:]])
    with pytest.raises(DataError, match="study 0 has no 'noise'"):
        Watch.learn(rows).judge([rows[0] | {"noise": float("nan")}])
