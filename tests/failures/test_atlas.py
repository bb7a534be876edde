"""The atlas of failures: hand-drawn masks, one rule each; what must hold for any masks; the score."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet_helpers.data import Subset
from unet_helpers.failures import ATLAS, balanced_accuracy, field_of_view, sort_errors, tabulate_atlas

ROOM = 5  # pixels around a drawing, so that nothing lies at the edge of the image


@pytest.fixture
def stack(draw):
    """Drawings of slices as ``(D, H, W)`` with room around them."""

    def make(*slices):
        masks = np.stack([draw(*rows) for rows in slices]).astype(np.uint8)
        return np.pad(masks, ((0, 0), (ROOM, ROOM), (ROOM, ROOM)))

    return make


def kinds(truth, predicted, images=None, **options):
    images = np.where(truth > 0, 1.0, 0.0) if images is None else images
    table, _ = sort_errors(truth, predicted, images, **options)
    return sorted(set(table["kind"]))


BLANK = ("........",) * 6
SQUARE = (".####...", ".####...", ".####...", ".####...", "........", "........")
TWO = ("##....##", "##....##", "##....##", "........", "........", "........")
LONG = ("########", "########", "########", "########", "........", "........")


@pytest.mark.parametrize(
    ("kind", "truth", "predicted"),
    [
        ("missed object", TWO, ("##......", "##......", "##......", "........", "........", "........")),
        ("false island", SQUARE, (*SQUARE[:5], "......##")),
        ("merged", TWO, ("##....##", "########", "##....##", "........", "........", "........")),
        ("split", LONG, ("###..###", "###..###", "###..###", "###..###", "........", "........")),
        ("boundary shift", SQUARE, (".###....", ".###....", ".###....", ".###....", "........", "........")),
        ("boundary shift", SQUARE, (".#####..", ".#####..", ".#####..", ".#####..", "........", "........")),
        ("leak into a neighbor", TWO, ("##....##", "#####.##", "##....##", "........", "........", "........")),
    ],
)
def test_a_kind_that_is_a_fact_about_two_masks(stack, kind, truth, predicted):
    assert kinds(stack(truth), stack(predicted)) == [kind]


def disk(radius, center=(20, 20), size=40):
    rows, columns = np.mgrid[:size, :size]
    return (rows - center[0]) ** 2 + (columns - center[1]) ** 2 <= radius**2


def test_a_hole_is_deep_and_of_good_contrast_and_a_low_contrast_is_not():
    truth = disk(12)[None].astype(np.uint8)
    predicted = truth * ~disk(3)
    bright = truth.astype(float)
    assert kinds(truth, predicted, bright) == ["hole"]
    assert kinds(truth, predicted, np.where(disk(3), 0.1, bright)) == ["low contrast"]
    assert kinds(truth, predicted, np.where(disk(3), 0.1, bright), contrast=0.05) == ["hole"]


def test_a_faint_object_that_is_missed_has_low_contrast_and_a_faint_edge_that_is_off_has_not():
    truth = disk(6)[None].astype(np.uint8)
    assert kinds(truth, 0 * truth, 0.15 * truth) == ["low contrast"]
    assert kinds(truth, 0 * truth, 0.5 * truth) == ["missed object"]
    assert kinds(truth, disk(5)[None].astype(np.uint8), 0.15 * truth) == ["boundary shift"]


def test_the_last_cross_section_missed_or_one_too_many_is_a_slice_end(stack):
    three, two, four = (stack(*[SQUARE] * n, *[BLANK] * (5 - n)) for n in (3, 2, 4))
    assert kinds(three, two) == ["slice-end error"]
    assert kinds(three, four) == ["slice-end error"]
    # not at an end: the object goes on above and below
    middle = three.copy()
    middle[1] = 0
    assert kinds(three, middle) == ["missed object"]
    # not an end either: the slice beside it is missed as well
    assert kinds(three, stack(SQUARE, *[BLANK] * 4)) == ["missed object"]
    # a small island over a large object is not its continuation
    island = three.copy()
    island[3, ROOM + 1, ROOM + 2] = 1
    assert kinds(three, island) == ["false island"]


def test_the_first_and_the_last_cross_section_of_a_nodule_of_several_slices_are_ends_however_small_the_tip():
    truth = np.stack([disk(radius) for radius in (1.5, 5, 6, 5, 4)]).astype(np.uint8)
    for k, kind in ((0, "slice-end error"), (4, "slice-end error"), (2, "missed object")):
        missed = truth.copy()
        missed[k] = 0
        assert kinds(truth, missed) == [kind]


@pytest.mark.parametrize(("brightness", "kind"), [(1.0, "missed object"), (0.1, "low contrast")])
def test_a_nodule_of_one_slice_that_is_missed_has_no_end_though_another_one_lies_behind_it(brightness, kind):
    missed, behind = disk(5), disk(2.5, (20, 24))
    assert 0.1 < (missed & behind).sum() / (missed | behind).sum() < 0.2
    truth = np.stack([missed, behind]).astype(np.uint8)
    predicted = np.stack([0 * missed, behind]).astype(np.uint8)
    assert kinds(truth, predicted, brightness * truth) == [kind]


def test_an_object_that_another_one_touches_on_its_far_side_has_no_end_there():
    truth = np.stack([disk(5), disk(4), disk(5, (26, 20))]).astype(np.uint8)
    assert 0 < (truth[1] & truth[2]).sum() < 0.5 * truth[1].sum()
    assert kinds(truth, truth * np.array([1, 0, 1], np.uint8)[:, None, None]) == ["missed object"]


def test_one_pixel_of_overlap_does_not_make_two_objects_one_whether_lost_or_added():
    alone, behind = (np.zeros((20, 20), np.uint8) for _ in range(2))
    alone[6:9, 6:9] = behind[8:12, 8:12] = 1
    assert (alone & behind).sum() == 1
    both, without = np.stack([alone, behind]), np.stack([0 * alone, behind])
    assert kinds(both, without) == ["missed object"]
    assert kinds(without, both) == ["false island"]


def test_a_lung_that_is_taken_for_nodule_is_the_wrong_class_and_a_nodule_taken_for_lung_is_missed():
    lung = disk(12)[None].astype(np.uint8)
    assert kinds(lung, 2 * lung) == ["wrong class"]
    truth = np.where(disk(4)[None], 2, lung).astype(np.uint8)
    images = 0.3 * lung + 0.5 * disk(4)
    table, _ = sort_errors(truth, lung, images)
    assert table[["class", "kind", "pixels"]].values.tolist() == [[2, "missed object", disk(4).sum()]]
    table, _ = sort_errors(lung, truth, images)
    assert table[["class", "kind"]].values.tolist() == [[2, "false island"]]


def padded_circle(size=40):
    return ~disk(size / 2, (size / 2 - 0.5,) * 2, size)


def test_an_error_where_the_field_of_view_cuts_an_object_is_named_so():
    random = np.random.default_rng(0)
    outside = padded_circle()
    truth = np.stack([disk(8, (5, 20))] * 2) & ~outside
    images = np.where(outside, -1.0, 0.1 * random.random(truth.shape) + truth)
    rim = disk(19.5, (19.5, 19.5)) & ~disk(17.5, (19.5, 19.5))
    predicted = truth & ~rim
    assert kinds(truth.astype(np.uint8), predicted.astype(np.uint8), images) == ["truncated by field of view"]
    # the same rim predicted where no object is cut: an island
    predicted = truth | (rim & disk(6, (36, 20)))
    assert kinds(truth.astype(np.uint8), predicted.astype(np.uint8), images) == ["false island"]


def test_the_field_of_view_is_found_from_what_scanners_write_outside_it():
    random, outside = np.random.default_rng(0), padded_circle()
    images = np.where(outside, -2.0, random.random((3, 40, 40)))
    np.testing.assert_array_equal(field_of_view(images), ~outside)
    assert field_of_view(random.random((3, 40, 40))).all()
    assert field_of_view(np.where(disk(8), 1.0, 0.0)[None]).all()  # air around a patient is no edge


# --- whatever the masks ---------------------------------------------------------------------------


masks = arrays(np.uint8, (2, 9, 9), elements=st.integers(0, 2))


@settings(max_examples=40, deadline=None)
@given(masks, masks, arrays(np.float64, (2, 9, 9), elements=st.floats(0, 1)))
def test_every_wrong_pixel_is_in_one_piece_and_every_piece_has_a_name(truth, predicted, images):
    table, pieces = sort_errors(truth, predicted, images[..., None], (np.nan, np.nan))
    np.testing.assert_array_equal(pieces > 0, truth != predicted)
    assert table["kind"].isin(ATLAS).all()
    sizes = np.bincount(pieces.ravel(), minlength=len(table) + 1)[1:]
    np.testing.assert_array_equal(table["pixels"], sizes)
    for number, k in enumerate(table["slice"], start=1):
        assert set(np.flatnonzero((pieces == number).any(axis=(1, 2)))) == {k}


def test_places_areas_and_distances_are_in_pixels_and_mm(stack):
    truth = stack(SQUARE)
    predicted = truth.copy()
    predicted[0, ROOM : ROOM + 4, ROOM + 4] = 0  # the right column of four
    table, _ = sort_errors(truth, predicted, 1.0 * truth, (2.0, 3.0))
    row = table.iloc[0]
    assert (row["pixels"], row["area_mm2"], row["row"], row["column"]) == (4, 24, ROOM + 1.5, ROOM + 4)
    assert row["depth_mm"] == 3  # one column to the background
    assert row["contrast"] == 1


def test_other_shapes_are_an_error():
    with pytest.raises(ValueError, match=r"three stacks of one shape"):
        sort_errors(np.zeros((2, 4, 4), int), np.zeros((4, 4), int), np.zeros((2, 4, 4)))


def test_patients_are_sorted_one_by_one_and_put_into_one_table(stack):
    one, two = stack(SQUARE, SQUARE), stack(SQUARE, SQUARE)
    truth = np.concatenate([one, two])[[0, 2, 1, 3]]  # the slices of two patients, mixed
    ids = np.array(["A", "B", "A", "B"])
    subset = Subset(truth[..., None].astype(np.float32), truth, ids, np.array(list("wxyz")), np.ones((4, 2)))
    predicted = truth.copy()
    predicted[3] = 0
    table, pieces = tabulate_atlas(subset, predicted, ("background", "lung"))
    assert table[["case", "patient", "slice", "class", "kind"]].values.tolist() == [
        ["z", "B", 3, "lung", "slice-end error"]
    ]
    assert np.array_equal(np.unique(pieces[3]), [0, 1])
    assert not pieces[:3].any()
    predicted[0] = 0
    table, pieces = tabulate_atlas(subset, predicted, ("background", "lung"))
    assert table["slice"].tolist() == [0, 3]
    assert [np.unique(pieces[k]).max() for k in range(4)] == [1, 0, 0, 2]


# --- the score ------------------------------------------------------------------------------------


def test_balanced_accuracy_is_the_mean_of_the_shares_and_its_interval_is_over_patients():
    rows = [("A", "x", "x")] * 8 + [("B", "x", "y")] * 2 + [("A", "y", "y"), ("B", "y", "x")]
    table = pd.DataFrame(rows, columns=["patient", "expected", "kind"])
    value, low, high = balanced_accuracy(table)
    assert value == pytest.approx((0.8 + 0.5) / 2)
    assert (low, high) == (0, 1)  # a draw of B alone, and of A alone
    rows = [(name, "x", "x") for name in "ABC"] + [("A", "y", "y")]
    assert balanced_accuracy(pd.DataFrame(rows, columns=table.columns)) == (1, 1, 1)  # draws without A have no y
