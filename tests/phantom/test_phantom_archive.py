"""What is claimed about the archive's patients: diseases, gas and metal in the image, and only lung in the mask."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from unet_helpers.phantom import Acquisition, make_patient, make_patients, scanner, variety
from unet_helpers.phantom.patients import outside_circle

SIZE, SLICES = 64, 6
FOUR = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]])  # neighbors within a slice
QUIET = Acquisition(photons=1e9, slice_thickness=1.0, field_of_view=360)  # noise far below 1 HU


@pytest.fixture(scope="module")
def patients():
    return make_patients(6, size=SIZE, slices=SLICES, variety="archive")


@pytest.fixture
def scan_with(monkeypatch):
    """One and the same patient with the findings that are named, and no others: ``scan_with(effusion=...)``."""
    plain = {"stomach_gas": 0.0, "emphysema": 0.0, "contrast": 0.0, "lung_hu": -840.0, "dome": (0.68, 0.72)}

    def scan(acquisition=QUIET, **findings):
        def draw(rng, chest):
            given = {name: value(chest) if callable(value) else value for name, value in findings.items()}
            return variety.Findings(**given)

        with monkeypatch.context() as patch:
            patch.setattr(variety, "vary_anatomy", lambda anatomy, rng: replace(anatomy, **plain))
            patch.setattr(variety, "draw_findings", draw)
            patch.setattr(variety, "FIRST", -0.1)
            patch.setattr(variety, "LAST", 1.2)
            return make_patient(0, index=2, size=SIZE, slices=SLICES, acquisition=acquisition, variety="archive")

    return scan


def left_lung(chest, radius, *more):
    """A row of findings: a ball in the middle of the left lung."""
    return ((*chest.point(75, 5, 0.5).tolist(), radius, *more),)


def belly_gas(chest):
    return ((*chest.point(0, -45, 1.1).tolist(), 35.0, 28.0, 60.0),)


def rod_before_the_spine(chest):
    z = 0.5 * chest.length
    return ((0.0, chest.spine(z), z - 40, 0.0, chest.spine(z), z + 40, 7.0, 6000.0),)


# ---------------------------------------------------------------- patients


def test_same_seed_gives_same_bits(patients):
    again = make_patient(0, index=3, size=SIZE, slices=SLICES, variety="archive")
    assert again.volume.tobytes() == patients[3].volume.tobytes()
    assert again.masks.tobytes() == patients[3].masks.tobytes()
    assert again.anatomy == patients[3].anatomy
    assert again.acquisition == patients[3].acquisition
    assert again.difficulties == patients[3].difficulties


def test_two_processes_make_the_same_patients_as_one():
    options = {"size": 32, "slices": 2, "variety": "archive"}
    for one, two in zip(make_patients(5, **options), make_patients(5, workers=2, **options), strict=True):
        assert two.patient_id == one.patient_id
        np.testing.assert_array_equal(two.volume, one.volume)
        np.testing.assert_array_equal(two.masks, one.masks)


def test_given_acquisition_scans_the_same_patient(patients):
    other = Acquisition(photons=3e4, kernel="sharp", field_of_view=patients[2].acquisition.field_of_view)
    again = make_patient(0, index=2, size=SIZE, slices=SLICES, acquisition=other, variety="archive")
    assert again.anatomy == patients[2].anatomy
    assert (again.volume != patients[2].volume).mean() > 0.5
    seen = ~outside_circle(SIZE)  # the drawn acquisition writes padding, where nothing is outlined
    np.testing.assert_array_equal((again.masks == 2)[:, seen], (patients[2].masks == 2)[:, seen])
    assert ((again.masks > 0) != (patients[2].masks > 0))[:, seen].mean() < 1e-3


def test_class_patients_have_nothing_of_the_archive(monkeypatch):
    plain = make_patient(0, index=1, size=SIZE, slices=3)

    def refuse(*arguments):
        raise AssertionError("a class patient asks the archive")

    asked = ("vary_anatomy", "draw_findings", "draw_archive_acquisition", "fluid", "paint_findings", "paint_metal")
    for name in asked:
        monkeypatch.setattr(variety, name, refuse)
    again = make_patient(0, index=1, size=SIZE, slices=3, variety="class")
    assert again.volume.tobytes() == plain.volume.tobytes()
    assert again.masks.tobytes() == plain.masks.tobytes()
    assert plain.difficulties == {}
    assert (plain.acquisition.motion, plain.acquisition.beam_hardening) == (0, 0)


def test_class_patients_are_those_that_the_notebooks_know():
    """Pixels of lung as they were before there was an archive."""
    made = make_patients(2, size=SIZE, slices=4)
    assert [(patient.masks > 0).sum(axis=(1, 2)).tolist() for patient in made] == [
        [148, 561, 635, 262],
        [146, 543, 623, 300],
    ]


def test_unknown_variety_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'hospital'.*'class' or 'archive'"):
        make_patient(0, size=32, variety="hospital")


def test_slices_reach_from_the_neck_to_the_kidneys(patients):
    for patient in patients:
        reach = SLICES * patient.spacing[0] / patient.anatomy.lung_length
        assert reach == pytest.approx(variety.LAST - variety.FIRST)
    assert variety.FIRST < 0
    many = make_patients(12, size=32, slices=7, variety="archive")
    lungs = np.array([(patient.masks > 0).any(axis=(1, 2)) for patient in many])
    assert lungs[:, 2].all()
    assert not lungs[:, -1].all()


def test_values_fit_into_12_bits_or_are_padding(patients):
    for patient in patients:
        inside = patient.volume[:, ~outside_circle(SIZE)]
        assert inside.min() >= -1024
        assert inside.max() <= 3071


def test_every_difficulty_names_slices_of_the_patient(patients):
    for patient in patients:
        for name, slices in patient.difficulties.items():
            assert slices, name
            assert set(slices) <= set(range(SLICES))
        whole = ("movement", patient.acquisition.motion > 0), ("contrast medium", patient.anatomy.contrast > 0)
        for name, there in whole:
            assert (patient.difficulties.get(name) == tuple(range(SLICES))) == there


# ---------------------------------------------------------------- diseases of the lungs


@pytest.fixture
def effusion(scan_with):
    """A patient without and with fluid on the left, and where the lung has gone."""
    dry, wet = scan_with(), scan_with(effusion=((1, 70.0, 0.35),))
    return dry, wet, (dry.masks > 0) & (wet.masks == 0)


def test_effusion_is_not_lung_and_has_the_hu_of_fluid(effusion):
    dry, wet, fluid = effusion
    assert fluid.sum() > 200
    assert not ((wet.masks > 0) & (dry.masks == 0)).any()
    inside = binary_erosion(fluid, FOUR)  # pixels of 5.6 mm: on the edge there is half of something else
    assert np.median(dry.volume[inside]) < -500
    assert -10 < np.median(wet.volume[inside]) < 20
    np.testing.assert_array_equal(wet.masks[:, :, : SIZE // 2 - 4], dry.masks[:, :, : SIZE // 2 - 4])  # right lung


def test_effusion_lies_at_the_back_and_rises_towards_the_base(effusion):
    dry, _, fluid = effusion
    left = np.arange(SIZE) > SIZE // 2 + 2
    share = []
    for k, lung in enumerate((dry.masks > 0) & left):
        share.append(fluid[k].sum() / max(1, lung.sum()))
        air = lung & ~fluid[k]
        if fluid[k].sum() > 15 and air.sum() > 30:
            assert np.nonzero(fluid[k])[0].mean() > np.nonzero(air)[0].mean() + 5
    assert share[0] == 0
    assert share[-2] > 0.3
    assert share == sorted(share)


def test_effusion_has_a_level(effusion):
    """In the middle of the lung, away from its walls, the fluid ends at one height over the whole width."""
    dry, _, fluid = effusion
    levels = []
    for k in range(SLICES):
        columns = [c for c in range(SIZE) if fluid[k, :, c].any() and (dry.masks[k, :, c] > 0).sum() > 15]
        tops = np.array([np.flatnonzero(fluid[k, :, c])[0] for c in columns[3:-3]])
        if len(tops) >= 4:
            levels.append(np.ptp(tops))
    assert levels
    assert max(levels) <= 3


@pytest.fixture(params=["consolidation", "ground_glass"])
def dense(request, scan_with):
    """A patient without and with a ball of denser lung, its inner pixels, and the slices said to show it."""
    name, more = request.param, {"consolidation": (), "ground_glass": (250.0,)}[request.param]
    sound, ill = scan_with(), scan_with(**{name: lambda chest: left_lung(chest, 40.0, *more)})
    denser = (ill.volume > sound.volume + 150) & (sound.masks > 0)
    shown = ill.difficulties[name.replace("_", " ")]
    return name, sound, ill, denser, shown


def test_dense_lung_stays_lung_in_the_mask(dense):
    _, sound, ill, denser, _ = dense
    assert denser.sum() > 40
    np.testing.assert_array_equal(ill.masks, sound.masks)


def test_consolidation_is_soft_tissue_and_ground_glass_a_haze(dense):
    name, sound, ill, denser, _ = dense
    ball = binary_erosion(denser, FOUR)
    assert np.median(sound.volume[ball]) < -550
    if name == "consolidation":
        assert -100 < np.median(ill.volume[ball]) < 120
    else:
        assert np.median((ill.volume - sound.volume)[ball]) == pytest.approx(250, abs=40)


def test_dense_lung_is_named_for_the_slices_that_show_it(dense):
    *_, denser, shown = dense
    assert tuple(np.flatnonzero(denser.any(axis=(1, 2)))) == shown


def test_sound_patient_has_no_disease_by_name(scan_with):
    diseases = {"effusion", "consolidation", "ground glass", "fibrosis", "bowel gas", "metal"}
    assert not diseases & set(scan_with().difficulties)


# ---------------------------------------------------------------- gas, metal, arms, padding


def test_gas_in_the_bowel_is_never_lung(scan_with):
    empty, full = scan_with(), scan_with(bowel_gas=belly_gas)
    np.testing.assert_array_equal(full.masks, empty.masks)
    gas = (full.volume < -700) & (empty.volume > -200)
    assert gas.sum() > 20
    assert not full.masks[gas].any()
    assert set(full.difficulties["bowel gas"]) == set(np.flatnonzero(gas.sum(axis=(1, 2)) > 2))


def test_metal_is_denser_than_any_bone_and_ends_where_12_bits_end(scan_with):
    without, metal = scan_with(), scan_with(metal=rod_before_the_spine)
    slices = metal.difficulties["metal"]
    assert 0 < len(slices) < SLICES
    for k in range(SLICES):
        assert (metal.volume[k].max() >= 2500) == (k in slices)
    assert without.volume.max() < 1500
    assert metal.volume.max() == 3071
    np.testing.assert_array_equal(metal.masks, without.masks)


def test_arms_lie_outside_the_body_and_change_no_mask(scan_with):
    wide = replace(QUIET, field_of_view=520)
    up, down = scan_with(wide), scan_with(wide, arms=(-1, 1))
    np.testing.assert_array_equal(down.masks, up.masks)
    arms = (down.volume > -200) & (up.volume < -800)
    assert (arms.sum(axis=(1, 2)) > 60).all()
    assert arms[:, :, : SIZE // 2].any()
    assert arms[:, :, SIZE // 2 :].any()
    assert down.difficulties["arms down"] == tuple(range(SLICES))


def test_padding_is_never_lung(scan_with):
    tight = replace(QUIET, field_of_view=200)
    whole, cut = scan_with(tight), scan_with(replace(tight, padding=-2000))
    corners = outside_circle(SIZE)
    assert (whole.masks[:, corners] > 0).any()  # else there would be nothing to take away
    assert not cut.masks[:, corners].any()
    assert (cut.volume[:, corners] == -2000).all()
    np.testing.assert_array_equal(cut.masks[:, ~corners], whole.masks[:, ~corners])


# ---------------------------------------------------------------- the scanner's new options


def scan_disks(acquisition, dense=2500):
    """Two dense disks in water, 100 mm apart, scanned almost without noise: HU (64, 64) at 4 mm."""
    n, pixel = scanner.scan_size(64), 4.0
    y, x = (np.mgrid[:n, :n] - n // 2) * pixel
    truth = np.where(np.hypot(x, y) < 110, 0.0, -1000.0)
    for center in (-50, 50):
        truth[np.hypot(x - center, y) < 14] = dense
    return scanner.scan(truth[None], pixel, acquisition, np.random.default_rng(0), 64)[0]


def test_beam_hardening_darkens_between_two_dense_objects():
    right, hardened = (scan_disks(replace(QUIET, beam_hardening=share)) for share in (0.0, 0.06))
    between, aside = (slice(30, 35), slice(29, 36)), (slice(12, 17), slice(29, 36))
    assert abs(right[between].mean()) < 10
    assert hardened[between].mean() < right[between].mean() - 10
    assert hardened[between].mean() < hardened[aside].mean() - 10


def test_beam_hardening_leaves_soft_tissue_alone():
    right, hardened = (scan_disks(replace(QUIET, beam_hardening=share), dense=60) for share in (0.0, 0.03))
    np.testing.assert_array_equal(hardened, right)


def test_motion_blurs_edges():
    still, moved = (scan_disks(replace(QUIET, motion=motion)) for motion in (0.0, 12.0))
    steepness = [(np.diff(image, axis=0) ** 2).sum() for image in (still, moved)]
    assert steepness[1] < 0.8 * steepness[0]
    assert moved.mean() == pytest.approx(still.mean(), abs=3)


def test_no_motion_and_no_beam_hardening_change_nothing():
    plain = Acquisition(photons=QUIET.photons, slice_thickness=1.0, field_of_view=360)
    np.testing.assert_array_equal(scan_disks(replace(plain, motion=0.0, beam_hardening=0.0)), scan_disks(plain))
