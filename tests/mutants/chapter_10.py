"""Notebook 10."""

import math

import numpy as np

from mutants import Exercise
from unet_helpers.teaching.checks import volumes_and_3d_unet as check


def counted(mask, spacing):
    return mask.sum() * np.prod(spacing) / 1000


def in_centimeters(mask, spacing):
    deep, high, wide = (side / 10 for side in spacing)
    return int(np.count_nonzero(mask)) * deep * high * wide


def slice_by_slice(mask, spacing):
    volume = 0.0
    for one in mask:
        volume += float((one > 0).sum()) * spacing[0] * spacing[1] * spacing[2]
    return volume / 1e3


def of_lengths(length):
    return lambda mask, spacing: mask.sum() * length(*spacing) / 1000


def turned(turn):
    return lambda mask, spacing: turn(counted(mask, spacing))


def fills(mask, spacing):
    mask[mask > 0] = 1 - mask[mask > 0]
    return float((mask == 0).sum()) * np.prod(spacing) / 1000


def box(mask, spacing):
    sides = [np.ptp(where) + 1 for where in np.nonzero(mask)]
    return np.prod(sides) * np.prod(spacing) / 1000


def field(
    grow=True, bottom=True, reach=lambda factor: factor - 1, convolutions=4, mm=True, start=1, factors=None, late=False
):
    def answer(given, spacing):
        side, step = start, 1
        for factor in factors(given) if factors else given:
            side += convolutions * step
            step *= factor if grow and late else 1
            side += reach(factor) * step
            step *= factor if grow and not late else 1
        side += convolutions * step * bottom
        return side * spacing if mm else side

    return answer


def from_below(factors, spacing):
    """The same field, walked upward from the bottleneck."""
    side = 5
    for factor in reversed(factors):
        side = side * factor + 4
    return np.float64(side) * spacing


def sum_of_steps(factors, spacing):
    steps = [math.prod(factors[:level]) for level in range(len(factors) + 1)]
    return (1 + sum(4 * step for step in steps) + steps[-1] - 1) * spacing


def there(affine, other, voxel):
    return (np.linalg.inv(other) @ affine @ [*voxel, 1])[:3]


def solved(affine, other, voxel):
    return np.linalg.solve(other, affine.dot(np.append(voxel, 1)))[:3]


def by_parts(affine, other, voxel):
    """Directions and origins apart; a list of three."""
    mm = [sum(row[axis] * voxel[axis] for axis in range(3)) + row[3] for row in affine[:3]]
    return list(np.linalg.inv(other[:3, :3]) @ (np.array(mm) - other[:3, 3]))


def placed(turn):
    return lambda affine, other, voxel: turn(affine, np.linalg.inv(other), np.array([*voxel, 1.0]))[:3]


def moves_the_scan(affine, other, voxel):
    affine[:3, 3] -= other[:3, 3]
    return np.linalg.inv(other[:3, :3]) @ (affine @ [*voxel, 1])[:3]


def lengths(affine):
    return np.linalg.norm(affine[:3, :3], axis=0)


def share(patch, border):
    return 2 * border / patch


EXERCISES = [
    Exercise(
        "10.1",
        check.volume,
        right={"sum and product": counted, "in centimeters": in_centimeters, "slice by slice": slice_by_slice},
        wrong={
            "slices counted in uint8": (
                lambda mask, spacing: sum(int(one.sum(dtype=np.uint8)) for one in mask) * np.prod(spacing) / 1000,
                "Count the voxels",
            ),
            "counted in 16 bits": (
                lambda mask, spacing: float(mask.sum(dtype=np.float16)) * np.prod(spacing) / 1000,
                "Count the voxels",
            ),
            "voxels": (lambda mask, spacing: mask.sum(), "counts voxels"),
            "voxels as ml": (lambda mask, spacing: mask.sum() / 1000, "counts voxels"),
            "mm³": (lambda mask, spacing: mask.sum() * np.prod(spacing), "mm³"),
            "by 100": (lambda mask, spacing: mask.sum() * np.prod(spacing) / 100, "10 × 10 × 10"),
            "by 10": (lambda mask, spacing: mask.sum() * np.prod(spacing) / 10, "10 × 10 × 10"),
            "a cube of the pixel": (of_lengths(lambda deep, high, wide: high**3), "no cube"),
            "a cube of the slice": (of_lengths(lambda deep, high, wide: deep**3), "no cube"),
            "square pixels": (of_lengths(lambda deep, high, wide: deep * high**2), "no cube"),
            "a cube of the mean": (of_lengths(lambda *sides: np.mean(sides) ** 3), "no cube"),
            "area of the pixels": (of_lengths(lambda deep, high, wide: high * wide), "slice distance is missing"),
            "sum of the lengths": (of_lengths(lambda *sides: sum(sides)), "added the three"),
            "one voxel": (lambda mask, spacing: np.prod(spacing) / 1000, "one voxel"),
            "the whole array": (lambda mask, spacing: mask.size * np.prod(spacing) / 1000, "whole array"),
            "the box around": (box, "count the voxels of the mask only"),
            "what is outside": (lambda mask, spacing: (mask == 0).sum() * np.prod(spacing) / 1000, "outside the mask"),
            "a sum in uint8": (
                lambda mask, spacing: mask.sum(dtype=np.uint8) * np.prod(spacing) / 1000,
                "a uint8 ends at 255",
            ),
            "a sum in the mask's dtype": (
                lambda mask, spacing: int(mask.sum(dtype=mask.dtype)) * np.prod(spacing) / 1000,
                "a uint8 ends at 255",
            ),
            "the first slice": (lambda mask, spacing: mask[0].sum() * np.prod(spacing) / 1000, "one slice"),
            "the middle slice": (
                lambda mask, spacing: mask[len(mask) // 2].sum() * np.prod(spacing) / 1000,
                "one slice",
            ),
            "rounded": (turned(round), "rounded"),
            "cut to a whole number": (turned(int), "rounded"),
            "rounded up": (turned(math.ceil), "rounded"),
            "whole lengths": (lambda mask, spacing: counted(mask, np.array(spacing, int)), "Count the voxels"),
            "nan when empty": (lambda mask, spacing: counted(mask, spacing) or np.nan, "a volume of 0 ml"),
            "at least one voxel": (
                lambda mask, spacing: max(mask.sum(), 1) * np.prod(spacing) / 1000,
                "a volume of 0 ml",
            ),
            "a constant": (lambda mask, spacing: 0.7, "Count the voxels"),
            "per slice": (lambda mask, spacing: mask.sum(axis=(1, 2)) * np.prod(spacing) / 1000, "not an array"),
            "in place": (fills, "changes what it is given"),
            "no such thing": (lambda mask, spacing: mask.no_such_thing, "AttributeError"),
        },
    ),
    Exercise(
        "10.2",
        check.same_place,
        right={"inverse and product": there, "solved": solved, "by parts": by_parts},
        wrong={
            "mm": (lambda affine, other, voxel: (affine @ [*voxel, 1])[:3], "the place in mm"),
            "mm of the other scan": (lambda affine, other, voxel: (other @ [*voxel, 1])[:3], "From the voxel to mm"),
            "no inverse": (lambda affine, other, voxel: (other @ affine @ [*voxel, 1])[:3], "you need its inverse"),
            "transposed for inverse": (
                lambda affine, other, voxel: (other.T @ affine @ [*voxel, 1])[:3],
                "you need its inverse",
            ),
            "from second to first": (lambda a, o, v: there(o, a, v), "from the second scan to the first"),
            "0 for 1": (lambda affine, other, voxel: (np.linalg.inv(other) @ affine @ [*voxel, 0])[:3], "1 is missing"),
            "directions only": (
                lambda affine, other, voxel: np.linalg.inv(other[:3, :3]) @ affine[:3, :3] @ voxel,
                "1 is missing",
            ),
            "origin of the second forgotten": (
                lambda affine, other, voxel: np.linalg.inv(other[:3, :3]) @ (affine @ [*voxel, 1])[:3],
                "Where the scans begin",
            ),
            "origin of the first forgotten": (
                lambda a, o, v: np.linalg.inv(o[:3, :3]) @ (a[:3, :3] @ v - o[:3, 3]),
                "Where the scans begin",
            ),
            "spacings": (lambda a, o, v: v * lengths(a) / lengths(o), "Only the lengths"),
            "spacings multiplied": (lambda a, o, v: v * lengths(a) * lengths(o), "Only the lengths"),
            "the other order": (placed(lambda affine, back, place: affine @ back @ place), "acts first"),
            "the voxel before": (placed(lambda affine, back, place: place @ affine @ back), "stands before the voxel"),
            "the voxel before, turned": (
                placed(lambda affine, back, place: place @ back @ affine),
                "stands before the voxel",
            ),
            "first affine transposed": (
                placed(lambda affine, back, place: back @ affine.T @ place),
                "stands before the voxel",
            ),
            "inverse transposed": (placed(lambda affine, back, place: back.T @ affine @ place), "for its columns"),
            "the same voxel": (lambda affine, other, voxel: voxel, "the voxel that was given"),
            "column, row, slice": (lambda *given: there(*given)[::-1], "slice, row, column"),
            "four numbers": (
                lambda affine, other, voxel: np.linalg.inv(other) @ affine @ [*voxel, 1],
                "without the 1",
            ),
            "whole voxels": (lambda *given: there(*given).round(), "rounded"),
            "cut to whole voxels": (lambda *given: there(*given).astype(int), "rounded"),
            "rounded down": (lambda *given: np.floor(there(*given)), "rounded"),
            "one digit": (lambda *given: there(*given).round(1), "rounded"),
            "no negative index": (lambda *given: there(*given).clip(0), "may lie outside"),
            "absolute": (lambda *given: abs(there(*given)), "may lie outside"),
            "first number only": (lambda *given: there(*given)[0], "without the 1"),
            "a set": (lambda *given: set(there(*given)), "a set"),
            "as text": (lambda *given: str(there(*given)), "numbers were expected"),
            "in place": (moves_the_scan, "changes what it is given"),
            "a constant": (lambda *given: np.array([12.0, 80.0, 30.0]), "the same in all cases"),
            "no 1 at all": (lambda affine, other, voxel: (np.linalg.inv(other) @ affine @ voxel)[:3], "ValueError"),
        },
    ),
    Exercise(
        "10.3",
        check.overlap,
        right={
            "two borders": share,
            "what is not good": lambda patch, border: 1 - (patch - 2 * border) / patch,
            "a NumPy number": lambda patch, border: np.float64(border) / (patch / 2),
        },
        wrong={
            "eighths": (lambda patch, border: math.ceil(8 * share(patch, border)) / 8, "smaller overlap"),
            "voxels": (lambda patch, border: 2 * border, "Those are voxels"),
            "border": (lambda patch, border: border, "Those are voxels"),
            "percent": (lambda patch, border: 200 * border / patch, "in percent"),
            "one border": (lambda patch, border: border / patch, "both patches have a border"),
            "the step": (lambda patch, border: 1 - 2 * border / patch, "step from patch to patch"),
            "turned over": (lambda patch, border: patch / (2 * border) if border else 0.0, "turned over"),
            "of the good part": (lambda patch, border: 2 * border / (patch - 2 * border), "that of the whole patch"),
            "of a patch without one border": (lambda patch, border: 2 * border / (patch - border), "whole patch"),
            "at most one half": (lambda patch, border: min(share(patch, border), 0.5), "No overlap serves every"),
            "always one half": (lambda patch, border: 0.5, "No overlap serves every border"),
            "always a quarter": (lambda patch, border: 0.25, "good middles"),
            "one": (lambda patch, border: 1.0, "never move"),
            "too much": (lambda patch, border: 0.9, "smaller overlap"),
            "too little": (lambda patch, border: 0.01, "good middles"),
            "three borders": (lambda patch, border: 3 * border / patch, "smaller overlap"),
            "four borders": (lambda patch, border: 4 * border / patch, "smaller overlap"),
            "one voxel more": (lambda patch, border: (2 * border + 1) / patch, "One voxel"),
            "one voxel less": (lambda patch, border: (2 * border - 1) / patch, "One voxel"),
            "whole division": (lambda patch, border: 2 * border // patch, "good middles"),
            "one digit": (lambda patch, border: round(share(patch, border), 1), "It is rounded"),
            "two digits": (lambda patch, border: round(share(patch, border), 2), "It is rounded"),
            "half a patch": (lambda patch, border: border / (patch // 2) / 2, "both patches have a border"),
            "at least an eighth": (lambda patch, border: max(share(patch, border), 0.125), "need no overlap"),
            "as text": (lambda patch, border: f"{share(patch, border):.2f}", "a number was expected"),
            "both ends": (lambda patch, border: (border / patch, border / patch), "one number was expected"),
        },
    ),
    Exercise(
        "10.4",
        check.receptive_field,
        right={"walked down": field(), "walked up": from_below, "a sum over the steps": sum_of_steps},
        wrong={
            "three levels at most": (
                lambda f, s: field(factors=lambda given: given[:3])(f, s),
                "last pooling is missing",
            ),
            "whole spacing": (lambda f, s: field()(f, int(s) or s), "for poolings by (2, 4, 1, 2) and 1.25 mm"),
            "voxels": (field(mm=False), "number of voxels"),
            "divided by the spacing": (lambda f, s: field(mm=False)(f, s) / s, "Multiply by the spacing"),
            "step stays": (field(grow=False), "let step grow"),
            "step grows too early": (field(late=True), "in steps of the map above"),
            "no bottleneck": (field(bottom=False), "bottleneck"),
            "one convolution at the bottom": (
                lambda f, s: field()(f, s) - 2 * math.prod(f) * s,
                "Per level",
            ),
            "pooling forgotten": (field(reach=lambda factor: 0), "factor − 1"),
            "pooling by its factor": (field(reach=lambda factor: factor), "not factor"),
            "pooling by half": (field(reach=lambda factor: factor // 2), "whatever the factor is"),
            "pooling by one": (field(reach=lambda factor: 1), "whatever the factor is"),
            "pooling by one, if any": (field(reach=lambda factor: min(factor - 1, 1)), "whatever the factor is"),
            "one convolution": (field(convolutions=2), "two convolutions, and each"),
            "one step each": (field(convolutions=1), "two convolutions, and each"),
            "three steps each": (field(convolutions=6), "Per level"),
            "always by 2": (field(factors=lambda given: [2] * len(given)), "factors that are given"),
            "always three levels": (field(factors=lambda given: (2, 2, 2)), "Per level"),
            "from the bottom": (field(factors=lambda given: given[::-1]), "from the top down"),
            "sorted": (field(factors=sorted), "from the top down"),
            "the last pooling left out": (field(factors=lambda given: given[:-1]), "The last pooling is missing"),
            "the first pooling left out": (field(factors=lambda given: given[1:]), "Per level"),
            "begun with 0": (field(start=0), "Start with 1"),
            "half": (lambda f, s: field()(f, s) // 2, "one side"),
            "one side": (lambda f, s: field(mm=False)(f, s) // 2 * s, "one side"),
            "fails without poolings": (lambda f, s: field()(f, s) * (f[0] > 0), "IndexError"),
            "1 without poolings": (lambda f, s: field()(f, s) if f else s, "no pooling at all"),
            "whole mm": (lambda f, s: round(field()(f, s)), "It is rounded"),
            "a constant": (lambda f, s: 3.3, "Per level"),
            "returned in the loop": (
                lambda f, s: field(factors=lambda given: given[:1])(f, s),
                "The last pooling is missing",
            ),
        },
    ),
]
