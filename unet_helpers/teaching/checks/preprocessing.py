"""Self-checks of notebook 02, preprocessing."""

import numpy as np

from ._verdict import Wrong, call, exercise, match_answers


@exercise
def to_gray(function):
    """A function of (hu, level, width): gray values in 0–1."""
    hu = np.array([-2000.0, -1350.0, -600.0, -225.0, 150.0, 3000.0])
    given = _array(call(function, hu, -600, 1500), hu.shape)
    right = np.array([0, 0, 0.5, 0.75, 1, 1])
    if np.allclose(given, right, atol=1e-6):
        other = _array(call(function, hu, 50, 350), hu.shape)
        if not np.allclose(other, np.clip((hu + 125) / 350, 0, 1), atol=1e-6):
            raise Wrong("the lung window is right, but 50/350 is not: use the arguments level and width throughout.")
        if not np.allclose(_array(call(function, -600, -600, 1500), ()), 0.5, atol=1e-6):
            raise Wrong("it works on arrays, but not on a single number.")
        return "-600 HU, the level, becomes 0.5."
    if np.allclose(np.clip(given, 0, 1), right, atol=1e-6):
        raise Wrong(f"3000 HU gives {given[-1]:.1f}: values outside the window are not clipped to 0 and 1.")
    if np.allclose(given, 1 - right, atol=1e-6):
        raise Wrong("black and white are exchanged: dense tissue should be bright.")
    if np.allclose(given, np.clip((hu + 600) / 1500, 0, 1), atol=1e-6):
        raise Wrong("-600 HU, the level, gives 0, but it is the center: begin at level - width / 2.")
    if np.allclose(given, np.clip((hu + 2100) / 1500, 0, 1), atol=1e-6) or np.allclose(
        given, np.clip((hu + 2100) / 3000, 0, 1), atol=1e-6
    ):
        raise Wrong("the window begins at level - width; it extends by half the width to each side.")
    if given.max() > 200:
        raise Wrong(f"its largest value is {given.max():.0f}; 0 to 1 is asked for, not 0 to 255.")
    raise Wrong(f"-600 HU should give 0.5 and -225 HU 0.75; it gives {given[2]:.2f} and {given[3]:.2f}.")


@exercise
def to_hu(function):
    """A function of (gray, level, width): the HU that a window showed as this gray."""
    gray = np.array([0.0, 0.5, 0.75, 1.0])
    given = _array(call(function, gray, -600, 1500), gray.shape)
    right = np.array([-1350.0, -600.0, -225.0, 150.0])
    if np.allclose(given, right, atol=1e-3):
        if not np.allclose(call(function, gray, 50, 350), [-125, 50, 137.5, 225], atol=1e-3):
            raise Wrong("the lung window is right, but 50/350 is not: use the arguments level and width throughout.")
        return "Gray 0 gives -1350 HU, though the pixel may have held less: clipping cannot be undone."
    if np.allclose(given, right + 750, atol=1e-3):
        raise Wrong(
            "gray 0.5 should give the level, -600 HU, and gives 150: gray 0 is level - width / 2, not the level."
        )
    if np.allclose(given, (gray - 0.5) * 1500, atol=1e-3):
        raise Wrong("gray 0.5 should give the level, -600 HU, and gives 0: the level is missing.")
    if given.min() >= 0 and given.max() <= 1:
        raise Wrong("the result is still between 0 and 1; turn the formula around: multiply by the width.")
    raise Wrong(
        f"gray 0, 0.5 and 1 should give -1350, -600 and 150 HU; it gives {given[0]:g}, {given[1]:g}, {given[3]:g}."
    )


@exercise
def double(function):
    """A function of a mask: twice the height and width, each pixel a block of 2×2."""
    mask = np.array([[0, 2, 2], [0, 2, 0]], dtype=np.uint8)
    given = np.asarray(call(function, mask.copy()))
    if given.shape != (4, 6):
        raise Wrong(f"a mask of 2×3 became {'×'.join(map(str, given.shape))}; it should be 4×6.")
    new = sorted(set(np.unique(given).tolist()) - {0, 2})
    if new:
        raise Wrong(f"the mask held 0 and 2, and now it holds {new[0]:g} too: interpolation invented a class.")
    if not np.array_equal(given, np.kron(mask, np.ones((2, 2)))):
        if np.array_equal(given, np.tile(mask, (2, 2))):
            raise Wrong("the mask was put side by side four times; each *pixel* should become a block.")
        raise Wrong("the values are right, but not their places: each pixel should become a block of 2×2.")
    if given.dtype != np.uint8:
        raise Wrong(f"the picture is right, but its dtype is {given.dtype} and was uint8; return the same dtype.")


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


def _array(result, shape):
    result = np.asarray(result, dtype=float)
    if result.shape != shape:
        raise Wrong(f"{shape} values went in and {result.shape} came out; return one value for each.")
    return result
