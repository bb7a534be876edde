"""series.toml: what a person decides about a folder."""

import tomllib

import numpy as np
import pytest

from unet_helpers import load_dataset
from unet_helpers.data.decisions import FILE, KEYS, TEMPLATE, read_decisions, write_template
from unet_helpers.files import DataError


def decide(folder, text):
    (folder / FILE).write_text(text, encoding="utf-8")
    return read_decisions(folder)


def test_a_folder_without_the_file_decides_nothing(tmp_path):
    assert read_decisions(tmp_path) == {}


def test_the_template_decides_nothing_until_its_lines_are_uncommented(tmp_path):
    assert write_template(tmp_path) == tmp_path / FILE
    assert read_decisions(tmp_path) == {}
    in_force = "\n".join(line[2:] for line in TEMPLATE.splitlines() if line.startswith("# ") and _is_toml(line[2:]))
    found = decide(tmp_path, in_force)
    assert found["mask_values"] == {0: 0, 255: 1}
    assert found["patient_pattern"] == r"^(LK-\d+)"
    # every key is offered but those that few folders need
    assert set(KEYS) - set(found) == {"consensus", "volumes", "layout"}


def _is_toml(line):
    try:
        tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return False
    return bool(line.strip())


def test_a_file_that_is_there_is_never_written_over(tmp_path):
    decide(tmp_path, "size = 64\n")
    write_template(tmp_path)
    assert read_decisions(tmp_path) == {"size": 64}


def test_where_the_folder_cannot_be_written_there_is_no_template(tmp_path):
    (tmp_path / "file").touch()
    assert write_template(tmp_path / "file") is None


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("clas_names", "class_names"),
        ("classes", "class_names"),
        ("patientpattern", "patient_pattern"),
        ("patient-pattern", "patient_pattern"),
        ("Window", "window"),
        ("windows", "window"),
        ("pixel_spacing", "spacing"),
        ("fraction", "fractions"),
        ("problem", "problems"),
        ("maskvalues", "mask_values"),
        ("leave_out", "left_out"),
        ("SIZE", "size"),
    ],
)
def test_a_wrong_key_gets_the_nearest_right_one(tmp_path, key, nearest):
    with pytest.raises(DataError, match=f"{key}.*did you mean '{nearest}'"):
        decide(tmp_path, f"{key} = 1\n")


def test_a_key_like_no_other_gets_the_list(tmp_path):
    with pytest.raises(DataError, match=r"'qqq'.*known are name, class_names"):
        decide(tmp_path, "qqq = 1\n")


@pytest.mark.parametrize(
    "line",
    [
        "name = ''",
        "class_names = 'lung'",
        "class_names = ['lung']",
        "patient_pattern = 3",
        "window = [1]",
        "window = ['a', 'b']",
        "size = 0",
        "size = true",
        "size = 128.0",
        "spacing = [0.7, 0]",
        "spacing = 0.7",
        "fractions = [0.5, 0.5]",
        "problems = 'ignore'",
        "mask_values = [0, 255]",
        "mask_values = {0 = 0, lung = 1}",
        "mask_values = {0 = 0, 255 = 'lung'}",
        "mask_values = {0 = 0, 255 = -1}",
        "left_out = ['a.png']",
        "left_out = {'a.png' = ''}",
        "model_card = 'all good'",
    ],
)
def test_a_value_that_does_not_fit_gets_what_would(tmp_path, line):
    with pytest.raises(DataError, match=rf"{FILE}' says {line.split(' ')[0]} = .*; it takes "):
        decide(tmp_path, line)


def test_a_key_below_a_table_is_told_where_it_belongs(tmp_path):
    with pytest.raises(DataError, match=r"'size' below \[mask_values\]; move that line above"):
        decide(tmp_path, "[mask_values]\n0 = 0\n255 = 1\nsize = 128\n")


@pytest.mark.parametrize("content", [b"size = \n", b"name = clinic A\n", b"name = \xff\xfe\n", b"size = 1\nsize = 2\n"])
def test_what_is_no_toml_is_one_sentence(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as TOML"):
        read_decisions(tmp_path)


def test_the_mark_that_some_editors_put_first_does_no_harm(tmp_path):
    (tmp_path / FILE).write_bytes(b"\xef\xbb\xbfsize = 64\r\n")
    assert read_decisions(tmp_path) == {"size": 64}


# --- a folder with decisions ----------------------------------------------------------------------


@pytest.fixture
def folder(write_folder):
    """Six patients of two slices with masks in 0 and 128, and one picture twice, in two formats."""
    random = np.random.default_rng(0)
    files = {}
    for patient in range(6):
        for slice_ in range(2):
            mask = np.zeros((16, 16), np.uint8)
            mask[4:9, 3 + patient :][:, :5] = 128
            name = f"P{patient}_{slice_}.png"
            files[f"images/{name}"] = random.integers(0, 255, (16, 16), np.uint8)
            files[f"masks/{name}"] = mask
    files["images/P3_1.tif"] = files["images/P3_1.png"]
    return write_folder("data", files)


DECIDED = """
name = "clinic A"
class_names = ["background", "lung"]
problems = "raise"
spacing = [0.7, 0.8]
[mask_values]
0 = 0
128 = 1
[left_out]
"P3_1.tif" = "the same picture as the PNG"
[model_card]
"Intended use" = "teaching"
"""


def test_a_folder_is_loaded_as_was_decided_and_the_report_says_so(folder):
    with pytest.raises(DataError, match=r"P3_1\.tif"):
        load_dataset(folder)
    decide(folder, DECIDED)
    data = load_dataset(folder)
    assert (data.name, data.class_names) == ("clinic A", ("background", "lung"))
    assert sum(len(part) for part in data.subsets.values()) == 12
    assert set(np.unique(data.train.masks)) == {0, 1}
    assert data.train.spacing[0].tolist() == [0.7, 0.8]
    report = "\n".join(data.report)
    assert "left out by decision: P3_1.tif (the same picture as the PNG)" in report
    assert "decided in series.toml: name, model_card, class_names, problems, spacing, mask_values, left_out" in report


def test_what_the_call_says_goes_first(folder):
    decide(folder, DECIDED)
    data = load_dataset(folder, class_names=("nothing", "organ"), size=8, fractions=(0.5, 0.25, 0.25))
    assert data.class_names == ("nothing", "organ")
    assert data.train.images.shape[1:] == (8, 8, 1)
    assert "size" not in data.report[-1]


def test_a_picture_that_is_left_out_takes_its_mask_along(folder):
    text = DECIDED.replace('"P3_1.tif"', '"P2_0.png" = "another patient"\n"images/P3_1.tif"')
    decide(folder, text)
    data = load_dataset(folder)
    assert sum(len(part) for part in data.subsets.values()) == 11
    assert "P2_0" not in {case for part in data.subsets.values() for case in part.case_ids.tolist()}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("window = [-600, 1500]", r"window in series.toml does not go with the layout 'pairs'"),
        ("consensus = 2", r"consensus in series.toml does not go with the layout 'pairs'"),
        ("layout = 'pears'", r"layout is 'pears'; choose one of"),
        ("patient_pattern = 'P\\d'", r"needs one group in parentheses"),
        ("fractions = [0.9, 0.9, 0.9]", r"three shares above 0 that sum to 1"),
    ],
)
def test_a_decision_that_does_not_fit_the_folder_is_named(folder, line, message):
    decide(folder, line + "\n" + DECIDED)
    with pytest.raises(ValueError, match=message):
        load_dataset(folder)


def test_a_name_that_no_file_has_is_not_left_out_in_silence(folder):
    decide(folder, DECIDED.replace("P3_1.tif", "P3_1.tiff"))
    with pytest.raises(DataError, match=r"left_out names 'P3_1.tiff', and there is no such file"):
        load_dataset(folder, problems="leave_out")


def test_an_option_that_no_layout_knows_is_one_sentence(folder):
    decide(folder, DECIDED)
    with pytest.raises(DataError, match=r"^windows does not go with the layout 'pairs'"):
        load_dataset(folder, windows=(1, 2))


def test_the_spacing_of_a_file_and_a_decided_one_must_agree(tmp_path, write_folder):
    folder = write_folder("npz", {f"masks/P{k}_0.png": np.eye(16, dtype=np.uint8) for k in range(3)})
    (folder / "images").mkdir()
    for k in range(3):
        np.savez(folder / "images" / f"P{k}_0.npz", image=np.full((16, 16), k, np.uint8), spacing=(0.5, 0.5))
    decide(folder, "spacing = [0.7, 0.7]\n")
    with pytest.raises(DataError, match=r"says that its pixels are 0.5 × 0.5 mm, but spacing is 0.7 × 0.7 mm"):
        load_dataset(folder)
    decide(folder, "spacing = [0.5, 0.5]\n")
    assert load_dataset(folder).train.spacing[0].tolist() == [0.5, 0.5]
