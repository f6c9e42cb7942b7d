"""Files of recordings in the official formats, written event by event."""

from __future__ import annotations

import struct
from collections.abc import Iterable

Event = tuple[int, int, int, int]
"""x, y, t, p."""

HEADER_2 = b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n"
HEADER_3 = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"


def atis(events: Iterable[Event]) -> bytes:
    return b"".join(
        struct.pack(">BBBH", x, y, p << 7 | t >> 16, t & 0xFFFF) for x, y, t, p in events
    )


def aedat2(events: Iterable[Event], header: bytes = HEADER_2) -> bytes:
    """Write the addresses of a DVS128 for pixels counted from the upper left."""
    words = [(127 - y << 8 | 127 - x << 1 | 1 - p, t % 2**32) for x, y, t, p in events]
    return header + b"".join(struct.pack(">II", *pair) for pair in words)


def packet(
    events: list[Event], overflow: int = 0, valid: int = 1, kind: int = 1, spare: int = 0
) -> bytes:
    head = struct.pack(
        "<HHIIIIII", kind, 1, 8, 4, overflow, len(events) + spare, len(events), len(events)
    )
    words = [(x << 17 | y << 2 | p << 1 | valid, t) for x, y, t, p in events]
    return head + b"".join(struct.pack("<II", *pair) for pair in words) + bytes(max(0, 8 * spare))


def aedat3(*packets: bytes, header: bytes = HEADER_3) -> bytes:
    return header + b"".join(packets)
