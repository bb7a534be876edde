"""Losses for segmentation, written with ``keras.ops`` so that any backend runs them.

``keras.losses.Dice`` gives a loss of 1 for an empty truth that is predicted empty (its epsilon stands
in the denominator only) and pools the classes; here an empty case that is left empty costs nothing.
"""

import keras
import numpy as np
from keras import ops

from ..data.preprocessing import one_hot
from ..evaluation.binary import as_binary, as_classes


def class_weights_of(given, num_outputs=None):
    """Weights of the classes as a list, from a sequence or from what Keras calls class weights, ``{class: weight}``.

    A dict must name every class: Keras would take 1 for one that is missing, and a forgotten class looks the same.
    A weight of 0 leaves the pixels of a class out of the cross-entropy.

    Parameters
    ----------
    given : sequence of float, dict of int to float, or None
    num_outputs : int, optional
        Of the model: as many weights are needed, and two for one sigmoid map.

    Returns
    -------
    list of float, background first; None for None

    Raises
    ------
    ValueError
        If a class is missing or too many, or a weight is negative or no number.
    """
    if given is None:
        return None
    weights = given
    if isinstance(given, dict):
        if any(isinstance(key, (str, bool)) for key in given) or sorted(given) != list(range(len(given))):
            raise ValueError(
                f"class_weights are given for {', '.join(map(repr, given))}; give every class its weight by its index, "
                "0 for the background: {0: 1, 1: 1, 2: 10}"
            )
        weights = [given[index] for index in range(len(given))]
    try:
        weights = None if isinstance(weights, str) else np.asarray(weights, dtype=float)
    except (TypeError, ValueError):
        weights = None
    if weights is None or weights.ndim != 1 or not weights.size:
        raise ValueError(f"class_weights are {given!r}; give one number per class, background first, as (1, 1, 10)")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(f"class_weights are {weights.tolist()}; give numbers from 0 on, not all of them 0")
    if num_outputs is not None and len(weights) != max(num_outputs, 2):
        raise ValueError(
            f"{len(weights)} class_weights {weights.tolist()} are given, but the model tells {max(num_outputs, 2)} "
            "classes apart; give one weight for each, background first"
        )
    return weights.tolist()


@keras.saving.register_keras_serializable(package="unet_helpers")
class DiceLoss(keras.losses.Loss):
    """Soft Dice loss: 1 − (2·Σ y·p + s) / (Σ y + Σ p + s), mean over foreground classes (Milletari 2016).

    Parameters
    ----------
    smooth : float
        s above, in pixels. Keeps the loss defined, and near 0, where truth and prediction are empty.
    pool_batch : bool
        Sum over all pixels of the batch instead of each image's: steadier when many images hold
        no object.
    squared : bool
        Squares in the denominator, as Milletari wrote it. With soft targets (the mean of several
        readers) only this form is smallest where the prediction equals the target.

    Notes
    -----
    y_true, y_pred are ``(N, H, W, C)``, or ``(N, D, H, W, C)`` for volumes: one-hot and softmax, background first;
    or C = 1, 0/1 and sigmoid.
    """

    def __init__(self, smooth=1.0, pool_batch=True, squared=False, name="dice_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.smooth, self.pool_batch, self.squared = smooth, pool_batch, squared

    def call(self, y_true, y_pred):
        """Loss per class (batch pooled), or per image and class."""
        y_true = ops.cast(y_true, y_pred.dtype)
        if y_pred.shape[-1] > 1:
            y_true, y_pred = y_true[..., 1:], y_pred[..., 1:]
        axes = _pixel_axes(y_pred, self.pool_batch)
        overlap = ops.sum(y_true * y_pred, axis=axes)
        power = 2 if self.squared else 1
        total = ops.sum(y_true**power, axis=axes) + ops.sum(y_pred**power, axis=axes)
        return 1 - (2 * overlap + self.smooth) / (total + self.smooth)

    def get_config(self):
        """What is needed to build the loss again from a saved model."""
        options = {"smooth": self.smooth, "pool_batch": self.pool_batch, "squared": self.squared}
        return {**super().get_config(), **options}


@keras.saving.register_keras_serializable(package="unet_helpers")
class DiceCrossEntropy(keras.losses.Loss):
    """Sum of :class:`DiceLoss` and cross-entropy: the first looks at the object, the second at every pixel.

    The default of nnU-Net (Isensee et al. 2021). Binary cross-entropy for one channel, categorical else.

    Parameters
    ----------
    class_weights : sequence of float or dict of int to float, optional
        Weight of each class's pixels in the cross-entropy, background first; for one channel two
        numbers. A small object has few pixels, and without a weight few have a say. See :func:`class_weights_of`.
    crossentropy_weight : float
        Of the cross-entropy against the Dice part.
    smooth, pool_batch, squared
        Of the Dice part, as in :class:`DiceLoss`.
    """

    def __init__(
        self,
        class_weights=None,
        crossentropy_weight=1.0,
        smooth=1.0,
        pool_batch=True,
        squared=False,
        name="dice_crossentropy",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.class_weights = class_weights_of(class_weights)
        self.crossentropy_weight = crossentropy_weight
        self.dice_options = {"smooth": smooth, "pool_batch": pool_batch, "squared": squared}

    def call(self, y_true, y_pred):
        """Loss of the batch, shape ``(1,)``."""
        y_true = ops.cast(y_true, y_pred.dtype)
        per_pixel = _crossentropy_per_pixel(y_true, y_pred, self.class_weights)
        dice_part = ops.mean(DiceLoss(**self.dice_options).call(y_true, y_pred))
        # a plain number Keras 3.15 would not divide by the number of devices: two would take steps twice as long
        return ops.reshape(self.crossentropy_weight * ops.mean(per_pixel) + dice_part, (1,))

    def get_config(self):
        """What is needed to build the loss again from a saved model."""
        options = {"class_weights": self.class_weights, "crossentropy_weight": self.crossentropy_weight}
        return {**super().get_config(), **options, **self.dice_options}


@keras.saving.register_keras_serializable(package="unet_helpers")
class FocalCrossEntropy(keras.losses.Loss):
    """Cross-entropy in which a pixel counts (1 − p)^gamma, p being what its true class was given (Lin et al. 2017).

    Parameters
    ----------
    gamma : float, 0 or at least 1
        How little the pixels that are right already count. 0 is plain cross-entropy.
    class_weights : sequence of float or dict of int to float, optional
        Weight of each class's pixels, background first; for one channel two numbers. With ``gamma=0`` this
        is the weighted cross-entropy. The paper's alpha is ``class_weights=(1 - alpha, alpha)``.

    Raises
    ------
    ValueError
        If gamma lies below 0 or between 0 and 1, where the gradient of a pixel that is right has no bound.

    Notes
    -----
    Mean over all pixels; Lin and others divide by the number of objects, which is another scale only.
    y_true, y_pred are as in :class:`DiceLoss`.
    """

    def __init__(self, gamma=2.0, class_weights=None, name="focal_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        if gamma != 0 and gamma < 1:
            raise ValueError(f"gamma is {gamma}; give 0 for plain cross-entropy, or 1 and more")
        self.gamma = gamma
        self.class_weights = class_weights_of(class_weights)

    def call(self, y_true, y_pred):
        """Loss per pixel."""
        y_true = ops.cast(y_true, y_pred.dtype)
        per_pixel = _crossentropy_per_pixel(y_true, y_pred, self.class_weights)
        if self.gamma:
            given = ops.sum(_both(y_true) * _both(y_pred), axis=-1)
            per_pixel = per_pixel * ops.power(ops.clip(1 - given, 0, 1), self.gamma)
        return per_pixel

    def get_config(self):
        """What is needed to build the loss again from a saved model."""
        return {**super().get_config(), "gamma": self.gamma, "class_weights": self.class_weights}


@keras.saving.register_keras_serializable(package="unet_helpers")
class TverskyLoss(keras.losses.Loss):
    """1 − TP / (TP + alpha·FP + beta·FN), counted with probabilities, mean over foreground classes (Salehi 2017).

    Parameters
    ----------
    alpha : float
        What a false positive costs.
    beta : float
        What a false negative costs. ``alpha = beta = 0.5`` is :class:`DiceLoss`; a larger beta finds more, at the
        price of false positives.
    smooth : float
        In pixels, as in :class:`DiceLoss`: an empty case that is left empty costs nothing.
    pool_batch : bool
        As in :class:`DiceLoss`.

    Notes
    -----
    ``keras.losses.Tversky`` of Keras 3.15.1 has alpha and beta exchanged (keras#23333).
    y_true, y_pred are as in :class:`DiceLoss`.
    """

    def __init__(self, alpha=0.3, beta=0.7, smooth=1.0, pool_batch=True, name="tversky_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.alpha, self.beta, self.smooth, self.pool_batch = alpha, beta, smooth, pool_batch

    def call(self, y_true, y_pred):
        """Loss per class (batch pooled), or per image and class."""
        y_true = ops.cast(y_true, y_pred.dtype)
        if y_pred.shape[-1] > 1:
            y_true, y_pred = y_true[..., 1:], y_pred[..., 1:]
        axes = _pixel_axes(y_pred, self.pool_batch)
        true_positive = ops.sum(y_true * y_pred, axis=axes)
        false_positive = ops.sum((1 - y_true) * y_pred, axis=axes)
        false_negative = ops.sum(y_true * (1 - y_pred), axis=axes)
        wrong = self.alpha * false_positive + self.beta * false_negative
        # twice everything, so that smooth means what it means in the Dice loss
        return 1 - (2 * true_positive + self.smooth) / (2 * true_positive + 2 * wrong + self.smooth)

    def get_config(self):
        """What is needed to build the loss again from a saved model."""
        options = {"alpha": self.alpha, "beta": self.beta, "smooth": self.smooth, "pool_batch": self.pool_batch}
        return {**super().get_config(), **options}


def _both(channels):
    """One map beside its opposite, ``(…, 2)``; several maps as they are."""
    return ops.concatenate([1 - channels, channels], axis=-1) if channels.shape[-1] == 1 else channels


def _crossentropy_per_pixel(y_true, y_pred, class_weights):
    """Cross-entropy ``(N, H, W)``, binary for one channel and categorical else, times the weight of the true class."""
    class_weights_of(class_weights, y_pred.shape[-1])  # one weight too few would be broadcast
    binary = y_pred.shape[-1] == 1
    crossentropy = keras.losses.binary_crossentropy if binary else keras.losses.categorical_crossentropy
    per_pixel = crossentropy(y_true, y_pred)
    if class_weights is not None:
        per_pixel = per_pixel * ops.sum(_both(y_true) * ops.cast(class_weights, y_pred.dtype), axis=-1)
    return per_pixel


def _pixel_axes(maps, pool_batch):
    """The axes that a sum over all pixels, or voxels, runs along: with the batch's or without it."""
    return tuple(range(0 if pool_batch else 1, len(maps.shape) - 1))


@keras.saving.register_keras_serializable(package="unet_helpers")
class DiceMetric(keras.metrics.Metric):
    """Dice of the foreground classes over all pixels seen so far (pooled), mean over the classes.

    Keras has no such metric. Hard decisions: the most probable class, or 0.5 for one channel. A class
    that is neither there nor predicted counts 0 here, so that an epoch always has a number.
    """

    def __init__(self, num_classes, name="dice", **kwargs):
        super().__init__(name=name, **kwargs)
        self.num_classes = num_classes
        self.channels = max(num_classes - 1, 1)
        self.overlap = self.add_variable((self.channels,), "zeros", name="overlap")
        self.total = self.add_variable((self.channels,), "zeros", name="total")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add one batch, ``(N, H, W, C)`` truth and probabilities."""
        if self.num_classes == 1:
            y_true, y_pred = ops.cast(y_true > 0.5, "float32"), ops.cast(y_pred > 0.5, "float32")
        else:
            y_true = ops.one_hot(ops.argmax(y_true, -1), self.num_classes)[..., 1:]
            y_pred = ops.one_hot(ops.argmax(y_pred, -1), self.num_classes)[..., 1:]
        axes = _pixel_axes(y_pred, pool_batch=True)
        self.overlap.assign_add(ops.sum(y_true * y_pred, axis=axes))
        self.total.assign_add(ops.sum(y_true, axis=axes) + ops.sum(y_pred, axis=axes))

    def result(self):
        """Mean Dice of the foreground classes."""
        return ops.mean(2 * self.overlap / ops.maximum(self.total, 1))

    def get_config(self):
        """What is needed to build the metric again from a saved model."""
        return {**super().get_config(), "num_classes": self.num_classes}


def make_targets(masks, num_outputs):
    """Class indices ``(N, H, W)`` to what a model with ``num_outputs`` channels is trained on.

    Returns
    -------
    ``(N, H, W, num_outputs)`` float32: 0/1 for one channel, else one-hot.

    Raises
    ------
    ValueError
        If the masks hold more classes than the model has outputs, or what is no class index, with the remedy: a mark
        for pixels that must not count, as -1 or 255, is refused, never trained on.
    """
    masks, num_classes = np.asarray(masks), max(num_outputs, 2)
    highest = masks.max(initial=0)
    if num_classes <= highest < 255 and highest == int(highest):
        outputs = "one sigmoid map" if num_outputs == 1 else f"{num_outputs} outputs"
        otherwise = ", or train on (masks == class)" if num_outputs == 1 else ""
        raise ValueError(
            f"the masks hold classes up to {highest:g}, but the model has {outputs}: "
            f"build it with num_classes={highest + 1:g}{otherwise}"
        )
    masks = as_classes(masks, "the masks", num_classes)
    if num_outputs == 1:
        return masks[..., None].astype("float32")
    return one_hot(masks, num_outputs)


def make_soft_targets(subset):
    """Mean of the consensus and of the share of readers that marked each pixel, to train one sigmoid map on.

    What several readers disagree about is then learned as uncertain.

    Parameters
    ----------
    subset : Subset
        With ``readers``, and no class but 0 and 1.

    Returns
    -------
    ``(N, H, W, 1)`` float32

    Raises
    ------
    ValueError
        If the subset has no masks of several readers, or more classes.
    """
    if subset.readers is None:
        raise ValueError("soft targets need masks of several readers; this subset has one mask of each slice")
    as_binary(subset.readers, "the masks of the readers")
    return (make_targets(subset.masks, 1) + subset.readers.mean(axis=1, dtype="float32")[..., None]) / 2
