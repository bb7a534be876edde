"""Every exercise with right answers and with wrong programs, its *mutants*: a check must tell them apart.

A chapter's table is ``chapter_NN.EXERCISES``. Named mutants are mistakes that people make, each with words of the hint
that it must get. Mechanical ones are made here from the first right answer: its result turned, shortened, or its input
changed. ``tools/mutant_table.py`` writes the page of the book that counts them.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


class Answers(tuple):
    """Several answers handed to a check together: ``Answers((truth, found))``."""


@dataclass(frozen=True)
class Exercise:
    """One exercise: its number, as "05.1", its check, and programs with the verdict that each must get."""

    number: str
    check: Callable
    right: dict  # name -> answer
    wrong: dict  # name -> (answer, words of the hint)
    survives: dict = field(default_factory=dict)  # name -> (answer that is wrong and still gets Right, why)
    equivalent: dict = field(default_factory=dict)  # name of a mechanical mutant -> why it is no wrong answer here

    @property
    def of_function(self):
        """Whether the reader writes one function."""
        return self.check.__doc__.startswith("A function")


def all_exercises():
    """The exercises of all chapters, in order."""
    chapters = sorted(info.name for info in pkgutil.iter_modules(__path__))
    return [exercise for name in chapters for exercise in importlib.import_module(f"{__name__}.{name}").EXERCISES]


def hand_in(check, answer):
    """Give one answer, or several, to a check; it prints its verdict."""
    check(*answer) if isinstance(answer, Answers) else check(answer)


def mechanical(exercise):
    """Mutants made from the first right function: name -> (function, words of its hint).

    A mutant counts only where it gives another result, or has something to change, in a call that the check makes.
    """
    if not exercise.of_function:
        return {}
    right = next(iter(exercise.right.values()))
    mutants = {name: _Mutant(right, turn) for name, turn in TURNS.items()}
    mutants |= {"changes its input": _Spoiler(right), "the first answer again and again": _Constant(right)}

    def probe(*arguments):
        for mutant in mutants.values():
            mutant(*map(_copied, arguments))
        return right(*arguments)

    exercise.check(probe)
    hints = {"as text": "", "changes its input": "changes what it is given"}
    return {
        name: (mutant.fresh(), hints.get(name, ""))
        for name, mutant in mutants.items()
        if mutant.differs and name not in exercise.equivalent
    }


class _Mutant:
    """A function whose results are turned."""

    def __init__(self, right, turn):
        self.right, self.turn, self.differs = right, turn, False

    def fresh(self):
        return type(self)(self.right, self.turn)

    def __call__(self, *arguments):
        result = self.right(*arguments)
        turned = self.turn(result)
        self.differs |= turned is not NotImplemented and not _equal(turned, result)
        return result if turned is NotImplemented else turned


class _Constant(_Mutant):
    """Gives its first result to every call."""

    def __init__(self, right, turn=None):
        super().__init__(right, self._first)
        self.first = None

    def _first(self, result):
        self.first = result if self.first is None else self.first
        return self.first


class _Spoiler(_Mutant):
    """Gives the right result, and changes the first array, list or dictionary that it was given."""

    def __init__(self, right, turn=None):
        super().__init__(right, turn)

    def __call__(self, *arguments):
        result = _copied(self.right(*arguments))
        self.differs |= any(map(_spoil, arguments))
        return result


def _spoil(value):
    """Whether something in it could be changed."""
    if isinstance(value, np.ndarray) and value.size and value.dtype.kind in "biuf":
        value[...] = ~value if value.dtype.kind == "b" else value + 1
        return True
    if isinstance(value, dict) and value:
        value.popitem()
        return True
    if isinstance(value, list) and value:
        value.pop()
        return True
    return isinstance(value, tuple) and any(map(_spoil, value))


def _copied(value):
    return value.copy() if isinstance(value, (np.ndarray, list, dict)) else value


def _is_number(value):
    return isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_))


def _of_numbers(turn):
    return lambda result: turn(result) if _is_number(result) else NotImplemented


def _of_rows(turn):
    """For arrays of at least one dimension, lists and tuples, of several rows."""

    def turned(result):
        rows = isinstance(result, (list, tuple)) or (isinstance(result, np.ndarray) and result.ndim > 0)
        return turn(result) if rows and len(result) > 1 else NotImplemented

    return turned


TURNS = {
    "as text": _of_numbers(str),
    "one more": _of_numbers(lambda number: number + 1),
    "the sign turned": _of_numbers(lambda number: -number),
    "a hundredth more": _of_numbers(
        lambda number: number * 1.01 if isinstance(number, (float, np.floating)) else NotImplemented
    ),
    "backward": _of_rows(lambda rows: rows[::-1]),
    "the last one missing": _of_rows(lambda rows: rows[:-1]),
    "axes exchanged": lambda result: (
        np.swapaxes(result, 0, 1) if isinstance(result, np.ndarray) and result.ndim > 1 else NotImplemented
    ),
    "turned around": lambda result: not result if isinstance(result, (bool, np.bool_)) else NotImplemented,
}


def _equal(one, other):
    try:
        return type(one) is type(other) and bool(np.array_equal(one, other, equal_nan=_is_number(one)))
    except (TypeError, ValueError):
        return False
