"""Self-checks of notebook 12, uncertainty and calibration."""

import math
from itertools import pairwise

import numpy as np

from ._numbers import compare
from ._verdict import exercise


@exercise
def accuracy_per_bin(function):
    """A function of (confidence, right, bins) that gives the share that is right in each bin of equal width."""
    cases = (
        ([0.45, 0.05, 0.59, 0.41, 1.0, 0.55, 0.95, 0.81], [0, 0, 1, 1, 1, 1, 0, 1], 5),
        ([0.5, 0.6, 0.0, 0.3, 0.7, 0.25, 0.9, 0.5, 0.1], [1, 0, 0, 1, 0, 0, 1, 1, 1], 4),
        ([0.97, 0.93, 0.98, 0.62, 0.71], [1, 0, 1, 0, 1], 10),
        ([0.8, 0.3], [1, 0], 1),
    )
    compare(
        function,
        _per_bin,
        {
            f"for {len(right)} pixels in bins, {bins} in all,": (np.array(confidence), np.array(right, bool), bins)
            for confidence, right, bins in cases
        },
        _wrong_shares,
        "Sort the pixels into bins by confidence, and take the mean of `right` in each.",
        several="return one number for each bin",
    )
    return "A reliability diagram is these numbers over the mean confidence of each bin."


def _wrong_shares(confidence, right, bins):
    expected, count = _per_bin(confidence, right, bins), np.histogram(confidence, bins, (0, 1))[0]
    hits = np.nan_to_num(expected * count)
    at_edge = "A confidence on the edge of two bins belongs to the upper one, and to that alone; the last bin holds 1."
    closed = [(confidence >= low) & (confidence <= high) for low, high in pairwise(np.linspace(0, 1, bins + 1))]
    return {
        "An empty bin has no share that is right: 0/0 is nan. As 0 it looks like always wrong.": (
            np.nan_to_num(expected)
        ),
        "Those are counts of right pixels; divide by all pixels of the bin.": hits,
        "That is the histogram; ask which share of each bin is right.": [count, count / len(right)],
        "Divide by the pixels of the bin, not by all of them.": hits / len(right),
        "Divide by the pixels of the bin, not by all right ones.": hits / right.sum(),
        "That is the share that is wrong.": 1 - expected,
        "A confidence of exactly 1 falls out of the last bin; let the last bin hold its upper end.": [
            _per_bin(confidence, right, bins, confidence < 1),
            _per_bin(confidence, right & (confidence < 1), bins),
        ],
        "That is the mean confidence, what was promised; ask for what was kept: `right`.": (
            _per_bin(confidence, confidence, bins)
        ),
        at_edge: [
            _per_bin(-confidence, right, bins, flip=True),
            _per_bin(-confidence, right, bins, confidence > 0, flip=True),
            np.array([right[one].mean() if one.any() else np.nan for one in closed]),
        ],
        "That is the share over all bins; each bin has its own.": np.full(bins, right.mean()),
    }


def _per_bin(confidence, values, bins, counts=True, flip=False):
    """The mean of values in each bin, where ``counts`` holds; flipped: bins hold their upper end (for −confidence)."""
    index = np.floor(confidence * bins).astype(int)
    index = np.clip(-index - 1 if flip else index, 0, bins - 1)
    inside = [(index == one) & counts for one in range(bins)]
    return np.array([values[one].mean() if one.any() else np.nan for one in inside])


@exercise
def calibration_error(function):
    """A function of (counts, confidence, accuracy), nan in empty bins, that gives the calibration error."""
    nan = np.nan
    cases = (
        ([10, 0, 30, 960], [0.1, nan, 0.5, 0.99], [0.3, nan, 0.6, 0.98]),
        ([7, 40, 3], [0.2, 0.55, 0.9], [0.6, 0.5, 0.3]),
        ([0, 5, 0, 20, 100], [nan, 0.3, nan, 0.7, 0.95], [nan, 0.1, nan, 0.75, 0.9]),
    )
    compare(
        function,
        lambda counts, confidence, accuracy: np.nansum(counts * np.abs(confidence - accuracy)) / counts.sum(),
        {f"for bins of {case[0]} pixels": tuple(map(np.array, case)) for case in cases},
        _wrong_errors,
        "The gap of each bin, as an absolute value, times its share of the pixels; and the sum of these.",
        several="average the gaps",
    )
    return "960 of 1,000 pixels are in one bin, and decide the number."


def _wrong_errors(counts, confidence, accuracy):
    signed, total = confidence - accuracy, counts.sum()
    gaps = np.abs(signed)
    weighted = counts * gaps
    return {
        "A bin without pixels has no gap and weight 0; leave it out (np.nansum).": np.nan,
        "That gives each bin the same weight; weigh a bin by its share of the pixels.": [
            np.nanmean(gaps), np.nansum(gaps), np.nanmedian(gaps), np.nansum(gaps) / len(counts),
        ],
        "Gaps of different sign cancel: take their absolute values.": [
            sign(np.nansum(counts * signed)) / total for sign in (np.positive, np.negative, abs)
        ],
        "That is a sum over pixels; divide by how many there are.": np.nansum(weighted),
        "That is the largest gap, the maximum calibration error; average instead.": np.nanmax(gaps),
        "The gaps are squared; take their absolute values.": [
            np.nansum(counts * gaps**2) / total, np.sqrt(np.nansum(counts * gaps**2) / total),
        ],
        "Divide by how many pixels there are, not by 1000.": np.nansum(weighted) / 1000,
        "Divide by how many pixels there are, not by the number of bins.": [
            np.nansum(weighted) / bins for bins in (len(counts), (counts > 0).sum())
        ],
        "Divide by how many pixels there are, not by those of the fullest bin.": np.nansum(weighted) / counts.max(),
        "That is the mean confidence; the gap is to the accuracy.": np.nansum(counts * confidence) / total,
        "That is the accuracy; the gap is to the confidence.": np.nansum(counts * accuracy) / total,
        "The last bin is missing.": np.nansum(weighted[:-1]) / total,
        "The first bin is missing.": np.nansum(weighted[1:]) / total,
        "A gap counts on either side, whether too much or too little was promised.": [
            np.nansum(counts * np.maximum(side * signed, 0)) / total for side in (1, -1)
        ],
    }  # fmt: skip


@exercise
def temperature(function):
    """A function of (probabilities, temperature), classes last, that gives the probabilities at that temperature."""
    flat = np.array([[0.9, 0.09, 0.01], [0.2, 0.5, 0.3]])
    small = np.array([[[0.5, 0.4999, 1e-4], [0.1, 0.2, 0.7]], [[0.97, 0.02, 0.01], [0.3, 0.3, 0.4]]])  # (2, 2, 3)
    square = np.array([[0.6, 0.3, 0.1], [0.05, 0.05, 0.9], [0.25, 0.5, 0.25]])
    cases = ((flat, 1.0), (flat, 2), (flat, 0.5), (square, 1.5), (small, 2.5), (small, 0.7), (np.array([0.8, 0.2]), 4))
    compare(
        function,
        _at_temperature,
        {f"at temperature {t:g} and in shape {probabilities.shape}": (probabilities, t) for probabilities, t in cases},
        _wrong_temperatures,
        "Each probability to the power 1/T, divided by the sum of these over the classes.",
        several="probabilities keep their shape",
    )
    return "The order of the classes stays, and so does every mask."


def _wrong_temperatures(probabilities, t):
    softmax = np.exp(probabilities / t)
    powers = probabilities ** (1 / t)
    return {
        "That is what 1/T should do: divide the logarithms by the temperature.": [
            _at_temperature(probabilities, 1 / t), probabilities**t,
        ],
        "That divides the probabilities; the logits are, up to a constant, their logarithms.": [
            softmax / softmax.sum(axis=-1, keepdims=True), probabilities / t,
        ],
        "The temperature is rounded, or its inverse.": [
            _at_temperature(probabilities, int(1 / t) or np.inf), _at_temperature(probabilities, int(t) or 1),
        ],
        "That is what it was before; at this temperature it should change.": probabilities,
        "Small probabilities are cut off from below; they have to stay small.": [
            _at_temperature(np.maximum(probabilities, least), t) for least in (1e-2, 1e-3)
        ],
        "Each pixel's probabilities must sum to 1 again: divide by their sum over the last axis, the classes.": [
            powers / powers.max(axis=-1, keepdims=True),
            lambda given: not np.allclose(given.sum(axis=-1), 1, atol=1e-4),
        ],
    }  # fmt: skip


def _at_temperature(probabilities, t):
    powers = probabilities ** (1 / t)
    return powers / powers.sum(axis=-1, keepdims=True)


@exercise
def mutual_information(function):
    """A function of samples ``(S, N, K)`` that gives the mutual information ``(N,)``."""
    agree = [0.5, 0.5], [0.5, 0.5]
    differ = [0.99, 0.01], [0.01, 0.99]
    random = np.random.default_rng(0)
    cases = (
        np.array([agree, differ]).transpose(1, 0, 2),  # two members, two pixels
        random.dirichlet((0.4, 0.8, 1.5), (4, 5)),
        random.dirichlet((1, 2, 0.5, 1), (3, 2)),
        random.dirichlet((1, 1), (1, 3)),
    )
    more = " on a shared doubt and a contradiction"
    compare(
        function,
        lambda samples: _entropy(samples.mean(axis=0)) - _entropy(samples).mean(axis=0),
        {
            f"{len(samples)} members with {samples.shape[2]} classes{more * (not k)}:": (samples,)
            for k, samples in enumerate(cases)
        },
        _wrong_information,
        "It is the entropy of the mean over the members, minus the mean of the members' entropies.",
        several="average over the members, sum over the classes, keep the pixels",
    )
    return "The first pixel is a toss-up on which both agree: 0. On the second they contradict each other."


def _wrong_information(samples):
    members, _, classes = samples.shape
    of_mean, alone = _entropy(samples.mean(axis=0)), _entropy(samples).mean(axis=0)
    right, two, average = of_mean - alone, samples[:2], samples.mean(axis=0)
    each = -(average * np.log(average)) + (samples * np.log(samples)).mean(axis=0)
    return {
        "That is the entropy of the mean: it cannot tell a shared doubt from a contradiction. Subtract.": of_mean,
        "That is the mean entropy of the members, the doubt that they share; subtract it.": alone,
        "The sign is turned round: entropy of the mean minus mean entropy, never negative.": -right,
        "Subtract the mean entropy of the members; do not add it.": of_mean + alone,
        "That is in bits, or in units of its largest value; take natural logarithms.": right / np.log(2),
        "That is the logarithm of base 10; take the natural one.": right / np.log(10),
        "That is in units of its largest value; take natural logarithms.": right / np.log(classes),
        "Sum over the classes; one of them, or their mean, is less than all.": [
            right / classes, of_mean - alone / classes, of_mean / classes - alone,
        ],
        "That is one class; sum over all of them.": list(each.T),
        "All members count, not the first two only.": _entropy(two.mean(axis=0)) - _entropy(two).mean(axis=0),
        "That is the entropy of one member; take the mean over all of them.": [
            of_mean - _entropy(samples[one]) for one in (0, -1)
        ],
        "The entropies of the members are summed; take their mean.": of_mean - alone * members,
        "That is a variance over the members; the exercise asks for entropies.": samples.var(axis=0).sum(axis=-1),
        "That is a deviation over the members; the exercise asks for entropies.": samples.std(axis=0).sum(axis=-1),
    }  # fmt: skip


def _entropy(probabilities):
    return -(probabilities * np.log(probabilities)).sum(axis=-1)


@exercise
def kept_risk(function):
    """A function of (risk, uncertainty, share) that gives the mean risk of the most certain share of the cases."""
    few = np.array([0.9, 0.12, 0.58, 0.2, 0.31, 0.77]), np.array([1.4, 0.33, 0.12, 1.9, 0.21, 0.6])
    risk = np.array([0.31, 0.7, 0.05, 0.42, 0.93, 0.16, 0.31])
    ties = risk, np.array([0.2, 0.6, 0.4, 0.2, 0.9, 0.2, 0.7])
    other = risk, np.array([2.5, 0.1, 3.0, -1.0, 0.4, 7.0, 0.6])
    cases = [(*few, share) for share in (0.35, 0.5, 1.0)]
    cases += [(*ties, share) for share in (0.4, 0.6, 0.8, 1.0)] + [(*other, share) for share in (0.2, 0.35, 0.4, 0.8)]
    compare(
        function,
        lambda risk, uncertainty, share: risk[np.argsort(uncertainty)[: round(share * len(risk))]].mean(),
        {
            f"case {k}, {len(risk)} patients and a share of {share:g}, which keeps {round(share * len(risk))}:": (
                (risk, uncertainty, share)
            )
            for k, (risk, uncertainty, share) in enumerate(cases, 1)
        },
        _wrong_risks,
        "Sort the cases by uncertainty, keep the first of them, and take the mean of their risks.",
    )
    return "Keeping everybody gives the mean risk, whatever the order."


def _wrong_risks(risk, uncertainty, share):
    count, order = len(risk), np.argsort(uncertainty, kind="stable")
    kept, ordered = round(share * len(risk)), risk[order]
    beside = {math.floor(share * count), math.ceil(share * count), kept + 1, kept - 1} - {0, kept}
    last_of_each = np.array(list(dict(zip(uncertainty[order], ordered, strict=True)).values()))
    first_of_each = risk[np.unique(uncertainty, return_index=True)[1]]
    below = uncertainty <= np.quantile(uncertainty, share)
    return {
        "Those are the least certain cases; they are the ones that are referred.": [
            risk[np.argsort(-uncertainty)[:kept]].mean(), ordered[-kept:].mean(),
        ],
        "That sorts by the risk, which nobody knows before a person has looked. Sort by uncertainty.": (
            np.sort(risk)[:kept].mean()
        ),
        "That takes the cases in the order they came; sort by uncertainty first.": [
            risk[:kept].mean(), risk[-kept:].mean(),
        ],
        "That is the median; the exercise asks for the mean.": np.median(ordered[:kept]),
        "That is the sum of the risks; divide by how many are kept.": ordered[:kept].sum(),
        "Divide by how many are kept, not by all cases.": ordered[:kept].sum() / count,
        "That is the mean uncertainty; return the mean risk.": uncertainty[order][:kept].mean(),
        "That is the mean over everybody; keep the most certain ones only.": risk.mean(),
        "A quantile cuts between the cases and keeps another number of them; sort, and count.": risk[below].mean(),
        "Round how many are kept to the nearest whole number, not always up or always down.": [
            ordered[:other].mean() for other in beside
        ],
        "That is the risk of one case; take the mean of all that are kept.": [ordered[kept - 1], ordered[0]],
        "The share says how many are kept, not how uncertain they may be.": risk[uncertainty <= share].mean(),
        "Cases of equal uncertainty are several cases, and each counts.": [
            one_of_each[:most].mean()
            for one_of_each in (first_of_each, last_of_each)
            for most in (kept, round(share * len(last_of_each)))
        ],
    }  # fmt: skip
