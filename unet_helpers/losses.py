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

    Notes
    -----
    y_true, y_pred are ``(N, H, W, C)``: one-hot and softmax, background first; or C = 1, 0/1 and sigmoid.
    """

    def __init__(self, smooth=1.0, pool_batch=True, name="dice_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.smooth, self.pool_batch = smooth, pool_batch

    def call(self, y_true, y_pred):
        """Loss per class (batch pooled), or per image and class."""
        y_true = ops.cast(y_true, y_pred.dtype)
        if y_pred.shape[-1] > 1:
            y_true, y_pred = y_true[..., 1:], y_pred[..., 1:]
        axes = (0, 1, 2) if self.pool_batch else (1, 2)
        overlap = ops.sum(y_true * y_pred, axis=axes)
        total = ops.sum(y_true, axis=axes) + ops.sum(y_pred, axis=axes)
        return 1 - (2 * overlap + self.smooth) / (total + self.smooth)

    def get_config(self):
        """What is needed to build the loss again from a saved model."""
        return {**super().get_config(), "smooth": self.smooth, "pool_batch": self.pool_batch}


@keras.saving.register_keras_serializable(package="unet_helpers")
class DiceCrossEntropy(keras.losses.Loss):
    """Sum of :class:`DiceLoss` and cross-entropy: the first looks at the object, the second at every pixel.

    The default of nnU-Net (Isensee et al. 2021). Binary cross-entropy for one channel, categorical else.
    """

    def __init__(self, smooth=1.0, name="dice_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.smooth = smooth

    def call(self, y_true, y_pred):
        """Scalar loss of the batch."""
        y_true = ops.cast(y_true, y_pred.dtype)
        if y_pred.shape[-1] == 1:
            cross_entropy = ops.mean(keras.losses.binary_crossentropy(y_true, y_pred))
        else:
            cross_entropy = ops.mean(keras.losses.categorical_crossentropy(y_true, y_pred))
        return cross_entropy + ops.mean(DiceLoss(self.smooth).call(y_true, y_pred))

    def get_config(self):
        """What is needed to build the loss again from a saved model."""
        return {**super().get_config(), "smooth": self.smooth}


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
