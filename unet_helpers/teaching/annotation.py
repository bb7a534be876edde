"""Annotating a pool of slices: which next, at what cost, and labels that leave pixels open."""

import numpy as np

#: the class of a pixel that nobody has labeled
UNLABELED = 255

#: seconds for one object, or for one stroke: an outline (79, as Bearman and others 2016 quote it), a box by
#: four clicks (Papadopoulos and others 2017); for a stroke this is an assumption
SECONDS = {"mask": 79.0, "box": 7.0, "scribble": 11.0}
#: an assumption: seconds to open a slice and to see what is in it
LOOK = 5.0

#: what makes a slice unreadable
DEFECTS = ("noise", "streaks", "movement", "lost rows")


def farthest_first(features, chosen, count):
    """Greedy k-center: each time the item that lies farthest from all that are chosen.

    Parameters
    ----------
    features : ``(N, F)`` float
    chosen : sequence of int
        At least one.
    count : int

    Returns
    -------
    list of int
        The new ones, in the order of the choice; of equal distances the lowest number.

    References
    ----------
    Sener and Savarese, ICLR 2018; the greedy choice is at most twice as far off as the best one (Gonzalez 1985).

    Examples
    --------
    >>> farthest_first(np.array([[0.0], [1.0], [5.0], [9.0]]), [0], 2)
    [3, 2]
    """
    features = np.asarray(features, dtype=float)

    def distance_to(k):
        return np.linalg.norm(features - features[k], axis=1)

    nearest = np.min([distance_to(k) for k in chosen], axis=0)
    nearest[list(chosen)] = -1
    new = []
    for _ in range(count):
        new.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, distance_to(new[-1]))
        nearest[new[-1]] = -1
    return new


def spoil(image, defect, rng):
    """Make a slice unreadable. Used in 17b.

    Parameters
    ----------
    image : ``(H, W)`` float in [0, 1]
    defect : str
        One of ``DEFECTS``.
    rng : numpy.random.Generator

    Returns
    -------
    ``(H, W)`` float32 in [0, 1]
    """
    height, width = image.shape
    if defect == "noise":
        spoiled = 0.15 * image + rng.normal(0.4, 0.3, image.shape)
    elif defect == "streaks":
        y, x = np.mgrid[:height, :width]
        center = rng.uniform(0.3, 0.7, 2) * image.shape
        angle = np.arctan2(y - center[0], x - center[1])
        spoiled = 0.4 * image + 0.3 + 0.5 * np.sin(rng.integers(9, 15) * angle + rng.uniform(0, 6))
    elif defect == "movement":
        shifts = [rng.integers(-height // 4, height // 4 + 1, 2) for _ in range(4)]
        spoiled = np.mean([np.roll(image, tuple(shift), (0, 1)) for shift in shifts], axis=0)
    elif defect == "lost rows":
        spoiled = np.roll(image, rng.integers(height // 4, 3 * height // 4), axis=1)
        spoiled[rng.random(height) < 0.6] = 0.0
    else:
        raise ValueError(f"defect is {defect!r}; choose one of {', '.join(map(repr, DEFECTS))}")
    return np.clip(spoiled, 0, 1).astype(np.float32)


def annotate(mask, kind):
    """What an annotator leaves behind, and how long it takes. Used in 17b.

    ``"mask"``: every pixel. ``"box"``: a box around each object; outside of all boxes is background, the middle of a
    box (its inner fifth) is of the object's class, and the rest of it stays open, as Khoreva and others (2017) did.
    ``"scribble"``: a stroke down the middle of each object, and two for the background, a vertical and a horizontal
    one through the middle of the image.

    Parameters
    ----------
    mask : ``(H, W)`` int
        The truth, 0 for background.
    kind : "mask", "box" or "scribble"

    Returns
    -------
    labels : ``(H, W)`` uint8
        ``UNLABELED`` where nothing is said.
    seconds : float
        ``LOOK`` and ``SECONDS`` for each object or stroke.
    """
    if kind not in SECONDS:
        raise ValueError(f"kind is {kind!r}; choose one of {', '.join(map(repr, SECONDS))}")
    objects = list(_objects(mask))
    count = len(objects) + (2 if kind == "scribble" else 0)
    seconds = LOOK + SECONDS[kind] * count
    if kind == "mask":
        return mask.astype(np.uint8), seconds
    draw = _draw_boxes if kind == "box" else _draw_strokes
    return draw(mask, objects), seconds


def _objects(mask):
    """Class and pixels of each connected piece that is no speck."""
    from ..evaluation import label_objects

    for index in range(1, int(mask.max()) + 1):
        labels = label_objects(mask == index, min_pixels=1 if index > 1 else 4)
        for number in range(1, labels.max() + 1):
            yield index, labels == number


def _draw_boxes(mask, objects):
    labels = np.zeros(mask.shape, np.uint8)
    cores = []
    for index, inside in objects:
        rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        (top, bottom), (left, right) = ((side[0], side[-1] + 1) for side in (rows, columns))
        labels[top:bottom, left:right] = UNLABELED
        cores.append((index, _inner(top, bottom), _inner(left, right)))
    for index, rows, columns in cores:
        labels[rows, columns] = index
    return labels


def _inner(first, last, share=0.2**0.5):
    """The middle of a side; of both sides it makes a fifth of the area, and at least a pixel."""
    middle, half = (first + last) / 2, (last - first) * share / 2
    start = int(np.floor(middle - half + 0.5))
    return slice(start, max(start + 1, int(np.floor(middle + half + 0.5))))


def _draw_strokes(mask, objects):
    labels = np.full(mask.shape, UNLABELED, np.uint8)
    middle = np.zeros(mask.shape, bool)
    middle[mask.shape[0] // 2] = middle[:, mask.shape[1] // 2] = True
    labels[middle & (mask == 0)] = 0
    for index, inside in objects:
        rows = np.flatnonzero(inside.any(axis=1))
        trim = len(rows) // 6
        for row in rows[trim : len(rows) - trim]:
            columns = np.flatnonzero(inside[row])
            labels[row, columns[len(columns) // 2]] = index
    return labels


def highest_one_each(scores, patients, chosen, count):
    """The items with the highest scores that are not chosen yet, of each patient at most one.

    Parameters
    ----------
    scores : ``(N,)`` float
    patients : ``(N,)`` str
    chosen : sequence of int
        What was annotated before; its patients may be asked again.
    count : int

    Returns
    -------
    list of int
        From the highest score down; fewer than ``count`` if there are fewer patients with an item left.
    """
    patients, taken, new = np.asarray(patients), set(), []
    for k in np.argsort(-np.asarray(scores, dtype=float), kind="stable").tolist():
        if len(new) < count and k not in chosen and patients[k] not in taken:
            new.append(k)
            taken.add(patients[k])
    return new
