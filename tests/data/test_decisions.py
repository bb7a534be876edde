"""series.toml: what a person decides about a folder."""

import tomllib

import pytest

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
    assert found["patient_pattern"] == r"(PAT\d+)"
    # every key is offered but the two that other layouts need
    assert set(KEYS) - set(found) == {"consensus", "volumes"}


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
