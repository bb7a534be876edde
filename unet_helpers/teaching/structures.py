"""More truth about a synthetic patient than its masks hold: structures, cut out of the anatomy that was drawn."""

import numpy as np

from ..phantom import painting, scanner
from ..phantom.anatomy import Chest
from ..phantom.patients import FIRST, LAST

#: what can be cut out, beside the lungs and nodules of the masks
STRUCTURES = ("body", "heart", "airways", "spine", "ribs", "stomach gas")


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
    """The structures in one slice, ``(H, W)`` each. What is painted later covers what is painted before."""

    def painted(paint, *options):
        canvas = painting.Canvas(chest, columns, rows, height, acquisition.slice_thickness)
        paint(canvas, *options)
        return canvas

    canvas = painted(lambda canvas: None)
    lung = chest.lungs(canvas.x, canvas.y, canvas.z) < 0
    found = {
        "body": chest.body(canvas.x, canvas.y, canvas.z) < 0,
        "heart": chest.heart(canvas.x, canvas.y, canvas.z) < 0,
        "airways": painted(painting.airways).excluded,
        "spine": painted(painting.spine).excluded,
        "ribs": painted(painting.ribs).excluded,
        "stomach gas": painted(painting.abdomen, 0).hu < -500,
    }
    if not 0.4 < height / chest.length < 0.98:  # as it is painted
        found["heart"] &= False
    found["heart"] &= ~(lung | found["spine"] | found["ribs"])
    found["stomach gas"] &= ~(lung | found["heart"] | found["ribs"])
    return found
