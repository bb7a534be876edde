"""Segmentation metrics on masks: overlap and averages. NumPy only; no deep learning here.

Every overlap metric is read off one table of four counts. Where the table gives 0/0 the metric is
undefined and the function returns nan. What an average makes of that, the caller says: :func:`average`
leaves such cases out or counts them as a number, and reports how many there are in both cases.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .binary import as_classes, binary_pair


@dataclass(frozen=True)
class Counts:
    """Pixels by truth and prediction; two tables add up to the table of both cases pooled."""

    tp: int
    fp: int
    fn: int
    tn: int

    def __add__(self, other):
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    def __radd__(self, zero):  # for sum()
        return self if zero == 0 else NotImplemented

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

    def f_beta(self, beta=1.0):
        """Harmonic mean of precision and recall in which recall weighs ``beta²`` as much; nan where Dice is."""
        weight = beta**2
        return _ratio((1 + weight) * self.tp, (1 + weight) * self.tp + weight * self.fn + self.fp)

    def ratios(self, beta=2.0):
        """All of them as ``{name: float}``."""
        names = ("accuracy", "precision", "recall", "specificity", "iou", "dice")
        return {name: getattr(self, name) for name in names} | {"f_beta": self.f_beta(beta)}


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
    y_true, y_pred = binary_pair(y_true, y_pred)
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
    """One table of counts per class, each class against the rest. Used in 03.

    Parameters
    ----------
    y_true, y_pred : integer arrays of one shape
        Class indices below ``num_classes``.

    Returns
    -------
    list of Counts, index 0 the background

    Raises
    ------
    ValueError
        If the shapes differ, or a value is no class index, as 1.5 in a mask that was resized with interpolation.
    """
    y_true, y_pred = as_classes(y_true, "y_true", num_classes), as_classes(y_pred, "y_pred", num_classes)
    return [confusion_counts(y_true == index, y_pred == index) for index in range(num_classes)]


def pool(cases):
    """Add the tables of several cases, class by class.

    Parameters
    ----------
    cases : sequence of lists of Counts
        One list per case, as :func:`counts_per_class` gives it.

    Returns
    -------
    list of Counts, one per class
    """
    return [sum(tables) for tables in zip(*cases, strict=True)]


class Average(NamedTuple):
    """A mean, the number of cases in it, and the number of cases that had no finite value."""

    value: float
    cases: int
    undefined: int


def average(values, *, empty=np.nan, missed=np.inf):
    """Mean over cases, with a stated policy for those without a value.

    Parameters
    ----------
    values : sequence of float
    empty : float
        What an undefined value (nan: both masks are empty) counts as; nan leaves it out.
    missed : float
        What an infinite value (a distance to nothing) counts as; nan leaves it out. Default: infinite, and so
        is the mean.

    Returns
    -------
    Average
        ``value`` is nan if no case is left.

    Examples
    --------
    >>> average([0.5, 1.0, np.nan])
    Average(value=0.75, cases=2, undefined=1)
    >>> average([0.5, 1.0, np.nan], empty=0)
    Average(value=0.5, cases=3, undefined=1)
    """
    values = np.array(values, dtype=float)
    undefined = int(np.count_nonzero(~np.isfinite(values)))
    values = np.where(np.isnan(values), empty, np.where(np.isposinf(values), missed, values))
    counted = values[~np.isnan(values)]
    return Average(float(counted.mean()) if len(counted) else float("nan"), len(counted), undefined)


def class_means(cases, metric="dice", *, pooled=False, empty=np.nan):
    """One metric for each class, over cases.

    The mean over classes is ``average(mean.value for mean in class_means(cases)[1:])``, without background.

    Parameters
    ----------
    cases : sequence of lists of Counts
        One list per case, as :func:`counts_per_class` gives it.
    metric : str
        A ratio of :class:`Counts`.
    pooled : bool
        Add the tables of all cases and divide once, in place of the mean of the cases' values. A large object
        then counts more than a small one.
    empty : float
        As in :func:`average`.

    Returns
    -------
    list of Average
    """
    if not cases:
        raise ValueError("there are no cases; give one list of Counts per case")
    cases = [pool(cases)] if pooled else cases
    return [average([getattr(table, metric) for table in tables], empty=empty) for tables in zip(*cases, strict=True)]


def _ratio(part, whole):
    return part / whole if whole else float("nan")


def error_map(y_true, y_pred):
    """Label every pixel: 0 true negative, 1 true positive, 2 false positive, 3 false negative.

    Parameters
    ----------
    y_true, y_pred : binary masks of one shape

    Returns
    -------
    uint8 array of the same shape

    Raises
    ------
    ValueError
        As :func:`confusion_counts`.
    """
    y_true, y_pred = binary_pair(y_true, y_pred)
    return np.select([y_true & y_pred, y_pred, y_true], [1, 2, 3], 0).astype(np.uint8)
