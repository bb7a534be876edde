"""Write ``book/exercise_checks.md``, how many wrong programs each exercise's check catches.

The tables are in ``tests/mutants``; ``tests/teaching/checks/test_mutants.py`` runs every program of them.
"""

import argparse
import contextlib
import io
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "book" / "exercise_checks.md"
INTRODUCTION = """# What the self-checks catch

A self-check that says *Right* to a wrong program is worse than none. So each check is tested as one tests a network: \
with cases whose answer is known. For every exercise there are right answers, written in different ways, which must \
get *Right*. And there are **mutants**, wrong programs, which must not: mistakes that people make (another axis, a \
median for a mean, an input changed in place), each of which must also get a hint that fits it; and mechanical ones, \
made from the right answer by turning its result (as text, one more, backward, always the first one).

Right now **{caught} of {all} mutants are caught ({share:.1%})**: {named} with a name and {mechanical} mechanical \
ones, over {exercises} exercises. The tests of the series run them all, and a test compares this page with them.
"""
HEAD = (
    "",
    "| exercise | its check | right answers | named mutants | mechanical | caught |",
    "|---|---|---|---|---|---|",
)
SURVIVORS = """
## Mutants that survive

These programs are wrong, and their check says *Right*:
"""
EQUIVALENT = """
## Mechanical mutants that are no mistake

Turning the result does not make these answers wrong, so they are not counted:
"""


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    PAGE.write_text(page(), encoding="utf-8")


def page():
    """The text of the page."""
    sys.path.insert(0, str(ROOT / "tests"))
    from mutants import all_exercises, mechanical

    exercises, counts, rows = all_exercises(), [], []
    for exercise in exercises:
        with contextlib.redirect_stdout(io.StringIO()):
            made = len(mechanical(exercise))
        survive = len(exercise.survives)
        named = len(exercise.wrong) + survive
        counts.append((named, made, survive))
        name = exercise.check.__name__.replace("_", " ")
        caught = f"{named + made - survive} of {named + made}"
        rows.append(f"| {exercise.number} | {name} | {len(exercise.right)} | {named} | {made} | {caught} |")
    named, made, survive = map(sum, zip(*counts, strict=True))
    caught, count = named + made - survive, named + made
    text = INTRODUCTION.format(
        all=count, caught=caught, share=caught / count, named=named, mechanical=made, exercises=len(exercises)
    )
    text += "\n".join([*HEAD, *rows]) + "\n"
    survivors = [(one.number, name, why) for one in exercises for name, (_, why) in one.survives.items()]
    equivalent = [(one.number, name, why) for one in exercises for name, why in one.equivalent.items()]
    for title, entries in ((SURVIVORS, survivors), (EQUIVALENT, equivalent)):
        if entries:
            text += title + "\n" + "".join(f"- {number}, *{name}*: {why}\n" for number, name, why in entries)
    return text


if __name__ == "__main__":
    main()
