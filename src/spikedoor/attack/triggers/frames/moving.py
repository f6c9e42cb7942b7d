"""A square in another place in each frame."""

from __future__ import annotations

from typing import final

from pydantic import Field

from spikedoor.attack.triggers.base import TRIGGERS, Mask, Shape
from spikedoor.attack.triggers.events.base import square
from spikedoor.attack.triggers.frames.base import Frames, PlacedTrigger, check_frames
from spikedoor.errors import ConfigError

__all__ = ["FrameMoving"]


@final
@TRIGGERS.register(
    "frame-moving",
    source="Abad, Ersoy, Picek, Urbieta 2024, Sneaky Spikes",
    link="https://arxiv.org/abs/2302.06279",
)
class FrameMoving(PlacedTrigger):
    """Overwrite a square that jumps through places in a row: F[t, :, R_{t mod n}] = v.

    Shapes:
        frames and result: uint16 [B, T, 2, H, W].
    """

    positions: int = Field(3, ge=2)
    """Number of places, from left to right."""
    gap: int = Field(2, ge=0)
    """Pixels between two places."""
    skip_last: bool = False
    """Leave the last frame as it is, as the published code does by the bound of its loop."""

    def apply(self, frames: Frames, /) -> Frames:
        """Return copies of the frames with the square."""
        check_frames(frames, self.name)
        squares = self._squares((frames.shape[3], frames.shape[4]))
        marked, value = frames.copy(), self._value()
        for t in range(frames.shape[1] - self.skip_last):
            top, left, side = squares[t % self.positions]
            marked[:, t, :, top : top + side, left : left + side] = value
        return marked

    def mask(self, shape: Shape) -> Mask:
        """Return all places, in both polarities."""
        self._value()
        return self._mask(shape, self._squares((shape[1], shape[2])))

    def _squares(self, sensor: tuple[int, int]) -> list[tuple[int, int, int]]:
        top, _, side = square(self.name, self.size, self.place, sensor)
        step = side + self.gap
        row = self.positions * step - self.gap
        if row > sensor[1]:
            raise ConfigError(
                f"trigger '{self.name}': {self.positions} places of {side} pixels, {self.gap} "
                f"apart, need {row} pixels, but the frame is {sensor[1]} wide"
            )
        left = round(self.place[0] * (sensor[1] - row))
        return [(top, left + i * step, side) for i in range(self.positions)]
