"""Reports by group: against SciPy, against numbers worked out by hand, and against the power of notebook 05b."""

import numpy as np
import pytest
from scipy import stats

from unet_helpers import bootstrap_interval
from unet_helpers.evaluation import gap_between, gap_by_strata, gap_p_values, holm, power_of_gap, report_by_group
from unet_helpers.teaching import subgroups
from unet_helpers.teaching.checks import comparison

RNG = np.random.default_rng(0)


def test_a_report_keeps_a_patients_values_together_and_says_nothing_of_four_patients():
    values = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.5, np.nan])
    patients = np.array(list("aabcdefghij"))
    groups = np.array(["x"] * 6 + ["y"] * 5)
    report = report_by_group(values, groups, patients)
    x, y = report.loc["x"], report.loc["y"]
    assert x["patients"] == 5
    assert x["mean"] == pytest.approx(np.mean(values[:6]))
    assert (x["low"], x["high"]) == pytest.approx(bootstrap_interval(values[:6], patients[:6]))
    assert y["patients"] == 4
    assert np.isnan(y[["mean", "low", "high"]].to_numpy(float)).all()
    assert (y["min"], y["max"]) == (0.1, 0.5)


def test_a_group_in_which_nobody_has_a_value_has_no_range():
    report = report_by_group([0.5, np.nan], ["x", "y"])
    assert report.loc["y", "patients"] == 0
    assert np.isnan(report.loc["y", "min"])


def test_the_gap_is_that_of_scipy_by_welch_without_the_nan():
    values, inside = RNG.normal(0.8, 0.1, 40), RNG.random(40) < 0.3
    values[3] = np.nan
    found, known = gap_between(values, inside), np.isfinite(values)
    test = stats.ttest_ind(values[inside & known], values[~inside & known], equal_var=False)
    assert found["p"] == pytest.approx(test.pvalue)
    assert found["low"] < found["gap"] < found["high"]
    assert found["patients"] + found["others"] == 39


def test_four_patients_have_no_gap():
    found = gap_between(RNG.random(20), np.arange(20) < 4)
    assert np.isnan([found[name] for name in ("gap", "low", "high", "p")]).all()
    assert (found["patients"], found["others"]) == (4, 16)


def test_many_p_values_at_once_are_those_of_one_gap_after_the_other():
    values, members = RNG.random((3, 30)), RNG.random((3, 4, 30)) < 0.4
    members[0, 0] = np.arange(30) < 4
    p = gap_p_values(values, members)
    assert p.shape == (3, 4)
    for report in range(3):
        alone = [gap_between(values[report], inside)["p"] for inside in members[report]]
        assert p[report] == pytest.approx(alone, nan_ok=True)
    assert np.isnan(p[0, 0])


def test_strata_take_away_a_gap_that_comes_from_size():
    size = np.array(["small"] * 6 + ["large"] * 6)
    inside = np.array([1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0], bool)
    values = np.where(size == "small", 0.3, 0.8)
    assert gap_between(values, inside)["gap"] < -0.2
    assert gap_by_strata(values, inside, size) == pytest.approx(0)
    assert gap_by_strata(values - 0.1 * inside, inside, size) == pytest.approx(-0.1)


def test_strata_are_weighted_by_the_group_and_one_without_both_sides_is_left_out():
    values = np.array([0.1, 0.1, 0.1, 0.4, 0.5, 0.7, 0.9])
    inside = np.array([1, 1, 1, 0, 1, 0, 1], bool)
    strata = np.array(["a", "a", "a", "a", "b", "b", "c"])
    assert gap_by_strata(values, inside, strata) == pytest.approx((3 * -0.3 + 1 * -0.2) / 4)
    assert np.isnan(gap_by_strata(values, inside, np.arange(7)))


def test_the_power_is_near_the_one_of_notebook_05b_for_differences_of_strangers():
    one, other = RNG.beta(4, 2, 60), RNG.beta(4, 2, 80)
    strangers = np.subtract.outer(one, other).ravel()
    expected = comparison._power(strangers - strangers.mean() + 0.15, 30)
    assert power_of_gap(one, other, 0.15, 30) == pytest.approx(expected, abs=0.05)


def test_without_a_gap_the_power_is_the_level_and_it_grows_with_the_patients():
    one, other = RNG.normal(size=50), RNG.normal(size=50)
    assert power_of_gap(one, other, 0.0, 20) == pytest.approx(0.05, abs=0.02)
    powers = [power_of_gap(one, other, 0.8, patients) for patients in (5, 15, 45)]
    assert powers[0] < powers[1] < powers[2]
    assert power_of_gap(one, other, 0.8, 15, level=0.05 / 6) < powers[1]


def test_holm_by_hand_and_a_look_that_was_not_possible_is_not_counted():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.01, np.nan, 0.9, 0.7]) == pytest.approx([0.03, np.nan, 1, 1], nan_ok=True)


def test_a_report_names_the_group_with_the_gap_and_the_crossings_hold_everybody_four_times_per_pair():
    inside = np.arange(60) % 3 == 0
    members = {"third": inside, "half": np.arange(60) < 30}
    values = RNG.normal(0.9, 0.02, 60) - 0.1 * inside
    assert subgroups.found_by(values, members) == ["third"]
    crossed = subgroups.crossings(members)
    assert list(crossed)[:2] == ["third, half", "third, not half"]
    assert np.sum(list(crossed.values()), axis=0).tolist() == [1] * 60
