"""One door to every data source: a name or a folder in, three subsets split by patient out."""

import contextlib
import hashlib
import os
import re
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from . import layouts, preprocessing
from .downloads import SOURCES, fetch
from .images import DataError, atomic_path, read_image, read_mask, stem_of, user_path, writing
from .layouts import recognize_layout
from .pairing import natural_key, pair_files, pair_suffixes
from .preprocessing import encode_mask, resize_image, resize_mask, scale_to_unit

PHANTOM_CLASSES = ("background", "lung", "nodule")


@dataclass
class Subset:
    """Slices with their masks and where they come from.

    images : ``(N, H, W, C)`` float32, 0–1 after windowing, else HU
    masks : ``(N, H, W)`` uint8 class indices
    patient_ids, case_ids : ``(N,)`` str; a case is one slice here
    spacing : ``(N, 2)`` float, (row, column) in mm; NaN where the source carries none
    readers : ``(N, R, H, W)`` uint8 or None, the masks of R readers behind a consensus
    instances : ``(N, H, W)`` int32 or None, the number of the object at each pixel, 0 for background
    """

    images: np.ndarray
    masks: np.ndarray
    patient_ids: np.ndarray
    case_ids: np.ndarray
    spacing: np.ndarray
    readers: np.ndarray | None = None
    instances: np.ndarray | None = None

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        """A subset of the slices: an index array, a boolean array or a slice."""
        index = np.atleast_1d(np.arange(len(self))[index])
        columns = (getattr(self, column.name) for column in fields(self))
        return Subset(*(None if column is None else column[index] for column in columns))

    @property
    def patients(self):
        """The patient ids in natural order, each once."""
        return sorted(set(self.patient_ids.tolist()), key=natural_key)

    def of_patient(self, patient_id):
        """The slices of one patient."""
        return self[self.patient_ids == patient_id]


@dataclass
class Dataset:
    """Three subsets that share no patient, and how they were made."""

    name: str
    class_names: tuple
    train: Subset
    validation: Subset
    test: Subset
    report: list = field(default_factory=list)

    @property
    def num_classes(self):
        """Background included."""
        return len(self.class_names)

    @property
    def subsets(self):
        """The three by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def __str__(self):
        lines = [f"{self.name}: {', '.join(f'{i} {name}' for i, name in enumerate(self.class_names))}"]
        for name, subset in self.subsets.items():
            size = "×".join(str(n) for n in subset.images.shape[1:])
            lines.append(f"  {name:<10} {len(subset.patients):>3} patients, {len(subset):>4} slices of {size}")
        return "\n".join(lines + [f"  {line}" for line in self.report])


def load_dataset(source="phantom", *, size=None, seed=0, fractions=(0.7, 0.15, 0.15), **options):
    """Load a data source by name or path, split by patient.

    Parameters
    ----------
    source : str or Path
        ``"phantom"`` for the synthetic patients that need no download, the name of a public set that
        :func:`unet_helpers.fetch` knows (``"Task04_Hippocampus"``), or a folder in a layout that
        :func:`unet_helpers.layouts.recognize_layout` knows: two folders of images and masks
        (``2d_images/`` and ``2d_masks/``, ``images/`` and ``masks/``), ``x.png`` beside ``x_mask.png``,
        LIDC, DSB2018, Medical Segmentation Decathlon, BraTS.
    size : int, optional
        Height and width of the slices. Default: 128 for the phantom, the stored size for a folder.
    seed : int
        Of the phantom's patients and of the split.
    fractions : (float, float, float)
        Shares of the patients in train, validation and test.
    options
        Phantom: ``patients``, ``slices``, ``window``, ``variety``. Folder of pairs: ``class_names``,
        ``mask_values``, ``problems``, ``patient_pattern``. LIDC: ``consensus``. Volumes: ``volumes``,
        ``window``. See :func:`load_phantom`, :func:`load_pairs`, :func:`load_lidc` and
        :mod:`unet_helpers.layouts`.

    Returns
    -------
    Dataset

    Raises
    ------
    FileNotFoundError, ValueError
        One sentence with the file or folder and the remedy.
    """
    if str(source) == "phantom":
        loaded = load_phantom(size=size or 128, seed=seed, **options)
    else:
        layout, detail = recognize_layout(source_folder(source))
        if layout == "lidc":
            loaded = load_lidc(detail, size=size, **options)
        elif layout == "pairs":
            loaded = load_pairs(*detail, size=size, **options)
        elif layout == "suffixes":
            loaded = load_pairs(detail, None, size=size, **options)
        else:
            name, class_names, arrays, report = layouts.LOADERS[layout](detail, size=size, **options)
            loaded = name, class_names, Subset(**arrays), report
    name, class_names, everything, report = loaded
    parts = split_by_patient(everything.patient_ids, fractions, seed)
    return Dataset(name, class_names, *(everything[part] for part in parts), report)


def source_folder(source):
    """The folder of a source, which is fetched first if it is the name of a public set."""
    return fetch(source) if source in SOURCES and not Path(source).exists() else user_path(source)


def split_by_patient(patient_ids, fractions=(0.7, 0.15, 0.15), seed=0):
    """Divide slices so that all slices of one patient fall on the same side.

    Parameters
    ----------
    patient_ids : ``(N,)`` str
    fractions : three floats that sum to 1
    seed : int
        The same ids and seed give the same split, in whatever order the slices come.

    Returns
    -------
    three int arrays, the indices of train, validation and test

    Raises
    ------
    ValueError
        If there are fewer than three patients, or the fractions do not sum to 1.
    """
    patient_ids = np.asarray(patient_ids, dtype=str)
    patients = np.array(sorted(set(patient_ids.tolist())))
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions are {tuple(fractions)}; give three shares above 0 that sum to 1")
    if len(patients) < 3:
        raise ValueError(
            f"{len(patients)} patient(s) ({', '.join(patients)}) cannot be split into train, validation and test; "
            "three are the least, and thirty a reasonable start. If one patient id covers all files, "
            "say with patient_pattern where the id stands in the name"
        )
    order = np.random.default_rng(seed).permutation(len(patients))
    # at least one patient on every side, whatever rounding says
    n_test = min(max(1, round(fractions[2] * len(patients))), len(patients) - 2)
    n_validation = min(max(1, round(fractions[1] * len(patients))), len(patients) - 1 - n_test)
    n_train = len(patients) - n_validation - n_test
    groups = np.split(patients[order], [n_train, n_train + n_validation])
    parts = tuple(np.flatnonzero(np.isin(patient_ids, group)) for group in groups)
    check_no_overlap(*(patient_ids[part] for part in parts))
    return parts


def check_no_overlap(*groups):
    """Raise ``ValueError`` if a patient id stands in more than one group, naming the patients."""
    seen = set()
    for group in groups:
        shared = sorted(seen & set(np.asarray(group).tolist()))
        if shared:
            raise ValueError(
                f"{len(shared)} patient(s) stand on both sides of the split ({', '.join(shared[:5])}): "
                "the score would measure memory; split by patient"
            )
        seen |= set(np.asarray(group).tolist())


# --- the phantom ------------------------------------------------------------------------------


def load_phantom(*, size=128, seed=0, patients=48, slices=8, window=(-600, 1500), variety="class", workers=1):
    """The synthetic patients, made once and kept in the data folder.

    ``window`` is (level, width) in HU, None to keep HU, or ``"display"``: each slice in a window drawn at random and
    in 8 bits, as :func:`unet_helpers.display.show_in_random_windows` does. ``variety="archive"`` gives patients with
    diseases, metal, arms beside the body and slices from neck to kidneys; ``workers`` processes make them.
    """
    volumes, masks, spacing, ids = phantom_arrays(
        size=size, seed=seed, patients=patients, slices=slices, variety=variety, workers=workers
    )
    images = volumes.astype(np.float32)[..., np.newaxis]
    if window == "display":
        from .display import show_in_random_windows

        images = show_in_random_windows(images.reshape(-1, *images.shape[2:]), seed).reshape(images.shape)
    elif window is not None:
        images = preprocessing.window(images, *window)
    depth = volumes.shape[1]
    everything = Subset(
        images.reshape(-1, *images.shape[2:]),
        masks.reshape(-1, *masks.shape[2:]),
        np.repeat(ids, depth),
        np.array([f"{patient}_Z_{z:02d}" for patient in ids for z in range(depth)]),
        np.repeat(spacing[:, 1:], depth, axis=0),
    )
    rules = {None: "HU", "display": "random display windows in 8 bits"}
    rule = rules[window] if window in rules else f"HU, window {window[0]}/{window[1]}"
    return "phantom", PHANTOM_CLASSES, everything, [f"synthetic patients, {rule}"]


def subset_of_patients(patients, window=(-600, 1500)):
    """Patients of :func:`unet_helpers.phantom.make_patient` as a :class:`Subset` like that of :func:`load_phantom`."""
    volumes = np.concatenate([patient.volume for patient in patients]).astype(np.float32)[..., np.newaxis]
    slices = [(patient, z) for patient in patients for z in range(len(patient.volume))]
    return Subset(
        volumes if window is None else preprocessing.window(volumes, *window),
        np.concatenate([patient.masks for patient in patients]),
        np.array([patient.patient_id for patient, _ in slices]),
        np.array([f"{patient.patient_id}_Z_{z:02d}" for patient, z in slices]),
        np.array([patient.spacing[1:] for patient, _ in slices]),
    )


def nodule_crops(subset, size=64):
    """Nodule or not, in crops: each slice's middle rows, cut into a left and a right half.

    Parameters
    ----------
    subset : Subset
        Of the phantom, 128 pixels wide or more, with class 2 for the nodules.
    size : int
        Height and width of a crop.

    Returns
    -------
    Subset
        Twice as many slices, first all left ones; masks hold 1 for nodule and 0 for all else.
    """
    height, width = subset.masks.shape[1:]
    rows, middle = slice((height - size) // 2, (height + size) // 2), width // 2
    halves = {"L": slice(middle - size, middle), "R": slice(middle, middle + size)}
    return Subset(
        np.concatenate([subset.images[:, rows, half] for half in halves.values()]),
        np.concatenate([(subset.masks[:, rows, half] == 2).astype(np.uint8) for half in halves.values()]),
        np.tile(subset.patient_ids, 2),
        np.array([f"{case}_{name}" for name in halves for case in subset.case_ids]),
        np.tile(subset.spacing, (2, 1)),
    )


def nodule_task(data, size=64):
    """The phantom as a task of two classes, nodule against all else, in :func:`nodule_crops`."""
    parts = {name: nodule_crops(subset, size) for name, subset in data.subsets.items()}
    return Dataset(f"{data.name}, nodules", ("background", "nodule"), **parts, report=list(data.report))


def phantom_arrays(*, size=128, seed=0, patients=48, slices=8, variety="class", workers=1):
    """Volumes and masks of the phantom patients, from the data folder if they are there already.

    A damaged file is made again. Where nothing can be kept, the patients stay in memory, and a line on stderr says so.

    Returns
    -------
    volumes : ``(P, D, H, W)`` int16 HU
    masks : ``(P, D, H, W)`` uint8
    spacing : ``(P, 3)`` float, (slice, row, column) in mm
    patient_ids : ``(P,)`` str
    """
    kind = "" if variety == "class" else f"_{variety}"

    def make():
        from .phantom import make_patients

        made = make_patients(n=patients, seed=seed, size=size, slices=slices, variety=variety, workers=workers)
        return {
            "volumes": np.stack([patient.volume for patient in made]).round().astype(np.int16),
            "masks": np.stack([patient.masks for patient in made]),
            "spacing": np.array([patient.spacing for patient in made], dtype=float),
            "patient_ids": np.array([patient.patient_id for patient in made]),
        }

    name = f"phantom_{phantom_version()}_{size}_{seed}_{patients}_{slices}{kind}.npz"
    return _made_once(name, make, ("volumes", "masks", "spacing", "patient_ids"))


_IN_MEMORY = {}  # what could not be kept in the data folder


def _made_once(name, make, keys):
    """The arrays in a file of the data folder, or what ``make()`` returns, which is then kept there."""
    # not there, cut or damaged, each with an error of its own: it is made again
    with contextlib.suppress(Exception), np.load(data_folder() / name) as stored:
        return tuple(stored[key] for key in keys)
    arrays = _IN_MEMORY.get(name) or make()
    try:
        with atomic_path(data_folder() / name) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)
    except DataError as error:
        if not _IN_MEMORY:
            print(f"The synthetic patients stay in memory, and each kernel makes them anew: {error}.", file=sys.stderr)
        _IN_MEMORY[name] = arrays
    return tuple(arrays[key].copy() for key in keys)


def data_folder():
    """Where generated and fetched data are kept: ``UNET_DATA_DIR``, or a cache folder of the user; made if missing."""
    named, cache = (os.environ.get(variable, "") for variable in ("UNET_DATA_DIR", "XDG_CACHE_HOME"))
    # an empty variable counts as unset, as does a cache folder without its whole path: so the XDG specification says
    cache = cache if os.path.isabs(os.path.expanduser(cache)) else "~/.cache"
    try:
        base = user_path(named) if named else user_path(cache) / "unet_helpers"
    except DataError as error:
        if named:
            raise DataError(f"UNET_DATA_DIR names no folder: {error}") from None
        raise DataError(
            "no home folder is known here in which data could be kept; name a folder in the environment variable "
            "UNET_DATA_DIR"
        ) from None
    with writing(base):
        base.mkdir(parents=True, exist_ok=True)
    return base


def phantom_version():
    """Changes with the phantom's code, so that no cache of an older phantom is read."""
    here = Path(__file__).parent
    sources = [here / "phantom.py"] if (here / "phantom.py").exists() else sorted((here / "phantom").glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:10]


# --- folders ----------------------------------------------------------------------------------


def load_pairs(
    image_folder,
    mask_folder,
    *,
    size=None,
    class_names=None,
    mask_values=None,
    problems="raise",
    patient_pattern=None,
):
    """Images and masks from two folders, paired by name.

    Parameters
    ----------
    image_folder, mask_folder : str or Path
        ``mask_folder`` is None where the masks stand beside the images, as ``x_mask.png``.
    size : int, optional
        Resize to ``size × size``; without it all images must have one size.
    class_names : sequence of str, optional
        One per class, background first. Default: as many classes as the masks hold.
    mask_values : dict of int to int, optional
        What each stored mask value means, as in :func:`unet_helpers.preprocessing.encode_mask`.
    problems : "raise" or "leave_out"
        What to do when a file has no partner, or a pair cannot be used. ``"leave_out"`` goes on
        without them and says so in the dataset's report.
    patient_pattern : str, optional
        Regular expression whose first group is the patient id in a file name. Default: what stands
        before the last number, so ``ID_0264_Z_0080`` is patient ``ID_0264``.
    """
    if problems not in ("raise", "leave_out"):
        raise ValueError(f"problems is {problems!r}; choose 'raise' or 'leave_out'")
    pairing = pair_suffixes(image_folder) if mask_folder is None else pair_files(image_folder, mask_folder)
    blocking = [problem for problem in pairing.problems if not (problem.kind == "values" and mask_values)]
    unpaired = [*pairing.images_without_mask, *pairing.masks_without_image]
    left_out = len({path for problem in blocking for path in problem.paths} | set(unpaired))
    if left_out and problems == "raise":
        raise DataError(f"{pairing}\nRepair the files, or pass problems='leave_out' to go on without these")
    odd = {path for problem in blocking if problem.kind == "values" for path in problem.paths}
    pairs = [pair for pair in pairing.pairs if pair[1] not in odd]
    if not pairs:
        raise DataError(f"no usable pair is left:\n{pairing}")

    images, masks, spacings = [], [], []
    for image_path, mask_path in pairs:
        image, spacing = read_image(image_path)
        if image.ndim != 3:
            size = "×".join(map(str, image.shape[:-1]))
            raise DataError(f"'{image_path.name}' is a volume of {size}; save its slices one by one")
        if not images:
            remedy = "read a batch at a time with unet_helpers.streaming.stream_pairs"
            layouts.check_memory(image_path.parent.name, 1.25 * image.nbytes * len(pairs), remedy)
        images.append(image)
        masks.append(read_mask(mask_path))
        spacings.append(spacing or (np.nan, np.nan))
    images, rule = scale_to_unit(_same_channels(images, pairs))
    images, masks, spacings = _resize_all(images, masks, spacings, size, pairs)
    masks, class_names = _encode_all(masks, class_names, mask_values, pairs)

    names = [stem_of(image_path) for image_path, _ in pairs]
    ids, how = patient_ids_from_names(names, patient_pattern)
    everything = Subset(np.stack(images), np.stack(masks), ids, np.array(names), np.array(spacings, dtype=float))
    report = [f"{len(pairs)} pairs, {rule}", how]
    if left_out:
        report.append(f"{left_out} files left out: " + ", ".join(_left_out_names(blocking, unpaired)))
    if mask_folder is None:
        report.insert(0, f"recognized: {layouts.WHAT['suffixes']}")
    folder = user_path(image_folder) if mask_folder is None else user_path(image_folder).parent
    return folder.name, class_names, everything, report


def patient_ids_from_names(names, pattern=None):
    """The patient id inside each file name.

    Returns
    -------
    ids : ``(N,)`` str
    how : str
        The rule that was used, for the report.
    """
    if pattern is not None:
        found = [re.search(pattern, name) for name in names]
        missed = [name for name, match in zip(names, found, strict=True) if match is None or not match.groups()]
        if missed:
            raise DataError(
                f"patient_pattern {pattern!r} finds no group in '{missed[0]}' ({len(missed)} of {len(names)} names); "
                "it needs one group in parentheses, such as r'(ID_\\d+)'"
            )
        return np.array([match.group(1) for match in found]), f"patient id by pattern {pattern}"
    # greedy up to a digit that something other than a digit follows: what stands before the last number
    matches = [re.match(r"^(.*\d)\D+\d+$", name) for name in names]
    if all(matches):
        return np.array([match.group(1) for match in matches]), "patient id is what stands before the last number"
    return np.array(names), "no patient id in the file names: each file counts as one patient"


def load_lidc(folder, *, size=None, consensus=2):
    """LIDC nodule slices with up to four readers' outlines.

    Parameters
    ----------
    folder : str or Path
        ``<patient>/nodule-<n>/{images,mask-0,mask-1,…}/slice-<k>.png``
    size : int, optional
        Resize to ``size × size``.
    consensus : int
        How many readers must have marked a pixel for it to count: 1 any, 2 half, 4 all of four.
    """
    folder = user_path(folder)
    paths = sorted(folder.glob("*/nodule-*/images/*.png"), key=lambda path: natural_key(path.relative_to(folder)))
    if not paths:
        raise DataError(f"no <patient>/nodule-<n>/images/*.png in '{folder}'; is it the folder of the patients?")
    images, readers = [], []
    for path in paths:
        image, _ = read_image(path)
        reader_folders = sorted(path.parents[1].glob("mask-*"))
        if not 1 <= consensus <= len(reader_folders):
            raise DataError(
                f"consensus of {consensus} readers, but '{path.parents[1].relative_to(folder)}' has "
                f"{len(reader_folders)} mask folders; choose 1 to {len(reader_folders)}"
            )
        masks = []
        for reader in reader_folders:
            if not (reader / path.name).is_file():
                raise FileNotFoundError(f"no mask '{(reader / path.name).relative_to(folder)}' for its image; add it")
            mask = read_mask(reader / path.name)
            if mask.shape != image.shape[:2]:
                raise DataError(f"mask '{(reader / path.name).relative_to(folder)}' has another size than its image")
            masks.append((mask > 0).astype(np.uint8))
        images.append(image[..., :1])
        readers.append(np.stack(masks, axis=-1))
    counts = {mask.shape[-1] for mask in readers}
    if len(counts) > 1:
        raise DataError(f"nodules in '{folder}' have {sorted(counts)} readers; bring them to one number")
    images, rule = scale_to_unit(images)
    pairs = [(path, path) for path in paths]
    images, readers, spacings = _resize_all(images, readers, [(np.nan, np.nan)] * len(paths), size, pairs)
    readers = np.moveaxis(np.stack(readers), -1, 1)
    masks = (readers.sum(axis=1) >= consensus).astype(np.uint8)
    ids = np.array([path.parents[2].name for path in paths])
    cases = np.array(["/".join((path.parents[2].name, path.parents[1].name, path.stem)) for path in paths])
    everything = Subset(np.stack(images), masks, ids, cases, np.array(spacings), readers)
    empty = int((masks.sum(axis=(1, 2)) == 0).sum())
    report = [
        f"{len(paths)} slices of {len(set(ids.tolist()))} patients, {rule}",
        f"nodule where at least {consensus} of {readers.shape[1]} readers marked it; {empty} slices have none",
    ]
    return folder.name, ("background", "nodule"), everything, report


def _left_out_names(blocking, unpaired):
    paths = {path for problem in blocking for path in problem.paths} | set(unpaired)
    return sorted((f"{path.parent.name}/{path.name}" for path in paths), key=natural_key)


def _same_channels(images, pairs):
    """Gray pictures saved as RGB become gray; true color among gray is an error."""
    channels = {image.shape[-1] for image in images}
    gray = [i.shape[-1] == 1 or bool((i == i[..., :1]).all()) for i in images]
    if all(gray):
        return [image[..., :1] for image in images]
    if len(channels) > 1:
        odd = pairs[gray.index(False)][0].name
        raise DataError(f"'{odd}' has color but other images are gray; convert it, or keep the kinds apart")
    return images


def _resize_all(images, masks, spacings, size, pairs):
    shapes = [image.shape[:2] for image in images]
    if size is None:
        if len(set(shapes)) > 1:
            other = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
            raise DataError(
                f"'{pairs[other][0].name}' is {shapes[other][0]}×{shapes[other][1]} but '{pairs[0][0].name}' is "
                f"{shapes[0][0]}×{shapes[0][1]}; pass size, e.g. size=128, to bring all to one"
            )
        return images, masks, spacings
    resized_images, resized_masks, resized_spacings = [], [], []
    for image, mask, spacing, shape in zip(images, masks, spacings, shapes, strict=True):
        if shape != (size, size):
            image = resize_image(image, (size, size))
            mask = resize_mask(mask, (size, size, *mask.shape[2:]))
            spacing = tuple(s * n / size for s, n in zip(spacing, shape, strict=True))
        resized_images.append(image)
        resized_masks.append(mask)
        resized_spacings.append(spacing)
    return resized_images, resized_masks, resized_spacings


def _encode_all(masks, class_names, mask_values, pairs):
    found = sorted(set().union(*(np.unique(mask).tolist() for mask in masks)))
    if class_names is None:
        highest = max(mask_values.values()) if mask_values else (1 if set(found) <= {0, 255} else found[-1])
        if highest > 20:
            raise DataError(
                f"the masks hold the values {found[:8]}…; that is no list of classes. Give class_names and mask_values"
            )
        class_names = (
            ("background", "foreground")
            if highest <= 1
            else tuple(["background"] + [f"class {i}" for i in range(1, highest + 1)])
        )
    encoded = []
    for mask, (_, mask_path) in zip(masks, pairs, strict=True):
        try:
            encoded.append(encode_mask(mask, len(class_names), mask_values))
        except ValueError as error:
            raise DataError(f"mask '{mask_path.name}': {error}") from None
    if not any(mask.any() for mask in encoded):
        raise DataError("every mask is empty: there is nothing to learn; check the mask folder")
    return encoded, tuple(class_names)
