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

from .pairing import FOLDER_PAIRS, is_mask_name, natural_key, plain_name, without_leading_zeros
from .paths import DataError, atomic_path, user_path
from .scans import geometry_of, open_dicom, pixels_of, spacing_of

# beginnings of the keywords of the SOP classes whose images are gray slices, into which no device writes text
SLICES = ("CTImage", "MRImage", "PositronEmissionTomographyImage", "NuclearMedicineImage")
# what a Modality says that has no pictures
NO_PICTURES = ("SR", "DOC", "PR", "KO", "PLAN", "REG", "FID", "RTSTRUCT", "RTPLAN", "RTRECORD", "AU", "ECG", "HD")
# words of ImageType: SECONDARY is what was made after the examination; LABEL and OVERVIEW are photos of a glass slide
NO_ORIGINAL = (
    r"SECONDARY|SCREEN|CAPTURE|SNAPSHOT|LOCALI[SZ]ER|SCOUT|TOPOGRAM|SURVIEW|DOSE|REPORT|\bPROT\b|LABEL|OVERVIEW|"
    r"RENDER|VOLREN|\bVRT\b|\bSSD\b"
)
# words of SeriesDescription, for devices that do not say it in ImageType
NO_ORIGINAL_SERIES = (
    r"DOS(E|IS)[ _-]*(REPORT|RECORD|INFO|SUMMARY|SHEET|PAGE|BERICHT|PROTO[KC]OLL?)|SCREEN[ _-]*(SAVE|SHOT|CAP)|"
    r"(RAPPORT|INFORME|RELAT.RIO)\W+(DE )?DOS|PATIENTE?N?[ _-]*PROTO[CK]OLL?|SECONDARY[ _-]*CAPTURE|"
    r"SCOUT|SCANOGRAM|TOPOGRAM|SURVIEW|LOCALI[SZ]ER"
)


def deidentify(source, target):
    """Write the original images among the DICOM files below a folder as ``P001_Z0001.nii.gz``.

    Each image is one picture: the pixel values (HU for CT) and the (row, column) spacing. No tag, private or not, no
    overlay and no name is copied. Who is who is written nowhere. ``P001`` is the patient for
    :func:`unet_helpers.load_dataset`.

    What is no original image is left out and listed, whatever its Modality says: the dose report of a CT shows the
    name in its pixels, and a scout is no slice. See :func:`reason_to_leave_out`. What lies *in* the pixels of the
    others stays: text of which the file does not tell, and the face in a scan of the head.

    The same folder gives the same names in each run. A patient is a PatientID; a file without one belongs to the
    patient of its study, else of its name. Patients are numbered in the natural order of their files, the pictures of a
    patient by series in that order, and by position, else InstanceNumber, else name. A picture that cannot be written
    keeps its number; what is left out has none. Who has the source, and nobody else, can count out who is who.

    Masks that lie in a folder beside their images (``masks`` beside ``images``, and the other names that
    ``load_dataset`` knows) or are called ``x_mask.dcm`` beside ``x.dcm`` get the new name of the image whose name they
    share, and the pairs go to ``images`` and ``masks``. A mask without its image is left out and listed. Deidentified
    one after the other, two folders keep their pairs only if both hold the same patients and slices.

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
        that can be looked up: names of the output where there are any. The others are names of the source, which may
        tell who it is, as may the words of an error: keep them with the source.

    Raises
    ------
    FileNotFoundError, FileExistsError, DataError
        No such folder; the target is there already; no DICOM file in it, or a folder of masks of which none has the
        name of an image.
    """
    source, target = user_path(source), user_path(target)
    if not source.is_dir():
        raise FileNotFoundError(f"no folder '{source}'; check the path")
    if target.exists():
        raise FileExistsError(f"'{target}' is there already; choose a new folder")
    pictures, warnings = _sort_files(source)
    if not pictures and all(warning.startswith("no DICOM") for warning in warnings):
        raise DataError(f"folder '{source}' holds no DICOM file; is it the right folder?")
    names, said = _new_names(pictures, source)
    warnings += said + _masks_apart(source)
    written = []
    for path, name in names.items():
        try:
            dataset = open_dicom(path)
            spacing = spacing_of(dataset)
            if spacing and not all(0 < step < math.inf for step in spacing):
                spacing = None
            pixels = pixels_of(dataset, path)
            look = [f"{name}: {what}" for what in _to_look_at(dataset, spacing)]
            _write(target / name, pixels, spacing)
        except Exception as error:
            warnings.append(f"not written: '{path.relative_to(source)}' ({type(error).__name__}: {error})")
            continue
        written.append(target / name)
        warnings += look
    return written, warnings


def reason_to_leave_out(dataset):
    """Why a DICOM file is no original image, or shows text; None for one that may be written.

    By its SOP class (secondary captures such as dose reports, structured reports, PDF, segmentations, DICOMDIR), its
    ImageType (SECONDARY, SCREEN SAVE, LOCALIZER, renderings), SeriesDescription, ConversionType, BurnedInAnnotation
    other than NO, a Modality without pictures, color where there is none, and overlays in the pixels. Reformatted
    slices stay that are DERIVED and PRIMARY and have a position in the patient; DERIVED and SECONDARY stands on screen
    saves too. A missing tag says nothing, but for the class.
    """
    for kind in _sop_classes(dataset):
        if "ImageStorage" not in kind.keyword or re.search("SecondaryCapture|Hardcopy", kind.keyword):
            return f"{kind.name or 'no SOP class'}: no image as a device takes it"
    if _upper(dataset, "Modality") in NO_PICTURES:
        return f"Modality {dataset.Modality}: no image"
    if dataset.get("ConversionType"):
        return f"ConversionType {dataset.ConversionType}: copied from a screen, a film or a file"
    if _upper(dataset, "BurnedInAnnotation") not in ("", "NO"):
        return f"BurnedInAnnotation {dataset.BurnedInAnnotation}: text is burned into the picture"
    if found := re.search(NO_ORIGINAL, _upper(dataset, "ImageType")):
        return f"ImageType {found[0]}: no original image"
    if found := re.search(NO_ORIGINAL_SERIES, _upper(dataset, "SeriesDescription")):
        return f"SeriesDescription {found[0]}: no original image"
    if _is_slice(dataset):
        palette = "PALETTE" in _upper(dataset, "PhotometricInterpretation")
        if palette or int(dataset.get("SamplesPerPixel") or 1) > 1:
            return f"in color, as no {_sop_classes(dataset)[0].name} is"
        if "DERIVED" in _upper(dataset, "ImageType") and not dataset.get("ImagePositionPatient"):
            return "ImageType DERIVED, without a position in the patient: no slice"
    if any((group, 0x3000) not in dataset for group in _overlay_groups(dataset)):
        return "an overlay, text or drawings, lies in the bits of its pixels"
    return None


def _to_look_at(dataset, spacing):
    """What to know of a picture that has been written."""
    if spacing is None:
        yield "the file says no spacing; it stands as 1 mm, which is no measurement"
    slices = _is_slice(dataset) and dataset.get("Modality") in ("CT", "MR", "PT", "NM")
    # a screen save that calls itself a slice has no place in the patient, or 8 bits
    deep = dataset.BitsAllocated > 8 or "ORIGINAL" in _upper(dataset, "ImageType")
    slices = slices and deep and dataset.get("ImagePositionPatient")
    if not slices and _upper(dataset, "BurnedInAnnotation") != "NO":
        yield "text may be burned into the picture; look at it before passing it on"
    if _upper(dataset, "RecognizableVisualFeatures") == "YES":
        yield "a face can be recognized, says the file; remove it before passing the picture on"
    if _overlay_groups(dataset):
        yield "its overlay, text or drawings, is not copied"


def _sop_classes(dataset):
    """What the data set says it is, and what the file says, where the two differ."""
    from pydicom.uid import UID

    said = (dataset.get("SOPClassUID"), dataset.file_meta.get("MediaStorageSOPClassUID"))
    return [UID(str(uid)) for uid in dict.fromkeys(said) if uid] or [UID("")]


def _is_slice(dataset):
    return _sop_classes(dataset)[0].keyword.startswith(SLICES)


def _upper(dataset, tag):
    return str(dataset.get(tag) or "").strip().upper()


def _overlay_groups(dataset):
    return {element.tag.group for element in dataset[0x60000000:0x61000000] if not element.tag.is_private}


def _sort_files(source):
    """``{path: (patient, place in the patient)}`` in natural order, and what is wrong with the other files."""
    from pydicom.misc import is_dicom

    pictures, series, of_study, warnings = {}, {}, {}, []
    walk = os.walk(source, onerror=lambda error: warnings.append(f"not read: {error}"))
    paths = [Path(folder) / name for folder, _, names in walk for name in names]
    for number, path in enumerate(sorted(paths, key=lambda path: natural_key(path.relative_to(source).as_posix()))):
        try:
            named = path.suffix.lower() == ".dcm" and not path.name.startswith("._")  # which macOS leaves
            plain = path.is_file() or not path.exists()  # a pipe would never end; a broken link has its own error
            if not plain or not (named or is_dicom(path)):
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
            who, name, study = (
                str(dataset.get(tag) or "").strip() for tag in ("PatientID", "PatientName", "StudyInstanceUID")
            )
            if who and study:
                of_study.setdefault(study, who)
            pictures[path] = ((who, name, study), place)
        except Exception as error:
            warnings.append(f"not written: '{path.relative_to(source)}' ({type(error).__name__}: {error})")
    # without a PatientID it is that of the same study, so that no person becomes two
    patients = {path: who or of_study.get(study) or name or study for path, ((who, name, study), _) in pictures.items()}
    return {path: (patients[path], place) for path, (_, place) in pictures.items()}, warnings


def _new_names(pictures, source):
    """``{path: name in the target}``, a mask behind its image, and what is to be said of them."""
    pairs, patients, warnings, names = _masks_of(pictures, source), {}, [], {}
    masks = {mask for found in pairs.values() for mask in found}
    for path, (patient, place) in pictures.items():
        if path not in masks:
            patients.setdefault(patient, []).append((place, path))
    for patient, files in enumerate(patients.values(), start=1):
        without_position = Counter(series for (series, position, *_), _ in files if position == -math.inf)
        if unsorted := sum(count for count in without_position.values() if count > 1):
            order = "their order is that of InstanceNumber and names"
            warnings.append(f"P{patient:03d}: {unsorted} pictures have no position; {order}")
        for z, (_, path) in enumerate(sorted(files), start=1):
            name = f"P{patient:03d}_Z{z:04d}.nii.gz"
            names[path] = f"images/{name}" if masks else name
            if len(found := pairs.pop(path, [])) == 1:
                names[found[0]] = f"masks/{name}"
            elif found:
                pairs[path] = found
    for key, found in pairs.items():
        why = "several masks of one image" if key in names else "a mask; no image, or several, of its name"
        warnings += [f"left out: '{mask.relative_to(source)}' ({why})" for mask in found]
    return names, warnings


def _masks_of(paths, source):
    """``{image: [masks that share its name]}``, others by the name itself; empty where no mask has an image."""
    keys = {path: _shared_name(path.relative_to(source)) for path in paths}
    images, found = {}, {}
    for path, (key, is_mask) in keys.items():
        if not is_mask:
            images.setdefault(key, []).append(path)
    for path, (key, is_mask) in keys.items():
        if is_mask:
            image = images.get(key, [])
            found.setdefault(image[0] if len(image) == 1 else key, []).append(path)
    if any(isinstance(key, Path) for key in found):
        return found
    for folder, inside, _ in os.walk(source):
        for names in FOLDER_PAIRS:
            if set(names) <= set(inside):
                raise DataError(
                    f"folder '{folder}' holds '{names[0]}' and '{names[1]}', but no DICOM mask has the name of an "
                    "image; name the masks as their images, or deidentify one folder after the other"
                )
    return {}


def _shared_name(path):
    """What an image and its mask have in common, and whether this is the mask."""
    ends = (".dcm", ".dicom", ".ima")  # the last part of a UID is no suffix
    name = path.name if path.suffix.lower() in ends else f"{path.name}.dcm"
    folders, is_mask = list(path.parent.parts), is_mask_name(name)
    for images, masks in FOLDER_PAIRS:
        is_mask = is_mask or masks in folders
        folders = [images if folder == masks else folder for folder in folders]
    return ("/".join(folders), without_leading_zeros(plain_name(name))), is_mask


def _masks_apart(source):
    """A warning where the other half of the pairs lies beside the folder."""
    here = source.resolve()
    for names in FOLDER_PAIRS:
        if here.name in names and all((here.parent / name).is_dir() for name in names):
            together = "if one is missing, pairs are broken without a word; deidentify the folder around both instead"
            return [f"'{names[0]}' and '{names[1]}' are numbered apart: {together}"]
    return []


def _write(path, pixels, spacing):
    import nibabel

    whole = np.round(pixels)
    limits = [np.iinfo(kind) for kind in (np.int16, np.int32)]
    fits = [limit.dtype for limit in limits if limit.min <= whole.min() and whole.max() <= limit.max]
    pixels = whole.astype(fits[0]) if fits and (whole == pixels).all() else pixels.astype(np.float32)
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
