"""The self-checks of notebook 16: starter, right answer, and the wrong answers that people give."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from unet_helpers.teaching.checks import museum_of_bugs as check

NAMES = {
    "A": "softmax over one channel",
    "B": "masks in 0 and 255",
    "C": "learning rate too high",
    "D": "noise in place of the data",
}


@pytest.fixture(autouse=True)
def few_slices(monkeypatch):
    """Random pictures in place of the phantom, which takes a minute to make."""
    random = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(random.random((20, 16, 16, 1)), (0, 2, 2, 0))
    train, validation = smooth[:12].astype(np.float32), smooth[12:].astype(np.float32)
    pairs = {(2, 1), (5, 4), (9, 7)}
    for a, b in pairs:
        validation[b] = 0.95 * train[a] + 0.03
    monkeypatch.setattr(check, "_two_names", [(train, validation, pairs)])


def mirror(image, mask, random):
    return (image[:, ::-1], mask[:, ::-1]) if random.random() < 0.5 else (image, mask)


def mirror_apart(image, mask, random):
    return tuple(array[:, ::-1] if random.random() < 0.5 else array for array in (image, mask))


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (mirror, "Right."),
        (mirror_apart, "toss one coin"),
        (lambda image, mask, random: (image, mask), "mirrored 0 times"),
        (lambda image, mask, random: (image[:, ::-1], mask[:, ::-1]), "mirrored 40 times"),
        (lambda image, mask, random: (image[::-1], mask[::-1]), "neither as it was nor mirrored"),
        (lambda image, mask, random: image[:, ::-1][0], "return two things"),
        (lambda image, mask, random: (image.T, mask.T), "had shape (4, 6)"),
    ],
)
def test_turn_together(said, answer, verdict):
    assert verdict in said(check.turn_together, answer)


def mean_of_four(mask):
    return mask.reshape(6, 2, 8, 2).mean(axis=(1, 3))


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda mask: mask[::2, ::2], "Right."),
        (lambda mask: mask[1::2, 1::2], "Right."),
        (mean_of_four, "which is no class"),
        (lambda mask: mean_of_four(mask).round(), "where it never was"),
        (lambda mask: np.zeros((6, 8), int), "most of class 2 is lost"),
        (lambda mask: mask, "should be 6×8"),
    ],
)
def test_halve(said, answer, verdict):
    assert verdict in said(check.halve, answer)


def by(reference):
    def normalize(train, other):
        mean, deviation = reference(train, other).mean(), reference(train, other).std()
        return (train - mean) / deviation, (other - mean) / deviation

    return normalize


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (by(lambda train, other: train), "Right."),
        (lambda train, other: tuple((x - x.mean()) / x.std() for x in (train, other)), "normalized by themselves"),
        (by(lambda train, other: other), "not 0 and 1"),
        (lambda train, other: ((train - train.mean()) / train.std(), other), "exactly the numbers"),
        (lambda train, other: (train - train.mean()) / train.std(), "return two things"),
    ],
)
def test_normalize_by_training(said, answer, verdict):
    assert verdict in said(check.normalize_by_training, answer)


def test_normalizing_by_both_is_recognized(said):
    def answer(train, other):
        both = np.concatenate([train, other])
        return (train - train.mean()) / train.std(), (other - both.mean()) / both.std()

    assert "have had a say" in said(check.normalize_by_training, answer)


def pooled(batches):
    overlap = sum((t & p).sum() for t, p in batches)
    return 2 * overlap / sum(t.sum() + p.sum() for t, p in batches)


def ratio(truth, found, smooth=0.0):
    return (2 * (truth & found).sum() + smooth) / (truth.sum() + found.sum() + smooth)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (pooled, "Right."),
        (lambda batches: np.mean([ratio(*batch) for batch in batches]), "mean over the batches"),
        (lambda batches: np.mean([ratio(*batch, smooth=1) for batch in batches]), "mean over the batches"),
        (lambda batches: float("nan"), "nan"),
        (lambda batches: pooled(batches) / 2, "twice the overlap"),
    ],
)
def test_dice_of_batches(said, answer, verdict):
    assert verdict in said(check.dice_of_batches, answer)


def with_last(activation, keep=True):
    def repair(model):
        last = keras.layers.Conv2D(1, 1, activation=activation)
        repaired = keras.Model(model.input, last(model.layers[-1].input))
        if keep:
            last.set_weights(model.layers[-1].get_weights())
        return repaired

    return repair


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (with_last("sigmoid"), "Right."),
        (with_last("sigmoid", keep=False), "new weights"),
        (with_last(None), "before the activation"),
        (lambda model: model, "still 1 everywhere"),
        (lambda model: model.layers[-1], "return a keras.Model"),
        (lambda model: keras.Model(model.input, model.layers[-1].input), "has shape"),
    ],
)
@pytest.mark.filterwarnings("ignore:You are using a softmax")
def test_sigmoid_in_place(said, answer, verdict):
    assert verdict in said(check.sigmoid_in_place, answer)


def above(limit):
    def near_copies(train, validation):
        both = np.concatenate([train, validation]).reshape(20, -1)
        return np.argwhere(np.corrcoef(both)[:12, 12:] > limit)

    return near_copies


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (above(0.997), "Right."),
        (above(-1), "nearly everything"),
        (lambda train, validation: [(2, 1)], "2 of 3 copies are missed"),
        (lambda train, validation: [(1, 2), (4, 5), (7, 9)], "turned round"),
        (lambda train, validation: [(2, 1), (5, 4), (9, 7), (0, 0)], "alike and not the same"),
        (lambda train, validation: [(a, b) for a in range(12) for b in range(8) if (train[a] == validation[b]).all()],
         "finds none"),
        (lambda train, validation: 3, "list of pairs"),
    ],
)  # fmt: skip
def test_near_copies(said, answer, verdict):
    assert verdict in said(check.near_copies, answer)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (NAMES, "Right."),
        (dict.fromkeys("ABCD", ...), "Not yet: replace each ... by the name of an exhibit."),
        (NAMES | {"A": NAMES["D"]}, "'A' is not 'noise in place of the data': the loss falls"),
        (NAMES | {"B": NAMES["C"]}, "below 0 is impossible"),
        (NAMES | {"C": NAMES["B"]}, "many times what guessing costs"),
        (NAMES | {"D": NAMES["A"]}, "stays at one half"),
        (NAMES | {"D": "bad luck"}, "'bad luck' for 'D' is none of"),
        ({"A": NAMES["A"]}, "'B' is missing"),
    ],
)
def test_name_the_bug(said, answer, verdict):
    assert verdict in said(check.name_the_bug, answer)
