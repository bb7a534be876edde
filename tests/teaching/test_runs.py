"""The folder of a run: never written over, gone on with, and all that new images need in one place."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import nibabel
import numpy as np
import pytest

from unet_helpers import export_phantom, load_dataset
from unet_helpers.files import DataError, read_image, read_mask, write_png
from unet_helpers.teaching import runs, segment, your_data

NAMES = ("background", "lung", "nodule")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return export_phantom(tmp_path_factory.mktemp("data") / "folder", patients=6, size=32, clean=True)


@pytest.fixture(scope="module")
def data(source):
    return load_dataset(source, class_names=NAMES)


@pytest.fixture(scope="module")
def recipe(data):
    return your_data.default_recipe(data, epochs=2)


@pytest.fixture(scope="module")
def kept(data, recipe, tmp_path_factory):
    """The folder of a finished run, and the masks that it gave for the test patients."""
    folder = runs.open_run(tmp_path_factory.mktemp("runs") / "chest", data, recipe)
    model, _ = your_data.train_recipe(data, recipe, folder)
    predictions = your_data.predict(model, data.test.images, recipe)
    runs.keep_run(folder, model, data, recipe)
    return folder, predictions


def test_a_finished_run_is_never_written_over_and_the_next_gets_a_number(kept, data, recipe):
    folder, _ = kept
    before = (folder / "run.json").read_bytes()
    second, third = (runs.open_run(folder, data, recipe) for _ in range(2))
    assert second.name == third.name == "chest-2"  # the second did not come to its end
    assert (folder / "run.json").read_bytes() == before
    assert not (folder / "training").exists()


def test_whatever_else_lies_in_the_place_is_left_alone(tmp_path, data, recipe):
    (tmp_path / "chest").mkdir()
    (tmp_path / "chest" / "report.md").write_text("of an earlier version")
    for number, content in enumerate(("{", "[]", "null", '{"process": 3}'), start=2):
        (tmp_path / f"chest-{number}").mkdir()
        (tmp_path / f"chest-{number}" / "state.json").write_text(content)
    assert runs.open_run(tmp_path / "chest", data, recipe).name == "chest-6"


def test_other_data_another_recipe_or_another_split_are_another_run(tmp_path, source, data, recipe):
    assert runs.open_run(tmp_path / "chest", data, recipe).name == "chest"
    assert runs.open_run(tmp_path / "chest", data, your_data.default_recipe(data, epochs=3)).name == "chest-2"
    other = load_dataset(source, class_names=NAMES, seed=1)
    assert runs.open_run(tmp_path / "chest", other, recipe).name == "chest-3"
    assert runs.open_run(tmp_path / "chest", data, recipe).name == "chest"


def test_a_run_that_is_at_work_in_another_process_is_not_joined(tmp_path, data, recipe):
    folder = runs.open_run(tmp_path / "chest", data, recipe)
    state = json.loads((folder / "state.json").read_text())
    parent = os.getppid()
    (folder / "state.json").write_text(json.dumps(state | {"process": [parent, runs._began(parent)]}))
    assert runs.open_run(tmp_path / "chest", data, recipe).name == "chest-2"
    (folder / "state.json").write_text(json.dumps(state | {"process": [parent, 1]}))  # its number was given again
    assert runs.open_run(tmp_path / "chest", data, recipe).name == "chest"


TRAIN = """
import sys
from unet_helpers import load_dataset
from unet_helpers.teaching import runs, your_data

data = load_dataset(sys.argv[1], class_names=("background", "lung", "nodule"))
recipe = your_data.default_recipe(data, epochs=2)
folder = runs.open_run(sys.argv[2], data, recipe)
model, _ = your_data.train_recipe(data, recipe, folder)
runs.keep_run(folder, model, data, recipe)
print(folder.name)
"""


def test_a_run_killed_in_the_middle_of_training_goes_on_to_the_same_masks(tmp_path, source, data, kept):
    def start(folder):
        command = [sys.executable, "-c", TRAIN, str(source), str(folder)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    killed = start(tmp_path / "killed")
    state = tmp_path / "killed" / "training" / "seed0" / "state.json"
    while not state.is_file():
        assert killed.poll() is None, "it ended before it could be killed"
    killed.kill()
    killed.wait()
    with pytest.raises(FileNotFoundError, match="did not come to its end"):
        runs.load_run(tmp_path / "killed")
    again = start(tmp_path / "killed")
    assert again.communicate(timeout=300)[0].split()[-1] == "killed"
    assert "went on after an interruption" in (tmp_path / "killed" / "log.txt").read_text(encoding="utf-8")
    _, whole = kept
    assert (runs.load_run(tmp_path / "killed").predict(data.test.images) == whole).all()


def test_a_kept_run_gives_the_same_masks_in_a_fresh_process(kept, source, data, tmp_path):
    folder, predictions = kept
    command = [sys.executable, "-m", "unet_helpers", "predict", folder, source / "2d_images", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for case, mask in zip(data.test.case_ids, predictions, strict=True):
        assert (read_mask(tmp_path / "out" / f"{case}.png") == mask).all()
    assert {"table.csv", "overview.png", "left_out.csv"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_a_network_that_is_not_the_one_described_is_refused(kept, tmp_path, data):
    folder, _ = kept
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("run.json", "model.keras"):
        (copy / name).write_bytes((folder / name).read_bytes())
    assert runs.load_run(copy).class_names == NAMES
    keras.Sequential([keras.Input((32, 32, 1)), keras.layers.Conv2D(3, 1)]).save(copy / "model.keras")
    with pytest.raises(DataError, match=r"is not the network that run.json describes"):
        runs.load_run(copy)
    (copy / "run.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be read"):
        runs.load_run(copy)
    with pytest.raises(FileNotFoundError, match="holds no run"):
        runs.load_run(tmp_path)


@pytest.fixture
def new(tmp_path, source):
    folder = tmp_path / "new"
    folder.mkdir()
    picture = (read_image(next((source / "2d_images").glob("*.png")))[0][..., 0]).astype(np.uint8)
    write_png(folder / "good.png", picture)
    return folder, picture


def _sixteen_bits(folder, picture):
    from PIL import Image

    Image.fromarray(picture.astype(np.uint16) * 200).save(folder / "odd.png")


def _color(folder, picture):
    write_png(folder / "odd.png", np.stack([picture, picture // 2, picture], axis=-1))


def _of_another_size(folder, picture):
    write_png(folder / "odd.png", np.pad(picture, 8))


def _in_hu(folder, picture):
    nibabel.save(nibabel.Nifti1Image(picture.astype(np.int16) * 8 - 1024, np.eye(4)), folder / "odd.nii.gz")


def _cut_short(folder, picture):
    (folder / "odd.png").write_bytes((folder / "good.png").read_bytes()[:200])


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_sixteen_bits, "gray values of another kind, uint16, than was seen, uint8"),
        (_color, "has 3 channels, but the network takes 1"),
        (_of_another_size, "is 48×48, but the network has seen slices of 32×32 only"),
        (_in_hu, "gray values of another kind, HU"),
        (_cut_short, "truncated or damaged"),
    ],
)
def test_what_the_network_has_not_seen_is_refused_by_name_and_the_rest_goes_on(kept, new, tmp_path, spoil, why):
    folder, picture = new
    spoil(folder, picture)
    (folder / "good_mask.png").write_bytes((folder / "good.png").read_bytes())
    (folder / "notes.txt").touch()
    table, left_out = segment.segment_folder(kept[0], folder, tmp_path / "out")
    assert set(table["image"]) == {"good.png"}
    reasons = left_out.set_index("file")["why"]
    assert set(reasons.index) == {"good_mask.png", "notes.txt", *(p.name for p in folder.glob("odd*"))}
    assert why in reasons[next(folder.glob("odd*")).name]


def test_a_folder_of_results_is_never_written_over(kept, new, tmp_path):
    segment.segment_folder(kept[0], new[0], tmp_path / "out")
    with pytest.raises(DataError, match="is there and not empty"):
        segment.segment_folder(kept[0], new[0], tmp_path / "out")


def test_where_nothing_fits_there_is_no_folder_of_results(kept, new, tmp_path):
    folder, picture = new
    _of_another_size(folder, picture)
    (folder / "good.png").unlink()
    (folder / "a_mask.png").touch()
    with pytest.raises(DataError, match=r"none of the 1 images fits.*the first: 'odd.png' is 48×48"):
        segment.segment_folder(kept[0], folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- volumes --------------------------------------------------------------------------------------


def ball(center, side=32, depth=8):
    z, y, x = np.mgrid[:depth, :side, :side]
    return (((z - depth / 2) * 2) ** 2 + (y - center[0]) ** 2 + (x - center[1]) ** 2) < 7**2


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    """Eight volumes of CT with a bright ball, and their masks, 2 × 1.5 × 1.5 mm."""
    folder = tmp_path_factory.mktemp("volumes")
    random = np.random.default_rng(0)
    for number in range(8):
        mask = ball(random.uniform(11, 21, 2))
        hu = np.where(mask, 60, -900) + random.normal(0, 20, mask.shape)
        for kind, array in (("images", hu.astype(np.int16)), ("labels", mask.astype(np.uint8))):
            (folder / kind).mkdir(exist_ok=True)
            image = nibabel.Nifti1Image(array.transpose(2, 1, 0), np.diag([-1.5, -1.5, 2, 1]))
            nibabel.save(image, folder / kind / f"P{number}.nii.gz")
    return folder


@pytest.fixture(scope="module")
def volume_run(volumes, tmp_path_factory):
    data = load_dataset(volumes, window=(0, 2000))
    recipe = your_data.default_recipe(data, epochs=6)
    folder = runs.open_run(tmp_path_factory.mktemp("runs") / "ball", data, recipe)
    model, _ = your_data.train_recipe(data, recipe, folder)
    runs.keep_run(folder, model, data, recipe, your_data.choose_point(model, data, recipe))
    return folder


@pytest.mark.parametrize("axes", ["LPS", "RAS", "SRA", "AIL"])
@pytest.mark.parametrize("spacing", [(1.5, 1.5, 2.0), (1.4, 1.6, 4.0)])
def test_a_volume_comes_back_on_its_own_grid_whatever_its_axes(volume_run, tmp_path, axes, spacing):
    mask = ball((14, 18)).transpose(2, 1, 0)
    hu = np.where(mask, 60, -900).astype(np.int16)
    reference = nibabel.Nifti1Image(hu, np.diag([-spacing[0], -spacing[1], spacing[2], 1]))
    there = nibabel.orientations.axcodes2ornt(axes)
    turn = nibabel.orientations.ornt_transform(nibabel.io_orientation(reference.affine), there)
    image = reference.as_reoriented(turn)
    (tmp_path / "new").mkdir()
    nibabel.save(image, tmp_path / "new" / "x.nii.gz")
    table, left_out = segment.segment_folder(volume_run, tmp_path / "new", tmp_path / "out")
    written = nibabel.load(tmp_path / "out" / "x.nii.gz")
    assert nibabel.aff2axcodes(written.affine) == tuple(axes)
    np.testing.assert_allclose(written.affine, image.affine)
    found, truth = np.asarray(written.dataobj), np.asarray(image.dataobj) > 0
    assert 2 * (found & truth).sum() > 0.9 * (found.sum() + truth.sum())
    assert not len(left_out)
    assert table["ml"].iloc[0] == pytest.approx(found.sum() * np.prod(spacing) / 1000, rel=1e-4)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"scale": 0.25, "shift": 300}, "holds no HU, but HU were seen"),
        ({"spacing": (4, 4, 2)}, "has pixels of 4 × 4 mm where the network looks, and it has seen 1.5 to 1.5 mm"),
    ],
)
def test_another_modality_or_spacing_is_refused(volume_run, tmp_path, change, why):
    hu = np.where(ball((14, 18)).transpose(2, 1, 0), 60, -900) * change.get("scale", 1) + change.get("shift", 0)
    affine = np.diag([*(change.get("spacing") or (1.5, 1.5, 2)), 1])
    (tmp_path / "new").mkdir()
    nibabel.save(nibabel.Nifti1Image(hu.astype(np.int16), affine), tmp_path / "new" / "x.nii")
    with pytest.raises(DataError, match=why):
        segment.segment_folder(volume_run, tmp_path / "new", tmp_path / "out")


def test_files_of_one_name_in_several_folders_get_names_of_their_own():
    paths = [Path("a/P1/x.png"), Path("a/P2/x.png"), Path("a/P2/y.nii.gz")]
    assert sorted(segment._names(paths).values()) == ["P1_x", "P2_x", "P2_y"]
    assert list(segment._names(paths[1:]).values()) == ["x", "y"]
