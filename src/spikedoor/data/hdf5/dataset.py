"""What the messages of a data set tell: its shape, type, and where its content is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spikedoor.data.hdf5.chunks import Chunks, Shape
from spikedoor.data.hdf5.datatype import datatype
from spikedoor.data.hdf5.file import ADVICE, NOWHERE, Bytes, Damaged, File, Unread, messages
from spikedoor.data.hdf5.filters import Filter

__all__ = ["Dataset", "dataset"]

# Kinds of messages.
_SPACE, _TYPE, _OLD_FILL, _FILL, _EXTERNAL, _LAYOUT, _FILTERS = 0x1, 0x3, 0x4, 0x5, 0x7, 0x8, 0xB
_RANK, _FILTERS_MOST = 32, 32


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set whose content is in the file.

    Args:
        shape: Its shape.
        dtype: Of an element: numbers, texts of one length (S), `ANY_TEXT`, fields of numbers, or
            bytes that are not understood (V).
        content: All of it, if it is in one piece.
        chunks: How it lies in chunks, if it does.
        filters: How chunks are packed.
        fill: An element where there is no content; empty for zero.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    content: memoryview | None = None
    chunks: Chunks | None = None
    filters: tuple[Filter, ...] = ()
    fill: bytes = b""

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def claim(self) -> int:
        """Bytes that it would take if no axis were empty."""
        return math.prod(max(1, side) for side in self.shape) * self.dtype.itemsize


def dataset(file: File, place: int) -> Dataset | None:
    """Return what is known of a data set; None if it is none, empty, or in another file.

    Raises:
        Damaged: If it is not as the format says, or in a form that is not read.
    """
    found: dict[int, Bytes] = {}
    for kind, content in messages(file, place):
        found.setdefault(kind, content)
    if not {_SPACE, _TYPE, _LAYOUT} <= found.keys() or _EXTERNAL in found:
        return None
    shapes = _shapes(found[_SPACE])
    if shapes is None:
        return None
    shape, most = shapes
    dtype = datatype(found[_TYPE], file.step)
    fill = _fill(found, dtype.itemsize)
    layout = found[_LAYOUT]
    version, kind = layout.number(0, 1), layout.number(1, 1)
    if kind == 3:  # virtual: in other files
        return None
    if version not in (3, 4, 5) or kind > 3:
        raise Unread(f"version {version} of the layout of data sets is not read: {ADVICE}")
    filters = _filters(found[_FILTERS]) if _FILTERS in found else ()
    if kind < 2:
        size = math.prod(shape) * dtype.itemsize
        if kind == 0:
            content = layout.at(4, layout.number(2, 2))[:size]
        else:
            address = layout.number(2)
            content = file.at(0, 0) if address == NOWHERE else file.at(address, size)
        return Dataset(shape, dtype, content, fill=fill)
    chunks = Chunks.of(layout, most, dtype.itemsize)
    return Dataset(shape, dtype, None, chunks, filters, fill)


def _shapes(content: Bytes) -> tuple[Shape, Shape] | None:
    """Return the shape, and that which it may grow to; None if there are no elements."""
    version, rank = content.number(0, 1), content.number(1, 1)
    if version not in (1, 2) or rank > _RANK:
        raise Damaged(f"a shape of version {version} and {rank} axes is not read")
    if version == 2 and content.number(3, 1) == 2:
        return None
    start = 8 if version == 1 else 4
    places = range(start, start + 8 * rank, 8)
    shape = tuple(content.number(at) for at in places)
    grows = content.number(2, 1) & 1
    return shape, tuple(content.number(at + 8 * rank) for at in places) if grows else shape


def _fill(found: dict[int, Bytes], size: int) -> bytes:
    """Return the element that is where nothing was written, empty if it is not told."""
    content, at = found.get(_FILL), 2
    if content is None:
        content, at = found.get(_OLD_FILL), 0
    elif content.number(0, 1) == 3:
        content = content if content.number(1, 1) & 32 else None
    else:
        told = content.number(0, 1) == 1 or content.number(3, 1)
        content, at = content if told else None, 4
    if content is None or content.number(at, 4) != size:
        return b""
    return bytes(content.at(at + 4, size))


def _filters(content: Bytes) -> tuple[Filter, ...]:
    version, count = content.number(0, 1), content.number(1, 1)
    if version not in (1, 2) or count > _FILTERS_MOST:
        raise Damaged(f"version {version} of {count} filters is not read")
    at, found = 8 if version == 1 else 2, []
    for _ in range(count):
        kind, at = content.number(at, 2), at + 2
        named = version == 1 or kind > 255
        name = content.number(at, 2) if named else 0
        at += 2 if named else 0
        values = content.number(at + 2, 2)
        at += 4 + (-(-name // 8) * 8 if version == 1 else name)
        found.append(Filter(kind, content.number(at, 4) if values else 1))
        at += 4 * (values + (values % 2 if version == 1 else 0))
    return tuple(found)
