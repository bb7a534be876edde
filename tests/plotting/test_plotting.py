import inspect
import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from unet_helpers import plotting
from unet_helpers.evaluation import Evaluation, error_map
from unet_helpers.training import History

matplotlib.use("agg")
random = np.random.default_rng(0)
IMAGES = random.random((3, 12, 16, 1))
MASKS = np.zeros((3, 12, 16), np.uint8)
MASKS[:, 3:7, 4:9] = 1
MASKS[:, 4:5, 5:6] = 2
FULL, EMPTY = np.ones((12, 16), np.uint8), np.zeros((12, 16), np.uint8)
HISTORY = History({"loss": [1.0, 0.5], "val_loss": [1.1, 0.7], "dice": [0.2, 0.6], "val_dice": [0.1, 0.5]}, [1, 1], 2)


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    plt.close("all")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning would stand in a notebook's output
        yield
    assert plt.get_fignums() == []


def panels(fig):
    return [ax for ax in fig.axes if ax.images or ax.lines]


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: plotting.show_images(IMAGES), 3),
        (lambda: plotting.show_images(IMAGES, columns=2), 3),
        (lambda: plotting.show_images(IMAGES, list("abc"), MASKS, ("bg", "lung", "nodule"), [(1, 2)] * 3), 3),
        (lambda: plotting.show_images(IMAGES[:2], masks=[FULL, EMPTY]), 2),
        (lambda: plotting.show_images(IMAGES[:1], masks=[None]), 1),
        (lambda: plotting.show_images(random.random((2, 8, 8, 3))), 2),
        (lambda: plotting.show_predictions(IMAGES, MASKS, MASKS[::-1]), 12),
        (lambda: plotting.show_predictions(IMAGES[:1], FULL[None], EMPTY[None], 1, ["x"], [(0.7, 0.7)]), 4),
        (lambda: plotting.show_curves(HISTORY), 2),
    ],
)
def test_a_figure_has_its_panels_draws_without_a_warning_and_is_closed(make, shown):
    fig = make()
    fig.canvas.draw()
    assert len(panels(fig)) == shown


def test_a_figure_is_closed_even_when_drawing_fails():
    with pytest.raises(RuntimeError), plotting.figure():
        raise RuntimeError


def test_images_are_drawn_in_their_real_aspect_with_a_bar_of_50_mm():
    fig = plotting.show_images(IMAGES[:1], spacings=[(10.0, 5.0)])
    (ax,) = fig.axes
    assert ax.get_aspect() == 2
    (bar,) = ax.lines
    assert np.ptp(bar.get_xdata()) == 50 / 5
    assert [text.get_text() for text in ax.texts] == ["50 mm"]
    assert not plotting.show_images(IMAGES[:1]).axes[0].lines  # spacing unknown: no bar
    assert not plotting.show_images(IMAGES[:1], spacings=[(np.nan, np.nan)]).axes[0].lines


def test_gray_limits_are_the_same_for_all_images():
    fig = plotting.show_images([IMAGES[0], IMAGES[1] * 0.5], limits=(0, 2))
    assert {ax.images[0].get_clim() for ax in fig.axes} == {(0, 2)}


def test_a_mask_is_drawn_as_fill_and_contour_in_the_color_of_its_class():
    ax = plotting.show_images(IMAGES[:1], masks=MASKS[:1]).axes[0]
    overlay = ax.images[1].get_array()
    assert overlay[0, 0, 3] == 0
    assert tuple(overlay[3, 4]) == pytest.approx(to_rgba(plotting.CLASS_COLORS[1], 0.3))
    assert tuple(overlay[4, 5]) == pytest.approx(to_rgba(plotting.CLASS_COLORS[2], 0.3))
    assert len(ax.collections) == 2  # one contour per class


def test_a_click_is_a_plus_where_the_thing_is_and_a_cross_where_it_is_not():
    fig = plotting.show_clicks(IMAGES[:2], [FULL > 0, EMPTY > 0], [[(1, 2, True), (3, 4, False)], []])
    first, second = panels(fig)
    assert [(line.get_marker(), *line.get_xydata()[0]) for line in first.lines] == [("+", 2, 1), ("x", 4, 3)]
    assert not second.lines


def test_the_legend_names_the_classes_but_not_the_background():
    fig = plotting.show_images(IMAGES[:1], masks=MASKS[:1], class_names=("background", "lung", "nodule"))
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["lung", "nodule"]


def test_the_error_panel_shows_each_kind_of_error_in_its_color():
    fig = plotting.show_predictions(IMAGES[:1], FULL[None], MASKS[:1], class_index=1)
    overlay = fig.axes[3].images[-1].get_array()
    errors = error_map(FULL, MASKS[0] == 1)
    for value, color in enumerate(plotting.ERROR_COLORS.values(), start=1):
        if (errors == value).any():
            assert np.allclose(overlay[errors == value][:, :3], to_rgba(color)[:3])
    assert (overlay[errors == 0][:, 3] == 0).all()


def test_a_wrong_class_is_drawn_as_an_error():
    fig = plotting.show_predictions(IMAGES[:1], FULL[None], FULL[None] * 2)
    overlay = fig.axes[3].images[-1].get_array()
    assert np.allclose(overlay[0, 0, :3], to_rgba(plotting.ERROR_COLORS["false positive"])[:3])


def test_curves_carry_both_subsets_and_the_best_epoch():
    fig = plotting.show_curves(HISTORY)
    assert [ax.get_title() for ax in fig.axes] == ["loss", "dice"]
    training, validation, best = fig.axes[0].lines
    assert training.get_ydata().tolist() == [1.0, 0.5]
    assert validation.get_ydata().tolist() == [1.1, 0.7]
    assert best.get_xdata()[0] == 2


def test_every_case_with_a_score_is_a_dot():
    rows = {"case": list("abcd"), "patient": list("AABB"), "class": "lung", "iou": [0.5, 0.9, 0.0, np.nan]}
    fig = plotting.show_cases(Evaluation(pd.DataFrame(rows), "slice"), "iou")
    (ax,) = fig.axes
    assert ax.get_ylabel() == "IoU"
    assert sorted(ax.collections[0].get_offsets()[:, 1]) == [0.0, 0.5, 0.9]
    assert ax.get_title() == "each dot a slice; mean and range"  # two patients are too few for an interval
    assert list(ax.lines[0].get_ydata()) == [0, 0.9]


def test_a_difference_whose_interval_includes_0_is_drawn_hollow():
    falls, still = [-0.3, -0.2, -0.25, -0.28, -0.22, -0.24], [-0.1, 0.1, np.nan, 0.02, -0.03, 0.05]
    few = [-0.3, -0.31, -0.29, -0.3, np.nan, np.nan]  # four patients: no interval, and so no verdict
    table = pd.DataFrame({"falls": falls, "hardly moves": still, "few": few})
    fig = plotting.show_differences({"lung": table}, "difference in Dice")
    diamonds = [line for line in fig.axes[0].lines if line.get_marker() == "D"]
    assert [line.get_markerfacecolor() for line in diamonds] == ["black", "white", "white"]
    assert [len(dots.get_offsets()) for dots in fig.axes[0].collections] == [6, 5, 4]
    assert [text.get_text() for text in fig.axes[0].texts] == ["5 of 6", "4 of 6"]


def test_every_kind_of_figure_says_what_it_shows():
    for name, function in inspect.getmembers(plotting, inspect.isfunction):
        if name.startswith("show_"):
            assert inspect.getdoc(function), name


def test_a_bland_altman_plot_holds_a_dot_per_patient_bias_and_limits():
    with plotting.figure() as (_, axes):
        plotting.draw_bland_altman(axes[0, 0], [2, 1, 6], [1, 2, 3], title="lung")
    lines = [line.get_ydata()[0] for line in axes[0, 0].lines]
    np.testing.assert_allclose(lines, [0, 1, 1 - 3.92, 1 + 3.92])
    np.testing.assert_allclose(axes[0, 0].collections[0].get_offsets(), [[1.5, 1], [1.5, -1], [4.5, 3]])
    assert axes[0, 0].get_title() == "lung"


def test_all_colors_are_okabe_and_itos_and_no_two_classes_share_one():
    palette = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    used = {*plotting.CLASS_COLORS, *plotting.ERROR_COLORS.values(), plotting.TRUTH_COLOR, plotting.PREDICTION_COLOR}
    assert used <= palette
    assert len(set(plotting.CLASS_COLORS)) == len(plotting.CLASS_COLORS)
    assert len(set(plotting.ERROR_COLORS.values())) == 3


def test_pulls_are_red_where_the_loss_wants_more_and_the_title_gives_the_share_of_the_object():
    pull = np.where(MASKS[0] > 0, 3.0, -0.25)
    fig = plotting.show_pulls(IMAGES[0], MASKS[0] > 0, random.random((12, 16)), {"a": pull, "b": -pull})
    drawn = panels(fig)
    assert [ax.get_title() for ax in drawn[:2]] == ["slice and nodule", "probability of nodule"]
    share = 3 * (MASKS[0] > 0).sum() / np.abs(pull).sum()
    assert drawn[2].get_title() == f"a\nnodule: {share:.0%} of the pull"
    shown = drawn[2].images[0]
    assert shown.get_clim() == (-(3**0.5), 3**0.5)
    red, _, blue, _ = shown.cmap(shown.norm(1.0))
    assert red > blue


def test_a_painted_pull_holds_belief_and_pull_at_the_common_scale():
    truth = (MASKS[0] > 0).astype(int)
    picture = plotting.paint_pull(np.full((12, 16), 0.5), truth.astype(float), truth, top=1.0, scale=2)
    assert picture.shape == (24, 64, 3)
    assert picture.dtype == np.uint8
    assert (picture[0, 0] == 128).all()  # the belief, gray
    red, _, blue = picture[10, 32 + 12]
    assert red > blue
    assert (picture[0, 63] > 240).all()  # no pull, white


def test_estimates_draw_a_dot_per_repetition_and_one_interval():
    runs = {
        "one": {"dice_seeds": [0.2, 0.4], "dice_low": 0.1, "dice_high": 0.5, "recall_seeds": [0.6, 0.6]},
        "two": {"dice_seeds": [0.6, 0.7], "dice_low": None, "recall_seeds": [None, None]},
    }
    fig = plotting.show_estimates(runs, {"Dice": "dice", "recall": "recall"}, limits=(0, 1))
    assert [ax.get_xlabel() for ax in fig.axes] == ["Dice", "recall"]
    first = fig.axes[0]
    assert [len(dots.get_offsets()) for ax in fig.axes for dots in ax.collections] == [2, 2, 2, 0]
    assert [label.get_text() for label in first.get_yticklabels()] == ["one", "two"]
    assert [list(line.get_xdata()) for line in first.lines if len(line.get_xdata()) == 2] == [[0.1, 0.5]]


def test_a_mean_whose_interval_includes_the_mark_is_hollow():
    rows = {
        name: {"gain_seeds": [0.1, 0.3], "gain_low": low, "gain_high": 0.4} for name, low in (("a", -0.1), ("b", 0.05))
    }
    fig = plotting.show_estimates(rows, {"gain": "gain"}, mark=0)
    diamonds = [line for line in fig.axes[0].lines if line.get_marker() == "D"]
    assert [line.get_markerfacecolor() for line in diamonds] == ["white", "black"]
    assert list(fig.axes[0].lines[0].get_xdata()) == [0, 0]


def test_groups_of_patients_have_a_mean_from_five_patients_on_and_say_how_many_they_are():
    rows = {"a": np.array([0.5, 0.6, 0.7, 0.8, 0.9, np.nan]), "b": np.array([0.1, 0.2, 0.3, 0.4])}
    ax = plotting.show_groups(rows, "Dice", limits=(0.2, 1), mark=0.6).axes[0]
    assert [len(dots.get_offsets()) for dots in ax.collections] == [5, 4]
    assert ax.collections[1].get_offsets()[:, 0].min() == 0.2
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "D"] == [pytest.approx(0.7)]
    assert [text.get_text() for text in ax.texts] == ["5", "4"]


def test_schemes_show_as_many_crossings_as_the_networks_have():
    fig = plotting.show_schemes()
    assert [ax.get_title() for ax in fig.axes] == ["U-Net", "Attention U-Net", "SegNet", "FCN-8s", "DeepLabV3+"]
    crossings = [[line for line in ax.lines if line.get_linestyle() == "--"] for ax in fig.axes]
    assert [len(lines) for lines in crossings] == [4, 4, 5, 2, 1]
    gates = [sum(line.get_marker() == "o" for line in ax.lines) for ax in fig.axes]
    assert gates == [0, 3, 0, 0, 0]


def test_a_tradeoff_fills_those_that_none_beats():
    rows = {
        name: {"dice": dice, "dice_low": dice - 0.1, "dice_high": dice + 0.1, "ms": ms}
        for name, dice, ms in (("cheap", 0.5, 1), ("beaten", 0.4, 2), ("dear", 0.8, 3))
    }
    fig = plotting.show_tradeoffs(rows, "dice", {"latency (ms)": "ms"}, "Dice")
    points = [line for line in fig.axes[0].lines if line.get_marker() == "o"]
    assert [line.get_markerfacecolor() for line in points] == ["#0072B2", "white", "#0072B2"]
    assert fig.axes[0].get_xlabel() == "latency (ms)"
    assert "2  beaten" in fig.get_supxlabel()


def test_time_to_dice_draws_a_curve_per_training_in_its_contestants_style_and_the_goals():
    curves = [("a", [[2.0, 0.5, 0.0], [4.0, 0.9, 0.2]]), ("a", [[2.0, 0.4, 0.3]]), ("b", [[3.0, 0.1, 0.1]])]
    runs = [{"contestant": name, "curve": curve} for name, curve in curves]
    fig = plotting.show_time_to_dice(runs, {"lung": 0.95, "nodule": 0.5})
    lung, nodule = fig.axes
    assert [list(line.get_ydata()) for line in nodule.lines] == [[0.0, 0.2], [0.3], [0.1], [0.5, 0.5]]
    assert [list(line.get_xdata()) for line in lung.lines[:3]] == [[2.0, 4.0], [2.0], [3.0]]
    colors = [line.get_color() for line in lung.lines[:3]]
    assert colors[0] == colors[1] != colors[2]
    assert [text.get_text() for text in fig.legends[0].texts] == ["a", "b"]


def test_a_parallel_step_shows_every_slice_once_and_a_copy_of_the_network_per_worker():
    fig = plotting.show_data_parallel(random.random((6, 8, 8, 1)), workers=3)
    fig.canvas.draw()
    (ax,) = fig.axes
    assert len(ax.images) == 6
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("copy of\nthe network") == texts.count("gradient of\nits part") == 3
    assert [text for text in texts if text.startswith("worker")] == ["worker 0", "worker 1", "worker 2"]
    assert texts.count("mean") == 1


def test_scaling_says_what_is_model_and_what_is_measured():
    curve = (np.array([1, 2, 4]), np.array([1.0, 0.8, 0.5]))
    fig = plotting.show_scaling({"a cable": curve}, {"two processes": ([2], [0.7])})
    fig.canvas.draw()
    (ax,) = fig.axes
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["model: a cable", "measured: two processes"]
    model, measured = ax.lines[:2]
    np.testing.assert_array_equal(model.get_ydata(), curve[1])
    assert measured.get_linestyle() == "None"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "2", "4"]


def test_numbers_can_be_shaded_by_something_else_on_one_scale():
    fig = plotting.show_numbers([[[1, 10]], [[11, 11]]], ["a", "b"], shades=[[[1, 1]], [[2, 2]]])
    fig.canvas.draw()
    one, other = fig.axes
    assert one.images[0].get_clim() == other.images[0].get_clim() == (1, 2)
    assert [text.get_text() for text in other.texts] == ["11", "11"]
    assert {text.get_color() for text in one.texts} == {"white"}
    assert {text.get_color() for text in other.texts} == {"black"}


def test_an_effect_whose_interval_includes_zero_is_hollow_and_marked_rows_stand_below():
    loss = {"effect": -0.2, "effect_low": -0.3, "effect_high": -0.1, "effect_seeds": [-0.2, -0.2]}
    unsure = {"effect": -0.5, "effect_low": -1.1, "effect_high": 0.1, "effect_seeds": [-1.0, 0.0]}
    fig = plotting.show_effects({"marked": unsure, "plain": loss, "larger": {**loss, "effect": -0.25}}, ["marked"])
    fig.canvas.draw()
    (ax,) = fig.axes
    assert [text.get_text() for text in ax.get_yticklabels()] == ["larger", "plain", "marked"]
    means = [line for line in ax.lines if line.get_marker() == "D"]
    assert [line.get_markerfacecolor() for line in means] == ["black", "black", "white"]
    assert ax.yaxis_inverted()


def test_runs_in_a_range_show_both_curves_of_each_seed_and_may_be_cut():
    row = {"accuracy_curves": [[0.5, 0.6], [0.5, 0.7]], "val_accuracy_curves": [[0.5, 0.5], [0.4, 0.5]]}
    fig = plotting.show_runs_in_range({"a": row, "b": row}, (0.5005, 0.502), ylim=(0.49, 0.51))
    fig.canvas.draw()
    assert [ax.get_title() for ax in fig.axes] == ["a", "b"]
    assert all(ax.get_ylim() == (0.49, 0.51) for ax in fig.axes)
    assert [line.get_linestyle() for line in fig.axes[0].lines] == ["--", "--", "-", "-"]


def test_neighbors_are_drawn_in_different_colors_and_no_object_in_that_of_the_background():
    from unet_helpers.teaching import draw_cells

    _, labels = draw_cells(30, 96, seed=1)
    colors = plotting.color_objects(labels)
    assert np.array_equal(colors > 0, labels > 0)
    assert all(len(np.unique(colors[labels == number])) == 1 for number in range(1, labels.max() + 1))
    beside = [
        (labels[1:], labels[:-1], colors[1:], colors[:-1]),
        (labels.T[1:], labels.T[:-1], colors.T[1:], colors.T[:-1]),
    ]
    for a, b, color_a, color_b in beside:
        touch = (a > 0) & (b > 0) & (a != b)
        assert touch.any()
        assert (color_a[touch] != color_b[touch]).all()


def test_matches_are_counted_in_the_title_and_the_missed_are_outlined():
    truth = np.zeros((20, 20), int)
    truth[2:8, 2:8], truth[2:8, 10:16] = 1, 2
    found = np.where(truth == 1, 7, 0)
    found[12:16, 12:16] = 9
    fig = plotting.show_matches(truth > 0, truth, {"a": found, "b": truth})
    fig.canvas.draw()
    assert [ax.get_title() for ax in fig.axes] == ["a\n1 found, 1 missed", "b\n2 found, 0 missed"]
    fills = [np.asarray(image.get_array()) for image in fig.axes[0].images[1:]]
    assert [int((fill[..., 3] > 0).sum()) for fill in fills] == [36, 16, 0]
