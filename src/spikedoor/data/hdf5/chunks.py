"""The chunks of a data set: where each begins, and its bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from spikedoor.data.hdf5.file import ADVICE, NOWHERE, Bytes, Damaged, File, Unread
from spikedoor.data.hdf5.indexes import Entry, extensible_array, fixed_array

__all__ = ["Chunks", "Shape"]

Shape = tuple[int, ...]
# Kinds of an index: a tree is that of layouts of version 3, the others have numbers in later ones.
_TREE, _SINGLE, _IMPLICIT, _FIXED, _EXTENSIBLE = range(5)
_SETTINGS = {_FIXED: 1, _EXTENSIBLE: 5}  # bytes that the array's header repeats
_CHUNKS = 1 << 16  # of a data set


@dataclass(frozen=True, eq=False)
class Chunks:
    """How a data set lies in chunks.

    Args:
        shape: Of a chunk.
        kind: Of the index.
        address: Where the index is; `NOWHERE` if there is no content.
        most: The shape that the data set may grow to; `NOWHERE` for an axis without an end.
        packed: Of a single chunk that is packed, its bytes and the filters left out.
    """

    shape: Shape
    kind: int
    address: int
    most: Shape
    packed: tuple[int, int] | None = None

    @classmethod
    def of(cls, layout: Bytes, most: Shape, width: int) -> Chunks:
        """Return what a message of the layout tells.

        Args:
            layout: The message, of version 3 to 5.
            most: The shape that the data set may grow to.
            width: Bytes of an element.

        Raises:
            Damaged: If it is not as the format says, or the index is of another kind.
        """
        if layout.number(0, 1) == 3:
            shape = _sides(layout, layout.number(2, 1), 11, 4, len(most), width)
            return cls(shape, _TREE, layout.number(3), most)
        flags, rank, wide = layout.at(2, 3)
        if flags & 1:
            raise Unread(f"chunks that are not packed at the edges are not read: {ADVICE}")
        shape = _sides(layout, rank, 5, wide, len(most), width)
        at = 6 + rank * wide
        kind, packed = layout.number(at - 1, 1), None
        if kind == _SINGLE and flags & 2:
            packed, at = (layout.number(at), layout.number(at + 8, 4)), at + 12
        if kind not in (_SINGLE, _IMPLICIT, _FIXED, _EXTENSIBLE):
            raise Unread(f"chunks with an index of kind {kind} are not read: {ADVICE}")
        address = layout.number(at + _SETTINGS.get(kind, 0))
        return cls(shape, kind, address, most, packed)

    def read(
        self, file: File, shape: Shape, size: int, cost: int
    ) -> Iterator[tuple[Shape, int, memoryview]]:
        """Yield of each chunk where it begins, the filters that were left out, and its bytes.

        Args:
            file: The file.
            shape: Of the data set.
            size: Bytes of a chunk that is not packed.
            cost: How many steps it takes to read one.

        Raises:
            Damaged: If the index is not as the format says, or has too many chunks.
        """
        most = min(_CHUNKS, math.prod(_counts(shape, self.shape)))
        found = (
            self._tree(file, cost)
            if self.kind == _TREE
            else self._numbered(file, shape, size, cost)
        )
        for k, chunk in enumerate(found):
            if k == most:
                raise Damaged(f"expected at most {most} chunks of {size} bytes")
            yield chunk

    def _tree(self, file: File, cost: int) -> Iterator[tuple[Shape, int, memoryview]]:
        rank = len(self.shape)
        wide = 8 * (rank + 3)  # size and mask, place of the chunk and in its element, address
        nodes = [self.address]
        while nodes:
            node = nodes.pop()
            file.step()
            file.expect(node, b"TREE\1")
            level, count = file.number(node + 5, 1), file.number(node + 6, 2)
            for k in range(count):
                file.step(1 if level else cost)
                key = node + 24 + k * wide
                address = file.number(key + wide - 8)
                if level:
                    nodes.append(address)
                else:
                    start = tuple(file.number(key + 8 + 8 * axis) for axis in range(rank))
                    packed = file.at(address, file.number(key, 4))
                    yield start, file.number(key + 4, 4), packed

    def _numbered(
        self, file: File, shape: Shape, size: int, cost: int
    ) -> Iterator[tuple[Shape, int, memoryview]]:
        """Yield chunks that are numbered along the axes, the last one fastest."""
        slowest, *others = range(len(self.shape))
        if self.kind == _EXTENSIBLE:  # the axis without an end comes first
            if self.most.count(NOWHERE) != 1:
                raise Damaged(f"expected one axis without an end in {self.most}")
            slowest = self.most.index(NOWHERE)
            others = [axis for axis in range(len(self.shape)) if axis != slowest]
        counts = _counts(self.most, self.shape)
        if 0 in counts:
            raise Damaged(f"expected a data set that has chunks to grow beyond {self.most}")
        for number, address, stored, skipped in self._entries(file, math.prod(counts), size):
            file.step(cost)
            places = [0] * len(counts)
            for axis in reversed(others):
                number, places[axis] = divmod(number, counts[axis])
            places[slowest] = number
            start = tuple(a * c for a, c in zip(places, self.shape, strict=True))
            # Others are there for when the data set grows.
            if all(a < n for a, n in zip(start, shape, strict=True)):
                yield start, skipped, file.at(address, stored)

    def _entries(self, file: File, count: int, size: int) -> Iterator[Entry]:
        if self.kind == _FIXED:
            return fixed_array(file, self.address, size)
        if self.kind == _EXTENSIBLE:
            return extensible_array(file, self.address, size)
        stored, skipped = self.packed or (size, 0)
        return (Entry(k, self.address + k * stored, stored, skipped) for k in range(count))


def _counts(shape: Shape, chunk: Shape) -> list[int]:
    """Return how many chunks there are along each axis."""
    return [-(-n // c) for n, c in zip(shape, chunk, strict=True)]


def _sides(layout: Bytes, count: int, at: int, wide: int, rank: int, width: int) -> Shape:
    """Return the shape of a chunk; the bytes of an element follow it."""
    if 1 < count == rank + 1 and wide <= 8:
        *sides, element = (layout.number(at + wide * k, wide) for k in range(count))
        if all(sides) and element == width:
            return tuple(sides)
    raise Damaged(f"the chunks of a data set do not fit to its {rank} axes")
