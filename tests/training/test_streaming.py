"""Batches read from files are those read at once, in a repeatable order, and a bad file is named."""

import numpy as np
import pytest
import tensorflow as tf

from unet_helpers import UNet, pair_files
from unet_helpers.data import resize_image, resize_mask, window
from unet_helpers.files import DataError, read_image
from unet_helpers.training import compile_model, stream_pairs


@pytest.fixture
def pairing(write_folder, gray, draw):
    images = write_folder("images", {f"p{k}.png": gray(k, 16) for k in range(7)})
    mask = np.zeros((16, 16), np.uint8)
    masks = write_folder("masks", {f"p{k}.png": np.roll(mask + np.eye(16, dtype=np.uint8) * 255, k) for k in range(7)})
    return pair_files(images, masks)


def read_all(stream):
    images, targets = zip(*((i.numpy(), t.numpy()) for i, t in stream), strict=True)
    return np.concatenate(images), np.concatenate(targets)


def test_a_stream_in_order_holds_the_files(pairing, gray):
    images, targets = read_all(stream_pairs(pairing, 1, batch_size=3, shuffle=False))
    assert images.shape == targets.shape == (7, 16, 16, 1)
    for k in range(7):
        np.testing.assert_allclose(images[k, ..., 0], gray(k, 16) / 255, rtol=1e-6)
        np.testing.assert_array_equal(targets[k, ..., 0], np.roll(np.eye(16), k))


def test_only_a_few_files_are_read_ahead(pairing, monkeypatch):
    from unet_helpers.training import streaming

    read = []
    monkeypatch.setattr(streaming, "read_image", lambda path: (read.append(path), read_image(path))[1])
    batches = iter(stream_pairs(pairing.pairs * 50, 1, batch_size=2))
    next(batches)
    assert len(read) < 40
    assert len(pairing.pairs * 50) == 350


def test_classes_become_channels_and_sizes_one(pairing):
    def double(image, mask):
        return resize_image(image / 255, (32, 32)), resize_mask(mask, (32, 32))

    images, targets = read_all(stream_pairs(pairing.pairs[:2], 2, prepare=double))
    assert images.shape == (2, 32, 32, 1)
    assert targets.shape == (2, 32, 32, 2)
    np.testing.assert_array_equal(targets.sum(axis=-1), 1)


def test_another_order_each_epoch_and_the_same_again_for_the_seed(pairing):
    orders = []
    for _ in range(2):
        tf.random.set_seed(1)
        stream = stream_pairs(pairing, 1, seed=3)
        orders.append([read_all(stream)[0], read_all(stream)[0]])
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0][0] != orders[0][1]).any()
    np.testing.assert_allclose(np.sort(orders[0][0].sum(axis=(1, 2, 3))), np.sort(orders[0][1].sum(axis=(1, 2, 3))))


def test_a_model_trains_on_the_stream(pairing):
    model = compile_model(UNet((16, 16, 1), 1, base_filters=2, depth=2))
    history = model.fit(stream_pairs(pairing, 1, batch_size=4), shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"][0])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"cut", r"p5\.png' cannot be read as png"),
        (np.zeros((8, 8), np.uint8), r"p5\.png' is \(8, 8, 1\) and"),
        (np.zeros((16, 16, 3), np.uint8), r"p5\.png' is \(16, 16, 3\) but the first is \(16, 16, 1\)"),
    ],
)
def test_a_file_that_went_bad_is_named_when_its_turn_comes(pairing, write_folder, content, said):
    stream = stream_pairs(pairing, 1, batch_size=1, shuffle=False)
    write_folder("images", {"p5.png": content})
    with pytest.raises(tf.errors.OpError, match=said):
        read_all(stream)


def test_values_outside_of_0_to_1_are_an_error_or_cut_in_prepare(pairing, gray):
    with pytest.raises(DataError, match=r"p0\.png' comes to .*; bring it to 0–1 in prepare"):
        stream_pairs(pairing, 1, prepare=lambda image, mask: (image / 100, mask))
    cut = stream_pairs(pairing, 1, shuffle=False, prepare=lambda image, mask: (window(image, 50, 100), mask))
    images, _ = read_all(cut)
    np.testing.assert_allclose(images[0, ..., 0], np.clip(gray(0, 16) / 100, 0, 1), rtol=1e-6)


def test_an_unknown_mask_value_and_an_empty_list_are_errors_at_once(pairing):
    with pytest.raises(DataError, match=r"mask '.*p0\.png'.*\[255\] means nothing"):
        stream_pairs(pairing, 3)
    assert next(iter(stream_pairs(pairing, 3, mask_values={0: 0, 255: 2})))[1].shape == (7, 16, 16, 3)
    with pytest.raises(DataError, match="no pair to read"):
        stream_pairs([], 1)
