import numpy as np
import pytest

from unet_helpers import export_phantom, load_dataset, pair_files
from unet_helpers.data import export as export_module
from unet_helpers.data import phantom_arrays, window
from unet_helpers.files import read_image, read_mask


@pytest.fixture
def export(drawn_patients, tmp_path):
    def write(name="set", **options):
        return export_phantom(tmp_path / name, **{"patients": 9, "size": 32} | options)

    return write


def listing(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_clean_export_pairs_completely_and_holds_the_phantom(export):
    folder = export(clean=True, patients=3)
    pairing = pair_files(folder / "2d_images", folder / "2d_masks")
    assert pairing.ok
    assert len(pairing.pairs) == 3 * 8
    assert pairing.matched_by_number == 8
    volumes, masks, _, _ = phantom_arrays(size=32)
    gray = window(volumes[1, 3].astype(np.float32), -600, 1500) * 255
    image, _ = read_image(folder / "2d_images" / "ID_0002_Z_0008.png")
    np.testing.assert_allclose(image[..., 0], gray, atol=0.51)
    np.testing.assert_array_equal(read_mask(folder / "2d_masks" / "ID_0002_Z_0008.png"), masks[1, 3])


def test_sort_order_mispairs_even_the_clean_export(export):
    folder = export(clean=True, patients=3)
    images, masks = (sorted((folder / name).iterdir()) for name in ("2d_images", "2d_masks"))
    by_order = set(zip(images, masks, strict=True))
    assert by_order - set(pair_files(folder / "2d_images", folder / "2d_masks").pairs)
    assert any(image.name == "ID_3_Z_10.png" and mask.name != "ID_0003_Z_0010.png" for image, mask in by_order)


def test_all_seven_defects_are_in_the_report(export):
    folder = export()
    pairing = pair_files(folder / "2d_images", folder / "2d_masks")
    kinds = {kind: [p for p in pairing.problems if p.kind == kind] for kind in ("copy", "duplicate", "size", "values")}
    assert "ID_0001_Z_0007.png" in [path.name for path in pairing.images_without_mask]
    assert "ID_0004_Z_0008.png" in [path.name for path in pairing.masks_without_image]
    assert [p.path.name for p in kinds["copy"]] == ["ID_0002_Z_0060.png"]
    assert [{path.name for path in p.paths} for p in kinds["duplicate"]] == [
        {"ID_5_Z_9.png", "ID_5_Z_9.tif", "ID_0005_Z_0009.png"}
    ]
    assert [p.path.name for p in kinds["size"]] == ["ID_0006_Z_0008.png"]
    assert {p.path.name[:7] for p in kinds["values"]} == {"ID_0007"}
    assert len(kinds["values"]) == 8
    assert [p.path.name for p in pairing.problems if p.kind == "unreadable"] == ["ID_8_Z_10.png"]
    assert len(pairing.problems) == 1 + 1 + 1 + 8 + 1
    report = str(pairing)
    for name in ("ID_0001_Z_0007", "ID_0004_Z_0008", "ID_0002_Z_0060", "ID_5_Z_9.tif", "ID_0006_Z_0008", "ID_8_Z_10"):
        assert name in report


def test_what_is_left_can_be_loaded(export):
    data = load_dataset(export(), problems="leave_out", class_names=("background", "lung", "nodule"))
    patients = {patient for subset in data.subsets.values() for patient in subset.patients}
    assert patients == {"ID_0001", "ID_0002", "ID_3", "ID_4", "ID_5", "ID_6", "ID_8", "ID_9"}  # 7 was drawn in 0/255
    assert "left out" in str(data)


def test_an_export_repeats_byte_for_byte(export):
    assert listing(export("a")) == listing(export("b"))


def test_an_existing_folder_is_left_as_it_is(export, tmp_path):
    folder = export(clean=True, patients=3)
    (folder / "2d_images" / "mine.txt").write_text("keep")
    before = listing(folder)
    assert export(clean=True, patients=2) == folder
    assert listing(folder) == before


def test_a_folder_of_somebody_else_is_never_replaced(export, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="choose another folder"):
        export(overwrite=True)
    assert listing(tmp_path / "set") == {"thesis.txt": b"years of work"}


def test_overwriting_replaces_an_export_and_a_failure_keeps_the_old_one(export, tmp_path, monkeypatch):
    before = listing(export(clean=True, patients=3))
    for patients in (7, 49):  # too few for all defects; more than there are
        with pytest.raises(ValueError, match=f"{patients} patients"):
            export(patients=patients, overwrite=True)
    with monkeypatch.context() as patch:
        patch.setattr(export_module, "_add_defects", lambda *folders: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            export(overwrite=True)
    assert listing(tmp_path / "set") == before
    assert len(listing(export(clean=True, patients=2, overwrite=True))) == 2 * 2 * 8 + 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_interrupted_export_leaves_no_half_folder(export, tmp_path, monkeypatch):
    def cut(*folders):
        raise KeyboardInterrupt

    monkeypatch.setattr(export_module, "_add_defects", cut)
    with pytest.raises(KeyboardInterrupt):
        export()
    assert not (tmp_path / "set").exists()


def test_without_a_name_it_goes_to_the_data_folder(drawn_patients, tmp_path):
    folder = export_phantom(patients=2, size=32, clean=True)
    assert tmp_path / "cache" in folder.parents


def test_the_command_line_writes_a_folder_and_refuses_an_existing_one(drawn_patients, tmp_path, capsys):
    arguments = [str(tmp_path / "out"), "--patients", "2", "--size", "32", "--clean"]
    export_module.main(arguments)
    assert capsys.readouterr().out == f"16 images and 16 masks in {tmp_path / 'out'}\n"
    with pytest.raises(SystemExit, match="is there already"):
        export_module.main(arguments)
