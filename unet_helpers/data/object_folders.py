"""Pictures of many objects: one mask file per object (DSB2018), numbered objects (Cellpose), or one file per class."""

from dataclasses import replace

import numpy as np

from ..files.images import read_file
from ..files.pairing import natural_key, plain_name
from ..files.paths import DataError, stem_of, user_path
from ..files.reading import Remarks
from .grays import scale_pictures
from .layouts import WHAT, folders_in, holds_objects, pictures_in
from .origin import Origin
from .patients import patient_ids_from_names, unique_cases
from .picture_folders import Item, is_gray, load_class_masks
from .preprocessing import resize_image, resize_mask
from .subsets import Subset


def load_dsb2018(folder, *, size=None, patient_pattern=None, value_range=None):
    """DSB2018 nuclei: ``<id>/images/<id>.png`` and ``<id>/masks/*.png``, one mask per nucleus; an image is a patient.

    The masks of an image are merged to one of class 1, and kept apart as numbers 1, 2, … in the subset's
    ``instances``. Where two overlap, the later in the order of names has the pixel, and the report counts them.
    Options are those of :func:`unet_helpers.data.picture_folders.load_pairs`; names are those of the folders.
    """
    folder = user_path(folder)
    ids = [path for path in folders_in(folder) if (path / "images").is_dir()]
    images, paths, instances, overlap, aside, remarks = [], [], [], 0, [], Remarks()
    for path in ids:
        (pictures, odd), (mask_paths, more) = (pictures_in(path / kind) for kind in ("images", "masks"))
        aside += [f"{path.name}/{name}" for name in (*odd, *more)]
        if len(pictures) != 1 or not mask_paths:
            raise DataError(
                f"'{path.name}' holds {len(pictures)} images and {len(mask_paths)} masks; "
                "one image and at least one mask are expected"
            )
        image = remarks.add(read_file(pictures[0]), pictures[0])
        numbered = np.zeros(image.array.shape[:2], np.int32)
        for number, mask_path in enumerate(sorted(mask_paths), start=1):
            mask = remarks.add(read_file(mask_path, as_mask=True), mask_path).array
            if mask.shape != numbered.shape:
                raise DataError(f"mask '{path.name}/masks/{mask_path.name}' has another size than its image")
            values = np.unique(mask[mask > 0]).tolist()
            if len(values) > 1:
                raise DataError(
                    f"mask '{path.name}/masks/{mask_path.name}' holds the values {values}, but a file is one object "
                    "here; if they are classes, name the mask as its image, and each folder is read as a patient"
                )
            overlap += int(((mask > 0) & (numbered > 0)).sum())
            numbered[mask > 0] = number
        images.append(image)
        paths.append(pictures[0])
        instances.append(numbered)
    names = [path.name for path in ids]
    said = f"{overlap} pixels in two objects went to the later one"
    loaded = _objects(folder, names, images, paths, instances, said, size, patient_pattern, value_range)
    report = [f"recognized: {WHAT['dsb2018']}", *loaded[-1], *remarks.lines()]
    if aside:
        report.append(f"{len(aside)} files left out: {', '.join(aside[:10])}")
    return *loaded[:-1], report


def load_cellpose(folder, *, size=None, patient_pattern=None, value_range=None):
    """Cellpose: ``x.tif`` with the numbers of its objects in ``x_masks.tif`` or ``x_cp_masks.png``.

    An image is a patient, and the rest is as :func:`load_dsb2018` has it. ``x_seg.npy`` is a Python object in a pickle,
    which can run code when it is opened, and is not read.
    """
    folder = user_path(folder)
    files, odd = pictures_in(folder)
    pickled = [path for path in files if path.name.endswith("_seg.npy") and holds_objects(path)]
    masks = {plain_name(path): path for path in files if stem_of(path).endswith(("_masks", "_cp_masks"))}
    rest = [path for path in files if path not in {*masks.values(), *pickled}]
    pictures = [path for path in rest if plain_name(path) in masks]
    alone = [path for path in rest if path not in pictures]
    made = ("_flows", "_outlines", "_cp_output", "_cp_outlines", "_flows_cp_masks")
    bare = [path for path in alone if not stem_of(path).endswith(made)]
    if not masks or bare:
        known = f"'{pickled[0].name}' is a dictionary of Cellpose, in a pickle that may run code; " if pickled else ""
        name = (bare or alone or files)[0].name
        raise DataError(
            f"{known}'{name}' has no '{stem_of(name)}_masks.tif' beside it: save the masks in Cellpose as TIFF or PNG "
            "(command line: --save_tif or --save_png), which stand beside their image then"
        )
    images, instances, remarks = [], [], Remarks()
    for path in pictures:
        image = remarks.add(read_file(path), path)
        if image.array.ndim != 3:
            raise DataError(f"'{path.name}' is a stack; save its slices one by one")
        # more than 255 objects are no mask for the reader
        numbered = remarks.add(read_file(masks[plain_name(path)]), masks[plain_name(path)]).array
        if numbered.ndim == 3 and not is_gray(numbered):
            raise DataError(f"mask '{masks[plain_name(path)].name}' is in color; save the numbers of its objects")
        if numbered.shape[:2] != image.array.shape[:2] or numbered.ndim != 3:
            raise DataError(f"mask '{masks[plain_name(path)].name}' has another size than its image '{path.name}'")
        images.append(image)
        instances.append(np.unique(numbered[..., 0], return_inverse=True)[1].reshape(numbered.shape[:2]))
        if numbered.min() > 0:
            instances[-1] += 1  # no background in it
    names = [stem_of(path) for path in pictures]
    instances = [numbered.astype(np.int32) for numbered in instances]
    said = "objects by the numbers in the masks"
    loaded = _objects(folder, names, images, pictures, instances, said, size, patient_pattern, value_range)
    report = [f"recognized: {WHAT['cellpose']}", *loaded[-1], *remarks.lines()]
    unused = [path.name for path in (*pickled, *alone)] + odd
    if unused:
        report.append(f"{len(unused)} files left out: {', '.join(sorted(unused, key=natural_key)[:10])}")
    return *loaded[:-1], report


def _objects(folder, names, images, paths, instances, said, size, patient_pattern, value_range):
    shapes = {reading.array.shape[:2] for reading in images}
    images, rule = scale_pictures(_gray_if_all_are(images), paths, value_range)
    objects = sum(int(numbered.max() > 0) and len(np.unique(numbered[numbered > 0])) for numbered in instances)
    if size is None and len({image.shape for image in images}) > 1:
        raise DataError(f"the images in '{folder.name}' have several sizes; pass size, e.g. size=128")
    if size is not None:
        images = [resize_image(image, (size, size)) for image in images]
        instances = [resize_mask(numbered, (size, size)) for numbered in instances]
    ids, how = np.array(names), ""
    if patient_pattern is not None:
        ids, how = patient_ids_from_names(names, patient_pattern)
    unique_cases(names)
    instances = np.stack(instances)
    everything = Subset(
        np.stack(images),
        (instances > 0).astype(np.uint8),
        ids,
        np.array(names),
        np.full((len(names), 2), np.nan),
        instances=instances,
        sources=np.array([str(path) for path in paths]),
        origin=Origin(rule, size, tuple(sorted(shapes))),
    )
    report = [f"{len(names)} images with {objects} objects, {rule}; {said}", *([how] if how else [])]
    lost = objects - sum(len(np.unique(numbered[numbered > 0])) for numbered in instances)
    if lost:
        report.append(f"{lost} objects vanished at {size}×{size}")
    return folder.name, ("background", "object"), everything, report


def _gray_if_all_are(readings):
    """One channel if no image has color, else three for all."""
    images = [reading.array for reading in readings]
    if all(map(is_gray, images)):
        images = [image[..., :1] for image in images]
    else:
        images = [np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image for image in images]
    return [replace(reading, array=image) for reading, image in zip(readings, images, strict=True)]


def load_class_files(detail, **options):
    """``<id>/images/x.png`` with ``<id>/masks/{heart,lung}.png``: one file per class; a folder is a patient.

    A class whose file is not in a folder is not in its picture, and the report counts them. Options are those of
    :func:`unet_helpers.data.picture_folders.load_pairs`.
    """
    folders, classes = detail
    items, missing = [], 0
    for folder in folders:
        pictures, _ = pictures_in(folder / "images")
        found = {plain_name(path): path for path in pictures_in(folder / "masks")[0]}
        if len(pictures) != 1:
            raise DataError(
                f"'{folder.name}' holds {len(pictures)} images and {len(found)} masks; one image is expected"
            )
        missing += sum(name not in found for name in classes)
        items.append(Item(folder.name, pictures[0], [found.get(name) for name in classes], folder.name))
    names = options.pop("class_names", None) or ("background", *classes)
    class_names, everything, report = load_class_masks(items, names, patients="labels", **options)
    recognized = f"recognized: {WHAT['class_files']}: {', '.join(classes)}"
    if missing:
        report.append(f"{missing} files of a class are not there, and their class is not in these pictures")
    return folders[0].parent.name, class_names, everything, [recognized, *report]
