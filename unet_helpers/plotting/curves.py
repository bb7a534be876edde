"""Figures of lines and bars: curves of a training, times, histograms, trade-offs."""

import numpy as np
from matplotlib.colors import to_rgb

from .canvas import chart, legend_below
from .colors import BLACK, BLUE, GRAY, GREEN, ORANGE, PURPLE, SKY_BLUE, VERMILLION


def _draw_training(ax, curves, name, **look):
    """One quantity over the epochs, dashed in training, solid in validation; ``(epochs,)`` or ``(epochs, runs)``."""
    for key, label, color, style in ((name, "training", BLUE, "--"), (f"val_{name}", "validation", VERMILLION, "-")):
        if key in curves:
            epochs = np.arange(1, len(curves[key]) + 1)
            ax.plot(epochs, curves[key], color=color, linestyle=style, label=label, **look)
    ax.set_xlabel("epoch")


def show_curves(history, names=("loss", "accuracy", "dice")):
    """Training and validation curves of a :class:`unet_helpers.training.History`, one panel per quantity."""
    names = [name for name in names if name in history.curves]
    with chart(1, len(names), panel=3.2, height=2.8) as (fig, axes):
        for ax, name in zip(axes.flat, names, strict=True):
            _draw_training(ax, history.curves, name)
            if history.best_epoch:
                ax.axvline(history.best_epoch, color=GRAY, linewidth=1, linestyle=":")
            ax.set_title(name, fontsize=10)
            if name != "loss":
                ax.set_ylim(0, 1.02)
        axes[0, 0].legend()
    return fig


def show_lines(x, curves, xlabel, ylabel="", mark=None, limits=None):
    """Named curves over one axis, each with its own line style.

    Parameters
    ----------
    x : sequence of float
    curves : dict of str to sequence of float
    xlabel, ylabel : str
    mark : float, optional
        Where a vertical line stands.
    limits : (float, float), optional
        Of the vertical axis.
    """
    with chart(width=4.6, height=2.9) as (fig, axes):
        ax = axes[0, 0]
        styles = ((BLUE, "--"), (VERMILLION, "-."), (BLACK, "-"), (GREEN, ":"), (PURPLE, "-"))
        for (name, y), (color, style) in zip(curves.items(), styles, strict=False):
            ax.plot(x, y, color=color, linestyle=style, marker="o", markersize=3, label=name)
        if mark is not None:
            ax.axvline(mark, color=GRAY, linewidth=1, linestyle=":")
        ax.set(xlabel=xlabel, ylabel=ylabel, ylim=limits)
        ax.legend()
    return fig


def show_time_to_dice(runs, goals):
    """Dice of each class against the seconds of training, one line per training, one style per contestant.
    Used in 04.

    Parameters
    ----------
    runs : list of dict
        ``runs`` of ``book/results/time_to_dice.json``: ``contestant``, and ``curve`` with the seconds and the Dice of
        each class of ``goals``.
    goals : dict of str to float
        Class and the Dice that is to be reached; drawn as a dotted line.
    """
    colors = (BLACK, BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE, GRAY, "#8C6D1F")
    styles = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))
    contestants = list(dict.fromkeys(run["contestant"] for run in runs))
    with chart(1, len(goals), panel=3.7, height=3.4) as (fig, axes):
        for column, (ax, (name, goal)) in enumerate(zip(axes[0], goals.items(), strict=True), start=1):
            for run in runs:
                index = contestants.index(run["contestant"])
                points = np.array(run["curve"])
                style = {"color": colors[index % len(colors)], "linestyle": styles[index % len(styles)]}
                ax.plot(points[:, 0], points[:, column], linewidth=1.4, label=run["contestant"], **style)
            ax.axhline(goal, color=GRAY, linewidth=1, linestyle=":")
            ax.set(xlim=(0, None), xlabel="seconds of training", ylabel="Dice", title=name, ylim=(0, 1.02))
        handles, labels = axes[0, 0].get_legend_handles_labels()
        legend_below(fig, dict(zip(labels, handles, strict=True)).values(), columns=3)  # a line per contestant
    return fig


def show_histograms(samples, xlabel, bins=40):
    """Histograms over one axis with common bins, each filled and outlined.

    Parameters
    ----------
    samples : dict of str to array
        Name of the sample and its values.
    xlabel : str
    bins : int or sequence of float
    """
    edges = np.histogram_bin_edges(np.concatenate([np.ravel(values) for values in samples.values()]), bins)
    with chart(width=5.6, height=2.6) as (fig, axes):
        ax = axes[0, 0]
        for (name, values), color in zip(samples.items(), (BLUE, VERMILLION, GREEN, PURPLE), strict=False):
            style = {"histtype": "stepfilled", "facecolor": (*to_rgb(color), 0.3), "edgecolor": color}
            ax.hist(np.ravel(values), edges, label=name, **style)
        ax.set(xlabel=xlabel, ylabel="count")
        ax.legend()
    return fig


def show_tradeoffs(runs, quantity, costs, label, panel=2.9):
    """Quality over cost, one panel per cost: a point for each run with its interval, named beside it.

    Points that no other beats in both respects are filled. Used in 08.

    Parameters
    ----------
    runs : dict of str to dict
        By name, with ``quantity``, ``<quantity>_low`` and ``<quantity>_high``, and the costs.
    quantity : str
    costs : dict of str to str
        Axis label, and the cost it shows, as ``{"latency (ms)": "latency_ms"}``.
    label : str
        Of the vertical axis.
    """
    with chart(1, len(costs), panel=panel, height=3.2, sharey=True) as (fig, axes):
        for ax, (title, key) in zip(axes.flat, costs.items(), strict=True):
            points = [(run[key], run[quantity]) for run in runs.values()]
            width, height = np.ptp(points, axis=0)
            for i, (run, (x, y)) in enumerate(zip(runs.values(), points, strict=True)):
                beaten = any(a <= x and b >= y and (a, b) != (x, y) for a, b in points)
                ends = [run[f"{quantity}_low"], run[f"{quantity}_high"]]
                ax.plot([x, x], ends, color="#BBBBBB", linewidth=2, zorder=1)
                ax.plot(x, y, "o", color=BLUE, markerfacecolor="white" if beaten else BLUE, markersize=6)
                crowded = any(0 < a - x < 0.06 * width and abs(b - y) < 0.06 * height for a, b in points)
                place = (-11, -9) if crowded else (5, 3)
                ax.annotate(str(i + 1), (x, y), place, textcoords="offset points", fontsize=9)
            ax.set(xlabel=title)
            ax.margins(x=0.15)
        axes[0, 0].set_ylabel(label)
        names = "   ".join(f"{i}  {name}" for i, name in enumerate(runs, start=1))
        fig.supxlabel(names, fontsize=8.5)
    return fig


def show_bars(series, panel=3.6, height=2.8):
    """One bar chart per entry: ``{title: pandas.Series}``, the index beside the bars."""
    with chart(1, len(series), panel=panel, height=height) as (fig, axes):
        for ax, (title, values) in zip(axes.flat, series.items(), strict=True):
            ax.barh(np.arange(len(values)), values.to_numpy(), color=BLUE)
            ax.set_yticks(np.arange(len(values)), values.index, fontsize=8)
            ax.invert_yaxis()
            ax.set_title(title, fontsize=9)
    return fig


def show_trainings(histories, name="loss", limits=None):
    """One panel per training, ``{title: History}``: one quantity for training and validation, on a common scale."""
    with chart(1, len(histories), panel=2.8, height=2.6, sharey=True) as (fig, axes):
        for ax, (title, history) in zip(axes.flat, histories.items(), strict=True):
            _draw_training(ax, history.curves, name)
            ax.set_title(title, fontsize=10)
        axes[0, 0].set(ylabel=name, ylim=limits)
        axes[0, 0].legend()
    return fig


def show_runs_in_range(runs, limits, ylim=None):
    """Accuracy over the epochs, one panel per kind of run, and a gray band where a report puts it. Used in 16.

    Parameters
    ----------
    runs : dict of str to dict
        ``accuracy_curves`` and ``val_accuracy_curves``, a list of curves each: training is dashed, validation solid.
    limits : (float, float)
        The band.
    ylim : (float, float), optional
        What is shown; curves may leave it. Default: everything.
    """
    from textwrap import fill

    with chart(1, len(runs), panel=2.1, height=2.7, sharey=True) as (fig, axes):
        for ax, (title, row) in zip(axes.flat, runs.items(), strict=True):
            ax.axhspan(*limits, color="#cccccc")
            curves = {name: np.transpose(row[f"{name}_curves"]) for name in ("accuracy", "val_accuracy")}
            _draw_training(ax, curves, "accuracy", linewidth=0.9)
            ax.set_title(fill(title, 24), fontsize=9)
        axes[0, 0].set(ylabel="accuracy", ylim=ylim)
    return fig


def show_scaling(models, measured=None):
    """Efficiency over the number of workers: curves of a model, and diamonds for what was measured. Used in 14.

    Parameters
    ----------
    models : dict of str to (workers, efficiency)
    measured : dict of str to (workers, efficiency), optional
    """
    with chart(width=5.6, height=3.4) as (fig, axes):
        ax = axes[0, 0]
        styles = ((BLUE, "--"), (VERMILLION, "-."), (GREEN, ":"), (PURPLE, "-"))
        for (name, (x, y)), (color, style) in zip(models.items(), styles, strict=False):
            ax.plot(x, y, color=color, linestyle=style, label=f"model: {name}")
        for (name, (x, y)), marker in zip((measured or {}).items(), "Dos^", strict=False):
            look = {"markerfacecolor": "white", "markeredgecolor": "black", "linestyle": "", "zorder": 3}
            ax.plot(x, y, marker, label=f"measured: {name}", **look)
        ax.axhline(1, color=GRAY, linewidth=1)
        ax.set_xscale("log", base=2)
        ticks = sorted({int(value) for x, _ in models.values() for value in x})
        ax.set_xticks(ticks, ticks)
        ax.set(xlabel="workers", ylabel="efficiency", ylim=(0, 1.08))
        fig.legend(fontsize=8, loc="outside lower center", ncols=2)
    return fig
