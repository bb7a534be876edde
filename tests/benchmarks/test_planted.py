"""Planted errors: one slice, one mistake, and the atlas mostly finds its name."""

import numpy as np
import pytest
from planted import PLANTS, NoRoomError, plant

from unet_helpers.data import window
from unet_helpers.failures import ATLAS, sort_errors
from unet_helpers.phantom import Acquisition, make_patient
from unet_helpers.phantom.patients import outside_circle


@pytest.fixture(scope="module")
def patient():
    """Truth and images of a patient whose lungs the field of view cuts."""
    made = make_patient(0, index=303, slices=6, acquisition=Acquisition(field_of_view=220.0, padding=-1024))
    truth = np.where(outside_circle(128), 0, made.masks).astype(np.uint8)
    return truth, window(made.volume, -600, 1500)


def test_there_is_an_operation_for_every_kind():
    assert set(PLANTS) == set(ATLAS)


@pytest.mark.parametrize("kind", ATLAS)
def test_a_planted_error_is_in_one_slice_and_gets_its_name(patient, kind):
    truth, images = patient
    before = truth.copy(), images.copy()
    right = 0
    for seed in range(6):
        predicted, changed = plant(kind, truth, images, np.random.default_rng(seed))
        assert np.array_equal(truth, before[0])
        assert np.array_equal(images, before[1])
        assert ((predicted != truth).any(axis=(1, 2))).sum() == 1
        assert (changed != images).any() == (kind == "low contrast")
        table, _ = sort_errors(truth, predicted, changed)
        right += table.loc[table["pixels"].idxmax(), "kind"] == kind
    assert right >= 5


def test_where_there_is_no_room_this_is_said(patient):
    truth, images = patient
    with pytest.raises(NoRoomError, match="no room"):
        plant("low contrast", np.minimum(truth, 1), images, np.random.default_rng(0))
    with pytest.raises(ValueError, match="choose one of"):
        plant("lost", truth, images, np.random.default_rng(0))
