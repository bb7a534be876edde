"""Sphinx extension of the book: what a word means, on hover, focus or touch, from ``book/glossary.md``.

A page explains the words that it is about, and a reader who has come that far knows the common ones. What needs help
is the word that is said in passing. So a word gets its meaning where the running text first says it, and not if a
heading or an emphasized passage of the same page has it, for there the page explains it itself. Of what is left at
most ``AT_MOST`` words are taken, those that the page says least often: each is one more stop of the tab key, and a
page full of dotted lines is hard to read. Headings, links, code, captions, tables, boxes, folds and lists are left
alone, and so are words in ``EVERYDAY``, which the pages also use in another sense than that of the glossary.

Each becomes a link to its entry, which works without JavaScript; the meaning shows by CSS, and
``_static/meanings.js`` lets Escape close it and a touch open it.
"""

import re
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString

AT_MOST = 8
GLOSSARY = "book/glossary"
#: tables and lists, and the glossary itself
NOT_ON = (GLOSSARY, "book/api", "book/exercise_checks", "book/references", "book/results")
#: also used in another sense, or so plain that their meaning helps nobody
EVERYDAY = frozenset(
    {
        "background",
        "bottleneck",
        "calibration",
        "case",
        "confidence",
        "consensus",
        "coverage",
        "dose",
        "efficiency",
        "fold",
        "latency",
        "level",
        "loss",
        "mask",
        "metric",
        "pairing",
        "patch",
        "patient",
        "power",
        "precision",
        "prediction",
        "rank",
        "scheduler",
        "slice",
        "split",
        "step",
        "temperature",
        "threshold",
        "volume",
        "width",
        "window",
    }
)
LEFT_ALONE = ("a", "code", "pre", "figure", "table", "details", "summary", "li", "em", "strong", "mjx-container")
LEFT_ALONE_CLASSES = {"alert", "admonition", "question", "cell_output", "cell_input", "math", "live"}
ENTRY = re.compile(r"^(\S.*)\n((?:  \S.*\n?)+)", re.MULTILINE)


def meanings(glossary):
    """Each word of the glossary's Markdown, with its meaning as plain text."""
    body = glossary[glossary.index("{glossary}") + len("{glossary}") :]
    found = {}
    for word, text in ENTRY.findall(body):
        text = re.sub(r"\{term\}`([^`<]+?)(?: <[^>]*>)?`", r"\1", " ".join(text.split()))
        found[word] = text.replace("`", "").replace("*", "")
    return found


def pattern_of(word):
    """A word as it stands in a sentence: with a capital at its beginning, or in the plural."""
    first = f"[{word[0].upper()}{word[0]}]" if word[0].islower() else re.escape(word[0])
    return rf"{first}{re.escape(word[1:])}(?:es|s)?"


def is_left_alone(text):
    return any(
        parent.name in LEFT_ALONE or LEFT_ALONE_CLASSES & set(parent.get("class", ())) for parent in text.parents
    )


def explained(body, meaning, address):
    """The HTML of a page's text in which some words show what they mean; ``address`` gives the link of a word."""
    soup = BeautifulSoup(body, "html.parser")
    words = sorted(set(meaning) - EVERYDAY, key=lambda word: (-len(word), word))
    each = re.compile(rf"(?<![\w-])(?:{'|'.join(f'({pattern_of(word)})' for word in words)})(?![\w-])")
    heard = " ".join(part.get_text(" ") for part in soup.select("h1, h2, h3, h4, em, strong, dt"))
    taught = {words[match.lastindex - 1] for match in each.finditer(heard)}
    first, times = {}, {}
    for text in [text for paragraph in soup.find_all("p") for text in paragraph.find_all(string=True)]:
        for match in each.finditer(text):
            word = words[match.lastindex - 1]
            times[word] = times.get(word, 0) + 1
            if word not in first and word not in taught and not is_left_alone(text):
                first[word] = (text, match.span())
    chosen = sorted(first, key=lambda word: times[word])[:AT_MOST]  # of equals, the earlier
    by_text = {}
    for word in chosen:
        by_text.setdefault(id(first[word][0]), []).append(word)
    for group in by_text.values():
        text, done, parts = first[group[0]][0], 0, []
        for word in sorted(group, key=lambda word: first[word][1]):
            start, end = first[word][1]
            parts += [NavigableString(text[done:start]), with_meaning(soup, text[start:end], word, meaning, address)]
            done = end
        text.replace_with(*parts, NavigableString(text[done:]))
    return str(soup)


def with_meaning(soup, said, word, meaning, address):
    """A word as a link to its entry, with its meaning behind it."""
    name = "meaning-" + re.sub(r"\W+", "-", word.lower())
    box = soup.new_tag("span", attrs={"class": "word"})
    box.append(soup.new_tag("a", attrs={"href": address(word), "aria-describedby": name}, string=said))
    box.append(soup.new_tag("span", attrs={"id": name, "role": "tooltip", "hidden": ""}, string=meaning[word]))
    return box


def has_words(pagename, env):
    in_book = pagename.startswith(("notebooks/", "book/")) and not pagename.startswith(NOT_ON)
    return in_book and GLOSSARY in env.found_docs


def explain(app, pagename, templatename, context, doctree):
    """Called by Sphinx before a page is written."""
    if app.builder.format != "html" or not context.get("body") or not has_words(pagename, app.env):
        return
    objects = app.env.get_domain("std").get_objects()
    entries = {word: (docname, anchor) for word, _, kind, docname, anchor, _ in objects if kind == "term"}
    text = Path(app.env.doc2path(GLOSSARY)).read_text(encoding="utf-8")
    meaning = {word: said for word, said in meanings(text).items() if word in entries}

    def address(word):
        docname, anchor = entries[word]
        return f"{app.builder.get_relative_uri(pagename, docname)}#{anchor}"

    context["body"] = explained(context["body"], meaning, address)


def depend(app, doctree):
    """A page is written again when the glossary has changed."""
    if has_words(app.env.docname, app.env):
        app.env.note_dependency(app.env.doc2path(GLOSSARY))


def setup(app):
    app.connect("doctree-read", depend)
    app.connect("html-page-context", explain, priority=950)  # after reading.py, which describes a page by its text
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
