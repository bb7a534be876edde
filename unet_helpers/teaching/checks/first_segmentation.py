"""Self-checks of notebook 00, first segmentation."""

import numpy as np

from ._numbers import compare
from ._verdict import Wrong, call, exercise, match_answers


@exercise
def to_mask(function):
    """A function of probabilities (..., H, W, classes): the class with the highest one at each pixel, (..., H, W)."""
    random = np.random.default_rng(0)
    shapes = ((2, 3, 5, 4), (4, 6, 3))
    arrays = [random.dirichlet(np.full(shape[-1], 0.5), shape[:-1]) for shape in shapes]
    compare(
        function,
        lambda probabilities: probabilities.argmax(axis=-1),
        {f"for probabilities of shape {array.shape}": (array,) for array in arrays},
        _wrong_masks,
        "Each pixel gets the class that has the highest of its probabilities.",
        several="the classes are on the last axis, and one number is left of each pixel",
    )
    if np.asarray(call(function, arrays[0])).dtype.kind not in "iu":
        raise Wrong("a mask holds whole numbers; yours holds fractions.")


def _wrong_masks(probabilities):
    return {
        "These are the highest probabilities themselves; which class has it is asked for.": probabilities.max(axis=-1),
        "The classes are numbered from 0, as in the masks; yours from 1.": probabilities.argmax(axis=-1) + 1,
        "This class has the lowest probability.": probabilities.argmin(axis=-1),
    }


@exercise
def dice(function):
    """A function of two boolean arrays of one shape: their Dice coefficient."""
    random, cases = np.random.default_rng(1), {}
    for shape, share in (((5, 7), 0.4), ((2, 30, 20), 0.7), ((300,), 0.3), ((6, 4), 0.1)):
        truth = random.random(shape) < share
        found = np.where(random.random(shape) < 0.7, truth, random.random(shape) < 0.5)
        found &= share > 0.1 or ~truth  # in the last case nothing is shared
        both = (truth & found).sum()
        cases[f"for {truth.sum()} true and {found.sum()} found pixels, {both} of them in both,"] = truth, found
    compare(
        function,
        lambda truth, found: 2 * (truth & found).sum() / (truth.sum() + found.sum()),
        cases,
        _wrong_dice,
        "Twice the shared pixels, divided by the sizes of both added up.",
    )


def _wrong_dice(truth, found):
    both, either, sizes = (truth & found).sum(), (truth | found).sum(), truth.sum() + found.sum()
    return {
        "Count the shared pixels twice.": both / sizes,
        "That is the IoU: shared pixels by those in either.": both / either,
        "Divide by the two numbers added up, not by the pixels in either.": 2 * both / either,
        "That is the share of the true pixels that was found.": both / truth.sum(),
        "That is the share of the found pixels that is right.": both / found.sum(),
        "That is the accuracy.": (truth == found).mean(),
        "It is upside down.": sizes / (2 * both),
    }


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
