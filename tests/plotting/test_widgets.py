import io

import ipywidgets
import numpy as np
import pytest
from PIL import Image

from unet_helpers.plotting import figure
from unet_helpers.plotting.widgets import explore, explore_two

FRAMES = [np.full((4, 6), value) for value in (0.0, 0.5, 1.0)]


def links():
    """All (source, target) that are joined in the browser, without a kernel."""
    found = []
    for widget in ipywidgets.Widget.get_manager_state()["state"].values():
        if widget["model_name"] == "LinkModel":
            found.append((widget["state"]["source"], widget["state"]["target"]))
    return found


def of_kind(widget, kind):
    found = [widget] if isinstance(widget, kind) else []
    return found + [inner for child in getattr(widget, "children", ()) for inner in of_kind(child, kind)]


def driven_by(slider, explorer):
    """The widgets below the explorer whose selected_index follows the slider."""
    name = f"IPY_MODEL_{slider.model_id}"
    targets = {stack for source, (stack, trait) in links() if source == [name, "value"] and trait == "selected_index"}
    return [stack for stack in of_kind(explorer, ipywidgets.Stack) if f"IPY_MODEL_{stack.model_id}" in targets]


def test_its_text_is_short_and_holds_no_address_and_no_pixels():
    assert repr(explore(FRAMES, "abc", "threshold")) == "Explorer('threshold', 3 pictures)"


def test_the_slider_drives_picture_and_label_in_the_browser():
    explorer = explore(FRAMES, ["0.0", "0.5", "1.0"], "threshold", start=1)
    (slider,) = of_kind(explorer, ipywidgets.IntSlider)
    assert (slider.min, slider.max, slider.value) == (0, 2, 1)
    stacks = driven_by(slider, explorer)
    assert [type(stack.children[0]) for stack in stacks] == [ipywidgets.Label, ipywidgets.Image]
    assert [len(stack.children) for stack in stacks] == [3, 3]
    assert [stack.selected_index for stack in stacks] == [1, 1]
    assert [label.value for label in stacks[0].children] == ["0.0", "0.5", "1.0"]


def test_each_picture_is_a_png_of_its_frame():
    explorer = explore(FRAMES, "abc", "x", width=100)
    pictures = of_kind(explorer, ipywidgets.Image)
    for picture, gray in zip(pictures, (0, 128, 255), strict=True):
        with Image.open(io.BytesIO(picture.value)) as image:
            assert (image.format, image.size) == ("PNG", (6, 4))
            assert np.unique(image).tolist() == [gray]
        assert picture.width == "100"


def test_color_frames_and_figures_are_pictures_too():
    with figure() as (fig, _):
        pass
    pictures = of_kind(explore([np.full((4, 6, 3), 7, np.uint8), fig], "ab", "x"), ipywidgets.Image)
    with Image.open(io.BytesIO(pictures[0].value)) as image:
        assert image.getpixel((0, 0)) == (7, 7, 7)
    with Image.open(io.BytesIO(pictures[1].value)) as image:
        assert image.size[0] > 100


def test_two_sliders_choose_row_and_column_of_a_grid():
    explorer = explore_two([FRAMES, FRAMES[::-1]], (["a", "b"], ["1", "2", "3"]), ("level", "width"), start=(1, 2))
    first, second = of_kind(explorer, ipywidgets.IntSlider)
    assert (first.max, second.max) == (1, 2)
    outer = [stack for stack in driven_by(first, explorer) if isinstance(stack.children[0], ipywidgets.Stack)]
    assert len(outer) == 1
    inner = [stack for stack in driven_by(second, explorer) if isinstance(stack.children[0], ipywidgets.Image)]
    assert inner == list(outer[0].children)
    assert outer[0].selected_index == 1
    assert {stack.selected_index for stack in inner} == {2}
    assert repr(explorer) == "Explorer('level and width', 6 pictures)"


def test_labels_must_match_the_frames():
    with pytest.raises(ValueError, match="3 frames but 2 labels"):
        explore(FRAMES, "ab", "x")
