"""Notebook 01."""

import re

import numpy as np

from mutants import Exercise
from unet_helpers.teaching.checks import data_pairing as check


def key(path):
    patient, position = re.findall(r"\d+", path.stem)
    return int(patient), int(position)


def other_patients(pairs):
    return sum(key(i)[0] != key(m)[0] for i, m in pairs)


def loop(pairs):
    count = 0
    for image, mask in pairs:
        if int(image.stem.split("_")[1]) != int(mask.stem.split("_")[1]):
            count += 1
    return count


def by_patient(of):
    """Count the pairs whose patients, as text, differ after ``of``."""
    return lambda pairs: sum(of(i.name.split("_")[1]) != of(m.name.split("_")[1]) for i, m in pairs)


def whole_path(path):
    return int(re.findall(r"\d+", str(path))[0])


def groups(name):
    return re.search(r"ID_(\d+)_Z_(\d+)", name).groups()


def numbers(name):
    patient, position = groups(name)
    return int(patient), int(position)


def as_number(factor):
    return lambda name: factor * numbers(name)[0] + numbers(name)[1]


def by_words(name):
    words = re.split("[_.]", name)
    return int(words[words.index("ID") + 1]), int(words[words.index("Z") + 1])


VALUES = {0: 0, 1: 1, 2: 1, 255: 1}


def both(train, test):
    return sorted(set(train) & set(test))


def only_repeated(train, test):
    return [patient for patient in both(train, test) if list(train).count(patient) > 1]


def each_in_turn(train, test):
    found = []
    for patient in sorted(test):
        if patient in train and patient not in found:
            found.append(patient)
    return found


def sorted_in_place(train, test):
    train.sort()
    return both(train, test)


EXERCISES = [
    Exercise(
        "01.1",
        check.count_other_patient,
        right={
            "sum of comparisons": other_patients,
            "a loop that counts": loop,
            "a list and its length": lambda pairs: len([1 for i, m in pairs if key(i)[0] != key(m)[0]]),
            "a NumPy number": lambda pairs: np.count_nonzero([key(i)[0] != key(m)[0] for i, m in pairs]),
            "zeros in front stripped": by_patient(lambda patient: patient.lstrip("0")),
        },
        wrong={
            "two numbers apart": (
                lambda pairs: sum(abs(key(i)[0] - key(m)[0]) > 1 for i, m in pairs),
                "ID_4_Z_3 with ID_0005_Z_0003",
            ),
            "each two patients once": (
                lambda pairs: len({(key(i)[0], key(m)[0]) for i, m in pairs if key(i)[0] != key(m)[0]}),
                "Every one of these pairs counts",
            ),
            "with the mask before": (
                lambda pairs: sum(key(pairs[k][0])[0] != key(pairs[k - 1][1])[0] for k in range(len(pairs))),
                "Every one of these pairs counts",
            ),
            "whole names": (lambda pairs: sum(i.name != m.name for i, m in pairs), "whole names as text"),
            "patients as text": (lambda pairs: sum(i.name[:7] != m.name[:7] for i, m in pairs), "as text"),
            "characters at fixed places": (lambda pairs: sum(i.name[3:7] != m.name[3:7] for i, m in pairs), "as text"),
            "patient and slice": (lambda pairs: sum(key(i) != key(m) for i, m in pairs), "patient and slice"),
            "the slices": (lambda pairs: sum(key(i)[1] != key(m)[1] for i, m in pairs), "first part of the key"),
            "the pairs of one patient": (
                lambda pairs: sum(key(i)[0] == key(m)[0] for i, m in pairs),
                "pairs of one patient",
            ),
            "a share": (lambda pairs: other_patients(pairs) / max(len(pairs), 1), "a share"),
            "the pairs themselves": (
                lambda pairs: [pair for pair in pairs if key(pair[0])[0] != key(pair[1])[0]],
                "count the pairs",
            ),
            "whether there is one": (lambda pairs: other_patients(pairs) > 0, "a number was expected"),
            "zeros stripped at both ends": (by_patient(lambda patient: patient.strip("0")), "10 and 1 are two"),
            "the last digit": (by_patient(lambda patient: patient[-1]), "in every pair"),
            "patients of these images, each once": (
                lambda pairs: len({key(i)[0] for i, m in pairs if key(i)[0] != key(m)[0]}),
                "Every one of these pairs counts",
            ),
            "patients of these pairs, each once": (
                lambda pairs: len({(key(i)[0], key(m)[0]) for i, m in pairs if key(i)[0] != key(m)[0]}),
                "Every one of these pairs counts",
            ),
            "all patients, each once": (
                lambda pairs: len({key(p)[0] for pair in pairs for p in pair}),
                "in every pair",
            ),
            "only where the image's patient is higher": (
                lambda pairs: sum(key(i)[0] > key(m)[0] for i, m in pairs),
                "in every pair",
            ),
            "numbers in the names of folders": (
                lambda pairs: sum(whole_path(i) != whole_path(m) for i, m in pairs),
                "in every pair",
            ),
            "the first pair skipped": (lambda pairs: other_patients(pairs[1:]), "a single pair, it gives 0"),
            "the last pair skipped": (lambda pairs: other_patients(pairs[:-1]), "a single pair, it gives 0"),
            "until the first good pair": (
                lambda pairs: 5 if len(pairs) > 1 else other_patients(pairs),
                "Every one of these pairs counts",
            ),
            "each pair once": (lambda pairs: other_patients(set(pairs)), "Every one of these pairs counts"),
            "divides by nothing": (
                lambda pairs: (
                    len(pairs) * np.mean([key(i)[0] != key(m)[0] for i, m in pairs]) if pairs else 1 // len(pairs)
                ),
                "ZeroDivisionError",
            ),
            "always 0": (lambda pairs: 0, "in every pair"),
            "returns nothing": (lambda pairs: None, "print only shows"),
        },
    ),
    Exercise(
        "01.2",
        check.shared_key,
        right={
            "two numbers after their words": numbers,
            "split at the words": by_words,
            "text without zeros in front": lambda name: tuple(part.lstrip("0") for part in groups(name)),
            "a number with room for four digits": as_number(10_000),
            "one text with a line between": lambda name: "{}_{}".format(*numbers(name)),
            "the whole name of the mask": lambda name: "ID_{:04d}_Z_{:04d}_mask2.png".format(*numbers(name)),
        },
        wrong={
            "31 times the patient": (as_number(31), "two patients"),
            "in 32 bits": (lambda name: float(np.float32(as_number(1e5)(name))), "two slices of one patient"),
            "up to a thousand": (lambda name: tuple(one % 1000 for one in numbers(name)), "two slices of one patient"),
            "the whole name": (lambda name: name, "whole name"),
            "all three numbers": (lambda name: tuple(int(n) for n in re.findall(r"\d+", name)), "look for ID_ and Z_"),
            "the first two numbers": (
                lambda name: tuple(int(n) for n in re.findall(r"\d+", name)[:2]),
                "Scanner and reader are no part",
            ),
            "text": (groups, "turn text into int"),
            "the patient as number, the position as text": (
                lambda name: (int(groups(name)[0]), groups(name)[1]),
                "turn text into int",
            ),
            "joined digits": (lambda name: int("{}{}".format(*numbers(name))), "keep patient and position apart"),
            "a hundred times the patient and the position": (as_number(100), "however large"),
            "a thousand times the patient and the position": (as_number(1000), "however large"),
            "the sum": (as_number(1), "two patients"),
            "two digits each": (lambda name: "{:02d}{:02d}".format(*numbers(name)), "however large"),
            "three digits each": (lambda name: "{:03d}{:03d}".format(*numbers(name)), "however large"),
            "the ratio": (lambda name: numbers(name)[0] / numbers(name)[1], "however large"),
            "the product": (lambda name: numbers(name)[0] * numbers(name)[1], "in order, as in a tuple"),
            "a decimal number": (lambda name: float("{}.{}".format(*numbers(name))), "zeros at the end"),
            "a list": (lambda name: list(numbers(name)), "a tuple can"),
            "an array": (lambda name: np.array(numbers(name)), "a tuple can"),
            "a set": (lambda name: set(numbers(name)), "a tuple can"),
            "a frozen set": (lambda name: frozenset(numbers(name)), "in order, as in a tuple"),
            "sorted": (lambda name: tuple(sorted(numbers(name))), "in order, as in a tuple"),
            "an unused map": (lambda name: map(int, groups(name)), "two such objects are never equal"),
            "the patient alone": (lambda name: numbers(name)[0], "two slices of one patient"),
            "the position alone": (lambda name: numbers(name)[1], "two patients"),
            "all zeros removed": (
                lambda name: tuple(part.replace("0", "") for part in groups(name)),
                "zeros at the end",
            ),
            "zeros stripped at both ends": (lambda name: tuple(part.strip("0") for part in groups(name)), "zeros at"),
            "the patient's zeros stripped at both ends": (
                lambda name: (groups(name)[0].strip("0"), numbers(name)[1]),
                "two patients: zeros at the end",
            ),
            "the position's zeros stripped at both ends": (
                lambda name: (numbers(name)[0], groups(name)[1].strip("0")),
                "slices of one patient: zeros at the end",
            ),
            "the last two digits": (lambda name: tuple(int(part[-2:]) for part in groups(name)), "two "),
            "the first digit of the position": (
                lambda name: (numbers(name)[0], str(numbers(name)[1])[0]),
                "two slices of one patient",
            ),
            "the reader too": (lambda name: (*numbers(name), name[-5] if "mask" in name else "2"), "look for ID_"),
            "the scanner too": (
                lambda name: f"{numbers(name)}{name[1] if name[0] == 'T' else 1}",
                "Scanner and reader are no part",
            ),
            "the same for all": (lambda name: "ID", "two patients"),
            "an error": (lambda name: name.missing, "AttributeError"),
        },
        equivalent={"backward": "position and patient, in this order, are as good a key"},
    ),
    Exercise(
        "01.3",
        check.lung_values,
        right={
            "the dictionary": VALUES,
            "in another order": dict(reversed(VALUES.items())),
            "NumPy numbers": {np.uint8(stored): np.uint8(new) for stored, new in VALUES.items()},
            "computed": {stored: int(stored > 0) for stored in (0, 1, 2, 255)},
        },
        wrong={
            "some open": (VALUES | {255: ...}, "still open"),
            "a list": ([0, 1, 1, 1], "write a dictionary"),
            "a set": ({0, 1}, "write a dictionary"),
            "a function": (lambda stored: int(stored > 0), "write a dictionary"),
            "no 2": ({0: 0, 1: 1, 255: 1}, "[2] have no class"),
            "no 0": ({1: 1, 2: 1, 255: 1}, "[0] have no class"),
            "all values from 0 to 255": ({stored: int(stored > 0) for stored in range(256)}, "value 3 gets a class"),
            "a value that does not occur": (VALUES | {3: 1}, "value 3 gets a class"),
            "from class to values": ({0: [0], 1: [1, 2, 255]}, "[2, 255] have no class"),
            "stored values as text": ({str(stored): new for stored, new in VALUES.items()}, "'0' is a text"),
            "classes as text": ({stored: str(new) for stored, new in VALUES.items()}, "a number was expected, not '0'"),
            "names of classes": (
                {0: "background", 1: "lung", 2: "lung", 255: "lung"},
                "a number was expected, not 'background'",
            ),
            "truth values": ({stored: stored > 0 for stored in VALUES}, "a number was expected, not False"),
            "lists of classes": ({stored: [new] for stored, new in VALUES.items()}, "one class"),
            "a class for nodules": (VALUES | {2: 2}, "class 2 does not exist"),
            "255 as it is": (VALUES | {255: 255}, "class 255 does not exist"),
            "half lung": (VALUES | {255: 0.5}, "class 0.5 does not exist"),
            "no nodules": (VALUES | {2: 0}, "hole where the nodule is"),
            "no patient 7": (VALUES | {255: 0}, "would have no lungs"),
            "exchanged": ({0: 1, 1: 0, 2: 0, 255: 0}, "background stays 0"),
            "all lung": (dict.fromkeys(VALUES, 1), "background stays 0"),
        },
    ),
    Exercise(
        "01.4",
        check.on_both_sides,
        right={
            "sorted intersection": both,
            "one after the other": each_in_turn,
            "NumPy": lambda train, test: np.intersect1d(train, test).tolist(),
            "unique ones that are in the other": lambda train, test: list(np.unique(train[np.isin(train, test)])),
        },
        wrong={
            "a set": (lambda train, test: set(train) & set(test), "sorted list"),
            "a list of a set": (lambda train, test: list(set(train) & set(test)), "sorted list"),
            "in the order of the training slices": (
                lambda train, test: list(dict.fromkeys(p for p in train if p in test)),
                "sorted list",
            ),
            "a dictionary": (lambda train, test: dict.fromkeys(both(train, test)), "sorted list"),
            "backward": (lambda train, test: both(train, test)[::-1], "sorted list"),
            "each slice": (lambda train, test: [p for p in sorted(test) if p in train], "stands there once"),
            "the union": (lambda train, test: sorted(set(train) | set(test)), "union"),
            "only in training": (lambda train, test: sorted(set(train) - set(test)), "one side only"),
            "only in test": (lambda train, test: sorted(set(test) - set(train)), "one side only"),
            "in one of them": (lambda train, test: sorted(set(test) ^ set(train)), "one side only"),
            "all of training": (lambda train, test: sorted(set(train)), "is not in both"),
            "how many": (lambda train, test: len(both(train, test)), "return the list"),
            "how many, from NumPy": (lambda train, test: np.intersect1d(train, test).size, "return the list"),
            "whether there is one": (lambda train, test: bool(both(train, test)), "return the list"),
            "a text": (lambda train, test: ", ".join(both(train, test)), "return the list"),
            "a generator": (lambda train, test: (p for p in both(train, test)), "return the list"),
            "the first of training skipped": (lambda train, test: both(train[1:], test), "is missing"),
            "the last of training skipped": (lambda train, test: both(train[:-1], test), "P02 is in both"),
            "the first of test skipped": (lambda train, test: both(train, test[1:]), "is missing"),
            "the last of test skipped": (lambda train, test: both(train, test[:-1]), "P06 is in both"),
            "only patients with several slices": (only_repeated, "is missing"),
            "place by place": (
                lambda train, test: sorted({a for a, b in zip(train, test, strict=False) if a == b}),
                "is missing",
            ),
            "only the first": (lambda train, test: both(train, test)[:1], "is missing"),
            "the same ones always": (
                lambda train, test: ["P02", "P04", "P06"],
                "P01 is in both and is missing",
            ),
            "in one long text": (
                lambda train, test: [p for p in sorted(set(train)) if p in " ".join(test)],
                "must be empty",
            ),
            "sorted by the last digit": (
                lambda train, test: sorted(both(train, test), key=lambda patient: patient[-1]),
                "sorted list",
            ),
            "no empty list": (lambda train, test: both(train, test) or [""], "must be empty"),
            "sorts what it is given": (sorted_in_place, "changes what it is given"),
        },
    ),
]
