"""The book's pages on formats say what the readers do, and bad files of every format are refused by name."""

import gzip
import os
import re
import struct
import zlib

import format_table
import numpy as np
import pytest
from format_samples import BAD_FILES, FORMATS, GRAY, SAMPLES, patch_tiff, save_dicom, save_tiff, write_sample

from unet_helpers.data import WHAT
from unet_helpers.data.decisions import KEYS, read_decisions
from unet_helpers.files import DataError, max_values, read_image, read_mask
from unet_helpers.files.images import ELSEWHERE
from unet_helpers.files.scans import OBJECTS


def test_the_page_is_what_the_readers_do():
    assert format_table.PAGE.read_text(encoding="utf-8") == format_table.page(), "run python tools/format_table.py"


GUIDE = format_table.PAGE.with_name("formats.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("layout", WHAT)
def test_the_guide_names_each_layout_with_its_words(layout):
    row = next(line for line in GUIDE.splitlines() if line.startswith(f"| `{layout}` |"))
    assert WHAT[layout].lower() in row.lower()


def test_the_guide_names_each_key_of_series_toml_and_each_format_with_what_converts_it():
    endings = [ending for group in ELSEWHERE for ending in group]
    words = [
        *KEYS,
        *endings,
        ".png",
        ".jpg",
        ".tif",
        ".npy",
        ".npz",
        ".dcm",
        ".nii.gz",
        ".nrrd",
        ".nhdr",
        ".mha",
        ".mhd",
    ]
    assert [word for word in words if word not in GUIDE] == []
    for _, remedy in OBJECTS.values():
        tools = re.findall(r"dcmqi|highdicom|3D Slicer|plastimatch|dcmrtstruct2nii", remedy)
        assert [tool for tool in tools if tool not in GUIDE] == []


def test_the_example_of_series_toml_in_the_guide_can_be_read(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "series.toml").write_text(example, encoding="utf-8")
    assert read_decisions(tmp_path)["mask_values"] == {0: 0, 255: 1}


@pytest.mark.parametrize("size", [8, 64])
def test_pillows_own_limit_is_as_before_after_reading_and_after_refusing(tmp_path, monkeypatch, size):
    from PIL import Image

    monkeypatch.setenv("UNET_MAX_VALUES", "1024")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12_345_678)
    Image.fromarray(np.zeros((size, size), np.uint8)).save(tmp_path / "a.png")
    if size == 8:
        assert read_image(tmp_path / "a.png")[0].shape == (8, 8, 1)
    else:
        with pytest.raises(DataError, match="too large"):
            read_image(tmp_path / "a.png")
    assert Image.MAX_IMAGE_PIXELS == 12_345_678


IMPOSSIBLE = [(kind, value) for kind in ("PNG", "JPEG", "DICOM") for value in ("NaN", "Inf")]
POSSIBLE = [(kind, wrong) for kind in FORMATS for wrong in BAD_FILES if (kind, wrong) not in IMPOSSIBLE]


@pytest.mark.parametrize(("kind", "wrong"), POSSIBLE)
def test_a_bad_file_is_refused_by_name_as_image_and_as_mask(tmp_path, kind, wrong):
    path = write_sample(FORMATS[kind], tmp_path)
    assert BAD_FILES[wrong](kind, path) is not False
    for read in (read_image, read_mask):
        with pytest.raises(DataError, match=f"'{path.name}'"):
            read(path)


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_limit_holds_for_every_format_and_can_be_raised(tmp_path, monkeypatch, sample):
    path = write_sample(sample, tmp_path)
    size = read_image(path)[0].size
    monkeypatch.setenv("UNET_MAX_VALUES", "40")
    with pytest.raises(DataError, match=rf"'{path.name}' is too large.*UNET_MAX_VALUES"):
        read_image(path)
    monkeypatch.setenv("UNET_MAX_VALUES", str(10 * size))
    assert read_image(path)[0].size == size


@pytest.mark.parametrize("value", ["", "0", "-5", "1e9", "much"])
def test_a_limit_that_is_no_number_is_named(monkeypatch, value):
    monkeypatch.setenv("UNET_MAX_VALUES", value)
    with pytest.raises(DataError, match="UNET_MAX_VALUES is"):
        max_values()


def test_zeros_behind_a_small_picture_are_not_unpacked(tmp_path, monkeypatch):
    """Bombs: some kilobytes that unfold to a hundred megabytes of zeros behind a header that says little."""
    bomb = 100 * 2**20
    write_sample("NIfTI, volume", tmp_path)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress((tmp_path / "a.nii").read_bytes() + bytes(bomb)))
    assert peak_of(read_image, tmp_path / "a.nii.gz") < 2**20

    save_tiff(tmp_path / "a.tif", GRAY, compression="zlib")
    content = (tmp_path / "a.tif").read_bytes()
    packed = zlib.compress(bytes(bomb))
    (tmp_path / "a.tif").write_bytes(patch_tiff(content, {273: len(content), 279: len(packed)}) + packed)
    with pytest.raises(DataError, match=r"'a\.tif' cannot be read"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("height", [9_000_000, 40_000_000])
def test_strips_that_are_announced_and_not_there_are_not_looked_for(tmp_path, height):
    import time

    save_tiff(tmp_path / "a.tif", GRAY, compression="zlib")
    (tmp_path / "a.tif").write_bytes(patch_tiff((tmp_path / "a.tif").read_bytes(), {257: height}))
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"'a\.tif' cannot be read.*strips"):
        read_image(tmp_path / "a.tif")
    assert time.perf_counter() - start < 5  # it took 20 seconds and more


def peak_of(call, *arguments):
    """The most memory in bytes that Python and NumPy held at once during a call."""
    import tracemalloc

    tracemalloc.start()
    try:
        call(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_deflated_dicom_is_refused_because_its_size_is_unknown(tmp_path):
    import pydicom

    save_dicom(tmp_path / "a.dcm")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(DataError, match=r"'a\.dcm' is deflated DICOM.*convert it"):
        read_image(tmp_path / "a.dcm")


def test_a_compression_without_its_package_says_which(tmp_path):
    import pydicom
    from pydicom.encaps import encapsulate

    save_dicom(tmp_path / "a.dcm")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLosslessSV1
    dataset.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(DataError, match=r"'a\.dcm' is compressed as JPEG Lossless.*install pylibjpeg"):
        read_image(tmp_path / "a.dcm")


@pytest.mark.parametrize("pixdim", [0.0, -1.0, np.nan, np.inf])
def test_a_spacing_that_is_no_length_is_named(tmp_path, pixdim):
    path = write_sample("NIfTI, volume", tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:80] + struct.pack("<f", pixdim) + content[84:])
    with pytest.raises(DataError, match=r"'a\.nii' gives its spacing as"):
        read_image(path)


def test_a_spacing_of_zero_in_dicom_is_named(tmp_path):
    save_dicom(tmp_path / "a.dcm", PixelSpacing=[0, 0.5])
    with pytest.raises(DataError, match=r"'a\.dcm' gives its spacing as \(0\.0, 0\.5\) mm"):
        read_image(tmp_path / "a.dcm")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read any file")
def test_a_file_without_permission_is_named(tmp_path):
    path = write_sample("PNG, 8 bit gray", tmp_path)
    path.chmod(0)
    with pytest.raises(DataError, match=r"'a\.png' may not be read by this user"):
        read_image(path)


def test_a_link_in_a_circle_is_no_file(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        read_image(tmp_path / "a.png")
