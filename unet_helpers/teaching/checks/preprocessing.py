"""Self-checks of notebook 02, preprocessing."""

import numpy as np

from ._numbers import compare
from ._verdict import Wrong, call, exercise, match_answers


def _gray(hu, level, width):
    return np.clip((hu - level) / width + 0.5, 0, 1)


def _wrong_grays(hu, level, width):
    right, lower, upper = _gray(hu, level, width), level - width / 2, level + width / 2
    line = (hu - level) / width + 0.5  # not clipped
    return {
        "Values outside the window are not clipped to 0 and 1.": line,
        "Values above the window are not clipped to 1.": np.maximum(line, 0),
        "Values below the window are not clipped to 0.": np.minimum(line, 1),
        "Black and white are exchanged: dense tissue should be bright.": 1 - right,
        "The level gives 0, but it is the center: begin at level - width / 2.": np.clip(line - 0.5, 0, 1),
        "The window extends by half the width to each side; here it begins at level - width.": np.clip(
            line + 0.5, 0, 1
        ),
        "The window extends by half the width to each side, not by the whole.": np.clip((line + 0.5) / 2, 0, 1),
        "0 to 1 is asked for, not 0 to 255.": 255 * right,
        "These are whole numbers, 0 or 1; keep the fractions.": np.round(right),
        "These still are HU; scale them.": np.clip(hu, lower, upper),
        "Half of an odd width is no whole number: / and not //.": np.clip((hu - level + width // 2) / width, 0, 1),
        "-600/1500 stands in the code: use the arguments level and width throughout.": _gray(hu, -600, 1500),
    }


@exercise
def to_gray(function):
    """A function of (hu, level, width): gray values in 0–1."""
    hu = np.array([[-600, -1350, 3000], [150, -225, -2000]])
    cases = [  # HU, level, width
        (hu.astype(float), -600, 1500),
        (hu, 50, 350),
        (np.arange(-300.0, 400.0, 7.0)[::-1], 40.5, 401),
        (np.array([[[30000]], [[-30000]], [[101]]], dtype=np.int16), 100, 7),
        (-600.0, -600, 1500),
        (-225, -600, 1500),
        (0, 40, 401),
        (np.array([200.0, -100.0]), 0, 1000),
    ]
    formula = "Each value follows from itself, the level and the width alone, by the formula."
    compare(function, _gray, _named(cases), _wrong_grays, formula, several=EACH)
    return "-600 HU, the level, becomes 0.5."


EACH = "return one value for each, in its place"


def _named(cases):
    """Words for cases of (values, level, width)."""
    one = ("" if np.ndim(values) else f" for {values:g}" for values, *_ in cases)
    return {f"with the window {case[1]}/{case[2]}{value}": case for case, value in zip(cases, one, strict=True)}


def _hu(gray, level, width):
    return (gray - 0.5) * width + level


def _wrong_hu(gray, level, width):
    """What comes out for HU by a mistake; 09 has this exercise too."""
    stretched, right = gray * width, _hu(gray, level, width)
    windowed = [_gray(gray, level, width), (gray - level + width / 2) / width]
    odd = "Half of an odd width is no whole number: / and not //."
    return {
        "Gray 0.5 should give the level; gray 0 is level - width / 2.": stretched + level,
        "Gray 0 is level - width / 2, not level - width.": stretched + level - width,
        "Gray 0 is level - width / 2, with a minus.": stretched + level + width / 2,
        "The level comes back with a plus, since windowing subtracted it.": [right - 2 * level, stretched - level],
        "The width stretches the gray values; the level moves them, and is missing.": right - level,
        "Gray 0.5 should give the level: the lower end of the window is missing.": stretched,
        "Black and white are exchanged: gray 1 is the upper end of the window.": 2 * level - right,
        "Level and width are exchanged: the width is the factor.": [
            gray * level + width,
            (gray - 0.5) * level + width,
            gray * level + width - level / 2,
        ],
        "That is the gray value as it was: 0 to 1, and HU run over a whole width.": gray,
        "Turn the formula around: multiply by the width. This windows a second time.": windowed,
        "HU beyond ±1000 were cut off; this window shows them, and they come back.": [
            np.clip(right, -end, end) for end in (1000, 1024)
        ],
        odd: [stretched + level - width // 2, stretched + int(level - width / 2)],
        "It is rounded, and HU lie between whole numbers as well.": [
            np.round(right), np.trunc(right), np.floor(right + 1e-6),
        ],
        "-600/1500 stands in the code: use the arguments level and width throughout.": _hu(gray, -600, 1500),
    }  # fmt: skip


def compare_hu(function, cases):
    """Hold a function of (gray, level, width) against the HU that a window showed as this gray; ``cases`` of these."""
    formula = "Solve gray = (HU - (level - width / 2)) / width for HU."
    compare(function, _hu, _named(cases), _wrong_hu, formula, several=EACH, tolerance=0.01)


@exercise
def to_hu(function):
    """A function of (gray, level, width): the HU that a window showed as this gray."""
    cases = [
        (np.array([[0.0, 0.75, 1.0], [0.5, 0.25, 0.1]]), -600, 1500),
        (np.array([[0.0, 0.75], [0.5, 1.0], [0.3, 0.1]]), 50, 350),
        (np.linspace(0.9, 0.2, 8), 40.5, 401),
        (0.5, 40, 7),
        (1, -600, 1500),
        (0, 0, 1000),
    ]
    compare_hu(function, cases)
    return "Gray 0 gives -1350 HU, though the pixel may have held less: clipping cannot be undone."


MASKS = [
    np.array([[0, 3, 3], [1, 3, 0]], dtype=np.uint8),
    np.array([[5], [0], [300], [-1]], dtype=np.int16),
    np.array([[True, False, False, True, True]]),
    np.array([[70000, 2], [2, 2], [0, 1]], dtype=np.int32),
]


@exercise
def double(function):
    """A function of a mask: twice the height and width, each pixel a block of 2×2."""
    for mask in MASKS:
        given = np.asarray(call(function, mask))
        height, width = mask.shape
        if given.shape != (2 * height, 2 * width):
            became = "×".join(map(str, given.shape)) or "a single value"
            raise Wrong(f"a mask of {height}×{width} became {became}; it should be {2 * height}×{2 * width}.")
        right = np.kron(mask, np.ones((2, 2), dtype=mask.dtype))
        shown = f"for the mask {mask.tolist()} of dtype {mask.dtype} "
        held, new = np.unique(mask).tolist(), sorted(set(np.unique(given).tolist()) - set(mask.ravel().tolist()))
        if new and not np.array_equal(given, right.astype(given.dtype)):
            raise Wrong(f"{shown}the result holds {new[0]} too, no class of it: interpolation invented a class.")
        if given.dtype != mask.dtype:
            raise Wrong(f"{shown}the result is of dtype {given.dtype}; return the same dtype.")
        if np.array_equal(given, right):
            continue
        if np.array_equal(given, np.tile(mask, (2, 2))):
            raise Wrong(f"{shown}it was put side by side four times; each *pixel* should become a block.")
        if np.array_equal(given[::2, ::2], mask) and not given[1::2].any():
            raise Wrong(f"{shown}each pixel fills one place of its block, and the other three stay empty.")
        if np.array_equal(np.unique(given), held):
            raise Wrong(f"{shown}the values are right, but not their places: each pixel becomes a block of 2×2.")
        raise Wrong(f"{shown}the result holds {np.unique(given).tolist()}, and the mask holds {held}.")


LAST_LAYERS = {
    "each pixel is liver, spleen, kidney or background; 4 maps": (
        "softmax",
        "exactly one of the four is true for each pixel, so the probabilities should share out one whole.",
    ),
    "polyp or not; 1 map": (
        "sigmoid",
        "with one map, softmax gives the only class the whole: every pixel becomes 1.",
    ),
    "lung and tumor, where tumor pixels count as lung too; 2 maps": (
        "sigmoid",
        "a tumor pixel is both, and softmax would force it to choose.",
    ),
}


@exercise
def last_layer(answers):
    """A dictionary from situation to "sigmoid" or "softmax"."""
    _match(answers, LAST_LAYERS)


CHANGES = {
    "rotate by up to 10 degrees": ("both", "what moves pixels moves their labels too, and anatomy allows it."),
    "add a little noise": ("image", "noise changes gray values, and a class index is no gray value."),
    "flip left to right, keep the labels": (
        "neither",
        "the left lung comes to lie on the right but keeps its label: the mask says the opposite of the picture.",
    ),
    "shift by up to 5 percent": (
        "both",
        "what moves pixels moves their labels too, and patients lie a little off-center.",
    ),
}


@exercise
def apply_to(answers):
    """A dictionary from change to "image", "both" or "neither"."""
    _match(answers, CHANGES)


def _match(answers, table):
    match_answers(answers, *({key: pair[k] for key, pair in table.items()} for k in (0, 1)))
