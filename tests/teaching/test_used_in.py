"""A helper made for one chapter says so, and that chapter has it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def claims():
    for path in sorted((ROOT / "unet_helpers").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                for said in re.findall(r"Used in (\d[\d, a-z]*)", ast.get_docstring(node) or ""):
                    yield from ((node.name, number) for number in re.findall(r"\b\d\d[a-z]?\b", said))


@pytest.mark.parametrize(("name", "number"), list(claims()))
def test_the_chapter_that_a_helper_names_has_it(name, number):
    (chapter,) = (ROOT / "notebooks" / "src").glob(f"{number}_*.py")
    assert re.search(rf"\b{name}\b", chapter.read_text(encoding="utf-8"))
