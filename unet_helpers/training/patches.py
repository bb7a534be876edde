"""Volumes in pieces: draw patches to train on, predict a volume window by window, and measure it in milliliters."""

from dataclasses import dataclass

import numpy as np

# --- measures -------------------------------------------------------------------------------------


def volume_ml(mask, spacing):
    """Volume of the foreground of a binary mask in milliliters (1 ml = 1000 mm³).

    Parameters
    ----------
    mask : ``(D, H, W)`` binary
    spacing : (slice distance, row, column) in mm

    Returns
    -------
    float, 0 for an empty mask

    Raises
    ------
    ValueError
        If the mask is not binary or not three-dimensional, or the spacing is not three positive numbers.

    Examples
    --------
    >>> volume_ml(np.ones((10, 10, 10), bool), (5.0, 1.0, 1.0))
    5.0
    """
    mask, spacing = np.asarray(mask), np.asarray(spacing, dtype=float)
    if mask.ndim != 3:
        raise ValueError(f"mask has shape {mask.shape}; give one volume (D, H, W)")
    if not ((mask == 0) | (mask == 1)).all():
        raise ValueError("mask holds values other than 0 and 1; compare one class at a time with mask == class")
    if spacing.shape != (3,) or not (spacing > 0).all() or not np.isfinite(spacing).all():
        raise ValueError(f"spacing is {spacing.tolist()}; give (slice distance, row, column) in mm")
    return float(np.count_nonzero(mask) * spacing.prod() / 1000)


@dataclass(frozen=True)
class Agreement:
    """Bland and Altman's summary of paired differences: their mean, and where 95 % of them are expected."""

    bias: float
    low: float
    high: float


def limits_of_agreement(measured, reference):
    """Bias and 95 % limits of agreement of two measurements of the same patients (Bland and Altman 1986).

    Parameters
    ----------
    measured, reference : ``(N,)`` float
        One pair per patient, N at least 2.

    Returns
    -------
    Agreement
        The mean of ``measured - reference``, and this mean ± 1.96 standard deviations of the differences
        (with N − 1). The limits speak of the next patient; the interval of the mean is narrower.

    Raises
    ------
    ValueError
        If the lengths differ, fewer than two pairs are given, or a value is not finite.

    Examples
    --------
    >>> limits_of_agreement([11.0, 19.0, 30.0], [10.0, 20.0, 30.0]).bias
    0.0
    """
    measured, reference = np.asarray(measured, dtype=float), np.asarray(reference, dtype=float)
    if measured.shape != reference.shape or measured.ndim != 1 or len(measured) < 2:
        raise ValueError(f"{measured.shape} and {reference.shape} values; give one pair per patient, two at least")
    differences = measured - reference
    if not np.isfinite(differences).all():
        raise ValueError("a value is nan or infinite; leave that patient out of both")
    bias, spread = differences.mean(), 1.96 * differences.std(ddof=1)
    return Agreement(float(bias), float(bias - spread), float(bias + spread))


# --- training -------------------------------------------------------------------------------------


def draw_patches(volumes, masks, patch_shape, count, *, seed=0, index=None, share=0.5):
    """Cut patches at random places, some of them around a voxel of one class.

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


# --- prediction -----------------------------------------------------------------------------------


def window_starts(side, patch, overlap):
    """Where the windows begin along one axis: evenly spread, the last one flush with the end.

    Parameters
    ----------
    side, patch : int
        Lengths in voxels; a side shorter than the patch has one window.
    overlap : float in [0, 1)
        Share of a window that it has in common with the next, at least.

    Returns
    -------
    list of int

    Examples
    --------
    >>> window_starts(64, 32, 0.5)
    [0, 16, 32]
    """
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap is {overlap}; give a share from 0 to below 1, such as 0.5")
    if patch < 1 or side < 1:
        raise ValueError(f"side {side} and patch {patch}; both must be at least 1")
    if side <= patch:
        return [0]
    step = max(int(patch * (1 - overlap)), 1)
    steps = -(-(side - patch) // step)
    return [round(i * (side - patch) / steps) for i in range(steps + 1)]


def window_weights(patch_shape, kind="gaussian"):
    """How much each voxel of a window counts where windows overlap: most in the middle, never nothing.

    Parameters
    ----------
    patch_shape : sequence of int
    kind : "gaussian", "triangular" or "uniform"
        A bell with a standard deviation of an eighth of each side, as nnU-Net has it (Isensee et al. 2021); a
        straight fall to the border; or the plain mean.

    Returns
    -------
    float32 array of that shape, the largest value 1 or a little less
    """
    if kind not in ("gaussian", "triangular", "uniform"):
        raise ValueError(f"kind is {kind!r}; choose 'gaussian', 'triangular' or 'uniform'")
    weights = np.ones(tuple(patch_shape))
    for axis, side in enumerate(patch_shape):
        away = np.abs(np.arange(side) - (side - 1) / 2)
        along = {
            "gaussian": np.exp(-0.5 * (away / (side / 8)) ** 2),
            "triangular": 1 - away / (side / 2),
            "uniform": np.ones(side),
        }[kind]
        weights *= along.reshape([-1 if i == axis else 1 for i in range(len(patch_shape))])
    # corners of a bell in three dimensions are 1e-10: too little for float32 sums where one window stands alone
    return np.maximum(weights, 1e-3).astype(np.float32)


def predict_sliding_window(model, volume, patch_shape, overlap=0.5, weights="gaussian", batch_size=4):
    """Predict a volume of any size with a network that takes patches, and blend where the patches overlap.

    Parameters
    ----------
    model : keras.Model, or function of a batch
        ``(N, d, h, w, C)`` in, ``(N, d, h, w, K)`` out.
    volume : ``(D, H, W)`` or ``(D, H, W, C)`` float
        A side that is shorter than the patch is padded with its border voxels, and cropped back.
    patch_shape : (d, h, w)
    overlap : float in [0, 1)
        Along each axis; 0 lays windows side by side (but for the last, which is flush with the end).
    weights : "gaussian", "triangular" or "uniform"
        See :func:`window_weights`.
    batch_size : int
        Windows per call.

    Returns
    -------
    ``(D, H, W, K)`` float32

    Raises
    ------
    ValueError
        If an axis is missing, an option is out of range, or the model changes the size of a patch.
    """
    volume = np.asarray(volume, dtype=np.float32)
    if volume.ndim not in (3, 4) or len(patch_shape) != 3:
        raise ValueError(f"volume has shape {volume.shape} and the patch {tuple(patch_shape)}; give (D, H, W, C)")
    volume = volume if volume.ndim == 4 else volume[..., np.newaxis]
    shape = volume.shape[:3]
    missing = [max(patch - side, 0) for side, patch in zip(shape, patch_shape, strict=True)]
    before = [gap // 2 for gap in missing]
    around = [(first, gap - first) for first, gap in zip(before, missing, strict=True)]
    padded = np.pad(volume, [*around, (0, 0)], mode="edge")
    starts = [window_starts(n, p, overlap) for n, p in zip(padded.shape, patch_shape, strict=False)]
    corners = [(z, y, x) for z in starts[0] for y in starts[1] for x in starts[2]]
    cuts = [tuple(slice(a, a + n) for a, n in zip(corner, patch_shape, strict=True)) for corner in corners]

    weight = window_weights(patch_shape, weights)[..., np.newaxis]
    total, votes = np.zeros((*padded.shape[:3], 1), np.float32), None
    for first in range(0, len(cuts), batch_size):
        chosen = cuts[first : first + batch_size]
        predicted = np.asarray(model(np.stack([padded[cut] for cut in chosen])))
        if predicted.shape[:4] != (len(chosen), *patch_shape):
            raise ValueError(f"patches {tuple(patch_shape)} became {predicted.shape[1:4]}; use padding='same'")
        if votes is None:
            votes = np.zeros((*padded.shape[:3], predicted.shape[-1]), np.float32)
        for cut, one in zip(chosen, predicted, strict=True):
            votes[cut] += weight * one
            total[cut] += weight
    inside = tuple(slice(first, first + side) for first, side in zip(before, shape, strict=True))
    return (votes / total)[inside]
