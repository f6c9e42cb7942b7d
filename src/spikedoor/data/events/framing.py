"""From events to frames: which events a frame shows, and what a pixel of it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from spikedoor.component import Component
from spikedoor.data.events.counting import count
from spikedoor.data.events.recordings import Events
from spikedoor.errors import ConfigError, DataError

__all__ = ["FrameSet", "Framing"]

_LATEST = np.iinfo(np.int32).max
_MOST_SIGNED = np.iinfo(np.int16).max


@final
class Framing(Component):
    """Divide each recording into frames, and count events in each.

    Of E events, the last at time D, with T frames:

    - ``number``: event i is shown in frame floor(i T / E): frames differ by one event at most.
    - ``time``: an event at t is shown in frame floor(t T / (D + 1)).
    - ``window``: an event at t is shown in frame floor(t / window); later ones in none.

    By number and by time, every event is shown once. With ``remainder = "last"`` all frames but
    the last have floor(E / T) events, or last floor((D - t of the first event) / T) microseconds
    from the first event on, and the last has the rest: the frames of SpikingJelly. The two agree
    by number where T divides E.

    Raises:
        ConfigError: If a window is given without need, or missing.
    """

    by: Literal["number", "time", "window"] = "number"
    """What the frames of a recording have in equal shares; or a fixed ``window`` of time."""
    window: int | None = Field(None, ge=1)
    """Microseconds that a frame lasts, from the start of the recording; only by ``window``."""
    value: Literal["count", "binary", "signed"] = "count"
    """Events of a pixel for each polarity; whether there are any; or ON events less OFF events,
    in one channel."""
    downsample: int = Field(1, ge=1)
    """Side of the square of pixels whose events are summed."""
    remainder: Literal["even", "last"] = "even"
    """Where events or time go that T frames cannot share equally; see above."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.by == "window") != (self.window is not None):
            raise ConfigError("'window' goes with by = \"window\", and only with it")
        if self.by == "window" and self.remainder == "last":
            raise ConfigError("'remainder' has no effect on windows; leave it out")
        return self

    def shape(self, sensor: tuple[int, int]) -> tuple[int, int, int]:
        """Return the shape of a frame: channels, height, width."""
        height, width = (-(-side // self.downsample) for side in sensor)
        return (1 if self.value == "signed" else 2), height, width

    def frames(self, events: Events, steps: int) -> NDArray[Any]:
        """Return the frames of recordings.

        Shapes:
            result: [N, steps, C, H, W]; counts uint16, binary uint8, signed int16. Channel 0 is
                OFF, 1 is ON.

        Raises:
            ConfigError: If there are no steps.
            DataError: If an event lies off the sensor, or a count does not fit its type.
        """
        if steps < 1:
            raise ConfigError(f"expected one frame or more, got {steps}")
        counts = count(events, self.bounds(events, steps), self.downsample)
        if self.value == "count":
            return counts
        if self.value == "binary":
            return (counts > 0).view(np.uint8)
        if counts.max(initial=0) > _MOST_SIGNED:
            raise DataError(f"more than {_MOST_SIGNED} events in a signed frame; take more frames")
        signed = counts.view(np.int16)
        return signed[:, :, 1:] - signed[:, :, :1]

    def bounds(self, events: Events, steps: int) -> NDArray[np.int64]:
        """Return where in the columns each frame begins, and the last ends, int64 [N, steps + 1].

        Frame j of recording i shows the events from ``[i, j]`` to ``[i, j + 1]``.
        """
        number = np.arange(steps + 1)
        starts, ends = events.offsets[:-1, None], events.offsets[1:, None]
        if self.by == "number":
            every = ends - starts
            if self.remainder == "even":
                return starts - (-every * number // steps)
            bounds = starts + every // steps * number
        else:
            edges = self._edges(events, steps)
            bounds = np.empty((len(events), steps + 1), np.int64)
            # Edges of the type of the times, or NumPy would convert every time first.
            for i, (a, b) in enumerate(zip(starts[:, 0], ends[:, 0], strict=True)):
                bounds[i] = a + np.searchsorted(events.t[a:b], edges[i])
            if self.by == "window":
                return bounds
            bounds[:, :1] = starts
        bounds[:, -1:] = ends
        return bounds

    def edges(self, events: Events, steps: int) -> NDArray[np.int64]:
        """Return when each frame begins, and the last ends, in microseconds, int64 [N, steps + 1].

        By number, a frame begins with its first event.
        """
        ends = events.durations + 1
        if self.by == "number":
            bounds = self.bounds(events, steps)
            later = bounds >= events.offsets[1:, None]
            edges = np.append(events.t, 0)[bounds].astype(np.int64)
            edges = np.where(later, ends[:, None], edges)
        else:
            edges = self._edges(events, steps).astype(np.int64)
        if self.by != "window":
            edges[:, 0], edges[:, -1] = 0, ends
        return edges

    def _edges(self, events: Events, steps: int) -> NDArray[np.int32]:
        """Return the time at which each frame begins, and the last ends, int32 [N, steps + 1]."""
        number, last = np.arange(steps + 1), events.durations[:, None]
        if self.window is not None:
            edges = np.broadcast_to(number * self.window, (len(events), steps + 1))
        elif self.remainder == "even":
            edges = -(-(last + 1) * number // steps)
        else:
            first = np.zeros_like(last)
            filled = events.counts > 0
            first[filled, 0] = events.t[events.offsets[:-1][filled]]
            edges = first + (last - first) // steps * number
        return np.minimum(edges, _LATEST).astype(np.int32)


@final
@dataclass(frozen=True, eq=False)
class FrameSet:
    """Show a set of recordings as a set of frames, made as a batch is drawn.

    Args:
        base: The recordings: an `EventSet`, or a poisoned view of one.
        framing: How a recording is divided.
        steps: Number of frames.
    """

    modality: ClassVar[Literal["frame"]] = "frame"

    base: Any = field(repr=False)
    framing: Framing
    steps: int

    @property
    def name(self) -> str:
        """Name of the recordings."""
        return self.base.name

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one frame: channels, height, width."""
        _, height, width = self.base.shape
        return self.framing.shape((height, width))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.base.classes

    @property
    def labels(self) -> NDArray[np.int64]:
        """Label of each recording, int64 [N]."""
        return self.base.labels

    @property
    def clean(self) -> FrameSet:
        """The frames of the recordings as they were before any poisoning."""
        return FrameSet(self.base.clean, self.framing, self.steps)

    def __len__(self) -> int:
        return len(self.base)

    def batch(self, indices: NDArray[np.integer]) -> NDArray[Any]:
        """Return frames [B, T, C, H, W], a fresh array that the caller may change.

        Raises:
            DataError: If the indices are not whole numbers in ``0..N - 1``.
        """
        return self.framing.frames(self.base.batch(indices), self.steps)

    def subset(self, indices: NDArray[np.integer]) -> FrameSet:
        """Return the samples at some indices, in their order, as a set of its own."""
        return FrameSet(self.base.subset(indices), self.framing, self.steps)
