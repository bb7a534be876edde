"""Who is a patient: the person in a file name, however many scans, dates, frames or slices of them there are.

All slices of a person have to fall on one side of the split. Where a name leaves it open, names are grouped more
coarsely rather than more finely, and the report says so: the score of a split that is too coarse is honest, that of a
split that is too fine measures memory.
"""

import csv
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..files.pairing import natural_key
from ..files.paths import DataError, stem_of, user_path

# words before a number that is the person's, and before one that is not
PERSON = {"patient", "pat", "patientid", "subject", "subj", "sub", "person", "proband", "participant", "pid"}
PLACE = {"site", "center", "centre", "clinic", "hospital", "scanner", "vendor", "fold", "batch", "cohort", "dataset"}
# and into which a data set may be divided without a patient being one of them
DIVISION = {"class", "grade", "stage", "type", "category", "group", "part", "set", "level", "birads", "train", "test"}
# words by which the scans of one person are told apart, where no number does
VISIT = {
    *("baseline", "followup", "follow", "up", "pre", "post", "preop", "postop", "before", "after", "first", "second"),
    *("ed", "es", "systole", "diastole", "inspiration", "expiration", "insp", "exp", "arterial", "venous", "native"),
    *("left", "right", "l", "r", "od", "os", "visit", "scan", "session", "ses", "exam", "study"),
}
DATE = re.compile(r"(?<!\d)((?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\2(?:0[1-9]|[12]\d|3[01]))(?:\d{4}|\d{6})?(?!\d)")
HASH = re.compile(r"(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f]\d)(?=\d*[a-f])[0-9a-f]{8,}")
# greedy up to a digit that something other than a digit follows: what stands before the last number
BEFORE_LAST_NUMBER = re.compile(r"^(.*\d)\D+\d+$")


def patient_ids_from_names(names, pattern=None):
    """The patient id inside each file name of a slice.

    Parameters
    ----------
    names : sequence of str
        Without format suffix.
    pattern : str, dict or path of a table, optional
        A regular expression whose first group is the patient; or ``{name: patient}``; or a CSV file with the columns
        name and patient. Default: what stands before the last number, without dates, and up to the person's number
        where several scans of a person are there: ``ID_0264_Z_0080`` is of ``ID_0264``, ``P01_20190312_07`` of ``P01``.

    Returns
    -------
    ids : ``(N,)`` str
    how : str
        The rule that was used, for the report.

    Raises
    ------
    DataError
        If the pattern or table finds no patient in a name, or some names have a slice number after the patient's and
        others do not.
    """
    if pattern is not None:
        return _by_pattern(names, pattern)
    matches = _before_last_number(names)
    odd = [name for name, match in zip(names, matches, strict=True) if not match]
    if breaking_names(names):
        other = next(name for name, match in zip(names, matches, strict=True) if match)
        raise DataError(
            f"whose picture is '{odd[0]}'? {len(odd)} of {len(names)} names are not built like '{other}', a patient "
            "and then the number of a slice; say with patient_pattern where the patient stands, such as "
            "r'^([A-Za-z]+\\d+)', or rename the file"
        )
    scans = list(names) if odd else [match.group(1) for match in matches]
    people, example = _people(scans)
    if people != scans:
        return np.array(people), _said(names, people, example, "files")
    if odd:
        return np.array(names), "no patient id in the file names: each file counts as one patient"
    return np.array(people), "patient id is what stands before the last number"


def _before_last_number(names):
    return [BEFORE_LAST_NUMBER.match(_without_dates(name) or name) for name in names]


def breaking_names(names):
    """The names that carry no patient and slice where others do: about these :func:`patient_ids_from_names` asks."""
    odd = [name for name, match in zip(names, _before_last_number(names), strict=True) if not match]
    return odd if len(odd) < len(names) else []


def patients_of_scans(names, pattern=None):
    """The patient of each volume, or other scan, by its name; parameters and errors as of the above.

    Returns
    -------
    ids : list of str
    how : str
        Empty where each scan is of another patient.
    """
    if pattern is not None:
        ids, how = _by_pattern(names, pattern)
        return ids.tolist(), how
    people, example = _people(list(names))
    one_each = len(set(people)) == len(set(names))
    return (list(names), "") if one_each else (people, _said(names, people, example, "scans"))


def _by_pattern(names, pattern):
    if isinstance(pattern, Mapping):
        return _by_table(names, pattern, "table")
    if isinstance(pattern, Path) or str(pattern).lower().endswith((".csv", ".tsv")):
        return _by_table(names, _read_table(pattern), f"table '{user_path(pattern).name}'")
    try:
        found = [re.search(pattern, name) for name in names]
    except re.error as error:
        raise DataError(f"patient_pattern {pattern!r} is no regular expression ({error})") from None
    missed = [name for name, match in zip(names, found, strict=True) if match is None or not match.groups()]
    if missed:
        raise DataError(
            f"patient_pattern {pattern!r} finds no group in '{missed[0]}' ({len(missed)} of {len(names)} names); "
            "it needs one group in parentheses, such as r'(ID_\\d+)'"
        )
    empty = [name for name, match in zip(names, found, strict=True) if not match.group(1)]
    if empty:
        raise DataError(f"patient_pattern {pattern!r} finds nothing in its group in '{empty[0]}'; make it longer")
    return np.array([match.group(1) for match in found]), f"patient id by pattern {pattern}"


def _by_table(names, table, what):
    table = {stem_of(key): str(value) for key, value in table.items()} | {str(k): str(v) for k, v in table.items()}
    missed = [name for name in names if name not in table and name.rpartition("/")[2] not in table]
    if missed:
        raise DataError(f"the {what} of patients says nothing of '{missed[0]}' ({len(missed)} of {len(names)}); add it")
    return np.array([table.get(name, table.get(name.rpartition("/")[2])) for name in names]), f"patient id by {what}"


def _read_table(path):
    path = user_path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the table of patients '{path}' cannot be read ({error}); check the path") from None
    first = text.partition("\n")[0]
    rows = [row for row in csv.reader(text.splitlines(), delimiter=max(",;\t", key=first.count)) if row]
    short = [row for row in rows if len(row) != 2]
    if short:
        raise DataError(f"'{path.name}' has a line of {len(short[0])} columns ({short[0]}); give name and patient")
    table = {name.strip(): patient.strip() for name, patient in rows}
    if len(table) < len(rows):
        double = Counter(name.strip() for name, _ in rows).most_common(1)[0][0]
        raise DataError(f"'{path.name}' names '{double}' twice; keep one line")
    return table


def _said(names, people, example, what):
    name, person = names[example], people[example]
    return (
        f"patient is '{person}' in '{name}': {len(set(names))} {what} of {len(set(people))} patients; "
        "if that is wrong, pass patient_pattern"
    )


def _people(names):
    """The person in each name of a scan, and the number of a name that shows how."""
    chunks = [_chunks(_without_dates(name) or name) for name in names]
    texts = [[text for text, *_ in row] for row in chunks]
    constant = set.intersection(*(set(enumerate(row)) for row in texts)) if len(set(names)) > 1 else set()
    people = [_person(name, row, constant) for name, row in zip(names, chunks, strict=True)]
    example = next((i for i, (name, person) in enumerate(zip(names, people, strict=True)) if name != person), 0)
    counts = Counter(people)
    by_name = {person: set() for person in counts}
    for name, person in zip(names, people, strict=True):
        by_name[person].add(name)
    if all(len(group) == 1 for group in by_name.values()):
        dates = [_without_dates(name) or name for name in names]
        return (names, 0) if len(set(dates)) == len(set(names)) else (dates, example)
    example = next((i for i, person in enumerate(people) if len(by_name[person]) > 1), example)
    return people, example


def _without_dates(name):
    """A name without the dates in it: examinations of one person on several days."""
    return re.sub(r"[-_. ]+$", "", re.sub(r"^[-_. ]+", "", DATE.sub("", name))).replace("__", "_").replace("--", "-")


def _chunks(name):
    """``(text, word, number, end)`` of each piece of a name that ends in a number or a separator."""
    pieces = []
    for chunk in re.finditer(r"[^\W_]+", name):
        text = chunk.group()
        if HASH.fullmatch(text.lower()):
            pieces.append((text, "", text, chunk.end()))
            continue
        for piece in re.finditer(r"([^\W\d_]*)(\d+)?", text):
            if piece.group():
                word = piece.group(1).lower() or (pieces[-1][1] if pieces and not pieces[-1][2] else "")
                pieces.append((piece.group(), word, piece.group(2) or "", chunk.start() + piece.end()))
    return pieces


def _person(name, pieces, constant):
    name_without = _without_dates(name) or name
    numbers = [(i, word, end) for i, (_, word, number, end) in enumerate(pieces) if number]
    for _, word, end in numbers:
        if word in PERSON:
            return name_without[:end]
    for i, word, end in numbers:
        if word not in PLACE and (i, pieces[i][0]) not in constant:
            return name_without[:end]
    kept = len(pieces)
    while kept > 1 and pieces[kept - 1][1] in VISIT:
        kept -= 1
    return name_without[: pieces[kept - 1][3]] if 0 < kept < len(pieces) else name


def unique_cases(cases):
    """Raise :class:`unet_helpers.DataError` if two slices share a name: tables by case would add them up."""
    double = [case for case, count in Counter(cases).items() if count > 1]
    if double:
        shown = ", ".join(sorted(double, key=natural_key)[:3])
        raise DataError(f"{len(double)} names stand for several slices ({shown}); rename the files so that each is one")
