"""From the disk to arrays, and back.

``paths``       user's paths, suffixes, the data folder; one error for all that is refused; whole files or none
``pictures``    one function per format of pictures
``scans``       DICOM and NIfTI, in one orientation
``images``      any image or mask file as an array
``pairing``     images and masks matched by name
``archives``    unpack tar and zip that may be hostile
``downloads``   fetch public data sets by name
``deidentify``  DICOM without identity (imported by its own path: the function has the module's name)
"""

from .archives import extract
from .downloads import SOURCES, fetch
from .images import read_image, read_mask, write_png
from .pairing import natural_key, pair_files, pair_suffixes, plain_name, without_leading_zeros
from .paths import DataError, atomic_path, data_folder, max_values, stem_of, suffix_of, user_path
from .scans import read_series

__all__ = [
    "SOURCES",
    "DataError",
    "atomic_path",
    "data_folder",
    "extract",
    "fetch",
    "max_values",
    "natural_key",
    "pair_files",
    "pair_suffixes",
    "plain_name",
    "read_image",
    "read_mask",
    "read_series",
    "stem_of",
    "suffix_of",
    "user_path",
    "without_leading_zeros",
    "write_png",
]
