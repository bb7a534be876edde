"""The three descriptions of the environment say the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()


def declared():
    return [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]


def pip_part():
    return next(entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict))


def test_environment_yml_names_the_packages_and_bounds_of_pyproject():
    assert [line for line in pip_part() if line != "-e ."] == declared()
    assert pip_part()[-1] == "-e ."


def test_environment_yml_has_the_python_of_pyproject():
    python = next(str(entry) for entry in CONDA["dependencies"] if str(entry).startswith("python"))
    assert python.removeprefix("python") == PROJECT["requires-python"]


def test_conda_can_parse_environment_yml():
    rattler = pytest.importorskip("rattler")
    for entry in CONDA["dependencies"]:
        if isinstance(entry, str):
            assert rattler.MatchSpec(entry).name is not None
    assert set(CONDA) == {"name", "channels", "dependencies"}


def locked():
    """name -> versions (one per marker)."""
    versions = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", LOCK, re.MULTILINE):
        versions.setdefault(re.sub(r"[-_.]+", "-", name).lower(), []).append(version)
    return versions


@pytest.mark.parametrize("line", declared())
def test_lock_satisfies_every_bound(line):
    requirement = Requirement(line)
    versions = locked().get(re.sub(r"[-_.]+", "-", requirement.name).lower())
    assert versions, f"{requirement.name} is not in requirements.lock; run make lock"
    assert all(requirement.specifier.contains(version, prereleases=True) for version in versions)


def test_every_locked_package_carries_hashes():
    blocks = re.split(r"\n(?=[A-Za-z0-9])", LOCK)
    without = [block.split()[0] for block in blocks if "--hash=sha256:" not in block]
    assert not without


def test_lock_holds_no_address():
    assert not re.search(r"https?://", LOCK)


def test_readme_names_every_notebook_and_every_benchmark():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"| {notebook.name[:2]} |" in readme, notebook.name
    for script in (ROOT / "benchmarks").glob("*.py"):
        assert script.name.startswith("peer_") or f"| `{script.name}` |" in readme, script.name


def test_readme_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    commands = set(re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert {"lab", "book", "test"} <= commands
    for command in commands:
        assert re.search(rf"^{command}\s*:", makefile, re.MULTILINE), command
