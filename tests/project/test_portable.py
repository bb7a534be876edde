"""The weights of another processor, and the table of ``make portable``."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
import portable  # noqa: E402

WEIGHTS = """
import json, keras, numpy as np
from unet_helpers import UNet, load_checkpoint
keras.utils.set_random_seed(0)
networks = load_checkpoint(), UNet((16, 16, 1), 2, base_filters=2, depth=1)
print(json.dumps([np.asarray(network.layers[1].kernel).ravel()[:9].tolist() for network in networks]))
"""


@cache
def plain_weights():
    return weights()


def weights(jitter=None):
    """Some first weights of the checkpoint and of a new network, as a fresh process has them."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "jitter"), str(ROOT)])}
    environment.pop("UNET_JITTER", None)
    environment |= {"UNET_JITTER": jitter} if jitter else {}
    command = [sys.executable, "-c", WEIGHTS]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return np.array(json.loads(said))


def test_jitter_moves_the_checkpoint_and_the_first_weights_by_what_it_says_and_its_seed_repeats():
    moved, other = weights("1e-3:1"), weights("1e-3:2")
    relative = moved / plain_weights() - 1
    for network in relative:
        assert 3e-4 < network.std() < 3e-3
    np.testing.assert_array_equal(moved, weights("1e-3:1"))
    assert (moved != other).mean() > 0.5


def test_nothing_is_jittered_unless_the_tests_put_their_folder_on_the_path(monkeypatch):
    monkeypatch.setenv("UNET_JITTER", "1e-2:1")
    command = [sys.executable, "-c", WEIGHTS]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    np.testing.assert_array_equal(json.loads(said), plain_weights())


REPORT = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="2" time="90"/></testsuites>'


@pytest.fixture
def ran(monkeypatch, tmp_path):
    """Put a report in place of every run of pytest, and keep what would have been run with which environment."""
    calls = []

    def run(command, env=None, **options):
        if command[0] == "git":
            return subprocess.CompletedProcess(command, 0, stdout="abc\n")
        calls.append((command, env))
        path = Path(command[-1].partition("=")[2])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(REPORT.format(*ran_with))
        if "UNET_JITTER_MOVED" in env:
            Path(env["UNET_JITTER_MOVED"]).write_text("tests/a.py::test_a\ntests/b.py::test_b\ntests/a.py::test_c\n")
        return subprocess.CompletedProcess(command, 0)

    ran_with = [5, 0, 0]
    monkeypatch.setattr(portable, "KEPT", tmp_path)
    for name in ("UNET_JITTER", "UNET_JITTER_MOVED", "TF_ENABLE_ONEDNN_OPTS"):  # make portable runs this test, too
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(portable.subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["portable.py", "seed 2", "off"])
    return calls, ran_with


def test_each_setting_is_run_once_at_a_commit_and_its_failures_decide(ran, capsys):
    calls, ran_with = ran
    assert portable.main() == 0
    settings = [(env.get("UNET_JITTER"), env.get("TF_ENABLE_ONEDNN_OPTS")) for _, env in calls]
    assert [jitter for jitter, _ in settings] == [None, None, "1e-6:2", "1e-6:2", "1e-5:2", "1e-5:2"]
    assert settings[0][1] == "0"
    assert "| oneDNN off | unit | 5 | 0 | 2 | 1.5 |" in capsys.readouterr().out
    assert portable.main() == 0
    assert len(calls) == 6  # kept
    ran_with[:] = [5, 1, 0]
    for kept in portable.KEPT.rglob("*-unit.xml"):
        kept.unlink()
    assert portable.main() == 1
    assert len(calls) == 9
    ran_with[:] = [0, 0, 0]
    assert portable.main() == 1, "no test is no success"


def test_after_the_first_jitter_only_the_files_are_run_in_which_weights_were_moved(ran):
    calls, _ = ran
    portable.main()
    unit = [command[3 : command.index("-n")] for command, _ in calls if command[-1].endswith("-unit.xml")]
    assert unit == [["tests"], ["tests"], ["tests/a.py", "tests/b.py"]]


def test_jitter_notes_the_test_in_which_weights_were_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("UNET_JITTER_MOVED", str(tmp_path / "moved.txt"))
    weights("1e-3:1")
    noted = set((tmp_path / "moved.txt").read_text().split())
    assert noted == {"tests/project/test_portable.py::test_jitter_notes_the_test_in_which_weights_were_moved"}
