"""The checks of notebook 12: starter, right answer, and the message for each typical wrong one."""

import numpy as np
import pytest

from unet_helpers.teaching.checks import uncertainty_and_calibration as check


def per_bin(confidence, right, bins, what=lambda confidence, right: right.mean(), last=True):
    index = (confidence * bins).astype(int)
    index = np.minimum(index, bins - 1) if last else index
    there = [index == b for b in range(bins)]
    return [what(confidence[one], right[one]) if one.any() else np.nan for one in there]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (per_bin, "Right"),
        (lambda c, r, b: np.nan_to_num(per_bin(c, r, b)), "0/0 is nan"),
        (lambda c, r, b: np.nan_to_num(per_bin(c, r, b, lambda c, r: r.sum())), "divide by all pixels"),
        (lambda c, r, b: np.histogram(c, b, (0, 1))[0], "histogram"),
        (lambda c, r, b: np.histogram(c, b, (0, 1))[0] / len(c), "histogram"),
        (lambda c, r, b: per_bin(c, r, b, last=False), "exactly 1 falls out"),
        (lambda c, r, b: per_bin(c, r, b, lambda c, r: c.mean()), "what was promised"),
        (lambda c, r, b: r.mean(), "one number per bin"),
        (lambda c, r, b: np.full(b, 0.4), "not [0.0, nan, 0.75, nan, 0.67]"),
    ],
)
def test_accuracy_per_bin(said, function, message):
    assert message in said(check.accuracy_per_bin, function)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda n, c, a: np.nansum(n * np.abs(c - a)) / n.sum(), "Right"),
        (lambda n, c, a: np.sum(n * np.abs(c - a)) / n.sum(), "gives nan"),
        (lambda n, c, a: np.nanmean(np.abs(c - a)), "same weight"),
        (lambda n, c, a: np.nansum(n * (c - a)) / n.sum(), "absolute"),
        (lambda n, c, a: np.nansum(n * np.abs(c - a)), "divide by how many"),
        (lambda n, c, a: np.nanmax(np.abs(c - a)), "largest gap"),
        (lambda n, c, a: np.abs(c - a), "average the gaps"),
        (lambda n, c, a: 0.5, "it gives 0.5"),
    ],
)
def test_calibration_error(said, function, message):
    assert message in said(check.calibration_error, function)


def at_temperature(p, t):
    powers = p ** (1 / t)
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (at_temperature, "Right"),
        (lambda p, t: at_temperature(p, 1 / t), "divide by the temperature"),
        (lambda p, t: p ** (1 / t), "sum to 1"),
        (lambda p, t: np.exp(p / t) / np.exp(p / t).sum(axis=-1, keepdims=True), "their logarithms"),
        (lambda p, t: p.max(axis=-1), "shape"),
        (lambda p, t: p, "the first pixel becomes"),
    ],
)
def test_temperature(said, function, message):
    assert message in said(check.temperature, function)


def entropy(p):
    return -(p * np.log(p)).sum(axis=-1)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda s: entropy(s.mean(axis=0)) - entropy(s).mean(axis=0), "Right"),
        (lambda s: entropy(s.mean(axis=0)), "entropy of the mean"),
        (lambda s: entropy(s).mean(axis=0), "mean entropy"),
        (lambda s: entropy(s).mean(axis=0) - entropy(s.mean(axis=0)), "sign"),
        (lambda s: s.std(axis=0), "shape"),
        (lambda s: np.ones(2), "a shared doubt and a contradiction"),
    ],
)
def test_mutual_information(said, function, message):
    assert message in said(check.mutual_information, function)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda r, u, s: r[np.argsort(u)][: round(s * len(r))].mean(), "Right"),
        (lambda r, u, s: r[np.argsort(-u)][: round(s * len(r))].mean(), "least certain"),
        (lambda r, u, s: np.sort(r)[: round(s * len(r))].mean(), "nobody knows"),
        (lambda r, u, s: r[: round(s * len(r))].mean(), "in the order they came"),
        (lambda r, u, s: 0.7, "of 2 cases"),
    ],
)
def test_kept_risk(said, function, message):
    assert message in said(check.kept_risk, function)
