"""Notebook 16."""

import functools
from unittest import mock

import keras
import numpy as np
from scipy import ndimage

from mutants import Exercise
from unet_helpers.teaching.checks import museum_of_bugs as check


def mirror(image, mask, random):
    return (image[:, ::-1], mask[:, ::-1]) if random.random() < 0.5 else (image, mask)


def by_choice(image, mask, random):
    step = int(random.choice([1, -1]))
    return [np.array(one)[:, ::step] for one in (image, mask)]


def by_integer(image, mask, random):
    return (np.fliplr(image).copy(), np.fliplr(mask).copy()) if random.integers(2) else (image.copy(), mask.copy())


def apart(image, mask, random):
    return tuple(array[:, ::-1] if random.random() < 0.5 else array for array in (image, mask))


def with_share(share):
    def answer(image, mask, random):
        return (image[:, ::-1], mask[:, ::-1]) if random.random() < share else (image, mask)

    return answer


def if_mirrored(turn):
    """Does something else than to mirror both left to right."""
    return lambda image, mask, random: turn(image, mask) if random.random() < 0.5 else (image, mask)


def of_the_module(image, mask, random):
    return mirror(image, mask, np.random.default_rng())


def begins_anew(image, mask, random):
    return mirror(image, mask, np.random.default_rng(0))


class EverySecond:
    """Mirrors every second time."""

    def __init__(self):
        self.calls = 0

    def __call__(self, image, mask, random):
        self.calls += 1
        return (image[:, ::-1], mask[:, ::-1]) if self.calls % 2 else (image, mask)


def mirror_in_place(image, mask, random):
    if random.random() < 0.5:
        image[...], mask[...] = image[:, ::-1].copy(), mask[:, ::-1].copy()
    return image, mask


def fours(mask):
    rows, columns = mask.shape
    return mask.reshape(rows // 2, 2, columns // 2, 2).swapaxes(1, 2).reshape(rows // 2, columns // 2, 4)


def vote(mask):
    return np.array([[np.bincount(four).argmax() for four in row] for row in fours(mask)])


def mean_of_four(mask):
    return fours(mask).mean(axis=-1)


def zeroes(mask):
    mask[1::2, 1::2] = 0
    return mask[::2, ::2].copy()


def by(reference, deviation=np.std):
    def normalize(train, other):
        mean, by = reference(train, other).mean(), deviation(reference(train, other))
        return (train - mean) / by, (other - mean) / by

    return normalize


def with_ddof(train, other):
    mean, deviation = train.mean(dtype=float), train.std(ddof=1, dtype=float)
    return [(one - mean) / deviation for one in (train, other)]


def standardized(train, other):
    """As a scaler does it, with an epsilon."""
    scale = 1 / (train.astype(float).std() + 1e-7)
    return tuple(one * scale - train.mean() * scale for one in (train, other))


def own(axis):
    def normalize(train, other):
        return tuple(
            (x - x.mean(axis=axis, keepdims=True)) / (x.std(axis=axis, keepdims=True) + 1e-9) for x in (train, other)
        )

    return normalize


def per_pixel(train, other):
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    return (train - mean) / deviation, (other - mean) / deviation


def normalize_in_place(train, other):
    mean, deviation = train.mean(), train.std()
    for one in (train, other):
        one -= mean
        one /= deviation
    return train, other


def turned(turn):
    return lambda train, other: turn(*by(lambda train, other: train)(train, other))


def to_unit(train, other):
    low, high = float(train.min()), float(train.max())
    return (train - low) / (high - low), (other - low) / (high - low)


def both(train, other):
    return np.concatenate([train, other])


def counted(batches):
    overlap = sum((truth & prediction).sum() for truth, prediction in batches)
    return 2 * overlap / sum(truth.sum() + prediction.sum() for truth, prediction in batches)


def of_all_pixels(batches):
    truth, found = (np.concatenate([batch[k].ravel() for batch in batches]).astype(bool) for k in (0, 1))
    return float(2 * np.count_nonzero(truth & found) / (np.count_nonzero(truth) + np.count_nonzero(found)))


def confusion(batches):
    hits = misses = false = 0
    for truth, found in batches:
        for t, f in zip(truth.ravel().tolist(), found.ravel().tolist(), strict=True):
            hits, misses, false = hits + (t and f), misses + (t and not f), false + (f and not t)
    return hits / (hits + (misses + false) / 2)


def ratio(truth, found, smooth=0.0, empty=0.0):
    area = truth.sum() + found.sum() + smooth
    return (2 * (truth & found).sum() + smooth) / area if area else empty


def of_all(what):
    """Something else than Dice, of all pixels."""
    return lambda batches: float(what(*(np.concatenate([batch[k] for batch in batches]) > 0 for k in (0, 1))))


def area_of_the_union(batches):
    overlap = sum((truth & found).sum() for truth, found in batches)
    return 2 * overlap / sum((truth | found).sum() for truth, found in batches)


def empties(batches):
    right = counted(batches)
    batches.clear()
    return right


def erases(batches):
    right = counted(batches)
    for truth, found in batches:
        truth &= found
    return right


def with_last(activation, keep=True, bias=True):
    def repair(model):
        last = keras.layers.Conv2D(1, 1, activation=activation)
        repaired = keras.Model(model.input, last(model.layers[-1].input))
        if keep:
            kernel, old = model.layers[-1].get_weights()
            last.set_weights([kernel, old if bias else 0 * old])
        return repaired

    return repair


def sigmoid_after(model):
    """A last layer without activation, and a sigmoid of its own after it."""
    last = keras.layers.Conv2D(1, 1)
    logits = last(model.layers[-2].output)
    last.set_weights(model.layers[-1].get_weights())
    return keras.Model(model.inputs, keras.layers.Activation("sigmoid")(logits))


def clone(model, weights=True, sign=1):
    other = keras.models.clone_model(model)
    other.layers[-1].activation = keras.activations.sigmoid
    if weights:
        other.set_weights([sign * weight for weight in model.get_weights()])
    return other


def by_activation(model):
    model.layers[-1].activation = keras.activations.sigmoid
    return model


def sigmoid_of_softmax(model):
    return keras.Model(model.input, keras.layers.Activation("sigmoid")(model.output))


def sigmoid_of(model):
    return keras.Model(model.input, keras.layers.Activation("sigmoid")(with_last("sigmoid")(model)(model.input)))


def few_slices():
    """Random pictures in place of the phantom, which takes a minute to make."""
    random = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(random.random((20, 16, 16, 1)), (0, 2, 2, 0))
    train, validation = smooth[:12].astype(np.float32), smooth[12:].astype(np.float32)
    pairs = {(2, 1), (5, 4), (9, 7)}
    for a, b in pairs:
        validation[b] = 0.95 * train[a] + 0.03 + random.normal(0, 1e-4, train[a].shape)
    return train, validation, pairs


@functools.wraps(check.near_copies)
def near_copies(answer):
    with mock.patch.object(check, "_two_names", [few_slices()]):
        check.near_copies(answer)


def correlations(train, validation):
    flat = np.concatenate([train, validation]).reshape(len(train) + len(validation), -1)
    return np.corrcoef(flat)[: len(train), len(train) :]


def above(limit):
    return lambda train, validation: np.argwhere(correlations(train, validation) > limit)


def one_by_one(train, validation):
    pairs = []
    for a, one in enumerate(train):
        for b, other in enumerate(validation):
            if np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99:
                pairs.append((a, b))
    return pairs


def of_pairs(turn):
    return lambda train, validation: turn(one_by_one(train, validation))


def the_three_highest(train, validation):
    alike = correlations(train, validation)
    return [divmod(int(at), len(validation)) for at in np.argsort(alike.ravel())[-3:]]


def best_of_each(train, validation):
    return [(int(a), b) for b, a in enumerate(correlations(train, validation).argmax(axis=0))]


def equal(train, validation):
    return [(a, b) for a, one in enumerate(train) for b, other in enumerate(validation) if (one == other).all()]


def behind_train(train, validation):
    return [(a, b + len(train)) for a, b in one_by_one(train, validation)]


def centers_in_place(train, validation):
    train -= train.mean()
    return one_by_one(train, validation)


NAMES = {
    "A": "softmax over one channel",
    "B": "masks in 0 and 255",
    "C": "learning rate too high",
    "D": "noise in place of the data",
}

EXERCISES = [
    Exercise(
        "16.1",
        check.turn_together,
        right={"one number": mirror, "a choice": by_choice, "an integer": by_integer, "above": with_share(0.5)},
        wrong={
            "in 16 bits": (
                if_mirrored(lambda image, mask: (image[:, ::-1].astype(np.float16), mask[:, ::-1])),
                "neither as it was nor mirrored",
            ),
            "images of four rows": (
                lambda image, mask, random: mirror(image, mask, random) if len(image) == 4 else (image, mask),
                "with images of another size",
            ),
            "two numbers": (apart, "toss one coin"),
            "the image only": (if_mirrored(lambda image, mask: (image[:, ::-1], mask)), "toss one coin"),
            "the mask only": (if_mirrored(lambda image, mask: (image, mask[:, ::-1])), "toss one coin"),
            "never": (with_share(0), "mirrored 0 times"),
            "always": (with_share(1), "mirrored 1001 times"),
            "p = .2": (with_share(0.2), "half of the calls should"),
            "p = .8": (with_share(0.8), "half of the calls should"),
            "p = .4": (with_share(0.4), "half of the calls should"),
            "every second": (EverySecond(), "toss with the `random`"),
            "another generator": (of_the_module, "toss with the `random`"),
            "a generator that begins anew": (begins_anew, "half of the calls should"),
            "up and down": (if_mirrored(lambda image, mask: (image[::-1], mask[::-1])), "neither as it was nor"),
            "up and down for the mask": (
                if_mirrored(lambda i, m: (i[:, ::-1], m[::-1])),
                "the mask comes back neither",
            ),
            "turned by 180 degrees": (if_mirrored(lambda i, m: (i[::-1, ::-1], m[::-1, ::-1])), "neither as it was"),
            "turned by 90 degrees": (if_mirrored(lambda image, mask: (image.T, mask.T)), "had shape (4, 6)"),
            "rolled": (if_mirrored(lambda i, m: (np.roll(i, 1, 1), np.roll(m, 1, 1))), "neither as it was"),
            "mask as bool": (lambda i, m, r: mirror(i, m > 0, r), "the mask comes back neither"),
            "mask as bool, always": (lambda i, m, r: mirror(i, m.astype(bool), r), "the mask comes back neither"),
            "image as whole numbers": (lambda i, m, r: mirror((i / 24).astype(int), m, r), "the image comes back"),
            "mask in halves": (lambda i, m, r: mirror(i, m / 2, r), "the mask comes back neither"),
            "exchanged": (lambda image, mask, random: mirror(image, mask, random)[::-1], "the image comes back"),
            "image alone": (lambda image, mask, random: mirror(image, mask, random)[0], "return two things"),
            "both and the number": (lambda image, mask, random: (*mirror(image, mask, random), 1), "two things"),
            "nothing otherwise": (
                lambda i, m, r: (i[:, ::-1], m[:, ::-1]) if r.random() < 0.5 else None,
                "returns nothing",
            ),
            "in place": (mirror_in_place, "changes what it is given"),
        },
    ),
    Exercise(
        "16.2",
        check.halve,
        right={
            "every second": lambda mask: mask[::2, ::2],
            "the others": lambda mask: mask[1::2, 1::2],
            "a vote": vote,
            "nearest": lambda mask: ndimage.zoom(mask, 0.5, order=0),
            "a list": lambda mask: [[int(one) for one in row[::2]] for row in mask[1::2]],
        },
        wrong={
            "background where there is any": (
                lambda mask: np.where((fours(mask) == 0).any(axis=-1), 0, mask[::2, ::2]),
                "class 0 stands beside other classes, it is always taken",
            ),
            "the second of four": (lambda mask: np.sort(fours(mask))[..., 1], "it takes the second number"),
            "the third of four": (lambda mask: np.sort(fours(mask))[..., 2], "it takes the third number"),
            "class 1 where nothing else is": (
                lambda mask: np.take_along_axis(fours(mask), (fours(mask) != 1).argmax(-1)[..., None], -1)[..., 0],
                "class 1 stands beside other classes, it is never taken",
            ),
            "the object wherever it is": (
                lambda mask: np.take_along_axis(fours(mask), (fours(mask) > 0).argmax(-1)[..., None], -1)[..., 0],
                "class 0 stands beside other classes, it is never taken",
            ),
            "mean": (mean_of_four, "Something was averaged"),
            "mean, rounded": (lambda mask: mean_of_four(mask).round(), "Something was averaged"),
            "mean, cut": (lambda mask: mean_of_four(mask).astype(np.uint8), "Something was averaged"),
            "median": (lambda mask: np.median(fours(mask), axis=-1), "Something was averaged"),
            "linear": (lambda mask: ndimage.zoom(mask.astype(float), 0.5, order=1), "Something was averaged"),
            "largest": (lambda mask: fours(mask).max(axis=-1), "it takes the largest number"),
            "smallest": (lambda mask: fours(mask).min(axis=-1), "it takes the smallest number"),
            "upside down": (lambda mask: mask[::-2, ::2], "one of the four in its place"),
            "mirrored": (lambda mask: mask[::2, ::-2], "one of the four in its place"),
            "a corner": (lambda m: m[: m.shape[0] // 2, : m.shape[1] // 2], "one of the four in its place"),
            "the middle": (
                lambda m: m[m.shape[0] // 4 :, m.shape[1] // 4 :][: m.shape[0] // 2, : m.shape[1] // 2],
                "one of the four in its place",
            ),
            "shifted": (lambda mask: np.roll(mask[::2, ::2], 1, axis=1), "one of the four in its place"),
            "zeros": (lambda mask: np.zeros((mask.shape[0] // 2, mask.shape[1] // 2), int), "one of the four"),
            "a constant": (lambda mask: np.full((mask.shape[0] // 2, mask.shape[1] // 2), 2), "one of the four"),
            "the mask of the check": (lambda mask: np.full((6, 8), 2), "one of the four"),
            "without class 1": (lambda mask: np.where(mask == 1, 2, mask)[::2, ::2], "one of the four"),
            "class 1 as background": (lambda mask: (mask * (mask != 1))[::2, ::2], "one of the four"),
            "foreground": (lambda mask: mask[::2, ::2] > 0, "one of the four"),
            "up to class 2": (lambda mask: np.minimum(mask[::2, ::2], 2), "one of the four in its place"),
            "without class 200": (lambda mask: (mask * (mask < 200))[::2, ::2], "one of the four in its place"),
            "in tens": (lambda mask: mask[::2, ::2] // 10 * 10, "one of the four in its place"),
            "rows only": (lambda mask: mask[::2], "should be 6×8"),
            "columns only": (lambda mask: mask[:, ::2], "should be 6×8"),
            "as it is": (lambda mask: mask, "should be 6×8"),
            "transposed": (lambda mask: mask[::2, ::2].T, "comes back as 8×6"),
            "every third": (lambda mask: mask[::3, ::3], "should be 6×8"),
            "always 6 by 8": (lambda mask: np.resize(mask[::2, ::2], (6, 8)), "should be 5×3"),
            "one hot": (lambda mask: np.eye(3)[np.minimum(mask[::2, ::2], 2)], "6×8×3"),
            "as text": (lambda mask: mask[::2, ::2].astype(str), "a class is a number"),
            "in place": (zeroes, "changes what it is given"),
        },
    ),
    Exercise(
        "16.3",
        check.sigmoid_in_place,
        right={"a new last layer": with_last("sigmoid"), "a sigmoid after it": sigmoid_after, "a clone": clone},
        wrong={
            "new weights": (with_last("sigmoid", keep=False), "new weights"),
            "bias forgotten": (with_last("sigmoid", bias=False), "kernel and no bias"),
            "logits": (with_last(None), "before the activation"),
            "the same": (lambda model: model, "still 1 everywhere"),
            "softmax again": (with_last("softmax"), "still 1 everywhere"),
            "tanh": (with_last("tanh"), "another one"),
            "a hard sigmoid": (with_last("hard_sigmoid"), "another one"),
            "relu": (with_last("relu"), "another one"),
            "sigmoid of the softmax": (sigmoid_of_softmax, "after the softmax"),
            "two sigmoids": (sigmoid_of, "two sigmoids"),
            "a clone with new weights": (lambda model: clone(model, weights=False), "new weights"),
            "all weights turned": (lambda model: clone(model, sign=-1), "new weights"),
            "the network itself": (by_activation, "has changed"),
            "the layer": (lambda model: model.layers[-1], "return a keras.Model"),
            "weights": (lambda model: model.get_weights(), "return a keras.Model"),
            "without the last layer": (lambda model: keras.Model(model.input, model.layers[-1].input), "has shape"),
            "two channels": (
                lambda model: keras.Model(model.input, keras.layers.Conv2D(2, 1)(model.layers[-1].input)),
                "has shape",
            ),
        },
    ),
    Exercise(
        "16.4",
        check.normalize_by_training,
        right={
            "by the training images": by(lambda train, other: train),
            "deviation of a sample": with_ddof,
            "one factor": standardized,
            "one number for each channel": lambda t, o: [
                (x - t.mean(axis=(0, 1, 2))) / t.std(axis=(0, 1, 2)) for x in (t, o)
            ],
        },
        wrong={
            "from 0 to 1": (lambda t, o: ((t - t.min()) / np.ptp(t), (o - t.min()) / np.ptp(t)), "not 0 and 1"),
            "its own deviation for the other": (
                lambda t, o: ((t - t.mean()) / t.std(), (o - t.mean()) / o.std()),
                "the same two numbers",
            ),
            "a hundredth added to the deviation": (
                lambda t, o: tuple((one - t.mean()) / (t.std() + 0.01) for one in (t, o)),
                "not 0 and 1",
            ),
            "each by itself": (own(None), "normalized by themselves"),
            "each image by itself": (own((1, 2, 3)), "each image was normalized by itself"),
            "each pixel": (per_pixel, "each pixel has a mean of its own"),
            "by the other images": (by(lambda train, other: other), "not 0 and 1"),
            "by both": (by(both), "have had a say"),
            "training by itself, others by both": (
                lambda t, o: (by(lambda t, o: t)(t, o)[0], by(both)(t, o)[1]),
                "have had a say",
            ),
            "others as they are": (lambda t, o: (by(lambda t, o: t)(t, o)[0], o), "by the same two numbers"),
            "training as it is": (lambda t, o: (t, by(lambda t, o: t)(t, o)[1]), "not 0 and 1"),
            "exchanged": (lambda t, o: by(lambda t, o: t)(t, o)[::-1], "exchanged"),
            "sign turned": (turned(lambda train, other: (-train, -other)), "the sign is turned"),
            "sign of the training turned": (turned(lambda train, other: (-train, other)), "by the same two numbers"),
            "sign of the others turned": (turned(lambda train, other: (train, -other)), "by the same two numbers"),
            "mean only": (lambda t, o: (t - t.mean(), o - t.mean()), "the deviation is missing"),
            "deviation only": (lambda t, o: (t / t.std(), o / t.std()), "the mean is missing"),
            "variance": (by(lambda train, other: train, np.var), "divides by the variance"),
            "divided first": (lambda t, o: (t / t.std() - t.mean(), o / t.std() - t.mean()), "not 0 and 1"),
            "median": (
                lambda t, o: tuple((x - np.median(t)) / t.std() for x in (t, o)),
                "not 0 and 1",
            ),
            "to 0 and 1": (to_unit, "not 0 and 1"),
            "deviation of the others": (
                lambda t, o: ((t - t.mean()) / t.std(), (o - t.mean()) / o.std()),
                "by the same two numbers",
            ),
            "mean of the others": (
                lambda t, o: ((t - t.mean()) / t.std(), (o - o.mean()) / t.std()),
                "they were normalized by themselves",
            ),
            "by the first image": (by(lambda train, other: train[0]), "not 0 and 1"),
            "plus one in the deviation": (by(lambda train, other: train, lambda x: x.std() + 1), "not 0 and 1"),
            "cut at 2": (turned(lambda t, o: (np.clip(t, -2, 2), np.clip(o, -2, 2))), "deviation 0.95"),
            "one digit": (turned(lambda train, other: (train.round(1), other.round(1))), "by the same two numbers"),
            "training only": (lambda train, other: (train - train.mean()) / train.std(), "return two things"),
            "first image only": (turned(lambda train, other: (train[:1], other)), "one number each"),
            "as text": (turned(lambda train, other: (train.astype(str), other)), "images are numbers"),
            "in place": (normalize_in_place, "changes what it is given"),
        },
    ),
    Exercise(
        "16.5",
        check.dice_of_batches,
        right={"counts": counted, "all pixels": of_all_pixels, "hits, misses, false ones": confusion},
        wrong={
            "mean of the batches": (lambda bs: np.mean([ratio(*b) for b in bs]), "mean over the batches"),
            "mean, empty as 1": (lambda bs: np.mean([ratio(*b, empty=1.0) for b in bs]), "mean over the batches"),
            "mean, empty left out": (
                lambda bs: np.mean([ratio(*b) for b in bs if b[0].any() or b[1].any()]),
                "mean over the batches",
            ),
            "mean, smoothed": (lambda bs: np.mean([ratio(*b, smooth=1) for b in bs]), "mean over the batches"),
            "mean by pictures": (
                lambda bs: np.average([ratio(*b) for b in bs], weights=[len(b[0]) for b in bs]),
                "mean over the batches",
            ),
            "mean of the pictures": (
                lambda bs: np.nanmean([ratio(*one, empty=np.nan) for b in bs for one in zip(*b, strict=True)]),
                "mean over the pictures",
            ),
            "median": (lambda bs: np.median([ratio(*b) for b in bs]), "a median"),
            "smoothed by 1": (lambda bs: ratio(*map(np.concatenate, zip(*bs, strict=True)), smooth=1), "is added"),
            "smoothed by .001": (
                lambda bs: ratio(*map(np.concatenate, zip(*bs, strict=True)), smooth=1e-3),
                "is added",
            ),
            "nan": (lambda batches: float("nan"), "0/0"),
            "half": (lambda batches: counted(batches) / 2, "counts the overlap twice"),
            "IoU": (of_all(lambda t, f: (t & f).sum() / (t | f).sum()), "That is IoU"),
            "the union below": (area_of_the_union, "counted once below"),
            "recall": (of_all(lambda t, f: (t & f).sum() / t.sum()), "That is recall"),
            "precision": (of_all(lambda t, f: (t & f).sum() / f.sum()), "That is precision"),
            "accuracy": (of_all(lambda t, f: (t == f).mean()), "That is accuracy"),
            "Dice of the background": (of_all(lambda t, f: ratio(~t, ~f)), "Twice the overlap"),
            "the first batch": (lambda batches: ratio(*batches[0]), "first batch alone"),
            "the last batch": (lambda batches: ratio(*batches[-1]), "last batch alone"),
            "all but the last batch": (lambda batches: counted(batches[:-1] or batches), "Twice the overlap"),
            "the first picture of each": (lambda bs: counted([(t[:1], f[:1]) for t, f in bs]), "Twice the overlap"),
            "two digits": (lambda batches: round(counted(batches), 2), "It is rounded"),
            "each batch": (lambda bs: [ratio(*b) for b in bs], "one number was expected"),
            "a loss": (lambda batches: 1 - counted(batches), "Twice the overlap"),
            "as text": (lambda batches: f"{counted(batches):.3f}", "a number was expected"),
            "truth and prediction added as truth values": (
                lambda bs: 2 * sum((t & f).sum() for t, f in bs) / sum((t + f).sum() for t, f in bs),
                "counted once below",
            ),
            "empties the list": (empties, "changes what it is given"),
            "in place": (erases, "changes what it is given"),
        },
    ),
    Exercise(
        "16.6",
        near_copies,
        right={
            "correlations above a limit": above(0.997),
            "one by one": one_by_one,
            "a set": of_pairs(set),
            "in another order": of_pairs(lambda pairs: pairs[::-1]),
        },
        wrong={
            "each pair twice": (of_pairs(lambda pairs: [*pairs, *pairs]), "more than once"),
            "a low limit": (above(-1), "nearly everything"),
            "a limit too low": (above(0.6), "alike and not the same"),
            "a limit too high": (above(1.5), "finds none"),
            "equal gray values": (equal, "finds none"),
            "the three highest": (the_three_highest, "choose a limit, not a number of pairs"),
            "the best of each": (best_of_each, "alike and not the same"),
            "constant pairs": (lambda train, validation: [(2, 1), (5, 4), (9, 7)], "a limit, not a number of pairs"),
            "one pair": (lambda train, validation: [(2, 1)], "2 of 3 copies are missed"),
            "the first found": (of_pairs(lambda pairs: pairs[:1]), "2 of 3 copies are missed"),
            "turned round": (of_pairs(lambda pairs: [(b, a) for a, b in pairs]), "turned round"),
            "behind the training images": (behind_train, "begins at 0 again"),
            "from 1": (of_pairs(lambda pairs: [(a + 1, b + 1) for a, b in pairs]), "begin at 1"),
            "one false pair more": (of_pairs(lambda pairs: [*pairs, (0, 0)]), "alike and not the same"),
            "indices of train": (of_pairs(lambda pairs: [a for a, _ in pairs]), "list of pairs"),
            "two lists": (of_pairs(lambda pairs: list(zip(*pairs, strict=True))), "list of pairs"),
            "pairs as text": (of_pairs(lambda pairs: [(str(a), str(b)) for a, b in pairs]), "a number was expected"),
            "how many": (of_pairs(len), "list of pairs"),
            "a dictionary": (of_pairs(dict), "list of pairs"),
            "the correlations": (correlations, "list of pairs"),
            "truth values": (lambda train, validation: correlations(train, validation) > 0.99, "list of pairs"),
            "in place": (centers_in_place, "changes what it is given"),
        },
        equivalent={"backward": "pairs have no order"},
    ),
    Exercise(
        "16.7",
        check.name_the_bug,
        right={
            "the four names": NAMES,
            "in another order": dict(reversed(NAMES.items())),
            "in capitals": {letter: name.upper() for letter, name in NAMES.items()},
        },
        wrong={
            "all open": (dict.fromkeys("ABCD", ...), "Not yet: replace each ... by the name of an exhibit."),
            "one open": (NAMES | {"C": ...}, "Not yet: replace each"),
            "A as noise": (NAMES | {"A": NAMES["D"]}, "'A' is not 'noise in place of the data': the loss falls"),
            "A as a learning rate": (NAMES | {"A": NAMES["C"]}, "'A' is not 'learning rate too high': the loss falls"),
            "A as masks": (NAMES | {"A": NAMES["B"]}, "the loss falls"),
            "B as a learning rate": (NAMES | {"B": NAMES["C"]}, "below 0 is impossible"),
            "C as masks": (NAMES | {"C": NAMES["B"]}, "many times what guessing costs"),
            "C as noise": (NAMES | {"C": NAMES["D"]}, "many times what guessing costs"),
            "D as softmax": (NAMES | {"D": NAMES["A"]}, "stays at one half"),
            "A and D exchanged": (NAMES | {"A": NAMES["D"], "D": NAMES["A"]}, "the loss falls"),
            "one name for all": (dict.fromkeys("ABCD", NAMES["D"]), "the loss falls"),
            "no such exhibit": (NAMES | {"D": "bad luck"}, "'bad luck' for 'D' is none of"),
            "the first only": ({"A": NAMES["A"]}, "'B' is missing"),
            "keys and names exchanged": ({name: letter for letter, name in NAMES.items()}, "keep the keys"),
            "a list": (list(NAMES.values()), "keep the dictionary"),
            "a set": (set(NAMES.values()), "keep the dictionary"),
        },
    ),
]
