"""What the stored values of a mask mean: palettes, transparency, lossy compression, labels that a scale has moved.

Where two readings of a file are possible and would give two masks, the file is refused with what to do.
"""

import numpy as np

from .paths import DataError, _name

SAVE_PLAIN = "save the mask as a PNG of one channel whose values are the class indices, without"


def class_indices(path, reading):
    """``(H, W)`` or ``(D, H, W)`` uint8 from the reading of a mask, as :func:`unet_helpers.files.read_mask` has it."""
    array = reading.array
    if reading.lossy:
        array = _black_or_white(path, reading)
    if array.shape[-1] == 3 and reading.affine is None and (array == array[..., :1]).all():
        array = array[..., :1]  # a gray picture saved as RGB
    if array.shape[-1] == 3 and reading.affine is None:
        raise DataError(f"mask '{_name(path)}' is a color picture; a mask holds one class index per pixel")
    if array.shape[-1] != 1:
        raise DataError(
            f"mask '{_name(path)}' holds {array.shape[-1]} channels; a mask has one class index per pixel. "
            "Of one channel per class, the background among them, numpy.argmax over the last axis makes one"
        )
    array = array[..., 0]
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise DataError(f"mask '{_name(path)}' holds NaN or infinite values; draw it again or leave it out")
        array = _whole(array, reading)
    if array.min() < 0 or array.max() > 255 or (array.dtype.kind == "f" and (array != np.floor(array)).any()):
        raise DataError(
            f"mask '{_name(path)}' holds values from {array.min():g} to {array.max():g}; "
            "a mask holds whole numbers from 0 to 255. Is this an image?"
        )
    return array.astype(np.uint8)


def indices_of_palette(path, indices, colors):
    """The color of each index that occurs, after a look at whether the index can be the class.

    The index is the class. A gray palette in which a higher index is darker (an inverting table, as ImageJ writes) is
    refused: what a viewer shows bright is 0 in the file, and which of the two is the object the file does not say.
    """
    used = np.unique(indices)
    if len(used) and used[-1] >= len(colors):
        raise DataError(f"mask '{_name(path)}' has indices up to {used[-1]}, but {len(colors)} colors; save it again")
    shown = np.asarray(colors, dtype=int)[used]
    gray = (shown == shown[:, :1]).all()
    if (gray and (np.diff(shown[:, 0]) < 0).any()) or (gray and len(used) == 1 and _inverts(colors)):
        raise DataError(
            f"mask '{_name(path)}' has an inverting palette: index {used[0]} is shown as gray {shown[0, 0]} and "
            f"index {used[-1]} as {shown[-1, 0]}, so that what looks bright is low; {SAVE_PLAIN} a palette"
        )
    return {int(index): tuple(color) for index, color in zip(used, shown.tolist(), strict=True)}


def _inverts(colors):
    """Whether a gray palette falls from white to black; one index alone cannot show it."""
    gray = np.asarray(colors, dtype=int)
    return bool((gray == gray[:, :1]).all() and len(gray) > 1 and (np.diff(gray[:, 0]) <= 0).all() and gray[0, 0] > 0)


def palettes_agree(palettes):
    """Raise :class:`unet_helpers.DataError` if masks of one folder give one index several colors.

    A tool that makes each file its own palette numbers the classes in another order in each: the same index is then
    another class.

    Parameters
    ----------
    palettes : dict of path to palette
        A palette is that of :class:`unet_helpers.files.Reading`, or None for a file without one.
    """
    first = {}
    for path, palette in palettes.items():
        for index, color in (palette or {}).items():
            other, expected = first.setdefault(index, (path, color))
            if color != expected:
                raise DataError(
                    f"mask '{_name(path)}' shows index {index} in the color {color} but '{_name(other)}' in "
                    f"{expected}: the same index is another class; give all masks one palette, or {SAVE_PLAIN} one"
                )


def check_alpha(path, gray, alpha):
    """Refuse a mask that may stand in its alpha channel: ``gray`` ``(H, W[, C])``, ``alpha`` ``(H, W)``."""
    if alpha.size and alpha.min() == alpha.max() and alpha.max() > 0:
        return
    seen = gray.reshape(*alpha.shape, -1).max(axis=-1) > 0
    if alpha.any() and ((alpha > 0) == seen).all():  # transparent exactly where it is black: both say the same
        return
    raise DataError(
        f"mask '{_name(path)}' is transparent in part, and its alpha channel says something else than its colors; "
        f"{SAVE_PLAIN} transparency. If the mask is what is not transparent: Image.open(…).getchannel('A')"
    )


def _black_or_white(path, reading):
    """0 and 255 from a mask in a lossy compression, which moved the values at the edges by a few."""
    array = reading.array.astype(np.float64)
    bright, dark = array >= 192, array <= 63
    if (array.min() < 0 or array.max() > 255 or not (bright | dark).all()) or not (
        (bright == bright[..., :1]).all() and (array.max() == 0 or bright.any())
    ):
        raise DataError(
            f"mask '{_name(path)}' is compressed as a photograph (JPEG), which changes class indices when it is "
            "written; save the mask again from its source as PNG"
        )
    reading.rule = "black and white in a lossy compression, cut at 128 to 0 and 255"
    return np.where(bright, np.uint8(255), np.uint8(0))[..., :1]


def _whole(array, reading):
    """Labels that a scale factor moved by up to .03 (1 came back as 1.00002), each whole number again.

    Only where each whole number has one stored value: interpolation and probabilities leave many.
    """
    values = np.unique(array)
    whole = np.round(values)
    if (values == whole).all() or np.abs(values - whole).max() > 0.03 or len(np.unique(whole)) < len(values):
        return array
    reading.notes.append(f"labels such as {values[values != whole][0]:.6g}, moved by a scale factor, are rounded")
    return np.round(array)
