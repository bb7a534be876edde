"""Self-checks of notebook 06b, why a mask comes out black, and the broken pipeline that they ask about."""

from dataclasses import dataclass

import numpy as np

from ...data.preprocessing import window
from ._numbers import compare
from ._verdict import NotYet, Raised, Wrong, call, exercise, number


@dataclass
class Pipeline:
    """Images on their way into the network: HU, then one step after the other; ``masks`` beside them."""

    hu: np.ndarray
    masks: np.ndarray
    steps: list

    @property
    def images(self):
        """What the network gets."""
        images = self.hu
        for level, width in self.steps:
            images = window(images, level, width)
        return images


def broken_pipeline(hu, masks):
    """A pipeline with a fault; ``steps`` lists its windows as (level, width). Used in 06b."""
    return Pipeline(hu, masks, [(-600, 1500), (-600, 1500)])


@exercise
def cause_and_repair(question, steps):
    """The number of the question, counted from 1, that is suspicious, and the steps as they should be."""
    question = number(question)
    if question != 4:
        asked = {1: "the display", 2: "the mask values", 3: "empty masks", 5: "a constant output", 6: "the threshold"}
        if question not in asked:
            raise Wrong(f"{question} is no number of a question; count the lines of the findings from 1 to 6.")
        more = " That one is a consequence: the first suspicious line is the cause." if question in (5, 6) else ""
        more = " Count the lines from 1." if question == 3 else more
        raise Wrong(f"question {question} asks about {asked[question]}; the cause stands in another line.{more}")
    if not isinstance(steps, (list, tuple, np.ndarray)) or any(np.shape(step) != (2,) for step in steps):
        raise Wrong(f"steps is a list of windows, each (level, width), as in pipeline.steps, and not {steps!r}.")
    steps = [tuple(number(end) for end in step) for step in steps]
    if not steps:
        raise Wrong("without any window the network gets HU, which is as far from its training as before.")
    if len(steps) > 1:
        raise Wrong(f"{len(steps)} windows are too many: the second takes values from 0 to 1 for HU.")
    if steps == [(1500, -600)]:
        raise Wrong("level and width are exchanged: the level comes first.")
    if steps != [(-600, 1500)]:
        raise Wrong(f"the network was trained with level -600 and width 1500, not {steps[0]}.")
    return "One window, the one of training."


def _wrong_constants(share):
    return {
        "With more foreground than background, 'all foreground' is the better constant.": 1 - share,
        "'All background' is right on every background pixel.": share,
        "One half is right only if the classes balance.": 0.5,
        "That is what guessing reaches, each class as often as it occurs; a constant does better.": (
            share**2 + (1 - share) ** 2
        ),
        "Return a share, from 0 to 1, not percent.": 100 * max(share, 1 - share),
    }


@exercise
def best_constant(function):
    """A function of the share of foreground that gives the accuracy of the best constant answer."""
    compare(
        function,
        lambda share: max(share, 1 - share),
        {f"for a share of {share}": (share,) for share in (0.25, 0.02, 0.5, 0.9, 0.55, 0.7, 0.3, 0.45, 0.801, 0, 1)},
        _wrong_constants,
        "A constant is right on all pixels of one class and wrong on all others; the better of the two counts.",
    )
    return "0.75 for a quarter of foreground: what a network has to beat."


PROBLEMS = ("mask values", "empty masks", "image range", "none")


def _batches():
    """Batches by what they show: images, masks, the number of classes, the first problem, and what to think of."""
    gray = np.linspace(0, 1, 70, dtype=np.float32).reshape(2, 5, 7)
    masks, odd, low, last, gap = np.zeros((2, 5, 7), np.uint8), gray.copy(), gray.copy(), gray.copy(), gray.copy()
    masks[1, 1:3, 2:6], masks[1, 2, 3] = 1, 2
    odd[0, 2, 2], low[0, 0, 0], last[1] = np.nan, -400, 900 * last[1]
    lost = masks.astype(float)
    lost[1, 4, 4] = np.nan
    gap[:], hu, empty = 0.5, 1500 * gray - 1200, masks * 0
    order = "Ask in the order of the exercise, and return the first problem that you find."
    whole = "The classes are 0, 1, … up to one less than num_classes, and nothing else."
    return {
        "a good batch": (
            gray,
            masks,
            3,
            "none",
            "One of its masks is empty, which is normal.",
        ),
        "class 2 without any pixel of class 1": (gray, masks // 2 * 2, 3, "none", "Not every class has to occur."),
        "boolean masks": (gray, masks > 0, 2, "none", "False and True are the classes 0 and 1."),
        "a mask of class 1 alone": (gray, empty + 1, 2, "none", "Not every class has to occur."),
        "class 25 of 30": (gray, 25 * (masks > 0), 30, "none", whole),
        "standardized images": (8 * gray - 4, masks, 3, "none", "From -10 to 10 is in the range."),
        "images of one shade": (gap, masks, 3, "none", "Only the range counts, which these keep."),
        "masks of 0 and 255": (gray, 255 * (masks > 0), 3, "mask values", whole),
        "class 2 where there are two classes": (gray, masks, 2, "mask values", whole),
        "masks with halves": (gray, 0.5 * masks, 3, "mask values", "One half is no class."),
        "masks with -1": (gray, masks.astype(int) - 1, 3, "mask values", "-1 is no class."),
        "a mask with one nan": (gray, lost, 3, "mask values", "nan is no class."),
        "empty masks": (gray, empty, 3, "empty masks", "No mask has a pixel above 0."),
        "images in HU": (hu, masks, 3, "image range", "They reach far below -10."),
        "images of 0 to 255": (255 * gray, masks, 3, "image range", "They reach far above 10."),
        "one pixel of -400": (low, masks, 3, "image range", "Every pixel has to lie in the range."),
        "a last slice of 0 to 900": (last, masks, 3, "image range", "Every slice has to lie in the range."),
        "an image with one nan": (odd, masks, 3, "image range", "nan is neither above -10 nor below 10."),
        "masks of 0 and 255 for images in HU": (hu, 255 * (masks > 0), 3, "mask values", order),
        "empty masks for images in HU": (hu, empty, 3, "empty masks", order),
    }


@exercise
def first_problem(function):
    """A function of (images, masks, num_classes) that names the first of the ``PROBLEMS`` of a batch."""
    for what, (images, masks, num_classes, right, hint) in _batches().items():
        try:
            given = call(function, images, masks, num_classes)
        except NotYet:
            if what == "a good batch":
                raise
            raise Wrong(f"{what}: it returns nothing; each way through the function has to return a text.") from None
        except Raised as error:
            raise Wrong(f"{what}: your code raised {type(error.__cause__).__name__}: {error.__cause__}") from error
        if not isinstance(given, str) or given not in PROBLEMS:
            raise Wrong(f"{what}: it returns {given!r}, which is none of {', '.join(map(repr, PROBLEMS))}.")
        if given != right:
            raise Wrong(f"{what}: it returns {given!r}, and right is {right!r}. {hint}")
    return "Three questions that cost a second, and no training."
