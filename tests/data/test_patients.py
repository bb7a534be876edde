"""All scans, dates and slices of a person are of one patient; a name that leaves it open is asked about."""

from pathlib import Path

import numpy as np
import pytest
from format_samples import save_nifti

from unet_helpers import load_dataset
from unet_helpers.data import patient_ids_from_names
from unet_helpers.data.patients import patients_of_scans, unique_cases
from unet_helpers.files import DataError


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        (["S3_20210101_1", "S3_20220101_1", "S4_20210101_1"], ["S3", "S3", "S4"]),
        (["S3_2021-01-01_1", "S3_2022-05-31_1", "S4_2021-01-01_1"], ["S3", "S3", "S4"]),
        (["20210101_S3_1", "20220101_S3_2", "20210101_S4_1"], ["S3", "S3", "S4"]),
        (["sub-1_ses-1_z-3", "sub-1_ses-2_z-3", "sub-2_ses-1_z-3"], ["sub-1", "sub-1", "sub-2"]),
        (["eye7L", "eye7R", "eye8L"], ["eye7", "eye7", "eye8"]),
        (["site1_patient2_5", "site1_patient3_5", "site2_patient1_5"], ["site1_patient2", "site1_patient3", None]),
        (["AB_12_19990909_1", "AB_12_19990909_2", "CD_7_19950405_1"], ["AB_12", "AB_12", "CD_7"]),
        (["0cdf5b5d0ce1_01", "0cdf5b5d0ce1_02", "06bceb4d0ce1_01"], ["0cdf5b5d0ce1", "0cdf5b5d0ce1", "06bceb4d0ce1"]),
    ],
)
def test_slices_of_several_scans_are_of_one_person(names, patients):
    ids, _ = patient_ids_from_names(names)
    expected = [patient or name.rpartition("_")[0] for patient, name in zip(patients, names, strict=True)]
    assert ids.tolist() == expected


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        (["h1_baseline", "h1_followup", "h2_baseline"], ["h1", "h1", "h2"]),
        (["patient01_frame01", "patient01_frame12", "patient02_frame01"], ["patient01", "patient01", "patient02"]),
        (["GLI-00003-000", "GLI-00003-001", "GLI-00004-000"], ["GLI-00003", "GLI-00003", "GLI-00004"]),
        (["miller_pre", "miller_post", "smith_pre"], ["miller", "miller", "smith"]),
        (["P1_2019-03-12", "P1_2020-01-01", "P2_2019-03-12"], ["P1", "P1", "P2"]),
        (["P1_t0", "P1_t1", "P2_t0"], ["P1", "P1", "P2"]),
    ],
)
def test_volumes_of_a_person_are_of_one_patient_and_the_report_says_so(names, patients):
    ids, how = patients_of_scans(names)
    assert ids == patients
    assert "3 scans of 2 patients; if that is wrong, pass patient_pattern" in how


@pytest.mark.parametrize(
    "names",
    [
        ["Set20_Training_001", "Set20_Training_002"],
        ["site1_case3", "site1_case4", "site2_case1"],
        ["liver_0", "liver_10"],
        ["a", "b"],
        ["20190312", "20200101"],
    ],
)
def test_volumes_of_one_person_each_keep_their_names(names):
    assert patients_of_scans(names) == (names, "")


@pytest.mark.parametrize("odd", ["P07_Z_03_copy", "P07_Z_3b", "scout", "P07", "P07_Z_x"])
def test_a_name_that_breaks_the_pattern_is_asked_about(odd):
    names = [f"P{k:02d}_Z_{z}" for k in range(3) for z in range(2)]
    with pytest.raises(DataError, match=rf"whose picture is '{odd}'.* say with patient_pattern"):
        patient_ids_from_names([*names, odd])
    assert patient_ids_from_names([*names, odd], {name: "x" for name in [*names, odd]})[0].tolist() == ["x"] * 7


def test_a_table_names_the_patients(tmp_path):
    table = tmp_path / "who.csv"
    table.write_text("file;patient\na.png;Ann\nb.png;Ann\nc.png;Bob\n")
    ids, how = patient_ids_from_names(["a", "c", "b"], table)
    assert ids.tolist() == ["Ann", "Bob", "Ann"]
    assert "who.csv" in how
    with pytest.raises(DataError, match=r"says nothing of 'd' \(1 of 2\)"):
        patient_ids_from_names(["a", "d"], str(table))
    table.write_text("a,Ann\na,Bob\n")
    with pytest.raises(DataError, match="names 'a' twice"):
        patient_ids_from_names(["a"], table)
    with pytest.raises(DataError, match=r"gone\.csv' cannot be read"):
        patient_ids_from_names(["a"], Path("gone.csv"))


@pytest.mark.parametrize("pattern", ["(", r"(\d*)x"])
def test_a_pattern_that_is_none_or_finds_nothing_is_named(pattern):
    with pytest.raises(DataError, match="patient_pattern"):
        patient_ids_from_names(["ax"], pattern)


def test_two_slices_of_one_name_are_refused():
    unique_cases(["a", "b"])
    with pytest.raises(DataError, match=r"1 names stand for several slices \(b\)"):
        unique_cases(["a", "b", "b"])


def write_volumes(folder, names):
    for k, name in enumerate(names):
        volume = np.random.default_rng(k).integers(1, 300, (2, 8, 8)).astype(np.int16)
        for kind, array in (("images", volume), ("masks", (volume > 200).astype(np.uint8))):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            save_nifti(folder / kind / f"{name}.nii.gz", array)
    return folder


def test_no_person_stands_on_two_sides_and_each_slice_keeps_a_name_of_its_own(tmp_path):
    names = [f"P{k}_{visit}" for k in range(4) for visit in ("baseline", "followup")]
    data = load_dataset(write_volumes(tmp_path / "set", names))
    people = [set(subset.patients) for subset in data.subsets.values()]
    assert set().union(*people) == {"P0", "P1", "P2", "P3"}
    assert sum(map(len, people)) == 4
    cases = [case for subset in data.subsets.values() for case in subset.case_ids.tolist()]
    assert sorted(cases) == sorted(f"{name}_Z_{z:03d}" for name in names for z in range(2))
    assert "8 scans of 4 patients" in str(data)


def test_the_pattern_reaches_volumes(tmp_path):
    data = load_dataset(write_volumes(tmp_path / "set", ["xa1", "xa2", "xb1", "xc1"]), patient_pattern=r"x(.)")
    assert {p for subset in data.subsets.values() for p in subset.patients} == {"a", "b", "c"}
    assert "patient id by pattern" in str(data)
