"""Every check of the doctor finds what it is for and is silent about healthy data. No training: a known network."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from drawn import dark_disks

from unet_helpers import UNet
from unet_helpers.data import Dataset
from unet_helpers.failures import CANNOT_SEE, better_than_swapped, diagnose, gray_information, neighbor_correlation
from unet_helpers.teaching import museum
from unet_helpers.training import History

HEALTHY = {"loss": [0.6, 0.3, 0.2], "val_loss": [0.9, 0.4, 0.3], "dice": [0.5, 0.8, 0.9], "val_dice": [0.4, 0.7, 0.9]}


@pytest.fixture
def data():
    return Dataset(
        "disks", ("background", "disk"), dark_disks(16, seed=0), dark_disks(6, seed=1), dark_disks(4, seed=2)
    )


def dark_is_disk(sign=1, activation="sigmoid"):
    """A network of one weight and one bias: a pixel darker than 0.5 is a disk."""
    inputs = keras.Input((None, None, 1))
    layer = keras.layers.Conv2D(1, 1, activation=activation)
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([np.full((1, 1, 1, 1), -20.0 * sign), np.array([10.0 * sign])])
    return model


def names(model, history, data):
    return diagnose(model, history, data).names


def test_a_healthy_run_has_no_finding_and_the_doctor_says_what_it_cannot_see(data):
    diagnosis = diagnose(dark_is_disk(), HEALTHY, data)
    assert diagnosis == []
    assert "nothing suspicious" in str(diagnosis)
    assert all(line in str(diagnosis) for line in CANNOT_SEE)


@pytest.mark.parametrize("kind", ["dict", "Keras", "train"])
def test_any_kind_of_history_is_read(data, kind):
    spoiled = HEALTHY | {"loss": [0.6, np.nan]}
    history = keras.callbacks.History()
    history.history = spoiled
    given = {"dict": spoiled, "Keras": history, "train": History(curves=spoiled)}[kind]
    assert names(dark_is_disk(), given, data) == ["learning rate too high"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("images and masks mispaired", museum.pair_by_sorting),
        ("masks in 0 and 255", museum.keep_255),
        ("image and mask augmented apart", museum.augment_apart),
        ("patients on both sides of the split", museum.split_by_slice),
        ("each subset normalized by itself", museum.normalize_each_subset),
        ("training and validation scaled differently", museum.scale_training_only),
        ("labels inverted", museum.invert_labels),
        ("noise in place of the data", museum.use_placeholders),
    ],
)
def test_a_bug_in_the_data_is_named_first(data, name, change):
    diagnosis = diagnose(dark_is_disk(), HEALTHY, change(data, 3))
    assert diagnosis.names[:1] == [name]
    assert diagnosis[0].next_test in str(diagnosis)


@pytest.mark.parametrize("change", [museum.augment_together, museum.normalize_by_training])
def test_the_repairs_are_healthy(data, change):
    found = names(dark_is_disk(), HEALTHY, change(data, 3))
    # the network of this test knows one gray value only, so it may learn nothing of normalized images
    assert set(found) <= {"nothing was learned", "the output is constant"}


def test_fractions_and_a_class_along_the_border_are_seen(data):
    soft = replace(data)
    soft.train = replace(data.train, masks=data.train.masks * np.float32(0.75))  # a new data set would refuse them
    assert names(dark_is_disk(), HEALTHY, soft)[0] == "mask edges left as fractions"
    three = {}
    for name, part in data.subsets.items():
        masks = 2 * part.masks
        masks[:, 1:-1, 1:-1][(part.masks[:, 1:-1, 1:-1] == 1) & (part.masks[:, 1:-1, :-2] == 0)] = 1
        three[name] = replace(part, masks=masks)
    rim = replace(data, class_names=("background", "nodule", "lung"), **three)
    assert names(dark_is_disk(), HEALTHY, rim)[0] == "masks resized with interpolation"


def test_an_image_that_stands_in_two_subsets_is_seen(data):
    test = replace(data.test, images=data.test.images.copy())
    test.images[0] = data.train.images[5]
    assert names(dark_is_disk(), HEALTHY, replace(data, test=test)) == ["images on both sides of the split"]


def test_a_softmax_over_one_channel_is_named_before_its_consequence(data):
    assert names(dark_is_disk(activation="softmax"), HEALTHY, data) == [
        "softmax over one channel",
        "the output is constant",
    ]


def test_skip_connections_are_missed_where_there_are_none(data):
    for skips, expected in ((True, False), (False, True)):
        network = UNet((32, 32, 1), 1, base_filters=2, depth=2, skip_connections=skips)
        assert ("skip connections left out" in names(network, HEALTHY, data)) == expected


def test_a_metric_that_is_a_function_is_averaged_over_batches(data):
    for metrics, expected in (([museum.dice_coefficient], True), (["accuracy", keras.metrics.BinaryIoU()], False)):
        network = dark_is_disk()
        network.compile("sgd", "binary_crossentropy", metrics=metrics)
        network.evaluate(data.test.images, museum.make_plain_targets(data.test.masks, 1), verbose=0)
        assert ("metric averaged per batch" in names(network, HEALTHY, data)) == expected


def test_accuracy_alone_is_named_with_the_score_of_a_constant(data):
    curves = {"loss": [0.6, 0.3], "accuracy": [0.8, 0.9], "val_loss": [0.5, 0.4], "val_accuracy": [0.8, 0.9]}
    diagnosis = diagnose(dark_is_disk(), curves, data)
    assert diagnosis.names == ["accuracy as the only metric"]
    assert f"{1 - data.train.masks.mean():.2f}" in diagnosis[0].evidence


@pytest.mark.parametrize(
    "curves", [{"loss": [9.0, 0.4, 0.4]}, {"loss": [0.5, 0.4, 0.37], "val_loss": [3480.0, 0.4, 0.37]}]
)
def test_a_loss_that_jumps_points_at_the_learning_rate(data, curves):
    assert names(dark_is_disk(), HEALTHY | curves, data) == ["learning rate too high"]


def test_an_inverted_answer_and_a_constant_one_are_seen(data):
    assert names(dark_is_disk(sign=-1), HEALTHY, data) == ["labels inverted"]
    assert names(dark_is_disk(sign=0), HEALTHY, data) == ["the output is constant"]


def test_small_objects_are_not_judged_and_that_is_said(data):
    tiny = {}
    for name, part in data.subsets.items():
        masks = np.zeros_like(part.masks)
        masks[:, 15, 15] = part.masks[:, 15, 15]
        tiny[name] = replace(part, masks=masks)
    assert "too few masks with an object" in str(diagnose(dark_is_disk(), HEALTHY, replace(data, **tiny)))


def test_swapping_masks_is_noticed_by_their_information():
    part = dark_disks(6, seed=4)
    images, masks = part.images[..., 0], part.masks[:, None] > 0
    assert better_than_swapped(gray_information(images, masks)) > 0.95
    assert better_than_swapped(gray_information(images, masks[::-1])) < 0.7
    assert better_than_swapped(np.ones((3, 3))) == 0.5


def test_information_of_a_mask_that_is_the_image_is_its_entropy():
    image = np.zeros((1, 8, 8))
    image[:, :, 4:] = 1
    found = gray_information(image, (image > 0)[:, None])
    assert found[0, 0] == pytest.approx(np.log(2), abs=1e-6)


def test_noise_has_no_neighbors_and_a_constant_picture_is_no_noise():
    noise = np.random.default_rng(0).random((16, 64, 64))
    assert abs(neighbor_correlation(noise)) < 0.05
    assert neighbor_correlation(np.ones((2, 8, 8))) == 1
    assert neighbor_correlation(dark_disks(2).masks) > 0.7
