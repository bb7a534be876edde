"""Self-checks of notebook 02, preprocessing."""

import numpy as np

from ._verdict import Wrong, call, exercise, match_answers

HU = np.array([[-600, -1350, 3000], [150, -225, -2000]])
WINDOWS = [  # HU, level, width
    (HU.astype(float), -600, 1500),
    (HU, 50, 350),
    (np.arange(-300.0, 400.0, 7.0)[::-1], 40.5, 401),
    (np.array([[[30000]], [[-30000]], [[101]]], dtype=np.int16), 100, 7),
    (-600.0, -600, 1500),
    (-225, -600, 1500),
    (0, 40, 401),
    (np.array([200.0, -100.0]), 0, 1000),
]
GRAY_MISTAKES = [
    (lambda hu, level, width: (hu - level) / width + 0.5, "Values outside the window are not clipped to 0 and 1."),
    (
        lambda hu, level, width: np.maximum((hu - level) / width + 0.5, 0),
        "Values above the window are not clipped to 1.",
    ),
    (
        lambda hu, level, width: np.minimum((hu - level) / width + 0.5, 1),
        "Values below the window are not clipped to 0.",
    ),
    (
        lambda hu, level, width: 1 - _gray(hu, level, width),
        "Black and white are exchanged: dense tissue should be bright.",
    ),
    (
        lambda hu, level, width: np.clip((hu - level) / width, 0, 1),
        "The level gives 0, but it is the center: begin at level - width / 2.",
    ),
    (
        lambda hu, level, width: np.clip((hu - level) / width + 1, 0, 1),
        "The window extends by half the width to each side; here it begins at level - width.",
    ),
    (
        lambda hu, level, width: np.clip((hu - level) / (2 * width) + 0.5, 0, 1),
        "The window extends by half the width to each side, not by the whole.",
    ),
    (lambda hu, level, width: 255 * _gray(hu, level, width), "0 to 1 is asked for, not 0 to 255."),
    (lambda hu, level, width: _gray(hu, level, width).round(), "These are whole numbers, 0 or 1; keep the fractions."),
    (lambda hu, level, width: np.clip(hu, level - width / 2, level + width / 2), "These still are HU; scale them."),
    (
        lambda hu, level, width: np.clip((hu - (level - width // 2)) / width, 0, 1),
        "Half of an odd width is no whole number: / and not //.",
    ),
    (
        lambda hu, level, width: _gray(hu, -600, 1500),
        "-600/1500 stands in the code: use the arguments level and width throughout.",
    ),
]


def _gray(hu, level, width):
    return np.clip((hu - level) / width + 0.5, 0, 1)


@exercise
def to_gray(function):
    """A function of (hu, level, width): gray values in 0–1."""
    _agree(function, WINDOWS, _gray, GRAY_MISTAKES, "{:g} HU", 1e-5)
    return "-600 HU, the level, becomes 0.5."


GRAYS = [  # gray, level, width
    (np.array([[0.0, 0.75, 1.0], [0.5, 0.25, 0.1]]), -600, 1500),
    (np.array([[0.0, 0.75], [0.5, 1.0], [0.3, 0.1]]), 50, 350),
    (np.linspace(0.9, 0.2, 8), 40.5, 401),
    (0.5, 40, 7),
    (1, -600, 1500),
    (0, 0, 1000),
]
HU_MISTAKES = [
    (lambda gray, level, width: gray * width + level, "Gray 0.5 should give the level; gray 0 is level - width / 2."),
    (lambda gray, level, width: gray * width + level - width, "Gray 0 is level - width / 2, not level - width."),
    (lambda gray, level, width: gray * width + level + width / 2, "Gray 0 is level - width / 2, with a minus."),
    (lambda gray, level, width: gray * width - level - width / 2, "The level comes back with a plus."),
    (lambda gray, level, width: gray * width - width / 2, "Gray 0.5 should give the level, and the level is missing."),
    (
        lambda gray, level, width: gray * width,
        "Gray 0.5 should give the level: the lower end of the window is missing.",
    ),
    (lambda gray, level, width: (1 - gray) * width + level - width / 2, "Black and white are exchanged."),
    (lambda gray, level, width: _gray(gray, level, width), "Turn the formula around: multiply by the width."),
    (
        lambda gray, level, width: gray * width + level - width // 2,
        "Half of an odd width is no whole number: / and not //.",
    ),
    (
        lambda gray, level, width: gray * 1500 - 1350,
        "-600/1500 stands in the code: use the arguments level and width throughout.",
    ),
]


@exercise
def to_hu(function):
    """A function of (gray, level, width): the HU that a window showed as this gray."""
    _agree(function, GRAYS, _back, HU_MISTAKES, "gray {:g}", 1e-2)
    return "Gray 0 gives -1350 HU, though the pixel may have held less: clipping cannot be undone."


def _back(gray, level, width):
    return (gray - 0.5) * width + level


def _agree(function, cases, right, mistakes, unit, tolerance):
    """Hold a function against the right one, and name the mistake that explains what it gives in all cases."""
    given = []
    for case in cases:
        given.append(result := np.asarray(call(function, *case)))
        if result.dtype.kind not in "fiu":
            raise Wrong(f"numbers are expected, not {result.ravel()[:1].tolist()}.")
        if result.shape != np.shape(case[0]):
            raise Wrong(f"shape {np.shape(case[0])} became {result.shape}; return one value for each, in its place.")

    def close(other):
        return [np.isclose(one, other(*case), rtol=0, atol=tolerance) for one, case in zip(given, cases, strict=True)]

    for result, same, case in zip(given, close(right), cases, strict=True):
        if not same.all():
            place = np.unravel_index(np.argmin(same), same.shape)
            value, expected = (np.asarray(one)[place] for one in (case[0], right(*case)))
            hint = "Each value follows from itself, the level and the width alone, by the formula."
            for mistake, what in mistakes[::-1]:
                if all(map(np.all, close(mistake))):
                    hint = what
            shown = f"with the window {case[1]}/{case[2]}, {unit.format(value)} gives {result[place]:.4g}"
            raise Wrong(f"{shown}, and should give {expected:.4g}. {hint}")


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
