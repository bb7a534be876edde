"""nnU-Net's raw data is recognized by its names, whatever dataset.json says of it."""

import json

import numpy as np
import pytest
from format_samples import save_any, save_nifti

from unet_helpers import load_dataset
from unet_helpers.data import recognize_layout
from unet_helpers.files import DataError

V1 = {
    "modality": {"0": "MR", "1": "CT"},
    "labels": {"0": "background", "1": "organ"},
    "training": [{"image": f"./imagesTr/c_{k}.nii.gz", "label": f"./labelsTr/c_{k}.nii.gz"} for k in range(4)],
}
V2 = {"channel_names": {"0": "MR", "1": "CT"}, "labels": {"background": 0, "organ": 1}, "file_ending": ".nii.gz"}


@pytest.fixture
def raw(tmp_path):
    def make(content, channels=1, end=".nii.gz", shape=(3, 8, 8)):
        folder = tmp_path / "Dataset001_Toy"
        for kind in ("imagesTr", "labelsTr"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        for k in range(4):
            values = np.random.default_rng(k).integers(1, 200, shape).astype(np.int16 if "nii" in end else np.uint8)
            for channel in range(channels):
                air = -1000 if channel == 1 and "nii" in end else 0
                save_any(folder / f"imagesTr/c_{k}_{channel:04d}{end}", values + air if air else values)
            save_any(folder / f"labelsTr/c_{k}{end}", (values > 150).astype(np.uint8))
        if content is not None:
            if channels == 1:
                content = {**content, **{key: {"0": "MR"} for key in ("modality", "channel_names") if key in content}}
            (folder / "dataset.json").write_text(json.dumps(content))
        return folder

    return make


@pytest.mark.parametrize("content", [V1, V2, None, {**V2, "labels": {"background": "0", "organ": "1"}}])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_channels_of_a_case_are_joined(raw, content, channels):
    folder = raw(content, channels)
    assert recognize_layout(folder) == ("nnunet", folder)
    data = load_dataset(folder)
    assert data.train.images.shape[-1] == channels
    assert data.class_names[1:] == (("organ",) if content else ("foreground",))
    assert sorted(p for subset in data.subsets.values() for p in subset.patients) == [f"c_{k}" for k in range(4)]
    if channels == 2:
        assert "by HU, window -600/1500" in data.report[-1]


def test_pictures_are_read_too(raw):
    data = load_dataset(raw({**V2, "file_ending": ".png"}, end=".png", shape=(8, 8)))
    assert data.class_names == ("background", "organ")
    assert sum(len(subset) for subset in data.subsets.values()) == 4
    with pytest.raises(DataError, match="2 files each"):
        load_dataset(raw({**V2, "file_ending": ".png"}, 2, end=".png", shape=(8, 8)))


@pytest.mark.parametrize("lost", ["imagesTr/c_1_0001.nii.gz", "labelsTr/c_1.nii.gz", "imagesTr/c_1_0000.nii.gz"])
def test_an_incomplete_case_is_named_or_left_out(raw, lost):
    folder = raw(V2, 2)
    (folder / lost).unlink()
    with pytest.raises(DataError, match=r"laid out as for nnU-Net, but \d files do not fit .*c_1.*x_0000"):
        load_dataset(folder)
    data = load_dataset(folder, problems="leave_out")
    assert {p for subset in data.subsets.values() for p in subset.patients} == {"c_0", "c_2", "c_3"}
    assert "files left out" in str(data)


def test_labels_that_must_not_count_and_regions_are_refused_with_the_remedy(raw):
    folder = raw({**V2, "labels": {"background": 0, "organ": 1, "ignore": 2}})
    with pytest.raises(DataError, match=r"the label 'ignore' \(2\).*mask_values=\{…, 2: 0\}"):
        load_dataset(folder)
    data = load_dataset(folder, class_names=("background", "organ"), mask_values={0: 0, 1: 1, 2: 0})
    assert data.num_classes == 2
    with pytest.raises(DataError, match=r"labels of several values each \(whole: \[1, 2\]\)"):
        load_dataset(raw({**V2, "labels": {"background": 0, "whole": [1, 2], "core": [2]}}))


@pytest.mark.parametrize("shape", [(1, 20, 24), (24, 20, 1), (24, 1, 20)])
@pytest.mark.parametrize("layout", ["decathlon", "volumes", "nnunet"])
def test_pictures_stored_as_volumes_of_one_slice_are_one_slice_each(tmp_path, shape, layout):
    import nibabel

    folder, names = tmp_path / "Task1", ("images", "masks") if layout == "volumes" else ("imagesTr", "labelsTr")
    for k in range(4):
        values = np.random.default_rng(k).integers(1, 200, shape).astype(np.int16)
        for kind, array in zip(names, (values, (values > 100).astype(np.uint8)), strict=True):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            end = "_0000" if layout == "nnunet" and kind == names[0] else ""
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), folder / f"{kind}/c_{k}{end}.nii.gz")
    if layout == "decathlon":
        (folder / "dataset.json").write_text(json.dumps({**V1, "modality": {"0": "XR"}}))
    data = load_dataset(folder)
    assert sum(len(subset) for subset in data.subsets.values()) == 4
    assert sorted(data.train.images.shape[1:]) == [1, 20, 24]


def test_masks_of_a_task_without_its_channel_count_are_named(raw):
    folder = raw(V2, 2)
    (folder / "dataset.json").write_text(json.dumps({**V2, "channel_names": {"0": "MR", "1": "CT", "2": "PET"}}))
    with pytest.raises(DataError, match=r"has 2 channels, but 3 modalities are named"):
        load_dataset(folder)
    save_nifti(folder / "imagesTr/notes.nii.gz", np.ones((2, 4, 4)))
    with pytest.raises(DataError, match=r"imagesTr/notes\.nii\.gz"):
        load_dataset(folder)
