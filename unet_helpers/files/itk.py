"""NRRD and MetaImage by SimpleITK, in the orientation of :mod:`unet_helpers.files.reading`; and masks written back.

SimpleITK reads a header leniently: it makes up a spacing where there is none, and passes over units. What it does not
tell stands in the text of the header, which is looked into first.
"""

import contextlib
import os
import re

import numpy as np

from .._quiet import _stderr_to_null
from .orientation import FLIP_X_Y, turned, turned_back
from .paths import DataError, atomic_path, check_size, suffix_of
from .reading import Reading, lean_of

NRRD, META = (".nrrd", ".nhdr"), (".mha", ".mhd")
ITK = (*NRRD, *META)
LONGEST_HEADER, LONGEST_LINE = 2**20, 4000  # bytes
NUMBER, COUNT, YES = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?", r"[1-9]\d{0,8}", r"(?:(?i:true|false)|[01])"
# fields of MetaImage: what each value looks like, and how many there are, as a power of the number of axes
META_FIELDS = {
    "dimsize": (COUNT, 1),
    **dict.fromkeys(("elementspacing", "elementsize", "offset", "position", "origin", "centerofrotation"), (NUMBER, 1)),
    **dict.fromkeys(("transformmatrix", "rotation", "orientation"), (NUMBER, 2)),
    **dict.fromkeys(("binarydata", "compresseddata", "binarydatabyteordermsb", "elementbyteordermsb"), (YES, 0)),
    "elementnumberofchannels": (COUNT, 0),
    "elementtype": (r"MET_(?:U?(?:CHAR|SHORT|INT|LONG|LONG_LONG)|FLOAT|DOUBLE)(?:_ARRAY)?", 0),
    "objecttype": ("Image", 0),
    "headersize": (r"(?:-1|\d{1,9})", 0),
    "compresseddatasize": (r"\d{1,12}", 0),
}
TO_MM = {
    "": 1.0,
    "?": 1.0,
    "mm": 1.0,
    "millimeter": 1.0,
    "um": 0.001,
    "µm": 0.001,
    "micron": 0.001,
    "cm": 10.0,
    "m": 1e3,
}


def read_itk(path):
    """One NRRD or MetaImage: ``(D, H, W, C)``, or ``(H, W, C)`` with a single slice along any axis.

    Several values per voxel, and a fourth axis, are the channels. Lengths are in mm, whatever the unit of the file.
    """
    image, notes, scale = _load(path)
    affine = _affine(image, scale)
    _check_axes(path, affine, image.GetSize())
    volume, here, spacing = turned(_voxels(image, path), affine)
    labels = _labels(image, path)
    if labels:
        notes.append("segments are named " + ", ".join(f"{number} {name}" for number, name in sorted(labels.items())))
    return Reading(volume, spacing, notes=notes, affine=here, orientation=_letters(affine), labels=labels)


def write_like_itk(target, mask, source):
    """The way back of :func:`read_itk`: the axes, spacing, origin and directions of the source, to the voxel."""
    import SimpleITK

    image, _, scale = _load(source)
    shape = (*image.GetSize()[:3], 1)[:3]
    voxels = turned_back(mask, _affine(image, scale), shape)
    if image.GetDimension() == 2:
        voxels = voxels[..., 0]
    axes = voxels.ndim
    written = SimpleITK.GetImageFromArray(np.ascontiguousarray(voxels.T))
    written.SetSpacing([step * scale for step in image.GetSpacing()[:axes]])
    written.SetOrigin([place * scale for place in image.GetOrigin()[:axes]])
    written.SetDirection(_direction(image)[:axes, :axes].ravel().tolist())
    with atomic_path(target) as temporary:
        SimpleITK.WriteImage(written, os.fspath(temporary), useCompression=True)


def header_shape(path):
    """The lengths of the axes, from the header alone."""
    return tuple(_reader(path).GetSize())


def _reader(path):
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("NrrdImageIO" if suffix_of(path) in NRRD else "MetaImageIO")
    reader.SetFileName(os.fspath(path))
    with _quiet():
        reader.ReadImageInformation()
    return reader


@contextlib.contextmanager
def _quiet():
    """ITK writes to the terminal what it raises as an error as well."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    with _stderr_to_null():
        yield


def _load(path):
    """The image of SimpleITK, what a user wants to know of its header, and how many mm its unit of length is."""
    fields = _fields(path)
    _check_voxels_lie_here(path, fields)
    notes, scale = [], _millimeters(path, fields)
    reader = _reader(path)
    check_size(path, (*reader.GetSize(), reader.GetNumberOfComponents()))
    if reader.GetDimension() not in (2, 3, 4):
        raise DataError(f"'{path.name}' has {reader.GetDimension()} axes; save three, or four with the channels last")
    with _quiet():
        image = reader.Execute()
    if scale != 1:
        notes.append(f"lengths in {fields['unit']} are given in mm")
    if not {"space directions", "spacings", "elementspacing", "elementsize"} & set(fields):
        notes.append("the header states no spacing; 1 mm is a guess")
    return image, notes, scale


def _fields(path):
    """The lines of the text at the beginning of a file, by their first words in lower case."""
    with open(path, "rb") as stream:
        text = stream.read(LONGEST_HEADER)
    is_nrrd = suffix_of(path) in NRRD
    if is_nrrd and not text.startswith(b"NRRD"):
        raise ValueError("it does not begin as NRRD does")
    fields = {}
    for line in text.split(b"\n"):
        line = line.decode("latin-1").strip()
        if is_nrrd and not line:
            break
        key, mark, value = re.fullmatch(rf"(.*?)({':' if is_nrrd else '[=:]'}|$)(.*)", line, re.DOTALL).groups()
        key = key.strip().lower()
        if mark and not is_nrrd and (key in fields or len(value) > LONGEST_LINE):
            raise ValueError(f"its header has {key[:40]!r} twice, or at length")
        if mark and not (is_nrrd and key.startswith("#")):
            fields[key] = value.strip()
        if not is_nrrd and key == "elementdatafile":
            break
    if not is_nrrd:
        _check_meta(fields)
    return fields


def _check_meta(fields):
    """Refuse a MetaImage header by which ITK would read or write beyond its memory: it trusts the numbers there."""
    axes = fields.get("ndims", "")
    if axes not in ("2", "3", "4") or not {"dimsize", "elementtype", "elementdatafile"} <= set(fields):
        raise ValueError("it does not begin as MetaImage does, with NDims, DimSize, ElementType, ElementDataFile")
    for key, (kind, power) in META_FIELDS.items():
        more = int(axes) ** power - 1
        if key in fields and not re.fullmatch(rf"{kind}([ \t]+{kind}){{{more}}}", fields[key]):
            raise ValueError(f"its header has {key} = {fields[key][:40]!r}")


def _check_voxels_lie_here(path, fields):
    """Refuse a header whose voxels lie in several files, in a device, or anywhere but beside it."""
    name = fields.get("data file") or fields.get("datafile") or fields.get("elementdatafile") or "LOCAL"
    if name.upper() == "LOCAL":
        return
    if name.upper().startswith("LIST") or "%" in name:
        raise DataError(f"'{path.name}' has its voxels in several files; save it as one, with SimpleITK or 3D Slicer")
    if os.path.basename(name.replace("\\", "/").removeprefix("./")) != name.removeprefix("./"):
        raise DataError(f"'{path.name}' has its voxels in '{name}', outside of its folder; copy them beside it")
    if not (path.parent / name).is_file():
        raise DataError(f"no file '{name}', which holds the voxels of '{path.name}'; copy both")


def _millimeters(path, fields):
    """How many mm the unit of length in a header is; the unit goes into the fields."""
    said = re.findall(r'"([^"]*)"', fields.get("space units", "")) or [fields.get("distanceunits", "")]
    fields["unit"] = unit = said[0].strip()
    if len(set(said[:3])) > 1 or unit.lower() not in TO_MM:
        raise DataError(f"'{path.name}' gives its lengths in {' and '.join(said[:3])}; save it again in mm")
    return TO_MM[unit.lower()]


def _direction(image):
    axes = image.GetDimension()
    direction = np.eye(3)
    kept = min(axes, 3)
    direction[:kept, :kept] = np.array(image.GetDirection()).reshape(axes, axes)[:kept, :kept]
    return direction


def _affine(image, scale):
    """From (i, j, k, 1) to x right, y front, z up in mm, as NIfTI has it and SimpleITK has not."""
    affine = np.eye(4)
    affine[:3, :3] = _direction(image) * [*image.GetSpacing(), 1.0, 1.0][:3] * scale
    affine[:3, 3] = np.array([*image.GetOrigin(), 0.0, 0.0][:3]) * scale
    return FLIP_X_Y @ affine


def _check_axes(path, affine, size):
    columns = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or columns.min() < 1e-12 or abs(np.linalg.det(affine[:3, :3] / columns)) < 1e-3:
        raise DataError(f"'{path.name}' has axes that lead to no place: {affine[:3].tolist()}; correct its header")
    degrees, leans = lean_of(affine)
    if leans and sum(n > 1 for n in size[:3]) == 3:
        raise DataError(
            f"'{path.name}' has axes that lean by {degrees:.0f}° (gantry tilt, or an affine registration), and "
            "distances in it would be wrong; resample it on straight axes, in 3D Slicer or with SimpleITK.Resample"
        )


def _voxels(image, path):
    """``(I, J, K, C)`` as stored."""
    import SimpleITK

    array = SimpleITK.GetArrayFromImage(image)
    several = image.GetNumberOfComponentsPerPixel() > 1
    if array.dtype.kind == "c" or (several and image.GetDimension() == 4):
        raise DataError(
            f"'{path.name}' holds {image.GetPixelIDTypeAsString()} in {image.GetDimension()} axes; save one volume"
        )
    if several:
        array = np.moveaxis(array, -1, 0)
    elif image.GetDimension() < 4:
        array = array[np.newaxis]
    array = array.T  # (I, J[, K], C)
    return array if array.ndim == 4 else array[:, :, np.newaxis]


def _labels(image, path):
    """The names of the segments in a ``.seg.nrrd`` of 3D Slicer, or None; layers that overlap are refused."""
    names, layers = {}, set()
    for key in image.GetMetaDataKeys():
        if match := re.fullmatch(r"(Segment\d+)_LabelValue", key):
            number, segment = int(image.GetMetaData(key)), match.group(1)
            names[number] = image.GetMetaData(f"{segment}_Name") if image.HasMetaDataKey(f"{segment}_Name") else segment
            layers.add(image.GetMetaData(f"{segment}_Layer") if image.HasMetaDataKey(f"{segment}_Layer") else "0")
    if len(layers) > 1:
        raise DataError(
            f"'{path.name}' has segments that overlap, in {len(layers)} layers, and a mask holds one class per pixel; "
            "export it from 3D Slicer as a labelmap, which asks which goes first"
        )
    return names or None


def _letters(affine):
    from nibabel.orientations import aff2axcodes

    return "".join(aff2axcodes(affine))
