"""Paths, names and suffixes of files; what is refused becomes one sentence; files are written whole or not at all."""

import contextlib
import errno
import hashlib
import math
import os
import re
import tempfile
from pathlib import Path

READABLE = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".npz", ".dcm", ".nii", ".nii.gz"),
    *(".nrrd", ".nhdr", ".mha", ".mhd"),
)


class DataError(ValueError):
    """A file or folder that cannot be used; the message names it and says what to do."""


def max_values():
    """The most pixels × channels that one file may unfold to: 2**29 (2 GiB as float32), or ``UNET_MAX_VALUES``.

    A damaged or hostile header can announce more than any machine has; the limit is checked before the memory is
    taken.
    """
    named = os.environ.get("UNET_MAX_VALUES", str(2**29))
    if not named.isdecimal() or int(named) == 0:
        raise DataError(f"UNET_MAX_VALUES is {named!r}; give a whole number of pixels above 0")
    return int(named)


def check_size(path, shape):
    """Raise :class:`DataError` if an array of this shape is larger than :func:`max_values`."""
    values = math.prod(int(n) for n in shape)
    if values > max_values():
        size = "×".join(str(n) for n in shape)
        raise DataError(
            f"'{_name(path)}' is too large: its header announces {size} values, and {max_values()} are allowed. If the "
            f"file is what you expect, allow more with the environment variable UNET_MAX_VALUES={values}"
        )


def user_path(named):
    """The path that a person means: ``~`` at its beginning is the home folder, as in a shell."""
    path = os.path.expanduser(named)
    home = path.replace("\\", "/").partition("/")[0]
    if path.startswith("~") and not os.path.exists(home):  # a file may well be named "~x.png"
        raise DataError(f"'{named}' begins with {home}, but no such home folder is known here; write it in full")
    return Path(path)


def suffix_of(path):
    """The format suffix in lower case, with ``.nii.gz`` as one piece."""
    name = os.path.basename(path).lower()
    stem, dot, end = name.rpartition(".")
    return ".nii.gz" if name.endswith(".nii.gz") else dot + end if stem.strip(".") else ""


def is_part(name, names):
    """Whether a file holds the voxels of a header among ``names``, as x.raw those of x.mhd: no image of its own."""
    stem = re.sub(r"\.(raw|zraw|raw\.gz|gz|bin|dat)$", "", name, flags=re.IGNORECASE)
    return stem != name and any(stem + end in names for end in (".mhd", ".nhdr"))


def stem_of(path):
    """The file name without its format suffix."""
    name = os.path.basename(path)
    return name[: len(name) - len(suffix_of(name))]


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)  # a disk that takes no more


@contextlib.contextmanager
def writing(path):
    """Turn the error of a system that refuses to write into one sentence: what, why, and what to do."""
    try:
        yield
    except OSError as error:
        blocked = isinstance(error, FileExistsError | NotADirectoryError)
        why = "a file stands where a folder is needed" if blocked else error.strerror or str(error)
        raise DataError(
            f"'{path}' cannot be written ({why}); make room, or choose another folder (the environment variable "
            "UNET_DATA_DIR names the one in which the series keeps its data)"
        ) from None


@contextlib.contextmanager
def reading_of(path):
    """Turn whatever a library raises at a damaged file into one sentence that names the file."""
    try:
        yield
    except (DataError, FileNotFoundError):
        raise
    except PermissionError as error:
        raise DataError(f"'{path.name}' may not be read by this user; change its permissions") from error
    except Exception as error:  # each library has errors of its own; the reader needs one sentence
        raise DataError(
            f"'{path.name}' cannot be read as {suffix_of(path)[1:] or 'DICOM'} ({path.stat().st_size} bytes): "
            f"truncated or damaged? Copy it again, or leave the pair out. ({type(error).__name__}: {error})"
        ) from error


def without_quotes(error):
    """The sentence of a :class:`DataError` without what a library said, which may quote a header and so a name."""
    return str(error) if error.__cause__ is None else str(error).replace(f": {error.__cause__})", ")")


def sha256_of(path):
    """The sha256 of a file, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class atomic_path:
    """Context manager: write to a temporary file beside ``path``, and move it there only on success.

    A folder that may not be written and a full disk raise :class:`DataError`; no part of a file is left then.
    """

    def __init__(self, path):
        self.path = user_path(path)

    def __enter__(self):
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".writing-", suffix=suffix_of(self.path))
            os.close(handle)
        self.temporary = Path(name)
        return self.temporary

    def __exit__(self, kind, value, traceback):
        try:
            with writing(self.path):
                if getattr(value, "errno", None) in FULL:
                    raise value
                if value is None:
                    with contextlib.suppress(OSError):  # a memory stick may know no permissions
                        os.chmod(self.temporary, 0o644)  # mkstemp makes it private to its owner
                    os.replace(self.temporary, self.path)
        finally:
            with contextlib.suppress(OSError):
                self.temporary.unlink(missing_ok=True)


def _name(path):
    return Path(path).name


def _said_by(variable):
    """The folder in a variable, as a shell takes it: a ``.env`` file may hand on quotes and ``$HOME`` as they stand."""
    value = os.environ.get(variable, "").strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1].strip()
    return os.path.expandvars(value)


def data_folder():
    """Where generated and fetched data are kept: ``UNET_DATA_DIR``, or a cache folder of the user; made if missing."""
    named, cache = _said_by("UNET_DATA_DIR"), _said_by("XDG_CACHE_HOME")
    # an empty variable counts as unset, as does a cache folder without its whole path: so the XDG specification says
    cache = cache if os.path.isabs(os.path.expanduser(cache)) else "~/.cache"
    try:
        if named.startswith(("$", "%")):
            raise DataError(f"'{named}' begins with a variable that is not set; write it in full")
        base = user_path(named) if named else user_path(cache) / "unet_helpers"
    except DataError as error:
        if named:
            raise DataError(f"UNET_DATA_DIR names no folder: {error}") from None
        raise DataError(
            "no home folder is known here in which data could be kept; name a folder in the environment variable "
            "UNET_DATA_DIR"
        ) from None
    with writing(base):
        base.mkdir(parents=True, exist_ok=True)
    return base
