"""The ways in: oneDNN is on after each of them, unless somebody chose otherwise, and TensorFlow is quiet."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import nbformat
import pytest

from unet_helpers import _quiet, train

ROOT = Path(__file__).resolve().parents[2]
import execute_notebooks  # noqa: E402
import lab  # noqa: E402

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
SHOW = f"import os; print('oneDNN', os.environ.get('{ONEDNN}'))"


@pytest.fixture
def seen_by_tensorflow(tmp_path):
    """Run Python with a TensorFlow that only says what it finds in its environment: true on every processor."""
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text(f"{SHOW}\nraise SystemExit")

    def run(*arguments, **chosen):
        environment = {name: value for name, value in os.environ.items() if name != ONEDNN}
        environment |= {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]), **chosen}
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False
        ).stdout

    return run


@pytest.mark.parametrize("way", [["-c", "import unet_helpers"], ["-m", "unet_helpers", "export", "x"]], ids=str)
def test_import_and_commands_turn_onednn_on_before_tensorflow_is_loaded(seen_by_tensorflow, way):
    assert seen_by_tensorflow(*way) == "oneDNN 1\n"
    assert seen_by_tensorflow(*way, **{ONEDNN: "0"}) == "oneDNN 0\n"


def notebook_that_shows():
    cell = nbformat.v4.new_code_cell(SHOW, id="show", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="oneDNN 1\n")]
    return nbformat.v4.new_notebook(cells=[cell])


def test_kernels_of_make_execute_have_it(monkeypatch):
    monkeypatch.delenv(ONEDNN)
    notebook = execute_notebooks.run(notebook_that_shows(), timeout=60)
    assert notebook.cells[0].outputs[0].text == "oneDNN 1\n"


def test_kernels_of_nbval_have_it_unless_the_person_chose(tmp_path, monkeypatch):
    nbformat.write(notebook_that_shows(), tmp_path / "shows.ipynb")

    def outcome():
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--nbval",
            "--nbval-current-env",
            "-q",
            "shows.ipynb",
        ]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv(ONEDNN)
    assert "1 passed" in outcome()
    monkeypatch.setenv(ONEDNN, "0")
    assert "1 failed" in outcome()


def test_lab_hands_it_to_every_kernel(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(lab.sys, "prefix", str(tmp_path))
    monkeypatch.setattr(lab.sys, "argv", ["lab.py"])
    monkeypatch.setattr(lab.subprocess, "run", lambda command, env, **options: started.append(env[ONEDNN]) or lab)
    monkeypatch.setattr(lab, "returncode", 0, raising=False)
    for chosen in (None, "0"):
        monkeypatch.delenv(ONEDNN, raising=False)
        if chosen:
            monkeypatch.setenv(ONEDNN, chosen)
        lab.main()
    assert started == ["1", "0"]


def test_what_tensorflow_says_of_itself_agrees():
    assert _quiet.onednn_is_on() == (os.environ[ONEDNN] == "1") or sys.platform != "linux"


@pytest.mark.parametrize(("late", "on", "sentences"), [(True, False, 1), (True, True, 0), (False, False, 0)])
def test_training_says_in_one_sentence_that_tensorflow_came_first(disks, monkeypatch, late, on, sentences):
    from unet_helpers import UNet

    monkeypatch.setattr(_quiet, "_CAME_LATE", late)
    monkeypatch.setattr(_quiet, "onednn_is_on", lambda: on)
    monkeypatch.setattr(_quiet.platform, "machine", lambda: "x86_64")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        train(UNet((32, 32, 1), 2, base_filters=2, depth=1), disks(), epochs=1, progress=False)
    assert [str(w.message).count("import unet_helpers first") for w in said if "oneDNN" in str(w.message)] == [
        1
    ] * sentences


def test_an_import_after_tensorflow_is_noticed():
    """In a process of its own, with a TensorFlow that is already there."""
    code = "import sys, types; sys.modules['tensorflow'] = types.ModuleType('tensorflow'); import importlib.util as u\n"
    code += (
        f"s = u.spec_from_file_location('q', {str(ROOT / 'unet_helpers' / '_quiet.py')!r}); m = u.module_from_spec(s)\n"
    )
    code += "s.loader.exec_module(m); print(m._CAME_LATE)"
    for chosen, late in ((None, "True"), ("0", "False")):
        environment = {name: value for name, value in os.environ.items() if name != ONEDNN}
        environment |= {ONEDNN: chosen} if chosen else {}
        assert (
            subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True).stdout.strip()
            == late
        )
