"""The vessels and airways of the lungs, grown as trees, and the great vessels."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from . import shapes


@dataclass
class Tree:
    """Rods that make up a tree: ends in mm, radii at both ends."""

    start: np.ndarray  # (N, 3) x, y, z
    end: np.ndarray  # (N, 3)
    radius: np.ndarray  # (N, 2)


HILA = {"right": (-40, 4, 0.465), "left": (43, 8, 0.455)}


def grow_lung_trees(chest, rng, leaves=600, step=10.0):
    """Grow one vessel tree per lung from its hilum to points all over it.

    Each point joins the tree where the way along the branches to the hilum and the new piece together are short:
    "one rule to grow them all" (Cuntz et al., PLoS Comput Biol 2010). Radii follow Murray's law (a power of a
    branch's radius is the sum of that power of what it splits into), with 2.7 for Murray's 3.
    """
    points = _points_in_lungs(chest, rng, 2 * leaves)
    trees = []
    for side, sign in (("right", -1), ("left", 1)):
        targets = points[np.sign(points[:, 0]) == sign]
        trees.append(_grow(chest.point(*HILA[side]), targets, rng, step))
    return Tree(*(np.concatenate([getattr(t, f) for t in trees]) for f in ("start", "end", "radius")))


def _points_in_lungs(chest, rng, count):
    """Draw ``count`` points (N, 3) inside both lungs, at least 3 mm from their surface."""
    width, depth = chest.level("cage_width", chest.length), chest.level("cage_depth", chest.length)
    low, high = (-width, -1.3 * depth, 0), (width, 1.2 * depth, chest.length)
    points = rng.uniform(low, high, (12 * count, 3))
    inside = chest.lungs(*points.T) < -3
    return points[inside][:count]


def _grow(root, targets, rng, step, balance=0.6):
    targets = targets[np.argsort(np.linalg.norm(targets - root, axis=1), kind="stable")]
    room = 1 + sum(1 + int(np.linalg.norm(t - root) / step) for t in targets)
    nodes, way, parent = np.zeros((3, room)), np.zeros(room), np.full(room, -1)
    nodes[:, 0], count, ends = root, 1, []
    for target in targets:
        dx, dy, dz = nodes[:, :count] - target[:, None]
        distance = np.sqrt(dx * dx + dy * dy + dz * dz)
        at = int(np.argmin(distance + balance * way[:count]))
        pieces = 1 + int(distance[at] / step)
        share = np.arange(1, pieces + 1) / pieces
        new = nodes[:, at, None] + share * (target - nodes[:, at])[:, None]
        new[:, :-1] += rng.normal(0, 0.08 * step, (3, pieces - 1))  # no vessel is straight
        last = count + pieces
        nodes[:, count:last] = new
        way[count:last] = way[at] + share * distance[at]
        parent[count:last] = [at, *range(count, last - 1)]
        ends.append(last - 1)
        count = last
    return _with_radii(nodes[:, :count].T, parent[:count], ends)


def _with_radii(nodes, parent, ends, tip=0.7, exponent=2.7):
    flow = np.zeros(len(nodes))
    flow[ends] = 1
    for i in range(len(nodes) - 1, 0, -1):  # children have larger numbers than their parents
        flow[parent[i]] += flow[i]
    radius = tip * np.maximum(flow, 1) ** (1 / exponent)
    child = np.arange(1, len(nodes))
    at = parent[child]
    radii = np.stack([np.minimum(radius[at], 1.25 * radius[child]), radius[child]], -1)
    return Tree(nodes[at], nodes[child], radii)


# Course of the great vessels of the average man: points (x, y, s), and radii in mm. Mean diameters in men: ascending
# aorta 34 mm, descending 26 mm (Rogers et al., Am J Cardiol 2013); pulmonary trunk up to 29 mm (Truong et al., Circ
# Cardiovasc Imaging 2012); trachea 13-25 mm (Breatnach et al., AJR 1984).
ARTERIES = {
    "ascending aorta": ([(2, -32, 0.58), (-14, -34, 0.46), (-13, -27, 0.37), (-4, -14, 0.315), (12, 6, 0.305)], 16),
    "arch": ([(-4, -14, 0.315), (12, 6, 0.305), (22, 26, 0.33)], 13),
    "descending aorta": ([(22, 26, 0.33), (25, 34, 0.42), (25, 34, 0.6), (20, 36, 0.8), (10, 36, 1.1)], 12.5),
    "pulmonary trunk": ([(14, -52, 0.56), (17, -40, 0.49), (20, -22, 0.445)], 13.5),
    "right pulmonary artery": ([(17, -26, 0.45), (-10, -8, 0.46), (-40, 2, 0.47)], 9.5),
    "left pulmonary artery": ([(20, -22, 0.445), (32, -4, 0.425), (43, 8, 0.455)], 10),
    "brachiocephalic trunk": ([(-6, -16, 0.30), (-16, -8, 0.16), (-24, -4, -0.06)], 6),
    "left carotid": ([(4, -4, 0.29), (16, -2, 0.12), (20, 0, -0.06)], 4),
    "left subclavian": ([(14, 10, 0.29), (26, 10, 0.12), (34, 8, 0.0), (70, 0, -0.04)], 5),
}
VEINS = {
    "superior vena cava": ([(-24, -24, 0.19), (-27, -24, 0.35), (-28, -22, 0.57)], 9),
    "left brachiocephalic vein": ([(34, -14, 0.04), (22, -30, 0.15), (-6, -34, 0.2), (-24, -26, 0.21)], 6.5),
    "right brachiocephalic vein": ([(-34, -12, 0.02), (-27, -20, 0.12), (-24, -24, 0.2)], 6.5),
    "right pulmonary vein": ([(-20, 0, 0.56), (-44, 4, 0.53)], 6.5),
    "left pulmonary vein": ([(20, 2, 0.55), (44, 8, 0.53)], 6),
    "inferior vena cava": ([(-24, -6, 0.70), (-24, 2, 0.9), (-20, 8, 1.1)], 12),
    "azygos vein": ([(-8, 30, 0.40), (-8, 32, 0.7), (-6, 32, 1.0)], 3.5),
}
AIRWAYS = {
    "trachea": ([(0, 2, -0.12), (0, 8, 0.15), (2, 12, 0.36)], 8.5),
    "right main bronchus": ([(2, 12, 0.36), (-13, 11, 0.405), (-29, 9, 0.455)], 6.5),
    "left main bronchus": ([(2, 12, 0.36), (18, 13, 0.43), (41, 13, 0.50)], 5.5),
    "right upper bronchus": ([(-18, 11, 0.42), (-42, 8, 0.42)], 4),
    "bronchus intermedius": ([(-29, 9, 0.455), (-36, 9, 0.55)], 5),
    "left lower bronchus": ([(41, 13, 0.50), (47, 20, 0.57)], 4.5),
}
ESOPHAGUS = ([(2, 18, -0.1), (5, 22, 0.2), (7, 26, 0.42), (8, 25, 0.6), (16, 18, 0.82)], 6.5)


def course(chest, points):
    """Points (x, y, s) of the average man as an array (N, 3) in mm of this patient."""
    return np.array([chest.point(*p) for p in points])


def great_vessel_distance(chest, x, y, z):
    """Distance (N,) in mm from points (N,) to the nearest great vessel or main airway."""
    nearest = np.full(np.shape(x), np.inf)
    for points, radius in [*ARTERIES.values(), *VEINS.values(), *AIRWAYS.values()]:
        path = course(chest, points)
        for start, end in pairwise(path):
            nearest = np.minimum(nearest, shapes.rod(x, y, z, start, end, (radius, radius)))
    return nearest
