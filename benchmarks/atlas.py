"""How good is the atlas of failures at naming errors, and at what strength of noise or blur does the network fail?

``python benchmarks/atlas.py [atlas] [robustness]`` uses the shipped checkpoint on phantom patients that nothing else
has seen, and trains nothing. *atlas*: errors planted into true masks, one of a known kind each; the network's own
errors where the phantom knows a cause; Dice by difficulty; risk over coverage. The one number of the rules that is
chosen (which contrast is low) is chosen on development patients, and all figures are those of others. *robustness*:
Dice under growing disturbances of the image, and of the scanner's dose. Writes ``book/results/atlas.json`` and
``book/results/robustness.json``; twenty minutes on two cores.
"""

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from unittest import mock

import numpy as np
import pandas as pd
from scipy import ndimage

THIN = {"development": range(300, 306), "scored": range(306, 318)}  # family 0, slices 6 mm apart
ARCHIVE = {"development": range(6), "scored": range(6, 24)}  # family 2, from the neck to the kidneys
ROBUSTNESS = range(318, 330)  # family 0
SLICES = {"thin": 32, "archive": 12}
TIGHT = 3  # every third patient is scanned with a field of view that cuts the lungs
CONTRASTS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4)  # of which one is chosen on development patients
LEAST = 4  # pixels of a piece that is scored
SHOWN = 4  # patients with a difficulty; with fewer it is left out
PLANTED = 24  # cases of each kind
NO_CAUSE = "another kind"
DOSES = (1e5, 1e4, 3e3, 1e3, 3e2)
COVERAGES = [round(0.1 * n, 1) for n in range(1, 11)]


@dataclass
class Known:
    """A patient and what only the phantom knows: the anatomy beyond the field of view, dense lung, the nodules."""

    name: str
    images: np.ndarray  # (D, H, W) 0-1
    truth: np.ndarray
    spacing: tuple  # slice, row, column
    cut: np.ndarray  # (D, H, W) bool: anatomy that lies outside the field of view
    dense: np.ndarray  # (D, H, W) bool: lung that is as dense as tissue: consolidations, vessels outlined with it
    nodules: tuple
    difficulties: dict


def main(arguments):
    parts = arguments or ["atlas", "robustness"]
    if set(parts) - {"atlas", "robustness"}:
        sys.exit(f"choose atlas, robustness or both, not {' '.join(parts)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from record import write_results

    from unet_helpers import load_checkpoint

    model = load_checkpoint()
    measures = {
        "atlas": (
            measure_atlas,
            "Kinds of failure: how often the atlas names them right; Dice by difficulty; risk",
        ),
        "robustness": (measure_robustness, "Dice of the checkpoint under growing disturbances"),
    }
    for part in parts:
        began = time.perf_counter()
        measure, what = measures[part]
        results = measure(model)
        results["seconds"] = round(time.perf_counter() - began)
        path = write_results(part, what, results)
        print(f"written: {path.name}, {results['seconds']} s", flush=True)


# --- patients -------------------------------------------------------------------------------------


def make_thin(index):
    """A patient of the class in slices 6 mm apart, so that a nodule lies in two or three of them."""
    from unet_helpers.phantom import Acquisition, make_patient
    from unet_helpers.phantom.patients import outside_circle

    tight = Acquisition(field_of_view=220.0, padding=-1024) if index % TIGHT == 0 else None
    patient = make_patient(0, index=index, slices=SLICES["thin"], acquisition=tight)
    outside = np.zeros(patient.masks.shape, bool)
    if patient.acquisition.padding is not None:
        outside[:] = outside_circle(patient.masks.shape[1])
    return _known(f"thin {index}", patient, np.where(outside, 0, patient.masks), outside & (patient.masks > 0))


def make_archive(index):
    """A patient of the archive, and the same one without consolidations, vessels in the outline and cut: his twin."""
    from unet_helpers.phantom import variety

    patient = _make_changed(index, {}, {})
    with mock.patch.object(variety, "outline", lambda lung, pixel: lung):
        twin = _make_changed(index, {"consolidation": ()}, {"padding": None})
    cut = (twin.masks > 0) & (patient.masks == 0)
    changed = ndimage.binary_opening(np.abs(patient.volume - twin.volume) > 150, np.ones((1, 3, 3)))
    dense = (patient.masks > 0) & (changed | (twin.masks == 0))
    return _known(f"archive {index}", patient, patient.masks, cut, dense)


def _make_changed(index, findings, acquisition):
    """An archive patient with some of what was drawn for him replaced; every other random number stays."""
    from unet_helpers.phantom import make_patient, variety

    if index % TIGHT == 0:
        acquisition = {"padding": -1024} | acquisition
    draw_findings, draw_acquisition = variety.draw_findings, variety.draw_archive_acquisition

    def drawn_acquisition(rng, anatomy, fitting):
        drawn = draw_acquisition(rng, anatomy, fitting)
        tight = {"field_of_view": 0.65 * fitting} if index % TIGHT == 0 else {}
        return replace(drawn, **tight, **acquisition)

    with (
        mock.patch.object(variety, "draw_findings", lambda *given: replace(draw_findings(*given), **findings)),
        mock.patch.object(variety, "draw_archive_acquisition", drawn_acquisition),
    ):
        return make_patient(2, index=index, slices=SLICES["archive"], variety="archive")


def _known(name, patient, truth, cut, dense=None):
    from unet_helpers.data import window

    dense = np.zeros(truth.shape, bool) if dense is None else dense
    images = window(patient.volume, -600, 1500).astype(np.float32)
    return Known(name, images, truth, patient.spacing, cut, dense, patient.nodules, patient.difficulties)


def make_all(make, indices):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return list(pool.map(make, indices))


# --- planted errors -------------------------------------------------------------------------------


def sort_planted(patients, contrast, predictions=None, seed=0, wanted=PLANTED):
    """Plant errors of every kind and sort them: ``patient``, ``expected``, and the ``kind`` that they are given.

    The predictions are right but for the planted error, or, with ``predictions``, the network's own beside it.
    """
    from planted import NoRoomError, plant

    from unet_helpers.failures import ATLAS, sort_errors

    rng, rows = np.random.default_rng(seed), []
    for expected in ATLAS:
        done = 0
        for number in list(range(len(patients))) * 8:
            patient = patients[number]
            if done == wanted:
                break
            try:
                planted, images = plant(expected, patient.truth, patient.images, rng)
            except NoRoomError:
                continue
            place = planted != patient.truth
            predicted = planted if predictions is None else np.where(place, planted, predictions[number])
            table, pieces = sort_errors(patient.truth, predicted, images, patient.spacing[1:], contrast=contrast)
            largest = np.bincount(pieces[place]).argmax() - 1  # of the piece with most of the planted pixels
            rows.append((patient.name, expected, table.loc[largest, "kind"]))
            done += 1
    return pd.DataFrame(rows, columns=["patient", "expected", "kind"])


# --- the network's own errors ---------------------------------------------------------------------


def known_causes(patient, slice_index, area, lost, index):
    """The kinds of cause that the phantom's own knowledge gives for one piece of wrong pixels: a set of names."""
    causes = set()
    if patient.cut[slice_index].any():
        beyond = ndimage.binary_dilation(patient.cut[slice_index], np.ones((3, 3)), iterations=3)
        if beyond[area].mean() >= 0.5:
            causes.add("truncated by field of view")
    if lost and index == 1 and patient.dense[slice_index][area].mean() >= 0.5:
        causes.add("low contrast")
    truth = patient.truth[slice_index] == index
    labels, _ = ndimage.label(truth, np.ones((3, 3)))
    whole = labels == labels[area][0] if lost else area
    if index == 1 and lost and area.sum() >= 0.5 * whole.sum():
        beside = [patient.truth[k] for k in (slice_index - 1, slice_index + 1) if 0 <= k < len(patient.truth)]
        if sum(bool((other == 1)[whole].any()) for other in beside) == 1:
            causes.add("slice-end error")
    if index == 2:
        nodule, height = nodule_at(patient, slice_index, whole)
        if nodule is not None and lost and area.sum() >= 0.5 * whole.sum():
            if nodule.kind == "ground-glass":
                causes.add("low contrast")
            if height > 0.3 * nodule.diameter_mm:
                causes.add("slice-end error")
        if nodule is not None and not lost and height > 0.4 * nodule.diameter_mm and not truth.any():
            causes.add("slice-end error")
    return causes


def nodule_at(patient, slice_index, area):
    """The nodule at a place or within a slice of it, and its height over the center in mm; (None, nan) if none."""
    center = np.argwhere(area).mean(axis=0)
    for nodule in patient.nodules:
        height, *plane = (np.array([slice_index, *center]) - nodule.center) * patient.spacing
        reach = 0.5 * nodule.diameter_mm
        if np.linalg.norm(plane) <= max(reach, 6) and abs(height) <= reach + patient.spacing[0]:
            return nodule, abs(height)
    return None, np.nan


def sort_own_errors(patient, predicted, contrast):
    """Every piece of at least :data:`LEAST` pixels, with what the atlas says and what the phantom knows."""
    from unet_helpers.failures import sort_errors

    table, pieces = sort_errors(patient.truth, predicted, patient.images, patient.spacing[1:], contrast=contrast)
    causes = []
    for number, (k, index, pixels) in enumerate(zip(table["slice"], table["class"], table["pixels"], strict=True), 1):
        area = pieces[k] == number
        lost = bool((patient.truth[k][area] == index).all())
        causes.append(known_causes(patient, k, area, lost, index) if pixels >= LEAST else set())
    table.insert(0, "patient", patient.name)
    table["expected"] = [NO_CAUSE if not one else next(iter(one)) if len(one) == 1 else "several" for one in causes]
    return table[table["pixels"] >= LEAST]


def judge(table):
    """Pieces with one cause or none known, and the name as it is judged: any kind that names no cause is the same."""
    from unet_helpers.failures import CAUSES

    table = table[table["expected"] != "several"]
    return table.assign(judged=table["kind"].where(table["kind"].isin(CAUSES), NO_CAUSE))


def choose_contrast(patients, predictions):
    """The contrast at which the rules agree best with what the phantom knows, on development patients."""
    from unet_helpers.failures import balanced_accuracy

    scores = {}
    for contrast in CONTRASTS:
        tables = [sort_own_errors(*pair, contrast) for pair in zip(patients, predictions, strict=True)]
        scores[contrast] = balanced_accuracy(judge(pd.concat(tables)), given="judged", repeats=1)[0]
    return max(scores, key=scores.get), scores


def count(table, rows, columns, expected="expected", given="kind"):
    """Confusion matrix as ``{row: [counts]}``."""
    found = pd.crosstab(table[expected], table[given]).reindex(index=rows, columns=columns, fill_value=0)
    return {name: found.loc[name].tolist() for name in rows}


# --- difficulties, risk ---------------------------------------------------------------------------


def dice_of_slices(patients, predictions, index):
    """Dice per slice that holds the class in truth or prediction: a table with ``patient``, ``slice``, ``dice``."""
    from unet_helpers import dice

    rows = []
    for patient, predicted in zip(patients, predictions, strict=True):
        for k in range(len(predicted)):
            rows.append((patient.name, k, dice(patient.truth[k] == index, predicted[k] == index)))
    return pd.DataFrame(rows, columns=["patient", "slice", "dice"])


def by_difficulty(patients, slices, least=SHOWN):
    """Lung Dice of the slices with each difficulty, and of those without; at least ``least`` patients must have it.

    ``low`` and ``high`` are the ends of an interval; with fewer than five patients, too few for one, those of the
    range of the patients' means: ``ends`` says which.
    """
    from unet_helpers import bootstrap_interval
    from unet_helpers.evaluation.intervals import FEWEST_PATIENTS

    slices = slices.dropna()
    of = {patient.name: patient.difficulties for patient in patients}
    found = []
    for name in sorted({name for one in of.values() for name in one}):
        has = np.array([k in of[p].get(name, ()) for p, k in zip(slices["patient"], slices["slice"], strict=True)])
        row = {"difficulty": name, "patients": int(slices["patient"][has].nunique()), "slices": int(has.sum())}
        if row["patients"] < least:
            continue
        row["ends"] = "interval" if row["patients"] >= FEWEST_PATIENTS else "range"
        for key, part in (("dice", slices[has]), ("without", slices[~has])):
            means = part.groupby("patient")["dice"].mean()
            few = len(means) < FEWEST_PATIENTS
            ends = (means.min(), means.max()) if few else bootstrap_interval(part["dice"], part["patient"])
            values = dict(zip((key, f"{key}_low", f"{key}_high"), (part["dice"].mean(), *ends), strict=True))
            row |= {label: round(float(value), 3) for label, value in values.items()}
        found.append(row)
    return sorted(found, key=lambda row: row["dice"])


def confidence(probability, mask):
    """The Dice that the probabilities themselves expect of a mask; of an empty mask, that no pixel is of the class."""
    if not mask.any():
        return float(1 - probability.max())
    return float(2 * probability[mask].sum() / (probability.sum() + mask.sum()))


def risk_over_coverage(table, repeats=1000, seed=0):
    """Mean risk of the slices that are kept, surest first; the same for the best order, and a random one.

    Parameters
    ----------
    table : pandas.DataFrame
        ``patient``, ``risk`` (1 - Dice; 0 where neither mask holds the class), ``confidence``.
    """
    patients = table["patient"].unique()
    parts = {patient: part for patient, part in table.groupby("patient")}
    rng = np.random.default_rng(seed)
    draws = [pd.concat([parts[name] for name in rng.choice(patients, len(patients))]) for _ in range(repeats)]
    curves = np.array([_risk_curve(draw, "confidence") for draw in draws])
    low, high = np.quantile(curves, (0.025, 0.975), axis=0)
    gains = curves.mean(axis=1) - np.array([draw["risk"].mean() for draw in draws])
    curve, ideal = _risk_curve(table, "confidence"), _risk_curve(table.assign(sure=-table["risk"]), "sure")
    value = {
        "slices": len(table),
        "mean_risk": table["risk"].mean(),
        "risk": curve,
        "risk_low": low,
        "risk_high": high,
        "ideal_risk": ideal,
        "area_minus_random": curve.mean() - table["risk"].mean(),
        "area_minus_random_low": np.quantile(gains, 0.025),
        "area_minus_random_high": np.quantile(gains, 0.975),
    }
    return {key: np.round(one, 4).tolist() if np.ndim(one) else round(float(one), 4) for key, one in value.items()}


def _risk_curve(table, order):
    risk = table["risk"].to_numpy()[np.argsort(-table[order].to_numpy(), kind="stable")]
    kept = np.maximum(1, np.round(np.array(COVERAGES) * len(risk)).astype(int))
    return np.cumsum(risk)[kept - 1] / kept


# --- both measurements ----------------------------------------------------------------------------


def measure_atlas(model):
    from unet_helpers.evaluation import predict_probabilities
    from unet_helpers.failures import ATLAS, CAUSES, balanced_accuracy

    cohorts, beliefs = {}, {}
    for part in ("development", "scored"):
        made = [make_all(make_thin, THIN[part]), make_all(make_archive, ARCHIVE[part])]
        cohorts[part] = [patient for group in made for patient in group]
        beliefs[part] = [predict_probabilities(model, patient.images[..., None]) for patient in cohorts[part]]
    masks = {part: [belief.argmax(axis=-1).astype(np.uint8) for belief in beliefs[part]] for part in beliefs}
    contrast, scores = choose_contrast(cohorts["development"], masks["development"])
    print("contrast", contrast, scores, flush=True)

    scored = cohorts["scored"]
    thin = [patient for patient in scored if patient.name.startswith("thin")]
    planted = sort_planted(thin, contrast)
    mixed = sort_planted(thin, contrast, masks["scored"][: len(thin)])
    own = pd.concat([sort_own_errors(*pair, contrast) for pair in zip(scored, masks["scored"], strict=True)])
    judged = judge(own)
    results = {
        "contrast": contrast,
        "contrast_scores": {f"contrast {key}": round(value, 3) for key, value in scores.items()},
        "planted": with_interval("balanced_accuracy", balanced_accuracy(planted))
        | {"patients": len(thin), "cases": len(planted), "matrix": count(planted, list(ATLAS), list(ATLAS))},
        "planted_among_own": with_interval("balanced_accuracy", balanced_accuracy(mixed))
        | {"cases": len(mixed), "matrix": count(mixed, list(ATLAS), list(ATLAS))},
        "own": with_interval("balanced_accuracy", balanced_accuracy(judged, given="judged"))
        | {
            "patients": len(scored),
            "pieces": len(judged),
            "several_causes": int((own["expected"] == "several").sum()),
            "matrix": count(judged, [*CAUSES, NO_CAUSE], list(ATLAS)),
        },
    }
    for name in (*CAUSES, NO_CAUSE):
        part = judged[judged["expected"] == name]
        results["own"][f"recall_{name.replace(' ', '_')}"] = round(float((part["judged"] == name).mean()), 3)
    both = [patient.name.startswith("archive") for part in cohorts for patient in cohorts[part]]
    everyone = [patient for part in cohorts for patient in cohorts[part]]
    predicted = [mask for part in cohorts for mask in masks[part]]
    archive = [[item for item, keep in zip(items, both, strict=True) if keep] for items in (everyone, predicted)]
    results["difficulties"] = by_difficulty(archive[0], dice_of_slices(*archive, 1))
    slices = pd.concat(
        [
            dice_of_slices(scored, masks["scored"], index).assign(
                index=index,
                confidence=[
                    confidence(belief[k, ..., index], mask[k] == index)
                    for belief, mask in zip(beliefs["scored"], masks["scored"], strict=True)
                    for k in range(len(mask))
                ],
            )
            for index in (1, 2)
        ]
    )
    slices["risk"] = 1 - slices["dice"].fillna(1)
    kept = {"lung": (1, "archive"), "nodule": (2, "thin")}
    results["coverages"] = COVERAGES
    for name, (index, cohort) in kept.items():
        part = slices[(slices["index"] == index) & slices["patient"].str.startswith(cohort)]
        results[f"risk_{name}"] = risk_over_coverage(part)
    return results


def with_interval(name, triple):
    return {key: round(value, 3) for key, value in zip((name, f"{name}_low", f"{name}_high"), triple, strict=True)}


def measure_robustness(model):
    from unet_helpers.data import subset_of_patients
    from unet_helpers.failures import DISTURBANCES, disturb

    patients = make_all(make_class, ROBUSTNESS)
    subset = subset_of_patients(patients, window=None)
    undisturbed = dice_by_patient(model, subset)
    results = {"patients": len(patients), "slices": len(subset)}
    for name, disturbance in DISTURBANCES.items():
        runs = [undisturbed]
        runs += [dice_by_patient(model, disturb(subset, name, level)) for level in disturbance.levels[1:]]
        results[name] = in_lists(disturbance.unit, disturbance.levels, runs, summarize_change)
        print(name, results[name]["nodule_dice"], results[name]["lung_dice"], flush=True)
    rescans = [make_all(make_class, [(index, dose) for index in ROBUSTNESS]) for dose in DOSES]
    runs = [dice_by_patient(model, subset_of_patients(scan, window=None)) for scan in rescans]
    results["dose"] = in_lists(
        "photons per detector element and angle", [int(n) for n in DOSES], runs, summarize_change
    )
    return results


def make_class(index):
    """A patient of the class; with (index, photons), scanned in a standard way at that dose."""
    from unet_helpers.phantom import Acquisition, make_patient

    if isinstance(index, tuple):
        return make_patient(0, index=index[0], acquisition=Acquisition(photons=index[1]))
    return make_patient(0, index=index)


def dice_by_patient(model, subset):
    """``{class: {patient: Dice}}`` of a subset in HU."""
    from unet_helpers import evaluate
    from unet_helpers.data import PHANTOM_CLASSES, window

    subset = replace(subset, images=window(subset.images, -600, 1500))
    cases = evaluate(model, subset, PHANTOM_CLASSES).cases
    return {name: part.set_index("patient")["dice"].to_dict() for name, part in cases.groupby("class")}


def in_lists(unit, levels, runs, summarize):
    """One list over the levels for every quantity: ``lung_dice``, ``lung_dice_low``, …, ``nodule_change_high``."""
    found = {"unit": unit, "levels": list(levels)}
    for name in ("lung", "nodule"):
        rows = [summarize(run[name], runs[0][name]) for run in runs]
        found |= {f"{name}_{key}": [row[key] for row in rows] for key in rows[0]}
    return found


def summarize_change(dice, undisturbed):
    """Mean Dice over patients with its 95 % interval, and that of the change for the same patients.

    Parameters
    ----------
    dice, undisturbed : ``{patient: Dice}`` or pandas.Series
        nan is left out.

    Returns
    -------
    dict of str to float
        ``dice``, ``dice_low``, ``dice_high``, ``change``, ``change_low``, ``change_high``, three digits.
    """
    from unet_helpers.evaluation import bootstrap_interval

    dice = pd.Series(dice, dtype=float)
    change = (dice - pd.Series(undisturbed, dtype=float)).dropna()
    found = {}
    for name, values in (("dice", dice.dropna()), ("change", change)):
        low, high = bootstrap_interval(values, method="t")  # a dozen patients: drawing them would be too narrow
        found |= {name: values.mean(), f"{name}_low": low, f"{name}_high": high}
    return {name: round(float(value), 3) for name, value in found.items()}


if __name__ == "__main__":
    main(sys.argv[1:])
