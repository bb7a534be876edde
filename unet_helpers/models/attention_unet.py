"""Attention U-Net after Oktay et al. (2018): gates decide which parts of a skip connection pass."""

import keras
from keras import layers

from .blocks import check_arguments, conv_block, enlarge, segmentation_head, upsample


def AttentionUNet(input_shape=(128, 128, 1), num_classes=2, *, base_filters=64, depth=4, batch_norm=True, dropout=0.1):
    """Build a U-Net whose skip connections pass through additive attention gates.

    A gate compares what the contracting path saw with what the expanding path, one level below, has made of it, and
    multiplies every position of the skip connection with a number between 0 and 1. As in the paper, the finest level
    has no gate: its maps say too little about what a place is. The numbers come out of ``gate2_attention`` and on.
    Parameters, result and errors are as in :func:`unet_helpers.UNet`.

    References
    ----------
    Oktay et al., Attention U-Net: Learning Where to Look for the Pancreas, MIDL 2018, arXiv 1804.03999.
    """
    counts = {"num_classes": num_classes, "base_filters": base_filters, "depth": depth}
    check_arguments(input_shape, halvings=depth, remedy="lower depth", dropout=dropout, **counts)

    inputs = keras.Input(input_shape, name="image")
    x = inputs
    skips = []
    for level in range(depth):
        x = conv_block(x, base_filters * 2**level, batch_norm=batch_norm, dropout=dropout, name=f"down{level + 1}")
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"pool{level + 1}")(x)
    x = conv_block(x, base_filters * 2**depth, batch_norm=batch_norm, dropout=dropout, name="bottleneck")

    for level in reversed(range(depth)):
        filters = base_filters * 2**level
        skip = skips[level]
        if level > 0:
            skip = attention_gate(skip, x, filters, batch_norm=batch_norm, name=f"gate{level + 1}")
        x = upsample(x, filters, name=f"up{level + 1}_upsample")
        x = layers.Concatenate(name=f"skip{level + 1}")([skip, x])
        x = conv_block(x, filters, batch_norm=batch_norm, name=f"up{level + 1}")
    return keras.Model(inputs, segmentation_head(x, num_classes), name="attention_unet")


def attention_gate(skip, signal, filters, *, batch_norm=True, name="gate"):
    """Weigh the positions of ``skip``, ``(N, 2h, 2w, C)``, by the ``signal`` of the level below, ``(N, h, w, D)``.

    Both are brought to ``filters`` channels on the coarser grid and added; ReLU, one channel, sigmoid; the result is
    enlarged to the finer grid and multiplied into ``skip`` (figure 2 of the paper; a last 1×1 convolution as in the
    authors' code).
    """
    theta = layers.Conv2D(filters, 2, strides=2, use_bias=False, name=f"{name}_skip")(skip)
    phi = layers.Conv2D(filters, 1, name=f"{name}_signal")(signal)
    both = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([theta, phi]))
    weights = layers.Conv2D(1, 1, activation="sigmoid", name=f"{name}_sigmoid")(both)
    weights = enlarge(weights, name=f"{name}_attention")
    gated = layers.Multiply(name=f"{name}_multiply")([skip, weights])
    gated = layers.Conv2D(skip.shape[-1], 1, use_bias=not batch_norm, name=f"{name}_mix")(gated)
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(gated) if batch_norm else gated
