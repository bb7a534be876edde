"""Print the built book as one PDF, `_build/html/book.pdf`, and link it from the first page.

    python tools/make_pdf.py      # after tools/build_book.py; needs Chromium, see tools/check_book.py

The chapters stand in one page, with the links between them inside, folds of notebooks open and sliders as stored.
The pages of the package are left out: they are looked up, not read. Chromium makes the bookmarks from the headings.
"""

import base64
import copy
import html
import os
import re
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup

sys.path.insert(0, str(Path(__file__).resolve().parent))
import build_book
import check_book

NAME = "book.pdf"
LEFT_OUT = ("book/api/",)
#: the style sheet book.css has the rest
STYLE = """
@page { size: A4; margin: 18mm 16mm 20mm }
body { background: #fff; font-size: 11pt }
.bd-article { max-width: none; padding: 0; overflow: visible }
.bd-article > section { break-before: page }
.title-page { padding-top: 55mm }
.headerlink, .copybtn, .cell_input summary .collapsed, .live-waits { display: none !important }
img { height: auto !important; max-height: 235mm; object-fit: contain; object-position: left }
"""
READY = """(async () => {
    await MathJax.startup.promise;
    await Promise.all([...document.images].map((image) => image.decode().catch(() => 0)));
    await document.fonts.ready;
    return document.querySelectorAll('mjx-container').length;
})()"""


def anchor(page, name=""):
    """The name of a place of a page where all pages stand in one."""
    return f"{page.replace('/', '-')}--{name}" if name else page.replace("/", "-")


def chapter(page, site, chapters):
    """What the author wrote on one page, ready to stand beside the others."""
    path = site / f"{page}.html"
    article = copy.copy(check_book.content_of(check_book.soup_of(path)))
    for element in article.select("script, .report, .live"):
        element.decompose()
    for element in article.find_all(True):
        if "id" in element.attrs:
            element["id"] = anchor(page, element["id"])
        for name in ("aria-describedby", "aria-labelledby", "for"):
            element.attrs.pop(name, None)
        if element.name == "details" and page.startswith("notebooks/"):  # other folds are long tables
            element["open"] = ""
        if element.name == "img":
            element["src"] = os.path.relpath(path.parent / unquote(element["src"]), site).replace(os.sep, "/")
            element.attrs.pop("loading", None)
        if element.name == "a" and (address := urlsplit(element.get("href", ""))) and not address.scheme:
            target = os.path.normpath(path.parent / address.path).removesuffix(".html") if address.path else ""
            other = os.path.relpath(target, site).replace(os.sep, "/") if target else page
            if other in chapters:
                element["href"] = "#" + anchor(other, unquote(address.fragment))
            else:
                element.attrs.pop("href", None)
    return f'<section id="{anchor(page)}">{article.decode_contents()}</section>'


def title_page(root, site, first):
    """Title, version and date, license and how to cite: what the foot of every page says."""
    title = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["title"]
    foot = check_book.soup_of(site / f"{first}.html").select_one(".bd-footer-content")
    said = [html.escape(" ".join(p.get_text().split())) for p in foot.find_all("p") if p.get_text(strip=True)]
    return f'<div class="title-page"><h1>{title}</h1>{"".join(f"<p>{line}</p>" for line in said)}</div>'


def write_page(root, site):
    """Write the page that is printed beside the others; return where it is."""
    chapters = [page for page in build_book.pages(root) if not page.startswith(LEFT_OUT)]
    notebook = next(page for page in chapters if "mathjax" in (site / f"{page}.html").read_text(encoding="utf-8"))
    head = check_book.soup_of(site / f"{notebook}.html").head
    folder = (site / notebook).parent
    kept = []
    for element in head.find_all(["link", "script"]):
        text = element.get_text()
        if element.name == "link" and "stylesheet" not in element.get("rel", []):
            continue
        if element.name == "script" and "mathjax" not in f"{element.get('src', '')} {text}".lower():
            continue
        element = copy.copy(element)
        for name in ("href", "src"):
            if name in element.attrs:
                element[name] = os.path.relpath(folder / element[name], site).replace(os.sep, "/")
        kept.append(str(element))
    body = "".join([title_page(root, site, chapters[0]), *(chapter(page, site, chapters) for page in chapters)])
    file = site / "print.html"
    file.write_text(
        f'<!DOCTYPE html><html lang="en" data-theme="light" data-mode="light"><head><meta charset="utf-8"/>'
        f"<title>{yaml.safe_load((root / '_config.yml').read_text(encoding='utf-8'))['title']}</title>{''.join(kept)}"
        f'<style>{STYLE}</style></head><body><article class="bd-article">{body}</article></body></html>',
        encoding="utf-8",
    )
    return file


def print_page(file, target, program):
    """Let Chromium print `file`; return the number of pages."""
    number = '<div style="width: 100%; font: 8pt sans-serif; text-align: center"><span class="pageNumber"></span></div>'
    with check_book.Browser(program) as browser:
        browser.open(file)
        browser.value(READY)
        answer = browser.call(
            "Page.printToPDF",
            printBackground=True,
            scale=0.85,
            preferCSSPageSize=True,
            displayHeaderFooter=True,
            headerTemplate="<span></span>",
            footerTemplate=number,
            generateTaggedPDF=True,
            generateDocumentOutline=True,
        )
    data = base64.b64decode(answer["data"])
    target.write_bytes(data)
    return max(map(int, re.findall(rb"/Count (\d+)", data)), default=0)


def link(site, first, pages, size):
    """Say on the first page that there is a PDF."""
    path = site / f"{first}.html"
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    for old in soup.select("p.pdf"):
        old.decompose()
    address = os.path.relpath(site / NAME, path.parent).replace(os.sep, "/")
    text = f'<p class="pdf"><a href="{address}">The book as a PDF</a>, {pages} pages, {size / 1e6:.0f} MB</p>'
    check_book.content_of(soup).append(BeautifulSoup(text, "html.parser"))
    path.write_text(str(soup), encoding="utf-8")


def main():
    root, began = build_book.ROOT, time.monotonic()
    site, program = root / build_book.SITE, check_book.find_chromium()
    if not site.is_dir() or program is None:
        missing = "book in _build/html; run tools/build_book.py" if program else "Chromium; put one into PATH"
        print(f"The book cannot be printed: there is no {missing}.", file=sys.stderr)
        return 1
    file = write_page(root, site)
    try:
        pages = print_page(file, site / NAME, program)
    finally:
        file.unlink()
    size = (site / NAME).stat().st_size
    link(site, build_book.pages(root)[0], pages, size)
    print(
        f"{pages} pages, {size / 1e6:.1f} MB, {time.monotonic() - began:.0f} s: {(build_book.SITE / NAME).as_posix()}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
