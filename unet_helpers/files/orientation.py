"""From the axes of a volume as it is stored to slice, row, column, and for a mask the way back."""

import numpy as np

FLIP_X_Y = np.diag([-1.0, -1.0, 1.0, 1.0])  # from NIfTI's x to the right, y to the front, to DICOM's
# to where slices, rows and columns lead: axial; and of a single slice that is sagittal or coronal
AXIAL, SAGITTAL, CORONAL = ("S", "P", "L"), ("R", "I", "P"), ("P", "I", "L")


def turn_of(affine, shape):
    """nibabel's orientation that leads from the axes of a file to slice, row, column."""
    from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

    here = io_orientation(affine)
    thin = [axis for axis in range(3) if shape[axis] == 1]
    plane = AXIAL
    if len(thin) == 1:  # a single slice: its own plane, and not lines of all other slices
        plane = {0: SAGITTAL, 1: CORONAL, 2: AXIAL}[int(here[thin[0], 0])]
    return ornt_transform(here, axcodes2ornt(plane))


def turned(voxels, affine):
    """A volume in slices, rows and columns, its affine, and its spacing.

    Parameters
    ----------
    voxels : ``(I, J, K)`` or ``(I, J, K, C)``
        In the axes of the file.
    affine : ``(4, 4)``
        From (i, j, k, 1) to x right, y front, z up in mm, as NIfTI has it.

    Returns
    -------
    volume, affine, spacing
        As of a :class:`unet_helpers.files.Reading`.
    """
    from nibabel.orientations import apply_orientation, inv_ornt_aff

    turn = turn_of(affine, voxels.shape[:3])
    here = FLIP_X_Y @ affine @ inv_ornt_aff(turn, voxels.shape[:3])
    spacing = tuple(float(f"{value:.7g}") for value in np.linalg.norm(here[:3, :3], axis=0))
    return apply_orientation(voxels, turn), here, spacing


def turned_back(mask, affine, shape):
    """The way back of :func:`turned`: a mask in the axes ``(I, J, K)`` of the file."""
    from nibabel.orientations import apply_orientation, ornt_transform

    turn = turn_of(affine, shape)
    there = apply_orientation(np.empty(shape, np.bool_), turn).shape
    standard = np.array([[0, 1], [1, 1], [2, 1]], float)
    return apply_orientation(mask.reshape(there), ornt_transform(_after(turn), standard)).reshape(shape)


def _after(turn):
    """Where the axes of an array stand after an orientation was applied, as an orientation of its own."""
    after = np.empty_like(turn)
    for axis, (place, flip) in enumerate(turn):
        after[int(place)] = axis, flip
    return after
