"""Unpack tar and zip archives that may be hostile: nothing outside the folder, no links, no more than announced."""

import contextlib
import os
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path, PureWindowsPath

from .paths import FULL, DataError, user_path, writing

LARGEST = 200 * 2**30  # bytes, unpacked


def extract(archive, folder, largest=LARGEST):
    """Unpack an archive into a new folder, whole or not at all.

    Parameters
    ----------
    archive : str or Path
        tar (also packed: .tar.gz, .tar.bz2, .tar.xz) or zip.
    folder : str or Path
        Must not exist yet.
    largest : int
        The most bytes that may come out, however small the archive is.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    FileNotFoundError
        If there is no such archive.
    FileExistsError
        If the folder is there already.
    DataError
        If a member leads outside the folder, is a link or a device, stands twice, is encrypted or damaged, or if more
        comes out than ``largest`` or than the disk holds. Nothing is left on the disk then.
    """
    archive, folder = user_path(archive), user_path(folder)
    if not archive.is_file():
        raise FileNotFoundError(f"no archive '{archive}'; check the path")
    if folder.exists():
        raise FileExistsError(f"'{folder}' is there already; choose a new folder, or remove it")
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        room = min(largest, shutil.disk_usage(folder.parent).free - 2**28)
        around = tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpacking-")
    with writing(folder), around as temporary:
        try:
            if zipfile.is_zipfile(archive):
                _extract_zip(archive, temporary, room)
            elif tarfile.is_tarfile(archive):
                _extract_tar(archive, temporary, room)
            else:
                raise DataError(f"'{archive.name}' is no tar and no zip archive; download it again")
        except DataError:
            raise
        except Exception as error:  # EOFError, zlib.error, BadZipFile, RuntimeError for a password, …
            if getattr(error, "errno", None) in FULL:
                raise
            raise DataError(
                f"'{archive.name}' cannot be unpacked: truncated or damaged? Download it again. "
                f"({type(error).__name__}: {error})"
            ) from error
        with contextlib.suppress(OSError):  # a memory stick may know no permissions
            os.chmod(temporary, 0o755)
        os.replace(temporary, folder)
        Path(temporary).mkdir()  # for the context manager to remove
    return folder


def _extract_tar(archive, folder, room):
    seen, total = set(), 0
    with tarfile.open(archive) as tar:
        for member in tar:
            total += _check(archive, member.name, member.size, member.isfile() or member.isdir(), total, room, seen)
            path = Path(folder, member.name)
            (path if member.isdir() else path.parent).mkdir(parents=True, exist_ok=True)
            if member.isfile():
                with tar.extractfile(member) as packed, open(path, "xb") as file:
                    shutil.copyfileobj(packed, file)


def _extract_zip(archive, folder, room):
    seen, total = set(), 0
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            kind = member.external_attr >> 28  # the file type of Unix: 0 not given, 4 folder, 8 file
            total += _check(archive, member.filename, member.file_size, kind in (0, 4, 8), total, room, seen)
            packed.extract(member, folder)  # stops at the announced size, and compares the checksum


def _check(archive, name, size, plain, total, room, seen):
    path = PureWindowsPath(name)  # takes / and \\ for separators, and knows C: too
    if path.drive or path.root or ".." in path.parts:
        raise DataError(f"'{archive.name}' is refused: '{name}' leads outside of its folder; do not use it")
    if not plain:
        raise DataError(f"'{archive.name}' is refused: '{name}' is a link or a device; unpack it by hand")
    if total + size > room:
        raise DataError(
            f"'{archive.name}' is refused: it unpacks to more than {max(room, 0) / 1e9:.1f} GB, which is the limit or "
            "all that the disk has; make room, or pass a larger number as largest"
        )
    if str(path) in seen and not name.endswith("/"):
        raise DataError(f"'{archive.name}' is refused: '{name}' stands in it twice; download it again")
    seen.add(str(path))
    return size
