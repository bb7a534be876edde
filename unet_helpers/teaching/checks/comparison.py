"""Self-checks of notebook 05b, is one better than the other?"""

import functools
import math

import numpy as np

from ...evaluation.intervals import bootstrap_interval
from ._verdict import Raised, Wrong, call, exercise, number

#: what exercise 05.6 asks for, though the package gives Student's t unless told
_percentile_interval = functools.partial(bootstrap_interval, method="percentile")


def _studies():
    """Small studies on which wrong intervals differ: what it is, values, patients, right interval."""
    rng = np.random.default_rng(5)
    twelve = np.repeat(rng.uniform(0.3, 0.95, 12), 20) + rng.normal(0, 0.01, 240)
    sizes = np.array([30, 3, 20, 1, 4, 2, 9, 2])  # slices of a patient; those with many have high values
    turn = np.argsort(np.concatenate([np.arange(size) for size in sizes]), kind="stable")
    uneven = np.repeat([0.9, 0.4, 0.8, 0.3, 0.5, 0.1, 0.7, 0.2], sizes)[turn] + rng.normal(0, 0.02, sizes.sum())
    skewed = np.repeat([0.6, 0.05, 0.03, 0.1, 0.07, 0.04, 0.02, 0.9], 3) + np.tile([-0.02, 0, 0.02], 8)
    alike = np.repeat(rng.uniform(0.45, 0.55, 16), 4) + np.tile([-0.4, -0.1, 0.2, 0.3], 16)
    studies = {
        "12 patients with 20 similar slices each": (twelve, np.repeat([f"P{k:02d}" for k in range(12)], 20)),
        "8 patients with 1 to 30 slices": (uneven, np.repeat([3, 7, 10, 12, 15, 20, 22, 41], sizes)[turn]),
        "8 patients, two far better than the others": (skewed, np.repeat([f"P{k}" for k in range(2, 10)], 3)),
        "16 similar patients with 4 different slices each": (alike, np.repeat(np.arange(16), 4)),
        "4 patients, one of them with 0.8 and the others with 0.2": (
            np.array([0.2, 0.8, 0.2, 0.2, 0.2, 0.8, 0.2, 0.2]),
            np.array([1, 2, 3, 4, 1, 2, 3, 4]),
        ),
    }
    return [(what, *study, _percentile_interval(*study, repeats=20_000)) for what, study in studies.items()]


@exercise
def interval(function):
    """A function of (values, patients) that gives a 95 % interval of the mean, patients drawn with replacement."""
    studies = _studies()
    found = np.array([_two_numbers(call(function, values, patients)) for _, values, patients, _ in studies])
    right = np.array([ends for *_, ends in studies])
    # in standard errors of each study's mean, outward: 1000 draws leave an end uncertain by a tenth of one; in the last
    # study all draws have one of five means, and its ends are exact
    off = (found - right) / np.ptp(right, axis=1, keepdims=True) * [-4, 4]
    too_much = np.abs(off) > np.array([[0.7], [0.7], [0.7], [0.7], [0.05]])
    if too_much.any() or np.abs(off[:-1].mean(axis=0)).max() > 0.25 or abs(off[:-1].mean()) > 0.18:
        k = np.abs(off).max(axis=1).argmax()
        (low, high), (left, wide) = right[k], found[k]
        raise Wrong(
            f"on {studies[k][0]} your interval is {wide - left:.3f} wide, from {left:.3f} to {wide:.3f}; about "
            f"{low:.3f} to {high:.3f} was expected. {_what_is_wrong(studies[:-1], found[:-1], off[:-1])}"
        )
    _, values, patients, _ = studies[0]
    (low, high), (left, wide) = _percentile_interval(values, patients), _percentile_interval(values)
    return f"About {(high - low) / (wide - left):.0f} times as wide as if the slices were drawn."


def _two_numbers(given):
    if np.shape(given) != (2,):
        raise Wrong("it must return two numbers, low and high.")
    low, high = map(number, given)
    if not math.isfinite(high - low):
        raise Wrong(f"{low} and {high} are no interval; check what is averaged.")
    if low > high:
        raise Wrong("low is above high; return (low, high).")
    return low, high


#: wrong intervals, by what is to be done in their place
_WRONG_INTERVALS = {
    "So wide it is if all slices are independent. Draw patients, each with all its slices.": (
        lambda values, patients: _percentile_interval(values)
    ),
    "That is the spread of the values. The interval is about their mean, so average each draw.": (
        lambda values, patients: np.quantile(values, [0.025, 0.975])
    ),
    "Average all values of a draw together, not the means of its patients: who has more slices counts more.": (
        lambda values, patients: _percentile_interval(
            [values[patients == patient].mean() for patient in np.unique(patients)]
        )
    ),
    "So it is if 5 % are left out at each end (leave out 2.5 %), or more patients drawn than there are.": (
        lambda values, patients: _percentile_interval(values, patients, level=0.9)
    ),
    "So it is if 1 % is left out at each end (leave out 2.5 %), or fewer patients drawn than there are.": (
        lambda values, patients: _percentile_interval(values, patients, level=0.98)
    ),
    "A formula, as Student's t, puts both ends equally far from the mean; percentiles of draws are asked for.": (
        lambda values, patients: bootstrap_interval(values, patients, method="t")
    ),
}


def _what_is_wrong(studies, found, off):
    """What to say of intervals of the studies that are ``off``."""
    right = np.array([ends for *_, ends in studies])
    unit = np.ptp(right, axis=1, keepdims=True) / 4
    for hint, program in _WRONG_INTERVALS.items():
        beside = (found - [program(values, patients) for _, values, patients, _ in studies]) / unit
        if np.abs(beside).max() < 0.5 and np.abs(beside.mean(axis=0)).max() < 0.2:
            return hint
    if (found[:, 1] < right[:, 0]).all():
        return "Both ends lie too low: np.quantile counts from 0 to 1, np.percentile from 0 to 100."
    if (np.ptp(found, axis=1) < unit[:, 0]).all():
        return "Much too narrow: draw *with* replacement, or every draw holds the same patients."
    if np.abs(off[[0, 2]]).max() < 0.7 and off[-1].min() > 2:  # only where the slices of a patient differ
        return "Take all slices of a drawn patient; nothing is drawn among them."
    return (
        "Draw from all patients, as many as there are, 1000 times or more; the ends are the 2.5th and the 97.5th "
        "percentile of the means."
    )


def _power(differences, patients, draws=20_000, ddof=1, multiple=None, draw=None, spread=np.std):
    """Share of draws whose interval by Student's t leaves out 0; by its arguments also wrong ones."""
    from scipy import stats

    rng = np.random.default_rng(3)
    drawn = rng.choice(differences, size=(draws, draw or patients))
    reach = (multiple or stats.t.ppf(0.975, patients - 1)) / math.sqrt(patients)
    return float(np.mean(np.abs(drawn.mean(axis=1)) > reach * spread(drawn, axis=1, ddof=ddof)))


#: differences whose power lies between 0 and 1: what they are, the differences, and how many patients
_DIFFERENCES = (
    ("ten differences around 0.1, with 12 patients", np.array([3, -2, 1, 4, 0, -1, 2, 3, -1, 1]) / 10, 12),
    ("the same with 30 patients", np.array([3, -2, 1, 4, 0, -1, 2, 3, -1, 1]) / 10, 30),
    ("seven differences around −0.06, with 8 patients", np.array([-13, -1, 3, -18, 2, -9, -6]) / 100, 8),
    ("six differences around 0, with 20 patients", np.array([-3, 3, -1, 1, 2, -2]) / 10, 20),
)

#: wrong programs for the power, by what is to be said of them
_WRONG_POWERS = {
    "That is the share of draws whose interval does hold 0; the others are asked for.": (
        lambda differences, patients: 1 - _power(differences, patients)
    ),
    "The standard deviation of a sample divides by one less than its size: std(axis=1, ddof=1).": (
        lambda differences, patients: _power(differences, patients, ddof=0)
    ),
    "Draw as many as `patients` says, not as many as there are differences.": (
        lambda differences, patients: _power(differences, patients, draw=len(differences))
    ),
    "Count an interval on either side of 0: one wholly below 0 leaves it out as well.": (
        lambda differences, patients: _one_sided(differences, patients)
    ),
    "Count an interval on either side of 0: one wholly above 0 leaves it out as well.": (
        lambda differences, patients: _one_sided(-differences, patients)
    ),
    "The interval goes `reach` standard deviations to each side; yours goes one standard error.": (
        lambda differences, patients: _power(differences, patients, multiple=1)
    ),
    "That is the variance; take its root, the standard deviation.": (
        lambda differences, patients: _power(differences, patients, spread=np.var)
    ),
    "`reach` already holds the root of the number of patients; multiply it by the standard deviation alone.": (
        lambda differences, patients: _power(differences, patients, multiple=2 / math.sqrt(patients))
    ),
}


def _one_sided(differences, patients):
    """Share of draws whose interval lies above 0."""
    from scipy import stats

    drawn = np.random.default_rng(3).choice(differences, size=(20_000, patients))
    reach = stats.t.ppf(0.975, patients - 1) / math.sqrt(patients)
    return float(np.mean(drawn.mean(axis=1) > reach * drawn.std(axis=1, ddof=1)))


@exercise
def power(function):
    """A function of (differences, patients) that gives the share of simulated studies whose interval leaves out 0."""
    given = [_share(call(function, differences, patients)) for _, differences, patients in _DIFFERENCES]
    right = [_power(differences, patients) for _, differences, patients in _DIFFERENCES]
    # 2000 draws leave a share uncertain by a hundredth
    off = np.abs(np.subtract(given, right))
    if off.max() > 0.045 or off.mean() > 0.02:
        worst = off.argmax()
        what = _DIFFERENCES[worst][0]
        hint = (
            "Draw `patients` differences with replacement, 2000 times, and count the draws whose mean is farther from "
            "0 than `reach` times their standard deviation (ddof=1)."
        )
        for words, program in _WRONG_POWERS.items():
            if np.abs(np.subtract(given, [program(*case) for _, *case in _DIFFERENCES])).max() < 0.04:
                hint = words
                break
        raise Wrong(f"for {what} it gives {given[worst]:.2f}, and about {right[worst]:.2f} was expected. {hint}")
    return f"For ten differences around 0.1, about {right[0]:.1f} with 12 patients and {right[1]:.1f} with 30."


def _share(value):
    share = number(value, "take the mean over all draws")
    if share > 1:
        raise Wrong(f"it gives {share:.4g}; return a share, from 0 to 1, neither percent nor a count.")
    return share


#: patients of slices, and a number of folds: none in order, of unequal numbers of slices
_SLICES = (
    ("eleven patients in 4 folds", np.repeat([f"P{k:03d}" for k in (7, 3, 12, 1, 30, 8, 21, 4, 16, 2, 9)], 3), 4),
    ("seven patients of 1 to 9 slices in 3 folds", np.repeat(list("DAGBFCE"), (9, 1, 4, 7, 2, 1, 3)), 3),
    ("six patients with their slices mixed, in 5 folds", np.array([4, 2, 9, 4, 7, 2, 2, 9, 1, 4, 30, 1, 7, 30]), 5),
    ("four patients in 4 folds", np.array(["b", "b", "d", "a", "c", "a"]), 4),
)


@exercise
def folds(function):
    """A function of (patients, k) that gives the number of its fold for each slice."""
    for what, patients, k in _SLICES:
        try:
            given = call(function, patients, k)
        except Raised as error:
            cause = error.__cause__
            raise Wrong(f"for {what} your code raised {type(cause).__name__}: {cause}") from cause
        if isinstance(given, (set, dict)):
            raise Wrong(f"it gives a {type(given).__name__}; return an array, in which each slice has its place.")
        fold = np.asarray(given)
        if fold.shape != patients.shape:
            by_patient = fold.shape == np.unique(patients).shape
            raise Wrong(
                f"for {what}, {len(patients)} slices, it gives an answer of shape {fold.shape}; one number per slice "
                f"is asked for{', not one per patient' if by_patient else ''}."
            )
        if fold.dtype.kind not in "iu":
            raise Wrong(f"it gives {fold.ravel()[:1].tolist()}, and integers were expected.")
        if fold.min() < 0 or fold.max() >= k:
            raise Wrong(
                f"for {what} the numbers go from {fold.min()} to {fold.max()}; number the folds from 0 to {k - 1}."
            )
        _hold_patients_together(what, patients, fold, k)


def _hold_patients_together(what, patients, fold, k):
    of_patient = {patient: set(fold[patients == patient].tolist()) for patient in np.unique(patients).tolist()}
    torn = [patient for patient, own in of_patient.items() if len(own) > 1]
    if torn:
        raise Wrong(
            f"for {what}, patient {torn[0]} has slices in {len(of_patient[torn[0]])} folds: a network would be tested "
            "on a patient it was trained on. Give the patients their fold, and each slice that of its patient."
        )
    sizes = np.bincount([own.pop() for own in of_patient.values()], minlength=k)
    if np.ptp(sizes) > 1:
        raise Wrong(
            f"for {what} the folds hold {', '.join(map(str, sizes))} patients; deal the patients out one by one, so "
            "that the numbers differ by one at most."
        )
