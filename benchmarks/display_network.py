"""Pictures in unknown display windows, in training, and a network that takes them in any size."""

import functools

import numpy as np

from unet_helpers.data import BRIGHTEST, DARKEST, WHOLE_RANGE, WINDOWS

# isort: split
# Keras loads TensorFlow, which unet_helpers has to load first
import keras
from keras import ops


def make_display_augmenter(
    *,
    rotation=12.0,
    zoom=(0.75, 1.3),
    translation=0.08,
    mirror=0.5,
    upside_down=0.1,
    transpose=0.08,
    shear=0.08,
    seed=0,
):
    """Build a function that shows slices in HU as unknown programs would: moved, windowed, 8 bits, stretched.

    Parameters
    ----------
    rotation : float
        Largest angle in degrees, either way.
    zoom : (float, float)
        Smallest and largest size; height and width differ by up to ``shear`` besides.
    translation : float
        Largest shift as a share of the picture.
    mirror, upside_down, transpose : float
        How often left and right, top and bottom, and rows and columns are exchanged: some programs store slices that
        way. Only square pictures are transposed.
    shear : float
    seed : int

    Returns
    -------
    function ``(hu, masks) -> (images, targets)``
        ``(N, H, W, 1)`` float32 HU and 0/1; images in 0–1, prepared like :func:`prepare_display_slice`; targets are
        shares of a pixel, because a moved mask is interpolated. For ``tf.data``'s ``map``.
    """
    seeds = keras.random.SeedGenerator(seed)
    bounds = np.array([bounds for bounds, _ in WINDOWS.values()] + [(0, 0, 1, 1)], np.float32)
    shares = np.array([*(share for _, share in WINDOWS.values()), WHOLE_RANGE], np.float32)

    def uniform(count, low, high):
        return keras.random.uniform((count, 1, 1, 1), low, high, seed=seeds)

    def coin(count, share):
        return uniform(count, 0.0, 1.0) < share

    def move(hu, masks, count):
        height, width = hu.shape[1:3]
        angle, scale = uniform(count, -rotation, rotation) * (np.pi / 180), 1 / uniform(count, *zoom)
        sx, sy = scale * uniform(count, 1 - shear, 1 + shear), scale * uniform(count, 1 - shear, 1 + shear)
        sx, sy = ops.where(coin(count, mirror), -sx, sx), ops.where(coin(count, upside_down), -sy, sy)
        a, b, c, d = sx * ops.cos(angle), -sy * ops.sin(angle), sx * ops.sin(angle), sy * ops.cos(angle)
        cx, cy = (width - 1) / 2, (height - 1) / 2
        tx = cx - a * cx - b * cy + uniform(count, -translation, translation) * width
        ty = cy - c * cx - d * cy + uniform(count, -translation, translation) * height
        zero = ops.zeros_like(a)
        matrix = ops.concatenate([a, b, tx, c, d, ty, zero, zero], axis=-1)[:, 0, 0]
        fill = hu[:, :1, :1]  # outside is what the corner shows: air or padding
        options = {"interpolation": "bilinear", "fill_mode": "constant", "fill_value": 0.0}
        hu = ops.image.affine_transform(hu - fill, matrix, **options) + fill
        return hu, ops.image.affine_transform(masks, matrix, **options)

    def show(hu, count):
        kind = keras.random.categorical(ops.log(shares)[None], count, seed=seeds)[0]
        ends = ops.reshape(ops.take(bounds, kind, axis=0), (-1, 1, 1, 4))
        level = ends[..., :1] + uniform(count, 0, 1) * (ends[..., 1:2] - ends[..., :1])
        width = ends[..., 2:3] + uniform(count, 0, 1) * (ends[..., 3:] - ends[..., 2:3])
        whole = ops.reshape(kind == len(WINDOWS), (-1, 1, 1, 1))
        least, most = ops.min(hu, axis=(1, 2, 3), keepdims=True), ops.max(hu, axis=(1, 2, 3), keepdims=True)
        low = ops.where(whole, least, level - width / 2)
        high = ops.where(whole, ops.maximum(most, least + 1), level + width / 2)
        shown = ops.clip((hu - low) / (high - low), 0, 1)
        # a display's gamma, now and then; then what 8 bits leave
        gamma = ops.where(coin(count, 0.3), ops.exp(uniform(count, -0.5, 0.5)), 1.0)
        shown = ops.power(shown, gamma)
        noise = ops.where(coin(count, 0.3), uniform(count, 0, 0.04), 0.0)
        shown = ops.clip(shown + noise * keras.random.normal(ops.shape(shown), seed=seeds), 0, 1)
        return ops.round(255 * shown) / 255

    def blur(images, count):
        smooth = ops.average_pool(images, 3, strides=1, padding="same")
        share = ops.where(coin(count, 0.35), uniform(count, -0.6, 1.0), 0.0)  # below 0 it sharpens
        return ops.clip(images + share * (smooth - images), 0, 1)

    def stretch(images):
        few = images[:, 1::4, 1::4]  # enough to tell the quantiles
        pixels = few.shape[1] * few.shape[2]
        values = ops.sort(ops.reshape(few, (-1, pixels)), axis=1)
        low, high = values[:, int(DARKEST * pixels)], values[:, int(BRIGHTEST * pixels)]
        low, high = (ops.reshape(end, (-1, 1, 1, 1)) for end in (low, high))
        return ops.clip((images - low) / ops.maximum(high - low, 1e-3), 0, 1)

    def augment(hu, masks):
        count = ops.shape(hu)[0]
        hu, masks = move(ops.cast(hu, "float32"), ops.cast(masks, "float32"), count)
        if transpose and hu.shape[1] == hu.shape[2]:
            turned = coin(count, transpose)
            hu, masks = (ops.where(turned, ops.swapaxes(x, 1, 2), x) for x in (hu, masks))
        return stretch(blur(show(hu, count), count)), masks

    return augment


def for_any_size(model, gammas=(1.0,)):
    """Wrap a network of fixed input size so that it takes pictures of any size.

    The picture is resized to the network's size, and its probabilities back, by linear interpolation: a chest then
    looks to the network as large as it has learned it. Only Keras's own operations: the saved file needs no custom
    objects.

    Parameters
    ----------
    model : keras.Model, ``(N, h, w, 1) -> (N, h, w, K)``
    gammas : sequence of float
        The picture is shown with each of these exponents, and for each pixel the largest probability counts:
        test-time augmentation for a network of one map that errs towards drawing too little.

    Returns
    -------
    keras.Model, ``(N, H, W, 1) -> (N, H, W, K)``
    """
    height, width = model.input_shape[1:3]
    image = keras.Input((None, None, 1), name="image")
    small = keras.layers.Resizing(height, width, interpolation="bilinear")(image)
    views = [model(small if gamma == 1 else ops.power(ops.clip(small, 0, 1), gamma)) for gamma in gammas]
    found = functools.reduce(ops.maximum, views)
    rows = _interpolation(image[:, :, :1, 0], height)
    columns = _interpolation(ops.swapaxes(image[:, :1, :, 0], 1, 2), width)
    back = ops.einsum("nhi,nijk,nwj->nhwk", rows, found, columns)
    return keras.Model(image, back, name=f"{model.name}_any_size")


def _interpolation(line, size):
    """Weights (N, length, size) that interpolate from ``size`` points to the length of ``line`` (N, length, 1)."""
    number = ops.cumsum(ops.ones_like(line), axis=1)  # 1 … length
    last = ops.max(number, axis=1, keepdims=True)
    place = ops.clip((number - 0.5) * size / last - 0.5, 0, size - 1)
    points = ops.reshape(ops.arange(size, dtype="float32"), (1, 1, size))
    return ops.relu(1 - ops.abs(place - points))
