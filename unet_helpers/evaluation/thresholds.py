"""Choose the threshold of a map of probabilities on validation slices."""

from dataclasses import dataclass

import numpy as np

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
        """``(N, H, W)`` probabilities to ``(N, H, W)`` uint8 masks."""
        present = foreground.max(axis=(1, 2), keepdims=True) >= self.presence
        return ((foreground >= self.threshold) & present).astype(np.uint8)


def choose_operating_point(foreground, masks, false_alarms=0.45):
    """Choose both thresholds on validation slices.

    The presence threshold is the lowest that leaves at most ``false_alarms`` of the empty slices with
    a prediction; the pixel threshold is then the one of best mean Dice over the slices with an object.

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
    """
    has_object = masks.any(axis=(1, 2))
    if not has_object.any():
        raise ValueError("no validation slice holds an object; use more patients, or another seed for the split")
    highest = foreground.max(axis=(1, 2))
    presence = 0.0
    if not has_object.all():
        # the next float above the quantile, so that the slice which defines it stays empty too
        quantile = np.quantile(highest[~has_object], 1 - false_alarms, method="higher")
        presence = float(np.nextafter(np.float32(quantile), np.float32(2)))
    grid = np.round(np.arange(0.1, 0.91, 0.05), 2)
    scores = [slice_scores(OperatingPoint(t, max(presence, t)).decide(foreground), masks)["dice"] for t in grid]
    best = float(grid[int(np.argmax(scores))])
    return OperatingPoint(best, max(presence, best))


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
