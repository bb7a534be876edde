"""Predictions with one known error, planted into true masks: what an atlas of failures is examined with.

Each operation takes a patient's true masks (0 background, 1 an organ, 2 small objects in it) and the images, and makes
one mistake of a kind of :data:`unet_helpers.failures.ATLAS` in one slice, of random size at a random place.
"""

import numpy as np
from scipy import ndimage

from unet_helpers.failures import ATLAS, NEIGHBORS, field_of_view

ORGAN, OBJECT = 1, 2
BRIGHT = 0.75  # an object above this image value is plain to see; -225 HU in the lung window


class NoRoomError(ValueError):
    """This patient has no place for this kind of error; try another."""


def plant(kind, truth, images, rng):
    """Make a prediction that is right but for one error of a kind.

    Parameters
    ----------
    kind : str
        A name of :data:`unet_helpers.failures.ATLAS`.
    truth : ``(D, H, W)`` uint8
    images : ``(D, H, W)`` float
        In 0–1. A low contrast is planted into a copy of them, too.
    rng : numpy.random.Generator

    Returns
    -------
    predicted : ``(D, H, W)`` uint8
    images : ``(D, H, W)`` float

    Raises
    ------
    NoRoomError
        If no place was found.
    ValueError
        If the kind is unknown.
    """
    if kind not in PLANTS:
        raise ValueError(f"kind is {kind!r}; choose one of {', '.join(ATLAS)}")
    for _ in range(20):
        predicted, changed = truth.copy(), images.copy()
        try:
            PLANTS[kind](truth, predicted, changed, rng)
        except NoRoomError:
            continue  # it may have drawn a slice, or a class, that has none
        if (predicted != truth).sum() >= 4:
            return predicted, changed
    raise NoRoomError(f"no room for {kind!r} in these masks")


def _pick(items, rng):
    items = list(items)
    if not items:
        raise NoRoomError("no object that would do")
    return items[rng.integers(len(items))]


def _cross_sections(truth, index, least=20, ends=None):
    """``[(slice, mask)]`` of objects of a class; ``ends``: only those at the end of an object, or only the others."""
    chosen = []
    for k, mask in enumerate(truth == index):
        labels, count = ndimage.label(mask, NEIGHBORS)
        for number in range(1, count + 1):
            whole = labels == number
            over = [(truth[j] == index)[whole].mean() for j in (k - 1, k + 1) if 0 <= j < len(truth)]
            is_end = np.count_nonzero(over) == 1 and max(over) >= 0.5
            if whole.sum() >= least and (ends is None or is_end == ends):
                chosen.append((k, whole))
    return chosen


def _any(truth, rng, **options):
    """A cross-section of the organ or of a small object, each with probability one half, and what surrounds it."""
    index = rng.choice([ORGAN, OBJECT])
    options["least"] = 60 if index == ORGAN else 6
    return (*_pick(_cross_sections(truth, index, **options), rng), index, 0 if index == ORGAN else ORGAN)


def _miss(truth, predicted, images, rng):
    k, whole, index, around = _any(truth, rng, ends=False)
    if index == ORGAN or images[k][whole].mean() > BRIGHT:
        predicted[k][whole] = around


def _invent(truth, predicted, images, rng):
    k, radius = rng.integers(len(truth)), rng.uniform(1.5, 5)
    if rng.random() < 0.5:  # a nodule in the lung, clear of true ones
        index, room = OBJECT, _distance(truth[k] == ORGAN)
    else:  # a piece of lung in other tissue
        index, room = ORGAN, _distance((truth[k] == 0) & field_of_view(images))
        room = np.where(images[k] > 0.8, room, 0)  # in the body
    row, column = _pick(np.argwhere(room > radius + 3), rng)
    predicted[k][_disk(truth[k].shape, row, column, radius)] = index


def _shift(truth, predicted, images, rng):
    k, whole, index, around = _any(truth, rng)
    steps = int(rng.integers(1, 3)) if index == ORGAN else 1
    side = _half_plane(whole, rng) | (rng.random() < 0.5)
    if rng.random() < 0.5:
        change = whole & ~ndimage.binary_erosion(whole, NEIGHBORS, iterations=steps) & side
        predicted[k][change] = around
    else:
        change = ndimage.binary_dilation(whole, iterations=steps) & (truth[k] == around) & side
        predicted[k][change] = index
    labels = [ndimage.label(masks[k] == index, NEIGHBORS)[1] for masks in (truth, predicted)]
    if labels[0] != labels[1]:
        predicted[k] = truth[k]  # it joined, parted or lost objects: another kind; try again


def _join(truth, predicted, images, rng):
    k, one = _pick(_cross_sections(truth, ORGAN, least=60), rng)
    others = (truth[k] == ORGAN) & ~one
    if not others.any():
        return
    distance, nearest = ndimage.distance_transform_edt(~others, return_indices=True)
    start = min(np.argwhere(one), key=lambda at: distance[tuple(at)])
    line = _line(truth[k].shape, start, nearest[:, start[0], start[1]], rng.uniform(0.8, 2.5))
    predicted[k][line & (truth[k] == 0)] = ORGAN


def _part(truth, predicted, images, rng):
    k, whole = _pick(_cross_sections(truth, ORGAN, least=100), rng)
    center, angle = np.argwhere(whole).mean(axis=0), rng.uniform(0, np.pi)
    rows, columns = np.indices(whole.shape)
    across = (rows - center[0]) * np.cos(angle) + (columns - center[1]) * np.sin(angle)
    band = whole & (np.abs(across) <= rng.uniform(1, 2.5))
    labels, count = ndimage.label(whole & ~band, NEIGHBORS)
    shares = np.bincount(labels.ravel(), minlength=2)[1:] / whole.sum()
    if count >= 2 and np.sort(shares)[-2] > 0.15 and ndimage.label(band, NEIGHBORS)[1] == 1:
        predicted[k][band] = 0


def _leak(truth, predicted, images, rng):
    k, whole, index, around = _any(truth, rng)
    center = np.argwhere(whole).mean(axis=0)
    edge = _pick(np.argwhere(whole & ~ndimage.binary_erosion(whole)), rng)
    direction = (edge - center) / (np.linalg.norm(edge - center) + 1e-6)
    bar = _line(whole.shape, edge, edge + direction * rng.uniform(5, 14), rng.uniform(1.2, 3))
    bar &= (truth[k] == around) & field_of_view(images)
    others = (truth[k] == index) & ~whole
    if not (ndimage.binary_dilation(bar, NEIGHBORS, iterations=2) & others).any():
        predicted[k][bar] = index


def _pierce(truth, predicted, images, rng):
    k, radius = rng.integers(len(truth)), rng.uniform(1.5, 5)
    room = _distance(truth[k] == ORGAN)
    row, column = _pick(np.argwhere(room > radius + 3), rng)
    predicted[k][_disk(room.shape, row, column, radius)] = 0


def _cut_end(truth, predicted, images, rng):
    k, whole, index, around = _any(truth, rng, ends=True)
    if rng.random() < 0.5:
        predicted[k][whole] = around
        return
    go_on = 1 if k > 0 and (truth[k - 1] == index)[whole].any() else -1
    j = k + go_on
    if 0 <= j < len(truth) and not ndimage.binary_dilation(truth[j] == index, NEIGHBORS)[whole].any():
        smaller = ndimage.binary_erosion(whole) if index == ORGAN else whole
        predicted[j][smaller & (truth[j] == around)] = index


def _truncate(truth, predicted, images, rng):
    field = field_of_view(images)
    to_edge = _distance(field)
    touching = [(k, whole) for k, whole in _cross_sections(truth, ORGAN) if (whole & (to_edge <= 1.5)).sum() >= 4]
    k, whole = _pick(touching, rng)
    if rng.random() < 0.5:
        predicted[k][whole & (to_edge <= rng.uniform(1, 4))] = 0
    else:
        beyond = ndimage.binary_dilation(whole, NEIGHBORS, iterations=int(rng.integers(2, 6)))
        predicted[k][beyond & ~field] = ORGAN


def _fade(truth, predicted, images, rng):
    k, whole = _pick(_cross_sections(truth, OBJECT, least=6, ends=False), rng)
    around = ndimage.binary_dilation(whole, NEIGHBORS, iterations=3) & (truth[k] == ORGAN)
    if around.any():
        level, strength = np.median(images[k][around]), rng.uniform(0, 0.2)
        images[k][whole] = level + strength * (images[k][whole] - level)
        predicted[k][whole] = ORGAN


def _exchange(truth, predicted, images, rng):
    k, whole = _pick(_cross_sections(truth, ORGAN, least=20), rng)
    part = whole & (_half_plane(whole, rng, rng.uniform(0.6, 1)) | (rng.random() < 0.5))
    predicted[k][part] = OBJECT


PLANTS = {
    "truncated by field of view": _truncate,
    "wrong class": _exchange,
    "slice-end error": _cut_end,
    "low contrast": _fade,
    "missed object": _miss,
    "split": _part,
    "merged": _join,
    "false island": _invent,
    "boundary shift": _shift,
    "leak into a neighbor": _leak,
    "hole": _pierce,
}


def _distance(mask):
    """Distance in pixels to the outside of a mask; the image's own edge counts as outside."""
    return ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]


def _disk(shape, row, column, radius):
    rows, columns = np.indices(shape)
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def _line(shape, start, end, radius):
    """Pixels within ``radius`` of the line between two points."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    way = end - start
    offset = np.stack(np.indices(shape), axis=-1) - start
    along = np.clip(offset @ way / max(way @ way, 1e-9), 0, 1)
    return np.linalg.norm(offset - along[..., None] * way, axis=-1) <= radius


def _half_plane(whole, rng, share=0.5):
    """The ``share`` of an object's pixels that lie furthest in a random direction, as a half-plane."""
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.indices(whole.shape)
    along = rows * np.cos(angle) + columns * np.sin(angle)
    return along >= np.quantile(along[whole], 1 - share)
