"""A U-Net whose contracting path is a network made for photographs: MobileNetV2 of ``keras.applications``."""

import keras
from keras import layers

from .blocks import conv_block, segmentation_head, upsample

#: layers of MobileNetV2 whose maps the skip connections take, from half of the image's size down to a sixteenth
SKIPS = ("block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu")
BOTTLENECK = "block_16_project"


def encoder_unet(input_shape=(128, 128, 1), num_classes=2, *, weights=None, filters=(128, 64, 32, 16, 8), dropout=0.1):
    """Build a U-Net with MobileNetV2 as contracting path and a short expanding path. Used in 09.

    The layers of MobileNetV2 keep their names, so that they can be frozen by name. What is not said here is as in
    :func:`unet_helpers.UNet`.

    Parameters
    ----------
    input_shape : tuple of int, ``(H, W, C)``
        H and W multiples of 32; C is 1 (gray, used three times) or 3 (color). Values in 0–1, mapped to −1 to 1,
        which is what the ImageNet weights expect.
    weights : None or "imagenet"
        None starts from random weights and needs no network; "imagenet" downloads weights learned on photographs.
    filters : five int
        Channels of the expanding path, from the coarsest level to the finest, which has no skip connection.
    dropout : float in [0, 1)
        Dropout rate after each block of the expanding path.

    References
    ----------
    Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018.
    """
    height, width, channels = input_shape
    for name, size in (("height", height), ("width", width)):
        if not size or size % 32:
            raise ValueError(f"{name} is {size}; MobileNetV2 halves five times, so give a multiple of 32")
    if channels not in (1, 3):
        raise ValueError(f"the images have {channels} channels; give 1 (gray) or 3 (color)")

    inputs = keras.Input(input_shape, name="image")
    color = layers.Concatenate(name="gray_to_color")([inputs] * 3) if channels == 1 else inputs
    color = layers.Rescaling(2.0, offset=-1.0, name="to_imagenet_range")(color)
    encoder = keras.applications.MobileNetV2(input_tensor=color, include_top=False, weights=weights)

    x = encoder.get_layer(BOTTLENECK).output
    for level, skip, count in zip((5, 4, 3, 2, 1), (*reversed(SKIPS), None), filters, strict=True):
        x = upsample(x, count, name=f"up{level}_upsample")
        if skip:
            x = layers.Concatenate(name=f"skip{level}")([encoder.get_layer(skip).output, x])
        x = conv_block(x, count, dropout=dropout, name=f"up{level}")
    return keras.Model(inputs, segmentation_head(x, num_classes), name="encoder_unet")
