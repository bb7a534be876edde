"""How public data sets lay out their folders: recognize the layout, and read it as slices with their masks.

The layouts whose files are matched by name, and LIDC, are read in :mod:`unet_helpers.datasets`; here are those that
come as volumes (Medical Segmentation Decathlon, BraTS, folders of NIfTI) or with one mask per object (DSB2018).
"""

import json
from pathlib import PurePosixPath

import numpy as np
import psutil

from . import preprocessing
from .images import READABLE, DataError, read_image, read_mask, stem_of, suffix_of, user_path
from .pairing import is_mask_name, natural_key, pair_files
from .preprocessing import encode_mask, resize_image, resize_mask, scale_to_unit

FOLDER_PAIRS = (("2d_images", "2d_masks"), ("images", "masks"), ("imagesTr", "labelsTr"), ("image", "mask"))
BRATS_SEQUENCES = ("flair", "t1", "t1ce", "t2")
BRATS_CLASSES = {0: "background", 1: "necrotic core", 2: "edema", 4: "enhancing tumor"}
WHAT = {
    "pairs": "two folders of pictures, matched by name",
    "volumes": "two folders of NIfTI volumes, matched by name",
    "suffixes": "one folder in which x_mask is the mask of x",
    "lidc": "LIDC nodules, one mask per reader",
    "dsb2018": "DSB2018, one mask per object",
    "decathlon": "Medical Segmentation Decathlon, by its dataset.json",
    "brats": "BraTS, one folder per patient with four sequences",
}


def recognize_layout(folder):
    """Say how a folder is laid out.

    Returns
    -------
    layout : str
        ``"pairs"``, ``"volumes"``, ``"suffixes"``, ``"lidc"``, ``"dsb2018"``, ``"decathlon"`` or ``"brats"``;
        :data:`WHAT` says it in words.
    detail : (Path, Path) or Path
        The folders of images and masks for ``"pairs"`` and ``"volumes"``, else the folder.

    Raises
    ------
    FileNotFoundError, DataError
        If the folder is not there, or is none of these.
    """
    folder = user_path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no data source '{folder}': neither a folder nor the name 'phantom'; check the path")
    if (folder / "dataset.json").is_file() and (folder / "imagesTr").is_dir():
        return "decathlon", folder
    for names in FOLDER_PAIRS:
        images, masks = (folder / name for name in names)
        if images.is_dir() and masks.is_dir():
            return ("volumes" if _holds_volumes(images) else "pairs"), (images, masks)
    if any(folder.glob("*/nodule-*/images")):
        return "lidc", folder
    if any((path.parents[1] / "images").is_dir() for path in folder.glob("*/masks/*.png")):
        return "dsb2018", folder
    if any(not path.name.startswith(".") for path in folder.glob("*/*_flair.nii*")):
        return "brats", folder
    files = [path for path in folder.iterdir() if suffix_of(path) in READABLE and not path.name.startswith(".")]
    if 0 < sum(map(is_mask_name, files)) < len(files):
        return "suffixes", folder
    inside = sorted(path.name for path in folder.iterdir())[:5]
    raise DataError(
        f"folder '{folder.name}' has no layout known here (found: {', '.join(inside) or 'nothing'}); expected "
        "2d_images/ and 2d_masks/, images/ and masks/, x.png beside x_mask.png, <patient>/nodule-<n>/images/ (LIDC), "
        "<id>/images/ and <id>/masks/ (DSB2018), dataset.json with imagesTr/ (Decathlon), or "
        "<patient>/<patient>_flair.nii (BraTS)"
    )


def _holds_volumes(folder):
    import nibabel

    for path in sorted(folder.glob("*.nii*")):
        if not path.name.startswith("."):
            try:
                return sum(n > 1 for n in nibabel.load(path).shape[:3]) == 3
            except Exception:  # damaged: the reading of pairs names it
                return False
    return False


# --- volumes --------------------------------------------------------------------------------------


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
        From stored value to class, as in :func:`unet_helpers.preprocessing.encode_mask`.
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


def check_memory(name, needed, remedy):
    """All slices are held at once, and for a moment twice: say so before the machine stops."""
    free = psutil.virtual_memory().available
    if 2 * needed > free:
        raise DataError(f"'{name}' takes {2 * needed / 1e9:.1f} GB to load and {free / 1e9:.1f} GB are free; {remedy}")


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


# --- one mask per object --------------------------------------------------------------------------


def load_dsb2018(folder, *, size=None):
    """DSB2018 nuclei: ``<id>/images/<id>.png`` and ``<id>/masks/*.png``, one mask per nucleus; an image is a patient.

    The masks of an image are merged to one of class 1, and kept apart as numbers 1, 2, … in the subset's
    ``instances``. Where two overlap, the later in the order of names has the pixel, and the report counts them.
    """
    folder = user_path(folder)
    ids = [path for path in folder.iterdir() if (path / "images").is_dir()]
    ids.sort(key=lambda path: natural_key(path.name))
    images, instances, overlap = [], [], 0
    for path in ids:
        pictures, mask_paths = (sorted((path / kind).glob("[!.]*.png")) for kind in ("images", "masks"))
        if len(pictures) != 1 or not mask_paths:
            raise DataError(
                f"'{path.name}' holds {len(pictures)} images and {len(mask_paths)} masks; "
                "one image and at least one mask are expected"
            )
        image, _ = read_image(pictures[0])
        numbered = np.zeros(image.shape[:2], np.int32)
        for number, mask_path in enumerate(mask_paths, start=1):
            mask = read_mask(mask_path)
            if mask.shape != numbered.shape:
                raise DataError(f"mask '{path.name}/masks/{mask_path.name}' has another size than its image")
            overlap += int(((mask > 0) & (numbered > 0)).sum())
            numbered[mask > 0] = number
        images.append(image)
        instances.append(numbered)
    images, rule = scale_to_unit(_gray_if_all_are(images))
    objects = sum(len(np.unique(numbered)) - 1 for numbered in instances)
    if size is None and len({image.shape for image in images}) > 1:
        raise DataError(f"the images in '{folder.name}' have several sizes; pass size, e.g. size=128")
    if size is not None:
        images = [resize_image(image, (size, size)) for image in images]
        instances = [resize_mask(numbered, (size, size)) for numbered in instances]
    instances = np.stack(instances)
    names = np.array([path.name for path in ids])
    arrays = {
        "images": np.stack(images),
        "masks": (instances > 0).astype(np.uint8),
        "patient_ids": names,
        "case_ids": names,
        "spacing": np.full((len(ids), 2), np.nan),
        "instances": instances,
    }
    report = [
        f"recognized: {WHAT['dsb2018']}",
        f"{len(ids)} images with {objects} objects, {rule}; {overlap} pixels in two objects went to the later one",
    ]
    lost = objects - sum(len(np.unique(numbered)) - 1 for numbered in instances)
    if lost:
        report.append(f"{lost} objects vanished at {size}×{size}")
    return folder.name, ("background", "object"), arrays, report


def _gray_if_all_are(images):
    """One channel if no image has color, else three for all."""
    if all(bool((image == image[..., :1]).all()) for image in images):
        return [image[..., :1] for image in images]
    return [np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image for image in images]


LOADERS = {
    "decathlon": load_decathlon,
    "brats": load_brats,
    "volumes": load_volume_folders,
    "dsb2018": load_dsb2018,
}
