"""Objects from masks, against hand-drawn scenes, brute force, and other ways to compute the same."""

import itertools
import math

import numpy as np
import pytest
import skimage.measure
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from unet_helpers.evaluation import (
    THRESHOLDS,
    average_precision,
    border_targets,
    detect_objects,
    drop_small,
    iou,
    iou_table,
    label_objects,
    match_instances,
    merges_and_splits,
    objects_from_border,
    panoptic_quality,
    split_touching,
)
from unet_helpers.teaching import draw_cells

planes = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7)
masks = array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=6).flatmap(lambda shape: arrays(bool, shape))
numbers = st.sampled_from([0, 0, 1, 2, 5, 9])
two_scenes = planes.flatmap(lambda shape: st.tuples(*[arrays(np.int32, shape, elements=numbers)] * 2))


def disks(*places, size=48):
    """Disks ``(row, column, radius)`` as a label image; the later lies on top."""
    labels = np.zeros((size, size), np.int32)
    for number, (row, column, radius) in enumerate(places, start=1):
        labels[np.hypot(*(np.mgrid[:size, :size] - np.array([row, column])[:, None, None])) <= radius] = number
    return labels


def same_objects(a, b):
    """The same pieces, whatever their numbers."""
    pairs = set(zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
    return len(pairs) == len({x for x, _ in pairs}) == len({y for _, y in pairs}) and np.array_equal(a > 0, b > 0)


# --- label ------------------------------------------------------------------------------------


@given(masks, st.integers(1, 3))
def test_labels_are_those_of_scikit_image(mask, connectivity):
    connectivity = min(connectivity, mask.ndim)
    found = label_objects(mask, connectivity)
    assert same_objects(found, skimage.measure.label(mask, connectivity=connectivity))
    assert np.array_equal(found > 0, mask)


@given(masks, st.integers(0, 5))
def test_small_pieces_go_and_the_rest_is_numbered_without_gaps(mask, least):
    found = label_objects(mask, min_pixels=least)
    whole = label_objects(mask)
    sizes = np.bincount(whole.ravel())[1:]
    assert np.unique(found[found > 0]).tolist() == list(range(1, int((sizes >= least).sum()) + 1))
    assert np.array_equal(found > 0, np.isin(whole, np.flatnonzero(sizes >= least) + 1))


def test_a_corner_joins_by_default_and_not_over_edges_only(draw):
    mask = draw("#..", ".#.", "..#")
    assert label_objects(mask).max() == 1
    assert label_objects(mask, connectivity=1).max() == 3


def test_gaps_in_the_numbers_are_closed():
    assert drop_small(np.array([0, 7, 7, 3, 9]), 0).tolist() == [0, 2, 2, 1, 3]
    assert drop_small(np.array([0, 7, 7, 3, 9]), 2).tolist() == [0, 1, 1, 0, 0]


# --- split ------------------------------------------------------------------------------------


def test_two_disks_that_touch_are_cut_at_the_neck():
    truth = disks((20, 15, 8), (20, 30, 8))
    assert label_objects(truth > 0).max() == 1
    found = split_touching(truth > 0)
    assert found.max() == 2
    assert match_instances(truth, found, min_iou=0.95).pairs.tolist() == [[1, 1], [2, 2]]


@pytest.mark.parametrize("place", [(20, 20, 9), (0, 20, 9), (2, 2, 7), (20, 20, 1), (20, 20, 0.5)])
def test_one_disk_stays_one_also_at_the_frame_and_if_it_is_small(place):
    truth = disks(place)
    assert np.array_equal(split_touching(truth > 0), truth)


def test_a_larger_neck_splits_less():
    counts = [split_touching(draw_cells(30, 96, seed=1)[1] > 0, neck).max() for neck in (0.1, 0.5, 1, 2, 4, 20)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_a_very_large_neck_leaves_the_pieces_whole():
    mask = draw_cells(30, 96, seed=1)[1] > 0
    assert same_objects(split_touching(mask, neck=1000), label_objects(mask))


@given(masks, st.sampled_from([0.25, 1.0, 3.0]))
def test_splitting_keeps_the_mask_and_numbers_without_gaps(mask, neck):
    found = split_touching(mask, neck)
    assert np.array_equal(found > 0, mask)
    assert set(np.unique(found)) - {0} == set(range(1, found.max(initial=0) + 1))
    for number in range(1, found.max(initial=0) + 1):  # a piece is never made of two that do not hang together
        assert len(np.unique(label_objects(mask)[found == number])) == 1


def test_balls_in_3d_are_split_too():
    grid = np.indices((16, 16, 28)).astype(float)
    balls = [np.sqrt(((grid - np.array([8, 8, x])[:, None, None, None]) ** 2).sum(axis=0)) <= 6.5 for x in (8, 19)]
    assert label_objects(balls[0] | balls[1]).max() == 1
    assert split_touching(balls[0] | balls[1]).max() == 2


# --- border -----------------------------------------------------------------------------------


@given(planes.flatmap(lambda shape: arrays(np.int32, shape, elements=numbers)), st.sampled_from([1, 1.5, 2, 3]))
def test_border_by_brute_force(labels, width):
    places = list(np.ndindex(labels.shape))
    expected = (labels > 0).astype(int)
    for place, other in itertools.product(places, places):
        if labels[place] and labels[other] and labels[place] != labels[other] and math.dist(place, other) <= width:
            expected[place] = 2
    assert np.array_equal(border_targets(labels, width), expected)


def test_objects_come_back_from_their_border():
    _, labels = draw_cells(40, seed=3)
    assert label_objects(labels > 0).max() < 0.8 * labels.max()
    classes = border_targets(labels)
    assert set(np.unique(classes)) == {0, 1, 2}
    found = objects_from_border(classes)
    assert found.max() == labels.max()
    assert panoptic_quality(labels, found).sq > 0.97


def test_a_piece_of_border_alone_is_an_object(draw):
    assert objects_from_border(draw("22.11", "22.11"), min_seed=1).tolist() == [[2, 2, 0, 1, 1]] * 2


def test_border_pixels_go_to_the_nearer_inside(draw):
    assert objects_from_border(draw("112211"), min_seed=1).tolist() == [[1, 1, 1, 2, 2, 2]]


def test_a_speck_of_inside_is_no_seed(draw):
    assert objects_from_border(draw("11122122", "11122222")).max() == 1
    assert objects_from_border(draw("11122122", "11122222"), min_seed=1).max() == 2


# --- match ------------------------------------------------------------------------------------


@given(two_scenes)
def test_iou_of_every_pair_is_that_of_two_masks(scenes):
    true, found = scenes
    table = iou_table(true, found)
    names = [np.unique(scene[scene > 0]) for scene in scenes]
    assert table.shape == (len(names[0]), len(names[1]))
    for (row, t), (column, f) in itertools.product(*map(enumerate, names)):
        assert table[row, column] == pytest.approx(iou(true == t, found == f))


@given(two_scenes, st.sampled_from([0.2, 0.5, 0.75]))
def test_no_other_matching_has_more_pairs(scenes, least):
    found = match_instances(*scenes, min_iou=least)
    table = iou_table(*scenes)
    small, large = sorted(table.shape)
    table = table if table.shape[0] == small else table.T
    ways = itertools.permutations(range(large), small)
    best = max((sum(table[row, column] >= least for row, column in enumerate(way)) for way in ways), default=0)
    assert len(found.pairs) == best
    assert (found.ious >= least).all()
    assert len(set(found.pairs[:, 0])) == len(set(found.pairs[:, 1])) == best
    assert (found.missed, found.false) == (found.true - best, found.predicted - best)


@given(two_scenes)
def test_above_half_there_is_no_choice(scenes):
    table = iou_table(*scenes)
    assert (table > 0.5).sum(axis=0).max(initial=0) <= 1
    assert (table > 0.5).sum(axis=1).max(initial=0) <= 1


def test_matching_counts_what_detect_objects_counts():
    mask = draw_cells(30, 96, seed=1)[1] > 0
    moved = np.roll(mask, (1, 2), (0, 1))
    counted = detect_objects(mask, moved, min_iou=0.7)
    found = match_instances(label_objects(mask), label_objects(moved), 0.7)
    assert (len(found.pairs), found.true, found.false) == (counted.found, counted.true, counted.false)
    assert found.missed > 0


def test_a_count_that_is_right_by_a_merge_and_a_split(draw):
    truth = draw("1122.33", "1122.33")
    found = draw("1111.23", "1111.23")
    assert match_instances(truth, found).count_error == 0
    assert merges_and_splits(truth, found) == (1, 1)
    assert merges_and_splits(truth, truth) == (0, 0)
    assert merges_and_splits(truth, truth * 0) == (0, 0)


# --- scores -----------------------------------------------------------------------------------


@given(two_scenes)
def test_panoptic_quality_by_the_formula_of_the_paper(scenes):
    true, found = scenes
    sides = [[scene == number for number in np.unique(scene[scene > 0])] for scene in scenes]
    pairs = [overlap for t, f in itertools.product(*sides) if (overlap := iou(t, f)) > 0.5]
    if any(iou(t, f) == 0.5 for t, f in itertools.product(*sides)):
        return  # where the paper asks for more than 0.5
    fp, fn = len(sides[1]) - len(pairs), len(sides[0]) - len(pairs)
    pq, sq, rq = panoptic_quality(true, found)
    if not sides[0] and not sides[1]:
        assert np.isnan([pq, sq, rq]).all()
        return
    assert pq == pytest.approx(sum(pairs) / (len(pairs) + fp / 2 + fn / 2))
    if pairs:
        assert pq == pytest.approx(sq * rq)
        assert sq == pytest.approx(np.mean(pairs))


@given(two_scenes)
def test_average_precision_as_the_competition_counts_it(scenes):
    true, found = scenes
    table = iou_table(true, found)
    if not sum(table.shape):
        assert math.isnan(average_precision(true, found))
        return
    if (table == 0.5).any():
        return
    scores = []
    for threshold in np.arange(0.5, 1.0, 0.05).round(2):  # the loop of the competition's page
        hits = table >= threshold
        tp, fp, fn = (hits.sum(axis=1) == 1).sum(), (hits.sum(axis=0) == 0).sum(), (hits.sum(axis=1) == 0).sum()
        scores.append(tp / (tp + fp + fn))
    assert average_precision(true, found) == pytest.approx(np.mean(scores))


@given(two_scenes, st.permutations([1, 2, 5, 9]))
def test_scores_do_not_depend_on_the_numbers_of_the_objects(scenes, order):
    new = np.arange(10)
    new[[1, 2, 5, 9]] = order
    for score in (panoptic_quality, average_precision):
        np.testing.assert_allclose(score(*scenes), score(new[scenes[0]], scenes[1]))
        np.testing.assert_allclose(score(*scenes), score(scenes[1], scenes[0]))  # nor on which one is the truth


def test_scores_of_a_drawn_scene(draw):
    truth = draw("1111.22", "......2")
    found = draw("3333.44", "3......")  # IoU 4/5 and 2/3
    assert panoptic_quality(truth, found) == pytest.approx(((4 / 5 + 2 / 3) / 2, (4 / 5 + 2 / 3) / 2, 1))
    both, one = 4, 3  # thresholds .50–.65 have two pairs, .70–.80 one, with one missed and one false
    assert average_precision(truth, found) == pytest.approx((both * 1 + one / 3) / len(THRESHOLDS))


def test_nothing_in_common_and_nothing_at_all(draw):
    truth = draw("11..")
    quality = panoptic_quality(truth, draw("..11"))
    assert (quality.pq, quality.rq) == (0, 0)
    assert math.isnan(quality.sq)
    assert average_precision(truth, draw("....")) == 0
    assert all(math.isnan(x) for x in panoptic_quality(truth * 0, truth * 0))


# --- a scene ----------------------------------------------------------------------------------


def test_drawn_cells_are_as_many_as_asked_and_touch_if_asked():
    image, labels = draw_cells(40, 128, touching=0.6, seed=5)
    assert (image.dtype, labels.dtype, image.shape) == (np.float32, np.int32, (128, 128))
    assert 0 <= image.min() < image.max() <= 1
    assert np.unique(labels).tolist() == list(range(labels.max() + 1))
    assert 30 <= labels.max() <= 40
    assert all(label_objects(labels == number).max() == 1 for number in range(1, labels.max() + 1))
    assert image[labels > 0].mean() > image[labels == 0].mean() + 0.3
    alone = draw_cells(20, 128, touching=0, seed=5)[1]
    assert label_objects(labels > 0).max() / labels.max() < label_objects(alone > 0).max() / alone.max()
    assert np.array_equal(image, draw_cells(40, 128, touching=0.6, seed=5)[0])


# --- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: label_objects(a, connectivity=3), "connectivity is 3.*from 1 to 2"),
        (lambda a: label_objects(a * 255), "values other than 0 and 1"),
        (lambda a: split_touching(a, neck=0), "neck is 0"),
        (lambda a: match_instances(a, a[:2]), "bring them to one shape"),
        (lambda a: match_instances(a, a, min_iou=0), "min_iou is 0"),
        (lambda a: panoptic_quality(a, a / 2), "y_pred is float64.*label_objects"),
        (lambda a: average_precision(-a, a), "y_true holds -1"),
        (lambda a: border_targets(a - 1), "labels holds -1"),
        (lambda a: objects_from_border(a * 3), "values other than 0 background"),
    ],
)
def test_bad_input_is_refused_with_a_reason(call, message):
    array = np.eye(4, dtype=int)
    with pytest.raises(ValueError, match=message):
        call(array)
