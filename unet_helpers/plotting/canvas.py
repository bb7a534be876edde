"""Pictures: one function per kind, the same color for the same thing everywhere.

Every function returns a closed matplotlib figure: as the last line of a cell it is shown once, and
no state is left behind. Masks are drawn as contour and translucent fill, so that color is never the only difference.
"""

from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from .colors import CLASS_COLORS, ERROR_COLORS, VERMILLION

# not in `figure`, which notebooks draw into as they like
_CHART = {"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "legend.fontsize": 9}


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


@contextmanager
def panels(count, columns, panel):
    """A :func:`figure` of so many panels, line by line; yields it and a list of them."""
    with figure(-(-count // columns), min(columns, count), panel=panel) as (fig, axes):
        for ax in axes.flat[count:]:
            ax.set_axis_off()
        yield fig, axes.flat[:count]


@contextmanager
def chart(*grid, **options):
    """A :func:`figure` of lines, bars or dots: axes at the left and below only, legends without a frame."""
    with plt.rc_context(_CHART), figure(*grid, **options) as made:
        yield made


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


def draw_mask(ax, mask, fill=0.3):
    """Draw a mask of class indices over an image: translucent fill and a contour per class."""
    mask = np.asarray(mask)
    overlay = np.zeros((*mask.shape, 4))
    for index in np.unique(mask[mask > 0]):
        color = CLASS_COLORS[index % len(CLASS_COLORS)]
        overlay[mask == index] = (*to_rgb(color), fill)
        ax.contour(mask == index, levels=[0.5], colors=[color], linewidths=1.2)
    ax.imshow(overlay, interpolation="nearest", aspect=ax.get_aspect())


def paint_mask(image, mask):
    """Image and mask as one picture, ``(H, W, 3)`` uint8, for widgets: fill inside, full color on the border."""
    from skimage.segmentation import find_boundaries

    gray = np.clip(np.squeeze(image), 0, 1)
    picture = np.repeat(gray[..., np.newaxis], 3, axis=-1)
    for index in np.unique(mask[mask > 0]):
        color = np.array(to_rgb(CLASS_COLORS[index % len(CLASS_COLORS)]))
        area = mask == index
        picture[area] = 0.65 * picture[area] + 0.35 * color
        picture[find_boundaries(area, mode="inner")] = color
    return (picture * 255).round().astype(np.uint8)


def draw_numbers(ax, numbers, shades, dark, form="{}", fontsize=9, **look):
    """Draw a grid of shades with a number in each cell, white where it is ``dark``, none where it is masked."""
    ax.imshow(shades, **look)
    for (row, column), number in np.ma.ndenumerate(np.ma.asarray(numbers)):
        text, ink = form.format(number, shades[row, column]), "white" if dark[row, column] else "black"
        ax.text(column, row, text, color=ink, ha="center", va="center", fontsize=fontsize)


def legend_below(fig, handles, columns=None):
    """One legend below all panels, in one line or in so many columns."""
    look = {"frameon": False, "fontsize": 9}
    fig.legend(handles=handles, loc="outside lower center", ncols=columns or len(handles), **look)


def legend_of_classes(fig, class_names):
    """One legend below the picture for all classes but the background."""
    legend_below(
        fig, [Patch(color=CLASS_COLORS[i % len(CLASS_COLORS)], label=name) for i, name in enumerate(class_names) if i]
    )


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
    with panels(len(images), columns, panel) as (fig, axes):
        for i, ax in enumerate(axes):
            spacing = None if spacings is None else spacings[i]
            draw_image(ax, images[i], spacing, limits, None if titles is None else titles[i])
            if masks is not None and masks[i] is not None:
                draw_mask(ax, masks[i])
        if class_names is not None:
            legend_of_classes(fig, class_names)
    return fig


def show_clicks(images, masks, clicks, titles=None, columns=4, panel=2.4, size=9):
    """Images with masks and with the clicks that led to them: a plus for a positive click, a cross for a negative one.

    Parameters
    ----------
    images : sequence of ``(H, W)``
    masks : sequence of ``(H, W)`` bool
    clicks : sequence of lists of (row, column, positive)
    titles : sequence of str, optional
    columns : int
    size : float, points
        Of a plus or a cross.
    """
    edge = [withStroke(linewidth=3.5, foreground="black")]
    with panels(len(images), columns, panel) as (fig, axes):
        for i, ax in enumerate(axes):
            draw_image(ax, images[i], title=None if titles is None else titles[i])
            draw_mask(ax, np.asarray(masks[i], int))
            for row, column, positive in clicks[i]:
                look = {"marker": "+", "color": "white"} if positive else {"marker": "x", "color": VERMILLION}
                ax.plot(column, row, markersize=size, markeredgewidth=1.8, path_effects=edge, **look)
    return fig


def show_predictions(images, masks, predictions, class_index=None, titles=None, spacings=None, panel=2.3):
    """One row per slice: image, ground truth, prediction, errors.

    Parameters
    ----------
    images, masks, predictions : ``(N, H, W, C)``, ``(N, H, W)``, ``(N, H, W)``
    class_index : int, optional
        Whose errors are drawn; default all foreground classes together (a wrong class is an error).
    """
    from ..evaluation.overlap import error_map

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
        legend_below(fig, [Patch(color=color, label=name) for name, color in ERROR_COLORS.items()])
    return fig


def draw_errors(ax, errors, fill=0.6):
    """Draw an error map of :func:`unet_helpers.evaluation.error_map` over an image."""
    overlay = np.zeros((*errors.shape, 4))
    for value, color in enumerate(ERROR_COLORS.values(), start=1):
        overlay[errors == value] = (*to_rgb(color), fill if value > 1 else fill / 2)
    ax.imshow(overlay, interpolation="nearest", aspect=ax.get_aspect())
