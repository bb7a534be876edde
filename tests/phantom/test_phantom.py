"""What is claimed about the phantom: same seed same bits, true HU, true masks, a scanner that is right on average."""

import numpy as np
import pytest
from scipy import stats
from skimage.measure import label
from skimage.transform import iradon, radon

from unet_helpers.phantom import Acquisition, Nodule, make_patient, make_patients, scanner

QUIET = Acquisition(photons=1e9, field_of_view=360)  # so many photons that the noise is far below 1 HU


@pytest.fixture(scope="module")
def patients():
    return make_patients(8)


@pytest.fixture(scope="module")
def quiet_patients():
    return [make_patient(0, index=index, acquisition=QUIET) for index in range(3)]


def random_disk(n, rng):
    y, x = np.mgrid[:n, :n] - n // 2
    return np.where(x**2 + y**2 <= (n // 2) ** 2, rng.random((n, n)), 0)


def water(n, pixel, radius, center=(0, 0)):
    """HU (n, n) of a disk of water in air, its edge soft over one pixel."""
    y, x = (np.mgrid[:n, :n] - n // 2) * pixel
    inside = np.clip(0.5 - (np.hypot(x - center[0], y - center[1]) - radius) / pixel, 0, 1)
    return 1000 * (inside - 1)


# ---------------------------------------------------------------- patients


def test_same_seed_gives_same_bits(patients):
    again = make_patient(0, index=3)
    assert again.volume.tobytes() == patients[3].volume.tobytes()
    assert again.masks.tobytes() == patients[3].masks.tobytes()
    assert again.nodules == patients[3].nodules
    assert again.anatomy == patients[3].anatomy


def test_asking_for_fewer_patients_gives_the_first_ones(patients):
    for few, many in zip(make_patients(2), patients, strict=False):
        np.testing.assert_array_equal(few.volume, many.volume)


def test_other_seed_and_other_index_give_other_patients(patients):
    other = make_patient(1, index=0)
    assert other.anatomy != patients[0].anatomy
    assert len({patient.anatomy.lung_length for patient in patients}) == len(patients)


def test_arrays_have_the_promised_shapes_and_types(patients):
    for index, patient in enumerate(patients):
        assert patient.patient_id == f"P{index + 1:03d}"
        assert patient.volume.shape == patient.masks.shape == (8, 128, 128)
        assert patient.volume.dtype == np.float32
        assert patient.masks.dtype == np.uint8
        assert 20 < patient.spacing[0] < 35
        assert 2.5 <= patient.spacing[1] == patient.spacing[2] <= 420 / 128


def test_other_sizes_and_numbers_of_slices_show_the_same_patient(patients):
    small = make_patient(0, index=2, size=64, slices=3)
    assert small.volume.shape == (3, 64, 64)
    assert small.anatomy == patients[2].anatomy
    other = make_patient(0, index=2, size=96)
    found = [[(n.kind, n.diameter_mm, round(n.center[0], 3)) for n in p.nodules] for p in (other, patients[2])]
    assert found[0] == found[1]
    area = [(p.masks[0] > 0).sum() * p.spacing[1] * p.spacing[2] for p in (small, patients[2])]
    assert area[0] == pytest.approx(area[1], rel=0.06)


def test_hu_are_stored_as_whole_numbers(patients):
    for patient in patients:
        np.testing.assert_array_equal(patient.volume, np.rint(patient.volume))


def test_masks_hold_background_lung_and_nodule_and_both_lungs(patients):
    for patient in patients:
        assert set(np.unique(patient.masks)) <= {0, 1, 2}
        for mask in patient.masks[1:6]:
            sizes = np.sort(np.bincount(label(mask > 0).ravel())[1:])
            assert sizes[-2:].sum() > 0.98 * sizes.sum()
            assert sizes[-2] > 0.5 * sizes[-1]


def test_lungs_look_like_lungs_in_area_and_volume(patients):
    for patient in patients:
        litres = (patient.masks > 0).sum() * np.prod(patient.spacing) / 1e6
        assert 2 < litres < 7.5  # adults in inspiration
        area = (patient.masks > 0).mean(axis=(1, 2))
        assert area[0] < area[3]
        assert area[-1] < area[4]


def test_lung_has_the_hu_of_lung(patients):
    for patient in patients:
        lung = patient.volume[patient.masks == 1]
        assert -900 < np.median(lung) < -750
        assert np.percentile(lung, 95) > np.median(lung) + 60  # vessels belong to the lung


def test_back_of_the_lung_is_denser_than_the_front(quiet_patients):
    for patient in quiet_patients:
        rows, values = np.nonzero(patient.masks[4] == 1)[0], patient.volume[4][patient.masks[4] == 1]
        back, front = rows > np.percentile(rows, 75), rows < np.percentile(rows, 25)
        assert np.median(values[back]) > np.median(values[front]) + 15


def test_body_shows_peaks_of_fat_and_muscle(quiet_patients):
    for patient in quiet_patients:
        fat = patient.volume[(patient.volume > -130) & (patient.volume < -70)]
        muscle = patient.volume[0][(patient.volume[0] > 20) & (patient.volume[0] < 80)]
        assert len(fat) > 3000
        assert -120 < np.median(fat) < -80
        assert len(muscle) > 1000
        assert 35 < np.median(muscle) < 65


def test_bone_is_dense_and_air_is_minus_1000(quiet_patients):
    for patient in quiet_patients:
        assert patient.volume.max() > 500
        corner = patient.volume[:, :12, :12]
        assert abs(corner.mean() + 1000) < 5


def test_trachea_is_air_in_the_middle_and_not_lung(quiet_patients):
    for patient in quiet_patients:
        air = label(patient.volume[1] < -800)
        outside, inside = air == air[0, 0], patient.masks[1] > 0
        trachea = (air > 0) & ~outside & ~inside
        trachea[patient.volume[1] < -1100] = False
        area = trachea[30:100, 50:78].sum() * patient.spacing[1] ** 2
        assert 80 < area < 400  # 15 to 20 mm across, less the blurred edge


def test_given_acquisition_scans_the_same_patient(patients):
    sharp = make_patient(0, index=1, acquisition=Acquisition(photons=2e4, kernel="sharp", slice_thickness=5))
    np.testing.assert_array_equal(sharp.masks == 2, patients[1].masks == 2)
    assert (sharp.masks != patients[1].masks).mean() < 1e-3  # thin vessels at the hilum depend on the thickness
    assert sharp.nodules == patients[1].nodules
    assert sharp.anatomy == patients[1].anatomy
    assert (sharp.volume != patients[1].volume).any()


def test_padding_is_written_outside_the_circle_only():
    padded = make_patient(0, index=1, acquisition=Acquisition(padding=-2000))
    plain = make_patient(0, index=1, acquisition=Acquisition())
    y, x = np.mgrid[:128, :128] - 63.5
    outside = x**2 + y**2 > 64**2
    assert (padded.volume[:, outside] == -2000).all()
    np.testing.assert_array_equal(padded.volume[:, ~outside], plain.volume[:, ~outside])


# ---------------------------------------------------------------- nodules


def test_every_nodule_is_in_the_mask_where_the_table_says(patients):
    for patient in patients:
        for nodule in patient.nodules:
            k, row, column = (round(c) for c in nodule.center)
            near = patient.masks[k, row - 1 : row + 2, column - 1 : column + 2]
            assert (near == 2).any(), (patient.patient_id, nodule)


def test_patients_without_nodules_have_none_in_the_mask(patients):
    for patient in patients:
        assert (patient.masks == 2).any() == bool(patient.nodules)


def test_area_of_a_nodule_agrees_with_its_diameter(patients):
    ratios = []
    for patient in patients:
        distance, pixel, _ = patient.spacing
        for nodule in patient.nodules:
            if nodule.attached == "none" and nodule.diameter_mm > 10:
                k = round(nodule.center[0])
                off = (nodule.center[0] - k) * distance
                disk = np.pi * ((nodule.diameter_mm / 2) ** 2 - off**2)
                y, x = np.mgrid[:128, :128]
                own = np.hypot(y - nodule.center[1], x - nodule.center[2]) < 0.75 * nodule.diameter_mm / pixel
                ratios.append(((patient.masks[k] == 2) & own).sum() * pixel**2 / disk)
    assert len(ratios) >= 5
    assert min(ratios) > 0.75
    assert max(ratios) < 1.3
    assert np.mean(ratios) == pytest.approx(1, abs=0.08)


def test_nodule_without_lobes_is_a_sphere():
    nodule = Nodule(None, 12.0, "solid", "none", 30.0, (), ())
    distance = nodule.distance(np.array([0.0, 6.0, 0.0]), 0.0, np.array([0.0, 0.0, 8.0]))
    np.testing.assert_allclose(distance, [-6, 0, 2], atol=1e-5)


def test_kinds_of_nodules_differ_in_hu(patients):
    means = {"solid": [], "ground-glass": []}
    for patient in patients:
        for nodule in patient.nodules:
            if nodule.diameter_mm > 10 and nodule.kind in means:
                k, row, column = (round(c) for c in nodule.center)
                means[nodule.kind].append(patient.volume[k, row - 1 : row + 2, column - 1 : column + 2].mean())
    assert np.median(means["solid"]) > -120
    assert -700 < np.median(means["ground-glass"]) < -350


# ---------------------------------------------------------------- scanner


def test_projection_equals_scikit_image():
    image = random_disk(65, np.random.default_rng(0))
    theta = np.arange(20) * 9.0
    ours = scanner.project(image[None], 20)[0].T
    np.testing.assert_allclose(ours, radon(image, theta), atol=1e-6 * ours.max() * 10)


def test_back_projection_equals_scikit_image():
    sinogram = np.random.default_rng(0).random((65, 20))
    theta = np.arange(20) * 9.0
    expected = iradon(sinogram, theta, output_size=42, circle=False, filter_name="ramp")
    ours = scanner.reconstruct(sinogram.T[None], 42, "ramp")[0]
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("kernel", scanner.KERNELS)
def test_water_reads_0_and_air_minus_1000(kernel):
    n, pixel = scanner.scan_size(128), 2.8
    truth = water(n, pixel, 110, center=(20, -15))
    acquisition = Acquisition(photons=1e6, kernel=kernel)
    image = scanner.scan(truth[None], pixel, acquisition, np.random.default_rng(0), 128)[0]
    first = n // 2 - 64
    truth = truth[first : first + 128, first : first + 128]
    y, x = (np.mgrid[:128, :128] - 64) * pixel
    radius = np.hypot(x - 20, y + 15)
    assert abs(image[radius < 100].mean()) < 2
    assert abs(image[radius > 125].mean() + 1000) < 2
    assert abs(image.mean() - truth.mean()) < 3


def test_reconstruction_keeps_the_mean_of_inserts():
    n, pixel = scanner.scan_size(128), 2.8
    truth = water(n, pixel, 120)
    y, x = (np.mgrid[:n, :n] - n // 2) * pixel
    for center, hu in (((-60, 0), -800), ((60, 0), 300), ((0, 60), -100)):
        truth = np.where(np.hypot(x - center[0], y - center[1]) < 25, hu, truth)
    image = scanner.scan(truth[None], pixel, QUIET, np.random.default_rng(0), 128)[0]
    first = n // 2 - 64
    for center, hu in (((-60, 0), -800), ((60, 0), 300), ((0, 60), -100)):
        inside = (np.hypot(x - center[0], y - center[1]) < 15)[first : first + 128, first : first + 128]
        assert image[inside].mean() == pytest.approx(hu, abs=5)


def noise(photons, kernel="soft"):
    """Standard deviation (HU) in the middle of 25 cm of water."""
    n, pixel = scanner.scan_size(128), 2.8
    truth = np.repeat(water(n, pixel, 125)[None], 2, axis=0)
    image = scanner.scan(truth, pixel, Acquisition(photons, kernel), np.random.default_rng(0), 128)
    return (image[0] - image[1])[44:84, 44:84].std() / np.sqrt(2)


def test_noise_goes_with_the_root_of_the_dose():
    assert noise(2.5e4) / noise(1e5) == pytest.approx(2, rel=0.1)


def test_sharp_kernel_is_noisier_than_soft():
    assert noise(1e5, "sharp") > 1.5 * noise(1e5, "soft")


def test_standard_dose_has_the_noise_of_a_clinical_scan():
    assert 6 < noise(1e5) < 16


@pytest.mark.parametrize("mean", [20, 300, 1e4])
def test_counts_follow_a_poisson_law(mean):
    integrals = np.full((1, 1, 200_000), np.log(1e5 / mean))
    counts = 1e5 * np.exp(-scanner.measure(integrals, 1e5, np.random.default_rng(0)))
    assert counts.mean() == pytest.approx(mean, rel=0.01)
    assert counts.var() == pytest.approx(mean, rel=0.02)
    low = mean - np.sqrt(mean)
    assert (counts <= low).mean() == pytest.approx(stats.poisson.cdf(low, mean), abs=0.01)


def test_starved_detector_gives_no_infinity():
    assert np.isfinite(scanner.measure(np.full((1, 2, 50), 30.0), 1e4, np.random.default_rng(0))).all()


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize("wrong", [{"size": 31}, {"size": 65}, {"slices": 1}, {"index": -1}])
def test_numbers_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make_patient(0, **wrong)


@pytest.mark.parametrize("wrong", [{"photons": 0}, {"kernel": "hard"}, {"angles": 91}, {"slice_thickness": 0}])
def test_wrong_acquisitions_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Acquisition(**wrong)
