"""A scene of cells that touch."""

import numpy as np

from ..evaluation.objects import label_objects


def draw_cells(count=60, size=160, touching=0.5, overlap=0.12, seed=0):
    """Draw a picture of cell nuclei under a fluorescence microscope, with every nucleus numbered.

    Ellipses of 9 to 19 pixels with uneven outlines, bright on dark, brighter in the middle than at the rim, each with a
    brightness of its own; where two overlap the first lies on top; blurred by one pixel, with noise. They
    stand for nuclei as a drawing does: what makes real ones hard, such as dust, dead cells and uneven light, is not
    in it. Used in 11.

    Parameters
    ----------
    count : int
        Nuclei to place; where there is no room left, fewer.
    size : int
        Height and width in pixels.
    touching : float in [0, 1]
        Share of the nuclei that are put beside one that is there already.
    overlap : float in [0, 1)
        How much of a nucleus may lie behind others. From about a third on, outlines show few necks.
    seed : int

    Returns
    -------
    image : ``(size, size)`` float32 in 0–1
    labels : ``(size, size)`` int32
    """
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    grid, placed = np.mgrid[:size, :size], []
    labels, image = np.zeros((size, size), np.int32), np.zeros((size, size))
    for _ in range(30 * count):
        if len(placed) == count:
            break
        long, short, angle = rng.uniform(6, 9.5), rng.uniform(4.5, 6.5), rng.uniform(0, np.pi)
        waves, phases = rng.normal(0, 0.125, 2), rng.uniform(0, 2 * np.pi, 2)
        row, column = rng.uniform(4, size - 4, 2)
        if placed and rng.random() < touching:
            direction, (row, column, away) = rng.uniform(0, 2 * np.pi), placed[rng.integers(len(placed))]
            away += (0.5 - 5 / 12 * overlap) * (long + short)  # a little less than the two mean radii
            row, column = row + away * np.sin(direction), column + away * np.cos(direction)
        box = tuple(slice(max(int(center) - 14, 0), max(int(center) + 15, 0)) for center in (row, column))
        rows, columns = grid[(slice(None), *box)]
        along = ((rows - row) * np.sin(angle) + (columns - column) * np.cos(angle)) / long
        across = ((rows - row) * np.cos(angle) - (columns - column) * np.sin(angle)) / short
        turn = np.arctan2(across, along)
        outline = 1 + sum(wave * np.cos(k * turn + phase) for k, wave, phase in zip((2, 3), waves, phases, strict=True))
        depth = 1 - np.hypot(along, across) / outline  # 1 in the middle, 0 at the rim
        whole = depth > 0
        cell = whole & (labels[box] == 0)
        if cell.sum() < max(60 * (1 - overlap), (1 - overlap) * whole.sum()) or label_objects(cell).max() > 1:
            continue
        placed.append((row, column, 0.5 * (long + short)))
        labels[box][cell] = len(placed)
        image[box][cell] = rng.uniform(0.45, 0.95) * (0.55 + 0.45 * np.sqrt(depth[cell]))
    image = 0.06 + ndimage.gaussian_filter(image, 1.0) + rng.normal(0, 0.04, image.shape)
    return np.clip(image, 0, 1).astype(np.float32), labels
