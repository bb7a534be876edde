import itertools
import math

import numpy as np
import pytest
import scipy.spatial.distance
import skimage.metrics
import sklearn.metrics
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from unet_helpers.evaluation import (
    Counts,
    Detections,
    average,
    average_surface_distance,
    boundary_metrics,
    class_means,
    confusion_counts,
    counts_per_class,
    detect_objects,
    dice,
    distances,
    hausdorff,
    hausdorff95,
    iou,
    pool,
    surface_dice,
    surface_distances,
)

EMPTY = np.zeros((4, 4), np.uint8)

any_shape = array_shapes(min_dims=1, max_dims=3, max_side=6)
masks = any_shape.flatmap(lambda shape: arrays(bool, shape))
two_masks = any_shape.flatmap(lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape)))


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


# --- worked out by hand -----------------------------------------------------------------------


def test_counts_of_a_hand_drawn_pair(draw):
    truth = draw("##..", "##..", "....", "....")  # 4 pixels
    found = draw(".##.", ".##.", ".#..", "....")  # 5 pixels, 2 of them shared
    counts = confusion_counts(truth, found)
    assert counts == Counts(tp=2, fp=3, fn=2, tn=9)
    assert counts.iou == iou(truth, found) == 2 / 7  # 2 shared of 4 + 5 - 2
    assert counts.dice == counts.f1 == dice(truth, found) == 4 / 9  # 2·2 of 4 + 5
    assert counts.precision == 2 / 5
    assert counts.recall == 2 / 4
    assert counts.specificity == 9 / 12
    assert counts.accuracy == 11 / 16
    assert counts.f_beta(1) == pytest.approx(counts.dice)
    precision, recall = 2 / 5, 2 / 4
    assert counts.f_beta(2) == pytest.approx(5 * precision * recall / (4 * precision + recall))
    assert counts.f_beta(0) == precision
    assert counts.ratios(beta=2)["f_beta"] == counts.f_beta(2)
    assert counts.ratios()["specificity"] == 9 / 12


def test_a_perfect_prediction_is_1_and_a_disjoint_one_0(draw):
    truth = draw("##..", "##..", "....", "....")
    assert dice(truth, truth) == iou(truth, truth) == 1
    assert dice(truth, 1 - truth) == iou(truth, 1 - truth) == 0


def test_two_empty_masks_are_undefined_and_one_empty_mask_scores_0(draw):
    one = draw("#...", "....", "....", "....")
    assert math.isnan(dice(EMPTY, EMPTY))
    assert math.isnan(iou(EMPTY, EMPTY))
    assert dice(one, EMPTY) == dice(EMPTY, one) == iou(one, EMPTY) == iou(EMPTY, one) == 0


def test_undefined_ratios_are_nan_and_not_an_error():
    nothing = Counts(0, 0, 0, 16)
    assert math.isnan(nothing.precision)
    assert math.isnan(nothing.recall)
    assert math.isnan(Counts(4, 0, 0, 0).specificity)
    assert math.isnan(Counts(0, 0, 0, 0).accuracy)


def test_tables_add_up_to_the_pooled_table(draw):
    a, b = draw("##..", "...."), draw("#...", "#...")
    c, d = draw("....", "..##"), draw("....", ".###")
    pooled = confusion_counts(np.stack([a, c]), np.stack([b, d]))
    assert confusion_counts(a, b) + confusion_counts(c, d) == pooled


def test_counts_per_class_take_each_class_against_the_rest(draw):
    truth, found = draw("0012", "0012"), draw("0011", "0112")
    tables = counts_per_class(truth, found, 3)
    assert tables == [Counts(3, 0, 1, 4), Counts(2, 2, 0, 4), Counts(1, 0, 1, 6)]
    with pytest.raises(ValueError, match="0 to 1"):
        counts_per_class(truth, found, 2)


# --- over cases and classes ---------------------------------------------------------------------


def test_an_average_says_what_it_does_with_cases_that_have_no_value():
    values = [0.5, 1.0, math.nan]
    assert average(values) == (0.75, 2, 1)
    assert average(values, empty=0) == (0.5, 3, 1)
    assert average(values, empty=1).value == pytest.approx(2.5 / 3)
    assert same(average([math.nan]).value, math.nan)
    assert average([math.nan])[1:] == (0, 1)
    assert same(average([]).value, math.nan)
    distances = [2.0, math.inf, math.nan]
    assert average(distances) == (math.inf, 2, 2)
    assert average(distances, missed=math.nan) == (2, 1, 2)
    assert average(distances, missed=10, empty=0) == (4, 3, 2)


three_classes = any_shape.flatmap(lambda shape: st.tuples(*[arrays(np.uint8, shape, elements=st.integers(0, 2))] * 2))


@given(three_classes)
def test_the_mean_over_classes_is_scikit_learns_macro_average(pair):
    truth, found = pair
    tables = counts_per_class(truth, found, 3)
    for empty in (math.nan, 0.0, 1.0):
        theirs = sklearn.metrics.f1_score(
            truth.ravel(), found.ravel(), labels=[0, 1, 2], average="macro", zero_division=empty
        )
        assert average([table.dice for table in tables], empty=empty).value == pytest.approx(theirs, abs=1e-12)
    micro = sklearn.metrics.f1_score(truth.ravel(), found.ravel(), labels=[1, 2], average="micro", zero_division=np.nan)
    assert sum(tables[1:]).dice == pytest.approx(micro, abs=1e-12, nan_ok=True)


# --- objects ------------------------------------------------------------------------------------


def test_objects_touched_missed_and_made_up(draw):
    truth = draw("##...#", "##....", "....##", "......")
    found = draw("#.....", "......", ".....#", "#....#")
    # true: the block, one pixel, a pair. The block and the pair are touched; bottom left is made up
    assert detect_objects(truth, found) == Detections(true=3, found=2, predicted=3, false=1)
    assert detect_objects(truth, found).sensitivity == 2 / 3
    assert detect_objects(truth, found).precision == 2 / 3
    # IoU 1/4 and 1/3
    assert detect_objects(truth, found, min_iou=0.3) == Detections(3, 1, 3, 2)
    assert detect_objects(truth, found, min_iou=0.34) == Detections(3, 0, 3, 3)


def test_one_prediction_over_two_objects_is_two_by_touch_and_one_by_match(draw):
    truth, found = draw("##.#"), draw("####")
    assert detect_objects(truth, found) == Detections(2, 2, 1, 0)
    assert detect_objects(truth, found, min_iou=0.25) == Detections(2, 1, 1, 0)


def test_as_many_pairs_as_possible_are_matched_before_their_overlap_counts(draw):
    # the first prediction overlaps both objects and fits the second best; the second prediction only the second
    truth, found = draw("###.####"), draw("..####.#")
    pairs = detect_objects(truth, found, min_iou=0.1)
    assert (pairs.found, pairs.false) == (2, 0)


def test_diagonal_neighbors_are_one_object_also_across_slices(draw):
    assert detect_objects(draw("#.", ".#"), draw("..", "..")).true == 1
    assert detect_objects(np.stack([draw("#.", ".."), draw("..", ".#")]), np.zeros((2, 2, 2), bool)).true == 1


def test_detections_of_cases_add_up_and_undefined_ratios_are_nan(draw):
    total = sum([detect_objects(draw("#.#"), draw("#..")), detect_objects(draw("..."), draw("#.#"))])
    assert total == Detections(2, 1, 3, 2, cases=2)
    assert total.false_per_case == 1
    nothing = detect_objects(draw("..."), draw("..."))
    assert math.isnan(nothing.sensitivity)
    assert math.isnan(nothing.precision)
    assert nothing.false_per_case == 0


@pytest.mark.parametrize("min_iou", [0, -0.5, 1.5, math.nan])
def test_a_rule_that_matches_nothing_or_everything_is_refused(draw, min_iou):
    with pytest.raises(ValueError, match="min_iou"):
        detect_objects(draw("#."), draw("#."), min_iou)


# --- the average and the accuracy trap ----------------------------------------------------------


def test_the_accuracy_trap():
    # a reported lung U-Net: accuracy .8623, precision .8133, recall .5872. Let the picture be 1.
    # fp = tp (1/p - 1), fn = tp (1/r - 1), fp + fn = 1 - accuracy  gives tp, and foreground tp + fn
    accuracy, precision, recall = 0.8623, 0.8133, 0.5872
    tp = (1 - accuracy) / (1 / precision + 1 / recall - 2)
    pixels = 1_000_000
    tp, fp, fn = (round(pixels * share) for share in (tp, tp * (1 / precision - 1), tp * (1 / recall - 1)))
    counts = Counts(tp, fp, fn, pixels - tp - fp - fn)
    assert counts.accuracy == pytest.approx(accuracy, abs=1e-5)
    assert counts.precision == pytest.approx(precision, abs=1e-5)
    assert counts.recall == pytest.approx(recall, abs=1e-5)
    assert counts.f1 == pytest.approx(0.6820, abs=1e-4)
    foreground = (counts.tp + counts.fn) / pixels
    assert foreground == pytest.approx(0.25, abs=0.002)
    all_background = Counts(0, 0, counts.tp + counts.fn, counts.fp + counts.tn)
    assert all_background.accuracy == pytest.approx(0.749, abs=0.001)
    assert all_background.dice == 0


def test_four_masks_give_three_averages():
    # (pixels, found, false): one large object found, one small missed, two empty of which one has a speck
    tables = [Counts(90, 5, 5, 0), Counts(0, 0, 4, 96), Counts(0, 0, 0, 100), Counts(0, 2, 0, 98)]
    per_case = np.array([table.dice for table in tables])
    assert per_case[:2].tolist() == [180 / 190, 0]
    assert math.isnan(per_case[2])
    assert np.nanmean(per_case) == pytest.approx((180 / 190) / 3)  # three cases are defined
    assert np.nan_to_num(per_case, nan=1).mean() == pytest.approx((180 / 190 + 1) / 4)
    assert sum(tables, Counts(0, 0, 0, 0)).dice == pytest.approx(180 / 196)


# --- against other libraries ------------------------------------------------------------------


@given(two_masks)
def test_overlap_agrees_with_scikit_learn(pair):
    truth, found = (mask.ravel() for mask in pair)
    counts = confusion_counts(*pair)
    tn, fp, fn, tp = sklearn.metrics.confusion_matrix(truth, found, labels=[False, True]).ravel()
    assert counts == Counts(tp, fp, fn, tn)
    for ours, theirs in (
        (counts.dice, sklearn.metrics.f1_score),
        (counts.precision, sklearn.metrics.precision_score),
        (counts.recall, sklearn.metrics.recall_score),
    ):
        assert ours == pytest.approx(theirs(truth, found, zero_division=np.nan), abs=1e-12, nan_ok=True)
    if truth.any() or found.any():  # scikit-learn knows no nan here
        assert counts.iou == pytest.approx(sklearn.metrics.jaccard_score(truth, found), abs=1e-12)
    assert counts.accuracy == pytest.approx(sklearn.metrics.accuracy_score(truth, found), abs=1e-12)


@given(two_masks)
def test_overlap_agrees_with_scipy(pair):
    truth, found = (mask.ravel() for mask in pair)
    assume(truth.any() or found.any())
    assert dice(*pair) == pytest.approx(1 - scipy.spatial.distance.dice(truth, found), abs=1e-12)
    assert iou(*pair) == pytest.approx(1 - scipy.spatial.distance.jaccard(truth, found), abs=1e-12)


# --- for any masks ----------------------------------------------------------------------------


@given(two_masks)
def test_dice_follows_from_iou_and_lies_between_it_and_1(pair):
    a, b = dice(*pair), iou(*pair)
    if math.isnan(b):
        assert math.isnan(a)
    else:
        assert a == pytest.approx(2 * b / (1 + b), abs=1e-12)
        assert 0 <= b <= a <= 1


@given(two_masks)
def test_truth_and_prediction_may_change_places(pair):
    a, b = pair
    assert same(dice(a, b), dice(b, a))
    assert same(iou(a, b), iou(b, a))


@given(two_masks, st.sampled_from([np.uint8, np.int64, np.float32, float]))
def test_the_type_of_a_mask_does_not_matter(pair, dtype):
    a, b = pair
    assert confusion_counts(a.astype(dtype), b) == confusion_counts(a, b.tolist()) == confusion_counts(a, b)


@pytest.mark.parametrize("function", [dice, iou, confusion_counts, surface_distances, hausdorff95])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.zeros((4, 5)), "shape"),
        (np.zeros((1, 4, 4)), "shape"),
        (EMPTY + 255, "255"),
        (EMPTY + 0.5, "threshold probabilities"),
        (EMPTY + np.nan, "nan"),
        (EMPTY - 1.0, "-1"),
    ],
    ids=["size", "dimensions", "255", "probabilities", "nan", "negative"],
)
def test_what_is_no_binary_mask_of_that_shape_is_refused(function, wrong, words):
    for pair in ((EMPTY, wrong), (wrong, EMPTY)):
        with pytest.raises(ValueError, match=words):
            function(*pair)


# --- distances --------------------------------------------------------------------------------


def boundary(mask):
    """Foreground pixels with background or the edge beside them, written with loops."""
    points = []
    for point in itertools.product(*map(range, mask.shape)):
        if not mask[point]:
            continue
        for axis, step in itertools.product(range(mask.ndim), (-1, 1)):
            beside = tuple(p + step * (a == axis) for a, p in enumerate(point))
            if not all(0 <= p < n for p, n in zip(beside, mask.shape, strict=True)) or not mask[beside]:
                points.append(point)
                break
    return np.array(points)


def brute_force(truth, found, spacing):
    table = scipy.spatial.distance.cdist(boundary(truth) * spacing, boundary(found) * spacing)
    return table.min(axis=1), table.min(axis=0)


def test_distances_of_a_hand_drawn_pair(draw):
    truth = draw("#...", "....", "....", "....")
    found = draw("..#.", "....", "....", "...#")
    there, back = surface_distances(truth, found)
    assert there.tolist() == [2]
    assert back.tolist() == [2, math.hypot(3, 3)]
    assert surface_distances(truth, found, spacing=(5, 0.5))[0].tolist() == [1]  # 2 columns of 0.5 mm
    assert hausdorff95(truth, found) == pytest.approx(2 + 0.95 * (math.hypot(3, 3) - 2))


def test_the_inside_of_an_object_is_no_boundary(draw):
    block = draw("....", ".###", ".###", ".###")
    assert len(surface_distances(block, block)[0]) == 8  # the pixel in the middle is inside


spaced_masks = st.integers(2, 3).flatmap(
    lambda n: array_shapes(min_dims=n, max_dims=n, min_side=2, max_side=6).flatmap(
        lambda shape: st.tuples(
            arrays(bool, shape), arrays(bool, shape), st.tuples(*[st.sampled_from([0.5, 0.7, 1.0, 3.0])] * len(shape))
        )
    )
)


@given(spaced_masks)
def test_distances_agree_with_brute_force_in_2d_and_3d_at_any_spacing(case):
    truth, found, spacing = case
    assume(truth.any() and found.any())
    expected = brute_force(truth, found, spacing)
    measured = surface_distances(truth, found, spacing)
    for ours, theirs in zip(measured, expected, strict=True):
        np.testing.assert_allclose(np.sort(ours), np.sort(theirs), atol=1e-12)
    assert hausdorff95(truth, found, spacing) == pytest.approx(max(np.percentile(d, 95) for d in expected))
    assert hausdorff95(truth, found, spacing) == pytest.approx(hausdorff95(found, truth, spacing))


@given(spaced_masks)
def test_the_largest_distance_is_scikit_images_hausdorff_distance_of_the_boundaries(case):
    truth, found, _ = case
    assume(truth.any() and found.any())
    edges = []
    for mask in (truth, found):
        edge = np.zeros(mask.shape, bool)
        edge[tuple(boundary(mask).T)] = True
        edges.append(edge)
    ours = max(distances.max() for distances in surface_distances(truth, found))
    assert ours == pytest.approx(skimage.metrics.hausdorff_distance(*edges))


def test_a_missed_object_is_infinitely_far_and_nothing_is_undefined(draw):
    one = draw("#...", "....", "....", "....")
    assert hausdorff95(one, EMPTY) == hausdorff95(EMPTY, one) == math.inf
    assert math.isnan(hausdorff95(EMPTY, EMPTY))
    assert [len(distances) for distances in surface_distances(one, EMPTY)] == [0, 0]


def test_average_distances_and_surface_dice_of_a_hand_drawn_pair(draw):
    truth = draw("#...", "....", "....", "....")
    found = draw("..#.", "....", "....", "...#")
    far = math.hypot(3, 3)
    assert average_surface_distance(truth, found, direction="true_to_pred") == 2
    assert average_surface_distance(truth, found, direction="pred_to_true") == pytest.approx((2 + far) / 2)
    assert average_surface_distance(truth, found) == pytest.approx((2 + 2 + far) / 3)
    assert average_surface_distance(truth, found, direction="mean of both") == pytest.approx((2 + (2 + far) / 2) / 2)
    assert hausdorff(truth, found) == far
    assert hausdorff(truth, found, percentile=0) == 2
    assert [surface_dice(truth, found, t) for t in (1.9, 2, 5)] == [0, 2 / 3, 1]
    with pytest.raises(ValueError, match="mean of both"):
        average_surface_distance(truth, found, direction="both")


@pytest.mark.parametrize("tolerance", [-1, math.nan, math.inf])
def test_a_tolerance_that_is_no_distance_is_refused(draw, tolerance):
    for function in (surface_dice, boundary_metrics):
        with pytest.raises(ValueError, match="tolerance"):
            function(draw("#."), draw("#."), tolerance=tolerance)


def test_a_distance_of_exactly_the_tolerance_is_within_at_any_spacing():
    for step in (0.1, 0.3, 0.7, 1 / 3):
        for place in range(20):
            truth, found = np.zeros((2, 1, 30), bool)
            truth[0, place], found[0, place + 7] = True, True
            assert surface_dice(truth, found, 7 * step, (1, step)) == 1
            assert surface_dice(truth, found, 7 * step - 1e-6, (1, step)) == 0


@given(spaced_masks)
def test_all_at_once_is_the_same_as_one_by_one(case):
    truth, found, spacing = case
    measured = boundary_metrics(truth, found, spacing, tolerance=0.9)
    assert same(measured["hd"], hausdorff(truth, found, spacing))
    assert same(measured["hd95"], hausdorff95(truth, found, spacing))
    assert same(measured["surface_dice"], surface_dice(truth, found, 0.9, spacing))
    for direction in distances.DIRECTIONS[1:]:
        name = f"asd_{direction.replace(' ', '_')}"
        assert same(measured[name], average_surface_distance(truth, found, spacing, direction))
    assert same(measured["asd"], average_surface_distance(truth, found, spacing))
    if measured["hd"] < math.inf:
        assert max(measured["hd95"], measured["asd"]) <= measured["hd"] + 1e-9


@given(spaced_masks, st.integers(0, 3), st.integers(0, 3))
def test_empty_space_around_the_masks_changes_nothing(case, before, after):
    truth, found, spacing = case
    wide = [np.pad(mask, [(before, after)] * mask.ndim) for mask in (truth, found)]
    for ours, theirs in zip(surface_distances(truth, found, spacing), surface_distances(*wide, spacing), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(spaced_masks)
def test_tree_and_transform_give_the_same_distances(case):
    truth, found, spacing = case
    assume(truth.any() and found.any())
    for a, b in ((truth, found), (found, truth)):
        np.testing.assert_allclose(
            distances._by_tree(a, b, spacing), distances._by_transform(a, b, spacing), atol=1e-12
        )


def test_empty_masks_have_no_surface(draw):
    one = draw("#...", "....", "....", "....")
    for pair in ((one, EMPTY), (EMPTY, one)):
        assert hausdorff(*pair) == average_surface_distance(*pair) == math.inf
        assert surface_dice(*pair, 1) == boundary_metrics(*pair)["surface_dice"] == 0
        assert boundary_metrics(*pair)["asd"] == math.inf
    assert all(math.isnan(value) for value in boundary_metrics(EMPTY, EMPTY).values())
    assert math.isnan(surface_dice(EMPTY, EMPTY, 1))
    assert math.isnan(average_surface_distance(EMPTY, EMPTY))


@pytest.mark.parametrize("spacing", [(1.0,), (1.0, 1.0, 1.0), (0.0, 1.0), (-1.0, 1.0), (np.nan, 1.0), (np.inf, 1.0)])
def test_a_spacing_that_does_not_fit_is_refused(draw, spacing):
    one = draw("#...", "....", "....", "....")
    with pytest.raises(ValueError, match="spacing"):
        hausdorff95(one, one, spacing)


def test_class_means_per_case_pooled_and_with_empty_counted(draw):
    # class 1: Dice 1/2 in a large object and 0/0, class 2 is never there
    truth, found = draw("1100", "0000"), draw("1000", "0001")
    cases = [counts_per_class(truth, found, 3), counts_per_class(EMPTY, EMPTY, 3)]
    assert class_means(cases)[1] == (0.5, 1, 1)
    assert class_means(cases, empty=1)[1] == (0.75, 2, 1)
    assert class_means(cases, metric="iou")[1].value == 1 / 3
    assert math.isnan(class_means(cases)[2].value)
    assert class_means(cases)[2].undefined == 2
    small = counts_per_class(draw("1000", "0000"), draw("0000", "0000"), 3)
    assert class_means([cases[0], small])[1].value == 0.25
    assert class_means([cases[0], small], pooled=True)[1].value == 2 / 5
    assert pool([cases[0], small])[1] == Counts(1, 1, 2, 12)
    with pytest.raises(ValueError, match="no cases"):
        class_means([])
