"""Read the pickles of CIFAR with a machine that can build plain values and byte arrays only.

A pickle is a program. Python's own reader runs it with the whole interpreter at hand, and even
with `find_class` restricted a few opcodes let a small file claim much memory. This machine knows
the opcodes that a dictionary of lists, numbers, strings and byte arrays is made of, calls
nothing, and stops at every other one. The size of the file and a cap on its opcodes bound the
memory.
"""

from __future__ import annotations

import math
import pickletools
import struct
from collections.abc import Callable
from enum import Enum
from typing import Any, final

import numpy as np

from spikedoor.errors import DataError

__all__ = ["parse_pickle"]

_MAX_STEPS = 1 << 19
_MAX_NAME = 200
_OPCODES = {opcode.code: opcode.name for opcode in pickletools.opcodes}


def parse_pickle(data: bytes, name: str) -> dict[str, Any]:
    """Read a pickled dictionary of lists, numbers, strings and byte arrays.

    Pickles of Python 2 and 3 up to protocol 4 are understood, so far as such values need.

    Args:
        data: The file.
        name: What to call it in a message.

    Returns:
        The dictionary; keys as text, strings of Python 2 as `bytes`, arrays as read-only
        ``uint8`` views of the bytes in the pickle.

    Raises:
        DataError: If the pickle is truncated, is no such dictionary, or asks for anything else:
            it names the global or the opcode.
    """
    try:
        return _Machine(data).run()
    except _RefusedError as error:
        raise DataError(f"{name}: {error}") from None
    except (IndexError, KeyError, TypeError, AttributeError, ValueError, RecursionError):
        raise DataError(f"{name}: expected a whole pickle, found a broken one") from None


class _RefusedError(Exception):
    """The pickle wants what a data file has no need of."""


class _Global(Enum):
    RECONSTRUCT = "_reconstruct"
    NDARRAY = "ndarray"
    DTYPE = "dtype"
    ENCODE = "encode"


_GLOBALS = {
    "numpy.core.multiarray._reconstruct": _Global.RECONSTRUCT,
    "numpy._core.multiarray._reconstruct": _Global.RECONSTRUCT,
    "numpy.ndarray": _Global.NDARRAY,
    "numpy.dtype": _Global.DTYPE,
    "_codecs.encode": _Global.ENCODE,
}
_EXPECTED = "expected plain values and byte arrays"
_MARK = object()
_BYTE_TYPE = object()


@final
class _Array:
    """Stands where the pickle makes an empty array; the next `BUILD` gives it its bytes."""

    value: np.ndarray | None = None


@final
class _Machine:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._to_encode = len(data)

    def run(self) -> dict[str, Any]:
        for _ in range(_MAX_STEPS):
            opcode = self.take(1)
            if opcode == b".":
                return _finished(self.pop())
            step = _STEPS.get(opcode)
            if step is None:
                what = _OPCODES.get(opcode.decode("latin-1"), f"0x{opcode.hex()}")
                raise _RefusedError(f"{_EXPECTED}, refused opcode {what}")
            step(self)
        raise _RefusedError(f"expected at most {_MAX_STEPS} opcodes, found more")

    def take(self, count: int) -> bytes:
        end = self._at + count
        if count < 0 or end > len(self._data):
            raise _RefusedError(
                f"expected a whole pickle, found its end after {len(self._data)} bytes"
            )
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def number(self, code: str) -> int:
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def sized(self, code: str) -> bytes:
        return self.take(self.number(code))

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        return self._stack.pop()

    def put(self, slot: int) -> None:
        self._memo[slot] = self._stack[-1]

    def memoize(self) -> None:
        self.put(len(self._memo))

    def get(self, slot: int) -> None:
        self.push(self._memo[slot])

    def pop_to_mark(self) -> list[Any]:
        items = []
        while (item := self.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def gather(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(tuple(items[::-1]))

    def extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise _RefusedError("expected a list to append to")
        target.extend(items)

    def update(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise _RefusedError("expected a dictionary to fill")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Short, flat keys: hashing a deeply nested tuple would overflow the C stack, and
            # decoding one long string again and again would fill the memory.
            if type(key) not in (bytes, str) or len(key) > _MAX_NAME:
                raise _RefusedError("expected short strings as keys")
            target[key.decode("latin-1") if type(key) is bytes else key] = value

    def line(self) -> str:
        end = self._data.find(b"\n", self._at, self._at + _MAX_NAME)
        if end < 0:
            raise _RefusedError(f"expected a name of at most {_MAX_NAME} characters")
        return self.take(end + 1 - self._at)[:-1].decode("ascii", "replace")

    def look_up(self, module: Any, name: Any) -> None:
        path = f"{module}.{name}" if type(module) is type(name) is str else "without a name"
        if path not in _GLOBALS:
            shown = "".join(c if c.isprintable() else "?" for c in path[:_MAX_NAME])
            raise _RefusedError(f"{_EXPECTED}, refused global {shown}")
        self.push(_GLOBALS[path])

    def instance(self) -> None:
        self.look_up(self.line(), self.line())
        raise _RefusedError(f"{_EXPECTED}, refused opcode INST")

    def look_up_stacked(self) -> None:
        name, module = self.pop(), self.pop()
        self.look_up(module, name)

    def reduce(self) -> None:
        arguments, target = self.pop(), self.pop()
        if type(arguments) is not tuple:
            raise _RefusedError("expected arguments as a tuple")
        if target is _Global.RECONSTRUCT and arguments[0] is _Global.NDARRAY:
            self.push(_Array())
        elif target is _Global.DTYPE and arguments[0] in (b"u1", "u1"):
            self.push(_BYTE_TYPE)
        elif target is _Global.ENCODE and arguments[1:] == ("latin1",):
            # What Python 3 writes for bytes in protocol 2. A string need not be encoded twice.
            self._to_encode -= len(arguments[0])
            if self._to_encode < 0:
                raise _RefusedError("expected each string to be encoded once, found more")
            self.push(arguments[0].encode("latin-1"))
        else:
            raise _RefusedError("expected arrays of unsigned bytes only, refused opcode REDUCE")

    def build(self) -> None:
        state, target = self.pop(), self._stack[-1]
        if target is _BYTE_TYPE:
            return
        if type(target) is not _Array or type(state) is not tuple or len(state) != 5:
            raise _RefusedError("expected arrays of unsigned bytes only, refused opcode BUILD")
        _, shape, dtype, fortran, content = state
        if dtype is not _BYTE_TYPE or fortran or type(content) is not bytes:
            raise _RefusedError("expected arrays of unsigned bytes in row order")
        if len(shape) > 4 or any(type(side) is not int or side < 0 for side in shape):
            raise _RefusedError("expected an array's shape as at most 4 whole numbers")
        if math.prod(shape) != len(content):
            sides = " x ".join(map(str, shape))
            raise _RefusedError(
                f"expected {math.prod(shape)} bytes for an array of {sides}, found {len(content)}"
            )
        target.value = np.frombuffer(content, np.uint8).reshape(shape)


def _finished(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise _RefusedError("expected a dictionary")
    return {key: item.value if type(item) is _Array else item for key, item in value.items()}


_STEPS: dict[bytes, Callable[[_Machine], object]] = {
    b"\x80": lambda m: m.take(1),  # PROTO
    b"\x95": lambda m: m.take(8),  # FRAME
    b"(": lambda m: m.push(_MARK),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"K": lambda m: m.push(m.number("<B")),  # BININT1
    b"M": lambda m: m.push(m.number("<H")),  # BININT2
    b"J": lambda m: m.push(m.number("<i")),  # BININT
    b"U": lambda m: m.push(m.sized("<B")),  # SHORT_BINSTRING
    b"T": lambda m: m.push(m.sized("<i")),  # BINSTRING
    b"C": lambda m: m.push(m.sized("<B")),  # SHORT_BINBYTES
    b"B": lambda m: m.push(m.sized("<I")),  # BINBYTES
    b"\x8c": lambda m: m.push(m.sized("<B").decode()),  # SHORT_BINUNICODE
    b"X": lambda m: m.push(m.sized("<I").decode()),  # BINUNICODE
    b"q": lambda m: m.put(m.number("<B")),  # BINPUT
    b"r": lambda m: m.put(m.number("<I")),  # LONG_BINPUT
    b"\x94": lambda m: m.memoize(),
    b"h": lambda m: m.get(m.number("<B")),  # BINGET
    b"j": lambda m: m.get(m.number("<I")),  # LONG_BINGET
    b"}": lambda m: m.push({}),
    b"]": lambda m: m.push([]),
    b")": lambda m: m.push(()),
    b"\x85": lambda m: m.gather(1),  # TUPLE1
    b"\x86": lambda m: m.gather(2),  # TUPLE2
    b"\x87": lambda m: m.gather(3),  # TUPLE3
    b"t": lambda m: m.push(tuple(m.pop_to_mark())),
    b"a": lambda m: m.extend([m.pop()]),
    b"e": lambda m: m.extend(m.pop_to_mark()),
    b"s": lambda m: m.update([m.pop(), m.pop()][::-1]),
    b"u": lambda m: m.update(m.pop_to_mark()),
    b"c": lambda m: m.look_up(m.line(), m.line()),  # GLOBAL
    b"\x93": lambda m: m.look_up_stacked(),
    b"i": lambda m: m.instance(),  # INST
    b"R": lambda m: m.reduce(),
    b"b": lambda m: m.build(),
}
