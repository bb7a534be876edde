"""Figures of networks: the U, its maps and numbers, and how workers share the work."""

from itertools import pairwise

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from .canvas import draw_image, draw_numbers, figure, legend_below, panels
from .colors import BLUE, GREEN, PURPLE, SKY_BLUE, VERMILLION

# of maps on the way down, on the way up, and of the output
_DOWN, _UP, _OUTPUT = "#CFE3F1", "#CDEBDD", "#F3DCE9"


def show_numbers(arrays, titles, panel=2.0, shades=None):
    """Small arrays ``(H, W)`` as grids of gray squares with their numbers written in, side by side.

    ``shades`` are arrays of the same shapes that give the gray, on one scale for all; else each number gives its own.
    """
    with figure(1, len(arrays), panel=panel) as (fig, axes):
        for k, (ax, array, title) in enumerate(zip(axes.flat, arrays, titles, strict=True)):
            array = np.asarray(array)
            gray = array if shades is None else np.asarray(shades[k])
            low, high = (array.min(), array.max()) if shades is None else (np.min(shades), np.max(shades))
            draw_numbers(ax, array, gray, gray <= (low + high) / 2, "{:.0f}", cmap="gray", vmin=low, vmax=high)
            ax.set_xticks(np.arange(-0.5, array.shape[1]), [])
            ax.set_yticks(np.arange(-0.5, array.shape[0]), [])
            ax.grid(color=SKY_BLUE, linewidth=0.8)
            ax.tick_params(length=0)
            ax.set_title(title, fontsize=9)
    return fig


def show_maps(maps, titles=None, columns=4, panel=1.8):
    """Feature maps, each ``(H, W)``, side by side, each from its own darkest to its brightest value. Used in 03."""
    with panels(len(maps), columns, panel) as (fig, axes):
        for i, (ax, feature) in enumerate(zip(axes, maps, strict=True)):
            draw_image(ax, feature, limits=(feature.min(), feature.max()), title=titles[i] if titles else None)
    return fig


def draw_box(ax, rows, columns, color, label=None):
    """Draw an outline from ``rows[0]`` to ``rows[1]``, ``columns`` alike, both ends included. Used in 03."""
    corner = (columns[0] - 0.5, rows[0] - 0.5)
    size = (columns[1] - columns[0] + 1, rows[1] - rows[0] + 1)
    ax.add_patch(Rectangle(corner, *size, fill=False, edgecolor=color, linewidth=1.6, label=label))


#: color and line of the operations in a drawing of the U-Net
UNET_ARROWS = {
    "two 3×3 convolutions": (BLUE, "-"),
    "2×2 max-pooling": (VERMILLION, "-"),
    "2×2 transposed convolution": (GREEN, "-"),
    "skip connection": ("#666666", "--"),
    "1×1 convolution, softmax": (PURPLE, "-"),
}


def show_unet(model, image=None, mask=None):
    """The U of a :func:`unet_helpers.UNet`, drawn from the shapes of its layers. Used in 03.

    A box is a stack of feature maps: its height goes with the square root of the maps' size, its
    width with the square root of their number, which stands above it.

    Parameters
    ----------
    model : keras.Model
        Built by ``UNet`` for a fixed input size.
    image, mask : ``(H, W)`` or ``(H, W, 1)``, optional
        Drawn where the network begins and where it ends.
    """
    shapes = {layer.name: layer.output.shape[1:] for layer in model.layers}
    depth = sum(name.startswith("pool") for name in shapes)
    blocks = [*(f"down{level + 1}" for level in range(depth)), "bottleneck"]
    heights = [1.5 * (shapes[f"{block}_relu2"][0] / shapes["image"][0]) ** 0.5 for block in blocks]
    turn = depth + (0.95 if depth > 1 else 1.2)  # where the bottleneck stands
    with figure(width=9.6, height=0.53 * 9.6) as (fig, axes):
        pen = _Pen(axes[0, 0], heights)
        if image is None:
            _, start = pen.box(-0.5, 0, shapes["image"][-1], "#EEEEEE")
            begin = start - 0.3
        else:
            begin, start = -1.0 - heights[0], -1.0
            pen.picture(image, begin, vmax=1)
        edges = _draw_way_down(pen, shapes, blocks, start, turn)
        right, last = _draw_way_up(pen, shapes, edges, turn)
        left, _ = pen.box(right + 0.75, 0, shapes["probabilities"][-1], _OUTPUT)
        pen.arrow((last, pen.center(0)), (left, pen.center(0)), "1×1 convolution, softmax")
        end = right + 1.0
        if mask is not None:
            pen.picture(mask, end, vmax=max(1, np.max(mask)))
            end += heights[0]
        pen.ax.set(xlim=(begin - 0.1, end + 0.1), ylim=(pen.bottom(depth) - 0.1, 0.35), aspect="equal")
        pen.ax.set_axis_off()
        handles = [
            Line2D([], [], color=c, linestyle=s, linewidth=2, label=name) for name, (c, s) in UNET_ARROWS.items()
        ]
        legend_below(fig, handles, columns=3)
    return fig


class _Pen:
    """Draws boxes and arrows of a U, each at the height of its level."""

    def __init__(self, ax, heights):
        self.ax, self.heights = ax, heights
        self.tops = -np.cumsum([0, *(height + 0.42 for height in heights)])

    def bottom(self, level):
        return self.tops[level] - self.heights[level]

    def center(self, level):
        return self.tops[level] - self.heights[level] / 2

    def number(self, x, level, text):
        self.ax.text(x, self.tops[level] + 0.03, text, ha="center", va="bottom", fontsize=8)

    def box(self, x, level, channels, color=_DOWN, shift=0.0, label=True):
        """One stack of maps, centered at x + shift; returns its left and right edge."""
        size = 0.026 * channels**0.5
        left, look = x - size / 2 + shift, {"facecolor": color, "edgecolor": "black", "linewidth": 0.8}
        self.ax.add_patch(Rectangle((left, self.bottom(level)), size, self.heights[level], **look))
        if label:
            self.number(left + size / 2, level, str(channels))
        return left, left + size

    def arrow(self, start, end, kind):
        color, style = UNET_ARROWS[kind]
        look = {"color": color, "linestyle": style, "linewidth": 1.6, "mutation_scale": 11, "shrinkA": 0, "shrinkB": 0}
        self.ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", **look})

    def picture(self, array, left, vmax):
        place = (left, left + self.heights[0], self.bottom(0), self.tops[0])
        self.ax.imshow(np.squeeze(array), extent=place, cmap="gray", vmin=0, vmax=vmax)


def _draw_way_down(pen, shapes, blocks, start, turn):
    """Draw the blocks down to the bottleneck; returns the right edge of each."""
    edges = []
    for level, block in enumerate(blocks):
        height, width, channels = shapes[f"{block}_relu2"]
        middle, beside = pen.center(level), {"rotation": 90, "ha": "right", "fontsize": 8}
        if level:
            x = level - 0.5
            left, start = pen.box(x, level, shapes[f"pool{level}"][-1], "#FBE3D3")
            pen.arrow((x, pen.bottom(level - 1)), (x, pen.tops[level] + 0.2), "2×2 max-pooling")
            pen.ax.text(left - 0.06, middle, f"{height}×{width}", va="center", **beside)
        else:
            pen.ax.text(0.26, pen.bottom(0) - 0.1, f"{height}×{width}", va="bottom", **beside)
        left, edge = pen.box(turn if block == "bottleneck" else level + 0.5, level, channels)
        pen.arrow((start, middle), (left, middle), "two 3×3 convolutions")
        edges.append(edge)
    return edges


def _draw_way_up(pen, shapes, edges, x):
    """Draw the blocks up from the bottleneck at x, with what skips to them; returns x and right edge of the last."""
    for level in reversed(range(len(edges) - 1)):
        up, middle = shapes[f"up{level + 1}_upsample"][-1], pen.center(level)
        joined = f"skip{level + 1}" in shapes
        left, end = pen.box(x, level, up, _UP, label=not joined)
        pen.arrow((x, pen.tops[level + 1] + 0.2), (x, pen.bottom(level)), "2×2 transposed convolution")
        if joined:
            skipped = shapes[f"down{level + 1}_relu2"][-1]
            left, _ = pen.box(x, level, skipped, "#DDDDDD", shift=-0.026 * up**0.5, label=False)
            pen.number((left + end) / 2, level, f"{skipped} + {up}")
            pen.arrow((edges[level], middle), (left, middle), "skip connection")
        x += 1.05
        left, last = pen.box(x, level, shapes[f"up{level + 1}_relu2"][-1])
        pen.arrow((end, middle), (left, middle), "two 3×3 convolutions")
    return x, last


#: levels (halvings of the size) of the way down and up, those where something crosses, and what
SCHEMES = {
    "U-Net": ((0, 1, 2, 3, 4), (3, 2, 1, 0), (0, 1, 2, 3), "all feature maps"),
    "Attention U-Net": ((0, 1, 2, 3, 4), (3, 2, 1, 0), (0, 1, 2, 3), "feature maps, weighted"),
    "SegNet": ((0, 1, 2, 3, 4, 5), (4, 3, 2, 1, 0), (0, 1, 2, 3, 4), "places of the maxima"),
    "FCN-8s": ((0, 1, 2, 3, 4, 5), (4, 3, 0), (3, 4), "class scores, added"),
    "DeepLabV3+": ((0, 1, 2, 3, 4, 4), (2, 0), (2,), "one map, narrowed"),
}


def show_schemes():
    """Five networks as ways down and up again: a square is a map, a dashed line what crosses from one way to the other.
    Used in 08.

    Squares stand lower the smaller the map; the last, in another color, is the output.
    """
    with figure(1, len(SCHEMES), panel=1.95, height=2.5) as (fig, axes):
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
                ax.plot([left, right], [-level] * 2, color=VERMILLION, linestyle="--", linewidth=1.6, zorder=1)
                if name == "Attention U-Net" and level:
                    ax.plot((left + right) / 2, -level, "o", color="white", markeredgecolor=VERMILLION, zorder=3)
            for i, (x, y) in enumerate(places):
                color = _DOWN if i < len(down) else _UP if i < len(places) - 1 else _OUTPUT
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
WORKER_COLORS = (BLUE, VERMILLION, GREEN, PURPLE)


def show_data_parallel(images, workers=2):
    """One step on several workers: each has a part of the batch and a copy of the network; gradients are averaged.
    Used in 14.

    Parameters
    ----------
    images : ``(N, H, W, 1)``
        The batch; N a multiple of ``workers``.
    workers : int
    """
    share = len(images) // workers
    with figure(width=9.2, height=0.16 * 9.2 * workers) as (fig, axes):
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
