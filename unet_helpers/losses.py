"""Losses for segmentation, written with ``keras.ops`` so that any backend runs them.

``keras.losses.Dice`` gives a loss of 1 for an empty truth that is predicted empty (its epsilon stands
in the denominator only) and pools the classes; here an empty case that is left empty costs nothing.
"""

import keras
from keras import ops

from .preprocessing import one_hot


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
    y_true, y_pred are ``(N, H, W, C)``: one-hot and softmax, background first; or C = 1, 0/1 and sigmoid.
    """

    def __init__(self, smooth=1.0, pool_batch=True, squared=False, name="dice_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.smooth, self.pool_batch, self.squared = smooth, pool_batch, squared

    def call(self, y_true, y_pred):
        """Loss per class (batch pooled), or per image and class."""
        y_true = ops.cast(y_true, y_pred.dtype)
        if y_pred.shape[-1] > 1:
            y_true, y_pred = y_true[..., 1:], y_pred[..., 1:]
        axes = (0, 1, 2) if self.pool_batch else (1, 2)
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
    class_weights : sequence of float, optional
        Weight of each class's pixels in the cross-entropy, background first; for one channel two
        numbers. A small object has few pixels, and without a weight few have a say.
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
        self.class_weights = None if class_weights is None else [float(w) for w in class_weights]
        self.crossentropy_weight = crossentropy_weight
        self.dice_options = {"smooth": smooth, "pool_batch": pool_batch, "squared": squared}

    def call(self, y_true, y_pred):
        """Scalar loss of the batch."""
        y_true = ops.cast(y_true, y_pred.dtype)
        binary = y_pred.shape[-1] == 1
        crossentropy = keras.losses.binary_crossentropy if binary else keras.losses.categorical_crossentropy
        per_pixel = crossentropy(y_true, y_pred)
        if self.class_weights is not None:
            both = ops.concatenate([1 - y_true, y_true], axis=-1) if binary else y_true
            per_pixel = per_pixel * ops.sum(both * ops.cast(self.class_weights, y_pred.dtype), axis=-1)
        dice_part = ops.mean(DiceLoss(**self.dice_options).call(y_true, y_pred))
        return self.crossentropy_weight * ops.mean(per_pixel) + dice_part

    def get_config(self):
        """What is needed to build the loss again from a saved model."""
        options = {"class_weights": self.class_weights, "crossentropy_weight": self.crossentropy_weight}
        return {**super().get_config(), **options, **self.dice_options}


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
        self.overlap.assign_add(ops.sum(y_true * y_pred, axis=(0, 1, 2)))
        self.total.assign_add(ops.sum(y_true, axis=(0, 1, 2)) + ops.sum(y_pred, axis=(0, 1, 2)))

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
        If the masks hold more classes than the model has outputs, with the remedy.
    """
    highest = int(masks.max())
    if num_outputs == 1 and highest > 1:
        raise ValueError(
            f"the masks hold classes up to {highest}, but the model has one sigmoid map: "
            f"build it with num_classes={highest + 1}, or train on (masks == class)"
        )
    if num_outputs > 1 and highest >= num_outputs:
        raise ValueError(
            f"the masks hold classes up to {highest}, but the model has {num_outputs} outputs: "
            f"build it with num_classes={highest + 1}"
        )
    if num_outputs == 1:
        return masks[..., None].astype("float32")
    return one_hot(masks, num_outputs)
