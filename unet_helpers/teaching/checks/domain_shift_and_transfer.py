"""Self-checks of notebook 09, domain shift and transfer, and the scans that one of them asks about."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ...data.preprocessing import window
from ...evaluation.intervals import bootstrap_interval
from ._verdict import Wrong, call, exercise, match_answers, number


@exercise
def paired(function):
    """A function of Dice per patient before and after that gives the mean difference and its interval."""
    spread = pd.Series({f"P{k:03d}": value for k, value in enumerate([0.15, 0.3, 0.5, 0.62, 0.8, 0.95])})
    shuffled = (spread - 0.1).sample(frac=1, random_state=1)
    mean, low, high = _three_numbers(call(function, spread.copy(), shuffled.copy()))
    if abs(mean - 0.1) < 1e-6:
        raise Wrong(
            f"every patient lost 0.1, and it gives +{mean:.2f}: take after minus before, so that a loss is < 0."
        )
    if abs(mean + 0.1) > 1e-6:
        raise Wrong(f"every patient lost 0.1, and it gives {mean:.2f}.")
    if high - low > 1e-6:
        shown = f"every patient lost exactly 0.1, and the interval is {low:.2f} to {high:.2f}. "
        if np.allclose((low, high), bootstrap_interval(shuffled.to_numpy() - spread.to_numpy()), atol=0.05):
            raise Wrong(shown + "The two series list the patients in different order: subtract by patient.")
        raise Wrong(shown + "Subtract first, patient by patient; then draw patients.")
    gaps = pd.Series({"P001": 0.9, "P002": np.nan, "P003": 0.7, "P004": 0.8, "P005": 0.6, "P006": 0.5})
    mean, low, high = _three_numbers(call(function, gaps, gaps - pd.Series([0.3, 0, 0.1, 0.2, 0.1, 0.3], gaps.index)))
    if not np.isfinite([mean, low, high]).all():
        raise Wrong("a patient without the object has no Dice (nan); leave such a patient out of mean and interval.")
    if abs(mean + 0.2) > 1e-6:
        raise Wrong(
            f"five patients lost 0.3, 0.1, 0.2, 0.1 and 0.3, one has no value: the mean is -0.20, not {mean:.2f}."
        )
    if not (low < mean < high):
        raise Wrong(
            f"the interval from {low:.2f} to {high:.2f} does not hold the mean {mean:.2f}; are its ends in order?"
        )
    return "What differs between patients cancels, and only the loss is left."


def _three_numbers(result):
    try:
        mean, ends = result
        low, high = ends
    except (TypeError, ValueError):
        raise Wrong("return two things: the mean, and the interval as (low, high).") from None
    return number(mean), number(low), number(high)


ANSWERS = {"A": "soft-tissue window", "B": "motion", "C": "low dose", "D": "wide field of view"}
CLUES = {
    "low dose": "the edges stay where they are, but even tissue becomes grainy.",
    "motion": "the gray values are right, but edges appear twice.",
    "wide field of view": "gray values and edges are right, but everything has another size.",
    "soft-tissue window": "size and edges are right, but lung and air have one and the same gray value.",
}


def mystery_scans():
    """One slice of one patient, scanned or shown in four ways: ``{letter: image (128, 128)}``, 0–1. Used in 09."""
    from ...phantom import Acquisition, make_patient

    changes = {
        "low dose": {"photons": 2e3},
        "motion": {"motion": 8.0},
        "wide field of view": {"field_of_view": 560.0},
        "soft-tissue window": {},
    }
    images = {}
    for letter, cause in ANSWERS.items():
        acquisition = replace(Acquisition(), **changes[cause])
        volume = make_patient(0, index=52, size=128, slices=4, acquisition=acquisition).volume
        images[letter] = window(volume[1], *((50, 350) if cause == "soft-tissue window" else (-600, 1500)))
    return images


@exercise
def name_the_cause(names):
    """A dict from the letter of a picture to what was changed, one of the values of ``ANSWERS``."""
    clues = {letter: f"look again: {CLUES[cause]}" for letter, cause in ANSWERS.items()}
    match_answers(names, ANSWERS, clues, todo="{keys} still without a cause.")
    return "Each of them leaves its own trace, and you saw it without any network."


@exercise
def back_to_hu(function):
    """A function of gray values in 0–1 and the window's level and width that gives HU."""
    hu = np.array([[-900.0, -600.0], [-100.0, 40.0]])
    for level, width in ((-400, 2200), (0, 2000)):
        gray = window(hu, level, width)
        given = np.asarray(call(function, gray, level, width), dtype=float)
        if given.shape != hu.shape:
            raise Wrong(f"it returns shape {given.shape} for gray values of shape {hu.shape}; return one HU for each.")
        if np.allclose(given, hu, atol=0.1):
            continue
        shown = f"lung of -900 HU, shown with level {level} and width {width}, comes back as {given[0, 0]:.0f} HU. "
        if np.allclose(given, gray * width + level, atol=0.1):
            raise Wrong(shown + "Gray 0 is the lower end of the window, half a width below its level.")
        if np.allclose(given, gray * width, atol=0.1) or np.allclose(given, gray * width - width / 2, atol=0.1):
            raise Wrong(shown + "The width stretches the gray values; the level moves them, and is missing.")
        if np.allclose(given, gray * level + width, atol=0.1) or np.allclose(given, (gray - 0.5) * level + width):
            raise Wrong(shown + "Level and width are exchanged: the width is the factor.")
        if np.allclose(given, window(gray, level, width), atol=0.1):
            raise Wrong(shown + "This applies the window a second time; take it back.")
        raise Wrong(shown + "Solve gray = (HU - (level - width / 2)) / width for HU.")
    return "As long as nothing was cut off at the ends, a known window costs nothing."


@exercise
def frozen(function):
    """A function that makes the contracting path of a U-Net untrainable and returns the network."""
    import keras

    from ...models import UNet

    keras.utils.set_random_seed(0)
    network = UNet((32, 32, 1), 2, base_filters=2, depth=2)
    before = [weight.copy() for weight in network.get_weights()]
    result = call(function, network)
    if not isinstance(result, keras.Model):
        raise Wrong(f"it returns {type(result).__name__}; return the network.")
    if not result.trainable_weights:
        raise Wrong("nothing is left to train: freeze layer by layer, not the network as a whole.")
    state = {layer.name: layer.trainable for layer in result.layers if layer.weights}
    still = [name for name, trainable in state.items() if name.startswith("down") and trainable]
    if still:
        norm = all("_bn" in name for name in still)
        more = " Batch normalization has weights too: without it the maps would still drift." if norm else ""
        raise Wrong(f"{still[0]} belongs to the contracting path and can still be trained.{more}")
    too_many = [name for name, trainable in state.items() if not name.startswith("down") and not trainable]
    if too_many:
        where = "the bottleneck, below the contracting path" if "bottleneck" in too_many[0] else "the expanding path"
        raise Wrong(f"{too_many[0]} is frozen too; it belongs to {where}, which should go on learning.")
    if any((a != b).any() for a, b in zip(before, result.get_weights(), strict=True)):
        raise Wrong("the weights have changed; freezing only forbids later training.")
    return "What the contracting path has learned stays as it is; the rest goes on learning."
