"""How a check speaks, how it calls what a reader wrote, and how it reads the answers that come back."""

import functools
from numbers import Real

import numpy as np
import pandas as pd


class Wrong(Exception):
    """Raised inside a check: the answer is there but wrong, and the message says how."""


class NotYet(Exception):
    """Raised inside a check: the starter has not been filled in."""


class Raised(Exception):
    """The reader's own code raised an error: its cause."""


def exercise(check):
    """Turn a function that raises :class:`Wrong` or :class:`NotYet` into a check that prints its verdict.

    The function may return a sentence that is printed after *Right*. ``None`` and ``...`` as an answer
    mean not yet.
    """

    @functools.wraps(check)
    def run(*answers):
        kind, sentence = verdict(check, answers)
        print(f"{SAID[kind]} {sentence}".strip())

    return run


SAID = {"right": "Right.", "not yet": "Not yet:", "wrong": "Not right:", "error": "Not right:"}


def verdict(check, answers):
    """What a check says to answers: a word of ``SAID`` and a sentence; "error" where the reader's code raised one."""
    if any(is_open(answer) for answer in answers):
        return "not yet", "replace the ... and run the cell again."
    try:
        return "right", getattr(check, "__wrapped__", check)(*answers) or ""
    except NotYet as message:
        return "not yet", str(message)
    except Wrong as message:
        return "error" if message.__cause__ else "wrong", str(message)
    except Raised as error:  # whatever the reader's code raises is an answer too
        return "error", f"your code raised {type(error.__cause__).__name__}: {error.__cause__}"
    except Exception as error:
        return "wrong", (
            "this check cannot work with what it was given; compare its kind with what the exercise asks for "
            f"({type(error).__name__}: {error})"
        )


def require_right(check, *answers):
    """Raise AssertionError, with the words of the check, unless the answers are right: a test for other graders."""
    kind, sentence = verdict(check, answers)
    if kind != "right":
        raise AssertionError(f"{SAID[kind]} {sentence}")


def is_open(answer):
    """Whether an answer still is the ``...`` of the starter, or nothing."""
    return answer is None or answer is ...


def call(function, *arguments):
    """Call the reader's function on copies, and refuse a function that changes what it is given.

    A returned ``...`` means not yet, and so does None; an error of the function comes back as :class:`Raised`.
    """
    if not callable(function):
        raise Wrong(f"a function is expected here, not {function!r}.")
    given = tuple(_copy(argument) for argument in arguments)
    try:
        result = function(*given)
    except Exception as error:
        raise Raised from error
    if result is None:
        raise NotYet("the function returns nothing; end each way through it with return (print only shows the answer).")
    if result is ...:
        raise NotYet("the function returns nothing; replace the ... and run the cell again.")
    if not all(map(_same, arguments, given)):
        raise Wrong("your function changes what it is given, and later cells need that as it was; work on a copy.")
    return result


def _copy(value):
    """A copy of arrays, tables, and of lists and dictionaries of them; anything else as it is."""
    if isinstance(value, (np.ndarray, pd.DataFrame, pd.Series)):
        return value.copy()
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(map(_copy, value))
    return value


def _same(before, after):
    """Whether a copy still is what it was made from."""
    if isinstance(before, (pd.DataFrame, pd.Series)):
        return before.equals(after)
    if isinstance(before, np.ndarray):
        floats = before.dtype.kind in "fc"
        return before.dtype == after.dtype and np.array_equal(before, after, equal_nan=floats)
    if isinstance(before, dict):
        return list(before) == list(after) and all(_same(before[key], after[key]) for key in before)
    if type(before) in (list, tuple):
        return len(before) == len(after) and all(map(_same, before, after))
    return before is after or bool(np.all(before == after))


def number(value, hint=""):
    """One number of the reader's, as an int or a float; a text, a truth value and an array are refused.

    ``hint`` says how several numbers become one.
    """
    if isinstance(value, (list, tuple)) or np.ndim(value):
        raise Wrong(f"one number was expected, not an array or a list{hint and '; ' + hint}.")
    value = np.asarray(value).item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise Wrong(f"a number was expected, not {value!r}.")
    return value if isinstance(value, int) else float(value)


def match_answers(answers, right, why, choices=None, todo="{count} of {total} are open."):
    """Hold a reader's dictionary of words against the right one; upper and lower case are the same.

    ``why`` tells for each key what speaks against a wrong answer: a dictionary of sentences, or a function of key
    and answer. ``choices`` are all words to choose from, where they are more than the right ones. ``todo`` is said
    while ``{count}`` of ``{total}`` answers, namely those of ``{keys}``, are open.
    """
    if not isinstance(answers, dict):
        raise Wrong(f"keep the dictionary, and replace the ... only; this is a {type(answers).__name__}.")
    odd = [f"{key!r} is missing" for key in right if key not in answers]
    odd += [f"{key!r} is not one of them" for key in answers if key not in right]
    if odd:
        raise Wrong(f"keep the keys of the dictionary, and replace the ... only: {', '.join(odd)}.")
    still = [key for key in right if is_open(answers[key])]
    if still:
        raise NotYet(todo.format(count=len(still), total=len(right), keys=", ".join(still)))
    words = {word.lower(): word for word in choices or sorted(set(right.values()))}
    for key in right:
        given = words.get(str(answers[key]).strip().lower())
        if given is None:
            raise Wrong(f"{answers[key]!r} for {key!r} is none of {', '.join(map(repr, words.values()))}.")
        if given != right[key]:
            raise Wrong(f"{key!r} is not {given!r}: {why(key, given) if callable(why) else why[key]}")
