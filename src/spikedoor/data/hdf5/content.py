"""The content of a data set: in one piece, or chunk by chunk."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.hdf5.dataset import Dataset
from spikedoor.data.hdf5.file import NOWHERE, Damaged, File
from spikedoor.data.hdf5.filters import unpacked

__all__ = ["content"]


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
    chunks = data.chunks
    if chunks is None or chunks.address == NOWHERE or not found.size:
        return found.view(data.dtype)
    size = math.prod(chunks.shape) * data.dtype.itemsize
    cost = 1 + len(data.shape) + len(data.filters)
    for start, skipped, packed in chunks.read(file, data.shape, size, cost):
        file.take(len(packed), size)
        if any(a % c or a >= n for a, c, n in zip(start, chunks.shape, data.shape, strict=True)):
            raise Damaged(f"a chunk lies at {start}, outside of {data.shape}")
        made = np.frombuffer(unpacked(bytes(packed), data.filters, skipped, size), element)
        within = tuple(
            slice(min(c, n - a)) for a, c, n in zip(start, chunks.shape, data.shape, strict=True)
        )
        place = tuple(slice(a, a + s.stop) for a, s in zip(start, within, strict=True))
        found[place] = made.reshape(chunks.shape)[within]
    return found.view(data.dtype)
