"""Objects in masks: which were found, which were missed, which were made up. NumPy and SciPy."""

from dataclasses import astuple, dataclass

import numpy as np

from ._binary import binary_pair


@dataclass(frozen=True)
class Detections:
    """Objects that were found and objects that were made up; results of several cases add up."""

    true: int
    found: int
    predicted: int
    false: int
    cases: int = 1

    def __add__(self, other):
        return Detections(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __radd__(self, zero):  # for sum()
        return self if zero == 0 else NotImplemented

    @property
    def sensitivity(self):
        """Share of the true objects that were found; nan if there is none."""
        return _ratio(self.found, self.true)

    @property
    def precision(self):
        """Share of the predicted objects that are not false; nan if there is none."""
        return _ratio(self.predicted - self.false, self.predicted)

    @property
    def false_per_case(self):
        """False objects per case."""
        return self.false / self.cases


def detect_objects(y_true, y_pred, min_iou=None):
    """Count objects (lesions) that were found, missed and made up.

    An object is a connected piece of a mask, joined over edges and corners (8 neighbors in 2D, 26 in 3D).

    Parameters
    ----------
    y_true, y_pred : binary masks of one shape, 2D or 3D
    min_iou : float, optional
        The matching rule. None: touching counts. A true object is found if one of its pixels is predicted, and a
        predicted object is false if it has no true pixel; one large prediction may then find several objects.
        A number above 0: true and predicted objects are matched one to one, only with at least this IoU, as many
        as possible; true objects without a partner are missed and predicted ones are false.

    Returns
    -------
    Detections

    Examples
    --------
    >>> detect_objects([[1, 0, 1, 0, 0]], [[1, 0, 0, 0, 1]])
    Detections(true=2, found=1, predicted=2, false=1, cases=1)
    """
    from scipy import ndimage

    if min_iou is not None and not 0 < min_iou <= 1:
        raise ValueError(f"min_iou is {min_iou}; give a number above 0 and up to 1, or None")
    y_true, y_pred = binary_pair(y_true, y_pred)
    neighbors = np.ones((3,) * y_true.ndim)
    (true, true_count), (found, found_count) = (ndimage.label(mask, neighbors) for mask in (y_true, y_pred))
    pixels = shared_pixels(true, found, true_count, found_count)
    if min_iou is None:
        hits, right = (int(pixels[1:, 1:].any(axis=axis).sum()) for axis in (1, 0))
        return Detections(true_count, hits, found_count, found_count - right)
    hits = len(match_by_iou(iou_of_pairs(pixels), min_iou)[0])
    return Detections(true_count, hits, found_count, found_count - hits)


def shared_pixels(true, found, true_count, found_count):
    """How many pixels each number of one label image shares with each of another; row and column 0 are background.

    Parameters
    ----------
    true, found : integer arrays of one shape
        Numbers 0 to ``true_count``, and 0 to ``found_count``.

    Returns
    -------
    ``(true_count + 1, found_count + 1)`` int
    """
    pairs = true.astype(np.int64) * (found_count + 1) + found
    pixels = np.bincount(pairs.ravel(), minlength=(true_count + 1) * (found_count + 1))
    return pixels.reshape(true_count + 1, found_count + 1)


def iou_of_pairs(pixels):
    """IoU of every true object (row) with every predicted one (column), from :func:`shared_pixels`; no background."""
    shared = pixels[1:, 1:]
    union = pixels[1:].sum(axis=1)[:, np.newaxis] + pixels[:, 1:].sum(axis=0) - shared
    return shared / union


def match_by_iou(overlap, min_iou):
    """Rows and columns of the pairs: one to one, each with at least this IoU, as many as possible, then the best."""
    from scipy import optimize

    gain = np.where(overlap >= min_iou, len(overlap) + overlap, 0)  # first the number of pairs, then their IoU
    rows, columns = optimize.linear_sum_assignment(gain, maximize=True)
    kept = gain[rows, columns] > 0
    return rows[kept], columns[kept]


def _ratio(part, whole):
    return part / whole if whole else float("nan")
