"""2D, 2.5D and 3D U-Nets on the same patients at the same cost, and what a 3D patch costs in memory.

``python benchmarks/volumes_3d.py [SEEDS]`` measures the memory of a training step for cubes of several sizes, each in a
process of its own. Then it makes 40 synthetic patients with 64 slices of 128×128 (voxels of about 3.5×3×3 mm), trains
each kind of network on 24 of them for the same processor time, five seeds, and tests on the other 16. Every measure is
kept for each seed and patient. Writes ``book/results/volumes_3d.json`` after each seed, so that an interruption costs
no more than one, and takes about twenty minutes on two quiet cores.
"""

import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import psutil

FAMILY, TRAINING, TEST = 10, 24, 16
SECONDS = 40  # of processor time per training: about half of it by the clock on two quiet cores
PATCHES = {"2D": (8, (1, 128, 128)), "2.5D": (8, (1, 128, 128)), "3D": (1, (32, 64, 64))}  # batch, patch
LEARNING_RATE = 3e-3
CLASS_WEIGHTS = (1, 1, 10)  # as the checkpoint has; with 3, four of nine trainings never found a nodule
CUBES = (32, 48, 64, 80)
#: what is kept of each run and patient, and its digits
MEASURES = {
    "lung_dice": 4, "nodule_dice": 3, "false_objects": 0, "nodules_found": 0, "lung_ml": 1, "nodule_ml": 2,
}  # fmt: skip


def main():
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    from record import write_results

    began = time.perf_counter()
    memory = {f"{side}": memory_of_step(side) for side in CUBES}
    print(memory, flush=True)
    volumes, masks, spacing = make_data()
    print(f"{len(volumes)} patients, {time.perf_counter() - began:.0f} s", flush=True)
    truth = measures(masks[TRAINING:], masks[TRAINING:], spacing[TRAINING:])
    per_step = measure_steps(volumes, masks)
    steps = {kind: int(SECONDS / seconds) for kind, seconds in per_step.items()}
    print(steps, flush=True)
    results = {
        "training_patients": TRAINING,
        "test_patients": TEST,
        "processor_seconds": SECONDS,
        "memory": memory,
        "voxel_mm": [round(float(side), 2) for side in spacing.mean(axis=0)],
        "true_ml": {part: by_patient(truth[f"{part}_ml"], 2) for part in ("lung", "nodule")},
        "nodules": by_patient(truth["nodules"], 0),
    }
    for kind in PATCHES:
        parameters = untrained(kind).count_params()
        results[kind] = {"parameters": parameters, "seconds_per_step": round(per_step[kind], 4), "steps": steps[kind]}
    what = "2D, 2.5D and 3D U-Nets at equal processor time, by seed and patient; memory of a 3D training step"
    for seed in seeds:
        for kind in PATCHES:
            network = train_network(kind, volumes[:TRAINING], masks[:TRAINING], steps[kind], seed)
            predicted = [predict_volume(network, kind, volume) for volume in volumes[TRAINING:]]
            measured = measures(predicted, masks[TRAINING:], spacing[TRAINING:])
            for name, digits in MEASURES.items():
                results[kind].setdefault(name, {})[f"seed {seed}"] = by_patient(measured[name], digits)
            shown = {name: round(float(np.nanmean(measured[name])), 3) for name in MEASURES}
            print(kind, f"seed {seed}", shown, f"{time.perf_counter() - began:.0f} s", flush=True)
        results["seconds"] = round(time.perf_counter() - began)
        path = write_results("volumes_3d", what, results, seed=list(range(seed + 1)))
    print(f"written: {path.name}, {results['seconds']} s")


def make_data():
    """``(P, D, H, W)`` gray values in 0–1, masks, and ``(P, 3)`` spacing."""
    from unet_helpers import window
    from unet_helpers.data import phantom_arrays

    options = {"size": 128, "seed": FAMILY, "patients": TRAINING + TEST, "slices": 64, "workers": 2}
    hu, masks, spacing, _ = phantom_arrays(**options)
    return np.stack([window(volume.astype(np.float32), -600, 1500) for volume in hu]), masks, spacing


def untrained(kind):
    """The network of a kind, for inputs of any size."""
    from unet_helpers import UNet, UNet3D

    if kind == "3D":
        return UNet3D((None, None, None, 1), 3, base_filters=4, depth=3)
    channels = 3 if kind == "2.5D" else 1
    return UNet((None, None, channels), 3, base_filters=8, depth=4, dropout=0.0)


def draw_batch(kind, inputs, masks, count, seed):
    """``count`` batches for a kind of network, half of the patches around a nodule."""
    from unet_helpers.training import draw_patches, make_targets

    size, shape = PATCHES[kind]
    images, patch_masks = draw_patches(inputs, masks, shape, count * size, seed=seed, index=2)
    if kind != "3D":
        images, patch_masks = images[:, 0], patch_masks[:, 0]
    targets = make_targets(patch_masks, 3)
    return [(images[i : i + size], targets[i : i + size]) for i in range(0, count * size, size)]


def as_input(volume, kind):
    """A volume with the channels that a kind of network takes."""
    from unet_helpers.training import neighbors_as_channels

    return neighbors_as_channels(volume, 3) if kind == "2.5D" else volume[..., np.newaxis]


def measure_steps(volumes, masks, rounds=12):
    """Processor seconds of one training step of each kind, the smallest of some, on networks that are thrown away.

    The kinds take turns, so that a machine that is busy for a while is so for all of them; and other programs can only
    make a step dearer, hence the smallest.
    """
    trainers = {}
    for kind in PATCHES:
        inputs = [as_input(volume, kind) for volume in volumes[:4]]
        trainers[kind] = compiled(kind, masks[:4], 1), draw_batch(kind, inputs, masks[:4], rounds + 2, 0)
    spent = {kind: [] for kind in PATCHES}
    for turn in range(rounds + 2):
        for kind, (network, batches) in trainers.items():
            before = time.process_time()
            network.train_on_batch(*batches[turn])
            spent[kind].append(time.process_time() - before)
    return {kind: min(seconds[2:]) for kind, seconds in spent.items()}  # the first two build the computation


def compiled(kind, masks, steps):
    """A new network with its loss and a cosine schedule over ``steps``."""
    from unet_helpers import start_at_class_shares
    from unet_helpers.training import DiceCrossEntropy, compile_model

    network = untrained(kind)
    start_at_class_shares(network, masks)
    epoch = min(steps, 20)  # the schedule counts in epochs; its warm-up is the first
    options = {"schedule": "cosine", "steps_per_epoch": epoch, "epochs": steps // epoch}
    return compile_model(network, LEARNING_RATE, DiceCrossEntropy(CLASS_WEIGHTS), **options)


def train_network(kind, volumes, masks, steps, seed):
    """Train one network for ``steps`` batches; the last weights are kept."""
    import keras

    keras.utils.set_random_seed(seed)
    network = compiled(kind, masks, steps)
    inputs = [as_input(volume, kind) for volume in volumes]
    for first in range(0, steps, 50):
        for images, targets in draw_batch(kind, inputs, masks, min(50, steps - first), 10_000 * seed + first):
            network.train_on_batch(images, targets)
    return network


def predict_volume(network, kind, volume):
    """Class indices ``(D, H, W)``; the 3D network takes the whole volume in one window."""
    from unet_helpers.evaluation import probabilities_to_masks

    inputs = as_input(volume, kind)
    if kind == "3D":
        return probabilities_to_masks(np.asarray(network(inputs[np.newaxis])))[0]
    parts = [np.asarray(network(inputs[i : i + 16])) for i in range(0, len(inputs), 16)]
    return probabilities_to_masks(np.concatenate(parts))


def measures(predicted, masks, spacing):
    """``{name: (P,) float}``: Dice of the patient and ml of each part, nodules, and how many are found and false."""
    from scipy import ndimage

    from unet_helpers import dice
    from unet_helpers.evaluation import volume_ml

    table = {}
    neighbors = np.ones((3, 3, 3))
    for found, truth, voxel in zip(predicted, masks, spacing, strict=True):
        row = {}
        for part in ("lung", "nodule"):
            # the lung of the masks leaves its nodules out; its volume should not
            a, b = (mask >= 1 if part == "lung" else mask == 2 for mask in (found, truth))
            row |= {f"{part}_dice": dice(b, a), f"{part}_ml": volume_ml(a, voxel)}
        pieces, count = ndimage.label(found == 2, neighbors)
        row["false_objects"] = count - len(set(np.unique(pieces[truth == 2]).tolist()) - {0})
        true_pieces, row["nodules"] = ndimage.label(truth == 2, neighbors)
        row["nodules_found"] = len(set(np.unique(true_pieces[found == 2]).tolist()) - {0})
        for name, value in row.items():
            table.setdefault(name, []).append(float(value))
    return {name: np.array(values) for name, values in table.items()}


def by_patient(values, digits=3):
    """``{patient: value}`` of the test patients."""
    return {f"P{TRAINING + k + 1:03d}": rounded(value, digits) for k, value in enumerate(values)}


def rounded(value, digits=3):
    """A number rounded; nan becomes None, which JSON can hold."""
    if not np.isfinite(value):
        return None
    return round(float(value), digits) if digits else round(float(value))


def memory_of_step(side):
    """Memory in MB that one training step on a cube takes: counted and measured, in a process of its own."""
    command = [sys.executable, os.path.abspath(__file__), "--step", str(side)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def print_memory_of_step(side):
    """Counted: all outputs of all layers, 4 bytes each. Measured: how far the memory of the process rises."""
    from unet_helpers import UNet3D
    from unet_helpers.training import compile_model

    def network_for(cube):
        return compile_model(UNet3D((cube, cube, cube, 1), 3, base_filters=8, depth=3))

    def step(network, cube):
        random = np.random.default_rng(0)
        images = random.random((1, cube, cube, cube, 1), dtype=np.float32)
        network.train_on_batch(images, np.eye(3, dtype=np.float32)[random.integers(3, size=(1, cube, cube, cube))])

    step(network_for(8), 8)  # what the program itself needs
    network = network_for(side)
    rise = peak_during(lambda: step(network, side))
    counted = 4 * sum(int(np.prod(layer.output.shape[1:])) for layer in network.layers)
    print(json.dumps({"counted_mb": round(counted / 2**20), "measured_mb": round(rise / 2**20)}))


def peak_during(work):
    """Bytes by which the process grows at most while ``work()`` runs, looked at every 2 ms."""
    process, done = psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss

    def watch():
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return peak - before


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.argv[1:2] == ["--step"]:
        print_memory_of_step(int(sys.argv[2]))
    else:
        main()
