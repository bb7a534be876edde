"""From the disk to arrays, and back.

``paths``          user's paths, suffixes, the data folder; one error for all that is refused; whole files or none
``reading``        what a reader returns; the one orientation of all arrays
``orientation``    from the axes of a file to slice, row, column, and back
``masks``          what the stored values of a mask mean
``pictures``       PNG, JPEG and TIFF
``arrays``         NPY and NPZ
``dicom_kinds``    what a DICOM file is, picture or other object
``scans``          DICOM, one file or a series
``segmentations``  DICOM segmentations (SEG) on the slices of their series
``nifti``          NIfTI
``itk``            NRRD and MetaImage
``images``         any image or mask file as an array
``volumes``        volumes and masks of a file or of a DICOM series, in the one orientation
``write_back``     a mask into the grid and the format of the file it was made for
``pairing``        images and masks matched by name
``archives``       unpack tar and zip that may be hostile
``downloads``      fetch public data sets by name
``deidentify``     DICOM without identity (imported by its own path: the function has the module's name)
"""

from .archives import extract
from .downloads import SOURCES, fetch
from .images import read_file, read_image, read_mask, write_png
from .masks import palettes_agree
from .pairing import natural_key, pair_files, pair_suffixes, plain_name, without_leading_zeros
from .paths import DataError, atomic_path, data_folder, max_values, stem_of, suffix_of, user_path
from .reading import Reading
from .scans import read_series
from .segmentations import read_segmentation
from .write_back import mask_suffix, write_mask_like

__all__ = [
    "SOURCES",
    "DataError",
    "Reading",
    "atomic_path",
    "data_folder",
    "extract",
    "fetch",
    "mask_suffix",
    "max_values",
    "natural_key",
    "pair_files",
    "pair_suffixes",
    "palettes_agree",
    "plain_name",
    "read_file",
    "read_image",
    "read_mask",
    "read_segmentation",
    "read_series",
    "stem_of",
    "suffix_of",
    "user_path",
    "without_leading_zeros",
    "write_mask_like",
    "write_png",
]
