"""DICOM segmentations as masks: frames are put on their slices by place and reference, or the file is refused."""

import numpy as np
import pydicom
import pytest
from format_samples import PLANES, save_dicom, save_segmentation, save_series

from unet_helpers.files import DataError, read_segmentation, read_series

SHAPE = (5, 6, 8)
VOLUME = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)


def two_segments():
    """Two organs, of which the second is on two slices with one between them."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[0:2, 1:4, 2:5] = 1
    mask[[1, 3], 4:6, 0:7] = 2
    mask[3, 4, 0] = 0
    return mask


def without_references(dataset):
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        if "DerivationImageSequence" in frame:
            del frame.DerivationImageSequence


def without_places(dataset):
    for group in (*dataset.PerFrameFunctionalGroupsSequence, *dataset.SharedFunctionalGroupsSequence):
        for name in ("PlanePositionSequence", "PlaneOrientationSequence"):
            if name in group:
                delattr(group, name)


def frames_reversed(dataset):
    size = int(dataset.Rows) * int(dataset.Columns)
    bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
    count = int(dataset.NumberOfFrames)
    frames = bits[: count * size].reshape(count, size)[::-1]
    packed = np.packbits(frames.ravel(), bitorder="little").tobytes()
    dataset.PixelData = packed + b"\0" * (len(packed) % 2)
    dataset.PerFrameFunctionalGroupsSequence = list(dataset.PerFrameFunctionalGroupsSequence)[::-1]


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
@pytest.mark.parametrize("omit", [True, False])
def test_two_segments_lie_on_their_slices(tmp_path, plane, kind, omit):
    paths, mask = save_series(tmp_path / "ct", VOLUME, plane=plane), two_segments()
    save_segmentation(tmp_path / "seg.dcm", paths, mask, ["liver", "spleen"], kind, omit_empty_frames=omit)
    reading, volume = read_segmentation(tmp_path / "seg.dcm", tmp_path / "ct"), read_series(tmp_path / "ct")
    np.testing.assert_array_equal(reading.array, mask)
    assert reading.labels == {1: "liver", 2: "spleen"}
    assert reading.spacing == volume.spacing
    np.testing.assert_array_equal(reading.affine, volume.affine)
    np.testing.assert_array_equal(volume.array[..., 0], VOLUME - 1024)


@pytest.mark.parametrize("change", [frames_reversed, without_references])
def test_the_order_of_frames_says_nothing_and_their_place_is_enough(tmp_path, change):
    paths, mask = save_series(tmp_path / "ct", VOLUME), two_segments()
    save_segmentation(tmp_path / "seg.dcm", paths, mask, ["liver", "spleen"], change=change)
    np.testing.assert_array_equal(read_segmentation(tmp_path / "seg.dcm", tmp_path / "ct").array, mask)


def test_slices_given_in_another_order_are_the_same_mask(tmp_path):
    paths, mask = save_series(tmp_path / "ct", VOLUME), two_segments()
    save_segmentation(tmp_path / "seg.dcm", paths[::-1], mask[::-1], ["liver", "spleen"])
    np.testing.assert_array_equal(read_segmentation(tmp_path / "seg.dcm", tmp_path / "ct").array, mask)


def test_a_segmentation_may_lie_among_its_slices(tmp_path):
    paths, mask = save_series(tmp_path / "ct", VOLUME), two_segments()
    save_segmentation(tmp_path / "ct" / "seg.dcm", paths, mask, ["liver", "spleen"])
    assert [path.name for path in read_series(tmp_path / "ct").left_out] == ["seg.dcm"]
    np.testing.assert_array_equal(read_segmentation(tmp_path / "ct" / "seg.dcm", tmp_path / "ct").array, mask)


def overlapping():
    both = np.zeros((*SHAPE, 2), np.uint8)
    both[2, 1:4, 1:4, 0] = both[2, 3:5, 3:6, 1] = 1
    return both


def moved(dataset, millimeters=(0, 0, 3)):
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        place = frame.PlanePositionSequence[0]
        place.ImagePositionPatient = [a + b for a, b in zip(place.ImagePositionPatient, millimeters, strict=True)]


def moved_without_references(dataset, millimeters=(0, 0, 30)):
    without_references(dataset)
    moved(dataset, millimeters)


def coarser(dataset):
    without_references(dataset)
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [1.5, 1.0]


def flipped(dataset):
    without_references(dataset)
    dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]


def drawn_elsewhere(dataset):
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        image = frame.DerivationImageSequence[0].SourceImageSequence[0]
        image.ReferencedSOPInstanceUID = str(image.ReferencedSOPInstanceUID).replace("1.2.3.5", "1.2.3.99")


def set_to(**values):
    def change(dataset):
        for name, value in values.items():
            setattr(dataset, name, value)

    return change


def numbered(dataset):
    dataset.SegmentSequence[1].SegmentNumber = 300


@pytest.mark.parametrize(
    ("mask", "kind", "change", "said"),
    [
        (
            overlapping(),
            "BINARY",
            None,
            r"segments that overlap: 1 pixels of 'IM\d+.dcm' are both 'liver' and 'spleen'",
        ),
        (two_segments() * 0.5, "FRACTIONAL", None, "is a segmentation of fractions.*BINARY or LABELMAP"),
        (two_segments(), "BINARY", set_to(FrameOfReferenceUID="1.2.3.7.2"), "another frame of reference.*'ct'"),
        (two_segments(), "BINARY", moved, r"refers to 'IM\d+.dcm' but lies on 'IM\d+.dcm'"),
        (two_segments(), "BINARY", moved_without_references, "does not lie pixel on pixel on the slices in 'ct'"),
        (two_segments(), "BINARY", lambda d: moved(d, (0, 0.4, 0)), "does not lie pixel on pixel"),
        (two_segments(), "BINARY", coarser, "does not lie pixel on pixel"),
        (two_segments(), "BINARY", flipped, "does not lie pixel on pixel"),
        (two_segments(), "BINARY", drawn_elsewhere, "was drawn on other images than the slices in 'ct'"),
        (two_segments(), "BINARY", without_places, "cannot be read"),
        (two_segments(), "BINARY", numbered, "a segment with the number 300"),
    ],
)
def test_what_would_be_a_wrong_mask_is_refused_by_name(tmp_path, mask, kind, change, said):
    paths = save_series(tmp_path / "ct", VOLUME)
    if kind == "FRACTIONAL":
        mask = np.stack([mask == 0.5, mask == 1.0], axis=-1) * 0.7
    save_segmentation(tmp_path / "seg.dcm", paths, mask, ["liver", "spleen"], kind, change=change)
    with pytest.raises(DataError, match=f"'seg.dcm'.*{said}"):
        read_segmentation(tmp_path / "seg.dcm", tmp_path / "ct")


def test_a_series_from_which_images_are_missing_is_named(tmp_path):
    paths, mask = save_series(tmp_path / "ct", VOLUME), two_segments()
    save_segmentation(tmp_path / "seg.dcm", paths, mask, ["liver", "spleen"])
    for path in paths[:2]:
        path.unlink()
    with pytest.raises(
        DataError, match=r"'seg\.dcm' was drawn on 2 images that are not in 'ct'.*copy the series again"
    ):
        read_segmentation(tmp_path / "seg.dcm", tmp_path / "ct")


def test_what_is_no_segmentation_or_cut_short_is_named(tmp_path):
    paths, mask = save_series(tmp_path / "ct", VOLUME), two_segments()
    save_dicom(tmp_path / "slice.dcm")
    with pytest.raises(DataError, match=r"'slice\.dcm' is no DICOM segmentation but CT"):
        read_segmentation(tmp_path / "slice.dcm", tmp_path / "ct")
    save_segmentation(tmp_path / "seg.dcm", paths, mask, ["liver", "spleen"])
    content = (tmp_path / "seg.dcm").read_bytes()
    for cut in (200, len(content) // 2, len(content) - 20):
        (tmp_path / "seg.dcm").write_bytes(content[:cut])
        with pytest.raises(DataError, match=r"'seg\.dcm'"):
            read_segmentation(tmp_path / "seg.dcm", tmp_path / "ct")
    with pytest.raises(FileNotFoundError):
        read_segmentation(tmp_path / "gone.dcm", tmp_path / "ct")


def test_a_label_that_is_missing_is_the_number(tmp_path):
    paths = save_series(tmp_path / "ct", VOLUME)

    def nameless(dataset):
        dataset.SegmentSequence[0].SegmentLabel = ""

    save_segmentation(tmp_path / "seg.dcm", paths, two_segments(), ["liver", "spleen"], change=nameless)
    assert read_segmentation(tmp_path / "seg.dcm", tmp_path / "ct").labels == {1: "segment 1", 2: "spleen"}
    assert pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence[0].SegmentLabel == ""
