"""DICOM series in folders, with a segmentation (SEG) or a volume for each as its mask.

Which segmentation belongs to which series, the headers say. A mask in another format belongs to the series whose folder
has its name, or that lies in the same folder of a patient.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from ..files.dicom_kinds import OBJECTS, kind_of
from ..files.pairing import natural_key, plain_name, without_leading_zeros
from ..files.paths import DataError, reading_of, user_path
from ..files.scans import dicom_files
from ..files.segmentations import labels_of
from ..files.volumes import holds_volume
from .layouts import WHAT, image_and_mask_folders
from .patients import patients_of_scans
from .volume_folders import load_volumes, names_of_masks

TAGS = (
    *("SOPClassUID", "Modality", "SeriesInstanceUID", "PatientID", "FrameOfReferenceUID"),
    *("ReferencedSeriesSequence", "SegmentSequence"),
)


@dataclass(frozen=True)
class Series:
    """The slices of one DICOM series in a folder."""

    folder: Path
    uid: str
    frame_of_reference: str
    patient: str
    modality: str


@dataclass(frozen=True)
class Mask:
    """A file with a mask: of a segmentation what it was drawn on, and its labels; of another format None."""

    path: Path
    series: frozenset = frozenset()
    frame_of_reference: str = ""
    labels: dict | None = None


def load_dicom_folders(
    folder,
    *,
    class_names=None,
    mask_values=None,
    problems="raise",
    left_out=None,
    modality=None,
    patient_pattern=None,
    **options,
):
    """Folders of DICOM series, such as ``<patient>/ct/*.dcm`` with ``<patient>/seg.dcm``, at any depth.

    ``class_names``, ``mask_values``, ``problems`` and ``left_out`` are those of
    :func:`unet_helpers.data.picture_folders.load_pairs`, where a series goes by the name of its folder; the others are
    those of :func:`unet_helpers.data.volume_folders.load_volumes`. Without ``class_names`` the classes of segmentations
    are their labels, whatever number a label has in which file. Series of one folder below the source, or with one
    PatientID, are of one patient.
    """
    if problems not in ("raise", "leave_out"):
        raise ValueError(f"problems is {problems!r}; choose 'raise' or 'leave_out'")
    folder = user_path(folder)
    series, masks, trouble, aside = _scan(folder)
    cases, alone = _link(folder, series, masks, trouble)
    cases, report = _without_left_out(folder, cases, alone, trouble, left_out or {})
    if trouble and problems == "raise":
        lines = "\n".join(f"  {line}" for line in trouble)
        raise DataError(
            f"{len(cases)} series of '{folder.name}' have a mask\n{len(trouble)} problems:\n{lines}\n"
            "Repair the files, or pass problems='leave_out' to go on without these"
        )
    report = [f"recognized: {WHAT['dicom']}", *report]
    report += [f"left out: {line}" for line in trouble]
    if aside:
        report.append(f"{len(aside)} files are no slices and no masks: {', '.join(aside[:5])}")
    if not cases:
        raise DataError(
            f"'{folder.name}' holds no DICOM series with a mask; {'; '.join(trouble[:3]) or 'is it empty?'}"
        )
    names, values, more = _classes(cases, class_names, mask_values)
    scans, people = _scans([one for one, _ in cases], patient_pattern)
    listed = [(scan, [one.folder], mask.path) for scan, (one, mask) in zip(scans, cases, strict=True)]
    declared = _modality(cases, modality)
    return load_volumes(
        folder.name,
        listed,
        names or names_of_masks(mask_values),
        values or mask_values,
        declared,
        [*report, *more],
        modality=modality,
        people=people,
        **options,
    )


# --- what lies where ------------------------------------------------------------------------------


def _scan(folder):
    """The series and the masks below a folder, sentences about what is neither, and files that are known as others."""
    series, masks, trouble, aside = [], [], [], []
    for place, folders, _ in os.walk(folder):
        folders[:] = sorted((name for name in folders if not name.startswith((".", "__"))), key=natural_key)
        files, others = dicom_files(place)
        slices = {}
        for path in files:
            try:
                with reading_of(path):
                    header = _header(path)
                    kind = kind_of(header)
                    if kind == "SEG":
                        masks.append(_mask_of(path, header))
            except DataError as error:
                trouble.append(str(error))
                continue
            if kind == "RTSTRUCT":
                trouble.append(f"'{_within(path, folder)}' is {OBJECTS[kind][0]}; {OBJECTS[kind][1]}")
            elif kind in OBJECTS and kind != "SEG":
                aside.append(_within(path, folder))
            elif kind != "SEG":
                slices.setdefault(str(header.get("SeriesInstanceUID", "")), header)
        masks += [Mask(path) for path in others if holds_volume(path)]
        aside += [_within(path, folder) for path in others if not holds_volume(path) and path.suffix != ".toml"]
        if len(slices) > 1:
            trouble.append(
                f"'{_within(Path(place), folder)}' holds the slices of {len(slices)} series; move each into a folder "
                "of its own"
            )
        elif slices:
            ((uid, header),) = slices.items()
            said = [str(header.get(name) or "") for name in ("FrameOfReferenceUID", "PatientID", "Modality")]
            series.append(Series(Path(place), uid, *said))
    return series, masks, trouble, aside


def _header(path):
    import pydicom

    return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS), force=path.suffix.lower() == ".dcm")


def _mask_of(path, header):
    drawn_on = {str(item.get("SeriesInstanceUID", "")) for item in header.get("ReferencedSeriesSequence") or []}
    labels = labels_of(header, path)
    return Mask(path, frozenset(drawn_on), str(header.get("FrameOfReferenceUID") or ""), labels)


def _link(folder, series, masks, trouble):
    """``(series, mask)`` of what belongs together, and the series and masks that are alone."""
    of_series = {one: [] for one in series}
    alone = []
    for mask in masks:
        found = _series_of(folder, mask, series)
        if len(found) == 1:
            of_series[found[0]].append(mask)
        else:
            alone.append(mask)
            which = "no series that is there" if not found else "one of " + ", ".join(_names(found, folder))
            name = _within(mask.path, folder)
            remedy = "copy its series" if not found else "name it as the folder of its series"
            trouble.append(f"mask '{name}' belongs to {which}; {remedy}, or leave it out")
    cases = []
    for one, own in of_series.items():
        if len(own) == 1:
            cases.append((one, own[0]))
            continue
        alone += [one, *own]
        name = _within(one.folder, folder)
        listed = ", ".join(_within(mask.path, folder) for mask in own)
        trouble.append(
            f"series '{name}' has {len(own)} masks ({listed}); keep one" if own else f"series '{name}' has no mask"
        )
    return cases, alone


def _series_of(folder, mask, series):
    """The series that a mask may belong to."""
    if mask.labels is not None:
        by_uid = [one for one in series if one.uid in mask.series]
        by_frame = [
            one for one in series if one.frame_of_reference and one.frame_of_reference == mask.frame_of_reference
        ]
        return by_uid or by_frame
    name = without_leading_zeros(plain_name(mask.path))
    by_name = [
        one
        for one in series
        if name in {without_leading_zeros(part.casefold()) for part in one.folder.relative_to(folder).parts}
    ]
    if by_name:
        return by_name
    for place in mask.path.parents:  # from the folder of the mask to that of its patient
        if place == folder or place in (image_and_mask_folders(folder) or ()):
            return []
        near = [one for one in series if one.folder.is_relative_to(place)]
        if near:
            return near
    return []


def _without_left_out(folder, cases, alone, trouble, left_out):
    """The cases that a person has not left out; sentences about what is left out are no trouble any more."""
    paths = [path for one, mask in cases for path in (one.folder, mask.path)]
    paths += [item.path if isinstance(item, Mask) else item.folder for item in alone]
    named = {}
    for path in paths:
        for name in (path.name, f"{path.parent.name}/{path.name}", _within(path, folder)):
            named.setdefault(name, path)
    unknown = [name for name in left_out if name not in named]
    if unknown:
        raise DataError(f"left_out names '{unknown[0]}', and there is no such series or mask; write its name as it is")
    out = {named[name] for name in left_out}
    gone = [f"'{_within(path, folder)}'" for path in out]
    trouble[:] = [line for line in trouble if not any(name in line for name in gone)]
    kept = [(one, mask) for one, mask in cases if not {one.folder, mask.path} & out]
    return kept, [f"left out by decision: {name} ({why})" for name, why in left_out.items()]


def _within(path, folder):
    return path.relative_to(folder).as_posix() if path != folder else folder.name


def _names(series, folder):
    return [f"'{_within(one.folder, folder)}'" for one in series[:5]]


# --- what it means --------------------------------------------------------------------------------


def _classes(cases, class_names, mask_values):
    """Names, the class of each value for each mask, and lines for the report; nothing where the values decide."""
    labels = {mask.path: mask.labels for _, mask in cases}
    kinds = {own is None for own in labels.values()}
    if mask_values is not None or kinds == {True}:
        if kinds != {True}:
            _check_numbers(labels)
        return class_names, None, []
    if len(kinds) == 2:
        raise DataError(
            "some masks are DICOM segmentations, whose labels name the classes, and others are not, such as "
            f"'{next(path for path, own in labels.items() if own is None).name}'; say with class_names and mask_values "
            "what the numbers are"
        )
    shown, lowest, counts = {}, {}, {}
    for own in labels.values():
        for number, label in own.items():
            key = label.casefold()
            shown.setdefault(key, label)
            lowest[key] = min(number, lowest.get(key, number))
        for key in {label.casefold() for label in own.values()}:
            counts[key] = counts.get(key, 0) + 1
    order = sorted(shown, key=lambda key: (lowest[key], natural_key(key)))
    if class_names is not None:
        asked = [name.casefold() for name in class_names[1:]]
        if sorted(asked) != sorted(order):
            raise DataError(
                f"class_names are {', '.join(class_names[1:])} after the background, but the segments are called "
                f"{', '.join(shown[key] for key in order)}; name these, or say with mask_values what the numbers are"
            )
        order = asked
    index = {key: place for place, key in enumerate(order, start=1)}
    values = {path: {0: 0} | {n: index[label.casefold()] for n, label in own.items()} for path, own in labels.items()}
    said = ", ".join(f"{shown[key]} (in {counts[key]} of {len(labels)} files)" for key in order)
    names = tuple(class_names or ("background", *(shown[key] for key in order)))
    return names, values, [f"the classes are the labels of the segments: {said}"]


def _check_numbers(labels):
    """Refuse mask_values where a number is not the same segment in all files."""
    first = {}
    for path, own in labels.items():
        for number, label in (own or {}).items():
            other, expected = first.setdefault(number, (path, label))
            if label.casefold() != expected.casefold():
                raise DataError(
                    f"segment {number} is '{label}' in '{path.name}' but '{expected}' in '{other.name}', so that "
                    "mask_values cannot say what it is; leave it out, and the labels are the classes"
                )


def _scans(series, pattern):
    """A name for each series, and ``(patients, how they were found)``."""
    folders = [one.folder for one in series]
    above = Path(os.path.commonpath(folders)) if len(set(folders)) > 1 else folders[0].parent
    parts = [one.folder.relative_to(above).parts for one in series]
    tops = [own[0] for own in parts]
    scans = tops if len(set(tops)) == len(tops) else ["/".join(own) for own in parts]
    if pattern is not None:
        return scans, patients_of_scans(scans, pattern)
    people, how = patients_of_scans(tops)
    how = how or "a patient is a folder"
    before = len(set(people))
    first = {}
    for place, one in enumerate(series):  # one PatientID is one person, whatever the folders are called
        if one.patient and (other := first.setdefault(one.patient, people[place])) != people[place]:
            old = people[place]
            people = [other if name == old else name for name in people]
            first = {key: other if name == old else name for key, name in first.items()}
    if len(set(people)) < before:
        how += ", or several that share a PatientID"
    return scans, (people, how)


def _modality(cases, modality):
    found = {one.modality: one for one, _ in cases if one.modality}
    if modality is None and len(found) > 1:
        (first, one), (second, other) = list(found.items())[:2]
        raise DataError(
            f"'{one.folder.name}' is {first} but '{other.folder.name}' is {second}, and one gray rule would spoil one "
            "of them; keep the modalities in folders of their own, or pass modality"
        )
    return tuple(found)
