"""The best outline that a network can draw whose last map is coarse."""

import numpy as np

from ..evaluation.overlap import dice


def best_from_coarse_map(mask, stride):
    """The best outline, or nearly, that a network can draw which enlarges a map of scores ``stride`` times at its end.

    The scores themselves are fitted to the ground truth by cross-entropy, three times with growing weight on the
    object, and cut at the threshold with the highest Dice. No network can know more; what is missing then is missing
    because the map is coarse. Used in 08.

    Parameters
    ----------
    mask : binary ``(n, n)``
        n a multiple of ``stride``.
    stride : int

    Returns
    -------
    ``(n, n)`` bool
    """
    truth = np.asarray(mask) > 0
    if not truth.any():
        return np.zeros(truth.shape, bool)
    enlarge = enlarging_matrix(len(truth), stride)
    balance = max((~truth).sum() / truth.sum(), 1)
    candidates = []
    for weight in (1, balance**0.5, balance):
        fine = enlarge @ _fit_scores(truth, enlarge, weight) @ enlarge.T
        candidates += [fine >= threshold for threshold in np.unique(fine[truth])]
    return max(candidates, key=lambda found: dice(truth, found))


def _fit_scores(truth, enlarge, weight):
    """The coarse scores with the lowest cross-entropy, object pixels counting ``weight`` times."""
    from scipy.optimize import minimize
    from scipy.special import expit

    coarse = enlarge.shape[1]
    weights = np.where(truth, weight, 1.0)

    def loss(scores):
        fine = enlarge @ scores.reshape(coarse, coarse) @ enlarge.T
        slope = enlarge.T @ (weights * (expit(fine) - truth)) @ enlarge
        return np.sum(weights * (np.logaddexp(0, fine) - truth * fine)), slope.ravel()

    found = minimize(loss, np.zeros(coarse * coarse), jac=True, method="L-BFGS-B", options={"maxiter": 100})
    return found.x.reshape(coarse, coarse)


def enlarging_matrix(size, stride):
    """``(size, size / stride)``: bilinear interpolation along one axis, as the networks of this package enlarge."""
    count = size // stride
    places = (np.arange(size) + 0.5) / stride - 0.5
    return np.stack([np.interp(places, np.arange(count), one) for one in np.eye(count)], axis=1)
