"""Read image and mask files as arrays with spacing, whatever their format; write PNG.

Formats are read by the field's libraries: Pillow (PNG, JPEG), tifffile (TIFF), NumPy, pydicom and nibabel.
What they refuse, each in its own way, becomes one :class:`unet_helpers.DataError` with one sentence.
"""

import math

import numpy as np

from .paths import READABLE, DataError, _name, atomic_path, suffix_of, user_path
from .pictures import _read_npy, _read_npz, _read_picture, _read_tiff


def read_image(path):
    """Read one image.

    Parameters
    ----------
    path : str or Path
        PNG, JPEG, TIFF, NPY, NPZ (one array, or the one named ``image``), DICOM or NIfTI.

    Returns
    -------
    image : ``(H, W, C)`` float32
        Values as stored; DICOM is in HU after its rescale or modality table. A TIFF of several pages,
        DICOM of several frames, NIfTI, NPY and NPZ may hold a volume, then ``(D, H, W, C)``; the fourth
        axis of a NIfTI is C. For a folder with a DICOM series see :func:`unet_helpers.files.read_series`.
    spacing : tuple of float or None
        (row, column) in mm, with the slice distance first for a volume; None where the format
        carries none.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataError
        A ``ValueError`` that names the file and what to do: unknown format, truncated, not what its name
        says, too large (see :func:`unet_helpers.files.max_values`), NaN or infinite.
    """
    array, spacing = _read(path)
    with np.errstate(over="ignore"):
        image = np.asarray(array, dtype=np.float32)
    if array.dtype.kind == "f" and not np.isfinite(image).all():
        count = int((~np.isfinite(image)).sum())
        raise DataError(f"image '{_name(path)}' holds {count} values that are NaN or infinite; repair or leave it out")
    return image, spacing


def read_mask(path):
    """Read one mask with its values as stored: 0/1, 0/255, class indices.

    Of an NPZ the array named ``mask`` is read, or the only one.

    Returns
    -------
    ``(H, W)`` uint8, or ``(D, H, W)`` for a volume.

    Raises
    ------
    FileNotFoundError, DataError
        As :func:`read_image`; also for a color mask, or values that are not whole numbers in 0–255.
    """
    array, _ = _read(path, as_mask=True)
    if array.shape[-1] not in (1, 3, 4):
        raise DataError(f"mask '{_name(path)}' holds {array.shape[-1]} channels; a mask has one class index per pixel")
    if not (array[..., :3] == array[..., :1]).all():
        raise DataError(f"mask '{_name(path)}' is a color picture; a mask holds one class index per pixel")
    array = array[..., 0]
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"mask '{_name(path)}' holds NaN or infinite values; draw it again or leave it out")
    if array.min() < 0 or array.max() > 255 or (array.dtype.kind == "f" and (array != np.floor(array)).any()):
        raise DataError(
            f"mask '{_name(path)}' holds values from {array.min()} to {array.max()}; "
            "a mask holds whole numbers from 0 to 255. Is this an image?"
        )
    return array.astype(np.uint8)


def write_png(path, array):
    """Write an 8-bit picture, ``(H, W)`` or ``(H, W, 3)`` uint8; a file is there whole or not at all."""
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(array).save(temporary, format="PNG")


def _read(path, as_mask=False):
    """Array with its channels in the last axis, ``(H, W, C)`` or ``(D, H, W, C)``, as stored; and spacing."""
    path = user_path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file '{path}'; check the path and the spelling")
    suffix = suffix_of(path)
    if suffix not in READABLE:
        raise DataError(f"'{path.name}' is no format that is read here ({', '.join(READABLE)}); convert it")
    try:
        array, spacing = _READERS[suffix](path, as_mask)
    except DataError:
        raise
    except PermissionError as error:
        raise DataError(f"'{path.name}' may not be read by this user; change its permissions") from error
    except Exception as error:  # each library has errors of its own; the reader needs one sentence
        raise DataError(
            f"'{path.name}' cannot be read as {suffix[1:]} ({path.stat().st_size} bytes): "
            f"truncated or damaged? Copy it again, or leave the pair out. ({type(error).__name__}: {error})"
        ) from error
    if array.dtype.kind not in "buif" or array.ndim not in (3, 4) or array.size == 0:
        raise DataError(f"'{path.name}' cannot be read: it holds no picture but {array.dtype} of shape {array.shape}")
    if spacing is not None:
        spacing = tuple(float(value) for value in spacing)
        if len(spacing) != array.ndim - 1 or not all(0 < value < math.inf for value in spacing):
            raise DataError(f"'{path.name}' gives its spacing as {spacing} mm; correct the header, or leave it out")
    return array, spacing


def _read_dicom(path, as_mask):
    from .scans import read_dicom

    return read_dicom(path)


def _read_nifti(path, as_mask):
    from .scans import read_nifti

    return read_nifti(path)


_READERS = {
    ".png": _read_picture,
    ".jpg": _read_picture,
    ".jpeg": _read_picture,
    ".tif": _read_tiff,
    ".tiff": _read_tiff,
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".dcm": _read_dicom,
    ".nii": _read_nifti,
    ".nii.gz": _read_nifti,
}
