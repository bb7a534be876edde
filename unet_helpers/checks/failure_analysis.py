"""Self-checks of notebook 06, failure analysis, and the riddles that they ask about."""

import warnings
from dataclasses import dataclass, field

import numpy as np

from ..failures import KINDS, classify_errors
from ..preprocessing import window
from ._verdict import NotYet, Wrong, call, exercise


def riddles():
    """Four pairs of masks, ``{letter: (truth, prediction)}``, each with one kind of error in the main. 32×32, 1 mm."""
    y, x = np.mgrid[:32, :32]
    disk = (y - 14) ** 2 + (x - 13) ** 2 <= 64
    other = (y - 26) ** 2 + (x - 26) ** 2 <= 9
    return {
        "A": (disk, (y - 14) ** 2 + (x - 13) ** 2 <= 49),
        "B": (disk | other, disk),
        "C": (disk, disk & ((y - 13) ** 2 + (x - 14) ** 2 > 8)),
        "D": (disk, disk | (np.abs(y - 14) <= 2) & (x > 13)),
    }


ANSWERS = {"A": "boundary", "B": "missed object", "C": "hole", "D": "leak"}


@exercise
def name_the_kind(names):
    """A dict from the letter of a riddle to one of :data:`unet_helpers.failures.KINDS`."""
    open_letters = [letter for letter in ANSWERS if names.get(letter, ...) in (None, ...)]
    if open_letters:
        raise NotYet(f"{', '.join(open_letters)} still without a name.")
    for letter, name in names.items():
        if name not in KINDS:
            raise Wrong(f"{letter}: {name!r} is none of the kinds ({', '.join(KINDS)}).")
    wrong = [letter for letter, kind in ANSWERS.items() if names[letter] != kind]
    if not wrong:
        return "Kinds tell causes apart that one Dice value hides."
    letter = wrong[0]
    truth, prediction = riddles()[letter]
    missed = (truth & ~prediction).any()
    side = "false negative: true, and not predicted" if missed else "false positive: predicted, and not true"
    if {names[letter], ANSWERS[letter]} == {"hole", "missed object"}:
        more = "does the prediction touch that object anywhere?"
    elif {names[letter], ANSWERS[letter]} == {"leak", "false island"}:
        more = "does the wrong piece touch the true object?"
    else:
        more = "how far do the wrong pixels reach from the true boundary?"
    raise Wrong(f"{letter} is not {names[letter]!r}. Its wrong pixels are {side}; {more}")


@exercise
def repair(function):
    """A function of (truth, prediction, kind) that repairs the errors of one kind and leaves the others."""
    truths, predictions = zip(*riddles().values(), strict=True)
    truth, prediction = np.hstack(truths), np.hstack(predictions)
    for kind, area in classify_errors(truth, prediction).items():
        given = np.asarray(call(function, truth.copy(), prediction.copy(), kind))
        if given.shape != truth.shape:
            raise Wrong(f"it returns shape {given.shape} for masks of shape {truth.shape}; return the whole mask.")
        given, right = given.astype(bool), np.where(area, truth, prediction)
        if (given == right).all():
            continue
        if (given == truth).all():
            raise Wrong(f"for {kind!r} it returns the truth: every error is repaired, not those of this kind only.")
        if (given == prediction).all():
            raise Wrong(f"for {kind!r} it returns the prediction as it was; nothing is repaired.")
        if (given == area).all():
            raise Wrong("it returns the map of the errors; use the map to choose between truth and prediction.")
        if (given == np.where(area, prediction, truth)).all():
            raise Wrong("truth and prediction are exchanged: take the truth where the map is True.")
        raise Wrong(f"for {kind!r}, {int((given != right).sum())} pixels are not as they should be.")
    return "The errors of one kind are gone, the others are as they were."


@dataclass
class Pipeline:
    """Images on their way into the network: HU, then one step after the other; ``masks`` beside them."""

    hu: np.ndarray
    masks: np.ndarray
    steps: list = field(default_factory=list)

    @property
    def images(self):
        """What the network gets."""
        images = self.hu
        for level, width in self.steps:
            images = window(images, level, width)
        return images


def broken_pipeline(hu, masks):
    """A pipeline with a fault; ``steps`` lists its windows as (level, width)."""
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
        given = float(call(function, share))
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


@exercise
def output_layer(function):
    """A function that builds the last layer of a network for one foreground class."""
    layer = call(function)
    features = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of a softmax over one channel; the verdict below says so too
        maps = np.asarray(layer(features))
    if maps.shape[:3] != (1, 8, 8):
        raise Wrong(f"8×8 pixels become {maps.shape[1]}×{maps.shape[2]}; keep the kernel at 1.")
    if maps.shape[-1] == 1 and np.allclose(maps, 1):
        raise Wrong("every pixel still gets exactly 1: a softmax divides by the sum over its channels, here one.")
    if maps.min() < 0 or maps.max() > 1:
        raise Wrong(f"the outputs run from {maps.min():.1f} to {maps.max():.1f}; probabilities need a sigmoid.")
    if maps.shape[-1] == 1:
        if not (maps.min() > 0 and maps.max() < 1 and (maps < 0.5).any() and (maps > 0.5).any()):
            raise Wrong("the outputs are not those of a sigmoid; look at the activation.")
        return "One map with a sigmoid: the classes can now be told apart."
    if np.allclose(maps.sum(axis=-1), 1, atol=1e-4):
        return f"{maps.shape[-1]} maps with a softmax work too, with one-hot masks of {maps.shape[-1]} channels."
    raise Wrong(f"{maps.shape[-1]} maps whose sum is not 1; use one map with a sigmoid, or two with a softmax.")
