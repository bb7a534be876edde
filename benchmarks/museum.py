"""What sixteen bugs cost, which of them a doctor names, and which cause gives 50 % accuracy for fifty epochs.

``python benchmarks/museum.py bugs`` trains each exhibit of ``unet_helpers.teaching.museum`` and its healthy counterpart
with five seeds, measures both on 24 patients that no run has seen, and asks ``unet_helpers.failures.diagnose`` about
every run and about twenty healthy runs of other kinds. Intervals are t intervals of the paired differences over the
seeds.

``python benchmarks/museum.py half`` trains for fifty epochs under each explanation of a run that stood at 50.05 to
50.2 % accuracy. ``python benchmarks/museum.py leak`` splits the nodules of a few patients, in thin slices, by slice and
by patient, and measures each network on patients that it has not seen. Without a word it does all three. Writes
``museum.json``, ``museum_half.json`` and ``leak.json`` into ``book/results`` and takes about 40 minutes on two cores.
"""

import os
import sys
import time
from dataclasses import replace

import numpy as np

SEEDS = range(10, 15)  # others than the doctor was tried on
HELD_OUT = range(48, 72)
OTHER_WINDOW = (-400, 2200)
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
HALF_EPOCHS, RANGE = 50, (0.5005, 0.502)
LEAK_SEEDS, UNSEEN_FAMILY = range(10, 18), 100  # each seed is also a family of patients
LEAK_PATIENTS, LEAK_UNSEEN, LEAK_SLICES, LEAK_STEPS = 6, 24, 48, 250


def main():
    from record import write_results

    from unet_helpers.teaching.museum import EPOCHS

    began, chosen = time.perf_counter(), sys.argv[1:] or ["bugs", "half", "leak"]

    def write(name, what, results, seeds=SEEDS):
        path = write_results(name, what, results, seed=list(seeds))
        print(f"written: {path.name}, {time.perf_counter() - began:.0f} s", flush=True)

    if "leak" in chosen:
        what = "Nodules of few patients in thin slices, split by slice and by patient: reported and honest Dice"
        write("leak", what, measure_leak(LEAK_SEEDS), LEAK_SEEDS)
    world = make_world() if {"bugs", "half"} & set(chosen) else None
    if "bugs" in chosen:
        results = {"epochs": EPOCHS, "held_out_patients": len(world["lung held out"].patients)}
        results |= measure_bugs(world, SEEDS)
        results |= ask_healthy_runs(world)
        write("museum", "Sixteen bugs: what each costs, which a doctor names, and its false alarms", results)
    if "half" in chosen:
        what = "Fifty epochs under each explanation of a run that stood at 50.05 to 50.2 % accuracy"
        write("museum_half", what, reproduce_half(world, SEEDS))


def make_world():
    """The data of all runs: tasks by name, and the patients that no run has seen."""
    from unet_helpers.data import subset_of_patients
    from unet_helpers.phantom import make_patient
    from unet_helpers.teaching.museum import (
        lung_task,
        lungs_of,
        museum_patients,
        resize_masks_with_defaults,
        three_class_task,
        three_classes_of,
    )

    full = museum_patients()
    patients = [make_patient(0, index=index) for index in HELD_OUT]
    held_out, other = subset_of_patients(patients), subset_of_patients(patients, window=OTHER_WINDOW)
    return {
        "full": full,
        "lung": lung_task(full),
        "soft": soft_task(full),
        "three classes": three_class_task(full),
        "resized": three_class_task(full, resize_masks_with_defaults),
        "lung held out": lungs_of(held_out),
        "soft held out": lungs_of(held_out),
        "three classes held out": three_classes_of(held_out),
        "other scanner": lungs_of(other),
    }


# --- what each bug costs ----------------------------------------------------------------------


def measure_bugs(world, seeds):
    """Train every exhibit and its healthy counterpart; effects, what was seen, and what the doctor says."""
    from unet_helpers.teaching.museum import EXHIBITS

    healthy = [train_healthy(world, seed) for seed in seeds]
    scores = [round(run["validation_dice"], 3) for run in healthy]
    print(f"healthy runs: validation Dice {scores}", flush=True)
    if min(scores) < 0.9:
        raise SystemExit("a healthy run has not learned: every effect would be measured against it")
    rows = {}
    for name, exhibit in EXHIBITS.items():
        began = time.perf_counter()
        trained = train_exhibit(name, exhibit, world, seeds, healthy)
        pairs = [(run["honest"], run["reference"]) for run in trained]
        effects = [a - b for a, b in pairs]
        named = [run["named"] for run in trained]
        rows[name] = {
            **interval("effect", effects),
            "effect_seeds": rounded(effects),
            "with_bug": round(float(np.mean([a for a, _ in pairs])), 4),
            "without": round(float(np.mean([b for _, b in pairs])), 4),
            "seen": rounded([run["seen"] for run in trained]),
            "caught_by": exhibit.caught_by,
            "named_first": sum(names[:1] == [name] for names in named),
            "named": sum(name in names for names in named),
            "doctor": named,
        }
        for key in trained[0].get("more", {}):
            rows[name] |= interval(key, [run["more"][key] for run in trained])
        shown = {key: value for key, value in rows[name].items() if key != "caught_by"}
        print(f"{name}: {shown}, {time.perf_counter() - began:.0f} s", flush=True)
    return {
        **interval("healthy_dice", [run["dice"] for run in healthy]),
        "healthy_findings": [run["named"] for run in healthy],
        "bugs": rows,
        "bugs_named": sum(row["named"] > len(seeds) / 2 for row in rows.values()),
    }


_compiled = {}


def train(key, data, seed, **options):
    """``museum.fit``; a compiled network of an earlier run of the same kind is set back, which saves compiling."""
    import keras

    from unet_helpers.teaching.museum import LEARNING_RATE, build_small_unet, fit, fit_compiled

    if key not in _compiled:
        run = fit(data, seed=seed, **options)
        _compiled[key] = run.model
        return run
    keras.utils.set_random_seed(seed)
    network, build = _compiled[key], options.pop("build", build_small_unet)
    network.set_weights(build(data).get_weights())
    for variable in network.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    network.optimizer.learning_rate = options.pop("learning_rate", LEARNING_RATE)
    return fit_compiled(network, data, **{k: value for k, value in options.items() if k not in ("loss", "metrics")})


def train_healthy(world, seed):
    """The healthy run of a seed: its Dice, its curves, what the doctor says, and its probabilities after each epoch."""
    import keras

    from unet_helpers import predict_probabilities
    from unet_helpers.failures import diagnose
    from unet_helpers.teaching.museum import mean_dice

    held_out, epochs = world["lung held out"], []

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            epochs.append(predict_probabilities(self.model, held_out.images)[..., 0])

    run = train("lung", world["lung"], seed, callbacks=[Keep()])
    return {
        "dice": mean_dice(run.model, held_out),
        "validation_dice": mean_dice(run.model, world["lung"].validation),
        "history": run.history,
        "epochs": epochs,
        "named": diagnose(run.model, run.history, run.data).names,
    }


def train_exhibit(name, exhibit, world, seeds, healthy):
    """One exhibit with every seed: its score, what it is compared with, what was seen, and what was named."""
    if name == "test set used for selection":
        return [select_on_test(run, world["lung held out"], seed) for run, seed in zip(healthy, seeds, strict=True)]
    return [train_one(name, exhibit, world, seed, run) for run, seed in zip(healthy, seeds, strict=True)]


def train_one(name, exhibit, world, seed, healthy):
    """One exhibit with one seed."""
    from unet_helpers.failures import diagnose
    from unet_helpers.teaching.museum import mean_dice, normalize

    clean, held_out = world[exhibit.task], world[f"{exhibit.task} held out"]
    data = exhibit.change(clean, seed) if exhibit.change else clean
    if exhibit.task == "three classes":
        data = world["resized"]
    index = data.class_names.index("lung")
    key = {"lung": "lung", "soft": "lung"}.get(exhibit.task, exhibit.task)
    changed = exhibit.build, exhibit.metrics
    plain = type(exhibit)("", "")
    key = key if changed == (plain.build, plain.metrics) else name
    options = {"build": exhibit.build, "metrics": exhibit.metrics, "learning_rate": exhibit.learning_rate}
    run = train(key, data, seed, **options)
    named = diagnose(run.model, run.history, run.data).names
    if name == "training and validation scaled differently":
        held_out = replace(held_out, images=held_out.images * np.float32(255))  # as its pipeline would
    score = mean_dice(run.model, held_out, index)
    watched = [curve for curve in run.history if curve.startswith("val_") and curve != "val_loss"]
    seen = run.history[watched[-1]][-1]
    result = {"named": named, "seen": seen, "honest": score, "reference": healthy["dice"]}
    if name == "patients on both sides of the split":
        reported = mean_dice(run.model, data.validation)
        repaired = train("lung", exhibit.repair(clean, seed), seed)
        difference = mean_dice(repaired.model, repaired.data.validation) - mean_dice(repaired.model, held_out)
        # the same patients are easier or harder for everybody: what a split by patient reports too much is taken off
        return result | {"honest": reported - difference, "reference": score}
    if name in ("accuracy as the only metric", "metric averaged per batch"):
        return result | {"honest": seen, "reference": mean_dice(run.model, data.validation)}
    if name == "each subset normalized by itself":
        there = world["other scanner"]
        scores = {
            (place, how): mean_dice(run.model, normalize(subset, reference))
            for place, subset in (("here", held_out), ("there", there))
            for how, reference in (("own", subset), ("training", clean.train))
        }
        more = {"other_scanner_effect": scores["there", "own"] - scores["there", "training"]}
        more["other_scanner_honest"] = scores["there", "training"]
        return result | {"honest": scores["here", "own"], "reference": scores["here", "training"], "more": more}
    if exhibit.task == "three classes" or exhibit.repair:
        data = exhibit.repair(clean, seed) if exhibit.repair else clean
        result["reference"] = mean_dice(train(key, data, seed).model, held_out, index)
    return result


def select_on_test(healthy, held_out, seed):
    """The best epoch and threshold of a run by the Dice of twelve patients, and the same choice on twelve others."""
    from unet_helpers.evaluation import average, dice_by_patient

    patients = np.random.default_rng(seed).permutation(held_out.patients)
    halves = [np.isin(held_out.patient_ids, part) for part in np.array_split(patients, 2)]
    candidates = [(epoch, threshold) for epoch in healthy["epochs"] for threshold in THRESHOLDS]

    def score(found, part):
        return average(dice_by_patient(found, part, 1, made_up=0)).value

    table = np.array([[score(p[half] >= t, held_out[half]) for half in halves] for p, t in candidates])
    # each half is the test set once, so that the easier one does not count
    best = table.argmax(axis=0)
    reported = float(np.mean([table[best[half], half] for half in (0, 1)]))
    honest = float(np.mean([table[best[half], 1 - half] for half in (0, 1)]))
    return {"named": healthy["named"], "seen": reported, "honest": reported, "reference": honest}


# --- false alarms -----------------------------------------------------------------------------


def ask_healthy_runs(world):
    """Twenty healthy runs of other sizes, widths, tasks and settings: what the doctor says of each."""
    from unet_helpers.failures import diagnose

    rows = []
    for seed, (name, make) in enumerate(healthy_settings(world).items(), start=101):
        began = time.perf_counter()
        run = make(seed)
        findings = diagnose(run.model, run.history, run.data).names
        curve = next(c for c in getattr(run.history, "curves", run.history) if c.startswith("val_") and "dice" in c)
        rows.append({"setting": name, "seed": seed, "val_dice": round(run.history[curve][-1], 3), "findings": findings})
        print(rows[-1], f"{time.perf_counter() - began:.0f} s", flush=True)
    return {"healthy_runs": rows, "false_alarms": sum(bool(row["findings"]) for row in rows)}


def healthy_settings(world):
    """``{name: function of the seed that gives a Run}``."""
    import keras

    from unet_helpers import AttentionUNet, UNet, load_dataset, start_at_class_shares
    from unet_helpers import train as train_quietly
    from unet_helpers.data import nodule_task
    from unet_helpers.teaching.museum import (
        Run,
        augment_together,
        build_small_unet,
        fit,
        lung_task,
        museum_patients,
        normalize_by_training,
        split_again_by_patient,
    )

    lung, full = world["lung"], world["full"]

    def with_data(change, **options):
        return lambda seed: fit(change(seed), seed=seed, **options)

    def with_network(**options):
        return lambda seed: fit(lung, seed=seed, build=lambda data: build_small_unet(data, **options))

    def few(seed):
        keep = np.isin(lung.train.patient_ids, lung.train.patients[:10])
        return replace(lung, train=lung.train[keep])

    def body(seed):
        from scipy.ndimage import binary_fill_holes

        def outline(part):
            masks = np.stack([binary_fill_holes(image[..., 0] > 0.4) for image in part.images])
            return replace(part, masks=masks.astype(np.uint8))

        return replace(lung, class_names=("background", "body"), **{n: outline(p) for n, p in lung.subsets.items()})

    def smaller(seed):
        def quarter(part):
            return replace(part, images=part.images[:, ::2, ::2], masks=part.masks[:, ::2, ::2])

        return replace(lung, **{name: quarter(part) for name, part in lung.subsets.items()})

    def quietly(data, channels, **options):
        def run(seed):
            keras.utils.set_random_seed(seed)
            network = UNet(data.train.images.shape[1:], channels, base_filters=8, depth=3)
            start_at_class_shares(network, data.train.masks)
            history = train_quietly(network, data, learning_rate=3e-3, seed=seed, progress=False, **options)
            return Run(network, history, data)

        return run

    def attention(data):
        return AttentionUNet(data.train.images.shape[1:], 1, base_filters=4, depth=3)

    def plain(data):
        return UNet(data.train.images.shape[1:], 1, base_filters=8, depth=3, batch_norm=False, dropout=0.0)

    def windowed(*window):
        return lung_task(museum_patients(window=window))

    def others():
        return lung_task(load_dataset("phantom", seed=1, patients=24))

    return {
        "as in the museum": with_network(),
        "4 filters": with_network(base_filters=4),
        "12 filters": with_network(base_filters=12),
        "two channels": with_network(channels=2),
        "learning rate 0.01": with_data(lambda seed: lung, learning_rate=1e-2),
        "learning rate 0.001, 12 epochs": with_data(lambda seed: lung, learning_rate=1e-3, epochs=12),
        "10 training patients": with_data(few, epochs=8),
        "another split": with_data(lambda seed: split_again_by_patient(lung, seed)),
        "other patients": with_data(lambda seed: others(), epochs=8),
        "32 pixels": with_data(smaller),
        "128 pixels, three classes": with_data(lambda seed: full, epochs=3),
        "middle cut out, 64 slices": with_data(lambda seed: quarter_task(lung), epochs=15),
        "normalized by training": with_data(lambda seed: normalize_by_training(lung)),
        "soft-tissue window": with_data(lambda seed: windowed(40, 400)),
        "wide window": with_data(lambda seed: windowed(*OTHER_WINDOW)),
        "augmented together": with_data(lambda seed: augment_together(lung, seed)),
        "body, half of the picture": with_data(body),
        "attention U-Net": lambda seed: fit(lung, seed=seed, build=attention),
        "no batch normalization": lambda seed: fit(lung, seed=seed, build=plain, learning_rate=1e-3, epochs=12),
        "nodules, weighted loss": quietly(nodule_task(full), 1, epochs=6, class_weights=(1, 10), keep="last"),
    }


# --- the run at 50 % ---------------------------------------------------------------------------


def reproduce_half(world, seeds):
    """Fifty epochs under each explanation: the accuracy of every epoch, and how many lie in the reported range."""
    from unet_helpers.teaching.museum import build_softmax_over_one, pair_by_sorting

    lungs = quarter_task(world["lung"])

    def small(data):
        from unet_helpers import UNet

        return UNet(data.train.images.shape[1:], 1, base_filters=4, depth=2, dropout=0.0)

    def coins(slices, share=0.5):
        return lambda seed: placeholder_task(slices, seed=seed, share=share)

    def noise(slices, rate=1e-3):
        return coins(slices), small, rate, seeds if slices < 256 else seeds[:3]

    explanations = {
        "nothing wrong": (lambda seed: lungs, small, 1e-3, seeds),
        "masks of other slices": (lambda seed: pair_by_sorting(lungs), small, 1e-3, seeds),
        "softmax over one channel": (lambda seed: lungs, build_softmax_over_one, 1e-3, seeds),
        "two channels, dead, binary accuracy": (lambda seed: lungs, build_dead_channels, 1e-3, seeds),
        "noise, a quarter foreground": (coins(64, 0.25), small, 1e-3, seeds),
        "noise, half foreground, 16 slices": noise(16),
        "noise, half foreground, 64 slices": noise(64),
        "noise, half foreground, 256 slices": noise(256),
        "noise, half foreground, 256 slices, a tenth of the learning rate": noise(256, 1e-4),
    }
    rows = {}
    for name, (make, build, rate, some_seeds) in explanations.items():
        began = time.perf_counter()
        runs = [fifty_epochs(make(seed), build, rate, seed) for seed in some_seeds]
        shares = [float(make(seed).train.masks.mean()) for seed in some_seeds]
        row = {
            "foreground": round(float(np.mean(shares)), 4),
            "constant_seeds": rounded([max(x, 1 - x) for x in shares]),
        }
        for key in ("accuracy", "val_accuracy"):
            curves = np.array([run[key] for run in runs])
            inside = ((curves >= RANGE[0]) & (curves <= RANGE[1])).sum(axis=1)
            row |= {
                f"{key}_lowest": round(float(curves.min()), 5),
                f"{key}_highest": round(float(curves.max()), 5),
                f"{key}_epochs_in_range": inside.tolist(),
                f"{key}_curves": [rounded(curve, 5) for curve in curves],
            }
        rows[name] = row
        shown = {key: value for key, value in row.items() if "curves" not in key}
        print(f"{name}: {shown}, {time.perf_counter() - began:.0f} s", flush=True)
    return rows


def fifty_epochs(data, build, learning_rate, seed):
    """The curves of one run: Adam, binary cross-entropy, binary accuracy."""
    import keras

    def metrics(network):
        return [keras.metrics.BinaryAccuracy(name="accuracy")]

    options = {"loss": "binary_crossentropy", "learning_rate": learning_rate, "epochs": HALF_EPOCHS, "batch_size": 16}
    key = "half", build.__name__, data.train.images.shape[1:]
    return train(key, data, seed, build=build, metrics=metrics, **options).history


# --- a leak that costs -------------------------------------------------------------------------


def measure_leak(seeds):
    """Six patients of its own for each seed, whose crops are split by slice and by patient: a network for each split.

    ``reported`` is the mean Dice of the patients in the test crops of that split, ``honest`` that of the same network
    in the patients of one more family, who are the same for every network. A training whose first weights were so
    unlucky that it finds nothing in the crops that it learned from is begun again with others.
    """
    from unet_helpers.evaluation import average, dice_by_patient
    from unet_helpers.evaluation.prediction import predict_masks
    from unet_helpers.teaching.museum import mean_dice

    unseen = nodules_in_thin_slices(UNSEEN_FAMILY, LEAK_UNSEEN)
    runs = {"by slice": [], "by patient": []}
    for seed in seeds:
        pool = nodules_in_thin_slices(seed, LEAK_PATIENTS)
        for how, done in runs.items():
            began, data = time.perf_counter(), split_in_two(pool, how, seed)
            model, restarts = learn_nodules(data, seed)
            patients = dice_by_patient(predict_masks(model, unseen.images), unseen, 1, made_up=0)
            learned, reported = (mean_dice(model, part) for part in (data.train, data.test))
            honest = average(patients).value
            done.append({"learned": learned, "reported": reported, "honest": honest, "effect": reported - honest})
            seconds = f"{time.perf_counter() - began:.0f} s, {restarts} restarts"
            print(seed, how, rounded(done[-1].values(), 3), seconds, flush=True)
            done[-1] |= {"patients": patients, "restarts": restarts, "with_nodule": len(pool.patients)}
            done[-1] |= {"crops": len(data.train), "tested": len(data.test)}
    rows = {}
    for how, done in runs.items():
        rows[how] = {key: [one[key] for one in done] for key in ("with_nodule", "crops", "tested", "restarts")}
        for key in ("learned", "reported", "honest", "effect"):
            values = [one[key] for one in done]
            rows[how] |= interval(key, values) | {f"{key}_seeds": rounded(values)}
        over_patients = np.mean([one["patients"] for one in done], axis=0)
        rows[how] |= interval("honest_patients", over_patients) | {"honest_each_patient": rounded(over_patients)}
    sizes = {"patients": LEAK_PATIENTS, "unseen_patients": len(unseen.patients), "unseen_crops": len(unseen)}
    return sizes | {"slices": LEAK_SLICES, "steps": LEAK_STEPS, "splits": rows}


def learn_nodules(data, seed, batch_size=8):
    """A network trained for ``LEAK_STEPS`` steps, and how often it had to begin again."""
    from unet_helpers.teaching.museum import mean_dice
    from unet_helpers.training.losses import DiceCrossEntropy

    epochs = round(LEAK_STEPS / np.ceil(len(data.train) / batch_size))
    options = {"build": build_for_nodules, "loss": DiceCrossEntropy(class_weights=(1, 10)), "epochs": epochs}
    for restarts in range(5):
        start = seed + 1000 * restarts
        model = train("leak", data, start, batch_size=batch_size, validation_freq=epochs, **options).model
        if mean_dice(model, data.train) > 0.5:
            return model, restarts
    raise SystemExit(f"seed {seed}: five trainings have not learned their own crops")


def build_for_nodules(data):
    """The U-Net of the museum that begins with the share of the nodules, or it would never find one."""
    from unet_helpers import start_at_class_shares
    from unet_helpers.teaching.museum import build_small_unet

    network = build_small_unet(data)
    start_at_class_shares(network, data.train.masks)
    return network


def nodules_in_thin_slices(family, patients):
    """The crops that show a nodule, of patients in slices about 4 mm apart."""
    from unet_helpers import load_dataset
    from unet_helpers.data import nodule_crops
    from unet_helpers.data.subsets import join

    data = load_dataset("phantom", seed=family, patients=patients, slices=LEAK_SLICES)
    crops = nodule_crops(join(list(data.subsets.values())))
    return crops[crops.masks.any(axis=(1, 2))]


def split_in_two(pool, how, seed):
    """Two thirds to train on and one third to test on: of the crops, or of the patients."""
    from unet_helpers import Dataset

    units = pool.patient_ids if how == "by patient" else pool.case_ids
    dealt = np.random.default_rng(seed).permutation(np.unique(units))
    learned = np.isin(units, dealt[: round(len(dealt) * 2 / 3)])
    return Dataset(f"nodules, split {how}", ("background", "nodule"), pool[learned], pool[~learned], pool[~learned])


# --- help -------------------------------------------------------------------------------------


def interval(name, values):
    """Mean of paired values over the seeds with its 95 % t interval."""
    from scipy import stats

    values = np.asarray(values, float)
    mean, half = values.mean(), np.nan
    if len(values) > 1:
        half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    rows = {name: mean, f"{name}_low": mean - half, f"{name}_high": mean + half}
    return {key: None if np.isnan(value) else round(float(value), 4) for key, value in rows.items()}


def rounded(values, digits=4):
    """Numbers as JSON has them."""
    return [None if not np.isfinite(value) else round(float(value), digits) for value in values]


def build_dead_channels(data):
    """Two channels whose last ReLU gives 0 for every pixel: a softmax of equal numbers, and no gradient."""
    import keras

    from unet_helpers import UNet

    network = UNet(data.train.images.shape[1:], 2, base_filters=4, depth=2, dropout=0.0)
    x = keras.layers.Conv2D(2, 1, bias_initializer=keras.initializers.Constant(-100.0))(network.layers[-2].output)
    return keras.Model(network.input, keras.layers.Softmax()(keras.layers.ReLU()(x)))


def quarter_task(data, count=64):
    """Slices whose lungs cover about a quarter of the picture, cut to the middle: the report's share of foreground."""
    from unet_helpers.teaching.museum import _each

    def cut(part):
        middle = replace(part, images=part.images[:, 8:56, 8:56], masks=part.masks[:, 8:56, 8:56])
        share = middle.masks.mean(axis=(1, 2))
        return middle[np.argsort(np.abs(share - 0.25))[: min(count, len(part))]]

    return _each(data, cut)


def soft_task(data):
    """``museum.lung_task`` with masks that were resized bilinearly and left as fractions."""
    from unet_helpers.teaching.museum import lung_task, lungs_of

    parts = {name: replace(lungs_of(part), masks=soften_masks(part.masks)) for name, part in data.subsets.items()}
    return replace(lung_task(data), **parts)


def soften_masks(full):
    """Two classes, masks resized bilinearly and kept as fractions: (N, H, W) float32 at half the resolution."""
    n, height, width = full.shape
    return (full > 0).reshape(n, height // 2, 2, width // 2, 2).mean(axis=(2, 4), dtype=np.float32)


def placeholder_task(slices, size=64, seed=0, share=0.5):
    """Random images and random masks with a share of foreground; a quarter as many again for validation."""
    from unet_helpers import Dataset, Subset

    random = np.random.default_rng(seed)

    def noise(n):
        masks = (random.random((n, size, size)) < share).astype(np.uint8)
        ids = np.array([f"N{k:04d}" for k in range(n)])
        return Subset(random.random((n, size, size, 1), dtype=np.float32), masks, ids, ids, np.ones((n, 2)))

    parts = [noise(slices), noise(max(slices // 4, 1)), noise(1)]
    return Dataset("noise", ("background", "coin"), *parts)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
