"""Pictures: PNG, JPEG and TIFF by Pillow and tifffile, upright and with more meaning brighter."""

import contextlib
import logging
import math
import threading

import numpy as np

from .masks import check_alpha, indices_of_palette, palettes_agree
from .paths import DataError, check_size, max_values, suffix_of
from .reading import Reading

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


# Pillow's modes whose numbers are gray or color; others (LAB, HSV) would be read as colors that they are not
GRAY = ("1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
WITH_ALPHA = ("LA", "PA", "RGBA", "La", "RGBa")
COLOR = ("P", "RGB", "RGBX", "CMYK", "YCbCr")
ORIENTATION, PHOTOMETRIC, COMPRESSION = 274, 262, 259  # numbers of tags in TIFF and EXIF
SCALED = {"L;4": 17, "L;2": 85}  # gray of 4 and 2 bits, which Pillow spreads over 0 to 255: of a mask they are indices
LOSSY_TIFF = (6, 7, 33003, 33005, 34712, 34892, 50001)  # JPEG, JPEG 2000, WebP


@pillow_limit()
def read_picture(path, as_mask):
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
        read, kinds = [], set()
        for page in range(pages):
            if page:
                picture.seek(page)
                check_size(path, (pages, *picture.size))
            kinds.add(picture.mode)
            read.append(_page(path, picture, as_mask))
        lossy = picture.tag_v2.get(COMPRESSION) in LOSSY_TIFF if tiff else picture.format in ("JPEG", "MPO")
    if len(kinds) > 1:
        raise DataError(
            f"'{path.name}' has pages of different kinds ({', '.join(sorted(kinds))}); save them one by one"
        )
    reading = read[0]
    reading.array = np.stack([page.array for page in read]) if pages > 1 else reading.array
    reading.lossy = lossy
    if reading.palette is not None:
        palettes_agree({f"{path.name}, page {number}": page.palette for number, page in enumerate(read, start=1)})
        reading.palette = {index: color for page in read for index, color in page.palette.items()}
    return reading


def _page(path, picture, as_mask):
    """The current page of a picture as ``(H, W, C)``, and what its numbers are."""
    packed = next((step for kind, step in SCALED.items() if picture.tile and kind in str(picture.tile[0][-1])), 1)
    photometric = picture.tag_v2.get(PHOTOMETRIC) if picture.format == "TIFF" else None
    turn = 1
    if picture.format != "TIFF":  # of a TIFF Pillow turns the pixels by itself
        with contextlib.suppress(Exception):  # EXIF that cannot be read says no orientation, as for a viewer
            turn = picture.getexif().get(ORIENTATION, 1)
    picture.load()
    mode = picture.mode
    if mode not in (*GRAY, *WITH_ALPHA, *COLOR):
        raise DataError(f"'{path.name}' is in the colors {mode}, which are not read here; save it as gray or RGB")
    bits = {"1": 1, "I": 32, "F": 32}.get(mode, 16 if mode.startswith("I;16") else 8)
    rule, notes, palette = f"{bits} bit as stored", [], None
    if mode == "P" and as_mask:
        indices = np.asarray(picture)
        colors = np.asarray(picture.getpalette("RGB") or [], int).reshape(-1, 3)
        palette, rule, array = indices_of_palette(path, indices, colors), "indices of a palette", indices
    elif mode in WITH_ALPHA:
        array = np.asarray(picture.convert("LA" if mode in ("LA", "La") else "RGBA"))
        array, rule = _without_alpha(path, array, as_mask), f"{rule}, alpha left out"
    elif mode in GRAY:
        array = np.asarray(picture.convert("L") if mode == "1" else picture)
        if as_mask and packed > 1 and not set(np.unique(array).tolist()) <= {0, 255}:
            array, rule = array // packed, f"{4 if packed == 17 else 2} bit as stored"
        if photometric == 0 and bits > 8:  # up to 8 bits Pillow turns the values around
            array, rule = _white_is_zero(path, array, 16), f"{bits} bit, turned around because 0 is white"
    else:
        # a palette's index is the class in a mask; in an image the color is what is meant
        array = np.asarray(picture.convert("RGB"))
        rule = rule if mode == "RGB" else {"P": "colors of a palette"}.get(mode, f"{mode} as RGB")
    array = array if array.ndim == 3 else array[..., np.newaxis]
    if turn in TURNS:
        array = TURNS[turn](array)
        notes.append(f"turned upright, as its EXIF orientation {turn} says")
    return Reading(array, rule=rule, notes=notes, palette=palette)


def _without_alpha(path, array, as_mask):
    """The channels before the last, which is alpha; a mask that stands in it is refused."""
    if as_mask:
        check_alpha(path, array[..., :-1], array[..., -1])
    return array[..., :-1]


def _white_is_zero(path, array, bits):
    """Turn values around of which 0 is white, so that more is brighter."""
    if array.dtype.kind not in "u" or (array.size and int(array.max()) >= 2**bits):
        raise DataError(
            f"'{path.name}' says that 0 is white, but its values are {array.dtype}, of which black is not known; "
            "save it with MINISBLACK"
        )
    return (array.dtype.type(2**bits - 1) - array).astype(array.dtype)


# what brings a picture upright, by its orientation in EXIF or TIFF; (H, W, C)
TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def read_tiff(path, as_mask):
    import tifffile

    kinds = tifffile.PHOTOMETRIC
    with _complaints("tifffile") as complaints, tifffile.TiffFile(path) as tiff:
        series, page = tiff.series[0], tiff.series[0].keyframe
        check_size(path, series.shape)
        if len(tiff.series) > 1:
            raise DataError(f"'{path.name}' holds {len(tiff.series)} pictures of different kinds; save them one by one")
        there = [page for page in series.pages if page is not None]
        pieces, known = math.prod(page.chunked), min(len(frame.dataoffsets) for frame in there)
        if known < pieces:  # tifffile would go through millions of pieces that are not there
            raise ValueError(f"{pieces} strips or tiles are announced and {known} are there")
        stored = sum(sum(frame.databytecounts) for frame in there)
        if stored > 2 * series.nbytes + 2**16:  # a bomb: tifffile would unpack all of it before it looks at the size
            raise ValueError(f"{stored} bytes are stored for {series.nbytes} bytes of picture")
        packed = page.compression not in (1, 8, 32773, 32946)  # none, deflate, PackBits: the rest tifffile cannot
        white_is_zero = page.photometric == kinds.MINISWHITE
        small = white_is_zero and page.bitspersample <= 8
        if packed or small or page.photometric in (kinds.PALETTE, kinds.YCBCR, kinds.SEPARATED):
            return read_picture(path, as_mask)
        if page.photometric not in (kinds.MINISBLACK, kinds.MINISWHITE, kinds.RGB):
            named = getattr(page.photometric, "name", page.photometric)
            raise DataError(f"'{path.name}' is in the colors {named}, which are not read here; save it as gray or RGB")
        array, axes = series.asarray(), series.axes
        gray = page.photometric != kinds.RGB
        turn = getattr(page.tags.get(ORIENTATION), "value", 1)
        bits, extra = page.bitspersample, tuple(page.extrasamples)
    if complaints:  # pages or strips that tifffile leaves out with a line in its log
        raise ValueError(complaints[0])
    color = [position for position, axis in enumerate(axes) if axis in "SC"]
    array = np.moveaxis(array, color[0], -1) if color else array[..., np.newaxis]
    if len(color) > 1 or array.ndim > 4 or not "".join(a for a in axes if a not in "SC").endswith("YX"):
        raise DataError(f"'{path.name}' has the axes {axes}; save one picture or one stack of slices (ZYX)")
    return _tiff_values(path, array, as_mask, (gray, extra, white_is_zero, bits, turn))


def _tiff_values(path, array, as_mask, what):
    gray, extra, white_is_zero, bits, turn = what
    rule, notes = f"{'float' if array.dtype.kind == 'f' else f'{bits} bit'} as stored", []
    channels = array.shape[-1]
    if (not gray and channels == 4) or (gray and channels == 2 and extra and extra[0] in (1, 2)):
        array, rule = _without_alpha(path, array, as_mask), f"{rule}, alpha left out"
    if white_is_zero:
        array, rule = _white_is_zero(path, array, bits), f"{bits} bit, turned around because 0 is white"
    if turn in TURNS:
        array = np.stack([TURNS[turn](p) for p in array]) if array.ndim == 4 else TURNS[turn](array)
        notes.append(f"turned upright, as its orientation {turn} says")
    return Reading(array, rule=rule, notes=notes)


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
