"""How long the metrics take, beside other libraries, in one run and on one core.

``python benchmarks/metrics_speed.py [--torch-python PYTHON] [--peer-python PYTHON]`` times all overlap metrics of 1,000
pairs of 512² masks, and HD95 of volumes of 128×256×256 voxels: a large organ, and a nodule with a false object far
away. The libraries take turns, each round one after the other, and the fastest round counts; each uses one thread.
MONAI, medpy and surface-distance are timed in the environments that are named; for the overlap of 1,000 pairs other
libraries measure four. Writes ``book/results/metrics_speed.json``. One minute.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

import peer_metrics

PAIRS, SIDE, SHAPE, SPACING = 1000, 512, (128, 256, 256), (2.5, 0.8, 0.8)
OVERLAP = ("accuracy", "precision", "recall", "specificity", "F2", "Dice", "IoU")
ROUNDS = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", help="Python of an environment with torch and monai")
    parser.add_argument("--peer-python", help="Python of an environment with medpy and surface-distance")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    arguments = parser.parse_args()
    from record import write_results

    from unet_helpers.evaluation import confusion_counts, hausdorff95

    environments = [peer_metrics.Environment(p) for p in (arguments.torch_python, arguments.peer_python) if p]
    libraries = dict.fromkeys(["scikit-learn"], peer_metrics.seconds)
    for environment in environments:
        others = set(environment.versions) - {"SciPy", "scikit-image", *libraries}  # they time none of these
        libraries |= {name: environment.seconds for name in environment.versions if name in others}

    pairs = [disks(np.random.default_rng(number), (SIDE, SIDE)) for number in range(64)]
    results = {"pairs": arguments.pairs, "side": SIDE, "shape": list(SHAPE)}
    times = {}
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for number in range(arguments.pairs):
            confusion_counts(*pairs[number % len(pairs)]).ratios()
        record(times, "ours", time.perf_counter() - began)
        for name, seconds in libraries.items():
            metrics = names_of(name, OVERLAP)
            spent = sum(seconds(name, truth == 1, found == 1, (1.0, 1.0), metrics, 1) for truth, found in pairs[:4])
            record(times, name, spent / 4 * arguments.pairs)
    results["overlap"] = {
        name: {"seconds": round(min(spent), 3), "metrics": len(OVERLAP if name == "ours" else names_of(name, OVERLAP))}
        for name, spent in times.items()
    }
    print(results["overlap"], flush=True)
    results["hd95"] = {}
    for what, (truth, found) in volumes().items():
        times = {}
        for _ in range(ROUNDS):
            began = time.perf_counter()
            hausdorff95(truth, found, SPACING)
            record(times, "ours", time.perf_counter() - began)
            for name, seconds in libraries.items():
                if "HD95" in names_of(name, ("HD95",)):
                    record(times, name, seconds(name, truth == 1, found == 1, SPACING, ["HD95"], 1))
        row = {name: round(min(spent), 3) for name, spent in times.items()}
        others = {name: spent for name, spent in row.items() if name != "ours"}
        results["hd95"][what] = {"seconds": row, "voxels": int(truth.sum())}
        if others:
            fastest = min(others, key=others.get)
            results["hd95"][what] |= {
                "fastest_library": fastest,
                "its_time_over_ours": round(others[fastest] / row["ours"], 1),
            }
        print(what, results["hd95"][what], flush=True)
    for environment in environments:
        environment.close()
    write_results("metrics_speed", "Time of the metrics beside other libraries, one core", results, data="drawn masks")


def record(times, name, seconds):
    times.setdefault(name, []).append(seconds)


def names_of(library, wanted):
    """Those of the wanted metrics that the library has."""
    tiny = np.ones((3, 3), bool)
    known = {
        "MONAI": {*OVERLAP, "HD95"},
        "medpy": {"precision", "recall", "specificity", "Dice", "IoU", "HD95"},
        "surface-distance": {"Dice", "HD95"},
    }
    have = known.get(library) or peer_metrics.measure(library, tiny, tiny, (1.0, 1.0), 1.0)
    return [name for name in wanted if name in have]


def disks(rng, shape):
    """Truth and prediction as uint8: an ellipsoid with a rough border, and the same a little off."""
    grid = np.meshgrid(*map(np.arange, shape), indexing="ij", sparse=True)
    center, radius = rng.uniform(0.4, 0.6, len(shape)) * shape, rng.uniform(0.15, 0.35) * min(shape)
    return [ellipsoid(grid, center + rng.normal(0, 2, len(shape)), [radius] * len(shape), rng) for _ in range(2)]


def ellipsoid(grid, center, radii, rng):
    """An ellipsoid whose radius varies with the direction by some percent."""
    away = sum(((axis - c) / r) ** 2 for axis, c, r in zip(grid, center, radii, strict=True))
    waves = sum(np.sin(axis / 7 + rng.uniform(0, 6)) for axis in grid)
    return (away <= 1 + 0.08 * waves).astype(np.uint8)


def volumes():
    """``{name: (truth, prediction)}``, uint8 of SHAPE."""
    rng = np.random.default_rng(0)
    grid = np.meshgrid(*map(np.arange, SHAPE), indexing="ij", sparse=True)
    lungs = [
        ellipsoid(grid, (64 + d, 128, 75), (55, 85, 48), rng) | ellipsoid(grid, (64, 128 - d, 180), (55, 85, 48), rng)
        for d in (0, 2)
    ]
    nodule = [ellipsoid(grid, (60, 90 + d, 80), (5, 9, 9), rng) for d in (0, 2)]
    nodule[1] |= ellipsoid(grid, (110, 220, 230), (2, 4, 4), rng)
    return {"two lungs": lungs, "a nodule and a false object": nodule}


if __name__ == "__main__":
    main()
