"""The scans that exercise 09.2 asks about; the answers to the exercises are in tests/mutants."""

import numpy as np

from unet_helpers.teaching.checks import domain_shift_and_transfer as check


def test_each_mystery_scan_shows_what_its_clue_says():
    images = check.mystery_scans()
    by_cause = {cause: images[letter] for letter, cause in check.ANSWERS.items()}
    assert all(image.shape == (128, 128) and 0 <= image.min() <= image.max() <= 1 for image in images.values())
    grain = {cause: np.median(np.abs(np.diff(image[32:96, 32:96], n=2))) for cause, image in by_cause.items()}
    assert grain["low dose"] > 1.2 * grain["motion"]
    # lung and air are one value in the soft-tissue window, and two in the lung window
    assert (by_cause["soft-tissue window"] == 0).mean() > 0.3
    assert (by_cause["motion"] == 0).mean() < 0.3
    # the body takes less of a wide field
    body = {cause: (image > 0.4).mean() for cause, image in by_cause.items()}
    assert body["wide field of view"] < 0.7 * body["motion"]
