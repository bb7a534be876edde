"""The page that counts mutants says what the tables hold, and every exercise of the notebooks is in them."""

import re
from pathlib import Path

import mutant_table
import mutants

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_up_to_date():
    assert mutant_table.PAGE.read_text(encoding="utf-8") == mutant_table.page()


def test_every_exercise_of_the_notebooks_has_its_mutants():
    sources = sorted((ROOT / "notebooks" / "src").glob("[0-9]*.py"))
    text = "\n".join(source.read_text(encoding="utf-8") for source in sources)
    asked = re.findall(r"^# ### Exercise (\d\d\.\d)", text, re.MULTILINE)
    assert [exercise.number for exercise in mutants.all_exercises()] == asked
