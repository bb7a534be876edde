"""What most checks of a function ask: one number for each of several cases."""

import math

from ._verdict import NotYet, Raised, Wrong, call, number


def compare_numbers(function, right, cases, suspects, otherwise, several=""):
    """Hold the reader's function against ``right``, a function that gives the right number.

    ``cases`` are arguments by the words for them, as ``{"for 3 and 4": (3, 4)}``. ``suspects`` are wrong programs by
    their hint: a wrong number gets the hint of the first one that gives this number too, or else ``otherwise``.
    ``several`` says how several numbers become one.
    """
    for k, (what, case) in enumerate(cases.items()):
        expected = right(*case)
        try:
            given = number(call(function, *case), several)
        except NotYet:
            if not k:
                raise
            raise Wrong(f"{what} it returns nothing; each way through the function has to return a value.") from None
        except Raised as error:
            cause = error.__cause__
            raise Wrong(f"{what} your code raised {type(cause).__name__}: {cause}") from cause
        if not same(given, expected):
            hints = (hint for hint, program in suspects.items() if same(given, program(*case)))
            rounded = any(given == round(expected, digits) for digits in range(1, 5))
            hint = next(hints, "Return it as it is; rounding is for print." if rounded else otherwise)
            raise Wrong(f"{what} it gives {_shown(given, expected)}, and right is {_shown(expected, given)}. {hint}")


def same(one, other):
    """Whether two numbers agree but for rounding; whole numbers agree or not, and nan is nan."""
    if isinstance(one, int) and isinstance(other, int):
        return one == other
    return math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-5) or (math.isnan(one) and math.isnan(other))


def _shown(value, beside):
    """A number with as many digits as tell it from the one beside it."""
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if f"{value:.3f}" != f"{beside:.3f}" else f"{value:.6g}"
