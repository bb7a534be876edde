import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet_helpers import load_dataset, split_by_patient
from unet_helpers.data import (
    Subset,
    check_no_overlap,
    nodule_crops,
    nodule_task,
    patient_ids_from_names,
    phantom_arrays,
    recognize_layout,
)
from unet_helpers.data.synthetic import phantom_version
from unet_helpers.files import data_folder

# --- split ------------------------------------------------------------------------------------

slices_of_patients = st.lists(st.sampled_from([f"P{k}" for k in range(12)]), min_size=3, max_size=60).filter(
    lambda ids: len(set(ids)) >= 3
)
shares = st.tuples(*[st.integers(1, 20)] * 3).map(lambda parts: tuple(part / sum(parts) for part in parts))


@given(slices_of_patients, shares, st.integers(0, 5))
def test_a_split_is_complete_and_shares_no_patient(ids, fractions, seed):
    ids = np.array(ids)
    parts = split_by_patient(ids, fractions, seed)
    assert sorted(np.concatenate(parts)) == list(range(len(ids)))
    assert all(len(part) for part in parts)
    groups = [set(ids[part]) for part in parts]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]


@given(slices_of_patients, st.randoms(use_true_random=False))
def test_the_order_of_the_slices_does_not_change_who_goes_where(ids, random):
    shuffled = random.sample(ids, len(ids))
    before = [set(np.array(ids)[part]) for part in split_by_patient(ids, seed=1)]
    assert [set(np.array(shuffled)[part]) for part in split_by_patient(shuffled, seed=1)] == before


def test_the_seed_decides_the_split():
    ids = [f"P{k}" for k in range(20)]
    first, again, other = (split_by_patient(ids, seed=seed) for seed in (0, 0, 1))
    assert [part.tolist() for part in first] == [part.tolist() for part in again]
    assert [part.tolist() for part in first] != [part.tolist() for part in other]


def test_fractions_are_of_the_patients():
    parts = split_by_patient([f"P{k}" for k in range(100)], (0.7, 0.2, 0.1))
    assert [len(part) for part in parts] == [70, 20, 10]


def test_two_patients_cannot_be_split_and_are_named():
    with pytest.raises(ValueError, match=r"2 patient\(s\) \(P1, P2\).*three are the least"):
        split_by_patient(["P1", "P2", "P1"])


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.9, 0.1, 0.1), (1.0, 0.0, 0.0), (1.2, -0.1, -0.1)])
def test_shares_that_are_none_are_refused(fractions):
    with pytest.raises(ValueError, match="sum to 1"):
        split_by_patient(["a", "b", "c"], fractions)


def test_a_patient_on_two_sides_is_named():
    check_no_overlap(["a", "b"], ["c"], ["d"])
    with pytest.raises(ValueError, match=r"1 patient\(s\).*\(b\)"):
        check_no_overlap(["a", "b"], ["c"], ["b", "d"])


# --- patients in file names -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        (["ID_0264_Z_0080", "ID_0264_Z_0142", "ID_0007_Z_0001"], ["ID_0264", "ID_0264", "ID_0007"]),
        (["P001_slice_12", "P001_slice_3", "P10_slice_1"], ["P001", "P001", "P10"]),
        (["17-4", "17-12", "3-100"], ["17", "17", "3"]),
        (["case3_frame010", "case3_frame2"], ["case3", "case3"]),
        (["2019 patient 4 img 10", "2019 patient 4 img 9"], ["2019 patient 4", "2019 patient 4"]),
    ],
)
def test_the_patient_is_what_stands_before_the_last_number(names, patients):
    ids, how = patient_ids_from_names(names)
    assert ids.tolist() == patients
    assert "before the last number" in how


@pytest.mark.parametrize("names", [["case_7", "case_17", "case_18"], ["a", "b"], ["0017", "0018"]])
def test_without_two_numbers_each_file_is_a_patient_and_the_report_says_so(names):
    ids, how = patient_ids_from_names(names)
    assert ids.tolist() == names
    assert "no patient id" in how


def test_a_pattern_names_the_patient():
    ids, how = patient_ids_from_names(["scan-a7-left", "scan-b1-right"], r"scan-(\w+)-")
    assert ids.tolist() == ["a7", "b1"]
    assert "pattern" in how
    with pytest.raises(ValueError, match=r"finds no group in 'x' \(1 of 2 names\)"):
        patient_ids_from_names(["scan-a7-left", "x"], r"scan-(\w+)-")
    with pytest.raises(ValueError, match="one group in parentheses"):
        patient_ids_from_names(["scan-a7"], r"scan-\w+")


# --- subsets ----------------------------------------------------------------------------------


def test_a_subset_is_indexed_in_all_its_columns(disks):
    subset = disks(patients=8, slices=3).train
    chosen = subset.of_patient(subset.patients[1])
    assert len(chosen) == 3
    assert set(chosen.patient_ids) == {subset.patients[1]}
    assert len(subset[0]) == 1
    assert subset[[2, 0]].case_ids.tolist() == subset.case_ids[[2, 0]].tolist()
    np.testing.assert_array_equal(subset[2:4].masks, subset.masks[2:4])
    assert subset[2:4].spacing.shape == (2, 2)


def test_patients_are_in_natural_order():
    ids = np.array(["P10", "P9", "P1", "P9"])
    subset = Subset(np.zeros((4, 2, 2, 1)), np.zeros((4, 2, 2)), ids, ids, np.ones((4, 2)))
    assert subset.patients == ["P1", "P9", "P10"]


def test_readers_follow_their_slices():
    ids = np.array(["a", "b"])
    readers = np.arange(2 * 3 * 4).reshape(2, 3, 2, 2)
    subset = Subset(np.zeros((2, 2, 2, 1)), np.zeros((2, 2, 2)), ids, ids, np.ones((2, 2)), readers)
    np.testing.assert_array_equal(subset[1].readers, readers[1:])


# --- the phantom ------------------------------------------------------------------------------


def test_the_phantom_follows_the_data_contract(drawn_patients):
    data = load_dataset("phantom", size=32, patients=10, slices=3)
    assert data.class_names == ("background", "lung", "nodule")
    assert data.num_classes == 3
    assert [len(subset.patients) for subset in data.subsets.values()] == [6, 2, 2]
    images, masks = data.train.images, data.train.masks
    assert images.shape == (18, 32, 32, 1)
    assert images.dtype == np.float32
    assert (masks.shape, masks.dtype) == ((18, 32, 32), np.uint8)
    assert images.min() >= 0
    assert images.max() <= 1
    assert images[masks == 1].mean() == pytest.approx((1350 - 850) / 1500, abs=0.01)  # lung in its window
    assert data.train.spacing.tolist() == [[0.8, 0.6]] * 18
    assert len(set(data.train.case_ids)) == 18
    assert "train" in str(data)
    assert "6 patients,   18 slices of 32×32×1" in str(data)


def test_the_phantom_keeps_hu_if_asked(drawn_patients):
    data = load_dataset("phantom", size=32, patients=3, slices=1, window=None)
    assert data.train.images[data.train.masks == 1].mean() == pytest.approx(-850, abs=10)


def test_the_second_call_reads_the_file(drawn_patients, tmp_path):
    first = phantom_arrays(size=16, seed=1, patients=3, slices=2)
    assert drawn_patients == [(3, 1, 16, 2)]
    assert len(list((tmp_path / "cache").iterdir())) == 1
    again = phantom_arrays(size=16, seed=1, patients=3, slices=2)
    assert len(drawn_patients) == 1
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_other_patients_get_another_file(drawn_patients):
    for options in ({}, {"seed": 1}, {"size": 24}, {"patients": 4}, {"slices": 1}):
        phantom_arrays(**{"size": 16, "seed": 0, "patients": 3, "slices": 2} | options)
    assert len(drawn_patients) == 5


def test_an_interrupted_phantom_leaves_no_file_to_be_read(drawn_patients, monkeypatch, tmp_path):
    def cut(file, **arrays):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", cut)
    with pytest.raises(KeyboardInterrupt):
        phantom_arrays(size=16, patients=3, slices=1)
    assert not list((tmp_path / "cache").iterdir())


def test_the_data_folder_is_the_one_named(monkeypatch, tmp_path):
    monkeypatch.setenv("UNET_DATA_DIR", str(tmp_path / "here"))
    assert data_folder() == tmp_path / "here"
    assert data_folder().is_dir()
    monkeypatch.delenv("UNET_DATA_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_folder() == tmp_path / "cache" / "unet_helpers"


# --- a folder of pairs ------------------------------------------------------------------------


@pytest.fixture
def pairs(write_folder, gray, draw, tmp_path):
    """Four patients of two slices in 2d_images/ and 2d_masks/; more files may be given."""

    def make(images=(), masks=(), factor=1):
        names = [f"ID_{k:04d}_Z_{z:04d}.png" for k in range(4) for z in (9, 10)]
        pictures = {name: gray(i, 8) for i, name in enumerate(names)} | dict(images)
        drawn = {name: np.eye(8, dtype=np.uint8) * factor for name in names} | dict(masks)
        write_folder("set/2d_images", pictures), write_folder("set/2d_masks", drawn)
        return tmp_path / "set"

    return make


def test_a_folder_of_pairs_becomes_a_dataset(pairs, gray):
    data = load_dataset(pairs(), seed=3)
    assert data.name == "set"
    assert data.class_names == ("background", "foreground")
    assert [len(subset.patients) for subset in data.subsets.values()] == [2, 1, 1]
    everything = {case: image for s in data.subsets.values() for case, image in zip(s.case_ids, s.images, strict=True)}
    assert len(everything) == 8
    np.testing.assert_allclose(everything["ID_0001_Z_0009"][..., 0], gray(2, 8) / 255, rtol=1e-6)
    assert np.isnan(data.train.spacing).all()
    np.testing.assert_array_equal(data.train.masks[0], np.eye(8))


def test_0_255_masks_become_0_1(pairs):
    data = load_dataset(pairs(factor=255))
    assert set(np.unique(data.train.masks)) == {0, 1}


def test_mask_values_name_the_classes(pairs):
    data = load_dataset(pairs(factor=85), mask_values={0: 0, 85: 2}, class_names=("background", "lung", "nodule"))
    assert set(np.unique(data.test.masks)) == {0, 2}
    assert data.num_classes == 3
    with pytest.raises(ValueError, match="no list of classes"):
        load_dataset(pairs(factor=85))


def test_an_unknown_mask_value_names_the_file(pairs):
    odd = {"ID_0002_Z_0010.png": np.full((8, 8), 7, np.uint8)}
    with pytest.raises(ValueError, match=r"ID_0002_Z_0010\.png.*7"):
        load_dataset(pairs(masks=odd), class_names=("background", "lung"))


def test_masks_that_are_all_empty_are_refused(pairs):
    with pytest.raises(ValueError, match="every mask is empty"):
        load_dataset(pairs(factor=0))


def test_problems_stop_the_loading_unless_left_out(pairs, gray):
    folder = pairs(
        images={"ID_0009_Z_0001.png": gray(50), "ID_0003_Z_0009.png": b"cut"},
        masks={"ID_0002_Z_0009.png": np.zeros((4, 4), np.uint8), "ID_0001_Z_0010.png": np.eye(8, dtype=np.uint8) * 255},
    )
    with pytest.raises(ValueError, match="problems='leave_out'") as error:
        load_dataset(folder)
    left_out = ["ID_0009_Z_0001", "ID_0003_Z_0009", "ID_0002_Z_0009", "ID_0001_Z_0010"]
    for name in left_out:
        assert name in str(error.value)
    data = load_dataset(folder, problems="leave_out")
    cases = {case for subset in data.subsets.values() for case in subset.case_ids.tolist()}
    assert len(cases) == 5
    assert not cases & set(left_out)
    said = data.report[-1]
    assert said.startswith("7 files left out")  # one image alone, three pairs
    for name in left_out:
        assert name in said
    with pytest.raises(ValueError, match="choose 'raise' or 'leave_out'"):
        load_dataset(folder, problems="ignore")


def test_255_among_indices_is_read_once_mask_values_say_what_it_means(pairs):
    folder = pairs(masks={"ID_0001_Z_0010.png": np.eye(8, dtype=np.uint8) * 255})
    with pytest.raises(ValueError, match="say what 255 means with mask_values"):
        load_dataset(folder)
    data = load_dataset(folder, mask_values={0: 0, 1: 1, 255: 1})
    for subset in data.subsets.values():
        for mask in subset.masks:
            np.testing.assert_array_equal(mask, np.eye(8))


def test_sizes_that_differ_need_a_size(pairs, gray):
    name = "ID_0002_Z_0009.png"
    folder = pairs(images={name: gray(9, (8, 12))}, masks={name: np.ones((8, 12), np.uint8)})
    with pytest.raises(ValueError, match=rf"{name}' is 8×12 but 'ID_0000_Z_0009\.png' is 8×8; pass size"):
        load_dataset(folder)
    data = load_dataset(folder, size=16)
    assert data.train.images.shape[1:] == (16, 16, 1)
    assert data.train.masks.shape[1:] == (16, 16)


def test_resizing_scales_the_spacing(write_folder):
    import nibabel

    folder = write_folder("set/images", {}), write_folder("set/masks", {})
    for k in range(3):
        image = np.random.default_rng(k).integers(-1000, 100, (8, 4, 1)).astype(np.int16)
        for path, array in zip(folder, (image, (image > -500).astype(np.int16)), strict=True):
            nibabel.save(nibabel.Nifti1Image(array, np.diag([-0.6, -0.8, 1, 1])), path / f"P{k}.nii.gz")
    data = load_dataset(folder[0].parent, size=16)
    np.testing.assert_allclose(data.train.spacing, [[0.8 * 4 / 16, 0.6 * 8 / 16]], rtol=1e-6)


def test_gray_saved_as_rgb_is_gray_and_color_among_gray_is_an_error(pairs, gray):
    name = "ID_0002_Z_0009.png"
    three_channels = np.repeat(gray(77)[..., None], 3, axis=-1)
    assert load_dataset(pairs(images={name: three_channels})).train.images.shape[-1] == 1
    with pytest.raises(ValueError, match=rf"{name}' has color"):
        load_dataset(pairs(images={name: gray(77, (8, 8, 3))}))


def test_a_folder_larger_than_the_memory_is_refused_with_the_way_to_read_it(pairs, monkeypatch):
    from types import SimpleNamespace

    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(ValueError, match=r"'2d_images' takes .* GB are free; read a batch.*stream_pairs"):
        load_dataset(pairs())


def test_the_patient_pattern_reaches_the_split(pairs):
    with pytest.raises(ValueError, match=r"2 patient\(s\) \(0009, 0010\)"):
        load_dataset(pairs(), patient_pattern=r"Z_(\d+)")


@pytest.mark.parametrize("names", [("2d_images", "2d_masks"), ("images", "masks"), ("imagesTr", "labelsTr")])
def test_layouts_are_recognized(tmp_path, names):
    for name in names:
        (tmp_path / name).mkdir()
    assert recognize_layout(tmp_path) == ("pairs", (tmp_path / names[0], tmp_path / names[1]))


def test_a_name_that_breaks_the_pattern_is_asked_about_or_left_out(pairs, gray):
    odd = {"ID_0002_copy.png": gray(70)}
    folder = pairs(images=odd, masks={"ID_0002_copy.png": np.eye(8, dtype=np.uint8)})
    with pytest.raises(ValueError, match=r"whose picture is 'ID_0002_copy'\? 1 of 9 names.*patient_pattern"):
        load_dataset(folder)
    data = load_dataset(folder, problems="leave_out")
    assert data.report[-1] == "2 files left out: 2d_images/ID_0002_copy.png, 2d_masks/ID_0002_copy.png"
    assert sum(len(load_dataset(folder, patient_pattern=r"(ID_\d+)").subsets[name]) for name in data.subsets) == 9


@pytest.mark.parametrize(("value", "dtype"), [(-1, np.int8), (-100, np.int16), (0.5, np.float32), (1.5, np.float64)])
def test_masks_with_what_is_no_class_index_make_no_dataset(disks, value, dtype):
    data = disks()
    masks = data.train.masks.astype(dtype)
    masks[0, 0, 0] = value
    with pytest.raises(ValueError, match=rf"the masks of train hold {value}, which is no class index"):
        dataclasses.replace(data, train=dataclasses.replace(data.train, masks=masks))


# --- the LIDC layout --------------------------------------------------------------------------

READERS = (".###", "..##", "..##", "...#")  # marks per pixel: 0, 1, 3, 4


@pytest.fixture
def lidc(write_folder, gray, draw):
    for k in range(3):
        for z in (2, 10):
            nodule = f"set/LIDC-{k}/nodule-0"
            folder = write_folder(f"{nodule}/images", {f"slice-{z}.png": gray(10 * k + z, 4)})
            for r, row in enumerate(READERS):
                write_folder(f"{nodule}/mask-{r}", {f"slice-{z}.png": draw(row, "....", "....", "....") * 255})
    return folder.parents[2]


@pytest.mark.parametrize(("consensus", "row"), [(1, ".###"), (2, "..##"), (3, "..##"), (4, "...#")])
def test_consensus_counts_the_readers(lidc, draw, consensus, row):
    data = load_dataset(lidc, consensus=consensus)
    for subset in data.subsets.values():
        for mask, readers in zip(subset.masks, subset.readers, strict=True):
            np.testing.assert_array_equal(mask, draw(row, "....", "....", "...."))
            np.testing.assert_array_equal(readers, [draw(r, "....", "....", "....") for r in READERS])
    assert f"at least {consensus} of 4 readers" in str(data)


def test_lidc_patients_and_cases_come_from_the_folders(lidc):
    data = load_dataset(lidc)
    assert [len(subset) for subset in data.subsets.values()] == [2, 2, 2]
    patient = data.train.patients[0]
    assert data.train.case_ids.tolist() == [f"{patient}/nodule-0/slice-2", f"{patient}/nodule-0/slice-10"]


def test_lidc_is_resized_with_its_readers(lidc):
    data = load_dataset(lidc, size=8)
    assert data.train.images.shape == (2, 8, 8, 1)
    assert data.train.readers.shape == (2, 4, 8, 8)
    assert data.train.masks[0].sum() == 2 * 4  # two pixels doubled both ways


def test_too_many_readers_asked_for(lidc):
    with pytest.raises(ValueError, match=r"consensus of 5 readers.*4 mask folders"):
        load_dataset(lidc, consensus=5)


def test_a_reader_mask_that_is_missing_is_named(lidc):
    (lidc / "LIDC-1/nodule-0/mask-2/slice-10.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"LIDC-1/nodule-0/mask-2/slice-10\.png"):
        load_dataset(lidc)


def test_a_reader_mask_of_another_size_is_named(lidc, write_folder, draw):
    write_folder("set/LIDC-1/nodule-0/mask-2", {"slice-10.png": draw("..", "..")})
    with pytest.raises(ValueError, match=r"mask-2/slice-10\.png' has another size"):
        load_dataset(lidc)


def test_the_real_lidc_slices(shared_data):
    data = load_dataset(shared_data / "lidc_slices" / "LIDC-IDRI-slices")
    subsets = data.subsets.values()
    assert sum(len(subset) for subset in subsets) == 2272
    assert sum(len(subset.patients) for subset in subsets) == 200
    assert all(subset.images.shape[1:] == (128, 128, 1) for subset in subsets)
    assert all(subset.readers.shape[1] == 4 for subset in subsets)
    empty = sum(int((~subset.masks.any(axis=(1, 2))).sum()) for subset in subsets)
    assert 0.3 < empty / 2272 < 0.37  # no pixel that two of four readers marked


def test_volume_among_pairs_is_refused_by_name(tmp_path):
    for kind, values in (("images", np.linspace(0, 1, 3 * 16 * 16)), ("masks", np.arange(3 * 16 * 16) % 2)):
        (tmp_path / kind).mkdir()
        np.save(tmp_path / kind / "P1_Z_1.npy", values.reshape(3, 16, 16))
    with pytest.raises(ValueError, match=r"'P1_Z_1.npy' is a volume of 3×16×16"):
        load_dataset(tmp_path)


def test_nodule_crops_are_the_left_and_the_right_half_of_the_middle_rows():
    masks = np.zeros((2, 128, 128), np.uint8)
    masks[:, 40:90, 10:120] = 1
    masks[0, 50:53, 20:22], masks[1, 70, 100] = 2, 2
    images = np.random.default_rng(0).random((2, 128, 128, 1), np.float32)
    subset = Subset(images, masks, np.array(["P1", "P2"]), np.array(["a", "b"]), np.full((2, 2), 2.5))
    crops = nodule_crops(subset)
    assert crops.images.shape == (4, 64, 64, 1)
    assert crops.case_ids.tolist() == ["a_L", "b_L", "a_R", "b_R"]
    assert crops.patient_ids.tolist() == ["P1", "P2", "P1", "P2"]
    assert [int(mask.sum()) for mask in crops.masks] == [6, 0, 0, 1]
    assert crops.masks[3, 70 - 32, 100 - 64] == 1
    np.testing.assert_array_equal(crops.images[2], images[0, 32:96, 64:])


def test_the_nodule_task_keeps_the_split_and_has_two_classes(tmp_path, monkeypatch):
    monkeypatch.setenv("UNET_DATA_DIR", str(tmp_path))
    whole = load_dataset("phantom", size=64, patients=4, slices=2)
    task = nodule_task(whole, size=32)
    assert task.class_names == ("background", "nodule")
    for name, subset in task.subsets.items():
        assert subset.patients == whole.subsets[name].patients
        assert len(subset) == 2 * len(whole.subsets[name])


def test_the_patients_are_those_that_the_recorded_numbers_were_measured_on():
    """After any change in the phantom, if only of a docstring, measure the results again and write the new key here."""
    assert phantom_version() == "a79fda7ee7"
