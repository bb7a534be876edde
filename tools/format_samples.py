"""Small valid files of every format that is read: for the table of formats, the tests and the fuzzing."""

import numpy as np

GRAY = np.arange(48, dtype=np.uint8).reshape(6, 8)
VOLUME = np.arange(3 * 6 * 8, dtype=np.int16).reshape(3, 6, 8)


def save_picture(path, array, mode=None, **options):
    from PIL import Image

    picture = Image.fromarray(array)
    (picture.convert(mode) if mode else picture).save(path, **options)


def save_tiff(path, array, **options):
    import tifffile

    tifffile.imwrite(path, array, **options)


def save_dicom(path, array=GRAY, z=0.0, series="1.2.3.4", **tags):
    """One CT slice with invented tags; ``tags`` replaces or, with None, removes some."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.5.1"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    values = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "SeriesInstanceUID": series,
        "PatientID": "P1",
        "Modality": "CT",
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [-100.0, -80.0, float(z)],
        "PixelSpacing": [0.75, 0.5],
        "RescaleSlope": 2,
        "RescaleIntercept": -1024,
    }
    for name, value in (values | tags).items():
        if value is not None:
            setattr(dataset, name, value)
    color = array.ndim == 3 and array.shape[-1] == 3
    if array.ndim == 3 and not color:
        dataset.NumberOfFrames = len(array)
    dataset.Rows, dataset.Columns = array.shape[:2] if color or array.ndim == 2 else array.shape[1:]
    dataset.SamplesPerPixel = 3 if color else 1
    dataset.PhotometricInterpretation = "RGB" if color else "MONOCHROME2"
    if color:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = 8 * array.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(array.dtype.kind == "i")
    dataset.PixelData = array.tobytes() + b"\0" * (array.nbytes % 2)
    dataset.save_as(path, enforce_file_format=True)


def save_nifti(path, volume=VOLUME, spacing=(3.0, 0.75, 0.5), kind="Nifti1Image"):
    """A ``(D, H, W)`` or ``(D, H, W, C)`` volume so that reading gives it back."""
    import nibabel

    axes = (2, 1, 0, *range(3, volume.ndim))
    affine = np.diag([-spacing[2], -spacing[1], spacing[0], 1])
    nibabel.save(getattr(nibabel, kind)(volume.transpose(axes), affine), path)


# name of the sample -> (file name, writer)
SAMPLES = {
    "PNG, 8 bit gray": ("a.png", lambda p: save_picture(p, GRAY)),
    "PNG, 16 bit gray": ("a.png", lambda p: save_picture(p, GRAY.astype(np.uint16) * 1000)),
    "PNG, RGB": ("a.png", lambda p: save_picture(p, np.stack([GRAY, GRAY[::-1], GRAY], -1))),
    "PNG, palette": ("a.png", lambda p: save_picture(p, GRAY % 3, "P")),
    "JPEG, gray": ("a.jpg", lambda p: save_picture(p, GRAY * 5)),
    "JPEG, RGB": ("a.jpeg", lambda p: save_picture(p, np.stack([GRAY, GRAY * 2, GRAY * 5], -1))),
    "TIFF, 8 bit, LZW": ("a.tif", lambda p: save_picture(p, GRAY, compression="tiff_lzw")),
    "TIFF, 16 bit, deflate": ("a.tif", lambda p: save_tiff(p, GRAY.astype(np.uint16) * 1000, compression="zlib")),
    "TIFF, 32 bit": ("a.tif", lambda p: save_tiff(p, GRAY.astype(np.uint32) * 70000)),
    "TIFF, float": ("a.tiff", lambda p: save_tiff(p, GRAY / np.float32(48))),
    "TIFF, RGB": ("a.tif", lambda p: save_tiff(p, np.stack([GRAY, GRAY[::-1], GRAY], -1), photometric="rgb")),
    "TIFF, several pages": ("a.tif", lambda p: save_tiff(p, VOLUME, photometric="minisblack")),
    "NPY, slice": ("a.npy", lambda p: np.save(p, VOLUME[0])),
    "NPY, volume": ("a.npy", lambda p: np.save(p, VOLUME)),
    "NPZ, with spacing": ("a.npz", lambda p: np.savez_compressed(p, image=VOLUME[0], spacing=[0.75, 0.5])),
    "DICOM, slice": ("a.dcm", lambda p: save_dicom(p)),
    "DICOM, several frames": ("a.dcm", lambda p: save_dicom(p, VOLUME, SpacingBetweenSlices=3)),
    "NIfTI, volume": ("a.nii", lambda p: save_nifti(p)),
    "NIfTI, packed": ("a.nii.gz", lambda p: save_nifti(p)),
    "NIfTI, 4D": ("a.nii.gz", lambda p: save_nifti(p, np.stack([VOLUME, VOLUME + 1], -1))),
    "NIfTI-2": ("a.nii", lambda p: save_nifti(p, kind="Nifti2Image")),
}


def write_sample(name, folder):
    """Write one sample into a folder and return its path."""
    file, write = SAMPLES[name]
    write(folder / file)
    return folder / file
