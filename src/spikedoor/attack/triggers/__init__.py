"""Triggers, one a file."""

from spikedoor.attack.triggers.adaptive_blend import AdaptiveBlend
from spikedoor.attack.triggers.adaptive_patch import AdaptivePatch
from spikedoor.attack.triggers.base import (
    TRIGGERS,
    Images,
    Indices,
    Mask,
    RandomTrigger,
    Shape,
    Trigger,
    check_images,
)
from spikedoor.attack.triggers.blended import Blended
from spikedoor.attack.triggers.bpp import Bpp
from spikedoor.attack.triggers.ftrojan import FTrojan
from spikedoor.attack.triggers.low_frequency import LowFrequency
from spikedoor.attack.triggers.patch import Patch
from spikedoor.attack.triggers.sig import Sinusoid
from spikedoor.attack.triggers.wanet import WaNet

__all__ = [
    "TRIGGERS",
    "AdaptiveBlend",
    "AdaptivePatch",
    "Blended",
    "Bpp",
    "FTrojan",
    "Images",
    "Indices",
    "LowFrequency",
    "Mask",
    "Patch",
    "RandomTrigger",
    "Shape",
    "Sinusoid",
    "Trigger",
    "WaNet",
    "check_images",
]
