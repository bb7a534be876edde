import json
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unet_helpers.data import Subset
from unet_helpers.evaluation import (
    METHODS,
    Case,
    bootstrap_interval,
    compare,
    dice,
    evaluate,
    evaluate_cases,
    hausdorff95,
    predict_masks,
    probabilities_to_masks,
)

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


def test_json_is_valid_and_holds_the_cases(cases):

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    content = json.loads(measure(cases, by="slice").to_json(), parse_constant=refuse)
    assert content["unit"] == "slice"
    assert [row["dice"] for row in content["cases"]] == [4 / 6, 8 / 10, 0, None]
    assert content["cases"][0]["tp"] == 2
    assert content["summary"]["dice"][0]["class"] == "lung"
    assert content["summary"]["dice"][0]["undefined"] == 1


def test_the_summary_counts_undefined_cases_as_it_is_told(cases):
    evaluation = measure(cases, by="slice")
    as_one = evaluation.summary("dice", empty=1).loc["lung"]
    assert as_one["mean"] == pytest.approx((4 / 6 + 8 / 10 + 0 + 1) / 4)
    assert (as_one["cases"], as_one["undefined"]) == (4, 1)
    assert evaluation.summary("dice", empty=0).loc["lung", "mean"] == pytest.approx((4 / 6 + 8 / 10) / 4)


def test_the_summary_takes_any_kind_of_interval(cases):
    evaluation = measure(cases, by="slice")
    widths = {m: np.ptp(evaluation.summary(method=m).loc["lung", ["low", "high"]].astype(float)) for m in METHODS}
    assert widths["t"] > widths["percentile"] > 0


def test_fewer_than_five_patients_get_a_range_and_no_interval():
    for patients, known in ((4, False), (5, True)):
        scores = {name: 0.5 + 0.1 * place for place, name in enumerate("ABCDE"[:patients])}
        row = scored(scores | {"F": np.nan}).summary().loc["lung"]
        assert np.isfinite(row[["low", "high"]].astype(float)).all() == known
        assert (row["min"], row["max"]) == (0.5, max(scores.values()))
        # asked for by name, it is computed
        assert np.isfinite(scored(scores).summary(method="t").loc["lung", "low"])


def test_nnunets_summary_as_its_own_formulas_give_it(cases):
    subset, found = cases
    names = (*NAMES, "nodule")
    truth = subset.masks.copy()
    truth[1, 1, 3] = 2
    subset = Subset(subset.images, truth, subset.patient_ids, subset.case_ids, subset.spacing)
    text = evaluate(None, subset, names, by="slice", predictions=found).to_nnunet()
    content = json.loads(text)
    assert set(content) == {"metric_per_case", "mean", "foreground_mean"}
    with np.errstate(invalid="ignore"):  # from here on as nnU-Net's evaluate_predictions does it
        expected = []
        for t, f in zip(truth, found, strict=True):
            tables = {}
            for label in ("1", "2"):
                a, b = t == int(label), f == int(label)
                tp, fp, fn, tn = (a & b).sum(), (~a & b).sum(), (a & ~b).sum(), (~a & ~b).sum()
                tables[label] = {"Dice": 2 * tp / (2 * tp + fp + fn), "IoU": tp / (tp + fp + fn)}
                tables[label] |= {"TP": tp, "FP": fp, "FN": fn, "TN": tn, "n_pred": fp + tp, "n_ref": fn + tp}
            expected.append(tables)
    for case, tables, name in zip(content["metric_per_case"], expected, subset.case_ids, strict=True):
        assert case["reference_file"] == case["prediction_file"] == name
        for label in ("1", "2"):
            assert case["metrics"][label] == pytest.approx(tables[label], nan_ok=True)
            assert isinstance(case["metrics"][label]["TP"], int)
    means = {
        label: {m: np.nanmean([case[label][m] for case in expected]) for m in expected[0]["1"]} for label in ("1", "2")
    }
    for label in ("1", "2"):
        assert content["mean"][label] == pytest.approx(means[label])
    assert content["foreground_mean"] == pytest.approx({m: (means["1"][m] + means["2"][m]) / 2 for m in means["1"]})
    assert "NaN" in text


def test_a_class_without_any_value_makes_nnunets_foreground_mean_nan(cases):
    subset, found = cases
    content = json.loads(evaluate(None, subset, (*NAMES, "nodule"), predictions=found).to_nnunet())
    assert math.isnan(content["mean"]["2"]["Dice"])
    assert math.isnan(content["foreground_mean"]["Dice"])
    assert content["foreground_mean"]["n_ref"] == pytest.approx((9 / 2 + 0) / 2)


# --- whole cases ------------------------------------------------------------------------------


@pytest.fixture
def volume_cases(draw):
    truth = np.stack([draw("##...", "##...", "....#")] * 3)
    found = truth.copy()
    found[:, 2, 4], found[2] = 0, 0
    flat = draw("#....", "#....")
    return [Case("A", truth, found, (5.0, 1.0, 2.0)), Case("B", flat, np.zeros_like(flat), name="B_7")]


def test_volumes_and_slices_are_measured_whole(volume_cases):
    evaluation = evaluate_cases(iter(volume_cases), NAMES, tolerance=2)
    a, b = (row for _, row in evaluation.of_class("lung").iterrows())
    assert (a["case"], a["patient"], b["case"], b["patient"]) == ("A", "A", "B_7", "B")
    assert a["dice"] == 2 * 8 / (15 + 8)
    assert (a["true_ml"], a["predicted_ml"]) == pytest.approx((0.15, 0.08))
    assert (a["objects"], a["found"], a["false"]) == (2, 1, 0)
    assert a["hd"] == pytest.approx(math.sqrt(5**2 + 1**2 + 6**2))  # from the last corner to the block, one slice up
    assert a["surface_dice"] == pytest.approx((8 + 8) / (15 + 8))
    assert (b["dice"], b["surface_dice"], b["hd95"]) == (0, 0, math.inf)
    assert math.isnan(b["true_ml"])
    summary = evaluation.summary("hd95").loc["lung"]
    assert (summary["cases"], summary["undefined"]) == (1, 1)
    json.loads(evaluation.to_nnunet())


def test_distances_of_a_volume_are_those_of_the_volume_and_not_of_its_slices():
    rng = np.random.default_rng(0)
    truth, found = rng.random((2, 4, 6, 7)) < 0.3
    table = evaluate_cases([Case("A", truth * 1, found * 1, (3.0, 1.0, 1.0))], NAMES).cases
    assert table.loc[0, "hd95"] == hausdorff95(truth, found, (3.0, 1.0, 1.0))


def test_cases_that_do_not_fit_are_refused(draw):
    one = draw("#.")
    with pytest.raises(ValueError, match=r"case A: the truth has shape \(1, 2\)"):
        evaluate_cases([Case("A", one, one[:, :1])], NAMES)
    with pytest.raises(ValueError, match="case A: the prediction: 3 is no class index"):
        evaluate_cases([Case("A", one, one * 3)], NAMES)
    with pytest.raises(ValueError, match="no cases"):
        evaluate_cases([], NAMES)


# --- two models -------------------------------------------------------------------------------


def scored(scores, unit="case"):
    """An evaluation with the given Dice per patient, in place of one that is measured."""
    import pandas as pd

    from unet_helpers.evaluation import Evaluation

    rows = [{"case": k, "patient": k[0], "class": "lung", "dice": v} for k, v in scores.items()]
    found = pd.DataFrame(rows).assign(true_pixels=9, predicted_pixels=9)
    found.loc[found["dice"].isna(), ["true_pixels", "predicted_pixels"]] = 0
    return Evaluation(found, unit)


def test_models_are_compared_patient_by_patient():
    a = scored({"A": 0.2, "B": 0.5, "C": 0.9, "D": np.nan})
    b = scored({"D": 0.7, "C": 0.95, "B": 0.6, "A": 0.4})  # in another order
    result = compare(a, b, method="percentile")
    assert result.differences["lung"].dropna().to_dict() == pytest.approx({"A": 0.2, "B": 0.1, "C": 0.05})
    row = result.table.loc["lung"]
    assert row["mean"] == pytest.approx(0.35 / 3)
    assert row["low"] >= 0.05 - 1e-12
    assert row["high"] <= 0.2 + 1e-12
    assert row["p"] == pytest.approx(
        2 / 8
    )  # all three better: the most extreme of eight patterns of signs, and its mirror
    assert (row["patients"], row["better"], row["worse"], row["left_out"]) == (3, 3, 0, 1)
    assert (row["min"], row["max"]) == pytest.approx((0.05, 0.2))
    assert compare(b, a).table.loc["lung", "mean"] == pytest.approx(-0.35 / 3)
    same = compare(a, a).table.loc["lung"]
    assert (same["mean"], same["p"], same["better"]) == (0, 1, 0)
    assert compare(a, b, method="t").table.loc["lung", "low"] < 0


def test_a_comparison_of_few_patients_gives_their_range_and_says_so():
    few, enough = ({name: 0.1 * k for k, name in enumerate(names)} for names in ("ABCD", "ABCDE"))
    result = compare(scored(few), scored({name: value**2 for name, value in few.items()}))
    row = result.table.loc["lung"]
    assert np.isnan([row["low"], row["high"]]).all()
    assert (row["min"], row["max"]) == pytest.approx((0.09 - 0.3, 0))
    assert "No interval: fewer than 5 patients; min to max is their range." in str(result)
    result = compare(scored(enough), scored({name: value**2 for name, value in enough.items()}))
    assert "No interval" not in str(result)
    assert "95 % interval of the mean, Student's t" in str(result)


def test_whoever_is_left_out_of_a_comparison_is_named_and_a_false_alarm_called_one(draw):
    """A is found by both; in B, C and D nothing is to be found: marked by the second only, by both, by neither."""
    truth = np.stack([draw("##", "#."), *[draw("..", "..")] * 3])
    ids = np.array(list("ABCD"))
    subset = Subset(np.zeros((4, 2, 2, 1), np.float32), truth, ids, ids, np.ones((4, 2)))
    first, second = truth.copy(), truth.copy()
    second[1, 0, 0] = first[2, 1, 1] = second[2] = 1
    a, b = (evaluate(None, subset, NAMES, predictions=found) for found in (first, second))
    result = compare(a, b)
    assert result.table.loc["lung", ["patients", "left_out"]].tolist() == [2, 2]
    assert result.left_out[["patient", "why"]].to_numpy().tolist() == [
        ["B", "nan in the first; false alarm of the second"],
        ["D", "nan in both"],
    ]
    assert "left out, lung: B (nan in the first; false alarm of the second)" in str(result)
    assert repr(result) == str(result)
    assert "left out, lung: B (nan in the second; false alarm of the first)" in str(compare(b, a))
    # recall has no value in any of them, and a false alarm is one all the same
    assert dict(compare(a, b, "recall").left_out[["patient", "why"]].to_numpy()) == {
        "B": "nan in both; false alarm of the second",
        "C": "nan in both; false alarm of both",
        "D": "nan in both",
    }
    assert compare(a, a).left_out["patient"].tolist() == ["B", "D"]


def test_many_cases_without_a_value_are_counted_and_false_alarms_all_named():
    names = [f"A{k}" for k in range(9)]
    nothing = scored(dict.fromkeys(names, np.nan) | {"B": 0.5, "C": 0.4})
    shown = str(compare(nothing, nothing))
    assert "left out, lung: A0, A1, A2, A3, A4, and 4 more (nan in both)" in shown
    alarms = scored(dict.fromkeys(names, np.nan) | {"B": 0.5, "C": 0.4})
    alarms.cases.loc[:8, ["dice", "predicted_pixels"]] = 0, 3
    assert f"left out, lung: {', '.join(names)} (nan in the first; false alarm" in str(compare(nothing, alarms))


def test_slices_of_a_patient_are_averaged_before_patients_are_compared():
    a = scored({"A1": 0.1, "A2": 0.3, "B1": 0.5})
    b = scored({"A1": 0.2, "A2": 0.6, "B1": 0.4})
    result = compare(a, b)
    assert result.differences["lung"].to_dict() == pytest.approx({"A": 0.2, "B": -0.1})
    assert result.table.loc["lung", "patients"] == 2


def test_pairing_sees_a_small_gain_that_two_separate_means_do_not():
    rng = np.random.default_rng(0)
    level = rng.uniform(0.2, 0.9, 12)
    a = scored({f"{chr(65 + i)}": v for i, v in enumerate(level)})
    b = scored({f"{chr(65 + i)}": v + 0.02 + rng.normal(0, 0.005) for i, v in enumerate(level)})
    (_, a_high), (b_low, _) = (e.summary().loc["lung", ["low", "high"]] for e in (a, b))
    assert b_low < a_high
    row = compare(a, b).table.loc["lung"]
    assert row["low"] > 0
    assert row["p"] == pytest.approx(2 / 2**12)


def test_the_p_value_is_uniform_where_there_is_nothing_to_find():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(60):
        a, b = ({c: v for c, v in zip("ABCDEFG", rng.normal(0.5, 0.1, 7), strict=True)} for _ in range(2))
        found.append(compare(scored(a), scored(b)).table.loc["lung", "p"])
    assert 0.3 < np.mean(found) < 0.7
    assert np.mean(np.array(found) < 0.05) < 0.15


def test_other_cases_cannot_be_compared():
    with pytest.raises(ValueError, match="different cases"):
        compare(scored({"A": 0.2}), scored({"B": 0.2}))


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
    for method in METHODS:
        low, high = bootstrap_interval(values, patients, method=method)
        naive_low, naive_high = bootstrap_interval(values, method=method)
        assert high - low > 3 * (naive_high - naive_low)
        assert low < values.mean() < high


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(1)
    patients = np.repeat(np.arange(30), 4)
    inside = grouped_off = 0
    for seed in range(300):
        values = random.normal(0, 1, 30)[patients] + random.normal(0, 0.3, 120)
        low, high = bootstrap_interval(values, patients, repeats=400, seed=seed, method="percentile")
        inside += low < 0 < high
        low, high = bootstrap_interval(values, repeats=400, seed=seed, method="percentile")
        grouped_off += low < 0 < high
    assert 0.89 < inside / 300 < 0.98
    assert grouped_off / 300 < 0.8  # what drawing slices would claim to be 95 %


def test_undefined_values_are_left_out_of_the_interval():
    values = np.array([0.1, np.nan, 0.5, 0.9, np.nan, 0.3, 0.6])
    groups = np.array(["a", "a", "b", "c", "d", "e", "f"])
    kept = [0, 2, 3, 5, 6]
    for method in METHODS:
        ends = bootstrap_interval(values, groups, method=method)
        assert ends == bootstrap_interval(values[kept], groups[kept], method=method)
        assert np.isfinite(ends).all()


def test_each_slice_keeps_its_weight_when_patients_have_different_numbers():
    values, patients = np.array([0.0] * 90 + [1.0] * 10), np.repeat([0, 1], [90, 10])
    # either patient twice gives 0 or 1, one of each the mean of all slices: .1, and not .5
    assert bootstrap_interval(values, patients, method="percentile") == (0, 1)
    assert bootstrap_interval(values, patients, level=0.2, method="percentile") == pytest.approx((0.1, 0.1))


@pytest.mark.parametrize("method", [*METHODS, None])
def test_one_patient_gives_no_interval(method):
    for values, groups in (([0.5, 0.6], ["a", "a"]), ([], []), ([np.nan, 0.5], ["a", "b"])):
        assert all(math.isnan(end) for end in bootstrap_interval(values, groups, method=method))


def test_an_interval_begins_at_five_patients_where_it_is_no_wider_than_their_range():
    values, slices = np.array([0.1, 0.4, 0.5, 0.9, 0.2]), np.repeat(np.arange(5), 3)
    assert bootstrap_interval(values) == bootstrap_interval(values, method="t")
    assert np.isfinite(bootstrap_interval(np.repeat(values, 3), slices)).all()
    assert np.isnan(bootstrap_interval(values[:4])).all()
    assert np.isnan(bootstrap_interval(np.repeat(values, 3)[:12], slices[:12])).all()  # twelve slices of four
    rng = np.random.default_rng(0)
    ratio = {}
    for patients in (3, 4, 5, 8):
        drawn = rng.normal(size=(1000, patients))
        widths = [np.ptp(bootstrap_interval(one, method="t")) for one in drawn]
        ratio[patients] = np.mean(widths) / np.ptp(drawn, axis=1).mean()
    assert ratio[3] > 2
    assert ratio[4] == pytest.approx(1.42, abs=0.06)
    assert ratio[5] == pytest.approx(1, abs=0.04)
    assert ratio[8] < 0.6


def test_groups_must_match_the_values():
    with pytest.raises(ValueError, match="3 values but 2 groups"):
        bootstrap_interval([1, 2, 3], ["a", "b"])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.integers(0, 3))
def test_the_interval_lies_within_the_values_widens_with_the_level_and_repeats(values, seed):
    options = {"seed": seed, "repeats": 100, "method": "percentile"}
    low, high = bootstrap_interval(values, **options)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert bootstrap_interval(values, **options) == (low, high)
    wide_low, wide_high = bootstrap_interval(values, **options, level=0.99)
    assert wide_low <= low
    assert high <= wide_high


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), min_size=2, max_size=20),
    st.floats(-5, 5),
    st.floats(0.1, 5),
    st.sampled_from([None, "percentile", "studentized", "t"]),
)
@example([(0.3, 3), (0.25, 6), (0.2, 3)], -2.64, 4.37, "studentized")  # both patients at the mean, but for rounding
def test_an_interval_moves_and_stretches_with_its_values_and_turns_with_their_sign(pairs, shift, scale, method):
    values, groups = (np.array(column) for column in zip(*pairs, strict=True))
    values = values.round(3)  # values that differ by rounding alone have no scale
    ends = np.array(bootstrap_interval(values, groups, repeats=100, method=method))
    moved = bootstrap_interval(shift + scale * values, groups, repeats=100, method=method)
    np.testing.assert_allclose(moved, shift + scale * ends, atol=1e-6)
    if method in (None, "t"):  # a draw of another sign may take the neighboring quantile
        np.testing.assert_allclose(bootstrap_interval(-values, groups, method=method), -ends[::-1], atol=1e-6)


@given(st.lists(st.floats(0, 1), min_size=5, max_size=30), st.randoms())
def test_the_interval_by_default_is_scipys_t_whatever_the_order_of_the_patients(values, order):
    from scipy import stats

    values = np.round(values, 3)
    error = stats.sem(values)
    expected = stats.t.interval(0.95, len(values) - 1, values.mean(), error) if error else (values.mean(),) * 2
    shuffled = order.sample(values.tolist(), len(values))
    np.testing.assert_allclose(bootstrap_interval(shuffled), expected, atol=1e-9)


def test_with_few_patients_the_default_covers_the_truth_more_often_than_the_percentile_bootstrap():
    """Seven patients of scores as scattered as a nodule's: half between 0 and 1, a seventh missed."""
    rng = np.random.default_rng(2)
    inside = {None: 0, "percentile": 0}
    truth = 6 / 7 * 0.65
    for seed in range(400):
        values = rng.beta(2.6, 1.4, 7) * (rng.random(7) > 1 / 7)
        for method in inside:
            low, high = bootstrap_interval(values, repeats=300, seed=seed, method=method)
            inside[method] += low < truth < high
    assert inside[None] / 400 > 0.9
    assert inside["percentile"] / 400 < 0.9
    assert inside[None] > inside["percentile"] + 10


def test_one_value_per_patient_agrees_with_scipy():
    from scipy import stats

    values = np.random.default_rng(3).beta(8, 2, 40)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20000, random_state=0)
    ours = bootstrap_interval(values, repeats=20000, method="percentile")
    np.testing.assert_allclose(ours, theirs.confidence_interval, atol=2e-3)


def test_bca_moves_an_interval_towards_the_long_tail():
    values = np.random.default_rng(3).beta(8, 2, 15)
    ours, plain = (bootstrap_interval(values, repeats=20000, method=method) for method in ("bca", "percentile"))
    assert ours[0] < plain[0]
    assert ours[1] < plain[1]


def test_the_t_interval_agrees_with_scipy_for_one_value_per_patient():
    from scipy import stats

    values = np.random.default_rng(3).beta(8, 2, 9)
    for level in (0.8, 0.95):
        theirs = stats.ttest_1samp(values, 0).confidence_interval(level)
        assert bootstrap_interval(values, method="t", level=level) == pytest.approx(tuple(theirs))


def test_studentized_draws_of_many_normal_values_give_the_t_interval():
    values = np.random.default_rng(0).normal(0, 1, 200)
    ours = bootstrap_interval(values, method="studentized", repeats=20000)
    np.testing.assert_allclose(ours, bootstrap_interval(values, method="t"), atol=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_with_groups_every_kind_of_interval_is_that_of_the_groups(method):
    rng = np.random.default_rng(0)
    means = rng.normal(0, 1, 10)
    once = bootstrap_interval(means, method=method)
    repeated = bootstrap_interval(np.repeat(means, 6), np.repeat(np.arange(10), 6), method=method)
    assert repeated == pytest.approx(once)
    assert bootstrap_interval([0.5] * 4, method=method) == pytest.approx((0.5, 0.5))
    with pytest.raises(ValueError, match="choose one of 'percentile'"):
        bootstrap_interval(means, method="normal")


@pytest.mark.parametrize("method", METHODS)
def test_every_kind_of_interval_allows_for_patients_with_few_and_with_many_slices(method):
    rng = np.random.default_rng(1)
    inside = []
    for seed in range(150):
        sizes = rng.integers(1, 30, 12)
        values = np.repeat(rng.normal(0, 1, 12), sizes) + rng.normal(0, 0.2, sizes.sum())
        low, high = bootstrap_interval(values, np.repeat(np.arange(12), sizes), repeats=300, seed=seed, method=method)
        inside.append(low < 0 < high)
    assert 0.8 < np.mean(inside) <= 0.99


def test_evaluating_one_patient_gives_its_dice(disks):
    subset = disks().test
    moved = np.roll(subset.masks, 2, axis=1)
    table = evaluate(None, subset, ("background", "disk"), predictions=moved).cases
    for patient, value in zip(table["patient"], table["dice"], strict=True):
        chosen = subset.patient_ids == patient
        assert value == dice(subset.masks[chosen], moved[chosen])
