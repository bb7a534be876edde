"""A trained network where it is used: in another program, on DICOM series, in an archive.

``networks``  a Keras network as an ONNX file that says what it is
``parity``    the gate: does the network give elsewhere what it gave where it was trained?

``spool``          a folder as a queue of series, by atomic renames
``record``         one line for each decision
``worker``         from the spool to decisions, through ``kill -9``; decisions played back
``receiver``       DICOM's C-STORE, in and out
``archive``        an archive to try things with: Orthanc, or a small one
``model_pointer``  which network works, and the way back to the former one
``monitoring``     does what comes in still look like the training? an alarm with its false-alarm rate
"""

from .archive import open_archive
from .model_pointer import add_model, current_model, roll_back
from .monitoring import Judgement, Watch, input_statistics
from .networks import About, OnnxNetwork, about_checkpoint, export_onnx, weights_sha256, write_about
from .parity import Parity, compare_networks
from .receiver import receive, send_files
from .spool import QueueFull, Spool
from .worker import Worker, replay

__all__ = [
    "About",
    "Judgement",
    "OnnxNetwork",
    "Parity",
    "QueueFull",
    "Spool",
    "Watch",
    "Worker",
    "about_checkpoint",
    "add_model",
    "compare_networks",
    "current_model",
    "export_onnx",
    "input_statistics",
    "open_archive",
    "receive",
    "replay",
    "roll_back",
    "send_files",
    "weights_sha256",
    "write_about",
]
