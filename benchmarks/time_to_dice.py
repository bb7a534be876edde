"""Seconds until lungs and nodules are found: the series' training against recipes that people use.

``python benchmarks/time_to_dice.py [--limit 300]`` trains every contestant in a process of its own, one after the
other, with the same patients and the same threads. The clock runs while a contestant builds its network, compiles and
trains; it stands still while further patients are scored. Reached means reached and kept: no later score of the run
falls below. Who reaches a goal is trained with further seeds, by turns, and ratios are those of the medians. Writes
``book/results/time_to_dice.json``. With ``--recipes`` it trains ours with
one thing changed at a time, on other patients, and writes ``time_to_dice_recipes.json``.

Two peers need packages that the series does not use and are skipped, with a line that says so, where these are missing:
keras-unet-collection (``pip install keras-unet-collection``), and PyTorch with MONAI in an environment of their own
(``--torch-python its/bin/python``).
"""

import argparse
import functools
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
GOALS = {"lung": 0.95, "nodule": 0.5}
CLASSES = {"lung": 1, "nodule": 2}
# of the phantom's family 0, of which the data set has the first 48: for the comparison, and for choosing the recipe
SCORED, TRIED = range(72, 88), range(400, 416)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=float, default=300, help="seconds of training for each contestant")
    parser.add_argument("--every", type=float, default=0.75, help="seconds of training between the first scores")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of every contestant that reaches a goal")
    parser.add_argument("--only", nargs="+", choices=[*CONTESTANTS, TORCH, *RECIPES], help="leave the others out")
    parser.add_argument("--recipes", action="store_true", help="ours with one thing changed at a time, no peers")
    parser.add_argument("--torch-python", help="Python of an environment with torch and monai")
    parser.add_argument("--no-record", dest="record", action="store_false", help="leave book/results alone")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)  # in the process of its own
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contestant:
        contestant = (CONTESTANTS | CHANGED)[arguments.contestant]
        scores = run(contestant, *load(arguments.folder), arguments.limit, arguments.every, arguments.seed)
        (arguments.folder / "scores.json").write_text(json.dumps(scores))
        return

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), TRIED if arguments.recipes else SCORED)
        names = [*RECIPES] if arguments.recipes else ["ours", TORCH, *(name for name in CONTESTANTS if name != "ours")]
        names = [name for name in names if not arguments.only or name in arguments.only]
        for seed in range(arguments.seeds):  # by turns, so that a machine that slows down slows all of them
            for name in list(names):
                scores = start(name, Path(folder), arguments, seed)
                if scores:
                    rows.append({"contestant": name, "seed": seed, **summarize(scores)})
                    print(rows[-1], flush=True)
                if not scores or not any(rows[-1][f"{goal}_reached"] for goal in GOALS):
                    names.remove(name)
    if arguments.record:
        from record import write_results

        results = {"limit_seconds": arguments.limit, "goals": GOALS, "runs": rows, "ratios": ratios(rows)}
        name = "time_to_dice_recipes" if arguments.recipes else "time_to_dice"
        write_results(name, "Seconds of training until a Dice is reached and kept", results)
    print(ratios(rows))


def start(name, folder, arguments, seed):
    """Scores of one contestant, or None where its packages are missing."""
    common = ["--folder", str(folder), "--limit", str(arguments.limit), "--every", str(arguments.every)]
    common += ["--seed", str(seed)]
    if name == TORCH:
        if not arguments.torch_python:
            print(f"skipped: {name}; name an environment with --torch-python")
            return None
        command = [arguments.torch_python, str(HERE / "peer_monai.py"), *common]
    else:
        command = [sys.executable, str(HERE / "time_to_dice.py"), "--contestant", name, *common]
    (folder / "scores.json").unlink(missing_ok=True)
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"skipped: {name}; {last}")
        return None
    return json.loads((folder / "scores.json").read_text())


def save(folder, patients):
    """Training patients of the phantom and patients to score, for processes of any framework.

    The data set's own seven validation patients are too few to see when a goal is reached. Further patients of the same
    family are scored, other ones for choosing a recipe than for comparing it with peers.
    """
    from unet_helpers import load_dataset
    from unet_helpers.data import subset_of_patients
    from unet_helpers.phantom import make_patient

    scored = subset_of_patients([make_patient(0, index=index) for index in patients])
    for name, subset in (("train", load_dataset("phantom").train), ("validation", scored)):
        np.savez(folder / f"{name}.npz", images=subset.images, masks=subset.masks, patient_ids=subset.patient_ids)


def load(folder):
    """Both subsets, each with ``images`` (N, H, W, 1), ``masks`` (N, H, W) and ``patient_ids`` (N,)."""
    return [dict(np.load(folder / f"{name}.npz")) for name in ("train", "validation")]


def dice_by_class(masks, found, patient_ids):
    """Mean over patients of the Dice of all slices of a patient; patients without the class are left out.

    NumPy alone, because the environment with PyTorch does not have this package.
    """
    scores = {}
    for name, index in CLASSES.items():
        own = []
        for patient in np.unique(patient_ids):
            truth, prediction = (array[patient_ids == patient] == index for array in (masks, found))
            if truth.any():
                own.append(2 * (truth & prediction).sum() / (truth.sum() + prediction.sum()))
        scores[name] = round(float(np.mean(own)), 4)
    return scores


def is_due(spent, scores, every):
    """Whether to score now: after ``every`` seconds of training, later after a twelfth more of the time."""
    last = scores[-1]["seconds"] if scores else 0
    return spent - last >= max(every, last / 12)


def summarize(scores):
    """When each goal was reached and kept, the best score, and how many steps the time was enough for."""
    row = {"steps": scores[-1]["steps"], "seconds": round(scores[-1]["seconds"])}
    for name, goal in GOALS.items():
        below = [i for i, score in enumerate(scores) if score[name] < goal]
        first = below[-1] + 1 if below else 0
        row[f"{name}_reached"] = round(scores[first]["seconds"], 1) if first < len(scores) else None
        row[f"{name}_best"] = max(score[name] for score in scores)
        row[f"{name}_last"] = scores[-1][name]
    row["curve"] = [[round(score["seconds"], 1), *(score[name] for name in GOALS)] for score in scores]
    return row


def ratios(rows):
    """For each goal, how many times longer each contestant took than ours, medians over the seeds.

    None where it did not arrive with more than half of its seeds.
    """
    contestants = list(dict.fromkeys(row["contestant"] for row in rows))
    reference = "the recipe" if "the recipe" in contestants else "ours"

    def median(who, goal):
        taken = [row[f"{goal}_reached"] or math.inf for row in rows if row["contestant"] == who]
        return float(np.median(taken)) if taken else math.inf

    found = {}
    for goal in GOALS:
        own = median(reference, goal)
        if math.isfinite(own):
            others = {who: median(who, goal) / own for who in contestants if who != reference}
            found[goal] = {who: round(ratio, 2) if math.isfinite(ratio) else None for who, ratio in others.items()}
    return found


# ------------------------------------------------------------------ the contestants


def ours(train, *, seed=0, model=None, policy="float32", augmented=True, **changes):
    """What ``train_checkpoint`` does, and notebook 04 with it; after its last epoch it goes on at the last rate."""
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
    )

    recipe = TRAINING | changes
    keras.config.set_dtype_policy(policy)
    network = UNet(**MODEL | (model or {}))
    start_at_class_shares(network, train["masks"])
    size, batch_size = recipe["crop_size"], recipe["batch_size"]
    epoch = math.ceil(train["masks"].size / (batch_size * size**2))
    schedule = {"schedule": "cosine", "steps_per_epoch": epoch, "epochs": recipe["epochs"]}
    schedule |= {"warmup": recipe["warmup"]}
    compile_model(network, recipe["learning_rate"], DiceCrossEntropy(recipe["class_weights"]), **schedule)
    means = [RunningMean(recipe["average"])] if recipe["average"] else []
    augment = make_augmenter(**AUGMENTATION, seed=seed) if augmented else None
    if size == train["images"].shape[1]:
        batches = shuffled(train, batch_size, seed)
        return network, batches if augment is None else batches.map(augment).prefetch(2), *means
    targets = np.eye(3, dtype=np.float32)[train["masks"]]
    options = {"around": recipe["crop_class"], "image_fill": recipe["crop_fill"], "augment": augment, "seed": seed}
    return network, make_crop_batches(train["images"], targets, size, batch_size, **options), *means


def plain_unet(train, *, seed=0):
    """31 million parameters without normalization, Adam 1e-4, binary cross-entropy, batch 16: most student projects."""
    import keras

    from unet_helpers import UNet

    network = UNet((128, 128, 1), 3, base_filters=64, batch_norm=False, dropout=0.5)
    network.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy")
    return network, shuffled(train, 16, seed)


def keras_unet_collection(train, *, seed=0):
    """``models.unet_2d`` with the widths of its documentation, batch normalization, Adam 1e-4, cross-entropy."""
    import keras
    from keras_unet_collection import models

    options = {"stack_num_down": 2, "stack_num_up": 2, "activation": "ReLU", "output_activation": "Softmax"}
    options |= {"batch_norm": True, "pool": True, "unpool": True}
    network = models.unet_2d((128, 128, 1), [64, 128, 256, 512, 1024], n_labels=3, **options)
    network.compile(keras.optimizers.Adam(1e-4), "categorical_crossentropy")
    return network, shuffled(train, 16, seed)


def keras_io(train, *, seed=0):
    """The structure of the keras.io example on pets: separable convolutions, residual, no skips; RMSprop, batch 32."""
    import keras
    from keras import layers

    inputs = keras.Input((128, 128, 1))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(32, 3, strides=2, padding="same")(inputs)))
    before = x
    for filters in (64, 128, 256):
        for _ in range(2):
            x = layers.BatchNormalization()(layers.SeparableConv2D(filters, 3, padding="same")(layers.ReLU()(x)))
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = before = layers.Add()([x, layers.Conv2D(filters, 1, strides=2, padding="same")(before)])
    for filters in (256, 128, 64, 32):
        for _ in range(2):
            x = layers.BatchNormalization()(layers.Conv2DTranspose(filters, 3, padding="same")(layers.ReLU()(x)))
        residual = layers.Conv2D(filters, 1, padding="same")(layers.UpSampling2D(2)(before))
        x = before = layers.Add()([layers.UpSampling2D(2)(x), residual])
    network = keras.Model(inputs, layers.Conv2D(3, 3, activation="softmax", padding="same")(x))
    network.compile("rmsprop", "categorical_crossentropy")
    return network, shuffled(train, 32, seed)


def shuffled(train, batch_size, seed):
    """All slices in another order each epoch, without end; no augmentation."""
    import tensorflow as tf

    targets = np.eye(3, dtype=np.float32)[train["masks"]]
    batches = tf.data.Dataset.from_tensor_slices((train["images"], targets)).shuffle(len(targets), seed=seed)
    return batches.repeat().batch(batch_size).prefetch(2)


CONTESTANTS = {
    "ours": ours,
    "plain U-Net": plain_unet,
    "keras-unet-collection": keras_unet_collection,
    "keras.io": keras_io,
}
TORCH = "MONAI BasicUNet"

#: one thing changed at a time
RECIPES = {
    "the recipe": {},
    "whole slices": {"crop_size": 128, "batch_size": 8},
    "crops anywhere": {"crop_class": None},
    "crops of 96": {"crop_size": 96, "batch_size": 8},
    "learning rate 1e-3": {"learning_rate": 1e-3},
    "learning rate 1.6e-2": {"learning_rate": 1.6e-2},
    "16 filters": {"model": {"base_filters": 16}},
    "depth 3": {"model": {"depth": 3}},
    "no average": {"average": None},
    "warm-up of 50 steps": {"warmup": 50},
    "no augmentation": {"augmented": False},
    "mixed_bfloat16": {"policy": "mixed_bfloat16"},
}
CHANGED = {name: functools.partial(ours, **changes) for name, changes in RECIPES.items()}


def run(contestant, train, validation, limit, every, seed=0):
    """Train one contestant until the limit; ``[{"seconds", "steps", "lung", "nodule"}, …]``."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)

    class Clock(keras.callbacks.Callback):
        """Counts the seconds of training, and scores the validation patients now and then."""

        def __init__(self, network):
            super().__init__()
            self.network, self.scores, self.steps, self.spent = network, [], 0, 0.0
            self.predict = tf.function(lambda images: network(images, training=False), reduce_retracing=True)

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1
            now = time.perf_counter()
            spent = self.spent + now - self.began
            if spent >= limit or is_due(spent, self.scores, every):
                for mean in means:
                    mean.swap(network)
                self.score(spent)
                for mean in means:
                    mean.swap(network)
                self.spent, self.began = spent, time.perf_counter()
                self.model.stop_training = spent >= limit

        def score(self, spent):
            images = validation["images"]
            found = [self.predict(images[i : i + 16]).numpy().argmax(axis=-1) for i in range(0, len(images), 16)]
            dice = dice_by_class(validation["masks"], np.concatenate(found), validation["patient_ids"])
            self.scores.append({"seconds": round(spent, 2), "steps": self.steps, **dice})

    began = time.perf_counter()
    network, batches, *means = contestant(train, seed=seed)
    clock = Clock(network)
    clock.began = began
    network.fit(batches, steps_per_epoch=10**6, epochs=1, verbose=0, shuffle=False, callbacks=[*means, clock])
    return clock.scores


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
