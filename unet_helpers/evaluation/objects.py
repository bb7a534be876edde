"""From a mask to countable objects: number them, and split those that touch.

A *label image* holds 0 for background and another number for each object. NumPy, SciPy and scikit-image.
"""

import numpy as np

from .binary import as_binary


def label_objects(mask, connectivity=None, min_pixels=0):
    """Number the connected pieces of a mask.

    Parameters
    ----------
    mask : binary array, 2D or 3D
    connectivity : int, optional
        In how many directions at once a neighbor may lie. 1: over edges (4 neighbors in 2D, 6 in 3D). 2: over corners
        too (8 in 2D, 18 in 3D). 3: 26 in 3D. Default: all neighbors, as :func:`unet_helpers.evaluation.detect_objects`.
    min_pixels : int
        Pieces with fewer pixels become background.

    Returns
    -------
    int32 array of the same shape: 0 for background, objects 1, 2, …

    Examples
    --------
    >>> int(label_objects([[1, 0, 0], [0, 1, 0], [0, 0, 0]]).max())
    1
    >>> int(label_objects([[1, 0, 0], [0, 1, 0], [0, 0, 0]], connectivity=1).max())
    2
    """
    from scipy import ndimage

    mask = as_binary(mask, "mask")
    connectivity = mask.ndim if connectivity is None else connectivity
    if connectivity not in range(1, mask.ndim + 1):
        raise ValueError(f"connectivity is {connectivity}; give a whole number from 1 to {mask.ndim}")
    labels, _ = ndimage.label(mask, ndimage.generate_binary_structure(mask.ndim, connectivity))
    return drop_small(labels, min_pixels)


def drop_small(labels, min_pixels):
    """Make objects with fewer pixels background, and number the others 1, 2, … in their order; int32."""
    labels = _numbered(labels, "labels")
    kept = np.bincount(labels.ravel(), minlength=1) >= max(min_pixels, 1)
    kept[0] = False
    return (np.cumsum(kept) * kept).astype(np.int32)[labels]


def split_touching(mask, neck=0.5):
    """Number the objects of a mask, cutting pieces apart at their necks: watershed on the distance to the background.

    Used in 11.

    The distance of a pixel to the background is largest in the middle of an object. Turned over, it is a landscape
    with one valley for each middle; flooded from the valleys, the waters meet at the necks.

    Parameters
    ----------
    mask : binary array, 2D or 3D
    neck : float
        Two middles are two objects if the path between them is at least this many pixels closer to the background
        than either. Small: round objects fall into pieces. Large: touching ones stay together.

    Returns
    -------
    int32 array of the same shape: 0 where the mask is 0, objects 1, 2, …

    References
    ----------
    Meyer and Beucher, Morphological segmentation, Journal of Visual Communication and Image Representation 1, 1990.
    """
    from scipy import ndimage
    from skimage.morphology import h_maxima

    mask = as_binary(mask, "mask")
    if not neck > 0:
        raise ValueError(f"neck is {neck}; give a number of pixels above 0")
    if mask.all() or not mask.any():
        return mask.astype(np.int32)
    # smoothed by a pixel, since an outline is never quite smooth
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1.0) * mask
    middles = label_objects(h_maxima(distance, neck) * mask)
    return flood(-distance, middles, mask)


def flood(landscape, seeds, mask):
    """Grow the numbered seeds over the mask, deepest places first; a piece that holds no seed is an object, too.

    Parameters
    ----------
    landscape : float array
    seeds : label image
    mask : binary array of the same shape

    Returns
    -------
    int32 label image that is 0 exactly where the mask is
    """
    from skimage.segmentation import watershed

    mask = as_binary(mask, "mask")
    neighbors = np.ones((3,) * mask.ndim)
    labels = watershed(landscape, seeds, mask=mask, connectivity=neighbors).astype(np.int32)
    rest = label_objects(mask & (labels == 0))
    return np.where(rest > 0, rest + labels.max(initial=0), labels)


def border_targets(labels, width=2):
    """Three classes to learn from: 0 background, 1 inside, 2 the border between objects that touch. Used in 11.

    Border is each pixel of an object from which another object is at most ``width`` pixels away (the distance of
    neighboring pixels is 1). Ronneberger and others (2015) give such places a large weight in the loss,
    exp(−(d1 + d2)² / 2σ²) with the distances to the two nearest cells; here they are a class of their own, and d1 is 0.
    Classes 1 and 2 together are the mask.

    Parameters
    ----------
    labels : label image, 2D or 3D
    width : float
        In pixels.

    Returns
    -------
    uint8 array of the same shape

    Examples
    --------
    >>> border_targets([[1, 1, 1, 2, 2, 0]], width=1)
    array([[1, 1, 2, 2, 1, 0]], dtype=uint8)
    """
    from scipy import ndimage

    labels = _numbered(labels, "labels")
    classes = (labels > 0).astype(np.uint8)
    reach = int(np.ceil(width))
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:  # a number that no pixel has
            continue
        around = tuple(slice(max(side.start - reach, 0), side.stop + reach) for side in box)
        own = labels[around] == number
        others = (labels[around] > 0) & ~own
        if others.any():
            classes[around][own & (ndimage.distance_transform_edt(~others) <= width)] = 2
    return classes


def objects_from_border(classes, min_seed=5):
    """Number the objects of a mask with the classes of :func:`border_targets`. Used in 11.

    The pieces of class 1, joined over edges, are the seeds; each pixel of class 2 goes to the seed that is nearest
    within the mask.

    Parameters
    ----------
    classes : integer array, 2D or 3D, values 0, 1, 2
    min_seed : int
        Smaller pieces of class 1 are no seeds but taken as border, too.

    Returns
    -------
    int32 label image that is 0 where the classes are
    """
    from scipy import ndimage

    classes = np.asarray(classes)
    if not np.isin(classes, (0, 1, 2)).all():
        raise ValueError("classes holds values other than 0 background, 1 inside and 2 border")
    inside = classes == 1
    away = ndimage.distance_transform_edt(~inside) if inside.any() else np.zeros(classes.shape)
    return flood(away, label_objects(inside, connectivity=1, min_pixels=min_seed), classes > 0)


def _numbered(labels, name):
    """A label image as an integer array; ValueError if it holds fractions or negative numbers."""
    labels = np.asarray(labels)
    if labels.dtype == bool:
        return labels.astype(np.int32)
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"{name} is {labels.dtype}, and a label image holds whole numbers; label_objects makes one")
    if labels.size and labels.min() < 0:
        raise ValueError(f"{name} holds {labels.min()}; objects are numbered from 1, and 0 is background")
    return labels
