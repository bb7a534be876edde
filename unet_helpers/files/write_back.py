"""Write a mask into the grid and, where it can hold a mask, the format of the file it was made for."""

import numpy as np

from .images import read_file, write_png
from .itk import ITK, write_like_itk
from .nifti import NIFTI, affine_in_mm, load_nifti
from .orientation import FLIP_X_Y, turned_back
from .paths import DataError, atomic_path, reading_of, suffix_of, user_path
from .scans import read_series

GRID = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("srow_x", "srow_y", "srow_z"),
)
# format of the image -> formats in which its mask can go back, the usual one first
INTO = {
    ".nii": NIFTI,
    ".nii.gz": (".nii.gz", ".nii"),
    ".dcm": (".nii.gz", ".nii"),
    **dict.fromkeys((".nrrd", ".nhdr"), (".nrrd", ".mha")),
    **dict.fromkeys((".mha", ".mhd"), (".mha", ".nrrd")),
    ".npy": (".npy",),
    ".npz": (".npz",),
    ".tif": (".tif", ".tiff", ".png"),
    ".tiff": (".tiff", ".tif", ".png"),
    ".png": (".png", ".tif", ".tiff"),
    ".jpg": (".png", ".tif", ".tiff"),
    ".jpeg": (".png", ".tif", ".tiff"),
}


def mask_suffix(source):
    """The ending of a mask for an image file or a folder with a DICOM series: ``.png`` for ``.jpg``, and so on."""
    return _allowed(user_path(source))[0]


def write_mask_like(target, mask, source, series=None):
    """Write a mask so that it lies on its image, and return the path.

    A NIfTI gets the axes, the affine and the units of its source, to the voxel; NRRD and MetaImage the like in mm, in
    one file also where the source has its voxels in a second. For DICOM, one slice or a series, the
    mask is a NIfTI in the patient's coordinates: 3D Slicer, ITK-SNAP or dcmqi lay it on the series. Pictures give a
    picture without loss, upright where the photograph's EXIF turns it; NPY and NPZ give their like. Nothing else of the
    source, such as a description or a name, goes into the mask.

    Parameters
    ----------
    target : str or Path
        With the ending of :func:`mask_suffix`, or another that can hold the grid.
    mask : ``(H, W)`` or ``(D, H, W)``, whole numbers 0–255
        In the grid that :func:`unet_helpers.files.read_image` or :func:`unet_helpers.files.read_series` gave of the
        source, not resized.
    source : str or Path
        The image file, or the folder with its DICOM series.
    series : str, optional
        As in :func:`unet_helpers.files.read_series`.

    Raises
    ------
    FileNotFoundError, DataError
        As the readers of the source; also for a mask of another size, other values, or a target that cannot hold it.
    """
    target, source = user_path(target), user_path(source)
    mask = np.asarray(mask)
    if mask.dtype.kind not in "bui" or mask.min(initial=0) < 0 or mask.max(initial=0) > 255:
        raise DataError(f"the mask for '{source.name}' is {mask.dtype}; give whole numbers from 0 to 255 (np.argmax)")
    mask = mask.astype(np.uint8)
    suffix, allowed = suffix_of(target), _allowed(source)
    if suffix not in allowed:
        raise DataError(
            f"'{target.name}' cannot hold a mask in the grid of '{source.name}'; name it with {' or '.join(allowed)}"
        )
    if source.is_dir():
        volume = read_series(source, series)
        _write_nifti(target, _checked(mask, volume.array.shape[:-1], source), volume.affine)
        return target
    reading = read_file(source)
    _checked(mask, reading.array.shape[:-1], source)
    if suffix_of(source) in NIFTI:
        _write_like_nifti(target, mask, source)
    elif suffix_of(source) in ITK:
        with reading_of(source):
            write_like_itk(target, mask, source)
    elif suffix in NIFTI:
        _write_nifti(target, mask, reading.affine, reading.spacing)
    elif suffix in (".npy", ".npz"):
        _write_array(target, mask, reading.spacing)
    elif suffix == ".png":
        if mask.ndim == 3:
            raise DataError(f"'{target.name}' cannot hold {len(mask)} slices; name it with .tif")
        write_png(target, mask)
    else:
        import tifffile

        with atomic_path(target) as temporary:
            tifffile.imwrite(temporary, mask, photometric="minisblack", compression="zlib")
    return target


def _allowed(source):
    if source.is_dir():
        return INTO[".dcm"]
    if suffix_of(source) not in INTO:
        read_file(source)  # says what is wrong with it
    return INTO[suffix_of(source)]


def _checked(mask, shape, source):
    if mask.shape != tuple(shape):
        here, there = ("×".join(map(str, size)) for size in (mask.shape, shape))
        raise DataError(
            f"the mask is {here} but '{source.name}' is {there}; resize it back first (order 0), as resize_mask does"
        )
    return mask


def _write_like_nifti(target, mask, source):
    """The way back of ``read_nifti``: the same axes in the same order, the header's own sform, qform and units."""
    import nibabel

    with reading_of(source):
        image = load_nifti(source)
        affine = affine_in_mm(image, source, [])
        shape = (*image.shape[:3], 1, 1)[:3]
        voxels = turned_back(mask, affine, shape)
    header = type(image.header)()
    for field in GRID:
        header[field] = image.header[field]
    header.set_data_dtype(np.uint8)
    voxels = voxels.reshape(image.shape[:3])
    header.set_data_shape(voxels.shape)
    header["xyzt_units"] = int(image.header["xyzt_units"]) & 7  # a mask has no time
    header["pixdim"][:4] = image.header["pixdim"][:4]
    with atomic_path(target) as temporary:
        nibabel.save(type(image)(voxels, image.affine, header), temporary)


def _write_nifti(target, mask, affine, spacing=None):
    """A mask in slices, rows and columns as NIfTI with x, y, z; ``affine`` as of a :class:`Reading`."""
    import nibabel

    volume = mask if mask.ndim == 3 else mask[np.newaxis]
    if affine is None:
        between, row, column = (1.0, *(spacing or (1.0, 1.0)))[-3:]
        affine = np.array([[0, 0, column, 0], [0, row, 0, 0], [between, 0, 0, 0], [0, 0, 0, 1.0]])
    right_anterior = FLIP_X_Y @ affine[:, [2, 1, 0, 3]]
    with atomic_path(target) as temporary:
        image = nibabel.Nifti1Image(volume.transpose(2, 1, 0), right_anterior)
        image.header.set_xyzt_units("mm")
        nibabel.save(image, temporary)


def _write_array(target, mask, spacing):
    with atomic_path(target) as temporary:
        if suffix_of(target) == ".npy":
            np.save(temporary, mask)
        else:
            np.savez_compressed(temporary, mask=mask, **({} if spacing is None else {"spacing": spacing}))
