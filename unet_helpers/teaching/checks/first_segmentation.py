"""Self-checks of notebook 00, first segmentation."""

import numpy as np

from ._verdict import Wrong, call, exercise, match_answers, number


@exercise
def to_mask(function):
    """A function of probabilities (..., H, W, classes): the class with the highest one at each pixel, (..., H, W)."""
    random = np.random.default_rng(0)
    for shape in ((2, 3, 5, 4), (4, 6, 3)):
        probabilities = random.dirichlet(np.full(shape[-1], 0.5), shape[:-1])
        given, right = np.asarray(call(function, probabilities)), probabilities.argmax(axis=-1)
        shown = f"for probabilities of shape {shape} "
        if given.shape != right.shape:
            raise Wrong(
                f"{shown}your mask has the shape {given.shape}, not {right.shape}: the classes are on the last axis, "
                "and one number is left of each pixel."
            )
        if np.allclose(given, probabilities.max(axis=-1)):
            raise Wrong("these are the highest probabilities themselves; which class has the highest one is asked for.")
        if np.array_equal(given, right + 1):
            raise Wrong("the classes are numbered from 0, as in the masks; yours from 1.")
        if given.dtype.kind not in "iu":
            raise Wrong(f"a mask holds whole numbers; yours has the dtype {given.dtype}.")
        if not np.array_equal(given, right):
            index = tuple(int(i) for i in np.argwhere(given != right)[0])
            raise Wrong(
                f"a pixel with the probabilities {probabilities[index].round(2).tolist()} gets the class "
                f"{given[index]}; the highest of them is that of class {right[index]}."
            )


@exercise
def dice(function):
    """A function of two boolean arrays of one shape: their Dice coefficient."""
    random = np.random.default_rng(1)
    for shape, share in (((5, 7), 0.4), ((2, 30, 20), 0.7), ((300,), 0.1)):
        truth = random.random(shape) < share
        found = np.where(random.random(shape) < 0.7, truth, random.random(shape) < 0.5)
        both, one, other = (truth & found).sum(), truth.sum(), found.sum()
        given, right = number(call(function, truth, found)), 2 * both / (one + other)
        shown = f"for {one} true and {other} found pixels, {both} of them in both, it gives {given:.3g}. "
        for value, hint in (
            (both / (one + other), "Count the shared pixels twice."),
            (both / (truth | found).sum(), "That is the IoU: shared pixels by those in either."),
            (2 * both / (truth | found).sum(), "Divide by the two numbers added up, not by the pixels in either."),
            (both / one, "That is the share of the true pixels that was found."),
            (both / other, "That is the share of the found pixels that is right."),
            ((truth == found).mean(), "That is the accuracy."),
            ((one + other) / (2 * both), "It is upside down."),
        ):
            if np.isclose(given, value) and not np.isclose(value, right):
                raise Wrong(shown + hint)
        if not np.isclose(given, right):
            raise Wrong(shown + "Twice the shared pixels, divided by the sizes of both added up.")


SHOWN = {
    "a U-Net can outline lungs of synthetic patients that it has not seen": "shown",
    "it would do as well on real patients": "not shown",
    "it would do as well on another scanner": "not shown",
    "an accuracy of 99 % does not mean that nodules are found": "shown",
    "nodules cannot be found with a U-Net": "not shown",
    "it finds lungs better than another network would": "not shown",
}
_WHY = dict(
    zip(
        SHOWN,
        (
            "six such patients were put aside, and the Dice of their lungs was printed.",
            "no real patient occurs on this page.",
            "all patients went through the same synthetic scanner.",
            "the two numbers stand on the page, for one and the same prediction.",
            "this network found none after six epochs with this loss; others were not tried.",
            "no other network was tried.",
        ),
        strict=True,
    )
)


@exercise
def claims(answers):
    """A dictionary from sentence to "shown" or "not shown"."""
    match_answers(answers, SHOWN, _WHY)
    return "The page shows one thing that works, and one number that misleads. All else needs another experiment."
