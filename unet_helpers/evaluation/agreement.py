"""Volumes in milliliters, and how far two ways of measuring them agree."""

from dataclasses import dataclass

import numpy as np

from .binary import as_binary, check_spacing


def volume_ml(mask, spacing):
    """Volume of the foreground of a binary mask in milliliters (1 ml = 1000 mm³).

    Parameters
    ----------
    mask : ``(D, H, W)`` binary
    spacing : (slice distance, row, column) in mm

    Returns
    -------
    float, 0 for an empty mask

    Raises
    ------
    ValueError
        If the mask is not binary or not three-dimensional, or the spacing is not three positive numbers.

    Examples
    --------
    >>> volume_ml(np.ones((10, 10, 10), bool), (5.0, 1.0, 1.0))
    5.0
    """
    mask = as_binary(mask, "mask")
    if mask.ndim != 3 or spacing is None:
        raise ValueError(
            f"mask has shape {mask.shape}, spacing is {spacing}; give one volume (D, H, W) and its spacing"
        )
    return float(np.count_nonzero(mask) * np.prod(check_spacing(spacing, 3)) / 1000)


@dataclass(frozen=True)
class Agreement:
    """Bland and Altman's summary of paired differences: their mean, and where 95 % of them are expected."""

    bias: float
    low: float
    high: float


def limits_of_agreement(measured, reference):
    """Bias and 95 % limits of agreement of two measurements of the same patients (Bland and Altman 1986). Used in 10.

    Parameters
    ----------
    measured, reference : ``(N,)`` float
        One pair per patient, N at least 2.

    Returns
    -------
    Agreement
        The mean of ``measured - reference``, and this mean ± 1.96 standard deviations of the differences
        (with N − 1). The limits speak of the next patient; the interval of the mean is narrower.

    Raises
    ------
    ValueError
        If the lengths differ, fewer than two pairs are given, or a value is not finite.

    Examples
    --------
    >>> limits_of_agreement([11.0, 19.0, 30.0], [10.0, 20.0, 30.0]).bias
    0.0
    """
    measured, reference = np.asarray(measured, dtype=float), np.asarray(reference, dtype=float)
    if measured.shape != reference.shape or measured.ndim != 1 or len(measured) < 2:
        raise ValueError(f"{measured.shape} and {reference.shape} values; give one pair per patient, two at least")
    differences = measured - reference
    if not np.isfinite(differences).all():
        raise ValueError("a value is nan or infinite; leave that patient out of both")
    bias, spread = differences.mean(), 1.96 * differences.std(ddof=1)
    return Agreement(float(bias), float(bias - spread), float(bias + spread))
