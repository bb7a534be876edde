"""Fully convolutional networks after Long, Shelhamer and Darrell (2015): a classifier that answers at every place."""

import keras
from keras import layers

from .blocks import check_arguments, conv_unit, enlarge, probabilities
from .segnet import VGG16_STAGES


def FCN(input_shape=(128, 128, 1), num_classes=2, *, base_filters=64, stride=8, batch_norm=True, dropout=0.5):
    """Build an FCN-32s, FCN-16s or FCN-8s on the convolutions of VGG16.

    The fully connected layers of the classifier become convolutions, so that it gives a coarse map of class scores, one
    for every 32×32 pixels. FCN-32s enlarges that map; FCN-16s first adds the scores of the fourth stage, FCN-8s of the
    third as well. A U-Net instead concatenates features, at every level. What is not said here is as in
    :func:`unet_helpers.UNet`.

    Parameters
    ----------
    input_shape : tuple of int or None, ``(H, W, C)``
        H and W multiples of 32, or None for any such size.
    base_filters : int
        Channels of the first stage; the two large convolutions have 64 times as many, 4096 in the paper.
    stride : 32, 16 or 8
        Pixels per score of the finest map that is used.
    batch_norm : bool
        The paper has none, and starts from the weights of VGG16; from random weights the network needs it.
    dropout : float in [0, 1)
        Dropout rate after the two large convolutions.

    Notes
    -----
    Enlarging is bilinear and fixed, as the paper's last layer is; the paper lets the layers before it learn, from that
    start.

    References
    ----------
    Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation, CVPR 2015, arXiv 1411.4038.
    """
    check_arguments(input_shape, halvings=5, dropout=dropout, num_classes=num_classes, base_filters=base_filters)
    if stride not in (32, 16, 8):
        raise ValueError(f"stride is {stride}; choose 32, 16 or 8")

    inputs = keras.Input(input_shape, name="image")
    x = inputs
    pooled = {}
    for stage, (width, count) in enumerate(VGG16_STAGES, start=1):
        for i in range(1, count + 1):
            x = conv_unit(x, base_filters * width, batch_norm=batch_norm, name=f"stage{stage}", i=i)
        x = pooled[2**stage] = layers.MaxPooling2D(2, name=f"pool{stage}")(x)
    for name, size in (("fc6", 7), ("fc7", 1)):
        x = conv_unit(x, 64 * base_filters, size, batch_norm=batch_norm, name=name)
        if dropout:
            x = layers.Dropout(dropout, name=f"{name}_dropout")(x)

    x = layers.Conv2D(num_classes, 1, name="scores32")(x)
    for finer in (16, 8):
        if finer >= stride:
            x = enlarge(x, name=f"upsample_to{finer}")
            scores = layers.Conv2D(num_classes, 1, kernel_initializer="zeros", name=f"scores{finer}")(pooled[finer])
            x = layers.Add(name=f"add{finer}")([x, scores])
    x = enlarge(x, stride, dtype="float32", name="upsample_to1")
    return keras.Model(inputs, probabilities(x), name=f"fcn{stride}s")
