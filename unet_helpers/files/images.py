"""Read image and mask files as arrays with spacing, whatever their format; write PNG.

Formats are read by the field's libraries: Pillow (PNG, JPEG), tifffile (TIFF), NumPy, pydicom, nibabel
and SimpleITK (NRRD, MetaImage).
What they refuse, each in its own way, becomes one :class:`unet_helpers.DataError` with one sentence.
"""

import math

import numpy as np

from .arrays import read_npy, read_npz
from .masks import class_indices
from .paths import READABLE, DataError, _name, atomic_path, reading_of, suffix_of, user_path
from .pictures import read_picture, read_tiff
from .reading import Reading


def read_image(path):
    """Read one image.

    Parameters
    ----------
    path : str or Path
        PNG, JPEG, TIFF, NPY, NPZ (one array, or the one named ``image``), DICOM, NIfTI, NRRD or MetaImage.

    Returns
    -------
    image : ``(H, W, C)`` float32
        Values as stored; DICOM is in HU after its rescale or modality table; where 0 is white, turned around; a
        palette is its colors; alpha is left out; a photograph is turned upright as its EXIF says. A TIFF of several
        pages, DICOM of several frames, NIfTI, NPY and NPZ may hold a volume, then ``(D, H, W, C)``; the fourth axis
        of a NIfTI is C, and of an NPY or NPZ a last axis of up to four is. A volume of one slice is that slice. For a
        folder with a DICOM series see :func:`unet_helpers.files.read_series`, for the orientation
        :mod:`unet_helpers.files.reading`.
    spacing : tuple of float or None
        (row, column) in mm, with the slice distance first for a volume; None where the format
        carries none.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataError
        A ``ValueError`` that names the file and what to do: unknown format, truncated, not what its name
        says, too large (see :func:`unet_helpers.files.max_values`), NaN or infinite, values of no known meaning.
    """
    reading = read_file(path)
    return reading.array, reading.spacing


def read_mask(path):
    """Read one mask with its values as stored: 0/1, 0/255, class indices.

    Of an NPZ the array named ``mask`` is read, or the only one. Of a palette the index is the class. Black and white
    in a JPEG become 0 and 255; any other mask in a JPEG is refused, because JPEG changes class indices. Labels that a
    scale factor moved by up to .03 are rounded.

    Returns
    -------
    ``(H, W)`` uint8, or ``(D, H, W)`` for a volume.

    Raises
    ------
    FileNotFoundError, DataError
        As :func:`read_image`; also for a color mask, one channel per class, an inverting palette, a mask that may stand
        in the alpha channel, or values that are not whole numbers in 0–255.
    """
    return read_file(path, as_mask=True).array


def read_file(path, as_mask=False):
    """Read one image, or mask, with its grid in the patient and with words for what its numbers are.

    Returns
    -------
    unet_helpers.files.Reading
        Its ``array`` is that of :func:`read_image` or :func:`read_mask`, which raise the same errors.
    """
    reading = _read(path, as_mask)
    if as_mask:
        reading.array = class_indices(path, reading)
        return reading
    with np.errstate(over="ignore"):
        image = np.asarray(reading.array, dtype=np.float32)
    if reading.array.dtype.kind == "f" and not np.isfinite(image).all():
        count = int((~np.isfinite(image)).sum())
        raise DataError(f"image '{_name(path)}' holds {count} values that are NaN or infinite; repair or leave it out")
    reading.array = image
    return reading


def write_png(path, array):
    """Write an 8-bit picture, ``(H, W)`` or ``(H, W, 3)`` uint8; a file is there whole or not at all."""
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(array).save(temporary, format="PNG")


# formats that people bring and that no library here reads: ending -> what it is, and what converts it
ELSEWHERE = {
    (".mgz", ".mgh"): ("FreeSurfer's MGH", "to NIfTI: nibabel.save(nibabel.load('{0}'), '{1}.nii.gz')"),
    (".hdr", ".img"): ("Analyze or a NIfTI pair", "to one NIfTI: nibabel.save(nibabel.load('{0}'), '{1}.nii.gz')"),
    (".mnc",): ("MINC", "to NIfTI: nibabel.save(nibabel.load('{0}'), '{1}.nii.gz')"),
    (".svs", ".ndpi", ".mrxs", ".scn", ".czi", ".lif", ".nd2", ".vsi"): (
        "a slide or a microscope's own format",
        "to TIFF tiles of the size that is needed: QuPath, Fiji with Bio-Formats",
    ),
    (".h5", ".hdf5", ".mat", ".pkl", ".zarr"): (
        "a container of arrays",
        "by saving each array as NPY: np.save('{1}.npy', array)",
    ),
    (".bmp", ".gif", ".webp", ".pgm", ".ppm", ".jp2", ".pcx", ".tga"): (
        "a picture format",
        "to PNG: Image.open('{0}').save('{1}.png')",
    ),
    (".heic", ".heif"): ("a telephone's photograph", "to PNG in the program that shows it"),
    (".json", ".xml", ".geojson"): ("an annotation in text", "to a PNG of class indices with the tool that wrote it"),
}


def _no_format(path, suffix):
    for endings, (what, remedy) in ELSEWHERE.items():
        if suffix in endings:
            return f"'{path.name}' is {what}, which is not read here; convert it {remedy.format(path.name, path.stem)}"
    return f"'{path.name}' is no format that is read here ({', '.join(READABLE)}); convert it"


def _read(path, as_mask=False):
    """The reading with channels in the last axis, ``(H, W, C)`` or ``(D, H, W, C)``, as stored."""
    path = user_path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file '{path}'; check the path and the spelling")
    suffix = suffix_of(path)
    if suffix not in READABLE:
        raise DataError(_no_format(path, suffix))
    with reading_of(path):
        reading = _as_single_slice(_READERS[suffix](path, as_mask))
    array, spacing = reading.array, reading.spacing
    if array.dtype.kind not in "buif" or array.ndim not in (3, 4) or array.size == 0:
        raise DataError(f"'{path.name}' cannot be read: it holds no picture but {array.dtype} of shape {array.shape}")
    if spacing is not None:
        reading.spacing = spacing = tuple(float(value) for value in spacing)
        if len(spacing) != array.ndim - 1 or not all(0 < value < math.inf for value in spacing):
            raise DataError(f"'{path.name}' gives its spacing as {spacing} mm; correct the header, or leave it out")
    return reading


def _as_single_slice(reading):
    """A volume of one slice, whichever axis is the thin one, is that slice; nnU-Net 1 stores pictures as (1, X, Y)."""
    shape = reading.array.shape
    if reading.array.ndim == 4 and (shape[0] == 1 or shape[:3].count(1) == 1):
        thin = shape.index(1)
        reading.array = np.squeeze(reading.array, axis=thin)
        if reading.spacing is not None and len(reading.spacing) == 3:
            reading.spacing = tuple(step for axis, step in enumerate(reading.spacing) if axis != thin)
    return reading


def _read_dicom(path, as_mask) -> Reading:
    from .scans import read_dicom

    return read_dicom(path, as_mask)


def _read_nifti(path, as_mask) -> Reading:
    from .nifti import read_nifti

    return read_nifti(path)


def _read_itk(path, as_mask) -> Reading:
    from .itk import read_itk

    return read_itk(path)


_READERS = {
    ".png": read_picture,
    ".jpg": read_picture,
    ".jpeg": read_picture,
    ".tif": read_tiff,
    ".tiff": read_tiff,
    ".npy": read_npy,
    ".npz": read_npz,
    ".dcm": _read_dicom,
    ".nii": _read_nifti,
    ".nii.gz": _read_nifti,
    **dict.fromkeys((".nrrd", ".nhdr", ".mha", ".mhd"), _read_itk),
}
