"""A trained network where it is used: in another program, on DICOM series, in an archive.

``networks``  a Keras network as an ONNX file that says what it is
``parity``    the gate: does the network give elsewhere what it gave where it was trained?
"""

from .networks import About, OnnxNetwork, about_checkpoint, export_onnx, weights_sha256, write_about
from .parity import Parity, compare_networks

__all__ = [
    "About",
    "OnnxNetwork",
    "Parity",
    "about_checkpoint",
    "compare_networks",
    "export_onnx",
    "weights_sha256",
    "write_about",
]
