"""What comes out of the de-identification holds the pixels and the spacing, and no trace of who it is."""

import gzip
import os
import random
import re

import nibabel
import numpy as np
import pydicom
import pytest
from format_samples import GRAY, VOLUME, save_dicom

from unet_helpers.__main__ import COMMANDS
from unet_helpers.data import patient_ids_from_names
from unet_helpers.files import DataError, read_image
from unet_helpers.files.deidentify import deidentify

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


SECRET = "Zyx^Qwv"  # a name that no header and no packed picture holds by chance
TEXTS = ("AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT", "OB", "OW", "UN")


def text_tags():
    """All tags of the dictionary that hold text or bytes, repeated groups (overlays, curves) too, but not pixels."""
    from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

    fixed = {tag: entry[0] for tag, entry in DicomDictionary.items() if 8 <= tag >> 16 < 0x7FE0 and tag >> 16 != 0xFFFE}
    groups = {
        int(tag.replace("xx", "02"), 16): entry[0] for tag, entry in RepeatersDictionary.items() if "xx" in tag[:4]
    }
    return [(tag, vr[:2]) for tag, vr in sorted({**fixed, **groups}.items()) if vr[:2] in TEXTS]


def hide(dataset, generator, tags):
    """Put the name into some tags, nested and private ones too; returns what could not be said there."""
    from pydicom.dataset import Dataset

    for number in generator.sample(
        (0x00180050, 0x00200013, 0x00200032, 0x00280030, 0x00281052, 0x00281053), generator.choice((0, 0, 1))
    ):
        raw = SECRET.encode() + b" "  # where a number must stand; no one may write it so, and some do
        dataset[number] = pydicom.dataelem.RawDataElement(pydicom.tag.Tag(number), "DS", len(raw), raw, 0, False, True)
    for tag, vr in [*generator.sample(ASKED, 1), *generator.sample(tags, generator.randint(1, 40))]:
        value = SECRET.encode() + b" " if vr in ("OB", "OW", "UN") else SECRET
        if generator.random() < 0.25 and vr not in ("OB", "OW", "UN"):
            value = [SECRET, SECRET]
        place = dataset
        for sequence in generator.sample(SEQUENCES, generator.choice((0, 0, 1, 2))):
            inner = Dataset()
            setattr(place, sequence, [inner])
            place = inner
        place.add_new(tag, vr, value)
    block = dataset.private_block(0x0011, SECRET, create=True)
    block.add_new(1, generator.choice(("LO", "UN", "OB")), SECRET.encode() + b" ")
    dataset.preamble = (SECRET * 20).encode()[:128]
    dataset.file_meta.ImplementationVersionName = SECRET
    dataset.file_meta.PrivateInformationCreatorUID = "1.2"
    dataset.file_meta.PrivateInformation = SECRET.encode() + b" "
    dataset.DataSetTrailingPadding = SECRET.encode() + b" "


# what the de-identification itself looks at
ASKED = [
    (0x00100020, "LO"),
    (0x00100010, "PN"),
    (0x0020000D, "UI"),
    (0x0020000E, "UI"),
    (0x0008103E, "LO"),
    (0x00080008, "CS"),
    (0x00080060, "CS"),
    (0x00280301, "CS"),
    (0x00080064, "CS"),
    (0x00080016, "UI"),
    (0x00280302, "CS"),
    (0x00281054, "LO"),
]
SEQUENCES = [
    "OriginalAttributesSequence",
    "RequestAttributesSequence",
    "ReferencedImageSequence",
    "IconImageSequence",
    "SharedFunctionalGroupsSequence",
    "RealWorldValueMappingSequence",
]


def fuzz_headers(folder, seed, files):
    """Deidentify one folder of slices with the name in any place; returns how many were written and how many not."""
    generator, tags = random.Random(seed), text_tags()
    for number in range(files):
        path = folder / "in" / generator.choice((SECRET, "a")) / f"{number}_{SECRET}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_dicom(path, (GRAY + number % 200).astype(np.int16), z=number, InstanceNumber=number)
        dataset = pydicom.dcmread(path)
        hide(dataset, generator, tags)
        if generator.random() < 0.3:
            dataset.PixelData += SECRET.encode() + b" "  # behind the last pixel
        dataset.save_as(path)
        assert path.read_bytes().count(SECRET.encode()) > 20
    written, warnings = deidentify(folder / "in", folder / "out")
    found = everything_written(folder / "out").lower()
    words = (SECRET.lower(), SECRET.split("^")[0].lower(), SECRET.split("^")[1].lower())
    for word in words:
        for encoding in ("ascii", "utf-16-le", "utf-16-be"):
            assert word.encode(encoding) not in found, (seed, word)
    fresh = {path.name: nibabel.load(path) for path in written}
    for name, image in fresh.items():
        assert re.fullmatch(r"P\d{3,}_Z\d{4,}\.nii\.gz", name)
        clean = nibabel.Nifti1Image(np.zeros((8, 6, 1), image.get_data_dtype()), np.diag([-0.5, -0.75, 1, 1]))
        assert image.header == clean.header, (seed, name)
        values = np.asarray(image.dataobj)[..., 0].T
        assert any((values == (GRAY + k).astype(np.int16) * 2.0 - 1024).all() for k in range(200)), (seed, name)
    left_out = [warning for warning in warnings if warning.startswith(("left out", "not written"))]
    assert len(written) + len(left_out) == files, seed
    return len(written), len(left_out)


@pytest.mark.filterwarnings("ignore")
def test_a_name_put_anywhere_into_the_header_is_in_no_file_that_is_written(tmp_path):
    """``UNET_FUZZ_FILES=5000`` for more than a quick look."""
    files = int(os.environ.get("UNET_FUZZ_FILES", "60"))
    counts = [fuzz_headers(tmp_path / str(seed), seed, min(files, 100)) for seed in range(-(-files // 100))]
    written, left_out = np.sum(counts, axis=0)
    print(f"{written} written, {left_out} left out")
    assert written > left_out > 0


def test_pixels_and_spacing_are_those_of_the_slices_in_order(tmp_path):
    save_patient(tmp_path / "in")
    written, _ = deidentify(tmp_path / "in", tmp_path / "out")
    assert [path.name for path in written] == ["P001_Z0001.nii.gz", "P001_Z0002.nii.gz", "P001_Z0003.nii.gz"]
    for z, path in zip((0, 3, 6), written, strict=True):
        image, spacing = read_image(path)
        np.testing.assert_array_equal(image[..., 0], (GRAY + z) * 2.0 - 1024)
        assert spacing == (0.75, 0.5)
    assert patient_ids_from_names([path.name.split(".")[0] for path in written])[0].tolist() == ["P001"] * 3


def test_patients_are_numbered_in_the_order_of_their_files_and_alike_in_each_run(tmp_path):
    for k, folder in enumerate(("folder 2", "folder 10", "folder 1")):
        save_patient(tmp_path / "in" / folder, name="same", PatientID=f"MRN-{9 - k}", RescaleIntercept=k)
    for attempt in range(3):
        written, _ = deidentify(tmp_path / "in", tmp_path / f"out{attempt}")
        assert [path.name for path in written] == [f"P00{p}_Z000{z}.nii.gz" for p in (1, 2, 3) for z in (1, 2, 3)]
        assert [read_image(path)[0].min() for path in written[::3]] == [2, 0, 1]


def test_a_file_without_a_patient_id_is_of_the_patient_of_its_study(tmp_path):
    (tmp_path / "in").mkdir()
    files = [
        ("a", {"PatientID": None, "PatientName": "ANONYMOUS", "StudyInstanceUID": "1.7"}),
        ("b", {"PatientID": " X1 ", "PatientName": "ANONYMOUS", "StudyInstanceUID": "1.7"}),
        ("c", {"PatientID": "X1", "StudyInstanceUID": "1.8"}),
        ("d", {"PatientID": "X2", "PatientName": "ANONYMOUS", "StudyInstanceUID": "1.9"}),
        ("e", {"PatientID": "", "PatientName": "Doe^Jane", "StudyInstanceUID": "1.10"}),
        ("f", {"PatientID": None, "PatientName": "Doe^Jane", "StudyInstanceUID": "1.11"}),
    ]
    for name, tags in files:
        save_dicom(tmp_path / "in" / f"{name}.dcm", **tags)
    written, _ = deidentify(tmp_path / "in", tmp_path / "out")
    assert [path.name[:4] for path in written] == ["P001"] * 3 + ["P002"] + ["P003"] * 2


def test_identity_in_other_formats_is_written_nowhere_and_the_files_are_named(tmp_path):
    from PIL import Image, PngImagePlugin

    folder = tmp_path / "in" / "Musterfrau"
    folder.mkdir(parents=True)
    save_dicom(folder / "a.dcm")
    scan = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4))
    scan.header["descrip"], scan.header["db_name"] = b"Musterfrau", b"MRN-778899"
    scan.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Musterfrau"))
    nibabel.save(scan, folder / "b.nii.gz")
    nibabel.save(scan, folder / "c.nii")
    text, exif = PngImagePlugin.PngInfo(), Image.Exif()
    text.add_text("Patient", "Musterfrau")
    exif[0x010E] = "Musterfrau"
    Image.fromarray(GRAY).save(folder / "d.png", pnginfo=text)
    Image.fromarray(GRAY).save(folder / "e.jpg", exif=exif)
    Image.fromarray(GRAY).save(folder / "f.tif", description="Musterfrau")
    (folder / "._g.dcm").write_bytes(b"\0\5\x16\7")  # which macOS leaves beside g.dcm
    (folder / "Musterfrau.csv").write_text("P001,Musterfrau")
    written, warnings = deidentify(tmp_path / "in", tmp_path / "in" / "out")
    assert [path.name for path in written] == ["P001_Z0001.nii.gz"]
    left_out = [warning for warning in warnings if warning.startswith("no DICOM, left out")]
    assert len(left_out) == 7
    assert len(warnings) == 8  # and the 8 bits of a.dcm
    for word in (b"Musterfrau", b"MRN-778899"):
        assert word not in everything_written(tmp_path / "in" / "out")
    again, _ = deidentify(tmp_path / "in", tmp_path / "again")  # with the output of the first run in the source
    assert [path.name for path in again] == [path.name for path in written]


def test_a_pipe_in_the_folder_does_not_stop_it(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    save_patient(tmp_path / "in")
    os.mkfifo(tmp_path / "in" / "pipe.dcm")
    written, warnings = deidentify(tmp_path / "in", tmp_path / "out")
    assert len(written) == 3
    assert warnings == ["no DICOM, left out: 'pipe.dcm'"]


@pytest.mark.parametrize("value", [70_000, -70_000, 2**31 - 1, 2**24 + 1, 32_767, -32_768])
def test_whole_values_stay_what_they_are_whatever_their_size(tmp_path, value):
    (tmp_path / "in").mkdir()
    pixels = np.full((6, 8), value, np.int32)
    save_dicom(tmp_path / "in" / "a.dcm", pixels, RescaleSlope=1, RescaleIntercept=0)
    (path,), _ = deidentify(tmp_path / "in", tmp_path / "out")
    np.testing.assert_array_equal(np.asarray(nibabel.load(path).dataobj)[..., 0].T.astype(np.int64), value)


@pytest.mark.parametrize("signed", [False, True])
def test_text_in_the_bits_above_those_that_are_stored_is_not_written(tmp_path, signed):
    (tmp_path / "in").mkdir()
    save_dicom(tmp_path / "in" / "a.dcm", (GRAY * 40).astype(np.int16 if signed else np.uint16))
    dataset = pydicom.dcmread(tmp_path / "in" / "a.dcm")
    dataset.BitsStored, dataset.HighBit = 12, 11
    stored = np.frombuffer(dataset.PixelData, np.uint16).copy()
    stored[::3] |= 0xA000  # an overlay whose group of tags somebody has removed
    dataset.PixelData = stored.tobytes()
    dataset.save_as(tmp_path / "in" / "a.dcm")
    (path,), _ = deidentify(tmp_path / "in", tmp_path / "out")
    np.testing.assert_array_equal(read_image(path)[0][..., 0], (GRAY * 40).astype(float) * 2 - 1024)


def test_pairs_survive_a_scout_and_a_report_beside_the_images(tmp_path):
    for k, patient in enumerate(("X9", "X10")):
        for z in range(3):
            for kind in ("images", "masks"):
                # masks come from another tool: no position, a series of their own
                tags = {} if kind == "images" else {"ImagePositionPatient": None, "series": f"9.{9 - k}"}
                (tmp_path / "in" / kind).mkdir(parents=True, exist_ok=True)
                file = tmp_path / "in" / kind / f"{patient}_{z}.dcm"
                save_dicom(
                    file, np.full((6, 8), 10 * k + z, np.uint8), z=z, PatientID=patient, InstanceNumber=z, **tags
                )
        scout = {"PatientID": patient, "series": "1.1", "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
        save_dicom(tmp_path / "in" / "images" / f"{patient}_0_scout.dcm", **scout)
    for kind in ("images", "masks"):
        _, warnings = deidentify(tmp_path / "in" / kind, tmp_path / "out" / kind)
        assert any("'images' and 'masks' are numbered apart" in warning for warning in warnings)
    assert (
        "left out: 'X9_0_scout.dcm' (ImageType LOCALIZER"
        in deidentify(tmp_path / "in" / "images", tmp_path / "o")[1][0]
    )
    assert "P001: 3 pictures have no position" in warnings[0]
    values = {
        kind: {path.name: read_image(path)[0].max() for path in (tmp_path / "out" / kind).iterdir()}
        for kind in ("images", "masks")
    }
    assert len(values["images"]) == 6
    assert values["images"] == values["masks"]


# where an image and its mask lie, by patient and number
PAIRS = {
    "two folders": ("images/{}_{}.dcm", "masks/{}_{}.dcm"),
    "two folders with the names of the series": ("2d_images/ID_{}_Z_{}.dcm", "2d_masks/ID_000{}_Z_000{}.dcm"),
    "a mask beside its image": ("{}/IM{}.dcm", "{}/IM{}_mask.dcm"),
    "two folders for each patient": ("{}/images/IM{}", "{}/masks/IM{}"),
    "the patients in two folders": ("imagesTr/{}/{}.dcm", "labelsTr/{}/{}_seg.dcm"),
    "names that are UIDs": ("image/1.2.{}.{}", "mask/1.2.{}.{}"),
}


def save_pairs(folder, places, without=()):
    """Nine images of three patients and their masks, except some of the files."""
    for k in range(9):
        for place in places:
            path = folder / place.format(k // 3, 9 - k % 3)
            path.parent.mkdir(parents=True, exist_ok=True)
            # masks come from another tool: no position, and numbered from the other end
            tags = {"InstanceNumber": 9 - k, "ImagePositionPatient": None} if place == places[1] else {}
            if (k, place == places[1]) not in without:
                save_dicom(path, np.full((6, 8), k, np.int16), z=-k, PatientID=f"X{k // 3}", **tags)


def values_of(folder):
    return {path.name: read_image(path)[0].max() for path in folder.iterdir()}


@pytest.mark.parametrize("where", PAIRS)
@pytest.mark.parametrize("missing", [None, "an image", "a mask", "a patient among the masks"])
def test_a_mask_gets_the_name_of_its_image_whatever_is_missing(tmp_path, where, missing):
    lost = {None: [], "an image": [(1, False)], "a mask": [(4, True)]}
    save_pairs(tmp_path / "in", PAIRS[where], lost.get(missing, [(k, True) for k in (0, 1, 2)]))
    _, warnings = deidentify(tmp_path / "in", tmp_path / "out")
    images, masks = (values_of(tmp_path / "out" / kind) for kind in ("images", "masks"))
    assert len(images) == 9 - (missing == "an image")
    assert len(masks) == {None: 9, "an image": 8, "a mask": 8}.get(missing, 6)
    assert masks.items() <= images.items()
    left_out = [warning for warning in warnings if warning.startswith("left out")]
    assert len(left_out) == (missing == "an image")
    assert all("a mask; no image, or several, of its name" in warning for warning in left_out)
    again = deidentify(tmp_path / "in", tmp_path / "again")
    assert again[1] == warnings
    assert [values_of(tmp_path / "again" / kind) for kind in ("images", "masks")] == [images, masks]


def test_masks_that_fit_no_image_or_two_are_named(tmp_path):
    save_pairs(tmp_path / "in", PAIRS["two folders"])
    save_dicom(tmp_path / "in" / "images" / "0_009.dcm", PatientID="X0", z=5)
    save_dicom(tmp_path / "in" / "masks" / "2_7_seg.dcm", PatientID="X2")
    written, warnings = deidentify(tmp_path / "in", tmp_path / "out")
    left_out = sorted(warning for warning in warnings if warning.startswith("left out"))
    assert [re.search("'(.*)'", warning)[1] for warning in left_out] == [
        "masks/0_9.dcm",
        "masks/2_7.dcm",
        "masks/2_7_seg.dcm",
    ]
    assert len(written) == 10 + 7


@pytest.mark.parametrize("where", ["{}", "patient 1/{}", "a/b/{}"])
@pytest.mark.parametrize("mask", ["another.dcm", "a.png"])
def test_folders_of_pairs_whose_names_do_not_meet_are_not_numbered_through(tmp_path, where, mask):
    for kind, name in (("images", "a.dcm"), ("masks", mask)):
        (tmp_path / "in" / where.format(kind)).mkdir(parents=True)
        save_dicom(tmp_path / "in" / where.format(kind) / name)
    if mask == "a.png":
        (tmp_path / "in" / where.format("masks") / mask).write_bytes(b"no DICOM")
    with pytest.raises(DataError, match="holds 'images' and 'masks', but no DICOM mask has the name of an image"):
        deidentify(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("number", "stays"), [(b"-100.0\\-80.0", True), (b"0.75\\0.5", False)])
def test_a_number_that_is_none_costs_that_file_at_most_and_no_other(tmp_path, number, stays):
    save_patient(tmp_path / "in", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
    path = tmp_path / "in" / "Erika_1964_9.dcm"
    content = path.read_bytes()
    assert content.count(number) == 1
    path.write_bytes(content.replace(number, b"xx" + number[2:]))
    written, warnings = deidentify(tmp_path / "in", tmp_path / "out")
    assert len(written) == 2 + stays
    assert any(warning.startswith("not written: 'Erika_1964_9.dcm' (ValueError") for warning in warnings) is not stays


NO_ORIGINALS = {
    "a screen save": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
    "screen saves of several frames": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.2"},
    "a dose report (SR)": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67"},
    "a PDF": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"},
    "a presentation state": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.11.1"},
    "a segmentation": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4"},
    "contours": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.3"},
    "a class of the manufacturer": {"SOPClassUID": "1.3.12.2.1107.5.9.1"},
    "the protocol as a CT image": {"ImageType": ["ORIGINAL", "SECONDARY", "OTHER", "CT_SOM5 PROT"]},
    "a screen save as a CT image": {"ImageType": ["DERIVED", "PRIMARY", "SCREEN SAVE"]},
    "a scout": {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER", "CT_SOM5 TOP"]},
    "a scout by its name": {"SeriesDescription": "Topogram 0.6"},
    "a dose report by its name": {"SeriesDescription": "Dose Report"},
    "a digitized film": {"ConversionType": "DF"},
    "a dose report by its name, in German": {"SeriesDescription": "Dosisprotokoll"},
    "a dose report by its name, in French": {"SeriesDescription": "Rapport de dose"},
    "the protocol by its name": {"SeriesDescription": "PATIENT-PROTOCOL"},
    "a report by its modality": {"Modality": "SR"},
    "burned-in text": {"BurnedInAnnotation": "YES"},
    "burned-in text, against the standard": {"BurnedInAnnotation": "TRUE"},
    "the face, rendered": {"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "VOLREN"]},
    "a rendering": {"ImageType": ["DERIVED", "PRIMARY", "OTHER"], "ImagePositionPatient": None},
    "an overlay in the pixels": {"OverlayRows": 6},
    "a palette of colors": {"palette": True},
    "a screen save in the words of the file only": {"meta": "1.2.840.10008.5.1.4.1.1.7"},
}


def save_overlay(path, *elements):
    """Add elements of group 6000 and one of a manufacturer to a file."""
    dataset = pydicom.dcmread(path)
    for element in elements:
        dataset.add_new(*element)
    dataset.private_block(0x0009, "ACME", create=True).add_new(1, "LO", "Musterfrau")
    dataset.save_as(path)


@pytest.mark.parametrize("what", NO_ORIGINALS)
def test_no_original_is_left_out_and_named_whatever_its_modality_says(tmp_path, what, capsys):
    (tmp_path / "in").mkdir()
    tags = dict(NO_ORIGINALS[what])
    rows, palette, meta = (tags.pop(name, None) for name in ("OverlayRows", "palette", "meta"))
    save_dicom(tmp_path / "in" / "1_report.dcm", **tags)
    if palette or meta:
        dataset = pydicom.dcmread(tmp_path / "in" / "1_report.dcm")
        if palette:
            dataset.PhotometricInterpretation = "PALETTE COLOR"
        else:
            dataset.file_meta.MediaStorageSOPClassUID = meta
        dataset.save_as(tmp_path / "in" / "1_report.dcm")
    if rows:
        save_overlay(tmp_path / "in" / "1_report.dcm", (0x60000010, "US", rows), (0x60000102, "US", 15))
    save_dicom(tmp_path / "in" / "2.dcm", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
    written, warnings = deidentify(tmp_path / "in", tmp_path / "out")
    assert [path.name for path in written] == ["P001_Z0001.nii.gz"]
    assert len(warnings) == 1
    assert warnings[0].startswith("left out: '1_report.dcm' (")
    COMMANDS["deidentify"]([str(tmp_path / "in"), str(tmp_path / "command")])
    said = capsys.readouterr()
    assert warnings[0] in said.err
    assert "files left out: 1, other warnings: 0" in said.out


@pytest.mark.parametrize(
    "kind", [["DERIVED", "PRIMARY", "AXIAL"], ["DERIVED", "PRIMARY", "REFORMATTED", "AVERAGE"], None]
)
def test_a_reformatted_slice_is_written(tmp_path, kind):
    (tmp_path / "in").mkdir()
    description = "Low dose chest, 2nd reader's protocol"
    save_dicom(tmp_path / "in" / "1.dcm", GRAY.astype(np.int16), ImageType=kind, SeriesDescription=description)
    written, warnings = deidentify(tmp_path / "in", tmp_path / "out")
    assert len(written) == 1
    assert not warnings


def test_dicomdir_is_no_patient_and_a_folder_of_reports_gives_nothing(tmp_path):
    from pydicom.dataset import FileDataset, FileMetaDataset

    (tmp_path / "in").mkdir()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    directory = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    directory.FileSetID = "CD"
    directory.save_as(tmp_path / "in" / "DICOMDIR", enforce_file_format=True)
    written, warnings = deidentify(tmp_path / "in", tmp_path / "out")
    assert written == []
    assert len(warnings) == 1
    assert warnings[0].startswith("left out: 'DICOMDIR' (Media Storage Directory")
    with pytest.raises(SystemExit) as ended:
        COMMANDS["deidentify"]([str(tmp_path / "in"), str(tmp_path / "out")])
    assert ended.value.code == 1


@pytest.mark.parametrize("name", ["DICOMDIR", "dicomdir", "CD2/DICOMDIR", "index.dcm", "CD2/0000"])
@pytest.mark.parametrize("words", ["of the class", "of the file only"])
def test_the_directory_of_a_cd_is_left_out_whatever_it_is_called_and_the_slices_beside_it_are_written(
    tmp_path, name, words
):
    path = tmp_path / "in" / name
    path.parent.mkdir(parents=True)
    save_dicom(path, PatientID="A-7", SOPClassUID="1.2.840.10008.1.3.10")
    dataset = pydicom.dcmread(path)
    if words == "of the file only":
        del dataset.SOPClassUID, dataset.PixelData
        dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
        dataset.save_as(path)
    save_dicom(path.with_name("zz_slice"), PatientID="B-8", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
    written, warnings = deidentify(tmp_path / "in", tmp_path / "out")
    assert [file.name for file in written] == ["P001_Z0001.nii.gz"]
    assert [warning.partition(" (")[0] for warning in warnings] == [f"left out: '{name}'"]


def test_text_that_may_be_in_the_picture_is_warned_about_by_the_name_of_the_output(tmp_path):
    ultrasound = "1.2.840.10008.5.1.4.1.1.6.1"
    save_patient(tmp_path / "in" / "a", PatientID="1", BurnedInAnnotation=None, SOPClassUID=ultrasound, Modality="US")
    save_patient(tmp_path / "in" / "b", PatientID="2", BurnedInAnnotation=None, SOPClassUID=ultrasound)
    save_patient(tmp_path / "in" / "c", PatientID="3", BurnedInAnnotation=None, ImageType=["ORIGINAL", "PRIMARY"])
    save_patient(tmp_path / "in" / "d", PatientID="4", RecognizableVisualFeatures="YES")
    save_patient(tmp_path / "in" / "e", PatientID="5", BurnedInAnnotation=None)  # 8 bits
    save_patient(tmp_path / "in" / "f", PatientID="6", BurnedInAnnotation=None, ImagePositionPatient=None)
    _, warnings = deidentify(tmp_path / "in", tmp_path / "out")
    burned = [warning[:4] for warning in warnings if "text may be burned into" in warning]
    assert burned == [f"P00{p}" for p in (1, 2, 5, 6) for _ in range(3)]
    assert [warning[:4] for warning in warnings if "a face can be recognized" in warning] == ["P004"] * 3
    assert all(re.match(r"P00\d_Z000\d\.nii\.gz: |P006: 3 pictures", warning) for warning in warnings)


def test_overlays_and_private_tags_are_not_copied(tmp_path):
    (tmp_path / "in").mkdir()
    save_dicom(tmp_path / "in" / "1.dcm", PatientID="1", BurnedInAnnotation="NO")
    save_overlay(tmp_path / "in" / "1.dcm", (0x60020010, "US", 6), (0x60023000, "OW", b"Musterfrau"))
    _, warnings = deidentify(tmp_path / "in", tmp_path / "out")
    assert warnings == ["P001_Z0001.nii.gz: its overlay, text or drawings, is not copied"]
    assert b"Musterfrau" not in everything_written(tmp_path / "out")


def test_frames_color_and_missing_spacing(tmp_path):
    (tmp_path / "in").mkdir()
    color = np.stack([GRAY, GRAY + 1, GRAY + 2], -1)
    ultrasound = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1", "BurnedInAnnotation": "NO"}
    save_dicom(tmp_path / "in" / "a.dcm", VOLUME, PatientID="1", SpacingBetweenSlices=3, RescaleSlope=0.5)
    save_dicom(tmp_path / "in" / "b.dcm", color, PatientID="2", PixelSpacing=None, **ultrasound)
    save_dicom(tmp_path / "in" / "c.dcm", color, PatientID="3")
    written, warnings = deidentify(tmp_path / "in", tmp_path / "out")
    shapes = {read_image(path)[0].shape: read_image(path) for path in written}
    np.testing.assert_array_equal(shapes[3, 6, 8, 1][0][..., 0], VOLUME * 0.5 - 1024)
    assert shapes[3, 6, 8, 1][1] == (3.0, 0.75, 0.5)
    np.testing.assert_array_equal(shapes[6, 8, 3][0], color)
    assert warnings[0] == "left out: 'c.dcm' (in color, as no CT Image Storage is)"
    assert "P002_Z0001.nii.gz: the file says no spacing" in warnings[1]
    assert len(warnings) == 2


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
