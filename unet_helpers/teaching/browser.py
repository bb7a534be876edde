"""Write a network for the engine that runs in a browser: ``python -m unet_helpers export-browser FILE.keras OUT.js``.

The engine is in ``book/_static/live`` of the repository, and runs on the start page of the book. It has no batch
normalization, which is folded into the convolution before it. Dropout does nothing there, as always outside of
training, unless a page asks for samples.
"""

import argparse
import base64
import json
from collections import Counter

import keras
import numpy as np
from keras import layers

from ..files.paths import DataError, atomic_path, user_path

KNOWN = (
    "3×3 and 1×1 convolutions that keep the size, each with batch normalization and ReLU or without, "
    "2×2 max pooling, 2×2 transposed convolutions, concatenation and dropout, with sigmoid or softmax at the end"
)

#: of the kernels in the file: how a number is stored, and the largest one; None stores numbers as they are
PRECISIONS = {"int16": ("<i2", 32767), "float32": ("<f4", None)}


def browser_network(model, precision="int16"):
    """Layers and weights of a network as the engine in the browser reads them.

    Parameters
    ----------
    model : keras.Model
        A :func:`unet_helpers.UNet` with ``padding="same"`` and ``upsampling="transpose"``, or another network of the
        same layers.
    precision : "int16" or "float32"
        Of the kernels in the file. With 16 bits, whole numbers of −32767 to 32767 times one factor for each filter,
        which is finer than float16. The engine computes in float32.

    Returns
    -------
    dict
        ``layers``, in the order in which they are computed, each named after the last layer of Keras that it stands
        for; one whose result only a dropout layer reads has its rate, ``dropout``; ``kernels`` in the same order,
        ``filters`` with the factor and the bias of each, both as base64; ``precision``; ``channels`` of the input,
        ``activation`` at the end, and ``multiple``, of which height and width must be multiples.

    Raises
    ------
    DataError
        If the network has a layer that the engine does not know.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise DataError("the engine in the browser takes one image and gives one map; this network has more")
    sources = {operation: _sources(operation) for operation in model.operations}
    readers = Counter(name for names in sources.values() for name in names)
    made, steps, last = {}, [], {}
    for operation, names in sources.items():
        if isinstance(operation, layers.InputLayer):
            made[operation.name] = {"name": "image", "scale": 1}
            continue
        inputs = [made[name] for name in names]
        step = None if "activation" in last else _step(operation, inputs, alone=readers[names[0]] == 1)
        if not step:
            kind = type(operation).__name__
            raise DataError(
                f"'{operation.name}' is a {kind} which the engine in the browser cannot compute there; it knows {KNOWN}"
            )
        if step is not inputs[0]:
            steps.append(step)
        made[operation.name] = last = step
    activation = last.pop("activation", None)
    if activation is None:
        raise DataError(f"the network does not end with probabilities; the engine in the browser knows {KNOWN}")
    kernels, filters = zip(*(_stored(step, precision) for step in steps if "kernel" in step), strict=True)
    multiple = max(step.pop("scale") for step in steps)
    return {
        "channels": model.input_shape[-1],
        "multiple": multiple,
        "activation": activation,
        "layers": steps,
        "precision": precision,
        "kernels": base64.b64encode(b"".join(kernels)).decode(),
        "filters": base64.b64encode(b"".join(filters)).decode(),
    }


def _stored(step, precision):
    """Take the kernel and the bias out of a step; return both as bytes."""
    kernel, bias = step.pop("kernel"), step.pop("bias")
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise DataError(f"a weight of '{step['name']}' is infinite or no number; train the network again")
    kind, largest = PRECISIONS[precision]
    factor = np.ones(kernel.shape[-1], np.float32)
    if largest:
        factor = np.maximum(np.abs(kernel).max(axis=(0, 1, 2)) / largest, np.finfo(np.float32).tiny).astype("<f4")
        kernel = np.rint(kernel / factor).clip(-largest, largest)
    return kernel.astype(kind).tobytes(), np.concatenate([factor, bias]).astype("<f4").tobytes()


def _sources(operation):
    """Names of the operations that a layer reads; a layer that is used twice has no single input."""
    if len(operation._inbound_nodes) != 1:
        raise DataError(f"'{operation.name}' is used more than once, which the engine in the browser cannot do")
    if isinstance(operation, layers.InputLayer):
        return []
    return [tensor._keras_history.operation.name for tensor in keras.tree.flatten(operation.input)]


def _step(operation, inputs, alone):
    """What the engine has to do for a layer: a new step, the step before with the layer folded in, or None.

    ``alone`` says that no other layer reads the step before it.
    """
    before = inputs[0]
    step = {"name": operation.name, "from": [step["name"] for step in inputs], "scale": before["scale"]}
    if isinstance(operation, layers.Dropout):
        if type(operation) is layers.Dropout and operation.noise_shape is None and alone and before["from"]:
            before["dropout"] = operation.rate
        return before
    if isinstance(operation, layers.BatchNormalization) and alone and "kernel" in before and not before["relu"]:
        return _fold(operation, before)
    if isinstance(operation, layers.ReLU) and alone and "kernel" in before:
        plain = operation.max_value is None and not operation.negative_slope and not operation.threshold
        before |= {"name": operation.name, "relu": True}
        return before if plain else None
    if isinstance(operation, layers.Concatenate) and operation.axis in (-1, 3):
        return step | {"kind": "join"}
    if isinstance(operation, layers.MaxPooling2D):
        plain = operation.pool_size == operation.strides == (2, 2) and operation.data_format == "channels_last"
        return step | {"kind": "pool", "scale": 2 * before["scale"]} if plain else None
    if type(operation) is layers.Conv2DTranspose:
        return _transposed(operation, step)
    if type(operation) is layers.Conv2D:
        return _convolution(operation, step)
    return None


def _convolution(layer, step):
    side = layer.kernel_size[0]
    plain = layer.kernel_size in ((1, 1), (3, 3)) and layer.strides == layer.dilation_rate == (1, 1)
    activation = layer.activation.__name__
    if not plain or (layer.padding == "valid" and side > 1) or layer.groups > 1:
        return None
    if activation not in ("linear", "relu", "sigmoid", "softmax"):
        return None
    kernel = np.asarray(layer.kernel, np.float64)
    bias = np.asarray(layer.bias, np.float64) if layer.use_bias else np.zeros(layer.filters)
    sizes = {"side": side, "channels": kernel.shape[2], "filters": kernel.shape[3]}
    last = {"activation": activation} if activation in ("sigmoid", "softmax") else {}
    return step | {"kind": "conv", **sizes, "relu": activation == "relu", "kernel": kernel, "bias": bias, **last}


def _transposed(layer, step):
    plain = layer.kernel_size == layer.strides == (2, 2) and layer.dilation_rate == (1, 1)
    if not plain or layer.activation.__name__ not in ("linear", "relu") or step["scale"] % 2:
        return None
    kernel = np.asarray(layer.kernel, np.float64).swapaxes(2, 3)  # as in a convolution: channels, then filters
    bias = np.asarray(layer.bias, np.float64) if layer.use_bias else np.zeros(layer.filters)
    sizes = {"channels": kernel.shape[2], "filters": kernel.shape[3], "relu": layer.activation.__name__ == "relu"}
    return step | {"kind": "transpose", "scale": step["scale"] // 2, **sizes, "kernel": kernel, "bias": bias}


def _fold(layer, step):
    """Batch normalization outside of training is one factor and one shift for each filter."""
    factor = 1 / np.sqrt(np.asarray(layer.moving_variance, np.float64) + layer.epsilon)
    if layer.scale:
        factor = factor * np.asarray(layer.gamma, np.float64)
    shift = np.asarray(layer.beta, np.float64) if layer.center else 0
    step["kernel"] = step["kernel"] * factor
    step["bias"] = (step["bias"] - np.asarray(layer.moving_mean, np.float64)) * factor + shift
    step["name"] = layer.name
    step.pop("dropout", None)  # between the two it cannot be at work
    return step


def write_browser_network(model, path, precision="int16"):
    """Write :func:`browser_network` into a script that a page can load from the disk: it sets ``unetNetwork``."""
    text = json.dumps(browser_network(model, precision), separators=(",", ":"))
    with atomic_path(user_path(path)) as part:
        part.write_text(f"self.unetNetwork = {text};\n", encoding="utf-8")


def main(arguments=()):
    """Command line: ``python -m unet_helpers export-browser FILE.keras OUT.js``."""
    parser = argparse.ArgumentParser("python -m unet_helpers export-browser", description=__doc__.splitlines()[0])
    parser.add_argument("network", type=user_path, help="a .keras file")
    parser.add_argument("out", type=user_path, help="the script to write, .js")
    parser.add_argument("--precision", choices=tuple(PRECISIONS), default="int16")
    options = parser.parse_args(arguments)
    if not options.network.is_file():
        raise FileNotFoundError(f"no file '{options.network}'; check the path")
    try:
        model = keras.saving.load_model(options.network, compile=False)
    except ValueError as error:
        raise DataError(f"'{options.network}' cannot be loaded as a network of Keras: {error}") from error
    write_browser_network(model, options.out, options.precision)
    print(f"{options.out.stat().st_size / 1e6:.1f} MB in {options.out}")
