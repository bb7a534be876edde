"""A Keras network as an ONNX file that says what it is, and runs without TensorFlow."""

import hashlib
import json
import warnings
from dataclasses import asdict, dataclass

import numpy as np

from ..files.paths import DataError, atomic_path, user_path

KEY = "unet_helpers"  # under which the metadata of an ONNX file hold an About


@dataclass(frozen=True)
class About:
    """What somebody who runs a network elsewhere has to know of it; it travels in the ONNX file.

    name, version : str
        As they stand in each result.
    sha256 : str
        Of the Keras weights, by :func:`weights_sha256`: the same name with other weights is another network.
    window : (level, width) in HU
    side : (height, width) to which a slice is resized
    pixel : (smallest, largest) side in mm of a pixel of a resized slice that the training has seen
        The default is that of the phantom's training patients.
    class_names : tuple of str, background first
    """

    name: str
    version: str
    sha256: str
    window: tuple = (-600.0, 1500.0)
    side: tuple = (128, 128)
    pixel: tuple = (2.5, 3.28)
    class_names: tuple = ("background", "lung", "nodule")

    def to_json(self):
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text):
        content = json.loads(text)
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in content.items()})


def weights_sha256(model):
    """The sha256 of all weights of a Keras model in their order: equal for equal weights, whatever the file."""
    found = hashlib.sha256()
    for value in model.get_weights():
        found.update(f"{value.dtype.str}{value.shape}".encode())
        found.update(np.ascontiguousarray(value).tobytes())
    return found.hexdigest()


def about_checkpoint(model):
    """The :class:`About` of the network that ships with the package."""
    from .. import __version__

    return About("phantom_unet", __version__, weights_sha256(model))


def export_onnx(model, path, about=None):
    """Write a Keras model as ONNX with its :class:`About`, whole or not at all, and return the path.

    Parameters
    ----------
    model : keras.Model
    path : str or Path
        Ending in ``.onnx``.
    about : About, optional
        Default: that of the network which ships with the package.
    """
    import keras
    import onnx

    path = user_path(path)
    if path.suffix != ".onnx":
        raise DataError(f"'{path.name}' is to hold an ONNX network; give it a name that ends in .onnx")
    with atomic_path(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # for tf2onnx, Keras uses names that NumPy has given up
        # its own shape: a model fresh from a file counts for Keras as one that was never called
        signature = [keras.InputSpec(shape=model.input_shape, dtype="float32")]
        model.export(temporary, format="onnx", verbose=False, input_signature=signature)
        written = onnx.load(temporary)
        _put(written, about or about_checkpoint(model))
        onnx.save(written, temporary)
    return path


def write_about(path, about):
    """Put an :class:`About` into an ONNX file that another program has written, such as a quantized one."""
    import onnx

    path = user_path(path)
    network = onnx.load(path)
    _put(network, about)
    with atomic_path(path) as temporary:
        onnx.save(network, temporary)
    return path


def _put(network, about):
    kept = [(entry.key, entry.value) for entry in network.metadata_props if entry.key != KEY]
    del network.metadata_props[:]
    for key, value in [*kept, (KEY, about.to_json())]:
        network.metadata_props.add(key=key, value=value)


class OnnxNetwork:
    """A network in an ONNX file, which answers as the Keras model does from which it was made.

    It stands wherever the package takes a model to predict with.

    Parameters
    ----------
    path : str or Path
    threads : int
        On which ONNX Runtime computes; it takes part in no result beyond rounding.

    Raises
    ------
    FileNotFoundError, DataError
        No such file; no ONNX; an ONNX without an :class:`About`.
    """

    def __init__(self, path, threads=1):
        import onnxruntime

        self.path, self.threads = user_path(path), threads
        if not self.path.is_file():
            raise FileNotFoundError(f"no file '{path}'; write it with export_onnx")
        if threads < 1:
            raise ValueError(f"threads is {threads}; give 1 or more")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # a class of its own for each kind of damage
            raise DataError(
                f"'{self.path.name}' is no ONNX network that runs here, or is damaged; write it again with export_onnx "
                f"({type(error).__name__})"
            ) from error
        said = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        try:
            self.about = About.from_json(said)
        except (TypeError, ValueError, AttributeError):
            raise DataError(
                f"'{self.path.name}' does not say which window and classes it takes; write it with export_onnx, or put "
                "it in with write_about"
            ) from None
        self._name = self._session.get_inputs()[0].name
        self.input_shape = tuple(n if isinstance(n, int) else None for n in self._session.get_inputs()[0].shape)

    def predict(self, images, batch_size=32, verbose=0):
        """Probabilities ``(N, H, W, K)`` float32 of images ``(N, H, W, C)``; ``verbose`` is there as Keras has it."""
        images = np.ascontiguousarray(images, np.float32)
        if not len(images):
            raise ValueError("there is no image to segment; give at least one")
        try:
            parts = [
                self._session.run(None, {self._name: images[start : start + batch_size]})[0]
                for start in range(0, len(images), batch_size)
            ]
        except Exception as error:  # a class of its own for each kind of misfit, all of them with lines of C++
            raise ValueError(
                f"images of the shape {images.shape} do not fit '{self.path.name}', which takes {self.input_shape}; "
                f"of the shipped network each side is a multiple of 16 ({type(error).__name__})"
            ) from error
        return np.concatenate(parts)
