"""At the doors of training: accepted and right, or one sentence that names the thing and the remedy."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from unet_helpers import UNet, make_batches, one_hot, start_at_class_shares, train
from unet_helpers.data import Dataset, make_augmenter
from unet_helpers.training import (
    DiceCrossEntropy,
    FocalCrossEntropy,
    TverskyLoss,
    compile_model,
    draw_crops,
    draw_patches,
    make_crop_batches,
    make_targets,
)

SIZE = 16


@pytest.fixture(scope="module")
def networks():
    """One small network of each kind, built once; what is refused leaves them as they are."""
    options = {"base_filters": 2, "depth": 1, "dropout": 0}
    return {
        "one map": UNet((SIZE, SIZE, 1), 1, **options),
        "two classes": UNet((SIZE, SIZE, 1), 2, **options),
        "color": UNet((SIZE, SIZE, 3), 2, **options),
        "open": UNet((None, None, 1), 2, **{**options, "depth": 2}),
    }


@pytest.fixture
def data(disks):
    return disks(patients=4, slices=1, size=SIZE)


def run(model, data, **options):
    return train(model, data, **{"epochs": 1, "batch_size": 2, "progress": False} | options)


def with_part(data, name="train", **columns):
    return replace(data, **{name: replace(data.subsets[name], **columns)})


# --- class weights ----------------------------------------------------------------------------------


def random_pair(classes, seed=0):
    rng = np.random.default_rng(seed)
    given = rng.dirichlet(np.ones(max(classes, 2)), (2, 8, 8)).astype(np.float32)
    truth = rng.integers(0, max(classes, 2), (2, 8, 8))
    return make_targets(truth, classes), given[..., 1:] if classes == 1 else given


@pytest.mark.parametrize(
    ("weights", "same"),
    [
        ({0: 1, 1: 4, 2: 20}, (1, 4, 20)),
        ({2: 20, 0: 1, 1: 4}, (1, 4, 20)),
        ({np.int64(1): np.float16(3), np.int64(0): 1.0, 2: 2}, (1, 3, 2)),
        (np.array([1, 4, 20], np.uint8), (1, 4, 20)),
        (np.float16([0, 1, 2]), (0, 1, 2)),
    ],
)
@pytest.mark.parametrize("loss", [DiceCrossEntropy, FocalCrossEntropy])
def test_class_weights_come_as_a_sequence_or_by_class(loss, weights, same):
    pair = random_pair(3)
    given = loss(class_weights=weights)
    assert given.class_weights == [float(weight) for weight in same]
    assert float(given(*pair)) == float(loss(class_weights=same)(*pair))
    assert float(given(*pair)) != float(loss()(*pair))
    assert type(given).from_config(given.get_config()).class_weights == given.class_weights


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({0: 1, 2: 5}, "given for 0, 2; give every class"),
        ({1: 1, 2: 5}, "0 for the background"),
        ({"background": 1, "lung": 2}, "by its index"),
        ({"0": 1, "1": 2}, "by its index"),
        ((1, -2), "from 0 on"),
        ((1, np.nan), "from 0 on"),
        ((1, np.inf), "from 0 on"),
        ((0, 0), "not all of them 0"),
        (10, "one number per class"),
        ("balanced", "one number per class"),
        ([[1, 2], [3, 4]], "one number per class"),
        ((), "one number per class"),
    ],
)
@pytest.mark.parametrize("loss", [DiceCrossEntropy, FocalCrossEntropy])
def test_weights_that_are_none_are_refused_where_they_are_given(loss, weights, words):
    with pytest.raises(ValueError, match=f"class_weights.*{words}"):
        loss(class_weights=weights)


@pytest.mark.parametrize(("classes", "weights"), [(1, (5,)), (1, (1, 2, 3)), (2, (1,)), (3, (1, 2)), (3, {0: 1, 1: 2})])
def test_as_many_weights_as_classes_or_none(networks, data, classes, weights):
    """One weight would be broadcast over all classes."""
    for loss in (DiceCrossEntropy(weights), FocalCrossEntropy(class_weights=weights)):
        with pytest.raises(ValueError, match=f"class_weights.*{max(classes, 2)} classes apart"):
            loss(*random_pair(classes))
    if classes < 3:
        model = networks["one map" if classes == 1 else "two classes"]
        with pytest.raises(ValueError, match="2 classes apart"):
            run(model, data, class_weights=weights)
        with pytest.raises(ValueError, match="2 classes apart"):
            compile_model(model, loss=FocalCrossEntropy(class_weights=weights))


# --- images: axes, channels, sides, types, NaN --------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "model", "words"),
    [
        (lambda x: x[..., 0], "two classes", r"training images.*\(N, H, W, 1\).*images\[..., np.newaxis\]"),
        (lambda x: x[0], "two classes", r"training images.*images\[np.newaxis\]"),
        (lambda x: np.moveaxis(x.repeat(3, -1), -1, 1), "color", r"channels stand first.*np.moveaxis\(images, 1, -1\)"),
        (lambda x: x[:, :14], "two classes", r"training images have height 14 but the model takes 16"),
        (lambda x: x, "color", "training images have channels 1 but the model takes 3"),
        (lambda x: x[:, None], "two classes", "training images have the shape.*stack whole images"),
        (lambda x: x.astype(object), "two classes", "training images are of type object"),
    ],
)
def test_images_of_other_axes_are_named_with_the_remedy(networks, data, change, model, words):
    with pytest.raises(ValueError, match=words):
        run(networks[model], with_part(data, images=change(data.train.images)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x[..., None], r"masks\[..., 0\]"),
        (lambda x: one_hot(x, 2), r"masks.argmax\(axis=-1\)"),
        (lambda x: x[:, :, :12], "one mask of class indices for each image"),
        (lambda x: np.concatenate([x, x]), "one mask of class indices for each image"),
        (lambda x: x.reshape(len(x), -1), "one mask of class indices for each image"),
    ],
)
@pytest.mark.parametrize("name", ["train", "validation"])
def test_masks_that_are_not_those_of_the_images_are_named(networks, data, change, words, name):
    changed = with_part(data, name, masks=change(data.subsets[name].masks))
    with pytest.raises(ValueError, match=f"the {name}(ing)? masks have the shape.*{words}"):
        run(networks["two classes"], changed)


@pytest.mark.parametrize(("height", "width"), [(18, 16), (16, 22), (17, 17), (15, 20), (30, 31)])
def test_sides_that_cannot_be_halved_are_named_with_those_that_can(networks, data, height, width):
    images, masks = np.zeros((2, height, width, 1), np.float32), np.zeros((2, height, width), np.uint8)
    fit = f"multiple of 4; pad or resize them to {-(-height // 4) * 4} × {-(-width // 4) * 4}"
    with pytest.raises(ValueError, match=f"training images of {height} × {width} pixels.*{fit}"):
        run(networks["open"], with_part(data, images=images, masks=masks))
    with pytest.raises(ValueError, match=f"validation images of {height} × {width} pixels.*{fit}"):
        run(networks["open"], with_part(data, "validation", images=images, masks=masks))


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.uint8, np.int32, bool])
@pytest.mark.parametrize("crops", [None, 8])
def test_images_and_masks_of_any_type_train_as_float32_does(data, dtype, crops):
    curves = []
    for kind in (np.float32, dtype):
        keras.utils.set_random_seed(0)
        model = UNet((None, None, 1), 2, base_filters=2, depth=1, dropout=0)
        parts = [replace(part, images=(part.images > 0.5).astype(kind)) for part in data.subsets.values()]
        if kind == dtype:
            parts = [replace(part, masks=part.masks.astype(dtype)) for part in parts]
        curves.append(run(model, Dataset("d", data.class_names, *parts), crop_size=crops).curves)
    assert curves[0] == curves[1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["train", "validation"])
def test_nan_and_infinity_are_named_with_the_image(networks, data, bad, name):
    data.subsets[name].images[-1, 2, 3] = bad
    number = len(data.subsets[name]) - 1
    with pytest.raises(ValueError, match=f"{name}(ing)? images hold NaN or infinite values, first in number {number}"):
        run(networks["two classes"], data)


def test_what_overflows_in_float32_is_infinite(networks, data):
    with pytest.raises(ValueError, match="infinite"):
        run(networks["two classes"], with_part(data, images=data.train.images.astype(float) * 1e300))


def test_nan_in_the_weights_is_found_before_the_first_step(data):
    model = UNet((SIZE, SIZE, 1), 2, base_filters=2, depth=1, dropout=0)
    model.get_layer("bottleneck_bn1").moving_mean.assign([np.nan] * 4)
    with pytest.raises(FloatingPointError, match=r"weights.*bottleneck_bn1.*lower learning rate"):
        run(model, data)


# --- labels that are no class -------------------------------------------------------------------------

NO_CLASS = {"-1": -1, "255": 255, "a fraction": 0.5, "nan": np.nan, "-100": -100}


def marked(value):
    masks = np.zeros((2, SIZE, SIZE), np.int16 if value == int(np.nan_to_num(value)) else float)
    masks[:, 4:8, 4:8] = 1
    masks = masks.astype(float) if np.isnan(value) else masks
    masks[:, 12:] = value
    return masks


@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("value", NO_CLASS.values(), ids=NO_CLASS)
def test_a_mark_for_pixels_that_do_not_count_is_refused_and_never_a_target(networks, outputs, value):
    with pytest.raises(ValueError, match="no class index") as error:
        make_targets(marked(value), outputs)
    assert f"{value:g}" in str(error.value)
    assert "num_classes=256" not in str(error.value)  # 255 classes are no remedy for one mark
    if outputs < 3:
        with pytest.raises(ValueError, match="no class index"):
            start_at_class_shares(networks["one map" if outputs == 1 else "two classes"], marked(value))


@pytest.mark.parametrize("value", [-1, 255, 1.5, np.nan, np.inf])
def test_targets_of_ones_own_hold_probabilities(networks, data, value):
    targets = make_targets(data.train.masks, 2)
    targets[0, 3] = value
    with pytest.raises(ValueError, match=r"targets.*probability of each class"):
        run(networks["two classes"], data, targets=targets)


# --- batches, crops and patches -----------------------------------------------------------------------

IMAGES, TARGETS = np.full((3, 8, 8, 1), 0.5, np.float32), one_hot(np.zeros((3, 8, 8), np.uint8), 2)


@pytest.mark.parametrize(
    ("images", "targets", "words"),
    [
        (IMAGES[..., 0], TARGETS, r"images are \(3, 8, 8\)"),
        (IMAGES, TARGETS[..., 0], "class indices become targets by make_targets"),
        (IMAGES, TARGETS[:2], "for each of them a target"),
        (IMAGES, TARGETS[:, :, :6], "a target of its size"),
        (IMAGES * np.nan, TARGETS, "the images hold NaN"),
        (IMAGES, TARGETS * np.nan, "the targets hold NaN"),
    ],
)
def test_batches_and_crops_of_what_does_not_belong_together_are_refused(images, targets, words):
    doors = (make_batches, lambda *pair: next(draw_crops(*pair, 4)), lambda *pair: make_crop_batches(*pair, 4))
    for door in doors:
        with pytest.raises(ValueError, match=words):
            door(images, targets)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.uint8, bool, np.int64])
def test_batches_are_float32_whatever_comes(dtype):
    pair = (np.eye(8)[None, ..., None].astype(dtype), TARGETS[:1].astype(dtype))
    for batches in (make_batches(*pair), make_crop_batches(*pair, 4, 1)):
        assert [array.dtype for array in next(iter(batches))] == [tf.float32, tf.float32]


@pytest.mark.parametrize(
    ("volume", "mask", "words"),
    [
        (np.zeros((6, 6, 6)), np.zeros((6, 6, 5), int), "volume 1 is .* and its mask"),
        (np.zeros((6, 6, 6)), np.zeros((6, 6, 6, 1), int), "its mask"),
        (np.zeros((6, 6)), np.zeros((6, 6), int), "volume 1 is"),
        (np.full((6, 6, 6), np.nan), np.zeros((6, 6, 6), int), "volume 1 hold NaN"),
        (np.full((6, 6, 6), np.inf, np.float16), np.zeros((6, 6, 6), int), "volume 1 hold NaN or infinite"),
    ],
)
def test_patches_of_a_volume_that_is_damaged_or_of_another_mask_are_refused(volume, mask, words):
    good = np.zeros((6, 6, 6)), np.zeros((6, 6, 6), int)
    with pytest.raises(ValueError, match=words):
        draw_patches([good[0], volume], [good[1], mask], (3, 3, 3), 2)


# --- augmentation -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(8, 12), (12, 8), (16, 17), (1, 4), (64, 32)])
def test_only_squares_are_transposed(height, width):
    augment = make_augmenter(transpose=True, rotation=0, zoom=0, translation=0)
    images, targets = np.zeros((2, height, width, 1), np.float32), np.zeros((2, height, width, 1), np.float32)
    words = f"square images only, and these are {height}×{width}"
    with pytest.raises(ValueError, match=words):
        augment(images, targets)
    with pytest.raises(ValueError, match=words):
        make_batches(images, targets, augment=augment)


@pytest.mark.parametrize(
    ("images", "targets"),
    [((2, 8, 8), (2, 8, 8, 1)), ((2, 8, 8, 1), (2, 8, 8)), ((2, 8, 8, 1), (2, 8, 6, 1)), ((2, 8, 8, 1), (1, 8, 8, 1))],
)
def test_images_and_targets_are_augmented_together_or_not_at_all(images, targets):
    with pytest.raises(ValueError, match="of the same size"):
        make_augmenter()(np.zeros(images, np.float32), np.zeros(targets, np.float32))


def test_half_precision_is_augmented_as_float32():
    image = np.random.default_rng(0).random((2, 8, 8, 1)).astype(np.float16)
    targets = (image > 0.5).astype(np.float32)
    found, expected = (make_augmenter(seed=1)(x, targets)[0].numpy() for x in (image, image.astype(np.float32)))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_in_tf_data_the_augmentation_names_the_backend_it_needs(monkeypatch, backend):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    with pytest.raises(ValueError, match=f"TensorFlow backend, and this is {backend}.*KERAS_BACKEND=tensorflow"):
        make_batches(IMAGES, TARGETS, augment=make_augmenter())


@pytest.mark.parametrize(
    "door",
    [
        lambda augment: make_batches(IMAGES, TARGETS, augment=augment, shuffle=False),
        lambda augment: make_crop_batches(IMAGES, TARGETS, 4, augment=augment),
        lambda augment: tf.data.Dataset.from_tensors((IMAGES, TARGETS)).map(augment),
        lambda augment: augment(tf.constant(IMAGES), tf.constant(TARGETS)),
    ],
    ids=["batches", "crops", "a pipeline of one's own", "tensors"],
)
def test_every_door_of_the_augmentation_names_the_backend_it_needs(monkeypatch, door):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="this is jax: set KERAS_BACKEND=tensorflow before Python starts"):
        door(make_augmenter(transpose=True))


# --- resume -------------------------------------------------------------------------------------------


def small(num_classes=2, **options):
    keras.utils.set_random_seed(1)
    return UNet((SIZE, SIZE, 1), num_classes, **{"base_filters": 2, "depth": 1, "dropout": 0.2} | options)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run of one epoch, trained once."""
    from drawn import make_disks

    folder = tmp_path_factory.mktemp("run")
    tf.config.run_functions_eagerly(True)
    data = make_disks(patients=4, slices=1, size=SIZE)
    run(small(), data, checkpoint=folder, class_weights=(1, 3))
    tf.config.run_functions_eagerly(False)
    return folder, data


@pytest.mark.parametrize(
    "options", [{"base_filters": 4}, {"depth": 2}, {"num_classes": 1}, {"dropout": 0}, {"batch_norm": False}]
)
def test_a_run_is_not_resumed_with_another_network(begun, options):
    folder, data = begun
    weights = None if options.get("num_classes") == 1 else (1, 3)
    with pytest.raises(ValueError, match=r"began with another network.*build it so, or take another folder"):
        run(small(**options), data, epochs=2, checkpoint=folder, resume=True, class_weights=weights)


@pytest.mark.parametrize(
    "loss",
    [
        DiceCrossEntropy(),
        DiceCrossEntropy((1, 4)),
        DiceCrossEntropy((1, 3), squared=True),
        TverskyLoss(),
        "categorical_crossentropy",
        lambda truth, found: keras.ops.mean((truth - found) ** 2),
    ],
    ids=["no weights", "other weights", "squared", "Tversky", "by name", "a function"],
)
def test_a_run_is_not_resumed_with_another_loss(begun, loss):
    folder, data = begun
    with pytest.raises(
        ValueError, match=r"began with the loss DiceCrossEntropy\(class_weights=\[1.0, 3.0\].*this one is"
    ):
        run(small(), data, epochs=2, checkpoint=folder, resume=True, loss=loss)


@pytest.mark.usefixtures("eagerly")
def test_the_same_loss_said_in_another_way_is_the_same(begun):
    folder, data = begun
    history = run(small(), data, checkpoint=folder, resume=True, loss=DiceCrossEntropy({1: 3, 0: 1}))
    assert history.epochs == 1
