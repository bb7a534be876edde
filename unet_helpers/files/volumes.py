"""Volumes and their masks in the one orientation, whether a file holds them or a folder with a DICOM series."""

from .dicom_kinds import kind_of
from .images import read_file
from .itk import ITK, header_shape
from .nifti import NIFTI, nifti_header
from .orientation import FLIP_X_Y, turned, turned_back
from .pairing import natural_key
from .paths import suffix_of, user_path
from .reading import Reading
from .scans import dicom_files, open_dicom, read_series, series_grid
from .segmentations import read_segmentation

VOLUMES = (*NIFTI, *ITK)  # endings of files that may hold a volume with its place in the patient


def read_volume(source):
    """The :class:`unet_helpers.files.Reading` of an image file, or of the DICOM series in a folder.

    A series is turned as the volume of a file is: slices from the feet to the head, whatever the plane in which it was
    taken. :func:`in_series` leads a mask back.
    """
    source = user_path(source)
    if not source.is_dir():
        return read_file(source)
    volume = read_series(source)
    array, affine, spacing = turned(*_stored(volume.array, volume.affine))
    return Reading(
        array, spacing, volume.rule, list(volume.notes), volume.stored, volume.bits, volume.unit, affine=affine
    )


def read_volume_mask(path, source):
    """The :class:`unet_helpers.files.Reading` of the mask of a volume ``source``: a file, or a DICOM segmentation."""
    path, source = user_path(path), user_path(source)
    if not (source.is_dir() and is_segmentation(path)):
        return read_file(path, as_mask=True)
    reading = read_segmentation(path, source)
    reading.array, reading.affine, reading.spacing = turned(*_stored(reading.array, reading.affine))
    return reading


def in_series(mask, folder):
    """A mask in the grid of :func:`read_volume` of a folder, in that of :func:`unet_helpers.files.read_series`."""
    grid = series_grid(folder)
    return turned_back(mask, _stored(grid.array, grid.affine)[1], grid.array.shape[2::-1]).transpose(2, 1, 0)


def series_folders(folder):
    """The folders from this one downward that hold DICOM files, in natural order; hidden ones are passed over."""
    found = [folder] if dicom_files(folder)[0] else []
    for path in sorted((p for p in folder.iterdir() if p.is_dir()), key=lambda path: natural_key(path.name)):
        found += [] if path.name.startswith(".") else series_folders(path)
    return found


def _stored(array, affine):
    """Slices, rows and columns as axes x, y, z of a file, and the affine as NIfTI has it."""
    return array.transpose(2, 1, 0, *range(3, array.ndim)), FLIP_X_Y @ affine[:, [2, 1, 0, 3]]


def is_segmentation(path):
    """Whether a file is a DICOM segmentation."""
    from pydicom.misc import is_dicom

    return path.is_file() and is_dicom(path) and kind_of(open_dicom(path, with_pixels=False)) == "SEG"


def shape_of_volume(source):
    """Slices, rows and columns of a volume, in whatever order, from its header; of a folder as its files promise."""
    if source.is_dir():
        files, _ = dicom_files(source)
        first = open_dicom(files[0], with_pixels=False)
        return len(files), int(first.Rows), int(first.Columns)
    return header_shape(source) if suffix_of(source) in ITK else nifti_header(source).get_data_shape()


def holds_volume(path):
    """Whether the header of a file says that it is a volume of several slices."""
    if suffix_of(path) not in VOLUMES:
        return False
    try:
        return sum(n > 1 for n in shape_of_volume(path)[:3]) == 3
    except Exception:  # damaged: the reading of pairs names it
        return False
