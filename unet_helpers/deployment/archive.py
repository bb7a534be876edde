"""An archive on this machine to try things with: Orthanc where it is installed, else one of pynetdicom's.

Both keep what they are sent, and hand a CT series that has come to rest on to the worker. Orthanc is a server that
hospitals run (Debian and Ubuntu: ``apt-get install orthanc``); here it has a folder of its own, listens to this machine
only, and ends with its context.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

from ..files.paths import DataError, atomic_path, user_path
from ..files.scans import open_dicom
from .receiver import HERE, send_files, serve_storage

# told to Orthanc: a CT series to which nothing was added for a while goes to the worker
FORWARD = """
function OnStableSeries(series, tags, metadata)
  if tags['Modality'] == 'CT' then
    RestApiPost('/modalities/worker/store', '{"Resources": ["' .. series .. '"], "Asynchronous": true}')
  end
end
"""


@contextlib.contextmanager
def open_archive(folder, forward_to=None, kind=None, quiet=2):
    """Start an archive in ``folder``, yield it, and stop it.

    Parameters
    ----------
    folder : str or Path
        Where it keeps its files; what an archive of the same kind left there is found again.
    forward_to : (title, port), optional
        The worker that is to have each CT series.
    kind : "Orthanc" or "pynetdicom", optional
        None takes Orthanc where it is installed.
    quiet : float, seconds
        A series to which nothing was added for so long has come to rest; whole seconds for Orthanc.

    Yields
    ------
    archive
        With ``kind``, ``title``, ``port``; ``series()``, a list of dicts with ``series``, ``modality``, ``instances``
        and ``patient``; and ``fetch(series, folder)``, which writes the files of one and returns their paths.
    """
    folder = user_path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    program = find_orthanc()
    kind = kind or ("Orthanc" if program else "pynetdicom")
    if kind == "Orthanc" and program is None:
        raise DataError(
            "Orthanc is not installed; install it (Debian and Ubuntu: apt-get install orthanc), or choose "
            "kind='pynetdicom'"
        )
    if kind not in ("Orthanc", "pynetdicom"):
        raise ValueError(f"kind is {kind!r}; choose 'Orthanc' or 'pynetdicom'")
    started = _orthanc(program, folder, forward_to, quiet) if kind == "Orthanc" else _small(folder, forward_to, quiet)
    with started as archive:
        yield archive


def find_orthanc():
    """The path of the program, or None; Debian puts it where ordinary users do not look."""
    return shutil.which("Orthanc", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")


# --- Orthanc --------------------------------------------------------------------------------------


class Orthanc:
    """What :func:`open_archive` yields, over Orthanc's own web interface."""

    kind, title = "Orthanc", "ORTHANC"

    def __init__(self, port, web):
        self.port, self.web = port, web

    def ask(self, path):
        """The answer to a GET, as bytes."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by a proxy: it is here
        with direct.open(f"http://{HERE}:{self.web}{path}", timeout=30) as answer:
            return answer.read()

    def series(self):
        found = []
        for one in json.loads(self.ask("/series?expand")):
            patient = json.loads(self.ask(f"/series/{one['ID']}/patient"))["MainDicomTags"].get("PatientID", "")
            tags = one["MainDicomTags"]
            found.append(_row(tags["SeriesInstanceUID"], tags.get("Modality", ""), len(one["Instances"]), patient))
        return sorted(found, key=lambda row: (row["modality"], row["series"]))

    def fetch(self, series, folder):
        paths = []
        for one in json.loads(self.ask("/series?expand")):
            if one["MainDicomTags"]["SeriesInstanceUID"] == series:
                for instance in sorted(one["Instances"]):
                    paths.append(_written(folder, instance, self.ask(f"/instances/{instance}/file")))
        return paths


@contextlib.contextmanager
def _orthanc(program, folder, forward_to, quiet):
    port, web = free_port(), free_port()
    title, worker = forward_to or ("WORKER", port)
    (folder / "forward.lua").write_text(FORWARD if forward_to else "", encoding="utf-8")
    settings = {
        "Name": "archive",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": Orthanc.title,
        "DicomPort": port,
        "HttpPort": web,
        "HttpBindAddresses": [HERE],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "DicomCheckCalledAet": False,
        "DicomModalities": {"worker": [title, HERE, worker]},
        "StableAge": max(1, round(quiet)),
        "LuaScripts": [str(folder / "forward.lua")],
        "Plugins": [],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    with open(folder / "orthanc.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log, cwd=folder)
    archive = Orthanc(port, web)
    try:
        _wait(archive, process, folder / "orthanc.log")
        yield archive
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(archive, process, log, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            archive.ask("/system")
            return
        time.sleep(0.1)
    raise DataError(f"Orthanc did not start within {seconds} s; '{log}' says why")


def free_port():
    """A port of this machine that nobody listens to now."""
    with socket.socket() as one:
        one.bind((HERE, 0))
        return one.getsockname()[1]


# --- the small one --------------------------------------------------------------------------------


class SmallArchive:
    """What :func:`open_archive` yields where there is no Orthanc: a folder of files behind a C-STORE."""

    kind, title = "pynetdicom", "ARCHIVE"

    def __init__(self, storage):
        self.storage, self.port, self.changed = storage, 0, {}

    def store(self, event):
        """Keep what is sent; an object that is there already stays as it is."""
        from .spool import hashed

        dataset = event.dataset
        folder = self.storage / hashed(dataset.get("SeriesInstanceUID", ""))[:16]
        target = folder / f"{hashed(dataset.get('SOPInstanceUID', ''))[:16]}.dcm"
        if not target.exists():
            _written(folder, target.stem, event.encoded_dataset())
            self.changed[folder] = time.monotonic()
        return 0x0000

    def series(self):
        found = []
        for paths in self._kept():
            header = open_dicom(paths[0], with_pixels=False)
            values = (str(header.get(name, "")) for name in ("SeriesInstanceUID", "Modality", "PatientID"))
            series, modality, patient = values
            found.append(_row(series, modality, len(paths), patient))
        return sorted(found, key=lambda row: (row["modality"], row["series"]))

    def fetch(self, series, folder):
        for paths in self._kept():
            if open_dicom(paths[0], with_pixels=False).get("SeriesInstanceUID") == series:
                return [_written(folder, path.stem, path.read_bytes()) for path in paths]
        return []

    def _kept(self):
        """The files of each series."""
        return filter(None, map(_files, self.storage.iterdir()))

    def forward(self, to, quiet, stop):
        """Send each CT series that has come to rest to the worker, until ``stop`` is set."""
        title, port = to
        while not stop.wait(0.1):
            for folder, last in list(self.changed.items()):
                if time.monotonic() - last < quiet:
                    continue
                paths = _files(folder)
                with contextlib.suppress(DataError):  # the worker is away or full: once more in a moment
                    if open_dicom(paths[0], with_pixels=False).get("Modality") == "CT":
                        send_files(paths, port, title, sender=self.title)
                    if self.changed.get(folder) == last:
                        del self.changed[folder]


@contextlib.contextmanager
def _small(folder, forward_to, quiet):
    storage = folder / "storage"
    storage.mkdir(exist_ok=True)
    archive, stop = SmallArchive(storage), threading.Event()
    with serve_storage(archive.store, title=archive.title) as server:
        archive.port = server.port
        thread = threading.Thread(target=archive.forward, args=(forward_to, quiet, stop), daemon=True)
        if forward_to:
            thread.start()
        try:
            yield archive
        finally:
            stop.set()
            if forward_to:
                thread.join(timeout=10)


def _files(folder):
    """The files of a series; a hidden one is still being written."""
    return sorted(folder.glob("[!.]*.dcm"))


def _row(series, modality, instances, patient):
    return {"series": series, "modality": modality, "instances": instances, "patient": patient}


def _written(folder, stem, data):
    path = Path(folder) / f"{stem}.dcm"
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return path
