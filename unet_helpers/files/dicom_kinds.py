"""What a DICOM file is: a picture, or one of the objects that are none."""

from .paths import DataError

# modality -> what an object is that is no picture, and what converts it
OBJECTS = {
    "SEG": (
        "a DICOM segmentation (SEG), whose frames are segments on slices of another series",
        "load_dataset reads it beside the folder of that series, and read_segmentation(file, folder) alone; elsewhere "
        "convert it to NIfTI on the grid of its image, with dcmqi (segimage2itkimage) or 3D Slicer",
    ),
    "RTSTRUCT": (
        "an RTSTRUCT, which holds contours and no pixels",
        "convert it to a NIfTI mask on the grid of its CT, with plastimatch, dcmrtstruct2nii or 3D Slicer",
    ),
    "RTDOSE": (
        "an RTDOSE, a dose in gray with a scale of its own",
        "convert it to NIfTI with plastimatch or 3D Slicer",
    ),
    "RTPLAN": ("an RTPLAN, a plan without pixels", "leave it out"),
    "SR": ("a structured report, text without pixels", "leave it out"),
    "PR": ("a presentation state, which says how another file is shown", "leave it out"),
    "KO": ("a key object selection, a list of other files", "leave it out"),
    "DOC": ("a document", "leave it out"),
}
# the same by the class of the object, which no tool leaves away: a part of its name, or its number
CLASSES = {
    "Segmentation": "SEG",
    "1.2.840.10008.5.1.4.1.1.66.7": "SEG",  # of label maps, whose name pydicom 3.0 does not know
    "RTStructureSet": "RTSTRUCT",
    "RTDose": "RTDOSE",
    "RTPlan": "RTPLAN",
    "SRStorage": "SR",
    "PresentationState": "PR",
    "KeyObject": "KO",
    "Encapsulated": "DOC",
}


def kind_of(dataset):
    """A key of :data:`OBJECTS` for what is no picture, else the modality."""
    from pydicom.uid import UID

    sop_class = UID(str(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID") or ""))
    keyword = (sop_class.keyword or sop_class) if sop_class.is_valid else ""
    return next((kind for words, kind in CLASSES.items() if words in keyword), str(dataset.get("Modality", "")))


def kind_by_meta(path):
    """What :func:`kind_of` says, by the first bytes of a file alone: "" for a picture, None for what is no DICOM."""
    import pydicom
    from pydicom.misc import is_dicom

    try:
        if not is_dicom(path):
            return None
        return kind_of(pydicom.dataset.FileDataset(path, {}, file_meta=pydicom.filereader.read_file_meta_info(path)))
    except Exception:  # damaged: the reading names it
        return ""


def refuse_object(dataset, path):
    """Raise :class:`unet_helpers.DataError` for what is no picture, by name and with what converts it."""
    kind = kind_of(dataset)
    if kind in OBJECTS:
        what, remedy = OBJECTS[kind]
        raise DataError(f"'{path.name}' is {what}; {remedy}")
