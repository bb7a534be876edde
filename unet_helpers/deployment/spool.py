"""A folder as a queue: series come in, wait until they are whole, and leave by one atomic rename.

::

    SPOOL/receiving/                  a file under way; what a dead receiver leaves here was never promised to anybody
    SPOOL/incoming/<series>/          slices of a series that is still coming, or waits
    SPOOL/working/<slot>/<delivery>/  what a worker holds: input/, result/, decision.json
    SPOOL/done/<job>/                 the same, finished; so refused/ and failed/
    SPOOL/record.jsonl                one line for each delivery: what was decided, and why

Every step from one folder to the next is a rename, which happens or does not, so that a power cut or ``kill -9`` leaves
each series in exactly one of them. Files go by the hash of their content and series by that of their UID: no name of a
person gets into a path, and what is sent twice is there once. The record holds such hashes only.
"""

import contextlib
import hashlib
import io
import os
import secrets
import shutil
import time
from itertools import count
from pathlib import Path

from ..files.paths import DataError, user_path, writing
from .record import Record, decision_of, to_disk

STATES = ("done", "refused", "failed")
FOLDERS = ("receiving", "incoming", "working", "trash", *STATES)
ROOM = 500e6  # bytes that stay free on the disk


class QueueFull(DataError):
    """Nothing more is taken in; the sentence says why."""


def hashed(*words):
    """The sha256 of some words, as hexadecimal digits."""
    return hashlib.sha256("\0".join(map(str, words)).encode()).hexdigest()


def content_name(data):
    """The name of a file by its content: of a DICOM that of the data set, whoever handed it on.

    The group before it names who wrote the file and changes from one archive to the next; the slice does not.
    """
    if data[128:132] != b"DICM":
        return hashlib.sha256(data).hexdigest()[:32] + ".other"
    start = 144 + int.from_bytes(data[140:144], "little") if data[132:136] == b"\2\0\0\0" else 132
    return hashlib.sha256(data[start:]).hexdigest()[:32] + ".dcm"


def uids_of(file):
    """SeriesInstanceUID and SOPInstanceUID of a file or its bytes; empty for what is no DICOM."""
    import pydicom

    names = ["SeriesInstanceUID", "SOPInstanceUID"]
    try:
        dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=names)
        return tuple(str(dataset.get(name) or "") for name in names)
    except Exception:  # damaged: the check of the series says so
        return "", ""


class Spool:
    """The folder; any number of receivers and workers may use it at once.

    Parameters
    ----------
    folder : str or Path
        Made where it is missing.
    quiet : float, seconds
        A series to which nothing was added for so long counts as whole; the time begins anew with the object
        and with a receiver that opens its port, because whoever was cut off by our end sends on. What comes later is
        added to it, and the whole is done anew.
    most : int
        So many series may wait; a further one is refused.
    """

    def __init__(self, folder, quiet=5.0, most=50):
        self.folder, self.quiet, self.most = user_path(folder), quiet, most
        self.opened = time.time()
        with writing(self.folder):
            for name in FOLDERS:
                (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.record = Record(self / "record.jsonl")

    def __truediv__(self, name):
        return self.folder / name

    # --- in -------------------------------------------------------------------------------------------

    def put(self, source):
        """Take in one file, given as bytes or by its path, whole or not at all, and return where it lies.

        Raises :class:`QueueFull` if its series would be a new one and no more fit.
        """
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        folder = self / "incoming" / hashed(uids_of(io.BytesIO(data))[0])[:16]
        if not folder.exists() and (reason := self.full()):
            raise QueueFull(reason)
        part = self / "receiving" / secrets.token_hex(8)
        with writing(part), open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # the sender is told "stored" only when it is
        while part.exists():
            folder.mkdir(exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # a worker took the folder since the line above
                os.replace(part, folder / content_name(data))
                to_disk(folder)
                to_disk(folder.parent)
        return folder / content_name(data)

    def full(self):
        """Why nothing more is taken in, in a sentence; empty where there is room."""
        waiting = sum(path.is_dir() for path in (self / "incoming").iterdir())
        if waiting >= self.most:
            return f"the queue is full: {waiting} series wait, and {self.most} may; send again later"
        free = shutil.disk_usage(self.folder).free
        return f"the disk is full: {free / 1e6:.0f} MB are free; make room, and send again" if free < ROOM else ""

    def claim(self, slot):
        """Move the series that rests longest from ``incoming`` into a slot; its new folder, or None."""
        if time.time() - self.opened < self.quiet:
            return None
        self._sort_loose_files()
        resting = []
        for path in (self / "incoming").iterdir():
            with contextlib.suppress(FileNotFoundError):  # another worker was faster
                if path.is_dir() and (last := _last_change(path)) < time.time() - self.quiet:
                    resting.append((last, path))
        for _, path in sorted(resting):
            if not _holds_files(path):
                with contextlib.suppress(OSError):  # something came in just now
                    _remove_empty(path)
                continue
            folder = slot / f"{time.time_ns():x}-{secrets.token_hex(3)}"
            folder.mkdir(parents=True)
            try:
                os.replace(path, folder / "input")
                return folder
            except FileNotFoundError:
                folder.rmdir()
        return None

    def _sort_loose_files(self):
        for path in (self / "incoming").iterdir():
            if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                with contextlib.suppress(DataError, OSError):  # full, or not to be read: it waits where it is
                    if _last_change(path) < time.time() - self.quiet:
                        self.put(path)
                        path.unlink()

    # --- slots ----------------------------------------------------------------------------------------

    def open_slot(self):
        """A folder of ``working`` for one worker, and the lock that its process holds as long as it lives."""
        for number in count():
            if lock := _lock(self / "working" / f"{number}.lock"):
                slot = self / "working" / str(number)
                slot.mkdir(exist_ok=True)
                return slot, lock

    def adopt(self, slot):
        """Take over what workers that are no more left unfinished."""
        for other in (self / "working").iterdir():
            left = other != slot and other.is_dir() and any(other.iterdir())
            if left and (lock := _lock(other.with_suffix(".lock"))):
                for folder in other.iterdir():
                    os.replace(folder, slot / folder.name)
                lock.close()

    def clean(self):
        """Remove what was thrown away, and parts of files that nobody will finish."""
        for path in (self / "trash").iterdir():
            shutil.rmtree(path, ignore_errors=True)
        for path in (self / "receiving").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if _last_change(path) < time.time() - 3600:
                    path.unlink()

    # --- out ------------------------------------------------------------------------------------------

    def finish(self, folder, decision):
        """Move a folder to its state; False where the same job is there already."""
        try:
            os.rename(folder, self / decision["state"] / decision["job"])
        except OSError:  # a folder that is not empty is never replaced
            if not (self / decision["state"] / decision["job"]).is_dir():
                raise
            return False
        self.record.write(decision)
        return True

    def throw_away(self, folder):
        """Out of sight by one rename, then removed: half a series must never look like one."""
        target = self / "trash" / f"{folder.name}-{secrets.token_hex(4)}"
        os.replace(folder, target)
        shutil.rmtree(target, ignore_errors=True)

    def finished(self, series="", states=STATES):
        """The folders of the jobs that are finished, of one series or of all, the oldest first."""
        found = {}
        for path in (path for state in states for path in (self / state).glob(f"{series[:12]}*")):
            with contextlib.suppress(OSError):  # another worker has thrown it away just now
                found[path] = (path / "decision.json").stat().st_mtime
        return sorted(found, key=found.get)

    def counts(self):
        """How many series are in which state."""
        counts = {state: sum(path.is_dir() for path in (self / state).iterdir()) for state in ("incoming", *STATES)}
        return counts | {"working": len(list((self / "working").glob("*/*")))}

    def complete_record(self):
        """Write the lines that are missing: a worker may end after the rename and before its line."""
        known = {decision["delivery"] for decision in self.record.read()}
        for folder in self.finished():
            decision = decision_of(folder)
            if decision and decision["delivery"] not in known:
                self.record.write(decision)


def _last_change(path):
    """When something changed in a folder last; not the times of files, which copies bring from elsewhere."""
    return max(
        stat.st_ctime if os.name == "posix" else stat.st_mtime
        for stat in (part.lstat() for part in (path, *path.rglob("*")))
    )


def _holds_files(folder):
    with contextlib.suppress(FileNotFoundError):  # another worker was faster
        return any(part.is_file() for part in folder.rglob("*"))
    return False


def _remove_empty(folder):
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir()
    folder.rmdir()


def _lock(path):
    """An open file on which this process has the lock, until it is closed or the process ends; None if it is taken."""
    file = open(path, "a")  # noqa: SIM115
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows has no flock: one worker for each spool there
        return file
    except OSError:
        file.close()
        return None
    return file
