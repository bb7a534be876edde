"""From a model and a subset to a table per case, a summary, and how sure it is."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .agreement import volume_ml
from .binary import as_classes
from .distances import boundary_metrics, hausdorff95
from .intervals import bootstrap_interval
from .matching import detect_objects
from .overlap import Counts, confusion_counts
from .prediction import predict_masks


@dataclass
class Evaluation:
    """Result of :func:`evaluate` or :func:`evaluate_cases`.

    cases : pandas.DataFrame
        One row per case and foreground class: ``case``, ``patient``, ``class``, ``dice``, ``iou``,
        ``precision``, ``recall``, ``hd95`` (mm; of :func:`evaluate` a mean of in-plane values), ``tp``, ``fp``, ``fn``,
        ``tn``, ``true_pixels``, ``predicted_pixels``;
        :func:`evaluate_cases` adds columns.
    unit : "patient", "slice" or "case"
    """

    cases: pd.DataFrame
    unit: str

    @property
    def class_names(self):
        """The foreground classes, in the order of their indices from 1."""
        return self.cases["class"].unique().tolist()

    def of_class(self, name):
        """Rows of one class."""
        rows = self.cases[self.cases["class"] == name]
        if rows.empty:
            raise ValueError(f"no class {name!r}; there are {', '.join(sorted(self.cases['class'].unique()))}")
        return rows

    def summary(self, metric="dice", seed=0, *, empty=np.nan, method=None):
        """Mean, its 95 % interval over patients, median and range of the cases, per class.

        Parameters
        ----------
        metric : str
            A column of ``cases``.
        seed : int
            Of the bootstrap.
        empty : float
            What a case without a value (nan) counts as; nan leaves it out. Infinite distances are left out.
        method : str, optional
            As in :func:`unet_helpers.bootstrap_interval`.

        Returns
        -------
        pandas.DataFrame
            ``low`` and ``high`` are the ends of the interval, nan where fewer than five patients have a value; ``min``
            and ``max`` are the range of the cases. ``cases`` says how many are in the mean, ``undefined`` how many
            had no finite value, whatever they count as.
        """
        rows = []
        for name in self.class_names:
            cases = self.of_class(name)
            values = cases[metric].to_numpy(dtype=float)
            undefined = int((~np.isfinite(values)).sum())
            values = np.where(np.isnan(values), empty, values)
            defined = np.isfinite(values)
            low, high = bootstrap_interval(values, cases["patient"], seed=seed, method=method)
            median, least, most = np.quantile(values[defined], (0.5, 0, 1)) if defined.any() else (np.nan,) * 3
            mean = values[defined].mean() if defined.any() else np.nan
            rows.append((name, mean, low, high, median, least, most, int(defined.sum()), undefined))
        columns = ["class", "mean", "low", "high", "median", "min", "max", "cases", "undefined"]
        return pd.DataFrame(rows, columns=columns).set_index("class")

    def pooled(self, name):
        """Counts of all cases of one class added up."""
        rows = self.of_class(name)
        return Counts(*(int(rows[key].sum()) for key in ("tp", "fp", "fn", "tn")))

    def to_json(self):
        """The cases and summaries as JSON text. nan becomes null."""
        content = {
            "unit": self.unit,
            "summary": {metric: _records(self.summary(metric).reset_index()) for metric in ("dice", "iou")},
            "cases": _records(self.cases),
        }
        return json.dumps(content, indent=1)

    def to_nnunet(self):
        """The same cases as nnU-Net's ``summary.json`` (Isensee et al. 2021), for tools that read it.

        Dice and IoU are NaN where a case has neither truth nor prediction; ``mean`` leaves NaN out, and
        ``foreground_mean`` averages the classes. The files are named after the cases.

        Returns
        -------
        str
            JSON text with the literal ``NaN``, as nnU-Net writes it.
        """
        labels = {name: str(index) for index, name in enumerate(self.class_names, start=1)}
        table = self.cases.rename(columns=NNUNET_NAMES)
        per_case = []
        for case, rows in table.groupby("case", sort=False):
            metrics = rows.set_index("class")[list(NNUNET_NAMES.values())].to_dict("index")
            files = {"reference_file": str(case), "prediction_file": str(case)}
            per_case.append({"metrics": {labels[name]: metrics[name] for name in metrics}, **files})
        by_class = table.groupby("class", sort=False)[list(NNUNET_NAMES.values())].mean()
        content = {
            "foreground_mean": by_class.mean(skipna=False).to_dict(),
            "mean": {labels[name]: values for name, values in by_class.to_dict("index").items()},
            "metric_per_case": per_case,
        }
        return json.dumps(content, indent=4, sort_keys=True)


#: columns of a case and what nnU-Net calls them
NNUNET_NAMES = {
    "dice": "Dice",
    "iou": "IoU",
    "tp": "TP",
    "fp": "FP",
    "fn": "FN",
    "tn": "TN",
    "predicted_pixels": "n_pred",
    "true_pixels": "n_ref",
}


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
        What one case is. A patient's slices are pooled: their counts are added before dividing. Slices of one name,
        as ``slice_1`` of two patients, stay apart: the second is called ``slice_1 (2)``.
    threshold : float
        For models of one or two classes.
    predictions : ``(N, H, W)`` integer, optional
        Masks that were predicted already.

    Returns
    -------
    Evaluation
        ``hd95`` is measured in the plane of each slice, and is the mean over the case's slices in which truth and
        prediction both have the class: not the HD95 of the surface in space, which :func:`evaluate_cases` gives for
        volumes. nan where there is no such slice, so read it beside recall.

    Raises
    ------
    ValueError
        If ``by`` is neither, the predictions' shape is not that of the masks, or a value is no class index; and as
        :func:`unet_helpers.predict_probabilities`.
    """
    if by not in ("patient", "slice"):
        raise ValueError(f"by is {by!r}; choose 'patient' or 'slice'")
    predicted = predict_masks(model, subset.images, threshold) if predictions is None else np.asarray(predictions)
    if predicted.shape != subset.masks.shape:
        raise ValueError(
            f"predictions have shape {predicted.shape} but the masks have {subset.masks.shape}; give one class index "
            "per pixel, (N, H, W), for the same slices"
        )
    masks = as_classes(subset.masks, "masks", len(class_names))
    predicted = as_classes(predicted, "predictions", len(class_names))
    keys = subset.patient_ids if by == "patient" else np.array(_numbered_names(subset.case_ids.tolist()))
    rows = []
    for case in dict.fromkeys(keys.tolist()):
        part = np.flatnonzero(keys == case)
        for index, name in enumerate(class_names[1:], start=1):
            truth, found = masks[part] == index, predicted[part] == index
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
                    **_columns(counts, float(np.mean(distances)) if distances else float("nan")),
                }
            )
    return Evaluation(pd.DataFrame(rows), by)


@dataclass(frozen=True)
class Case:
    """Truth and prediction of one slice or one volume, whole.

    truth, predicted : integer arrays of one shape, 2D or 3D
        Class indices.
    spacing : tuple of float, optional
        In mm, one number per dimension, slice distance first.
    name : str, optional
        Default: the patient; a second scan of the patient ``A`` is then ``A (2)``, in the order of the scans.
    """

    patient: str
    truth: np.ndarray
    predicted: np.ndarray
    spacing: tuple | None = None
    name: str | None = None


def evaluate_cases(cases, class_names, *, tolerance=1.0):
    """Measure whole cases, each in its own size and its own two or three dimensions.

    Parameters
    ----------
    cases : iterable of Case
        May be a generator: one case is in memory at a time.
    class_names : sequence of str
        Background first.
    tolerance : float
        Of the surface Dice, in mm.

    Returns
    -------
    Evaluation
        As that of :func:`evaluate`, with the distances of the whole case (inf where one mask is empty) and the
        columns ``hd``, ``asd`` (mm), ``surface_dice``, ``objects``, ``found``, ``false`` (see
        :func:`unet_helpers.evaluation.detect_objects`), and for volumes ``true_ml``, ``predicted_ml``. Without spacing
        the distances are in pixels and the volumes nan.
    """
    rows, names = [], {}
    for case in cases:
        truth, predicted = np.asarray(case.truth), np.asarray(case.predicted)
        name = _case_name(case, names)
        if truth.shape != predicted.shape:
            raise ValueError(f"case {name}: the truth has shape {truth.shape}, the prediction {predicted.shape}")
        for kind, mask in (("truth", truth), ("prediction", predicted)):
            as_classes(mask, f"case {name}: the {kind}", len(class_names))
        for index, class_name in enumerate(class_names[1:], start=1):
            pair = truth == index, predicted == index
            surface = boundary_metrics(*pair, case.spacing, tolerance)
            objects = detect_objects(*pair)
            row = {"case": name, "patient": str(case.patient), "class": class_name}
            row |= _columns(confusion_counts(*pair), surface["hd95"])
            row |= {key: surface[key] for key in ("hd", "asd", "surface_dice")}
            row |= {"objects": objects.true, "found": objects.found, "false": objects.false}
            if truth.ndim == 3:
                for column, mask in zip(("true_ml", "predicted_ml"), pair, strict=True):
                    row[column] = np.nan if case.spacing is None else volume_ml(mask, case.spacing)
            rows.append(row)
    if not rows:
        raise ValueError("there are no cases; give at least one")
    return Evaluation(pd.DataFrame(rows), "case")


def _columns(counts, hd95):
    return {
        **{key: getattr(counts, key) for key in ("dice", "iou", "precision", "recall")},
        "hd95": hd95,
        **{key: getattr(counts, key) for key in ("tp", "fp", "fn", "tn")},
        "true_pixels": counts.tp + counts.fn,
        "predicted_pixels": counts.tp + counts.fp,
    }


def _case_name(case, used):
    """The name of a case among those ``used`` so far, each once: scans without a name are numbered, others refused."""
    name = str(case.patient if case.name is None else case.name)
    if case.name is not None and name in used:
        raise ValueError(f"two cases are called {name}; give each scan its own name=")
    return _free_name(name, used)


def _numbered_names(names):
    """The names, each once: the second ``a`` becomes ``a (2)``."""
    used = {}
    return [_free_name(name, used) for name in names]


def _free_name(name, used):
    free = name
    while free in used:
        used[name] += 1
        free = f"{name} ({used[name]})"
    used[free] = 1
    return free


def _records(table):
    rows = table.to_dict("records")
    return [{k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()} for row in rows]
