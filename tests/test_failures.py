import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from unet_helpers.datasets import Subset
from unet_helpers.failures import (
    KINDS,
    classify_errors,
    error_map,
    tabulate_errors,
    tabulate_objects,
    two_channel_binary_accuracy,
    why_black,
)

two_masks = array_shapes(min_dims=2, max_dims=2, max_side=12).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


def kinds_of(truth, found, **options):
    maps = classify_errors(truth, found, **options)
    return {kind: area.astype(int).tolist() for kind, area in maps.items() if area.any()}


def subset_of(masks, spacing=(1.0, 1.0), images=None):
    masks = np.stack(masks)
    n = len(masks)
    images = np.zeros((*masks.shape, 1), np.float32) if images is None else np.asarray(images, np.float32)
    names = np.array([f"P{i}_Z_1" for i in range(n)])
    return Subset(images, masks, np.array([f"P{i}" for i in range(n)]), names, np.tile(spacing, (n, 1)).astype(float))


# --- every wrong pixel has one name -----------------------------------------------------------


@given(two_masks, st.sampled_from([(1.0, 1.0), (0.5, 2.0), (np.nan, np.nan)]), st.sampled_from([None, 0.0, 1.0, 5.0]))
def test_every_wrong_pixel_is_in_exactly_one_kind(pair, spacing, tolerance):
    maps = classify_errors(*pair, spacing, tolerance)
    assert set(maps) == set(KINDS)
    np.testing.assert_array_equal(sum(area.astype(int) for area in maps.values()), pair[0] != pair[1])


@given(two_masks)
def test_missed_pixels_are_true_and_islands_are_predicted(pair):
    truth, found = pair
    maps = classify_errors(*pair)
    assert truth[maps["missed object"] | maps["hole"]].all()
    assert found[maps["false island"] | maps["leak"]].all()


@given(two_masks)
def test_truth_and_prediction_exchanged_turn_missed_objects_into_islands(pair):
    truth, found = pair
    np.testing.assert_array_equal(
        classify_errors(truth, found)["missed object"], classify_errors(found, truth)["false island"]
    )


def test_a_missed_object(draw):
    truth, found = draw("##...", "##...", "....#", "...##"), draw("##...", "##...", ".....", ".....")
    assert kinds_of(truth, found) == {"missed object": draw(".....", ".....", "....#", "...##").tolist()}


def test_a_false_island(draw):
    truth, found = draw("##..", "##..", "....", "...."), draw("##..", "##..", "....", "...#")
    assert kinds_of(truth, found) == {"false island": draw("....", "....", "....", "...#").tolist()}


def test_pixels_that_meet_at_a_corner_are_one_object(draw):
    truth, found = draw("#...", ".#..", "..#.", "...."), draw("#...", "....", "....", "....")
    assert set(kinds_of(truth, found, tolerance=0.5)) == {"hole"}  # found, though only its first pixel


def test_a_boundary_one_pixel_off(draw):
    truth, found = draw("....", ".##.", ".##.", "...."), draw("....", ".###", ".###", "....")
    assert kinds_of(truth, found) == {"boundary": draw("....", "...#", "...#", "....").tolist()}


def test_a_hole_far_inside():
    truth = np.ones((9, 9), int)
    truth[0] = 0
    found = truth.copy()
    found[4, 4] = found[1, 1] = 0
    maps = classify_errors(truth, found)
    assert np.argwhere(maps["hole"]).tolist() == [[4, 4]]
    assert np.argwhere(maps["boundary"]).tolist() == [[1, 1]]  # beside the background, so near the boundary


def test_a_leak_is_what_runs_out_beyond_the_tolerance(draw):
    truth, found = draw("##......", "##......"), draw("######..", "##......")
    assert kinds_of(truth, found) == {
        "boundary": draw("..#.....", "........").tolist(),  # 1 pixel from the object; 1.5 is the tolerance
        "leak": draw("...###..", "........").tolist(),
    }


def test_the_tolerance_is_in_mm(draw):
    truth, found = draw("##......", "##......"), draw("######..", "##......")
    assert set(kinds_of(truth, found, spacing=(1.0, 0.3), tolerance=1.2)) == {"boundary"}  # 4 columns of 0.3 mm
    assert set(kinds_of(truth, found, spacing=(1.0, 0.4), tolerance=1.2)) == {"boundary", "leak"}


def test_a_full_truth_can_only_have_holes():
    truth, found = np.ones((4, 4)), np.ones((4, 4))
    found[1, 1] = 0
    assert set(kinds_of(truth, found)) == {"hole"}


def test_error_map_of_four_pixels(draw):
    assert error_map(draw("..##"), draw(".#.#")).tolist() == [[0, 2, 3, 1]]
    for function in (error_map, classify_errors):
        with pytest.raises(ValueError, match="shape"):
            function(draw("..##"), draw(".#"))


# --- tables -----------------------------------------------------------------------------------


def test_errors_are_tabulated_per_slice_class_and_kind(draw):
    truth = [draw("11.....", "11.....", ".......", ".2.2..."), draw(*["......."] * 4)]
    found = [draw("11.....", "11.....", ".......", "......."), draw(*["......."] * 3, "1.1...1")]
    table = tabulate_errors(subset_of(truth), np.stack(found), ("background", "lung", "nodule"))
    assert len(table) == 2 * 2 * len(KINDS)
    some = table[table["pixels"] > 0].drop(columns="patient")
    assert some.values.tolist() == [
        ["P0_Z_1", "nodule", "missed object", 2, 2],
        ["P1_Z_1", "lung", "false island", 3, 3],
    ]


def test_objects_are_tabulated_with_size_and_whether_they_were_found(draw):
    truth = draw("22....", "22....", "......", ".....2")
    found = draw("2.....", "......", "......", "......")
    table = tabulate_objects(subset_of([truth], spacing=(0.5, 2.0)), found[None], index=2)
    assert table["pixels"].tolist() == [4, 1]
    assert table["covered"].tolist() == [0.25, 0]
    assert table["found"].tolist() == [True, False]
    assert table[["row", "column"]].values.tolist() == [[0.5, 0.5], [3, 5]]
    # 4 pixels of 1 mm²: a disk of 4 mm² has a diameter of 2·sqrt(4/pi)
    np.testing.assert_allclose(table["diameter_mm"], [2.2568, 1.1284], atol=1e-4)


def test_without_spacing_there_is_no_diameter(draw):
    table = tabulate_objects(subset_of([draw("1.")], spacing=(np.nan, np.nan)), draw("1.")[None], index=1)
    assert table["diameter_mm"].isna().all()
    assert len(tabulate_objects(subset_of([draw("..")]), draw("..")[None], index=1)) == 0


# --- why is my mask black? --------------------------------------------------------------------


class Fixed:
    """A model that answers with given foreground probabilities; None: it sees the object in the image."""

    def __init__(self, foreground=None, num_classes=1):
        self.foreground, self.num_classes = foreground, num_classes

    def predict(self, images, **options):
        p = images[..., :1] if self.foreground is None else np.broadcast_to(self.foreground, images[..., :1].shape)
        return p if self.num_classes == 1 else np.concatenate([1 - p, p], axis=-1)


MASKS = np.zeros((3, 8, 8), np.uint8)
MASKS[:, 2:5, 2:6] = 1
IMAGES = (0.1 + 0.8 * MASKS[..., None]).astype(np.float32)


def suspects(model, images=IMAGES, masks=MASKS, displayed=None):
    return [f.question for f in why_black(model, images, masks, displayed) if f.suspicious]


@pytest.mark.parametrize("num_classes", [1, 2])
def test_a_healthy_model_raises_no_suspicion(num_classes):
    assert suspects(Fixed(num_classes=num_classes)) == []
    assert suspects(Fixed(num_classes=num_classes), displayed=MASKS[0] * 255) == []
    assert suspects(Fixed(num_classes=num_classes), displayed=IMAGES[0]) == []


@pytest.mark.parametrize(
    ("case", "question"),
    [
        ({"displayed": MASKS[0]}, "Is it only the display?"),
        ({"masks": MASKS * 255}, "Are the mask values class indices?"),
        ({"masks": MASKS * 0.5}, "Are the mask values class indices?"),
        ({"masks": MASKS * 0}, "Do the masks hold an object?"),
        ({"images": IMAGES * 255, "model": Fixed(IMAGES)}, "Are the images in the range of training?"),
        ({"images": IMAGES * 1000 - 1000, "model": Fixed(IMAGES)}, "Are the images in the range of training?"),
        ({"images": IMAGES * 0, "model": Fixed(IMAGES)}, "Are the images in the range of training?"),
        ({"images": IMAGES * np.nan, "model": Fixed(IMAGES)}, "Are the images in the range of training?"),
        ({"model": Fixed(0.3)}, "Does the output vary over the picture?"),
        ({"model": Fixed(np.nan)}, "Does the output vary over the picture?"),
        ({"model": Fixed(0.5 * IMAGES)}, "Would a lower threshold show it?"),
        ({"model": Fixed(0.5 * IMAGES, 2)}, "Would a lower threshold show it?"),
    ],
    ids=["display", "255", "half", "empty", "0-255", "HU", "blank", "nan image", "constant", "nan", "low", "low2"],
)
def test_each_cause_of_black_is_named_and_no_other(case, question):
    assert suspects(**{"model": Fixed()} | case) == [question]


def test_a_suspicious_finding_is_printed_with_its_remedy():
    findings = why_black(Fixed(0.3), IMAGES, MASKS)
    assert [str(finding)[0] for finding in findings].count("✗") == 1
    for finding in findings:
        assert ("→" in str(finding)) == finding.suspicious
        assert finding.evidence in str(finding)


def test_binary_accuracy_over_two_channels_of_a_constant_is_one_half():
    for constant in (0.2, 0.5, 0.9):
        assert two_channel_binary_accuracy(MASKS, constant) == 0.5
        assert two_channel_binary_accuracy(MASKS * 0, constant) == 0.5
