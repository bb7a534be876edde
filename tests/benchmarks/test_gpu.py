"""The GPU measurements run from end to end on a processor, and only a GPU's numbers get into the book."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import gpu
import keras
import pytest


@pytest.fixture(autouse=True)
def policy():
    before = keras.mixed_precision.dtype_policy()
    yield
    keras.mixed_precision.set_global_policy(before)


@pytest.fixture
def uncompiled(monkeypatch):
    """Without XLA, which takes seconds for each shape; the last test of this file compiles."""
    build = gpu.Settings.build
    monkeypatch.setattr(gpu.Settings, "build", lambda self, jit=True: build(self, jit=False))


@pytest.mark.usefixtures("uncompiled")
def test_steps_are_timed_for_each_batch():
    # float32 is timed in the last test of this file
    measured = gpu.time_steps(gpu.Settings("default", "mixed_bfloat16", dry=True))
    assert [row["batch"] for row in measured["rows"]] == [1, 2]
    assert all(row["ms"] > 0 and row["peak_gb"] > 0 for row in measured["rows"])


def test_memory_that_is_over_ends_the_list_and_is_named(monkeypatch):
    def over(*_):
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")

    monkeypatch.setattr(gpu, "_seconds_a_step", over)
    assert gpu.time_steps(gpu.Settings("default", "float32", dry=True))["rows"] == [
        {"batch": 1, "failed": "out of memory"}
    ]


def test_another_error_is_not_taken_for_it(monkeypatch):
    def broken(*_):
        raise RuntimeError("a kernel was not found")

    monkeypatch.setattr(gpu, "_seconds_a_step", broken)
    with pytest.raises(RuntimeError, match="kernel"):
        gpu.time_steps(gpu.Settings("default", "float32", dry=True))


@pytest.mark.usefixtures("uncompiled")
def test_three_ways_of_input_are_timed():
    assert len(gpu.time_input(gpu.Settings("default", "float32", dry=True))["ms"]) == 3


@pytest.mark.usefixtures("uncompiled")
def test_the_time_to_dice_is_scored_after_each_epoch():
    scores = gpu.time_to_dice(gpu.Settings("default", "float32", dry=True))["scores"]
    assert scores
    assert set(scores[0]) == {"seconds", *gpu.GOALS}


def test_jobs_that_could_end_too_late_are_not_begun(monkeypatch):
    monkeypatch.setattr(gpu.subprocess, "run", lambda *_, **__: pytest.fail("begun"))
    arguments = argparse.Namespace(seconds=0, dry=False, patients=None, backend="jax")
    rows = gpu.run_jobs(arguments)["jobs"]
    assert len(rows) == len(gpu.JOBS)
    assert {row["failed"] for row in rows} == {"no time was left"}


@pytest.mark.parametrize("device", ["cpu", "processor"])
def test_a_processor_is_not_recorded_as_a_gpu(device):
    with pytest.raises(SystemExit, match="for GPUs"):
        gpu.record({"jobs": [{"device": device}]})


def test_tensorflow_and_the_readers_of_files_may_be_missing():
    missing = ("tensorflow", "pydicom", "nibabel", "pooch", "tifffile", "skimage", "pandas", "IPython")
    program = f"""
import sys
sys.modules |= dict.fromkeys({missing})  # None there makes their import fail
import gpu
print(len(gpu.time_steps(gpu.Settings("default", "float32", dry=True), batches=(1,))["rows"]))
"""
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(Path(gpu.__file__).parent)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["1"], done.stderr[-800:]
