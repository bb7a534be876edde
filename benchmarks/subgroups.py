"""Dice by group, how many patients show a gap, a gap planted on purpose, who finds it, and what repairs it.

``python benchmarks/subgroups.py`` measures the shipped network on 240 further patients. Then it trains lung U-Nets of
64×64 pixels on forty patients of the archive, with one group left out at a time, and takes the group whose absence
costs most on the validation patients. For that group it trains the repairs, three seeds each, all with equally many
steps; it draws reports of 20 to 320 patients from a pool of 400, and counts which kind of report finds the gap. One of
the groups is made here: patients who lie prone, that is, whose slices are turned by half.

Writes ``book/results/subgroups.json``, and the values of all patients into ``subgroups_patients.npz`` beside it. About
twelve minutes on one core. ``--folder F`` keeps what was computed in a folder, and goes on from there; ``--minutes 3``
stops after about so long.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FAMILY = 18  # of patients; no other page has it
REPORTED = 240  # patients for the shipped network
CHECKED = ("women", "obese", "low dose", "sharp kernel", "thick slices", "contrast medium")
TRAIN, VALIDATION, POOL = range(100), range(100, 220), range(220, 620)  # of the archive
TRAINED_ON, PRONE, STEPS, SEEDS = 40, 6, 520, (0, 1, 2)
GROUPS = ("women", "obese", "arms down", "consolidation", "thick slices", "prone")
FEW = 2  # prone patients that somebody has found, where nearly all are missing
# prone patients among the forty, how often each of them is repeated, and whether slices are turned by chance
REPAIRS = {
    "none": (0, 1, False),
    "few": (FEW, 1, False),
    "few, weighted": (FEW, 4, False),
    "as many as there are": (PRONE, 1, False),
    "half of all": (TRAINED_ON // 2, 1, False),
    "turned by chance": (0, 1, True),
}
PATIENTS = (20, 40, 80, 160, 320)
DRAWS = 1000
THRESHOLDS = np.round(np.arange(0.05, 1, 0.05), 2)
HALF = 9  # the place of 0.5
GAPS = {"lung": 0.03, "nodule": 0.10}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="keep what is computed here, and go on from it")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after about so long")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        parts = {"report": report_patients, "archive": make_archive}
        parts |= {f"left out {name}": lambda f, name=name: left_out(f, name) for name in ("nobody", *GROUPS)}
        for name, part in parts.items():
            once(folder, name, part, arguments.minutes)
        planted = choose(folder)
        if planted != "prone":
            sys.exit(f"the largest gap is that of {planted}, and the repairs are written for prone patients")
        for seed in SEEDS:
            for name in REPAIRS:
                once(folder, f"{name} {seed}", lambda f, name=name, seed=seed: repair(f, name, seed), arguments.minutes)
        results, arrays = assemble(folder)
    from record import write_results

    from unet_helpers.teaching import RESULTS

    path = write_results("subgroups", "Dice by group, and a gap planted on purpose", results, seed=list(SEEDS))
    np.savez_compressed(RESULTS / "subgroups_patients.npz", **arrays)
    print(f"written: {path.name}")


BEGAN = time.perf_counter()


def once(folder, name, part, minutes):
    """Do a part, unless the folder has it; stop where the time is over."""
    path = folder / f"{name.replace(' ', '_')}.npz"
    if path.is_file():
        return
    if time.perf_counter() - BEGAN > 60 * minutes:
        sys.exit("stopped; call again with the same folder")
    np.savez(path.with_suffix(".writing.npz"), **part(folder))
    os.replace(path.with_suffix(".writing.npz"), path)
    print(f"{name}: {time.perf_counter() - BEGAN:.0f} s", flush=True)


def load(folder, name):
    """What a part has left."""
    with np.load(folder / f"{name.replace(' ', '_')}.npz") as stored:
        return dict(stored)


# --- the shipped network ----------------------------------------------------------------------------


def report_patients(_):
    """Attributes, largest nodule and Dice of further patients, as the shipped network has them."""
    from unet_helpers import evaluate, load_checkpoint
    from unet_helpers.data import subset_of_patients
    from unet_helpers.phantom import make_patient
    from unet_helpers.teaching import attributes

    network, rows = load_checkpoint(), []
    for first in range(0, REPORTED, 40):
        patients = [make_patient(FAMILY, index=index) for index in range(first, first + 40)]
        subset = subset_of_patients(patients)
        cases = evaluate(network, subset, ("background", "lung", "nodule")).cases
        dice = cases.pivot(index="patient", columns="class", values="dice")
        for patient in patients:
            size = max((nodule.diameter_mm for nodule in patient.nodules), default=np.nan)
            scores = dice.loc[patient.patient_id]
            # in a patient without a nodule there is nothing to be found: no Dice, whatever was marked
            nodule = scores["nodule"] if patient.nodules else np.nan
            rows.append(attributes(patient) | {"nodule_mm": size, "lung": scores["lung"], "nodule": nodule})
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


# --- networks with a group left out -----------------------------------------------------------------


def make_archive(_):
    """Patients of the archive, 64×64 pixels: windowed slices, lungs, attributes; and who of them lies prone."""
    from unet_helpers.data import subset_of_patients
    from unet_helpers.phantom import make_patient
    from unet_helpers.teaching import attributes

    patients = [make_patient(FAMILY, index=index, size=64, slices=4, variety="archive") for index in range(POOL.stop)]
    subset = subset_of_patients(patients)
    of_patient = (len(patients), 4, 64, 64)
    asked = [attributes(patient) for patient in patients]
    # by lot, so that prone patients are like the others in all else
    prone = np.random.default_rng(FAMILY).random(len(patients)) < PRONE / TRAINED_ON
    return {
        "images": subset.images.reshape(of_patient),
        "lungs": (subset.masks > 0).reshape(of_patient),
        "members": np.array([[one[name] for one in asked] for name in GROUPS[:-1]] + [prone]),
    }


def turn(slices):
    """Slices ``(..., H, W)`` turned by half, as of a patient who lies on the front."""
    return slices[..., ::-1, ::-1]


def subset_of(archive, indices, prone):
    """Patients as a subset of slices; those for whom ``prone`` holds are turned."""
    from unet_helpers.data import Subset

    images, lungs = (
        np.concatenate([turn(array[k]) if lies else array[k] for k, lies in zip(indices, prone, strict=True)])
        for array in (archive["images"], archive["lungs"])
    )
    ids = np.repeat([f"{place:04d}" for place in range(len(indices))], 4)
    cases = np.array([f"{patient}_{z}" for z, patient in enumerate(ids)])
    return Subset(images[..., np.newaxis], lungs.astype(np.uint8), ids, cases, np.full((len(ids), 2), np.nan))


def train_lungs(archive, indices, prone, seed, turned=False):
    """A lung U-Net trained on these patients, in as many steps as every other."""
    import keras

    from unet_helpers import UNet, start_at_class_shares, train
    from unet_helpers.data import Dataset

    subset = subset_of(archive, indices, prone)
    if turned:  # a copy of each slice, turned: every step sees about as many of either kind
        subset = subset_of(archive, [*indices, *indices], [False] * len(indices) + [True] * len(indices))
    few = subset[:8]  # validation is not looked at here: the last weights are kept
    data = Dataset("archive", ("background", "lung"), train=subset, validation=few, test=few)
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    network = UNet((64, 64, 1), 2, base_filters=8, depth=3)
    start_at_class_shares(network, subset.masks)
    epochs = round(STEPS / np.ceil(len(subset) / 8))
    train(network, data, epochs=epochs, batch_size=8, learning_rate=3e-3, keep="last", seed=seed, progress=False)
    return network


def measure(network, archive):
    """Dice ``(T, P)`` of validation and pool at each threshold, and the shares missed and made up at 0.5."""
    from unet_helpers import predict_probabilities

    found = {}
    for name, indices in (("validation", VALIDATION), ("pool", POOL)):
        prone = archive["members"][-1][list(indices)]
        subset = subset_of(archive, indices, prone)
        lung = predict_probabilities(network, subset.images)[..., 1].reshape(len(indices), -1)
        truth = subset.masks.reshape(len(indices), -1) > 0
        masks = lung >= THRESHOLDS[:, np.newaxis, np.newaxis]
        both, size = (masks & truth).sum(axis=-1), truth.sum(axis=-1)
        found[f"{name} dice"] = 2 * both / (masks.sum(axis=-1) + size)
        found[f"{name} missed"] = 1 - both[HALF] / size
        found[f"{name} made up"] = (masks[HALF].sum(axis=-1) - both[HALF]) / size
    return found


def left_out(folder, name):
    """A network trained on the first forty patients, or on the first forty who are not of one group."""
    archive = load(folder, "archive")
    inside = dict(zip(GROUPS, archive["members"], strict=True))
    who = [k for k in TRAIN if name in ("nobody", "prone") or not inside[name][k]][:TRAINED_ON]
    lies = [place < PRONE and name != "prone" for place in range(TRAINED_ON)]
    return measure(train_lungs(archive, who, lies, SEEDS[0]), archive)


def repair(folder, name, seed):
    """A network trained with a repair: the same forty patients, some of them prone."""
    archive = load(folder, "archive")
    count, times, turned = REPAIRS[name]
    who = [*range(TRAINED_ON), *list(range(count)) * (times - 1)]
    lies = [k < count for k in who]
    return measure(train_lungs(archive, who, lies, seed, turned), archive)


def candidates(folder):
    """Per group: Dice of its validation patients with everybody in the training and without the group."""
    members = load(folder, "archive")["members"][:, list(VALIDATION)]
    with_all = at_half(load(folder, "left out nobody"), "validation")
    rows = {}
    for name, inside in zip(GROUPS, members, strict=True):
        without = at_half(load(folder, f"left out {name}"), "validation")
        rows[name] = {"patients": int(inside.sum()), **paired(with_all[inside] - without[inside], "cost")}
        rows[name] |= {
            "with": round(float(with_all[inside].mean()), 4),
            "without": round(float(without[inside].mean()), 4),
        }
    return rows


def choose(folder):
    """The group whose absence costs most on its validation patients."""
    rows = candidates(folder)
    return max(rows, key=lambda name: rows[name]["cost"])


def at_half(measured, name):
    """Dice per patient at the threshold 0.5."""
    return measured[f"{name} dice"][HALF]


def paired(differences, name):
    """Mean of differences of the same patients, with its interval."""
    from unet_helpers import bootstrap_interval

    low, high = bootstrap_interval(differences)
    ends = {name: differences.mean(), f"{name}_low": low, f"{name}_high": high}
    return {key: round(float(value), 4) for key, value in ends.items()}


# --- reports ------------------------------------------------------------------------------------------


def simulate(values, members, promised, patients, draws=DRAWS):
    """Of reports on patients drawn from the pool: the share that finds the gap of the last group, by kind of report.

    ``values`` (P,) is the Dice of the pool, ``promised`` that of validation patients without the group. The second
    share is that of reports that find something where there is nothing: the same values, dealt to the patients by lot.
    """
    from unet_helpers.evaluation import gap_p_values, holm
    from unet_helpers.evaluation.intervals import FEWEST_PATIENTS
    from unet_helpers.teaching import crossings

    rng = np.random.default_rng(patients)
    groups = np.array(list(members.values()))
    crossed = crossings(members)
    pairs, with_last = np.array(list(crossed.values())), named(crossed, list(members)[-1])
    found = {}
    for _ in range(draws):
        drawn = rng.integers(len(values), size=patients)
        inside, both = groups[:, drawn], pairs[:, drawn]
        for there, dice in ((True, values[drawn]), (False, rng.permutation(values[drawn]))):
            p, crossed_p = gap_p_values(dice, inside), gap_p_values(dice, both)
            old = np.arange(patients + len(promised)) < patients
            overall = gap_p_values(np.concatenate([dice, promised]), old[np.newaxis])[0] if there else np.nan
            means = np.array([dice[i].mean() if i.sum() >= FEWEST_PATIENTS else np.inf for i in inside])
            corrected, crossed_p = holm(p), holm(crossed_p)
            row = {
                "overall": overall < 0.05,
                "one group": p[-1] < 0.05,
                "six groups": p[-1] < 0.05 if there else (p < 0.05).any(),
                "six groups, Holm": corrected[-1] < 0.05 if there else (corrected < 0.05).any(),
                "pairs crossed, Holm": (crossed_p[with_last if there else slice(None)] < 0.05).any(),
                "lowest mean": means.argmin() == len(means) - 1 if there else np.isfinite(means).any(),
            }
            for name, value in row.items():
                found.setdefault(name, {}).setdefault(there, []).append(bool(value))
    shares = {name: {"found": np.mean(found[name][True]), "false": np.mean(found[name][False])} for name in found}
    del shares["overall"]["false"]  # it compares with a promise, and dealing by lot leaves a mean as it is
    return {name: {key: round(float(value), 3) for key, value in share.items()} for name, share in shares.items()}


def named(crossed, name):
    """Which crossings are of patients in a group."""
    return np.array([name in label.split(", ") for label in crossed])


def fewest_patients(one, others, gap, looks=1, goal=0.8, most=4096):
    """The smallest number of patients in each of two groups with which a gap is found in ``goal`` of the reports."""
    from unet_helpers.evaluation import power_of_gap
    from unet_helpers.evaluation.intervals import FEWEST_PATIENTS

    low, high = FEWEST_PATIENTS - 1, most  # with fewer nothing is said; that the last are enough is taken for granted
    while high - low > 1:
        middle = (low + high) // 2
        enough = power_of_gap(one, others, gap, middle, level=0.05 / looks) >= goal
        low, high = (low, middle) if enough else (middle, high)
    return high


# --- all together -------------------------------------------------------------------------------------


def assemble(folder):
    """The results, and the values of all patients."""
    from unet_helpers.evaluation import gap_between

    report, archive = load(folder, "report"), load(folder, "archive")
    pool = archive["members"][:, list(POOL)]
    members = dict(zip(GROUPS, pool, strict=True))
    validation_prone = archive["members"][-1][list(VALIDATION)]
    networks = {name: [load(folder, f"{name} {seed}") for seed in SEEDS] for name in REPAIRS}
    dice = {name: np.mean([at_half(one, "pool") for one in runs], axis=0) for name, runs in networks.items()}
    results = {
        "report_patients": REPORTED,
        "report": {part: {name: rounded(gap_between(report[part], report[name])) for name in CHECKED} for part in GAPS},
        "spread": {
            "lung": spread(report["lung"]),
            "nodule": spread(report["nodule"]),
            "lung of the archive": spread(at_half(networks["none"][0], "pool")[~members["prone"]]),
        },
        "power": power_table(report, at_half(networks["none"][0], "pool"), members["prone"]),
        "trained_on": TRAINED_ON,
        "validation_patients": len(VALIDATION),
        "pool_patients": len(POOL),
        "prone_in_pool": int(members["prone"].sum()),
        "steps": STEPS,
        "left_out": candidates(folder),
        "planted": choose(folder),
        "gaps": {name: {g: rounded(gap_between(dice[name], members[g])) for g in GROUPS} for name in REPAIRS},
        "repairs": {name: effect(runs, networks["none"], members["prone"]) for name, runs in networks.items()},
        "thresholds": thresholds(networks, validation_prone, members["prone"]),
        "draws": DRAWS,
    }
    # one network each, as a hospital has one: the first seed
    for key, name in (("reports", "none"), ("reports_repaired", "as many as there are")):
        first, results[key] = networks[name][0], {}
        promised = at_half(first, "validation")[~validation_prone]
        for patients in PATIENTS:
            results[key][str(patients)] = simulate(at_half(first, "pool"), members, promised, patients)
            print(key, patients, results[key][str(patients)], flush=True)
    arrays = {f"report {name}": values for name, values in report.items()}
    arrays |= {f"pool {name}": values for name, values in members.items()}
    arrays |= {f"dice {name}": np.array([at_half(one, "pool") for one in runs]) for name, runs in networks.items()}
    arrays["promised"] = at_half(networks["none"][0], "validation")[~validation_prone]
    return results, {n: a.astype(np.float32) if a.dtype.kind == "f" else a for n, a in arrays.items()}


def rounded(row):
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}


def spread(values):
    values = values[np.isfinite(values)]
    return {"patients": len(values), "mean": round(float(values.mean()), 4), "sd": round(float(values.std(ddof=1)), 4)}


def power_table(report, archive_dice, prone):
    """Patients in each group until a gap is found in 80 of 100 reports: for one look, and for six."""
    women = report["women"].astype(bool)
    sides = {part: (report[part][women], report[part][~women]) for part in GAPS}
    sides["lung of the archive"] = (archive_dice[prone], archive_dice[~prone])
    rows = {}
    for part, (one, others) in sides.items():
        gap = GAPS[part.split()[0]]
        looks = {"one": 1, "six": len(CHECKED)}
        rows[part] = {"gap": gap} | {name: fewest_patients(one, others, -gap, many) for name, many in looks.items()}
        half = fewest_patients(one, others, -gap / 2)
        rows[part] |= {"one, half the gap": half}
    return rows


def effect(runs, without, prone):
    """Per side, prone and others: Dice, what was gained against no repair, what is missed and made up."""
    row = {}
    for name, side in (("prone", prone), ("others", ~prone)):
        dice = np.array([at_half(one, "pool")[side] for one in runs])
        gained = dice.mean(axis=0) - np.mean([at_half(one, "pool")[side] for one in without], axis=0)
        row[name] = {"patients": int(side.sum()), "dice": round(float(dice.mean()), 4), **paired(gained, "gain")}
        row[name]["seeds"] = [round(float(one.mean()), 4) for one in dice]
        for what in ("missed", "made up"):
            row[name][what] = round(float(np.mean([one[f"pool {what}"][side] for one in runs])), 4)
    return row


def thresholds(networks, validation_prone, prone):
    """A threshold for each side, chosen on the validation patients of that side: what it changes for the pool."""
    rows = {}
    for name in ("none", "few"):
        gains = {"prone": [], "others": [], "prone, threshold of the others": []}
        chosen = {"prone": [], "others": []}
        for one in networks[name]:
            best = {}
            for side, validation, pool in (("prone", validation_prone, prone), ("others", ~validation_prone, ~prone)):
                best[side] = one["validation dice"][:, validation].mean(axis=1).argmax()
                chosen[side].append(round(float(THRESHOLDS[best[side]]), 2))
                gains[side].append(one["pool dice"][best[side]][pool] - at_half(one, "pool")[pool])
            # somebody is taken for prone who is not: what the wrong threshold costs
            wrong = one["pool dice"][best["prone"]][~prone] - at_half(one, "pool")[~prone]
            gains["prone, threshold of the others"].append(wrong)
        rows[name] = {"chosen_prone": chosen["prone"], "chosen_others": chosen["others"]}
        rows[name]["prone"] = paired(np.mean(gains["prone"], axis=0), "gain")
        rows[name]["others"] = paired(np.mean(gains["others"], axis=0), "gain")
        rows[name]["others, taken for prone"] = paired(np.mean(gains["prone, threshold of the others"], axis=0), "gain")
    return rows


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
