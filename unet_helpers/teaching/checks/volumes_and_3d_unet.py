"""Self-checks of notebook 10, volumes and 3D U-Net."""

import numpy as np

from ._verdict import Wrong, call, exercise, number


@exercise
def volume(function):
    """A function of a 0/1 mask (D, H, W) and a spacing in mm that gives milliliters."""
    rng = np.random.default_rng(0)
    cases = (
        ((6, 20, 9), (5.0, 0.9, 0.8), np.uint8),  # more voxels than a uint8 can count
        ((8, 12, 6), (3.0, 0.7, 0.6), bool),
        ((5, 6, 7), (0.75, 1.5, 0.5), np.int64),
    )
    for shape, spacing, dtype in cases:
        mask = (rng.random(shape) < 0.4).astype(dtype)
        right = int(mask.sum()) * float(np.prod(spacing)) / 1000
        given = number(call(function, mask, spacing))
        if not np.isclose(given, right):
            size = " × ".join(f"{side:g}" for side in spacing)
            shown = f"{int(mask.sum())} voxels of {size} mm give {given:.4g}, not {right:.4g} ml. "
            raise Wrong(shown + _first_hint(given, _wrong_volumes(mask, spacing)))
    given = number(call(function, np.zeros((3, 4, 5), np.uint8), (2.0, 0.5, 0.4)))
    if given != 0:
        raise Wrong(f"a mask without a voxel gives {given:.4g}; its volume is 0 ml.")
    return "A liter of lung is about forty thousand voxels here, and a nodule about a hundred."


def _wrong_volumes(mask, spacing):
    voxels, (deep, high, wide) = int(mask.sum()), spacing
    voxel = deep * high * wide
    cube, cm = "The voxel is no cube: multiply the three lengths.", "1 cm is 10 mm, so 1 cm³ is 10 × 10 × 10 mm³."
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    return [
        (voxels, "That counts voxels; each has a volume of its own."),
        (voxels / 1000, "That counts voxels; each has a volume of its own."),
        (voxel / 1000, "That is the volume of one voxel; the mask has more."),
        (voxels * voxel, "These are mm³; 1 ml is 1 cm³, and that is 1000 mm³."),
        (voxels * voxel / 100, cm),
        (voxels * voxel / 10, cm),
        *((voxels * one**3 / 1000, cube) for one in spacing),
        *((voxels * one * two**2 / 1000, cube) for one in spacing for two in spacing),
        (voxels * np.mean(spacing) ** 3 / 1000, cube),
        (voxels * high * wide / 1000, "The slice distance is missing: that is the area of the pixels."),
        (voxels * sum(spacing) / 1000, "You added the three lengths; a volume is their product."),
        (mask.size * voxel / 1000, "That is the whole array; count the voxels of the mask only."),
        ((mask.size - voxels) * voxel / 1000, "That counts the voxels outside the mask."),
        (int(mask.sum(dtype=np.uint8)) * voxel / 1000, "The sum ran over: a uint8 ends at 255."),
        *((int(mask[at].sum()) * voxel / 1000, "That is one slice; count all of them.") for at in slices),
        *((float(turn(voxels * voxel / 1000)), "It is rounded.") for turn in (np.floor, np.round, np.ceil)),
        (voxels * int(voxel) / 1000, "The volume of a voxel is rounded."),
        (None, "Count the voxels, multiply by the volume of one, divide by 1000."),
    ]


def _first_hint(given, hints):
    """The hint beside the first wrong number that is close to this one; beside None: any."""
    return next(hint for wrong, hint in hints if wrong is None or np.isclose(given, wrong, rtol=1e-4))


@exercise
def receptive_field(function):
    """A function of pool sizes along one axis, and the spacing there, that gives the receptive field in mm."""
    cases = (
        ((2, 3), 1.0), ((2,), 1.0), ((1, 2), 5.0), ((2, 1), 3.0), ((2, 2, 2), 0.8), ((1, 1, 2), 5.0),
        ((3, 1), 0.7), ((2, 4, 1, 2), 1.25), ((), 2.5),
    )  # fmt: skip
    for factors, spacing in cases:
        right = _field(factors) * spacing
        given = number(call(function, factors, spacing))
        if not np.isclose(given, right):
            how = f"poolings by {factors}" if factors else "no pooling at all"
            shown = f"for {how} and {spacing:g} mm it gives {given:g}, not {right:g} mm. "
            raise Wrong(shown + _first_hint(given, _wrong_fields(factors, spacing)))
    return (
        "Along an axis that is pooled less, the network sees fewer voxels, and its view in mm comes nearer to a cube."
    )


def _wrong_fields(factors, spacing):
    voxels, without_last = _field(factors), _field(factors[:-1]) if factors else np.nan
    per_level = "Each level has two convolutions, and each adds two steps."
    whatever = "A pooling reaches factor − 1 steps further, whatever the factor is."
    bottleneck = "The two convolutions of the bottleneck, after the last pooling, are missing."
    of_voxels = [
        (voxels / spacing**2 if spacing != 1 else np.nan, "Multiply by the spacing: each voxel is that many mm."),
        (_field(factors, growing=False), "One step on the map is more voxels after each pooling: let step grow."),
        (_field(factors, bottom=False), bottleneck),
        (_field(factors, reach=lambda factor: 0), "A pooling reaches further as well: by (factor − 1) steps."),
        (_field(factors, reach=lambda factor: factor), "A pooling reaches factor − 1 steps further, not factor."),
        (_field(factors, reach=lambda factor: factor // 2), whatever),
        (_field(factors, reach=lambda factor: 1), whatever),
        (_field(factors, convolutions=1), per_level),
        (_field(factors, convolutions=0.5), per_level),
        (_field([2] * len(factors)), "You took every pooling by 2; use the factors that are given."),
        (_field(factors[::-1]), "The poolings come in the order given, from the top down."),
        (without_last, "The last pooling is missing, with the convolutions above it."),
        (
            _field(factors, late=True),
            "A pooling reaches further in steps of the map above it: let step grow after it.",
        ),
        (voxels - 1, "Start with 1: the voxel itself."),
        (voxels // 2, "That is one side; the field reaches to both."),
    ]
    return [
        (voxels if spacing != 1 else np.nan, "That is a number of voxels; multiply by the spacing."),
        *((wrong * spacing, hint) for wrong, hint in of_voxels),
        *((float(turn(voxels * spacing)), "It is rounded.") for turn in (np.floor, np.round, np.ceil)),
        (None, "Per level: two convolutions of 2 steps; the pooling, factor − 1; step times factor."),
    ]


def _field(factors, growing=True, bottom=True, reach=lambda factor: factor - 1, convolutions=2, late=False):
    """Receptive field in voxels of a bottleneck voxel, or what comes out when something is forgotten."""
    side, step = 1, 1
    for factor in factors:
        side += 2 * convolutions * step
        side += reach(factor) * step * (factor if late else 1)
        step *= factor if growing else 1
    return side + (2 * convolutions * step if bottom else 0)


@exercise
def overlap(function):
    """A function of patch side and border in voxels: the smallest overlap, as a share, that hides the border."""
    for patch, border in ((32, 5), (64, 8), (48, 7), (20, 7), (16, 6), (40, 0)):
        right = 2 * border / patch
        given = number(call(function, patch, border))
        if not np.isclose(given, right):
            shown = f"for patches of {patch} with a border of {border} it gives {given:.4g}, not {right:.4g}. "
            raise Wrong(shown + _first_hint(given, _wrong_overlaps(patch, border, given)))
    return "Half of an overlap hides a border of a quarter of the patch, and costs up to eight times the windows in 3D."


def _wrong_overlaps(patch, border, given):
    share = 2 * border / patch
    gap = (
        "The last good voxel of one patch and the first good one of the next then leave a gap of "
        f"{border}: both patches have a border."
    )
    step = "That is the step from patch to patch, as a share; the overlap is the rest."
    if not border:
        return [(1, step), (None, "Where nothing is cut off, patches need no overlap.")]
    return [
        (2 * border, "Those are voxels; give the share of the patch."),
        (border, "Those are voxels; give the share of the patch."),
        (100 * share, "That is in percent; give the share of the patch."),
        (border / patch, gap),
        (1 - share, step),
        (1 / share, "That is turned over: divide the voxels of the border by those of the patch."),
        (2 * border / (patch - border), "The share is that of the whole patch."),
        (2 * border / (patch - 2 * border), "The share is that of the whole patch, with its border."),
        *(((2 * border + one) / patch, "One voxel too many or too few: good middles may touch.") for one in (1, -1)),
        (0.5, "No overlap serves every border: a border of more than a quarter of the patch needs more than one half, "
              "and a narrow one less."),
        *((round(share, digits), "It is rounded; give all digits.") for digits in (1, 2)),
        (given if given >= 1 else np.nan, "With an overlap of 1 or more the window would never move."),
        (given if given > share else np.nan, "It hides the border, but so does a smaller overlap, with fewer patches."),
        (None, "Draw two patches on paper: their good middles must touch."),
    ]  # fmt: skip
