"""Grading takes verdicts from the check of the package alone, whatever a submission brings, prints or breaks."""

import contextlib
import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import make_editions
import pytest
from mutants import Answers, all_exercises
from submissions import SUBMISSIONS, expected, write_submissions

from unet_helpers.files import DataError
from unet_helpers.teaching.checks._verdict import verdict
from unet_helpers.teaching.grading import folder as grading
from unet_helpers.teaching.grading.answers import find_original, read_notebook, read_series, same_texts, take_answers
from unet_helpers.teaching.grading.values import Odd, pack, renew, unpack

ROOT = Path(__file__).resolve().parents[2]
# of sixty; the others: tools/try_grading.py
FAST = [
    "ana",
    "ben copied from ana",
    "broken JSON",
    "exit",
    "forges on all pipes",
    "network",
    "no notebook",
    "outputs forged",
    "own check",
    "patches the package",
    "pickle",
    "raises",
    "reads the others",
    "takes all memory",
]
SLOW = {"03.2", "05.6", "05.7", "09.4", "16.1", "16.3", "16.6"}


@pytest.fixture(scope="module")
def editions(tmp_path_factory):
    return make_editions.make_editions(tmp_path_factory.mktemp("editions"))


@pytest.fixture(scope="module")
def series():
    return read_series(ROOT / "notebooks")


@pytest.fixture(scope="module")
def graded(tmp_path_factory, editions, series):
    place = tmp_path_factory.mktemp("grading")
    write_submissions(place / "submissions", editions, FAST)
    limits = {"seconds": 30, "memory": 1024, "files": 16}
    students = grading.grade(place / "submissions", series, limits, only=["00_first_segmentation"])
    grading.write(students, series, place / "out")
    return {student.name: student for student in students}, place / "out"


@pytest.mark.parametrize("name", FAST)
def test_each_submission_gets_what_it_must(graded, name):
    results = graded[0][name].results.values()
    for result, may in zip(results, expected(name), strict=True):
        assert result["verdict"] in may, result


def test_the_table_has_a_row_for_each_and_the_page_shows_the_hint_as_text(graded):
    students, out = graded
    with open(out / "grades.csv", encoding="utf-8", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(FAST) == set(students)
    assert rows["ana"]["00.1"] == "right"
    assert rows["ana"]["right"] == "2"
    page = (out / "raises.html").read_text(encoding="utf-8")
    assert "RuntimeError: &lt;script&gt;" in page
    assert "<script>" not in page


def test_what_was_copied_and_what_was_forged_is_said(graded):
    students, _ = graded
    assert "to the letter as ana: 00.1, 00.2" in students["ben copied from ana"].remarks
    forged = students["outputs forged"].answers["00.1"]
    assert "the stored output says Right; the check does not" in forged.remarks


def test_sixty_submissions_are_there():
    assert len(SUBMISSIONS) >= 60


def answers_of(folder, original):
    notebook = read_notebook(folder / f"{original.name}.ipynb")
    assert find_original(notebook, [original]) is original
    return take_answers(notebook, original)


def test_each_solution_is_found_by_the_id_of_its_starter_and_makes_all_that_its_check_wants(editions, series):
    numbers = []
    for original in series:
        for number, answer in answers_of(editions["solution"], original).items():
            assert not answer.problem
            assert not answer.remarks, (number, answer.remarks)
            compile(answer.code, number, "exec")
            numbers.append(number)
    assert numbers == [exercise.number for exercise in all_exercises()]


def test_code_that_an_answer_does_not_need_is_not_run(editions, series):
    answers = answers_of(editions["solution"], series[0])
    assert answers["00.1"].code.splitlines()[-1].strip() == "return probabilities.argmax(axis=-1)"
    assert "fit" not in "".join(answer.code for answer in answers.values())


def test_what_an_answer_needs_comes_from_the_series_and_not_from_a_changed_cell(editions, series):
    original = series[1]
    notebook = read_notebook(editions["solution"] / f"{original.name}.ipynb")
    changed = [replace(cell, code=cell.code.replace("def key(", "def key_(")) for cell in notebook.cells]
    code = take_answers(replace(notebook, cells=tuple(changed)), original)["01.1"].code
    assert "def key(" in code
    assert "def key_(" not in code


def test_short_answers_and_starters_are_no_copies():
    long = "def f(x):\n    return sum(value for value in x if value > 0) / max(len(x), 1)"
    texts = {"a": {"1": long, "2": long + "  "}, "b": {"1": long, "2": long}, "c": {"1": "x = 1", "2": "x = 1"}}
    starters = {"1": "x = ...", "2": "x = ..."}
    assert same_texts(texts, starters) == {("a", "b"): ["1", "2"]}
    assert same_texts(texts, {"1": long, "2": long}) == {}


def through(answer):
    """An answer as the judge gets it: values as text, and functions at the other end of a line."""
    functions = []

    def call(number):
        def stand_in(*arguments):
            theirs = unpack(pack(arguments), checks=True)
            result = functions[number](*theirs)
            for before, after in zip(arguments, unpack(pack(theirs)), strict=True):
                renew(before, after)
            return unpack(pack(result))

        return stand_in

    return unpack(pack(answer, functions), call)


def test_a_function_of_a_check_is_handed_to_the_student_alone_and_by_its_name():
    from unet_helpers.teaching.checks import explanations

    text = pack([explanations._of_product])
    assert unpack(text, checks=True) == [explanations._of_product]
    assert isinstance(unpack(text)[0], Odd)
    for name in ('["os", "system"]', '["unet_helpers.teaching.checks.explanations", "np"]', '["unet_helpers.x", "y"]'):
        with pytest.raises(ValueError, match="no value"):
            unpack(f'{{"check": {name}}}', checks=True)


@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.number)
def test_a_check_says_the_same_of_an_answer_at_the_other_end_of_a_line(exercise):
    few = 1 if exercise.number in SLOW else 3
    cases = [*exercise.right.values()][:few] + [answer for answer, _ in exercise.wrong.values()][:few]
    for answer in cases:
        answers = answer if isinstance(answer, Answers) else (answer,)
        with contextlib.redirect_stdout(io.StringIO()):
            direct = verdict(exercise.check, answers)
            told = verdict(exercise.check, [through(one) for one in answers])
        assert told[0] == direct[0], (direct, told)


def test_a_new_layer_takes_no_name_of_a_network_that_came_over_the_line():
    import keras

    inputs = keras.Input((4, 4, 1))
    sent = keras.Model(inputs, keras.layers.Conv2D(2, 3)(keras.layers.Conv2D(2, 1)(inputs)))
    text = pack(sent)
    keras.utils.clear_session()  # as in a process that has built nothing
    network = unpack(text)
    keras.Model(network.input, keras.layers.Conv2D(1, 1)(network.output))


def test_a_network_that_holds_a_program_is_not_built():
    import keras

    inputs = keras.Input((4, 4, 1))
    plain = json.loads(pack(keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs))))
    assert isinstance(unpack(json.dumps(plain)), keras.Model)
    for old, new in (
        ('"Conv2D"', '"Lambda"'),
        ('"module": "keras.layers", "class_name": "Conv2D"', '"module": "os", "class_name": "system"'),
        ('"class_name": "GlorotUniform"', '"class_name": "__lambda__"'),
    ):
        hostile = plain | {"network": plain["network"].replace(old, new)}
        assert hostile != plain
        with pytest.raises(ValueError, match="no network of plain Keras layers"):
            unpack(json.dumps(hostile))


def test_a_text_that_is_no_value_is_refused_and_an_object_is_only_described():
    for text in (
        '{"array": "AAAA", "dtype": "O", "shape": [1], "number": false}',
        '{"array": "AAAA", "dtype": "<f8", "shape": [99], "number": false}',
        '{"tuple": 5}',
        '{"what": 1}',
        "[" * 100_000,
        "{}",
    ):
        with pytest.raises(ValueError):  # noqa: PT011, the words come from several places
            unpack(text)
    assert isinstance(unpack(pack(object())), Odd)


def test_the_grading_is_not_started_where_python_would_load_the_files_of_students(tmp_path, monkeypatch):
    (tmp_path / "submissions").mkdir()
    monkeypatch.setattr("sys.path", [str(tmp_path / "submissions")])
    with pytest.raises(DataError, match="start the grading from another folder"):
        grading.main([str(tmp_path / "submissions")])


def test_a_table_among_the_submissions_is_refused(tmp_path):
    (tmp_path / "submissions").mkdir()
    with pytest.raises(DataError, match="among the submissions"):
        grading.main([str(tmp_path / "submissions"), "--out", str(tmp_path / "submissions" / "out")])


def test_a_name_that_a_spreadsheet_would_compute_stays_a_name(tmp_path, series):
    student = grading.Student("=1+1", results={"00.1": grading.MISSING})
    grading.write([student], series, tmp_path)
    assert "'=1+1" in (tmp_path / "grades.csv").read_text(encoding="utf-8")
