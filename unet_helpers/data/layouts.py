"""How public data sets lay out their folders: recognize the layout.

What is recognized is read in :mod:`unet_helpers.data.picture_folders` and :mod:`unet_helpers.data.volume_folders`.
"""

import psutil

from ..files.pairing import FOLDER_PAIRS, is_mask_name
from ..files.paths import READABLE, DataError, suffix_of, user_path

#: the layouts that are recognized, in words
WHAT = {
    "pairs": "two folders of pictures, matched by name",
    "volumes": "two folders of NIfTI volumes, matched by name",
    "suffixes": "one folder in which x_mask is the mask of x",
    "lidc": "LIDC nodules, one mask per reader",
    "dsb2018": "DSB2018, one mask per object",
    "decathlon": "Medical Segmentation Decathlon, by its dataset.json",
    "brats": "BraTS, one folder per patient with four sequences",
}


def recognize_layout(folder):
    """Say how a folder is laid out.

    Returns
    -------
    layout : str
        ``"pairs"``, ``"volumes"``, ``"suffixes"``, ``"lidc"``, ``"dsb2018"``, ``"decathlon"`` or ``"brats"``;
        :data:`WHAT` says it in words.
    detail : (Path, Path) or Path
        The folders of images and masks for ``"pairs"`` and ``"volumes"``, else the folder.

    Raises
    ------
    FileNotFoundError, DataError
        If the folder is not there, or is none of these.
    """
    folder = user_path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no data source '{folder}': neither a folder nor the name 'phantom'; check the path")
    if (folder / "dataset.json").is_file() and (folder / "imagesTr").is_dir():
        return "decathlon", folder
    for names in FOLDER_PAIRS:
        images, masks = (folder / name for name in names)
        if images.is_dir() and masks.is_dir():
            return ("volumes" if _holds_volumes(images) else "pairs"), (images, masks)
    if any(folder.glob("*/nodule-*/images")):
        return "lidc", folder
    if any((path.parents[1] / "images").is_dir() for path in folder.glob("*/masks/*.png")):
        return "dsb2018", folder
    if any(not path.name.startswith(".") for path in folder.glob("*/*_flair.nii*")):
        return "brats", folder
    files = [path for path in folder.iterdir() if suffix_of(path) in READABLE and not path.name.startswith(".")]
    if 0 < sum(map(is_mask_name, files)) < len(files):
        return "suffixes", folder
    inside = sorted(path.name for path in folder.iterdir())[:5]
    raise DataError(
        f"folder '{folder.name}' has no layout known here (found: {', '.join(inside) or 'nothing'}); expected "
        "2d_images/ and 2d_masks/, images/ and masks/, x.png beside x_mask.png, <patient>/nodule-<n>/images/ (LIDC), "
        "<id>/images/ and <id>/masks/ (DSB2018), dataset.json with imagesTr/ (Decathlon), or "
        "<patient>/<patient>_flair.nii (BraTS)"
    )


def _holds_volumes(folder):
    import nibabel

    for path in sorted(folder.glob("*.nii*")):
        if not path.name.startswith("."):
            try:
                return sum(n > 1 for n in nibabel.load(path).shape[:3]) == 3
            except Exception:  # damaged: the reading of pairs names it
                return False
    return False


def check_memory(name, needed, remedy):
    """All slices are held at once, and for a moment twice: say so before the machine stops."""
    free = psutil.virtual_memory().available
    if 2 * needed > free:
        raise DataError(f"'{name}' takes {2 * needed / 1e9:.1f} GB to load and {free / 1e9:.1f} GB are free; {remedy}")
