"""Folders of volumes as slices with their masks: Medical Segmentation Decathlon, BraTS, folders of NIfTI."""

import json
from pathlib import PurePosixPath

import numpy as np

from ..files.images import read_image, read_mask
from ..files.pairing import natural_key, pair_files
from ..files.paths import DataError, stem_of, user_path
from . import preprocessing
from .layouts import WHAT, check_memory
from .preprocessing import encode_mask, resize_image, resize_mask

BRATS_SEQUENCES = ("flair", "t1", "t1ce", "t2")
BRATS_CLASSES = {0: "background", 1: "necrotic core", 2: "edema", 4: "enhancing tumor"}


def load_decathlon(folder, *, size=None, volumes=None, window=(-600, 1500)):
    """One task of the Medical Segmentation Decathlon, as its ``dataset.json`` lists it (arXiv 2106.05735).

    Parameters
    ----------
    folder : str or Path
        With ``dataset.json``, ``imagesTr/`` and ``labelsTr/``. The images without labels in ``imagesTs/`` are not read.
    size, volumes, window
        As for :func:`load_volumes`.
    """
    folder = user_path(folder)
    try:
        content = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        training = [(entry["image"], entry["label"]) for entry in content["training"]]
        labels = {int(value): str(name) for value, name in content["labels"].items()}
        modality = " ".join(map(str, content.get("modality", {}).values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"'{folder.name}/dataset.json' cannot be read as that of a Decathlon task, with 'training', 'labels' and "
            f"'modality'; copy it again ({type(error).__name__}: {error})"
        ) from None
    cases = []
    for image, label in training:
        for name in (image, label):
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
                raise DataError(f"'{folder.name}/dataset.json' names '{name}', outside of its folder; repair it")
        cases.append((stem_of(image), [folder / image], folder / label))
    listed = {paths[0].name for _, paths, _ in cases}
    more = [path.name for path in (folder / "imagesTr").glob("[!.]*") if path.name not in listed]
    report = [f"recognized: {WHAT['decathlon']}: {content.get('name', folder.name)}, {modality or 'no modality given'}"]
    if more:
        report.append(f"{len(more)} files of imagesTr left out, dataset.json does not list them: {', '.join(more[:5])}")
    values = {value: index for index, value in enumerate(sorted(labels))}
    names = tuple(labels[value] for value in sorted(labels))
    return load_volumes(folder.name, cases, names, values, modality, report, size=size, volumes=volumes, window=window)


def load_brats(folder, *, size=None, volumes=None):
    """BraTS: ``<patient>/<patient>_{flair,t1,t1ce,t2,seg}.nii``, four sequences as channels in this order.

    The stored labels 0, 1, 2, 4 become the classes 0, 1, 2, 3.
    """
    folder = user_path(folder)
    found = [path for path in folder.glob("*/*_flair.nii*") if not path.name.startswith(".")]
    cases = []
    for flair in sorted(found, key=lambda path: natural_key(path.name)):
        patient, end = flair.name.split("_flair.nii")
        paths = [flair.with_name(f"{patient}_{kind}.nii{end}") for kind in (*BRATS_SEQUENCES, "seg")]
        cases.append((patient, paths[:-1], paths[-1]))
    values = {value: index for index, value in enumerate(BRATS_CLASSES)}
    report = [
        f"recognized: {WHAT['brats']}",
        f"channels {', '.join(BRATS_SEQUENCES)}; labels 0, 1, 2, 4 are the classes 0, 1, 2, 3",
    ]
    names = tuple(BRATS_CLASSES.values())
    return load_volumes(folder.name, cases, names, values, "MRI", report, size=size, volumes=volumes)


def load_volume_folders(
    folders, *, size=None, volumes=None, window=(-600, 1500), class_names=None, mask_values=None, problems="raise"
):
    """Two folders of NIfTI volumes, matched by name as :func:`unet_helpers.pair_files` does."""
    image_folder, mask_folder = folders
    pairing = pair_files(image_folder, mask_folder, check_contents=False)
    if not pairing.ok and problems == "raise":
        raise DataError(f"{pairing}\nRepair the files, or pass problems='leave_out' to go on without these")
    cases = [(stem_of(image), [image], mask) for image, mask in pairing.pairs]
    report = [f"recognized: {WHAT['volumes']}"]
    if not pairing.ok:
        out = {*pairing.images_without_mask, *pairing.masks_without_image}
        out |= {path for problem in pairing.problems for path in problem.paths}
        report.append(f"{len(out)} files left out: " + ", ".join(sorted(f"{p.parent.name}/{p.name}" for p in out)))
    if class_names is None:
        highest = max(mask_values.values()) if mask_values else max(int(read_mask(mask).max()) for _, _, mask in cases)
        if not 1 <= highest <= 20:
            raise DataError(f"the masks' highest value is {highest}; give class_names and mask_values")
        class_names = ("background", *(f"class {index}" for index in range(1, highest + 1)))
    name, options = image_folder.parent.name, {"size": size, "volumes": volumes, "window": window}
    return load_volumes(name, cases, tuple(class_names), mask_values, "", report, **options)


def load_volumes(name, cases, class_names, mask_values, modality, report, *, size=None, volumes=None, window=None):
    """Cut volumes into axial slices; a patient is a volume, its sequences are the channels.

    Parameters
    ----------
    cases : list of (patient id, image paths, mask path)
    class_names : tuple of str
    mask_values : dict of int to int or None
        From stored value to class, as in :func:`unet_helpers.data.encode_mask`.
    modality : str
        "CT" is windowed; "MRI" has no unit, so each volume and sequence is scaled by its own percentiles 0.5 and
        99.5. Without either, values below -200 mean CT.
    size : int, optional
        Height and width of the slices; without it all volumes must have one.
    volumes : int, optional
        Read only the first so many.
    window : (float, float)
        Level and width for CT in HU.

    Returns
    -------
    name, class_names, arrays, report
        ``arrays`` holds the columns of a :class:`unet_helpers.Subset` by name.
    """
    cases = cases[:volumes]
    if not cases:
        raise DataError(f"'{name}' holds no volume with a mask; is it the right folder?")
    _check_there(cases)
    check_memory(name, _bytes_of(cases, size), "pass a smaller size, e.g. size=128, or volumes=10 to read only ten")
    images, masks, spacings, depths = [], [], [], []
    for _, paths, mask_path in cases:
        image, spacing = _read_channels(paths)
        mask = read_mask(mask_path)
        if image.ndim != 4 or mask.shape != image.shape[:3]:
            found, expected = ("×".join(map(str, shape)) for shape in (mask.shape, image.shape[:-1]))
            raise DataError(f"mask '{mask_path.name}' is {found} but '{paths[0].name}' is {expected}; repair one")
        modality = modality or ("CT" if image.min() < -200 else "MRI")
        image = preprocessing.window(image, *window) if "CT" in modality else _scale_by_percentiles(image)
        try:
            mask = encode_mask(mask, len(class_names), mask_values)
        except ValueError as error:
            raise DataError(f"mask '{mask_path.name}': {error}") from None
        image, mask, in_plane = _resize_slices(image, mask, spacing[1:], size)
        if images and image.shape[1:] != images[0].shape[1:]:
            here, first = ("×".join(map(str, shape[1:])) for shape in (image.shape, images[0].shape))
            raise DataError(f"'{paths[0].name}' has slices of {here}, others {first}; pass size, e.g. size=128")
        images.append(image)
        masks.append(mask)
        spacings.append(in_plane)
        depths.append(len(image))
    patients = [patient for patient, _, _ in cases]
    arrays = {
        "images": np.concatenate(images),
        "masks": np.concatenate(masks),
        "patient_ids": np.repeat(patients, depths),
        "case_ids": np.array([f"{p}_Z_{z:03d}" for p, d in zip(patients, depths, strict=True) for z in range(d)]),
        "spacing": np.repeat(spacings, depths, axis=0),
    }
    rule = "each volume scaled by its percentiles 0.5, 99.5"
    if "CT" in modality:
        rule = f"HU, window {window[0]}/{window[1]}"
    cut = f"{len(cases)} volumes cut into {sum(depths)} axial slices, a patient is a volume; {rule}"
    return name, class_names, arrays, [*report, cut]


def _check_there(cases):
    for _, paths, mask_path in cases:
        for path in (*paths, mask_path):
            if not path.is_file():
                raise FileNotFoundError(f"no file '{path.parent.name}/{path.name}'; copy it, or remove its patient")


def _bytes_of(cases, size):
    import nibabel

    needed = 0
    for _, paths, _ in cases:
        for path in paths:
            try:
                shape = nibabel.load(path).shape
            except Exception:  # damaged: the reading names it
                continue
            plane = size * size if size else shape[0] * shape[1]
            needed += 5 * plane * int(np.prod(shape[2:]))  # four bytes for the image, one for the mask
    return needed


def _read_channels(paths):
    read = [read_image(path) for path in paths]
    for path, (image, spacing) in zip(paths, read, strict=True):
        if image.shape != read[0][0].shape or not np.allclose(spacing, read[0][1], rtol=1e-3):
            raise DataError(f"'{path.name}' has another shape or spacing than '{paths[0].name}'; resample it")
    return np.concatenate([image for image, _ in read], axis=-1), read[0][1]


def _scale_by_percentiles(volume):
    """Each channel from its percentiles 0.5 and 99.5, among the values that are not 0, to 0 and 1."""
    scaled = np.zeros_like(volume)
    for channel in range(volume.shape[-1]):
        values = volume[..., channel]
        seen = values[values != 0]
        if len(seen):
            low, high = np.percentile(seen, (0.5, 99.5))
            low = min(low, 0) if (seen > 0).all() else low  # air is 0 and stays 0
            scaled[..., channel] = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    return scaled


def _resize_slices(image, mask, spacing, size):
    shape = image.shape[1:3]
    if size is None or shape == (size, size):
        return image, mask, spacing
    image = np.stack([resize_image(plane, (size, size)) for plane in image])
    mask = np.stack([resize_mask(plane, (size, size)) for plane in mask])
    return image, mask, tuple(s * n / size for s, n in zip(spacing, shape, strict=True))
