"""Folders of pictures as slices with their masks: pairs by name, LIDC, and one mask per object (DSB2018)."""

import re

import numpy as np

from ..files.images import read_image, read_mask
from ..files.pairing import natural_key, pair_files, pair_suffixes
from ..files.paths import DataError, stem_of, user_path
from . import layouts
from .layouts import WHAT
from .preprocessing import encode_mask, resize_image, resize_mask, scale_to_unit
from .subsets import Subset


def load_pairs(
    image_folder,
    mask_folder,
    *,
    size=None,
    class_names=None,
    mask_values=None,
    problems="raise",
    patient_pattern=None,
):
    """Images and masks from two folders, paired by name.

    Parameters
    ----------
    image_folder, mask_folder : str or Path
        ``mask_folder`` is None where the masks stand beside the images, as ``x_mask.png``.
    size : int, optional
        Resize to ``size × size``; without it all images must have one size.
    class_names : sequence of str, optional
        One per class, background first. Default: as many classes as the masks hold.
    mask_values : dict of int to int, optional
        What each stored mask value means, as in :func:`unet_helpers.data.encode_mask`.
    problems : "raise" or "leave_out"
        What to do when a file has no partner, or a pair cannot be used. ``"leave_out"`` goes on
        without them and says so in the dataset's report.
    patient_pattern : str, optional
        Regular expression whose first group is the patient id in a file name. Default: what stands
        before the last number, so ``ID_0264_Z_0080`` is patient ``ID_0264``.
    """
    if problems not in ("raise", "leave_out"):
        raise ValueError(f"problems is {problems!r}; choose 'raise' or 'leave_out'")
    pairing = pair_suffixes(image_folder) if mask_folder is None else pair_files(image_folder, mask_folder)
    blocking = [problem for problem in pairing.problems if not (problem.kind == "values" and mask_values)]
    unpaired = [*pairing.images_without_mask, *pairing.masks_without_image]
    left_out = len({path for problem in blocking for path in problem.paths} | set(unpaired))
    if left_out and problems == "raise":
        raise DataError(f"{pairing}\nRepair the files, or pass problems='leave_out' to go on without these")
    odd = {path for problem in blocking if problem.kind == "values" for path in problem.paths}
    pairs = [pair for pair in pairing.pairs if pair[1] not in odd]
    if not pairs:
        raise DataError(f"no usable pair is left:\n{pairing}")

    images, masks, spacings = [], [], []
    for image_path, mask_path in pairs:
        image, spacing = read_image(image_path)
        if image.ndim != 3:
            size = "×".join(map(str, image.shape[:-1]))
            raise DataError(f"'{image_path.name}' is a volume of {size}; save its slices one by one")
        if not images:
            remedy = "read a batch at a time with unet_helpers.training.stream_pairs"
            layouts.check_memory(image_path.parent.name, 1.25 * image.nbytes * len(pairs), remedy)
        images.append(image)
        masks.append(read_mask(mask_path))
        spacings.append(spacing or (np.nan, np.nan))
    images, rule = scale_to_unit(_same_channels(images, pairs))
    images, masks, spacings = _resize_all(images, masks, spacings, size, pairs)
    masks, class_names = _encode_all(masks, class_names, mask_values, pairs)

    names = [stem_of(image_path) for image_path, _ in pairs]
    ids, how = patient_ids_from_names(names, patient_pattern)
    everything = Subset(np.stack(images), np.stack(masks), ids, np.array(names), np.array(spacings, dtype=float))
    report = [f"{len(pairs)} pairs, {rule}", how]
    if left_out:
        report.append(f"{left_out} files left out: " + ", ".join(_left_out_names(blocking, unpaired)))
    if mask_folder is None:
        report.insert(0, f"recognized: {layouts.WHAT['suffixes']}")
    folder = user_path(image_folder) if mask_folder is None else user_path(image_folder).parent
    return folder.name, class_names, everything, report


def patient_ids_from_names(names, pattern=None):
    """The patient id inside each file name.

    Returns
    -------
    ids : ``(N,)`` str
    how : str
        The rule that was used, for the report.
    """
    if pattern is not None:
        found = [re.search(pattern, name) for name in names]
        missed = [name for name, match in zip(names, found, strict=True) if match is None or not match.groups()]
        if missed:
            raise DataError(
                f"patient_pattern {pattern!r} finds no group in '{missed[0]}' ({len(missed)} of {len(names)} names); "
                "it needs one group in parentheses, such as r'(ID_\\d+)'"
            )
        return np.array([match.group(1) for match in found]), f"patient id by pattern {pattern}"
    # greedy up to a digit that something other than a digit follows: what stands before the last number
    matches = [re.match(r"^(.*\d)\D+\d+$", name) for name in names]
    if all(matches):
        return np.array([match.group(1) for match in matches]), "patient id is what stands before the last number"
    return np.array(names), "no patient id in the file names: each file counts as one patient"


def load_lidc(folder, *, size=None, consensus=2):
    """LIDC nodule slices with up to four readers' outlines.

    Parameters
    ----------
    folder : str or Path
        ``<patient>/nodule-<n>/{images,mask-0,mask-1,…}/slice-<k>.png``
    size : int, optional
        Resize to ``size × size``.
    consensus : int
        How many readers must have marked a pixel for it to count: 1 any, 2 half, 4 all of four.
    """
    folder = user_path(folder)
    paths = sorted(folder.glob("*/nodule-*/images/*.png"), key=lambda path: natural_key(path.relative_to(folder)))
    if not paths:
        raise DataError(f"no <patient>/nodule-<n>/images/*.png in '{folder}'; is it the folder of the patients?")
    images, readers = [], []
    for path in paths:
        image, _ = read_image(path)
        reader_folders = sorted(path.parents[1].glob("mask-*"))
        if not 1 <= consensus <= len(reader_folders):
            raise DataError(
                f"consensus of {consensus} readers, but '{path.parents[1].relative_to(folder)}' has "
                f"{len(reader_folders)} mask folders; choose 1 to {len(reader_folders)}"
            )
        masks = []
        for reader in reader_folders:
            if not (reader / path.name).is_file():
                raise FileNotFoundError(f"no mask '{(reader / path.name).relative_to(folder)}' for its image; add it")
            mask = read_mask(reader / path.name)
            if mask.shape != image.shape[:2]:
                raise DataError(f"mask '{(reader / path.name).relative_to(folder)}' has another size than its image")
            masks.append((mask > 0).astype(np.uint8))
        images.append(image[..., :1])
        readers.append(np.stack(masks, axis=-1))
    counts = {mask.shape[-1] for mask in readers}
    if len(counts) > 1:
        raise DataError(f"nodules in '{folder}' have {sorted(counts)} readers; bring them to one number")
    images, rule = scale_to_unit(images)
    pairs = [(path, path) for path in paths]
    images, readers, spacings = _resize_all(images, readers, [(np.nan, np.nan)] * len(paths), size, pairs)
    readers = np.moveaxis(np.stack(readers), -1, 1)
    masks = (readers.sum(axis=1) >= consensus).astype(np.uint8)
    ids = np.array([path.parents[2].name for path in paths])
    cases = np.array(["/".join((path.parents[2].name, path.parents[1].name, path.stem)) for path in paths])
    everything = Subset(np.stack(images), masks, ids, cases, np.array(spacings), readers)
    empty = int((masks.sum(axis=(1, 2)) == 0).sum())
    report = [
        f"{len(paths)} slices of {len(set(ids.tolist()))} patients, {rule}",
        f"nodule where at least {consensus} of {readers.shape[1]} readers marked it; {empty} slices have none",
    ]
    return folder.name, ("background", "nodule"), everything, report


def _left_out_names(blocking, unpaired):
    paths = {path for problem in blocking for path in problem.paths} | set(unpaired)
    return sorted((f"{path.parent.name}/{path.name}" for path in paths), key=natural_key)


def _same_channels(images, pairs):
    """Gray pictures saved as RGB become gray; true color among gray is an error."""
    channels = {image.shape[-1] for image in images}
    gray = [i.shape[-1] == 1 or bool((i == i[..., :1]).all()) for i in images]
    if all(gray):
        return [image[..., :1] for image in images]
    if len(channels) > 1:
        odd = pairs[gray.index(False)][0].name
        raise DataError(f"'{odd}' has color but other images are gray; convert it, or keep the kinds apart")
    return images


def _resize_all(images, masks, spacings, size, pairs):
    shapes = [image.shape[:2] for image in images]
    if size is None:
        if len(set(shapes)) > 1:
            other = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
            raise DataError(
                f"'{pairs[other][0].name}' is {shapes[other][0]}×{shapes[other][1]} but '{pairs[0][0].name}' is "
                f"{shapes[0][0]}×{shapes[0][1]}; pass size, e.g. size=128, to bring all to one"
            )
        return images, masks, spacings
    resized_images, resized_masks, resized_spacings = [], [], []
    for image, mask, spacing, shape in zip(images, masks, spacings, shapes, strict=True):
        if shape != (size, size):
            image = resize_image(image, (size, size))
            mask = resize_mask(mask, (size, size, *mask.shape[2:]))
            spacing = tuple(s * n / size for s, n in zip(spacing, shape, strict=True))
        resized_images.append(image)
        resized_masks.append(mask)
        resized_spacings.append(spacing)
    return resized_images, resized_masks, resized_spacings


def _encode_all(masks, class_names, mask_values, pairs):
    found = sorted(set().union(*(np.unique(mask).tolist() for mask in masks)))
    if class_names is None:
        highest = max(mask_values.values()) if mask_values else (1 if set(found) <= {0, 255} else found[-1])
        if highest > 20:
            raise DataError(
                f"the masks hold the values {found[:8]}…; that is no list of classes. Give class_names and mask_values"
            )
        class_names = (
            ("background", "foreground")
            if highest <= 1
            else tuple(["background"] + [f"class {i}" for i in range(1, highest + 1)])
        )
    encoded = []
    for mask, (_, mask_path) in zip(masks, pairs, strict=True):
        try:
            encoded.append(encode_mask(mask, len(class_names), mask_values))
        except ValueError as error:
            raise DataError(f"mask '{mask_path.name}': {error}") from None
    if not any(mask.any() for mask in encoded):
        raise DataError("every mask is empty: there is nothing to learn; check the mask folder")
    return encoded, tuple(class_names)


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
