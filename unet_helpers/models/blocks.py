"""Building blocks shared by the architectures: written with ``keras`` only, so any backend runs them.

The number of axes of ``x`` says whether a block is built in two dimensions, ``(N, H, W, C)``, or in three,
``(N, D, H, W, C)``.
"""

import keras
from keras import layers, ops
from keras.src.ops.numpy import Pad

# .keras files find the operation of enlarge() by themselves; .h5 files are read by older code of Keras, which looks
# for it among the registered names only
keras.saving.get_custom_objects()["Pad"] = Pad

CONVOLUTION = {4: layers.Conv2D, 5: layers.Conv3D}
CROPPING = {4: layers.Cropping2D, 5: layers.Cropping3D}


def conv_unit(x, filters, size=3, *, batch_norm=True, relu=True, name="", i="", **options):
    """A convolution, batch normalization and ReLU. Without normalization the convolution carries a bias instead.

    ``options`` are the convolution's own, such as ``strides``.
    """
    options = {"padding": "same", "use_bias": not batch_norm, "kernel_initializer": "he_normal"} | options
    x = CONVOLUTION[len(x.shape)](filters, size, name=f"{name}_conv{i}", **options)(x)
    if batch_norm:
        # momentum 0.9: with Keras's default of 0.99 the moving averages need hundreds of
        # steps to arrive, and a short training predicts with the statistics of its first steps
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn{i}")(x)
    return layers.ReLU(name=f"{name}_relu{i}")(x) if relu else x


def conv_block(x, filters, *, batch_norm=True, dropout=0.0, padding="same", name="block"):
    """Two 3×3 (or 3×3×3) convolutions, each followed by batch normalization and ReLU; then dropout.

    Parameters
    ----------
    x : symbolic tensor, ``(N, H, W, C)`` or ``(N, D, H, W, C)``
    filters : int, or two
        Channels of both convolutions, or of the first and the second.
    batch_norm : bool
        Without it the convolutions carry a bias instead.
    dropout : float
        Rate in [0, 1) after the second ReLU; 0 leaves the layer out.
    padding : "same" or "valid"
        "same" keeps the size, "valid" takes 4 from every side's length.
    name : str
        Prefix of the layer names.
    """
    pair = (filters, filters) if isinstance(filters, int) else filters
    for i, count in enumerate(pair, start=1):
        x = conv_unit(x, count, batch_norm=batch_norm, padding=padding, name=name, i=i)
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
    return layers.Conv2D(filters, 1, name=name)(enlarge(x, name=f"{name}_resize"))


def enlarge(x, factor=2, *, dtype=None, name="enlarge"):
    """Bilinear interpolation to ``factor`` (even) times the height and width, also where these are known only later.

    Every pixel is repeated, then averaged over ``factor`` and over 2 pixels, which gives the linear weights.
    ``keras.layers.UpSampling2D(interpolation="bilinear")`` does the same for fixed sizes only (Keras 3.15).
    """
    half = factor // 2
    x = layers.UpSampling2D(factor, dtype=dtype, name=f"{name}_repeat")(x)
    x = ops.pad(x, ((0, 0), (half, half), (half, half), (0, 0)), mode="symmetric")
    x = layers.AveragePooling2D(factor, strides=1, dtype=dtype, name=f"{name}_mean")(x)
    return layers.AveragePooling2D(2, strides=1, dtype=dtype, name=name)(x)


def crop_to(skip, x, *, name="crop"):
    """The middle of ``skip``, as large as ``x``: what unpadded convolutions leave of it."""
    surplus = [a - b for a, b in zip(skip.shape[1:-1], x.shape[1:-1], strict=True)]
    return CROPPING[len(x.shape)]([(s // 2, s - s // 2) for s in surplus], name=name)(skip)


def segmentation_head(x, num_classes, size=1):
    """1×1 convolution to one map per class, as probabilities in float32.

    One class gives a sigmoid map, several give a softmax over the last axis. float32 also under
    mixed precision, because the loss takes logarithms of these numbers.
    """
    options = {"padding": "same", "activation": _activation(num_classes), "dtype": "float32", "name": "probabilities"}
    return CONVOLUTION[len(x.shape)](num_classes, size, **options)(x)


def probabilities(scores):
    """Enlarged scores as probabilities, of the same kind as those of :func:`segmentation_head`."""
    return layers.Activation(_activation(scores.shape[-1]), dtype="float32", name="probabilities")(scores)


def _activation(num_classes):
    return "sigmoid" if num_classes == 1 else "softmax"


def check_arguments(input_shape, *, halvings=None, remedy="use another network", dropout=0.0, volume=False, **counts):
    """Refuse a shape with another number of axes, or with sides that cannot be halved so often, and other bad options.

    A side of None is left to the data. ``counts`` are the numbers that must be at least 1, by name.
    """
    axes = ("depth", "height", "width", "channels")[0 if volume else 1 :]
    if len(input_shape) != len(axes):
        example = (32, 128, 128, 1)[-len(axes) :]
        raise ValueError(f"input_shape is {tuple(input_shape)}; give ({', '.join(axes)}), e.g. {example}")
    if min(counts.values()) < 1:
        *some, last = counts
        raise ValueError(
            f"{', '.join(some)} and {last} must be at least 1, not {', '.join(str(count) for count in counts.values())}"
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}; give a rate in [0, 1)")
    factor = 2**halvings if halvings else 1
    for name, size in zip(axes, input_shape[:-1], strict=False):
        if size is not None and (size < factor or size % factor):
            below, above = size - size % factor, size + (-size) % factor
            near = f"{below} or {above}" if below else f"{above}"
            raise ValueError(
                f"{name} {size} cannot be halved {halvings} times: it must be a multiple of {factor}; "
                f"resize or pad the images to {near}, or {remedy}"
            )
