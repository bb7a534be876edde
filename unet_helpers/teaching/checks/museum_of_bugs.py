"""Self-checks of notebook 16, the museum of bugs."""

import keras
import numpy as np

from ._numbers import compare, first_hint
from ._verdict import Wrong, call, exercise, match_answers, number


@exercise
def turn_together(function):
    """A function of (image, mask, random) that mirrors both with probability one half, by one toss."""
    image = np.arange(24).reshape(4, 6) / 7
    mask = np.ceil(image).astype(np.uint8)
    tosses = _tosses(function, image, mask, 1001)
    if len(set(tosses)) == 1:
        raise Wrong(f"in {len(tosses)} calls both were mirrored {sum(tosses)} times; half of the calls should.")
    if tosses[:60] != _tosses(function, image, mask, 60):
        raise Wrong("with the same generator it decides otherwise the second time: toss with the `random` it is given.")
    if not 0.45 < np.mean(tosses) < 0.55:
        raise Wrong(f"in {len(tosses)} calls both were mirrored {sum(tosses)} times; half of the calls should.")
    if len(set(_tosses(function, image[1:, :5].astype(np.float32), 9 - mask[1:, :5].astype(int), 20))) == 1:
        raise Wrong("with images of another size all of 20 calls do the same; half of them should mirror.")
    return "One random number, used twice."


def _tosses(function, image, mask, count):
    """Whether each call with one generator mirrored."""
    random, tosses = np.random.default_rng(0), []
    for _ in range(count):
        given = call(function, image, mask, random)
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise Wrong("return two things: the image and the mask.")
        changed = []
        for name, before, after in (("image", image, given[0]), ("mask", mask, given[1])):
            after = np.asarray(after)
            if after.shape != before.shape:
                raise Wrong(f"the {name} had shape {before.shape} and comes back as {after.shape}.")
            changed.append(not np.array_equal(after, before))
            if changed[-1] and not np.array_equal(after, before[:, ::-1]):
                raise Wrong(f"the {name} comes back neither as it was nor mirrored left to right.")
        if changed[0] != changed[1]:
            raise Wrong("once the image was mirrored and the mask was not, or the other way round: toss one coin.")
        tosses.append(changed[0])
    return tosses


@exercise
def halve(function):
    """A function that halves a mask (H, W) of classes without a class that was not there."""
    random, drawn = np.random.default_rng(0), np.zeros((12, 16), np.uint8)
    drawn[2:10, 3:13], drawn[4:7, 6:9] = 2, 1
    masks = [drawn, random.choice([0, 3, 200], (10, 6)).astype(np.uint8), random.choice([1, 2, 5, 9], (2, 14))]
    masks += [random.choice([0, 1, 4, 9], (24, 20))]
    kept, every = [], []
    for mask in masks:
        rows, columns = mask.shape[0] // 2, mask.shape[1] // 2
        given = np.asarray(call(function, mask))
        if given.shape != (rows, columns):
            shapes = ("×".join(map(str, one)) for one in (mask.shape, given.shape, (rows, columns)))
            raise Wrong("a mask of {} comes back as {}; it should be {}.".format(*shapes))
        if given.dtype.kind not in "biuf":
            raise Wrong(f"a class is a number, and it gives {given.ravel()[:1].tolist()}.")
        fours = mask.reshape(rows, 2, columns, 2).swapaxes(1, 2).reshape(rows, columns, 4)
        odd = ~(fours == given[..., np.newaxis]).any(axis=-1)
        if odd.any():
            row, column = np.argwhere(odd)[0]
            four, one = fours[row, column], given[row, column]
            shown = f"in row {row}, column {column} it gives {one:g}, where the mask has {four.tolist()}. "
            if four.min() < one < four.max() and (abs(one - four.mean()) < 1 or one % 1):
                raise Wrong(shown + "Something was averaged, and between two classes lies no class, or a third one.")
            raise Wrong(shown + "Each pixel has to be one of the four in its place.")
        kept.append(given.ravel())
        every.append(np.sort(fours.reshape(-1, 4)))
    kept, every = np.concatenate(kept), np.concatenate(every)
    for place, name in enumerate(("smallest", "second", "third", "largest")):
        if (kept == every[:, place]).all():
            raise Wrong(f"of each four it takes the {name} number. Numbers of classes are names, and have no order.")
    for one in np.unique(masks[-1]):
        taken = kept[(every == one).any(axis=1) & (every != one).any(axis=1)] == one
        if taken.all() or not taken.any():
            how = "always taken, and so it grows" if taken.all() else "never taken, and so it is lost"
            raise Wrong(f"where class {one} stands beside other classes, it is {how}.")
    return "Every pixel of the small mask is a pixel of the large one, or a vote of four."


@exercise
def normalize_by_training(function):
    """A function of (train, other) images that normalizes both with the mean and deviation of the first."""
    random = np.random.default_rng(0)
    cases = (
        (random.normal(0.4, 0.2, (6, 8, 8, 1)), random.normal(0.7, 0.1, (3, 8, 8, 1))),
        (random.gamma(2, 30, (5, 4, 6, 1)).astype(np.float32), random.gamma(5, 10, (2, 4, 6, 1)).astype(np.float32)),
        (random.integers(0, 256, (3, 6, 5, 1), np.uint8), random.integers(90, 200, (1, 6, 5, 1), np.uint8)),
    )
    for train, other in cases:
        given = call(function, train, other)
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise Wrong("return two things: the training images and the other images.")
        if (np.shape(given[0]), np.shape(given[1])) == (other.shape, train.shape):
            raise Wrong("the two are exchanged: the training images come first.")
        for one, before in zip(given, (train, other), strict=True):
            if np.shape(one) != before.shape:
                raise Wrong(
                    f"images of shape {before.shape} become {np.shape(one)}; mean and deviation are one number each."
                )
            if np.asarray(one).dtype.kind not in "iuf":
                raise Wrong(f"images are numbers, and it gives {np.ravel(one)[:1].tolist()}.")
        mine, theirs = (np.asarray(one, float) for one in given)
        train, other = train.astype(float), other.astype(float)
        if not any(_close((mine, theirs), _normalized(train, other, train, ddof)) for ddof in (0, 1)):
            raise Wrong(_normalizing_hint(mine, theirs, train, other))
    return "The brighter images stay brighter. That is a fact about them, and the network may as well know."


def _normalized(train, other, by, ddof=0):
    return [(one - by.mean()) / by.std(ddof=ddof) for one in (train, other)]


def _close(given, wanted):
    return all(np.allclose(one, wish, rtol=1e-4, atol=1e-4) for one, wish in zip(given, wanted, strict=True))


def _normalizing_hint(mine, theirs, train, other):
    both = np.concatenate([train, other])
    axes = (1, 2, 3)
    by_training, by_both = _normalized(train, other, train), _normalized(train, other, both)
    if _close((-mine, -theirs), by_training):
        return "the sign is turned: subtract the mean from the images, not the images from the mean."
    if _close((mine, theirs), _centered(train, other)):
        return "the deviation is missing: divide by it."
    if _close((mine * train.var(), theirs * train.var()), _centered(train, other)):
        return "that divides by the variance; the deviation is its root."
    if _close((mine * train.std(), theirs * train.std()), (train, other)):
        return "the mean is missing: subtract it first."
    if np.allclose(theirs, by_both[1], rtol=1e-4, atol=1e-4):
        return "mean and deviation were taken over both: the other images have had a say."
    if np.allclose(theirs.mean(), 0, atol=1e-3) and np.allclose(mine.mean(), 0, atol=1e-3):
        each = np.allclose(mine.mean(axis=axes), 0, atol=1e-3)
        return (
            "each image was normalized by itself; the network needs one mean and one deviation for all."
            if each
            else "the other images have mean 0 as well: they were normalized by themselves."
        )
    if np.allclose(mine.mean(axis=0), 0, atol=1e-3):
        return "each pixel has a mean of its own there; take one mean and one deviation over all pixels."
    if not np.allclose((mine.mean(), mine.std()), (0, 1), atol=1e-2):
        return f"the training images have mean {mine.mean():.2f} and deviation {mine.std():.2f}, not 0 and 1."
    return "both should be shifted and scaled by the same two numbers, mean and deviation of the training images."


def _centered(train, other):
    return [one - train.mean() for one in (train, other)]


@exercise
def dice_of_batches(function):
    """A function of a list of (truth, prediction) batches that gives the Dice of all of their pixels."""
    random, cases = np.random.default_rng(0), {}
    for what, parts, kind in (
        ("three", ((4, 0.5), (4, 0.02), (1, 0.0)), bool),
        ("two", ((1, 0.1), (2, 0.6)), np.uint8),
        ("one", ((1, 0.05),), bool),
    ):
        batches = []
        for count, share in parts:
            truth = random.random((count, 8, 8)) < share
            found = truth ^ (random.random(truth.shape) < 0.05)
            batches.append((truth.astype(kind), found.astype(kind)))
        cases[f"for {what} batch{'es' if len(parts) > 1 else ''}"] = (batches,)
    generic = "Twice the overlap of all batches, divided by all areas, those of truth and of prediction."
    compare(function, lambda batches: _dice(*_joined(batches)), cases, _wrong_dice, generic)
    return "Counts can be added up. Ratios cannot."


def _joined(batches):
    return (np.concatenate([batch[k] for batch in batches]).astype(bool) for k in (0, 1))


def _dice(truth, found, smooth=0.0):
    area = truth.sum(dtype=int) + found.sum(dtype=int)
    return (2 * (truth & found).sum(dtype=int) + smooth) / (area + smooth) if area + smooth else np.nan


def _wrong_dice(batches):
    truth, found = _joined(batches)
    batches = [(t.astype(bool), p.astype(bool)) for t, p in batches]
    overlap, either = (truth & found).sum(), (truth | found).sum()
    ratios = [_dice(t, p) for t, p in batches]
    return {
        "A batch without a foreground pixel is 0/0. Add up the counts, and divide once.": np.nan,
        "Something is added above and below the line; there are pixels enough, so the plain ratio will do.": [
            _dice(truth, found, smooth) for smooth in (1, 0.5, 1e-1, 1e-2, 1e-3)
        ],
        "That is the mean over the batches. Add up the counts, and divide once.": [
            *(np.mean([_dice(t, p, smooth) for t, p in batches]) for smooth in (1, 1e-6)),
            np.mean(np.nan_to_num(ratios)),
            np.nanmean(ratios),
            np.mean(np.nan_to_num(ratios, nan=1)),
            np.average(np.nan_to_num(ratios), weights=[len(t) for t, _ in batches]),
        ],
        "That is the mean over the pictures. Add up the counts, and divide once.": (
            np.nanmean([_dice(t, p) for t, p in zip(truth, found, strict=True)] + [np.nan])
        ),
        "That is a median. Add up the counts, and divide once.": np.nanmedian(ratios),
        "That is IoU, which divides by the union.": overlap / either,
        "The area where both are is counted once below the line, and twice above.": 2 * overlap / either,
        "Dice counts the overlap twice, since it is in both areas.": overlap / (truth.sum() + found.sum()),
        "That is recall; Dice divides by both areas.": overlap / truth.sum(),
        "That is precision; Dice divides by both areas.": overlap / found.sum(),
        "That is accuracy: background on which both agree counts nothing in Dice.": (truth == found).mean(),
        "That is the first batch alone.": ratios[0],
        "That is the last batch alone.": ratios[-1],
    }


@exercise
def sigmoid_in_place(function):
    """A function of a network with a softmax over one channel that gives the same network with a sigmoid."""
    random = np.random.default_rng(0)
    for shape, filters in (((8, 6, 1), 2), ((4, 10, 2), 3)):
        inputs = keras.Input(shape)
        hidden = keras.layers.Conv2D(filters, 3, padding="same", activation="tanh")(inputs)
        last = keras.layers.Conv2D(1, 1, activation="softmax")
        network = keras.Model(inputs, last(hidden))
        network.set_weights([random.normal(0, 1, weight.shape) for weight in network.get_weights()])
        image = random.random((2, *shape), dtype=np.float32)
        kernel, bias = (np.asarray(weight) for weight in last.get_weights())
        logits = np.asarray(keras.Model(inputs, hidden)(image)) @ kernel[0, 0] + bias
        repaired = call(function, network)
        if not isinstance(repaired, keras.Model):
            raise Wrong(f"it gives {type(repaired).__name__}; return a keras.Model.")
        if repaired.output_shape != (None, *shape[:2], 1):
            raise Wrong(f"the output has shape {repaired.output_shape}, not {(None, *shape[:2], 1)}.")
        if not np.allclose(network(image), 1, atol=1e-5):
            raise Wrong(
                "the network that it was given has changed, and the next cell needs it as it was; build another."
            )
        _check_sigmoid(np.asarray(repaired(image)), logits, logits - bias)
    return "Nothing had to be trained again."


def _sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def _check_sigmoid(given, logits, without_bias):
    if np.allclose(given, _sigmoid(logits), atol=1e-4):
        return
    hints = {
        "the output is still 1 everywhere.": np.ones_like(logits),
        "the output is the number before the activation; put a sigmoid on it.": logits,
        "the sigmoid comes after the softmax; put it in its place.": _sigmoid(np.ones_like(logits)),
        "there are two sigmoids, one after the other.": _sigmoid(_sigmoid(logits)),
        "the last layer has its kernel and no bias; give it both weights of the old one.": _sigmoid(without_bias),
        "foreground and background are exchanged.": _sigmoid(-logits),
        "the output is 0 or 1; a sigmoid gives a probability.": logits > 0,
        "the activation is another one; use a sigmoid.": [
            np.tanh(logits),
            np.maximum(logits, 0),
            np.clip(logits / 6 + 0.5, 0, 1),
        ],
    }
    new = "the layers have new weights; give them those of the old ones, which were trained."
    raise Wrong(first_hint(given, hints, new, 1e-4))


@exercise
def near_copies(function):
    """A function of (train, validation) images that gives the pairs of indices that show the same slice."""
    train, validation, right = two_names()
    _check_pairs(call(function, train, validation), right, len(train), len(validation))
    # the same slices from the last to the first, without one of the copies
    gone = min(b for _, b in right)
    turned = [b for b in reversed(range(len(validation))) if b != gone]
    right = {(len(train) - 1 - a, turned.index(b)) for a, b in right if b != gone}
    _check_pairs(call(function, train[::-1], validation[turned]), right, len(train), len(turned), "in another order ")
    return "A patient with two names. The doctor compares pixel by pixel, and saw nothing."


def _check_pairs(given, right, train, validation, order=""):
    try:
        listed = [(number(a), number(b)) for a, b in given]
    except (TypeError, ValueError):
        raise Wrong("return a list of pairs (index in train, index in validation).") from None
    pairs = set(listed)
    if len(listed) > len(pairs):
        raise Wrong("it lists a pair more than once.")
    if not pairs and right:
        raise Wrong("it finds none. The copies are paler and have other noise: compare correlations, not gray values.")
    wrong = sorted(pairs - right)
    if wrong and {(b, a) for a, b in pairs} == right:
        raise Wrong("the pairs are there, but turned round: the index in train comes first.")
    if wrong and {(a, b - train) for a, b in pairs} >= right:
        raise Wrong(f"the index in validation begins at 0 again, and not at {train}, behind the training images.")
    if wrong and {(a - 1, b - 1) for a, b in pairs} == right:
        raise Wrong("the indices begin at 1; they should begin at 0.")
    if len(pairs) >= train * validation // 2:
        raise Wrong("it takes nearly everything for a copy; the limit is too low.")
    if wrong and order and len(right) < len(pairs):
        raise Wrong(f"with one copy fewer it still finds {len(pairs)}; choose a limit, not a number of pairs.")
    if wrong:
        raise Wrong(f"{order}{wrong[0]} are two slices that are alike and not the same; raise the limit.")
    if pairs != right:
        missed = len(right - pairs)
        raise Wrong(f"{order}{missed} of {len(right)} copies are missed: the gray values of a copy are not equal.")


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
