"""Notebooks: paired with their source, executed from top to bottom, clean, and built as the series promises."""

import base64
import re
import statistics
from pathlib import Path

import jupytext
import nbformat
import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
import execute_notebooks  # noqa: E402

SOURCES = sorted((ROOT / "notebooks" / "src").glob("[0-9]*.py"))
FIGURE_LIMIT = 150_000
LINE_LIMIT = 20


def load(source):
    return nbformat.read(ROOT / "notebooks" / f"{source.stem}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


notebooks = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)


def test_the_core_notebooks_are_there():
    numbers = {source.stem[:2] for source in SOURCES}
    assert {"00", "01", "02", "03", "04", "05", "06", "15"} <= numbers
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == {source.stem for source in SOURCES}


@notebooks
def test_notebook_is_in_step_with_its_source(source):
    fresh, stored = execute_notebooks.pair(source, None), load(source)
    assert len(fresh.cells) == len(stored.cells)
    for expected, found in zip(fresh.cells, stored.cells, strict=True):
        assert expected.cell_type == found.cell_type
        assert expected.source == found.source
        assert expected.metadata == found.metadata


@notebooks
def test_jupyterlab_opens_a_notebook_that_is_newer_than_its_source(source):
    """Jupytext refuses to, unless both give the same text, the order of their metadata included."""
    texts = [jupytext.writes(notebook, "py:percent") for notebook in (jupytext.read(source), load(source))]
    assert texts[0] == texts[1], f"write the metadata of {source.name} in alphabetical order, and its header as in 01"


@notebooks
def test_all_cells_ran_once_in_order(source):
    counts = [cell.execution_count for cell in code_cells(load(source))]
    assert counts == list(range(1, len(counts) + 1))


@notebooks
def test_outputs_hold_no_error_warning_address_or_path(source):
    for cell in code_cells(load(source)):
        for output in cell.outputs:
            assert output.output_type != "error" or "raises-exception" in cell.metadata.get("tags", []), cell.source
            assert output.get("name") != "stderr", cell.source
            text = output.get("text", "") + "".join(str(v) for k, v in output.get("data", {}).items() if "text" in k)
            assert not re.search(r"Warning|https?://|0x[0-9a-f]{8}|/(home|root|tmp|Users)/", text), text
            assert "\r" not in text
            assert "\x1b" not in text


@notebooks
def test_figures_are_small_and_say_what_they_show(source):
    for cell in code_cells(load(source)):
        pictures = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
        for picture in pictures:
            assert len(base64.b64decode(picture)) < FIGURE_LIMIT, cell.source
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt) >= 20, f"no alt text for the figure of:\n{cell.source}"


@notebooks
def test_code_cells_are_short(source):
    counts = [len(lines(cell)) for cell in code_cells(load(source)) if lines(cell)]
    assert statistics.median(counts) <= 4
    assert max(counts) <= LINE_LIMIT


@notebooks
def test_opens_with_title_question_and_box(source):
    cells = load(source).cells
    number = source.stem.split("_")[0]
    assert re.match(f"# {number} ", cells[0].source)
    opening = "\n".join(cell.source for cell in cells[:4])
    assert "?" in opening
    assert '<div class="alert alert-info">' in opening
    assert "Minutes" in opening


@notebooks
def test_a_picture_comes_among_the_first_cells(source):
    first = load(source).cells[:6]
    assert any("image/png" in output.get("data", {}) for cell in first for output in cell.get("outputs", []))


@notebooks
def test_exercises_have_starter_check_and_folded_solution(source):
    notebook = load(source)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    titles = [text for text in texts if re.search(r"^### Exercise \d\d\.\d", text, re.MULTILINE)]
    assert len(titles) >= 3
    solutions = [cell for cell in code_cells(notebook) if "hide-cell" in cell.metadata.get("tags", [])]
    assert len(solutions) >= len(titles)
    said = ["".join(output.get("text", "") for output in cell.outputs) for cell in solutions]
    assert sum("Right" in text for text in said) >= len(titles)
    for cell in solutions:
        assert cell.metadata.get("jupyter", {}).get("source_hidden"), "folded in the book but open in JupyterLab"
    starters = [c for c in code_cells(notebook) if c not in solutions and "check." in c.source]
    assert sum("Not yet" in "".join(o.get("text", "") for o in cell.outputs) for cell in starters) >= len(titles)


@notebooks
def test_each_hint_of_an_exercise_opens_inside_the_one_before(source):
    """At the end of the exercise, two or three, and with blank lines around, or their Markdown stays as it is."""
    texts = [cell.source for cell in load(source).cells if cell.cell_type == "markdown"]
    exercises = [text for text in texts if re.search(r"^### Exercise \d\d\.\d", text, re.MULTILINE)]
    assert exercises
    for text in exercises:
        title = re.search(r"### (Exercise .*)", text)[1]
        shown = BeautifulSoup(MarkdownIt().render(text), "html.parser")
        found = []
        level = shown.find_all(True, recursive=False)[-1]
        while level is not None and level.name == "details":
            found.append(level.summary.get_text())
            assert level.find("p", recursive=False), f"{title}: nothing is said by {found[-1]}"
            level = level.find("details", recursive=False)
        assert found in (["Hint 1", "Hint 2"], ["Hint 1", "Hint 2", "Hint 3"]), f"{title}: hints {found}"
        assert len(found) == len(shown.find_all("details")), f"{title}: a hint lies beside another"
        assert text.count("</details>") == len(found), f"{title}: a hint is not closed"


@notebooks
def test_closes_with_takeaways_questions_and_reading(source):
    text = "\n".join(cell.source for cell in load(source).cells if cell.cell_type == "markdown")
    places = [text.find(f"## {title}") for title in ("Take-aways", "Questions to test yourself", "Read more")]
    assert -1 not in places
    assert places == sorted(places)
    assert "{cite" in text[places[-1] :]


def is_ignored(cell):
    return "nbval-ignore-output" in cell.metadata.get("tags", [])


def trains(cell):
    """Whether the stored output is the end of a training's progress display, which is not compared."""
    return "best validation Dice" in str(cell.outputs)


@notebooks
def test_few_cells_are_ignored_by_nbval(source):
    cells = code_cells(load(source))
    assert not any("nbval-skip" in cell.metadata.get("tags", []) for cell in cells)
    assert sum(map(is_ignored, cells)) <= len(cells) / 10


@notebooks
def test_an_assert_says_what_must_hold_after_a_cell_that_is_not_compared(source):
    cells = code_cells(load(source))
    for index, cell in enumerate(cells):
        # which device is there is no claim that could fail
        if (is_ignored(cell) or trains(cell)) and "list_physical_devices" not in cell.source:
            later = "\n".join(c.source for c in cells[index : index + 6])
            assert "assert" in later, f"no assert says what must hold after:\n{cell.source}"


@notebooks
def test_tolerances_are_small(source):
    """Above a tenth, a Dice could be any Dice."""
    for cell in code_cells(load(source)):
        assert 0 <= cell.metadata.get("nbval_tolerance", 0) <= 0.1, cell.source


def test_pairing_keeps_outputs_of_unchanged_cells(tmp_path):
    source, target = tmp_path / "01_x.py", tmp_path / "01_x.ipynb"
    source.write_text("# %%\n1 + 1\n\n# %%\n2 + 2\n")
    notebook = execute_notebooks.pair(source, None)
    notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text="kept")]
    execute_notebooks.write(notebook, target)
    source.write_text("# %%\n1 + 1\n\n# %%\n2 + 3\n")
    paired = execute_notebooks.pair(source, target)
    assert paired.cells[0].outputs[0].text == "kept"
    assert paired.cells[1].outputs == []


def test_widget_ids_are_numbered_in_order_of_appearance():
    first, second = "f" * 32, "a" * 32
    notebook = nbformat.v4.new_notebook()
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": first}}
    notebook.cells = [nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("display_data", view)])]
    state = {second: {"model_name": "B"}, first: {"model_name": "A", "state": {"children": [f"IPY_MODEL_{second}"]}}}
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"state": state}}
    execute_notebooks.clean(notebook)
    numbered = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert list(numbered) == ["0" * 32, "0" * 31 + "1"]
    assert numbered["0" * 32]["state"]["children"] == ["IPY_MODEL_" + "0" * 31 + "1"]
