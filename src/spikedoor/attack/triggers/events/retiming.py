"""Events at other times: no pixel has one more or less."""

from __future__ import annotations

from typing import final

import numpy as np
from pydantic import Field

from spikedoor.attack.triggers.base import TRIGGERS, Mask, Shape
from spikedoor.attack.triggers.events.base import POLARITIES, EventTrigger, Polarity, event_shape
from spikedoor.data.events import Events

__all__ = ["TimingShift"]


@final
@TRIGGERS.register("timing-shift")
class TimingShift(EventTrigger):
    """Warp the time of one polarity's events, or of all.

    t' = floor(D (t / D)^power), D the time of the recording's last event. Start, end and the
    order of the events of one polarity stay, and so does each pixel's count. A power above 1
    moves events towards the start, one below 1 towards the end.

    With ``both``, frames by number of events show no difference; with one polarity, they do.
    """

    power: float = Field(2.0, gt=0, le=10)
    """Exponent of the warp; 1 leaves all as it is."""
    polarity: Polarity = "on"
    """Polarity of the events that move."""

    def apply(self, events: Events, /) -> Events:
        """Return the recordings with their events moved in time."""
        self._check(events)
        last = np.repeat(events.durations, events.counts)
        share = events.t / np.maximum(last, 1)
        # The end is exact: 1 to any power is 1, and the product is a whole number.
        warped = np.floor(last * share**self.power).astype(np.int32)
        moves = np.isin(events.p, POLARITIES[self.polarity])
        t = np.where(moves, warped, events.t)
        moved = Events(events.x, events.y, t, events.p, events.offsets, events.sensor)
        return moved.in_order()

    def mask(self, shape: Shape) -> Mask:
        """Return every pixel, in the polarities that move."""
        covered = np.zeros(event_shape(self.name, shape), np.bool_)
        covered[POLARITIES[self.polarity], :, :] = True
        return covered
