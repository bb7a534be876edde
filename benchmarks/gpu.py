"""What a GPU changes: steps, memory, input and time to Dice, in under five minutes: ``python benchmarks/gpu.py``.

On Keras's JAX or PyTorch backend (``--backend``), for the series' network and for the 31 million weights of the paper's
width. Every job runs in a process of its own, the most telling first, and none is begun that may not end within
``--seconds``. Only Keras, the backend, NumPy and this package are needed; TensorFlow may be missing. On a machine
without a network or a checkout:

    python benchmarks/gpu.py --patients patients.npz --make-patients     here, once
    python benchmarks/gpu.py --patients patients.npz --output gpu.json   there
    python benchmarks/gpu.py --record gpu.json                           here: into book/results

``--dry`` is a rehearsal on any processor, with tiny networks and pictures: it shows that all of it runs.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve()
NETWORKS = {"default": 16, "paper": 64}  # base filters
BATCHES = (1, 4, 16, 64, 256)
DTYPES = ("float32", "mixed_bfloat16")
GOALS = {"lung": (1, 0.95), "nodule": (2, 0.5)}
#: part, network, dtype, seconds it may take at most
JOBS = [
    ("dice", "default", "float32", 50),
    ("steps", "default", "float32", 30),
    ("steps", "paper", "mixed_bfloat16", 40),
    ("steps", "default", "mixed_bfloat16", 30),
    ("steps", "paper", "float32", 40),
    ("without_compiler", "default", "float32", 30),
    ("input", "default", "float32", 30),
    ("dice", "paper", "mixed_bfloat16", 50),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="jax", choices=["jax", "torch", "tensorflow"])
    parser.add_argument("--patients", type=Path, help="file of patients for the time to Dice; else they are made")
    parser.add_argument("--make-patients", action="store_true", help="write that file, and end")
    parser.add_argument("--seconds", type=float, default=290, help="no job is begun that could end later")
    parser.add_argument("--output", type=Path, help="write what was measured here")
    parser.add_argument("--record", type=Path, help="put what was measured elsewhere into the book's results")
    parser.add_argument("--dry", action="store_true", help="a rehearsal with tiny networks")
    parser.add_argument("--job", help=argparse.SUPPRESS)  # in the process of its own
    arguments = parser.parse_args()
    if arguments.record:
        return record(json.loads(arguments.record.read_text(encoding="utf-8")))
    if arguments.make_patients:
        return np.savez_compressed(arguments.patients, **make_patients())
    if arguments.job:
        part, network, dtype = arguments.job.split(",")
        return print(json.dumps(PARTS[part](Settings(network, dtype, arguments.dry, arguments.patients))))
    measured = run_jobs(arguments)
    text = json.dumps(measured, indent=1)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")
    print(text)
    return None


def run_jobs(arguments):
    """Every job that fits into the time, each in its process; what failed says how."""
    began, rows = time.perf_counter(), []
    for part, network, dtype, most in JOBS:
        if not arguments.dry and time.perf_counter() - began + most > arguments.seconds:
            rows.append({"part": part, "network": network, "dtype": dtype, "failed": "no time was left"})
            continue
        command = [sys.executable, str(HERE), "--job", f"{part},{network},{dtype}"]
        command += ["--dry"] * arguments.dry + (["--patients", str(arguments.patients)] if arguments.patients else [])
        started, row = time.perf_counter(), {"part": part, "network": network, "dtype": dtype}
        environment = os.environ | {"KERAS_BACKEND": arguments.backend}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=None if arguments.dry else most
            )
            row |= json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"failed": done.stderr[-600:]}
        except subprocess.TimeoutExpired:
            row["failed"] = f"stopped after {most} s"
        rows.append(row | {"seconds": round(time.perf_counter() - started, 1)})
        print(rows[-1], file=sys.stderr, flush=True)
    return {"backend": arguments.backend, "seconds": round(time.perf_counter() - began, 1), "jobs": rows}


class Settings:
    """What one job works with: sizes, a network, its data."""

    def __init__(self, network, dtype, dry=False, patients=None):
        self.filters = 2 if dry else NETWORKS[network]
        self.depth, self.size = (2, 32) if dry else (4, 128)
        self.batches = (1, 2) if dry else BATCHES
        self.dtype, self.dry, self.patients = dtype, dry, patients
        self.seconds = 0.1 if dry else 1.0

    def build(self, jit=True):
        """The network, compiled, with its weights set from a seed."""
        _do_without_tensorflow()
        import keras

        from unet_helpers.models import UNet
        from unet_helpers.training.losses import DiceCrossEntropy

        keras.utils.set_random_seed(0)
        keras.mixed_precision.set_global_policy(self.dtype)
        shape = (self.size, self.size, 1)
        model = UNet(shape, num_classes=3, base_filters=self.filters, depth=self.depth)
        model.compile(keras.optimizers.Adam(1e-3), DiceCrossEntropy(), jit_compile=jit)
        return model

    def random_batch(self, batch):
        random = np.random.default_rng(0)
        images = random.random((batch, self.size, self.size, 1), np.float32)
        return images, np.eye(3, dtype=np.float32)[random.integers(0, 3, images.shape[:3])]


def _do_without_tensorflow():
    """Where it is missing: networks and losses need none of it, so pass by the files that open their folders."""
    if importlib.util.find_spec("tensorflow") is None:
        for name in ("unet_helpers", *(f"unet_helpers.{part}" for part in ("training", "data", "evaluation"))):
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__path__ = [str(HERE.parents[1].joinpath(*name.split(".")))]


def time_steps(settings, jit=True, batches=None):
    """Milliseconds, images a second and peak memory of a training step, for each batch size until memory is over."""
    import keras

    model, rows = settings.build(jit), []
    for batch in batches or settings.batches:  # upward, so that the peak so far is this batch's
        pair = [keras.ops.convert_to_tensor(array) for array in settings.random_batch(batch)]
        try:
            step = _seconds_a_step(model, _endless(lambda pair=pair: pair), settings.seconds)
        except Exception as error:
            if not any(word in str(error).lower() for word in ("out of memory", "resource_exhausted", "oom")):
                raise
            rows.append({"batch": batch, "failed": "out of memory"})
            break
        peak = peak_memory()
        rows.append({"batch": batch, "ms": 1e3 * step, "images_a_second": batch / step, "peak_gb": peak / 1e9})
    return {"parameters": model.count_params(), "device": device_name(), "rows": rows}


def time_without_compiler(settings):
    """One batch size, each operation by itself."""
    return time_steps(settings, jit=False, batches=settings.batches[-3:-2] or settings.batches[:1])


def time_input(settings):
    """A step on one batch that lies on the device, on batches from arrays, and on batches turned by Python."""
    import keras

    batch = settings.batches[-2]
    images, targets = settings.random_batch(batch)
    there = [keras.ops.convert_to_tensor(array) for array in (images, targets)]
    ways = {
        "on the device": lambda: there,
        "from arrays": lambda: (images.copy(), targets.copy()),
        "turned in Python": lambda: (np.rot90(images, 1, (1, 2)).copy(), np.rot90(targets, 1, (1, 2)).copy()),
    }
    model = settings.build()
    rows = {name: 1e3 * _seconds_a_step(model, _endless(make), settings.seconds) for name, make in ways.items()}
    return {"batch": batch, "device": device_name(), "ms": rows}


def time_to_dice(settings):
    """Seconds of training, compiling included, until lung and nodule reach their goals on unseen patients."""
    data = np.load(settings.patients) if settings.patients else make_patients(settings)
    images, masks = data["images"] / np.float32(255), data["masks"]
    new, truth = data["new_images"] / np.float32(255), data["new_masks"]
    if settings.dry:
        images, masks, new, truth = (
            array[:4, : settings.size, : settings.size] for array in (images, masks, new, truth)
        )
    began, trained, reached, scores = time.perf_counter(), 0.0, {}, []
    model = settings.build()
    model.optimizer.learning_rate = 1e-2 if settings.filters < 64 else 1e-3
    targets = np.eye(3, dtype=np.float32)[masks]
    trained += time.perf_counter() - began
    while not scores or (len(reached) < len(GOALS) and trained < (0.5 if settings.dry else 35)):
        began = time.perf_counter()
        model.fit(images, targets, batch_size=16, epochs=1, verbose=0)
        trained += time.perf_counter() - began
        found = np.concatenate([np.asarray(model.predict_on_batch(part)) for part in _parts(new)]).argmax(axis=-1)
        dice = {name: _dice(truth == index, found == index) for name, (index, _) in GOALS.items()}
        scores.append({"seconds": trained, **dice})
        reached |= {n: trained for n, (_, goal) in GOALS.items() if dice[n] >= goal and n not in reached}
    return {"device": device_name(), "reached": reached, "scores": scores}


PARTS = {"steps": time_steps, "without_compiler": time_without_compiler, "input": time_input, "dice": time_to_dice}


def _endless(make):
    while True:
        yield tuple(make())


def _seconds_a_step(model, batches, seconds):
    """Seconds of a step, after three that compile and warm up; the end of ``fit`` waits for the device."""
    model.fit(batches, steps_per_epoch=3, epochs=1, verbose=0)
    steps = 4
    while True:
        began = time.perf_counter()
        model.fit(batches, steps_per_epoch=steps, epochs=1, verbose=0)
        taken = time.perf_counter() - began
        if taken >= seconds or steps >= 4096:
            return taken / steps
        steps *= 4


def _parts(images, size=64):
    """Batches of one size, so that one program is compiled, and a last one of what is left."""
    for start in range(0, len(images), size):
        yield images[start : start + size]


def _dice(truth, found):
    total = truth.sum() + found.sum()
    return 2 * float((truth & found).sum()) / float(total) if total else float("nan")


def peak_memory():
    """Bytes that the device held at most so far; on a processor, those of this process."""
    import keras

    if keras.backend.backend() == "torch":
        import torch

        if torch.cuda.is_available():
            return torch.cuda.max_memory_allocated()
    if keras.backend.backend() == "jax":
        import jax

        if stats := jax.devices()[0].memory_stats():
            return stats["peak_bytes_in_use"]
    import resource

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def device_name():
    """The device that the backend computes on, in its own words."""
    import keras

    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "processor"
    if keras.backend.backend() == "jax":
        import jax

        return jax.devices()[0].device_kind
    import tensorflow as tf

    return (tf.config.list_physical_devices("GPU") or [types.SimpleNamespace(name="processor")])[0].name


def make_patients(settings=None):
    """Slices of 48 patients to train on and of 8 new ones, as bytes; none are kept back for a rehearsal."""
    if settings and settings.dry:
        images = np.random.default_rng(0).integers(0, 256, (8, settings.size, settings.size, 1), np.uint8)
        masks = (images[..., 0] > 200).astype(np.uint8)
        return {"images": images, "masks": masks, "new_images": images, "new_masks": masks}
    from unet_helpers import load_dataset

    data = load_dataset("phantom")
    parts = {"": data.train, "new_": data.validation}
    arrays = {f"{name}images": np.round(255 * part.images).astype(np.uint8) for name, part in parts.items()}
    return arrays | {f"{name}masks": part.masks for name, part in parts.items()}


def record(measured):
    from record import write_results

    devices = {row["device"] for row in measured["jobs"] if "device" in row}
    if any("cpu" in device.lower() or device == "processor" for device in devices) or not devices:
        sys.exit(f"measured on {devices or 'no device'}: this file is for GPUs, and 04 shows it as one")
    print(write_results("gpu", "What a GPU changes for the series' network and the paper's", measured))


if __name__ == "__main__":
    main()
