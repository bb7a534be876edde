import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet_helpers.datasets import Subset
from unet_helpers.evaluation import bootstrap_interval, evaluate, predict_masks, probabilities_to_masks
from unet_helpers.metrics import dice

NAMES = ("background", "lung")


@pytest.fixture
def cases(draw):
    """Two patients, two slices each, as truth and prediction; the second slice of B has nothing in either."""
    truth = [draw("####", "...."), draw("####", "...."), draw("#...", "...."), draw("....", "....")]
    found = [draw("##..", "...."), draw("####", "##.."), draw("....", "...#"), draw("....", "....")]
    subset = Subset(
        np.zeros((4, 2, 4, 1), np.float32),
        np.stack(truth),
        np.array(["A", "A", "B", "B"]),
        np.array(["A_0", "A_1", "B_0", "B_1"]),
        np.tile([2.0, 0.5], (4, 1)),
    )
    return subset, np.stack(found)


def measure(cases, **options):
    subset, found = cases
    return evaluate(None, subset, NAMES, predictions=found, **options)


# --- per case ---------------------------------------------------------------------------------


def test_slices_of_a_patient_are_pooled_before_dividing(cases):
    rows = measure(cases, by="patient").cases.set_index("case")
    # A: truth 4 + 4, found 2 + 6, shared 2 + 4.   B: truth 1, found 1, shared 0
    assert rows.loc["A", ["tp", "fp", "fn", "tn"]].tolist() == [6, 2, 2, 6]
    assert rows.loc["A", "dice"] == 12 / 16
    assert rows.loc["A", "iou"] == 6 / 10
    assert rows.loc["A", "precision"] == rows.loc["A", "recall"] == 6 / 8
    assert rows.loc["B", "dice"] == 0
    assert rows.loc["A", ["true_pixels", "predicted_pixels"]].tolist() == [8, 8]


def test_per_slice_the_same_masks_give_other_numbers(cases):
    table = measure(cases, by="slice").cases
    np.testing.assert_allclose(table["dice"], [4 / 6, 8 / 10, 0, np.nan])
    assert table["patient"].tolist() == ["A", "A", "B", "B"]


def test_distances_are_in_mm_over_the_slices_that_have_both(cases):
    rows = measure(cases, by="patient").cases.set_index("case")
    # A_0: the farthest true pixels are 1 and 2 columns of 0.5 mm away: percentile 95 of (0, 0, .5, 1) = .925
    # A_1: the two extra pixels are one row of 2 mm away: percentile 95 of (0, 0, 0, 0, 2, 2) = 2
    assert rows.loc["A", "hd95"] == pytest.approx((0.925 + 2) / 2)
    assert rows.loc["B", "hd95"] == pytest.approx(math.hypot(2, 1.5))


def test_unknown_spacing_means_pixels(cases):
    cases[0].spacing[:] = np.nan
    assert measure(cases).cases.set_index("case").loc["B", "hd95"] == pytest.approx(math.hypot(1, 3))


def test_undefined_cases_are_counted_and_not_averaged(cases):
    summary = measure(cases, by="slice").summary("dice").loc["lung"]
    assert summary["mean"] == pytest.approx((4 / 6 + 8 / 10 + 0) / 3)
    assert summary["median"] == pytest.approx(4 / 6)
    assert (summary["cases"], summary["undefined"]) == (3, 1)


def test_a_class_that_never_occurs_has_no_mean(cases):
    subset, found = cases
    summary = evaluate(None, subset, (*NAMES, "nodule"), predictions=found).summary("dice")
    assert summary.loc["lung", "mean"] == pytest.approx(12 / 32)
    assert math.isnan(summary.loc["nodule", "mean"])
    assert summary.loc["nodule", "undefined"] == 2


def test_pooled_counts_add_all_cases(cases):
    evaluation = measure(cases)
    assert evaluation.pooled("lung").dice == 12 / (9 + 9)
    assert measure(cases, by="slice").pooled("lung") == evaluation.pooled("lung")
    with pytest.raises(ValueError, match=r"no class 'liver'; there are lung"):
        evaluation.pooled("liver")


def test_several_classes_are_measured_each_against_the_rest(draw):
    truth, found = draw("0122", "0122")[None], draw("0112", "0122")[None]
    ids = np.array(["A"])
    subset = Subset(np.zeros((1, 2, 4, 1)), truth, ids, ids, np.ones((1, 2)))
    table = evaluate(None, subset, ("background", "lung", "nodule"), predictions=found).cases.set_index("class")
    assert table["dice"].to_dict() == {"lung": 2 * 2 / 5, "nodule": 2 * 3 / 7}


def test_json_is_valid_and_holds_the_cases(cases, tmp_path):
    evaluation = measure(cases, by="slice")
    text = evaluation.to_json(tmp_path / "result.json")

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    content = json.loads((tmp_path / "result.json").read_text(), parse_constant=refuse)
    assert content == json.loads(text)
    assert content["unit"] == "slice"
    assert [row["dice"] for row in content["cases"]] == [4 / 6, 8 / 10, 0, None]
    assert content["cases"][0]["tp"] == 2
    assert content["summary"]["dice"][0]["class"] == "lung"
    assert content["summary"]["dice"][0]["undefined"] == 1


# --- the decision -----------------------------------------------------------------------------


def test_the_threshold_belongs_to_the_foreground():
    foreground = np.array([0.2, 0.5, 0.7])
    for probabilities in (foreground[:, None], np.stack([1 - foreground, foreground], axis=-1)):
        assert probabilities_to_masks(probabilities).tolist() == [0, 1, 1]
        assert probabilities_to_masks(probabilities, 0.6).tolist() == [0, 0, 1]
        assert probabilities_to_masks(probabilities).dtype == np.uint8


def test_of_three_classes_the_most_probable_wins():
    assert probabilities_to_masks(np.array([[0.4, 0.3, 0.3], [0.3, 0.3, 0.4]])).tolist() == [0, 2]


def test_a_model_is_asked_and_measured(disks):
    class Oracle:
        def predict(self, images, **options):
            return (images > 0.5).astype(np.float32)

    subset = disks().test
    np.testing.assert_array_equal(predict_masks(Oracle(), subset.images), subset.masks)
    table = evaluate(Oracle(), subset, ("background", "disk")).cases
    assert (table["dice"] == 1).all()
    assert (table["hd95"] == 0).all()
    assert table["case"].tolist() == subset.patients


# --- how sure ---------------------------------------------------------------------------------


def test_patients_are_drawn_and_not_slices():
    random = np.random.default_rng(0)
    patients = np.repeat(np.arange(12), 20)
    values = random.normal(0, 1, 12)[patients] + random.normal(0, 0.1, 240)  # slices of one patient agree
    low, high = bootstrap_interval(values, patients)
    naive_low, naive_high = bootstrap_interval(values)
    assert high - low > 3 * (naive_high - naive_low)
    assert low < values.mean() < high


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(1)
    patients = np.repeat(np.arange(30), 4)
    inside = grouped_off = 0
    for seed in range(300):
        values = random.normal(0, 1, 30)[patients] + random.normal(0, 0.3, 120)
        low, high = bootstrap_interval(values, patients, repeats=400, seed=seed)
        inside += low < 0 < high
        low, high = bootstrap_interval(values, repeats=400, seed=seed)
        grouped_off += low < 0 < high
    assert 0.89 < inside / 300 < 0.98
    assert grouped_off / 300 < 0.8  # what drawing slices would claim to be 95 %


def test_undefined_values_are_left_out_of_the_interval():
    values, groups = np.array([0.1, np.nan, 0.5, 0.9]), np.array(["a", "a", "b", "c"])
    assert bootstrap_interval(values, groups) == bootstrap_interval(values[[0, 2, 3]], groups[[0, 2, 3]])


def test_each_slice_keeps_its_weight_when_patients_have_different_numbers():
    values, patients = np.array([0.0] * 90 + [1.0] * 10), np.repeat([0, 1], [90, 10])
    # either patient twice gives 0 or 1, one of each the mean of all slices: .1, and not .5
    assert bootstrap_interval(values, patients) == (0, 1)
    assert bootstrap_interval(values, patients, level=0.2) == pytest.approx((0.1, 0.1))


def test_one_patient_gives_no_interval():
    for values, groups in (([0.5, 0.6], ["a", "a"]), ([], []), ([np.nan, 0.5], ["a", "b"])):
        assert all(math.isnan(end) for end in bootstrap_interval(values, groups))


def test_groups_must_match_the_values():
    with pytest.raises(ValueError, match="3 values but 2 groups"):
        bootstrap_interval([1, 2, 3], ["a", "b"])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.integers(0, 3))
def test_the_interval_lies_within_the_values_widens_with_the_level_and_repeats(values, seed):
    low, high = bootstrap_interval(values, seed=seed, repeats=100)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert bootstrap_interval(values, seed=seed, repeats=100) == (low, high)
    wide_low, wide_high = bootstrap_interval(values, seed=seed, repeats=100, level=0.99)
    assert wide_low <= low
    assert high <= wide_high


def test_one_value_per_patient_agrees_with_scipy():
    from scipy import stats

    values = np.random.default_rng(3).beta(8, 2, 40)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20000, random_state=0)
    np.testing.assert_allclose(bootstrap_interval(values, repeats=20000), theirs.confidence_interval, atol=2e-3)


def test_evaluating_one_patient_gives_its_dice(disks):
    subset = disks().test
    moved = np.roll(subset.masks, 2, axis=1)
    table = evaluate(None, subset, ("background", "disk"), predictions=moved).cases
    for patient, value in zip(table["patient"], table["dice"], strict=True):
        chosen = subset.patient_ids == patient
        assert value == dice(subset.masks[chosen], moved[chosen])
