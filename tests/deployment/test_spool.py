"""The spool and the worker: nothing lost, nothing twice, whatever comes in and whenever somebody pulls the plug."""

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from deployment.series import measure, slice_bytes

from unet_helpers.deployment.record import write_decision
from unet_helpers.deployment.spool import QueueFull, Spool, content_name
from unet_helpers.deployment.worker import Worker, replay
from unet_helpers.files import DataError


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool", quiet=0)


@pytest.fixture
def worker(spool):
    worker = Worker(spool, measure)
    yield worker
    worker.close()


def put(spool, slices=(0, 1, 2, 3), **tags):
    return [spool.put(slice_bytes(index=index, **tags)) for index in slices]


def test_a_series_comes_in_and_its_result_goes_out(spool, worker):
    put(spool, value=-500)
    decision = worker.step()
    folder = spool / "done" / decision["job"]
    assert decision["state"] == "done"
    assert decision["files"] == 4
    assert decision["attempts"] == 1
    assert (folder / "result" / "mean.txt").read_text() == "-500.0"
    assert list(decision["outputs"]) == ["mean.txt"]
    assert len(list((folder / "input").iterdir())) == 4
    assert worker.step() is None
    assert spool.counts() == {"incoming": 0, "working": 0, "done": 1, "refused": 0, "failed": 0}


def test_a_series_that_still_comes_waits(tmp_path):
    spool = Spool(tmp_path / "spool", quiet=60)
    put(spool)
    worker = Worker(spool, measure)
    assert worker.step() is None
    spool.quiet = 0
    assert worker.step()["files"] == 4


def test_the_same_study_twice_is_one_result(spool, worker):
    put(spool)
    first = worker.step()
    put(spool, reversed(range(4)))
    again = worker.step()
    assert (again["state"], again["job"]) == ("again", first["job"])
    put(spool, range(2))  # a part of it is nothing new either
    assert worker.step()["state"] == "again"
    assert spool.counts()["done"] == 1
    assert not list((spool / "trash").iterdir())


def test_one_slice_from_two_senders_is_one_file(spool):
    data = slice_bytes()
    other = data[:128] + b"DICM\2\0\0\0UL\4\0" + (0).to_bytes(4, "little")
    other += data[144 + int.from_bytes(data[140:144], "little") :]
    assert other != data
    assert content_name(other) == content_name(data)
    assert content_name(slice_bytes(value=1)) != content_name(data)


def test_slices_that_come_late_are_added_to_the_others(spool, worker):
    put(spool, range(2))
    first = worker.step()
    assert first["state"] == "refused"
    assert first["kind"] == "too few"
    put(spool, range(2, 4))
    whole = worker.step()
    assert whole["state"] == "done"
    assert whole["files"] == 4
    assert whole["supersedes"] == first["job"]


def test_a_corrected_slice_replaces_the_old_one(spool, worker):
    put(spool)
    first = worker.step()
    put(spool, [2], value=100)
    second = worker.step()
    assert second["files"] == 4
    assert second["state"] == "done"
    assert second["mask_sha256"] != first["mask_sha256"]


def test_folders_and_files_that_a_person_drops_are_taken_too(spool, worker):
    nested = spool / "incoming" / "Doe_Jane" / "ct"
    nested.mkdir(parents=True)
    for index in range(4):
        (nested / f"Jane{index}.dcm").write_bytes(slice_bytes(index=index))
        (spool / "incoming" / f"Jane{index}.dcm").write_bytes(slice_bytes(index=index, series="1.2.3.5"))
    (spool / "incoming" / "nothing" / "inside").mkdir(parents=True)
    states = [worker.step()["state"], worker.step()["state"]]
    assert states == ["done", "done"]
    assert worker.step() is None
    assert not list((spool / "incoming").iterdir())


def test_no_name_of_a_person_gets_into_a_path_or_the_record(spool, worker):
    folder = spool / "incoming" / "Doe_Jane"
    folder.mkdir()
    (folder / "Jane.dcm").write_bytes(slice_bytes())
    (folder / "Jane.txt").write_bytes(b"Jane")
    worker.step()
    put(spool, series="1.2.3.77")
    worker.step()
    told = (spool / "record.jsonl").read_text() + "".join(str(path) for path in spool.folder.rglob("*"))
    assert "jane" not in told.lower()
    assert "doe" not in told.lower()
    assert "1.2.3" not in told


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes symbolic links for administrators only")
def test_a_link_to_a_file_elsewhere_is_not_followed(spool, worker, tmp_path):
    (tmp_path / "secret.dcm").write_bytes(slice_bytes(index=9))
    put(spool, range(3))
    (next((spool / "incoming").iterdir()) / "link.dcm").symlink_to(tmp_path / "secret.dcm")
    assert worker.step()["files"] == 3
    assert (tmp_path / "secret.dcm").is_file()


def test_a_full_queue_refuses_a_new_series_and_takes_the_rest_of_the_old_ones(tmp_path):
    spool = Spool(tmp_path / "spool", most=2)
    for series in ("1.2.1", "1.2.2"):
        put(spool, [0], series=series)
    with pytest.raises(QueueFull, match="2 series wait, and 2 may; send again later"):
        put(spool, [0], series="1.2.3")
    put(spool, [1], series="1.2.2")
    assert spool.counts()["incoming"] == 2


def test_a_full_disk_refuses(spool, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 10**9, 1e6))
    with pytest.raises(QueueFull, match="1 MB are free"):
        put(spool, [0])


def test_what_cannot_be_read_fails_with_its_sentence_and_the_next_one_goes_on(spool, worker):
    put(spool, ImagePositionPatient=[0, 0, 0])
    put(spool, series="1.2.3.8")
    decisions = [worker.step(), worker.step()]
    assert sorted(decision["state"] for decision in decisions) == ["done", "failed"]
    reason = next(decision["reason"] for decision in decisions if decision["state"] == "failed")
    assert "one position" in reason or "same position" in reason


def unreadable(error):
    """In place of content_name: a file with the word "poison" raises an error."""

    def name(data):
        if b"poison" in data:
            raise error
        return content_name(data)

    return name


def test_a_file_that_the_system_does_not_give_fails_and_the_next_series_goes_on(spool, worker, monkeypatch):
    monkeypatch.setattr("unet_helpers.deployment.worker.content_name", unreadable(PermissionError("Doe_Jane")))
    put(spool, PatientComments="poison")
    put(spool, series="1.2.3.8")
    done, failed = sorted((worker.step(), worker.step()), key=lambda decision: decision["state"])
    assert (done["state"], failed["state"]) == ("done", "failed")
    assert failed["job"] == failed["delivery"]
    assert "PermissionError" in failed["reason"]
    assert "Jane" not in (spool / "record.jsonl").read_text()


def test_a_file_that_kills_its_worker_when_it_is_read_fails_in_the_end(spool, monkeypatch):
    monkeypatch.setattr("unet_helpers.deployment.worker.content_name", unreadable(Killed()))
    put(spool, PatientComments="poison")
    for _ in range(3):
        worker = Worker(spool, measure, attempts=2)
        with pytest.raises(Killed):
            worker.step()
        worker.close()
    assert "ended 3 times over this series" in Worker(spool, measure, attempts=2).step()["reason"]


def test_files_without_a_series_are_never_added_to_others(spool, worker):
    put(spool, range(2), SeriesInstanceUID="")
    first = worker.step()
    put(spool, range(2, 4), SeriesInstanceUID="", patient="P002")
    second = worker.step()
    assert (first["files"], second["files"]) == (2, 2)
    assert "supersedes" not in second


def test_the_same_series_with_a_file_beside_it_is_one_job(spool, worker):
    dropped = spool / "incoming" / "ct"
    dropped.mkdir()
    for index in range(4):
        (dropped / f"{index}.dcm").write_bytes(slice_bytes(index=index))
    (dropped / "readme.txt").write_text("from the scanner")
    first = worker.step()
    put(spool)
    again = worker.step()
    assert (first["state"], again["state"], again["job"]) == ("done", "again", first["job"])


def test_a_bug_of_the_program_is_named_without_what_it_says(spool):
    def process(folder, out):
        raise KeyError("Doe^Jane")

    worker = Worker(spool, process)
    put(spool)
    decision = worker.step()
    assert decision["state"] == "failed"
    assert "KeyError in test_spool.py, line" in decision["reason"]
    assert "Jane" not in (spool / "record.jsonl").read_text()
    assert "Jane" in (spool / "failed" / decision["job"] / "error.txt").read_text()


def test_what_failed_is_tried_anew_when_it_is_sent_anew(spool):
    put(spool)
    broken = Worker(spool, lambda folder, out: {}["bug"])
    assert broken.step()["state"] == "failed"
    broken.close()
    put(spool)
    assert Worker(spool, measure).step()["state"] == "done"
    assert spool.counts()["failed"] == 0


class Killed(BaseException):
    """Stands for kill -9: no ``except`` of the worker catches it.

    What ``with`` and ``finally`` clean up runs all the same, as it does not after a real one (tools/kill_worker.py).
    """


def calls_of_the_system(monkeypatch, at):
    """Let the program die right after one of its calls that move, link or remove something, or make a folder."""
    made = []
    for module, name in ((os, "replace"), (os, "rename"), (os, "link"), (shutil, "rmtree"), (os, "mkdir")):
        real = getattr(module, name)

        def call(*arguments, real=real, **options):
            made.append(real.__name__)
            result = real(*arguments, **options)
            if at == len(made):
                raise Killed
            return result

        monkeypatch.setattr(module, name, call)
    return made


def test_a_death_at_any_step_loses_nothing_and_doubles_nothing(tmp_path, monkeypatch):
    def three_deliveries(folder, at):
        """Two series, one of them in two pieces; the worker dies once, and another takes over."""
        spool = Spool(folder, quiet=0)
        worker = Worker(spool, measure)
        put(spool, range(2))
        put(spool, series="1.2.3.5", value=50)
        worker.drain()
        put(spool, range(2, 4))
        put(spool, series="1.2.3.5", value=50)
        with monkeypatch.context() as patched:
            made = calls_of_the_system(patched, at)
            with contextlib.suppress(Killed):
                worker.drain()
        worker.close()
        after = Worker(spool, measure)
        after.drain()
        after.close()
        return spool, made

    _, made = three_deliveries(tmp_path / "whole", at=None)
    assert len(made) > 10
    for step in range(1, len(made) + 1):
        spool, _ = three_deliveries(tmp_path / str(step), at=step)
        counts, decisions = spool.counts(), spool.record.read()
        assert counts == {"incoming": 0, "working": 0, "done": 2, "refused": 1, "failed": 0}, made[:step]
        assert sorted(decision["state"] for decision in decisions) == ["again", "done", "done", "refused"], made[:step]
        assert sorted(decision["files"] for decision in decisions) == [2, 4, 4, 4], made[:step]


def test_a_series_that_kills_its_worker_each_time_fails_in_the_end(spool):
    def process(folder, out):
        raise Killed

    put(spool)
    for _ in range(3):
        worker = Worker(spool, process, attempts=3)
        with pytest.raises(Killed):
            worker.step()
        worker.close()
    decision = Worker(spool, process, attempts=3).step()
    assert decision["state"] == "failed"
    assert "ended 3 times over this series" in decision["reason"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock: one worker for each spool there")
def test_two_workers_share_a_spool_and_leave_each_other_alone(spool):
    one, two = Worker(spool, measure), Worker(spool, measure)
    assert one.slot != two.slot
    put(spool)
    held = spool.claim(one.slot)
    assert two.step() is None
    assert held.is_dir()
    one.close()
    assert two.step()["state"] == "done"


def test_a_torn_line_of_the_record_is_written_anew(spool, worker):
    put(spool)
    worker.step()
    path = spool / "record.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    Worker(spool, measure)
    assert [decision["state"] for decision in spool.record.read()] == ["done"]
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("left", [b"", b'{"state": "do', bytes(64)], ids=["empty", "torn", "zeros"])
def test_a_decision_that_a_power_cut_has_torn_is_taken_anew(spool, worker, left):
    put(spool)
    (spool / "done" / worker.step()["job"] / "decision.json").write_bytes(left)
    put(spool, series="1.2.3.6")
    put(spool)
    after = Worker(spool, measure)
    after.drain()
    assert [decision["state"] for decision in spool.record.read()] == ["done", "done", "done"]
    assert len(replay(spool, measure)) == spool.counts()["done"] == 2


def test_a_job_that_another_worker_throws_away_just_now_is_passed_over(spool):
    (spool / "done" / "job").mkdir()
    assert spool.finished() == []


def test_a_series_that_another_worker_takes_just_now_is_passed_over(spool, worker, monkeypatch):
    from unet_helpers.deployment import spool as module

    put(spool)
    put(spool, series="1.2.3.5")
    gone, last_change, rglob = [], module._last_change, Path.rglob

    def take_the_first(path):
        last = last_change(path)
        if not gone:
            gone.append(path.rename(spool.folder / "taken"))
        return last

    def found(path, pattern):  # as Python 3.11 where a folder goes while it looks
        if not path.exists():
            raise FileNotFoundError(path)
        return rglob(path, pattern)

    monkeypatch.setattr(module, "_last_change", take_the_first)
    monkeypatch.setattr(Path, "rglob", found)
    assert worker.step()["state"] == "done"
    assert worker.step() is None
    assert len(list(gone[0].iterdir())) == 4


def test_results_that_the_archive_never_takes_do_not_keep_the_others_back(spool):
    sent, tried = [], []

    def send(paths):
        job = paths[0].parents[1].name
        tried.append(job)
        if job == first["job"]:
            raise DataError("not taken")
        sent.append(job)

    worker = Worker(spool, measure, send)
    put(spool)
    first = worker.step()
    put(spool, series="1.2.3.5")
    second = worker.step()
    assert not worker.send_results()
    assert sent == [second["job"]]
    assert not worker.send_results()  # it waits before it tries once more
    assert tried == [first["job"], second["job"]]


def test_results_are_sent_once_the_archive_is_there(spool):
    sent, there = [], []

    def send(paths):
        if not there:
            raise OSError("nobody")
        sent.extend(path.name for path in paths)

    worker = Worker(spool, measure, send, patience=0)
    put(spool)
    worker.step()
    assert not worker.send_results()
    there.append(True)
    assert worker.send_results()
    assert worker.send_results()
    assert sent == ["mean.txt"]


def test_decisions_can_be_played_back_and_a_changed_one_is_found(spool, worker):
    put(spool)
    put(spool, range(2), series="1.2.3.6")
    worker.drain()
    assert [same for _, same in replay(spool, measure)] == [True, True]
    done = next((spool / "done").iterdir())
    decision = json.loads((done / "decision.json").read_text())
    write_decision(done, decision | {"mask_sha256": "other"})
    assert sorted(same for _, same in replay(spool, measure)) == [False, True]
