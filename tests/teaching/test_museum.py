"""The exhibits do what their labels say, on drawings and disks; what they cost stands in book/results/museum.json."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from drawn import dark_disks
from museum import build_dead_channels, placeholder_task, soften_masks

from unet_helpers.data import Dataset, Subset, subsets
from unet_helpers.teaching import museum
from unet_helpers.teaching.museum import EXHIBITS


@pytest.fixture
def data():
    return Dataset(
        "disks", ("background", "disk"), dark_disks(12, seed=0), dark_disks(4, seed=1), dark_disks(4, seed=2)
    )


def touching(part):
    """Share of the mask that lies on dark pixels."""
    return float((part.images[..., 0][part.masks > 0] < 0.5).mean())


def test_halved_masks_take_the_most_frequent_class_and_the_higher_of_two(draw):
    masks = draw("1122", "1202", "0011", "0000")[None]
    assert museum.halve_masks(masks)[0].tolist() == [[1, 2], [0, 1]]


def test_the_tasks_hold_the_classes_they_name():
    part = dark_disks(1)
    part.masks[:, :4, :4] = 2
    assert np.unique(museum.lungs_of(part).masks).tolist() == [0, 1]
    three = museum.three_classes_of(part)
    assert np.unique(three.masks).tolist() == [0, 1, 2]
    assert (three.masks[:, 0, 0] == 1).all()  # nodules come before the lung
    assert three.images.shape == (4, 16, 16, 1)
    assert three.spacing.tolist() == [[2, 2]] * 4


def test_sorting_pairs_the_third_image_with_another_mask(data):
    mispaired = museum.pair_by_sorting(data).train
    # 0.png, 1.png, 10.png, 11.png, … against 000.png, 001.png, 002.png, …
    assert (mispaired.images[1] == data.train.images[1]).all()
    assert (mispaired.images[2] == data.train.images[10]).all()
    assert (mispaired.masks == data.train.masks).all()
    assert touching(data.train) > 0.99
    assert touching(mispaired) < 0.6


def test_the_defaults_of_resize_put_a_class_on_the_border_that_was_not_there():
    masks = 2 * dark_disks(1, slices=2).masks
    resized = museum.resize_masks_with_defaults(masks)
    assert resized.shape == (2, 16, 16)
    assert np.unique(resized).tolist() == [0, 1, 2]
    assert np.unique(museum.halve_masks(masks)).tolist() == [0, 2]


def test_soft_masks_hold_the_share_of_four_pixels(draw):
    soft = soften_masks(draw("1120", "1000")[None])
    assert soft.tolist() == [[[0.75, 0.25]]]


def test_augmented_together_masks_stay_on_their_disks_and_apart_they_do_not(data):
    assert touching(museum.augment_together(data, 3).train) > 0.9
    assert touching(museum.augment_apart(data, 3).train) < 0.8
    assert museum.augment_apart(data, 3).validation is data.validation


def test_a_split_by_slice_shares_patients_and_loses_no_slice(data):
    everything = sorted(np.concatenate([part.case_ids for part in data.subsets.values()]))
    for change, shares in ((museum.split_by_slice, True), (museum.split_again_by_patient, False)):
        changed = change(data, 1)
        assert bool(set(changed.train.patients) & set(changed.validation.patients)) == shares
        assert sorted(np.concatenate([part.case_ids for part in changed.subsets.values()])) == everything


def test_normalized_by_itself_every_subset_has_mean_0_and_by_training_it_has_not(data):
    own, shared = museum.normalize_each_subset(data), museum.normalize_by_training(data)
    assert own.validation.images.mean() == pytest.approx(0, abs=1e-5)
    assert own.validation.images.std() == pytest.approx(1, abs=1e-4)
    assert abs(shared.validation.images.mean()) > 1e-3
    assert (own.train.images == shared.train.images).all()


def test_the_other_data_bugs_change_what_they_say(data):
    assert np.unique(museum.keep_255(data).validation.masks).tolist() == [0, 255]
    assert (museum.invert_labels(data).train.masks + data.train.masks == 1).all()
    scaled = museum.scale_training_only(data)
    assert (scaled.train.images == data.train.images).all()
    assert scaled.validation.images == pytest.approx(255 * data.validation.images)
    noise = museum.use_placeholders(data, 5).train
    assert noise.masks.mean() == pytest.approx(0.5, abs=0.01)
    assert np.corrcoef(noise.images[..., 0].ravel(), noise.masks.ravel())[0, 1] == pytest.approx(0, abs=0.02)
    assert placeholder_task(8, share=0.25).train.masks.mean() == pytest.approx(0.25, abs=0.01)


def test_a_softmax_over_one_channel_says_1_everywhere(data):
    network = museum.build_softmax_over_one(data)
    assert network.output_shape == (None, 32, 32, 1)
    with pytest.warns(UserWarning, match="softmax over axis"):
        assert np.asarray(network(data.train.images[:2])) == pytest.approx(1, abs=1e-6)


def test_dead_channels_are_half_right_under_binary_accuracy(data):
    answers = np.asarray(build_dead_channels(data)(data.train.images[:4]))
    targets = museum.make_plain_targets(data.train.masks[:4], 2)
    assert answers == pytest.approx(0.5, abs=1e-6)
    assert float(keras.metrics.BinaryAccuracy()(targets, answers)) == 0.5


def test_without_skips_nothing_is_concatenated(data):
    def joins(build):
        return sum(isinstance(layer, keras.layers.Concatenate) for layer in build(data).layers)

    assert joins(museum.build_small_unet) == 3
    assert joins(museum.build_without_skips) == 0


def test_the_copied_dice_changes_with_the_batches():
    truth, answer = np.zeros((2, 4, 4, 1), np.float32), np.zeros((2, 4, 4, 1), np.float32)
    truth[0], answer[0] = 1, 1  # a full picture, found; then an empty one with one false pixel
    answer[1, 0, 0] = 1
    together = float(museum.dice_coefficient(truth, answer))
    apart = np.mean([float(museum.dice_coefficient(truth[k : k + 1], answer[k : k + 1])) for k in (0, 1)])
    assert together == pytest.approx(33 / 34)
    assert apart == pytest.approx((1 + 1 / 2) / 2)


def test_mean_dice_pools_slices_leaves_undefined_patients_out_and_counts_what_was_made_up_as_0(draw):
    masks = np.stack([draw("11", "00"), draw("00", "00"), draw("00", "00"), draw("00", "00")])
    images = np.stack([draw("11", "00"), draw("11", "00"), draw("00", "00"), draw("1.", "..")])[..., None]
    ids = np.array(["A", "A", "B", "C"])
    part = Subset(images.astype(np.float32), masks, ids, ids, np.ones((4, 2)))
    copies = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Identity()])
    assert museum.mean_dice(copies, part) == pytest.approx((2 * 2 / (2 + 4) + 0) / 2)


def test_a_compiled_network_that_is_used_again_starts_anew(data, benchmark_script):
    small = replace(data, train=data.train[:16], validation=data.validation[:4])
    first = benchmark_script.train("small", small, 3, epochs=1)
    curves = first.history
    benchmark_script.train("small", museum.invert_labels(small), 4, epochs=1, learning_rate=1.0)
    again = benchmark_script.train("small", small, 3, epochs=1)
    assert again.model is first.model
    assert again.history["loss"] == pytest.approx(curves["loss"], rel=1e-4)
    assert again.history["val_loss"] == pytest.approx(curves["val_loss"], rel=1e-3)


def test_every_exhibit_says_how_it_shows_and_what_would_have_caught_it():
    assert len(EXHIBITS) >= 14
    for exhibit in EXHIBITS.values():
        assert exhibit.symptom
        assert exhibit.caught_by


def test_joined_subsets_keep_the_order(data):
    joined = subsets.join([data.train, data.test])
    assert joined.case_ids.tolist() == [*data.train.case_ids, *data.test.case_ids]
    assert joined.readers is None


# --- the benchmark ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def benchmark_script():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "museum.py"
    specification = importlib.util.spec_from_file_location("museum_benchmark", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_interval_is_the_t_interval_of_paired_differences(benchmark_script):
    row = benchmark_script.interval("effect", [0.1, 0.2, 0.3, 0.4, 0.5])
    # mean 0.3, deviation 0.1581, t(0.975, 4) = 2.776
    assert row == {"effect": 0.3, "effect_low": 0.1037, "effect_high": 0.4963}
    assert benchmark_script.interval("x", [0.1])["x_low"] is None


def test_the_choice_on_a_test_set_is_scored_on_the_other_half(benchmark_script):
    part = dark_disks(4)
    random = np.random.default_rng(0)
    epochs = [np.where(random.random(part.masks.shape) < 0.4, 1.0 - part.masks, part.masks) for _ in range(20)]
    chosen = benchmark_script.select_on_test({"epochs": epochs, "named": []}, part, seed=0)
    assert chosen["honest"] > chosen["reference"]  # equally good candidates: the best is best by luck
    perfect = [part.masks.astype(float)] * 2
    same = benchmark_script.select_on_test({"epochs": perfect, "named": []}, part, seed=0)
    assert same["honest"] == same["reference"] == 1


def test_the_leak_is_split_by_slice_or_by_patient_and_loses_no_crop(data, benchmark_script):
    pool = data.train
    for how, shares in (("by slice", True), ("by patient", False)):
        split = benchmark_script.split_in_two(pool, how, 3)
        assert bool(set(split.train.patients) & set(split.test.patients)) == shares
        assert sorted([*split.train.case_ids, *split.test.case_ids]) == sorted(pool.case_ids)
        assert len(split.train) == pytest.approx(2 * len(split.test), abs=2)


def test_every_crop_of_the_leak_shows_a_nodule(benchmark_script, monkeypatch, tmp_path):
    monkeypatch.setenv("UNET_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(benchmark_script, "LEAK_SLICES", 6)
    crops = benchmark_script.nodules_in_thin_slices(10, 3)
    assert len(crops)
    assert crops.masks.any(axis=(1, 2)).all()
    assert crops.images.shape[1:] == (64, 64, 1)
