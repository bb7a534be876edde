"""Make the slides of a course from ``book/slides/NN_topic.md`` and the notebooks, into ``_build/slides``.

    python tools/make_slides.py          # a page for each deck, and index.html, for a browser without a network
    python tools/make_slides.py --pdf    # also a PDF of each deck, printed by Chromium
    python tools/make_slides.py --check  # also look in Chromium whether each slide fits and everybody can read it

A deck is Markdown: ``---`` stands between two slides, and ``Note:`` before what only the speaker sees. A picture is
named by the beginning of its caption in the notebook of the same name, ``![One image, two masks](figure)``; picture
and alt text come from the notebook's stored output, so a deck never shows a result that the book does not.
"""

import argparse
import base64
import hashlib
import html
import json
import re
import shutil
import struct
import sys
from pathlib import Path

from markdown_it import MarkdownIt

sys.path.insert(0, str(Path(__file__).resolve().parent))
import check_book

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "book" / "slides"
SLIDES = ROOT / "_build" / "slides"
BESIDE = ("LICENSE-text", "CITATION.cff", "THIRD-PARTY-NOTICES.txt")
FIGURE = re.compile(r"^!\[(.+?)\]\(figure\)$", re.MULTILINE)
#: room for a picture on a slide of 1280×720: below a line of heading, and above a line or two of text if there is any
WIDTH, HEIGHT, HEIGHT_WITH_TEXT = 1180, 540, 450
#: what does not fit on the slide that is open, or cannot be read from the last row
UNFIT = """(() => {
    const slide = Reveal.getCurrentSlide(), parts = [...slide.querySelectorAll(":not(aside, aside *)")], found = [];
    for (const part of parts) {
        const box = part.getBoundingClientRect(), name = part.tagName.toLowerCase();
        const text = `${name} "${(part.alt || part.textContent).trim().slice(0, 30)}"`;
        if (box.left < 0 || box.top < 0 || box.right > 1280 || box.bottom > 690) found.push(`${text} does not fit`);
        if (parseFloat(getComputedStyle(part).fontSize) < 24) found.push(`${text} is smaller than 24 pixels`);
        if (name === "img" && !(part.complete && part.naturalWidth)) found.push(`${text} is not shown`);
        if (name === "pre" && part.scrollWidth > part.clientWidth) found.push(`${text} is too wide`);
    }
    return found;
})()"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pdf", action="store_true", help="also print each deck into a PDF; needs Chromium")
    parser.add_argument("--check", action="store_true", help="also look at each slide in Chromium")
    options = parser.parse_args()
    counts = make_slides(SLIDES)
    print(f"{len(counts)} decks with {sum(counts.values())} slides; open {SLIDES / 'index.html'} in a browser.")
    if not (options.pdf or options.check):
        return
    program = check_book.find_chromium()
    if program is None:
        sys.exit("There is no Chromium; put one into PATH, or name it in CHROMIUM.")
    problems = []
    with check_book.Browser(program) as browser:
        for page in [SLIDES / f"{name}.html" for name in counts]:
            if options.pdf:
                print_pdf(browser, page)
            if options.check:
                problems += [f"{page.stem}: {problem}" for problem in slide_problems(browser, page)]
    sys.exit("\n".join(problems) or 0)


def make_slides(target, sources=None):
    """Write the decks with all they load; returns ``{name: number of slides}``."""
    target = Path(target)
    shutil.rmtree(target, ignore_errors=True)
    (target / "figures").mkdir(parents=True)
    shutil.copytree(ROOT / "book" / "vendor" / "reveal", target / "reveal")
    for path in [*SOURCES.glob("slides.*"), *(ROOT / name for name in BESIDE)]:
        shutil.copy(path, target)
    titles, counts = {}, {}
    for source in sources or sorted(SOURCES.glob("[0-9]*.md")):
        deck = read_deck(source)
        figures = figures_of(ROOT / "notebooks" / f"{source.stem}.ipynb")
        sections = "\n".join(section(text, note, figures, source, target) for text, note in deck)
        titles[source.stem] = title = deck[0][0].splitlines()[0].removeprefix("# ")
        counts[source.stem] = len(deck)
        page = fill("deck", head=fill("head", title=html.escape(title)), slides=sections)
        (target / f"{source.stem}.html").write_text(page, encoding="utf-8")
    decks = [f'<li><a href="{n}.html">{html.escape(t)}</a>, {counts[n]} slides</li>' for n, t in titles.items()]
    page = fill("index", head=fill("head", title="Slides"), decks="\n".join(decks))
    (target / "index.html").write_text(page, encoding="utf-8")
    return counts


def fill(template, **parts):
    """A template in ``book/slides``, with its parts put in."""
    return (SOURCES / f"{template}.html").read_text(encoding="utf-8").format(**parts)


def read_deck(source):
    """The slides of a deck, each as its text and its note, both Markdown."""
    slides = re.split(r"^---$", source.read_text(encoding="utf-8"), flags=re.MULTILINE)
    parts = [re.split(r"^Note:", slide, maxsplit=1, flags=re.MULTILINE) for slide in slides]
    return [(part[0].strip(), part[1].strip() if len(part) > 1 else "") for part in parts]


def figures_of(notebook):
    """The pictures of a notebook's stored outputs: a list of caption, alt text and PNG."""
    found = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        shown = cell["metadata"].get("mystnb", {})
        data = [output.get("data", {}) for output in cell.get("outputs", [])]
        pictures = [one["image/png"] for one in data if "image/png" in one]
        if pictures and "figure" in shown:
            picture = base64.b64decode("".join(pictures[0]))
            found.append((shown["figure"]["caption"], shown.get("image", {}).get("alt", ""), picture))
    return found


def figure_for(beginning, figures, source):
    """The one figure whose caption begins like this."""
    found = [figure for figure in figures if figure[0].startswith(beginning)]
    if len(found) != 1:
        many = "no figure" if not found else f"{len(found)} figures"
        raise ValueError(
            f"{source.name} shows '{beginning}', and {many} of notebooks/{source.stem}.ipynb has a caption that begins "
            "so; copy the beginning of the caption"
        )
    return found[0]


def section(text, note, figures, source, target):
    """The HTML of one slide; its picture goes into the folder ``figures``."""
    markdown = MarkdownIt("commonmark", {"typographer": True}).enable(["table", "smartquotes"])
    beginnings = FIGURE.findall(text)
    words = FIGURE.sub("", text).strip()
    head, _, rest = words.partition("\n")
    pictures = ""
    for beginning in beginnings:
        _, alt, picture = figure_for(beginning, figures, source)
        name = f"figures/{source.stem}_{hashlib.sha256(picture).hexdigest()[:8]}.png"
        (target / name).write_bytes(picture)
        width, height = struct.unpack(">II", picture[16:24])
        room = HEIGHT_WITH_TEXT if rest.strip() else HEIGHT
        scale = min(WIDTH / width, room / height)
        width, height = round(scale * width), round(scale * height)
        place = f'width="{width}" height="{height}" style="margin-block: {(room - height) // 2}px"'
        pictures += f'<img src="{name}" alt="{html.escape(alt)}" {place}>\n'
    turn = head.startswith("## Your turn")
    kind = "first" if head.startswith("# ") else "turn" if turn else "" if beginnings else "words"
    said = f'<aside class="notes">{markdown.render(note)}</aside>' if note else ""
    return f'<section class="{kind}">\n{markdown.render(head)}{pictures}{markdown.render(rest)}{said}</section>'


def slide_problems(browser, page):
    """What is wrong with the slides of a page: at 1280×720, in light and in the dark."""
    found = []
    for theme in ("light", "dark"):
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        size = {"width": 1280, "height": 720, "deviceScaleFactor": 1, "mobile": False}
        browser.call("Emulation.setDeviceMetricsOverride", **size)
        browser.open(page)
        if not browser.wait_for("Boolean(window.Reveal) && Reveal.isReady()"):
            return ["reveal.js does not start"]
        browser.value(check_book.AXE.read_text(encoding="utf-8") + "; 0")
        for number in range(browser.value("Reveal.getTotalSlides()")):
            browser.value(f"Reveal.slide({number})")
            rules = check_book.AXE_RULES if theme == "light" else check_book.AXE_RULES_AGAIN
            seen = browser.value(UNFIT) + browser.value(check_book.AXE_RUN.replace("RULES", rules))
            found += [f"slide {number + 1}, {theme}: {problem}" for problem in seen]
        found += check_book.event_problems(browser.events)
    return found


def print_pdf(browser, page):
    """Print a deck into a PDF beside it, a page for each slide, in light."""
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
    browser.open(page)  # once for the address with a question mark, which names no file
    browser.value("location.search = '?print-pdf'")
    there = "document.readyState === 'complete' && document.querySelector('html[data-pages]')"
    if not browser.wait_for(f"Boolean(location.search && {there})", seconds=60):
        raise RuntimeError(f"{page.name} was not laid out for printing; open it with ?print-pdf and print it by hand")
    data = browser.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"]
    page.with_suffix(".pdf").write_bytes(base64.b64decode(data))
    print(page.with_suffix(".pdf").name)


if __name__ == "__main__":
    main()
