"""What several test files share: hand-drawn pictures, small folders, small datasets."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# the same examples on every machine and no folder left behind
settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")


@pytest.fixture
def draw():
    """Turn a drawing into a mask: ``draw(".#", "##")``; a digit is a class, ``#`` is 1, ``.`` is 0."""

    def picture(*rows):
        return np.array([[int({".": 0, "#": 1}.get(c, c)) for c in row] for row in rows], np.uint8)

    return picture


@pytest.fixture
def write_folder(tmp_path):
    """Write ``{file name: array}`` as pictures into a folder below tmp_path and return it.

    An array that is None leaves an empty file, bytes are written as they are.
    """
    from unet_helpers.files import write_png

    def write(name, files):
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.touch()
            elif isinstance(content, bytes):
                path.write_bytes(content)
            elif path.suffix == ".npy":
                np.save(path, content)
            elif path.suffix == ".png":
                write_png(path, content)
            else:
                from PIL import Image

                Image.fromarray(content).save(path)
        return folder

    return write


@pytest.fixture
def gray():
    """An 8-bit picture that differs from call to call: ``gray(seed, size)``."""

    def picture(seed, size=8):
        return np.random.default_rng(seed).integers(0, 256, (size, size) if isinstance(size, int) else size, np.uint8)

    return picture


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


@pytest.fixture
def disks():
    """Give :func:`make_disks` to a test."""
    return make_disks


@pytest.fixture
def drawn_patients(monkeypatch, tmp_path):
    """Replace the phantom's painter by a quick drawing, keep its cache in tmp_path, and count the calls."""
    from types import SimpleNamespace

    calls = []

    def make_patients(n, seed=0, size=128, slices=8, variety="class", workers=1):
        calls.append((n, seed, size, slices))
        random = np.random.default_rng(seed)
        made = []
        for k in range(n):
            volume = random.normal(40, 20, (slices, size, size))
            masks = np.zeros(volume.shape, np.uint8)
            masks[:, size // 4 : -size // 4, size // 8 : size // 2] = 1
            masks[:, size // 2 : size // 2 + 2, size // 4 : size // 4 + 2] = 2
            volume[masks == 1] = random.normal(-850, 30, (masks == 1).sum())
            made.append(
                SimpleNamespace(volume=volume, masks=masks, spacing=(5.0, 0.8, 0.6), patient_id=f"phantom-{k:03d}")
            )
        return made

    monkeypatch.setattr("unet_helpers.phantom.make_patients", make_patients, raising=False)
    monkeypatch.setenv("UNET_DATA_DIR", str(tmp_path / "cache"))
    return calls


@pytest.fixture
def shared_data():
    """The folder of real data beside the repository, or a skip that says so."""
    named = os.environ.get("UNET_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at '{folder}'; name their folder in UNET_SHARED_DATA")
    return folder
