"""Read NIfTI in the orientation of :mod:`unet_helpers.files.reading`."""

import gzip
import io
import math

import numpy as np

from .orientation import turned
from .paths import DataError, check_size, suffix_of
from .reading import LEAN, Reading, lean_of

NIFTI = (".nii", ".nii.gz")
LARGEST_HEADER = 2**24  # bytes before the voxels, extensions included
TO_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # code of the unit of length: none, meter, mm, micrometer


def read_nifti(path):
    """One NIfTI file: ``(D, H, W, C)``, or ``(H, W, C)`` with a single slice along any axis.

    The fourth axis of the file (time, or sequences) becomes the channels. Lengths are in mm, whatever the unit of the
    file; where it names none, mm are meant. Spacing is that of the affine, also where ``pixdim`` says something else;
    ``notes`` tell of it, and of an sform and a qform that disagree.
    """
    from nibabel.orientations import aff2axcodes

    image, notes = load_nifti(path), []
    affine = affine_in_mm(image, path, notes)
    voxels = np.asarray(image.dataobj)
    while voxels.ndim > 4 and voxels.shape[-1] == 1:
        voxels = voxels[..., 0]
    if voxels.ndim > 4:
        raise DataError(f"'{path.name}' has {voxels.ndim} axes; save three, or four with the channels last")
    voxels = voxels.reshape(voxels.shape + (1,) * (4 - voxels.ndim))
    volume, affine_here, spacing = turned(voxels, affine)
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    rule, stored = "values as stored", image.get_data_dtype().name
    if (slope, intercept) != (1, 0):
        rule, stored = "values by slope and intercept of the header", "float32"
    directions = "".join(aff2axcodes(affine))
    return Reading(volume, spacing, rule, notes, stored, affine=affine_here, orientation=directions)


def affine_in_mm(image, path, notes):
    """The affine of a NIfTI with lengths in mm, from (i, j, k, 1) to x right, y front, z up; contradictions noted."""
    header = image.header
    code = int(header["xyzt_units"]) & 7
    if code not in TO_MM:
        raise DataError(f"'{path.name}' gives its lengths in a unit with the number {code}, which NIfTI does not know")
    affine = np.array(image.affine, dtype=float)
    zooms = [float(value) for value in (*header.get_zooms(), 1.0, 1.0)[:3]]
    affine[:3, :3] = _with_thin_axis(affine[:3, :3], image.shape)
    columns = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or columns.min() < 1e-12 or abs(np.linalg.det(affine[:3, :3] / columns)) < 1e-3:
        raise DataError(f"'{path.name}' has an affine that leads to no place: {affine[:3].tolist()}; correct it")
    degrees, leans = lean_of(affine)
    if leans and sum(n > 1 for n in image.shape[:3]) == 3:
        raise DataError(
            f"'{path.name}' has axes that lean by {degrees:.0f}° (gantry tilt, or an affine registration), and "
            "distances in it would be wrong; resample it on straight axes with nibabel.processing.resample_to_output, "
            "of a mask with order=0"
        )
    seen = [axis for axis in range(3) if axis < len(image.shape) and image.shape[axis] > 1]
    if not np.allclose(np.array(zooms)[seen], columns[seen], rtol=1e-2):
        said, true = ("×".join(f"{v:g}" for v in values) for values in (zooms, columns))
        notes.append(f"pixdim says {said} but the affine {true}; the affine is taken")
    if int(header["qform_code"]) > 0 and int(header["sform_code"]) > 0:
        with np.errstate(all="ignore"):
            qform = header.get_qform()
        axes = [np.asarray(form)[:3, :3] / np.linalg.norm(np.asarray(form)[:3, :3], axis=0) for form in (qform, affine)]
        if np.abs(axes[0] - axes[1]).max() > 5 * LEAN:
            notes.append("sform and qform point in other directions; the sform is taken")
    if int(header["qform_code"]) <= 0 and int(header["sform_code"]) <= 0:
        notes.append("the header states no orientation (sform and qform code 0)")
    if code not in (0, 2):
        notes.append(f"lengths in {'meters' if code == 1 else 'micrometers'} are given in mm")
    return np.diag([TO_MM[code]] * 3 + [1.0]) @ affine


def _with_thin_axis(axes, shape):
    """The directions of the axes, of which one may have no length where there is one slice only."""
    thin = [axis for axis in range(3) if axis >= len(shape) or shape[axis] == 1]
    for axis in thin:
        if len(thin) == 1 and not np.linalg.norm(axes[:, axis]):
            normal = np.cross(axes[:, (axis + 1) % 3], axes[:, (axis + 2) % 3])
            axes[:, axis] = normal / (np.linalg.norm(normal) or 1)
    return axes


def load_nifti(path):
    """The image from memory: as many bytes as the header announces are unpacked, and no more."""
    with _opened(path) as stream:
        start = stream.read(540)
        kind, header = _header_in(start)
        if header["magic"] not in (b"n+1", b"n+2\0\r\n\x1a\n", b"n+2"):
            raise ValueError("it does not begin as NIfTI does")
        shape, offset = header.get_data_shape(), int(header["vox_offset"])
        check_size(path, shape)
        if not 0 <= offset <= LARGEST_HEADER:
            raise ValueError(f"the voxels are said to start at byte {offset}")
        pixdim = [float(header["pixdim"][1 + axis]) for axis, n in enumerate(shape[:3]) if n > 1]
        if not all(0 < value < math.inf for value in pixdim):
            raise DataError(f"'{path.name}' gives its spacing as {tuple(pixdim)} mm; correct the header")
        expected = max(offset, 352) + math.prod(shape) * header.get_data_dtype().itemsize
        content = start + stream.read(max(expected - len(start), 0))
        if len(content) < expected:
            raise ValueError(f"{expected} bytes are announced and {len(content)} are there")
        stream.read(1)  # at its end a gzip file proves its checksum
    return kind.from_stream(io.BytesIO(content))


def nifti_header(path):
    """The header of a NIfTI file, without its voxels."""
    with _opened(path) as stream:
        return _header_in(stream.read(540))[1]


def _opened(path):
    return (gzip.open if suffix_of(path) == ".nii.gz" else open)(path, "rb")


def _header_in(start):
    """The class of the image and its header, from the first bytes of the file."""
    import nibabel

    sizes = [int.from_bytes(start[:4], order) for order in ("little", "big")]
    kind = nibabel.Nifti2Image if len(start) >= 4 and 540 in sizes else nibabel.Nifti1Image
    return kind, kind.header_class(start[: kind.header_class.sizeof_hdr], check=False)
