"""Match images to masks by the name they share, and report what does not match.

Sorting both folders and zipping the lists is right only while the two hold the same names in the
same style. One missing mask shifts every pair behind it, without an error.
"""

import contextlib
import hashlib
import os
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .images import read_image, read_mask
from .paths import READABLE, DataError, is_part, stem_of, suffix_of, user_path

#: what a person decides, beside the data; read by :mod:`unet_helpers.data.decisions`
DECISIONS = "series.toml"
#: endings by which the name of a mask differs from that of its image
MASK_WORDS = (
    *("_cp_masks", "_masks", "-masks", "_mask", "-mask", "_seg", "-seg", "_label", "-label", "_labels", "-labels"),
    *("_segmentation", "_gt", ".seg"),
)
#: one of several masks of an image: x_mask_1 beside x_mask
NUMBERED = re.compile(rf"(.+)(?:{'|'.join(MASK_WORDS)})[-_]?\d{{1,3}}")


@dataclass(frozen=True)
class Problem:
    """One thing that a person has to decide about: which file, what kind, what to do.

    ``paths`` starts with the file at fault; its partner follows, because a pair stands or falls together.
    """

    paths: tuple
    kind: str  # "duplicate", "several", "copy", "size", "unreadable", "values", "format", "folder"
    message: str

    @property
    def path(self):
        """The first of the files."""
        return self.paths[0]


@dataclass
class Pairing:
    """What :func:`pair_files` found; ``print`` it for a report.

    ``pairs`` holds ``(image path, mask path)`` of every pair that can be used as it is. A file that is in a problem of
    kind "duplicate", "several", "size" or "unreadable" is in no pair, and of a "copy" only the first. A mask with
    values unlike the others' (kind "values") stays in its pair: the pairing is right, the values need a decision.
    "several" is an image with its masks ``x_mask``, ``x_mask_1``, …, which :func:`unet_helpers.load_dataset` merges; a
    "folder" with pictures stands beside the files and is not read.
    """

    pairs: list = field(default_factory=list)
    images_without_mask: list = field(default_factory=list)
    masks_without_image: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    left_out: list = field(default_factory=list)  # as was asked for
    matched_by: str = "name"  # or "key"

    @property
    def matched_by_number(self):
        """How many pairs have one name only after reading 007 and 7 as the same number."""
        return sum(self.matched_by == "name" and plain_name(image) != plain_name(mask) for image, mask in self.pairs)

    def __str__(self):
        lines = [f"{_counted(self.pairs, 'pair')} matched by {self.matched_by}"]
        if self.matched_by_number:
            lines[0] += f", {self.matched_by_number} of them after reading 007 and 7 as the same number"
        for title, paths in (
            (f"{_counted(self.images_without_mask, 'image')} without a mask", self.images_without_mask),
            (f"{_counted(self.masks_without_image, 'mask')} without an image", self.masks_without_image),
        ):
            lines.append(title + (":" if paths else ""))
            lines += [f"  {path.name}" for path in paths]
        lines.append(_counted(self.problems, "problem") + (":" if self.problems else ""))
        lines += [f"  {problem.message}" for problem in self.problems]
        return "\n".join(lines)

    @property
    def ok(self):
        """True when every file is in a pair and nothing is left to decide."""
        return not (self.images_without_mask or self.masks_without_image or self.problems)


def _counted(things, word):
    return f"{len(things)} {word}{'s' * (len(things) != 1)}"


def pair_files(image_folder, mask_folder, check_contents=True, leave_out=(), key=None):
    """Match the images of one folder to the masks of another by shared name.

    Names are compared without their format suffix and without a word like ``_mask``. What has no
    partner of exactly that name is compared once more with leading zeros removed from its numbers,
    so that ``P1_Z_7`` meets ``P001_Z_0007``. A name that stands twice in one folder is a problem
    and pairs with nothing, because either choice could be wrong.

    Parameters
    ----------
    image_folder, mask_folder : str or Path
    check_contents : bool
        Read every file too, and report what is truncated, of another size than its partner, or
        holds mask values that the other masks do not.
    leave_out : collection of str
        Files that do not count, as ``x.png`` or ``2d_images/x.png``; a partner that they leave alone goes with them.
    key : callable, optional
        What image and mask share, where their names do not: a function of a file name, ending included, as
        ``lambda name: re.findall(r"\\d+", name)[0]``. Images and masks of one key are pairs, and nothing else in
        their names counts. A key that stands twice in one folder pairs with nothing, as a name does.

    Returns
    -------
    Pairing

    Raises
    ------
    FileNotFoundError
        If a folder is not there.
    ValueError
        If a folder holds no file that can be read, no name or key of one stands in the other, or ``key`` fails or
        gives None for a file.
    """
    pairing = Pairing(matched_by="name" if key is None else "key")
    key = key and _naming_the_file(key)
    image_folder, mask_folder = user_path(image_folder), user_path(mask_folder)
    images = _list_folder(image_folder, pairing, leave_out)
    masks = _list_folder(mask_folder, pairing, leave_out)
    _pair(image_folder, images, mask_folder, masks, pairing, key)
    _let_partners_go(pairing, key)
    if check_contents:
        look_into(pairing)
    return pairing


def pair_suffixes(folder, check_contents=True, leave_out=()):
    """Match the images to the masks of one folder, where ``x.png`` has its mask in ``x_mask.png``.

    A file whose name ends in one of :data:`MASK_WORDS` is a mask, any other an image. The rest is as in
    :func:`pair_files`.
    """
    pairing = Pairing()
    folder = user_path(folder)
    names = _list_folder(folder, pairing, leave_out)
    images, masks = divide_by_name(names)
    if not (images and masks):
        missing = "image beside its masks" if masks else "mask (x_mask.png for x.png)"
        raise DataError(f"folder '{folder}' holds no {missing}; is it the right folder?")
    _pair(folder, images, folder, masks, pairing)
    _let_partners_go(pairing)
    if check_contents:
        look_into(pairing)
    return pairing


def is_mask_name(path):
    """True for a name like ``x_mask.png``."""
    return stem_of(path).casefold().endswith(MASK_WORDS)


def divide_by_name(names):
    """The names of images, and of masks: by their ending, and x_mask_1 where there is an x."""
    rest = [name for name in names if not is_mask_name(name)]
    plain = {plain_name(name) for name in rest}
    images = [name for name in rest if _base_of_numbered(name) not in plain]
    return images, _without(names, set(images))


def _base_of_numbered(name):
    match = NUMBERED.fullmatch(unicodedata.normalize("NFC", stem_of(name)).casefold())
    return match.group(1) if match else None


def plain_name(path):
    """The name two files share: no format suffix, no ``_mask``, lower case, and é written in one way."""
    name = unicodedata.normalize("NFC", stem_of(path)).casefold()
    for word in MASK_WORDS:
        name = name.removesuffix(word)
    return name


def without_leading_zeros(name):
    """``P001_Z_0007`` and ``P1_Z_7`` become the same.

    >>> without_leading_zeros("P001_Z_0070")
    'P1_Z_70'
    """
    return re.sub(r"0*(\d+)", r"\1", name)


def natural_key(name):
    """Sort key that puts 9 before 10; names that differ only in leading zeros keep one order too.

    >>> sorted(["Z_10", "Z_9"]), sorted(["Z_10", "Z_9"], key=natural_key)
    (['Z_10', 'Z_9'], ['Z_9', 'Z_10'])
    """
    parts = re.split(r"(\d+)", str(name))  # text, digits, text, … so that like meets like
    parts[1::2] = map(int, parts[1::2])
    return parts, str(name)


def _naming_the_file(key):
    """A reader's key, with errors that say for which file it gives nothing to compare."""
    remedy = "give what image and mask share, as a text, number or tuple, or leave the file out with leave_out"

    def checked(name):
        try:
            found = key(name)
            hash(found)
        except Exception as error:
            raise DataError(f"key fails for '{name}' ({type(error).__name__}: {error}); {remedy}") from error
        if found is None:
            raise DataError(f"key gives None for '{name}'; {remedy}")
        return found

    return checked


def _plain_number(name):
    return without_leading_zeros(plain_name(name))


def _let_partners_go(pairing, key=None):
    """What has lost its partner to ``leave_out`` is no file without a partner."""
    key, keys = key or _plain_number, set()
    for path in pairing.left_out:
        with contextlib.suppress(DataError):  # leaving it out is the remedy for a file without a key
            keys.add(key(path.name))
    for alone in (pairing.images_without_mask, pairing.masks_without_image):
        gone = [path for path in alone if key(path.name) in keys]
        alone[:] = [path for path in alone if path not in gone]
        pairing.left_out += gone


def _list_folder(folder, pairing, leave_out=()):
    """Names of the readable files, sorted; hidden files (``.DS_Store``, ``._x``) are not data."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder '{folder}'; check the path (relative to {Path.cwd().name}/)")
    try:
        with os.scandir(folder) as entries:
            entries = [entry for entry in entries if not entry.name.startswith(".") and entry.name != DECISIONS]
    except PermissionError:
        raise DataError(f"folder '{folder}' may not be read by this user; change its permissions") from None
    out = [entry.name for entry in entries if {entry.name, f"{folder.name}/{entry.name}"} & set(leave_out)]
    pairing.left_out += [folder / name for name in sorted(out, key=natural_key)]
    files = [entry.name for entry in entries if _is_file(entry) and entry.name not in out]
    names = set(files)
    files = [name for name in files if not is_part(name, names)]
    odd = [name for name in files if suffix_of(name) not in READABLE]
    for name in sorted(odd, key=natural_key):
        message = f"'{name}' is no image format that is read here; left aside"
        pairing.problems.append(Problem((folder / name,), "format", message))
    for name in sorted(entry.name for entry in entries if entry.is_symlink() and not os.path.exists(entry.path)):
        message = f"'{name}' is a link that leads nowhere; copy the file itself, or remove the link"
        pairing.problems.append(Problem((folder / name,), "unreadable", message))
    readable = sorted(set(files) - set(odd))
    inner = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and _pictures_below(entry.path)]
    for name in sorted(inner, key=natural_key):
        count = _pictures_below(folder / name)
        message = f"'{name}/' is a folder with {count} pictures, which are not read; move them up, or the folder away"
        pairing.problems.append(Problem((folder / name,), "folder", message))
    if not readable:
        inside = f"but folders with pictures ({', '.join(sorted(inner, key=natural_key)[:5])})" if inner else ""
        formats = inside or f"({', '.join(READABLE)})"
        raise DataError(f"folder '{folder}' holds no image {formats}; is it the right folder?")
    return readable


def _pictures_below(folder):
    """How many readable files lie in a folder and its folders, hidden ones aside."""
    found = 0
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        found += sum(suffix_of(name) in READABLE and not name.startswith(".") for name in files)
    return found


def _is_file(entry):
    try:
        return entry.is_file()
    except OSError:  # links in a circle
        return False


def _pair(image_folder, images, mask_folder, masks, pairing, key=None):
    """Fill in the pairs, what is alone and what is double; on names, because paths are slow to make and to compare."""
    by_name, ambiguous = _match(images, masks, key or plain_name)
    rest = _without(images, {pair[0] for pair in by_name}), _without(masks, {pair[1] for pair in by_name})
    by_number = []
    if key is None:
        by_number, ambiguous = _match(*rest, _plain_number)
    groups = [(*(sorted(group, key=natural_key) for group in both),) for both in ambiguous]
    groups.sort(key=lambda both: natural_key((both[0] or both[1])[0]))
    pairing.problems += [
        _duplicate(
            [image_folder / name for name in both[0]],
            [mask_folder / name for name in both[1]],
            "name" if key is None else f"key, {key((both[0] or both[1])[0])!r},",
        )
        for both in groups
    ]
    pairs, several = _gather_numbered(by_name + by_number, *rest) if key is None else (by_name, [])
    pairing.problems += [_several(image_folder / image, [mask_folder / mask for mask in own]) for image, own in several]
    pairs.sort(key=lambda pair: natural_key(pair[0]))
    pairing.pairs = [(image_folder / image, mask_folder / mask) for image, mask in pairs]
    for side, (folder, names, alone) in enumerate(
        ((image_folder, rest[0], pairing.images_without_mask), (mask_folder, rest[1], pairing.masks_without_image))
    ):
        used = {pair[side] for pair in by_number}.union(*(both[side] for both in groups))
        used |= {image for image, _ in several} if side == 0 else {mask for _, own in several for mask in own}
        alone += [folder / name for name in sorted(_without(names, used), key=natural_key)]
    if not (pairs or groups or several):
        first = min(images, key=natural_key), min(masks, key=natural_key)
        shown = [f"'{name}'" if key is None else f"'{name}' gives {key(name)!r}" for name in first]
        raise DataError(
            f"no image in '{image_folder}' shares its {pairing.matched_by} with a mask in '{mask_folder}' "
            f"({' against '.join(shown)}); "
            + ("rename one side so that the names agree, or give pair_files a key" if key is None else "mend the key")
        )


def _gather_numbered(pairs, images, masks):
    """Take out the images that have masks with numbers, x_mask_1, beside x_mask or without it."""
    numbered = defaultdict(list)
    for mask in masks:
        if base := _base_of_numbered(mask):
            numbered[base].append(mask)
    if not numbered:
        return pairs, []
    own = {image: [mask] for image, mask in pairs} | {image: [] for image in images}
    counts = Counter(map(plain_name, own))
    several = []
    for image, first in own.items():
        if more := numbered.get(plain_name(image)) if counts[plain_name(image)] == 1 else None:
            several.append((image, sorted([*first, *more], key=natural_key)))
    taken = {image for image, _ in several}
    several.sort(key=lambda group: natural_key(group[0]))
    return [pair for pair in pairs if pair[0] not in taken], several


def _several(image, masks):
    names = ", ".join(path.name for path in masks)
    message = f"image '{image.name}' has {len(masks)} masks ({names}); merge them to one, as load_dataset does"
    return Problem((image, *masks), "several", message)


def _without(names, used):
    return [name for name in names if name not in used]


def _match(images, masks, key):
    """Pairs whose key stands exactly once on each side, and the groups in which a key stands more often."""
    sides = []
    for names in (images, masks):
        groups = defaultdict(list)
        for name in names:
            groups[key(name)].append(name)
        sides.append(groups)
    groups = [(sides[0].get(name, []), sides[1].get(name, [])) for name in sides[0] | sides[1]]
    pairs = [(image[0], mask[0]) for image, mask in groups if len(image) == len(mask) == 1]
    return pairs, [group for group in groups if max(map(len, group)) > 1]


def _duplicate(images, masks, word):
    names = " and ".join(
        f"{len(group)} {kind}{'s' * (len(group) > 1)} ({', '.join(path.name for path in group)})"
        for kind, group in (("image", images), ("mask", masks))
        if group
    )
    message = f"one {word} for {names}; keep one image and one mask, so that no choice is left"
    return Problem((*images, *masks), "duplicate", message)


def look_into(pairing):
    """Read every pair, and sort out of a :class:`Pairing` what is damaged, of two sizes, a copy, or odd in its values.

    Blank images, of one value or one color throughout, are no copies of each other: the first slices of many scans are
    black, and tiles beside the tissue have the color of the glass.
    """
    good, values, seen = [], {}, {}
    for image_path, mask_path in pairing.pairs:
        paths = (image_path, mask_path)
        try:
            image, _ = read_image(image_path)
            paths = (mask_path, image_path)
            mask = read_mask(mask_path)
        except ValueError as error:
            pairing.problems.append(Problem(paths, "unreadable", str(error)))
            continue
        if mask.shape != image.shape[:-1]:
            size = "×".join(map(str, mask.shape))
            expected = "×".join(map(str, image.shape[:-1]))
            message = f"mask '{mask_path.name}' is {size} but its image is {expected}; resize both or remove the pair"
            pairing.problems.append(Problem((mask_path, image_path), "size", message))
            continue
        blank = not np.ptp(image, axis=tuple(range(image.ndim - 1))).any()
        first = image_path if blank else seen.setdefault(hashlib.sha256(image.tobytes()).digest(), image_path)
        if first is not image_path:
            names = [path.name if path.parent == first.parent else _within(path) for path in (image_path, first)]
            message = f"image '{names[0]}' has the pixels of '{names[1]}'; one slice counted twice, keep one"
            pairing.problems.append(Problem((image_path, mask_path), "copy", message))
            continue
        good.append((image_path, mask_path))
        values[mask_path, image_path] = frozenset(np.unique(mask).tolist())
    pairing.pairs = good
    pairing.problems += _unlike_the_others(values)


def _within(path):
    return "/".join(path.parts[-3:])


def _unlike_the_others(values):
    """Masks in 0/255 among masks of class indices; a folder that is 0/255 throughout is fine."""
    is_255 = {paths: 255 in found for paths, found in values.items()}
    share = sum(is_255.values()) / max(len(values), 1)
    indices = set().union(*(found for paths, found in values.items() if not is_255[paths])) if share < 1 else set()
    if share in (0, 1) or indices <= {0}:
        return []
    return [
        Problem(
            paths,
            "values",
            f"mask '{paths[0].name}' holds {sorted(values[paths])} where others hold {sorted(indices)}; "
            "say what 255 means with mask_values",
        )
        for paths, odd in is_255.items()
        if odd
    ]


#: names of the folders for images and for masks
FOLDER_PAIRS = (
    *(("2d_images", "2d_masks"), ("images", "masks"), ("imagesTr", "labelsTr"), ("image", "mask")),
    *(("images", "labels"), ("image", "label"), ("imgs", "masks")),
)
