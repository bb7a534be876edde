"""Every layout is recognized, loaded with its patients, classes and spacing, and refused by name when it is broken."""

import json

import numpy as np
import pytest
from format_samples import save_nifti

from unet_helpers import load_dataset
from unet_helpers.data import recognize_layout
from unet_helpers.files import DataError, read_file
from unet_helpers.teaching.your_data import default_options


def everything(data):
    """The columns of all three subsets, by case id."""
    rows = {}
    for subset in data.subsets.values():
        for index, case in enumerate(subset.case_ids.tolist()):
            rows[case] = subset[index]
    return rows


def volume(seed, depth=3, air=0.0):
    return np.random.default_rng(seed).integers(1, 1000, (depth, 8, 6)).astype(np.float32) + np.float32(air)


def labels(*values, depth=3):
    """One row of pixels of each value in the first slice."""
    mask = np.zeros((depth, 8, 6), np.uint8)
    for row, value in enumerate(values):
        mask[0, row] = value
    return mask


# --- Medical Segmentation Decathlon ---------------------------------------------------------------


@pytest.fixture
def decathlon(tmp_path):
    """Three volumes of a task with the classes 0, 1 and 2."""

    def make(modality=("MRI",), air=0.0, names=("t_1", "t_2", "t_10"), **changes):
        folder = tmp_path / "Task04"
        for k, name in enumerate(names):
            for kind, array in (("imagesTr", volume(k, 3 + k, air)), ("labelsTr", labels(1, 2, depth=3 + k))):
                (folder / kind).mkdir(parents=True, exist_ok=True)
                if kind == "imagesTr" and len(modality) > 1:
                    array = np.stack([array + 5 * c for c in range(len(modality))], -1)
                save_nifti(folder / kind / f"{name}.nii.gz", array)
                (folder / kind / f"._{name}.nii.gz").write_bytes(b"macOS")
        content = {
            "name": "Toy",
            "modality": {str(i): kind for i, kind in enumerate(modality)},
            "labels": {"0": "background", "1": "front", "2": "back"},
            "training": [{"image": f"./imagesTr/{n}.nii.gz", "label": f"./labelsTr/{n}.nii.gz"} for n in names],
        }
        (folder / "dataset.json").write_text(json.dumps(content | changes))
        return folder

    return make


def test_decathlon_volumes_are_cut_into_slices_of_a_patient_each(decathlon):
    folder = decathlon()
    assert recognize_layout(folder) == ("decathlon", folder)
    data = load_dataset(folder)
    assert data.class_names == ("background", "front", "back")
    rows = everything(data)
    assert sorted(rows) == sorted(
        f"{p}_Z_{z:03d}" for p, depth in (("t_1", 3), ("t_2", 4), ("t_10", 5)) for z in range(depth)
    )
    assert {str(row.patient_ids[0]) for row in rows.values()} == {"t_1", "t_2", "t_10"}
    np.testing.assert_array_equal(rows["t_2_Z_000"].masks[0], labels(1, 2)[0])
    np.testing.assert_allclose(rows["t_2_Z_000"].spacing[0], (0.75, 0.5))
    assert rows["t_2_Z_000"].images.shape == (1, 8, 6, 1)
    assert "Medical Segmentation Decathlon" in data.report[0]
    assert "3 volumes cut into 12 axial slices" in data.report[-1]


def test_mri_is_scaled_by_volume_and_ct_is_windowed(decathlon):
    images = np.concatenate([row.images for row in everything(load_dataset(decathlon())).values()])
    assert images.min() >= 0
    assert images.max() == 1
    assert 0.4 < images.mean() < 0.6
    data = load_dataset(decathlon(modality=("CT",), air=-1000), window=(-500, 1000))
    expected = (volume(1, 4, -1000)[2] + 1000) / 1000
    np.testing.assert_allclose(everything(data)["t_2_Z_002"].images[0, ..., 0], expected, atol=1e-6)
    assert "window -500/1000" in data.report[-1]


def test_several_sequences_are_channels(decathlon):
    data = load_dataset(decathlon(modality=("FLAIR", "T1w")), size=16)
    assert data.train.images.shape[1:] == (16, 16, 2)
    np.testing.assert_allclose(data.train.spacing[0], (0.75 * 8 / 16, 0.5 * 6 / 16))


def test_only_the_first_volumes_are_read_when_asked(decathlon):
    names = ("a", "b", "c", "d")
    data = load_dataset(decathlon(names=names), volumes=3)
    assert {str(row.patient_ids[0]) for row in everything(data).values()} == {"a", "b", "c"}


def test_a_volume_that_dataset_json_does_not_list_is_reported(decathlon):
    folder = decathlon()
    save_nifti(folder / "imagesTr" / "more.nii.gz", volume(9))
    assert "1 files of imagesTr left out, dataset.json does not list them: more.nii.gz" in str(load_dataset(folder))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training": [{"image": "../../secret.nii.gz", "label": "x"}]}, r"names '\.\./\.\./secret\.nii\.gz', outside"),
        ({"training": [{"image": "/etc/passwd", "label": "x"}]}, "names '/etc/passwd', outside"),
        ({"training": 3}, "cannot be read as that of a Decathlon task"),
        ({"labels": {"background": 0}}, "cannot be read as that of a Decathlon task"),
        ({"training": []}, "holds no volume"),
        ({"labels": {"0": "background", "1": "front"}}, r"mask 't_1\.nii\.gz'.*\[2\] means nothing"),
    ],
)
def test_a_broken_dataset_json_is_named(decathlon, changes, said):
    with pytest.raises(DataError, match=said):
        load_dataset(decathlon(**changes))


def test_a_volume_that_is_missing_truncated_or_of_another_shape_is_named(decathlon):
    folder = decathlon()
    path = folder / "labelsTr" / "t_2.nii.gz"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"t_2\.nii\.gz' cannot be read as nii\.gz"):
        load_dataset(folder)
    save_nifti(path, labels(1, depth=2))
    with pytest.raises(DataError, match=r"mask 't_2\.nii\.gz' is 2×8×6 but 't_2\.nii\.gz' is 4×8×6"):
        load_dataset(folder)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"labelsTr/t_2\.nii\.gz"):
        load_dataset(folder)


def test_more_than_the_memory_holds_is_said_before_it_is_read(decathlon, monkeypatch):
    from types import SimpleNamespace

    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(DataError, match=r"GB to load and 0\.0 GB are free; pass a smaller size"):
        load_dataset(decathlon())


# --- BraTS ----------------------------------------------------------------------------------------


@pytest.fixture
def brats(tmp_path):
    folder = tmp_path / "MICCAI_BraTS2020_TrainingData"
    for k in range(1, 4):
        patient = f"BraTS20_Training_{k:03d}"
        (folder / patient).mkdir(parents=True)
        for c, kind in enumerate(("flair", "t1", "t1ce", "t2")):
            save_nifti(folder / patient / f"{patient}_{kind}.nii", volume(k) * (c + 1))
        save_nifti(folder / patient / f"{patient}_seg.nii", labels(1, 2, 4))
    (folder / "survival_info.csv").write_text("id,age\n")
    return folder


def test_brats_has_four_channels_and_label_4_is_class_3(brats):
    assert recognize_layout(brats) == ("brats", brats)
    data = load_dataset(brats)
    assert data.train.images.shape == (3, 8, 6, 4)
    assert data.class_names == ("background", "necrotic core", "edema", "enhancing tumor")
    row = everything(data)["BraTS20_Training_002_Z_000"]
    np.testing.assert_array_equal(row.masks[0], labels(1, 2, 3)[0])
    assert "labels 0, 1, 2, 4 are the classes 0, 1, 2, 3" in str(data)


def test_a_missing_sequence_is_named(brats):
    (brats / "BraTS20_Training_002/BraTS20_Training_002_t1ce.nii").unlink()
    with pytest.raises(FileNotFoundError, match=r"BraTS20_Training_002/BraTS20_Training_002_t1ce\.nii"):
        load_dataset(brats)


def test_a_sequence_on_another_grid_and_an_unknown_label_are_named(brats):
    path = brats / "BraTS20_Training_003/BraTS20_Training_003_t2.nii"
    save_nifti(path, volume(1), spacing=(3.0, 1.5, 0.5))
    with pytest.raises(DataError, match=r"BraTS20_Training_003_t2\.nii' has another shape or spacing"):
        load_dataset(brats)
    save_nifti(path, volume(1))
    save_nifti(brats / "BraTS20_Training_001/BraTS20_Training_001_seg.nii", labels(3))
    with pytest.raises(DataError, match=r"mask 'BraTS20_Training_001_seg\.nii'.*\[3\] means nothing"):
        load_dataset(brats)


# --- folders of volumes ---------------------------------------------------------------------------


def test_two_folders_of_nifti_volumes_are_cut_into_slices(tmp_path):
    for k in range(3):
        for kind, array in (("images", volume(k, air=-1000)), ("masks", labels(1))):
            (tmp_path / "set" / kind).mkdir(parents=True, exist_ok=True)
            save_nifti(tmp_path / "set" / kind / f"P{k}.nii.gz", array)
    layout, _ = recognize_layout(tmp_path / "set")
    assert layout == "volumes"
    data = load_dataset(tmp_path / "set")
    assert len(data.train) == 3
    assert data.class_names == ("background", "class 1")
    assert "window -600/1500" in data.report[-1]
    (tmp_path / "set/masks/P2.nii.gz").unlink()
    with pytest.raises(DataError, match="1 image without a mask"):
        load_dataset(tmp_path / "set")


# --- x.png beside x_mask.png ----------------------------------------------------------------------


def test_masks_beside_their_images_are_loaded(write_folder, gray, draw):
    names = [f"ID_{k}_Z_{z}" for k in range(3) for z in (1, 2)]
    files = {f"{name}.png": gray(i, 4) for i, name in enumerate(names)}
    files |= {f"{name}_mask.png": draw("....", ".##.", ".##.", "....") * 255 for name in names}
    folder = write_folder("mixed", files)
    assert recognize_layout(folder) == ("suffixes", folder)
    data = load_dataset(folder)
    assert data.name == "mixed"
    assert "x_mask is the mask of x" in data.report[0]
    assert sorted(everything(data)) == names
    assert {patient for subset in data.subsets.values() for patient in subset.patients} == {"ID_0", "ID_1", "ID_2"}
    (folder / "ID_1_Z_2_mask.png").unlink()
    with pytest.raises(DataError, match=r"(?s)1 image without a mask:\s+ID_1_Z_2\.png"):
        load_dataset(folder)


@pytest.mark.parametrize(
    ("folders", "patients"),
    [
        (["P0", "P1", "P2", "P3"], {"P0", "P1", "P2", "P3"}),
        (["case_01", "case_02", "case_10"], {"case_01", "case_02", "case_10"}),
        (["007", "008", "009"], {"007", "008", "009"}),
        # neither a hospital nor a grade nor a visit is a person, and these names of pictures tell none
        (["site1", "site2", "site3"], None),
        (["grade_1", "grade_2", "grade_3"], None),
        (["visit1", "visit2", "visit3"], None),
        (["benign", "malignant"], None),
    ],
)
def test_a_numbered_folder_with_masks_beside_its_images_is_a_patient(write_folder, gray, draw, folders, patients):
    for i, name in enumerate(folders):
        for k in range(3):
            mask = draw("....", ".##.", ".##.", "....") * 255
            write_folder(f"set/{name}", {f"{k}.png": gray(10 * i + k, 4), f"{k}_mask.png": mask})
    data = load_dataset(write_folder("set", {}))
    assert "folders in which x_mask is the mask of x" in data.report[0]
    sides = [set(subset.patients) for subset in data.subsets.values()]
    assert sum(map(len, sides)) == len(set.union(*sides)) == (len(patients) if patients else 3 * len(folders))
    if patients:
        assert set.union(*sides) == patients


# --- DSB2018 --------------------------------------------------------------------------------------


@pytest.fixture
def dsb(write_folder, gray, draw):
    """Three images of two nuclei; in the second image they share a pixel."""
    for k in range(3):
        write_folder(f"stage1/n{k}/images", {f"n{k}.png": gray(k, (2, 4, 4))})
        first, second = draw("#...", "#..."), draw("##.." if k == 1 else "..#.", "....")
        write_folder(f"stage1/n{k}/masks", {"a.png": first * 255, "b.png": second * 255})
    return write_folder("stage1", {})


def test_nuclei_are_merged_and_their_numbers_kept(dsb, draw):
    assert recognize_layout(dsb) == ("dsb2018", dsb)
    data = load_dataset(dsb)
    rows = everything(data)
    np.testing.assert_array_equal(rows["n0"].instances[0], draw("1.2.", "1..."))
    np.testing.assert_array_equal(rows["n0"].masks[0], draw("#.#.", "#..."))
    np.testing.assert_array_equal(rows["n1"].instances[0], draw("22..", "1..."))
    assert "3 images with 6 objects" in str(data)
    assert "1 pixels in two objects" in str(data)
    assert data.train.images.shape == (1, 2, 4, 3)  # noise in three colors; alpha is dropped


def test_a_nucleus_mask_of_another_size_and_a_missing_one_are_named(dsb, write_folder, draw):
    write_folder("stage1/n1/masks", {"c.png": draw("..", "..")})
    with pytest.raises(DataError, match=r"mask 'n1/masks/c\.png' has another size"):
        load_dataset(dsb)
    for path in (dsb / "n1/masks").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="'n1' holds 1 images and 0 masks"):
        load_dataset(dsb)


def test_images_of_several_sizes_need_a_size_and_lost_objects_are_counted(dsb, write_folder, gray, draw):
    write_folder("stage1/n3/images", {"n3.png": gray(3, 64)})
    dot = np.zeros((64, 64), np.uint8)
    dot[0, 0] = 255
    write_folder("stage1/n3/masks", {"a.png": dot})
    with pytest.raises(DataError, match="several sizes; pass size"):
        load_dataset(dsb)
    data = load_dataset(dsb, size=16)
    assert data.train.instances.shape[1:] == (16, 16)
    assert "1 objects vanished at 16×16" in str(data)


def test_the_real_nuclei(shared_data):
    folder = shared_data / "dsb2018" / "stage1_train"
    if not folder.is_dir():
        pytest.skip("no DSB2018 sample among the real data")
    with pytest.raises(DataError, match="several sizes; pass size"):
        load_dataset(folder)
    options = default_options(folder)
    data = load_dataset(folder, **options)
    assert sum(len(subset) for subset in data.subsets.values()) == 120
    first = data.train
    assert first.images.shape[1:] == (128, 128, 3)  # some are stained tissue in color
    np.testing.assert_array_equal(first.masks, first.instances > 0)
    assert first.instances.max() > 20


# --- a layout is not guessed too widely -----------------------------------------------------------


def square(row, column, value=255):
    mask = np.zeros((16, 16), np.uint8)
    mask[row : row + 4, column : column + 4] = value
    return mask


def write_pictures(write_folder, gray, names, masks, images="images", shape=16):
    """One picture per name, and ``masks``: from the name to {path below the root: mask}."""
    for k, name in enumerate(names):
        write_folder(f"set/{images.format(name)}", {f"{name}.png": gray(k, shape)})
        for path, mask in masks(name).items():
            folder, _, file = f"set/{path}".rpartition("/")
            root = write_folder(folder, {file: mask})
    while root.name != "set":
        root = root.parent
    return root


NAMES = [f"P{k}_Z_1" for k in range(4)]


@pytest.mark.parametrize(
    "classes", [("heart", "left_lung"), ("0", "1", "2"), ("b", "a"), ("lung",), ("K 1", "K 10", "K 9")]
)
def test_one_folder_of_masks_for_each_class(write_folder, gray, classes):
    folder = write_pictures(
        write_folder,
        gray,
        NAMES,
        lambda name: {f"masks/{c}/{name}.png": square(5 * i, 5 * i) for i, c in enumerate(classes)},
    )
    data = load_dataset(folder)
    assert sorted(data.class_names[1:]) == sorted(classes)
    for index in range(len(classes)):
        at = 5 * sorted(range(len(classes)), key=lambda i: data.class_names.index(classes[i]))[index] + 1
        assert (data.train.masks[:, at, at] == index + 1).all()
    assert "one folder of masks for each class" in data.report[0]


@pytest.mark.parametrize("classes", [("heart", "left_lung"), ("lung", "nodule"), ("liver", "spleen", "kidney")])
def test_one_mask_file_for_each_class(write_folder, gray, classes):
    def masks(name):
        missing = classes[-1] if name == "P3_Z_1" else None
        return {f"{name}/masks/{c}.png": square(5 * i, 5 * i) for i, c in enumerate(classes) if c != missing}

    data = load_dataset(write_pictures(write_folder, gray, NAMES, masks, images="{}/images"))
    assert data.class_names == ("background", *sorted(classes))
    assert sorted(p for subset in data.subsets.values() for p in subset.patients) == NAMES
    assert "1 files of a class are not there" in str(data)
    everyone = np.concatenate([subset.masks for subset in data.subsets.values()])
    assert set(np.unique(everyone)) == set(range(len(classes) + 1))


def test_objects_whose_names_come_back_are_objects_and_the_runner_up_is_said_and_can_be_named(dsb):
    data = load_dataset(dsb)
    assert data.class_names == ("background", "object")
    assert "it could also be: one folder per image with one mask file for each class (layout='class_files')" in str(
        data
    )
    assert load_dataset(dsb, layout="class_files").class_names == ("background", "a", "b")
    with pytest.raises(DataError, match="is not laid out as 'brats'"):
        load_dataset(dsb, layout="brats")
    with pytest.raises(DataError, match=r"layout is 'dsb'; choose one of 'nnunet', "):
        load_dataset(dsb, layout="dsb")


@pytest.mark.parametrize("values", [(1, 2), (1, 2, 3), (85, 170)])
def test_a_mask_of_several_classes_is_no_object(write_folder, gray, values):
    def masks(name):
        return {f"{name}/masks/{name}.png": sum(square(5 * i, 5 * i, v) for i, v in enumerate(values)).astype(np.uint8)}

    folder = write_pictures(write_folder, gray, NAMES, masks, images="{}/images")
    options = {"mask_values": {0: 0, **{v: i + 1 for i, v in enumerate(values)}}} if max(values) > 20 else {}
    data = load_dataset(folder, **options)
    assert data.num_classes == len(values) + 1
    assert "one folder per patient" in data.report[0]
    for path in folder.glob("*/masks/*.png"):
        path.rename(path.with_name("a.png"))
    with pytest.raises(DataError, match=r"masks/a\.png' holds the values .* but a file is one object here"):
        load_dataset(folder)


@pytest.mark.parametrize(
    "sides", [("train", "val", "test"), ("Train", "Valid", "Test"), ("train", "test"), ("training", "val")]
)
@pytest.mark.parametrize("count", [1, 6])
def test_train_and_test_folders_are_the_split(write_folder, gray, sides, count):
    for k, side in enumerate(sides):
        for p in range(6 if k == 0 else count):
            write_folder(f"set/{side}/images", {f"{side}{p}_Z_1.png": gray(10 * k + p, 16)})
            folder = write_folder(f"set/{side}/masks", {f"{side}{p}_Z_1.png": square(1, 1, 1) + square(9, 9, 2)})
    data = load_dataset(folder.parents[1])
    assert data.num_classes == 3
    by_side = {
        name: {patient.split("_")[0].rstrip("0123456789") for patient in s.patients} for name, s in data.subsets.items()
    }
    assert by_side["train"] == {sides[0]}
    named = {"val": "validation", "Valid": "validation", "test": "test", "Test": "test"}
    for side in sides[1:]:
        assert by_side[named[side]] == {side}
    assert all(len(subset) for subset in data.subsets.values())
    assert "folders train, validation, test" in data.report[0]


def test_a_patient_in_train_and_in_test_is_refused(write_folder, gray):
    for k, side in enumerate(("train", "test")):
        for p in range(3):
            write_folder(f"set/{side}/images", {f"P{p + k}_Z_{k}.png": gray(10 * k + p, 16)})
            folder = write_folder(f"set/{side}/masks", {f"P{p + k}_Z_{k}.png": square(1, 1)})
    with pytest.raises(DataError, match=r"share patients: 2 patient\(s\).*P1, P2.*patient_pattern"):
        load_dataset(folder.parents[1])


def test_a_folder_above_known_ones_names_them(tmp_path):
    for center in ("north", "south"):
        for kind, array in (("images", volume(1)), ("masks", labels(1))):
            (tmp_path / "all" / center / kind).mkdir(parents=True)
            save_nifti(tmp_path / "all" / center / kind / "v1.nii.gz", array)
    with pytest.raises(
        DataError, match=r"folders have \(north, south\): name one of them, as load_dataset\('all/north'\)"
    ):
        load_dataset(tmp_path / "all")


@pytest.mark.parametrize(("folders", "patients"), [("P{}", ["P0", "P1", "P2"]), ("batch{}", ["A1", "A2", "A3"])])
def test_a_folder_per_patient_is_a_patient_unless_it_is_called_a_batch(write_folder, gray, folders, patients):
    for k in range(3):
        for z in range(3):
            name = f"A{(k + z) % 3 + 1}_Z_{k}{z}.png"
            write_folder(f"set/{folders.format(k)}/images", {name: gray(10 * k + z, 16)})
            root = write_folder(f"set/{folders.format(k)}/masks", {name: square(3, 3)})
    data = load_dataset(root.parents[1])
    assert sorted(p for subset in data.subsets.values() for p in subset.patients) == patients


@pytest.mark.parametrize(
    "place",
    [
        "P{p}/images/{z}.png P{p}/masks/{z}.png",
        "batch{p}/images/A{p}_Z_{z}.png batch{p}/masks/A{p}_Z_{z}.png",
        "part{p}/images/A7_Z_{z}.png part{p}/masks/A7_Z_{z}.png",
    ],
)
def test_slices_of_one_name_in_several_folders_all_stay_with_names_of_their_own(write_folder, gray, place):
    for p in range(4):
        for z in range(3):
            image, mask = place.format(p=p, z=z).split()
            folder = write_folder("set", {image: gray(10 * p + z, 16), mask: square(3, 3)})
    data = load_dataset(folder)
    cases = [case for subset in data.subsets.values() for case in subset.case_ids.tolist()]
    assert len(cases) == len(set(cases)) == 12
    assert sum(len(subset.patients) for subset in data.subsets.values()) == 4


# --- several masks of a picture, and Cellpose -----------------------------------------------------


@pytest.mark.parametrize(
    "ends", [("_mask", "_mask_1"), ("_mask", "_mask_1", "_mask_2"), ("_seg", "_seg-2"), ("_mask_0", "_mask_1")]
)
@pytest.mark.parametrize("below", ["", "benign/"])
def test_several_masks_of_a_picture_are_merged(write_folder, gray, ends, below):
    for k in range(1, 4):
        files = {f"benign ({k}){end}.png": square(5 * i, 5 * i) for i, end in enumerate(ends if k == 2 else ends[:1])}
        folder = write_folder(f"set/{below}", {f"benign ({k}).png": gray(k, 16), **files})
    data = load_dataset(folder.parent if below else folder)
    areas = {
        case: int(mask.sum())
        for s in data.subsets.values()
        for case, mask in zip(s.case_ids.tolist(), s.masks, strict=True)
    }
    assert areas == {f"{below}benign ({k})": 16 * (len(ends) if k == 2 else 1) for k in range(1, 4)}
    assert "pictures with several masks" in data.report[-1]


@pytest.mark.parametrize("end", ["_masks.tif", "_cp_masks.png", "_masks.png", "_cp_masks.tif", "_masks.npy"])
def test_cellpose_objects_keep_their_numbers(tmp_path, end):
    from format_samples import save_any

    for k in range(4):
        numbered = np.zeros((16, 16), np.uint16)
        numbered[2:5, 2:5], numbered[8:12, 8:12] = 1, 300
        save_any(tmp_path / f"cell{k}.png", np.random.default_rng(k).integers(0, 255, (16, 16)).astype(np.uint8))
        save_any(tmp_path / f"cell{k}{end}", numbered)
        np.save(tmp_path / f"cell{k}_seg.npy", {"masks": numbered}, allow_pickle=True)
    assert recognize_layout(tmp_path)[0] == "cellpose"
    data = load_dataset(tmp_path)
    assert data.class_names == ("background", "object")
    assert set(np.unique(data.train.instances)) == {0, 1, 2}
    assert "4 images with 8 objects" in str(data)
    assert "4 files left out: cell0_seg.npy" in str(data)


def test_a_dictionary_of_cellpose_is_not_opened_but_named(write_folder, gray, tmp_path):
    folder = write_folder("set", {f"cell{k}.png": gray(k) for k in range(3)})
    for k in range(3):
        np.save(folder / f"cell{k}_seg.npy", {"masks": gray(k)}, allow_pickle=True)
    with pytest.raises(
        DataError, match=r"'cell0_seg\.npy' is a dictionary of Cellpose.*save the masks in Cellpose as TIFF"
    ):
        load_dataset(folder)


# --- what lies in the folders ---------------------------------------------------------------------


@pytest.mark.parametrize("hidden", ["._n0.png", ".DS_Store", "._Thumbs.db", "._a.png", ".a.png"])
def test_hidden_files_of_a_mac_are_no_data_in_any_layout(dsb, lidc_folder, hidden):
    for root in (dsb, lidc_folder):
        before = sorted(everything(load_dataset(root, layout=None)))
        for folder in [path for path in root.rglob("*") if path.is_dir()]:
            (folder / hidden).write_bytes(b"Mac OS X")
        assert sorted(everything(load_dataset(root))) == before


@pytest.fixture
def lidc_folder(write_folder, gray):
    for k in range(3):
        for kind in ("images", "mask-0", "mask-1"):
            root = write_folder(
                f"lidc/L{k}/nodule-0/{kind}", {"slice-1.png": gray(k, 16) if kind == "images" else square(2, 2)}
            )
    return root.parents[2]


@pytest.mark.parametrize("end", [".PNG", ".tif", ".jpg", ".npy"])
def test_slices_of_any_format_are_read_and_what_is_not_is_said(lidc_folder, write_folder, gray, end):
    from format_samples import save_any

    nodule = lidc_folder / "L1/nodule-0"
    save_any(nodule / f"images/slice-2{end.lower()}", gray(9, 16))
    for reader in ("mask-0", "mask-1"):
        save_any(nodule / f"{reader}/slice-2{end.lower().replace('jpg', 'npy')}", square(2, 2))
        if end == ".jpg":
            (nodule / f"{reader}/slice-2.npy").rename(nodule / f"{reader}/slice-2.jpg")
            save_any(nodule / f"{reader}/slice-2.jpg", square(2, 2))
    if end == ".PNG":
        for path in nodule.glob("*/slice-2.png"):
            path.rename(path.with_suffix(end))
    (nodule / "mask-0/slice-7.png").write_bytes((nodule / "mask-0/slice-1.png").read_bytes())
    (nodule / "images/notes.txt").write_text("x")
    data = load_dataset(lidc_folder)
    assert "L1/nodule-0/slice-2" in everything(data)
    assert "2 files left out: L1/nodule-0/images/notes.txt, L1/nodule-0/mask-0/slice-7.png" in str(data)


@pytest.mark.parametrize("names", [None, ("background", "front", "back")])
def test_each_file_of_a_folder_of_volumes_is_read_once(tmp_path, monkeypatch, names):
    from unet_helpers.data import volume_folders

    for k in range(3):
        for kind, array in (("images", volume(k)), ("masks", labels(1, 2))):
            (tmp_path / f"set/{kind}").mkdir(parents=True, exist_ok=True)
            save_nifti(tmp_path / f"set/{kind}/v{k}.nii.gz", array)
    read = []

    def counted(path, as_mask=False):
        read.append(path)
        return read_file(path, as_mask)

    monkeypatch.setattr(volume_folders, "read_file", counted)
    assert load_dataset(tmp_path / "set", class_names=names).num_classes == 3
    assert len(read) == len(set(read)) == 6
