"""Notebook 12."""

import math

import numpy as np
from scipy.special import log_softmax, softmax

from mutants import Exercise
from unet_helpers.evaluation import calibration
from unet_helpers.teaching.checks import uncertainty_and_calibration as check


def share(confidence, right):
    return right.mean()


def per_bin(confidence, right, bins, what=share, last=True, empty=np.nan):
    index = (confidence * bins).astype(int)
    index = np.minimum(index, bins - 1) if last else index
    there = [index == b for b in range(bins)]
    return [what(confidence[one], right[one]) if one.any() else empty for one in there]


def by_edges(low_closed=True, high_closed=False, last_closed=True):
    """Bins between edges, which hold their ends or do not."""

    def answer(confidence, right, bins):
        shares, edges = [], np.arange(bins + 1) / bins
        for b in range(bins):
            above = confidence >= edges[b] if low_closed else confidence > edges[b]
            below = (
                confidence <= edges[b + 1]
                if high_closed or (last_closed and b == bins - 1)
                else confidence < edges[b + 1]
            )
            inside = above & below
            shares.append(right[inside].mean() if inside.any() else np.nan)
        return np.array(shares)

    return answer


def by_histogram(confidence, right, bins):
    count = np.histogram(confidence, bins, (0, 1))[0]
    kept = np.histogram(confidence[right], bins, (0, 1))[0]
    with np.errstate(invalid="ignore"):
        return kept / count


def of_bins(what, **options):
    return lambda confidence, right, bins: per_bin(confidence, right, bins, what, **options)


def from_the_least(confidence, right, bins):
    """Bins between the smallest and the largest confidence."""
    low, high = confidence.min(), confidence.max()
    return per_bin((confidence - low) / ((high - low) or 1), right, bins)


def by_rank(confidence, right, bins):
    """Bins of equal numbers of pixels."""
    parts = np.array_split(np.argsort(confidence), bins)
    return [right[part].mean() if len(part) else np.nan for part in parts]


def clips_in_place(confidence, right, bins):
    np.minimum(confidence, 1 - 1e-9, out=confidence)
    return per_bin(confidence, right, bins)


def gaps(n, c, a):
    return np.nansum(n * np.abs(c - a)) / n.sum()


def bin_by_bin(n, c, a):
    error = 0.0
    for count, promised, kept in zip(n, c, a, strict=True):
        if count:
            error += count / sum(n) * abs(promised - kept)
    return error


def weighted(n, c, a):
    return np.average(np.abs(c - a)[n > 0], weights=n[n > 0])


def fills_nan(n, c, a):
    c[np.isnan(c)] = a[np.isnan(a)] = 0
    return gaps(n, c, a)


def at_temperature(p, t, axis=-1, least=0.0):
    powers = np.maximum(p, least) ** (1 / t)
    return powers / powers.sum(axis=axis, keepdims=True)


def in_place(p, t):
    p **= 1 / t
    p /= p.sum(axis=-1, keepdims=True)
    return p


def largest_only(p, t):
    scaled = np.where(p == p.max(axis=-1, keepdims=True), p ** (1 / t), p)
    return scaled / scaled.sum(axis=-1, keepdims=True)


def entropy(p, log=np.log):
    return -(p * log(p)).sum(axis=-1)


def information(samples, log=np.log):
    return entropy(samples.mean(axis=0), log) - entropy(samples, log).mean(axis=0)


def divergence(samples):
    """The same as the mean divergence of each member from the mean."""
    mean = samples.mean(axis=0)
    return [float((p * np.log(p / m)).sum(axis=-1).mean()) for p, m in zip(samples.swapaxes(0, 1), mean, strict=True)]


def reversed_divergence(samples):
    mean = samples.mean(axis=0)
    return (mean * np.log(mean / samples)).sum(axis=-1).mean(axis=0)


def averages_in_place(samples):
    right = information(samples)
    samples[0] = samples.mean(axis=0)
    return right


def kept(risk, uncertainty, share, order=np.argsort, count=round):
    return risk[order(uncertainty)][: count(share * len(risk))].mean()


def of_count(count):
    return lambda r, u, s: kept(r, u, s, count=count)


def sorted_pairs(risk, uncertainty, share):
    order = sorted(range(len(risk)), key=lambda i: uncertainty[i])
    return float(sum(risk[i] for i in order[: round(share * len(risk))]) / round(share * len(risk)))


def up_to_a_limit(risk, uncertainty, share):
    limit = np.sort(uncertainty)[round(share * len(risk)) - 1]
    return np.mean(risk[uncertainty <= limit])


def by_dictionary(risk, uncertainty, share):
    by = dict(zip(uncertainty, risk, strict=True))
    return np.mean([by[one] for one in sorted(by)][: round(share * len(risk))])


def by_risk_in_a_dictionary(risk, uncertainty, share):
    by = dict(zip(risk, uncertainty, strict=True))
    return np.mean(sorted(by, key=by.get)[: round(share * len(risk))])


def sorts_in_place(risk, uncertainty, share):
    order = np.argsort(uncertainty)
    uncertainty.sort()
    return risk[order][: round(share * len(risk))].mean()


EXERCISES = [
    Exercise(
        "12.1",
        check.accuracy_per_bin,
        right={
            "index of the bin": per_bin,
            "between edges": by_edges(),
            "two histograms": by_histogram,
            "as integers": lambda c, r, b: np.array(per_bin(c, r.astype(int), b)),
        },
        wrong={
            "two pixels at least": (of_bins(lambda c, r: r.mean() if len(r) > 1 else np.nan), "Sort the pixels"),
            "0 when empty": (lambda c, r, b: np.nan_to_num(per_bin(c, r, b)), "0/0 is nan"),
            "left out when empty": (
                lambda c, r, b: [x for x in per_bin(c, r, b) if x == x],
                "one number for each bin",
            ),
            "counts": (of_bins(lambda c, r: r.sum(), empty=0), "divide by all pixels"),
            "histogram": (lambda c, r, b: np.histogram(c, b, (0, 1))[0], "histogram"),
            "histogram as shares": (lambda c, r, b: np.histogram(c, b, (0, 1))[0] / len(c), "histogram"),
            "of all pixels": (
                lambda c, r, b: np.histogram(c[r], b, (0, 1))[0] / len(c),
                "not by all of them",
            ),
            "of all right ones": (lambda c, r, b: np.histogram(c[r], b, (0, 1))[0] / r.sum(), "not by all right"),
            "1 falls out": (lambda c, r, b: per_bin(c, r, b, last=False), "exactly 1 falls out"),
            "1 falls out, by edges": (by_edges(last_closed=False), "exactly 1 falls out"),
            "closed on the right": (by_edges(low_closed=False, high_closed=True), "belongs to the upper one"),
            "closed on the right, with 0": (
                lambda c, r, b: by_edges(low_closed=False, high_closed=True)(np.maximum(c, 1e-9), r, b),
                "belongs to the upper one",
            ),
            "closed on both sides": (by_edges(high_closed=True), "belongs to the upper one"),
            "closed on no side": (by_edges(low_closed=False), "Sort the pixels into bins"),
            "0 falls out": (lambda c, r, b: per_bin(c[c > 0], r[c > 0], b), "Sort the pixels into bins"),
            "always five bins": (lambda c, r, b: per_bin(c, r, 5), "one number for each bin"),
            "ten bins, the first": (lambda c, r, b: per_bin(c, r, 10)[:b], "Sort the pixels into bins"),
            "one bin more": (lambda c, r, b: per_bin(c, r, b + 1), "one number for each bin"),
            "rounded index": (lambda c, r, b: per_bin(np.round(c * b) / b, r, b), "Sort the pixels"),
            "between smallest and largest": (from_the_least, "Sort the pixels into bins"),
            "equal numbers of pixels": (by_rank, "Sort the pixels into bins"),
            "mean confidence": (of_bins(lambda c, r: c.mean()), "what was promised"),
            "share that is wrong": (of_bins(lambda c, r: 1 - r.mean()), "the share that is wrong"),
            "median": (of_bins(lambda c, r: np.median(r)), "It is rounded"),
            "gap": (of_bins(lambda c, r: c.mean() - r.mean()), "Sort the pixels"),
            "one number": (lambda c, r, b: r.mean(), "one number for each bin"),
            "the share of all": (lambda c, r, b: np.full(b, r.mean()), "the share over all bins"),
            "a constant": (lambda c, r, b: np.full(b, 0.4), "Sort the pixels into bins"),
            "as text": (lambda c, r, b: [f"{x:.2f}" for x in per_bin(c, r, b)], "numbers were expected"),
            "smoothed": (of_bins(lambda c, r: (r.sum() + 1) / (len(r) + 2)), "Sort the pixels into bins"),
            "rounded": (of_bins(lambda c, r: round(r.mean())), "It is rounded"),
            "in place": (clips_in_place, "changes what it is given"),
        },
    ),
    Exercise(
        "12.2",
        check.calibration_error,
        right={"nansum": gaps, "bin by bin": bin_by_bin, "np.average": weighted},
        wrong={
            "nan": (lambda n, c, a: np.sum(n * np.abs(c - a)) / n.sum(), "gives nan"),
            "each bin alike": (lambda n, c, a: np.nanmean(np.abs(c - a)), "same weight"),
            "median": (lambda n, c, a: np.nanmedian(np.abs(c - a)), "same weight"),
            "sum of the gaps": (lambda n, c, a: np.nansum(np.abs(c - a)), "same weight"),
            "over all bins": (lambda n, c, a: np.nansum(np.abs(c - a)) / len(n), "same weight"),
            "signed": (lambda n, c, a: np.nansum(n * (c - a)) / n.sum(), "absolute"),
            "signed, turned": (lambda n, c, a: np.nansum(n * (a - c)) / n.sum(), "absolute"),
            "absolute at the end": (lambda n, c, a: abs(np.nansum(n * (c - a))) / n.sum(), "absolute"),
            "only too much": (lambda n, c, a: np.nansum(n * np.maximum(c - a, 0)) / n.sum(), "on either side"),
            "a sum": (lambda n, c, a: np.nansum(n * np.abs(c - a)), "divide by how many"),
            "by 1000": (lambda n, c, a: np.nansum(n * np.abs(c - a)) / 1000, "by 1000"),
            "by the number of bins": (lambda n, c, a: np.nansum(n * np.abs(c - a)) / len(n), "number of bins"),
            "by the fullest bin": (lambda n, c, a: np.nansum(n * np.abs(c - a)) / n.max(), "the fullest bin"),
            "a mean of products": (lambda n, c, a: np.nanmean(n * np.abs(c - a)), "number of bins"),
            "squared": (lambda n, c, a: np.nansum(n * (c - a) ** 2) / n.sum(), "squared"),
            "root of the squares": (lambda n, c, a: np.sqrt(np.nansum(n * (c - a) ** 2) / n.sum()), "squared"),
            "largest gap": (lambda n, c, a: np.nanmax(np.abs(c - a)), "largest gap"),
            "the fullest bin": (lambda n, c, a: np.abs(c - a)[n.argmax()], "as an absolute value"),
            "the last bin left out": (lambda n, c, a: np.nansum((n * np.abs(c - a))[:-1]) / n.sum(), "The last bin"),
            "the first bin left out": (lambda n, c, a: np.nansum((n * np.abs(c - a))[1:]) / n.sum(), "The first bin"),
            "mean confidence": (lambda n, c, a: np.nansum(n * c) / n.sum(), "the mean confidence"),
            "accuracy": (lambda n, c, a: np.nansum(n * a) / n.sum(), "That is the accuracy"),
            "gaps of all": (lambda n, c, a: np.abs(c - a), "average the gaps"),
            "root of the counts": (
                lambda n, c, a: np.nansum(n**0.5 * np.abs(c - a)) / (n**0.5).sum(),
                "as an absolute value",
            ),
            "a constant": (lambda n, c, a: 0.5, "it gives 0.5"),
            "as text": (lambda n, c, a: f"{gaps(n, c, a):.4f}", "a number was expected"),
            "in place": (fills_nan, "changes what it is given"),
        },
    ),
    Exercise(
        "12.3",
        check.temperature,
        right={
            "powers": at_temperature,
            "softmax of logarithms": lambda p, t: softmax(np.log(p) / t, axis=-1),
            "logarithms": lambda p, t: np.exp(log_softmax(np.log(p) / t, axis=-1)),
            "the package's": calibration.scale_temperature,
            "with an epsilon": lambda p, t: at_temperature(p + 1e-9, t),
        },
        wrong={
            "hotter only": (lambda p, t: at_temperature(p, max(t, 1)), "temperature 0.5"),
            "turned over": (lambda p, t: at_temperature(p, 1 / t), "divide the logarithms by the temperature"),
            "power T": (lambda p, t: p**t, "divide the logarithms by the temperature"),
            "no sum": (lambda p, t: p ** (1 / t), "sum to 1"),
            "sum over the first axis": (lambda p, t: at_temperature(p, t, axis=0), "the last axis"),
            "sum over the second axis": (lambda p, t: at_temperature(p, t, axis=min(1, p.ndim - 1)), "the last axis"),
            "sum over everything": (lambda p, t: at_temperature(p, t, axis=None), "sum to 1"),
            "sum without keepdims": (lambda p, t: p ** (1 / t) / (p ** (1 / t)).sum(axis=-1), "raised ValueError"),
            "by the largest": (lambda p, t: (p / p.max(axis=-1, keepdims=True)) ** (1 / t), "sum to 1"),
            "probabilities divided": (lambda p, t: softmax(p / t, axis=-1), "their logarithms"),
            "divided, no softmax": (lambda p, t: p / t, "their logarithms"),
            "divided and normalized": (lambda p, t: p / t / (p / t).sum(axis=-1, keepdims=True), "what it was before"),
            "highest probability": (lambda p, t: p.max(axis=-1), "shape"),
            "nothing": (lambda p, t: p, "what it was before"),
            "whole division": (lambda p, t: at_temperature(p, 1 / (1 // t or 1)), "what it was before"),
            "whole temperature": (lambda p, t: at_temperature(p, max(int(t), 1)), "temperature is rounded"),
            "always 2": (lambda p, t: at_temperature(p, 2), "to the power 1/T"),
            "floor of .001": (lambda p, t: at_temperature(p, t, least=1e-3), "cut off from below"),
            "floor of .01": (lambda p, t: at_temperature(p, t, least=1e-2), "cut off from below"),
            "smoothed": (lambda p, t: at_temperature(p + 0.01, t), "to the power 1/T"),
            "mixed with even": (lambda p, t: p / t + (1 - 1 / t) / p.shape[-1], "to the power 1/T"),
            "the largest only": (largest_only, "to the power 1/T"),
            "logarithms": (lambda p, t: np.log(p) / t, "sum to 1"),
            "two digits": (lambda p, t: at_temperature(p, t).round(2), "It is rounded"),
            "sorted classes": (lambda p, t: np.sort(at_temperature(p, t), axis=-1), "to the power 1/T"),
            "as text": (lambda p, t: at_temperature(p, t).astype(str), "numbers were expected"),
            "in place": (in_place, "changes what it is given"),
        },
    ),
    Exercise(
        "12.4",
        check.mutual_information,
        right={
            "two entropies": information,
            "mean divergence": divergence,
            "the package's": calibration.mutual_information,
            "never negative": lambda samples: np.maximum(information(samples), 0),
        },
        wrong={
            "the first class and its rest": (
                lambda s: information(np.stack([s[..., 0], 1 - s[..., 0]], axis=-1)),
                "4 members with 3 classes",
            ),
            "entropy of the mean": (lambda s: entropy(s.mean(axis=0)), "entropy of the mean"),
            "mean entropy": (lambda s: entropy(s).mean(axis=0), "mean entropy"),
            "sign turned": (lambda s: -information(s), "sign"),
            "sum of both": (lambda s: entropy(s.mean(axis=0)) + entropy(s).mean(axis=0), "do not add it"),
            "bits": (lambda s: information(s, np.log2), "in bits"),
            "base 10": (lambda s: information(s, np.log10), "base 10"),
            "share of the largest": (lambda s: information(s) / np.log(s.shape[-1]), "its largest value"),
            "mean over the classes": (lambda s: information(s) / s.shape[-1], "Sum over the classes"),
            "last class only": (
                lambda s: -(s.mean(axis=0) * np.log(s.mean(axis=0)))[:, -1] + (s * np.log(s)).mean(axis=0)[:, -1],
                "That is one class",
            ),
            "each class": (lambda s: -(s.mean(axis=0) * np.log(s.mean(axis=0))), "shape"),
            "the first two members": (lambda s: information(s[:2]), "not the first two only"),
            "the first member": (lambda s: entropy(s.mean(axis=0)) - entropy(s[0]), "one member"),
            "the last member": (lambda s: entropy(s.mean(axis=0)) - entropy(s[-1]), "one member"),
            "sum over the members": (lambda s: entropy(s.mean(axis=0)) - entropy(s).sum(axis=0), "are summed"),
            "median of the members": (
                lambda s: entropy(np.median(s, axis=0)) - np.median(entropy(s), axis=0),
                "It is the entropy of the mean",
            ),
            "variance": (lambda s: s.var(axis=0).sum(axis=-1), "a variance"),
            "deviation": (lambda s: s.std(axis=0).sum(axis=-1), "a deviation"),
            "deviation of each class": (lambda s: s.std(axis=0), "shape"),
            "divergence turned round": (reversed_divergence, "It is the entropy of the mean"),
            "members and pixels exchanged": (lambda s: information(s.swapaxes(0, 1)), "It is the entropy of the mean"),
            "mean over the pixels": (lambda s: information(s).mean(), "shape"),
            "of one pixel": (lambda s: information(s)[:1], "shape"),
            "floor of .02": (lambda s: information(np.maximum(s, 0.02)), "It is the entropy of the mean"),
            "two digits": (lambda s: information(s).round(2), "It is rounded"),
            "a constant": (lambda s: np.ones(s.shape[1]), "a shared doubt and a contradiction"),
            "the page's numbers": (lambda s: np.resize([0, 0.637], s.shape[1]), "a shared doubt and a contradiction"),
            "as text": (lambda s: information(s).astype(str), "numbers were expected"),
            "in place": (averages_in_place, "changes what it is given"),
        },
    ),
    Exercise(
        "12.5",
        check.kept_risk,
        right={
            "argsort": kept,
            "sorted": sorted_pairs,
            "up to a limit": up_to_a_limit,
            "stable order": lambda r, u, s: kept(r, u, s, order=lambda u: np.argsort(u, kind="stable")),
        },
        wrong={
            "least certain": (lambda r, u, s: kept(r, -u, s), "least certain"),
            "referred ones": (lambda r, u, s: r[np.argsort(u)][-round(s * len(r)) :].mean(), "least certain"),
            "lowest risk": (lambda r, u, s: kept(r, r, s), "nobody knows"),
            "in the order they came": (lambda r, u, s: r[: round(s * len(r))].mean(), "in the order they came"),
            "the last that came": (lambda r, u, s: r[-round(s * len(r)) :].mean(), "in the order they came"),
            "by the absolute uncertainty": (lambda r, u, s: kept(r, np.abs(u), s), "Sort the cases by uncertainty"),
            "cut off": (of_count(int), "nearest whole number"),
            "rounded up": (of_count(math.ceil), "nearest whole number"),
            "one more": (of_count(lambda n: round(n) + 1), "nearest whole number"),
            "one less": (of_count(lambda n: max(round(n) - 1, 1)), "nearest whole number"),
            "quantile": (lambda r, u, s: r[u <= np.quantile(u, s)].mean(), "A quantile cuts"),
            "below the share": (lambda r, u, s: r[u <= s].mean(), "The share says how many"),
            "a dictionary": (by_dictionary, "each counts"),
            "a dictionary by risk": (by_risk_in_a_dictionary, "Sort the cases by uncertainty"),
            "different ones only": (
                lambda r, u, s: r[np.unique(u, return_index=True)[1]][: round(s * len(r))].mean(),
                "each counts",
            ),
            "median": (lambda r, u, s: np.median(r[np.argsort(u)][: round(s * len(r))]), "the median"),
            "sum": (lambda r, u, s: r[np.argsort(u)][: round(s * len(r))].sum(), "the sum of the risks"),
            "of all cases": (lambda r, u, s: r[np.argsort(u)][: round(s * len(r))].sum() / len(r), "not by all"),
            "by the share": (
                lambda r, u, s: r[np.argsort(u)][: round(s * len(r))].sum() / (s * len(r)),
                "Sort the cases by uncertainty",
            ),
            "everybody": (lambda r, u, s: r.mean(), "the mean over everybody"),
            "the last one kept": (lambda r, u, s: r[np.argsort(u)][round(s * len(r)) - 1], "the risk of one case"),
            "the surest": (lambda r, u, s: r[u.argmin()], "the risk of one case"),
            "mean uncertainty": (lambda r, u, s: np.sort(u)[: round(s * len(r))].mean(), "the mean uncertainty"),
            "ranks for order": (
                lambda r, u, s: r[np.argsort(np.argsort(u))][: round(s * len(r))].mean(),
                "Sort the cases by uncertainty",
            ),
            "all risks kept": (lambda r, u, s: r[np.argsort(u)][: round(s * len(r))], "one number was expected"),
            "a constant": (lambda r, u, s: 0.7, "It gives the same"),
            "as text": (lambda r, u, s: f"{kept(r, u, s):.3f}", "a number was expected"),
            "sorts in place": (sorts_in_place, "changes what it is given"),
        },
    ),
]
