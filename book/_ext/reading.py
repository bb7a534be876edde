"""Sphinx extension of the book: pages for everybody, with a screen reader, on a phone, on paper, on a slow line.

Each page, as it is written: tables without empty headings, lists of references without roles that no browser knows,
folds whose name is what they say; figures with their size, so that the text does not jump, and loaded when they come
near; a description for search engines. After the build: figures as lossless WebP, notebooks to download without their
outputs, of the theme's 2,000 icons those that some page shows, and no files that no page loads.

Search. ``INDEX`` names the section that answers what people look for; a section that is gone fails the build.
"""

import json
import os
import re
from pathlib import Path

from bs4 import BeautifulSoup
from docutils import nodes
from PIL import Image
from sphinx import addnodes
from sphinx.util import logging

INDEX = {
    "book/metrics": {"Dice": "", "IoU": "", "HD95": "", "empty mask": "empty-masks"},
    "notebooks/01_data_pairing": {
        "leakage": "split-by-patient",
        "patient split": "split-by-patient",
        "split by patient": "split-by-patient",
        "pairing": "",
    },
    "notebooks/02_preprocessing": {"window": "a-window-is-a-rule", "Hounsfield units": "hounsfield-units"},
    "notebooks/04_gpu_training": {
        "resume training": "interrupted-and-resumed",
        "learning rate too high": "reading-curves",
        "oneDNN": "the-kernels-of-the-processor",
    },
    "notebooks/05b_comparison": {"cross-validation": "", "power": "", "confidence interval": ""},
    "notebooks/06b_black_masks": {"all black": "", "black mask": "", "accuracy of 50 %": "a-run-that-is-stuck-at-50"},
    "notebooks/15_your_own_data": {"my own data": "", "own data": ""},
}
#: an icon in the theme's script, with its other names
ICON = re.compile(r'(?<![\w-])"?([a-z0-9-]+)"?:\[\d+,\d+,(\[[^\]]*\]),"[0-9a-f]*",(?:"[^"]*"|\[[^\]]*\])\],?')
#: icons in its style sheet
ICON_STYLE = re.compile(r'(?:\.fa-[a-z0-9-]+:before,?)+\{content:"[^"]*"\}')
#: what the theme brings and no page of this book loads
NEVER_LOADED = ("_static/**/*.map", "_static/locales", "_static/**/*.ttf")
logger = logging.getLogger(__name__)


def mended(body, size_of=lambda source: None):
    """The HTML of a page's text, for everybody to read.

    ``size_of`` gives width and height of a figure by the address in the page, or None.
    """
    soup = BeautifulSoup(body, "html.parser")
    for heading in soup.find_all("th"):
        if not heading.get_text(strip=True) and not heading.find("img"):
            heading.name = "td"
    for element in soup.select("[role=doc-biblioentry], .citation-list[role=list]"):
        del element["role"]
    for summary in soup.select("summary[aria-label]"):
        del summary["aria-label"]  # it says "Toggle hidden content" in place of what stands there
    for image in soup.find_all("img"):
        size = size_of(image.get("src", ""))
        if size is None:
            continue
        image["loading"], image["decoding"] = "lazy", "async"
        image["width"], image["height"] = (str(side) for side in size)
        image["src"] = re.sub(r"\.png$", ".webp", image["src"])
        if (link := image.find_parent("a", href=True)) and Path(link["href"]).stem == Path(image["src"]).stem:
            link["href"] = image["src"]
    return str(soup)


def description_of(body):
    """The first paragraph of a page, at most about 160 letters of it."""
    paragraph = BeautifulSoup(body, "html.parser").find("p")
    text = " ".join(paragraph.get_text().split()) if paragraph else ""
    return text if len(text) < 160 else text[: text.rfind(" ", 0, 157)] + " …"


def mend_page(app, pagename, templatename, context, doctree):
    """Called by Sphinx before a page is written."""
    if app.builder.format != "html" or not context.get("body"):
        return
    files = {name: Path(app.srcdir, path) for path, name in app.builder.images.items()}

    def size_of(source):
        file = files.get(Path(source).name)
        if file is None or file.suffix != ".png" or not file.is_file():
            return None
        with Image.open(file) as image:
            return image.size

    context["body"] = mended(context["body"], size_of)
    tags = {"description": description_of(context["body"])}
    tags |= {"og:title": context.get("title", ""), "og:description": tags["description"], "og:type": "article"}
    for name, text in tags.items():
        clean = re.sub(r"<[^>]*>", "", text).replace("&", "&amp;").replace('"', "&quot;")
        kind = "property" if name.startswith("og:") else "name"
        context["metatags"] = context.get("metatags", "") + f'<meta {kind}="{name}" content="{clean}" />\n'


def add_index(app, doctree):
    """Enter the sections of ``INDEX`` into the search."""
    docname = app.env.docname
    for words, section in INDEX.get(docname, {}).items():
        found = {name: node for node in doctree.findall(nodes.section) for name in node["ids"]}
        if section and section not in found:
            logger.warning(
                "INDEX in book/_ext/reading.py names the section %r, which is not there", section, location=docname
            )
            continue
        place = found.get(section) or next(doctree.findall(nodes.section))
        place.insert(1, addnodes.index(entries=[("single", words.lower(), section, "main", None)]))


def save_webp(image, target):
    """Every pixel as it is; what more effort would save is not worth the seconds."""
    image.save(target, "WEBP", lossless=True, quality=60, method=3)


def finish(app, exception):
    """After the build: figures as WebP, notebooks without outputs, and nothing that no page loads."""
    if exception or app.builder.name != "html":
        return
    site = Path(app.outdir)
    for file in (site / "_images").glob("*.png"):
        target = file.with_suffix(".webp")
        if not target.is_file() or target.stat().st_mtime < file.stat().st_mtime:
            with Image.open(file) as image:
                save_webp(image, target)
        file.unlink()
    for file in (site / "_sources").rglob("*.ipynb"):
        file.write_text(json.dumps(without_outputs(json.loads(file.read_text(encoding="utf-8")))), encoding="utf-8")
    leave_out_icons(site)
    for pattern in NEVER_LOADED:
        for path in site.glob(pattern):
            remove(path)


def leave_out_icons(site):
    """Keep those icons of the theme that a page or the theme's scripts name, and their fonts."""
    files = [*site.rglob("*.html"), *site.glob("_static/scripts/*theme.js")]
    named = {word for file in files for word in re.findall(r"\bfa[brs]?\b[\w-]*", file.read_text(encoding="utf-8"))}

    def used(*names):
        return any(f"fa-{name}" in named for name in names)

    for name, pattern, keep in (
        ("scripts/fontawesome.js", ICON, lambda icon: used(icon[1], *re.findall(r'"([^"]+)"', icon[2]))),
        ("styles/pydata-sphinx-theme.css", ICON_STYLE, lambda rule: used(*re.findall(r"fa-([\w-]+)", rule[0]))),
    ):
        if (file := site / "_static" / name).is_file():
            text = file.read_text(encoding="utf-8")
            kept = pattern.sub(lambda icon, keep=keep: icon[0] if keep(icon) else "", text)
            file.write_text(kept, encoding="utf-8")
    for font, short in (("brands", "fab"), ("regular", "far")):
        if not used(font) and short not in named:
            for file in site.glob(f"_static/vendor/fontawesome/webfonts/fa-{font}-*.woff2"):
                file.unlink()


def without_outputs(notebook):
    """A notebook as it is before anybody has run it."""
    cells = [
        cell | {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else cell
        for cell in notebook["cells"]
    ]
    metadata = {name: value for name, value in notebook["metadata"].items() if name != "widgets"}
    return notebook | {"cells": cells, "metadata": metadata}


def remove(path):
    """A file, or a folder with what is in it."""
    if path.is_dir():
        for inner in path.iterdir():
            remove(inner)
        path.rmdir()
    else:
        os.unlink(path)


def setup(app):
    app.connect("doctree-read", add_index)
    app.connect("html-page-context", mend_page, priority=900)  # after the theme
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
