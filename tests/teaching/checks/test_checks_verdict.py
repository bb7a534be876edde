"""What a check says to a reader, and that the examples in the docstrings are true."""

import doctest
import importlib
import inspect
import pkgutil
from fractions import Fraction

import numpy as np
import pytest

import unet_helpers
from unet_helpers.teaching import checks
from unet_helpers.teaching.checks import museum_of_bugs
from unet_helpers.teaching.checks._verdict import NotYet, Wrong, call, exercise, match_answers, number, require_right

MODULES = [info.name for info in pkgutil.walk_packages(unet_helpers.__path__, "unet_helpers.")]
MODULES = [name for name in MODULES if not name.endswith("__main__")]

CHECKS = [
    pytest.param(check, id=f"{info.name}.{name}")
    for info in pkgutil.iter_modules(checks.__path__, f"{checks.__name__}.")
    for name, check in vars(importlib.import_module(info.name)).items()
    if hasattr(check, "__wrapped__") and not name.startswith("_")
]
# what is handed in without having done the exercise
LAZY = [True, np.bool_(True), 0, 1, 0.5, np.float64(0.5), "", "0.5", "A", [], (1, 2), np.zeros(3), {}, {"a": "fair"}]


def of_function(check):
    return check.__doc__.startswith("A function")


OF_FUNCTIONS = [check for check in CHECKS if of_function(*check.values)]


@pytest.fixture
def few_slices(monkeypatch):
    """Random pictures in place of the phantom, which takes a minute to make."""
    slices = np.random.default_rng(0).random((8, 16, 16, 1))
    monkeypatch.setattr(museum_of_bugs, "_two_names", [(slices[:5], slices[5:], {(0, 1)})])


def hand_in(said, check, answer):
    """What a check says when the same is given for each of its answers."""
    return said(check, *[answer] * len(inspect.signature(check).parameters))


def test_every_chapter_with_exercises_has_its_checks():
    assert len(CHECKS) > 50
    assert len(OF_FUNCTIONS) > 35


@pytest.mark.parametrize("check", CHECKS)
def test_every_starter_is_not_yet(said, check):
    assert hand_in(said, check, ...).startswith("Not yet")
    assert hand_in(said, check, None).startswith("Not yet")


@pytest.mark.parametrize("check", OF_FUNCTIONS)
def test_every_empty_function_is_not_yet(said, few_slices, check):
    assert said(check, lambda *_: ...).startswith("Not yet")
    assert said(check, lambda *_: None).startswith("Not yet")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", CHECKS)
def test_no_check_takes_a_lazy_answer_for_right(said, few_slices, check):
    for lazy in LAZY:
        answer = (lambda *_, lazy=lazy: lazy) if of_function(check) else lazy
        assert hand_in(said, check, answer).startswith(("Not yet", "Not right")), lazy


@exercise
def doubles(function):
    """The answer doubles its number."""
    if call(function, 2) != 4:
        raise Wrong("2 should become 4")
    return "Both ways of writing it are fine."


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (..., "Not yet: replace the ... and run the cell again."),
        (None, "Not yet: replace the ... and run the cell again."),
        (lambda n: None, "Not yet: the function returns nothing"),
        (lambda n: ..., "Not yet: the function returns nothing"),
        (lambda n: n + 1, "Not right: 2 should become 4"),
        (lambda n: n / 0, "Not right: your code raised ZeroDivisionError: division by zero"),
        (lambda: 4, "Not right: your code raised TypeError"),
        (7, "Not right: a function is expected here, not 7."),
        (lambda n: 2 * n, "Right. Both ways of writing it are fine."),
    ],
)
def test_a_check_says_one_of_three_things_and_never_raises(answer, verdict, said):
    out = said(doubles, answer)
    assert out.startswith(verdict)
    assert out.count("\n") == 1


@pytest.mark.parametrize("given", [[0.7, 0.9, 0.6], ["b", "a"], [(2, "b"), (1, "a")], {"b": [2, 1]}], ids=repr)
def test_a_function_that_sorts_what_it_is_given_is_told_so(given, said):
    def sorts(given):
        (given["b"] if isinstance(given, dict) else given).sort()
        return 1

    assert "changes what it is given" in said(exercise(lambda function: call(function, given) and None), sorts)


def test_an_array_is_an_answer(said):
    assert said(exercise(lambda array: None), np.zeros(3)) == "Right.\n"


def test_one_of_two_answers_missing_is_not_yet(said):
    assert said(exercise(lambda a, b: None), np.zeros(3), ...).startswith("Not yet")


def test_a_check_may_say_not_yet_itself(said):
    def check(answer):
        raise NotYet("draw the picture first")

    assert said(exercise(check), 1) == "Not yet: draw the picture first\n"


def test_a_check_keeps_its_name_and_docstring():
    assert doubles.__name__ == "doubles"
    assert doubles.__doc__ == "The answer doubles its number."


def test_for_other_graders_everything_but_right_raises_with_the_words_of_the_check(capsys):
    def check(answer):
        if answer != 2:
            raise Wrong("twice one is two.")

    assert require_right(exercise(check), 2) is None
    assert capsys.readouterr().out == ""
    with pytest.raises(AssertionError, match=r"^Not right: twice one is two\.$"):
        require_right(exercise(check), 3)
    with pytest.raises(AssertionError, match=r"^Not yet: replace"):
        require_right(exercise(check), ...)


KINDS = {"A": "hole", "B": "Split"}


@exercise
def kinds(answers):
    match_answers(answers, KINDS, {"A": "look inside.", "B": "count the parts."})


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        (KINDS, "Right."),
        ({"B": " split ", "A": np.str_("HOLE")}, "Right."),
        (KINDS | {"B": ...}, "Not yet: 1 of 2 are open."),
        ({"A": None, "B": ...}, "Not yet: 2 of 2 are open."),
        (KINDS | {"A": "split"}, "Not right: 'A' is not 'Split': look inside."),
        (KINDS | {"B": "hole"}, "Not right: 'B' is not 'hole': count the parts."),
        (KINDS | {"A": "leak"}, "Not right: 'leak' for 'A' is none of 'Split', 'hole'."),
        (KINDS | {"A": 1}, "Not right: 1 for 'A' is none of"),
        (KINDS | {"A": True}, "Not right: True for 'A' is none of"),
        (KINDS | {"A": ["hole"]}, "Not right: ['hole'] for 'A' is none of"),
        (KINDS | {"A": np.zeros(2)}, "Not right: array([0., 0.]) for 'A' is none of"),
        ({"A": "hole"}, "Not right: keep the keys of the dictionary, and replace the ... only: 'B' is missing."),
        ({"a": "hole", "B": "split"}, "Not right: keep the keys of the dictionary, and replace the ... only: "
         "'A' is missing, 'a' is not one of them."),
        (KINDS | {3: "hole"}, "Not right: keep the keys of the dictionary, and replace the ... only: 3 is not one"),
        ({}, "Not right: keep the keys of the dictionary"),
        (["hole", "split"], "Not right: keep the dictionary, and replace the ... only; this is a list."),
        ("hole", "Not right: keep the dictionary, and replace the ... only; this is a str."),
    ],
)  # fmt: skip
def test_a_dictionary_of_answers_is_right_or_told_what_is_wrong(said, answers, verdict):
    assert said(kinds, answers).startswith(verdict)


def test_a_dictionary_of_answers_may_have_more_choices_and_reasons_that_depend_on_the_answer(said):
    @exercise
    def check(answers):
        why = "{} is not {}.".format
        match_answers(answers, KINDS, why, choices=("hole", "Split", "leak"), todo="{keys} of {total}")

    assert said(check, KINDS | {"B": "Leak"}) == "Not right: 'B' is not 'leak': B is not leak.\n"
    assert said(check, dict.fromkeys(KINDS, ...)) == "Not yet: A, B of 2\n"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (3, 3),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.array(0.5), 0.5),
        (float("inf"), float("inf")),
        (Fraction(1, 2), 0.5),
        (10**30, 10**30),
    ],
)
def test_a_number_is_read_whoever_made_it(value, read):
    assert number(value) == read
    assert type(number(value)) is type(read)


@pytest.mark.parametrize("value", ["0.5", np.str_("1"), True, np.bool_(True), None, {}, {1}, 1j, print])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(Wrong, match="a number was expected, not"):
        number(value)


@pytest.mark.parametrize("value", [[0.5], (1, 2), [[1], [1, 2]], np.zeros(1), np.zeros((2, 2)), [], ["1"]])
def test_several_numbers_are_not_one(value):
    with pytest.raises(Wrong, match="one number was expected, not an array or a list; take the mean"):
        number(value, "take the mean")


def test_the_name_of_the_package_leads_to_what_it_promises():
    for name in unet_helpers.__all__:
        assert getattr(unet_helpers, name) is not None
    assert {"UNet", "dice", "iou", "load_dataset", "pair_files"} <= set(unet_helpers.__all__)


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_are_true(name):
    results = doctest.testmod(importlib.import_module(name), extraglobs={"np": np})
    assert results.failed == 0


def test_there_are_docstring_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = [e for name in MODULES for t in finder.find(importlib.import_module(name)) for e in t.examples]
    assert len(examples) >= 8
