"""What a reader returns: the array, its grid in the patient, and in words what its numbers are.

**One orientation.** Axes after reading are slice, row, column, channel, as DICOM stores slices and a radiologist's
display shows them: slices of a volume go from the feet to the head, rows from front to back, columns from the
patient's right to left, whatever order the file has. A file with one slice is that slice, shown as its plane is: axial
as above; sagittal and coronal with the head up, columns from front to back or from right to left.
:func:`unet_helpers.files.write_mask_like` is the way back.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Reading:
    """One file as it was read.

    array : ``(H, W, C)`` or ``(D, H, W, C)`` float32; of a mask ``(H, W)`` or ``(D, H, W)`` uint8
    spacing : (row, column) in mm, with the slice distance first for a volume; None where the file says none
    rule : str
        What the numbers are and what was done to get them, such as "HU, by slope 1 and intercept -1024". Files of one
        kind have the same words, so that a report can name each rule once for its group of files.
    notes : list of str
        What a careful user wants to know of this file: contradictions in its header and how they were decided.
    stored : str
        The type of the numbers in the file, such as "uint8", before anything was done to them.
    unit : str
        "HU" for CT with its rescale, for PET what the file says; empty where the numbers have none, or none is known.
    affine : ``(4, 4)`` float, or None
        From (slice, row, column, 1) to (x, y, z, 1) in mm; x to the patient's left, y to the back, z to the head, as
        DICOM has them. The slice axis is there also for a single slice. Its last column is the origin.
    orientation : str
        To where the axes of a NIfTI point as stored, such as "RAS"; empty for other formats.
    palette : dict of int to (red, green, blue), or None
        Of a mask with a palette: the color of each index that occurs, for :func:`unet_helpers.files.palettes_agree`.
    lossy : bool
        Whether the compression changed values when the file was written, as JPEG does.
    """

    array: np.ndarray
    spacing: tuple | None = None
    rule: str = "values as stored"
    notes: list = field(default_factory=list)
    stored: str = ""
    unit: str = ""
    affine: np.ndarray | None = None
    orientation: str = ""
    palette: dict | None = None
    lossy: bool = False

    def __post_init__(self):
        self.stored = self.stored or str(self.array.dtype)


LEAN = 0.02  # cosine of the angle between two axes from which a grid counts as leaning: about 1 degree


def lean_of(affine):
    """How far the axes of a grid are from right angles, in degrees; and whether that is too far."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = np.abs(np.triu(axes.T @ axes, 1))
    return float(np.rad2deg(np.arcsin(min(cosines.max(), 1)))), bool(cosines.max() > LEAN)
