"""A square of pixels that fires: all the time, for a while, or in pulses."""

from __future__ import annotations

from typing import Self, final

from pydantic import Field, model_validator

from spikedoor.attack.triggers.base import TRIGGERS
from spikedoor.attack.triggers.events.base import Burst, BurstTrigger, Share, Size, square
from spikedoor.errors import ConfigError

__all__ = ["EventFramed", "EventStatic", "EventStrobing", "check_period"]

_SNEAKY = "Abad, Ersoy, Picek, Urbieta 2024, Sneaky Spikes"
_SNEAKY_LINK = "https://arxiv.org/abs/2302.06279"
_FLASHY = "Riaño, Abad, Picek, Urbieta 2024, Flashy Backdoor"
_FLASHY_LINK = "https://arxiv.org/abs/2411.03022"


class _Square(BurstTrigger):
    size: Size = 0.1
    """Side of the square, in pixels or as a share of the sensor's width, rounded down."""
    place: tuple[Share, Share] = (1.0, 1.0)
    """Where it is, (x, y): (0, 0) is the upper left corner, (1, 1) the lower right."""

    def _burst(self, sensor: tuple[int, int], start: float, end: float) -> Burst:
        top, left, side = square(self.name, self.size, self.place, sensor)
        return Burst(start, end, top, left, side, side)


@final
@TRIGGERS.register("event-static", source=_SNEAKY, link=_SNEAKY_LINK)
class EventStatic(_Square):
    """Make a square of pixels fire during the whole recording."""

    def bursts(self, sensor: tuple[int, int]) -> list[Burst]:
        """Return the square, for all the time."""
        return [self._burst(sensor, 0, 1)]


@final
@TRIGGERS.register("event-framed", source=_FLASHY, link=_FLASHY_LINK)
class EventFramed(_Square):
    """Make a square of pixels fire during one part of the recording.

    Shares of 0 to a third make an early trigger, of two thirds to 1 a late one.
    """

    start: Share = 0.0
    """When it begins, as a share of the recording's duration."""
    end: Share = 0.5
    """When it ends."""

    @model_validator(mode="after")
    def _forward(self) -> Self:
        check_period(self.start, self.end)
        return self

    def bursts(self, sensor: tuple[int, int]) -> list[Burst]:
        """Return the square, for its part of the time."""
        return [self._burst(sensor, self.start, self.end)]


@final
@TRIGGERS.register("event-strobing", source=_FLASHY, link=_FLASHY_LINK)
class EventStrobing(_Square):
    """Make a square of pixels fire in pulses at equal distances."""

    pulses: int = Field(8, ge=1, le=1000)
    """Number of pulses in the recording."""
    duty: float = Field(0.5, gt=0, le=1)
    """Share of a pulse and the pause after it that the pulse lasts."""

    def bursts(self, sensor: tuple[int, int]) -> list[Burst]:
        """Return the square, once for each pulse."""
        n = self.pulses
        return [self._burst(sensor, i / n, (i + self.duty) / n) for i in range(n)]


def check_period(start: float, end: float) -> None:
    """Refuse a period that does not go forward in time.

    Raises:
        ConfigError: If the end is not after the start.
    """
    if start >= end:
        raise ConfigError(f"expected 'end' after 'start', got {start} to {end}")
