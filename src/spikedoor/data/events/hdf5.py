"""Events of an HDF5 file: data sets x, y, t, p, or one with such fields."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from spikedoor.data.events.arrays import columns_of, named, stream_of
from spikedoor.data.events.stream import Stream
from spikedoor.data.hdf5 import Group, hdf5
from spikedoor.data.zips import most_unpacked
from spikedoor.errors import DataError

__all__ = ["parse_hdf5"]

_PLACES = ("events", "CD/events", "data/events")  # the second is Prophesee's


def parse_hdf5(data: bytes, sensor: tuple[int, int], name: str) -> Stream:
    """Read the data sets x, y, t, p, each of whole numbers [E], or one [E] with such fields.

    They are at ``events``, ``CD/events`` or ``data/events``; data sets may be at the root as well.
    They may be packed by gzip or LZF. Links are not followed.

    Args:
        data: The file.
        sensor: Height and width of the sensor.
        name: What to call the file in a message.

    Raises:
        DataError: If the file is damaged, a data set or field is missing, otherwise packed, or
            they are together beyond belief, or hold what `Stream` refuses.
    """
    with hdf5(data, name) as file:
        return stream_of(_columns(file, most_unpacked(len(data)), name), sensor, name)


def _columns(file: Group, limit: int, name: str) -> dict[str, NDArray[Any]]:
    for place in _PLACES:
        *above, last = place.split("/")
        group: Group | None = file
        for key in above:
            group = group and group.group(key)
        inner = group and group.group(last)
        if inner:
            return _data_sets(inner, f"at {place} the data sets", limit, name)
        what = f"{name}: '{place}'"
        table = group.table(last, limit, what) if group else None
        if table is not None:
            return columns_of(table, what)
    everywhere = f"events at {', '.join(_PLACES)} or the root, as fields or data sets"
    return _data_sets(file, everywhere, limit, name)


def _data_sets(group: Group, what: str, limit: int, name: str) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {}
    for column, key in named(group, what, name).items():
        found = group.array(key, limit, f"{name}: '{key}'")
        if found is None:
            raise DataError(f"{name}: '{key}': expected a data set in this file, found none")
        columns[column] = found
        limit -= found.nbytes
    return columns
