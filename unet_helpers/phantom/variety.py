"""What an archive holds beside the textbook patient: diseases, arms, metal, tables, fields of view.

``make_patient(..., variety="archive")`` draws from here. Everything stays an object in space: an effusion is a fluid
level in the chest and follows it from slice to slice.

References
----------
D. M. Hansell et al., Fleischner Society: glossary of terms for thoracic imaging, Radiology 2008;246:697: what ground
glass, consolidation, honeycombing and emphysema look like.
J. F. Barrett and N. Keat, Artifacts in CT: recognition and avoidance, RadioGraphics 2004;24:1679: beam hardening,
metal, motion, truncated fields of view.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from skimage.morphology import remove_small_holes

from . import scanner, shapes
from .scanner import Acquisition

FIRST, LAST = -0.10, 1.25  # levels of the first and last slice: from the neck to the kidneys
LARGEST_HU = 3071  # what 12 bits hold
NOTICEABLE = 50.0  # mm²: a finding is named on a slice that shows at least that much of it


@dataclass(frozen=True)
class Findings:
    """What a patient of the archive has. Places are (x, y, z) in mm of the patient."""

    arms: tuple = ()  # sides of the arms that lie beside the body: -1 right, 1 left
    effusion: tuple = ()  # rows of (side, depth of the fluid at the base in mm, level s where it begins)
    consolidation: tuple = ()  # rows of (x, y, z, radius)
    ground_glass: tuple = ()  # rows of (x, y, z, radius, HU added)
    fibrosis: float = 0.0  # mm: how deep honeycombs reach from the surface of the lungs
    bowel_gas: tuple = ()  # rows of (x, y, z, radius x, radius y, radius z)
    metal: tuple = ()  # rods: rows of (x, y, z, x, y, z, radius, HU)
    blanket: float = 0.0  # mm between skin and cloth, 0 for none
    table: tuple = (420.0, 205.0, 1.0)  # radius of the shell and half width in mm, thickness as a factor; () for none


def vary_anatomy(anatomy, rng):
    """The same person with the spread of an archive: from thin to obese, bent spines, large hearts, high diaphragms."""
    obesity = rng.beta(1.2, 2.2)
    right_dome = rng.uniform(0.60, 0.82)
    bend, large, emphysema = rng.random(3) < (0.2, 0.2, 0.2)
    return replace(
        anatomy,
        width=float(anatomy.width * rng.uniform(0.92, 1.08)),
        depth=float(anatomy.depth * rng.uniform(0.86, 1.22)),
        fat=float(3 + 45 * obesity),
        muscle=float(anatomy.muscle * rng.uniform(0.7, 1.15)),
        rotation=float(rng.normal(0, 0.09)),
        shift=(float(rng.normal(0, 12)), float(rng.normal(0, 14))),
        scoliosis=(float(rng.uniform(12, 30)), anatomy.scoliosis[1]) if bend else anatomy.scoliosis,
        heart=float(rng.uniform(1.2, 1.45)) if large else anatomy.heart,
        dome=(float(right_dome), float(right_dome + rng.uniform(-0.04, 0.08))),
        wobble=tuple(
            (float(rng.uniform(0.5, 4.0)), 2 * np.pi / rng.uniform(90, 260), 2 * np.pi / rng.uniform(120, 400), phase)
            for phase in rng.uniform(0, 2 * np.pi, 6).tolist()
        ),
        lung_hu=float(rng.uniform(-930, -820) if rng.random() < 0.9 else rng.uniform(-820, -700)),
        lung_gradient=float(rng.uniform(20, 120)),
        emphysema=float(rng.uniform(0.1, 0.5)) if emphysema else 0.0,
        apex_width=float(rng.uniform(0.85, 1.45)),
        apex_shift=float(rng.uniform(-16, 5)),
        dome_power=float(rng.uniform(2.0, 5.0)),
        stomach_gas=float(rng.uniform(14, 45)) if rng.random() < 0.7 else 0.0,
    )


def draw_findings(rng, chest):
    """Draw a patient's findings; about half of the patients have a disease of the lungs."""
    a, length = chest.anatomy, chest.length
    arms = [(), (-1, 1), (-1,), (1,)][rng.choice(4, p=[0.7, 0.18, 0.06, 0.06])]
    effusion = tuple(
        (side, float(rng.uniform(10, 110) * a.depth), float(rng.uniform(0.3, 0.7)))
        for side in (-1, 1)
        if rng.random() < 0.14
    )
    dense = _places(chest, rng, int(rng.integers(1, 5)) if rng.random() < 0.3 else 0)
    hazy = _places(chest, rng, int(rng.integers(2, 9)) if rng.random() < 0.3 else 0)
    gas = []
    for _ in range(int(rng.integers(1, 6)) if rng.random() < 0.75 else 0):
        x = rng.uniform(-95, 110) * a.width
        y = rng.uniform(-85, 10 if abs(x) < 50 else 40) * a.depth
        z = length * rng.uniform(0.78, 1.25)
        for _ in range(int(rng.integers(1, 5))):  # loops lie together
            radii = rng.uniform(7, 32, 3) * (1, 0.8, 1)
            gas.append((*(np.array([x, y, z]) + rng.normal(0, 16, 3)), *radii))
    return Findings(
        arms=arms,
        effusion=effusion,
        consolidation=tuple((*place, float(rng.uniform(8, 45))) for place in dense),
        ground_glass=tuple((*place, float(rng.uniform(10, 50)), float(rng.uniform(120, 420))) for place in hazy),
        fibrosis=float(rng.uniform(6, 25)) if rng.random() < 0.1 else 0.0,
        bowel_gas=tuple(tuple(map(float, row)) for row in gas),
        metal=_draw_metal(rng, chest),
        blanket=float(rng.uniform(3, 15)) if rng.random() < 0.3 else 0.0,
        table=()
        if rng.random() < 0.15
        else (float(rng.choice([300, 420, 900, 1e5])), float(rng.uniform(170, 250)), float(rng.uniform(0.5, 1.6))),
    )


def _places(chest, rng, count):
    """``count`` points in the lungs, (x, y, z) in mm."""
    reach = np.array([chest.level("cage_width", chest.length), 100 * chest.anatomy.depth, chest.length])
    points = rng.uniform((-1, -1, 0), 1, (400, 3)) * reach
    return points[chest.lungs(*points.T) < -3][:count].tolist()


def _draw_metal(rng, chest):
    """Wires of the sternum after surgery, a pacemaker with its lead, screws in the spine."""
    front, length, rods = chest.front, chest.length, []
    if rng.random() < 0.08:
        for s in np.linspace(0.14, 0.58, 7):
            y = front(s * length) - 13
            rods.append((-9, y, s * length, 9, y, s * length, 0.8, 6000))
    if rng.random() < 0.08:
        y = front(0.1 * length) - 14
        x = 58
        for step in (0, 9, 18, 27):
            rods.append((x + step, y - 0.15 * step, 0.09 * length, x + step, y - 0.15 * step, 0.25 * length, 4.5, 6000))
        lead = [(55, y, 0.1), (20, y + 12, 0.09), (-25, -22, 0.2), (-22, -20, 0.62), (40, -35, 0.74)]
        rods += _line(lead, length, 1.0, 6000)
    if rng.random() < 0.05:
        start = rng.uniform(0.3, 0.8)
        for s in start + np.array([0.0, 0.1, 0.2]):
            y = chest.spine(s * length)
            rods += [(side * 9, y - 6, s * length, side * 17, y + 34, s * length, 2.8, 6000) for side in (-1, 1)]
    if chest.anatomy.contrast and rng.random() < 0.4:
        # contrast medium, not yet diluted, on its way from the arm to the heart
        side = rng.choice([-1, 1])
        vein = [(side * 150, 12, -0.03), (side * 80, -4, 0.0), (side * 34, -14, 0.04), (-24, -26, 0.2), (-28, -22, 0.5)]
        rods += _line(vein, length, 4.5, rng.uniform(800, 3000))
    return tuple(tuple(map(float, rod)) for rod in rods)


def _line(points, length, radius, hu):
    """Rods along points (x, y, s)."""
    points = [(x, y, s * length) for x, y, s in points]
    return [(*start, *end, radius, hu) for start, end in pairwise(points)]


def draw_archive_acquisition(rng, anatomy, fitting):
    """Draw how a patient of the archive is scanned: any dose and thickness, tight and wide fields, some movement."""
    photons = np.exp(rng.uniform(np.log(3e4), np.log(1e6))) * np.exp(0.018 * (anatomy.fat - 15))
    return Acquisition(
        photons=float(np.round(photons, -2)),
        kernel="sharp" if rng.random() < 0.65 else "soft",
        slice_thickness=float(rng.choice([1.0, 1.0, 1.25, 2.0, 2.5, 3.0, 5.0, 8.0])),
        field_of_view=float(np.clip(np.round(fitting * rng.uniform(0.88, 1.3)), 280, 500)),
        padding=None if rng.random() < 0.4 else int(rng.choice(scanner.PADDING)),
        beam_hardening=float(rng.uniform(0.0, 0.03)),
        motion=float(rng.uniform(1.0, 5.0)) if rng.random() < 0.12 else 0.0,
    )


def fluid(chest, findings, x, y, z, lung):
    """Distance to pleural fluid, which collects at the back of the lowest part; infinite without."""
    distance = np.full(np.shape(lung), np.inf, np.float32)
    for side, depth, start in findings.effusion:
        height = depth * np.clip((z / chest.length - start) / (0.88 - start), 0, 1) ** 0.8
        if not height:
            continue
        back = chest.level("cage_y", z) + chest.level("cage_depth", z)
        level = back - height - 22 * np.exp(np.minimum(lung, 0) / 9)  # it climbs along the walls
        here = np.maximum(level - y, lung)
        distance = np.minimum(distance, np.maximum(here, -side * x))
    return distance


def paint_findings(canvas, findings, cavity, fluid_distance, texture):
    """Paint the diseases into a slice; returns the names of those that it shows.

    cavity : array (n, n), distance to the lungs without disease; fluid_distance : what :func:`fluid` gives
    """
    a, shown = canvas.chest.anatomy, set()
    if (fluid_distance < 0).any():
        canvas.paint(fluid_distance, 8.0)
        if canvas.area(fluid_distance < 0) > NOTICEABLE:
            shown.add("effusion")
    lung = np.maximum(cavity, -fluid_distance)
    for name, rows in (("ground glass", findings.ground_glass), ("consolidation", findings.consolidation)):
        for x, y, z, radius, *added in rows:
            if abs(canvas.z - z) > 1.4 * radius:
                continue
            offset = np.sqrt((canvas.x - x) ** 2 + (canvas.y - y) ** 2 + (canvas.z - z) ** 2)
            share = np.clip(0.5 - (offset - radius + 5 * texture) / 8, 0, 1) * (lung < 0)
            value = canvas.hu + added[0] if added else 20 + 0.3 * a.contrast + 8 * texture
            airless = canvas.hu < -960  # bronchi keep their air
            canvas.hu += np.where(airless, 0, share * np.maximum(np.minimum(value, 60) - canvas.hu, 0))
            if canvas.area(share > 0.5) > NOTICEABLE:
                shown.add(name)
    if findings.fibrosis and (lung < 0).any():
        near = (
            np.clip(1 + lung / findings.fibrosis, 0, 1) * (lung < 0) * np.clip(canvas.z / canvas.chest.length, 0.2, 1)
        )
        wall = np.abs(texture) < 0.35
        canvas.hu += near * np.where(wall, np.maximum(-250 - canvas.hu, 0), np.minimum(-900 - canvas.hu, 0) * 0.7)
        if canvas.area(near > 0.5) > NOTICEABLE:
            shown.add("fibrosis")
    if _paint_gas(canvas, findings, texture):
        shown.add("bowel gas")
    return shown


def _paint_gas(canvas, findings, texture):
    chest, x, y, z = canvas.chest, canvas.x, canvas.y, canvas.z
    if z < 0.9 * min(chest.anatomy.dome) * chest.length:
        return False
    abdomen = np.maximum(-chest.diaphragm(x, y, z), chest.cage(x, y, z) + 1) + 3
    for k, (cx, cy, cz, *radii) in enumerate(findings.bowel_gas):
        loop = shapes.ellipsoid(x, y, z, (cx, cy, cz), radii) + 2.5 * texture
        canvas.paint(np.maximum(loop - 2.5, abdomen), 35.0)
        inside = np.maximum(loop, abdomen + 2)
        canvas.paint(inside, 12.0)
        if k % 3:  # gas above, fluid below
            canvas.paint(np.maximum(inside, y - cy - 0.4 * radii[1]), -990.0)
        else:  # stool: gas in many small pockets
            canvas.paint(np.maximum(inside, 6 * (texture - 0.3)), -900.0)
    return canvas.area((canvas.hu < -700) & (abdomen < -2)) > NOTICEABLE


def paint_metal(canvas, findings):
    """Paint metal; True if the slice shows some."""
    if not findings.metal:
        return False
    before = canvas.hu.max()
    for *rod, radius, hu in findings.metal:
        canvas.rods(np.array([rod[:3]]), np.array([rod[3:]]), np.full((1, 2), radius), hu, brighten=True)
    return bool(canvas.hu.max() > max(before, 2000))


def outline(lung, pixel):
    """Lung (n, n) as people outline it: vessels and bronchi under 1 cm² that it encloses are part of it."""
    return remove_small_holes(lung, max_size=max(1, int(100 / pixel**2)))


def add_surroundings(canvas, findings, truth):
    """Arms and cloth around the body, painted into the finished slice ``truth`` (n, n)."""
    chest, x, y, z = canvas.chest, canvas.x, canvas.y, canvas.z
    a, s = chest.anatomy, z / chest.length
    body = chest.body(x, y, z)
    outside = body > 0.5 * canvas.edge
    for side in findings.arms:
        reach = chest.level("body_width", z) + 1.1 * a.fat + 44 - 70 * np.clip(0.12 - s, 0, 0.4)
        center = (side * reach, chest.level("body_y", z) + 12 + 20 * s)
        fat = 4 + 0.25 * a.fat
        arm = shapes.ellipse(x, y, center, (30 + fat, 36 + fat))
        for distance, value in ((arm, 10.0), (arm + 2, a.fat_hu), (arm + fat, a.muscle_hu)):
            truth += np.where(outside, np.clip(0.5 - distance / canvas.edge, 0, 1), 0) * (value - truth)
        bone = np.hypot(x - center[0], y - center[1]) - 11.5
        for distance, value in ((bone, a.cortical_bone_hu), (bone + 3.5, 20.0)):
            truth += np.where(outside, np.clip(0.5 - distance / canvas.edge, 0, 1), 0) * (value - truth)
    if findings.blanket:
        waves = findings.blanket + 2.5 * np.sin(x / 17 + z / 30)
        cloth = np.abs(body - waves) - 0.8
        above = outside & (y < chest.level("body_y", z) + 40)
        share = np.where(above, np.clip(0.5 - cloth / canvas.edge, 0, 1) * min(1.0, 1.6 / canvas.edge), 0)
        truth += share * np.maximum(-350 - truth, 0)
    return truth


def patient_difficulties(anatomy, findings, acquisition):
    """Names of what makes the whole patient difficult."""
    tests = {
        "thin": anatomy.fat < 8,
        "obese": anatomy.fat > 28,
        "scoliosis": anatomy.scoliosis[0] > 10,
        "large heart": anatomy.heart >= 1.2,
        "emphysema": anatomy.emphysema > 0,
        "dense lungs": anatomy.lung_hu > -770,
        "arms down": len(findings.arms) > 0,
        "movement": acquisition.motion > 0,
        "low dose": acquisition.photons < 3e4,
        "thick slices": acquisition.slice_thickness >= 5,
        "contrast medium": anatomy.contrast > 0,
    }
    return {name for name, found in tests.items() if found}
