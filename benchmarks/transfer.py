"""Does pre-training on synthetic patients help on real nodules? LIDC with 5, 20 and 100 patients, three seeds.

``python benchmarks/transfer.py [FOLDER]``. A network learns nodules in crops of synthetic patients, scanned with the
pixel size of the LIDC crops; then it is trained on few real patients, with the same number of steps as a network that
starts from random weights. Scores are those of notebook 15: mean Dice over the test slices with a consensus (a missed
slice counts 0), and the share of the empty slices on which something is drawn, at an operating point chosen on
validation patients for 40 % there. Writes ``book/results/transfer.json``.
"""

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("UNET_SHARED_DATA") or ROOT.parent / "shared" / "data")
FIELD = (80, 190)  # mm across a crop of 128 pixels: the nodules of the phantom are large, those of LIDC small
SIDE = 48  # the network sees the middle of a crop, as in notebook 15
FALSE_ALARMS = 0.4


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=SHARED / "lidc_slices" / "LIDC-IDRI-slices", type=Path)
    parser.add_argument("--synthetic", type=int, default=240, help="synthetic patients")
    parser.add_argument("--pretraining-steps", type=int, default=1500)
    parser.add_argument("--steps", type=int, default=600, help="steps on the real patients")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--patients", type=int, nargs="+", default=[5, 20, 100])
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        raise SystemExit(f"skipped: no folder {arguments.folder}; name the folder of the LIDC slices")

    from record import write_results

    from unet_helpers import load_dataset

    began = time.perf_counter()
    real = load_dataset(arguments.folder, consensus=2)
    images, masks = synthetic_crops(arguments.synthetic)
    print(f"{len(images)} synthetic crops, {masks.any(axis=(1, 2)).mean():.2f} with a nodule,", end=" ")
    print(f"{time.perf_counter() - began:.0f} s", flush=True)
    start = new_network(seed=0, masks=masks)
    fit(start, images, masks[..., np.newaxis].astype(np.float32), arguments.pretraining_steps, seed=0)
    pretrained = start.get_weights()

    rows = [score(start, real, patients=0, start="phantom only", seed=0)]
    print(rows[-1], flush=True)
    for seed in range(arguments.seeds):
        order = np.random.default_rng(seed).permutation(real.train.patients)
        for count in arguments.patients:
            train = real.train[np.isin(real.train.patient_ids, order[:count])]
            images, targets = center(train.images), soft_targets(train)
            for name in ("scratch", "phantom"):
                network = new_network(seed, masks=center(train.masks))
                if name == "phantom":
                    network.set_weights(pretrained)
                fit(network, images, targets, arguments.steps, seed)
                rows.append(score(network, real, patients=count, start=name, seed=seed))
                print(rows[-1], flush=True)
    results = {
        "seconds": round(time.perf_counter() - began),
        "steps": arguments.steps,
        "pretraining_steps": arguments.pretraining_steps,
        "synthetic_patients": arguments.synthetic,
        "test_patients": len(real.test.patients),
        "slices_with_object": int(real.test.masks.any(axis=(1, 2)).sum()),
        "empty_slices": int((~real.test.masks.any(axis=(1, 2))).sum()),
        "runs": rows,
    }
    path = write_results(
        "transfer", "LIDC nodules: from scratch and pre-trained on phantoms", results, data="LIDC-IDRI"
    )
    print(f"written: {path.name}, {results['seconds']} s")


def synthetic_crops(count, workers=2):
    """Crops (N, 48, 48, 1) in 0–1 and masks (N, 48, 48) around the places of nodules, with and without one."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(_crops_of_patient, range(count), chunksize=4))
    images, masks = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return images, masks


def _crops_of_patient(index):
    """A scan with a narrow field around each of two nodules: the slices that cut it, and two of the others."""
    from unet_helpers.phantom import make_patient

    rng = np.random.default_rng([index, 7])
    plain = make_patient(11, index=index, size=64, slices=8)
    images, masks = [np.zeros((0, SIDE, SIDE, 1), np.float32)], [np.zeros((0, SIDE, SIDE), bool)]
    chosen = rng.permutation(len(plain.nodules))[:2]
    for nodule in (plain.nodules[k] for k in chosen):
        middle = tuple((np.array(nodule.center)[[2, 1]] - 32) * plain.spacing[1] + rng.normal(0, 2, 2))
        acquisition = replace(
            plain.acquisition,
            field_of_view=float(rng.uniform(*FIELD)),
            center=middle,
            padding=None,
            photons=plain.acquisition.photons * float(rng.uniform(0.3, 1.5)),
            kernel=str(rng.choice(["soft", "sharp"])),
        )
        patient = make_patient(11, index=index, size=128, slices=8, acquisition=acquisition)
        first = (128 - SIDE) // 2
        inner = slice(first, first + SIDE)
        found = patient.masks[:, inner, inner] == 2
        cut = np.flatnonzero(found.any(axis=(1, 2)))
        near = [k for k in range(8) if k not in cut and (patient.masks[k] > 0).mean() > 0.3]
        for k in [*cut, *rng.permutation(near)[:2]]:
            low, high = patient.volume[k].min(), patient.volume[k].max()  # LIDC crops show their whole range
            images.append(((patient.volume[k, inner, inner] - low) / (high - low))[None, ..., None].astype(np.float32))
            masks.append(found[k][None])
    return np.concatenate(images), np.concatenate(masks)


def center(arrays):
    """The central 48 × 48 of (N, H, W, …)."""
    from unet_helpers.teaching.your_data import center as cut

    return cut(arrays, SIDE)


def soft_targets(subset):
    """(N, 48, 48, 1): half the consensus, half the mean of the readers, as notebook 15 trains."""
    readers = center(np.moveaxis(subset.readers, 1, -1)).mean(axis=-1, dtype=np.float32)
    return ((center(subset.masks) + readers) / 2)[..., np.newaxis].astype(np.float32)


def new_network(seed, masks):
    import keras

    from unet_helpers import UNet, start_at_class_shares

    keras.utils.set_random_seed(seed)
    network = UNet((SIDE, SIDE, 1), 1, base_filters=16)
    start_at_class_shares(network, masks.astype(np.uint8))
    return network


def fit(network, images, targets, steps, seed, batch_size=16, learning_rate=1e-3):
    """Train for a number of steps with the loss, the augmentation and the schedule of notebook 15."""
    import tensorflow as tf

    from unet_helpers.teaching.your_data import crop_augmenter
    from unet_helpers.training import DiceCrossEntropy, compile_model

    loss = DiceCrossEntropy(crossentropy_weight=20.0, squared=True)
    compile_model(network, learning_rate, loss, schedule="cosine", steps_per_epoch=steps, epochs=1)
    batches = tf.data.Dataset.from_tensor_slices((images, targets)).shuffle(len(images), seed=seed).repeat()
    batches = batches.batch(batch_size).map(crop_augmenter(seed)).prefetch(2)
    network.fit(batches, steps_per_epoch=steps, epochs=1, verbose=0, shuffle=False)


def score(network, real, patients, start, seed):
    """One row: Dice and false positives on the test patients, at the point chosen on validation patients."""
    from unet_helpers.evaluation import choose_operating_point, slice_scores
    from unet_helpers.teaching.your_data import default_recipe, predict_whole

    recipe = replace(default_recipe(real), center_crop=SIDE)
    found = {name: predict_whole(network, real.subsets[name].images, recipe)[..., 0] for name in ("validation", "test")}
    point = choose_operating_point(found["validation"], real.validation.masks, FALSE_ALARMS)
    scores = slice_scores(point.decide(found["test"]), real.test.masks)
    kept = {name: round(float(scores[name]), 3) for name in ("dice", "median_dice", "missed", "false_alarms")}
    return {"patients": patients, "start": start, "seed": seed, **kept}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
