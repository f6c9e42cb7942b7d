"""The `.bin` files of N-MNIST and N-Caltech101: five bytes an event."""

from __future__ import annotations

import numpy as np

from spikedoor.data.events.stream import Stream
from spikedoor.errors import DataError

__all__ = ["parse_atis"]

_BYTES = 5
_OVERFLOW_ROW = 240
_OVERFLOW = 1 << 13


def parse_atis(data: bytes, sensor: tuple[int, int], name: str) -> Stream:
    """Read events of 40 bits, big-endian: x (8), y (8), polarity (1), microseconds (23).

    After Orchard, Jayawant, Cohen, Thakor 2015, *Converting static image datasets to spiking
    neuromorphic datasets using saccades*. Row 240 is no pixel of a sensor of the ATIS, but its
    mark of a clock that ran over: every one puts the events after it 2^13 microseconds later, and
    is no event itself. Events out of order are sorted.

    Args:
        data: The file.
        sensor: Height, at most 240, and width of the sensor.
        name: What to call the file in a message.

    Raises:
        DataError: If the file is empty, ends within an event, or has an event off the sensor.
    """
    whole = len(data) - len(data) % _BYTES
    if whole < len(data):
        raise DataError(
            f"{name}: expected events of {_BYTES} bytes, found one cut short at byte {whole}"
        )
    columns = np.frombuffer(data, np.uint8).reshape(-1, _BYTES).T
    x, y, high, middle, low = columns
    t = (high & 0x7F).astype(np.int64) << 16 | middle.astype(np.int64) << 8 | low
    p = high >> 7
    marks = y == _OVERFLOW_ROW
    if not marks.any():
        return Stream.of(x, y, t, p, sensor, name, lambda i: f"byte {i * _BYTES}")
    t += _OVERFLOW * np.cumsum(marks)
    kept = np.flatnonzero(~marks)
    pixels = x[kept], y[kept], t[kept], p[kept]
    return Stream.of(*pixels, sensor, name, lambda i: f"byte {kept[i] * _BYTES}")
