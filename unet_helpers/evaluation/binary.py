"""What metrics ask of masks and probabilities: binary, or class indices; a fitting shape, spacing and type."""

import numpy as np


def binary_pair(y_true, y_pred):
    """Both masks as bool arrays; ValueError if a value is not 0 or 1, or the shapes differ."""
    y_true, y_pred = as_binary(y_true, "y_true"), as_binary(y_pred, "y_pred")
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true has shape {y_true.shape} but y_pred has {y_pred.shape}; bring them to one shape")
    return y_true, y_pred


def as_binary(mask, name):
    """A mask as a bool array, without a copy where its type allows that."""
    mask = np.asarray(mask)
    if mask.dtype == bool:
        return mask
    if mask.dtype == np.uint8 and (not mask.size or mask.max() <= 1):
        return mask.view(bool)
    binary = mask == 1
    if not (binary | (mask == 0)).all():
        found = np.unique(mask)
        shown = ", ".join(f"{value:g}" for value in found[:4]) + (", …" if len(found) > 4 else "")
        raise ValueError(
            f"{name} holds values other than 0 and 1 ({shown}); threshold probabilities, "
            "divide 0/255 masks by 255, or compare one class at a time with mask == class"
        )
    return binary


def as_classes(mask, name, num_classes):
    """Class indices as an integer array; whatever else stands in a mask is refused.

    There is no label that is left out of losses and metrics without a word: -1, 255, NaN and other marks of pixels
    that must not count are refused, and the message says what to do, because a metric that skips pixels
    and one that does not are two numbers of one name.

    Parameters
    ----------
    mask : array, any real type
        Floats may hold whole numbers only.
    name : str
        What the message calls it.
    num_classes : int
        Background included.

    Returns
    -------
    integer array of the same shape

    Raises
    ------
    ValueError
        Names the first value that is no class index, and the remedy.
    """
    mask = np.asarray(mask)
    if mask.dtype.kind not in "fiub":
        raise ValueError(f"{name} of type {mask.dtype} cannot be class indices; give whole numbers from 0")
    if mask.dtype == bool:
        return mask.view(np.uint8)
    wrong = ~((mask >= 0) & (mask < num_classes))  # written so that NaN is wrong
    if mask.dtype.kind == "f":
        wrong |= mask != np.floor(mask)
    if wrong.any():
        value = mask[wrong].flat[0]
        if value != np.floor(value):  # NaN too
            remedy = "resize masks to the nearest neighbor, without interpolation"
            remedy = remedy if np.isfinite(value) else "give pixels that must not count a class, as background 0"
        elif value < 0 or value == np.iinfo(np.uint8).max:
            remedy = (
                f"encode 0/255 masks as 0/1; pixels that must not count are given a class, as mask[mask == {value:g}] "
                "= 0, or left out before"
            )
        else:
            remedy = "encode the mask, or name more classes"
        classes = f"the {num_classes} classes are 0 to {num_classes - 1}"
        raise ValueError(f"{name}: {value:g} is no class index ({classes}); {remedy}")
    return mask if mask.dtype.kind in "iu" else mask.astype(np.int64)


def at_least_single(values):
    """Numbers as float32 where their type is narrower or holds no fractions; float32 and wider as they are.

    A threshold just above a probability, or a logarithm near 0, does not exist in float16.
    """
    values = np.asarray(values)
    return values if values.dtype.kind == "f" and values.dtype.itemsize >= 4 else values.astype(np.float32)


def check_spacing(spacing, ndim):
    """The spacing as a tuple of ``ndim`` positive numbers in mm; 1 each where it is None."""
    spacing = (1.0,) * ndim if spacing is None else tuple(float(s) for s in spacing)
    if len(spacing) != ndim or not all(0 < s < float("inf") for s in spacing):
        raise ValueError(f"spacing {spacing} does not fit a mask of {ndim} dimensions; give one mm value each")
    return spacing
