"""Self-checks of notebook 18, subgroups."""

import numpy as np

from ...evaluation.groups import gap_by_strata, report_by_group
from ...evaluation.intervals import FEWEST_PATIENTS, bootstrap_interval
from ._numbers import compare
from ._verdict import exercise


@exercise
def report(function):
    """A function of (dice, patients, groups) that gives mean, low and high of each group, nan for too few patients."""
    nan = np.nan
    cases = (
        (
            [0.91, 0.87, 0.40, 0.95, 0.78, 0.83, 0.66, 0.71, 0.30, 0.52, 0.61, 0.98],
            list("aabcdeefghij"),
            [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1],
        ),
        (
            [0.2, 0.3, 0.9, 0.8, 0.7, 0.1, 0.6, 0.5, 0.4, 0.35, 0.85],
            list("ppqqrrsstuv"),
            [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
        ),
        (
            [0.5, nan, 0.7, 0.9, 0.6, 0.2, 0.8, 0.75, 0.65, nan, 0.55, 0.45, 0.95, 0.1],
            list("abcdefghijklmn"),
            [2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 2, 0, 0],
        ),
    )
    words = (
        "twelve scans in two groups",
        "eleven scans, most of them in pairs,",
        "three groups, with nan among the scans,",
    )
    compare(
        function,
        _report,
        {
            f"for {what}": (np.array(dice), np.array(patients), np.array(groups))
            for what, (dice, patients, groups) in zip(words, cases, strict=True)
        },
        _wrong_reports,
        "For each group: the mean of its Dice, and `bootstrap_interval` of its Dice with its patients.",
        several="one row for each group, in the order of np.unique(groups), with three numbers: mean, low, high",
    )
    return "Eight scans can be four patients, and then the report says nothing."


def _report(dice, patients, groups):
    return report_by_group(dice, groups, patients)[["mean", "low", "high"]].to_numpy(float)


def _rows(dice, patients, groups, count=None, together=True, always=False, drop=True, fewest=FEWEST_PATIENTS):
    """A report, right or wrong by its arguments."""
    rows = []
    for group in np.unique(groups):
        own = (groups == group) & (np.isfinite(dice) | (not drop))
        values, people = dice[own], patients[own]
        enough = (count(people) if count else len(np.unique(people))) >= fewest
        mean = np.nanmean(values) if len(values) else np.nan
        if not together:
            people = np.arange(len(values))
        ends = bootstrap_interval(values, people)
        if enough and np.isnan(ends[0]) and (np.isfinite(values)).sum() > 1:
            ends = bootstrap_interval(values, people, method="t")
        rows.append((mean if enough or always else np.nan, *(ends if enough else (np.nan, np.nan))))
    return np.array(rows)


def _wrong_reports(dice, patients, groups):
    right = _report(dice, patients, groups)
    own_means = _by_patient(dice, patients, groups)
    return {
        "Two scans of one patient are no two patients: give `bootstrap_interval` the patients as well.": [
            _rows(dice, patients, groups, together=False),
            _rows(dice, patients, groups, len, together=False),
        ],
        "Count patients, and not scans: np.unique finds them.": [
            _rows(dice, patients, groups, len),
            np.column_stack([_rows(dice, patients, groups, len)[:, 0], right[:, 1:]]),
        ],
        "With fewer than five patients say nothing: nan for the mean as well.": [
            _rows(dice, patients, groups, always=True),
            _rows(dice, patients, groups, always=True, together=False),
        ],
        "A patient whose Dice is nan has no value, and does not count among the five.": (
            _rows(dice, patients, groups, drop=False)
        ),
        "Five patients are enough: say nothing with fewer than five.": _rows(dice, patients, groups, fewest=6),
        "That takes the mean of each patient first; here every scan has the same weight.": own_means,
        "Low and high are exchanged.": right[:, [0, 2, 1]],
        "Mean comes first, then low and high.": [right[:, [1, 0, 2]], right[:, [1, 2, 0]]],
        "That is the range; the interval is about the mean.": _ranges(dice, patients, groups),
    }


def _by_patient(dice, patients, groups):
    rows = []
    for group in np.unique(groups):
        own = (groups == group) & np.isfinite(dice)
        people = np.unique(patients[own])
        means = np.array([dice[own & (patients == one)].mean() for one in people])
        few = len(people) < FEWEST_PATIENTS
        rows.append((np.nan,) * 3 if few else (means.mean(), *bootstrap_interval(means)))
    return np.array(rows)


def _ranges(dice, patients, groups):
    table = report_by_group(dice, groups, patients)
    table.loc[table["mean"].isna(), ["min", "max"]] = np.nan
    return table[["mean", "min", "max"]].to_numpy(float)


@exercise
def fewest(function):
    """A function of (p, patients, looks) that gives the fewest patients with which 80 % of the reports find the gap."""
    steps = np.array([0.9, 0.3, 0.1, 0.06, 0.04, 0.02, 0.009, 0.006, 0.001, 0.0001])
    one = np.array([steps, steps**1.5, steps**2, steps**3])
    # exactly eight of ten in the second row
    edge = np.array([[0.2] * 3 + [0.01] * 7, [0.2] * 2 + [0.01] * 8, [0.2] + [0.01] * 9])
    limits = np.array([[0.05, 0.0084] * 5, [0.0084] * 9 + [0.05], [0.008] * 10])  # what lies just beyond a limit
    flat = np.array([[0.5, 0.6, 0.2, 0.03, 0.4], [0.1, 0.2, 0.01, 0.3, 0.04]])
    cases = {
        "for four numbers of patients and one look": (one, np.array([12, 25, 40, 90]), 1),
        "for the same and six looks": (one, np.array([12, 25, 40, 90]), 6),
        "where one number of patients reaches exactly 80 %": (edge, np.array([30, 55, 70]), 1),
        "for the same and four looks": (edge, np.array([30, 55, 70]), 4),
        "for p of exactly 0.05": (limits, np.array([15, 35, 60]), 1),
        "for p just above 0.05 / 6": (limits, np.array([15, 35, 60]), 6),
        "where no number of patients is enough": (flat, np.array([8, 16]), 1),
    }
    compare(
        function,
        _fewest,
        cases,
        _wrong_fewest,
        "A report finds the gap if p is below 0.05 / looks. Take the share of each row, and of the rows from 0.8 on "
        "the smallest number of patients; nan if there is none.",
        several="return one number of patients",
    )
    return "Six looks take more patients than one."


def _fewest(p, patients, looks, level=0.05, goal=0.8):
    enough = (p < level / looks).mean(axis=1) >= goal
    return float(patients[enough].min()) if enough.any() else np.nan


def _wrong_fewest(p, patients, looks):
    share = (p < 0.05 / looks).mean(axis=1)
    enough, more = share >= 0.8, share > 0.8
    first = int(enough.argmax())
    return {
        "Somebody who looks six times has six chances: p must be below 0.05 / looks.": _fewest(p, patients, 1),
        "That divides by too much, or by too little: the limit is 0.05 / looks.": [
            _fewest(p, patients, looks, 0.05 * looks**2),
            _fewest(p, patients, looks**2),
            _fewest(p, patients, looks, 0.01),
            _fewest(p, patients, looks, 0.1),
            _fewest(p, patients, 1, 1 - 0.95 ** (1 / looks)),
        ],
        "A p that is exactly the limit is no finding: p must be below it.": _first(
            patients, (p <= 0.05 / looks).mean(axis=1) >= 0.8
        ),
        "80 % is enough; it need not be more.": float(patients[more].min()) if more.any() else np.nan,
        "If no number of patients is enough, the answer is nan.": [
            float(patients[first]),
            float(patients[enough].min()) if enough.any() else float(patients[-1]),
            _or(_fewest(p, patients, looks), 0.0),
            _or(_fewest(p, patients, looks), -1.0),
        ],
        "That is the place in the array; look up the number of patients there.": [
            float(first) if enough.any() else np.nan,
            float(first),
            first,
        ],
        "That is the largest number; the fewest patients that are enough are asked for.": (
            float(patients[enough].max()) if enough.any() else np.nan
        ),
        "That is the power; return the number of patients.": [
            float(share[first]),
            float(share[enough].min()) if enough.any() else np.nan,
            float(share.max()),
        ],
        "That goes by the mean of p; count the reports in which p is small.": _by_mean(p, patients, looks),
        "That goes by the median of p, which asks for 50 %; ask for 80 %.": _fewest(p, patients, looks, goal=0.5),
        "Those are the reports that do not find the gap.": _first(patients, (p >= 0.05 / looks).mean(axis=1) >= 0.8),
    }


def _or(value, otherwise):
    return otherwise if np.isnan(value) else value


def _first(patients, enough):
    return float(patients[enough].min()) if enough.any() else np.nan


def _by_mean(p, patients, looks):
    return _first(patients, p.mean(axis=1) < 0.05 / looks)


@exercise
def adjusted(function):
    """A function of (dice, inside, strata) that gives the gap among patients alike in their stratum."""
    first = (
        [0.31, 0.28, 0.35, 0.40, 0.45, 0.78, 0.72, 0.81, 0.90, 0.86],
        [1, 1, 1, 1, 0, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1, 1, 1, 1, 1],
    )
    second = (
        [0.1, 0.5, 0.4, 0.8, 0.9, 0.95, 0.7, 0.6, 0.65, 0.2, 0.3],
        [0, 1, 1, 0, 1, 1, 0, 0, 1, 1, 1],
        [0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3],
    )
    third = ([0.6, 0.7, 0.2, 0.4, 0.9], [1, 0, 0, 1, 1], [5, 5, 7, 7, 7])
    words = ("a group with smaller nodules", "four sizes, one of them in the group only,", "five patients")
    compare(
        function,
        gap_by_strata,
        {
            f"for {what}": (np.array(dice), np.array(inside, bool), np.array(strata))
            for what, (dice, inside, strata) in zip(words, (first, second, third), strict=True)
        },
        _wrong_gaps,
        "In each stratum the mean of the group minus the mean of the others; then the mean of these, each counted as "
        "often as the group has patients there.",
        several="average over the strata",
    )
    return "The first group looks much worse, and among patients of one size hardly."


def _wrong_gaps(dice, inside, strata):
    gaps, own, others = [], [], []
    for stratum in np.unique(strata):
        here = strata == stratum
        gaps.append(dice[here & inside].mean() - dice[here & ~inside].mean() if (here & ~inside).any() else np.nan)
        own.append((here & inside).sum())
        others.append((here & ~inside).sum())
    gaps, own, others = map(np.array, (gaps, own, others))
    known = np.isfinite(gaps)
    right = np.average(gaps[known], weights=own[known])
    return {
        "A stratum without one of the two sides has no gap; leave it out.": [
            np.nan,
            np.nansum(gaps * own) / own.sum(),
            np.average(np.nan_to_num(gaps), weights=own),
        ],
        "That is the gap over all patients, sizes mixed; compare within each stratum.": [
            dice[inside].mean() - dice[~inside].mean(),
            dice[~inside].mean() - dice[inside].mean(),
        ],
        "The sign is turned: the group minus the others.": -right,
        "That gives each stratum the same weight; weigh it by its patients of the group.": [
            gaps[known].mean(),
            -gaps[known].mean(),
            np.median(gaps[known]),
        ],
        "Weigh by the patients of the group, not by all patients of the stratum.": (
            np.average(gaps[known], weights=(own + others)[known])
        ),
        "Weigh by the patients of the group, not by the others.": np.average(gaps[known], weights=others[known]),
        "Those are sums; divide by the patients of the group.": [np.nansum(gaps * own), np.nansum(gaps)],
        "That is the gap of one stratum; average over all of them.": [*gaps[known]],
        "That is the mean of the group, without the others.": dice[inside].mean(),
    }
