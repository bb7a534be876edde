"""Helpers for the series on medical image segmentation with U-Net. Importing loads TensorFlow quietly."""

from ._quiet import load_tensorflow_quietly

load_tensorflow_quietly()

from .checkpoint import load_checkpoint, train_checkpoint  # noqa: E402
from .datasets import Dataset, Subset, load_dataset, split_by_patient  # noqa: E402
from .display import prepare_display_slice  # noqa: E402
from .downloads import fetch  # noqa: E402
from .evaluation import bootstrap_interval, evaluate, predict_masks, predict_probabilities  # noqa: E402
from .export import export_phantom  # noqa: E402
from .images import DataError  # noqa: E402
from .metrics import confusion_counts, dice, hausdorff95, iou  # noqa: E402
from .models import FCN, AttentionUNet, DeepLabV3Plus, SegNet, UNet, UNet3D  # noqa: E402
from .pairing import pair_files  # noqa: E402
from .preprocessing import encode_mask, one_hot, resize_image, resize_mask, window  # noqa: E402
from .training import make_batches, start_at_class_shares, train  # noqa: E402

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
