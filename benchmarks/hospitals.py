"""Federated averaging over four hospitals, what normalization does to it, what a gradient gives away, what noise costs.

``python benchmarks/hospitals.py`` trains U-Nets on the phantom's slices of 64×64 pixels (lung against background) at
the four hospitals of ``unet_helpers.teaching.hospitals``: on pooled data, at each hospital alone, and by federated
averaging. Every network is the outcome of equally many steps of equally many images, counted over all hospitals. Each
of three seeds draws its own training patients; the learning rates are chosen on validation patients, by a seed of its
own; the test patients of the hospitals and of a fifth, which took no part, are looked at once. Then pictures are
reconstructed from what one hospital sends after one step.

Writes ``book/results/hospitals.json``, and the reconstructed pictures into ``hospitals_leak.npz`` beside it. About
twenty minutes on one core. ``--folder F`` keeps what was computed and goes on from there; ``--minutes 9`` stops after
about so long, and ``--now`` records what the folder holds: every number says on which seeds it rests.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SEEDS, CHOOSER = (0, 1, 2), 9  # the last seed chooses the learning rates
SIZE, BATCH, STEPS, ROUNDS = 64, 8, 480, 12  # steps of one network, over all hospitals
FINE_TUNING = 40  # steps at each hospital, after all rounds
RATES = (0.05, 0.1, 0.2)
VALIDATION, TEST = range(0, 2), range(10, 18)  # numbers of patients at each hospital
# noise: standard deviation for each number that is sent, in units of the clipping norm
MULTIPLIERS, LEAK_MULTIPLIERS = (0.0, 0.003, 0.01, 0.03, 0.1), (0.0, 0.001, 0.003, 0.01)
ROUGHNESS = 1e-5  # how much a rough picture is held against a guess
LEAKED = 32  # side of the pictures that are reconstructed
BEGAN = time.perf_counter()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="keep what is computed here, and go on from it")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after about so long")
    parser.add_argument(
        "--now", action="store_true", help="record what the folder holds, with the seeds that are there"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name, function in parts(folder):
            if arguments.now or (folder / f"{name}.json").is_file():
                continue
            if time.perf_counter() - BEGAN > 60 * arguments.minutes:
                sys.exit("stopped; call again with the same folder")
            began = time.process_time()
            found = {"found": function(), "seconds": time.process_time() - began}
            (folder / f"{name}.json").write_text(json.dumps(found))
            print(f"{name}: {found['seconds']:.0f} s", flush=True)
        results, pictures = assemble(folder)
    from record import write_results

    from unet_helpers.teaching import RESULTS

    path = write_results("hospitals", "Federated averaging over four hospitals", results, seed=list(SEEDS))
    np.savez_compressed(RESULTS / "hospitals_leak.npz", **pictures)
    print(f"written: {path.name}")


def parts(folder):
    """``(name, function)`` of everything that is computed and kept."""
    yield "rates", choose_rates
    for seed in SEEDS:
        for arm in ARMS:
            yield f"{arm}_{seed}", lambda arm=arm, seed=seed: ARMS[arm](Run(seed, load(folder, "rates")))
    for seed in SEEDS:
        yield f"leak_{seed}", lambda seed=seed: leak(seed, load(folder, "rates"))


def load(folder, name):
    """What a part has found."""
    return json.loads((folder / f"{name}.json").read_text())["found"]


# --- training ---------------------------------------------------------------------------------------

MADE = {}


def made(name, numbers):
    """Slices of a hospital, made once."""
    from unet_helpers.teaching.hospitals import slices_of

    key = name, tuple(numbers)
    if key not in MADE:
        MADE[key] = slices_of(name, numbers, SIZE)
    return MADE[key]


def network_of(norm):
    """A compiled network with batch or group normalization, built once; its weights are set before each use."""
    import keras

    from unet_helpers import UNet
    from unet_helpers.teaching.hospitals import with_group_norm

    if norm not in MADE:
        network = UNet((SIZE, SIZE, 1), 2, base_filters=8, depth=2, dropout=0.0)
        network = with_group_norm(network) if norm == "group" else network
        network.compile(keras.optimizers.SGD(0.1, momentum=0.9), "categorical_crossentropy")
        MADE[norm] = network
    return MADE[norm]


class Run:
    """One seed: its training patients at each hospital, and the ways to train on them."""

    def __init__(self, seed, rates):
        from unet_helpers.data.subsets import join
        from unet_helpers.teaching.hospitals import HOSPITALS, SITES

        self.seed, self.rates = seed, rates
        first = 100 * (seed + 1)
        self.sites = {name: made(name, range(first, first + HOSPITALS[name].patients)) for name in SITES}
        self.pool = join(list(self.sites.values()))
        sizes = np.array([len(subset) for subset in self.sites.values()], float)
        self.shares = sizes / sizes.sum()

    def start(self, norm):
        """A network's first weights, the same for every way to train it."""
        import keras

        from unet_helpers import start_at_class_shares

        network = network_of(norm)
        keras.utils.set_random_seed(self.seed)
        fresh = keras.models.clone_model(network)
        start_at_class_shares(fresh, self.pool.masks)
        return fresh.get_weights()

    def batches(self, subset, stream):
        """Endless batches ``(images, one-hot masks)``, shuffled anew in each turn through the slices."""
        rng = np.random.default_rng([self.seed, stream])
        targets = np.eye(2, dtype=np.float32)[subset.masks]
        while True:
            order = rng.permutation(len(subset))
            for at in range(0, len(order) - BATCH + 1, BATCH):
                chosen = order[at : at + BATCH]
                yield subset.images[chosen], targets[chosen]

    def fit(self, norm, weights, batches, steps, rate):
        """Some steps of gradient descent with momentum, from these weights and without momentum of before."""
        network = network_of(norm)
        network.set_weights(weights)
        network.optimizer.learning_rate = rate
        for variable in network.optimizer.variables:
            if "momentum" in variable.path:
                variable.assign(np.zeros(variable.shape))
        for _ in range(steps):
            network.train_on_batch(*next(batches))
        return network.get_weights()

    def pooled(self, norm, steps=STEPS, rate=None):
        """Train one network on the slices of all hospitals."""
        rate = rate or self.rates[f"pooled {norm}"]
        return self.fit(norm, self.start(norm), self.batches(self.pool, 0), steps, rate)

    def federated(self, norm, *, steps=STEPS, rounds=ROUNDS, rate=None, shares=None, local=None, change=None):
        """Federated averaging: the weights at each hospital after the last round.

        ``local`` are weights that stay at a hospital, a boolean for each array. ``change(before, after)`` is done
        to what a hospital sends. The steps of all hospitals together are ``steps``.
        """
        rate = rate or self.rates[f"federated {norm}"]
        shares = self.shares if shares is None else shares
        each = steps // rounds // len(self.sites)
        streams = [self.batches(subset, k) for k, subset in enumerate(self.sites.values())]
        start = self.start(norm)
        local = local or [False] * len(start)
        at_sites = [start] * len(streams)
        for _ in range(rounds):
            sent = []
            for before, stream in zip(at_sites, streams, strict=True):
                after = self.fit(norm, before, stream, each, rate)
                sent.append(change(before, after) if change else after)
            mean = average(sent, shares)
            at_sites = [[s if own else m for s, m, own in zip(one, mean, local, strict=True)] for one in sent]
        return at_sites


def average(sent, shares):
    """The weighted mean of lists of arrays, array by array."""
    return [
        sum(share * array for share, array in zip(shares, arrays, strict=True)) for arrays in zip(*sent, strict=True)
    ]


def named(norm, *endings):
    """For each array of a network's weights whether it is one of these of a normalization layer."""
    return [weight.path.rsplit("/")[-1] in endings and "bn" in weight.path for weight in network_of(norm).weights]


def dice_of(norm, weights, name, numbers=TEST):
    """Lung Dice of each patient of a hospital."""
    from unet_helpers.evaluation import dice_by_patient, predict_masks

    network, subset = network_of(norm), made(name, numbers)
    network.set_weights(weights)
    return dice_by_patient(predict_masks(network, subset.images), subset, 1).tolist()


def everywhere(norm, weights):
    """Dice of one network at every hospital: ``{hospital: [Dice of each patient]}``."""
    from unet_helpers.teaching.hospitals import HOSPITALS

    return {name: dice_of(norm, weights, name) for name in HOSPITALS}


def each_its_own(norm, at_sites):
    """Dice at each hospital of its own network; elsewhere the mean over the four networks."""
    from unet_helpers.teaching.hospitals import SITES

    found = {name: dice_of(norm, weights, name) for name, weights in zip(SITES, at_sites, strict=True)}
    return found | {"elsewhere": np.mean([dice_of(norm, w, "elsewhere") for w in at_sites], axis=0).tolist()}


# --- what is compared -------------------------------------------------------------------------------


def choose_rates():
    """The learning rate of each way to train, by the mean Dice of the validation patients; and how far weights move."""
    run, found = Run(CHOOSER, {}), {}
    from unet_helpers.teaching.hospitals import SITES

    for norm in ("batch", "group"):
        for way in ("pooled", "federated"):
            scores = []
            for rate in RATES:
                if way == "pooled":
                    weights = run.pooled(norm, STEPS // 2, rate)
                else:
                    weights = run.federated(norm, steps=STEPS // 2, rounds=ROUNDS // 2, rate=rate)[0]
                scores.append(np.mean([dice_of(norm, weights, name, VALIDATION) for name in SITES]))
            found[f"{way} {norm}"] = RATES[int(np.argmax(scores))]
            found[f"{way} {norm}, validation"] = [round(float(score), 4) for score in scores]
    moved = []

    def measure(before, after):
        moved.append(norm_of([a - b for a, b in zip(after, before, strict=True)]))
        return after

    run.federated("group", rate=found["federated group"], change=measure)
    return found | {"clipping norm": float(np.median(moved))}


def norm_of(arrays):
    """The length of all numbers of these arrays, taken as one vector."""
    return float(np.sqrt(sum(np.sum(np.square(array, dtype=float)) for array in arrays)))


def arm_pooled(run):
    return {f"pooled, {norm}": everywhere(norm, run.pooled(norm)) for norm in ("batch", "group")}


def arm_alone(run):
    networks = [
        run.fit("group", run.start("group"), run.batches(subset, k), STEPS, run.rates["pooled group"])
        for k, subset in enumerate(run.sites.values())
    ]
    alone = {name: everywhere("group", weights) for name, weights in zip(run.sites, networks, strict=True)}
    return {"alone": each_its_own("group", networks)} | {f"alone at {name}": dice for name, dice in alone.items()}


def arm_group(run):
    """Federated averaging with group normalization: as it is, fine-tuned, weighted alike, in fewer rounds."""
    weights = run.federated("group")[0]
    return {
        "federated, group": everywhere("group", weights),
        "fine-tuned": each_its_own("group", fine_tuned(run, "group", weights)),
        "federated, alike": everywhere("group", run.federated("group", shares=np.full(4, 0.25))[0]),
        "federated, 4 rounds": everywhere("group", run.federated("group", rounds=4)[0]),
        "federated, 4 times as long": everywhere(
            "group", run.federated("group", steps=4 * STEPS, rounds=4 * ROUNDS)[0]
        ),
    }


def fine_tuned(run, norm, weights):
    """Some more steps at each hospital, at a quarter of the rate: a network for each."""
    rate = run.rates[f"federated {norm}"] / 4
    return [
        run.fit(norm, weights, run.batches(subset, 20 + k), FINE_TUNING, rate)
        for k, subset in enumerate(run.sites.values())
    ]


def arm_batch(run):
    """Federated averaging with batch normalization: all averaged, or its layers left at home; other statistics."""
    network, weights = network_of("batch"), run.federated("batch")[0]
    own = []
    for k, subset in enumerate(run.sites.values()):  # only a look at the slices: no weight is learned
        network.set_weights(weights)
        stream = run.batches(subset, 10 + k)
        for _ in range(40):  # the old averages fade: 0.9 ** 40 is 0.015
            network(next(stream)[0], training=True)
        own.append(network.get_weights())
    averaged, pooled, between = combined_statistics(own, run.shares)
    at_home = run.federated("batch", local=named("batch", "gamma", "beta", "moving_mean", "moving_variance"))
    return {
        "federated, batch": everywhere("batch", weights),
        "federated, batch, own statistics": each_its_own("batch", own),
        "federated, batch, averaged statistics": everywhere("batch", averaged),
        "federated, batch, pooled statistics": everywhere("batch", pooled),
        "federated, batch at home": each_its_own("batch", at_home),
        "federated, batch, fine-tuned": each_its_own("batch", fine_tuned(run, "batch", weights)),
        "between": between,
    }


def combined_statistics(own, shares):
    """Weights with the variances averaged, and with those of all slices together; what share of them the first miss.

    ``own`` are the weights at each hospital, alike but for the statistics. The variance of all slices together is the
    mean of the variances and the variance of the means. The share is a mean over channels, for each layer.
    """
    averaged = average(own, shares)
    pooled, missing = list(averaged), []
    places = np.flatnonzero(named("batch", "moving_mean")), np.flatnonzero(named("batch", "moving_variance"))
    for m, v in zip(*places, strict=True):
        between = sum(share * (one[m] - averaged[m]) ** 2 for share, one in zip(shares, own, strict=True))
        pooled[v] = averaged[v] + between
        missing.append(float(np.mean(between / pooled[v])))
    return averaged, pooled, missing


def arm_noise(run):
    """What a hospital sends is clipped, and noise is added to it."""
    found = {}
    for multiplier in MULTIPLIERS:
        rng = np.random.default_rng([run.seed, 77])

        def clip_and_blur(before, after, multiplier=multiplier, rng=rng):
            sent = protect(
                [a - b for a, b in zip(after, before, strict=True)], run.rates["clipping norm"], multiplier, rng
            )
            return [b + change for b, change in zip(before, sent, strict=True)]

        weights = run.federated("group", change=clip_and_blur)[0]
        found[f"noise {multiplier:g}"] = everywhere("group", weights)
    return found


def protect(update, limit, multiplier, rng):
    """Shorten an update to the length ``limit`` at most, and add normal noise of ``multiplier * limit`` per number."""
    shrink = min(1, limit / norm_of(update))
    return [shrink * array + rng.normal(0, multiplier * limit, array.shape).astype(np.float32) for array in update]


ARMS = {"pooled": arm_pooled, "group": arm_group, "batch": arm_batch, "alone": arm_alone, "noise": arm_noise}


# --- what an update gives away ----------------------------------------------------------------------


def leak(seed, rates):
    """Reconstruct pictures from what was sent after one step; for each way the errors, and some pictures.

    The attacker knows the network, its weights before the step, and the masks; not the pictures. Noise is that of
    :func:`protect`, with the length of the gradient as the limit.
    """
    import keras

    from unet_helpers.teaching.hospitals import slices_of

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng([seed, 5])
    network = leaking_network(smooth=True)
    patients = slices_of("North", range(1000 + 10 * seed, 1000 + 10 * seed + 4), LEAKED)
    pictures = patients.images[4::8]  # one slice of each
    masks = np.eye(2, dtype=np.float32)[patients.masks[4::8]]
    others = slices_of("North", VALIDATION, LEAKED).images[4::8].mean(axis=0)
    attack = Attack(network)
    found = {"errors": {}, "guesses": {"picture": np.round(pictures[0][..., 0], 3).tolist()}}

    def record(way, guesses, truths):
        found["errors"].setdefault(way, []).extend(map(error, guesses, truths))
        found["guesses"].setdefault(way, np.round(guesses[0][..., 0], 3).tolist())

    record("mean of other patients", [others] * 4, pictures)
    start, angular = network.get_weights(), Attack(leaking_network(smooth=False))
    for k in range(2):
        picture, mask = pictures[k : k + 1], masks[k : k + 1]
        gradient = attack.gradient(picture, mask)
        length = norm_of(gradient)
        for multiplier in LEAK_MULTIPLIERS:
            seen = protect(gradient, length, multiplier, rng) if multiplier else gradient
            record(f"noise {multiplier:g}", attack(seen, mask, rng, noisy=multiplier > 0), picture)
        record("mask unknown", attack(gradient, None, rng), picture)
        record("ReLU and max pooling", angular(angular.gradient(picture, mask), mask, rng), picture)
    record("4 pictures, one step", attack(attack.gradient(pictures, masks), masks, rng), pictures)
    for k in range(4):  # four steps of one picture each; what is sent is the sum
        step = attack.gradient(pictures[k : k + 1], masks[k : k + 1])
        network.set_weights(
            [w - rates["federated group"] * g for w, g in zip(network.get_weights(), step, strict=True)]
        )
    sent = [(a - b) / 4 / rates["federated group"] for a, b in zip(start, network.get_weights(), strict=True)]
    network.set_weights(start)
    record("4 pictures, four steps", attack(sent, masks, rng), pictures)
    return found


def leaking_network(smooth):
    """The network of the federation for smaller pictures; smooth: swish and mean pooling for ReLU and max pooling."""
    import keras

    from unet_helpers import UNet
    from unet_helpers.teaching.hospitals import with_group_norm

    network = with_group_norm(UNet((LEAKED, LEAKED, 1), 2, base_filters=8, depth=2, dropout=0.0))
    if not smooth:
        return network

    def replaced(layer):
        if isinstance(layer, keras.layers.ReLU):
            return keras.layers.Activation("swish", name=layer.name)
        if isinstance(layer, keras.layers.MaxPooling2D):
            return keras.layers.AveragePooling2D(2, name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    return keras.models.clone_model(network, clone_function=replaced, call_function=lambda layer, x, **_: layer(x))


class Attack:
    """Look for pictures whose gradient is the one that was seen, by L-BFGS, from noise. After Zhu et al. (2019)."""

    def __init__(self, network):
        import tensorflow as tf

        self.network = network

        def gradient(pictures, masks):
            with tf.GradientTape() as tape:
                error = -tf.reduce_mean(tf.reduce_sum(masks * tf.math.log(network(pictures) + 1e-7), axis=-1))
            return tape.gradient(error, network.trainable_variables)

        @tf.function
        def mismatch(pictures, scores, known, masks, seen, scales):
            with tf.GradientTape() as tape:
                tape.watch([pictures, scores])
                used = tf.where(known, masks, tf.nn.softmax(scores))
                made = gradient(pictures, used)
                value = sum(tf.reduce_sum((a - b) ** 2) / c for a, b, c in zip(made, seen, scales, strict=True))
                rough = sum(tf.reduce_mean(tf.abs(tf.experimental.numpy.diff(pictures, axis=k))) for k in (1, 2))
                value += ROUGHNESS * rough
            return value, tape.gradient(value, [pictures, scores], unconnected_gradients="zero")

        self._gradient, self._mismatch = tf.function(gradient), mismatch

    def gradient(self, pictures, masks):
        """The gradient of the cross-entropy in all weights: a list of arrays."""
        return [array.numpy() for array in self._gradient(pictures, masks)]

    def __call__(self, seen, masks, rng, noisy=False):
        """The pictures found; without masks these too. With noise all numbers count alike, else all arrays."""
        import scipy.optimize
        import tensorflow as tf

        known = masks is not None
        masks = masks if known else np.zeros((1, LEAKED, LEAKED, 2), np.float32)
        shape = (*masks.shape[:3], 1)
        squares = [float(np.sum(np.square(array, dtype=float))) for array in seen]
        scales = [np.float32(sum(squares) if noisy else square) for square in squares]
        seen = [tf.constant(array, tf.float32) for array in seen]
        split = int(np.prod(shape))

        def value_and_slope(numbers):
            pictures, scores = numbers[:split].reshape(shape), numbers[split:].reshape(masks.shape)
            value, slopes = self._mismatch(
                tf.constant(pictures, tf.float32), tf.constant(scores, tf.float32), known, masks, seen, scales
            )
            flat = np.concatenate([slope.numpy().ravel() for slope in slopes]).astype(float)
            return 1e4 * float(value), 1e4 * flat

        start = np.concatenate([rng.uniform(0.3, 0.7, split), np.zeros(masks.size)])
        limits = [(0, 1)] * split + [(-8, 8)] * masks.size
        options = {"maxiter": 600, "maxcor": 50, "ftol": 1e-14, "gtol": 1e-10}
        found = scipy.optimize.minimize(
            value_and_slope, start, jac=True, method="L-BFGS-B", bounds=limits, options=options
        )
        return found.x[:split].reshape(shape).astype(np.float32)


def error(guess, truth):
    """Root mean square error in HU, and correlation."""
    rmse = 1500 * float(np.sqrt(np.mean((guess - truth) ** 2)))
    return [rmse, float(np.corrcoef(guess.ravel(), truth.ravel())[0, 1])]


# --- what is recorded -------------------------------------------------------------------------------

PAIRS = (
    ("federated, group", "pooled, group"),
    ("federated, group", "alone"),
    ("fine-tuned", "federated, group"),
    ("fine-tuned", "pooled, group"),
    ("fine-tuned", "alone"),
    ("pooled, group", "alone"),
    ("federated, alike", "federated, group"),
    ("federated, 4 rounds", "federated, group"),
    ("federated, 4 times as long", "federated, group"),
    ("federated, 4 times as long", "pooled, group"),
    ("federated, 4 times as long", "alone"),
    ("federated, batch", "pooled, batch"),
    ("federated, group", "federated, batch"),
    ("federated, batch, own statistics", "federated, batch"),
    ("federated, batch, pooled statistics", "federated, batch, averaged statistics"),
    ("federated, batch at home", "federated, batch"),
    ("federated, batch at home", "federated, group"),
    *((f"noise {multiplier:g}", "federated, group") for multiplier in MULTIPLIERS),
    *((f"noise {multiplier:g}", "noise 0") for multiplier in MULTIPLIERS[1:]),
)


def assemble(folder):
    """The results, with intervals over patients, and some of the reconstructed pictures."""
    from unet_helpers.teaching.hospitals import HOSPITALS, SITES

    rates = load(folder, "rates")
    runs = [
        {
            k: v
            for arm in ARMS
            if (folder / f"{arm}_{seed}.json").is_file()
            for k, v in load(folder, f"{arm}_{seed}").items()
        }
        for seed in SEEDS
    ]
    between = np.mean([run.pop("between") for run in runs if "between" in run], axis=0)
    places = {name: (name,) for name in HOSPITALS} | {"all four": SITES}
    leaks = [load(folder, f"leak_{seed}") for seed in SEEDS if (folder / f"leak_{seed}.json").is_file()]
    errors = {way: [pair for one in leaks for pair in one["errors"][way]] for way in leaks[0]["errors"]}
    times = {part.stem: json.loads(part.read_text())["seconds"] for part in sorted(folder.glob("*.json"))}
    results = {
        "training_patients": {name: HOSPITALS[name].patients for name in SITES},
        "test_patients_each": len(TEST),
        "steps": STEPS,
        "rounds": ROUNDS,
        "batch": BATCH,
        "fine_tuning_steps": FINE_TUNING,
        "rates": {name: value for name, value in rates.items() if name != "clipping norm"},
        "dice": {way: {name: mean_of(runs, way, where) for name, where in places.items()} for way in runs[0]},
        "differences": {
            f"{way} − {other}": {name: mean_of(runs, way, where, other) for name, where in places.items()}
            for way, other in PAIRS
        },
        "variance_between_hospitals": between.round(3).tolist(),
        "weights": sum(int(np.prod(array.shape)) for array in network_of("group").get_weights()),
        "clipping_norm": round(rates["clipping norm"], 3),
        "leak": {way: errors_of(pairs) for way, pairs in errors.items()},
        "core_seconds": round(sum(times.values())),
    }
    pictures = {way: np.array(guess, np.float32) for way, guess in leaks[0]["guesses"].items()}
    return results, pictures


def mean_of(runs, way, where, other=None):
    """Mean Dice over the patients of some hospitals, or its difference from another way; with its interval.

    Over the seeds that have it: ``seeds`` holds one mean for each.
    """
    from unet_helpers import bootstrap_interval

    ways = (way, other) if other else (way,)
    values = np.array(
        [[np.concatenate([run[one][name] for name in where]) for one in ways] for run in runs if set(ways) <= set(run)]
    )
    values = values[:, 0] - values[:, 1] if other else values[:, 0]  # (seeds, patients)
    low, high = bootstrap_interval(values.mean(axis=0))  # a patient counts once
    numbers = {"mean": values.mean(), "mean_low": low, "mean_high": high}
    row = {name: round(float(value), 4) + 0.0 for name, value in numbers.items()}
    return row | {"seeds": values.mean(axis=1).round(4).tolist()}


def errors_of(pairs):
    """Mean error in HU and its range, the median correlation, and how many pictures there are.

    No interval: the pictures of a seed share the network's weights, and those of a batch the gradient.
    """
    rmse, correlation = np.array(pairs).T
    row = {"rmse_hu": rmse.mean(), "rmse_hu_least": rmse.min(), "rmse_hu_most": rmse.max()}
    row = {name: round(float(value), 1) for name, value in row.items()}
    return row | {"correlation": round(float(np.median(correlation)), 3), "pictures": len(rmse)}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
