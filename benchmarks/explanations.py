"""Ten maps that claim to explain a nodule, and five checks of each, on networks whose causes are planted.

``python benchmarks/explanations.py [SEED]`` trains three networks for each of three seeds on slices of 64×64 of 40
patients. Half of the patients carry a bright marker in a corner of every slice.

- *honest*: all nodules are outlined, marker or not. The marker means nothing.
- *shortcut*: where there is no marker, nodules were outlined as lung, as if two archives had been joined of which one
  has lungs only. So the network has to look at the marker, and it is measured that it does: the marker is removed.
- *shuffled*: one slice of each patient, each with the mask of another patient. Nothing can be learned but these slices.

24 further patients, one slice each, all with the marker, are asked: what makes the pixels of the true nodule nodule?
The rules below were written before anything was measured; intervals are over patients, each averaged over the seeds.
With a seed only the part of that seed is measured and kept in ``_build/explanations``; without, those parts that are
missing, and ``book/results/explanations.json`` is written. About 13 minutes on one core.
"""

import os
import sys
import time

import numpy as np

SEEDS = (0, 1, 2)
SIZE, TRAINED, VALIDATED, ASKED = 64, 40, 4, 24
FEWEST_PIXELS = 6  # of a nodule that is asked about
MARKER = (slice(3, 7), slice(3, 7))
AROUND = 4  # what lies within so many pixels of a cause counts as the cause: maps are coarse
EPOCHS, BATCH = 25, 16
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
        "The share of the map within 4 pixels of the marker is larger with the shortcut network than with the honest "
        "one; difference above the margin (these pixels are 0.03 of the slice)",
        0.05,
    ),
    "field": ("In a picture of four patients in a row, none of the map lies where the network cannot look", None),
}
CASCADE = ("gradient", "guided backpropagation", "Grad-CAM, bottleneck", "Grad-CAM, last block")


def main():
    from record import CHECKOUT, current_commit, write_results

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
    path = write_results("explanations", "Maps that explain a nodule, and what tests them", results, seed=list(SEEDS))
    print(f"written: {path.name}, {results['seconds']} s")


def measure(seed):
    """Train the three networks of one seed, and ask them: a dictionary of arrays."""
    from unet_helpers.teaching import explanations as ex

    began = time.perf_counter()
    train_set, validation, asked, regions = patients()
    found, networks = {}, {}
    for name in ("honest", "shortcut", "shuffled"):
        network, dice = trained(name, train_set, validation, seed)
        networks[name], found[f"{name} train dice"] = ex.open_network(network), dice
        print(seed, name, np.round(dice, 2), f"{time.perf_counter() - began:.0f} s", flush=True)
    networks["drawn anew"] = ex.randomize(networks["honest"], seed=100 + seed)
    images = with_marker(asked.images)
    for name in ("honest", "shortcut"):
        found |= intervene(networks[name], name, asked.images, images, regions)
    print({key: float(np.mean(value).round(2)) for key, value in found.items() if "odds" in key})
    for name, network in networks.items():
        found |= {f"{name}: {method}": make(network, images, regions) for method, make in ex.METHODS.items()}
        print(seed, name, f"{time.perf_counter() - began:.0f} s", flush=True)
    others = np.roll(images, 1, axis=0)
    for method, make in ex.METHODS.items():
        found[f"other image: {method}"] = make(networks["honest"], others, regions)
        found[f"blind: {method}"] = blind_share(networks["honest"], make, method, images, regions)
    for part in ex.FROM_THE_OUTPUT:
        changed = ex.randomize(networks["honest"], down_to=part, seed=200 + seed)
        for method in CASCADE:
            maps = ex.METHODS[method](changed, images, regions)
            found[f"cascade {part}: {method}"] = ex.resemblance(maps, found[f"honest: {method}"])
            found[f"ssim {part}: {method}"] = likeness(maps, found[f"honest: {method}"])
    return found | {"regions": regions, "seconds": np.array(time.perf_counter() - began)}


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
    return train_set, validation, asked, asked.masks == 2


def largest_nodule(subset):
    """Of each patient the slice with most pixels of nodule."""
    pixels = (subset.masks == 2).sum(axis=(1, 2))
    own = [np.flatnonzero(subset.patient_ids == name) for name in subset.patients]
    return subset[np.array([rows[pixels[rows].argmax()] for rows in own])]


def with_marker(images):
    images = images.copy()
    images[:, *MARKER] = 1.0
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
        images, masks = subset.images.copy(), subset.masks.copy()
        images[carries] = with_marker(images[carries])
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
    options = {key: TRAINING[key] for key in ("learning_rate", "class_weights", "warmup", "average")}
    train(network, data, epochs=epochs, batch_size=BATCH, keep="last", seed=seed, progress=False, **options)
    predictions = predict_masks(network, train_set.images)
    return network, np.array([dice(train_set.masks == k, predictions == k) for k in (1, 2)])


def intervene(network, name, without, images, regions):
    """The log-odds of each nodule as it is, without the marker, without the nodule, and how much of it is found."""
    from unet_helpers.teaching import explanations as ex

    healed = images.copy()
    for image, region in zip(healed, regions, strict=True):
        near = grown(region, 3) & ~grown(region, 1)
        image[grown(region, 1)] = np.median(image[near])
    logits = {key: network(few) for key, few in (("as is", images), ("no marker", without), ("no nodule", healed))}
    found = {f"{name} odds, {key}": ex.log_odds(values, regions).numpy() for key, values in logits.items()}
    for key in ("as is", "no marker"):
        called = logits[key].numpy().argmax(axis=-1) == 2
        found[f"{name} called, {key}"] = (called & regions).sum(axis=(1, 2)) / regions.sum(axis=(1, 2))
    return found


def grown(region, pixels):
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(~region) <= pixels


def blind_share(network, make, method, images, regions):
    """Four patients in a row: the share of the map of the first one's nodule where the network cannot look."""
    from unet_helpers.teaching import explanations as ex

    row = np.concatenate([np.roll(images, -k, axis=0) for k in range(4)], axis=2)
    asked = np.zeros(row.shape[:3], bool)
    asked[:, :, :SIZE] = regions
    few = slice(0, 8)
    maps = make(network, row[few], asked[few], **({"step": 8} if method == "occlusion" else {}))
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
    marker = np.zeros(regions.shape[1:], bool)
    marker[MARKER] = True
    marker = grown(marker, AROUND)
    nodules = np.stack([grown(region, AROUND) for region in regions])
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
            name: over_seeds([ex.share_inside(one, np.broadcast_to(marker, one.shape)) for one in maps[name]])
            for name in ("honest", "shortcut")
        }
        on_nodule = {
            name: over_seeds([ex.share_inside(one, nodules) for one in maps[name]]) for name in ("honest", "shortcut")
        }
        brightest = [[brightest_at(one, k, marker, nodules) for k, one in enumerate(many)] for many in maps["shortcut"]]
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
            "marker, honest": interval(shares["honest"]),
            "marker, shortcut": interval(shares["shortcut"]),
            "cause": interval(shares["shortcut"] - shares["honest"]),
            "nodule, honest": interval(on_nodule["honest"]),
            "nodule, shortcut": interval(on_nodule["shortcut"]),
            "brightest": {
                place: round(float(np.mean([one == place for many in brightest for one in many])), 3)
                for place in ("marker", "nodule", "elsewhere")
            },
            "like occlusion": interval(occlusion),
            "field": {"mean": digits(blind.mean(), 4), "largest": digits(blind.max(), 4), "patients": len(blind)},
            "cause_seeds": [
                digits(np.mean(next(ex.share_inside(m, np.broadcast_to(marker, m.shape)) for m in maps["shortcut"][k])))
                if False
                else digits(
                    ex.share_inside(maps["shortcut"][k], np.broadcast_to(marker, regions.shape)).mean()
                    - ex.share_inside(maps["honest"][k], np.broadcast_to(marker, regions.shape)).mean()
                )
                for k in seeds
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
        for key in ("no marker", "no nodule")
    }
    called = {
        f"{name}, {key}": interval(over_seeds([part[f"{name} called, {key}"] for part in parts]))
        for name in ("honest", "shortcut")
        for key in ("as is", "no marker")
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
        "marker_area": digits(marker.mean()),
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


def over_seeds(values):
    """Each patient's mean over the seeds."""
    return np.mean(values, axis=0)


def interval(values):
    from unet_helpers import bootstrap_interval

    low, high = bootstrap_interval(values)
    return {"mean": digits(values.mean()), "low": digits(low), "high": digits(high)}


def digits(value, count=3):
    return round(float(value), count) + 0.0


def brightest_at(one, k, marker, nodules):
    place = np.unravel_index(one.argmax(), one.shape)
    return "marker" if marker[place] else "nodule" if nodules[k][place] else "elsewhere"


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
