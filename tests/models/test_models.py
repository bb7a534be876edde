import itertools

import keras
import numpy as np
import pytest

from unet_helpers import UNet, one_hot

SMALL = {"base_filters": 4, "depth": 2}


def kinds(model):
    return {type(layer).__name__ for layer in model.layers}


def count_by_formula(channels=1, classes=2, base=64, depth=4, batch_norm=True, transpose=True, skips=True):
    """Parameters of the 2015 network with padding, layer by layer, from the formula for a convolution."""

    def conv(size, inside, outside, bias=True):
        return size * size * inside * outside + bias * outside

    def block(inside, outside):
        norm = 4 * outside if batch_norm else 0  # scale, shift, moving mean, moving variance
        return conv(3, inside, outside, not batch_norm) + conv(3, outside, outside, not batch_norm) + 2 * norm

    widths = [base * 2**level for level in range(depth + 1)]
    total = sum(block(a, b) for a, b in zip([channels, *widths], widths, strict=False))
    for narrow, wide in itertools.pairwise(widths):
        total += conv(2 if transpose else 1, wide, narrow)
        total += block(2 * narrow if skips else narrow, narrow)
    return total + conv(1, base, classes)


def test_the_default_network_has_31_million_parameters():
    assert UNet().count_params() == count_by_formula() == 31_048_322


@pytest.mark.parametrize(
    ("options", "formula"),
    [
        ({}, {}),
        ({"num_classes": 1}, {"classes": 1}),
        ({"input_shape": (32, 32, 4), "num_classes": 5}, {"channels": 4, "classes": 5}),
        ({"batch_norm": False}, {"batch_norm": False}),
        ({"upsampling": "bilinear"}, {"transpose": False}),
        ({"skip_connections": False}, {"skips": False}),
        ({"depth": 3, "base_filters": 6}, {"depth": 3, "base": 6}),
    ],
)
def test_each_option_changes_the_count_as_the_formula_says(options, formula):
    model = UNet(**{"input_shape": (32, 32, 1)} | SMALL | options)
    assert model.count_params() == count_by_formula(**{"base": 4, "depth": 2} | formula)


def test_channels_double_on_the_way_down_to_the_bottleneck():
    model = UNet()
    widths = [model.get_layer(f"{name}_conv2").filters for name in ("down1", "down2", "down3", "down4", "bottleneck")]
    assert widths == [64, 128, 256, 512, 1024]
    assert model.get_layer("bottleneck_conv2").output.shape == (None, 8, 8, 1024)


@pytest.mark.parametrize("num_classes", [1, 2, 3])
@pytest.mark.parametrize("shape", [(16, 16, 1), (32, 16, 3)])
def test_output_has_the_size_of_the_input_and_holds_probabilities(num_classes, shape):
    model = UNet(shape, num_classes, **SMALL)
    assert model.output_shape == (None, *shape[:2], num_classes)
    found = model.predict(np.random.default_rng(0).normal(size=(2, *shape)), verbose=0)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    if num_classes > 1:
        np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-6)
    else:
        assert found.std() > 0  # a softmax over one channel would be 1 everywhere


@pytest.mark.parametrize(("size", "words"), [(100, "96 or 112"), (8, "to 16"), (127, "112 or 128"), (17, "16 or 32")])
def test_a_size_that_does_not_divide_names_its_neighbors(size, words):
    with pytest.raises(ValueError, match=f"width {size} cannot be halved 4 times.*{words}"):
        UNet((128, size, 1))
    with pytest.raises(ValueError, match=f"height {size} cannot"):
        UNet((size, 128, 1))


def test_one_network_takes_two_sizes():
    model = UNet((None, None, 1), **SMALL)
    for size in ((16, 16), (32, 24)):
        assert model.predict(np.zeros((1, *size, 1)), verbose=0).shape == (1, *size, 2)


def test_options_leave_their_layers_out():
    with_all = kinds(UNet((16, 16, 1), **SMALL))
    assert {"Concatenate", "Conv2DTranspose", "BatchNormalization", "Dropout"} <= with_all
    assert "Concatenate" not in kinds(UNet((16, 16, 1), skip_connections=False, **SMALL))
    assert "BatchNormalization" not in kinds(UNet((16, 16, 1), batch_norm=False, **SMALL))
    assert "Dropout" not in kinds(UNet((16, 16, 1), dropout=0, **SMALL))
    bilinear = kinds(UNet((16, 16, 1), upsampling="bilinear", **SMALL))
    assert "Conv2DTranspose" not in bilinear
    assert "UpSampling2D" in bilinear


def test_a_skip_connection_carries_what_the_contracting_path_saw_at_that_size():
    model = UNet((32, 32, 1), **SMALL)
    for level, size in ((1, 32), (2, 16)):
        skip = model.get_layer(f"skip{level}")
        assert [tensor.shape[1:3] for tensor in skip.input] == [(size, size)] * 2
        assert skip.input[0] is model.get_layer(f"pool{level}").input


def test_a_saved_network_gives_the_same_output(tmp_path):
    model = UNet((16, 16, 1), 3, **SMALL)
    image = np.random.default_rng(0).normal(size=(2, 16, 16, 1))
    before = model.predict(image, verbose=0)
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "m.keras").predict(image, verbose=0), before)


def test_the_same_seed_builds_the_same_weights():
    weights = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        weights.append(UNet((16, 16, 1), **SMALL).get_layer("bottleneck_conv1").get_weights()[0])
    np.testing.assert_array_equal(weights[0], weights[1])
    assert (weights[0] != weights[2]).any()


def test_probabilities_stay_float32_in_half_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = UNet((16, 16, 1), **SMALL)
    finally:
        keras.config.set_dtype_policy(before)
    assert model.get_layer("down1_conv1").compute_dtype == "float16"
    assert model.output.dtype == "float32"


def test_the_snippet_of_the_readme_runs():
    images = np.random.default_rng(0).random((4, 64, 64, 1), np.float32)
    one_hot_masks = one_hot((images[..., 0] > 0.5).astype(np.uint8), 2)

    model = UNet(input_shape=(64, 64, 1), num_classes=2)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(images, one_hot_masks, epochs=3, batch_size=2, verbose=0)
    mask = np.argmax(model.predict(images[:1], verbose=0), axis=-1)

    assert history.history["loss"][-1] < history.history["loss"][0]
    assert mask.shape == (1, 64, 64)
    assert set(np.unique(mask)) <= {0, 1}
