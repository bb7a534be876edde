"""The training itself: compile, fit, stop early, resume."""

import math
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from .._quiet import warn_if_slow
from ..evaluation.binary import as_classes
from ..models.inputs import check_images, check_sides, check_weights
from .batches import make_batches, make_crop_batches
from .callbacks import RunningMean, _Keeper, _Progress, _StopOnNaN
from .losses import (
    DiceCrossEntropy,
    DiceLoss,
    DiceMetric,
    FocalCrossEntropy,
    TverskyLoss,
    class_weights_of,
    make_targets,
)

#: the losses that :func:`train` knows by name
LOSSES = {
    "dice_crossentropy": DiceCrossEntropy,
    "dice": DiceLoss,
    "tversky": TverskyLoss,
    "focal_crossentropy": FocalCrossEntropy,
    "binary_crossentropy": keras.losses.BinaryCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
}


def train(
    model,
    data,
    *,
    epochs=20,
    batch_size=16,
    learning_rate=1e-3,
    loss="dice_crossentropy",
    class_weights=None,
    schedule="cosine",
    warmup=50,
    average=None,
    augment=None,
    crop_size=None,
    crop_class=None,
    crop_fill=0.0,
    patience=None,
    checkpoint=None,
    resume=False,
    targets=None,
    keep="best",
    seed=0,
    progress=True,
    callbacks=(),
):
    """Train a segmentation model, keep the weights of its best epoch, and return the curves.

    Parameters
    ----------
    model : keras.Model
        Probabilities out, ``(N, H, W, K)``. It is compiled here.
    data : Dataset
        Its ``train`` and ``validation`` subsets are used, ``test`` is not touched.
    epochs, batch_size : int
    learning_rate : float
        Of Adam; with ``schedule="cosine"`` where it starts, after the warm-up.
    loss : str or keras.losses.Loss
        ``"dice_crossentropy"``, ``"dice"``, ``"tversky"``, ``"focal_crossentropy"``, ``"binary_crossentropy"``,
        ``"categorical_crossentropy"``; for other options an instance, as ``TverskyLoss(alpha=0.2, beta=0.8)``.
    class_weights : sequence of float or dict of int to float, optional
        Weights of the classes in the cross-entropy of ``"dice_crossentropy"``, background first, or as Keras has
        them, ``{0: 1, 1: 1, 2: 10}``.
    schedule : "cosine" or "constant"
    warmup : int
        With ``schedule="cosine"``: the first so many steps, at most one epoch, raise the learning rate from a tenth.
    average : float in (0, 1), optional
        Validate and keep a running mean of the weights instead of the weights of the last step, which jump about
        while the learning rate is high. 0.9 looks back over about ten steps: after each step the mean moves a
        tenth of the way to the new weights (:class:`unet_helpers.training.RunningMean`).
    augment : function, optional
        From :func:`unet_helpers.data.make_augmenter`; training images only.
    crop_size : int, optional
        Train on square crops of this side, drawn anew all the time, instead of whole slices: less work a step, and
        more of it where it matters. The model must take any size, ``input_shape=(None, None, C)``; it is still
        validated on whole slices. An epoch then has as many pixels as one pass over the slices.
    crop_class : int, optional
        Half of the crops hold a pixel of this class, :func:`unet_helpers.training.draw_crops`.
    crop_fill : float
        Gray value of what a crop holds beyond the border of its slice.
    patience : int, optional
        Stop when the validation Dice has not risen for so many epochs.
    checkpoint : str or Path, optional
        Folder for ``best.keras`` and the state to resume from, written after each epoch.
    resume : bool
        Go on from the state in ``checkpoint`` if there is one; another network or another loss than the run began
        with is refused. After the same ``keras.utils.set_random_seed``
        and with a new ``augment`` the run ends where an uninterrupted one would have.
    targets : ``(N, H, W, K)`` float32, optional
        What to train on in place of the training masks, as :func:`unet_helpers.training.make_soft_targets`, from
        which the network learns what several readers disagree about. Validation is on the masks.
    keep : "best" or "last"
        Weights of the epoch with the highest validation Dice, or of the last epoch: with a cosine
        schedule and few validation patients the last one is the steadier choice.
    seed : int
        Order of the batches; set ``keras.utils.set_random_seed`` before building the model.
    progress : bool
        One line that is rewritten: epoch, curves, time left.
    callbacks : sequence of keras.callbacks.Callback
        What else watches: ``[keras.callbacks.TensorBoard(folder)]`` writes the curves for ``tensorboard --logdir``
        that folder. With ``resume`` they begin anew.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        If images, masks, targets, weights of classes and model do not fit, or images hold NaN. Masks hold class
        indices only: marks for pixels that must not count, as -1 or 255, are refused.
    FloatingPointError
        If the weights of the model hold NaN, or the loss becomes NaN, with the usual causes.
    MemoryError
        If a batch does not fit into the memory of the device, with what makes it smaller.
    """
    if keep not in ("best", "last"):
        raise ValueError(f"keep is {keep!r}; choose 'best' or 'last'")
    images, validation_images = _check_fit(model, data, crop_size)
    _check_crops(model, crop_size, crop_class)
    warn_if_slow()

    num_outputs = model.output_shape[-1]
    if targets is None:
        targets = make_targets(data.train.masks, num_outputs)
    _check_targets(targets, data.train.masks, num_outputs)
    crops = {"around": crop_class, "image_fill": crop_fill}
    batches, steps = _endless_batches(images, targets, batch_size, crop_size, crops, augment, seed)
    validation_targets = make_targets(data.validation.masks, num_outputs)
    validation = make_batches(validation_images, validation_targets, batch_size, shuffle=False)

    loss = _with_class_weights(loss, class_weights)
    compile_model(model, learning_rate, loss, schedule=schedule, steps_per_epoch=steps, epochs=epochs, warmup=warmup)

    mean = RunningMean(average) if average is not None else None
    keeper = _Keeper(checkpoint, patience, mean)
    start = keeper.resume(model) if resume and checkpoint else 0
    history = keeper.history
    watching = [_StopOnNaN(), *([mean] if mean else []), keeper, *callbacks]
    if progress:
        watching.append(_Progress(epochs, history))
    if start < epochs and not history.stopped_early:
        with _memory_advice(batch_size, crop_size, images.shape):
            model.fit(
                batches.skip(start * steps),  # a resumed run sees the batches that an uninterrupted one would see
                steps_per_epoch=steps,
                epochs=epochs,
                initial_epoch=start,
                validation_data=validation,
                callbacks=watching,
                shuffle=False,  # the pipeline shuffles
                verbose=0,
            )
    if keep == "best":
        keeper.restore_best(model)
    elif mean:
        mean.put_into(model)
    return history


def _endless_batches(images, targets, batch_size, crop_size, crops, augment, seed):
    """Batches of whole slices, or of crops, without end; and how many of them are an epoch."""
    if crop_size is None:
        batches = make_batches(images, targets, batch_size, augment=augment, seed=seed)
        return batches.repeat(), math.ceil(len(images) / batch_size)
    batches = make_crop_batches(images, targets, crop_size, batch_size, **crops, augment=augment, seed=seed)
    return batches, math.ceil(images[..., 0].size / (batch_size * crop_size**2))


def _with_class_weights(loss, class_weights):
    if class_weights is None:
        return loss
    if loss != "dice_crossentropy":
        raise ValueError(f"class_weights go with loss='dice_crossentropy', not with {loss!r}")
    return DiceCrossEntropy(class_weights)


def compile_model(
    model,
    learning_rate=1e-3,
    loss="dice_crossentropy",
    *,
    schedule="constant",
    steps_per_epoch=1,
    epochs=1,
    warmup=50,
):
    """Compile with Adam, the named loss, accuracy and Dice. The options are those of :func:`train`."""
    num_outputs = model.output_shape[-1]
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(f"loss is {loss!r}; choose one of {', '.join(LOSSES)}, or pass a keras loss")
        if loss == "categorical_crossentropy" and num_outputs == 1:
            raise ValueError("categorical_crossentropy over one channel is always 0; use binary_crossentropy")
        loss = LOSSES[loss]()
    class_weights_of(getattr(loss, "class_weights", None), num_outputs)
    if schedule == "cosine":
        warmup = min(steps_per_epoch, warmup)
        learning_rate = keras.optimizers.schedules.CosineDecay(
            learning_rate / 10,
            max(steps_per_epoch * epochs - warmup, 1),
            alpha=0.01,
            warmup_target=learning_rate,
            warmup_steps=warmup,
        )
    elif schedule != "constant":
        raise ValueError(f"schedule is {schedule!r}; choose 'cosine' or 'constant'")
    accuracy = keras.metrics.BinaryAccuracy if num_outputs == 1 else keras.metrics.CategoricalAccuracy
    metrics = [accuracy(name="accuracy"), DiceMetric(num_outputs)]
    model.compile(optimizer=keras.optimizers.Adam(learning_rate), loss=loss, metrics=metrics)
    # TensorFlow traces the training step a second time if variables appear in the first, as Adam's would
    model.optimizer.build(model.trainable_variables)
    return model


def _check_fit(model, data, crop_size=None):
    """The images to train and to validate on, float32, once they and the masks fit the model."""
    for name, subset in data.subsets.items():
        if not len(subset):
            raise ValueError(f"the {name} subset is empty; use more patients or other fractions")
    check_weights(model)
    checked = []
    for name, subset in (("training", data.train), ("validation", data.validation)):
        images = check_images(model, subset.images, f"the {name} images")
        if np.abs(images).max() > 50:
            raise ValueError(
                f"values of the {name} images run from {images.min():g} to {images.max():g}; "
                "window or scale them to 0–1 before training"
            )
        _check_masks(model, images, subset.masks, name)
        if name == "validation" or crop_size is None:
            check_sides(model, images.shape, f"the {name} images")
        checked.append(images)
    return checked


def _check_masks(model, images, masks, name):
    # unpadded convolutions answer with a smaller map
    sides = [out or side for out, side in zip(model.output_shape[1:-1], images.shape[1:-1], strict=True)]
    expected = (len(images), *sides)
    if np.shape(masks) != expected:
        remedy = "give one mask of class indices for each image, of its size"
        if np.shape(masks) == (*expected, 1):
            remedy = "take the last axis off with masks[..., 0]"
        elif np.shape(masks) == (*expected, model.output_shape[-1]):
            remedy = "one-hot masks become class indices by masks.argmax(axis=-1)"
        raise ValueError(
            f"the {name} masks have the shape {np.shape(masks)} and the {name} images {images.shape}, for which this "
            f"model needs masks {expected}: {remedy}"
        )


def _check_crops(model, size, crop_class):
    if size is None:
        if crop_class is not None:
            raise ValueError(f"crop_class={crop_class} needs a crop_size")
        return
    channels = model.input_shape[-1]
    if model.input_shape[1:3] != (None, None):
        raise ValueError(
            f"the model takes images of {model.input_shape[1:3]} only; build it with "
            f"input_shape=(None, None, {channels}) to train it on crops"
        )
    check_sides(model, (1, size, size, channels), "crops")


def _check_targets(targets, masks, num_outputs):
    expected = (*masks.shape, num_outputs)
    if np.shape(targets) != expected:
        raise ValueError(f"the targets are {np.shape(targets)}; the training masks and this model need {expected}")
    if not (np.min(targets) >= 0 and np.max(targets) <= 1):  # written so that NaN is refused
        raise ValueError(
            f"the targets run from {np.min(targets):g} to {np.max(targets):g}; give the probability of each class, 0 "
            "to 1, and pixels that must not count one of the classes"
        )


def start_at_class_shares(model, masks):
    """Set the bias of the output so that an untrained model predicts each class with its share of the pixels.

    With a bias of 0 the first steps only teach that a rare class is rare; by then its probability is
    so low that its gradient is gone, and a small object may never come back (after Lin et al. 2017,
    section 3.3). Call it once, on a model that has not been trained.

    Parameters
    ----------
    model : keras.Model
        Its last convolution is the one to the classes.
    masks : ``(N, H, W)`` integer
        The training masks.
    """
    num_outputs = model.output_shape[-1]
    num_classes = max(num_outputs, 2)
    counts = np.bincount(np.ravel(as_classes(masks, "the masks", num_classes)), minlength=num_classes).astype(float)
    shares = np.maximum(counts / counts.sum(), 1e-4)
    logits = np.log(shares) if num_outputs > 1 else np.log(shares[1:2] / shares[:1])
    last = [layer for layer in model.layers if getattr(layer, "filters", None) == num_outputs][-1]
    last.bias.assign(logits)


@contextmanager
def _memory_advice(batch_size, crop_size, shape):
    """Say what makes a batch smaller where one does not fit into the memory."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        shape = shape[1:] if crop_size is None else (crop_size, crop_size, shape[-1])
        smaller = f"batch_size={batch_size // 2}, " if batch_size > 1 else ""
        raise MemoryError(
            f"a batch of {batch_size} images of shape {shape} does not fit into the memory of this device. What "
            f"makes it smaller: {smaller}smaller crops, fewer base_filters, or "
            "keras.config.set_dtype_policy('mixed_bfloat16') before the model is built. Start with a fresh kernel: "
            "the memory of the failed step may still be taken"
        ) from error
