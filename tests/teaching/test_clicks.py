"""Clicks: maps, simulated clicks, sessions, and the plain methods that take clicks."""

import numpy as np
import pytest

from unet_helpers.phantom import make_patient
from unet_helpers.teaching import clicks
from unet_helpers.teaching.structures import STRUCTURES, structure_masks


def box(shape, top, bottom, left, right):
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def test_a_click_is_a_disk_of_thirteen_pixels_and_overlapping_disks_stay_at_one():
    one = clicks.click_map([(5, 6)], (12, 14))
    assert (one.sum(), one[5, 6], one[3, 6], one[3, 5], one.dtype) == (13, 1, 1, 0, np.float32)
    assert clicks.click_map([(5, 6), (5, 7)], (12, 14)).max() == 1
    assert not clicks.click_map([], (12, 14)).any()


def test_positive_and_negative_clicks_are_two_channels_after_the_image():
    image = np.full((12, 14), 0.25)
    given = clicks.with_clicks(image, [(5, 6)], [(1, 1)])
    assert given.shape == (12, 14, 3)
    assert (given[..., 0] == 0.25).all()
    assert (given[5, 6].tolist(), given[1, 1].tolist()) == ([0.25, 1, 0], [0.25, 0, 1])


def test_the_next_click_is_in_the_middle_of_the_largest_error_and_knows_its_sign():
    truth = box((20, 24), 3, 8, 3, 8)
    assert clicks.next_click(truth, truth & False) == (5, 5, True)
    assert clicks.next_click(truth, truth | box((20, 24), 10, 19, 12, 21)) == (14, 16, False)
    assert clicks.next_click(truth, truth) is None


def test_missing_and_superfluous_pixels_that_touch_are_two_errors():
    truth, mask = box((20, 30), 2, 9, 2, 7), box((20, 30), 2, 9, 7, 12)
    alone = box((20, 30), 12, 19, 20, 27)
    assert clicks.next_click(truth | alone, mask) == (15, 23, True)


def test_the_border_of_the_image_is_an_edge():
    truth = box((20, 30), 11, 20, 21, 30)
    assert clicks.next_click(truth, truth & False) == (15, 25, True)
    assert clicks.next_click(np.ones((9, 9), bool), np.zeros((9, 9), bool)) == (4, 4, True)


def test_a_long_thin_error_goes_before_a_round_smaller_one():
    truth = box((26, 44), 3, 6, 2, 40) | box((26, 44), 2, 7, 20, 25) | box((26, 44), 13, 22, 10, 19)
    assert clicks.next_click(truth, truth & False) == (4, 22, True)


def test_a_click_of_training_is_in_the_inner_half_of_the_error():
    truth, rng = box((20, 24), 3, 14, 3, 20), np.random.default_rng(0)
    places = {clicks.next_click(truth, truth & False, rng)[:2] for _ in range(50)}
    assert len(places) > 10
    assert all(5 <= row <= 11 and 5 <= column <= 17 for row, column in places)


def perfect_after(truths, needed):
    """Somebody who marks the thing once it has been clicked so many times."""

    def segment(images, positive, negative):
        counts = [len(p) + len(n) for p, n in zip(positive, negative, strict=True)]
        return np.array([truth & (count >= needed) for truth, count in zip(truths, counts, strict=True)])

    return segment


def test_clicking_goes_on_until_nothing_is_wrong():
    truths = np.array([box((20, 24), 3, 8, 3, 8), box((20, 24), 9, 18, 2, 13)])
    masks, placed = clicks.click_through(perfect_after(truths, 2), np.zeros((2, 20, 24)), truths, clicks=4)
    assert masks.shape == (5, 2, 20, 24)
    assert [mask.any() for mask in masks] == [False, False, True, True, True]
    assert [len(own) for own in placed] == [2, 2]
    assert placed[0][0] == (5, 5, True)


def test_an_unsteady_hand_moves_the_click_and_keeps_its_sign():
    truths = np.array([box((20, 24), 3, 8, 3, 8)] * 20)
    _, placed = clicks.click_through(perfect_after(truths, 9), np.zeros((20, 20, 24)), truths, clicks=1, shift=2.0)
    places = np.array([own[0] for own in placed])
    assert places[:, 2].all()
    assert places[:, :2].std(axis=0) == pytest.approx([2, 2], abs=0.9)


def test_a_region_grows_to_the_tolerance_and_a_negative_click_is_a_wall():
    image = np.zeros((9, 21))
    image[:, 14:] = 0.5
    grown = clicks.grow_regions(0.1)([image], [[(4, 3)]], [[]])[0]
    assert (grown == (image == 0)).all()
    image[:3], image[6:] = 1, 1  # a corridor of three rows
    walled = clicks.grow_regions(0.1)([image], [[(4, 3)]], [[(4, 8)]])[0]
    assert walled[4, [5, 8, 12]].tolist() == [True, False, False]


def test_a_watershed_shares_out_the_image_at_its_edges():
    image = box((24, 24), 8, 16, 8, 16).astype(float)
    found = clicks.watershed_segmenter(0)([image], [[(12, 12)]], [[]])[0]
    assert (found ^ (image > 0)).sum() <= 40  # the edge itself is two pixels wide
    assert not clicks.watershed_segmenter(0)([image], [[]], [[]]).any()


def test_sessions_click_on_the_error_of_the_answer_and_end():
    images = np.zeros((1, 64, 64))
    objects = {"thing": clicks.objects_of(box((64, 64), 20, 40, 20, 44)[None], 4)}
    sessions = clicks.Sessions(images, objects, size=32, together=3, most=4, seed=0)
    assert (sessions.inputs[..., 1].sum(axis=(1, 2)) > 0).all()  # the first click is positive
    assert not sessions.inputs[..., 2].any()
    assert [len(own) for own in sessions.clicks] == [1, 1, 1]
    left = sessions.left.copy()
    sessions.answer(np.ones_like(sessions.truths))  # all is marked: whatever is outside gets a negative click
    going_on = (left > 0) & ~sessions.truths.all(axis=(1, 2))
    assert (sessions.inputs[going_on][..., 2].sum(axis=(1, 2)) > 0).all()
    for own, given in zip(sessions.clicks, sessions.inputs, strict=True):  # the list and the maps say the same
        for channel, sign in ((1, True), (2, False)):
            placed = [click[:2] for click in own if click[2] is sign]
            assert (clicks.click_map(placed, (32, 32)) == given[..., channel]).all()
    sessions.answer(sessions.truths.copy())  # all is right: everybody begins anew
    assert not sessions.inputs[..., 2].any()


def test_the_network_of_the_package_takes_three_channels_and_marks_what_is_clicked():
    model = clicks.load_click_network()
    assert model.input_shape[-1] == 3
    assert model.output_shape[-1] == 1
    assert clicks.CLICK_NETWORK.stat().st_size < 1e6


def test_structures_lie_where_anatomy_has_them():
    patient = make_patient(0, index=3, size=64, slices=6)
    cut = structure_masks(patient)
    assert list(sorted(cut)) == sorted(STRUCTURES)
    assert all(mask.shape == patient.masks.shape and mask.dtype == bool for mask in cut.values())
    lung = patient.masks == 1
    for name in ("heart", "spine", "muscle", "liver or spleen"):
        assert cut[name].any()
        assert not (cut[name] & lung).any()
    rows = {name: np.argwhere(cut[name])[:, 1].mean() for name in ("heart", "spine")}
    assert rows["heart"] < rows["spine"]  # the patient lies on the back
    assert patient.volume[cut["spine"]].mean() > 150
