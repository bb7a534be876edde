"""Do probabilities keep what they promise, and do maps of uncertainty point at errors?

``python benchmarks/uncertainty.py`` trains small U-Nets on the phantom's training patients: with cross-entropy and with
the Dice loss, three seeds each, and with the recipe of the shipped checkpoint, five seeds: the sum of both, in which a
nodule pixel counts ten times. All are trained as long as the checkpoint, with its crops and schedule. Measured are 24
further synthetic patients; a temperature is fitted on the validation patients; the test split stays untouched. The
networks of the recipe then give maps of uncertainty in four ways, which are scored on where they are wrong, and are
shown the same patients in another window. Last come the four readers of the LIDC slices, found where
``benchmarks/readers.py`` finds them; without them their earlier record is kept.

Writes ``book/results/uncertainty.json``, and some maps into ``uncertainty_slices.npz`` beside it. About twenty minutes
on two free cores. ``--folder F`` keeps what was trained and computed in a folder, and goes on from there;
``--minutes 3`` stops after about so long.
"""

import json
import os
import time
from pathlib import Path

import numpy as np
from parts import computed, make_parser

HELD_OUT = range(120, 144)  # of the phantom's family 0; notebooks and benchmarks have those before
SEEDS, MEMBERS = (0, 1, 2), (0, 1, 2, 3, 4)
MAPPED = (0, 1, 2)  # the members that are asked several times, and on whose errors maps are scored
RECIPE = "Dice + weighted cross-entropy"
LOSSES = {
    "cross-entropy": "categorical_crossentropy",
    "Dice": "dice",
    RECIPE: "dice_crossentropy",
}
SAMPLES, OTHER_WINDOW, NEAR, BINS, DRAWS = 6, (-400, 2200), 10.0, 15, 1000
LUNG, NODULE = 1, 2
FLIPS = ((), (2,))  # as it is, and left and right exchanged
SURE = 0.05  # a nodule is missed with certainty if no pixel of it gets more than this
ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("UNET_SHARED_DATA") or ROOT.parent / "shared" / "data")


def main():
    parser = make_parser(__doc__.splitlines()[0])
    parser.add_argument("--lidc", type=Path, default=SHARED / "lidc_slices" / "LIDC-IDRI-slices")
    arguments = parser.parse_args()
    with computed(arguments, steps) as folder:
        results, slices = assemble(folder)
    results["readers"] = read_readers(arguments.lidc) or recorded_readers()
    from record import write_results

    from unet_helpers.teaching import RESULTS

    path = write_results("uncertainty", "Calibration and maps of uncertainty", results, seed=list(MEMBERS))
    np.savez_compressed(RESULTS / "uncertainty_slices.npz", **slices)
    print(f"written: {path.name}")


def networks():
    """``(loss, seed)`` of every network."""
    order = (RECIPE, *(name for name in LOSSES if name != RECIPE))
    return [(name, seed) for name in order for seed in (MEMBERS if name == RECIPE else SEEDS)]


def steps(folder):
    """Functions that each do one part, once, and say whether they did."""
    parts = [("held_out", make_held_out)]
    parts += [(f"{loss}_{seed}", lambda path, loss=loss, seed=seed: run(loss, seed, path)) for loss, seed in networks()]

    def once(name, function):
        path = folder / ("".join(letter if letter.isalnum() else "_" for letter in name) + ".npz")
        if path.is_file():
            return False
        print(name, end=" ", flush=True)
        np.savez(path.with_suffix(".writing.npz"), **function(folder))
        os.replace(path.with_suffix(".writing.npz"), path)
        return True

    return [lambda name=name, function=function: once(name, function) for name, function in parts]


def load(folder, name):
    """What a part has left."""
    path = folder / ("".join(letter if letter.isalnum() else "_" for letter in name) + ".npz")
    with np.load(path) as stored:
        return dict(stored)


# --- networks ---------------------------------------------------------------------------------------


def make_held_out(_):
    """Further patients, in the window of training and in another one."""
    from unet_helpers.data import subset_of_patients
    from unet_helpers.phantom import make_patient

    patients = [make_patient(0, index=index) for index in HELD_OUT]
    subset = subset_of_patients(patients)
    arrays = {name: value for name, value in vars(subset).items() if value is not None}
    return arrays | {"shifted": subset_of_patients(patients, OTHER_WINDOW).images}


COMPILED = {}


def run(loss, seed, folder):
    """Train one network; its temperature, and its probabilities on the held-out patients, several ways."""
    from unet_helpers import load_dataset, predict_probabilities
    from unet_helpers.evaluation import fit_temperature, predict_with_dropout, predict_with_flips

    data, held_out = load_dataset("phantom"), load(folder, "held_out")
    network, seconds = fit(loss, seed, data)
    on_validation = predict_probabilities(network, data.validation.images)
    result = {
        "seconds": seconds,
        "temperature": fit_temperature(on_validation, data.validation.masks),
        "plain": predict_probabilities(network, held_out["images"]),
    }
    if loss == RECIPE:
        result["shifted"] = predict_probabilities(network, held_out["shifted"])
        if seed in MAPPED:
            result["dropout"] = predict_with_dropout(network, held_out["images"], SAMPLES).astype(np.float16)
            result["flips"] = predict_with_flips(network, held_out["images"], FLIPS).astype(np.float16)
    return result


def fit(loss, seed, data):
    """Train the network of a loss from one seed: the recipe of the checkpoint without its rounds of validation.

    The seeds share one compiled network, whose weights and optimizer are set back.
    """
    import keras

    from unet_helpers import UNet, start_at_class_shares
    from unet_helpers.data import make_augmenter
    from unet_helpers.training import (
        AUGMENTATION,
        MODEL,
        TRAINING,
        DiceCrossEntropy,
        RunningMean,
        compile_model,
        make_crop_batches,
        make_targets,
    )

    size, batch_size = TRAINING["crop_size"], TRAINING["batch_size"]
    per_epoch = -(-data.train.images[..., 0].size // (batch_size * size**2))
    if loss not in COMPILED:
        COMPILED.clear()
        keras.backend.clear_session()
        objective = DiceCrossEntropy(TRAINING["class_weights"]) if loss == RECIPE else LOSSES[loss]
        schedule = {"schedule": "cosine", "steps_per_epoch": per_epoch, "epochs": TRAINING["epochs"]}
        schedule |= {"warmup": TRAINING["warmup"]}
        COMPILED[loss] = compile_model(UNet(**MODEL), TRAINING["learning_rate"], objective, **schedule)
        COMPILED[loss].optimizer.build(COMPILED[loss].trainable_variables)
    network = COMPILED[loss]
    keras.utils.set_random_seed(seed)
    network.set_weights(UNet(**MODEL).get_weights())
    for variable in network.optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(keras.ops.zeros_like(variable))
    start_at_class_shares(network, data.train.masks)
    options = {"around": TRAINING["crop_class"], "image_fill": TRAINING["crop_fill"], "seed": seed}
    options |= {"augment": make_augmenter(**AUGMENTATION, seed=seed)}
    batches = make_crop_batches(data.train.images, make_targets(data.train.masks, 3), size, batch_size, **options)
    began = time.perf_counter()
    mean = RunningMean(TRAINING["average"])
    length = {"steps_per_epoch": per_epoch, "epochs": TRAINING["epochs"]}
    network.fit(batches, **length, verbose=0, shuffle=False, callbacks=[mean])
    mean.put_into(network)
    return network, time.perf_counter() - began


# --- measurements ---------------------------------------------------------------------------------------


def assemble(folder):
    """The content of the result file, and the maps of two slices."""
    from unet_helpers.data import Subset
    from unet_helpers.evaluation import distance_to_outline
    from unet_helpers.training import TRAINING

    arrays = load(folder, "held_out")
    arrays.pop("shifted")
    held_out = Subset(**arrays)
    near_truth = distance_to_outline(held_out.masks, held_out.spacing) <= NEAR
    runs = {loss: [load(folder, f"{loss}_{seed}") for one, seed in networks() if one == loss] for loss in LOSSES}
    results = {
        "epochs": TRAINING["epochs"],
        "training_seconds": float(np.mean([run["seconds"] for group in runs.values() for run in group])),
        "held_out_patients": len(held_out.patients),
        "held_out_patients_with_nodule": len(set(held_out.patient_ids[(held_out.masks == NODULE).any(axis=(1, 2))])),
        "near_millimeters": NEAR,
        "losses": {},
    }
    for loss, group in runs.items():
        results["losses"][loss] = measure_group([run["plain"] for run in group], group, held_out, near_truth)
        shown = ("nodule_dice", "all_ece", "near_ece", "called_nodule_ece")
        print(loss, *(f"{key} {results['losses'][loss][key]:.3f}" for key in shown), flush=True)
    members = runs[RECIPE]
    results["other_window"] = measure_group([run["shifted"] for run in members], members, held_out, near_truth)
    together = [{"temperature": 1.0}]
    for name, key in (("ensemble", "plain"), ("ensemble_other_window", "shifted")):
        mean = np.mean([run[key] for run in members], axis=0)
        results[name] = measure_group([mean], together, held_out, near_truth, temperature=False)
    single = [members[seed] for seed in MAPPED]
    for name in ("dropout", "flips"):
        means = [run[name].astype(np.float32).mean(axis=0) for run in single]
        results[name] = measure_group(means, together, held_out, near_truth, temperature=False)
    results["maps"], slices = score_maps(members, held_out, near_truth)
    results["referral"] = refer(members, held_out)
    results["missed"] = count_missed(members, held_out)
    return rounded(results), slices


def measure_group(predictions, runs, held_out, near_truth, temperature=True):
    """Dice, Brier score and calibration of the networks of one group, as they are and at their temperatures."""
    from unet_helpers.evaluation import dice_by_patient, distance_to_outline, scale_temperature

    masks = [probabilities.argmax(axis=-1).astype(np.uint8) for probabilities in predictions]
    result = {}
    for name, index in (("lung", LUNG), ("nodule", NODULE)):
        result |= mean_of_patients(
            f"{name}_dice", [dice_by_patient(mask, held_out, index, made_up=0) for mask in masks]
        )
    regions = [
        {
            "all": None,
            "near": near_truth | (distance_to_outline(mask, held_out.spacing) <= NEAR),
            "called_nodule": mask == NODULE,
        }
        for mask in masks
    ]
    ways = {"": predictions}
    if temperature:
        result["temperature_seeds"] = [float(run["temperature"]) for run in runs]
        pairs = zip(predictions, result["temperature_seeds"], strict=True)
        ways["scaled_"] = [scale_temperature(*pair) for pair in pairs]
    result["curve"] = {}
    for prefix, group in ways.items():
        scores = [[brier(p[rows], held_out.masks[rows]) for rows in rows_of(held_out)] for p in group]
        result |= mean_of_patients(f"{prefix}brier", scores)
        for region in regions[0]:
            bins = np.array([bins_by_patient(p, held_out, r[region]) for p, r in zip(group, regions, strict=True)])
            result |= calibration_with_interval(f"{prefix}{region}", bins)
            result["curve"][prefix + region] = curve_of(bins)
    return result


def rows_of(held_out):
    """The slices of each patient."""
    return [held_out.patient_ids == patient for patient in held_out.patients]


def bins_by_patient(probabilities, held_out, where):
    """``(patients, 3, bins)``: counts, promised and kept of :func:`unet_helpers.evaluation.reliability`."""
    from unet_helpers.evaluation import reliability

    found = []
    for rows in rows_of(held_out):
        part = None if where is None else where[rows]
        one = reliability(probabilities[rows], held_out.masks[rows], bins=BINS, where=part)
        found.append((one.counts, one.promised, one.kept))
    return np.array(found, float)


def calibration_with_interval(name, bins):
    """Calibration error and overconfidence of ``(seeds, patients, 3, bins)``, mean over seeds; patients are drawn.

    nan where a network has no pixel of the kind, which leaves it out.
    """

    def by_seed(patients):
        counts, promised, kept = np.moveaxis(bins[:, patients].sum(axis=1), 1, 0)
        total = counts.sum(axis=1)
        total = np.where(total > 0, total, np.nan)
        gaps = promised - kept
        return np.array([np.abs(gaps).sum(axis=1) / total, gaps.sum(axis=1) / total])

    def mean(values):
        there = np.isfinite(values[0])
        return values[:, there].mean(axis=1) if there.any() else np.full(2, np.nan)

    patients = np.arange(bins.shape[1])
    rng = np.random.default_rng(0)
    draws = np.array([mean(by_seed(rng.choice(patients, len(patients)))) for _ in range(DRAWS)])
    draws = draws[np.isfinite(draws[:, 0])]
    low, high = np.quantile(draws, (0.025, 0.975), axis=0) if len(draws) else np.full((2, 2), np.nan)
    values = mean(by_seed(patients))
    result = {}
    for i, key in enumerate((f"{name}_ece", f"{name}_overconfidence")):
        result |= {key: values[i], f"{key}_low": low[i], f"{key}_high": high[i]}
    return result | {f"{name}_ece_seeds": by_seed(patients)[0].tolist()}


def curve_of(bins):
    """Counts, confidence and accuracy per bin, all seeds and patients together, to draw."""
    counts, promised, kept = bins.sum(axis=(0, 1))
    share = np.maximum(counts, 1)
    filled = counts > 0
    return {
        "counts": counts.astype(int).tolist(),
        "confidence": [value if there else None for value, there in zip(promised / share, filled, strict=True)],
        "accuracy": [value if there else None for value, there in zip(kept / share, filled, strict=True)],
    }


def mean_of_patients(name, runs):
    """Mean over patients, each the mean of the seeds, with its interval over patients; and the mean of each seed."""
    from unet_helpers import bootstrap_interval

    runs = np.array(runs, float)
    defined = ~np.isnan(runs).all(axis=0)
    per_patient = np.nanmean(runs[:, defined], axis=0)
    low, high = bootstrap_interval(per_patient)
    values = {name: per_patient.mean(), f"{name}_low": low, f"{name}_high": high}
    return values | {
        f"{name}_seeds": [one[np.isfinite(one)].mean() if np.isfinite(one).any() else np.nan for one in runs]
    }


def maps_of(members, seed, masks, spacing):
    """Maps of uncertainty for the prediction of one network: ``{name: (N, H, W)}``; higher is less certain."""
    from unet_helpers.evaluation import distance_to_outline, entropy, mutual_information

    run = members[seed]
    dropout, flips = run["dropout"].astype(np.float32), run["flips"].astype(np.float32)
    ensemble = np.stack([member["plain"] for member in members])
    return {
        "distance to the outline": -distance_to_outline(masks, spacing),
        "1 − highest probability": 1 - run["plain"].max(axis=-1),
        "dropout: entropy": entropy(dropout.mean(axis=0)),
        "dropout: mutual information": mutual_information(dropout),
        "flips: entropy": entropy(flips.mean(axis=0)),
        "flips: mutual information": mutual_information(flips),
        "ensemble: entropy": entropy(ensemble.mean(axis=0)),
        "ensemble: mutual information": mutual_information(ensemble),
    }


def score_maps(members, held_out, near_truth):
    """AUROC of error per patient for each map, on the errors of single networks; and the maps of two slices."""
    from unet_helpers.evaluation import error_auroc

    scores, slices = {}, {}
    for seed in MAPPED:
        masks = members[seed]["plain"].argmax(axis=-1)
        maps = maps_of(members, seed, masks, held_out.spacing)
        wrong = masks != held_out.masks
        near = near_truth | (-maps["distance to the outline"] <= NEAR)
        inside = (held_out.masks > 0) | (masks > 0)
        nodule_wrong = (masks == NODULE) != (held_out.masks == NODULE)
        questions = {"all": (wrong, None), "near": (wrong, near), "nodule": (nodule_wrong, inside)}
        for name, values in maps.items():
            for key, (errors, where) in questions.items():
                row = [
                    error_auroc(values[rows], errors[rows], where=None if where is None else where[rows])
                    for rows in rows_of(held_out)
                ]
                scores.setdefault(name, {}).setdefault(key, []).append(row)
        if seed == MAPPED[0]:
            slices = pick_slices(held_out, masks, maps)
    table = {}
    for name, row in scores.items():
        table[name] = {}
        for key, runs in row.items():
            table[name] |= mean_of_patients(f"{key}_auroc", runs)
    return table, slices


def pick_slices(held_out, masks, maps):
    """The slice with the largest nodule that was found in part, and that with the largest that was missed."""
    area = (held_out.masks == NODULE).sum(axis=(1, 2))
    found = ((held_out.masks == NODULE) & (masks == NODULE)).any(axis=(1, 2))
    chosen = [int(np.where(found, area, -1).argmax()), int(np.where(found, -1, area).argmax())]
    arrays = {"images": np.round(255 * held_out.images[chosen, ..., 0]), "truth": held_out.masks[chosen]}
    arrays |= {"predicted": masks[chosen]}
    # each map from 0 to its highest value in the two slices
    arrays |= {
        name: np.round(255 * part / max(part.max(), 1e-9))
        for name, part in (
            (name, np.maximum(values[chosen], 0)) for name, values in maps.items() if "distance" not in name
        )
    }
    arrays = {name: array.astype(np.uint8) for name, array in arrays.items()}
    return arrays | {"cases": held_out.case_ids[chosen], "spacing": held_out.spacing[chosen]}


def expected_dice_loss(probability, mask):
    """1 − the Dice that the probabilities themselves expect of a mask; of an empty mask the highest of them."""
    if not mask.any():
        return float(probability.max())
    return float(1 - 2 * probability[mask].sum() / (probability.sum() + mask.sum()))


def refer(members, held_out):
    """Risk over coverage for the nodules of a patient, by several scores; the risk is that of single networks."""
    from unet_helpers.evaluation import dice_by_patient, disagreement, risk_coverage

    groups, risks, scores = rows_of(held_out), [], {}
    others = np.stack([member["plain"].argmax(axis=-1) == NODULE for member in members])
    for seed in MAPPED:
        run = members[seed]
        mask = others[seed]
        dice = dice_by_patient(np.where(mask, NODULE, 0), held_out, NODULE, made_up=0)
        risks.append(np.where(np.isnan(dice), 0, 1 - dice))
        probability = run["plain"][..., NODULE]
        sampled = {name: run[name].argmax(axis=-1) == NODULE for name in ("dropout", "flips")} | {"ensemble": others}
        rows = {"softmax: expected loss of Dice": [expected_dice_loss(probability[g], mask[g]) for g in groups]}
        for name, marked in sampled.items():
            rows[f"{name}: disagreement"] = [disagreement(marked[:, group]) for group in groups]
        for name, values in rows.items():
            scores.setdefault(name, []).append(values)
    risks = np.array(risks)
    rng = np.random.default_rng(0)
    draws = [rng.choice(risks.shape[1], risks.shape[1]) for _ in range(DRAWS)]

    def curve(values, patients):
        pairs = zip(risks[:, patients], values[:, patients], strict=True)
        return np.mean([risk_coverage(*pair)[1] for pair in pairs], axis=0)

    everybody = np.arange(risks.shape[1])
    result = {"mean_risk": risks.mean(), "patients": len(everybody)}
    result["curve"] = {"coverage": (np.arange(1, len(everybody) + 1) / len(everybody)).tolist()}
    result["curve"]["best order"] = curve(risks, everybody).tolist()
    for name, values in scores.items():
        values = np.array(values)
        line = curve(values, everybody)
        drawn = np.array([curve(values, patients) for patients in draws])
        gains = [one.mean() - risks[:, patients].mean() for one, patients in zip(drawn, draws, strict=True)]
        low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
        result["curve"][name] = [line.tolist(), low.tolist(), high.tolist()]
        ends = np.quantile(gains, (0.025, 0.975))
        result[name] = {"area_minus_random": line.mean() - risks.mean()}
        result[name] |= {"area_minus_random_low": ends[0], "area_minus_random_high": ends[1]}
        half = len(everybody) // 2
        result[name] |= {"risk_at_half": line[half - 1], "risk_at_half_low": low[half - 1]}
        result[name] |= {"risk_at_half_high": high[half - 1]}
    return result


def count_missed(members, held_out):
    """Nodule cross-sections that a network misses wholly, and how many of these it never suspected."""
    from scipy import ndimage

    found = {"nodules": 0, "missed_seeds": [], "never_suspected_seeds": [], "never_suspected_by_ensemble_seeds": []}
    mean = np.mean([member["plain"] for member in members], axis=0)[..., NODULE]
    pieces = []
    for i, mask in enumerate(held_out.masks):
        labels, count = ndimage.label(mask == NODULE, np.ones((3, 3)))
        pieces += [(i, labels == k) for k in range(1, count + 1)]
    found["nodules"] = len(pieces)
    for member in members:
        marked = member["plain"].argmax(axis=-1) == NODULE
        missed = [(i, area) for i, area in pieces if not marked[i][area].any()]
        found["missed_seeds"].append(len(missed))
        for name, probability in (("", member["plain"][..., NODULE]), ("_by_ensemble", mean)):
            never = sum(probability[i][area].max() < SURE for i, area in missed)
            found[f"never_suspected{name}_seeds"].append(int(never))
    for key in ("missed", "never_suspected", "never_suspected_by_ensemble"):
        found[key] = float(np.mean(found[f"{key}_seeds"]))
    return found | {"suspicion": SURE}


# --- readers ------------------------------------------------------------------------------------------------


def read_readers(folder):
    """Three readers as a forecast of the fourth, and how many agree on a marked pixel; None without the slices."""
    if not folder.is_dir():
        print(f"readers: no folder {folder}; the earlier record is kept")
        return None
    from unet_helpers.data import load_lidc

    subset = load_lidc(folder)[2]
    return rounded(measure_readers(subset.readers, subset.patient_ids))


def recorded_readers():
    """What an earlier run wrote."""
    path = ROOT / "book" / "results" / "uncertainty.json"
    return json.loads(path.read_text())["results"].get("readers") if path.is_file() else None


def measure_readers(readers, patients):
    """Of the pixels that 1, 2 or 3 of the others marked, the share that a reader marked too; patients are drawn.

    Parameters
    ----------
    readers : ``(N, R, H, W)`` 0/1
    patients : ``(N,)`` str
    """
    masks = np.asarray(readers, bool)
    votes = masks.sum(axis=1, dtype=np.uint8)
    names, place = np.unique(patients, return_inverse=True)
    count = masks.shape[1]
    asked, agreed = np.zeros((2, len(names), count))
    for reader in range(count):
        others = votes - masks[:, reader]
        for v in range(1, count):
            here = others == v
            np.add.at(asked[:, v], place, here.sum(axis=(1, 2)))
            np.add.at(agreed[:, v], place, (here & masks[:, reader]).sum(axis=(1, 2)))
    rng = np.random.default_rng(0)
    draws = [rng.choice(len(names), len(names)) for _ in range(DRAWS)]
    result = {"patients": len(names), "slices": len(masks), "data": "LIDC-IDRI slices"}
    for v in range(1, count):
        ratios = [agreed[drawn, v].sum() / max(asked[drawn, v].sum(), 1) for drawn in draws]
        key = f"marked_if_{v}_others_did"
        result[key] = agreed[:, v].sum() / max(asked[:, v].sum(), 1)
        result[f"{key}_low"], result[f"{key}_high"] = np.quantile(ratios, (0.025, 0.975))
    by_votes = np.bincount(votes.ravel(), minlength=count + 1)[1:]
    result["share_of_marked_pixels_by_votes"] = (by_votes / by_votes.sum()).tolist()
    return result


def rounded(value, digits=4):
    """Floats rounded, deep down; nan becomes None."""
    if isinstance(value, dict):
        return {key: rounded(one, digits) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(one, digits) for one in value]
    if isinstance(value, (float, np.floating)):
        return round(float(value), digits) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def brier(probabilities, truth, *, where=None):
    """Mean over pixels of the squared distance between the probabilities and the one-hot truth (Brier 1950).

    0 for certain and right, 2 for certain and wrong. It is lowest for the true probabilities, so that it rewards being
    calibrated and being sharp at once. nan if no pixel counts.
    """
    from unet_helpers.evaluation.calibration import _check

    probabilities, truth = _check(probabilities, truth)
    if where is not None:
        probabilities, truth = probabilities[where], truth[where]
    if not truth.size:
        return float("nan")
    of_truth = np.take_along_axis(probabilities, truth[..., np.newaxis].astype(int), axis=-1)[..., 0]
    # the sum of (p - y)² over the classes, without a one-hot copy
    return float(np.mean((probabilities**2).sum(axis=-1, dtype=float) - 2 * of_truth + 1))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
