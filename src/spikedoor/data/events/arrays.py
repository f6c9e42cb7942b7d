"""Events as arrays x, y, t, p: `.npy` and `.npz` files."""

from __future__ import annotations

import warnings
from io import BytesIO
from tokenize import TokenError
from typing import Any

import numpy as np

from spikedoor.data.events.stream import Stream
from spikedoor.data.events.zips import most_unpacked, read_member, zip_entries
from spikedoor.errors import DataError

__all__ = ["NAMES", "parse_npy", "parse_npz", "stream_of"]

NAMES = ("x", "y", "t", "p")
"""Names of the arrays."""
_BROKEN_HEADER = (
    *(ValueError, KeyError, TypeError, SyntaxError, OverflowError, TokenError),
    *(RecursionError, MemoryError),
)


def parse_npy(data: bytes, sensor: tuple[int, int], name: str) -> Stream:
    """Read an array with the fields x, y, t, p, or one of whole numbers [E, 4] in this order.

    Args:
        data: The file.
        sensor: Height and width of the sensor.
        name: What to call the file in a message.

    Raises:
        DataError: If it is no such array, is cut short, or holds what `Stream` refuses.
    """
    array = _array(data, name)
    if array.dtype.names is not None and array.ndim == 1:
        missing = sorted(set(NAMES) - set(array.dtype.names))
        if missing:
            raise DataError(f"{name}: expected the fields x, y, t, p, found no '{missing[0]}'")
        return stream_of({column: array[column] for column in NAMES}, sensor, name)
    if array.ndim == 2 and array.shape[1] == len(NAMES):
        return stream_of(dict(zip(NAMES, array.T, strict=True)), sensor, name)
    raise DataError(
        f"{name}: expected an array with the fields x, y, t, p or of shape [E, 4], "
        f"found {array.dtype} {list(array.shape)}"
    )


def parse_npz(data: bytes, sensor: tuple[int, int], name: str) -> Stream:
    """Read an archive of the arrays x, y, t, p, each of whole numbers [E].

    Args:
        data: The file.
        sensor: Height and width of the sensor.
        name: What to call the file in a message.

    Raises:
        DataError: If an array is missing, damaged, or packed beyond belief, or they hold what
            `Stream` refuses.
    """
    archive, entries = zip_entries(BytesIO(data), name)
    with archive:
        found = {entry.filename: entry for entry in entries}
        arrays = {}
        for column in NAMES:
            entry = found.get(f"{column}.npy")
            if entry is None:
                raise DataError(f"{name}: expected the arrays x, y, t, p, found no '{column}'")
            member = read_member(archive, entry, most_unpacked(len(data)), f"{name}/{column}.npy")
            arrays[column] = _array(member, f"{name}/{column}.npy")
    return stream_of(arrays, sensor, name)


def _array(data: bytes, name: str) -> np.ndarray:
    """Return a view of the bytes of a `.npy` file, whose header decides no allocation."""
    stream = BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, is_fortran, dtype = read(stream)
    except _BROKEN_HEADER:
        raise DataError(f"{name}: expected a header of NumPy at byte 0, found none") from None
    start, count = stream.tell(), 1
    for side in shape:
        count *= int(side)
    size = count * dtype.itemsize
    if dtype.hasobject or not dtype.itemsize or count < 0 or size != len(data) - start:
        raise DataError(
            f"{name}: expected {size} bytes of plain numbers at byte {start}, "
            f"found {len(data) - start} for {str(dtype)[:60]} {list(shape)}"
        )
    array = np.frombuffer(data, dtype, offset=start)
    return array.reshape(shape, order="F" if is_fortran else "C")


def stream_of(arrays: dict[str, np.ndarray], sensor: tuple[int, int], name: str) -> Stream:
    """Return the events of arrays x, y, t, p of whole numbers [E]; polarities are 0 or -1, and 1.

    Raises:
        DataError: If they are no such arrays, or hold what `Stream` refuses.
    """
    count = len(arrays["x"]) if arrays["x"].ndim else 0
    columns: dict[str, Any] = {}
    for column, values in arrays.items():
        if values.shape != (count,) or values.dtype.kind not in "iub":
            raise DataError(
                f"{name}: expected {column} as whole numbers [{count}], "
                f"found {values.dtype} {list(values.shape)}"
            )
        if values.dtype.kind == "u" and count and values.max() > np.iinfo(np.int64).max:
            raise DataError(f"{name}: expected {column} below 2^63, found {values.max()}")
        columns[column] = values.astype(np.int64)
    p = columns["p"]
    if count and p.min() == -1:
        p = np.where(p == -1, 0, p)
    for i in np.flatnonzero((p < 0) | (p > 1))[:1]:
        raise DataError(f"{name}: expected polarity 0 or 1 (or -1 or 1), found {p[i]} of event {i}")
    columns["p"] = p
    return Stream.of(**columns, sensor=sensor, name=name, place=lambda i: f"event {i}")
