"""Each check of notebook 01: starter, right answer, and the mistakes that people make."""

import re

import pytest

from unet_helpers.teaching.checks import data_pairing as check


def key(path):
    patient, position = re.findall(r"\d+", path.stem)
    return int(patient), int(position)


def after_words(name):
    patient, position = re.search(r"ID_(\d+)_Z_(\d+)", name).groups()
    return int(patient), int(position)


def both(train, test):
    return sorted(set(train) & set(test))


CASES = [
    (check.count_other_patient, lambda pairs: sum(key(i)[0] != key(m)[0] for i, m in pairs), "Right."),
    (check.count_other_patient, lambda pairs: sum(i.name != m.name for i, m in pairs), "whole names as text"),
    (check.count_other_patient, lambda pairs: sum(i.name[:7] != m.name[:7] for i, m in pairs), "as text"),
    (check.count_other_patient, lambda pairs: sum(key(i) != key(m) for i, m in pairs), "patient and slice"),
    (check.count_other_patient, lambda pairs: sum(key(i)[0] == key(m)[0] for i, m in pairs), "pairs of one patient"),
    (check.count_other_patient, lambda pairs: 3 / 8, "a share"),
    (check.count_other_patient, lambda pairs: [p for p in pairs if key(p[0])[0] != key(p[1])[0]], "count the pairs"),
    (check.count_other_patient, lambda pairs: 0, "Compare key(image)[0]"),
    (check.count_other_patient, lambda pairs: 3, "taken alone"),
    (check.shared_key, after_words, "Right."),
    (check.shared_key, lambda name: name, "whole name"),
    (check.shared_key, lambda name: tuple(int(n) for n in re.findall(r"\d+", name)), "look for ID_ and Z_"),
    (check.shared_key, lambda name: re.search(r"ID_(\d+)_Z_(\d+)", name).groups(), "turn text into int"),
    (check.shared_key, lambda name: int("".join(str(n) for n in after_words(name))), "keep patient and position apart"),
    (check.shared_key, lambda name: after_words(name)[0], "two slices of one patient"),
    (check.shared_key, lambda name: after_words(name)[1], "two patients"),
    (
        check.shared_key,
        lambda name: tuple(g.replace("0", "") for g in re.search(r"ID_(\d+)_Z_(\d+)", name).groups()),
        "zeros at the end",
    ),
    (check.shared_key, lambda name: name.missing, "AttributeError"),
    (check.lung_values, {0: 0, 1: ..., 2: ..., 255: ...}, "Not yet"),
    (check.lung_values, {0: 0, 1: 1, 2: 1, 255: 1}, "Right."),
    (check.lung_values, [0, 1, 1, 1], "write a dictionary"),
    (check.lung_values, {0: 0, 1: 1, 255: 1}, "[2] have no class"),
    (check.lung_values, {0: 0, 1: 1, 2: 2, 255: 1}, "class 2 does not exist"),
    (check.lung_values, {0: 0, 1: 1, 2: 0, 255: 1}, "hole where the nodule is"),
    (check.lung_values, {0: 0, 1: 1, 2: 1, 255: 0}, "would have no lungs"),
    (check.lung_values, {0: 1, 1: 0, 2: 1, 255: 1}, "background stays 0"),
    (check.on_both_sides, both, "Right."),
    (check.on_both_sides, lambda train, test: set(train) & set(test), "sorted list"),
    (check.on_both_sides, lambda train, test: [p for p in sorted(test) if p in train], "stands there once"),
    (check.on_both_sides, lambda train, test: sorted(set(train) | set(test)), "union"),
    (check.on_both_sides, lambda train, test: sorted(set(train) - set(test)), "one side only"),
    (check.on_both_sides, lambda train, test: len(both(train, test)), "return the list"),
    (check.on_both_sides, lambda train, test: both(train, test)[::-1], "sorted list"),
    (check.on_both_sides, lambda train, test: ["P1", "P2"], "must be empty"),
]


@pytest.mark.parametrize(("task", "answer", "expected"), CASES)
def test_the_verdict_names_what_is_wrong(said, task, answer, expected):
    assert expected in said(task, answer)
