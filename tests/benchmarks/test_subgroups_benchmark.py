"""The parts of benchmarks/subgroups.py, small."""

import numpy as np
import pytest
from test_benchmark_scripts import script


@pytest.fixture(scope="module")
def module():
    return script("subgroups")


def test_training_validation_and_pool_share_nobody(module):
    ranges = (module.TRAIN, module.VALIDATION, module.POOL)
    assert sum(map(len, ranges)) == len(set().union(*ranges))


def test_a_prone_patient_is_turned_image_and_lungs_alike(module):
    lungs = np.zeros((2, 4, 64, 64), bool)
    lungs[:, :, 5:9, 40:50] = True
    archive = {"images": lungs.astype(np.float32), "lungs": lungs}
    subset = module.subset_of(archive, [0, 1], [False, True])
    assert subset.masks[3, 5:9, 40:50].all()
    assert subset.masks[4, -9:-5, -50:-40].all()
    assert np.array_equal(subset.images[..., 0], subset.masks)
    assert subset.patients == ["0000", "0001"]


def test_every_repair_makes_about_as_many_steps(module):
    for count, times, turned in module.REPAIRS.values():
        slices = 4 * (module.TRAINED_ON + count * (times - 1)) * (1 + turned)
        steps = np.ceil(slices / 8)
        assert abs(round(module.STEPS / steps) * steps - module.STEPS) < 0.05 * module.STEPS


def test_reports_find_a_large_gap_when_they_look_at_the_group_and_are_rarely_wrong_where_there_is_none(module):
    rng = np.random.default_rng(0)
    members = {name: rng.random(200) < 0.4 for name in ("a", "b", "c", "d", "e")} | {"prone": rng.random(200) < 0.2}
    values = rng.normal(0.95, 0.02, 200) - 0.04 * members["prone"]
    found = module.simulate(values, members, rng.normal(0.95, 0.02, 100), 100, draws=30)
    assert found["one group"]["found"] > 0.9
    assert found["six groups, Holm"]["false"] <= found["six groups"]["false"]
    assert found["lowest mean"]["false"] == 1  # some group is always the lowest


def test_the_fewest_patients_are_about_those_of_the_formula(module):
    values = np.random.default_rng(0).normal(size=400)
    # two groups, spread 1, gap 0.5: 2 (1.96 + 0.84)² / 0.25 patients in each
    assert module.fewest_patients(values, values, 0.5) == pytest.approx(63, rel=0.15)
    assert module.fewest_patients(values, values, 0.5, looks=6) > 80


def test_the_crossings_of_a_group_are_those_that_name_it_and_not_its_contrary(module):
    crossed = {"a, prone": 0, "a, not prone": 0, "not a, prone": 0, "a, b": 0}
    assert module.named(crossed, "prone").tolist() == [True, False, True, False]
