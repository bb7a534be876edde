"""Say in about a minute whether this machine is ready for a class: ``make class-check``.

Runs with the Python of ``.venv`` where there is one, else with any Python 3: what needs the packages is then left out,
and the line on packages says how to get them. Each line is one sentence, with the remedy where something is missing.
The shipped U-Net is loaded and used while Python cannot reach any other machine, as in a room without a network.
"""

import ctypes
import os
import re
import shutil
import socket
import sys
import time
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ((3, 11), (3, 13))
#: what book/setup.md asks for, in GB; the environment takes half of the disk, and 4 GB of memory are sold as 3.7
DISK, DISK_WHEN_INSTALLED, MEMORY = 4, 1, 3.7
GB = 1e9
#: patients of the notebooks, as size, seed, patients and slices: those of nearly all, and the thin slices of 01
DATA = ((128, 0, 48, 8), (64, 0, 16, 48))
#: slices in the training set of the series, and pixels along a side
TRAINING_SLICES, SIDE = 272, 128

ASKED = "something asked for the network"

Finding = namedtuple("Finding", "name ready sentence remedy")
Finding.__new__.__defaults__ = ("",)  # Python 3.6, too, shall be able to say that it is too old


def check_python(version):
    """`version` is major, minor, micro."""
    text = ".".join(map(str, version[:3]))
    if VERSIONS[0] <= tuple(version[:2]) <= VERSIONS[1]:
        return Finding("Python", True, f"Python {text}.")
    remedy = "Install Python 3.11, 3.12 or 3.13, and name it: make class-check PYTHON=python3.12"
    return Finding("Python", False, f"This is Python {text}, and the series needs 3.11 to 3.13.", remedy)


def check_disk(free, installed):
    """`free` in bytes; less is needed where the packages are `installed` already."""
    needed = DISK_WHEN_INSTALLED if installed else DISK
    if free >= needed * GB:
        return Finding("disk", True, f"{free / GB:.0f} GB of the disk are free, {needed} GB are needed.")
    remedy = "Make room, or copy the folder of the series to another disk."
    return Finding("disk", False, f"Only {free / GB:.1f} GB of the disk are free, {needed} GB are needed.", remedy)


def check_memory(total):
    """`total` in bytes, or None where the system does not say."""
    if total is None:
        return Finding("memory", True, "This system does not say how much memory it has; 4 GB are needed.")
    if total >= MEMORY * GB:
        return Finding("memory", True, f"{total / GB:.0f} GB of memory, 4 GB are needed.")
    remedy = "Work in pairs on a larger machine; 04, 12 and 14 need the most, and the book shows all their outputs."
    return Finding("memory", False, f"Only {total / GB:.1f} GB of memory, and 4 GB are needed.", remedy)


def check_packages(requirements, version_of):
    """Compare `requirements`, as in pyproject.toml, with what is installed; `version_of` gives None for missing."""
    wanted = dict(re.fullmatch(r"([\w.-]+)(.*)", requirement).groups() for requirement in requirements)
    missing = [name for name in wanted if version_of(name) is None]
    remedy = (
        "Delete the folder .venv if there is one, and run 'make lab' once with a network, or install from a "
        "wheelhouse: book/setup.md, A classroom without a network"
    )
    if missing:
        names = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        count = "1 package is" if len(missing) == 1 else f"{len(missing)} packages are"
        return Finding("packages", False, f"{count} not installed: {names}.", remedy + ".")
    from packaging.specifiers import SpecifierSet  # is there where the packages are

    found = {name: version_of(name) for name in wanted}
    other = [
        f"{name} {found[name]} (needed: {versions})"
        for name, versions in wanted.items()
        if not SpecifierSet(versions).contains(found[name], prereleases=True)
    ]
    if other:
        return Finding("packages", False, f"Packages of another version: {', '.join(other)}.", remedy + ".")
    return Finding("packages", True, f"All {len(requirements)} packages are installed in the versions of the series.")


def check_data(folder, names):
    """Whether the synthetic patients are made: files `names` in `folder`."""
    missing = [name for name in names if not (Path(folder) / name).is_file()]
    if not missing:
        return Finding("data", True, "The synthetic patients are made.")
    remedy = (
        "Run notebooks 00 and 01 once, which takes a few minutes, or copy the data folder of another machine to "
        f"'{folder}'."
    )
    return Finding(
        "data", False, f"{len(missing)} of {len(names)} files of synthetic patients are not made yet.", remedy
    )


def check_offline(work):
    """Do `work` with the network cut; gives the finding, and what the work returned."""
    began = time.perf_counter()
    try:
        with without_network():
            result = work()
    except Exception as error:
        if ASKED in str(error):
            sentence = f"The shipped network cannot be used without a network: {first_line(error)}"
            return Finding("offline", False, sentence, "Report it: no notebook may need a network."), None
        sentence = f"The shipped network cannot be loaded and used: {first_line(error)}"
        remedy = "If it is about memory, close other programs. Else delete .venv, and install the packages again."
        return Finding("offline", False, sentence, remedy), None
    seconds = time.perf_counter() - began
    return Finding(
        "offline", True, f"Without a network, the shipped network is loaded and used ({seconds:.0f} s)."
    ), result


def first_line(error):
    """What an error says, in one line, and of which kind it is."""
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])


class without_network:
    """Every attempt of Python to reach another machine fails at once."""

    def __enter__(self):
        self.kept = socket.socket.connect, socket.getaddrinfo

        def refuse(*address, **options):
            raise OSError(f"{ASKED}: {address[-1] if address else options}")

        socket.socket.connect, socket.getaddrinfo = refuse, refuse

    def __exit__(self, *_):
        socket.socket.connect, socket.getaddrinfo = self.kept


def check_training(step_seconds, steps):
    """How long the training of notebook 04 will take, from the seconds of one step."""
    minutes = step_seconds * steps / 60
    how_long = f"about {minutes:.0f} minutes" if minutes >= 1.5 else "about a minute or less"
    sentence = f"The training of notebook 04 ({steps} steps of {step_seconds:.2f} s) will take {how_long} here."
    if minutes <= 10:
        return Finding("training", True, sentence)
    remedy = "Close other programs and plug in the charger; if that does not help, show 04 and begin with 05."
    return Finding("training", False, sentence, remedy)


def total_memory():
    """Bytes of memory, None if the system does not say."""
    if os.name == "nt":

        class Status(ctypes.Structure):
            _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
                (name, ctypes.c_ulonglong)
                for name in ("total", "free", "page", "page_free", "virtual", "v_free", "ext")
            ]

        status = Status(length=ctypes.sizeof(Status))
        return status.total if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
    return min([machine, *group_limits(Path("/"))])


def group_limits(root):
    """Bytes that the control groups of this process may use: on a hub, on Binder or in a container, less than all."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for _, kinds, path in (line.split(":", 2) for line in groups):
        if not kinds:
            base, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in kinds.split(","):
            base, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        for folder in (base / path.strip("/"), base):  # a container may see its own group as the root
            try:
                said = (folder / name).read_text().strip()
            except OSError:
                continue
            if said.isdigit():  # "max" is no limit
                yield int(said)


def requirements():
    """The packages that the notebooks need, from pyproject.toml."""
    import tomllib  # Python 3.11; an older one has been found wanting before

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["dependencies"]


def version_of(name):
    """The installed version of a package, None if it is missing."""
    from importlib import metadata  # Python 3.8

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def data_files():
    """Names of the files that hold the synthetic patients."""
    from unet_helpers.data.synthetic import phantom_version

    return [f"phantom_{phantom_version()}_{'_'.join(map(str, one))}.npz" for one in DATA]


def use_shipped_network():
    """Load the network that comes with the series, and segment one slice."""
    import numpy as np

    from unet_helpers import load_checkpoint, predict_masks

    return predict_masks(load_checkpoint(), np.zeros((1, SIDE, SIDE, 1), np.float32)).shape


def training_steps():
    """Steps of the training of notebook 04: an epoch of crops has as many pixels as all slices together."""
    from unet_helpers.training import TRAINING

    crops = TRAINING_SLICES * (SIDE // TRAINING["crop_size"]) ** 2
    return TRAINING["epochs"] * crops // TRAINING["batch_size"]


def step_seconds():
    """Seconds of one step of the training of notebook 04, measured here."""
    from unet_helpers.teaching.step_cost import measure_step
    from unet_helpers.training import TRAINING

    return measure_step(size=TRAINING["crop_size"], batch_size=TRAINING["batch_size"], steps=20)["step (s)"]


def findings():
    """All findings, one after the other; what needs something that is missing is left out."""
    python = check_python(sys.version_info)
    yield python
    if not python.ready:
        return
    packages = check_packages(requirements(), version_of)
    yield check_disk(shutil.disk_usage(ROOT).free, packages.ready)
    yield check_memory(total_memory())
    yield packages
    if not packages.ready:
        return
    sys.path.insert(0, str(ROOT))  # where the package is not installed, its folder is here
    offline, _ = check_offline(use_shipped_network)
    yield offline
    if not offline.ready:
        return
    from unet_helpers.files import DataError
    from unet_helpers.files.paths import data_folder

    try:
        yield check_data(data_folder(), data_files())
    except DataError as error:
        yield Finding("data", False, f"{error}.", "Name a folder of yours in the variable UNET_DATA_DIR.")
    try:
        yield check_training(step_seconds(), training_steps())
    except Exception as error:
        sentence = f"A step of the training of notebook 04 cannot be taken: {first_line(error)}"
        yield Finding("training", False, sentence, "Most often memory has run out: close other programs, try again.")


def main():
    """Print each finding as it comes; the status is 0 if all are ready."""
    missing = 0
    for one in findings():
        print(f"{'ok     ' if one.ready else 'MISSING'}  {one.name:<9} {one.sentence}", flush=True)
        if not one.ready:
            missing += 1
            print(f"{'':19}-> {one.remedy}", flush=True)
    print("This machine is ready." if not missing else "Not ready yet: see what is marked MISSING.")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
