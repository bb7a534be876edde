"""One function per format of pictures: PNG, JPEG and TIFF by Pillow and tifffile, arrays by NumPy."""

import contextlib
import logging
import threading
import zipfile

import numpy as np

from .paths import DataError, check_size, max_values, suffix_of

_PILLOW = {"lock": threading.Lock(), "count": 0, "limit": None}


@contextlib.contextmanager
def pillow_limit():
    """Hold Pillow to our limit while it reads, also a file within another; then give its own limit back.

    Ours is :func:`unet_helpers.files.max_values`. Pillow has one limit for the whole program, so the last of several
    threads gives it back.
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
