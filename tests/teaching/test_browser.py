"""A network computes in the browser what it computes in Keras: layer by layer, from the disk and from a server."""

import base64
import functools
import http.server
import json
import shutil
import threading
from pathlib import Path

import check_book
import keras
import make_live
import numpy as np
import pytest
from keras import layers

import unet_helpers.__main__ as command_line
from unet_helpers import UNet, load_checkpoint
from unet_helpers.files import DataError
from unet_helpers.teaching.browser import browser_network, write_browser_network
from unet_helpers.training.checkpoint import CHECKPOINT

ENGINE = Path(__file__).resolve().parents[2] / "book" / "_static" / "live" / "engine.js"
PAGE = """<!doctype html><meta charset="utf-8"><title>layers</title>
<script src="engine.js"></script><script src="kernel.js"></script><script src="network.js"></script>"""
#: every layer of the network, one after the other, as float32 in base64; the last one is what `run` returns
EVERY_LAYER = """(async () => {{
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const engine = await unetEngine(unetNetwork, {fast} ? bytes(unetKernel) : null);
    const found = engine.run(new Float32Array(bytes("{image}").buffer), {height}, {width});
    const maps = [...unetNetwork.layers.slice(0, -1).map(({{ name }}) => engine.layer(name)), found];
    const text = [];
    for (const map of maps) {{
        const part = new Uint8Array(map.buffer, map.byteOffset, map.byteLength);
        for (let i = 0; i < part.length; i += 30000) text.push(String.fromCharCode(...part.subarray(i, i + 30000)));
    }}
    return engine.kernel + " " + btoa(text.join(""));
}})()"""


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
def browser():
    program = check_book.find_chromium()
    if program is None:
        pytest.skip("no Chromium: set CHROMIUM or put one into PATH")
    with check_book.Browser(program) as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a page, the engine and its kernel; a network is to come."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copy(ENGINE, folder)
    make_live.write_kernel(folder / "kernel.js")
    (folder / "page.html").write_text(PAGE, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def server(folder):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = lambda *words: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/page.html"
        server.shutdown()


def maps_of_keras(model, names, image):
    maps = keras.Model(model.input, [model.get_layer(name).output for name in names])(image[None])
    return [np.asarray(each)[0] for each in maps]


def maps_of_browser(browser, image, like, fast=True):
    """The same maps, and which of the engine's two kernels has computed them."""
    height, width, _ = image.shape
    sent = make_live.as_base64(image.astype("<f4").tobytes())
    script = EVERY_LAYER.format(fast=json.dumps(fast), image=sent, height=height, width=width)
    kernel, text = browser.value(script).split()
    numbers = np.frombuffer(base64.b64decode(text), "<f4")
    ends = np.cumsum([each.size for each in like])
    assert numbers.size == ends[-1]
    parts = np.split(numbers, ends[:-1])
    return kernel, [part.reshape(each.shape) for part, each in zip(parts, like, strict=True)]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_that_of_keras(name, browser, folder):
    model = NETWORKS[name]()
    write_browser_network(model, folder / "network.js", "float32")
    names = [layer["name"] for layer in browser_network(model, "float32")["layers"]]
    image = np.random.default_rng(1).random((32, 80, model.input_shape[-1]), np.float32)
    truth = maps_of_keras(model, names, image)
    assert len(names) > 10
    browser.open(folder / "page.html")
    for fast, kernel in ((True, "WebAssembly"), (False, "JavaScript")):
        used, found = maps_of_browser(browser, image, truth, fast)
        assert used == kernel
        maps = zip(names, found, truth, strict=True)
        differences = {name: float(np.abs(a - b).max() / max(1, b.max())) for name, a, b in maps}
        assert max(differences.values()) < 1e-4, differences


def test_a_server_and_the_disk_give_the_same_and_16_bits_change_no_probability_by_a_hundredth(browser, folder, server):
    model = load_checkpoint()
    write_browser_network(model, folder / "network.js")
    image = np.random.default_rng(2).random((128, 128, 1), np.float32)
    names = [layer["name"] for layer in browser_network(model)["layers"]]
    truth = maps_of_keras(model, names, image)
    found = []
    for place in (folder / "page.html", server):
        browser.open(place)
        kernel, maps = maps_of_browser(browser, image, truth)
        assert kernel == "WebAssembly"
        found.append(maps[-1])
    np.testing.assert_array_equal(*found)
    assert np.abs(found[0] - truth[-1]).max() < 0.01


def test_a_picture_that_cannot_be_halved_is_refused(browser, folder):
    write_browser_network(load_checkpoint(), folder / "network.js")
    browser.open(folder / "page.html")
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
