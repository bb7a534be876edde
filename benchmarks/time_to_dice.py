"""Seconds until lungs and nodules are found: the series' training against recipes that people use.

``python benchmarks/time_to_dice.py`` trains every contestant in a process of its own, one after the other, with the
same patients, threads and number of seeds. The clock runs while a contestant builds its network, compiles and trains;
it stands still while further patients are scored. A training ends at ``--limit`` seconds, or earlier once it has found
lungs and nodules and then got no better for half of its time. Reached means reached and kept: no later score of the
run falls below. Ratios are those of the medians over seeds; beside them stand the Dice at the end and its paired
difference to ours, with 95 % intervals over the scored patients.

To tell network and recipe apart, our network is also trained by two of the other recipes, and two of the other
networks by ours. ``--onednn off`` does all of it without the kernels of oneDNN. Writes
``book/results/time_to_dice.json``, or ``time_to_dice_without_onednn.json``. With ``--recipes`` it trains ours with one
thing changed at a time, on other patients, and writes ``time_to_dice_recipes.json``.

Some peers need packages that the series does not use and are skipped, with a line that says so, where these are
missing: keras-unet-collection (``pip install keras-unet-collection``), and PyTorch with MONAI and nnunetv2 in an
environment of their own (``--torch-python its/bin/python``).
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
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # TensorFlow reads it when it is imported; peers on PyTorch read it as well


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=float, default=600, help="seconds of training at most")
    parser.add_argument(
        "--settle", type=float, default=60, help="seconds without a gain, at least, that end a training"
    )
    parser.add_argument("--every", type=float, default=0.75, help="seconds of training between the first scores")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of every contestant")
    parser.add_argument("--only", nargs="+", choices=[*CONTESTANTS, *TORCH, *RECIPES], help="leave the others out")
    parser.add_argument("--onednn", choices=("on", "off"), default="on", help="its kernels, for all contestants")
    parser.add_argument("--recipes", action="store_true", help="ours with one thing changed at a time, no peers")
    parser.add_argument("--torch-python", help="Python of an environment with torch and monai")
    parser.add_argument("--no-record", dest="record", action="store_false", help="leave book/results alone")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)  # in the process of its own
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contestant:
        contestant = (CONTESTANTS | CHANGED)[arguments.contestant]
        scores = run(contestant, *load(arguments.folder), arguments)
        (arguments.folder / "scores.json").write_text(json.dumps(scores))
        return

    names = [*RECIPES] if arguments.recipes else [*CONTESTANTS, *TORCH]
    names = [name for name in names if not arguments.only or name in arguments.only]
    minutes = len(names) * arguments.seeds * arguments.limit / 60
    print(f"{len(names)} contestants, {arguments.seeds} trainings each: at most {minutes:.0f} minutes, and the scoring")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), TRIED if arguments.recipes else SCORED)
        if arguments.torch_python and WITH_OUR_RECIPE in names:
            save_our_recipe(Path(folder))
        for seed in range(arguments.seeds):  # by turns, so that a machine that slows down slows all of them
            for name in list(names):
                if scores := start(name, Path(folder), arguments, seed):
                    rows.append({"contestant": name, "seed": seed, **summarize(scores)})
                    print({key: value for key, value in rows[-1].items() if key != "curve"}, flush=True)
                else:
                    names.remove(name)
    results = {"limit_seconds": arguments.limit, "onednn": arguments.onednn, "goals": GOALS, "runs": rows}
    results |= {"ratios": ratios(rows), "ends": ends(rows)}
    if arguments.record:
        from record import write_results

        name = "time_to_dice_recipes" if arguments.recipes else "time_to_dice"
        name += "" if arguments.onednn == "on" else "_without_onednn"
        write_results(name, "Seconds of training until a Dice is reached and kept", results)
    print(results["ratios"], results["ends"], sep="\n")


def start(name, folder, arguments, seed):
    """Scores of one contestant, or None where its packages are missing."""
    common = ["--folder", str(folder), "--limit", str(arguments.limit), "--every", str(arguments.every)]
    common += ["--settle", str(arguments.settle), "--seed", str(seed)]
    if name in TORCH:
        if not arguments.torch_python:
            print(f"skipped: {name}; name an environment with --torch-python")
            return None
        script, *told = TORCH[name]
        command = [arguments.torch_python, str(HERE / script), *common, *told]
    else:
        command = [sys.executable, str(HERE / "time_to_dice.py"), "--contestant", name, *common]
    (folder / "scores.json").unlink(missing_ok=True)
    kernels = {ONEDNN: "1" if arguments.onednn == "on" else "0"}
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, env=os.environ | kernels)
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


def save_our_recipe(folder, batches=400):
    """Our recipe for a network of another framework: crops, the rate of each step, and the rest in numbers.

    The crops are drawn and augmented here, so they take nothing from that contestant's time.
    """
    import keras

    from unet_helpers.training import TRAINING

    train, _ = load(folder)
    network, crops, *_ = ours(train)
    drawn = [(np.asarray(images), np.asarray(targets).argmax(axis=-1)) for images, targets in crops.take(batches)]
    images, masks = map(np.concatenate, zip(*drawn, strict=True))
    np.savez(folder / "crops.npz", images=images.astype(np.float16), masks=masks.astype(np.uint8))

    rate = keras.optimizers.schedules.deserialize(network.optimizer.get_config()["learning_rate"])
    shares = np.bincount(train["masks"].ravel(), minlength=3) / train["masks"].size
    recipe = {key: TRAINING[key] for key in ("class_weights", "average", "batch_size")} | {"shares": shares.tolist()}
    recipe["rates"] = [float(rate(step)) for step in range(our_steps(train) * TRAINING["epochs"])]
    (folder / "recipe.json").write_text(json.dumps(recipe))


def peer_parser(about):
    """What a peer in another environment is called with, see ``start``."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    for name in ("limit", "settle", "every"):
        parser.add_argument(f"--{name}", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    return parser


def load(folder):
    """Both subsets, each with ``images`` (N, H, W, 1), ``masks`` (N, H, W) and ``patient_ids`` (N,)."""
    return [dict(np.load(folder / f"{name}.npz")) for name in ("train", "validation")]


def judge(validation, found):
    """Dice per class, mean over patients, and ``"patients"``: that of each patient who has the class.

    Of all slices of a patient together. NumPy alone, because the environment with PyTorch does not have this package.
    """
    masks, patient_ids, scores = validation["masks"], validation["patient_ids"], {"patients": {}}
    for name, index in CLASSES.items():
        own = []
        for patient in np.unique(patient_ids):
            truth, prediction = (array[patient_ids == patient] == index for array in (masks, found))
            if truth.any():
                own.append(round(float(2 * (truth & prediction).sum() / (truth.sum() + prediction.sum())), 4))
        scores[name], scores["patients"][name] = round(float(np.mean(own)), 4), own
    return scores


def is_due(spent, scores, every):
    """Whether to score now: after ``every`` seconds of training, later after a twelfth more of the time."""
    last = scores[-1]["seconds"] if scores else 0
    return spent - last >= max(every, last / 12)


def has_settled(scores, least):
    """Whether a training got no better for half of its time, and for ``least`` seconds.

    Better means a mean Dice of lung and nodule that is higher by a hundredth. A training that has not found both yet
    may be about to: it goes on to the limit.
    """
    if min(max(score[name] for score in scores) for name in GOALS) < 0.1:
        return False
    best, since = 0.0, 0.0
    for score in scores:
        mean = np.mean([score[name] for name in GOALS])
        if mean > best + 0.01:
            best, since = mean, score["seconds"]
    now = scores[-1]["seconds"]
    return now - since >= max(least, now / 2)


def summarize(scores):
    """When each goal was reached and kept, the best score, and how many steps the time was enough for."""
    row = {"steps": scores[-1]["steps"], "seconds": round(scores[-1]["seconds"])}
    for name, goal in GOALS.items():
        below = [i for i, score in enumerate(scores) if score[name] < goal]
        first = below[-1] + 1 if below else 0
        row[f"{name}_reached"] = round(scores[first]["seconds"], 1) if first < len(scores) else None
        row[f"{name}_best"] = max(score[name] for score in scores)
        row[f"{name}_last"] = scores[-1][name]
        row[f"{name}_patients"] = scores[-1]["patients"][name]
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


def ends(rows):
    """Dice when the trainings ended: ``{contestant: {class: {"dice", "minus_ours"}}}``, each mean, low and high.

    Each patient counts with the mean over the seeds; the interval is over patients, by Student's t.
    """
    from unet_helpers import bootstrap_interval

    def mean_of(who, goal):
        return np.mean([row[f"{goal}_patients"] for row in rows if row["contestant"] == who], axis=0)

    def with_interval(values):
        return [round(float(one), 4) for one in (values.mean(), *bootstrap_interval(values))]

    contestants = list(dict.fromkeys(row["contestant"] for row in rows))
    found = {who: {goal: {"dice": with_interval(mean_of(who, goal))} for goal in GOALS} for who in contestants}
    for who in contestants:
        for goal in GOALS:
            if who != "ours" and "ours" in contestants:
                found[who][goal]["minus_ours"] = with_interval(mean_of(who, goal) - mean_of("ours", goal))
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
    schedule = {"schedule": "cosine", "steps_per_epoch": our_steps(train, **changes), "epochs": recipe["epochs"]}
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


def our_steps(train, **changes):
    """Steps of an epoch of ours: its crops have as many pixels as all slices."""
    from unet_helpers.training import TRAINING

    recipe = TRAINING | changes
    return math.ceil(train["masks"].size / (recipe["batch_size"] * recipe["crop_size"] ** 2))


def ours_by_monais_recipe(train, *, seed=0):
    """Our network with what ``peer_monai.py`` gives to MONAI's: whole slices, batch 16, Adam 1e-3, Dice and entropy."""
    import keras

    from unet_helpers import UNet
    from unet_helpers.training import MODEL

    network = UNet(**MODEL)
    network.compile(keras.optimizers.Adam(1e-3), monais_loss)
    return network, shuffled(train, 16, seed)


def monais_loss(truth, found):
    """MONAI's ``DiceCELoss``, of each image: Dice over all classes, the background among them, plus cross-entropy."""
    import keras
    from keras import ops

    overlap, total = ops.sum(truth * found, axis=(1, 2)), ops.sum(truth + found, axis=(1, 2))
    dice = 1 - (2 * overlap + 1e-5) / (total + 1e-5)
    return ops.mean(dice, axis=-1) + ops.mean(keras.losses.categorical_crossentropy(truth, found), axis=(1, 2))


PLAIN = {"input_shape": (128, 128, 1), "num_classes": 3, "base_filters": 64, "batch_norm": False, "dropout": 0.5}


def plain_unet(train, *, seed=0, model=PLAIN):
    """31 million parameters without normalization, Adam 1e-4, binary cross-entropy, batch 16: most student projects."""
    import keras

    from unet_helpers import UNet

    network = UNet(**model)
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
    "ours, MONAI's recipe": ours_by_monais_recipe,
    "ours, plain recipe": functools.partial(plain_unet, model={"num_classes": 3, "base_filters": 8}),
    "plain U-Net": plain_unet,
    "plain U-Net, our recipe": functools.partial(ours, model=PLAIN | {"input_shape": (None, None, 1)}),
    "keras-unet-collection": keras_unet_collection,
    "keras.io": keras_io,
}
WITH_OUR_RECIPE = "MONAI BasicUNet, our recipe"
#: contestants on PyTorch: who trains them, and what that script is told
TORCH = {
    "MONAI BasicUNet": ("peer_monai.py",),
    WITH_OUR_RECIPE: ("peer_monai.py", "--our-recipe"),
    "nnU-Net v2": ("peer_nnunet.py",),
}

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


def run(contestant, train, validation, limits):
    """Train one contestant; ``[{"seconds", "steps", "lung", "nodule", "patients"}, …]``.

    ``limits`` has ``limit``, ``settle`` and ``every`` in seconds, and the ``seed``.
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(limits.seed)

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
            if spent >= limits.limit or is_due(spent, self.scores, limits.every):
                for mean in means:
                    mean.swap(network)
                self.score(spent)
                for mean in means:
                    mean.swap(network)
                self.spent, self.began = spent, time.perf_counter()
                self.model.stop_training = spent >= limits.limit or has_settled(self.scores, limits.settle)

        def score(self, spent):
            images = validation["images"]
            found = [self.predict(images[i : i + 16]).numpy().argmax(axis=-1) for i in range(0, len(images), 16)]
            dice = judge(validation, np.concatenate(found))
            self.scores.append({"seconds": round(spent, 2), "steps": self.steps, **dice})

    began = time.perf_counter()
    network, batches, *means = contestant(train, seed=limits.seed)
    clock = Clock(network)
    clock.began = began
    network.fit(batches, steps_per_epoch=10**6, epochs=1, verbose=0, shuffle=False, callbacks=[*means, clock])
    return clock.scores


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
