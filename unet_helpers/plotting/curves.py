"""Figures of lines and bars: curves of a training, times, histograms, trade-offs."""

import numpy as np
from matplotlib.colors import to_rgb

from .canvas import figure


def show_curves(history, names=("loss", "accuracy", "dice")):
    """Training and validation curves of a :class:`unet_helpers.training.History`, one panel per quantity."""
    names = [name for name in names if name in history.curves]
    with figure(1, len(names), panel=3.2, height=2.8) as (fig, axes):
        for ax, name in zip(axes.flat, names, strict=True):
            epochs = np.arange(1, len(history.curves[name]) + 1)
            ax.plot(epochs, history.curves[name], color="#0072B2", linestyle="--", label="training")
            if f"val_{name}" in history.curves:
                ax.plot(epochs, history.curves[f"val_{name}"], color="#D55E00", label="validation")
            if history.best_epoch:
                ax.axvline(history.best_epoch, color="#999999", linewidth=1, linestyle=":")
            ax.set_xlabel("epoch")
            ax.set_title(name, fontsize=10)
            if name != "loss":
                ax.set_ylim(0, 1.02)
            ax.spines[["top", "right"]].set_visible(False)
        axes[0, 0].legend(frameon=False, fontsize=9)
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
    with figure(width=4.6, height=2.9) as (fig, axes):
        ax = axes[0, 0]
        styles = (("#0072B2", "--"), ("#D55E00", "-."), ("#000000", "-"), ("#009E73", ":"), ("#CC79A7", "-"))
        for (name, y), (color, style) in zip(curves.items(), styles, strict=False):
            ax.plot(x, y, color=color, linestyle=style, marker="o", markersize=3, label=name)
        if mark is not None:
            ax.axvline(mark, color="#999999", linewidth=1, linestyle=":")
        ax.set(xlabel=xlabel, ylabel=ylabel, ylim=limits)
        ax.legend(frameon=False, fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
    return fig


def show_time_to_dice(runs, goals, panel=3.7):
    """Dice of each class against the seconds of training, one line per training, one style per contestant.

    Parameters
    ----------
    runs : list of dict
        ``runs`` of ``book/results/time_to_dice.json``: ``contestant``, and ``curve`` with the seconds and the Dice of
        each class of ``goals``.
    goals : dict of str to float
        Class and the Dice that is to be reached; drawn as a dotted line.
    """
    colors = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999", "#8C6D1F")
    styles = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))
    contestants = list(dict.fromkeys(run["contestant"] for run in runs))
    with figure(1, len(goals), width=panel * len(goals), height=3.4) as (fig, axes):
        for column, (ax, (name, goal)) in enumerate(zip(axes[0], goals.items(), strict=True), start=1):
            labels = set(contestants) if column == 1 else set()
            for run in runs:
                index = contestants.index(run["contestant"])
                seconds, scores = zip(*((point[0], point[column]) for point in run["curve"]), strict=True)
                style = {"color": colors[index % len(colors)], "linestyle": styles[index % len(styles)]}
                label = run["contestant"] if run["contestant"] in labels else None
                labels.discard(label)
                ax.plot(seconds, scores, linewidth=1.4, label=label, **style)
            ax.axhline(goal, color="#999999", linewidth=1, linestyle=":")
            ax.set(xlim=(0, None), xlabel="seconds of training", ylabel="Dice", title=name, ylim=(0, 1.02))
            ax.spines[["top", "right"]].set_visible(False)
        fig.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return fig


def show_histograms(samples, xlabel, bins=40, ylabel="count"):
    """Histograms over one axis with common bins, each filled and outlined.

    Parameters
    ----------
    samples : dict of str to array
        Name of the sample and its values.
    xlabel : str
    bins : int or sequence of float
    """
    edges = np.histogram_bin_edges(np.concatenate([np.ravel(values) for values in samples.values()]), bins)
    with figure(width=5.6, height=2.6) as (fig, axes):
        ax = axes[0, 0]
        for (name, values), color in zip(samples.items(), ("#0072B2", "#D55E00", "#009E73", "#CC79A7"), strict=False):
            style = {"histtype": "stepfilled", "facecolor": (*to_rgb(color), 0.3), "edgecolor": color}
            ax.hist(np.ravel(values), edges, label=name, **style)
        ax.set(xlabel=xlabel, ylabel=ylabel)
        ax.legend(frameon=False, fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
    return fig


def show_tradeoffs(runs, quantity, costs, label, panel=2.9):
    """Quality over cost, one panel per cost: a point for each run with its interval, named beside it.

    Points that no other beats in both respects are filled.

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
    with figure(1, len(costs), panel=panel, height=3.2, sharey=True) as (fig, axes):
        for ax, (title, key) in zip(axes.flat, costs.items(), strict=True):
            points = [(run[key], run[quantity]) for run in runs.values()]
            width, height = np.ptp(points, axis=0)
            for i, (run, (x, y)) in enumerate(zip(runs.values(), points, strict=True)):
                beaten = any(a <= x and b >= y and (a, b) != (x, y) for a, b in points)
                ax.plot(
                    [x, x], [run[f"{quantity}_low"], run[f"{quantity}_high"]], color="#BBBBBB", linewidth=2, zorder=1
                )
                ax.plot(x, y, "o", color="#0072B2", markerfacecolor="white" if beaten else "#0072B2", markersize=6)
                crowded = any(0 < a - x < 0.06 * width and abs(b - y) < 0.06 * height for a, b in points)
                place = (-11, -9) if crowded else (5, 3)
                ax.annotate(str(i + 1), (x, y), place, textcoords="offset points", fontsize=9)
            ax.set(xlabel=title)
            ax.margins(x=0.15)
            ax.spines[["top", "right"]].set_visible(False)
        axes[0, 0].set_ylabel(label)
        names = "   ".join(f"{i}  {name}" for i, name in enumerate(runs, start=1))
        fig.supxlabel(names, fontsize=8.5)
    return fig


def show_bars(series, panel=3.6, height=2.8):
    """One bar chart per entry: ``{title: pandas.Series}``, the index beside the bars."""
    with figure(1, len(series), panel=panel, height=height) as (fig, axes):
        for ax, (title, values) in zip(axes.flat, series.items(), strict=True):
            ax.barh(np.arange(len(values)), values.to_numpy(), color="#0072B2")
            ax.set_yticks(np.arange(len(values)), values.index, fontsize=8)
            ax.invert_yaxis()
            ax.set_title(title, fontsize=9)
            ax.spines[["top", "right"]].set_visible(False)
    return fig


def show_trainings(histories, name="loss", limits=None, panel=2.8):
    """One panel per training, ``{title: History}``: one quantity for training and validation, on a common scale."""
    with figure(1, len(histories), panel=panel, height=2.6, sharey=True) as (fig, axes):
        for ax, (title, history) in zip(axes.flat, histories.items(), strict=True):
            epochs = np.arange(1, history.epochs + 1)
            ax.plot(epochs, history.curves[name], color="#0072B2", linestyle="--", label="training")
            ax.plot(epochs, history.curves[f"val_{name}"], color="#D55E00", label="validation")
            ax.set_xlabel("epoch")
            ax.set_title(title, fontsize=10)
            ax.spines[["top", "right"]].set_visible(False)
        axes[0, 0].set_ylabel(name)
        axes[0, 0].set_ylim(limits)
        axes[0, 0].legend(frameon=False, fontsize=9)
    return fig


def show_runs_in_range(runs, limits, ylim=None, panel=2.1):
    """Accuracy over the epochs, one panel per kind of run, and a gray band where a report puts it.

    Parameters
    ----------
    runs : dict of str to dict
        ``accuracy_curves`` and ``val_accuracy_curves``, a list of curves each: training is dashed, validation solid.
    limits : (float, float)
        The band.
    ylim : (float, float), optional
        What is shown; curves may leave it. Default: everything.
    panel : float
        Inches per panel.
    """
    from textwrap import fill

    with figure(1, len(runs), panel=panel, height=2.7, sharey=True) as (fig, axes):
        for ax, (title, row) in zip(axes.flat, runs.items(), strict=True):
            ax.axhspan(*limits, color="#cccccc")
            for key, color, style in (("accuracy", "#0072B2", "--"), ("val_accuracy", "#D55E00", "-")):
                for curve in row[f"{key}_curves"]:
                    epochs = np.arange(1, len(curve) + 1)
                    ax.plot(epochs, curve, color=color, linestyle=style, linewidth=0.9)
            ax.set_xlabel("epoch")
            ax.set_title(fill(title, 24), fontsize=9)
            ax.spines[["top", "right"]].set_visible(False)
        axes[0, 0].set(ylabel="accuracy", ylim=ylim)
    return fig


def show_scaling(models, measured=None, width=5.6):
    """Efficiency over the number of workers: curves of a model, and diamonds for what was measured.

    Parameters
    ----------
    models : dict of str to (workers, efficiency)
    measured : dict of str to (workers, efficiency), optional
    width : float
        Inches.
    """
    with figure(width=width, height=3.4) as (fig, axes):
        ax = axes[0, 0]
        styles = (("#0072B2", "--"), ("#D55E00", "-."), ("#009E73", ":"), ("#CC79A7", "-"))
        for (name, (x, y)), (color, style) in zip(models.items(), styles, strict=False):
            ax.plot(x, y, color=color, linestyle=style, label=f"model: {name}")
        for (name, (x, y)), marker in zip((measured or {}).items(), "Dos^", strict=False):
            look = {"markerfacecolor": "white", "markeredgecolor": "black", "linestyle": "", "zorder": 3}
            ax.plot(x, y, marker, label=f"measured: {name}", **look)
        ax.axhline(1, color="#999999", linewidth=1)
        ax.set_xscale("log", base=2)
        ticks = sorted({int(value) for x, _ in models.values() for value in x})
        ax.set_xticks(ticks, ticks)
        ax.set(xlabel="workers", ylabel="efficiency", ylim=(0, 1.08))
        fig.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=2)
        ax.spines[["top", "right"]].set_visible(False)
    return fig
