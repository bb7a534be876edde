"""Helpers for the series on medical image segmentation with U-Net. Importing loads TensorFlow quietly.

Ten folders tell the way of the data; imports go down this list only, never up:

``teaching``    what only the lessons need
``deployment``  a trained network where it is used
``training``    from a network and a data set to a trained network
``plotting``    pictures
``failures``    where a network is wrong, and why
``data``        every source as three subsets of slices with their masks
``evaluation``  from a model and masks to numbers, and how sure they are
``models``      one file per network
``phantom``     synthetic patients
``files``       from the disk to arrays
"""

from ._quiet import load_tensorflow_quietly

load_tensorflow_quietly()

from .data import (  # noqa: E402
    Dataset,
    Subset,
    encode_mask,
    export_phantom,
    load_dataset,
    one_hot,
    prepare_display_slice,
    resize_image,
    resize_mask,
    split_by_patient,
    window,
)
from .evaluation import (  # noqa: E402
    bootstrap_interval,
    confusion_counts,
    dice,
    evaluate,
    hausdorff95,
    iou,
    predict_masks,
    predict_probabilities,
)
from .files import DataError, fetch, pair_files  # noqa: E402
from .models import FCN, AttentionUNet, DeepLabV3Plus, SegNet, UNet, UNet3D  # noqa: E402
from .training import load_checkpoint, make_batches, start_at_class_shares, train, train_checkpoint  # noqa: E402

__all__ = [
    "FCN",
    "AttentionUNet",
    "DataError",
    "Dataset",
    "DeepLabV3Plus",
    "SegNet",
    "Subset",
    "UNet",
    "UNet3D",
    "bootstrap_interval",
    "confusion_counts",
    "dice",
    "encode_mask",
    "evaluate",
    "export_phantom",
    "fetch",
    "hausdorff95",
    "iou",
    "load_checkpoint",
    "load_dataset",
    "make_batches",
    "one_hot",
    "pair_files",
    "predict_masks",
    "predict_probabilities",
    "prepare_display_slice",
    "resize_image",
    "resize_mask",
    "split_by_patient",
    "start_at_class_shares",
    "train",
    "train_checkpoint",
    "window",
]
__version__ = "0.1.0"
