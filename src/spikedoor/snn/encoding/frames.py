"""From a recording to one frame of event counts at each step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from spikedoor.data.base import Modality, modality_of
from spikedoor.data.events import Events, Framing
from spikedoor.errors import ConfigError
from spikedoor.snn.encoding.base import ENCODINGS, Encoding
from spikedoor.snn.signal import Signal

if TYPE_CHECKING:
    from spikedoor.data.base import SampleSet
    from spikedoor.data.source import DataSource

__all__ = ["Frames"]


@final
@ENCODINGS.register("frames")
class Frames(Encoding):
    """Show one frame of a recording at each step, framed as the batch is drawn.

    With T steps and frames f_1 ... f_T the input at step t is ``gain T f_t``, so that its mean over
    time is ``gain`` times the sum of all frames: a frame of the whole recording, whatever T is.
    That is what an ANN, which has one step, is shown, and what its thresholds are found on. With
    ``scale = "raw"`` the input is ``gain f_t``, as most of the literature has it with a gain of 1;
    an ANN is shown the mean of the T frames, and is another one for each T.

    A converted network that is shown frames meets other currents at each step than those its ANN
    was trained on; plain neurons then send spikes that later currents do not take back. With
    ``constant`` it is shown what the ANN is shown, at every step.

    Of samples that are frames already, a step shows the sum of those it has room for (``"raw"``:
    their mean), so their number must be a multiple of T.
    """

    modalities: ClassVar[tuple[Modality, ...]] = ("event", "frame")

    framing: Framing = Framing()
    """How a recording is divided; no choice where the samples are frames already."""
    scale: Literal["total", "raw"] = "total"
    """What the mean over time is: ``gain`` times the sum of all frames, or times their mean."""
    gain: float = Field(0.1, gt=0)
    """Factor on counts. In N-MNIST a pixel that is active at all has 5 events (median) to 12 (99 of
    100) of a polarity, which 0.1 takes to about the range of an image's values."""
    constant: bool = False
    """Show the mean over time at every step, in place of one frame at each."""
    merge: int = Field(1, ge=1)
    """Frames of a recording that are added up for each step (``"raw"``: averaged)."""

    @property
    def nested(self) -> bool:
        """Whether a signal of t steps is the beginning of every longer one."""
        if self.constant:
            return self._same_total
        return self.framing.by == "window" and self.scale == "raw"

    @property
    def _same_total(self) -> bool:
        """Whether the mean over time is the same whatever the number of steps."""
        framing = self.framing
        return self.scale == "total" and framing.by != "window" and framing.value != "binary"

    def check(self, samples: SampleSet | DataSource, steps: int) -> None:
        super().check(samples, steps)
        if modality_of(samples) != "frame":
            return
        if self.framing != Framing():
            raise ConfigError(
                f"'{samples.name}' holds frames already: expected no framing in rule.encoding, but "
                "that of the data"
            )
        self._shared(getattr(samples, "steps", steps), 1 if self.constant else steps)

    def shape(self, samples: SampleSet) -> tuple[int, int, int]:
        if modality_of(samples) == "frame":
            return samples.shape
        _, height, width = samples.shape
        return self.framing.shape((height, width))

    def for_ann(self, steps: int) -> Encoding:
        """Return what shows an ANN the mean of the input over ``steps``.

        It depends on ``steps`` only where the sum of the frames does.
        """
        merge = self.merge if self._same_total else self.merge * steps
        return self.model_copy(update={"constant": False, "merge": merge})

    def tensor(self, batch: Any, steps: int) -> Tensor:
        """Return the frames of recordings, or ready ones, as the input at each step.

        Shapes:
            batch: `Events`, or frames [B, n T, C, H, W]. Result: float32 [B, T, C, H, W], of a
                constant [B, 1, C, H, W].
        """
        shown = 1 if self.constant else steps
        frames = batch
        if isinstance(batch, Events):
            made = shown if self._same_total else steps
            frames = self.framing.frames(batch, made * self.merge)
        each = self._shared(frames.shape[1], shown)
        summed = frames.astype(np.float32)
        if each > 1:
            summed = summed.reshape(len(frames), shown, each, *frames.shape[2:]).sum(2)
        return torch.from_numpy(summed).mul_(self._factor(shown, each))

    def encode(self, inputs: Tensor, steps: int, generator: torch.Generator) -> Signal:
        """Encode a batch; nothing is drawn.

        Shapes:
            inputs: float32 [B, T, C, H, W], of a constant [B, 1, C, H, W].
        """
        shown = 1 if self.constant else steps
        if inputs.ndim != 5 or inputs.shape[1] != shown:
            raise ConfigError(
                f"encoding '{self.name}': expected inputs of [B, {shown}, C, H, W], "
                f"got {list(inputs.shape)}"
            )
        data = inputs.transpose(0, 1).flatten(0, 1)
        return Signal(data.contiguous(memory_format=torch.channels_last), steps, len(inputs))

    def event_gradients(
        self, gradients: Tensor, events: Events, steps: int, bins: int
    ) -> NDArray[np.float32]:
        """Return what one more event would change, from gradients with respect to the inputs.

        An event may be at any time of its part of the recording: frames count by the time they
        share with it. That an event moves others to the next frame, by number, is left out, and
        of ``binary`` frames, that only the first counts.

        Args:
            gradients: Of something, with respect to what `tensor` returns.
            events: The recordings that it was made from.
            steps: As for `tensor`.
            bins: Equal parts of each recording's time.

        Shapes:
            gradients: [B, T, C, H, W]. Result: float32 [B, bins, 2, sensor height, width].
        """
        shown = 1 if self.constant else steps
        frames = self.merge * (shown if self._same_total else steps)
        edges, lasts = self.framing.edges(events, frames), events.durations + 1
        parts = lasts[:, None] * np.arange(bins + 1) / bins
        starts = np.maximum(parts[:, :-1, None], edges[:, None, :-1])
        shared = np.minimum(parts[:, 1:, None], edges[:, None, 1:]) - starts
        shares = shared.clip(0) * (bins / lasts)[:, None, None]
        each = frames // shown
        shares = shares.reshape(len(events), bins, shown, each).sum(3) * self._factor(shown, each)
        found = np.einsum("bks,bschw->bkchw", shares, gradients.cpu().numpy(), optimize=True)
        if self.framing.value == "signed":
            found = np.concatenate([-found, found], 2)
        side, (height, width) = self.framing.downsample, events.sensor
        found = found.repeat(side, 3).repeat(side, 4)[..., :height, :width]
        return found.astype(np.float32)

    def pieces(
        self, inputs: Tensor, steps: int, size: int, generator: torch.Generator
    ) -> Iterator[Signal]:
        if self.constant:
            yield from super().pieces(inputs, steps, size, generator)
            return
        for first in range(0, steps, size):
            piece = inputs[:, first : first + size]
            missing = size - piece.shape[1]
            yield self.encode(F.pad(piece, [0] * 7 + [missing]), size, generator)

    def _factor(self, shown: int, each: int) -> float:
        """Return what a sum of ``each`` frames is multiplied by."""
        return self.gain * (shown if self.scale == "total" else 1 / each)

    def _shared(self, frames: int, steps: int) -> int:
        """Return how many frames a step shows."""
        if frames % steps:
            raise ConfigError(
                f"encoding '{self.name}': expected steps that {frames} frames can be shared "
                f"equally among, got {steps}"
            )
        return frames // steps
