"""From an archive to the worker and back, by DICOM alone."""

import time
from contextlib import closing

import pytest
from deployment.series import slice_bytes

from unet_helpers.deployment import Spool, Worker, open_archive, receive, send_files
from unet_helpers.deployment.archive import find_orthanc
from unet_helpers.files import DataError

KINDS = (
    pytest.param("Orthanc", marks=pytest.mark.skipif(find_orthanc() is None, reason="Orthanc is not installed")),
    "pynetdicom",
)


@pytest.fixture
def study(tmp_path):
    """Four slices of a CT series and a scout, as files."""
    folder = tmp_path / "study"
    folder.mkdir()
    for index in range(4):
        (folder / f"{index}.dcm").write_bytes(slice_bytes(index=index))
    (folder / "scout.dcm").write_bytes(slice_bytes(series="1.2.3.99", Modality="DX"))
    return sorted(folder.iterdir())


def answer(folder, out):
    """A process that hands the first slice back as an object of its own."""
    import pydicom

    dataset = pydicom.dcmread(min(folder.iterdir()))
    dataset.SOPInstanceUID = dataset.SeriesInstanceUID = dataset.SeriesInstanceUID + ".500"
    dataset.Modality = "OT"
    dataset.save_as(out / "answer.dcm")
    return {"state": "done"}


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_study_comes_from_the_archive_and_its_result_is_found_there(kind, tmp_path, study):
    spool = Spool(tmp_path / "spool", quiet=0.3)
    with (
        receive(spool) as server,
        open_archive(tmp_path / "archive", forward_to=("WORKER", server.port), kind=kind, quiet=1) as archive,
        closing(Worker(spool, answer, lambda paths: send_files(paths, archive.port, archive.title))) as worker,
    ):
        send_files(study, archive.port, archive.title)

        def whole():  # on a slow machine a series may come in pieces
            decision = worker.step()
            return decision and decision["files"] == 4 and decision

        assert wait_for(whole)["state"] == "done"
        assert len({decision["series"] for decision in spool.record.read()}) == 1  # the scout stayed where it was
        assert worker.send_results()
        result = [one for one in archive.series() if one["modality"] == "OT"]
        assert [(one["series"], one["patient"], one["instances"]) for one in result] == [("1.2.3.4.500", "P001", 1)]
        (path,) = archive.fetch("1.2.3.4.500", tmp_path / "fetched")
        assert path.read_bytes()[128:132] == b"DICM"
        send_files([path], archive.port, archive.title)  # sent twice, kept once
        assert sorted(one["modality"] for one in archive.series()) == ["CT", "DX", "OT"]


def test_a_sender_is_told_that_the_queue_is_full(tmp_path, study):
    spool = Spool(tmp_path / "spool", most=1)
    with receive(spool) as server:
        send_files(study[:4], server.port, "WORKER")
        with pytest.raises(DataError, match=r"0xA700.*the queue is full: 1 series wait, and 1 may; send again later"):
            send_files(study[4:], server.port, "WORKER")
    assert spool.counts()["incoming"] == 1


def test_what_was_answered_with_stored_is_in_the_spool_bit_for_bit(tmp_path, study):
    import pydicom

    spool = Spool(tmp_path / "spool")
    with receive(spool) as server:
        send_files(study[:1], server.port, "WORKER")
        send_files(study[:1], server.port, "WORKER")
    (path,) = (spool / "incoming").glob("*/*")
    assert pydicom.dcmread(path) == pydicom.dcmread(study[0])


def test_an_archive_that_ends_the_association_between_two_files_is_said(tmp_path, study, monkeypatch):
    from pynetdicom.association import Association

    send = Association.send_c_store

    def send_and_end(self, dataset):
        answer = send(self, dataset)
        self.abort()
        return answer

    monkeypatch.setattr(Association, "send_c_store", send_and_end)
    with (
        receive(Spool(tmp_path / "spool")) as server,
        pytest.raises(DataError, match=r"'WORKER' broke off at '1.dcm'; send again"),
    ):
        send_files(study, server.port, "WORKER")


def test_the_quiet_time_begins_when_the_port_is_open(tmp_path):
    spool = Spool(tmp_path / "spool")
    spool.opened = 0
    before = time.time()
    with receive(spool):
        assert spool.opened >= before


def test_nobody_there_is_said_with_the_address(study):
    with pytest.raises(DataError, match=r"no archive 'ARCHIVE' answers on port 1 of 127\.0\.0\.1; start it"):
        send_files(study, 1)


def test_an_archive_that_is_not_installed_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("unet_helpers.deployment.archive.find_orthanc", lambda: None)
    with (
        pytest.raises(DataError, match=r"Orthanc is not installed.*apt-get install orthanc"),
        open_archive(tmp_path, kind="Orthanc"),
    ):
        pass
    with open_archive(tmp_path) as archive:
        assert archive.kind == "pynetdicom"
    with pytest.raises(ValueError, match="choose 'Orthanc' or 'pynetdicom'"), open_archive(tmp_path, kind="dcm4chee"):
        pass
