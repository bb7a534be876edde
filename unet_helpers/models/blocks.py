"""Building blocks shared by the architectures: written with ``keras`` only, so any backend runs them."""

from keras import layers


def conv_block(x, filters, *, batch_norm=True, dropout=0.0, name="block"):
    """Two 3×3 convolutions, each followed by batch normalization and ReLU; then dropout.

    Parameters
    ----------
    x : symbolic tensor, ``(N, H, W, C)``
    filters : int
        Channels of both convolutions.
    batch_norm : bool
        Without it the convolutions carry a bias instead.
    dropout : float
        Rate in [0, 1) after the second ReLU; 0 leaves the layer out.
    name : str
        Prefix of the layer names.

    Returns
    -------
    symbolic tensor, ``(N, H, W, filters)``; "same" padding keeps the size.
    """
    for i in (1, 2):
        x = layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=not batch_norm,
            kernel_initializer="he_normal",
            name=f"{name}_conv{i}",
        )(x)
        if batch_norm:
            # momentum 0.9: with Keras's default of 0.99 the moving averages need hundreds of
            # steps to arrive, and a short training predicts with the statistics of its first steps
            x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn{i}")(x)
        x = layers.ReLU(name=f"{name}_relu{i}")(x)
    if dropout:
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return x


def upsample(x, filters, how="transpose", *, name="up"):
    """Double height and width, and bring the channels to ``filters``.

    ``"transpose"`` is a learned 2×2 transposed convolution with stride 2, as in the 2015 paper's
    up-convolution. ``"bilinear"`` interpolates, then mixes the channels with a 1×1 convolution.
    """
    if how == "transpose":
        return layers.Conv2DTranspose(filters, 2, strides=2, name=name)(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_resize")(x)
    return layers.Conv2D(filters, 1, name=name)(x)


def segmentation_head(x, num_classes):
    """1×1 convolution to one map per class, as probabilities in float32.

    One class gives a sigmoid map, several give a softmax over the last axis. float32 also under
    mixed precision, because the loss takes logarithms of these numbers.
    """
    activation = "sigmoid" if num_classes == 1 else "softmax"
    return layers.Conv2D(num_classes, 1, activation=activation, dtype="float32", name="probabilities")(x)
