"""The worker: one series after the other from the spool to its decision, through ``kill -9`` and back.

What a worker does can be done again at any point: files go by their content, a job by series and content, results have
the same UIDs each time. So whoever finds a folder in ``working`` starts its job anew, and a second result of one job
finds the first in its place.
"""

import contextlib
import os
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from ..files.paths import DataError, atomic_path, sha256_of, without_quotes
from .record import decision_of, to_disk, write_decision
from .spool import STATES, content_name, hashed, uids_of


class Worker:
    """Works through a :class:`unet_helpers.deployment.spool.Spool`.

    Parameters
    ----------
    spool : Spool
    process : callable
        ``process(folder, out)`` looks at the files in ``folder``, writes results into ``out`` and returns a dict for
        the record: ``state`` is "done" or "refused", the latter with ``kind`` and ``reason``.
    send : callable, optional
        ``send(paths)`` sends the results of a job. It is tried again where it raises: an ``OSError`` if nobody is
        there, and a :class:`unet_helpers.DataError` if these results are not taken.
    attempts : int
        A job that was begun so often and never ended has killed its worker each time; it counts as failed.
    patience : float, seconds
        Between two tries of sending.
    """

    def __init__(self, spool, process, send=None, attempts=5, patience=10.0):
        self.spool, self.process, self.send = spool, process, send
        self.attempts, self.patience, self.send_from = attempts, patience, 0.0
        self.slot, self.lock = spool.open_slot()
        spool.clean()
        spool.complete_record()

    def close(self):
        """Give the slot back."""
        self.lock.close()

    def step(self):
        """Decide about one series; the decision, or None where none has come to rest."""
        self.spool.adopt(self.slot)
        begun = sorted(self.slot.iterdir())
        folder = begun[0] if begun else self.spool.claim(self.slot)
        if folder is None:
            return None
        if not (folder / "input").is_dir():  # claimed in the last moment of a worker: its series still waits
            folder.rmdir()
            return self.step()
        return self._work(folder)

    def run(self, until, idle=0.2, tell=lambda decision: None):
        """Work until ``until()`` is true; each decision is told."""
        while not until():
            if decision := self.step():
                tell(decision)
            self.send_results()
            if decision is None:
                time.sleep(idle)

    def drain(self):
        """Work until nothing is in ``incoming`` any more, and everything is sent."""
        while True:
            if self.step():
                continue
            if self.send_results() and not self.spool.counts()["incoming"]:
                return
            time.sleep(0.02)

    # --- one series -----------------------------------------------------------------------------------

    def _work(self, folder):
        decision = decision_of(folder) or self._decide(folder)
        if decision["state"] == "again":
            self.spool.record.write(decision)
            self.spool.throw_away(folder)
            return decision
        for state in STATES:
            earlier = self.spool / state / decision["job"]
            if state == "failed" or (earlier.is_dir() and decision_of(earlier) is None):
                with contextlib.suppress(FileNotFoundError):
                    self.spool.throw_away(earlier)  # it was tried anew
        if not self.spool.finish(folder, decision):  # another worker had the same series at the same time
            decision |= {"state": "again", "reason": "another worker was faster"}
            self.spool.record.write(decision)
            self.spool.throw_away(folder)
        return decision

    def _decide(self, folder):
        attempt, start = self._begin(folder), time.perf_counter()
        inputs, out = folder / "input", folder / "result"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        # as long as the files were not read, the job has the name of its delivery
        decision = {"delivery": folder.name, "series": "", "files": 0, "job": folder.name}
        with _failing(decision, folder):
            if attempt <= self.attempts + 1:  # once more for the reading, which seldom is what ends a worker
                _name_by_content(inputs)
                decision |= self._identity(inputs)
            if attempt > self.attempts:
                raise DataError(f"the worker ended {attempt - 1} times over this series; look at it by hand")
            if same := self._decided(decision["job"]):
                reason = f"this series was {same['state']} before"
                return decision | {"state": "again", "reason": reason, "time": _now()}
            decision |= self.process(inputs, out)
        results = sorted(out.iterdir())
        for path in (*results, out):
            to_disk(path)
        decision["outputs"] = {path.name: sha256_of(path) for path in results}
        decision |= {"attempts": attempt, "seconds": round(time.perf_counter() - start, 3), "time": _now()}
        write_decision(folder, decision)
        return decision

    def _identity(self, inputs):
        """What makes this job this job; slices of the same series that came before are added to it."""
        uids = {path.name: uids_of(path) for path in inputs.iterdir()}
        named = sorted({series for series, _ in uids.values()} - {""})  # a file beside the slices has no series
        series = hashed(*named)
        earlier = self.spool.finished(series) if len(named) == 1 else []
        if earlier:
            here = {instance for _, instance in uids.values()}
            for path in (earlier[-1] / "input").iterdir():
                own = uids_of(path)
                if path.name not in uids and own[1] not in here:  # a slice that came anew replaces the old one
                    _copy(path, inputs / path.name)
                    uids[path.name] = own
        content = hashed(*sorted(uids))
        identity = {"series": series, "instances": hashed(*sorted(uid for _, uid in uids.values()))}
        identity |= {"inputs": content, "files": len(uids), "job": f"{series[:12]}-{content[:12]}"}
        if earlier and earlier[-1].name != identity["job"]:
            identity["supersedes"] = earlier[-1].name
        return identity

    def _decided(self, job):
        """The decision about a job that is done or refused."""
        folders = (self.spool / state / job for state in ("done", "refused"))
        return next(filter(None, map(decision_of, folders)), None)

    def _begin(self, folder):
        """Count the attempt before it is made."""
        path = folder / "attempts"
        attempt = path.stat().st_size + 1 if path.exists() else 1
        with open(path, "ab") as file:
            file.write(b".")
        return attempt

    # --- results on their way -------------------------------------------------------------------------

    def send_results(self):
        """Send what was not sent yet, a job at a time; whether nothing is left.

        A worker that ends between sending and its note sends again: the UIDs are the same, and an archive keeps one.
        """
        unsent = (
            []
            if self.send is None
            else [folder for folder in self.spool.finished(states=("done",)) if not (folder / "sent").exists()]
        )
        if unsent and time.monotonic() < self.send_from:
            return False
        left = False
        for folder in unsent:
            try:
                self.send(sorted((folder / "result").iterdir()))
            except (DataError, OSError) as error:
                print(f"not sent: {error}; next try in {self.patience:.0f} s", file=sys.stderr, flush=True)
                left, self.send_from = True, time.monotonic() + self.patience
                if isinstance(error, OSError):  # nobody is there for the others either
                    break
            else:
                (folder / "sent").touch()
        return not left


def replay(spool, process):
    """Take every decision once more from what came in.

    Returns a list of ``(decision, same)``: whether state, kind of refusal and mask are as they were. A decision that
    another version of the network took is expected to differ; its ``weights`` say which it was.
    """
    replayed = []
    for folder in spool.finished(states=("done", "refused")):
        if (decision := decision_of(folder)) is None:
            continue
        with tempfile.TemporaryDirectory() as out:
            again = process(folder / "input", Path(out))
        same = all(decision.get(name) == again.get(name) for name in ("state", "kind", "mask_sha256"))
        replayed.append((decision, same))
    return replayed


def _name_by_content(inputs):
    """Give each file, in whatever folder below, the name of its content; nothing of its own name is left."""
    for path in list(inputs.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            os.replace(path, inputs / content_name(path.read_bytes()))
    for path in inputs.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.is_symlink() or path.name.startswith("."):
            path.unlink()


def _copy(source, target):
    """A second name of the file, or a copy where the system knows no such names; whole or not at all."""
    try:
        os.link(source, target)
    except OSError:
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)


@contextlib.contextmanager
def _failing(decision, folder):
    """Turn whatever is raised over a series into the decision that it failed: the others shall not wait for it."""
    try:
        yield
    except DataError as error:
        decision |= {"state": "failed", "reason": without_quotes(error)}
    except Exception as error:  # a bug of the program, or a file that cannot be read
        (folder / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}, line {where.lineno}"
        # its words may quote a header, and with it a name
        reason = f"the program failed ({type(error).__name__} in {place}); error.txt in the job's folder says more"
        decision |= {"state": "failed", "reason": reason}


def _now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
