"""Every source as three subsets of slices with their masks.

``load``             one door: a name or a folder in, a data set out
``subsets``          what every source becomes, split by patient
``layouts``          recognize how a folder is laid out
``decisions``        series.toml: what a person decides about a folder
``patients``         who is a patient, by name
``picture_folders``  read folders of pictures
``object_folders``   read pictures of many objects
``lidc``             read LIDC, several readers' outlines
``volume_folders``   read folders of volumes
``dicom_folders``    read folders of DICOM series with their masks
``nnunet``           read Medical Segmentation Decathlon and nnU-Net
``synthetic``        the phantom as a data set
``origin``           what images were like before they were scaled and resized
``grays``            which gray rule for which picture
``preprocessing``    window, resize, encode
``augmentation``     one random change for image and mask together
``display``          pictures in unknown display windows
``export``           the phantom as a folder, with what goes wrong in such folders
"""

from .augmentation import augment_arrays, make_augmenter
from .display import (
    BRIGHTEST,
    DARKEST,
    WHOLE_RANGE,
    WINDOWS,
    draw_window,
    prepare_display_slice,
    show_in_random_windows,
)
from .export import export_phantom
from .layouts import WHAT, recognize_layout
from .lidc import load_lidc
from .load import load_dataset
from .patients import patient_ids_from_names
from .preprocessing import encode_mask, one_hot, resize_image, resize_mask, scale_to_unit, window
from .subsets import Dataset, Subset, check_no_overlap, split_by_patient
from .synthetic import PHANTOM_CLASSES, nodule_crops, nodule_task, phantom_arrays, subset_of_patients

__all__ = [
    "BRIGHTEST",
    "DARKEST",
    "PHANTOM_CLASSES",
    "WHAT",
    "WHOLE_RANGE",
    "WINDOWS",
    "Dataset",
    "Subset",
    "augment_arrays",
    "check_no_overlap",
    "draw_window",
    "encode_mask",
    "export_phantom",
    "load_dataset",
    "load_lidc",
    "make_augmenter",
    "nodule_crops",
    "nodule_task",
    "one_hot",
    "patient_ids_from_names",
    "phantom_arrays",
    "prepare_display_slice",
    "recognize_layout",
    "resize_image",
    "resize_mask",
    "scale_to_unit",
    "show_in_random_windows",
    "split_by_patient",
    "subset_of_patients",
    "window",
]
