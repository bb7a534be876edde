"""Write DICOM files as images without identity: pixels and spacing, and nothing else.

``python -m unet_helpers deidentify IN OUT``
"""

import argparse
import math
import os
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from .pairing import FOLDER_PAIRS, natural_key
from .paths import DataError, atomic_path, user_path
from .scans import geometry_of, open_dicom, pixels_of, spacing_of

# beginnings of the keywords of the SOP classes whose images are gray slices, into which no device writes text
SLICES = ("CTImage", "MRImage", "PositronEmissionTomographyImage", "NuclearMedicineImage")
# words of ImageType: SECONDARY is what was made after the examination; LABEL and OVERVIEW are photos of a glass slide
NO_ORIGINAL = r"SECONDARY|SCREEN|LOCALI[SZ]ER|SCOUT|TOPOGRAM|DOSE|REPORT|\bPROT\b|LABEL|OVERVIEW"
# words of SeriesDescription, for devices that do not say it in ImageType
NO_ORIGINAL_SERIES = (
    r"DOSE[ _]?(REPORT|INFO|SUMMARY)|PATIENT[ _]PROTOCOL|SCREEN[ _]?(SAVE|SHOT|CAP)|SCOUT|TOPOGRAM|SURVIEW|LOCALI[SZ]ER"
)


def deidentify(source, target):
    """Write the original images among the DICOM files below a folder as ``P001_Z0001.nii.gz``.

    Each image is one picture: the pixel values (HU for CT) and the (row, column) spacing. No tag, private or not, no
    overlay and no name is copied. Who is who is written nowhere. ``P001`` is the patient for
    :func:`unet_helpers.load_dataset`.

    What is no original image is left out and listed, whatever its Modality says: the dose report of a CT shows the
    name in its pixels, and a scout is no slice. See :func:`reason_to_leave_out`. What lies *in* the pixels of the
    others stays: text of which the file does not tell, and the face in a scan of the head.

    The same folder gives the same names in each run. Patients are numbered in the natural order of their files, the
    pictures of a patient by series in that order, and by position, else InstanceNumber, else name. So a folder of
    images and one of masks, deidentified one after the other, keep their pairs if both hold the same patients and
    slices; and who has the source, and nobody else, can count out who is who. A picture that cannot be written keeps
    its number; what is left out has none.

    Parameters
    ----------
    source : str or Path
        Searched with its subfolders; links to folders are not followed.
    target : str or Path
        A new folder.

    Returns
    -------
    written : list of Path
    warnings : list of str
        Files left out and why, files that could not be written, and pictures to look at, each by a name or number
        that can be looked up: names of the output where there are any.

    Raises
    ------
    FileNotFoundError, FileExistsError, DataError
        No such folder; the target is there already; no DICOM file in it, or a folder of images and one of masks.
    """
    source, target = user_path(source), user_path(target)
    if not source.is_dir():
        raise FileNotFoundError(f"no folder '{source}'; check the path")
    if target.exists():
        raise FileExistsError(f"'{target}' is there already; choose a new folder")
    for images, masks in FOLDER_PAIRS:
        if (source / images).is_dir() and (source / masks).is_dir():
            raise DataError(f"folder '{source}' holds '{images}' and '{masks}'; to keep pairs, deidentify one by one")
    patients, warnings = _sort_files(source)
    if not patients and all(warning.startswith("no DICOM") for warning in warnings):
        raise DataError(f"folder '{source}' holds no DICOM file; is it the right folder?")
    written = []
    for patient, files in enumerate(patients, start=1):
        without_position = Counter(series for (series, position, *_), _ in files if position == -math.inf)
        if unsorted := sum(count for count in without_position.values() if count > 1):
            order = "their order is that of InstanceNumber and names"
            warnings.append(f"P{patient:03d}: {unsorted} pictures have no position; {order}")
        for z, (_, path) in enumerate(sorted(files), start=1):
            name = f"P{patient:03d}_Z{z:04d}.nii.gz"
            try:
                dataset = open_dicom(path)
                spacing = spacing_of(dataset)
                _write(target / name, pixels_of(dataset, path), spacing)
            except Exception as error:
                warnings.append(f"not written: '{path.relative_to(source)}' ({type(error).__name__}: {error})")
                continue
            written.append(target / name)
            warnings += [f"{name}: {what}" for what in _to_look_at(dataset, spacing)]
    return written, warnings


def reason_to_leave_out(dataset):
    """Why a DICOM file is no original image, or shows text; None for one that may be written.

    By its SOP class (secondary captures such as dose reports, structured reports, PDF, segmentations, DICOMDIR), its
    ImageType (SECONDARY, SCREEN SAVE, LOCALIZER), SeriesDescription, ConversionType, BurnedInAnnotation, color where
    there is none, and overlays in the pixels. Reformatted slices stay that are DERIVED and PRIMARY and have a position
    in the patient; DERIVED and SECONDARY stands on screen saves too. A missing tag says nothing, but for the class.
    """
    kind = _sop_class(dataset)
    if "ImageStorage" not in kind.keyword or re.search("SecondaryCapture|Hardcopy", kind.keyword):
        return f"{kind.name or 'no SOP class'}: no image as a device takes it"
    if dataset.get("ConversionType"):
        return f"ConversionType {dataset.ConversionType}: copied from a screen, a film or a file"
    if _upper(dataset, "BurnedInAnnotation") == "YES":
        return "BurnedInAnnotation YES: text is burned into the picture"
    if found := re.search(NO_ORIGINAL, _upper(dataset, "ImageType")):
        return f"ImageType {found[0]}: no original image"
    if found := re.search(NO_ORIGINAL_SERIES, _upper(dataset, "SeriesDescription")):
        return f"SeriesDescription {found[0]}: no original image"
    if kind.keyword.startswith(SLICES):
        if int(dataset.get("SamplesPerPixel") or 1) > 1:
            return f"in color, as no {kind.name} is"
        if "DERIVED" in _upper(dataset, "ImageType") and "ImagePositionPatient" not in dataset:
            return "ImageType DERIVED, without a position in the patient: no slice"
    if any((group, 0x3000) not in dataset for group in _overlay_groups(dataset)):
        return "an overlay, text or drawings, lies in the bits of its pixels"
    return None


def _to_look_at(dataset, spacing):
    """What to know of a picture that has been written."""
    if spacing is None:
        yield "the file says no spacing; it stands as 1 mm, which is no measurement"
    slices = _sop_class(dataset).keyword.startswith(SLICES) and dataset.get("Modality") in ("CT", "MR", "PT", "NM")
    if not slices and _upper(dataset, "BurnedInAnnotation") != "NO":
        yield "text may be burned into the picture; look at it before passing it on"
    if _upper(dataset, "RecognizableVisualFeatures") == "YES":
        yield "a face can be recognized, says the file; remove it before passing the picture on"
    if _overlay_groups(dataset):
        yield "its overlay, text or drawings, is not copied"


def _sop_class(dataset):
    from pydicom.uid import UID

    return UID(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID") or "")


def _upper(dataset, tag):
    return str(dataset.get(tag) or "").strip().upper()


def _overlay_groups(dataset):
    return {element.tag.group for element in dataset[0x60000000:0x61000000] if not element.tag.is_private}


def _sort_files(source):
    """``[(place in the patient, path), …]`` of each patient's pictures, and what is wrong with the other files."""
    from pydicom.misc import is_dicom

    patients, series, warnings = {}, {}, []
    walk = os.walk(source, onerror=lambda error: warnings.append(f"not read: {error}"))
    paths = [Path(folder) / name for folder, _, names in walk for name in names]
    for number, path in enumerate(sorted(paths, key=lambda path: natural_key(path.relative_to(source).as_posix()))):
        try:
            if not (path.suffix.lower() == ".dcm" or is_dicom(path)):
                warnings.append(f"no DICOM, left out: '{path.relative_to(source)}'")
                continue
            dataset = open_dicom(path, with_pixels=False)
            if reason := reason_to_leave_out(dataset):
                warnings.append(f"left out: '{path.relative_to(source)}' ({reason})")
                continue
            try:
                _, _, normal, origin = geometry_of(dataset, path)
                position = float(normal @ origin)
            except DataError:
                position = -math.inf
            rank = series.setdefault(dataset.get("SeriesInstanceUID"), number)
            place = (rank, position, int(dataset.get("InstanceNumber") or 0), number)
            known = (dataset.get(tag) for tag in ("PatientID", "PatientName", "StudyInstanceUID"))
            patients.setdefault(next((str(value) for value in known if value), ""), []).append((place, path))
        except Exception as error:
            warnings.append(f"not written: '{path.relative_to(source)}' ({type(error).__name__}: {error})")
    return list(patients.values()), warnings


def _write(path, pixels, spacing):
    import nibabel

    whole = np.round(pixels)
    fits = (whole == pixels).all() and whole.min() >= -(2**15) and whole.max() < 2**15
    pixels = whole.astype(np.int16) if fits else pixels.astype(np.float32)
    z_y_x_c = pixels if pixels.ndim == 4 else pixels[np.newaxis]
    x_y_z_c = z_y_x_c.transpose(2, 1, 0, 3)
    between, row, column = (1.0, *(spacing or (1.0, 1.0)))[-3:]
    affine = np.diag([-column, -row, between, 1])
    with atomic_path(path) as temporary:
        nibabel.save(nibabel.Nifti1Image(x_y_z_c[..., 0] if x_y_z_c.shape[-1] == 1 else x_y_z_c, affine), temporary)


def main(arguments=()):
    """Command line: ``python -m unet_helpers deidentify IN OUT``."""
    parser = argparse.ArgumentParser("python -m unet_helpers deidentify", description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="folder with DICOM files")
    parser.add_argument("target", type=Path, help="new folder for the images")
    options = parser.parse_args(arguments)
    try:
        written, warnings = deidentify(options.source, options.target)
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None
    for warning in warnings:
        print(warning, file=sys.stderr)
    left_out = sum(warning.startswith(("left out", "no DICOM")) for warning in warnings)
    patients = len({path.name.split("_")[0] for path in written})
    print(f"{len(written)} pictures in {options.target}, patients: {patients}")
    print(f"files left out: {left_out}, other warnings: {len(warnings) - left_out}")
    if not written or any(warning.startswith("not ") for warning in warnings):
        raise SystemExit(1)
