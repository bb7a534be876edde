"""``python -m unet_helpers serve SPOOL``: receive, check, segment, report and send back, until it is stopped."""

import argparse
import contextlib
import hashlib
import signal

from ..files.paths import DataError, user_path
from ..files.scans import read_series
from .findings import measure_findings
from .intake import check_series
from .model_pointer import POINTER, current_model
from .monitoring import input_statistics
from .networks import OnnxNetwork
from .pipeline import segment_series
from .receiver import receive, send_files
from .results import write_report, write_segmentation
from .spool import Spool
from .worker import Worker


class Segmenter:
    """What the worker does with a series: refuse it, or write its segmentation and its report.

    Parameters
    ----------
    model : str or Path
        An ONNX file, or a folder with a ``models.json``, which is looked into before each series: a network that is
        rolled back works from the next series on.
    threads : int
        On which the network computes, as of :class:`unet_helpers.deployment.OnnxNetwork`.
    """

    def __init__(self, model, threads=1):
        self.model, self.threads, self.network = user_path(model), threads, None
        self._load()

    def _load(self):
        path = current_model(self.model) if self.model.is_dir() else self.model
        if self.network is None or self.network.path != path:
            self.network = OnnxNetwork(path, self.threads)
        return self.network

    def __call__(self, folder, out):
        network = self._load()
        about = network.about
        decision = {"model": about.name, "version": about.version, "weights": about.sha256}
        if refusal := check_series(folder, about):
            return decision | {"state": "refused", "kind": refusal.kind, "reason": refusal.reason}
        mask = segment_series(network, folder)
        segmentation = write_segmentation(mask, folder, out / "seg.dcm", about)
        write_report(mask, folder, out / "report.dcm", about, segmentation=segmentation)
        volume = read_series(folder)
        found = {name: 0.0 for name in about.class_names[1:]}
        for finding in measure_findings(mask, volume.spacing, about.class_names):
            found[about.class_names[finding.class_index]] += finding.volume_ml
        return decision | {
            "state": "done",
            "mask_sha256": hashlib.sha256(mask.tobytes()).hexdigest(),
            "volumes_ml": {name: round(ml, 2) for name, ml in found.items()},
            "statistics": input_statistics(volume.array, volume.spacing),
        }


def main(arguments):
    """The command."""
    options = _parser().parse_args(arguments)
    model = user_path(options.model)
    if not model.exists():
        raise FileNotFoundError(f"no file or folder '{model}'; write a network with export_onnx first")
    if model.is_dir() and not (model / POINTER).exists():
        raise DataError(f"'{model}' has no {POINTER}; put a network into the folder with add_model")
    send = _sender(options.archive) if options.archive else None
    spool = Spool(options.spool, options.quiet, options.most)
    process = Segmenter(model, options.threads)
    stopped = []
    with contextlib.suppress(ValueError):  # not the main thread: whoever runs us stops us
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.append(True))
    with contextlib.ExitStack() as stack:
        worker = Worker(spool, process, send)
        stack.callback(worker.close)
        where = ""
        if options.port is not None:
            server = stack.enter_context(receive(spool, options.port, options.title))
            where = f", DICOM as {options.title} on port {server.port}"
        print(f"serving '{spool.folder}' with '{process.network.path.name}'{where}; Ctrl+C ends it", flush=True)
        worker.run(lambda: stopped, tell=_tell)


def _tell(decision):
    what = decision.get("kind") or decision.get("reason") or f"{decision['files']} slices"
    print(f"{decision['time']} {decision['state']} {decision['job']} {what} {decision.get('seconds', 0)} s", flush=True)


def _sender(address):
    host, _, rest = address.partition(":")
    port, _, title = rest.partition(":")
    if not (host and port.isdecimal()):
        raise DataError(f"the archive is '{address}'; write it as HOST:PORT:TITLE, such as 127.0.0.1:4242:ORTHANC")

    def send(paths):
        send_files(paths, int(port), title or "ARCHIVE", host)

    return send


def _parser():
    parser = argparse.ArgumentParser(prog="python -m unet_helpers serve", description=__doc__)
    parser.add_argument("spool", help="folder of the queue; made where it is missing")
    parser.add_argument("--model", required=True, help="an ONNX file of export_onnx, or a folder with models.json")
    parser.add_argument("--port", type=int, help="receive DICOM on this port of this machine; 0 takes a free one")
    parser.add_argument("--title", default="WORKER", help="the AE title that senders call")
    parser.add_argument("--archive", help="HOST:PORT:TITLE to which results are sent")
    parser.add_argument("--quiet", type=float, default=5.0, help="seconds after which a series counts as whole")
    parser.add_argument("--most", type=int, default=50, help="series that may wait")
    parser.add_argument("--threads", type=int, default=1, help="of the network")
    return parser
