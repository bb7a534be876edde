"""Lung nodules of known size and place."""

from dataclasses import dataclass, replace

import numpy as np

from .vessels import great_vessel_distance

KINDS = ("solid", "part-solid", "ground-glass")
ATTACHMENTS = ("none", "wall", "vessel")


@dataclass(frozen=True)
class Nodule:
    """One nodule.

    center : (slice, row, column) in voxels, with fractions
    diameter_mm : of the sphere that its lobes dent
    kind : 'solid', 'part-solid' or 'ground-glass'
    attached : 'none', 'wall' or 'vessel'
    hu : of its main part
    lobes : rows of (x, y, z, height): direction, and height as a share of the radius
    spikes : rows of (x, y, z): fine strands that reach into the lung, in mm from the center; not part of the mask
    """

    center: tuple
    diameter_mm: float
    kind: str
    attached: str
    hu: float
    lobes: tuple
    spikes: tuple

    def distance(self, x, y, z):
        """Signed distance (mm, approximate) to the surface from an offset (x, y, z) in mm from the center.

        A lobe lifts the surface on one side and lowers it on the other, so that a cut through the center keeps the
        area of a disk of ``diameter_mm`` to a few percent.
        """
        length = np.sqrt(x * x + y * y + z * z) + 1e-6
        swell = 1 + sum(h * ((x * i + y * j + z * k) / length) ** 3 for i, j, k, h in self.lobes)
        return length - self.diameter_mm / 2 * swell


def draw_count(rng):
    """Nodules of one patient: mostly 0 to 3, and 4 to 6 in the one of four who has metastases."""
    if rng.random() < 0.25:
        return int(rng.integers(4, 7))
    return int(rng.choice([0, 1, 2, 3], p=[0.10, 0.12, 0.20, 0.58]))


def draw_nodule(rng):
    """Draw what a nodule is, without its place: a ``Nodule`` whose center is None."""
    kind = str(rng.choice(KINDS, p=[0.66, 0.16, 0.18]))
    size = float(np.clip(rng.lognormal(np.log(13), 0.42), 6, 30))
    # ground glass is denser than lung but lets vessels show through (Hansell et al., Radiology 2008)
    hu = rng.uniform(0, 60) if kind == "solid" else rng.uniform(-650, -400)
    attached = str(rng.choice(ATTACHMENTS, p=[0.55, 0.25, 0.20])) if kind == "solid" else "none"
    directions = rng.standard_normal((4, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    heights = rng.uniform(0.03, 0.16, (4, 1))
    spikes = rng.standard_normal((int(rng.integers(5, 12)), 3)) * (1, 1, 0.3)
    spikes *= size * rng.uniform(0.75, 1.15, (len(spikes), 1)) / np.linalg.norm(spikes, axis=1, keepdims=True)
    spiculated = kind != "ground-glass" and size > 9 and rng.random() < 0.4
    return Nodule(
        center=None,
        diameter_mm=round(size, 1),
        kind=kind,
        attached=attached,
        hu=round(float(hu), 1),
        lobes=tuple(map(tuple, np.hstack([directions, heights]).tolist())),
        spikes=tuple(map(tuple, spikes.tolist())) if spiculated else (),
    )


def place_nodules(chest, tree, planes, rng):
    """Draw a patient's nodules and a place for each near the plane of a slice.

    Works on points, not on pixels: another scan of the same patient finds the same nodules.

    Returns a list of ``Nodule`` whose centers are (z, y, x) in mm of the scanner.
    """
    placed, empty = [], list(range(len(planes)))
    for _ in range(draw_count(rng)):
        nodule = draw_nodule(rng)
        for _ in range(12):
            k = int(rng.choice(empty or len(planes)))  # spread over the slices first
            z = planes[k] + rng.uniform(-0.5, 0.5) * min(6, 0.5 * nodule.diameter_mm / 2)
            center = _find_place(chest, tree, z, nodule, placed, rng)
            if center is not None:
                placed.append(replace(nodule, center=center))
                empty = [other for other in empty if other != k]
                break
    return placed


def _find_place(chest, tree, z, nodule, placed, rng, tries=600):
    """A center (z, y, x) at height z for a nodule, or None if none of ``tries`` points has room."""
    reach = 1.1 * chest.level("cage_width", chest.length)
    x, y = rng.uniform(-reach, reach, (2, tries))
    px, py = chest.from_scanner(x, y, z)
    radius, lung = nodule.diameter_mm / 2, chest.lungs(px, py, np.full(tries, z))
    if nodule.attached == "wall":
        room = np.abs(lung + 0.75 * radius) < 0.15 * radius + 0.5
    else:
        room = lung < -(1.15 * radius + 2)
    room &= great_vessel_distance(chest, px, py, z) > 1.15 * radius + 2
    if nodule.attached == "vessel":
        stout = tree.end[(tree.radius[:, 1] > 1.2) & (np.abs(tree.end[:, 2] - z) < radius)]
        gap = np.hypot(px[:, None] - stout[:, 0], py[:, None] - stout[:, 1])
        room &= gap.min(1, initial=np.inf) < radius
    for other in placed:
        oz, oy, ox = other.center
        room &= np.sqrt((x - ox) ** 2 + (y - oy) ** 2 + (z - oz) ** 2) > radius + other.diameter_mm / 2 + 6
    if not room.any():
        return None
    first = np.argmax(room)
    return float(z), float(y[first]), float(x[first])


def paint_nodule(canvas, nodule, lung):
    """Paint what a slice cuts of a nodule and return its mask (n, n).

    lung : array (n, n), distance to the lungs; a nodule on the wall ends there
    """
    center_z, center_y, center_x = nodule.center
    x, y, z = (canvas.world_x - center_x)[None, :], (canvas.world_y - center_y)[:, None], canvas.z - center_z
    if abs(z) > 1.2 * nodule.diameter_mm + canvas.edge:
        return np.zeros(canvas.hu.shape, bool)
    for spike in nodule.spikes:
        _paint_spike(canvas, spike, (x, y, z), nodule.hu if nodule.kind == "solid" else -300.0)
    surface = nodule.distance(x, y, z)
    _brighten(canvas, surface, nodule.hu)
    if nodule.kind == "part-solid":
        _brighten(canvas, surface + 0.22 * nodule.diameter_mm, 20.0)
    return (surface < 0) & (lung < 0)


def _brighten(canvas, distance, value):
    share = np.clip(0.5 - distance / canvas.edge, 0, 1)
    canvas.hu += (share * np.maximum(value - canvas.hu, 0)).astype(np.float32)


def _paint_spike(canvas, tip, offset, value):
    x, y, z = offset
    tip = np.asarray(tip)
    along = np.clip((x * tip[0] + y * tip[1] + z * tip[2]) / (tip @ tip), 0, 1)
    distance = np.sqrt(sum((o - along * t) ** 2 for o, t in zip((x, y, z), tip, strict=True)))
    radius = 1.1 * (1.2 - along)
    share = np.minimum(1, radius / (0.5 * canvas.edge)) * np.clip(1 - distance / canvas.edge, 0, 1)
    canvas.hu += (share * np.maximum(value - canvas.hu, 0)).astype(np.float32)
