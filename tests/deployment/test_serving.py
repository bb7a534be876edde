"""The worker with its network: from a series by DICOM to the segmentation and the report in an archive."""

import sys
from dataclasses import replace

import psutil
import pytest
from kill_worker import kill_test, wait_until

from unet_helpers.deployment import Spool, Worker, add_model, input_statistics, replay, roll_back
from unet_helpers.deployment.examples import write_phantom_series
from unet_helpers.deployment.serving import Segmenter, main
from unet_helpers.files import DataError, read_series
from unet_helpers.phantom import make_patient


@pytest.fixture(scope="module")
def series(tmp_path_factory, patient):
    folder = tmp_path_factory.mktemp("series") / "ct"
    write_phantom_series(folder, patient)
    return folder


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool", quiet=0)


def deliver(spool, series):
    for path in series.iterdir():
        spool.put(path)


def test_a_series_becomes_a_segmentation_and_a_report_and_the_record_says_by_what(spool, series, write_network, about):
    worker = Worker(spool, Segmenter(write_network(about)))
    deliver(spool, series)
    decision = worker.step()
    assert decision["state"] == "done"
    assert (decision["model"], decision["version"], decision["weights"]) == (about.name, about.version, about.sha256)
    assert sorted(decision["outputs"]) == ["report.dcm", "seg.dcm"]
    volume = read_series(series)
    assert decision["statistics"] == pytest.approx(input_statistics(volume.array, volume.spacing))
    assert decision["volumes_ml"]["lung"] > 100
    assert [same for _, same in replay(spool, Segmenter(write_network(about)))] == [True]


def test_a_refusal_is_stored_with_its_reason(spool, tmp_path, patient, write_network, about):
    write_phantom_series(tmp_path / "mr", patient, Modality="MR")
    worker = Worker(spool, Segmenter(write_network(about)))
    deliver(spool, tmp_path / "mr")
    decision = worker.step()
    assert (decision["state"], decision["kind"]) == ("refused", "modality")
    assert decision["reason"].endswith("has the modality MR; send a CT")
    assert spool.record.read() == [decision]


@pytest.mark.filterwarnings("ignore")
def test_no_name_in_a_wrong_place_of_a_header_gets_into_the_record(spool, tmp_path, patient, write_network, about):
    slices = write_phantom_series(tmp_path / "ct", patient, NumberOfFrames="12345678")
    for path in slices:
        path.write_bytes(path.read_bytes().replace(b"12345678", b"Doe^Jane"))
    worker = Worker(spool, Segmenter(write_network(about)))
    deliver(spool, tmp_path / "ct")
    decision = worker.step()
    assert (decision["state"], decision["kind"]) == ("refused", "unreadable")
    assert "Jane" not in (spool / "record.jsonl").read_text()


def test_a_network_that_is_rolled_back_works_from_the_next_series_on(spool, tmp_path, patient, write_network, about):
    for version, border in (("1", 0.5), ("2", 0.2)):
        add_model(tmp_path / "models", write_network(replace(about, version=version), border))
    worker = Worker(spool, Segmenter(tmp_path / "models"))
    lung = {}
    for number in range(2):
        write_phantom_series(tmp_path / str(number), patient, PatientID=str(number))
        deliver(spool, tmp_path / str(number))
        decision = worker.step()
        lung[decision["version"]] = decision["volumes_ml"]["lung"]
        roll_back(tmp_path / "models") if number == 0 else None
    assert list(lung) == ["2", "1"]
    assert lung["1"] > lung["2"]


@pytest.mark.skipif(sys.platform != "linux", reason="forks processes and kills them by kill -9")
def test_kill_minus_nine_under_load_loses_and_doubles_nothing(tmp_path, write_network, about):
    longer, folders = make_patient(0, index=3, size=64, slices=24), []  # so that a kill falls into the work
    for number in range(4):
        folders.append(tmp_path / "series" / str(number))
        write_phantom_series(folders[-1], longer, PatientID=str(number), **({"Modality": "MR"} if number == 3 else {}))
    counts = kill_test(tmp_path, folders, write_network(about), kills=4, pause=(0.0, 0.0), limit=120)
    assert (counts["sent"], counts["lost"], counts["doubled"]) == (4, 0, 0), counts
    assert (counts["done"], counts["refused"], counts["failed"]) == (3, 1, 0), counts
    assert counts["in_archive"] == {"SEG": counts["results"], "SR": counts["results"]}, counts
    assert counts["in_work"] >= 1, counts


def test_the_kill_test_does_not_wait_for_a_worker_that_ended_by_itself():
    worker = psutil.Popen([sys.executable, "-c", ""])
    with pytest.raises(RuntimeError, match=r"the worker ended by itself; worker\.log in the folder says why"):
        wait_until(lambda: False, worker, seconds=60)
    worker.wait(60)


def test_the_command_names_what_is_missing(tmp_path, write_network, about):
    with pytest.raises(FileNotFoundError, match="write a network with export_onnx first"):
        main([str(tmp_path / "spool"), "--model", str(tmp_path / "nowhere.onnx")])
    with pytest.raises(DataError, match=r"has no models.json; put a network into the folder with add_model"):
        main([str(tmp_path / "spool"), "--model", str(tmp_path)])
    with pytest.raises(DataError, match="write it as HOST:PORT:TITLE"):
        main([str(tmp_path / "spool"), "--model", str(write_network(about)), "--archive", "somewhere"])
