"""Triggers, one a file."""

from spikedoor.attack.triggers.base import TRIGGERS, Images, Mask, Shape, Trigger, check_images
from spikedoor.attack.triggers.patch import Patch

__all__ = ["TRIGGERS", "Images", "Mask", "Patch", "Shape", "Trigger", "check_images"]
