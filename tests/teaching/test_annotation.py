"""What annotators leave behind, what it costs, and which slices come next."""

import numpy as np
import pytest

from unet_helpers.teaching.annotation import (
    DEFECTS,
    LOOK,
    SECONDS,
    UNLABELED,
    annotate,
    farthest_first,
    highest_one_each,
    spoil,
)

MASK = np.zeros((20, 24), np.uint8)
MASK[4:14, 2:8] = 1
MASK[5:15, 15:22] = 1
MASK[9:11, 17:19] = 2


def test_the_farthest_comes_first_and_then_counts_as_chosen():
    points = np.array([[0.0], [1.0], [5.0], [9.0], [8.9]])
    assert farthest_first(points, [0], 3) == [3, 2, 1]
    assert farthest_first(points, [3, 0], 1) == [2]


def test_a_patient_gets_one_slice_a_round_and_no_slice_is_paid_for_twice():
    assert highest_one_each([0.9, 0.8, 0.5, 0.7], list("AABC"), [], 2) == [0, 3]
    assert highest_one_each([0.9, 0.8, 0.5, 0.7], list("AABC"), [0], 9) == [1, 3, 2]


def test_a_mask_says_everything_and_costs_an_outline_for_each_object():
    labels, seconds = annotate(MASK, "mask")
    assert (labels == MASK).all()
    assert seconds == LOOK + 3 * SECONDS["mask"]


@pytest.mark.parametrize(("kind", "strokes"), [("box", 3), ("scribble", 5)])
def test_what_a_weak_label_says_is_true_and_most_of_the_objects_stays_open(kind, strokes):
    labels, seconds = annotate(MASK, kind)
    said = labels != UNLABELED
    assert seconds == LOOK + strokes * SECONDS[kind]
    assert (labels == 0)[said & (MASK == 0)].all()
    assert {0, 1, 2} == set(np.unique(labels[said]))
    assert said[MASK > 0].mean() < 0.5


def test_the_inner_fifth_of_a_box_has_its_class():
    mask = np.zeros((40, 40), int)
    mask[10:30, 5:35] = 1
    labels, _ = annotate(mask, "box")
    assert 0.15 < (labels == 1).sum() / (20 * 30) < 0.25
    assert (labels == 0).sum() == 1600 - 600


def test_a_slice_without_objects_costs_a_look():
    labels, seconds = annotate(np.zeros((8, 8), int), "box")
    assert (labels == 0).all()
    assert seconds == LOOK


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_spoiled_slice_is_a_picture_still_and_the_first_stays_as_it_was(defect):
    image = np.full((32, 32), 0.2, np.float32)
    image[8:24, 8:24] = 0.7
    before = image.copy()
    spoiled = spoil(image, defect, np.random.default_rng(0))
    assert spoiled.shape == image.shape
    assert spoiled.dtype == np.float32
    assert 0 <= spoiled.min() <= spoiled.max() <= 1
    assert np.abs(spoiled - image).mean() > 0.05
    assert (image == before).all()


def test_unknown_words_are_refused_and_the_known_ones_named():
    with pytest.raises(ValueError, match="'mask', 'box', 'scribble'"):
        annotate(MASK, "point")
    with pytest.raises(ValueError, match="'noise', 'streaks'"):
        spoil(np.zeros((4, 4)), "dust", np.random.default_rng(0))
