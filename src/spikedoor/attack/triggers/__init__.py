"""Triggers, one a file."""

from spikedoor.attack.triggers.adaptive_blend import AdaptiveBlend
from spikedoor.attack.triggers.adaptive_patch import AdaptivePatch
from spikedoor.attack.triggers.base import (
    TRIGGERS,
    Images,
    Indices,
    Mask,
    Modality,
    RandomTrigger,
    Shape,
    Trigger,
    check_images,
    check_modality,
)
from spikedoor.attack.triggers.blended import Blended
from spikedoor.attack.triggers.bpp import Bpp
from spikedoor.attack.triggers.events import (
    Budget,
    EventDeletion,
    EventDynamic,
    EventFlash,
    EventFramed,
    EventMoving,
    EventSmart,
    EventStatic,
    EventStrobing,
    EventTrigger,
    TimingShift,
    budget,
)
from spikedoor.attack.triggers.frames import FrameMoving, FrameSmart, FrameStatic, FrameTrigger
from spikedoor.attack.triggers.ftrojan import FTrojan
from spikedoor.attack.triggers.label_consistent import LabelConsistent
from spikedoor.attack.triggers.learned import LearnedTrigger
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
    "Budget",
    "EventDeletion",
    "EventDynamic",
    "EventFlash",
    "EventFramed",
    "EventMoving",
    "EventSmart",
    "EventStatic",
    "EventStrobing",
    "EventTrigger",
    "FTrojan",
    "FrameMoving",
    "FrameSmart",
    "FrameStatic",
    "FrameTrigger",
    "Images",
    "Indices",
    "LabelConsistent",
    "LearnedTrigger",
    "LowFrequency",
    "Mask",
    "Modality",
    "Patch",
    "RandomTrigger",
    "Shape",
    "Sinusoid",
    "TimingShift",
    "Trigger",
    "WaNet",
    "budget",
    "check_images",
    "check_modality",
]
