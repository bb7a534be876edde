"""The phantom as a data set: made once, kept in the data folder, cut into tasks."""

import contextlib
import hashlib
import sys
from pathlib import Path

import numpy as np

from ..files.paths import DataError, atomic_path, data_folder
from . import preprocessing
from .subsets import Dataset, Subset

#: names of the classes, in the order of their indices
PHANTOM_CLASSES = ("background", "lung", "nodule")


def load_phantom(*, size=128, seed=0, patients=48, slices=8, window=(-600, 1500), variety="class", workers=1):
    """The synthetic patients, made once and kept in the data folder.

    ``window`` is (level, width) in HU, None to keep HU, or ``"display"``: each slice in a window drawn at random and
    in 8 bits, as :func:`unet_helpers.data.show_in_random_windows` does. ``variety="archive"`` gives patients with
    diseases, metal, arms beside the body and slices from neck to kidneys; ``workers`` processes make them.
    """
    volumes, masks, spacing, ids = phantom_arrays(
        size=size, seed=seed, patients=patients, slices=slices, variety=variety, workers=workers
    )
    images = volumes.astype(np.float32)[..., np.newaxis]
    if window == "display":
        from .display import show_in_random_windows

        images = show_in_random_windows(images.reshape(-1, *images.shape[2:]), seed).reshape(images.shape)
    elif window is not None:
        images = preprocessing.window(images, *window)
    depth = volumes.shape[1]
    everything = Subset(
        images.reshape(-1, *images.shape[2:]),
        masks.reshape(-1, *masks.shape[2:]),
        np.repeat(ids, depth),
        np.array([f"{patient}_Z_{z:02d}" for patient in ids for z in range(depth)]),
        np.repeat(spacing[:, 1:], depth, axis=0),
    )
    rules = {None: "HU", "display": "random display windows in 8 bits"}
    rule = rules[window] if window in rules else f"HU, window {window[0]}/{window[1]}"
    return "phantom", PHANTOM_CLASSES, everything, [f"synthetic patients, {rule}"]


def subset_of_patients(patients, window=(-600, 1500)):
    """Patients of :func:`unet_helpers.phantom.make_patient` as a subset like those of :func:`load_phantom`."""
    volumes = np.concatenate([patient.volume for patient in patients]).astype(np.float32)[..., np.newaxis]
    slices = [(patient, z) for patient in patients for z in range(len(patient.volume))]
    return Subset(
        volumes if window is None else preprocessing.window(volumes, *window),
        np.concatenate([patient.masks for patient in patients]),
        np.array([patient.patient_id for patient, _ in slices]),
        np.array([f"{patient.patient_id}_Z_{z:02d}" for patient, z in slices]),
        np.array([patient.spacing[1:] for patient, _ in slices]),
    )


def nodule_crops(subset, size=64):
    """Nodule or not, in crops: each slice's middle rows, cut into a left and a right half.

    Parameters
    ----------
    subset : Subset
        Of the phantom, 128 pixels wide or more, with class 2 for the nodules.
    size : int
        Height and width of a crop.

    Returns
    -------
    Subset
        Twice as many slices, first all left ones; masks hold 1 for nodule and 0 for all else.
    """
    height, width = subset.masks.shape[1:]
    rows, middle = slice((height - size) // 2, (height + size) // 2), width // 2
    halves = {"L": slice(middle - size, middle), "R": slice(middle, middle + size)}
    return Subset(
        np.concatenate([subset.images[:, rows, half] for half in halves.values()]),
        np.concatenate([(subset.masks[:, rows, half] == 2).astype(np.uint8) for half in halves.values()]),
        np.tile(subset.patient_ids, 2),
        np.array([f"{case}_{name}" for name in halves for case in subset.case_ids]),
        np.tile(subset.spacing, (2, 1)),
    )


def nodule_task(data, size=64):
    """The phantom as a task of two classes, nodule against all else, in :func:`nodule_crops`. Used in 07."""
    parts = {name: nodule_crops(subset, size) for name, subset in data.subsets.items()}
    return Dataset(f"{data.name}, nodules", ("background", "nodule"), **parts, report=list(data.report))


def phantom_arrays(*, size=128, seed=0, patients=48, slices=8, variety="class", workers=1):
    """Volumes and masks of the phantom patients, from the data folder if they are there already.

    A damaged file is made again. Where nothing can be kept, the patients stay in memory, and a line on stderr says so.

    Returns
    -------
    volumes : ``(P, D, H, W)`` int16 HU
    masks : ``(P, D, H, W)`` uint8
    spacing : ``(P, 3)`` float, (slice, row, column) in mm
    patient_ids : ``(P,)`` str
    """
    kind = "" if variety == "class" else f"_{variety}"

    def make():
        from ..phantom import make_patients

        made = make_patients(n=patients, seed=seed, size=size, slices=slices, variety=variety, workers=workers)
        return {
            "volumes": np.stack([patient.volume for patient in made]).round().astype(np.int16),
            "masks": np.stack([patient.masks for patient in made]),
            "spacing": np.array([patient.spacing for patient in made], dtype=float),
            "patient_ids": np.array([patient.patient_id for patient in made]),
        }

    name = f"phantom_{phantom_version()}_{size}_{seed}_{patients}_{slices}{kind}.npz"
    return _made_once(name, make, ("volumes", "masks", "spacing", "patient_ids"))


_IN_MEMORY = {}  # what could not be kept in the data folder


def _made_once(name, make, keys):
    """The arrays in a file of the data folder, or what ``make()`` returns, which is then kept there."""
    # not there, cut or damaged, each with an error of its own: it is made again
    with contextlib.suppress(Exception), np.load(data_folder() / name) as stored:
        return tuple(stored[key] for key in keys)
    arrays = _IN_MEMORY.get(name) or make()
    try:
        with atomic_path(data_folder() / name) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)
    except DataError as error:
        if not _IN_MEMORY:
            print(f"The synthetic patients stay in memory, and each kernel makes them anew: {error}.", file=sys.stderr)
        _IN_MEMORY[name] = arrays
    return tuple(arrays[key].copy() for key in keys)


def phantom_version():
    """Changes with the phantom's code, so that no cache of an older phantom is read."""
    sources = sorted((Path(__file__).parents[1] / "phantom").glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:10]
