"""Which series a network is asked about, and which are refused with a reason.

No reason quotes a header where a person's name may stand: reasons are kept.

What the header does not say, nobody knows here: a knee that calls itself a chest passes, and is left to whoever
watches what the network sees.
"""

import contextlib
from collections import Counter
from dataclasses import dataclass

import numpy as np

from ..files.deidentify import reason_to_leave_out
from ..files.dicom_kinds import OBJECTS, kind_of
from ..files.paths import DataError, reading_of, user_path, without_quotes
from ..files.scans import dicom_files, geometry_of, open_dicom, reading_of_pixels, series_grid
from .networks import About
from .results import NEEDED

FEWEST = 4  # slices of a series
NEAR = 1.25  # how far a pixel may be from the sizes that the training has seen
TILTED = 30  # degrees by which a plane may be away from the axial one
CHEST = ("CHEST", "LUNG", "THORAX")
# words of a reason to leave a file out that stand for a scout
SCOUTS = ("LOCALI", "SCOUT", "TOPOGRAM", "SURVIEW", "SCANOGRAM")
CONTRAST = ("ContrastBolusAgent", "ContrastBolusAgentSequence", "ContrastBolusVolume", "ContrastBolusIngredient")
NO_CONTRAST = ("", "0", "0.0", "NO", "NONE", "N", "NATIVE", "WITHOUT", "NO CONTRAST")

# of reasons to leave a file out: these quote what somebody has written, be it a name
FREE_TEXT = ("ConversionType", "BurnedInAnnotation")

# words of the errors of series_grid -> kind
KINDS = {"at one position": "doubled slice", "a slice is missing": "missing slice"}

#: kind of refusal -> what it means
REFUSALS = {
    "empty": "no DICOM file",
    "no image": "a dose report, a screen capture, a segmentation, a report: no image as the scanner takes it",
    "localizer": "a scout, from which the scan was planned",
    "several series": "slices of more than one series, study or patient",
    "modality": "not taken by CT",
    "several frames": "several slices in one file",
    "contrast": "a contrast agent was given, and no result says how good the network is then",
    "body part": "not the chest",
    "too few": f"fewer than {FEWEST} slices",
    "plane": "slices that are not axial",
    "doubled slice": "two slices at one place",
    "missing slice": "a gap between the slices",
    "spacing": "pixels of a size that the training has not seen",
    "no pixels": "a file without pixels, or with a part of them",
    "no HU": "values without the scale that makes them Hounsfield units",
    "unreadable": "a file is damaged, or the slices make up no volume",
}


@dataclass(frozen=True)
class Refusal:
    """Why a series is refused: ``kind``, a key of :data:`REFUSALS`, and ``reason``, a sentence with file and remedy."""

    kind: str
    reason: str

    def __str__(self):
        return self.reason


class _Refused(DataError):
    """A refusal on its way out; as a DataError it passes by the readers unchanged."""

    def __init__(self, kind, reason):
        super().__init__(reason)
        self.kind = kind


def check_series(folder, about=None):
    """Why a network cannot be asked about the DICOM series in a folder; None where it can.

    Every file is opened and its pixels are read once: what is found here is not found in the middle of the work.

    Parameters
    ----------
    folder : str or Path
        With the files of one series.
    about : About, optional
        Of the network; default: what the shipped one takes.

    Returns
    -------
    Refusal or None

    Raises
    ------
    FileNotFoundError
        If there is no such folder. Whatever the files hold becomes a refusal.
    """
    folder = user_path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder '{folder}'; check the path")
    try:
        slices = _pictures(folder)
        _check_one_series(slices, folder)
        for path, dataset in slices.items():
            with _refusing("unreadable", path):
                _check_header(dataset, path)
        if len(slices) < FEWEST:
            raise _Refused("too few", f"'{folder.name}' holds {len(slices)} slices; send all of them, {FEWEST} or more")
        with _refusing("unreadable", folder):
            _check_volume(slices, folder, about or About("", "", ""))
        for path in slices:
            with _refusing("no pixels", path):
                _check_pixels(path)
    except _Refused as refused:
        return Refusal(refused.kind, str(refused))
    return None


@contextlib.contextmanager
def _refusing(kind, path):
    """Turn whatever is raised at a file into a refusal, of this kind where it is none yet."""
    try:
        with reading_of(path):
            yield
    except _Refused:
        raise
    except DataError as error:
        raise _Refused(kind, without_quotes(error)) from None


def _pictures(folder):
    """``{path: data set}`` of the images in a folder, without their pixels."""
    datasets = {}
    for path in dicom_files(folder)[0]:
        with _refusing("unreadable", path):
            datasets[path] = open_dicom(path, with_pixels=False)
    if not datasets:
        raise _Refused("empty", f"'{folder.name}' holds no DICOM file; send the series again")
    slices = {path: dataset for path, dataset in datasets.items() if kind_of(dataset) not in OBJECTS}
    if not slices:
        path, dataset = next(iter(datasets.items()))
        raise _Refused("no image", f"'{path.name}' is {OBJECTS[kind_of(dataset)][0]}; send the CT itself")
    return slices


def _check_one_series(slices, folder):
    for path, dataset in slices.items():
        with _refusing("unreadable", path):
            if reason := reason_to_leave_out(dataset):
                if reason.startswith(FREE_TEXT):
                    reason = reason.partition(": ")[2]
                kind = "localizer" if any(word in reason.upper() for word in SCOUTS) else "no image"
                raise _Refused(kind, f"'{path.name}' is no slice of a scan ({reason}); send the slices alone")
    found = Counter(str(dataset.get("SeriesInstanceUID", "none")) for dataset in slices.values())
    if len(found) > 1:
        counts = " and ".join(map(str, found.values()))
        raise _Refused("several series", f"'{folder.name}' holds {counts} slices of {len(found)} series; send one")
    # else results would be one person's with another's name
    for name in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        if len({str(dataset.get(name, "")) for dataset in slices.values()}) > 1:
            raise _Refused("several series", f"the slices in '{folder.name}' differ in {name}; send those of one scan")


def _check_header(dataset, path):
    if missing := [name for name in NEEDED if not dataset.get(name)]:
        raise _Refused("unreadable", f"'{path.name}' has no {missing[0]}, and no result can refer to it; send it again")
    if (modality := _upper(dataset, "Modality")) != "CT":
        named = modality if len(modality) == 2 else "unknown"  # a code, and not whatever somebody has written there
        raise _Refused("modality", f"'{path.name}' has the modality {named}; send a CT")
    if "PerFrameFunctionalGroupsSequence" in dataset or int(dataset.get("NumberOfFrames") or 1) > 1:
        raise _Refused("several frames", f"'{path.name}' holds several slices in one file; send one file per slice")
    if agents := [name for name in CONTRAST if _upper(dataset, name) not in NO_CONTRAST]:
        raise _Refused(
            "contrast", f"'{path.name}' was taken with a contrast agent ({agents[0]}); send the series before it"
        )
    if (part := _upper(dataset, "BodyPartExamined")) and part not in CHEST:
        raise _Refused("body part", f"'{path.name}' shows by its header no chest; send one, or correct the header")


def _upper(dataset, name):
    value = dataset.get(name)
    if name.endswith("Sequence"):
        return "GIVEN" if value else ""
    return "" if value is None else str(value).strip().upper()


def _check_volume(slices, folder, about):
    path, first = next(iter(slices.items()))
    *directions, _ = geometry_of(first, path)
    away = np.rad2deg(np.arccos([min(1.0, np.abs(axis).max()) for axis in directions])).max()
    if away > TILTED or [int(np.abs(axis).argmax()) for axis in directions] != [0, 1, 2]:
        raise _Refused("plane", f"the slices in '{folder.name}' are not axial; send the axial series of the scan")
    try:
        grid = series_grid(folder)
    except DataError as error:
        kind = next((kind for words, kind in KINDS.items() if words in str(error)), "unreadable")
        raise _Refused(kind, str(error)) from None
    smallest, largest = about.pixel
    sides = [step * n / side for step, n, side in zip(grid.spacing[1:], grid.array.shape[1:3], about.side, strict=True)]
    if not all(smallest / NEAR <= side <= largest * NEAR for side in sides):
        here = " × ".join(f"{side:.2f}" for side in sides)
        raise _Refused(
            "spacing",
            f"resized to {about.side[0]}×{about.side[1]}, the slices in '{folder.name}' have pixels of {here} mm, and "
            f"the training has seen {smallest:g} to {largest:g} mm; reconstruct the scan with another field of view",
        )


def _check_pixels(path):
    dataset = open_dicom(path)
    if "PixelData" not in dataset:
        raise DataError(f"'{path.name}' is DICOM without pixels; send it again")
    reading = reading_of_pixels(dataset, path)
    if reading.unit != "HU":
        raise _Refused(
            "no HU", f"'{path.name}' has {reading.rule}, no Hounsfield units; send it with its rescale slope"
        )
