"""A trained network where it is used: in another program, on DICOM series, in an archive.

``networks``  a Keras network as an ONNX file that says what it is
``parity``    the gate: does the network give elsewhere what it gave where it was trained?
``intake``    which series are refused, and why
``pipeline``  from a series to its mask
``findings``  from a mask to ml and mm
``results``   the mask and what it shows as DICOM segmentation and structured report
``examples``  a phantom's patient as a scanner sends it

``spool``          a folder as a queue of series, by atomic renames
``record``         one line for each decision
``worker``         from the spool to decisions, through ``kill -9``; decisions played back
``receiver``       DICOM's C-STORE, in and out
``archive``        an archive to try things with: Orthanc, or a small one
``model_pointer``  which network works, and the way back to the former one
``monitoring``     does what comes in still look like the training? an alarm with its false-alarm rate
"""

from .archive import open_archive
from .examples import write_phantom_series
from .findings import Finding, measure_findings
from .intake import REFUSALS, Refusal, check_series
from .model_pointer import add_model, current_model, roll_back
from .monitoring import Judgement, Watch, input_statistics
from .networks import About, OnnxNetwork, about_checkpoint, export_onnx, weights_sha256, write_about
from .parity import Parity, compare_networks
from .pipeline import prepare_series, segment_series
from .receiver import receive, send_files
from .results import read_report, result_uid, write_report, write_segmentation
from .spool import QueueFull, Spool
from .worker import Worker, replay

__all__ = [
    "REFUSALS",
    "About",
    "Finding",
    "Judgement",
    "OnnxNetwork",
    "Parity",
    "QueueFull",
    "Refusal",
    "Spool",
    "Watch",
    "Worker",
    "about_checkpoint",
    "add_model",
    "check_series",
    "compare_networks",
    "current_model",
    "export_onnx",
    "input_statistics",
    "measure_findings",
    "open_archive",
    "prepare_series",
    "read_report",
    "receive",
    "replay",
    "result_uid",
    "roll_back",
    "segment_series",
    "send_files",
    "weights_sha256",
    "write_about",
    "write_phantom_series",
    "write_report",
    "write_segmentation",
]
