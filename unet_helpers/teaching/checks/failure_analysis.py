"""Self-checks of notebook 06, failure analysis, and the riddles that they ask about."""

import numpy as np
from scipy import ndimage

from ...failures.atlas import ATLAS
from ._numbers import compare, first_hint
from ._verdict import Wrong, call, exercise, match_answers


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
    more = next((hint for pair, hint in HINTS if pair == taken), f"{name!r} means: {ATLAS[name]}.")
    return f"its wrong pixels are {side}; {more}"


def _without_contact(objects, others, structure=((1, 1, 1),) * 3):
    """The ``objects`` that share no pixel with ``others``."""
    labels, _ = ndimage.label(objects, structure)
    return objects & ~np.isin(labels, labels[objects & others])


def _scenes():
    """Truth and prediction, by what they show. What touches shares pixels; what does not is not beside it."""
    truth, predicted = np.zeros((2, 12, 15), bool)
    truth[1:5, 1:5] = predicted[2:6, 2:6] = True  # an object, and a prediction that is shifted
    predicted[6, 6] = True  # joined to it by a corner
    predicted[8:10, 1:3] = True  # an island
    truth[8:11, 8:11] = True  # a missed object
    two, found = np.zeros((2, 20, 34), bool)
    two[1:4, 1:5] = two[12:15, 2:5] = found[12:15, 2:5] = True
    found[3, 4:15] = True  # its center lies outside of the object that it touches
    found[8:18, 20:31] = found[18, 8] = True  # two islands, one of them the largest of all
    dot, ring = np.zeros((2, 13, 17), bool)
    dot[6, 6:9] = True
    ring[2:11, 2:13] = True
    ring[4:9, 4:11] = False  # around the dot, without touching it
    dots, three = np.zeros((2, 40, 61), bool)
    dots[::2, ::2] = three[0, 0] = three[6, 10] = three[38, 60] = True
    nothing = np.zeros((5, 8), bool)
    some = nothing.copy()
    some[1:3, 2:6] = True
    return {
        "an object found, one missed, and an island": (truth, predicted),
        "two objects found, and two islands": (two, found),
        "a ring around an object": (dot, ring),
        "620 dots, of which three are true": (three, dots),
        "a prediction without any true object": (nothing, some),
        "an object and an empty prediction": (some, nothing),
        "two empty masks": (nothing, nothing),
    }


def _no_islands(truth, predicted):
    islands = _without_contact(predicted, truth)
    return {
        "That is an empty mask.": np.zeros(truth.shape),
        "That is every added pixel, also of objects that touch a true one. Decide for whole objects.": (
            predicted & ~truth
        ),
        "That is the true object that was missed; an island is predicted.": _without_contact(truth, predicted),
        "A pixel that meets an object at a corner belongs to it: np.ones((3, 3)) in label.": (
            _without_contact(predicted, truth, None)
        ),
        "Those are the objects that do touch; return the others.": predicted & ~islands,
        "That is all that is predicted.": predicted,
    }


@exercise
def false_islands(function):
    """A function of (truth, predicted), binary and ``(H, W)``, that gives the mask of the false islands."""
    for what, (truth, predicted) in _scenes().items():
        right = _without_contact(predicted, truth)
        given = call(function, truth, predicted)
        if isinstance(given, tuple):
            raise Wrong("it returns several things, as label does; return the mask alone.")
        given = np.asarray(given)
        if given.shape != truth.shape:
            raise Wrong(f"it returns shape {given.shape} for masks of shape {truth.shape}; return a mask.")
        if given.dtype.kind not in "biuf" or not np.isin(given, (0, 1)).all():
            raise Wrong(f"{what}: it returns {np.unique(given)[:4].tolist()} …, and a mask holds only True and False.")
        given = given.astype(bool)
        if (given == right).all():
            continue
        touches = "An object touches if any of its pixels is true, wherever its center lies and however large it is."
        hint = first_hint(given, _no_islands(truth, predicted), touches)
        raise Wrong(f"{what}: wrong pixels: {int((given != right).sum())}. {hint}")
    return "A definition that a program applies gives the same name tomorrow, and to everybody."


def _balanced(matrix):
    return (np.diag(matrix) / matrix.sum(axis=1)).mean()


def _wrong_balances(matrix):
    plain = "That is the plain accuracy: the frequent kind decides it. Divide each row by its own sum first."
    return {
        plain: np.trace(matrix) / matrix.sum(),
        "That divides by the sums of the columns; the expected kinds are the rows.": _balanced(matrix.T),
        "That is the sum; divide it by the number of kinds.": len(matrix) * _balanced(matrix),
        "The number of kinds is not always three.": len(matrix) * _balanced(matrix) / 3,
        "That is the share of one kind; average those of all.": list(np.diag(matrix) / matrix.sum(axis=1)),
        "That is the median; one poor kind has to count.": np.median(np.diag(matrix) / matrix.sum(axis=1)),
    }


@exercise
def balanced_accuracy(function):
    """A function of a square confusion matrix (rows: expected) that gives the mean of the shares on its diagonal."""
    matrices = (
        [[90, 5, 5], [2, 7, 1], [3, 0, 1]],
        [[30, 10], [1, 4]],
        [[8, 0, 1, 1], [20, 170, 10, 0], [0, 2, 0, 3], [1, 0, 0, 7]],
        [[5, 0, 0, 0, 0], [0, 300, 0, 0, 0], [0, 0, 1, 0, 0], [1, 0, 0, 2, 0], [0, 0, 6, 1, 3]],
    )
    compare(
        function,
        _balanced,
        {f"for {matrix}": (np.array(matrix),) for matrix in matrices},
        _wrong_balances,
        "Divide the diagonal by the sums of the rows, then take the mean.",
        several="take their mean",
    )
    return "Each kind counts the same, however rare it is."
