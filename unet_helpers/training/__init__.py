"""From a network and a data set to a trained network.

``loop``        compile and train
``batches``     whole slices and crops as batches
``streaming``   batches from a folder that is larger than the memory
``patches``     patches of volumes
``losses``      losses and targets
``callbacks``   history, progress, checkpoints, resume
``timed``       training by the clock
``checkpoint``  the network that ships with the package
"""

from .batches import draw_crops, make_batches, make_crop_batches
from .callbacks import History, RunningMean
from .checkpoint import AUGMENTATION, CHECKPOINT, MODEL, SEED, TRAINING, load_checkpoint, train_checkpoint
from .loop import LOSSES, compile_model, start_at_class_shares, train
from .losses import (
    DiceCrossEntropy,
    DiceLoss,
    DiceMetric,
    FocalCrossEntropy,
    TverskyLoss,
    make_soft_targets,
    make_targets,
)
from .patches import draw_patches, neighbors_as_channels
from .streaming import stream_pairs
from .timed import TimedTrainer

__all__ = [
    "AUGMENTATION",
    "CHECKPOINT",
    "LOSSES",
    "MODEL",
    "SEED",
    "TRAINING",
    "DiceCrossEntropy",
    "DiceLoss",
    "DiceMetric",
    "FocalCrossEntropy",
    "History",
    "RunningMean",
    "TimedTrainer",
    "TverskyLoss",
    "compile_model",
    "draw_crops",
    "draw_patches",
    "load_checkpoint",
    "make_batches",
    "make_crop_batches",
    "make_soft_targets",
    "make_targets",
    "neighbors_as_channels",
    "start_at_class_shares",
    "stream_pairs",
    "train",
    "train_checkpoint",
]
