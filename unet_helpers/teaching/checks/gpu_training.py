"""Self-checks of notebook 04, training."""

import numpy as np

from ._verdict import Wrong, call, exercise, match_answers, number


@exercise
def output_and_loss(answer):
    """A function of num_classes (1 for a single map) that gives (activation, loss) for one-hot or 0/1 targets."""
    for num_classes in (1, 2, 3):
        right = ("sigmoid", "binary_crossentropy") if num_classes == 1 else ("softmax", "categorical_crossentropy")
        given = call(answer, num_classes)
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise Wrong(f"for {num_classes} it gives {given!r}; return two names, (activation, loss).")
        activation, loss = given
        if (activation, loss) == right:
            continue
        shown = f"for num_classes={num_classes} it gives {activation} with {loss}. "
        if num_classes == 1 and activation == "softmax":
            raise Wrong(shown + "Softmax over one channel is always 1: the network could never say no.")
        if num_classes == 1 and loss.endswith("categorical_crossentropy"):
            raise Wrong(shown + "Over one channel categorical cross-entropy is always 0: nothing would be learned.")
        if loss == "sparse_categorical_crossentropy":
            raise Wrong(shown + "The sparse form wants class indices; the targets here are one-hot.")
        if activation == "sigmoid":
            raise Wrong(shown + "Each pixel has exactly one class: softmax makes the channels share one probability.")
        if loss == "binary_crossentropy":
            raise Wrong(shown + "It runs, but judges each channel by itself; the partner of softmax is categorical.")
        raise Wrong(shown + f"The pair is {right[0]} with {right[1]}.")
    return "The decision hangs on the number of maps, not on the number of things you want to find."


@exercise
def steps_per_epoch(function):
    """A function of (slices, batch_size) that gives the number of updates in one epoch."""
    for slices, batch_size in ((272, 16), (100, 16), (5, 8), (33, 4)):
        right = -(-slices // batch_size)
        given = number(call(function, slices, batch_size))
        if given == right:
            continue
        shown = f"for {slices} slices in batches of {batch_size} it gives {given}, not {right}. "
        if given == slices // batch_size:
            raise Wrong(shown + "You rounded down: the last, smaller batch is a step too.")
        if abs(given - slices / batch_size) < 1e-9:
            raise Wrong(shown + "There are no fractions of a step: round up.")
        if given == slices * batch_size:
            raise Wrong(shown + "Divide: a larger batch makes fewer steps.")
        if given == slices // batch_size + 1:
            raise Wrong(shown + "When the slices divide evenly, no rest is left for one step more.")
        raise Wrong(shown + "Divide the slices by the batch size and round up.")
    return "272 slices in batches of 16 are 17 steps, so 10 epochs are 170 updates."


@exercise
def repaired_targets(given):
    """Targets that were stored as 0/255 and should be 0/1; compared by their values alone."""
    given = np.asarray(given)
    if given.ndim != 4 or given.shape[-1] != 1:
        raise Wrong(f"the targets have shape {given.shape}; keep (N, height, width, 1), as the network gives it.")
    found = np.unique(given)
    if found.max() == 255:
        raise Wrong("the targets still hold 255. Binary cross-entropy takes them for probabilities, 0 to 1.")
    if len(found) == 1:
        raise Wrong(f"every target is {float(found[0]):g} now: the lungs are gone. Compare with 0, or divide by 255.")
    if len(found) > 2:
        raise Wrong(f"the targets hold {len(found)} values; a mask of one class has two, 0 and 1.")
    if not np.isclose(found, (0, 1)).all():
        raise Wrong(f"the targets hold {found[0]:.4g} and {found[1]:.4g}; they must be 0 and 1 (255 / 255, not / 256).")
    if given.mean() > 0.5:
        raise Wrong("foreground and background are exchanged: most of a chest slice is not lung.")
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
