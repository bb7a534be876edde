"""Joint augmentation: one random change, applied to image and mask together."""

import keras
import numpy as np
from keras import layers

from .preprocessing import one_hot


def make_augmenter(
    *,
    rotation=10.0,
    zoom=0.1,
    translation=0.05,
    flip=None,
    transpose=False,
    brightness=0.0,
    contrast=0.0,
    image_fill=0.0,
    seed=0,
):
    """Build a function that changes a batch of images and their masks in the same way.

    Masks move with the nearest neighbor, so that no class appears between two others, and what
    enters from outside is background. Keras's own layers do the work; RandomFlip, RandomRotation,
    RandomZoom and RandomTranslation were checked to move both alike, RandomElasticTransform does not.

    Parameters
    ----------
    rotation : float
        Largest angle in degrees, either way.
    zoom, translation : float
        Largest relative change of size, and shift as a fraction of the picture.
    flip : None, "horizontal", "vertical" or "horizontal_and_vertical"
        None by default: a chest has its heart on the left.
    transpose : bool
        Exchange rows and columns of every second image; with both flips, all eight orientations.
        Square images only: half of a batch would stand and half would lie.
    brightness, contrast : float
        Largest shift of gray values in 0–1, and relative change of contrast; images only.
    image_fill : float
        Gray value that enters from outside; 0 is black in any window.
    seed : int

    Returns
    -------
    function ``(images, targets) -> (images, targets)``
        ``(N, H, W, C)`` float32 each; for ``tf.data``'s ``map``, or called on arrays. It raises ``ValueError`` for
        images without a channel axis, for targets of another size, for ``transpose`` of images that are not square, and
        in ``tf.data`` on another backend than TensorFlow.
    """
    # Keras fills masks with the same value: images are shifted so that 0 is what enters both
    fill = {"fill_mode": "constant", "fill_value": 0.0}
    steps = []
    if flip:
        steps.append(layers.RandomFlip(flip, seed=seed))
    if rotation:
        steps.append(layers.RandomRotation(rotation / 360, seed=seed + 1, **fill))
    if zoom:
        steps.append(layers.RandomZoom((-zoom, zoom), (-zoom, zoom), seed=seed + 2, **fill))
    if translation:
        steps.append(layers.RandomTranslation(translation, translation, seed=seed + 3, **fill))
    gray = []
    if brightness:
        gray.append(layers.RandomBrightness(brightness, value_range=(0, 1), seed=seed + 4))
    if contrast:
        gray.append(layers.RandomContrast(contrast, value_range=(0, 1), seed=seed + 5))

    coins = keras.random.SeedGenerator(seed + 6)

    def augment(images, targets):
        _check_batch(images, targets, transpose)
        num_outputs = targets.shape[-1]
        # class indices as one channel: nearest-neighbor layers move indices, and background is 0
        masks = targets if num_outputs == 1 else keras.ops.argmax(targets, axis=-1)[..., None]
        masks = keras.ops.cast(masks, "float32")
        # RandomFlip refuses arrays beside tensors
        images = keras.ops.cast(keras.ops.convert_to_tensor(images), "float32") - image_fill
        if transpose:
            coin = keras.random.uniform((keras.ops.shape(images)[0], 1, 1, 1), seed=coins) < 0.5
            images, masks = (keras.ops.where(coin, keras.ops.swapaxes(x, 1, 2), x) for x in (images, masks))
        for step in steps:
            moved = step({"images": images, "segmentation_masks": masks}, training=True)
            images, masks = moved["images"], moved["segmentation_masks"]
        images = images + image_fill
        for step in gray:
            images = step(images, training=True)
        if num_outputs > 1:
            targets = keras.ops.one_hot(keras.ops.cast(masks[..., 0], "int32"), num_outputs)
        else:
            targets = keras.ops.cast(masks, "float32")
        return images, targets

    return augment


def _check_batch(images, targets, transpose):
    if type(images).__module__.startswith("tensorflow") and keras.backend.backend() != "tensorflow":
        raise ValueError(
            "the augmentation in tf.data needs Keras's TensorFlow backend, and this is "
            f"{keras.backend.backend()}: set KERAS_BACKEND=tensorflow before Python starts, or augment arrays in memory"
        )
    if len(images.shape) != 4 or len(targets.shape) != 4 or tuple(images.shape[:3]) != tuple(targets.shape[:3]):
        raise ValueError(
            f"the images are {tuple(images.shape)} and the targets {tuple(targets.shape)}; give (N, H, W, C) and, of "
            "the same size, (N, H, W, K)"
        )
    if transpose and images.shape[1] != images.shape[2]:
        raise ValueError(
            f"transpose=True takes square images only, and these are {images.shape[1]}×{images.shape[2]}; crop or pad "
            "them to a square, or leave transpose out"
        )


def augment_arrays(images, masks, **options):
    """One augmented copy of images ``(N, H, W, C)`` and masks ``(N, H, W)``, as arrays, to look at."""
    num_classes = max(int(np.max(masks)) + 1, 2)
    targets = one_hot(masks, num_classes)
    images, targets = make_augmenter(**options)(np.asarray(images, np.float32), targets)
    return np.asarray(images), np.asarray(targets).argmax(axis=-1).astype(np.uint8)
