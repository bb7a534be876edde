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
