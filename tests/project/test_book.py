"""Each check of the book must find what it is for, and a small book built with our settings must pass them all."""

import base64
import importlib
import inspect
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from PIL import Image
from sphinx.ext.napoleon import NumpyDocstring
from sphinx.pycode import ModuleAnalyzer

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(ROOT / "book" / "vendor")]

import build_book  # noqa: E402
import check_book  # noqa: E402
import fetch  # noqa: E402
import series_book  # noqa: E402

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


def png(gray, size=8):
    """A small gray picture, as bytes."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = (b"\0" + bytes([gray]) * size) * size
    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_base64(gray):
    return base64.b64encode(png(gray)).decode()


# --- the checker on bad pages -----------------------------------------------------------------------------------


@pytest.fixture
def problems_of(tmp_path):
    """Write one page, with other files beside it, and return what the checker says of the site."""

    def check(body, head="", expected=(), **files):
        for name, content in files.items():
            (tmp_path / name.replace("__", ".")).write_text(content, encoding="utf-8")
        page = f"<html><head>{head}</head><body><article>{body}</article></body></html>"
        (tmp_path / "page.html").write_text(page, encoding="utf-8")
        return check_book.site_problems(tmp_path, expected)

    return check


def test_a_good_page_has_no_problem(problems_of, tmp_path):
    (tmp_path / "a.png").write_bytes(png(9))
    body = """<h1 id="top">Title</h1><img src="a.png" alt="A gray square, eight pixels wide">
        <a href="#top">up</a> <a href="https://doi.org/10.2307/1932409">a plain link is fine</a>
        <a href="page.html#top">self</a>
        <div class="output stream">0.81</div>"""
    assert problems_of(body) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<img src="a.png">', "has no alt text"),
        ('<img src="a.png" alt="">', "has no alt text"),
        ('<img src="a.png" alt="figure">', "15 characters or more"),
        ('<img src="//cdn.example.org/a.png" alt="A gray square, eight pixels wide">', "loads //cdn.example.org/a.png"),
        ('<iframe src="https://example.org/frame"></iframe>', "loads https://example.org/frame"),
        ('<style>@import "https://fonts.example.org/roboto";</style>', "a style loads https://fonts.example.org"),
        ('<p style="background: url(http://example.org/b.png)">x</p>', "a style loads http://example.org/b.png"),
        ('<script>const URL = "https://unpkg.com/thebe@0.8/lib/index.js"</script>', "which it could load"),
        ('<div class="output traceback">ValueError: no</div>', "shows an error: ValueError: no"),
        ('<div class="output stderr">W0000 gpu</div>', "shows stderr: W0000 gpu"),
        ('<a href="nowhere.html">x</a>', "nowhere.html leads to a file that does not exist"),
        ('<a href="#nowhere">x</a>', "#nowhere leads to an anchor that does not exist"),
        ('<a href="page.html#nowhere">x</a>', "leads to an anchor that does not exist"),
        ('<a href="../../outside.html">x</a>', "leads out of the site"),
        ("<p>/home/ana/data/slice.png</p>", "shows the path /home/ana"),
        (r"<p>C:\Users\ana</p>", r"shows the path C:\Users\ana"),
        (f"<p>pip install -i https://test.{'pypi'}.org/simple</p>", "names the package registry"),
    ],
)
def test_a_bad_page_is_reported(problems_of, tmp_path, body, said):
    (tmp_path / "a.png").write_bytes(png(9))
    found = problems_of(body)
    assert len(found) == 1, found
    assert said in found[0]


def test_scripts_and_styles_from_the_network_are_reported(problems_of):
    head = """<script src="https://cdn.example.org/mathjax.js"></script>
        <link rel="stylesheet" href="https://cdn.example.org/style.css">
        <link rel="canonical" href="https://example.org/page.html">"""
    found = problems_of("", head=head)
    assert len(found) == 2, found


def test_a_style_sheet_that_asks_the_network_is_reported(problems_of):
    sheet = "/* @import url(https://fine.example.org) */ @font-face { src: url('https://fonts.example.org/a.woff2') }"
    found = problems_of("", style__css=sheet)
    assert found == ["style.css: loads https://fonts.example.org/a.woff2 from the network"]


def test_a_large_image_is_reported_wherever_it_is(problems_of, tmp_path):
    large = os.urandom(160_000)
    (tmp_path / "a.png").write_bytes(large)
    encoded = base64.b64encode(large).decode()
    alt = 'alt="A picture with more bytes than it should have"'
    found = problems_of(f'<img src="a.png" {alt}><img src="data:image/png;base64,{encoded}" {alt}>')
    assert [line.split(" has ")[0] for line in found] == [
        "page.html: a.png",
        "page.html: an image in the page",
    ]


def test_a_missing_page_and_an_empty_site_are_reported(problems_of, tmp_path):
    assert problems_of("", expected=["notebooks/01"]) == ["notebooks/01.html is missing from the site"]
    (tmp_path / "empty").mkdir()
    assert check_book.site_problems(tmp_path / "empty")


# --- the notebooks before the build -----------------------------------------------------------------------------


def code(source, outputs=(), count=1, **metadata):
    cell = {"cell_type": "code", "source": source, "execution_count": count, "metadata": metadata}
    return {**cell, "outputs": list(outputs), "id": f"c{abs(hash((source, count))) % 10**8}"}


def display(data):
    return {"output_type": "display_data", "data": data, "metadata": {}}


def markdown(source):
    return {"cell_type": "markdown", "source": source, "metadata": {}, "id": f"m{abs(hash(source)) % 10**8}"}


def write_notebook(path, cells, **metadata):
    path.parent.mkdir(parents=True, exist_ok=True)
    language = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": {**language, **metadata}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (code("x = 1", count=None), "has not been run"),
        (
            code("1/0", [{"output_type": "error", "ename": "ZeroDivisionError", "evalue": "no", "traceback": []}]),
            "error",
        ),
        (code("f()", [{"output_type": "stream", "name": "stderr", "text": ["W0 gpu\n"]}]), "on stderr: W0 gpu"),
    ],
)
def test_a_notebook_that_is_not_fit_to_be_shown_is_refused(tmp_path, cell, said):
    found = build_book.notebook_problems(write_notebook(tmp_path / "01_x.ipynb", [cell]))
    assert len(found) == 1
    assert said in found[0]
    assert found[0].startswith("01_x.ipynb, cell 1")


def test_an_executed_notebook_with_an_empty_cell_is_accepted(tmp_path):
    cells = [code("print(1)", [{"output_type": "stream", "name": "stdout", "text": "1\n"}]), code("", count=None)]
    assert build_book.notebook_problems(write_notebook(tmp_path / "01_x.ipynb", cells)) == []


@pytest.mark.parametrize("gone", ["box", "picture1"])
def test_a_notebook_with_incomplete_widgets_is_refused(tmp_path, gone):
    cells = [code("box", [display({WIDGET_VIEW: {"model_id": "box"}})])]
    path = write_notebook(tmp_path / "01_x.ipynb", cells, widgets={WIDGET_STATE: widget_state()})
    assert build_book.notebook_problems(path) == []
    state = widget_state()
    del state["state"][gone]
    path = write_notebook(path, cells, widgets={WIDGET_STATE: state})
    assert build_book.notebook_problems(path) == [
        "01_x.ipynb: the state of 1 widget models is not stored; run the notebook again"
    ]


def test_a_missing_or_broken_notebook_is_refused(tmp_path):
    assert "does not exist" in build_book.notebook_problems(tmp_path / "01_x.ipynb")[0]
    (tmp_path / "01_x.ipynb").write_text("{", encoding="utf-8")
    assert "not a valid notebook" in build_book.notebook_problems(tmp_path / "01_x.ipynb")[0]


# --- results in prose -------------------------------------------------------------------------------------------


def write_results(folder, name, results, **more):
    content = {"what": "Dice of nodules", "data": "phantom", "seed": 0, "device": "2 cores", **more, "results": results}
    (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def test_a_result_file_becomes_a_table(tmp_path):
    write_results(tmp_path, "lidc", {"dice_mean": 0.71234, "patients": 1200, "by_size": {"small": 0.5}})
    text = series_book.substitutions(tmp_path)["table"]["lidc"]
    assert "| Dice mean | 0.712 |" in text
    assert "| patients | 1,200 |" in text
    assert "| by size, small | 0.500 |" in text
    assert "data: phantom · seed: 0 · device: 2 cores" in text


def test_a_result_of_code_that_no_commit_holds_says_so(tmp_path):
    write_results(tmp_path, "lidc", {"dice_mean": 0.7}, commit="abc1234-dirty")
    write_results(tmp_path, "scale", {"pairs": 3}, commit="abc1234")
    given = series_book.substitutions(tmp_path)
    for what in ("table", "made"):
        assert given[what]["lidc"].endswith(f"commit: abc1234-dirty*\n\n{series_book.DIRTY}")
        assert given[what]["scale"].endswith("commit: abc1234*")


def notebooks_and_pages_that_read(name):
    for path in sorted([*ROOT.glob("notebooks/src/*.py"), *ROOT.glob("book/*.md")]):
        text = path.read_text(encoding="utf-8")
        if f'"{name}.json"' in text or f"results.{name}." in text:
            yield path, text


@pytest.mark.parametrize("path", sorted(ROOT.glob("book/results/*.json")), ids=lambda path: path.stem)
def test_what_shows_a_result_of_code_that_no_commit_holds_says_so(path):
    if json.loads(path.read_text(encoding="utf-8"))["commit"].endswith("-dirty"):
        said = ("no commit holds", f"{{{{ made.{path.stem} }}}}", f"{{{{ table.{path.stem} }}}}")
        for page, text in notebooks_and_pages_that_read(path.stem):
            assert any(words in text for words in said), f"{page.name} shows {path.name} and does not say so"


def test_a_value_and_its_interval_become_one_row(tmp_path):
    write_results(
        tmp_path, "lidc", {"nodule_dice": 0.7, "nodule_dice_low": 0.6, "nodule_dice_high": 0.75, "set_low": 3}
    )
    text = series_book.substitutions(tmp_path)["table"]["lidc"]
    assert "| nodule Dice | 0.700 (95 % interval 0.600 to 0.750) |\n| set low | 3 |" in text


def test_minutes_come_from_the_first_box_of_a_notebook(tmp_path):
    write_notebook(tmp_path / "01_a.ipynb", [markdown("**Minutes:** 40 to read, 2 to run on two cores")])
    write_notebook(tmp_path / "02_b.ipynb", [markdown("**Minutes** about 75 to read, with six exercises; 1 to run.")])
    write_notebook(tmp_path / "02b_b.ipynb", [markdown("**Minutes:** 20 to read, 1 to run")])
    write_notebook(tmp_path / "03_c.ipynb", [markdown("It takes a while.")])
    assert series_book.lesson_minutes(tmp_path) == {
        "nb01": {"read": 40, "run": 2, "plan": 60},
        "nb02": {"read": 75, "run": 1, "plan": 115},
        "nb02b": {"read": 20, "run": 1, "plan": 30},
    }


def test_many_numbers_become_one_line(tmp_path):
    write_results(tmp_path, "lidc", {"dice_per_patient": {f"P{i}": i / 100 for i in range(101)}})
    text = series_book.substitutions(tmp_path)["table"]["lidc"]
    assert "| Dice per patient | 101 values: median 0.500, from 0.000 to 1.000 |" in text


def test_different_quantities_are_named_and_not_summed_up(tmp_path):
    cell = {f"quantity_{i}": i for i in range(13)} | {"dice": 0.5, "dice_low": 0.4, "dice_high": 0.6}
    write_results(tmp_path, "lidc", {"losses": {"focal": cell}, "runs": [{"seed": i, "dice": 0.5} for i in range(20)]})
    text = series_book.substitutions(tmp_path)["table"]["lidc"]
    assert "median" not in text
    assert "| losses, focal | quantity 0 0, quantity 1 1," in text
    assert ", Dice 0.500 (95 % interval 0.400 to 0.600) |" in text
    assert "| runs 20 | seed 19, Dice 0.500 |" in text  # none is left out


def test_a_tiny_number_is_not_written_as_nothing(tmp_path):
    write_results(tmp_path, "lidc", {"difference": -1.49e-7, "none": 0.0, "small": 0.0006})
    text = series_book.substitutions(tmp_path)["table"]["lidc"]
    assert "| difference | -1e-07 |\n| none | 0.000 |\n| small | 0.001 |" in text


def test_a_curve_is_left_to_the_notebooks(tmp_path):
    run = {"contestant": "ours", "curve": [[1.0, 0.5], [2.0, 0.6]], "dice_by_seed": [[0.1, 0.2]]}
    write_results(tmp_path, "lidc", {"runs": [run]})
    assert "| runs 1 | contestant ours |" in series_book.substitutions(tmp_path)["table"]["lidc"]


def test_the_museum_has_a_table_of_bugs_and_one_of_the_run_at_one_half(tmp_path):
    row = {"effect": -0.25, "effect_low": -0.4, "effect_high": -0.1, "with_bug": 0.7, "without": 0.95}
    row |= {"caught_by": "look at a | b", "named": 4, "doctor": [["x"]] * 5}
    half = {"foreground": 0.25, "accuracy_lowest": 0.5, "accuracy_highest": 0.751, "accuracy_epochs_in_range": [0, 3]}
    bugs = {"labels inverted": row, "none": row | {"effect": 0.001, "effect_high": 0.002}}
    write_results(tmp_path, "museum", {"bugs": bugs})
    write_results(tmp_path, "museum_half", {"coins": half})
    given = series_book.substitutions(tmp_path)
    text = given["table"]["museum"]
    assert "| labels inverted | 0.700 | 0.950 | -0.250 (-0.400 to -0.100) | look at a \\| b | 4 of 5 |" in text
    assert "+0.001 (-0.400 to +0.002), includes 0 |" in text
    assert "data: phantom · seed: 0 · device: 2 cores" in text
    assert "| coins | 25.0% | 50.00% to 75.10% | 0, 3 |" in given["table"]["museum_half"]
    assert "museum" not in given["other_results"]


def test_a_missing_result_file_is_said_and_others_are_listed(tmp_path):
    write_results(tmp_path, "gpu_speed", {"seconds_per_step": 0.013})
    given = series_book.substitutions(tmp_path)
    assert "lidc.json` is not in this copy" in given["table"]["lidc"]
    assert ":::{dropdown} gpu speed\n" in given["other_results"]
    assert "| seconds per step | 0.013 |" in given["other_results"]


def test_a_table_that_nobody_reads_to_its_end_is_a_line_that_says_where_it_stands(tmp_path):
    write_results(tmp_path, "many", {f"value {k}": k for k in range(1000)})
    text = series_book.substitutions(tmp_path)["other_results"]
    assert "1000 values, too many for a page: they stand in `book/results/many.json`" in text
    assert "| value 7 |" not in text


def test_a_broken_result_file_is_named(tmp_path):
    (tmp_path / "lidc.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"lidc\.json is not valid JSON"):
        series_book.substitutions(tmp_path)


def test_launch_buttons_need_an_address():
    assert series_book.launch_options({}) == {}
    options = series_book.launch_options({"BOOK_REPOSITORY_URL": "https://github.com/a/b.git/", "BOOK_BRANCH": "class"})
    assert options["repository_url"] == "https://github.com/a/b"
    assert options["repository_branch"] == "class"
    assert set(options["launch_buttons"]) == {"notebook_interface", "binderhub_url", "colab_url"}
    assert (
        "colab_url"
        not in series_book.launch_options({"BOOK_REPOSITORY_URL": "https://gitlab.com/a/b"})["launch_buttons"]
    )
    with pytest.raises(ValueError, match="https://"):
        series_book.launch_options({"BOOK_REPOSITORY_URL": "git@github.com:a/b"})


# --- the sources of the book ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("https://github.com/a/b", "https://github.com/a/b/issues/new?title=Error%20on%20the%20page%20book/intro"),
        (
            "https://gitlab.com/a/b",
            "https://gitlab.com/a/b/-/issues/new?issue[title]=Error%20on%20the%20page%20book/intro",
        ),
        ("https://example.org/a/b", "https://example.org/a/b/issues"),
        ("", None),
    ],
)
def test_a_reader_reports_an_error_where_the_repository_is_known(repository, expected):
    assert series_book.place_to_report({"BOOK_REPOSITORY_URL": repository}, "book/intro") == expected


def test_a_sitemap_lists_every_page_at_its_address_and_needs_one(tmp_path):
    (tmp_path / build_book.SITE).mkdir(parents=True)
    (tmp_path / "_toc.yml").write_text("root: book/intro\nchapters:\n- file: notebooks/01\n", encoding="utf-8")
    file = tmp_path / build_book.SITE / "sitemap.xml"
    build_book.write_sitemap("https://a.example/b/", tmp_path)
    places = [place.text for place in ElementTree.parse(file).iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert places == ["https://a.example/b/book/intro.html", "https://a.example/b/notebooks/01.html"]
    build_book.write_sitemap("", tmp_path)
    assert not file.exists()
    with pytest.raises(ValueError, match="starts with https"):
        build_book.write_sitemap("a.example", tmp_path)


def test_the_page_of_what_is_not_there_leads_back_from_any_depth(browser, tmp_path):
    root = tmp_path / "site"
    for folder in (root / build_book.SITE / "notebooks" / "old", root / build_book.SITE / "book"):
        folder.mkdir(parents=True)
    shutil.copy(ROOT / "_config.yml", root)
    (root / "_toc.yml").write_text("root: book/intro\n", encoding="utf-8")
    build_book.write_page_of_what_is_not_there("", root)
    site = root / build_book.SITE
    for place in ("404.html", "gone.html", "notebooks/gone.html", "notebooks/old/gone.html"):
        if place != "404.html":
            shutil.copy(site / "404.html", site / place)
        browser.open(site / place)
        links = browser.value("[...document.links].map((link) => link.href)")
        assert links == [(site / page).as_uri() for page in ("book/intro.html", "search.html")]
    build_book.write_page_of_what_is_not_there("https://a.example/book/", root)
    text = (site / "404.html").read_text(encoding="utf-8")
    assert '<base href="https://a.example/book/" />' in text
    assert "<script>" not in text


def test_vendored_files_agree_with_their_manifest():
    assert fetch.differences() == []


def test_the_bibliography_has_unique_complete_entries():
    from pybtex.database import parse_file

    entries = parse_file(str(ROOT / "book" / "references.bib")).entries
    assert len(entries) >= 25
    for key, entry in entries.items():
        assert entry.persons.get("author"), key
        assert {"title", "year"} <= set(entry.fields), key
        assert key == key.lower()
    addresses = [entry.fields.get("doi") or entry.fields.get("url") for entry in entries.values()]
    known = [address for address in addresses if address]
    assert len(known) == len(set(known))


FOLDERS = sorted(path.parent.name for path in (ROOT / "unet_helpers").glob("*/__init__.py"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_of_the_package_is_described_once_on_the_page_of_its_folder(folder):
    files = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "unet_helpers" / folder).rglob("*.py")]
    public = [".".join(path.parts).removesuffix(".__init__") for path in files if not re.search("^_[^_]", path.name)]
    page = (ROOT / "book" / "api" / f"{folder}.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"automodule:: (\S+)", page)) == sorted(public)
    assert f"book/api/{folder}" in build_book.pages()


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_name_that_a_folder_passes_on_is_described(folder):
    module = importlib.import_module(f"unet_helpers.{folder}")
    files = [path.stem for path in Path(module.__file__).parent.glob("[a-z]*.py")]
    analyzers = [ModuleAnalyzer.for_module(f"{module.__name__}.{name}") for name in files]
    constants = {name for analyzer in analyzers for _, name in analyzer.find_attr_docs()}
    things = {name: getattr(module, name) for name in module.__all__}
    described = {name for name, thing in things.items() if callable(thing) and inspect.getdoc(thing)}
    assert set(things) - described - constants == set()


def test_the_list_of_files_of_a_folder_becomes_links():
    lines = ["From the disk to arrays.", "", "``paths``  user's paths", "``pictures`` are not a list"]
    series_book.shape_docstring(None, "module", "unet_helpers.files", None, {}, lines)
    assert lines[2:] == ["* :mod:`paths <unet_helpers.files.paths>` – user's paths", "``pictures`` are not a list"]


def test_the_fields_of_a_class_get_a_heading_and_end_with_their_paragraph():
    lines = ["Slices.", "", "images : array", "masks, readers : array", "    Of classes.", "", "More: words."]
    series_book.shape_docstring(None, "class", "Subset", None, {}, lines)
    fields = ["Parameters", "----------", "images : array", "masks, readers : array", "    Of classes."]
    assert lines == ["Slices.", "", *fields, "", "", "", "More: words."]


def test_words_before_a_colon_are_no_type_of_a_property():
    lines = ["True objects without a partner: false negatives."]
    series_book.shape_docstring(None, "property", "missed", None, {}, lines)
    assert NumpyDocstring(lines, what="property").lines() == ["True objects without a partner:", "false negatives."]


def test_the_glossary_is_in_order_without_repetition():
    lines = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8").split("{glossary}\n")[1].splitlines()
    terms = [line.lower() for line in lines if line and not line.startswith((" ", "`"))]
    assert len(terms) >= 45
    assert terms == sorted(set(terms))


def test_the_introduction_names_every_notebook_of_the_book():
    text = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
    missing = [name for name in build_book.notebooks() if f"../{name}.ipynb" not in text]
    assert not missing


def test_the_settings_load_nothing_from_the_network():
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    config = settings["sphinx"]["config"]
    assert "sphinx_thebe" not in config["extensions"]
    assert "//" not in config["mathjax_path"]
    assert config["nb_ipywidgets_js"] == {}  # sliders are plain HTML


# --- a small book, built with our settings ----------------------------------------------------------------------

NOTEBOOK = "notebooks/01_small"
FIGURE_ALT = "A gray square that stands for a slice"


def widget_state():
    """A slider that chooses one of three pictures, joined as `ipywidgets.jslink` joins them, without a kernel."""
    base, controls = "@jupyter-widgets/base", "@jupyter-widgets/controls"
    state = {}

    def add(name, model, module=controls, buffers=(), **values):
        entry = {"model_name": model, "model_module": module, "model_module_version": "2.0.0", "state": values}
        state[name] = {**entry, "buffers": list(buffers)} if buffers else entry
        return f"IPY_MODEL_{name}"

    layout = add("layout", "LayoutModel", base)
    pictures = [
        add(
            f"picture{i}",
            "ImageModel",
            buffers=[{"data": png_base64(80 * i), "encoding": "base64", "path": ["value"]}],
            format="png",
            layout=layout,
        )
        for i in range(3)
    ]
    style = add("style", "SliderStyleModel")
    slider = add("slider", "IntSliderModel", min=0, max=2, value=2, description="size", layout=layout, style=style)
    stack = add("stack", "StackModel", children=pictures, selected_index=2, layout=layout)
    add("link", "LinkModel", source=[slider, "value"], target=[stack, "selected_index"])
    add("box", "VBoxModel", children=[slider, stack], layout=layout)
    return {"state": state, "version_major": 2, "version_minor": 0}


def small_book(root):
    """Write a book of three pages with our settings and extension, and one notebook with all we make use of."""
    shutil.copy(ROOT / "_config.yml", root)
    for folder in ("_ext", "_static", "vendor"):
        shutil.copytree(ROOT / "book" / folder, root / "book" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "book" / "references.bib", root / "book")
    toc = {"format": "jb-book", "root": "book/intro", "chapters": [{"file": NOTEBOOK}, {"file": "book/references"}]}
    (root / "_toc.yml").write_text(yaml.safe_dump(toc), encoding="utf-8")
    (root / "book" / "results").mkdir()
    write_results(root / "book" / "results", "lidc", {"dice_mean": 0.71234})
    intro = "# Intro\n\nMean Dice {{ '%.2f' | format(results.lidc.results.dice_mean) }}.\n\n{{ table.lidc }}\n"
    (root / "book" / "intro.md").write_text(intro, encoding="utf-8")
    (root / "book" / "references.md").write_text("# References\n\n```{bibliography}\n:all:\n```\n", encoding="utf-8")
    for stray in (".pytest_cache", ".venv/lib", "runs"):  # Jupyter Book reads Markdown wherever it lies
        (root / stray).mkdir(parents=True)
        (root / stray / "README.md").write_text("# Not a page\n", encoding="utf-8")
    figure = {"image": {"alt": FIGURE_ALT}, "figure": {"caption": "A **slice**."}}
    fold = {"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
    cells = [
        markdown("# Small\n\n$\\mathrm{Dice} = 2|A \\cap B| / (|A| + |B|)$ {cite}`dice1945`"),
        markdown('<div class="alert alert-info">\n\n**Box** with `code`.\n\n</div>'),
        code(
            "show()",
            [{"output_type": "display_data", "data": {"image/png": png_base64(9)}, "metadata": {}}],
            mystnb=figure,
        ),
        code("answer = 42", count=2, tags=["hide-cell"], mystnb=fold),
        code("box", [display({WIDGET_VIEW: {"model_id": "box"}})], count=3),
    ]
    write_notebook(root / f"{NOTEBOOK}.ipynb", cells, widgets={WIDGET_STATE: widget_state()})


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("book")
    small_book(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BOOK_REPOSITORY_URL", raising=False)
        assert build_book.build(root) == 0
    return root


def page(built, name):
    return check_book.soup_of(built / build_book.SITE / f"{name}.html")


def test_the_small_book_has_no_problem(built):
    assert check_book.site_problems(built / build_book.SITE, expected=build_book.pages(built)) == []


def test_alt_text_and_caption_come_from_cell_metadata(built):
    figure = page(built, NOTEBOOK).find("figure")
    assert figure.find("img")["alt"] == FIGURE_ALT
    assert "A slice." in figure.find("figcaption").get_text()


def test_a_solution_is_folded_under_its_own_words(built):
    folded = page(built, NOTEBOOK).find("details")
    assert "Show the solution" in folded.find("summary").get_text()
    assert "answer" in folded.get_text()


def test_markdown_inside_a_box_is_rendered(built):
    box = page(built, NOTEBOOK).select_one("div.alert.alert-info")
    assert box.find("strong").get_text() == "Box"
    assert box.find("code")


def test_numbers_in_prose_come_from_the_result_files(built):
    text = page(built, "book/intro").find("article").get_text()
    assert "Mean Dice 0.71." in text
    assert "Dice mean" in text


def test_every_page_names_both_licenses(built):
    for path in check_book.html_pages(built / build_book.SITE):
        if path.name not in ("index.html", "404.html"):  # a redirect without a word, and an error
            names = [link.get_text() for link in check_book.soup_of(path).select("footer a[rel=license]")]
            assert names == ["BSD 3-Clause", "CC BY 4.0"], path.name


def test_a_slider_is_plain_html_above_its_pictures(built):
    slider = page(built, NOTEBOOK).select_one(".explorer input[type=range]")
    assert (slider["min"], slider["max"], slider["value"], slider.parent.get_text().strip()) == ("0", "2", "2", "size")
    pictures = page(built, NOTEBOOK).select(".explorer img")
    assert [picture["alt"] for picture in pictures] == [f"The picture for size {i}." for i in range(3)]
    assert [picture.parent.has_attr("hidden") for picture in pictures] == [True, True, False]
    for number, picture in enumerate(pictures):
        with Image.open(built / build_book.SITE / "notebooks" / picture["src"]) as image:
            assert image.convert("L").getextrema() == (80 * number, 80 * number)
    assert not page(built, NOTEBOOK).find_all("script", type=lambda kind: kind and "widget" in kind)


def test_without_an_address_there_are_no_launch_buttons(built):
    text = (built / build_book.SITE / f"{NOTEBOOK}.html").read_text(encoding="utf-8")
    assert "colab.research" not in text
    assert "mybinder" not in text


def test_pages_work_in_a_browser_without_network(built, chromium):
    site = built / build_book.SITE
    assert check_book.browser_problems(site, chromium) == []

    text = (site / f"{NOTEBOOK}.html").read_text(encoding="utf-8")
    text = text.replace("mathjax/tex-svg-full.js", "mathjax/gone.js").replace('id="stack-', 'id="gone-')
    broken = site / "notebooks" / "broken.html"
    broken.write_text(text, encoding="utf-8")
    with check_book.Browser(chromium) as browser:
        found = check_book.browser_page_problems(browser, broken)
    broken.unlink()
    assert "MathJax was not loaded" in found
    assert any("Failed to load resource" in problem for problem in found)
    assert "moving the slider does not change the picture" in found


def test_a_second_build_does_nothing_until_something_changes(built, monkeypatch):
    monkeypatch.delenv("BOOK_REPOSITORY_URL", raising=False)
    assert build_book.is_current(built)
    began = time.process_time()
    assert build_book.build(built) == 0
    assert time.process_time() - began < 2
    with monkeypatch.context() as address:
        address.setenv("BOOK_REPOSITORY_URL", "https://github.com/a/b")
        assert not build_book.is_current(built)
    module = built / "unet_helpers" / "files" / "paths.py"
    module.parent.mkdir(parents=True)
    module.write_text('"""A docstring that a page shows."""\n', encoding="utf-8")
    assert not build_book.is_current(built)
    shutil.rmtree(built / "unet_helpers")


def test_a_warning_fails_every_time(built, tmp_path, capsys):
    root = tmp_path / "copy"
    shutil.copytree(built, root)
    with (root / "book" / "intro.md").open("a", encoding="utf-8") as file:
        file.write("\n{term}`no such term`\n")
    for _ in range(2):  # Sphinx alone would forget the warning of a page that it has read
        assert build_book.build(root) == 1
        assert "no such term" in capsys.readouterr().err


def test_launch_buttons_lead_to_the_repository(built, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(built, root)
    program = "import build_book, pathlib, sys; sys.exit(build_book.build(pathlib.Path(sys.argv[1])))"
    environment = {**os.environ, "BOOK_REPOSITORY_URL": "https://github.com/a/b", "PYTHONPATH": str(ROOT / "tools")}
    subprocess.run([sys.executable, "-c", program, str(root)], env=environment, check=True)
    links = [a["href"] for a in page(root, NOTEBOOK).find_all("a", href=True)]
    assert f"https://colab.research.google.com/github/a/b/blob/main/{NOTEBOOK}.ipynb" in links
    assert f"https://mybinder.org/v2/gh/a/b/main?urlpath=lab/tree/{NOTEBOOK}.ipynb" in links
