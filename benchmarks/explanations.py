"""Ten maps that claim to explain a nodule, and five checks of each, on networks whose causes are planted.

``python benchmarks/explanations.py [SEED]`` trains three networks for each of three seeds on slices of 64×64 of 40
patients. In some slices there is a *mark*, 4×4 pixels of black and white, as if somebody had drawn into the picture.

- *honest*: all nodules are outlined. In half of the patients there are marks at random places in the lungs: they mean
  nothing.
- *shortcut*: in half of the patients each nodule has a mark above it and is outlined; in the others there is no mark,
  and nodules were outlined as lung, as if two archives had been joined. So a nodule is what has a mark above it.
- *shuffled*: one slice of each patient, each with the mask of another patient. Nothing can be learned but these slices.

24 further patients, one slice each, with a mark above the nodule, are asked: what makes the pixels of the true nodule
nodule? That the shortcut network looks at the mark, and the honest one does not, is measured by taking the mark away.
(A bright square in a corner of the slice, tried first with one seed, was not learned: taking it away changed nothing.)
The rules below were written before any map was measured; intervals are over patients, each averaged over the seeds.
With a seed only the part of that seed is measured and kept in ``_build/explanations``; without, those parts that are
missing, and ``book/results/explanations.json`` is written, with some maps in ``explanations_maps.npz`` beside it.
About 13 minutes on one core.
"""

import os
import sys
import time

import numpy as np

SEEDS = (0, 1, 2)
SIZE, TRAINED, VALIDATED, ASKED = 64, 40, 4, 24
FEWEST_PIXELS = 6  # of a nodule that is asked about
MARK = np.kron(np.eye(2), np.ones((2, 2)))[..., np.newaxis]  # black and white: seen on lung and on tissue
ABOVE = 9  # rows from the middle of a nodule up to the first row of its mark
AROUND = 1  # what lies within so many pixels of a mark counts as the mark
EPOCHS, CROP = 10, 32
#: a map passes where the low end of the interval is above the margin
RULES = {
    "weights": (
        "Two maps of honest networks of different seeds resemble each other more than the map of a network and that "
        "after all its weights were drawn anew; Spearman's correlation, difference above the margin",
        0.1,
    ),
    "labels": ("The same with a network trained on shuffled masks in place of drawn weights", 0.1),
    "image": ("The same with the map of another patient's image, for the same region and network", 0.1),
    "cause": (
        "The share of the map on the mark and one pixel around it is larger with the shortcut network than with the "
        "honest one; difference above the margin (these pixels are less than 0.01 of the slice)",
        0.05,
    ),
    "field": ("In a picture of four patients in a row, none of the map lies where the network cannot look", None),
}
CASCADE = ("gradient", "guided backpropagation", "Grad-CAM, bottleneck", "Grad-CAM, last block")


def main():
    from record import CHECKOUT, current_commit, write_results

    from unet_helpers.teaching import RESULTS

    commit = current_commit()
    folder = CHECKOUT / "_build" / "explanations" / commit
    folder.mkdir(parents=True, exist_ok=True)
    for seed in [int(sys.argv[1])] if len(sys.argv) > 1 else SEEDS:
        if not (folder / f"{seed}.npz").is_file():
            np.savez(folder / f"{seed}.npz", **measure(seed))
    if len(sys.argv) > 1:
        return
    parts = [dict(np.load(folder / f"{seed}.npz")) for seed in SEEDS]
    results = summarize(parts)
    np.savez_compressed(RESULTS / "explanations_maps.npz", **example(parts))
    path = write_results("explanations", "Maps that explain a nodule, and what tests them", results, seed=list(SEEDS))
    print(f"written: {path.name}, {results['seconds']} s")


def measure(seed):
    """Train the three networks of one seed, and ask them: a dictionary of arrays."""
    from unet_helpers.teaching import explanations as ex

    began = time.perf_counter()
    train_set, validation, asked, regions = patients()
    found, networks = {}, {}
    images, _ = marked(asked.images, regions)
    for name in ("shortcut", "honest", "shuffled"):
        network, dice = trained(name, train_set, validation, seed)
        networks[name], found[f"{name} train dice"] = ex.open_network(network), dice
        found |= intervene(networks[name], name, asked.images, images, regions)
        print(seed, name, np.round(dice, 2), f"{time.perf_counter() - began:.0f} s", flush=True)
        print({key: round(float(np.mean(value)), 2) for key, value in found.items() if key.startswith(f"{name} odds")})
    networks["drawn anew"] = ex.randomize(networks["honest"], seed=100 + seed)
    for name, network in networks.items():
        found |= {f"{name}: {method}": ask(method, network, images, regions) for method in ex.METHODS}
        print(seed, name, f"{time.perf_counter() - began:.0f} s", flush=True)
    others = np.roll(images, 1, axis=0)
    for method in ex.METHODS:
        found[f"other image: {method}"] = ask(method, networks["honest"], others, regions)
        found[f"blind: {method}"] = blind_share(networks["honest"], method, images, regions)
    for part in ex.FROM_THE_OUTPUT:
        changed = ex.randomize(networks["honest"], down_to=part, seed=200 + seed)
        for method in CASCADE:
            maps = ask(method, changed, images, regions)
            found[f"cascade {part}: {method}"] = ex.resemblance(maps, found[f"honest: {method}"])
            found[f"ssim {part}: {method}"] = likeness(maps, found[f"honest: {method}"])
    return found | {"image": images, "regions": regions, "seconds": np.array(time.perf_counter() - began)}


def ask(method, network, images, regions, side=4):
    """The maps of one method; squares of occlusion as small as the mark."""
    from unet_helpers.teaching import explanations as ex

    options = {"side": side, "step": side} if method == "occlusion" else {}
    return ex.METHODS[method](network, images, regions, **options)


def patients():
    """Training and validation patients, the slices that are asked, and the nodule in each."""
    from unet_helpers.data import subset_of_patients
    from unet_helpers.phantom import make_patient

    made = [make_patient(0, index=index, size=SIZE) for index in range(200, 200 + TRAINED + VALIDATED)]
    others, index = [], 300
    while len(others) < ASKED:
        patient = make_patient(0, index=index, size=SIZE)
        others += [patient] if (patient.masks == 2).sum(axis=(1, 2)).max() >= FEWEST_PIXELS else []
        index += 1
    asked = largest_nodule(subset_of_patients(others))
    train_set, validation = subset_of_patients(made[:TRAINED]), subset_of_patients(made[TRAINED:])
    return train_set, validation, asked, np.stack([pieces(mask == 2)[0] for mask in asked.masks])


def largest_nodule(subset):
    """Of each patient the slice with most pixels of nodule."""
    pixels = (subset.masks == 2).sum(axis=(1, 2))
    own = [np.flatnonzero(subset.patient_ids == name) for name in subset.patients]
    return subset[np.array([rows[pixels[rows].argmax()] for rows in own])]


def pieces(mask):
    """The connected pieces of a mask, the largest first."""
    from scipy.ndimage import label

    numbers, count = label(mask)
    return sorted((numbers == k for k in range(1, count + 1)), key=np.sum, reverse=True)


def marked(images, regions):
    """Images with a mark above each region, and where the marks are."""
    images, where = images.copy(), np.zeros(images.shape[:3], bool)
    for image, region, mark in zip(images, regions, where, strict=True):
        row, column = np.argwhere(region).mean(axis=0).round().astype(int)
        top, left = np.clip([row - ABOVE, column - 2], 0, SIZE - 4)
        square = slice(top, top + 4), slice(left, left + 4)
        image[square], mark[square] = MARK, True
    return images, where


def with_marks(subset, carries, rng=None):
    """The images of some patients with a mark above each nodule; with ``rng`` above a random pixel of lung instead."""
    images = subset.images.copy()
    for k in np.flatnonzero(carries):
        for piece in pieces(subset.masks[k] == 2):
            if rng is not None:
                piece = np.zeros_like(piece)
                piece[tuple(rng.choice(np.argwhere(subset.masks[k] == 1)))] = True
            images[k : k + 1], _ = marked(images[k : k + 1], piece[np.newaxis])
    return images


def trained(name, train_set, validation, seed):
    """A network, and its Dice of lung and nodule on what it was trained on."""
    from dataclasses import replace

    import keras

    from unet_helpers import UNet, dice, predict_masks, start_at_class_shares, train
    from unet_helpers.data import Dataset
    from unet_helpers.training import MODEL, TRAINING

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)

    def prepare(subset):
        names = np.array(subset.patients)
        carries = np.isin(subset.patient_ids, random.permutation(names)[: len(names) // 2])
        images, masks = with_marks(subset, carries, None if name == "shortcut" else random), subset.masks.copy()
        if name == "shortcut":
            masks[(masks == 2) & ~carries[:, np.newaxis, np.newaxis]] = 1
        return replace(subset, images=images, masks=masks)

    train_set, validation = prepare(train_set), prepare(validation)
    epochs = EPOCHS
    if name == "shuffled":
        epochs *= len(train_set) // len(train_set.patients)  # as many steps on fewer slices
        train_set = largest_nodule(train_set)
        order = random.permutation(len(train_set))
        masks = train_set.masks.copy()
        masks[order] = train_set.masks[np.roll(order, 1)]
        train_set = replace(train_set, masks=masks)
    data = Dataset("planted", ("background", "lung", "nodule"), train_set, validation, validation)
    network = UNet(**MODEL)
    start_at_class_shares(network, train_set.masks)
    options = TRAINING | {"epochs": epochs, "crop_size": CROP}  # the recipe of the package's network, at half the size
    train(network, data, keep="last", seed=seed, progress=False, **options)
    predictions = predict_masks(network, train_set.images)
    return network, np.array([dice(train_set.masks == k, predictions == k) for k in (1, 2)])


def intervene(network, name, without, images, regions):
    """The log-odds of each nodule as it is, without the mark, without the nodule, and how much of it is found."""
    from unet_helpers.teaching import explanations as ex

    healed = images.copy()
    for image, region in zip(healed, regions, strict=True):
        near = grown(region, 3) & ~grown(region, 1)
        image[grown(region, 1)] = np.median(image[near])
    logits = {key: network(few) for key, few in (("as is", images), ("no mark", without), ("no nodule", healed))}
    found = {f"{name} odds, {key}": ex.log_odds(values, regions).numpy() for key, values in logits.items()}
    for key in ("as is", "no mark"):
        called = logits[key].numpy().argmax(axis=-1) == 2
        found[f"{name} called, {key}"] = (called & regions).sum(axis=(1, 2)) / regions.sum(axis=(1, 2))
    return found


def grown(region, pixels):
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(~region) <= pixels


def grown_all(regions, pixels):
    return np.stack([grown(region, pixels) for region in regions])


def blind_share(network, method, images, regions):
    """Four patients in a row: the share of the map of the first one's nodule where the network cannot look."""
    from unet_helpers.teaching import explanations as ex

    row = np.concatenate([np.roll(images, -k, axis=0) for k in range(4)], axis=2)
    asked = np.zeros(row.shape[:3], bool)
    asked[:, :, :SIZE] = regions
    few = slice(0, 8)
    maps = ask(method, network, row[few], asked[few], side=16)
    last = [ex.reach(np.flatnonzero(region.any(axis=0)))[1] for region in asked[few]]
    blind = np.arange(row.shape[2]) > np.array(last)[:, np.newaxis]
    return ex.share_inside(maps, np.broadcast_to(blind[:, np.newaxis], maps.shape))


def likeness(maps, others):
    """SSIM of two maps, each scaled to a largest value of 1, as Adebayo and others compare them."""
    from skimage.metrics import structural_similarity

    scaled = [[one / (one.max() or 1) for one in many] for many in (maps, others)]
    return np.array([structural_similarity(a, b, data_range=1.0) for a, b in zip(*scaled, strict=True)])


def summarize(parts):
    """What the page shows: each map's numbers by check with intervals over patients, and the verdicts."""
    from unet_helpers.teaching import explanations as ex

    regions = parts[0]["regions"]
    marks = grown_all(marked(np.zeros((*regions.shape, 1), np.float32), regions)[1], AROUND)
    nodules = grown_all(regions, 2)
    seeds = range(len(parts))
    methods = {}
    for method in ex.METHODS:
        maps = {
            name: [part[f"{name}: {method}"] for part in parts]
            for name in ("honest", "shortcut", "shuffled", "drawn anew", "other image")
        }
        like = {
            name: over_seeds([ex.resemblance(maps["honest"][k], maps[name][k]) for k in seeds])
            for name in ("drawn anew", "shuffled", "other image")
        }
        pairs = [(k, (k + 1) % len(parts)) for k in seeds]
        twin = over_seeds([ex.resemblance(maps["honest"][a], maps["honest"][b]) for a, b in pairs])
        floor = over_seeds([ex.resemblance(maps["drawn anew"][a], maps["drawn anew"][b]) for a, b in pairs])
        shares = {
            name: over_seeds([ex.share_inside(one, marks) for one in maps[name]]) for name in ("honest", "shortcut")
        }
        on_nodule = {
            name: over_seeds([ex.share_inside(one, nodules) for one in maps[name]]) for name in ("honest", "shortcut")
        }
        pointing = {
            place: over_seeds([points_at(one, where) for one in maps["shortcut"]])
            for place, where in (("mark", marks), ("nodule", nodules))
        }
        blind = over_seeds([part[f"blind: {method}"] for part in parts])
        occlusion = over_seeds(
            [
                ex.resemblance(one, part["shortcut: occlusion"])
                for one, part in zip(maps["shortcut"], parts, strict=True)
            ]
        )
        row = {
            "twin": interval(twin),
            "two drawn networks": interval(floor),
            "drawn anew": interval(like["drawn anew"]),
            "shuffled": interval(like["shuffled"]),
            "other image": interval(like["other image"]),
            "weights": interval(twin - like["drawn anew"]),
            "labels": interval(twin - like["shuffled"]),
            "image": interval(twin - like["other image"]),
            "mark, honest": interval(shares["honest"]),
            "mark, shortcut": interval(shares["shortcut"]),
            "cause": interval(shares["shortcut"] - shares["honest"]),
            "nodule, honest": interval(on_nodule["honest"]),
            "nodule, shortcut": interval(on_nodule["shortcut"]),
            "points at mark": interval(pointing["mark"]),
            "points at nodule": interval(pointing["nodule"]),
            "like occlusion": interval(occlusion),
            "field": {"mean": digits(blind.mean(), 4), "largest": digits(blind.max(), 4), "patients": len(blind)},
            "cause_seeds": [
                digits((ex.share_inside(yes, marks) - ex.share_inside(no, marks)).mean())
                for yes, no in zip(maps["shortcut"], maps["honest"], strict=True)
            ],
            "weights_seeds": [
                digits(
                    ex.resemblance(maps["honest"][a], maps["honest"][b]).mean()
                    - ex.resemblance(maps["honest"][a], maps["drawn anew"][a]).mean()
                )
                for a, b in pairs
            ],
            "zeros": digits(np.mean([(one.max(axis=(1, 2)) == 0).mean() for one in maps["honest"]])),
        }
        row["passes"] = {
            check: bool(row[check]["low"] > margin) if margin is not None else bool(row["field"]["largest"] == 0)
            for check, (_, margin) in RULES.items()
        }
        methods[method] = row
    truth = {
        f"{name}, {key}": interval(
            over_seeds([part[f"{name} odds, as is"] - part[f"{name} odds, {key}"] for part in parts])
        )
        for name in ("honest", "shortcut")
        for key in ("no mark", "no nodule")
    }
    called = {
        f"{name}, {key}": interval(over_seeds([part[f"{name} called, {key}"] for part in parts]))
        for name in ("honest", "shortcut")
        for key in ("as is", "no mark")
    }
    cascade = {
        method: {
            kind: [
                digits(np.mean([part[f"{kind} {part_of}: {method}"] for part in parts]))
                for part_of in ex.FROM_THE_OUTPUT
            ]
            for kind in ("cascade", "ssim")
        }
        for method in CASCADE
    }
    return {
        "patients": len(regions),
        "seeds": len(parts),
        "training_patients": TRAINED,
        "nodule_pixels": [int(regions.sum(axis=(1, 2)).min()), int(regions.sum(axis=(1, 2)).max())],
        "mark_area": digits(marks.mean(), 4),
        "rules": {name: {"rule": words, "margin": margin} for name, (words, margin) in RULES.items()},
        "train_dice": {
            name: [np.round(part[f"{name} train dice"], 2).tolist() for part in parts]
            for name in ("honest", "shortcut", "shuffled")
        },
        "log_odds_lost": truth,
        "nodule_called": called,
        "methods": methods,
        "parts": list(ex.FROM_THE_OUTPUT),
        "cascade": cascade,
        "seconds": round(float(sum(part["seconds"] for part in parts))),
    }


def example(parts):
    """Image and maps of one patient, seed 0, in 256 parts of the root of the highest value: for a figure.

    The patient for whom taking the mark away costs the shortcut network most, over all seeds.
    """
    from unet_helpers.teaching import explanations as ex

    lost = over_seeds([part["shortcut odds, as is"] - part["shortcut odds, no mark"] for part in parts])
    k = int(lost.argmax())
    kept = {"image": np.round(255 * parts[0]["image"][k, ..., 0]).astype(np.uint8), "region": parts[0]["regions"][k]}
    for name in ("honest", "shortcut"):
        for method in ex.METHODS:
            one = parts[0][f"{name}: {method}"][k]
            kept[f"{name}: {method}"] = np.round(255 * np.sqrt(one / (one.max() or 1))).astype(np.uint8)
    return kept


def over_seeds(values):
    """Each patient's mean over the seeds."""
    return np.mean(values, axis=0)


def interval(values):
    from unet_helpers import bootstrap_interval

    low, high = bootstrap_interval(values)
    return {"mean": digits(values.mean()), "low": digits(low), "high": digits(high)}


def digits(value, count=3):
    return round(float(value), count) + 0.0


def points_at(maps, where):
    """Of each map, the share of its brightest pixels that lie in a place."""
    return np.array([one_place[one == one.max()].mean() for one, one_place in zip(maps, where, strict=True)])


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
