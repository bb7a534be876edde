"""Groups of patients: the report of each, the gap between two, and how many patients would show it.

References
----------
B. L. Welch, The generalization of "Student's" problem when several different population variances are involved,
Biometrika 1947;34:28: two means whose spreads differ.
S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 1979;6:65.
"""

import numpy as np
import pandas as pd

from .intervals import FEWEST_PATIENTS, bootstrap_interval


def report_by_group(values, groups, patients=None):
    """Mean of each group with its 95 % interval over patients, and the range of its values.

    Parameters
    ----------
    values : ``(N,)`` float
        Such as Dice. nan is left out.
    groups : ``(N,)``
        The group of each value, as its name or True and False.
    patients : ``(N,)``, optional
        The patient of each value; the interval keeps a patient's values together. Default: each value is a patient.

    Returns
    -------
    pandas.DataFrame
        A row per group: ``mean``, ``low``, ``high``, ``min``, ``max``, ``patients``. With fewer than five patients mean
        and interval are nan: there the range and the number stay.
    """
    values, groups = np.asarray(values, float), np.asarray(groups)
    patients = np.arange(len(values)) if patients is None else np.asarray(patients)
    rows = {}
    for group in np.unique(groups):
        own = (groups == group) & np.isfinite(values)
        count = len(np.unique(patients[own]))
        mean = values[own].mean() if count >= FEWEST_PATIENTS else np.nan
        ends = (values[own].min(), values[own].max()) if count else (np.nan, np.nan)
        rows[group] = (mean, *bootstrap_interval(values[own], patients[own]), *ends, count)
    return pd.DataFrame.from_dict(rows, "index", columns=["mean", "low", "high", "min", "max", "patients"])


def gap_between(values, inside):
    """Mean of a group minus mean of the others, with its 95 % interval and p-value by Welch's t.

    Nothing is paired here: the two groups are different people.

    Parameters
    ----------
    values : ``(P,)`` float
        One per patient; nan is left out.
    inside : ``(P,)`` bool
        Who belongs to the group.

    Returns
    -------
    dict
        ``gap``, ``low``, ``high``, ``p``, and the numbers of ``patients`` inside and of ``others``. With fewer than
        five patients on either side the first four are nan.
    """
    from scipy import stats

    values, inside = np.asarray(values, float), np.asarray(inside, bool)
    own, others = (values[side & np.isfinite(values)] for side in (inside, ~inside))
    found = {"gap": np.nan, "low": np.nan, "high": np.nan, "p": np.nan}
    if min(len(own), len(others)) >= FEWEST_PATIENTS:
        test = stats.ttest_ind(own, others, equal_var=False)
        ends = test.confidence_interval()
        found = {"gap": own.mean() - others.mean(), "low": ends.low, "high": ends.high, "p": test.pvalue}
    return {name: float(value) for name, value in found.items()} | {"patients": len(own), "others": len(others)}


def gap_p_values(values, members):
    """p-values of many gaps at once, by Welch's t as in :func:`gap_between`.

    Parameters
    ----------
    values : ``(..., P)`` float
        One per patient of a report, none of them nan.
    members : ``(..., K, P)`` bool
        Who belongs to each of ``K`` groups.

    Returns
    -------
    ``(..., K)`` float
        nan where fewer than five patients are on either side.
    """
    from scipy import stats

    values, members = np.asarray(values, float)[..., np.newaxis, :], np.asarray(members, bool)
    sides = []
    for side in (members, ~members):
        count = side.sum(axis=-1)
        with np.errstate(all="ignore"):
            mean = (values * side).sum(axis=-1) / count
            spread = np.sqrt(((values - mean[..., np.newaxis]) ** 2 * side).sum(axis=-1) / (count - 1))
        sides.append((mean, spread, count))
    few = np.minimum(sides[0][2], sides[1][2]) < FEWEST_PATIENTS
    with np.errstate(all="ignore"):
        p = stats.ttest_ind_from_stats(*sides[0], *sides[1], equal_var=False).pvalue
    return np.where(few, np.nan, p)


def gap_by_strata(values, inside, strata):
    """The gap among patients alike in something else, such as nodules of one size: a mean over strata.

    Within each stratum the group's mean minus that of the others; the strata are weighted by their patients of the
    group, so that the result is about the group as it is. A stratum without patients on both sides says nothing about
    the gap and is left out.

    Parameters
    ----------
    values : ``(P,)`` float
        One per patient; nan is left out.
    inside : ``(P,)`` bool
    strata : ``(P,)``
        The stratum of each patient.

    Returns
    -------
    float
        nan if no stratum has patients on both sides.
    """
    values, inside, strata = np.asarray(values, float), np.asarray(inside, bool), np.asarray(strata)
    gaps, weights = [], []
    for stratum in np.unique(strata):
        here = (strata == stratum) & np.isfinite(values)
        own, others = values[here & inside], values[here & ~inside]
        if len(own) and len(others):
            gaps.append(own.mean() - others.mean())
            weights.append(len(own))
    return float(np.average(gaps, weights=weights)) if gaps else float("nan")


def power_of_gap(values, others, gap, patients, *, draws=2000, level=0.05, seed=0):
    """Share of simulated reports that find a gap, with so many patients in each of two groups.

    The power of notebook 05b for two groups of different people: both are drawn from the values that were measured,
    moved so that their means are ``gap`` apart, and compared by Welch's t.

    Parameters
    ----------
    values, others : ``(N,)`` and ``(M,)`` float
        Measured values of patients of the two groups; their spread is what counts. nan is left out.
    gap : float
    patients : int
        In each group.
    draws : int
    level : float
        A report finds the gap if its p-value is lower; divide it by the number of groups that are looked at.
    seed : int

    Returns
    -------
    float
    """
    from scipy import stats

    rng = np.random.default_rng(seed)
    drawn = []
    for side, middle in ((values, gap), (others, 0)):
        side = np.asarray(side, float)
        side = side[np.isfinite(side)]
        drawn.append(rng.choice(side - side.mean() + middle, size=(draws, patients)))
    with np.errstate(all="ignore"):
        p = stats.ttest_ind(*drawn, axis=1, equal_var=False).pvalue
    return float(np.mean(p < level))


def holm(p_values):
    """p-values of several looks, raised so that the chance of any false finding among them stays at their level.

    The smallest is multiplied by the number of looks, the next by one fewer, and so on, none below the one before
    (Holm 1979). nan, a look that was not possible, stays nan and is not counted.

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p = np.asarray(p_values, float)
    raised = np.full(p.shape, np.nan)
    order = np.argsort(p)[: np.isfinite(p).sum()]
    steps = p[order] * np.arange(len(order), 0, -1)
    raised[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return raised
