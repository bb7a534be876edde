"""How sure is a mean over patients, and how sure is the difference of two models?"""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .overlap import dice

#: ways to an interval of a mean: three bootstraps, and Student's t
METHODS = ("percentile", "bca", "studentized", "t")


def bootstrap_interval(values, groups=None, *, level=0.95, repeats=2000, seed=0, method="percentile"):
    """Interval of the mean, drawn over groups (Efron and Tibshirani 1993).

    Slices of one patient resemble each other: drawing slices as if they were independent gives an
    interval that is too narrow. So patients are drawn with replacement, each with all its values.

    Parameters
    ----------
    values : ``(N,)`` float
        nan is left out.
    groups : ``(N,)``, optional
        The patient of each value. Default: each value is its own group.
    level : float
    repeats, seed : int
    method : str
        ``"percentile"``: percentiles of the means of the draws. ``"bca"``: bias-corrected and accelerated, which
        moves these percentiles where the draws are skewed. ``"studentized"``: percentiles of the error in units of
        each draw's own standard error. ``"t"``: Student's t with one group fewer degrees of freedom, without
        drawing. With few patients the first two are too narrow; book/metrics.md says by how much.

    Returns
    -------
    (low, high) : float
        (nan, nan) if fewer than two groups hold a value.
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; choose one of {', '.join(map(repr, METHODS))}")
    values = np.asarray(values, dtype=float)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    if len(groups) != len(values):
        raise ValueError(f"{len(values)} values but {len(groups)} groups; give one group for each value")
    defined = np.isfinite(values)
    _, group = np.unique(groups[defined], return_inverse=True)
    if not len(group) or group.max() < 1:
        return float("nan"), float("nan")
    sums, sizes = np.bincount(group, weights=values[defined]), np.bincount(group)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if method == "t":
        low, high = _t_interval(sums, sizes, tails)
        return float(low), float(high)
    if method == "bca":
        low, high = _bca_interval(sums, sizes, level, repeats, seed)
        return float(low), float(high)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(repeats, len(sums)))
    drawn_sums, drawn_sizes = sums[drawn], sizes[drawn]
    means = drawn_sums.sum(axis=1) / drawn_sizes.sum(axis=1)
    if method == "studentized":
        low, high = _studentized_interval(sums, sizes, drawn_sums, drawn_sizes, tails)
    else:
        low, high = np.quantile(means, tails)
    return float(low), float(high)


def _standard_error(sums, sizes):
    """Of the mean over all values, from its groups (last axis): linearized, as for a ratio of two sums."""
    count = sums.shape[-1]
    total = sizes.sum(axis=-1)
    rest = sums - (sums.sum(axis=-1) / total)[..., np.newaxis] * sizes
    return np.sqrt(count / (count - 1) * (rest**2).sum(axis=-1)) / total


def _t_interval(sums, sizes, tails):
    from scipy import stats

    return sums.sum() / sizes.sum() + stats.t.ppf(tails, len(sums) - 1) * _standard_error(sums, sizes)


def _bca_interval(sums, sizes, level, repeats, seed):
    from scipy import stats

    def mean(sums, sizes, axis):
        return sums.sum(axis=axis) / sizes.sum(axis=axis)

    options = {"n_resamples": repeats, "confidence_level": level, "rng": np.random.default_rng(seed)}
    with warnings.catch_warnings(action="ignore"):
        found = stats.bootstrap((sums, sizes), mean, paired=True, method="BCa", **options)
    # where all draws are alike SciPy warns and gives nan
    return np.nan_to_num(found.confidence_interval, nan=sums.sum() / sizes.sum())


def _studentized_interval(sums, sizes, drawn_sums, drawn_sizes, tails):
    mean, error = sums.sum() / sizes.sum(), _standard_error(sums, sizes)
    errors = _standard_error(drawn_sums, drawn_sizes)
    off = drawn_sums.sum(axis=1) / drawn_sizes.sum(axis=1) - mean
    # a draw without spread has no unit: it is infinitely far off, or not at all
    t = np.divide(off, errors, out=np.where(off == 0, 0, np.copysign(np.inf, off)), where=errors > 1e-12)
    ends = mean - np.quantile(t, tails[::-1], method="closest_observation") * error
    return ends if error else (mean, mean)


@dataclass(frozen=True)
class Comparison:
    """Result of :func:`compare`.

    differences : pandas.DataFrame
        A row per patient, a column per class; nan where one of the two has no value.
    table : pandas.DataFrame
        Per class: ``mean`` difference, ``low`` and ``high`` of its 95 % interval, ``p``, the number of ``patients``,
        of those that are ``better`` and ``worse``, and of those ``left_out``.
    metric, method : str
    """

    differences: pd.DataFrame
    table: pd.DataFrame
    metric: str
    method: str = "percentile"


def compare(a, b, metric="dice", *, seed=0, method="percentile"):
    """Compare two models on the same patients: by how much is the second one better, and could that be luck?

    Cases are paired, since a patient who is hard for one model is mostly hard for the other; a patient's cases are
    averaged first. The p-value is that of the sign-flip permutation test: if the models did not differ, each
    patient's difference could as well have the other sign. It is exact up to 13 patients.

    Parameters
    ----------
    a, b : Evaluation
        Of the same cases; differences are ``b`` minus ``a``.
    metric : str
        A column of ``cases``.
    seed : int
        Of the bootstrap and the permutations.
    method : str
        As in :func:`bootstrap_interval`.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the two do not hold the same cases and classes.
    """
    from scipy import stats

    left, right = (side.cases.set_index(["case", "patient", "class"])[metric] for side in (a, b))
    if set(left.index) != set(right.index):
        only = sorted(set(left.index) ^ set(right.index))[0]
        raise ValueError(f"the two evaluations hold different cases, {only} in only one; evaluate both on one subset")
    differences = (right - left).where(np.isfinite(right) & np.isfinite(left))
    by_patient = differences.groupby(["patient", "class"], sort=False).mean().unstack("class")[a.class_names]
    rows = []
    for name in a.class_names:
        values = by_patient[name].dropna().to_numpy()
        p = np.nan
        if len(values) > 1:
            test = stats.permutation_test(
                (values,), np.mean, permutation_type="samples", vectorized=True, rng=np.random.default_rng(seed)
            )
            p = test.pvalue
        low, high = bootstrap_interval(values, seed=seed, method=method)
        mean = values.mean() if len(values) else np.nan
        counts = len(values), int((values > 0).sum()), int((values < 0).sum()), len(by_patient) - len(values)
        rows.append((name, mean, low, high, p, *counts))
    columns = ["class", "mean", "low", "high", "p", "patients", "better", "worse", "left_out"]
    return Comparison(by_patient, pd.DataFrame(rows, columns=columns).set_index("class"), metric, method)


def dice_by_patient(predictions, subset, index, *, made_up=np.nan):
    """Dice of one class for each patient, slices pooled: ``(P,)`` in the order of ``subset.patients``.

    nan for a patient who has nothing of the class, in truth and prediction. A patient in whom it was only predicted
    counts as ``made_up``: nan, so that the patients that count are the same for every network; or 0, the Dice of the
    two masks, as :func:`unet_helpers.evaluate` counts it.
    """
    values = []
    for patient in subset.patients:
        own = subset.patient_ids == patient
        truth, found = subset.masks[own] == index, np.asarray(predictions)[own] == index
        values.append(dice(truth, found) if truth.any() or not found.any() else made_up)
    return np.array(values)


def interval_of_mean(runs, *, seed=0):
    """95 % bootstrap interval of a mean over seeds and patients, both drawn with replacement. Used in 08.

    Parameters
    ----------
    runs : ``(S, P)`` float
        One row per seed, one column per patient. Columns with nan are left out.
    seed : int

    Returns
    -------
    (low, high) : float
        (nan, nan) with fewer than two patients. With one seed the interval is over patients only; with three it is
        still too narrow, because three seeds show too little of how seeds vary.
    """
    return _quantiles(_draw_means([runs], seed)[0])


def interval_of_difference(runs, others, *, seed=0):
    """95 % bootstrap interval of the mean difference ``runs - others`` of two networks on the same patients.

    Used in 08.

    The patients drawn are the same for both, because a hard patient is hard for both; the seeds are drawn for each on
    its own, because seed 0 of one network has nothing in common with seed 0 of another.

    Parameters as in :func:`interval_of_mean`; the two may differ in the number of seeds, not of patients.

    Raises
    ------
    ValueError
        If the numbers of patients differ.
    """
    shapes = [np.atleast_2d(np.asarray(one, float)).shape for one in (runs, others)]
    if shapes[0][1] != shapes[1][1]:
        raise ValueError(f"{shapes[0][1]} and {shapes[1][1]} patients; a paired difference needs the same patients")
    means = _draw_means([runs, others], seed)
    return _quantiles(means[0] - means[1])


def _draw_means(tables, seed, repeats=2000):
    """Means of bootstrap draws for each table, ``(T, repeats)``: one draw of patients for all, seeds for each."""
    tables = [np.atleast_2d(np.asarray(table, dtype=float)) for table in tables]
    complete = np.all([np.isfinite(table).all(axis=0) for table in tables], axis=0)
    tables = [table[:, complete] for table in tables]
    patients = tables[0].shape[1]
    if patients < 2:
        return np.full((len(tables), repeats), np.nan)
    random = np.random.default_rng(seed)
    patient_weights = random.multinomial(patients, np.full(patients, 1 / patients), size=repeats) / patients
    means = []
    for table in tables:
        count = len(table)
        seed_weights = random.multinomial(count, np.full(count, 1 / count), size=repeats) / count
        means.append(np.einsum("rs,sp,rp->r", seed_weights, table, patient_weights))
    return np.array(means)


def _quantiles(means):
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
