"""The segmentation metrics of other libraries, under our names: imported, or run in an environment that has them.

``python benchmarks/peer_metrics.py`` answers line by line: a case as JSON in, ``{library: {metric: value}}`` out, for
the libraries of that environment. It needs NumPy and none of this series, so that MONAI (with PyTorch), medpy and
surface-distance (which need NumPy 1.23) can each run where they are installed. A metric that a library refuses for a
case is left out; what is ``nan`` there stays ``nan``. With ``{"repeat": n}`` it gives seconds in place of values.
"""

import base64
import json
import subprocess
import sys
import time
import warnings
import zlib
from importlib.util import find_spec

import numpy as np

BETA = 2.0
#: an intersection over union that no pair of small objects has exactly, so that ≥ and > agree
MIN_IOU = 0.5501


def scikit_learn(truth, found, spacing, tolerance):
    """Overlap from lists of labels, one per pixel."""
    from sklearn import metrics

    a, b = truth.ravel(), found.ravel()
    tn, fp, fn, tp = metrics.confusion_matrix(a, b, labels=[False, True]).ravel()
    yield from {"TP": lambda: tp, "FP": lambda: fp, "FN": lambda: fn, "TN": lambda: tn}.items()
    yield "accuracy", lambda: metrics.accuracy_score(a, b)
    yield "precision", lambda: metrics.precision_score(a, b, zero_division=np.nan)
    yield "recall", lambda: metrics.recall_score(a, b, zero_division=np.nan)
    yield "specificity", lambda: metrics.recall_score(a, b, pos_label=False, zero_division=np.nan)
    yield "F2", lambda: metrics.fbeta_score(a, b, beta=BETA, zero_division=np.nan)
    yield "Dice", lambda: metrics.f1_score(a, b, zero_division=np.nan)
    yield "IoU", lambda: metrics.jaccard_score(a, b)


def scipy(truth, found, spacing, tolerance):
    """Overlap from dissimilarities, distances from the table of all pairs of boundary points."""
    from scipy.ndimage import binary_erosion
    from scipy.spatial import distance

    a, b = truth.ravel(), found.ravel()
    yield "Dice", lambda: 1 - distance.dice(a, b)
    yield "IoU", lambda: 1 - distance.jaccard(a, b)
    if not (a.any() and b.any()):
        return
    points = [np.argwhere(mask & ~binary_erosion(mask)) * spacing for mask in (truth, found)]
    table = distance.cdist(*points)
    there, back = table.min(axis=1), table.min(axis=0)
    both = np.concatenate([there, back])
    yield "HD", lambda: max(distance.directed_hausdorff(*points)[0], distance.directed_hausdorff(*points[::-1])[0])
    yield "HD95", lambda: max(np.quantile(there, 0.95), np.quantile(back, 0.95))
    yield "ASD, symmetric", lambda: both.mean()
    yield "ASD, mean of both", lambda: (there.mean() + back.mean()) / 2
    yield "ASD, truth to prediction", lambda: there.mean()
    yield "ASD, prediction to truth", lambda: back.mean()
    yield "surface Dice", lambda: (both <= tolerance).mean()


def scikit_image(truth, found, spacing, tolerance):
    """Distance of point sets; volumes and objects from labeled regions."""
    from skimage import measure, metrics, segmentation

    def boundary(mask):  # with a frame, because find_boundaries takes no edge of the picture for a boundary
        inner = segmentation.find_boundaries(np.pad(mask, 1), connectivity=1, mode="inner")
        return inner[(slice(1, -1),) * mask.ndim]

    def regions(mask):
        return measure.regionprops(measure.label(mask, connectivity=mask.ndim), spacing=spacing)

    def touched(mask, other):
        return sum(bool(other[tuple(region.coords.T)].any()) for region in regions(mask))

    if truth.any() and found.any() and len(set(spacing)) == 1:  # it knows no spacing
        yield "HD", lambda: metrics.hausdorff_distance(boundary(truth), boundary(found)) * spacing[0]
    if truth.ndim == 3:
        yield "volume, ml", lambda: sum(region.area for region in regions(truth)) / 1000
        yield (
            "volume difference, ml",
            lambda: sum(r.area for r in regions(found)) / 1000 - sum(r.area for r in regions(truth)) / 1000,
        )
    yield "objects found", lambda: touched(truth, found)
    yield "objects false", lambda: len(regions(found)) - touched(found, truth)


def monai(truth, found, spacing, tolerance):
    """Batches of one, one channel; single precision."""
    import torch
    from monai import metrics
    from monai.metrics.f_beta_score import compute_f_beta_score

    a, b = (torch.from_numpy(mask[np.newaxis, np.newaxis].astype(np.float32)) for mask in (truth, found))
    counts = metrics.get_confusion_matrix(b, a)
    tp, fp, tn, fn = counts.flatten().tolist()
    yield from {"TP": lambda: tp, "FP": lambda: fp, "FN": lambda: fn, "TN": lambda: tn}.items()
    for name in ("accuracy", "precision", "recall", "specificity"):
        yield name, lambda name=name: metrics.compute_confusion_matrix_metric(name, counts)
    yield "F2", lambda: compute_f_beta_score(counts, BETA)
    yield "Dice", lambda: metrics.compute_dice(b, a)
    yield "IoU", lambda: metrics.compute_iou(b, a)
    options = {"include_background": True, "spacing": list(spacing)}
    hausdorff, average = metrics.compute_hausdorff_distance, metrics.compute_average_surface_distance
    yield "HD", lambda: hausdorff(b, a, **options)
    yield "HD95", lambda: hausdorff(b, a, percentile=95, **options)
    yield "ASD, symmetric", lambda: average(b, a, symmetric=True, **options)
    yield "ASD, truth to prediction", lambda: average(a, b, **options)
    yield "ASD, prediction to truth", lambda: average(b, a, **options)
    yield "surface Dice", lambda: metrics.compute_surface_dice(b, a, [tolerance], **options)
    yield (
        "surface Dice, by area",
        lambda: metrics.compute_surface_dice(b, a, [tolerance], use_subvoxels=True, **options),
    )
    yield "volume difference, pixels", lambda: metrics.compute_absolute_volume_difference(b, a)

    def matched():
        from scipy.ndimage import label

        labels = [torch.from_numpy(label(mask, np.ones((3,) * mask.ndim))[0]) for mask in (found, truth)]
        return metrics.compute_panoptic_quality(*labels, match_iou_threshold=MIN_IOU, output_confusion_matrix=True)

    if truth.any() and found.any():
        yield "objects found, IoU", lambda: matched()[0]
        yield "objects false, IoU", lambda: matched()[1]


def medpy(truth, found, spacing, tolerance):
    """Result first, reference second; refuses empty masks where distances are asked."""
    from medpy.metric import binary

    yield "precision", lambda: binary.precision(found, truth)
    yield "recall", lambda: binary.recall(found, truth)
    yield "specificity", lambda: binary.specificity(found, truth)
    yield "Dice", lambda: binary.dc(found, truth)
    yield "IoU", lambda: binary.jc(found, truth)
    yield "HD", lambda: binary.hd(found, truth, spacing)
    yield "HD95", lambda: binary.hd95(found, truth, spacing)
    yield "ASD, mean of both", lambda: binary.assd(found, truth, spacing)
    yield "ASD, truth to prediction", lambda: binary.asd(truth, found, spacing)
    yield "ASD, prediction to truth", lambda: binary.asd(found, truth, spacing)
    yield "volume difference, relative", lambda: binary.ravd(found, truth)
    if truth.any() and found.any():
        yield "objects found, one to one", lambda: binary.obj_tpr(truth, found, truth.ndim)


def surface_distance(truth, found, spacing, tolerance):
    """Surface elements between the pixels, weighted by their area."""
    import surface_distance as library

    yield "Dice", lambda: library.compute_dice_coefficient(truth, found)
    measured = library.compute_surface_distances(truth, found, spacing)
    yield "HD", lambda: library.compute_robust_hausdorff(measured, 100)
    yield "HD95", lambda: library.compute_robust_hausdorff(measured, 95)
    yield "ASD, truth to prediction", lambda: library.compute_average_surface_distance(measured)[0]
    yield "ASD, prediction to truth", lambda: library.compute_average_surface_distance(measured)[1]
    yield "surface Dice", lambda: library.compute_surface_dice_at_tolerance(measured, tolerance)
    yield "surface Dice, by area", lambda: library.compute_surface_dice_at_tolerance(measured, tolerance)


LIBRARIES = {
    "scikit-learn": ("sklearn", scikit_learn),
    "SciPy": ("scipy", scipy),
    "scikit-image": ("skimage", scikit_image),
    "MONAI": ("monai", monai),
    "medpy": ("medpy", medpy),
    "surface-distance": ("surface_distance", surface_distance),
}


def present():
    """The libraries of this environment."""
    return [name for name, (module, _) in LIBRARIES.items() if find_spec(module)]


def versions():
    """``{library: version}`` of this environment."""
    from importlib.metadata import version

    packages = {"SciPy": "scipy", "MONAI": "monai"}
    return {name: version(packages.get(name, name)) for name in present()}


def measure(library, truth, found, spacing, tolerance):
    """``{metric: value}``; a metric that the library refuses for this case is not in it."""
    values = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name, compute in LIBRARIES[library][1](truth, found, spacing, tolerance):
            try:
                values[name] = float(compute())
            except (RuntimeError, ZeroDivisionError, ValueError, IndexError):
                continue
    return values


def pack(mask):
    """A bool mask as text for one line of JSON."""
    return {"shape": mask.shape, "bits": base64.b64encode(zlib.compress(np.packbits(mask), 1)).decode()}


def unpack(packed):
    """The reverse of :func:`pack`."""
    count = int(np.prod(packed["shape"]))
    bits = np.frombuffer(zlib.decompress(base64.b64decode(packed["bits"])), np.uint8)
    return np.unpackbits(bits, count=count).astype(bool).reshape(packed["shape"])


class Environment:
    """Another Python that answers cases; close it at the end."""

    def __init__(self, python):
        command = [python, "-W", "ignore", __file__]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.versions = self.ask()

    def ask(self, **question):
        """One line there, one line back."""
        if question:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.process.args[0]} stopped; its message stands above")
        return json.loads(answer)

    def measure(self, library, truth, found, spacing, tolerance):
        """As :func:`measure`, over there."""
        masks = {"truth": pack(truth), "found": pack(found)}
        return self.ask(library=library, spacing=list(spacing), tolerance=tolerance, **masks)

    def seconds(self, library, truth, found, spacing, metrics, repeat):
        """The fastest of some calls, over there."""
        masks = {"truth": pack(truth), "found": pack(found)}
        return self.ask(library=library, spacing=list(spacing), tolerance=1.0, metrics=metrics, repeat=repeat, **masks)

    def close(self):
        self.process.communicate()


def seconds(library, truth, found, spacing, metrics, repeat):
    """The fastest of ``repeat`` computations of the named metrics from two masks, in seconds."""
    times = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for _ in range(repeat):
            began = time.perf_counter()
            for name, compute in LIBRARIES[library][1](truth, found, spacing, 1.0):
                if name in metrics:
                    compute()
            times.append(time.perf_counter() - began)
    return min(times)


def main():
    print(json.dumps(versions()), flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        truth, found = unpack(question["truth"]), unpack(question["found"])
        spacing = question["spacing"]
        if "repeat" in question:
            answer = seconds(question["library"], truth, found, spacing, question["metrics"], question["repeat"])
        else:
            answer = measure(question["library"], truth, found, spacing, question["tolerance"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)  # as the others
    main()
