"""Arrays that tell where the chunks of a data set are, as ``libver="latest"`` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from spikedoor.data.hdf5.file import ADVICE, NOWHERE, Damaged, File, Unread

__all__ = ["Entry", "extensible_array", "fixed_array"]

_HEAD = 14  # bytes before what a block holds: its name, version, kind, and where the header is
_BARE, _PACKED = 8, range(13, 21)  # bytes of an entry: an address; and a size, and 4 of filters


class Entry(NamedTuple):
    """Where a chunk is.

    Args:
        number: Its number.
        address: Its place in the file.
        size: Its bytes there.
        skipped: A bit for each filter that was left out.
    """

    number: int
    address: int
    size: int
    skipped: int = 0


def fixed_array(file: File, header: int, size: int) -> Iterator[Entry]:
    """Yield the chunks of an array of as many entries as there may be chunks, perhaps in pages.

    Args:
        file: The file.
        header: Where the header of the array is.
        size: Bytes of a chunk that is not packed.

    Raises:
        Damaged: If it is not as the format says.
    """
    file.expect(header, b"FAHD\0")
    width = _width(file, header)
    page = 1 << file.number(header + 7, 1)  # entries of a page
    count, block = file.number(header + 8), file.number(header + 16)
    if block == NOWHERE:
        return
    file.expect(block, b"FADB\0")
    if count <= page:
        yield from _entries(file, block + _HEAD, range(count), width, size)
        return
    pages = -(-count // page)
    at = block + _HEAD + -(-pages // 8) + 4  # after a bit for each page that is there, and a sum
    for one in range(pages):
        file.step()
        if file.number(block + _HEAD + one // 8, 1) & 0x80 >> one % 8:
            numbers = range(one * page, min(count, (one + 1) * page))
            yield from _entries(file, at + one * (page * width + 4), numbers, width, size)


def extensible_array(file: File, header: int, size: int) -> Iterator[Entry]:
    """Yield the chunks of an array that grows: entries, blocks of them, and blocks of blocks.

    Level k has 2^(k // 2) blocks of 2^((k + 1) // 2) times the least number of entries each.

    Args:
        file: The file.
        header: Where the header of the array is.
        size: Bytes of a chunk that is not packed.

    Raises:
        Damaged: If it is not as the format says, or blocks have pages, as from some 130,000
            chunks on.
    """
    file.expect(header, b"EAHD\0")
    width = _width(file, header)
    bits, direct, least, pointers, page = file.at(header + 7, 5)
    if not least or not pointers:
        raise Damaged("the index of chunks has empty blocks")
    block = file.number(header + 60)
    if block == NOWHERE:
        return
    file.expect(block, b"EAIB\0")
    yield from _entries(file, block + _HEAD, range(direct), width, size)
    number, head = direct, _HEAD + -(-bits // 8)
    here = block + _HEAD + direct * width  # where the next blocks of entries are told
    above = here + 16 * (pointers - 1)  # and those of blocks
    for level in range(max(0, bits + 2 - least.bit_length())):
        blocks, many = 1 << level // 2, least << (level + 1) // 2
        if level < 2 * (pointers.bit_length() - 1):
            at, here = here, here + 8 * blocks
        else:
            upper, above = file.number(above), above + 8
            if upper == NOWHERE:
                number += blocks * many
                continue
            file.expect(upper, b"EASB\0")
            at = upper + head
        for one in range(blocks):
            file.step()
            inner = file.number(at + 8 * one)
            if inner != NOWHERE:
                if many > 1 << page:
                    raise Unread(f"an index of so many chunks is not read: {ADVICE}")
                file.expect(inner, b"EADB\0")
                numbers = range(number, number + many)
                yield from _entries(file, inner + head, numbers, width, size)
            number += many


def _width(file: File, header: int) -> int:
    """Return the bytes of an entry."""
    packed, width = file.number(header + 5, 1), file.number(header + 6, 1)
    if width not in ((_BARE,), _PACKED)[packed > 0]:
        raise Damaged(f"entries of {width} bytes in the index of chunks are not read")
    return width


def _entries(file: File, at: int, numbers: range, width: int, size: int) -> Iterator[Entry]:
    """Yield those of entries one after the other that have content."""
    for number in numbers:
        file.step()
        address = file.number(at)
        if address != NOWHERE and width == _BARE:
            yield Entry(number, address, size)
        elif address != NOWHERE:
            skipped = file.number(at + width - 4, 4)
            yield Entry(number, address, file.number(at + 8, width - 12), skipped)
        at += width
