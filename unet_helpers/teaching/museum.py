"""A museum of bugs: mistakes that people make, each in a few lines, on one task that trains in seconds.

The task is lung or not, in the phantom's slices at 64×64 pixels. An exhibit changes one thing, in the data, the
network, the training or the measuring, and everything else stays as in the healthy run of the same seed. Used in 16;
``benchmarks/museum.py`` measures what each bug costs.
"""

import warnings
from dataclasses import dataclass, replace

import keras
import numpy as np
from keras import ops
from scipy import ndimage

from ..data.load import load_dataset
from ..data.preprocessing import one_hot
from ..data.subsets import Dataset, join, split_by_patient
from ..evaluation.intervals import dice_by_patient
from ..evaluation.overlap import average
from ..evaluation.prediction import predict_masks
from ..models import UNet
from ..training.losses import DiceMetric

TRAINING_PATIENTS, EPOCHS, BATCH_SIZE, LEARNING_RATE = 24, 6, 8, 3e-3


@dataclass
class Run:
    """What a person has after a training: the model, its curves, and the data as they were used."""

    model: keras.Model
    history: dict
    data: Dataset


# --- the healthy run --------------------------------------------------------------------------


def museum_patients(**options):
    """The phantom, of whose training patients the museum needs no more than 24."""
    data = load_dataset("phantom", **options)
    return replace(data, train=data.train[np.isin(data.train.patient_ids, data.train.patients[:TRAINING_PATIENTS])])


def lung_task(data):
    """The phantom as background or lung (with its nodules), at half the resolution."""
    parts = {name: lungs_of(part) for name, part in _parts(data)}
    return replace(data, name="lungs", class_names=("background", "lung"), **parts)


def lungs_of(subset):
    """One subset of :func:`lung_task`."""
    return halve(replace(subset, masks=(subset.masks > 0).astype(np.uint8)))


def three_class_task(data, resize_masks=None):
    """The phantom as 0 background, 1 nodule, 2 lung, at half the resolution; masks resized by ``resize_masks``."""
    parts = {name: three_classes_of(part, resize_masks) for name, part in _parts(data)}
    return replace(data, name="lungs and nodules", class_names=("background", "nodule", "lung"), **parts)


def three_classes_of(subset, resize_masks=None):
    """One subset of :func:`three_class_task`."""
    return halve(replace(subset, masks=np.array([0, 2, 1], np.uint8)[subset.masks]), resize_masks)


def halve(subset, resize_masks=None):
    """A subset at half the resolution: the mean of 2×2 pixels, and of the mask the most frequent class."""
    n, height, width, channels = subset.images.shape
    images = subset.images.reshape(n, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))
    masks = (resize_masks or halve_masks)(subset.masks)
    return replace(subset, images=images, masks=masks, spacing=2 * subset.spacing)


def halve_masks(masks):
    """The most frequent class of each 2×2 pixels, of two that are equally frequent the higher: ``(N, H/2, W/2)``."""
    n, height, width = masks.shape
    votes = one_hot(masks, int(masks.max()) + 1).reshape(n, height // 2, 2, width // 2, 2, -1).sum(axis=(2, 4))
    return (votes.shape[-1] - 1 - votes[..., ::-1].argmax(axis=-1)).astype(np.uint8)


def build_small_unet(data, *, base_filters=8, skip_connections=True, channels=None):
    """The U-Net of the museum, untrained: one sigmoid map for two classes, a softmax for more."""
    channels = channels or (1 if data.num_classes == 2 else data.num_classes)
    shape = data.train.images.shape[1:]
    options = {"base_filters": base_filters, "depth": 3, "dropout": 0.0, "skip_connections": skip_connections}
    return UNet(shape, channels, **options)


def overlap_metrics(network):
    """Accuracy, and the Dice of all pixels of an epoch pooled."""
    return ["accuracy", DiceMetric(network.output_shape[-1])]


def fit(
    data,
    *,
    seed=0,
    build=build_small_unet,
    learning_rate=LEARNING_RATE,
    loss=None,
    metrics=overlap_metrics,
    **options,
):
    """Train as many people do: compile, fit, and no questions asked about the masks.

    Parameters
    ----------
    data : Dataset
    seed : int
        Of the weights and of the order of the batches.
    build : function of the data
        Gives the untrained network.
    learning_rate : float
        Of Adam, constant.
    loss : str, optional
        Default: binary cross-entropy for one map, categorical for more.
    metrics : function of the network
    options
        Of Keras's ``fit``, such as ``epochs`` (6) and ``batch_size`` (8).

    Returns
    -------
    Run
    """
    keras.utils.set_random_seed(seed)
    network = build(data)
    loss = loss or ("binary_crossentropy" if network.output_shape[-1] == 1 else "categorical_crossentropy")
    network.compile(keras.optimizers.Adam(learning_rate), loss=loss, metrics=metrics(network))
    return fit_compiled(network, data, **options)


def fit_compiled(network, data, **options):
    """Train a compiled network as :func:`fit` does."""
    channels = network.output_shape[-1]
    options = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "verbose": 0} | options
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are using a softmax over axis")  # one exhibit does
        history = network.fit(
            data.train.images,
            make_plain_targets(data.train.masks, channels),
            validation_data=(data.validation.images, make_plain_targets(data.validation.masks, channels)),
            **options,
        )
    return Run(network, history.history, data)


def make_plain_targets(masks, channels):
    """The masks as they are for one channel, one-hot for more. No check: that is how the bugs come in."""
    return masks[..., None].astype("float32") if channels == 1 else one_hot(masks, channels)


def mean_dice(model, subset, index=1):
    """Mean over the patients of the Dice of one class, each patient's slices pooled; what was made up counts 0."""
    return average(dice_by_patient(predict_masks(model, subset.images), subset, index, made_up=0)).value


# --- bugs in the data -------------------------------------------------------------------------


def pair_by_sorting(data, seed=0):
    """Images are called 0.png, 1.png, … and masks 000.png, 001.png, …; both lists are sorted, and zipped."""

    def mispair(part):
        image_names = sorted(f"{k}.png" for k in range(len(part)))
        return replace(part, images=part.images[[int(name[:-4]) for name in image_names]])

    return _each(data, mispair)


def resize_masks_with_defaults(masks):
    """``skimage.transform.resize`` with its defaults: smooth, then cut to whole numbers."""
    from skimage.transform import resize

    shape = (masks.shape[1] // 2, masks.shape[2] // 2)
    return np.stack([resize(mask, shape, preserve_range=True).astype(np.uint8) for mask in masks])


def keep_255(data, seed=0):
    """Masks go into the training as they are stored, 0 and 255."""
    return _each(data, lambda part: replace(part, masks=part.masks * np.uint8(255)))


# image and mask get random numbers of their own; notebook 16 prints the function and asks, so it does not say so
def augment_apart(data, seed=0):
    """Training images and masks are turned and shifted at random."""
    images = move_at_random(data.train.images[..., 0], np.random.default_rng(2 * seed), order=1)
    masks = move_at_random(data.train.masks, np.random.default_rng(2 * seed + 1), order=0)
    return replace(data, train=replace(data.train, images=images[..., None], masks=masks))


def augment_together(data, seed=0):
    """The repair: the same random numbers for both."""
    images = move_at_random(data.train.images[..., 0], np.random.default_rng(2 * seed), order=1)
    masks = move_at_random(data.train.masks, np.random.default_rng(2 * seed), order=0)
    return replace(data, train=replace(data.train, images=images[..., None], masks=masks))


def move_at_random(pictures, random, order):
    """Turn each picture by up to 20 degrees and shift it by up to 6 pixels, either way."""
    moved = []
    for picture in pictures:
        turned = ndimage.rotate(picture, random.uniform(-20, 20), reshape=False, order=order)
        moved.append(ndimage.shift(turned, random.uniform(-6, 6, 2), order=order))
    return np.stack(moved)


# whoever the slices belong to; notebook 16 prints the function and asks, so it does not say so
def split_by_slice(data, seed=0):
    """Slices are shuffled and dealt out to train, validation and test."""
    pool, sizes = join([part for _, part in _parts(data)]), [len(part) for _, part in _parts(data)]
    order = np.random.default_rng(seed).permutation(len(pool))
    train, validation, test = (pool[index] for index in np.split(order, np.cumsum(sizes)[:-1]))
    return replace(data, train=train, validation=validation, test=test)


def split_again_by_patient(data, seed=0):
    """The repair: another split of the same slices, by patient."""
    pool = join([part for _, part in _parts(data)])
    train, validation, test = (pool[index] for index in split_by_patient(pool.patient_ids, seed=seed))
    return replace(data, train=train, validation=validation, test=test)


def normalize_each_subset(data, seed=0):
    """Every subset is brought to mean 0 and deviation 1 by its own mean and deviation."""
    return _each(data, lambda part: normalize(part, part))


def normalize_by_training(data, seed=0):
    """The repair: mean and deviation of the training images for all."""
    return _each(data, lambda part: normalize(part, data.train))


def normalize(part, reference):
    """The images minus the mean, over the deviation, of another subset."""
    mean, deviation = reference.images.mean(dtype=np.float64), reference.images.std(dtype=np.float64)
    return replace(part, images=((part.images - mean) / deviation).astype(np.float32))


def scale_training_only(data, seed=0):
    """Training images are divided by 255, the others are left at 0 to 255."""
    others = {name: replace(part, images=part.images * np.float32(255)) for name, part in _parts(data)[1:]}
    return replace(data, **others)


def invert_labels(data, seed=0):
    """Whoever wrote the masks used 1 for background."""
    return _each(data, lambda part: replace(part, masks=1 - part.masks))


def use_placeholders(data, seed=0):
    """The line that stands in for the data until they arrive was never removed."""
    random = np.random.default_rng(seed)

    def noise(part):
        images = random.random(part.images.shape, dtype=np.float32)
        return replace(part, images=images, masks=random.integers(0, 2, part.masks.shape).astype(np.uint8))

    return _each(data, noise)


# --- bugs in network, training and measuring ---------------------------------------------------


def build_softmax_over_one(data):
    """The last layer of a network for two classes, on a network with one map."""
    network = build_small_unet(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras asks whether sigmoid was meant
        return keras.Model(network.input, keras.layers.Conv2D(1, 1, activation="softmax")(network.layers[-2].output))


def build_without_skips(data):
    """A U without its bridges."""
    return build_small_unet(data, skip_connections=False)


def accuracy_alone(network):
    """The metric of every classification tutorial."""
    return ["accuracy"]


def dice_coefficient(y_true, y_pred, smooth=1.0):
    """Dice of one batch, as it is copied from repository to repository. Keras then averages it over the batches."""
    y_true, y_pred = ops.cast(y_true, "float32"), ops.round(y_pred)
    return (2 * ops.sum(y_true * y_pred) + smooth) / (ops.sum(y_true) + ops.sum(y_pred) + smooth)


def dice_per_batch(network):
    """A function as metric."""
    return ["accuracy", dice_coefficient]


# --- the exhibits -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Exhibit:
    """One bug: how it shows, what would have caught it, and what it changes.

    change, repair : function of (data, seed)
        The data with the bug, and without it where "without" is not simply the data as they are.
    task : "lung", "soft" (masks in fractions) or "three classes"
    measuring : bool
        The network is as good as ever and the number reported of it is not: the effect is reported minus honest.
    """

    symptom: str
    caught_by: str
    change: callable = None
    repair: callable = None
    build: callable = build_small_unet
    learning_rate: float = LEARNING_RATE
    metrics: callable = overlap_metrics
    task: str = "lung"
    measuring: bool = False


#: every bug by its name
EXHIBITS = {
    "images and masks mispaired": Exhibit(
        "the loss falls a little and stands; predictions are a blurred average lung",
        "draw ten masks over their images; pair by name",
        pair_by_sorting,
    ),
    "masks resized with interpolation": Exhibit(
        "a rim of a class that does not belong there",
        "np.unique(mask) before and after; draw the mask of every class",
        task="three classes",
    ),
    "mask edges left as fractions": Exhibit(
        "metrics refuse the masks, or cut them at a value of their own",
        "np.unique(mask)",
        task="soft",
    ),
    "masks in 0 and 255": Exhibit("the loss is negative and falls without end", "np.unique(mask)", keep_255),
    "image and mask augmented apart": Exhibit(
        "training Dice stands far below 1; the lungs found are too small",
        "draw the mask over the image after the augmentation, not before",
        augment_apart,
        augment_together,
    ),
    "patients on both sides of the split": Exhibit(
        "a validation score that new patients do not reach",
        "set(train.patient_ids) & set(validation.patient_ids)",
        split_by_slice,
        split_again_by_patient,
        measuring=True,
    ),
    "test set used for selection": Exhibit(
        "the reported number falls on the next test set",
        "count how often the test set was looked at before the report",
        measuring=True,
    ),
    "accuracy as the only metric": Exhibit(
        "a high number from the first epoch on",
        "the accuracy of all background; a Dice beside it",
        metrics=accuracy_alone,
        measuring=True,
    ),
    "softmax over one channel": Exhibit(
        "everything is foreground, and yet the loss falls: Keras takes it from the logits",
        "the smallest and largest output",
        build=build_softmax_over_one,
    ),
    "metric averaged per batch": Exhibit(
        "the number changes with the batch size",
        "evaluate with two batch sizes",
        metrics=dice_per_batch,
        measuring=True,
    ),
    "skip connections left out": Exhibit(
        "outlines are round and blurred", "model.summary(); count the concatenations", build=build_without_skips
    ),
    "learning rate too high": Exhibit(
        "the first validation loss is huge; the curves recover, but the Dice ends below that of a calmer run",
        "the same run with a tenth, and a hundredth",
        learning_rate=1.0,
    ),
    "each subset normalized by itself": Exhibit(
        "mean 0 and deviation 1 exactly, in every subset",
        "images.mean() of the validation images: it should not be 0",
        normalize_each_subset,
        normalize_by_training,
        measuring=True,
    ),
    "training and validation scaled differently": Exhibit(
        "training Dice fine, validation Dice far below it from the start",
        "minimum and maximum of both subsets",
        scale_training_only,
    ),
    "labels inverted": Exhibit("a good loss, and a mask of everything else", "draw one mask", invert_labels),
    "noise in place of the data": Exhibit(
        "validation accuracy at 50 % forever", "look at one image and its mask; shuffle the masks", use_placeholders
    ),
}


# --- help -------------------------------------------------------------------------------------


def _parts(data):
    return list(data.subsets.items())


def _each(data, change):
    return replace(data, **{name: change(part) for name, part in _parts(data)})
