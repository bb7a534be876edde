"""Which objects are missed, and how far wrong pixels lie from the boundary."""

import numpy as np
import pandas as pd
from scipy import ndimage

from ..evaluation.binary import as_binary


def distance_to_boundary(mask, spacing=(1.0, 1.0)):
    """Distance of every pixel to the boundary of a binary mask, in mm; half a pixel for those that touch it.

    Used in 06.

    Infinite everywhere if the mask is empty or full: there is no boundary.
    """
    return distance_to_other_side(as_binary(mask, "mask"), spacing) - 0.5 * float(np.mean(spacing))


def distance_to_other_side(mask, spacing):
    """Distance of every pixel of a bool mask to the nearest one with the other value, in mm; inf if there is none."""
    if mask.all() or not mask.any():
        return np.full(mask.shape, np.inf)
    inside, outside = (ndimage.distance_transform_edt(part, sampling=spacing) for part in (mask, ~mask))
    return np.where(mask, inside, outside)


def tabulate_objects(subset, predictions, index):
    """Every true object of one class with its size and whether it was found. Used in 06.

    Parameters
    ----------
    subset : Subset
    predictions : ``(N, H, W)`` integer
    index : int
        The class.

    Returns
    -------
    pandas.DataFrame
        ``case``, ``patient``, ``row``, ``column`` (center, pixels), ``pixels``, ``diameter_mm`` (of the
        disk of equal area; nan without spacing), ``contrast`` (mean image value inside minus that in the
        ring of two pixels around it), ``covered`` (share of it predicted), ``found`` (covered > 0).
    """
    rows = []
    for i, case in enumerate(subset.case_ids.tolist()):
        labels, count = ndimage.label(subset.masks[i] == index, structure=np.ones((3, 3)))
        pixel_area = float(np.prod(subset.spacing[i]))
        for label in range(1, count + 1):
            area = labels == label
            row, column = ndimage.center_of_mass(area)
            pixels = int(area.sum())
            covered = float((predictions[i][area] == index).mean())
            diameter = 2 * (pixels * pixel_area / np.pi) ** 0.5
            ring = ndimage.binary_dilation(area, structure=np.ones((3, 3)), iterations=2) & (labels == 0)
            contrast = float(subset.images[i][area].mean() - subset.images[i][ring].mean()) if ring.any() else np.nan
            patient = str(subset.patient_ids[i])
            rows.append((case, patient, row, column, pixels, diameter, contrast, covered, covered > 0))
    columns = ["case", "patient", "row", "column", "pixels", "diameter_mm", "contrast", "covered", "found"]
    return pd.DataFrame(rows, columns=columns)
