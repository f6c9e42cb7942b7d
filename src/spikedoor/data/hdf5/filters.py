"""How chunks are packed, and unpacking them to no more than they should be."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikedoor.data.hdf5.file import Damaged

__all__ = ["KNOWN", "NAMES", "PACKINGS", "Filter", "unpacked"]

_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF = 1, 2, 3, 32000
PACKINGS = {_DEFLATE, _LZF}  # of which a data set has one
KNOWN = PACKINGS | {_SHUFFLE, _FLETCHER32}
# Of other filters that recordings are packed by; HDF5's own have numbers below 256.
NAMES = {32001: "Blosc", 32004: "LZ4", 32015: "Zstandard", 0x8ECF: "Prophesee's ECF"}
_SUM = 4  # bytes of a checksum, which may lie below the packing
_WORDS = 1 << 16  # of a checksum that are added at a time


@dataclass(frozen=True)
class Filter:
    """A step of packing.

    Args:
        kind: Its number in HDF5.
        value: The first of its settings: of shuffling, the bytes of an element.
    """

    kind: int
    value: int


def unpacked(packed: bytes, filters: Sequence[Filter], skipped: int, size: int) -> bytes:
    """Return the content of a chunk.

    Args:
        packed: What is in the file.
        filters: How it was packed, in this order.
        skipped: A bit for each filter that was left out of this chunk.
        size: How many bytes it should give.

    Raises:
        Damaged: If it gives other bytes.
    """
    for k in reversed(range(len(filters))):
        if skipped >> k & 1:
            continue
        if filters[k].kind == _DEFLATE:
            packed = _inflated(packed, size + _SUM)
        elif filters[k].kind == _LZF:
            packed = _lzf(packed, size + _SUM)
        elif filters[k].kind == _SHUFFLE:
            packed = _in_order(packed, filters[k].value)
        else:
            packed = _summed(packed)
    if len(packed) != size:
        raise Damaged(f"expected {size} bytes in a chunk, found {len(packed)}")
    return packed


def _inflated(packed: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(packed, limit + 1)
    except zlib.error as error:
        raise Damaged(f"a chunk cannot be unpacked: {error}") from None
    if len(found) > limit:
        raise Damaged(f"expected at most {limit} bytes in a chunk, found more")
    if not unpacker.eof:
        raise Damaged("a chunk ends too soon")
    return found


def _lzf(packed: bytes, limit: int) -> bytes:
    """Unpack what LZF packed: runs of new bytes, and of bytes that were there before.

    After the description of the format in Lehmann's LibLZF: below 32 a byte tells of how many new
    bytes, less one, follow. Otherwise its upper 3 bits and perhaps another byte tell how many are
    copied, less two, and its lower 5 bits with the next byte from how far back, less one.
    """
    found, at = bytearray(), 0
    try:
        while at < len(packed):
            first, at = packed[at], at + 1
            if first < 32:
                found += packed[at : at + first + 1]
                at += first + 1
            else:
                length = first >> 5
                if length == 7:
                    length, at = length + packed[at], at + 1
                back, at = ((first & 31) << 8 | packed[at]) + 1, at + 1
                length += 2
                start = len(found) - back
                if start < 0:
                    raise Damaged("a chunk copies what is before its start")
                # What is copied may reach into what the copying makes.
                piece = bytes(found[start : start + length])
                found += (piece * -(-length // len(piece)))[:length]
            if len(found) > limit:
                raise Damaged(f"expected at most {limit} bytes in a chunk, found more")
    except IndexError:
        raise Damaged("a chunk ends too soon") from None
    return bytes(found)


def _in_order(shuffled: bytes, width: int) -> bytes:
    """Undo the shuffling, which puts the first bytes of all elements first, then the second."""
    if not width:
        raise Damaged("a chunk is shuffled by elements of no bytes")
    whole = len(shuffled) // width * width
    rows = np.frombuffer(shuffled, np.uint8, whole).reshape(width, -1)
    return rows.T.tobytes() + shuffled[whole:]


def _summed(content: bytes) -> bytes:
    """Return content without the checksum at its end.

    Raises:
        Damaged: If the sum is another.
    """
    if len(content) < _SUM:
        raise Damaged("a chunk has no checksum")
    content, told = content[:-_SUM], np.frombuffer(content[-_SUM:], "<u2").astype(np.uint64)
    words = np.frombuffer(content + bytes(len(content) % 2), ">u2")
    first = second = 0
    for start in range(0, len(words), _WORDS):
        block = words[start : start + _WORDS].astype(np.uint64)
        second += first * len(block) + int(np.arange(len(block), 0, -1, dtype=np.uint64) @ block)
        first += int(block.sum())
    sums = np.array([first % 65535, second % 65535], np.uint64)
    # 0 and 65535 are the same in these sums.
    if (sums % 65535 != told % 65535).any():
        raise Damaged("the checksum of a chunk is wrong")
    return content
