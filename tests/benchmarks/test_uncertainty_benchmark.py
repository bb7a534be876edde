"""The parts of benchmarks/uncertainty.py, small, and the figures of calibration."""

import json

import numpy as np
import pytest
from test_benchmark_scripts import script

from unet_helpers.data import Subset

CLASSES = 3


@pytest.fixture(scope="module")
def module():
    return script("uncertainty")


@pytest.fixture
def patients():
    """Three patients of two slices: A and B with a nodule in one slice, C without."""
    masks = np.ones((6, 16, 16), np.uint8)
    masks[:, :3] = 0
    masks[0, 6:10, 6:10] = masks[2, 6:9, 6:9] = 2
    ids = np.repeat(list("ABC"), 2)
    images = np.zeros((6, 16, 16, 1), np.float32)
    return Subset(images, masks, ids, np.array([f"{name}{i}" for i, name in enumerate(ids)]), np.full((6, 2), 3.0))


def probabilities_of(masks, confidence=0.9):
    """A network that predicts these masks with one confidence everywhere."""
    found = np.full((*masks.shape, CLASSES), (1 - confidence) / (CLASSES - 1), np.float32)
    np.put_along_axis(found, masks[..., None].astype(int), confidence, axis=-1)
    return found


def members_of(patients, runs=5):
    """Members of an ensemble; the first one misses the nodule of patient B, and does not suspect it."""
    missed = patients.masks.copy()
    missed[2][missed[2] == 2] = 1
    members = []
    for i in range(runs):
        plain = probabilities_of(missed if i == 0 else patients.masks, 0.94)
        flips = np.stack([plain] * 2)
        members.append({"plain": plain, "shifted": plain, "dropout": flips, "flips": flips, "temperature": 1.0})
    return members


def test_patients_held_out_are_others_than_those_of_the_data_set_and_of_other_benchmarks(module):
    used = {*range(48), *script("losses").HELD_OUT, *script("architectures").HELD_OUT}
    assert not used & set(module.HELD_OUT)


def test_calibration_of_a_group_by_region_with_its_interval(module, patients):
    near = np.zeros(patients.masks.shape, bool)
    near[:, 2:4] = True
    found = module.measure_group(
        [probabilities_of(patients.masks)] * 2, [{"temperature": 2.0}, {"temperature": 1.0}], patients, near
    )
    assert found["all_ece"] == pytest.approx(0.1)
    assert found["all_overconfidence"] == pytest.approx(-0.1)
    assert found["all_ece_low"] == pytest.approx(0.1)
    assert found["called_nodule_ece"] == pytest.approx(0.1)
    assert found["brier"] == pytest.approx(0.01 + 2 * 0.05**2)
    assert found["scaled_all_ece_seeds"][0] > 0.2
    assert found["scaled_all_ece_seeds"][1] == pytest.approx(0.1)
    assert found["nodule_dice"] == 1
    assert found["curve"]["all"]["accuracy"][13] == 1
    assert found["curve"]["all"]["confidence"][0] is None
    json.dumps(module.rounded(found))


def test_the_interval_is_that_of_patients(module):
    bins = np.zeros((1, 4, 3, 2))
    bins[0, :, 0, 1] = 10
    bins[0, :, 1, 1] = 9
    bins[0, :, 2, 1] = [9, 9, 9, 5]  # one patient is worse than promised
    found = module.calibration_with_interval("x", bins)
    assert found["x_ece"] == pytest.approx(4 / 40)
    assert found["x_ece_low"] == 0
    assert found["x_ece_high"] > 0.15
    silent = np.concatenate([bins, np.zeros_like(bins)])  # a second network that has no such pixel
    assert module.calibration_with_interval("x", silent)["x_ece"] == pytest.approx(4 / 40)
    assert np.isnan(module.calibration_with_interval("x", 0 * bins)["x_ece_low"])


def test_maps_are_scored_on_the_errors_of_single_networks_and_two_slices_are_kept(module, patients):
    table, slices = module.score_maps(members_of(patients), patients, np.ones(patients.masks.shape, bool))
    assert set(table["ensemble: entropy"]) >= {"all_auroc", "near_auroc", "nodule_auroc", "all_auroc_low"}
    # four of five members see the nodule that the first one missed; a network alone is equally sure of everything
    assert table["ensemble: mutual information"]["nodule_auroc_seeds"][0] == pytest.approx(1)
    assert table["1 − highest probability"]["nodule_auroc_seeds"][0] == pytest.approx(0.5)
    assert slices["cases"].tolist() == ["A0", "B2"]
    assert slices["ensemble: entropy"].max() == 255


def test_a_case_that_the_ensemble_disputes_is_referred_first(module, patients):
    found = module.refer(members_of(patients), patients)
    mean_risk = 1 / len(module.MAPPED) / 3  # one of the networks misses one of three patients
    assert found["mean_risk"] == pytest.approx(mean_risk)
    line = found["curve"]["ensemble: disagreement"][0]
    assert line == pytest.approx([0, 0, mean_risk])
    assert line == pytest.approx(found["curve"]["best order"])
    assert found["ensemble: disagreement"]["area_minus_random"] < 0


def test_nodules_that_were_missed_without_a_doubt_are_counted(module, patients):
    found = module.count_missed(members_of(patients), patients)
    assert found["nodules"] == 2
    assert found["missed_seeds"] == [1, 0, 0, 0, 0]
    assert found["never_suspected_seeds"][0] == 1
    assert found["never_suspected_by_ensemble_seeds"][0] == 0


def test_three_readers_forecast_the_fourth(module):
    masks = np.zeros((2, 4, 40, 40), np.uint8)
    masks[0, :, 10:20, 10:20] = 1
    masks[0, 3, 15:20, 10:20] = 0  # half of it is marked by three of four
    masks[1, 0, 0, 0] = 1
    found = module.measure_readers(masks, np.array(["A", "B"]))
    # three others marked: asked of readers 1 to 3 in the 50 pixels of all, and of reader 4 in all 100
    assert found["marked_if_3_others_did"] == pytest.approx((4 * 50) / (3 * 50 + 100))
    assert found["marked_if_2_others_did"] == 1
    assert found["marked_if_1_others_did"] == 0
    assert found["share_of_marked_pixels_by_votes"] == pytest.approx([1 / 101, 0, 50 / 101, 50 / 101])


def test_every_figure_is_drawn():
    from unet_helpers.evaluation import reliability
    from unet_helpers.plotting import show_reliability, show_reliability_together, show_uncertainty

    masks = np.zeros((1, 32, 32), np.uint8)
    masks[0, 8:20, 8:20] = 1
    masks[0, 12:15, 12:15] = 2
    curve = reliability(probabilities_of(masks), masks)
    recorded = {"counts": [5, 0], "confidence": [0.3, None], "accuracy": [0.2, None]}
    fig = show_reliability({"live": curve, "recorded": recorded})
    assert [ax.get_title() for ax in fig.axes[:2]] == ["live", "recorded"]
    assert len(show_reliability_together({"live": curve, "recorded": recorded}).axes[0].lines) == 3
    row = {"image": masks[0] / 2, "truth": masks[0], "predicted": masks[0] > 0, "maps": {"a": np.full((32, 32), 0.7)}}
    fig = show_uncertainty([row, row], crop=16)
    assert [ax.get_title() for ax in fig.axes[:3]] == ["image", "errors", "a"]
    assert fig.axes[0].images[0].get_array().shape == (16, 16)
    assert [label.get_text() for label in fig.axes[-1].get_xticklabels()] == ["0", "0.7"], "no bar names the scale"
    assert {text.get_text() for text in fig.legends[0].texts} == {"ground truth", "prediction", "missed", "too much"}
