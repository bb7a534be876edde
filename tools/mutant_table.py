"""Write ``book/exercise_checks.md``, how many wrong programs each exercise's check catches: ``--check`` only compares.

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
SURVIVORS = """
## Mutants that survive

These programs are wrong, and their check says *Right*:
"""
EQUIVALENT = """
## Mechanical mutants that are no mistake

Turning the result does not make these answers wrong, so they are not counted:
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="say whether the page is up to date, and write nothing")
    options = parser.parse_args()
    text = page()
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit("book/exercise_checks.md is out of date: python tools/mutant_table.py")


def page():
    """The text of the page."""
    sys.path.insert(0, str(ROOT / "tests"))
    from mutants import all_exercises, mechanical

    rows, total = [], {"named": 0, "mechanical": 0, "survive": 0}
    survivors, equivalent = [], []
    exercises = all_exercises()
    for exercise in exercises:
        with contextlib.redirect_stdout(io.StringIO()):
            made = len(mechanical(exercise))
        named, survive = len(exercise.wrong), len(exercise.survives)
        total = {"named": total["named"] + named + survive, "mechanical": total["mechanical"] + made,
                 "survive": total["survive"] + survive}  # fmt: skip
        caught = f"{named + made} of {named + made + survive}"
        name = exercise.check.__name__.replace("_", " ")
        rows.append(f"| {exercise.number} | {name} | {len(exercise.right)} | {named + survive} | {made} | {caught} |")
        survivors += [f"- {exercise.number}, *{name}*: {why}" for name, (_, why) in exercise.survives.items()]
        equivalent += [f"- {exercise.number}, *{name}*: {why}" for name, why in exercise.equivalent.items()]
    count = total["named"] + total["mechanical"]
    caught = count - total["survive"]
    text = INTRODUCTION.format(all=count, caught=caught, share=caught / count, exercises=len(exercises), **total)
    head = [
        "",
        "| exercise | its check | right answers | named mutants | mechanical | caught |",
        "|---|---|---|---|---|---|",
    ]
    text += "\n".join([*head, *rows]) + "\n"
    for title, lines in ((SURVIVORS, survivors), (EQUIVALENT, equivalent)):
        if lines:
            text += title + "\n" + "\n".join(lines) + "\n"
    return text


if __name__ == "__main__":
    main()
