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


# --- meaning of DICOM values ----------------------------------------------------------------------


def resaved(path, **tags):
    """The file with tags of its pixels replaced."""
    import pydicom

    dataset = pydicom.dcmread(path)
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("signed", [False, True])
def test_bits_above_those_that_are_stored_are_no_part_of_a_value(tmp_path, bits, signed):
    low = -(2 ** (bits - 1)) if signed else 0
    true = np.linspace(low, low + 2**bits - 1, 48).astype(np.int64).reshape(6, 8)
    junk = true & (2**bits - 1)
    junk[2:4, 2:4] |= 0x8000
    array = junk.astype(np.uint16).view(np.int16 if signed else np.uint16)
    save_dicom(tmp_path / "a.dcm", array, RescaleSlope=1, RescaleIntercept=-1024)
    resaved(tmp_path / "a.dcm", BitsStored=bits, HighBit=bits - 1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm")[0][..., 0], true - 1024)


@pytest.mark.parametrize(("bits", "high"), [(12, 15), (12, 13), (8, 11), (10, 15), (14, 15)])
def test_values_at_an_uncertain_place_in_their_bits_are_refused(tmp_path, bits, high):
    save_dicom(tmp_path / "a.dcm", GRAY.astype(np.uint16))
    resaved(tmp_path / "a.dcm", BitsStored=bits, HighBit=high)
    with pytest.raises(DataError, match=rf"'a\.dcm' stores {bits} bits up to bit {high}"):
        read_image(tmp_path / "a.dcm")


def palette_tags(depth):
    colors = np.zeros((256, 3), np.uint16)
    colors[:48] = np.random.default_rng(0).integers(0, 256, (48, 3))
    stored = colors * 257 if depth == "16 bit" else colors
    tags = {}
    for k, name in enumerate(("Red", "Green", "Blue")):
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 8 if depth == "8 bit" else 16]
        table = stored[:, k].astype(np.uint8 if depth == "8 bit" else np.uint16)
        tags[f"{name}PaletteColorLookupTableData"] = table.tobytes()
    return tags, colors[GRAY]


@pytest.mark.parametrize("depth", ["8 bit", "8 bit in 16", "16 bit"])
@pytest.mark.parametrize("frames", [1, 3])
def test_a_dicom_palette_is_color_in_an_image_and_class_in_a_mask(tmp_path, depth, frames):
    tags, colors = palette_tags(depth)
    save_dicom(tmp_path / "us.dcm", GRAY if frames == 1 else np.stack([GRAY] * frames), Modality="US", **tags)
    resaved(tmp_path / "us.dcm", PhotometricInterpretation="PALETTE COLOR")
    image = read_image(tmp_path / "us.dcm")[0]
    np.testing.assert_array_equal(image, colors if frames == 1 else np.stack([colors] * frames))
    np.testing.assert_array_equal(read_mask(tmp_path / "us.dcm"), GRAY if frames == 1 else np.stack([GRAY] * frames))


@pytest.mark.parametrize("kind", ["YBR_FULL", "RGB"])
@pytest.mark.parametrize("planes", [0, 1])
def test_color_of_dicom_is_rgb_in_any_order_of_its_planes(tmp_path, kind, planes):
    from pydicom.pixels import convert_color_space

    rgb = np.stack([GRAY * 5, 255 - GRAY * 5, GRAY * 0 + 90], -1)
    stored = convert_color_space(rgb, "RGB", kind) if kind != "RGB" else rgb
    save_dicom(tmp_path / "us.dcm", rgb, Modality="US")
    data = (np.moveaxis(stored, -1, 0) if planes else stored).tobytes()
    resaved(tmp_path / "us.dcm", PhotometricInterpretation=kind, PlanarConfiguration=planes, PixelData=data)
    assert np.abs(read_image(tmp_path / "us.dcm")[0] - rgb).max() <= 2


@pytest.mark.parametrize("kind", ["HSV", "ARGB", "CMYK", "YBR_PARTIAL_420", "MONOCHROME3"])
def test_colors_of_dicom_that_are_not_read_are_named(tmp_path, kind):
    save_dicom(tmp_path / "a.dcm")
    with pytest.raises(DataError, match=rf"'a\.dcm' has the PhotometricInterpretation {kind}"):
        read_image(resaved(tmp_path / "a.dcm", PhotometricInterpretation=kind))


@pytest.mark.parametrize("modality", ["CT", "PT", "NM"])
def test_measured_values_stay_whatever_way_they_are_to_be_shown(tmp_path, modality):
    save_dicom(tmp_path / "a.dcm", Modality=modality)
    resaved(tmp_path / "a.dcm", PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm")[0][..., 0], GRAY * 2.0 - 1024)


@pytest.mark.parametrize("modality", ["CR", "DX", "MG", "XA", "RF"])
def test_an_x_ray_of_which_0_is_white_is_turned_around(tmp_path, modality):
    save_dicom(tmp_path / "a.dcm", Modality=modality, RescaleSlope=1, RescaleIntercept=0)
    resaved(tmp_path / "a.dcm", PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm")[0][..., 0], 255.0 - GRAY)


@pytest.mark.parametrize(
    ("uid", "modality", "said"),
    [
        ("66.4", "SEG", r"a DICOM segmentation \(SEG\).*dcmqi"),
        ("66.4", "OT", r"a DICOM segmentation \(SEG\).*dcmqi"),
        ("481.3", "RTSTRUCT", "an RTSTRUCT, which holds contours.*dcmrtstruct2nii"),
        ("481.3", "", "an RTSTRUCT, which holds contours.*dcmrtstruct2nii"),
        ("481.3", "CT", "an RTSTRUCT, which holds contours.*dcmrtstruct2nii"),
        ("481.2", "RTDOSE", "an RTDOSE"),
        ("88.67", "SR", "a structured report"),
        ("11.1", "PR", "a presentation state"),
        ("104.1", "DOC", "a document"),
    ],
)
def test_objects_of_dicom_that_are_no_picture_are_named_with_what_converts_them(tmp_path, uid, modality, said):
    from pydicom.dataset import Dataset

    frames = [Dataset(), Dataset(), Dataset()]
    tags = {"SOPClassUID": f"1.2.840.10008.5.1.4.1.1.{uid}", "Modality": modality}
    save_dicom(tmp_path / "a.dcm", VOLUME, PerFrameFunctionalGroupsSequence=frames, **tags)
    for read in (read_image, read_mask):
        with pytest.raises(DataError, match=rf"'a\.dcm' is {said}"):
            read(tmp_path / "a.dcm")


def test_a_slope_of_zero_is_named_and_one_for_each_slice_is_applied(tmp_path):
    save_dicom(tmp_path / "a.dcm", RescaleSlope=0)
    with pytest.raises(DataError, match=r"'a\.dcm' has a RescaleSlope of 0"):
        read_image(tmp_path / "a.dcm")
    (tmp_path / "pet").mkdir()
    for k in range(4):
        tags = {"Modality": "PT", "Units": "BQML", "RescaleIntercept": 0, "RescaleSlope": 0.5 * (k + 1)}
        save_dicom(tmp_path / "pet" / f"{k}", GRAY, z=3 * k, **tags)
    volume = read_series(tmp_path / "pet")
    np.testing.assert_array_equal(volume.array[:, 2, 3, 0], GRAY[2, 3] * np.array([0.5, 1, 1.5, 2]))
    assert (volume.notes[0][:20], volume.rule[:13]) == ("4 slopes or rules am", "BQML by slope")


# --- slices that do not lie above each other ------------------------------------------------------


@pytest.mark.parametrize("degrees", [-30, -5, 2, 12, 20])
def test_a_series_with_gantry_tilt_is_refused(tmp_path, degrees):
    angle = np.deg2rad(degrees)
    direction = [1, 0, 0, 0, round(float(np.cos(angle)), 6), round(float(-np.sin(angle)), 6)]
    for k in range(5):
        save_dicom(tmp_path / f"{k}", GRAY, z=5.0 * k, ImageOrientationPatient=direction)
    with pytest.raises(DataError, match=rf"lean by {abs(degrees)}° \(gantry tilt\).*dcm2niix"):
        read_series(tmp_path)


@pytest.mark.parametrize("degrees", [-25, -10, 5, 15, 40])
def test_an_oblique_series_whose_slices_lie_above_each_other_has_true_positions(tmp_path, degrees):
    angle = np.deg2rad(degrees)
    direction = [1, 0, 0, 0, float(np.cos(angle)), float(-np.sin(angle))]
    normal = np.cross(direction[:3], direction[3:])
    places = [(np.array([-100, -80, 40]) + 3 * k * normal).round(4).tolist() for k in range(5)]
    for k, place in enumerate(places):
        save_dicom(tmp_path / f"{9 - k}", GRAY, ImageOrientationPatient=direction, ImagePositionPatient=place)
    volume = read_series(tmp_path)
    for k, place in enumerate(places):
        np.testing.assert_allclose((volume.affine @ [k, 0, 0, 1])[:3], place, atol=1e-3)
    assert volume.spacing[0] == pytest.approx(3, abs=1e-4)


@pytest.mark.parametrize(
    "places",
    [
        [(0, 0, 0), (0, 0, 3), (4, 0, 6), (0, 0, 9)],  # one aside
        [(0, 0, 0), (0, 0, 3), (0, -2, 6), (0, 0, 9), (0, 0, 12)],
        [(0, 0, 3.0 * k if k < 20 else 57 + 3.14 * (k - 19)) for k in range(40)],  # steps that grow
        [(0, 0, 0), (0, 0, 3), (0, 0, 7.5), (0, 0, 10.5)],
        [(0, 0, 0), (0, 0, 3), (0, 0, 9), (0, 0, 12)],
    ],
)
def test_slices_at_irregular_places_are_refused(tmp_path, places):
    for k, place in enumerate(places):
        save_dicom(tmp_path / f"{k:02d}", GRAY, ImagePositionPatient=[float(value) for value in place])
    with pytest.raises(DataError, match=r"from the position that regular slices|mm apart where others are|lean by"):
        read_series(tmp_path)


@pytest.mark.parametrize("direction", [[0] * 6, [1, 0, 0, 1, 0, 0], [2, 0, 0, 0, 1, 0], [1, 0, 0, 0.5, 0.8, 0]])
def test_directions_that_are_none_are_named_in_a_series_and_left_out_of_a_slice(tmp_path, direction):
    for k in range(3):
        save_dicom(tmp_path / f"{k}.dcm", GRAY, z=k, ImageOrientationPatient=direction)
    with pytest.raises(DataError, match=r"'0\.dcm' has an ImageOrientationPatient of"):
        read_series(tmp_path)
    assert read_image(tmp_path / "0.dcm")[1] == (0.75, 0.5)


def test_a_damaged_slice_and_one_in_color_are_named(series):
    (series / "broken.dcm").write_bytes(b"\0" * 300)
    with pytest.raises(DataError, match=r"'broken\.dcm' cannot be read"):
        read_series(series)
    (series / "broken.dcm").unlink()
    save_dicom(series / "color", np.dstack([GRAY] * 3), z=9)
    with pytest.raises(DataError, match=r"'color' has SamplesPerPixel 3 but"):
        read_series(series)
