"""Results of the book: from a clean commit only, all by one command that goes on where it was interrupted."""

import json
import re
import subprocess
import sys

import make_results
import pytest
import record

from unet_helpers.teaching import recorded


@pytest.fixture
def checkout(monkeypatch, tmp_path):
    """A repository with one commit and a folder of results, in place of this one."""
    monkeypatch.setattr(record, "CHECKOUT", tmp_path)
    monkeypatch.setattr(record, "RESULTS", tmp_path / "book" / "results")
    monkeypatch.setattr(recorded, "RESULTS", tmp_path / "book" / "results")
    monkeypatch.setattr(make_results, "ROOT", tmp_path)
    monkeypatch.setattr(make_results, "KEPT", tmp_path / "_build" / "results")
    monkeypatch.delenv("UNET_DIRTY_RESULTS", raising=False)
    (tmp_path / "code.py").write_text("a = 1\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        settings = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *settings, *command], cwd=tmp_path, check=True)
    return tmp_path


def write(checkout):
    return record.write_results("speed", "what", {"a": 1}, folder=checkout / "book" / "results")


def test_a_clean_commit_is_named_in_the_result(checkout):
    assert re.fullmatch("[0-9a-f]{7,}", json.loads(write(checkout).read_text())["commit"])


def test_a_dirty_tree_is_refused_and_what_was_measured_is_not_lost(checkout):
    (checkout / "code.py").write_text("a = 2\n")
    with pytest.raises(SystemExit, match="nobody could repeat this result"):
        write(checkout)
    assert not (checkout / "book" / "results" / "speed.json").exists()
    assert json.loads((checkout / "_build" / "results" / "speed.json").read_text())["results"] == {"a": 1}


def test_a_dirty_tree_leaves_its_mark_where_it_is_insisted_on(checkout, monkeypatch):
    (checkout / "code.py").write_text("a = 2\n")
    monkeypatch.setenv("UNET_DIRTY_RESULTS", "1")
    assert json.loads(write(checkout).read_text())["commit"].endswith("-dirty")


def test_all_results_start_from_a_clean_tree(checkout):
    assert len(make_results.clean_commit()) == 12
    (checkout / "code.py").write_text("a = 2\n")
    with pytest.raises(SystemExit, match=r"'code.py' is the first; commit before measuring"):
        make_results.clean_commit()


def test_what_is_done_is_not_measured_again_and_what_failed_is(checkout, monkeypatch):
    benchmarks = checkout / "benchmarks"
    benchmarks.mkdir()
    (benchmarks / "good.py").write_text("open('runs.txt', 'a').write('good ')")
    (benchmarks / "bad.py").write_text("open('runs.txt', 'a').write('bad '); raise SystemExit(3)")
    listed = {"good": ("good", [], None), "bad": ("bad", [], None), "torch": ("good", ["TORCH"], None)}
    listed["real"] = ("good", [], checkout / "not there")
    monkeypatch.setattr(make_results, "BENCHMARKS", listed)
    pythons = {"TORCH": ["--torch-python", None]}
    for expected in (
        ["written", "failed with 3", "left out: needs --torch-python", "left out: no not there in UNET_SHARED_DATA"],
        ["done before", "failed with 3"],
    ):
        found = [make_results.measure(name, "a" * 12, pythons)[1] for name in listed]
        assert found[: len(expected)] == expected
    assert (checkout / "runs.txt").read_text() == "good bad bad "


def test_every_result_of_the_book_has_its_benchmark():
    files = {path.stem for path in recorded.RESULTS.glob("*.json")}
    assert files == set(make_results.BENCHMARKS)
    for benchmark, _, _ in make_results.BENCHMARKS.values():
        assert (make_results.ROOT / "benchmarks" / f"{benchmark}.py").is_file()


def test_a_name_that_is_no_result_is_told_which_are():
    command = [sys.executable, make_results.__file__, "atlass"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "'atlass' is no result; choose from phantom_checkpoint" in done.stderr
