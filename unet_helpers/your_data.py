"""The steps of notebook 15: the decisions that can be taken by rule, for any folder; all can be overruled."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from . import plotting
from .augmentation import make_augmenter
from .datasets import data_folder, recognize_layout
from .evaluation import (
    choose_operating_point,
    evaluate,
    predict_masks,
    predict_probabilities,
    slice_scores,
)
from .losses import DiceCrossEntropy
from .models import UNet
from .report import worst_slices, write_report
from .training import start_at_class_shares, train

__all__ = ["worst_slices", "write_report"]


def default_options(source):
    """Options for :func:`unet_helpers.load_dataset` that suit a source.

    A folder written by ``export_phantom`` is known: its classes, and that 255 stands for lung. Of any
    other folder of pairs nothing is assumed but that files which do not fit are left out, and named.
    ``UNET_SIZE`` sets the size.
    """
    options = {}
    if os.environ.get("UNET_SIZE"):
        options["size"] = int(os.environ["UNET_SIZE"])
    if str(source) == "phantom":
        return options
    layout, _ = recognize_layout(source)
    if layout == "lidc":
        return {**options, "consensus": 2}
    options["problems"] = "leave_out"
    if (Path(source) / "exported_by_unet_helpers.txt").is_file():
        options["class_names"] = ("background", "lung", "nodule")
        options["mask_values"] = {0: 0, 1: 1, 2: 2, 255: 1}
    return options


def show_examples(data, count=4):
    """The slices with the largest objects of the last class, one per patient, with masks."""
    train = data.train
    area = (train.masks == data.num_classes - 1).sum(axis=(1, 2))
    picks = {}
    for index in np.argsort(-area, kind="stable"):
        picks.setdefault(train.patient_ids[index], index)
    part = train[list(picks.values())[:count]]
    return plotting.show_images(
        part.images, part.patient_ids, part.masks, data.class_names, part.spacing, columns=count
    )


def class_shares(subset, class_names):
    """Share of the pixels of each class, and share of the slices that hold it."""
    rows = [
        {
            "class": name,
            "share of pixels": float((subset.masks == index).mean()),
            "share of slices with it": float((subset.masks == index).any(axis=(1, 2)).mean()),
        }
        for index, name in enumerate(class_names)
    ]
    return pd.DataFrame(rows).set_index("class")


@dataclass(frozen=True)
class Recipe:
    """How a folder is trained on: what :func:`default_recipe` chooses."""

    base_filters: int
    epochs: int
    batch_size: int
    learning_rate: float
    one_map: bool  # one sigmoid map (two classes) or a softmax
    all_orientations: bool  # flips and quarter turns, where up and left have no meaning
    soft_readers: bool  # several readers: learn their disagreement
    precision: str = "float32"

    def __str__(self):
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in asdict(self).items())


def default_recipe(data, epochs=None):
    """Choose network, epochs and augmentation by the size and kind of the data.

    At least 12 passes over the data and at least 400 steps. Crops around a finding (several readers)
    have no up and left, a chest has: only the former are flipped and turned.
    """
    crops = data.train.readers is not None
    batch_size = 8
    steps = -(-len(data.train) // batch_size)
    return Recipe(
        base_filters=16 if crops else 8,
        epochs=int(epochs) if epochs else max(12, 400 // steps),
        batch_size=batch_size,
        learning_rate=1e-3 if crops else 2e-3,
        one_map=data.num_classes == 2,
        all_orientations=crops,
        soft_readers=crops,
        precision=os.environ.get("UNET_PRECISION", "float32"),
    )


def train_recipe(data, recipe, seed=0):
    """Build and train the network of a recipe; returns model and history."""
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_global_policy(recipe.precision)
    shape = data.train.images.shape[1:]
    model = UNet(shape, 1 if recipe.one_map else data.num_classes, base_filters=recipe.base_filters)
    keras.mixed_precision.set_global_policy("float32")
    start_at_class_shares(model, data.train.masks)
    if recipe.soft_readers:
        loss = DiceCrossEntropy(crossentropy_weight=20.0, smooth=10.0, pool_batch=False, squared=True)
    else:
        # a class below one pixel in a hundred gets ten times the weight
        shares = [(data.train.masks == index).mean() for index in range(data.num_classes)]
        loss = DiceCrossEntropy(class_weights=[10.0 if share < 0.01 else 1.0 for share in shares])
    augment = make_augmenter(brightness=0.05, contrast=0.1, seed=seed)
    if recipe.all_orientations:
        augment = make_augmenter(
            rotation=0,
            zoom=0,
            translation=0,
            flip="horizontal_and_vertical",
            transpose=True,
            brightness=0.1,
            contrast=0.3,
            seed=seed,
        )
    history = train(
        model,
        data,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        loss=loss,
        augment=augment,
        soft_readers=recipe.soft_readers,
        seed=seed,
    )
    return model, history


def predict_foreground(model, images, all_orientations=False):
    """Probability of the one foreground class, ``(N, H, W)``; mean over the eight orientations if asked."""
    turns = [(k, flip) for k in range(4) for flip in (False, True)] if all_orientations else [(0, False)]
    total = 0
    for k, flip in turns:
        turned = np.rot90(images, k, axes=(1, 2))
        turned = turned[:, :, ::-1] if flip else turned
        found = predict_probabilities(model, np.ascontiguousarray(turned))[..., -1]
        found = found[:, :, ::-1] if flip else found
        total = total + np.rot90(found, -k, axes=(1, 2))
    return total / len(turns)


def choose_point(model, data):
    """Thresholds from the validation patients; None with several classes, where the most probable one wins."""
    if model.output_shape[-1] > 2:
        return None
    foreground = predict_foreground(model, data.validation.images, data.validation.readers is not None)
    return choose_operating_point(foreground, data.validation.masks)


def predict(model, images, point=None, all_orientations=False):
    """Masks ``(N, H, W)``: by the operating point, or the most probable class."""
    if point is None:
        return predict_masks(model, images)
    return point.decide(predict_foreground(model, images, all_orientations))


def evaluate_test(data, predictions):
    """Evaluation of the test patients, one case per patient."""
    return evaluate(None, data.test, data.class_names, by="patient", predictions=predictions)


def describe_slices(data, predictions):
    """Per class: Dice over slices that hold it, and false alarms on slices that do not."""
    rows = {}
    for index, name in enumerate(data.class_names[1:], start=1):
        rows[name] = slice_scores((predictions == index).astype(np.uint8), (data.test.masks == index).astype(np.uint8))
    return pd.DataFrame(rows).T


def report_folder(source):
    """``runs/<name of the source>`` beside the notebooks; in the data folder for the folder of the series."""
    if (Path(source) / "exported_by_unet_helpers.txt").is_file() or str(source) == "phantom":
        return data_folder() / "runs" / Path(source).name
    return Path("..") / "runs" / Path(source).name
