"""What comes out of the de-identification holds the pixels and the spacing, and no trace of who it is."""

import gzip
import re
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from format_samples import GRAY, VOLUME, save_dicom

from unet_helpers.__main__ import COMMANDS
from unet_helpers.datasets import patient_ids_from_names
from unet_helpers.deidentify import deidentify
from unet_helpers.images import DataError, read_image

IDENTITY = {
    "PatientName": "Musterfrau^Erika",
    "PatientID": "MRN-778899",
    "PatientBirthDate": "19640812",
    "PatientAddress": "Heidestrasse 17",
    "OtherPatientIDs": "SSN-123-45",
    "InstitutionName": "St. Nowhere Hospital",
    "ReferringPhysicianName": "House^Gregory",
    "AccessionNumber": "ACC4711",
    "StudyDate": "20190203",
    "StudyTime": "112233.445566",
    "StudyID": "STUDY99",
    "StudyInstanceUID": "1.2.840.99999.77",
    "SeriesDescription": "Thorax Musterfrau",
    "DeviceSerialNumber": "SN-556677",
    "StationName": "CTROOM3",
    "ImageComments": "call 555-0199",
    "BurnedInAnnotation": "NO",
}


def save_patient(folder, name="Erika", **tags):
    from pydicom.dataset import Dataset

    folder.mkdir(parents=True, exist_ok=True)
    for z in (0, 3, 6):
        request = Dataset()
        request.RequestingPhysician = "Wilson^James"
        nested = {"RequestAttributesSequence": [request], "PatientComments": f"slice {z} of Musterfrau"}
        save_dicom(folder / f"{name}_1964_{9 - z}.dcm", GRAY + z, z=z, **(IDENTITY | nested | tags))


def everything_written(folder):
    """All names and all bytes, unpacked too."""
    parts = []
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes()
        parts += [path.name.encode(), content, gzip.decompress(content) if path.suffix == ".gz" else b""]
    return b"\n".join(parts)


def test_no_tag_and_no_name_survives(tmp_path):
    save_patient(tmp_path / "in" / "Musterfrau 1964")
    written, warnings = deidentify(tmp_path / "in", tmp_path / "out")
    assert len(written) == 3
    assert not warnings
    found = everything_written(tmp_path / "out")
    words = {word for value in IDENTITY.values() for word in re.split(r"[\^ ]", value) if len(word) > 2}
    words |= {"Wilson", "Erika", "slice 0", "1.2.3.4", "1.2.3.5", "CTRO"}
    for word in words - {"NO", "17", "St."}:
        for encoding in ("ascii", "utf-16-le", "utf-16-be"):
            assert word.lower().encode(encoding) not in found.lower(), word


def test_the_header_holds_the_shape_the_spacing_and_nothing_else(tmp_path):
    save_patient(tmp_path / "in")
    written, _ = deidentify(tmp_path / "in", tmp_path / "out")
    for path in written:
        image = nibabel.load(path)
        fresh = nibabel.Nifti1Image(np.zeros((8, 6, 1), np.int16), np.diag([-0.5, -0.75, 1, 1]))
        assert image.header == fresh.header
        assert len(image.header.extensions) == 0
        raw = path.read_bytes()
        assert raw[3] == 0  # gzip: no file name, no comment
        assert raw[4:8] == bytes(4)  # and no time


def test_pixels_and_spacing_are_those_of_the_slices_in_order(tmp_path):
    save_patient(tmp_path / "in")
    written, _ = deidentify(tmp_path / "in", tmp_path / "out")
    assert [path.name for path in written] == ["P001_Z0001.nii.gz", "P001_Z0002.nii.gz", "P001_Z0003.nii.gz"]
    for z, path in zip((0, 3, 6), written, strict=True):
        image, spacing = read_image(path)
        np.testing.assert_array_equal(image[..., 0], (GRAY + z) * 2.0 - 1024)
        assert spacing == (0.75, 0.5)
    assert patient_ids_from_names([path.name.split(".")[0] for path in written])[0].tolist() == ["P001"] * 3


def test_patients_are_numbered_whatever_their_files_and_in_no_order_of_theirs(tmp_path):
    orders = set()
    for k in range(3):
        save_patient(tmp_path / "in" / f"folder {k}", name="same", PatientID=f"MRN-{k}", RescaleIntercept=k)
    for attempt in range(20):
        written, _ = deidentify(tmp_path / "in", tmp_path / f"out{attempt}")
        assert {path.name[:4] for path in written} == {"P001", "P002", "P003"}
        orders.add(tuple(int(read_image(path)[0].min()) for path in written if "Z0001" in path.name))
    assert len(orders) > 1


def test_text_in_the_picture_is_warned_about_by_the_name_of_the_output(tmp_path):
    save_patient(tmp_path / "in" / "a", PatientID="1", BurnedInAnnotation="YES")
    save_patient(tmp_path / "in" / "b", PatientID="2", BurnedInAnnotation=None, Modality="US")
    save_patient(tmp_path / "in" / "c", PatientID="3", BurnedInAnnotation=None)
    _, warnings = deidentify(tmp_path / "in", tmp_path / "out")
    assert sum("text is burned into" in warning for warning in warnings) == 3
    assert sum("text may be burned into" in warning for warning in warnings) == 3
    assert all(re.match(r"P00\d_Z000\d\.nii\.gz: ", warning) for warning in warnings)


def test_frames_color_and_missing_spacing(tmp_path):
    (tmp_path / "in").mkdir()
    color = np.stack([GRAY, GRAY + 1, GRAY + 2], -1)
    save_dicom(tmp_path / "in" / "a.dcm", VOLUME, PatientID="1", SpacingBetweenSlices=3, RescaleSlope=0.5)
    save_dicom(tmp_path / "in" / "b.dcm", color, PatientID="2", PixelSpacing=None)
    written, warnings = deidentify(tmp_path / "in", tmp_path / "out")
    shapes = {read_image(path)[0].shape: read_image(path) for path in written}
    np.testing.assert_array_equal(shapes[3, 6, 8, 1][0][..., 0], VOLUME * 0.5 - 1024)
    assert shapes[3, 6, 8, 1][1] == (3.0, 0.75, 0.5)
    np.testing.assert_array_equal(shapes[6, 8, 3][0], color)
    assert len(warnings) == 1
    assert "no spacing" in warnings[0]


def test_the_command_names_files_that_are_no_picture_and_writes_the_rest(tmp_path, capsys):
    save_patient(tmp_path / "in")
    (tmp_path / "in" / "notes.txt").write_text("read me")
    content = (tmp_path / "in" / "Erika_1964_9.dcm").read_bytes()
    (tmp_path / "in" / "cut.dcm").write_bytes(content[:-20])
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    command = COMMANDS["deidentify"]
    with pytest.raises(SystemExit) as ended:
        command([str(tmp_path / "in"), str(tmp_path / "out")])
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert "no DICOM, left out: 'notes.txt'" in said.err
    assert "not written: 'cut.dcm'" in said.err
    assert "3 pictures in" in said.out
    with pytest.raises(SystemExit, match="choose a new folder"):
        command([str(tmp_path / "in"), str(tmp_path / "out")])


def test_wrong_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        deidentify(tmp_path / "gone", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no DICOM file"):
        deidentify(tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()
