"""Two workers against one: is the result the same, how fast is it, and what does adding up gradients cost?

``python benchmarks/scaling.py [PART ...]`` measures on this machine, all parts or those named:

- ``same``: losses and weights of trainings on two devices (``MirroredStrategy``) and on two processes (Keras on JAX)
  against one, with and without batch normalization, with a loss per pixel and with one over the batch;
- ``speed``: one process with one and two threads, two processes with one thread each, at equal and at double batch;
- ``all_reduce``: seconds to add up arrays of growing size between two processes;
- ``multi_worker``: what Keras 3 says to ``MultiWorkerMirroredStrategy``.

Into ``book/results/scaling.json``; about eight minutes on two cores.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np

BATCH, EPOCHS = 16, 4
# processes, threads of each, slices per batch of all processes together
SPEED = {
    "one process, one thread": (1, 1, 16),
    "one process, two threads": (1, 2, 16),
    "two processes": (2, 1, 16),
    "two processes, double batch": (2, 1, 32),
}
REPEATS, SPEED_SLICES, SPEED_EPOCHS = 2, 32, 7
SIZES = [2**k for k in range(12, 27, 2)]


def main():
    from record import write_results

    from unet_helpers.teaching import RESULTS, divide_processor

    divide_processor(2)
    parts = {part.__name__.removeprefix("measure_"): part for part in PARTS}
    path = RESULTS / "scaling.json"
    results = json.loads(path.read_text(encoding="utf-8"))["results"] if path.exists() else {}
    for name in sys.argv[1:] or parts:
        began = time.perf_counter()
        results[name] = parts[name]()
        print(f"{name}: {json.dumps(results[name], indent=1)}\n{time.perf_counter() - began:.0f} s", flush=True)
        write_results("scaling", "Trainings on two workers against one, and what an all-reduce costs", results)


def lungs(slices, size):
    """The first training slices of the phantom in patient order, with lung masks one-hot."""
    from unet_helpers import load_dataset, one_hot

    train = load_dataset("phantom").train
    images, masks = train.images[:slices], (train.masks[:slices] > 0).astype(np.uint8)
    step = images.shape[1] // size
    return np.ascontiguousarray(images[:, ::step, ::step]), one_hot(masks[:, ::step, ::step], 2)


def build(batch_norm, size=64, depth=2):
    import keras

    from unet_helpers import UNet

    keras.utils.set_random_seed(0)
    return UNet((size, size, 1), 2, base_filters=8, depth=depth, dropout=0, batch_norm=batch_norm)


def difference(weights, others):
    """Length of the difference, in lengths of the first."""
    total = sum(float(((a - b) ** 2).sum()) for a, b in zip(weights, others, strict=True))
    return (total / sum(float((a**2).sum()) for a in weights)) ** 0.5


def measure_same():
    import keras
    import tensorflow as tf

    from unet_helpers.teaching import train_in_processes, write_job
    from unet_helpers.training import DiceCrossEntropy

    def one_number(y_true, y_pred):
        return keras.ops.mean(keras.losses.categorical_crossentropy(y_true, y_pred))

    losses = {"crossentropy": "categorical_crossentropy", "dice_crossentropy": DiceCrossEntropy()}
    images, targets = lungs(64, 64)
    # one strategy for all: a second one in the same program trips over the collectives of the first
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

    def fit(batch_norm, loss, synchronized=False):
        network = build(batch_norm)
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = synchronized
        network.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss)
        options = {"batch_size": BATCH, "epochs": EPOCHS, "shuffle": False, "verbose": 0}
        return network.fit(images, targets, **options).history["loss"], network.get_weights()

    rows = {}
    for name, loss in losses.items():
        for batch_norm in (False, True):
            one, weights = fit(batch_norm, loss)
            with strategy.scope():
                two, mirrored = fit(batch_norm, loss)
            with tempfile.TemporaryDirectory() as folder:
                optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
                write_job(folder, build(batch_norm), images, targets, optimizer, loss)
                alone, both = (train_in_processes(folder, count, batch_size=BATCH, epochs=EPOCHS) for count in (1, 2))
            row = {
                "two_devices_loss": rounded(np.abs(np.subtract(one, two)).max()),
                "two_devices_weights": rounded(difference(weights, mirrored)),
                "two_processes_loss": rounded(np.abs(np.subtract(alone.loss, both.loss)).max()),
                "two_processes_weights": rounded(difference(alone.weights, both.weights)),
            }
            if batch_norm:
                with strategy.scope():
                    two, mirrored = fit(batch_norm, loss, synchronized=True)
                row["two_devices_synchronized_loss"] = rounded(np.abs(np.subtract(one, two)).max())
                row["two_devices_synchronized_weights"] = rounded(difference(weights, mirrored))
            rows[f"{name}, {'with' if batch_norm else 'without'} batch normalization"] = row
            print(rows, flush=True)
    one, weights = fit(False, one_number)
    with strategy.scope():
        two, mirrored = fit(False, one_number)
    rows["crossentropy returned as one number"] = {
        "two_devices_loss": rounded(np.abs(np.subtract(one, two)).max()),
        "two_devices_weights": rounded(difference(weights, mirrored)),
        "one_device_curve": [round(value, 3) for value in one],
        "two_devices_curve": [round(value, 3) for value in two],
    }
    return rows


def measure_speed():
    import keras

    from unet_helpers.teaching import train_in_processes, write_job

    images, targets = lungs(SPEED_SLICES, 128)
    seconds = {name: [] for name in SPEED}
    network = build(True, 128, 3)
    with tempfile.TemporaryDirectory() as folder:
        write_job(folder, network, images, targets, keras.optimizers.SGD(0.1, momentum=0.9))
        for _ in range(REPEATS):  # one after the other, so that a slow minute of the machine hits all alike
            for name, (processes, threads, batch) in SPEED.items():
                with on_cores(processes * threads):
                    run = train_in_processes(
                        folder, processes, threads=threads, batch_size=batch, epochs=SPEED_EPOCHS, timeout=300
                    )
                seconds[name].append(min(run.seconds[1:]) / (SPEED_SLICES // batch))
                print(name, seconds[name], flush=True)
    rows = {}
    for name, (processes, threads, batch) in SPEED.items():
        rows[name] = {"processes": processes, "threads": threads, "batch": batch}
        rows[name] |= {"step_seconds": rounded(min(seconds[name])), "slower_repeat": rounded(max(seconds[name]))}
    return rows | {"parameters": network.count_params(), "size": 128}


@contextlib.contextmanager
def on_cores(count):
    """So many cores for what is started within it (under Linux; elsewhere the number of threads has to do)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:count]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure_all_reduce():
    from unet_helpers.teaching import run_workers

    output = run_workers([sys.executable, __file__, "--all-reduce-worker"], 2)[0]
    seconds = json.loads(output.splitlines()[-1])
    latency, bandwidth = fit_line(SIZES, seconds)
    return {
        "bytes": SIZES,
        "seconds": [rounded(value) for value in seconds],
        # two workers send two messages in a row, each with half of the bytes
        "latency_seconds": rounded(latency / 2),
        "bandwidth_bytes_per_second": rounded(bandwidth),
    }


def all_reduce_worker():
    import jax
    from jax.sharding import NamedSharding, PartitionSpec

    names = ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")
    address, count, rank = (os.environ[f"KERAS_DISTRIBUTION_{name}"] for name in names)
    jax.distributed.initialize(address, int(count), int(rank))
    mesh = jax.make_mesh((jax.device_count(),), ("workers",))
    by_worker, everywhere = PartitionSpec("workers"), PartitionSpec()
    added = jax.jit(
        jax.shard_map(lambda x: jax.lax.psum(x, "workers"), mesh=mesh, in_specs=by_worker, out_specs=everywhere)
    )
    fastest = []
    for size in SIZES:
        own = np.ones((1, size // 4), np.float32)
        whole = jax.make_array_from_process_local_data(NamedSharding(mesh, by_worker), own)
        seconds = []
        for _ in range(30):
            began = time.perf_counter()
            added(whole).block_until_ready()
            seconds.append(time.perf_counter() - began)
        fastest.append(min(seconds[1:]))
    print(json.dumps(fastest))


def measure_multi_worker():
    with socket.socket() as a, socket.socket() as b:
        for holder in (a, b):
            holder.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{holder.getsockname()[1]}" for holder in (a, b)]
    workers = []
    for rank in range(2):
        cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
        environment = os.environ | {"TF_CONFIG": json.dumps(cluster)}
        command = [sys.executable, __file__, "--multi-worker"]
        workers.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
    try:
        return {"fit_says": workers[0].communicate(timeout=120)[0].decode().splitlines()[-1]}
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def multi_worker():
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    import keras

    with strategy.scope():
        network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        network.compile("sgd", "mse")
    try:
        network.fit(np.zeros((8, 4)), np.zeros((8, 1)), verbose=0)
        print("worked", flush=True)
    except ValueError as error:
        text = " ".join(str(error).split())
        start, end = text.split(":", 1)[0], text.split(")", 1)[-1]
        print(f"ValueError: {start} … {end[end.find('with an') :]}"[:160], flush=True)
    os._exit(0)  # the other worker is waiting for a goodbye that never comes


def rounded(value):
    """Three significant digits."""
    return float(f"{value:.3g}")


PARTS = (measure_same, measure_speed, measure_all_reduce, measure_multi_worker)


def fit_line(sizes, seconds):
    """Latency (s) and bandwidth (bytes/s) of ``seconds = latency + size / bandwidth``, by relative least squares.

    Raises
    ------
    ValueError
        If the times do not grow with the sizes.
    """
    sizes, seconds = np.asarray(sizes, dtype=float), np.asarray(seconds, dtype=float)
    design = np.stack([1 / seconds, sizes / seconds], axis=1)
    (latency, per_byte), *_ = np.linalg.lstsq(design, np.ones(len(seconds)), rcond=None)
    if per_byte <= 0:
        raise ValueError("the times do not grow with the sizes; measure larger ones")
    return max(float(latency), 0.0), float(1 / per_byte)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.argv[1:] == ["--all-reduce-worker"]:
        all_reduce_worker()
    elif sys.argv[1:] == ["--multi-worker"]:
        multi_worker()
    else:
        main()
