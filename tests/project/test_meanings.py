"""Words with their meaning: which ones a page gets, and that they open by mouse, key and touch."""

import shutil
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "_ext"))

import meanings

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = meanings.meanings((ROOT / "book" / "glossary.md").read_text(encoding="utf-8"))
MEANING = {"epoch": "One pass.", "HU": "A unit.", "logit": "Any real number.", "learning rate": "A factor."}


def words(body, meaning=MEANING):
    """The words with a meaning in a page's text, as they stand there."""
    page = meanings.explained(body, meaning, lambda word: f"glossary.html#term-{word}")
    return [box.a.get_text() for box in BeautifulSoup(page, "html.parser").select(".word")]


def test_the_glossary_is_read_as_plain_text():
    assert len(GLOSSARY) > 100
    assert GLOSSARY["fold"].startswith("One part of the patients in a cross-validation;")
    assert GLOSSARY["NIfTI"].startswith("A file format for volumes, common in research: one file (.nii.gz)")
    assert not [text for text in GLOSSARY.values() if "{" in text or "`" in text]


def test_every_word_that_is_left_out_is_one_of_the_glossary():
    assert set(GLOSSARY) >= meanings.EVERYDAY


def test_a_word_becomes_a_link_that_its_meaning_describes():
    page = meanings.explained("<p>After ten epochs we stop.</p>", MEANING, lambda word: f"g.html#{word}")
    assert page == (
        '<p>After ten <span class="word"><a aria-describedby="meaning-epoch" href="g.html#epoch">epochs</a>'
        '<span hidden="" id="meaning-epoch" role="tooltip">One pass.</span></span> we stop.</p>'
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<p>An epoch, then another epoch.</p><p>Epochs!</p>", ["epoch"]),
        ("<p>Epochs pass at one learning rate.</p>", ["Epochs", "learning rate"]),
        ("<p>HU is a unit, hu is none; logits.</p>", ["HU", "logits"]),
        ("<p>epoch-wise, epochal, xHU, HU</p>", ["HU"]),
        ("<h2>The epoch</h2><p>An epoch is one pass; a logit is not.</p>", ["logit"]),
        ("<p>One pass is an <strong>epoch</strong>.</p><p>The epoch ends.</p>", []),
        (
            "<p><a href='x'>epoch</a> <code>logit</code></p><figure>HU</figure><table><td><p>HU</p></td></table>",
            [],
        ),
        (
            "<div class='alert'><p>epoch</p></div><div class='question'><p>HU</p></div><ul><li><p>logit</p></li></ul>",
            [],
        ),
        ("<details><p>epoch</p></details><p>This epoch.</p>", ["epoch"]),
        ("<p>In any case, step by step.</p>", []),
    ],
)
def test_the_first_of_a_page_in_running_text_and_nowhere_else(body, expected):
    assert words(body, MEANING | {"case": "An image.", "step": "An update."}) == expected


def test_a_page_gets_few_words_those_that_it_says_in_passing():
    meaning = {f"word{letter}": "A meaning." for letter in "abcdefghijkl"}
    often = "".join(f"<p>{word}</p>" for word in list(meaning)[:4] * 2)
    rare = "".join(f"<p>{word}</p>" for word in list(meaning)[4:])
    assert words(often + rare, meaning) == list(meaning)[4:]
    assert words(rare + often, meaning) == list(meaning)[4:]
    assert len(meaning) - 4 == meanings.AT_MOST


PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>w</title>
<style>p {{ margin: 5rem 0 }} [hidden] {{ display: none !important }} /* from the theme */</style>
<link rel="stylesheet" href="book.css"><script src="meanings.js"></script></head>
<body><article class="bd-article">{}</article></body></html>"""
SHOWN = """[...document.querySelectorAll('[role=tooltip]')].filter(
    (one) => getComputedStyle(one).visibility === 'visible' && one.offsetHeight > 0).map((one) => one.textContent)"""


@pytest.fixture
def page(browser, tmp_path):
    for name in ("book.css", "meanings.js"):
        shutil.copy(ROOT / "book" / "_static" / name, tmp_path)
    body = meanings.explained("<p>Ten epochs.</p><p>A logit.</p>", MEANING, lambda word: f"#{word}")
    (tmp_path / "page.html").write_text(PAGE.format(body), encoding="utf-8")
    browser.call("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=False)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    browser.open(tmp_path / "page.html")
    return browser


def place(browser, selector):
    box = f"document.querySelector('{selector}').getBoundingClientRect()"
    return dict(zip("xy", browser.value(f"(() => {{ const b = {box}; return [b.x + 9, b.y + 9]; }})()"), strict=True))


def test_the_mouse_opens_a_meaning_may_go_to_it_and_escape_closes_it(page):
    assert page.value(SHOWN) == []
    page.call("Input.dispatchMouseEvent", type="mouseMoved", **place(page, ".word a"))
    assert page.value(SHOWN) == ["One pass."]
    page.call("Input.dispatchMouseEvent", type="mouseMoved", **place(page, "[role=tooltip]"))
    assert page.value(SHOWN) == ["One pass."]
    page.press("Escape", 27)
    assert page.wait_for(f"!{SHOWN}.length", seconds=3)
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    page.call("Input.dispatchMouseEvent", type="mouseMoved", **place(page, ".word a"))
    assert page.value(SHOWN) == ["One pass."], "it opens again when the pointer comes back"


def test_the_tab_key_opens_a_meaning_and_escape_closes_it_and_keeps_the_place(page):
    page.press("Tab", 9)
    assert page.value(SHOWN) == ["One pass."]
    page.press("Escape", 27)
    assert page.value(SHOWN) == []
    assert page.value("document.activeElement.textContent") == "epochs"
    page.press("Tab", 9)
    assert page.wait_for(f"{SHOWN}.join() === 'Any real number.'", seconds=3)


def test_a_touch_opens_a_meaning_and_a_second_one_follows_the_link(page):
    page.call("Emulation.setTouchEmulationEnabled", enabled=True)
    try:
        for expected in ("", "#epoch"):
            page.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[place(page, ".word a")])
            page.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
            assert page.wait_for(f"{SHOWN}.join() === 'One pass.'", seconds=3)
            assert page.wait_for(f"location.hash === '{expected}'", seconds=3)
    finally:
        page.call("Emulation.setTouchEmulationEnabled", enabled=False)
