"""The editions for a class: the student's holds nothing of the solutions, the other one all of them."""

import json
import zipfile
from pathlib import Path

import make_editions
import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def editions(tmp_path_factory):
    return make_editions.make_editions(tmp_path_factory.mktemp("editions"))


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def lines(source):
    return {line.strip() for line in "".join(source).splitlines()}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_line_of_a_solution_is_in_the_student_edition(path, editions):
    secret, open_ones = set(), set()
    for cell in cells(path):
        if cell["cell_type"] == "code":
            folded = "hide-cell" in cell["metadata"].get("tags", [])
            (secret if folded else open_ones).update(lines(cell["source"]))
    secret = {line for line in secret - open_ones if len(line) > 12 and not line.startswith("check.")}
    assert secret
    text = (editions["student"] / path.name).read_text(encoding="utf-8")
    assert not [line for line in secret if json.dumps(line)[1:-1] in text]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_an_edition_holds_no_output_and_nothing_but_text(path, editions):
    for edition in editions.values():
        for cell in cells(edition / path.name):
            assert cell["metadata"] == {}
            assert cell.get("outputs", []) == []
            assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_cells_of_both_editions_have_the_same_ids(path, editions):
    student, solution = ([cell["id"] for cell in cells(editions[one] / path.name)] for one in ("student", "solution"))
    assert [one for one in solution if one in student] == student


def test_two_hints_stay_and_each_is_closed(editions):
    for path in SOURCES:
        text = "".join("".join(cell["source"]) for cell in cells(editions["student"] / path.name))
        assert "<summary>Hint 2</summary>" in text
        assert "<summary>Hint 3</summary>" not in text
        assert text.count("<details>") == text.count("</details>")


def test_a_solution_keeps_what_it_needs_of_its_starter():
    starter = "import re\n\nfourth = 4\nx, y = ..., ...\ncheck.f(x, y)"
    assert make_editions.solved(starter, "x, y = 1, 2\ncheck.f(x, y)") == (
        "import re\nfourth = 4\n\nx, y = 1, 2\ncheck.f(x, y)"
    )
    assert make_editions.solved("c = {1: ...}\ncheck.f(c)", "c = dict(c)\ncheck.f(c)").startswith("c = {1: ...}\n\nc =")


def test_licenses_and_citation_go_with_each_edition_and_the_zip_holds_the_folder(editions):
    for folder in editions.values():
        names = {path.name for path in folder.iterdir()}
        assert {"LICENSE", "LICENSE-text", "CITATION.cff", "README.md"} <= names
        with zipfile.ZipFile(folder.with_suffix(".zip")) as archive:
            assert set(archive.namelist()) == {f"{folder.name}/{name}" for name in names}
