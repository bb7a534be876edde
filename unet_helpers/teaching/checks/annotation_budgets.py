"""Self-checks of notebook 17b, annotation budgets."""

import numpy as np

from ..annotation import UNLABELED, farthest_first, highest_one_each
from ._numbers import compare
from ._verdict import exercise


@exercise
def farthest(function):
    """A function of (features, chosen, count) that gives the numbers of the items chosen next by greedy k-center."""
    line = np.array([[0.0], [1.0], [2.2], [7.0], [8.5], [20.0]])
    plane = np.array([[0, 0], [9, 1], [9, 2], [1, 8], [5, 4], [-6, 3], [2, 0]], float)
    cloud = np.random.default_rng(5).normal(size=(12, 3)) * [1, 4, 0.5]
    cases = ((line, [1], 3), (line, [5, 0], 2), (plane, [6], 4), (plane, [1, 2], 3), (cloud, [4, 9, 0], 5))
    compare(
        function,
        lambda features, chosen, count: np.array(farthest_first(features, chosen, count)),
        {
            f"for {len(features)} items, of which {chosen} are chosen and {count} come new,": (features, chosen, count)
            for features, chosen, count in cases
        },
        _wrong_centers,
        "Take the item whose nearest chosen one is farthest away; then it belongs to the chosen ones.",
        several="return the numbers of the new items, in the order of the choice",
    )
    return "Each new item becomes one of those that the next must be far from."


def _wrong_centers(features, chosen, count):
    def distances(ones, norm=None):
        return np.linalg.norm(features[:, None] - features[list(ones)], ord=norm, axis=2)

    def greedy(score, start=chosen):
        taken, new = list(start), []
        for _ in range(count):
            value = score(taken)
            value[list(chosen) + new] = -np.inf
            new.append(int(value.argmax()))
            taken.append(new[-1])
        return np.array(new)

    once = distances(chosen).min(axis=1)
    once[list(chosen)] = -np.inf
    return {
        "All of them are chosen at one go, so that they may be neighbors; after each choice the distances change.": (
            np.argsort(-once, kind="stable")[:count]
        ),
        "That is the item closest to the chosen ones; the farthest one is asked for.": (
            greedy(lambda taken: -distances(taken).min(axis=1))
        ),
        "That takes the distance to the farthest chosen item; ask for the nearest one.": (
            greedy(lambda taken: distances(taken).max(axis=1))
        ),
        "That takes the mean distance to the chosen items; one that lies beside a chosen one may have a large mean.": [
            greedy(lambda taken: distances(taken).mean(axis=1)),
            greedy(lambda taken: distances(taken).sum(axis=1)),
        ],
        "That asks only how far it is from the last one; it must be far from all.": (
            greedy(lambda taken: distances(taken[-1:])[:, 0])
        ),
        "That asks only how far it is from the first one; it must be far from all.": (
            greedy(lambda taken: distances(taken[:1])[:, 0])
        ),
        "The old ones are forgotten: it must also be far from those that were chosen before.": (
            greedy(lambda taken: distances(taken[len(chosen) :] or taken).min(axis=1))
        ),
        "These are the first that are left; their features are not asked.": (
            np.setdiff1d(np.arange(len(features)), chosen)[:count]
        ),
        "That is the sum of the differences along the axes; take the length of the difference.": (
            greedy(lambda taken: distances(taken, 1).min(axis=1))
        ),
    }


@exercise
def one_each(function):
    """A function of (scores, patients, chosen, count) that gives the items with the highest scores, one per patient."""
    cases = (
        ([0.2, 0.9, 0.8, 0.5, 0.7, 0.1], list("AABBCC"), [], 2),
        ([0.2, 0.9, 0.8, 0.5, 0.7, 0.1, 0.3, 0.4, 0.25], list("AABBCCDDE"), [1, 4], 3),
        ([0.31, 0.64, 0.6, 0.05, 0.58, 0.9, 0.88, 0.3], ["P9", "P2", "P2", "P9", "P2", "P1", "P1", "P5"], [5], 3),
        ([3.0, 8.0, 7.0, 6.5, 2.0], ["q", "p", "p", "p", "r"], [4], 4),
    )
    compare(
        function,
        lambda scores, patients, chosen, count: np.array(highest_one_each(scores, patients, chosen, count)),
        {
            f"for scores {scores} of patients {' '.join(patients)}, {chosen} chosen before, {count} asked for,": (
                np.array(scores),
                np.array(patients),
                chosen,
                count,
            )
            for scores, patients, chosen, count in cases
        },
        _wrong_ones,
        "Go from the highest score down, and skip what is chosen already and whoever has had a turn.",
        several="return the numbers of the items, from the highest score down, fewer if there are too few patients",
    )
    return "A patient gets one slice, however unsure the network is of the other seven."


def _wrong_ones(scores, patients, chosen, count):
    order = np.argsort(-scores, kind="stable").tolist()

    def pick(order, skip=chosen, had=()):
        taken, new = set(had), []
        for k in order:
            if k not in skip and patients[k] not in taken:
                new.append(k)
                taken.add(patients[k])
        return np.array(new[:count], dtype=int)

    left = [k for k in order if k not in chosen]
    firsts = [k for k in left if k in np.unique(patients, return_index=True)[1]]
    return {
        "Two of them are of one patient.": np.array(left[:count], dtype=int),
        "Some of these are chosen already; nobody pays twice for a slice.": [
            pick(order, skip=()),
            np.array([k for k in pick(order, skip=()) if k not in chosen], dtype=int),
        ],
        "These are the lowest scores; the network is least sure of the highest.": [
            pick(order[::-1]),
            pick(np.argsort(scores, kind="stable").tolist()),
        ],
        "A patient who was asked before may be asked again; at most one for each in *this* round.": (
            pick(order, had=[patients[k] for k in chosen])
        ),
        "That is the first slice of each patient; take the one with the highest score.": (
            np.array(firsts[:count], dtype=int)
        ),
        "The order is that of the numbers; give them from the highest score down.": np.sort(pick(order)),
        "The scores are not asked; go from the highest one down.": pick(range(len(scores))),
    }


@exercise
def partial_loss(function):
    """A function of (probabilities, labels), 255 where nobody has labeled, that gives the mean cross-entropy."""
    rng = np.random.default_rng(3)
    soft = rng.dirichlet([2, 1, 1], size=(4, 5)).astype(np.float32)
    some = np.where(rng.random((4, 5)) < 0.6, UNLABELED, soft.argmax(axis=-1)).astype(np.uint8)
    some[0, 0], some[3, 1] = (soft[0, 0].argmax() + 1) % 3, 2
    two = np.array([[[0.9, 0.1], [0.4, 0.6]], [[0.2, 0.8], [0.7, 0.3]]])
    cases = (
        (two, np.array([[0, UNLABELED], [1, 1]], np.uint8)),
        (two, np.array([[UNLABELED, UNLABELED], [UNLABELED, 0]], np.uint8)),
        (two, np.array([[0, 1], [0, 1]], np.uint8)),
        (soft, some),
    )
    compare(
        function,
        _partial,
        {
            f"for {int((labels != UNLABELED).sum())} labeled pixels of {labels.size}": (probabilities, labels)
            for probabilities, labels in cases
        },
        _wrong_losses,
        "Of each labeled pixel the probability of its class; minus the logarithm; and the mean of these.",
        several="average over the labeled pixels",
    )
    return "What nobody has labeled has no say."


def _partial(probabilities, labels):
    there = labels != UNLABELED
    own = probabilities[there].astype(float)
    return float(-np.log(own[np.arange(len(own)), labels[there]]).mean())


def _wrong_losses(probabilities, labels):
    there = labels != UNLABELED
    own = probabilities[there].astype(float)
    right = own[np.arange(len(own)), labels[there]]
    as_background = np.where(there, labels, 0)
    as_last = np.where(there, labels, probabilities.shape[-1] - 1)
    loss = -np.log(right)
    classes = np.unique(labels[there])
    return {
        "Divide by the labeled pixels, not by all: else few labels mean a small loss.": loss.sum() / labels.size,
        "The open pixels count as background there; leave them out.": _partial(probabilities, as_background),
        "The open pixels count as the last class there; leave them out.": _partial(probabilities, as_last),
        "That is a sum; divide by how many labeled pixels there are.": loss.sum(),
        "The sign: a logarithm of a probability is negative, and a loss is not.": -loss.mean(),
        "That is the mean probability of the right class; take its logarithm, negative.": [
            right.mean(),
            1 - right.mean(),
        ],
        "Logarithm first, then the mean: the logarithm of the mean is another number.": -np.log(right.mean()),
        "That is in bits; take the natural logarithm.": (loss / np.log(2)).mean(),
        "That is the logarithm to base 10; take the natural one.": (loss / np.log(10)).mean(),
        "That takes the highest probability, whatever the label says.": -np.log(own.max(axis=-1)).mean(),
        "That averages the classes first; each labeled pixel counts alike.": (
            np.mean([loss[labels[there] == one].mean() for one in classes])
        ),
        "It misses the labeled background: 0 is a label, and 255 is none.": (
            loss[labels[there] > 0].mean() if (labels[there] > 0).any() else np.nan
        ),
    }
