"""What augmentation buys back on other scanners: none, geometry, gray values, both; three seeds, equal budget.

``python benchmarks/domain_shift.py [SEEDS]`` trains lung U-Nets of 64×64 pixels on the phantom's training patients, and
tests them on the test patients: scanned in a standard way, and the same patients with one thing changed; and on eight
patients of the archive, who are other people. Dice per patient is averaged over the seeds; intervals are over patients,
those of the difference from the network without augmentation as well. Writes ``book/results/domain_shift.json`` and
takes about nine minutes on two cores.
"""

import os
import sys
import time
from dataclasses import replace

import numpy as np

EPOCHS = 15
WINDOW, OTHER_WINDOW = (-600, 1500), (-400, 2200)
AIR = 350 / 1500  # gray value of -1000 HU in the first window; it enters a picture that is moved
GEOMETRY = {"rotation": 15, "zoom": 0.3, "translation": 0.1, "image_fill": AIR}
GRAY = {"brightness": 0.2, "contrast": 0.4}
NONE = {"rotation": 0, "zoom": 0, "translation": 0}
RECIPES = {"none": None, "geometry": GEOMETRY, "gray values": NONE | GRAY, "both": GEOMETRY | GRAY}
# one thing is changed at a time; notebook 09 shows the same scans
SHIFTS = {
    "low dose": {"photons": 1e3},
    "sharp kernel": {"kernel": "sharp"},
    "thick slices": {"slice_thickness": 10.0},
    "wide field of view": {"field_of_view": 500.0},
    "motion": {"motion": 5.0},
    "beam hardening": {"beam_hardening": 0.06},
}


def main():
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    from record import write_results

    from unet_helpers import load_dataset

    began = time.perf_counter()
    data = lungs_64(load_dataset("phantom"))
    tests = make_tests(data.test.patients)
    print(f"{len(tests)} test sets, {time.perf_counter() - began:.0f} s", flush=True)
    results = {
        "epochs": EPOCHS,
        "test_patients": len(data.test.patients),
        "archive_patients": len(tests["archive patients"].patients),
    }
    plain = None
    for recipe, options in RECIPES.items():
        runs = [dice_of_run(data, tests, options, seed) for seed in seeds]
        plain = plain or runs  # the first recipe is none
        row = {name: summarize([run[name] for run in runs], [run[name] for run in plain]) for name in tests}
        results[recipe.replace(" ", "_")] = row
        print(f"{recipe:<12}", {name: value["lung_dice"] for name, value in row.items()}, flush=True)
    results["seconds"] = round(time.perf_counter() - began)
    path = write_results(
        "domain_shift", "Lung Dice of U-Nets trained with four kinds of augmentation", results, seed=list(seeds)
    )
    print(f"written: {path.name}, {results['seconds']} s")


def make_tests(patient_ids):
    """The test patients scanned in each way, in 64×64: ``{name: Subset}``; and eight patients of the archive."""
    from unet_helpers.data import subset_of_patients
    from unet_helpers.phantom import Acquisition, make_patient

    def rescan(changes, window=WINDOW):
        acquisition = replace(Acquisition(), **changes)
        made = [make_patient(0, index=int(name[1:]) - 1, acquisition=acquisition) for name in patient_ids]
        return halve(subset_of_patients(made, window))

    tests = {"standard": rescan({})}
    tests |= {name: rescan(changes) for name, changes in SHIFTS.items()}
    tests["other window"] = rescan({}, OTHER_WINDOW)
    # another seed than the training patients': index k of one seed is the same person in every variety
    archive = [make_patient(1, index=index, variety="archive") for index in range(8)]
    return tests | {"archive patients": halve(subset_of_patients(archive))}


def lungs_64(data):
    """The phantom with two classes, background and lung with its nodules, at half the resolution."""
    parts = {name: halve(subset) for name, subset in data.subsets.items()}
    return replace(data, class_names=("background", "lung"), **parts)


def halve(subset):
    """A subset at half the resolution: mean of 2×2 pixels, every second pixel of the mask."""
    n, height, width, channels = subset.images.shape
    images = subset.images.reshape(n, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))
    masks = (subset.masks[:, ::2, ::2] > 0).astype(np.uint8)
    return replace(subset, images=images, masks=masks, spacing=2 * subset.spacing)


def dice_of_run(data, tests, options, seed):
    """Train one network, and give ``{test: {patient: Dice}}``."""
    import keras

    from unet_helpers import UNet, evaluate, start_at_class_shares, train
    from unet_helpers.data import make_augmenter

    keras.utils.set_random_seed(seed)
    network = UNet((64, 64, 1), 2, base_filters=8, depth=3)
    start_at_class_shares(network, data.train.masks)
    augment = None if options is None else make_augmenter(**options, seed=seed)
    train(network, data, epochs=EPOCHS, learning_rate=3e-3, augment=augment, keep="last", seed=seed, progress=False)
    reports = {name: evaluate(network, subset, data.class_names) for name, subset in tests.items()}
    return {name: report.cases.set_index("patient")["dice"] for name, report in reports.items()}


def summarize(runs, plain):
    """Mean lung Dice over patients, and its difference from ``plain``, with intervals over patients; mean per seed."""
    from unet_helpers import bootstrap_interval

    # mean over the seeds first: a patient counts once
    per_patient, without = (sum(dice) / len(dice) for dice in (runs, plain))
    row = {"seeds": [round(float(run.mean()), 3) for run in runs]}
    for name, values in {"lung_dice": per_patient, "minus_none": per_patient - without}.items():
        for end, value in zip(("", "_low", "_high"), (values.mean(), *bootstrap_interval(values)), strict=True):
            row[name + end] = round(float(value), 3) + 0.0
    return row


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
