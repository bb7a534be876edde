"""Folders of volumes as slices with their masks: BraTS, folders of NIfTI; and what all volumes have in common."""

import re

import numpy as np

from ..files.images import read_file
from ..files.pairing import natural_key, pair_files
from ..files.paths import DataError, stem_of, user_path
from ..files.reading import Remarks, check_one_grid
from ..files.volumes import read_volume, read_volume_mask, shape_of_volume
from . import preprocessing
from .grays import ChannelGrays
from .layouts import WHAT, check_memory
from .origin import Origin
from .patients import patients_of_scans, unique_cases
from .picture_folders import classes_of, reasons_of
from .preprocessing import encode_mask, resize_image, resize_mask
from .subsets import Subset

BRATS_SEQUENCES = ("flair", "t1", "t1ce", "t2")
CT = {"ct", "cbct", "hu", "computed tomography"}  # whole names of what is in HU, in whatever case
BRATS_CLASSES = {0: "background", 1: "necrotic core", 2: "edema", 4: "enhancing tumor"}


def load_brats(folder, **options):
    """BraTS: ``<patient>/<patient>_{flair,t1,t1ce,t2,seg}.nii``, four sequences as channels in this order.

    The stored labels 0, 1, 2, 4 become the classes 0, 1, 2, 3. Options are those of :func:`load_volumes`.
    """
    folder = user_path(folder)
    found = {
        path: re.fullmatch(r"(.+)_(flair)(\.nii(?:\.gz)?)", path.name, re.IGNORECASE) for path in folder.glob("*/*")
    }
    found = {path: match for path, match in found.items() if match and not path.name.startswith(".")}
    cases = []
    for flair in sorted(found, key=lambda path: natural_key(path.name)):
        patient, word, end = found[flair].groups()
        kinds = (kind.upper() if word.isupper() else kind for kind in (*BRATS_SEQUENCES, "seg"))
        paths = [flair.with_name(f"{patient}_{kind}{end}") for kind in kinds]
        cases.append((patient, paths[:-1], paths[-1]))
    values = {value: index for index, value in enumerate(BRATS_CLASSES)}
    report = [
        f"recognized: {WHAT['brats']}",
        f"channels {', '.join(BRATS_SEQUENCES)}; labels 0, 1, 2, 4 are the classes 0, 1, 2, 3",
    ]
    names = tuple(BRATS_CLASSES.values())
    return load_volumes(folder.name, cases, names, values, ("MRI",) * len(BRATS_SEQUENCES), report, **options)


def load_volume_folders(folders, *, class_names=None, mask_values=None, problems="raise", left_out=None, **options):
    """Two folders of NIfTI volumes, matched by name as :func:`unet_helpers.pair_files` does.

    ``class_names``, ``mask_values``, ``problems`` and ``left_out`` are those of
    :func:`unet_helpers.data.picture_folders.load_pairs`, the others those of :func:`load_volumes`.
    """
    if problems not in ("raise", "leave_out"):
        raise ValueError(f"problems is {problems!r}; choose 'raise' or 'leave_out'")
    image_folder, mask_folder = folders
    pairing = pair_files(image_folder, mask_folder, check_contents=False, leave_out=left_out or {})
    reasons = reasons_of(pairing.left_out, left_out or {})
    if not pairing.ok and problems == "raise":
        raise DataError(f"{pairing}\nRepair the files, or pass problems='leave_out' to go on without these")
    cases = [(stem_of(image), [image], mask) for image, mask in pairing.pairs]
    report = [f"recognized: {WHAT['volumes']}", *reasons]
    if not pairing.ok:
        out = {*pairing.images_without_mask, *pairing.masks_without_image}
        out |= {path for problem in pairing.problems for path in problem.paths}
        report.append(f"{len(out)} files left out: " + ", ".join(sorted(f"{p.parent.name}/{p.name}" for p in out)))

    name = image_folder.parent.name
    return load_volumes(name, cases, class_names or names_of_masks(mask_values), mask_values, (), report, **options)


def names_of_masks(mask_values):
    """The function from the sorted values of all masks to the names of the classes."""

    def names_of(found):
        if found == [0]:
            raise DataError("every mask is empty: there is nothing to learn; check the mask folder")
        names = classes_of(found, mask_values)
        return ("background", "class 1") if names == ("background", "foreground") else names

    return names_of


def load_volumes(
    name,
    cases,
    class_names,
    mask_values,
    declared,
    report,
    *,
    modality=None,
    size=None,
    volumes=None,
    window=(-600, 1500),
    patient_pattern=None,
    people=None,
):
    """Cut volumes into axial slices; the sequences of a volume are the channels.

    Parameters
    ----------
    cases : list of (scan, image paths, mask path)
        A path is that of a file, or of the folder of a DICOM series. Every volume has a name of its own; scans of one
        patient are told by these names, as :func:`unet_helpers.data.patients.patients_of_scans` does.
    class_names : sequence of str, or function
        From the sorted values of all masks to the names.
    mask_values : dict of int to int or None
        From stored value to class, as in :func:`unet_helpers.data.encode_mask`; or such a dict for each mask path.
    declared : sequence of str
        What the folder says of its channels; empty where it says nothing.
    modality : str or sequence of str, one per channel, optional
        In place of it. "CT", in whatever case and as a whole word, is windowed. Any other has no unit, so each volume
        and channel is scaled by its own percentiles 0.5 and 99.5. Where neither is given, values below -200 mean CT.
        HU and other values in one channel are refused, unless ``modality`` says what they are.
    size : int, optional
        Height and width of the slices; without it all volumes must have one.
    volumes : int, optional
        Read only the first so many.
    window : (float, float)
        Level and width for CT in HU.
    patient_pattern : str, dict or path of a table, optional
        As in :func:`unet_helpers.data.patient_ids_from_names`. Default: a patient is what the names of the volumes say,
        else each volume is one.
    people : (list of str, str), optional
        The patients of the cases, and how they were found, where more than the names says it.

    Returns
    -------
    name, class_names, subset, report
    """
    cases = cases[:volumes]
    if not cases:
        raise DataError(f"'{name}' holds no volume with a mask; is it the right folder?")
    _check_there(cases)
    check_memory(name, _bytes_of(cases, size), "pass a smaller size, e.g. size=128, or volumes=10 to read only ten")
    scans = [scan for scan, _, _ in cases]
    people, how = people or patients_of_scans(scans, patient_pattern)
    people = people[: len(scans)]
    rule, remarks = VolumeGrays(declared, modality, window), Remarks()
    images, masks, spacings, depths, shapes, found = [], [], [], [], set(), set()
    for _, paths, mask_path in cases:
        first, image = _read_channels(paths, remarks)
        reading = remarks.add(_read_mask(mask_path, paths[0]), mask_path)
        check_one_grid((first, reading), (paths[0], mask_path))
        mask, spacing = reading.array, first.spacing
        if image.ndim == 3:  # a single slice
            image, mask, spacing = image[np.newaxis], mask[np.newaxis], (np.nan, *spacing)
        if image.ndim != 4 or mask.shape != image.shape[:3]:
            here, expected = ("×".join(map(str, shape)) for shape in (mask.shape, image.shape[:-1]))
            raise DataError(f"mask '{mask_path.name}' is {here} but '{paths[0].name}' is {expected}; repair one")
        image = rule(image, paths)
        found |= set(np.unique(mask).tolist()) if callable(class_names) else set()
        shapes.add(image.shape[1:3])
        image, mask, in_plane = _resize_slices(image, mask, spacing[1:], size)
        if images and image.shape[1:] != images[0].shape[1:]:
            here, first = ("×".join(map(str, shape[1:])) for shape in (image.shape, images[0].shape))
            raise DataError(f"'{paths[0].name}' has slices of {here}, others {first}; pass size, e.g. size=128")
        images.append(image)
        masks.append(mask)
        spacings.append(in_plane)
        depths.append(len(image))
    class_names = tuple(class_names(sorted(found)) if callable(class_names) else class_names)
    masks = _encode(masks, cases, len(class_names), mask_values)
    slices = [f"{scan}_Z_{z:03d}" for scan, depth in zip(scans, depths, strict=True) for z in range(depth)]
    unique_cases(slices)
    subset = Subset(
        np.concatenate(images),
        np.concatenate(masks),
        np.repeat(people, depths),
        np.array(slices),
        np.repeat(spacings, depths, axis=0),
        sources=np.repeat([str(paths[0]) if len(paths) == 1 else "" for _, paths, _ in cases], depths),
        origin=Origin(rule.seen_so_far(), size, tuple(sorted(shapes))),
    )
    cut = f"{len(cases)} volumes cut into {sum(depths)} axial slices, {how or 'a patient is a volume'}; {rule}"
    return name, class_names, subset, [*report, *rule.notes, *remarks.lines(), cut]


def _encode(masks, cases, num_classes, mask_values):
    encoded = []
    for mask, (*_, path) in zip(masks, cases, strict=True):
        try:
            encoded.append(encode_mask(mask, num_classes, (mask_values or {}).get(path, mask_values)))
        except ValueError as error:
            raise DataError(f"mask '{path.name}': {error}") from None
    return encoded


class VolumeGrays:
    """Window or percentiles for each channel of each volume, by its modality; two kinds in one place are refused."""

    def __init__(self, declared, modality, window):
        self.modality = (modality,) if isinstance(modality, str) else tuple(modality or declared)
        self.certain = modality is not None
        self.window, self.notes = window, []
        self.seen = {}  # by channel: the first path of each kind

    def __call__(self, image, paths):
        if self.modality and len(self.modality) != image.shape[-1]:
            raise DataError(
                f"'{paths[0].name}' has {image.shape[-1]} channels, but {len(self.modality)} modalities are named "
                f"({', '.join(self.modality)}); name one per channel, as modality=('CT', 'PET')"
            )
        scaled = np.empty(image.shape, np.float32)
        for channel in range(image.shape[-1]):
            values, path = image[..., channel], paths[min(channel, len(paths) - 1)]
            if self._is_ct(values, channel, path):
                scaled[..., channel] = preprocessing.window(values, *self.window)
            else:
                scaled[..., channel] = preprocessing.scale_by_percentiles(values)
        return scaled

    def _is_ct(self, values, channel, path):
        low, high = float(values.min()), float(values.max())
        like_hu = low < -200
        seen = self.seen.setdefault(channel, {})
        if low != high:
            seen.setdefault(like_hu, path)
        if not self.modality:
            self._refuse_two_kinds(seen, "pass modality='CT' or modality='MR' if you know better")
            return like_hu if low != high else True in seen
        named = self.modality[min(channel, len(self.modality) - 1)]
        ct = named.strip().casefold() in CT
        if ct and low >= 0:
            if not self.certain:
                self._refuse_two_kinds(seen, "pass modality='CT' if all are in HU")
            note = f"'{path.name}' is called CT but holds no value below 0: is it in HU?"
            self.notes += [note] if not self.notes else []
        if like_hu and not ct:
            note = (
                f"channel {channel} is called {named}, though values below -200 look like HU; modality='CT' windows it"
            )
            self.notes += [note] if note not in self.notes else []
        return ct

    def _refuse_two_kinds(self, seen, remedy):
        if len(seen) == 2:
            raise DataError(
                f"'{seen[True].name}' holds HU but '{seen[False].name}' does not, and one gray rule would spoil one of "
                f"them; keep CT and other volumes in folders of their own, or {remedy}"
            )

    def seen_so_far(self):
        """The rule of each channel, for later volumes."""
        if self.modality:
            kinds = [name.strip().casefold() in CT for name in self.modality]
        else:
            kinds = [True in self.seen[channel] for channel in sorted(self.seen)]
        return ChannelGrays(tuple("HU" if ct else "percentiles" for ct in kinds), tuple(self.window), str(self))

    def __str__(self):
        percentiles, hu = (
            "each volume scaled by its percentiles 0.5, 99.5",
            f"HU, window {'/'.join(map(str, self.window))}",
        )
        if self.modality:
            kinds = [name.strip().casefold() in CT for name in self.modality]
        else:
            kinds = [True in self.seen[channel] for channel in sorted(self.seen)]
        if len(set(kinds)) < 2:
            return hu if all(kinds) else percentiles
        names = self.modality or [f"channel {channel}" for channel in sorted(self.seen)]
        return ", ".join(f"{name} by {hu if ct else percentiles}" for name, ct in zip(names, kinds, strict=True))


def _check_there(cases):
    for _, paths, mask_path in cases:
        for path in (*paths, mask_path):
            if not path.exists():
                raise FileNotFoundError(f"no file '{path.parent.name}/{path.name}'; copy it, or remove its patient")


def _bytes_of(cases, size):
    needed = 0
    for _, paths, _ in cases:
        for path in paths:
            try:
                shape = (*shape_of_volume(path), 1, 1)
            except Exception:  # damaged: the reading names it
                continue
            plane = size * size if size else shape[0] * shape[1]
            needed += 5 * plane * int(np.prod(shape[2:]))  # four bytes for the image, one for the mask
    return needed


def _read_mask(path, image_path):
    return read_volume_mask(path, image_path) if image_path.is_dir() else read_file(path, as_mask=True)


def _read_channels(paths, remarks):
    """The reading of the first file, and the image with all of them as channels."""
    read = [remarks.add(read_volume(path) if path.is_dir() else read_file(path), path) for path in paths]
    first = read[0]
    for path, reading in zip(paths, read, strict=True):
        if reading.array.shape != first.array.shape or not np.allclose(reading.spacing, first.spacing, rtol=1e-3):
            raise DataError(f"'{path.name}' has another shape or spacing than '{paths[0].name}'; resample it")
        check_one_grid((first, reading), (paths[0], path), "sequence")
    return first, np.concatenate([reading.array for reading in read], axis=-1)


def _resize_slices(image, mask, spacing, size):
    shape = image.shape[1:3]
    if size is None or shape == (size, size):
        return image, mask, spacing
    image = np.stack([resize_image(plane, (size, size)) for plane in image])
    mask = np.stack([resize_mask(plane, (size, size)) for plane in mask])
    return image, mask, tuple(s * n / size for s, n in zip(spacing, shape, strict=True))
