"""What is in a group, by name."""

from __future__ import annotations

from collections.abc import Iterator

from spikedoor.data.hdf5.file import (
    ADVICE,
    NAME,
    NOWHERE,
    Bytes,
    File,
    Unread,
    messages,
    text,
)

__all__ = ["links"]

_INFO, _LINK, _TABLE = 0x02, 0x06, 0x11  # kinds of messages
_HARD = 0  # of an address; others are of a path, perhaps in another file
_SOFT = 2


def links(file: File, place: int) -> dict[str, int] | None:
    """Return where what is in a group is, by name; None if it is no group.

    A link that is a path, into this file or another, is left out.

    Args:
        file: The file.
        place: Where the group is.

    Raises:
        Damaged: If it is not as the format says, or its links are in a heap, as those of large
            groups are if the file was written by ``libver="latest"`` or ``track_order``.
    """
    found: dict[str, int] | None = None
    for kind, content in messages(file, place):
        if kind in (_INFO, _LINK, _TABLE):
            found = {} if found is None else found
        if kind == _TABLE:
            assert found is not None
            found.update(_table(file, content.number(0), content.number(8)))
        elif kind == _LINK:
            assert found is not None
            found.update(_link(content))
        elif kind == _INFO:
            ordered = content.number(1, 1) & 1
            if content.number(10 if ordered else 2) != NOWHERE:
                raise Unread(f"a group keeps its links in a heap, which is not read: {ADVICE}")
    return found


def _link(content: Bytes) -> Iterator[tuple[str, int]]:
    """Yield the link of a message, if it is hard."""
    flags = content.number(1, 1)
    at = 2
    kind = _HARD
    if flags & 8:
        kind, at = content.number(at, 1), at + 1
    at += 8 if flags & 4 else 0  # its number in the order of making
    at += 1 if flags & 16 else 0  # the character set
    wide = 1 << (flags & 3)
    size = content.number(at, wide)
    if kind == _HARD:
        yield text(content.at(at + wide, size)), content.number(at + wide + size)


def _table(file: File, tree: int, heap: int) -> Iterator[tuple[str, int]]:
    """Yield the hard links of a symbol table: a tree of nodes, and a heap of names."""
    file.expect(heap, b"HEAP")
    size, names = file.number(heap + 8), file.number(heap + 24)
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        file.step()
        if file.at(node, 4) == b"SNOD":
            for k in range(file.number(node + 6, 2)):
                file.step()
                entry = node + 8 + 40 * k
                at, kind = file.number(entry), file.number(entry + 16, 4)
                if kind != _SOFT:
                    name = file.at(names + at, max(0, min(NAME + 1, size - at)))
                    yield text(name), file.number(entry + 8)
        else:
            file.expect(node, b"TREE\0")
            for k in range(file.number(node + 6, 2)):
                file.step()
                nodes.append(file.number(node + 32 + 16 * k))
