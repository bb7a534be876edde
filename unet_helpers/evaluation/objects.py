"""From a mask to countable objects: number them, split those that touch, match them with the truth, score them.

A *label image* holds 0 for background and another number for each object. NumPy, SciPy and scikit-image.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ._binary import as_binary
from .objects import iou_of_pairs, match_by_iou, shared_pixels

#: the thresholds of the Data Science Bowl 2018: 0.5, 0.55, … 0.95
THRESHOLDS = tuple(k / 20 for k in range(10, 20))


def label_objects(mask, connectivity=None, min_pixels=0):
    """Number the connected pieces of a mask.

    Parameters
    ----------
    mask : binary array, 2D or 3D
    connectivity : int, optional
        In how many directions at once a neighbor may lie. 1: over edges (4 neighbors in 2D, 6 in 3D). 2: over corners
        too (8 in 2D, 18 in 3D). 3: 26 in 3D. Default: all neighbors, as :func:`unet_helpers.metrics.detect_objects`.
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


def split_touching(mask, neck=0.5, smooth=1.0):
    """Number the objects of a mask, cutting pieces apart at their necks: watershed on the distance to the background.

    The distance of a pixel to the background is largest in the middle of an object. Turned over, it is a landscape
    with one valley for each middle; flooded from the valleys, the waters meet at the necks.

    Parameters
    ----------
    mask : binary array, 2D or 3D
    neck : float
        Two middles are two objects if the path between them is at least this many pixels closer to the background
        than either. Small: round objects fall into pieces. Large: touching ones stay together.
    smooth : float
        Standard deviation, in pixels, of a Gaussian filter on the distance: an outline is never quite smooth.

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
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), smooth) * mask
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
    """Three classes to learn from: 0 background, 1 inside, 2 the border between objects that touch.

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
    """Number the objects of a mask with the classes of :func:`border_targets`.

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


# --- scores -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Matches:
    """Objects of two label images, matched one to one.

    pairs : ``(K, 2)`` int, the numbers of a true and a predicted object
    ious : ``(K,)`` float
    true, predicted : int, how many objects there are
    """

    pairs: np.ndarray
    ious: np.ndarray
    true: int
    predicted: int

    @property
    def missed(self):
        """True objects without a partner: false negatives."""
        return self.true - len(self.pairs)

    @property
    def false(self):
        """Predicted objects without a partner: false positives."""
        return self.predicted - len(self.pairs)

    @property
    def count_error(self):
        """Predicted minus true count; too many and too few cancel out."""
        return self.predicted - self.true


class PanopticQuality(NamedTuple):
    """PQ is the product of SQ, the mean IoU of the pairs, and RQ, the F1 of the objects."""

    pq: float
    sq: float
    rq: float


def iou_table(y_true, y_pred):
    """IoU of every true object (row) with every predicted object (column) of two label images, ``(T, P)`` float.

    Rows and columns are in the order of the objects' numbers, which may have gaps.
    """
    (true, _), (found, _) = _pair(y_true, y_pred)
    return iou_of_pairs(shared_pixels(true, found, true.max(initial=0), found.max(initial=0)))


def match_instances(y_true, y_pred, min_iou=0.5):
    """Match the objects of two label images one to one, as many as possible, then with the largest IoU.

    Above an IoU of 0.5 there is never a choice: two objects that do not overlap cannot both cover more than half of a
    third (Kirillov et al. 2019). The papers ask for *more than* 0.5 where this asks for 0.5 or more, as
    :func:`unet_helpers.metrics.detect_objects` does; it matters for pairs with exactly 0.5 only.

    Parameters
    ----------
    y_true, y_pred : label images of one shape
    min_iou : float, above 0 and up to 1

    Returns
    -------
    Matches

    Examples
    --------
    >>> found = match_instances([[1, 1, 2, 2, 0]], [[5, 5, 5, 0, 7]])
    >>> found.pairs.tolist(), found.ious.round(2).tolist(), found.missed, found.false
    ([[1, 5]], [0.67], 1, 1)
    """
    if not 0 < min_iou <= 1:
        raise ValueError(f"min_iou is {min_iou}; give a number above 0 and up to 1")
    (_, true_numbers), (_, found_numbers) = _pair(y_true, y_pred)
    overlap = iou_table(y_true, y_pred)
    rows, columns = match_by_iou(overlap, min_iou)
    pairs = np.stack([true_numbers[rows], found_numbers[columns]], axis=-1)
    return Matches(pairs, overlap[rows, columns], *overlap.shape)


def panoptic_quality(y_true, y_pred, min_iou=0.5):
    """Panoptic quality of one class (Kirillov et al. 2019): how many objects were found, times how well.

    SQ is the mean IoU of the matched pairs. RQ is pairs / (pairs + missed / 2 + false / 2), the F1 of the objects.

    Parameters
    ----------
    y_true, y_pred, min_iou
        As in :func:`match_instances`.

    Returns
    -------
    PanopticQuality ``(pq, sq, rq)``
        All nan if neither image has an object; without a pair PQ and RQ are 0 and SQ is nan.

    Examples
    --------
    >>> tuple(round(x, 2) for x in panoptic_quality([[1, 1, 2, 2, 0]], [[5, 5, 5, 0, 7]]))
    (0.33, 0.67, 0.5)
    """
    found = match_instances(y_true, y_pred, min_iou)
    objects = (found.true + found.predicted) / 2
    if not objects:
        return PanopticQuality(*[float("nan")] * 3)
    quality = float(found.ious.mean()) if len(found.ious) else float("nan")
    return PanopticQuality(float(found.ious.sum() / objects), quality, len(found.ious) / objects)


def average_precision(y_true, y_pred, thresholds=THRESHOLDS):
    """Score of the Data Science Bowl 2018 for one image (Caicedo et al. 2019).

    For each threshold of the IoU: pairs / (pairs + missed + false); then the mean over the thresholds. It is not the
    average precision of object detection, which ranks objects by a confidence.

    Parameters
    ----------
    y_true, y_pred : label images of one shape
    thresholds : sequence of float

    Returns
    -------
    float
        nan if neither image has an object.
    """
    overlap = iou_table(y_true, y_pred)
    if not sum(overlap.shape):
        return float("nan")
    pairs = np.array([len(match_by_iou(overlap, threshold)[0]) for threshold in thresholds])
    return float((pairs / (sum(overlap.shape) - pairs)).mean())


def merges_and_splits(y_true, y_pred):
    """Count the objects that were merged and those that were cut to pieces; a count alone lets them cancel out.

    Returns
    -------
    merged : int
        Predicted objects that hold more than half of each of two or more true objects.
    split : int
        True objects that hold more than half of each of two or more predicted objects.
    """
    (true, _), (found, _) = _pair(y_true, y_pred)
    pixels = shared_pixels(true, found, true.max(initial=0), found.max(initial=0))
    inside = 2 * pixels > pixels.sum(axis=1, keepdims=True)  # most of the true object lies in this predicted one
    holds = 2 * pixels > pixels.sum(axis=0, keepdims=True)
    return int((inside[1:, 1:].sum(axis=0) > 1).sum()), int((holds[1:, 1:].sum(axis=1) > 1).sum())


def _pair(y_true, y_pred):
    """Both label images renumbered 1, 2, …, each with the numbers that its objects had."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true has shape {y_true.shape} but y_pred has {y_pred.shape}; bring them to one shape")
    pair = []
    for labels, name in ((y_true, "y_true"), (y_pred, "y_pred")):
        numbers, places = np.unique(_numbered(labels, name), return_inverse=True)
        background = int(0 in numbers[:1])
        pair.append((places.reshape(labels.shape) + 1 - background, numbers[background:]))
    return pair


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


# --- a scene ----------------------------------------------------------------------------------


def draw_cells(count=60, size=160, touching=0.5, overlap=0.12, wobble=0.25, noise=0.04, seed=0):
    """Draw a picture of cell nuclei under a fluorescence microscope, with every nucleus numbered.

    Ellipses of 9 to 19 pixels with uneven outlines, bright on dark, brighter in the middle than at the rim, each with a
    brightness of its own; where two overlap the first lies on top; blurred by one pixel, with noise. They
    stand for nuclei as a drawing does: what makes real ones hard, such as dust, dead cells and uneven light, is not
    in it.

    Parameters
    ----------
    count : int
        Nuclei to place; where there is no room left, fewer.
    size : int
        Height and width in pixels.
    touching : float in [0, 1]
        Share of the nuclei that are put beside one that is there already.
    overlap : float in [0, 1)
        How much of a nucleus may lie behind others. From about a third on, outlines show few necks.
    wobble : float
        How far the outline goes in and out, as a share of the radius; 0 for ellipses.
    noise : float
        Standard deviation.
    seed : int

    Returns
    -------
    image : ``(size, size)`` float32 in 0–1
    labels : ``(size, size)`` int32
    """
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    grid, placed = np.mgrid[:size, :size], []
    labels, image = np.zeros((size, size), np.int32), np.zeros((size, size))
    for _ in range(30 * count):
        if len(placed) == count:
            break
        long, short, angle = rng.uniform(6, 9.5), rng.uniform(4.5, 6.5), rng.uniform(0, np.pi)
        waves, phases = rng.normal(0, wobble / 2, 2), rng.uniform(0, 2 * np.pi, 2)
        row, column = rng.uniform(4, size - 4, 2)
        if placed and rng.random() < touching:
            direction, (row, column, away) = rng.uniform(0, 2 * np.pi), placed[rng.integers(len(placed))]
            away += (0.5 - 5 / 12 * overlap) * (long + short)  # a little less than the two mean radii
            row, column = row + away * np.sin(direction), column + away * np.cos(direction)
        box = tuple(slice(max(int(center) - 14, 0), max(int(center) + 15, 0)) for center in (row, column))
        rows, columns = grid[(slice(None), *box)]
        along = ((rows - row) * np.sin(angle) + (columns - column) * np.cos(angle)) / long
        across = ((rows - row) * np.cos(angle) - (columns - column) * np.sin(angle)) / short
        turn = np.arctan2(across, along)
        outline = 1 + sum(wave * np.cos(k * turn + phase) for k, wave, phase in zip((2, 3), waves, phases, strict=True))
        depth = 1 - np.hypot(along, across) / outline  # 1 in the middle, 0 at the rim
        whole = depth > 0
        cell = whole & (labels[box] == 0)
        if cell.sum() < max(60 * (1 - overlap), (1 - overlap) * whole.sum()) or label_objects(cell).max() > 1:
            continue
        placed.append((row, column, 0.5 * (long + short)))
        labels[box][cell] = len(placed)
        image[box][cell] = rng.uniform(0.45, 0.95) * (0.55 + 0.45 * np.sqrt(depth[cell]))
    image = 0.06 + ndimage.gaussian_filter(image, 1.0) + rng.normal(0, noise, image.shape)
    return np.clip(image, 0, 1).astype(np.float32), labels
