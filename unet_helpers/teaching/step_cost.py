"""What one training step costs on this device: ``python -m unet_helpers.teaching.step_cost`` prints the table.

Used in 04.
"""

import gc
import time

import keras
import numpy as np
import pandas as pd
import psutil

from ..models import UNet
from ..training.loop import compile_model

#: what each variant changes in the training step of the first row
VARIANTS = {
    "float32, batch 16": {},
    "batch 4": {"batch_size": 4},
    "batch 32": {"batch_size": 32},
    "mixed_bfloat16": {"policy": "mixed_bfloat16"},
    "XLA": {"jit_compile": True},
}
#: seconds for the steps of one variant, after which no other is begun
PATIENCE = 3.0
COLUMNS = ["first (s)", "step (s)", "images/s", "memory (GB)"]


def measure_step(*, base_filters=8, size=128, batch_size=16, policy="float32", jit_compile=False, steps=5):
    """Time training steps of a U-Net on noise: the values do not matter for the time.

    Parameters
    ----------
    base_filters, size, batch_size : int
    policy : str
        Keras's dtype policy, e.g. ``"mixed_bfloat16"``.
    jit_compile : bool
        Compile with XLA.
    steps : int
        Steps after the first, fewer where they take longer than :data:`PATIENCE` seconds together; the fastest is
        reported, because other programs can only make a step slower.

    Returns
    -------
    dict
        ``first (s)``, the first step with building the computation, ``step (s)``, ``images/s``, and
        ``memory (GB)``: of the process, or the peak on the first GPU if there is one.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = compile_model(UNet((size, size, 1), num_classes=3, base_filters=base_filters))
    finally:
        keras.config.set_dtype_policy(before)
    model.jit_compile = jit_compile
    random = np.random.default_rng(0)
    images = random.random((batch_size, size, size, 1), dtype=np.float32)
    targets = np.eye(3, dtype=np.float32)[random.integers(3, size=(batch_size, size, size))]
    seconds = []
    while len(seconds) < 2 or (len(seconds) <= steps and sum(seconds[1:]) < PATIENCE):
        began = time.perf_counter()
        model.train_on_batch(images, targets)
        seconds.append(time.perf_counter() - began)
    step = min(seconds[1:])
    memory = _memory_gb()
    del model
    gc.collect()
    return {
        "first (s)": seconds[0],
        "step (s)": step,
        "images/s": batch_size / step,
        "memory (GB)": memory,
    }


def measure_steps(variants=None, steps=5):
    """One row per variant of :data:`VARIANTS`, as a table; ``per image`` is the time for one image, first row = 1.

    A variant that this device does not have (bfloat16 needs AVX-512 on an Intel processor) stays in the table,
    without numbers.
    """
    import tensorflow as tf

    variants = VARIANTS if variants is None else variants
    rows = {}
    for name, options in variants.items():
        try:
            rows[name] = measure_step(steps=steps, **options)
        except (tf.errors.AbortedError, tf.errors.UnimplementedError):
            rows[f"{name} (not on this device)"] = {}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS)
    table["per image"] = table["images/s"].iloc[0] / table["images/s"]
    return table


def _memory_gb():
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e9
    return psutil.Process().memory_info().rss / 1e9


if __name__ == "__main__":
    print(measure_steps().round(2).to_string())
