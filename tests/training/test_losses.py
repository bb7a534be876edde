import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet_helpers import UNet, evaluation, one_hot
from unet_helpers.training import (
    LOSSES,
    DiceCrossEntropy,
    DiceLoss,
    DiceMetric,
    FocalCrossEntropy,
    TverskyLoss,
    compile_model,
    make_targets,
)

SIZE = 16


def disk(radius=5):
    row, column = np.mgrid[:SIZE, :SIZE]
    return (np.hypot(row - 7.5, column - 7.5) < radius).astype(np.uint8)[None]


def channels(masks, num_outputs):
    return make_targets(np.asarray(masks), num_outputs)


def value(loss, *pair):
    return float(loss(*pair))


# --- soft Dice --------------------------------------------------------------------------------


@pytest.mark.parametrize("num_outputs", [1, 2, 3])
@pytest.mark.parametrize("pool_batch", [True, False])
def test_dice_loss_is_0_when_right_and_near_1_when_all_wrong(num_outputs, pool_batch):
    truth = disk().repeat(2, axis=0)
    if num_outputs == 3:
        truth[:, :, 8:] *= 2
    loss = DiceLoss(pool_batch=pool_batch)
    right = channels(truth, num_outputs)
    assert value(loss, right, right) == pytest.approx(0, abs=1e-6)
    assert value(loss, right, channels((truth == 0).astype(np.uint8), num_outputs)) > 0.9


@pytest.mark.parametrize("num_outputs", [1, 2])
def test_an_empty_truth_left_empty_costs_nothing_and_keras_own_dice_1(num_outputs):
    empty = channels(disk() * 0, num_outputs)
    assert value(DiceLoss(), empty, empty) == pytest.approx(0, abs=1e-6)
    if num_outputs == 1:
        assert value(keras.losses.Dice(), empty, empty) == pytest.approx(1)  # why there is one of our own


def test_dice_loss_of_hard_masks_is_1_minus_dice():
    truth, found = disk(5), np.roll(disk(5), 3, axis=2)
    loss = value(DiceLoss(smooth=1e-7), channels(truth, 2), channels(found, 2))
    assert loss == pytest.approx(1 - evaluation.dice(truth, found), abs=1e-6)


def test_pooled_and_per_image_dice_loss_worked_out_by_hand():
    # image 1: truth 2, found 2, shared 1; image 2: truth 0, found 1. Without smoothing
    truth = np.array([[[1, 1, 0, 0]], [[0, 0, 0, 0]]], np.float32)[..., None]
    found = np.array([[[0, 1, 1, 0]], [[1, 0, 0, 0]]], np.float32)[..., None]
    assert value(DiceLoss(smooth=0), truth, found) == pytest.approx(1 - 2 / 5)  # 2·1 of 2 + 3
    assert value(DiceLoss(smooth=0, pool_batch=False), truth, found) == pytest.approx((1 - 2 / 4 + 1) / 2)


def test_the_background_channel_does_not_count():
    truth, found = channels(disk(), 2), channels(np.roll(disk(), 3, axis=1), 2)
    twisted = found.copy()
    twisted[..., 0] = 0.123
    assert value(DiceLoss(), truth, twisted) == value(DiceLoss(), truth, found)


@pytest.mark.parametrize(
    "loss",
    [DiceLoss(), DiceLoss(pool_batch=False), DiceCrossEntropy(), FocalCrossEntropy(), TverskyLoss()],
    ids=lambda x: x.name,
)
@pytest.mark.parametrize("truth", [disk(), disk() * 0, disk(99)], ids=["disk", "empty", "full"])
@pytest.mark.parametrize("num_outputs", [1, 2])
def test_the_gradient_is_finite_and_points_downhill(loss, truth, num_outputs):
    right = channels(truth, num_outputs)
    logits = tf.Variable(np.random.default_rng(0).normal(0, 2, right.shape).astype(np.float32))
    decide = tf.sigmoid if num_outputs == 1 else tf.nn.softmax
    with tf.GradientTape() as tape:
        before = loss(right, decide(logits))
    gradient = tape.gradient(before, logits)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0
    assert float(loss(right, decide(logits - 0.1 * gradient / np.linalg.norm(gradient)))) < float(before)


@pytest.mark.parametrize(
    "loss", [DiceLoss(), DiceCrossEntropy(), FocalCrossEntropy(), TverskyLoss()], ids=lambda x: x.name
)
@pytest.mark.parametrize("num_outputs", [1, 2])
def test_half_precision_stays_finite_at_512(loss, num_outputs):
    truth = np.ones((1, 512, 512), np.uint8)
    found = np.full((1, 512, 512, num_outputs), 0.5, np.float16)
    low = value(loss, channels(truth, num_outputs), found)
    assert low == pytest.approx(value(loss, channels(truth, num_outputs), found.astype(np.float32)), rel=1e-3)


def test_the_sum_of_two_losses_is_their_sum():
    truth = channels(disk(), 2)
    found = keras.ops.softmax(np.random.default_rng(0).normal(size=truth.shape).astype(np.float32))
    both = value(DiceLoss(), truth, found) + value(keras.losses.CategoricalCrossentropy(), truth, found)
    assert value(DiceCrossEntropy(), truth, found) == pytest.approx(both, rel=1e-6)
    one = truth[..., 1:], found[..., 1:]
    both = value(DiceLoss(), *one) + value(keras.losses.BinaryCrossentropy(), *one)
    assert value(DiceCrossEntropy(), *one) == pytest.approx(both, rel=1e-6)


# --- focal cross-entropy ----------------------------------------------------------------------


def test_focal_loss_worked_out_by_hand():
    # Lin et al. 2017, equation 5 and alpha as a weight: a nodule pixel given 0.2, a background pixel given 0.1
    truth, found = (np.array(v, np.float32).reshape(1, 1, 2, 1) for v in ([1, 0], [0.2, 0.1]))
    by_hand = np.array([0.8**2 * -np.log(0.2), 0.1**2 * -np.log(0.9)])
    assert value(FocalCrossEntropy(gamma=2), truth, found) == pytest.approx(by_hand.mean(), rel=1e-5)
    weighted = FocalCrossEntropy(gamma=2, class_weights=(0.75, 0.25))
    assert value(weighted, truth, found) == pytest.approx((by_hand * (0.25, 0.75)).mean(), rel=1e-5)


def test_focal_loss_agrees_with_keras_in_which_alpha_is_the_weight_of_the_foreground():
    truth = channels(disk(), 2)
    found = np.asarray(keras.ops.softmax(np.random.default_rng(0).normal(size=truth.shape).astype(np.float32)))
    ours = value(FocalCrossEntropy(gamma=3), truth, found)
    plain = keras.losses.CategoricalFocalCrossentropy(gamma=3, alpha=1.0)
    assert ours == pytest.approx(value(plain, truth, found), rel=1e-4)
    one = truth[..., 1:], found[..., 1:]
    assert ours == pytest.approx(value(FocalCrossEntropy(gamma=3), *one), rel=1e-4)
    balanced = keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.25, gamma=2)
    assert value(FocalCrossEntropy(2, (0.75, 0.25)), *one) == pytest.approx(value(balanced, *one), rel=1e-4)


@pytest.mark.parametrize("num_outputs", [1, 2])
def test_gamma_0_is_the_weighted_crossentropy_with_a_finite_gradient_where_all_is_right(num_outputs):
    truth = channels(disk(), num_outputs)
    found = np.clip(truth, 0.1, 0.9).astype(np.float32)
    plain = keras.losses.BinaryCrossentropy() if num_outputs == 1 else keras.losses.CategoricalCrossentropy()
    assert value(FocalCrossEntropy(gamma=0), truth, found) == pytest.approx(value(plain, truth, found), rel=1e-5)
    share = disk().mean()
    expected = -np.log(0.9) * (share * 10 + 1 - share)
    assert value(FocalCrossEntropy(0, (1, 10)), truth, found) == pytest.approx(expected, rel=1e-4)
    for gamma in (0, 1, 2):
        right = tf.Variable(truth)
        with tf.GradientTape() as tape:
            loss = FocalCrossEntropy(gamma)(truth, right)
        assert np.isfinite(tape.gradient(loss, right)).all()


@pytest.mark.parametrize("gamma", [-1, 0.5])
def test_a_gamma_whose_gradient_has_no_bound_is_refused(gamma):
    with pytest.raises(ValueError, match="give 0 for plain cross-entropy"):
        FocalCrossEntropy(gamma=gamma)


# --- Tversky ----------------------------------------------------------------------------------


def four_pixels(values):
    return np.array(values, np.float32).reshape(1, 2, 2, 1)


def test_alpha_weighs_false_positives_and_beta_false_negatives_worked_out_by_hand():
    truth = four_pixels([1, 1, 0, 0])
    one_too_many, one_too_few = four_pixels([1, 1, 1, 0]), four_pixels([1, 0, 0, 0])
    loss = TverskyLoss(alpha=0.2, beta=0.8, smooth=0)
    assert value(loss, truth, one_too_many) == pytest.approx(1 - 2 / (2 + 0.2), abs=1e-6)
    assert value(loss, truth, one_too_few) == pytest.approx(1 - 1 / (1 + 0.8), abs=1e-6)


@pytest.mark.parametrize("num_outputs", [1, 2, 3])
@pytest.mark.parametrize("pool_batch", [True, False])
def test_equal_weights_give_the_dice_loss_whatever_is_smoothed(num_outputs, pool_batch):
    truth = np.concatenate([disk(), disk() * 0])
    if num_outputs == 3:
        truth[:, :, 8:] *= 2
    truth = channels(truth, num_outputs)
    found = np.random.default_rng(0).random(truth.shape, np.float32)
    for smooth in (1.0, 5.0):
        tversky = TverskyLoss(0.5, 0.5, smooth=smooth, pool_batch=pool_batch)
        dice = DiceLoss(smooth=smooth, pool_batch=pool_batch)
        assert value(tversky, truth, found) == pytest.approx(value(dice, truth, found), rel=1e-5)


def test_tversky_of_nothing_in_nothing_is_0_and_of_something_in_nothing_is_not():
    empty = channels(disk() * 0, 1)
    assert value(TverskyLoss(), empty, empty) == 0
    assert value(TverskyLoss(), empty, channels(disk(), 1)) > 0.9


@pytest.mark.parametrize("name", LOSSES)
def test_no_loss_is_a_plain_number_because_keras_would_not_divide_it_by_the_number_of_devices(name):
    num_outputs = 1 if name == "binary_crossentropy" else 2
    target = channels(disk(), num_outputs)
    assert len(LOSSES[name]().call(target, tf.constant(0.1 + 0.8 * target)).shape) > 0


def test_the_losses_can_be_named():
    for name in ("tversky", "focal_crossentropy"):
        model = compile_model(UNet((SIZE, SIZE, 1), 2, base_filters=2, depth=1), loss=name)
        assert isinstance(model.loss, LOSSES[name])


# --- the metric -------------------------------------------------------------------------------

pictures = arrays(np.uint8, (4, 3, 5), elements=st.integers(0, 2))


@given(pictures, pictures, st.integers(1, 3))
def test_the_metric_is_pooled_dice_however_the_batches_are_cut(truth, found, cut):
    metric = DiceMetric(3)
    for part in (slice(0, cut), slice(cut, None)):
        metric.update_state(one_hot(truth[part], 3), one_hot(found[part], 3) * 0.8 + 0.1)
    per_class = [evaluation.dice(truth == index, found == index) for index in (1, 2)]
    assert float(metric.result()) == pytest.approx(np.nan_to_num(per_class, nan=0).mean(), abs=1e-6)


@given(pictures, pictures)
def test_the_metric_of_one_sigmoid_map_is_dice_at_one_half(truth, found):
    truth, found = truth > 0, found > 0
    metric = DiceMetric(1)
    metric.update_state(truth[..., None].astype(np.float32), np.where(found, 0.51, 0.49)[..., None])
    assert float(metric.result()) == pytest.approx(np.nan_to_num(evaluation.dice(truth, found), nan=0), abs=1e-6)


def test_the_metric_starts_anew_after_a_reset():
    metric = DiceMetric(2)
    metric.update_state(channels(disk(), 2), channels(1 - disk(), 2))
    assert float(metric.result()) == 0
    metric.reset_state()
    metric.update_state(channels(disk(), 2), channels(disk(), 2))
    assert float(metric.result()) == 1


# --- targets and files ------------------------------------------------------------------------


def test_targets_fit_the_number_of_outputs():
    assert channels(disk(), 1).shape == (1, SIZE, SIZE, 1)
    assert channels(disk(), 1).dtype == np.float32
    np.testing.assert_array_equal(channels(disk() * 2, 3), one_hot(disk() * 2, 3))
    with pytest.raises(ValueError, match="build it with num_classes=3"):
        channels(disk() * 2, 1)
    with pytest.raises(ValueError, match="build it with num_classes=3"):
        channels(disk() * 2, 2)


@pytest.mark.parametrize(
    "loss",
    [
        DiceLoss(smooth=2.0, pool_batch=False),
        DiceCrossEntropy(smooth=3.0),
        FocalCrossEntropy(gamma=1.5, class_weights=(1, 10)),
        TverskyLoss(alpha=0.1, beta=0.9, smooth=2.0, pool_batch=False),
    ],
    ids=lambda x: x.name,
)
def test_a_compiled_model_is_saved_and_loaded_without_naming_our_classes(tmp_path, loss):
    model = UNet((SIZE, SIZE, 1), 2, base_filters=2, depth=1)
    model.compile("adam", loss, metrics=[DiceMetric(2)], run_eagerly=True)
    image, target = np.random.default_rng(0).random((2, SIZE, SIZE, 1)), channels(disk().repeat(2, axis=0), 2)
    model.fit(image, target, verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert again.loss.get_config() == loss.get_config()
    assert again.evaluate(image, target, verbose=0) == pytest.approx(model.evaluate(image, target, verbose=0))
