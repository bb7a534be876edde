"""From a model and a subset to a table per case, a summary, and how sure it is."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .metrics import Counts, confusion_counts, hausdorff95


def predict_probabilities(model, images, batch_size=32):
    """Class probabilities of images ``(N, H, W, C)``: ``(N, H, W, K)`` float32."""
    return np.asarray(model.predict(images, batch_size=batch_size, verbose=0))


def probabilities_to_masks(probabilities, threshold=0.5):
    """The decision: the most probable class, or 1 from ``threshold`` on where there is one map.

    Parameters
    ----------
    probabilities : ``(…, K)`` float
    threshold : float
        For K = 1 and K = 2 (the probability of class 1); ignored for more classes.

    Returns
    -------
    ``(…)`` uint8
    """
    if probabilities.shape[-1] <= 2:
        return (probabilities[..., -1] >= threshold).astype(np.uint8)
    return probabilities.argmax(axis=-1).astype(np.uint8)


def predict_masks(model, images, threshold=0.5, batch_size=32):
    """Class indices ``(N, H, W)`` uint8 that a model gives for images ``(N, H, W, C)``."""
    return probabilities_to_masks(predict_probabilities(model, images, batch_size), threshold)


@dataclass
class Evaluation:
    """Result of :func:`evaluate`.

    cases : pandas.DataFrame
        One row per case and foreground class: ``case``, ``patient``, ``class``, ``dice``, ``iou``,
        ``precision``, ``recall``, ``hd95`` (mm), ``tp``, ``fp``, ``fn``, ``tn``, ``true_pixels``, ``predicted_pixels``.
    unit : "patient" or "slice"
    """

    cases: pd.DataFrame
    unit: str

    def of_class(self, name):
        """Rows of one class."""
        rows = self.cases[self.cases["class"] == name]
        if rows.empty:
            raise ValueError(f"no class {name!r}; there are {', '.join(sorted(self.cases['class'].unique()))}")
        return rows

    def summary(self, metric="dice", seed=0):
        """Mean, median, 5th and 95th percentile, and the 95 % bootstrap interval over patients, per class.

        Undefined cases (nan) are counted in their own column and left out of the averages.
        """
        rows = []
        for name in self.cases["class"].unique():
            cases = self.of_class(name)
            values = cases[metric].to_numpy()
            defined = np.isfinite(values)
            low, high = bootstrap_interval(values, cases["patient"], seed=seed)
            median, p5, p95 = np.percentile(values[defined], (50, 5, 95)) if defined.any() else (np.nan,) * 3
            mean = values[defined].mean() if defined.any() else np.nan
            rows.append((name, mean, low, high, median, p5, p95, int(defined.sum()), int((~defined).sum())))
        columns = ["class", "mean", "low", "high", "median", "p5", "p95", "cases", "undefined"]
        return pd.DataFrame(rows, columns=columns).set_index("class")

    def pooled(self, name):
        """Counts of all cases of one class added up."""
        rows = self.of_class(name)
        return Counts(*(int(rows[key].sum()) for key in ("tp", "fp", "fn", "tn")))

    def to_json(self, path=None):
        """The cases and summaries as JSON text; written to ``path`` if given. nan becomes null."""
        content = {
            "unit": self.unit,
            "summary": {metric: _records(self.summary(metric).reset_index()) for metric in ("dice", "iou")},
            "cases": _records(self.cases),
        }
        text = json.dumps(content, indent=1)
        if path is not None:
            Path(path).write_text(text + "\n")
        return text


def evaluate(model, subset, class_names, *, by="patient", threshold=0.5, predictions=None):
    """Measure predictions against the masks, per case and foreground class.

    Parameters
    ----------
    model : keras.Model or None
        None if ``predictions`` are given.
    subset : Subset
    class_names : sequence of str
        Background first.
    by : "patient" or "slice"
        What one case is. A patient's slices are pooled: their counts are added before dividing.
    threshold : float
        For models of one or two classes.
    predictions : ``(N, H, W)`` integer, optional
        Masks that were predicted already.

    Returns
    -------
    Evaluation
        ``hd95`` is the mean over the case's slices in which truth and prediction both have the class;
        nan where there is none, so read it beside recall.

    Raises
    ------
    ValueError
        If ``by`` is neither, the predictions' shape is not that of the masks, or a value is no class index.
    """
    if by not in ("patient", "slice"):
        raise ValueError(f"by is {by!r}; choose 'patient' or 'slice'")
    predicted = predict_masks(model, subset.images, threshold) if predictions is None else np.asarray(predictions)
    if predicted.shape != subset.masks.shape:
        raise ValueError(f"predictions have shape {predicted.shape} but the masks have {subset.masks.shape}")
    for name, mask in (("masks", subset.masks), ("predictions", predicted)):
        if not np.isin(np.unique(mask), np.arange(len(class_names))).all():
            raise ValueError(
                f"{name} hold values from {mask.min()} to {mask.max()}, which are not all class indices; "
                f"the {len(class_names)} classes are 0 to {len(class_names) - 1}"
            )
    keys = subset.patient_ids if by == "patient" else subset.case_ids
    rows = []
    for case in dict.fromkeys(keys.tolist()):
        part = np.flatnonzero(keys == case)
        for index, name in enumerate(class_names[1:], start=1):
            truth, found = subset.masks[part] == index, predicted[part] == index
            counts = confusion_counts(truth, found)
            distances = [
                hausdorff95(t, f, None if np.isnan(spacing).any() else spacing)
                for t, f, spacing in zip(truth, found, subset.spacing[part], strict=True)
                if t.any() and f.any()
            ]
            rows.append(
                {
                    "case": case,
                    "patient": str(subset.patient_ids[part[0]]),
                    "class": name,
                    **{key: getattr(counts, key) for key in ("dice", "iou", "precision", "recall")},
                    "hd95": float(np.mean(distances)) if distances else float("nan"),
                    **{key: getattr(counts, key) for key in ("tp", "fp", "fn", "tn")},
                    "true_pixels": counts.tp + counts.fn,
                    "predicted_pixels": counts.tp + counts.fp,
                }
            )
    return Evaluation(pd.DataFrame(rows), by)


def bootstrap_interval(values, groups=None, *, level=0.95, repeats=2000, seed=0):
    """Percentile bootstrap interval of the mean (Efron and Tibshirani 1993), drawn over groups.

    Slices of one patient resemble each other: drawing slices as if they were independent gives an
    interval that is too narrow. So patients are drawn with replacement, each with all its values.

    Parameters
    ----------
    values : ``(N,)`` float
        nan is left out.
    groups : ``(N,)``, optional
        The patient of each value. Default: each value is its own group.
    level : float
    repeats, seed : int

    Returns
    -------
    (low, high) : float
        (nan, nan) if fewer than two groups hold a value.
    """
    values = np.asarray(values, dtype=float)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    if len(groups) != len(values):
        raise ValueError(f"{len(values)} values but {len(groups)} groups; give one group for each value")
    defined = np.isfinite(values)
    _, group = np.unique(groups[defined], return_inverse=True)
    if not len(group) or group.max() < 1:
        return float("nan"), float("nan")
    sums, sizes = np.bincount(group, weights=values[defined]), np.bincount(group)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(repeats, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _records(table):
    rows = table.to_dict("records")
    return [{k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()} for row in rows]


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
