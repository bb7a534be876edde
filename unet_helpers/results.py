"""Write measured numbers for the book: each file says what, on which data, with which seed and device."""

import datetime
import json
import platform
import subprocess
from pathlib import Path

import psutil

from .images import atomic_path

RESULTS = Path(__file__).resolve().parents[1] / "book" / "results"


def describe_device():
    """Processor cores, architecture, and the accelerators that TensorFlow sees; no host name."""
    import tensorflow as tf

    devices = [
        tf.config.experimental.get_device_details(gpu)["device_name"] for gpu in tf.config.list_physical_devices("GPU")
    ]
    cores = psutil.cpu_count(logical=True)
    return ", ".join([*devices, f"{cores} cores {platform.machine()}"])


def write_results(name, what, results, data="phantom", seed=0, folder=RESULTS):
    """Write ``<name>.json`` into the book's results.

    Parameters
    ----------
    name, what : str
        File stem, and one line that says what was measured.
    results : dict of str to number, str or list
    data : str
    seed : int or list of int
    folder : Path

    Returns
    -------
    Path
    """
    import keras

    content = {
        "what": what,
        "data": data,
        "seed": seed,
        "commit": _commit(),
        "device": describe_device(),
        "software": f"Python {platform.python_version()}, Keras {keras.version()} on {keras.backend.backend()}",
        "date": datetime.date.today().isoformat(),
        "results": results,
    }
    path = Path(folder) / f"{name}.json"
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _commit():
    """The commit of the code, with "-dirty" where files differ from it; other results do not count."""

    def git(*command):
        return subprocess.run(["git", *command], capture_output=True, text=True, cwd=RESULTS.parents[1], check=False)

    name = git("describe", "--always").stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!book/results").stdout.strip()
    return name + ("-dirty" if changed else "") if name else "unknown"
