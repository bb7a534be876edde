"""Segmentation networks, one file per architecture."""

from .encoder_unet import encoder_unet
from .unet import UNet

__all__ = ["UNet", "encoder_unet"]
