"""The body of one patient: numbers drawn from a seed, and the surfaces that they define.

Coordinates are in mm and fixed to the patient: x to the patient's left, y to the back, z from the apices of the lungs
down to the feet. ``s = z / lung_length`` is 0 at the apices and 1 at the lowest edge of the lungs. A patient lies on
the back with the feet towards the viewer, so that x goes to the right in an image and y down.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from . import shapes

# Inner chest wall and body outline of a slim man of average size at levels s, in mm: half width, half depth, center.
# Drawn by eye after axial anatomy; what they must give is checked in the tests: lungs of 2 to 7 litres.
LEVELS = np.array([-0.10, 0.0, 0.05, 0.12, 0.20, 0.35, 0.50, 0.70, 0.90, 1.10])
PROFILES = {
    "cage_width": [30, 50, 66, 86, 102, 119, 127, 132, 132, 128],
    "cage_depth": [26, 36, 44, 54, 64, 77, 85, 91, 94, 94],
    "cage_y": [28, 25, 22, 16, 10, 4, 0, -3, -4, -4],
    "body_width": [150, 166, 170, 168, 163, 156, 152, 150, 149, 147],
    "body_depth": [61, 67, 73, 82, 92, 104, 111, 116, 118, 117],
    "body_y": [31, 29, 28, 24, 18, 11, 6, 3, 1, 0],
    "mediastinum": [30, 31, 32, 33, 33, 32, 29, 24, 22, 20],
}


@dataclass(frozen=True)
class Anatomy:
    """What distinguishes one patient from another. Lengths in mm, densities in HU."""

    sex: str  # 'female' or 'male'
    lung_length: float  # apex to lowest edge
    width: float  # factors on the slim average man
    depth: float
    fat: float  # layer under the skin
    muscle: float  # factor on the thickness of the muscles
    breast: float  # 0 for men
    rotation: float  # radians, about the long axis
    shift: tuple  # (x, y), lying off the center
    scoliosis: tuple  # amplitude in mm, phase
    heart: float  # factor
    dome: tuple  # s of the right and the left dome of the diaphragm
    rib_spacing: float
    rib_phase: float
    rib_drop: float  # how far a rib descends from the spine to its front end
    wobble: tuple  # rows of (amplitude, wave number, wave number in z, phase): no outline is a perfect ellipse
    contrast: float  # HU added to blood by contrast medium, 0 for most
    lung_hu: float  # at mid-depth
    lung_gradient: float  # HU from front to back: the blood sinks in a patient on the back
    emphysema: float  # fraction of destroyed lung
    muscle_hu: float
    fat_hu: float
    liver_hu: float
    spongy_bone_hu: float
    cortical_bone_hu: float
    stomach_gas: float  # radius of the bubble, 0 for none
    esophagus_gas: bool
    calcium: tuple  # plaques in the walls of arteries: rows of (x, y, s, radius)
    tree_seed: int  # of the vessels in the lungs
    apex_width: float = 1.0  # factor on the rib cage at its top
    apex_shift: float = 0.0  # mm that its top lies farther back
    dome_power: float = 2.5  # how boxy the domes are: above, only a thin crescent of lung is left around them


def draw_anatomy(rng):
    """Draw a patient from ``rng``; the ranges are those of adults, the HU those of the series' fact sheet."""
    female = rng.random() < 0.45
    # women's lungs are shorter and their rib cages smaller (Bellemare et al., Am J Respir Crit Care Med 2003;168:305)
    length = np.clip(rng.normal(228 if female else 258, 14), 195, 295)
    obesity = rng.beta(1.6, 2.6)  # 0 lean, 1 severely obese
    fat = 5 + 30 * obesity
    contrast = rng.uniform(100, 230) if rng.random() < 0.4 else 0.0  # blood at 140-270 HU
    right_dome = rng.uniform(0.70, 0.77)
    return Anatomy(
        sex="female" if female else "male",
        lung_length=float(length),
        width=float(np.clip(rng.normal(0.90 if female else 1.0, 0.035), 0.82, 1.08)),
        depth=float(np.clip(rng.normal(0.91 if female else 1.0, 0.05), 0.8, 1.12)),
        fat=float(fat),
        muscle=float(rng.uniform(0.7, 1.0) if female else rng.uniform(0.85, 1.3)),
        breast=float(np.clip(0.55 + 0.7 * obesity + rng.normal(0, 0.12), 0.45, 1.3)) if female else 0.0,
        rotation=float(np.clip(rng.normal(0, 0.05), -0.12, 0.12)),
        shift=(float(np.clip(rng.normal(0, 6), -12, 12)), float(np.clip(rng.normal(0, 6), -12, 12))),
        scoliosis=(float(abs(rng.normal(0, 4))), float(rng.uniform(0, 2 * np.pi))),
        heart=float(np.clip(rng.normal(1.0, 0.07), 0.85, 1.2)),
        dome=(float(right_dome), float(right_dome + rng.uniform(0.01, 0.06))),
        rib_spacing=float(length * rng.uniform(0.092, 0.102)),
        rib_phase=float(rng.uniform(0, 1)),
        rib_drop=float(rng.uniform(85, 115)),
        wobble=tuple(
            (float(rng.uniform(0.5, 1.5)), 2 * np.pi / rng.uniform(70, 140), 2 * np.pi / rng.uniform(90, 200), phase)
            for phase in rng.uniform(0, 2 * np.pi, 6).tolist()
        ),
        contrast=float(contrast),
        lung_hu=float(rng.uniform(-870, -800)),
        lung_gradient=float(rng.uniform(40, 110)),
        emphysema=float(rng.uniform(0.05, 0.35)) if rng.random() < 0.2 else 0.0,
        muscle_hu=float(rng.uniform(45, 62)),
        fat_hu=float(rng.uniform(-112, -95)),
        liver_hu=float(rng.uniform(45, 65) + 0.25 * contrast),
        spongy_bone_hu=float(rng.uniform(110, 260)),
        cortical_bone_hu=float(rng.uniform(950, 1350)),
        stomach_gas=float(rng.uniform(14, 30)) if rng.random() < 0.6 else 0.0,
        esophagus_gas=bool(rng.random() < 0.4),
        calcium=draw_calcium(rng),
        tree_seed=int(rng.integers(2**31)),
    )


def draw_calcium(rng):
    """Plaques of a patient past middle age, for the average man: in the aortic arch and in the coronary arteries."""
    if rng.random() < 0.6:
        return ()
    arch = rng.normal((16, 2, 0.32), (7, 14, 0.012), (int(rng.integers(1, 5)), 3))
    coronary = rng.normal((16, -44, 0.55), (12, 6, 0.02), (int(rng.integers(0, 4)), 3))
    places = np.concatenate([arch, coronary])
    return tuple((*place, float(rng.uniform(1, 2.8))) for place in places.tolist())


class Chest:
    """The large surfaces of a patient as functions of (x, y, z), arrays or numbers that broadcast."""

    def __init__(self, anatomy):
        self.anatomy = a = anatomy
        self.length = a.lung_length
        self._tables = {name: PchipInterpolator(LEVELS, values) for name, values in PROFILES.items()}
        self._heart = [
            # center (x, y, s) and radii; the long axis of the ventricles points to the left, the front and the feet
            ("ventricles", (20, -34, 0.665), (62, 45, 43), (0.78, -0.42, 0.46)),
            ("right atrium", (-24, -26, 0.645), (30, 34, 38), None),
            ("left atrium", (0, 2, 0.575), (36, 21, 24), None),
        ]

    def from_scanner(self, x, y, z):
        """Coordinates (x, y) in the patient of a point (x, y, z) of the scanner, in mm.

        The patient lies a little turned and off the center, the spine bends, and no outline is a perfect ellipse.
        """
        a = self.anatomy
        x = x - a.shift[0] - a.scoliosis[0] * np.sin(2 * np.pi * z / self.length + a.scoliosis[1])
        y = y - a.shift[1]
        cos, sin = np.cos(a.rotation), np.sin(a.rotation)
        wave = [
            size * np.sin(k * (x if i % 2 else y) + kz * z + phase) for i, (size, k, kz, phase) in enumerate(a.wobble)
        ]
        return cos * x + sin * y + sum(wave[::2]), cos * y - sin * x + sum(wave[1::2])

    def to_scanner(self, x, y, z):
        """The way back, without the wobble: right to 5 mm."""
        a = self.anatomy
        cos, sin = np.cos(a.rotation), np.sin(a.rotation)
        bend = a.scoliosis[0] * np.sin(2 * np.pi * z / self.length + a.scoliosis[1])
        return cos * x - sin * y + a.shift[0] + bend, cos * y + sin * x + a.shift[1]

    def level(self, name, z):
        """A profile at height z, scaled to the patient: half widths, half depths and centers in mm."""
        scale = self.anatomy.width if name in ("cage_width", "body_width", "mediastinum") else self.anatomy.depth
        s = np.clip(z / self.length, LEVELS[0], LEVELS[-1])
        value = scale * self._tables[name](s)
        near_top = np.exp(-((s / 0.16) ** 2))
        if name in ("cage_width", "cage_depth"):
            value = value * (1 + (self.anatomy.apex_width - 1) * near_top)
        elif name == "cage_y":
            value = value + self.anatomy.apex_shift * near_top
        return value if np.ndim(value) else float(value)  # a Python number leaves float32 arrays what they are

    def point(self, x, y, s):
        """A point given for the average man, as (x, y, z) of this patient."""
        return np.array([x * self.anatomy.width, y * self.anatomy.depth, s * self.length])

    def spine(self, z):
        """y of the middle of the vertebral body; the canal lies 24 mm behind it."""
        return self.level("cage_y", z) + self.level("cage_depth", z) - 34

    def front(self, z):
        """y of the inside of the front chest wall in the midline."""
        return self.level("cage_y", z) - self.level("cage_depth", z)

    def cage(self, x, y, z):
        """Distance to the inside of the rib cage."""
        center, depth = (0, self.level("cage_y", z)), self.level("cage_depth", z)
        # the ribs swing back beside the spine before they turn to the front: a gutter on each side
        width = self.level("cage_width", z)
        gutter = 0.115 * depth * np.exp(-(((np.abs(x) / width - 0.44) / 0.27) ** 2))
        y = y - gutter * np.clip((y - center[1]) / (0.6 * depth), 0, 1)
        narrowing = 1 + 0.09 * np.clip((center[1] - y) / depth, -0.6, 1.2)  # narrower in front than behind
        return shapes.superellipse(x * narrowing, y, center, (width, depth), 2.25)

    def angle(self, x, y, z):
        """Angle around the chest: 0 at the spine, pi at the sternum, the same left and right."""
        return np.arctan2(
            np.abs(x) / self.level("cage_width", z), (y - self.level("cage_y", z)) / self.level("cage_depth", z)
        )

    def body(self, x, y, z):
        """Distance to the skin."""
        a = self.anatomy
        radii = (self.level("body_width", z) + 1.1 * a.fat, self.level("body_depth", z) + 0.8 * a.fat)
        body = shapes.superellipse(x, y, (0, self.level("body_y", z)), radii, 2.3)
        if a.breast:
            for side in (-1, 1):
                body = shapes.union(body, self.breast(x, y, z, side), 18)
        # the back is flat where it lies on the table
        return shapes.intersection(body, y - self.back(z), 30)

    def back(self, z):
        """y of the skin of the back, pressed flat by the table."""
        return self.level("body_y", z) + self.level("body_depth", z) + 0.7 * self.anatomy.fat

    def breast(self, x, y, z, side):
        """Distance to a breast of a woman on her back: flat, and fallen to the side."""
        a = self.anatomy
        center = (side * 84 * a.width, self.front(0.52 * self.length) + 8 - 0.5 * a.fat, 0.5 * self.length)
        return shapes.ellipsoid(x, y, z, center, (62 * a.breast**0.5, 44 * a.breast, 66 * a.breast**0.5))

    def heart_part(self, name, x, y, z, grow=0.0):
        """Distance to one of the heart's parts, made larger by ``grow`` mm."""
        _, (cx, cy, cs), radii, axis = next(part for part in self._heart if part[0] == name)
        size = self.anatomy.heart
        return shapes.ellipsoid(x, y, z, self.point(cx, cy, cs), [size * r + grow for r in radii], axis)

    def heart(self, x, y, z, grow=0.0):
        """Distance to the heart."""
        parts = [self.heart_part(name, x, y, z, grow) for name, *_ in self._heart]
        return shapes.union(shapes.union(parts[0], parts[1], 12), parts[2], 10)

    def mediastinum(self, x, y, z):
        """Distance to what lies between the lungs: heart with its fat, great vessels, spine."""
        front, spine = self.front(z), self.spine(z)
        middle, half_depth = (front + spine) / 2, (spine - front) / 2 + 8
        # narrow behind the sternum, where the lungs almost touch, and wide before the spine
        forward = np.clip((middle - y) / half_depth, -1, 1)
        half_width = self.level("mediastinum", z) * (1 - 0.38 * np.maximum(forward, 0) ** 1.5)
        trunk = shapes.superellipse(x / half_width * 30, y, (0, middle), (30.0, half_depth), 3) * (half_width / 30)
        bones = shapes.union(
            shapes.ellipse(x, y, (0, spine + 2), (24 * self.anatomy.width, 22)),
            shapes.segment(np.abs(x), y, (0, spine + 28), (36, spine + 40), 10),  # the processes and joints of the ribs
            12,
        )
        aorta = np.hypot(x - 25 * self.anatomy.width, y - (spine - 18)) - 15 + 40 * np.maximum(0.3 - z / self.length, 0)
        between = shapes.union(shapes.union(trunk, bones, 14), aorta, 8)
        return shapes.union(between, self.heart(x, y, z, grow=5), 16)

    def diaphragm(self, x, y, z):
        """Distance to the diaphragm: negative above it, positive in the abdomen."""
        a, length = self.anatomy, self.length
        side = 1 / (1 + np.exp(-np.asarray(x) / 8))  # 0 right, 1 left, smooth across the midline
        top = length * (a.dome[0] + side * (a.dome[1] - a.dome[0]))
        u = (np.abs(x) - 52 * a.width) / (76 * a.width)
        u = np.where(u < 0, 0.55 * u, u)  # shallow where the heart rests on it
        v = (y - self.level("cage_y", z) + 10 * a.depth) / (92 * a.depth)
        q = np.sqrt(u * u + v * v + 1e-6)
        fall = (0.96 + 0.09 * v) * length - top  # it is fixed to the wall high in front and low behind
        surface = top + fall * q**a.dome_power
        slope = a.dome_power * fall / (78 * a.width) * q ** (a.dome_power - 1)
        return (z - surface) / np.sqrt(1 + slope**2)

    def lungs(self, x, y, z):
        """Distance to the lungs: inside the rib cage, above the diaphragm, beside the mediastinum."""
        cavity = shapes.intersection(self.cage(x, y, z), -self.mediastinum(x, y, z), 14)
        return shapes.intersection(cavity, self.diaphragm(x, y, z), 10)

    def fissure(self, x, y, z):
        """Signed distance to the oblique fissure, from high at the back to low in front."""
        return ((z / self.length - 0.52) * self.length + 0.95 * (y + 0.06 * x)) / 1.4

    def rib_coordinates(self, x, y, z):
        """Where a point lies relative to the nearest rib.

        Returns distance (mm) from the middle of the rib across the chest wall, along its height, the rib's number
        (0 for the first) and the angle around the chest.
        """
        a = self.anatomy
        angle = self.angle(x, y, z)
        bend = 0.78 * np.pi  # where bone becomes cartilage and turns up towards the sternum
        drop = (
            a.rib_drop * (np.minimum(angle, bend) / bend) ** 0.9
            - 1.3 * a.rib_drop * np.maximum(angle - bend, 0) / np.pi
        )
        number = (z - drop) / a.rib_spacing + 1.2 + a.rib_phase
        nearest = np.rint(number)
        return self.cage(x, y, z) - 6.5, (number - nearest) * a.rib_spacing * 0.94, nearest, angle
