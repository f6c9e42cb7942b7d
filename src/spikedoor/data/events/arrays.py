"""Events as arrays x, y, t, p: `.npy` and `.npz` files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.events.stream import Stream
from spikedoor.data.npz import parse_npy_array, parse_npz_arrays
from spikedoor.data.zips import most_unpacked
from spikedoor.errors import DataError

__all__ = ["columns_of", "named", "parse_npy", "parse_npz", "stream_of"]

_NAMES = {
    "x": ("x",),
    "y": ("y",),
    "t": ("t", "ts", "time", "timestamp"),
    "p": ("p", "pol", "polarity"),
}
"""What the arrays may be called; the first that is there is taken."""


def named(found: Iterable[str], what: str, name: str) -> dict[str, str]:
    """Return what x, y, t and p are called among the names of arrays or fields.

    Args:
        found: The names.
        what: What to call the arrays in a message.
        name: What to call the file in a message.

    Raises:
        DataError: If one of them is not there.
    """
    there = list(found)
    names: dict[str, str] = {}
    for column, may_be in _NAMES.items():
        called = next((one for one in may_be if one in there), None)
        if called is None:
            raise DataError(
                f"{name}: expected {what} {', '.join(_NAMES)}, found no '{column}' "
                f"among {sorted(there)[:9]}"
            )
        names[column] = called
    return names


def columns_of(array: NDArray[Any], name: str) -> dict[str, NDArray[Any]]:
    """Return x, y, t and p of an array with fields, as views.

    Raises:
        DataError: If one of them is not there.
    """
    names = named(array.dtype.names or (), "the fields", name)
    return {column: array[called] for column, called in names.items()}


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
        return stream_of(columns_of(array, name), sensor, name)
    if array.ndim == 2 and array.shape[1] == len(_NAMES):
        return stream_of(dict(zip(_NAMES, array.T, strict=True)), sensor, name)
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
    names: dict[str, str] = {}

    def pick(found: list[str]) -> Iterable[str]:
        names.update(named(found, "the arrays", name))
        return names.values()

    arrays = parse_npz_arrays(data, name, most_unpacked(len(data)), pick)
    return stream_of({column: arrays[key] for column, key in names.items()}, sensor, name)


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
