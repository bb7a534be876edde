"""Shapes as signed distances: negative inside, positive outside, in mm.

Distances make soft edges (a pixel half inside gets half the value, as in a scan), shells of a given thickness, and
rounded unions and intersections. Those of curved shapes are approximate: right near the surface, where it matters.
"""

import numpy as np


def ellipse(x, y, center, radii):
    """Signed distance to an ellipse in the plane, exact on its edge to first order."""
    return _quadric(((x - center[0]), (y - center[1])), radii)


def ellipsoid(x, y, z, center, radii, axis=None):
    """Signed distance to an ellipsoid; ``axis`` (3,) turns its first radius into that direction."""
    offset = (x - center[0], y - center[1], z - center[2])
    if axis is not None:
        offset = [sum(row[i] * offset[i] for i in range(3)) for row in _frame(axis)]
    return _quadric(offset, radii)


def superellipse(x, y, center, radii, power):
    """Signed distance to ``|x/a|^p + |y/b|^p = 1``: an ellipse for p = 2, boxier above."""
    u, v = np.abs(x - center[0]) / radii[0] + 1e-6, np.abs(y - center[1]) / radii[1] + 1e-6
    up, vp = u ** (power - 1), v ** (power - 1)
    f = (up * u + vp * v) ** (1 / power)
    slope = np.sqrt((up / radii[0]) ** 2 + (vp / radii[1]) ** 2) * f ** (1 - power)
    return (f - 1) / slope


def segment(x, y, start, end, radius):
    """Signed distance to a rod with round ends in the plane."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy), 0, 1)
    return np.hypot(x - start[0] - along * dx, y - start[1] - along * dy) - radius


def rod(x, y, z, start, end, radii):
    """Signed distance to a rod in space that tapers from ``radii[0]`` to ``radii[1]``."""
    step = np.subtract(end, start)
    offset = (x - start[0], y - start[1], z - start[2])
    along = np.clip(sum(o * s for o, s in zip(offset, step, strict=True)) / max(step @ step, 1e-6), 0, 1)
    distance = np.sqrt(sum((o - along * s) ** 2 for o, s in zip(offset, step, strict=True)))
    return distance - (radii[0] + along * (radii[1] - radii[0]))


def union(a, b, rounding):
    """The smaller of two distances, the corner between them filled over ``rounding`` mm."""
    h = np.maximum(rounding - np.abs(a - b), 0) / rounding
    return np.minimum(a, b) - h * h * (rounding / 4)


def intersection(a, b, rounding):
    """The larger of two distances, the corner between them rounded off over ``rounding`` mm."""
    return -union(-np.asarray(a), -np.asarray(b), rounding)


def _quadric(offset, radii):
    squares = [(o / r) ** 2 for o, r in zip(offset, radii, strict=True)]
    f = np.sqrt(sum(squares) + 1e-6)
    slope = np.sqrt(sum(s / r**2 for s, r in zip(squares, radii, strict=True)) + 1e-9)
    return f * (f - 1) / slope


def _frame(axis):
    """Three orthogonal unit vectors, the first along ``axis``."""
    first = np.asarray(axis, float) / np.linalg.norm(axis)
    helper = np.eye(3)[np.argmin(np.abs(first))]
    second = np.cross(first, helper)
    second /= np.linalg.norm(second)
    return first, second, np.cross(first, second)
