"""HDF5 files of strangers: no link is followed, and no memory is taken on the word of a header.

What is read are groups by name, arrays of numbers, and short texts; attributes are left alone.
"""

from __future__ import annotations

import math
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.zips import most_unpacked
from spikedoor.errors import DataError

__all__ = ["array", "hdf5", "member", "text"]

_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF = 1, 2, 3, 32000
_CHUNK = 1 << 24  # bytes that any file's chunks may have
_CHUNKS, _TEXT_CHUNKS = 1 << 16, 64  # packed chunks of an array, and of texts
_SPARE = 1 << 30  # bytes that reading any file may take
_SUM = 4  # bytes of a checksum below the packing
_KNOWN = {_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF}
_TEXT, _TEXTS = 256, 1 << 20  # bytes of a text, and of all of a data set
_DAMAGE = (
    *(OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError),
    *(OverflowError, MemoryError, zlib.error),
)


@contextmanager
def hdf5(data: bytes, name: str, extra: str) -> Iterator[Any]:
    """Open a file that is in memory, for the time of the block.

    Args:
        data: The file.
        name: What to call it in a message.
        extra: Our extra that comes with h5py.

    Raises:
        DataError: If h5py is not installed, or the file is damaged.
    """
    try:
        import h5py  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise DataError(
            f"{name}: HDF5 is read by h5py, which is not installed: pip install spikedoor[{extra}]"
        ) from None
    _check_heaps(data, name)
    try:
        with _bounded(most_unpacked(len(data))), h5py.File(BytesIO(data), "r") as file:
            yield file
    except DataError:
        raise
    except _DAMAGE as error:
        reason = str(error).split("\n", 1)[0]
        raise DataError(f"{name}: expected a whole HDF5 file: {reason}") from None


def member(group: Any, key: str) -> Any:
    """Return what a group has under a name, None if nothing or a link to somewhere else."""
    import h5py  # pyright: ignore[reportMissingImports]

    if not isinstance(group.get(key, getlink=True), h5py.HardLink):
        return None
    return group[key]


def array(group: Any, key: str, limit: int, name: str) -> NDArray[Any] | None:
    """Return the numbers that a group has under a name, None if there is no data set.

    They may be packed by gzip or LZF.

    Args:
        group: Open group.
        key: Name in it.
        limit: Most bytes that it may take.
        name: What to call it in a message.

    Raises:
        DataError: If they are no numbers, lie elsewhere, are otherwise packed or beyond the limit.
    """
    values = _dataset(group, key)
    if values is None:
        return None
    if values.dtype.hasobject or values.dtype.kind not in "fiub" or values.dtype.itemsize > 8:
        raise DataError(f"{name}: expected numbers, found {values.dtype}")
    _check_size(values, limit, _CHUNKS, name)
    return np.asarray(values[()])


def text(group: Any, key: str, place: tuple[int, ...] = (), name: str = "text") -> str | None:
    """Return a text of 256 bytes at most, or one element of an array of them.

    A text of any length lies in a heap, where many may point to the same: so one is read at a time.

    Raises:
        DataError: If it is no such text.
    """
    import h5py  # pyright: ignore[reportMissingImports]

    values = _dataset(group, key)
    if values is None:
        return None
    found = None
    # Of other objects, such as sequences of any length, damaged ones crash h5py.
    if h5py.check_string_dtype(values.dtype) and values.dtype.itemsize <= _TEXT:
        _check_size(values, _TEXTS, _TEXT_CHUNKS, name)
        found = values[place]
    if not isinstance(found, bytes) or len(found) > _TEXT:
        raise DataError(f"{name}: expected a text of at most {_TEXT} bytes")
    return found.decode()


def _dataset(group: Any, key: str) -> Any:
    import h5py  # pyright: ignore[reportMissingImports]

    values = member(group, key)
    if not isinstance(values, h5py.Dataset) or values.is_virtual or values.external:
        return None
    return values


@contextmanager
def _bounded(extra: int) -> Iterator[None]:
    """Let the process take so many bytes more and no others, for the time of the block.

    HDF5 takes memory on the word of what it reads before we can look at it. The limit is one of
    Linux, of address space and of all threads; elsewhere there is none.
    """
    limit = None
    if sys.platform == "linux":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + max(_SPARE, 2 * extra)
        if soft in (resource.RLIM_INFINITY, -1) or limit < soft:
            resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _check_heaps(data: bytes, name: str) -> None:
    """Refuse a file in whose heap of texts HDF5 would walk in a circle.

    A heap is a row of objects of a header (number, size) and what it tells; number 0 is what is
    free. HDF5 2 takes the size of that for its step, even where it is 0.

    Raises:
        DataError: If an object of a heap does not lead on, or leads out of it.
    """
    place = -1
    while (place := data.find(b"GCOL\x01\0\0\0", place + 1)) >= 0:
        end = place + int.from_bytes(data[place + 8 : place + 16], "little")
        at, fits = place + 16, end <= len(data)
        while fits and at + 16 <= end:
            size = int.from_bytes(data[at + 8 : at + 16], "little")
            used = any(data[at : at + 2])
            step = 16 + -(-size // 8) * 8 if used else size
            at += step
            fits = step >= 16 and at <= end
        if not fits:
            raise DataError(f"{name}: expected a whole HDF5 file: a heap of texts is damaged")


def _check_size(values: Any, limit: int, chunks: int, name: str) -> None:
    """Refuse a data set before it takes more memory or time than it may.

    Raises:
        DataError: If it, or a chunk of it, claims more bytes than the limit, it has too many
            chunks, or a chunk unpacks to more than it claims, or is packed by another filter or
            twice.
    """
    width = values.dtype.itemsize
    chunk = width * math.prod(values.chunks or ())
    for claim, most in ((width * (values.size or 0), limit), (chunk, max(limit, _CHUNK))):
        if claim > most:
            raise DataError(f"{name}: expected at most {most} bytes, found a claim of {claim}")
    settings = values.id.get_create_plist()
    filters = [settings.get_filter(i)[0] for i in range(settings.get_nfilters())]
    if len(set(filters)) < len(filters) or set(filters) - _KNOWN:
        raise DataError(f"{name}: expected gzip or LZF as packing, found the filters {filters}")
    if _DEFLATE not in filters:
        return
    count = values.id.get_num_chunks()
    if count > chunks:
        raise DataError(f"{name}: expected at most {chunks} chunks, found {count}")
    for i in range(count):
        # HDF5 unpacks a chunk to its end, whatever its size should be.
        skipped, packed = values.id.read_direct_chunk(values.id.get_chunk_info(i).chunk_offset)
        if skipped & 1 << filters.index(_DEFLATE):
            continue
        unpacked = zlib.decompressobj().decompress(packed, chunk + _SUM + 1)
        if len(unpacked) > chunk + _SUM:
            raise DataError(f"{name}: expected {chunk} bytes in chunk {i}, found more")
