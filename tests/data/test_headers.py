"""Image and label lie on one grid in the patient, or are refused with both headers named."""

import nibabel
import numpy as np
import pytest

from unet_helpers import load_dataset
from unet_helpers.data.headers import check_one_grid, stored_type
from unet_helpers.files import DataError

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
        DataError, match=r"mask 'b\.nii' does not lie where 'a\.nii\.gz' does.*spacing.*against.*LPS.*save"
    ):
        check_one_grid(image, mask)


def test_the_same_grid_in_another_order_of_axes_and_with_rounded_numbers_passes(tmp_path):
    image = save(tmp_path / "a.nii.gz", AFFINE)
    check_one_grid(image, save(tmp_path / "b.nii", AFFINE + 1e-4 * (np.arange(16).reshape(4, 4) < 12)))
    flipped = AFFINE.copy()
    flipped[0, 0], flipped[0, 3] = 0.8, 90 - 0.8 * 9  # the first axis stored the other way around
    check_one_grid(image, save(tmp_path / "c.nii", flipped))
    check_one_grid(image, tmp_path / "mask.png")


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
    for name in ("a.nii.gz", "a.npy", "a.npz"):
        assert stored_type(tmp_path / name).dtype == np.dtype(dtype).name
    (tmp_path / "b.png").write_bytes(b"no picture")
    assert stored_type(tmp_path / "b.png").dtype == ""
