"""Do probabilities keep what they promise, and does a network know where it is wrong?

Probabilities have the classes last, as :func:`unet_helpers.predict_probabilities` gives them; one channel is the
probability of class 1. Several predictions of the same images stand along a first axis of their own.

Probabilities that were kept in float16 are computed with in float32. What a type has rounded to 0 or 1 is neither: in
logarithms it stands for the middle of what rounds there, so that a pixel that was lost to rounding costs what it could
have cost at most, and not more.
"""

from dataclasses import dataclass

import numpy as np

from .binary import as_binary, as_classes, at_least_single

FLOOR = 1e-30  #: below any softmax in float32 that is not 0; keeps logarithms finite


@dataclass(frozen=True)
class Reliability:
    """What was promised and what was kept, in bins of equal width from 0 to 1. The sum of two is that of both data.

    counts, promised, kept : ``(B,)``
        Pixels of each bin, the sum of their confidences, and how many were right.
    """

    counts: np.ndarray
    promised: np.ndarray
    kept: np.ndarray

    @property
    def confidence(self):
        """Mean confidence of each bin; nan where there is no pixel."""
        return _divide(self.promised, self.counts)

    @property
    def accuracy(self):
        """Share of each bin that was right; nan where there is no pixel."""
        return _divide(self.kept, self.counts)

    @property
    def error(self):
        """Expected calibration error: the gap between both, averaged over the pixels (Guo et al. 2017)."""
        return float(np.abs(self.promised - self.kept).sum() / max(self.counts.sum(), 1))

    @property
    def overconfidence(self):
        """Mean confidence minus the share that was right; negative for a modest network."""
        return float((self.promised - self.kept).sum() / max(self.counts.sum(), 1))

    def __add__(self, other):
        return Reliability(self.counts + other.counts, self.promised + other.promised, self.kept + other.kept)


def reliability(probabilities, truth, *, bins=15, where=None, of=None):
    """Sort pixels by confidence, and count how often the network is right in each bin. Used in 12.

    Parameters
    ----------
    probabilities : ``(…, K)`` float
    truth : ``(…)`` integer
        Class indices, where pixels count.
    bins : int
        Of equal width; a bin holds its lower end, the last one also 1.
    where : ``(…)`` bool, optional
        The pixels that count; default all.
    of : int, optional
        Take the probability of this class, and ask how often the class is there. Default: the probability of the
        most probable class, and how often that is the true one.

    Returns
    -------
    Reliability

    Raises
    ------
    ValueError
        If shapes do not fit, the probabilities do not lie in 0–1 or do not sum to 1, or the truth holds what is no
        class index, as -1 for "do not count": leave such pixels out with ``where=truth >= 0``.
    """
    probabilities, truth = _check(probabilities, truth)
    if where is not None:
        probabilities, truth = probabilities[where], truth[where]
    truth = as_classes(truth, "the truth", probabilities.shape[-1])
    if of is None:
        confidence, right = probabilities.max(axis=-1), probabilities.argmax(axis=-1) == truth
    else:
        confidence, right = probabilities[..., of], truth == of
    confidence, right = confidence.ravel().astype(float), right.ravel()
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    return Reliability(
        np.bincount(index, minlength=bins),
        np.bincount(index, weights=confidence, minlength=bins),
        np.bincount(index, weights=right, minlength=bins),
    )


def scale_temperature(probabilities, temperature):
    """Probabilities at another temperature: above 1 softer, below 1 sharper; the most probable class stays.

    A softmax loses only a constant of its logits, so that dividing the logarithms of the probabilities by the
    temperature, and normalizing, equals dividing the logits.

    Parameters
    ----------
    probabilities : ``(…, K)`` float
    temperature : float
        Above 0.

    Returns
    -------
    ``(…, K)`` of the same dtype; float32 for integers
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature is {temperature}; give a number above 0")
    probabilities = np.asarray(probabilities)
    scaled = _logarithms(probabilities) / temperature
    scaled = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    scaled /= scaled.sum(axis=-1, keepdims=True)
    dtype = np.float32 if probabilities.dtype.kind in "iub" else probabilities.dtype
    return scaled[..., -probabilities.shape[-1] :].astype(dtype)


def fit_temperature(probabilities, truth):
    """The temperature of the lowest cross-entropy (Guo et al. 2017). Fit it on validation patients only. Used in 12.

    Parameters
    ----------
    probabilities, truth
        As in :func:`reliability`.

    Returns
    -------
    float
        Between 0.05 and 20.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    checked, truth = _check(probabilities, truth)
    if not truth.size:
        raise ValueError("no pixel is left to fit the temperature on")
    truth = as_classes(truth, "the truth", checked.shape[-1])
    logits = _logarithms(probabilities).reshape(-1, checked.shape[-1]).astype(float)
    of_truth = np.take_along_axis(logits, truth.reshape(-1, 1).astype(int), axis=1)[:, 0].mean()

    def crossentropy(log_temperature):
        sharpness = np.exp(-log_temperature)
        return float(logsumexp(sharpness * logits, axis=1).mean() - sharpness * of_truth)

    # convex in 1/temperature, so that there is one minimum
    found = minimize_scalar(crossentropy, bounds=np.log((0.05, 20)), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


# --- several predictions of one image -------------------------------------------------------------


def entropy(probabilities):
    """Shannon entropy per pixel: 0 for a certain answer, log K (1.10 for three classes) for an even guess.

    Parameters
    ----------
    probabilities : ``(…, K)``

    Returns
    -------
    ``(…)`` float, in nats; 0 where a probability is exactly 1
    """
    probabilities = _read(probabilities)
    return -(probabilities * np.log(np.maximum(probabilities, FLOOR))).sum(axis=-1)


def mutual_information(samples):
    """What the members of a group disagree about: entropy of their mean minus their mean entropy; never negative.

    Used in 12.

    Parameters
    ----------
    samples : ``(S, …, K)``

    Returns
    -------
    ``(…)`` float, in nats
    """
    samples = at_least_single(samples)  # a mean in float16 would round
    alone = np.mean([entropy(sample) for sample in samples], axis=0)
    return np.maximum(entropy(samples.mean(axis=0)) - alone, 0)


def disagreement(masks):
    """1 − mean Dice over all pairs of masks of one case: how much the members of a group differ.

    Parameters
    ----------
    masks : ``(S, …)`` binary
        What each member marked. Two empty masks agree.

    Returns
    -------
    float in [0, 1]
    """
    from scipy.spatial.distance import pdist

    masks = as_binary(masks, "masks").reshape(len(masks), -1)
    if len(masks) < 2:
        raise ValueError(f"{len(masks)} mask cannot disagree; give two or more")
    return float(np.nan_to_num(pdist(masks, "dice")).mean())  # SciPy's 1 - Dice of two empty masks is nan


# --- is it a good map? ----------------------------------------------------------------------------


def distance_to_outline(masks, spacing):
    """Distance of every pixel to the nearest boundary between two classes, in mm. Used in 12.

    Parameters
    ----------
    masks : ``(N, H, W)`` integer
    spacing : ``(N, 2)``
        (row, column) in mm; nan counts as 1.

    Returns
    -------
    ``(N, H, W)`` float
        0 on both sides of a boundary; inf in a slice of one class.
    """
    from scipy import ndimage
    from skimage.segmentation import find_boundaries

    distances = np.full(masks.shape, np.inf)
    for i, (mask, size) in enumerate(zip(masks, np.nan_to_num(spacing, nan=1.0), strict=True)):
        edges = find_boundaries(mask, mode="thick")
        if edges.any():
            distances[i] = ndimage.distance_transform_edt(~edges, sampling=size)
    return distances


def error_auroc(uncertainty, wrong, *, where=None):
    """How often a wrong pixel is less certain than a right one, both drawn at random: area under the ROC curve.

    Used in 12.

    Parameters
    ----------
    uncertainty : ``(…)`` float
        Higher is less certain.
    wrong : ``(…)`` bool
    where : ``(…)`` bool, optional
        The pixels that count; default all.

    Returns
    -------
    float
        0.5 for a map that knows nothing; nan if all pixels are right, or all are wrong.
    """
    from scipy.stats import mannwhitneyu

    uncertainty, wrong = np.asarray(uncertainty, dtype=float), as_binary(wrong, "wrong")
    if uncertainty.shape != wrong.shape:
        raise ValueError(f"uncertainty has shape {uncertainty.shape} but wrong has {wrong.shape}; give one per pixel")
    if where is not None:
        uncertainty, wrong = uncertainty[where], wrong[where]
    if np.isnan(uncertainty).any():
        raise ValueError("uncertainty holds NaN, which has no rank; leave these pixels out with where=")
    bad, good = uncertainty[wrong], uncertainty[~wrong]
    if not bad.size or not good.size:
        return float("nan")
    # the p-value is of no use here, and an exact one would take long
    return float(mannwhitneyu(bad, good, method="asymptotic").statistic / (bad.size * good.size))


def risk_coverage(risk, uncertainty):
    """Mean risk of the cases that are kept, for every number kept, the most certain first.

    Parameters
    ----------
    risk : ``(N,)`` float
        Of each case, such as 1 − Dice.
    uncertainty : ``(N,)`` float
        Higher is referred earlier. Cases of the same uncertainty each count with their mean risk.

    Returns
    -------
    coverage, mean_risk : ``(N,)`` float
        Shares kept from 1/N to 1, and the mean risk of those kept.
    """
    risk, uncertainty = np.asarray(risk, float), np.asarray(uncertainty)
    if risk.shape != uncertainty.shape or risk.ndim != 1 or not risk.size:
        raise ValueError(f"risk has shape {risk.shape}, uncertainty {uncertainty.shape}; give one of each per case")
    if np.isnan(risk).any() or np.isnan(uncertainty).any():
        raise ValueError("a risk or an uncertainty is NaN; leave that case out of both")
    _, group = np.unique(uncertainty, return_inverse=True)
    shared = (np.bincount(group, weights=risk) / np.bincount(group))[np.sort(group)]
    kept = np.arange(1, len(risk) + 1)
    return kept / len(risk), np.cumsum(shared) / kept


def _per_class(probabilities):
    """One channel becomes two: what is not class 1 is class 0."""
    return (
        np.concatenate([1 - probabilities, probabilities], axis=-1) if probabilities.shape[-1] == 1 else probabilities
    )


def _read(probabilities):
    """Probabilities of each class, at least float32; ValueError if they are none."""
    given = np.asarray(probabilities)
    tolerance = 1e-3 if given.dtype.itemsize > 2 else 4e-3  # half precision sums less exactly
    probabilities = _per_class(at_least_single(given))
    # written so that NaN is refused
    if probabilities.size and not (
        probabilities.min() >= 0 and np.abs(probabilities.sum(axis=-1) - 1).max() < tolerance
    ):
        raise ValueError("the probabilities are negative, NaN or do not sum to 1; give the output of a softmax")
    return probabilities


def _logarithms(probabilities):
    """Logarithms of the probabilities of each class, all finite; see the top of this file for 0 and 1."""
    given = np.asarray(probabilities)
    half = given.dtype == np.float16
    found = np.maximum(_read(given), 2.0**-25 if half else FLOOR)
    if given.shape[-1] == 1:
        # one minus a probability is no finer than the steps of its type below 1
        np.maximum(found[..., 0], 2.0**-12 if half else np.finfo(found.dtype).eps / 4, out=found[..., 0])
    return np.log(found)


def _check(probabilities, truth):
    probabilities, truth = _read(probabilities), np.asarray(truth)
    if probabilities.shape[:-1] != truth.shape:
        raise ValueError(
            f"probabilities have shape {probabilities.shape} and the truth {truth.shape}; "
            "give probabilities with the classes last, and class indices"
        )
    return probabilities, truth


def _divide(sums, counts):
    return np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
