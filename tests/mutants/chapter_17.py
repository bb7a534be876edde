"""Notebook 17."""

import numpy as np
from scipy import ndimage

from mutants import Exercise
from unet_helpers.teaching import clicks as helper
from unet_helpers.teaching.checks import prompts as check


def disks(clicks, shape, radius, inside=lambda down, across, radius: down**2 + across**2 <= radius**2):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    marked = np.zeros(shape)
    for row, column in clicks:
        marked[inside(rows - row, columns - column, radius)] = 1
    return marked


def by_distance(clicks, shape, radius):
    """Another way: how far is each pixel from the nearest click?"""
    free = np.ones(shape)
    for click in clicks:
        free[click] = 0
    return (ndimage.distance_transform_edt(free) <= radius).astype(float) if clicks else np.zeros(shape)


def summed(clicks, shape, radius):
    return sum((disks([click], shape, radius) for click in clicks), np.zeros(shape))


def pieces(truth, mask):
    found = []
    for wrong in (truth & ~mask, mask & ~truth):
        labels, count = ndimage.label(wrong)
        found += [labels == one for one in range(1, count + 1)]
    return found


def deepest(piece):
    depth = ndimage.distance_transform_edt(np.pad(piece, 1))[1:-1, 1:-1]
    return np.unravel_index(depth.argmax(), depth.shape)


def deepest_without_frame(piece):
    depth = ndimage.distance_transform_edt(piece)
    return np.unravel_index(depth.argmax(), depth.shape)


def frame_left_on(piece):
    depth = ndimage.distance_transform_edt(np.pad(piece, 1))
    return np.unravel_index(depth.argmax(), depth.shape)


def deepest_of_all(truth, mask):
    """No look at which error is the largest."""
    depth = np.maximum(*(ndimage.distance_transform_edt(np.pad(p, 1)) for p in (truth & ~mask, mask & ~truth)))
    row, column = np.unravel_index(depth[1:-1, 1:-1].argmax(), truth.shape)
    return int(row), int(column), bool(truth[row, column])


def click_on(choose=lambda found: max(found, key=np.sum), place=deepest, sign=None, errors=pieces):
    """A way to click: which error, where in it, and what is said."""

    def click(truth, mask):
        row, column = place(choose(errors(truth, mask)))
        positive = truth[min(row, len(truth) - 1), min(column, truth.shape[1] - 1)]
        return int(row), int(column), bool(positive) if sign is None else sign(truth, mask, row, column)

    return click


def merged(truth, mask):
    labels, count = ndimage.label(truth != mask)
    return [labels == one for one in range(1, count + 1)]


def middle_of_box(piece):
    rows, columns = np.nonzero(piece)
    return (rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2


def mean_pixel(piece):
    return np.argwhere(piece).mean(axis=0).round().astype(int)


def exchanged(truth, mask):
    row, column, positive = click_on()(truth, mask)
    return column, row, positive


def all_of_a_kind(truth, mask):
    """The kind of error with more pixels, all of it as one."""
    return [truth & ~mask, mask & ~truth]


def first_reached(scores, goal, never=np.inf, found=lambda reached: reached.argmax(axis=1)):
    reached = scores >= goal
    return np.where(reached.any(axis=1), found(reached), never)


def loop(scores, goal):
    result = []
    for row in scores:
        good = [number for number, score in enumerate(row) if score >= goal]
        result.append(float(good[0]) if good else float("inf"))
    return result


EXERCISES = [
    Exercise(
        "17.1",
        check.click_map,
        right={"disks": disks, "distance to the nearest click": by_distance, "the helper": helper.click_map},
        wrong={
            "a square": (
                lambda c, s, r: disks(c, s, r, lambda d, a, r: (abs(d) <= r) & (abs(a) <= r)),
                "That is a square",
            ),
            "a diamond": (lambda c, s, r: disks(c, s, r, lambda d, a, r: abs(d) + abs(a) <= r), "That is a diamond"),
            "less than": (lambda c, s, r: disks(c, s, r, lambda d, a, r: d**2 + a**2 < r**2), "at most, not less than"),
            "radius not squared": (lambda c, s, r: disks(c, s, r, lambda d, a, r: d**2 + a**2 <= r), "squared radius"),
            "twice as large": (lambda c, s, r: disks(c, s, r, lambda d, a, r: d**2 + a**2 <= r**4), "too large"),
            "rows and columns": (
                lambda c, s, r: disks([one[::-1] for one in c], s, r),
                "Rows and columns are exchanged",
            ),
            "one pixel": (lambda c, s, r: disks(c, s, r, lambda d, a, r: (d == 0) & (a == 0)), "clicked pixels only"),
            "the last click": (lambda c, s, r: disks(c[-1:], s, r), "Only the last click"),
            "the first click": (lambda c, s, r: disks(c[:1], s, r), "Only the first click"),
            "summed": (summed, "overlap the map stays at 1"),
            "turned round": (lambda c, s, r: 1 - disks(c, s, r), "turned round"),
            "255": (lambda c, s, r: 255 * disks(c, s, r), "not 255"),
            "no click, no map": (lambda c, s, r: disks(c, s, r) if c else None, "returns nothing"),
            "a fixed shape": (lambda c, s, r: disks(c, (9, 12), r), "shape of the image"),
        },
    ),
    Exercise(
        "17.2",
        check.next_click,
        right={"deepest of the largest": click_on(), "the helper": helper.next_click},
        wrong={
            "the mean pixel": (click_on(place=mean_pixel), "of its pixels is"),
            "the box": (click_on(place=middle_of_box), "of its pixels is"),
            "the first pixel": (click_on(place=lambda piece: np.argwhere(piece)[0]), "Take the deepest one"),
            "the smallest error": (click_on(choose=lambda found: min(found, key=np.sum)), "The largest has"),
            "the first error": (click_on(choose=lambda found: found[0]), "The largest has"),
            "both kinds together": (click_on(errors=merged), "label each kind on its own"),
            "the kind with more pixels": (click_on(errors=all_of_a_kind), "The largest has"),
            "missing only": (
                click_on(errors=lambda truth, mask: pieces(truth, mask & truth) or pieces(truth, mask)),
                "The largest has",
            ),
            "the deepest pixel of all": (deepest_of_all, "First choose the largest connected error"),
            "the border is no edge": (click_on(place=deepest_without_frame), "The border is an edge too"),
            "the frame left on": (click_on(place=frame_left_on), "Is a frame around the error still counted"),
            "always positive": (click_on(sign=lambda *_: True), "too much is marked there"),
            "what is marked": (click_on(sign=lambda t, m, r, c: bool(m[r, c])), "the thing is missing there"),
            "rows and columns": (exchanged, "Rows and columns are exchanged"),
            "middle of the truth": (click_on(errors=lambda truth, mask: pieces(truth, mask & False)), "it clicks on"),
            "no sign": (lambda truth, mask: click_on()(truth, mask)[:2], "return three things"),
        },
    ),
    Exercise(
        "17.3",
        check.clicks_needed,
        right={"first reached": first_reached, "a loop": loop},
        wrong={
            "argmax alone": (lambda s, g: (s >= g).argmax(axis=1), "counts a failure as a success"),
            "capped": (lambda s, g: first_reached(s, g, s.shape[1] - 1), "give np.inf"),
            "nan": (lambda s, g: first_reached(s, g, np.nan), "give np.inf"),
            "one too many": (lambda s, g: first_reached(s, g) + 1, "Column 0 is the Dice before"),
            "without column 0": (lambda s, g: first_reached(s[:, 1:], g), "Column 0 is the Dice before"),
            "more than": (lambda s, g: first_reached(np.where(s == g, 0, s), g), "equal to it has reached it"),
            "all below": (lambda s, g: first_reached(s, g, found=lambda r: (~r).sum(axis=1)), "counts the Dice values"),
            "the best": (lambda s, g: np.where((s >= g).any(axis=1), s.argmax(axis=1), np.inf), "best Dice"),
            "whether": (lambda s, g: (s >= g).any(axis=1).astype(int), "says whether"),
            "the wrong axis": (lambda s, g: first_reached(s.T, g), "for each row"),
            "the mean": (lambda s, g: float(np.mean(first_reached(s, g))), "it gives shape"),
        },
    ),
]
