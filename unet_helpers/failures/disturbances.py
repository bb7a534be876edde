"""Disturbances of growing strength: at which noise, blur or turn does a network begin to fail?

They change images in Hounsfield units, before the window; where the picture moves, its masks move with it.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

AIR = -1000.0
LEVEL = -600.0  #: of the lung window, around which contrast is turned down


@dataclass(frozen=True)
class Disturbance:
    """One way to disturb an image: what its strength is measured in, and strengths from none to strong."""

    unit: str
    levels: tuple


#: what their strengths measure, and the strengths that are tried, from none on
DISTURBANCES = {
    "noise": Disturbance("standard deviation in HU", (0, 50, 100, 200, 400)),
    "contrast": Disturbance("share of the contrast that is left", (1, 0.8, 0.6, 0.4, 0.2)),
    "blur": Disturbance("standard deviation in mm", (0, 2, 4, 6, 8)),
    "resolution": Disturbance("pixel size as a multiple", (1, 1.5, 2, 3, 4)),
    "rotation": Disturbance("degrees", (0, 5, 10, 20, 40)),
    "shift": Disturbance("mm to the front", (0, 10, 20, 40, 60)),
    "missing rows": Disturbance("share of the rows", (0, 0.05, 0.1, 0.2, 0.4)),
}


def disturb(subset, name, strength, seed=0):
    """A subset whose images are disturbed. Used in 06.

    Parameters
    ----------
    subset : Subset
        Images in HU: ``load_dataset(..., window=None)``, ``subset_of_patients(..., window=None)``.
    name : str
        Of :data:`DISTURBANCES`.
    strength : float
        In the unit stated there.
    seed : int
        Of noise and of the rows that go missing.

    Returns
    -------
    Subset
        Images in HU; masks turned or shifted with them, nearest neighbor.

    Raises
    ------
    ValueError
        If the name is unknown, or the images are scaled to 0–1 already.
    """
    if name not in DISTURBANCES:
        raise ValueError(f"no disturbance {name!r}; choose one of {', '.join(DISTURBANCES)}")
    images = subset.images[..., 0]
    if images.size and images.max() - images.min() <= 10:
        raise ValueError(f"the images run from {images.min():g} to {images.max():g}; give HU, before the window")
    rng = np.random.default_rng(seed)
    masks = subset.masks
    if name == "noise":
        images = images + strength * rng.standard_normal(images.shape)
    elif name == "contrast":
        images = LEVEL + strength * (images - LEVEL)
    elif name == "blur":
        pairs = zip(images, subset.spacing, strict=True)
        images = np.stack([ndimage.gaussian_filter(image, strength / spacing) for image, spacing in pairs])
    elif name == "resolution":
        images = np.stack([_coarsen(image, strength) for image in images])
    elif name == "missing rows":
        lost = rng.random(images.shape[:2]) < strength
        images = np.where(lost[..., None], AIR, images)
    else:
        moved = _rotate if name == "rotation" else _shift
        triples = list(zip(images, masks, subset.spacing, strict=True))
        images = np.stack([moved(image, strength, spacing, 1, AIR) for image, _, spacing in triples])
        masks = np.stack([moved(mask, strength, spacing, 0, 0) for _, mask, spacing in triples])
    return replace(subset, images=images[..., None].astype(np.float32), masks=masks)


def _coarsen(image, factor):
    """Pixels ``factor`` times as large: averaged over their width, sampled, and interpolated back."""
    if factor == 1:
        return image
    height, width = image.shape
    smooth = ndimage.gaussian_filter(image, 0.4 * factor)
    coarse = ndimage.zoom(smooth, (round(height / factor) / height, round(width / factor) / width), order=1)
    return ndimage.zoom(coarse, (height / coarse.shape[0], width / coarse.shape[1]), order=1)


def _rotate(image, degrees, spacing, order, fill):
    return ndimage.rotate(image, degrees, reshape=False, order=order, cval=fill)


def _shift(image, millimeters, spacing, order, fill):
    return ndimage.shift(image, (-millimeters / spacing[0], 0), order=order, cval=fill)
