"""Notebook 18."""

import numpy as np
import pandas as pd

from mutants import Exercise
from unet_helpers import bootstrap_interval
from unet_helpers.evaluation import gap_by_strata, report_by_group
from unet_helpers.teaching.checks import subgroups as check


def by_mask(dice, patients, groups, least=5, count=lambda people: len(set(people)), together=True, mean=np.mean):
    """A report, right or wrong by its arguments."""
    rows = []
    for group in np.unique(groups):
        own = (groups == group) & ~np.isnan(dice)
        if count(patients[own]) < least:
            rows.append((np.nan, np.nan, np.nan))
        else:
            people = patients[own] if together else None
            rows.append((mean(dice[own]), *bootstrap_interval(dice[own], people)))
    return np.array(rows)


def by_pandas(dice, patients, groups):
    table = pd.DataFrame({"dice": dice, "patient": patients, "group": groups})
    rows = []
    for _, part in table.groupby("group"):
        ends = bootstrap_interval(part["dice"], part["patient"])
        rows.append([part["dice"].mean() if ends[0] == ends[0] else float("nan"), *ends])
    return rows


def mean_all_the_same(dice, patients, groups):
    right = by_mask(dice, patients, groups)
    right[:, 0] = [np.nanmean(dice[groups == group]) for group in np.unique(groups)]
    return right


def counts_nan(dice, patients, groups):
    rows = []
    for group in np.unique(groups):
        own = groups == group
        few = len(np.unique(patients[own])) < 5
        values = dice[own & ~np.isnan(dice)]
        people = patients[own & ~np.isnan(dice)]
        ends = bootstrap_interval(values, people, method="t")
        rows.append((np.nan,) * 3 if few else (values.mean(), *ends))
    return np.array(rows)


def patient_means_first(dice, patients, groups):
    table = pd.DataFrame({"dice": dice, "patient": patients, "group": groups}).dropna()
    means = table.groupby(["group", "patient"])["dice"].mean()
    rows = []
    for group in np.unique(groups):
        values = means[group].to_numpy() if group in means else np.array([])
        rows.append((values.mean(), *bootstrap_interval(values)) if len(values) >= 5 else (np.nan,) * 3)
    return np.array(rows)


def the_range(dice, patients, groups):
    right = by_mask(dice, patients, groups)
    for row, group in zip(right, np.unique(groups), strict=True):
        if row[0] == row[0]:
            row[1:] = np.nanmin(dice[groups == group]), np.nanmax(dice[groups == group])
    return right


def fills_nan(dice, patients, groups):
    right = by_mask(dice, patients, groups)
    dice[np.isnan(dice)] = 0
    return right


def first_enough(p, patients, looks, level=0.05, goal=0.8, strict=False):
    """The first row that is enough, right or wrong by its arguments."""
    for row, count in zip(p, patients.tolist(), strict=True):
        share = np.mean(row < level / looks)
        if share > goal or (share >= goal and not strict):
            return count
    return np.nan


def included(p, patients, looks):
    return next((c for row, c in zip(p, patients, strict=True) if np.mean(row <= 0.05 / looks) >= 0.8), np.nan)


def smallest_enough(p, patients, looks):
    enough = patients[(p < 0.05 / looks).mean(axis=1) >= 0.8]
    return enough.min() if len(enough) else float("nan")


def sorted_rows(p, patients, looks):
    """The reports in order: in four of five p has to be small."""
    place = int(np.ceil(0.8 * p.shape[1])) - 1
    enough = np.sort(p, axis=1)[:, place] < 0.05 / looks
    return patients[enough][0] if enough.any() else np.nan


def sorts_in_place(p, patients, looks):
    answer = first_enough(p, patients, looks)
    p.sort(axis=1)
    return answer


def stratified(dice, inside, strata, weight=lambda own, others: own, average=np.average):
    """A gap within strata, right or wrong by its weights."""
    gaps, weights = [], []
    for stratum in np.unique(strata):
        own, others = dice[inside & (strata == stratum)], dice[~inside & (strata == stratum)]
        if len(own) and len(others):
            gaps.append(own.mean() - others.mean())
            weights.append(weight(len(own), len(others)))
    return average(gaps, weights=weights)


def expected_of_the_others(dice, inside, strata):
    """Each patient of the group beside the mean of the others of the same size."""
    differences = []
    for value, stratum in zip(dice[inside], strata[inside], strict=True):
        others = dice[~inside & (strata == stratum)]
        if len(others):
            differences.append(value - others.mean())
    return sum(differences) / len(differences)


def no_check_of_both_sides(dice, inside, strata):
    total, count = 0.0, 0
    for stratum in np.unique(strata):
        own, others = dice[inside & (strata == stratum)], dice[~inside & (strata == stratum)]
        total += len(own) * (own.mean() - (others.mean() if len(others) else own.mean()))
        count += len(own)
    return total / count


def centers_in_place(dice, inside, strata):
    answer = stratified(dice, inside, strata)
    dice -= dice.mean()
    return answer


EXERCISES = [
    Exercise(
        "18.1",
        check.report,
        right={
            "masks": by_mask,
            "pandas": by_pandas,
            "the package's": lambda d, p, g: report_by_group(d, g, p)[["mean", "low", "high"]].to_numpy(float),
        },
        wrong={
            "scans as patients": (lambda d, p, g: by_mask(d, p, g, together=False), "no two patients"),
            "scans as patients and counted": (
                lambda d, p, g: by_mask(d, p, g, count=len, together=False),
                "no two patients",
            ),
            "a mean for few": (mean_all_the_same, "nan for the mean as well"),
            "scans counted": (
                lambda d, p, g: [
                    (np.nanmean(d[g == one]) if np.isfinite(d[g == one]).sum() >= 5 else np.nan, *row[1:])
                    for one, row in zip(np.unique(g), by_mask(d, p, g), strict=True)
                ],
                "Count patients, and not scans",
            ),
            "six at least": (lambda d, p, g: by_mask(d, p, g, least=6), "Five patients are enough"),
            "nan counts": (counts_nan, "does not count among the five"),
            "patients first": (patient_means_first, "the mean of each patient first"),
            "the range": (the_range, "That is the range"),
            "high before low": (lambda d, p, g: by_mask(d, p, g)[:, [0, 2, 1]], "exchanged"),
            "mean in the middle": (lambda d, p, g: by_mask(d, p, g)[:, [1, 0, 2]], "Mean comes first"),
            "median": (lambda d, p, g: by_mask(d, p, g, mean=np.median), "the mean of its Dice"),
            "without the interval": (lambda d, p, g: by_mask(d, p, g)[:, 0], "it gives shape"),
            "groups as columns": (lambda d, p, g: by_mask(d, p, g).T, "it gives shape"),
            "few left out": (
                lambda d, p, g: by_mask(d, p, g)[~np.isnan(by_mask(d, p, g)[:, 0])],
                "one row for each group",
            ),
            "two digits": (lambda d, p, g: by_mask(d, p, g).round(2), "It is rounded"),
            "as text": (lambda d, p, g: by_mask(d, p, g).astype(str), "numbers were expected"),
            "in place": (fills_nan, "changes what it is given"),
        },
    ),
    Exercise(
        "18.2",
        check.fewest,
        right={"row by row": first_enough, "all at once": smallest_enough, "sorted": sorted_rows},
        wrong={
            "one look always": (lambda p, n, k: first_enough(p, n, 1), "six chances"),
            "times the looks": (lambda p, n, k: first_enough(p, n, 1, level=0.05 * k), "by too little"),
            "looks squared": (lambda p, n, k: first_enough(p, n, k * k), "by too much"),
            "a hundredth": (lambda p, n, k: first_enough(p, n, k, level=0.01), "by too much"),
            "more than 80 %": (lambda p, n, k: first_enough(p, n, k, strict=True), "it need not be more"),
            "the last if none": (
                lambda p, n, k: n[-1] if np.isnan(first_enough(p, n, k)) else first_enough(p, n, k),
                "the answer is nan",
            ),
            "argmax alone": (
                lambda p, n, k: n[((p < 0.05 / k).mean(axis=1) >= 0.8).argmax()],
                "the answer is nan",
            ),
            "the place": (
                lambda p, n, k: int(((p < 0.05 / k).mean(axis=1) >= 0.8).argmax()),
                "the place in the array",
            ),
            "the largest": (
                lambda p, n, k: np.append(n, np.nan)[[-1 if np.isnan(first_enough(p, n, k)) else -2]][0],
                "the largest number",
            ),
            "the power": (lambda p, n, k: (p < 0.05 / k).mean(axis=1).max(), "That is the power"),
            "mean of p": (
                lambda p, n, k: next((c for r, c in zip(p, n, strict=True) if r.mean() < 0.05 / k), np.nan),
                "the mean of p",
            ),
            "limit included": (lambda p, n, k: included(p, n, k), "p must be below it"),
            "Šidák's limit": (lambda p, n, k: first_enough(p, n, 1, level=1 - 0.95 ** (1 / k)), "0.05 / looks"),
            "half of the reports": (lambda p, n, k: first_enough(p, n, k, goal=0.5), "asks for 50 %"),
            "reports that miss it": (
                lambda p, n, k: next((c for r, c in zip(p, n, strict=True) if np.mean(r >= 0.05 / k) >= 0.8), np.nan),
                "do not find the gap",
            ),
            "all powers": (lambda p, n, k: (p < 0.05 / k).mean(axis=1), "one number was expected"),
            "a constant": (lambda p, n, k: 40, "It gives the same"),
            "as text": (lambda p, n, k: str(first_enough(p, n, k)), "a number was expected"),
            "in place": (sorts_in_place, "changes what it is given"),
        },
    ),
    Exercise(
        "18.3",
        check.adjusted,
        right={
            "within strata": stratified,
            "beside the others": expected_of_the_others,
            "the package's": gap_by_strata,
        },
        wrong={
            "all patients": (lambda d, i, s: d[i].mean() - d[~i].mean(), "sizes mixed"),
            "all patients, turned": (lambda d, i, s: d[~i].mean() - d[i].mean(), "sizes mixed"),
            "turned": (lambda d, i, s: -stratified(d, i, s), "The sign is turned"),
            "each stratum alike": (
                lambda d, i, s: stratified(d, i, s, weight=lambda own, others: 1),
                "the same weight",
            ),
            "weighed by all": (
                lambda d, i, s: stratified(d, i, s, weight=lambda own, others: own + others),
                "not by all patients",
            ),
            "weighed by the others": (
                lambda d, i, s: stratified(d, i, s, weight=lambda own, others: others),
                "not by the others",
            ),
            "a sum": (
                lambda d, i, s: stratified(d, i, s, average=lambda g, weights: float(np.dot(g, weights))),
                "Those are sums",
            ),
            "a lonely stratum as no gap": (no_check_of_both_sides, "has no gap; leave it out"),
            "the first stratum": (
                lambda d, i, s: d[i & (s == s.min())].mean() - d[~i & (s == s.min())].mean(),
                "the gap of one stratum",
            ),
            "the group alone": (lambda d, i, s: d[i].mean(), "without the others"),
            "medians": (
                lambda d, i, s: np.mean([np.median(d[i & (s == k)]) - np.median(d[~i & (s == k)]) for k in s[i]]),
                "In each stratum the mean",
            ),
            "gaps of all": (
                lambda d, i, s: [d[i & (s == k)].mean() for k in np.unique(s)],
                "average over the strata",
            ),
            "two digits": (lambda d, i, s: round(stratified(d, i, s), 2), "It is rounded"),
            "a constant": (lambda d, i, s: -0.1, "It gives the same"),
            "as text": (lambda d, i, s: f"{stratified(d, i, s):.4f}", "a number was expected"),
            "in place": (centers_in_place, "changes what it is given"),
        },
    ),
]
