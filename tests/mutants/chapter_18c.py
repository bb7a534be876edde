"""Notebook 18c."""

import numpy as np
from scipy import stats

from mutants import Exercise
from unet_helpers import bootstrap_interval
from unet_helpers.teaching.checks import explanations as check


def integrated(gradient, image, baseline, steps, at=0.5, start=None):
    """The mean gradient on the way, times the way."""
    start = baseline if start is None else start
    total = 0
    for k in range(steps):
        total = total + gradient(start + (k + at) / steps * (image - start))
    return (image - baseline) * total / steps


def by_pieces(gradient, image, baseline, steps):
    """Adds up what each piece of the way brings."""
    piece = (image - baseline) / steps
    return sum(gradient(baseline + piece / 2 + k * piece) * piece for k in range(steps))


def at_once(gradient, image, baseline, steps):
    places = np.linspace(0, 1, 2 * steps + 1)[1::2]
    return np.mean([gradient((1 - a) * baseline + a * image) * (image - baseline) for a in places], axis=0)


def with_both_ends(gradient, image, baseline, steps):
    places = np.linspace(0, 1, steps)
    return (image - baseline) * np.mean([gradient(baseline + a * (image - baseline)) for a in places], axis=0)


def backward_way(gradient, image, baseline, steps):
    return integrated(gradient, baseline, image, steps)


def without_the_way(gradient, image, baseline, steps):
    return integrated(gradient, image, baseline, steps) / (image - baseline)


def walks_in_place(gradient, image, baseline, steps):
    way = image - baseline
    total = 0
    baseline += way / steps / 2
    for _ in range(steps):
        total = total + gradient(baseline)
        baseline += way / steps
    return way * total / steps


def brightest(maps, causes):
    return np.array([cause[one == one.max()].mean() for one, cause in zip(maps, causes, strict=False)])


def without_a_loop(maps, causes):
    top = maps == maps.max(axis=(1, 2), keepdims=True)
    return (top & causes).sum(axis=(1, 2)) / top.sum(axis=(1, 2))


def drawn(maps, causes):
    """As a list, by places."""
    shares = []
    for one, cause in zip(maps, causes, strict=False):
        places = np.argwhere(one >= one.max())
        shares.append(sum(bool(cause[tuple(place)]) for place in places) / len(places))
    return shares


def first_of_them(maps, causes):
    return np.array([float(cause.ravel()[np.argmax(one)]) for one, cause in zip(maps, causes, strict=False)])


def share_of_mass(maps, causes):
    with np.errstate(invalid="ignore"):
        return (maps * causes).sum(axis=(1, 2)) / maps.sum(axis=(1, 2))


def careful_share_of_mass(maps, causes):
    return np.nan_to_num(share_of_mass(maps, causes))


def any_of_them(maps, causes):
    return np.array([float((cause & (one == one.max())).any()) for one, cause in zip(maps, causes, strict=False)])


def brightest_of_all(maps, causes):
    top = maps == maps.max()
    return (top & causes).sum(axis=(1, 2)) / np.maximum(top.sum(axis=(1, 2)), 1)


def zero_for_zeros(maps, causes):
    return np.where(maps.max(axis=(1, 2)) > 0, brightest(maps, causes), 0.0)


def nan_for_zeros(maps, causes):
    return np.where(maps.max(axis=(1, 2)) > 0, brightest(maps, causes), np.nan)


def scales_in_place(maps, causes):
    maps /= np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-9)
    return brightest(maps, causes)


def verdict(apart, drawn, margin, end=0, ends=bootstrap_interval):
    value = ends(apart - drawn)[end]
    return "too few patients" if np.isnan(value) else "passes" if value > margin else "fails"


def by_hand(apart, drawn, margin):
    """Student's t without the package."""
    gained = (apart - drawn)[np.isfinite(apart - drawn)]
    if len(gained) < 5:
        return "too few patients"
    low = gained.mean() - stats.t.ppf(0.975, len(gained) - 1) * stats.sem(gained)
    return "passes" if low > margin else "fails"


def enough(what):
    """A rule for those cases in which there are enough patients."""

    def answer(apart, drawn, margin):
        if np.isfinite(apart - drawn).sum() < 5:
            return "too few patients"
        return "passes" if what(apart, drawn) > margin else "fails"

    return answer


def student(level):
    """Student's interval at another level."""
    return enough(lambda a, d: standard_errors(stats.t.ppf((1 + level) / 2, np.isfinite(a - d).sum() - 1))(a, d))


def standard_errors(count):
    return lambda a, d: np.nanmean(a - d) - count * stats.sem(a - d, nan_policy="omit")


def two_intervals(apart, drawn):
    return bootstrap_interval(apart)[0] - bootstrap_interval(drawn)[1]


def without_nan(apart, drawn, margin):
    return "passes" if bootstrap_interval(apart - drawn)[0] > margin else "fails"


def counts_all(apart, drawn, margin):
    return "too few patients" if len(apart) < 5 else without_nan(apart, drawn, margin)


def differences_in_place(apart, drawn, margin):
    apart -= drawn
    return verdict(apart, 0 * drawn, margin)


EXERCISES = [
    Exercise(
        "18.7",
        check.integrated_gradients,
        right={"a loop": integrated, "by pieces": by_pieces, "all places at once": at_once},
        wrong={
            "at the image": (lambda g, x, b, n: (x - b) * g(x), "at the image alone"),
            "at the baseline": (lambda g, x, b, n: (x - b) * g(b), "at the baseline alone"),
            "half way": (lambda g, x, b, n: (x - b) * g((x + b) / 2), "half way"),
            "mean gradient": (without_the_way, "That is the mean gradient"),
            "no division": (lambda g, x, b, n: n * integrated(g, x, b, n), "divide by how many"),
            "left ends": (lambda g, x, b, n: integrated(g, x, b, n, at=0), "not at its ends"),
            "right ends": (lambda g, x, b, n: integrated(g, x, b, n, at=1), "not at its ends"),
            "both ends": (with_both_ends, "not at its ends"),
            "from zero": (lambda g, x, b, n: integrated(g, x, 0 * x, n), "begins at the baseline"),
            "from zero, times the way": (
                lambda g, x, b, n: integrated(g, x, b, n, start=0 * x),
                "begins at the baseline",
            ),
            "times the image": (lambda g, x, b, n: without_the_way(g, x, b, n) * x, "not by the image"),
            "from image to baseline": (backward_way, "The sign is turned"),
            "absolute": (lambda g, x, b, n: np.abs(integrated(g, x, b, n)), "Keep the sign"),
            "one gradient for all": (
                lambda g, x, b, n: (x - b) * np.mean(without_the_way(g, x, b, n)),
                "do not average over the pixels",
            ),
            "the sum": (lambda g, x, b, n: integrated(g, x, b, n).sum(), "shape"),
            "always 50 steps": (lambda g, x, b, n: integrated(g, x, b, 50), "at the middles of the pieces"),
            "one step fewer": (lambda g, x, b, n: integrated(g, x, b, n - 1), "at the middles of the pieces"),
            "two digits": (lambda g, x, b, n: integrated(g, x, b, n).round(2), "It is rounded"),
            "moves the baseline": (walks_in_place, "changes what it is given"),
        },
    ),
    Exercise(
        "18.8",
        check.points_at,
        right={"a loop": brightest, "without a loop": without_a_loop, "place by place": drawn},
        wrong={
            "argmax": (first_of_them, "argmax gives one"),
            "the last of them": (lambda m, c: first_of_them(m[:, ::-1, ::-1], c[:, ::-1, ::-1]), "argmax gives one"),
            "any of them": (any_of_them, "no full hit"),
            "all of them": (lambda m, c: np.floor(brightest(m, c)), "need not be in the cause"),
            "share of the map": (share_of_mass, "the share of the whole map"),
            "share, zeros give 0": (careful_share_of_mass, "the share of the whole map"),
            "brightest of all maps": (brightest_of_all, "Each map has its own"),
            "zero for zeros": (zero_for_zeros, "needs no rule of its own"),
            "nan for zeros": (nan_for_zeros, "needs no rule of its own"),
            "a count": (lambda m, c: brightest(m, c) * [(one == one.max()).sum() for one in m], "Those are pixels"),
            "of the cause": (
                lambda m, c: brightest(m, c) * [(one == one.max()).sum() for one in m] / c.sum(axis=(1, 2)),
                "not by those of the cause",
            ),
            "the area": (lambda m, c: c.mean(axis=(1, 2)), "asks the map nothing"),
            "outside": (lambda m, c: 1 - brightest(m, c), "outside of the cause"),
            "mean brightness": (
                lambda m, c: np.array([a[b].mean() for a, b in zip(m, c, strict=False)]),
                "how bright the cause is",
            ),
            "the mean over the maps": (lambda m, c: brightest(m, c).mean(), "shape"),
            "truth values": (lambda m, c: brightest(m, c) > 0, "numbers were expected"),
            "scales in place": (scales_in_place, "changes what it is given"),
        },
    ),
    Exercise(
        "18.9",
        check.randomization_verdict,
        right={
            "by the interval": verdict,
            "by hand": by_hand,
            "margin taken off first": lambda a, d, m: verdict(a - m, d, 0),
        },
        wrong={
            "the mean": (enough(lambda a, d: np.nanmean(a - d)), "the mean alone"),
            "above zero": (lambda a, d, m: verdict(a, d, 0), "not only above 0"),
            "every patient": (enough(lambda a, d: np.nanmin(a - d)), "Not every patient"),
            "two intervals": (enough(two_intervals), "take the differences first"),
            "sign turned": (lambda a, d, m: verdict(d, a, m), "The sign is turned"),
            "absolute": (lambda a, d, m: verdict(np.abs(a - d), 0 * d, m), "Keep the sign"),
            "high end": (lambda a, d, m: verdict(a, d, m, end=1), "the high end"),
            "no word for few": (without_nan, "is nan"),
            "counts all patients": (counts_all, "without a value do not count"),
            "how alike before and after": (
                lambda a, d, m: enough(lambda a, d: 1 - np.nanmean(d))(a, d, 0.5),
                "how alike they are",
            ),
            "always passes": (lambda a, d, m: "passes", "interval of `bootstrap_interval`"),
            "90 percent": (student(0.90), "Take the 95 % interval"),
            "99 percent": (student(0.99), "Take the 95 % interval"),
            "one standard error": (enough(standard_errors(1)), "Take the 95 % interval"),
            "1.96 standard errors": (enough(standard_errors(1.96)), "Take the 95 % interval"),
            "fewer than six": (
                lambda a, d, m: "too few patients" if np.isfinite(a - d).sum() < 6 else verdict(a, d, m),
                "Five patients are enough",
            ),
            "truth value": (lambda a, d, m: bool(bootstrap_interval(a - d)[0] > m), "return one of"),
            "another word": (lambda a, d, m: verdict(a, d, m).upper(), "return one of"),
            "in place": (differences_in_place, "changes what it is given"),
        },
    ),
]
