"""Recordings of an event camera in memory: one flat buffer, and where each recording begins."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self, cast, final

import numpy as np
from numpy.typing import NDArray

from spikedoor.errors import ConfigError, DataError

__all__ = ["COLUMNS", "Events"]

COLUMNS = {"x": np.uint16, "y": np.uint16, "t": np.int32, "p": np.uint8}
"""Columns of `Events` and their types."""


@final
@dataclass(frozen=True, eq=False)
class Events:
    """Hold recordings: columns of all their events, one recording after the other.

    Columns, not records, because framing and triggers work on one or two of them at a time; they
    may be memory-mapped, and are never written to.

    Shapes:
        x, y: uint16 [E], column and row of the pixel.
        t: int32 [E], microseconds since the start of the recording, never falling within it.
        p: uint8 [E], polarity: 1 is ON (brighter), 0 is OFF.
        offsets: int64 [N + 1]; recording i holds the events offsets[i] to offsets[i + 1].

    Args:
        sensor: Height and width of the sensor in pixels.

    Raises:
        DataError: If a column has another type or length, or the offsets do not fit. What lies in
            the columns is checked by those who read it from outside: see `check`.
    """

    x: NDArray[np.uint16] = field(repr=False)
    y: NDArray[np.uint16] = field(repr=False)
    t: NDArray[np.int32] = field(repr=False)
    p: NDArray[np.uint8] = field(repr=False)
    offsets: NDArray[np.int64] = field(repr=False)
    sensor: tuple[int, int]

    def __post_init__(self) -> None:
        for name, dtype in COLUMNS.items():
            column = getattr(self, name)
            if column.dtype != dtype or column.shape != self.x.shape or column.ndim != 1:
                raise DataError(
                    f"events: expected {name} as {np.dtype(dtype)} [{len(self.x)}], "
                    f"found {column.dtype} {list(column.shape)}"
                )
        ends = self.offsets
        if (
            ends.dtype != np.int64
            or ends.ndim != 1
            or not len(ends)
            or ends[0] != 0
            or ends[-1] != len(self.x)
            or (np.diff(ends) < 0).any()
        ):
            raise DataError(f"events: offsets do not divide {len(self.x)} events")
        for name in (*COLUMNS, "offsets"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @classmethod
    def of_one(
        cls,
        x: NDArray[np.integer],
        y: NDArray[np.integer],
        t: NDArray[np.integer],
        p: NDArray[np.integer],
        sensor: tuple[int, int],
    ) -> Self:
        """Hold a single recording."""
        columns = zip(COLUMNS.items(), (x, y, t, p), strict=True)
        made: Any = {name: np.asarray(column, dtype) for (name, dtype), column in columns}
        return cls(**made, offsets=np.array([0, len(x)], np.int64), sensor=sensor)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Hold the recordings of several, in their order.

        Raises:
            ConfigError: If there are none, or of different sensors.
        """
        sensors = {part.sensor for part in parts}
        if len(sensors) != 1:
            raise ConfigError(f"expected recordings of one sensor, got {sorted(sensors)}")
        counts = np.concatenate([part.counts for part in parts])
        made: Any = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS
        }
        return cls(**made, offsets=_offsets(counts), sensor=sensors.pop())

    def __len__(self) -> int:
        """Return the number of recordings."""
        return len(self.offsets) - 1

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of events of each recording, int64 [N]."""
        return np.diff(self.offsets)

    @property
    def recording(self) -> NDArray[np.int64]:
        """Which recording each event is of, int64 [E]."""
        return np.repeat(np.arange(len(self)), self.counts)

    @property
    def durations(self) -> NDArray[np.int64]:
        """Time of each recording's last event in microseconds, int64 [N]; 0 without events."""
        last = np.zeros(len(self), np.int64)
        filled = self.counts > 0
        last[filled] = self.t[self.offsets[1:][filled] - 1]
        return last

    def take(self, recordings: NDArray[np.integer]) -> Self:
        """Return some recordings, in the order asked for, in arrays of their own."""
        counts = self.counts[recordings]
        offsets = _offsets(counts)
        # The i-th event taken is as far behind its recording's start as it was before.
        where = np.repeat(self.offsets[:-1][recordings] - offsets[:-1], counts)
        where += np.arange(offsets[-1])
        return self._at(where, offsets)

    def keep(self, chosen: NDArray[np.bool_]) -> Self:
        """Return the recordings with only the chosen events, bool [E]."""
        kept = np.concatenate([[0], np.cumsum(chosen)])[self.offsets]
        return self._at(chosen, kept.astype(np.int64))

    def replaced(self, marked: NDArray[np.bool_], by: Self) -> Self:
        """Return the recordings with the marked ones, bool [N], replaced by others, in order."""
        order = np.arange(len(self))
        order[marked] = len(self) + np.arange(len(by))
        return type(self).join([self, by]).take(order)

    def merged(self, others: Self) -> Self:
        """Return recordings that hold the events of both, by time; ours first at equal times.

        Raises:
            ConfigError: If there are not as many others.
        """
        if len(others) != len(self):
            raise ConfigError(f"expected {len(self)} recordings to merge, got {len(others)}")
        both = type(self).join([self, others])
        owner = np.concatenate([self.recording, others.recording])
        order = np.argsort(owner * 2**32 + both.t, kind="stable")
        return both._at(order, _offsets(self.counts + others.counts))

    def in_order(self) -> Self:
        """Return the recordings with their events sorted by time, stably."""
        order = np.argsort(self.recording * 2**32 + self.t, kind="stable")
        return self._at(order, self.offsets)

    def _at(self, where: NDArray[Any], offsets: NDArray[np.int64]) -> Self:
        """Return the events at some places of the columns, divided otherwise."""
        made: Any = {name: getattr(self, name)[where] for name in COLUMNS}
        return type(self)(**made, offsets=offsets, sensor=self.sensor)

    def let_go(self) -> None:
        """Take what was read of columns mapped from a file off this process's memory.

        Without it a process comes to hold all that it has ever read of them. The system keeps the
        pages while it has room, so that reading them again costs little.
        """
        if not hasattr(mmap, "MADV_DONTNEED"):
            return
        for name in COLUMNS:
            column = getattr(self, name)
            while isinstance(column, np.ndarray):
                # No other mapping than one to read: this would undo what was written to a copy.
                if isinstance(column, np.memmap) and column.mode == "r":
                    cast("mmap.mmap", column._mmap).madvise(mmap.MADV_DONTNEED)
                column = column.base

    def check(self, name: str) -> Self:
        """Return these recordings, after a look at every event.

        Raises:
            DataError: Naming the first event that lies off the sensor, before the start or before
                its forerunner, or has no polarity.
        """
        height, width = self.sensor
        later = np.diff(self.t, prepend=self.t[:1]) >= 0
        starts = self.offsets[:-1]
        later[starts[starts < len(self.t)]] = True
        for wrong, what in (
            (self.x >= width, f"x below {width}"),
            (self.y >= height, f"y below {height}"),
            (self.p > 1, "polarity 0 or 1"),
            (self.t < 0, "times from 0 on"),
            (~later, "times that never fall"),
        ):
            for i in np.flatnonzero(wrong)[:1]:
                event = ", ".join(f"{c} {getattr(self, c)[i]}" for c in COLUMNS)
                raise DataError(f"{name}: expected {what}, found event {i} with {event}")
        return self


def _offsets(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
