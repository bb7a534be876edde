"""Self-checks of notebook 04, training."""

import functools

import numpy as np

from ...data import load_dataset
from ._numbers import first_hint
from ._verdict import NotYet, Wrong, call, exercise, is_open

ACTIVATIONS = ("sigmoid", "softmax")
LOSSES = ("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy")
#: of each training of 04.4
EPOCHS = 6


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


def _wrong_biases(shares):
    return {
        "These are the shares themselves. Softmax raises e to the power of each number: what undoes that?": shares,
        "The sign is turned: the rarest class comes out as the most frequent.": -np.log(shares),
        "The logarithm of base 10 does not undo a power of e.": np.log10(shares),
        "The logarithm of base 2 does not undo a power of e.": np.log2(shares),
        "log1p is the logarithm of 1 + share.": np.log1p(shares),
        "e to the power of a share goes the wrong way: look for what undoes a power of e.": np.exp(shares),
        "That undoes a sigmoid, which has one map; here softmax divides by the sum over the classes.": np.log(
            shares / (1 - shares)
        ),
        "The logarithm is right, but do not divide by anything after it: that changes the differences.": [
            np.log(shares) / len(shares),
            np.log(shares) / np.log(shares).sum(),
            np.log(shares) / np.abs(np.log(shares)).max(),
        ],
        "The numbers are in another order than the shares.": [np.log(np.sort(shares)), np.log(shares)[::-1]],
    }


@exercise
def start_bias(function):
    """A function of the shares of the classes that gives biases which softmax turns into these shares."""
    for shares in ((0.8780, 0.1215, 0.0005), (0.6, 0.4), (0.1, 0.7, 0.05, 0.15), (0.002, 0.998)):
        shares, said = np.array(shares), ", ".join(map(str, shares))
        given = call(function, shares)
        given = np.asarray(given)
        if given.dtype.kind not in "fiu":
            raise Wrong(f"for the shares {said} it gives {given.tolist()!r}; return one number for each class.")
        if given.shape != shares.shape:
            raise Wrong(f"for {len(shares)} shares it gives the shape {given.shape}; return one number for each class.")
        if not np.isfinite(given).all():
            raise Wrong(f"for the shares {said} it gives {given}; every bias must be a finite number.")
        found = np.exp(given - given.max()) / np.exp(given - given.max()).sum()
        if not np.allclose(found, shares, rtol=0.02):
            hint = first_hint(given, _wrong_biases(shares), "Which function undoes a power of e?")
            raise Wrong(f"softmax makes {', '.join(f'{p:.3g}' for p in found)} of it, not {said}. {hint}")
    return "Any constant may be added to all of them: softmax sees only differences."


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
def mended(answer):
    """Curves of the trainings A and B, trained again with one number changed: their last validation loss is low."""
    if not isinstance(answer, dict) or set(answer) != {"A", "B"}:
        raise Wrong("keep the dictionary with the keys 'A' and 'B', and replace the ... only.")
    if still := [name for name in "AB" if is_open(answer[name])]:
        raise NotYet(f"replace the ... of {' and '.join(still)} by train_small with two numbers.")
    for name in "AB":
        _check_mended(name, answer[name])
    more = "steps of another size would not have shown it another lung."
    return f"A needed larger steps, and B more to learn from: {more}"


def _check_mended(name, history):
    try:
        loss, validation = (np.asarray(history[curve], dtype=float) for curve in ("loss", "val_loss"))
    except (TypeError, KeyError, IndexError, ValueError):
        raise Wrong(f"{name!r} holds no curves; it is to be what train_small(...) returns.") from None
    if not len(loss) == len(validation) == EPOCHS:
        raise Wrong(f"{name!r} has {len(loss)} epochs; leave train_small as it is, with {EPOCHS}.")
    seen = f"the training loss of {name!r} goes from {loss[0]:.2f} to {loss[-1]:.2f}, its validation loss ends at "
    seen += f"{validation[-1]:.2f}. "
    if validation[-1] < 0.2:
        return
    if not np.isfinite(validation[-1]) or validation.max() > 20:
        raise Wrong(seen + "On the way they jumped: the learning rate is too high.")
    if loss[-1] > 0.8 * loss[0]:
        raise Wrong(seen + "Not even the training loss falls much: the steps are too small.")
    if validation[-1] > 2 * loss[-1]:
        raise Wrong(seen + "It learns its slices by heart: what does it need to see?")
    raise Wrong(seen + "Both fall together, but slowly: the steps are still too small.")
