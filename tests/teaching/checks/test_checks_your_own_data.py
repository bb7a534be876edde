"""The self-checks of notebook 15 say not yet, right, or what is wrong."""

import pytest

from unet_helpers.teaching.checks import your_own_data as check


@pytest.mark.parametrize(
    ("task", "answer", "says"),
    [
        (check.patient_pattern, r"(PAT\d+)", "Right"),
        (check.patient_pattern, r"_PAT(\d+)_", "Right"),
        (check.patient_pattern, r"PAT\d+", "parentheses"),
        (check.patient_pattern, r"^(\d+_PAT\d+)", "examined twice"),
        (check.patient_pattern, r"(\d+)$", "but the patient is"),
        (check.patient_pattern, r"(PAT", "is no regular expression"),
        (check.mask_values, {0: 0, 64: 1, 128: 1, 255: 2}, "Right"),
        (check.mask_values, {0: 0, 64: ..., 128: ..., 255: 2}, "Not yet"),
        (check.mask_values, {0: 0, 1: 64, 2: 255}, "other way round"),
        (check.mask_values, {0: 0, 64: 1, 255: 2}, "128"),
        (check.mask_values, {0: 0, 64: 1, 128: 2, 255: 3}, "one class"),
        (check.mask_values, {0: 0, 64: 2, 128: 2, 255: 1}, "expected classes"),
        (check.mask_values, [0, 1, 1, 2], "dict"),
        (check.two_operating_points, (0.76, 0.69), "Right"),
        (check.two_operating_points, (0.8, 0.8), "missed object counts 0"),
        (check.two_operating_points, (0.69, 0.76), "order"),
        (check.two_operating_points, (0.9, 0.1), "is not it"),
    ],
)
def test_answers_get_the_precise_message(said, task, answer, says):
    assert says in said(task, answer)
