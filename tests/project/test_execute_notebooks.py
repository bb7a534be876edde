"""The folder named by UNET_DATA, and --output, are those that lie where the command was called."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
import execute_notebooks  # noqa: E402

from unet_helpers.teaching.your_data import report_folder  # noqa: E402


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Run the tool in ``tmp_path/here`` on a notebook 15 that tells where it looks and writes; returns what it says."""
    here, notebooks = tmp_path / "here", tmp_path / "notebooks"
    (here / "my folder").mkdir(parents=True)
    (notebooks / "src").mkdir(parents=True)
    (notebooks / "src" / "15_x.py").write_text(
        "# %%\nimport os\nfrom pathlib import Path\n\nsource = os.environ['UNET_DATA']\n"
        "source, Path(source).is_dir(), os.environ.get('UNET_RUNS')\n"
    )
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("UNET_RUNS", "")
    monkeypatch.setattr(execute_notebooks, "NOTEBOOKS", notebooks)

    def run(source, *arguments, output="runs"):
        monkeypatch.setenv("UNET_DATA", source)
        monkeypatch.setattr(sys, "argv", ["execute_notebooks.py", "15", "--output", output, *arguments])
        execute_notebooks.main()
        written = next(tmp_path.glob("**/runs/15_x.ipynb"))
        return written, eval(nbformat.read(written, as_version=4).cells[0].outputs[0].data["text/plain"])

    return run


def test_a_relative_folder_and_the_output_lie_where_the_command_was_called(execute, tmp_path):
    written, (source, found, runs) = execute("my folder")
    assert (Path(source), found) == (tmp_path / "here" / "my folder", True)
    assert written == tmp_path / "here" / "runs" / "15_x.ipynb"
    assert Path(runs) == tmp_path / "here" / "runs"


def test_a_caller_in_another_folder_says_where(execute, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written, (source, *_) = execute("../here/my folder", "--called-from", str(tmp_path / "here"))
    assert Path(source) == tmp_path / "here" / "my folder"
    assert written.parent == tmp_path / "here" / "runs"


def test_the_home_folder_may_be_a_tilde(execute, tmp_path):
    written, (source, *_) = execute("~/here/my folder", output="~/runs")
    assert Path(source) == tmp_path / "here" / "my folder"
    assert written.parent == tmp_path / "runs"


def test_the_name_of_a_data_set_stays_a_name_unless_a_folder_is_called_so(execute, tmp_path):
    assert execute("phantom")[1][0] == "phantom"
    (tmp_path / "here" / "phantom").mkdir()
    assert Path(execute("phantom")[1][0]) == tmp_path / "here" / "phantom"
    assert execute_notebooks.data_source("Task04_Hippocampus", tmp_path) == "Task04_Hippocampus"


def test_a_warning_does_not_cost_a_person_the_executed_notebook_but_the_series_stores_none(execute, monkeypatch):
    source = execute_notebooks.NOTEBOOKS / "src" / "15_x.py"
    source.write_text(source.read_text() + "\n# %%\nimport sys\n\nprint('a warning', file=sys.stderr)\n")
    written, _ = execute("my folder")
    assert "a warning" in written.read_text()
    monkeypatch.setattr(sys, "argv", ["execute_notebooks.py", "15"])
    with pytest.raises(SystemExit, match="a cell wrote to stderr"):
        execute_notebooks.main()
    assert not (execute_notebooks.NOTEBOOKS / "15_x.ipynb").exists()


@pytest.mark.parametrize("name", ["gone", "../gone", "~no-such-user/gone", "my folder/file"])
def test_a_folder_that_is_not_there_is_named_whole_before_a_kernel_starts(execute, tmp_path, monkeypatch, name):
    (tmp_path / "here" / "my folder" / "file").touch()
    monkeypatch.setattr(execute_notebooks, "run", None)
    named = re.escape(os.path.abspath(tmp_path / "here" / name))
    with pytest.raises(SystemExit, match=f"^UNET_DATA names no folder: '{named}'; check the path, or give [^.]+$"):
        execute(name)


def test_the_report_lies_beside_the_executed_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("UNET_RUNS", str(tmp_path))
    assert report_folder(Path("somewhere") / "my folder") == tmp_path / "my folder"
    monkeypatch.delenv("UNET_RUNS")
    assert report_folder("my folder") == Path("..") / "runs" / "my folder"


@pytest.mark.skipif(not shutil.which("make") or sys.platform == "win32", reason="needs make and a shell")
@pytest.mark.parametrize("silent", [[], ["-s"]])
def test_make_says_from_where_it_was_called(tmp_path, silent):
    # of another process, a shell says where it is in PWD; a program that starts make elsewhere leaves PWD as it was
    dry = ["make", "-n", "-o", ".venv/.ready", *silent]
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}

    def command(*arguments, pwd, cwd):
        run = [*dry, *arguments, "your-data", "UNET_DATA=swam"]
        return subprocess.check_output(run, cwd=cwd, env={**environment, "PWD": str(pwd)}, text=True)

    assert f'--called-from "{tmp_path}"' in command("-C", ROOT, pwd=tmp_path, cwd=tmp_path)
    assert f'--called-from "{ROOT}"' in command(pwd=ROOT, cwd=ROOT)
    if not silent:
        assert f'--called-from "{ROOT}"' in command(pwd=tmp_path, cwd=ROOT)
