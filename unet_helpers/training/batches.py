"""Batches for training: whole slices, or crops of them.

Most of a slice teaches nothing new, and a small object is in few of the slices: hence crops.
"""

import numpy as np
import tensorflow as tf

from ..models.inputs import check_images


def check_pair(images, targets):
    """Both as float32 of one size without NaN; ValueError that says which shape is wrong."""
    images = check_images(None, images)
    if np.shape(targets)[:-1] != images.shape[:-1] or images.ndim < 3:
        raise ValueError(
            f"the images are {images.shape} and the targets {np.shape(targets)}; give images (N, H, W, C), and for "
            "each of them a target of its size, (N, H, W, K): class indices become targets by make_targets"
        )
    return images, check_images(None, targets, "the targets")


def draw_crops(images, targets, size, *, around=None, share=0.5, image_fill=0.0, seed=0):
    """Crops at random places without end, a share of them around pixels of one class.

    A crop that reaches over the border is filled with one gray value in the image, and with background in the targets.

    Parameters
    ----------
    images : ``(N, H, W, C)`` float32
    targets : ``(N, H, W, K)`` float32
        One-hot, or one channel of 0 and 1.
    size : int
        Side of a crop in pixels.
    around : int, optional
        Class that a share of the crops holds: a slice with it, a pixel of it, and the crop shifted by up to a third of
        its side. Oversampling of the foreground after nnU-Net (Isensee et al. 2021).
    share : float in [0, 1]
    image_fill : float
        Gray value outside the slice: that of air, where a CT has been windowed.
    seed : int

    Yields
    ------
    image ``(size, size, C)``, target ``(size, size, K)``, float32

    Raises
    ------
    ValueError
        If no pixel of the class is there, or images and targets do not belong together.
    """
    images, targets = check_pair(images, targets)
    rng = np.random.default_rng(seed)
    height, width = images.shape[1:3]
    half = size // 2
    border = ((0, 0), (half, size - half), (half, size - half), (0, 0))
    padded = np.pad(images, border, constant_values=image_fill)
    padded_targets = np.pad(targets, border)
    if targets.shape[-1] > 1:
        outside = np.pad(np.zeros(targets.shape[:3], bool), border[:3], constant_values=True)
        padded_targets[outside, 0] = 1
    places = [] if around is None else _places(targets, around)
    while True:
        if places and rng.random() < share:
            index, pixels = places[rng.integers(len(places))]
            shift = rng.integers(-(size // 3), size // 3 + 1, 2)
            row, column = np.clip(pixels[rng.integers(len(pixels))] + shift, 0, (height - 1, width - 1))
        else:
            index, row, column = rng.integers(len(images)), rng.integers(height), rng.integers(width)
        cut = (index, slice(row, row + size), slice(column, column + size))
        yield padded[cut], padded_targets[cut]


def _places(targets, class_index):
    """``[(slice, (M, 2) pixels of the class), …]`` of the slices that hold it."""
    marked = targets[..., 0 if targets.shape[-1] == 1 else class_index] > 0.5
    places = [(index, np.argwhere(mask)) for index, mask in enumerate(marked) if mask.any()]
    if not places:
        raise ValueError(f"no training mask holds class {class_index}; crops cannot be placed around it")
    return places


def make_crop_batches(
    images, targets, size, batch_size=16, *, around=None, share=0.5, image_fill=0.0, augment=None, seed=0
):
    """The ``tf.data`` pipeline over :func:`draw_crops`: batch, augment, prefetch; endless.

    Parameters
    ----------
    images, targets, size, around, share, image_fill, seed
        As in :func:`draw_crops`.
    batch_size : int
    augment : function ``(images, targets) -> (images, targets)``, optional
        From :func:`unet_helpers.data.make_augmenter`.

    Returns
    -------
    tf.data.Dataset of batches ``(batch_size, size, size, C)`` and ``(batch_size, size, size, K)``
    """
    images, targets = check_pair(images, targets)
    shapes = tuple(tf.TensorSpec((size, size, array.shape[-1]), tf.float32) for array in (images, targets))

    def crops():
        return draw_crops(images, targets, size, around=around, share=share, image_fill=image_fill, seed=seed)

    with tf.device("CPU"):
        batches = tf.data.Dataset.from_generator(crops, output_signature=shapes).batch(batch_size, drop_remainder=True)
        if augment is not None:
            batches = batches.map(augment)
        return batches.prefetch(2)


def make_batches(images, targets, batch_size=16, *, shuffle=True, augment=None, seed=0):
    """The ``tf.data`` pipeline: shuffle, batch, augment, prefetch.

    Parameters
    ----------
    images : ``(N, H, W, C)``
    targets : ``(N, H, W, K)``
        Both of any real type; batches are float32.
    batch_size : int
    shuffle : bool
        Another order each epoch; the same orders for the same ``seed`` after the same
        ``keras.utils.set_random_seed``, which TensorFlow mixes in.
    augment : function ``(images, targets) -> (images, targets)``, optional
        From :func:`unet_helpers.data.make_augmenter`.
    seed : int

    Returns
    -------
    tf.data.Dataset of batches, one epoch; the last batch may be smaller.

    Raises
    ------
    ValueError
        If images and targets do not belong together, or hold NaN.
    """
    images, targets = check_pair(images, targets)
    with tf.device("CPU"):
        batches = tf.data.Dataset.from_tensor_slices((images, targets))
        if shuffle:
            batches = batches.shuffle(len(images), seed=seed, reshuffle_each_iteration=True)
        batches = batches.batch(batch_size)
        if augment is not None:
            # one call at a time: parallel calls would draw random numbers in another order each run
            batches = batches.map(augment)
        return batches.prefetch(2)
