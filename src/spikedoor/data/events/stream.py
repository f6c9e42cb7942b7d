"""Events as a file holds them, checked and put in order: between every reader and `Events`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.events.recordings import Events
from spikedoor.errors import DataError

__all__ = ["Stream"]

_MAX_TIME = np.iinfo(np.int32).max


@final
@dataclass(frozen=True, eq=False)
class Stream:
    """Hold one file's events by time, on the clock of the file.

    Shapes:
        x, y: uint16 [E], column and row of the pixel.
        t: int64 [E], microseconds, never falling.
        p: uint8 [E], 1 is ON, 0 is OFF.

    Args:
        sensor: Height and width of the sensor in pixels.
    """

    x: NDArray[np.uint16] = field(repr=False)
    y: NDArray[np.uint16] = field(repr=False)
    t: NDArray[np.int64] = field(repr=False)
    p: NDArray[np.uint8] = field(repr=False)
    sensor: tuple[int, int]

    @classmethod
    def of(
        cls,
        x: NDArray[np.integer],
        y: NDArray[np.integer],
        t: NDArray[np.integer],
        p: NDArray[Any],
        sensor: tuple[int, int],
        name: str,
        place: Callable[[int], str],
    ) -> Self:
        """Check events as they were read, and sort those out of order by time, stably.

        Cameras and their drivers write events a little out of order, so order is no error; an
        event off the sensor is one, as it says that the format or the sensor is another.

        Args:
            x: Column of each event; with `y`, `t` and `p` of one length.
            y: Row of each event.
            t: Time of each event in microseconds, within int64.
            p: Polarity, 0 or 1.
            sensor: Height and width of the sensor in pixels.
            name: What to call the file in a message.
            place: Where in the file an event lies, by its number: "byte 5".

        Raises:
            DataError: If there are no events, or one lies off the sensor.
        """
        if not len(x):
            raise DataError(f"{name}: expected events, found none")
        height, width = sensor
        for column, side, axis in ((x, width, "x"), (y, height, "y")):
            if column.min() < 0 or column.max() >= side:
                i = int(np.flatnonzero((column < 0) | (column >= side))[0])
                raise DataError(
                    f"{name}: expected events on a sensor of {height} x {width} pixels, "
                    f"found {axis} {column[i]} at {place(i)}"
                )
        t = t.astype(np.int64, copy=False)
        x, y, p = x.astype(np.uint16), y.astype(np.uint16), p.astype(np.uint8)
        if (t[1:] < t[:-1]).any():
            order = np.argsort(t, kind="stable")
            x, y, t, p = x[order], y[order], t[order], p[order]
        return cls(x, y, t, p, sensor)

    @property
    def transposed(self) -> Self:
        """The stream with rows and columns exchanged."""
        height, width = self.sensor
        return type(self)(self.y, self.x, self.t, self.p, (width, height))

    def between(self, start: int, end: int) -> Self:
        """Return the events from a time on and before another one, as views."""
        low, high = np.searchsorted(self.t, [start, end])
        made: Any = {f.name: getattr(self, f.name)[low:high] for f in fields(self)[:4]}
        return type(self)(**made, sensor=self.sensor)

    def recording(self, name: str, start: int | None = None) -> Events:
        """Return the events as one recording, in time since a start or since the first one.

        Raises:
            DataError: If there are no events, or it lasts longer than 2,147 seconds.
        """
        if not len(self.t):
            raise DataError(f"{name}: expected events, found none")
        start = int(self.t[0]) if start is None else start
        # Whole numbers of Python, which do not wrap where the two ends lie far apart.
        span = int(self.t[-1]) - start
        if span > _MAX_TIME:
            raise DataError(f"{name}: expected at most {_MAX_TIME} microseconds, found {span}")
        return Events.of_one(self.x, self.y, self.t - start, self.p, self.sensor)
