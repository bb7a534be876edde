"""What most checks ask: a number, or an array of numbers, for each of several cases."""

import numpy as np

from ._verdict import NotYet, Raised, Wrong, call, number

ROUNDED = "It is rounded; give all of its digits, since rounding is for print."


def compare(function, right, cases, mistakes, otherwise, several="", tolerance=1e-5):
    """Hold the reader's function against ``right``, a function that gives the right number, or array of numbers.

    ``cases`` are arguments, each by words of its own, as ``{"for 3 and 4": (3, 4)}``. ``mistakes`` is a function of the
    same arguments that gives wrong answers by their hint: one, a list of them, or a function that knows them. A hint
    is said if it explains all answers, or else all of the wrong ones; if none does, ``otherwise``. ``several`` says
    how several numbers become one, or what the shape of an array should be.
    """
    asked, expected, given = list(cases.items()), [right(*case) for case in cases.values()], []
    try:
        for (what, case), value in zip(asked, expected, strict=True):
            given.append(_answer(function, what, case, value, several, first=not given))
    except Wrong:
        if all(same(*pair, tolerance) for pair in zip(given, expected, strict=False)):
            raise
    wrong = [k for k, answer in enumerate(given) if not same(answer, expected[k], tolerance)]
    if wrong:
        what, case = asked[wrong[0]]
        shown = _difference(given[wrong[0]], expected[wrong[0]], case[0], tolerance)
        with np.errstate(all="ignore"):
            hints = [mistakes(*case) for _, case in asked[: len(given)]]
        raise Wrong(f"{what} {shown}. {_explain(given, expected, wrong, hints, otherwise, tolerance)}")


def _explain(given, expected, wrong, hints, otherwise, tolerance):
    """The hint that explains the answers of all cases, or of those that are wrong, or else the general one."""
    for places in (range(len(given)), wrong):
        for hint in hints[wrong[0]]:
            if all(_is_one_of(given[k], hints[k].get(hint, []), tolerance) for k in places):
                return hint
        if any(all(same(given[k], np.round(expected[k], digits)) for k in places) for digits in range(5)):
            return ROUNDED
        if len(given) > 1 and all(same(answer, given[0]) for answer in given):
            return f"It gives the same in all cases. {otherwise}"
    return otherwise


def first_hint(given, hints, otherwise, tolerance=1e-5):
    """The hint of the first wrong answer that is close to this one, of ``{hint: answer}`` as in :func:`compare`."""
    return next((hint for hint, wrong in hints.items() if _is_one_of(given, wrong, tolerance)), otherwise)


def _is_one_of(given, wrong, tolerance):
    wrong = wrong if isinstance(wrong, list) else [wrong]
    return any(one(given) if callable(one) else same(given, one, tolerance) for one in wrong)


def _answer(function, what, case, right, several, first):
    """What the reader's function gives for one case: a number, or an array of the right shape."""
    try:
        answer = call(function, *case)
    except NotYet:
        if first:
            raise
        raise Wrong(f"{what} it returns nothing; each way through the function has to return a value.") from None
    except Raised as error:
        cause = error.__cause__
        raise Wrong(f"{what} your code raised {type(cause).__name__}: {cause}") from cause
    if not np.ndim(right):
        return number(answer, several)
    if isinstance(answer, (set, dict)):
        raise Wrong(f"{what} it gives a {type(answer).__name__}; return an array, in which each number has its place.")
    answer = np.asarray(answer)
    if answer.dtype.kind not in "fiu":
        raise Wrong(f"{what} it gives {answer.ravel()[:1].tolist()}, and numbers were expected.")
    if answer.shape != right.shape:
        exchanged = ", rows and columns exchanged" if answer.shape == right.T.shape else ""
        raise Wrong(f"{what} it gives shape {answer.shape}, not {right.shape}{exchanged}; {several}.")
    return answer


def same(one, other, tolerance=1e-5):
    """Whether two numbers, or arrays, agree but for rounding; whole numbers agree or not, and nan is nan."""
    if isinstance(one, int) and isinstance(other, int):
        return one == other
    one, other = np.asarray(one, float), np.asarray(other, float)
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-5, atol=tolerance, equal_nan=True)


def _difference(given, right, before, tolerance):
    """What is given, and what is right: of arrays at the first place in which they differ."""
    at = ""
    if np.ndim(right):
        place = tuple(np.argwhere(~np.isclose(given, right, rtol=1e-5, atol=tolerance, equal_nan=True))[0].tolist())
        at = (
            f"for {before[place]:.4g} "
            if np.shape(before) == right.shape
            else f"at place {', '.join(map(str, place))} "
        )
        given, right = given[place].item(), right[place].item()
    return f"{at}it gives {_digits(given, right)}, and right is {_digits(right, given)}"


def _digits(value, beside):
    """A number with as many digits as tell it from the one beside it."""
    if float(value).is_integer():
        return f"{value:.0f}"
    return f"{value:.4g}" if f"{value:.4g}" != f"{beside:.4g}" else f"{value:.8g}"
