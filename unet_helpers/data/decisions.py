"""What a person decides about a folder, in one small file beside the data: ``series.toml``.

A program can recognize a layout; it cannot know what the values in a mask mean, or where the patient stands in a file
name. What a person knows is written down once, next to the files, and read by :func:`unet_helpers.load_dataset`, by
``make your-data``, by its report and its model card. Used in 15.
"""

import difflib
import tomllib

from ..files.pairing import DECISIONS
from ..files.paths import DataError, atomic_path, user_path

#: the name of the file
FILE = DECISIONS

TEMPLATE = """\
# What a person decides about this folder. Lines that begin with # are not in force: take the # away, and change the
# value. load_dataset, `make your-data`, the report and the model card read this file; what a call says goes first.

# How reports name these data.
# name = "chest CT, clinic A"

# The classes, background first.
# class_names = ["background", "lung"]

# Where the patient stands in a file name: a regular expression with one group. All files of a patient go to one side
# of the split.
# patient_pattern = '^(LK-\\d+)'

# Level and width in HU of the window through which volumes of CT are seen.
# window = [-600, 1500]

# What the channels of volumes are, where their headers do not say.
# modality = "CT"

# The stored values of pictures that become black and white, where their type does not say.
# value_range = [0, 4095]

# Height and width in pixels to which all slices are brought.
# size = 128

# Row and column spacing in mm of pictures that carry none.
# spacing = [0.7, 0.7]

# Shares of the patients in training, validation and test.
# fractions = [0.6, 0.2, 0.2]

# Files that do not fit: "raise" stops and names them, "leave_out" goes on without them and names them.
# problems = "leave_out"

# What the values in the masks mean: value in the file = number of the class.
# [mask_values]
# 0 = 0
# 255 = 1

# Images that must not be used, and why.
# [left_out]
# "PAT0042_017.png" = "mask belongs to another patient"

# The words of the model card; `fill_model_card` brings the numbers.
# [model_card]
# "Intended use" = "teaching; not for patients"
"""


def _is_text(value):
    return isinstance(value, str) and bool(value.strip())


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_list_of(test, count=None):
    def check(value):
        return isinstance(value, list) and all(map(test, value)) and len(value) in ({count} if count else range(2, 256))

    return check


def _is_table_of_text(value):
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_mask_values(value):
    is_whole = all(key.lstrip("-").isdigit() for key in value) if isinstance(value, dict) else False
    return is_whole and all(isinstance(new, int) and not isinstance(new, bool) and new >= 0 for new in value.values())


#: each key of the file: whether a value fits, and what would
KEYS = {
    "name": (_is_text, 'a text, as "chest CT, clinic A"'),
    "class_names": (_is_list_of(_is_text), 'a list of texts, background first, as ["background", "lung"]'),
    "patient_pattern": (_is_text, r"a regular expression with one group, as '^(LK-\d+)'"),
    "window": (_is_list_of(_is_number, 2), "level and width in HU, as [-600, 1500]"),
    "size": (_is_count, "a number of pixels, as 128"),
    "layout": (_is_text, 'the name of a layout, as "pairs"'),
    "modality": (lambda value: _is_text(value) or _is_list_of(_is_text)(value), '"CT", "MR", or a list of them'),
    "value_range": (_is_list_of(_is_number, 2), "the stored values that become 0 and 1, as [0, 4095]"),
    "spacing": (_is_list_of(lambda mm: _is_number(mm) and mm > 0, 2), "row and column in mm, as [0.7, 0.7]"),
    "fractions": (_is_list_of(_is_number, 3), "three shares that sum to 1, as [0.6, 0.2, 0.2]"),
    "problems": (lambda value: value in ("raise", "leave_out"), '"raise" or "leave_out"'),
    "consensus": (_is_count, "a number of readers, as 2"),
    "volumes": (_is_count, "a number of volumes, as 10"),
    "mask_values": (_is_mask_values, "a table of value = class, as 255 = 1"),
    "left_out": (_is_table_of_text, 'a table of "file name" = "reason"'),
    "model_card": (_is_table_of_text, 'a table of "section" = "text"'),
}


def read_decisions(folder):
    """What ``series.toml`` in a folder decides.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    dict
        The options of :func:`unet_helpers.load_dataset` that it sets, and ``name``, ``left_out`` and ``model_card``;
        empty where there is no such file, or nothing in it is in force.

    Raises
    ------
    DataError
        If it is no TOML, or a key or value is none that is known, with the nearest one that is.
    """
    path = user_path(folder) / FILE
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"'{path}' cannot be read as TOML: {error}; texts stand in quotes, lists in [ ]") from None
    for key, value in content.items():
        if key not in KEYS:
            raise DataError(f"'{path}' has the key {key!r}, which nothing reads; {_nearest(key, KEYS)}")
        astray = [inner for inner in value if inner in KEYS] if isinstance(value, dict) else []
        if astray:  # TOML puts all that follows a line in [ ] into that table
            raise DataError(f"'{path}' has {astray[0]!r} below [{key}]; move that line above the first line in [ ]")
        fits, what = KEYS[key]
        if not fits(value):
            raise DataError(f"'{path}' says {key} = {_shown(value)}; it takes {what}")
    for key in ("window", "fractions", "value_range", "spacing", "class_names"):
        if key in content:
            content[key] = tuple(content[key])
    if "mask_values" in content:
        content["mask_values"] = {int(value): index for value, index in content["mask_values"].items()}
    return content


def write_template(folder):
    """Write ``series.toml`` into a folder, every line a comment, unless it is there.

    Returns
    -------
    Path or None
        The file; None where the folder cannot be written: then the call has to say what the file would.
    """
    path = user_path(folder) / FILE
    if not path.exists():
        try:
            with atomic_path(path) as temporary:
                temporary.write_text(TEMPLATE, encoding="utf-8")
        except DataError:
            return None
    return path


def _nearest(word, known):
    close = difflib.get_close_matches(word.lower().replace("-", "_").replace(" ", "_"), known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


def _shown(value):
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "…"
