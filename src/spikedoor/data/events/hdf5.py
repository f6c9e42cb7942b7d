"""Events as data sets x, y, t, p of an HDF5 file."""

from __future__ import annotations

from typing import Any

from spikedoor.data.events.arrays import NAMES, stream_of
from spikedoor.data.events.stream import Stream
from spikedoor.data.hdf5 import hdf5
from spikedoor.data.zips import most_unpacked
from spikedoor.errors import DataError

__all__ = ["parse_hdf5"]


def parse_hdf5(data: bytes, sensor: tuple[int, int], name: str) -> Stream:
    """Read the data sets x, y, t, p, each of whole numbers [E], at the root or below ``events``.

    They may be packed by gzip or LZF. Links are not followed.

    Args:
        data: The file.
        sensor: Height and width of the sensor.
        name: What to call the file in a message.

    Raises:
        DataError: If the file is damaged, a data set is missing, otherwise packed, or they are
            together beyond belief, or hold what `Stream` refuses.
    """
    arrays: dict[str, Any] = {}
    limit = most_unpacked(len(data))
    with hdf5(data, name) as file:
        group = file.group("events") or file
        for column in NAMES:
            found = group.array(column, limit, f"{name}: '{column}'")
            if found is None:
                raise DataError(
                    f"{name}: expected the data sets x, y, t, p, at the root or below 'events', "
                    f"found no '{column}' among {sorted(group)[:9]}"
                )
            arrays[column] = found
            limit -= found.nbytes
    return stream_of(arrays, sensor, name)
