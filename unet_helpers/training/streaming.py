"""Train on a folder that is larger than the memory: pairs are read, one batch at a time, while the model works."""

import os

import numpy as np
import tensorflow as tf

from ..data.preprocessing import encode_mask
from ..files.images import read_image, read_mask
from ..files.paths import DataError
from .losses import make_targets


def stream_pairs(
    pairs, num_outputs, *, prepare=None, mask_values=None, batch_size=16, shuffle=True, augment=None, seed=0
):
    """A ``tf.data`` stream of (image, target) batches from files; only a few batches are in memory at a time.

    Used in 14.

    Parameters
    ----------
    pairs : Pairing or list of (image path, mask path)
        What :func:`unet_helpers.pair_files` returns, or a part of its ``pairs``: split by patient first.
    num_outputs : int
        Channels of the model's output: 1 for one sigmoid map, else the number of classes.
    prepare : function ``(image, mask) -> (image, mask)``, optional
        From ``(H, W, C)`` and ``(H, W)`` as they lie in the files to values in 0–1 and one size for all, as
        ``lambda image, mask: (window(image, -600, 1500), mask)`` for HU. One rule for every file, because a stream
        does not know what is still to come. Without it 8 bits are expected, and divided by 255.
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
    shape = _read(*pairs[0], num_outputs, prepare, mask_values)[0].shape

    def read_like_the_first(image_path, mask_path):
        image_path = os.fsdecode(image_path)
        image, target = _read(image_path, os.fsdecode(mask_path), num_outputs, prepare, mask_values)
        if image.shape != shape:
            raise DataError(f"'{image_path}' is {image.shape} but the first is {shape}; give them one size in prepare")
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


def _read(image_path, mask_path, num_outputs, prepare, mask_values):
    """Image ``(H, W, C)`` and target ``(H, W, num_outputs)``, float32."""
    image, mask = read_image(image_path)[0], read_mask(mask_path)
    if image.ndim != 3 or mask.shape != image.shape[:2]:
        raise DataError(f"'{image_path}' is {image.shape} and '{mask_path}' {mask.shape}; slices are expected")
    image, mask = prepare(image, mask) if prepare else (image / np.float32(255), mask)
    if image.ndim != 3 or mask.shape != image.shape[:2]:
        raise DataError(
            f"prepare made {image.shape} of '{image_path}' and {mask.shape} of its mask; keep (H, W, C), (H, W)"
        )
    if not (image.min() >= 0 and image.max() <= 1):  # written so that NaN is refused
        raise DataError(f"'{image_path}' comes to {image.min():g} … {image.max():g}; bring it to 0–1 in prepare")
    try:
        target = make_targets(encode_mask(mask, max(num_outputs, 2), mask_values), num_outputs)
    except ValueError as error:
        raise DataError(f"mask '{mask_path}': {error}") from None
    return image.astype(np.float32), target
