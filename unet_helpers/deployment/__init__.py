"""A trained network where it is used: in another program, on DICOM series, in an archive.

``networks``  a Keras network as an ONNX file that says what it is
``parity``    the gate: does the network give elsewhere what it gave where it was trained?
``intake``    which series are refused, and why
``pipeline``  from a series to its mask
``findings``  from a mask to ml and mm
``results``   the mask and what it shows as DICOM segmentation and structured report
``batch``     all series of a folder: ``python -m unet_helpers predict NETWORK.onnx FOLDER OUT``
``examples``  a phantom's patient as a scanner sends it
"""

from .batch import segment_folders
from .examples import write_phantom_series
from .findings import Finding, measure_findings
from .intake import REFUSALS, Refusal, check_series
from .networks import About, OnnxNetwork, about_checkpoint, export_onnx, weights_sha256, write_about
from .parity import Parity, compare_networks
from .pipeline import prepare_series, segment_series
from .results import read_report, result_uid, write_report, write_segmentation

__all__ = [
    "REFUSALS",
    "About",
    "Finding",
    "OnnxNetwork",
    "Parity",
    "Refusal",
    "about_checkpoint",
    "check_series",
    "compare_networks",
    "export_onnx",
    "measure_findings",
    "prepare_series",
    "read_report",
    "result_uid",
    "segment_folders",
    "segment_series",
    "weights_sha256",
    "write_about",
    "write_phantom_series",
    "write_report",
    "write_segmentation",
]
