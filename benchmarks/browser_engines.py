"""The shipped network in a browser: how large, how fast, and how far from Keras.

``python benchmarks/browser_engines.py`` opens a page from the disk in Chromium without a window, and lets both kernels
of ``book/_static/live`` compute on one thread: WebAssembly with SIMD, and plain JavaScript. The masks of all validation
patients are compared with those of Keras, pixel by pixel, and one slice layer by layer. Another program on the machine
makes a picture slower, so the fastest says most. Writes ``book/results/browser_engines.json``.
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
      const own = found.subarray(i * classes, (i + 1) * classes);
      return own.indexOf(Math.max(...own));
    };
    return asText(Uint8Array.from({ length: height * width }, best));
  }
  function milliseconds(side, runs) {
    const image = new Float32Array(side * side).fill(0.3), taken = [];
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


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    from record import write_results

    from unet_helpers import load_checkpoint, load_dataset, predict_masks

    program = check_book.find_chromium()
    if program is None:
        raise SystemExit("no Chromium: set CHROMIUM or put one into PATH")
    model, subset = load_checkpoint(), load_dataset("phantom").validation
    masks = predict_masks(model, subset.images)
    results = {"parameters": model.count_params(), "slices": len(masks), "pixels": int(masks.size)}
    with tempfile.TemporaryDirectory() as folder, check_book.Browser(program) as browser:
        for precision in ("float32", "int16"):
            page = write_page(Path(folder), model, precision)
            browser.open(page)
            start(browser, fast=True)
            part = {
                "gzip_kilobytes": round(sum(map(gzipped, page.parent.glob("*.js"))) / 1000, 1),
                "largest_difference_of_a_layer": largest_difference(browser, model, subset.images[len(masks) // 2]),
                "pixels_that_differ": sum(
                    int((labels(browser, image) != mask).sum())
                    for image, mask in zip(subset.images, masks, strict=True)
                ),
            }
            results[f"weights as {precision}"] = part
            print(precision, part, flush=True)
        for kernel, (fast, runs) in KERNELS.items():
            assert start(browser, fast) == kernel
            for side in SIDES:
                taken = browser.value(f"milliseconds({side}, {runs})")
                part = {"fastest_ms": round(min(taken), 1), "median_ms": round(statistics.median(taken), 1)}
                results[f"{kernel} at {side}"] = part
                print(kernel, side, part, flush=True)
    write_results("browser_engines", "The shipped network in a browser, on one thread, opened from the disk", results)


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
