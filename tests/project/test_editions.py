"""The editions for a class: the student's holds nothing of the solutions, the other one all of them."""

import ast
import json
import re
import zipfile
from pathlib import Path

import make_editions
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def editions(tmp_path_factory):
    return make_editions.make_editions(tmp_path_factory.mktemp("editions"))


@pytest.fixture(scope="module")
def courses(tmp_path_factory):
    """What nbgrader and Otter are fed with, ``{tool: {stem: cells}}``; neither of them is needed for it."""
    folders = make_editions.make_editions(tmp_path_factory.mktemp("courses"), names=("nbgrader", "otter"))
    return {
        "nbgrader": {path.stem: cells(folders["nbgrader"] / "source" / path.stem / path.name) for path in SOURCES},
        "otter": {path.stem: cells(folders["otter"] / path.name) for path in SOURCES},
    }


@pytest.fixture(scope="module")
def solutions():
    """Texts of the solutions, ``{stem: {id of the starter: text}}``."""
    return {path.stem: make_editions.solutions_of(nbformat.read(path, as_version=4)) for path in SOURCES}


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


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_each_exercise_of_the_nbgrader_course_is_a_solution_cell_and_below_it_a_locked_test_of_one_point(
    path, courses, solutions
):
    kept = [cell for cell in courses["nbgrader"][path.stem] if cell["metadata"]]
    found = [cell["metadata"]["nbgrader"] for cell in kept]
    names = [meta["grade_id"] for meta in found]
    assert len(set(names)) == len(names) == 2 * len(solutions[path.stem])
    for starter, test in zip(found[::2], found[1::2], strict=True):
        given = {"schema_version": 3, "task": False}
        name = starter["grade_id"]
        assert re.fullmatch(r"q\d\db?_\d", name)
        assert starter == given | {"grade": False, "grade_id": name, "locked": False, "solution": True}
        points = {"grade": True, "grade_id": f"{name}-test", "locked": True, "points": 1, "solution": False}
        assert test == given | points
    ids = [cell["id"] for cell in courses["nbgrader"][path.stem]]
    assert [ids[ids.index(cell["id"]) + 1] for cell in kept[::2]] == [cell["id"] for cell in kept[1::2]]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_each_exercise_of_the_otter_course_stands_between_the_cells_that_otter_asks_for(path, courses, solutions):
    first, *others = courses["otter"][path.stem]
    assert "".join(first["source"]).startswith("# ASSIGNMENT CONFIG\n")
    texts = ["".join(cell["source"]) if cell["cell_type"] == "raw" else cell["cell_type"] for cell in others]
    raw = [k for k, text in enumerate(texts) if text.startswith("# BEGIN QUESTION\n")]
    names = [re.search(r"^name: (\w+)$", texts[k], re.MULTILINE)[1] for k in raw]
    assert len(set(names)) == len(names) == len(solutions[path.stem])
    after = ["# BEGIN SOLUTION", "code", "# END SOLUTION", "# BEGIN TESTS", "code", "# END TESTS", "# END QUESTION"]
    assert [texts[k + 1 : k + 8] for k in raw] == [after] * len(raw)
    assert sum(cell["cell_type"] == "raw" for cell in others) == 6 * len(raw)
    assert all("\npoints: 1\n" in texts[k] for k in raw)


@pytest.mark.parametrize("tool", ["nbgrader", "otter"])
def test_without_what_the_tool_takes_out_the_student_edition_is_left(tool, courses, editions):
    region = re.compile(r"^#+ BEGIN SOLUTION.*?^#+ END SOLUTION\n", re.DOTALL | re.MULTILINE)
    for path in SOURCES:
        given = {cell["id"]: cell for cell in courses[tool][path.stem]}
        for cell in cells(editions["student"] / path.name):
            left = region.sub("", "".join(given[cell["id"]]["source"]))
            assert [line for line in left.splitlines() if line] == [
                line for line in "".join(cell["source"]).splitlines() if line
            ]


@pytest.mark.parametrize("tool", ["nbgrader", "otter"])
def test_the_test_of_an_exercise_asks_its_own_check_of_the_package_about_the_answer(tool, courses, solutions):
    for path in SOURCES:
        found = {cell["id"]: cell for cell in courses[tool][path.stem]}
        for name, solution in solutions[path.stem].items():
            starter, test = found[name], found[f"{name}-test"]
            source = "".join(starter["source"])
            assert all(line in source for line in solution.splitlines())
            ask = ast.parse(source).body[-1].value
            imported, asked = ast.parse("".join(test["source"])).body
            module = ({alias.name for alias in imported.names} - {"require_right"}).pop()
            assert ast.unparse(asked.value.args[0]) == f"{module}.{ask.func.attr}"
            assert [one.id for one in asked.value.args[1:]] == [one.id for one in ask.args]
            checks = ROOT / "unet_helpers" / "teaching" / "checks" / f"{module}.py"
            assert f"\ndef {ask.func.attr}(" in checks.read_text(encoding="utf-8")
