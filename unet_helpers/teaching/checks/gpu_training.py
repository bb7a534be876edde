"""Self-checks of notebook 04, training."""

import functools
import math

import numpy as np

from ...data import load_dataset
from ._numbers import compare
from ._verdict import Wrong, call, exercise, match_answers

ACTIVATIONS = ("sigmoid", "softmax")
LOSSES = ("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy")


@exercise
def output_and_loss(answer):
    """A function of num_classes (1 for a single map) that gives (activation, loss) for one-hot or 0/1 targets."""
    for num_classes in (1, 2, 3, 4, 7, 20):
        given = call(answer, num_classes)
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise Wrong(f"for {num_classes} it gives {given!r}; return two names, (activation, loss).")
        activation, loss = given
        shown = f"for num_classes={num_classes} it gives {activation} with {loss}. "
        if activation in LOSSES and loss in ACTIVATIONS:
            raise Wrong(shown + "The activation comes first.")
        for name, names in zip(given, (ACTIVATIONS, LOSSES), strict=True):
            if not isinstance(name, str) or name not in names:
                raise Wrong(shown + f"{name!r} is none of the names {', '.join(map(repr, names))}.")
        if num_classes == 1 and activation == "softmax":
            raise Wrong(shown + "Softmax over one channel is always 1: the network could never say no.")
        if loss == "sparse_categorical_crossentropy":
            raise Wrong(shown + "The sparse form wants class indices; the targets here have one channel per map.")
        if num_classes == 1 and loss == "categorical_crossentropy":
            raise Wrong(shown + "Over one channel categorical cross-entropy is always 0: nothing would be learned.")
        if num_classes > 1 and activation == "sigmoid":
            raise Wrong(shown + "Each pixel has exactly one class: softmax makes the channels share one probability.")
        if num_classes > 1 and loss == "binary_crossentropy":
            raise Wrong(shown + "It runs, but judges each channel by itself; the partner of softmax is another.")
    return "The decision hangs on the number of maps, not on the number of things you want to find."


def _wrong_steps(slices, size):
    down = "You rounded down: the last, smaller batch is a step too."
    return {
        down: [slices // size, max(1, slices // size)],
        "There are no fractions of a step: round up.": slices / size,
        "You rounded to the nearest: however small the last batch, it counts.": [
            round(slices / size),
            int(slices / size + 0.5),
        ],
        "One slice left makes a step too, however large the batch.": [int(slices / size + d) for d in (0.9, 0.99)],
        "Divide: a larger batch makes fewer steps.": slices * size,
        "When the slices divide evenly, no rest is left for one step more.": slices // size + 1,
        "The batch size is an argument, and need not be 16.": math.ceil(slices / 16),
        "It is upside down: divide the slices by the batch size.": math.ceil(size / slices),
        "That is how many slices are left for the last batch.": slices % size,
    }


@exercise
def steps_per_epoch(function):
    """A function of (slices, batch_size) that gives the number of updates in one epoch."""
    epochs = [(272, 16), (100, 16), (5, 8), (33, 4), (33, 16), (100001, 100000), (127, 64), (7, 1), (50, 20)]
    compare(
        function,
        lambda slices, size: -(-slices // size),
        {f"for {slices} slices in batches of {size}": (slices, size) for slices, size in epochs},
        _wrong_steps,
        "Divide the slices by the batch size and round up.",
    )
    return "272 slices in batches of 16 are 17 steps, so 10 epochs are 170 updates."


@functools.cache
def _lungs():
    """The lungs, nodules included, of the training slice with the largest nodule: what the targets should be."""
    masks = load_dataset("phantom").train.masks
    return masks[(masks == 2).sum(axis=(1, 2)).argmax()] > 0


@exercise
def repaired_targets(given):
    """Targets that were stored as 0/255 and should be 0/1; compared by their values alone."""
    given = np.asarray(given)
    if given.dtype.kind not in "fiub":
        raise Wrong(f"numbers are expected, not {given.ravel()[:1].tolist()}.")
    right = _lungs()[None, ..., None]
    if given.shape != right.shape:
        raise Wrong(f"the targets have shape {given.shape}; keep {right.shape}, as the network gives it.")
    found = np.unique(given)
    if found.max() == 255:
        raise Wrong("the targets still hold 255. Binary cross-entropy takes them for probabilities, 0 to 1.")
    if len(found) == 1:
        raise Wrong(f"every target is {float(found[0]):g} now: nothing tells the lungs from the rest.")
    if len(found) > 2:
        raise Wrong(f"the targets hold {len(found)} values; a mask of one class has two, 0 and 1.")
    if not np.isclose(found, (0, 1)).all():
        raise Wrong(f"the targets hold {found[0]:.4g} and {found[1]:.4g}; they must be 0 and 1 (255 / 255, not / 256).")
    lungs = given > 0.5
    if np.array_equal(lungs, ~right):
        raise Wrong("foreground and background are exchanged: most of a chest slice is not lung.")
    if lungs.sum() == right.sum() and not np.array_equal(lungs, right):
        raise Wrong("the values are right, but not their places: the picture is mirrored, turned or shifted.")
    if different := np.count_nonzero(lungs != right):
        raise Wrong(f"pixels that changed sides: {different}. 255 becomes 1, 0 stays 0, each in its place.")
    return "Look at np.unique(mask) before every training."


@exercise
def which_curve(answer):
    """A dict that says which of the trainings A, B, C is 'healthy', 'overfits' or 'too slow'."""
    right = {"A": "too slow", "B": "overfits", "C": "healthy"}
    why = {
        "A": "both of its curves have hardly moved: the steps are too small.",
        "B": "its training loss goes on falling while its validation loss does not.",
        "C": "its training and validation loss fall together and level off.",
    }
    match_answers(answer, right, why, todo="replace each ... by 'healthy', 'overfits' or 'too slow'.")
    return "One remedy each: a higher learning rate for A, more patients or augmentation for B, nothing for C."
