"""Patients and their series for the tests of deployment, made once."""

import shutil
import subprocess

import numpy as np
import pytest

from unet_helpers.deployment import About
from unet_helpers.phantom import make_patient

#: as the shipped network, with a sum that is none
ABOUT = About("phantom_unet", "0.1.0", "ab" * 32)


@pytest.fixture(scope="session")
def patient():
    return make_patient(0, index=3, size=32, slices=5)


@pytest.fixture
def about():
    return ABOUT


@pytest.fixture(scope="session")
def says():
    """What ``dciodvfy`` says of a file beyond its kind: errors and warnings, by the standard and not by our readers."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed; it is in the Debian package dicom3tools")

    def run(path):
        found = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        lines = (found.stdout + found.stderr).splitlines()
        return [line for line in lines if line.startswith(("Error", "Warning"))]

    return run


class Brightness:
    """A network whose answer tells left from right, front from back and feet from head."""

    def __init__(self, about):
        self.about = about

    def predict(self, images, batch_size=32, verbose=0):
        rows, columns = np.indices(images.shape[1:3])
        slices = np.arange(len(images))[:, np.newaxis, np.newaxis]
        dark = images[..., 0] < 0.5
        one = dark & (rows > columns)
        two = dark & (columns > 2 * rows) & (slices > 1)
        answers = np.stack([~(one | two), one, two], axis=-1)
        return answers.astype(np.float32)


@pytest.fixture
def network(about):
    return Brightness(about)
