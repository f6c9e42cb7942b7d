"""Recordings as moving pictures: events counted in equal windows of time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.events.framing import Framing
from spikedoor.data.events.recordings import Events
from spikedoor.errors import ConfigError

__all__ = ["film"]


def film(events: Events, frames: int, side: int | None = None) -> tuple[NDArray[np.uint16], int]:
    """Count the events of recordings in frames that share the time of the longest equally.

    Args:
        events: Recordings.
        frames: Number of frames.
        side: Largest side of a frame in pixels; squares of pixels are summed to get there. None for
            the sensor's own.

    Returns:
        Counts, uint16 [N, frames, 2, H, W], and the microseconds that a frame lasts.

    Raises:
        ConfigError: If there are no frames.
    """
    if frames < 1:
        raise ConfigError(f"expected one frame or more, got {frames}")
    lasts = int(events.durations.max(initial=0)) + 1
    window = -(-lasts // frames)
    factor = 1 if side is None else -(-max(events.sensor) // side)
    counted = Framing(by="window", window=window, downsample=factor)
    return counted.frames(events, frames), window
