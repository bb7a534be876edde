"""Read DICOM, one file or the series in a folder, in the orientation of :mod:`unet_helpers.files.reading`."""

import contextlib
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from .dicom_kinds import OBJECTS, kind_of, refuse_object
from .masks import indices_of_palette
from .paths import DataError, check_size, reading_of, user_path
from .pictures import pillow_limit
from .reading import Reading, lean_of

DEFLATED = "1.2.840.10008.1.2.1.99"
GRAY, COLOR = ("MONOCHROME1", "MONOCHROME2"), ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
JPEG_LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
QUANTITIES = (
    "CT",
    "PT",
    "NM",
)  # modalities that measure: MONOCHROME1 says how to show their numbers, not what they are


@dataclass
class Volume:
    """A DICOM series as one array.

    array : ``(D, H, W, C)`` float32, HU for CT
    spacing : (slice, row, column) in mm
    affine : ``(4, 4)`` float
        From (slice, row, column, 1) to (x, y, z, 1) in mm; x to the patient's left, y to the back, z to the head, as
        DICOM has them.
    paths : the file of each slice
    left_out : files of the folder that are no DICOM, or no picture, such as a segmentation beside its slices
    series, frame_of_reference : str
        The SeriesInstanceUID, and the FrameOfReferenceUID that a segmentation on these slices shares.
    instances : list of str
        The SOPInstanceUID of each slice.
    rule, notes, stored, bits, unit : as of a :class:`unet_helpers.files.Reading`
    """

    array: np.ndarray
    spacing: tuple
    affine: np.ndarray
    paths: list
    left_out: list
    rule: str = ""
    notes: list = field(default_factory=list)
    stored: str = ""
    bits: int | None = None
    unit: str = ""
    series: str = ""
    frame_of_reference: str = ""
    instances: list = field(default_factory=list)


def read_dicom(path, as_mask=False):
    """One DICOM file as a :class:`unet_helpers.files.Reading`: ``(H, W, C)``, or ``(D, H, W, C)`` with several frames.

    Gray values are passed through the modality table or rescale slope and intercept, so that CT is in HU. Bits above
    BitsStored are no part of a value, as DICOM says. A palette and the YBR color spaces become RGB.
    """
    dataset = open_dicom(path)
    reading = reading_of_pixels(dataset, path, as_mask)
    reading.spacing = spacing_of(dataset)
    if reading.array.ndim == 3 and reading.spacing is not None:
        with contextlib.suppress(DataError):  # an X-ray has no place in the patient
            along_columns, along_rows, normal, origin = geometry_of(dataset, path)
            row, column = reading.spacing
            thick = abs(float(dataset.get("SpacingBetweenSlices") or dataset.get("SliceThickness") or 1)) or 1.0
            reading.affine = _affine(normal * thick, along_rows * row, along_columns * column, origin)
    return reading


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
        position, a gap between slices, slices of different size or orientation, or slices that lean (gantry tilt);
        the files are named.
    """
    volume = series_grid(folder, series)
    slices = []
    for path in volume.paths:
        with reading_of(path):
            slices.append(reading_of_pixels(open_dicom(path), path))
    rules, like = sorted({reading.rule for reading in slices}), slices[0]
    if len(rules) > 1:
        volume.notes = [f"{len(rules)} slopes or rules among the slices: {'; '.join(rules[:3])}"]
    volume.array = np.stack([reading.array.astype(np.float32) for reading in slices])
    volume.rule, volume.stored, volume.bits, volume.unit = rules[0], like.stored, like.bits, like.unit
    return volume


def series_grid(folder, series=None):
    """The :class:`Volume` of :func:`read_series` without pixels: an array ``(D, H, W, C)`` that takes no memory."""
    folder = user_path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder '{folder}'; check the path")
    files, left_out = dicom_files(folder)
    if not files:
        raise DataError(f"folder '{folder.name}' holds no DICOM file; is it the right folder?")
    datasets, objects = _one_series(folder, files, series)
    ordered, positions = sort_by_position(datasets)
    _regular_step(ordered, positions)
    first = datasets[ordered[0]]
    shape = (len(ordered), first.Rows, first.Columns, first.get("SamplesPerPixel", 1))
    check_size(folder, shape)
    row_step, column_step = spacing_of(first) or (None, None)
    if row_step is None:
        raise DataError(f"'{ordered[0].name}' has no PixelSpacing; add it, or read the slices one by one")
    along_columns, along_rows, normal, _ = geometry_of(first, ordered[0])
    origins = np.array([geometry_of(datasets[path], path)[3] for path in ordered])
    step = (origins[-1] - origins[0]) / (len(ordered) - 1)
    affine = _affine(step, along_rows * row_step, along_columns * column_step, origins[0])
    _check_places(ordered, origins, affine)
    volume = Volume(
        np.broadcast_to(np.float32(0), shape),
        (float(step @ normal), row_step, column_step),
        affine,
        ordered,
        [*left_out, *objects],
        series=str(first.get("SeriesInstanceUID", "")),
        frame_of_reference=str(first.get("FrameOfReferenceUID", "")),
        instances=[str(datasets[path].get("SOPInstanceUID", "")) for path in ordered],
    )
    return volume


def _one_series(folder, files, series):
    """``{path: dataset}`` without pixels of the only series in a folder, or of the one that is named.

    And the objects beside it that are no picture, as a segmentation of the slices is.
    """
    datasets, objects = {}, []
    for path in files:
        with reading_of(path):
            datasets[path] = open_dicom(path, with_pixels=False)
    pictures = {path: dataset for path, dataset in datasets.items() if kind_of(dataset) not in OBJECTS}
    if not pictures:
        refuse_object(datasets[files[0]], files[0])
    if series is None:
        datasets, objects = pictures, [path for path in datasets if path not in pictures]
    found = Counter(str(dataset.get("SeriesInstanceUID", "none")) for dataset in datasets.values())
    if len(found) > 1 and series is None:
        listed = ", ".join(f"{uid} ({count} files)" for uid, count in sorted(found.items()))
        raise DataError(f"folder '{folder.name}' holds {len(found)} series: {listed}; choose one with series=")
    if series is not None:
        datasets = {p: d for p, d in datasets.items() if str(d.get("SeriesInstanceUID", "none")) == series}
        if not datasets:
            raise DataError(f"folder '{folder.name}' has no series {series}, but {', '.join(sorted(found))}")
    return datasets, objects


def _affine(along_slices, along_rows, along_columns, origin):
    affine = np.eye(4)
    affine[:3, :3] = np.stack([along_slices, along_rows, along_columns], axis=1)
    affine[:3, 3] = origin
    return affine


def _check_places(ordered, origins, affine):
    """Refuse slices that do not lie above each other, or not where one affine for all says."""
    degrees, leans = lean_of(affine)
    if leans:
        raise DataError(
            f"the slices from '{ordered[0].name}' to '{ordered[-1].name}' lean by {degrees:.0f}° (gantry tilt), so "
            "that the volume would be sheared; convert the series with dcm2niix, which straightens it, or read the "
            "slices one by one with read_image"
        )
    expected = origins[0] + np.arange(len(ordered))[:, np.newaxis] * affine[:3, 0]
    off = np.linalg.norm(origins - expected, axis=1)
    if off.max() > 0.25 * np.linalg.norm(affine[:3, 0]):
        worst = int(off.argmax())
        raise DataError(
            f"'{ordered[worst].name}' lies {off[worst]:.2f} mm from the position that regular slices would have; "
            "resample the series to one slice distance, or read the slices one by one with read_image"
        )


def dicom_files(folder):
    """The DICOM files directly in a folder, by their first bytes and whatever their names, and the other files."""
    from pydicom.misc import is_dicom

    visible = [path for path in sorted(user_path(folder).iterdir()) if path.is_file() and not path.name.startswith(".")]
    visible = [path for path in visible if path.name.upper() != "DICOMDIR"]
    files = [path for path in visible if path.suffix.lower() == ".dcm" or is_dicom(path)]
    return files, [path for path in visible if path not in set(files)]


def sort_by_position(datasets):
    """Order ``{path: dataset}`` along the normal of the slices; returns the paths and their positions in mm."""
    places = {path: geometry_of(dataset, path) for path, dataset in datasets.items()}
    normal = next(iter(places.values()))[2]  # one for all: of slices far away a tiny turn would move the position
    positions = {path: float(normal @ place[3]) for path, place in places.items()}
    ordered = sorted(positions, key=positions.get)
    first = ordered[0]
    for path in ordered:
        if min(places[path][axis] @ places[first][axis] for axis in range(3)) < 0.999:
            raise DataError(f"'{path.name}' lies in another direction than '{first.name}'; a scout? Move it away")
        if int(datasets[path].get("NumberOfFrames") or 1) > 1:
            raise DataError(f"'{path.name}' holds several frames, and a series one per file; read it with read_image")
        for name in ("Rows", "Columns", "PixelSpacing", "SamplesPerPixel", "PhotometricInterpretation"):
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
    right_angles = np.allclose(direction @ direction.T, np.eye(2), atol=0.02)
    if not (right_angles and np.isfinite(origin).all()):
        raise DataError(
            f"'{path.name}' has an ImageOrientationPatient of {direction.ravel().tolist()}, which are no two "
            "directions at right angles, or no position; correct its header"
        )
    direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return *direction, np.cross(*direction), origin


def open_dicom(path, with_pixels=True):
    """The data set of a DICOM file whose announced size has been checked, where its pixels are wanted."""
    import pydicom

    if path.stat().st_size > 8 * 2**30:
        raise DataError(f"'{path.name}' is too large ({path.stat().st_size} bytes); split it into slices")
    meta = pydicom.filereader.read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") == DEFLATED:
        raise DataError(f"'{path.name}' is deflated DICOM, whose size shows only unpacked; convert it (dcmconv +te)")
    dataset = pydicom.dcmread(path, stop_before_pixels=not with_pixels)
    shape = [int(dataset.get(name) or 1) for name in ("NumberOfFrames", "Rows", "Columns", "SamplesPerPixel")]
    if with_pixels:  # a segmentation has more frames than it ever takes memory
        check_size(path, shape)
    return dataset


def pixels_of(dataset, path):
    """The array of :func:`reading_of_pixels`."""
    return reading_of_pixels(dataset, path).array


@pillow_limit()
def reading_of_pixels(dataset, path, as_mask=False):
    """``(H, W, C)`` or ``(D, H, W, C)`` and what its numbers are; spacing and affine are left to :func:`read_dicom`.

    Gray values are those after the modality table or rescale slope and intercept. Of MONOCHROME1, where 0 is white, the
    stored values are turned around first; but CT, PET and NM with a rescale stay, because MONOCHROME1 says how their
    numbers are shown and not what was measured.
    """
    from pydicom.pixels import apply_color_lut, apply_modality_lut

    _check_kind(dataset, path)
    stored, kind = _stored_pixels(dataset, path), dataset.PhotometricInterpretation
    lossy = str(dataset.get("LossyImageCompression") or "") == "01" or dataset.file_meta.TransferSyntaxUID in JPEG_LOSSY
    reading = Reading(stored, rule="values as stored", lossy=lossy)
    if kind == "PALETTE COLOR":
        if as_mask:
            colors = apply_color_lut(np.arange(int(stored.max()) + 1, dtype=stored.dtype), dataset)[..., :3]
            reading.palette, reading.rule = indices_of_palette(path, stored, colors), "indices of a palette"
            reading.array = stored[..., np.newaxis]
        else:
            color = apply_color_lut(stored, dataset)[..., :3]
            # tables of 16 bits repeat the 8 bits of the color, as the standard has it
            reading.array = (color >> 8).astype(np.uint8) if color.dtype.itemsize > 1 and color.max() > 255 else color
            reading.rule, reading.stored = "colors of a palette", reading.array.dtype.name
        return reading
    if int(dataset.get("SamplesPerPixel") or 1) > 1:
        reading.rule = "8 bit as stored" if kind == "RGB" else f"{kind} as RGB"
        return reading
    measured = dataset.get("Modality") in QUANTITIES and ("RescaleSlope" in dataset or "ModalityLUTSequence" in dataset)
    if kind == "MONOCHROME1" and measured:
        reading.notes.append("MONOCHROME1 is how to show it; the measured values are kept")
    elif kind == "MONOCHROME1":  # 0 is white: turned around, so that more is brighter
        stored = (-1 if dataset.PixelRepresentation else 2**dataset.BitsStored - 1) - stored.astype(np.int64)
        reading.rule = "turned around because 0 is white"
    reading.array = apply_modality_lut(stored, dataset)[..., np.newaxis]
    _name_rule(dataset, path, reading)
    return reading


def _name_rule(dataset, path, reading):
    """The words for what came of the modality table or rescale, and the unit."""
    modality, kind = dataset.get("Modality"), str(dataset.get("RescaleType") or "").strip().upper()
    before = f"{reading.rule}, then " if reading.rule.startswith("turned") else ""
    if "ModalityLUTSequence" in dataset:
        how = "by the modality table"
    elif "RescaleSlope" in dataset and "RescaleIntercept" in dataset:
        slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
        if slope == 0:
            raise DataError(f"'{path.name}' has a RescaleSlope of 0, which makes all pixels one; correct its header")
        how = f"by slope {slope:g} and intercept {intercept:g}"
    else:
        if modality == "CT":
            reading.notes.append("CT without rescale: the values may be no HU")
        if not dataset.PixelRepresentation:
            reading.bits = int(dataset.BitsStored)
        return
    reading.unit = "HU" if kind == "HU" or (modality == "CT" and kind in ("", "US")) else ""
    if modality == "PT":
        reading.unit = str(dataset.get("Units") or "")
    reading.rule = f"{before}{reading.unit or 'values'} {how}"


def _check_kind(dataset, path):
    """Refuse objects of DICOM that are no picture, by name and with what converts them."""
    refuse_object(dataset, path)
    if "PerFrameFunctionalGroupsSequence" in dataset:
        raise DataError(
            f"'{path.name}' is enhanced DICOM, whose frames have places and scales of their own; "
            "convert it to NIfTI (dcm2niix), or to one file per slice"
        )
    if "PixelData" not in dataset:
        raise DataError(f"'{path.name}' is DICOM without pixels: cut short, or no picture; leave it out")
    interpretation = dataset.get("PhotometricInterpretation")
    if interpretation not in (*GRAY, *COLOR, "PALETTE COLOR"):
        raise DataError(
            f"'{path.name}' has the PhotometricInterpretation {interpretation}, which is not read here; convert it to "
            "MONOCHROME2 or RGB (dcmconv, dcmj2pnm)"
        )


def _stored_pixels(dataset, path):
    """The stored values, color as RGB, without bits that are no part of them."""
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
    high, bits = int(dataset.get("HighBit") or dataset.BitsStored - 1), int(dataset.BitsStored)
    if high != bits - 1:
        raise DataError(
            f"'{path.name}' stores {bits} bits up to bit {high}, as DICOM no longer allows, and which bits are the "
            f"value is not certain; convert it (dcmconv), or set HighBit to {bits - 1} if its values are right so"
        )
    return stored


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
