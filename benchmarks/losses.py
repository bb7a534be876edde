"""What a U-Net learns about nodules: eight settings of the loss, three of regularization, five learning rates.

``python benchmarks/losses.py [SEEDS]`` trains small U-Nets on the crops of notebook 07 (64×64 pixels, nodule or not,
about one pixel in a thousand) at one budget, and measures them on patients that neither training nor the choice of the
budget has seen. Three seeds, one for the learning rates. Dice per patient is averaged over the seeds, and intervals
are over patients. Writes ``book/results/losses.json`` and takes about seven minutes on two free cores.
"""

import os
import sys
import time
from dataclasses import replace

import numpy as np

EPOCHS, LEARNING_RATE, BATCH_SIZE, MODEL = 6, 3e-3, 16, {"base_filters": 8, "depth": 3}
SMALL_PATIENTS, SMALL_EPOCHS = 6, 25
HELD_OUT = range(48, 72)
LEARNING_RATES = (3e-5, 3e-4, 3e-2, 3e-1)


def make_losses():
    """The losses that are compared, by the names that notebook 07 shows."""
    from unet_helpers.training import DiceCrossEntropy, DiceLoss, FocalCrossEntropy, TverskyLoss

    return {
        "cross-entropy": FocalCrossEntropy(gamma=0),
        "weighted": FocalCrossEntropy(gamma=0, class_weights=(1, 10)),
        "focal": FocalCrossEntropy(gamma=2),
        "Dice": DiceLoss(),
        "Tversky": TverskyLoss(alpha=0.2, beta=0.8),
        "Dice + cross-entropy": DiceCrossEntropy(),
        "Dice + weighted": DiceCrossEntropy(class_weights=(1, 10)),
    }


def main():
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    from record import write_results

    from unet_helpers import load_dataset
    from unet_helpers.data import nodule_crops, nodule_task, subset_of_patients
    from unet_helpers.phantom import make_patient
    from unet_helpers.training import DiceCrossEntropy

    began = time.perf_counter()
    data = nodule_task(load_dataset("phantom"))
    held_out = nodule_crops(subset_of_patients([make_patient(0, index=index) for index in HELD_OUT]))
    print(f"{len(held_out.patients)} patients held out, {time.perf_counter() - began:.0f} s", flush=True)
    best = DiceCrossEntropy(class_weights=(1, 10))

    def repeat(name, loss, data=data, seeds=seeds, **options):
        runs = measure(data, held_out, loss, seeds, **options)
        row = summarize(runs)
        print(f"{name:<24}", {key: value for key, value in row.items() if "curve" not in key}, flush=True)
        return row

    losses = {"cross-entropy, start 1/2": repeat("start 1/2", make_losses()["cross-entropy"], start=False)}
    losses |= {name: repeat(name, loss) for name, loss in make_losses().items()}
    small = first_patients(data, SMALL_PATIENTS)
    regularization = {
        "nothing": {"dropout": 0.0},
        "dropout 0.3": {"dropout": 0.3},
        "L2 0.001": {"dropout": 0.0, "l2": 1e-3},
    }
    regularized = {
        name: repeat(name, best, small, epochs=SMALL_EPOCHS, **options) for name, options in regularization.items()
    }
    rates = {
        f"{rate:g}": repeat(f"rate {rate:g}", best, seeds=seeds[:1], learning_rate=rate) for rate in LEARNING_RATES
    }
    rates[f"{LEARNING_RATE:g}"] = losses["Dice + weighted"]
    results = {
        "epochs": EPOCHS,
        "learning_rate": LEARNING_RATE,
        "training_patients": len(data.train.patients),
        "training_crops": len(data.train),
        "held_out_patients": len(held_out.patients),
        "nodule_share": round(float(data.train.masks.mean()), 5),
        "losses": losses,
        "small_patients": SMALL_PATIENTS,
        "small_epochs": SMALL_EPOCHS,
        "regularization": regularized,
        "learning_rates": dict(sorted(rates.items(), key=lambda item: float(item[0]))),
        "seconds": round(time.perf_counter() - began),
    }
    what = "Nodules under eight settings of the loss, with regularization, and with five learning rates"
    path = write_results("losses", what, results, seed=list(seeds))
    print(f"written: {path.name}, {results['seconds']} s")


def first_patients(data, count):
    """The data with the first ``count`` training patients who have a nodule."""
    train = data.train
    have = [patient for patient in train.patients if train.of_patient(patient).masks.any()]
    return replace(data, train=train[np.isin(train.patient_ids, have[:count])])


def measure(
    data, held_out, loss, seeds, *, epochs=EPOCHS, learning_rate=LEARNING_RATE, dropout=0.1, l2=0.0, start=True
):
    """Train a network with each seed; what each does on the held-out patients, and its curve.

    The seeds share one compiled network, whose weights and optimizer are set back: to compile takes as long as to train
    for four epochs.
    """
    import keras

    from unet_helpers import make_batches, start_at_class_shares
    from unet_helpers.training import compile_model, make_targets

    keras.backend.clear_session()
    network = build(0, dropout)
    for variable in network.trainable_variables:
        if l2 and variable.name == "kernel":
            variable.regularizer = keras.regularizers.L2(l2)
    steps = -(-len(data.train) // BATCH_SIZE)
    compile_model(network, learning_rate, loss, schedule="cosine", steps_per_epoch=steps, epochs=epochs)
    network.optimizer.build(network.trainable_variables)
    runs = []
    for seed in seeds:
        network.set_weights(build(seed, dropout).get_weights())
        for variable in network.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        if start:
            start_at_class_shares(network, data.train.masks)
        batches = make_batches(data.train.images, make_targets(data.train.masks, 1), BATCH_SIZE, seed=seed)
        history = network.fit(batches, epochs=epochs, verbose=0, shuffle=False).history
        runs.append({"training_curve": history["dice"], **judge(network, data.validation, held_out)})
    return runs


def build(seed, dropout):
    """The network of all rows, untrained."""
    import keras

    from unet_helpers import UNet

    keras.utils.set_random_seed(seed)
    return UNet((64, 64, 1), 1, dropout=dropout, **MODEL)


def judge(network, validation, held_out):
    """Scores on the held-out patients, at 0.5 and at the threshold that is best on the validation patients."""
    from unet_helpers import predict_probabilities

    chosen = best_threshold(predict_probabilities(network, validation.images)[..., 0], validation)
    probabilities = predict_probabilities(network, held_out.images)[..., 0]
    return {
        **scores(probabilities, held_out, 0.5),
        "chosen_threshold": chosen,
        "dice_at_chosen": scores(probabilities, held_out, chosen)["dice"],
        "crossentropy": crossentropy(probabilities, held_out.masks),
    }


def scores(probabilities, subset, threshold):
    """Dice of each patient with a nodule (a Series), and recall and precision over all patients' pixels."""
    from unet_helpers import evaluate

    predictions = (probabilities >= threshold).astype(np.uint8)
    report = evaluate(None, subset, ("background", "nodule"), predictions=predictions)
    cases, counts = report.cases.set_index("patient"), report.pooled("nodule")
    return {
        "dice": cases.loc[cases["true_pixels"] > 0, "dice"],
        "recall": counts.recall,
        "precision": counts.precision,
        "accuracy": float((predictions == subset.masks).mean()),
    }


def best_threshold(probabilities, subset):
    """The probability of a grid at which the Dice per patient is best."""
    grid = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    return max(grid, key=lambda threshold: scores(probabilities, subset, threshold)["dice"].mean())


def crossentropy(probabilities, truth):
    """Plain cross-entropy per pixel, the same for every network."""
    given = np.where(truth > 0, probabilities, 1 - probabilities)
    return float(-np.log(np.clip(given, 1e-7, 1)).mean())


def summarize(runs):
    """Means over the seeds; Dice with its interval over patients, each of whom is the mean of the seeds."""
    from unet_helpers import bootstrap_interval

    row = {}
    for key in ("dice", "dice_at_chosen"):
        per_patient = sum(run[key] for run in runs) / len(runs)
        low, high = bootstrap_interval(per_patient)
        row |= {key: per_patient.mean(), f"{key}_low": low, f"{key}_high": high}
        row[f"{key}_seeds"] = [run[key].mean() for run in runs]
    for key in ("recall", "precision", "crossentropy", "accuracy", "chosen_threshold"):
        row[f"{key}_seeds"] = [run[key] for run in runs]
    row["training_dice_seeds"] = [run["training_curve"][-1] for run in runs]
    row["training_curve"] = np.mean([run["training_curve"] for run in runs], axis=0).tolist()
    digits = {"crossentropy_seeds": 5, "accuracy_seeds": 5}
    return {key: _rounded(value, digits.get(key, 3)) for key, value in row.items()}


def _rounded(value, digits):
    if isinstance(value, list):
        return [_rounded(one, digits) for one in value]
    return None if np.isnan(value) else round(float(value), digits)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
