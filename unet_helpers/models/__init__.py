"""Segmentation networks, one file per architecture.

``unet``            the U-Net
``unet3d``          the U-Net in three dimensions
``attention_unet``  the U-Net with attention gates
``encoder_unet``    a U-Net on a trained encoder
``fcn``             the fully convolutional network
``segnet``          SegNet
``deeplab``         DeepLab v3+
``blocks``          what they share
``inputs``          what they ask of images, and say of sides and NaN
``costs``           what each costs: parameters, multiplications, equal widths
``nnunet_rules``    what nnU-Net derives from the data: patch, batch, strides, channels
"""

from .attention_unet import AttentionUNet
from .costs import NETWORKS, build_network, count_multiply_adds, count_of_layer, count_parameters, width_for
from .deeplab import DeepLabV3Plus
from .encoder_unet import encoder_unet
from .fcn import FCN
from .nnunet_rules import Plan, plan_network, target_spacing
from .segnet import SegNet
from .unet import UNet, valid_output_size
from .unet3d import UNet3D

__all__ = [
    "FCN",
    "NETWORKS",
    "AttentionUNet",
    "DeepLabV3Plus",
    "Plan",
    "SegNet",
    "UNet",
    "UNet3D",
    "build_network",
    "count_multiply_adds",
    "count_of_layer",
    "count_parameters",
    "encoder_unet",
    "plan_network",
    "target_spacing",
    "valid_output_size",
    "width_for",
]
