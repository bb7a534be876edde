"""Pages for everybody: what the extension ``book/_ext/reading.py`` mends in them."""

import sys
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "_ext"))

import make_pdf
import reading
import sliders


def test_an_empty_heading_of_a_table_becomes_a_cell_and_others_stay():
    page = reading.mended("<table><tr><th></th><th>Dice</th></tr><tr><th>lung</th><td>.98</td></tr></table>")
    assert page == "<table><tr><td></td><th>Dice</th></tr><tr><th>lung</th><td>.98</td></tr></table>"


def test_references_and_folds_lose_what_only_confuses_a_screen_reader():
    page = reading.mended(
        '<div class="citation-list" role="list"><div class="citation" role="doc-biblioentry">Dice 1945</div></div>'
        '<details><summary aria-label="Toggle hidden content">Show the solution</summary></details>'
    )
    assert "role" not in page
    assert "aria-label" not in page


def test_a_figure_of_known_size_keeps_its_place_and_waits_until_it_comes_near():
    sizes = {"../_images/a.png": (640, 480)}
    page = reading.mended('<img alt="A slice" src="../_images/a.png"/><img alt="A logo" src="b.svg"/>', sizes.get)
    first, second = page.split("/>")[:2]
    for part in ('src="../_images/a.webp"', 'width="640"', 'height="480"', 'loading="lazy"', 'alt="A slice"'):
        assert part in first
    assert second == '<img alt="A logo" src="b.svg"'


def test_a_link_to_a_figure_in_full_size_leads_to_what_is_there():
    body = '<a href="../_images/a.png"><img alt="A slice" src="../_images/a.png"/></a>'
    assert 'href="../_images/a.webp"' in reading.mended(body, {"../_images/a.png": (640, 480)}.get)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<h1>T</h1><p>What do\nthe <em>gray values</em> mean?</p><p>More</p>", "What do the gray values mean?"),
        ("<h1>T</h1>", ""),
    ],
)
def test_the_first_paragraph_describes_a_page(body, expected):
    assert reading.description_of(body) == expected


def test_a_long_description_ends_with_a_whole_word():
    text = reading.description_of(f"<p>{'segmentation ' * 40}</p>")
    assert len(text) < 162
    assert text.endswith("segmentation …")


def test_a_notebook_to_download_has_code_and_text_and_nothing_that_was_computed():
    cells = [
        {"cell_type": "markdown", "source": "# 01", "metadata": {}},
        {"cell_type": "code", "source": "1 + 1", "metadata": {}, "outputs": [{"text": "2"}], "execution_count": 3},
    ]
    notebook = {"cells": cells, "metadata": {"widgets": {"state": 1}, "kernelspec": {"name": "python3"}}, "nbformat": 4}
    fresh = reading.without_outputs(notebook)
    assert fresh["cells"][0] == cells[0]
    assert fresh["cells"][1] == cells[1] | {"outputs": [], "execution_count": None}
    assert fresh["metadata"] == {"kernelspec": {"name": "python3"}}
    assert cells[1]["outputs"], "the notebook that was given stays as it is"


class Built:
    """As much of Sphinx as the end of a build needs."""

    class builder:
        name = "html"

    def __init__(self, folder):
        self.outdir = folder


def test_after_a_build_figures_are_the_same_pixels_in_webp_and_unused_files_are_gone(tmp_path):
    for folder in ("_images", "_sources", "_static/locales/de"):
        (tmp_path / folder).mkdir(parents=True)
    picture = Image.effect_noise((40, 30), 50).convert("RGB")
    picture.save(tmp_path / "_images" / "a.png")
    (tmp_path / "_static" / "theme.js.map").write_text("{}")
    (tmp_path / "_static" / "locales" / "de" / "x.js").write_text("")
    reading.finish(Built(tmp_path), None)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.webp"]
    with Image.open(tmp_path / "_images" / "a.webp") as image:
        assert image.convert("RGB").tobytes() == picture.tobytes()


def test_a_build_that_failed_is_left_as_it_is(tmp_path):
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / "a.png").write_bytes(b"cut")
    reading.finish(Built(tmp_path), RuntimeError("a warning"))
    assert (tmp_path / "_images" / "a.png").is_file()


def test_icons_that_no_page_shows_leave_the_script_the_styles_and_the_fonts(tmp_path):
    fonts = tmp_path / "_static" / "vendor" / "fontawesome" / "webfonts"
    files = {
        "page.html": '<i class="fas fa-sun"></i><i class="fab fa-search"></i>',
        "_static/scripts/fontawesome.js": 'p={sun:[1,1,[],"f1",""],lens:[1,1,["search"],"f2",""],no:[1,1,[],"f3",""]};',
        "_static/styles/pydata-sphinx-theme.css": '.fa-sun:before{content:"1"}.fa-no:before{content:"2"}',
        **{f"_static/vendor/fontawesome/webfonts/fa-{name}-1.woff2": "" for name in ("brands", "regular", "solid")},
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    reading.leave_out_icons(tmp_path)
    script, styles = ((tmp_path / name).read_text("utf-8") for name in list(files)[1:3])
    assert script == 'p={sun:[1,1,[],"f1",""],lens:[1,1,["search"],"f2",""],};'
    assert styles == '.fa-sun:before{content:"1"}'
    assert sorted(font.name for font in fonts.iterdir()) == ["fa-brands-1.woff2", "fa-solid-1.woff2"]


def test_a_widget_that_the_pages_cannot_show_is_named(tmp_path):
    state = '{"state": {"w": {"model_name": "PlayModel", "state": {}}}}'
    kind = "application/vnd.jupyter.widget-{}+json".format
    body = f'<script type="{kind("state")}">{state}</script><script type="{kind("view")}">{{"model_id": "w"}}</script>'
    with pytest.raises(ValueError, match="widget of the kind PlayModel"):
        sliders.plain(body, tmp_path, "notebooks/01.html")


def test_the_pages_of_the_printed_book_stand_in_one_with_their_links_inside(tmp_path):
    (tmp_path / "notebooks").mkdir()
    body = (
        '<h1 id="top">A</h1><a href="#top">here</a><a href="../book/b.html#c">there</a>'
        '<a href="../book/api.html">out</a><img src="../_images/a.webp" loading="lazy"/>'
        "<details><summary>Show</summary></details><script>1</script>"
    )
    (tmp_path / "notebooks" / "a.html").write_text(f"<article>{body}</article>", encoding="utf-8")
    printed = make_pdf.chapter("notebooks/a", tmp_path, ["notebooks/a", "book/b"])
    assert printed == (
        '<section id="notebooks-a"><h1 id="notebooks-a--top">A</h1><a href="#notebooks-a--top">here</a>'
        '<a href="#book-b--c">there</a><a>out</a><img src="_images/a.webp"/><details open=""><summary>Show</summary>'
        "</details></section>"
    )


def test_the_first_page_leads_to_the_pdf_once(tmp_path):
    (tmp_path / "book").mkdir()
    first = tmp_path / "book" / "intro.html"
    first.write_text("<article><h1>A</h1></article>", encoding="utf-8")
    for pages in (9, 10):
        make_pdf.link(tmp_path, "book/intro", pages, 2_000_000)
    link = '<p class="pdf"><a href="../book.pdf">The book as a PDF</a>, 10 pages, 2 MB</p>'
    assert first.read_text(encoding="utf-8") == f"<article><h1>A</h1>{link}</article>"
