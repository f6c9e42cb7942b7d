"""Events as arrays x, y, t, p: `.npy` and `.npz` files."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikedoor.data.events.stream import Stream
from spikedoor.data.npz import parse_npy_array, parse_npz_arrays
from spikedoor.data.zips import most_unpacked
from spikedoor.errors import DataError

__all__ = ["NAMES", "parse_npy", "parse_npz", "stream_of"]

NAMES = ("x", "y", "t", "p")
"""Names of the arrays."""


def parse_npy(data: bytes, sensor: tuple[int, int], name: str) -> Stream:
    """Read an array with the fields x, y, t, p, or one of whole numbers [E, 4] in this order.

    Args:
        data: The file.
        sensor: Height and width of the sensor.
        name: What to call the file in a message.

    Raises:
        DataError: If it is no such array, is cut short, or holds what `Stream` refuses.
    """
    array = parse_npy_array(data, name)
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
    arrays = parse_npz_arrays(data, name, most_unpacked(len(data)), NAMES)
    return stream_of(arrays, sensor, name)


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
        columns[column] = values
    p = columns["p"]
    if count and p.min() == -1:
        p = np.where(p == -1, 0, p)
    for i in np.flatnonzero((p < 0) | (p > 1))[:1]:
        raise DataError(f"{name}: expected polarity 0 or 1 (or -1 or 1), found {p[i]} of event {i}")
    columns |= {"p": p, "t": columns["t"].astype(np.int64)}
    return Stream.of(**columns, sensor=sensor, name=name, place=lambda i: f"event {i}")
