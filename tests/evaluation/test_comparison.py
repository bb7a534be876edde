"""Networks side by side: what they cost against hand counts and TensorFlow, the clock, and the intervals."""

import itertools
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from architectures import count_activations, measure_latency
from keras import layers

from unet_helpers import UNet, dice, evaluate, predict_masks
from unet_helpers.data import Subset
from unet_helpers.evaluation import intervals
from unet_helpers.models import costs
from unet_helpers.teaching import coarse_maps
from unet_helpers.training import timed


def blobs(count=16, size=32, seed=0):
    """Two patients with a bright disk each slice: background 0, disk 1, and a spot of class 2 in it."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    masks = np.zeros((count, size, size), np.uint8)
    for mask in masks:
        row, column = random.integers(10, size - 10, 2)
        mask[(rows - row) ** 2 + (columns - column) ** 2 < 64] = 1
        mask[row - 1 : row + 2, column - 1 : column + 2] = 2
    images = (np.array([0.2, 0.5, 0.9])[masks] + random.normal(0, 0.05, masks.shape)).astype(np.float32)[..., None]
    ids = np.repeat(["A", "B"], count // 2)
    return Subset(images, masks, ids, np.array([f"{i}" for i in range(count)]), np.full((count, 2), 3.0))


# --- cost -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "channels", "by_hand"),
    [
        (layers.Conv2D(5, 3, padding="same"), 2, 8 * 8 * 3 * 3 * 2 * 5),
        (layers.Conv2D(5, 3, padding="valid"), 2, 6 * 6 * 3 * 3 * 2 * 5),
        (layers.Conv2D(5, 3, strides=2, padding="same"), 2, 4 * 4 * 3 * 3 * 2 * 5),
        (layers.Conv2D(5, 3, dilation_rate=2, padding="same"), 2, 8 * 8 * 3 * 3 * 2 * 5),
        (layers.Conv2D(6, 3, groups=2, padding="same"), 4, 8 * 8 * 3 * 3 * 2 * 6),
        (layers.Conv2DTranspose(5, 2, strides=2), 2, 8 * 8 * 2 * 2 * 2 * 5),
        (layers.BatchNormalization(), 2, 0),
        (layers.MaxPooling2D(), 2, 0),
    ],
)
def test_multiplications_of_a_layer_counted_by_hand(layer, channels, by_hand):
    model = keras.Sequential([keras.Input((8, 8, channels)), layer])
    assert costs.count_multiply_adds(model) == by_hand


@pytest.mark.parametrize("name", ["U-Net", "Attention U-Net", "SegNet", "FCN-8s", "DeepLabV3+"])
def test_multiplications_are_half_of_what_tensorflow_counts_for_convolutions(name):
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    from tensorflow.python.framework.ops import get_stats_for_node_def

    # TensorFlow cuts a map into pieces by the dilation, and pads it where that does not come out even
    options = {"rates": (1, 2, 4)} if name == "DeepLabV3+" else {}
    network = costs.build_network(name, size=64, base_filters=2, **options)
    step = tf.function(network).get_concrete_function(tf.TensorSpec((1, 64, 64, 1)))
    graph = convert_variables_to_constants_v2(step).graph
    convolutions = [op for op in graph.get_operations() if op.type in ("Conv2D", "Conv2DBackpropInput")]
    counted = sum(get_stats_for_node_def(graph, op.node_def, "flops").value for op in convolutions)
    assert counted == 2 * costs.count_multiply_adds(network)


def test_a_network_of_open_size_has_no_count():
    with pytest.raises(ValueError, match="fixed size"):
        costs.count_multiply_adds(UNet((None, None, 1), 2, base_filters=1, depth=1))


def test_parameters_are_those_that_training_changes_and_activations_are_counted_for_one_image():
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization()])
    assert costs.count_parameters(model) == (9 * 3 + 3) + 2 * 3
    assert count_activations(model) == 2 * 4 * 4 * 3


def test_a_width_comes_closest_to_the_parameters_asked_for():
    target = costs.count_parameters(costs.build_network("U-Net", base_filters=8))
    width = costs.width_for("DeepLabV3+", target)
    found = {w: costs.count_parameters(costs.build_network("DeepLabV3+", base_filters=w)) for w in (10, 11, 12)}
    assert width == min(found, key=lambda w: abs(found[w] - target))
    assert abs(found[width] / target - 1) < 0.1


def test_dilations_shrink_with_the_image_and_stay_apart():
    assert costs.deeplab_rates(513) == (6, 12, 18)
    assert costs.deeplab_rates(128) == (1, 3, 4)
    assert costs.deeplab_rates(64) == (1, 2, 3)


def test_an_unknown_network_is_refused_with_the_names_that_exist():
    with pytest.raises(ValueError, match="U-Net, Attention U-Net, SegNet"):
        costs.build_network("unet")


def test_latency_is_a_positive_time():
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(1, 1)])
    assert 0 < measure_latency(model, repeats=3, warm_up=1) < 5


# --- the clock ------------------------------------------------------------------------------------------------------


def test_the_learning_rate_rises_to_its_peak_and_ends_at_a_hundredth():
    rates = [timed.learning_rate_at(share, 0.1) for share in np.linspace(0, 1, 101)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == pytest.approx(rates[5]) == pytest.approx(0.1)
    assert (np.diff(rates[5:]) < 0).all()
    assert rates[-1] == timed.learning_rate_at(1.3, 0.1) == pytest.approx(0.001)


@pytest.fixture
def ticking(monkeypatch):
    """A clock that moves on by 30 ms whenever somebody looks at it: every machine is equally fast."""
    ticks = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: 0.03 * next(ticks), process_time=time.process_time)
    monkeypatch.setattr(timed, "time", clock)


def test_training_by_the_clock_stops_in_time_learns_and_starts_anew_each_time(ticking):
    data = blobs(18)  # two slices more than whole batches
    network = UNet((32, 32, 1), 3, base_filters=4, depth=2)
    trainer = timed.TimedTrainer(network, data, class_weights=(1, 1, 3))
    told = trainer.train(6, seed=0, learning_rate=5e-3)
    assert told["steps"] == 100  # two looks at the clock for each
    assert float(network.optimizer.learning_rate) < 5e-4
    learned = intervals.dice_by_patient(predict_masks(network, data.images), data, 1)
    assert learned.min() > 0.8
    trainer.train(0.01, seed=0, learning_rate=1e-6)
    forgotten = np.nan_to_num(intervals.dice_by_patient(predict_masks(network, data.images), data, 1))
    assert forgotten.max() < 0.5


def test_new_weights_come_from_the_seed():
    network = UNet((32, 32, 1), 3, base_filters=2, depth=1)
    trainer = timed.TimedTrainer(network, blobs(8))
    kernels = []
    for seed in (0, 1, 0):
        trainer.train(0.001, seed=seed, learning_rate=0.0)
        kernels.append(np.asarray(network.get_layer("down1_conv1").kernel))
    assert np.array_equal(kernels[0], kernels[2])
    assert not np.array_equal(kernels[0], kernels[1])


# --- intervals ------------------------------------------------------------------------------------------------------


def test_dice_of_a_patient_pools_slices_and_one_without_the_class_has_none():
    masks = np.zeros((4, 4, 4), np.uint8)
    masks[0, 0, :2], masks[1, 0, :4] = 2, 2
    subset = Subset(np.zeros((4, 4, 4, 1)), masks, np.array(["A", "A", "B", "B"]), np.arange(4), np.ones((4, 2)))
    predictions = np.zeros_like(masks)
    predictions[0, 0, :2], predictions[3, 0, 0] = 2, 2
    values = intervals.dice_by_patient(predictions, subset, 2)
    assert values[0] == pytest.approx(2 * 2 / (2 + 6))
    assert np.isnan(values[1])


def test_a_patient_without_the_class_counts_as_it_is_told_where_some_was_predicted():
    masks = np.zeros((3, 2, 2), np.uint8)
    masks[0], predictions = 1, np.ones_like(masks)
    predictions[2] = 0
    subset = Subset(np.zeros((3, 2, 2, 1)), masks, np.array(["A", "B", "C"]), np.arange(3), np.ones((3, 2)))
    np.testing.assert_array_equal(intervals.dice_by_patient(predictions, subset, 1), [1, np.nan, np.nan])
    np.testing.assert_array_equal(intervals.dice_by_patient(predictions, subset, 1, made_up=0), [1, 0, np.nan])
    found = evaluate(None, subset, ("background", "a"), predictions=predictions).cases["dice"]
    np.testing.assert_array_equal(found, [1, 0, np.nan])


def test_an_interval_is_over_patients_and_seeds():
    random = np.random.default_rng(0)
    patients, seeds = random.normal(0, 0.2, 24), np.array([-0.1, 0.0, 0.1])[:, None]
    low, high = intervals.interval_of_mean(0.5 + patients + 0 * seeds)
    expected = 2 * 1.96 * patients.std() / np.sqrt(24)
    assert high - low == pytest.approx(expected, rel=0.15)
    wide_low, wide_high = intervals.interval_of_mean(0.5 + patients + seeds)
    assert wide_high - wide_low > 1.15 * (high - low)
    # without patients to differ, only the three seeds are left: their mean cannot leave 0.4 to 0.6
    only_low, only_high = intervals.interval_of_mean(0.5 + 0 * patients + seeds)
    assert 0.399 < only_low < 0.45
    assert 0.55 < only_high < 0.601


def test_patients_without_a_value_are_left_out_and_four_patients_have_no_interval():
    table = np.array([[0.2, np.nan, 0.4, 0.6, 0.3, 0.7], [0.3, np.nan, 0.5, 0.5, 0.2, 0.8]])
    known = table[:, [0, 2, 3, 4, 5]]
    assert intervals.interval_of_mean(table) == intervals.interval_of_mean(known)
    assert np.isfinite(intervals.interval_of_mean(known)).all()
    assert np.isnan(intervals.interval_of_mean(known[:, 1:])).all()


def test_a_difference_is_paired_over_patients_and_not_over_seeds():
    random = np.random.default_rng(1)
    patients = random.normal(0.5, 0.2, 24)
    better = (patients + 0.05)[None] + np.zeros((3, 1))
    low, high = intervals.interval_of_difference(better, patients[None] + np.zeros((3, 1)))
    assert (low, high) == pytest.approx((0.05, 0.05))
    # the same three seeds in another order are the same result: rows are not pairs
    seeds = np.array([-0.1, 0.0, 0.1])[:, None]
    one = intervals.interval_of_difference(better + seeds, patients[None] + seeds)
    other = intervals.interval_of_difference(better + seeds, patients[None] + seeds[::-1])
    assert one[0] < 0.05 < one[1]
    assert one == pytest.approx(other, abs=0.03)


def test_a_difference_of_other_patients_is_refused():
    with pytest.raises(ValueError, match="same patients"):
        intervals.interval_of_difference(np.zeros((3, 4)), np.zeros((3, 5)))


# --- coarse maps ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_the_enlarging_matrix_does_what_the_networks_do(stride):
    from unet_helpers.models.blocks import enlarge

    coarse = np.random.default_rng(0).random((16 // stride, 16 // stride)).astype(np.float32)
    theirs = np.asarray(enlarge(keras.ops.convert_to_tensor(coarse[None, ..., None]), stride))[0, ..., 0]
    matrix = coarse_maps.enlarging_matrix(16, stride)
    assert matrix @ coarse @ matrix.T == pytest.approx(theirs, abs=1e-5)


def test_a_coarse_map_draws_less_and_a_fine_one_draws_all():
    rows, columns = np.mgrid[:32, :32]
    mask = (rows - 14) ** 2 + (columns - 17) ** 2 <= 4  # a disk of 5 pixels
    found = {stride: dice(mask, coarse_maps.best_from_coarse_map(mask, stride)) for stride in (1, 4, 8, 16, 32)}
    assert found[1] == 1
    assert found[1] >= found[4] > found[8] > found[16] > found[32]
    assert found[32] < 0.1


def test_nothing_to_draw_stays_empty():
    assert not coarse_maps.best_from_coarse_map(np.zeros((16, 16)), 4).any()
