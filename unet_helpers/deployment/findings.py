"""From a mask to what stands in a report: volume in ml and largest diameter in mm."""

from dataclasses import dataclass

import numpy as np

from ..evaluation.objects import label_objects

SEPARATE = ("nodule",)  # classes of which each piece is a finding of its own


@dataclass(frozen=True)
class Finding:
    """One thing that a mask shows.

    label : str, the class, with a number where each piece is counted
    class_index : int
    pixels : int
    volume_ml : float
    diameter_mm : float
        The largest in the plane of a slice, from edge to edge.
    slice_index : int, of the slice that shows it
    ends : ((row, column), (row, column)) of this diameter in pixels; (0, 0) is the middle of the first
    """

    label: str
    class_index: int
    pixels: int
    volume_ml: float
    diameter_mm: float
    slice_index: int
    ends: tuple


def measure_findings(mask, spacing, class_names):
    """Measure what a mask shows.

    Parameters
    ----------
    mask : ``(D, H, W)`` whole numbers
    spacing : (slice, row, column) in mm
    class_names : sequence of str, background first

    Returns
    -------
    list of Finding
        Of nodules each connected piece is one, the largest first; of other classes all pixels together are one. A class
        without a pixel has none.

    Examples
    --------
    >>> mask = np.zeros((2, 5, 5), int)
    >>> mask[0, 1:4, 2] = 1
    >>> found, = measure_findings(mask, (10.0, 2.0, 1.0), ("background", "nodule"))
    >>> found.label, found.volume_ml, round(found.diameter_mm, 2)
    ('nodule 1', 0.06, 6.0)
    """
    mask = np.asarray(mask)
    findings = []
    for index, name in enumerate(class_names[1:], start=1):
        marked = mask == index
        if name not in SEPARATE:
            findings += [_measure(marked, name, index, spacing)] if marked.any() else []
            continue
        pieces = label_objects(marked)
        sizes = np.bincount(pieces.ravel())[1:]
        for number, piece in enumerate(np.argsort(-sizes, kind="stable") + 1, start=1):
            findings.append(_measure(pieces == piece, f"{name} {number}", index, spacing))
    return findings


def _measure(marked, label, index, spacing):
    diameters = {k: _longest(marked[k], spacing[1:]) for k in np.flatnonzero(marked.any(axis=(1, 2)))}
    best = max(diameters, key=lambda k: diameters[k][0])
    pixels = int(marked.sum())
    diameter, ends = diameters[best]
    volume = float(f"{pixels * np.prod(spacing) / 1000:.10g}")
    return Finding(label, index, pixels, volume, diameter, int(best), ends)


def _longest(plane, steps):
    """The largest distance of two points of a slice in mm, and the points: middles of the pixels' sides count."""
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist, squareform

    # the sides of a pixel in the middle, not its corners: of a disc the corners would stand out
    sides = np.array([(0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)])
    points = (np.argwhere(plane)[:, np.newaxis] + sides).reshape(-1, 2)
    points = points[ConvexHull(points).vertices]
    apart = squareform(pdist(points * steps))
    one, two = np.unravel_index(apart.argmax(), apart.shape)
    return float(apart[one, two]), (tuple(points[one].tolist()), tuple(points[two].tolist()))
