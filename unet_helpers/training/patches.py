"""Training on volumes in pieces: draw patches, and give neighboring slices as channels."""

import numpy as np

from ..models.inputs import check_images


def draw_patches(volumes, masks, patch_shape, count, *, seed=0, index=None, share=0.5):
    """Cut patches at random places, some of them around a voxel of one class.

    Used in 10.

    Parameters
    ----------
    volumes : sequence of ``(D, H, W)`` or ``(D, H, W, C)`` float
    masks : sequence of ``(D, H, W)`` integer
    patch_shape : (depth, height, width)
        No side longer than that of any volume.
    count : int
    seed : int
    index : int, optional
        The class that must not be missed; without it every place is equally likely.
    share : float
        So many of the patches are drawn around a voxel of that class, which comes to lie anywhere in the patch.
        A volume without the class gives a patch of any place.

    Returns
    -------
    patches : ``(count, d, h, w, C)`` float32
    patch_masks : ``(count, d, h, w)`` of the masks' type
    """
    rng = np.random.default_rng(seed)
    patch_shape = np.asarray(patch_shape)
    for number, (volume, mask) in enumerate(zip(volumes, masks, strict=True)):
        if np.shape(volume)[:3] != np.shape(mask) or np.ndim(mask) != 3:
            raise ValueError(
                f"volume {number} is {np.shape(volume)} and its mask {np.shape(mask)}; give (D, H, W) or (D, H, W, C), "
                "and a mask (D, H, W) of its size"
            )
        check_images(None, volume, f"the slices of volume {number}")
    too_small = [volume.shape[:3] for volume in volumes if (np.asarray(volume.shape[:3]) < patch_shape).any()]
    if too_small:
        raise ValueError(f"a volume is {too_small[0]}, smaller than the patch {tuple(patch_shape.tolist())}; pad it")
    places = None if index is None else [np.argwhere(mask == index) for mask in masks]
    patches, patch_masks = [], []
    for _ in range(count):
        k = int(rng.integers(len(volumes)))
        last = np.asarray(masks[k].shape) - patch_shape
        start = rng.integers(last + 1)
        if places is not None and len(places[k]) and rng.random() < share:
            voxel = places[k][rng.integers(len(places[k]))]
            start = np.clip(voxel - rng.integers(patch_shape), 0, last)
        cut = tuple(slice(a, a + n) for a, n in zip(start, patch_shape, strict=True))
        patches.append(volumes[k][cut])
        patch_masks.append(masks[k][cut])
    patches = np.stack(patches).astype(np.float32)
    return patches if patches.ndim == 5 else patches[..., np.newaxis], np.stack(patch_masks)


def neighbors_as_channels(volume, count=3):
    """Each slice with its neighbors above and below as channels: the input of a 2.5D network.

    Used in 10.

    Parameters
    ----------
    volume : ``(D, H, W)``
    count : int, odd
        The slice itself stands in the middle; beyond the ends the last slice is repeated.

    Returns
    -------
    ``(D, H, W, count)``

    Examples
    --------
    >>> neighbors_as_channels(np.arange(4).reshape(4, 1, 1))[:, 0, 0].tolist()
    [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3]]
    """
    if count < 1 or count % 2 == 0:
        raise ValueError(f"count is {count}; give an odd number, so that the slice itself is in the middle")
    volume = np.asarray(volume)
    levels = np.arange(len(volume))
    shifts = range(-(count // 2), count // 2 + 1)
    return np.stack([volume[np.clip(levels + shift, 0, len(volume) - 1)] for shift in shifts], axis=-1)
