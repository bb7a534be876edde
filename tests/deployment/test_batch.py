"""The command on a folder of series: a segmentation and a report for each, and a reason for what is left out."""

import pandas as pd
import pydicom
import pytest

from unet_helpers.deployment import (
    OnnxNetwork,
    read_report,
    segment_folders,
    segment_series,
    write_phantom_series,
    write_report,
    write_segmentation,
)
from unet_helpers.files import DataError, read_segmentation
from unet_helpers.teaching import segment


def test_each_series_gets_a_segmentation_and_a_report_or_a_reason(tmp_path, patient, exported, capsys):
    write_phantom_series(tmp_path / "in" / "one" / "ct", patient, flip=(0, 2))
    write_phantom_series(tmp_path / "in" / "two", patient, ContrastBolusAgent="Iohexol")
    segment.main([str(exported), str(tmp_path / "in"), str(tmp_path / "out")])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("one_ct_seg.dcm", "one_ct_report.dcm", "table.csv", "left_out.csv")
    }
    expected = segment_series(OnnxNetwork(exported), tmp_path / "in" / "one" / "ct")
    found = read_segmentation(tmp_path / "out" / "one_ct_seg.dcm", tmp_path / "in" / "one" / "ct")
    assert expected.any()
    assert (found.array == expected).all()
    table, left_out = (pd.read_csv(tmp_path / "out" / name) for name in ("table.csv", "left_out.csv"))
    lung = read_report(tmp_path / "out" / "one_ct_report.dcm")[0]
    assert table.iloc[0].tolist() == ["one_ct", "lung", round(lung["volume_ml"], 2), round(lung["diameter_mm"], 1)]
    assert left_out[["series", "kind"]].to_numpy().tolist() == [["two", "contrast"]]
    said = capsys.readouterr()
    assert "2 of 2: two refused" in said.out
    assert "left out: two: " in said.err
    assert "Not for diagnosis" in said.out


def test_segmented_lungs_are_where_the_phantom_has_them(tmp_path, exported):
    from unet_helpers.evaluation import dice
    from unet_helpers.phantom import make_patient

    chest = make_patient(0, index=40)
    write_phantom_series(tmp_path, chest, flip=(1,), tilt=10)
    found = segment_series(OnnxNetwork(exported), tmp_path)
    truth = chest.masks[:, ::-1]
    assert dice(found == 1, truth == 1) > 0.95  # rows turned around: from the head


def test_a_keras_model_segments_as_its_export_does(tmp_path, patient, model, exported):
    write_phantom_series(tmp_path, patient)
    network = OnnxNetwork(exported)
    by_keras = segment_series(model, tmp_path, network.about)
    assert (by_keras != segment_series(network, tmp_path)).sum() <= 2


def test_a_header_without_what_may_be_empty_gets_its_results(tmp_path, patient, exported):
    write_phantom_series(tmp_path / "ct", patient, PatientBirthDate=None, AccessionNumber=None, StudyID=None)
    table, left_out = segment_folders(exported, tmp_path / "ct", tmp_path / "out")
    assert len(table) > 0
    assert not len(left_out)
    assert pydicom.dcmread(tmp_path / "out" / "ct_report.dcm").PatientBirthDate == ""


def test_a_series_to_which_nothing_can_refer_is_named(tmp_path, patient, exported):
    write_phantom_series(tmp_path / "ct", patient, FrameOfReferenceUID=None)
    _, left_out = segment_folders(exported, tmp_path / "ct", tmp_path / "out")
    assert "has no FrameOfReferenceUID" in left_out["why"].iloc[0]
    mask = segment_series(OnnxNetwork(exported), tmp_path / "ct")
    with pytest.raises(DataError, match=r"'IM\d+.dcm' has no FrameOfReferenceUID"):
        write_segmentation(mask, tmp_path / "ct", tmp_path / "seg.dcm", OnnxNetwork(exported).about)


def test_one_series_that_fails_does_not_end_the_others(tmp_path, patient, exported, monkeypatch):
    for name in ("bad", "good"):
        write_phantom_series(tmp_path / "in" / name, patient)

    def write(mask, series, *others):
        if series.name == "bad":
            raise DataError("something about 'IM0001.dcm'")
        return write_report(mask, series, *others)

    monkeypatch.setattr("unet_helpers.deployment.batch.write_report", write)
    table, left_out = segment_folders(exported, tmp_path / "in", tmp_path / "out")
    assert set(table["series"]) == {"good"}
    assert left_out.to_numpy().tolist() == [["bad", "failed", "something about 'IM0001.dcm'"]]
    assert not list((tmp_path / "out").glob("bad*"))


def test_two_series_whose_results_would_have_one_name_are_named(tmp_path, patient, exported):
    for name in ("a/b_c", "a_b/c"):
        write_phantom_series(tmp_path / "in" / name, patient)
    with pytest.raises(DataError, match=r"b_c' and of '.*a_b.c' would have one name; rename one of the folders"):
        segment_folders(exported, tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folders_that_do_not_fit_are_named(tmp_path, exported):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("no DICOM")
    with pytest.raises(DataError, match="no DICOM file"):
        segment_folders(exported, tmp_path / "in", tmp_path / "out")
    with pytest.raises(DataError, match="not empty"):
        segment_folders(exported, tmp_path / "in", tmp_path / "in")
    with pytest.raises(FileNotFoundError, match="check the path"):
        segment_folders(exported, tmp_path / "none", tmp_path / "out")
