"""Texts of any length, which are kept together in heaps."""

from __future__ import annotations

from spikedoor.data.hdf5.file import Damaged, File

__all__ = ["Heaps"]


class Heaps:
    """The heaps of a file, each read once."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._places: dict[int, dict[int, tuple[int, int]]] = {}

    def at(self, length: int, heap: int, number: int) -> bytes:
        """Return a text.

        Args:
            length: Its length.
            heap: Where its heap is; nowhere for an empty text.
            number: Its number in the heap.

        Raises:
            Damaged: If there is none.
        """
        if not heap or not length:
            return b""
        if heap not in self._places:
            self._places[heap] = self._read(heap)
        place, size = self._places[heap].get(number, (0, -1))
        if length > size:
            raise Damaged(f"text {number} of the heap at byte {heap} is not there")
        return bytes(self._file.at(place, length))

    def _read(self, heap: int) -> dict[int, tuple[int, int]]:
        """Return place and size of each text; number 0 is what is free."""
        file = self._file
        file.expect(heap, b"GCOL\1")
        at, end = heap + 16, heap + file.number(heap + 8)
        found: dict[int, tuple[int, int]] = {}
        while at + 16 <= end:
            file.step()
            number, size = file.number(at, 2), file.number(at + 8)
            if not number:
                break
            found[number] = (at + 16, size)
            at += 16 + -(-size // 8) * 8
        return found
