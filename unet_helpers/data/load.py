"""One door to every data source: a name or a folder in, three subsets split by patient out."""

import re
from pathlib import Path

import numpy as np

from ..files.downloads import SOURCES, fetch
from ..files.paths import DataError, user_path
from .decisions import FILE, read_decisions
from .dicom_folders import load_dicom_folders
from .layouts import WHAT, recognize
from .lidc import load_lidc
from .nnunet import load_decathlon, load_nnunet
from .object_folders import load_cellpose, load_class_files, load_dsb2018
from .picture_folders import (
    load_classes_in_folders,
    load_folders_of_suffixes,
    load_pairs,
    load_patient_folders,
    load_train_test,
)
from .subsets import Dataset, check_no_overlap, split_by_patient
from .synthetic import load_phantom
from .volume_folders import load_brats, load_volume_folders

#: shares of the patients in train, validation and test
FRACTIONS = (0.7, 0.15, 0.15)


def load_dataset(source="phantom", *, size=None, seed=0, fractions=None, layout=None, **options):
    """Load a data source by name or path, split by patient.

    Parameters
    ----------
    source : str or Path
        ``"phantom"`` for the synthetic patients that need no download, the name of a public set that
        :func:`unet_helpers.fetch` knows (``"Task04_Hippocampus"``), or a folder in a layout that
        :func:`unet_helpers.data.recognize_layout` knows: two folders of images and masks
        (``2d_images/`` and ``2d_masks/``, ``images/`` and ``masks/``), ``x.png`` beside ``x_mask.png``,
        DICOM series with a segmentation or a NIfTI as mask, LIDC, DSB2018, Medical Segmentation Decathlon, nnU-Net,
        BraTS, Cellpose and others. The report says what was
        recognized, and what the folder could be as well.
    size : int, optional
        Height and width of the slices. Default: 128 for the phantom, the stored size for a folder.
    seed : int
        Of the phantom's patients and of the split.
    fractions : (float, float, float), optional
        Shares of the patients in train, validation and test; default .7, .15 and .15. Folders named train,
        validation and test are the split themselves; one of them that is not there is taken from train.
    layout : str, optional
        One of :data:`unet_helpers.data.layouts.LAYOUTS`, where another was recognized than is meant.
    options
        Phantom: ``patients``, ``slices``, ``window``, ``variety``. Any folder: ``patient_pattern``. Folder of pairs:
        ``class_names``, ``mask_values``, ``problems``, ``value_range``. LIDC: ``consensus``. Volumes: ``volumes``,
        ``window``; folders of volumes and nnU-Net: ``modality``. See :func:`unet_helpers.data.synthetic.load_phantom`,
        :func:`unet_helpers.data.picture_folders.load_pairs`, :func:`unet_helpers.data.load_lidc` and
        :mod:`unet_helpers.data.layouts`. What ``series.toml`` in the folder decides
        (:mod:`unet_helpers.data.decisions`) need not be said in the call; what the call says goes first.

    Returns
    -------
    Dataset

    Raises
    ------
    FileNotFoundError, ValueError
        One sentence with the file or folder and the remedy.
    """
    if str(source) == "phantom":
        fractions = fractions or FRACTIONS
        name, class_names, everything, report = load_phantom(size=size or 128, seed=seed, **options)
    else:
        folder = source_folder(source)
        decided = read_decisions(folder)
        called, card = decided.pop("name", None), decided.pop("model_card", None)
        said = {"size": size, "fractions": fractions}
        options = decided | {key: value for key, value in said.items() if value is not None} | options
        fractions = options.pop("fractions", FRACTIONS)
        layout, detail, others = recognize(folder, options.pop("layout", layout))
        name, class_names, everything, report = _call(layout, detail, options, decided)
        name, report = called or name, _with_runner_up(report, layout, others)
        in_force = [key for key, words in (("name", called), ("model_card", card)) if words] + list(decided)
        if in_force:
            report = [*report, f"decided in {FILE}: {', '.join(in_force)}"]
    if layout == "train_test":
        parts = _split_as_folders(everything, fractions, seed)
    else:
        parts = split_by_patient(everything.patient_ids, fractions, seed)
    return Dataset(name, class_names, *(everything[part] for part in parts), report)


def _call(layout, detail, options, decided):
    """Load, and turn an option that the layout does not know into one sentence."""
    loader = LOADERS[layout]
    try:
        return loader(detail, **{"size": None, **options})
    except TypeError as error:
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if not unknown or unknown.group(1) not in options:
            raise
        where = f" in {FILE}" if unknown.group(1) in decided else ""
        raise DataError(f"{unknown.group(1)}{where} does not go with the layout {layout!r}, {WHAT[layout]}") from None


def _with_runner_up(report, layout, others):
    """Say what else the folder could be, right behind what it was taken for."""
    if not others:
        return report
    said = report[0] if report[0].startswith("recognized") else f"recognized: {WHAT[layout]}"
    also = "; or ".join(f"{WHAT[other]} (layout={other!r})" for other in others)
    rest = report[1:] if said == report[0] else report
    return [said, f"it could also be: {also}", *rest]


def _split_as_folders(everything, fractions, seed):
    """The indices of the three sides by the folder in each case's name; a side without a folder comes from train."""
    side = np.array([case.partition("/")[0] for case in everything.case_ids.tolist()])
    parts = [np.flatnonzero(side == name) for name in ("train", "validation", "test")]
    present = [len(part) > 0 for part in parts]
    try:
        check_no_overlap(*(everything.patient_ids[part] for part in parts))
    except ValueError as error:
        raise DataError(
            f"the folders train, validation and test share patients: {error}. If these are others that share a name, "
            "say with patient_pattern where the patient stands, or load one of the folders alone"
        ) from None
    if all(present):
        return parts
    train = parts[0]
    if not present[1]:
        shares = (fractions[0] / 2, fractions[0] / 2, fractions[1])
    else:
        shares = (fractions[0] / 2, fractions[0] / 2, fractions[2])
    divided = split_by_patient(everything.patient_ids[train], tuple(s / sum(shares) for s in shares), seed)
    parts[0], taken = np.sort(train[np.concatenate(divided[:2])]), train[divided[2]]
    parts[present.index(False)] = taken
    return parts


def source_folder(source):
    """The folder of a source, which is fetched first if it is the name of a public set."""
    return fetch(source) if source in SOURCES and not Path(source).exists() else user_path(source)


#: by the name of the layout: from what it found, to (name, class names, Subset, report)
LOADERS = {
    "nnunet": load_nnunet,
    "decathlon": load_decathlon,
    "pairs": lambda folders, **options: load_pairs(*folders, **options),
    "volumes": load_volume_folders,
    "dicom": load_dicom_folders,
    "classes": load_classes_in_folders,
    "train_test": load_train_test,
    "lidc": load_lidc,
    "patients": load_patient_folders,
    "class_files": load_class_files,
    "dsb2018": load_dsb2018,
    "brats": load_brats,
    "cellpose": load_cellpose,
    "suffixes": lambda folder, **options: load_pairs(folder, None, **options),
    "folders_of_suffixes": load_folders_of_suffixes,
}
