"""Arrays that tell where the chunks of a data set are, as ``libver="latest"`` writes them."""

from __future__ import annotations

from collections.abc import Callable

from spikedoor.data.hdf5.file import ADVICE, NOWHERE, Damaged, File, Unread

__all__ = ["Find", "extensible_array", "fixed_array"]

Find = Callable[[int], tuple[int, int, int] | None]
"""From the number of a chunk to its place, its bytes and the filters left out; None if it has no
content."""
_HEAD = 14  # bytes before what a block holds: its name, version, kind, and where the header is
_BARE, _PACKED = 8, range(13, 21)  # bytes of an entry: an address; and a size, and 4 of filters


def fixed_array(file: File, header: int, size: int) -> Find:
    """Return how chunks are found by an array of as many entries as there may be chunks.

    Args:
        file: The file.
        header: Where the header of the array is.
        size: Bytes of a chunk that is not packed.

    Raises:
        Damaged: If it is not as the format says; so does the function that is returned.
    """
    file.expect(header, b"FAHD\0")
    width = _width(file, header)
    page = 1 << file.number(header + 7, 1)  # entries of a page
    count, block = file.number(header + 8), file.number(header + 16)
    pages = -(-count // page) if count > page else 0
    if block != NOWHERE:
        file.expect(block, b"FADB\0")

    def find(number: int) -> tuple[int, int, int] | None:
        if number >= count:
            raise Damaged(f"chunk {number} is not in its index of {count}")
        if block == NOWHERE:
            return None
        if not pages:
            return _entry(file, block + _HEAD + number * width, width, size)
        one, within = divmod(number, page)
        if not file.number(block + _HEAD + one // 8, 1) & 0x80 >> one % 8:
            return None
        start = block + _HEAD + -(-pages // 8) + 4 + one * (page * width + 4)
        return _entry(file, start + within * width, width, size)

    return find


def extensible_array(file: File, header: int, size: int) -> Find:
    """Return how chunks are found by an array that grows: entries, blocks, and blocks of blocks.

    Level k has 2^(k // 2) blocks of 2^((k + 1) // 2) times the least number of entries each.

    Args:
        file: The file.
        header: Where the header of the array is.
        size: Bytes of a chunk that is not packed.

    Raises:
        Damaged: If it is not as the format says; so does the function that is returned, and for
            blocks that have pages, as from some 130,000 chunks on.
    """
    file.expect(header, b"EAHD\0")
    width = _width(file, header)
    bits, direct, least, pointers, page = file.at(header + 7, 5)
    if not least or not pointers:
        raise Damaged("the index of chunks has empty blocks")
    block = file.number(header + 60)
    if block != NOWHERE:
        file.expect(block, b"EAIB\0")
    head = _HEAD + -(-bits // 8)
    blocks = block + _HEAD + direct * width
    above = blocks + 16 * (pointers - 1)
    lower = 2 * (pointers.bit_length() - 1)  # levels whose blocks have no block above them

    def find(number: int) -> tuple[int, int, int] | None:
        if block == NOWHERE:
            return None
        if number < direct:
            return _entry(file, block + _HEAD + number * width, width, size)
        number -= direct
        level = (number // least + 1).bit_length() - 1
        many = least << (level + 1) // 2
        if many > 1 << page:
            raise Unread(f"an index of so many chunks is not read: {ADVICE}")
        one, within = divmod(number - least * ((1 << level) - 1), many)
        if level < lower:
            at = blocks + 8 * (sum(1 << k // 2 for k in range(level)) + one)
        else:
            upper = file.number(above + 8 * (level - lower))
            if upper == NOWHERE:
                return None
            file.expect(upper, b"EASB\0")
            at = upper + head + 8 * one
        inner = file.number(at)
        if inner == NOWHERE:
            return None
        file.expect(inner, b"EADB\0")
        return _entry(file, inner + head + within * width, width, size)

    return find


def _width(file: File, header: int) -> int:
    """Return the bytes of an entry."""
    packed, width = file.number(header + 5, 1), file.number(header + 6, 1)
    if width not in ((_BARE,), _PACKED)[packed > 0]:
        raise Damaged(f"entries of {width} bytes in the index of chunks are not read")
    return width


def _entry(file: File, place: int, width: int, size: int) -> tuple[int, int, int] | None:
    address = file.number(place)
    if address == NOWHERE:
        return None
    if width == _BARE:
        return address, size, 0
    return address, file.number(place + 8, width - 12), file.number(place + width - 4, 4)
