"""Write the phantom as a folder the way people get one, with what goes wrong in such folders.

``python -m unet_helpers export FOLDER`` writes ``2d_images/`` and ``2d_masks/``.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from ..files.paths import data_folder, user_path, writing
from .preprocessing import window
from .synthetic import phantom_arrays, phantom_version


def export_phantom(folder=None, *, patients=16, size=128, seed=0, clean=False, overwrite=False):
    """Write phantom patients as 8-bit PNG pairs, lung window, with the usual defects.

    Names are ``ID_0003_Z_0010.png`` in both folders; from the third patient on the images say
    ``ID_3_Z_10.png``, so that sorting puts 10 before 9 on one side only. Unless ``clean``, there are:
    a missing mask, an orphan mask, a copy of an image under another name with its mask, two files of one name in two
    formats, a mask of another size, one patient's masks in 0/255, and one truncated image.

    Parameters
    ----------
    folder : str or Path, optional
        Default: ``phantom_folder`` in the data folder. An existing folder is left as it is unless
        ``overwrite``.
    patients, size, seed : int
    clean : bool
        Without the defects.

    Returns
    -------
    Path
    """
    if folder is None:
        name = f"phantom_{'clean' if clean else 'folder'}_{patients}_{size}_{seed}"
        folder = data_folder() / f"phantom_{phantom_version()}" / name
    folder = user_path(folder)
    if folder.exists():
        if not overwrite:
            return folder
        _check_removable(folder)
    volumes, truths, _, _ = phantom_arrays(size=size, seed=seed)
    least = 1 if clean else 8
    if not least <= patients <= len(volumes):
        raise ValueError(f"{patients} patients asked for; give {least} to {len(volumes)}")
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # beside its place, and moved there when complete: an interrupted export leaves no half folder to be trusted
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".writing-") as temporary:
            written = Path(temporary) / "export"
            _write(written, volumes[:patients], truths[:patients], clean)
            if folder.exists():
                if not overwrite:  # another kernel was faster
                    return folder
                os.replace(folder, Path(temporary) / "old")
            try:
                os.replace(written, folder)
            except OSError:
                if overwrite or not folder.is_dir():  # else another kernel was faster by a moment
                    raise
    return folder


def _write(folder, volumes, truths, clean):
    images, masks = folder / "2d_images", folder / "2d_masks"
    images.mkdir(parents=True)
    masks.mkdir()
    for k in range(len(volumes)):
        for z, (hu, mask) in enumerate(zip(volumes[k], truths[k], strict=True)):
            gray = (window(hu.astype(np.float32), -600, 1500) * 255).round().astype(np.uint8)
            padded = f"ID_{k + 1:04d}_Z_{z + 5:04d}.png"
            short = f"ID_{k + 1}_Z_{z + 5}.png"
            _save(images / (padded if k < 2 else short), gray)
            _save(masks / padded, mask)
    if not clean:
        _add_defects(images, masks)
    (folder / "exported_by_unet_helpers.txt").write_text("synthetic patients; may be written again\n")


def _save(path, array):
    from PIL import Image

    Image.fromarray(array).save(path)


def _add_defects(images, masks):
    from PIL import Image

    def load(path):
        with Image.open(path) as picture:
            return np.asarray(picture)

    (masks / "ID_0001_Z_0007.png").unlink()  # an image without its mask
    (images / "ID_4_Z_8.png").unlink()  # a mask without its image
    shutil.copyfile(images / "ID_0002_Z_0006.png", images / "ID_0002_Z_0060.png")  # the same slice twice
    shutil.copyfile(masks / "ID_0002_Z_0006.png", masks / "ID_0002_Z_0060.png")
    _save(images / "ID_5_Z_9.tif", load(images / "ID_5_Z_9.png"))  # one name, two formats
    mask = load(masks / "ID_0006_Z_0008.png")
    _save(masks / "ID_0006_Z_0008.png", mask[: len(mask) - 4])  # another size
    for path in sorted(masks.glob("ID_0007_*.png")):  # one patient's masks drawn with another tool
        _save(path, (load(path) > 0).astype(np.uint8) * 255)
    damaged = images / "ID_8_Z_10.png"  # a copy that broke off
    # cut at a fixed size: half of the file would be another number with another version of the PNG library
    damaged.write_bytes(damaged.read_bytes()[: min(2500, damaged.stat().st_size // 2)])


def _check_removable(folder):
    """Only a folder that an export wrote is ever replaced."""
    if not (folder / "exported_by_unet_helpers.txt").is_file():
        raise FileExistsError(f"'{folder}' was not written by this command; choose another folder")


def main(arguments=()):
    """Command line: ``python -m unet_helpers export FOLDER``."""
    parser = argparse.ArgumentParser(
        "python -m unet_helpers export", description=export_phantom.__doc__.splitlines()[0]
    )
    parser.add_argument("folder", type=user_path)
    parser.add_argument("--patients", type=int, default=16)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clean", action="store_true", help="without the defects")
    options = parser.parse_args(arguments)
    if options.folder.exists():
        raise SystemExit(f"'{options.folder}' is there already; choose a new folder")
    folder = export_phantom(**vars(options))
    images, masks = (len(list((folder / name).iterdir())) for name in ("2d_images", "2d_masks"))
    print(f"{images} images and {masks} masks in {folder}")
