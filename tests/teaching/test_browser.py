"""A network computes in the browser what it computes in Keras: layer by layer, from the disk and from a server."""

import base64
import functools
import http.server
import threading

import browser_engines
import keras
import numpy as np
import pytest
from keras import layers

import unet_helpers.__main__ as command_line
from unet_helpers import UNet, load_checkpoint
from unet_helpers.files import DataError
from unet_helpers.teaching.browser import browser_network
from unet_helpers.training.checkpoint import CHECKPOINT


def shaken(**options):
    """A U-Net whose weights, and statistics of batch normalization, are all far from those of its start."""
    keras.utils.set_random_seed(0)
    model = UNet(**options)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        noise = rng.normal(0, 0.3, weight.shape)
        weight.assign(
            np.abs(weight) * np.exp(noise) if "variance" in weight.path else weight * np.exp(noise) + noise / 9
        )
    return model


NETWORKS = {
    "the shipped network": load_checkpoint,
    "all weights moved": lambda: shaken(input_shape=(None, None, 1), num_classes=3, base_filters=8),
    "six filters, three channels, two poolings, one class": lambda: shaken(
        input_shape=(None, None, 3), num_classes=1, base_filters=6, depth=2
    ),
    "no batch normalization, no skip connections, nine classes": lambda: shaken(
        input_shape=(32, 80, 1), num_classes=9, base_filters=4, batch_norm=False, skip_connections=False, dropout=0
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def server(folder):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = lambda *words: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/page.html"
        server.shutdown()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_that_of_keras(name, browser, folder):
    model = NETWORKS[name]()
    image = np.random.default_rng(1).random((32, 80, model.input_shape[-1]), np.float32)
    browser.open(browser_engines.write_page(folder, model, "float32"))
    for kernel, (fast, _) in browser_engines.KERNELS.items():
        assert browser_engines.start(browser, fast) == kernel
        found = browser_engines.layers_of_browser(browser, image)
        truth = browser_engines.layers_of_keras(model, list(found), image)
        assert len(found) > 10
        differences = {
            name: float(np.abs(numbers - truth[name]).max() / max(1, truth[name].max()))
            for name, numbers in found.items()
        }
        assert max(differences.values()) < 1e-4, differences


def test_a_skip_connection_that_is_off_passes_on_zeros_as_in_keras(browser, folder):
    model = load_checkpoint()
    image = np.random.default_rng(3).random((32, 80, 1), np.float32)
    browser.open(browser_engines.write_page(folder, model, "float32"))
    names = browser.value("names()")
    cut = [
        (off, browser_engines.layers_of_keras(without_skips(model, off), names, image))
        for off in (["skip1"], ["skip2", "skip4"])
    ]
    for kernel, (fast, _) in browser_engines.KERNELS.items():
        assert browser_engines.start(browser, fast) == kernel
        whole = browser_engines.layers_of_browser(browser, image)
        for off, truth in cut:
            found = browser_engines.layers_of_browser(browser, image, off)
            for name, numbers in found.items():
                np.testing.assert_allclose(numbers, truth[name], atol=1e-4 * max(1, truth[name].max()), err_msg=name)
            assert np.abs(found["probabilities"] - whole["probabilities"]).max() > 0.1
        again = browser_engines.layers_of_browser(browser, image)
        np.testing.assert_array_equal(again["probabilities"], whole["probabilities"])


def test_a_seed_switches_dropout_on_as_in_training_and_nothing_else(browser, folder):
    model = load_checkpoint()
    image = np.random.default_rng(4).random((32, 80, 1), np.float32)
    browser.open(browser_engines.write_page(folder, model, "float32"))
    names = ["down1", "down2", "down3", "down4", "bottleneck"]
    dropped = [model.get_layer(f"{name}_dropout").output for name in names]
    relus = [model.get_layer(f"{name}_relu2").output for name in names]
    first = keras.Model(model.input, relus[0])
    others = keras.Model(dropped, [*relus[1:], model.output])  # each from what came before it
    for kernel, (fast, _) in browser_engines.KERNELS.items():
        assert browser_engines.start(browser, fast) == kernel
        whole = browser_engines.layers_of_browser(browser, image)
        found = browser_engines.layers_of_browser(browser, image, seed=1)
        maps = [found[f"{name}_relu2"].reshape(1, 32 >> k, 80 >> k, -1) for k, name in enumerate(names)]
        *before, probabilities = [first(image[None]), *others(maps)]
        for name, own, all_kept in zip(names, maps, before, strict=True):
            kept = own != 0
            np.testing.assert_allclose(own[kept], np.asarray(all_kept)[kept] / 0.9, atol=1e-4, rtol=1e-4, err_msg=name)
            assert abs(kept[np.asarray(all_kept) > 0].mean() - 0.9) < 0.03
        np.testing.assert_allclose(found["probabilities"], np.ravel(probabilities), atol=1e-4)
        assert np.abs(found["probabilities"] - whole["probabilities"]).max() > 0.01
        other = browser_engines.layers_of_browser(browser, image, seed=2)
        assert np.abs(found["probabilities"] - other["probabilities"]).max() > 0.01
        again = browser_engines.layers_of_browser(browser, image)
        np.testing.assert_array_equal(again["probabilities"], whole["probabilities"])


def without_skips(model, names):
    """The network with zeros in place of what comes over these skip connections, as notebook 03 makes it."""

    def call(layer, inputs, **options):
        return layer([0 * inputs[0], inputs[1]] if layer.name in names else inputs, **options)

    copy = keras.models.clone_model(model, call_function=call)
    copy.set_weights(model.get_weights())
    return copy


def test_a_server_and_the_disk_give_the_same_and_16_bits_change_no_probability_by_a_hundredth(browser, folder, server):
    model = load_checkpoint()
    page = browser_engines.write_page(folder, model, "int16")
    image = np.random.default_rng(2).random((128, 128, 1), np.float32)
    found = []
    for place in (page, server):
        browser.open(place)
        assert browser_engines.start(browser, fast=True) == "WebAssembly"
        found.append(browser_engines.probabilities(browser, image))
    truth = np.asarray(model(image[None]))[0]
    from_disk, from_server = found
    np.testing.assert_array_equal(from_disk, from_server)
    assert np.abs(from_disk - truth).max() < 0.01


def test_a_picture_that_cannot_be_halved_is_refused(browser, folder):
    browser.open(browser_engines.write_page(folder, load_checkpoint(), "int16"))
    with pytest.raises(RuntimeError, match="must be multiples of 16, not 24 and 32"):
        browser.value("unetEngine(unetNetwork).then((engine) => engine.run(new Float32Array(768), 24, 32))")


def test_the_network_fits_into_a_megabyte_and_its_batch_normalization_is_gone():
    network = browser_network(load_checkpoint())
    assert len(base64.b64decode(network["kernels"])) + len(base64.b64decode(network["filters"])) < 1_000_000
    assert {layer["kind"] for layer in network["layers"]} == {"conv", "pool", "transpose", "join"}
    assert (network["multiple"], network["channels"], network["activation"]) == (16, 1, "softmax")


def with_layer(layer, after=True):
    inputs = keras.Input((16, 16, 1))
    x = layer(layers.Conv2D(4, 3, padding="same", name="first")(inputs))
    return keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax", name="last")(x) if after else x)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (
            lambda: UNet((32, 32, 1), base_filters=2, upsampling="bilinear"),
            "up4_upsample_resize_repeat' is a UpSampling2D",
        ),
        (lambda: UNet((188, 188, 1), base_filters=2, padding="valid"), "'down1_conv1' is a Conv2D which"),
        (lambda: with_layer(layers.LeakyReLU(name="leaky")), "'leaky' is a LeakyReLU which"),
        (lambda: with_layer(layers.ReLU(6.0, name="six")), "'six' is a ReLU which"),
        (lambda: with_layer(layers.Conv2D(2, 3, 2, padding="same", name="wide")), "'wide' is a Conv2D which"),
        (lambda: with_layer(layers.AveragePooling2D(2, name="mean")), "'mean' is a AveragePooling2D which"),
        (lambda: with_layer(layers.ReLU(name="relu"), after=False), "does not end with probabilities"),
    ],
)
def test_what_the_engine_cannot_compute_is_refused_by_name(build, said):
    with pytest.raises(DataError, match=said) as refused:
        browser_network(build())
    assert "it knows 3×3 and 1×1" in str(refused.value) or "the browser knows 3×3" in str(refused.value)


def test_dropout_is_known_to_the_engine_only_where_all_that_follows_has_passed_it():
    def dropouts(between):
        inputs = keras.Input((16, 16, 1))
        x = layers.Conv2D(4, 3, padding="same")(inputs)
        x = between(x)
        network = browser_network(keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(x)))
        return [layer.get("dropout") for layer in network["layers"]]

    assert dropouts(layers.Dropout(0.5)) == [0.5, None]
    assert dropouts(lambda x: layers.Concatenate()([x, layers.Dropout(0.5)(x)])) == [None, None, None]
    assert dropouts(lambda x: layers.BatchNormalization()(layers.Dropout(0.5)(x))) == [None, None]
    assert dropouts(layers.SpatialDropout2D(0.5)) == [None, None]
    assert [layer["dropout"] for layer in browser_network(load_checkpoint())["layers"] if "dropout" in layer] == [
        0.1
    ] * 5


def test_normalization_is_not_folded_where_another_layer_reads_the_convolution():
    inputs = keras.Input((16, 16, 1))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    both = layers.Concatenate()([x, layers.BatchNormalization(name="norm")(x)])
    with pytest.raises(DataError, match="'norm' is a BatchNormalization which"):
        browser_network(keras.Model(inputs, layers.Conv2D(2, 1, activation="softmax")(both)))


def test_one_command_writes_the_network(tmp_path, monkeypatch, capsys):
    out = tmp_path / "network.js"
    monkeypatch.setattr("sys.argv", ["unet_helpers", "export-browser", str(CHECKPOINT), str(out)])
    command_line.main()
    assert out.read_text(encoding="utf-8").startswith('self.unetNetwork = {"channels":1,"multiple":16,')
    assert capsys.readouterr().out == f"1.3 MB in {out}\n"
    (tmp_path / "broken.keras").write_bytes(b"no archive")
    for source, said in (("missing.keras", "no file"), ("broken.keras", "cannot be loaded")):
        monkeypatch.setattr("sys.argv", ["unet_helpers", "export-browser", str(tmp_path / source), str(out)])
        with pytest.raises(SystemExit, match=said):
            command_line.main()
