"""Self-checks of notebook 16, the museum of bugs."""

import keras
import numpy as np
from scipy import ndimage

from ._verdict import Wrong, call, exercise, match_answers, number


@exercise
def turn_together(function):
    """A function of (image, mask, random) that mirrors both with probability one half, by one toss."""
    image = np.arange(24.0).reshape(4, 6)
    mask = (image % 6 < 2).astype(np.uint8)
    random, mirrored = np.random.default_rng(0), 0
    for _ in range(40):
        given = call(function, image.copy(), mask.copy(), random)
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise Wrong("return two things: the image and the mask.")
        changed = []
        for name, before, after in (("image", image, given[0]), ("mask", mask, given[1])):
            after = np.asarray(after)
            if after.shape != before.shape:
                raise Wrong(f"the {name} had shape {before.shape} and comes back as {after.shape}.")
            if not ((after == before).all() or (after == before[:, ::-1]).all()):
                raise Wrong(f"the {name} comes back neither as it was nor mirrored left to right.")
            changed.append(not (after == before).all())
        if changed[0] != changed[1]:
            raise Wrong("once the image was mirrored and the mask was not, or the other way round: toss one coin.")
        mirrored += changed[0]
    if mirrored in (0, 40):
        raise Wrong(f"in 40 calls both were mirrored {mirrored} times; half of the calls should.")
    return "One random number, used twice."


@exercise
def halve(function):
    """A function that halves a mask (H, W) of classes without a class that was not there."""
    mask = np.zeros((12, 16), np.uint8)
    mask[2:10, 3:13] = 2
    mask[5:7, 6:8] = 1
    given = np.asarray(call(function, mask.copy()))
    if given.shape != (6, 8):
        raise Wrong(f"a mask of 12×16 comes back as {'×'.join(map(str, given.shape))}; it should be 6×8.")
    if not np.isin(given, (0, 1, 2)).all():
        odd = given[~np.isin(given, (0, 1, 2))][0]
        raise Wrong(f"it holds {odd:g}, which is no class: something was averaged.")
    if (given == 2).sum() < 12:
        raise Wrong("most of class 2 is lost. Values between two classes were cut to whole numbers.")
    inner = np.zeros_like(given, bool)
    inner[2:4, 3:4] = True
    rim = (given == 1) & ~ndimage.binary_dilation(inner)
    if rim.any():
        raise Wrong(f"class 1 appears at {int(rim.sum())} pixels of the border of class 2, where it never was.")
    return "Every pixel of the small mask is a pixel of the large one, or a vote of four."


@exercise
def normalize_by_training(function):
    """A function of (train, other) images that normalizes both with the mean and deviation of the first."""
    random = np.random.default_rng(0)
    train, other = random.normal(0.4, 0.2, (6, 8, 8, 1)), random.normal(0.7, 0.1, (3, 8, 8, 1))
    given = call(function, train.copy(), other.copy())
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise Wrong("return two things: the training images and the other images.")
    mine, theirs = (np.asarray(one, float) for one in given)
    if mine.shape != train.shape or theirs.shape != other.shape:
        raise Wrong("the shapes have changed; mean and deviation are one number each.")
    if not np.allclose((mine.mean(), mine.std()), (0, 1), atol=1e-3):
        raise Wrong(f"the training images have mean {mine.mean():.2f} and deviation {mine.std():.2f}, not 0 and 1.")
    if np.allclose((theirs.mean(), theirs.std()), (0, 1), atol=1e-3):
        raise Wrong("the other images have mean 0 and deviation 1 too: they were normalized by themselves.")
    both = np.concatenate([train, other])
    if np.allclose(theirs, (other - both.mean()) / both.std()):
        raise Wrong("mean and deviation were taken over both: the other images have had a say.")
    if not np.allclose(theirs, (other - train.mean()) / train.std(), atol=1e-5):
        raise Wrong("the other images should be shifted and scaled by exactly the numbers of the training images.")
    return "The brighter images stay brighter. That is a fact about them, and the network may as well know."


@exercise
def dice_of_batches(function):
    """A function of a list of (truth, prediction) batches that gives the Dice of all of their pixels."""
    random = np.random.default_rng(0)
    batches = []
    for count, share in ((4, 0.5), (4, 0.02), (1, 0.0)):
        truth = random.random((count, 8, 8)) < share
        batches.append((truth, truth ^ (random.random(truth.shape) < 0.05)))
    truth, predicted = (np.concatenate([batch[k] for batch in batches]) for k in (0, 1))
    right = 2 * (truth & predicted).sum() / (truth.sum() + predicted.sum())
    given = number(call(function, batches))
    if abs(given - right) < 1e-3:
        return "Counts can be added up. Ratios cannot."
    ratios = [2 * (t & p).sum() / max(t.sum() + p.sum(), 1) for t, p in batches]
    smoothed = [(2 * (t & p).sum() + 1) / (t.sum() + p.sum() + 1) for t, p in batches]
    if min(abs(given - np.mean(ratios)), abs(given - np.mean(smoothed))) < 1e-3:
        raise Wrong(f"{given:.3f} is the mean over the batches. Add up the counts, and divide once: {right:.3f}.")
    if np.isnan(given):
        raise Wrong("the result is nan: the last batch is empty, 0/0. Add up the counts, and divide once.")
    raise Wrong(f"for three batches it gives {given:.3f}, not {right:.3f}: twice the overlap, over both areas.")


@exercise
def sigmoid_in_place(function):
    """A function of a network with a softmax over one channel that gives the same network with a sigmoid."""
    inputs = keras.Input((8, 8, 1))
    hidden = keras.layers.Conv2D(2, 3, padding="same")(inputs)
    last = keras.layers.Conv2D(1, 1, activation="softmax")
    network = keras.Model(inputs, last(hidden))
    inside = keras.Model(inputs, hidden)
    image = np.random.default_rng(0).random((1, 8, 8, 1), dtype=np.float32)
    repaired = call(function, network)
    if not isinstance(repaired, keras.Model):
        raise Wrong(f"it gives {type(repaired).__name__}; return a keras.Model.")
    if repaired.output_shape != (None, 8, 8, 1):
        raise Wrong(f"the output has shape {repaired.output_shape}, not (None, 8, 8, 1).")
    given = np.asarray(repaired(image))
    if np.allclose(given, 1, atol=1e-5):
        raise Wrong("the output is still 1 everywhere.")
    kernel, bias = (np.asarray(weight) for weight in last.get_weights())
    logits = np.asarray(inside(image)) @ kernel[0, 0] + bias
    if np.allclose(given, logits, atol=1e-4):
        raise Wrong("the output is the number before the activation; put a sigmoid on it.")
    if not np.allclose(given, 1 / (1 + np.exp(-logits)), atol=1e-4):
        raise Wrong("the last layer has new weights; give it those of the old one, which were trained.")
    return "Nothing had to be trained again."


@exercise
def near_copies(function):
    """A function of (train, validation) images that gives the pairs of indices that show the same slice."""
    train, validation, right = two_names()
    given = call(function, train, validation)
    try:
        pairs = {(int(a), int(b)) for a, b in given}
    except (TypeError, ValueError):
        raise Wrong("return a list of pairs (index in train, index in validation).") from None
    if not pairs:
        raise Wrong("it finds none. The copies are paler and have other noise: compare correlations, not gray values.")
    wrong = sorted(pairs - right)
    if wrong and {(b, a) for a, b in pairs} == right:
        raise Wrong("the pairs are there, but turned round: the index in train comes first.")
    if len(pairs) >= len(train) * len(validation) // 2:
        raise Wrong("it takes nearly everything for a copy; the limit is too low.")
    if wrong:
        raise Wrong(f"{wrong[0]} are two slices that are alike and not the same; raise the limit.")
    if pairs != right:
        raise Wrong(f"{len(right - pairs)} of {len(right)} copies are missed: the gray values of a copy are not equal.")
    return "A patient with two names. The doctor compares pixel by pixel, and saw nothing."


_two_names = []


def two_names():
    """Slices of 64×64 in which three validation slices are copies of training slices, paler and noisier. Used in 16.

    Returns
    -------
    train, validation : ``(N, 64, 64, 1)`` float32
    pairs : set of (int, int)
    """
    if not _two_names:
        from ..museum import lung_task, museum_patients

        data = lung_task(museum_patients())
        train, validation = data.train.images[:64].copy(), data.validation.images[:24].copy()
        random = np.random.default_rng(0)
        pairs = {(10, 3), (33, 11), (50, 20)}
        for a, b in pairs:
            copy = 0.95 * train[a] + 0.03 + random.normal(0, 0.004, train[a].shape)
            validation[b] = np.clip(copy, 0, 1)
        _two_names.append((train, validation, pairs))
    return _two_names[0]


@exercise
def name_the_bug(answer):
    """A dict that gives the bug behind each of the four training reports A to D."""
    right = {
        "A": "softmax over one channel",
        "B": "masks in 0 and 255",
        "C": "learning rate too high",
        "D": "noise in place of the data",
    }
    why = {
        "A": "the loss falls, so something is learned; but the accuracy is the share of foreground in every epoch.",
        "B": "a cross-entropy below 0 is impossible with targets between 0 and 1.",
        "C": "the first validation loss is many times what guessing costs: the first steps were far too long.",
        "D": "the validation accuracy stays at one half.",
    }
    match_answers(answer, right, why, todo="replace each ... by the name of an exhibit.")
    return "Four curves, four causes, and none needed a longer training."
