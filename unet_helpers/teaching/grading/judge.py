"""Hold one answer against the check of this package, in a process into which no code of a student ever comes."""

import builtins
import contextlib
import importlib
import json
import multiprocessing
import os
import pkgutil
import shutil
import signal
import tempfile
import time

from .. import checks
from ..checks._verdict import verdict
from .sandbox import limit, stay_private, work
from .values import pack, renew, unpack

OFTEN_USED = ("scipy.stats", "scipy.ndimage", "skimage.io", "unet_helpers.plotting")
LARGEST = 64 * 2**20  # bytes of one message
# a server that has loaded everything and seen nothing forks each process; where there is none, each loads anew
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


class Ended(BaseException):
    """The student's process is over its time, or gone: the verdict, and why. No check may take it for an answer."""


def context():
    """How the processes of the grading are started."""
    chosen = multiprocessing.get_context(METHOD)
    if METHOD == "forkserver":
        every = [f"{checks.__name__}.{module.name}" for module in pkgutil.iter_modules(checks.__path__)]
        chosen.set_forkserver_preload([__name__, *every, *OFTEN_USED])
    return chosen


def grade_answer(job):
    """The verdict on one answer, as a dictionary of ``verdict``, ``message`` and ``guard``; never an error.

    ``job`` holds the ``code`` that makes the answer, the ``names`` under which it then stands, ``module`` and ``check``
    that judge it, ``limits``, whether to ``isolate``, and the folders that stay ``hidden``.
    """
    start, folder = context(), tempfile.mkdtemp(prefix="answer_")
    verdicts, reply = start.Pipe(duplex=False)
    here, there = start.Pipe()
    worker = start.Process(target=work, args=(job, there, folder))
    judge = start.Process(target=_judge, args=(job, here, reply))
    try:
        for process in (worker, judge):
            process.start()
        for end in (here, there, reply):
            end.close()
        return json.loads(verdicts.recv_bytes(LARGEST))
    except (EOFError, OSError, ValueError):
        return {"verdict": "time-out", "message": "the check did not come to an end with this answer.", "guard": ""}
    finally:
        worker.terminate()
        for process in (judge, worker):
            process.join()
        shutil.rmtree(folder, ignore_errors=True)


def _judge(job, line, reply):
    stay_private()
    seconds = job["limits"]["seconds"]
    if hasattr(signal, "alarm"):
        signal.alarm(2 * seconds + 60)
    # a network of a billion filters is an answer, too
    limit(job["limits"] | {"memory": 2 * job["limits"]["memory"] + 1024})
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    guard = ""
    try:
        guard = line.recv_bytes(20).decode()
        # from here on; the start of a process that loads everything anew does not count
        kind, message = _hear(job, _Line(line, time.monotonic() + seconds, seconds))
    except Ended as end:
        kind, message = end.args
    except (EOFError, OSError):
        kind, message = "error", "the process of this answer could not be started."
    reply.send_bytes(json.dumps({"verdict": kind, "message": str(message), "guard": guard}).encode())


def _hear(job, line):
    first = line.listen()
    if "absent" in first:
        return "missing", f"nothing is defined as {', '.join(map(str, first['absent']))}."
    if "raised" in first:
        return "error", f"the code of the answer raised {_error(first['raised']).told}"
    try:
        answers = unpack(first["values"], line.function)
    except (KeyError, TypeError, ValueError) as error:
        return "error", f"the answer cannot be handed over: {error}"
    if not isinstance(answers, list) or len(answers) != len(job["names"]):
        return "error", "the answer cannot be handed over."
    module = importlib.import_module(f"{checks.__name__}.{job['module']}")
    return verdict(getattr(module, job["check"]), answers)


class _Line:
    """The line to a student's process: it says values, and is not believed anything else."""

    def __init__(self, pipe, deadline, seconds):
        self.pipe, self.deadline, self.seconds = pipe, deadline, seconds

    def listen(self):
        try:
            if not self.pipe.poll(max(0, self.deadline - time.monotonic())):
                raise Ended("time-out", f"no answer after {self.seconds} seconds.")
            said = json.loads(self.pipe.recv_bytes(LARGEST))
        except EOFError:
            raise Ended("error", "the program ended before its answer was there: exit, a crash, or memory.") from None
        except (OSError, ValueError, RecursionError):
            raise Ended("error", f"the answer cannot be read, or is larger than {LARGEST >> 20} MB.") from None
        if not isinstance(said, dict):
            raise Ended("error", "the answer cannot be read.")
        return said

    def function(self, number):
        """What stands here for a function there."""

        def answer(*arguments):
            sent = pack(arguments)
            with contextlib.suppress(OSError):
                self.pipe.send_bytes(json.dumps({"function": number, "arguments": sent}).encode())
            said = self.listen()
            if "raised" in said:
                raise _error(said["raised"])
            if not {"result", "arguments"} <= set(said):
                raise Ended("error", "the answer cannot be read.")
            result = unpack(said["result"], self.function)
            if said["arguments"] != sent:
                for before, after in zip(arguments, unpack(said["arguments"]), strict=True):
                    renew(before, after)
            return result

        return answer


def _error(raised):
    """An error of the name, and with the words, of the one that the student's code raised."""
    try:
        name, text = map(str, raised)
    except (TypeError, ValueError):
        name, text = "Exception", ""
    base = getattr(builtins, name, None)
    base = base if isinstance(base, type) and issubclass(base, Exception) else Exception
    kind = type(name[:60].replace("\0", ""), (base,), {"__str__": lambda error: text, "__init__": lambda *_: None})
    error = kind()
    error.told = f"{name[:60]}: {text}"
    return error
