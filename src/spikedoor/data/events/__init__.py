"""Recordings of event cameras."""

from spikedoor.data.events.recordings import Events, EventSet

__all__ = ["EventSet", "Events"]
