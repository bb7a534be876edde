"""Values between the process that runs a student's code and the one that judges them, as text and never as code.

``pickle`` would run what a hostile sender likes. Here a value is one of a few known kinds, or only its description.
"""

import base64
import importlib
import json
import re
from collections.abc import Iterator, Mapping, Set
from fractions import Fraction
from itertools import islice
from numbers import Rational
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

MOST_ITEMS = 1_000_000  # that are taken out of a generator
# what a network may be made of; nothing that names or holds a program, as Lambda does
LAYERS = (
    "Functional Sequential InputLayer Activation Add Average AveragePooling2D AveragePooling3D BatchNormalization "
    "Concatenate Conv2D Conv2DTranspose Conv3D Conv3DTranspose Cropping2D Dense DepthwiseConv2D Dropout Flatten "
    "GlobalAveragePooling2D GroupNormalization Identity LayerNormalization LeakyReLU MaxPooling2D MaxPooling3D Maximum "
    "Multiply Permute ReLU Reshape SeparableConv2D Softmax SpatialDropout2D Subtract UpSampling2D UpSampling3D "
    "ZeroPadding2D"
)
OPERATIONS = "Add Concatenate GetItem Max Mean Multiply Pad Relu Sigmoid Softmax Subtract"
PARTS = {"DTypePolicy", "__keras_tensor__", "__slice__"}
INITIALIZERS = (
    "Constant GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform Ones RandomNormal RandomUniform "
    "TruncatedNormal VarianceScaling Zeros"
)


CHECKS = "unet_helpers.teaching.checks."


class Odd:
    """Stands for a value of a kind that is not handed over: no check takes it for an answer."""

    def __init__(self, description):
        self.description = description

    def __repr__(self):
        return self.description


def pack(value, functions=None):
    """Text for a value; functions in it are appended to the list ``functions``, and go by their number."""
    return json.dumps(_encode(value, [] if functions is None else functions))


def unpack(text, call=None, checks=False):
    """The value of a text; ``call`` makes what stands for a function of its number. ValueError if it is none.

    With ``checks`` a function of a check that was handed over, such as a gradient to be summed up, is that function;
    only the process that runs the student's code asks for it.
    """

    def find(name):
        if isinstance(name, list):
            return _of_check(*name) if checks else Odd("a function of a check")
        return call(name) if call else Odd("a function")

    try:
        return _decode(json.loads(text), find)
    except Exception as error:  # whatever a hostile text runs into
        raise ValueError(f"no value: {error}") from None


def _encode(value, functions):
    def of(values):
        return [_encode(one, functions) for one in values]

    if value is None or type(value) in (bool, int, float, str):
        return value
    if value is ...:
        return {"open": True}
    if isinstance(value, (np.ndarray, np.generic)):
        return _encode_array(value, of)
    if isinstance(value, (pd.Series, pd.DataFrame)):
        columns = of(value.columns) if isinstance(value, pd.DataFrame) else None
        return {"table": _encode(value.to_numpy(), functions), "index": of(value.index), "columns": columns}
    if isinstance(value, (tuple, list)):
        return of(value) if isinstance(value, list) else {"tuple": of(value)}
    if isinstance(value, Set):
        return {"frozenset" if isinstance(value, frozenset) else "set": of(value)}
    if isinstance(value, Mapping):
        return {"dict": [of(pair) for pair in value.items()]}
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if isinstance(value, Iterator):
        return {"iterator": of(islice(value, MOST_ITEMS))}
    if isinstance(value, PurePath):
        return {"path": str(value)}
    if isinstance(value, (bool, int, float, str)):
        return _encode(next(kind for kind in (int, float, str) if isinstance(value, kind))(value), functions)
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, Rational):
        return {"fraction": [value.numerator, value.denominator]}
    if isinstance(value, np.random.Generator):
        return {"random": value.bit_generator.state}
    if isinstance(value, re.Pattern):
        return {"pattern": [value.pattern, value.flags]}
    kind = type(value)
    if kind.__module__ == "unet_helpers.training.callbacks" and kind.__name__ == "History":
        return _encode(value.curves, functions)
    if any(base.__module__.startswith("keras.") and base.__name__ == "Model" for base in kind.__mro__):
        return _encode_network(value, of)
    if hasattr(kind, "__array__"):
        return _encode(np.asarray(value), functions)
    if callable(value) and getattr(value, "__module__", "").startswith(CHECKS) and value.__qualname__.isidentifier():
        return {"check": [value.__module__, value.__qualname__]}
    if callable(value):
        functions.append(value)
        return {"function": len(functions) - 1}
    return {"odd": repr(value)[:200]}


def _encode_array(value, of):
    array = np.asarray(value)
    if array.dtype.kind == "O":
        return {"objects": of(array.ravel().tolist()), "shape": array.shape}
    if array.dtype.kind not in "biufcUSmM":
        return {"odd": repr(value)[:200]}
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
    number = isinstance(value, np.generic)
    return {"array": data, "dtype": array.dtype.str, "shape": array.shape, "number": number}


def _encode_network(network, of):
    trainable = [layer.trainable for layer in network.layers]
    return {"network": network.to_json(), "weights": of(network.get_weights()), "trainable": trainable}


def _decode(value, call):
    def of(values):
        return [_decode(one, call) for one in values]

    if isinstance(value, list):
        return of(value)
    if not isinstance(value, dict):
        return value
    kind = next(iter(value))
    content = value[kind]
    simple = {"tuple": tuple, "set": set, "frozenset": frozenset, "dict": dict, "iterator": iter}
    if kind in simple:
        return simple[kind](of(content))
    if kind == "open":
        return ...
    if kind == "array":
        raw, dtype = base64.b64decode(content), np.dtype(value["dtype"])
        if dtype.kind not in "biufcUSmM":
            raise ValueError("no value: an array of another kind")
        array = np.frombuffer(raw, dtype).reshape(value["shape"]).copy()
        return array[()] if value["number"] else array
    if kind == "objects":
        array = np.empty(len(content), object)
        array[:] = of(content)
        return array.reshape(value["shape"])
    if kind == "table":
        table, index = _decode(content, call), of(value["index"])
        if value["columns"] is None:
            return pd.Series(table, index=index)
        return pd.DataFrame(table, index=index, columns=of(value["columns"]))
    if kind == "range":
        return range(*content)
    if kind == "path":
        return Path(content)
    if kind == "complex":
        return complex(*content)
    if kind == "fraction":
        return Fraction(*content)
    if kind == "pattern":
        return re.compile(*content)
    if kind == "random":
        generator = np.random.default_rng()
        generator.bit_generator.state = content
        return generator
    if kind == "network":
        return _decode_network(value, of)
    if kind == "function":
        return call(int(content))
    if kind == "check":
        return call([str(one) for one in content])
    if kind == "odd":
        return Odd(str(content))
    raise ValueError(f"no value: {kind!r}")


def _of_check(module, name):
    """A function that a check handed over."""
    function = getattr(importlib.import_module(module), name) if module.startswith(CHECKS) else None
    if not callable(function) or function.__module__ != module:
        raise ValueError(f"no function of a check: {module}.{name}")
    return function


def _decode_network(value, of):
    import keras

    config = json.loads(value["network"])
    _check_config(config)
    # the name is looked up among the kinds of Keras alone
    network = keras.models.model_from_json(json.dumps(config))
    network.set_weights(of(value["weights"]))
    for layer, trainable in zip(network.layers, value["trainable"], strict=True):
        layer.trainable = bool(trainable)
    # Keras numbers the names of new layers in each process, and a network takes no name twice
    last = min(1000, max((_number_of(layer) for layer in network.layers), default=0))
    for kind in {type(layer).__name__ for layer in network.layers}:
        same_name = type(kind, (keras.layers.Layer,), {})
        while _number_of(same_name()) <= last:
            pass
    return network


def _number_of(layer):
    """The number at the end of a layer's name; 0 without one."""
    return int((re.findall(r"_(\d+)$", layer.name) or [0])[0])


def _check_config(config):
    """ValueError where a network's description names anything but plain layers of Keras."""
    if isinstance(config, dict):
        if "class_name" in config:
            name, module = config["class_name"], config.get("module")
            layers, operations = LAYERS.split(), OPERATIONS.split()
            known = {
                "keras": [*PARTS, *layers],
                "keras.layers": layers,
                "keras.models": layers,
                "keras.src.models.functional": layers,
                "keras.src.ops.numpy": operations,
                "keras.src.ops.nn": operations,
                "keras.initializers": INITIALIZERS.split(),
                None: PARTS,
            }
            if module not in known or name not in known[module] or config.get("registered_name") not in (None, name):
                raise ValueError(f"no network of plain Keras layers: it holds {module}.{name}")
        for one in config.values():
            _check_config(one)
    elif isinstance(config, list):
        for one in config:
            _check_config(one)


def renew(before, after):
    """Do to ``before``, which stayed here, what a function did to its copy, which came back as ``after``."""
    if isinstance(before, (pd.Series, pd.DataFrame)):
        if not before.equals(after):
            before.drop(before.index, inplace=True)
    elif isinstance(before, np.ndarray):
        if isinstance(after, np.ndarray) and after.shape == before.shape:
            before[...] = after
    elif isinstance(before, list):
        before[:] = after
    elif isinstance(before, dict):
        before.clear()
        before.update(after)
    elif isinstance(before, tuple):
        for one, other in zip(before, after, strict=False):
            renew(one, other)
    elif isinstance(before, np.random.Generator):
        before.bit_generator.state = after.bit_generator.state
    elif hasattr(before, "get_weights"):
        before.set_weights(after.get_weights())
        for layer, other in zip(before.layers, after.layers, strict=True):
            layer.trainable = other.trainable
            if hasattr(layer, "activation"):
                layer.activation = other.activation
