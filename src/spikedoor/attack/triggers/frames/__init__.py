"""Triggers on frames of counts, as published code has them; no camera could record the result."""

from spikedoor.attack.triggers.frames.base import FrameTrigger
from spikedoor.attack.triggers.frames.moving import FrameMoving
from spikedoor.attack.triggers.frames.smart import FrameSmart
from spikedoor.attack.triggers.frames.static import FrameStatic

__all__ = ["FrameMoving", "FrameSmart", "FrameStatic", "FrameTrigger"]
