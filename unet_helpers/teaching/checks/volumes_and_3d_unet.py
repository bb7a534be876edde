"""Self-checks of notebook 10, volumes and 3D U-Net."""

import numpy as np

from ._verdict import Wrong, call, exercise, number


@exercise
def volume(function):
    """A function of a 0/1 mask (D, H, W) and a spacing in mm that gives milliliters."""
    rng = np.random.default_rng(0)
    for shape, spacing in (((4, 10, 10), (5.0, 0.9, 0.9)), ((8, 12, 6), (3.0, 0.7, 0.7)), ((5, 6, 7), (2.5, 0.8, 0.9))):
        mask = (rng.random(shape) < 0.4).astype(np.uint8)
        voxels, voxel = int(mask.sum()), float(np.prod(spacing))
        right = voxels * voxel / 1000
        given = number(call(function, mask, spacing))
        if np.isclose(given, right):
            continue
        size = " × ".join(f"{side:g}" for side in spacing)
        shown = f"{voxels} voxels of {size} mm give {given:.4g}, not {right:.4g} ml. "
        if np.isclose(given, voxels):
            raise Wrong(shown + "That counts voxels; each has a volume of its own.")
        if np.isclose(given, voxels * voxel):
            raise Wrong(shown + "These are mm³; 1 ml is 1 cm³, and that is 1000 mm³.")
        if np.isclose(given, voxels * voxel / 100) or np.isclose(given, voxels * voxel / 10):
            raise Wrong(shown + "1 cm is 10 mm, so 1 cm³ is 10 × 10 × 10 mm³.")
        if any(np.isclose(given, voxels * one**3 / 1000) for one in spacing):
            raise Wrong(shown + "The voxel is no cube: multiply the three lengths.")
        if np.isclose(given, voxels * spacing[1] * spacing[2] / 1000):
            raise Wrong(shown + "The slice distance is missing: that is the area of the pixels.")
        if np.isclose(given, voxels * sum(spacing) / 1000):
            raise Wrong(shown + "You added the three lengths; a volume is their product.")
        if np.isclose(given, mask.size * voxel / 1000):
            raise Wrong(shown + "That is the whole array; count the voxels of the mask only.")
        raise Wrong(shown + "Count the voxels, multiply by the volume of one, divide by 1000.")
    return "A liter of lung is about forty thousand voxels here, and a nodule about a hundred."


@exercise
def receptive_field(function):
    """A function of pool sizes along one axis, and the spacing there, that gives the receptive field in mm."""
    for factors, spacing in (((2, 2), 1.0), ((2,), 1.0), ((1, 2), 5.0), ((2, 2, 2), 0.8), ((1, 1, 2), 5.0)):
        right = _field(factors) * spacing
        given = number(call(function, factors, spacing))
        if np.isclose(given, right):
            continue
        shown = f"for poolings by {factors} and {spacing:g} mm it gives {given:g}, not {right:g} mm. "
        if spacing != 1 and np.isclose(given, _field(factors)):
            raise Wrong(shown + "That is a number of voxels; multiply by the spacing.")
        if np.isclose(given, _field(factors, growing=False) * spacing):
            raise Wrong(shown + "Below a pooling by 2 one step on the map is two voxels of the volume: let step grow.")
        if np.isclose(given, _field(factors, bottom=False) * spacing):
            raise Wrong(shown + "The two convolutions of the bottleneck, after the last pooling, are missing.")
        if np.isclose(given, _field(factors, pooling=False) * spacing):
            raise Wrong(shown + "A pooling reaches further, too: by (factor − 1) steps.")
        if np.isclose(given, _field(factors, convolutions=1) * spacing):
            raise Wrong(shown + "Each level has two convolutions, and each adds two steps.")
        if np.isclose(given, _field([2] * len(factors)) * spacing):
            raise Wrong(shown + "You took every pooling by 2; use the factors that are given.")
        if np.isclose(given, (_field(factors) - 1) * spacing):
            raise Wrong(shown + "Start with 1: the voxel itself.")
        raise Wrong(shown + "Per level: two convolutions of 2 steps; the pooling, factor − 1; step times factor.")
    return "Along an axis that is pooled less, the network sees fewer voxels, and about as many mm."


def _field(factors, growing=True, bottom=True, pooling=True, convolutions=2):
    """Receptive field in voxels of a bottleneck voxel, or what comes out when something is forgotten."""
    side, step = 1, 1
    for factor in factors:
        side += 2 * convolutions * step
        if pooling:
            side += (factor - 1) * step
        if growing:
            step *= factor
    return side + (2 * convolutions * step if bottom else 0)


@exercise
def overlap(function):
    """A function of patch side and border in voxels: the smallest overlap, as a share, that hides the border."""
    for patch, border in ((32, 4), (64, 8), (48, 6), (16, 4)):
        right = 2 * border / patch
        given = number(call(function, patch, border))
        if np.isclose(given, right):
            continue
        shown = f"for patches of {patch} with a border of {border} it gives {given:g}, not {right:g}. "
        if np.isclose(given, 2 * border):
            raise Wrong(shown + "Those are voxels; give the share of the patch.")
        if np.isclose(given, border / patch):
            raise Wrong(
                shown + "The last good voxel of one patch and the first good one of the next then leave a gap of "
                f"{border}: both patches have a border."
            )
        if np.isclose(given, 1 - right):
            raise Wrong(shown + "That is the step from patch to patch, as a share; the overlap is the rest.")
        if given >= 1:
            raise Wrong(shown + "With an overlap of 1 the window would never move.")
        if given > right:
            raise Wrong(shown + "It hides the border, but a smaller overlap does too, with fewer patches.")
        raise Wrong(shown + "Draw two patches on paper: their good middles must touch.")
    return "Half of an overlap hides a border of a quarter of the patch, and costs up to eight times the windows in 3D."
