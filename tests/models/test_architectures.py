"""The other networks: sizes, parameters against papers and independent implementations, saving, and learning."""

import subprocess
import sys

import keras
import model_table
import numpy as np
import pytest

from unet_helpers import start_at_class_shares
from unet_helpers.models import FCN, AttentionUNet, DeepLabV3Plus, SegNet, UNet, UNet3D, valid_output_size
from unet_helpers.models.blocks import enlarge
from unet_helpers.models.deeplab import atrous_pyramid
from unet_helpers.models.segnet import MaxPoolWithPlace, Unpool

NETWORKS = {
    "UNet": lambda **k: UNet(**({"input_shape": (64, 64, 1), "base_filters": 4} | k)),
    "UNet, unpadded": lambda **k: UNet(
        **({"input_shape": (92, 92, 1), "base_filters": 4, "depth": 2, "padding": "valid"} | k)
    ),
    "AttentionUNet": lambda **k: AttentionUNet(**({"input_shape": (64, 64, 1), "base_filters": 4} | k)),
    "SegNet": lambda **k: SegNet(**({"input_shape": (64, 64, 1), "base_filters": 4} | k)),
    "FCN-32s": lambda **k: FCN(**({"input_shape": (128, 128, 1), "base_filters": 4, "stride": 32} | k)),
    "FCN-8s": lambda **k: FCN(**({"input_shape": (64, 64, 1), "base_filters": 4} | k)),
    "DeepLabV3Plus": lambda **k: DeepLabV3Plus(**({"input_shape": (64, 64, 1), "base_filters": 4} | k)),
    "UNet3D": lambda **k: UNet3D(**({"input_shape": (8, 32, 32, 1), "base_filters": 2} | k)),
}
EVERY = pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS.keys())


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


# ------------------------------------------------------------------ against papers and other implementations


def test_they_agree_with_papers_and_other_implementations_and_the_page_says_so():
    assert [row for row in model_table.agreements() if row[1] != row[2]] == []
    assert model_table.PAGE.read_text(encoding="utf-8") == model_table.page(), "run python tools/model_table.py"


def test_unpadded_unet_has_the_maps_of_the_2015_paper():
    model = UNet((572, 572, 1), 2, base_filters=1, batch_norm=False, padding="valid")
    sizes = [model.get_layer(f"down{level}_relu2").output.shape[1] for level in (1, 2, 3, 4)]
    assert sizes == [568, 280, 136, 64]  # figure 1 of the paper
    assert [model.get_layer(f"crop{level}").output.shape[1] for level in (4, 3, 2, 1)] == [56, 104, 200, 392]


def test_deeplab_stops_at_a_sixteenth():
    model = DeepLabV3Plus((224, 224, 1), base_filters=4)
    assert model.get_layer("stage4_block2_relu").output.shape[1:3] == (14, 14)


def test_the_atrous_pyramid_has_the_weights_of_its_formula():
    inputs = keras.Input((32, 32, 2048))
    pyramid = keras.Model(inputs, atrous_pyramid(inputs, 256, (12, 24, 36)))
    by_hand = 2048 * 256 * (1 + 3 * 9 + 1) + 5 * 256 * 256 + 6 * 2 * 256
    assert trainable(pyramid) == by_hand


@pytest.mark.parametrize("filters", [4, 8])
def test_a_gate_adds_what_the_formula_of_oktay_says(filters):
    """Per gated level with F channels: W_x 2×2, W_g with bias, ψ with bias, and the closing 1×1 convolution."""

    def gate(f):
        return 4 * f * f + (2 * f * f + f) + (f + 1) + (f * f + f)

    options = {"input_shape": (32, 32, 1), "base_filters": filters, "batch_norm": False}
    added = AttentionUNet(**options).count_params() - UNet(**options).count_params()
    assert added == sum(gate(filters * 2**level) for level in (1, 2, 3))  # the finest level has none


# ------------------------------------------------------------------ what every network keeps


@pytest.mark.usefixtures("eagerly")
@EVERY
@pytest.mark.parametrize("num_classes", [1, 3])
def test_probabilities_come_out(build, num_classes):
    model = build(num_classes=num_classes)
    found = model.predict(np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])), verbose=0)
    assert found.dtype == np.float32
    assert found.shape == (2, *model.output_shape[1:-1], num_classes)
    assert found.min() >= 0
    assert found.max() <= 1
    if num_classes > 1:
        np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-6)


@pytest.mark.usefixtures("eagerly")
@EVERY
def test_a_saved_network_is_the_same_without_custom_objects(build, tmp_path):
    model = build()
    volume = np.random.default_rng(0).normal(size=(1, *model.input_shape[1:]))
    before = model.predict(volume, verbose=0)
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "m.keras").predict(volume, verbose=0), before)


@pytest.mark.parametrize("name", ["AttentionUNet", "SegNet", "FCN-8s", "DeepLabV3Plus", "UNet3D"])
def test_it_learns_one_image_from_random_weights(name):
    """The first test of any network: can it overfit one image and its mask?"""
    keras.utils.set_random_seed(0)
    model = NETWORKS[name](num_classes=1)
    inside = model.input_shape[1:-1]
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, side) for side in inside], indexing="ij"))
    truth = (np.linalg.norm(grid, axis=0) < 0.6)[None, ..., None].astype(np.float32)
    image = truth + np.random.default_rng(0).normal(0, 0.2, truth.shape).astype(np.float32)
    start_at_class_shares(model, truth[..., 0].astype(np.uint8))
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="binary_crossentropy")
    overlaps = []
    images, truths = (np.repeat(array, 50, axis=0) for array in (image, truth))
    # how many steps it takes differs between processors, that it arrives does not
    while len(overlaps) < 8 and max(overlaps, default=0) < 0.8:
        model.fit(images, truths, batch_size=2, verbose=0)
        found = model.predict_on_batch(image) > 0.5
        overlaps.append(2 * (found * truth).sum() / (found.sum() + truth.sum()))
    assert overlaps[-1] > 0.8, overlaps


@EVERY
def test_every_weight_gets_a_gradient(build):
    """A layer that is built but not joined, or a path cut by an index, would have none."""
    import tensorflow as tf

    model = build(num_classes=2)
    if model.name.startswith("fcn"):  # its added scores start at zero on purpose
        for layer in model.layers:
            if layer.name.startswith("scores"):
                layer.kernel.assign(np.random.default_rng(0).normal(size=layer.kernel.shape))
    image = tf.random.stateless_normal((2, *model.input_shape[1:]), (0, 1))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(image, training=True)[..., 1] ** 2)
    for weight, gradient in zip(model.trainable_weights, tape.gradient(loss, model.trainable_weights), strict=True):
        assert gradient is not None, weight.path
        assert np.isfinite(gradient.numpy()).all(), weight.path


@EVERY
def test_half_precision_keeps_float32_probabilities(build):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy(before)
    assert model.output.dtype == "float32"


# ------------------------------------------------------------------ what is particular to one


GROWING = """
import keras
import numpy as np
from unet_helpers.models.deeplab import residual_stage

inputs = keras.Input((64, 64, 8))
means = keras.layers.GlobalAveragePooling2D()(residual_stage(inputs, 16, strides=2))
network = keras.Model(inputs, means)
network.compile("sgd", "mse")
for count in (2, 3, 32):
    network.train_on_batch(np.ones((count, 64, 64, 8), np.float32), np.ones((count, 16), np.float32))
"""


def test_deeplab_survives_a_batch_that_grows():
    """A 1×1 convolution with stride 2 and few channels corrupts memory in oneDNN; the process dies, so it has its own.

    On processors for which oneDNN chooses other code the stride would do no harm, and this test none either.
    """
    done = subprocess.run([sys.executable, "-c", GROWING], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]


@pytest.mark.parametrize("factor", [2, 4, 8, 32])
def test_enlarging_is_bilinear_as_keras_and_tensorflow_do_it(factor):
    import tensorflow as tf

    x = np.random.default_rng(0).normal(size=(2, 5, 3, 2)).astype(np.float32)
    inputs = keras.Input((None, None, 2))
    found = keras.Model(inputs, enlarge(inputs, factor))(x)
    np.testing.assert_allclose(found, keras.layers.UpSampling2D(factor, interpolation="bilinear")(x), atol=1e-4)
    np.testing.assert_allclose(found, tf.image.resize(x, (5 * factor, 3 * factor)), atol=1e-4)


def test_pooling_and_unpooling_put_every_maximum_back_at_its_place():
    x = np.random.default_rng(0).normal(size=(2, 6, 4, 3)).astype(np.float32)
    values, places = MaxPoolWithPlace()(x)
    np.testing.assert_array_equal(values, keras.layers.MaxPooling2D(2)(x))
    back = np.asarray(Unpool()([values, places]))
    kept = back != 0
    np.testing.assert_array_equal(back[kept], x[kept])
    assert kept.reshape(2, 3, 2, 2, 2, 3).sum(axis=(2, 4)).max() == 1


def test_a_tie_goes_to_one_place_only():
    values, places = MaxPoolWithPlace()(np.ones((1, 2, 2, 1), np.float32))
    assert np.asarray(Unpool()([values, places])).sum() == 1


def test_attention_lies_between_0_and_1_and_has_the_size_of_its_skip_connection():
    model = AttentionUNet((32, 32, 1), base_filters=4, depth=3)
    weights = keras.Model(model.input, [model.get_layer(f"gate{level}_attention").output for level in (2, 3)])
    fine, coarse = weights.predict(np.random.default_rng(0).normal(size=(1, 32, 32, 1)), verbose=0)
    assert (fine.shape, coarse.shape) == ((1, 16, 16, 1), (1, 8, 8, 1))
    assert 0 < fine.min() <= fine.max() < 1


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("network", "options"),
    [(UNet, {}), (UNet, {"upsampling": "bilinear"}), (AttentionUNet, {}), (SegNet, {}), (FCN, {})],
)
def test_two_sizes_pass_through_one_network(network, options):
    model = network((None, None, 1), base_filters=2, **options)
    for size in ((32, 32), (64, 96)):
        assert model.predict(np.zeros((1, *size, 1)), verbose=0).shape == (1, *size, 2)


def test_poolings_of_its_own_for_thick_slices():
    model = UNet3D((4, 32, 32, 1), base_filters=2, pool_sizes=[(1, 2, 2), (1, 2, 2), (2, 2, 2)])
    assert model.get_layer("bottleneck_conv1").output.shape[1:4] == (2, 4, 4)
    assert model.output_shape == (None, 4, 32, 32, 2)


@pytest.mark.parametrize("size", range(92, 160))
def test_the_size_of_the_unpadded_output_is_the_networks(size):
    try:
        expected = valid_output_size(size, depth=2)
    except ValueError as error:
        near = int(str(error).rsplit(maxsplit=1)[-1])
        assert size < near <= size + 4
        valid_output_size(near, depth=2)
        return
    if size < 110:
        assert UNet((size, size, 1), base_filters=1, depth=2, padding="valid").output_shape[1] == expected


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: SegNet((48, 64, 1)), "height 48 cannot be halved 5 times.*32 or 64"),
        (lambda: FCN((64, 64, 1), stride=4), "stride is 4; choose 32, 16 or 8"),
        (lambda: FCN((64, 72, 1)), "width 72 cannot"),
        (lambda: DeepLabV3Plus((None, None, 1)), "fixed height and width"),
        (lambda: DeepLabV3Plus((40, 64, 1)), "height 40 cannot be halved 4 times.*32 or 48"),
        (lambda: AttentionUNet((64, 64)), "give .height, width, channels."),
        (lambda: UNet3D((64, 64, 1)), "give .depth, height, width, channels."),
        (lambda: UNet3D((6, 32, 32, 1)), "depth 6 does not divide by the poolings .2, 2, 2."),
        (lambda: UNet3D((8, 32, 32, 1), pool_sizes=[(1, 2, 2)]), "give 3 triples"),
        (lambda: UNet3D((116, 132, 131, 1), padding="valid"), "width 131 .*two unpadded"),
        (lambda: UNet((100, 100, 1), padding="valid"), "a side of 100 cannot be halved 4 times.*try 188"),
        (lambda: UNet((None, None, 1), padding="valid"), "fixed height and width"),
        (lambda: UNet((64, 64, 1), padding="reflect"), "choose 'same' or 'valid'"),
        (lambda: AttentionUNet(base_filters=0), "must be at least 1, not 2, 0, 4"),
        (lambda: SegNet(dropout=1.0), "rate in .0, 1."),
    ],
)
def test_what_cannot_be_built_is_named(build, words):
    with pytest.raises(ValueError, match=words):
        build()
