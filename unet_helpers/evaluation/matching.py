"""Match the objects of two masks: which were found, missed or made up, and the scores that follow. NumPy and SciPy."""

from dataclasses import astuple, dataclass
from typing import NamedTuple

import numpy as np

from .binary import binary_pair
from .objects import _numbered
from .overlap import _ratio


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


#: the thresholds of the Data Science Bowl 2018: 0.5, 0.55, … 0.95
THRESHOLDS = tuple(k / 20 for k in range(10, 20))


@dataclass(frozen=True)
class Matches:
    """Objects of two label images, matched one to one.

    pairs : ``(K, 2)`` int, the numbers of a true and a predicted object
    ious : ``(K,)`` float
    true, predicted : int, how many objects there are
    """

    pairs: np.ndarray
    ious: np.ndarray
    true: int
    predicted: int

    @property
    def missed(self):
        """True objects without a partner: false negatives."""
        return self.true - len(self.pairs)

    @property
    def false(self):
        """Predicted objects without a partner: false positives."""
        return self.predicted - len(self.pairs)

    @property
    def count_error(self):
        """Predicted minus true count; too many and too few cancel out."""
        return self.predicted - self.true


class PanopticQuality(NamedTuple):
    """PQ is the product of SQ, the mean IoU of the pairs, and RQ, the F1 of the objects."""

    pq: float
    sq: float
    rq: float


def iou_table(y_true, y_pred):
    """IoU of every true object (row) with every predicted object (column) of two label images, ``(T, P)`` float.

    Used in 11.

    Rows and columns are in the order of the objects' numbers, which may have gaps.
    """
    (true, _), (found, _) = _pair(y_true, y_pred)
    return iou_of_pairs(shared_pixels(true, found, true.max(initial=0), found.max(initial=0)))


def match_instances(y_true, y_pred, min_iou=0.5):
    """Match the objects of two label images one to one, as many as possible, then with the largest IoU. Used in 11.

    Above an IoU of 0.5 there is never a choice: two objects that do not overlap cannot both cover more than half of a
    third (Kirillov et al. 2019). The papers ask for *more than* 0.5 where this asks for 0.5 or more, as
    :func:`unet_helpers.evaluation.detect_objects` does; it matters for pairs with exactly 0.5 only.

    Parameters
    ----------
    y_true, y_pred : label images of one shape
    min_iou : float, above 0 and up to 1

    Returns
    -------
    Matches

    Examples
    --------
    >>> found = match_instances([[1, 1, 2, 2, 0]], [[5, 5, 5, 0, 7]])
    >>> found.pairs.tolist(), found.ious.round(2).tolist(), found.missed, found.false
    ([[1, 5]], [0.67], 1, 1)
    """
    if not 0 < min_iou <= 1:
        raise ValueError(f"min_iou is {min_iou}; give a number above 0 and up to 1")
    (_, true_numbers), (_, found_numbers) = _pair(y_true, y_pred)
    overlap = iou_table(y_true, y_pred)
    rows, columns = match_by_iou(overlap, min_iou)
    pairs = np.stack([true_numbers[rows], found_numbers[columns]], axis=-1)
    return Matches(pairs, overlap[rows, columns], *overlap.shape)


def panoptic_quality(y_true, y_pred):
    """Panoptic quality of one class (Kirillov et al. 2019): how many objects were found, times how well. Used in 11.

    SQ is the mean IoU of the matched pairs. RQ is pairs / (pairs + missed / 2 + false / 2), the F1 of the objects.

    Parameters
    ----------
    y_true, y_pred
        As in :func:`match_instances`.

    Returns
    -------
    PanopticQuality ``(pq, sq, rq)``
        All nan if neither image has an object; without a pair PQ and RQ are 0 and SQ is nan.

    Examples
    --------
    >>> tuple(round(x, 2) for x in panoptic_quality([[1, 1, 2, 2, 0]], [[5, 5, 5, 0, 7]]))
    (0.33, 0.67, 0.5)
    """
    found = match_instances(y_true, y_pred)
    objects = (found.true + found.predicted) / 2
    if not objects:
        return PanopticQuality(*[float("nan")] * 3)
    quality = float(found.ious.mean()) if len(found.ious) else float("nan")
    return PanopticQuality(float(found.ious.sum() / objects), quality, len(found.ious) / objects)


def average_precision(y_true, y_pred, thresholds=THRESHOLDS):
    """Score of the Data Science Bowl 2018 for one image (Caicedo et al. 2019). Used in 11.

    For each threshold of the IoU: pairs / (pairs + missed + false); then the mean over the thresholds. It is not the
    average precision of object detection, which ranks objects by a confidence.

    Parameters
    ----------
    y_true, y_pred : label images of one shape
    thresholds : sequence of float

    Returns
    -------
    float
        nan if neither image has an object.
    """
    overlap = iou_table(y_true, y_pred)
    if not sum(overlap.shape):
        return float("nan")
    pairs = np.array([len(match_by_iou(overlap, threshold)[0]) for threshold in thresholds])
    return float((pairs / (sum(overlap.shape) - pairs)).mean())


def merges_and_splits(y_true, y_pred):
    """Count the objects that were merged and those that were cut to pieces; a count alone lets them cancel out.

    Used in 11.

    Returns
    -------
    merged : int
        Predicted objects that hold more than half of each of two or more true objects.
    split : int
        True objects that hold more than half of each of two or more predicted objects.
    """
    (true, _), (found, _) = _pair(y_true, y_pred)
    pixels = shared_pixels(true, found, true.max(initial=0), found.max(initial=0))
    inside = 2 * pixels > pixels.sum(axis=1, keepdims=True)  # most of the true object lies in this predicted one
    holds = 2 * pixels > pixels.sum(axis=0, keepdims=True)
    return int((inside[1:, 1:].sum(axis=0) > 1).sum()), int((holds[1:, 1:].sum(axis=1) > 1).sum())


def _pair(y_true, y_pred):
    """Both label images renumbered 1, 2, …, each with the numbers that its objects had."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true has shape {y_true.shape} but y_pred has {y_pred.shape}; bring them to one shape")
    pair = []
    for labels, name in ((y_true, "y_true"), (y_pred, "y_pred")):
        numbers, places = np.unique(_numbered(labels, name), return_inverse=True)
        background = int(0 in numbers[:1])
        pair.append((places.reshape(labels.shape) + 1 - background, numbers[background:]))
    return pair
