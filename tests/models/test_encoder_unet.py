"""The U-Net on MobileNetV2: shapes, skip connections, and what it refuses."""

import keras
import numpy as np
import pytest

from unet_helpers.models import encoder_unet
from unet_helpers.models.encoder_unet import SKIPS


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return encoder_unet((64, 96, 1), 3)


def test_gives_one_probability_per_pixel_and_class(model):
    probabilities = np.asarray(model(np.random.default_rng(0).random((2, 64, 96, 1), dtype=np.float32)))
    assert probabilities.shape == (2, 64, 96, 3)
    assert probabilities.sum(axis=-1) == pytest.approx(1, abs=1e-5)


def test_skip_connections_take_maps_of_the_size_they_join(model):
    for level, name in enumerate(SKIPS, start=2):
        height, width = model.get_layer(name).output.shape[1:3]
        assert (height, width) == (64 // 2 ** (level - 1), 96 // 2 ** (level - 1))
        assert model.get_layer(f"skip{level}").output.shape[1:3] == (height, width)


def test_every_skip_reaches_the_output(model):
    """Each joined pair of maps goes into the convolutions of its level: none is a dead end."""
    for level in (2, 3, 4, 5):
        names = [node.operation.name for node in model.get_layer(f"skip{level}")._outbound_nodes]
        assert names == [f"up{level}_conv1"]


def test_gray_is_used_three_times_and_mapped_to_the_range_of_the_weights(model):
    prepared = keras.Model(model.input, model.get_layer("to_imagenet_range").output)
    image = np.zeros((1, 64, 96, 1), np.float32)
    image[0, 0, 0], image[0, 0, 1] = 1, 0.5
    color = np.asarray(prepared(image))
    assert color.shape[-1] == 3
    assert (color[..., 0] == color[..., 2]).all()
    assert color[0, 0, :3, 1].tolist() == [1, 0, -1]


def test_color_images_go_in_as_they_are():
    assert encoder_unet((64, 64, 3), 1).output_shape == (None, 64, 64, 1)


@pytest.mark.parametrize(
    ("shape", "message"), [((100, 64, 1), "height is 100"), ((64, 40, 1), "width is 40"), ((64, 64, 4), "4 channels")]
)
def test_what_it_cannot_take_is_said_with_the_remedy(shape, message):
    with pytest.raises(ValueError, match=message):
        encoder_unet(shape)
