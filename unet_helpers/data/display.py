"""Pictures in unknown display windows: what a network must cope with that gets 8-bit slices instead of HU.

A folder of PNG or JPEG slices has been through a display window, and often nobody knows which: lungs may be gray or
fully black, bone white or gray. :func:`prepare_display_slice` brings such a picture into the form that the network of
``benchmarks/train_on_phantom.py`` has learned to read.
"""

import numpy as np

from .preprocessing import resize_image

#: quantiles of the pixels that become 0 and 1
DARKEST, BRIGHTEST = 0.005, 0.995

#: level and width in HU, each between a smallest and a largest value; and how often the kind is drawn
WINDOWS = {
    "lung": ((-750, -400, 900, 2000), 0.28),
    "soft tissue": ((0, 90, 250, 500), 0.22),
    "mediastinum, wide": ((-150, 150, 500, 1300), 0.12),
    "bone": ((250, 600, 1200, 2600), 0.08),
    "everything that is stored": ((-1000, 1000, 2500, 6500), 0.15),
}
WHOLE_RANGE = 0.15  #: how often a slice is shown from its own smallest to its own largest value


def prepare_display_slice(pixels, shape):
    """Turn a slice of unknown display window into what the network of ``benchmarks/train_on_phantom.py`` takes.

    Gray, resized, and stretched so that the darkest half percent of the pixels is 0 and the brightest is 1. The
    window itself is not undone, as it cannot be: where lung and air are both black, they stay so.

    Parameters
    ----------
    pixels : ``(H, W)``, ``(H, W, 1)``, ``(H, W, 3)`` or ``(H, W, 4)``
        uint8 as a picture file gives it; other whole numbers or floats do as well. Colors are averaged, a fourth
        channel (alpha) is ignored.
    shape : (int, int)
        Height and width of the result, multiples of 16.

    Returns
    -------
    ``shape`` float32 in 0–1; all 0 for a picture of one value.

    Raises
    ------
    ValueError
        If it is no picture, or holds NaN or infinite values.
    """
    pixels = np.asarray(pixels)
    if pixels.ndim not in (2, 3) or not pixels.size or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4)):
        raise ValueError(f"pixels have shape {pixels.shape}; give one slice, (H, W) or (H, W, channels)")
    if len(shape) != 2 or any(side < 16 or side % 16 for side in shape):
        raise ValueError(f"shape is {tuple(shape)}; give height and width as multiples of 16, e.g. (256, 256)")
    gray = pixels.astype(np.float32)
    if not np.isfinite(gray).all():
        raise ValueError("the slice holds NaN or infinite values; repair it first")
    gray = gray[..., :3].mean(axis=-1) if gray.ndim == 3 else gray
    gray = resize_image(gray[..., np.newaxis], shape)[..., 0]
    low, high = np.quantile(gray, (DARKEST, BRIGHTEST))
    if not high > low:
        low, high = gray.min(), gray.max()
    return np.clip((gray - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)


def show_in_random_windows(hu, seed=0):
    """Show each slice in a window drawn at random, stored in 8 bits and prepared as a picture file would be.

    Parameters
    ----------
    hu : ``(N, H, W, 1)`` float, HU
    seed : int

    Returns
    -------
    ``(N, H, W, 1)`` float32 in 0–1
    """
    rng = np.random.default_rng(seed)
    shown = np.empty(hu.shape, np.float32)
    for image, out in zip(hu, shown, strict=True):
        low, high = draw_window(rng, float(image.min()), float(image.max()))
        pixels = np.rint(np.clip((image[..., 0] - low) / (high - low), 0, 1) * 255).astype(np.uint8)
        out[..., 0] = prepare_display_slice(pixels, image.shape[:2])
    return shown


def draw_window(rng, smallest, largest):
    """Lower and upper end in HU of a window drawn from :data:`WINDOWS`, or the slice's own range."""
    shares = np.array([*(share for _, share in WINDOWS.values()), WHOLE_RANGE])
    kind = rng.choice(len(shares), p=shares / shares.sum())
    if kind == len(WINDOWS):
        return smallest, max(largest, smallest + 1)
    least_level, most_level, least_width, most_width = list(WINDOWS.values())[kind][0]
    level, width = rng.uniform(least_level, most_level), rng.uniform(least_width, most_width)
    return level - width / 2, level + width / 2
