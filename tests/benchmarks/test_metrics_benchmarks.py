"""The benchmarks of the metrics: their parts, small, and what book/metrics.md concludes from what they recorded."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]

import interval_coverage  # noqa: E402
import metrics_speed  # noqa: E402

from unet_helpers.evaluation import (  # noqa: E402
    METHODS,
    confusion_counts,
    dice,
    hausdorff95,
)
from unet_helpers.evaluation.intervals import RECOMMENDED  # noqa: E402


def recorded(name):
    return json.loads((ROOT / "book" / "results" / f"{name}.json").read_text(encoding="utf-8"))["results"]


@pytest.mark.parametrize("setting", [interval_coverage.LUNG, interval_coverage.NODULE])
def test_a_made_population_has_the_mean_that_it_states(setting):
    draw, mean = interval_coverage.made(**setting)
    scores, groups = draw(np.random.default_rng(0), 20000)
    assert scores.mean() == pytest.approx(mean, abs=0.01)
    assert np.isin(np.bincount(groups), np.arange(4, 13)).all()
    by_patient = np.bincount(groups, weights=scores) / np.bincount(groups)
    assert np.mean(by_patient == 0) == pytest.approx(setting["missed"], abs=0.01)
    assert by_patient.std() > 0.4 * scores.std()  # slices of a patient resemble each other


def test_the_simulation_counts_intervals_that_hold_the_mean():
    def normal(rng, patients):
        return rng.normal(0, 1, patients), np.arange(patients)

    covered, width = interval_coverage.simulate(normal, 0.0, 8, 150)
    assert set(covered) == set(width) == {"slices, percentile", *(f"patients, {method}" for method in METHODS)}
    assert covered["patients, t"] == pytest.approx(0.95, abs=0.06)
    assert covered["slices, percentile"] == covered["patients, percentile"] < 0.95  # each value its own patient
    assert interval_coverage.simulate(normal, 9.0, 8, 20)[0]["patients, t"] == 0
    assert interval_coverage.standard_error(0.95, 2000) == pytest.approx(0.0049)


def test_what_the_page_says_of_intervals_is_what_was_recorded():
    results = recorded("interval_coverage")
    coverage, width = results["coverage"], results["width"]
    error = results["largest_error"]
    for population, sizes in coverage.items():
        few, many = sizes["5"], sizes["50"]
        assert few["patients, percentile"] < few["patients, t"] - 3 * error  # too narrow with few patients
        assert few["patients, bca"] < 0.95 - 3 * error  # and BCa does not mend it
        assert all(abs(many[f"patients, {method}"] - 0.95) < 4 * error for method in METHODS)
        for row in (sizes["5"], sizes["10"], sizes["20"]):
            nearest = sorted(METHODS, key=lambda method, row=row: abs(row[f"patients, {method}"] - 0.95))
            assert nearest[0] in ("studentized", "t")
        for number, row in sizes.items():  # the one that is given by default, at any number of patients
            off = {method: abs(row[f"patients, {method}"] - 0.95) for method in METHODS}
            assert off[RECOMMENDED] < off["percentile"]
            assert off[RECOMMENDED] < off["bca"] or (population, number) == ("nodule", "50")
        if population != "nodule, checkpoint":  # slices: far too narrow, and more patients do not mend it
            assert max(row["slices, percentile"] for row in sizes.values()) < 0.7
        assert width[population]["5"]["patients, percentile"] < width[population]["5"]["patients, t"]
    assert width["nodule"]["5"]["patients, studentized"] == pytest.approx(1, abs=0.25)


def test_what_is_timed_is_worth_measuring():
    for truth, found in metrics_speed.volumes().values():
        assert truth.shape == found.shape == metrics_speed.SHAPE
        assert truth.dtype == np.uint8
        assert 0.3 < dice(truth, found) < 1
    truth, found = metrics_speed.disks(np.random.default_rng(0), (64, 64))
    assert 0.5 < dice(truth, found) < 1
    assert metrics_speed.names_of("scikit-learn", metrics_speed.OVERLAP) == list(metrics_speed.OVERLAP)
    assert metrics_speed.names_of("surface-distance", ("IoU", "HD95")) == ["HD95"]


def test_the_recorded_times_keep_their_promise():
    results = recorded("metrics_speed")
    assert results["pairs"] == 1000
    assert results["overlap"]["ours"]["seconds"] < 2
    for row in results["hd95"].values():
        assert set(row["seconds"]) == {"ours", "MONAI", "medpy", "surface-distance"}
        assert row["seconds"]["ours"] <= min(row["seconds"].values())


def test_a_thousand_masks_take_less_than_two_seconds_here_too():
    pairs = [metrics_speed.disks(np.random.default_rng(number), (512, 512)) for number in range(4)]
    began = time.process_time()
    for number in range(1000):
        confusion_counts(*pairs[number % 4]).ratios()
    assert time.process_time() - began < 2


def test_a_volume_is_measured_without_a_transform_of_the_whole():
    truth, found = metrics_speed.volumes()["a nodule and a false object"]
    began = time.process_time()
    measured = hausdorff95(truth, found, metrics_speed.SPACING)
    assert time.process_time() - began < 1  # the transforms of both take more than that
    assert measured > 10  # the false object is far away
