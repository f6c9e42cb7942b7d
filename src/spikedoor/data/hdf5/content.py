"""The content of a data set: in one piece, or chunk by chunk."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.hdf5.dataset import Dataset
from spikedoor.data.hdf5.file import NOWHERE, Damaged, File
from spikedoor.data.hdf5.filters import unpacked

__all__ = ["content"]

_CHUNKS = 1 << 16


def content(file: File, data: Dataset) -> NDArray[np.generic]:
    """Read a data set.

    Whoever calls this has seen that its size, and that of a chunk, may be taken.

    Args:
        file: The file.
        data: The data set.

    Raises:
        Damaged: If it is not as the format says, or has too many chunks.
    """
    # As bytes, which are copied whole: of fields NumPy copies each by itself, 20 times as slow.
    element = np.dtype(("V", data.dtype.itemsize))
    if data.content is not None and len(data.content) == data.size:
        file.take(data.size, data.size)
        whole = np.frombuffer(data.content, element).reshape(data.shape)
        return whole.copy().view(data.dtype)
    if data.content:
        raise Damaged(f"expected {data.size} bytes in a data set, found {len(data.content)}")
    fill = np.frombuffer(data.fill or bytes(element.itemsize), element)
    found = np.full(data.shape, fill[0], element)
    if data.index == NOWHERE or not found.size:
        return found.view(data.dtype)
    size = math.prod(data.chunk) * data.dtype.itemsize
    grid = (-(-n // c) for n, c in zip(data.shape, data.chunk, strict=True))
    most = min(_CHUNKS, math.prod(grid))
    for k, (start, skipped, packed) in enumerate(_chunks(file, data)):
        if k == most:
            raise Damaged(f"expected at most {most} chunks of {size} bytes")
        file.take(len(packed), size)
        if any(a % c or a >= n for a, c, n in zip(start, data.chunk, data.shape, strict=True)):
            raise Damaged(f"a chunk lies at {start}, outside of {data.shape}")
        made = np.frombuffer(unpacked(bytes(packed), data.filters, skipped, size), element)
        within = tuple(
            slice(min(c, n - a)) for a, c, n in zip(start, data.chunk, data.shape, strict=True)
        )
        place = tuple(slice(a, a + s.stop) for a, s in zip(start, within, strict=True))
        found[place] = made.reshape(data.chunk)[within]
    return found.view(data.dtype)


def _chunks(file: File, data: Dataset) -> Iterator[tuple[tuple[int, ...], int, memoryview]]:
    """Yield of each chunk where it begins, the filters that were left out, and its bytes."""
    rank = len(data.shape)
    width = 8 * (rank + 3)  # size and mask, place of the chunk and in its element, address
    nodes = [data.index]
    while nodes:
        node = nodes.pop()
        file.step()
        file.expect(node, b"TREE\1")
        level, count = file.number(node + 5, 1), file.number(node + 6, 2)
        for k in range(count):
            file.step(1 if level else 1 + rank + len(data.filters))
            key = node + 24 + k * width
            address = file.number(key + width - 8)
            if level:
                nodes.append(address)
            else:
                start = tuple(file.number(key + 8 + 8 * axis) for axis in range(rank))
                packed = file.at(address, file.number(key, 4))
                yield start, file.number(key + 4, 4), packed
