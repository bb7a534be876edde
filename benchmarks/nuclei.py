"""Counting nuclei: plain pieces, watershed and a border class, into ``book/results/nuclei.json``.

``python benchmarks/nuclei.py [FOLDER] [--seeds N] [--steps N]`` takes the folder, or ``dsb2018/stage1_train`` under
``UNET_SHARED_DATA`` or ``../shared/data``: images of the Data Science Bowl 2018 with one mask per nucleus (Caicedo et
al. 2019), of which those from fluorescence microscopes are used, gray and dark. Many of them are tiles of a larger
field of view: where the edges of two fit together they count as one *field*, and fields are what the split keeps on one
side and what intervals draw. The files do not name the experiments, so that most experiments are on both sides: the
numbers hold for other fields of known experiments.

Two small U-Nets see the same crops: one learns background and nucleus, the other background, inside, and the border
between nuclei that touch. The objects of the first are its connected pieces, or these split by a watershed; those of
the second are grown from the inside. The neck of the watershed and the weight of the border are chosen on validation
images. Three seeds; scores per image, averaged over the seeds. Writes
``book/results/nuclei.json`` and takes about seven minutes on two cores.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

from unet_helpers.data import split_by_patient
from unet_helpers.evaluation import (
    average_precision,
    bootstrap_interval,
    border_targets,
    dice,
    drop_small,
    label_objects,
    match_instances,
    merges_and_splits,
    objects_from_border,
    panoptic_quality,
    split_touching,
)
from unet_helpers.files import read_image, read_mask

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("UNET_SHARED_DATA") or ROOT.parent / "shared" / "data")
STEPS, BATCH, CROP, LEARNING_RATE = 250, 8, 128, 3e-3
MODEL = {"base_filters": 8, "depth": 4, "dropout": 0.0}
BORDER_WIDTH, BORDER_WEIGHTS = 2, (5, 15)
NECKS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
FRACTIONS = (0.55, 0.15, 0.3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=SHARED / "dsb2018" / "stage1_train")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        sys.exit(f"skipped: no folder {arguments.folder}; name the folder stage1_train of the DSB2018 images")
    from record import write_results

    began = time.perf_counter()
    images, labels = read_fluorescence(arguments.folder)
    fields = find_fields(images)
    training, validation, test = split_by_patient(fields, FRACTIONS)
    pictures = [stretch(image) for image in images]
    least = min(np.bincount(labels[i].ravel())[1:].min() for i in training)  # pixels of the smallest nucleus outlined
    print(f"{len(images)} images in {len(set(fields))} fields, {time.perf_counter() - began:.0f} s", flush=True)
    truths, tuning = [labels[i] for i in test], [labels[i] for i in validation]

    neck = best_neck([truth > 0 for truth in tuning], tuning, least)
    masks = [truth > 0 for truth in truths]
    runs = {
        "true mask, pieces": [score_all([pieces(mask, least) for mask in masks], truths)],
        "true mask, watershed": [score_all([watershed(mask, least, neck) for mask in masks], truths)],
    }
    necks = {"true mask": neck}
    for seed in range(arguments.seeds):
        plain = train_network(pictures, labels, training, seed, arguments.steps)
        masks = [predict(plain, pictures[i]) == 1 for i in test]
        neck = best_neck([predict(plain, pictures[i]) == 1 for i in validation], tuning, least)
        necks[f"seed {seed}"] = neck
        if not seed:  # the weight of the border is chosen as the neck is, but for the first seed only
            tried = {w: train_network(pictures, labels, training, 0, arguments.steps, w) for w in BORDER_WEIGHTS}
            quality = {w: mean_quality(grown(net, pictures, validation, least), tuning) for w, net in tried.items()}
            weight = max(quality, key=quality.get)
            print(f"PQ of validation images by weight of the border: {quality}", flush=True)
        border = train_network(pictures, labels, training, seed, arguments.steps, weight) if seed else tried[weight]
        found = {
            "pieces": [pieces(mask, least) for mask in masks],
            "watershed": [watershed(mask, least, neck) for mask in masks],
            "border class": grown(border, pictures, test, least),
        }
        for name, objects in found.items():
            runs.setdefault(name, []).append(score_all(objects, truths))
            print(seed, name, {key: round(float(v.mean()), 3) for key, v in runs[name][-1].items()}, flush=True)
        print(f"neck {neck}, {time.perf_counter() - began:.0f} s", flush=True)

    groups = fields[test]
    results = {
        "images": {"training": len(training), "validation": len(validation), "test": len(test)},
        "fields": {"all": len(set(fields)), "test": len(set(groups))},
        "nuclei_in_test_images": int(sum(truth.max() for truth in truths)),
        "steps": arguments.steps,
        "smallest_pixels": int(least),
        "neck": necks,
        "border_weight": weight,
        "methods": {name: summarize(those, groups) for name, those in runs.items()},
        "differences": {
            f"{a} − {b}": summarize(
                [{key: x[key] - y[key] for key in x} for x, y in zip(runs[a], runs[b], strict=True)], groups
            )
            for a, b in (("watershed", "pieces"), ("border class", "pieces"), ("border class", "watershed"))
        },
        "by_image": {
            "true": [int(truth.max()) for truth in truths],
            **{f"{name}_{key}": by_image(runs[name], key) for name in ("pieces", "border class") for key in IN_FULL},
        },
        "seconds": round(time.perf_counter() - began),
    }
    what = "Nuclei counted by plain pieces, by watershed and with a border class"
    data = "DSB2018 stage 1, fluorescence images (BBBC038, CC0)"
    path = write_results("nuclei", what, results, data=data, seed=list(range(arguments.seeds)))
    print(f"written: {path.name}, {results['seconds']} s")


IN_FULL = ("dice", "pq", "counted")


# --- data -------------------------------------------------------------------------------------


def read_fluorescence(folder):
    """The images that are gray and dark, each ``(H, W)`` float32 as stored, and their label images."""
    images, labels = [], []
    for path in sorted(path for path in folder.iterdir() if (path / "images").is_dir()):
        image, _ = read_image(next((path / "images").glob("*.png")))
        image = image[..., :3]
        if (image != image[..., :1]).any() or image.mean() > 127:
            continue
        numbered = np.zeros(image.shape[:2], np.int32)
        for number, mask in enumerate(sorted((path / "masks").glob("*.png")), start=1):
            numbered[read_mask(mask) > 0] = number
        images.append(image[..., 0])
        labels.append(drop_small(numbered, 1))
    return images, labels


def stretch(image):
    """Gray values between the 1st and the 99.8th percentile brought to 0–1."""
    low, high = np.percentile(image, (1, 99.8))
    return np.clip((image - low) / max(high - low, 1), 0, 1).astype(np.float32)


def find_fields(images, correlation=0.9, step=2.5):
    """Name the field of view of each image: two whose edges fit together are tiles of one.

    Edges fit if their gray values correlate by ``correlation`` or more, and differ on average at most ``step`` times as
    much as each differs from the row of pixels next to it in its own image.
    """
    names = np.arange(len(images))
    for i, first in enumerate(images):
        for j, second in enumerate(images):
            for a, b in ((first.T, second.T), (first, second)):  # the second to the right, and below
                if i != j and a.shape[1] == b.shape[1] and edges_fit(a, b, correlation, step):
                    names[names == names[j]] = names[i]
    return np.array([f"field {name:03d}" for name in names])


def edges_fit(upper, lower, correlation, step):
    """Whether the last row of one image goes on in the first row of the other."""
    above, below = upper[-1], lower[0]
    if min(above.std(), below.std()) == 0 or np.corrcoef(above, below)[0, 1] < correlation:
        return False
    within = (np.abs(above - upper[-2]).mean() + np.abs(below - lower[1]).mean()) / 2
    return np.abs(above - below).mean() <= step * within


# --- networks ---------------------------------------------------------------------------------


def draw_batch(pictures, targets, rng):
    """``(N, S, S, 1)`` crops and their classes, half of them around a nucleus, each turned and flipped at random."""
    crops, classes = [], []
    for _ in range(BATCH):
        i = rng.integers(len(pictures))
        room = np.array(pictures[i].shape) - CROP
        corner = rng.integers(room + 1)
        if rng.random() < 0.5:
            places = np.argwhere(targets[i])
            corner = np.clip(places[rng.integers(len(places))] - rng.integers(CROP, size=2), 0, room)
        cut = tuple(slice(first, first + CROP) for first in corner)
        turns, flip = rng.integers(4), 1 - 2 * rng.integers(2)
        for array, into in ((pictures[i], crops), (targets[i], classes)):
            into.append(np.rot90(array[cut], turns)[:, ::flip])
    return np.stack(crops)[..., np.newaxis], np.stack(classes)


def train_network(pictures, labels, training, seed, steps, border=None):
    """Train one U-Net, of two classes, or of three with a weight for the border; the crops depend on the seed alone."""
    import keras

    from unet_helpers import UNet, start_at_class_shares
    from unet_helpers.training import DiceCrossEntropy, compile_model, make_targets

    targets = [border_targets(labels[i], BORDER_WIDTH) if border else (labels[i] > 0) * np.uint8(1) for i in training]
    classes = 3 if border else 2
    keras.utils.set_random_seed(seed)
    network = UNet((None, None, 1), classes, **MODEL)
    start_at_class_shares(network, np.concatenate([target.ravel() for target in targets]))
    loss = DiceCrossEntropy((1, 1, border) if border else None)
    epochs = max(steps // 25, 1)  # the schedule counts in epochs; its warm-up is the first
    compile_model(network, LEARNING_RATE, loss, schedule="cosine", steps_per_epoch=25, epochs=epochs)
    rng, pictures = np.random.default_rng(seed), [pictures[i] for i in training]
    for _ in range(steps):
        crops, given = draw_batch(pictures, targets, rng)
        network.train_on_batch(crops, make_targets(given, classes))
    return network


def predict(network, picture):
    """The class of each pixel; the picture is mirrored at its edges to a size that the network can halve."""
    divisor = 2 ** MODEL["depth"]
    more = [(0, -side % divisor) for side in picture.shape]
    padded = np.pad(picture, more, mode="reflect")[np.newaxis, ..., np.newaxis]
    found = np.asarray(network(padded, training=False))[0].argmax(axis=-1)
    return found[: picture.shape[0], : picture.shape[1]].astype(np.uint8)


# --- objects and scores -----------------------------------------------------------------------


def pieces(mask, least):
    return label_objects(mask, min_pixels=least)


def watershed(mask, least, neck):
    return drop_small(split_touching(mask, neck), least)


def grown(network, pictures, indices, least):
    """The objects that a network of three classes finds in some of the pictures."""
    return [drop_small(objects_from_border(predict(network, pictures[i])), least) for i in indices]


def best_neck(masks, truths, least):
    """The neck of a grid with the best mean PQ."""
    quality = {neck: mean_quality([watershed(mask, least, neck) for mask in masks], truths) for neck in NECKS}
    return max(quality, key=quality.get)


def mean_quality(found, truths):
    """Mean PQ of images."""
    return round(float(np.mean([panoptic_quality(t, f).pq for t, f in zip(truths, found, strict=True)])), 4)


def score_all(found, truths):
    """``{name: (N,) float}`` of the images."""
    rows = [score(one, truth) for one, truth in zip(found, truths, strict=True)]
    return {name: np.array([row[name] for row in rows], float) for name in rows[0]}


def score(found, truth):
    """Scores of one image; errors of the count are in percent of the true count."""
    matches = match_instances(truth, found)
    pq, sq, rq = panoptic_quality(truth, found)
    merged, split = merges_and_splits(truth, found)
    return {
        "dice": dice(truth > 0, found > 0),
        "pq": pq,
        "sq": sq,
        "rq": rq,
        "ap": average_precision(truth, found),
        "counted": matches.predicted,
        "count_error": 100 * abs(matches.count_error) / matches.true,
        "count_bias": 100 * matches.count_error / matches.true,
        "missed": 100 * matches.missed / matches.true,
        "false": 100 * matches.false / matches.true,
        "merged": 100 * merged / matches.true,
        "split": 100 * split / matches.true,
    }


def by_image(runs, name, digits=3):
    """Mean over the seeds, for each image."""
    return [round(float(value), digits) for value in np.mean([run[name] for run in runs], axis=0)]


def summarize(runs, groups):
    """Per image the mean over seeds; its mean over images with the interval over fields, and the mean of each seed."""
    summary = {}
    for name in runs[0]:
        per_image = np.mean([run[name] for run in runs], axis=0)
        if name == "counted":
            summary["counted_in_all_seeds"] = [round(float(run[name].sum())) for run in runs]
            continue
        low, high = bootstrap_interval(per_image, groups)
        values = {name: np.nanmean(per_image), f"{name}_low": low, f"{name}_high": high}
        summary |= {key: round(float(value), 3) for key, value in values.items()}
        summary[f"{name}_seeds"] = [round(float(np.nanmean(run[name])), 3) for run in runs]
    return summary


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
