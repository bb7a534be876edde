"""Five networks for the same seconds of training, at equal width and at equal parameters; and a U-Net without skips.

``python benchmarks/architectures.py`` trains each network on the phantom's training patients, whole slices in
batches of 8 with one loss and one augmentation, for 40 seconds by the clock, with three seeds; the clock leaves out
building the computation and scoring. Each network first tries three learning rates for a third of the time, and keeps
the one that is best on the validation patients. Measured are 24 further synthetic patients, whom nothing was chosen on;
the test split stays untouched. Parameters, multiplications, latency and the memory of a training step are taken too.

Writes ``book/results/architectures.json``, and some of the masks that were predicted into ``architectures_slices.npz``
beside it. Takes about 27 minutes on two free cores; every network runs in a process of its own, one after the other.
``--seconds 4 --seeds 0 --no-record --only U-Net`` is a quick look.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HELD_OUT = range(72, 96)  # of the phantom's family 0; the data set has the first 48, notebook 07 the next 24
BASE_FILTERS = 8  # an eighth of the 64 of the U-Net of 2015
RECIPE = {"batch_size": 8, "class_weights": (1, 1, 10)}  # whole slices, Dice plus weighted cross-entropy
AUGMENTATION = {"rotation": 8, "zoom": 0.1, "translation": 0.05, "brightness": 0.05, "contrast": 0.1}
AUGMENTATION |= {"image_fill": 350 / 1500}  # -1000 HU in the lung window: air enters a picture that is moved
RATES = (1e-3, 2e-3, 4e-3)
TUNING_SHARE, TUNING_SEED = 1 / 3, 100
MEMORY_BATCH = 32
CLASSES = {"lung": 1, "nodule": 2}
#: nodules by the diameter, in pixels, of the disk of equal area
DIAMETERS = {"below 3 pixels": (0, 3), "3 to 5 pixels": (3, 5), "5 pixels and more": (5, np.inf)}


def main():
    arguments = parse(sys.argv[1:])
    if arguments.child:
        print(json.dumps({"memory": measure_memory, "train": measure_network}[arguments.child](arguments)))
        return
    from record import write_results

    from unet_helpers.teaching import RESULTS

    if arguments.resume:
        Path(arguments.resume).mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.resume or temporary
        held_out = make_held_out(Path(folder) / "held_out.npz")
        print(f"{len(held_out.patients)} patients held out, {time.perf_counter() - began:.0f} s", flush=True)
        measured = {}
        for name, settings in list_settings().items():
            if arguments.only and name not in arguments.only:
                continue
            like = measured.get(settings["network"])
            if like is not None:  # the same network in another width, or without skips: the rate was chosen
                settings = settings | {"learning_rate": like["learning_rate"]}
            measured[name] = run_child(name, settings, arguments, folder)
            print(name, show(measured[name]), f"{time.perf_counter() - began:.0f} s", flush=True)
        chosen = pick_slices(held_out)
        slices = {"chosen": chosen} | {f"truth_{i}": held_out.masks[i] for i in chosen}
        for name in measured:
            slices[name] = np.load(Path(folder) / f"{file_name(name)}.npy")
    results = assemble(measured, arguments, held_out)
    if arguments.no_record:
        print(json.dumps(results["tables"], indent=1))
        return
    what = "Five networks at the same seconds of training: equal width, equal parameters; a U-Net without skips"
    path = write_results("architectures", what, results, seed=arguments.seeds)
    np.savez_compressed(RESULTS / "architectures_slices.npz", cases=held_out.case_ids[chosen], **slices)
    print(f"written: {path.name}")


def parse(words):
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=40, help="of training, per network and seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", help="names of networks, as the results have them")
    parser.add_argument("--no-record", action="store_true", help="print, and write nothing")
    parser.add_argument(
        "--resume", help="an empty folder; after an interruption, networks found there are not run again"
    )
    for hidden in ("child", "settings", "folder"):
        parser.add_argument(f"--{hidden}", help=argparse.SUPPRESS)
    return parser.parse_args(words)


def list_settings():
    """What is trained, by name: five networks at equal width, then those that need another width, then the ablation."""
    from unet_helpers.models import NETWORKS, build_network, count_parameters, width_for

    settings = {name: {"network": name, "base_filters": BASE_FILTERS, "options": {}} for name in NETWORKS}
    target = count_parameters(build_network("U-Net", base_filters=BASE_FILTERS))
    for name in NETWORKS:
        width = width_for(name, target)
        if width != BASE_FILTERS:
            settings[f"{name}, {width} filters"] = {"network": name, "base_filters": width, "options": {}}
    without = {"network": "U-Net", "base_filters": BASE_FILTERS, "options": {"skip_connections": False}}
    return settings | {"U-Net without skips": without}


def file_name(name):
    """A name that any file system takes."""
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def run_child(name, settings, arguments, folder):
    """Memory and training of one network, each in a process of its own."""
    given = {"name": name, **settings, "seconds": arguments.seconds, "seeds": arguments.seeds}
    path = Path(folder) / f"{file_name(name)}.json"
    if path.is_file():
        return json.loads(path.read_text())
    row = {}
    for child in ("memory", "train"):
        command = [sys.executable, os.path.abspath(__file__), "--child", child]
        command += ["--settings", json.dumps(given), "--folder", str(folder)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        row |= json.loads(done.stdout.splitlines()[-1])
    path.write_text(json.dumps(row))
    return row


def build(settings):
    """The untrained network of the settings."""
    from unet_helpers.models import build_network

    return build_network(settings["network"], base_filters=settings["base_filters"], **settings["options"])


# --- in a process of its own ---------------------------------------------------------------------


def measure_memory(arguments):
    """MB per image in a training step: counted from the layers, and by how far the memory of the process rises."""
    from volumes_3d import peak_during

    from unet_helpers.training import compile_model

    network = build(json.loads(arguments.settings))
    compile_model(network)
    random = np.random.default_rng(0)
    images = random.random((MEMORY_BATCH, 128, 128, 1), dtype=np.float32)
    targets = np.eye(3, dtype=np.float32)[random.integers(3, size=images.shape[:3])]
    for count in (1, 2):  # the computation is built for one image, then for any number
        network.train_on_batch(images[:count], targets[:count])
    rise = peak_during(lambda: network.train_on_batch(images, targets))
    counted = 4 * count_activations(network)
    return {
        "memory_counted_mb": round(counted / 2**20, 1),
        "memory_measured_mb": round(rise / MEMORY_BATCH / 2**20, 1),
    }


def measure_network(arguments):
    """What one network costs, which learning rate suits it, and what it reaches with each seed."""
    from unet_helpers import load_dataset, predict_masks
    from unet_helpers.data import make_augmenter
    from unet_helpers.models import count_multiply_adds, count_parameters
    from unet_helpers.training import TimedTrainer

    settings = json.loads(arguments.settings)
    data, held_out = load_dataset("phantom"), load_held_out(Path(arguments.folder) / "held_out.npz")
    network = build(settings)
    row = {
        **{key: settings[key] for key in ("network", "base_filters")},
        "parameters": count_parameters(network),
        "million_multiply_adds": round(count_multiply_adds(network) / 1e6, 1),
        "latency_ms": round(1000 * measure_latency(network), 1),
    }
    trainer = TimedTrainer(network, data.train, augment=make_augmenter(**AUGMENTATION), **RECIPE)
    if "learning_rate" not in settings:
        tried = {}
        for rate in RATES:
            trainer.train(settings["seconds"] * TUNING_SHARE, seed=TUNING_SEED, learning_rate=rate)
            tried[f"{rate:g}"] = round(mean_dice(predict_masks(network, data.validation.images), data.validation), 3)
        row["validation_dice_by_rate"] = tried
        settings["learning_rate"] = float(max(tried, key=tried.get))
    row["learning_rate"] = settings["learning_rate"]
    runs, pictures = [], []
    for seed in settings["seeds"]:
        run = trainer.train(settings["seconds"], seed=seed, learning_rate=settings["learning_rate"])
        masks = predict_masks(network, held_out.images)
        runs.append({**run, **score(masks, held_out)})
        pictures.append(masks[pick_slices(held_out)])
    np.save(Path(arguments.folder) / f"{file_name(settings['name'])}.npy", np.stack(pictures))
    row["steps"] = [run["steps"] for run in runs]
    row["processor_seconds"] = [round(run["processor_seconds"], 1) for run in runs]
    for name in (*CLASSES, "lung_hd95"):
        row[f"{name}_by_seed"] = [[rounded(value) for value in run[name]] for run in runs]
    row["found"] = {size: [run["found"][size] for run in runs] for size in DIAMETERS}
    row["nodules"] = runs[0]["nodules"]
    row["slices_with_false_nodule"] = [run["false_slices"] for run in runs]
    return row


def make_held_out(path):
    """Patients that nobody trained on, written to ``path`` for the other processes."""
    from unet_helpers.data import subset_of_patients
    from unet_helpers.phantom import make_patient

    subset = subset_of_patients([make_patient(0, index=index) for index in HELD_OUT])
    np.savez(path, **{name: value for name, value in vars(subset).items() if value is not None})
    return subset


def load_held_out(path):
    """What :func:`make_held_out` wrote."""
    from unet_helpers.data import Subset

    with np.load(path) as stored:
        return Subset(**dict(stored))


def pick_slices(subset):
    """The slice with the largest nodule area, and the one with the smallest that is four pixels or more."""
    area = (subset.masks == CLASSES["nodule"]).sum(axis=(1, 2))
    return [int(area.argmax()), int(np.where(area >= 4, area, area.max() + 1).argmin())]


def mean_dice(masks, subset):
    """Mean of lung and nodule Dice over patients."""
    from unet_helpers.evaluation import dice_by_patient

    return float(np.mean([np.nanmean(dice_by_patient(masks, subset, index)) for index in CLASSES.values()]))


def score(masks, subset):
    """Dice of each patient and class; HD95 of the lungs in mm; nodules found by size; false ones by slice."""
    from unet_helpers import hausdorff95
    from unet_helpers.evaluation import dice_by_patient
    from unet_helpers.failures import tabulate_objects

    index = CLASSES["nodule"]
    objects = tabulate_objects(subset, masks, index)
    diameter = 2 * np.sqrt(objects["pixels"] / np.pi)
    groups = {size: (diameter >= low) & (diameter < high) for size, (low, high) in DIAMETERS.items()}
    empty = ~(subset.masks == index).any(axis=(1, 2))
    pairs = zip(subset.masks == CLASSES["lung"], masks == CLASSES["lung"], subset.spacing, strict=True)
    hd95 = np.array([hausdorff95(*pair) if pair[0].any() and pair[1].any() else np.nan for pair in pairs])
    return {
        "lung_hd95": np.array([np.nanmean(hd95[subset.patient_ids == patient]) for patient in subset.patients]),
        **{name: dice_by_patient(masks, subset, number) for name, number in CLASSES.items()},
        "found": {size: int(objects["found"][group].sum()) for size, group in groups.items()},
        "nodules": {size: int(group.sum()) for size, group in groups.items()},
        "false_slices": int((masks == index).any(axis=(1, 2))[empty].sum()),
    }


# --- the tables -------------------------------------------------------------------------------------


def assemble(measured, arguments, held_out):
    """The content of the result file: settings, the two tables by name, and each network with its intervals."""
    from unet_helpers.models import NETWORKS

    narrow = {row["network"]: name for name, row in measured.items() if row["base_filters"] != BASE_FILTERS}
    first = [name for name in NETWORKS if name in measured]
    tables = {"equal width": first, "equal parameters": [narrow.get(name, name) for name in first]}
    with_nodule = (held_out.masks == CLASSES["nodule"]).any(axis=(1, 2))
    return {
        "seconds_of_training": arguments.seconds,
        "held_out_patients": len(held_out.patients),
        "held_out_patients_with_nodule": len(set(held_out.patient_ids[with_nodule].tolist())),
        "held_out_slices_without_nodule": int((~with_nodule).sum()),
        "tables": tables,
        "networks": {name: row | summarize(row, measured.get("U-Net")) for name, row in measured.items()},
    }


def summarize(row, reference):
    """Means over seeds and patients with their intervals, and the differences to the U-Net with their own."""
    from unet_helpers.evaluation import interval_of_difference, interval_of_mean

    summary = {}
    for name, quantity in {**{name: f"{name}_dice" for name in CLASSES}, "lung_hd95": "lung_hd95"}.items():
        runs = np.array(row[f"{name}_by_seed"], dtype=float)
        low, high = interval_of_mean(runs)
        seeds = np.nanmean(runs, axis=1)
        summary |= {
            quantity: seeds.mean(),
            f"{quantity}_low": low,
            f"{quantity}_high": high,
            f"{quantity}_seeds": seeds,
        }
        if reference is not None and reference is not row:
            others = np.array(reference[f"{name}_by_seed"], dtype=float)
            low, high = interval_of_difference(runs, others)
            gains = seeds - np.nanmean(others)
            gain = f"{quantity}_gain"
            summary |= {gain: gains.mean(), f"{gain}_low": low, f"{gain}_high": high, f"{gain}_seeds": gains}
    return {
        key: [rounded(one) for one in value] if np.ndim(value) else rounded(value) for key, value in summary.items()
    }


def rounded(value, digits=4):
    """A float rounded; nan becomes None, which JSON can hold."""
    return round(float(value), digits) if np.isfinite(value) else None


def show(row):
    """The short values of a row, to print."""
    means = {name: round(float(np.nanmean(np.array(row[f"{name}_by_seed"], float))), 3) for name in CLASSES}
    keys = ("parameters", "million_multiply_adds", "latency_ms", "memory_counted_mb", "memory_measured_mb")
    keys += (
        "learning_rate",
        "validation_dice_by_rate",
        "steps",
        "processor_seconds",
        "found",
        "slices_with_false_nodule",
    )
    return means | {key: row[key] for key in keys if key in row}


def count_activations(model):
    """Numbers that all layers put out for one image: what a training step keeps for the way back, and more."""
    return sum(math.prod(tensor.shape[1:]) for layer in model.layers for tensor in _as_list(layer.output))


def _as_list(output):
    return list(output) if isinstance(output, (list, tuple)) else [output]


def measure_latency(model, repeats=30, warm_up=5):
    """Median of the seconds from one image in to its probabilities out; the first ``warm_up`` calls do not count."""
    image = np.random.default_rng(0).random((1, *model.input_shape[1:]), dtype=np.float32)
    seconds = []
    for _ in range(warm_up + repeats):
        began = time.perf_counter()
        model.predict_on_batch(image)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[warm_up:]))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
