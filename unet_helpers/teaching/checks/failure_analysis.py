"""Self-checks of notebook 06, failure analysis, and the riddles that they ask about."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...data.preprocessing import window
from ...failures.atlas import ATLAS
from ._verdict import Wrong, call, exercise, match_answers, number


def riddles():
    """Six pairs of masks, ``{letter: (truth, prediction)}``, each with one error. 32×32, 1 mm. Used in 06."""
    y, x = np.mgrid[:32, :32]
    disk = (y - 14) ** 2 + (x - 13) ** 2 <= 64
    other = (y - 26) ** 2 + (x - 26) ** 2 <= 9
    pair = ((y - 16) ** 2 + (x - 8) ** 2 <= 25) | ((y - 16) ** 2 + (x - 23) ** 2 <= 25)
    ellipse = (y - 16) ** 2 / 36 + (x - 15) ** 2 / 144 <= 1
    return {
        "A": (disk, (y - 14) ** 2 + (x - 13) ** 2 <= 49),
        "B": (disk | other, disk),
        "C": (disk, disk & ((y - 13) ** 2 + (x - 14) ** 2 > 8)),
        "D": (disk, disk | (np.abs(y - 14) <= 2) & (x > 13) & (x < 28)),
        "E": (pair, pair | (np.abs(y - 16) <= 1) & (x > 8) & (x < 23)),
        "F": (ellipse, ellipse & (np.abs(x - 16) > 1)),
    }


ANSWERS = {
    "A": "boundary shift",
    "B": "missed object",
    "C": "hole",
    "D": "leak into a neighbor",
    "E": "merged",
    "F": "split",
}
#: pairs of names that are taken for each other, and the question that tells them apart
HINTS = (
    ({"hole", "missed object"}, "does the prediction touch that object anywhere?"),
    ({"hole", "split"}, "how many predicted parts has the true object?"),
    ({"leak into a neighbor", "false island"}, "does the wrong piece touch the true object?"),
    ({"leak into a neighbor", "merged"}, "how many true objects does it touch?"),
)


@exercise
def name_the_kind(names):
    """A dict from the letter of a riddle to one of :data:`unet_helpers.failures.ATLAS`."""
    match_answers(names, ANSWERS, _what_differs, ATLAS, todo="{keys} still without a name.")
    return "Kinds tell causes apart that one Dice value hides."


def _what_differs(letter, name):
    """What speaks against this name for a riddle."""
    truth, prediction = riddles()[letter]
    missed = (truth & ~prediction).any()
    side = "false negative: true, and not predicted" if missed else "false positive: predicted, and not true"
    taken = {name, ANSWERS[letter]}
    more = next((hint for pair, hint in HINTS if pair == taken), "how far do they reach from the true boundary?")
    return f"its wrong pixels are {side}; {more}"


@exercise
def false_islands(function):
    """A function of (truth, predicted), binary and ``(H, W)``, that gives the mask of the false islands."""
    truth, predicted = np.zeros((2, 12, 12), bool)
    truth[1:5, 1:5] = predicted[2:6, 2:6] = True  # an object, and a prediction that is shifted
    predicted[6, 6] = True  # joined to it by a corner
    predicted[8:10, 1:3] = True  # an island
    truth[8:11, 8:11] = True  # a missed object
    neighbors = np.ones((3, 3))

    def without_contact(objects, others, structure=neighbors):
        labels, _ = ndimage.label(objects, structure)
        return objects & ~np.isin(labels, np.unique(labels[objects & others]))

    right = without_contact(predicted, truth)
    given = np.asarray(call(function, truth.copy(), predicted.copy()))
    if given.shape != truth.shape:
        raise Wrong(f"it returns shape {given.shape} for masks of shape {truth.shape}; return a mask.")
    given = given.astype(bool)
    if (given == (predicted & ~truth)).all():
        raise Wrong("that is every added pixel, also of objects that touch a true one. Decide for whole objects.")
    if (given == without_contact(truth, predicted)).all():
        raise Wrong("that is the true object that was missed; an island is predicted.")
    if (given == without_contact(predicted, truth, None)).all():
        raise Wrong("a pixel that meets an object at a corner belongs to it: structure=np.ones((3, 3)) in label.")
    if (given == (predicted & ~right)).all():
        raise Wrong("those are the objects that do touch; return the others.")
    if (given != right).any():
        raise Wrong(f"{int((given != right).sum())} pixels are not as they should be.")
    for one, other in ((truth, truth & False), (truth & False, predicted)):
        if (np.asarray(call(function, one.copy(), other.copy())).astype(bool) != other).any():
            raise Wrong("with an empty mask it fails: without a true object all that is predicted is an island.")
    return "A definition that a program applies gives the same name tomorrow, and to everybody."


@exercise
def balanced_accuracy(function):
    """A function of a square confusion matrix (rows: expected) that gives the mean of the shares on its diagonal."""
    matrix = np.array([[90, 5, 5], [2, 6, 2], [1, 0, 1]])
    given, diagonal = number(call(function, matrix.copy()), "take their mean"), np.diag(matrix)
    if abs(given - (diagonal / matrix.sum(axis=1)).mean()) < 1e-6:
        return "Each kind counts the same, however rare it is."
    if abs(given - diagonal.sum() / matrix.sum()) < 1e-6:
        raise Wrong("that is the plain accuracy: the frequent kind decides it. Divide each row by its own sum first.")
    if abs(given - (diagonal / matrix.sum(axis=0)).mean()) < 1e-6:
        raise Wrong("that divides by the sums of the columns; the expected kinds are the rows.")
    raise Wrong(
        f"for {matrix.tolist()} it gives {given:.3f}; divide the diagonal by the sums of the rows, then average."
    )


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
    """A pipeline with a fault; ``steps`` lists its windows as (level, width). Used in 06."""
    return Pipeline(hu, masks, [(-600, 1500), (-600, 1500)])


@exercise
def cause_and_repair(question, steps):
    """The number of the question, counted from 1, that is suspicious, and the steps as they should be."""
    if question != 4:
        asked = {1: "the display", 2: "the mask values", 3: "empty masks", 5: "a constant output", 6: "the threshold"}
        if question not in asked:
            raise Wrong(f"{question!r} is no number of a question; count the lines of the findings from 1 to 6.")
        more = " That one is a consequence: the first suspicious line is the cause." if question in (5, 6) else ""
        raise Wrong(f"question {question} asks about {asked[question]}; the cause stands in another line.{more}")
    steps = [tuple(step) for step in steps]
    if not steps:
        raise Wrong("without any window the network gets HU, which is as far from its training as before.")
    if len(steps) > 1:
        raise Wrong(f"{len(steps)} windows are one too many: the second takes values from 0 to 1 for HU.")
    if steps != [(-600, 1500)]:
        raise Wrong(f"the network was trained with level -600 and width 1500, not {steps[0]}.")
    return "One window, the one of training."


@exercise
def best_constant(function):
    """A function of the share of foreground that gives the accuracy of the best constant answer."""
    for share in (0.25, 0.02, 0.5, 0.9):
        given = number(call(function, share))
        right = max(share, 1 - share)
        if abs(given - right) < 1e-6:
            continue
        shown = f"for a share of {share} it gives {given:.2f}, and the best constant reaches {right:.2f}. "
        if abs(given - (1 - share)) < 1e-6:
            raise Wrong(shown + "With more foreground than background, 'all foreground' is the better constant.")
        if abs(given - share) < 1e-6:
            raise Wrong(shown + "'All background' is right on every background pixel.")
        if abs(given - 0.5) < 1e-6:
            raise Wrong(shown + "One half is right only if the classes balance.")
        raise Wrong(shown + "A constant is right on all pixels of one class and wrong on all others.")
    return "0.75 for a quarter of foreground: what a network has to beat."
