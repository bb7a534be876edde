"""What a reading says of its file: its grid in the patient, the type it stores, and what a report must not hide."""

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from format_samples import save_dicom
from PIL import Image

from unet_helpers import load_dataset
from unet_helpers.files import DataError, read_file
from unet_helpers.files.reading import MOST_REMARKS, Reading, Remarks, check_one_grid

AFFINE = np.diag([-0.8, -0.8, 3.0, 1.0])
AFFINE[:3, 3] = (90, 80, -200)


def save(path, affine, shape=(10, 12, 4), code=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(np.zeros(shape, np.uint8), affine)
    image.set_sform(affine, code)
    image.set_qform(affine, code)
    nibabel.save(image, path)
    return path


def moved(change):
    other = AFFINE.copy()
    change(other)
    return other


def turned(degrees):
    turn = np.eye(4)
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn[:2, :2] = [[cos, -sin], [sin, cos]]
    return turn @ AFFINE


def check(image, mask):
    check_one_grid((read_file(image), read_file(mask, as_mask=True)), (image, mask))


OTHER_GRIDS = {
    "identity": np.eye(4),
    "another spacing": moved(lambda a: a.__setitem__((2, 2), 2.5)),
    "shifted by half a voxel": moved(lambda a: a.__setitem__((0, 3), 90.4)),
    "flipped": moved(lambda a: a.__setitem__((0, 0), 0.8)),
    "turned by ten degrees": turned(10),
    "head and feet changed": moved(lambda a: a.__setitem__((2, 2), -3.0)),
}


@pytest.mark.parametrize("affine", OTHER_GRIDS.values(), ids=OTHER_GRIDS)
def test_a_mask_on_another_grid_is_refused_with_both_headers(tmp_path, affine):
    image, mask = save(tmp_path / "a.nii.gz", AFFINE), save(tmp_path / "b.nii", affine)
    with pytest.raises(
        DataError, match=r"mask 'b\.nii' does not lie where 'a\.nii\.gz' does.*spacing.*against.*LPS.*spacing.*save"
    ):
        check(image, mask)


def test_the_same_grid_in_another_order_of_axes_and_with_rounded_numbers_passes(tmp_path):
    image = save(tmp_path / "a.nii.gz", AFFINE)
    check(image, save(tmp_path / "b.nii", AFFINE + 1e-4 * (np.arange(16).reshape(4, 4) < 12)))
    flipped = AFFINE.copy()
    flipped[0, 0], flipped[0, 3] = 0.8, 90 - 0.8 * 9  # the first axis stored the other way around
    check(image, save(tmp_path / "c.nii", flipped))
    np.save(tmp_path / "mask.npy", np.zeros((4, 12, 10), np.uint8))
    check(image, tmp_path / "mask.npy")


@pytest.mark.parametrize(("unit", "factor"), [("micron", 1000), ("meter", 0.001), ("unknown", 1), ("mm", 1)])
def test_one_grid_in_two_units_is_one_grid(tmp_path, unit, factor):
    image, mask = save(tmp_path / "a.nii.gz", AFFINE), tmp_path / "b.nii.gz"
    stored = nibabel.Nifti1Image(np.zeros((10, 12, 4), np.uint8), np.diag([factor] * 3 + [1]) @ AFFINE)
    stored.header.set_xyzt_units(unit)
    nibabel.save(stored, mask)
    check(image, mask)
    other = nibabel.Nifti1Image(np.zeros((10, 12, 4), np.uint8), np.diag([1.1 * factor] * 3 + [1]) @ AFFINE)
    other.header.set_xyzt_units(unit)
    nibabel.save(other, mask)
    with pytest.raises(DataError, match=r"spacing 3\.3×0\.88×0\.88 mm.*against.*spacing 3×0\.8×0\.8 mm"):
        check(image, mask)


AS_STORED = {"RescaleSlope": None, "RescaleIntercept": None}
PLACE = {"PixelSpacing": [0.8, 0.8]} | AS_STORED


@pytest.mark.parametrize(
    ("origin", "column", "good"), [(-90, 0.8, True), (-89.9, 0.8, True), (-80, 0.8, False), (-90, 0.4, False)]
)
def test_dicom_slices_and_nifti_are_held_to_one_grid_too(tmp_path, origin, column, good):
    pixels = np.zeros((12, 10), np.uint16)
    save_dicom(tmp_path / "a.dcm", pixels, ImagePositionPatient=[-90, -80, 5], SliceThickness=3, **PLACE)
    place = PLACE | {"PixelSpacing": [0.8, column]}
    save_dicom(tmp_path / "b.dcm", pixels, ImagePositionPatient=[origin, -80, 5], SliceThickness=1, **place)
    affine = np.diag([-column, -0.8, 7, 1.0])  # from x to the right and y to the front
    affine[:3, 3] = (-origin, 80, 5)
    save(tmp_path / "b.nii.gz", affine, (10, 12, 1))
    for mask in (tmp_path / "b.dcm", tmp_path / "b.nii.gz"):
        if good:
            check(tmp_path / "a.dcm", mask)
        else:
            with pytest.raises(DataError, match=r"does not lie where 'a\.dcm' does: by its header.*against"):
                check(tmp_path / "a.dcm", mask)


def test_a_folder_with_one_shifted_mask_is_refused_and_so_is_a_shifted_sequence(tmp_path):
    for k in range(3):
        save(tmp_path / f"set/images/v{k}.nii.gz", AFFINE)
        save(tmp_path / f"set/masks/v{k}.nii.gz", np.eye(4) if k == 2 else AFFINE)
    with pytest.raises(DataError, match=r"mask 'masks/v2\.nii\.gz' does not lie where 'images/v2\.nii\.gz' does"):
        load_dataset(tmp_path / "set", class_names=("background", "organ"))
    for k in range(3):
        for kind in ("flair", "t1", "t1ce", "t2", "seg"):
            save(tmp_path / f"b/p{k}/p{k}_{kind}.nii", OTHER_GRIDS["flipped"] if kind == "t2" else AFFINE)
    with pytest.raises(DataError, match=r"sequence 'p0_t2\.nii' does not lie where 'p0_flair\.nii' does"):
        load_dataset(tmp_path / "b")


def test_single_slices_have_a_grid_too(tmp_path):
    for k in range(3):
        save(tmp_path / f"set/images/v{k}.nii.gz", AFFINE, (10, 12, 1))
        save(tmp_path / f"set/masks/v{k}.nii.gz", OTHER_GRIDS["flipped"], (10, 12, 1))
    with pytest.raises(DataError, match="does not lie where"):
        load_dataset(tmp_path / "set")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_the_stored_type_is_that_of_the_file(tmp_path, dtype):
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 1), dtype), np.eye(4)), tmp_path / "a.nii.gz")
    np.save(tmp_path / "a.npy", np.zeros((4, 4), dtype))
    np.savez(tmp_path / "a.npz", image=np.zeros((4, 4), dtype), mask=np.zeros((4, 4), np.uint8))
    np.save(tmp_path / "b.npy", np.zeros((4, 4), np.dtype(dtype).newbyteorder(">")))
    for name in ("a.nii.gz", "a.npy", "a.npz", "b.npy"):
        assert read_file(tmp_path / name).stored == np.dtype(dtype).name


def test_a_nifti_whose_header_scales_holds_fractions(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((4, 4, 1), np.int16), np.eye(4))
    image.header.set_slope_inter(0.5, 0)
    nibabel.save(image, tmp_path / "a.nii.gz")
    assert read_file(tmp_path / "a.nii.gz").stored == "float32"


@pytest.mark.parametrize(
    ("tags", "bits", "unit"),
    [
        ({"Modality": "CR"}, 12, ""),
        ({"Modality": "CR", "PhotometricInterpretation": "MONOCHROME1"}, 12, ""),
        ({"Modality": "MR", "RescaleSlope": 2, "RescaleIntercept": 0}, None, ""),
        ({"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024}, None, "HU"),
        ({"Modality": "CR", "PixelRepresentation": 1}, None, ""),
    ],
)
def test_the_bits_in_use_are_those_of_numbers_to_which_nothing_was_done(tmp_path, tags, bits, unit):
    save_dicom(tmp_path / "a.dcm", np.full((4, 4), 7, np.uint16))
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    del dataset.RescaleSlope, dataset.RescaleIntercept
    for name, value in ({"BitsStored": 12, "HighBit": 11} | tags).items():
        setattr(dataset, name, value)
    dataset.save_as(tmp_path / "a.dcm")
    reading = read_file(tmp_path / "a.dcm")
    assert (reading.bits, reading.unit) == (bits, unit)


@pytest.mark.parametrize("shape", [(1, 6, 8), (6, 1, 8), (6, 8, 1)])
def test_a_volume_of_one_slice_is_that_slice_along_any_axis(tmp_path, shape):
    values = np.arange(48, dtype=np.uint8)
    np.save(tmp_path / "a.npy", values.reshape(shape))
    np.savez(tmp_path / "a.npz", image=values.reshape(shape), spacing=np.array([3.0, 2.0, 1.0])[: 3 - (shape[2] == 1)])
    for name in ("a.npy", "a.npz"):
        np.testing.assert_array_equal(read_file(tmp_path / name).array[..., 0], values.reshape(6, 8))
    np.testing.assert_array_equal(read_file(tmp_path / "a.npy", as_mask=True).array, values.reshape(6, 8))


# --- what the report says -------------------------------------------------------------------------


def remarks_of(*said):
    remarks = Remarks()
    for number, (rule, notes) in enumerate(said):
        path = Path("x") / f"{number}.png"
        remarks.add(Reading(np.zeros((2, 2, 1), np.float32), rule=rule, notes=notes), path)
    return remarks.lines()


def test_each_remark_stands_once_with_its_number_and_its_first_file():
    said = remarks_of(("8 bit as stored", []), ("CMYK as RGB", ["turned"]), ("CMYK as RGB", []))
    assert said == ["CMYK as RGB: 2 files, the first 'x/1.png'", "turned: 'x/1.png'"]


@pytest.mark.parametrize(
    "rule", ["8 bit as stored", "16 bit as stored", "float as stored", "values as stored", "HU by slope 1 and …"]
)
def test_where_nothing_was_decided_nothing_is_said(rule):
    assert remarks_of((rule, [])) == []


def test_more_than_five_remarks_are_counted():
    said = remarks_of(*[("8 bit as stored", [f"pixdim says {k}"]) for k in range(MOST_REMARKS + 3)])
    assert len(said) == MOST_REMARKS + 1
    assert said[-1].startswith("and 3 more remarks about 3 files")


def write_pictures(folder, image, mask):
    for k in range(4):
        for kind, picture in (("images", image(k)), ("masks", mask(k))):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            picture.save(folder / kind / f"P{k}_1.png")
    return folder


def gray(k):
    return Image.fromarray(np.random.default_rng(k).integers(0, 255, (8, 8)).astype(np.uint8))


def indexed(*colors):
    mask = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) % 2, "P")
    mask.putpalette([value for color in colors for value in color])
    return mask


BLACK, RED, GREEN = (0, 0, 0), (255, 0, 0), (0, 255, 0)


def test_a_folder_tells_what_was_decided_about_its_files(tmp_path):
    folder = write_pictures(tmp_path / "set", lambda k: gray(k).convert("LA"), lambda k: indexed(BLACK, RED))
    report = load_dataset(folder).report
    assert "8 bit as stored, alpha left out: 4 files, the first 'images/P0_1.png'" in report
    assert "indices of a palette: 4 files, the first 'masks/P0_1.png'" in report


def test_a_plain_folder_has_no_line_more(tmp_path):
    plain = Image.fromarray((np.arange(64).reshape(8, 8) % 2).astype(np.uint8))
    report = load_dataset(write_pictures(tmp_path / "set", gray, lambda k: plain)).report
    assert len(report) == 2


def test_masks_of_a_folder_that_give_an_index_two_colors_are_refused(tmp_path):
    folder = write_pictures(tmp_path / "set", gray, lambda k: indexed(BLACK, GREEN if k == 2 else RED))
    with pytest.raises(DataError, match=r"mask 'P2_1\.png' shows index 1.*'P0_1\.png'"):
        load_dataset(folder)


def test_a_color_for_each_class_is_fine_where_each_class_has_a_file(tmp_path):
    for k in range(3):
        (tmp_path / f"set/p{k}/images").mkdir(parents=True)
        (tmp_path / f"set/p{k}/masks").mkdir()
        gray(k).save(tmp_path / f"set/p{k}/images/x.png")
        for name, color in (("heart", RED), ("lung", GREEN)):
            indexed(BLACK, color).save(tmp_path / f"set/p{k}/masks/{name}.png")
    assert load_dataset(tmp_path / "set").class_names == ("background", "heart", "lung")


def test_a_report_on_volumes_names_headers_that_contradict_themselves(tmp_path):
    for k in range(3):
        save(tmp_path / f"set/images/v{k}.nii.gz", AFFINE)
        label = nibabel.Nifti1Image(np.ones((10, 12, 4), np.uint8), AFFINE)
        label.header.set_zooms((0.8, 0.8, 5))
        (tmp_path / "set/masks").mkdir(exist_ok=True)
        nibabel.save(label, tmp_path / f"set/masks/v{k}.nii")
    report = load_dataset(tmp_path / "set").report
    assert any("pixdim says" in line and "3 files, the first 'masks/v0.nii'" in line for line in report), report
