"""The pages for lecturers: plans that add up, and tables that name only what exists."""

import functools
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "book" / "_ext")]

import course  # noqa: E402
import series_book  # noqa: E402

MINUTES = series_book.lesson_minutes(ROOT / "notebooks")
PLANS = course.read_syllabi(ROOT / "book" / "syllabi.yml", MINUTES)
LINKS = course.notebook_links(ROOT / "notebooks")
BOXES = course.read_boxes(ROOT / "notebooks")
BANK = course.read_questions(ROOT / "book" / "questions.yml")
QUESTIONS = [(notebook, one) for notebook, questions in BANK.items() for one in questions]
PRACTICED = yaml.safe_load((ROOT / "book" / "outcomes.yml").read_text(encoding="utf-8"))
SESSIONS = [(key, number, session) for key, plan in PLANS.items() for number, session in enumerate(plan["sessions"])]


@pytest.mark.parametrize(("key", "number", "session"), SESSIONS)
def test_each_session_fits_its_hours_with_breaks(key, number, session):
    plan = PLANS[key]
    assert sum(one.minutes for one in session) <= plan["minutes"] <= 8 * 60
    assert any(one.pause for one in session), "a session without a break"


@pytest.mark.parametrize(("key", "number", "session"), SESSIONS)
def test_nobody_works_for_more_than_two_hours_without_a_break(key, number, session):
    stretch = 0
    for one in session:
        stretch = 0 if one.pause and "inside" not in one.name else stretch + one.minutes * (not one.pause)
        inside = any(f"inside {part.notebook}" in other.name for part in session for other in session if part.notebook)
        assert stretch <= 120 or inside


def test_plans_say_the_hours_that_their_titles_promise():
    promised = {"one_day": (1, 480), "two_days": (2, 480), "radiology": (1, 240), "two_hours": (1, 120)}
    promised |= {"seven_weeks": (7, 180), "fourteen_weeks": (14, 150), "five_seminars": (5, 150)}
    assert {key: (len(plan["sessions"]), plan["minutes"]) for key, plan in PLANS.items()} == promised


def test_every_notebook_is_in_a_session_of_some_plan():
    assert [name for name in LINKS if not course.used_in(PLANS, name)] == []


@pytest.mark.parametrize("key", PLANS)
def test_what_a_notebook_needs_comes_before_it(key):
    seen = set()
    for session in PLANS[key]["sessions"]:
        for one in session:
            if one.notebook:
                page = next((ROOT / "notebooks" / "src").glob(f"{one.notebook}_*.py")).read_text(encoding="utf-8")
                line = next(line for line in page.splitlines() if "**You need before" in line)
                # 02 explains the images of 03, and 06 sends people to 06b: neither is needed
                needed = set(re.findall(r"\((\d\d[bc]?)_", re.sub(r"If your network.*|\[Notebook 02.*", "", line)))
                helpful = {"06"} if one.notebook == "16" else set()
                assert needed - seen - helpful <= set(), f"{one.notebook} in {key}"
                seen.add(one.notebook)
            else:
                seen |= set(re.findall(r"\b\d\d[bc]?\b", one.name))  # told in words


def test_the_sums_on_the_page_are_the_sums_of_the_minutes():
    for plan in PLANS.values():
        text = course.syllabus(plan, LINKS)
        whole = sum(one.minutes for session in plan["sessions"] for one in session)
        if "start" in plan:
            shown = [int(number) for number in re.findall(r"\*\*(\d+)\*\* \|$", text, re.MULTILINE)]
        else:
            shown = [int(re.search(r"^\| all .*\*\*(\d+)\*\* \|$", text, re.MULTILINE)[1])]
        assert sum(shown) == whole


def test_a_plan_with_an_unknown_notebook_or_without_minutes_is_refused():
    with pytest.raises(ValueError, match="names notebook 99"):
        course.part("99", MINUTES)
    with pytest.raises(ValueError, match="does not end with its minutes"):
        course.part("a long talk", MINUTES)
    shown = course.part("04 shown", {"nb04": {"read": 61, "run": 4, "plan": 95}})
    assert (shown.minutes, shown.notebook, shown.shown, shown.pause) == (65, "04", True, False)


def test_each_exercise_practices_an_outcome_of_its_box_and_each_named_one_exists():
    assert {name: list(box["exercises"]) for name, box in BOXES.items()} == {
        name: list(exercises) for name, exercises in PRACTICED.items()
    }
    for name, exercises in PRACTICED.items():
        for outcome in exercises.values():
            assert isinstance(outcome, str) or 1 <= outcome <= len(BOXES[name]["outcomes"])


def test_each_outcome_is_asked_for_by_an_exercise_or_a_question():
    for name, box in BOXES.items():
        asked = set(PRACTICED[name].values()) | {one["outcome"] for one in BANK[name]}
        assert box["outcomes"]
        assert [number for number in range(1, len(box["outcomes"]) + 1) if number not in asked] == [], name
        assert {one["outcome"] for one in BANK[name]} <= set(range(1, len(box["outcomes"]) + 1)), name


def test_the_table_of_outcomes_names_every_exercise_and_every_question():
    table = course.outcomes_table(BOXES, PRACTICED, BANK, LINKS)
    for name in [*(one for box in BOXES.values() for one in box["exercises"]), *(one["name"] for _, one in QUESTIONS)]:
        assert re.search(rf"[ ,]{re.escape(name)}[ ,]", table), name


def test_the_bank_has_eighty_questions_of_all_levels_in_every_notebook():
    assert len(QUESTIONS) >= 80
    assert {one["level"] for _, one in QUESTIONS} == set(course.LEVELS)
    assert BANK.keys() == BOXES.keys()
    for name, questions in BANK.items():
        assert {one["level"] for one in questions} == set(course.LEVELS), name
    page = (ROOT / "book" / "question_bank.md").read_text(encoding="utf-8")
    assert [name for name in BANK if f"course.questions.nb{name} " not in page] == []


def one_line(text):
    """Text with each run of blanks and line breaks as one blank."""
    return " ".join(text.split())


@functools.cache
def shown_in(notebook):
    """All that a notebook shows, text and outputs, as one line."""
    path = next((ROOT / "notebooks").glob(f"{notebook}_*.ipynb"))
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        parts.append("".join(cell["source"]))
        for output in cell.get("outputs", []):
            parts += ["".join(output.get("text", [])), "".join(output.get("data", {}).get("text/plain", []))]
    return one_line(" ".join(parts))


@pytest.mark.parametrize("notebook", BANK)
def test_what_an_answer_rests_on_is_in_the_notebook(notebook):
    shown = shown_in(notebook)
    for one in BANK[notebook]:
        assert one["rests"], one["name"]
        assert [words for words in one["rests"] if one_line(words) not in shown] == [], one["name"]


@pytest.mark.parametrize(("notebook", "one"), QUESTIONS, ids=[one["name"] for _, one in QUESTIONS])
def test_the_marks_in_an_answer_add_up(notebook, one):
    assert sum(map(int, re.findall(r"\((\d) marks?\b", one["answer"]))) == one["marks"]


def test_no_question_is_asked_twice_or_stands_at_the_end_of_a_notebook():
    def words(text):
        return set(re.findall(r"[a-z]{4,}|\d[\d.]*", text.lower()))

    texts = {one["name"]: words(one["ask"]) for _, one in QUESTIONS}
    for name in BANK:
        end = course.markdown_of(ROOT / "notebooks" / Path(LINKS[name]).name).split("## Questions to test yourself")[1]
        texts |= {f"{name} {text}": words(text) for text in re.findall(r"^\d\. (.*)$", end, re.MULTILINE)}
    alike = [
        (first, second)
        for first in texts
        for second in texts
        if first < second and len(texts[first] & texts[second]) > 0.6 * min(len(texts[first]), len(texts[second]))
    ]
    assert [pair for pair in alike if min(len(texts[one]) for one in pair) >= 8] == []


REPORTS = re.split(r"^## Report ", (ROOT / "book" / "project.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("report", REPORTS, ids=[report[0] for report in REPORTS])
def test_the_numbers_of_an_example_report_are_numbers_of_the_book(report):
    rows = re.findall(r"^\|.*?\| (\d\d[bc]?): (.*) \|$", report, re.MULTILINE)
    printed = [(notebook, words) for notebook, cell in rows for words in re.findall(r"`(.*?)`", cell)]
    assert printed
    for notebook, words in printed:
        assert one_line(words.replace("\\|", "|")) in shown_in(notebook), words
    told = re.sub(r"\{\{.*?\}\}", "", "".join(line for line in report.splitlines() if line.startswith(">")))
    numbers = set(re.findall(r"\d*\.\d+", told))
    assert numbers <= set(re.findall(r"\d*\.\d+", " ".join(words for _, words in printed)))


def test_the_reader_of_report_c_lies_within_the_interval_of_the_report():
    leak, readers = (
        json.loads((ROOT / "book" / "results" / f"{name}.json").read_text(encoding="utf-8"))["results"]
        for name in ("leak", "readers")
    )
    row = leak["splits"]["by slice"]
    assert row["reported_low"] < readers["others"]["dice_missed_is_0"] < row["reported"] < row["reported_high"]


def test_the_rubric_gives_thirty_marks_and_the_reports_their_sum():
    rubric = (ROOT / "book" / "project.md").read_text(encoding="utf-8").split("## The rubric")[1].split("## Report")[0]
    assert sum(map(int, re.findall(r"^\|[^|]*\| (\d) \|", rubric, re.MULTILINE))) == 30
    for report in REPORTS:
        whole = int(re.search(r"\*\*(\d+) of 30\.\*\*", report)[1])
        parts = [
            re.search(rf"{part}:? (\d+)\b", report, re.IGNORECASE)[1]
            for part in ("data", "result", "failures and limits")
        ]
        assert sum(map(int, parts)) == whole
