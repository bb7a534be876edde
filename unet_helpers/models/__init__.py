"""Segmentation networks, one file per architecture."""

from .attention_unet import AttentionUNet
from .deeplab import DeepLabV3Plus
from .encoder_unet import encoder_unet
from .fcn import FCN
from .segnet import SegNet
from .unet import UNet, valid_output_size
from .unet3d import UNet3D

__all__ = ["FCN", "AttentionUNet", "DeepLabV3Plus", "SegNet", "UNet", "UNet3D", "encoder_unet", "valid_output_size"]
