"""Figures of errors: findings, kinds, what a loss pulls at, and the atlas of failures."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from .canvas import chart, draw_errors, draw_image, draw_numbers, figure, legend_below, panels
from .colors import CLASS_COLORS, ERROR_COLORS, GRAY, GREEN, PALE_GRAY, PREDICTION_COLOR, TRUTH_COLOR, VERMILLION
from .scores import draw_mean

#: color, line and marker of each class
STYLES = {"lung": (CLASS_COLORS[1], "-", "o"), "nodule": (CLASS_COLORS[2], "--", "s")}


def show_sorting(rows, kinds, right=None):
    """Which names the pieces of each expected kind got: counts; the shade is the share of the row.
    Used in 06.

    Parameters
    ----------
    rows : dict of str to list of int
        Expected kind, and the count of every given kind.
    kinds : list of str
        The given kinds, in the order of the counts.
    right : dict of str to collection of str, optional
        The given kinds that are right for an expected one, drawn with a frame. Default: its own name.
    """
    matrix = np.array(list(rows.values()))
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with figure(width=0.5 * len(kinds) + 2.6, height=0.34 * len(rows) + 2.1) as (fig, axes):
        ax = axes[0, 0]
        look = {"cmap": "Blues", "vmin": 0, "vmax": 1, "aspect": "auto"}
        draw_numbers(ax, np.ma.masked_equal(matrix, 0), shares, shares > 0.6, **look)
        for row, expected in enumerate(rows):
            for column, given in enumerate(kinds):
                if given in (right or {}).get(expected, (expected,)):
                    frame = {"fill": False, "edgecolor": VERMILLION, "linewidth": 1.5}
                    ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **frame))
        ax.set_xticks(range(len(kinds)), kinds, rotation=40, ha="right", fontsize=9)
        ax.set_yticks(range(len(rows)), rows, fontsize=9)
        ax.set(xlabel="name given by the atlas", ylabel="expected")
        ax.tick_params(length=0)
    return fig


def show_with_and_without(rows, xlabel):
    """A mean with its interval per row, and in gray that of the cases the row leaves out. Used in 06.

    Parameters
    ----------
    rows : list of dict
        ``name``, ``dice``, ``dice_low``, ``dice_high``, and the same three for ``without``. Where ``ends`` is
        ``"range"``, because there are too few patients for an interval, the line of ``dice`` is dotted.
    xlabel : str
    """
    with chart(width=6.5, height=0.3 * len(rows) + 1) as (fig, axes):
        ax = axes[0, 0]
        for y, row in enumerate(rows):
            looks = (("without", 0.18, GRAY, "white", "without it"), ("dice", -0.12, "black", "black", "with it"))
            for key, offset, color, fill, label in looks:
                ends = np.clip((row[f"{key}_low"], row[f"{key}_high"]), 0, 1)
                look = {"color": color, "markerfacecolor": fill, "label": None if y else label}
                if key == "dice" and row.get("ends") == "range":
                    ax.plot(ends, [y + offset] * 2, color=color, linestyle=":", linewidth=1.5)
                    ends = (None, None)
                draw_mean(ax, y + offset, row[key], *ends, **look)
        ax.set_yticks(range(len(rows)), [row["name"] for row in rows])
        ax.set(xlabel=xlabel, ylim=(len(rows) - 0.4, -0.6))
        ax.grid(axis="x", color=PALE_GRAY, linewidth=0.8)
        fig.legend(loc="outside upper center", ncols=2)
    return fig


def show_bands(panels, ylabel, columns=4, limits=None, panel=2.3):
    """Curves with their intervals as bands, a panel each.

    Parameters
    ----------
    panels : dict of str to (x, xlabel, curves)
        By title; ``curves`` maps a name to ``(y, low, high)``, or to ``(y,)`` where there is no interval. The curves
        'lung' and 'nodule' have the colors of their classes.
    ylabel : str
    columns : int
    limits : (float, float), optional
        Of the vertical axes.
    panel : float
        Inches.
    """
    others = (("black", "-", "o"), (GREEN, ":", "^"), (GRAY, "--", "v"))
    rows = -(-len(panels) // columns)
    with chart(rows, min(columns, len(panels)), panel=panel, sharey=True) as (fig, axes):
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        for ax, (title, (x, xlabel, curves)) in zip(axes.flat, panels.items(), strict=False):
            ticks = np.arange(len(x)) if len(x) <= 5 else x
            free = iter(others)
            for name, (y, *interval) in curves.items():
                color, style, marker = STYLES[name] if name in STYLES else next(free)
                if interval:
                    ax.fill_between(ticks, *interval, color=color, alpha=0.25, linewidth=0)
                ax.plot(ticks, y, style, color=color, marker=marker, markersize=4, label=name)
            if len(x) <= 5:  # few strengths: evenly spaced, with their values
                names = [f"{value / 1000:g}k" if value >= 1000 else f"{value:g}" for value in x]
                ax.set_xticks(ticks, names, fontsize=8)
            ax.set_xlabel(xlabel, fontsize=8)
            ax.set_title(title, fontsize=10)
        axes[0, 0].set_ylim(limits)
        for ax in axes[:, 0]:
            ax.set_ylabel(ylabel)
        legend_below(fig, axes[0, 0].get_legend_handles_labels()[0])
    return fig


def show_findings(findings):
    """The answers of :func:`unet_helpers.failures.why_black` as a tree: down where all is well, right to the remedy.
    Used in 06b.

    Questions that were not asked any more, because an earlier answer made them meaningless, are not drawn.
    """
    from textwrap import fill

    with figure(width=8, height=0.85 * len(findings)) as (fig, axes):
        ax = axes[0, 0]
        ax.set(xlim=(0, 100), ylim=(-len(findings) + 0.45, 0.55))
        ax.set_axis_off()
        for i, finding in enumerate(findings):
            color = VERMILLION if finding.suspicious else GREEN
            box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": color, "linewidth": 1.6}
            text = f"{finding.question}\n{fill(finding.evidence, 52)}"
            ax.text(22, -i, text, ha="center", va="center", fontsize=8.5, bbox=box)
            if finding.suspicious:
                ax.annotate("", (56, -i), (46, -i), arrowprops={"arrowstyle": "->", "color": color})
                ax.text(57, -i, fill(finding.remedy, 42), va="center", fontsize=8.5, color=color)
            elif i + 1 < len(findings):
                ax.annotate("", (22, -i - 0.68), (22, -i - 0.32), arrowprops={"arrowstyle": "->", "color": color})
    return fig


def show_kinds(examples, crop=48, columns=5, panel=2.2, fill=0.6):
    """Close-ups of errors, one per panel: truth as yellow line, prediction as dashed line, the error filled.
    Used in 06.

    Parameters
    ----------
    examples : dict of str to (image, truth, prediction, area)
        Under the title: ``(H, W, C)``, and three ``(H, W)`` binary; the close-up is centered on the largest
        piece of ``area``.
    crop : int
        Height and width of the close-up in pixels.
    fill : float
        How opaque the filled error is; with 0 the image under it is seen, between the lines.
    """
    from scipy import ndimage

    from ..evaluation.overlap import error_map

    with panels(len(examples), columns, panel) as (fig, axes):
        for ax, (title, (image, truth, prediction, area)) in zip(axes, examples.items(), strict=True):
            pieces, _ = ndimage.label(area, structure=np.ones((3, 3)))
            largest = pieces == np.bincount(pieces[pieces > 0]).argmax()
            center = np.argwhere(largest).mean(axis=0).round().astype(int)
            row, column = (np.clip(c - crop // 2, 0, n - crop) for c, n in zip(center, area.shape, strict=True))
            part = np.s_[row : row + crop, column : column + crop]
            draw_image(ax, image[part], title=title)
            if fill:
                draw_errors(ax, np.where(area[part], error_map(truth[part], prediction[part]), 0), fill)
            for mask, color, style in ((truth, TRUTH_COLOR, "solid"), (prediction, PREDICTION_COLOR, "dashed")):
                if mask[part].any():
                    ax.contour(mask[part], levels=[0.5], colors=[color], linestyles=style, linewidths=1.4)
        handles = [
            Line2D([], [], color=TRUTH_COLOR, label="ground truth"),
            Line2D([], [], color=PREDICTION_COLOR, linestyle="dashed", label="prediction"),
        ]
        if fill:
            handles += [Patch(color=ERROR_COLORS[name], label=name) for name in ("false positive", "false negative")]
        legend_below(fig, handles)
    return fig


def show_pulls(image, truth, belief, pulls):
    """Where a loss pulls the output up (red) and down (blue), and which share of the pull lies inside the object.
    Used in 07.

    Parameters
    ----------
    image, truth, belief : ``(H, W, 1)`` or ``(H, W)``
        Slice, binary ground truth and probabilities; they fill the first two panels.
    pulls : dict of str to ``(H, W)``
        Minus the gradient of the loss by the output before the sigmoid. Each map has its own scale, and is drawn by
        its square root, so that what is weak can be seen.
    """
    with panels(2 + len(pulls), 4, 2.3) as (fig, axes):
        draw_image(axes[0], image, title="slice and nodule")
        draw_image(axes[1], belief, title="probability of nodule")
        for ax, (title, pull) in zip(axes[2:], pulls.items(), strict=True):
            ax.set_axis_off()
            root = np.sign(pull) * np.sqrt(np.abs(pull))
            top = np.abs(root).max()
            ax.imshow(root, cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest")
            share = np.abs(pull[truth > 0]).sum() / np.abs(pull).sum()
            ax.set_title(f"{title}\nnodule: {share:.0%} of the pull", fontsize=9)
        for i, ax in enumerate(axes):
            ax.contour(truth, levels=[0.5], colors=CLASS_COLORS[2] if i < 2 else "black", linewidths=1.2)
        legend_below(fig, [Patch(color="#B2182B", label="pulled up"), Patch(color="#2166AC", label="pulled down")])
    return fig


def paint_pull(belief, pull, truth, top, scale=3):
    """Belief and pull (full color at ``top``) in one picture, ``(H·scale, 2·W·scale, 3)`` uint8. Used in 07."""
    from skimage.segmentation import find_boundaries

    gray = np.repeat(np.clip(belief, 0, 1)[..., np.newaxis], 3, axis=-1)
    root = np.sign(pull) * np.sqrt(np.abs(pull) / top)
    colored = plt.get_cmap("RdBu_r")(np.clip(root / 2 + 0.5, 0, 1))[..., :3]
    picture = np.kron(np.hstack([gray, colored]), np.ones((scale, scale, 1)))
    border = find_boundaries(np.kron(truth, np.ones((scale, scale), int)) > 0, mode="outer")
    width = border.shape[1]
    picture[:, :width][border] = to_rgb(CLASS_COLORS[2])
    picture[:, width:][border] = 0
    return (picture * 255).round().astype(np.uint8)
