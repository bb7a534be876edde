"""Figures of scores: counts, cases, differences and their intervals, objects and their matches."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from .canvas import chart, draw_image, draw_numbers, figure, legend_below
from .colors import BLUE, CLASS_COLORS, ERROR_COLORS, GRAY, ORANGE, PALE_GRAY, SKY_BLUE, VERMILLION


def draw_mean(ax, y, mean, low, high, mark=None, color="black", bar=None, **look):
    """Draw a mean as a diamond over its interval, if ``low`` is not None; hollow if it includes the ``mark``.

    With nan for an interval, because there are too few patients for one, it is hollow too.
    """
    known = low is not None
    if known:
        ax.plot([low, high], [y, y], color=bar or color, linewidth=2)
    fill = "white" if known and mark is not None and not (mark < low or high < mark) else color
    ax.plot(mean, y, "D", **{"color": color, "markerfacecolor": fill, "markersize": 6} | look)


def draw_rows(ax, rows):
    """Draw rows of differences from the top: dots, and below them their mean, hollow if its interval includes 0.

    ``rows`` are ``(dots, mean, low, high, color)``.
    """
    ax.axvline(0, color=GRAY, linewidth=1)
    for y, (dots, mean, low, high, color) in enumerate(rows):
        ax.scatter(dots, np.full(len(dots), y + 0.22), color=color, edgecolor="black", linewidth=0.4, s=14)
        draw_mean(ax, y - 0.1, mean, low, high, mark=0, clip_on=False)


def show_counts(truth, prediction):
    """Two small masks pixel by pixel, and which of the four counts each pixel goes to. Used in 05.

    Parameters
    ----------
    truth, prediction : ``(H, W)`` 0/1, small enough to read letters in the pixels
    """
    from ..evaluation.overlap import error_map

    errors, names = error_map(truth, prediction), ("TN", "TP", "FP", "FN")
    palette = ("#FFFFFF", *ERROR_COLORS.values())
    with figure(1, 3) as (fig, axes):
        panels = {"ground truth": truth, "prediction": prediction, "compared": errors}
        for ax, (title, cells) in zip(axes.flat, panels.items(), strict=True):
            cells, compared = np.asarray(cells).astype(int), title == "compared"
            for (row, column), value in np.ndenumerate(cells):
                color = palette[value] if compared else ("#FFFFFF", "#888888")[value]
                ax.add_patch(plt.Rectangle((column, row), 1, 1, facecolor=color, edgecolor="#555555"))
                text, ink = names[value] if compared else value, "white" if value else "#777777"
                ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=ink)
            ax.set(xlim=(-0.03, cells.shape[1] + 0.03), ylim=(cells.shape[0] + 0.03, -0.03), aspect="equal")
            ax.set_title(title, fontsize=10)
            ax.set_axis_off()
    return fig


def show_confusion_matrix(matrix, class_names):
    """Pixels by true class (row) and predicted class (column); the shade is the share of the row. Used in 05."""
    matrix = np.asarray(matrix)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with figure(width=4.2, height=3.2) as (fig, axes):
        ax = axes[0, 0]
        draw_numbers(ax, matrix, shares, shares > 0.6, "{}\n{:.1%}", cmap="Blues", vmin=0, vmax=1)
        ax.set_xticks(range(len(class_names)), class_names)
        ax.set_yticks(range(len(class_names)), class_names)
        ax.set(xlabel="prediction", ylabel="ground truth")
    return fig


def show_case_grid(table, title=None):
    """A table of scores in 0–1 as colored cells with their numbers; an undefined score (nan) is an empty gray cell.
    Used in 05.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per patient, one column per slice.
    title : str, optional
    """
    values = np.ma.masked_invalid(table.to_numpy(dtype=float))
    height, width = values.shape
    with figure(width=0.6 * width + 1.4, height=0.36 * height + 0.9) as (fig, axes):
        ax = axes[0, 0]
        ax.set_facecolor(PALE_GRAY)
        look = {"fontsize": 8, "cmap": "cividis", "vmin": 0, "vmax": 1, "aspect": "auto"}
        draw_numbers(ax, values, values, values < 0.5, "{:.2f}", **look)
        ax.set_xticks(np.arange(width), table.columns)
        ax.set_yticks(np.arange(height), table.index)
        ax.set_xticks(np.arange(width + 1) - 0.5, minor=True)
        ax.set_yticks(np.arange(height + 1) - 0.5, minor=True)
        ax.grid(which="minor", color="white", linewidth=1.5)
        ax.tick_params(which="both", length=0)
        ax.spines[:].set_visible(False)
        ax.set_xlabel(table.columns.name or "slice")
        ax.set_title(title or "", fontsize=10)
    return fig


def show_cases(evaluation, metric="dice", seed=0, method=None):
    """Every case as a dot per class; beside it the mean and its 95 % interval over patients.

    With fewer than five patients a thin line is the range of the values, and the title says so.

    Parameters
    ----------
    evaluation : unet_helpers.evaluation.Evaluation
    metric : str
        A column of ``evaluation.cases``.
    seed : int
        Of the bootstrap.
    method : str, optional
        Of the interval: see :func:`unet_helpers.bootstrap_interval`.
    """
    summary = evaluation.summary(metric, seed=seed, method=method)
    with chart(width=1.9 * len(summary) + 1, height=3) as (fig, axes):
        ax = axes[0, 0]
        for x, (name, row) in enumerate(summary.iterrows()):
            values = evaluation.of_class(name)[metric].to_numpy()
            values = np.sort(values[np.isfinite(values)])
            color = CLASS_COLORS[(x + 1) % len(CLASS_COLORS)]
            beside = x - 0.12 + 0.07 * (np.arange(len(values)) % 3 - 1)
            ax.scatter(beside, values, color=color, edgecolor="black", linewidth=0.5, s=30, zorder=3)
            wide = np.isfinite(row["low"])
            ends = row[["low", "high"] if wide else ["min", "max"]]
            ax.plot([x + 0.16] * 2, ends, color="black", linewidth=2 if wide else 0.8)
            ax.plot(x + 0.16, row["mean"], "D", color="black", markersize=5)
            ax.text(x + 0.21, row["mean"], f"{row['mean']:.2f}", va="center", fontsize=9)
        ax.set_xticks(range(len(summary)), summary.index)
        ax.set_xlim(-0.5, len(summary) - 0.5)
        if metric in ("dice", "iou", "precision", "recall"):
            ax.set_ylim(0, 1.02)
        ax.set_ylabel({"dice": "Dice", "iou": "IoU", "hd95": "HD95 (mm)"}.get(metric, metric))
        known = np.isfinite(summary["low"])
        beside = "95 % interval" if known.all() else "range" if not known.any() else "95 % interval (thin: range)"
        ax.set_title(f"each dot a {evaluation.unit}; mean and {beside}", fontsize=9)
    return fig


def show_differences(tables, xlabel, limits=None, seed=0, method=None):
    """Paired differences: one row per column of the table, a dot per patient, and the mean with its 95 % interval.

    A row whose interval includes 0 is drawn hollow, and so is one of fewer than five patients, which has no interval.
    Where a patient is left out, the row says how many of how many are in it.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        One panel each, all with the same columns; a row per patient, nan is left out.
    xlabel : str
    limits : (float, float), optional
        Of the horizontal axis.
    seed : int
        Of the bootstrap.
    method : str, optional
        Of the interval: see :func:`unet_helpers.bootstrap_interval`.
    """
    from ..evaluation.intervals import bootstrap_interval

    names = list(next(iter(tables.values())).columns)
    with chart(1, len(tables), panel=3.6, height=0.36 * len(names) + 0.9, sharey=True) as (fig, axes):
        for k, (ax, (title, table)) in enumerate(zip(axes.flat, tables.items(), strict=True), start=1):
            color = CLASS_COLORS[k % len(CLASS_COLORS)]
            patients = [table[name].dropna().to_numpy() for name in table.columns]
            intervals = [bootstrap_interval(values, seed=seed, method=method) for values in patients]
            draw_rows(ax, [(v, v.mean(), *ends, color) for v, ends in zip(patients, intervals, strict=True)])
            for y, values in enumerate(patients):
                if len(values) < len(table):
                    place = ax.get_yaxis_transform()
                    count = f"{len(values)} of {len(table)}"
                    ax.text(1.01, y - 0.1, count, transform=place, va="center", fontsize=8, color="#555555")
            ax.set(xlabel=xlabel, xlim=limits)
            ax.set_title(title, fontsize=10)
        axes[0, 0].set_yticks(range(len(names)), names)
        axes[0, 0].set_ylim(len(names) - 0.5, -0.5)  # the dots of the last row clear of the axis
    return fig


def show_groups(rows, xlabel, limits=None, mark=None):
    """Groups of patients, one row each: a dot per patient, and the mean with its 95 % interval. Used in 18.

    A group of fewer than five patients has its dots alone. Each row says how many patients have a value.

    Parameters
    ----------
    rows : dict of str to ``(P,)`` float
        By name of the group; nan is left out.
    xlabel : str
    limits : (float, float), optional
        Of the horizontal axis; a dot that lies outside is drawn at its end.
    mark : float, optional
        Draw a line here, such as the mean of all patients.
    """
    from ..evaluation.intervals import FEWEST_PATIENTS, bootstrap_interval

    with chart(width=6.4, height=0.42 * len(rows) + 0.8) as (fig, axes):
        ax = axes[0, 0]
        if mark is not None:
            ax.axvline(mark, color=GRAY, linewidth=1, linestyle=":")
        for y, values in enumerate(rows.values()):
            values = np.asarray(values, float)
            values = values[np.isfinite(values)]
            beside = y + 0.12 + 0.05 * (np.arange(len(values)) % 4)
            shown = values if limits is None else np.clip(values, *limits)
            ax.scatter(shown, beside, color=SKY_BLUE, edgecolor="black", linewidth=0.3, s=11, clip_on=False)
            if len(values) >= FEWEST_PATIENTS:
                draw_mean(ax, y - 0.12, values.mean(), *bootstrap_interval(values), markersize=5)
            place = ax.get_yaxis_transform()
            ax.text(1.01, y, f"{len(values)}", transform=place, va="center", fontsize=8, color="#555555")
        ax.set(xlabel=xlabel, xlim=limits)
        ax.set_yticks(range(len(rows)), rows)
        ax.set_ylim(len(rows) - 0.4, -0.5)
    return fig


def show_estimates(runs, quantities, limits=None, panel=2.9, mark=None):
    """Recorded results, one row per run: the mean over its seeds, a dot for each seed, an interval where there is one.

    Parameters
    ----------
    runs : dict of str to dict
        By name, with lists ``"dice_seeds"`` and so on (None where a seed has no value), and perhaps ``"dice_low"`` and
        ``"dice_high"``.
    quantities : dict of str to str
        Title of a panel, and the quantity it shows, as ``{"Dice per patient": "dice"}``.
    limits : (float, float), optional
        Of the horizontal axes.
    mark : float, optional
        Draw a line here, such as 0 for differences; a mean whose interval includes it is hollow.
    """
    with chart(1, len(quantities), panel=panel, height=0.34 * len(runs) + 0.8, sharey=True) as (fig, axes):
        for ax, (title, key) in zip(axes.flat, quantities.items(), strict=True):
            if mark is not None:
                ax.axvline(mark, color=GRAY, linewidth=1)
            for y, run in enumerate(runs.values()):
                dots = [value for value in run[f"{key}_seeds"] if value is not None]
                ax.scatter(dots, np.full(len(dots), y), color="white", edgecolor=BLUE, s=22, zorder=3)
                mean, ends = np.mean(dots) if dots else np.nan, (run.get(f"{key}_low"), run.get(f"{key}_high"))
                draw_mean(ax, y, mean, *ends, mark, bar="#AAAAAA", markersize=5, zorder=4)
            ax.set(xlabel=title, xlim=limits)
            ax.grid(axis="x", color=PALE_GRAY, linewidth=0.8)
        axes[0, 0].set_yticks(range(len(runs)), runs)
        axes[0, 0].set_ylim(len(runs) - 0.5, -0.5)
    return fig


def draw_bland_altman(ax, measured, reference, unit="ml", title=None):
    """Differences of paired measurements over their means, with bias (solid) and limits of agreement (dashed).
    Used in 10.

    Parameters
    ----------
    measured, reference : ``(N,)`` float
        One pair per patient; see :func:`unet_helpers.evaluation.limits_of_agreement`.
    unit : str
    """
    from ..evaluation.agreement import limits_of_agreement

    measured, reference = np.asarray(measured, dtype=float), np.asarray(reference, dtype=float)
    found = limits_of_agreement(measured, reference)
    ax.axhline(0, color=GRAY, linewidth=1)
    dots = {"color": BLUE, "edgecolor": "black", "linewidth": 0.4, "s": 18}
    ax.scatter((measured + reference) / 2, measured - reference, **dots)
    for value, style in ((found.bias, "-"), (found.low, "--"), (found.high, "--")):
        ax.axhline(value, color=VERMILLION, linestyle=style, linewidth=1.2)
    ax.set_xlabel(f"mean of both ({unit})")
    ax.set_title(title or "", fontsize=10)
    ax.spines[["top", "right"]].set_visible(False)


def color_objects(labels):
    """A mask to draw a label image ``(H, W)``: each object has a class 1 to 5, neighbors differ. Used in 11."""
    from scipy import ndimage

    colors = np.zeros(labels.shape, np.uint8)
    palette = len(CLASS_COLORS) - 1
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        around = tuple(slice(max(side.start - 2, 0), side.stop + 2) for side in box)
        own = labels[around] == number
        taken = set(colors[around][ndimage.binary_dilation(own, iterations=2)].tolist())
        choices = [(number + k) % palette + 1 for k in range(palette)]
        colors[around][own] = next((color for color in choices if color not in taken), choices[0])
    return colors


def show_matches(image, truth, predictions, panel=2.4):
    """Objects matched at an IoU of 0.5: predicted ones with a partner and without, and outlines of those missed.
    Used in 11.

    Parameters
    ----------
    image : ``(H, W)``
    truth : ``(H, W)`` label image
    predictions : dict of str to label image
        One panel each, with the counts below its name.
    """
    from ..evaluation.matching import match_instances

    with figure(1, len(predictions), panel=panel, height=panel + 0.45) as (fig, axes):
        for ax, (name, found) in zip(axes.flat, predictions.items(), strict=True):
            matches = match_instances(truth, found)
            draw_image(ax, image, title=f"{name}\n{len(matches.pairs)} found, {matches.missed} missed")
            left, right = (set(np.unique(labels).tolist()) - {0} for labels in (truth, found))
            paired = [set(numbers) for numbers in matches.pairs.T.tolist()]
            kinds = ((found, right & paired[1], 0.3), (found, right - paired[1], 0.3), (truth, left - paired[0], 0))
            for color, (labels, numbers, fill) in zip(ERROR_COLORS.values(), kinds, strict=True):
                overlay = np.zeros((*labels.shape, 4))
                overlay[np.isin(labels, list(numbers))] = (*to_rgb(color), fill)
                ax.imshow(overlay, interpolation="nearest")
                for number in numbers:
                    ax.contour(labels == number, levels=[0.5], colors=[color], linewidths=0.9)
        names = ("predicted, with a partner", "predicted, without", "missed")
        handles = [Patch(color=color, label=name) for color, name in zip(ERROR_COLORS.values(), names, strict=True)]
        legend_below(fig, handles)
    return fig


def show_effects(rows, marked=()):
    """Measured effects, one row each, largest loss first: a dot per seed, and the mean with its interval. Used in 16.

    A row whose interval includes 0 is drawn hollow.

    Parameters
    ----------
    rows : dict of str to dict
        ``effect``, ``effect_low``, ``effect_high`` and the list ``effect_seeds``.
    marked : sequence of str
        Rows drawn in orange, below the others.
    """
    order = sorted(rows, key=lambda name: (name in marked, rows[name]["effect"]))
    parts = ("effect_seeds", "effect", "effect_low", "effect_high")
    colors = [ORANGE if name in marked else SKY_BLUE for name in order]
    with chart(width=7.2, height=0.3 * len(order) + 0.9) as (fig, axes):
        ax = axes[0, 0]
        draw_rows(ax, [(*(rows[n][part] for part in parts), color) for n, color in zip(order, colors, strict=True)])
        ax.set_xscale("symlog", linthresh=0.01, linscale=0.6)
        ticks = (-1, -0.1, -0.01, 0, 0.01, 0.1, 1)
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
        ax.set(xlabel="difference in Dice, on an axis stretched around 0", xlim=(-1.3, 1))
        ax.set_yticks(range(len(order)), order)
        ax.invert_yaxis()
    return fig
