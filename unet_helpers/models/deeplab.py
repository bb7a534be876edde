"""DeepLabV3+ after Chen et al. (2018): wide views from holes in the kernels, then sharp borders from an early layer."""

import keras
from keras import layers

from .blocks import check_arguments, conv_unit, enlarge, probabilities


def DeepLabV3Plus(
    input_shape=(128, 128, 1), num_classes=2, *, base_filters=64, rates=(6, 12, 18), batch_norm=True, dropout=0.1
):
    """Build a DeepLabV3+ on a residual network of 18 layers that stops at a sixteenth of the size.

    The last stage keeps its size and spreads its kernels instead (dilation 2). An atrous spatial pyramid looks at the
    result with kernels of several spreads and at its mean. The decoder enlarges four times, joins features from a
    quarter of the size, and enlarges four times again. What is not said here is as in :func:`unet_helpers.UNet`.

    Parameters
    ----------
    input_shape : tuple of int, ``(H, W, C)``
        H and W multiples of 16, and fixed: the pyramid's mean is spread over the whole map.
    base_filters : int
        Channels of the first stage; 64 is ResNet-18, and gives 256 in pyramid and decoder as in the paper.
    rates : tuple of int
        Dilations of the pyramid, in pixels of the map at 1/16; the paper's are meant for images of 513 pixels.
    dropout : float in [0, 1)
        Dropout rate after the pyramid.

    References
    ----------
    Chen et al., Encoder-Decoder with Atrous Separable Convolution, ECCV 2018, arXiv 1802.02611; the residual network:
    He et al., CVPR 2016. The paper's encoders are ResNet-101 and Xception; its decoder may be separable or, as here,
    plain.
    """
    check_arguments(input_shape, halvings=4, dropout=dropout, num_classes=num_classes, base_filters=base_filters)
    if None in input_shape:
        raise ValueError(f"input_shape is {tuple(input_shape)}; DeepLabV3Plus needs a fixed height and width")
    options = {"batch_norm": batch_norm}
    pyramid_filters = 4 * base_filters

    inputs = keras.Input(input_shape, name="image")
    x = conv_unit(inputs, base_filters, 7, strides=2, name="stem", **options)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool")(x)
    x = low_level = residual_stage(x, base_filters, name="stage1", **options)
    x = residual_stage(x, 2 * base_filters, strides=2, name="stage2", **options)
    x = residual_stage(x, 4 * base_filters, strides=2, name="stage3", **options)
    x = residual_stage(x, 8 * base_filters, dilation=2, name="stage4", **options)

    x = atrous_pyramid(x, pyramid_filters, rates, **options)
    if dropout:
        x = layers.Dropout(dropout, name="pyramid_dropout")(x)
    x = enlarge(x, 4, name="upsample_to4")
    low_level = conv_unit(low_level, max(3 * base_filters // 4, 1), 1, name="low_level", **options)
    x = layers.Concatenate(name="join")([x, low_level])
    for i in (1, 2):
        x = conv_unit(x, pyramid_filters, name="decoder", i=i, **options)
    x = layers.Conv2D(num_classes, 1, name="scores")(x)
    x = enlarge(x, 4, dtype="float32", name="upsample_to1")
    return keras.Model(inputs, probabilities(x), name="deeplabv3plus")


def residual_stage(x, filters, *, strides=1, dilation=1, batch_norm=True, name="stage"):
    """Two residual blocks of two 3×3 convolutions; the first may halve the size."""
    for block in (1, 2):
        step = strides if block == 1 else 1
        own = {"batch_norm": batch_norm, "name": f"{name}_block{block}"}
        y = conv_unit(x, filters, strides=step, dilation_rate=dilation if step == 1 else 1, i=1, **own)
        y = conv_unit(y, filters, dilation_rate=dilation, relu=False, i=2, **own)
        if step > 1 or x.shape[-1] != filters:
            if step > 1:  # every second pixel, then 1×1; with strides=2 in one layer oneDNN crashes at few channels
                x = layers.MaxPooling2D(1, strides=step, name=f"{name}_block{block}_every{step}")(x)
            x = conv_unit(x, filters, 1, relu=False, i="_shortcut", **own)
        x = layers.Add(name=f"{name}_block{block}_add")([x, y])
        x = layers.ReLU(name=f"{name}_block{block}_relu")(x)
    return x


def atrous_pyramid(x, filters, rates=(6, 12, 18), *, batch_norm=True):
    """Atrous spatial pyramid pooling: a 1×1 convolution, one 3×3 convolution per rate, and the mean, joined."""
    height, width = x.shape[1:3]
    own = {"batch_norm": batch_norm, "name": "pyramid"}
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="pyramid_mean")(x)
    mean = conv_unit(mean, filters, 1, i="_mean", **own)
    branches = [conv_unit(x, filters, 1, i="_1x1", **own)]
    branches += [conv_unit(x, filters, dilation_rate=rate, i=f"_rate{rate}", **own) for rate in rates]
    branches += [layers.UpSampling2D((height, width), name="pyramid_spread")(mean)]
    return conv_unit(layers.Concatenate(name="pyramid_join")(branches), filters, 1, i="_project", **own)
