"""Self-checks of notebook 18c, explanations."""

import numpy as np

from ...evaluation.intervals import bootstrap_interval
from ._numbers import compare
from ._verdict import Wrong, call, exercise

# functions of an image, by their gradients: what integrated gradients adds up to is known for each
_SQUARES = np.array([[0.5, -1.0, 2.0], [1.5, 3.0, -0.5]])


def _of_squares(x):
    """Gradient of the weighted sum of squares."""
    return 2 * _SQUARES * x


def _of_product(x):
    """Gradient of the product of all pixels."""
    return np.array([np.prod(np.delete(x, k)) for k in range(x.size)]).reshape(x.shape)


def _of_saturated(x):
    """Gradient of tanh of three times the sum, which is flat far from 0."""
    return np.full(x.shape, 3 / np.cosh(3 * x.sum()) ** 2)


@exercise
def integrated_gradients(function):
    """A function of (gradient, image, baseline, steps) that gives the integrated gradients, in the image's shape."""
    wide, tall = np.array([[0.9, 0.2, 0.6], [0.4, 0.75, 0.1]]), np.array([[0.5], [0.8], [0.3], [0.95]])
    cases = (
        (_of_squares, wide, np.full(wide.shape, 0.25), 4),
        (_of_saturated, np.array([0.7, 0.1, 0.4]), np.zeros(3), 10),
        (_of_product, tall, np.array([[0.1], [0.3], [0.6], [0.2]]), 3),
        (_of_product, np.array([0.6, 0.9, 0.35]), np.full(3, 0.15), 7),
    )
    compare(
        function,
        _integrated,
        {
            f"case {k}, {image.size} pixels and {steps} steps:": (gradient, image, baseline, steps)
            for k, (gradient, image, baseline, steps) in enumerate(cases, 1)
        },
        _wrong_integrals,
        "The mean of the gradients at the middles of the pieces of the way, times image minus baseline.",
        several="one number for each pixel of the image",
    )
    return "Added up, they are the output for the image minus the output for the baseline, the better the more steps."


def _integrated(gradient, image, baseline, steps):
    return (image - baseline) * _mean_of(gradient, image, baseline, (np.arange(steps) + 0.5) / steps)


def _mean_of(gradient, image, baseline, places):
    return np.mean([gradient(baseline + place * (image - baseline)) for place in places], axis=0)


def _wrong_integrals(gradient, image, baseline, steps):
    middles, way = (np.arange(steps) + 0.5) / steps, image - baseline
    right, mean = _integrated(gradient, image, baseline, steps), _mean_of(gradient, image, baseline, middles)
    starts, both = np.arange(steps) / steps, np.linspace(0, 1, steps)
    return {
        "That is the gradient times the way, at the image alone; go there in steps from the baseline.": (
            way * gradient(image)
        ),
        "That is the gradient at the baseline alone; go from there to the image.": way * gradient(baseline),
        "That is the gradient half way; take it at the middle of each of the steps.": (
            way * gradient(baseline + way / 2)
        ),
        "That is the mean gradient; times image minus baseline it becomes a share of the output.": mean,
        "That is a sum over the steps; divide by how many there are.": right * steps,
        "Take the gradient at the middle of each piece, not at its ends.": [
            way * _mean_of(gradient, image, baseline, places)
            for places in (starts, starts + 1 / steps, both, np.linspace(0, 1, steps + 1))
        ],
        "The way begins at the baseline, not at an image of zeros.": [
            image * _mean_of(gradient, image, 0 * image, middles),
            way * _mean_of(gradient, image, 0 * image, middles),
        ],
        "Multiply by image minus baseline, how far each pixel goes, not by the image.": image * mean,
        "The sign is turned round: what counts is image minus baseline.": -right,
        "Keep the sign: without it they do not add up to the difference of the outputs.": np.abs(right),
        "Each pixel has its own gradient; do not average over the pixels.": way * mean.mean(),
        "That is a sum over all pixels; each pixel keeps its own.": np.full(image.shape, right.sum()),
    }


@exercise
def points_at(function):
    """A function of (maps, causes) that gives, for each map, the share of its brightest pixels in its cause."""
    first = np.zeros((3, 3, 4))
    first[0, 1, 2], first[0, 0, 0] = 5.0, 4.0  # a hit
    first[1, :, 3] = 2.0  # three brightest, one of them in the cause; the first of them is not
    first[1, 0, 0] = 0.5
    causes = np.zeros((3, 3, 4), bool)
    causes[0, 1, 1:3], causes[1, 2, 2:], causes[2, 0, :3] = True, True, True  # the third map is all zero
    second = np.array([[[0.2, 0.9], [0.9, 0.1], [0.3, 0.9]], [[0.01, 0.02], [0.03, 0.0], [0.0, 0.03]]])
    where = np.array([[[0, 1], [0, 0], [0, 1]], [[1, 1], [0, 0], [0, 0]]], bool)
    third = np.array([[[0.5, 0.5, 0.5, 0.5, 0.4]], [[7.0, 0.0, 3.0, 7.0, 1.0]], [[0.25, 0.25, 0.25, 0.25, 0.25]]])
    there = np.array([[[1, 0, 0, 0, 1]], [[0, 1, 1, 1, 1]], [[0, 1, 0, 0, 1]]], bool)
    compare(
        function,
        _share_of_brightest,
        {
            "of three maps, the third of them all zero,": (first, causes),
            "of two maps, of which the second is dark,": (second, where),
            "of three maps of one line each": (third, there),
        },
        _wrong_pointing,
        "In each map, find the pixels as bright as its brightest, and ask which share of them is in the cause.",
        several="one number for each map",
    )
    return "A map that is the same everywhere points nowhere, and gets what a blind guess gets: the area of its cause."


def _share_of_brightest(maps, causes):
    return np.array([cause[one == one.max()].mean() for one, cause in zip(maps, causes, strict=True)])


def _wrong_pointing(maps, causes):
    pairs = list(zip(maps, causes, strict=True))
    right, totals = _share_of_brightest(maps, causes), maps.sum(axis=(1, 2))
    inside = np.array([one[cause].sum() for one, cause in pairs])
    top = np.array([one == one.max() for one in maps])
    with np.errstate(all="ignore"):
        mass, mass_without = inside / totals, np.divide(inside, totals, out=np.zeros(len(maps)), where=totals > 0)
        together = maps == maps.max()
        of_all = (together & causes).sum(axis=(1, 2)) / together.sum(axis=(1, 2))
    hits = np.array([float(cause.ravel()[one.argmax()]) for one, cause in pairs])
    last = np.array([float(cause.ravel()[::-1][one.ravel()[::-1].argmax()]) for one, cause in pairs])
    some = np.array([float(one[cause].max() == one.max()) for one, cause in pairs])
    lit = np.array([value if one.max() > 0 else 0.0 for value, one in zip(right, maps, strict=True)])
    dark = np.array([value if one.max() > 0 else np.nan for value, one in zip(right, maps, strict=True)])
    return {
        "argmax gives one of several pixels that are equally bright; ask all of them.": [hits, last],
        "One of the brightest in the cause is no full hit: count the share of them.": [some, np.ceil(right)],
        "All of the brightest need not be in the cause: count the share of them.": np.floor(right),
        "That is the share of the whole map; the pointing game asks for the brightest pixels only.": [
            mass, mass_without,
        ],
        "Each map has its own brightest pixel.": [of_all, np.nan_to_num(of_all)],
        "A map of zeros has all its pixels as its brightest: it needs no rule of its own.": [lit, dark],
        "Those are pixels; divide by how many are brightest.": (top & causes).sum(axis=(1, 2)).astype(float),
        "Divide by how many pixels are brightest, not by those of the cause.": (
            (top & causes).sum(axis=(1, 2)) / causes.sum(axis=(1, 2))
        ),
        "That is the area of the cause; it asks the map nothing.": causes.mean(axis=(1, 2)),
        "That is the share outside of the cause.": 1 - right,
        "That is how bright the cause is; ask where the brightest pixels are.": [
            np.array([one[cause].max() for one, cause in pairs]), np.array([one[cause].mean() for one, cause in pairs]),
        ],
    }  # fmt: skip


WORDS = ("passes", "fails", "too few patients")


@exercise
def randomization_verdict(function):
    """A function of (seeds apart, drawn anew, margin) that gives "passes", "fails" or "too few patients"."""
    random = np.random.default_rng(5)
    hard = np.linspace(0.1, 0.9, 10)  # some patients are hard for both: the difference is what varies little
    small = random.normal(0, 0.02, 10)
    few = np.array([0.1, 0.3, 0.2, 0.15, 0.25, 0.2])  # Student's 95 % interval of the mean: 0.126 to 0.274
    cases = {
        "a difference of about 0.4 in eight patients": (0.7 + 0.05 * small[:8], 0.3 + small[2:], 0.1),
        "a mean difference of 0.2 that varies much between six patients": (
            np.array([0.9, 0.2, 0.8, 0.1, 0.7, 0.3]),
            np.array([0.1, 0.4, 0.2, 0.3, 0.1, 0.7]),
            0.1,
        ),
        "a mean difference below the margin, and one that varies much": (
            np.array([0.6, 0.2, 0.5, 0.4, 0.3, 0.7]),
            np.array([0.3, 0.4, 0.3, 0.5, 0.4, 0.3]),
            0.1,
        ),
        "a difference that is sure, and below the margin": (hard + 0.05 + small, hard, 0.1),
        "patients who vary much, with a difference that does not": (hard + 0.2 + small, hard, 0.1),
        "maps that resemble those of drawn weights more": (0.3 + small, 0.8 - small, 0.1),
        "four patients": (np.array([0.8, 0.9, 0.85, 0.8]), np.array([0.2, 0.1, 0.2, 0.3]), 0.1),
        "nine patients, five of them without a value": (
            np.array([0.8, 0.9, np.nan, np.nan, 0.7, np.nan, 0.9, 0.8, np.nan]),
            np.array([0.2, 0.1, 0.3, 0.2, np.nan, 0.1, 0.2, 0.3, 0.2]),
            0.1,
        ),
        "eight patients, one of them without a value": (
            np.array([0.8, 0.9, np.nan, 0.85, 0.7, 0.8, 0.9, 0.8]),
            np.array([0.2, 0.1, 0.3, 0.2, 0.1, 0.2, 0.3, 0.2]),
            0.3,
        ),
        "six patients just below the margin": (0.5 + few, np.full(6, 0.5), 0.13),
        "the same six, above the margin": (0.5 + few, np.full(6, 0.5), 0.09),
        "five patients": (0.3 + np.array([0.4, 0.5, 0.45, 0.42, 0.48]), np.full(5, 0.3), 0.1),
        "one patient in ten who says the contrary": (np.where(hard < 0.15, 0.5, 0.9), np.full(10, 0.55), 0.2),
    }
    given = {}
    for what, case in cases.items():
        answer = call(function, *case)
        if not isinstance(answer, str) or answer not in WORDS:
            raise Wrong(f"{what}: it gives {answer!r}; return one of {', '.join(map(repr, WORDS))}.")
        given[what] = answer
    right = {what: _verdict(*case) for what, case in cases.items()}
    if given != right:
        what = next(key for key in cases if given[key] != right[key])
        hint = (
            "Take the 95 % interval of `bootstrap_interval` for the differences, patient by patient, and hold its low "
            "end against the margin."
        )
        for said, mistaken in MISTAKES.items():
            if all(given[key] == mistaken(*case) for key, case in cases.items()):
                hint = said
                break
        raise Wrong(f"{what}: it gives {given[what]!r}, and right is {right[what]!r}. {hint}")
    return "The rule was there before the numbers: that is what makes it a test."


def _said(low, margin):
    return WORDS[2] if np.isnan(low) else WORDS[0] if low > margin else WORDS[1]


def _verdict(apart, drawn, margin):
    return _said(bootstrap_interval(apart - drawn)[0], margin)


def _of_mean(apart, drawn, margin):
    low = bootstrap_interval(apart - drawn)[0]
    return WORDS[2] if np.isnan(low) else _said(np.nanmean(apart - drawn), margin)


def _of_each(apart, drawn, margin):
    low = bootstrap_interval(apart - drawn)[0]
    return WORDS[2] if np.isnan(low) else _said(np.nanmin(apart - drawn), margin)


def _apart(apart, drawn, margin):
    low = bootstrap_interval(apart - drawn)[0]
    return WORDS[2] if np.isnan(low) else _said(bootstrap_interval(apart)[0] - bootstrap_interval(drawn)[1], margin)


#: what a wrong program asks, by its hint
MISTAKES = {
    "Five patients are enough; ask the interval whether there are too few.": lambda a, d, m: (
        WORDS[2] if np.isfinite(a - d).sum() < 6 else _verdict(a, d, m)
    ),
    "That is the mean alone: it says nothing of how sure it is. Take the low end of its interval.": _of_mean,
    "The low end has to lie above the margin, not only above 0.": lambda a, d, m: _verdict(a, d, 0),
    "Not every patient has to be above the margin: the interval is that of the mean.": _of_each,
    "Two intervals lose what the patients have in common: take the differences first, patient by patient.": _apart,
    "The sign is turned: maps of two seeds have to be *more* alike than maps before and after.": (
        lambda a, d, m: _verdict(d, a, m)
    ),
    "Keep the sign: maps that resemble those of drawn weights more do not pass.": (
        lambda a, d, m: _verdict(np.abs(a - d), 0 * d, m)
    ),
    "That is the high end; take the low one.": lambda a, d, m: _said(bootstrap_interval(a - d)[1], m),
    "With fewer than five patients the interval is nan, and no comparison with nan is true: ask for it first.": (
        lambda a, d, m: WORDS[0] if bootstrap_interval(a - d)[0] > m else WORDS[1]
    ),
    "Patients without a value do not count: ask the interval whether there are enough.": (
        lambda a, d, m: WORDS[2] if len(a) < 5 else WORDS[0] if bootstrap_interval(a - d)[0] > m else WORDS[1]
    ),
    "That holds against the margin how alike they are; the difference counts.": (
        lambda a, d, m: WORDS[2] if np.isnan(bootstrap_interval(a - d)[0]) else _said(1 - np.nanmean(d), 0.5)
    ),
}
