"""Write the editions of the notebooks for a course, each as a folder and as a zip, into ``_build/editions``.

``student``: starters and two hints; no solution, no output, and no metadata of cells. ``solution``: in each
starter's place, under its id, the solution. ``nbgrader`` and ``otter``: what the lecturer feeds to these tools, with
starter, solution and a test of one point for each exercise; the tools make the students' notebooks of it. All come from
``notebooks/*.ipynb`` and carry licenses and citation. The grading (``python -m unet_helpers grade``) finds answers by
the ids, which are the same in all editions. Beside them ``slides``, see ``tools/make_slides.py``.
"""

import argparse
import ast
import copy
import re
import shutil
import sys
import zipfile
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parent))
import make_slides

ROOT = Path(__file__).resolve().parents[1]
EDITIONS = ROOT / "_build" / "editions"
BESIDE = ("LICENSE", "LICENSE-text", "CITATION.cff")
README = """# U-Net for medical image segmentation: {edition} edition

{text}

Open the notebooks in JupyterLab, in an environment in which the package `unet_helpers` is installed, and start with
`00_first_segmentation.ipynb`. The licenses of code and text, and how to cite the series, are in the files beside this
one.
"""
TEXTS = {
    "student": "The exercises are open: replace each `...`, and run the cell again until its check says *Right*. Where "
    "a later cell uses your answer, it needs a right one. Leave the other cells as they are, and hand in the notebook.",
    "solution": "Each exercise is solved. The cells are those of the student edition, with the same ids.",
    "nbgrader": "For the lecturer: this folder is a course of nbgrader, with one assignment for each notebook. It "
    "holds the solutions. Call `nbgrader generate_assignment 00_first_segmentation` in it, and give out what then is "
    "in `release`.",
    "otter": "For the lecturer: these are the master notebooks for Otter-Grader. They hold the solutions. Call "
    "`otter assign 00_first_segmentation.ipynb dist/00` here, and give out what then is in `dist/00/student`.",
}
NBGRADER_CONFIG = """c = get_config()
c.CourseDirectory.course_id = "unet"
# in the place of a solution stands nothing: the starter is above it
c.ClearSolutions.code_stub = {"python": ""}
# seconds for one cell; some train networks, and on a busy machine an interrupted one is slow to say so
c.Execute.timeout = 300
c.Execute.iopub_timeout = 60
"""
MODULE = re.compile(r"from unet_helpers\.teaching\.checks import (\w+) as check")
TITLE = re.compile(r"^### Exercise (\w+)\.(\d+)", re.MULTILINE)


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    folders = {**make_editions(EDITIONS, names=FORMS), "slides": EDITIONS / "unet_slides"}
    make_slides.make_slides(folders["slides"])
    write_zip(folders["slides"], folders["slides"].with_suffix(".zip"))
    for edition, folder in folders.items():
        sizes, archive = [path.stat().st_size for path in files_of(folder)], folder.with_suffix(".zip")
        print(f"{edition}: {len(sizes)} files, {sum(sizes):,} bytes; {archive}, {archive.stat().st_size:,} bytes")


def make_editions(target, sources=None, names=("student", "solution")):
    """Write editions of the notebooks, by names of ``FORMS``; returns ``{edition: folder}``."""
    sources = sources or sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    folders = {}
    for edition in names:
        folder = folders[edition] = Path(target) / f"unet_{edition}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for source in sources:
            notebook = FORMS[edition](nbformat.read(source, as_version=4))
            place = folder / "source" / source.stem if edition == "nbgrader" else folder
            place.mkdir(parents=True, exist_ok=True)
            (place / source.name).write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        if edition == "nbgrader":
            (folder / "nbgrader_config.py").write_text(NBGRADER_CONFIG, encoding="utf-8")
        for name in BESIDE:
            shutil.copy(ROOT / name, folder)
        (folder / "README.md").write_text(README.format(edition=edition, text=TEXTS[edition]), encoding="utf-8")
        write_zip(folder, folder.with_suffix(".zip"))
    return folders


def student_edition(notebook):
    """Without solutions and outputs, and without what the project's own tests ask of later cells."""
    cells = [copy.deepcopy(cell) for cell in notebook.cells if not is_solution(cell) and not is_test(cell)]
    for cell in cells:
        # the third hint is nearly the line of the solution
        cell.source = re.sub(r"<details><summary>Hint 3</summary>.*?</details>\n?", "", cell.source, flags=re.DOTALL)
    return bare(notebook, cells)


def solution_edition(notebook):
    """With each solution in the place of the starter before it."""
    cells, starter = [], None
    for cell in notebook.cells:
        cell = copy.deepcopy(cell)
        if is_solution(cell):
            if starter is not None:
                starter.source = solved(starter.source, cell.source)
                starter = None
            continue
        cells.append(cell)
        if cell.cell_type == "code" and calls_check(cell.source):
            starter = cell
    return bare(notebook, cells)


def nbgrader_edition(notebook):
    """Each starter with its solution, and below it a test, with the metadata of nbgrader."""

    def turn(starter, name, test):
        grading = {"grade": False, "locked": False, "schema_version": 3, "solution": True, "task": False}
        starter.metadata["nbgrader"] = grading | {"grade_id": name}
        grading |= {"grade": True, "grade_id": f"{name}-test", "locked": True, "points": 1, "solution": False}
        yield starter
        yield nbformat.v4.new_code_cell(test, id=f"{starter.id}-test", metadata={"nbgrader": grading})

    return with_tests(notebook, "### BEGIN SOLUTION", "### END SOLUTION", turn)


def otter_edition(notebook):
    """Each starter with its solution, and below it a test, between the raw cells by which Otter knows them."""

    def turn(starter, name, test):
        # without check cells and without a first cell of Otter's, the students need not have it
        texts = (f"# BEGIN QUESTION\nname: {name}\npoints: 1\ncheck_cell: false", "# BEGIN SOLUTION")
        texts += ("# END SOLUTION", "# BEGIN TESTS", "# END TESTS", "# END QUESTION")
        raw = [nbformat.v4.new_raw_cell(text, id=f"{starter.id}-{k}") for k, text in enumerate(texts)]
        return [*raw[:2], starter, *raw[2:4], nbformat.v4.new_code_cell(test, id=f"{starter.id}-test"), *raw[4:]]

    made = with_tests(notebook, "# BEGIN SOLUTION NO PROMPT", "# END SOLUTION", turn)
    config = "# ASSIGNMENT CONFIG\ninit_cell: false\nexport_cell: false\ngenerate: true"
    made.cells.insert(0, nbformat.v4.new_raw_cell(config, id="config"))
    return made


def with_tests(notebook, begin, end, turn):
    """The student edition with, for each exercise, the cells that ``turn(starter, name, test)`` gives.

    The starter then holds the solution between the lines ``begin`` and ``end``, and the test asks the check.
    """
    made, solutions, module, name = student_edition(notebook), solutions_of(notebook), None, None
    cells = []
    for cell in made.cells:
        title = TITLE.search(cell.source) if cell.cell_type == "markdown" else None
        name = f"q{title[1]}_{title[2]}" if title else name
        module = (MODULE.findall(cell.source) or [module])[-1]
        if cell.id not in solutions:
            cells.append(cell)
            continue
        *starter, call = cell.source.splitlines()
        solution = [line for line in solutions[cell.id].splitlines() if line != call]
        cell.source = "\n".join([*"\n".join(starter).rstrip().splitlines(), "", begin, *solution, end, call])
        asked = re.sub(r"check\.(\w+)\(", rf"require_right({module}.\1, ", call)
        imports = ", ".join(sorted([module, "require_right"]))
        cells += turn(cell, name, f"from unet_helpers.teaching.checks import {imports}\n\n{asked}")
    made.cells = cells
    return made


def solutions_of(notebook):
    """``{id of a starter: the text of its solution}``."""
    found, starter = {}, None
    for cell in notebook.cells:
        if is_solution(cell) and starter:
            found[starter], starter = cell.source, None
        elif cell.cell_type == "code" and calls_check(cell.source):
            starter = cell.id
    return found


def bare(notebook, cells):
    """A notebook of these cells, with nothing in it but their text."""
    made = nbformat.v4.new_notebook(metadata={"kernelspec": notebook.metadata["kernelspec"]})
    made.nbformat, made.nbformat_minor = notebook.nbformat, notebook.nbformat_minor
    for cell in cells:
        new = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
        made.cells.append(new(cell.source, id=cell.id))
    return made


FORMS = {
    "student": student_edition,
    "solution": solution_edition,
    "nbgrader": nbgrader_edition,
    "otter": otter_edition,
}


def is_solution(cell):
    return "hide-cell" in cell.metadata.get("tags", [])


def is_test(cell):
    """A cell that the book leaves out, and on which no other depends."""
    if "remove-cell" not in cell.metadata.get("tags", []):
        return False
    return all(isinstance(one, (ast.Assert, ast.For)) for one in ast.parse(cell.source).body)


def calls_check(code):
    return any(line.startswith("check.") for line in code.splitlines())


def solved(starter, solution):
    """The solution, below what it needs of the starter: imports, and names that it does not set itself."""
    lines = starter.splitlines()
    made, used = set(), set()
    for statement in ast.parse(solution).body:
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        used |= {node.id for node in names if isinstance(node.ctx, ast.Load)} - made
        made |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
        made |= {statement.name} if isinstance(statement, ast.FunctionDef) else set()
    kept = []
    for statement in ast.parse(starter).body:
        names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        assigns = isinstance(statement, (ast.Assign, ast.AugAssign)) and (names & used or not names & made)
        if assigns or isinstance(statement, (ast.Import, ast.ImportFrom)):
            kept += lines[statement.lineno - 1 : statement.end_lineno]
    return "\n".join([*kept, *([""] if kept else []), solution])


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def write_zip(folder, archive):
    """The same bytes for the same files."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in files_of(folder):
            name = path.relative_to(folder.parent).as_posix()
            entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
