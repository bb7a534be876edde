"""Several cases of a function that gives one number: which mistake explains all of its answers?"""

import numpy as np

from ._verdict import Wrong, call, number


def agree(function, cases, right, mistakes, case, hint):
    """Hold a reader's function against the right one, both called with the arguments of each case.

    ``mistakes`` are pairs of a wrong function and the sentence that is said if it gives what the reader's function
    gives in every case; otherwise ``hint`` is said. ``case`` names a case, with ``{}`` for its arguments.
    """
    given = [number(call(function, *arguments)) for arguments in cases]
    expected = [right(*arguments) for arguments in cases]
    wrong = ~np.isclose(given, expected, rtol=1e-6)
    if not wrong.any():
        return
    for mistake, what in mistakes:
        if np.allclose(given, [mistake(*arguments) for arguments in cases], rtol=1e-6):
            hint = what
            break
    first = int(np.argmax(wrong))
    raise Wrong(
        f"{case.format(*cases[first])} it gives {_digits(given[first])}, not {_digits(expected[first])}. {hint}"
    )


def _digits(value):
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"
