"""The measured numbers of the book: each file says what, on which data, with which seed and device.

Notebooks read them from :data:`RESULTS`; ``benchmarks/record.py`` writes them.
"""

import platform
from pathlib import Path

import psutil


def find_results(package):
    """The folder of the results: ``book/results`` of a checkout, or the copy that a wheel carries."""
    copy, book = package / "book_results", package.parent / "book" / "results"
    # the copy first: what is called "book" beside an installed package is somebody else's
    for folder in (copy, book):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"the book's results are neither in '{copy}' nor in '{book}'; install the package with pip, "
        "or keep it in a whole checkout"
    )


#: the folder of the measured numbers: in the repository, or in the installed package
RESULTS = find_results(Path(__file__).resolve().parents[1])


def describe_device():
    """Processor cores, architecture, and the accelerators that TensorFlow sees; no host name. Used in 04."""
    import tensorflow as tf

    devices = [
        tf.config.experimental.get_device_details(gpu)["device_name"] for gpu in tf.config.list_physical_devices("GPU")
    ]
    cores = psutil.cpu_count(logical=True)
    return ", ".join([*devices, f"{cores} cores {platform.machine()}"])
