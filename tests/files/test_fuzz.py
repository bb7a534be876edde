"""Damaged files of every format: a DataError that names the file, or an array that keeps the contract; nothing else."""

import shutil
import warnings

import numpy as np
import pytest
from format_samples import SAMPLES, tar_of, write_sample, zip_of
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_helpers.files import DataError, extract, read_image, read_mask

positions = st.floats(0, 1, exclude_max=True)
flips = st.tuples(st.just("flip"), positions, st.integers(1, 255))
fills = st.tuples(st.just("fill"), positions, st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"]))
cuts = st.tuples(st.just("cut"), positions, st.none())
repeats = st.tuples(st.just("repeat"), positions, st.integers(1, 400))
# headers stand at the beginning: half of the changes go there
early = st.tuples(st.just("flip"), st.floats(0, 0.2), st.integers(1, 255))
changes = st.lists(st.one_of(flips, early, fills, cuts, repeats), min_size=1, max_size=4)


def mutate(content, change):
    kind, where, what = change
    at = int(where * len(content))
    if kind == "flip" and content:
        return content[:at] + bytes([content[at] ^ what]) + content[at + 1 :]
    if kind == "fill":
        return content[:at] + what + content[at + len(what) :]
    if kind == "repeat":
        return content[:at] + content[at : at + what] + content[at:]
    return content[:at] if kind == "cut" else content


def outcome(read, path):
    try:
        return read(path)
    except DataError as error:
        return error


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.parametrize("sample", SAMPLES)
@settings(max_examples=24)
@given(changes=changes)
def test_a_damaged_file_gives_one_error_or_an_array(folder, sample, changes):
    path = write_sample(sample, folder)
    content = path.read_bytes()
    for change in changes:
        content = mutate(content, change)
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image, mask = outcome(read_image, path), outcome(read_mask, path)
    if isinstance(image, DataError):
        assert path.name in str(image)
    else:
        image, spacing = image
        assert image.dtype == np.float32
        assert image.ndim in (3, 4)
        assert image.size
        assert np.isfinite(image).all()
        assert spacing is None or (len(spacing) == image.ndim - 1 and min(spacing) > 0)
    if isinstance(mask, DataError):
        assert path.name in str(mask)
    else:
        assert mask.dtype == np.uint8
        assert mask.ndim in (2, 3)


FILES = {"set/a.txt": b"one" * 50, "set/sub/b.txt": b"two" * 50}
ARCHIVES = {"tar": tar_of(FILES), "tar.gz": tar_of(FILES, "w:gz"), "zip": zip_of(FILES)}


@pytest.mark.parametrize("kind", ARCHIVES)
@settings(max_examples=40)
@given(changes=changes)
def test_a_damaged_archive_gives_one_error_or_a_folder(folder, kind, changes):
    content = ARCHIVES[kind]
    for change in changes:
        content = mutate(content, change)
    place = folder / "archives"
    place.mkdir(exist_ok=True)
    (place / "x").write_bytes(content)
    result = outcome(lambda path: extract(path, place / "out", largest=10_000), place / "x")
    if isinstance(result, DataError):
        assert "'x'" in str(result)
        assert [path.name for path in place.iterdir()] == ["x"]
    else:
        assert sum(path.stat().st_size for path in result.rglob("*")) < 100_000
        shutil.rmtree(result)
