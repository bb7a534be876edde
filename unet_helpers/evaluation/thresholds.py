"""Choose the threshold of a map of probabilities on validation slices."""

import warnings
from dataclasses import dataclass

import numpy as np

from .binary import as_binary, at_least_single
from .overlap import confusion_counts


@dataclass(frozen=True)
class OperatingPoint:
    """Two thresholds that turn foreground probabilities into masks.

    threshold : float
        A pixel belongs to the object from this probability on ...
    presence : float
        ... in a slice whose highest probability reaches this one; other slices stay empty.
    """

    threshold: float = 0.5
    presence: float = 0.5

    def decide(self, foreground):
        """``(N, H, W)`` probabilities to ``(N, H, W)`` uint8 masks; NaN, which would become background, raises."""
        foreground = _check_maps(foreground)
        present = foreground.max(axis=(1, 2), keepdims=True) >= self.presence
        return ((foreground >= self.threshold) & present).astype(np.uint8)


def choose_operating_point(foreground, masks, false_alarms=0.45):
    """Choose both thresholds on validation slices.

    The presence threshold is the lowest that leaves at most ``false_alarms`` of the empty slices with
    a prediction; the pixel threshold is then the one of best mean Dice over the slices with an object.

    A network may be so sure that its probabilities are exactly 1, on more of the empty slices than allowed. No
    threshold above 1 can be reached: it would empty every slice, and every object would be missed without a word. The
    highest that can be reached, 1, is given then, and a warning says which rate it keeps.

    Parameters
    ----------
    foreground : ``(N, H, W)`` float
        Probabilities of the object on validation slices.
    masks : ``(N, H, W)`` 0/1
    false_alarms : float
        Share of the empty slices, in [0, 1].

    Returns
    -------
    OperatingPoint
        Without empty slices both thresholds are the best pixel threshold.

    Raises
    ------
    ValueError
        If no slice holds an object, shapes do not fit, or a probability is NaN or does not lie in 0–1.

    Warns
    -----
    UserWarning
        If the rate cannot be kept, or only by leaving every slice empty.
    """
    foreground, masks = _check_maps(foreground), as_binary(masks, "masks")
    if foreground.shape != masks.shape:
        raise ValueError(f"the probabilities are {foreground.shape} and the masks {masks.shape}; give one per pixel")
    if not 0 <= false_alarms <= 1:
        raise ValueError(f"false_alarms is {false_alarms}; give a share of the empty slices from 0 to 1")
    has_object = masks.any(axis=(1, 2))
    if not has_object.any():
        raise ValueError("no validation slice holds an object; use more patients, or another seed for the split")
    highest = foreground.max(axis=(1, 2))
    presence = 0.0
    if not has_object.all():
        presence = _presence(highest[~has_object], highest[has_object], false_alarms)
    grid = np.round(np.arange(0.1, 0.91, 0.05), 2)
    scores = [slice_scores(OperatingPoint(t, max(presence, t)).decide(foreground), masks)["dice"] for t in grid]
    best = float(grid[int(np.argmax(scores))])
    return OperatingPoint(best, max(presence, best))


def _presence(empty, holding, false_alarms):
    """The threshold from the highest probabilities of the slices without an object, and of those with one."""
    # the next float above the quantile, so that the slice which defines it stays empty too
    quantile = np.quantile(empty, 1 - false_alarms, method="higher")
    presence = np.nextafter(quantile, quantile.dtype.type(2))
    if presence > 1:
        presence = min(quantile, quantile.dtype.type(1))
        kept = np.mean(empty >= presence)
        warnings.warn(
            f"false alarms on {false_alarms:.0%} of the empty slices cannot be kept: the network is certain, with a "
            f"probability of 1, on {kept:.0%} of them; allow as many, or train a network that is less sure",
            stacklevel=3,
        )
    elif presence > holding.max():
        warnings.warn(
            f"false alarms on {false_alarms:.0%} of the empty slices can only be kept by missing every object: none "
            f"reaches {presence:.3g}; allow more of them, or train longer",
            stacklevel=3,
        )
    return float(presence)


def _check_maps(foreground):
    """Probabilities ``(N, H, W)``, at least float32: the number just above one in float16 is the same one."""
    foreground = at_least_single(foreground)
    if foreground.ndim != 3:
        raise ValueError(f"the probabilities are {foreground.shape}; give one map per slice, (N, H, W)")
    # written so that NaN is refused; a mean of several predictions may pass 1 by a rounding
    if foreground.size and not (foreground.min() >= 0 and foreground.max() <= 1 + 1e-3):
        raise ValueError("the probabilities are NaN or do not lie in 0–1; give the output of a sigmoid or softmax")
    return foreground


def slice_scores(predicted, masks):
    """What a binary segmentation does per slice, with empty slices kept apart.

    Parameters
    ----------
    predicted, masks : ``(N, H, W)`` 0/1

    Returns
    -------
    dict
        ``dice``: mean over slices with an object (a missed one counts 0), ``median_dice``, ``missed``: share of
        those slices without any prediction, ``false_alarms``: share of the empty slices with a prediction
        (nan if none is empty), and ``slices_with_object``, ``empty_slices``.
    """
    predicted, masks = as_binary(predicted, "predicted"), as_binary(masks, "masks")
    has_object, has_prediction = masks.any(axis=(1, 2)), predicted.any(axis=(1, 2))
    cases = zip(masks[has_object], predicted[has_object], strict=True)
    scores = np.array([confusion_counts(truth, found).dice for truth, found in cases])
    return {
        "dice": float(scores.mean()),
        "median_dice": float(np.median(scores)),
        "missed": float((~has_prediction[has_object]).mean()),
        "false_alarms": float(has_prediction[~has_object].mean()) if not has_object.all() else float("nan"),
        "slices_with_object": int(has_object.sum()),
        "empty_slices": int((~has_object).sum()),
    }
