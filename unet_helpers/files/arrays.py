"""Arrays of NumPy: NPY, and NPZ with the image, the mask and the spacing under these names."""

import zipfile

import numpy as np

from .paths import DataError, check_size
from .reading import Reading

MOST_CHANNELS = 4


def read_npy(path, as_mask):
    with open(path, "rb") as stream:
        shape, dtype = _header(stream)
    _refuse_objects(path, dtype)
    check_size(path, shape)
    stored = np.load(path, mmap_mode="r", allow_pickle=False)  # reads the header only, and holds it to the file's size
    return _with_axes(path, np.array(stored), None)


def read_npz(path, as_mask):
    with zipfile.ZipFile(path) as archive:
        check_size(path, (sum(member.file_size for member in archive.infolist()) // 8,))
        for name in archive.namelist():
            with archive.open(name) as member:
                check_size(path, _header(member)[0])
    with np.load(path, allow_pickle=False) as stored:
        wanted = "mask" if as_mask else "image"
        names = [name for name in stored.files if name != "spacing"]
        if wanted not in names and len(names) != 1:
            raise DataError(f"'{path.name}' holds the arrays {names}; name the one to be read '{wanted}'")
        name = wanted if wanted in names else names[0]
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
            _refuse_objects(path, _header(member)[1])
        spacing = stored["spacing"].tolist() if "spacing" in stored else None
        return _with_axes(path, stored[name], spacing)


def _header(stream):
    version = np.lib.format.read_magic(stream)
    if version[0] == 1:
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    return shape, dtype


def _refuse_objects(path, dtype):
    if dtype.hasobject:
        raise DataError(
            f"'{path.name}' holds a Python object, such as the dictionary of Cellpose's _seg.npy, which is not loaded "
            "because loading can run code; save its array alone, of Cellpose with "
            "np.save('x_mask.npy', np.load('x_seg.npy', allow_pickle=True).item()['masks'])"
        )


def _with_axes(path, array, spacing):
    """Name the axes of an array: ``(H, W)``, ``(D, H, W)``, or with up to four channels last."""
    rule = "values as stored"
    if array.ndim == 3 and array.shape[-1] <= MOST_CHANNELS < min(array.shape[:2]):
        rule = f"values as stored, the last axis is {array.shape[-1]} channels"
    elif array.ndim < 4:
        array = array[..., np.newaxis]
    return Reading(array, spacing, rule)
