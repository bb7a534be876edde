"""What a file says of itself before its values count: the type it stores, whether they are HU, the grid it lies on."""

import contextlib
import gzip
import zipfile
from dataclasses import dataclass

import numpy as np

from ..files.paths import DataError, suffix_of

NIFTI = (".nii", ".nii.gz")


@dataclass(frozen=True)
class Stored:
    """``dtype`` as NumPy names it, empty if unknown; ``bits`` of it in use, where the file says; ``hu``: it says HU."""

    dtype: str = ""
    bits: int | None = None
    hu: bool = False


def stored_type(path):
    """What the header of an image says of its values; nothing is known of a damaged file, which its reading names."""
    suffix = suffix_of(path)
    with contextlib.suppress(Exception):
        if suffix in (".png", ".jpg", ".jpeg"):
            from PIL import Image

            with Image.open(path) as picture:
                return Stored("uint16" if picture.mode.startswith("I") else "uint8")
        if suffix in (".tif", ".tiff"):
            import tifffile

            with tifffile.TiffFile(path) as file:
                return Stored(str(file.pages[0].dtype))
        if suffix == ".npy":
            return Stored(str(np.load(path, mmap_mode="r", allow_pickle=False).dtype))
        if suffix == ".npz":
            return Stored(_dtype_in_npz(path))
        if suffix == ".dcm":
            return _stored_in_dicom(path)
        if suffix in NIFTI:
            header = nifti_header(path)
            scaled = header.get_slope_inter() not in ((None, None), (1.0, 0.0))
            return Stored("float32" if scaled else str(header.get_data_dtype()))
    return Stored()


def _dtype_in_npz(path):
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name != "spacing.npy"]
        with archive.open("image.npy" if "image.npy" in names else names[0]) as member:
            read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
            return str(read[np.lib.format.read_magic(member)[0]](member)[2])


def _stored_in_dicom(path):
    import pydicom

    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    rescaled = "RescaleIntercept" in dataset or "ModalityLUTSequence" in dataset
    unit = str(dataset.get("RescaleType") or "HU").upper()
    hu = str(dataset.get("Modality", "")).upper() == "CT" and rescaled and unit == "HU"
    signed = int(dataset.get("PixelRepresentation") or 0)
    whole = float(dataset.get("RescaleSlope") or 1) == 1
    bits = int(dataset.get("BitsStored") or 16) if whole and not signed and not rescaled else None
    return Stored("int16" if signed else "uint8" if int(dataset.BitsAllocated) == 8 else "uint16", bits, hu)


def nifti_header(path):
    """The header of a NIfTI file, without its voxels."""
    import nibabel

    with (gzip.open if suffix_of(path) == ".nii.gz" else open)(path, "rb") as stream:
        start = stream.read(540)
    sizes = {int.from_bytes(start[:4], order) for order in ("little", "big")}
    kind = nibabel.Nifti2Header if 540 in sizes else nibabel.Nifti1Header
    return kind(start[: kind.sizeof_hdr], check=False)


def check_one_grid(image_path, other_path, what="mask"):
    """Raise :class:`DataError` if two NIfTI files do not lie on one grid in the patient, and name both headers.

    Arrays of one shape fit each other also where one was saved flipped, shifted or without its header, and then the
    mask is that of another place. A quarter of a voxel is allowed, because headers are rounded. Files of other formats
    have no such header, and pass.
    """
    if not {suffix_of(image_path), suffix_of(other_path)} <= set(NIFTI):
        return
    try:
        grids = [_grid(nifti_header(path)) for path in (image_path, other_path)]
    except Exception:  # damaged: the reading names it
        return
    (affine, shape), (other, other_shape) = grids
    if shape != other_shape or not np.isfinite([affine, other]).all():
        return  # the reading names it
    corners = np.array([(*corner, 1) for corner in np.ndindex(2, 2, 2)], dtype=float)
    corners[:, :3] *= np.array(shape) - 1
    apart = np.linalg.norm(corners @ affine.T - corners @ other.T, axis=1).max()
    # a grid with one slice has no second corner along it: its direction and distance count too
    steps = np.linalg.norm(affine[:3, :3] - other[:3, :3], axis=0).max()
    voxel = np.linalg.norm(affine[:3, :3], axis=0).min()
    if max(apart, steps) > 0.25 * voxel:
        names = (image_path.name, other_path.name)
        if image_path.name == other_path.name:
            names = [f"{path.parent.name}/{path.name}" for path in (image_path, other_path)]
        first, second = (_said(nifti_header(path)) for path in (image_path, other_path))
        raise DataError(
            f"{what} '{names[1]}' does not lie where '{names[0]}' does: by the affine in its header {second}, against "
            f"{first}; resample it to the other (nibabel.processing.resample_from_to, order=0 for a mask), or, where "
            "you know that the voxels agree, save it again with the other's affine"
        )


def _grid(header):
    """The affine after the axes were brought to x, y, z, as the readers do, and the shape then."""
    from nibabel.orientations import inv_ornt_aff, io_orientation

    affine = header.get_best_affine()
    shape = (*header.get_data_shape(), 1, 1)[:3]
    turn = io_orientation(affine)
    turned = [0, 0, 0]
    for axis, (new, _) in enumerate(turn):
        turned[int(new)] = shape[axis]
    return affine @ inv_ornt_aff(turn, shape), tuple(turned)


def _said(header):
    from nibabel.orientations import aff2axcodes

    affine = header.get_best_affine()
    spacing = "×".join(f"{value:.4g}" for value in np.linalg.norm(affine[:3, :3], axis=0))
    origin = ", ".join(f"{value:.4g}" for value in affine[:3, 3])
    axes = "".join(code or "?" for code in aff2axcodes(affine))
    return f"spacing {spacing} mm, axes to {axes}, origin ({origin})"
