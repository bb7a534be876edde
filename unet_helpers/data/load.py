"""One door to every data source: a name or a folder in, three subsets split by patient out."""

from pathlib import Path

from ..files.downloads import SOURCES, fetch
from ..files.paths import user_path
from .layouts import recognize_layout
from .picture_folders import load_dsb2018, load_lidc, load_pairs
from .subsets import Dataset, Subset, split_by_patient
from .synthetic import load_phantom
from .volume_folders import load_brats, load_decathlon, load_volume_folders


def load_dataset(source="phantom", *, size=None, seed=0, fractions=(0.7, 0.15, 0.15), **options):
    """Load a data source by name or path, split by patient.

    Parameters
    ----------
    source : str or Path
        ``"phantom"`` for the synthetic patients that need no download, the name of a public set that
        :func:`unet_helpers.fetch` knows (``"Task04_Hippocampus"``), or a folder in a layout that
        :func:`unet_helpers.data.recognize_layout` knows: two folders of images and masks
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
        ``window``. See :func:`unet_helpers.data.synthetic.load_phantom`,
        :func:`unet_helpers.data.picture_folders.load_pairs`, :func:`unet_helpers.data.load_lidc` and
        :mod:`unet_helpers.data.layouts`.

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
            name, class_names, arrays, report = LOADERS[layout](detail, size=size, **options)
            loaded = name, class_names, Subset(**arrays), report
    name, class_names, everything, report = loaded
    parts = split_by_patient(everything.patient_ids, fractions, seed)
    return Dataset(name, class_names, *(everything[part] for part in parts), report)


def source_folder(source):
    """The folder of a source, which is fetched first if it is the name of a public set."""
    return fetch(source) if source in SOURCES and not Path(source).exists() else user_path(source)


LOADERS = {
    "decathlon": load_decathlon,
    "brats": load_brats,
    "volumes": load_volume_folders,
    "dsb2018": load_dsb2018,
}
