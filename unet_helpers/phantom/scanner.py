"""A CT scanner in matrices: projection, photon counting, filtered back-projection.

The geometry is that of ``skimage.transform.radon`` and ``iradon`` (parallel beam, the axis of rotation in pixel
``n // 2``), written as sparse matrices: one product measures or reconstructs all slices of a patient, many times
faster than a loop over angles. The tests hold the matrices against scikit-image.

References
----------
A. C. Kak and M. Slaney, Principles of Computerized Tomographic Imaging, IEEE Press 1988: chapter 3, equation 61 for
the ramp filter; chapter 5 for the Poisson model of the counts.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.sparse

MU_WATER = 0.0193  # 1/mm at 70 keV, the mean energy of a 120 kV beam (NIST XCOM)
KERNELS = ("soft", "sharp")
PADDING = (-1024, -2000, -3024)  # what makers write outside the reconstructed circle


@dataclass(frozen=True)
class Acquisition:
    """How a patient was scanned.

    photons : float, per detector element and angle before the patient; noise goes with ``photons ** -0.5``
    kernel : 'soft' (smooth, little noise) or 'sharp' (crisp, noisy)
    slice_thickness : float, mm
    field_of_view : float or None, mm over the image's width; None fits the patient
    center : (x, y) of the middle of the image in mm; (0, 0) is near the middle of the chest
    padding : int or None, the HU written outside the reconstructed circle; None reconstructs the corners too
    angles : int, projections over 180 degrees; even
    beam_hardening : float, share of a ray that is lost per unit of its way through bone or metal: dark bands between
        dense objects; 0 for a perfect correction
    motion : float, mm that the patient moves during the turn: double contours
    """

    photons: float = 1e5
    kernel: str = "soft"
    slice_thickness: float = 3.0
    field_of_view: float | None = None
    padding: int | None = None
    angles: int = 240
    beam_hardening: float = 0.0
    motion: float = 0.0
    center: tuple = (0.0, 0.0)

    def __post_init__(self):
        if not self.photons > 0:
            raise ValueError(f"photons is {self.photons}; give a positive number, 1e5 is a standard dose")
        if self.kernel not in KERNELS:
            raise ValueError(f"kernel is {self.kernel!r}; choose 'soft' or 'sharp'")
        if self.angles < 2 or self.angles % 2:
            raise ValueError(f"angles is {self.angles}; give an even number")
        if not (self.beam_hardening >= 0 and self.motion >= 0):
            raise ValueError(f"beam_hardening is {self.beam_hardening} and motion {self.motion} mm; give 0 or more")
        if not self.slice_thickness > 0:
            raise ValueError(f"slice_thickness is {self.slice_thickness} mm; give a positive number")


def scan_size(size):
    """Pixels across the scanner's field for an image of ``size`` pixels: half as wide again, and odd.

    The field holds the whole patient and table even where the image does not; odd, so that a quarter turn about the
    middle pixel maps the grid onto itself.
    """
    return size + size // 2 + (size + size // 2 + 1) % 2


def scan(hu, pixel_mm, acquisition, rng, size):
    """Measure slices and reconstruct them, as a scanner would.

    Parameters
    ----------
    hu : array (D, n, n) of float
        The true slices over the scanner's field, ``n = scan_size(size)``. What lies outside the inscribed circle is
        not seen.
    pixel_mm : float
    acquisition : Acquisition
    rng : numpy.random.Generator
    size : int
        Rows and columns of the image; its pixels are the field's central ones.

    Returns
    -------
    array (D, size, size) of float64, HU, not rounded
    """
    attenuation = MU_WATER * pixel_mm * (1 + np.asarray(hu) / 1000)  # per pixel, no unit
    sinogram = project(attenuation, acquisition.angles)
    if acquisition.motion:
        # away and back during the turn, towards the front and a little to the side
        step = acquisition.motion / pixel_mm
        moved = scipy.ndimage.shift(attenuation, (0, -step, 0.4 * step), order=1)
        share = np.sin(np.linspace(0, np.pi, acquisition.angles, dtype=np.float32))[:, None] ** 2
        sinogram = sinogram + share * (project(moved, acquisition.angles) - sinogram)
    if acquisition.beam_hardening:
        dense = project(MU_WATER * pixel_mm * np.maximum(np.asarray(hu) - 300, 0) / 1000, acquisition.angles)
        sinogram = sinogram / (1 + acquisition.beam_hardening * dense)
    sinogram = measure(sinogram, acquisition.photons, rng)
    attenuation = reconstruct(sinogram, size, acquisition.kernel)
    return 1000 * (attenuation / (MU_WATER * pixel_mm) - 1)


def project(images, angles):
    """Line integrals of images along ``angles`` directions over 180 degrees.

    ``(D, n, n)`` of float, n odd, in units per pixel -> ``(D, angles, n)`` float32 without unit; the same as
    ``skimage.transform.radon(image, theta).T`` with ``theta = arange(angles) * 180 / angles``. Values outside the
    inscribed circle are taken as 0.
    """
    images = np.asarray(images, np.float32)
    depth, n, _ = images.shape
    images = np.where(_circle(n), images, 0)
    matrix = _projector(n, angles // 2)
    # 90 to 180 degrees are 0 to 90 degrees of the image after a quarter turn, at half the memory
    first, second = (
        matrix @ np.ascontiguousarray(turned.reshape(depth, n * n).T)
        for turned in (images, np.rot90(images, k=-1, axes=(1, 2)))
    )
    return np.concatenate([first, second]).reshape(angles, n, depth).transpose(2, 0, 1)


def measure(sinogram, photons, rng):
    """Turn line integrals into the noisy ones that a detector sees.

    A ray that starts with ``photons`` arrives with ``photons * exp(-integral)`` on average; what is counted follows
    a Poisson law around it, and the logarithm brings it back. Rays through both shoulders keep few photons: their
    noise gives the streaks of thin-dose images.

    The Poisson counts are made from normal numbers by the Cornish-Fisher expansion, right to a fraction of a count.
    ``rng.poisson`` rejects and draws again, so the last bit of an exponential, which differs between processors,
    could shift all numbers that follow; here it cannot.
    """
    expected = photons * np.exp(-sinogram.astype(np.float64))
    normal = rng.standard_normal(expected.shape)
    counts = np.rint(expected + np.sqrt(expected) * normal + (normal**2 - 1) / 6)
    return np.log(photons / np.maximum(counts, 1))  # a starved detector element reads one photon, not none


def reconstruct(sinogram, size, kernel):
    """Filtered back-projection: ``(D, angles, n)`` -> ``(D, size, size)`` float64, in units per pixel.

    With the kernel 'ramp' the same as ``skimage.transform.iradon(sinogram.T, output_size=size, circle=False)``.
    """
    depth, angles, n = sinogram.shape
    length = scipy.fft.next_fast_len(2 * n, real=True)  # room, so that the filter does not wrap around
    spectrum = scipy.fft.rfft(sinogram, length, axis=-1) * kernel_response(kernel, length)
    filtered = scipy.fft.irfft(spectrum, length, axis=-1)[..., :n].astype(np.float32)
    image = _back_projector(n, size, angles) @ np.ascontiguousarray(filtered.reshape(depth, angles * n).T)
    return image.T.reshape(depth, size, size).astype(np.float64) * (np.pi / (2 * angles))


@lru_cache(maxsize=16)
def kernel_response(kernel, length):
    """The filter of a reconstruction kernel at the frequencies of ``rfft``.

    All are the ramp of Kak and Slaney (equation 61), transformed from its samples so that the mean of the image
    stays right. 'soft' lets it fall to zero (cosine), 'sharp' lifts the middle frequencies, as kernels for lung and
    bone do to make edges crisp, 'ramp' does neither.
    """
    n = np.fft.fftfreq(length, 1 / length)
    odd = n.astype(int) % 2 == 1
    samples = np.zeros(length)
    samples[0] = 0.25
    samples[odd] = -1 / (np.pi * n[odd]) ** 2
    ramp = 2 * np.real(np.fft.rfft(samples))
    frequency = np.fft.rfftfreq(length)  # cycles per pixel, to 0.5
    windows = {
        "ramp": np.ones_like(frequency),
        "sharp": 1 + 0.2 * np.sin(2 * np.pi * frequency) ** 2,
        "soft": np.cos(np.pi * frequency),
    }
    return ramp * windows[kernel]


@lru_cache(maxsize=4)
def _projector(n, angles):
    """Sparse matrix (angles * n, n * n): rows are rays, for ``angles`` directions over 90 degrees."""
    center = n // 2
    along, detector = (grid.ravel() for grid in np.mgrid[:n, :n] - center)
    seen = along**2 + detector**2 <= (center + 2) ** 2
    order = np.argsort(detector[seen], kind="stable")  # rays one after another, as the rows of a CSR matrix
    along, detector = along[seen][order], detector[seen][order]
    columns = np.empty((angles, along.size, 4), np.int32)
    weights = np.empty((angles, along.size, 4), np.float32)
    for k, angle in enumerate(np.arange(angles) * (np.pi / 2 / angles)):
        x = np.cos(angle) * detector + np.sin(angle) * along + center
        y = np.cos(angle) * along - np.sin(angle) * detector + center
        columns[k], weights[k] = _bilinear(x, y, n)
    samples = np.tile(np.bincount(detector + center, minlength=n), angles)
    starts = np.concatenate([[0], np.cumsum(4 * samples)]).astype(np.int32)
    return scipy.sparse.csr_array((weights.ravel(), columns.ravel(), starts), shape=(angles * n, n * n))


def _bilinear(x, y, n):
    """Pixel numbers (P, 4) and weights (P, 4) that interpolate an n x n image at columns x and rows y."""
    left, top = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    columns, weights = [], []
    for dx in (0, 1):
        for dy in (0, 1):
            column, row = left + dx, top + dy
            weight = (1 - np.abs(x - column)) * (1 - np.abs(y - row))
            inside = (column >= 0) & (column < n) & (row >= 0) & (row < n)
            columns.append(np.where(inside, row * n + column, 0))
            weights.append(np.where(inside, weight, 0))
    return np.stack(columns, -1), np.stack(weights, -1)


@lru_cache(maxsize=4)
def _back_projector(n, size, angles):
    """Sparse matrix (size * size, angles * n): each pixel takes two neighboring readings from every angle."""
    y, x = (grid.ravel()[:, None] for grid in np.mgrid[:size, :size] - size // 2)
    angle = np.arange(angles) * (np.pi / angles)
    t = x * np.cos(angle) - y * np.sin(angle) + n // 2
    left = np.clip(np.floor(t).astype(np.int32), 0, n - 2)
    right_weight = t - left
    weights = np.stack([1 - right_weight, right_weight], -1).astype(np.float32)
    weights[(t < 0) | (t > n - 1)] = 0
    columns = np.stack([left, left + 1], -1) + (np.arange(angles, dtype=np.int32) * n)[:, None]
    starts = np.arange(size * size + 1, dtype=np.int32) * (2 * angles)
    return scipy.sparse.csr_array((weights.ravel(), columns.ravel(), starts), shape=(size * size, angles * n))


def _circle(n):
    """Boolean (n, n): the pixels that every projection sees."""
    y, x = np.mgrid[:n, :n] - n // 2
    return x**2 + y**2 <= (n // 2) ** 2
