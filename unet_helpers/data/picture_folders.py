"""Folders of pictures as slices with their masks, matched by name: one pair of folders, or several as one source."""

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..files.images import read_file
from ..files.masks import palettes_agree
from ..files.pairing import Pairing, look_into, natural_key, pair_files, pair_suffixes, plain_name
from ..files.paths import DataError, stem_of, user_path
from ..files.reading import Remarks, check_one_grid
from . import layouts
from .grays import scale_pictures
from .layouts import WHAT
from .origin import Origin
from .patients import DIVISION, PLACE, VISIT, breaking_names, patient_ids_from_names, unique_cases
from .preprocessing import encode_mask, ignored, resize_image, resize_mask
from .subsets import Subset


class Part(NamedTuple):
    """One pair of folders; ``masks`` is None where the masks stand beside the images."""

    label: str  # before the names of its cases, "" where there is one part only
    images: Path
    masks: Path | None


class Item(NamedTuple):
    """One picture with its masks: one, or several that are merged, or one for each class."""

    name: str
    image: Path
    masks: list
    label: str = ""


def load_pairs(image_folder, mask_folder, **options):
    """Images and masks from two folders, paired by name.

    Parameters
    ----------
    image_folder, mask_folder : str or Path
        ``mask_folder`` is None where the masks stand beside the images, as ``x_mask.png``. Several masks of one
        picture, ``x_mask.png`` and ``x_mask_1.png``, are merged.
    size : int, optional
        Resize to ``size × size``; without it all images must have one size.
    class_names : sequence of str, optional
        One per class, background first. Default: as many classes as the masks hold.
    mask_values : dict of int to int, optional
        What each stored mask value means, as in :func:`unet_helpers.data.encode_mask`.
    problems : "raise" or "leave_out"
        What to do when a file has no partner, or a pair cannot be used. ``"leave_out"`` goes on
        without them and says so in the dataset's report.
    patient_pattern : str, dict or path of a table, optional
        Regular expression whose first group is the patient id in a file name, or a table, as in
        :func:`unet_helpers.data.patient_ids_from_names`. Default: what stands before the last number, so
        ``ID_0264_Z_0080`` is patient ``ID_0264``.
    value_range : (float, float), optional
        The stored values that become 0 and 1. Default: by what each file stores, as in
        :mod:`unet_helpers.data.grays`.
    left_out : dict of str to str, optional
        Files that must not be used, as ``x.png`` or ``2d_images/x.png``, and why; their partners go with them.
    spacing : (float, float), optional
        Row and column spacing in mm of pictures that carry none.
    """
    part = Part("", user_path(image_folder), None if mask_folder is None else user_path(mask_folder))
    folder = part.images if mask_folder is None else part.images.parent
    recognized = [f"recognized: {WHAT['suffixes']}"] if mask_folder is None else []
    return load_parts(folder, [part], recognized, **options)


def load_parts(
    folder, parts, recognized, *, problems="raise", mask_values=None, patients="names", left_out=None, **options
):
    """Several pairs of folders as one source; the case of ``x.png`` is ``label/x``.

    Options are those of :func:`load_pairs`; ``patients`` is ``"labels"`` where each part is a patient.
    """
    if problems not in ("raise", "leave_out"):
        raise ValueError(f"problems is {problems!r}; choose 'raise' or 'leave_out'")
    decided = left_out or {}
    pairing, items = _pair_parts(parts, decided)
    reasons = reasons_of(pairing.left_out, decided)
    blocking = [problem for problem in pairing.problems if not (problem.kind == "values" and mask_values)]
    merged = [problem for problem in blocking if problem.kind == "several"]
    blocking = [problem for problem in blocking if problem.kind != "several"]
    unpaired = [*pairing.images_without_mask, *pairing.masks_without_image]
    left_out = {path for problem in blocking for path in problem.paths} | set(unpaired)
    if left_out and problems == "raise":
        raise DataError(f"{pairing}\nRepair the files, or pass problems='leave_out' to go on without these")
    odd = {path for problem in blocking if problem.kind == "values" for path in problem.paths}
    usable = {pair[0] for pair in pairing.pairs if pair[1] not in odd} | {problem.path for problem in merged}
    items = [item for item in items if item.image in usable]
    if problems == "leave_out" and patients == "names" and options.get("patient_pattern") is None:
        stems = [stem_of(item.image) for item in items]
        nobody = set(breaking_names(stems)) if len(breaking_names(stems)) < len(items) / 2 else set()
        left_out |= {path for item in items if stem_of(item.image) in nobody for path in (item.image, *item.masks)}
        items = [item for item in items if stem_of(item.image) not in nobody]
    if not items:
        raise DataError(f"no usable pair is left:\n{pairing}")
    class_names, everything, report = load_items(items, mask_values=mask_values, patients=patients, **options)
    report[0] = report[0].replace(" pictures", " pairs", 1)
    if merged:
        masks = sum(len(problem.paths) - 1 for problem in merged)
        report.append(f"{len(merged)} pictures with several masks ({masks}), merged to one each")
    if left_out:
        names = sorted((f"{path.parent.name}/{path.name}" for path in left_out), key=natural_key)
        report.append(f"{len(left_out)} files left out: " + ", ".join(names))
    report += reasons
    return folder.name, class_names, everything, [*recognized, *report]


def reasons_of(paths, decided):
    """A line for the report of each file that a person has left out; names that stand for no file are refused."""
    names = {name: path for path in paths for name in (path.name, f"{path.parent.name}/{path.name}")}
    unknown = [name for name in decided if name not in names]
    if unknown:
        raise DataError(
            f"left_out names '{unknown[0]}', and there is no such file; write its name as it is, with ending"
        )
    lines = [f"left out by decision: {name} ({why})" for name, why in decided.items()]
    asked = {names[name] for name in decided}
    partners = [f"{path.parent.name}/{path.name}" for path in paths if path not in asked]
    return [*lines, *([f"and with them their partners: {', '.join(partners)}"] if partners else [])]


def _pair_parts(parts, leave_out):
    whole, items = Pairing(), []
    for part in parts:
        if part.masks is None:
            pairing = pair_suffixes(part.images, check_contents=False, leave_out=leave_out)
        else:
            pairing = pair_files(part.images, part.masks, check_contents=False, leave_out=leave_out)
        several = [(p.path, list(p.paths[1:])) for p in pairing.problems if p.kind == "several"]
        for image, masks in [(image, [mask]) for image, mask in pairing.pairs] + several:
            name = stem_of(image)
            items.append(Item(f"{part.label}/{name}" if part.label else name, image, masks, part.label))
        for column in ("pairs", "images_without_mask", "masks_without_image", "problems", "left_out"):
            getattr(whole, column).extend(getattr(pairing, column))
    look_into(whole)
    return whole, sorted(items, key=lambda item: natural_key(f"{item.label}/{item.image.name}"))


def load_items(
    items,
    *,
    size=None,
    class_names=None,
    mask_values=None,
    patient_pattern=None,
    value_range=None,
    patients="names",
    spacing=None,
    read=None,
):
    """Pictures with the files of their masks as ``(class names, Subset, report)``.

    ``read`` makes the mask of an :class:`Item`, the reading of its image and the remarks so far; without it several
    masks are merged.
    """
    images, masks, spacings, remarks = [], [], [], Remarks()
    for item in items:
        reading = remarks.add(read_file(item.image), item.image)
        if reading.array.ndim != 3:
            shape = "×".join(map(str, reading.array.shape[:-1]))
            raise DataError(f"'{item.image.name}' is a volume of {shape}; save its slices one by one")
        if not images:
            remedy = "read a batch at a time with unet_helpers.training.stream_pairs"
            layouts.check_memory(item.image.parent.name, 1.25 * reading.array.nbytes * len(items), remedy)
        images.append(reading)
        masks.append((read or _read_masks)(item, reading, remarks))
        spacings.append(_one_spacing(reading.spacing, spacing, item.image))
    _check_palettes(items, remarks.palettes, one_class_each=read is not None)
    paths = [item.image for item in items]
    shapes = {reading.array.shape[:2] for reading in images}
    images, rule = scale_pictures(same_channels(images, paths), paths, value_range)
    images, masks, spacings = resize_all(images, masks, spacings, size, paths)
    masks, class_names = _encode_all(masks, class_names, mask_values, items)
    ids, how = patients_of_items(items, patient_pattern, patients)
    names = [item.name for item in items]
    unique_cases(names)
    everything = Subset(
        np.stack(images),
        np.stack(masks),
        ids,
        np.array(names),
        np.array(spacings, dtype=float),
        sources=np.array([str(path) for path in paths]),
        origin=Origin(rule, size, tuple(sorted(shapes))),
    )
    return class_names, everything, [f"{len(items)} pictures, {rule}", how, *remarks.lines()]


def _check_palettes(items, palettes, one_class_each):
    """Refuse masks that give one index two colors, of which each index may be another class in each file."""
    files = zip(*(item.masks for item in items), strict=True) if one_class_each else [list(palettes)]
    for column in files:
        palettes_agree({path: palettes.get(path) for path in column})


def _one_spacing(own, said, path):
    """The spacing that a file carries, or that a person has said; both must agree where there are both."""
    if own and said and not np.allclose(own, said, rtol=0.01):
        values = [" × ".join(f"{value:g}" for value in pair) for pair in (own, said)]
        raise DataError(
            f"'{path.name}' says that its pixels are {values[0]} mm, but spacing is {values[1]} mm; keep one"
        )
    return own or said or (np.nan, np.nan)


def patients_of_items(items, pattern=None, patients="names"):
    """The patient of each picture and how it was found."""
    names = [item.name for item in items]
    if pattern is not None:
        return patient_ids_from_names(names, pattern)
    labels = np.array([item.label for item in items])
    if patients == "labels":
        return labels, "a patient is a folder"
    stems = [name.removeprefix(f"{label}/") for name, label in zip(names, labels.tolist(), strict=True)]
    ids, how = patient_ids_from_names(stems)
    return (np.array(names), how) if ids.tolist() == stems else (ids, how)


def _read_masks(item, image, remarks):
    """The mask of a picture; of several the union, pixel by pixel the largest value."""
    masks = []
    for path in item.masks:
        reading = remarks.add(read_file(path, as_mask=True), path)
        check_one_grid((image, reading), (item.image, path))
        mask, shape = reading.array, image.array.shape[:2]
        if mask.shape != shape:
            here, expected = ("×".join(map(str, side)) for side in (mask.shape, shape))
            raise DataError(f"mask '{path.name}' is {here} but its image is {expected}; resize both or remove the pair")
        masks.append(mask)
    values = set().union(*(np.unique(mask).tolist() for mask in masks))
    if len(masks) > 1 and len(values) > 2:
        raise DataError(
            f"'{item.image.name}' has {len(masks)} masks with the values {sorted(values)}; merging them would lose "
            "which is which: save one mask of class indices"
        )
    return np.max(masks, axis=0)


def same_channels(readings, paths):
    """Gray pictures saved as RGB become gray; true color among gray is an error."""
    channels = {reading.array.shape[-1] for reading in readings}
    gray = [is_gray(reading.array) for reading in readings]
    if all(gray):
        return [replace(reading, array=reading.array[..., :1]) for reading in readings]
    if len(channels) > 1:
        odd = paths[gray.index(False)].name
        raise DataError(f"'{odd}' has color but other images are gray; convert it, or keep the kinds apart")
    return readings


def is_gray(image):
    """Whether all channels of an image ``(H, W, C)`` are one."""
    return image.shape[-1] == 1 or bool((image == image[..., :1]).all())


def resize_all(images, masks, spacings, size, paths):
    """All to ``size × size``; without a size an error that names the first image of another one."""
    shapes = [image.shape[:2] for image in images]
    if size is None:
        if len(set(shapes)) > 1:
            other = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
            raise DataError(
                f"'{paths[other].name}' is {shapes[other][0]}×{shapes[other][1]} but '{paths[0].name}' is "
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


def _encode_all(masks, class_names, mask_values, items):
    found = sorted(set().union(*(np.unique(mask).tolist() for mask in masks)))
    if class_names is None:
        class_names = classes_of(found, mask_values)
    encoded = []
    for mask, item in zip(masks, items, strict=True):
        try:
            encoded.append(encode_mask(mask, len(class_names), mask_values))
        except ValueError as error:
            raise DataError(f"mask '{item.masks[0].name}': {error}") from None
    if not any(mask.any() for mask in encoded):
        raise DataError("every mask is empty: there is nothing to learn; check the mask folder")
    return encoded, tuple(class_names)


def classes_of(found, mask_values):
    """Names for the classes that the values of all masks show."""
    highest = max(mask_values.values()) if mask_values else (1 if set(found) <= {0, 255} else found[-1])
    if highest > 20:
        if ignore := ignored(found[:8], [255] if 255 in found and found[-2] <= 20 else []):
            raise DataError(f"the masks: {ignore}")
        raise DataError(
            f"the masks hold the values {found[:8]}…; that is no list of classes. Give class_names and mask_values"
        )
    if highest <= 1:
        return ("background", "foreground")
    return ("background", *(f"class {i}" for i in range(1, highest + 1)))


# --- several pairs of folders ---------------------------------------------------------------------


def load_patient_folders(folders, **options):
    """``<patient>/images/x.png`` with ``<patient>/masks/x.png``; a folder is a patient.

    Folders that are called batch, site, fold or the like are none, and names of pictures tell the patients.
    """
    parts = [Part(folder.name, folder / "images", folder / "masks") for folder in folders]
    recognized = [f"recognized: {WHAT['patients']}"]
    skipped = [path.name for path in layouts.folders_in(folders[0].parent) if path not in folders]
    if skipped:
        recognized.append(f"folders left aside, without images and masks: {', '.join(skipped)}")
    patients = "names" if _words(folders) <= PLACE else "labels"
    return load_parts(folders[0].parent, parts, recognized, patients=patients, **options)


def load_folders_of_suffixes(folders, **options):
    """Folders, such as one per diagnosis, each with ``x_mask.png`` beside ``x.png``.

    Folders whose names differ by a number alone, as P1 and P2, are a patient each, unless the word is that of a place,
    of a division or of a visit, as in grade1.
    """
    parts = [Part(folder.name, folder, None) for folder in folders]
    recognized = [f"recognized: {WHAT['folders_of_suffixes']} ({', '.join(folder.name for folder in folders)})"]
    skipped = [path.name for path in layouts.folders_in(folders[0].parent) if path not in folders]
    if skipped:
        recognized.append(f"folders left aside, without masks beside their images: {', '.join(skipped)}")
    words = _words(folders)
    numbered = len(folders) > len(words) == 1 and not words <= PLACE | DIVISION | VISIT
    return load_parts(folders[0].parent, parts, recognized, patients="labels" if numbered else "names", **options)


def _words(folders):
    """What is left of the names of folders without their numbers."""
    return {re.sub(r"[\W\d_]+", "", folder.name.casefold()) for folder in folders}


def load_train_test(folders, **options):
    """``train/``, ``validation/`` and ``test/`` with images and masks each; the folders are the split.

    Parameters
    ----------
    folders : dict of str to Path
        By ``"train"``, ``"validation"`` and ``"test"``, as :func:`unet_helpers.data.recognize_layout` finds them.
    """
    parts = [Part(side, *layouts.image_and_mask_folders(path)) for side, path in folders.items()]
    recognized = [f"recognized: {WHAT['train_test']}: {', '.join(path.name for path in folders.values())}"]
    return load_parts(folders["train"].parent, parts, recognized, **options)


def load_classes_in_folders(detail, *, problems="raise", class_names=None, **options):
    """``images/x.png`` with ``masks/<class>/x.png``: one folder of masks for each class, in their order."""
    images, folders = detail
    if problems not in ("raise", "leave_out"):
        raise ValueError(f"problems is {problems!r}; choose 'raise' or 'leave_out'")
    found = [{plain_name(path): path for path in layouts.pictures_in(folder)[0]} for folder in folders]
    pictures = layouts.pictures_in(images)[0]
    names = [plain_name(path) for path in pictures]
    alone = [path for path, name in zip(pictures, names, strict=True) if not all(name in own for own in found)]
    alone += [path for own in found for name, path in own.items() if name not in names]
    shown = ", ".join(f"{path.parent.name}/{path.name}" for path in alone[:10])
    if alone and problems == "raise":
        raise DataError(
            f"{len(alone)} files have no partner in {images.name}/ or in each of the {len(folders)} folders of masks "
            f"({shown}); complete them, or pass problems='leave_out'"
        )
    items = [
        Item(stem_of(path), path, [own[name] for own in found])
        for path, name in zip(pictures, names, strict=True)
        if all(name in own for own in found)
    ]
    class_names = class_names or ("background", *(folder.name for folder in folders))
    class_names, everything, report = load_class_masks(items, class_names, **options)
    recognized = [f"recognized: {WHAT['classes']}: {', '.join(folder.name for folder in folders)}"]
    left_out = [f"{len(alone)} files left out: {shown}"] if alone else []
    return images.parent.name, class_names, everything, [*recognized, *report, *left_out]


def load_class_masks(items, class_names, **options):
    """Pictures whose masks are one file per class, None where a class is not there; a later class has the pixel."""
    if len(class_names) != 1 + len(items[0].masks):
        raise DataError(f"{len(items[0].masks)} files of masks per picture are as many classes; give names for these")
    overlap = []

    def read(item, image, remarks):
        merged = np.zeros(image.array.shape[:2], np.uint8)
        for number, path in enumerate(item.masks, start=1):
            if path is not None:
                mask = _read_masks(item._replace(masks=[path]), image, remarks)
                if len(np.unique(mask[mask > 0])) > 1:
                    name = f"{path.parent.name}/{path.name}"
                    raise DataError(f"mask '{name}' holds several values above 0, but a file is one class; divide it")
                overlap.append(int(((mask > 0) & (merged > 0)).sum()))
                merged[mask > 0] = number
        return merged

    class_names, everything, report = load_items(items, class_names=class_names, read=read, **options)
    return class_names, everything, [*report, f"{sum(overlap)} pixels in two classes went to the later one"]
