"""Read DICOM (one file, or the series in a folder) and NIfTI in one orientation.

Array axes are slice, row, column, channel. For an axial volume slices go from the feet to the head, rows from front
to back, columns from the patient's right to left, as DICOM stores them and a radiologist's display shows them.
"""

import gzip
import io
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from .paths import DataError, check_size, suffix_of, user_path
from .pictures import pillow_limit

DEFLATED = "1.2.840.10008.1.2.1.99"
LARGEST_NIFTI_HEADER = 2**24  # bytes before the voxels, extensions included


@dataclass
class Volume:
    """A DICOM series as one array.

    array : ``(D, H, W, C)`` float32, HU for CT
    spacing : (slice, row, column) in mm
    affine : ``(4, 4)`` float
        From (slice, row, column, 1) to (x, y, z, 1) in mm; x to the patient's left, y to the back, z to the head, as
        DICOM has them.
    paths : the file of each slice
    left_out : files of the folder that are no DICOM
    """

    array: np.ndarray
    spacing: tuple
    affine: np.ndarray
    paths: list
    left_out: list


# --- DICOM ----------------------------------------------------------------------------------------


def read_dicom(path):
    """One DICOM file: ``(H, W, C)``, or ``(D, H, W, C)`` with several frames, and its spacing in mm or None.

    Gray values are passed through the modality table or rescale slope and intercept, so that CT is in HU.
    """
    dataset = open_dicom(path)
    return pixels_of(dataset, path), spacing_of(dataset)


def read_series(folder, series=None):
    """Read the slices of one DICOM series from a folder, sorted by their position in the patient.

    Parameters
    ----------
    folder : str or Path
        With the files of one series, under any names; hidden files and ``DICOMDIR`` are passed over.
    series : str, optional
        The SeriesInstanceUID, where the folder holds several.

    Returns
    -------
    Volume

    Raises
    ------
    FileNotFoundError
        If the folder is not there.
    DataError
        If there is no DICOM file, more than one series, a file without a position, two slices at one
        position, a gap between slices, or slices of different size or orientation; the files are named.
    """
    folder = user_path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder '{folder}'; check the path")
    files, left_out = dicom_files(folder)
    if not files:
        raise DataError(f"folder '{folder.name}' holds no DICOM file; is it the right folder?")
    datasets = {path: open_dicom(path, with_pixels=False) for path in files}
    found = Counter(str(dataset.get("SeriesInstanceUID", "none")) for dataset in datasets.values())
    if len(found) > 1 and series is None:
        listed = ", ".join(f"{uid} ({count} files)" for uid, count in sorted(found.items()))
        raise DataError(f"folder '{folder.name}' holds {len(found)} series: {listed}; choose one with series=")
    if series is not None:
        datasets = {p: d for p, d in datasets.items() if str(d.get("SeriesInstanceUID", "none")) == series}
        if not datasets:
            raise DataError(f"folder '{folder.name}' has no series {series}, but {', '.join(sorted(found))}")
    ordered, positions = sort_by_position(datasets)
    step = _regular_step(ordered, positions)
    first = datasets[ordered[0]]
    check_size(folder, (len(ordered), first.Rows, first.Columns, first.get("SamplesPerPixel", 1)))
    array = np.stack([pixels_of(open_dicom(path), path).astype(np.float32) for path in ordered])
    row_step, column_step = spacing_of(first) or (None, None)
    if row_step is None:
        raise DataError(f"'{ordered[0].name}' has no PixelSpacing; add it, or read the slices one by one")
    along_columns, along_rows, normal, origin = geometry_of(first, ordered[0])
    affine = np.eye(4)
    affine[:3, :3] = np.stack([normal * step, along_rows * row_step, along_columns * column_step], axis=1)
    affine[:3, 3] = origin
    return Volume(array, (step, row_step, column_step), affine, ordered, left_out)


def dicom_files(folder):
    """The DICOM files directly in a folder, by their first bytes and whatever their names, and the other files."""
    from pydicom.misc import is_dicom

    visible = [path for path in sorted(user_path(folder).iterdir()) if path.is_file() and not path.name.startswith(".")]
    visible = [path for path in visible if path.name.upper() != "DICOMDIR"]
    files = [path for path in visible if path.suffix.lower() == ".dcm" or is_dicom(path)]
    return files, [path for path in visible if path not in set(files)]


def sort_by_position(datasets):
    """Order ``{path: dataset}`` along the normal of the slices; returns the paths and their positions in mm."""
    positions, normals = {}, {}
    for path, dataset in datasets.items():
        _, _, normals[path], origin = geometry_of(dataset, path)
        positions[path] = float(normals[path] @ origin)
    ordered = sorted(positions, key=positions.get)
    first = ordered[0]
    for path in ordered:
        if normals[path] @ normals[first] < 0.999:
            raise DataError(f"'{path.name}' lies in another direction than '{first.name}'; a scout? Move it away")
        for name in ("Rows", "Columns", "PixelSpacing"):
            if datasets[path].get(name) != datasets[first].get(name):
                raise DataError(
                    f"'{path.name}' has {name} {datasets[path].get(name)} but '{first.name}' has "
                    f"{datasets[first].get(name)}; keep slices of one kind in the folder"
                )
    return ordered, [positions[path] for path in ordered]


def _regular_step(ordered, positions):
    """The distance of the slices in mm; a slice too many or missing is an error that names its neighbors."""
    steps = np.diff(positions)
    if not len(steps):
        raise DataError(f"'{ordered[0].name}' is alone; a series has two slices or more, read one with read_image")
    step = float(np.median(steps))
    for below, above, distance in zip(ordered, ordered[1:], steps, strict=False):
        if distance < 0.01:
            raise DataError(f"'{below.name}' and '{above.name}' are at one position; keep one of them")
        if abs(distance - step) > 0.05 * step:
            raise DataError(
                f"'{below.name}' and '{above.name}' are {distance:.2f} mm apart where others are {step:.2f}; "
                "a slice is missing: copy the series again"
            )
    return step


def geometry_of(dataset, path):
    """Directions of the columns and of the rows, their normal (all ``(3,)``, length 1), and the position in mm."""
    try:
        direction = np.array(dataset.ImageOrientationPatient, dtype=float).reshape(2, 3)
        origin = np.array(dataset.ImagePositionPatient, dtype=float).reshape(3)
    except (AttributeError, TypeError, ValueError):
        raise DataError(
            f"'{path.name}' has no position in the patient (ImagePositionPatient, ImageOrientationPatient); "
            "it is no slice of a volume: move it away"
        ) from None
    return *direction, np.cross(*direction), origin


def open_dicom(path, with_pixels=True):
    """The data set of a DICOM file whose announced size has been checked."""
    import pydicom

    if path.stat().st_size > 8 * 2**30:
        raise DataError(f"'{path.name}' is too large ({path.stat().st_size} bytes); split it into slices")
    meta = pydicom.filereader.read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") == DEFLATED:
        raise DataError(f"'{path.name}' is deflated DICOM, whose size shows only unpacked; convert it (dcmconv +te)")
    dataset = pydicom.dcmread(path, stop_before_pixels=not with_pixels)
    shape = [int(dataset.get(name) or 1) for name in ("NumberOfFrames", "Rows", "Columns", "SamplesPerPixel")]
    check_size(path, shape)
    return dataset


@pillow_limit()
def pixels_of(dataset, path):
    """``(H, W, C)`` or ``(D, H, W, C)``, gray values after the modality table or rescale slope and intercept.

    Of MONOCHROME1, where 0 is white, the stored values are turned around first.
    """
    from pydicom.pixels import apply_modality_lut

    if "PerFrameFunctionalGroupsSequence" in dataset:
        raise DataError(
            f"'{path.name}' is enhanced DICOM, whose frames have places and scales of their own; "
            "convert it to NIfTI (dcm2niix), or to one file per slice"
        )
    if "PixelData" not in dataset:
        raise DataError(f"'{path.name}' is DICOM without pixels: cut short, or no picture; leave it out")
    try:
        stored = dataset.pixel_array
    except RuntimeError as error:  # pydicom's word for a codec that is not installed
        if "plugin" not in str(error) and "depend" not in str(error):
            raise
        kind = dataset.file_meta.TransferSyntaxUID.name
        raise DataError(
            f"'{path.name}' is compressed as {kind}, for which a package is missing: install pylibjpeg with "
            "pylibjpeg-libjpeg and pylibjpeg-openjpeg, or decompress the file (dcmdjpeg)"
        ) from error
    if int(dataset.get("SamplesPerPixel") or 1) > 1:
        return stored
    if dataset.PhotometricInterpretation == "MONOCHROME1":  # 0 is white: turned around, so that more is brighter
        stored = (-1 if dataset.PixelRepresentation else 2**dataset.BitsStored - 1) - stored.astype(np.int64)
    return apply_modality_lut(stored, dataset)[..., np.newaxis]


def spacing_of(dataset):
    """(row, column) in mm, with the slice distance first for several frames; None where it is not said."""
    in_plane = dataset.get("PixelSpacing")
    if in_plane is None:
        return None
    in_plane = tuple(float(value) for value in in_plane)
    if int(dataset.get("NumberOfFrames") or 1) == 1:
        return in_plane
    between = dataset.get("SpacingBetweenSlices")
    return None if between is None else (float(between), *in_plane)


# --- NIfTI ----------------------------------------------------------------------------------------


def read_nifti(path):
    """One NIfTI file: ``(D, H, W, C)``, or ``(H, W, C)`` with a single slice, and its spacing in mm.

    The fourth axis of the file (time, or sequences) becomes the channels.
    """
    import nibabel

    image = _load_nifti(path)
    # canonical axes are x to the patient's right, y to the front, z up; ours are z up, y to the back, x to the left
    image = nibabel.as_closest_canonical(image)
    voxels = np.asarray(image.dataobj)
    while voxels.ndim > 4 and voxels.shape[-1] == 1:
        voxels = voxels[..., 0]
    if voxels.ndim > 4:
        raise DataError(f"'{path.name}' has {voxels.ndim} axes; save three, or four with the channels last")
    voxels = voxels.reshape(voxels.shape + (1,) * (4 - voxels.ndim))
    volume = np.flip(voxels.transpose(2, 1, 0, 3), (1, 2))
    zooms = (*image.header.get_zooms(), 1.0)[:3]
    spacing = tuple(float(value) for value in zooms[::-1])
    return (volume[0], spacing[1:]) if len(volume) == 1 else (volume, spacing)


def _load_nifti(path):
    """The image from memory: as many bytes as the header announces are unpacked, and no more."""
    import nibabel

    with (gzip.open if suffix_of(path) == ".nii.gz" else open)(path, "rb") as stream:
        start = stream.read(540)
        kind = nibabel.Nifti2Image if len(start) >= 4 and 540 in _sizes(start) else nibabel.Nifti1Image
        header = kind.header_class(start[: kind.header_class.sizeof_hdr], check=False)
        if header["magic"] not in (b"n+1", b"n+2\0\r\n\x1a\n", b"n+2"):
            raise ValueError("it does not begin as NIfTI does")
        shape, offset = header.get_data_shape(), int(header["vox_offset"])
        check_size(path, shape)
        if not 0 <= offset <= LARGEST_NIFTI_HEADER:
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


def _sizes(start):
    return int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big")
