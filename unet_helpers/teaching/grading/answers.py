"""From a notebook that was handed in to the code that makes each answer. Nothing is run here.

A notebook of the series gives the exercises: the cell after a title ``### Exercise 05.1`` that calls a check. A
student's answer is the cell with the same id. What it needs from before, and no more, comes from the series' own
cells; from the student come the answers, and cells that the series does not have.
"""

import ast
import json
import re
import symtable
from dataclasses import dataclass, field, replace
from pathlib import Path

# methods that change what they belong to
CHANGING = "add append compile extend fill insert pop remove reverse set_weights setdefault sort update"
TOO_LARGE = 64 * 2**20


@dataclass(frozen=True)
class Cell:
    """A code cell; outputs only as the text that they printed."""

    id: str
    code: str
    folded: bool = False
    printed: str = ""


@dataclass(frozen=True)
class Exercise:
    """One exercise of the series: its number, the id of its starter cell, and the call of its check."""

    number: str
    id: str
    module: str
    check: str
    names: tuple


@dataclass(frozen=True)
class Notebook:
    """A notebook as far as it is graded: the texts of all cells, the code cells, and, of the series, its exercises."""

    name: str
    texts: tuple
    cells: tuple
    folder: Path
    exercises: tuple = ()


@dataclass
class Answer:
    """What a student made of an exercise: the text of the cell, the code to run, or why there is none; and remarks."""

    text: str = ""
    code: str = ""
    problem: str = ""
    remarks: list = field(default_factory=list)
    says_right: bool = False


def read_notebook(path):
    """The cells of a notebook; ValueError says in words why there are none."""
    if path.stat().st_size > TOO_LARGE:
        raise ValueError(f"it is larger than {TOO_LARGE >> 20} MB")
    try:
        cells = json.loads(path.read_bytes())["cells"]
        found = [(_text(cell["source"]), cell) for cell in cells]
        codes = [(text, cell) for text, cell in found if cell["cell_type"] == "code"]
        folded = [_tags(cell) for _, cell in codes]
        codes = [
            Cell(str(cell.get("id", "")), text, "hide-cell" in tags, _printed(cell))
            for (text, cell), tags in zip(codes, folded, strict=True)
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is no notebook ({type(error).__name__})") from None
    return Notebook(path.stem, tuple(text for text, _ in found), tuple(codes), path.resolve().parent)


def _text(source):
    return source if isinstance(source, str) else "".join(source)


def _tags(cell):
    tags = cell.get("metadata", {}).get("tags", [])
    return tags if isinstance(tags, list) else []


def _printed(cell):
    outputs = cell.get("outputs", [])
    return "".join(_text(one.get("text", "")) for one in outputs if isinstance(one, dict))


def read_series(folder):
    """The notebooks of the series in a folder, with their exercises, in order."""
    notebooks = []
    for path in sorted(Path(folder).glob("[0-9]*.ipynb")):
        notebook = read_notebook(path)
        notebooks.append(replace(notebook, exercises=tuple(_exercises(path, notebook))))
    return notebooks


def _exercises(path, notebook):
    """Of all cells in order: a title, and after it the first open cell that calls a check with names alone."""
    number, module, codes = None, None, iter(notebook.cells)
    for cell in json.loads(path.read_bytes())["cells"]:
        if cell["cell_type"] == "markdown":
            title = re.search(r"^### Exercise (\w+\.\d+)", _text(cell["source"]), re.MULTILINE)
            number = title[1] if title else number
        elif cell["cell_type"] == "code":
            code = next(codes)
            imported = re.search(r"from unet_helpers\.teaching\.checks import (\w+) as check", code.code)
            module = imported[1] if imported else module
            call = None if code.folded or number is None else check_call(code.code)
            if call:
                yield Exercise(number, code.id, module, *call)
                number = None


def check_call(code):
    """The check that a cell calls in a line of its own, and the names that it hands over; None if it calls none."""
    for statement in reversed(_parse(code) or []):
        if _calls_check(statement) and all(isinstance(one, ast.Name) for one in statement.value.args):
            return statement.value.func.attr, tuple(one.id for one in statement.value.args)
    return None


def _calls_check(statement):
    call = getattr(statement, "value", None) if isinstance(statement, ast.Expr) else None
    function = getattr(call, "func", None)
    return isinstance(function, ast.Attribute) and getattr(function.value, "id", None) == "check"


def _parse(code):
    """The statements of a cell; magics of IPython are left out; None where it is no Python."""
    for text in (code, re.sub(r"^(\s*)[%!].*", r"\1pass", code, flags=re.MULTILINE)):
        try:
            return ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def find_original(notebook, series):
    """The notebook of the series that shares most cells with one; None if it shares next to nothing with any."""
    texts = set(notebook.texts)
    shared = {original.name: len(texts & set(original.texts)) for original in series}
    best = max(series, key=lambda original: shared[original.name])
    by_name = [one for one in series if notebook.name.split("_")[0] == one.name.split("_")[0]]
    return best if shared[best.name] >= 5 else next(iter(by_name), None)


def take_answers(notebook, original):
    """A student's answers to the exercises of a notebook of the series, ``{number: Answer}``."""
    ids = {cell.id for cell in original.cells}
    theirs = {cell.id: cell for cell in reversed(notebook.cells)}
    starters = {exercise.id: exercise for exercise in original.exercises}
    added = [cell for cell in notebook.cells if cell.id not in ids]
    original_code = {cell.id: cell.code for cell in original.cells}
    found = {}
    for exercise in original.exercises:
        answer, cell = Answer(), theirs.get(exercise.id)
        if cell is None or cell.code.strip() == original_code[exercise.id].strip():
            others = [one for one in added if not one.folded and _asks(one, exercise)]
            if others:
                cell = others[-1]
                answer.remarks.append("the cell has another id, and was found by its check")
        if cell is not None:
            answer.text, answer.says_right = cell.code, "Right." in cell.printed
            answer.remarks += _remarks(cell.code, exercise)
        found[exercise.number] = answer
    for exercise in original.exercises:
        answer = found[exercise.number]
        if not answer.text.strip():
            answer.problem = "the cell of this exercise is not there, or empty."
            continue
        before = []
        for cell in original.cells:
            if cell.id == exercise.id:
                before.append(cell.code)  # what the starter gives, lest somebody has deleted it
                break
            if cell.id in starters:
                before.append(found[starters[cell.id].number].text or cell.code)
            elif not cell.folded:
                before.append(cell.code)
        before += [cell.code for cell in added if not cell.folded and cell.code != answer.text]
        answer.code, answer.problem = _program(before, answer.text, exercise.names)
    return found


def _asks(cell, exercise):
    call = check_call(cell.code)
    return call is not None and call[0] == exercise.check


def _remarks(code, exercise):
    if check_call(code) != (exercise.check, exercise.names):
        yield "the call of the check was changed; it is judged by the check all the same"
    other = code.replace(f"from unet_helpers.teaching.checks import {exercise.module} as check", "")
    words = re.findall(r"teaching\.checks|_getframe|ctypes|__wrapped__|check\._\w+|\bos\._exit\b|\bgc\.get", other)
    if words:
        yield f"look at this answer: it holds {', '.join(sorted(set(words)))}"


def changed_cells(notebook, original):
    """Ids of the cells, neither starters nor solutions, whose code a student has changed."""
    starters = {exercise.id for exercise in original.exercises}
    theirs = {cell.id: cell for cell in notebook.cells}
    own = [cell for cell in original.cells if cell.id not in starters and not cell.folded and cell.id in theirs]
    return [cell.id for cell in own if theirs[cell.id].code.strip() != cell.code.strip()]


def _program(before, answer, names):
    """The statements that make what stands under the names, in order; and why there are none, if there are none."""
    own = _parse(answer)
    if own is None:
        try:
            compile(answer, "answer", "exec")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return "", f"it is no Python: {error}"
        return "", "it is no Python."
    statements = [one for code in before for one in _parse(code) or []]
    statements += [one for one in own if not _calls_check(one)]
    needed, kept = set(names), []
    for statement in reversed(statements):
        stores, loads, for_sure = _names(statement)
        if "*" in stores or stores & needed:
            kept.append(ast.unparse(statement))
            needed = (needed - stores if for_sure else needed) | loads
    return "\n".join(reversed(kept)), ""


def _names(statement):
    """The names of the notebook that a statement sets or changes, those that it uses, and whether it sets for sure."""
    table = symtable.symtable(ast.unparse(statement), "cell", "exec")
    symbols = table.get_symbols()
    stores = {one.get_name() for one in symbols if one.is_assigned() or one.is_imported() or one.is_namespace()}
    loads = {one.get_name() for one in symbols if one.is_referenced()} | _free(table)
    for node in ast.walk(statement):
        target = node.func if isinstance(node, ast.Call) else node
        if isinstance(target, (ast.Attribute, ast.Subscript)):
            named = getattr(target, "attr", None)  # functions[0](x) has none
            changes = named in CHANGING.split() if node is not target else isinstance(node.ctx, ast.Store)
            while isinstance(target, (ast.Attribute, ast.Subscript)):
                target = target.value
            if changes and isinstance(target, ast.Name) and not isinstance(statement, ast.FunctionDef):
                stores.add(target.id)
                loads.add(target.id)
    if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
        stores.add("*")
    plain = (ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    return stores, loads, isinstance(statement, plain) and not stores & loads


def _free(table):
    """The names that the functions and classes inside of a table take from the notebook."""
    return {
        symbol.get_name()
        for child in table.get_children()
        for symbol in child.get_symbols()
        if symbol.is_global() and symbol.is_referenced()
    }.union(*(_free(child) for child in table.get_children()))


def same_texts(answers, starters):
    """Pairs of students whose cells are the same to the letter, and in which exercises: ``{(one, other): [number]}``.

    ``answers`` are texts, ``{student: {number: text}}``; starters as they stand, and short answers, are left out.
    """
    kept = {}
    for student, texts in answers.items():
        kept[student] = {
            number: text.strip()
            for number, text in texts.items()
            if len(text.strip()) > 60 and text.strip() != starters[number].strip()
        }
    pairs, names = {}, sorted(kept)
    for k, one in enumerate(names):
        for other in names[k + 1 :]:
            both = [number for number in kept[one] if kept[other].get(number) == kept[one][number]]
            if len(both) >= 2 and 2 * len(both) >= min(len(kept[one]), len(kept[other])):
                pairs[one, other] = both
    return pairs
