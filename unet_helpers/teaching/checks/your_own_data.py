"""Self-checks of notebook 15, your own data."""

import re

from ._verdict import NotYet, Wrong, exercise, is_open, number

NAMES = {
    "20240117_PAT0042_axial_017": "PAT0042",
    "20240117_PAT0042_axial_018": "PAT0042",
    "20231203_PAT0007_axial_001": "PAT0007",
    "20240117_PAT0107_axial_120": "PAT0107",
    "20240309_PAT0042_axial_002": "PAT0042",
}


@exercise
def patient_pattern(pattern):
    """A regular expression with one group, the patient id."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise Wrong(f"{pattern!r} is no regular expression: {error}.") from None
    if compiled.groups != 1:
        raise Wrong(f"the pattern has {compiled.groups} groups; put parentheses around the patient id, once.")
    for name, patient in NAMES.items():
        match = compiled.search(name)
        if match is None:
            raise Wrong(f"the pattern finds nothing in {name!r}.")
        found = match.group(1)
        if found.startswith("20"):
            raise Wrong(f"in {name!r} it finds {found!r}: with the date, one patient examined twice counts as two.")
        if found not in (patient, patient.removeprefix("PAT")):
            raise Wrong(f"in {name!r} it finds {found!r}, but the patient is {patient!r}.")
    return "The two examinations of PAT0042 count as one patient."


@exercise
def mask_values(values):
    """A dict from the stored values 0, 64, 128, 255 to the classes 0, 1, 1, 2."""
    if not isinstance(values, dict):
        raise Wrong(f"mask_values is a dict from stored value to class, not a {type(values).__name__}.")
    if any(is_open(new) for new in values.values()):
        raise NotYet("some classes are still open.")
    right = {0: 0, 64: 1, 128: 1, 255: 2}
    if set(values) == {0, 1, 2}:
        raise Wrong("the keys are the values in the file, the values the classes; yours are the other way round.")
    missing = sorted(set(right) - set(values))
    if missing:
        raise Wrong(f"nothing is said about the stored value(s) {missing}.")
    if values[64] != values[128]:
        raise Wrong("left and right lung are one class here: 64 and 128 lead to the same number.")
    if values != right:
        raise Wrong(f"expected classes 0, 1, 1, 2 for 0, 64, 128, 255; yours are {[values[key] for key in right]}.")
    return "Any value that is not in the dict is refused, with the name of the file."


@exercise
def two_operating_points(means):
    """(0.76, 0.69): 95 and 86 of 100 objects found at 0.80."""
    given = tuple(round(number(value), 2) for value in means)
    if len(given) != 2:
        raise Wrong(f"two numbers are asked for, and {len(given)} are there.")
    if given == (0.80, 0.80):
        raise Wrong("0.80 is the mean over the objects that are found; a missed object counts 0.")
    if given == (0.69, 0.76):
        raise Wrong("the order is (low threshold, high threshold): the low one misses fewer.")
    if given != (0.76, 0.69):
        raise Wrong(f"{given} is not it: found objects divided by 100, times 0.80.")
    return "Half of the false alarms are bought with 0.07 of Dice. Which is right depends on who looks at the result."
