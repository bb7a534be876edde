"""Which gray rule is that of which picture: by what each file stores, never by the first of the folder.

Files of one kind share one rule, so that the same tissue has the same gray in all. Kinds that can be told apart by
what the files store (8 and 16 bits, numbers from 0 to 1) each have their own rule, and the report names it with the
number of its files. Kinds that cannot be brought to one meaning (HU beside gray values) are refused.
"""

from dataclasses import dataclass

import numpy as np

from ..files.paths import DataError
from .preprocessing import scale_by_percentiles, to_unit, unit_range, window

ANY = "any kind"
LUNG = (-600, 1500)
HU = (True, "", None, "")
FEW = 0.25  # files of another depth beyond this share of a folder are no accident


def scale_pictures(readings, paths, value_range=None):
    """Bring the pictures of one source to [0, 1].

    Parameters
    ----------
    readings : list of Reading, whose arrays are ``(H, W, C)`` float32 as stored
    paths : list of Path, of the same length
    value_range : (float, float), optional
        The stored values that become 0 and 1, for all files; what lies beyond is cut off. Default: by the kind of each
        file, as :func:`unet_helpers.data.scale_to_unit` does.

    Returns
    -------
    images : list of float32 arrays
    rule : PictureGrays
        In words for the report, and to bring a picture of the same source to [0, 1] later.

    Raises
    ------
    DataError
        If HU and gray values stand side by side, or a range fits no rule; the files are named.
    """
    images = [reading.array for reading in readings]
    if value_range is not None:
        low, high = map(np.float32, value_range)
        if not low < high:
            raise DataError(f"value_range is {tuple(value_range)}; give the value that becomes 0, and a larger one")
        scaled = [to_unit(image, low, high) for image in images]
        beyond = np.mean([float(((image < low) | (image > high)).mean()) for image in images])
        words = f"values {low:g} to {high:g} to 0–1, {beyond:.0%} beyond them cut off"
        return scaled, PictureGrays({ANY: (float(low), float(high))}, words)
    kinds = _kinds(readings)
    groups = {kind: [i for i, other in enumerate(kinds) if other == kind] for kind in dict.fromkeys(kinds)}
    _refuse_two_meanings(groups, paths)
    scaled, ranges, rules = [None] * len(images), {}, []
    for kind, members in sorted(groups.items(), key=lambda group: -len(group[1])):
        try:
            ranges[_named(kind)], rule = _range_of(kind, [images[i] for i in members])
        except ValueError as error:
            raise DataError(f"'{paths[members[0]].name}' and {len(members) - 1} more like it: {error}") from None
        for i in members:
            scaled[i] = to_unit(images[i], *ranges[_named(kind)])
        rules.append((len(members), rule + _depths_mixed([images[i] for i in members], rule)))
    words = rules[0][1] if len(rules) == 1 else "; ".join(f"{count} files: {rule}" for count, rule in rules)
    return scaled, PictureGrays(ranges, words)


def _range_of(kind, images):
    hu, dtype, bits, _ = kind
    if hu:
        level, width = LUNG
        return (level - width / 2, level + width / 2), f"HU, window {level}/{width}"
    return unit_range(images, dtype=dtype, bits=bits)


def _named(kind):
    hu, dtype, bits, fractions = kind
    if hu:
        return "HU"
    return " ".join(filter(None, [dtype, bits and f"of {bits} bits", fractions and f"({fractions})"]))


@dataclass(frozen=True)
class PictureGrays:
    """The stored values that became 0 and 1, for each kind of picture in a source.

    ranges : dict of str to (float, float)
        By the kind in words, such as "HU" or "uint8"; ``ANY`` where ``value_range`` was given for all.
    words : str
        For the report.
    """

    ranges: dict
    words: str

    def __str__(self):
        return self.words

    def scale(self, reading, path):
        """A later picture ``(…, C)`` to [0, 1] as those of its kind were; an error if there was none."""
        image, kind = reading.array, _named(_kinds([reading])[0])
        low, high = self.ranges.get(ANY) or self.ranges.get(kind) or (None, None)
        if low is None:
            known = " and ".join(self.ranges)
            raise DataError(
                f"'{path.name}' holds gray values of another kind, {kind}, than was seen, {known}; convert it"
            )
        if ANY not in self.ranges and float(image.max()) > high > 255 and kind != "HU":
            raise DataError(
                f"'{path.name}' holds values up to {image.max():g}, but {high:g} was the highest; convert it"
            )
        return to_unit(image, low, high)


@dataclass(frozen=True)
class ChannelGrays:
    """How each channel of the volumes of a source came to [0, 1].

    channels : tuple of str
        "HU" for a window, or "percentiles" of each volume.
    window : (float, float)
        Level and width in HU.
    words : str
        For the report.
    """

    channels: tuple
    window: tuple
    words: str

    def __str__(self):
        return self.words

    def scale(self, reading, path):
        """A later volume ``(…, C)`` to [0, 1]; :class:`unet_helpers.DataError` if its values are of another kind."""
        image, unit = reading.array, reading.unit
        scaled = np.empty(image.shape, np.float32)
        for channel, kind in enumerate(self.channels):
            values = image[..., channel]
            like_hu = unit == "HU" or float(values.min()) < -200
            if like_hu != (kind == "HU"):
                here, there = ("HU", "other values") if like_hu else ("no HU", "HU")
                raise DataError(f"'{path.name}' holds {here}, but {there} were seen; it is of another modality")
            scaled[..., channel] = window(values, *self.window) if like_hu else scale_by_percentiles(values)
        return scaled


def _kinds(readings):
    """``(HU or not, stored type, bits, float range)`` of each file; a blank one is of the kind of the others."""
    lows, highs = ([float(part(reading.array)) for reading in readings] for part in (np.min, np.max))
    kinds = []
    for reading, low, high in zip(readings, lows, highs, strict=True):
        if reading.unit == "HU" or (-4096 <= low <= -200 and not reading.stored.startswith("uint")):
            kinds.append(HU)
        elif reading.stored in ("uint8", "bool"):
            kinds.append((False, "uint8", None, ""))
        elif not reading.stored.startswith("float"):
            kinds.append((False, "uint16", reading.bits, ""))
        else:
            kinds.append((False, "float32", None, "unit" if high <= 1.25 else "more"))
    blank = [low == high for low, high in zip(lows, highs, strict=True)]
    return _adopt(kinds, blank, lows)


def _adopt(kinds, blank, lows):
    """Give slices without air among HU, and blank pictures, the kind of their neighbors."""
    if HU in kinds:
        kinds = [HU if -200 < low < 0 else kind for kind, low in zip(kinds, lows, strict=True)]
    seen = [kind for kind, empty in zip(kinds, blank, strict=True) if not empty]
    adopted = []
    for kind, empty in zip(kinds, blank, strict=True):
        if empty and seen and kind not in seen:
            like = [other for other in seen if other[1:3] == kind[1:3] or (other == HU and kind[1] != "uint8")]
            kind = like[0] if like else kind
        adopted.append(kind)
    return adopted


def _refuse_two_meanings(groups, paths):
    hu = [kind for kind in groups if kind[0]]
    others = [kind for kind in groups if not kind[0]]
    if hu and others:
        first, second = paths[groups[hu[0]][0]].name, paths[groups[others[0]][0]].name
        raise DataError(
            f"'{first}' holds HU but '{second}' gray values: one tissue would have two grays; keep the kinds in "
            "folders of their own, or say with value_range which stored values become 0 and 1"
        )
    for kind in others:
        other = (*kind[:3], "more" if kind[3] == "unit" else "unit")
        if kind[3] and other in groups:
            unit, more = sorted((kind, other), key=lambda kind: kind[3] != "unit")
            raise DataError(
                f"'{paths[groups[unit][0]].name}' holds values from 0 to 1 but '{paths[groups[more][0]].name}' larger "
                "ones, both as fractions; bring all to one range, or pass value_range"
            )


def _depths_mixed(images, rule):
    """Words, or an error, where some 16-bit files use 12 bits only."""
    if not rule.startswith("16-bit"):
        return ""
    highs = np.array([float(image.max()) for image in images])
    small = (highs <= 4095) & (highs > 1023)
    if not small.any():
        return ""
    if small.mean() >= FEW and (highs >= 16384).mean() >= FEW:
        raise DataError(
            f"{int(small.sum())} of {len(images)} 16-bit pictures reach {highs[small].max():g} at most, others "
            f"{highs.max():g}: 12 and 16 bits in one folder; keep them in folders of their own, or pass value_range"
        )
    return f"; {int(small.sum())} of {len(images)} stay below 4096: check that they have no 12 bits only"
