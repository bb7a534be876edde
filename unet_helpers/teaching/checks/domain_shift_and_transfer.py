"""Self-checks of notebook 09, domain shift and transfer, and the scans that one of them asks about."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ...data.preprocessing import window
from ...evaluation.intervals import METHODS, bootstrap_interval
from ._numbers import first_hint
from ._verdict import Wrong, call, exercise, match_answers, number
from .preprocessing import compare_hu


@exercise
def paired(function):
    """A function of Dice per patient before and after that gives the mean difference and its interval."""
    spread = pd.Series({f"P{k:03d}": value for k, value in enumerate([0.15, 0.3, 0.5, 0.62, 0.8, 0.95])})
    shuffled = (spread - 0.1).sample(frac=1, random_state=1)
    mean, low, high = _three_numbers(call(function, spread, shuffled))
    if abs(mean - 0.1) < 1e-6:
        raise Wrong(
            f"every patient lost 0.1, and it gives +{mean:.2f}: take after minus before, so that a loss is < 0."
        )
    if not abs(mean + 0.1) < 1e-6:
        raise Wrong(f"every patient lost 0.1, and it gives {mean:.2f}.")
    if not abs(high - low) < 1e-6:
        shown = f"every patient lost exactly 0.1, and the interval is {low:.2f} to {high:.2f}. "
        if np.allclose((low, high), bootstrap_interval(shuffled.to_numpy() - spread.to_numpy()), atol=0.05):
            raise Wrong(shown + "The two series list the patients in different order: subtract by patient.")
        raise Wrong(shown + "Subtract first, patient by patient; then draw patients.")
    if not abs(low + 0.1) < 1e-6:
        raise Wrong(f"every patient lost exactly 0.1, and the interval is at {low:.2f}, where nobody is.")
    before, after = _gains_and_losses()
    lost = (after - before).dropna()
    mean, low, high = _three_numbers(call(function, before, after))
    if not np.isfinite([mean, low, high]).all():
        raise Wrong("a patient without the object has no Dice (nan); leave such a patient out of mean and interval.")
    right = bootstrap_interval(lost)
    shown = f"of the {len(lost)} patients with both values it says {mean:.3f}, not {lost.mean():.3f}. "
    shown_ends = (
        f"for their mean of {mean:.3f} it gives {low:.3f} to {high:.3f}, not {right[0]:.3f} to {right[1]:.3f}. "
    )
    if abs(mean - lost.mean()) > 1e-6:
        generic = "Subtract by patient, leave out who has one value only, and take the mean of the rest."
        raise Wrong(shown + first_hint(mean, _wrong_means(before, after, lost), generic))
    if not low < mean < high:
        raise Wrong(shown_ends + "The interval has to hold the mean; are its ends in order?")
    any_method = any(np.allclose((low, high), bootstrap_interval(lost, method=method)) for method in METHODS)
    drawn = bootstrap_interval(lost, method="percentile")  # by hand, from other draws
    if not any_method and not np.allclose((low, high), drawn, atol=0.045 * (drawn[1] - drawn[0])):
        generic = "Give it the differences of these patients, and keep its level of 95 %."
        raise Wrong(shown_ends + first_hint((low, high), _wrong_ends(before, after, lost), generic, 1e-3))
    return "What differs between patients cancels, and only the loss is left."


def _gains_and_losses():
    """Eight patients with both values, one that gained a false alarm, one that lost its object, two seen only once."""
    before = [0.62, np.nan, 0.71, 0.35, 0.55, 0.80, 0.12, 0.47, 0.66, 0.58, 0.90]
    after = [0.58, 0.0, 0.69, 0.40, np.nan, 0.10, 0.12, 0.35, 0.55, 0.9, 0.84]
    before = pd.Series(before, [f"P{k:02d}" for k in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12)])
    after = pd.Series(after, [f"P{k:02d}" for k in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12)])
    return before, after.sample(frac=1, random_state=1)


def _wrong_means(before, after, lost):
    apart = after.mean() - before.mean()
    return {
        "The two means are not over the same patients: subtract by patient first.": apart,
        "That is the median: half of the patients lost less, and how much the others lost is gone.": lost.median(),
        "Here a gain counts as a loss: keep the sign.": -lost.abs().mean(),
        "Patients who gained are left out; they count as well.": lost[lost < 0].mean(),
        "A patient without a value is left out, and does not count 0.": [
            after.sub(before, fill_value=0).fillna(0).mean(),
            after.sub(before, fill_value=0).mean(),
            after.fillna(0).sub(before.fillna(0)).mean(),
        ],
    }


def _wrong_ends(before, after, lost):
    differ = "That is how much the patients differ; the interval says how sure their *mean* is, and takes more to tell."
    spread = [(lost.mean() - lost.std(ddof=ddof), lost.mean() + lost.std(ddof=ddof)) for ddof in (0, 1)]
    return {
        differ: [(lost.min(), lost.max()), *spread],
        "That is the interval of one of the two series: give it the differences.": bootstrap_interval(after),
    }


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
    hu = (
        ([[-900.2, -600.4], [-100.3, 40.6]], -400, 2200),
        ([[-740.0, 12.5, 60.4]], 0, 2000),
        ([[[-85.3], [40.2]], [[120.9], [2.2]], [[-100.7], [199.1]]], 49.5, 351),
        ([1400.6, -1700.2, 0.0, 30.0, -2.5], 100, 4001),
    )
    compare_hu(function, [(window(np.array(values), *shown), *shown) for values, *shown in hu])
    return "As long as nothing was cut off at the ends, a known window costs nothing."


@exercise
def frozen(function):
    """A function that makes the contracting path of a U-Net untrainable and returns the network."""
    import keras

    from ...models import UNet

    for depth, options in ((1, {}), (3, {"batch_norm": False})):
        keras.utils.set_random_seed(depth)
        network = UNet((32, 16, 1), 2, base_filters=2, depth=depth, **options)
        before = network.get_weights()
        _check_frozen(call(function, network), before, f"in a U-Net of depth {depth}, ", keras.Model)
    return "What the contracting path has learned stays as it is; the rest goes on learning."


def _check_frozen(result, before, shown, kind):
    if not isinstance(result, kind):
        raise Wrong(f"it returns {type(result).__name__}; return the network.")
    if not result.trainable_weights:
        raise Wrong("nothing is left to train: freeze layer by layer, not the network as a whole.")
    state = {layer.name: layer.trainable for layer in result.layers if layer.weights}
    still = [name for name, trainable in state.items() if name.startswith("down") and trainable]
    if still:
        norm = all("_bn" in name for name in still)
        more = " Batch normalization has weights too: without it the maps would still drift." if norm else ""
        raise Wrong(f"{shown}{still[0]} belongs to the contracting path and can still be trained.{more}")
    too_many = [name for name, trainable in state.items() if not name.startswith("down") and not trainable]
    if too_many:
        below = too_many[0].startswith("bottleneck")
        where = "the bottleneck, below the contracting path" if below else "the expanding path"
        raise Wrong(f"{shown}{too_many[0]} is frozen too; it belongs to {where}, which should go on learning.")
    after = result.get_weights()
    if [weight.shape for weight in before] != [weight.shape for weight in after]:
        raise Wrong("it returns another network; return the one that it was given.")
    if any((a != b).any() for a, b in zip(before, after, strict=True)):
        raise Wrong("the weights have changed; freezing only forbids later training.")
