"""Segmentation networks, one file per architecture."""

from .unet import UNet

__all__ = ["UNet"]
