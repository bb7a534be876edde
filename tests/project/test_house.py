"""The house keeps its order: imports go down its floors only, in no circle, and no file is too long to read."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "unet_helpers"
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# from the ground up; a folder imports from those before it
FLOORS = (
    "files",
    "phantom",
    "models",
    "evaluation",
    "data",
    "failures",
    "plotting",
    "training",
    "deployment",
    "teaching",
)
# beside each other on one floor: none of them imports another
SIDE_BY_SIDE = ({"files", "phantom", "models"}, {"data", "failures", "plotting"}, {"training", "deployment"})
LONGEST = 450


def folder_of(module):
    return module.split(".")[1] if module.count(".") else ""


def imports_of(module, code, late=True):
    """Modules of the package that some code imports; ``late``: also those that it imports inside of functions."""
    tree = ast.parse(code)
    is_package = MODULES.get(module, Path()).name == "__init__.py"
    parents = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree) if late else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("unet_helpers"))
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            if source.startswith("unet_helpers"):
                for alias in node.names:
                    yield f"{source}.{alias.name}" if f"{source}.{alias.name}" in MODULES else source


def upward(module, code):
    """What a module imports from a folder above its own, or beside it."""
    here = folder_of(module)
    for target in imports_of(module, code):
        there = folder_of(target)
        if there in FLOORS and there != here:
            beside = any({here, there} <= floor for floor in SIDE_BY_SIDE)
            if beside or FLOORS.index(there) > FLOORS.index(here):
                yield f"{module} imports {target}"


def circle(arrows):
    """One circle of arrows, or none."""
    state = {}

    def visit(module, path):
        if state.get(module) == "done":
            return None
        if module in path:
            return path[path.index(module) :]
        found = next(filter(None, (visit(target, [*path, module]) for target in sorted(arrows.get(module, ())))), None)
        state[module] = "done"
        return found

    return next(filter(None, (visit(module, []) for module in sorted(arrows))), None)


def arrows_of(late):
    arrows = {
        module: set(imports_of(module, path.read_text(encoding="utf-8"), late)) for module, path in MODULES.items()
    }
    # the root loads everything: whoever imports it to have TensorFlow loaded closes no circle
    del arrows["unet_helpers"]
    return {module: targets - {"unet_helpers", module} for module, targets in arrows.items()}


@pytest.mark.parametrize("module", [module for module in MODULES if folder_of(module) in FLOORS])
def test_imports_go_down_the_floors_only(module):
    assert not list(upward(module, MODULES[module].read_text(encoding="utf-8")))


def test_the_check_finds_an_import_that_goes_up_or_aside():
    assert list(upward("unet_helpers.files.paths", "from ..data import subsets"))
    assert list(upward("unet_helpers.data.load", "def late():\n    from ..plotting.canvas import figure"))
    assert list(upward("unet_helpers.training.loop", "from ..teaching import museum"))
    assert not list(upward("unet_helpers.teaching.museum", "from ..training.loop import train"))


def test_no_circle_of_imports():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c"]
    assert circle(arrows_of(late=False)) is None
    assert circle(arrows_of(late=True)) is None


def test_every_folder_is_on_a_floor_and_its_map_names_its_files():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(FLOORS)
    for folder in folders - {"phantom"}:
        shown = ast.get_docstring(ast.parse((PACKAGE / folder / "__init__.py").read_text(encoding="utf-8")))
        files = {path.stem for path in (PACKAGE / folder).glob("*.py")} - {"__init__"}
        assert not {name for name in files if f"``{name}``" not in shown}


def test_no_file_is_too_long():
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES.values()}
    assert max(lengths.values()) <= LONGEST, max(lengths, key=lengths.get)
