"""Read image and mask files as arrays with spacing; write them atomically.

Formats are read by the field's libraries: Pillow (PNG, JPEG), tifffile (TIFF), NumPy, pydicom and nibabel.
"""

import os
import tempfile
from pathlib import Path

import numpy as np

READABLE = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".dcm", ".nii", ".nii.gz")


def suffix_of(path):
    """The format suffix in lower case, with ``.nii.gz`` as one piece."""
    name = Path(path).name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def stem_of(path):
    """The file name without its format suffix."""
    return Path(path).name[: len(Path(path).name) - len(suffix_of(path))]


def read_image(path):
    """Read one image.

    Parameters
    ----------
    path : str or Path
        PNG, JPEG, TIFF, NPY, DICOM or NIfTI.

    Returns
    -------
    image : ``(H, W, C)`` float32
        Values as stored; DICOM is in HU after its rescale slope and intercept. NIfTI and NPY may
        hold a volume, then ``(D, H, W, C)``.
    spacing : tuple of float or None
        (row, column) in mm, with the slice distance first for a volume; None where the format
        carries none.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file and what to do: not there, unknown format, truncated, NaN or infinite.
    """
    array, spacing = _read(path)
    image = np.asarray(array, dtype=np.float32)
    if not np.isfinite(image).all():
        count = int((~np.isfinite(image)).sum())
        raise ValueError(f"image '{_name(path)}' holds {count} values that are NaN or infinite; repair or leave it out")
    return (image if _has_channels(path, image) else image[..., np.newaxis]), spacing


def read_mask(path):
    """Read one mask with its values as stored: 0/1, 0/255, class indices.

    Returns
    -------
    ``(H, W)`` uint8, or ``(D, H, W)`` for a volume.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`read_image`; also for a color mask, or values that are not whole numbers in 0–255.
    """
    array, _ = _read(path, palette_is_index=True)
    if array.ndim == 3 and suffix_of(path) in (".png", ".jpg", ".jpeg", ".tif", ".tiff"):
        gray = array[..., :1]
        if not (array[..., :3] == gray).all():
            raise ValueError(f"mask '{_name(path)}' is a color picture; a mask holds one class index per pixel")
        array = array[..., 0]
    if not np.isfinite(np.asarray(array, dtype=np.float64)).all():
        raise ValueError(f"mask '{_name(path)}' holds NaN or infinite values; draw it again or leave it out")
    if array.min() < 0 or array.max() > 255 or not (array == np.floor(array)).all():
        raise ValueError(
            f"mask '{_name(path)}' holds values from {array.min()} to {array.max()}; "
            "a mask holds whole numbers from 0 to 255. Is this an image?"
        )
    return array.astype(np.uint8)


def write_png(path, array):
    """Write an 8-bit picture, ``(H, W)`` or ``(H, W, 3)`` uint8; a file is there whole or not at all."""
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(array).save(temporary, format="PNG")


class atomic_path:
    """Context manager: write to a temporary file beside ``path``, and move it there only on success."""

    def __init__(self, path):
        self.path = Path(path)

    def __enter__(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".writing-", suffix=suffix_of(self.path))
        os.close(handle)
        self.temporary = Path(name)
        return self.temporary

    def __exit__(self, kind, value, traceback):
        if kind is None:
            os.chmod(self.temporary, 0o644)  # mkstemp makes it private to its owner
            os.replace(self.temporary, self.path)
        else:
            self.temporary.unlink(missing_ok=True)


def _name(path):
    return Path(path).name


def _has_channels(path, array):
    return suffix_of(path) in (".png", ".jpg", ".jpeg", ".tif", ".tiff") and array.ndim == 3


def _read(path, palette_is_index=False):
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file '{path}'; check the path and the spelling")
    suffix = suffix_of(path)
    if suffix not in READABLE:
        raise ValueError(f"'{path.name}' is no format that is read here ({', '.join(READABLE)}); convert it")
    options = {"palette_is_index": palette_is_index} if suffix in (".png", ".jpg", ".jpeg") else {}
    try:
        array, spacing = _READERS[suffix](path, **options)
        if np.asarray(array).dtype.kind not in "buif" or np.ndim(array) < 2 or np.size(array) == 0:
            raise ValueError("it holds no picture")
        return np.asarray(array), spacing
    except Exception as error:  # each library has errors of its own; the reader needs one sentence
        raise ValueError(
            f"'{path.name}' cannot be read as {suffix[1:]} ({path.stat().st_size} bytes): "
            f"truncated or damaged? Copy it again, or leave the pair out. ({type(error).__name__}: {error})"
        ) from error


def _read_picture(path, palette_is_index=False):
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
        if picture.mode == "P":
            # a palette's index is the class in a mask; in an image the color is what is meant
            picture = picture if palette_is_index else picture.convert("RGB")
        elif picture.mode == "1":
            picture = picture.convert("L")
        elif picture.mode in ("LA", "RGBA"):
            picture = picture.convert("L" if picture.mode == "LA" else "RGB")
        return np.asarray(picture), None


def _read_tiff(path):
    from skimage.io import imread

    return imread(path), None


def _read_npy(path):
    return np.load(path, allow_pickle=False), None


def _read_dicom(path):
    import pydicom
    from pydicom.pixels import apply_modality_lut

    dataset = pydicom.dcmread(path)
    spacing = tuple(float(v) for v in dataset.PixelSpacing) if "PixelSpacing" in dataset else None
    return apply_modality_lut(dataset.pixel_array, dataset), spacing


def _read_nifti(path):
    import nibabel

    image = nibabel.as_closest_canonical(nibabel.load(path))
    # canonical axes are x to the patient's right, y to the front, z up; ours are slice, row (front to back) and
    # column (right to left), as DICOM slices are stored and a radiologist's display shows them
    volume = np.asarray(image.dataobj)
    zooms = image.header.get_zooms()
    if volume.ndim == 2 or volume.shape[2] == 1:
        return np.flip(volume.reshape(volume.shape[:2]).T, (0, 1)), (float(zooms[1]), float(zooms[0]))
    return np.flip(volume.transpose(2, 1, 0), (1, 2)), (float(zooms[2]), float(zooms[1]), float(zooms[0]))


_READERS = {
    ".png": _read_picture,
    ".jpg": _read_picture,
    ".jpeg": _read_picture,
    ".tif": _read_tiff,
    ".tiff": _read_tiff,
    ".npy": _read_npy,
    ".dcm": _read_dicom,
    ".nii": _read_nifti,
    ".nii.gz": _read_nifti,
}
