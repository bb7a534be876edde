"""Small CT series for the tests of the spool and the archive."""

import numpy as np


def slice_bytes(patient="P001", series="1.2.3.4", index=0, value=0, **tags):
    """The bytes of one CT slice as a scanner writes it; the same arguments give the same bytes."""
    import io

    import pydicom
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    dataset = pydicom.Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"{series}.{index + 1}"
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID, dataset.Modality = series, "1.2.3", "CT"
    dataset.PatientID, dataset.PatientName = patient, "Doe^Jane"
    dataset.FrameOfReferenceUID = "1.2.3.9"
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 3.0 * index], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [0.7, 0.7], 3
    dataset.Rows = dataset.Columns = 16
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 0, 1
    dataset.PhotometricInterpretation, dataset.RescaleSlope, dataset.RescaleIntercept = "MONOCHROME2", 1, -1024
    dataset.PixelData = np.full((16, 16), 1024 + value, np.uint16).tobytes()
    for keyword, other in tags.items():
        setattr(dataset, keyword, other)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def measure(folder, out):
    """A small process: the mean of a series in HU, refused where there are fewer than three slices."""
    import hashlib

    from unet_helpers.files import read_series

    volume = read_series(folder)
    if len(volume.array) < 3:
        return {"state": "refused", "kind": "too few", "reason": f"{len(volume.array)} slices; 3 are needed"}
    (out / "mean.txt").write_text(f"{volume.array.mean():.1f}")
    return {"state": "done", "mask_sha256": hashlib.sha256(volume.array.tobytes()).hexdigest()}
