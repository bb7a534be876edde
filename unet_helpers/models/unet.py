"""U-Net after Ronneberger, Fischer and Brox (2015), with the options that later papers vary."""

import keras
from keras import layers

from .blocks import conv_block, segmentation_head, upsample


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
):
    """Build a U-Net that gives one class probability per pixel.

    The contracting path halves the size ``depth`` times and doubles the channels each time; the
    expanding path goes back up, and at every level joins what the contracting path saw at that
    size. With the defaults the channels are 64, 128, 256, 512 and 1024 in the bottleneck. Unlike
    the 2015 network the convolutions are padded, so the output has the size of the input.

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
    _check(input_shape, num_classes, base_filters, depth, dropout, upsampling)
    options = {"batch_norm": batch_norm}

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
            x = layers.Concatenate(name=f"skip{level + 1}")([skips[level], x])
        x = conv_block(x, base_filters * 2**level, name=f"up{level + 1}", **options)

    return keras.Model(inputs, segmentation_head(x, num_classes), name="unet")


def _check(input_shape, num_classes, base_filters, depth, dropout, upsampling):
    if len(input_shape) != 3:
        raise ValueError(f"input_shape is {tuple(input_shape)}; give (height, width, channels), e.g. (128, 128, 1)")
    factor = 2**depth
    for name, size in zip(("height", "width"), input_shape[:2], strict=True):
        if size is not None and (size < factor or size % factor):
            below, above = size - size % factor, size + (-size) % factor
            near = f"{below} or {above}" if below else f"{above}"
            raise ValueError(
                f"{name} {size} cannot be halved {depth} times: it must be a multiple of {factor}; "
                f"resize or pad the images to {near}, or lower depth"
            )
    if num_classes < 1 or base_filters < 1 or depth < 1:
        raise ValueError(
            f"num_classes, base_filters and depth must be at least 1, not {num_classes}, {base_filters}, {depth}"
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}; give a rate in [0, 1)")
    if upsampling not in ("transpose", "bilinear"):
        raise ValueError(f"upsampling is {upsampling!r}; choose 'transpose' or 'bilinear'")
