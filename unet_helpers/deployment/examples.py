"""A phantom's patient as the DICOM series that a scanner sends, to try a deployment with."""

import hashlib

import numpy as np

from ..files.paths import atomic_path, user_path

#: the axes (slice, row, column) of a plane, as indices of the axial ones and whether they are turned around
PLANES = {
    "axial": ((0, False), (1, False), (2, False)),
    "coronal": ((1, False), (0, True), (2, False)),
    "sagittal": ((2, False), (0, True), (1, False)),
}


def write_phantom_series(folder, patient, *, plane="axial", flip=(), tilt=0.0, shuffle=True, **tags):
    """Write a patient of the phantom as a CT series, complete as the standard has it, and return the paths.

    The paths come in the order of the patient's slices, which go from the head to the feet; what
    :func:`unet_helpers.files.read_series` reads of an axial series is ``patient.volume[::-1]``.

    Parameters
    ----------
    folder : str or Path
    patient : unet_helpers.phantom.Patient
    plane : 'axial', 'coronal' or 'sagittal'
        How the slices lie in the same body.
    flip : axes out of 0 (slices), 1 (rows), 2 (columns)
        Along which the pixels are stored the other way round; the header says so, and the body stays where it is.
    tilt : float
        Degrees by which the body leans forward in the scanner.
    shuffle : bool
        Whether the names of the files are in no order, as scanners send them.
    tags
        Attributes of DICOM by keyword in place of the usual ones; None leaves one out.
    """
    step, row, column = patient.spacing
    lean = np.deg2rad(tilt)
    down, back, left = (0, np.sin(lean), -np.cos(lean)), (0, np.cos(lean), np.sin(lean)), (1, 0, 0)
    volume, axes = np.asarray(patient.volume), [np.array(down) * step, np.array(back) * row, np.array(left) * column]
    origin = -(np.array(volume.shape) - 1) @ np.array(axes) / 2  # the middle of the body is the origin
    turned = [(number, turn != (place in flip)) for place, (number, turn) in enumerate(PLANES[plane])]
    volume = volume.transpose([number for number, _ in turned])
    axes = [axes[number] for number, _ in turned]
    for place, (_, turn) in enumerate(turned):
        if turn:
            volume = np.flip(volume, place)
            origin, axes[place] = origin + (volume.shape[place] - 1) * axes[place], -axes[place]
    sent = hashlib.sha256(np.ascontiguousarray(patient.volume).tobytes())
    study = [patient.patient_id, sent.hexdigest()]
    return _write(user_path(folder), volume, origin, axes, study, (plane, flip, tilt), shuffle, patient, tags)


def _write(folder, volume, origin, axes, study, how, shuffle, patient, tags):
    from pydicom.uid import generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    series = [*study, repr((how, sorted(tags.items())))]
    steps = [float(np.linalg.norm(axis)) for axis in axes]
    names = np.random.default_rng(len(volume)).permutation(len(volume)) if shuffle else range(len(volume))
    paths = []
    for number, (plane, name) in enumerate(zip(volume, names, strict=True), start=1):
        stored = np.clip(np.round(plane) + 1024, -(2**15), 2**15 - 1).astype("<i2")
        values = USUAL | {
            "PatientID": patient.patient_id,
            "PatientName": f"Phantom^{patient.patient_id}",
            "StudyInstanceUID": generate_uid(entropy_srcs=[*study, "study"]),
            "FrameOfReferenceUID": generate_uid(entropy_srcs=[*study, "frame of reference", str(how[2])]),
            "SeriesInstanceUID": generate_uid(entropy_srcs=[*series, "series"]),
            "SOPInstanceUID": generate_uid(entropy_srcs=[*series, str(number)]),
            "InstanceNumber": number,
            "ImageOrientationPatient": _decimals([*axes[2] / steps[2], *axes[1] / steps[1]]),
            "ImagePositionPatient": _decimals(origin + (number - 1) * axes[0]),
            "PixelSpacing": _decimals(steps[1:]),
            "SliceThickness": _decimals([patient.acquisition.slice_thickness])[0],
            "ConvolutionKernel": patient.acquisition.kernel,
            "Rows": stored.shape[0],
            "Columns": stored.shape[1],
            "PixelData": stored.tobytes(),
        }
        path = folder / f"IM{name:04d}.dcm"
        with atomic_path(path) as temporary:
            _dataset(values | tags).save_as(temporary, enforce_file_format=True)
        paths.append(path)
    return paths


def _dataset(values):
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = values["SOPClassUID"], values["SOPInstanceUID"]
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def _decimals(values):
    """Numbers with the 16 letters at most that DICOM gives to each."""
    return [float(f"{value:.8g}") for value in values]


#: what every slice says
USUAL = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",  # CT Image Storage
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "Modality": "CT",
    "StudyDate": "20250101",
    "StudyTime": "120000",
    "SeriesNumber": 2,
    "StudyID": "1",
    "AccessionNumber": "",
    "ReferringPhysicianName": "",
    "PatientBirthDate": "",
    "PatientSex": "",
    "PatientPosition": "HFS",
    "PositionReferenceIndicator": "",
    "Laterality": None,
    "BodyPartExamined": "CHEST",
    "SeriesDescription": "Chest",
    "Manufacturer": "unet_helpers",
    "ManufacturerModelName": "phantom",
    "AcquisitionNumber": 1,
    "KVP": 120,
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 1,
    "RescaleSlope": 1,
    "RescaleIntercept": -1024,
    "RescaleType": "HU",
}
