"""Overwrite squares of count frames with a code for the polarity."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.attack.triggers.base import Mask, Modality, Shape, Trigger
from spikedoor.attack.triggers.events.base import Share, Size, event_shape
from spikedoor.errors import ConfigError

__all__ = ["FrameTrigger", "Frames", "check_frames", "value_of"]

Frames = NDArray[np.uint16]
Numbering = Literal["sneaky-spikes", "poster"]

# What (OFF, ON) are set to.
_CODES: dict[str, tuple[tuple[int, int], ...]] = {
    "sneaky-spikes": ((0, 0), (0, 1), (1, 0), (1, 1)),
    "poster": ((1, 0), (0, 1), (1, 1)),
}


class FrameTrigger(Trigger):
    """A trigger that overwrites squares of frames of counts.

    Shapes:
        frames and result: uint16 [B, T, 2, H, W].
    """

    modality: ClassVar[Modality] = "frame"

    size: Size = 0.1
    """Side of the square, in pixels or as a share of the frame's width, rounded down."""

    @abstractmethod
    def apply(self, frames: Frames, /) -> Frames:
        """Return copies of the frames with the trigger."""


class PlacedTrigger(FrameTrigger):
    """A trigger whose place and polarity are chosen by hand."""

    place: tuple[Share, Share] = (0.0, 0.0)
    """Where it is, (x, y): (0, 0) is the upper left corner, (1, 1) the lower right."""
    polarity: int = Field(1, ge=0, le=3)
    """Code of what (OFF, ON) are set to; see ``numbering``."""
    numbering: Numbering = "sneaky-spikes"
    """``sneaky-spikes``: 0 is (0, 0), 1 is (0, 1), 2 is (1, 0), 3 is (1, 1). ``poster``, the code
    used with arXiv 2409.15670's neuromorphic data: 0 is (1, 0), 1 is (0, 1), 2 is (1, 1)."""

    def _value(self) -> NDArray[np.uint16]:
        return value_of(self.name, self.polarity, self.numbering)

    def _mask(self, shape: Shape, squares: list[tuple[int, int, int]]) -> Mask:
        covered = np.zeros(event_shape(self.name, shape), np.bool_)
        for top, left, side in squares:
            covered[:, top : top + side, left : left + side] = True
        return covered


def value_of(name: str, polarity: int, numbering: Numbering) -> NDArray[np.uint16]:
    """Return what (OFF, ON) are set to, uint16 [2, 1, 1].

    Raises:
        ConfigError: If the numbering has no such polarity.
    """
    codes = _CODES[numbering]
    if polarity >= len(codes):
        raise ConfigError(
            f"trigger '{name}': numbering '{numbering}' has the polarities 0 to "
            f"{len(codes) - 1}, got {polarity}"
        )
    return np.array(codes[polarity], np.uint16)[:, None, None]


def check_frames(frames: Frames, name: str) -> None:
    """Refuse anything that is not a batch of frames of counts.

    Raises:
        ConfigError: Naming the trigger, what was expected and what came.
    """
    kind = type(frames).__name__
    if isinstance(frames, np.ndarray):
        if frames.dtype == np.uint16 and frames.ndim == 5 and frames.shape[2] == 2:
            return
        kind = f"{frames.dtype} {list(frames.shape)}"
    raise ConfigError(f"trigger '{name}': expected frames as uint16 [B, T, 2, H, W], got {kind}")
