"""What the numbers of a file mean: palettes, alpha, orientation, white as 0, lossy masks, moved labels, axes."""

import numpy as np
import pytest
from format_samples import GRAY, VOLUME, save_dicom, save_nifti, save_picture, save_tiff
from PIL import Image

from unet_helpers.files import DataError, palettes_agree, read_file, read_image, read_mask

CLASSES = (GRAY % 3).astype(np.uint8)


def save_palette(path, indices, colors, **options):
    picture = Image.fromarray(indices).convert("P")
    picture.putdata(indices.ravel().tolist())
    picture.putpalette([value for color in colors for value in color])
    picture.save(path, **options)


FALLING = [(255 - k,) * 3 for k in range(256)]


# --- palettes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["m.png", "m.tif"])
@pytest.mark.parametrize(
    ("indices", "colors"),
    [
        (CLASSES % 2 * 255, FALLING),
        (CLASSES % 2, [(255,) * 3, (0,) * 3]),
        (CLASSES, [(200,) * 3, (100,) * 3, (50,) * 3]),
        (CLASSES, [(0,) * 3, (255,) * 3, (128,) * 3]),
        (np.full((6, 8), 255, np.uint8), FALLING),
    ],
    ids=["ImageJ", "two", "falling", "not in order", "one index"],
)
def test_a_mask_whose_palette_shows_a_higher_index_darker_is_refused(tmp_path, name, indices, colors):
    save_palette(tmp_path / name, indices, colors)
    with pytest.raises(DataError, match=rf"'{name}' has an inverting palette.*without a palette"):
        read_mask(tmp_path / name)


@pytest.mark.parametrize(
    "colors",
    [
        [(0, 0, 0), (255, 0, 0), (0, 255, 0)],
        [(255, 255, 255), (255, 0, 0), (0, 0, 0)],  # in colors the order of brightness says nothing
        [(0,) * 3, (128,) * 3, (255,) * 3],
        [(0,) * 3, (1,) * 3, (2,) * 3],
    ],
)
def test_the_index_of_another_palette_is_the_class_and_its_colors_are_told(tmp_path, colors):
    save_palette(tmp_path / "m.png", CLASSES, colors)
    reading = read_file(tmp_path / "m.png", as_mask=True)
    np.testing.assert_array_equal(reading.array, CLASSES)
    assert reading.rule == "indices of a palette"
    assert reading.palette == dict(enumerate(colors))


def test_palettes_that_number_the_classes_in_another_order_are_found(tmp_path):
    red, green, black = (255, 0, 0), (0, 255, 0), (0, 0, 0)
    for name, colors in (("a", [black, red, green]), ("b", [black, red, green]), ("c", [black, green, red])):
        save_palette(tmp_path / f"{name}.png", CLASSES, colors)
    palettes = {path: read_file(path, as_mask=True).palette for path in sorted(tmp_path.glob("*.png"))}
    palettes_agree(dict(list(palettes.items())[:2]) | {"plain.png": None})
    with pytest.raises(DataError, match=r"'c\.png' shows index 1 in the color \(0, 255, 0\) but 'a\.png' in"):
        palettes_agree(palettes)


def save_packed(path, values, bits):
    """A gray PNG of 1, 2 or 4 bits."""
    import struct
    import zlib

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    levels = np.unpackbits(values[..., np.newaxis], axis=-1)[..., -bits:].reshape(len(values), -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in levels)
    header = struct.pack(">IIBBBBB", values.shape[1], len(values), bits, 0, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


@pytest.mark.parametrize(("bits", "top"), [(4, 1), (4, 2), (4, 14), (2, 1), (2, 2)])
def test_indices_in_few_bits_are_those_of_the_file_and_white_is_255(tmp_path, bits, top):
    save_packed(tmp_path / "m.png", CLASSES % 2 * np.uint8(top), bits)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), CLASSES % 2 * top)
    save_packed(tmp_path / "white.png", CLASSES % 2 * np.uint8(2**bits - 1), bits)
    np.testing.assert_array_equal(read_mask(tmp_path / "white.png"), CLASSES % 2 * 255)
    assert read_image(tmp_path / "white.png")[0].max() == 255


# --- alpha ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", [".png", ".tif"])
@pytest.mark.parametrize(
    ("gray", "alpha"),
    [
        (255, CLASSES % 2 * 255),
        (0, CLASSES % 2 * 255),
        (CLASSES % 2 * 255, CLASSES * 100),
        (255, CLASSES * 0),
        (CLASSES % 2 * 255, CLASSES // 2 * 255),
    ],
    ids=["white brush", "black brush", "soft edge", "nothing drawn", "another object"],
)
def test_a_mask_that_may_stand_in_the_alpha_channel_is_refused(tmp_path, ends, gray, alpha):
    for channels in (1, 3):
        array = np.full((6, 8, channels + 1), 0, np.uint8)
        array[..., :-1] = np.broadcast_to(gray, (6, 8))[..., None]
        array[..., -1] = alpha
        Image.fromarray(array, "LA" if channels == 1 else "RGBA").save(tmp_path / f"m{ends}")
        with pytest.raises(DataError, match=rf"'m\{ends}' is transparent in part"):
            read_mask(tmp_path / f"m{ends}")
        assert "alpha left out" in read_file(tmp_path / f"m{ends}").rule


@pytest.mark.parametrize("alpha", [CLASSES * 0 + 255, CLASSES * 0 + 128, CLASSES % 2 * 255])
def test_alpha_that_says_nothing_else_is_left_out(tmp_path, alpha):
    mask = CLASSES % 2 * 255
    Image.fromarray(np.dstack([mask, mask, mask, alpha.astype(np.uint8)]), "RGBA").save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), mask)


# --- orientation, white as 0 ----------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ends", [".png", ".jpg", ".tif", ".lzw.tif"])
def test_a_picture_is_upright_as_its_orientation_says(tmp_path, orientation, ends):
    blocks = np.repeat(np.repeat(GRAY * 5, 8, axis=0), 8, axis=1)
    path = tmp_path / f"a{ends}"
    if ends == ".tif":
        save_tiff(path, blocks, extratags=[(274, 3, 1, orientation, True)])
    else:
        exif = Image.Exif()
        exif[274] = orientation
        options = {"compression": "tiff_lzw"} if ends == ".lzw.tif" else {"quality": 100} if ends == ".jpg" else {}
        Image.fromarray(blocks).save(path, exif=exif, **options)
    # by the words of the EXIF standard: where row 0 and column 0 of the file are in the upright picture
    row_0, column_0 = (
        ["top left", "top right", "bottom right", "bottom left", "left top", "right top"][:6][orientation - 1].split()
        if orientation < 7
        else ["right bottom", "left bottom"][orientation - 7].split()
    )
    expected = blocks if row_0 in ("top", "bottom") else blocks.T
    expected = expected[::-1] if "bottom" in (row_0, column_0) else expected
    expected = expected[:, ::-1] if "right" in (row_0, column_0) else expected
    assert np.abs(read_image(path)[0][..., 0] - expected).max() <= (3 if ends == ".jpg" else 0)
    if ends != ".lzw.tif" and orientation > 1:
        assert f"orientation {orientation}" in read_file(path).notes[0]


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"planarconfig": None}])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_where_0_is_white_a_tiff_of_any_depth_is_turned_around(tmp_path, dtype, options):
    stored = (GRAY.astype(dtype) * dtype(5)).astype(dtype)
    save_tiff(tmp_path / "a.tif", stored, photometric="miniswhite", **options)
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.tif")[0][..., 0], (np.iinfo(dtype).max - stored).astype("f4")
    )


def test_where_0_is_white_lzw_of_16_bits_is_turned_around_and_float_is_refused(tmp_path):
    stored = GRAY.astype(np.uint16) * 1000
    Image.fromarray(stored).save(tmp_path / "a.tif", compression="tiff_lzw", tiffinfo={262: 0})
    assert Image.open(tmp_path / "a.tif").tag_v2[262] == 0
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[0][..., 0], 65535 - stored.astype(int))
    save_tiff(tmp_path / "b.tif", stored.astype(np.float32), photometric="miniswhite")
    with pytest.raises(DataError, match=r"'b\.tif' says that 0 is white, but its values are float32"):
        read_image(tmp_path / "b.tif")


@pytest.mark.parametrize("photometric", ["cielab", "logluv", "cfa"])
def test_colors_that_are_not_read_are_named(tmp_path, photometric):
    array = GRAY if photometric == "cfa" else np.dstack([GRAY] * 3)
    save_tiff(tmp_path / "a.tif", array, photometric=photometric)
    with pytest.raises(DataError, match=r"'a\.tif' is in the colors \w+, which are not read here"):
        read_image(tmp_path / "a.tif")


def test_ink_becomes_rgb(tmp_path):
    ink = Image.fromarray(np.dstack([GRAY * 5] * 3)).convert("CMYK")
    for name in ("a.jpg", "a.tif"):
        ink.save(tmp_path / name, **({"quality": 100} if name == "a.jpg" else {}))
        assert np.abs(read_image(tmp_path / name)[0] - np.dstack([GRAY * 5] * 3)).max() <= 3
    assert read_file(tmp_path / "a.tif").rule == "CMYK as RGB"


# --- lossy masks, moved labels, channels ----------------------------------------------------------


@pytest.mark.parametrize("top", [2, 3, 5, 100, 127])
@pytest.mark.parametrize("quality", [75, 100])
def test_class_indices_in_a_jpeg_are_refused(tmp_path, top, quality):
    mask = np.zeros((32, 32), np.uint8)
    mask[4:20, 4:20], mask[8:12, 8:13] = 1, top
    Image.fromarray(mask).save(tmp_path / "m.jpg", quality=quality)
    with pytest.raises(DataError, match=r"'m\.jpg' is compressed as a photograph.*PNG"):
        read_mask(tmp_path / "m.jpg")


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("quality", [80, 95])
@pytest.mark.parametrize("name", ["m.jpg", "m.jpeg", "m.tif"])
def test_black_and_white_in_a_jpeg_is_cut_at_128(tmp_path, mode, quality, name):
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, 8:25] = 255
    options = {"quality": quality} | ({"compression": "jpeg"} if name == "m.tif" else {})
    Image.fromarray(mask).convert(mode).save(tmp_path / name, **options)
    reading = read_file(tmp_path / name, as_mask=True)
    np.testing.assert_array_equal(reading.array, mask)
    assert "cut at 128" in reading.rule


def test_an_empty_jpeg_is_an_empty_mask_and_a_photograph_is_none(tmp_path, gray):
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "m.jpg")
    assert not read_mask(tmp_path / "m.jpg").any()
    Image.fromarray(gray(1, (16, 16, 3))).save(tmp_path / "m.jpg")
    with pytest.raises(DataError, match="photograph"):
        read_mask(tmp_path / "m.jpg")


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int32])
@pytest.mark.parametrize("top", [1, 3, 20])
def test_labels_moved_by_the_scale_factor_of_nifti_are_whole_again(tmp_path, dtype, top):
    import nibabel

    mask = np.zeros((4, 5, 3))
    mask[1:3, 1:3], mask[3, 3] = 1, top
    header = nibabel.Nifti1Image(np.zeros((4, 5, 3), dtype), np.eye(4)).header
    nibabel.save(nibabel.Nifti1Image(mask, np.diag([-1, -1, 1, 1]), header), tmp_path / "m.nii")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.nii"), mask.transpose(2, 1, 0))


@pytest.mark.parametrize("values", [[0, 0.5, 1], [0, 0.003, 1], [0, 0.999, 0.998, 1], [0, 1.2], [0, 1 / 255]])
def test_labels_between_whole_numbers_are_no_labels(write_folder, values):
    with pytest.raises(DataError, match=r"'m\.npy'.*whole numbers"):
        read_mask(write_folder("m", {"m.npy": np.array([values])}) / "m.npy")


@pytest.mark.parametrize("channels", [2, 3, 4, 5])
def test_a_channel_per_class_is_no_mask_in_any_format(tmp_path, channels):
    one_hot = (np.arange(channels) == (GRAY % channels)[..., None]).astype(np.uint8)
    save_nifti(tmp_path / "m.nii", np.stack([one_hot] * 2))
    np.save(tmp_path / "m.npy", np.stack([one_hot] * 2))
    np.savez(tmp_path / "m.npz", mask=np.stack([one_hot] * 2))
    only_last = np.zeros_like(one_hot)
    only_last[..., -1] = 1
    save_nifti(tmp_path / "last.nii", np.stack([only_last] * 2))
    for path in tmp_path.iterdir():
        with pytest.raises(DataError, match=rf"'{path.name}' (holds \d channels.*argmax|is a color picture)"):
            read_mask(path)


@pytest.mark.parametrize("ends", [".nrrd", ".mha", ".mhd", ".nii.gz", ".tif"])
@pytest.mark.parametrize("channels", [4, 6])
def test_a_channel_per_class_is_no_mask_where_all_but_the_last_are_empty(tmp_path, ends, channels):
    import SimpleITK

    classes = np.zeros((3, 6, 8, channels), np.uint8)
    classes[1, 2:4, 3:7, -1] = 1
    if ends == ".tif":
        save_tiff(tmp_path / f"m{ends}", classes[1], photometric="minisblack", planarconfig="contig")
    elif ends == ".nii.gz":
        save_nifti(tmp_path / f"m{ends}", classes)
    else:
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(classes, isVector=True), str(tmp_path / f"m{ends}"))
    with pytest.raises(DataError, match=rf"'m{ends}'.*(channels|color|alpha)"):
        read_mask(tmp_path / f"m{ends}")


# --- axes of arrays -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ((6, 8), (6, 8, 1)),
        ((6, 8, 1), (6, 8, 1)),
        ((6, 8, 3), (6, 8, 3)),
        ((1, 6, 8), (6, 8, 1)),
        ((1, 6, 8, 1), (6, 8, 1)),
        ((3, 6, 8), (3, 6, 8, 1)),
        ((3, 6, 8, 2), (3, 6, 8, 2)),
    ],
)
@pytest.mark.parametrize("ends", [".npy", ".npz"])
def test_the_last_axis_of_an_array_is_channels_up_to_four_and_one_slice_is_a_slice(tmp_path, stored, read, ends):
    array = np.arange(np.prod(stored), dtype=np.int16).reshape(stored)
    (np.save if ends == ".npy" else np.savez)(tmp_path / f"a{ends}", array)
    image, _ = read_image(tmp_path / f"a{ends}")
    assert image.shape == read
    np.testing.assert_array_equal(image.ravel(), array.ravel())
    if read[-1] == 1:
        np.save(tmp_path / "m.npy", array % 3)
        assert read_mask(tmp_path / "m.npy").shape == read[:-1]


@pytest.mark.parametrize("content", [{"masks": CLASSES}, [CLASSES, "x"], None])
@pytest.mark.parametrize("ends", ["_seg.npy", ".npz"])
def test_python_objects_are_named_and_not_called_damaged(tmp_path, content, ends):
    holder = np.empty((), object)
    holder[()] = content
    (np.save if ends == "_seg.npy" else np.savez)(tmp_path / f"a{ends}", holder)
    for read in (read_image, read_mask):
        with pytest.raises(DataError, match=rf"'a{ends}' holds a Python object.*Cellpose") as error:
            read(tmp_path / f"a{ends}")
        assert "damaged" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.mgz", "FreeSurfer.*nibabel"),
        ("a.img", "Analyze"),
        ("a.svs", "slide"),
        ("a.bmp", r"Image.open\('a.bmp'\)"),
        ("a.json", "annotation"),
        ("a.h5", "container"),
        ("a.xyz", "no format that is read here"),
    ],
)
def test_other_formats_are_named_with_what_converts_them(tmp_path, name, words):
    (tmp_path / name).write_bytes(b"any")
    with pytest.raises(DataError, match=f"'{name}' is .*{words}.*|{words}"):
        read_image(tmp_path / name)


# --- the rule -------------------------------------------------------------------------------------


def test_each_file_says_what_its_numbers_are(tmp_path):
    save_picture(tmp_path / "8.png", GRAY)
    save_picture(tmp_path / "16.png", GRAY.astype(np.uint16))
    save_palette(tmp_path / "p.png", CLASSES, [(0, 0, 0), (9, 0, 0), (0, 9, 0)])
    save_tiff(tmp_path / "f.tif", GRAY.astype(np.float32))
    save_dicom(tmp_path / "ct.dcm")
    save_dicom(tmp_path / "us.dcm", Modality="US", RescaleSlope=None, RescaleIntercept=None)
    save_nifti(tmp_path / "v.nii", VOLUME)
    rules = {path.name: (read_file(path).rule, read_file(path).unit) for path in tmp_path.iterdir()}
    assert rules == {
        "8.png": ("8 bit as stored", ""),
        "16.png": ("16 bit as stored", ""),
        "p.png": ("colors of a palette", ""),
        "f.tif": ("float as stored", ""),
        "ct.dcm": ("HU by slope 2 and intercept -1024", "HU"),
        "us.dcm": ("values as stored", ""),
        "v.nii": ("values as stored", ""),
    }
    assert read_file(tmp_path / "16.png").stored == "uint16"
