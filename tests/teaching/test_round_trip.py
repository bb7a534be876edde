"""Volumes in, prediction out: each mask, opened by SimpleITK beside its original, is right to the voxel.

The network is a threshold, so that the right mask is known for every voxel of the original as SimpleITK reads it.
"""

import keras
import numpy as np
import pytest
import SimpleITK
from format_samples import PLANES, save_itk, save_nifti, save_segmentation, save_series

from unet_helpers import load_dataset
from unet_helpers.deployment import read_report
from unet_helpers.files import read_segmentation
from unet_helpers.teaching import runs, segment, your_data

EXTENT = (8, 16, 24)  # to the head, to the back, to the left: three numbers, so that no two axes can be exchanged
CODES = ("LPS", "RAS", "SLA", "PIR")


def labels(seed):
    return np.random.default_rng(seed).integers(0, 2, EXTENT).astype(np.uint8)


def hu(mask):
    return np.where(mask, 60, -900).astype(np.int16)


def threshold():
    """A network of one layer: a pixel is foreground above the middle of the window."""
    layer = keras.layers.Conv2D(2, 1, activation="softmax")
    model = keras.Sequential([keras.Input((None, None, 1)), layer])
    layer.set_weights([np.array([[[[0, 100]]]], np.float32), np.array([0, -50], np.float32)])
    return model


def keep(data, folder):
    recipe = your_data.default_recipe(data, epochs=1)
    recipe = your_data.Recipe(**{**vars(recipe), "one_map": False, "all_orientations": False, "center_crop": 999})
    folder = runs.open_run(folder, data, recipe)
    runs.keep_run(folder, threshold(), data, recipe)
    return folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for number in range(3):
        for kind, array in (("images", hu(labels(number))), ("labels", labels(number))):
            (folder / kind).mkdir(exist_ok=True)
            save_nifti(folder / kind / f"v{number}.nii.gz", array, (2.0, 1.5, 1.5))
    return keep(load_dataset(folder, window=(0, 2000)), tmp_path_factory.mktemp("runs") / "threshold")


def in_plane(volume, spacing, plane):
    """A volume in slices to the head as the slices of a plane, with its spacing."""
    if plane == "sagittal":  # slices to the right, rows to the feet, columns to the back
        return volume.transpose(2, 0, 1)[::-1, ::-1], (spacing[2], spacing[0], spacing[1])
    if plane == "coronal":  # slices to the back, rows to the feet, columns to the left
        return volume.transpose(1, 0, 2)[:, ::-1], (spacing[1], spacing[0], spacing[2])
    return volume, spacing


def read_by_simpleitk(path):
    if not path.is_dir():
        return SimpleITK.ReadImage(str(path))
    return SimpleITK.ReadImage(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(path)))


def check(source, mask):
    original, found = read_by_simpleitk(source), read_by_simpleitk(mask)
    assert found.GetSize() == original.GetSize()
    for same in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(getattr(found, same)(), getattr(original, same)(), atol=1e-4)
    truth = SimpleITK.GetArrayFromImage(original) > 0
    assert 0.4 < truth.mean() < 0.6
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(found), truth)


@pytest.mark.parametrize(("codes", "plane"), list(zip(CODES, PLANES, strict=True)))
@pytest.mark.parametrize("spacing", [(2.0, 1.5, 1.5), (4.0, 1.6, 1.4)])
def test_volumes_in_prediction_out_to_the_voxel(kept, tmp_path, capsys, codes, plane, spacing):
    new, volume = tmp_path / "new", hu(labels(7))
    new.mkdir()
    save_itk(new / "c.nrrd", volume, spacing, codes)
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(new / "c.nrrd")), str(new / "n.nii.gz"))
    save_itk(new / "m.mha", volume, spacing, codes)
    slices, steps = in_plane(volume + 1024, spacing, plane)
    save_series(new / "d", slices, steps, plane)
    segment.main([str(kept), str(new), str(tmp_path / "out"), "--dicom"])
    masks = {"c.nrrd": "c.nrrd", "n.nii.gz": "n.nii.gz", "m.mha": "m.mha", "d": "d.nii.gz"}
    for source, mask in masks.items():
        check(new / source, tmp_path / "out" / mask)
    assert not list((tmp_path / "out").glob("[cnm]_*.dcm"))
    drawn = read_segmentation(tmp_path / "out" / "d_seg.dcm", new / "d")
    np.testing.assert_array_equal(drawn.array, slices > 1024)
    (found,) = read_report(tmp_path / "out" / "d_report.dcm")
    assert found["volume_ml"] == pytest.approx((slices > 1024).sum() * np.prod(spacing) / 1000)
    assert (tmp_path / "out" / "left_out.csv").read_text().splitlines() == ["file,why"]
    assert "Not for diagnosis" in capsys.readouterr().out


@pytest.mark.parametrize("plane", PLANES)
def test_what_was_trained_on_series_writes_the_masks_of_series_at_any_depth(tmp_path, plane):
    for number in range(3):
        slices, steps = in_plane(hu(labels(number)) + 1024, (2.0, 1.5, 1.5), plane)
        drawn, _ = in_plane(labels(number), (1, 1, 1), plane)
        paths = save_series(tmp_path / f"data/P{number}/study/ct", slices, steps, plane, number + 1)
        save_segmentation(tmp_path / f"data/P{number}/study/seg/1.dcm", paths, drawn.copy(), ["blob"])
    data = load_dataset(tmp_path / "data", window=(0, 2000))
    folder = keep(data, tmp_path / "run")
    assert runs.load_run(folder).class_names == ("background", "blob")
    assert runs.load_run(folder).seen.origin.shapes == (EXTENT[1:],)
    assert segment.write_test_masks(runs.load_run(folder), data, tmp_path / "test") == 1
    check(*((tmp_path / "data" / data.test.patient_ids[0] / "study/ct"), tmp_path / "test/ct.nii.gz"))
    _, left_out = segment.segment_folder(folder, tmp_path / "data", tmp_path / "out")
    for number in range(3):
        check(tmp_path / f"data/P{number}/study/ct", tmp_path / f"out/P{number}_study_ct.nii.gz")
    assert len(left_out) == 3  # the segmentations, each by its name and why
    assert all("DICOM segmentation" in why for why in left_out["why"])
