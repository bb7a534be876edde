"""A U-Net that takes clicks, on things that it was trained on and on things that it never saw.

``python benchmarks/prompts.py`` trains U-Nets with two more channels, positive and negative clicks, on the phantom's
training patients. They differ in what was clicked in training: lungs and nodules, seven kinds of things, or all nine.
Measured are 24 further patients, and the clicks are simulated: each in the middle of the largest error. Beside the
networks stand two plain methods, whose settings are chosen for each kind on the validation patients, and the network
without clicks that ships with the package, from whose mask the first click picks an object.

Writes ``book/results/prompts.json``, the Dice of each thing into ``prompts_scores.npz`` beside it, and the network of
seven kinds, seed 0, into the package. About twenty minutes on one core. ``--folder F`` keeps what is done in a folder,
and goes on from there; ``--minutes 3`` stops after about so long.
"""

import itertools
import os
import shutil

import numpy as np
from parts import computed, make_parser

HELD_OUT = range(300, 324)  # of the phantom's family 0
FEW = ("lung", "nodule")
SEVEN = (*FEW, "airways", "ribs", "muscle", "stomach gas", "liver or spleen")
UNSEEN = ("heart", "spine")
#: what was clicked in training, and the seeds
NETWORKS = {
    "seven kinds": (SEVEN, (0, 1)),
    "lungs and nodules": (FEW, (0, 1)),
    "all nine": (SEVEN + UNSEEN, (0, 1)),
}
MODEL = {"input_shape": (None, None, 3), "num_classes": 1, "base_filters": 8, "depth": 3}
STEPS, WARMUP, LEARNING_RATE = 1500, 20, 4e-3
#: pixels of the smallest object of a kind that is asked for
LEAST = {"lung": 40, "nodule": 4, "airways": 12, "ribs": 8, "muscle": 100, "stomach gas": 20}
LEAST |= {"liver or spleen": 60, "heart": 200, "spine": 30}
MEASURED = ("lung", "nodule", "airways", *UNSEEN)
MOST = 3  # objects of a kind and patient
CLICKS, SHOWN = 10, (0, 1, 2, 3, 5, 10)
SHAKY = 2.0  # pixels, standard deviation of an unsteady hand
TOLERANCES, SMOOTHINGS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4), (0, 1)
GOAL = 0.8


def main():
    arguments = make_parser(__doc__.splitlines()[0]).parse_args()
    from record import current_commit, require_checkout, write_results

    from unet_helpers.files import atomic_path
    from unet_helpers.teaching import RESULTS
    from unet_helpers.teaching.clicks import CLICK_NETWORK

    require_checkout()
    commit = current_commit()  # before the network in the package is another one
    with computed(arguments, steps) as folder:
        results, scores = assemble(folder)
        with atomic_path(CLICK_NETWORK) as part:
            shutil.copyfile(folder / "seven kinds 0.keras", part)
    path = write_results("prompts", "A network that takes clicks", results, seed=[0, 1], commit=commit)
    np.savez_compressed(RESULTS / "prompts_scores.npz", **scores)
    print(f"written: {path.name}")


def steps(folder):
    """Functions that each do one part, once, and say whether they did."""
    runs = [(name, seed) for name, (_, seeds) in NETWORKS.items() for seed in seeds]
    parts = [("patients.npz", make_patients)]
    for name, seed in runs:
        train = lambda folder, name=name, seed=seed: train_network(folder, NETWORKS[name][0], seed)  # noqa: E731
        score = lambda folder, name=name, seed=seed: score_network(folder, name, seed)  # noqa: E731
        parts += [(f"{name} {seed}.keras", train), (f"{name} {seed}.npz", score)]
    parts += [("plain.npz", score_plain)]

    def once(name, function):
        path = folder / name
        if path.is_file():
            return False
        print(name, end=" ", flush=True)
        made, writing = function(folder), path.with_name("writing " + name)
        if isinstance(made, dict):
            np.savez_compressed(writing, **made)
        else:
            made.save(writing)
        os.replace(writing, path)
        return True

    return [lambda name=name, function=function: once(name, function) for name, function in parts]


# --- patients ---------------------------------------------------------------------------------------


def make_patients(_):
    """Images, masks of every kind and patients of three groups: training, validation and further patients."""
    from unet_helpers import load_dataset
    from unet_helpers.data import subset_of_patients
    from unet_helpers.phantom import make_patient
    from unet_helpers.teaching.structures import structure_masks

    data, arrays = load_dataset("phantom"), {}
    groups = {name: [int(one[1:]) - 1 for one in data.subsets[name].patients] for name in ("train", "validation")}
    for group, indices in (groups | {"held_out": HELD_OUT}).items():
        patients = [make_patient(0, index=index) for index in indices]
        subset, cut = subset_of_patients(patients), [structure_masks(patient) for patient in patients]
        masks = {"lung": subset.masks == 1, "nodule": subset.masks == 2}
        masks |= {kind: np.concatenate([one[kind] for one in cut]) for kind in SEVEN[2:] + UNSEEN}
        arrays |= {f"{group} {kind}": mask for kind, mask in masks.items()}
        arrays |= {f"{group} images": subset.images[..., 0], f"{group} patients": subset.patient_ids}
        arrays[f"{group} pixel"] = subset.spacing[:, 0]
    return arrays


def load(folder, group):
    """What :func:`make_patients` has made of one group, by name."""
    with np.load(folder / "patients.npz") as stored:
        return {key.removeprefix(group + " "): stored[key] for key in stored.files if key.startswith(group + " ")}


def things(folder, group):
    """The things that are asked for: kinds ``(N,)``, patients ``(N,)``, images and truths ``(N, H, W)``."""
    from unet_helpers.teaching.clicks import objects_of

    arrays, rng = load(folder, group), np.random.default_rng(0)
    rows = []
    for kind in MEASURED:
        found = objects_of(arrays[kind], LEAST[kind])
        for patient in sorted(set(arrays["patients"])):
            own = [k for k, (index, _) in enumerate(found) if arrays["patients"][index] == patient]
            if kind != "nodule" and len(own) > MOST:
                own = rng.choice(own, MOST, replace=False)
            rows += [(kind, patient, arrays["images"][found[k][0]], found[k][1]) for k in own]
    return [np.array(column) for column in zip(*rows, strict=True)]


# --- networks ---------------------------------------------------------------------------------------


def train_network(folder, kinds, seed):
    """A U-Net that takes clicks, trained with sessions about things of these kinds.

    The answers on which people click next are those of the training step itself: no second pass.
    """
    import keras
    import tensorflow as tf

    from unet_helpers import UNet
    from unet_helpers.teaching.clicks import THRESHOLD, Sessions, objects_of
    from unet_helpers.training import TRAINING, DiceCrossEntropy

    arrays = load(folder, "train")
    objects = {kind: objects_of(arrays[kind], LEAST[kind]) for kind in kinds}
    sessions = Sessions(arrays["images"], objects, fill=TRAINING["crop_fill"], seed=seed)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model, loss_of = UNet(**MODEL), DiceCrossEntropy(pool_batch=False)
    rate = keras.optimizers.schedules.CosineDecay(
        LEARNING_RATE / 10, STEPS - WARMUP, alpha=0.01, warmup_target=LEARNING_RATE, warmup_steps=WARMUP
    )
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(inputs, truths):
        with tf.GradientTape() as tape:
            probabilities = model(inputs, training=True)
            loss = tf.reduce_sum(loss_of(truths, probabilities))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )
        return probabilities

    for _ in range(STEPS):
        probabilities = step(sessions.inputs, sessions.truths[..., np.newaxis].astype(np.float32))
        sessions.answer(probabilities.numpy()[..., 0] >= THRESHOLD)
    return model


def score_network(folder, name, seed):
    """Dice of each thing after 0 to 10 clicks; of the shipped network also with an unsteady hand."""
    import keras

    from unet_helpers.teaching.clicks import click_through, keras_segmenter

    segment = keras_segmenter(keras.saving.load_model(folder / f"{name} {seed}.keras", compile=False))
    _, _, images, truths = things(folder, "held_out")
    result = {"steady": dice_of(click_through(segment, images, truths, CLICKS)[0], truths)}
    if (name, seed) == ("seven kinds", 0):
        result["shaky"] = dice_of(click_through(segment, images, truths, CLICKS, shift=SHAKY)[0], truths)
    return result


def dice_of(masks, truths):
    """Dice ``(N, clicks + 1)`` of masks ``(clicks + 1, N, H, W)``; no truth is empty."""
    return 2 * (masks & truths).sum(axis=(2, 3)).T / (masks.sum(axis=(2, 3)) + truths.sum(axis=(1, 2))).T


# --- plain methods, and the network without clicks ------------------------------------------------------


def score_plain(folder):
    """Dice of two plain methods at the settings that are best on validation patients, and of picked objects."""
    from unet_helpers import load_checkpoint, predict_masks
    from unet_helpers.teaching.clicks import click_through, grow_regions, next_click, watershed_segmenter

    kinds, _, images, truths = things(folder, "validation")
    held_kinds, _, held_images, held_truths = things(folder, "held_out")
    settings = {
        "region growing": (grow_regions, list(itertools.product(TOLERANCES, SMOOTHINGS))),
        "watershed": (watershed_segmenter, [(smoothing,) for smoothing in (0, 1, 2)]),
    }
    result = {}
    for name, (make, choices) in settings.items():
        result[name] = np.zeros((len(held_kinds), CLICKS + 1))
        for kind in MEASURED:
            rows, own = kinds == kind, held_kinds == kind
            means = [
                dice_of(click_through(make(*choice), images[rows], truths[rows], CLICKS)[0], truths[rows])[:, 1:].mean()
                for choice in choices
            ]
            best = choices[int(np.argmax(means))]
            masks, _ = click_through(make(*best), held_images[own], held_truths[own], CLICKS)
            result[name][own] = dice_of(masks, held_truths[own])
            result[f"{name} {kind}"] = np.array([*best, max(means)], float)
    predicted = predict_masks(load_checkpoint(), held_images[..., np.newaxis])
    empty = np.zeros_like(held_truths[0])
    clicks = [next_click(truth, empty)[:2] for truth in held_truths]
    picked = np.array([pick(mask, click) for mask, click in zip(predicted, clicks, strict=True)])
    result["picked"] = dice_of(picked[None], held_truths)[:, 0]
    return result


def pick(mask, click):
    """The object of a mask of class indices that lies under a click; nothing where that is background."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask == mask[click])
    return (labels == labels[click]) & (mask[click] > 0)


# --- results ----------------------------------------------------------------------------------------


def assemble(folder):
    """The content of the result file, and the Dice of each thing."""
    import keras

    kinds, patients, _, _ = things(folder, "held_out")
    pixel = load(folder, "held_out")["pixel"]
    with np.load(folder / "plain.npz") as stored:
        plain = dict(stored)
    runs = {
        name: [np.load(folder / f"{name} {seed}.npz")["steady"] for seed in own] for name, (_, own) in NETWORKS.items()
    }
    dice = {name: np.mean(own, axis=0) for name, own in runs.items()}
    dice |= {name: plain[name] for name in ("region growing", "watershed")}
    dice["unsteady hand"] = np.load(folder / "seven kinds 0.npz")["shaky"]
    dice["network of the package"] = runs["seven kinds"][0]
    dice["without clicks"] = np.repeat(plain["picked"][:, None], CLICKS + 1, axis=1)
    validation = things(folder, "validation")
    results = {
        "training_steps": STEPS,
        "training_patients": len(set(load(folder, "train")["patients"])),
        "validation_patients": len(set(validation[1])),
        "held_out_patients": len(set(patients)),
        "parameters": keras.saving.load_model(folder / "seven kinds 0.keras", compile=False).count_params(),
        "seeds": {name: len(own) for name, own in runs.items()},
        "unsteady_pixels": SHAKY,
        "unsteady_millimeters": round(float(SHAKY * pixel.mean()), 1),
        "things": {kind: int((kinds == kind).sum()) for kind in MEASURED},
        "patients": {kind: len(set(patients[kinds == kind])) for kind in MEASURED},
        "trained_on": {name: list(own) for name, (own, _) in NETWORKS.items()},
        "chosen": {
            name: {kind: [float(v) for v in plain[f"{name} {kind}"].round(3)] for kind in MEASURED}
            for name in ("region growing", "watershed")
        },
        "dice": {},
        "of_seeds": {},
        "differences": {},
        "never": {},
    }
    by_patient = {}
    for name, values in dice.items():
        for kind in MEASURED:
            if name == "without clicks" and kind not in FEW:
                continue
            own = kinds == kind
            by_patient[name, kind] = np.array(
                [values[own & (patients == one)].mean(axis=0) for one in sorted(set(patients[own]))]
            )
            row = results["dice"].setdefault(name, {}).setdefault(kind, {})
            for clicks in SHOWN:
                row[str(clicks)] = with_interval(by_patient[name, kind][:, clicks])
            never = [(run[own] < GOAL).all(axis=1).mean() for run in runs.get(name, [values])]
            results["never"].setdefault(name, {})[kind] = round(float(np.mean(never)), 3)
    for name, own in runs.items():
        for kind in MEASURED:
            means = [[round(float(run[kinds == kind, clicks].mean()), 3) for run in own] for clicks in SHOWN]
            results["of_seeds"].setdefault(name, {})[kind] = dict(zip(map(str, SHOWN), means, strict=True))
    pairs = [
        ("seven kinds", other)
        for other in dice
        if other not in ("seven kinds", "unsteady hand", "network of the package")
    ]
    for one, other in [*pairs, ("unsteady hand", "network of the package"), ("lungs and nodules", "region growing")]:
        for kind in MEASURED:
            if (one, kind) in by_patient and (other, kind) in by_patient:
                row = results["differences"].setdefault(f"{one} minus {other}", {}).setdefault(kind, {})
                for clicks in SHOWN[1:]:
                    row[str(clicks)] = with_interval((by_patient[one, kind] - by_patient[other, kind])[:, clicks])
    scores = {f"{name}: {kind}": dice[name][kinds == kind].round(3).astype(np.float32) for name, kind in by_patient}
    return results, scores


def with_interval(values):
    """Mean over patients, with its 95 % interval, and how many patients."""
    from unet_helpers import bootstrap_interval

    low, high = bootstrap_interval(values)
    return {"mean": round(float(values.mean()), 3), "low": round(low, 3), "high": round(high, 3)}


if __name__ == "__main__":
    main()
