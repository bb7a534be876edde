"""Use a kept run on new images: ``python -m unet_helpers predict RUN FOLDER OUT``. Used in 15.

The images need no masks. Each is read, checked and scaled as those of the training were, segmented, and its mask is
written beside the others in the format that came in, at the original size and in the original place. What does not fit
what the network has seen is refused and named, never stretched until it does.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..data.grays import ChannelGrays
from ..deployment import About, segment_folders, weights_sha256, write_report, write_segmentation
from ..deployment.pipeline import predict_resized
from ..files.images import read_file
from ..files.pairing import DECISIONS, is_mask_name, natural_key
from ..files.paths import READABLE, DataError, atomic_path, is_part, stem_of, suffix_of, user_path
from ..files.scans import dicom_files, read_series
from ..files.volumes import in_series, read_volume, series_folders
from ..files.write_back import mask_suffix, write_mask_like
from ..plotting import show_images
from .runs import load_run
from .your_data import decide

SHOWN = 8  # images on the overview


@dataclass
class Segmented:
    """One image with its mask: ``images`` ``(D, H, W, C)`` in 0–1 and ``masks`` ``(D, H, W)`` at the original size."""

    source: Path
    images: np.ndarray
    masks: np.ndarray
    spacing: tuple | None


def segment(kept, source):
    """Segment one image file, or the DICOM series in a folder.

    Parameters
    ----------
    kept : Kept
        From :func:`unet_helpers.teaching.runs.load_run`.
    source : str or Path

    Returns
    -------
    Segmented

    Raises
    ------
    DataError
        If it cannot be read, or differs from all that the network has seen: channels, kind of gray values, size,
        spacing, one slice or a volume.
    """
    source = user_path(source)
    if kept.seen is None:
        raise DataError("this network was trained on the phantom, which comes from no file; train on a folder")
    if not source.is_dir():
        reading = read_file(source)
    else:
        reading = read_volume(source) if _saw_volumes(kept) else read_series(source)
    scaled = kept.seen.prepare(reading, source, kept.side)
    probabilities = predict_resized(kept.probabilities, scaled, kept.side)
    return Segmented(source, scaled, decide(probabilities, kept.point), reading.spacing)


def _saw_volumes(kept):
    """Whether the training volumes were cut into axial slices; else a series keeps the plane in which it was taken."""
    return isinstance(kept.seen.origin.grays, ChannelGrays)


def list_images(folder):
    """The images of a folder, and what else lies in it with the reason why it is none.

    An image is a readable file that is not named as a mask, or a folder with DICOM files, at any depth; a folder whose
    own files are the slices of one series is that series.

    Returns
    -------
    images : list of Path
    others : list of (Path, str)
    """
    folder = user_path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder '{folder}'; check the path")
    images, others = [], []
    files, _ = dicom_files(folder)
    names = {path.name for path in folder.iterdir()}
    if len(files) > 1:
        images.append(folder)
    for path in sorted(folder.iterdir(), key=lambda path: natural_key(path.name)):
        if (
            path.name.startswith(".")
            or path.name == DECISIONS
            or is_part(path.name, names)
            or (path in files and len(files) > 1)
        ):
            continue
        if path.is_dir():
            found = series_folders(path)
            images += found
            others += [] if found else [(path, "a folder without DICOM files")]
        elif suffix_of(path) not in READABLE and path not in files:
            others.append((path, "no format that is read here"))
        elif is_mask_name(path):
            others.append((path, "named as a mask"))
        else:
            images.append(path)
    if not images:
        raise DataError(
            f"folder '{folder}' holds no image that is read here ({', '.join(READABLE)}); is it the right one?"
        )
    return images, others


def segment_folder(run, folder, out, progress=None, dicom=False):
    """Segment all images of a folder with the network of a kept run.

    Parameters
    ----------
    run : str or Path
        The folder of a run that came to its end.
    folder : str or Path
        With pictures, volumes or folders of DICOM slices.
    out : str or Path
        A new folder: masks under the names of their images, ``table.csv``, ``overview.png`` and ``left_out.csv``.
    progress : function of str, optional
        Called with a line per image.
    dicom : bool
        Of each DICOM series also ``NAME_seg.dcm``, a DICOM segmentation, and ``NAME_report.dcm``, a structured report.

    Returns
    -------
    table : pandas.DataFrame
        A row per image and class: pixels, and where the spacing is known the area in mm² of a slice or
        the volume in ml.
    left_out : pandas.DataFrame
        Every other file or folder, with the reason.
    """
    images, others = list_images(folder)
    return segment_files(load_run(run), images, out, others, progress, dicom)


def segment_files(kept, images, out, others=(), progress=None, dicom=False):
    """The same for a list of images; ``others`` are what was left out of it, with the reasons."""
    out = user_path(out)
    if out.exists() and any(out.iterdir()):
        raise DataError(f"'{out}' is there and not empty; name a new folder, so that nothing is written over")
    rows, shown, left_out = [], [], [(path.name, why) for path, why in others]
    names = _names(images)
    for number, source in enumerate(images, start=1):
        try:
            found = segment(kept, source)
            mask = found.masks if len(found.masks) > 1 else found.masks[0]
            if source.is_dir() and _saw_volumes(kept):
                mask = in_series(found.masks, source)
            if dicom and source.is_dir():
                _write_dicom(mask, source, out / names[source], kept)
        except DataError as error:
            left_out.append((source.name, str(error)))
            outcome = " refused"
        else:
            outcome = ""
            write_mask_like(out / (names[source] + mask_suffix(source)), mask, source)
            rows += _rows(found, kept.class_names)
            if len(shown) < SHOWN:
                shown.append(_largest(found))
        if progress:
            progress(f"{number} of {len(images)}: {source.name}{outcome}")
    columns = ["image", "class", "slices", "pixels", "mm2", "ml"]
    table, left_out = pd.DataFrame(rows, columns=columns), pd.DataFrame(left_out, columns=["file", "why"])
    if not rows:
        first = left_out["why"][len(others)]
        raise DataError(f"none of the {len(images)} images fits what the network has seen; the first: {first}")
    for name, content in (("table.csv", table), ("left_out.csv", left_out)):
        with atomic_path(out / name) as temporary:
            content.to_csv(temporary, index=False)
    with atomic_path(out / "overview.png") as temporary:
        _overview(shown, kept.class_names).savefig(temporary, dpi=60)
    return table, left_out


def _write_dicom(mask, source, path, kept):
    about = About(
        f"U-Net on {kept.data['name']}"[:64],
        kept.data["fingerprint"][:12],
        weights_sha256(kept.model),
        class_names=kept.class_names,
    )
    segmentation = write_segmentation(mask, source, path.with_name(f"{path.name}_seg.dcm"), about)
    write_report(mask, source, path.with_name(f"{path.name}_report.dcm"), about, segmentation)


def write_test_masks(kept, data, out):
    """Masks of the test patients at the size of their originals; returns how many, 0 where no file is behind them."""
    sources = [] if data.test.sources is None else [Path(name) for name in dict.fromkeys(data.test.sources) if name]
    if sources:
        segment_files(kept, sources, out)
    return len(sources)


def _names(images):
    """A name for the mask of each image: that of the file, with its folders where files share one."""
    stems = {path: path.name if path.is_dir() else stem_of(path) for path in images}
    if len(set(stems.values())) == len(images):
        return stems
    above = Path(os.path.commonpath([path.parent for path in images]))
    return {path: "_".join([*path.parent.relative_to(above).parts, stems[path]]) for path in images}


def _rows(found, class_names):
    """Pixels, area and volume of each class in one image."""
    spacing = found.spacing
    for index, name in enumerate(class_names[1:], start=1):
        marked = found.masks == index
        pixels, slices = int(marked.sum()), int(marked.any(axis=(1, 2)).sum())
        area = pixels * spacing[-2] * spacing[-1] if spacing and len(found.masks) == 1 else np.nan
        volume = pixels * np.prod(spacing) / 1000 if spacing and len(spacing) == 3 else np.nan
        yield found.source.name, name, slices, pixels, area, volume


def _largest(found):
    """Name, slice and mask of the slice of an image in which most is marked."""
    index = int((found.masks > 0).sum(axis=(1, 2)).argmax())
    name = found.source.name if len(found.masks) == 1 else f"{found.source.name}, slice {index + 1}"
    return name, found.images[index], found.masks[index], found.spacing and found.spacing[-2:]


def _overview(shown, class_names):
    names, images, masks, spacings = zip(*shown, strict=True)
    return show_images(images, names, masks, class_names, spacings, columns=4)


def main(arguments):
    """``python -m unet_helpers predict RUN FOLDER OUT``."""
    parser = argparse.ArgumentParser(
        prog="python -m unet_helpers predict", description=segment_folder.__doc__.split("\n")[0]
    )
    parser.add_argument("run", help="folder of a run of make your-data, or a network in ONNX for DICOM series")
    parser.add_argument("folder", help="with images that need no masks")
    parser.add_argument("out", help="a new folder for masks, table and overview")
    parser.add_argument("--dicom", action="store_true", help="of DICOM series also a SEG and a structured report")
    options = parser.parse_args(arguments)
    if options.run.endswith(".onnx"):
        table, left_out = segment_folders(options.run, options.folder, options.out, progress=print)
    else:
        table, left_out = segment_folder(options.run, options.folder, options.out, progress=print, dicom=options.dicom)
    print(table.to_string(index=False))
    for name, *_, why in left_out.itertuples(index=False):
        print(f"left out: {name}: {why}", file=sys.stderr)
    if options.run.endswith(".onnx"):
        return print(f"segmentations, reports and table.csv are in {options.out}. Not for diagnosis, not for patients.")
    print(f"masks, table.csv and overview.png are in {options.out}. Not for diagnosis, not for patients.")
