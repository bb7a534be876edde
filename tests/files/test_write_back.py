"""The grid of a file in the patient, and masks that go back into it: to the voxel, with its axes, affine and units."""

import nibabel
import numpy as np
import pytest
from format_samples import GRAY, VOLUME, save_dicom, save_nifti, save_picture, save_tiff
from PIL import Image

from unet_helpers.files import DataError, mask_suffix, read_file, read_image, read_mask, read_series, write_mask_like

SHAPE = (4, 5, 3)
ORIENTATIONS = {"RAS": (0, 1, 2), "LPS": (0, 1, 2), "PIR": (1, 2, 0), "SLA": (2, 0, 1)}
LETTERS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def stored_as(codes, spacing, tilt=0.0):
    """An affine whose axes lead where the letters say; ``tilt`` in degrees turns the patient around x."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, code in enumerate(codes):
        row, sign = LETTERS[code]
        affine[row, axis] = sign * spacing[axis]
    angle = np.deg2rad(tilt)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = 12.5, -30, 7
    return affine


def save(path, voxels, affine, unit="mm", codes=(1, 1)):
    image = nibabel.Nifti1Image(voxels, affine)
    image.set_sform(affine, codes[0])
    image.set_qform(affine, codes[1])
    image.header.set_xyzt_units(unit)
    image.header["descrip"] = b"Doe, Jane"
    nibabel.save(image, path)


@pytest.mark.parametrize("codes", ORIENTATIONS)
@pytest.mark.parametrize("spacing", [(0.7, 0.7, 2.5), (1.0, 2.0, 0.33)])
@pytest.mark.parametrize("tilt", [0, 14])
@pytest.mark.parametrize("ends", [".nii", ".nii.gz"])
def test_a_mask_goes_back_into_a_nifti_to_the_voxel(tmp_path, codes, spacing, tilt, ends):
    labels = np.random.default_rng(1).integers(0, 4, SHAPE).astype(np.uint8)
    affine = stored_as(codes, spacing, tilt)
    save(tmp_path / f"image{ends}", labels.astype(np.float32) * 100, affine)
    image, _ = read_image(tmp_path / f"image{ends}")
    predicted = (image[..., 0] / 100).round().astype(np.uint8)
    written = write_mask_like(tmp_path / f"mask{ends}", predicted, tmp_path / f"image{ends}")
    back, source = nibabel.load(written), nibabel.load(tmp_path / f"image{ends}")
    np.testing.assert_array_equal(np.asarray(back.dataobj), labels)
    np.testing.assert_array_equal(back.affine, source.affine)
    np.testing.assert_allclose(back.get_qform(), source.get_qform(), atol=1e-5)
    assert back.get_data_dtype() == np.uint8
    assert (back.header["qform_code"], back.header["sform_code"]) == (1, 1)
    assert b"Doe" not in bytes(back.header.binaryblock)
    np.testing.assert_array_equal(read_mask(written), predicted)


@pytest.mark.parametrize("shape", [(1, 4, 5), (4, 1, 5), (4, 5, 1), (4, 5)])
@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_a_single_slice_along_any_axis_is_one_picture_and_goes_back(tmp_path, shape, codes):
    labels = np.arange(20, dtype=np.uint8).reshape(shape)
    save(tmp_path / "image.nii", labels, stored_as(codes, (0.5, 0.6, 3.0)))
    image, spacing = read_image(tmp_path / "image.nii")
    assert sorted(image.shape) == [1, 4, 5]
    assert len(spacing) == 2
    assert sorted(np.unique(image)) == list(range(20))
    written = write_mask_like(tmp_path / "mask.nii", image[..., 0].astype(np.uint8), tmp_path / "image.nii")
    np.testing.assert_array_equal(np.asarray(nibabel.load(written).dataobj), labels)


@pytest.mark.parametrize(
    ("codes", "thin", "rows", "columns"),
    [
        ("LPS", 2, (0, 1, 0), (1, 0, 0)),  # axial: to the back, to the left
        ("LPS", 0, (0, 0, -1), (0, 1, 0)),  # sagittal: to the feet, to the back
        ("LPS", 1, (0, 0, -1), (1, 0, 0)),  # coronal: to the feet, to the left
        ("PIR", 2, (0, 0, -1), (0, 1, 0)),
        ("SLA", 2, (0, 0, -1), (1, 0, 0)),
    ],
)
def test_a_single_slice_is_shown_as_a_radiologist_shows_its_plane(tmp_path, codes, thin, rows, columns):
    shape = np.array([4, 5, 6])
    shape[thin] = 1
    save(tmp_path / "a.nii", np.zeros(shape, np.uint8), stored_as(codes, (1, 1, 1)))
    affine = read_file(tmp_path / "a.nii").affine
    np.testing.assert_allclose(affine[:3, 1:3].T, [rows, columns], atol=1e-6)


@pytest.mark.parametrize("codes", ORIENTATIONS)
@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("micron", 0.001), ("meter", 1000), ("unknown", 1)])
def test_the_affine_leads_from_slice_row_column_to_the_place_in_the_patient_in_mm(tmp_path, codes, unit, factor):
    voxels = np.arange(60, dtype=np.int16).reshape(SHAPE)
    save(tmp_path / "a.nii", voxels, stored_as(codes, (0.7, 0.9, 2.5), tilt=10), unit)
    reading, stored = read_file(tmp_path / "a.nii"), nibabel.load(tmp_path / "a.nii")
    for index in np.ndindex(SHAPE):
        here = np.argwhere(reading.array[..., 0] == voxels[index])[0]
        x, y, z = (stored.affine @ [*index, 1])[:3] * factor
        np.testing.assert_allclose((reading.affine @ [*here, 1])[:3], [-x, -y, z], rtol=1e-5, atol=1e-4 * factor)
    assert reading.orientation == codes
    np.testing.assert_allclose(reading.spacing, np.linalg.norm(reading.affine[:3, :3], axis=0), rtol=1e-5)


def test_units_go_back_with_the_mask(tmp_path):
    affine = np.diag([-3600.0, -3600, 3600, 1])
    save(tmp_path / "a.nii", VOLUME, affine, "micron")
    write_mask_like(tmp_path / "m.nii", np.zeros(VOLUME.shape[::-1], np.uint8), tmp_path / "a.nii")
    back = nibabel.load(tmp_path / "m.nii")
    np.testing.assert_array_equal(back.affine, affine_of(tmp_path / "a.nii"))
    assert back.header.get_xyzt_units()[0] == "micron"


def affine_of(path):
    return nibabel.load(path).affine


# --- contradictions in a header -------------------------------------------------------------------


@pytest.mark.parametrize("true", [(0.7, 0.7, 2.5), (1, 1, 3), (2, 1, 1), (-0.5, 0.5, 5), (-1, -1, 0.3)])
def test_where_pixdim_and_affine_disagree_the_affine_is_taken_and_said(tmp_path, true):
    image = nibabel.Nifti1Image(np.zeros(SHAPE, np.int16), None)
    image.header.set_sform(np.diag([*true, 1]), code=1)
    image.header["pixdim"][1:4] = 1.5
    nibabel.save(image, tmp_path / "a.nii")
    reading = read_file(tmp_path / "a.nii")
    np.testing.assert_allclose(reading.spacing, np.abs(true)[::-1], rtol=1e-6)
    assert any("pixdim says 1.5×1.5×1.5 but the affine" in note for note in reading.notes)


def test_an_sform_that_is_no_qform_and_no_orientation_are_said(tmp_path):
    image = nibabel.Nifti1Image(np.zeros(SHAPE, np.int16), np.eye(4))
    image.set_sform(np.diag([-1, 1, 1, 1]), 1)
    image.set_qform(np.eye(4), 1)
    nibabel.save(image, tmp_path / "a.nii")
    assert any("sform and qform point in other directions" in note for note in read_file(tmp_path / "a.nii").notes)
    save(tmp_path / "b.nii", VOLUME, np.eye(4), codes=(0, 0))
    assert any("no orientation" in note for note in read_file(tmp_path / "b.nii").notes)
    save(tmp_path / "c.nii", VOLUME, np.eye(4))
    assert read_file(tmp_path / "c.nii").notes == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda affine: affine * 0, "leads to no place"),
        (lambda affine: affine * np.nan, "leads to no place"),
        (lambda affine: affine[:, [0, 0, 2, 3]], "leads to no place"),
        (lambda affine: affine + np.eye(4, k=1), "lean by"),
        (lambda affine: affine @ (np.eye(4) + 0.1 * np.eye(4, k=1)), "lean by"),
    ],
)
def test_an_affine_that_is_no_grid_is_refused(tmp_path, spoil, said):
    image = nibabel.Nifti1Image(np.zeros(SHAPE, np.int16), None)
    affine = spoil(np.diag([2.0, 2, 2, 1]))
    image.header["sform_code"] = 1
    for row, name in enumerate(("srow_x", "srow_y", "srow_z")):
        image.header[name] = affine[row]
    content = image.header.binaryblock + bytes(4) + bytes(120)
    (tmp_path / "a.nii").write_bytes(patched(content))
    with pytest.raises(DataError, match=rf"'a\.nii'.*{said}"):
        read_image(tmp_path / "a.nii")


def patched(content):
    """A header of a single file, whose voxels start at byte 352."""
    import struct

    return content[:108] + struct.pack("<f", 352) + content[112:344] + b"n+1\0" + content[348:]


def test_a_slice_without_thickness_is_read(tmp_path):
    save(tmp_path / "a.nii", np.arange(20, dtype=np.int16).reshape(4, 5, 1), np.diag([-0.5, -0.6, 1, 1]), codes=(0, 1))
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[88:92] = bytes(4)  # pixdim[3]
    (tmp_path / "a.nii").write_bytes(content)
    image, spacing = read_image(tmp_path / "a.nii")
    assert image.shape == (5, 4, 1)
    np.testing.assert_allclose(spacing, (0.6, 0.5), rtol=1e-6)


# --- other formats --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "direction", [[1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 0, -1], [1, 0, 0, 0, 0.8, -0.6]]
)
@pytest.mark.parametrize("in_plane", [[0.75, 0.5], [1.2, 1.2]])
def test_a_mask_of_a_dicom_series_is_a_nifti_in_the_place_of_each_pixel(tmp_path, direction, in_plane):
    folder = tmp_path / "series"
    folder.mkdir()
    normal = np.cross(direction[:3], direction[3:])
    for k in range(3):
        place = (np.array([-100, -80, 30]) + 2.5 * k * normal).tolist()
        tags = {"ImageOrientationPatient": direction, "ImagePositionPatient": place, "PixelSpacing": in_plane}
        save_dicom(folder / f"{k}", GRAY + k, **tags)
    volume = read_series(folder)
    mask = np.arange(volume.array[..., 0].size).reshape(volume.array.shape[:3]).astype(np.uint8)
    written = nibabel.load(write_mask_like(tmp_path / f"m{mask_suffix(folder)}", mask, folder))
    voxels = np.asarray(written.dataobj)
    for slice_, row, column in ((0, 0, 0), (2, 5, 7), (1, 3, 2)):
        x, y, z = (volume.affine @ [slice_, row, column, 1])[:3]
        index = np.linalg.inv(written.affine) @ [-x, -y, z, 1]
        assert voxels[tuple(index[:3].round().astype(int))] == mask[slice_, row, column]
        np.testing.assert_allclose(index, index.round(), atol=1e-4)


def test_a_mask_of_one_dicom_slice_has_its_place_and_one_of_an_x_ray_its_spacing(tmp_path):
    save_dicom(tmp_path / "ct.dcm", z=7.5, SliceThickness=2)
    write_mask_like(tmp_path / "ct.nii.gz", GRAY, tmp_path / "ct.dcm")
    np.testing.assert_array_equal(read_mask(tmp_path / "ct.nii.gz"), GRAY)
    np.testing.assert_allclose(read_file(tmp_path / "ct.nii.gz").affine, read_file(tmp_path / "ct.dcm").affine)
    save_dicom(tmp_path / "dx.dcm", ImageOrientationPatient=None, ImagePositionPatient=None)
    write_mask_like(tmp_path / "dx.nii", GRAY, tmp_path / "dx.dcm")
    np.testing.assert_array_equal(read_mask(tmp_path / "dx.nii"), GRAY)
    assert read_file(tmp_path / "dx.nii").spacing == (0.75, 0.5)


@pytest.mark.parametrize(
    ("name", "mask_name"),
    [
        ("a.png", "m.png"),
        ("a.jpg", "m.png"),
        ("a.tif", "m.tif"),
        ("a.npy", "m.npy"),
        ("a.npz", "m.npz"),
        ("v.tif", "m.tif"),
    ],
)
def test_a_mask_of_a_picture_comes_without_loss_in_its_size(tmp_path, name, mask_name):
    if name == "v.tif":
        save_tiff(tmp_path / name, VOLUME, photometric="minisblack")
    elif name.startswith("a.np"):
        np.savez(tmp_path / name, image=GRAY, spacing=[2, 1]) if name.endswith("z") else np.save(tmp_path / name, GRAY)
    else:
        save_picture(tmp_path / name, GRAY)
    image, spacing = read_image(tmp_path / name)
    mask = np.arange(image[..., 0].size).reshape(image.shape[:-1]).astype(np.uint8)
    assert mask_suffix(tmp_path / name) == "." + mask_name.split(".")[1]
    reading = read_file(write_mask_like(tmp_path / mask_name, mask, tmp_path / name), as_mask=True)
    np.testing.assert_array_equal(reading.array, mask)
    assert reading.spacing == spacing


def test_the_mask_of_a_turned_photograph_is_upright(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(GRAY).save(tmp_path / "a.jpg", exif=exif)
    write_mask_like(tmp_path / "m.png", np.zeros((8, 6), np.uint8), tmp_path / "a.jpg")
    with pytest.raises(DataError, match=r"the mask is 6×8 but 'a\.jpg' is 8×6; resize it back"):
        write_mask_like(tmp_path / "m.png", np.zeros((6, 8), np.uint8), tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("target", "mask", "said"),
    [
        (
            "m.png",
            VOLUME.astype(np.uint8),
            r"'m\.png' cannot hold a mask in the grid of 'a\.nii'; name it with \.nii or",
        ),
        ("m.nii", GRAY, r"the mask is 6×8 but 'a\.nii' is 3×6×8"),
        ("m.nii", VOLUME / 100, r"is float64; give whole numbers"),
        ("m.nii", VOLUME + 200, r"give whole numbers from 0 to 255"),
        ("m.nii", VOLUME - 1, r"give whole numbers from 0 to 255"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_and_nothing_written(tmp_path, target, mask, said):
    save_nifti(tmp_path / "a.nii")
    with pytest.raises(DataError, match=said):
        write_mask_like(tmp_path / target, mask, tmp_path / "a.nii")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii"]
