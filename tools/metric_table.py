"""Write ``book/metrics.md``: what each metric is, what other libraries give, how fast, and how sure an interval is.

``python tools/metric_table.py`` makes the tables from ``book/results``; a test holds the page in step.
"""

# ruff: noqa: E501 - a paragraph of the page is one line

import json
from pathlib import Path

BOOK = Path(__file__).resolve().parents[1] / "book"
PAGE = BOOK / "metrics.md"
LIBRARIES = ("scikit-learn", "SciPy", "scikit-image", "MONAI", "medpy", "surface-distance")
#: metric of book/results/metrics_agreement.json: what computes it here
OURS = {
    "confusion counts": "confusion_counts",
    "accuracy": "Counts.accuracy",
    "precision": "Counts.precision",
    "recall": "Counts.recall",
    "specificity": "Counts.specificity",
    "F2": "Counts.f_beta(2)",
    "Dice": "dice",
    "IoU": "iou",
    "HD": "hausdorff",
    "HD95": "hausdorff95",
    "ASD, symmetric": "average_surface_distance",
    "ASD, mean of both": 'average_surface_distance(direction="mean of both")',
    "ASD, truth to prediction": 'average_surface_distance(direction="true_to_pred")',
    "ASD, prediction to truth": 'average_surface_distance(direction="pred_to_true")',
    "surface Dice": "surface_dice",
    "volume, ml": "volume_ml",
    "volume difference, ml": "volume_ml",
    "volume difference, relative": "volume_ml",
    "volume difference, pixels": "Counts",
    "objects found": "detect_objects",
    "objects false": "detect_objects",
    "objects found, IoU": "detect_objects(min_iou=…)",
    "objects false, IoU": "detect_objects(min_iou=…)",
    "objects found, one to one": "detect_objects(min_iou=…)",
}
#: the definition of a library, rebuilt from our parts, to show that nothing else differs
REBUILT = {
    "HD95, pooled": "HD95 as medpy defines it",
    "surface Dice, by area": "surface Dice in 2D as surface-distance defines it",
}


def read(name, key="results"):
    """The results of one file, or another of its entries."""
    return json.loads((BOOK / "results" / f"{name}.json").read_text(encoding="utf-8"))[key]


def without_commit(*names):
    """A sentence where a file was written while the code had changes that no commit holds; else nothing."""
    if not any(read(name, "commit").endswith("-dirty") for name in names):
        return ""
    return " When this was measured, the code had changes that no commit holds."


def agreement_table(agreement, rows):
    """Largest difference and number of cases, metric by library; a star where the definition is another one."""
    lines = ["| metric | here | " + " | ".join(LIBRARIES) + " |", "|---|---|" + "--:|" * len(LIBRARIES)]
    for metric, here in rows.items():
        cells = []
        for library in LIBRARIES:
            row = agreement[metric].get(library)
            mark = "\\*" if row and row["differing"] else ""
            cells.append(f"{number(row['largest'])} / {row['cases']}{mark}" if row else "")
        lines.append(f"| {metric} | {here} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def definition_table(agreement):
    """Where a library means something else by the name, and how far apart that is."""
    lines = ["| metric | library | there it is | median difference | largest |", "|---|---|---|--:|--:|"]
    for metric, rows in agreement.items():
        for library, row in rows.items():
            if row["differing"]:
                sizes = f"{number(row['median'])} | {number(row['largest'])}"
                lines.append(f"| {metric} | {library} | {row['definition']} | {sizes} |")
    return "\n".join(lines)


def number(value):
    """A difference as text: in powers of ten where it is rounding."""
    if value == 0:
        return "0"
    return f"{value:.0e}".replace("e-0", "e-") if value < 1e-3 else f"{value:.2g}"


def empty_table(empty):
    """What each library gives where a mask is empty."""
    metrics = ("Dice", "IoU", "HD95", "surface Dice")
    lines = ["| empty | metric | " + " | ".join(empty) + " |", "|---|---|" + "--:|" * len(empty)]
    for case in ("both empty", "prediction empty", "truth empty"):
        for metric in metrics:
            values = " | ".join(empty[library][case][metric] for library in empty)
            lines.append(f"| {case.removesuffix(' empty')} | {metric} | {values} |")
    return "\n".join(lines)


def speed_table(speed):
    """Seconds by library."""
    names = list(dict.fromkeys([*speed["overlap"], *(n for row in speed["hd95"].values() for n in row["seconds"])]))
    lines = ["| measured | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]
    overlap = speed["overlap"]
    cells = [f"{overlap[n]['seconds']:.2f} ({overlap[n]['metrics']})" if n in overlap else "" for n in names]
    lines.append(f"| overlap, {speed['pairs']:,} pairs of {speed['side']}² (number of metrics) | {' | '.join(cells)} |")
    for what, row in speed["hd95"].items():
        cells = [f"{row['seconds'][n]:.2f}" if n in row["seconds"] else "" for n in names]
        lines.append(f"| HD95, {'×'.join(map(str, speed['shape']))}, {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def coverage_table(coverage):
    """Share of intervals that hold the true mean, in percent."""
    rows = coverage["coverage"]
    kinds = list(next(iter(next(iter(rows.values())).values())))
    lines = ["| scores | patients | " + " | ".join(kinds) + " |", "|---|--:|" + "--:|" * len(kinds)]
    for population, sizes in rows.items():
        for patients, shares in sizes.items():
            cells = " | ".join(f"{100 * shares[kind]:.1f}" for kind in kinds)
            lines.append(f"| {population} | {patients} | {cells} |")
    return "\n".join(lines)


def width_table(coverage):
    """Median width of the intervals."""
    rows = coverage["width"]
    kinds = list(next(iter(next(iter(rows.values())).values())))
    lines = ["| scores | patients | " + " | ".join(kinds) + " |", "|---|--:|" + "--:|" * len(kinds)]
    for population, sizes in rows.items():
        for patients, widths in sizes.items():
            lines.append(f"| {population} | {patients} | " + " | ".join(f"{widths[kind]:.3f}" for kind in kinds) + " |")
    return "\n".join(lines)


def page():
    """The whole page as text."""
    agreed, speed, coverage = read("metrics_agreement"), read("metrics_speed"), read("interval_coverage")
    lung, nodule = coverage["settings"]["lung"], coverage["settings"]["nodule"]
    return TEXT.format(
        agreement=agreement_table(agreed["agreement"], {name: f"`{here}`" for name, here in OURS.items()}),
        definitions=definition_table(agreed["agreement"]),
        rebuilt=agreement_table(agreed["agreement"], REBUILT),
        cases=agreed["cases"],
        tolerance=agreed["tolerance_mm"],
        versions=", ".join(f"{name} {agreed['versions'][name]}" for name in LIBRARIES),
        agreed_without_commit=without_commit("metrics_agreement"),
        speed_without_commit=without_commit("metrics_speed"),
        empty=empty_table(agreed["empty"]),
        speed=speed_table(speed),
        coverage=coverage_table(coverage),
        width=width_table(coverage),
        data_sets=f"{coverage['data_sets']:,}",
        draws=f"{coverage['draws']:,}",
        level=f"{100 * coverage['level']:.0f}",
        nominal_error=f"{100 * (coverage['level'] * (1 - coverage['level']) / coverage['data_sets']) ** 0.5:.1f}",
        largest_error=f"{100 * coverage['largest_error']:.1f}",
        lung_mean=lung["mean"],
        nodule_mean=nodule["mean"],
        missed=f"{100 * nodule['missed']:.0f}",
    )


TEXT = """# The metrics

<!-- made by tools/metric_table.py from book/results; a test holds the page in step -->

This page says what the numbers of this series mean, and how far they can be trusted: beside other libraries, at empty masks, and as a mean with an interval. Notebooks [05](../notebooks/05_evaluation.ipynb) and [05b](../notebooks/05b_comparison.ipynb) teach them; Metrics Reloaded {{cite:p}}`maierhein2024metrics` answers which metric a task needs.

```python
from unet_helpers import evaluate
from unet_helpers.evaluation import boundary_metrics, compare, confusion_counts, detect_objects, volume_ml
from unet_helpers.plotting import show_cases

confusion_counts(truth, predicted).ratios(beta=2)              # accuracy, precision, recall, …, IoU, Dice
boundary_metrics(truth, predicted, spacing=(5, 0.7, 0.7), tolerance=2)   # HD, HD95, ASD, surface Dice, in mm
volume_ml(predicted, spacing=(5, 0.7, 0.7))                     # of volumes, in milliliters
sum(detect_objects(t, p) for t, p in cases).false_per_case     # lesions

a, b = (evaluate(model, data.validation, data.class_names) for model in models)
show_cases(a, "dice")                                           # per patient, with mean and interval
print(compare(a, b))                                            # paired by patient: difference, interval, p
```

`evaluate_cases` of `unet_helpers.evaluation` measures whole volumes, each in its own size, with all of the above as columns. The HD95 of `evaluate`, by contrast, is measured within the plane of each slice and averaged over the slices in which both masks have the class. `compare` leaves out a patient in whom either side has no value, so a false alarm in a patient without the object may cost nothing. When printed, it names whom it left out, and says whether one side had a false alarm there.

A **boundary pixel** is a pixel of the object with a pixel of the background beside it, or the edge of the picture (4 neighbors in 2D, 6 in 3D). An **object** is a connected piece (8 neighbors, 26 in 3D). By default an object counts as found if one of its pixels is predicted, and a predicted object as false if it has no true pixel; with `min_iou` objects are matched one to one at that overlap.

## Beside other libraries

Each cell holds the largest difference and, after the slash, the number of cases in which both give a number. The cases are {cases} pairs of masks: some drawn by hand, some extreme (one pixel, at the border, all foreground), and random blobs in 2D and 3D at equal and unequal spacing. Where a value is above 1, the difference is relative to it. The tests allow 1e-6. MONAI computes in single precision. The distances of SciPy come from its erosion and its metrics, over the table of all pairs of boundary pixels.

{agreement}

A \\* marks a library that means something else by the name:

{definitions}

Two of these definitions, rebuilt from our boundaries and distances, show that nothing else differs:

{rebuilt}

Surface Dice {{cite:p}}`nikolov2021surface` at {tolerance} mm. MONAI gives both kinds, by pixels and, with `use_subvoxels`, by area. Versions: {versions}.{agreed_without_commit}

## Empty masks

The table shows what each library gives when both masks are empty, when nothing is predicted, and when there is nothing to find ("–": it refuses, or does not have the metric).

{empty}

Our functions decide nothing silently: 0/0 is `nan`, and a distance to nothing is infinite. When you average, you say what such a value counts as, and are told how many cases it concerned: `average(values, empty=nan)` leaves them out, `empty=1` counts them as 1; `evaluate(…).pooled(name)` adds the pixels of all cases of a class before dividing; `evaluate(…).summary(empty=…)` has a column `undefined`. `evaluate(…).to_nnunet()` writes the `summary.json` of nnU-Net {{cite:p}}`isensee2021nnunet`, with its own policy.

## Speed

The table holds seconds on one core. The libraries took turns in one run, and the fastest of three rounds counts.{speed_without_commit}

{speed}

Distances are taken between the boundary pixels alone, and a tree finds the nearest; where a mask is nearly all boundary, a distance transform of the box around both masks takes the place of the tree. Both give the same numbers.

## How often the interval is right

A {level} % interval should contain the true mean in {level} % of all data sets. Whether it does was simulated, with {data_sets} data sets for each row, whose true mean is known, and {draws} draws for each data set. The table is in percent; the standard error is {nominal_error} at {level}, and at most {largest_error}.

{coverage}

In *lung*, patients scatter around {lung_mean}, with 4 to 12 slices each. In *nodule* they scatter around {nodule_mean}, with {missed} % of the patients at 0. *Nodule, checkpoint* takes the scores of the shipped network on the nodules of the phantom patients as the whole population.

- **Slices drawn as if they were patients** give an interval that is far too narrow where patients differ from each other, and more patients do not help. In the last population the slices of a patient differ almost as much as patients do, so it hardly matters there.
- **The percentile bootstrap over patients** is too narrow with few patients: it draws from few values, and never finds one beyond them. BCa corrects the skew, but not this. With about twenty patients or more, both are nearly right.
- **With fewer than about twenty patients** Student's t and the studentized bootstrap come closest to what they promise, and are wider. For five patients with scores as different as a nodule's, they are about as wide as the scale from 0 to 1 itself, and may end beyond it. That is not a defect of the method: five such patients hardly say anything about the mean.
- **So Student's t is what this package gives** wherever no method is named and there are five patients or more: in `bootstrap_interval`, `summary`, `compare`, the report, the model card and the figures. In every row of this table it comes nearer to {level} than the percentile bootstrap, and than BCa in all rows but one. It needs no draws, and is narrower than the studentized bootstrap. Name that one, `method="studentized"`, where keeping the promise matters more than the width.
- **With fewer than five patients no interval** is given unless a method is named. Of five patients the interval by Student's t is about as wide as the range of their values, of four nearly half again as wide, of three more than twice. The range, from the lowest to the highest, says what was seen and promises nothing; it is called a range in tables and figures.

{width}

The second table holds the median width of the intervals. No method knows the patients who were not there: five patients without a missed nodule say nothing about missed nodules.
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name}: {len(OURS)} metrics, {len(LIBRARIES)} libraries")
