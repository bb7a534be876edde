"""What to annotate next, and how: strategies at equal budgets, weak labels at equal seconds, slices without labels.

``python benchmarks/budgets.py [FIRST [LAST]]`` measures the seeds from FIRST to LAST, by default all, and writes
``book/results/budgets.json`` as soon as all seeds are there; a seed that was measured at this commit is read from
``_build/budgets``. Each seed draws its pool of patients, of whom every second has an unreadable slice, its first
slices, and its initial weights, the same for every strategy. All trainings have equally many steps and one recipe,
chosen on the validation patients; one that ends without calling any pixel of its own slices lung is begun again from
other weights. The test patients are predicted once by each network, at the end. About sixteen
minutes on one core.
"""

import json
import os
import pickle
import sys
import time

import numpy as np

SEEDS = 6
SIZE, SLICES = 64, 8
FAMILY, MADE = 17, {"pool": range(48), "validation": range(48, 56), "test": range(56, 80)}
POOL = 32  # patients of a seed, drawn from those made
BUDGETS = (4, 8, 16, 32)
STEPS, BATCH, SHIFT = 120, 4, 6
FILTERS, DEPTH, RATE = 8, 3, 6e-3
CLASSES = ("background", "lung", "nodule")
WEIGHTS = np.array([1, 1, 20], np.float32)  # of the classes, in the loss
EVERY_SECOND = 16 * 163.0  # seconds to spend on weak labels: sixteen slices with two lungs, outlined
LABELED = 8, 2  # patients, and slices of each, beside those without labels
DECAY, SURE, TRUST = 0.95, 0.9, 0.5  # of the mean teacher; of pseudo-labels; the weight that the teacher ends with


def main():
    from record import CHECKOUT, current_commit, write_results

    first = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    last = int(sys.argv[2]) if len(sys.argv) > 2 else (SEEDS - 1 if len(sys.argv) < 2 else first)
    folder = CHECKOUT / "_build" / "budgets" / current_commit()
    folder.mkdir(parents=True, exist_ok=True)
    parts = {seed: folder / f"seed{seed}.json" for seed in range(SEEDS)}
    subsets = None
    for seed in range(first, last + 1):
        if not parts[seed].exists():
            subsets = subsets or make_subsets(folder / "patients.pickle")
            measured = measure(seed, subsets, "test")
            parts[seed].write_text(json.dumps(measured), encoding="utf-8")
    if all(path.exists() for path in parts.values()):
        results = summarize([json.loads(path.read_text(encoding="utf-8")) for path in parts.values()])
        path = write_results("budgets", "Which slices to annotate, how, and slices without labels", results,
                             seed=list(range(SEEDS)))  # fmt: skip
        print(f"written: {path.name}, {results['seconds']:.0f} s")


def make_subsets(path):
    """Of the patients made, and kept in a file, since making them takes half a minute."""
    if path.exists():
        return pickle.loads(path.read_bytes())
    from unet_helpers.data import subset_of_patients
    from unet_helpers.phantom import make_patient

    def make(index):
        return make_patient(FAMILY, index=index, size=SIZE, slices=SLICES, variety="archive")

    subsets = {name: subset_of_patients([make(index) for index in indices]) for name, indices in MADE.items()}
    path.write_bytes(pickle.dumps(subsets))
    return subsets


def measure(seed, subsets, judge):
    """All arms of one seed: ``{part: {arm: {budget or case: Dice per patient and class, …}}}``."""
    from record import current_commit

    began = time.perf_counter()
    bench = Bench(seed, subsets["pool"], subsets[judge])
    found = {"strategies": bench.strategies(), "weak": bench.weak(), "unlabeled": bench.unlabeled()}
    found |= {"restarts": bench.trainer.restarts, "commit": current_commit()}
    return found | {"unlabeled_slices": bench.others, "seconds": time.perf_counter() - began}


class Pool:
    """The slices of some patients; every second patient has one that cannot be read."""

    def __init__(self, made, seed):
        from unet_helpers.teaching.annotation import DEFECTS, spoil

        rng = np.random.default_rng([seed, 1])
        names = rng.permutation(made.patients)[:POOL]
        subset = made[np.isin(made.patient_ids, names)]
        self.images, self.masks, self.patients = subset.images.copy(), subset.masks, subset.patient_ids
        self.unreadable = np.zeros(len(subset), bool)
        for k, name in enumerate(names[::2]):
            spoiled = rng.choice(np.flatnonzero(self.patients == name))
            self.images[spoiled, ..., 0] = spoil(self.images[spoiled, ..., 0], DEFECTS[k % len(DEFECTS)], rng)
            self.unreadable[spoiled] = True


class Bench:
    """One seed: its pool, its networks, its trainings."""

    def __init__(self, seed, made, judge):
        import keras

        self.seed, self.judge = seed, judge
        self.pool = Pool(made, seed)
        keras.utils.set_random_seed(seed)  # the layers of dropout draw their seeds when they are built
        self.trainer = Trainer()
        order = np.random.default_rng([seed, 2]).permutation(len(self.pool.images))
        self.start = order[~self.pool.unreadable[order]][: BUDGETS[0]].tolist()

    def strategies(self):
        found = {}
        for name in ARMS:
            rng = np.random.default_rng([self.seed, 4 if name == "random again" else 3])
            chosen, rounds = list(self.start), {}
            for budget, following in zip(BUDGETS, (*BUDGETS[1:], None), strict=True):
                if budget == BUDGETS[0] and found:
                    rounds[budget] = next(iter(found.values()))[budget]
                    self.trainer.restore(self.begun)
                else:
                    readable = [k for k in chosen if not self.pool.unreadable[k]]
                    self.train(readable)
                    rounds[budget] = self.score() | {"unreadable": len(chosen) - len(readable)}
                    if not found:
                        self.begun = self.trainer.weights()
                if following:
                    choose = STRATEGIES[ARMS[name]]
                    out = self.pool.unreadable if "readable" in name else np.zeros(len(self.pool.images), bool)
                    chosen += choose(self, chosen, following - budget, np.flatnonzero(~out), rng)
            found[name] = rounds
            print(self.seed, name, _short(rounds), flush=True)
        return found

    def train(self, chosen, start=0, labels=None):
        labels = self.pool.masks[chosen] if labels is None else labels
        self.trainer.fit(self.pool.images[chosen], labels, seed=self.seed * 100 + start)

    def predict(self, network=None):
        return self.trainer.predict(self.pool.images, network)

    def score(self, network=None, side=False):
        """Dice of each patient who is judged, and with ``side`` what became of the left lung (right in the image)."""
        from unet_helpers.evaluation import dice_by_patient

        probabilities = self.trainer.predict(self.judge.images, network)
        predicted = probabilities.argmax(axis=-1)
        found = {
            name: [None if np.isnan(d) else round(float(d), 4) for d in dice_by_patient(predicted, self.judge, index)]
            for index, name in enumerate(CLASSES)
            if index
        }
        if side:
            left = self.judge.masks > 0
            left[:, :, : SIZE // 2] = False
            for key, wrong in (("missed", predicted == 0), ("sure", probabilities[..., 0] >= SURE)):
                found[key] = [
                    round(float(wrong[own][left[own]].mean()), 4)
                    for own in (self.judge.patient_ids == name for name in self.judge.patients)
                ]
        return found

    def weak(self):
        """Masks, boxes and scribbles for equally many seconds; a mask also at half and at twice its cost."""
        from unet_helpers.teaching.annotation import annotate

        rng = np.random.default_rng([self.seed, 4])
        readable = rng.permutation(np.flatnonzero(~self.pool.unreadable))
        found = {}
        for kind in ("mask", "box", "scribble"):
            drawn = [annotate(self.pool.masks[k], kind) for k in readable]
            spent = np.cumsum([seconds for _, seconds in drawn])
            for factor in (1,) if kind == "mask" else (0.5, 1, 2):
                # twice the cost of a weak label is half the seconds
                count = int((spent * factor <= EVERY_SECOND).sum())
                self.train(readable[:count], labels=np.array([labels for labels, _ in drawn[:count]]))
                found.setdefault(kind, {})[factor] = self.score() | {"slices": count}
            print(self.seed, kind, _short(found[kind]), flush=True)
        return found

    def unlabeled(self):
        """Few labels and many slices without; then the same with the left lung forgotten in half of the labels."""
        rng = np.random.default_rng([self.seed, 5])
        names = rng.permutation(np.unique(self.pool.patients))
        few = names[: LABELED[0]]
        readable = ~self.pool.unreadable
        chosen = np.concatenate(
            [rng.choice(np.flatnonzero((self.pool.patients == name) & readable), LABELED[1], False) for name in few]
        )
        others = np.flatnonzero(~np.isin(self.pool.patients, few) & readable)
        self.others = len(others)
        right = self.pool.masks[chosen]
        forgotten = right.copy()
        forgotten[: len(right) // 2, :, SIZE // 2 :] = 0
        found = {}
        for case, labels in (("right labels", right), ("left lung forgotten", forgotten)):
            self.train(chosen, labels=labels)
            arms = {"labels only": self.score(side=True)}
            probabilities = self.trainer.predict(self.pool.images[others])
            pseudo = np.where(probabilities.max(axis=-1) >= SURE, probabilities.argmax(axis=-1), 255).astype(np.uint8)
            images = self.pool.images
            self.trainer.fit(
                images[chosen], labels, seed=self.seed * 100, more=(images[others], pseudo), batch=BATCH // 2
            )
            arms["pseudo-labels"] = self.score(side=True)
            self.trainer.fit(
                images[chosen], labels, seed=self.seed * 100, more=(images[others], None), batch=BATCH // 2
            )
            arms["mean teacher"] = self.score(self.trainer.teacher, side=True)
            arms["its student"] = self.score(side=True)
            self.trainer.fit(images[chosen], labels, seed=self.seed * 100, batch=BATCH // 2)
            arms["labels only, half of a batch"] = self.score(side=True)
            found[case] = arms
            print(self.seed, case, _short(arms), flush=True)
        return found


class Trainer:
    """A small U-Net that is trained again and again from the same weights, and a teacher of the same kind."""

    def __init__(self):
        import keras

        self.network, self.teacher = self.build(), self.build()
        rate = keras.optimizers.schedules.CosineDecay(RATE / 10, STEPS - 20, 0.01, warmup_target=RATE, warmup_steps=20)
        self.network.compile(keras.optimizers.Adam(rate), keras.losses.CategoricalCrossentropy(), jit_compile=False)
        self.network.optimizer.build(self.network.trainable_variables)
        self.untouched = [np.array(variable) for variable in self.network.optimizer.variables]
        bottleneck = keras.layers.GlobalAveragePooling2D()(self.network.get_layer("bottleneck_relu2").output)
        self.describe = keras.Model(self.network.input, bottleneck)
        self.fresh, self.restarts = {}, 0

    @staticmethod
    def build():
        from unet_helpers import UNet

        return UNet((SIZE, SIZE, 1), len(CLASSES), base_filters=FILTERS, depth=DEPTH)

    def begin(self, seed):
        import keras

        if seed not in self.fresh:
            keras.utils.set_random_seed(seed)
            self.fresh[seed] = self.build().get_weights()
        self.network.set_weights(self.fresh[seed])
        for variable, value in zip(self.network.optimizer.variables, self.untouched, strict=True):
            variable.assign(value)

    def weights(self):
        return self.network.get_weights()

    def restore(self, weights):
        self.network.set_weights(weights)

    def predict(self, images, network=None):
        from unet_helpers import predict_probabilities

        return predict_probabilities(network or self.network, images, 64)

    def fit(self, images, labels, *, seed, more=None, batch=BATCH):
        """Train from the weights of this seed; ``more`` are images without labels, and pseudo-labels or None.

        With pseudo-labels, or with the mean teacher, half of each batch has no labels of a person; ``batch`` is the
        number of those that have.
        """
        for attempt in range(5):
            self.begin(seed + 20 * attempt)
            self.run(images, labels, np.random.default_rng([seed, 6]), more, batch)
            called = self.predict(images).argmax(axis=-1)
            if (called == 1).any() or not (labels == 1).any():
                break
            self.restarts += 1

    def run(self, images, labels, rng, more, batch):
        if more and more[1] is None:
            self.teacher.set_weights(self.weights())
        for step in range(STEPS):
            x, y, w = _draw(images, labels, batch, rng)
            x = _disturb(x, rng)
            w = w / w.mean()
            if more:
                extra, pseudo, trust = _draw(*more, BATCH // 2, rng)
                if pseudo is None:
                    pseudo = self.teacher.predict_on_batch(extra)
                    trust = trust * np.float32(TRUST * min(1, step / (0.8 * STEPS)))
                elif trust.any():
                    trust = trust / trust.mean()
                x = np.concatenate([x, _disturb(extra, rng)])
                y, w = np.concatenate([y, pseudo]), np.concatenate([w, trust])
            self.network.train_on_batch(x, y, sample_weight=w)
            if more and more[1] is None:
                follow(self.teacher, self.network, min(1 - 1 / (step + 1), DECAY))


def follow(teacher, student, decay):
    """The exponential mean of the weights: the teacher keeps ``decay`` of itself and takes the rest of the student."""
    for own, new in zip(teacher.weights, student.weights, strict=True):
        if "float" in str(own.dtype):
            own.assign(decay * own + (1 - decay) * new)


def _draw(images, labels, count, rng):
    """Random slices, shifted; one-hot targets; weights of the pixels, 0 where there is no label."""
    index = rng.integers(len(images), size=count)
    edge = ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT))
    padded = np.pad(images[index, ..., 0], edge, mode="edge")
    drawn = None if labels is None else np.pad(labels[index], edge, constant_values=255)
    x, y = [], []
    for k, (row, column) in enumerate(rng.integers(2 * SHIFT + 1, size=(count, 2))):
        place = k, slice(row, row + SIZE), slice(column, column + SIZE)
        x.append(padded[place])
        y.append(None if labels is None else drawn[place])
    x = np.array(x, np.float32)[..., np.newaxis]
    if labels is None:
        return x, None, np.ones(x.shape[:-1], np.float32)
    y = np.array(y)
    labeled = y != 255
    index = np.where(labeled, y, 0)
    return x, np.eye(len(CLASSES), dtype=np.float32)[index], WEIGHTS[index] * labeled


def _disturb(x, rng):
    """Another brightness and contrast for each slice, and noise."""
    gain, offset = rng.uniform(0.9, 1.1, (len(x), 1, 1, 1)), rng.uniform(-0.05, 0.05, (len(x), 1, 1, 1))
    return np.clip(x * gain + offset + rng.normal(0, 0.02, x.shape), 0, 1).astype(np.float32)


def choose_random(bench, chosen, count, allowed, rng):
    left = np.setdiff1d(allowed, chosen)
    return rng.permutation(left)[:count].tolist()


def choose_spread(bench, chosen, count, allowed, rng):
    """Whoever has the fewest slices among the chosen gets one more, by chance."""
    new, patients = [], bench.pool.patients
    for _ in range(count):
        left = np.setdiff1d(allowed, [*chosen, *new])
        have = np.array([np.sum(patients[[*chosen, *new]] == patients[k]) for k in left])
        new.append(int(rng.choice(left[have == have.min()])))
    return new


def choose_entropy(bench, chosen, count, allowed, rng):
    return _highest(_entropy(bench), chosen, count, allowed)


def choose_entropy_spread(bench, chosen, count, allowed, rng):
    from unet_helpers.teaching.annotation import highest_one_each

    return highest_one_each(_entropy(bench), bench.pool.patients, chosen, count)


def choose_disagreement(bench, chosen, count, allowed, rng):
    """Two networks, the second from other weights: how far their answers lie from their mean."""
    from unet_helpers.evaluation import mutual_information

    one = bench.predict()
    bench.train([k for k in chosen if not bench.pool.unreadable[k]], start=1)
    scores = mutual_information(np.stack([one, bench.predict()])).mean(axis=(1, 2))
    return _highest(scores, chosen, count, allowed)


def choose_coverage(bench, chosen, count, allowed, rng):
    from unet_helpers.teaching.annotation import farthest_first

    return farthest_first(bench.trainer.describe.predict(bench.pool.images, verbose=0), chosen, count)


STRATEGIES = {
    "random": choose_random,
    "one slice per patient": choose_spread,
    "entropy": choose_entropy,
    "entropy, one per patient": choose_entropy_spread,
    "disagreement": choose_disagreement,
    "coverage": choose_coverage,
}


#: what is compared, and the strategy of each; the second random says what chance alone makes
ARMS = {name: name for name in STRATEGIES} | {
    "random again": "random",
    "random, all readable": "random",
    "entropy, all readable": "entropy",
}


def _entropy(bench):
    from unet_helpers.evaluation import entropy

    return entropy(bench.predict()).mean(axis=(1, 2))


def _highest(scores, chosen, count, allowed):
    left = np.setdiff1d(allowed, chosen)
    return left[np.argsort(-scores[left], kind="stable")][:count].tolist()


def _short(rounds):
    """For the screen: mean Dice of lung and nodule, and what else was counted."""

    def mean(values):
        return round(float(np.mean([v for v in values if v is not None])), 3)

    return {
        key: [mean(value) if isinstance(value, list) else value for value in one.values()]
        for key, one in rounds.items()
    }


def summarize(seeds):
    """Means with intervals over seeds and patients, differences to random, shares of the seeds that beat it."""
    everyone = range(len(seeds))

    def table(part, arm, key, column):
        return np.array([seeds[s][part][arm][str(key)][column] for s in everyone], dtype=float)  # None is nan

    strategies, weak, unlabeled = {}, {}, {}
    for arm in seeds[0]["strategies"]:
        base = "random, all readable" if "readable" in arm else "random"
        rows, curves = {}, {name: [] for name in CLASSES[1:]}
        for budget in BUDGETS:
            row = {"unreadable": [seeds[s]["strategies"][arm][str(budget)]["unreadable"] for s in everyone]}
            for name in CLASSES[1:]:
                values, usual = (table("strategies", one, budget, name) for one in (arm, base))
                row |= _estimate(name, values)
                if arm != base and budget > BUDGETS[0]:
                    row |= _compare(f"{name}_gain", values - usual)
                curves[name] += [(values, usual)] * (budget > BUDGETS[0])
            rows[str(budget)] = row
        whole = {}
        for name, pairs in curves.items():
            values, usual = np.mean(pairs, axis=0)
            whole |= _estimate(name, values) | (_compare(f"{name}_gain", values - usual) if arm != base else {})
        strategies[arm] = {"budgets": rows, "whole curve": whole, "against": None if arm == base else base}
    for kind, prices in seeds[0]["weak"].items():
        for price in prices:
            row = {"slices": [seeds[s]["weak"][kind][price]["slices"] for s in everyone]}
            for name in CLASSES[1:]:
                values = table("weak", kind, price, name)
                row |= _estimate(name, values)
                if kind != "mask":
                    row |= _compare(f"{name}_gain", values - table("weak", "mask", 1, name))
            weak.setdefault(kind, {})[price] = row
    for case, arms in seeds[0]["unlabeled"].items():
        for arm in arms:
            row = {}
            for name in (*CLASSES[1:], "missed", "sure"):
                values = table("unlabeled", case, arm, name)
                row |= _estimate(name, values)
                if arm != "labels only":
                    row |= _compare(f"{name}_gain", values - table("unlabeled", case, "labels only", name))
            unlabeled.setdefault(case, {})[arm] = row
    patients = table("strategies", "random", BUDGETS[0], "lung").shape[1]
    with_nodule = int(np.isfinite(table("strategies", "random", BUDGETS[0], "nodule")).all(axis=0).sum())
    return {
        "seeds": len(seeds),
        "test_patients": patients,
        "test_patients_with_nodule": with_nodule,
        "pool_patients": POOL,
        "pool_slices": POOL * SLICES,
        "pool_unreadable": POOL // 2,
        "size": SIZE,
        "steps": STEPS,
        "trainings": _trainings() * len(seeds),
        "labeled_patients": LABELED[0],
        "labeled_slices": LABELED[0] * LABELED[1],
        "unlabeled_slices": [seeds[s]["unlabeled_slices"] for s in everyone],
        "seconds_of_annotation": EVERY_SECOND,
        "sure": SURE,
        "strategies": strategies,
        "weak": weak,
        "unlabeled": unlabeled,
        "restarts": [one["restarts"] for one in seeds],
        "commits": [one["commit"] for one in seeds],
        "seconds": round(sum(one["seconds"] for one in seeds)),
    }


def _trainings():
    rounds = len(BUDGETS) - 1
    return 1 + rounds * len(ARMS) + rounds + 7 + 2 * 4


def _estimate(name, values):
    """Mean over seeds and patients with its interval, and each seed's mean; patients without a value are left out."""
    from unet_helpers.evaluation import interval_of_mean

    values = values[:, np.isfinite(values).all(axis=0)]
    low, high = interval_of_mean(values)
    numbers = {name: values.mean(), f"{name}_low": low, f"{name}_high": high}
    return {key: round(float(value), 4) + 0.0 for key, value in numbers.items()} | {
        f"{name}_by_seed": [round(float(value), 4) + 0.0 for value in values.mean(axis=1)]
    }


def _compare(name, gained):
    """The mean difference, in how many seeds it is above 0, and Wilson's interval of that share."""
    from scipy import stats

    row = _estimate(name, gained)
    wins = sum(value > 0 for value in row[f"{name}_by_seed"])
    interval = stats.binomtest(wins, len(gained)).proportion_ci(method="wilson")
    share = {"share": wins / len(gained), "share_low": interval.low, "share_high": interval.high}
    return row | {f"{name}_{key}": round(float(value), 3) for key, value in share.items()}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
