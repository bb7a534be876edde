"""The slides: a deck for each notebook, with the notebook's own pictures, that a class can read without a network."""

import re
import zipfile
from pathlib import Path

import make_editions
import make_slides
import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = {path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
DECKS = sorted(make_slides.SOURCES.glob("[0-9]*.md"))
MOST_WORDS = 35
ROUND = {"50 %", "2.5"}  # what reports call their accuracy, and a kind of network


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course") / "unet_slides"
    make_slides.make_slides(folder)
    return folder


def slides(built, name):
    return BeautifulSoup((built / f"{name}.html").read_text(encoding="utf-8"), "html.parser").select("section")


def test_every_notebook_has_a_deck_and_the_index_names_it(built):
    assert {path.stem for path in DECKS} == NOTEBOOKS
    index = BeautifulSoup((built / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert {link["href"] for link in index.select("a")} == {f"{name}.html" for name in NOTEBOOKS}


@pytest.mark.parametrize("name", [path.stem for path in DECKS])
def test_a_deck_is_short_has_pictures_with_alt_text_and_a_note_for_the_speaker(name, built):
    deck = slides(built, name)
    assert 8 <= len(deck) <= 14
    pictures = [picture for slide in deck for picture in slide.select("img")]
    assert pictures
    for picture in pictures:
        assert (built / picture["src"]).is_file()
        assert len(picture["alt"]) > 15
    notes = [" ".join(note.get_text() for note in slide.select("aside")) for slide in deck]
    assert sum(map(bool, notes)) >= 0.8 * len(deck)
    assert sum("Ask" in note for note in notes) >= 0.6 * len(deck)
    assert sum("Expect:" in note for note in notes) >= 0.4 * len(deck)


@pytest.mark.parametrize("name", [path.stem for path in DECKS])
def test_a_slide_has_few_words_and_no_result_that_was_typed(name, built):
    for slide in slides(built, name):
        for note in slide.select("aside"):
            note.decompose()
        text = slide.get_text(" ")
        assert len(text.split()) <= MOST_WORDS, text
        assert slide.find(["h1", "h2"]), text
        assert "](figure)" not in text
        exercises = rf"\b{name[:2]}b?\.\d\b"
        numbers = re.findall(r"\d+\.\d+|\d+ ?%", re.sub(exercises, "", text))
        assert set(numbers) <= ROUND, f"{numbers} would not change with the notebook"


def test_a_caption_that_is_not_there_is_named(tmp_path):
    deck = tmp_path / "01_data_pairing.md"
    deck.write_text("# 01\n\n---\n\n## One\n\n![No such caption](figure)\n", encoding="utf-8")
    with pytest.raises(ValueError, match="'No such caption', and no figure of notebooks/01_data_pairing"):
        make_slides.make_slides(tmp_path / "built", [deck])


def test_the_zip_holds_the_decks_with_what_they_load_and_the_licenses(built, tmp_path):
    make_editions.write_zip(built, tmp_path / "slides.zip")
    names = zipfile.ZipFile(tmp_path / "slides.zip").namelist()
    for name in ("index.html", "01_data_pairing.html", "reveal/reveal.js", "reveal/LICENSE", *make_slides.BESIDE):
        assert f"unet_slides/{name}" in names


def test_a_deck_opens_from_the_disk_fits_is_accessible_and_listens_to_the_keys(built, browser):
    page = built / "00_first_segmentation.html"
    assert make_slides.slide_problems(browser, page) == []
    browser.value("Reveal.slide(0)")
    browser.press("ArrowRight", 39)
    assert browser.value("Reveal.getIndices().h") == 1
    assert browser.value("document.documentElement.dataset.theme") == "dark"
    browser.press("d", 68)
    assert browser.value("document.documentElement.dataset.theme") == "light"
    browser.press("n", 78)
    assert browser.wait_for("document.querySelector('div.speaker-notes').innerText.includes('Ask:')", seconds=5)


def test_a_slide_that_is_too_full_is_named(built, browser):
    page = built / "00_first_segmentation.html"
    full = page.with_name("full.html")
    full.write_text(page.read_text(encoding="utf-8").replace("</h2>", "</h2>" + "<p>word</p>" * 12, 1), "utf-8")
    browser.open(full)
    browser.wait_for("Boolean(window.Reveal) && Reveal.isReady()")
    browser.value("Reveal.slide(1)")
    assert 'p "word" does not fit' in browser.value(make_slides.UNFIT)


def test_the_pdf_has_a_page_for_each_slide(built, browser):
    page = built / "00_first_segmentation.html"
    make_slides.print_pdf(browser, page)
    printed = page.with_suffix(".pdf").read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == len(slides(built, page.stem))
