"""How much memory each notebook needs at most: ``python benchmarks/memory.py``, about twenty minutes on two cores.

Runs the notebooks one after the other from fresh kernels, without storing their outputs, and looks five times a
second at the memory of the kernel and of the processes that it starts. Writes ``book/results/memory.json``; numbers
on the command line measure some of them and keep the rest of the file.
"""

import argparse
import json
import sys
import threading
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import execute_notebooks  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="numbers or stems; default: all")
    arguments = parser.parse_args()
    from record import write_results

    from unet_helpers.teaching import RESULTS

    path = RESULTS / "memory.json"
    peaks = json.loads(path.read_text(encoding="utf-8"))["results"] if arguments.names and path.is_file() else {}
    for source in execute_notebooks.find_sources(arguments.names):
        with PeakMemory() as memory:
            execute_notebooks.run(execute_notebooks.pair(source, None), timeout=1200)
        peaks[f"nb{source.stem.split('_')[0]}"] = round(memory.peak / 1e9, 1)
        print(source.stem, peaks[f"nb{source.stem.split('_')[0]}"], "GB", flush=True)
    write_results(
        "memory", "Peak memory of each notebook in gigabytes, from a fresh kernel", dict(sorted(peaks.items()))
    )


class PeakMemory(threading.Thread):
    """The most memory that the processes below this one held together, in bytes, while the block ran."""

    def __init__(self, every=0.2):
        super().__init__(daemon=True)
        self.every, self.peak, self.over = every, 0, threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.over.set()
        self.join()

    def run(self):
        while not self.over.wait(self.every):
            self.peak = max(self.peak, sum(map(_resident, psutil.Process().children(recursive=True))))


def _resident(process):
    try:
        return process.memory_info().rss
    except psutil.Error:  # it has just ended
        return 0


if __name__ == "__main__":
    main()
