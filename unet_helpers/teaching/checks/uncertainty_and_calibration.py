"""Self-checks of notebook 12, uncertainty and calibration."""

from itertools import pairwise

import numpy as np

from ._verdict import Wrong, call, exercise, number


def _numbers(given, shape, instead):
    """The reader's array of numbers, of this shape; ``instead`` says what it should have been."""
    given = np.asarray(given)
    if given.shape != shape:
        raise Wrong(f"it returns shape {given.shape}, not {shape}; {instead}.")
    if given.dtype.kind not in "fiu":
        raise Wrong(f"numbers were expected, not {given.ravel()[:1].tolist()}.")
    return given.astype(float)


def _first_hint(given, hints, atol=1e-6):
    """The hint beside the first wrong answer that is close to this one; beside None: any."""
    return next(
        hint for wrong, hint in hints if wrong is None or np.allclose(given, wrong, rtol=0, atol=atol, equal_nan=True)
    )


@exercise
def accuracy_per_bin(function):
    """A function of (confidence, right, bins) that gives the share that is right in each bin of equal width."""
    cases = (
        ([0.45, 0.05, 0.59, 0.41, 1.0, 0.55, 0.95, 0.81], [0, 0, 1, 1, 1, 1, 0, 1], 5),
        ([0.5, 0.6, 0.0, 0.3, 0.7, 0.25, 0.9, 0.5, 0.1], [1, 0, 0, 1, 0, 0, 1, 1, 1], 4),
        ([0.97, 0.93, 0.98, 0.62, 0.71], [1, 0, 1, 0, 1], 10),
        ([0.8, 0.3], [1, 0], 1),
    )
    for confidence, right, bins in cases:
        confidence, right = np.array(confidence), np.array(right, bool)
        expected = _per_bin(confidence, right, bins)
        given = _numbers(call(function, confidence, right, bins), (bins,), f"return one number for each of {bins} bins")
        if not np.allclose(given, expected, equal_nan=True):
            shown = f"for {bins} bins it gives {np.round(given, 2).tolist()}, not {np.round(expected, 2).tolist()}. "
            raise Wrong(shown + _first_hint(given, _wrong_shares(confidence, right, bins), 1e-3))
    return "A reliability diagram is these numbers over the mean confidence of each bin."


def _wrong_shares(confidence, right, bins):
    expected, count = _per_bin(confidence, right, bins), np.histogram(confidence, bins, (0, 1))[0]
    histogram = "That is the histogram; ask which share of each bin is right."
    upper = "A confidence of exactly 1 falls out of the last bin; let the last bin hold its upper end."
    empty = "An empty bin has no share that is right: 0/0 is nan. As 0 it looks like always wrong."
    promised = "That is the mean confidence, what was promised; ask for what was kept: `right`."
    edges = np.linspace(0, 1, bins + 1)
    closed = [(confidence >= low) & (confidence <= high) for low, high in pairwise(edges)]
    at_edge = "A confidence on the edge of two bins belongs to the upper one, and to that alone; the last bin holds 1."
    with np.errstate(invalid="ignore", divide="ignore"):
        return [
            (np.nan_to_num(expected), empty),
            (np.nan_to_num(expected * count), "Those are counts of right pixels; divide by all pixels of the bin."),
            (count, histogram),
            (count / len(right), histogram),
            (np.nan_to_num(expected * count) / len(right), "Divide by the pixels of the bin, not by all of them."),
            (np.nan_to_num(expected * count) / right.sum(), "Divide by the pixels of the bin, not by all right ones."),
            (1 - expected, "That is the share that is wrong."),
            (_per_bin(confidence, right, bins, confidence < 1), upper),
            (_per_bin(confidence, right & (confidence < 1), bins), upper),
            (_per_bin(confidence, confidence, bins), promised),
            (_per_bin(-confidence, right, bins, flip=True), at_edge),
            (_per_bin(-confidence, right, bins, confidence > 0, flip=True), at_edge),
            ([right[one].mean() if one.any() else np.nan for one in closed], at_edge),
            (np.round(expected), "It is rounded; give the share itself."),
            (np.full(bins, right.mean()), "That is the share over all bins; each bin has its own."),
            (None, "Sort the pixels into bins by confidence, and take the mean of `right` in each."),
        ]  # fmt: skip


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
    for counts, confidence, accuracy in cases:
        counts, confidence, accuracy = map(np.array, (counts, confidence, accuracy))
        given = number(call(function, counts, confidence, accuracy), "average the gaps")
        right = np.nansum(counts * np.abs(confidence - accuracy)) / counts.sum()
        if np.isnan(given):
            raise Wrong("it gives nan: a bin without pixels has no gap and weight 0; leave it out (np.nansum).")
        if not abs(given - right) < 1e-6:
            shown = f"for bins of {counts.tolist()} pixels it gives {given:.4f}, not {right:.4f}. "
            raise Wrong(shown + _first_hint(given, _wrong_errors(counts, confidence, accuracy)))
    return "960 of 1,000 pixels are in one bin, and decide the number."


def _wrong_errors(counts, confidence, accuracy):
    gaps, total = confidence - accuracy, counts.sum()
    same = "That gives each bin the same weight; weigh a bin by its share of the pixels."
    sign = "Gaps of different sign cancel: take their absolute values."
    squared = "The gaps are squared; take their absolute values."
    either = "A gap counts on either side, whether too much or too little was promised."
    size = "Divide by how many pixels there are, not"
    return [
        (np.nanmean(np.abs(gaps)), same),
        (np.nansum(np.abs(gaps)), same),
        (np.nanmedian(np.abs(gaps)), same),
        (np.nansum(np.abs(gaps)) / len(counts), same),
        (np.nansum(counts * gaps) / total, sign),
        (-np.nansum(counts * gaps) / total, sign),
        (abs(np.nansum(counts * gaps)) / total, sign),
        (np.nansum(counts * np.abs(gaps)), "That is a sum over pixels; divide by how many there are."),
        (np.nanmax(np.abs(gaps)), "That is the largest gap, the maximum calibration error; average instead."),
        (np.nansum(counts * gaps**2) / total, squared),
        (np.sqrt(np.nansum(counts * gaps**2) / total), squared),
        (np.nansum(counts * np.abs(gaps)) / 1000, size + " by 1000."),
        (np.nansum(counts * np.abs(gaps)) / len(counts), size + " by the number of bins."),
        (np.nansum(counts * np.abs(gaps)) / (counts > 0).sum(), size + " by the number of bins."),
        (np.nansum(counts * np.abs(gaps)) / counts.max(), size + " by those of the fullest bin."),
        (np.nansum(counts * confidence) / total, "That is the mean confidence; the gap is to the accuracy."),
        (np.nansum(counts * accuracy) / total, "That is the accuracy; the gap is to the confidence."),
        (np.nansum((counts * np.abs(gaps))[:-1]) / total, "The last bin is missing."),
        (np.nansum((counts * np.abs(gaps))[1:]) / total, "The first bin is missing."),
        *((np.nansum(counts * np.maximum(side * gaps, 0)) / total, either) for side in (1, -1)),
        (None, "The gap of each bin, as an absolute value, times its share of the pixels; and the sum of these."),
    ]


@exercise
def temperature(function):
    """A function of (probabilities, temperature), classes last, that gives the probabilities at that temperature."""
    flat = np.array([[0.9, 0.09, 0.01], [0.2, 0.5, 0.3]])
    small = np.array([[[0.5, 0.4999, 1e-4], [0.1, 0.2, 0.7]], [[0.97, 0.02, 0.01], [0.3, 0.3, 0.4]]])  # (2, 2, 3)
    square = np.array([[0.6, 0.3, 0.1], [0.05, 0.05, 0.9], [0.25, 0.5, 0.25]])
    cases = ((flat, 1.0), (flat, 2), (flat, 0.5), (square, 1.5), (small, 2.5), (small, 0.7), (np.array([0.8, 0.2]), 4))
    for probabilities, t in cases:
        shape = probabilities.shape
        given = _numbers(call(function, probabilities, t), shape, f"probabilities of shape {shape} keep it")
        right = _at_temperature(probabilities, t)
        if not np.allclose(given, right, rtol=1e-3, atol=1e-6):
            first = (0,) * (len(shape) - 1)
            before, after = (np.round(one[first], 3).tolist() for one in (probabilities, given))
            shown = f"at temperature {t:g} the pixel {before} of shape {shape} becomes {after}. "
            raise Wrong(shown + _first_hint(given, _wrong_temperatures(probabilities, t, given), 1e-4))
    return "The order of the classes stays, and so does every mask."


def _wrong_temperatures(probabilities, t, given):
    softmax = np.exp(probabilities / t)
    powers, right = probabilities ** (1 / t), _at_temperature(probabilities, t)
    sums = "Each pixel's probabilities must sum to 1 again: divide by their sum over the last axis, the classes."
    turned = f"That is what 1/{t:g} should do: divide the logarithms by the temperature."
    divided = "That divides the probabilities; the logits are, up to a constant, their logarithms."
    floored = [_at_temperature(np.maximum(probabilities, least), t) for least in (1e-2, 1e-3)]
    return [
        (_at_temperature(probabilities, 1 / t), turned),
        (probabilities**t, turned),
        (softmax / softmax.sum(axis=-1, keepdims=True), divided),
        (probabilities / t, divided),
        (_at_temperature(probabilities, int(1 / t) or np.inf), "1 / temperature is rounded."),
        (probabilities, "That is what it was before; at this temperature it should change."),
        *((right.round(digits), "It is rounded; give all digits.") for digits in (1, 2, 3)),
        *((one, "Small probabilities are cut off from below; they have to stay small.") for one in floored),
        (powers / powers.max(axis=-1, keepdims=True), sums),
        (given if not np.allclose(given.sum(axis=-1), 1, atol=1e-4) else np.inf, sums),
        (None, "Each probability to the power 1/T, divided by the sum of these over the classes."),
    ]


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
    for samples in cases:
        members, pixels, classes = samples.shape
        instead = f"average over the {members} members, sum over the {classes} classes, keep the {pixels} pixels"
        given = _numbers(call(function, samples), (pixels,), instead)
        if not np.allclose(given, _entropy(samples.mean(axis=0)) - _entropy(samples).mean(axis=0), atol=1e-5):
            shown = f"{members} members with {classes} classes: it gives {np.round(given, 3).tolist()}"
            shown += " for a shared doubt and a contradiction. " if samples is cases[0] else ". "
            raise Wrong(shown + _first_hint(given, _wrong_information(samples), 1e-4))
    return "The first pixel is a toss-up on which both agree: 0. On the second they contradict each other."


def _wrong_information(samples):
    members, _, classes = samples.shape
    of_mean, alone = _entropy(samples.mean(axis=0)), _entropy(samples).mean(axis=0)
    right, of_classes = of_mean - alone, "Sum over the classes; one of them, or their mean, is less than all."
    several = "All members count, not the first two only."
    two, average = samples[:2], samples.mean(axis=0)
    each = -(average * np.log(average)) + (samples * np.log(samples)).mean(axis=0)
    return [
        (of_mean, "That is the entropy of the mean: it cannot tell a shared doubt from a contradiction. Subtract."),
        (alone, "That is the mean entropy of the members, the doubt that they share; subtract it."),
        (-right, "The sign is turned round: entropy of the mean minus mean entropy, never negative."),
        (of_mean + alone, "Subtract the mean entropy of the members; do not add it."),
        (right / np.log(2), "That is in bits, or in units of its largest value; take natural logarithms."),
        (right / np.log(10), "That is the logarithm of base 10; take the natural one."),
        (right / np.log(classes), "That is in units of its largest value; take natural logarithms."),
        (right / classes, of_classes),
        (of_mean - alone / classes, of_classes),
        (of_mean / classes - alone, of_classes),
        *((each[:, one], "That is one class; sum over all of them.") for one in range(classes)),
        (_entropy(two.mean(axis=0)) - _entropy(two).mean(axis=0), several),
        (of_mean - _entropy(samples[0]), "That is the entropy of one member; take the mean over all of them."),
        (of_mean - _entropy(samples[-1]), "That is the entropy of one member; take the mean over all of them."),
        (of_mean - alone * members, "The entropies of the members are summed; take their mean."),
        (samples.var(axis=0).sum(axis=-1), "That is a variance over the members; the exercise asks for entropies."),
        (samples.std(axis=0).sum(axis=-1), "That is a deviation over the members; the exercise asks for entropies."),
        (None, "It is the entropy of the mean over the members, minus the mean of the members' entropies."),
    ]


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
    for risk, uncertainty, share in cases:
        given = number(call(function, risk, uncertainty, share))
        kept = round(share * len(risk))
        right = risk[np.argsort(uncertainty)[:kept]].mean()
        if not abs(given - right) < 1e-6:
            shown = f"a share of {share:g} of {len(risk)} cases is {kept}, and it gives {given:.3f}, not {right:.3f}. "
            raise Wrong(shown + _first_hint(given, _wrong_risks(risk, uncertainty, share)))
    return "Keeping everybody gives the mean risk, whatever the order."


def _wrong_risks(risk, uncertainty, share):
    count, order = len(risk), np.argsort(uncertainty, kind="stable")
    kept = round(share * count)
    ordered = risk[order]
    last_of_each = np.array(list(dict(zip(uncertainty[order], ordered, strict=True)).values()))
    least = "Those are the least certain cases; they are the ones that are referred."
    by_risk = "That sorts by the risk, which nobody knows before a person has looked. Sort by uncertainty."
    came = "That takes the cases in the order they came; sort by uncertainty first."
    nearest = "Round how many are kept to the nearest whole number, not always up or always down."
    once = "Cases of equal uncertainty are several cases, and each counts."
    below = uncertainty <= np.quantile(uncertainty, share)
    return [
        (risk[np.argsort(-uncertainty)[:kept]].mean(), least),
        (np.sort(risk)[:kept].mean(), by_risk),
        (risk[:kept].mean(), came),
        (risk[-kept:].mean(), came),
        (np.median(ordered[:kept]), "That is the median; the exercise asks for the mean."),
        (ordered[:kept].sum(), "That is the sum of the risks; divide by how many are kept."),
        (ordered[:kept].sum() / count, "Divide by how many are kept, not by all cases."),
        (uncertainty[order][:kept].mean(), "That is the mean uncertainty; return the mean risk."),
        (risk.mean(), "That is the mean over everybody; keep the most certain ones only."),
        (risk[below].mean(), "A quantile cuts between the cases and keeps another number of them; sort, and count."),
        *((ordered[:other].mean(), nearest)
          for other in (int(share * count), int(np.ceil(share * count)), kept + 1, kept - 1) if 0 < other != kept),
        (ordered[kept - 1], "That is the risk of one case; take the mean of all that are kept."),
        (last_of_each[:kept].mean(), once),
        (last_of_each[: round(share * len(last_of_each))].mean(), once),
        (None, "Sort the cases by uncertainty, keep the first of them, and take the mean of their risks."),
    ]  # fmt: skip
