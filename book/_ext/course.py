"""What a lecturer uses, made from data files.

``book/syllabi.yml`` holds the plans, ``book/questions.yml`` the bank of questions, and ``book/outcomes.yml`` says which
outcome each exercise practices. The minutes of a notebook are those that ``series_book.lesson_minutes`` reads from its
first box: with its exercises (``plan``), or read and run without them where the lecturer shows it.
"""

import json
import re
from collections import namedtuple
from pathlib import Path

import yaml

Part = namedtuple("Part", "name minutes notebook shown pause")
NOTEBOOK = re.compile(r"(\d\d[bc]?)( shown)?")
OTHER = re.compile(r"(.*\S) (\d+)")
LEVELS = ("recall", "apply", "judge")
OUTCOMES = re.compile(r"\*\*After this notebook you can\*\*\n\n((?:- .*\n)+)")
EXERCISE = re.compile(r"^### Exercise (\d\db?\.\d+): (.*)$", re.MULTILINE)


def to_five(minutes):
    """Round to five minutes, as the plans do."""
    return 5 * round(minutes / 5)


def part(text, minutes):
    """Read one entry of a session: what it is, how long it takes, and whether it is a notebook or a pause."""
    if found := NOTEBOOK.fullmatch(text):
        number, shown = found.groups()
        if f"nb{number}" not in minutes:
            raise ValueError(f"book/syllabi.yml names notebook {number}, which states no minutes in its first box")
        of_it = minutes[f"nb{number}"]
        long = to_five(of_it["read"] + of_it["run"]) if shown else of_it["plan"]
        return Part(text, long, number, bool(shown), False)
    if found := OTHER.fullmatch(text):
        name, long = found.groups()
        return Part(name, int(long), None, False, name.startswith(("break", "lunch")))
    raise ValueError(f"book/syllabi.yml: {text!r} is no notebook and does not end with its minutes")


def read_syllabi(path, minutes):
    """The plans: ``{key: plan}``, with every entry as a :class:`Part`."""
    plans = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    for plan in plans.values():
        plan["sessions"] = [[part(text, minutes) for text in session] for session in plan["sessions"]]
        plan["home"] = [part(text, minutes) for text in plan.get("home", [])]
        for one in (one for session in plan["sessions"] for one in session if one.shown):
            exercises = minutes[f"nb{one.notebook}"]["plan"] - one.minutes
            plan["home"].append(Part(f"the exercises of {one.notebook}", exercises, None, False, False))
    return plans


def total(parts, pauses=None):
    """Minutes of all parts; of the pauses alone, or of all but them, where `pauses` says so."""
    return sum(one.minutes for one in parts if pauses is None or one.pause == pauses)


def written(one, links):
    """One part in words, a notebook as a link."""
    if one.notebook is None:
        return one.name
    return f"[{one.notebook}]({links[one.notebook]})" + (" shown" if one.shown else " with exercises")


def clock(start, minutes):
    """The time of day so many minutes after `start`."""
    hour, minute = map(int, start.split(":"))
    return f"{(hour * 60 + minute + minutes) // 60}:{(minute + minutes) % 60:02d}"


def hours(minutes):
    """Minutes as a length of time: 480 as 8 h, 475 as 7 h 55 min."""
    return " ".join([f"{minutes // 60} h"] * (minutes >= 60) + [f"{minutes % 60} min"] * (minutes % 60 > 0))


def syllabus(plan, links):
    """One plan as Markdown: a clock for days, a row per session for weeks, and the sums."""
    lines = []
    if "start" in plan:
        for number, session in enumerate(plan["sessions"], start=1):
            day = f"day {number}" if len(plan["sessions"]) > 1 else "time"
            lines += [f"| {day} | part | minutes |", "|---|---|---|"]
            for place, one in enumerate(session):
                begin = total(session[:place])
                lines.append(f"| {clock(plan['start'], begin)} | {written(one, links)} | {one.minutes} |")
            work, pauses = total(session, pauses=False), total(session, pauses=True)
            end = clock(plan["start"], work + pauses)
            lines += [f"| {end} | **end**: {work} of work, {pauses} of breaks | **{work + pauses}** |", ""]
    else:
        lines += ["| week | parts | work | breaks | sum |", "|---|---|---|---|---|"]
        for number, session in enumerate(plan["sessions"], start=1):
            parts = ", ".join(written(one, links) for one in session if not one.pause)
            work, pauses = total(session, pauses=False), total(session, pauses=True)
            lines.append(f"| {number} | {parts} | {work} | {pauses} | {work + pauses} |")
        everything = [one for session in plan["sessions"] for one in session]
        work, pauses = total(everything, pauses=False), total(everything, pauses=True)
        lines += [f"| all | | **{work}** | **{pauses}** | **{work + pauses}** |", ""]
    longest = max(total(session) for session in plan["sessions"])
    lines.append(f"The longest session takes {hours(longest)} of the {hours(plan['minutes'])} that there are.")
    if plan["home"]:
        parts = ", ".join(f"{written(one, links)} ({one.minutes})" for one in plan["home"])
        lines.append(f"At home, {hours(total(plan['home']))} in all: {parts}.")
    return "\n".join(lines)


def notebook_links(folder):
    """Where each notebook is, as a page in ``book`` links to it: ``{"04": "../notebooks/04_gpu_training.ipynb"}``."""
    return {path.name.split("_")[0]: f"../notebooks/{path.name}" for path in sorted(Path(folder).glob("[0-9]*.ipynb"))}


def used_in(plans, notebook):
    """Titles of the plans that have a notebook in a session."""
    return [
        plan["title"]
        for plan in plans.values()
        if any(one.notebook == notebook for session in plan["sessions"] for one in session)
    ]


def coverage(plans, links):
    """Which notebook is in which plan, as a table."""
    lines = ["| notebook | in the sessions of |", "|---|---|"]
    lines += [f"| [{name}]({link}) | {'; '.join(used_in(plans, name))} |" for name, link in links.items()]
    return "\n".join(lines)


def markdown_of(path):
    """All Markdown of a notebook, cell after cell."""
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def read_boxes(folder):
    """What each notebook promises and asks: its outcomes in order, and its exercises with their titles."""
    boxes = {}
    for path in sorted(Path(folder).glob("[0-9]*.ipynb")):
        text = markdown_of(path)
        promised = OUTCOMES.search(text)
        outcomes = [line[2:].rstrip(",.") for line in promised[1].splitlines()] if promised else []
        boxes[path.name.split("_")[0]] = {"outcomes": outcomes, "exercises": dict(EXERCISE.findall(text))}
    return boxes


def read_questions(path):
    """The bank, each question with its name: ``Q01.3`` is the third of notebook 01."""
    bank = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return {
        notebook: [{"name": f"Q{notebook}.{number}", **one} for number, one in enumerate(questions, start=1)]
        for notebook, questions in bank.items()
    }


def questions_of(questions):
    """The questions of one notebook as Markdown, each answer folded."""
    parts = []
    for one in questions:
        marks = f"{one['marks']} mark" + "s" * (one["marks"] > 1)
        parts.append(f"**{one['name']}** ({one['level']}, {marks}) {one['ask']}")
        parts.append(f":::{{dropdown}} Answer to {one['name']}\n{one['answer']}\n:::")
    return "\n\n".join(parts)


def bank_table(bank, links):
    """How many questions and marks there are, by notebook and level."""
    lines = ["| notebook | " + " | ".join(LEVELS) + " | questions | marks |", "|---|" + "---|" * (len(LEVELS) + 2)]

    def row(name, questions):
        counts = [sum(one["level"] == level for one in questions) for level in LEVELS]
        marks = sum(one["marks"] for one in questions)
        return f"| {name} | " + " | ".join(map(str, [*counts, len(questions), marks])) + " |"

    lines += [row(f"[{name}]({links[name]})", questions) for name, questions in bank.items()]
    return "\n".join([*lines, row("**all**", [one for questions in bank.values() for one in questions])])


def outcomes_table(boxes, practiced, bank, links):
    """What a class can do after each notebook, and by which exercises and questions that shows."""
    lines = ["| notebook | after it, a learner can | exercises and questions |", "|---|---|---|"]
    for name, box in boxes.items():
        of_number = {number: text for number, text in enumerate(box["outcomes"], start=1)}
        beyond = {text: text for text in practiced[name].values() if isinstance(text, str)}
        for key, text in (of_number | beyond).items():
            shown_by = [one for one, outcome in practiced[name].items() if outcome == key]
            shown_by += [one["name"] for one in bank[name] if one["outcome"] == key]
            lines.append(f"| [{name}]({links[name]}) | {text} | {', '.join(shown_by)} |")
    return "\n".join(lines)


def substitutions(root, minutes):
    """The tables of the pages for lecturers; none for a book without plans."""
    book, notebooks = Path(root) / "book", Path(root) / "notebooks"
    if not (book / "syllabi.yml").is_file():
        return {}
    links = notebook_links(notebooks)
    plans = read_syllabi(book / "syllabi.yml", minutes)
    bank = read_questions(book / "questions.yml")
    practiced = yaml.safe_load((book / "outcomes.yml").read_text(encoding="utf-8"))
    return {
        "syllabus": {key: syllabus(plan, links) for key, plan in plans.items()},
        "coverage": coverage(plans, links),
        "outcomes": outcomes_table(read_boxes(notebooks), practiced, bank, links),
        "bank": bank_table(bank, links),
        "questions": {f"nb{name}": questions_of(questions) for name, questions in bank.items()},
    }
