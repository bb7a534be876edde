"""Self-checks of notebook 17, prompts."""

import numpy as np
from scipy import ndimage

from ._numbers import compare
from ._verdict import NotYet, Raised, Wrong, call, exercise


@exercise
def click_map(function):
    """A function of (clicks, shape, radius) that gives 1 up to the radius away from a click, 0 elsewhere."""
    cases = {
        "for one click and a radius of 2": ([(3, 5)], (9, 12), 2),
        "for one click and a radius of 3": ([(5, 7)], (11, 16), 3),
        "for two clicks that overlap, radius 3": ([(2, 3), (4, 6)], (9, 12), 3),
        "for three clicks, two of them near corners, radius 4": ([(0, 0), (8, 13), (9, 3)], (10, 15), 4),
        "for no click": ([], (5, 7), 2),
    }
    compare(
        function,
        _disks,
        cases,
        _wrong_maps,
        "1 where (row − r)² + (column − c)² is at most radius² for any of the clicks, else 0.",
        several="the map has the shape of the image",
    )
    return "With a radius of 2 that is thirteen pixels, and fewer at the border."


def _distances(clicks, shape):
    """Rows and columns away from each click: two arrays ``(clicks, H, W)``."""
    places = np.asarray(clicks, float).reshape(-1, 2)[:, :, None, None]
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return rows - places[:, 0], columns - places[:, 1]


def _any(near):
    return near.any(axis=0).astype(float)


def _disks(clicks, shape, radius):
    down, across = _distances(clicks, shape)
    return _any(down**2 + across**2 <= radius**2)


def _wrong_maps(clicks, shape, radius):
    down, across = _distances(clicks, shape)
    square = down**2 + across**2
    near = square <= radius**2
    return {
        "That is a square; a disk asks for the distance, (row − r)² + (column − c)².": (
            _any((abs(down) <= radius) & (abs(across) <= radius))
        ),
        "Rows and columns are exchanged: a click is (row, column).": (
            _disks([click[::-1] for click in clicks], shape, radius)
        ),
        "That is a diamond; a disk asks for (row − r)² + (column − c)².": _any(abs(down) + abs(across) <= radius),
        "A pixel whose distance is exactly the radius belongs to the disk: at most, not less than.": (
            _any(square < radius**2)
        ),
        "The squared distance goes with the squared radius.": _any(square <= radius),
        "That disk is too large: compare the squared distance with radius², or the distance with radius.": [
            _any(square <= radius**4), _any(square <= (radius + 1) ** 2),
        ],
        "That marks the clicked pixels only; mark all up to the radius away.": _any(square == 0),
        "Only the last click is left; all of them belong into one map.": _disks(clicks[-1:], shape, radius),
        "Only the first click is there; all of them belong into one map.": _disks(clicks[:1], shape, radius),
        "Where two disks overlap the map stays at 1.": near.sum(axis=0).astype(float),
        "Two overlapping disks must not cancel.": (near.sum(axis=0) % 2).astype(float),
        "That is turned round: 1 near the clicks, 0 elsewhere.": 1 - _any(near),
        "The network takes 0 and 1, not 255.": 255 * _any(near),
    }  # fmt: skip


def _blob(shape, *boxes):
    mask = np.zeros(shape, bool)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


def _errors():
    """Words, truth and mask of each case. No two places of the largest error are equally deep in it."""
    tail = _blob((24, 30), (4, 11, 3, 10), (6, 8, 10, 27))
    rows, columns = np.mgrid[:24, :26]
    ring = (rows - 11.0) ** 2 + (columns - 12.0) ** 2
    crescent = (ring <= 81) & ((rows - 10) ** 2 + (columns - 17) ** 2 > 64)
    thing = _blob((20, 30), (5, 14, 4, 13))
    leak = thing | _blob((20, 30), (3, 16, 17, 28))
    small = [(2, 5, 2 + 4 * k, 5 + 4 * k) for k in range(6)]
    shifted = _blob((26, 32), (2, 9, 4, 8)), _blob((26, 32), (2, 9, 8, 12))
    return {
        "for the first click, on a thing with a tail": (tail, np.zeros_like(tail)),
        "for a missing crescent": ((ring <= 81), (ring <= 81) & ~crescent),
        "for a leak that is larger than the thing": (thing & ~_blob((20, 30), (6, 9, 5, 8)), leak),
        "for six small errors and a larger one": (
            _blob((22, 30), *small), _blob((22, 30), (10, 17, 12, 19)),
        ),
        "for a long thin error and a round smaller one": (
            _blob((26, 44), (3, 6, 2, 40), (2, 7, 20, 25), (13, 22, 10, 19)), np.zeros((26, 44), bool),
        ),
        "for a leak into a corner of the image": (
            _blob((20, 30), (3, 8, 4, 9)), _blob((20, 30), (11, 20, 21, 30)),
        ),
        "for a mask that lies beside the thing": (
            shifted[0] | _blob((26, 32), (15, 22, 20, 25)), shifted[1],
        ),
    }  # fmt: skip


@exercise
def next_click(function):
    """A function of (truth, mask) that gives (row, column, positive): the middle of the largest error."""
    cases = _errors()
    for k, (what, (truth, mask)) in enumerate(cases.items()):
        try:
            answer = call(function, truth, mask)
        except NotYet:
            if not k:
                raise
            raise Wrong(f"{what} it returns nothing; each way through the function has to return a click.") from None
        except Raised as error:
            cause = error.__cause__
            raise Wrong(f"{what} your code raised {type(cause).__name__}: {cause}") from cause
        _judge(what, truth, mask, answer)
    return "The middle of the largest error, as far from its edge as possible: nobody clicks on an edge."


def _pieces(truth, mask):
    """The connected errors, each a boolean array, the largest first."""
    pieces = []
    for wrong in (truth & ~mask, mask & ~truth):
        labels, count = ndimage.label(wrong)
        pieces += [labels == one for one in range(1, count + 1)]
    return sorted(pieces, key=np.sum, reverse=True)


def _depth(piece):
    """How far each pixel of an error is from its edge; the border of the image is one."""
    return ndimage.distance_transform_edt(np.pad(piece, 1))[1:-1, 1:-1]


def _judge(what, truth, mask, answer):
    """Nothing where the click is right; else Wrong, with what is wrong about it."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 3:
        raise Wrong(f"{what} it gives {type(answer).__name__}; return three things: row, column, positive.")
    if any(np.ndim(one) or isinstance(one, str) for one in answer):
        raise Wrong(f"{what} it gives {answer!r}; row and column are one whole number each, positive is True or False.")
    row, column, positive = answer
    if row != int(row) or column != int(column):
        raise Wrong(f"{what} it gives ({row:g}, {column:g}); a click is on a pixel, so two whole numbers.")
    row, column = int(row), int(column)
    said = f"{what} it clicks on row {row}, column {column}"
    inside = 0 <= row < truth.shape[0] and 0 <= column < truth.shape[1]
    pieces = _pieces(truth, mask)
    depth = _depth(pieces[0])
    best = np.argwhere(depth > depth.max() - 1e-6).tolist()
    if [row, column] not in best:
        if [column, row] in best:
            raise Wrong(f"{said}. Rows and columns are exchanged: return (row, column, positive).")
        if [row - 1, column - 1] in best:
            raise Wrong(f"{said}, one too far each. Is a frame around the error still counted? Subtract it.")
        if not inside or truth[row, column] == mask[row, column]:
            raise Wrong(f"{said}, where nothing is wrong. The mean of an error's pixels can lie outside of it.")
        own = next(piece for piece in pieces if piece[row, column])
        if own is not pieces[0] and own.sum() < pieces[0].sum() and _depth(own).max() > depth.max():
            raise Wrong(
                f"{said}, in an error of {own.sum()} pixels; the largest has {pieces[0].sum()}, and is thinner. First "
                "choose the largest connected error, by its number of pixels; then its deepest pixel."
            )
        if own is not pieces[0]:
            raise Wrong(
                f"{said}, in a connected error of {own.sum()} pixels. The largest has {pieces[0].sum()}. Missing and "
                "superfluous pixels are two kinds of errors, even where they touch: label each kind on its own."
            )
        if ndimage.distance_transform_edt(pieces[0])[row, column] > depth.max():
            raise Wrong(
                f"{said}, at the border of the image. The border is an edge too: give the error a frame of zeros, "
                "np.pad(error, 1), before you ask for distances, and subtract the frame from row and column."
            )
        raise Wrong(
            f"{said}, {depth[row, column]:.3g} pixels from the edge of the largest error; another of its pixels is "
            f"{depth.max():.3g} away. Take the deepest one (ndimage.distance_transform_edt of this error alone)."
        )
    if not isinstance(positive, (bool, np.bool_, int, np.integer)) or bool(positive) != bool(truth[row, column]):
        kind = "the thing is missing there: positive" if truth[row, column] else "too much is marked there: negative"
        raise Wrong(f"{said}, which is right, and says positive={positive!r}; {kind}.")


@exercise
def clicks_needed(function):
    """A function of (scores, goal): after how many clicks each row reaches the goal, infinity where it never does."""
    one = np.array([[0, 0.5, 0.85, 0.9, 0.93], [0, 0.2, 0.4, 0.5, 0.6], [0, 0.91, 0.7, 0.95, 0.8]])
    two = np.array([[0, 0.8, 0.81], [0.0, 0.1, 0.8], [0.1, 0.79, 0.2], [0.0, 0.3, 0.1], [0.82, 0.9, 0.9]])
    three = np.array([[0.0, 0.6, 0.4, 0.5, 0.55, 0.7], [0.0, 0.1, 0.2, 0.3, 0.1, 0.2]])
    cases = {
        f"for a goal of {goal} and {scores.shape[1] - 1} clicks at most": (scores, goal)
        for scores, goal in ((one, 0.9), (one, 0.85), (two, 0.8), (three, 0.6), (three, 0.25), (three, 0.95))
    }
    compare(
        function,
        _first_click,
        cases,
        _wrong_clicks,
        "The number of the first column whose Dice is at least the goal; np.inf where there is none.",
        several="one number for each row of the scores",
    )
    return "Infinity keeps the failures in sight: a median can be taken over it, and a mean says that there are some."


def _first_click(scores, goal):
    reached = scores >= goal
    return np.where(reached.any(axis=1), reached.argmax(axis=1), np.inf)


def _wrong_clicks(scores, goal):
    right, reached = _first_click(scores, goal), scores >= goal
    never, last = ~reached.any(axis=1), scores.shape[1] - 1
    below = (~reached).sum(axis=1).astype(float)
    stays = np.array([np.flatnonzero(~row).max(initial=-1) + 1 for row in reached], float)
    return {
        "np.argmax of a row without True is 0: that counts a failure as a success without a click.": (
            np.where(never, 0, right)
        ),
        "Where the goal is never reached no number of clicks is right; give np.inf.": [
            np.where(never, value, right) for value in (last, last + 1, np.nan, -1)
        ],
        "Column 0 is the Dice before the first click; the number of the column is the number of clicks.": [
            right + 1, _first_click(scores[:, 1:], goal),
            np.where(never, 0, right + 1), np.where(never, last + 1, right + 1),
        ],
        "At least the goal: a Dice equal to it has reached it.": (
            _first_click(np.where(scores == goal, 0, scores), goal)
        ),
        "That counts the Dice values below the goal; ask when it is first reached.": [
            below, np.where(never, np.inf, below),
        ],
        "That is when it stays above the goal; ask when it is first reached.": [
            stays, np.where(stays > last, np.inf, stays), np.where(never, np.inf, stays),
        ],
        "That is the click with the best Dice; ask for the first that is good enough.": [
            scores.argmax(axis=1).astype(float), np.where(never, np.inf, scores.argmax(axis=1)),
        ],
        "That counts how often the goal is reached; ask for the first time.": reached.sum(axis=1).astype(float),
        "That says whether it is reached; ask after how many clicks.": (~never).astype(float),
        "Rows are things, columns are clicks: look along axis 1.": lambda given: len(given) != len(scores),
    }  # fmt: skip
