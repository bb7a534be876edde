"""Patients and their series for the tests of deployment, made once."""

import shutil
import subprocess

import numpy as np
import pytest

from unet_helpers import load_checkpoint
from unet_helpers.deployment import About, export_onnx, write_about
from unet_helpers.phantom import make_patient

#: as the shipped network, with a made-up sha256
ABOUT = About("phantom_unet", "0.1.0", "ab" * 32)


@pytest.fixture(scope="session")
def model():
    return load_checkpoint()


@pytest.fixture(scope="session")
def exported(model, tmp_path_factory):
    return export_onnx(model, tmp_path_factory.mktemp("onnx") / "network.onnx")


@pytest.fixture(scope="session")
def patient():
    return make_patient(0, index=3, size=32, slices=5)


@pytest.fixture
def about():
    return ABOUT


@pytest.fixture(scope="session")
def write_network(tmp_path_factory):
    """Write a network of one layer as ONNX: dark pixels are lung, from a gray value on."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder = tmp_path_factory.mktemp("networks")

    def write(about, border=0.5):
        weight = np.array([50.0, -50.0, 0.0], np.float32).reshape(3, 1, 1, 1)
        bias = np.array([-50 * border, 50 * border, -90.0], np.float32)
        nodes = [
            helper.make_node("Transpose", ["images"], ["first"], perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["first", "weight", "bias"], ["maps"]),
            helper.make_node("Transpose", ["maps"], ["last"], perm=[0, 2, 3, 1]),
            helper.make_node("Softmax", ["last"], ["probabilities"], axis=-1),
        ]
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *about.side, channels])
            for name, channels in (("images", 1), ("probabilities", 3))
        ]
        initial = [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")]
        graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], initial)
        path = folder / f"network-{about.version}.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        write_about(path, about)
        return path

    return write


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
