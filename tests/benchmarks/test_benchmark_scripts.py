"""The scripts in benchmarks/: their parts, small. What they measure stands in book/results."""

import argparse
import importlib.util
import itertools
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import binary_dilation

from unet_helpers import load_dataset
from unet_helpers.data import Subset

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def script(name):
    """A file of benchmarks/ as a module."""
    specification = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_lung_network_gives_a_probability_for_each_pixel():
    network = script("train_on_phantom").build_half_size_unet(64, 4, 2)
    found = network.predict(np.random.default_rng(0).random((2, 64, 64, 1), dtype=np.float32), verbose=0)
    assert found.shape == (2, 64, 64, 1)
    assert 0 <= found.min() < found.max() <= 1


def test_training_on_archive_patients_stops_at_the_deadline_and_has_learned(tmp_path, monkeypatch):
    monkeypatch.setenv("UNET_DATA_DIR", str(tmp_path))
    module = script("train_on_phantom")
    data = load_dataset("phantom", variety="archive", size=64, patients=6, slices=6, window=None)
    network = module.build_half_size_unet(64, 8, 2)
    lung = data.train.masks > 0
    arguments = argparse.Namespace(learning_rate=3e-3, seed=0)
    # a clock that moves on whenever somebody looks at it, twice a step: every machine makes the same steps
    ticks = itertools.count()
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: 0.05 * next(ticks)))
    assert module.fit(network, data, arguments, deadline=25) == pytest.approx(25, abs=0.5)
    from unet_helpers.data import show_in_random_windows

    found = network.predict(show_in_random_windows(data.train.images), verbose=0)[..., 0]
    assert found[lung].mean() > found[~lung].mean() + 0.2


def test_synthetic_crops_are_48_pixels_in_0_1_and_some_hold_a_nodule_in_the_middle():
    module = script("transfer")
    images, masks = (np.concatenate(arrays) for arrays in zip(*map(module._crops_of_patient, (0, 1)), strict=True))
    assert images.shape == (len(masks), 48, 48, 1)
    assert masks.shape[1:] == (48, 48)
    assert images.dtype == np.float32
    assert 0 <= images.min() < images.max() <= 1
    holds = masks.any(axis=(1, 2))
    assert 0 < holds.sum() < len(masks)
    rows, columns = np.nonzero(masks[holds].any(axis=0))
    assert rows.mean() == pytest.approx(23.5, abs=8)
    assert columns.mean() == pytest.approx(23.5, abs=8)
    # a nodule is brighter than most of what lies close around it
    for image, mask in zip(images[holds][..., 0], masks[holds], strict=True):
        around = binary_dilation(mask, iterations=4) & ~binary_dilation(mask)
        assert image[mask].mean() > np.median(image[around]) + 0.05


def test_the_3d_benchmark_measures_a_patient_whole():
    module = script("volumes_3d")
    truth = np.zeros((4, 8, 8), np.uint8)
    truth[:, 2:6, 2:6] = 1
    truth[1:3, 3:5, 3:5] = 2
    found = truth.copy()
    found[2, 3:5, 3:5] = 1  # half of the nodule is missed
    found[0, 7, 7] = 2  # and one voxel beside it is too much
    measured = module.measures([found], [truth], np.array([[5.0, 1.0, 2.0]]))
    assert measured["lung_ml"][0] == pytest.approx(65 * 10 / 1000)  # nodules are part of the lung
    assert measured["nodule_ml"][0] == pytest.approx(5 * 10 / 1000)
    assert measured["nodule_dice"][0] == pytest.approx(2 * 4 / (8 + 5))
    assert [measured[name][0] for name in ("nodules", "nodules_found", "false_objects")] == [1, 1, 1]
    assert module.MEASURES.keys() <= measured.keys()


@pytest.mark.parametrize("kind", ["2D", "2.5D", "3D"])
def test_each_network_of_the_3d_benchmark_trains_on_its_batches_and_predicts_a_volume(kind, monkeypatch):
    module = script("volumes_3d")
    monkeypatch.setattr(module, "PATCHES", {"2D": (2, (1, 16, 16)), "2.5D": (2, (1, 16, 16)), "3D": (1, (8, 16, 16))})
    random = np.random.default_rng(0)
    volumes, masks = random.random((2, 8, 16, 16)), random.integers(0, 3, (2, 8, 16, 16)).astype(np.uint8)
    network = module.train_network(kind, volumes, masks, steps=2, seed=0)
    assert module.predict_volume(network, kind, volumes[0]).shape == (8, 16, 16)


def test_the_peak_of_memory_is_seen():
    assert script("volumes_3d").peak_during(lambda: (np.ones(2**24), time.sleep(0.05))) > 0.9 * 2**27


def test_scores_of_losses_count_patients_with_a_nodule_and_the_threshold_is_the_best_of_the_grid():
    module = script("losses")
    masks = np.zeros((3, 8, 8), np.uint8)
    masks[0, 2:4, 2:4], masks[1, 4:6, 4:6] = 1, 1
    subset = Subset(
        np.zeros((3, 8, 8, 1), np.float32), masks, np.array(list("ABC")), np.array(list("abc")), np.full((3, 2), 3.0)
    )
    probabilities = np.where(masks, 0.15, 0.01)
    probabilities[2, 0, 0] = 0.9  # a false alarm in the patient without a nodule
    at_half = module.scores(probabilities, subset, 0.5)
    assert at_half["dice"].tolist() == [0, 0]
    assert (at_half["recall"], at_half["precision"], at_half["found"]) == (0, 0, 0)
    assert at_half["false_objects"] == pytest.approx(1 / 1.5)  # three crops are one slice and a half
    chosen = module.best_threshold(probabilities, subset)
    assert 0.01 < chosen <= 0.15
    best = module.scores(probabilities, subset, chosen)
    assert best["dice"].tolist() == [1, 1]
    assert (best["precision"], best["found"]) == (pytest.approx(8 / 9), 1)
    by_hand = -(8 * np.log(0.15) + 183 * np.log(0.99) + np.log(0.1)) / 192
    assert module.crossentropy(probabilities, masks) == pytest.approx(by_hand)


def test_losses_keep_dice_per_seed_and_patient_and_differences_are_of_the_same_patients():
    module = script("losses")
    shared = {"crossentropy": 0.01, "accuracy": 0.999, "recall": 0.5, "chosen_threshold": 0.5, "found": 0.5}
    shared |= dict.fromkeys(("found_at_chosen", "false_objects", "false_objects_at_chosen"), 0.25)

    def runs_of(*tables):
        for dice, precision in tables:
            dice = np.array(dice)
            yield {"dice": dice, "dice_at_chosen": dice, "precision": precision, **shared} | {
                "training_curve": [0.1, dice[0]]
            }

    tables = ([0.2, 0.4, 0.9, 0.5, 0.5], np.nan), ([0.4, 0.6, 0.9, 0.5, 0.5], 0.8)
    row = module.summarize(list(runs_of(*tables)))
    assert row["dice"] == pytest.approx(np.mean([0.3, 0.5, 0.9, 0.5, 0.5]), abs=1e-3)
    assert (row["dice_seeds"], row["dice_by_seed"]) == ([0.5, 0.58], [dice for dice, _ in tables])
    assert row["dice_low"] < row["dice"] < row["dice_high"]
    assert (row["precision_seeds"], row["false_objects_seeds"]) == ([None, 0.8], [0.25, 0.25])
    assert row["training_curve"] == [0.1, 0.3]

    better = module.summarize(list(runs_of(*[([one + 0.1 for one in dice], 0.8) for dice, _ in tables])))
    rows = {"plain": row, "better": better}
    module.add_gains(rows, "plain")
    assert "dice_gain" not in row
    assert better["dice_gain"] == pytest.approx(0.1, abs=1e-3)
    # patients differ by far more, and drop out of the difference; seeds, drawn for each on its own, do not
    width = better["dice_gain_high"] - better["dice_gain_low"]
    assert 0 < width < 0.6 * (row["dice_high"] - row["dice_low"])


def test_targets_of_the_boundary_loss_are_pixels_inside_and_outside():
    module = script("losses")
    masks = np.zeros((2, 5, 7), np.uint8)
    masks[0, 1:4, 1:4] = 1
    depth = module.signed_depth(masks)[..., 0]
    assert depth[0, 2].tolist() == [-1, 1, 2, 1, -1, -2, -3]
    assert not depth[1].any()
    nothing, all_of_it = np.zeros((2, 5, 7, 1), np.float32), np.float32(masks[..., None])
    perfect = float(module.dice_boundary(depth[..., None], all_of_it))
    assert perfect == pytest.approx(-10 / 70)  # eight pixels of depth 1 and one of depth 2
    assert perfect < float(module.dice_boundary(depth[..., None], nothing)) == pytest.approx(1 - 1 / 10)


def test_half_of_the_crops_are_drawn_from_those_with_a_nodule():
    module = script("losses")
    masks = np.zeros((10, 4, 4), np.uint8)
    masks[3, 1, 1] = 1
    drawn = module.pick_crops(masks, 4000, 0.5, seed=0)
    assert np.mean(drawn == 3) == pytest.approx(0.5 + 0.5 / 10, abs=0.03)
    assert set(drawn.tolist()) == set(range(10))


def three_patients():
    """Three patients of two slices: A has a large nodule, B a small one, C none."""
    masks = np.ones((6, 16, 16), np.uint8)
    masks[0, 2:8, 2:8] = 2
    masks[2, 4:6, 4:6] = 2
    ids = np.repeat(list("ABC"), 2)
    return Subset(
        np.zeros((6, 16, 16, 1), np.float32), masks, ids, np.array([f"{i}" for i in range(6)]), np.ones((6, 2))
    )


def test_networks_are_scored_per_patient_and_per_nodule_by_size():
    module = script("architectures")
    subset = three_patients()
    found = subset.masks.copy()
    found[2] = 1  # the small nodule is missed
    found[5, 0, 0] = 2  # a false alarm on a slice without a nodule
    found[4, :8] = 0  # half a lung is missed
    scored = module.score(found, subset)
    assert scored["lung"].tolist() == pytest.approx([1, 2 * 508 / (508 + 512), 2 * 383 / (383 + 512)])
    assert scored["nodule"][:2].tolist() == [1, 0]
    assert np.isnan(scored["nodule"][2])
    assert scored["lung_hd95"][0] == 0
    assert 3 < scored["lung_hd95"][2] < 5  # of the two slices, one is nearly right
    assert scored["nodules"] == {"below 3 pixels": 1, "3 to 5 pixels": 0, "5 pixels and more": 1}
    assert scored["found"] == {"below 3 pixels": 0, "3 to 5 pixels": 0, "5 pixels and more": 1}
    assert scored["false_slices"] == 1
    assert module.pick_slices(subset) == [0, 2]


def test_the_tables_of_the_network_benchmark_share_a_run_where_the_width_is_the_same():
    module = script("architectures")

    def row(network, width, level):
        dice = [[level, level + 0.1, None], [level + 0.02, level + 0.12, None]]
        return {"network": network, "base_filters": width, "lung_by_seed": dice, "nodule_by_seed": dice} | {
            "lung_hd95_by_seed": dice
        }

    measured = {
        "U-Net": row("U-Net", 8, 0.5),
        "SegNet": row("SegNet", 8, 0.4),
        "FCN-8s": row("FCN-8s", 8, 0.3),
        "FCN-8s, 4 filters": row("FCN-8s", 4, 0.45),
        "U-Net without skips": row("U-Net", 8, 0.2),
    }
    results = module.assemble(measured, argparse.Namespace(seconds=45), three_patients())
    assert results["tables"] == {
        "equal width": ["U-Net", "SegNet", "FCN-8s"],
        "equal parameters": ["U-Net", "SegNet", "FCN-8s, 4 filters"],
    }
    assert (results["held_out_patients_with_nodule"], results["held_out_slices_without_nodule"]) == (2, 4)
    assert "nodule_dice_gain" not in results["networks"]["U-Net"]
    other = results["networks"]["FCN-8s, 4 filters"]
    assert other["nodule_dice"] == pytest.approx(0.51)
    assert other["nodule_dice_seeds"] == [0.5, 0.52]
    gain, low, high = (other[f"nodule_dice_gain{end}"] for end in ("", "_low", "_high"))
    assert gain == pytest.approx(-0.05)
    assert low is None  # two patients make no interval
    assert high is None


def test_every_network_of_the_benchmark_is_built_and_the_widths_bring_the_parameters_together():
    from unet_helpers.models import count_parameters

    module = script("architectures")
    settings = module.list_settings()
    sizes = {name: count_parameters(module.build(one)) for name, one in settings.items()}
    assert len(settings) == 8
    for name in ("Attention U-Net", "SegNet", "FCN-8s, 4 filters", "DeepLabV3+, 11 filters"):
        assert abs(sizes[name] / sizes["U-Net"] - 1) < 0.1
    assert sizes["U-Net without skips"] < sizes["U-Net"]


def test_held_out_patients_are_others_than_those_of_the_data_set_and_of_notebook_07():
    used = {*range(48), *script("losses").HELD_OUT}
    assert not used & set(script("architectures").HELD_OUT)


def test_held_out_patients_reach_the_other_processes_unchanged(tmp_path, monkeypatch):
    module = script("architectures")
    monkeypatch.setattr(module, "HELD_OUT", range(72, 73))
    made = module.make_held_out(tmp_path / "held_out.npz")
    read = module.load_held_out(tmp_path / "held_out.npz")
    assert read.patients == made.patients == ["P073"]
    assert np.array_equal(read.images, made.images)
    assert read.readers is None


def test_readers_are_compared_in_pairs_and_with_a_consensus_that_leaves_them_out():
    module = script("readers")
    masks = np.zeros((3, 4, 8, 8), np.uint8)  # slices of A/n0, A/n1, B/n0
    masks[0, :, 2:4, 2:4] = 1
    masks[0, 3, 2:4, 4] = 1  # the fourth reader draws 6 pixels, the others 4
    masks[1, 0, 5, 5] = 1  # one reader alone
    masks[2, :2, 1:3, 1:3] = 1  # two of four
    patients, nodules = np.array(list("AAB")), module.nodules_of(["A/n0/s0", "A/n1/s0", "B/n0/s0"])
    results = module.measure(masks, patients, nodules)
    assert (results["patients"], results["nodules"], results["slices"]) == (2, 3, 3)
    assert results["slices_by_readers"] == results["nodules_by_readers"] == [0, 1, 1, 0, 1]
    pairs = results["pairs"]
    assert (pairs["both_marked"], pairs["one_empty"], pairs["both_empty"]) == (7, 7, 4)
    assert pairs["dice"] == pytest.approx((3 + 3 * 0.8 + 1) / 7, abs=1e-3)
    assert pairs["dice_cases_first"] == pytest.approx(((3 + 3 * 0.8) / 6 + 1) / 2, abs=1e-3)
    assert pairs["dice_one_empty_is_0"] == pytest.approx((3 + 3 * 0.8 + 1) / 14, abs=1e-3)
    assert pairs["surface_dice"] == 1  # one column more is within one pixel
    # the two of patient B are each other's only company: two of the others marked nothing for them
    others = results["others"]
    assert (others["both_marked"], others["one_empty"], others["both_empty"]) == (4 + 0, 1 + 4, 3)
    assert others["dice"] == pytest.approx((3 + 0.8) / 4, abs=1e-3)
    # patient A: readers 2 and 3 agree wholly, the first drew 1 and the fourth 2 pixels too much; B: 0 of all four
    assert others["patient_dice"] == pytest.approx((8 / 9 + 1 + 1 + 0.8) / 8, abs=1e-3)
    assert others["dice_missed_is_0"] == pytest.approx((3 + 0.8 + 0 + 0) / 6, abs=1e-3)
    assert others["missed"] == pytest.approx(2 / 6, abs=1e-3)
    assert others["false_alarms"] == 0.5  # of the six that are left, one in A and two in B
    # mask by mask: the first two have a truth in A/n0 only, the last two in B/n0 as well and miss it
    found = [(mask["dice_missed_is_0"], mask["false_alarms"]) for mask in results["by_number"]]
    assert found == [(1, 1), (1, 0.5), (0.5, 0), (0.4, 0)]
    assert results["numbered_from_the_first"] == 1
    turned = module.measure(masks[:, ::-1], patients, nodules)
    assert turned["numbered_from_the_first"] == pytest.approx(1 / 3, abs=1e-3)
    assert turned["by_number"] == results["by_number"][::-1]
    with_own = results["all_with_own_mask"]
    assert (with_own["both_marked"], with_own["one_empty"]) == (6, 3)
    assert with_own["dice"] == pytest.approx((3 + 0.8 + 2) / 6, abs=1e-3)
    assert results["slices_with_four_masks"] == 1
    assert results["pairs_of_four_masks"]["dice"] == pytest.approx(0.9)
    detection = results["detection"]
    assert detection["missed_if_1_others_marked"] == pytest.approx(3 / 5)
    assert detection["missed_if_2_others_marked"] == 1
    assert detection["missed_if_3_others_marked"] == 0
    assert detection["marked_alone"] == pytest.approx(1 / 7, abs=1e-3)
    assert sum(part["both_marked"] for part in results["pairs_by_size"].values()) == 7


def test_pixels_of_a_nodule_are_added_over_its_slices_before_dividing():
    module = script("readers")
    masks = np.zeros((2, 2, 8, 8), np.uint8)
    masks[0, :, :4, :4] = 1
    masks[1, 0, 0, :8] = 1  # the second reader ends the nodule one slice earlier
    pairs = module.between_pairs(masks)
    cases = module.pooled(pairs, ["A/n0", "A/n0"])
    assert module.dice_of(*cases).tolist() == [[pytest.approx(2 * 16 / (24 + 16))]]
    assert pairs.dice.ravel().tolist() == [1, 0]


def test_an_archive_patient_of_the_atlas_is_as_drawn_and_what_makes_lung_dense_is_known(
    monkeypatch,
):
    from unet_helpers.phantom import make_patient

    module = script("atlas")
    monkeypatch.setitem(module.SLICES, "archive", 5)
    drawn = make_patient(2, index=1, slices=5, variety="archive")
    assert drawn.difficulties["consolidation"]
    assert np.array_equal(module._make_changed(1, {}, {}).volume, drawn.volume)
    known = module.make_archive(1)
    assert np.array_equal(known.truth, drawn.masks)
    assert (known.truth[known.dense] > 0).all()
    assert set(np.flatnonzero(known.dense.sum(axis=(1, 2)) > 50)) >= set(drawn.difficulties["consolidation"])
    assert known.images[known.dense].mean() > known.images[(known.truth == 1) & ~known.dense].mean() + 0.3


def known_patient(module):
    """Six slices 5 mm apart with a ball of 20 mm in the middle of slices 1 to 4; slice 5 is cut on the left."""
    from types import SimpleNamespace

    truth = np.zeros((6, 40, 40), np.uint8)
    truth[:, 5:35, 5:35] = 1
    for k, radius in enumerate((0, 2.6, 3.3, 3.3, 2.6, 0)):
        truth[k][np.hypot(*(np.mgrid[:40, :40] - 20)) < radius] = 2
    nodule = SimpleNamespace(center=(2.5, 20, 20), diameter_mm=20.0, kind="solid")
    cut, dense = np.zeros((2, *truth.shape), bool)
    cut[5, :, :5], dense[0, 10:20, 10:20] = True, True
    images = np.where(truth == 1, 0.3, 0.9).astype(np.float32)
    return module.Known("thin 1", images, truth, (5.0, 3.0, 3.0), cut, dense, (nodule,), {})


def test_the_phantom_knows_why_an_error_was_made():
    module = script("atlas")
    patient = known_patient(module)
    nodules = patient.truth == 2

    def causes(k, area, lost=True, index=2):
        return module.known_causes(patient, k, area, lost, index)

    assert causes(1, nodules[1]) == {"slice-end error"}  # 7.5 mm from the center, of 10
    assert causes(2, nodules[2]) == set()
    edge = np.zeros((40, 40), bool)
    edge[20, 18] = True
    assert causes(1, edge & nodules[1]) == set()  # less than half of the cross-section
    assert causes(5, nodules[4], lost=False) == {"slice-end error"}  # predicted beyond the end
    block = np.zeros((40, 40), bool)
    block[11:15, 11:15] = True
    assert causes(0, block, index=1) == {"low contrast"}
    assert causes(0, block, lost=False, index=2) == set()
    rim = np.zeros((40, 40), bool)
    rim[10:20, 5:7] = True
    assert causes(5, rim, index=1) == {"truncated by field of view"}
    patient.nodules[0].kind = "ground-glass"
    assert causes(2, nodules[2]) == {"low contrast"}
    assert causes(1, nodules[1]) == {"low contrast", "slice-end error"}
    assert module.nodule_at(patient, 2, edge)[0] is patient.nodules[0]
    assert module.nodule_at(patient, 2, rim)[0] is None


def test_own_errors_are_judged_by_cause_and_counted():
    module = script("atlas")
    patient = known_patient(module)
    predicted = patient.truth.copy()
    predicted[1][patient.truth[1] == 2] = 1  # the first cross-section is missed
    predicted[2, 20, 22:24] = 1  # too few pixels to be judged
    table = module.sort_own_errors(patient, predicted, 0.2)
    assert table[["patient", "expected", "kind"]].values.tolist() == [["thin 1", "slice-end error", "slice-end error"]]
    several = pd.DataFrame({"expected": ["several", "low contrast"], "kind": ["hole", "split"]})
    assert module.judge(several).values.tolist() == [["low contrast", "split", "another kind"]]
    counts = module.count(table, ["slice-end error", "hole"], ["hole", "slice-end error"])
    assert counts == {"slice-end error": [0, 1], "hole": [0, 0]}


def test_risk_falls_with_coverage_if_the_certain_slices_are_the_right_ones():
    module = script("atlas")
    risk = np.linspace(0, 1, 20)
    table = pd.DataFrame({"patient": np.tile(list("ABCD"), 5), "risk": risk, "confidence": 1 - risk})
    found = module.risk_over_coverage(table, repeats=50)
    assert found["risk"] == found["ideal_risk"]
    assert found["risk"][-1] == found["mean_risk"] == 0.5
    assert found["area_minus_random"] < found["area_minus_random_high"] < 0
    upside_down = module.risk_over_coverage(table.assign(confidence=risk), repeats=50)
    assert upside_down["risk"][0] > 0.9
    assert upside_down["area_minus_random_low"] > 0
    probability, mask = np.array([[0.9, 0.6, 0.1]]), np.array([[True, True, False]])
    assert module.confidence(probability, mask) == pytest.approx(2 * 1.5 / (1.6 + 2))
    assert module.confidence(probability, mask & False) == pytest.approx(0.1)


def test_difficulties_of_few_patients_are_left_out():
    module = script("atlas")
    truth = np.ones((2, 4, 4), np.uint8)
    masks = (truth, truth, (1,) * 3, truth < 0, truth < 0)
    thin = [{"thin": (0, 1)} if n < 3 else {} for n in range(6)]
    patients = [module.Known(f"archive {n}", *masks, (), has) for n, has in enumerate(thin)]
    patients[0].difficulties["metal"] = (0,)
    predicted = [np.where(np.arange(16).reshape(4, 4) < (8 if n < 3 else 16), truth, 0) for n in range(6)]
    slices = module.dice_of_slices(patients, predicted, 1)
    (row,) = module.by_difficulty(patients, slices, least=3)
    assert (row["difficulty"], row["patients"], row["slices"]) == ("thin", 3, 6)
    assert row["dice"] == pytest.approx(2 / 3, abs=1e-3)
    assert row["without"] == 1


def test_a_difficulty_of_four_patients_has_the_range_of_their_means_and_one_of_five_an_interval():
    module = script("atlas")
    names = [f"archive {n}" for n in range(10)]
    has = [{"movement": (0, 1)} if n < 4 else {"thin": (0, 1)} if n < 9 else {} for n in range(10)]
    patients = [module.Known(name, *(None,) * 5, (), one) for name, one in zip(names, has, strict=True)]
    dice = np.array([0.2, 0.5, 0.6, 0.8, 0.7, 0.7, 0.8, 0.9, 0.9, 0.9])
    slices = pd.DataFrame({"patient": np.repeat(names, 2), "slice": [0, 1] * 10, "dice": np.repeat(dice, 2)})
    movement, thin = module.by_difficulty(patients, slices)
    assert (movement["ends"], movement["dice_low"], movement["dice_high"]) == ("range", 0.2, 0.8)
    assert thin["ends"] == "interval"
    assert 0.65 < thin["dice_low"] < 0.7 < 0.9 < thin["dice_high"] < 0.95


def test_robustness_is_written_as_one_list_per_quantity():
    module = script("atlas")
    runs = [{"lung": {"A": d, "B": d}, "nodule": {"A": d / 2, "B": d / 4}} for d in (0.9, 0.5)]
    found = module.in_lists("HU", (0, 50), runs, module.summarize_change)
    assert (found["unit"], found["levels"], found["lung_dice"]) == ("HU", [0, 50], [0.9, 0.5])
    assert found["lung_change"] == [0, -0.4]
    assert found["nodule_dice_low"][1] < found["nodule_dice"][1] == 0.188


def test_tiles_of_one_field_are_found_by_their_edges():
    from scipy.ndimage import gaussian_filter

    module = script("nuclei")
    random = np.random.default_rng(0)
    field, other = (100 * gaussian_filter(random.random((80, 80)), 2) for _ in range(2))
    tiles = [field[:40, :40], other[:40, :40], field[40:, :40], field[40:, 40:], other[:40, 40:], field[:40, :30]]
    names = module.find_fields(tiles)
    assert names[0] == names[2] == names[3]
    assert names[1] == names[4] != names[0]
    assert names[5] not in set(names[:5])  # its right edge does not go on in any of them


def test_a_count_of_nuclei_is_in_percent_of_the_true_count(draw):
    module = script("nuclei")
    truth = draw("11.22", "11.22", ".....", "33.44").astype(np.int32)
    found = module.pieces(draw("11111", "11111", ".....", "11.11"), 3)
    row = module.score(found, truth)
    assert (row["counted"], row["count_error"], row["count_bias"]) == (1, 75, -75)
    assert (row["missed"], row["merged"], row["pq"]) == (100, 25, 0)
    runs = [{"pq": np.array([0.2, 0.4, np.nan, 0.3, 0.1, 0.5]), "counted": np.arange(6)}] * 2
    summary = module.summarize(runs, np.array(["a", "b", "b", "c", "d", "e"]))
    assert (summary["pq"], summary["pq_seeds"], summary["counted_in_all_seeds"]) == (0.3, [0.3, 0.3], [15, 15])
    assert summary["pq_low"] < 0.3 < summary["pq_high"]


def test_the_network_with_a_border_class_trains_on_crops_and_predicts_images_of_any_size(monkeypatch):
    from unet_helpers.teaching import draw_cells

    module = script("nuclei")
    monkeypatch.setattr(module, "CROP", 32)
    monkeypatch.setattr(module, "MODEL", {"base_filters": 2, "depth": 2, "dropout": 0.0})
    pictures, labels = zip(*[draw_cells(8, size, seed=size) for size in (40, 49)], strict=True)
    network = module.train_network(pictures, labels, [0, 1], seed=0, steps=2, border=5)
    found = module.predict(network, pictures[1])
    assert found.shape == (49, 49)
    assert set(np.unique(found)) <= {0, 1, 2}
    crops, classes = module.draw_batch(pictures, labels, np.random.default_rng(0))
    assert crops.shape == (module.BATCH, 32, 32, 1)
    assert all(
        ((crop[..., 0] > 0.4) & (marked == 0)).mean() < 0.03 for crop, marked in zip(crops, classes, strict=True)
    )
