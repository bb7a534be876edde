"""How a check speaks, and how it calls what a reader wrote."""

import functools


class Wrong(Exception):
    """Raised inside a check: the answer is there but wrong, and the message says how."""


class NotYet(Exception):
    """Raised inside a check: the starter has not been filled in."""


def exercise(check):
    """Turn a function that raises :class:`Wrong` or :class:`NotYet` into a check that prints its verdict.

    The function may return a sentence that is printed after *Right*. ``None`` and ``...`` as an answer
    mean not yet.
    """

    @functools.wraps(check)
    def run(*answers):
        if any(answer is None or answer is ... for answer in answers):
            print("Not yet: replace the ... and run the cell again.")
            return
        try:
            more = check(*answers)
        except NotYet as message:
            print(f"Not yet: {message}")
        except Wrong as message:
            print(f"Not right: {message}")
        except Exception as error:  # whatever the reader's code raises is an answer too
            print(f"Not right: your code raised {type(error).__name__}: {error}")
        else:
            print(f"Right. {more}" if more else "Right.")

    return run


def call(function, *arguments):
    """Call the reader's function; a returned None or ... means not yet."""
    result = function(*arguments)
    if result is None or result is ...:
        raise NotYet("the function returns nothing; replace the ... and run the cell again.")
    return result
