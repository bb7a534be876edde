"""3D U-Net after Çiçek et al. (2016): the same idea, with neighbors above and below."""

import keras
from keras import layers

from .blocks import check_arguments, conv_block, crop_to, segmentation_head


def UNet3D(
    input_shape=(32, 128, 128, 1),
    num_classes=2,
    *,
    base_filters=32,
    depth=3,
    batch_norm=True,
    dropout=0.0,
    pool_sizes=None,
    padding="same",
):
    """Build a U-Net for volumes. Used in 10.

    As in the paper each level doubles its channels in the second convolution, before the pooling, so that no map is
    narrower than what the pooling takes from it; an up-convolution keeps its channels and has no bias. What is not said
    here is as in :func:`unet_helpers.UNet`, with ``(N, D, H, W, …)`` for ``(N, H, W, …)``.

    Parameters
    ----------
    input_shape : tuple of int or None, ``(D, H, W, C)``
        Sides that the poolings divide, or None for any such side.
    dropout : float in [0, 1)
        Dropout rate after each block of the contracting path and the bottleneck; the paper has none.
    pool_sizes : sequence of ``depth`` triples ``(D, H, W)``, optional
        2 along each axis where none is given. Where slices lie further apart than pixels, begin with ``(1, 2, 2)``:
        pool an axis only once its spacing is about that of the others.
    padding : "same" or "valid"
        "valid" is the paper's: 132×132×116 in, 44×44×28 out.

    References
    ----------
    Çiçek et al., 3D U-Net: Learning Dense Volumetric Segmentation from Sparse Annotation, MICCAI 2016.
    """
    counts = {"num_classes": num_classes, "base_filters": base_filters, "depth": depth}
    check_arguments(input_shape, volume=True, dropout=dropout, **counts)
    pool_sizes = [(2, 2, 2)] * depth if pool_sizes is None else [tuple(sizes) for sizes in pool_sizes]
    if len(pool_sizes) != depth or any(len(sizes) != 3 for sizes in pool_sizes):
        raise ValueError(f"pool_sizes is {pool_sizes}; give {depth} triples, one per pooling")
    if padding not in ("same", "valid"):
        raise ValueError(f"padding is {padding!r}; choose 'same' or 'valid'")
    _check_sides(input_shape[:3], pool_sizes, shrinks=4 if padding == "valid" else 0)
    options = {"batch_norm": batch_norm, "padding": padding}

    inputs = keras.Input(input_shape, name="volume")
    x = inputs
    skips = []
    for level, size in enumerate(pool_sizes):
        filters = base_filters * 2**level
        x = conv_block(x, (filters, 2 * filters), dropout=dropout, name=f"down{level + 1}", **options)
        skips.append(x)
        x = layers.MaxPooling3D(size, name=f"pool{level + 1}")(x)
    filters = base_filters * 2**depth
    x = conv_block(x, (filters, 2 * filters), dropout=dropout, name="bottleneck", **options)

    for level in reversed(range(depth)):
        size = pool_sizes[level]
        up = layers.Conv3DTranspose(x.shape[-1], size, strides=size, use_bias=False, name=f"up{level + 1}_upsample")
        x = up(x)
        skip = skips[level] if padding == "same" else crop_to(skips[level], x, name=f"crop{level + 1}")
        x = layers.Concatenate(name=f"skip{level + 1}")([skip, x])
        x = conv_block(x, base_filters * 2 ** (level + 1), name=f"up{level + 1}", **options)
    return keras.Model(inputs, segmentation_head(x, num_classes), name="unet3d")


def _check_sides(sides, pool_sizes, shrinks):
    for name, side, factors in zip(("depth", "height", "width"), sides, zip(*pool_sizes, strict=True), strict=True):
        if side is None:
            if shrinks:
                raise ValueError("padding='valid' needs a fixed size, because it crops the skip connections")
            continue
        left = side
        for factor in factors:
            left -= shrinks
            if left < factor or left % factor:
                raise ValueError(
                    f"{name} {side} does not divide by the poolings {factors}"
                    + (", two unpadded convolutions before each" if shrinks else "")
                    + "; take other patches, or other pool_sizes"
                )
            left //= factor
