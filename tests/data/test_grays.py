"""Each picture and each channel has the gray rule of its own kind; kinds that cannot be told are refused by name."""

import numpy as np
import pytest
import tifffile
from format_samples import save_dicom, save_nifti
from PIL import Image

from unet_helpers import load_dataset
from unet_helpers.data import scale_to_unit
from unet_helpers.data.grays import scale_pictures
from unet_helpers.files import DataError, read_file

SHAPE = (8, 8)


def ramp(low, high, dtype):
    return np.linspace(low, high, 64).reshape(SHAPE).astype(dtype)


def scaled(folder, files, **options):
    """Write ``{name: array}``, read them back and scale them as one folder."""
    paths = []
    for name, array in files.items():
        paths.append(folder / name)
        if name.endswith(".png"):
            Image.fromarray(array).save(paths[-1])
        elif name.endswith(".dcm"):
            save_dicom(paths[-1], array, Modality="CT", RescaleSlope=1, RescaleIntercept=-1024)
        elif name.endswith(".npy"):
            np.save(paths[-1], array)
        else:
            tifffile.imwrite(paths[-1], array)
    images, rule = scale_pictures([read_file(path) for path in paths], paths, **options)
    return images, str(rule)


def test_eight_and_sixteen_bits_each_have_their_own_rule_and_are_counted(tmp_path):
    files = {"a.png": ramp(0, 255, np.uint8), "b.png": ramp(0, 65535, np.uint16), "c.png": ramp(9, 90, np.uint8)}
    images, rule = scaled(tmp_path, files)
    np.testing.assert_allclose(images[0], images[1], atol=1 / 255)
    assert images[2].max() == pytest.approx(90 / 255)
    assert rule == "2 files: 8-bit values divided by 255; 1 files: 16-bit values divided by 65535"


@pytest.mark.parametrize(("top", "divisor"), [(255, 255), (900, 1023), (4000, 4095), (16000, 16383), (65535, 65535)])
def test_the_depth_of_sixteen_bit_files_is_that_of_their_largest_value(tmp_path, top, divisor):
    files = {"a.png": ramp(0, top // 2, np.uint16), "b.png": ramp(0, top, np.uint16)}
    images, rule = scaled(tmp_path, files)
    assert images[1].max() == pytest.approx(top / divisor)
    assert f"divided by {divisor}" in rule


def test_twelve_and_sixteen_bits_in_files_of_one_type_are_refused_and_one_dark_one_is_named(tmp_path):
    dark, bright = ramp(0, 4000, np.uint16), ramp(0, 60000, np.uint16)
    with pytest.raises(DataError, match=r"1 of 2 16-bit pictures reach 4000 at most.*12 and 16 bits"):
        scaled(tmp_path, {"a.png": dark, "b.png": bright})
    _, rule = scaled(tmp_path, {"a.png": dark, **{f"{k}.png": bright for k in range(5)}})
    assert "1 of 6 stay below 4096" in rule


@pytest.mark.parametrize("other", ["b.png", "b.tif", "b.npy"])
def test_hu_beside_gray_values_is_refused_with_both_named(tmp_path, other):
    gray = ramp(0, 255, np.uint8) if other == "b.png" else ramp(0, 900, np.int16)
    with pytest.raises(DataError, match=rf"'a\.dcm' holds HU but '{other}' gray values.*value_range"):
        scaled(tmp_path, {"a.dcm": ramp(24, 1100, np.uint16), other: gray})


def test_slices_without_air_and_blank_ones_go_with_the_hu_of_their_folder(tmp_path):
    files = {
        "a.tif": ramp(-1000, 100, np.int16),
        "b.tif": ramp(-150, 150, np.int16),
        "c.tif": np.zeros(SHAPE, np.int16),
    }
    images, rule = scaled(tmp_path, files)
    assert rule == "HU, window -600/1500"
    assert images[1].min() == pytest.approx((-150 + 1350) / 1500)
    assert images[2].max() == pytest.approx(0.9)


@pytest.mark.parametrize(("low", "high"), [(0, 1.02), (-0.1, 1), (-0.2, 1.2), (0, 1.25)])
def test_fractions_just_beyond_one_are_cut_off_and_counted(tmp_path, low, high):
    images, rule = scaled(tmp_path, {"a.tif": ramp(low, high, np.float32)})
    assert images[0].max() == 1
    assert images[0].min() == 0
    assert "as stored" in rule
    assert "cut off" in rule


@pytest.mark.parametrize(("low", "high"), [(0, 3), (0, 20), (-3, 3), (-1, 1.5), (0, 1e5)])
def test_fractions_of_no_known_range_are_refused_with_the_remedy(tmp_path, low, high):
    with pytest.raises(DataError, match=r"'a\.tif'.*no range known here.*value_range"):
        scaled(tmp_path, {"a.tif": ramp(low, high, np.float32)})


def test_two_ranges_of_fractions_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"'a\.tif' holds values from 0 to 1 but 'b\.tif' larger ones"):
        scaled(tmp_path, {"a.tif": ramp(0, 1, np.float32), "b.tif": ramp(0, 200, np.float32)})


def test_values_in_a_sliver_far_from_zero_are_refused_and_hu_plus_32768_is_recognized(tmp_path):
    with pytest.raises(DataError, match=r"if they are HU \+ 32768, say so with value_range=\(31418, 32918\)"):
        scaled(tmp_path, {"a.png": ramp(31768, 32900, np.uint16)})
    with pytest.raises(DataError, match=r"would be one gray; say with value_range=\(50000, 51000\)"):
        scaled(tmp_path, {"a.png": ramp(50000, 51000, np.uint16)})
    images, rule = scaled(tmp_path, {"a.png": ramp(31418, 32918, np.uint16)}, value_range=(31418, 32918))
    assert (images[0].min(), images[0].max()) == (0, 1)
    assert "0% beyond them" in rule


def test_a_dark_eight_bit_folder_is_said_and_divided_by_255(tmp_path):
    images, rule = scaled(tmp_path, {"a.png": ramp(0, 20, np.uint8)})
    assert images[0].max() == pytest.approx(20 / 255)
    assert "run from 0 to 20 only, 8% of the range" in rule


def test_the_stored_type_counts_for_arrays_too():
    images, _ = scale_to_unit([np.full((2, 2, 1), 12, np.float32)], dtype="uint8")
    assert images[0].max() == pytest.approx(12 / 255)
    with pytest.raises(ValueError, match="no range known"):
        scale_to_unit([np.full((2, 2, 1), 12, np.float32)])


def test_a_value_range_upside_down_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"value_range is \(5, 1\)"):
        scaled(tmp_path, {"a.png": ramp(0, 255, np.uint8)}, value_range=(5, 1))


# --- volumes --------------------------------------------------------------------------------------


def write_volumes(folder, volumes):
    for name, volume in volumes.items():
        mask = np.zeros(volume.shape[:3], np.uint8)
        mask[:, 2:5, 2:5] = 1
        for kind, array in (("images", volume), ("masks", mask)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            save_nifti(folder / kind / f"{name}.nii.gz", array)
    return folder


def ct(seed):
    return np.random.default_rng(seed).integers(-1000, 400, (2, 8, 8)).astype(np.int16)


def mr(seed):
    return np.random.default_rng(seed).integers(0, 1400, (2, 8, 8)).astype(np.int16)


@pytest.mark.parametrize("first", ["ct", "mr"])
def test_ct_and_mr_in_one_folder_are_refused_whichever_comes_first(tmp_path, first):
    volumes = {"v1": ct(1), "v2": ct(2), "v3": mr(3)} if first == "ct" else {"v1": mr(1), "v2": mr(2), "v3": ct(3)}
    folder = write_volumes(tmp_path / "set", volumes)
    with pytest.raises(DataError, match=r"holds HU but 'v\d\.nii\.gz' does not.*folders of their own"):
        load_dataset(folder)
    assert "window" in load_dataset(folder, modality="CT").report[-1]


def test_each_channel_has_the_rule_of_its_own_values(tmp_path):
    volumes = {f"v{k}": np.stack([ct(k), mr(k)], -1) for k in range(3)}
    data = load_dataset(write_volumes(tmp_path / "set", volumes))
    assert "channel 0 by HU" in data.report[-1]
    assert "channel 1 by each volume scaled by its percentiles" in data.report[-1]
    assert (data.train.images[..., 1] == 1).mean() < 0.1
    with pytest.raises(DataError, match=r"has 2 channels, but 3 modalities are named \(CT, PET, MR\)"):
        load_dataset(tmp_path / "set", modality=("CT", "PET", "MR"))


@pytest.mark.parametrize("word", ["OCT", "SPECT", "DCT", "non-CT", "T1-fact"])
def test_a_modality_that_only_contains_ct_is_none(tmp_path, word):
    folder = write_volumes(tmp_path / "set", {f"v{k}": mr(k) for k in range(3)})
    assert "percentiles" in load_dataset(folder, modality=word).report[-1]


@pytest.mark.parametrize("word", ["CT", "ct", " Ct ", "CBCT", "HU"])
def test_ct_is_ct_in_any_case(tmp_path, word):
    folder = write_volumes(tmp_path / "set", {f"v{k}": ct(k) for k in range(3)})
    assert "HU, window -600/1500" in load_dataset(folder, modality=word).report[-1]


def test_what_is_called_ct_without_hu_and_the_other_way_around_are_said(tmp_path):
    folder = write_volumes(tmp_path / "a", {f"v{k}": mr(k) for k in range(3)})
    assert "called CT but holds no value below 0" in str(load_dataset(folder, modality="CT"))
    folder = write_volumes(tmp_path / "b", {f"v{k}": ct(k) for k in range(3)})
    assert "values below -200 look like HU" in str(load_dataset(folder, modality="CT venous"))
