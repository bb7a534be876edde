"""Small drawn data sets that several test files share."""

import numpy as np


def make_disks(patients=6, slices=2, size=32, seed=0, num_classes=2):
    """A dataset of bright disks on a dark ground: easy enough to learn in seconds."""
    from unet_helpers.data import Dataset, Subset, split_by_patient

    random = np.random.default_rng(seed)
    n = patients * slices
    row, column = np.mgrid[:size, :size]
    centers = random.uniform(0.35 * size, 0.65 * size, (n, 2))
    masks = np.stack([(np.hypot(row - r, column - c) < size / 4) for r, c in centers]).astype(np.uint8)
    images = 0.2 + 0.6 * masks + random.normal(0, 0.03, masks.shape)
    everything = Subset(
        np.clip(images, 0, 1).astype(np.float32)[..., None],
        masks,
        np.repeat([f"P{k}" for k in range(patients)], slices),
        np.array([f"P{k}_{z}" for k in range(patients) for z in range(slices)]),
        np.full((n, 2), 0.7),
    )
    parts = split_by_patient(everything.patient_ids, (0.5, 0.25, 0.25), seed)
    names = ("background", *(f"class {i}" for i in range(1, max(num_classes, 2))))
    return Dataset("disks", names, *(everything[part] for part in parts))


def dark_disks(patients, slices=4, size=32, seed=0):
    """Dark disks on a bright ground, each elsewhere and of another size, and their masks."""
    from unet_helpers.data import Subset

    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    count = patients * slices
    centers, radii = random.uniform(0.3, 0.7, (count, 2)) * size, random.uniform(0.12, 0.28, count) * size
    masks = np.stack([np.hypot(rows - r, columns - c) < a for (r, c), a in zip(centers, radii, strict=True)])
    images = np.where(masks, 0.2, 0.8) + random.normal(0, 0.05, masks.shape)
    ids = np.array([f"{seed}P{k // slices:02d}" for k in range(count)])
    cases = np.array([f"{name}_{k}" for k, name in enumerate(ids)])
    return Subset(images[..., None].astype(np.float32), masks.astype(np.uint8), ids, cases, np.ones((count, 2)))
