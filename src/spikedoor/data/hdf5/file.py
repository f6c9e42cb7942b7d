"""The bytes of a file, and the messages that tell of an object in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from spikedoor.data.zips import most_unpacked

__all__ = [
    "ADVICE",
    "CHUNK",
    "NAME",
    "NOWHERE",
    "Bytes",
    "Damaged",
    "File",
    "Unread",
    "messages",
    "root",
    "text",
]

NOWHERE = (1 << 64) - 1  # the address of what is not there
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
ADVICE = "write it by h5py's defaults, libver='earliest' and no track_order"
_STARTS = (0, *(512 << k for k in range(22)))  # MATLAB's own 512 bytes may lie before a file
CHUNK = 1 << 24  # bytes that the chunks of any file may have
NAME = 256  # bytes of a name
_FREE_STEPS, _STEPS = 1 << 12, 1 << 20  # of any file, and most
_NOTHING, _CONTINUED = 0x00, 0x10  # kinds of messages
_SHARED = 2  # the flag that the content of a message is elsewhere


class Damaged(Exception):
    """The file is not what the format says, or is in a form that is not read here."""


class Unread(Damaged):
    """The file is in a form that is not read here, though it may be as the format says."""


class Bytes:
    """Bytes of which no others can be read than there are."""

    def __init__(self, view: memoryview) -> None:
        self._view = view

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._view)

    def at(self, place: int, size: int) -> memoryview:
        """Return some of them.

        Raises:
            Damaged: If there are no such bytes.
        """
        if place + size > len(self._view):
            raise Damaged(f"it ends before byte {place + size}")
        return self._view[place : place + size]

    def rest(self, place: int) -> Bytes:
        """Return those from a place on.

        Raises:
            Damaged: If it lies beyond the end.
        """
        return Bytes(self.at(place, max(0, len(self) - place)))

    def first(self, size: int) -> memoryview:
        """Return as many as there are of the first ones."""
        return self._view[:size]

    def number(self, place: int, size: int = 8) -> int:
        """Return a whole number, 0 or above.

        Raises:
            Damaged: If there are no such bytes.
        """
        return int.from_bytes(self.at(place, size), "little")

    def expect(self, place: int, word: bytes) -> None:
        """Check that a word is where it should be.

        Raises:
            Damaged: If it is not.
        """
        if self.at(place, len(word)) != word:
            raise Damaged(f"expected {word[:4].decode()} at byte {place}")


class File(Bytes):
    """All bytes of a file from its signature on, and an account of the work that it has made.

    Every walk over messages, fields, links, chunks and texts takes a step at each. There are no
    more of them than bytes, so that what leads in a circle has an end. In the same way no byte is
    the content of two data sets, so that one packed block is not unpacked again and again.
    """

    def __init__(self, data: bytes) -> None:
        view = memoryview(data)
        places = (k for k in _STARTS if view[k : k + len(_SIGNATURE)] == _SIGNATURE)
        self.start = next(places, 0)
        super().__init__(view[self.start :])
        self._steps = self._most = min(_STEPS, _FREE_STEPS + len(data))
        self._content, self._unpacked = len(data), 2 * max(2 * CHUNK, most_unpacked(len(data)))

    def step(self, count: int = 1) -> None:
        """Take a step, or several.

        Raises:
            Damaged: If there were too many.
        """
        self._steps -= count
        if self._steps < 0:
            raise Damaged(f"it has more than {self._most} parts, or leads in a circle")

    def take(self, size: int, unpacked: int) -> None:
        """Take bytes as content of a data set.

        Raises:
            Damaged: If the file has not so many, or all unpack to more than is believed.
        """
        self._content -= size
        self._unpacked -= unpacked
        if min(self._content, self._unpacked) < 0:
            raise Damaged("its data sets or their chunks overlap, or unpack to far too much")


def text(name: memoryview) -> str:
    """Return a name, which ends by a zero or with the bytes that are given.

    Raises:
        Damaged: If it is longer than `NAME`, or no text.
    """
    first = bytes(name[: NAME + 1]).partition(b"\0")[0]
    if len(first) > NAME:
        raise Damaged(f"a name has more than {NAME} bytes")
    try:
        return first.decode()
    except UnicodeDecodeError:
        raise Damaged(f"a name is no text: {first[:40]!r}") from None


def root(file: File) -> int:
    """Return where the root group is.

    Raises:
        Damaged: If this is no HDF5 file, or a form of it that is not read.
    """
    if file.at(0, len(_SIGNATURE)) != _SIGNATURE:
        raise Damaged("it does not begin as one")
    version = file.number(8, 1)
    if version > 3:
        raise Damaged(f"version {version} of its superblock is not read")
    old = version < 2
    sizes = file.number(13 if old else 9, 2)
    base = 24 + 4 * version if old else 12
    if sizes != 0x0808 or file.number(base) != file.start:
        raise Damaged("addresses of other than 8 bytes, or from another byte on, are not read")
    return file.number(base + (40 if old else 24))


def messages(file: File, place: int) -> Iterator[tuple[int, Bytes]]:
    """Yield the kind and the content of each message of an object.

    Args:
        file: The file.
        place: Where the object is.

    Raises:
        Damaged: If there is none, or one of its messages is shared with others.
    """
    new = file.at(place, 4) == b"OHDR"
    blocks = deque([_block(file, place) if new else (place + 16, file.number(place + 8, 4))])
    if not new and file.number(place, 1) != 1:
        raise Damaged(f"expected an object at byte {place}")
    # Version 2 may tell the order of attributes in each message.
    head = (6 if file.number(place + 5, 1) & 4 else 4) if new else 8
    wide = 1 if new else 2
    while blocks:
        start, size = blocks.popleft()
        end = start + size
        while start + head <= end:
            file.step()
            kind, length = file.number(start, wide), file.number(start + wide, 2)
            flags = file.number(start + wide + 2, 1)
            content = Bytes(file.at(start + head, length))
            start += head + length
            if kind == _CONTINUED:
                more, size = content.number(0), content.number(8)
                if new:
                    file.expect(more, b"OCHK")
                    more, size = more + 4, size - 8  # the word, and a sum at the end
                blocks.append((more, size))
            elif flags & _SHARED and kind != _NOTHING:
                raise Unread("shared messages, such as named types, are not read")
            else:
                yield kind, content


def _block(file: File, place: int) -> tuple[int, int]:
    """Return where the messages of an object of version 2 begin, and their size."""
    flags = file.number(place + 5, 1)
    start = place + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    wide = 1 << (flags & 3)
    return start + wide, file.number(start, wide)
