"""What a check says to a reader, and that the examples in the docstrings are true."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import unet_helpers
from unet_helpers.teaching.checks._verdict import NotYet, Wrong, call, exercise

MODULES = [info.name for info in pkgutil.walk_packages(unet_helpers.__path__, "unet_helpers.")]
MODULES = [name for name in MODULES if not name.endswith("__main__")]


@exercise
def doubles(function):
    """The answer doubles its number."""
    if call(function, 2) != 4:
        raise Wrong("2 should become 4")
    return "Both ways of writing it are fine."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (..., "Not yet: replace the ... and run the cell again."),
        (None, "Not yet: replace the ... and run the cell again."),
        (lambda n: None, "Not yet: the function returns nothing"),
        (lambda n: ..., "Not yet: the function returns nothing"),
        (lambda n: n + 1, "Not right: 2 should become 4"),
        (lambda n: n / 0, "Not right: your code raised ZeroDivisionError: division by zero"),
        (lambda: 4, "Not right: your code raised TypeError"),
        (7, "Not right: your code raised TypeError"),
        (lambda n: 2 * n, "Right. Both ways of writing it are fine."),
    ],
)
def test_a_check_says_one_of_three_things_and_never_raises(answer, said, capsys):
    assert doubles(answer) is None
    out = capsys.readouterr().out
    assert out.startswith(said)
    assert out.count("\n") == 1


def test_an_array_is_an_answer(capsys):
    exercise(lambda array: None)(np.zeros(3))
    assert capsys.readouterr().out == "Right.\n"


def test_one_of_two_answers_missing_is_not_yet(capsys):
    exercise(lambda a, b: None)(np.zeros(3), ...)
    assert capsys.readouterr().out.startswith("Not yet")


def test_a_check_may_say_not_yet_itself(capsys):
    def check(answer):
        raise NotYet("draw the picture first")

    exercise(check)(1)
    assert capsys.readouterr().out == "Not yet: draw the picture first\n"


def test_a_check_keeps_its_name_and_docstring():
    assert doubles.__name__ == "doubles"
    assert doubles.__doc__ == "The answer doubles its number."


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
