"""The rules by which nnU-Net derives a U-Net from a data set, to be read in class.

Written anew from the supplement of Isensee et al. 2021 and from the planner of nnU-Net v2; left out are the stage of
low resolution, the normalization of gray values and the order of the axes. They give the numbers of real plans
(``tests/models/test_nnunet_rules.py``). Used in 08.
"""

from dataclasses import dataclass

import numpy as np

#: by the number of axes: numbers that fit into 8 GB, the batch for which that was counted, side of the first
#: patch, most channels
BUDGET = {2: (85e6, 12, 2048, 512), 3: (560e6, 2, 256, 320)}
FIRST_CHANNELS = 32
SMALLEST_MAP = 4  # pixels along a side, at the bottom
ANISOTROPIC = 3  # from this ratio on, thick slices get a spacing of their own


@dataclass(frozen=True)
class Plan:
    """What follows from the data: one entry of ``strides`` and ``kernels`` for each stage."""

    spacing: tuple  # mm, to which all images are resampled
    patch: tuple  # voxels
    batch_size: int
    strides: tuple
    kernels: tuple
    channels: tuple


def target_spacing(spacings, shapes):
    """The spacing to which all images are resampled: the median, for thick slices the 10th percentile of that axis.

    Parameters
    ----------
    spacings, shapes : ``(N, 3)``
        Of all training images, in mm and in voxels.

    Returns
    -------
    ``(3,)`` float
    """
    spacings, shapes = np.asarray(spacings, float), np.asarray(shapes, float)
    target, size = np.median(spacings, axis=0), np.median(shapes, axis=0)
    thick = np.argmax(target)
    others = np.delete(np.arange(3), thick)
    is_coarse = target[thick] > ANISOTROPIC * target[others].max()
    has_few = size[thick] * ANISOTROPIC < size[others].min()
    if is_coarse and has_few:
        target[thick] = max(np.percentile(spacings[:, thick], 10), target[others].max())
    return target


def plan_network(spacing, median_shape, num_classes=2, cases=None, gigabytes=8):
    """Patch, batch, strides and channels of a U-Net that fits into the memory.

    Parameters
    ----------
    spacing : sequence of float
        mm, after resampling; two or three axes, slices first.
    median_shape : sequence of float
        Voxels, after resampling.
    num_classes : int
        With the background.
    cases : int, optional
        Training images: a batch then holds at most 5 % of all voxels.
    gigabytes : float
        Memory of the GPU that the plan may fill.

    Returns
    -------
    Plan
        ``strides[0]`` is 1 along each axis: the first stage has the full size.

    Raises
    ------
    ValueError
        If spacing and shape have not the same two or three axes, or are not positive.
    """
    spacing, median = np.asarray(spacing, float), np.asarray(median_shape, float)
    if spacing.shape != median.shape or len(spacing) not in BUDGET or not (spacing > 0).all() or not (median > 0).all():
        raise ValueError(
            f"the spacing is {spacing.tolist()} and the shape {median.tolist()}: "
            "give two or three numbers above 0 for each"
        )
    numbers, batch, side, most = BUDGET[len(spacing)]
    numbers *= gigabytes / 8
    # a patch with equal sides in mm, no larger than the images
    patch = np.minimum(np.round(side * np.prod(spacing) ** (1 / len(spacing)) / spacing), median)
    patch, strides = divisible(spacing, patch)
    while numbers_kept(patch, strides, num_classes, most) > numbers * batch / 2:
        axis = np.argsort(patch / median, kind="stable")[-1]
        # the smallest step after which the patch can still be halved as often
        smaller = np.array(patch)
        smaller[axis] -= np.prod(strides, axis=0)[axis]
        patch[axis] -= np.prod(divisible(spacing, smaller)[1], axis=0)[axis]
        patch, strides = divisible(spacing, patch)
    batch_size = round(numbers / numbers_kept(patch, strides, num_classes, most) * batch)
    if cases is not None:
        batch_size = min(batch_size, round(0.05 * cases * np.prod(median) / np.prod(patch)))
    return Plan(
        tuple(spacing.tolist()),
        tuple(patch.tolist()),
        max(batch_size, 2),
        tuple(map(tuple, strides.tolist())),
        kernels(spacing, strides),
        channels_of(len(strides), most),
    )


def divisible(spacing, patch):
    """The patch, enlarged until it can be halved as often as the rule wants; and the strides of the stages."""
    strides = [np.ones(len(patch), int)]
    while (stride := halved_axes(spacing, patch, np.prod(strides, axis=0))).max() == 2:
        strides.append(stride)
    factor = np.prod(strides, axis=0)
    return (np.ceil(patch / factor) * factor).astype(int), np.array(strides)


def halved_axes(spacing, patch, factor):
    """The next stride along each axis, 2 or 1, when the axes have been made smaller by ``factor`` so far.

    An axis is halved while that leaves at least four voxels, and only together with those of nearly the same spacing:
    thick slices wait until the pixels have become as wide.
    """
    size, spacing = np.ceil(patch / factor), np.asarray(spacing) * factor
    long = size >= 2 * SMALLEST_MAP
    if not long.any():
        return np.ones(len(size), int)
    chosen = long & (spacing < 2 * spacing[long].min())
    if chosen.sum() == 1 and size[chosen][0] < 3 * SMALLEST_MAP:
        return np.ones(len(size), int)
    return np.where(chosen, 2, 1)


def kernels(spacing, strides):
    """Kernel sizes of the stages: 1 across thick slices, 3 from where the pixels are more than half as wide."""
    wide = np.zeros(len(spacing), bool)
    sizes = []
    for factor in np.cumprod(strides, axis=0)[:-1]:
        here = np.asarray(spacing) * factor
        wide |= here < 2 * here.min()
        sizes.append(tuple(np.where(wide, 3, 1).tolist()))
    return (*sizes, (3,) * len(spacing))


def channels_of(stages, most):
    """Channels of each stage: doubled from 32 until the most."""
    return tuple(min(FIRST_CHANNELS * 2**stage, most) for stage in range(stages))


def numbers_kept(patch, strides, num_classes, most):
    """Numbers in the feature maps of one patch: two convolutions a stage, down and up, enlarged maps, output."""
    voxels = np.prod(patch // np.cumprod(strides, axis=0), axis=1)
    maps = voxels * channels_of(len(strides), most)
    return int(2 * maps.sum() + 3 * maps[:-1].sum() + num_classes * voxels[0])
