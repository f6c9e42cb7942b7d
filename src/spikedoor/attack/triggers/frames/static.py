"""A square of the same values in every frame."""

from __future__ import annotations

from typing import final

from spikedoor.attack.triggers.base import TRIGGERS, Mask, Shape
from spikedoor.attack.triggers.events.base import square
from spikedoor.attack.triggers.frames.base import Frames, PlacedTrigger, check_frames

__all__ = ["FrameStatic"]


@final
@TRIGGERS.register(
    "frame-static",
    source="Abad, Ersoy, Picek, Urbieta 2024, Sneaky Spikes",
    link="https://arxiv.org/abs/2302.06279",
)
class FrameStatic(PlacedTrigger):
    """Overwrite a square in every frame: F[t, :, R] = v for all t.

    Shapes:
        frames and result: uint16 [B, T, 2, H, W].
    """

    def apply(self, frames: Frames, /) -> Frames:
        """Return copies of the frames with the square."""
        check_frames(frames, self.name)
        top, left, side = square(self.name, self.size, self.place, frames.shape[3:])  # pyright: ignore[reportArgumentType]
        marked = frames.copy()
        marked[..., top : top + side, left : left + side] = self._value()
        return marked

    def mask(self, shape: Shape) -> Mask:
        """Return the square, in both polarities."""
        self._value()
        return self._mask(shape, [square(self.name, self.size, self.place, (shape[1], shape[2]))])
