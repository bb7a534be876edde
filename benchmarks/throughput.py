"""How fast one training step is: Keras against PyTorch with the same network, and against what the device can do.

``python benchmarks/throughput.py --torch-python its/bin/python`` times training steps of a U-Net (base 16, depth 4,
128², batch 16, float32) in turns, one round of each framework after the other, so that both see the same moments of
the machine. The peak is the fastest convolution of the sizes that the network uses, measured in the same run. Writes
``book/results/throughput.json``.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SETTING = {"size": 128, "batch_size": 16, "base_filters": 16, "depth": 4}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", help="Python of an environment with torch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8, help="timed steps in each round")
    parser.add_argument("--round", action="store_true", help=argparse.SUPPRESS)  # in a process of its own
    arguments = parser.parse_args()
    if arguments.round:
        print(json.dumps(keras_round(arguments.steps)))
        return

    from record import write_results

    commands = {"Keras": [sys.executable, str(HERE / "throughput.py"), "--round"]}
    if arguments.torch_python:
        commands["PyTorch"] = [arguments.torch_python, str(HERE / "peer_torch_unet.py")]
    rounds = {name: [] for name in commands}
    for _ in range(arguments.rounds):
        for name, command in commands.items():
            command = [*command, "--steps", str(arguments.steps)]
            text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            rounds[name].append(json.loads(text.splitlines()[-1]))
            print(name, rounds[name][-1], flush=True)
    print(results := summarize(rounds))
    write_results("throughput", "One training step of the same U-Net in two frameworks", results, data="none")


def summarize(rounds):
    """The fastest step of each framework, their ratio, and the share of the convolution peak."""
    best = {name: min(round_["step"] for round_ in own) for name, own in rounds.items()}
    peak = max(round_["peak"] for round_ in rounds["Keras"])
    work = training_flops(**SETTING)
    results = {**SETTING, "gflop_per_step": round(work / 1e9, 1), "peak_gflops": round(peak / 1e9, 1)}
    for name, step in best.items():
        results[f"{name.lower()}_step"] = round(step, 3)
        results[f"{name.lower()}_images_per_second"] = round(SETTING["batch_size"] / step, 1)
        results[f"{name.lower()}_share_of_peak"] = round(work / step / peak, 3)
        results[f"{name.lower()}_parameters"] = rounds[name][0]["parameters"]
    if "PyTorch" in best:
        results["pytorch_over_keras"] = round(best["PyTorch"] / best["Keras"], 2)
    return results


def training_flops(size, batch_size, base_filters, depth):
    """Floating-point operations of the convolutions of a step: forward, and twice that for the gradients."""
    widths = [base_filters * 2**level for level in range(depth + 1)]
    total, inside = 0, 1
    for level, width in enumerate(widths):
        total += (size // 2**level) ** 2 * 9 * (inside * width + width * width)
        inside = width
    for level in reversed(range(depth)):
        width = widths[level]
        pixels = (size // 2**level) ** 2
        total += pixels * (2 * width * width)  # the transposed convolution: each output pixel takes one tap
        total += pixels * 9 * (2 * width * width + width * width)
    total += size**2 * base_filters * 3
    return 3 * 2 * total * batch_size


def keras_round(steps):
    """Fastest training step in seconds, and the convolution peak in operations per second."""
    from unet_helpers import UNet
    from unet_helpers.training import compile_model

    size, batch_size = SETTING["size"], SETTING["batch_size"]
    options = {"base_filters": SETTING["base_filters"], "depth": SETTING["depth"]}
    network = compile_model(UNet((size, size, 1), 3, dropout=0, **options), loss="categorical_crossentropy")
    network.compile(network.optimizer, network.loss)  # no metrics: the other side has none
    rng = np.random.default_rng(0)
    images = rng.random((batch_size, size, size, 1), np.float32)
    targets = np.eye(3, dtype=np.float32)[rng.integers(3, size=(batch_size, size, size))]
    seconds = []
    for _ in range(steps + 2):
        began = time.perf_counter()
        network.train_on_batch(images, targets)
        seconds.append(time.perf_counter() - began)
    parameters = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    return {"step": min(seconds[2:]), "parameters": parameters, "peak": convolution_peak()}


def convolution_peak(repeats=8):
    """Fastest 3×3 convolution over the sizes of the network, forward, in operations per second."""
    import tensorflow as tf

    peak = 0.0
    for level in range(SETTING["depth"] + 1):
        width, side = SETTING["base_filters"] * 2**level, SETTING["size"] // 2**level
        x = tf.random.normal((SETTING["batch_size"], side, side, width))
        kernel = tf.random.normal((3, 3, width, width))
        convolve = tf.function(lambda x, kernel: tf.nn.conv2d(x, kernel, 1, "SAME"))
        work = 2 * 9 * width * width * side * side * SETTING["batch_size"]
        for _ in range(repeats):
            began = time.perf_counter()
            convolve(x, kernel).numpy()
            peak = max(peak, work / (time.perf_counter() - began))
    return peak


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
