"""SegNet after Badrinarayanan, Kendall and Cipolla (2017): it remembers where each maximum was, and nothing else."""

import keras
from keras import layers, ops

from .blocks import check_arguments, conv_unit, segmentation_head

#: channels in units of base_filters, and number of convolutions, of the five stages of VGG16
VGG16_STAGES = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))


def SegNet(input_shape=(128, 128, 1), num_classes=2, *, base_filters=64, batch_norm=True, dropout=0.0):
    """Build a SegNet: the convolutions of VGG16, and their mirror image, joined by the places of the maxima.

    Max pooling keeps the largest of four values. SegNet also keeps which of the four it was, and on the way up puts the
    value back there, with zeros around it; the convolutions that follow fill the gaps. That costs a fraction of the
    memory of a U-Net's skip connections, and carries less. What is not said here is as in :func:`unet_helpers.UNet`.

    Parameters
    ----------
    input_shape : tuple of int or None, ``(H, W, C)``
        H and W multiples of 32, or None for any such size.
    dropout : float in [0, 1)
        Dropout rate after the last three poolings and the first three unpoolings (Bayesian SegNet, Kendall 2017); the
        paper has none.

    References
    ----------
    Badrinarayanan, Kendall and Cipolla, SegNet, IEEE TPAMI 39, 2017, arXiv 1511.00561.
    """
    check_arguments(input_shape, halvings=5, dropout=dropout, num_classes=num_classes, base_filters=base_filters)

    inputs = keras.Input(input_shape, name="image")
    x = inputs
    places = []
    for stage, (width, count) in enumerate(VGG16_STAGES, start=1):
        for i in range(1, count + 1):
            x = conv_unit(x, base_filters * width, batch_norm=batch_norm, name=f"down{stage}", i=i)
        x, place = MaxPoolWithPlace(name=f"pool{stage}")(x)
        places.append(place)
        if dropout and stage > 2:
            x = layers.Dropout(dropout, name=f"down{stage}_dropout")(x)

    for stage in (5, 4, 3, 2, 1):
        width, count = VGG16_STAGES[stage - 1]
        x = Unpool(name=f"unpool{stage}")([x, places[stage - 1]])
        if dropout and stage > 2:
            x = layers.Dropout(dropout, name=f"up{stage}_dropout")(x)
        if stage == 1:
            count = 1  # the mirror image of the first convolution is the one to the classes
        for i in range(1, count + 1):
            narrow = stage > 1 and i == count
            filters = base_filters * (VGG16_STAGES[stage - 2][0] if narrow else width)
            x = conv_unit(x, filters, batch_norm=batch_norm, name=f"up{stage}", i=i)
    return keras.Model(inputs, segmentation_head(x, num_classes, size=3), name="segnet")


@keras.saving.register_keras_serializable(package="unet_helpers")
class MaxPoolWithPlace(layers.Layer):
    """2×2 max pooling that also tells which of the four pixels was the largest.

    ``(N, 2h, 2w, C)`` in; out come the maxima ``(N, h, w, C)`` and their places, int32 in 0–3 (row by row).
    """

    def call(self, x):
        """Pool."""
        return ops.max(_windows(x), axis=-1), ops.argmax(_windows(x), axis=-1)

    def compute_output_spec(self, x):
        """Shapes and dtypes of both outputs."""
        batch, height, width, channels = x.shape
        shape = (batch, height and height // 2, width and width // 2, channels)
        return keras.KerasTensor(shape, x.dtype), keras.KerasTensor(shape, "int32")


@keras.saving.register_keras_serializable(package="unet_helpers")
class Unpool(layers.Layer):
    """Put each value back at its place among four pixels, zeros at the other three: undoes the pooling."""

    def call(self, inputs):
        """``[values (N, h, w, C), places (N, h, w, C)]`` to ``(N, 2h, 2w, C)``."""
        values, places = inputs
        four = values[..., None] * ops.one_hot(places, 4, dtype=values.dtype)
        _, height, width, channels = ops.shape(values)
        four = ops.reshape(four, (-1, height, width, channels, 2, 2))
        rows_and_columns = ops.transpose(four, (0, 1, 4, 2, 5, 3))
        return ops.reshape(rows_and_columns, (-1, 2 * height, 2 * width, channels))

    def compute_output_spec(self, inputs):
        """Shape and dtype of the output."""
        values = inputs[0]
        batch, height, width, channels = values.shape
        return keras.KerasTensor((batch, height and 2 * height, width and 2 * width, channels), values.dtype)


def _windows(x):
    """``(N, 2h, 2w, C)`` to ``(N, h, w, C, 4)``: the four pixels of each window last."""
    _, height, width, channels = ops.shape(x)
    x = ops.reshape(x, (-1, height // 2, 2, width // 2, 2, channels))
    x = ops.transpose(x, (0, 1, 3, 5, 2, 4))
    return ops.reshape(x, (-1, height // 2, width // 2, channels, 4))
