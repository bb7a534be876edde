"""Write what an evaluation found as a folder of files that a colleague can open."""

import json

import numpy as np
import pandas as pd

from ..evaluation.intervals import FEWEST_PATIENTS, METHODS, RECOMMENDED
from ..files.paths import atomic_path, user_path
from ..plotting.canvas import show_predictions


def write_report(folder, data, evaluation, predictions, by_slice, notes=()):
    """Write ``report.md``, ``cases.csv``, ``evaluation.json`` and ``worst_cases.png``. Used in 15.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there; files of an earlier report are replaced, each as a whole.
    data : Dataset
    evaluation : Evaluation
        Of ``data.test``.
    predictions : ``(N, H, W)`` integer
        Masks predicted for ``data.test``.
    by_slice : pandas.DataFrame
        One row per class: Dice over slices with the class, false alarms on slices without it.
    notes : sequence of str
        Sentences for the report, such as the recipe, the seconds, what limits the result.

    Returns
    -------
    Path of ``report.md``
    """
    folder = user_path(folder)
    with atomic_path(folder / "cases.csv") as temporary:
        evaluation.cases.to_csv(temporary, index=False)
    with atomic_path(folder / "evaluation.json") as temporary:
        content = json.loads(evaluation.to_json())
        content["by_slice"] = json.loads(by_slice.to_json(orient="index"))
        content["notes"] = list(notes)
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    picks = worst_slices(data.test, predictions, 4)
    part = data.test[picks]
    fig = show_predictions(part.images, part.masks, predictions[picks], titles=part.case_ids, spacings=part.spacing)
    with atomic_path(folder / "worst_cases.png") as temporary:
        fig.savefig(temporary, dpi=110)

    lines = [f"# Segmentation report: {data.name}", "", "```", str(data), "```", ""]
    summaries = {metric: evaluation.summary(metric) for metric in ("dice", "iou")}
    lines += [f"Test set, one case is one {evaluation.unit}. {_ends_in_words(summaries.values())}", ""]
    for metric, summary in summaries.items():
        lines += [f"## {metric}", "", *markdown_table(summary.round(3).reset_index()), ""]
    lines += ["## Slice by slice", "", *markdown_table(by_slice.round(3).reset_index(names="class")), ""]
    lines += [f"- {note}" for note in notes]
    lines += ["", "![The slices with the most wrong pixels](worst_cases.png)", ""]
    lines += ["Made with teaching material. Not for diagnosis, not for patients.", ""]
    path = folder / "report.md"
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
    return path


def worst_slices(subset, predictions, count):
    """Indices of the slices with the most wrong pixels, worst first; ties in the order of the slices."""
    wrong = (subset.masks != predictions).sum(axis=(1, 2))
    return np.argsort(-wrong, kind="stable")[:count]


def _ends_in_words(summaries):
    """What stands beside the means in tables of :meth:`Evaluation.summary`: interval, range, or both."""
    known = [bool(there) for summary in summaries for there in summary["low"].notna()]
    too_few = f"fewer than {FEWEST_PATIENTS} patients are too few for an interval: read min to max, their range."
    interval = f"low to high: 95 % interval of the mean over patients, {METHODS[RECOMMENDED]}."
    if all(known):
        return interval
    return f"{interval} Where there is none, {too_few}" if any(known) else too_few.capitalize()


def markdown_table(table):
    """A pandas table as lines of Markdown; what is not there (nan) is a dash."""
    rows = [["–" if pd.isna(value) else str(value) for value in row] for row in table.itertuples(index=False)]
    header = [str(column) for column in table.columns]
    return ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows)]


#: sections of a model card (Mitchell et al. 2019), in the order of the paper
CARD = (
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
)
#: those that a person writes; the other two come from an evaluation
CARD_SECTIONS = tuple(name for name in CARD if name not in ("Metrics", "Quantitative analyses"))

METRICS = {"dice": "Dice", "iou": "IoU", "hd95": "HD95 (mm)", "surface_dice": "surface Dice"}
DISTANCES = ("hd", "hd95", "asd")


def fill_model_card(evaluation, words, metrics=("dice", "iou", "hd95"), method=None):
    """A model card (Mitchell et al. 2019) whose numbers come from an evaluation, and whose words from a person.
    Used in 05b.

    Parameters
    ----------
    evaluation : Evaluation
        Of test patients.
    words : dict of str to str
        One text for each of :data:`CARD_SECTIONS`.
    metrics : sequence of str
        Columns of ``evaluation.cases``: ratios, or distances in mm.
    method : str, optional
        Of the intervals, as in :func:`unet_helpers.bootstrap_interval`.

    Returns
    -------
    str
        Markdown: the nine sections in the order of the paper. "Metrics" says unit, number of patients and what happens
        to undefined cases; "Quantitative analyses" holds a table, in which fewer than five patients get their range
        and no interval, and counts the failures of each class: cases
        in which all of it was missed, and cases without it in which some was predicted.

    Raises
    ------
    ValueError
        If a section is missing, empty or not one of the card's.
    """
    missing = [name for name in CARD_SECTIONS if not str(words.get(name, "")).strip()]
    if missing:
        raise ValueError(
            f"the card lacks {', '.join(map(repr, missing))}; write a sentence for each, if only 'unknown'"
        )
    unknown = sorted(set(words) - set(CARD_SECTIONS))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is none of the sections to write: {', '.join(CARD_SECTIONS)}")
    patients = evaluation.cases["patient"].nunique()
    cases = "" if evaluation.unit == "patient" else f"{evaluation.cases['case'].nunique()} {evaluation.unit}s of "
    analyses = [f"{cases}{patients} patients.", ""]
    analyses += [*markdown_table(_card_table(evaluation, metrics, method)), ""]
    analyses += [f"- {line}" for line in _failures(evaluation)]
    measured = (
        f"{', '.join(METRICS.get(key, key) for key in metrics)} of each class, one value for each {evaluation.unit}; "
        f"mean over those that have a value, with a 95 % interval over patients ({METHODS[method or RECOMMENDED]}), or "
        f"the range of the values where fewer than {FEWEST_PATIENTS} patients have one. Undefined values are left out "
        "and counted."
    )
    if "hd95" in metrics and evaluation.unit != "case":
        measured += " HD95 is measured in the plane of each slice and averaged over the slices in which both masks "
        measured += "have the class: it is no distance in space, and a missed object does not count in it."
    filled = words | {
        "Metrics": measured,
        "Quantitative analyses": "\n".join(analyses),
    }
    return "\n\n".join(f"**{name}.** {filled[name].strip()}" for name in CARD)


def _card_table(evaluation, metrics, method):
    rows = []
    for key in metrics:
        for name, row in evaluation.summary(key, method=method).iterrows():
            if np.isfinite(row["low"]):
                # with few cases an interval may reach beyond what is possible
                ends = np.clip(row[["low", "high"]], 0, np.inf if key in DISTANCES else 1)
                beside = " to ".join(map(_two_digits, ends))
            elif row["cases"] > 1:
                beside = f"range {_two_digits(row['min'])} to {_two_digits(row['max'])}"
            else:
                beside = "–"
            counts = int(row["cases"]), int(row["undefined"])
            values = _two_digits(row["mean"]), beside, _two_digits(row["median"])
            rows.append((name, METRICS.get(key, key), *values, *counts))
    columns = ["class", "metric", "mean", "95 % interval", "median", "with a value", "undefined"]
    if any(row[3].startswith("range") for row in rows):
        columns[3] = "95 % interval, or range"
    return pd.DataFrame(rows, columns=columns)


def _two_digits(value):
    return f"{value:.2f}" if np.isfinite(value) else "–"


def _failures(evaluation):
    for name in evaluation.class_names:
        cases = evaluation.of_class(name)
        there, found = cases["true_pixels"] > 0, cases["predicted_pixels"] > 0
        missed, made_up = int((there & (cases["tp"] == 0)).sum()), int((~there & found).sum())
        line = f"{name}: missed wholly in {missed} of {there.sum()} cases that have it"
        line += "" if there.all() else f", predicted in {made_up} of {(~there).sum()} that do not"
        values = cases.set_index("case")["dice"].dropna()
        yield line + (f"; lowest Dice {values.min():.2f} ({values.idxmin()})." if len(values) else ".")
