"""All series of a folder: ``python -m unet_helpers predict NETWORK.onnx FOLDER OUT``."""

import pandas as pd

from ..files.paths import DataError, atomic_path, user_path
from ..files.scans import series_grid
from ..files.volumes import series_folders
from .findings import measure_findings
from .intake import Refusal, check_series
from .networks import OnnxNetwork
from .pipeline import segment_series
from .results import write_report, write_segmentation


def segment_folders(network, folder, out, progress=None):
    """Segment every DICOM series below a folder with an ONNX network, or say why not.

    Parameters
    ----------
    network : str, Path or OnnxNetwork
    folder : str or Path
        A folder of a folder, at any depth, holds one series.
    out : str or Path
        A new folder: ``NAME_seg.dcm`` and ``NAME_report.dcm`` for each series, ``table.csv`` and ``left_out.csv``.
    progress : function of str, optional

    Returns
    -------
    table : pandas.DataFrame
        A row per finding: series, label, ml and mm.
    left_out : pandas.DataFrame
        The series without results, by the kind of refusal, or "failed", and with the reason.
    """
    network = network if isinstance(network, OnnxNetwork) else OnnxNetwork(network)
    folder, out = user_path(folder), user_path(out)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder '{folder}'; check the path")
    if out.exists() and any(out.iterdir()):
        raise DataError(f"'{out}' is there and not empty; name a new folder, so that nothing is written over")
    if not (found := series_folders(folder)):
        raise DataError(f"folder '{folder}' holds no DICOM file; is it the right folder?")
    rows, left_out = [], []
    for number, (name, series) in enumerate(_named(found, folder).items(), start=1):
        try:
            refusal = check_series(series, network.about)
            findings = [] if refusal else _results(network, series, out, name)
        except DataError as error:
            refusal = Refusal("failed", str(error))
        if refusal:
            left_out.append((name, refusal.kind, refusal.reason))
        else:
            rows += [(name, f.label, round(f.volume_ml, 2), round(f.diameter_mm, 1)) for f in findings]
        if progress:
            progress(f"{number} of {len(found)}: {name}{' refused' if refusal else ''}")
    table = pd.DataFrame(rows, columns=["series", "label", "ml", "mm"])
    left_out = pd.DataFrame(left_out, columns=["series", "kind", "why"])
    for name, content in (("table.csv", table), ("left_out.csv", left_out)):
        with atomic_path(out / name) as temporary:
            content.to_csv(temporary, index=False)
    return table, left_out


def _named(found, folder):
    """``{name: path}``: the folders on the way to a series make up its name."""
    names = {}
    for path in found:
        name = "_".join(path.relative_to(folder).parts) or folder.name
        if name in names:
            raise DataError(
                f"results of '{names[name]}' and of '{path}' would have one name; rename one of the folders"
            )
        names[name] = path
    return names


def _results(network, series, out, name):
    """Write segmentation and report of a series, both or none; its findings."""
    paths = [out / f"{name}_seg.dcm", out / f"{name}_report.dcm"]
    try:
        mask = segment_series(network, series)
        segmentation = write_segmentation(mask, series, paths[0], network.about)
        write_report(mask, series, paths[1], network.about, segmentation)
        return measure_findings(mask, series_grid(series).spacing, network.about.class_names)
    except DataError:
        for path in paths:
            path.unlink(missing_ok=True)
        raise
