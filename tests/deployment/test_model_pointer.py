"""One small file says which network works, and the way back is one step."""

from dataclasses import replace

import pytest

from unet_helpers.deployment import add_model, current_model, roll_back
from unet_helpers.files import DataError


@pytest.fixture
def networks(write_network, about):
    return [write_network(replace(about, version=version)) for version in ("one", "two")]


def test_the_last_one_works_and_the_way_back_leads_to_the_one_before(tmp_path, networks):
    folder = tmp_path / "models"
    one, two = (add_model(folder, path) for path in networks)
    assert current_model(folder).read_bytes() == networks[1].read_bytes()
    assert roll_back(folder) == one
    assert current_model(folder).name == one
    with pytest.raises(DataError, match="has no network before the present one"):
        roll_back(folder)
    assert (folder / two).is_file()


def test_the_same_network_twice_is_one_step(tmp_path, networks):
    for path in (networks[0], networks[1], networks[1]):
        add_model(tmp_path / "models", path)
    roll_back(tmp_path / "models")
    assert current_model(tmp_path / "models").read_bytes() == networks[0].read_bytes()


def test_a_file_that_could_not_work_is_not_taken(tmp_path, networks):
    name = add_model(tmp_path / "models", networks[0])
    (tmp_path / "page.onnx").write_text("<html>404</html>")
    with pytest.raises(DataError, match=r"'page.onnx' is no ONNX network"):
        add_model(tmp_path / "models", tmp_path / "page.onnx")
    assert current_model(tmp_path / "models").name == name


def test_a_changed_file_does_not_work(tmp_path, networks):
    name = add_model(tmp_path / "models", networks[0])
    (tmp_path / "models" / name).write_bytes(b"three")
    with pytest.raises(DataError, match=f"'{name}' is not the file that was added"):
        current_model(tmp_path / "models")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"sha256": {}, "history": ["x"]}', '{"sha256": {"../x": "1"}, "history": ["../x"]}']
)
def test_a_damaged_pointer_is_named(tmp_path, text):
    (tmp_path / "models.json").write_text(text)
    with pytest.raises(DataError, match=r"models.json' cannot be read .*; remove it, and add the network again"):
        current_model(tmp_path)


def test_a_folder_without_a_pointer_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="put a network into the folder with add_model"):
        current_model(tmp_path)
