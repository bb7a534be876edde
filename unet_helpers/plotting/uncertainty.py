"""Figures of calibration and uncertainty: reliability diagrams, and maps beside the errors."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .canvas import chart, draw_errors, draw_image, figure, legend_below
from .colors import BLUE, ERROR_COLORS, GRAY, GREEN, PREDICTION_COLOR, TRUTH_COLOR, VERMILLION


def show_reliability(curves, xlabel="confidence", ylabel="share that is right", panel=2.5):
    """Reliability diagrams, each above the histogram of its confidences. Used in 12.

    A bar reaches from the diagonal to what was found: orange where the network promised too much, blue where too
    little.

    Parameters
    ----------
    curves : dict of str to Reliability or dict
        By title; :func:`unet_helpers.evaluation.reliability`, or a dict with its ``counts``, ``confidence`` and
        ``accuracy``, None where a bin is empty.
    xlabel, ylabel : str
    panel : float
        Inches.
    """
    options = {"sharex": True, "sharey": "row", "gridspec_kw": {"height_ratios": (3, 1)}}
    with chart(2, len(curves), panel=panel, height=1.42 * panel, **options) as (fig, axes):
        for (title, curve), (top, bottom) in zip(curves.items(), axes.T, strict=True):
            counts, confidence, accuracy = _columns(curve)
            width = 1 / len(counts)
            gap = np.nan_to_num(confidence - accuracy)
            colors = np.where(gap > 0, VERMILLION, BLUE)
            top.bar(confidence, accuracy - confidence, 0.8 * width, confidence, color=colors, alpha=0.35)
            top.plot([0, 1], [0, 1], color=GRAY, linestyle="--", linewidth=1)
            top.plot(confidence, accuracy, color="black", marker="o", markersize=4, linewidth=1)
            top.set(xlim=(0, 1.02), ylim=(0, 1.02), title=title)
            top.title.set_fontsize(10)
            middles, shares = (np.arange(len(counts)) + 0.5) * width, counts / max(counts.sum(), 1)
            bottom.bar(middles, shares, 0.9 * width, color="#666666")
            bottom.set(yscale="log", ylim=(1e-5, 2), xlabel=xlabel)
        axes[0, 0].set_ylabel(ylabel)
        axes[1, 0].set_ylabel("share of\npixels")
        axes[1, 0].set_yticks([1e-4, 1e-2, 1])
    return fig


def show_reliability_together(curves):
    """Several reliability curves in one diagram, a line style each. Used in 12.

    Parameters
    ----------
    curves : dict of str to Reliability or dict
        As in :func:`show_reliability`; bins of fewer than 20 pixels are left out.
    """
    styles = ((BLUE, "--", "s"), (VERMILLION, "-", "o"), ("black", "-.", "^"), (GREEN, ":", "D"))
    with chart(width=4.4, height=0.9 * 4.4) as (fig, axes):
        ax = axes[0, 0]
        ax.plot([0, 1], [0, 1], color=GRAY, linestyle="--", linewidth=1)
        for (name, curve), (color, style, marker) in zip(curves.items(), styles, strict=False):
            counts, confidence, accuracy = _columns(curve)
            many = counts >= 20
            look = {"color": color, "linestyle": style, "marker": marker, "markersize": 4}
            ax.plot(confidence[many], accuracy[many], label=name, **look)
        ax.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1.02), ylim=(0, 1.02))
        ax.legend()
    return fig


def _columns(curve):
    """Counts, confidence and accuracy as float arrays, nan where a bin is empty."""
    names = ("counts", "confidence", "accuracy")
    values = [curve[name] for name in names] if isinstance(curve, dict) else [getattr(curve, name) for name in names]
    return [np.array(value, float) for value in values]


def show_uncertainty(rows, crop=None, panel=2.2):
    """A row per slice: the image with both outlines, the errors, and maps of uncertainty, bright where uncertain.

    Used in 12. A color bar under each map, and one legend of lines and colors.

    Parameters
    ----------
    rows : list of dict
        ``image`` ``(H, W)`` or ``(H, W, 1)``, ``truth`` and ``predicted`` ``(H, W)`` class indices, ``maps`` a
        dict of title to ``(H, W)``, and ``spacing`` if known. A map has one scale in all rows, from 0 to the highest
        value shown, which its bar names.
    crop : int, optional
        Show a square of so many pixels around the nodule (class 2), or around the image's middle where there is none.
    panel : float
        Inches.
    """
    titles = list(rows[0]["maps"])
    parts = [_around(row["truth"] == 2, crop) for row in rows]
    shown = {title: [row["maps"][title][part] for row, part in zip(rows, parts, strict=True)] for title in titles}
    # the bars and the legend need a strip below
    with figure(len(rows), 2 + len(titles), panel=panel, height=panel * len(rows) + 0.6) as (fig, axes):
        for i, (row, line) in enumerate(zip(rows, axes, strict=True)):
            part = parts[i]
            image, truth, predicted = (np.squeeze(row[name])[part] for name in ("image", "truth", "predicted"))
            spacing = row.get("spacing")
            for ax, title in zip(line[:2], ("image", "errors"), strict=True):
                draw_image(ax, image, spacing if crop is None else None, title=title if i == 0 else None)
            _draw_outlines(line[0], truth, predicted)
            errors = np.where(truth == predicted, 0, np.where(truth > predicted, 3, 2))
            draw_errors(line[1], errors)
            for ax, title in zip(line[2:], titles, strict=True):
                look = {"aspect": line[0].get_aspect(), "interpolation": "nearest", "cmap": "inferno"}
                ax.imshow(shown[title][i], vmin=0, vmax=np.max(shown[title]) or 1, **look)
                _draw_outlines(ax, truth == 2, None)
                ax.set_title(title if i == 0 else "", fontsize=9)
                ax.set_axis_off()
        for column, title in zip(axes[:, 2:].T, titles, strict=True):
            top = float(np.max(shown[title]) or 1)
            look = {"location": "bottom", "shrink": 0.8, "aspect": 18, "pad": 0.02}
            bar = fig.colorbar(column[-1].images[0], ax=list(column), **look)
            bar.set_ticks([0, top], labels=["0", f"{top:.2g}"])
            bar.ax.tick_params(labelsize=7, length=2)
        lines = [
            Line2D([], [], color=TRUTH_COLOR, label="ground truth"),
            Line2D([], [], color=PREDICTION_COLOR, linestyle="dashed", label="prediction"),
        ]
        names = {"false negative": "missed", "false positive": "too much"}
        legend_below(fig, lines + [Patch(color=ERROR_COLORS[kind], label=name) for kind, name in names.items()])
    return fig


def _draw_outlines(ax, truth, predicted):
    """Truth as a yellow line, prediction as a dashed one; every class has its own outline."""
    for mask, color, style in ((truth, TRUTH_COLOR, "solid"), (predicted, PREDICTION_COLOR, "dashed")):
        if mask is None:
            continue
        for index in np.unique(mask[mask > 0]):
            ax.contour(mask == index, levels=[0.5], colors=[color], linestyles=style, linewidths=1.1)


def _around(area, crop):
    if crop is None:
        return np.s_[:, :]
    center = np.argwhere(area).mean(axis=0) if area.any() else np.array(area.shape) / 2
    row, column = (int(np.clip(round(c - crop / 2), 0, n - crop)) for c, n in zip(center, area.shape, strict=True))
    return np.s_[row : row + crop, column : column + crop]
