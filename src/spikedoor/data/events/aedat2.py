"""AEDAT 2.0, the files of jAER: 32 bits of address and 32 bits of time an event."""

from __future__ import annotations

import numpy as np

from spikedoor.data.events.stream import Stream
from spikedoor.errors import DataError

__all__ = ["header_end", "parse_aedat2"]

_BYTES = 8
_DVS128_SIDE = 128


def parse_aedat2(data: bytes, sensor: tuple[int, int], name: str) -> Stream:
    """Read the events of a camera; what else the file holds (frames, motion, triggers) is left.

    After a header of lines that begin with ``#`` come pairs of big-endian words: the address, and
    the time in microseconds, which may run over and is carried on. A sensor of up to 128 x 128
    pixels has the addresses of a DVS128, where bit 0 is 1 for OFF, bits 1-7 are x, bits 8-14 y and
    bit 15 marks what is no event; a larger one those of a DAVIS, where bit 11 is 1 for ON, bits
    12-21 are x, bits 22-30 y and bits 10 and 31 mark what is no event. jAER counts rows from the
    bottom and, on a DVS128, columns from the right: here row 0 is at the top and column 0 on the
    left, as jAER shows it. Events out of order are sorted.

    Args:
        data: The file.
        sensor: Height and width of the sensor.
        name: What to call the file in a message.

    Raises:
        DataError: If there is no header, it is of another version, the file ends within an event,
            has no event, or one off the sensor.
    """
    if not data.startswith(b"#"):
        raise DataError(f"{name}: expected a header that begins with '#' at byte 0, found none")
    if data.startswith(b"#!AER-DAT") and not data.startswith(b"#!AER-DAT2"):
        version = data[len(b"#!AER-DAT") :][:3].decode("ascii", "replace")
        raise DataError(f"{name}: expected AEDAT 2.0, found version {version!r} at byte 9")
    start = header_end(data)
    rest = (len(data) - start) % _BYTES
    if rest:
        raise DataError(
            f"{name}: expected events of {_BYTES} bytes, "
            f"found one cut short at byte {len(data) - rest}"
        )
    words = np.frombuffer(data, ">u4", offset=start).reshape(-1, 2).astype(np.uint32)
    height, width = sensor
    is_dvs128 = max(sensor) <= _DVS128_SIDE
    is_event = (words[:, 0] & (0x8000 if is_dvs128 else 0x8000_0400)) == 0
    kept = np.flatnonzero(is_event)
    address, stamp = words[kept].T
    if is_dvs128:
        x = width - 1 - (address >> 1 & 0x7F).astype(np.int64)
        y = height - 1 - (address >> 8 & 0x7F).astype(np.int64)
        p = 1 - (address & 1)
    else:
        x = (address >> 12 & 0x3FF).astype(np.int64)
        y = height - 1 - (address >> 22 & 0x1FF).astype(np.int64)
        p = address >> 11 & 1
    # Differences of 32 bits that wrap as the clock did; their sum is the time carried on.
    steps = np.diff(stamp, prepend=stamp[:1]).astype(np.int32)
    t = np.cumsum(steps, dtype=np.int64)
    return Stream.of(x, y, t, p, sensor, name, lambda i: f"byte {start + kept[i] * _BYTES}")


def header_end(data: bytes) -> int:
    """Return where the lines that begin with ``#`` end."""
    at = 0
    while data.startswith(b"#", at):
        line_end = data.find(b"\n", at)
        if line_end < 0:
            return len(data)
        if data.startswith(b"#!END-HEADER", at):
            return line_end + 1
        at = line_end + 1
    return at
