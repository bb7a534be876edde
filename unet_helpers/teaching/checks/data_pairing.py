"""Self-checks of notebook 01, data pairing."""

import re
from pathlib import Path

from ._verdict import NotYet, Wrong, call, exercise, is_open, number

PAIRS = [  # image, mask, whether they are of two patients
    ("ID_0001_Z_0005.png", "ID_0001_Z_0005.png", False),
    ("ID_0001_Z_0007.png", "ID_0001_Z_0008.png", False),
    ("ID_3_Z_9.png", "ID_0003_Z_0009.png", False),
    ("ID_0002_Z_0009.png", "ID_0002_Z_0010.png", False),
    ("ID_0002_Z_0011.png", "ID_0002_Z_0012.png", False),
    ("ID_1_Z_11.png", "ID_0011_Z_0001.png", True),
    ("ID_10_Z_9.png", "ID_0003_Z_0009.png", True),
    ("ID_2_Z_12.png", "ID_0012_Z_0002.png", True),
]


@exercise
def count_other_patient(function):
    """A function of a list of (image path, mask path) that counts the pairs of two patients."""
    pairs = [(Path(image), Path(mask)) for image, mask, _ in PAIRS]
    given = number(call(function, pairs), "count the pairs, for example with len or sum")
    right = sum(other for *_, other in PAIRS)
    shown = f"in {len(pairs)} pairs made up for this check it counts {given:g}, and {right} join two patients. "
    if given == sum(image != mask for image, mask, _ in PAIRS):
        raise Wrong(shown + "You compare whole names as text: ID_3 and ID_0003 are one patient.")
    if given == sum(image.split("_")[1] != mask.split("_")[1] for image, mask, _ in PAIRS):
        raise Wrong(shown + "You compare the patients as text: 3 and 0003 are one patient; turn them into int.")
    if given == sum(_numbers(image) != _numbers(mask) for image, mask, _ in PAIRS):
        raise Wrong(shown + "You compare patient and slice; only the patient, the first part of the key, counts here.")
    if given == len(pairs) - right:
        raise Wrong(shown + "You count the pairs of one patient; the others are asked for.")
    if 0 < given < 1:
        raise Wrong(shown + "That looks like a share; a number of pairs is asked for.")
    if given != right:
        raise Wrong(shown + "Compare key(image)[0] with key(mask)[0].")
    for pair, (*_, other) in zip(pairs, PAIRS, strict=True):
        if call(function, [pair]) != other:
            raise Wrong(f"it misjudges {pair[0].name} with {pair[1].name}, taken alone.")


@exercise
def shared_key(function):
    """A function of a file name: the same key for image and mask, another for anything else."""
    image, mask = "T1_ID_7_Z_12.png", "ID_0007_Z_0012_mask2.png"
    first, second = call(function, image), call(function, mask)
    if first == image or second == mask:
        raise Wrong("it gives back the whole name; take out what image and mask share.")
    if first != second:
        hint = ""
        if isinstance(first, (tuple, list)) and len(first) > 2:
            hint = " The 1 of T1 and the 2 of mask2 are no part of the key: look for ID_ and Z_."
        elif "0" in str(second) and "0" not in str(first):
            hint = " 0007 and 7 are one number: turn text into int."
        raise Wrong(f"'{image}' gives {first!r} and '{mask}' gives {second!r}; they must be equal.{hint}")
    for one, two, why in (
        ("T1_ID_7_Z_12.png", "T1_ID_8_Z_12.png", "two patients"),
        ("T1_ID_7_Z_12.png", "T1_ID_7_Z_13.png", "two slices of one patient"),
        ("T1_ID_1_Z_11.png", "T1_ID_11_Z_1.png", "two patients: keep patient and position apart, as in a tuple"),
        ("T1_ID_7_Z_7.png", "T1_ID_7_Z_70.png", "two slices: zeros at the end of a number count"),
        ("T1_ID_7_Z_10.png", "T1_ID_7_Z_1.png", "two slices: zeros at the end of a number count"),
    ):
        if call(function, one) == call(function, two):
            raise Wrong(f"'{one}' and '{two}' get the same key {function(one)!r}, but are {why}.")
    for one, two in (("T2_ID_7_Z_12.png", mask), ("T1_ID_21_Z_3.png", "ID_0021_Z_0003_mask1.png")):
        if call(function, one) != call(function, two):
            raise Wrong(f"'{one}' and '{two}' belong together but get {function(one)!r} and {function(two)!r}.")
    return f"Both names become {first!r}."


@exercise
def lung_values(values):
    """A dictionary from stored value to class: a nodule is part of the lung, 255 is all foreground."""
    if not isinstance(values, dict):
        raise Wrong(f"mask_values is a {type(values).__name__}; write a dictionary, such as {{0: 0, 1: 1}}.")
    if any(is_open(new) for new in values.values()):
        raise NotYet("some classes are still open.")
    missing = [stored for stored in (0, 1, 2, 255) if stored not in values]
    if missing:
        raise Wrong(f"the stored values {missing} have no class yet; every value that occurs needs one.")
    too_high = sorted({new for new in values.values() if new not in (0, 1)})
    if too_high:
        raise Wrong(f"class {too_high[0]} does not exist: two classes are numbered 0 and 1.")
    if values[0] != 0 or values[1] != 1:
        raise Wrong("background stays 0 and lung stays 1.")
    if values[2] == 0:
        raise Wrong("the nodule became background: the lung would get a hole where the nodule is.")
    if values[255] == 0:
        raise Wrong("255 became background: patient 7 would have no lungs, and the network would be told so.")


@exercise
def on_both_sides(function):
    """A function of two sequences of patient ids: the sorted list of those in both."""
    train, test = ["P3", "P1", "P1", "P4", "P2", "P2"], ["P2", "P5", "P1", "P2"]
    given = call(function, train, test)
    if isinstance(given, (bool, int)):
        raise Wrong(f"it returns {given!r}; return the list of the patients, so that one can look at them.")
    if isinstance(given, str):
        raise Wrong(f"it returns the text {given!r}; return a list.")
    found = [str(patient) for patient in given]
    shown = f"for training slices of {', '.join(train)} and test slices of {', '.join(test)} it returns {found}. "
    if len(found) > len(set(found)):
        raise Wrong(shown + "Each patient stands there once, however many slices there are.")
    if set(found) == {"P1", "P2", "P3", "P4", "P5"}:
        raise Wrong(shown + "That is every patient (the union); those in both are the intersection.")
    if set(found) in ({"P3", "P4"}, {"P5"}, {"P3", "P4", "P5"}):
        raise Wrong(shown + "These stand on one side only.")
    if set(found) != {"P1", "P2"}:
        raise Wrong(shown + "P1 and P2 are in both.")
    if found != ["P1", "P2"] or isinstance(given, set):
        raise Wrong(shown + "The patients are right; return them as a sorted list.")
    if list(call(function, ["P1", "P1"], ["P2"])) != []:
        raise Wrong("for a good split, P1 against P2, the list must be empty.")


def _numbers(name):
    return [int(digits) for digits in re.findall(r"\d+", name)]
