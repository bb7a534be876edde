"""U-Net after Ronneberger, Fischer and Brox (2015), with the options that later papers vary."""

import keras
from keras import layers

from .blocks import check_arguments, conv_block, crop_to, segmentation_head, upsample


def UNet(
    input_shape=(128, 128, 1),
    num_classes=2,
    *,
    base_filters=64,
    depth=4,
    batch_norm=True,
    dropout=0.1,
    upsampling="transpose",
    skip_connections=True,
    padding="same",
):
    """Build a U-Net that gives one class probability per pixel.

    The contracting path halves the size ``depth`` times and doubles the channels each time; the
    expanding path goes back up, and at every level joins what the contracting path saw at that
    size. With the defaults the channels are 64, 128, 256, 512 and 1024 in the bottleneck. Unlike
    in the 2015 network the convolutions are padded, so the output has the size of the input;
    ``padding="valid"`` leaves the padding out and crops the skip connections, as the paper does.

    Parameters
    ----------
    input_shape : tuple of int or None, ``(H, W, C)``
        H and W must be multiples of ``2 ** depth``, or None for any such size.
    num_classes : int
        1 gives one sigmoid map, ``n > 1`` a softmax over n classes.
    base_filters : int
        Channels of the first level.
    depth : int
        Number of poolings.
    batch_norm : bool
        Batch normalization after each convolution.
    dropout : float in [0, 1)
        Dropout rate after each block of the contracting path and the bottleneck.
    upsampling : "transpose" or "bilinear"
    skip_connections : bool
        False leaves the concatenations out, to see what they carry.
    padding : "same" or "valid"
        "valid" gives a smaller output, see :func:`valid_output_size`.

    Returns
    -------
    keras.Model
        ``(N, H, W, C)`` float32 in, ``(N, H, W, num_classes)`` float32 probabilities out.

    Raises
    ------
    ValueError
        If a size does not divide, or an option is outside its range.

    References
    ----------
    Ronneberger, Fischer and Brox, MICCAI 2015, doi 10.1007/978-3-319-24574-4_28.

    Examples
    --------
    >>> UNet(input_shape=(64, 64, 1), num_classes=3, base_filters=4, depth=2).output_shape
    (None, 64, 64, 3)
    """
    counts = {"num_classes": num_classes, "base_filters": base_filters, "depth": depth}
    halvings = depth if padding == "same" else None
    check_arguments(input_shape, halvings=halvings, remedy="lower depth", dropout=dropout, **counts)
    if upsampling not in ("transpose", "bilinear"):
        raise ValueError(f"upsampling is {upsampling!r}; choose 'transpose' or 'bilinear'")
    if padding not in ("same", "valid"):
        raise ValueError(f"padding is {padding!r}; choose 'same' or 'valid'")
    if padding == "valid":
        for size in input_shape[:2]:
            valid_output_size(size, depth)
    options = {"batch_norm": batch_norm, "padding": padding}

    inputs = keras.Input(input_shape, name="image")
    x = inputs
    skips = []
    for level in range(depth):
        x = conv_block(x, base_filters * 2**level, dropout=dropout, name=f"down{level + 1}", **options)
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"pool{level + 1}")(x)

    x = conv_block(x, base_filters * 2**depth, dropout=dropout, name="bottleneck", **options)

    for level in reversed(range(depth)):
        x = upsample(x, base_filters * 2**level, upsampling, name=f"up{level + 1}_upsample")
        if skip_connections:
            skip = skips[level] if padding == "same" else crop_to(skips[level], x, name=f"crop{level + 1}")
            x = layers.Concatenate(name=f"skip{level + 1}")([skip, x])
        x = conv_block(x, base_filters * 2**level, name=f"up{level + 1}", **options)

    return keras.Model(inputs, segmentation_head(x, num_classes), name="unet")


def valid_output_size(size, depth=4):
    """Side of the output for a side of the input, when no convolution is padded: 572 gives 388 in the paper.

    Raises
    ------
    ValueError
        If a map with an odd side would have to be halved, or nothing would be left; the next size that fits is named.
    """
    if size is None:
        raise ValueError("padding='valid' needs a fixed height and width, because it crops the skip connections")
    fits = [side for side in range(size, size + 2 * 2**depth) if _walk(side, depth)]
    if size not in fits:
        near = fits[0] if fits else next(side for side in range(1, 10**4) if _walk(side, depth))
        raise ValueError(f"a side of {size} cannot be halved {depth} times between unpadded convolutions; try {near}")
    return _walk(size, depth)


def _walk(size, depth):
    """Side of the output, or 0 if the size does not work out."""
    for _ in range(depth):
        size -= 4
        if size % 2 or size <= 0:
            return 0
        size //= 2
    size -= 4
    for _ in range(depth if size > 0 else 0):
        size = 2 * size - 4
    return max(size, 0)
