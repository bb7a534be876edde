"""Write what an evaluation found as a folder of files that a colleague can open."""

import json
from pathlib import Path

import numpy as np

from .images import atomic_path
from .plotting import show_predictions


def write_report(folder, data, evaluation, predictions, by_slice, notes=(), worst=4):
    """Write ``report.md``, ``cases.csv``, ``evaluation.json`` and ``worst_cases.png``.

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
    worst : int
        Slices in the picture.

    Returns
    -------
    Path of ``report.md``
    """
    folder = Path(folder)
    with atomic_path(folder / "cases.csv") as temporary:
        evaluation.cases.to_csv(temporary, index=False)
    with atomic_path(folder / "evaluation.json") as temporary:
        content = json.loads(evaluation.to_json())
        content["by_slice"] = json.loads(by_slice.to_json(orient="index"))
        content["notes"] = list(notes)
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    picks = worst_slices(data.test, predictions, worst)
    part = data.test[picks]
    fig = show_predictions(part.images, part.masks, predictions[picks], titles=part.case_ids, spacings=part.spacing)
    with atomic_path(folder / "worst_cases.png") as temporary:
        fig.savefig(temporary, dpi=110)

    lines = [f"# Segmentation report: {data.name}", "", "```", str(data), "```", ""]
    lines += [f"Test set, one case is one {evaluation.unit}; intervals: 95 %, bootstrap over patients.", ""]
    for metric in ("dice", "iou"):
        lines += [f"## {metric}", "", *markdown_table(evaluation.summary(metric).round(3).reset_index()), ""]
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


def markdown_table(table):
    """A pandas table as lines of Markdown."""
    rows = [[str(value) for value in row] for row in table.itertuples(index=False)]
    header = [str(column) for column in table.columns]
    return ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows)]
