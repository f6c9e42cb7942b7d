"""From the bytes of a file to events, by the ending of its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from spikedoor.data.events.aedat2 import parse_aedat2
from spikedoor.data.events.aedat3 import parse_aedat3
from spikedoor.data.events.arrays import parse_npy, parse_npz
from spikedoor.data.events.atis import parse_atis
from spikedoor.data.events.hdf5 import parse_hdf5
from spikedoor.data.events.stream import Stream
from spikedoor.errors import DataError

__all__ = ["SUFFIXES", "parse", "parse_aedat"]


def parse_aedat(data: bytes, sensor: tuple[int, int], name: str) -> Stream:
    """Read an AEDAT file of version 3.1 or 2.0, whichever its header tells.

    Raises:
        DataError: As `parse_aedat3` and `parse_aedat2` do.
    """
    reader = parse_aedat3 if data.startswith(b"#!AER-DAT3") else parse_aedat2
    return reader(data, sensor, name)


_READERS: dict[str, Callable[[bytes, tuple[int, int], str], Stream]] = {
    ".aedat": parse_aedat,
    ".bin": parse_atis,
    ".h5": parse_hdf5,
    ".hdf5": parse_hdf5,
    ".npy": parse_npy,
    ".npz": parse_npz,
}
SUFFIXES = tuple(_READERS)
"""Endings of the names of files that `parse` reads."""


def parse(data: bytes, sensor: tuple[int, int], name: str) -> Stream:
    """Read the events of a file.

    Args:
        data: The file.
        sensor: Height and width of the sensor.
        name: Its name, which tells the format by its ending and is used in messages.

    Raises:
        DataError: If the ending is unknown, or the file is not what it must be.
    """
    reader = _READERS.get(PurePosixPath(name).suffix.lower())
    if reader is None:
        raise DataError(f"{name}: expected a file that ends in one of {', '.join(SUFFIXES)}")
    return reader(data, sensor, name)
