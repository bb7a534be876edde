"""Sphinx extension of the book: questions with choices, answered in the page.

Under "Questions to test yourself" a notebook writes

    1. Which class is background?

       - A. Class 0.
       - B. Class 255.

    <details><summary>Answer</summary>

    - **Right: A.** It has the smallest number.
    - **Not B:** 255 is how white is stored in a picture of 8 bits.

    </details>

which reads as it stands in JupyterLab, on paper and without JavaScript. In the book, ``_static/questions.js`` turns it
into buttons to choose from, and shows the line of the chosen letter. A question without a right choice, a choice
without a reason, or a question without an answer fails the build. Without choices it stays as it is.
"""

import re

from docutils import nodes
from sphinx.util import logging

TITLE = "Questions to test yourself"
CHOICE = re.compile(r"([A-Z])\. +\S")
REASON = re.compile(r"(?:(Right): ([A-Z])\.|Not ([A-Z]):)\s*(.*)", re.DOTALL)
logger = logging.getLogger(__name__)


def problems(choices, reasons):
    """What is wrong with a question, from the texts of its choices and of the lines of its answer."""
    letters = [match[1] for text in choices if (match := CHOICE.match(text))]
    if letters != [chr(ord("A") + number) for number in range(len(choices))] or len(letters) < 2:
        return ["the choices are not 'A. …', 'B. …' and so on"]
    found, given = [], [REASON.match(text) for text in reasons]
    if None in given:
        return ["a line of the answer does not begin with 'Right: A.' or 'Not A:'"]
    if [bool(match[1]) for match in given].count(True) != 1:
        found.append("not exactly one choice is right")
    named = [match[2] or match[3] for match in given]
    found += [f"choice {letter} has no reason" for letter in letters if letter not in named]
    found += [f"the answer names {letter} {named.count(letter)} times" for letter in letters if named.count(letter) > 1]
    found += [f"there is no choice {letter}" for letter in named if letter not in letters]
    found += [
        f"choice {letter} has an empty reason" for letter, match in zip(named, given, strict=True) if not match[4]
    ]
    return found


def texts(items):
    return [" ".join(item.astext().split()) for item in items]


def is_fold(node, tag):
    return isinstance(node, nodes.raw) and node.astext().lstrip().startswith(tag)


def mark_questions(app, doctree):
    """Put a box of class ``question`` around each question with choices and its answer."""
    for section in list(doctree.findall(nodes.section)):
        if section[0].astext() != TITLE:
            continue
        for asked in list(section.findall(nodes.enumerated_list)):
            if asked.parent is not section:
                continue
            place = section.index(asked)
            lists = list(asked.findall(nodes.bullet_list))
            ends = [n for n in range(place, len(section)) if is_fold(section[n], "</details")]
            name = repr(texts(asked)[0][:60])
            opened = place + 1 < len(section) and is_fold(section[place + 1], "<details")
            if len(asked) > 1 or not opened or not ends:
                logger.warning("the question %s has no answer of its own below it", name, location=asked)
            elif lists:
                answer = section[place + 2 : ends[0]]
                reasons = [item for part in answer if isinstance(part, nodes.bullet_list) for item in part]
                for problem in problems(texts(lists[0]), texts(reasons)):
                    logger.warning("the question %s: %s", name, problem, location=asked)
                box = nodes.container(classes=["question"])
                box += section[place : ends[0] + 1]
                section[place : ends[0] + 1] = [box]


def setup(app):
    app.connect("doctree-read", mark_questions)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
