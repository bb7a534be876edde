"""Read a DICOM segmentation (SEG) as a mask on the slices of its series, by highdicom.

A frame of a segmentation is one segment on one slice. Which slice, its position in the patient says, and the image that
it refers to; the order of the frames says nothing.
"""

import numpy as np

from .dicom_kinds import kind_of
from .paths import DataError, reading_of, user_path
from .reading import Reading
from .scans import DEFLATED, series_grid

HIGHEST = 255  # segment number that a mask holds
OFF = 0.25  # of a voxel, as for two grids


def read_segmentation(path, folder, series=None):
    """Read a DICOM segmentation as a mask on the slices of its series.

    Parameters
    ----------
    path : str or Path
        The file of the segmentation; it may lie in the folder of the slices.
    folder, series
        As in :func:`unet_helpers.files.read_series`; slices are put in its order.

    Returns
    -------
    Reading
        ``array`` is ``(D, H, W)`` uint8 with the segment number of each voxel, and ``labels`` names the numbers.

    Raises
    ------
    FileNotFoundError, DataError
        As :func:`unet_helpers.files.read_series`; also for fractions, for segments that overlap, and for a segmentation
        of another series, in another frame of reference, on another grid, or of slices that are not there.
    """
    path = user_path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file '{path}'; check the path and the spelling")
    volume = series_grid(folder, series)
    with reading_of(path):
        segmentation = _open(path)
        labels = labels_of(segmentation, path)
        mask = np.zeros(volume.array.shape[:3], np.uint8)
        for number, (place, segment) in enumerate(_places(segmentation, path, volume), start=1):
            frame = segmentation.get_stored_frame(number)
            values = (frame if segment is None else (frame > 0) * np.int64(segment)).astype(np.int64)
            _check_values(values, labels, path)
            there = mask[place]
            both = (there > 0) & (values > 0) & (there != values)
            if both.any():
                first, second = (labels[int(array[both][0])] for array in (there, values))
                raise DataError(
                    f"'{path.name}' has segments that overlap: {int(both.sum())} pixels of "
                    f"'{volume.paths[place].name}' are both '{first}' and '{second}', and a mask holds one class per "
                    "pixel; decide in 3D Slicer which goes first, and save it again"
                )
            there[values > 0] = values[values > 0]
    rule = f"{len(labels)} segments of a DICOM segmentation"
    return Reading(mask, volume.spacing, rule, affine=volume.affine, labels=labels)


def labels_of(segmentation, path):
    """The label of each segment number, of a data set with or without pixels."""
    labels = {}
    for item in segmentation.SegmentSequence:
        number = int(item.SegmentNumber)
        if number > HIGHEST:
            raise DataError(
                f"'{path.name}' has a segment with the number {number}, and a mask holds numbers up to {HIGHEST}; "
                "export fewer segments"
            )
        if number:  # 0 is the background of a label map
            labels[number] = str(item.get("SegmentLabel") or "").strip() or f"segment {number}"
    return labels


def _open(path):
    import highdicom
    import pydicom

    if pydicom.filereader.read_file_meta_info(path).get("TransferSyntaxUID") == DEFLATED:
        raise DataError(f"'{path.name}' is deflated DICOM, whose size shows only unpacked; convert it (dcmconv +te)")
    dataset = pydicom.dcmread(path)
    if kind_of(dataset) != "SEG":
        raise DataError(f"'{path.name}' is no DICOM segmentation but {kind_of(dataset)}; name the file of the SEG")
    if str(dataset.get("SegmentationType")) == "FRACTIONAL":
        raise DataError(
            f"'{path.name}' is a segmentation of fractions (FRACTIONAL), such as probabilities, and from which value "
            "on a pixel counts is yours to say; cut it, and save it as BINARY or LABELMAP with highdicom or 3D Slicer"
        )
    return highdicom.seg.Segmentation.from_dataset(dataset, copy=False)


def _check_values(values, labels, path):
    unknown = sorted(set(np.unique(values).tolist()) - {0, *labels})
    if unknown:
        raise DataError(f"'{path.name}' has pixels of the segment {unknown[0]}, which it does not name; write it again")


def _places(segmentation, path, volume):
    """For each frame the index of its slice and the number of its segment, None where the pixels say it."""
    frame_of_reference = str(segmentation.get("FrameOfReferenceUID", ""))
    same_frame = frame_of_reference and frame_of_reference == volume.frame_of_reference
    name = volume.paths[0].parent.name
    if frame_of_reference and volume.frame_of_reference and not same_frame:
        raise DataError(
            f"'{path.name}' lies in another frame of reference than the slices in '{name}', where the same numbers are "
            "another place; put it to the series that it was drawn on, or resample it in 3D Slicer"
        )
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    frames = list(segmentation.PerFrameFunctionalGroupsSequence)
    images = [_images_of(frame) or _images_of(shared) for frame in frames]
    _check_all_there(set().union(*images), path, volume)
    of_the_series = volume.series in {str(item.get("SeriesInstanceUID")) for item in _referenced(segmentation)}
    if not (same_frame or of_the_series or any(images)):
        raise DataError(f"'{path.name}' does not say that it belongs to the slices in '{name}'; convert it to NIfTI")
    label_map = str(segmentation.get("SegmentationType")) == "LABELMAP"
    for frame, uids in zip(frames, images, strict=True):
        by_image = {volume.instances.index(uid) for uid in uids}
        place = _place_of(frame, shared, segmentation, path, volume)
        if by_image and place not in by_image:
            raise DataError(
                f"'{path.name}' has a frame that refers to '{volume.paths[min(by_image)].name}' but lies on "
                f"'{volume.paths[place].name}'; one of the two is wrong: write it again from its source"
            )
        segment = None if label_map else _item(frame, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber
        yield place, segment


def _place_of(frame, shared, segmentation, path, volume):
    """The index of the slice on which a frame lies pixel on pixel."""
    position = _item(frame, shared, "PlanePositionSequence")
    direction = _item(frame, shared, "PlaneOrientationSequence")
    measures = _item(frame, shared, "PixelMeasuresSequence")
    rows, columns = int(segmentation.Rows), int(segmentation.Columns)
    along_columns, along_rows = np.array(direction.ImageOrientationPatient, float).reshape(2, 3)
    row, column = (float(value) for value in measures.PixelSpacing)
    origin = np.array(position.ImagePositionPatient, float)
    corners = [origin, origin + (rows - 1) * row * along_rows, origin + (columns - 1) * column * along_columns]
    found = (np.linalg.inv(volume.affine) @ np.c_[corners, np.ones(3)].T).T[:, :3]
    place = round(float(found[0, 0])) if np.isfinite(found).all() else -1
    depth, height, width = volume.array.shape[:3]
    apart = np.abs(found - [(place, 0, 0), (place, height - 1, 0), (place, 0, width - 1)]).max()
    if not (apart <= OFF and 0 <= place < depth):
        raise DataError(
            f"'{path.name}' does not lie pixel on pixel on the slices in '{volume.paths[0].parent.name}': another "
            "grid, or slices that are not there; copy the series again, or resample the segmentation in 3D Slicer"
        )
    return place


def _item(frame, shared, name):
    """The first item of a functional group, of the frame or of all frames."""
    return (frame if name in frame else shared)[name][0]


def _images_of(group):
    """The SOPInstanceUID of the images that a frame was drawn on."""
    return {
        str(image.ReferencedSOPInstanceUID)
        for derivation in group.get("DerivationImageSequence") or []
        for image in derivation.get("SourceImageSequence") or []
    }


def _referenced(segmentation):
    """The items of the series that a segmentation says it was drawn on."""
    return segmentation.get("ReferencedSeriesSequence") or []


def _check_all_there(drawn_on, path, volume):
    known = set(volume.instances)
    missing = drawn_on - known
    if missing and len(missing) == len(drawn_on):
        raise DataError(
            f"'{path.name}' was drawn on other images than the slices in '{volume.paths[0].parent.name}'; put it to "
            "its own series"
        )
    if missing:
        raise DataError(
            f"'{path.name}' was drawn on {len(missing)} images that are not in '{volume.paths[0].parent.name}' (one "
            f"ends in {min(missing)[-12:]}); copy the series again"
        )
