"""Figures of networks: the U, its maps and numbers, and how workers share the work."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from .canvas import draw_image, figure


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


#: colors of the operations in a drawing of the U-Net
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


#: of the workers by index
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
