"""Recordings of event cameras."""

from spikedoor.data.events.framing import FrameSet, Framing
from spikedoor.data.events.labelled import EventSet
from spikedoor.data.events.recordings import Events

__all__ = ["EventSet", "Events", "FrameSet", "Framing"]
