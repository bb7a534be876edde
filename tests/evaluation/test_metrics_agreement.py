"""Our metrics against independent implementations: on drawn masks, at the edges, and on random blobs.

scikit-learn, SciPy and scikit-image are always there. MONAI needs PyTorch, medpy and surface-distance need NumPy 1.23:
they run where ``UNET_TORCH_PYTHON`` and ``UNET_PEER_PYTHON`` name a Python that has them, and are skipped otherwise.
"""

import importlib.util
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]

import metrics_agreement as agreement  # noqa: E402
import peer_metrics  # noqa: E402

ENVIRONMENTS = {"MONAI": "UNET_TORCH_PYTHON", "medpy": "UNET_PEER_PYTHON", "surface-distance": "UNET_PEER_PYTHON"}
LIBRARIES = tuple(peer_metrics.LIBRARIES)
RECORDED = json.loads((ROOT / "book" / "results" / "metrics_agreement.json").read_text(encoding="utf-8"))["results"]


@pytest.fixture(scope="module")
def measure():
    """``measure(library, truth, found, spacing)``, here or in the environment that has the library; or a skip."""
    opened = {}

    def ask(library, *case):
        if importlib.util.find_spec(peer_metrics.LIBRARIES[library][0]):
            return peer_metrics.measure(library, *case, agreement.TOLERANCE)
        variable = ENVIRONMENTS[library]
        if not os.environ.get(variable):
            pytest.skip(f"{library} is not installed; name a Python that has it in {variable}")
        if variable not in opened:
            opened[variable] = peer_metrics.Environment(os.environ[variable])
        return opened[variable].measure(library, *case, agreement.TOLERANCE)

    yield ask
    for environment in opened.values():
        environment.close()


def disagreements(library, theirs, case):
    """What differs by more than one part in a million, other than by a definition that the page states."""
    gaps = agreement.differences(library, agreement.ours(*case), theirs)
    return {
        name: gap
        for name, gap in gaps.items()
        if gap > agreement.LIMIT and (name, library) not in agreement.OTHER_DEFINITION
    }


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", agreement.drawn_cases())
def test_drawn_masks_and_edge_cases_agree(measure, library, name):
    truth, found = agreement.drawn_cases()[name]
    for spacing in agreement.SPACINGS[truth.ndim]:
        case = truth, found, spacing
        assert disagreements(library, measure(library, *case), case) == {}


share = st.floats(0, 1, width=16)
part = {n: st.tuples(st.tuples(*[share] * n), st.tuples(*[st.floats(0.0625, 0.375, width=16)] * n)) for n in (2, 3)}
blobs = {
    n: st.tuples(
        *[st.lists(part[n], max_size=3).map(lambda parts, n=n: agreement.ellipsoids(agreement.SHAPES[n], parts))] * 2,
        st.sampled_from(agreement.SPACINGS[n]),
    )
    for n in (2, 3)
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_random_blobs_agree(measure, library, ndim):
    compared = set()

    @settings(max_examples=25)
    @given(blobs[ndim])
    def check(case):
        theirs = measure(library, *case)
        compared.update(agreement.differences(library, agreement.ours(*case), theirs))
        assert disagreements(library, theirs, case) == {}

    check()
    assert "Dice" in compared or library == "scikit-image"
    assert len(compared) >= 3


def test_a_wrong_metric_would_be_found():
    truth, found = agreement.drawn_cases()["false island"]
    case = truth, found, (1.0, 1.0)
    theirs = peer_metrics.measure("SciPy", *case, agreement.TOLERANCE)
    assert disagreements("SciPy", theirs, case) == {}
    for name in theirs:
        wrong = theirs | {name: theirs[name] + 1e-4}
        assert set(disagreements("SciPy", wrong, case)) == {name}


def test_a_mask_survives_its_way_to_another_environment():
    rng = np.random.default_rng(0)
    for shape in ((3, 5), (2, 3, 7), (1, 1)):
        mask = rng.random(shape) < 0.5
        packed = json.loads(json.dumps(peer_metrics.pack(mask)))
        np.testing.assert_array_equal(peer_metrics.unpack(packed), mask)


def test_surface_dice_by_length_of_a_pixel_and_of_two():
    one = np.zeros((5, 5), bool)
    one[2, 2] = True
    pair = one.copy()
    pair[2, 3] = True
    slant = math.sqrt(0.5)
    assert agreement.surface_dice_by_length(one, one, (1, 1), 0) == 1
    # the pixel: four slants, all on the contour of the pair; that has four slants and two straights, half of it shared
    expected = (4 * slant + 2 * slant + 2) / (4 * slant + 4 * slant + 2)
    assert agreement.surface_dice_by_length(one, pair, (1, 1), 0) == pytest.approx(expected)


# --- what is recorded ---------------------------------------------------------------------------


def test_every_metric_is_recorded_against_at_least_one_library_and_most_against_several():
    names = set(agreement.ours(np.eye(3, dtype=bool)[None], np.eye(3, dtype=bool)[None], (1.0, 1.0, 1.0)))
    names = names - set(agreement.COUNTS) | {"confusion counts", "surface Dice, by area"}
    assert set(RECORDED["agreement"]) == names
    assert sum(len(rows) > 1 for rows in RECORDED["agreement"].values()) > len(names) / 2
    assert {library for rows in RECORDED["agreement"].values() for library in rows} == set(LIBRARIES)


def test_what_is_recorded_agrees_or_states_another_definition():
    for metric, rows in RECORDED["agreement"].items():
        for library, row in rows.items():
            assert row["cases"] >= 100
            if row["differing"]:
                assert row["definition"] == agreement.OTHER_DEFINITION[metric, library]
            else:
                assert row["largest"] <= agreement.LIMIT


def test_the_page_of_the_metrics_is_in_step():
    import metric_table

    assert metric_table.PAGE.read_text(encoding="utf-8") == metric_table.page()
