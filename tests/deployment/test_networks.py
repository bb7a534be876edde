"""The network in ONNX gives what Keras gives, says what it is, and the gate lets nothing else through."""

import numpy as np
import pytest

from unet_helpers import load_dataset, predict_masks
from unet_helpers.deployment import (
    About,
    OnnxNetwork,
    compare_networks,
    export_onnx,
    weights_sha256,
    write_about,
)
from unet_helpers.files import DataError


@pytest.fixture(scope="module")
def validation():
    return load_dataset("phantom").validation


@pytest.fixture(scope="module")
def answers(model, validation):
    return model.predict(validation.images, verbose=0)


def test_onnx_gives_what_keras_gives_on_all_validation_patients(exported, validation, answers):
    parity = compare_networks(answers, OnnxNetwork(exported), validation.images, validation.patient_ids)
    assert parity.passed
    assert parity.largest < 1e-4
    assert list(parity.table["case"]) == list(dict.fromkeys(validation.patient_ids))
    assert parity.table["pixels"].sum() == validation.masks.size


def test_threads_and_batches_change_no_mask(exported, validation):
    images = validation.images[:5]
    one, two = OnnxNetwork(exported, threads=1), OnnxNetwork(exported, threads=2)
    np.testing.assert_allclose(one.predict(images, batch_size=2), two.predict(images), atol=1e-5)


def test_an_onnx_network_stands_where_a_keras_model_does(exported, validation, answers):
    network = OnnxNetwork(exported)
    masks = predict_masks(network, validation.images[:4])
    assert (masks == answers[:4].argmax(axis=-1)).mean() > 0.999
    with pytest.raises(ValueError, match=r"images\[..., np.newaxis\]"):
        predict_masks(network, validation.images[:4, ..., 0])


def test_a_side_that_does_not_fit_is_one_sentence(exported):
    with pytest.raises(ValueError, match="multiple of 16"):
        OnnxNetwork(exported).predict(np.zeros((1, 100, 100, 1)))


def test_the_file_says_what_it_is(exported, model):
    about = OnnxNetwork(exported).about
    assert about.name == "phantom_unet"
    assert about.sha256 == weights_sha256(model)
    assert about.window == (-600, 1500)
    assert about.class_names == ("background", "lung", "nodule")
    assert about == About.from_json(about.to_json())


def test_the_pixels_that_it_claims_are_those_of_its_training(exported):
    spacing, (smallest, largest) = load_dataset("phantom").train.spacing, OnnxNetwork(exported).about.pixel
    assert spacing.min() == pytest.approx(smallest, abs=0.005)
    assert spacing.max() == pytest.approx(largest, abs=0.005)


def test_other_weights_have_another_sum(model):
    before, weights = weights_sha256(model), model.get_weights()
    try:
        model.set_weights([weights[0] + 1e-6, *weights[1:]])
        assert weights_sha256(model) != before
    finally:
        model.set_weights(weights)
    assert weights_sha256(model) == before


def test_what_another_program_has_written_is_told_what_it_is(exported, tmp_path):
    import onnx

    bare = onnx.load(exported)
    del bare.metadata_props[:]
    onnx.save(bare, tmp_path / "bare.onnx")
    with pytest.raises(DataError, match=r"'bare.onnx' does not say .* write_about"):
        OnnxNetwork(tmp_path / "bare.onnx")
    bare.metadata_props.add(key="unet_helpers", value="[]")
    onnx.save(bare, tmp_path / "bare.onnx")
    with pytest.raises(DataError, match=r"'bare.onnx' does not say"):
        OnnxNetwork(tmp_path / "bare.onnx")
    about = About("other", "2", "00", pixel=(1.0, 2.0))
    assert OnnxNetwork(write_about(tmp_path / "bare.onnx", about)).about == about


def test_a_failed_export_leaves_no_file(tmp_path):
    class Broken:
        input_shape = (None, 16, 16, 1)

        def export(self, path, **options):
            path.write_bytes(b"half")
            raise RuntimeError("power failure")

    with pytest.raises(RuntimeError, match="power failure"):
        export_onnx(Broken(), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"<html>404</html>" * 50])
def test_what_is_no_onnx_is_named(tmp_path, content):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(DataError, match=r"'a.onnx' is no ONNX network"):
        OnnxNetwork(tmp_path / "a.onnx")


def test_missing_file_wrong_ending_and_no_thread_are_named(tmp_path, model, exported):
    with pytest.raises(FileNotFoundError, match="export_onnx"):
        OnnxNetwork(tmp_path / "none.onnx")
    with pytest.raises(DataError, match=r"ends in \.onnx"):
        export_onnx(model, tmp_path / "a.keras")
    with pytest.raises(ValueError, match="1 or more"):
        OnnxNetwork(exported, threads=0)
    with pytest.raises(ValueError, match="at least one"):
        OnnxNetwork(exported).predict(np.zeros((0, 16, 16, 1)))


# --- the gate ---------------------------------------------------------------------------------------

SURE = np.array([[[[0.9, 0.1], [0.2, 0.8]]], [[[0.5004, 0.4996], [0.6, 0.4]]]])  # two images of two pixels


def changed(*moves):
    answers = SURE.copy()
    for (image, pixel), by in moves:
        answers[image, 0, pixel] += (by, -by)
    return answers


def test_the_gate_counts_per_case_what_turned_and_what_explains_it():
    parity = compare_networks(SURE, changed(((1, 0), -0.0008)), cases=["a", "b"])
    assert parity.table.to_dict("list") | {"largest": None} == {
        "case": ["a", "b"],
        "pixels": [2, 2],
        "differ": [0, 1],
        "explained": [0, 1],
        "largest": None,
    }
    assert parity.passed
    assert str(parity).startswith("passed: 1 of 4 pixels in 2 cases")
    both = compare_networks(SURE, changed(((1, 0), -0.0008)), cases=["a", "a"])
    assert both.table["pixels"].tolist() == [4]


@pytest.mark.parametrize(
    "moves",
    [[((0, 1), 0.4)], [((1, 0), -0.0008), ((1, 1), -0.2)], [((0, 0), 0.05)]],
    ids=["a sure pixel turns", "beside an explained one", "no pixel turns but a probability is off"],
)
def test_the_gate_closes(moves):
    parity = compare_networks(SURE, changed(*moves))
    assert not parity.passed
    assert str(parity).startswith("NOT passed")


def test_the_gate_closes_on_a_network_with_exchanged_classes(answers, validation):
    assert not compare_networks(answers, answers[..., [0, 2, 1]], None).passed


def test_the_gate_compares_no_nan_no_single_map_no_other_shape_and_no_network_without_images(network):
    with pytest.raises(ValueError, match="no images"):
        compare_networks(network, SURE)
    with pytest.raises(ValueError, match="NaN"):
        compare_networks(SURE, SURE * np.nan)
    with pytest.raises(ValueError, match="one map"):
        compare_networks(SURE[..., :1], SURE[..., :1])
    with pytest.raises(ValueError, match="same classes"):
        compare_networks(SURE, SURE[:1])
    with pytest.raises(ValueError, match="one for each"):
        compare_networks(SURE, SURE, cases=["a"])
