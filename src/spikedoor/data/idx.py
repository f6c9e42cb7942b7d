"""The idx format of MNIST: a magic number, the dimensions, then bytes."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from spikedoor.errors import DataError

__all__ = ["MAX_BYTES", "parse_idx"]

MAX_BYTES = 1 << 30
_CHUNK = 1 << 20
_UNSIGNED_BYTE = 0x08


def parse_idx(data: bytes, rank: int, name: str, what: str = "pixels") -> NDArray[np.uint8]:
    """Read the contents of an idx file of unsigned bytes, gzipped or plain.

    The header is ``00 00 08 rank``, then each dimension as a big-endian 32-bit number, after
    Y. LeCun, C. Cortes, C. Burges, *The MNIST database of handwritten digits*. Memory follows the
    bytes that are there, never what the header claims.

    Args:
        data: The file, packed or not.
        rank: Number of dimensions expected.
        name: What to call the file in a message.
        what: What to call its contents in a message.

    Returns:
        ``uint8`` array of the file's dimensions.

    Raises:
        DataError: If the header is wrong, or the bytes are fewer or more than it says.
    """
    packed = data[:2] == b"\x1f\x8b"
    stream = gzip.GzipFile(fileobj=BytesIO(data)) if packed else BytesIO(data)
    length = 4 + 4 * rank
    header = _read(stream, length, name)
    expected_magic = bytes((0, 0, _UNSIGNED_BYTE, rank))
    if header[:4] != expected_magic:
        raise DataError(
            f"{name}: expected an idx file that starts with {expected_magic.hex(' ')}, "
            f"found {header[:4].hex(' ') or 'nothing'}"
        )
    if len(header) < length:
        raise DataError(f"{name}: expected a header of {length} bytes, found {len(header)}")
    shape = struct.unpack(f">{rank}I", header[4:])
    sides = " x ".join(str(side) for side in shape)
    size = math.prod(shape)
    if not 0 < size <= MAX_BYTES:
        raise DataError(
            f"{name}: expected between 1 and {MAX_BYTES} bytes of {what}, found {sides}"
        )
    body = _read(stream, size + 1, name)
    if len(body) != size:
        found = "more" if len(body) > size else len(body)
        raise DataError(f"{name}: expected {size} bytes of {what} for {sides}, found {found}")
    return np.frombuffer(body, np.uint8).reshape(shape)


def _read(stream: gzip.GzipFile | BytesIO, limit: int, name: str) -> bytes | bytearray:
    """Read up to a limit, in pieces; a cut gzip stream gives what is there."""
    body = bytearray()
    try:
        while len(body) < limit:
            piece = stream.read(min(_CHUNK, limit - len(body)))
            if not piece:
                break
            body += piece
    except EOFError:
        pass
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name}: expected a whole gzip file: {error}") from None
    return body
