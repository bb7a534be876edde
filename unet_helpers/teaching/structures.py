"""More truth about a synthetic patient than its masks hold: structures, cut out of the anatomy that was drawn."""

from dataclasses import replace

import numpy as np

from ..phantom import painting, scanner
from ..phantom.anatomy import Chest
from ..phantom.patients import FIRST, LAST

#: what can be cut out, beside the lungs and nodules of the masks
STRUCTURES = ("airways", "ribs", "muscle", "stomach gas", "liver or spleen", "heart", "spine")


def structure_masks(patient):
    """Masks of large structures of a patient of :func:`unet_helpers.phantom.make_patient`, variety ``"class"``.

    They come from the surfaces that the patient was painted with, not from the image: truth before the scanner.

    Returns
    -------
    dict of str to ``(D, H, W)`` bool, one for each of :data:`STRUCTURES`
    """
    size, chest = patient.volume.shape[-1], Chest(patient.anatomy)
    pixel = patient.acquisition.field_of_view / size
    grid = (np.arange(scanner.scan_size(size)) - scanner.scan_size(size) // 2) * pixel
    columns, rows = (
        axis + offset
        for axis, offset in zip((grid, grid + 0.02 * chest.length), patient.acquisition.center, strict=True)
    )
    middle = slice(len(grid) // 2 - size // 2, len(grid) // 2 - size // 2 + size)
    heights = np.linspace(FIRST, LAST, len(patient.volume)) * chest.length
    slices = [_cut(chest, columns[middle], rows[middle], height, patient.acquisition) for height in heights]
    return {name: np.stack([one[name] for one in slices]) for name in STRUCTURES}


def _cut(chest, columns, rows, height, acquisition):
    """The structures in one slice, ``(H, W)`` each, without what is painted over them later."""

    def painted(paint, *options, chest=chest):
        canvas = painting.Canvas(chest, columns, rows, height, acquisition.slice_thickness)
        paint(canvas, *options)
        return canvas

    spine, ribs = painted(painting.spine).excluded, painted(painting.ribs).excluded
    canvas = painted(painting.airways)
    at = canvas.x, canvas.y, canvas.z
    cage, inside = chest.cage(*at), chest.body(*at) + 4 < 0  # below skin and fat
    # organs shine where the liver is given a density that nothing else has
    shining = Chest(replace(chest.anatomy, liver_hu=9000.0))
    found = {
        "heart": (chest.heart(*at) < 0) & (0.4 < height / chest.length < 0.98),
        "liver or spleen": painted(painting.abdomen, 0, chest=shining).hu > 4500,
        "stomach gas": painted(painting.abdomen, 0).hu < -500,
        "muscle": (painting.muscle_layer(chest, *at, cage) < 0) & inside & (cage > 0),
        "airways": canvas.excluded,
        "spine": spine,
        "ribs": ribs,
    }
    covered = spine | ribs | (chest.lungs(*at) < 0)
    for name in ("heart", "liver or spleen", "stomach gas", "muscle"):
        found[name] &= ~covered
        covered |= found["heart"]
    return found
