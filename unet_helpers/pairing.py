"""Match images to masks by the name they share, and report what does not match.

Sorting both folders and zipping the lists is right only while the two hold the same names in the
same style. One missing mask shifts every pair behind it, without an error.
"""

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .images import READABLE, read_image, read_mask, stem_of, suffix_of

MASK_WORDS = ("_mask", "-mask", "_seg", "-seg", "_label", "-label", "_segmentation", "_gt")


@dataclass(frozen=True)
class Problem:
    """One thing that a person has to decide about: which file, what kind, what to do.

    ``paths`` starts with the file at fault; its partner follows, because a pair stands or falls together.
    """

    paths: tuple
    kind: str  # "duplicate", "copy", "size", "unreadable", "values", "format"
    message: str

    @property
    def path(self):
        """The first of the files."""
        return self.paths[0]


@dataclass
class Pairing:
    """What :func:`pair_files` found; ``print`` it for a report.

    ``pairs`` holds ``(image path, mask path)`` of every pair that can be used as it is. A file that
    is in a problem of kind "duplicate", "size" or "unreadable" is in no pair, and of a "copy" only
    the first. A mask with values unlike the others' (kind "values") stays in its pair: the pairing
    is right, the values need a decision.
    """

    pairs: list = field(default_factory=list)
    images_without_mask: list = field(default_factory=list)
    masks_without_image: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    matched_by_number: int = 0

    def __str__(self):
        lines = [f"{len(self.pairs)} pairs matched by name"]
        if self.matched_by_number:
            lines[0] += f", {self.matched_by_number} of them after reading 007 and 7 as the same number"
        for title, paths in (
            ("images without a mask", self.images_without_mask),
            ("masks without an image", self.masks_without_image),
        ):
            lines.append(f"{len(paths)} {title}" + (":" if paths else ""))
            lines += [f"  {path.name}" for path in paths]
        lines.append(f"{len(self.problems)} problems" + (":" if self.problems else ""))
        lines += [f"  {problem.message}" for problem in self.problems]
        return "\n".join(lines)

    @property
    def ok(self):
        """True when every file is in a pair and nothing is left to decide."""
        return not (self.images_without_mask or self.masks_without_image or self.problems)


def pair_files(image_folder, mask_folder, check_contents=True):
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

    Returns
    -------
    Pairing

    Raises
    ------
    FileNotFoundError
        If a folder is not there.
    ValueError
        If a folder holds no file that can be read, or no name of one stands in the other.
    """
    pairing = Pairing()
    images = _list_folder(image_folder, pairing)
    masks = _list_folder(mask_folder, pairing)

    by_name, _ = _match(images, masks, plain_name)
    rest = [_unused(paths, by_name, pairing) for paths in (images, masks)]
    by_number, ambiguous = _match(*rest, lambda path: without_leading_zeros(plain_name(path)))
    pairing.problems += [_duplicate(*group) for group in ambiguous]
    pairing.matched_by_number = len(by_number)
    pairing.pairs = sorted(by_name + by_number, key=lambda pair: natural_key(pair[0].name))
    pairing.images_without_mask = _unused(images, pairing.pairs, pairing)
    pairing.masks_without_image = _unused(masks, pairing.pairs, pairing)
    if not pairing.pairs and all(problem.kind == "format" for problem in pairing.problems):
        raise ValueError(
            f"no image in '{image_folder}' shares its name with a mask in '{mask_folder}' "
            f"('{images[0].name}' against '{masks[0].name}'); rename one side so that the names agree"
        )
    if check_contents:
        _check_contents(pairing)
    return pairing


def plain_name(path):
    """The name two files share: no format suffix, no ``_mask``, lower case."""
    name = stem_of(path).lower()
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
    parts = [part for part in re.split(r"(\d+)", str(name)) if part]
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts], str(name)


def _list_folder(folder, pairing):
    """Readable files in natural order; hidden files (``.DS_Store``, ``._x``) are not data."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder '{folder}'; check the path (relative to {Path.cwd().name}/)")
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    files.sort(key=lambda path: natural_key(path.name))
    readable = [path for path in files if suffix_of(path) in READABLE]
    for path in files:
        if suffix_of(path) not in READABLE:
            message = f"'{path.name}' is no image format that is read here; left aside"
            pairing.problems.append(Problem((path,), "format", message))
    if not readable:
        raise ValueError(f"folder '{folder}' holds no image ({', '.join(READABLE)}); is it the right folder?")
    return readable


def _match(images, masks, key):
    """Pairs whose key stands exactly once on each side, and the groups in which a key stands more often."""
    sides = []
    for paths in (images, masks):
        groups = defaultdict(list)
        for path in paths:
            groups[key(path)].append(path)
        sides.append(groups)
    groups = [(sides[0].get(name, []), sides[1].get(name, [])) for name in sides[0] | sides[1]]
    pairs = [(image[0], mask[0]) for image, mask in groups if len(image) == len(mask) == 1]
    return pairs, [group for group in groups if max(map(len, group)) > 1]


def _duplicate(images, masks):
    names = " and ".join(
        f"{len(group)} {kind}{'s' * (len(group) > 1)} ({', '.join(path.name for path in group)})"
        for kind, group in (("image", images), ("mask", masks))
        if group
    )
    message = f"one name for {names}; keep one image and one mask, so that no choice is left"
    return Problem((*images, *masks), "duplicate", message)


def _unused(paths, pairs, pairing):
    used = {path for pair in pairs for path in pair}
    used |= {path for problem in pairing.problems for path in problem.paths}
    return [path for path in paths if path not in used]


def _check_contents(pairing):
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
        first = seen.setdefault(hashlib.sha256(image.tobytes()).digest(), image_path)
        if first is not image_path:
            message = f"image '{image_path.name}' has the pixels of '{first.name}'; one slice counted twice, keep one"
            pairing.problems.append(Problem((image_path, mask_path), "copy", message))
            continue
        good.append((image_path, mask_path))
        values[mask_path, image_path] = frozenset(np.unique(mask).tolist())
    pairing.pairs = good
    pairing.problems += _unlike_the_others(values)


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
