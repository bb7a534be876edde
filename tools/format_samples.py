"""Small files of every format, layout and kind of damage: for the table of formats, the tests and the fuzzing."""

import gzip
import io
import json
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

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


PLANES = {  # directions along the rows' columns and down the rows, as ImageOrientationPatient has them
    "axial": [1, 0, 0, 0, 1, 0],
    "sagittal": [0, 1, 0, 0, 0, -1],
    "coronal": [1, 0, 0, 0, 0, -1],
    "oblique": [1, 0, 0, 0, 0.8, -0.6],
}


def save_series(folder, volume=VOLUME, spacing=(3.0, 0.75, 0.5), plane="axial", number=1, **tags):
    """A DICOM series of a ``(D, H, W)`` volume, whose file names are no order; returns the paths by position."""
    folder.mkdir(parents=True, exist_ok=True)
    direction = np.array(PLANES[plane], float).reshape(2, 3)
    paths = [folder / f"IM{(7 * k) % len(volume) if len(volume) % 7 else k:03d}.dcm" for k in range(len(volume))]
    for k, (path, array) in enumerate(zip(paths, volume, strict=True)):
        place = np.array([-100.0, -80.0, 30.0]) + k * spacing[0] * np.cross(*direction)
        values = {
            "SOPInstanceUID": f"1.2.3.5.{number}.{k + 1}",
            "StudyInstanceUID": f"1.2.3.6.{number}",
            "FrameOfReferenceUID": f"1.2.3.7.{number}",
            "PatientID": f"ID{number}",
            "ImageOrientationPatient": direction.ravel().tolist(),
            "ImagePositionPatient": place.round(6).tolist(),
            "PixelSpacing": list(spacing[1:]),
            "SliceThickness": spacing[0],
            "RescaleSlope": 1,
            "PatientName": "",
            "PatientBirthDate": "",
            "PatientSex": "",
            "StudyDate": "20200101",
            "StudyTime": "120000",
            "StudyID": "1",
            "AccessionNumber": "",
        }
        save_dicom(path, array, series=f"1.2.3.4.{number}", **values | tags)
    return paths


def save_segmentation(path, slices, masks, labels, kind="BINARY", change=None, **options):
    """A DICOM segmentation by highdicom: ``masks`` ``(D, H, W)`` of segment numbers, or ``(D, H, W, segments)``.

    ``change`` is called with the data set before it is saved.
    """
    import highdicom
    import pydicom
    from pydicom.sr.codedict import codes

    described = [
        highdicom.seg.SegmentDescription(
            number,
            label,
            codes.SCT.AnatomicalStructure,
            codes.SCT.Organ,
            algorithm_type="MANUAL",
        )
        for number, label in enumerate(labels, start=1)
    ]
    made = highdicom.seg.Segmentation(
        [pydicom.dcmread(path) for path in slices],
        masks,
        kind,
        described,
        series_instance_uid="1.2.3.8",
        series_number=2,
        sop_instance_uid="1.2.3.8.1",
        instance_number=1,
        manufacturer="none",
        manufacturer_model_name="none",
        software_versions="0",
        device_serial_number="0",
        **options,
    )
    if change is not None:
        change(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path)


def save_nifti(path, volume=VOLUME, spacing=(3.0, 0.75, 0.5), kind="Nifti1Image"):
    """A ``(D, H, W)`` or ``(D, H, W, C)`` volume so that reading gives it back."""
    import nibabel

    axes = (2, 1, 0, *range(3, volume.ndim))
    affine = np.diag([-spacing[2], -spacing[1], spacing[0], 1])
    nibabel.save(getattr(nibabel, kind)(volume.transpose(axes), affine), path)


def save_itk(path, volume=VOLUME, spacing=(3.0, 0.75, 0.5), codes="LPS", origin=(12.5, -30.0, 7.0), **options):
    """NRRD or MetaImage of a ``(D, H, W)`` volume, whose axes are stored to where the letters say."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(volume), **options)
    image.SetSpacing(spacing[::-1])
    image.SetOrigin(origin)
    if codes != "LPS":
        image = SimpleITK.DICOMOrient(image, codes)
    SimpleITK.WriteImage(image, str(path), useCompression=path.suffix == ".mha")


# name of the sample -> (file name, writer)
SAMPLES = {
    "PNG, 8 bit gray": ("a.png", lambda p: save_picture(p, GRAY)),
    "PNG, 16 bit gray": ("a.png", lambda p: save_picture(p, GRAY.astype(np.uint16) * 1000)),
    "PNG, RGB": ("a.png", lambda p: save_picture(p, np.stack([GRAY, GRAY[::-1], GRAY], -1))),
    "PNG, palette": ("a.png", lambda p: save_picture(p, GRAY % 3, "P")),
    "PNG, with alpha": ("a.png", lambda p: save_picture(p, np.stack([GRAY, GRAY, GRAY, GRAY % 3], -1))),
    "JPEG, gray": ("a.jpg", lambda p: save_picture(p, GRAY * 5)),
    "JPEG, black and white": ("a.jpg", lambda p: save_picture(p, object_mask(value=255))),
    "JPEG, RGB": ("a.jpeg", lambda p: save_picture(p, np.stack([GRAY, GRAY * 2, GRAY * 5], -1))),
    "TIFF, 8 bit, LZW": ("a.tif", lambda p: save_picture(p, GRAY, compression="tiff_lzw")),
    "TIFF, 16 bit, deflate": ("a.tif", lambda p: save_tiff(p, GRAY.astype(np.uint16) * 1000, compression="zlib")),
    "TIFF, 0 is white": ("a.tif", lambda p: save_tiff(p, GRAY.astype(np.uint16), photometric="miniswhite")),
    "TIFF, 32 bit": ("a.tif", lambda p: save_tiff(p, GRAY.astype(np.uint32) * 70000)),
    "TIFF, float": ("a.tiff", lambda p: save_tiff(p, GRAY / np.float32(48))),
    "TIFF, RGB": ("a.tif", lambda p: save_tiff(p, np.stack([GRAY, GRAY[::-1], GRAY], -1), photometric="rgb")),
    "TIFF, several pages": ("a.tif", lambda p: save_tiff(p, VOLUME, photometric="minisblack")),
    "NPY, slice": ("a.npy", lambda p: np.save(p, VOLUME[0])),
    "NPY, channels": ("a.npy", lambda p: np.save(p, np.stack([GRAY, GRAY[::-1], GRAY], -1))),
    "NPY, volume": ("a.npy", lambda p: np.save(p, VOLUME)),
    "NPZ, with spacing": ("a.npz", lambda p: np.savez_compressed(p, image=VOLUME[0], spacing=[0.75, 0.5])),
    "DICOM, slice": ("a.dcm", lambda p: save_dicom(p)),
    "DICOM, several frames": ("a.dcm", lambda p: save_dicom(p, VOLUME, SpacingBetweenSlices=3)),
    "NIfTI, sagittal slice": ("a.nii", lambda p: save_nifti(p, VOLUME.transpose(1, 2, 0)[..., :1])),
    "NIfTI, volume": ("a.nii", lambda p: save_nifti(p)),
    "NIfTI, packed": ("a.nii.gz", lambda p: save_nifti(p)),
    "NIfTI, 4D": ("a.nii.gz", lambda p: save_nifti(p, np.stack([VOLUME, VOLUME + 1], -1))),
    "NRRD": ("a.nrrd", lambda p: save_itk(p)),
    "MetaImage, packed": ("a.mha", lambda p: save_itk(p)),
    "MetaImage, in two files": ("a.mhd", lambda p: save_itk(p)),
    "NIfTI-2": ("a.nii", lambda p: save_nifti(p, kind="Nifti2Image")),
}


def write_sample(name, folder):
    """Write one sample into a folder and return its path."""
    file, write = SAMPLES[name]
    write(folder / file)
    return folder / file


# --- bad files ------------------------------------------------------------------------------------

FORMATS = {
    "PNG": "PNG, 8 bit gray",
    "JPEG": "JPEG, gray",
    "TIFF": "TIFF, float",
    "NPY": "NPY, slice",
    "NPZ": "NPZ, with spacing",
    "DICOM": "DICOM, slice",
    "NIfTI": "NIfTI, volume",
    "NIfTI, packed": "NIfTI, packed",
    "NRRD": "NRRD",
    "MetaImage": "MetaImage, packed",
}


def gif():
    """A picture of a format that is not read."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(GRAY).save(buffer, format="GIF")
    return buffer.getvalue()


def write_with(kind, value, path):
    """One float picture with a value that is no number, in the formats that can hold one."""
    array = np.zeros((6, 8), np.float32)
    array[2, 3] = value
    if kind == "TIFF":
        save_tiff(path, array)
    elif kind == "NPY":
        np.save(path, array)
    elif kind == "NPZ":
        np.savez(path, image=array)
    elif kind.startswith("NIfTI"):
        save_nifti(path, np.stack([array, array]))
    elif kind in ("NRRD", "MetaImage"):
        save_itk(path, np.stack([array, array]))
    else:
        return False
    return True


def write_huge(kind, path):
    """A file of some kilobytes whose header announces terabytes, or a packed file of zeros behind a true header."""
    content = path.read_bytes() if path.exists() else b""
    if kind == "PNG":
        header = b"IHDR" + struct.pack(">IIBBBBB", 2**20, 2**20, 8, 0, 0, 0, 0)
        content = content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    elif kind == "JPEG":
        at = content.index(b"\xff\xc0") + 5
        content = content[:at] + struct.pack(">HH", 65500, 65500) + content[at + 4 :]
    elif kind == "TIFF":
        content = patch_tiff(content, {256: 2**24, 257: 2**24})
    elif kind == "NPY":
        content = npy_header((2**20, 2**20))
    elif kind == "NPZ":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("image.npy", npy_header((2**20, 2**20)) + bytes(10_000))
        return
    elif kind == "DICOM":
        save_dicom(path, VOLUME, NumberOfFrames=3)
        content = path.read_bytes()
        for tag in (b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x11\x00US\x02\x00"):  # Rows, Columns
            at = content.index(tag) + len(tag)
            content = content[:at] + b"\xff\xff" + content[at + 2 :]
    elif kind in ("NRRD", "MetaImage"):
        content = content.replace(b"8 6 3", b"80000 60000 30000", 1)
    else:
        unpacked = gzip.decompress(content) if kind.endswith("packed") else content
        unpacked = unpacked[:42] + struct.pack("<hhh", 32000, 32000, 32000) + unpacked[48:]
        content = gzip.compress(unpacked + bytes(1_000_000)) if kind.endswith("packed") else unpacked
    path.write_bytes(content)


def npy_header(shape):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<i2", "fortran_order": False, "shape": shape})
    return buffer.getvalue() + bytes(96)


def patch_tiff(content, values):
    """Replace the values of tags in the first directory of a little-endian TIFF."""
    start = struct.unpack_from("<I", content, 4)[0]
    content = bytearray(content)
    for n in range(struct.unpack_from("<H", content, start)[0]):
        entry = start + 2 + 12 * n
        if struct.unpack_from("<H", content, entry)[0] in values:
            value = values[struct.unpack_from("<H", content, entry)[0]]
            struct.pack_into("<HII", content, entry + 2, 4, 1, value)
    return bytes(content)


# what can be wrong with a file: (format, path of a good file) -> False where the format cannot hold it
BAD_FILES = {
    "no bytes": lambda kind, path: path.write_bytes(b""),
    "first half only": lambda kind, path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "text under this name": lambda kind, path: path.write_text("<html>404 not found</html>" * 30),
    "a GIF under this name": lambda kind, path: path.write_bytes(gif()),
    "NaN": lambda kind, path: write_with(kind, np.nan, path),
    "Inf": lambda kind, path: write_with(kind, np.inf, path),
    "header announces far more": write_huge,
}


# --- layouts --------------------------------------------------------------------------------------


def small(seed, shape=(16, 16)):
    return np.random.default_rng(seed).integers(0, 250, shape).astype(np.uint8)


def object_mask(shape=(16, 16), value=1):
    mask = np.zeros(shape, np.uint8)
    mask[..., 4:9, 5:10] = value
    return mask


def save_any(path, array):
    """Write an array in the format of the path's suffix."""
    name = Path(path).name
    if name.endswith(".npy"):
        np.save(path, array)
    elif name.endswith(".npz"):
        np.savez(path, array)
    elif name.endswith(".dcm"):
        save_dicom(path, array, RescaleSlope=None, RescaleIntercept=None)
    elif ".nii" in name:
        save_nifti(path, array if array.ndim > 2 else array[np.newaxis])
    elif name.endswith(".tif"):
        save_tiff(path, array)
    else:
        save_picture(path, array)


def write_layout(name, folder):
    """Write three patients in a layout; returns the image and the mask of one, and the shape of a mask."""
    shape = (16, 16)
    for k in range(3):
        if name.startswith("pairs of "):
            end = name.removeprefix("pairs of ")
            image, mask = folder / f"images/P{k}_Z_1.{end}", folder / f"masks/P{k}_Z_1.{end.replace('jpg', 'png')}"
        elif name == "suffixes":
            image, mask = folder / f"P{k}_Z_1.png", folder / f"P{k}_Z_1_mask.png"
        elif name == "lidc":
            image, mask = (folder / f"LIDC-{k}/nodule-0/{kind}/slice-1.png" for kind in ("images", "mask-0"))
            save_below(mask.parents[1] / "mask-1/slice-1.png", object_mask(shape) * 255)
        elif name == "dsb2018":
            image, mask = folder / f"n{k}/images/n{k}.png", folder / f"n{k}/masks/a.png"
            other = np.zeros(shape, np.uint8)
            other[12:15, 12:15] = 255
            save_below(folder / f"n{k}/masks/b.png", other)
        elif name == "brats":
            image, mask = (folder / f"BraTS20_{k}/BraTS20_{k}_{kind}.nii" for kind in ("flair", "seg"))
            for kind in ("t1", "t1ce", "t2"):
                save_below(folder / f"BraTS20_{k}/BraTS20_{k}_{kind}.nii", small(k, (2, 16, 16)))
        else:  # volumes, decathlon
            kinds = ("imagesTr", "labelsTr") if name == "decathlon" else ("images", "masks")
            image, mask = (folder / f"{kind}/v{k}.nii.gz" for kind in kinds)
        shape = (2, 16, 16) if name in ("brats", "volumes", "decathlon") else shape
        save_below(image, small(k, shape))
        save_below(mask, object_mask(shape) * (255 if name in ("lidc", "dsb2018") else 1))
    if name == "decathlon":
        listed = [{"image": f"imagesTr/v{k}.nii.gz", "label": f"labelsTr/v{k}.nii.gz"} for k in range(3)]
        content = {"labels": {"0": "background", "1": "organ"}, "modality": {"0": "MRI"}, "training": listed}
        (folder / "dataset.json").write_text(json.dumps(content))
    return image, mask, shape


def save_below(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_any(path, array)


LAYOUTS = [
    *(f"pairs of {end}" for end in ("png", "jpg", "tif", "npy", "npz", "dcm", "nii.gz")),
    *("suffixes", "lidc", "dsb2018", "volumes", "decathlon", "brats"),
]
# what can be wrong in a folder: (path of an image, of its mask, shape) -> None
BAD_FOLDERS = {
    "mask missing": lambda image, mask, shape: mask.unlink(),
    "image truncated": lambda image, mask, shape: image.write_bytes(image.read_bytes()[:40]),
    "mask of another size": lambda image, mask, shape: save_any(mask, object_mask((*shape[:-2], 12, 16))),
    "unknown mask value": lambda image, mask, shape: save_any(mask, object_mask(shape, 77)),
}


# --- archives -------------------------------------------------------------------------------------


def tar_of(files, mode="w:", **changes):
    """An archive in memory from ``{name: bytes}``; ``changes`` are set on the last member."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            if name == list(files)[-1]:
                for key, value in changes.items():
                    setattr(member, key, value)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(files, **changes):
    """The same as zip; ``changes`` are set on all members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            for key, value in changes.items():
                setattr(member, key, value)
            packed.writestr(member, content)
    return buffer.getvalue()


LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc", "size": 0}
NOISE = np.random.default_rng(0).bytes(5000)
DAMAGED = zip_of({"a": NOISE[:200]})
HOSTILE_ARCHIVES = {
    "tar, path upward": tar_of({"ok": b"", "../out.txt": b"x"}),
    "tar, path upward from within": tar_of({"a/../../out.txt": b"x"}),
    "tar, absolute path": tar_of({"/tmp/out.txt": b"x"}),
    "tar, link": tar_of({"ok": b"", "link": b""}, **LINK),
    "tar, hard link": tar_of({"link": b""}, **LINK | {"type": tarfile.LNKTYPE}),
    "tar, device": tar_of({"null": b""}, type=tarfile.CHRTYPE),
    "tar, one name twice": tar_of({"a": b"1", "./a": b"2"}),
    "tar, bomb": tar_of({"zeros": bytes(3_000_000)}, "w:gz"),
    "tar, truncated": tar_of({"a": NOISE}, "w:gz")[:3000],
    "zip, path upward": zip_of({"../out.txt": b"x"}),
    "zip, path upward in the way of Windows": zip_of({"a\\..\\..\\out.txt": b"x"}),
    "zip, absolute path": zip_of({"/tmp/out.txt": b"x"}),
    "zip, link": zip_of({"link": b"/etc"}, external_attr=(stat.S_IFLNK | 0o777) << 16),
    "zip, bomb": zip_of({"zeros": bytes(3_000_000)}),
    "zip, truncated": zip_of({"a": NOISE})[:3000],
    "zip, damaged": DAMAGED[:60] + b"?!?" + DAMAGED[63:],
    "web page": b"<html>not found</html>",
    "no bytes": b"",
}
