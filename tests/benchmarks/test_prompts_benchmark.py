"""The benchmark of networks that take clicks: its measures, on masks whose answer is known."""

import numpy as np
import prompts
import pytest


def test_dice_is_per_thing_and_number_of_clicks():
    truths = np.zeros((2, 4, 4), bool)
    truths[0, :2], truths[1, :, :1] = True, True
    masks = np.zeros((3, 2, 4, 4), bool)
    masks[1, :, :2] = True
    masks[2] = truths
    assert prompts.dice_of(masks, truths) == pytest.approx(np.array([[0, 1, 1], [0, 1 / 3, 1]]))


def test_a_click_picks_the_object_under_it_and_no_background():
    mask = np.zeros((5, 9), np.uint8)
    mask[1:4, 1:4], mask[2, 2], mask[1:4, 6:8] = 1, 2, 1
    assert prompts.pick(mask, (1, 1)).sum() == 8  # the lung around the nodule, and not the other lung
    assert prompts.pick(mask, (2, 2)).sum() == 1
    assert not prompts.pick(mask, (0, 0)).any()


def test_no_network_but_the_last_was_trained_on_what_is_called_unseen():
    for name, (kinds, seeds) in prompts.NETWORKS.items():
        assert len(seeds) == len(set(seeds))
        assert set(prompts.UNSEEN).isdisjoint(kinds) == (name != "all nine")
        assert set(kinds) <= set(prompts.LEAST)


def test_a_mean_comes_with_its_interval_over_patients():
    row = prompts.with_interval(np.array([0.5, 0.6, 0.7, 0.8, 0.9]))
    assert row["low"] < row["mean"] < row["high"]
    assert row["mean"] == pytest.approx(0.7)
