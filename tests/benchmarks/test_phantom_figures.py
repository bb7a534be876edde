"""The page on the phantom shows every figure that its tool draws, each with words for those who do not see it."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "how_the_patients_are_made.md").read_text(encoding="utf-8")
SHOWN = dict(re.findall(r"```\{figure\} figures/(phantom_\w+\.png)\n:alt: (.+)\n", PAGE))


def test_page_shows_all_figures_that_the_tool_draws():
    tree = ast.parse((ROOT / "tools" / "make_phantom_figures.py").read_text(encoding="utf-8"))
    main = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    names = next(node.keys for node in ast.walk(main) if isinstance(node, ast.Dict))
    drawn = {f"phantom_{name.value}.png" for name in names}
    assert drawn == set(SHOWN)
    assert drawn == {path.name for path in (ROOT / "book" / "figures").glob("phantom_*.png")}


@pytest.mark.parametrize("name", SHOWN)
def test_figure_is_small_not_blank_and_described(name):
    path = ROOT / "book" / "figures" / name
    assert path.stat().st_size < 150_000
    with Image.open(path) as picture:
        assert min(picture.size) > 250
        assert np.asarray(picture.convert("L")).std() > 20
    assert len(SHOWN[name].split()) > 20
