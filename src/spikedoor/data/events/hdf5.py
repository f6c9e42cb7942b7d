"""Events as data sets x, y, t, p of an HDF5 file."""

from __future__ import annotations

import math
import zlib
from io import BytesIO
from typing import Any

import numpy as np

from spikedoor.data.events.arrays import NAMES, stream_of
from spikedoor.data.events.stream import Stream
from spikedoor.data.zips import most_unpacked
from spikedoor.errors import DataError

__all__ = ["parse_hdf5"]

_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF = 1, 2, 3, 32000
_CHUNK = 1 << 24  # bytes that any file's chunks may have
_SUM = 4  # bytes of a checksum below the packing
_KNOWN = {_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF}
_DAMAGE = (
    *(OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError),
    *(OverflowError, MemoryError, zlib.error),
)


def parse_hdf5(data: bytes, sensor: tuple[int, int], name: str) -> Stream:
    """Read the data sets x, y, t, p, each of whole numbers [E], at the root or below ``events``.

    They may be packed by gzip or LZF. Links to other files are not followed.

    Args:
        data: The file.
        sensor: Height and width of the sensor.
        name: What to call the file in a message.

    Raises:
        DataError: If h5py is not installed, the file is damaged, a data set is missing, otherwise
            packed or beyond belief, or they hold what `Stream` refuses.
    """
    try:
        import h5py  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise DataError(
            f"{name}: HDF5 is read by h5py, which is not installed: pip install spikedoor[events]"
        ) from None
    try:
        with h5py.File(BytesIO(data), "r") as file:
            group = file.get("events", file)
            group = group if isinstance(group, h5py.Group) else file
            arrays = {}
            for column in NAMES:
                values = group.get(column, None)
                if not isinstance(values, h5py.Dataset) or values.is_virtual or values.external:
                    raise DataError(
                        f"{name}: expected the data sets x, y, t, p, found no '{column}'"
                    )
                if values.dtype.hasobject or values.dtype.itemsize > 8:
                    raise DataError(f"{name}: expected whole numbers as '{column}'")
                _check_size(values, len(data), f"{name}: '{column}'")
                arrays[column] = np.asarray(values[()])
    except _DAMAGE as error:
        reason = str(error).split("\n", 1)[0]
        raise DataError(f"{name}: expected a whole HDF5 file: {reason}") from None
    return stream_of(arrays, sensor, name)


def _check_size(values: Any, file_size: int, name: str) -> None:
    """Refuse a data set before it takes more memory than its file gives reason to.

    Raises:
        DataError: If it, or a chunk of it, claims more bytes than `most_unpacked` allows, a chunk
            unpacks to more than it claims, or is packed by another filter or twice.
    """
    limit, width = most_unpacked(file_size), values.dtype.itemsize
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
    for i in range(values.id.get_num_chunks()):
        # HDF5 unpacks a chunk to its end, whatever its size should be.
        skipped, packed = values.id.read_direct_chunk(values.id.get_chunk_info(i).chunk_offset)
        if skipped & 1 << filters.index(_DEFLATE):
            continue
        unpacked = zlib.decompressobj().decompress(packed, chunk + _SUM + 1)
        if len(unpacked) > chunk + _SUM:
            raise DataError(f"{name}: expected {chunk} bytes in chunk {i}, found more")
