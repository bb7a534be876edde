"""How often a 95 % interval holds the true mean: patients or slices drawn, four kinds of interval, 5 to 50 patients.

``python benchmarks/interval_coverage.py`` draws data sets whose true mean is known and counts how many intervals
contain it. Two populations are made: scores like those of a lung, high and skewed, and like those of a nodule, spread
and with patients in whom it is missed. The third is what the shipped checkpoint scores on the nodules of the phantom
patients (all 48, those it was trained on among them: here they are a population, and no test of the network). The
estimate is the mean over slices. Writes ``book/results/interval_coverage.json``. Two minutes.
"""

import sys
import time

import numpy as np

from unet_helpers.evaluation import METHODS, bootstrap_interval

PATIENTS = (5, 10, 20, 50)
LEVEL, DRAWS, DATA_SETS = 0.95, 1000, 2000
SLICES = (4, 12)  # of a patient, both included
#: mean; concentration of the patients' means and of the slices in a patient; share of patients that are missed
LUNG = {"mean": 0.97, "between": 60, "within": 60, "missed": 0.0}
NODULE = {"mean": 0.65, "between": 4, "within": 10, "missed": 0.15}


def main():
    data_sets = int(sys.argv[1]) if len(sys.argv) > 1 else DATA_SETS
    from record import write_results

    began = time.perf_counter()
    populations = {"lung": made(**LUNG), "nodule": made(**NODULE), "nodule, checkpoint": measured()}
    results = {"level": LEVEL, "data_sets": data_sets, "draws": DRAWS, "settings": {"lung": LUNG, "nodule": NODULE}}
    results |= {"true_mean": {}, "coverage": {}, "width": {}}
    for name, (draw, mean) in populations.items():
        results["true_mean"][name] = round(mean, 4)
        for patients in PATIENTS:
            covered, width = simulate(draw, mean, patients, data_sets)
            results["coverage"].setdefault(name, {})[str(patients)] = covered
            results["width"].setdefault(name, {})[str(patients)] = width
            print(name, patients, covered, f"{time.perf_counter() - began:.0f} s", flush=True)
    results["largest_error"] = max(
        standard_error(share, data_sets)
        for rows in results["coverage"].values()
        for row in rows.values()
        for share in row.values()
    )
    write_results(
        "interval_coverage", "How often the 95 % interval holds the true mean", results, data="simulated, phantom"
    )


def standard_error(share, repeats):
    """Of a share of independent repeats."""
    return round(float(np.sqrt(share * (1 - share) / repeats)), 4)


def simulate(draw, mean, patients, data_sets, seed=0):
    """Share of intervals that contain the mean and their average width, ``{kind: float}`` each."""
    rng = np.random.default_rng([seed, patients])
    inside, widths = {}, {}
    for number in range(data_sets):
        scores, groups = draw(rng, patients)
        options = {"level": LEVEL, "repeats": DRAWS, "seed": number}
        intervals = {"slices, percentile": bootstrap_interval(scores, method="percentile", **options)}
        intervals |= {
            f"patients, {method}": bootstrap_interval(scores, groups, method=method, **options) for method in METHODS
        }
        for kind, (low, high) in intervals.items():
            inside.setdefault(kind, []).append(low <= mean <= high)
            widths.setdefault(kind, []).append(high - low)
    return (
        {kind: round(float(np.mean(values)), 4) for kind, values in inside.items()},
        {kind: round(float(np.median(values)), 4) for kind, values in widths.items()},
    )


def made(mean, between, within, missed):
    """A population by formula: each patient has a level of his own, and his slices scatter around it."""

    def draw(rng, patients):
        sizes = rng.integers(SLICES[0], SLICES[1] + 1, patients)
        levels = np.clip(rng.beta(mean * between, (1 - mean) * between, patients), 1e-3, 1 - 1e-3)
        groups = np.repeat(np.arange(patients), sizes)
        scores = rng.beta(levels[groups] * within, (1 - levels[groups]) * within)
        return scores * (rng.random(patients) >= missed)[groups], groups

    return draw, mean * (1 - missed)


def measured():
    """A population of patients that were measured: nodule Dice per slice, where there is truth or prediction."""
    import pandas as pd

    from unet_helpers import evaluate, load_checkpoint, load_dataset

    data, model = load_dataset("phantom"), load_checkpoint()
    parts = (data.train, data.validation, data.test)
    cases = pd.concat([evaluate(model, part, data.class_names, by="slice").of_class("nodule") for part in parts])
    patients = [scores.to_numpy() for _, scores in cases.dropna(subset="dice").groupby("patient")["dice"]]

    def draw(rng, count):
        chosen = [patients[i] for i in rng.integers(len(patients), size=count)]
        return np.concatenate(chosen), np.repeat(np.arange(count), [len(scores) for scores in chosen])

    return draw, float(np.concatenate(patients).mean())


if __name__ == "__main__":
    main()
