"""Pictures: one function per kind, the same color for the same thing everywhere.

Every function returns a closed matplotlib figure: as the last line of a cell it is shown once, and
no state is left behind. Colors are Okabe and Ito's, told apart by people who see color differently;
masks are drawn as contour and translucent fill, so that color is never the only difference.
"""

from contextlib import contextmanager
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke

CLASS_COLORS = ("#000000", "#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442")
ERROR_COLORS = {"true positive": "#009E73", "false positive": "#D55E00", "false negative": "#0072B2"}
TRUTH_COLOR, PREDICTION_COLOR = "#F0E442", "#D55E00"


@contextmanager
def figure(rows=1, columns=1, width=None, height=None, panel=2.4, **options):
    """A figure with a grid of axes, closed on leaving so that it is shown only where it is returned.

    Yields
    ------
    fig, axes : Figure and ``(rows, columns)`` array of Axes
    """
    size = (width or panel * columns, height or panel * rows)
    fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **options)
    try:
        yield fig, axes
    finally:
        plt.close(fig)


def draw_image(ax, image, spacing=None, limits=(0, 1), title=None):
    """Draw one gray or color image, ``(H, W)`` or ``(H, W, C)``, in its real aspect, with a 50 mm bar."""
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    known = spacing is not None and np.isfinite(spacing).all()
    aspect = spacing[0] / spacing[1] if known else 1
    ax.imshow(image, cmap="gray", vmin=limits[0], vmax=limits[1], aspect=aspect, interpolation="nearest")
    if known:
        length = 50 / spacing[1]
        height, width = image.shape[:2]
        if length < width:
            x, y = width * 0.95 - length, height * 0.95 - 0.5  # rows end half a pixel below the last center
            edge = [withStroke(linewidth=3, foreground="black")]  # so that white is seen on a bright image too
            ax.plot([x, x + length], [y, y], color="white", linewidth=2, solid_capstyle="butt", path_effects=edge)
            label = {"color": "white", "ha": "center", "va": "bottom", "fontsize": 7, "path_effects": edge}
            ax.annotate("50 mm", (x + length / 2, y), (0, 4), textcoords="offset points", **label)
    if title is not None:
        ax.set_title(title, fontsize=9)
    ax.set_axis_off()


def draw_mask(ax, mask, colors=CLASS_COLORS, fill=0.3):
    """Draw a mask of class indices over an image: translucent fill and a contour per class."""
    mask = np.asarray(mask)
    overlay = np.zeros((*mask.shape, 4))
    for index in np.unique(mask[mask > 0]):
        color = colors[index % len(colors)]
        overlay[mask == index] = (*to_rgb(color), fill)
        ax.contour(mask == index, levels=[0.5], colors=[color], linewidths=1.2)
    ax.imshow(overlay, interpolation="nearest", aspect=ax.get_aspect())


def paint_mask(image, mask, colors=CLASS_COLORS, fill=0.35):
    """Image and mask as one picture, ``(H, W, 3)`` uint8, for widgets: fill inside, full color on the border."""
    from skimage.segmentation import find_boundaries

    gray = np.clip(np.squeeze(image), 0, 1)
    picture = np.repeat(gray[..., np.newaxis], 3, axis=-1)
    for index in np.unique(mask[mask > 0]):
        color = np.array(to_rgb(colors[index % len(colors)]))
        area = mask == index
        picture[area] = (1 - fill) * picture[area] + fill * color
        picture[find_boundaries(area, mode="inner")] = color
    return (picture * 255).round().astype(np.uint8)


def legend_of_classes(fig, class_names, colors=CLASS_COLORS):
    """One legend below the picture for all classes but the background."""
    handles = [Patch(color=colors[i % len(colors)], label=name) for i, name in enumerate(class_names) if i]
    fig.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)


def show_images(images, titles=None, masks=None, class_names=None, spacings=None, limits=(0, 1), columns=4, panel=2.4):
    """Images side by side, with their masks drawn over them if given.

    Parameters
    ----------
    images : sequence of ``(H, W)`` or ``(H, W, C)``
    titles : sequence of str, optional
    masks : sequence of ``(H, W)`` integer or None, optional
    class_names : sequence of str, optional
        Adds a legend.
    spacings : sequence of (row, column) mm, optional
    limits : (float, float)
        Gray values shown as black and as white.
    columns : int
    """
    count = len(images)
    columns = min(columns, count)
    rows = -(-count // columns)
    with figure(rows, columns, panel=panel) as (fig, axes):
        for i, ax in enumerate(axes.flat):
            if i >= count:
                ax.set_axis_off()
                continue
            spacing = None if spacings is None else spacings[i]
            draw_image(ax, images[i], spacing, limits, None if titles is None else titles[i])
            if masks is not None and masks[i] is not None:
                draw_mask(ax, masks[i])
        if class_names is not None:
            legend_of_classes(fig, class_names)
    return fig


def show_predictions(images, masks, predictions, class_index=None, titles=None, spacings=None, panel=2.3):
    """One row per slice: image, ground truth, prediction, errors.

    Parameters
    ----------
    images, masks, predictions : ``(N, H, W, C)``, ``(N, H, W)``, ``(N, H, W)``
    class_index : int, optional
        Whose errors are drawn; default all foreground classes together (a wrong class is an error).
    """
    from .failures import error_map

    with figure(len(images), 4, panel=panel) as (fig, axes):
        for i, row in enumerate(axes):
            spacing = None if spacings is None else spacings[i]
            for ax, title in zip(row, ("image", "ground truth", "prediction", "errors"), strict=True):
                draw_image(ax, images[i], spacing, title=title if i == 0 else None)
            draw_mask(row[1], masks[i])
            draw_mask(row[2], predictions[i])
            if class_index is None:
                wrong_class = (masks[i] > 0) & (predictions[i] > 0) & (masks[i] != predictions[i])
                errors = error_map(masks[i] > 0, predictions[i] > 0)
                errors[wrong_class] = 2
            else:
                errors = error_map(masks[i] == class_index, predictions[i] == class_index)
            draw_errors(row[3], errors)
            if titles is not None:
                row[0].text(0.02, 0.98, titles[i], transform=row[0].transAxes, color="white", va="top", fontsize=7)
        handles = [Patch(color=color, label=name) for name, color in ERROR_COLORS.items()]
        fig.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return fig


def draw_errors(ax, errors, fill=0.6):
    """Draw an error map of :func:`unet_helpers.failures.error_map` over an image."""
    overlay = np.zeros((*errors.shape, 4))
    for value, color in enumerate(ERROR_COLORS.values(), start=1):
        overlay[errors == value] = (*to_rgb(color), fill if value > 1 else fill / 2)
    ax.imshow(overlay, interpolation="nearest", aspect=ax.get_aspect())


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


def show_numbers(arrays, titles, panel=2.0, decimals=0, shades=None):
    """Small arrays ``(H, W)`` as grids of gray squares with their numbers written in, side by side.

    ``shades`` are arrays of the same shapes that give the gray, on one scale for all; else each number gives its own.
    """
    with figure(1, len(arrays), panel=panel) as (fig, axes):
        for k, (ax, array, title) in enumerate(zip(axes.flat, arrays, titles, strict=True)):
            array = np.asarray(array)
            gray = array if shades is None else np.asarray(shades[k])
            low, high = (array.min(), array.max()) if shades is None else (np.min(shades), np.max(shades))
            ax.imshow(gray, cmap="gray", vmin=low, vmax=high)
            for (row, column), value in np.ndenumerate(array):
                color = "black" if gray[row, column] > (low + high) / 2 else "white"
                ax.text(column, row, f"{value:.{decimals}f}", color=color, ha="center", va="center", fontsize=9)
            ax.set_xticks(np.arange(-0.5, array.shape[1]), [])
            ax.set_yticks(np.arange(-0.5, array.shape[0]), [])
            ax.grid(color="#56B4E9", linewidth=0.8)
            ax.tick_params(length=0)
            ax.set_title(title, fontsize=9)
    return fig


def show_maps(maps, titles=None, columns=4, panel=1.8):
    """Feature maps, each ``(H, W)``, side by side, each from its own darkest to its own brightest value."""
    rows = -(-len(maps) // columns)
    with figure(rows, columns, panel=panel) as (fig, axes):
        for ax in axes.flat:
            ax.set_axis_off()
        for i, (ax, feature) in enumerate(zip(axes.flat, maps, strict=False)):
            draw_image(ax, feature, limits=(feature.min(), feature.max()), title=titles[i] if titles else None)
    return fig


def draw_box(ax, rows, columns, color, label=None):
    """Draw the outline of the pixels from ``rows[0]`` to ``rows[1]``, ``columns`` alike, both ends included."""
    corner = (columns[0] - 0.5, rows[0] - 0.5)
    size = (columns[1] - columns[0] + 1, rows[1] - rows[0] + 1)
    ax.add_patch(Rectangle(corner, *size, fill=False, edgecolor=color, linewidth=1.6, label=label))


UNET_ARROWS = {
    "two 3×3 convolutions": "#0072B2",
    "2×2 max-pooling": "#D55E00",
    "2×2 transposed convolution": "#009E73",
    "skip connection": "#666666",
    "1×1 convolution, softmax": "#CC79A7",
}


def show_unet(model, image=None, mask=None, width=9.6):
    """The U of a :func:`unet_helpers.UNet`, drawn from the shapes of its layers.

    A box is a stack of feature maps: its height goes with the square root of the maps' size, its
    width with the square root of their number, which stands above it.

    Parameters
    ----------
    model : keras.Model
        Built by ``UNet`` for a fixed input size.
    image, mask : ``(H, W)`` or ``(H, W, 1)``, optional
        Drawn where the network begins and where it ends.
    width : float
        Inches.
    """
    fig, ax = plt.subplots(figsize=(width, 0.53 * width), layout="constrained")
    draw_unet(ax, model, image, mask)
    plt.close(fig)
    return fig


def draw_unet(ax, model, image=None, mask=None):
    """Draw what :func:`show_unet` shows into axes."""
    shapes = {layer.name: layer.output.shape[1:] for layer in model.layers}
    depth = sum(name.startswith("pool") for name in shapes)
    blocks = [*(f"down{level + 1}" for level in range(depth)), "bottleneck"]
    heights = [1.5 * (shapes[f"{block}_relu2"][0] / shapes["image"][0]) ** 0.5 for block in blocks]
    tops = -np.cumsum([0, *(height + 0.42 for height in heights)])
    step, turn = 1.05, 0.95 if depth > 1 else 1.2  # from box to box, and across the bottleneck
    colors = dict(zip(("conv", "pool", "up", "skip", "head"), UNET_ARROWS.values(), strict=True))

    def box(x, level, channels, face="#CFE3F1", shift=0.0, label=True):
        """One stack of maps, centered at x + shift; returns its left and right edge."""
        size = 0.026 * channels**0.5
        left = x - size / 2 + shift
        corner = (left, tops[level] - heights[level])
        ax.add_patch(Rectangle(corner, size, heights[level], facecolor=face, edgecolor="black", linewidth=0.8))
        if label:
            ax.text(left + size / 2, tops[level] + 0.03, str(channels), ha="center", va="bottom", fontsize=8)
        return left, left + size

    def arrow(start, end, kind, style="-"):
        look = {"arrowstyle": "-|>", "color": colors[kind], "linewidth": 1.6, "linestyle": style, "shrinkA": 0}
        ax.annotate("", end, start, arrowprops={**look, "shrinkB": 0, "mutation_scale": 11})

    def center(level):
        return tops[level] - heights[level] / 2

    def picture(array, x, kind):
        side = heights[0]
        ax.imshow(np.squeeze(array), extent=(x, x + side, tops[0] - side, tops[0]), **kind)

    outer = -0.5 if image is None else -1.0
    if image is not None:
        picture(image, outer - heights[0], {"cmap": "gray", "vmin": 0, "vmax": 1})
    else:
        outer = box(outer, 0, shapes["image"][-1], "#EEEEEE")[1]
    edges = []
    for level, block in enumerate(blocks):
        size = "{}×{}".format(*shapes[f"{block}_relu2"][:2])
        start = outer
        if level:
            left, start = box(level - 0.5, level, shapes[f"pool{level}"][-1], "#FBE3D3")
            arrow((level - 0.5, tops[level - 1] - heights[level - 1]), (level - 0.5, tops[level] + 0.2), "pool")
            ax.text(left - 0.06, center(level), size, rotation=90, ha="right", va="center", fontsize=8)
        else:
            low = tops[0] - heights[0] - 0.1
            ax.text(0.26, low, size, rotation=90, ha="right", va="bottom", fontsize=8)
        at = level + (turn if level == depth else 0.5)
        edges.append(box(at, level, shapes[f"{block}_relu2"][-1]))
        arrow((start, center(level)), (edges[-1][0], center(level)), "conv")
    right = depth + turn
    for level in reversed(range(depth)):
        up, block = shapes[f"up{level + 1}_upsample"][-1], f"down{level + 1}_relu2"
        part = 0.026 * up**0.5
        both = f"skip{level + 1}" in shapes
        left, end = box(right, level, up, "#CDEBDD", label=not both)
        arrow((right, tops[level + 1] + 0.2), (right, tops[level] - heights[level]), "up")
        if both:
            left, _ = box(right, level, shapes[block][-1], "#DDDDDD", shift=-part, label=False)
            label = f"{shapes[block][-1]} + {up}"
            ax.text((left + end) / 2, tops[level] + 0.03, label, ha="center", va="bottom", fontsize=8)
            arrow((edges[level][1], center(level)), (left, center(level)), "skip", "--")
        right += step
        left, last = box(right, level, shapes[f"up{level + 1}_relu2"][-1])
        arrow((end, center(level)), (left, center(level)), "conv")
    classes = shapes["probabilities"][-1]
    left, _ = box(right + 0.75, 0, classes, "#F3DCE9")
    arrow((last, center(0)), (left, center(0)), "head")
    if mask is not None:
        picture(mask, right + 1.0, {"cmap": "gray", "vmin": 0, "vmax": max(1, np.max(mask))})
    ax.set_xlim(outer - (heights[0] if image is not None else 0.3) - 0.1, right + 1.1 + (mask is not None) * heights[0])
    ax.set_ylim(tops[depth] - heights[depth] - 0.1, 0.35)
    ax.set_aspect("equal")
    ax.set_axis_off()
    styles = {"skip connection": "--"}
    handles = [
        Line2D([], [], color=color, linestyle=styles.get(name, "-"), linewidth=2, label=name)
        for name, color in UNET_ARROWS.items()
    ]
    ax.figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)


def show_counts(truth, prediction):
    """Two small masks pixel by pixel, and which of the four counts each pixel goes to.

    Parameters
    ----------
    truth, prediction : ``(H, W)`` 0/1, small enough to read letters in the pixels
    """
    from .failures import error_map

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
    """Pixels by true class (row) and predicted class (column); the shade is the share of the row."""
    matrix = np.asarray(matrix)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with figure(width=4.2, height=3.2) as (fig, axes):
        ax = axes[0, 0]
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(matrix):
            ink = "white" if shares[row, column] > 0.6 else "black"
            text = f"{count}\n{shares[row, column]:.1%}"
            ax.text(column, row, text, ha="center", va="center", color=ink, fontsize=9)
        ax.set_xticks(range(len(class_names)), class_names)
        ax.set_yticks(range(len(class_names)), class_names)
        ax.set_xlabel("prediction")
        ax.set_ylabel("ground truth")
    return fig


def show_case_grid(table, title=None):
    """A table of scores in 0–1 as colored cells with their numbers; an undefined score (nan) is an empty gray cell.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per patient, one column per slice.
    title : str, optional
    """
    values = table.to_numpy(dtype=float)
    height, width = values.shape
    with figure(width=0.6 * width + 1.4, height=0.36 * height + 0.9) as (fig, axes):
        ax = axes[0, 0]
        ax.set_facecolor("#DDDDDD")
        ax.imshow(np.ma.masked_invalid(values), cmap="cividis", vmin=0, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                ink = "white" if value < 0.5 else "black"
                ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=ink)
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


def show_cases(evaluation, metric="dice", seed=0, method="percentile"):
    """Every case as a dot per class; beside it the mean and its 95 % bootstrap interval over patients.

    Parameters
    ----------
    evaluation : unet_helpers.evaluation.Evaluation
    metric : str
        A column of ``evaluation.cases``.
    seed : int
        Of the bootstrap.
    method : str
        Of the interval: see :func:`unet_helpers.bootstrap_interval`.
    """
    summary = evaluation.summary(metric, seed=seed, method=method)
    with figure(width=1.9 * len(summary) + 1, height=3) as (fig, axes):
        ax = axes[0, 0]
        for x, (name, row) in enumerate(summary.iterrows()):
            values = evaluation.of_class(name)[metric].to_numpy()
            values = np.sort(values[np.isfinite(values)])
            color = CLASS_COLORS[(x + 1) % len(CLASS_COLORS)]
            beside = x - 0.12 + 0.07 * (np.arange(len(values)) % 3 - 1)
            ax.scatter(beside, values, color=color, edgecolor="black", linewidth=0.5, s=30, zorder=3)
            ax.plot([x + 0.16] * 2, [row["low"], row["high"]], color="black", linewidth=2)
            ax.plot(x + 0.16, row["mean"], "D", color="black", markersize=5)
            ax.text(x + 0.21, row["mean"], f"{row['mean']:.2f}", va="center", fontsize=9)
        ax.set_xticks(range(len(summary)), summary.index)
        ax.set_xlim(-0.5, len(summary) - 0.5)
        if metric in ("dice", "iou", "precision", "recall"):
            ax.set_ylim(0, 1.02)
        ax.set_ylabel({"dice": "Dice", "iou": "IoU", "hd95": "HD95 (mm)"}.get(metric, metric))
        ax.set_title(f"each dot a {evaluation.unit}; mean and 95 % interval", fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
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


def show_findings(findings, width=8.0):
    """The answers of :func:`unet_helpers.failures.why_black` as a tree: down where all is well, right to the remedy.

    Questions that were not asked any more, because an earlier answer made them meaningless, are not drawn.
    """
    from textwrap import fill

    with figure(width=width, height=0.85 * len(findings)) as (fig, axes):
        ax = axes[0, 0]
        ax.set(xlim=(0, 100), ylim=(-len(findings) + 0.45, 0.55))
        ax.set_axis_off()
        for i, finding in enumerate(findings):
            color = "#D55E00" if finding.suspicious else "#009E73"
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

    from .failures import error_map

    rows = -(-len(examples) // columns)
    with figure(rows, min(columns, len(examples)), panel=panel) as (fig, axes):
        for ax in axes.flat[len(examples) :]:
            ax.set_axis_off()
        for ax, (title, (image, truth, prediction, area)) in zip(axes.flat, examples.items(), strict=False):
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
        fig.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return fig


def show_differences(tables, xlabel, limits=None, seed=0, panel=3.6, method="percentile"):
    """Paired differences: one row per column of the table, a dot per patient, and the mean with its 95 % interval.

    A row whose interval includes 0 is drawn hollow.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        One panel each, all with the same columns; a row per patient, nan is left out.
    xlabel : str
    limits : (float, float), optional
        Of the horizontal axis.
    seed : int
        Of the bootstrap.
    method : str
        Of the interval: see :func:`unet_helpers.bootstrap_interval`.
    """
    from .evaluation import bootstrap_interval

    rows = len(next(iter(tables.values())).columns)
    with figure(1, len(tables), panel=panel, height=0.36 * rows + 0.9, sharey=True) as (fig, axes):
        for k, (ax, (title, table)) in enumerate(zip(axes.flat, tables.items(), strict=True)):
            ax.axvline(0, color="#999999", linewidth=1)
            for y, name in enumerate(table.columns):
                values = table[name].dropna().to_numpy()
                low, high = bootstrap_interval(values, seed=seed, method=method)
                color = CLASS_COLORS[(k + 1) % len(CLASS_COLORS)]
                ax.scatter(values, np.full(len(values), y + 0.22), color=color, edgecolor="black", linewidth=0.4, s=14)
                ax.plot([low, high], [y - 0.1] * 2, color="black", linewidth=2)
                fill = "white" if low <= 0 <= high else "black"
                look = {"markerfacecolor": fill, "markeredgecolor": "black", "markersize": 6, "clip_on": False}
                ax.plot(values.mean(), y - 0.1, "D", **look)
            ax.set(xlabel=xlabel, xlim=limits)
            ax.set_title(title, fontsize=10)
            ax.spines[["top", "right"]].set_visible(False)
        axes[0, 0].set_yticks(range(rows), table.columns)
        axes[0, 0].set_ylim(rows - 0.5, -0.5)  # the dots of the last row clear of the axis
    return fig


def show_pulls(image, truth, belief, pulls, columns=4, panel=2.3):
    """Where a loss pulls the output up (red) and down (blue), and which share of the pull lies inside the object.

    Parameters
    ----------
    image, truth, belief : ``(H, W, 1)`` or ``(H, W)``
        Slice, binary ground truth and probabilities; they fill the first two panels.
    pulls : dict of str to ``(H, W)``
        Minus the gradient of the loss by the output before the sigmoid. Each map has its own scale, and is drawn by
        its square root, so that what is weak can be seen.
    """
    count = 2 + len(pulls)
    with figure(-(-count // columns), columns, panel=panel) as (fig, axes):
        for ax in axes.flat:
            ax.set_axis_off()
        draw_image(axes.flat[0], image, title="slice and nodule")
        draw_image(axes.flat[1], belief, title="probability of nodule")
        for ax, (title, pull) in zip(axes.flat[2:], pulls.items(), strict=False):
            root = np.sign(pull) * np.sqrt(np.abs(pull))
            top = np.abs(root).max()
            ax.imshow(root, cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest")
            share = np.abs(pull[truth > 0]).sum() / np.abs(pull).sum()
            ax.set_title(f"{title}\nnodule: {share:.0%} of the pull", fontsize=9)
        for i, ax in enumerate(axes.flat[:count]):
            ax.contour(truth, levels=[0.5], colors=CLASS_COLORS[2] if i < 2 else "black", linewidths=1.2)
        handles = [Patch(color="#B2182B", label="pulled up"), Patch(color="#2166AC", label="pulled down")]
        fig.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return fig


def paint_pull(belief, pull, truth, top, scale=3):
    """Belief and pull (full color at ``top``) as one picture, ``(H·scale, 2·W·scale, 3)`` uint8, for widgets."""
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
    with figure(1, len(quantities), panel=panel, height=0.34 * len(runs) + 0.8, sharey=True) as (fig, axes):
        for ax, (title, key) in zip(axes.flat, quantities.items(), strict=True):
            if mark is not None:
                ax.axvline(mark, color="#999999", linewidth=1)
            for y, run in enumerate(runs.values()):
                dots = [value for value in run[f"{key}_seeds"] if value is not None]
                if run.get(f"{key}_low") is not None:
                    ax.plot([run[f"{key}_low"], run[f"{key}_high"]], [y, y], color="#AAAAAA", linewidth=2)
                ax.scatter(dots, np.full(len(dots), y), color="white", edgecolor="#0072B2", s=22, zorder=3)
                if dots:
                    undecided = mark is not None and run[f"{key}_low"] <= mark <= run[f"{key}_high"]
                    fill = "white" if undecided else "black"
                    ax.plot(np.mean(dots), y, "D", color="black", markerfacecolor=fill, markersize=5, zorder=4)
            ax.set(xlabel=title, xlim=limits)
            ax.grid(axis="x", color="#DDDDDD", linewidth=0.8)
            ax.spines[["top", "right"]].set_visible(False)
        axes[0, 0].set_yticks(range(len(runs)), runs)
        axes[0, 0].set_ylim(len(runs) - 0.5, -0.5)
    return fig


#: levels (halvings of the size) of the way down and up, those where something crosses, and what
SCHEMES = {
    "U-Net": ((0, 1, 2, 3, 4), (3, 2, 1, 0), (0, 1, 2, 3), "all feature maps"),
    "Attention U-Net": ((0, 1, 2, 3, 4), (3, 2, 1, 0), (0, 1, 2, 3), "feature maps, weighted"),
    "SegNet": ((0, 1, 2, 3, 4, 5), (4, 3, 2, 1, 0), (0, 1, 2, 3, 4), "places of the maxima"),
    "FCN-8s": ((0, 1, 2, 3, 4, 5), (4, 3, 0), (3, 4), "class scores, added"),
    "DeepLabV3+": ((0, 1, 2, 3, 4, 4), (2, 0), (2,), "one map, narrowed"),
}


def show_schemes(panel=1.95):
    """Five networks as ways down and up again: a square is a map, a dashed line what crosses from one way to the other.

    Squares stand lower the smaller the map; the last, in another color, is the output.
    """
    with figure(1, len(SCHEMES), panel=panel, height=2.5) as (fig, axes):
        for ax, (name, (down, up, crossing, what)) in zip(axes.flat, SCHEMES.items(), strict=True):
            # the ways lean apart, so that the output of each network stands above its input
            places = [(0.42 * i, -level) for i, level in enumerate(down)]
            turn = places[-1][0]
            places += [(turn + 0.42 * (i + 1), -level) for i, level in enumerate(up)]
            for start, end in pairwise(places):
                ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "#666666", "shrinkA": 5})
            for level in crossing:
                left = max(x for x, y in places[: len(down)] if y == -level)
                right = max(x for x, y in places[len(down) :] if y == -level)
                ax.plot([left, right], [-level] * 2, color="#D55E00", linestyle="--", linewidth=1.6, zorder=1)
                if name == "Attention U-Net" and level:
                    ax.plot((left + right) / 2, -level, "o", color="white", markeredgecolor="#D55E00", zorder=3)
            for i, (x, y) in enumerate(places):
                color = "#CFE3F1" if i < len(down) else "#CDEBDD" if i < len(places) - 1 else "#F3DCE9"
                look = {"markerfacecolor": color, "markeredgecolor": "black", "zorder": 4}
                ax.plot(x, y, "s", markersize=12 * 0.84**-y, **look)
            ax.set_title(name, fontsize=10)
            ax.text(places[-1][0] / 2, -5.6, what, ha="center", va="top", fontsize=8, color="#B34E00")
            ax.set(xlim=(places[-1][0] / 2 - 2.4, places[-1][0] / 2 + 2.4), ylim=(-6.3, 0.6))
            ax.set_yticks([0, -2, -4], ["1", "1/4", "1/16"] if ax is axes[0, 0] else [], fontsize=8)
            ax.set_xticks([])
            ax.spines[:].set_visible(False)
            ax.tick_params(length=0)
        axes[0, 0].set_ylabel("side of the map", fontsize=8)
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


def draw_bland_altman(ax, measured, reference, unit="ml", title=None):
    """Differences of paired measurements over their means, with bias (solid) and limits of agreement (dashed).

    Parameters
    ----------
    measured, reference : ``(N,)`` float
        One pair per patient; see :func:`unet_helpers.patches.limits_of_agreement`.
    unit : str
    """
    from .patches import limits_of_agreement

    measured, reference = np.asarray(measured, dtype=float), np.asarray(reference, dtype=float)
    found = limits_of_agreement(measured, reference)
    ax.axhline(0, color="#999999", linewidth=1)
    dots = {"color": "#0072B2", "edgecolor": "black", "linewidth": 0.4, "s": 18}
    ax.scatter((measured + reference) / 2, measured - reference, **dots)
    for value, style in ((found.bias, "-"), (found.low, "--"), (found.high, "--")):
        ax.axhline(value, color="#D55E00", linestyle=style, linewidth=1.2)
    ax.set_xlabel(f"mean of both ({unit})")
    ax.set_title(title or "", fontsize=10)
    ax.spines[["top", "right"]].set_visible(False)


def color_objects(labels):
    """A color 1 to 5 for each object of a label image ``(H, W)``, neighbors in different ones, as a mask to draw."""
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

    Parameters
    ----------
    image : ``(H, W)``
    truth : ``(H, W)`` label image
    predictions : dict of str to label image
        One panel each, with the counts below its name.
    """
    from .instances import match_instances

    with figure(1, len(predictions), panel=panel, height=panel + 0.45) as (fig, axes):
        for ax, (name, found) in zip(axes.flat, predictions.items(), strict=True):
            matches = match_instances(truth, found)
            draw_image(ax, image, title=f"{name}\n{len(matches.pairs)} found, {matches.missed} missed")
            left, right = (set(np.unique(labels).tolist()) - {0} for labels in (truth, found))
            kinds = (
                (right & set(matches.pairs[:, 1])),
                (right - set(matches.pairs[:, 1])),
                left - set(matches.pairs[:, 0]),
            )
            for color, labels, numbers, fill in zip(
                ERROR_COLORS.values(), (found, found, truth), kinds, (0.3, 0.3, 0), strict=True
            ):
                overlay = np.zeros((*labels.shape, 4))
                overlay[np.isin(labels, list(numbers))] = (*to_rgb(color), fill)
                ax.imshow(overlay, interpolation="nearest")
                for number in numbers:
                    ax.contour(labels == number, levels=[0.5], colors=[color], linewidths=0.9)
        names = ("predicted, with a partner", "predicted, without", "missed")
        handles = [Patch(color=color, label=name) for color, name in zip(ERROR_COLORS.values(), names, strict=True)]
        fig.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
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


def show_effects(rows, marked=(), xlabel="difference in Dice, on an axis stretched around 0", width=7.2):
    """Measured effects, one row each, largest loss first: a dot per seed, and the mean with its interval.

    A row whose interval includes 0 is drawn hollow.

    Parameters
    ----------
    rows : dict of str to dict
        ``effect``, ``effect_low``, ``effect_high`` and the list ``effect_seeds``.
    marked : sequence of str
        Rows drawn in orange, below the others.
    xlabel : str
    width : float
        Inches.
    """
    order = sorted(rows, key=lambda name: (name in marked, rows[name]["effect"]))
    with figure(width=width, height=0.3 * len(order) + 0.9) as (fig, axes):
        ax = axes[0, 0]
        ax.axvline(0, color="#999999", linewidth=1)
        for y, name in enumerate(order):
            row, color = rows[name], "#E69F00" if name in marked else "#56B4E9"
            seeds = row["effect_seeds"]
            ax.scatter(seeds, np.full(len(seeds), y + 0.22), color=color, edgecolor="black", linewidth=0.4, s=14)
            ax.plot([row["effect_low"], row["effect_high"]], [y - 0.1] * 2, color="black", linewidth=2)
            fill = "white" if row["effect_low"] <= 0 <= row["effect_high"] else "black"
            look = {"markerfacecolor": fill, "markeredgecolor": "black", "markersize": 6, "clip_on": False}
            ax.plot(row["effect"], y - 0.1, "D", **look)
        ax.set_xscale("symlog", linthresh=0.01, linscale=0.6)
        ticks = (-1, -0.1, -0.01, 0, 0.01, 0.1, 1)
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
        ax.set(xlabel=xlabel, xlim=(-1.3, 1))
        ax.set_yticks(range(len(order)), order)
        ax.invert_yaxis()
        ax.spines[["top", "right"]].set_visible(False)
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


WORKER_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def show_data_parallel(images, workers=2, width=9.2):
    """One step on several workers: each has a part of the batch and a copy of the network; gradients are averaged.

    Parameters
    ----------
    images : ``(N, H, W, 1)``
        The batch; N a multiple of ``workers``.
    workers : int
    width : float
        Inches.
    """
    share = len(images) // workers
    with figure(width=width, height=0.16 * width * workers) as (fig, axes):
        ax = axes[0, 0]
        ax.set(xlim=(0, share + 6.6), ylim=(-1.35 * workers + 0.25, 0.3))
        ax.set_axis_off()
        middle = -1.35 * (workers - 1) / 2 - 0.5
        arrow = {"arrowstyle": "-|>", "linewidth": 1.5, "mutation_scale": 11, "shrinkA": 0, "shrinkB": 0}

        def box(x, y, text, color, wide=1.35):
            ax.add_patch(Rectangle((x, y - 0.36), wide, 0.72, facecolor="white", edgecolor=color, linewidth=1.6))
            ax.text(x + wide / 2, y, text, ha="center", va="center", fontsize=8.5)

        for worker in range(workers):
            color, top = WORKER_COLORS[worker % len(WORKER_COLORS)], -1.35 * worker
            y = top - 0.5
            for k, image in enumerate(images[worker * share : (worker + 1) * share]):
                ax.imshow(np.squeeze(image), cmap="gray", vmin=0, vmax=1, extent=(k + 0.04, k + 0.96, top - 0.96, top))
            ax.add_patch(Rectangle((0, top - 1), share, 1.04, fill=False, edgecolor=color, linewidth=2))
            ax.text(0, top + 0.1, f"worker {worker}", color=color, fontsize=9)
            ax.annotate("", (share + 0.5, y), (share + 0.08, y), arrowprops={**arrow, "color": color})
            box(share + 0.55, y, "copy of\nthe network", color)
            ax.annotate("", (share + 2.35, y), (share + 1.95, y), arrowprops={**arrow, "color": color})
            box(share + 2.4, y, "gradient of\nits part", color)
            target = (share + 4.35, middle + 0.15 * np.sign(y - middle))
            ax.annotate("", target, (share + 3.8, y), arrowprops={**arrow, "color": color})
        box(share + 4.4, middle, "mean", "black", wide=0.85)
        ax.annotate("", (share + 5.65, middle), (share + 5.3, middle), arrowprops={**arrow, "color": "black"})
        ax.text(share + 5.72, middle, "same step\nin every\ncopy", va="center", fontsize=8.5)
        ax.set_aspect("equal")
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
