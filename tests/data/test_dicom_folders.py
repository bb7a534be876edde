"""Folders of DICOM series with their masks: what belongs together, what the classes are, and what is refused."""

import numpy as np
import pytest
from format_samples import save_dicom, save_nifti, save_segmentation, save_series

from unet_helpers import load_dataset
from unet_helpers.data import recognize_layout
from unet_helpers.files import DataError, read_segmentation

SHAPE = (4, 16, 16)


def hu(number):
    random = np.random.default_rng(number)
    volume = random.integers(-900, 0, SHAPE).astype(np.int16)
    volume[organs(number) > 0] = 100
    return volume + 1024  # the rescale of the samples takes 1024


def organs(number):
    mask = np.zeros(SHAPE, np.uint8)
    mask[0:3, 2:6, 3 : 5 + number] = 1
    mask[1:4, 9:13, 3:9] = 2
    return mask


def nested(folder, number):
    """As The Cancer Imaging Archive has it: patient, study, series."""
    paths = save_series(folder / f"P{number}/study/ct", hu(number), number=number)
    return paths, folder / f"P{number}/study/seg/1.dcm"


def beside(folder, number):
    paths = save_series(folder / f"P{number}", hu(number), number=number)
    return paths, folder / f"P{number}/segmentation.dcm"


def images_and_masks(folder, number):
    paths = save_series(folder / f"images/P{number}", hu(number), number=number)
    return paths, folder / f"masks/P{number}.dcm"


def in_each_patient(folder, number):
    paths = save_series(folder / f"P{number}/images", hu(number), number=number)
    return paths, folder / f"P{number}/masks/seg.dcm"


LAYOUTS = [nested, beside, images_and_masks, in_each_patient]


def check(data, plane="axial"):
    """The slices of each patient with their own mask, in which the organs are at 100 HU."""
    subsets = (data.train, data.validation, data.test)
    assert sum(len(subset.images) for subset in subsets) == 3 * SHAPE[0]
    for subset in subsets:
        level, width = -600, 1500
        bright = (100 - (level - width / 2)) / width
        np.testing.assert_allclose(subset.images[..., 0][subset.masks > 0], bright, atol=1e-6)
        for patient in set(subset.patient_ids):
            of_patient = subset.patient_ids == patient
            np.testing.assert_array_equal(subset.masks[of_patient], organs(int(patient[1:])))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_a_series_gets_the_segmentation_that_was_drawn_on_it(tmp_path, layout, kind):
    for number in (1, 2, 3):
        paths, place = layout(tmp_path, number)
        save_segmentation(place, paths, organs(number), ["liver", "spleen"], kind)
    assert recognize_layout(tmp_path)[0] == "dicom"
    data = load_dataset(tmp_path)
    assert data.class_names == ("background", "liver", "spleen")
    check(data)
    report = "\n".join(data.report)
    assert "liver (in 3 of 3 files), spleen (in 3 of 3 files)" in report
    assert "HU, window -600/1500" in report


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("ends", [".nii.gz", ".nii"])
def test_a_mask_may_be_a_volume_on_the_same_grid(tmp_path, layout, ends):
    for number in (1, 2, 3):
        _, place = layout(tmp_path, number)
        place.parent.mkdir(parents=True, exist_ok=True)
        save_nifti(place.with_suffix(ends), organs(number))
        _moved(place.with_suffix(ends))
    assert recognize_layout(tmp_path)[0] == "dicom"
    data = load_dataset(tmp_path)
    assert data.class_names == ("background", "class 1", "class 2")
    check(data)
    assert load_dataset(tmp_path, class_names=("nothing", "a", "b")).class_names == ("nothing", "a", "b")


def _moved(path, place=(100, 80, 30)):
    """Give a NIfTI the origin of the sample series."""
    import nibabel

    image = nibabel.load(path)
    affine = image.affine.copy()
    affine[:3, 3] = place
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj).copy(), affine), path)


def test_a_volume_elsewhere_is_refused_by_both_places(tmp_path):
    for number in (1, 2, 3):
        _, place = beside(tmp_path, number)
        save_nifti(place.with_suffix(".nii"), organs(number))
        _moved(place.with_suffix(".nii"), (100, 80, 30 + 3 * (number == 2)))
    with pytest.raises(DataError, match=r"mask 'segmentation\.nii' does not lie where 'P2' does"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("plane", ["sagittal", "coronal"])
def test_a_series_in_another_plane_is_cut_into_axial_slices_as_its_nifti_is(tmp_path, plane):
    for number in (1, 2, 3):
        paths = save_series(tmp_path / f"d/P{number}/ct", hu(number), number=number, plane=plane, spacing=(1, 1, 1))
        save_segmentation(tmp_path / f"d/P{number}/seg.dcm", paths, organs(number), ["liver", "spleen"])
    data = load_dataset(tmp_path / "d")
    shapes = {subset.images.shape[1:3] for subset in (data.train, data.validation, data.test)}
    assert shapes == {(16, 4) if plane == "sagittal" else (4, 16)}
    bright = (100 + 600 + 750) / 1500
    for subset in (data.train, data.validation, data.test):
        np.testing.assert_allclose(subset.images[..., 0][subset.masks > 0], bright, atol=1e-6)
        assert (subset.masks == 2).sum() == 3 * 4 * 6 * len(set(subset.patient_ids))


def test_one_label_is_one_class_whatever_its_number(tmp_path):
    for number in (1, 2, 3):
        paths, place = nested(tmp_path, number)
        mask, labels = organs(number), ["liver", "spleen"]
        if number == 2:
            mask, labels = np.array([0, 2, 1], np.uint8)[mask], ["Spleen", "Liver"]
        save_segmentation(place, paths, mask, labels)
    check(load_dataset(tmp_path))
    with pytest.raises(DataError, match=r"segment 1 is 'Spleen' in '1\.dcm' but 'liver' in '1\.dcm'"):
        load_dataset(tmp_path, class_names=("background", "organ"), mask_values={0: 0, 1: 1, 2: 1})
    data = load_dataset(tmp_path, class_names=("background", "spleen", "liver"))
    assert data.class_names[1] == "spleen"
    assert (data.train.masks == 1).sum() == 3 * 4 * 6 * len(set(data.train.patient_ids))
    with pytest.raises(
        DataError, match="class_names are kidney after the background, but the segments are called liver"
    ):
        load_dataset(tmp_path, class_names=("background", "kidney"))


def test_numbers_that_are_the_same_everywhere_may_be_merged(tmp_path):
    for number in (1, 2, 3):
        paths, place = nested(tmp_path, number)
        save_segmentation(place, paths, organs(number), ["liver", "spleen"])
    data = load_dataset(tmp_path, class_names=("background", "organ"), mask_values={0: 0, 1: 1, 2: 1})
    assert set(np.unique(data.train.masks)) == {0, 1}


def write(folder, layout=nested, labels=("liver", "spleen")):
    for number in (1, 2, 3, 4):
        paths, place = layout(folder, number)
        save_segmentation(place, paths, organs(number), list(labels))


def second_series(folder):
    save_series(folder / "P2/study/ct2", hu(2), number=9)


def second_mask(folder):
    paths = sorted((folder / "P2/study/ct").iterdir())
    save_segmentation(folder / "P2/study/other.dcm", paths, organs(1), ["liver", "spleen"])


def mixed_series(folder):
    save_dicom(folder / "P2/study/ct/scout.dcm", hu(2)[0], z=99, series="1.2.99", SOPInstanceUID="1.2.99.1")


def contours(folder):
    tags = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.3", "Modality": "RTSTRUCT"}
    (folder / "P2/study/seg/1.dcm").unlink()
    save_dicom(folder / "P2/study/contours.dcm", hu(2)[0], **tags)


def no_series(folder):
    for path in (folder / "P2/study/ct").iterdir():
        path.unlink()


def cut_mask(folder):
    path = folder / "P2/study/seg/1.dcm"
    path.write_bytes(path.read_bytes()[:300])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (second_series, "series 'P2/study/ct2' has no mask"),
        (second_mask, r"series 'P2/study/ct' has 2 masks \(P2/study/other.dcm, P2/study/seg/1.dcm\); keep one"),
        (mixed_series, "'P2/study/ct' holds the slices of 2 series; move each into a folder of its own"),
        (contours, "'P2/study/contours.dcm' is an RTSTRUCT.*dcmrtstruct2nii"),
        (no_series, "mask 'P2/study/seg/1.dcm' belongs to no series that is there; copy its series"),
        (cut_mask, "'1.dcm' cannot be read"),
    ],
)
def test_what_does_not_fit_is_named_and_left_out_only_when_asked(tmp_path, spoil, said):
    write(tmp_path)
    spoil(tmp_path)
    with pytest.raises(DataError, match=said):
        load_dataset(tmp_path)
    data = load_dataset(tmp_path, problems="leave_out")
    left = 4 if spoil is second_series else 3
    assert len({*data.train.patient_ids, *data.validation.patient_ids, *data.test.patient_ids}) == left
    assert any("left out" in line for line in data.report)


def tilted(paths, k):
    return {"ImageOrientationPatient": [1, 0, 0, 0, 0.966, -0.259]}


def gap(paths, k):
    return {"z": 3.0 * k + 30 + 3 * (k > 1)}


@pytest.mark.parametrize(
    ("spoil", "said"), [(tilted, "gantry tilt"), (gap, "a slice is missing|from the position that")]
)
def test_a_series_that_is_no_regular_volume_is_refused(tmp_path, spoil, said):
    write(tmp_path)
    paths = save_series(tmp_path / "P2/study/ct", hu(2), number=2)
    for k, path in enumerate(paths):
        tags = {"ImagePositionPatient": [-100.0, -80.0, 30 + 3.0 * k], "SOPInstanceUID": f"1.2.3.5.2.{k + 1}"}
        changed = spoil(paths, k)
        if "z" in changed:
            changed = {"ImagePositionPatient": [-100.0, -80.0, changed["z"]]}
        save_dicom(path, hu(2)[k], series="1.2.3.4.2", FrameOfReferenceUID="1.2.3.7.2", **tags | changed)
    with pytest.raises(DataError, match=said):
        load_dataset(tmp_path)


def test_left_out_by_decision_is_no_problem(tmp_path):
    write(tmp_path)
    second_series(tmp_path)
    data = load_dataset(tmp_path, left_out={"P2/study/ct2": "taken twice"})
    assert "left out by decision: P2/study/ct2 (taken twice)" in data.report
    with pytest.raises(DataError, match="left_out names 'P7', and there is no such series"):
        load_dataset(tmp_path, left_out={"P7": "?", "P2/study/ct2": "taken twice"})


def test_one_person_in_two_folders_is_one_patient(tmp_path):
    for number in (1, 2, 3, 4):
        paths = save_series(tmp_path / f"{'abcd'[number - 1]}/ct", hu(number), number=number, PatientID=f"{number % 3}")
        save_segmentation(tmp_path / f"{'abcd'[number - 1]}/seg.dcm", paths, organs(number), ["liver", "spleen"])
    data = load_dataset(tmp_path)
    people = [set(subset.patient_ids) for subset in (data.train, data.validation, data.test)]
    assert sorted(map(len, people)) == [1, 1, 1]
    assert any("share a PatientID" in line for line in data.report)
    assert not any("ID" in case for case in data.train.case_ids)
    data = load_dataset(tmp_path, patient_pattern="^(.)")
    assert len({*data.train.patient_ids, *data.validation.patient_ids, *data.test.patient_ids}) == 4


def test_two_modalities_are_not_scaled_by_one_rule(tmp_path):
    for number in (1, 2, 3):
        modality = "MR" if number == 2 else "CT"
        paths = save_series(tmp_path / f"P{number}/scan", hu(number), number=number, Modality=modality)
        save_segmentation(tmp_path / f"P{number}/seg.dcm", paths, organs(number), ["liver", "spleen"])
    with pytest.raises(DataError, match=r"is CT but .* is MR.*keep the modalities in folders of their own"):
        load_dataset(tmp_path)


def test_slices_in_two_folders_of_pictures_stay_pairs(tmp_path):
    for number in (1, 2, 3):
        for kind, array in (("images", hu(number)[0]), ("masks", organs(number)[0])):
            (tmp_path / kind).mkdir(exist_ok=True)
            save_dicom(tmp_path / kind / f"P{number}_Z_1.dcm", array, RescaleSlope=None, RescaleIntercept=None)
    assert recognize_layout(tmp_path)[0] == "pairs"


def test_a_segmentation_among_its_slices_is_read_alone_too(tmp_path):
    paths, place = beside(tmp_path, 1)
    save_segmentation(place, paths, organs(1), ["liver", "spleen"])
    np.testing.assert_array_equal(read_segmentation(place, tmp_path / "P1").array, organs(1))
