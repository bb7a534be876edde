"""Notebook 01."""

import re

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


EXERCISES = [
    Exercise(
        "01.1",
        check.count_other_patient,
        right={"sum of comparisons": other_patients, "a loop that counts": loop},
        wrong={
            "whole names": (lambda pairs: sum(i.name != m.name for i, m in pairs), "whole names as text"),
            "patients as text": (lambda pairs: sum(i.name[:7] != m.name[:7] for i, m in pairs), "as text"),
            "patient and slice": (lambda pairs: sum(key(i) != key(m) for i, m in pairs), "patient and slice"),
            "the pairs of one patient": (
                lambda pairs: sum(key(i)[0] == key(m)[0] for i, m in pairs),
                "pairs of one patient",
            ),
            "a share": (lambda pairs: 3 / 8, "a share"),
        },
    ),
]
