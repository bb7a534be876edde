"""Notebook 09."""

import keras
import numpy as np
import pandas as pd

from mutants import Exercise
from unet_helpers import bootstrap_interval, window
from unet_helpers.teaching.checks import domain_shift_and_transfer as check


def by_patient(before, after):
    lost = (after - before).dropna()
    return lost.mean(), bootstrap_interval(lost)


def one_patient_at_a_time(before, after):
    lost = [after[name] - before[name] for name in before.index if name in after.index]
    lost = np.array(lost)[np.isfinite(lost)]
    return [float(np.mean(lost)), list(bootstrap_interval(lost))]


def joined_by_t(before, after):
    both = pd.concat([before, after], axis=1, join="inner").dropna()
    lost = both[1] - both[0]
    return lost.mean(), bootstrap_interval(lost, method="t")


def other_draws(before, after):
    lost = after - before
    return lost.mean(), bootstrap_interval(lost, seed=7)


def unpaired(before, after):
    (a, b), (c, d) = bootstrap_interval(before), bootstrap_interval(after)
    return after.mean() - before.mean(), (c - b, d - a)


def by_place(before, after):
    lost = after.to_numpy() - before.to_numpy()
    return np.nanmean(lost), bootstrap_interval(lost)


def sorted_names(before, after):
    return by_place(before.sort_index(), after.sort_index())


def mean_is(mean):
    return lambda before, after: (mean(before, after), bootstrap_interval(after - before))


def ends_are(ends):
    return lambda before, after: ((after - before).mean(), ends(after - before))


def filled_with(value):
    def answer(before, after):
        return by_patient(before.fillna(value), after.fillna(value))

    return answer


def blanks_in_place(before, after):
    before.iloc[0] = np.nan
    return by_patient(before, after)


def sorts_in_place(before, after):
    after.iloc[:] = after.sort_index().to_numpy()
    return by_patient(before, after)


CAUSES = check.ANSWERS


def line(gray, level, width):
    return level + (gray - 0.5) * width


def in_place(gray, level, width):
    gray *= width
    gray += level - width / 2
    return gray


def freeze(network, prefix="down", skip=(), first=None):
    for layer in network.layers[:first]:
        if layer.name.startswith(prefix) and not layer.name.endswith(skip):
            layer.trainable = False
    return network


def freeze_a_clone(network):
    other = keras.models.clone_model(network)
    other.set_weights(network.get_weights())
    return freeze(other)


def by_its_name(network):
    for name in [layer.name for layer in network.layers]:
        network.get_layer(name).trainable = name[:4] != "down"
    return network


def freeze_all(network):
    network.trainable = False
    return network


def freeze_and_reset(network):
    network.set_weights([0 * weight for weight in network.get_weights()])
    return freeze(network)


def fresh(network):
    return freeze(keras.models.clone_model(network))


def all_but_the_contracting_path(network):
    for layer in network.layers:
        layer.trainable = layer.name.startswith("down")
    return network


EXERCISES = [
    Exercise(
        "09.1",
        check.paired,
        right={
            "differences by patient": by_patient,
            "one patient at a time": one_patient_at_a_time,
            "joined, interval by t": joined_by_t,
            "other draws": other_draws,
        },
        wrong={
            "who stayed as before left out": (
                mean_is(lambda b, a: (a - b)[lambda lost: lost != 0].mean()),
                "Subtract by",
            ),
            "over all who were there before": (mean_is(lambda b, a: (a - b).sum() / len(b)), "Subtract by patient"),
            "two digits": (mean_is(lambda b, a: round((a - b).mean(), 2)), "Subtract by patient"),
            "before minus after": (lambda before, after: by_patient(after, before), "after minus before"),
            "unpaired": (unpaired, "Subtract first, patient by patient"),
            "by place": (by_place, "subtract by patient"),
            "sorted names": (sorted_names, "ubtract by patient"),
            "no interval": (lambda before, after: after.mean() - before.mean(), "return two things"),
            "three numbers": (lambda before, after: (0.1, *bootstrap_interval(after - before)), "return two things"),
            "after alone": (
                lambda b, a: (a.mean(), bootstrap_interval(a)),
                "every patient lost 0.1, and it gives 0.45",
            ),
            "mean as text": (mean_is(lambda b, a: f"{(a - b).mean():.3f}"), "a number was expected"),
            "a mean with nan": (mean_is(lambda b, a: np.mean((a - b).to_numpy())), "leave such a patient out"),
            "difference of the means": (mean_is(lambda b, a: a.mean() - b.mean()), "not over the same patients"),
            "median": (mean_is(lambda b, a: (a - b).median()), "the median"),
            "gains as losses": (mean_is(lambda b, a: -(a - b).abs().mean()), "keep the sign"),
            "relative": (mean_is(lambda b, a: ((a - b) / b).mean()), "it gives"),
            "the first patient": (mean_is(lambda b, a: (a - b).iloc[0]), "ubtract by patient"),
            "nan as 0": (filled_with(0), "does not count 0"),
            "who is missing as 0": (mean_is(lambda b, a: a.sub(b, fill_value=0).mean()), "does not count 0"),
            "who gained left out": (mean_is(lambda b, a: (a - b)[lambda lost: lost < 0].mean()), "Patients who gained"),
            "ends exchanged": (ends_are(lambda lost: bootstrap_interval(lost)[::-1]), "ends in order"),
            "smallest and largest": (ends_are(lambda lost: (lost.min(), lost.max())), "how much the patients differ"),
            "mean and deviation": (
                ends_are(lambda lost: (lost.mean() - lost.std(), lost.mean() + lost.std())),
                "how much the patients differ",
            ),
            "mean and deviation of the population": (
                ends_are(lambda lost: (lost.mean() - lost.std(ddof=0), lost.mean() + lost.std(ddof=0))),
                "how much the patients differ",
            ),
            "quartiles": (ends_are(lambda lost: tuple(lost.quantile([0.25, 0.75]))), "has to hold the mean"),
            "90 percent": (ends_are(lambda lost: bootstrap_interval(lost, level=0.9)), "its level of 95 %"),
            "99 percent": (ends_are(lambda lost: bootstrap_interval(lost, level=0.99)), "its level of 95 %"),
            "interval of after": (
                lambda b, a: ((a - b).mean(), bootstrap_interval(a)),
                "Subtract first, patient by patient",
            ),
            "around zero": (ends_are(lambda lost: bootstrap_interval(lost - lost.mean())), "where nobody is"),
            "blanks in place": (blanks_in_place, "changes what it is given"),
            "sorts in place": (sorts_in_place, "changes what it is given"),
        },
    ),
    Exercise(
        "09.2",
        check.name_the_cause,
        right={
            "the four causes": CAUSES,
            "in another order": dict(reversed(CAUSES.items())),
            "in capitals": {letter: np.str_(cause.upper()) for letter, cause in CAUSES.items()},
        },
        wrong={
            "one open": (CAUSES | {"A": ...}, "Not yet: A"),
            "no such cause": (CAUSES | {"B": "flu"}, "'flu' for 'B' is none of"),
            "A as motion": (CAUSES | {"A": "motion"}, "one and the same gray value"),
            "A as wide field": (CAUSES | {"A": "wide field of view"}, "one and the same gray value"),
            "B as low dose": (CAUSES | {"B": "low dose"}, "edges appear twice"),
            "C as motion": (CAUSES | {"C": "motion"}, "grainy"),
            "D as motion": (CAUSES | {"D": "motion"}, "another size"),
            "A and D exchanged": (CAUSES | {"A": CAUSES["D"], "D": CAUSES["A"]}, "one and the same gray value"),
            "one cause for all": (dict.fromkeys(CAUSES, "low dose"), "one and the same gray value"),
            "keys and values exchanged": ({cause: letter for letter, cause in CAUSES.items()}, "keep the keys"),
            "one missing": ({letter: CAUSES[letter] for letter in "ABC"}, "'D' is missing"),
            "a list": (list(CAUSES.values()), "keep the dictionary"),
            "a set": (set(CAUSES.values()), "keep the dictionary"),
        },
    ),
    Exercise(
        "09.3",
        check.back_to_hu,
        right={
            "from the middle": line,
            "from the lower end": lambda gray, level, width: gray * width + (level - width / 2),
            "from both ends": lambda g, level, w: (1 - g) * (level - w / 2) + g * (level + w / 2),
            "np.interp": lambda gray, level, width: np.interp(gray, [0, 1], [level - width / 2, level + width / 2]),
            "in single precision": lambda gray, level, width: line(gray.astype(np.float32), level, width),
        },
        wrong={
            "cut off as a scanner does": (
                lambda gray, level, width: np.clip(line(gray, level, width), -1024, 3071),
                "Solve gray",
            ),
            "whole level": (lambda gray, level, width: line(gray, int(level), width), "49.5/351"),
            "in 16 bits": (lambda gray, level, width: line(gray, level, width).astype(np.float16), "Solve gray"),
            "from the level": (lambda gray, level, width: gray * width + level, "gray 0 is level - width / 2"),
            "plus half": (lambda gray, level, width: (gray + 0.5) * width + level, "with a minus"),
            "level missing": (lambda gray, level, width: (gray - 0.5) * width, "the level moves them"),
            "width alone": (lambda gray, level, width: gray * width, "lower end of the window"),
            "exchanged": (lambda gray, level, width: gray * level + width, "exchanged"),
            "exchanged, from the middle": (lambda gray, level, width: line(gray, width, level), "exchanged"),
            "windowed again": (lambda gray, level, width: window(gray, level, width), "a second time"),
            "level subtracted": (lambda gray, level, width: line(gray, -level, width), "with a plus"),
            "dark for bright": (lambda gray, level, width: line(1 - gray, level, width), "Black and white"),
            "nothing": (lambda gray, level, width: gray, "as it was"),
            "the window of the page": (lambda gray, level, width: line(gray, -400, 2200), "Solve gray"),
            "width // 2": (lambda gray, level, width: gray * width + level - width // 2, "Half of an odd width"),
            "whole numbers": (lambda gray, level, width: line(gray, level, width).astype(int), "rounded"),
            "rounded": (lambda gray, level, width: np.rint(line(gray, level, width)), "rounded"),
            "cut off": (lambda gray, level, width: np.clip(line(gray, level, width), -1000, 1000), "were cut off"),
            "one row": (lambda gray, level, width: line(gray[0], level, width), "return one value for each"),
            "flat": (lambda gray, level, width: line(gray, level, width).ravel(), "return one value for each"),
            "as text": (lambda gray, level, width: line(gray, level, width).astype(str), "numbers were expected"),
            "in place": (in_place, "changes what it is given"),
            "a key": (lambda gray, level, width: gray["x"], "raised"),
        },
    ),
    Exercise(
        "09.4",
        check.frozen,
        right={"layer by layer": freeze, "by name": by_its_name, "a clone": freeze_a_clone},
        wrong={
            "nothing": (lambda network: network, "down1_conv1 belongs to the contracting path"),
            "the first 15 layers": (
                lambda network: freeze(network, "", first=15),
                "depth 1, bottleneck_conv1 is frozen",
            ),
            "half of the layers": (lambda network: freeze(network, "", first=len(network.layers) // 2), "is frozen"),
            "down1 and down2": (lambda network: freeze(network, ("down1", "down2")), "depth 3, down3_conv1 belongs"),
            "down1": (lambda network: freeze(network, "down1"), "down2_conv1 belongs"),
            "convolutions": (lambda network: freeze(network, skip=("_bn1", "_bn2")), "Batch normalization has weights"),
            "one convolution of two": (lambda network: freeze(network, skip="conv2"), "can still be trained"),
            "bottleneck as well": (lambda network: freeze(network, ("down", "bottleneck")), "below the contracting"),
            "expanding path as well": (lambda network: freeze(network, ("down", "up")), "the expanding path"),
            "expanding path": (lambda network: freeze(network, "up"), "belongs to the contracting path"),
            "all but the contracting path": (all_but_the_contracting_path, "belongs to the contracting path"),
            "the network": (freeze_all, "nothing is left to train"),
            "zeros": (freeze_and_reset, "the weights have changed"),
            "new weights": (fresh, "the weights have changed"),
            "layers": (lambda network: freeze(network).layers, "return the network"),
            "nothing returned": (lambda network: [freeze(network), None][1], "returns nothing"),
        },
    ),
]
