"""One patient from a seed: draw, paint, scan."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context

import numpy as np

from . import painting, scanner
from . import variety as archive
from .anatomy import Anatomy, Chest, draw_anatomy
from .nodules import paint_nodule, place_nodules
from .scanner import Acquisition
from .vessels import grow_lung_trees

FIRST, LAST = 0.07, 0.87  # levels of the first and the last slice, as a share of the lungs' height


@dataclass(frozen=True, eq=False)
class Patient:
    """One synthetic patient.

    patient_id : str, 'P001' for index 0
    volume : array (D, H, W) float32, HU, whole numbers; the first slice is nearest to the head
    masks : array (D, H, W) uint8, 0 background, 1 lung, 2 nodule
    spacing : (slice distance, row, column) in mm
    nodules : tuple of Nodule, those that the masks show
    acquisition : Acquisition
    anatomy : Anatomy
    difficulties : dict of str to tuple of int, what the patient has and the slices that show it
    """

    patient_id: str
    volume: np.ndarray = field(repr=False)
    masks: np.ndarray = field(repr=False)
    spacing: tuple
    nodules: tuple
    acquisition: Acquisition
    anatomy: Anatomy = field(repr=False)
    difficulties: dict = field(default_factory=dict, repr=False)


def make_patients(n=48, seed=0, size=128, slices=8, variety="class", workers=1):
    """Make ``n`` patients; the first k are the same however many are asked for.

    Returns a list of ``Patient``. 48 patients of 8 slices with 128 x 128 pixels take about half a minute on one core.
    ``workers`` above 1 makes them in that many processes; ``variety`` is that of :func:`make_patient`.
    """
    make = partial(_make_indexed, seed, size, slices, variety)
    if workers <= 1:
        return [make(index) for index in range(n)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(make, range(n), chunksize=4))


def _make_indexed(seed, size, slices, variety, index):
    return make_patient(seed, index=index, size=size, slices=slices, variety=variety)


def make_patient(seed, *, index=0, size=128, slices=8, acquisition=None, variety="class"):
    """Make patient number ``index`` of the family ``seed``.

    Parameters
    ----------
    seed, index : int, not negative
        The same pair gives the same patient, bit for bit on one machine. Another processor moves about two pixels
        in a thousand by 1 HU, and no mask.
    size : int
        Rows and columns; a multiple of 2, at least 32.
    slices : int
        Slices, evenly spaced from near the apices of the lungs to below the domes of the diaphragm; at least 2.
    acquisition : Acquisition or None
        None draws one. Given one, the same patient is scanned that way: same anatomy, same nodules.
    variety : 'class' or 'archive'
        'class' are the patients of the notebooks, scanned well, from the apices to the diaphragm. 'archive' adds what
        turns up in a hospital: thin and obese patients, diseases of the lungs, arms beside the body, metal, movement,
        tight and wide fields of view, slices from the neck to the kidneys. See :mod:`unet_helpers.phantom.variety`.

    Returns
    -------
    Patient

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> patient = make_patient(0, index=3, size=64, slices=4)
    >>> patient.patient_id, patient.volume.shape, patient.masks.dtype
    ('P004', (4, 64, 64), dtype('uint8'))
    """
    _check(seed, index, size, slices, variety)
    # a stream for each purpose, so that another scanner or another number of nodules changes nothing else
    streams = np.random.SeedSequence([seed, index]).spawn(6)
    body, disease, scan_choice, texture, noise, extra = (np.random.Generator(np.random.PCG64(s)) for s in streams)
    anatomy = draw_anatomy(body)
    first, last, findings = FIRST, LAST, archive.Findings()
    if variety == "archive":
        anatomy = archive.vary_anatomy(anatomy, extra)
        findings = archive.draw_findings(extra, Chest(anatomy))
        step = (archive.LAST - archive.FIRST) / slices
        first = archive.FIRST + step * extra.random()
        last = first + step * (slices - 1)
        acquisition = acquisition or archive.draw_archive_acquisition(extra, anatomy, fitting_field(anatomy))
    chest = Chest(anatomy)
    acquisition = acquisition or draw_acquisition(scan_choice, anatomy)
    acquisition = replace(acquisition, field_of_view=acquisition.field_of_view or fitting_field(anatomy))
    pixel = acquisition.field_of_view / size

    z = np.linspace(first, last, slices) * chest.length
    grid = (np.arange(scanner.scan_size(size)) - scanner.scan_size(size) // 2) * pixel
    columns, rows = grid + acquisition.center[0], grid + 0.02 * chest.length + acquisition.center[1]
    tree = grow_lung_trees(chest, np.random.default_rng(anatomy.tree_seed))
    if variety == "archive":
        tree.radius = tree.radius * extra.uniform(0.75, 1.3)
    drawn = place_nodules(chest, tree, z, disease)

    truth, lung_masks, nodule_masks, shown = [], [], [], []
    for height in z:
        canvas = painting.Canvas(chest, columns, rows, height, acquisition.slice_thickness)
        lung = chest.lungs(canvas.x, canvas.y, canvas.z)
        grain = painting.grain(texture, lung.shape, pixel)
        painting.paint_slice(canvas, tree, lung, grain)
        if variety == "archive":
            wet = archive.fluid(chest, findings, canvas.x, canvas.y, canvas.z, lung)
            shown.append(archive.paint_findings(canvas, findings, lung, wet, grain))
            lung = np.maximum(lung, -wet)
            if archive.paint_metal(canvas, findings):
                shown[-1].add("metal")
        nodule_masks.append([paint_nodule(canvas, nodule, lung) for nodule in drawn])
        outlined = (lung < 0) & ~canvas.excluded
        lung_masks.append(outlined if variety == "class" else archive.outline(outlined, pixel))
        truth.append(archive.add_surroundings(canvas, findings, painting.over_table(canvas, findings.table)))

    nodule_masks = _central(np.reshape(nodule_masks, (slices, len(drawn), *canvas.hu.shape)), size)
    masks = np.where(nodule_masks.any(axis=1), 2, _central(np.stack(lung_masks), size)).astype(np.uint8)
    volume = image(np.stack(truth), pixel, acquisition, noise, size)
    difficulties = {}
    if variety == "archive":
        volume = np.minimum(volume, archive.LARGEST_HU)
        if acquisition.padding is not None:  # what is not reconstructed cannot be outlined
            masks[:, outside_circle(size)] = 0
        everywhere = archive.patient_difficulties(anatomy, findings, acquisition)
        names = sorted(everywhere.union(*shown))
        difficulties = {
            name: tuple(k for k in range(slices) if name in everywhere or name in shown[k]) for name in names
        }
    seen = [n for n, visible in zip(drawn, nodule_masks.any(axis=(0, 2, 3)), strict=True) if visible]
    return Patient(
        patient_id=f"P{index + 1:03d}",
        volume=volume,
        masks=masks,
        spacing=(float(z[1] - z[0]), pixel, pixel),
        nodules=tuple(_in_voxels(nodule, z, columns, rows, size) for nodule in seen),
        acquisition=acquisition,
        anatomy=anatomy,
        difficulties=difficulties,
    )


def draw_acquisition(rng, anatomy):
    """Draw how a patient is scanned: most with a standard dose and a soft kernel, as in a clinic's archive."""
    low_dose = rng.random() < 0.3
    photons = rng.uniform(2e4, 4e4) if low_dose else rng.uniform(7e4, 1.6e5)
    photons *= np.exp(0.018 * (anatomy.fat - 15))  # exposure control makes up for half of what fat absorbs
    padding = None if rng.random() < 0.7 else int(rng.choice(scanner.PADDING))
    return Acquisition(
        photons=float(np.round(photons, -2)),
        kernel="sharp" if rng.random() < 0.3 else "soft",
        slice_thickness=float(rng.choice([2.0, 3.0, 5.0])),
        padding=padding,
    )


def fitting_field(anatomy):
    """Field of view in mm that shows the chest, between 320 and 420."""
    widest = 2 * (165 * anatomy.width + 1.1 * anatomy.fat)
    return float(np.clip(np.round(1.04 * widest), 320, 420))


def image(truth, pixel, acquisition, rng, size):
    """Scan the true slices (D, n, n) and store them as files do: whole HU, padding outside the circle."""
    hu = np.rint(scanner.scan(truth, pixel, acquisition, rng, size)).astype(np.float32)
    hu = np.maximum(hu, -1024)  # 12 bits with an offset of 1024
    if acquisition.padding is not None:
        hu[:, outside_circle(size)] = acquisition.padding
    return hu


def outside_circle(size):
    """Boolean (size, size): the corners that a scanner does not reconstruct."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return x**2 + y**2 > (size / 2) ** 2


def _in_voxels(nodule, z, columns, rows, size):
    """The nodule with its center in voxels of the volume."""
    pixel = columns[1] - columns[0]
    cut = (len(columns) // 2) - size // 2
    cz, cy, cx = nodule.center
    center = ((cz - z[0]) / (z[1] - z[0]), (cy - rows[0]) / pixel - cut, (cx - columns[0]) / pixel - cut)
    return replace(nodule, center=tuple(round(float(c), 3) for c in center))


def _central(stack, size):
    """The central ``size`` x ``size`` pixels of the scanner's field."""
    first = stack.shape[-1] // 2 - size // 2
    return stack[..., first : first + size, first : first + size]


def _check(seed, index, size, slices, variety):
    for name, value, least in (("seed", seed, 0), ("index", index, 0), ("slices", slices, 2), ("size", size, 32)):
        if value < least:
            raise ValueError(f"{name} is {value}; it must be at least {least}")
    if size % 2:
        raise ValueError(f"size is {size}; give an even number of pixels")
    if variety not in ("class", "archive"):
        raise ValueError(f"variety is {variety!r}; choose 'class' or 'archive'")
