"""The check of a class's laptops says what is missing and what to do; nothing has to be broken to try it."""

import re
import socket
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

import class_check  # noqa: E402

GB = class_check.GB


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 4), (3, 13, 9)])
def test_python_of_the_series_is_ready(version):
    assert class_check.check_python(version).ready


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 10, 14), (3, 14, 0)])
def test_another_python_is_named_with_the_remedy(version):
    found = class_check.check_python(version)
    assert not found.ready
    assert ".".join(map(str, version)) in found.sentence
    assert "PYTHON=python3.12" in found.remedy


def test_disk_needs_less_once_the_packages_are_installed():
    assert class_check.check_disk(2 * GB, installed=True).ready
    found = class_check.check_disk(2 * GB, installed=False)
    assert not found.ready
    assert "2.0 GB" in found.sentence
    assert found.remedy


def test_memory_of_four_gigabytes_as_sold_is_enough_and_two_are_not():
    assert class_check.check_memory(3.8 * GB).ready
    assert not class_check.check_memory(2 * GB).ready
    assert class_check.check_memory(None).ready
    assert class_check.total_memory() > GB


@pytest.mark.parametrize(
    ("group", "file"),
    [
        ("0::/user/ana", "user/ana/memory.max"),
        ("0::/hidden", "memory.max"),
        ("5:cpu:/\n3:memory:/ana", "memory/ana/memory.limit_in_bytes"),
    ],
)
def test_memory_of_a_hub_or_container_is_what_its_control_group_may_use(tmp_path, group, file):
    assert list(class_check.group_limits(tmp_path)) == []
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text(f"{group}\n", encoding="utf-8")
    limit = tmp_path / "sys" / "fs" / "cgroup" / file
    limit.parent.mkdir(parents=True)
    limit.write_text("max\n", encoding="utf-8")
    assert list(class_check.group_limits(tmp_path)) == []
    limit.write_text("2000000000\n", encoding="utf-8")
    assert list(class_check.group_limits(tmp_path)) == [2 * GB]


def test_packages_missing_or_of_another_version_are_named():
    wanted = ["tensorflow>=2.21,<2.22", "numpy>=2.1,<3", "SimpleITK>=2.5,<3"]
    right = {"tensorflow": "2.21.0", "numpy": "2.5.1", "SimpleITK": "2.5.0"}
    assert class_check.check_packages(wanted, right.get).ready
    without = class_check.check_packages(wanted, {"numpy": "2.5.1"}.get)
    assert not without.ready
    assert "2 packages are not installed: tensorflow, SimpleITK." in without.sentence
    assert "make lab" in without.remedy
    for version in ("2.22.0", "2.20.9", "3.0"):
        old = class_check.check_packages(wanted, (right | {"tensorflow": version}).get)
        assert not old.ready
        assert f"tensorflow {version}" in old.sentence


def test_what_the_project_needs_is_read_and_installed_here():
    wanted = class_check.requirements()
    assert len(wanted) > 15
    assert class_check.check_packages(wanted, class_check.version_of).ready


def test_missing_patients_are_counted_and_the_folder_is_named(tmp_path):
    (tmp_path / "a.npz").touch()
    assert class_check.check_data(tmp_path, ["a.npz"]).ready
    found = class_check.check_data(tmp_path, ["a.npz", "b.npz"])
    assert not found.ready
    assert "1 of 2 files" in found.sentence
    assert str(tmp_path) in found.remedy


def test_files_of_patients_are_called_as_the_package_calls_them(tmp_path, monkeypatch):
    from unet_helpers.data import phantom_arrays

    monkeypatch.setenv("UNET_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(class_check, "DATA", ((32, 3, 1, 2),))
    assert not class_check.check_data(tmp_path, class_check.data_files()).ready
    phantom_arrays(patients=1, size=32, seed=3, slices=2)
    assert class_check.check_data(tmp_path, class_check.data_files()).ready


def test_work_that_asks_for_the_network_is_found_out_and_the_network_comes_back():
    before = socket.socket.connect, socket.getaddrinfo

    def download():
        socket.create_connection(("127.0.0.1", 9))

    found, result = class_check.check_offline(download)
    assert (found.ready, result) == (False, None)
    assert "something asked for the network" in found.sentence
    assert found.remedy
    assert (socket.socket.connect, socket.getaddrinfo) == before
    found, result = class_check.check_offline(lambda: 5)
    assert (found.ready, result) == (True, 5)


def test_a_broken_installation_is_not_taken_for_a_missing_network():
    def load():
        raise ImportError("libtensorflow.so: cannot open\nmore of it")

    found, _ = class_check.check_offline(load)
    assert not found.ready
    assert found.sentence == "The shipped network cannot be loaded and used: ImportError: libtensorflow.so: cannot open"
    assert "install the packages again" in found.remedy


def test_a_training_step_that_fails_is_a_finding_like_the_others(monkeypatch):
    def fail():
        raise MemoryError

    ready = class_check.Finding("offline", True, "")
    monkeypatch.setattr(class_check, "check_offline", lambda work: (ready, None))
    monkeypatch.setattr(class_check, "step_seconds", fail)
    *_, last = class_check.findings()
    assert (last.name, last.ready) == ("training", False)
    assert last.sentence.endswith("MemoryError")
    assert "memory" in last.remedy


def test_minutes_of_the_training_are_said_as_about():
    assert "about a minute" in class_check.check_training(0.08, 680).sentence
    assert "about 7 minutes" in class_check.check_training(0.6, 680).sentence
    slow = class_check.check_training(2.0, 680)
    assert not slow.ready
    assert "about 23 minutes" in slow.sentence
    assert slow.remedy


def test_steps_are_those_that_notebook_04_makes():
    page = (ROOT / "notebooks" / "src" / "04_gpu_training.py").read_text(encoding="utf-8")
    updates = int(re.search(r"(\d+) updates, where (\d+) whole slices", page)[1])
    assert class_check.training_steps() == 10 * updates
    assert f"where {class_check.TRAINING_SLICES} whole slices" in page


def test_a_python_that_does_not_fit_ends_the_check_with_status_1(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1, "final", 0))
    assert class_check.main() == 1
    told = capsys.readouterr().out
    assert told.startswith("MISSING  Python")
    assert told.rstrip().endswith("see what is marked MISSING.")
