"""What several test files share: hand-drawn pictures, small folders, small datasets."""

import os
from pathlib import Path

import numpy as np
import pytest
from drawn import make_disks
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
def eagerly():
    """Run step by step: building the graph takes seconds, and only the tests of learning and of equal bits need it."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def chromium():
    """The path of a Chromium; the test is skipped where there is none."""
    import check_book

    program = check_book.find_chromium()
    if program is None:
        pytest.skip("no Chromium: set CHROMIUM or put one into PATH")
    return program


@pytest.fixture(scope="module")
def browser(chromium):
    """A Chromium without window and without network, see ``tools/check_book.py``."""
    import check_book

    with check_book.Browser(chromium) as browser:
        yield browser


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
