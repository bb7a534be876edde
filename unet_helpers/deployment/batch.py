"""All series of a folder: ``python -m unet_helpers predict NETWORK.onnx FOLDER OUT``."""

import os
from pathlib import Path

import pandas as pd

from ..files.paths import DataError, atomic_path, user_path
from ..files.scans import dicom_files, series_grid
from .findings import measure_findings
from .intake import check_series
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
        The series that were refused, by the kind of refusal and with the reason.
    """
    network = network if isinstance(network, OnnxNetwork) else OnnxNetwork(network)
    folder, out = user_path(folder), user_path(out)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder '{folder}'; check the path")
    if out.exists() and any(out.iterdir()):
        raise DataError(f"'{out}' is there and not empty; name a new folder, so that nothing is written over")
    found = [Path(path) for path, folders, _ in os.walk(folder) if not folders.sort() and dicom_files(path)[0]]
    if not found:
        raise DataError(f"folder '{folder}' holds no DICOM file; is it the right folder?")
    rows, left_out = [], []
    for number, series in enumerate(found, start=1):
        name = "_".join(series.relative_to(folder).parts) or folder.name
        if refusal := check_series(series, network.about):
            left_out.append((name, refusal.kind, refusal.reason))
        else:
            mask = segment_series(network, series)
            segmentation = write_segmentation(mask, series, out / f"{name}_seg.dcm", network.about)
            write_report(mask, series, out / f"{name}_report.dcm", network.about, segmentation)
            findings = measure_findings(mask, series_grid(series).spacing, network.about.class_names)
            rows += [(name, f.label, round(f.volume_ml, 2), round(f.diameter_mm, 1)) for f in findings]
        if progress:
            progress(f"{number} of {len(found)}: {name}{' refused' if refusal else ''}")
    table = pd.DataFrame(rows, columns=["series", "label", "ml", "mm"])
    left_out = pd.DataFrame(left_out, columns=["series", "kind", "why"])
    for name, content in (("table.csv", table), ("left_out.csv", left_out)):
        with atomic_path(out / name) as temporary:
            content.to_csv(temporary, index=False)
    return table, left_out
