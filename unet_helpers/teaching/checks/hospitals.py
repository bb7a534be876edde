"""Self-checks of notebook 18b, hospitals that do not share data."""

import numpy as np

from ._numbers import compare, first_hint, same
from ._verdict import NotYet, Wrong, call, exercise, is_open


@exercise
def average(function):
    """A function of (sent, images): for each hospital a list of arrays, and how many images it has."""
    rng = np.random.default_rng(0)
    shapes = (3, 2), (2,), (1, 2, 2)
    for images in ([96, 64, 40, 32], [30, 10], [5, 1, 1]):
        sent = [[rng.normal(size=shape) for shape in shapes] for _ in images]
        given = _arrays(call(function, sent, images), shapes)
        right = _mean(sent, np.array(images) / sum(images))
        if not same(given, right):
            raise Wrong(
                f"for {len(images)} hospitals with {images} images: "
                + first_hint(given, _wrong_averages(sent, images), "Each array is the sum of share times array.")
            )
    return "A hospital with twice the images counts twice."


def _arrays(answer, shapes):
    """What the reader's function gives as one long array, once it is a list of arrays of the right shapes."""
    if isinstance(answer, np.ndarray) or not isinstance(answer, (list, tuple)):
        raise Wrong(f"return a list of arrays, one for each array of the network, not a {type(answer).__name__}.")
    if any(is_open(array) for array in answer):
        raise NotYet("the list still holds a ...; replace it and run the cell again.")
    if len(answer) != len(shapes):
        raise Wrong(f"the list holds {len(answer)} arrays, and the network has {len(shapes)}: average array by array.")
    for k, (array, shape) in enumerate(zip(answer, shapes, strict=True)):
        if np.shape(array) != shape:
            raise Wrong(f"array {k} has shape {np.shape(array)}, not {shape}; an average keeps the shape.")
    return np.concatenate([np.ravel(np.asarray(array, float)) for array in answer])


def _mean(sent, shares):
    return sum(
        share * np.concatenate([array.ravel() for array in one]) for share, one in zip(shares, sent, strict=True)
    )


def _wrong_averages(sent, images):
    images = np.array(images, float)
    count, total = len(images), images.sum()
    turned = images.max() + images.min() - images
    return {
        "That counts every hospital alike; count it by its share of the images.": (
            _mean(sent, np.full(count, 1 / count))
        ),
        "Those are sums; the shares must add up to 1, so divide by all images.": [
            _mean(sent, images), _mean(sent, np.ones(count)),
        ],
        "Divide by all images, not by the number of hospitals.": _mean(sent, images / count),
        "Divide by all images, not by those of the largest hospital.": _mean(sent, images / images.max()),
        "The shares stand in the wrong order: each belongs to its own hospital.": [
            _mean(sent, images[::-1] / total), _mean(sent, np.sort(images) / total),
        ],
        "That favors the small hospitals; the share is the images of one over all images.": [
            _mean(sent, (1 / images) / (1 / images).sum()), _mean(sent, turned / turned.sum()),
        ],
        "Those are the weights of one hospital; all of them count.": [_mean(sent, row) for row in np.eye(count)],
        "The shares are squared or rooted; take them as they are.": [
            _mean(sent, images**power / (images**power).sum()) for power in (2, 0.5)
        ],
        "The share is cut to a whole number; divide with /.": _mean(sent, images // total),
    }  # fmt: skip


@exercise
def pooled(function):
    """A function of (means, variances, pixels) of the hospitals: mean and variance of all their pixels together."""
    cases = {
        "of two hospitals with equal variance": ([0.2, 0.6], [0.01, 0.01], [300, 100]),
        "of three hospitals": ([0.5, 0.1, 0.9], [0.04, 0.02, 0.09], [10, 50, 20]),
        "of four hospitals": ([-3.0, 1.0, 4.0, 0.5], [1.0, 0.5, 2.0, 3.0], [96, 64, 48, 32]),
        "of hospitals with equal means": ([0.4, 0.4, 0.4], [0.1, 0.3, 0.2], [7, 1, 2]),
    }
    compare(
        function,
        _pooled,
        {f"{name}:": tuple(map(np.array, case)) for name, case in cases.items()},
        _wrong_moments,
        "The variance of all is the mean of the variances, plus the variance of the means, both by share.",
        several="return two numbers, the mean and the variance",
    )
    return "Within the hospitals, and between them."


def _pooled(means, variances, pixels):
    share = pixels / pixels.sum()
    mean = share @ means
    return np.array([mean, share @ variances + share @ (means - mean) ** 2])


def _wrong_moments(means, variances, pixels):
    share, alike = pixels / pixels.sum(), np.full(len(pixels), 1 / len(pixels))
    mean, variance = _pooled(means, variances, pixels)
    within, between = share @ variances, share @ (means - mean) ** 2
    return {
        "That is the mean of the variances; what lies between the hospitals is missing.": [
            np.array([mean, within]), np.array([mean, alike @ variances]), np.array([alike @ means, alike @ variances]),
        ],
        "That is what lies between the hospitals; the variance within them is missing.": np.array([mean, between]),
        "That counts every hospital alike; count it by its share of the pixels.": [
            np.array([alike @ means, alike @ variances + alike @ (means - alike @ means) ** 2]),
            np.array([mean, within + alike @ (means - alike @ means) ** 2]),
            np.array([mean, within + alike @ (means - mean) ** 2]),
            np.array([mean, alike @ variances + between]),
            np.array([alike @ means, variance]),
        ],
        "Add what lies between the hospitals; do not subtract it.": np.array([mean, within - between]),
        "The square of the mean is missing: the mean of the squares is no variance yet.": (
            np.array([mean, share @ (variances + means**2)])
        ),
        "That is the standard deviation; the variance is asked for.": np.array([mean, np.sqrt(variance)]),
        "The means differ from their mean by a square: (mean of the hospital − mean of all) ** 2.": [
            np.array([mean, within + share @ (means - mean)]), np.array([mean, within + share @ np.abs(means - mean)]),
        ],
        "Variance first and mean second: exchange them.": np.array([variance, mean]),
        "A variance is averaged with the share itself, not with its square.": (
            np.array([mean, share**2 @ variances + between])
        ),
    }  # fmt: skip


@exercise
def picture(function):
    """A function of the gradients of a dense layer's kernel (inputs, units) and bias (units): the input."""
    image = np.array([0.1, 0.9, 0.4, 0.0, 0.65, 0.3])
    cases = {
        "of a layer with three units": (image, [0.2, -0.5, 0.1]),
        "of a layer whose first unit is silent": (image[:4], [0.0, 0.0, -0.03]),
        "of a layer whose bias gradients add up to 0": (image[1:], [0.4, -0.1, -0.3, 0.0]),
        "of a layer with one unit": (image[:5] * 2 - 1, [0.007]),
    }
    compare(
        function,
        lambda kernel, bias: kernel[:, np.abs(bias).argmax()] / bias[np.abs(bias).argmax()],
        {f"{name}:": (np.outer(x, d), np.array(d)) for name, (x, d) in cases.items()},
        _wrong_pictures,
        "Choose a unit whose bias gradient is not 0, and divide its column of the kernel gradient by it.",
        several="return one number for each input",
    )
    return "One division, and the picture is back."


def _wrong_pictures(kernel, bias):
    unit = np.abs(bias).argmax()
    column = kernel[:, unit]
    with np.errstate(all="ignore"):
        ratios = kernel / bias
        return {
            "That unit is silent, and 0/0 is no number; choose one whose bias gradient is not 0.": [
                ratios[:, 0], ratios[:, -1], ratios.mean(axis=1), ratios.max(axis=1), ratios.min(axis=1),
                lambda given: bool(np.isnan(given).any()),
            ],
            "Bias gradients of several units can cancel; take one unit, or weigh each by its bias gradient.": [
                kernel.sum(axis=1) / bias.sum(), kernel.mean(axis=1) / bias.mean(),
                lambda given: bool(np.isinf(given).any() or np.abs(given).max() > 1e3),
            ],
            "Divide; each number of the kernel gradient is input times bias gradient.": [
                column * bias[unit], kernel @ bias,
            ],
            "That is input times bias gradient still; divide by the bias gradient.": [column, kernel.sum(axis=1)],
            "It comes out with the wrong sign; divide by the bias gradient with its sign.": [
                column / -bias[unit], column / np.abs(bias[unit]),
            ],
            "Silent units count as 0 in this mean; leave them out.": (
                np.nan_to_num(ratios, posinf=0, neginf=0).mean(axis=1)
            ),
            "Divide by the bias gradient of this unit, not by the length of all.": column / np.linalg.norm(bias),
        }  # fmt: skip
