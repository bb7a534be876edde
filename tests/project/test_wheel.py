"""Installed from a wheel, outside any checkout, the package has what notebooks need."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import record

from unet_helpers.teaching import recorded

ROOT = Path(__file__).resolve().parents[2]
import try_wheel  # noqa: E402


def traces_of_builds():
    return {*ROOT.glob("build"), *ROOT.glob("*.egg-info"), *ROOT.glob("unet_helpers/book_results")}


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory):
    before = traces_of_builds()
    wheel = try_wheel.build_wheel(tmp_path_factory.mktemp("wheel"))
    assert traces_of_builds() == before, "building a wheel left something in the checkout"
    return set(zipfile.ZipFile(wheel).namelist())


def test_wheel_holds_every_result_that_a_notebook_reads(wheel_files):
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "notebooks" / "src").glob("*.py"))
    read = re.findall(r'RESULTS / "([^"]+)"', sources)
    assert len(read) >= 11
    assert read.count("uncertainty_slices.npz") == 1
    assert len(read) == sources.count("RESULTS /"), "a notebook reads a result whose name is not in the cell"
    missing = {name for name in read if f"unet_helpers/book_results/{name}" not in wheel_files}
    assert not missing


def test_wheel_holds_the_whole_package_and_nothing_else(wheel_files):
    package = {path for path in (ROOT / "unet_helpers").rglob("*") if path.suffix in (".py", ".keras")}
    copied = {path for path in (ROOT / "book" / "results").iterdir() if path.suffix in (".json", ".npz")}
    expected = {path.relative_to(ROOT).as_posix() for path in package}
    expected |= {"nbval_near.py"}  # how outputs are compared
    expected |= {f"unet_helpers/book_results/{path.name}" for path in copied}
    assert "unet_helpers/checkpoints/phantom_unet.keras" in expected
    assert {name for name in wheel_files if ".dist-info/" not in name} == expected


def test_notebook_that_reads_results_runs_strictly_from_the_wheel():
    command = [sys.executable, ROOT / "tools" / "try_wheel.py", "--borrow", "05b"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
    assert int(re.search(r"= (\d+) passed in", run.stdout)[1]) > 30
    assert not re.search(r"\d (skipped|xfailed)", run.stdout)


def test_an_environment_with_the_editable_package_is_not_taken_for_the_wheel(tmp_path):
    with pytest.raises(SystemExit, match=r"would come from .* and not from the wheel"):
        try_wheel.check_origin(Path(sys.executable), tmp_path)


def test_a_checkout_reads_and_writes_its_own_book():
    assert recorded.RESULTS == ROOT / "book" / "results"
    assert record.CHECKOUT == ROOT


def test_an_installed_package_reads_its_copy_though_a_book_lies_beside_it(tmp_path):
    (tmp_path / "book" / "results").mkdir(parents=True)
    (tmp_path / "unet_helpers" / "book_results").mkdir(parents=True)
    assert recorded.find_results(tmp_path / "unet_helpers") == tmp_path / "unet_helpers" / "book_results"


def test_a_package_that_was_copied_alone_says_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"book's results are neither in .* install the package with pip"):
        recorded.find_results(tmp_path / "unet_helpers")


def test_an_installed_package_refuses_to_write_results_of_the_book(monkeypatch, tmp_path):
    monkeypatch.setattr(record, "CHECKOUT", None)
    with pytest.raises(RuntimeError, match="written from a checkout only"):
        record.write_results("x", "what", {"a": 1})
    path = record.write_results("x", "what", {"a": 1}, folder=tmp_path)
    assert '"commit": "unknown"' in path.read_text(encoding="utf-8")
