"""The measures by which the phantom is compared with LIDC find what is known: made-up crops with known answers."""

import compare_with_lidc as compare
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def crop(rng, lung=-850.0, fat=-100.0, noise=10.0, blur=0.0):
    """HU (64, 64): lung on the left, then fat, then muscle of 50 HU, and a bone."""
    hu = np.full((64, 64), 50.0)
    hu[:, :40], hu[:, :30] = fat, lung
    hu[10:14, 50:60] = 700
    hu = gaussian_filter(hu, blur) if blur else hu
    return hu + rng.normal(0, noise, hu.shape)


def as_bytes(hu):
    return np.rint((hu - hu.min()) / np.ptp(hu) * 255).astype(np.uint8)


def test_two_modes_bring_back_the_hu(rng):
    hu = crop(rng)
    found, fat = compare.calibrate(as_bytes(hu))
    assert np.abs(found - hu).mean() < 15
    assert fat == pytest.approx(-100, abs=15)


def test_a_crop_of_one_tissue_has_no_two_modes(rng):
    assert compare.calibrate(as_bytes(rng.normal(50, 10, (64, 64)))) is None


def test_lung_is_found_and_the_air_outside_is_not(rng):
    hu = crop(rng)
    hu[:, 55:] = rng.normal(-1000, 5, (64, 9))
    lung = compare.lung_of(hu)
    assert lung[:, 2:28].all()
    assert not lung[:, 33:].any()


def test_air_around_the_body_tells_the_hu_of_the_lung(rng):
    hu = crop(rng, lung=-780.0)
    hu[20:, 50:] = rng.normal(-1000, 5, (44, 14))
    found, _ = compare.calibrate(as_bytes(hu))  # takes the lung for -850
    lung = np.arange(64)[None, :] < np.full((64, 1), 30)
    assert compare.lung_by_air(found, lung) == pytest.approx(-780, abs=20)
    assert np.isnan(compare.lung_by_air(compare.calibrate(as_bytes(crop(rng)))[0], lung))


def test_noise_of_an_even_tissue_is_its_standard_deviation(rng):
    soft = np.ones((64, 64), bool)
    noise, spectrum = compare.soft_tissue_noise(rng.normal(50, 20, (64, 64)), soft)
    assert 15 < noise < 20  # the evenest patches are a little quieter
    # white, but for the lowest band, of which the plane under each patch takes a part
    np.testing.assert_allclose(spectrum[1:], 0.22, atol=0.03)
    assert 0.08 < spectrum[0] < 0.2
    smooth = compare.soft_tissue_noise(gaussian_filter(rng.normal(50, 20, (64, 64)), 1.5), soft)[1]
    assert smooth[:2].sum() > 0.7
    assert smooth[-1] < 0.05


@pytest.mark.parametrize("blur", [1.0, 1.5])
def test_edge_of_a_blurred_step_has_its_known_width(rng, blur):
    hu = np.where(np.arange(64)[None, :] < 32, -850.0, 50.0) + np.zeros((64, 1))
    width = compare.edge_width(gaussian_filter(hu, blur), hu < -400)
    assert width == pytest.approx(2.563 * blur * compare.PIXEL, rel=0.15)  # 10-90 % of an error function


def test_a_source_has_no_distance_to_itself_and_a_shifted_one_has_the_shift(rng):
    names = [*compare.QUANTITIES, "lung", "soft"]
    one = {name: rng.normal(0, 1, 200) for name in names} | {"spectrum": np.full((5, 5), 0.2)}
    other = {name: values + 3 for name, values in one.items()}
    assert max(compare.distances(one, one).values()) == 0
    assert compare.distances(one, other)["lung_spread_hu"] == pytest.approx(3)


def test_halves_means_of_four_pixels():
    image = np.arange(16.0).reshape(4, 4)
    np.testing.assert_array_equal(compare.halve(image), [[2.5, 4.5], [10.5, 12.5]])
