"""Segmentation metrics on binary masks. NumPy, and SciPy for distances; no deep learning here.

Every overlap metric is read off one table of four counts. Where the table gives 0/0 the metric is
undefined and the function returns nan: an average then leaves the case out *visibly*
(``np.nanmean``, and count the nans), instead of crediting 1 or 0 for a case that asks nothing.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Counts:
    """Pixels by truth and prediction; two tables add up to the table of both cases pooled."""

    tp: int
    fp: int
    fn: int
    tn: int

    def __add__(self, other):
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def accuracy(self):
        """Share of all pixels that are right; high whenever the object is small."""
        return _ratio(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)

    @property
    def precision(self):
        """Share of the predicted pixels that are right; nan if nothing is predicted."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self):
        """Share of the true pixels that are found (sensitivity); nan if there is nothing to find."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self):
        """Share of the background that is left alone; nan if there is no background."""
        return _ratio(self.tn, self.tn + self.fp)

    @property
    def iou(self):
        """Intersection over union (Jaccard index); nan if truth and prediction are both empty."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def dice(self):
        """Dice coefficient, the same number as F1; nan if truth and prediction are both empty."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    f1 = dice


def confusion_counts(y_true, y_pred):
    """Count true and false positives and negatives.

    Parameters
    ----------
    y_true, y_pred : arrays of one shape, any number of dimensions
        Binary masks: bool, or numbers that are 0 and 1 only.

    Returns
    -------
    Counts

    Raises
    ------
    ValueError
        If the shapes differ, or values other than 0 and 1 occur (0/255 masks, probabilities, NaN).
    """
    y_true, y_pred = _as_binary(y_true, "y_true"), _as_binary(y_pred, "y_pred")
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true has shape {y_true.shape} but y_pred has {y_pred.shape}; bring them to one shape")
    tp = int(np.count_nonzero(y_true & y_pred))
    fp = int(np.count_nonzero(y_pred)) - tp
    fn = int(np.count_nonzero(y_true)) - tp
    return Counts(tp, fp, fn, y_true.size - tp - fp - fn)


def dice(y_true, y_pred):
    """Dice coefficient of two binary masks, ``2·|A∩B| / (|A|+|B|)`` (Dice 1945).

    Parameters
    ----------
    y_true, y_pred : arrays of one shape, any number of dimensions
        Binary masks. A volume gives one number for the volume: its slices are pooled.

    Returns
    -------
    float in [0, 1]
        nan if both masks are empty: 0/0. Whoever averages must then decide, and say, whether such a
        case counts as 1 or is left out. One empty mask gives 0.

    Raises
    ------
    ValueError
        If the shapes differ, or values other than 0 and 1 occur.

    Examples
    --------
    >>> dice([[1, 1], [0, 0]], [[1, 0], [0, 0]])
    0.6666666666666666
    """
    return confusion_counts(y_true, y_pred).dice


def iou(y_true, y_pred):
    """Intersection over union of two binary masks, ``|A∩B| / |A∪B|`` (Jaccard 1912).

    Parameters, result for empty masks (nan) and errors as in :func:`dice`; for one case the two
    say the same, ``dice = 2·iou / (1 + iou)``, for averages over cases they do not.

    Examples
    --------
    >>> iou([[1, 1], [0, 0]], [[1, 0], [0, 0]])
    0.5
    """
    return confusion_counts(y_true, y_pred).iou


def counts_per_class(y_true, y_pred, num_classes):
    """One table of counts per class, each class against the rest.

    Parameters
    ----------
    y_true, y_pred : integer arrays of one shape
        Class indices below ``num_classes``.

    Returns
    -------
    list of Counts, index 0 the background
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    for name, mask in (("y_true", y_true), ("y_pred", y_pred)):
        if mask.size and not (mask.min() >= 0 and mask.max() < num_classes):
            raise ValueError(
                f"{name} holds values from {mask.min()} to {mask.max()}; "
                f"{num_classes} classes are 0 to {num_classes - 1}"
            )
    return [confusion_counts(y_true == index, y_pred == index) for index in range(num_classes)]


def surface_distances(y_true, y_pred, spacing=None):
    """Distance of every boundary pixel of each mask to the nearest boundary pixel of the other.

    A boundary pixel is a foreground pixel with a background pixel, or the edge of the picture,
    beside it (4 neighbors in 2D, 6 in 3D).

    Parameters
    ----------
    y_true, y_pred : binary masks of one shape, 2D or 3D
    spacing : tuple of float, optional
        Pixel spacing in mm, one number per dimension, slice distance first. Default: 1.

    Returns
    -------
    true_to_pred, pred_to_true : arrays of float, mm
        Empty if either mask is empty: no boundary, no distance.

    Raises
    ------
    ValueError
        As :func:`confusion_counts`; also if the spacing does not fit the dimensions.
    """
    from scipy import ndimage

    y_true, y_pred = _as_binary(y_true, "y_true"), _as_binary(y_pred, "y_pred")
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true has shape {y_true.shape} but y_pred has {y_pred.shape}; bring them to one shape")
    spacing = (1.0,) * y_true.ndim if spacing is None else tuple(float(s) for s in spacing)
    if len(spacing) != y_true.ndim or not all(s > 0 for s in spacing):
        raise ValueError(f"spacing {spacing} does not fit a mask of {y_true.ndim} dimensions; give one mm value each")
    if not (y_true.any() and y_pred.any()):
        return np.empty(0), np.empty(0)
    boundaries = [mask & ~ndimage.binary_erosion(mask) for mask in (y_true, y_pred)]
    to_true, to_pred = (ndimage.distance_transform_edt(~boundary, sampling=spacing) for boundary in boundaries)
    return to_pred[boundaries[0]], to_true[boundaries[1]]


def hausdorff95(y_true, y_pred, spacing=None):
    """95th percentile Hausdorff distance in mm: the larger of the two directed percentiles.

    Follows Metrics Reloaded (Maier-Hein et al. 2024). Some libraries pool both directions before
    taking the percentile, which gives a smaller number.

    Parameters as in :func:`surface_distances`.

    Returns
    -------
    float, mm
        nan if both masks are empty, inf if only one is: a missed object has no finite distance.
    """
    true_to_pred, pred_to_true = surface_distances(y_true, y_pred, spacing)
    if not len(true_to_pred):
        return float("inf") if np.any(y_true) or np.any(y_pred) else float("nan")
    return float(max(np.percentile(true_to_pred, 95), np.percentile(pred_to_true, 95)))


def _ratio(part, whole):
    return part / whole if whole else float("nan")


def _as_binary(mask, name):
    mask = np.asarray(mask)
    if mask.dtype == bool:
        return mask
    binary = mask == 1
    if not (binary | (mask == 0)).all():
        found = np.unique(mask)
        shown = ", ".join(f"{value:g}" for value in found[:4]) + (", …" if len(found) > 4 else "")
        raise ValueError(
            f"{name} holds values other than 0 and 1 ({shown}); threshold probabilities, "
            "divide 0/255 masks by 255, or compare one class at a time with mask == class"
        )
    return binary
