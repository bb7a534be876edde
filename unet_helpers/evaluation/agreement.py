"""Volumes in milliliters, and how far two ways of measuring them agree."""

from dataclasses import dataclass

import numpy as np

from .binary import binary_pair, check_spacing


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
    mask, spacing = np.asarray(mask), np.asarray(spacing, dtype=float)
    if mask.ndim != 3:
        raise ValueError(f"mask has shape {mask.shape}; give one volume (D, H, W)")
    if not ((mask == 0) | (mask == 1)).all():
        raise ValueError("mask holds values other than 0 and 1; compare one class at a time with mask == class")
    if spacing.shape != (3,) or not (spacing > 0).all() or not np.isfinite(spacing).all():
        raise ValueError(f"spacing is {spacing.tolist()}; give (slice distance, row, column) in mm")
    return float(np.count_nonzero(mask) * spacing.prod() / 1000)


@dataclass(frozen=True)
class Agreement:
    """Bland and Altman's summary of paired differences: their mean, and where 95 % of them are expected."""

    bias: float
    low: float
    high: float


def limits_of_agreement(measured, reference):
    """Bias and 95 % limits of agreement of two measurements of the same patients (Bland and Altman 1986).

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


@dataclass(frozen=True)
class Volumes:
    """Volumes of truth and prediction in ml."""

    true_ml: float
    predicted_ml: float

    @property
    def difference_ml(self):
        """Predicted minus true volume: above 0 if the prediction is too large."""
        return self.predicted_ml - self.true_ml

    @property
    def relative_difference(self):
        """The difference as a share of the true volume; nan if both are empty, inf if only the truth is."""
        if not self.true_ml:
            return float("inf") if self.predicted_ml else float("nan")
        return self.difference_ml / self.true_ml


def volumes(y_true, y_pred, spacing):
    """Volumes of two binary 3D masks; two volumes may agree although the masks do not overlap.

    Parameters
    ----------
    y_true, y_pred : ``(D, H, W)`` binary masks
    spacing : (float, float, float)
        Slice distance, row and column spacing in mm.

    Returns
    -------
    Volumes
    """
    y_true, y_pred = binary_pair(y_true, y_pred)
    if y_true.ndim != 3:
        raise ValueError(f"a volume has 3 dimensions but the masks have shape {y_true.shape}; stack the slices")
    voxel = float(np.prod(check_spacing(spacing, 3))) / 1000
    return Volumes(np.count_nonzero(y_true) * voxel, np.count_nonzero(y_pred) * voxel)
