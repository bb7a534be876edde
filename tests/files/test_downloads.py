"""Fetching from a server that serves, breaks off, knows no ranges, or sends other bytes; and hostile archives."""

import hashlib
import http.server
import json
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from format_samples import HOSTILE_ARCHIVES, tar_of, zip_of

from unet_helpers import fetch, load_dataset
from unet_helpers.files import DataError, downloads, extract
from unet_helpers.teaching.your_data import default_options

# --- fetching -------------------------------------------------------------------------------------


class Server(http.server.BaseHTTPRequestHandler):
    """Serves ``content``; breaks off after ``bytes_per_answer``, and may know no ranges."""

    content, bytes_per_answer, ranges, asked = b"", None, True, []

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        if start >= len(self.content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        stop = None if self.bytes_per_answer is None else start + self.bytes_per_answer
        self.wfile.write(self.content[start:stop])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server on this machine, and ``toy`` among the sources; the cache is in tmp_path."""
    import nibabel

    image = nibabel.Nifti1Image(np.ones((4, 4, 2), np.int16), np.eye(4))
    buffer = image.to_bytes()
    names = ["a", "b", "c"]
    listed = [{"image": f"imagesTr/{n}.nii", "label": f"labelsTr/{n}.nii"} for n in names]
    described = {"labels": {"0": "background", "1": "all"}, "modality": {"0": "MRI"}, "training": listed}
    files = {"toy/dataset.json": json.dumps(described).encode()}
    files |= {f"toy/{kind}/{n}.nii": buffer for kind in ("imagesTr", "labelsTr") for n in names}

    class Here(Server):
        content, asked = tar_of(files), []

    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Here)
    threading.Thread(target=service.serve_forever, args=(0.01,), daemon=True).start()
    known = "sha256:" + hashlib.sha256(Here.content).hexdigest()
    source = downloads.Source(f"http://127.0.0.1:{service.server_port}/toy.tar", known, "CC0", "Nobody, 2000")
    monkeypatch.setitem(downloads.SOURCES, "toy", source)
    monkeypatch.setenv("UNET_DATA_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    yield Here
    service.shutdown()
    service.server_close()


def test_a_set_is_fetched_once_with_its_license_and_loaded_by_name(server, capsys, tmp_path):
    folder = fetch("toy", progress=False)
    assert folder == tmp_path / "cache" / "toy"
    assert "license CC0. Please cite: Nobody, 2000" in capsys.readouterr().out
    fetch("toy", progress=False)
    assert server.asked == [None]
    assert len(load_dataset("toy", **default_options("toy")).train) == 2
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["downloads", "toy"]
    assert not list((tmp_path / "cache" / "downloads").iterdir())


def test_a_download_that_breaks_off_goes_on_where_it_stopped(server):
    server.bytes_per_answer = len(server.content) // 2 - 100
    folder = fetch("toy", progress=False)
    assert (folder / "dataset.json").is_file()
    assert server.asked == [None, *(f"bytes={k * server.bytes_per_answer}-" for k in (1, 2))]


def test_the_next_call_goes_on_too(server):
    server.bytes_per_answer = len(server.content) // 5
    with pytest.raises(ConnectionError, match=r"'toy\.tar' could not be fetched.*what has arrived is kept"):
        fetch("toy", progress=False)
    server.bytes_per_answer = None
    server.asked.clear()
    assert (fetch("toy", progress=False) / "dataset.json").is_file()
    assert server.asked == [f"bytes={3 * (len(server.content) // 5)}-"]


def test_a_server_without_ranges_is_asked_from_the_beginning(server):
    server.ranges = False
    server.bytes_per_answer = len(server.content) // 2
    with pytest.raises(ConnectionError):
        fetch("toy", progress=False)
    server.bytes_per_answer = None
    assert (fetch("toy", progress=False) / "dataset.json").is_file()


def test_wrong_bytes_are_deleted_and_the_next_call_starts_anew(server, tmp_path):
    right, server.content = server.content, server.content[:-1] + b"x"
    with pytest.raises(DataError, match=r"'toy\.tar' is not the file that is meant: sha256 differs"):
        fetch("toy", progress=False)
    assert not list((tmp_path / "cache" / "downloads").iterdir())
    assert not (tmp_path / "cache" / "toy").exists()
    server.content = right
    assert (fetch("toy", progress=False) / "dataset.json").is_file()


def test_without_a_network_the_message_says_what_to_do(server, monkeypatch, tmp_path):
    source = downloads.Source("http://127.0.0.1:9/toy.tar", "md5:0", "CC0", "Nobody")
    monkeypatch.setitem(downloads.SOURCES, "toy", source)
    with pytest.raises(ConnectionError, match=r"Check the network and call again.*downloads'"):
        fetch("toy", progress=False)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(DataError, match=r"'Task4' is known here; choose one of Task01_BrainTumour.*Task10_Colon"):
        fetch("Task4")


def test_every_source_has_a_checksum_a_license_and_a_citation():
    for source in downloads.SOURCES.values():
        kind, digits = source.known_hash.split(":")
        assert len(digits) == {"md5": 32, "sha256": 64}[kind]
        assert source.url.startswith("https://")
        assert source.license
        assert "doi" in source.citation


def test_what_an_earlier_call_left_damaged_is_fetched_from_the_beginning(server, tmp_path):
    downloads_folder = tmp_path / "cache" / "downloads"
    downloads_folder.mkdir(parents=True)
    for name, left in (("toy.tar.part", bytes(1000)), ("toy.tar", server.content[:1000])):
        (downloads_folder / name).write_bytes(left)
        assert (fetch("toy", progress=False) / "dataset.json").is_file()
        assert not list(downloads_folder.iterdir())
        shutil.rmtree(tmp_path / "cache" / "toy")
    assert server.asked == ["bytes=1000-", None, None]


def test_a_full_disk_is_named_and_leaves_no_part(server, tmp_path):
    resource = pytest.importorskip("resource")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(DataError, match=r"toy\.tar' cannot be written \(.*make room.*UNET_DATA_DIR"):
            fetch("toy", progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in (tmp_path / "cache").rglob("*")] == ["downloads"]
    assert (fetch("toy", progress=False) / "dataset.json").is_file()


def test_a_folder_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "downloads").touch()
    with pytest.raises(DataError, match=r"downloads' cannot be written \(a file stands where a folder is needed\)"):
        fetch("toy", progress=False)


def test_two_at_once_fetch_once(server, tmp_path):
    pytest.importorskip("fcntl")
    with ThreadPoolExecutor(3) as pool:
        folders = list(pool.map(lambda _: fetch("toy", progress=False), range(3)))
    assert folders == [tmp_path / "cache" / "toy"] * 3
    assert server.asked == [None]
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["downloads", "toy"]


def cut(path):
    path.write_bytes(path.read_bytes()[:30])


BROKEN_OFF = {
    "no list": ("dataset.json", lambda folder: (folder / "dataset.json").unlink()),
    "a cut list": ("dataset.json", lambda folder: cut(folder / "dataset.json")),
    "a list of something else": ("dataset.json", lambda folder: (folder / "dataset.json").write_text("[1]")),
    "no label": ("labelsTr/b.nii", lambda folder: (folder / "labelsTr" / "b.nii").unlink()),
    "an empty image": ("imagesTr/c.nii", lambda folder: (folder / "imagesTr" / "c.nii").write_bytes(b"")),
    "no labels at all": ("labelsTr/a.nii", lambda folder: shutil.rmtree(folder / "labelsTr")),
}


@pytest.mark.parametrize("how", BROKEN_OFF)
def test_a_set_of_which_a_file_is_missing_is_no_set_and_the_folder_to_remove_is_named(server, how):
    folder = fetch("toy", progress=False)
    name, damage = BROKEN_OFF[how]
    damage(folder)
    with pytest.raises(DataError, match=rf"toy' is not whole: '{name}' is missing or damaged.*remove the folder"):
        load_dataset("toy")
    shutil.rmtree(folder)
    assert (fetch("toy", progress=False) / name).is_file()


def test_an_empty_folder_is_no_set_and_a_file_in_its_place_is_named(server, tmp_path):
    place = tmp_path / "cache" / "toy"
    place.mkdir(parents=True)
    assert (fetch("toy", progress=False) / "dataset.json").is_file()
    shutil.rmtree(place)
    place.touch()
    with pytest.raises(DataError, match="toy' is a file where the folder of a data set belongs"):
        fetch("toy", progress=False)
    assert server.asked == [None]


# --- archives -------------------------------------------------------------------------------------


GOOD = {"set/a.txt": b"one", "set/sub/b c.txt": b"two"}


@pytest.mark.parametrize("content", [tar_of(GOOD), tar_of(GOOD, "w:gz"), tar_of(GOOD, "w:xz"), zip_of(GOOD)])
def test_a_good_archive_is_unpacked(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    folder = extract(tmp_path / "x", tmp_path / "out")
    assert {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == GOOD
    with pytest.raises(FileExistsError, match="choose a new folder"):
        extract(tmp_path / "x", tmp_path / "out")


SAID = {
    "path": "leads outside of its folder",
    "link": "is a link or a device",
    "device": "is a link or a device",
    "one name": "stands in it twice",
    "bomb": "unpacks to more than",
    "truncated": "truncated or damaged|no tar and no zip",
    "damaged": "truncated or damaged",
    "page": "no tar and no zip",
    "bytes": "no tar and no zip",
}


@pytest.mark.parametrize("name", HOSTILE_ARCHIVES)
def test_a_hostile_or_damaged_archive_leaves_nothing(tmp_path, name):
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    (folder / "x.archive").write_bytes(HOSTILE_ARCHIVES[name])
    said = next(said for word, said in SAID.items() if word in name)
    with pytest.raises(DataError, match=rf"'x\.archive'.*({said})"):
        extract(folder / "x.archive", folder / "out", largest=2_000_000)
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "er", "x.archive"]


def test_a_zip_that_lies_about_its_size_is_stopped(tmp_path):
    content = zip_of({"zeros": bytes(3_000_000)})
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = content.index(signature) + at
        content = content[:start] + (10).to_bytes(4, "little") + content[start + 4 :]
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(DataError, match="truncated or damaged"):
        extract(tmp_path / "x.zip", tmp_path / "out", largest=2_000_000)
    assert os.listdir(tmp_path) == ["x.zip"]
