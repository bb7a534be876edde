"""What is written of a series lies on it, says what it is, and is valid by the standard.

Places and pixels are read here with pydicom and SimpleITK alone, never with the readers of the package.
"""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK
from scipy.spatial import cKDTree

from unet_helpers.deployment import (
    About,
    measure_findings,
    prepare_series,
    read_report,
    segment_series,
    write_phantom_series,
    write_report,
    write_segmentation,
)
from unet_helpers.files import DataError, read_segmentation, read_series

STORED = {
    "as the scanner has it": {},
    "in the order of names": {"shuffle": False},
    "from the head": {"flip": (0,)},
    "rows turned": {"flip": (1,)},
    "columns turned": {"flip": (2,)},
    "all turned": {"flip": (0, 1, 2)},
    "tilted": {"tilt": 20.0},
    "tilted and turned": {"tilt": -12.0, "flip": (0, 2)},
    "coronal": {"plane": "coronal"},
}


def independent_image(folder):
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def independent_mask(path, image):
    """The segments of a SEG on the grid of SimpleITK's image, frame by frame, by their places in mm."""
    segmentation = pydicom.dcmread(path)
    frames = np.unpackbits(np.frombuffer(segmentation.PixelData, np.uint8), bitorder="little")
    shape = (segmentation.NumberOfFrames, segmentation.Rows, segmentation.Columns)
    frames = frames[: np.prod(shape)].reshape(shape)
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    steps = np.array(shared.PixelMeasuresSequence[0].PixelSpacing, float)
    mask = np.zeros(image.GetSize()[::-1], np.uint8)
    axes = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    for frame, group in zip(frames, segmentation.PerFrameFunctionalGroupsSequence, strict=True):
        one = shared if "PlaneOrientationSequence" in shared else group
        direction = np.array(one.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
        origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        rows, columns = np.nonzero(frame)
        places = origin + np.outer(columns * steps[1], direction[0]) + np.outer(rows * steps[0], direction[1])
        index = np.linalg.solve(axes, (places - image.GetOrigin()).T).T
        assert np.abs(index - index.round()).max(initial=0) < 0.02
        x, y, z = index.round().astype(int).T
        mask[z, y, x] = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
    return mask


def dark_and_bright(hu):
    return np.where(hu < -500, 1, np.where(hu > 60, 2, 0)).astype(np.uint8)


@pytest.mark.parametrize("how", STORED)
def test_an_independent_reader_finds_each_pixel_of_the_segmentation_in_its_place(tmp_path, patient, about, how):
    write_phantom_series(tmp_path / "ct", patient, **STORED[how])
    mask = dark_and_bright(read_series(tmp_path / "ct").array[..., 0])
    path = write_segmentation(mask, tmp_path / "ct", tmp_path / "seg.dcm", about)
    image = independent_image(tmp_path / "ct")
    expected = dark_and_bright(SimpleITK.GetArrayFromImage(image))
    assert np.bincount(expected.ravel(), minlength=3).min() > 10
    np.testing.assert_array_equal(independent_mask(path, image), expected)
    np.testing.assert_array_equal(read_segmentation(path, tmp_path / "ct").array, mask)


def places(mask, folder):
    affine = read_series(folder).affine
    return np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3]


@pytest.mark.parametrize("how", ["in the order of names", "rows turned", "columns turned", "all turned", "coronal"])
def test_the_same_body_is_segmented_in_the_same_places_however_it_is_stored(tmp_path, patient, network, how):
    write_phantom_series(tmp_path / "plain", patient)
    write_phantom_series(tmp_path / "stored", patient, **STORED[how])
    plain, stored = (segment_series(network, tmp_path / name) for name in ("plain", "stored"))
    assert stored.shape == read_series(tmp_path / "stored").array.shape[:3]
    for number in (1, 2):
        here, there = places(stored == number, tmp_path / "stored"), places(plain == number, tmp_path / "plain")
        assert len(here) == len(there) > 0
        # each has another's place within .01 mm, both ways
        assert max(cKDTree(here).query(there)[0].max(), cKDTree(there).query(here)[0].max()) < 0.01


def test_the_network_sees_what_its_training_has_shown(tmp_path, patient, about):
    from unet_helpers import window

    write_phantom_series(tmp_path, patient, flip=(0, 1), tilt=5.0)
    seen = prepare_series(tmp_path, replace(about, side=patient.volume.shape[1:]))
    np.testing.assert_array_equal(seen[..., 0], window(patient.volume[::-1], -600, 1500))
    assert prepare_series(tmp_path, about).shape == (5, 128, 128, 1)


def test_values_without_a_scale_are_no_hu(tmp_path, patient, about):
    write_phantom_series(tmp_path / "ct", patient, RescaleSlope=None, RescaleIntercept=None, RescaleType=None)
    with pytest.raises(DataError, match=r"no HU .* rescale"):
        prepare_series(tmp_path / "ct", about)


@pytest.fixture
def written(tmp_path, patient, about):
    """A mask with two nodules and what is written of it."""
    slices = write_phantom_series(tmp_path / "ct", patient)
    mask = np.zeros((5, 32, 32), np.uint8)
    mask[1:4, 5:15, 4:13] = 1
    mask[2, 10:13, 6] = 2  # 3 pixels in a column
    mask[3:5, 20:22, 20:28] = 2  # 2 x 16 pixels on two slices
    segmentation = write_segmentation(mask, tmp_path / "ct", tmp_path / "seg.dcm", about)
    report = write_report(mask, tmp_path / "ct", tmp_path / "sr.dcm", about, segmentation)
    return mask, slices, segmentation, report


def test_segments_have_codes_the_algorithm_its_version_and_every_slice_a_frame(written, about):
    mask, slices, path, _ = written
    segmentation, ct = pydicom.dcmread(path), pydicom.dcmread(slices[0])
    assert segmentation.SegmentationType == "BINARY"
    assert segmentation.NumberOfFrames == 2 * len(mask)
    lung, nodule = segmentation.SegmentSequence
    assert [(s.SegmentNumber, s.SegmentLabel) for s in (lung, nodule)] == [(1, "lung"), (2, "nodule")]
    types = [s.SegmentedPropertyTypeCodeSequence[0] for s in (lung, nodule)]
    assert [(t.CodeValue, t.CodingSchemeDesignator) for t in types] == [("39607008", "SCT"), ("27925004", "SCT")]
    algorithm = lung.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == (about.name, about.version)
    assert about.sha256 in algorithm.AlgorithmParameters
    for name in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert segmentation[name].value == ct[name].value
    assert segmentation.SeriesInstanceUID != ct.SeriesInstanceUID


def items(dataset, value_type):
    for item in dataset.get("ContentSequence", []):
        if item.ValueType == value_type:
            yield item
        yield from items(item, value_type)


def test_the_report_gives_volume_and_diameter_of_each_finding(written, patient, about):
    mask, _, segmentation, path = written
    report = pydicom.dcmread(path)
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert about.version in [item.TextValue for item in items(report, "TEXT")]
    step, row, column = patient.spacing
    voxel = step * row * column / 1000
    found = {
        (item.ConceptNameCodeSequence[0].CodeMeaning, round(float(item.MeasuredValueSequence[0].NumericValue), 2))
        for item in items(report, "NUM")
    }
    pixels = {"lung": int((mask == 1).sum()), "large nodule": 32, "small nodule": 3}
    assert {("Volume", round(voxel * count, 2)) for count in pixels.values()} <= found
    assert ("Diameter", round(3 * row, 2)) in found
    assert len(found) == 6
    units = {n.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue for n in items(report, "NUM")}
    assert units == {"ml", "mm"}
    named = pydicom.dcmread(segmentation).SOPInstanceUID
    assert named in str(report.CurrentRequestedProcedureEvidenceSequence)


def test_the_diameter_is_drawn_on_its_slice_as_long_as_it_is(written, patient):
    _, slices, _, path = written
    lengths = {}
    for group in items(pydicom.dcmread(path), "CONTAINER"):
        label = [item.TextValue for item in group.get("ContentSequence", []) if item.ValueType == "TEXT"][:1]
        for number in [item for item in group.get("ContentSequence", []) if item.ValueType == "NUM"]:
            for line in items(number, "SCOORD"):
                points = np.reshape(np.array(line.GraphicData, float), (2, 2))
                image = line.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
                value = float(number.MeasuredValueSequence[0].NumericValue)
                lengths[label[0]] = (points, image, value)
    assert set(lengths) == {"lung", "nodule 1", "nodule 2"}
    uids = [pydicom.dcmread(name).SOPInstanceUID for name in slices][::-1]  # from the feet
    _, row, column = patient.spacing
    for points, _, value in lengths.values():
        assert np.linalg.norm((points[0] - points[1]) * (column, row)) == pytest.approx(value, abs=0.01)
    points, image, _ = lengths["nodule 2"]
    assert image == uids[2]
    assert sorted(points.tolist()) == [[6.5, 10.0], [6.5, 13.0]]  # from the corner of the image, the middles at .5


def test_reports_are_read_again_and_what_was_not_found_is_said(tmp_path, patient, about, written):
    mask, _, _, path = written
    rows = read_report(path)
    assert [row["label"] for row in rows] == ["lung", "nodule 1", "nodule 2"]
    assert rows[1]["volume_ml"] > rows[2]["volume_ml"]
    path = write_report(np.where(mask == 2, 0, mask), tmp_path / "ct", tmp_path / "none.dcm", about)
    assert read_report(path)[1] == {"label": "nodule", "volume_ml": 0.0, "diameter_mm": None}


@pytest.mark.parametrize("how", ["as the scanner has it", "tilted and turned"])
def test_dciodvfy_has_nothing_to_say(tmp_path, patient, about, says, how):
    slices = write_phantom_series(tmp_path / "ct", patient, **STORED[how])
    mask = dark_and_bright(read_series(tmp_path / "ct").array[..., 0])
    segmentation = write_segmentation(mask, tmp_path / "ct", tmp_path / "seg.dcm", about)
    report = write_report(mask, tmp_path / "ct", tmp_path / "sr.dcm", about, segmentation)
    for path in (slices[0], segmentation, report):
        assert says(path) == []


def test_dciodvfy_is_asked(tmp_path, patient, says):
    slices = write_phantom_series(tmp_path, patient, RescaleSlope=None)
    assert says(slices[0])


def test_classes_without_a_code_of_their_own_keep_their_name(tmp_path, patient, says):
    write_phantom_series(tmp_path / "ct", patient)
    mask = np.zeros((5, 32, 32), np.uint8)
    mask[2, 5:9, 5:9] = 1
    about = About("mine", "3", "00", class_names=("background", "a cell"))
    segmentation = write_segmentation(mask, tmp_path / "ct", tmp_path / "seg.dcm", about)
    report = write_report(mask, tmp_path / "ct", tmp_path / "sr.dcm", about, segmentation)
    segment = pydicom.dcmread(segmentation).SegmentSequence[0]
    assert segment.SegmentLabel == read_report(report)[0]["label"] == "a cell"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Tissue"
    assert says(segmentation) == says(report) == []


def test_written_twice_is_the_same_object_and_anything_else_is_another(tmp_path, about, written, monkeypatch):
    mask, _, segmentation, report = written

    def uids(mask, about):
        again = write_segmentation(mask, tmp_path / "ct", tmp_path / "again.dcm", about)
        told = write_report(mask, tmp_path / "ct", tmp_path / "told.dcm", about, again)
        return [pydicom.dcmread(path)[name].value for path in (again, told) for name in UIDS]

    first = [pydicom.dcmread(path)[name].value for path in (segmentation, report) for name in UIDS]
    assert len(set(first)) == 4
    assert uids(mask, about) == first
    other = mask.copy()
    other[0, 0, 0] = 1
    assert not set(uids(other, about)) & set(first)
    assert not set(uids(mask, replace(about, sha256="cd" * 32))) & set(first)
    assert not set(uids(mask, replace(about, name=about.name + "0", version=about.version[1:]))) & set(first)
    monkeypatch.setattr("unet_helpers.__version__", "another")
    assert not set(uids(mask, about)) & set(first)


UIDS = ("SOPInstanceUID", "SeriesInstanceUID")


def test_a_mask_that_is_not_of_this_series_is_refused_and_nothing_written(tmp_path, patient, about):
    write_phantom_series(tmp_path / "ct", patient)
    for mask, words in (
        (np.zeros((4, 32, 32), np.uint8), "4×32×32, but the series .* 5×32×32"),
        (np.full((5, 32, 32), 3, np.uint8), "whole numbers below 3"),
        (np.zeros((5, 32, 32)), "whole numbers"),
    ):
        for write in (write_segmentation, write_report):
            with pytest.raises(DataError, match=words):
                write(mask, tmp_path / "ct", tmp_path / "out.dcm", about)
    assert [path.name for path in tmp_path.iterdir()] == ["ct"]


# --- findings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "column"), [(1.0, 1.0), (0.7, 0.7), (2.0, 1.0)])
def test_the_diameter_of_an_ellipse_is_its_long_axis(row, column):
    rows, columns = np.indices((80, 80)) - 40
    mask = ((rows * row / 14) ** 2 + (columns * column / 22.3) ** 2 <= 1).astype(int)
    (found,) = measure_findings(mask[np.newaxis], (5.0, row, column), ("background", "nodule"))
    assert found.diameter_mm == pytest.approx(44.6, abs=column)
    assert found.volume_ml == pytest.approx(np.pi * 14 * 22.3 * 5 / 1000, rel=0.02)


def test_each_nodule_is_a_finding_and_both_lungs_are_one():
    mask = np.zeros((3, 20, 20), int)
    mask[0, 1:4, 1:4] = mask[2, 10:12, 10:12] = 1
    mask[0, 10, 10] = mask[1:, 15:19, 15] = 2
    names = ("background", "lung", "nodule")
    found = measure_findings(mask, (2.0, 1.0, 1.0), names)
    assert [(f.label, f.pixels, f.slice_index) for f in found] == [
        ("lung", 13, 0),
        ("nodule 1", 8, 1),
        ("nodule 2", 1, 0),
    ]
    assert [round(f.diameter_mm, 2) for f in found[1:]] == [4.0, 1.0]
    assert measure_findings(mask * 0, (2, 1, 1), names) == []
