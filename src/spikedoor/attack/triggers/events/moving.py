"""A square of pixels that fires in one place after the other."""

from __future__ import annotations

from typing import final

from pydantic import Field

from spikedoor.attack.triggers.base import TRIGGERS
from spikedoor.attack.triggers.events.base import Burst, BurstTrigger, Share, Size, square
from spikedoor.errors import ConfigError

__all__ = ["EventMoving"]


@final
@TRIGGERS.register(
    "event-moving",
    source="Abad, Ersoy, Picek, Urbieta 2024, Sneaky Spikes",
    link="https://arxiv.org/abs/2302.06279",
)
class EventMoving(BurstTrigger):
    """Make a square of pixels fire that jumps through places in a row, over and over.

    The row goes from left to right, and as a whole fits on the sensor: its ``place`` is given as
    that of a square is.
    """

    size: Size = 0.1
    """Side of the square, in pixels or as a share of the sensor's width, rounded down."""
    place: tuple[Share, Share] = (1.0, 1.0)
    """Where the row is, (x, y): (0, 0) is the upper left corner, (1, 1) the lower right."""
    positions: int = Field(3, ge=2)
    """Number of places."""
    gap: int = Field(2, ge=0)
    """Pixels between two places."""
    moves: int = Field(16, ge=2, le=1000)
    """Into how many equal parts of the recording the movement is divided; one place in each."""

    def bursts(self, sensor: tuple[int, int]) -> list[Burst]:
        """Return one place after the other."""
        top, _, side = square(self.name, self.size, self.place, sensor)
        row = self.positions * side + (self.positions - 1) * self.gap
        if row > sensor[1]:
            raise ConfigError(
                f"trigger '{self.name}': {self.positions} places of {side} pixels, {self.gap} "
                f"apart, need {row} pixels, but the sensor is {sensor[1]} wide"
            )
        left, step = round(self.place[0] * (sensor[1] - row)), side + self.gap
        return [
            Burst(i / n, (i + 1) / n, top, left + i % self.positions * step, side, side)
            for n in (self.moves,)
            for i in range(n)
        ]
