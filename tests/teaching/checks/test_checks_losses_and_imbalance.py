"""The two suspects of exercise 07.3 are what its check says of them."""

import numpy as np
import pytest

from unet_helpers.teaching.checks import losses_and_imbalance as check
from unet_helpers.training import TverskyLoss


def test_suspect_b_is_the_loss_of_the_package_and_suspect_a_has_its_weights_exchanged():
    truth, found = np.array([1, 1, 0, 0.0]), np.array([0.9, 0.3, 0.4, 0.0])
    pair = [values.reshape(1, 2, 2, 1).astype(np.float32) for values in (truth, found)]
    for suspect, weights in ((check.suspect_b, (0.2, 0.8)), (check.suspect_a, (0.8, 0.2))):
        assert suspect(truth, found) == pytest.approx(float(TverskyLoss(*weights)(*pair)), abs=1e-6)
