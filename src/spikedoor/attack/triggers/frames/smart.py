"""A square that wanders in the region where the training set is most or least active."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Self, final

import numpy as np
from pydantic import Field, PrivateAttr

from spikedoor.attack.triggers.base import (
    TRIGGERS,
    Indices,
    Mask,
    RandomTrigger,
    Shape,
    check_modality,
)
from spikedoor.attack.triggers.events.base import event_shape, square
from spikedoor.attack.triggers.events.smart import choose_region
from spikedoor.attack.triggers.frames.base import Frames, FrameTrigger, check_frames, value_of
from spikedoor.rng import generator

if TYPE_CHECKING:
    from spikedoor.data.base import SampleSet

__all__ = ["FrameSmart"]

_AT_ONCE = 64


class _Region(NamedTuple):
    top: int
    left: int
    height: int
    width: int
    polarity: int


@final
@TRIGGERS.register(
    "frame-smart",
    source="Abad, Ersoy, Picek, Urbieta 2024, Sneaky Spikes",
    link="https://arxiv.org/abs/2302.06279",
)
class FrameSmart(RandomTrigger, FrameTrigger):
    """Overwrite a square that wanders in the region, and with the polarity, of some activity.

    The frame is divided into (splits + 1)^2 regions. The polarity is that of the four states
    (OFF and ON there or not) that is rarest, or commonest, in the pixels of the region.

    Shapes:
        frames and result: uint16 [B, T, 2, H, W].
    """

    splits: int = Field(2, ge=0)
    """Cuts along each side of the frame."""
    region: Literal["most-active", "least-active"] = "most-active"
    """Which region."""
    polarity: Literal["rarest", "commonest"] = "rarest"
    """Which state of a pixel."""
    walk: int = Field(2, ge=0)
    """Pixels that the square moves at most along each side between two frames."""
    only_ones: bool = False
    """Take no account of counts above 1 in the activity, as the published code does."""
    redrawn: bool = False
    """Let the square take another way in the test than in the training, as the published code
    does; region and polarity stay those of the training set."""

    _region: _Region | None = PrivateAttr(default=None)

    def prepare(self, train: SampleSet, seed: int) -> Self:
        """Return the trigger with region and polarity chosen; a prepared one, itself."""
        if self._region is not None:
            return self
        check_modality(self, train)
        _, height, width = event_shape(self.name, train.shape)
        activity = np.zeros((height, width), np.int64)
        states = np.zeros((4, height, width), np.int64)
        for start in range(0, len(train), _AT_ONCE):
            frames = train.batch(np.arange(start, min(start + _AT_ONCE, len(train))))
            there = frames == 1 if self.only_ones else frames > 0
            activity += there.sum(axis=(0, 1, 2))
            state = 2 * there[:, :, 0] + there[:, :, 1]
            states += np.stack([(state == s).sum(axis=(0, 1)) for s in range(4)])
        chosen = choose_region(activity, self.splits, self.region == "most-active")
        top, left, rows, columns = chosen
        seen = states[:, top : top + rows, left : left + columns].sum(axis=(1, 2))
        polarity = np.argmin(seen) if self.polarity == "rarest" else np.argmax(seen)
        prepared = super().prepare(train, seed)
        prepared._region = _Region(*chosen, int(polarity))
        return prepared

    def apply(self, frames: Frames, /) -> Frames:
        """Return copies of the frames with the square, as in a test."""
        return self._on(frames, "walk in test" if self.redrawn else "walk")

    def apply_in_training(self, frames: Frames, indices: Indices, /) -> Frames:
        """Return copies of the frames with the square, as in training."""
        del indices
        return self._on(frames, "walk")

    def mask(self, shape: Shape) -> Mask:
        """Return the region, which the square does not leave, in both polarities."""
        region, side = self._fitting((shape[1], shape[2]))
        covered = np.zeros(event_shape(self.name, shape), np.bool_)
        bottom, right = (max(side, n) for n in (region.height, region.width))
        covered[:, region.top : region.top + bottom, region.left : region.left + right] = True
        return covered

    def _fitting(self, sensor: tuple[int, int]) -> tuple[_Region, int]:
        """Return the region, moved inwards where the square is larger, and the square's side."""
        _ = self.seed
        assert self._region is not None
        _, _, side = square(self.name, self.size, (0, 0), sensor)
        top = min(self._region.top, sensor[0] - side)
        left = min(self._region.left, sensor[1] - side)
        return self._region._replace(top=top, left=left), side

    def _on(self, frames: Frames, purpose: str) -> Frames:
        check_frames(frames, self.name)
        region, side = self._fitting((frames.shape[3], frames.shape[4]))
        room = np.maximum([region.height - side, region.width - side], 0)
        draw = generator(self.seed, f"smart trigger: {purpose}")
        at = draw.integers(0, room, endpoint=True)
        marked, value = frames.copy(), value_of(self.name, region.polarity, "sneaky-spikes")
        for t in range(frames.shape[1]):
            top, left = region.top + at[0], region.left + at[1]
            marked[:, t, :, top : top + side, left : left + side] = value
            at = np.clip(at + draw.integers(-self.walk, self.walk, 2, endpoint=True), 0, room)
        return marked
