"""One worker of a training on several processes: Keras on JAX. :func:`unet_helpers.teaching.run_workers` starts it.

Every worker runs this file. It has the whole network and its share of the slices. Used in 14.
"""

import functools
import json
import os
import sys
import threading
import time
from pathlib import Path

import keras
import numpy as np


def train(folder, batch_size, epochs):
    """Train on this worker's share of every batch; gives the losses of all workers together, and seconds per epoch."""
    workers = int(os.environ["KERAS_DISTRIBUTION_NUM_PROCESSES"])
    rank = int(os.environ["KERAS_DISTRIBUTION_PROCESS_ID"])
    if workers > 1:
        keras.distribution.initialize()  # meet the others
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))

    model = load_model(folder)
    images, targets = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("images", "targets"))
    clock = Clock()
    history = model.fit(
        images[rank::workers],  # every n-th slice, from the rank-th on; only these are read
        targets[rank::workers],
        batch_size=batch_size // workers,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[clock],
    )
    return model, {"loss": history.history["loss"], "seconds": clock.seconds, "slices": len(images[rank::workers])}


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.began)


def load_model(folder):
    """The network of :func:`unet_helpers.teaching.write_job`: its weights, its optimizer, its loss."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    model = keras.models.model_from_json(json.dumps(job["model"]))
    with np.load(folder / "start.npz") as weights:
        model.set_weights([weights[str(k)] for k in range(len(weights.files))])
    loss = job["loss"]
    if isinstance(loss, dict):
        if str(loss.get("registered_name")).startswith("unet_helpers>"):
            import unet_helpers  # noqa: F401  registers the losses of this series; takes seconds, as it loads TensorFlow

        loss = keras.saving.deserialize_keras_object(loss)
    model.compile(optimizer=keras.optimizers.deserialize(job["optimizer"]), loss=loss)
    return model


def stay_on_this_machine():
    """Let workers that meet at the loopback address exchange gradients there too, and need no network.

    By default gloo, which does it for JAX on processors, looks up the address of this machine's name.
    """
    from jax._src.lib import _jax  # JAX has no public option for it

    _jax.make_gloo_tcp_collectives = functools.partial(_jax.make_gloo_tcp_collectives, hostname="127.0.0.1")


def leave_with_the_launcher():
    """End this worker when the program that started it is gone: one that was killed cannot end its workers."""
    launcher = os.getppid()

    def watch():
        while os.getppid() == launcher:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(folder, batch_size, epochs):
    leave_with_the_launcher()
    folder = Path(folder)
    if os.environ["KERAS_DISTRIBUTION_JOB_ADDRESSES"].startswith("127.0.0.1:"):
        stay_on_this_machine()
    model, result = train(folder, int(batch_size), int(epochs))
    weights = {str(k): value for k, value in enumerate(model.get_weights())}
    if os.environ["KERAS_DISTRIBUTION_PROCESS_ID"] == "0":
        np.savez(folder / "end.npz", **weights)
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
