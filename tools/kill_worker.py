"""Kill the worker at random moments under load, and count: what was sent, segmented, lost, doubled.

    python tools/kill_worker.py FOLDER MODEL.onnx SERIES... [--kills 10] [--seed 0] [--whole-process]

FOLDER takes the spool and an archive; each SERIES is a folder with a CT series. All are sent by DICOM to the worker,
again until it says "stored", and every fourth once more; results go to the archive. Meanwhile the worker is ended by
``kill -9`` and started anew. Without ``--whole-process`` a new worker is a fork of a process that has all loaded,
which starts in no time, so that the kills fall into the work and not into the start.
"""

import argparse
import contextlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

import psutil

from unet_helpers.deployment import Spool, open_archive, send_files
from unet_helpers.deployment.archive import free_port
from unet_helpers.deployment.spool import hashed, uids_of
from unet_helpers.files import DataError

LONGEST = 120  # seconds for one step of another process


def kill_test(folder, series, model, kills=10, seed=0, whole_process=False, quiet=1.0, pause=(0.0, 0.8), limit=600):
    """Send all series while the worker is killed ``kills`` times; the counts.

    Two of three kills come ``pause`` seconds (smallest, largest) after a series is in work, the third after the start.

    Returns a dict: ``sent``, series; ``deliveries``; ``done``, ``refused``, ``failed``, series; ``lost``, series that
    are nowhere; ``doubled``, surplus results in the spool or in the archive; ``results``, decisions with results, and
    ``in_archive``, how many of them are there; ``in_work``, kills that met a series in work; ``superseded``, decisions
    about a part of a series that came in pieces; ``again``, deliveries of what was decided; ``replayed_attempts``, jobs
    that needed more than one; ``seconds``.
    """
    folder, chance, start = Path(folder), random.Random(seed), time.monotonic()
    spool, over, killed, in_work = Spool(folder / "spool"), threading.Event(), set(), 0
    deliveries = list(series) + list(series)[::4]
    with open_archive(folder / "archive", kind="pynetdicom") as archive:
        port = free_port()
        options = [str(spool.folder), "--model", str(model), "--port", str(port), "--quiet", str(quiet)]
        options += ["--archive", f"127.0.0.1:{archive.port}:{archive.title}"]
        sender = threading.Thread(target=_send_all, args=(deliveries, port, over), daemon=True)

        def all_done():
            return not sender.is_alive() and _at_rest(spool)

        def new_work():
            return _begun(spool) - killed or all_done()

        with _starter(options, folder / "worker.log", whole_process, series[0], model) as start_worker:
            sender.start()
            try:
                for number in range(kills):
                    worker = start_worker()
                    if number % 3 < 2:  # the third at any moment, the others while a new series is in work
                        wait_until(new_work, worker, limit / 10)
                    time.sleep(chance.uniform(*pause))
                    worker.kill()
                    worker.wait(LONGEST)
                    in_work += bool(_begun(spool))
                    killed.update(_begun(spool))
                worker = start_worker()
                wait_until(all_done, worker, limit)
                worker.terminate()
                worker.wait(LONGEST)
            finally:
                over.set()
                sender.join(LONGEST)
        counts = _count(spool, archive, series)
    seconds = round(time.monotonic() - start, 1)
    return {"deliveries": len(deliveries), "kills": kills, "in_work": in_work, **counts, "seconds": seconds}


def wait_until(condition, worker, seconds):
    """Wait so long at most until a condition is true; an error if the worker ends meanwhile."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        if not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE:
            raise RuntimeError("the worker ended by itself; worker.log in the folder says why")
        time.sleep(0.02)


def _send_all(deliveries, port, over):
    """As a scanner does: again and again until it is taken."""
    for folder in deliveries:
        while not over.is_set():
            try:
                send_files(sorted(Path(folder).iterdir()), port, "WORKER", sender="SCANNER")
                break
            except (DataError, OSError):
                time.sleep(0.05)


def _begun(spool):
    """The deliveries that are in work."""
    return {path.parent.name for path in (spool / "working").glob("*/*/attempts")}


def _at_rest(spool):
    counts = spool.counts()
    unsent = [one for one in spool.finished(states=("done",)) if not (one / "sent").exists()]
    return not (counts["incoming"] or counts["working"] or unsent)


def _count(spool, archive, series):
    uids = {hashed(uids_of(next(Path(folder).iterdir()))[0]) for folder in series}
    record = spool.record.read()
    decided = [decision for decision in record if decision["state"] != "again"]
    replaced = {decision.get("supersedes") for decision in decided}
    final = [decision for decision in decided if decision["job"] not in replaced]
    by_state = {state: sum(one["state"] == state for one in final) for state in ("done", "refused", "failed")}
    done = [decision["series"] for decision in final if decision["state"] == "done"]
    results = sum(decision["state"] == "done" for decision in decided)
    kept = [one for one in archive.series() for _ in range(one["instances"])]
    surplus = sum(max(0, sum(one["modality"] == kind for one in kept) - results) for kind in ("SEG", "SR"))
    return {
        "sent": len(uids),
        **by_state,
        "lost": len(uids - {decision["series"] for decision in final}),
        "doubled": len(done) - len(set(done)) + surplus,
        "results": results,
        "in_archive": {kind: sum(one["modality"] == kind for one in kept) for kind in ("SEG", "SR")},
        "superseded": len(decided) - len(final),
        "again": len(record) - len(decided),
        "replayed_attempts": sum(decision.get("attempts", 1) > 1 for decision in decided),
    }


@contextlib.contextmanager
def _starter(options, log, whole_process, warm_up, model):
    """A function that starts a worker and returns its process; none is left when the context ends."""
    started = []

    def run(command):
        with open(log, "ab") as file:
            pipes = {"stdin": subprocess.PIPE, "stdout": file if whole_process else subprocess.PIPE, "stderr": file}
            started.append(psutil.Popen(command, start_new_session=True, text=True, **pipes))
        return started[-1]

    try:
        if whole_process:
            yield lambda: run([sys.executable, "-m", "unet_helpers", "serve", *options])
            return
        nest = run(
            [sys.executable, str(Path(__file__).resolve()), "--nest", str(log), str(warm_up), str(model), *options]
        )
        _line(nest)

        def start():
            print(file=nest.stdin, flush=True)
            return psutil.Process(int(_line(nest)))

        yield start
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(LONGEST)
            process.stdin.close()
            if process.stdout:
                process.stdout.close()


def _line(nest):
    """The next line of a process that says one and then waits."""
    ready, _, _ = select.select([nest.stdout], [], [], LONGEST)
    if not (line := nest.stdout.readline() if ready else ""):
        raise RuntimeError("the process that starts the workers ended or hangs; worker.log in the folder says why")
    return line


def nest(log, warm_up, model, options):
    """Load everything once; for each line of the input fork a worker and say its number."""
    from unet_helpers.deployment.serving import Segmenter
    from unet_helpers.deployment.serving import main as serve

    with tempfile.TemporaryDirectory() as out:
        Segmenter(model)(warm_up, Path(out))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who has ended is gone at once
    print("ready", flush=True)
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            try:
                serve(options)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(0)
        print(pid, flush=True)


def main():
    if sys.argv[1:2] == ["--nest"]:
        return nest(*sys.argv[2:5], sys.argv[5:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("model")
    parser.add_argument("series", nargs="+")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--whole-process", action="store_true")
    options = parser.parse_args()
    pace = {"quiet": 2.0, "pause": (0.0, 5.0)} if options.whole_process else {}
    folder, series, model = options.folder, options.series, options.model
    counts = kill_test(folder, series, model, options.kills, options.seed, options.whole_process, **pace)
    print(json.dumps(counts, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
