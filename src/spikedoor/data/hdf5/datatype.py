"""The type of an element: a number, a text, or a compound of numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spikedoor.data.hdf5.file import NAME, Bytes, Damaged, Unread, text

__all__ = ["ANY_TEXT", "datatype"]

_INTEGER, _FLOAT, _TEXT, _COMPOUND, _ENUMERATION, _SEQUENCE, _ARRAY = 0, 1, 3, 6, 8, 9, 10
_VERSIONS = range(1, 6)
_ELEMENT = 1 << 16  # bytes of an element
# Of a text of any length: its length, and its number in a heap.
ANY_TEXT = np.dtype([("length", "<u4"), ("heap", "<u8"), ("number", "<u4")])
# Bits; where exponent and mantissa are, and their bits; the bias: of the numbers of IEEE 754.
_FLOATS: dict[tuple[int, ...], str] = {
    (16, 10, 5, 0, 10, 15): "f2",
    (32, 23, 8, 0, 23, 127): "f4",
    (64, 52, 11, 0, 52, 1023): "f8",
}
_LENGTHS = {_INTEGER: 12, _FLOAT: 20}  # bytes that describe a number
_REFUSED = {
    _TEXT: "texts",
    _COMPOUND: "another compound",
    _SEQUENCE: "texts or lists of any length",
    _ARRAY: "an array",
}


def datatype(content: Bytes, step: Callable[[], None]) -> np.dtype:
    """Return the type that a message tells; bytes (V) where it is not understood.

    Args:
        content: The message, or what begins with it.
        step: Is called for each field of a compound, and each name in an enumeration.

    Raises:
        Damaged: If it is not as the format says, or a compound holds other things than numbers.
    """
    kind, size = content.number(0, 1) & 15, content.number(4, 4)
    bits = content.number(1, 3)
    order = ">" if bits & 1 else "<"
    if not 0 < size <= _ELEMENT:
        raise Damaged(f"elements of {size} bytes are not read")
    if kind == _COMPOUND:
        return _compound(content, size, step)
    if kind == _ENUMERATION:  # as Booleans are: the whole numbers that it counts in follow
        inner = content.rest(8)
        return np.dtype(("V", size)) if inner.number(0, 1) & 15 else datatype(inner, step)
    if kind == _INTEGER and size in (1, 2, 4, 8) and content.number(8, 4) == 8 * size << 16:
        return np.dtype(f"{order}{'i' if bits & 8 else 'u'}{size}")
    if kind == _FLOAT and not bits & 64:
        exponent, mantissa = content.at(12, 2), content.at(14, 2)
        form = (content.number(10, 2), *exponent, *mantissa, content.number(16, 4))
        if form in _FLOATS and not content.number(8, 2):
            return np.dtype(f"{order}{_FLOATS[form]}")
    if kind == _TEXT:
        return np.dtype(("S", size))
    if kind == _SEQUENCE and bits & 15 == 1 and size == ANY_TEXT.itemsize:
        return ANY_TEXT
    return np.dtype(("V", size))


def _compound(content: Bytes, size: int, step: Callable[[], None]) -> np.dtype:
    """Return a type with fields; bytes that belong to none stay where they are."""
    version = content.number(0, 1) >> 4
    if version not in _VERSIONS:
        raise Damaged(f"version {version} of compounds is not read")
    wide = 4 if version < 3 else -(-size.bit_length() // 8)
    fields: dict[str, tuple[np.dtype, int]] = {}
    at = 8
    for _ in range(content.number(1, 2)):
        step()
        name, at = _name(content, at, version)
        place, at = content.number(at, wide), at + wide
        is_array = version == 1 and content.number(at, 1) > 0
        at += 28 if version == 1 else 0  # the sides of an array, which is told otherwise since
        member = content.rest(at)
        kind = _ARRAY if is_array else member.number(0, 1) & 15
        dtype = np.dtype("V") if kind in _REFUSED else datatype(member, step)
        if dtype.kind not in "fiu":
            raise Unread(
                f"the field {name!r} of a compound holds {_REFUSED.get(kind, 'no plain numbers')}"
                ": write a data set of the fields that are numbers"
            )
        if not name or name in fields or place + dtype.itemsize > size:
            raise Damaged(f"the field {name!r} of a compound is there twice, or beyond its end")
        fields[name] = dtype, place
        at += _length(member, step)
    if not fields:
        raise Damaged("a compound has no fields")
    formats, places = zip(*fields.values(), strict=True)
    return np.dtype({"names": [*fields], "formats": formats, "offsets": places, "itemsize": size})


def _length(member: Bytes, step: Callable[[], None]) -> int:
    """Return how many bytes describe a number."""
    kind = member.number(0, 1)
    if kind & 15 != _ENUMERATION:
        return _LENGTHS[kind & 15]
    base, count = member.rest(8), member.number(1, 2)
    at = 8 + _LENGTHS[_INTEGER]
    for _ in range(count):
        step()
        _, at = _name(member, at, kind >> 4)
    return at + count * base.number(4, 4)


def _name(content: Bytes, at: int, version: int) -> tuple[str, int]:
    """Return a name that ends by a zero, and the place after it."""
    name = text(content.rest(at).first(NAME + 1))
    used = len(name.encode()) + 1
    return name, at + (used if version > 2 else -(-used // 8) * 8)
