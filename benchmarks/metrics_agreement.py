"""Our metrics beside those of other libraries, on drawn masks, on edge cases and on random blobs in 2D and 3D.

``python benchmarks/metrics_agreement.py [--torch-python PYTHON] [--peer-python PYTHON]`` compares with scikit-learn,
SciPy and scikit-image, and with MONAI, medpy and surface-distance where an environment that has them is named (the
last two need NumPy 1.23). Writes ``book/results/metrics_agreement.json``; ``tools/metric_table.py`` makes the table
of ``book/metrics.md`` from it. Half a minute on one core.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

import peer_metrics
from peer_metrics import BETA, MIN_IOU

#: no distance between pixels at SPACINGS, so that no rounding decides what is within
TOLERANCE = 1.234
SPACINGS = {2: ((1.0, 1.0), (0.7, 0.7), (2.5, 0.8)), 3: ((1.0, 1.0, 1.0), (3.0, 0.7, 0.7), (5.0, 0.9, 0.6))}
SHAPES = {2: (28, 31), 3: (12, 17, 19)}
#: where a library means something else by the name; an agreement is then not expected
OTHER_DEFINITION = {
    ("HD95", "medpy"): "the percentile of both directions pooled",
    ("HD", "surface-distance"): "between surface elements at the pixels' corners",
    ("HD95", "surface-distance"): "elements at the corners, weighted by area; the next element, no interpolation",
    ("ASD, truth to prediction", "surface-distance"): "elements at the corners, weighted by area",
    ("ASD, prediction to truth", "surface-distance"): "elements at the corners, weighted by area",
    ("surface Dice", "surface-distance"): "elements at the corners, weighted by area",
    ("objects found, one to one", "medpy"): "pairs taken one after the other, not as many as possible",
}
COUNTS = ("TP", "FP", "FN", "TN")
LIMIT = 1e-6


def ours(truth, found, spacing, tolerance=TOLERANCE):
    """Our metrics under the names of ``peer_metrics``; with a percentile and surface elements as others mean them."""
    from unet_helpers import evaluation

    counts = evaluation.confusion_counts(truth, found)
    surface = evaluation.boundary_metrics(truth, found, spacing, tolerance)
    touching = evaluation.detect_objects(truth, found)
    matched = evaluation.detect_objects(truth, found, MIN_IOU)
    pixels = int(found.sum()) - int(truth.sum())
    values = {
        **{name: getattr(counts, name.lower()) for name in COUNTS},
        **{name: getattr(counts, name) for name in ("accuracy", "precision", "recall", "specificity")},
        "F2": counts.f_beta(BETA),
        "Dice": counts.dice,
        "IoU": counts.iou,
        "HD": surface["hd"],
        "HD95": surface["hd95"],
        "ASD, symmetric": surface["asd"],
        "ASD, mean of both": surface["asd_mean_of_both"],
        "ASD, truth to prediction": surface["asd_true_to_pred"],
        "ASD, prediction to truth": surface["asd_pred_to_true"],
        "surface Dice": surface["surface_dice"],
        "volume difference, pixels": abs(pixels),
        "objects found": touching.found,
        "objects false": touching.false,
        "objects found, IoU": matched.found,
        "objects false, IoU": matched.false,
        "objects found, one to one": evaluation.detect_objects(truth, found, 1e-9).sensitivity,
    }
    if truth.ndim == 3:
        true_ml, found_ml = (evaluation.volume_ml(mask, spacing) for mask in (truth, found))
        values |= {"volume, ml": true_ml, "volume difference, ml": found_ml - true_ml}
        with np.errstate(divide="ignore", invalid="ignore"):
            values["volume difference, relative"] = np.divide(found_ml - true_ml, true_ml)
    if truth.any() and found.any():
        values["HD95, pooled"] = np.percentile(np.concatenate(evaluation.surface_distances(truth, found, spacing)), 95)
        if truth.ndim == 2:
            values["surface Dice, by area"] = surface_dice_by_length(truth, found, spacing, tolerance)
    return values


#: what we compute only to show that a difference is one of definition: (our name, library, its name)
REBUILT = (("HD95, pooled", "medpy", "HD95"),)


def surface_dice_by_length(truth, found, spacing, tolerance):
    """Surface Dice in 2D as Nikolov et al. (2021) define it: contour elements between pixels, weighted by length."""
    from scipy.ndimage import distance_transform_edt

    (a, a_length), (b, b_length) = (_contour(mask, spacing) for mask in (truth, found))
    within_a = a_length[a & (distance_transform_edt(~b, sampling=spacing) <= tolerance)].sum()
    within_b = b_length[b & (distance_transform_edt(~a, sampling=spacing) <= tolerance)].sum()
    return (within_a + within_b) / (a_length[a].sum() + b_length[b].sum())


def _contour(mask, spacing):
    """Corners of pixels that the contour passes, and how long it is there, from the four pixels around each."""
    framed = np.pad(mask, 1).astype(int)
    here, right, below, across = framed[:-1, :-1], framed[:-1, 1:], framed[1:, :-1], framed[1:, 1:]
    inside = here + right + below + across
    slant = np.hypot(*spacing) / 2
    straight = np.where(here == right, spacing[1], np.where(here == below, spacing[0], 2 * slant))
    return (inside > 0) & (inside < 4), np.where(inside == 2, straight, slant)


def ellipsoids(shape, parts):
    """A mask: the union of ellipsoids, each given by its center and radii as shares of the sides (may stick out)."""
    mask = np.zeros(shape, bool)
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) / np.array(shape)
    for center, radii in parts:
        mask |= (((grid - center) / radii) ** 2).sum(axis=-1) <= 1
    return mask


def random_blobs(rng, ndim):
    """Truth and prediction of up to three blobs each, about half of them shared and then moved a little."""
    shape = SHAPES[ndim]
    truth = [(rng.random(ndim), rng.uniform(0.05, 0.3, ndim)) for _ in range(rng.integers(1, 4))]
    found = [(c + rng.normal(0, 0.04, ndim), r * rng.uniform(0.8, 1.25)) for c, r in truth if rng.random() < 0.8]
    if rng.random() < 0.4 or not found:
        found.append((rng.random(ndim), rng.uniform(0.05, 0.2, ndim)))
    return ellipsoids(shape, truth), ellipsoids(shape, found)


def drawn_cases():
    """``{name: (truth, found)}``: small masks by hand, and what can go wrong at the edges."""

    def draw(*rows):
        return np.array([[c == "#" for c in row] for row in rows])

    block = draw("......", ".###..", ".###..", ".###..", "......")
    empty = np.zeros_like(block)
    one = draw("......", "..#...", "......", "......", "......")
    corner = draw("#.....", "......", "......", "......", "......")
    edge = draw("###...", "###...", "......", "......", "......")
    far = draw("......", ".###..", ".###..", ".###..", ".....#")
    hollow = draw("......", ".###..", ".#.#..", ".###..", "......")
    two = draw("##..##", "##..##", "......", ".##...", ".##..#")
    bridge = draw("######", "######", "......", ".##...", "......")
    solid = np.stack([empty, block, block, edge, empty])
    cases = {
        "both empty": (empty, empty),
        "prediction empty": (block, empty),
        "truth empty": (empty, block),
        "equal": (block, block),
        "one pixel each": (one, corner),
        "one pixel, right": (one, one),
        "one pixel in a block": (block, one),
        "touching the edge": (edge, corner),
        "all foreground": (~empty, ~empty),
        "all foreground predicted": (block, ~empty),
        "false island": (block, far),
        "hole": (block, hollow),
        "two objects, one bridge": (two, bridge),
        "disjoint": (edge, one),
        "3D": (solid, np.roll(solid, (1, 0, 1), (0, 1, 2))),
        "3D, one slice": (solid[1:2], solid[3:4]),
        "3D, all foreground": (np.ones_like(solid), solid),
    }
    return cases


def all_cases(seed=0, flat=200, solid=100):
    """``(name, truth, found, spacing)``: every drawn case at each spacing, then random blobs."""
    for name, (truth, found) in drawn_cases().items():
        for spacing in SPACINGS[truth.ndim]:
            yield name, truth, found, spacing
    rng = np.random.default_rng(seed)
    for number in range(flat + solid):
        ndim = 2 if number < flat else 3
        yield f"blobs {number}", *random_blobs(rng, ndim), SPACINGS[ndim][number % 3]


def differences(library, mine, theirs):
    """``{metric: difference}`` in units of the larger of 1 and our value; nan where the library's is nan or infinite.

    Compared wherever our value is finite; where it is not, the libraries go different ways, which the page shows in a
    table of its own.
    """
    pairs = [(name, mine[name], theirs[name]) for name in theirs if name in mine]
    pairs += [
        (name, mine[name], theirs[key])
        for name, lib, key in REBUILT
        if lib == library and name in mine and key in theirs
    ]
    return {
        name: abs(a - b) / max(1.0, abs(a)) if np.isfinite(b) else float("nan")
        for name, a, b in pairs
        if np.isfinite(a)
    }


def summarize(records):
    """``{metric: {library: {cases, largest, differing, undefined_there}}}`` of ``(metric, library, difference)``."""
    table, gaps = {}, {}
    for metric, library, difference in records:
        name = "confusion counts" if metric in COUNTS else metric
        start = {"cases": 0, "largest": 0.0, "differing": 0, "undefined_there": 0}
        row = table.setdefault(name, {}).setdefault(library, start)
        if np.isnan(difference):
            row["undefined_there"] += 1
            continue
        row["cases"] += metric not in COUNTS[1:]
        row["largest"] = max(row["largest"], float(difference))
        gaps.setdefault((metric, library), []).append(difference)
        row["differing"] += bool(difference > LIMIT)
    for metric, rows in table.items():
        for library, row in rows.items():
            row["largest"] = float(f"{row['largest']:.2g}")
            if (metric, library) in OTHER_DEFINITION:
                row["definition"] = OTHER_DEFINITION[metric, library]
                row["median"] = float(f"{np.median(gaps[metric, library]):.2g}")
    return table


def edge_values(measure):
    """What ``measure(truth, found, spacing)`` gives for the drawn pairs with an empty mask, as text."""
    values = {}
    for name in ("both empty", "prediction empty", "truth empty"):
        measured = measure(*drawn_cases()[name], (1.0, 1.0))
        values[name] = {
            metric: f"{measured[metric]:g}" if metric in measured else "–"
            for metric in ("Dice", "IoU", "HD95", "surface Dice")
        }
    return values


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", help="Python of an environment with torch and monai")
    parser.add_argument("--peer-python", help="Python of an environment with medpy and surface-distance")
    arguments = parser.parse_args()
    from record import write_results

    libraries = {name: (peer_metrics.measure, peer_metrics.versions()[name]) for name in peer_metrics.present()}
    environments = [peer_metrics.Environment(p) for p in (arguments.torch_python, arguments.peer_python) if p]
    for environment in environments:
        for name, version in environment.versions.items():
            libraries.setdefault(name, (environment.measure, version))
    for name in set(peer_metrics.LIBRARIES) - set(libraries):
        print(f"{name} is left out: no environment that has it is named")
    records, count = [], 0
    for _, truth, found, spacing in all_cases():
        count += 1
        mine = ours(truth, found, spacing)
        for name, (measure, _) in libraries.items():
            theirs = measure(name, truth, found, spacing, TOLERANCE)
            records += [(metric, name, gap) for metric, gap in differences(name, mine, theirs).items()]
    edges = {"ours": edge_values(ours)} | {
        name: edge_values(lambda *case, m=measure, n=name: m(n, *case, TOLERANCE))
        for name, (measure, _) in libraries.items()
        if name != "scikit-image"
    }
    for environment in environments:
        environment.close()
    results = {
        "cases": count,
        "tolerance_mm": TOLERANCE,
        "versions": {name: version for name, (_, version) in libraries.items()},
        "agreement": summarize(records),
        "empty": edges,
    }
    for metric, rows in results["agreement"].items():
        for name, row in rows.items():
            print(f"{metric:<28}{name:<18}{row['cases']:>5}  {row['largest']:.1e}  {row.get('definition', '')}")
    write_results(
        "metrics_agreement", "Our metrics beside those of other libraries", results, data="drawn and random masks"
    )


if __name__ == "__main__":
    main()
