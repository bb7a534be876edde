"""One, four or sixteen patients of a new scanner: from scratch, fine-tuned, fine-tuned with old patients among them.

``python benchmarks/fine_tuning.py [SEEDS]`` goes on training the network of the package on patients who move during the
gantry rotation, which no training patient did; each seed draws its own among those with a nodule. All runs have equally
many steps, and from scratch the learning rate of the package's recipe, else a quarter of it. The tests are the
phantom's test patients, scanned with motion and, for what is forgotten, without. Dice per patient is averaged over the
seeds; intervals are over patients. Writes ``book/results/fine_tuning.json`` and takes about ten minutes on two cores.
"""

import os
import sys
import time
from dataclasses import replace

import numpy as np

PATIENTS = (1, 4, 16)
STARTS = ("scratch", "fine-tuned", "fine-tuned, mixed")
MOST = max(PATIENTS)  # an epoch repeats fewer patients until they are so many


def main():
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    from record import write_results

    from unet_helpers import load_checkpoint, load_dataset
    from unet_helpers.data import subset_of_patients
    from unet_helpers.phantom import Acquisition, make_patient

    began = time.perf_counter()
    data = load_dataset("phantom")
    moving = replace(Acquisition(), motion=5.0)
    new = [make_patient(2, index=index, acquisition=moving) for index in range(MOST + 6)]
    new = [patient for patient in new if (patient.masks == 2).any()]  # half of the crops are drawn around nodules
    old = [make_patient(0, index=_index(name)) for name in data.train.patients[:MOST]]
    tests = {
        name: subset_of_patients([make_patient(0, index=_index(k), acquisition=way) for k in data.test.patients])
        for name, way in {"motion": moving, "standard": Acquisition()}.items()
    }
    print(f"{len(new)} patients, {time.perf_counter() - began:.0f} s", flush=True)
    before = dice(load_checkpoint(), tests, data.class_names)
    runs = {}
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(new))
        for count in PATIENTS:
            chosen = [new[k] for k in order[:count]] * (MOST // count)
            for start in STARTS:
                patients = chosen + old if start.endswith("mixed") else chosen
                found = dice(trained(start, data, subset_of_patients(patients), seed), tests, data.class_names)
                runs.setdefault((count, start), []).append(found)
                print(seed, count, start, {name: values.mean().round(3).to_dict() for name, values in found.items()})
                sys.stdout.flush()
    rows = [{"patients": 0, "start": "as it is", **summarize([before], before)}]
    rows += [{"patients": count, "start": start, **summarize(found, before)} for (count, start), found in runs.items()]
    results = {"test_patients": len(data.test.patients), "rows": rows, "seconds": round(time.perf_counter() - began)}
    path = write_results("fine_tuning", "Dice after training on few patients who move", results, seed=list(seeds))
    print(f"written: {path.name}, {results['seconds']} s")


def _index(patient_id):
    return int(patient_id[1:]) - 1


def trained(start, data, patients, seed):
    """A network trained on these patients; with old ones among them an epoch is twice as long, so one is enough."""
    import keras

    from unet_helpers import UNet, load_checkpoint, start_at_class_shares, train
    from unet_helpers.data import make_augmenter
    from unet_helpers.training import AUGMENTATION, MODEL, TRAINING

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    options = TRAINING | {"epochs": 2, "batch_size": 8}
    if start == "scratch":
        network = UNet(**MODEL)
        start_at_class_shares(network, patients.masks)
    else:
        network = load_checkpoint()
        options["learning_rate"] /= 4
    if start.endswith("mixed"):
        options["epochs"] = 1
    few = replace(data, train=patients, validation=data.validation[:8])
    train(
        network,
        few,
        augment=make_augmenter(**AUGMENTATION, seed=seed),
        keep="last",
        seed=seed,
        progress=False,
        **options,
    )
    return network


def dice(network, tests, class_names):
    """``{test: Dice, a row per patient and a column per class}``."""
    from unet_helpers import evaluate

    found = {}
    for name, subset in tests.items():
        cases = evaluate(network, subset, class_names).cases
        found[name] = cases.pivot(index="patient", columns="class", values="dice")
    return found


def summarize(runs, before):
    """Per test and class: mean Dice, one mean per seed, and what was gained with its interval over patients."""
    from unet_helpers import bootstrap_interval

    row = {}
    for test, was in before.items():
        for part in ("lung", "nodule"):
            per_patient = sum(run[test][part] for run in runs) / len(runs)  # a patient counts once
            gained = per_patient - was[part]
            low, high = bootstrap_interval(gained)
            numbers = {"dice": per_patient.mean(), "gain": gained.mean(), "low": low, "high": high}
            row[f"{test} {part}"] = {name: round(float(value), 3) + 0.0 for name, value in numbers.items()}
            row[f"{test} {part}"]["seeds"] = [round(float(run[test][part].mean()), 3) for run in runs]
    return row


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
