"""What a reader returns: the array, its grid in the patient, and in words what its numbers are.

**One orientation.** Axes after reading are slice, row, column, channel, as DICOM stores slices and a radiologist's
display shows them: slices of a volume go from the feet to the head, rows from front to back, columns from the
patient's right to left, whatever order the file has. A file with one slice is that slice, shown as its plane is: axial
as above; sagittal and coronal with the head up, columns from front to back or from right to left.
:func:`unet_helpers.files.write_mask_like` is the way back.
"""

import re
from dataclasses import dataclass, field

import numpy as np

from .paths import DataError


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
        The type of the numbers in the file, such as "uint8"; "float32" where the header of a NIfTI scales them.
    bits : int or None
        How many bits of it are in use, where a DICOM says so and nothing was done to its numbers.
    unit : str
        "HU" for CT with its rescale, for PET what the file says; empty where the numbers have none, or none is known.
    affine : ``(4, 4)`` float, or None
        From (slice, row, column, 1) to (x, y, z, 1) in mm; x to the patient's left, y to the back, z to the head, as
        DICOM has them. The slice axis is there also for a single slice. Its last column is the origin.
    orientation : str
        To where the axes of a NIfTI point as stored, such as "RAS"; empty for other formats.
    palette : dict of int to (red, green, blue), or None
        Of a mask with a palette: the color of each index that occurs, for :func:`unet_helpers.files.palettes_agree`.
    labels : dict of int to str, or None
        Of a segmentation: the name of each value above 0.
    lossy : bool
        Whether the compression changed values when the file was written, as JPEG does.
    """

    array: np.ndarray
    spacing: tuple | None = None
    rule: str = "values as stored"
    notes: list = field(default_factory=list)
    stored: str = ""
    bits: int | None = None
    unit: str = ""
    affine: np.ndarray | None = None
    orientation: str = ""
    palette: dict | None = None
    labels: dict | None = None
    lossy: bool = False

    def __post_init__(self):
        self.stored = self.stored or self.array.dtype.name


LEAN = 0.02  # cosine of the angle between two axes from which a grid counts as leaning: about 1 degree


def lean_of(affine):
    """How far the axes of a grid are from right angles, in degrees; and whether that is too far."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = np.abs(np.triu(axes.T @ axes, 1))
    return float(np.rad2deg(np.arcsin(min(cosines.max(), 1)))), bool(cosines.max() > LEAN)


def check_one_grid(readings, paths, what="mask"):
    """Raise :class:`unet_helpers.DataError` if two files do not lie on one grid in the patient, naming both.

    Arrays of one shape fit each other also where one was saved flipped, shifted or without its header, and then the
    mask is that of another place. A quarter of a voxel is allowed, because headers are rounded. Files that name no
    place, such as pictures, pass; so do arrays of two shapes, for which there are other words.

    Parameters
    ----------
    readings : two of :class:`Reading`
        The mask, or what else lies on the first, is the second.
    paths : their paths
    what : str
        The second in a word.
    """
    one, two = readings
    shapes = [_shape(reading) for reading in readings]
    if one.affine is None or two.affine is None or shapes[0] != shapes[1]:
        return
    corners = np.array([(*corner, 1) for corner in np.ndindex(2, 2, 2)], dtype=float)
    corners[:, :3] *= np.array(shapes[0]) - 1
    apart = np.linalg.norm(corners @ one.affine.T - corners @ two.affine.T, axis=1).max()
    # a grid with one slice has no second corner along it: its direction and distance count too
    steps = [reading.affine[:3, :3].copy() for reading in readings]
    if shapes[0][0] == 1 and not (one.orientation and two.orientation):  # of one DICOM slice the distance is a guess
        for axes in steps:
            axes[:, 0] *= np.linalg.norm(axes[:, 1]) / np.linalg.norm(axes[:, 0])
    off = max(apart, np.linalg.norm(steps[0] - steps[1], axis=0).max())
    if off > 0.25 * min(np.linalg.norm(axes, axis=0).min() for axes in steps):
        names = [path.name for path in paths]
        if names[0] == names[1]:
            names = [f"{path.parent.name}/{path.name}" for path in paths]
        raise DataError(
            f"{what} '{names[1]}' does not lie where '{names[0]}' does: by its header {_place(two)}, against "
            f"{_place(one)}; resample it to the other (nibabel.processing.resample_from_to, order=0 for a mask), or, "
            "where you know that the voxels agree, save it again with the other's affine"
        )


def _shape(reading):
    """Slices, rows and columns, of an image with its channels or of a mask without."""
    shape = reading.array.shape if reading.array.dtype == np.uint8 else reading.array.shape[:-1]
    return shape if len(shape) == 3 else (1, *shape)


def _place(reading):
    spacing = "×".join(f"{value:.4g}" for value in np.linalg.norm(reading.affine[:3, :3], axis=0))
    origin = ", ".join(f"{value:.4g}" for value in reading.affine[:3, 3])
    axes = f"axes stored to {reading.orientation}, " if reading.orientation else ""
    return f"{axes}spacing {spacing} mm (slice, row, column as read), first voxel at ({origin}) mm in DICOM's axes"


# rules by which nothing was decided; that HU are HU the gray rule says
PLAIN = re.compile(r"(\w+ )?(bit|float|values) as stored|HU by .*")
MOST_REMARKS = 5


class Remarks:
    """What the readers decided about the files of a source, each remark once, for its report."""

    def __init__(self):
        self.files, self.palettes = {}, {}

    def add(self, reading, path):
        """Take note of a reading, of an image or a mask."""
        rules = [] if PLAIN.fullmatch(reading.rule) else [reading.rule]
        for words in [*rules, *reading.notes]:
            self.files.setdefault(words, []).append(path)
        if reading.palette is not None:
            self.palettes[path] = reading.palette
        return reading

    def lines(self):
        """A line for each remark, that of most files first, with their number and the first of them."""
        told = sorted(self.files.items(), key=lambda remark: -len(remark[1]))
        lines = []
        for words, paths in told[:MOST_REMARKS]:
            first = f"'{paths[0].parent.name}/{paths[0].name}'"
            lines.append(f"{words}: {first}" if len(paths) == 1 else f"{words}: {len(paths)} files, the first {first}")
        if more := told[MOST_REMARKS:]:
            files = len({path for _, paths in more for path in paths})
            lines.append(f"and {len(more)} more remarks about {files} files; read_file(path).notes names them")
        return lines
