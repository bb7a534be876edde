"""A long measurement in parts, each kept in a folder, so that one that was stopped goes on."""

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path


def make_parser(description):
    """A parser with ``--folder`` for what is kept, and ``--minutes`` after which to stop."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--folder", type=Path, help="keep what is computed here, and go on from it")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after about so long")
    return parser


@contextlib.contextmanager
def computed(arguments, steps):
    """Do each of ``steps(folder)``, functions that say whether they had to work, and give the folder."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for step in steps(folder):
            if step():
                print(f"{time.perf_counter() - began:.0f} s", flush=True)
            if time.perf_counter() - began > 60 * arguments.minutes:
                sys.exit("stopped; call again with the same folder")
        yield folder
