"""Questions with choices: each page's are complete, and a reader answers them in the page by key and by mouse."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.core import publish_doctree
from markdown_it import MarkdownIt
from myst_parser.parsers.docutils_ import Parser

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "_ext"))

import questions

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks" / "src").glob("[0-9]*.py"))
CHOICES = ["A. Zero.", "B. One."]
REASONS = ["Right: A. There is none.", "Not B: one would be seen."]


def asked(source):
    """The questions of a page: the list item of each, and the fold below it."""
    lines = source.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line[1:].removeprefix(" ") for line in lines if line.startswith("#"))
    text = text.split(f"## {questions.TITLE}\n")[1].split("\n## ")[0]
    soup = BeautifulSoup(MarkdownIt().render(text), "html.parser")
    return [
        (item, one.find_next_sibling()) for one in soup.find_all("ol") for item in one.find_all("li", recursive=False)
    ]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_each_page_has_three_questions_with_choices_and_every_question_its_own_answer(source):
    with_choices = 0
    for item, fold in asked(source):
        assert getattr(fold, "name", None) == "details", f"no fold below: {item.get_text()}"
        assert fold.get_text(strip=True) != fold.summary.get_text(strip=True), f"no answer: {item.get_text()}"
        if item.ul:
            with_choices += 1
            choices = [" ".join(one.get_text().split()) for one in item.ul.find_all("li")]
            reasons = [" ".join(one.get_text().split()) for one in fold.find_all("li")]
            assert questions.problems(choices, reasons) == [], item.get_text()
    assert with_choices >= 3


def test_the_right_choices_are_spread_over_the_letters():
    """A reader who always takes the same letter is right in fewer than half of the questions."""
    folds = [fold for source in SOURCES for item, fold in asked(source) if item.ul]
    right = [questions.REASON.match(fold.li.get_text().strip())[2] for fold in folds]
    assert max(map(right.count, "ABC")) < len(right) / 2
    assert set("ABC") == set(right)


@pytest.mark.parametrize(
    ("choices", "reasons", "said"),
    [
        (CHOICES, REASONS, []),
        (CHOICES, ["Not A: no.", "Not B: no."], ["not exactly one choice is right"]),
        (CHOICES, ["Right: A. Yes.", "Right: B. Yes."], ["not exactly one choice is right"]),
        (CHOICES, REASONS[:1], ["choice B has no reason"]),
        (CHOICES, [REASONS[0], "Not B:"], ["choice B has an empty reason"]),
        (CHOICES, [*REASONS, "Not C: no."], ["there is no choice C"]),
        (CHOICES, [*REASONS, "Not B: no."], ["the answer names B 2 times"]),
        (CHOICES, ["A, of course."], ["a line of the answer does not begin with 'Right: A.' or 'Not A:'"]),
        (["A. Zero.", "C. One."], REASONS, ["the choices are not 'A. …', 'B. …' and so on"]),
        (["A. Zero."], REASONS[:1], ["the choices are not 'A. …', 'B. …' and so on"]),
    ],
)
def test_a_question_that_is_not_complete_is_named(choices, reasons, said):
    assert questions.problems(choices, reasons) == said


FOLD = "<details><summary>Answer</summary>\n\n{}\n\n</details>\n\n".format
ASKED = "1. How many?\n\n   - A. Zero.\n   - B. One.\n\n"
RIGHT = FOLD("- **Right: A.** There is none.\n- **Not B:** one would be seen.")


@pytest.mark.parametrize(
    ("text", "boxes", "warnings"),
    [
        (ASKED + RIGHT, 1, 0),
        ("1. Why?\n\n" + FOLD("Because.") + ASKED.replace("1", "2") + RIGHT, 1, 0),
        (ASKED + "And then?\n", 0, 1),
        ("1. Why?\n2. How?\n\n" + FOLD("Because."), 0, 1),
        (ASKED + FOLD("A, of course."), 1, 3),
    ],
)
def test_a_build_puts_a_box_around_a_question_and_fails_without_its_answer(text, boxes, warnings, monkeypatch):
    heard = []
    monkeypatch.setattr(questions, "logger", SimpleNamespace(warning=lambda *words, location: heard.append(words)))
    doctree = publish_doctree(
        f"# Page\n\n## {questions.TITLE}\n\n{text}## Read more\n\n1. A book\n",
        parser=Parser(),
        settings_overrides={"doctitle_xform": False},
    )
    questions.mark_questions(None, doctree)
    found = [node for node in doctree.findall(nodes.container) if "question" in node["classes"]]
    assert (len(found), len(heard)) == (boxes, warnings), heard
    assert all(box[0].astext().startswith(("1", "How")) and "</details>" in box[-1].astext() for box in found)


QUESTION = """<div class="question docutils container"><ol start="{n}"><li><p>How many in {n}?</p>
<ul><li><p>A. Zero.</p></li><li><p>B. One.</p></li><li><p>C. Two.</p></li></ul></li></ol>
<details><summary>Answer</summary><ul><li><p><strong>Right: B.</strong> Count.</p></li>
<li><p><strong>Not A:</strong> there is one.</p></li><li><p><strong>Not C:</strong> the other is a vessel.</p></li></ul>
</details></div>"""
PAGE = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>q</title>
<script src="questions.js"></script></head><body><article class="bd-article">{QUESTION.format(n=1)}
{QUESTION.format(n=2)}</article></body></html>"""
STATES = """[...document.querySelectorAll('form')].map(
    (form) => [form.dataset.answer ?? '', form.querySelector('[role=status]').textContent])"""
MIDDLE = """(() => {{ const box = {element}.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2]; }})()"""


def click(browser, element):
    x, y = browser.value(MIDDLE.format(element=element))
    for kind in ("mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


def press_enter(browser):
    keys = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
    browser.call("Input.dispatchKeyEvent", type="keyDown", text="\r", **keys)
    browser.call("Input.dispatchKeyEvent", type="keyUp", **keys)


def test_a_reader_chooses_checks_sees_why_and_finds_it_again_after_a_reload(browser, tmp_path):
    shutil.copy(ROOT / "book" / "_static" / "questions.js", tmp_path)
    page = tmp_path / "page.html"
    page.write_text(PAGE, encoding="utf-8")
    browser.open(page)
    assert browser.value("[...document.querySelectorAll('legend')].map((one) => one.textContent)") == [
        "1. How many in 1?",
        "2. How many in 2?",
    ]
    check = "document.querySelectorAll('[type=submit]')[{}]".format

    click(browser, check(0))
    assert browser.value(STATES)[0] == ["", "Choose one of the answers first."]
    browser.press("Tab", 9)  # from the button to the answer that may be unfolded, and to the next question
    browser.press("Tab", 9)
    browser.press("ArrowDown", 40)
    browser.press("ArrowDown", 40)
    assert browser.value("document.activeElement.value") == "C"
    press_enter(browser)
    assert browser.value(STATES)[1] == ["wrong", "Not C: the other is a vessel."]
    browser.press("ArrowUp", 38)
    assert browser.value(STATES)[1] == ["", ""], "what was said belongs to another choice"
    press_enter(browser)
    assert browser.value(STATES)[1] == ["right", "Right: B. Count."]

    click(browser, "document.querySelector('form input').closest('label')")
    click(browser, check(0))
    said = [["wrong", "Not A: there is one."], ["right", "Right: B. Count."]]
    assert browser.value(STATES) == said
    browser.open(page)
    assert browser.value(STATES) == said
    assert browser.value("[...document.querySelectorAll('input:checked')].map((one) => one.value)") == ["A", "B"]

    click(browser, "document.querySelector('.question-note button')")
    browser.open(page)
    assert browser.value(STATES) == [["", ""], ["", ""]]
    assert browser.value("document.querySelectorAll('input:checked').length") == 0


def test_where_nothing_may_be_kept_questions_are_answered_all_the_same(browser, tmp_path):
    shutil.copy(ROOT / "book" / "_static" / "questions.js", tmp_path)
    refuse = "<script>Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})</script>"
    (tmp_path / "page.html").write_text(PAGE.replace("<title>", f"{refuse}<title>"), encoding="utf-8")
    browser.open(tmp_path / "page.html")
    click(browser, "document.querySelector('form input').closest('label')")
    click(browser, "document.querySelector('[type=submit]')")
    assert browser.value(STATES)[0] == ["wrong", "Not A: there is one."]
    assert not [event for event in browser.events if event.get("method") == "Runtime.exceptionThrown"]
