"""DICOM files and series, NIfTI with three and four axes, pages of TIFF: order, orientation, units, spacing."""

import numpy as np
import pytest
from format_samples import GRAY, VOLUME, save_dicom, save_nifti, save_picture, save_tiff

from unet_helpers.files import DataError, read_image, read_mask, read_series


@pytest.fixture
def series(tmp_path):
    """Three slices, 3 mm apart, under names whose order is not that of the positions."""
    for name, z in (("IM2", 0), ("IM10.dcm", 3), ("IM1", 6)):
        save_dicom(tmp_path / name, GRAY + int(z), z=z)
    return tmp_path


def test_a_series_is_sorted_by_position_and_not_by_name(series):
    volume = read_series(series)
    assert volume.array.shape == (3, 6, 8, 1)
    assert [path.name for path in volume.paths] == ["IM2", "IM10.dcm", "IM1"]
    for z, array in zip((0, 3, 6), volume.array[..., 0], strict=True):
        np.testing.assert_array_equal(array, (GRAY + z) * 2.0 - 1024)
    assert volume.spacing == (3.0, 0.75, 0.5)


def test_the_affine_leads_to_the_position_of_each_slice_in_the_patient(series):
    import pydicom

    volume = read_series(series)
    for k, path in enumerate(volume.paths):
        expected = pydicom.dcmread(path).ImagePositionPatient
        np.testing.assert_allclose((volume.affine @ [k, 0, 0, 1])[:3], expected)
    np.testing.assert_allclose((volume.affine @ [0, 2, 4, 1])[:3], [-100 + 4 * 0.5, -80 + 2 * 0.75, 0])


def test_a_sagittal_series_keeps_its_orientation(tmp_path):
    for k in range(3):
        position = [10.0 + 2 * k, -80.0, 50.0]
        tags = {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1], "ImagePositionPatient": position}
        save_dicom(tmp_path / f"{k}.dcm", GRAY + k, **tags)
    volume = read_series(tmp_path)
    # the normal of rows to the back and columns downward points to the patient's right: the last file comes first
    assert [path.name for path in volume.paths] == ["2.dcm", "1.dcm", "0.dcm"]
    np.testing.assert_allclose((volume.affine @ [2, 1, 1, 1])[:3], [10, -80 + 0.5, 50 - 0.75])


def test_a_dicom_series_and_its_nifti_are_one_array(series, tmp_path):
    volume = read_series(series)
    save_nifti(tmp_path / "same.nii.gz", volume.array[..., 0], volume.spacing)
    array, spacing = read_image(tmp_path / "same.nii.gz")
    np.testing.assert_array_equal(array, volume.array)
    assert spacing == volume.spacing


@pytest.mark.parametrize(
    ("file", "tags", "said"),
    [
        ("twice", {"z": 3}, r"'IM10\.dcm' and 'twice' are at one position; keep one"),
        ("far", {"z": 12}, r"'IM1' and 'far' are 6\.00 mm apart where others are 3\.00; a slice is missing"),
        ("other", {"z": 9, "series": "9.9"}, r"2 series: 1\.2\.3\.4 \(3 files\), 9\.9 \(1 files\); choose one"),
        ("scout", {"z": 9, "ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "lies in another direction"),
        ("blind", {"ImagePositionPatient": None}, r"'blind' has no position in the patient"),
        ("wide", {"z": 9, "array": VOLUME[0][:4].astype(np.uint8)}, r"'wide' has Rows 4 but 'IM2' has 6"),
        ("coarse", {"z": 9, "PixelSpacing": [1.5, 1.5]}, r"'coarse' has PixelSpacing \[1\.5, 1\.5\]"),
    ],
)
def test_a_series_that_is_none_names_the_file(series, file, tags, said):
    save_dicom(series / file, **tags)
    with pytest.raises(DataError, match=said):
        read_series(series)


def test_one_of_two_series_can_be_chosen(series):
    save_dicom(series / "other", z=3, series="9.9")
    assert len(read_series(series, series="1.2.3.4").array) == 3
    with pytest.raises(DataError, match="has no series 7"):
        read_series(series, series="7")


def test_a_file_that_is_no_dicom_is_named_as_left_out(series):
    (series / "notes.txt").write_text("read me")
    (series / "DICOMDIR").write_bytes(b"index")
    assert [path.name for path in read_series(series).left_out] == ["notes.txt"]


def test_folders_without_a_series(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        read_series(tmp_path / "gone")
    with pytest.raises(DataError, match="holds no DICOM file"):
        read_series(tmp_path)
    save_dicom(tmp_path / "one.dcm")
    with pytest.raises(DataError, match=r"'one\.dcm' is alone"):
        read_series(tmp_path)


def test_a_modality_table_is_applied(tmp_path):
    from pydicom.dataset import Dataset

    table = Dataset()
    table.LUTDescriptor = [48, 0, 16]
    table.LUTData = (1000 + 3 * np.arange(48, dtype="<u2")).tobytes()
    tags = {"ModalityLUTSequence": [table], "RescaleSlope": None, "RescaleIntercept": None}
    save_dicom(tmp_path / "a.dcm", **tags)
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm")[0][..., 0], 1000 + 3 * GRAY.astype(int))


def test_where_0_is_white_values_are_turned_around(tmp_path):
    import pydicom

    for array, expected in ((GRAY, 255 - GRAY.astype(int)), (VOLUME[0] - 20, -1 - (VOLUME[0] - 20))):
        save_dicom(tmp_path / "a.dcm", array, RescaleSlope=None, RescaleIntercept=None)
        dataset = pydicom.dcmread(tmp_path / "a.dcm")
        dataset.PhotometricInterpretation = "MONOCHROME1"
        dataset.save_as(tmp_path / "a.dcm")
        np.testing.assert_array_equal(read_image(tmp_path / "a.dcm")[0][..., 0], expected)


def test_enhanced_dicom_is_refused_and_not_read_in_the_wrong_scale(tmp_path):
    from pydicom.dataset import Dataset

    save_dicom(tmp_path / "a.dcm", VOLUME, PerFrameFunctionalGroupsSequence=[Dataset(), Dataset(), Dataset()])
    with pytest.raises(DataError, match=r"'a\.dcm' is enhanced DICOM.*convert it to NIfTI"):
        read_image(tmp_path / "a.dcm")


def test_frames_are_slices_and_color_is_channels(tmp_path):
    save_dicom(tmp_path / "frames.dcm", VOLUME, SpacingBetweenSlices=3)
    image, spacing = read_image(tmp_path / "frames.dcm")
    np.testing.assert_array_equal(image[..., 0], VOLUME * 2.0 - 1024)
    assert spacing == (3.0, 0.75, 0.5)
    color = np.stack([GRAY, GRAY + 1, GRAY + 2], -1)
    save_dicom(tmp_path / "color.dcm", color)
    np.testing.assert_array_equal(read_image(tmp_path / "color.dcm")[0], color)


def test_the_fourth_axis_of_nifti_is_channels(tmp_path):
    expected = np.stack([VOLUME, VOLUME + 500], -1)
    save_nifti(tmp_path / "a.nii.gz", expected)
    image, spacing = read_image(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(image, expected)
    assert spacing == (3.0, 0.75, 0.5)


def test_nifti_slope_and_intercept_are_applied(tmp_path):
    import nibabel

    image = nibabel.Nifti1Image(np.zeros((4, 3, 2), np.int16), np.diag([-1, -1, 1, 1]))
    image.header.set_slope_inter(0.5, -10)
    nibabel.save(image, tmp_path / "a.nii")
    assert set(read_image(tmp_path / "a.nii")[0].ravel()) == {-10}


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_pages_of_a_tiff_are_slices(tmp_path, options):
    save_tiff(tmp_path / "a.tif", VOLUME, photometric="minisblack", **options)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[0], VOLUME[..., None])
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), VOLUME)


def test_pages_that_only_pillow_unpacks_are_slices(tmp_path):
    from PIL import Image

    pages = [Image.fromarray(slice_.astype(np.uint8)) for slice_ in VOLUME]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[0], VOLUME[..., None])


def test_a_tiff_palette_is_class_indices_in_a_mask_and_color_in_an_image(tmp_path):
    save_picture(tmp_path / "a.tif", GRAY % 3, "P")
    assert read_image(tmp_path / "a.tif")[0].shape == (6, 8, 3)
    assert read_mask(tmp_path / "a.tif").shape == (6, 8)


def test_planes_of_color_come_last_and_alpha_is_dropped(tmp_path):
    planes = np.stack([GRAY, GRAY[::-1], GRAY, GRAY])
    save_tiff(tmp_path / "a.tif", planes[:3], photometric="rgb", planarconfig="separate")
    save_tiff(tmp_path / "b.tif", np.moveaxis(planes, 0, -1), photometric="rgb", extrasamples=["unassalpha"])
    for name in "ab":
        np.testing.assert_array_equal(read_image(tmp_path / f"{name}.tif")[0], np.moveaxis(planes[:3], 0, -1))


def test_npz_reads_the_array_of_its_name_and_the_spacing(tmp_path):
    np.savez(tmp_path / "a.npz", image=VOLUME[0], mask=GRAY % 2, spacing=[0.75, 0.5])
    image, spacing = read_image(tmp_path / "a.npz")
    np.testing.assert_array_equal(image[..., 0], VOLUME[0])
    assert spacing == (0.75, 0.5)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.npz"), GRAY % 2)
    np.savez(tmp_path / "b.npz", left=GRAY, right=GRAY)
    with pytest.raises(DataError, match=r"holds the arrays \['left', 'right'\]; name the one"):
        read_image(tmp_path / "b.npz")


def test_color_with_16_bits_is_refused_and_not_cut_to_8(tmp_path):
    import struct
    import zlib

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = (b"\0" + bytes(range(96))) * 16
    content = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b""))
    with pytest.raises(DataError, match=r"'a\.png' has 16 bits per color"):
        read_image(tmp_path / "a.png")
    save_picture(tmp_path / "b.png", np.zeros((16, 16, 3), np.uint8))  # 16 pixels are not 16 bits
    assert read_image(tmp_path / "b.png")[0].shape == (16, 16, 3)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)])
def test_nifti_axes_in_another_order_give_the_same_slices(tmp_path, order):
    import nibabel

    x_y_z = VOLUME.transpose(2, 1, 0)
    affine = np.diag([-0.5, -0.75, 3.0, 1])
    turned = np.eye(4)
    turned[:3, :3] = affine[:3, :3][:, order]
    nibabel.save(nibabel.Nifti1Image(x_y_z.transpose(order), turned), tmp_path / "a.nii")
    image, spacing = read_image(tmp_path / "a.nii")
    np.testing.assert_array_equal(image[..., 0], VOLUME)
    assert spacing == (3.0, 0.75, 0.5)
