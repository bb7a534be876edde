"""What a network is not asked about: each case is refused by its kind, in a sentence that names a file and a remedy."""

import shutil
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage, MRImageStorage, SecondaryCaptureImageStorage

from unet_helpers.deployment import (
    REFUSALS,
    check_series,
    write_phantom_series,
    write_report,
    write_segmentation,
)


def with_tags(slices, which=slice(None), **tags):
    """Change slices that are written: tags by keyword, None leaves one out."""
    for path in slices[which]:
        dataset = pydicom.dcmread(path)
        for name, value in tags.items():
            if value is None:
                delattr(dataset, name)
            else:
                setattr(dataset, name, value)
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.save_as(path)


def two_series(slices):
    with_tags(slices, slice(0, 2), SeriesInstanceUID="1.2.3")


def doubled(slices):
    shutil.copy(slices[2], slices[2].with_name("copy.dcm"))


def removed(slices, number):
    slices[number].unlink()


def keep_three(slices):
    for path in slices[3:]:
        path.unlink()


def cut(slices):
    slices[1].write_bytes(slices[1].read_bytes()[:-100])


def no_bytes(slices):
    for path in slices:
        path.unlink()


def no_dicom(slices):
    slices[0].write_text("<html>404</html>" * 30)


def nonsense(slices):
    with_tags(slices, slice(0, 1), ImageOrientationPatient=[0, 0, 0, 0, 0, 0])


def agent_in_a_sequence(slices):
    agent = pydicom.Dataset()
    agent.CodeValue, agent.CodingSchemeDesignator, agent.CodeMeaning = "353917005", "SCT", "Iodinated agent"
    with_tags(slices, ContrastBolusAgentSequence=[agent])


SPOILED = {
    "an MR": ("modality", lambda s: with_tags(s, Modality="MR", SOPClassUID=MRImageStorage)),
    "no modality": ("modality", lambda s: with_tags(s, Modality=None)),
    "a scout by its image type": ("localizer", lambda s: with_tags(s, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])),
    "one scout among the slices": (
        "localizer",
        lambda s: with_tags(s, slice(0, 1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    ),
    "a scout by its description": ("localizer", lambda s: with_tags(s, SeriesDescription="Topogram 0.6")),
    "a dose report by its description": ("no image", lambda s: with_tags(s, SeriesDescription="Dose Report")),
    "a dose report by its class": ("no image", lambda s: with_tags(s, SOPClassUID=SecondaryCaptureImageStorage)),
    "a screen capture": ("no image", lambda s: with_tags(s, ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"])),
    "a contrast agent": ("contrast", lambda s: with_tags(s, ContrastBolusAgent="Iomeprol 400")),
    "a contrast agent in a sequence": ("contrast", agent_in_a_sequence),
    "milliliters of contrast": ("contrast", lambda s: with_tags(s, ContrastBolusVolume=80)),
    "an abdomen": ("body part", lambda s: with_tags(s, BodyPartExamined="ABDOMEN")),
    "more than a chest": ("body part", lambda s: with_tags(s, BodyPartExamined="CHESTABDOMEN")),
    "a slice missing": ("missing slice", lambda s: removed(s, 2)),
    "a slice twice": ("doubled slice", doubled),
    "two series in one": ("several series", two_series),
    "another patient's slice": ("several series", lambda s: with_tags(s, slice(0, 1), PatientID="P999")),
    "a slice of another study": ("several series", lambda s: with_tags(s, slice(0, 1), StudyInstanceUID="1.2.3")),
    "no study": ("unreadable", lambda s: with_tags(s, StudyInstanceUID=None)),
    "three slices": ("too few", keep_three),
    "nothing": ("empty", no_bytes),
    "a half pixel size": ("spacing", lambda s: with_tags(s, PixelSpacing=[5.0, 5.0])),
    "pixels of a third shape": ("spacing", lambda s: with_tags(s, PixelSpacing=[11.0, 22.0])),
    "no pixels": ("no pixels", lambda s: with_tags(s, slice(1, 2), PixelData=None)),
    "pixels cut short": ("no pixels", cut),
    "no rescale": ("no HU", lambda s: with_tags(s, RescaleSlope=None, RescaleIntercept=None, RescaleType=None)),
    "another unit": ("no HU", lambda s: with_tags(s, RescaleType="OD")),
    "no directions": ("unreadable", nonsense),
    "no position": ("unreadable", lambda s: with_tags(s, ImagePositionPatient=None)),
    "another size among them": ("unreadable", lambda s: with_tags(s, slice(0, 1), PixelSpacing=[12.0, 12.0])),
    "several frames": ("several frames", lambda s: with_tags(s, slice(0, 1), NumberOfFrames=2)),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory, patient):
    folder = tmp_path_factory.mktemp("good") / "ct"
    return write_phantom_series(folder, patient)


@pytest.mark.parametrize("case", SPOILED)
def test_refused_with_its_reason(tmp_path, good, case):
    shutil.copytree(good[0].parent, tmp_path / "ct")
    kind, spoil = SPOILED[case]
    spoil([tmp_path / "ct" / path.name for path in good])
    refusal = check_series(tmp_path / "ct")
    assert refusal is not None
    assert refusal.kind == kind
    assert "'" in str(refusal)
    assert any(word in str(refusal).lower() for word in (";", "copy", "move"))
    assert "\n" not in str(refusal)


QUOTED = ("NumberOfFrames", "Modality", "BodyPartExamined", "ConversionType", "BurnedInAnnotation", "RescaleSlope")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tag", QUOTED)
def test_no_reason_quotes_a_name_that_stands_in_a_wrong_place(tmp_path, good, tag):
    shutil.copytree(good[0].parent, tmp_path / "ct")
    path = tmp_path / "ct" / good[0].name
    with_tags([path], **{tag: "12345678"})
    assert path.read_bytes().count(b"12345678") == 1
    path.write_bytes(path.read_bytes().replace(b"12345678", b"DOE^JANE"))
    refusal = check_series(tmp_path / "ct")
    assert f"'{path.name}'" in refusal.reason
    assert "JANE" not in refusal.reason


def test_no_reason_holds_parts_of_an_identifier(tmp_path, good):
    shutil.copytree(good[0].parent, tmp_path / "ct")
    two_series(sorted((tmp_path / "ct").iterdir()))
    assert check_series(tmp_path / "ct").reason == "'ct' holds 2 and 3 slices of 2 series; send one"


@pytest.mark.parametrize("plane", ["coronal", "sagittal"])
def test_planes_other_than_axial_are_refused(tmp_path, patient, plane):
    write_phantom_series(tmp_path, patient, plane=plane)
    assert check_series(tmp_path).kind == "plane"


def test_a_strong_tilt_is_another_plane_and_a_weak_one_passes(tmp_path, patient):
    write_phantom_series(tmp_path / "strong", patient, tilt=40)
    write_phantom_series(tmp_path / "weak", patient, tilt=20, flip=(0, 1))
    assert check_series(tmp_path / "strong").kind == "plane"
    assert check_series(tmp_path / "weak") is None


def test_results_in_place_of_a_scan_are_refused(tmp_path, good, about):
    mask = np.zeros((5, 32, 32), np.uint8)
    for number, write in enumerate((write_segmentation, write_report)):
        write(mask, good[0].parent, tmp_path / str(number) / "result.dcm", about)
        assert check_series(tmp_path / str(number)).kind == "no image"


def test_leaning_slices_are_refused(tmp_path, patient):
    slices = write_phantom_series(tmp_path, patient)
    for number, path in enumerate(slices):
        place = pydicom.dcmread(path).ImagePositionPatient
        with_tags([path], ImagePositionPatient=[place[0], place[1] + 8 * number, place[2]])
    refusal = check_series(tmp_path)
    assert (refusal.kind, "gantry tilt" in str(refusal)) == ("unreadable", True)


def test_what_a_scanner_sends_passes(tmp_path, good, patient, about):
    assert check_series(good[0].parent) is None
    shutil.copytree(good[0].parent, tmp_path / "ct")
    slices = [tmp_path / "ct" / path.name for path in good]
    with_tags(slices, ContrastBolusAgent="NONE", BodyPartExamined="THORAX", ContrastBolusVolume=0)
    (tmp_path / "ct" / "readme.txt").write_text("not DICOM")
    assert check_series(tmp_path / "ct") is None
    with_tags(slices, BodyPartExamined=None)
    assert check_series(tmp_path / "ct") is None


def test_the_spacing_is_that_of_the_network(good, about):
    assert check_series(good[0].parent, about) is None
    assert check_series(good[0].parent, replace(about, pixel=(0.6, 0.9))).kind == "spacing"
    assert check_series(good[0].parent, replace(about, pixel=(0.6, 0.9), side=(512, 512))) is None


def test_every_kind_that_is_documented_has_a_case():
    assert {kind for kind, _ in SPOILED.values()} | {"plane"} == set(REFUSALS)


def test_a_folder_that_is_not_there_is_an_error_and_no_refusal(tmp_path):
    with pytest.raises(FileNotFoundError, match="check the path"):
        check_series(tmp_path / "none")


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_refused_and_never_raise(tmp_path, good):
    shutil.copytree(good[0].parent, tmp_path / "ct")
    path, generator = tmp_path / "ct" / good[1].name, np.random.default_rng(0)
    content = path.read_bytes()
    assert pydicom.dcmread(path).SOPClassUID == CTImageStorage
    for _ in range(25):
        damaged = bytearray(content)
        for place in generator.integers(132, 1200, size=4):
            damaged[place] = generator.integers(256)
        path.write_bytes(bytes(damaged))
        refusal = check_series(tmp_path / "ct")
        assert refusal is None or refusal.kind in REFUSALS
