"""Figures of the atlas: they show the numbers that they are given."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from unet_helpers.plotting import errors

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    plt.close("all")
    yield
    assert plt.get_fignums() == []


def test_the_sorting_shows_counts_and_frames_the_right_names():
    rows = {"hole": [8, 0, 2], "other": [1, 3, 0]}
    fig = errors.show_sorting(rows, ["hole", "split", "merged"], {"other": ("split", "merged")})
    fig.canvas.draw()
    (ax,) = fig.axes
    assert [text.get_text() for text in ax.texts] == ["8", "2", "1", "3"]
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.8, 0, 0.2], [0.25, 0.75, 0]])
    frames = sorted(p.get_xy() for p in ax.patches if isinstance(p, Rectangle))
    assert frames == [(-0.5, -0.5), (0.5, 0.5), (1.5, 0.5)]


def test_with_and_without_stand_in_one_row_and_intervals_end_at_0_and_1():
    row = {"name": "thin", "dice": 0.8, "dice_low": 0.7, "dice_high": 1.2}
    row |= {"without": 0.9, "without_low": 0.85, "without_high": 0.95}
    fig = errors.show_with_and_without([row, row | {"name": "obese"}], "Dice")
    fig.canvas.draw()
    (ax,) = fig.axes
    assert [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 1] == [0.9, 0.8] * 2
    assert max(max(line.get_xdata()) for line in ax.lines) == 1
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["without it", "with it"]


def test_a_range_of_few_patients_is_dotted_and_an_interval_is_not():
    row = {"name": "thin", "dice": 0.8, "dice_low": 0.7, "dice_high": 0.9, "ends": "interval"}
    row |= {"without": 0.9, "without_low": 0.85, "without_high": 0.95}
    fig = errors.show_with_and_without([row, row | {"name": "movement", "ends": "range"}], "Dice")
    lines = [line for line in fig.axes[0].lines if list(line.get_xdata()) == [0.7, 0.9]]
    assert [line.get_linestyle() for line in lines] == ["-", ":"]


def test_bands_have_a_panel_each_and_a_band_where_there_is_an_interval():
    y = np.array([0.9, 0.8, 0.5])
    panels = {
        "noise": ([0, 50, 400], "HU", {"lung": (y, y - 0.1, y + 0.1), "nodule": (y / 2,)}),
        "risk": (np.linspace(0.1, 1, 10), "coverage", {"ordered": (np.linspace(0, 1, 10),)}),
    }
    fig = errors.show_bands(panels, "Dice", columns=2)
    fig.canvas.draw()
    noise, risk = fig.axes
    assert [text.get_text() for text in noise.get_xticklabels()] == ["0", "50", "400"]
    assert len(noise.collections) == 1
    assert not risk.collections
    np.testing.assert_array_equal(noise.lines[1].get_ydata(), y / 2)
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["lung", "nodule"]
