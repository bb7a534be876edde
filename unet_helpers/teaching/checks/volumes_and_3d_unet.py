"""Self-checks of notebook 10, volumes and 3D U-Net."""

import numpy as np

from ._numbers import ROUNDED, compare
from ._verdict import exercise


@exercise
def volume(function):
    """A function of a 0/1 mask (D, H, W) and a spacing in mm that gives milliliters."""
    rng, cases = np.random.default_rng(0), {}
    for shape, spacing, dtype in (
        ((6, 50, 29), (5.0, 0.9, 0.8), np.uint8),  # more voxels in each slice than a uint8 can count
        ((8, 12, 6), (3.0, 0.7, 0.6), bool),
        ((5, 6, 7), (0.75, 1.5, 0.5), np.int64),
        ((3, 4, 5), (2.0, 0.5, 0.4), np.uint8),  # without a voxel
    ):
        mask = ((rng.random(shape) < 0.4) & (shape[0] != 3)).astype(dtype)
        cases[f"for {int(mask.sum())} voxels of {' × '.join(f'{side:g}' for side in spacing)} mm"] = mask, spacing
    compare(
        function,
        lambda mask, spacing: int(mask.sum()) * float(np.prod(spacing)) / 1000,
        cases,
        _wrong_volumes,
        "Count the voxels, multiply by the volume of one, divide by 1000 for milliliters.",
    )
    return "A liter of lung is about forty thousand voxels here, and a nodule about a hundred."


def _wrong_volumes(mask, spacing):
    voxels, (deep, high, wide) = int(mask.sum()), spacing
    voxel = deep * high * wide
    sides = [*(one * two**2 for one in spacing for two in spacing), np.mean(spacing) ** 3]
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    return {
        "A mask without a voxel has a volume of 0 ml.": lambda given: not voxels,
        "That counts voxels; each has a volume of its own.": [voxels, voxels / 1000],
        "That is the volume of one voxel; the mask has more.": voxel / 1000,
        "These are mm³; 1 ml is 1 cm³, and that is 1000 mm³.": voxels * voxel,
        "1 cm is 10 mm, so 1 cm³ is 10 × 10 × 10 mm³.": [voxels * voxel / 100, voxels * voxel / 10],
        "The voxel is no cube: multiply the three lengths.": [voxels * cube / 1000 for cube in sides],
        "The slice distance is missing: that is the area of the pixels.": voxels * high * wide / 1000,
        "You added the three lengths; a volume is their product.": voxels * sum(spacing) / 1000,
        "That is the whole array; count the voxels of the mask only.": mask.size * voxel / 1000,
        "That counts the voxels outside the mask.": (mask.size - voxels) * voxel / 1000,
        "The sum ran over: a uint8 ends at 255.": [
            int(mask.sum(dtype=dtype)) * voxel / 1000 for dtype in (np.uint8, mask.dtype)
        ],
        "That is one slice; count all of them.": [int(mask[at].sum()) * voxel / 1000 for at in slices],
        ROUNDED: [float(turn(voxels * voxel / 1000)) for turn in (np.floor, np.round, np.ceil)],
        "The volume of a voxel is rounded.": voxels * int(voxel) / 1000,
    }


def _affine(*rows):
    return np.array([*rows, (0, 0, 0, 1)], float)


SCANS = {
    "head first": _affine((0, 0, -0.8, 150), (0, -0.7, 0, 140), (-5, 0, 0, 90)),  # slice, row, column to x, y, z
    "RAS": _affine((0.9, 0, 0, -160), (0, 0.6, 0, -150), (0, 0, 2.5, -70)),
    "tilted": _affine((0, 0.1, 0.75, -130), (0.8, 0.72, -0.1, -110), (2.9, -0.2, 0.05, -300)),
    "shifted": _affine((0, 0, -0.8, 137), (0, -0.7, 0, 154), (-5, 0, 0, 105)),
}


@exercise
def same_place(function):
    """A function of two affines and a voxel of the first scan, that gives the voxel of the second at the same place."""
    compare(
        function,
        lambda affine, other, voxel: (np.linalg.inv(other) @ affine @ [*voxel, 1])[:3],
        {
            f"for voxel {voxel}, from {one!r} to {other!r},": (SCANS[one], SCANS[other], voxel)
            for one, other, voxel in (
                ("head first", "RAS", (7, 100, 90)),
                ("RAS", "tilted", (120, 200, 13)),
                ("tilted", "head first", (40, 60, 155)),
                ("head first", "shifted", (6, 31, 12)),
                ("shifted", "RAS", (0, 0, 0)),
            )
        },
        _wrong_places,
        "From the voxel to mm by the first affine, and back by the inverse of the second.",
        several="return slice, row and column, without the 1",
    )
    return "Scan and mask may be compared voxel by voxel only if their affines agree; if not, this is the way between."


def _wrong_places(affine, other, voxel):
    place, point, back = [*voxel, 1], affine @ [*voxel, 1], np.linalg.inv(other)
    sides, others = (np.linalg.norm(one[:3, :3], axis=0) for one in (affine, other))
    right = (back @ point)[:3]
    wrong = {
        "That is the place in mm; the voxel of the other scan is still to be found.": point,
        "The second affine, too, leads from voxels to mm; you need its inverse.": [other @ point, other.T @ point],
        "That is the way from the second scan to the first.": np.linalg.inv(affine) @ other @ place,
        "The 1 is missing: it adds the last column, which says where the scan begins.": back @ affine @ [*voxel, 0],
        "Where the scans begin counts as well: the last column of each affine.": [
            back[:3, :3] @ point[:3],
            np.linalg.solve(other[:3, :3], (affine @ [*voxel, 0])[:3] - other[:3, 3]),
        ],
        "Only the lengths were used; the axes may point elsewhere, and the scans begin elsewhere.": [
            voxel * sides / others,
            voxel * sides * others,
        ],
        "The matrix that stands next to the voxel acts first.": affine @ back @ place,
        "An affine stands before the voxel: affine @ voxel.": [
            place @ affine @ back,
            place @ back @ affine,
            back @ (place @ affine),
        ],
        "The rows of an affine were taken for its columns.": [back.T @ point, back @ affine.T @ place],
        "That is the voxel that was given; in another scan it has other indices.": np.array(place),
        "The order is slice, row, column, as the other affine has it.": right[::-1],
        "Negative numbers stay as they are: a place may lie outside of the other scan.": [abs(right), right.clip(0)],
    }
    return {
        hint: [np.ravel(one)[:3] for one in (given if isinstance(given, list) else [given])]
        for hint, given in wrong.items()
    } | {ROUNDED: [turn(right) for turn in (np.floor, np.trunc, np.round, np.ceil)]}


@exercise
def receptive_field(function):
    """A function of pool sizes along one axis, and the spacing there, that gives the receptive field in mm."""
    cases = (
        ((2, 3), 1.0), ((2,), 1.0), ((1, 2), 5.0), ((2, 1), 3.0), ((2, 2, 2), 0.8), ((1, 1, 2), 5.0),
        ((3, 1), 0.7), ((2, 4, 1, 2), 1.25), ((), 2.5),
    )  # fmt: skip
    compare(
        function,
        lambda factors, spacing: _field(factors) * spacing,
        {
            f"for {f'poolings by {factors}' if factors else 'no pooling at all'} and {spacing:g} mm": (factors, spacing)
            for factors, spacing in cases
        },
        _wrong_fields,
        "Per level: two convolutions of 2 steps; the pooling, factor − 1; step times factor.",
    )
    return (
        "Along an axis that is pooled less, the network sees fewer voxels, and its view in mm comes nearer to a cube."
    )


def _wrong_fields(factors, spacing):
    voxels = _field(factors)
    in_voxels = {
        "That is a number of voxels; multiply by the spacing.": voxels / spacing,
        "Multiply by the spacing: each voxel is that many mm.": voxels / spacing**2,
        "One step on the map is more voxels after each pooling: let step grow.": _field(factors, growing=False),
        "The two convolutions of the bottleneck, after the last pooling, are missing.": _field(factors, bottom=False),
        "A pooling reaches further as well: by (factor − 1) steps.": _field(factors, reach=lambda factor: 0),
        "A pooling reaches factor − 1 steps further, not factor.": _field(factors, reach=lambda factor: factor),
        "A pooling reaches factor − 1 steps further, whatever the factor is.": [
            _field(factors, reach=lambda factor: factor // 2),
            _field(factors, reach=lambda factor: 1),
            _field(factors, reach=lambda factor: min(factor - 1, 1)),
        ],
        "Each level has two convolutions, and each adds two steps.": [
            _field(factors, convolutions=1),
            _field(factors, convolutions=0.5),
        ],
        "You took every pooling by 2; use the factors that are given.": _field([2] * len(factors)),
        "The poolings come in the order given, from the top down.": [_field(factors[::-1]), _field(sorted(factors))],
        "The last pooling is missing, with the convolutions above it.": [_field(factors[:-1]), _field(factors[:1])],
        "A pooling reaches further in steps of the map above it: let step grow after it.": _field(factors, late=True),
        "Start with 1: the voxel itself.": voxels - 1,
    }
    return {hint: list(np.multiply(wrong, spacing).flat) for hint, wrong in in_voxels.items()} | {
        "That is one side; the field reaches to both.": [voxels // 2 * spacing, voxels * spacing // 2],
        ROUNDED: [float(turn(voxels * spacing)) for turn in (np.floor, np.round, np.ceil)],
    }


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
    compare(
        function,
        lambda patch, border: 2 * border / patch,
        {
            f"for patches of {patch} with a border of {border}": (patch, border)
            for patch, border in ((32, 5), (64, 8), (48, 7), (20, 7), (16, 6), (40, 0))
        },
        _wrong_overlaps,
        "Draw two patches on paper: their good middles must touch.",
    )
    return "Half of an overlap hides a border of a quarter of the patch, and costs up to eight times the windows in 3D."


def _wrong_overlaps(patch, border):
    share = 2 * border / patch
    gap = (
        "The last good voxel of one patch and the first good one of the next then leave a gap: both patches have a "
        "border."
    )
    any_border = (
        "No overlap serves every border: a border of more than a quarter of the patch needs more than one half, and a "
        "narrow one less."
    )
    return {
        "Where nothing is cut off, patches need no overlap.": lambda given: not border,
        "Those are voxels; give the share of the patch.": [2 * border, border],
        "That is in percent; give the share of the patch.": 100 * share,
        gap: border / patch,
        "That is the step from patch to patch, as a share; the overlap is the rest.": 1 - share,
        "That is turned over: divide the voxels of the border by those of the patch.": np.divide(1, share),
        "The share is that of the whole patch.": 2 * border / (patch - border),
        "The share is that of the whole patch, with its border.": 2 * border / (patch - 2 * border),
        "One voxel too many or too few: good middles may touch.": [(2 * border + one) / patch for one in (1, -1)],
        any_border: 0.5,
        "With an overlap of 1 or more the window would never move.": lambda given: given >= 1,
        "It hides the border, but so does a smaller overlap, with fewer patches.": lambda given: given > share,
    }
