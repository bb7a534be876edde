"""What every metric asks of its two masks: binary, of one shape, and a spacing that fits."""

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


def check_spacing(spacing, ndim):
    """The spacing as a tuple of ``ndim`` positive numbers in mm; 1 each where it is None."""
    spacing = (1.0,) * ndim if spacing is None else tuple(float(s) for s in spacing)
    if len(spacing) != ndim or not all(0 < s < float("inf") for s in spacing):
        raise ValueError(f"spacing {spacing} does not fit a mask of {ndim} dimensions; give one mm value each")
    return spacing
