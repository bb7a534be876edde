"""How a check holds numbers and arrays against the right ones, and which hint it gives."""

import numpy as np
import pytest

from unet_helpers.teaching.checks._numbers import compare
from unet_helpers.teaching.checks._verdict import NotYet, Wrong

PAIRS = {f"for {a} and {b}": (a, b) for a, b in ((3, 4), (2, 2), (1, 8), (-1, 5))}


def mean(a, b):
    return (a + b) / 2


def mistakes(a, b):
    return {"That is the sum.": a + b, "That is one of the two.": [a, b], "It is far off.": lambda given: given > 100}


def hint(function, right=mean, cases=PAIRS, mistakes=mistakes):
    with pytest.raises(Wrong) as raised:
        compare(function, right, cases, mistakes, "Take the mean.")
    return str(raised.value)


def test_the_right_function_passes():
    compare(mean, mean, PAIRS, mistakes, "Take the mean.")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda a, b: a + b, "for 3 and 4 it gives 7, and right is 3.5. That is the sum."),
        (lambda a, b: a, "for 3 and 4 it gives 3, and right is 3.5. That is one of the two."),
        (lambda a, b: max(a, b), "That is one of the two."),
        (lambda a, b: 1000 + a, "It is far off."),
        (lambda a, b: a + b if b == 4 else a - b, "Take the mean."),  # the sum explains the first case alone
        (lambda a, b: a + b if b == 8 else mean(a, b), "for 1 and 8 it gives 9, and right is 4.5. That is the sum."),
        (lambda a, b: 2.5, "It gives the same in all cases. Take the mean."),
        (lambda a, b: round(mean(a, b)), "It is rounded"),
        (lambda a, b: mean(a, b) * 1.0001, "it gives 3.50035, and right is 3.5."),
        (lambda a, b: [a, b], "one number was expected"),
        (lambda a, b: None if a < 0 else mean(a, b), "for -1 and 5 it returns nothing; each way"),
        (lambda a, b: mean(a, b) / (a - 2), "for 2 and 2 your code raised ZeroDivisionError"),
        (lambda a, b: (a + b) / (a + 1), "for 3 and 4 it gives 1.75"),  # wrong before it fails
    ],
)
def test_a_wrong_function_gets_the_hint_that_explains_all_of_its_wrong_answers(function, said):
    assert said in hint(function)


def test_a_starter_is_not_yet():
    with pytest.raises(NotYet):
        compare(lambda a, b: None, mean, PAIRS, mistakes, "Take the mean.")


def test_a_hint_that_explains_everything_comes_before_one_that_explains_what_is_wrong():
    cases = {"for 1": (1,), "for 2": (2,), "for 3": (3,)}
    said = hint(lambda a: 2, lambda a: a, cases, lambda a: {"2, but for 2.": 2 if a != 2 else 0, "Always 2.": 2})
    assert said.endswith("Always 2.")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda a: a, "with a 3 for 4 it gives 4, and right is 8. Twice."),
        (lambda a: (2 * a).T, "it gives shape (3, 2), not (2, 3), rows and columns exchanged; keep it."),
        (lambda a: 2 * a[0], "it gives shape (3,), not (2, 3); keep it."),
        (lambda a: (2 * a).astype(str), "it gives ['8'], and numbers were expected."),
        (lambda a: {1: 2}, "it gives a dict; return an array"),
    ],
)
def test_arrays_are_told_apart_at_the_first_place_where_they_differ(function, said):
    array = np.array([[4, 3, 1], [0, 5, 2]])
    with pytest.raises(Wrong) as raised:
        compare(function, lambda a: 2 * a, {"with a 3": (array,)}, lambda a: {}, "Twice.", "keep it")
    assert said in str(raised.value)
