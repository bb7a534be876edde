"""Notebook 17b."""

import numpy as np

from mutants import Exercise
from unet_helpers.teaching import annotation
from unet_helpers.teaching.checks import annotation_budgets as check


def greedy(score=lambda d: d.min(axis=1), start=lambda chosen, new: [*chosen, *new], norm=None):
    """Choose one after the other by a score of the distances to those that are asked."""

    def answer(features, chosen, count):
        new = []
        for _ in range(count):
            asked = list(start(list(chosen), new))
            away = score(np.linalg.norm(features[:, None] - features[asked], ord=norm, axis=2))
            away[list(chosen) + new] = -np.inf
            new.append(int(away.argmax()))
        return new

    return answer


def kept_distances(features, chosen, count):
    squares = ((features[:, None] - features[None]) ** 2).sum(axis=2)
    nearest, new = squares[chosen].min(axis=0), []
    for _ in range(count):
        new.append(max(range(len(features)), key=lambda k: nearest[k]))
        nearest = np.minimum(nearest, squares[new[-1]])
    return np.array(new)


def at_one_go(features, chosen, count):
    nearest = np.linalg.norm(features[:, None] - features[list(chosen)], axis=2).min(axis=1)
    return np.argsort(-nearest, kind="stable")[:count]


def appends(features, chosen, count):
    new = greedy()(features, chosen, count)
    chosen += new
    return new


def with_the_old(features, chosen, count):
    return [*chosen, *greedy()(features, chosen, count)]


def picked(order=lambda scores: np.argsort(-scores), skip=True, had=False, one=True):
    def answer(scores, patients, chosen, count):
        taken, new = {patients[k] for k in chosen} if had else set(), []
        for k in order(scores):
            if len(new) == count or (skip and k in chosen) or (one and patients[k] in taken):
                continue
            new.append(int(k))
            taken.add(patients[k])
        return new

    return answer


def best_of_each(scores, patients, chosen, count):
    """The best of each patient first, then the best of these."""
    left = [k for k in range(len(scores)) if k not in chosen]
    best = {}
    for k in left:
        if patients[k] not in best or scores[k] > scores[best[patients[k]]]:
            best[patients[k]] = k
    return sorted(best.values(), key=lambda k: -scores[k])[:count]


def first_of_each(scores, patients, chosen, count):
    firsts = [k for k in np.unique(patients, return_index=True)[1] if k not in chosen]
    return sorted(firsts, key=lambda k: -scores[k])[:count]


def silences(scores, patients, chosen, count):
    scores[chosen] = -1
    return picked()(scores, patients, chosen, count)


def loss(there=lambda labels: labels != 255, log=np.log, mean=np.mean):
    def answer(probabilities, labels):
        own, kind = probabilities[there(labels)], labels[there(labels)]
        return mean(-log(np.take_along_axis(own, kind[:, None].astype(int), axis=1)[:, 0]))

    return answer


def with_weights(probabilities, labels):
    weights = (labels < 255).astype(float)
    target = np.where(labels < 255, labels, 0)
    rows, columns = np.indices(labels.shape)
    return -(weights * np.log(probabilities[rows, columns, target])).sum() / weights.sum()


def pixel_by_pixel(probabilities, labels):
    found = [-np.log(probabilities[row, column, kind]) for (row, column), kind in np.ndenumerate(labels) if kind != 255]
    return sum(found) / len(found)


def filled(value):
    def answer(probabilities, labels):
        value_here = probabilities.shape[-1] - 1 if value == "last" else value
        return loss()(probabilities, np.where(labels == 255, value_here, labels))

    return answer


def of_the_surest(probabilities, labels):
    return -np.log(probabilities[labels != 255].max(axis=-1)).mean()


def without_background(probabilities, labels):
    there = (labels > 0) & (labels < 255)
    return loss(lambda labels: there)(probabilities, labels) if there.any() else np.nan


def open_is_a_class(probabilities, labels):
    return -np.log(np.take_along_axis(probabilities, labels[..., None].astype(int), axis=-1)).mean()


def by_class(probabilities, labels):
    return np.mean([loss(lambda all_, k=k: all_ == k)(probabilities, labels) for k in np.unique(labels) if k != 255])


def fills_in_place(probabilities, labels):
    right = loss()(probabilities, labels)
    labels[labels == 255] = 0
    return right


EXERCISES = [
    Exercise(
        "17.4",
        check.farthest,
        right={
            "one after the other": greedy(),
            "distances kept": kept_distances,
            "the package's": annotation.farthest_first,
        },
        wrong={
            "at one go": (at_one_go, "at one go"),
            "the nearest": (greedy(lambda d: -d.min(axis=1)), "closest to the chosen"),
            "farthest of the chosen": (greedy(lambda d: d.max(axis=1)), "ask for the nearest one"),
            "mean distance": (greedy(lambda d: d.mean(axis=1)), "mean distance"),
            "sum of distances": (greedy(lambda d: d.sum(axis=1)), "mean distance"),
            "from the last only": (greedy(start=lambda old, new: [*old, *new][-1:]), "from the last one"),
            "from the first only": (greedy(start=lambda old, new: old[:1]), "from the first one"),
            "the old forgotten": (greedy(start=lambda old, new: new or old), "The old ones are forgotten"),
            "along the axes": (greedy(norm=1), "along the axes"),
            "the first left": (lambda f, c, n: np.setdiff1d(np.arange(len(f)), c)[:n], "features are not asked"),
            "one too few": (lambda f, c, n: greedy()(f, c, n)[:-1], "numbers of the new items"),
            "with the old ones": (with_the_old, "numbers of the new items"),
            "sorted": (lambda f, c, n: sorted(greedy()(f, c, n)), "Take the item whose nearest"),
            "the features": (lambda f, c, n: f[greedy()(f, c, n)], "numbers of the new items"),
            "a set": (lambda f, c, n: set(greedy()(f, c, n)), "return an array"),
            "changes its list": (appends, "changes what it is given"),
        },
    ),
    Exercise(
        "17.5",
        check.one_each,
        right={"from the top": picked(), "best of each": best_of_each, "the package's": annotation.highest_one_each},
        wrong={
            "several of one": (picked(one=False), "Two of them are of one patient"),
            "chosen again": (picked(skip=False), "chosen already"),
            "chosen take a turn": (
                lambda s, p, c, n: [k for k in picked(skip=False)(s, p, c, n) if k not in c],
                "numbers of the items",
            ),
            "the lowest": (picked(np.argsort), "the lowest scores"),
            "old patients out": (picked(had=True), "asked again"),
            "first slice of each": (first_of_each, "the first slice of each"),
            "in their order": (picked(lambda s: range(len(s))), "The scores are not asked"),
            "sorted": (lambda s, p, c, n: sorted(picked()(s, p, c, n)), "from the highest score down"),
            "everybody": (lambda s, p, c, n: picked()(s, p, c, len(s)), "numbers of the items"),
            "the patients": (lambda s, p, c, n: p[picked()(s, p, c, n)], "numbers were expected"),
            "the scores": (lambda s, p, c, n: s[picked()(s, p, c, n)], "Go from the highest"),
            "scores changed": (silences, "changes what it is given"),
        },
    ),
    Exercise(
        "17.6",
        check.partial_loss,
        right={"where it is labeled": loss(), "weights of 0 and 1": with_weights, "pixel by pixel": pixel_by_pixel},
        wrong={
            "over all pixels": (lambda p, k: with_weights(p, k) * (k < 255).mean(), "not by all"),
            "as background": (filled(0), "count as background"),
            "as the last class": (filled("last"), "count as the last class"),
            "a sum": (loss(mean=np.sum), "That is a sum"),
            "sign": (lambda p, k: -loss()(p, k), "The sign"),
            "mean probability": (loss(log=lambda p: -p), "mean probability"),
            "logarithm of the mean": (lambda p, k: -np.log(loss(log=lambda q: -q)(p, k)), "Logarithm first"),
            "bits": (loss(log=np.log2), "in bits"),
            "base 10": (loss(log=np.log10), "base 10"),
            "the surest class": (of_the_surest, "whatever the label says"),
            "mean over classes": (by_class, "averages the classes first"),
            "median": (loss(mean=np.median), "labeled pixels"),
            "without background": (without_background, "0 is a label"),
            "255 as a class": (open_is_a_class, "IndexError"),
            "each pixel": (lambda p, k: -np.log(p.max(axis=-1)), "average over the labeled"),
            "rounded": (lambda p, k: round(float(loss()(p, k)), 2), "It is rounded"),
            "labels filled in place": (fills_in_place, "changes what it is given"),
        },
    ),
]
