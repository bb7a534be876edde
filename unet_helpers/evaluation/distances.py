"""Distances between the boundaries of two masks, in mm, in 2D and 3D. NumPy, and SciPy for nearest neighbors.

A boundary pixel is a foreground pixel with a background pixel, or the edge of the picture, beside it (4 neighbors in
2D, 6 in 3D). Every metric here is read off one measurement, :func:`surface_distances`. If both masks are empty
nothing is defined (nan); if one is, its distance is infinite and no part of the surface agrees.
"""

import numpy as np

from .binary import binary_pair, check_spacing

DIRECTIONS = ("symmetric", "mean of both", "true_to_pred", "pred_to_true")


def surface_distances(y_true, y_pred, spacing=None):
    """Distance of every boundary pixel of each mask to the nearest boundary pixel of the other.

    Parameters
    ----------
    y_true, y_pred : binary masks of one shape, 2D or 3D
    spacing : tuple of float, optional
        Pixel spacing in mm, one number per dimension, slice distance first. Default: 1.

    Returns
    -------
    true_to_pred, pred_to_true : arrays of float, mm
        Empty if either mask is empty: no boundary, no distance.

    Raises
    ------
    ValueError
        As :func:`unet_helpers.evaluation.confusion_counts`; also if the spacing does not fit the dimensions.
    """
    y_true, y_pred = binary_pair(y_true, y_pred)
    spacing = check_spacing(spacing, y_true.ndim)
    if not (y_true.any() and y_pred.any()):
        return np.empty(0), np.empty(0)
    box = _bounding_box(y_true | y_pred)
    edges = [_boundary(mask[box]) for mask in (y_true, y_pred)]
    # the nearest of few points is found by a tree, of many by a transform of the whole box
    nearest = _by_transform if sum(map(np.count_nonzero, edges)) > edges[0].size / 4 else _by_tree
    return nearest(*edges, spacing), nearest(*edges[::-1], spacing)


def hausdorff(y_true, y_pred, spacing=None, percentile=100):
    """Hausdorff distance in mm (Huttenlocher et al. 1993), or a percentile of it: the larger of both directions.

    Follows Metrics Reloaded (Maier-Hein et al. 2024). medpy pools both directions before it takes a
    percentile, which gives a smaller or equal number.

    Parameters as in :func:`surface_distances`; ``percentile`` from 0 to 100, 100 for the largest distance.

    Returns
    -------
    float, mm
        nan if both masks are empty, inf if only one is: a missed object has no finite distance.
    """
    distances = surface_distances(y_true, y_pred, spacing)
    if not len(distances[0]):
        return _without_boundary(y_true, y_pred)
    return float(max(np.percentile(d, percentile) for d in distances))


def hausdorff95(y_true, y_pred, spacing=None):
    """95th percentile Hausdorff distance in mm; :func:`hausdorff` says what it is and what empty masks give.

    Of one mask, whether slice or volume. ``evaluate`` takes it in the plane of each slice and averages over slices.
    """
    return hausdorff(y_true, y_pred, spacing, 95)


def average_surface_distance(y_true, y_pred, spacing=None, direction="symmetric"):
    """Mean distance of the boundary pixels to the other boundary, in mm.

    Parameters
    ----------
    y_true, y_pred, spacing
        As in :func:`surface_distances`.
    direction : str
        ``"symmetric"``: over all pixels of both boundaries (ASSD of Metrics Reloaded and MONAI). ``"mean of both"``:
        mean of the two directed means (MASD of Metrics Reloaded; medpy's ``assd``). ``"true_to_pred"``,
        ``"pred_to_true"``: one direction alone.

    Returns
    -------
    float, mm
        nan if both masks are empty, inf if only one is.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"direction is {direction!r}; choose one of {', '.join(map(repr, DIRECTIONS))}")
    distances = surface_distances(y_true, y_pred, spacing)
    if not len(distances[0]):
        return _without_boundary(y_true, y_pred)
    return _averages(distances)[direction]


def surface_dice(y_true, y_pred, tolerance, spacing=None):
    """Share of both boundaries that lies within a tolerance of the other (Nikolov et al. 2021), in pixels.

    A boundary pixel counts 1. The surface-distance library of Nikolov et al. weights surface elements between the
    pixels by their area in place of that; book/metrics.md shows how far the two are apart.

    Parameters
    ----------
    y_true, y_pred, spacing
        As in :func:`surface_distances`.
    tolerance : float, mm
        A distance of exactly the tolerance counts as within.

    Returns
    -------
    float in [0, 1]
        nan if both masks are empty, 0 if only one is.
    """
    _check_tolerance(tolerance)
    distances = surface_distances(y_true, y_pred, spacing)
    if not len(distances[0]):
        return 0.0 if _without_boundary(y_true, y_pred) == np.inf else float("nan")
    return _share_within(distances, tolerance)


def boundary_metrics(y_true, y_pred, spacing=None, tolerance=1.0):
    """All metrics of this module from one measurement, as ``{name: float}``.

    Names: ``hd``, ``hd95``, ``asd`` (symmetric), ``asd_mean_of_both``, ``asd_true_to_pred``, ``asd_pred_to_true``,
    all in mm, and ``surface_dice`` at the tolerance in mm.
    """
    _check_tolerance(tolerance)
    distances = surface_distances(y_true, y_pred, spacing)
    if not len(distances[0]):
        value = _without_boundary(y_true, y_pred)
        names = ("hd", "hd95", "asd", "asd_mean_of_both", "asd_true_to_pred", "asd_pred_to_true")
        return dict.fromkeys(names, value) | {"surface_dice": 0.0 if value == np.inf else value}
    averages = _averages(distances)
    return {
        "hd": float(max(d.max() for d in distances)),
        "hd95": float(max(np.percentile(d, 95) for d in distances)),
        "asd": averages["symmetric"],
        **{f"asd_{name.replace(' ', '_')}": averages[name] for name in DIRECTIONS[1:]},
        "surface_dice": _share_within(distances, tolerance),
    }


def _averages(distances):
    there, back = (float(d.mean()) for d in distances)
    values = (float(np.concatenate(distances).mean()), (there + back) / 2, there, back)
    return dict(zip(DIRECTIONS, values, strict=True))


def _share_within(distances, tolerance):
    limit = tolerance * (1 + 1e-9)  # so that rounding does not decide about a distance of exactly the tolerance
    return float(sum(np.count_nonzero(d <= limit) for d in distances) / sum(map(len, distances)))


def _check_tolerance(tolerance):
    if not 0 <= tolerance < np.inf:
        raise ValueError(f"tolerance is {tolerance}; give a distance in mm, 0 or more")


def _without_boundary(y_true, y_pred):
    return float("inf") if np.any(y_true) or np.any(y_pred) else float("nan")


def _bounding_box(mask):
    # 11 times as fast as ndimage.find_objects, with the same result
    box = []
    for axis in range(mask.ndim):
        there = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(there[0], there[-1] + 1))
        mask = mask[(slice(None),) * axis + (box[-1],)]
    return tuple(box)


def _boundary(mask):
    # three times as fast as mask & ~ndimage.binary_erosion(mask), with the same result;
    # what lies outside of the box is background, so that the box changes nothing
    inside = mask.copy()
    for axis in range(mask.ndim):
        here, kept = np.moveaxis(mask, axis, 0), np.moveaxis(inside, axis, 0)
        kept[1:] &= here[:-1]
        kept[:-1] &= here[1:]
        kept[0] = kept[-1] = False
    return mask & ~inside


def _by_tree(edge, other, spacing):
    from scipy.spatial import cKDTree

    distances = np.zeros(np.count_nonzero(edge))
    elsewhere = ~other[edge]  # pixels that both boundaries share have distance 0
    if elsewhere.any():
        tree = cKDTree(np.argwhere(other) * spacing, leafsize=32, balanced_tree=False, compact_nodes=False)
        distances[elsewhere] = tree.query(np.argwhere(edge)[elsewhere] * spacing)[0]
    return distances


def _by_transform(edge, other, spacing):
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(~other, sampling=spacing)[edge]
