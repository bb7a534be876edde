"""Results as an archive keeps them: a DICOM segmentation and a structured report, by highdicom."""

import hashlib

import numpy as np

from ..files.paths import DataError, atomic_path, user_path
from ..files.scans import open_dicom, series_grid
from .findings import measure_findings

MAKER = "unet_helpers"
# of each slice, to which results refer; and what the standard wants in its header, if need be without a value
NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID", "FrameOfReferenceUID")
MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime"),
    *("AccessionNumber", "ReferringPhysicianName"),
)
NOT_FOR_DIAGNOSIS = "for teaching, not for diagnosis"


def write_segmentation(mask, series, path, about):
    """Write a mask as a DICOM segmentation (SEG) of its series: binary, a segment for each class.

    Slices without a pixel have frames, too, because some viewers want as many frames as slices. The UIDs follow from
    the series, the network and the mask: written twice, it is the same object, which an archive keeps once.

    Parameters
    ----------
    mask : ``(D, H, W)`` whole numbers
        In the grid and order of :func:`unet_helpers.files.read_series`.
    series : str or Path
        The folder of the series.
    path : str or Path
    about : About
        Whose work it is, and what the numbers of the mask mean.

    Raises
    ------
    FileNotFoundError, DataError
        As :func:`unet_helpers.files.read_series`; also for a mask of another size or with other classes.
    """
    import highdicom

    grid, mask = _grid_and_mask(mask, series, about)
    described = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=name,
            **_coded(name),
            algorithm_type="AUTOMATIC",
            algorithm_identification=_algorithm(about),
            tracking_id=name,
            tracking_uid=result_uid(f"tracking {name}", about, grid, mask),
        )
        for number, name in enumerate(about.class_names[1:], start=1)
    ]
    written = highdicom.seg.Segmentation(
        _headers(grid),
        mask,
        "BINARY",
        described,
        series_instance_uid=result_uid("series of a segmentation", about, grid, mask),
        series_number=901,
        sop_instance_uid=result_uid("segmentation", about, grid, mask),
        instance_number=1,
        content_label="SEGMENTATION",
        content_description=f"{about.name}, {NOT_FOR_DIAGNOSIS}"[:64],
        series_description=f"{about.name} {about.version} segmentation"[:64],
        omit_empty_frames=False,
        **_device(about),
    )
    return _save(written, path)


def write_report(mask, series, path, about, segmentation=None):
    """Write what a mask shows as a structured report (SR, template TID 1500): ml and mm for each finding.

    The largest diameter is drawn as a line on its slice. A class of which nothing was found has a volume of 0: that
    it was looked for is worth knowing. Nobody has verified the report, and it says so.

    Parameters
    ----------
    mask, series, path, about
        As of :func:`write_segmentation`.
    segmentation : str or Path, optional
        The file of the segmentation, to which the report then refers.
    """
    import highdicom
    from pydicom.sr.codedict import codes

    grid, mask = _grid_and_mask(mask, series, about)
    headers = _headers(grid)
    findings = measure_findings(mask, grid.spacing, about.class_names)
    groups = [_group(finding, headers, grid, about, mask) for finding in findings]
    found = {finding.class_index for finding in findings}
    groups += [
        _nothing(number, about, grid, mask) for number in range(1, len(about.class_names)) if number not in found
    ]
    device = highdicom.sr.DeviceObserverIdentifyingAttributes(
        uid=result_uid("device", about), name=about.name, manufacturer_name=MAKER, model_name=about.version
    )
    observer = highdicom.sr.ObserverContext(codes.DCM.Device, device)
    content = highdicom.sr.MeasurementReport(
        observation_context=highdicom.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=groups,
    )
    evidence = headers if segmentation is None else [*headers, open_dicom(user_path(segmentation), with_pixels=False)]
    written = highdicom.sr.ComprehensiveSR(
        evidence,
        content[0],
        series_instance_uid=result_uid("series of a report", about, grid, mask),
        series_number=902,
        sop_instance_uid=result_uid("report", about, grid, mask),
        instance_number=1,
        manufacturer=MAKER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description=f"{about.name} {about.version} measurements"[:64],
    )
    return _save(written, path)


def read_report(path):
    """The findings of a report: a list of dict with ``label``, ``volume_ml`` and ``diameter_mm`` (None where none)."""
    import highdicom
    from pydicom.sr.codedict import codes

    report, rows = highdicom.sr.srread(user_path(path)), []
    for group in report.content.get_image_measurement_groups():
        row = {"label": group.tracking_identifier, "volume_ml": None, "diameter_mm": None}
        for measurement in group.get_measurements():
            key = "volume_ml" if measurement.name == codes.SCT.Volume else "diameter_mm"
            row[key] = float(measurement.value)
        rows.append(row)
    return rows


def result_uid(kind, about, grid=None, mask=None):
    """A UID that follows from what is written by which network, and of which series, where it is of one.

    Parameters
    ----------
    kind : str
    about : About
    grid : unet_helpers.files.scans.Volume, as of ``series_grid``, optional
    mask : array, optional
        In that grid.
    """
    from pydicom.uid import generate_uid

    from .. import __version__

    words = [kind, __version__, about.name, about.version, about.sha256]
    if grid is not None:
        words += [grid.series, *grid.instances, hashlib.sha256(np.ascontiguousarray(mask).tobytes()).hexdigest()]
    return generate_uid(entropy_srcs=["\0".join(words)])  # joined by what no word holds: else ab c would be a bc


def _group(finding, headers, grid, about, mask):
    import highdicom
    from pydicom.sr.codedict import codes

    image = highdicom.sr.SourceImageForMeasurementGroup.from_source_image(headers[finding.slice_index])
    line = highdicom.sr.CoordinatesForMeasurement(
        "POLYLINE",
        np.array([(column + 0.5, row + 0.5) for row, column in finding.ends]),  # from the corner of the image
        highdicom.sr.SourceImageForRegion.from_source_image(headers[finding.slice_index]),
    )
    volume = highdicom.sr.Measurement(codes.SCT.Volume, finding.volume_ml, _unit("ml", "milliliter"))
    diameter = highdicom.sr.Measurement(
        codes.SCT.Diameter,
        round(finding.diameter_mm, 3),
        codes.UCUM.Millimeter,
        derivation=codes.SCT.Maximum,
        referenced_coordinates=[line],
    )
    return _measurements(finding.label, finding.class_index, [volume, diameter], about, grid, mask, [image])


def _nothing(number, about, grid, mask):
    import highdicom
    from pydicom.sr.codedict import codes

    volume = highdicom.sr.Measurement(codes.SCT.Volume, 0.0, _unit("ml", "milliliter"))
    return _measurements(about.class_names[number], number, [volume], about, grid, mask, None)


def _measurements(label, number, measurements, about, grid, mask, images):
    import highdicom

    coded = _coded(about.class_names[number])
    return highdicom.sr.MeasurementsAndQualitativeEvaluations(
        highdicom.sr.TrackingIdentifier(result_uid(f"tracking {label}", about, grid, mask), label),
        finding_type=coded["segmented_property_type"],
        finding_category=coded["segmented_property_category"],
        algorithm_id=highdicom.sr.AlgorithmIdentification(about.name, about.version, [f"weights {about.sha256}"]),
        measurements=measurements,
        source_images=images,
    )


def _grid_and_mask(mask, series, about):
    grid, mask = series_grid(series), np.asarray(mask)
    if mask.shape != grid.array.shape[:3]:
        here, there = ("×".join(map(str, shape)) for shape in (mask.shape, grid.array.shape[:3]))
        raise DataError(f"the mask is {here}, but the series in '{series}' is {there}; give the mask of this series")
    if mask.dtype.kind not in "bui" or mask.min() < 0 or mask.max() >= len(about.class_names):
        raise DataError(
            f"the mask holds {mask.dtype} from {mask.min()} to {mask.max()}; give whole numbers below "
            f"{len(about.class_names)}, one for each of {', '.join(about.class_names)}"
        )
    return grid, mask.astype(np.uint8)


def _headers(grid):
    """The data sets of the slices; what a header may leave empty, and has left out, is empty."""
    headers = [open_dicom(path, with_pixels=False) for path in grid.paths]
    for path, header in zip(grid.paths, headers, strict=True):
        if missing := [name for name in NEEDED if not header.get(name)]:
            raise DataError(f"'{path.name}' has no {missing[0]}, and nothing can refer to it; send the series again")
        for name in MAY_BE_EMPTY:
            if name not in header:
                setattr(header, name, "")
    return headers


def _coded(name):
    """Category and type of a class by SNOMED CT; what is neither lung nor nodule is tissue, and its label names it."""
    from pydicom.sr.codedict import codes

    if name == "lung":
        kind = (codes.SCT.AnatomicalStructure, codes.SCT.Lung)
    elif name == "nodule":
        kind = (codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Nodule)
    else:
        kind = (codes.SCT.Tissue, codes.SCT.Tissue)
    return dict(zip(("segmented_property_category", "segmented_property_type"), kind, strict=True))


def _unit(value, meaning):
    from pydicom.sr.coding import Code

    return Code(value, "UCUM", meaning)


def _algorithm(about):
    import highdicom
    from pydicom.sr.codedict import codes

    family, weights = codes.DCM.ArtificialIntelligence, {"weights": about.sha256}
    return highdicom.AlgorithmIdentificationSequence(about.name, family, about.version, MAKER, weights)


def _device(about):
    return {
        "manufacturer": MAKER,
        "manufacturer_model_name": about.name,
        "software_versions": about.version,
        "device_serial_number": about.sha256[:16],
    }


def _save(dataset, path):
    path = user_path(path)
    with atomic_path(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)
    return path
