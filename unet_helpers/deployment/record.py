"""The record: a line of JSON for each delivery, from which every decision can be read, counted and done again."""

import contextlib
import json
import os

from ..files.paths import atomic_path


class Record:
    """A file to which lines are added and from which none is taken away."""

    def __init__(self, path):
        self.path = path

    def write(self, decision):
        """Append a line, by one call of the system."""
        line = (json.dumps(decision, sort_keys=True) + "\n").encode()
        with open(self.path, "a+b", buffering=0) as file:
            if file.tell():  # a power cut may have torn the line before
                file.seek(-1, os.SEEK_END)
                line = (b"" if file.read(1) == b"\n" else b"\n") + line
            file.write(line)

    def read(self):
        """The decisions in the order in which they were written, one for each delivery."""
        decisions = {}
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(json.JSONDecodeError, KeyError, TypeError):  # torn; its folder has it whole
                    decision = json.loads(line)
                    decisions.setdefault(decision["delivery"], decision)
        return list(decisions.values())


def decision_of(folder):
    """The decision in the folder of a job; None where none was taken yet, or a power cut has torn it."""
    try:
        return json.loads((folder / "decision.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_decision(folder, decision):
    """Put the decision into the folder of its job, whole or not at all."""
    with atomic_path(folder / "decision.json") as temporary:
        temporary.write_text(json.dumps(decision, indent=1, sort_keys=True), encoding="utf-8")
        to_disk(temporary)
    to_disk(folder)


def to_disk(path):
    """Wait until a file, or the names in a folder, are on the disk, and a power cut takes them no more.

    Windows opens no folder for that; there the system decides when.
    """
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
