"""The rules of notebook 15, and what its operating point promises."""

import numpy as np
import pytest

from unet_helpers import UNet, evaluate, export_phantom
from unet_helpers.data import Dataset, Subset
from unet_helpers.evaluation import OperatingPoint, choose_operating_point, slice_scores
from unet_helpers.teaching import your_data


def subset(masks, readers=None):
    masks = np.asarray(masks, dtype=np.uint8)
    count = len(masks)
    ids = np.array([f"P{i}" for i in range(count)])
    images = masks[..., None].astype(np.float32)
    return Subset(images, masks, ids, ids, np.full((count, 2), np.nan), readers)


def squares(count=4, side=96, at=48, half=4):
    masks = np.zeros((count, side, side), np.uint8)
    masks[:, at - half : at + half, at - half : at + half] = 1
    return masks


def recipe(**changes):
    options = {
        "center_crop": 32,
        "base_filters": 2,
        "epochs": 1,
        "batch_size": 2,
        "learning_rate": 1e-3,
        "one_map": True,
        "all_orientations": False,
        "soft_readers": False,
    }
    return your_data.Recipe(**{**options, **changes})


def test_center_crop_is_small_where_objects_stand_in_the_middle():
    assert your_data.center_crop_size(subset(squares())) == 32
    assert recipe().window == recipe().center_crop == 32  # its former name


def test_center_crop_is_the_whole_picture_where_objects_stand_at_the_edge():
    assert your_data.center_crop_size(subset(squares(at=8))) == 96


def test_whole_prediction_is_background_outside_the_center_crop():
    model = UNet((32, 32, 1), 1, base_filters=2, depth=2)
    found = your_data.predict_whole(model, subset(squares()).images, recipe())
    assert found.shape == (4, 96, 96, 1)
    assert (found[:, :32] == 0).all()
    assert (found[:, 40:56, 40:56] > 0).all()
    several = UNet((32, 32, 1), 3, base_filters=2, depth=2)
    found = your_data.predict_whole(several, subset(squares()).images, recipe(one_map=False))
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-5)


def test_eight_orientations_put_each_prediction_back_in_place():
    class Copies:
        """A 'network' that returns its input: put back in place, eight copies average to the input."""

        def predict(self, images, **_):
            return images

    images = np.random.default_rng(0).random((2, 32, 32, 1)).astype(np.float32)
    found = your_data.predict_whole(Copies(), images, recipe(all_orientations=True))
    np.testing.assert_allclose(found, images, rtol=1e-6)


def test_cutting_keeps_the_test_subset_whole_and_readers_in_step():
    masks = squares()
    readers = np.stack([masks, masks], axis=1)
    data = Dataset("x", ("background", "nodule"), *(subset(masks, readers) for _ in range(3)))
    cut = your_data.center_dataset(data, 32)
    assert cut.train.images.shape == (4, 32, 32, 1)
    assert cut.train.readers.shape == (4, 2, 32, 32)
    np.testing.assert_array_equal(cut.train.readers[:, 0], cut.train.masks)
    assert cut.test.images.shape == (4, 96, 96, 1)


def test_presence_threshold_keeps_to_the_false_alarms_it_was_given():
    rng = np.random.default_rng(1)
    foreground = rng.random((60, 8, 8)).astype(np.float32) * rng.random((60, 1, 1)).astype(np.float32)
    masks = np.zeros((60, 8, 8), np.uint8)
    masks[:20, 2:5, 2:5] = 1
    for allowed in (0.0, 0.25, 0.5):
        point = choose_operating_point(foreground, masks, false_alarms=allowed)
        assert slice_scores(point.decide(foreground), masks)["false_alarms"] <= allowed


def test_operating_point_finds_a_perfect_threshold():
    masks = squares(6, side=16, at=8, half=3)
    masks[3:] = 0
    foreground = np.where(masks == 1, 0.4, 0.15).astype(np.float32)
    point = choose_operating_point(foreground, masks, false_alarms=0.0)
    scores = slice_scores(point.decide(foreground), masks)
    assert scores["dice"] == 1
    assert scores["false_alarms"] == 0


def test_slice_scores_by_hand():
    masks = np.zeros((4, 2, 2), np.uint8)
    masks[0] = masks[1] = [[1, 1], [0, 0]]
    predicted = np.zeros_like(masks)
    predicted[0] = [[1, 0], [0, 0]]  # Dice 2/3; slice 1 missed: 0; slice 2 false alarm; slice 3 rightly empty
    predicted[2, 0, 0] = 1
    scores = slice_scores(predicted, masks)
    assert scores["dice"] == pytest.approx(1 / 3)
    assert scores["missed"] == 0.5
    assert scores["false_alarms"] == 0.5
    assert (scores["slices_with_object"], scores["empty_slices"]) == (2, 2)


def test_operating_point_needs_an_object():
    with pytest.raises(ValueError, match="no validation slice holds an object"):
        choose_operating_point(np.zeros((2, 4, 4), np.float32), np.zeros((2, 4, 4), np.uint8))


def test_decide_leaves_slices_below_presence_empty():
    foreground = np.array([[[0.3, 0.6]], [[0.3, 0.4]]], np.float32)
    decided = OperatingPoint(threshold=0.3, presence=0.5).decide(foreground)
    np.testing.assert_array_equal(decided, [[[1, 1]], [[0, 0]]])


def test_two_members_train_and_predict_their_mean_with_readers():
    masks = squares(6, side=64, at=32)
    readers = np.stack([masks, np.roll(masks, 1, axis=1)], axis=1)
    data = Dataset("x", ("background", "nodule"), *(subset(masks, readers) for _ in range(3)))
    two = recipe(members=2, soft_readers=True, all_orientations=True)
    model, histories = your_data.train_recipe(data, two)
    assert [history.epochs for history in histories] == [1, 1]
    seen = your_data.center(data.test.images, 32)
    members = [layer for layer in model.layers if layer.name.startswith("member")]
    mean = sum(np.asarray(member(seen)) for member in members) / 2
    np.testing.assert_allclose(np.asarray(model(seen)), mean, rtol=1e-5)
    point = your_data.choose_point(model, data, two)
    assert your_data.predict(model, data.test.images, two, point).shape == (6, 64, 64)


# --- what a person decides, and what a run says ---------------------------------------------------


def test_the_template_goes_into_somebodys_folder_and_not_into_that_of_the_series(tmp_path):
    series = export_phantom(tmp_path / "series", patients=3, size=32, clean=True)
    assert "needs none" in your_data.offer_decisions(series)
    assert not (series / "series.toml").exists()
    (tmp_path / "mine").mkdir()
    assert "holds what you decide" in your_data.offer_decisions(tmp_path / "mine")
    assert (tmp_path / "mine" / "series.toml").is_file()


@pytest.mark.parametrize(
    ("shapes", "size"), [([(32, 32)] * 3, None), ([(30, 32)] * 3, 128), ([(32, 32), (48, 32), (32, 32)], 128)]
)
def test_a_size_is_chosen_where_the_stored_ones_do_not_fit_and_a_decision_goes_first(write_folder, shapes, size):
    pictures = {f"P{k}_0.png": np.eye(*shape, dtype=np.uint8) for k, shape in enumerate(shapes)}
    folder = write_folder("data", {f"{k}/{name}": eye for name, eye in pictures.items() for k in ("images", "masks")})
    assert your_data.default_options(folder).get("size") == size
    (folder / "series.toml").write_text("size = 64\nfractions = [0.5, 0.25, 0.25]\n")
    assert set(your_data.default_options(folder)) == {"problems"}


def test_new_images_are_those_that_are_named_or_other_synthetic_patients(tmp_path, monkeypatch):
    assert your_data.new_images(tmp_path) is None
    series = export_phantom(tmp_path / "series", patients=3, size=32, clean=True)
    other = your_data.new_images(series)
    assert other.name == "2d_images"
    assert len(list(other.glob("*.png"))) == 128
    monkeypatch.setenv("UNET_NEW", str(tmp_path / "new"))
    assert your_data.new_images(series) == tmp_path / "new"


def test_a_weak_network_is_said_and_a_good_one_is_not(capsys):
    your_data.say_if_not_learned([{"val_dice": [0.1, 0.2]}, {"val_dice": [0.05]}])
    assert "best validation Dice is 0.20: the network has not learned" in capsys.readouterr().out
    your_data.say_if_not_learned([{"val_dice": [0.1, 0.31]}])
    assert not capsys.readouterr().out


def test_the_model_card_is_written_where_its_words_are(tmp_path):
    from unet_helpers.teaching.report import CARD_SECTIONS

    masks = np.eye(16, dtype=np.uint8)[None].repeat(3, axis=0)
    ids = np.array(["A", "B", "C"])
    subset = Subset(masks[..., None].astype(np.float32), masks, ids, ids, np.ones((3, 2)))
    evaluation = evaluate(None, subset, ("background", "line"), by="patient", predictions=masks)
    assert "no model card" in your_data.write_card(tmp_path, tmp_path, evaluation)
    words = "\n".join(f'"{name}" = "words"' for name in CARD_SECTIONS)
    (tmp_path / "series.toml").write_text("[model_card]\n" + words)
    card = your_data.write_card(tmp_path, tmp_path, evaluation).read_text(encoding="utf-8")
    assert "**Intended use.** words" in card
    assert "3 patients" in card
