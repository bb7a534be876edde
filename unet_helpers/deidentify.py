"""Write DICOM files as images without identity: pixels and spacing, and nothing else.

``python -m unet_helpers deidentify IN OUT``
"""

import argparse
import os
import random
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from .images import DataError, atomic_path, user_path
from .volumes import geometry_of, open_dicom, pixels_of, spacing_of


def deidentify(source, target):
    """Write every DICOM file below a folder as ``P001_Z0001.nii.gz``.

    Each file is one picture: the pixel values (HU for CT) and the (row, column) spacing. No tag is copied, and
    no name: patients are numbered in an order drawn at random, their pictures by series and position. Who is who is
    written nowhere. ``P001`` is the patient for :func:`unet_helpers.load_dataset`.

    What lies *in* the pixels stays: text that a device has burned in, and the face in a scan of the head.

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
        Pictures with text that is or may be burned in, and files that could not be written, each by a name or number
        that can be looked up: names of the output where there are any.

    Raises
    ------
    FileNotFoundError, FileExistsError, DataError
        No such folder; the target is there already; no DICOM file in it.
    """
    source, target = user_path(source), user_path(target)
    if not source.is_dir():
        raise FileNotFoundError(f"no folder '{source}'; check the path")
    if target.exists():
        raise FileExistsError(f"'{target}' is there already; choose a new folder")
    patients, warnings = _sort_files(source)
    if not patients:
        raise DataError(f"folder '{source}' holds no DICOM file; is it the right folder?")
    written = []
    numbered = [patients[patient] for patient in random.SystemRandom().sample(sorted(patients), len(patients))]
    for patient, files in enumerate(numbered, start=1):
        for z, path in enumerate((path for _, path in sorted(files)), start=1):
            name = f"P{patient:03d}_Z{z:04d}.nii.gz"
            try:
                dataset = open_dicom(path)
                spacing = spacing_of(dataset)
                _write(target / name, pixels_of(dataset, path), spacing)
            except Exception as error:
                warnings.append(f"not written: '{path.relative_to(source)}' ({type(error).__name__}: {error})")
                continue
            written.append(target / name)
            if spacing is None:
                warnings.append(f"{name}: the file says no spacing; it stands as 1 mm, which is no measurement")
            burned = str(dataset.get("BurnedInAnnotation", "")).upper()
            if burned == "YES":
                warnings.append(f"{name}: text is burned into the picture; look at it, and cut the text away")
            elif burned != "NO" and dataset.get("Modality") not in ("CT", "MR", "PT", "NM"):
                warnings.append(f"{name}: text may be burned into the picture; look at it before passing it on")
    return written, warnings


def _sort_files(source):
    """``{patient id: [(place in the patient, path), …]}`` of all DICOM files, and what is wrong with the others."""
    from pydicom.misc import is_dicom

    patients, warnings = defaultdict(list), []
    for folder, _, names in os.walk(source, onerror=lambda error: warnings.append(f"not read: {error}")):
        for name in sorted(names):
            path = Path(folder) / name
            try:
                if not (path.suffix.lower() == ".dcm" or is_dicom(path)):
                    warnings.append(f"no DICOM, left out: '{path.relative_to(source)}'")
                    continue
                dataset = open_dicom(path, with_pixels=False)
            except Exception as error:
                warnings.append(f"not written: '{path.relative_to(source)}' ({type(error).__name__}: {error})")
                continue
            try:
                _, _, normal, origin = geometry_of(dataset, path)
                position = float(normal @ origin)
            except DataError:
                position = 0.0
            place = (str(dataset.get("SeriesInstanceUID")), position, int(dataset.get("InstanceNumber") or 0))
            known = (dataset.get(tag) for tag in ("PatientID", "PatientName", "StudyInstanceUID"))
            patients[next((str(value) for value in known if value), "")].append((place, path))
    return patients, warnings


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
    print(f"{len(written)} pictures in {options.target}; {len(warnings)} warnings")
    if any(warning.startswith("not ") for warning in warnings):
        raise SystemExit(1)
