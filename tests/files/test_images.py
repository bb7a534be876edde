import os

import numpy as np
import pytest

from unet_helpers.files import atomic_path, read_image, read_mask, stem_of, suffix_of, write_png


def test_nii_gz_is_one_suffix():
    assert (stem_of("x/P1.v2.nii.gz"), suffix_of("x/P1.v2.NII.GZ")) == ("P1.v2", ".nii.gz")
    assert (stem_of("P1.v2.png"), suffix_of("P1.v2.PNG")) == ("P1.v2", ".png")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
def test_an_8_bit_picture_comes_back_with_a_channel_axis(write_folder, gray, suffix):
    path = write_folder("i", {f"a{suffix}": gray(1, (5, 7))}) / f"a{suffix}"
    image, spacing = read_image(path)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, gray(1, (5, 7))[..., None])
    assert spacing is None


def test_16_bit_and_signed_values_are_kept(write_folder):
    from PIL import Image

    folder = write_folder("i", {"hu.npy": np.array([[-1024, 3000]], np.int16)})
    Image.fromarray(np.array([[0, 65535]], np.uint16)).save(folder / "deep.png")
    assert read_image(folder / "hu.npy")[0].ravel().tolist() == [-1024, 3000]
    assert read_image(folder / "deep.png")[0].ravel().tolist() == [0, 65535]


def test_color_keeps_its_channels_and_alpha_is_dropped(write_folder, gray):
    folder = write_folder("i", {"rgb.png": gray(1, (4, 4, 3)), "rgba.png": gray(1, (4, 4, 4))})
    assert read_image(folder / "rgb.png")[0].shape == (4, 4, 3)
    np.testing.assert_array_equal(read_image(folder / "rgba.png")[0], gray(1, (4, 4, 4))[..., :3])


def test_jpeg_is_read_close_to_what_was_written(write_folder):
    smooth = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    image, _ = read_image(write_folder("i", {"a.jpg": smooth}) / "a.jpg")
    assert np.abs(image[..., 0] - smooth).max() < 8


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_a_palette_is_class_indices_in_a_mask_and_color_in_an_image_whatever_the_folder(write_folder, draw, folder):
    from PIL import Image

    picture = Image.fromarray(draw("01", "20"), mode=None).convert("P")
    picture.putdata([0, 1, 2, 0])
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    path = write_folder(folder, {}) / "a.png"
    picture.save(path)
    np.testing.assert_array_equal(read_mask(path), draw("01", "20"))
    assert read_image(path)[0][0, 1].tolist() == [255, 0, 0]


def test_dicom_is_in_hu_with_spacing_after_slope_and_intercept():
    import pydicom
    from pydicom.examples import get_path

    stored = pydicom.dcmread(get_path("ct"))
    image, spacing = read_image(get_path("ct"))
    np.testing.assert_allclose(image[..., 0], stored.pixel_array * stored.RescaleSlope + stored.RescaleIntercept)
    assert image.min() < -500  # air: not the stored numbers, which start at 0
    assert spacing == tuple(stored.PixelSpacing)


@pytest.mark.parametrize("signs", [(-1, -1, 1), (1, 1, 1), (1, -1, 1), (-1, -1, -1)])
def test_nifti_is_slice_row_column_as_a_dicom_series_whatever_its_axes(tmp_path, signs):
    import nibabel

    # patient space: a DICOM series has columns to the left, rows to the back, slices upwards
    expected = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
    x_y_z = expected.transpose(2, 1, 0)  # with signs (-1, -1, 1) this is how a converter stores it
    flips = tuple(axis for axis, (a, b) in enumerate(zip(signs, (-1, -1, 1), strict=True)) if a != b)
    affine = np.diag([0.5 * signs[0], 0.75 * signs[1], 3.0 * signs[2], 1])
    nibabel.save(nibabel.Nifti1Image(np.flip(x_y_z, flips), affine), tmp_path / "a.nii.gz")
    volume, spacing = read_image(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(volume[..., 0], expected)
    assert spacing == (3.0, 0.75, 0.5)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.nii.gz"), expected)


def test_a_single_nifti_slice_is_two_dimensional(tmp_path):
    import nibabel

    expected = np.arange(12, dtype=np.int16).reshape(3, 4)
    affine = np.diag([-0.5, -0.75, 3.0, 1])
    nibabel.save(nibabel.Nifti1Image(expected.T[..., None], affine), tmp_path / "a.nii")
    image, spacing = read_image(tmp_path / "a.nii")
    np.testing.assert_array_equal(image[..., 0], expected)
    assert spacing == (0.75, 0.5)


def test_mask_values_are_kept_as_stored(write_folder, draw):
    folder = write_folder("m", {"a.png": draw("01", "12") * 100, "b.npy": draw("01", "12").astype(float)})
    np.testing.assert_array_equal(read_mask(folder / "a.png"), draw("01", "12") * 100)
    assert read_mask(folder / "b.npy").dtype == np.uint8


def test_a_gray_mask_saved_as_rgb_is_read(write_folder, draw):
    folder = write_folder("m", {"a.png": np.repeat(draw("01", "10")[..., None], 3, axis=-1)})
    np.testing.assert_array_equal(read_mask(folder / "a.png"), draw("01", "10"))


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, draw):
    write_png(tmp_path / "a.png", draw("01"))
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "a.png") as temporary:  # noqa: PT012
        temporary.write_bytes(b"half")
        raise RuntimeError("power cut")
    assert (tmp_path / "a.png").read_bytes() == before
    assert os.listdir(tmp_path) == ["a.png"]


def test_written_files_are_readable_by_others_and_folders_are_made(tmp_path, draw):
    write_png(tmp_path / "new" / "a.png", draw("01"))
    assert (tmp_path / "new" / "a.png").stat().st_mode & 0o777 == 0o644


def test_the_photograph_of_a_telephone_is_its_first_picture_and_an_animation_is_refused(tmp_path, gray):
    from PIL import Image

    smooth = Image.fromarray(np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1)))
    smooth.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[Image.new("L", (64, 64))])
    assert np.abs(read_image(tmp_path / "a.jpg")[0][..., 0] - np.asarray(smooth)).max() < 8
    smooth.save(tmp_path / "b.png", save_all=True, append_images=[Image.new("L", (64, 64))])
    with pytest.raises(ValueError, match=r"'b\.png' is an animation of 2 pictures"):
        read_image(tmp_path / "b.png")
