"""Widgets that move without a kernel: pictures made beforehand, and sliders that choose among them.

``interact`` needs a running kernel and shows nothing on a page. Here every picture is in the page, and
slider and stack are joined in the browser (``jslink``), so that a reader of the book can move it too.
"""

import io

import ipywidgets
import numpy as np


class Explorer(ipywidgets.VBox):
    """Slider(s) above a picture. Its text form says what it shows, without the pixels."""

    def __init__(self, children, description, frames):
        super().__init__(children)
        self.description, self.frames = description, frames

    def __repr__(self):
        return f"Explorer({self.description!r}, {self.frames} pictures)"


def explore(frames, labels, description, start=0, width=384):
    """One slider over pictures.

    Parameters
    ----------
    frames : sequence
        ``(H, W)`` float in 0–1, ``(H, W, 3)`` uint8, or matplotlib figures.
    labels : sequence of str
        What stands beside the slider for each picture.
    description : str
        What the slider changes, e.g. ``"threshold"``.
    start : int
        Which picture comes first.
    width : int
        Width on the page, CSS pixels.

    Returns
    -------
    Explorer
    """
    if len(frames) != len(labels):
        raise ValueError(f"{len(frames)} frames but {len(labels)} labels; give one label for each")
    stack = ipywidgets.Stack([_picture(frame, width) for frame in frames], selected_index=start)
    slider, names = _slider(labels, description, start)
    ipywidgets.jslink((slider, "value"), (stack, "selected_index"))
    return Explorer([ipywidgets.HBox([slider, names]), stack], description, len(frames))


def explore_two(frames, labels, descriptions, start=(0, 0), width=384):
    """Two sliders over a grid of pictures: ``frames[i][j]``, ``labels = (names of i, names of j)``."""
    inner = []
    for row in frames:
        inner.append(ipywidgets.Stack([_picture(frame, width) for frame in row], selected_index=start[1]))
    outer = ipywidgets.Stack(inner, selected_index=start[0])
    controls = [_slider(names, text, at) for names, text, at in zip(labels, descriptions, start, strict=True)]
    ipywidgets.jslink((controls[0][0], "value"), (outer, "selected_index"))
    for stack in inner:
        ipywidgets.jslink((controls[1][0], "value"), (stack, "selected_index"))
    boxes = [ipywidgets.HBox(control) for control in controls]
    return Explorer([*boxes, outer], " and ".join(descriptions), sum(len(row) for row in frames))


def _slider(labels, description, start):
    slider = ipywidgets.IntSlider(
        value=start,
        min=0,
        max=len(labels) - 1,
        description=description,
        readout=False,
        style={"description_width": "initial"},
    )
    names = ipywidgets.Stack([ipywidgets.Label(str(label)) for label in labels], selected_index=start)
    ipywidgets.jslink((slider, "value"), (names, "selected_index"))
    return slider, names


def _picture(frame, width):
    from PIL import Image

    buffer = io.BytesIO()
    if hasattr(frame, "savefig"):
        frame.savefig(buffer, format="png", dpi=80)
    else:
        frame = np.asarray(frame)
        if frame.dtype != np.uint8:
            frame = (np.clip(frame, 0, 1) * 255).round().astype(np.uint8)
        Image.fromarray(frame.squeeze()).save(buffer, format="PNG", optimize=True)
    return ipywidgets.Image(value=buffer.getvalue(), format="png", width=width)
