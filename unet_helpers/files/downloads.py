"""Fetch public data sets: by name, with a checksum, cached in the data folder, and resumed where it broke off."""

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .archives import extract
from .paths import DataError, writing

ATTEMPTS = 3  # at one call; the next call goes on from there


@dataclass(frozen=True)
class Source:
    """Where a data set comes from, and on which terms."""

    url: str
    known_hash: str  # "md5:…" or "sha256:…"
    license: str
    citation: str


def _decathlon(task, known_hash):
    return Source(
        f"https://msd-for-monai.s3-us-west-2.amazonaws.com/{task}.tar",
        known_hash,
        "CC BY-SA 4.0",
        "Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13:4128, 2022, "
        "doi 10.1038/s41467-022-30695-9",
    )


#: the data sets that :func:`fetch` knows, by name
SOURCES = {
    task: _decathlon(task, known_hash)
    for task, known_hash in {
        "Task01_BrainTumour": "md5:240a19d752f0d9e9101544901065d872",
        "Task02_Heart": "md5:06ee59366e1e5124267b774dbd654057",
        "Task03_Liver": "md5:a90ec6c4aa7f6a3d087205e23d4e6397",
        "Task04_Hippocampus": "md5:9d24dba78a72977dbd1d2e110310f31b",
        "Task05_Prostate": "md5:35138f08b1efaef89d7424d2bcc928db",
        "Task06_Lung": "sha256:f782cd09da9cf7a3128475d4a53650d371db10f0427aa76e166fccfcb2654161",
        "Task07_Pancreas": "md5:4f7080cfca169fa8066d17ce6eb061e4",
        "Task08_HepaticVessel": "md5:641d79e80ec66453921d997fbf12a29c",
        "Task09_Spleen": "sha256:dfeba347daae4fb08c38f4d243ab606b28b91b206ffc445ec55c35489fa65e60",
        "Task10_Colon": "md5:bad7a188931dc2f6acf72b08eb6202d0",
    }.items()
}


def fetch(name, progress=True):
    """Download a public data set once and return its folder.

    Parameters
    ----------
    name : str
        One of :data:`SOURCES`; ``Task04_Hippocampus`` (27 MB) is the one for a class.
    progress : bool
        Show a bar.

    Returns
    -------
    Path
        ``<data folder>/<name>``, to be passed to :func:`unet_helpers.load_dataset`. The data folder is that of
        :func:`unet_helpers.files.data_folder` and moved with ``UNET_DATA_DIR``.

    Raises
    ------
    DataError
        For an unknown name, a wrong checksum, an archive that cannot be unpacked, a disk that does not hold it, or a
        folder from which a file is missing, as after a copy that broke off.
    ConnectionError
        Without a network, or when the download broke off; what has arrived stays, and the next call goes on.
    """
    from .paths import data_folder

    if name not in SOURCES:
        raise DataError(f"no data set '{name}' is known here; choose one of {', '.join(SOURCES)}")
    source, folder = SOURCES[name], data_folder() / name
    print(f"{name}: license {source.license}. Please cite: {source.citation}")
    if _is_there(folder):
        return folder
    downloads = data_folder() / "downloads"
    with _alone(downloads):
        if not _is_there(folder):  # another kernel may have fetched it meanwhile
            _unpack(_retrieve(source, downloads, progress), folder, name)
    return folder


def _is_there(folder):
    """Whether the set lies here; an empty folder is none, and one that lacks a file is an error that names both."""
    if folder.is_file():
        raise DataError(f"'{folder}' is a file where the folder of a data set belongs; move it away")
    if not folder.is_dir() or not any(folder.iterdir()):
        return False
    missing = _missing_from(folder)
    if missing:
        raise DataError(
            f"'{folder}' is not whole: '{missing}' is missing or damaged, as after a copy that broke off; remove the "
            "folder, and the next call fetches it again"
        )
    return True


def _missing_from(folder):
    """The first file that ``dataset.json`` names and that is not there, or that list itself."""
    try:
        cases = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["training"]
        paths = [folder / case[kind] for case in cases for kind in ("image", "label")]
    except (OSError, ValueError, KeyError, TypeError):
        return "dataset.json"
    return next(
        (str(path.relative_to(folder)) for path in paths if not path.is_file() or not path.stat().st_size), None
    )


def _retrieve(source, downloads, progress):
    """The archive, fetched and compared with its checksum."""
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    archive, go_on = Path(source.url).name, _Resuming(progress)
    try:
        try:
            return Path(pooch.retrieve(source.url, source.known_hash, archive, downloads, downloader=go_on))
        except ValueError:
            if not go_on.from_earlier:
                raise
            # what an earlier call had left was damaged: once more, from the beginning
            return Path(pooch.retrieve(source.url, source.known_hash, archive, downloads, downloader=go_on))
    except requests.exceptions.RequestException as error:
        raise ConnectionError(
            f"'{archive}' could not be fetched from {source.url} ({type(error).__name__}). Check the network and "
            f"call again: what has arrived is kept. Or bring the file from elsewhere to '{downloads}'"
        ) from error
    except ValueError as error:
        raise DataError(
            f"'{archive}' is not the file that is meant: {source.known_hash.split(':')[0]} differs. It has been "
            "deleted; call again, and if it comes again as it was, do not use it"
        ) from error
    except OSError:
        with writing(downloads / archive):
            raise


def _unpack(archive, folder, name):
    """The folder inside the archive, without another folder of the same name around it."""
    with writing(folder), tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpacked-") as temporary:
        around = extract(archive, Path(temporary) / name)
        inner = around / name
        with contextlib.suppress(OSError):
            folder.rmdir()  # an empty one, which not every system replaces
        os.replace(inner if inner.is_dir() else around, folder)
        archive.unlink()  # the unpacked copy is enough


@contextlib.contextmanager
def _alone(folder):
    """Wait while another process of this machine is in here with the same folder, where the system has such locks."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    handle = None
    try:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            handle = os.open(folder, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        if handle is not None:
            os.close(handle)


class _Resuming:
    """Downloader for pooch: what arrives goes to ``<name>.part`` and is asked for from its end on."""

    def __init__(self, progress):
        self.progress, self.from_earlier = progress, False

    def __call__(self, url, output_file, pooch):
        import requests

        part = Path(output_file).parent / f"{Path(url).name}.part"
        self.from_earlier = part.is_file()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._go_on(url, part)
                break
            except requests.exceptions.RequestException:
                if attempt == ATTEMPTS:
                    raise
            except OSError:  # the disk is full: without the part it is less so
                with contextlib.suppress(OSError):
                    part.unlink()
                raise
        os.replace(part, output_file)

    def _go_on(self, url, part):
        import requests
        from tqdm.auto import tqdm

        have = part.stat().st_size if part.is_file() else 0
        headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {}
        with requests.get(url, headers=headers, stream=True, timeout=30) as answer:
            if answer.status_code == 416:  # the part is as long as the file, or longer: the checksum decides
                return
            answer.raise_for_status()
            if answer.status_code != 206:
                have = 0  # this server knows no ranges: from the beginning
            total = have + int(answer.headers.get("Content-Length", 0))
            answer.raw.enforce_content_length = False  # it would drop the last piece; the length is compared below
            bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=part.stem, disable=not self.progress)
            with bar, open(part, "ab" if have else "wb") as file:
                for piece in answer.iter_content(2**20):
                    file.write(piece)
                    bar.update(len(piece))
        if part.stat().st_size < total:
            raise requests.exceptions.ConnectionError(f"{part.stat().st_size} of {total} bytes arrived")
