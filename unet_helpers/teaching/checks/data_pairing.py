"""Self-checks of notebook 01, data pairing."""

import re
from pathlib import Path

import numpy as np

from ._numbers import first_hint
from ._verdict import NotYet, Wrong, call, exercise, is_open, number

PAIRS = [  # image, mask
    ("ID_0001_Z_0005", "ID_0001_Z_0005"),
    ("ID_0001_Z_0007", "ID_0001_Z_0008"),
    ("ID_3_Z_9", "ID_0003_Z_0009"),
    ("ID_0020_Z_0007", "ID_0020_Z_0007"),
    ("ID_0002_Z_0009", "ID_0002_Z_0010"),
    ("ID_0002_Z_0011", "ID_0002_Z_0012"),
    ("ID_0004_Z_0004", "ID_0004_Z_0003"),
    ("ID_0005_Z_0001", "ID_0005_Z_0002"),
    ("ID_1_Z_11", "ID_0011_Z_0001"),
    ("ID_10_Z_9", "ID_0003_Z_0009"),
    ("ID_10_Z_8", "ID_0003_Z_0008"),
    ("ID_10_Z_4", "ID_0001_Z_0004"),
    ("ID_2_Z_12", "ID_0012_Z_0002"),
    ("ID_4_Z_3", "ID_0005_Z_0003"),
]


def _misjudged():
    """Which of the pairs count as different, by mistake."""
    keys = [(_numbers(image), _numbers(mask)) for image, mask in PAIRS]
    texts = [(image.split("_")[1], mask.split("_")[1]) for image, mask in PAIRS]
    different = {
        "You compare whole names as text: ID_3 and ID_0003 are one patient.": [a != b for a, b in PAIRS],
        "You compare the patients as text: 3 and 0003 are one patient; turn them into int.": [a != b for a, b in texts],
        "You compare patient and slice; only the patient, the first part of the key, counts here.": (
            [a != b for a, b in keys]
        ),
        "You compare the slices; the patient is the first part of the key.": [a[1] != b[1] for a, b in keys],
        "You count the pairs of one patient; the others are asked for.": [a[0] == b[0] for a, b in keys],
        "10 and 1 are two patients: only the zeros in front of a number mean nothing.": (
            [a.strip("0") != b.strip("0") for a, b in texts]
        ),
    }
    return {hint: np.array(answers) for hint, answers in different.items()}


@exercise
def count_other_patient(function):
    """A function of a list of (image path, mask path) that counts the pairs of two patients."""
    pairs = [(Path("2d_images", f"{image}.png"), Path("2d_masks", f"{mask}.png")) for image, mask in PAIRS]
    right = [_numbers(image)[0] != _numbers(mask)[0] for image, mask in PAIRS]
    alone = [_count(function, [pair]) for pair in pairs]
    if alone != right:
        place = next(k for k in range(len(pairs)) if alone[k] != right[k])
        hint = first_hint(alone, _misjudged(), "Compare key(image)[0] with key(mask)[0] in every pair.")
        names = " with ".join(path.stem for path in pairs[place])
        raise Wrong(f"for {names}, a single pair, it gives {alone[place]:g}, and right is {right[place]:d}. {hint}")
    for times in (1, 2, 0):
        given = _count(function, times * pairs)
        if given != times * sum(right):
            shown = f"it is right for single pairs, but in {times * len(pairs)} it counts {given:g}"
            if 0 < given < 1:
                raise Wrong(f"{shown}. That looks like a share; a number of pairs is asked for.")
            raise Wrong(f"{shown}, and {times * sum(right)} join two patients. Every one of these pairs counts.")


def _count(function, pairs):
    return number(call(function, pairs), "count the pairs, for example with len or sum")


# patient and position of slices that a good key tells apart
SLICES = [(7, 12), (8, 12), (7, 13), (17, 12), (70, 12), (7, 112), (7, 1), (7, 10), (12, 7), (1, 11), (11, 1)]
SLICES += [(7, 1012), (1007, 12), (107, 12), (10, 712), (100, 7012), (14, 24), (21, 3), (7, 43), (1007, 13)]


@exercise
def shared_key(function):
    """A function of a file name: the same key for image and mask, another for anything else."""
    keys = {}
    for patient, position in SLICES:
        image = f"T1_ID_{patient}_Z_{position}.png"
        first = call(function, image)
        for name in (
            f"ID_{patient:04d}_Z_{position:04d}_mask2.png",
            f"ID_{patient:04d}_Z_{position:04d}_mask1.png",
            f"T2_ID_{patient}_Z_{position}.png",
        ):
            second = call(function, name)
            if not _equal(first, second):
                hint = _why_unequal(first, second, image, name)
                raise Wrong(f"'{image}' gives {first!r} and '{name}' gives {second!r}; they must be equal.{hint}")
        try:
            hash(first)
        except TypeError:
            kind = type(first).__name__
            raise Wrong(f"it gives a {kind}, which cannot be the key of a dictionary; a tuple can.") from None
        if first in keys:
            other, *numbers = keys[first]
            hint = _why_equal(*numbers, patient, position)
            raise Wrong(f"'{other}' and '{image}' get the same key {first!r}, but are {hint}.")
        keys[first] = image, patient, position
    return f"Both names become {next(iter(keys))!r}."


def _equal(first, second):
    return type(first) is type(second) and bool(np.all(first == second))


def _why_unequal(first, second, image, name):
    if isinstance(first, str) and (first == image or second == name):
        return " It gives back the whole name; take out what image and mask share."
    if hasattr(first, "__next__"):
        return " Make a tuple of it: two such objects are never equal."
    if isinstance(first, (tuple, list)) and len(first) > 2:
        return " The 1 of T1 and the 2 of mask2 are no part of the key: look for ID_ and Z_."
    if "0" in str(second) and "0" not in str(first):
        return " 0007 and 7 are one number: turn text into int."
    return " Scanner and reader are no part of the key."


def _why_equal(patient, position, other_patient, other_position):
    if {patient, position} == {other_patient, other_position}:
        return "two patients: keep patient and position apart and in order, as in a tuple"
    if patient != other_patient and position != other_position:
        return "two patients: keep patient and position apart, as in a tuple, however large the numbers are"
    if patient != other_patient:
        kind, one, other = "patients", patient, other_patient
    else:
        kind, one, other = "slices of one patient", position, other_position
    zeros = ": zeros at the end of a number count" if str(one).strip("0") == str(other).strip("0") else ""
    return f"two {kind}{zeros}"


@exercise
def lung_values(values):
    """A dictionary from stored value to class: a nodule is part of the lung, 255 is all foreground."""
    if not isinstance(values, dict):
        raise Wrong(f"mask_values is a {type(values).__name__}; write a dictionary, such as {{0: 0, 1: 1}}.")
    if any(is_open(new) for new in values.values()):
        raise NotYet("some classes are still open.")
    if texts := [stored for stored in values if isinstance(stored, str)]:
        raise Wrong(f"the stored value {texts[0]!r} is a text; a mask holds numbers, without quotation marks.")
    if missing := [stored for stored in (0, 1, 2, 255) if stored not in values]:
        raise Wrong(f"the stored values {missing} have no class yet; every value that occurs needs one.")
    if more := [stored for stored in values if stored not in (0, 1, 2, 255)]:
        raise Wrong(
            f"the stored value {more[0]} gets a class too, though it does not occur: if it ever turns up, something is "
            "wrong with the mask, and nobody would notice."
        )
    for new in values.values():
        if number(new, "each stored value gets one class") not in (0, 1):
            raise Wrong(f"class {new} does not exist: two classes are numbered 0 and 1.")
    if values[0] != 0 or values[1] != 1:
        raise Wrong("background stays 0 and lung stays 1.")
    if values[2] == 0:
        raise Wrong("the nodule became background: the lung would get a hole where the nodule is.")
    if values[255] == 0:
        raise Wrong("255 became background: patient 7 would have no lungs, and the network would be told so.")


SPLITS = [  # training and test slices, as the ids of their patients: unsorted, and some of them several times
    ("P06 P03 P04 P04 P02", "P02 P01 P05 P05 P07 P04 P06"),
    ("P08 P08 P03 P11 P01 P14 P14 P02 P05 P09 P01 P12", "P05 P13 P12 P03 P13 P01 P14 P01 P08 P09"),
    ("P03 P01 P01 P03", "P02 P04 P02 P05 P05"),
    ("P02 P02 P02", "P02"),
    ("P1 P3 P1", "P12 P31"),
    ("", "P02 P01"),
]


@exercise
def on_both_sides(function):
    """A function of two sequences of patient ids: the sorted list of those in both."""
    for train, test in SPLITS:
        train, test = np.array(train.split(), dtype=str), np.array(test.split(), dtype=str)  # as in the notebook
        right = sorted(set(train.tolist()) & set(test.tolist()))
        given = call(function, train, test)
        if isinstance(given, str) or (not np.ndim(given) and not isinstance(given, (set, frozenset, dict))):
            raise Wrong(f"it returns {given!r}; return the list of the patients, so that one can look at them.")
        found = [str(patient) for patient in given]
        shown = f"for training slices of {_list(train)} and test slices of {_list(test)} it gives {_list(found)}. "
        if found == right and isinstance(given, (list, tuple, np.ndarray)):
            continue
        if len(found) > len(set(found)):
            raise Wrong(shown + "Each patient stands there once, however many slices there are.")
        if set(found) == set(right):
            raise Wrong(shown + "The patients are right; return them as a sorted list, which every run gives alike.")
        if not right:
            raise Wrong(shown + "No patient is in both, so that the list must be empty.")
        if set(found) == {*train, *test}:
            raise Wrong(shown + "That is every patient (the union); those in both are the intersection.")
        if found and not set(found) & set(right) and set(found) <= {*train, *test}:
            raise Wrong(shown + "These stand on one side only.")
        if missing := sorted(set(right) - set(found)):
            raise Wrong(shown + f"{missing[0]} is in both and is missing.")
        raise Wrong(shown + f"{sorted(set(found) - set(right))[0]} is not in both.")


def _list(names):
    return ", ".join(names) or "nobody"


def _numbers(name):
    return [int(digits) for digits in re.findall(r"\d+", name)]
