"""The checks of notebook 09: starter, right answer, and the message for each typical wrong one."""

import keras
import numpy as np
import pytest

from unet_helpers import bootstrap_interval, window
from unet_helpers.teaching.checks import domain_shift_and_transfer as check


def right_pair(before, after):
    lost = after - before
    return lost.mean(), bootstrap_interval(lost)


def unpaired(before, after):
    (a, b), (c, d) = bootstrap_interval(before), bootstrap_interval(after)
    return after.mean() - before.mean(), (c - b, d - a)


def by_place(before, after):
    lost = after.to_numpy() - before.to_numpy()
    return lost.mean(), bootstrap_interval(lost)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (right_pair, "Right"),
        (lambda before, after: right_pair(after, before), "after minus before"),
        (unpaired, "Subtract first, patient by patient"),
        (by_place, "subtract by patient"),
        (lambda before, after: after.mean() - before.mean(), "return two things"),
        (lambda before, after: (after.mean(), bootstrap_interval(after)), "every patient lost 0.1, and it gives 0.45"),
        (lambda b, a: (np.mean((a - b).to_numpy()), bootstrap_interval(a - b)), "leave such a patient out"),
        (lambda b, a: ((a - b).mean(), bootstrap_interval(a - b)[::-1]), "ends in order"),
    ],
)
def test_paired(said, function, message):
    assert message in said(check.paired, function)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "Right"),
        ({"A": ...}, "Not yet: A"),
        ({"B": "flu"}, "'flu' for 'B' is none of"),
        ({"A": "motion"}, "one and the same gray value"),
        ({"B": "low dose"}, "edges appear twice"),
        ({"C": "motion"}, "grainy"),
        ({"D": "motion"}, "another size"),
    ],
)
def test_name_the_cause(said, changes, message):
    assert message in said(check.name_the_cause, {**check.ANSWERS, **changes})


def test_each_mystery_scan_shows_what_its_clue_says():
    images = check.mystery_scans()
    by_cause = {cause: images[letter] for letter, cause in check.ANSWERS.items()}
    assert all(image.shape == (128, 128) and 0 <= image.min() <= image.max() <= 1 for image in images.values())
    grain = {cause: np.median(np.abs(np.diff(image[32:96, 32:96], n=2))) for cause, image in by_cause.items()}
    assert grain["low dose"] > 1.2 * grain["motion"]
    # lung and air are one value in the soft-tissue window, and two in the lung window
    assert (by_cause["soft-tissue window"] == 0).mean() > 0.3
    assert (by_cause["motion"] == 0).mean() < 0.3
    # the body takes less of a wide field
    body = {cause: (image > 0.4).mean() for cause, image in by_cause.items()}
    assert body["wide field of view"] < 0.7 * body["motion"]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda gray, level, width: level + (gray - 0.5) * width, "Right"),
        (lambda gray, level, width: gray * width + level, "half a width below"),
        (lambda gray, level, width: (gray - 0.5) * width, "the level moves them"),
        (lambda gray, level, width: gray * level + width, "exchanged"),
        (lambda gray, level, width: window(gray, level, width), "a second time"),
        (lambda gray, level, width: gray, "Solve gray"),
        (lambda gray, level, width: gray[0], "return one HU for each"),
        (lambda gray, level, width: gray["x"], "raised"),
    ],
)
def test_back_to_hu(said, function, message):
    assert message in said(check.back_to_hu, function)


def freeze(network, prefix="down", skip=()):
    for layer in network.layers:
        if layer.name.startswith(prefix) and not layer.name.endswith(skip):
            layer.trainable = False
    return network


def freeze_all(network):
    network.trainable = False
    return network


def freeze_and_reset(network):
    network.set_weights([0 * weight for weight in network.get_weights()])
    return freeze(network)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (freeze, "Right"),
        (lambda network: network, "down1_conv1 belongs to the contracting path"),
        (lambda network: freeze(network, skip=("_bn1", "_bn2")), "Batch normalization has weights too"),
        (lambda network: freeze(network, prefix=("down", "bottleneck")), "below the contracting path"),
        (lambda network: freeze(network, prefix=("down", "up")), "the expanding path"),
        (freeze_all, "nothing is left to train"),
        (freeze_and_reset, "the weights have changed"),
        (lambda network: freeze(network).layers, "return the network"),
    ],
)
def test_frozen(said, function, message):
    keras.utils.set_random_seed(0)
    assert message in said(check.frozen, function)
