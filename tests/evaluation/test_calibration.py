"""Calibration and uncertainty: known answers, scikit-learn, properties, and the traps of batch normalization."""

import keras
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from uncertainty import brier

from unet_helpers import UNet, predict_probabilities
from unet_helpers.evaluation import (
    disagreement,
    distance_to_outline,
    entropy,
    error_auroc,
    fit_temperature,
    mutual_information,
    predict_with_dropout,
    predict_with_flips,
    reliability,
    risk_coverage,
    scale_temperature,
)


def random_task(pixels=20_000, classes=3, temperature=1.0, seed=0):
    """Truths drawn from known probabilities, and these probabilities at another temperature."""
    rng = np.random.default_rng(seed)
    honest = rng.dirichlet(np.full(classes, 0.4), pixels)
    drawn = rng.random((pixels, 1)) < np.cumsum(honest, axis=1)
    return scale_temperature(honest, temperature), drawn.argmax(axis=1)


@st.composite
def softmaxes(draw):
    """``(N, K)`` probabilities, none of them 0, and class indices."""
    shape = (draw(st.integers(1, 30)), draw(st.integers(2, 4)))
    logits = draw(hnp.arrays(float, shape, elements=st.floats(-15, 15)))
    truth = draw(hnp.arrays(np.uint8, shape[0], elements=st.integers(0, shape[1] - 1)))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True), truth


# --- reliability ----------------------------------------------------------------------------------


def test_bins_hold_counts_confidence_and_accuracy():
    probabilities = np.array([[0.9, 0.1], [0.88, 0.12], [0.4, 0.6], [0.45, 0.55]])
    found = reliability(probabilities, np.array([0, 1, 1, 1]), bins=5)
    assert found.counts.tolist() == [0, 0, 1, 1, 2]
    assert found.confidence[2:] == pytest.approx([0.55, 0.6, 0.89])
    assert found.accuracy[2:].tolist() == [1, 1, 0.5]
    assert np.isnan(found.accuracy[:2]).all()
    assert found.error == pytest.approx((0.45 + 0.4 + 2 * 0.39) / 4)
    assert found.overconfidence == pytest.approx((0.55 + 0.6 + 0.9 + 0.88 - 3) / 4)


def test_a_probability_of_1_belongs_to_the_last_bin_and_a_border_to_the_bin_above():
    found = reliability(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0, 0]), bins=2)
    assert found.counts.tolist() == [0, 2]


def test_one_class_is_asked_for_by_its_index():
    probabilities = np.array([[0.1, 0.2, 0.7], [0.6, 0.1, 0.3], [0.2, 0.1, 0.7]])
    found = reliability(probabilities, np.array([2, 2, 0]), bins=10, of=2)
    assert found.counts[[3, 7]].tolist() == [1, 2]
    assert found.accuracy[[3, 7]].tolist() == [1, 0.5]


def test_one_channel_is_the_probability_of_class_1():
    sigmoid, truth = np.array([0.9, 0.2, 0.4])[:, None], np.array([1, 0, 1])
    both = np.concatenate([1 - sigmoid, sigmoid], axis=1)
    assert reliability(sigmoid, truth).error == pytest.approx(reliability(both, truth).error)
    for measure in (brier, fit_temperature):
        assert measure(sigmoid, truth) == pytest.approx(measure(both, truth))
    assert scale_temperature(sigmoid, 2.0) == pytest.approx(scale_temperature(both, 2.0)[:, 1:])
    assert entropy(sigmoid) == pytest.approx(entropy(both))


def test_only_the_pixels_asked_for_count():
    probabilities, truth = random_task(200)
    where = np.arange(200) < 50
    first = reliability(probabilities[:50], truth[:50])
    assert reliability(probabilities, truth, where=where).promised == pytest.approx(first.promised)
    assert brier(probabilities, truth, where=where) == pytest.approx(brier(probabilities[:50], truth[:50]))


def test_accuracy_per_bin_agrees_with_scikit_learn():
    from sklearn.calibration import calibration_curve

    probabilities, truth = random_task(classes=2, temperature=0.5)
    accuracy, confidence = calibration_curve(truth == 1, probabilities[:, 1], n_bins=15)
    found = reliability(probabilities, truth, of=1)
    assert found.accuracy[found.counts > 0] == pytest.approx(accuracy)
    assert found.confidence[found.counts > 0] == pytest.approx(confidence)


@given(softmaxes(), st.integers(1, 20))
def test_bins_lose_no_pixel_and_a_sum_is_that_of_all(task, bins):
    probabilities, truth = task
    whole = reliability(probabilities, truth, bins=bins)
    parts = [reliability(probabilities[part], truth[part], bins=bins) for part in (np.s_[::2], np.s_[1::2])]
    added = parts[0] + parts[1]
    assert whole.counts.sum() == len(truth)
    assert added.counts.tolist() == whole.counts.tolist()
    assert added.error == pytest.approx(whole.error)
    assert abs(whole.overconfidence) - 1e-12 <= whole.error <= 1 + 1e-12
    assert np.nansum(whole.kept) == (probabilities.argmax(axis=1) == truth).sum()


def test_honest_probabilities_have_nearly_no_error_and_sharpened_ones_do():
    assert reliability(*random_task()).error < 0.01
    assert reliability(*random_task(temperature=0.4)).error > 0.05


@pytest.mark.parametrize(
    ("probabilities", "truth", "message"),
    [
        (np.full((2, 3), 0.5), np.zeros(2, int), "sum to 1"),
        (np.array([[1.5, -0.5]]), np.zeros(1, int), "negative"),
        (np.full((1, 2), np.nan), np.zeros(1, int), "NaN"),
        (np.full((4, 2), 0.5), np.zeros((4, 2), int), "shape"),
    ],
)
def test_what_is_no_softmax_is_refused(probabilities, truth, message):
    with pytest.raises(ValueError, match=message):
        reliability(probabilities, truth)


# --- Brier score and temperature --------------------------------------------------------------------


def test_brier_agrees_with_scikit_learn_and_by_hand():
    probabilities, truth = random_task(500)
    assert brier(probabilities, truth) == pytest.approx(
        sklearn.metrics.brier_score_loss(truth, probabilities, scale_by_half=False)
    )
    assert brier(np.array([[0.0, 1.0]]), np.array([0])) == 2
    assert np.isnan(brier(probabilities, truth, where=np.zeros(500, bool)))


@given(softmaxes(), st.floats(0.2, 5))
def test_temperature_keeps_the_class_and_divides_the_logits(task, temperature):
    probabilities, _ = task
    scaled = scale_temperature(probabilities, temperature)
    assert scaled.sum(axis=1) == pytest.approx(1)
    logits = np.log(probabilities)
    expected = np.exp(logits / temperature)
    assert scaled == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=1e-9)
    chosen = probabilities.argmax(axis=1)[:, None]
    assert np.take_along_axis(scaled, chosen, axis=1)[:, 0] == pytest.approx(scaled.max(axis=1))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_applied_is_found(temperature):
    sharpened, truth = random_task(temperature=temperature)
    found = fit_temperature(sharpened, truth)
    assert found == pytest.approx(1 / temperature, rel=0.03)
    assert reliability(scale_temperature(sharpened, found), truth).error < 0.01


@given(softmaxes())
def test_no_other_temperature_has_a_lower_crossentropy(task):
    probabilities, truth = task

    def crossentropy(temperature):
        scaled = scale_temperature(probabilities, temperature)
        return -np.log(np.take_along_axis(scaled, truth[:, None].astype(int), axis=1)).mean()

    best = crossentropy(fit_temperature(probabilities, truth))
    assert best <= min(crossentropy(t) for t in (0.06, 0.3, 1, 1.5, 4, 19)) + 1e-6


def test_probabilities_of_zero_have_a_temperature_too():
    certain = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert np.isfinite(fit_temperature(certain, np.array([0, 1, 1])))
    assert np.isfinite(scale_temperature(certain, 3)).all()


@pytest.mark.parametrize("temperature", [0, -1, float("nan")])
def test_a_temperature_is_above_0(temperature):
    with pytest.raises(ValueError, match="above 0"):
        scale_temperature(np.array([[0.5, 0.5]]), temperature)


def test_without_a_pixel_there_is_no_temperature():
    with pytest.raises(ValueError, match="no pixel"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, int))


# --- several predictions -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    """A small U-Net whose batch normalization has stored something, as after a training."""
    keras.utils.set_random_seed(0)
    model = UNet((None, None, 1), 3, base_filters=4, depth=2, dropout=0.3)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(rng.normal(size=layer.moving_mean.shape))
            layer.moving_variance.assign(rng.uniform(0.5, 2, layer.moving_variance.shape))
    return model


@pytest.fixture
def images():
    return np.random.default_rng(1).random((3, 16, 16, 1), dtype=np.float32)


def test_dropout_samples_differ_and_come_again_with_their_seed(network, images):
    samples = predict_with_dropout(network, images, samples=2)
    assert samples.shape == (2, 3, 16, 16, 3)
    assert samples.sum(axis=-1) == pytest.approx(np.ones((2, 3, 16, 16)), abs=1e-5)
    assert np.abs(samples[0] - samples[1]).max() > 0.01
    assert np.array_equal(samples, predict_with_dropout(network, images, samples=2))
    assert not np.array_equal(samples, predict_with_dropout(network, images, samples=2, seed=1))


def test_batch_normalization_stays_as_at_prediction_and_the_model_as_it_was(network, images):
    before = [weight.copy() for weight in network.get_weights()]
    plain = predict_probabilities(network, images)
    # other images in the batch must not change the answer for the first one; dropout is switched off to see it
    rates = {layer: layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)}
    for layer in rates:
        layer.rate = 1e-9
    try:
        barely = predict_with_dropout(network, images, samples=1)[0]
        wrong_way = np.asarray(network(images, training=True))
    finally:
        for layer, rate in rates.items():
            layer.rate = rate
    assert barely == pytest.approx(plain, abs=1e-5)
    assert np.abs(wrong_way - plain).max() > 0.01  # what the trap would have given
    network.set_weights(before)
    predict_with_dropout(network, images, samples=2)
    assert all(np.array_equal(a, b) for a, b in zip(network.get_weights(), before, strict=True))
    assert np.array_equal(predict_probabilities(network, images), plain)


def test_a_compiled_model_is_sampled_too(images):
    from unet_helpers.training import compile_model

    model = compile_model(UNet((16, 16, 1), 1, base_filters=2, depth=1))
    assert predict_with_dropout(model, images, samples=2).shape == (2, 3, 16, 16, 1)


def test_a_model_without_dropout_is_refused(images):
    with pytest.raises(ValueError, match="no dropout layer"):
        predict_with_dropout(UNet((16, 16, 1), 2, base_filters=2, depth=1, dropout=0), images)


def test_flipped_answers_are_flipped_back(images):
    inputs = keras.Input((None, None, 1))
    per_pixel = keras.Model(inputs, keras.layers.Conv2D(3, 1, activation="softmax")(inputs))
    samples = predict_with_flips(per_pixel, images)
    assert samples.shape == (4, 3, 16, 16, 3)
    for sample in samples:  # a network that sees single pixels cannot notice a flip
        assert sample == pytest.approx(samples[0], abs=1e-6)
    only = predict_with_flips(per_pixel, images, axes=((2,),))
    assert only.shape == (1, 3, 16, 16, 3)


def test_a_network_with_neighbors_notices_a_flip(network, images):
    plain, sideways = predict_with_flips(network, images, axes=((), (2,)))
    assert plain == pytest.approx(predict_probabilities(network, images), abs=1e-6)
    by_hand = predict_probabilities(network, images[:, :, ::-1])[:, :, ::-1]
    assert sideways == pytest.approx(by_hand, abs=1e-6)
    assert np.abs(sideways - plain).max() > 1e-3


def test_entropy_of_a_guess_and_of_certainty():
    assert entropy(np.full((2, 3), 1 / 3)) == pytest.approx(np.log(3))
    assert entropy(np.array([[1.0, 0, 0]])).tolist() == [0]


@given(st.lists(softmaxes(), min_size=1, max_size=3))
def test_members_who_agree_have_no_mutual_information_and_others_at_most_the_entropy(tasks):
    shortest = min(len(task[0]) for task in tasks)
    classes = min(task[0].shape[1] for task in tasks)
    samples = np.stack([task[0][:shortest, :classes] for task in tasks]) + 1e-9
    samples /= samples.sum(axis=-1, keepdims=True)
    shared = mutual_information(samples)
    assert (shared >= 0).all()
    assert (shared <= entropy(samples.mean(axis=0)) + 1e-9).all()
    assert mutual_information(np.repeat(samples[:1], 4, axis=0)) == pytest.approx(0, abs=1e-9)


def test_two_members_certain_of_different_classes_share_one_bit():
    assert mutual_information(np.array([[[1.0, 0]], [[0, 1.0]]])) == pytest.approx(np.log(2))


def test_disagreement_is_one_minus_the_mean_dice_of_all_pairs(draw):
    masks = [draw("##", ".."), draw("##", ".."), draw("#.", "..")]
    assert disagreement(masks) == pytest.approx(1 - (1 + 2 / 3 + 2 / 3) / 3)
    assert disagreement(np.zeros((3, 2, 2))) == 0
    assert disagreement([draw("##"), draw("..")]) == 1
    assert disagreement([draw(".."), draw(".."), draw("#.")]) == pytest.approx(2 / 3)  # two empty ones agree
    with pytest.raises(ValueError, match="two or more"):
        disagreement(masks[:1])
    with pytest.raises(ValueError, match="other than 0 and 1"):
        disagreement(np.full((2, 2, 2), 0.2))


# --- maps and cases ---------------------------------------------------------------------------------------


@given(
    hnp.arrays(int, st.integers(2, 40), elements=st.integers(0, 5)).flatmap(
        lambda values: st.tuples(st.just(values), hnp.arrays(bool, len(values)))
    )
)
def test_auroc_agrees_with_scikit_learn_ties_included(task):
    uncertainty, wrong = task
    found = error_auroc(uncertainty, wrong)
    if wrong.all() or not wrong.any():
        assert np.isnan(found)
    else:
        assert found == pytest.approx(sklearn.metrics.roc_auc_score(wrong, uncertainty))
        assert error_auroc(-uncertainty, wrong) == pytest.approx(1 - found)


def test_auroc_looks_only_where_it_is_told():
    uncertainty, wrong = np.array([[3.0, 1], [0, 2]]), np.array([[True, False], [False, True]])
    assert error_auroc(uncertainty, wrong) == 1
    assert error_auroc(uncertainty, wrong, where=np.array([[False, True], [True, True]])) == 1
    with pytest.raises(ValueError, match="one per pixel"):
        error_auroc(uncertainty, wrong[0])


@given(hnp.arrays(float, st.integers(1, 30), elements=st.floats(0, 1)), st.randoms(use_true_random=False))
def test_risk_over_coverage_lies_between_the_best_and_the_worst_order_and_forgets_the_order_of_cases(risk, random):
    uncertainty = np.array([random.randint(0, 5) for _ in risk])
    coverage, kept = risk_coverage(risk, uncertainty)
    assert coverage[-1] == 1
    assert kept[-1] == pytest.approx(risk.mean())
    best, worst = risk_coverage(risk, risk)[1], risk_coverage(risk, -risk)[1]
    assert (best <= kept + 1e-9).all()
    assert (kept <= worst + 1e-9).all()
    order = np.random.default_rng(0).permutation(len(risk))
    assert risk_coverage(risk[order], uncertainty[order])[1] == pytest.approx(kept)


def test_cases_of_one_uncertainty_count_with_their_mean_risk():
    coverage, kept = risk_coverage([0.0, 1.0, 0.5], [1, 1, 0])
    assert coverage == pytest.approx([1 / 3, 2 / 3, 1])
    assert kept == pytest.approx([0.5, 0.5, 0.5])
    with pytest.raises(ValueError, match="one of each"):
        risk_coverage([0.1, 0.2], [1])


def test_distances_to_an_outline_are_in_millimeters():
    masks = np.zeros((2, 9, 9), np.uint8)
    masks[0, :, 5:] = 1
    distances = distance_to_outline(masks, np.array([[1.0, 2.0], [np.nan, np.nan]]))
    assert distances[0, 4].tolist() == [8, 6, 4, 2, 0, 0, 2, 4, 6]
    assert np.isinf(distances[1]).all()
