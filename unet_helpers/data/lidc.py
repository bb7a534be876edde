"""LIDC nodule slices with up to four readers' outlines."""

import numpy as np

from ..files.images import read_file
from ..files.pairing import natural_key
from ..files.paths import DataError, stem_of, user_path
from ..files.reading import Remarks
from .grays import scale_pictures
from .layouts import pictures_in
from .origin import Origin
from .patients import patient_ids_from_names, unique_cases
from .picture_folders import resize_all, same_channels
from .subsets import Subset


def load_lidc(folder, *, size=None, consensus=2, patient_pattern=None, value_range=None):
    """LIDC nodule slices with up to four readers' outlines.

    Parameters
    ----------
    folder : str or Path
        ``<patient>/nodule-<n>/{images,mask-0,mask-1,…}/slice-<k>.png``
    size : int, optional
        Resize to ``size × size``.
    consensus : int
        How many readers must have marked a pixel for it to count: 1 any, 2 half, 4 all of four.
    patient_pattern, value_range
        As for :func:`unet_helpers.data.picture_folders.load_pairs`; the names are ``<patient>/nodule-<n>/slice-<k>``.
        Default: a patient is a folder.
    """
    folder = user_path(folder)
    nodules = sorted({path.parent for path in folder.glob("[!.]*/nodule-*/images")}, key=lambda p: natural_key(str(p)))
    paths = [path for nodule in nodules for path in pictures_in(nodule / "images")[0]]
    if not paths:
        raise DataError(f"no <patient>/nodule-<n>/images/*.png in '{folder}'; is it the folder of the patients?")
    images, readers, left_out, remarks = [], [], _left_out(folder, nodules), Remarks()
    for path in paths:
        image = remarks.add(read_file(path), path)
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
            mask = remarks.add(read_file(reader / path.name, as_mask=True), reader / path.name).array
            if mask.shape != image.array.shape[:2]:
                raise DataError(f"mask '{(reader / path.name).relative_to(folder)}' has another size than its image")
            masks.append((mask > 0).astype(np.uint8))
        images.append(image)
        readers.append(np.stack(masks, axis=-1))
    counts = {mask.shape[-1] for mask in readers}
    if len(counts) > 1:
        raise DataError(f"nodules in '{folder}' have {sorted(counts)} readers; bring them to one number")
    shapes = {reading.array.shape[:2] for reading in images}
    images, rule = scale_pictures(same_channels(images, paths), paths, value_range)
    images, readers, spacings = resize_all(images, readers, [(np.nan, np.nan)] * len(paths), size, paths)
    readers = np.moveaxis(np.stack(readers), -1, 1)
    masks = (readers.sum(axis=1) >= consensus).astype(np.uint8)
    cases = np.array(["/".join((path.parents[2].name, path.parents[1].name, stem_of(path))) for path in paths])
    ids, how = np.array([path.parents[2].name for path in paths]), ""
    if patient_pattern is not None:
        ids, how = patient_ids_from_names(cases.tolist(), patient_pattern)
    unique_cases(cases.tolist())
    everything = Subset(
        np.stack(images),
        masks,
        ids,
        cases,
        np.array(spacings),
        readers,
        sources=np.array([str(path) for path in paths]),
        origin=Origin(rule, size, tuple(sorted(shapes))),
    )
    empty = int((masks.sum(axis=(1, 2)) == 0).sum())
    report = [
        f"{len(paths)} slices of {len(set(ids.tolist()))} patients, {rule}",
        f"nodule where at least {consensus} of {readers.shape[1]} readers marked it; {empty} slices have none",
        *([how] if how else []),
        *remarks.lines(),
        *([f"{len(left_out)} files left out: {', '.join(left_out[:10])}"] if left_out else []),
    ]
    return folder.name, ("background", "nodule"), everything, report


def _left_out(folder, nodules):
    """What no slice is made of: files that are no picture, and masks whose image is not there."""
    names = []
    for nodule in nodules:
        good, other = pictures_in(nodule / "images")
        known = {path.name for path in good}
        names += [f"{(nodule / 'images').relative_to(folder)}/{name}" for name in other]
        for reader in sorted(nodule.glob("mask-*")):
            masks, other = pictures_in(reader)
            alone = [path.name for path in masks if path.name not in known] + other
            names += [f"{reader.relative_to(folder)}/{name}" for name in alone]
    return names
