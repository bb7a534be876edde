"""Notebook 05b."""

import functools
import math

import numpy as np
from scipy import stats

from mutants import Exercise
from unet_helpers import bootstrap_interval
from unet_helpers.teaching.checks import comparison as check

NAN = float("nan")
percentile_interval = functools.partial(bootstrap_interval, method="percentile")


def drawing(
    draws=1000, ends=(0.025, 0.975), size=len, of=lambda groups: groups, average=np.mean, within=None, of_means=False,
    quantile=np.quantile, replace=True, seed=1,
):  # fmt: skip
    """An interval by draws, right or wrong by its arguments."""

    def interval(values, patients):
        rng = np.random.default_rng(seed)
        groups = [values[patients == patient] for patient in np.unique(patients)]
        means = []
        for _ in range(draws):
            drawn = [of(groups)[i] for i in rng.choice(len(of(groups)), size(groups), replace)]
            if within:
                drawn = [within(rng, group) for group in drawn]
            means.append(average([group.mean() for group in drawn] if of_means else np.concatenate(drawn)))
        return quantile(means, ends)

    return interval


def by_sums(values, patients):
    """Right: sums and sizes of all draws at once, as a list."""
    _, group = np.unique(patients, return_inverse=True)
    sums, sizes = np.bincount(group, weights=values), np.bincount(group)
    drawn = np.random.default_rng(7).integers(len(sums), size=(3000, len(sums)))
    return np.percentile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), [2.5, 97.5]).tolist()


def sorted_means(values, patients):
    """Right: the 25th and the 975th of 1000 sorted means."""
    names = sorted(set(patients.tolist()))
    rng = np.random.default_rng(11)
    means = sorted(
        np.concatenate([values[patients == name] for name in rng.choice(names, len(names))]).mean() for _ in range(1000)
    )
    return means[24], means[974]


def normal(values, patients):
    means = np.array([values[patients == patient].mean() for patient in np.unique(patients)])
    half = 1.96 * means.std(ddof=1) / np.sqrt(len(means))
    return values.mean() - half, values.mean() + half


def normal_of_draws(values, patients):
    low, high = drawing(ends=(0.16, 0.84))(values, patients)
    return values.mean() - 1.96 * (high - low) / 2, values.mean() + 1.96 * (high - low) / 2


def of_equal_blocks(values, patients):
    groups = values.reshape(len(np.unique(patients)), -1)
    drawn = np.random.default_rng(0).integers(len(groups), size=(1000, len(groups)))
    return np.quantile(groups[drawn].mean(axis=(1, 2)), [0.025, 0.975])


def interval_in_place(values, patients):
    answer = drawing()(values, patients)
    values.sort()
    return answer


def studies(
    draws=2000, multiple=None, ddof=1, size=None, replace=True, axis=1, average=np.mean, spread=np.std, seed=1,
    beyond=lambda mean, reach: np.abs(mean) > reach,
):  # fmt: skip
    """A power by simulation, right or wrong by its arguments."""

    def power(differences, patients):
        rng = np.random.default_rng(seed)
        reach = (multiple or stats.t.ppf(0.975, patients - 1)) / np.sqrt(patients)
        drawn = rng.choice(differences, size=(draws, size(differences) if size else patients), replace=replace)
        return beyond(average(drawn, axis=axis), reach * spread(drawn, axis=axis, ddof=ddof)).mean()

    return power


def power_by_loop(differences, patients):
    """Right: one study after the other, its interval from the package."""
    rng, shown = np.random.default_rng(2), 0
    multiple = stats.t.ppf(0.975, patients - 1)
    for _ in range(1500):
        drawn = [differences[i] for i in rng.integers(len(differences), size=patients)]
        middle, error = np.mean(drawn), stats.sem(drawn)
        shown += not middle - multiple * error <= 0 <= middle + multiple * error
    return shown / 1500


def power_by_formula(differences, patients):
    """Wrong, if near: of normal differences."""
    error = differences.std(ddof=1) / np.sqrt(patients)
    return stats.norm.sf(1.96 - abs(differences.mean()) / error)


def power_in_place(differences, patients):
    answer = studies()(differences, patients)
    differences -= differences.mean()
    return answer


def dealt(patients, k):
    return np.unique(patients, return_inverse=True)[1] % k


def dealt_by_dict(patients, k):
    """Right: as they come, a list."""
    order = {}
    for patient in patients.tolist():
        order.setdefault(patient, len(order) % k)
    return [order[patient] for patient in patients.tolist()]


def dealt_at_random(patients, k):
    """Right: shuffled patients."""
    names = np.random.default_rng(0).permutation(np.unique(patients))
    parts = np.array_split(names, k)
    fold = np.zeros(len(patients), int)
    for number, part in enumerate(parts):
        fold[np.isin(patients, part)] = number
    return fold


def dealt_in_order(patients, k):
    """Right, but for runs that come back: a new patient wherever the name changes."""
    return np.r_[0, np.cumsum(patients[1:] != patients[:-1])] % k


def folds_in_place(patients, k):
    answer = dealt(patients, k)
    patients.sort()
    return answer


def blocks_of_patients(patients, k):
    place = np.unique(patients, return_inverse=True)[1]
    return np.minimum(place // ((place.max() + 1) // k), k - 1)


def by_slices_greedily(patients, k):
    """Wrong: as equal as possible in slices, as GroupKFold does it."""
    names, place, sizes = np.unique(patients, return_inverse=True, return_counts=True)
    fold, load = np.zeros(len(names), int), np.zeros(k, int)
    for name in np.argsort(-sizes, kind="stable"):
        fold[name] = load.argmin()
        load[fold[name]] += sizes[name]
    return fold[place]


EXERCISES = [
    Exercise(
        "05.6",
        check.interval,
        right={
            "the package's": percentile_interval,
            "a loop of draws": drawing(),
            "a loop with another seed": drawing(seed=2),
            "all draws at once": by_sums,
            "sorted means": sorted_means,
        },
        wrong={
            "slices drawn": (lambda values, patients: percentile_interval(values), "all slices are independent"),
            "the spread of the values": (lambda v, p: np.quantile(v, [0.025, 0.975]), "spread of the values"),
            "the spread of the patients": (
                lambda v, p: np.quantile([v[p == one].mean() for one in np.unique(p)], [0.025, 0.975]),
                "Draw from all patients",
            ),
            "the mean alone": (lambda v, p: v.mean(), "two numbers"),
            "the mean twice": (lambda v, p: (v.mean(), v.mean()), "with* replacement"),
            "all means": (lambda v, p: [v[p == one].mean() for one in np.unique(p)], "two numbers"),
            "a set of two": (lambda v, p: set(percentile_interval(v, p)), "two numbers"),
            "high and low": (lambda v, p: percentile_interval(v, p)[::-1], "low is above high"),
            "two texts": (lambda v, p: tuple(map(str, percentile_interval(v, p))), "a number was expected"),
            "patients with more slices drawn more often": (
                lambda v, p: drawing()(
                    np.concatenate([v[p == x] for x in p]), np.repeat(np.arange(len(p)), [sum(p == x) for x in p])
                ),
                "percentile of the means",
            ),
            "without replacement": (drawing(replace=False), "with* replacement"),
            "half of it": (drawing(ends=(0.25, 0.75)), "as many as there are"),
            "90 %": (drawing(ends=(0.05, 0.95)), "5 % are left out at each end"),
            "98 %": (drawing(ends=(0.01, 0.99)), "1 % is left out at each end"),
            "from the lowest on": (drawing(ends=(0, 0.95)), "2.5th and the 97.5th"),
            "smallest and largest": (drawing(ends=(0, 1)), "2.5th and the 97.5th"),
            "quantiles of percentile": (drawing(quantile=np.percentile), "np.percentile from 0 to 100"),
            "percentiles of quantile": (drawing(ends=(2.5, 97.5)), "your code raised ValueError"),
            "20 draws": (drawing(draws=20), "1000 times or more"),
            "50 draws": (drawing(draws=50), "1000 times or more"),
            "one draw": (drawing(draws=1), "replacement"),
            "8 patients a draw": (drawing(size=lambda groups: 8), "as many as there are"),
            "12 patients a draw": (drawing(size=lambda groups: 12), "as many as there are"),
            "three patients fewer a draw": (
                drawing(size=lambda groups: len(groups) - 3),
                "fewer patients drawn than there are",
            ),
            "one patient fewer a draw": (drawing(size=lambda groups: len(groups) - 1), "as many as there are"),
            "one patient more a draw": (drawing(size=lambda groups: len(groups) + 1), "as many as there are"),
            "5 % at one end": (drawing(ends=(0.025, 0.95)), "2.5th and the 97.5th"),
            "1 % at one end": (drawing(ends=(0.01, 0.975)), "2.5th and the 97.5th"),
            "four slices a patient": (drawing(within=lambda rng, group: group[:4]), "percentile of the means"),
            "the second patient never drawn": (
                drawing(of=lambda groups: groups[:1] + groups[2:]),
                "Draw from all patients",
            ),
            "the last patient never drawn": (drawing(of=lambda groups: groups[:-1]), "Draw from all patients"),
            "the first patient never drawn": (drawing(of=lambda groups: groups[1:]), "Draw from all patients"),
            "one slice a patient": (
                drawing(within=lambda rng, group: group[rng.integers(len(group), size=1)]),
                "Take all slices of a drawn patient",
            ),
            "slices drawn again": (
                drawing(within=lambda rng, group: group[rng.integers(len(group), size=len(group))]),
                "Take all slices of a drawn patient",
            ),
            "the first slice of each": (drawing(within=lambda rng, group: group[:1]), "as many as there are"),
            "mean of means": (drawing(of_means=True), "Average all values of a draw together"),
            "medians": (drawing(draws=300, average=np.median), "percentile of the means"),
            "sums": (drawing(average=np.sum), "percentile of the means"),
            "normal, without draws": (normal, "percentiles of draws"),
            "normal, of draws": (normal_of_draws, "percentile of the means"),
            "Student's t": (lambda v, p: bootstrap_interval(v, p, method="t"), "A formula, as Student's t"),
            "blocks of equal size": (of_equal_blocks, "your code raised ValueError"),
            "always from 0 to 1": (lambda v, p: (0, 1), "percentile of the means"),
            "the example": (lambda v, p: (0.47, 0.7), "percentile of the means"),
            "nan": (lambda v, p: (NAN, NAN), "are no interval"),
            "everything": (lambda v, p: (-math.inf, math.inf), "are no interval"),
            "in place": (interval_in_place, "changes what it is given"),
        },
        survives={
            "200 draws": (drawing(draws=200), "its ends mostly lie within what 1000 draws may be off by"),
            "94 %": (drawing(ends=(0.03, 0.97)), "half a percent at each end moves it less than 1000 draws may"),
            "500 draws": (
                drawing(draws=500),
                "its ends lie within what 1000 draws may be off by",
            ),
        },
    ),
    Exercise(
        "05.7",
        check.power,
        right={
            "all draws at once": studies(),
            "with another seed": studies(seed=5),
            "a loop": power_by_loop,
            "twenty thousand draws": studies(draws=20_000),
        },
        wrong={
            "those that hold 0": (studies(beyond=lambda m, r: np.abs(m) <= r), "does hold 0"),
            "percent": (lambda d, n: 100 * studies()(d, n), "neither percent"),
            "as many as there are": (studies(size=len), "as `patients` says"),
            "above 0 only": (studies(beyond=lambda m, r: m > r), "below 0 leaves it out"),
            "below 0 only": (studies(beyond=lambda m, r: m < -r), "above 0 leaves it out"),
            "one standard error": (studies(multiple=1), "one standard error"),
            "divided by the root twice": (
                lambda d, n: studies(multiple=stats.t.ppf(0.975, n - 1) / np.sqrt(n))(d, n),
                "already holds the root",
            ),
            "the mean alone": (studies(beyond=lambda m, r: m > 0), "farther from"),
            "reach without the deviation": (
                studies(spread=lambda x, axis, ddof: 1.0),
                "times their standard deviation",
            ),
            "the variance": (studies(spread=np.var), "the variance"),
            "90 %": (lambda d, n: studies(multiple=stats.t.ppf(0.95, n - 1))(d, n), "times their standard deviation"),
            "99 %": (lambda d, n: studies(multiple=stats.t.ppf(0.995, n - 1))(d, n), "times their standard deviation"),
            "medians": (studies(average=np.median), "farther from"),
            "over the other axis": (studies(axis=0), "farther from"),
            "without replacement": (studies(replace=False), "your code raised ValueError"),
            "20 draws": (studies(draws=20), "2000 times"),
            "50 draws": (studies(draws=50), "2000 times"),
            "ddof 0": (studies(ddof=0), "divides by one less"),
            "a count": (lambda d, n: 2000 * studies()(d, n), "nor a count"),
            "half as many patients": (lambda d, n: studies(size=lambda d: n // 2)(d, n), "farther from"),
            "a share for each draw": (
                lambda d, n: np.ones(2000, bool),
                "take the mean over all draws",
            ),
            "always 0.8": (lambda d, n: 0.8, "farther from"),
            "text": (lambda d, n: str(studies()(d, n)), "a number was expected"),
            "a formula for normal differences": (power_by_formula, "farther from"),
            "in place": (power_in_place, "changes what it is given"),
        },
        survives={
            "two patients fewer": (
                lambda d, n: studies(size=lambda d: n - 2)(d, n),
                "its mean scatters more but its interval is narrower, and the share is nearly the same",
            ),
            "100 draws": (studies(draws=100), "its shares happen to lie within what 2000 draws may be off by"),
        },
        equivalent={"a hundredth more": "2000 draws may be off by as much"},
    ),
    Exercise(
        "05.8",
        check.folds,
        right={
            "dealt by place": dealt,
            "a dictionary": dealt_by_dict,
            "shuffled patients in parts": dealt_at_random,
            "from the last on": lambda patients, k: k - 1 - dealt(patients, k),
        },
        wrong={
            "slices dealt": (lambda patients, k: np.arange(len(patients)) % k, "was trained on"),
            "blocks of slices": (lambda patients, k: np.arange(len(patients)) * k // len(patients), "was trained on"),
            "slices at random": (
                lambda patients, k: np.random.default_rng(0).integers(k, size=len(patients)),
                "was trained on",
            ),
            "patients at random": (
                lambda patients, k: np.random.default_rng(0).integers(k, size=len(patients))[
                    np.unique(patients, return_inverse=True)[1]
                ],
                "deal the patients out",
            ),
            "a new patient where the name changes": (dealt_in_order, "was trained on"),
            "blocks, the rest in the last": (blocks_of_patients, "deal the patients out"),
            "equal in slices": (by_slices_greedily, "deal the patients out"),
            "all in one": (lambda patients, k: np.zeros(len(patients), int), "deal the patients out"),
            "from 1 on": (lambda patients, k: dealt(patients, k) + 1, "number the folds from 0"),
            "one fold more": (lambda patients, k: dealt(patients, k + 1), "number the folds from 0"),
            "one fold fewer": (lambda patients, k: dealt(patients, k - 1), "deal the patients out"),
            "always five": (lambda patients, k: dealt(patients, 5), "number the folds from 0"),
            "the place of the patient": (
                lambda patients, k: np.unique(patients, return_inverse=True)[1],
                "number the folds from 0",
            ),
            "of the patients": (lambda patients, k: np.arange(len(np.unique(patients))) % k, "not one per patient"),
            "test or not": (lambda patients, k: dealt(patients, k) == 0, "integers were expected"),
            "shares": (lambda patients, k: dealt(patients, k) / k, "integers were expected"),
            "text": (lambda patients, k: dealt(patients, k).astype(str), "integers were expected"),
            "a dictionary of patients": (
                lambda patients, k: dict(zip(patients.tolist(), dealt(patients, k).tolist(), strict=True)),
                "in which each slice has its place",
            ),
            "a set": (lambda patients, k: set(dealt(patients, k).tolist()), "in which each slice has its place"),
            "the number in the name": (
                lambda patients, k: np.array([int(p[1:]) % k for p in patients]),
                "deal the patients out",
            ),
            "the number itself": (lambda patients, k: patients % k, "raised"),
            "in place": (folds_in_place, "changes what it is given"),
        },
    ),
]
