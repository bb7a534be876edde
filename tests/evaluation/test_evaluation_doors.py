"""At the doors of prediction, evaluation and calibration: right, or one sentence with the thing and the remedy."""

import json
import warnings

import keras
import numpy as np
import pytest

from unet_helpers import AttentionUNet, DeepLabV3Plus, SegNet, UNet, evaluate, predict_masks, predict_probabilities
from unet_helpers.data import Subset
from unet_helpers.evaluation import (
    Case,
    OperatingPoint,
    choose_operating_point,
    counts_per_class,
    entropy,
    error_auroc,
    evaluate_cases,
    fit_temperature,
    mutual_information,
    predict_sliding_window,
    predict_with_dropout,
    predict_with_flips,
    probabilities_to_masks,
    reliability,
    risk_coverage,
    scale_temperature,
    slice_scores,
)

NAMES = ("background", "lung")
OPTIONS = {"base_filters": 2, "depth": 2, "dropout": 0}


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return UNet((None, None, 1), 3, **OPTIONS)


def picture(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


# --- images, weights and answers ----------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_in_an_image_is_no_background(network, bad):
    images = picture(3, 8, 8, 1)
    images[1, 4, 4] = bad
    doors = (predict_probabilities, predict_masks, predict_with_flips, predict_with_dropout)
    model = UNet((8, 8, 1), 1, **OPTIONS | {"dropout": 0.5})
    for door in doors:
        with pytest.raises(ValueError, match="images hold NaN or infinite values, first in number"):
            door(model, images)
    with pytest.raises(ValueError, match="slices of the volume hold NaN"):
        predict_sliding_window(lambda x: x, images[..., 0], (2, 4, 4))


@pytest.mark.parametrize("layer", ["down1_conv1", "down2_bn2", "bottleneck_conv2", "up1_upsample", "probabilities"])
def test_nan_in_the_weights_names_the_layer(layer):
    model = UNet((8, 8, 1), 2, **OPTIONS)
    variable = model.get_layer(layer).variables[-1]
    variable.assign(np.full(variable.shape, np.nan))
    with pytest.raises(FloatingPointError, match=f"weights of the model hold NaN.*{layer}.*load a checkpoint"):
        predict_masks(model, picture(1, 8, 8, 1))


def test_an_answer_that_overflows_is_named():
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, keras.layers.Lambda(lambda x: x * 1e38 * 1e38 * 0)(image))
    with pytest.raises(FloatingPointError, match="NaN in 2 of 2 images"):
        predict_probabilities(model, np.ones((2, 4, 4, 1)))
    with pytest.raises(FloatingPointError, match="prediction holds NaN"):
        predict_sliding_window(lambda x: x * np.nan, picture(4, 4, 4), (2, 4, 4))


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_nan_in_probabilities_is_no_decision(channels):
    given = np.full((2, 3, 3, channels), 1 / channels)
    given[0, 1, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        probabilities_to_masks(given)
    with pytest.raises(ValueError, match="NaN"):
        OperatingPoint().decide(given[..., 0])


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((2, 8, 8), r"shape \(2, 8, 8\).*\(N, H, W, 1\).*np.newaxis"),
        ((8, 8, 1), r"one image alone is images\[np.newaxis\]"),
        ((2, 1, 8, 8), r"np.moveaxis\(images, 1, -1\)"),
        ((2, 8, 8, 3), "channels 3 but the model takes 1"),
        ((2, 2, 8, 8, 1), "stack whole images"),
        ((0, 8, 8, 1), "at least one"),
    ],
)
def test_axes_that_do_not_fit_are_named(network, shape, words):
    with pytest.raises(ValueError, match=words):
        predict_masks(network, np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    ("build", "factor"),
    [
        (lambda: UNet((None, None, 1), 1, **OPTIONS), 4),
        (lambda: UNet((None, None, 1), 2, **OPTIONS | {"depth": 3}), 8),
        (lambda: UNet((None, None, 1), 2, **OPTIONS, skip_connections=False), 4),
        (lambda: AttentionUNet((None, None, 1), 2, **OPTIONS), 4),
        (lambda: SegNet((None, None, 1), 2, base_filters=1), 32),
    ],
    ids=["U-Net", "deeper", "no skips", "attention", "SegNet"],
)
def test_sides_that_do_not_divide_are_named_with_the_factor(build, factor):
    fit = -(-18 // factor) * factor, -(-35 // factor) * factor
    words = f"18 × 35 pixels.*multiple of {factor}; pad or resize them to {fit[0]} × {fit[1]}"
    with pytest.raises(ValueError, match=words):
        predict_probabilities(build(), picture(1, 18, 35, 1))


def test_a_network_that_means_to_give_smaller_maps_may():
    image = keras.Input((None, None, 1))
    model = keras.Model(image, keras.layers.Conv2D(1, 3, activation="sigmoid")(image))
    assert predict_probabilities(model, picture(1, 9, 9, 1)).shape == (1, 7, 7, 1)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.uint8, np.int32, bool])
def test_images_of_any_type_are_predicted_as_float32(network, dtype):
    images = (picture(2, 8, 8, 1) > 0.5).astype(dtype)
    found, expected = predict_probabilities(network, images), predict_probabilities(network, images.astype(np.float32))
    np.testing.assert_array_equal(found, expected)


# --- dropout in a model within a model ----------------------------------------------------------------


def ensemble(members, name="average"):
    image = keras.Input((8, 8, 1))
    named = [keras.Model(member.input, member.output, name=f"{name}{i}") for i, member in enumerate(members)]
    return keras.Model(image, keras.layers.Average()([member(image) for member in named]))


@pytest.mark.usefixtures("eagerly")
def test_dropout_within_an_ensemble_is_sampled_in_every_member():
    keras.utils.set_random_seed(0)
    with_dropout, without = UNet((8, 8, 1), 1, **OPTIONS | {"dropout": 0.5}), UNet((8, 8, 1), 1, **OPTIONS)
    twin = keras.models.clone_model(with_dropout)
    twin.set_weights(with_dropout.get_weights())
    images = picture(1, 8, 8, 1)
    for model in (
        ensemble([with_dropout, without]),
        ensemble([without, with_dropout]),
        ensemble([ensemble([with_dropout, without], "inner"), without]),
        keras.Sequential([keras.Input((8, 8, 1)), with_dropout]),
    ):
        samples = predict_with_dropout(model, images, 3)
        assert samples.std(axis=0).max() > 1e-4
        np.testing.assert_array_equal(samples, predict_with_dropout(model, images, 3))
    # two members of the same weights drop other units, though their layers have the same names
    alone, both = (
        predict_with_dropout(model, images, 8).std(axis=0) for model in (with_dropout, ensemble([with_dropout, twin]))
    )
    assert both.mean() < alone.mean()
    with pytest.raises(ValueError, match="no dropout layer"):
        predict_with_dropout(ensemble([without, UNet((8, 8, 1), 1, **OPTIONS)]), images)


def one_twice(member):
    image = keras.Input((8, 8, 1))
    flipped = keras.ops.flip(member(keras.ops.flip(image, axis=2)), axis=2)
    return keras.Model(image, keras.layers.Average()([member(image), flipped]))


def other_dropout(kind):
    image = keras.Input((8, 8, 1))
    features = kind(0.5)(keras.layers.Conv2D(4, 3, padding="same", name="conv")(image))
    return keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid", name="out")(features))


COMBINED = {
    "a member asked twice": one_twice,
    "three members": lambda member: ensemble([member, UNet((8, 8, 1), 1, **OPTIONS), member]),
    "an ensemble of ensembles": lambda member: ensemble([ensemble([ensemble([member], "a"), member], "b"), member]),
    "dropout of whole channels": lambda _: ensemble([other_dropout(keras.layers.SpatialDropout2D)]),
    "Gaussian dropout": lambda _: ensemble([other_dropout(keras.layers.GaussianDropout)]),
    "dropout beside the members": lambda _: keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Dropout(0.5), UNet((8, 8, 1), 1, **OPTIONS)]
    ),
    "a network within another and a layer behind": lambda member: keras.Sequential(
        [keras.Input((8, 8, 1)), keras.Sequential([member], name="inner"), keras.layers.Dense(2, activation="softmax")]
    ),
}


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("how", COMBINED)
def test_dropout_is_sampled_wherever_a_network_stands_in_another(how):
    keras.utils.set_random_seed(2)
    model = COMBINED[how](UNet((8, 8, 1), 1, **OPTIONS | {"dropout": 0.4}))
    images = picture(2, 8, 8, 1, seed=3)
    before = predict_probabilities(model, images)
    samples = predict_with_dropout(model, images, 4, seed=5)
    assert samples.std(axis=0).max() > 1e-4
    np.testing.assert_array_equal(samples, predict_with_dropout(model, images, 4, seed=5))
    np.testing.assert_array_equal(before, predict_probabilities(model, images))


def ensemble_around(member):
    image = keras.Input((8, 8, 1))
    return keras.Model(image, keras.layers.Average()([member(image), member(image)]))


class OfItsOwn(keras.Model):
    def __init__(self, members):
        super().__init__()
        self.members = members

    def call(self, inputs, training=False):
        return sum(member(inputs, training=training) for member in self.members) / len(self.members)


def test_an_ensemble_that_is_no_graph_of_layers_is_named_with_the_remedy():
    member = UNet((8, 8, 1), 1, **OPTIONS | {"dropout": 0.4})
    for model in (OfItsOwn([member, member]), ensemble_around(OfItsOwn([member]))):
        with pytest.raises(ValueError, match=r"class defines call\(\) itself.*keras\.Model\(inputs, outputs\)"):
            predict_with_dropout(model, picture(1, 8, 8, 1))


# --- class indices ------------------------------------------------------------------------------------


def square(value=1.0, dtype=float):
    mask = np.zeros((2, 6, 6), dtype)
    mask[:, 1:4, 1:4] = 1
    mask[:, 5] = value
    return mask


MARKS = {"-1": -1, "255": 255, "one half": 0.5, "1.5": 1.5, "nan": np.nan, "2 of 2 classes": 2}


@pytest.mark.parametrize("value", MARKS.values(), ids=MARKS)
def test_what_is_no_class_index_is_refused_at_every_door(value):
    good, bad = square(), square(value)
    ids = np.array(["a", "b"])
    subset = Subset(np.zeros((2, 6, 6, 1), np.float32), good, ids, ids, np.ones((2, 2)))
    probabilities = np.stack([1 - good, good], axis=-1)
    doors = [
        lambda: counts_per_class(good, bad, 2),
        lambda: counts_per_class(bad, good, 2),
        lambda: evaluate(None, subset, NAMES, predictions=bad),
        lambda: evaluate_cases([Case("A", good, bad)], NAMES),
        lambda: evaluate_cases([Case("A", bad, good)], NAMES),
        lambda: reliability(probabilities, bad),
        lambda: fit_temperature(probabilities, bad),
    ]
    for door in doors:
        with pytest.raises(ValueError, match=f"{value:g} is no class index"):
            door()
    for door in (lambda: slice_scores(good, bad), lambda: choose_operating_point(good.astype(np.float32), bad)):
        with pytest.raises(ValueError, match="values other than 0 and 1"):
            door()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8, np.uint16, bool])
def test_class_indices_of_any_type_count_alike(dtype):
    truth, found = square(0), np.roll(square(0), 1, axis=2)
    assert counts_per_class(truth.astype(dtype), found.astype(dtype), 2) == counts_per_class(truth, found, 2)


def test_pixels_that_do_not_count_may_be_left_out_of_a_reliability_by_name():
    truth = np.array([0, 1, -1, 255])
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.5, 0.5]])
    found = reliability(probabilities, truth, where=(truth >= 0) & (truth < 2))
    assert found.counts.sum() == 2


# --- several scans of one patient ---------------------------------------------------------------------


def scan(shift=0):
    truth = np.zeros((4, 8, 8), np.uint8)
    truth[1:3, 2:5, 2:5] = 1
    return truth, np.roll(truth, shift, axis=2)


def test_scans_of_one_patient_without_names_are_numbered():
    cases = [
        Case("A", *scan(), (5, 1, 1)),
        Case("B", *scan(1)),
        Case("A", *scan(1), (1, 0.5, 0.5)),
        Case("A", *scan(2)),
    ]
    found = evaluate_cases(iter(cases), NAMES)
    assert found.cases.case.tolist() == ["A", "B", "A (2)", "A (3)"]
    assert found.cases.patient.tolist() == ["A", "B", "A", "A"]
    content = json.loads(found.to_nnunet())
    assert [case["reference_file"] for case in content["metric_per_case"]] == ["A", "B", "A (2)", "A (3)"]
    assert [case["metrics"]["1"]["Dice"] for case in content["metric_per_case"]] == pytest.approx(
        [1, 2 / 3, 2 / 3, 1 / 3]
    )


def test_names_that_were_given_are_given_once():
    with pytest.raises(ValueError, match="two cases are called first; give each scan its own name="):
        evaluate_cases([Case("A", *scan(), name="first"), Case("B", *scan(), name="first")], NAMES)
    found = evaluate_cases([Case("A", *scan(), name="A (2)"), Case("A", *scan()), Case("A", *scan())], NAMES)
    assert len(set(found.cases.case)) == 3


def test_slices_of_one_name_stay_apart():
    truth, found = scan(1)[0][1:3], scan(1)[1][1:3]
    subset = Subset(truth[..., None] * 1.0, truth, np.array(["A", "B"]), np.array(["slice_1"] * 2), np.ones((2, 2)))
    predictions = np.stack([truth[0], found[1]])
    table = evaluate(None, subset, NAMES, by="slice", predictions=predictions).cases
    assert table.case.tolist() == ["slice_1", "slice_1 (2)"]
    assert table.patient.tolist() == ["A", "B"]
    assert table.dice.tolist() == pytest.approx([1, 2 / 3])


# --- probabilities of exactly 0 and 1 -----------------------------------------------------------------


def task(dtype, classes, scale=8, pixels=4000, seed=1):
    """Probabilities that are three times too sure, many exactly 0 or 1 once rounded; the truth; the unrounded ones."""
    rng = np.random.default_rng(seed)
    logits = scale * rng.normal(size=(pixels, max(classes, 2)))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    exact = powers / powers.sum(axis=1, keepdims=True)
    honest = np.exp((logits - logits.max(axis=1, keepdims=True)) / 3)
    truth = (rng.random((pixels, 1)) > np.cumsum(honest / honest.sum(axis=1, keepdims=True), axis=1)[:, :-1]).sum(
        axis=1
    )
    given = exact[:, 1:] if classes == 1 else exact
    return given.astype(dtype), truth, given


@pytest.mark.parametrize("classes", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_entropies_and_temperatures_of_rounded_probabilities_are_those_of_exact_ones(dtype, classes):
    given, truth, exact = task(dtype, classes)
    assert dtype == np.float32 or (given == 0).any()  # float32 reaches down to a logit of -100
    assert (given == 1).any()
    tolerance = 2e-2 if dtype == np.float16 else 1e-5
    with warnings.catch_warnings(action="error"):
        np.testing.assert_allclose(entropy(given), entropy(exact), atol=tolerance)
        assert np.isfinite(mutual_information(np.stack([given, given[::-1]]))).all()
        found = fit_temperature(given, truth)
        scaled = scale_temperature(given, 3.0)
    assert found == pytest.approx(fit_temperature(exact, truth), rel=0.1)
    assert found == pytest.approx(3, abs=0.3)
    assert scaled.dtype == dtype
    sure = exact.max(axis=-1) < 1 - 1e-4  # what was rounded to 0 or 1 is known less well
    difference = np.abs(scaled.astype(float) - scale_temperature(exact, 3.0))
    assert difference[sure].max() < tolerance
    assert np.isfinite(scaled.astype(float)).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8, bool])
@pytest.mark.parametrize("one_map", [True, False])
def test_certainty_has_no_entropy_and_a_temperature_in_its_bounds(dtype, one_map):
    truth = np.array([0, 1, 1, 0])
    certain = np.eye(2)[truth].astype(dtype)
    certain = certain[:, 1:] if one_map else certain
    assert entropy(certain).tolist() == [0, 0, 0, 0]
    assert mutual_information(np.stack([certain, certain])).tolist() == [0, 0, 0, 0]
    assert 0.05 <= fit_temperature(certain, truth) < 1
    assert 1 < fit_temperature(certain, 1 - truth) <= 20
    np.testing.assert_allclose(scale_temperature(certain, 1.0), certain, atol=1e-6)


def test_a_sigmoid_of_exactly_1_that_is_wrong_costs_what_rounding_hid_and_no_more():
    """A softmax of two classes says how small the other is, one map cannot: its 1 may be a logit of 17 in float32."""
    rng = np.random.default_rng(0)
    logits = np.where(rng.random(2000) < 0.5, 1, -1) * 20.0
    truth = (rng.random(2000) < 1 / (1 + np.exp(-logits / 8))).astype(int)
    single = (1 / (1 + np.exp(-logits)))[:, None]
    assert fit_temperature(single.astype(np.float32), truth) == pytest.approx(8, rel=0.25)


@pytest.mark.parametrize(
    "given",
    [
        np.full((2, 2), np.nan),
        np.array([[np.nan, 1.0]], np.float16),
        np.array([[3.0, -2.0]]),
        np.array([[0.2, 0.2]], np.float16),
        np.array([[1.5]]),
        np.array([[0, 255]], np.uint8),
    ],
)
def test_what_are_no_probabilities_have_no_entropy_and_no_temperature(given):
    truth = np.zeros(len(given), int)
    for door in (
        entropy,
        lambda p: scale_temperature(p, 2.0),
        lambda p: fit_temperature(p, truth),
        lambda p: reliability(p, truth),
    ):
        with pytest.raises(ValueError, match="negative, NaN or do not sum to 1"):
            door(given)


@pytest.mark.parametrize("bad", [np.nan, -np.nan])
def test_nan_has_no_rank(bad):
    with pytest.raises(ValueError, match="uncertainty holds NaN"):
        error_auroc([0.1, bad, 0.3], [0, 1, 0])
    for pair in (([0.1, bad], [0.2, 0.3]), ([0.1, 0.2], [bad, 0.3])):
        with pytest.raises(ValueError, match="leave that case out"):
            risk_coverage(*pair)


# --- thresholds ---------------------------------------------------------------------------------------


def saturated(dtype, certain_empty, value=1.0):
    """Ten slices with an object, found exactly; ten empty ones, so many of them with one certain pixel."""
    masks = np.zeros((20, 8, 8), np.uint8)
    masks[:10, 2:6, 2:6] = 1
    foreground = masks.astype(dtype) * dtype(value)
    foreground[10 : 10 + certain_empty, 0, 0] = value
    return foreground, masks


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("certain_empty", [5, 6, 10])
def test_thresholds_of_a_network_that_is_certain_can_be_reached_and_say_what_they_keep(dtype, certain_empty):
    foreground, masks = saturated(dtype, certain_empty)
    with pytest.warns(UserWarning, match=f"45%.*cannot be kept.*on {certain_empty * 10}% of them"):
        point = choose_operating_point(foreground, masks, false_alarms=0.45)
    scores = slice_scores(point.decide(foreground), masks)
    assert point.presence <= 1
    assert (scores["dice"], scores["missed"], scores["false_alarms"]) == (1, 0, certain_empty / 10)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("certain_empty", [0, 1, 4])
def test_a_rate_that_can_be_kept_is_kept_in_any_type(dtype, certain_empty):
    foreground, masks = saturated(dtype, certain_empty)
    foreground[10 + certain_empty :, 3, 3] = np.linspace(0.5, 0.52, 10 - certain_empty)
    with warnings.catch_warnings(action="error"):
        point = choose_operating_point(foreground, masks, false_alarms=0.45)
    scores = slice_scores(point.decide(foreground), masks)
    assert scores["false_alarms"] <= 0.45
    assert scores["missed"] == 0


def test_a_rate_that_costs_every_object_is_said():
    foreground, masks = saturated(np.float32, 10, value=0.4)
    with pytest.warns(UserWarning, match="only be kept by missing every object"):
        choose_operating_point(foreground, masks, false_alarms=0.2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f, m: (f * np.nan, m), "NaN"),
        (lambda f, m: (f * 255, m), "0–1"),
        (lambda f, m: (f - 0.5, m), "0–1"),
        (lambda f, m: (f[..., None], m), r"\(N, H, W\)"),
        (lambda f, m: (f[:5], m), "one per pixel"),
        (lambda f, m: (f, m * 255), "other than 0 and 1"),
    ],
)
def test_maps_that_are_none_give_no_threshold(change, words):
    with pytest.raises(ValueError, match=words):
        choose_operating_point(*change(*saturated(np.float32, 3)))


def test_a_threshold_separates_neighbors_of_float16():
    maps = np.array([0.7, 0.7002], np.float16).reshape(2, 1, 1)
    assert maps[0] < maps[1] or maps[0] == maps[1]
    above = float(np.nextafter(np.float32(maps[0, 0, 0]), np.float32(2)))
    assert OperatingPoint(above, above).decide(maps[:1]).tolist() == [[[0]]]
    assert probabilities_to_masks(maps[:1, ..., None], above).tolist() == [[[0]]]


# --- saved and loaded ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("kind", ["keras", "h5"])
@pytest.mark.parametrize(
    "build",
    [
        lambda: UNet((16, 16, 1), 2, **OPTIONS, upsampling="bilinear"),
        lambda: AttentionUNet((16, 16, 1), 2, **OPTIONS),
        lambda: UNet((16, 16, 1), 1, **OPTIONS),
        lambda: SegNet((32, 32, 1), 2, base_filters=2),
        lambda: DeepLabV3Plus((32, 32, 1), 2, base_filters=2),
    ],
    ids=["bilinear", "attention", "transposed", "segnet", "deeplab"],
)
def test_a_network_is_the_same_after_loading(kind, build, tmp_path):
    model = build()
    with warnings.catch_warnings(action="ignore"):
        model.save(tmp_path / f"m.{kind}")
    again = keras.saving.load_model(tmp_path / f"m.{kind}", compile=False)
    images = picture(1, *model.input_shape[1:])
    np.testing.assert_allclose(predict_probabilities(again, images), predict_probabilities(model, images), atol=1e-6)
