"""Notebook 18b."""

import numpy as np

from mutants import Exercise
from unet_helpers.teaching.checks import hospitals as check


def by_share(make_shares):
    """Averages with shares made from the numbers of images, an array."""

    def answer(sent, images):
        shares = make_shares(np.array(images, float))
        return [sum(share * array for share, array in zip(shares, arrays, strict=True)) for arrays in zip(*sent)]  # noqa: B905

    return answer


def with_numpy(sent, images):
    return [np.average(arrays, axis=0, weights=images) for arrays in zip(*sent, strict=True)]


def with_a_loop(sent, images):
    total = [np.zeros_like(array) for array in sent[0]]
    for one, count in zip(sent, images, strict=True):
        total = [so_far + count * array for so_far, array in zip(total, one, strict=True)]
    return [array / sum(images) for array in total]


def pooled(means, variances, pixels):
    share = pixels / pixels.sum()
    mean = (share * means).sum()
    return mean, (share * variances).sum() + (share * (means - mean) ** 2).sum()


def by_squares(means, variances, pixels):
    mean = np.average(means, weights=pixels)
    return np.array([mean, np.average(variances + means**2, weights=pixels) - mean**2])


def moments(of_mean, of_variance):
    """The two numbers, each by a function of (share, means, variances, mean)."""

    def answer(means, variances, pixels):
        share = pixels / pixels.sum()
        given = share, means, variances, share @ means
        return of_mean(*given), of_variance(*given)

    return answer


def of_all(share, means, variances, mean):
    return mean


def loudest_unit(kernel, bias):
    unit = np.abs(bias).argmax()
    return kernel[:, unit] / bias[unit]


def quietly(function):
    def answer(kernel, bias):
        with np.errstate(all="ignore"):
            return function(kernel, bias)

    return answer


EXERCISES = [
    Exercise(
        "18.4",
        check.average,
        {"shares": by_share(lambda n: n / n.sum()), "np.average": with_numpy, "a loop over hospitals": with_a_loop},
        {
            "every hospital alike": (by_share(lambda n: np.ones(len(n)) / len(n)), "counts every hospital alike"),
            "a sum of all": (by_share(lambda n: np.ones(len(n))), "the shares must add up to 1"),
            "times the images": (by_share(lambda n: n), "the shares must add up to 1"),
            "over the hospitals": (by_share(lambda n: n / len(n)), "not by the number of hospitals"),
            "over the largest": (by_share(lambda n: n / n.max()), "not by those of the largest"),
            "shares turned round": (by_share(lambda n: n[::-1] / n.sum()), "each belongs to its own hospital"),
            "small ones first": (by_share(lambda n: 1 / n / (1 / n).sum()), "favors the small hospitals"),
            "the largest alone": (by_share(lambda n: (n == n.max()) * 1.0), "weights of one hospital"),
            "whole shares": (by_share(lambda n: n // n.sum()), "cut to a whole number"),
            "squared shares": (by_share(lambda n: n**2 / (n**2).sum()), "squared or rooted"),
            "one array": (lambda sent, images: with_numpy(sent, images)[:1], "average array by array"),
            "the first array": (lambda sent, images: with_numpy(sent, images)[0], "return a list of arrays"),
            "one number each": (
                lambda sent, images: [array.mean() for array in with_numpy(sent, images)],
                "an average keeps the shape",
            ),
            "hospitals for arrays": (lambda sent, images: sent, "average array by array"),
        },
    ),
    Exercise(
        "18.5",
        check.pooled,
        {"within and between": pooled, "by the squares": by_squares},
        {
            "variances averaged": (
                moments(of_all, lambda share, means, variances, mean: share @ variances),
                "what lies between the hospitals is missing",
            ),
            "variances averaged alike": (
                lambda means, variances, pixels: (means.mean(), variances.mean()),
                "what lies between the hospitals is missing",
            ),
            "between alone": (
                moments(of_all, lambda share, means, variances, mean: share @ (means - mean) ** 2),
                "the variance within them is missing",
            ),
            "subtracted": (
                moments(of_all, lambda share, means, variances, mean: share @ variances - share @ (means - mean) ** 2),
                "do not subtract it",
            ),
            "the mean of the squares": (
                moments(of_all, lambda share, means, variances, mean: share @ (variances + means**2)),
                "square of the mean is missing",
            ),
            "every hospital alike": (
                lambda means, variances, pixels: (means.mean(), variances.mean() + means.var()),
                "counts every hospital alike",
            ),
            "the variance of the means alike": (
                moments(of_all, lambda share, means, variances, mean: share @ variances + means.var()),
                "counts every hospital alike",
            ),
            "no square": (
                moments(of_all, lambda share, means, variances, mean: share @ variances + share @ abs(means - mean)),
                "by a square",
            ),
            "the deviation": (
                lambda *given: (pooled(*given)[0], pooled(*given)[1] ** 0.5),
                "the variance is asked for",
            ),
            "exchanged": (lambda *given: pooled(*given)[::-1], "exchange them"),
            "the variance alone": (lambda *given: pooled(*given)[1], "return two numbers"),
        },
    ),
    Exercise(
        "18.6",
        check.picture,
        {
            "the loudest unit": loudest_unit,
            "all units by least squares": lambda kernel, bias: kernel @ bias / (bias @ bias),
            "the first that is not silent": lambda kernel, bias: (
                kernel[:, np.flatnonzero(bias)[0]] / bias[np.flatnonzero(bias)[0]]
            ),
        },
        {
            "the first unit": (quietly(lambda kernel, bias: kernel[:, 0] / bias[0]), "unit is silent, and"),
            "the mean of all units": (quietly(lambda kernel, bias: (kernel / bias).mean(axis=1)), "silent"),
            "silent units as 0": (
                quietly(lambda kernel, bias: np.nan_to_num(kernel / bias, posinf=0, neginf=0).mean(axis=1)),
                "leave them out",
            ),
            "sums over the units": (
                quietly(lambda kernel, bias: kernel.sum(axis=1) / bias.sum()),
                "can cancel",
            ),
            "multiplied": (
                lambda kernel, bias: kernel[:, abs(bias).argmax()] * bias[abs(bias).argmax()],
                "Divide; each number",
            ),
            "not divided": (lambda kernel, bias: kernel[:, abs(bias).argmax()], "divide by the bias gradient"),
            "without the sign": (
                lambda kernel, bias: kernel[:, abs(bias).argmax()] / abs(bias).max(),
                "wrong sign",
            ),
            "by the length of all": (
                lambda kernel, bias: kernel[:, abs(bias).argmax()] / np.linalg.norm(bias),
                "not by the length of all",
            ),
            "a row": (quietly(lambda kernel, bias: kernel[0] / bias), "return one number for each input"),
        },
    ),
]
