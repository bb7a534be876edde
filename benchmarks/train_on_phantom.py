"""Train a lung network on synthetic patients alone, for real slices of unknown display window.

``python benchmarks/train_on_phantom.py`` makes the patients (or reads them from the cache), trains within 15 minutes
on two cores, and saves ``benchmarks/out/phantom_unet.keras``: ``(N, H, W, 1)`` in 0–1 from
``unet_helpers.prepare_display_slice`` in, ``(N, H, W, 1)`` probabilities of lung out, H and W multiples of 16. Dice on
phantom test patients, overall and by difficulty, goes to ``book/results/phantom_to_display.json``.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

SIZE = 256
GAMMAS = (0.8, 1.0, 1.25)  # a slice is shown to the network three times, darker and brighter
OUT = Path(__file__).resolve().parent / "out"


def main():
    arguments = parse_arguments()
    began = time.perf_counter()
    # imported here, because the processes that make the patients import this file too
    import keras
    from display_network import for_any_size
    from record import write_results

    from unet_helpers import load_dataset

    data = load_dataset(
        "phantom",
        variety="archive",
        size=SIZE,
        patients=arguments.patients,
        slices=arguments.slices,
        window=None,
        workers=2,
        fractions=(0.86, 0.04, 0.10),
    )
    print(data, f"\n{time.perf_counter() - began:.0f} s for the patients", flush=True)

    keras.utils.set_random_seed(arguments.seed)
    network = build_half_size_unet(SIZE, arguments.base_filters, arguments.depth)
    seconds = fit(network, data, arguments, deadline=began + 60 * arguments.minutes)
    model = for_any_size(network, gammas=GAMMAS)
    OUT.mkdir(exist_ok=True)
    model.save(OUT / arguments.name)
    total = time.perf_counter() - began

    results = {"seconds": round(total), "training_seconds": round(seconds), **score(model, data, arguments)}
    for name, value in results.items():
        print(f"{name}: {value}")
    if arguments.record:
        write_results("phantom_to_display", "Lungs of phantom patients in random display windows", results)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=180)
    parser.add_argument("--slices", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=14.0, help="for all, patients included")
    parser.add_argument("--base-filters", type=int, default=16)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="phantom_unet.keras")
    parser.add_argument("--no-record", dest="record", action="store_false", help="leave book/results alone")
    return parser.parse_args()


def build_half_size_unet(size, base_filters, depth):
    """A U-Net that works at half the size, where it costs a quarter, and draws the border at the full size."""
    import keras
    from keras import layers

    from unet_helpers.models.blocks import conv_block, segmentation_head, upsample

    image = keras.Input((size, size, 1), name="image")
    x = layers.Conv2D(base_filters, 4, strides=2, padding="same", name="halve")(image)
    skips = []
    for level in range(depth):
        x = conv_block(x, base_filters * 2**level, name=f"down{level + 1}")
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = conv_block(x, base_filters * 2**depth, dropout=0.1, name="bottleneck")
    for level in reversed(range(depth)):
        x = upsample(x, base_filters * 2**level, name=f"up{level + 1}_upsample")
        x = conv_block(layers.Concatenate()([skips[level], x]), base_filters * 2**level, name=f"up{level + 1}")
    x = layers.Concatenate()([image, upsample(x, 8, name="double")])
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="border")(x)
    network = keras.Model(image, segmentation_head(x, 1), name="lung_unet")
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.98  # windows differ from batch to batch: average over many
    return network


def fit(network, data, arguments, deadline, batch_size=8):
    """Train until the deadline; the learning rate falls with the time that has passed, not with steps."""
    import keras
    import tensorflow as tf
    from display_network import make_display_augmenter

    from unet_helpers.training import DiceCrossEntropy, start_at_class_shares

    lung = (data.train.masks > 0).astype(np.uint8)
    start_at_class_shares(network, lung)
    network.compile(
        keras.optimizers.AdamW(arguments.learning_rate / 20, weight_decay=1e-4, clipnorm=1.0),
        # per slice, because slices are what is scored: a thin crescent counts as much as two whole lungs; lung weighs
        # twice, because a network that meets a strange picture errs towards drawing too little
        DiceCrossEntropy((1.0, 2.0), crossentropy_weight=2.0, pool_batch=False, squared=True, smooth=20.0),
    )
    hu = data.train.images.astype(np.int16)
    order = tf.data.Dataset.range(len(hu)).shuffle(len(hu), seed=arguments.seed).repeat().batch(batch_size)
    images, masks = tf.constant(hu), tf.constant(lung[..., np.newaxis])
    augment = make_display_augmenter(seed=arguments.seed)
    batches = order.map(lambda index: augment(tf.gather(images, index), tf.gather(masks, index))).prefetch(2)

    class Clock(keras.callbacks.Callback):
        """Warm up for 2 % of the time, then a half cosine; stops at the deadline."""

        def on_train_begin(self, logs=None):
            self.began, self.said = time.perf_counter(), 0.0

        def on_train_batch_begin(self, batch, logs=None):
            now = time.perf_counter()
            share = min((now - self.began) / (deadline - self.began), 1.0)
            rate = min(share / 0.02, 1.0) * 0.5 * (1 + np.cos(np.pi * share)) + 1e-3
            self.model.optimizer.learning_rate.assign(arguments.learning_rate * rate)

        def on_train_batch_end(self, batch, logs=None):
            now = time.perf_counter()
            if now - self.said > 30:
                self.said = now
                print(f"{now - self.began:5.0f} s, step {batch}, loss {logs['loss']:.3f}", flush=True)
            if now > deadline:
                self.model.stop_training = True

    clock = Clock()
    network.fit(batches, steps_per_epoch=10**6, epochs=1, callbacks=[clock], verbose=0, shuffle=False)
    return time.perf_counter() - clock.began


def score(model, data, arguments):
    """Dice per slice on the test patients, each slice in a random window; by difficulty and by level."""
    from unet_helpers.data import show_in_random_windows
    from unet_helpers.evaluation import dice
    from unet_helpers.phantom import make_patient

    test = data.test
    found = model.predict(show_in_random_windows(test.images, seed=1), verbose=0, batch_size=8)[..., 0] >= 0.5
    truth = test.masks > 0
    has = truth.any(axis=(1, 2))
    per_slice = np.array([dice(f, t) for f, t in zip(found, truth, strict=True)])
    np.savez(OUT / "phantom_test.npz", dice=per_slice, case_ids=test.case_ids)
    results = {
        "test_patients": len(test.patients),
        "slices_with_lung": int(has.sum()),
        "dice_mean": round(float(per_slice[has].mean()), 3),
        "dice_median": round(float(np.median(per_slice[has])), 3),
        "empty_slices": int((~has).sum()),
        "false_alarms": round(float(found[~has].any(axis=(1, 2)).mean()), 3),
    }
    area = truth.sum(axis=(1, 2)) / truth[0].size
    results["dice_small_lung"] = round(float(per_slice[has & (area < 0.03)].mean()), 3)
    difficulties = {}
    for patient_id in test.patients:
        index = int(patient_id[1:]) - 1
        patient = make_patient(0, index=index, size=SIZE, slices=arguments.slices, variety="archive")
        cases = np.flatnonzero(test.patient_ids == patient_id)
        for name, slices in patient.difficulties.items():
            difficulties.setdefault(name, []).extend(cases[list(slices)])
    results["by_difficulty"] = {
        name: [round(float(per_slice[cases][has[cases]].mean()), 3), int(has[cases].sum())]
        for name, cases in sorted(difficulties.items())
        if has[cases].any()
    }
    return results


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
