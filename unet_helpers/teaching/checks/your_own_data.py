"""Self-checks of notebook 15, your own data."""

import re

from ._verdict import NotYet, Wrong, exercise, is_open, number

# several dates and planes of one patient, numbers that share digits, and one that looks like a year
NAMES = {
    "20240117_PAT0042_axial_017": "PAT0042",
    "20240117_PAT0042_axial_018": "PAT0042",
    "20231203_PAT0007_axial_001": "PAT0007",
    "20240117_PAT0107_axial_120": "PAT0107",
    "20240309_PAT0042_axial_002": "PAT0042",
    "20240309_PAT1042_axial_042": "PAT1042",
    "19991231_PAT2024_axial_007": "PAT2024",
    "20231203_PAT0007_coronal_017": "PAT0007",
    "20240117_PAT4200_axial_042": "PAT4200",
}


@exercise
def patient_pattern(pattern):
    """A regular expression with one group, the patient id."""
    if not isinstance(pattern, (str, re.Pattern)):
        raise Wrong(f"a regular expression is a text, not {pattern!r}.")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise Wrong(f"{pattern!r} is no regular expression: {error}.") from None
    if compiled.groups != 1:
        raise Wrong(f"the pattern has {compiled.groups} groups; put parentheses around the patient id, once.")
    suffix = "; the suffix is no part of it" if "tif" in compiled.pattern else ""
    for name, patient in NAMES.items():
        match = compiled.search(name)
        if match is None:
            raise Wrong(f"the pattern finds nothing in {name!r}{suffix}.")
        found = match.group(1)
        digits = patient.removeprefix("PAT")
        if found is not None and found.removeprefix("PAT").lstrip("0") == digits.lstrip("0"):
            continue  # leading zeros are no part of a number, and two patients stay two without them
        shown = f"in {name!r} it finds {found!r}, but the patient is {patient!r}"
        if not found:
            raise Wrong(f"{shown}: the group matches no letter or digit; make it longer.")
        if found[:4] == name[:4]:
            raise Wrong(f"{shown}: with the date, one patient examined twice counts as two.")
        if "axial" in found or "coronal" in found:
            raise Wrong(f"{shown}: with the plane, one patient seen in two planes counts as two.")
        if match.end(1) == len(name):
            raise Wrong(f"{shown}: the last number is the slice.")
        raise Wrong(f"{shown}.")
    return "The two examinations of PAT0042 count as one patient."


@exercise
def mask_values(values):
    """A dict from the stored values 0, 64, 128, 255 to the classes 0, 1, 1, 2."""
    if not isinstance(values, dict):
        raise Wrong(f"mask_values is a dict from stored value to class, not a {type(values).__name__}.")
    if any(is_open(new) for new in values.values()):
        raise NotYet("some classes are still open.")
    right = {0: 0, 64: 1, 128: 1, 255: 2}
    if values and set(values) <= {0, 1, 2}:
        raise Wrong("the keys are the values in the file, the values the classes; yours are the other way round.")
    if text := [key for key in values if isinstance(key, str)]:
        raise Wrong(f"the stored value {text[0]!r} is a text; pixels hold numbers, so write them without quotes.")
    if missing := sorted(set(right) - set(values)):
        raise Wrong(f"nothing is said about the stored value(s) {missing}.")
    if more := [key for key in values if key not in right]:
        raise Wrong(f"the masks do not hold {more[0]!r}; say only what is there, so that any other value is noticed.")
    given = {key: number(values[key], "each stored value has one class") for key in right}
    if given[0] != 0:
        raise Wrong(f"outside is the background, class 0, and not {given[0]}.")
    if given[64] != given[128]:
        raise Wrong("left and right lung are one class here: 64 and 128 lead to the same number.")
    if given[255] == given[64]:
        raise Wrong(f"lung and tumor are two classes here, and both are {given[255]}.")
    if given != right:
        raise Wrong(f"expected classes 0, 1, 1, 2 for 0, 64, 128, 255; yours are {list(given.values())}.")
    return "Any value that is not in the dict is refused, with the name of the file."


@exercise
def two_operating_points(means):
    """(0.76, 0.69): 95 and 86 of 100 objects found at 0.80."""
    if isinstance(means, (str, bytes, dict, set, frozenset)) or not hasattr(means, "__len__"):
        raise Wrong("give a tuple of two numbers, (low threshold, high threshold); only there they have an order.")
    exact = [number(value) for value in means]
    given = tuple(round(value, 2) for value in exact)
    if len(given) != 2:
        raise Wrong(f"two numbers are asked for, and {len(given)} are there.")
    found = "0.80 is the mean over the objects that are found; a missed object counts 0."
    empty = "The empty slices do not enter: these are means over the 100 slices with an object."
    hints = {
        (0.80, 0.80): found,
        (0.69, 0.76): "The order is (low threshold, high threshold): the low one misses fewer.",
        (0.95, 0.86): "That is the share that is found; on each of these Dice is 0.80, not 1.",
        (0.75, 0.66): "A missed object takes away its whole 0.80, and there are 100; it does not take 0.01 from 0.80.",
        (0.04, 0.11): "That is what the missed objects cost; give what is left.",
        (76, 69): "Dice is a number from 0 to 1.",
        (0.53, 0.66): empty,
        (0.42, 0.38): empty,
        (0.57, 0.60): empty,
        (0.49, 0.59): empty,
    }
    if given != (0.76, 0.69) or abs(exact[0] - 0.76) > 0.0025 or abs(exact[1] - 0.688) > 0.0025:
        right = "the objects that are found, times 0.80, divided by all 100 objects."
        raise Wrong(f"{tuple(exact)} is not it. {hints.get(given, f'Take {right}')}")
    return "Half of the false alarms are bought with 0.07 of Dice. Which is right depends on who looks at the result."
