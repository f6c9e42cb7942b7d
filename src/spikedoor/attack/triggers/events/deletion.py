"""Events that are missing."""

from __future__ import annotations

from typing import Self, final

import numpy as np
from pydantic import model_validator

from spikedoor.attack.triggers.base import TRIGGERS, Mask, Shape
from spikedoor.attack.triggers.events.base import (
    POLARITIES,
    Burst,
    EventTrigger,
    Polarity,
    Share,
    Size,
    event_shape,
    square,
    within,
)
from spikedoor.attack.triggers.events.static import check_period
from spikedoor.data.events import Events

__all__ = ["EventDeletion"]


@final
@TRIGGERS.register(
    "event-deletion",
    source="Abad, Ersoy, Picek, Urbieta 2024, Sneaky Spikes (polarity 0)",
    link="https://arxiv.org/abs/2302.06279",
)
class EventDeletion(EventTrigger):
    """Delete the events in a square of pixels, for a part of the recording."""

    size: Size = 0.1
    """Side of the square, in pixels or as a share of the sensor's width, rounded down."""
    place: tuple[Share, Share] = (0.5, 0.5)
    """Where it is, (x, y): (0, 0) is the upper left corner, (1, 1) the lower right."""
    polarity: Polarity = "both"
    """Polarity of the events that go."""
    start: Share = 0.0
    """When it begins, as a share of the recording's duration."""
    end: Share = 1.0
    """When it ends."""

    @model_validator(mode="after")
    def _forward(self) -> Self:
        check_period(self.start, self.end)
        return self

    def apply(self, events: Events, /) -> Events:
        """Return the recordings without these events."""
        self._check(events)
        gone = within(events, self._burst(events.sensor))
        return events.keep(~(gone & np.isin(events.p, POLARITIES[self.polarity])))

    def mask(self, shape: Shape) -> Mask:
        """Return the square, in the polarities that change."""
        covered = np.zeros(event_shape(self.name, shape), np.bool_)
        _, _, top, left, side, _ = self._burst((shape[1], shape[2]))
        changed = POLARITIES[self.polarity]
        covered[changed, top : top + side, left : left + side] = True
        return covered

    def _burst(self, sensor: tuple[int, int]) -> Burst:
        top, left, side = square(self.name, self.size, self.place, sensor)
        return Burst(self.start, self.end, top, left, side, side)
