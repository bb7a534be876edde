"""Figures of the atlas of failures: which names were given, what a difficulty costs, curves with their intervals."""

import numpy as np
from matplotlib.patches import Rectangle

from .plotting import CLASS_COLORS, figure

STYLES = {"lung": (CLASS_COLORS[1], "-", "o"), "nodule": (CLASS_COLORS[2], "--", "s")}


def show_sorting(rows, kinds, right=None):
    """Which names the pieces of each expected kind got: counts; the shade is the share of the row.

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
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                ink = "white" if shares[row, column] > 0.6 else "black"
                ax.text(column, row, count, ha="center", va="center", color=ink, fontsize=9)
        for row, expected in enumerate(rows):
            for column, given in enumerate(kinds):
                if given in (right or {}).get(expected, (expected,)):
                    frame = {"fill": False, "edgecolor": "#D55E00", "linewidth": 1.5}
                    ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **frame))
        ax.set_xticks(range(len(kinds)), kinds, rotation=40, ha="right", fontsize=9)
        ax.set_yticks(range(len(rows)), rows, fontsize=9)
        ax.set(xlabel="name given by the atlas", ylabel="expected")
        ax.tick_params(length=0)
    return fig


def show_with_and_without(rows, xlabel, width=6.5):
    """A mean with its interval per row, and in gray that of the cases the row leaves out.

    Parameters
    ----------
    rows : list of dict
        ``name``, ``dice``, ``dice_low``, ``dice_high``, and the same three for ``without``.
    xlabel : str
    width : float
        Inches.
    """
    with figure(width=width, height=0.3 * len(rows) + 1) as (fig, axes):
        ax = axes[0, 0]
        for y, row in enumerate(rows):
            looks = (("without", 0.18, "#999999", "white", "without it"), ("dice", -0.12, "black", "black", "with it"))
            for key, offset, color, fill, label in looks:
                low, high = np.clip((row[f"{key}_low"], row[f"{key}_high"]), 0, 1)
                ax.plot([low, high], [y + offset] * 2, color=color, linewidth=2)
                label = label if y == 0 else None
                look = {"linestyle": "", "color": color, "markerfacecolor": fill, "markersize": 6}
                ax.plot(row[key], y + offset, "D", **look, label=label)
        ax.set_yticks(range(len(rows)), [row["name"] for row in rows])
        ax.set(xlabel=xlabel, ylim=(len(rows) - 0.4, -0.6))
        ax.grid(axis="x", color="#DDDDDD", linewidth=0.8)
        ax.spines[["top", "right"]].set_visible(False)
        fig.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return fig


def show_bands(panels, ylabel, columns=4, limits=None, panel=2.3, legend=True):
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
    legend : bool
    """
    others = (("black", "-", "o"), ("#009E73", ":", "^"), ("#999999", "--", "v"))
    rows = -(-len(panels) // columns)
    with figure(rows, min(columns, len(panels)), panel=panel, sharey=True) as (fig, axes):
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
            ax.spines[["top", "right"]].set_visible(False)
        axes[0, 0].set_ylim(limits)
        for ax in axes[:, 0]:
            ax.set_ylabel(ylabel)
        if legend:
            handles, labels = axes[0, 0].get_legend_handles_labels()
            fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
    return fig
