"""Groups of an open file, and the arrays and texts in them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.hdf5.content import content
from spikedoor.data.hdf5.dataset import Dataset, dataset
from spikedoor.data.hdf5.datatype import ANY_TEXT
from spikedoor.data.hdf5.file import CHUNK, Damaged, File, Unread, root
from spikedoor.data.hdf5.filters import KNOWN, NAMES, PACKINGS
from spikedoor.data.hdf5.heap import Heaps
from spikedoor.data.hdf5.links import links
from spikedoor.errors import DataError

__all__ = ["Group", "hdf5"]

_TEXT, _TEXTS = 256, 1 << 12  # bytes of a text, and texts of an array
_CHUNK = 1 << 28  # bytes of a chunk, of which unpacking has several copies


@contextmanager
def hdf5(data: bytes, name: str) -> Iterator[Group]:
    """Open a file that is in memory, for the time of the block, and give its root.

    Args:
        data: The file.
        name: What to call it in a message.

    Raises:
        DataError: If the file is damaged, or in a form that is not read.
    """
    try:
        file = File(data)
        yield Group(file, Heaps(file), links(file, root(file)) or {}, name)
    except Damaged as error:
        other = isinstance(error, Unread)
        wanted = "HDF5 in a form that is read" if other else "a whole HDF5 file"
        raise DataError(f"{name}: expected {wanted}: {error}") from None


class Group:
    """What is in a group, by name."""

    def __init__(self, file: File, heaps: Heaps, inside: dict[str, int], name: str) -> None:
        self._file, self._heaps, self._inside, self._name = file, heaps, inside, name

    def __iter__(self) -> Iterator[str]:
        """Return the names, sorted as the file has them."""
        return iter(self._inside)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._inside)

    def group(self, key: str) -> Group | None:
        """Return a group, None if there is none of the name."""
        place = self._inside.get(key)
        found = None if place is None else links(self._file, place)
        return None if found is None else Group(self._file, self._heaps, found, self._name)

    def array(self, key: str, limit: int, name: str = "") -> NDArray[Any] | None:
        """Return numbers, None if there is no data set of the name in this file.

        They may be packed by gzip or LZF.

        Args:
            key: The name.
            limit: Most bytes that they may take.
            name: What to call them in a message; by default the file.

        Raises:
            DataError: If they are no numbers, otherwise packed, or beyond the limit.
        """
        data, name = self._dataset(key), name or self._name
        if data is None:
            return None
        if data.dtype.kind not in "fiu":
            raise DataError(f"{name}: expected numbers, found {_described(data)}")
        return self._content(data, limit, name)

    def table(self, key: str, limit: int, name: str = "") -> NDArray[Any] | None:
        """Return an array with fields of numbers, None if there is no data set of the name.

        Args:
            key: The name.
            limit: Most bytes that it may take.
            name: What to call it in a message; by default the file.

        Raises:
            DataError: As `array` does, where there are no fields.
        """
        data, name = self._dataset(key), name or self._name
        if data is None:
            return None
        if not _has_fields(data):
            raise DataError(f"{name}: expected fields of numbers, found {_described(data)}")
        return self._content(data, limit, name)

    def has_text(self, key: str) -> bool:
        """Whether there is a text, or an array of them."""
        data = self._dataset(key)
        return data is not None and (data.dtype.kind == "S" or data.dtype is ANY_TEXT)

    def texts(self, key: str, name: str = "") -> NDArray[Any] | None:
        """Return an array of str, None if there is no data set of the name in this file.

        Args:
            key: The name.
            name: What to call them in a message; by default the file.

        Raises:
            DataError: If they are no texts, longer than 256 bytes, or more than 4096.
        """
        data, name = self._dataset(key), name or self._name
        if data is None:
            return None
        if not self.has_text(key) or math.prod(data.shape) > _TEXTS or data.dtype.itemsize > _TEXT:
            raise DataError(
                f"{name}: expected at most {_TEXTS} texts of {_TEXT} bytes, found "
                f"{_described(data)} of shape {data.shape}"
            )
        values = self._content(data, _TEXTS * _TEXT, name).ravel()
        found = values.tolist()
        if data.dtype is ANY_TEXT:
            # Before they are read: many may be the same long one.
            if (values["length"] > _TEXT).any():
                raise DataError(f"{name}: expected texts of at most {_TEXT} bytes")
            found = [self._heaps.at(*one) for one in found]
        made = np.empty(len(found), dtype=object)
        try:
            made[:] = [one.rstrip(b"\0").decode() for one in found]
        except UnicodeDecodeError:
            raise DataError(f"{name}: expected texts in UTF-8") from None
        return made.reshape(data.shape)

    def text(self, key: str, name: str = "") -> str | None:
        """Return one text, None if there is no data set of the name in this file.

        Raises:
            DataError: If it is something else, or longer than 256 bytes.
        """
        found = self.texts(key, name)
        if found is not None and found.shape:
            raise DataError(f"{name or self._name}: expected one text, found {found.shape}")
        return None if found is None else found.item()

    def _dataset(self, key: str) -> Dataset | None:
        place = self._inside.get(key)
        return None if place is None else dataset(self._file, place)

    def _content(self, data: Dataset, limit: int, name: str) -> NDArray[Any]:
        """Read a data set unless it claims more than it may.

        Raises:
            DataError: If it does, or is packed in a way that is not known, or twice.
        """
        chunk = math.prod(data.chunks.shape) * data.dtype.itemsize if data.chunks else 0
        for claim, most in ((data.claim, limit), (chunk, min(max(limit, CHUNK), _CHUNK))):
            if claim > most:
                raise DataError(f"{name}: expected at most {most} bytes, found a claim of {claim}")
        kinds = [one.kind for one in data.filters]
        if len(set(kinds)) < len(kinds) or set(kinds) - KNOWN or set(kinds) >= PACKINGS:
            found = ", ".join(NAMES.get(kind, f"filter {kind}") for kind in kinds)
            raise DataError(
                f"{name}: expected gzip or LZF as packing, found {found}; where that is "
                "installed, 'h5repack -f GZIP=4 IN OUT' repacks a file"
            )
        try:
            return content(self._file, data)
        except Damaged as error:
            raise DataError(f"{name}: {error}") from None


def _has_fields(data: Dataset) -> bool:
    return data.dtype.names is not None and data.dtype is not ANY_TEXT


def _described(data: Dataset) -> str:
    if data.dtype.kind == "S" or data.dtype is ANY_TEXT:
        return "texts"
    if _has_fields(data):
        return f"the fields {', '.join(map(repr, data.dtype.names or ()))[:99]}"
    return "elements of another type" if data.dtype.kind == "V" else str(data.dtype)
