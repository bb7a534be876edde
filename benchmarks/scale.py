"""What a large folder costs: pairing 100,000 pairs, and streaming a folder 1, 4 and 16 times as large.

``python benchmarks/scale.py [PICTURES]`` writes pictures of 256×256 into a temporary folder (default 1,000), and
measures each size in a process of its own: peak memory and pictures per second, beside what the pictures would take
all at once and the pictures per second that a U-Net trains on this device. Into ``book/results/scale.json``.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIZE, BATCH = 256, 16


def main():
    pictures = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_names(folder / "names", 100_000)
        seconds = in_fresh_process("pair", folder / "names")["seconds"]
        results["pairing_seconds_of_100000"] = round(seconds, 2)
        print(f"pairing 100,000 pairs: {seconds:.2f} s")
        write_pictures(folder / "x1", pictures)
        for factor in (1, 4, 16):
            if factor > 1:
                repeat_pictures(folder / "x1", folder / f"x{factor}", factor)
            measured = in_fresh_process("stream", folder / f"x{factor}")
            measured |= {"pairs": factor * pictures, "all_at_once_mb": factor * pictures * SIZE * SIZE * 2 * 4 / 1e6}
            results[f"folder x{factor}"] = {name: round(value) for name, value in measured.items()}
            print(f"{factor:>2}×: " + ", ".join(f"{name} {value:.0f}" for name, value in measured.items()))
    results["training_images_per_second"] = round(in_fresh_process("train", None)["images_per_second"], 1)
    print(f"training, base 8, {SIZE}×{SIZE}: {results['training_images_per_second']:.0f} images/s")
    from record import write_results

    path = write_results("scale", "Pairing 100,000 files, and streaming folders of growing size", results, data="noise")
    print(f"written: {path.name}")


def write_names(folder, count):
    for side in ("images", "masks"):
        (folder / side).mkdir(parents=True)
        for k in range(count):
            os.close(os.open(folder / side / f"P{k // 50:04d}_Z_{k % 50:04d}.png", os.O_CREAT))


def write_pictures(folder, count):
    from unet_helpers.files import write_png

    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (SIZE * 2, SIZE * 2), np.uint8)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    for k in range(count):
        row, column = random.integers(0, SIZE, 2)
        mask[:] = 0
        mask[row // 2 : row, column // 2 : column] = 1
        write_png(folder / "images" / f"P{k:06d}.png", noise[row : row + SIZE, column : column + SIZE])
        write_png(folder / "masks" / f"P{k:06d}.png", mask)


def repeat_pictures(source, target, factor):
    """The same files under more names: hard links take no room on the disk, and are read as often."""
    for side in ("images", "masks"):
        (target / side).mkdir(parents=True)
        for path in (source / side).iterdir():
            for n in range(factor):
                os.link(path, target / side / f"{path.stem}_{n:02d}.png")


def in_fresh_process(task, folder):
    command = [sys.executable, __file__, "--task", task, str(folder)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def measure(task, folder):
    from unet_helpers import pair_files
    from unet_helpers.teaching.step_cost import measure_step
    from unet_helpers.training import stream_pairs

    if task == "train":
        return {"images_per_second": measure_step(size=SIZE, batch_size=BATCH, steps=3)["images/s"]}
    began = time.perf_counter()
    pairing = pair_files(Path(folder) / "images", Path(folder) / "masks", check_contents=False)
    if task == "pair":
        return {"seconds": time.perf_counter() - began, "pairs": len(pairing.pairs)}
    before = peak_mb()
    began = time.perf_counter()
    seen = sum(len(images) for images, _ in stream_pairs(pairing, 1, batch_size=BATCH))
    seconds = time.perf_counter() - began
    return {"images_per_second": seen / seconds, "peak_mb": peak_mb(), "mb_before_the_first_batch": before}


def peak_mb():
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--task"]:
        print(json.dumps(measure(*sys.argv[2:])))
    else:
        main()
