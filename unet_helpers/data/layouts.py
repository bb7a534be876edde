"""How public data sets lay out their folders: recognize the layout.

What is recognized is read in :mod:`unet_helpers.data.picture_folders`, :mod:`unet_helpers.data.object_folders`,
:mod:`unet_helpers.data.volume_folders` and :mod:`unet_helpers.data.nnunet`. A new layout is one entry in
:data:`LAYOUTS` and one in :data:`unet_helpers.data.load.LOADERS`.
"""

import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from ..files.dicom_kinds import OBJECTS, kind_by_meta
from ..files.pairing import DECISIONS, FOLDER_PAIRS, divide_by_name, natural_key, plain_name
from ..files.paths import READABLE, DataError, is_part, stem_of, suffix_of, user_path
from ..files.volumes import VOLUMES, holds_volume

MOST_FOLDERS = 2000  # in which a DICOM series is looked for
SIDES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}


@dataclass(frozen=True)
class Layout:
    """One way to lay out a folder.

    what : str
        In words, for the report.
    find : function
        From the folder to what its loader is given, or None if the folder is laid out otherwise.
    goes_before : tuple of str
        Layouts of which it is a special case: a folder that is also one of these leaves no doubt.
    maybe : function, optional
        As ``find``, on weaker evidence: for the runner-up, and where the layout was named.
    """

    what: str
    find: Callable
    goes_before: tuple = ()
    maybe: Callable | None = None


def recognize_layout(folder):
    """Say how a folder is laid out.

    Returns
    -------
    layout : str
        One of :data:`LAYOUTS`, such as ``"pairs"``; :data:`unet_helpers.data.layouts.WHAT` says it in words.
    detail : (Path, Path), Path or other
        What the loader is given: the folders of images and masks for ``"pairs"`` and ``"volumes"``, else mostly the
        folder.

    Raises
    ------
    FileNotFoundError, DataError
        If the folder is not there, or is none of these.
    """
    return recognize(folder)[:2]


def recognize(folder, layout=None):
    """``(layout, detail, others)``: others are the layouts that the folder could also be; ``layout`` names the one."""
    folder = user_path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no data source '{folder}': neither a folder nor the name 'phantom'; check the path")
    if layout is not None and layout not in LAYOUTS:
        raise DataError(f"layout is {layout!r}; choose one of {', '.join(map(repr, LAYOUTS))}")
    found = {name: LAYOUTS[name].find(folder) for name in ([layout] if layout else LAYOUTS)}
    if layout and found[layout] is None and LAYOUTS[layout].maybe:
        found[layout] = LAYOUTS[layout].maybe(folder)
    found = {name: detail for name, detail in found.items() if detail is not None}
    if not found:
        _refuse(folder, layout)
    best = next(iter(found))
    weaker = [] if layout else [name for name, entry in LAYOUTS.items() if entry.maybe and entry.maybe(folder)]
    others = [name for name in (*found, *weaker) if name not in (best, *LAYOUTS[best].goes_before)]
    return best, found[best], list(dict.fromkeys(others))


def pictures_in(folder):
    """The files of a folder that can be read, in natural order, and the names of other visible files."""
    visible = sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=lambda p: natural_key(p.name))
    files = [path for path in visible if path.is_file() and path.name != DECISIONS]
    names = {path.name for path in files}
    files = [path for path in files if not is_part(path.name, names)]
    good = [path for path in files if suffix_of(path) in READABLE]
    return good, [path.name for path in files if path not in set(good)]


def folders_in(folder):
    """The visible folders in a folder, in natural order."""
    found = (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX")))
    return sorted(found, key=lambda path: natural_key(path.name))


def image_and_mask_folders(folder):
    """The pair of folders for images and masks in a folder, whatever of the usual names they have, or None."""
    inside = {path.name.lower(): path for path in folders_in(folder)}
    for names in FOLDER_PAIRS:
        if all(name.lower() in inside for name in names):
            return tuple(inside[name.lower()] for name in names)
    return None


# --- one function per layout ----------------------------------------------------------------------


def _find_nnunet(folder):
    """imagesTr/x_0000.nii.gz with labelsTr/x.nii.gz, whether dataset.json is of version 1, of version 2, or missing."""
    images, labels = folder / "imagesTr", folder / "labelsTr"
    if not (images.is_dir() and labels.is_dir()):
        return None
    known = {stem_of(path) for path in pictures_in(labels)[0]}
    stems = [stem_of(path) for path in pictures_in(images)[0]]
    numbered = [stem for stem in stems if re.search(r"_\d{4}$", stem) and stem not in known]
    return folder if any(stem[:-5] in known for stem in numbered) else None


def _find_decathlon(folder):
    return folder if (folder / "dataset.json").is_file() and (folder / "imagesTr").is_dir() else None


def _find_classes_in_folders(folder):
    """images/x.png with masks/<class>/x.png, one folder per class."""
    both = image_and_mask_folders(folder)
    if not both:
        return None
    names = {plain_name(path) for path in pictures_in(both[0])[0]}
    classes = [path for path in folders_in(both[1]) if {plain_name(p) for p in pictures_in(path)[0]} & names]
    return (both[0], classes) if classes and not pictures_in(both[1])[0] else None


def _find_volumes(folder):
    both = image_and_mask_folders(folder)
    return both if both and _holds_volumes(both[0]) else None


def _find_pairs(folder):
    both = image_and_mask_folders(folder)
    return both if both and not _holds_volumes(both[0]) and not _find_classes_in_folders(folder) else None


def _find_train_test(folder):
    """``{side: folder}`` where train/, and val/ or test/, each hold images and masks."""
    inside = {path.name.lower(): path for path in folders_in(folder)}
    found = {side: inside[name] for side, names in SIDES.items() for name in names if name in inside}
    both = {side: image_and_mask_folders(path) for side, path in found.items()}
    found = {side: path for side, path in found.items() if both[side] and not _holds_volumes(both[side][0])}
    return found if "train" in found and len(found) > 1 else None


def _find_dicom(folder):
    """A folder with the slices of a series somewhere, and somewhere a segmentation, contours or a volume."""
    both = image_and_mask_folders(folder)
    if both and pictures_in(both[0])[0]:
        return None
    series = mask = False
    for number, (place, folders, names) in enumerate(os.walk(folder)):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        kinds = [kind_by_meta(Path(place, name)) for name in sorted(names) if _may_be_dicom(name)]
        series = series or sum(kind not in (None, *OBJECTS) for kind in kinds) > 1
        mask = mask or bool({"SEG", "RTSTRUCT"} & set(kinds))
        mask = mask or any(holds_volume(Path(place, name)) for name in names if suffix_of(name) in VOLUMES)
        if (series and mask) or (number > MOST_FOLDERS and not series):
            break
    return folder if series and mask else None


def _may_be_dicom(name):
    end = suffix_of(name)
    return not name.startswith(".") and (end in ("", ".dcm", ".ima") or end[1:].isdigit())


def _find_lidc(folder):
    return folder if any(folder.glob("*/nodule-*/images")) else None


def _mask_names(folder):
    """``{id: names of its masks}`` for <id>/images and <id>/masks."""
    ids = [path for path in folders_in(folder) if (path / "images").is_dir() and (path / "masks").is_dir()]
    ids = [path for path in ids if not _holds_volumes(path / "images")]
    return {path: [plain_name(mask) for mask in pictures_in(path / "masks")[0]] for path in ids}


def _find_patients(folder):
    """<patient>/images/x.png with <patient>/masks/x.png, whose names agree; not where it is train/ and test/."""
    masks = _mask_names(folder)
    agree = [bool({plain_name(p) for p in pictures_in(path / "images")[0]} & set(masks[path])) for path in masks]
    return list(masks) if agree and sum(agree) * 2 > len(agree) and not _find_train_test(folder) else None


def _find_class_files(folder):
    """<id>/masks/{heart,left_lung}.png: words for names, each of them in more than one folder."""
    found = _same_names(folder)
    words = [name for name in (found or ((), ()))[1] if re.search(r"[^\W\d_]{3,}", name) and not _numbers_objects(name)]
    return found if found and len(words) == len(found[1]) else None


def _numbers_objects(name):
    words = "mask|object|nucleus|nuclei|cell|instance|label|img|image|lesion"
    return re.fullmatch(rf"({words})s?[-_ ]?\d*", name) or re.search(r"\d{3,}", name)


def _same_names(folder):
    """``(ids, names)`` where the names of the masks come back from folder to folder, few as classes are."""
    masks = _mask_names(folder)
    if len(masks) < 2 or not any(masks.values()) or _find_patients(folder) or _find_train_test(folder):
        return None
    counts = Counter(name for names in masks.values() for name in set(names))
    return (list(masks), sorted(counts)) if len(counts) <= 20 and min(counts.values()) > 1 else None


def _find_dsb2018(folder):
    masks = _mask_names(folder)
    return folder if any(masks.values()) and not (_find_patients(folder) or _find_train_test(folder)) else None


def _find_brats(folder):
    found = [path for path in folder.glob("*/*") if re.search(r"_flair\.nii(\.gz)?$", path.name, re.IGNORECASE)]
    return folder if any(not path.name.startswith(".") for path in found) else None


def _find_cellpose(folder):
    """x.tif beside x_masks.tif, x_cp_masks.png or x_seg.npy of Cellpose."""
    files = pictures_in(folder)[0]
    stems = {stem_of(path) for path in files}
    ends = ("_masks", "_cp_masks")
    found = any(stem.endswith(end) and stem.removesuffix(end) in stems for stem in stems for end in ends)
    pickled = any(
        path.name.endswith("_seg.npy") and stem_of(path).removesuffix("_seg") in stems and holds_objects(path)
        for path in files[:50]
    )
    return folder if found or pickled else None


def holds_objects(path):
    """Whether an NPY file holds a pickled Python object, which is not opened."""
    try:
        with open(path, "rb") as file:
            return b"'descr': '|O'" in file.read(256)
    except OSError:
        return False


def _find_suffixes(folder):
    images, masks = divide_by_name([path.name for path in pictures_in(folder)[0]])
    return folder if images and masks else None


def _find_folders_of_suffixes(folder):
    """Folders, such as one per diagnosis, in which x_mask is the mask of x."""
    found = [path for path in folders_in(folder) if _find_suffixes(path) and not _find_cellpose(path)]
    return found if found and not pictures_in(folder)[0] and not image_and_mask_folders(folder) else None


#: the layouts that are recognized; of several that fit a folder, the first
LAYOUTS = {
    "nnunet": Layout(
        "nnU-Net, x_0000 for the first channel of x", _find_nnunet, ("decathlon", "volumes", "pairs", "classes")
    ),
    "decathlon": Layout(
        "Medical Segmentation Decathlon, by its dataset.json", _find_decathlon, ("volumes", "pairs", "classes")
    ),
    "dicom": Layout(
        "folders of DICOM series, each with a DICOM segmentation or a volume as its mask",
        _find_dicom,
        ("volumes", "pairs", "classes", "patients", "class_files", "dsb2018"),
    ),
    "pairs": Layout("two folders of pictures, matched by name", _find_pairs),
    "volumes": Layout("two folders of volumes, matched by name", _find_volumes),
    "classes": Layout("images beside one folder of masks for each class", _find_classes_in_folders, ("volumes",)),
    "train_test": Layout("folders train, validation, test, each with images and masks", _find_train_test),
    "lidc": Layout("LIDC nodules, one mask per reader", _find_lidc),
    "patients": Layout("one folder per patient with images and masks, matched by name", _find_patients),
    "class_files": Layout(
        "one folder per image with one mask file for each class", _find_class_files, ("dsb2018",), _same_names
    ),
    "dsb2018": Layout("DSB2018, one mask per object", _find_dsb2018),
    "brats": Layout("BraTS, one folder per patient with four sequences", _find_brats),
    "cellpose": Layout("Cellpose, the numbered objects of x in x_masks", _find_cellpose, ("suffixes",)),
    "suffixes": Layout("one folder in which x_mask is the mask of x", _find_suffixes),
    "folders_of_suffixes": Layout("folders in which x_mask is the mask of x", _find_folders_of_suffixes),
}
#: the layouts in words
WHAT = {name: layout.what for name, layout in LAYOUTS.items()}


def _refuse(folder, layout):
    inside = sorted(p.name for p in folder.iterdir() if not p.name.startswith(".") and p.name != DECISIONS)[:5]
    found = f"(found: {', '.join(inside) or 'nothing'})"
    if layout:
        raise DataError(f"folder '{folder.name}' is not laid out as {layout!r}, {WHAT[layout]} {found}; check the path")
    below = [
        path.name for path in folders_in(folder) if any(entry.find(path) is not None for entry in LAYOUTS.values())
    ]
    if below:
        raise DataError(
            f"folder '{folder.name}' has no layout known here, but its folders have ({', '.join(below[:5])}): name "
            f"one of them, as load_dataset('{folder.name}/{below[0]}')"
        )
    raise DataError(
        f"folder '{folder.name}' has no layout known here {found}; expected "
        "2d_images/ and 2d_masks/, images/ and masks/, x.png beside x_mask.png, <patient>/nodule-<n>/images/ (LIDC), "
        "<patient>/ct/ with DICOM slices and <patient>/seg.dcm, <id>/images/ and <id>/masks/ (DSB2018, or one pair of "
        "folders per patient), train/ and test/ with images/ and masks/ each, dataset.json with imagesTr/ (Decathlon), "
        "imagesTr/x_0000.nii.gz (nnU-Net), or <patient>/<patient>_flair.nii (BraTS)"
    )


def _holds_volumes(folder):
    first = next((path for path in pictures_in(folder)[0] if suffix_of(path) in VOLUMES), None)
    return first is not None and holds_volume(first)


def check_memory(name, needed, remedy):
    """All slices are held at once, and for a moment twice: say so before the machine stops."""
    free = psutil.virtual_memory().available
    if 2 * needed > free:
        raise DataError(f"'{name}' takes {2 * needed / 1e9:.1f} GB to load and {free / 1e9:.1f} GB are free; {remedy}")
