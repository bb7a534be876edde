"""Read image and mask files as arrays with spacing; write them atomically.

Formats are read by the field's libraries: Pillow (PNG, JPEG), tifffile (TIFF), NumPy, pydicom and nibabel.
What they refuse, each in its own way, becomes one :class:`DataError` with one sentence.
"""

import contextlib
import errno
import logging
import math
import os
import tempfile
import threading
import zipfile
from pathlib import Path

import numpy as np

READABLE = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".npz", ".dcm", ".nii", ".nii.gz")


class DataError(ValueError):
    """A file or folder that cannot be used; the message names it and says what to do."""


def max_values():
    """The most pixels × channels that one file may unfold to: 2**29 (2 GiB as float32), or ``UNET_MAX_VALUES``.

    A damaged or hostile header can announce more than any machine has; the limit is checked before the memory is
    taken.
    """
    named = os.environ.get("UNET_MAX_VALUES", str(2**29))
    if not named.isdecimal() or int(named) == 0:
        raise DataError(f"UNET_MAX_VALUES is {named!r}; give a whole number of pixels above 0")
    return int(named)


def check_size(path, shape):
    """Raise :class:`DataError` if an array of this shape is larger than :func:`max_values`."""
    values = math.prod(int(n) for n in shape)
    if values > max_values():
        size = "×".join(str(n) for n in shape)
        raise DataError(
            f"'{_name(path)}' is too large: its header announces {size} values, and {max_values()} are allowed. If the "
            f"file is what you expect, allow more with the environment variable UNET_MAX_VALUES={values}"
        )


def user_path(named):
    """The path that a person means: ``~`` at its beginning is the home folder, as in a shell."""
    path = os.path.expanduser(named)
    home = path.replace("\\", "/").partition("/")[0]
    if path.startswith("~") and not os.path.exists(home):  # a file may well be named "~x.png"
        raise DataError(f"'{named}' begins with {home}, but no such home folder is known here; write it in full")
    return Path(path)


def suffix_of(path):
    """The format suffix in lower case, with ``.nii.gz`` as one piece."""
    name = os.path.basename(path).lower()
    stem, dot, end = name.rpartition(".")
    return ".nii.gz" if name.endswith(".nii.gz") else dot + end if stem.strip(".") else ""


def stem_of(path):
    """The file name without its format suffix."""
    name = os.path.basename(path)
    return name[: len(name) - len(suffix_of(name))]


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
        axis of a NIfTI is C. For a folder with a DICOM series see :func:`unet_helpers.volumes.read_series`.
    spacing : tuple of float or None
        (row, column) in mm, with the slice distance first for a volume; None where the format
        carries none.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataError
        A ``ValueError`` that names the file and what to do: unknown format, truncated, not what its name
        says, too large (see :func:`max_values`), NaN or infinite.
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


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)  # a disk that takes no more


@contextlib.contextmanager
def writing(path):
    """Turn the error of a system that refuses to write into one sentence: what, why, and what to do."""
    try:
        yield
    except OSError as error:
        blocked = isinstance(error, FileExistsError | NotADirectoryError)
        why = "a file stands where a folder is needed" if blocked else error.strerror or str(error)
        raise DataError(
            f"'{path}' cannot be written ({why}); make room, or choose another folder (the environment variable "
            "UNET_DATA_DIR names the one in which the series keeps its data)"
        ) from None


class atomic_path:
    """Context manager: write to a temporary file beside ``path``, and move it there only on success.

    A folder that may not be written and a full disk raise :class:`DataError`; no part of a file is left then.
    """

    def __init__(self, path):
        self.path = user_path(path)

    def __enter__(self):
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".writing-", suffix=suffix_of(self.path))
            os.close(handle)
        self.temporary = Path(name)
        return self.temporary

    def __exit__(self, kind, value, traceback):
        try:
            with writing(self.path):
                if getattr(value, "errno", None) in FULL:
                    raise value
                if value is None:
                    with contextlib.suppress(OSError):  # a memory stick may know no permissions
                        os.chmod(self.temporary, 0o644)  # mkstemp makes it private to its owner
                    os.replace(self.temporary, self.path)
        finally:
            with contextlib.suppress(OSError):
                self.temporary.unlink(missing_ok=True)


def _name(path):
    return Path(path).name


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


_PILLOW = {"lock": threading.Lock(), "count": 0, "limit": None}


@contextlib.contextmanager
def pillow_limit():
    """Hold Pillow to :func:`max_values` while it reads, also a file within another; then give its own limit back.

    Pillow has one limit for the whole program, so the last of several threads gives it back.
    """
    from PIL import Image

    limit = max(max_values() // 2, 1)  # Pillow refuses at twice its own number
    with _PILLOW["lock"]:
        if not _PILLOW["count"]:
            _PILLOW["limit"] = Image.MAX_IMAGE_PIXELS
        _PILLOW["count"] += 1
        Image.MAX_IMAGE_PIXELS = limit
    try:
        yield
    finally:
        with _PILLOW["lock"]:
            _PILLOW["count"] -= 1
            if not _PILLOW["count"]:
                Image.MAX_IMAGE_PIXELS = _PILLOW["limit"]


# --- one function per format: (path, as_mask) -> array with channels last, spacing ------------------------------


@pillow_limit()
def _read_picture(path, as_mask):
    from PIL import Image

    tiff = suffix_of(path) in (".tif", ".tiff")
    try:
        picture = Image.open(path, formats=["TIFF"] if tiff else ["PNG", "JPEG"])
    except Image.DecompressionBombError:
        raise DataError(
            f"'{path.name}' is too large: its header announces more than {max_values()} pixels. If the file is what "
            "you expect, allow more with the environment variable UNET_MAX_VALUES"
        ) from None
    with picture:
        # the JPEG of a telephone may carry a second picture for its display (MPO); the first is the photograph
        pages = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
        check_size(path, (pages, *picture.size, len(picture.getbands())))
        if pages > 1 and not tiff:
            raise DataError(f"'{path.name}' is an animation of {pages} pictures; save them one by one")
        if any(";16" in str(tile[-1]) for tile in picture.tile) and len(picture.getbands()) > 1:
            raise DataError(f"'{path.name}' has 16 bits per color, of which only 8 would be read; save it as TIFF")
        arrays = []
        for page in range(pages):
            if page:
                picture.seek(page)
                check_size(path, (pages, *picture.size))
            arrays.append(_gray_or_color(picture, as_mask))
    array = np.stack(arrays) if pages > 1 else arrays[0]
    return (array if array.ndim == 3 + (pages > 1) else array[..., np.newaxis]), None


def _gray_or_color(picture, as_mask):
    picture.load()
    if picture.mode == "P" and not as_mask:
        # a palette's index is the class in a mask; in an image the color is what is meant
        picture = picture.convert("RGB")
    elif picture.mode in ("1", "LA"):
        picture = picture.convert("L")
    elif picture.mode in ("RGBA", "CMYK", "YCbCr", "PA"):
        picture = picture.convert("RGB")
    return np.asarray(picture)


def _read_tiff(path, as_mask):
    import tifffile

    with _complaints("tifffile") as complaints, tifffile.TiffFile(path) as tiff:
        series, page = tiff.series[0], tiff.series[0].keyframe
        check_size(path, series.shape)
        if len(tiff.series) > 1:
            raise DataError(f"'{path.name}' holds {len(tiff.series)} pictures of different kinds; save them one by one")
        stored = sum(sum(page.databytecounts) for page in series.pages if page is not None)
        if stored > 2 * series.nbytes + 2**16:  # a bomb: tifffile would unpack all of it before it looks at the size
            raise ValueError(f"{stored} bytes are stored for {series.nbytes} bytes of picture")
        packed = page.compression not in (1, 8, 32773, 32946)  # none, deflate, PackBits: the rest tifffile cannot
        if packed or page.photometric in (tifffile.PHOTOMETRIC.PALETTE, tifffile.PHOTOMETRIC.MINISWHITE):
            return _read_picture(path, as_mask)
        array, axes = series.asarray(), series.axes
        if page.photometric == tifffile.PHOTOMETRIC.RGB and array.shape[axes.index("S")] == 4:
            array = np.take(array, range(3), axes.index("S"))
    if complaints:  # pages or strips that tifffile leaves out with a line in its log
        raise ValueError(complaints[0])
    color = [position for position, axis in enumerate(axes) if axis in "SC"]
    array = np.moveaxis(array, color[0], -1) if color else array[..., np.newaxis]
    if len(color) > 1 or array.ndim > 4 or not "".join(a for a in axes if a not in "SC").endswith("YX"):
        raise DataError(f"'{path.name}' has the axes {axes}; save one picture or one stack of slices (ZYX)")
    return array, None


@contextlib.contextmanager
def _complaints(library):
    """What a library logs as an error while this thread reads with it, kept from the screen."""
    heard, me = [], threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record):
            if record.thread == me and record.levelno >= logging.ERROR:
                heard.append(record.getMessage())

    logger, listener = logging.getLogger(library), Listener()
    logger.addHandler(listener)
    try:
        yield heard
    finally:
        logger.removeHandler(listener)


def _read_npy(path, as_mask):
    stored = np.load(path, mmap_mode="r", allow_pickle=False)  # reads the header only, and holds it to the file's size
    check_size(path, stored.shape)
    array = np.array(stored)
    return (array if array.ndim == 4 else array[..., np.newaxis]), None


def _read_npz(path, as_mask):
    with zipfile.ZipFile(path) as archive:
        check_size(path, (sum(member.file_size for member in archive.infolist()) // 8,))
        for name in archive.namelist():
            with archive.open(name) as member:
                version = np.lib.format.read_magic(member)
                read_header = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
                check_size(path, read_header[version[0]](member)[0])
    with np.load(path, allow_pickle=False) as stored:
        wanted = "mask" if as_mask else "image"
        names = [name for name in stored.files if name != "spacing"]
        if wanted not in names and len(names) != 1:
            raise DataError(f"'{path.name}' holds the arrays {names}; name the one to be read '{wanted}'")
        array = stored[wanted if wanted in names else names[0]]
        spacing = stored["spacing"].tolist() if "spacing" in stored else None
    return (array if array.ndim == 4 else array[..., np.newaxis]), spacing


def _read_dicom(path, as_mask):
    from .volumes import read_dicom

    return read_dicom(path)


def _read_nifti(path, as_mask):
    from .volumes import read_nifti

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
