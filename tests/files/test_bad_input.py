"""Each kind of bad input gives one error that names the file or the number, and what to do."""

import numpy as np
import pytest

from unet_helpers import UNet, encode_mask, evaluate, iou, load_dataset, one_hot, window
from unet_helpers.files import read_image, read_mask


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.png.*check the path"):
        read_image(tmp_path / "gone.png")


def test_a_format_that_is_not_read(write_folder):
    with pytest.raises(ValueError, match=r"notes\.txt.*convert it"):
        read_image(write_folder("i", {"notes.txt": None}) / "notes.txt")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".npy", ".dcm", ".nii", ".nii.gz"])
@pytest.mark.parametrize("content", [b"", b"not a picture at all, whatever the name says"])
def test_a_damaged_file_of_any_format(write_folder, suffix, content):
    with pytest.raises(ValueError, match=rf"a\{suffix}.*cannot be read.*Copy it again"):
        read_image(write_folder("i", {f"a{suffix}": content}) / f"a{suffix}")


@pytest.mark.parametrize(
    "array",
    [np.array([["text"]]), np.array([[1j]]), np.zeros((0, 4)), np.zeros(5)],
    ids=["text", "complex", "empty", "1D"],
)
def test_an_array_that_is_no_picture(write_folder, array):
    for read in (read_image, read_mask):
        with pytest.raises(ValueError, match=r"a\.npy.*no picture"):
            read(write_folder("i", {"a.npy": array}) / "a.npy")


def test_pickled_objects_are_not_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[{"code": "runs"}]], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"a\.npy"):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_in_an_image_and_in_a_mask(write_folder, value):
    path = write_folder("i", {"a.npy": np.array([[0, value]])}) / "a.npy"
    with pytest.raises(ValueError, match=r"image 'a\.npy' holds 1 values that are NaN or infinite"):
        read_image(path)
    with pytest.raises(ValueError, match=r"mask 'a\.npy'"):
        read_mask(path)


@pytest.mark.parametrize("values", [[0, -1], [0, 256], [0, 0.5]])
def test_mask_values_that_are_no_class(write_folder, values):
    with pytest.raises(ValueError, match=r"mask 'a\.npy'.*whole numbers"):
        read_mask(write_folder("m", {"a.npy": np.array([values])}) / "a.npy")


def test_a_color_picture_as_mask(write_folder, gray):
    with pytest.raises(ValueError, match=r"a\.png' is a color picture"):
        read_mask(write_folder("m", {"a.png": gray(1, (4, 4, 3))}) / "a.png")


def test_a_window_of_no_width_and_nan_hu():
    for width in (0, -1500, np.nan):
        with pytest.raises(ValueError, match="width"):
            window(np.zeros(2), -600, width)
    with pytest.raises(ValueError, match="1 NaN"):
        window(np.array([0, np.nan]), -600, 1500)


def test_labels_out_of_range():
    with pytest.raises(ValueError, match=r"\[7\] means nothing.*mask_values"):
        encode_mask(np.array([0, 7]), num_classes=3)
    with pytest.raises(ValueError, match="0 to 2"):
        one_hot(np.array([0, 3]), 3)
    with pytest.raises(ValueError, match="0 to 2"):
        one_hot(np.array([-1, 0]), 3)
    with pytest.raises(ValueError, match="divide 0/255 masks by 255"):
        iou(np.array([0, 255]), np.array([0, 1]))


@pytest.mark.parametrize(
    ("found", "classes", "words"),
    [
        ([0, 1, 255], 2, r"\[255\] means nothing.*must not count.*mask_values=\{…, 255: 0\}"),
        ([0, 1, 2, 255], 3, r"\[255\].*must not count"),
        ([-1, 0, 1], 2, r"\[-1\].*must not count.*-1: 0\}"),
        ([0, 2, 254], 3, r"\[254\].*must not count"),
        ([0, 1, 1.5], 3, r"1\.5, which is no class index: resized with interpolation\?.*resize_mask"),
        ([0, 0.5], 2, r"0\.5, which is no class index"),
    ],
)
def test_pixels_that_must_not_count_and_interpolated_labels_are_refused_with_the_remedy(found, classes, words):
    with pytest.raises(ValueError, match=words):
        encode_mask(np.array(found), classes)
    with pytest.raises(ValueError, match="the mask holds"):
        one_hot(np.array(found), classes)


@pytest.mark.parametrize("values", [(0, 1, 2, 255), (0, 1, 255)])
def test_an_ignore_label_throughout_a_folder_is_named_at_the_door(write_folder, gray, values):
    for k in range(3):
        write_folder("set/images", {f"P{k}_Z_1.png": gray(k)})
        mask = np.resize(np.array(values, np.uint8), (8, 8))
        folder = write_folder("set/masks", {f"P{k}_Z_1.png": mask})
    with pytest.raises(ValueError, match=r"\[255\] means nothing.*must not count.*mask_values"):
        load_dataset(folder.parent)
    assert (
        load_dataset(folder.parent, mask_values={**{v: v for v in values[:-1]}, 255: 0}).num_classes == len(values) - 1
    )


def test_a_wrong_data_source(tmp_path):
    with pytest.raises(FileNotFoundError, match="fantom"):
        load_dataset(tmp_path / "fantom")
    (tmp_path / "stuff").mkdir()
    with pytest.raises(ValueError, match=r"no layout known.*stuff"):
        load_dataset(tmp_path)


def test_predictions_that_do_not_fit(disks):
    subset = disks().test
    with pytest.raises(ValueError, match="shape"):
        evaluate(None, subset, ("background", "disk"), predictions=subset.masks[:, :4])
    for wrong in (subset.masks * 255, subset.masks * 0.7):
        with pytest.raises(ValueError, match="no class index"):
            evaluate(None, subset, ("background", "disk"), predictions=wrong)
    with pytest.raises(ValueError, match="'patient' or 'slice'"):
        evaluate(None, subset, ("background", "disk"), predictions=subset.masks, by="pixel")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"input_shape": (100, 128, 1)}, "height 100 .*96 or 112"),
        ({"input_shape": (128, 8, 1)}, "width 8 .*to 16"),
        ({"input_shape": (128, 128)}, r"\(height, width, channels\)"),
        ({"num_classes": 0}, "at least 1"),
        ({"dropout": 1.0}, "dropout"),
        ({"upsampling": "nearest"}, "'transpose' or 'bilinear'"),
    ],
)
def test_a_model_that_cannot_be_built(options, words):
    with pytest.raises(ValueError, match=words):
        UNet(**options)
