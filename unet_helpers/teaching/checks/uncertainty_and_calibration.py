"""Self-checks of notebook 12, uncertainty and calibration."""

import numpy as np

from ...evaluation.calibration import mutual_information as right_information
from ...evaluation.calibration import risk_coverage as right_curve
from ...evaluation.calibration import scale_temperature
from ._verdict import Wrong, call, exercise, number


@exercise
def accuracy_per_bin(function):
    """A function of (confidence, right, bins) that gives the share that is right in each bin of equal width."""
    confidence = np.array([0.05, 0.41, 0.45, 0.55, 0.59, 0.81, 0.95, 1.0])
    right = np.array([False, True, False, True, True, True, False, True])
    expected = np.array([0, np.nan, 3 / 4, np.nan, 2 / 3])
    given = np.asarray(call(function, confidence.copy(), right.copy(), 5), float)
    if given.shape != (5,):
        raise Wrong(f"for 5 bins it returns shape {given.shape}; return one number per bin.")
    if np.allclose(given, expected, equal_nan=True):
        return "A reliability diagram is these numbers over the mean confidence of each bin."
    if np.allclose(given, np.nan_to_num(expected)):
        raise Wrong("an empty bin has no share that is right: 0/0 is nan. As 0 it would look like always wrong.")
    if np.allclose(given, [0, 0, 3, 0, 2]):
        raise Wrong("those are counts of right pixels; divide by all pixels of the bin.")
    if np.allclose(given, [1, 0, 4, 0, 3]) or np.allclose(given, np.array([1, 0, 4, 0, 3]) / 8):
        raise Wrong("that is the histogram; ask which share of each bin is right.")
    if np.isnan(given[4]) or np.isclose(given[4], 1 / 2):
        raise Wrong("a confidence of exactly 1 falls out of the last bin; let the last bin hold its upper end.")
    mean = [0.05, np.nan, 0.5, np.nan, (0.81 + 0.95 + 1) / 3]
    if np.allclose(given, mean, equal_nan=True):
        raise Wrong("that is the mean confidence, what was promised; ask for what was kept: `right`.")
    raise Wrong(f"for 5 bins it gives {np.round(given, 2).tolist()}, not {np.round(expected, 2).tolist()}.")


@exercise
def calibration_error(function):
    """A function of (counts, confidence, accuracy), nan in empty bins, that gives the calibration error."""
    counts = np.array([10, 0, 30, 960])
    confidence = np.array([0.1, np.nan, 0.6, 0.99])
    accuracy = np.array([0.3, np.nan, 0.5, 0.98])
    given = number(call(function, counts.copy(), confidence.copy(), accuracy.copy()), "average the gaps")
    gaps = confidence - accuracy
    if np.isnan(given):
        raise Wrong("it gives nan: a bin without pixels has no gap and weight 0; leave it out (np.nansum).")
    if abs(given - np.nansum(counts * np.abs(gaps)) / 1000) < 1e-6:
        return "960 of 1,000 pixels are in one bin, and decide the number."
    if abs(given - np.nanmean(np.abs(gaps))) < 1e-6:
        raise Wrong("that gives each bin the same weight; weigh a bin by its share of the pixels.")
    if abs(given - np.nansum(counts * gaps) / 1000) < 1e-6:
        raise Wrong("gaps of different sign cancel: take their absolute values.")
    if abs(given - np.nansum(counts * np.abs(gaps))) < 1e-6:
        raise Wrong("that is a sum over pixels; divide by how many there are.")
    if abs(given - np.nanmax(np.abs(gaps))) < 1e-6:
        raise Wrong("that is the largest gap, the maximum calibration error; average instead.")
    raise Wrong(f"it gives {given:.4f} where {np.nansum(counts * np.abs(gaps)) / 1000:.4f} is right.")


@exercise
def temperature(function):
    """A function of (probabilities, temperature), classes last, that gives the probabilities at that temperature."""
    probabilities = np.array([[0.9, 0.09, 0.01], [0.2, 0.5, 0.3]])
    for t in (1.0, 2.0, 0.5):
        given = np.asarray(call(function, probabilities.copy(), t), float)
        if given.shape != probabilities.shape:
            raise Wrong(f"it returns shape {given.shape} for probabilities of shape {probabilities.shape}.")
        if np.allclose(given, scale_temperature(probabilities, t), atol=1e-4):
            continue
        if np.allclose(given, scale_temperature(probabilities, 1 / t), atol=1e-4):
            raise Wrong(f"at temperature {t:g} it does what 1/{t:g} should: divide by the temperature.")
        if not np.allclose(given.sum(axis=-1), 1):
            raise Wrong("each pixel's probabilities must sum to 1 again: divide by their sum over the last axis.")
        softmax = np.exp(probabilities / t)
        if np.allclose(given, softmax / softmax.sum(axis=-1, keepdims=True), atol=1e-4):
            raise Wrong("that divides the probabilities; the logits are, up to a constant, their logarithms.")
        raise Wrong(f"at temperature {t:g} the first pixel becomes {np.round(given[0], 3).tolist()}.")
    return "The order of the classes stays, and so does every mask."


@exercise
def mutual_information(function):
    """A function of samples ``(S, N, K)`` that gives the mutual information ``(N,)``."""
    agree = [0.5, 0.5], [0.5, 0.5]
    differ = [0.99, 0.01], [0.01, 0.99]
    samples = np.array([agree, differ]).transpose(1, 0, 2)  # two members, two pixels
    given = np.asarray(call(function, samples.copy()), float)
    if given.shape != (2,):
        raise Wrong(f"for two pixels it returns shape {given.shape}; average over the members, sum over the classes.")
    right = right_information(samples)
    if np.allclose(given, right, atol=1e-3):
        return "The first pixel is a toss-up on which both agree: 0. On the second they contradict each other."
    of_mean = -(samples.mean(axis=0) * np.log(samples.mean(axis=0))).sum(axis=-1)
    alone = -(samples * np.log(samples)).sum(axis=-1).mean(axis=0)
    if np.allclose(given, of_mean, atol=1e-3):
        raise Wrong("that is the entropy of the mean: it cannot tell a shared doubt from a contradiction. Subtract.")
    if np.allclose(given, alone, atol=1e-3):
        raise Wrong("that is the mean entropy of the members, the doubt that they share; subtract it.")
    if np.allclose(given, -right, atol=1e-3):
        raise Wrong("the sign is turned round: entropy of the mean minus mean entropy, never negative.")
    raise Wrong(f"it gives {np.round(given, 3).tolist()} for a shared doubt and a contradiction.")


@exercise
def kept_risk(function):
    """A function of (risk, uncertainty, share) that gives the mean risk of the most certain share of the cases."""
    risk = np.array([0.9, 0.1, 0.5, 0.2, 0.3])
    uncertainty = np.array([0.8, 0.3, 0.1, 0.9, 0.2])
    for share in (0.4, 0.6, 1.0):
        given = number(call(function, risk.copy(), uncertainty.copy(), share))
        kept = round(share * len(risk))
        right = right_curve(risk, uncertainty)[1][kept - 1]
        if abs(given - right) < 1e-6:
            continue
        if abs(given - right_curve(risk, -uncertainty)[1][kept - 1]) < 1e-6:
            raise Wrong("those are the least certain cases; they are the ones that are referred.")
        if abs(given - right_curve(risk, risk)[1][kept - 1]) < 1e-6:
            raise Wrong("that sorts by the risk, which nobody knows before a person has looked. Sort by uncertainty.")
        if abs(given - risk[:kept].mean()) < 1e-6:
            raise Wrong("that takes the cases in the order they came; sort by uncertainty first.")
        raise Wrong(f"of {kept} cases kept it gives {given:.3f}, not {right:.3f}.")
    return "Keeping everybody gives the mean risk, whatever the order."
