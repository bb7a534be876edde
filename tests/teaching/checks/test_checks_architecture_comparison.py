"""What the exercises of notebook 08 take for right is what the package counts and builds."""

import keras
import numpy as np

from unet_helpers.models import build_network, count_multiply_adds, count_parameters
from unet_helpers.teaching.checks import architecture_comparison as check


def test_the_right_answer_is_what_the_package_counts():
    model = keras.Sequential([keras.Input((128, 128, 8)), keras.layers.Conv2D(16, 3, padding="same")])
    assert count_multiply_adds(model) == 128 * 128 * 3 * 3 * 8 * 16


def test_the_rule_of_the_square_gives_the_width_that_the_search_finds():
    has, wanted = (count_parameters(build_network(name, base_filters=8)) for name in ("FCN-8s", "U-Net"))
    assert round(8 * (wanted / has) ** 0.5) == 4


def test_every_report_has_an_answer_among_the_flaws():
    assert set(check.REPORTS) == set("ABCD")
    assert np.all([len(text) > 100 for text in check.REPORTS.values()])
