"""The accuracy of an epoch is that of its own pixels."""

import numpy as np
import pytest

from unet_helpers import UNet, one_hot
from unet_helpers.training import compile_model


@pytest.mark.parametrize("num_classes", [1, 2])
def test_accuracy_does_not_remember_earlier_epochs(num_classes):
    model = compile_model(UNet((16, 16, 1), num_classes, base_filters=2, depth=1))
    images = np.random.default_rng(0).random((2, 16, 16, 1), dtype=np.float32)
    output = np.asarray(model(images))
    found = output[..., 0] > 0.5 if num_classes == 1 else output.argmax(axis=-1)
    for mask, accuracy in ((found, 1.0), (1 - found.astype(int), 0.0), (found, 1.0)):
        targets = mask[..., None].astype("float32") if num_classes == 1 else one_hot(mask.astype(int), 2)
        assert model.evaluate(images, targets, verbose=0, return_dict=True)["accuracy"] == accuracy
