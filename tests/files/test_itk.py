"""NRRD and MetaImage: values, grid and units as SimpleITK has them, in the one orientation; and masks written back."""

import subprocess
import sys

import nibabel
import numpy as np
import pytest
import SimpleITK
from format_samples import VOLUME, save_itk, save_nifti

from unet_helpers import load_dataset
from unet_helpers.data import recognize_layout
from unet_helpers.files import DataError, mask_suffix, pair_files, read_file, read_image, read_mask, write_mask_like

ENDS = [".nrrd", ".nhdr", ".mha", ".mhd"]
ORIENTATIONS = ["LPS", "RAS", "SLA", "PIR"]


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("codes", ORIENTATIONS)
@pytest.mark.parametrize("spacing", [(3.0, 0.75, 0.5), (1.0, 2.0, 0.33)])
def test_each_voxel_lies_where_simpleitk_has_it_and_the_mask_goes_back(tmp_path, ends, codes, spacing):
    save_itk(tmp_path / f"a{ends}", VOLUME, spacing, codes)
    reading, source = read_file(tmp_path / f"a{ends}"), SimpleITK.ReadImage(str(tmp_path / f"a{ends}"))
    np.testing.assert_array_equal(reading.array[..., 0], VOLUME)  # LPS is the one orientation
    np.testing.assert_allclose(reading.spacing, spacing)
    for index in ((0, 0, 0), (2, 5, 7), (1, 3, 2)):
        there = source.TransformPhysicalPointToIndex((reading.affine @ [*index, 1])[:3].tolist())
        assert source[there] == VOLUME[index]
    mask = (VOLUME % 5).astype(np.uint8)
    written = write_mask_like(tmp_path / f"m{mask_suffix(tmp_path / f'a{ends}')}", mask, tmp_path / f"a{ends}")
    assert written.suffix[:3] == (tmp_path / f"a{ends}").suffix.replace("nhdr", "nrrd")[:3]
    back = SimpleITK.ReadImage(str(written))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(back), SimpleITK.GetArrayFromImage(source) % 5)
    for same in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(back, same)(), getattr(source, same)(), atol=1e-9)
    assert back.GetPixelID() == SimpleITK.sitkUInt8
    np.testing.assert_array_equal(read_mask(written), mask)


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_the_same_volume_as_nifti_is_the_same_reading(tmp_path, ends, codes):
    save_itk(tmp_path / f"a{ends}", VOLUME, codes=codes)
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(tmp_path / f"a{ends}")), str(tmp_path / "a.nii.gz"))
    one, two = read_file(tmp_path / f"a{ends}"), read_file(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(one.array, two.array)
    np.testing.assert_allclose(one.affine, two.affine, atol=1e-5)
    assert one.orientation == two.orientation == codes


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("shape", [(6, 8), (1, 6, 8), (6, 1, 8), (6, 8, 1)])
def test_a_single_slice_is_one_picture_and_goes_back(tmp_path, ends, shape):
    stored = np.arange(48, dtype=np.uint8).reshape(shape)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(stored), str(tmp_path / f"a{ends}"))
    image, spacing = read_image(tmp_path / f"a{ends}")
    assert sorted(image.shape) == [1, 6, 8]
    assert len(spacing) == 2
    target = tmp_path / f"m{mask_suffix(tmp_path / f'a{ends}')}"
    write_mask_like(target, image[..., 0].astype(np.uint8), tmp_path / f"a{ends}")
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(target))), stored)


@pytest.mark.parametrize("ends", ENDS)
def test_color_and_a_fourth_axis_are_channels(tmp_path, ends):
    color = np.stack([VOLUME, VOLUME + 1, VOLUME + 2], axis=-1)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(color, isVector=True), str(tmp_path / f"c{ends}"))
    np.testing.assert_array_equal(read_image(tmp_path / f"c{ends}")[0], color)
    times = np.moveaxis(color, -1, 0)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(times, isVector=False), str(tmp_path / f"t{ends}"))
    np.testing.assert_array_equal(read_image(tmp_path / f"t{ends}")[0], color)
    with pytest.raises(DataError, match="3 channels"):
        read_mask(tmp_path / f"t{ends}")


def edited(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("cm", 10), ("um", 0.001)])
def test_lengths_are_in_mm_whatever_the_unit(tmp_path, unit, factor):
    save_itk(tmp_path / "a.nrrd")
    edited(tmp_path / "a.nrrd", b"endian:", b'space units: "%b" "%b" "%b"\nendian:' % ((unit.encode(),) * 3))
    save_itk(tmp_path / "a.mhd")
    edited(tmp_path / "a.mhd", b"ElementType", b"DistanceUnits = %b\nElementType" % unit.encode())
    for name in ("a.nrrd", "a.mhd"):
        reading = read_file(tmp_path / name)
        np.testing.assert_allclose(reading.spacing, np.array([3, 0.75, 0.5]) * factor)
        np.testing.assert_allclose(reading.affine[:3, 3], np.array([12.5, -30, 7]) * factor)
        assert bool(reading.notes) == (factor != 1)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("a.nrrd", b"(0,0.75,0)", b"(0.3,0.75,0)", "lean by 22°"),
        ("a.nrrd", b"(0,0.75,0)", b"(1,0.00,0)", "cannot be read|leads? to no place"),
        ("a.nrrd", b"endian:", b'space units: "foot" "foot" "foot"\nendian:', "gives its lengths in foot and"),
        ("a.mhd", b"a.raw", b"../a.raw", r"has its voxels in '\.\./a\.raw', outside of its folder"),
        ("a.mhd", b"a.raw", b"/dev/zero", "outside of its folder"),
        ("a.nhdr", b"a.raw", b"/dev/zero", "outside of its folder"),
        ("a.nhdr", b"a.raw", b"a%03d.raw 1 3 1", "in several files"),
        ("a.mhd", b"a.raw", b"LIST\na.raw", "in several files"),
        ("a.mhd", b"ElementSpacing = 0.5", b"ElementSpacing = 0.0", "cannot be read"),
        ("a.mhd", b"1 0 0 0 1 0 0 0 1", b"1 0 0 1 0 0 0 0 1", "cannot be read"),
        ("a.nrrd", b"NRRD", b"NARD", "cannot be read"),
    ],
)
def test_a_header_that_leads_elsewhere_or_nowhere_is_refused(tmp_path, capfd, name, old, new, said):
    save_itk(tmp_path / name)
    edited(tmp_path / name, old, new)
    with pytest.raises(DataError, match=f"'{name}'.*({said})"):
        read_image(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_voxels_that_are_missing_or_too_few_are_named_and_nothing_is_printed(tmp_path, capfd):
    save_itk(tmp_path / "a.mhd")
    raw = tmp_path / "a.raw"
    raw.write_bytes(raw.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"'a\.mhd' cannot be read"):
        read_image(tmp_path / "a.mhd")
    raw.unlink()
    with pytest.raises(DataError, match=r"no file 'a\.raw', which holds the voxels of 'a\.mhd'"):
        read_image(tmp_path / "a.mhd")
    assert capfd.readouterr() == ("", "")


def test_a_spacing_that_nobody_stated_is_said_to_be_a_guess(tmp_path):
    save_itk(tmp_path / "a.mhd")
    edited(tmp_path / "a.mhd", b"ElementSpacing = 0.5 0.75 3\n", b"")
    reading = read_file(tmp_path / "a.mhd")
    assert reading.spacing == (1, 1, 1)
    assert reading.notes == ["the header states no spacing; 1 mm is a guess"]


def slicer(path, layers):
    image = SimpleITK.GetImageFromArray((VOLUME % 3).astype(np.uint8))
    image.SetSpacing((0.5, 0.75, 3))
    for number, (name, layer) in enumerate(layers):
        image.SetMetaData(f"Segment{number}_LabelValue", str(number + 1))
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_Layer", str(layer))
    SimpleITK.WriteImage(image, str(path))


def test_the_segments_of_3d_slicer_are_named_and_those_that_overlap_refused(tmp_path):
    slicer(tmp_path / "x.seg.nrrd", [("liver", 0), ("spleen", 0)])
    reading = read_file(tmp_path / "x.seg.nrrd", as_mask=True)
    assert reading.labels == {1: "liver", 2: "spleen"}
    assert reading.notes == ["segments are named 1 liver, 2 spleen"]
    slicer(tmp_path / "y.seg.nrrd", [("liver", 0), ("tumor", 1)])
    with pytest.raises(DataError, match=r"'y\.seg\.nrrd' has segments that overlap, in 2 layers"):
        read_mask(tmp_path / "y.seg.nrrd")


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("mask_ends", [".nrrd", ".mha", ".nii.gz", ".seg.nrrd"])
def test_a_folder_of_volumes_is_read_in_any_of_these_formats(tmp_path, ends, mask_ends):
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    for number in range(3):
        volume = np.full((3, 16, 16), number - 900, np.int16)
        mask = np.zeros((3, 16, 16), np.uint8)
        mask[1, 4:8, 4:9] = 1
        save_itk(tmp_path / f"images/v{number}{ends}", np.where(mask, 40, volume).astype(np.int16), codes="RAS")
        if mask_ends == ".nii.gz":
            save_nifti(tmp_path / f"labels/v{number}.nii.gz", mask)
            image = nibabel.load(tmp_path / f"labels/v{number}.nii.gz")
            affine = image.affine.copy()
            affine[:3, 3] = -12.5, 30, 7
            nibabel.save(nibabel.Nifti1Image(mask.T, affine), tmp_path / f"labels/v{number}.nii.gz")
        else:
            save_itk(tmp_path / f"labels/v{number}{mask_ends}", mask)
    assert recognize_layout(tmp_path)[0] == "volumes"
    assert pair_files(tmp_path / "images", tmp_path / "labels").ok  # x.raw beside x.mhd is no image of its own
    data = load_dataset(tmp_path)
    for subset in (data.train, data.validation, data.test):
        np.testing.assert_allclose(subset.images[..., 0][subset.masks > 0], (40 + 1350) / 1500, atol=1e-6)
        assert subset.masks.sum() == 20


def test_a_mask_of_another_place_is_refused(tmp_path):
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    for number in range(3):
        save_itk(tmp_path / f"images/v{number}.nrrd")
        save_itk(tmp_path / f"labels/v{number}.mha", VOLUME % 2, origin=(12.5, -30.0, 7.0 + 3 * (number == 1)))
    with pytest.raises(DataError, match=r"mask 'v1\.mha' does not lie where 'v1\.nrrd' does"):
        load_dataset(tmp_path)


def test_the_libraries_are_loaded_when_a_file_needs_them_and_not_before():
    command = "import sys, unet_helpers; print(sorted({'SimpleITK', 'highdicom', 'pydicom'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
