"""From surfaces to one slice in HU: tissues painted one over the other, from the skin inwards."""

import numpy as np
from scipy.ndimage import gaussian_filter

from . import shapes
from .vessels import AIRWAYS, ARTERIES, ESOPHAGUS, VEINS, course

AIR, SKIN = -1000.0, 15.0


class Canvas:
    """One slice: where its pixels lie in the patient (mm), and their HU so far."""

    def __init__(self, chest, world_x, world_y, z, thickness):
        """``world_x`` (n,) and ``world_y`` (n,) are the scanner's coordinates of columns and rows in mm."""
        self.chest, self.world_x, self.world_y, self.z = chest, world_x, world_y, float(z)
        self.pixel = float(world_x[1] - world_x[0])
        self.edge = float(np.hypot(self.pixel, 0.4 * thickness))  # a pixel averages over its area and depth
        x, y = chest.from_scanner(world_x[None, :], world_y[:, None], self.z)
        self.x, self.y = x.astype(np.float32), y.astype(np.float32)
        self.hu = np.full(self.x.shape, SKIN, np.float32)
        self.excluded = np.zeros(self.x.shape, bool)  # bone, great vessels, main airways: never lung

    def area(self, found):
        """Area in mm² of the pixels of a boolean array (n, n) that lie in the image, the middle of the field."""
        cut = len(found) // 6
        return float(found[cut:-cut, cut:-cut].sum()) * self.pixel**2

    def paint(self, distance, value, box=...):
        """Blend ``value`` (a number or an array) in where ``distance`` is negative, half of it on the edge."""
        hu = self.hu[box]
        hu += np.clip(0.5 - distance / self.edge, 0, 1) * (value - hu)

    def box(self, low, high):
        """Index of the pixels that may lie in a rectangle of the patient, from (x, y) to (x, y) in mm."""
        x, y = self.chest.to_scanner((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, self.z)
        column, row = (x - self.world_x[0]) / self.pixel, (y - self.world_y[0]) / self.pixel
        wobble = 1.2 * sum(row[0] for row in self.chest.anatomy.wobble)  # to_scanner leaves it out
        reach = (max(high[0] - low[0], high[1] - low[1]) / 2 + max(5, wobble)) / self.pixel + 2
        rows = slice(max(0, int(row - reach)), max(0, int(row + reach) + 1))
        columns = slice(max(0, int(column - reach)), max(0, int(column + reach) + 1))
        return rows, columns

    def rods(self, start, end, radius, value, brighten=False, exclude=False):
        """Paint rods, (N, 3), (N, 3), (N, 2) in mm; one thinner than a pixel fills only a part of it.

        ``brighten`` leaves pixels alone that are denser already.
        """
        wide = radius.max(1, keepdims=True)
        low, high = np.minimum(start, end) - wide, np.maximum(start, end) + wide
        for i in np.flatnonzero((low[:, 2] < self.z + self.edge) & (high[:, 2] > self.z - self.edge)):
            a, b, r, box = start[i], end[i], radius[i], self.box(low[i], high[i])
            wide = np.maximum(r, 0.5 * self.edge)
            distance = shapes.rod(self.x[box], self.y[box], self.z, a, b, wide)
            share = (r.sum() / wide.sum()) ** 2 * np.clip(0.5 - distance / self.edge, 0, 1)
            hu = self.hu[box]
            change = value - hu
            hu += share * (np.maximum(change, 0) if brighten else change)
            if exclude:
                self.excluded[box] |= distance < 0

    def tube(self, vessel, value, grow=0.0):
        """Paint a great vessel or airway, ``(points, radius)`` of the average man, ``grow`` mm wider than it is."""
        points, radius = vessel
        path = course(self.chest, points)
        radii = np.full((len(path) - 1, 2), radius * self.chest.anatomy.width + grow)
        self.rods(path[:-1], path[1:], radii, value, exclude=True)


def paint_slice(canvas, tree, lung, texture):
    """Paint all but the nodules.

    lung : array (n, n), distance to the lungs in mm
    texture : array (n, n), noise without unit that gives tissues their grain
    """
    soft_parts(canvas, texture)
    abdomen(canvas, texture)
    mediastinum(canvas)
    canvas.paint(lung, parenchyma(canvas, texture))
    great_vessels(canvas)
    lung_vessels(canvas, tree)
    airways(canvas)
    ribs(canvas)
    spine(canvas)
    shoulder_girdle(canvas)


def soft_parts(canvas, texture):
    """Skin, fat, breasts, muscles, and the inside of the chest filled with fat."""
    chest, x, y, z = canvas.chest, canvas.x, canvas.y, canvas.z
    a = chest.anatomy
    body, cage = chest.body(x, y, z), chest.cage(x, y, z)
    fat, muscle = a.fat_hu + 6 * texture, a.muscle_hu + 5 * texture
    canvas.paint(body + 2.0, fat)  # and 2 mm of skin around it
    if a.breast:
        for side in (-1, 1):
            gland = chest.breast(x, y, z, side) + 16 + 5 * texture
            canvas.paint(np.maximum(gland, -cage + 18), fat + 90)
    layer = muscle_layer(chest, x, y, z, cage)
    canvas.paint(np.maximum(layer, body + 4.0), muscle)
    seam = np.abs(layer + 9 + 2 * texture) - 0.7  # fat between the layers of muscle
    canvas.paint(np.where(cage > 12, seam, 9), fat + 30)
    canvas.paint(cage + 1.0, fat)


def muscle_layer(chest, x, y, z, cage):
    """Distance to the muscles around the rib cage: a coat of varying thickness, and those along the spine."""
    a, s = chest.anatomy, z / chest.length
    angle = chest.angle(x, y, z) / np.pi
    chest_muscle = 15 * np.exp(-(((angle - 0.72) / 0.16) ** 2) - ((s - 0.22) / 0.16) ** 2)
    back_muscle = 20 * np.exp(-(((angle - 0.36) / 0.17) ** 2) - ((s - 0.15) / 0.35) ** 2)
    coat = cage - 12 - a.muscle * (4 + chest_muscle + back_muscle)
    spine = chest.spine(z)
    along = shapes.ellipse(np.abs(x), y, (24 * a.width, spine + 44 * a.depth), (25 * a.width, 17 * a.muscle))
    layer = shapes.union(coat, along, 10)
    shoulder = shapes.ellipsoid(np.abs(x), y, z, chest.point(112, 26, -0.01), (62 * a.width, 46 * a.muscle**0.5, 62))
    neck = shapes.ellipsoid(x, y, z, chest.point(0, 22, -0.12), (85 * a.width, 62, 75))
    return shapes.union(shapes.union(layer, shoulder, 16), neck, 16)


def abdomen(canvas, texture):
    """Diaphragm, liver, spleen and stomach, below the domes."""
    chest, x, y, z = canvas.chest, canvas.x, canvas.y, canvas.z
    a = chest.anatomy
    if z < 0.9 * min(a.dome) * chest.length:
        return
    inside = np.maximum(-chest.diaphragm(x, y, z), chest.cage(x, y, z) + 1)
    canvas.paint(inside, a.muscle_hu)
    inside = inside + 3.0
    canvas.paint(inside, a.fat_hu)
    spleen = shapes.ellipsoid(x, y, z, chest.point(84, 38, 0.98), (36 * a.width, 46, 44))
    canvas.paint(np.maximum(spleen, inside), a.liver_hu - 5 + 0.2 * a.contrast + 4 * texture)
    stomach = np.maximum(shapes.ellipsoid(x, y, z, chest.point(58, -22, 0.95), (46 * a.width, 50, 44)), inside + 2)
    canvas.paint(stomach, 45.0)
    canvas.paint(stomach + 4, 22.0 + 12 * texture)
    if a.stomach_gas:  # gas rises to the front, with a level below it
        level = chest.point(0, -22, 0)[1] - 50 + 1.6 * a.stomach_gas
        canvas.paint(np.maximum(stomach + 4.5, y - level), -980.0)
    liver = shapes.ellipsoid(x, y, z, chest.point(-58, -6, 1.0), (118 * a.width, 98 * a.depth, 0.30 * chest.length))
    canvas.paint(np.maximum(liver, inside), a.liver_hu + 4 * texture)


def mediastinum(canvas):
    """The heart with its chambers, and the fat around it from ``soft_parts``."""
    chest, x, y, z = canvas.chest, canvas.x, canvas.y, canvas.z
    a = chest.anatomy
    s = z / chest.length
    if not 0.4 < s < 0.98:
        return
    wall = a.muscle_hu + 0.35 * a.contrast
    canvas.paint(chest.heart(x, y, z), wall)
    blood = blood_hu(a)
    canvas.paint(chest.heart_part("right atrium", x, y, z, -3), blood)
    canvas.paint(chest.heart_part("left atrium", x, y, z, -3), blood)
    size = a.heart
    left = shapes.ellipsoid(x, y, z, chest.point(34, -30, 0.68), (34 * size, 19 * size, 20 * size), (0.78, -0.42, 0.46))
    right = shapes.ellipsoid(x, y, z, chest.point(2, -52, 0.66), (34 * size, 17 * size, 24 * size), (0.78, -0.32, 0.46))
    canvas.paint(left, blood)
    canvas.paint(right, blood)


def blood_hu(anatomy):
    """HU of blood, with or without contrast medium."""
    return 42.0 + anatomy.contrast


def parenchyma(canvas, texture):
    """HU of the lung around its vessels: denser towards the back, grainy, with holes in emphysema."""
    chest, y, z = canvas.chest, canvas.y, canvas.z
    a = chest.anatomy
    hu = a.lung_hu + a.lung_gradient * (y - chest.level("cage_y", z)) / (2 * chest.level("cage_depth", z))
    hu = hu + 22 * texture
    near = np.abs(chest.fissure(canvas.x, y, z))
    hu = hu + 90 * np.clip(1 - near / canvas.edge, 0, 1)
    if a.emphysema:  # more in the upper lobes
        holes = np.clip(1.5 * (texture - 1.6 + 4 * a.emphysema * (1.1 - z / chest.length)), 0, 1)
        hu = hu + holes * (-965 - hu)
    return hu


def great_vessels(canvas):
    """Aorta, pulmonary arteries and veins, esophagus."""
    a = canvas.chest.anatomy
    blood = blood_hu(a)
    canvas.tube(ESOPHAGUS, 38.0)
    if a.esophagus_gas:
        canvas.tube(ESOPHAGUS, -850.0, grow=-4.3)
    for vessel in VEINS.values():
        canvas.tube(vessel, blood)
    for vessel in ARTERIES.values():
        canvas.tube(vessel, blood)
    for *place, radius in a.calcium:
        point = course(canvas.chest, [place])
        canvas.rods(point, point, np.full((1, 2), radius), 900.0)


def lung_vessels(canvas, tree):
    """The trees in the lungs, with the bronchi that accompany their larger branches."""
    canvas.rods(tree.start, tree.end, tree.radius, 30 + 0.8 * canvas.chest.anatomy.contrast, brighten=True)
    large = tree.radius.min(1) > 1.9
    start, end, radius = tree.start[large], tree.end[large], tree.radius[large]
    beside = np.stack([0 * radius[:, 0], 1.9 * radius.mean(1), -0.5 * radius.mean(1)], -1)
    canvas.rods(start + beside, end + beside, 0.95 * radius, -150.0, brighten=True)
    canvas.rods(start + beside, end + beside, 0.70 * radius, -980.0)


def airways(canvas):
    """Trachea and main bronchi: a wall of 1.5 mm around air."""
    for airway in AIRWAYS.values():
        canvas.tube(airway, 20.0, grow=1.5)
    for airway in AIRWAYS.values():
        canvas.tube(airway, -990.0)


def bone(canvas, distance, cortex=1.6, box=...):
    """Paint a bone: a dense cortex around a spongy inside."""
    canvas.excluded[box] |= distance < 0
    canvas.paint(distance, canvas.chest.anatomy.cortical_bone_hu, box)
    canvas.paint(distance + cortex, canvas.chest.anatomy.spongy_bone_hu, box)


def ribs(canvas):
    """All ribs at once: a slice cuts each of them where it descends through its plane."""
    across, along, number, angle = canvas.chest.rib_coordinates(canvas.x, canvas.y, canvas.z)
    distance = (np.hypot(across / 3.7, along / 5.4) - 1) * 3.7
    absent = (number < 0) | (number > 11) | (angle < 0.14) | ((number > 9) & (angle > 0.6 * np.pi))
    distance = np.where(absent, 9.0, distance)
    cartilage = angle > 0.76 * np.pi
    canvas.paint(np.where(cartilage, distance, 9.0), 95.0)
    bone(canvas, np.where(cartilage, 9.0, distance), cortex=1.3)


def spine(canvas):
    """Vertebral body or disc, arch around the canal, processes."""
    chest, z = canvas.chest, canvas.z
    a = chest.anatomy
    front = chest.spine(z)
    box = canvas.box((-48, front - 30), (48, front + 66))
    x, y = canvas.x[box], canvas.y[box]
    phase = (z / a.rib_spacing + a.rib_phase) % 1 - 0.5  # 0 in the middle of a vertebra, +-0.5 in the disc
    size = a.width * (0.82 + 0.28 * z / chest.length)  # vertebrae grow towards the feet
    size *= 0.95 + 0.4 * phase**2  # and have a waist
    body = shapes.superellipse(x, y, (0, front), (19 * size, 15 * size), 2.4)
    canal = np.hypot(x, (y - front - 24)) - 8.5
    if abs(phase) < 0.38:
        bone(canvas, body, 1.4, box)
    else:
        canvas.paint(body, 90.0, box)
    x = np.abs(x)
    arch = np.maximum(canal - 4.0, -canal)
    if abs(phase) < 0.22:  # pedicles and transverse processes
        arch = np.minimum(arch, shapes.segment(x, y, (11, front + 10), (13, front + 24), 4))
        arch = np.minimum(arch, shapes.segment(x, y, (13, front + 26), (33, front + 36), 4.5))
    else:  # the gap for the nerves
        arch = np.where((y < front + 22) & (x > 5), 9.0, arch)
        arch = np.minimum(arch, shapes.segment(x, y, (12, front + 28), (14, front + 33), 5))
    arch = np.minimum(arch, shapes.segment(x, y, (0, front + 36), (0, front + 50 + 10 * phase), 3.0))
    bone(canvas, arch, 1.8, box)
    canvas.paint(canal, 10.0, box)
    canvas.paint(canal + 3.5, 42.0, box)


def shoulder_girdle(canvas):
    """Sternum, clavicles and shoulder blades."""
    chest, x, y, z = canvas.chest, canvas.x, canvas.y, canvas.z
    a = chest.anatomy
    s = z / chest.length
    if 0.10 < s < 0.72:
        half_width = np.interp(s, [0.10, 0.14, 0.22, 0.30, 0.55, 0.66, 0.72], [20, 28, 24, 15, 19, 12, 4]) * a.width
        sternum = shapes.superellipse(x, y, (0, chest.front(z) - 6.5), (half_width, 6.5), 2.6)
        bone(canvas, sternum, 1.3)
    for side in (-1, 1):
        path = course(chest, [(20 * side, -44, 0.13), (70 * side, -30, 0.045), (135 * side, 8, -0.05)])
        canvas.rods(path[:-1], path[1:], np.full((2, 2), 6.5), a.cortical_bone_hu * 0.8)
        canvas.rods(path[:-1], path[1:], np.full((2, 2), 4.0), a.spongy_bone_hu)
    if s < 0.47:
        scapula(canvas, s)


def scapula(canvas, s):
    """A blade behind the ribs that runs to a point, with a stout side border; its ridge and joint at the top."""
    chest, x, y = canvas.chest, np.abs(canvas.x), canvas.y
    a = chest.anatomy
    share = 1 - max(s, 0) / 0.47  # of the blade's width, 0 at its lower angle
    inner = chest.point(74 + 14 * (1 - share), 92 - 10 * share, 0)[:2]
    outer = inner + np.array([62 * a.width, -50 * a.depth]) * max(share, 0.08)
    bent = (inner + outer) / 2 + np.array([4, 5]) * share
    blade = np.minimum(shapes.segment(x, y, inner, bent, 2.0), shapes.segment(x, y, bent, outer, 2.2))
    blade = np.minimum(blade, np.hypot(x - outer[0], y - outer[1]) - 4.5)
    if s < 0.13:
        ridge = chest.point(138, 66, 0)[:2]
        blade = np.minimum(blade, shapes.segment(x, y, bent, ridge, 3))
    if s < 0.05:
        blade = np.minimum(blade, shapes.ellipse(x, y, outer, (10, 14)))
    bone(canvas, blade, 1.3)


def over_table(canvas, shape=(420.0, 205.0, 1.0)):
    """The finished slice (n, n): the patient lying on the table; ``shape`` () leaves the table out."""
    chest = canvas.chest
    top = chest.back(chest.length) + chest.anatomy.shift[1] + 1
    below = table(canvas.world_x, canvas.world_y, top, *shape) if shape else np.full(canvas.hu.shape, AIR)
    body = np.clip(0.5 - chest.body(canvas.x, canvas.y, canvas.z) / canvas.edge, 0, 1)
    return below + body * (canvas.hu - below)


def table(world_x, world_y, top, radius=420.0, half_width=205.0, thickness=1.0):
    """HU of the table (n, n) over air: a curved shell of carbon fiber around foam, under a pad."""
    x, y = world_x[None, :], world_y[:, None]
    depth = radius - np.hypot(x, y - top + radius - 14)  # below the upper shell is negative
    inside = np.abs(x) < half_width
    pixel = world_x[1] - world_x[0]
    hu = np.full((len(world_y), len(world_x)), AIR)
    pad = np.clip(0.5 - (np.abs(depth - 7) - 7) / pixel, 0, 1)
    hu += pad * inside * 45
    for shell in (-1.0, -32.0 * thickness):
        share = np.clip(0.5 - (np.abs(depth - shell) - 1.2) / pixel, 0, 1) * min(1, 2.4 / pixel)
        hu += share * inside * 750
    hu += np.clip(0.5 - (np.abs(depth + 16 * thickness) - 15 * thickness) / pixel, 0, 1) * inside * 60
    return hu


def grain(rng, shape, pixel):
    """Smooth noise (n, n) of standard deviation 1: what structures below the resolution leave of themselves."""
    coarse = gaussian_filter(rng.standard_normal(shape), 7 / pixel, mode="wrap")
    fine = gaussian_filter(rng.standard_normal(shape), 2.5 / pixel, mode="wrap")
    return (0.75 * coarse / coarse.std() + 0.65 * fine / fine.std()).astype(np.float32)
