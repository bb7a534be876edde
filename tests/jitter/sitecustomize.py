"""The processor that nobody here owns: weights moved by a hair, as another processor's arithmetic would move results.

Python runs a module of this name at its start when its folder is on ``PYTHONPATH``; ``make portable`` puts it
there, so that only tests, and the kernels and workers that tests start, obey it. ``UNET_JITTER=1e-5:2`` multiplies
the weights of the shipped networks, and the random first weights of every network, by 1 + 1e-5 · noise of
seed 2. The same weights get the same noise, so that what is repeatable stays repeatable. ``UNET_JITTER_MOVED`` names
a file that gets the name of each unit test in which weights are moved.
"""

import functools
import importlib.abc
import importlib.machinery
import os
import sys
import zlib

import numpy as np

SCALE, _, SEED = os.environ.get("UNET_JITTER", "").partition(":")
MOVED = os.environ.get("UNET_JITTER_MOVED")


def jittered(values):
    """The values times 1 + noise, in their own dtype; the noise depends on the values and the seed alone."""
    if MOVED:
        # pytest says there which test runs, and the processes that the test starts inherit it
        test = os.environ.get("PYTEST_CURRENT_TEST", "").split("[")[0].split()
        with open(MOVED, "a", encoding="utf-8") as file:
            file.writelines(f"{name}\n" for name in test[:1])
    exact = np.asarray(values)
    noise = np.random.default_rng([int(SEED or 0), zlib.crc32(exact.tobytes())]).standard_normal(exact.shape)
    return (exact * (1 + float(SCALE) * noise)).astype(exact.dtype)


def jitter_initializers(module):
    """Wrap every initializer that draws random numbers, where Keras defines them."""
    for drawn in vars(module).values():
        if isinstance(drawn, type) and issubclass(drawn, module.RandomInitializer) and "__call__" in vars(drawn):
            drawn.__call__ = _with_jitter(drawn.__call__)


def _with_jitter(draw):
    def call(self, *arguments, **options):
        import keras

        values = draw(self, *arguments, **options)
        try:
            return keras.ops.convert_to_tensor(jittered(values))
        except Exception:  # the backend only traces shapes: there are no values yet
            return values

    return call


def jitter_loader(name, module):
    """Wrap the function of this name that loads a shipped network: the model that it gives has jittered weights."""
    load = getattr(module, name)

    @functools.wraps(load)
    def load_jittered(*arguments, **options):
        model = load(*arguments, **options)
        for weight in model.trainable_weights:
            weight.assign(jittered(weight))
        return model

    setattr(module, name, load_jittered)


AFTER_IMPORT = {
    "keras.src.initializers.random_initializers": jitter_initializers,
    "unet_helpers.training.checkpoint": functools.partial(jitter_loader, "load_checkpoint"),
    "unet_helpers.teaching.clicks": functools.partial(jitter_loader, "load_click_network"),
}


class _Finder(importlib.abc.MetaPathFinder):
    """Find these modules as everybody does, and change them once they have run."""

    def find_spec(self, name, path, target=None):
        if name not in AFTER_IMPORT:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            AFTER_IMPORT[name](module)

        spec.loader.exec_module = exec_module
        return spec


if SCALE:
    sys.meta_path.insert(0, _Finder())
