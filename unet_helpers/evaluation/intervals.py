"""How sure is a mean over patients, and how sure is the difference of two models?"""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .overlap import dice

#: ways to an interval of a mean, and their names in print: three bootstraps, and Student's t
METHODS = {
    "percentile": "percentile bootstrap",
    "bca": "BCa bootstrap",
    "studentized": "studentized bootstrap",
    "t": "Student's t",
}
#: what every interval over patients here is, unless another is asked for by name; book/metrics.md says why
RECOMMENDED = "t"
#: with fewer there is no interval, unless one is asked for by name: of five patients it is as wide as the range from
#: the lowest to the highest of their values, of four nearly half again, of three more than twice as wide as what was
#: seen. There the range itself says more, and promises nothing.
FEWEST_PATIENTS = 5


def bootstrap_interval(values, groups=None, *, level=0.95, repeats=2000, seed=0, method=None):
    """Interval of the mean over groups: by Student's t, or by a bootstrap (Efron and Tibshirani 1993).

    Slices of one patient resemble each other: taking slices as if they were independent gives an
    interval that is too narrow. So the patients count, or are drawn with replacement, each with all its values.

    Parameters
    ----------
    values : ``(N,)`` float
        nan is left out.
    groups : ``(N,)``, optional
        The patient of each value. Default: each value is its own group.
    level : float
    repeats, seed : int
    method : str, optional
        ``"percentile"``: percentiles of the means of the draws. ``"bca"``: bias-corrected and accelerated, which
        moves these percentiles where the draws are skewed. ``"studentized"``: percentiles of the error in units of
        each draw's own standard error. ``"t"``: Student's t with one group fewer degrees of freedom, without
        drawing. Default: :data:`RECOMMENDED`, Student's t, from :data:`FEWEST_PATIENTS` groups on. With few patients
        the first two are too narrow; book/metrics.md says by how much.

    Returns
    -------
    (low, high) : float
        (nan, nan) if fewer than five groups hold a value: give their range. With a ``method``, if fewer than two.
    """
    fewest = FEWEST_PATIENTS if method is None else 2
    method = method or RECOMMENDED
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; choose one of {', '.join(map(repr, METHODS))}")
    values = np.asarray(values, dtype=float)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    if len(groups) != len(values):
        raise ValueError(f"{len(values)} values but {len(groups)} groups; give one group for each value")
    defined = np.isfinite(values)
    _, group = np.unique(groups[defined], return_inverse=True)
    if not len(group) or group.max() + 1 < fewest:
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
    tiny = 1e-12 * max(1, np.abs(sums / sizes).max())  # below it a number is what rounding has left of 0
    if error <= tiny:
        return mean, mean
    # a draw without spread has no unit: it is infinitely far off, or not at all
    without = np.where(np.abs(off) <= tiny, 0, np.copysign(np.inf, off))
    t = np.divide(off, errors, out=without, where=errors > tiny)
    return mean - np.quantile(t, tails[::-1], method="closest_observation") * error


@dataclass(frozen=True)
class Comparison:
    """Result of :func:`compare`; printed, it says whom the comparison left out, and why.

    differences : pandas.DataFrame
        A row per patient, a column per class; nan where one of the two has no value.
    table : pandas.DataFrame
        Per class: ``mean`` difference, ``low`` and ``high`` of its 95 % interval (nan with fewer than five patients),
        ``min`` and ``max``, the range of the patients' differences, ``p``, the number of ``patients``, of those that
        are ``better`` and ``worse``, and of those ``left_out``.
    metric : str
    left_out : pandas.DataFrame
        A row per case and class that is not in a difference: ``case``, ``patient``, ``class``, and ``why``, such as
        ``"nan in the first; false alarm of the second"``.
    method : str
        That of the intervals.
    """

    differences: pd.DataFrame
    table: pd.DataFrame
    metric: str
    left_out: pd.DataFrame
    method: str = RECOMMENDED

    def __str__(self):
        lines = [f"{self.metric}, second minus first; low to high: 95 % interval of the mean, {METHODS[self.method]}"]
        lines += [self.table.round(3).to_string()]
        if self.table["low"].isna().any():
            lines += [f"No interval: fewer than {FEWEST_PATIENTS} patients; min to max is their range."]
        for (name, why), rows in self.left_out.groupby(["class", "why"], sort=False):
            cases = rows["case"].tolist()
            if len(cases) > 6 and "false alarm" not in why:
                cases[5:] = [f"and {len(cases) - 5} more"]
            lines += [f"left out, {name}: {', '.join(cases)} ({why})"]
        return "\n".join(lines)

    __repr__ = __str__


def compare(a, b, metric="dice", *, seed=0, method=None):
    """Compare two models on the same patients: by how much is the second one better, and could that be luck?

    Cases are paired, since a patient who is hard for one model is mostly hard for the other; a patient's cases are
    averaged first. The p-value is that of the sign-flip permutation test: if the models did not differ, each
    patient's difference could as well have the other sign. It is exact up to 13 patients.

    A case in which either side has no value has no difference and is left out. That may favor a model: where there
    is no object, a false alarm of the one costs it nothing if the other marks nothing. So ``left_out`` names each.

    Parameters
    ----------
    a, b : Evaluation
        Of the same cases; differences are ``b`` minus ``a``.
    metric : str
        A column of ``cases``.
    seed : int
        Of the bootstrap and the permutations.
    method : str, optional
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

    left, right = (side.cases.set_index(["case", "patient", "class"]) for side in (a, b))
    if set(left.index) != set(right.index):
        only = sorted(set(left.index) ^ set(right.index))[0]
        raise ValueError(f"the two evaluations hold different cases, {only} in only one; evaluate both on one subset")
    right = right.loc[left.index]
    differences = (right[metric] - left[metric]).where(np.isfinite(right[metric]) & np.isfinite(left[metric]))
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
        ends = bootstrap_interval(values, seed=seed, method=method)
        middle = (values.mean(), *ends, values.min(), values.max()) if len(values) else (np.nan,) * 5
        counts = len(values), int((values > 0).sum()), int((values < 0).sum()), len(by_patient) - len(values)
        rows.append((name, *middle, p, *counts))
    columns = ["class", "mean", "low", "high", "min", "max", "p", "patients", "better", "worse", "left_out"]
    table = pd.DataFrame(rows, columns=columns).set_index("class")
    return Comparison(by_patient, table, metric, _left_out(left, right, metric), method or RECOMMENDED)


def _left_out(left, right, metric):
    """Cases without a difference, and why, by class; those with a false alarm are told from the others."""
    sides = {"the first": left, "the second": right}
    rows = []
    for key in left.index:
        values = {name: side.at[key, metric] for name, side in sides.items()}
        if np.isfinite(list(values.values())).all():
            continue
        found = {}  # "nan": [sides]
        for name, value in values.items():
            if not np.isfinite(value):
                found.setdefault(f"{value:g}", []).append(name)
        why = [f"{value} in {'both' if len(names) == 2 else names[0]}" for value, names in found.items()]
        pixels = {name: side.loc[key, ["true_pixels", "predicted_pixels"]] for name, side in sides.items()}
        alarms = [name for name, (true, predicted) in pixels.items() if not true and predicted]
        why += [f"false alarm of {'both' if len(alarms) == 2 else alarms[0]}"] if alarms else []
        rows.append((*key, "; ".join(why)))
    return pd.DataFrame(rows, columns=["case", "patient", "class", "why"]).sort_values("class", kind="stable")


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
    """95 % interval (percentile bootstrap) of a mean over seeds and patients, both drawn with replacement. Used in 08.

    Parameters
    ----------
    runs : ``(S, P)`` float
        One row per seed, one column per patient. Columns with nan are left out.
    seed : int

    Returns
    -------
    (low, high) : float
        (nan, nan) with fewer than five patients. With one seed the interval is over patients only; with three it is
        still too narrow, because three seeds show too little of how seeds vary, and so it is with few patients.
    """
    return _quantiles(_draw_means([runs], seed)[0])


def interval_of_difference(runs, others, *, seed=0):
    """95 % interval (percentile bootstrap) of the mean difference ``runs - others`` of two networks, same patients.

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
    if patients < FEWEST_PATIENTS:
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
