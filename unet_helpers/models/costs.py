"""What a network costs: parameters, multiplications, and the width that fits a budget."""

import math

import keras
import numpy as np

from .attention_unet import AttentionUNet
from .deeplab import DeepLabV3Plus
from .fcn import FCN
from .segnet import SegNet
from .unet import UNet

#: the networks of the comparison, by the names that figures and tables show
NETWORKS = {
    "U-Net": UNet,
    "Attention U-Net": AttentionUNet,
    "SegNet": SegNet,
    "FCN-8s": FCN,
    "DeepLabV3+": DeepLabV3Plus,
}
#: the pyramid's dilations in the paper, for images of 513 pixels
DEEPLAB_RATES, DEEPLAB_SIZE = (6, 12, 18), 513


def build_network(name, size=128, num_classes=3, base_filters=8, **options):
    """One of :data:`NETWORKS`, untrained, for square images of one channel.

    ``base_filters`` are the channels of the first stage, 64 in the U-Net of 2015, and everything else keeps the
    proportions of its paper; the dilations of DeepLabV3+ keep theirs to the size of the image.

    Raises
    ------
    ValueError
        If there is no such network, or the network refuses an option.
    """
    if name not in NETWORKS:
        raise ValueError(f"no network {name!r}; choose one of {', '.join(NETWORKS)}")
    if name == "DeepLabV3+":
        options = {"rates": deeplab_rates(size)} | options
    return NETWORKS[name]((size, size, 1), num_classes, base_filters=base_filters, **options)


def deeplab_rates(size):
    """The paper's three dilations, 6, 12 and 18, shrunk as the image is: 1, 3 and 4 for 128 pixels."""
    return tuple(max(index, round(rate * size / DEEPLAB_SIZE)) for index, rate in enumerate(DEEPLAB_RATES, start=1))


def count_parameters(model):
    """Numbers that training changes."""
    return int(sum(np.prod(variable.shape) for variable in model.trainable_variables))


def width_for(name, parameters, **options):
    """The ``base_filters`` with which a network comes closest to a number of parameters.

    Parameters
    ----------
    name : str
        One of :data:`NETWORKS`.
    parameters : int
    options
        As :func:`build_network` takes them.
    """

    def found(width):
        return count_parameters(build_network(name, base_filters=width, **options))

    # nearly all parameters belong to convolutions from c to c channels: they grow with the square
    guess = max(1, round(8 * math.sqrt(parameters / found(8))))
    return min(range(max(1, guess - 1), guess + 2), key=lambda width: abs(found(width) - parameters))


def count_multiply_adds(model):
    """Multiplications (each with an addition) of all convolutions for one image; FLOPs are twice as many. Used in 08.

    A convolution multiplies every weight once for each place of its output, a transposed one for each place of its
    input. Normalization, activation, pooling and interpolation are left out: they are few beside it.

    Parameters
    ----------
    model : keras.Model
        Built for images of a fixed size, without models as layers.

    Raises
    ------
    ValueError
        If the size of the images is open.
    """
    if None in model.input_shape[1:]:
        raise ValueError(f"the model takes images of shape {model.input_shape[1:]}; build it for a fixed size")
    return sum(count_of_layer(layer) for layer in model.layers)


def count_of_layer(layer):
    """Multiplications of one layer: weights of the kernel times places; 0 for a layer without a kernel."""
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0
    transposed = isinstance(layer, (keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose))
    places = layer.input.shape[1:-1] if transposed else layer.output.shape[1:-1]
    return int(np.prod(kernel.shape)) * math.prod(places)
