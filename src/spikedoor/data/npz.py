"""Arrays of NumPy, `.npy` and `.npz`, from bytes of unknown origin: no header claims memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from io import BytesIO
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.zips import read_member, zip_entries
from spikedoor.errors import DataError

__all__ = ["parse_npy_array", "parse_npz_arrays"]

_MAX_UNPACKED = 1 << 32
_BROKEN_HEADER = (
    *(ValueError, KeyError, TypeError, SyntaxError, OverflowError, TokenError),
    *(RecursionError, MemoryError),
)


def parse_npy_array(data: bytes, name: str) -> NDArray[Any]:
    """Return a view of the bytes of a `.npy` file.

    Args:
        data: The file.
        name: What to call it in a message.

    Raises:
        DataError: If it is no array of plain numbers, or has fewer or more bytes than it says.
    """
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


def parse_npz_arrays(
    data: bytes,
    name: str,
    limit: int = _MAX_UNPACKED,
    pick: Callable[[list[str]], Iterable[str]] = list,
) -> dict[str, NDArray[Any]]:
    """Return the arrays of an `.npz` file by name, as copies that may be changed.

    Args:
        data: The file.
        name: What to call it in a message.
        limit: Most bytes that all arrays together may unpack to.
        pick: Picks those that are wanted from the names that are there; all where left out.

    Raises:
        DataError: If it is damaged, holds anything but plain numbers, or would unpack to more
            than the limit.
    """
    archive, entries = zip_entries(BytesIO(data), name)
    with archive:
        found = {entry.filename.removesuffix(".npy"): entry for entry in entries}
        arrays = {}
        for key in pick(list(found)):
            what = f"{name}/{''.join(c if c.isprintable() else '?' for c in key[:80])}.npy"
            content = read_member(archive, found[key], limit, what)
            limit -= len(content)
            arrays[key] = parse_npy_array(content, what).copy()
    return arrays
