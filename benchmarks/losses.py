"""What a U-Net learns about nodules: ten settings of loss and batches, three of regularization, five learning rates.

``python benchmarks/losses.py [SEEDS]`` trains small U-Nets on the crops of notebook 07 (64×64 pixels, nodule or not,
about one pixel in a thousand) for the same number of steps, and measures them on patients that neither training nor the
choice of the budget has seen. Three seeds, one for the learning rates. Stored are the Dice of each seed and patient,
false objects per slice, and intervals for which seeds and patients are drawn, of the differences too. Writes
``book/results/losses.json``.
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
NODULE_SHARE = 0.5  # of the crops of a batch, in the row that draws them


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
    losses["half with nodule"] = repeat("half with nodule", make_losses()["cross-entropy"], share=NODULE_SHARE)
    losses["Dice + boundary"] = repeat("Dice + boundary", dice_boundary, targets=signed_depth(data.train.masks))
    add_gains(losses, "cross-entropy")
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
    add_gains(regularized, "nothing")
    results = {
        "epochs": EPOCHS,
        "learning_rate": LEARNING_RATE,
        "training_patients": len(data.train.patients),
        "training_crops": len(data.train),
        "held_out_patients": len(held_out.patients),
        "training_crops_with_nodule": int(data.train.masks.any(axis=(1, 2)).sum()),
        "held_out_with_nodule": held_out_with_nodule(held_out),
        "nodule_share": round(float(data.train.masks.mean()), 5),
        "losses": losses,
        "small_patients": SMALL_PATIENTS,
        "small_epochs": SMALL_EPOCHS,
        "regularization": regularized,
        "learning_rates": dict(sorted(rates.items(), key=lambda item: float(item[0]))),
        "seconds": round(time.perf_counter() - began),
    }
    what = "Nodules under ten settings of loss and batches, with regularization, and with five learning rates"
    path = write_results("losses", what, results, seed=list(seeds))
    print(f"written: {path.name}, {results['seconds']} s")


def held_out_with_nodule(subset):
    """The patients whose Dice counts, in the order of the stored tables."""
    return sorted(set(subset.patient_ids[subset.masks.any(axis=(1, 2))].tolist()))


def signed_depth(masks):
    """How many pixels a pixel lies inside the object (above 0) or outside of it (below), ``(N, H, W, 1)`` float32.

    All 0 where there is no object: the boundary has no say there, as in the code of Kervadec and others.
    """
    from scipy.ndimage import distance_transform_edt

    depth = np.zeros(masks.shape, np.float32)
    for one, mask in zip(depth, masks, strict=True):
        if mask.any():
            one[:] = distance_transform_edt(mask) - distance_transform_edt(1 - mask)
    return depth[..., None]


def dice_boundary(depth, probabilities):
    """Dice loss plus the boundary loss (Kervadec et al. 2019), which takes the signed depth in place of the mask."""
    from keras import ops

    from unet_helpers.training import DiceLoss

    truth = ops.cast(depth > 0, probabilities.dtype)
    return DiceLoss()(truth, probabilities) - ops.mean(depth * probabilities)


def pick_crops(masks, count, share, seed):
    """Indices of ``count`` crops drawn at random, ``share`` of them from those that hold a nodule."""
    random = np.random.default_rng(seed)
    with_nodule = np.flatnonzero(masks.any(axis=(1, 2)))
    anywhere = random.integers(len(masks), size=count)
    return np.where(random.random(count) < share, random.choice(with_nodule, count), anywhere)


def first_patients(data, count):
    """The data with the first ``count`` training patients who have a nodule."""
    train = data.train
    have = [patient for patient in train.patients if train.of_patient(patient).masks.any()]
    return replace(data, train=train[np.isin(train.patient_ids, have[:count])])


def measure(
    data,
    held_out,
    loss,
    seeds,
    *,
    epochs=EPOCHS,
    learning_rate=LEARNING_RATE,
    dropout=0.1,
    l2=0.0,
    start=True,
    targets=None,
    share=None,
):
    """Train a network with each seed; what each does on the held-out patients, and its curve.

    ``targets`` are the masks unless given. With a ``share``, so many of the crops of a batch are drawn from those that
    hold a nodule, in as many steps. The seeds share one compiled network, whose weights and optimizer are set back: to
    compile takes as long as to train for four epochs.
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
        images, wanted = data.train.images, make_targets(data.train.masks, 1) if targets is None else targets
        if share is None:
            batches = make_batches(images, wanted, BATCH_SIZE, seed=seed)
        else:
            drawn = pick_crops(data.train.masks, epochs * steps * BATCH_SIZE, share, seed)
            batches = make_batches(images[drawn], wanted[drawn], BATCH_SIZE, shuffle=False)
        every = None if share is None else steps
        history = network.fit(batches, epochs=epochs, steps_per_epoch=every, verbose=0, shuffle=False).history
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
    at_chosen = scores(probabilities, held_out, chosen)
    return {
        **scores(probabilities, held_out, 0.5),
        "chosen_threshold": chosen,
        **{f"{key}_at_chosen": at_chosen[key] for key in ("dice", "found", "false_objects")},
        "crossentropy": crossentropy(probabilities, held_out.masks),
    }


def scores(probabilities, subset, threshold):
    """Dice of each patient with a nodule; recall and precision over all pixels; objects found, and false per slice.

    A slice is two crops.
    """
    from unet_helpers.evaluation import confusion_counts, detect_objects, dice_by_patient

    predictions = (probabilities >= threshold).astype(np.uint8)
    by_patient = dice_by_patient(predictions, subset, 1)
    counts = confusion_counts(subset.masks, predictions)
    objects = sum(detect_objects(*pair) for pair in zip(subset.masks, predictions, strict=True))
    return {
        "dice": by_patient[np.isfinite(by_patient)],
        "recall": counts.recall,
        "precision": counts.precision,
        "accuracy": float((predictions == subset.masks).mean()),
        "found": objects.sensitivity,
        "false_objects": 2 * objects.false_per_case,
    }


def best_threshold(probabilities, subset):
    """The probability of a grid at which the Dice per patient is best."""
    from unet_helpers.evaluation import dice_by_patient

    grid = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    return max(grid, key=lambda threshold: np.nanmean(dice_by_patient(probabilities >= threshold, subset, 1)))


def crossentropy(probabilities, truth):
    """Plain cross-entropy per pixel, the same for every network."""
    given = np.where(truth > 0, probabilities, 1 - probabilities)
    return float(-np.log(np.clip(given, 1e-7, 1)).mean())


def summarize(runs):
    """Dice of each seed and patient, their mean with its interval, and the other quantities of each seed."""
    from unet_helpers.evaluation import interval_of_mean

    row = {}
    for key in ("dice", "dice_at_chosen"):
        table = np.array([run[key] for run in runs])
        low, high = interval_of_mean(table)
        row |= {key: table.mean(), f"{key}_low": low, f"{key}_high": high}
        row |= {f"{key}_seeds": table.mean(axis=1).tolist(), f"{key}_by_seed": table.tolist()}
    others = ("recall", "precision", "crossentropy", "accuracy", "chosen_threshold")
    for key in (*others, "found", "found_at_chosen", "false_objects", "false_objects_at_chosen"):
        row[f"{key}_seeds"] = [run[key] for run in runs]
    row["training_dice_seeds"] = [run["training_curve"][-1] for run in runs]
    row["training_curve"] = np.mean([run["training_curve"] for run in runs], axis=0).tolist()
    digits = {"crossentropy_seeds": 5, "accuracy_seeds": 5}
    return {key: _rounded(value, digits.get(key, 3)) for key, value in row.items()}


def add_gains(rows, reference):
    """Give each row its difference in Dice to the reference, on the same patients, with its interval."""
    from unet_helpers.evaluation import interval_of_difference

    for name, row in rows.items():
        for key in ("dice", "dice_at_chosen"):
            runs, others = row[f"{key}_by_seed"], rows[reference][f"{key}_by_seed"]
            if name != reference:
                gains = np.mean(runs, axis=1) - np.mean(others)
                low, high = interval_of_difference(runs, others)
                gain = {"gain": gains.mean(), "gain_low": low, "gain_high": high, "gain_seeds": gains.tolist()}
                row |= {f"{key}_{what}": _rounded(value, 3) for what, value in gain.items()}


def _rounded(value, digits):
    if isinstance(value, list):
        return [_rounded(one, digits) for one in value]
    return None if np.isnan(value) else round(float(value), digits)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
