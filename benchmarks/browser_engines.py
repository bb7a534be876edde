"""A network of the package in a browser: how large, how fast, and how far from Keras.

``python benchmarks/browser_engines.py`` opens a page from the disk in Chromium without a window, and lets both kernels
of ``book/_static/live`` compute on one thread: WebAssembly with SIMD, and plain JavaScript. The masks of all validation
patients are compared with those of Keras, pixel by pixel, and one slice layer by layer. Another program on the machine
makes a picture slower, so the fastest says most. Writes ``book/results/browser_engines.json``.

``python benchmarks/browser_engines.py clicks`` does the same for the network that takes clicks, with one click into the
lungs of each slice, and measures a click in the live piece of notebook 17, up to the new picture. Writes
``book/results/browser_clicks.json``.
"""

import argparse
import base64
import gzip
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import check_book  # noqa: E402
import make_live  # noqa: E402

ENGINE = ROOT / "book" / "_static" / "live" / "engine.js"
PAGE = """<!doctype html><meta charset="utf-8"><title>layers</title>
<script src="engine.js"></script><script src="kernel.js"></script><script src="network.js"></script>
<script>
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const floats = (text) => new Float32Array(bytes(text).buffer);
  function asText(numbers) {
    const all = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength), text = [];
    for (let i = 0; i < all.length; i += 30000) text.push(String.fromCharCode(...all.subarray(i, i + 30000)));
    return btoa(text.join(""));
  }
  const start = async (fast) => { self.engine = await unetEngine(unetNetwork, fast ? bytes(unetKernel) : null); };
  const names = () => unetNetwork.layers.map(({ name }) => name);
  function everyLayer(image, height, width, off, seed) { // the last one as probabilities
    const last = engine.run(floats(image), height, width, off, seed);
    return [...names().slice(0, -1).map(engine.layer), last].map(asText).join(" ");
  }
  function labels(image, height, width) {
    const found = engine.run(floats(image), height, width), classes = found.length / height / width;
    const best = (_, i) => {
      if (classes === 1) return Number(found[i] >= 0.5);
      const own = found.subarray(i * classes, (i + 1) * classes);
      return own.indexOf(Math.max(...own));
    };
    return asText(Uint8Array.from({ length: height * width }, best));
  }
  function milliseconds(side, runs) {
    const image = new Float32Array(side * side * unetNetwork.channels).fill(0.3), taken = [];
    for (let i = 0; i < runs + 1; i++) {
      const began = performance.now();
      engine.run(image, side, side);
      if (i) taken.push(performance.now() - began);
    }
    return taken;
  }
</script>"""
SIDES = (128, 256)
#: kernel: whether WebAssembly is tried, and pictures of each size that are timed
KERNELS = {"WebAssembly": (True, 100), "JavaScript": (False, 10)}


#: in the page of the live piece: clicks one by one on an empty list, and the time to the picture of each
CLICKS = """(async (runs) => {
  const place = document.querySelector(".live"), canvas = place.querySelector("canvas"), taken = [];
  const box = canvas.getBoundingClientRect(), clear = place.querySelector("[value=clear]");
  const drawn = (act) => new Promise((resolve) => {
    const watch = new MutationObserver(() => { watch.disconnect(); resolve(performance.now() - began); });
    watch.observe(place, { attributeFilter: ["data-pictures"] });
    const began = performance.now();
    act();
  });
  for (let i = 0; i < runs + 1; i++) {
    const at = { clientX: box.x + box.width / 4 + i, clientY: box.y + box.height / 2 };
    const milliseconds = await drawn(() => ["pointerdown", "pointerup"].forEach((name) =>
      canvas.dispatchEvent(new PointerEvent(name, at))));
    if (i) taken.push(milliseconds);
    await drawn(() => clear.click());
  }
  return taken;
})(50)"""
LIVE_PAGE = """<!doctype html><meta charset="utf-8"><title>live</title><div class="live" data-piece="clicks"></div>
<script src="live/live.js"></script>"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", nargs="?", choices=("shipped", "clicks"), default="shipped")
    clicks = parser.parse_args().network == "clicks"
    from record import write_results

    program = check_book.find_chromium()
    if program is None:
        raise SystemExit("no Chromium: set CHROMIUM or put one into PATH")
    model, images, masks = clicked_slices() if clicks else slices()
    results = {"parameters": model.count_params(), "slices": len(masks), "pixels": int(masks.size)}
    with tempfile.TemporaryDirectory() as folder, check_book.Browser(program) as browser:
        for precision in ("float32", "int16"):
            page = write_page(Path(folder), model, precision)
            browser.open(page)
            start(browser, fast=True)
            part = {
                "gzip_kilobytes": round(sum(map(gzipped, page.parent.glob("*.js"))) / 1000, 1),
                "largest_difference_of_a_layer": largest_difference(browser, model, images[len(masks) // 2]),
                "pixels_that_differ": sum(
                    int((labels(browser, image) != mask).sum()) for image, mask in zip(images, masks, strict=True)
                ),
            }
            results[f"weights as {precision}"] = part
            print(precision, part, flush=True)
        for kernel, (fast, runs) in KERNELS.items():
            assert start(browser, fast) == kernel
            for side in SIDES:
                results[f"{kernel} at {side}"] = part = summary(browser.value(f"milliseconds({side}, {runs})"))
                print(kernel, side, part, flush=True)
        if clicks:
            results |= live_clicks(Path(folder), browser)
    name, what = ("browser_clicks", "network that takes clicks") if clicks else ("browser_engines", "shipped network")
    write_results(name, f"The {what} in a browser, on one thread, opened from the disk", results)


def summary(milliseconds):
    return {"fastest_ms": round(min(milliseconds), 1), "median_ms": round(statistics.median(milliseconds), 1)}


def slices():
    """The shipped network, all validation slices and the masks that Keras gives for them."""
    from unet_helpers import load_checkpoint, load_dataset, predict_masks

    model, images = load_checkpoint(), load_dataset("phantom").validation.images
    return model, images, predict_masks(model, images)


def clicked_slices():
    """The network that takes clicks, the validation slices with lung, each with one click into it, and their masks."""
    from unet_helpers import load_dataset
    from unet_helpers.teaching.clicks import THRESHOLD, load_click_network, next_click, with_clicks

    model, subset = load_click_network(), load_dataset("phantom").validation
    pairs = [(image, mask == 1) for image, mask in zip(subset.images[..., 0], subset.masks, strict=True)]
    asked = np.stack([with_clicks(image, [next_click(lung, 0 * lung)[:2]]) for image, lung in pairs if lung.any()])
    return model, asked, model.predict(asked, batch_size=16, verbose=0)[..., 0] >= THRESHOLD


def live_clicks(folder, browser):
    """A click in the live piece up to its picture, and the bytes that its page loads."""
    shutil.copytree(ENGINE.parent, folder / "live")
    make_live.make_clicks(folder / "live")
    (folder / "live.html").write_text(LIVE_PAGE, encoding="utf-8")
    browser.open(folder / "live.html")
    assert browser.wait_for("document.querySelector('.live').dataset.resting === 'yes'")
    loaded = browser.value("[...document.querySelectorAll('script')].map((one) => one.src.split('/').pop())")
    files = [folder / "live" / name for name in (*loaded, "live.css")]
    return {
        "a click": summary(browser.value(CLICKS)),
        "all files of the page": {
            "kilobytes": round(sum(file.stat().st_size for file in files) / 1000, 1),
            "gzip_kilobytes": round(sum(map(gzipped, files)) / 1000, 1),
        },
        "its network": {
            "kilobytes": round((folder / "live" / "clicks_network.js").stat().st_size / 1000, 1),
            "gzip_kilobytes": round(gzipped(folder / "live" / "clicks_network.js") / 1000, 1),
        },
    }


def write_page(folder, model, precision):
    """Write a page with the engine, its kernel and a network; it loads nothing else."""
    from unet_helpers.teaching.browser import write_browser_network

    shutil.copy(ENGINE, folder)
    make_live.write_kernel(folder / "kernel.js")
    write_browser_network(model, folder / "network.js", precision)
    (folder / "page.html").write_text(PAGE, encoding="utf-8")
    return folder / "page.html"


def start(browser, fast):
    """Start the engine in the page that is open; which of its kernels it has taken."""
    return browser.value(f"start({json.dumps(fast)}).then(() => engine.kernel)")


def layers_of_browser(browser, image, off=(), seed=None):
    """Every layer of the network as the engine computes it, skip connections switched off, or dropout on with a seed.

    ``{name: flat array}``
    """
    names = browser.value("names()")
    texts = browser.value(f"everyLayer({_arguments(image)}, {json.dumps(off)}, {json.dumps(seed)})").split()
    return {name: np.frombuffer(base64.b64decode(text), "<f4") for name, text in zip(names, texts, strict=True)}


def probabilities(browser, image):
    """What the network gives at its end, without the layers before, ``(H, W, classes)``."""
    text = browser.value(f"everyLayer({_arguments(image)}).split(' ').pop()")
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(*image.shape[:2], -1)


def layers_of_keras(model, names, image):
    """The same layers as Keras computes them."""
    import keras

    maps = keras.Model(model.input, [model.get_layer(name).output for name in names])(image[None])
    return {name: np.asarray(each)[0].ravel() for name, each in zip(names, maps, strict=True)}


def largest_difference(browser, model, image):
    found = layers_of_browser(browser, image)
    truth = layers_of_keras(model, list(found), image)
    return max(float(np.abs(found[name] - truth[name]).max()) for name in found)


def labels(browser, image):
    """The mask that the engine gives."""
    text = browser.value(f"labels({_arguments(image)})")
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(image.shape[:2])


def _arguments(image):
    height, width, _ = image.shape
    return f'"{make_live.as_base64(image.astype("<f4").tobytes())}", {height}, {width}'


def gzipped(path):
    return len(gzip.compress(path.read_bytes(), mtime=0))


if __name__ == "__main__":
    main()
