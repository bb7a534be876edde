"""The steps of notebook 15: the decisions that can be taken by rule, for any folder; all can be overruled.

Used in 15.
"""

import contextlib
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from .. import plotting
from ..data.augmentation import make_augmenter
from ..data.decisions import FILE, read_decisions, write_template
from ..data.export import export_phantom
from ..data.layouts import recognize_layout
from ..data.load import source_folder
from ..evaluation.cases import evaluate
from ..evaluation.prediction import predict_orientations, probabilities_to_masks
from ..evaluation.thresholds import choose_operating_point, slice_scores
from ..files.images import read_file
from ..files.pairing import is_mask_name
from ..files.paths import READABLE, DataError, atomic_path, data_folder, suffix_of, user_path
from ..models import UNet
from ..plotting.widgets import explore
from ..training.loop import start_at_class_shares, train
from ..training.losses import DiceCrossEntropy, make_soft_targets
from .report import fill_model_card, worst_slices, write_report

__all__ = ["worst_slices", "write_report"]

TRAINING = "training"  # in the folder of a run, until it has come to its end


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
    decided = read_decisions(source_folder(source))
    layout, _ = recognize_layout(source_folder(source))
    options["fractions"] = (0.7, 0.15, 0.15) if layout == "lidc" else (0.6, 0.2, 0.2)
    if layout == "lidc":
        return {**options, "consensus": 2}
    if layout in ("dsb2018", "decathlon", "brats", "volumes", "dicom", "nnunet", "cellpose"):
        options.setdefault("size", 128)  # their images differ in size, or are too large for a first run
    if layout in (
        *("pairs", "suffixes", "volumes", "dicom", "nnunet", "patients", "classes", "train_test"),
        "folders_of_suffixes",
    ):
        options["problems"] = "leave_out"
    if _is_of_the_series(source):
        options["class_names"] = ("background", "lung", "nodule")
        options["mask_values"] = {0: 0, 1: 1, 2: 2, 255: 1}
    elif "size" not in options and not _sizes_fit(source_folder(source)):
        options["size"] = 128
    # what a person has decided goes before what a rule would choose
    return {k: v for k, v in options.items() if k not in decided or (k == "size" and os.environ.get("UNET_SIZE"))}


def _sizes_fit(folder, sample=20):
    """Whether some images of a folder have one size, and one that a U-Net can halve four times."""
    files = [path for path in folder.rglob("*") if suffix_of(path) in READABLE and not is_mask_name(path)]
    shapes = set()
    for path in sorted(files)[:: max(1, len(files) // sample)]:
        with contextlib.suppress(DataError):  # the loading names what cannot be read
            shapes.add(read_file(path).array.shape[-3:-1])
    return len(shapes) < 2 and all(side % 16 == 0 for shape in shapes for side in shape)


def _is_of_the_series(source):
    return (user_path(source) / "exported_by_unet_helpers.txt").is_file()


def offer_decisions(source):
    """Write ``series.toml`` with its comments into somebody's folder, unless it is there; say where it lies."""
    if str(source) == "phantom" or _is_of_the_series(source):
        return f"{FILE} would lie beside your files; the folder of the series needs none"
    path = write_template(source_folder(source))
    return f"{path} holds what you decide" if path else f"the folder cannot be written, so it has no {FILE}"


def new_images(source):
    """A folder of images without masks that no training has seen; None where nobody has named one.

    ``UNET_NEW`` names it; for the folder of the series it is that of sixteen other synthetic patients.
    """
    if os.environ.get("UNET_NEW"):
        return user_path(os.environ["UNET_NEW"])
    return export_phantom(seed=1, clean=True) / "2d_images" if _is_of_the_series(source) else None


def write_card(folder, source, evaluation):
    """Write the model card whose words stand in ``series.toml``; the path, or a sentence where they do not."""
    words = {} if str(source) == "phantom" else read_decisions(source_folder(source)).get("model_card", {})
    if not words:
        return f"no model card: its words would stand in {FILE}, below [model_card]"
    path = user_path(folder) / "model_card.md"
    with atomic_path(path) as temporary:
        temporary.write_text(fill_model_card(evaluation, words) + "\n", encoding="utf-8")
    return path


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


def explore_patient(data):
    """A slider through the slices of the training patient with the most pixels of the last class."""
    train = data.train
    area = (train.masks == data.num_classes - 1).sum(axis=(1, 2))
    part = train.of_patient(max(train.patients, key=lambda patient: area[train.patient_ids == patient].sum()))
    frames = [plotting.paint_mask(image, mask) for image, mask in zip(part.images, part.masks, strict=True)]
    return explore(frames, part.case_ids.tolist(), "slice", width=320)


def say_if_not_learned(histories):
    """A sentence if the best validation Dice shows that nothing was learned; a run is not thrown away for it."""
    best = max(max(history["val_dice"]) for history in histories)
    if best <= 0.3:
        print(f"The best validation Dice is {best:.2f}: the network has not learned. Go to notebook 06.")


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

    center_crop: int  # side of the square in the middle that the network sees
    base_filters: int
    epochs: int
    batch_size: int
    learning_rate: float
    one_map: bool  # one sigmoid map (two classes) or a softmax
    all_orientations: bool  # flips and quarter turns, where up and left have no meaning
    soft_readers: bool  # several readers: learn their disagreement
    precision: str = "float32"
    members: int = 1  # networks from different seeds, whose probabilities are averaged

    @property
    def window(self):
        """The former name of ``center_crop``; a window is a range of HU."""
        return self.center_crop

    def __str__(self):
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in asdict(self).items())


def default_recipe(data, epochs=None):
    """Choose network, epochs and augmentation by the size and kind of the data.

    At least 12 passes over the data and at least 450 steps. Crops around a finding (several readers)
    have no up and left, a chest has: only the former are flipped and turned. What several readers disagree
    about takes more: 40 passes.
    """
    crops = data.train.readers is not None
    batch_size = 16 if crops else 8
    steps = -(-len(data.train) // batch_size)
    return Recipe(
        center_crop=center_crop_size(data.train) if crops else min(data.train.masks.shape[1:]),
        base_filters=16 if crops else 8,
        epochs=int(epochs) if epochs else (40 if crops else max(12, 450 // steps)),
        batch_size=batch_size,
        learning_rate=1e-3 if crops else 2e-3,
        one_map=data.num_classes == 2,
        all_orientations=crops,
        soft_readers=crops,
        precision=os.environ.get("UNET_PRECISION") or "float32",
    )


def center_crop_size(subset):
    """Side of the smallest central square (a multiple of 16) that holds 99 % of all object pixels.

    Pictures that were cut out around a finding have it in the middle; then a network need not look at the
    rest, and trains several times faster. It also cannot find anything there: a fact about the folder, not
    about patients. For whole slices this is the whole picture.
    """
    found = (subset.masks > 0).sum(axis=0)
    side = min(found.shape)
    for size in range(32, side, 16):
        if center(found[None], size).sum() >= 0.99 * found.sum():
            return size
    return side


def center(arrays, size):
    """The central ``size × size`` of ``(N, H, W, …)``."""
    top, left = (arrays.shape[1] - size) // 2, (arrays.shape[2] - size) // 2
    return arrays[:, top : top + size, left : left + size]


def center_dataset(data, size):
    """The data set with training and validation cut to their center; the test subset stays whole."""
    if size >= min(data.train.masks.shape[1:]):
        return data  # the whole picture

    def cut(subset):
        readers = subset.readers
        if readers is not None:
            readers = np.moveaxis(center(np.moveaxis(readers, 1, -1), size), -1, 1)
        instances = None if subset.instances is None else center(subset.instances, size)
        images, masks = center(subset.images, size), center(subset.masks, size)
        return replace(subset, images=images, masks=masks, readers=readers, instances=instances)

    return replace(data, train=cut(data.train), validation=cut(data.validation))


def train_recipe(data, recipe, folder=None, seed=0):
    """Build and train the network(s) of a recipe; returns one model, and the list of histories.

    What a resumed training needs is kept in ``folder``, and gone on from if it is there.
    """
    data = center_dataset(data, recipe.center_crop)
    trained = [_train_member(data, recipe, seed + member, folder) for member in range(recipe.members)]
    models, histories = zip(*trained, strict=True)
    if len(models) == 1:
        return models[0], [*histories]
    image = keras.Input(models[0].input_shape[1:], name="image")
    members = [keras.Model(model.input, model.output, name=f"member{i}") for i, model in enumerate(models)]
    mean = keras.layers.Average(name="probabilities")([member(image) for member in members])
    return keras.Model(image, mean, name="ensemble"), [*histories]


def _train_member(data, recipe, seed, folder):
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_global_policy(recipe.precision)
    shape = data.train.images.shape[1:]
    model = UNet(shape, 1 if recipe.one_map else data.num_classes, base_filters=recipe.base_filters)
    keras.mixed_precision.set_global_policy("float32")
    start_at_class_shares(model, data.train.masks)
    if recipe.soft_readers:
        loss = DiceCrossEntropy(crossentropy_weight=20.0, squared=True)
    else:
        # a class below one pixel in a hundred gets ten times the weight
        shares = [(data.train.masks == index).mean() for index in range(data.num_classes)]
        loss = DiceCrossEntropy(class_weights=[10.0 if share < 0.01 else 1.0 for share in shares])
    augment = make_augmenter(brightness=0.05, contrast=0.1, seed=seed)
    if recipe.all_orientations:
        augment = crop_augmenter(seed)
    history = train(
        model,
        data,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        loss=loss,
        augment=augment,
        targets=make_soft_targets(data.train) if recipe.soft_readers else None,
        keep="last" if recipe.soft_readers else "best",
        seed=seed,
        checkpoint=folder and user_path(folder) / TRAINING / f"seed{seed}",
        resume=True,
    )
    return model, history


def crop_augmenter(seed):
    """Augmentation for crops around a finding, which have no up and left: all orientations, and gray values."""
    return make_augmenter(
        rotation=0,
        zoom=0,
        translation=0,
        flip="horizontal_and_vertical",
        transpose=True,
        brightness=0.1,
        contrast=0.3,
        seed=seed,
    )


def predict_whole(model, images, recipe):
    """Class probabilities ``(N, H, W, K)`` of whole pictures, by the rules of the recipe.

    The mean over the eight orientations if the recipe trained on them; background outside the center
    if the network sees only that.
    """
    whole_picture = recipe.center_crop >= min(images.shape[1:3])
    seen = images if whole_picture else center(images, recipe.center_crop)
    orientations = (
        [(axes, turns) for turns in range(4) for axes in ((), (2,))] if recipe.all_orientations else [((), 0)]
    )
    total = sum(found / len(orientations) for found in predict_orientations(model, seen, orientations))
    if whole_picture:
        return total
    whole = np.zeros((*images.shape[:3], total.shape[-1]), dtype=np.float32)
    if total.shape[-1] > 1:
        whole[..., 0] = 1
    center(whole, recipe.center_crop)[:] = total
    return whole


def choose_point(model, data, recipe):
    """Thresholds from the validation patients; None with several classes, where the most probable one wins."""
    if not recipe.one_map:
        return None
    foreground = predict_whole(model, data.validation.images, recipe)[..., 0]
    return choose_operating_point(foreground, data.validation.masks)


def predict(model, images, recipe, point=None):
    """Masks ``(N, H, W)`` uint8: by the operating point, or the most probable class."""
    return decide(predict_whole(model, images, recipe), point)


def decide(probabilities, point=None):
    """Masks ``(N, H, W)`` uint8 from class probabilities, by the operating point, or the most probable class."""
    return probabilities_to_masks(probabilities) if point is None else point.decide(probabilities[..., 0])


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
    """``<name of the source>`` in ``UNET_RUNS``, or in ``runs/`` beside the notebooks.

    For the folder of the series: in the data folder.
    """
    if str(source) == "phantom" or _is_of_the_series(source):
        return data_folder() / "runs" / Path(source).name
    return Path(os.environ.get("UNET_RUNS") or Path("..") / "runs") / Path(source).name
