"""AEDAT 3.1, the files of cAER: packets of events, as in DVS128 Gesture."""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np

from spikedoor.data.events.aedat2 import header_end
from spikedoor.data.events.stream import Stream
from spikedoor.errors import DataError

__all__ = ["parse_aedat3"]

_MAGIC = b"#!AER-DAT3.1"
_HEADER = struct.Struct("<HHIIIIII")
_POLARITY = 1
_BYTES = 8


def parse_aedat3(data: bytes, sensor: tuple[int, int], name: str) -> Stream:
    """Read the valid polarity events; packets of other kinds are passed over.

    After a header of lines that begin with ``#`` come packets, little-endian: 28 bytes with the
    kind and source (16 bits each), the size of an event, the place of its time, how often the
    clock of 31 bits ran over, the capacity, the number of events and that of the valid ones (32
    bits each), then the events. A polarity event is a word with its validity (bit 0), polarity
    (1), y (2-16) and x (17-31), and a word with its time in microseconds. Row 0 is at the top.
    Events out of order are sorted. Nothing is allocated for what a packet claims, only for what is
    there.

    Args:
        data: The file.
        sensor: Height and width of the sensor.
        name: What to call the file in a message.

    Returns:
        Times on the clock of the file, as its list of labels gives them.

    Raises:
        DataError: If the header is another one, a packet contradicts itself or is cut short, there
            is no event, or one lies off the sensor.
    """
    if not data.startswith(_MAGIC):
        raise DataError(
            f"{name}: expected a header that begins with {_MAGIC.decode()} at byte 0, "
            f"found {data[:12]!r}"
        )
    at = header_end(data)
    for line in data[:at].splitlines():
        if line.startswith(b"#Format:") and line.split(b":")[1].strip() != b"RAW":
            raise DataError(f"{name}: expected events that are not packed, found {line[:60]!r}")
    starts, counts, overflows = _packets(data, at, name)
    parts = [
        np.frombuffer(data, "<u4", 2 * count, start)
        for start, count in zip(starts, counts, strict=True)
    ]
    words = np.concatenate(parts) if parts else np.zeros(0, np.uint32)
    address, stamp = words[::2], words[1::2]
    t = (stamp & 0x7FFF_FFFF).astype(np.int64)
    ends = np.cumsum([0, *counts])
    for overflow, (low, high) in zip(overflows, pairwise(ends), strict=True):
        if overflow:
            t[low:high] += overflow << 31
    is_valid = address & 1 == 1
    kept = None if is_valid.all() else np.flatnonzero(is_valid)
    if kept is not None:
        address, t = address[kept], t[kept]

    def place(i: int) -> str:
        event = i if kept is None else int(kept[i])
        packet = int(np.searchsorted(ends, event, side="right")) - 1
        return f"byte {starts[packet] + _BYTES * (event - int(ends[packet]))}"

    x, y = (address >> 17).astype(np.uint16), (address >> 2 & 0x7FFF).astype(np.uint16)
    return Stream.of(x, y, t, address >> 1 & 1, sensor, name, place)


def _packets(data: bytes, at: int, name: str) -> tuple[list[int], list[int], list[int]]:
    """Return where the events of each polarity packet start, how many, and the clock's overflows.

    Raises:
        DataError: If a packet contradicts itself or is cut short.
    """
    starts, counts, overflows = [], [], []
    while at < len(data):
        if len(data) - at < _HEADER.size:
            raise DataError(f"{name}: expected a packet, found its header cut short at byte {at}")
        kind, _, size, time_at, overflow, capacity, count, _ = _HEADER.unpack_from(data, at)
        start, end = at + _HEADER.size, at + _HEADER.size + size * capacity
        if end > len(data):
            raise DataError(
                f"{name}: expected a packet of {size * capacity} bytes at byte {start}, "
                f"found {len(data) - start}"
            )
        if kind == _POLARITY:
            if (size, time_at) != (_BYTES, 4) or count > capacity:
                raise DataError(
                    f"{name}: expected at most {capacity} events of {_BYTES} bytes with their "
                    f"time after 4, found {count} of {size} after {time_at} at byte {at}"
                )
            starts.append(start)
            counts.append(count)
            overflows.append(overflow)
        at = end
    return starts, counts, overflows
