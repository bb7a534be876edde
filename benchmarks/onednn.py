"""What TensorFlow's oneDNN kernels bring: one training step with them on and off, by turns, at three sizes.

``python benchmarks/onednn.py`` takes about six minutes. Each measurement is a process of its own, since TensorFlow
reads ``TF_ENABLE_ONEDNN_OPTS`` once. A third column shows oneDNN held to AVX2, as on a processor without AVX-512:
that is where TensorFlow leaves it off. Writes ``book/results/onednn.json``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

SIZES = {"base 8, 64²": (8, 64), "base 8, 128²": (8, 128), "base 16, 128²": (16, 128)}
KERNELS = {
    "off": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "on": {"TF_ENABLE_ONEDNN_OPTS": "1"},
    "on, AVX2": {"TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": "AVX2"},
}
STEP = "import json; from unet_helpers.teaching import step_cost as b; "
STEP += "print(json.dumps(b.measure_step(base_filters={}, size={}, steps={})))"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="timed steps in each process; the fastest counts")
    arguments = parser.parse_args()
    from record import write_results

    seconds = {size: {kernels: [] for kernels in KERNELS} for size in SIZES}
    for _ in range(arguments.rounds):
        for size, (base_filters, side) in SIZES.items():
            for kernels, variables in KERNELS.items():
                seconds[size][kernels].append(measure(STEP.format(base_filters, side, arguments.steps), variables))
                print(size, kernels, seconds[size][kernels][-1], flush=True)
    results = {"batch_size": 16, "processor": processor(), "seconds": seconds, "table": summarize(seconds)}
    write_results("onednn", "One training step with TensorFlow's oneDNN kernels on and off", results, data="none")


def measure(code, variables):
    """Seconds of the fastest step in a fresh process."""
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=True).stdout
    return round(json.loads(said)["step (s)"], 4)


def summarize(seconds):
    """Medians, and how many times as long a step takes with the kernels off: median, least and most of the turns."""
    rows = {}
    for size, columns in seconds.items():
        rows[size] = {f"{kernels} (s)": round(statistics.median(values), 3) for kernels, values in columns.items()}
        for kernels in ("on", "on, AVX2"):
            turns = [off / on for off, on in zip(columns["off"], columns[kernels], strict=True)]
            found = statistics.median(turns), min(turns), max(turns)
            rows[size][f"off / {kernels}"] = "{:.1f} ({:.1f}–{:.1f})".format(*found)
    return rows


def processor():
    """The name of the processor, where Linux tells it, and whether TensorFlow would turn the kernels on by itself."""
    try:
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    name = next((line.split(":")[1].strip() for line in described.splitlines() if "model name" in line), "unknown")
    by_itself = any(feature in described for feature in ("avx512_vnni", "avx512_bf16", "amx_tile"))
    return f"{name}, oneDNN {'on' if by_itself else 'off'} unless asked"


if __name__ == "__main__":
    main()
