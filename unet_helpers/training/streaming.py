"""Train on a folder that is larger than the memory: pairs are read, one batch at a time, while the model works."""

import os

import numpy as np
import tensorflow as tf

from ..data.preprocessing import encode_mask, resize_image, resize_mask
from ..files.images import read_image, read_mask
from ..files.paths import DataError
from .losses import make_targets


def stream_pairs(
    pairs,
    num_outputs,
    *,
    batch_size=16,
    size=None,
    value_range=(0, 255),
    clip=False,
    mask_values=None,
    shuffle=True,
    augment=None,
    seed=0,
):
    """A ``tf.data`` stream of (image, target) batches from files; only a few batches are in memory at a time.

    Parameters
    ----------
    pairs : Pairing or list of (image path, mask path)
        What :func:`unet_helpers.pair_files` returns, or a part of its ``pairs``: split by patient first.
    num_outputs : int
        Channels of the model's output: 1 for one sigmoid map, else the number of classes.
    size : int, optional
        Height and width; without it every file must have the size of the first.
    value_range : (float, float)
        The stored values that become 0 and 1: (0, 255) for 8 bit, (0, 65535) for 16 bit, (-1350, 150) for a lung
        window in HU. One rule for all files, because a stream does not know what is still to come.
    clip : bool
        Cut values outside of the range, as a window does; without it they are an error that names the file.
    mask_values : dict of int to int, optional
        As in :func:`unet_helpers.data.encode_mask`.
    shuffle, augment, seed
        As in :func:`unet_helpers.make_batches`.

    Returns
    -------
    tf.data.Dataset of ``(N, H, W, C)`` and ``(N, H, W, num_outputs)`` float32, one epoch

    Raises
    ------
    DataError
        At once for an empty list or an unusable first pair; for a later file the stream raises TensorFlow's error,
        in which the sentence of the ``DataError`` stands.
    """
    pairs = getattr(pairs, "pairs", pairs)
    if not pairs:
        raise DataError("no pair to read; print the pairing to see why")
    classes = max(num_outputs, 2)

    def read(image_path, mask_path):
        image, mask = read_image(image_path)[0], read_mask(mask_path)
        if image.ndim != 3 or mask.shape != image.shape[:2]:
            raise DataError(f"'{image_path}' is {image.shape} and '{mask_path}' {mask.shape}; slices are expected")
        low, high = value_range
        image = (image - np.float32(low)) / np.float32(high - low)
        if clip:
            image = np.clip(image, 0, 1)
        elif image.min() < 0 or image.max() > 1:
            raise DataError(f"'{image_path}' holds values outside of {value_range}; change value_range, or clip")
        if size is not None:
            image, mask = resize_image(image, (size, size)), resize_mask(mask, (size, size))
        try:
            return image, make_targets(encode_mask(mask, classes, mask_values), num_outputs)
        except ValueError as error:
            raise DataError(f"mask '{mask_path}': {error}") from None

    shape = read(*pairs[0])[0].shape

    def read_like_the_first(image_path, mask_path):
        image_path = os.fsdecode(image_path)
        image, target = read(image_path, os.fsdecode(mask_path))
        if image.shape != shape:
            raise DataError(f"'{image_path}' is {image.shape} but the first is {shape}; pass size, e.g. size=128")
        return image, target

    def load(paths):
        image, target = tf.numpy_function(read_like_the_first, [paths[0], paths[1]], [tf.float32, tf.float32])
        return tf.ensure_shape(image, shape), tf.ensure_shape(target, (*shape[:2], num_outputs))

    with tf.device("CPU"):
        stream = tf.data.Dataset.from_tensor_slices([[os.fsencode(image), os.fsencode(mask)] for image, mask in pairs])
        if shuffle:
            stream = stream.shuffle(len(pairs), seed=seed, reshuffle_each_iteration=True)  # of names, not of pictures
        stream = stream.map(load, num_parallel_calls=2, deterministic=True).batch(batch_size)
        if augment is not None:
            stream = stream.map(augment)
        return stream.prefetch(2)
