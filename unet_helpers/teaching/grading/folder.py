"""Grade a folder of submissions: a table of all, and a page with the hints of the checks for each student.

``python -m unet_helpers grade FOLDER``: each notebook, or folder of notebooks, in ``FOLDER`` is one student's.
"""

import argparse
import csv
import html
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ...files.paths import DataError
from .answers import changed_cells, find_original, read_notebook, read_series, same_texts, take_answers
from .judge import grade_answer
from .sandbox import stay_private

VERDICTS = ("right", "not yet", "wrong", "error", "time-out", "missing")
MISSING = {"verdict": "missing", "message": "this notebook was not handed in.", "guard": ""}
GUARDED = {
    "namespaces": "The answers ran without network, could write only into a folder of their own, and saw neither the "
    "other submissions nor the processes of this machine. They could read its other files.",
    "guards": "This system gives a process no walls of its own. What Python knows of network, programs and writing "
    "elsewhere was refused; code that goes around Python was not stopped, and files could be read. Grade what you do "
    "not trust on Linux, as a user who owns nothing else.",
}


@dataclass
class Student:
    """What one student handed in, and what became of it."""

    name: str
    notebooks: dict = field(default_factory=dict)  # name in the series -> Notebook
    answers: dict = field(default_factory=dict)  # number -> Answer
    results: dict = field(default_factory=dict)  # number -> result of grade_answer
    remarks: list = field(default_factory=list)


def main(arguments):
    parser = argparse.ArgumentParser(prog="python -m unet_helpers grade", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a notebook, or a folder of notebooks, for each student")
    parser.add_argument("--notebooks", type=Path, help="the notebooks of the series; default: beside the package")
    parser.add_argument("--only", nargs="+", default=[], metavar="NUMBER", help="notebooks to grade, as 01 05b")
    parser.add_argument("--out", type=Path, help="folder for the table and the pages; default: FOLDER_grades")
    parser.add_argument("--seconds", type=int, default=120, help="for each answer; default: 120")
    parser.add_argument("--memory", type=int, default=2048, help="MB for each answer; default: 2048")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 1) // 2), help="answers at a time")
    parser.add_argument("--guards-only", action="store_true", help="do without the walls that Linux can give")
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    out = (options.out or folder.with_name(f"{folder.name}_grades")).resolve()
    series = _series(options.notebooks)
    numbers = {one.name.split("_")[0]: one.name for one in series}
    if unknown := set(options.only) - set(numbers):
        raise DataError(f"no notebook has the number {', '.join(sorted(unknown))}; there are {', '.join(numbers)}")
    only = [numbers[number] for number in options.only]
    _check_places(folder, out, Path(__file__).resolve().parents[3])
    stay_private()
    limits = {"seconds": options.seconds, "memory": options.memory, "files": 64}
    students = grade(folder, series, limits, not options.guards_only, options.jobs, only, say=print)
    write(students, series, out)
    print(f"the table is in '{out / 'grades.csv'}', and a page for each student beside it")


def _series(folder):
    folder = folder or Path(__file__).resolve().parents[3] / "notebooks"
    series = read_series(folder)
    if not series:
        raise DataError(f"no notebooks of the series are in '{folder}'; name their folder with --notebooks")
    return series


def _check_places(folder, out, package):
    if not folder.is_dir():
        raise DataError(f"'{folder}' is no folder; name the one with the submissions")
    started = [Path(path or ".").resolve() for path in sys.path[:1]]
    if any(path == folder or folder in path.parents for path in [*started, package]):
        raise DataError(f"start the grading from another folder: from '{folder}' Python would load students' files")
    if out == folder or folder in out.parents:
        raise DataError(f"'{out}' lies among the submissions; choose another folder with --out")


def grade(folder, series, limits, isolate=True, jobs=1, only=(), say=lambda text: None):
    """Grade all submissions of a folder, of all notebooks or only of some; the students in order of their names."""
    students = [_collect(path, series) for path in sorted(folder.iterdir()) if _is_submission(path)]
    if not students:
        raise DataError(f"'{folder}' holds no notebook and no folder; one of them is a student's submission")
    handed_in = {name for student in students for name in student.notebooks}
    asked = [one for one in series if one.name in (only or handed_in)] or series
    hidden = [str(folder), str(series[0].folder)]
    with ThreadPoolExecutor(jobs) as pool:
        for student in students:
            waiting = {}
            for original in asked:
                for exercise in original.exercises:
                    answer = student.answers.get(exercise.number)
                    if answer is None or answer.problem:
                        student.results[exercise.number] = _without_running(answer)
                        continue
                    job = {"code": answer.code, "names": exercise.names, "module": exercise.module}
                    job |= {"check": exercise.check, "limits": limits, "isolate": isolate, "hidden": hidden}
                    waiting[exercise.number] = pool.submit(grade_answer, job)
            student.results |= {number: result.result() for number, result in waiting.items()}
            _look_at_outputs(student)
            count = Counter(result["verdict"] for result in student.results.values())
            say(f"{student.name}: " + ", ".join(f"{count[word]} {word}" for word in VERDICTS if count[word]))
    _compare(students, asked)
    return students


def _is_submission(path):
    return not path.name.startswith((".", "__")) and (path.is_dir() or path.suffix == ".ipynb")


def _collect(path, series):
    """What one student handed in."""
    student = Student(path.stem if path.is_file() else path.name)
    files = [path] if path.is_file() else sorted(path.rglob("*.ipynb"), key=_age)
    for file in files:
        if ".ipynb_checkpoints" in file.parts or file.is_symlink() or not file.is_file():
            continue
        try:
            notebook = read_notebook(file)
        except (ValueError, OSError) as error:
            student.remarks.append(f"'{file.name}' cannot be read: {error}")
            continue
        original = find_original(notebook, series)
        if original is None:
            student.remarks.append(f"'{file.name}' is no notebook of the series")
            continue
        if original.name in student.notebooks:
            student.remarks.append(f"{original.name} was handed in more than once; the newest file counts")
        student.notebooks[original.name] = notebook
        student.answers |= take_answers(notebook, original)
        changed = changed_cells(notebook, original)
        if changed:
            student.remarks.append(f"{original.name}: changed and not used: {', '.join(changed)}")
    if not student.notebooks:
        student.remarks.append("no notebook of the series was found")
    return student


def _age(path):
    return path.stat().st_mtime, path.name


def _without_running(answer):
    if answer is None:
        return MISSING
    kind = "error" if answer.problem.startswith("it is no Python") else "missing"
    return {"verdict": kind, "message": answer.problem, "guard": ""}


def _look_at_outputs(student):
    for number, answer in student.answers.items():
        if answer.says_right and student.results.get(number, MISSING)["verdict"] != "right":
            answer.remarks.append("the stored output says Right; the check does not")


def _compare(students, asked):
    starters, solutions = {}, {}
    for original in asked:
        codes = {cell.id: cell.code for cell in original.cells}
        starters |= {exercise.number: codes[exercise.id] for exercise in original.exercises}
        solutions |= {exercise.number: _solution(original, exercise) for exercise in original.exercises}
    texts = {
        student.name: {number: answer.text for number, answer in student.answers.items() if number in starters}
        for student in students
    }
    by_name = {student.name: student for student in students}
    for (one, other), numbers in same_texts(texts, starters).items():
        for name, with_name in ((one, other), (other, one)):
            by_name[name].remarks.append(f"to the letter as {with_name}: {', '.join(numbers)}")
    for student in students:
        taken = [number for number, text in texts[student.name].items() if text.strip() == solutions[number]]
        if len(taken) >= 2:
            student.remarks.append(f"to the letter as the solution of the series: {', '.join(taken)}")


def _solution(original, exercise):
    """The text of the folded cell after a starter, where the series' notebooks hold it; else None."""
    ids = [cell.id for cell in original.cells]
    later = original.cells[ids.index(exercise.id) + 1 :]
    return next((cell.code.strip() for cell in later if cell.folded), None)


def write(students, series, out):
    """Write the table ``grades.csv``, and ``NAME.html`` for each student."""
    out.mkdir(parents=True, exist_ok=True)
    numbers = list(students[0].results)
    with open(out / "grades.csv", "w", newline="", encoding="utf-8", errors="replace") as file:
        table = csv.writer(file)
        table.writerow(["student", *numbers, "right", "of", "remarks"])
        for student in students:
            verdicts = [student.results[number]["verdict"] for number in numbers]
            remarks = "; ".join(_all_remarks(student))
            # a spreadsheet takes = + - @ at the beginning for a formula
            cells = [f"'{text}" if text[:1] in "=+-@\t\r" and text else text for text in (student.name, remarks)]
            table.writerow([cells[0], *verdicts, verdicts.count("right"), len(numbers), cells[1]])
    titles = {exercise.number: original.name for original in series for exercise in original.exercises}
    for student in students:
        (out / f"{student.name}.html").write_text(_page(student, titles), encoding="utf-8", errors="replace")


def _all_remarks(student):
    own = [f"{number}: {remark}" for number, answer in student.answers.items() for remark in answer.remarks]
    return student.remarks + own


def _page(student, titles):
    rows, name = [], html.escape(student.name)
    for number, result in student.results.items():
        answer = student.answers.get(number)
        said = [result["message"], *(f"({remark})" for remark in (answer.remarks if answer else []))]
        cells = (number, titles.get(number, ""), result["verdict"], " ".join(said).strip())
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    right = sum(result["verdict"] == "right" for result in student.results.values())
    guards = {result["guard"] for result in student.results.values()} & set(GUARDED)
    notes = [f"<li>{html.escape(remark)}</li>" for remark in student.remarks]
    return "\n".join(
        [
            f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{name}</title>',
            "<style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}",
            "td,th{text-align:left;vertical-align:top;padding:.3em .8em;border-top:1px solid #ccc}</style>",
            f"<h1>{name}</h1><p>{right} of {len(rows)} exercises are right.</p>",
            *(["<ul>", *notes, "</ul>"] if notes else []),
            "<table><tr><th>exercise</th><th>notebook</th><th>verdict</th><th>what the check says</th></tr>",
            *rows,
            "</table>",
            *(f"<p>{GUARDED[guard]}</p>" for guard in sorted(guards)),
            "</html>\n",
        ]
    )
