"""Count events into frames: in C where the library was built, else in NumPy, with equal results."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.events.recordings import Events
from spikedoor.errors import DataError

__all__ = ["available", "count", "count_compiled", "count_numpy", "totals"]

_VERSION = 1
_MOST = np.iinfo(np.uint16).max
_OFF_SENSOR = "events off the sensor, or without a polarity, cannot be framed"
_TOO_MANY = f"more than {_MOST} events of one pixel and polarity in a frame; take more frames"

Bounds = NDArray[np.int64]
Frames = NDArray[np.uint16]


@cache
def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(Path(__file__).with_name("_frames.so")))
        return library if library.spd_frames_version() == _VERSION else None
    except (OSError, AttributeError):
        return None


def available() -> bool:
    """Whether the compiled loop was built and can be loaded."""
    return _library() is not None


def count(events: Events, bounds: Bounds, factor: int) -> Frames:
    """Return how many events each pixel and polarity has in each frame, uint16 [N, T, 2, H, W].

    Args:
        events: The recordings.
        bounds: int64 [N, T + 1]; frame t of recording n has the events from bounds[n, t] to
            bounds[n, t + 1].
        factor: Side of the square of pixels that are counted as one.

    Raises:
        DataError: If an event lies off the sensor, or a count does not fit.
    """
    return (count_compiled if available() else count_numpy)(events, bounds, factor)


def _frame(events: Events, factor: int) -> tuple[int, int]:
    height, width = events.sensor
    return -(-height // factor), -(-width // factor)


def count_compiled(events: Events, bounds: Bounds, factor: int) -> Frames:
    """Count in C."""
    library = _library()
    assert library is not None
    (height, width), (rows, columns) = events.sensor, _frame(events, factor)
    recordings, steps = len(bounds), bounds.shape[1] - 1
    frames = np.zeros((recordings, steps, 2, rows, columns), np.uint16)
    arrays = [np.ascontiguousarray(array) for array in (events.x, events.y, events.p, bounds)]
    tables = [
        (np.arange(height) // factor * columns).astype(np.int32),
        (np.arange(width) // factor).astype(np.int32),
    ]
    failed = library.spd_frames(
        *(ctypes.c_void_p(array.ctypes.data) for array in arrays),
        *(ctypes.c_int64(n) for n in (recordings, steps, height, width)),
        *(ctypes.c_void_p(table.ctypes.data) for table in tables),
        ctypes.c_int64(rows * columns),
        ctypes.c_void_p(frames.ctypes.data),
    )
    if failed:
        raise DataError(_OFF_SENSOR if failed == 1 else _TOO_MANY)
    return frames


def count_numpy(events: Events, bounds: Bounds, factor: int) -> Frames:
    """Count in NumPy, at a fraction of the speed."""
    (height, width), (rows, columns) = events.sensor, _frame(events, factor)
    recordings, steps = len(bounds), bounds.shape[1] - 1
    shown = np.diff(bounds).ravel()
    frame = np.repeat(np.arange(recordings * steps), shown)
    # What a frame shows is contiguous; between the frames of two recordings there may be a gap.
    first = bounds[:, :-1].ravel() - (np.cumsum(shown) - shown)
    event = np.arange(len(frame)) + np.repeat(first, shown)
    x, y, p = events.x[event], events.y[event], events.p[event]
    if (x >= width).any() or (y >= height).any() or (p > 1).any():
        raise DataError(_OFF_SENSOR)
    cell = ((frame * 2 + p) * rows + y // factor) * columns + x // factor
    counts = np.bincount(cell, minlength=recordings * steps * 2 * rows * columns)
    if counts.max(initial=0) > _MOST:
        raise DataError(_TOO_MANY)
    return counts.astype(np.uint16).reshape(recordings, steps, 2, rows, columns)


def totals(events: Events) -> NDArray[np.int64]:
    """Return how many events each pixel and polarity of each recording has, [N, 2, H, W].

    Unlike frames, these may be any number.
    """
    height, width = events.sensor
    cell = ((events.recording * 2 + events.p) * height + events.y) * width + events.x
    counts = np.bincount(cell, minlength=len(events) * 2 * height * width)
    return counts.reshape(len(events), 2, height, width)
