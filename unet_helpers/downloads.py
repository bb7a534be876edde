"""Fetch public data sets: by name, with a checksum, cached in the data folder, and resumed where it broke off."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .archives import extract
from .images import DataError

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
        :func:`unet_helpers.datasets.data_folder` and moved with ``UNET_DATA_DIR``.

    Raises
    ------
    DataError
        For an unknown name, a wrong checksum, or an archive that cannot be unpacked.
    ConnectionError
        Without a network, or when the download broke off; what has arrived stays, and the next call goes on.
    """
    import pooch
    import requests

    from .datasets import data_folder

    if name not in SOURCES:
        raise DataError(f"no data set '{name}' is known here; choose one of {', '.join(SOURCES)}")
    source, folder = SOURCES[name], data_folder() / name
    print(f"{name}: license {source.license}. Please cite: {source.citation}")
    if not folder.is_dir():
        pooch.get_logger().setLevel("WARNING")
        archive = Path(source.url).name
        try:
            path = pooch.retrieve(
                source.url, source.known_hash, archive, data_folder() / "downloads", downloader=_Resuming(progress)
            )
        except requests.exceptions.RequestException as error:
            raise ConnectionError(
                f"'{archive}' could not be fetched from {source.url} ({type(error).__name__}). Check the network and "
                "call again: what has arrived is kept. Or bring the file from elsewhere to "
                f"'{data_folder() / 'downloads'}'"
            ) from error
        except ValueError as error:
            raise DataError(
                f"'{archive}' is not the file that is meant: {source.known_hash.split(':')[0]} differs. It has been "
                "deleted; call again, and if it comes again as it was, do not use it"
            ) from error
        _unpack(Path(path), folder, name)
    return folder


def _unpack(archive, folder, name):
    """The folder inside the archive, without another folder of the same name around it."""
    around = extract(archive, folder.with_name(f".unpacked-{os.getpid()}-{name}"))
    inner = around / name
    if inner.is_dir():
        os.replace(inner, folder)
        shutil.rmtree(around)
    else:
        os.replace(around, folder)
    archive.unlink()  # the unpacked copy is enough


class _Resuming:
    """Downloader for pooch: what arrives goes to ``<name>.part`` and is asked for from its end on."""

    def __init__(self, progress):
        self.progress = progress

    def __call__(self, url, output_file, pooch):
        import requests

        part = Path(output_file).parent / f"{Path(url).name}.part"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._go_on(url, part)
                break
            except requests.exceptions.RequestException:
                if attempt == ATTEMPTS:
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
