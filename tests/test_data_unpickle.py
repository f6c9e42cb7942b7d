"""The pickle machine: what it reads, and that nothing else gets through."""

import pickle
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from spikedoor.data.unpickle import parse_pickle
from spikedoor.errors import DataError

VALUE = {"data": np.arange(12, dtype=np.uint8).reshape(3, 4), "labels": [0, 255, 70000, -1]}
ARRAY = (  # What Python 2 wrote for a 2 x 2 array of bytes.
    b"cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85q\x05U\x01bq\x06"
    b"\x87q\x07Rq\x08(K\x01K\x02K\x02\x86q\x09cnumpy\ndtype\nq\x0aU\x02u1q\x0bK\x00K\x01\x87q\x0c"
    b"Rq\x0d(K\x03U\x01|q\x0eNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0fb\x89"
    b"T\x04\x00\x00\x00\x01\x02\x03\x04q\x10tq\x11b"
)


def dictionary(value: bytes, key: bytes = b"U\x01a") -> bytes:
    return b"\x80\x02}(" + key + value + b"u."


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_reads_what_python_3_writes(protocol):
    read = parse_pickle(pickle.dumps(VALUE, protocol), "x")
    assert read["labels"] == VALUE["labels"]
    np.testing.assert_array_equal(read["data"], VALUE["data"])
    assert read["data"].dtype == np.uint8
    assert not read["data"].flags.writeable


def test_reads_what_python_2_wrote():
    read = parse_pickle(dictionary(ARRAY), "x")
    np.testing.assert_array_equal(read["a"], [[1, 2], [3, 4]])
    assert read["a"].dtype == np.uint8


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_agrees_with_pickle_on_plain_values(protocol):
    shared = [1, 2]
    value = {"x": shared, "y": [shared, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], "z": None}
    value |= {"t": True, "f": False, "n": -5, "s": "é" * 300, "d": {"b": b"\xff" * 300}}
    assert parse_pickle(pickle.dumps(value, protocol), "x") == value


class Evil:
    """Pickles as a call of anything."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def touch(path: Path) -> str:
    return f"touch {path}"


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("nested", [False, True])
def test_calls_nothing(tmp_path, protocol, nested):
    import os

    mark = tmp_path / "mark"
    evil = Evil(os.system, touch(mark))
    payload = pickle.dumps({"data": [{"x": (evil,)}] if nested else evil}, protocol)
    with pytest.raises(DataError, match=r"batch: .* refused (global (posix|nt)\.system|opcode)"):
        parse_pickle(payload, "batch")
    assert not mark.exists()
    pickle.loads(payload)
    assert mark.exists(), "the payload must be one that works"


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (b"(S'touch {}'\nios\nsystem\n.", "refused opcode STRING"),
        (b"(ios\nsystem\n.", r"refused global os\.system"),
        (b"(cos\nsystem\nU\x01ao.", r"refused global os\.system"),
        (b"(inumpy\nndarray\n.", "refused opcode INST"),
        (b"(cnumpy\nndarray\nK\x05o.", "refused opcode OBJ"),
        (b"cnumpy\nndarray\nK\x05\x85\x81.", "refused opcode NEWOBJ"),
        (b"c__builtin__\neval\nU\x011\x85R.", r"refused global __builtin__\.eval"),
        (b"cbuiltins\ngetattr\n.", r"refused global builtins\.getattr"),
        (b"cnumpy\nndarray.__class__\n.", r"refused global numpy\.ndarray\.__class__"),
        (b"cnumpy.core.multiarray\nfromstring\n.", r"refused global .*\.fromstring"),
        (b"X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93.", r"refused global os\.system"),
        (b"U\x02osU\x06system\x93.", "refused global without a name"),
        (b"X\x04\x00\x00\x00\nos\x1bX\x01\x00\x00\x00x\x93.", r"refused global \?os\?\.x$"),
        (b"X\x00\x01\x00\x00" + b"a" * 256 + b"X\x01\x00\x00\x00x\x93.", "global a{200}$"),
        (b"Pid\n.", "refused opcode PERSID"),
        (b"U\x01aQ.", "refused opcode BINPERSID"),
        (b"\x82\x01.", "refused opcode EXT1"),
        (b"\x96\xff\xff\xff\xff\x0f\x00\x00\x00", "refused opcode BYTEARRAY8"),
        (b"\xff.", "refused opcode 0xff"),
        # BUILD on what is not an array: __setstate__ and __dict__ are never looked at.
        (b"}}U\x01aK\x01sb.", "refused opcode BUILD"),
        (b"cnumpy\nndarray\n}U\x08__name__K\x01sb.", "refused opcode BUILD"),
        (b"cnumpy\nndarray\nK\x05\x85R.", "refused opcode REDUCE"),
        (b"cnumpy\ndtype\nU\x01O\x85R.", "refused opcode REDUCE"),
        (b"cnumpy\ndtype\nU\x02f8\x85R.", "refused opcode REDUCE"),
        (b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.", "opcode REDUCE"),
        (b"c" + b"a" * 500 + b"\nb\n.", "name of at most 200 characters"),
    ],
)
def test_refuses_every_other_opcode_and_global(payload, found):
    for data in (payload, dictionary(payload[:-1])):
        with pytest.raises(DataError, match=found) as caught:
            parse_pickle(data, "batch")
        assert str(caught.value).startswith("batch: expected ")
        assert "\n" not in str(caught.value)


BROKEN = (
    *(b"", b"\x80", b"}", b".", b"N.", b"].", b"(u.", b"}(u", b"h\x05.", b"}e.", b"t.", b"R."),
    *(b"b.", b"a.", b"s.", b"}U\x01as.", b"}(U\x01au.", b"U\xffabc.", b"T\xff\xff\xff\xff."),
    *(
        b"c",
        b"cos",
        b"X\x01\x00\x00\x00\xff.",
        b"\x93.",
        b"K.",
        b"}N\x85N\x86s.",
        b"}(K\x01K\x01u.",
    ),
)


@pytest.mark.parametrize("payload", BROKEN)
def test_broken_pickles_are_refused(payload):
    with pytest.raises(DataError, match=r"^x: expected"):
        parse_pickle(payload, "x")


def test_every_truncation_is_refused():
    whole = dictionary(ARRAY)
    for length in range(len(whole)):
        with pytest.raises(DataError, match=r"^x: expected"):
            parse_pickle(whole[:length], "x")


def test_every_changed_byte_reads_or_is_refused():
    """A fuzz of one file: only plain values and byte arrays ever come out."""
    whole = dictionary(ARRAY)
    rng = np.random.default_rng(0)
    read = 0
    for position in range(len(whole)):
        for byte in rng.integers(0, 256, 24):
            data = whole[:position] + bytes([byte]) + whole[position + 1 :]
            try:
                value = parse_pickle(data, "x")
            except DataError:
                continue
            read += 1
            for item in value.values():
                assert item is None or item.dtype == np.uint8
    assert read > 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"K\x02K\x02\x86", b"K\x02K\x03\x86", "6 bytes for an array of 2 x 3, found 4"),
        (b"K\x02K\x02\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", "found 4"),
        (b"K\x02K\x02\x86", b"J\xff\xff\xff\xffJ\xfc\xff\xff\xff\x86", "4 whole numbers"),
        (b"K\x02K\x02\x86", b"(K\x01K\x02K\x02K\x01K\x01t", "4 whole numbers"),
        (b"K\x02K\x02\x86", b"K\x02N\x86", "4 whole numbers"),
        (b"\x89T", b"\x88T", "in row order"),
    ],
)
def test_claimed_shapes_must_match_the_bytes(old, new, message):
    assert ARRAY.count(old) == 1
    with pytest.raises(DataError, match=message):
        parse_pickle(dictionary(ARRAY.replace(old, new)), "x")


def bombs() -> dict[str, tuple[bytes, str]]:
    """Small or simple files that ask for much memory, and how each one ends."""
    claims = {
        f"claim {opcode!r}": (opcode + struct.pack("<I", 2**31 - 2) + b"a", "found its end")
        for opcode in (b"T", b"B", b"X")
    }
    long = struct.pack("<I", 100_000) + b"a" * 100_000
    encode = b"c_codecs\nencode\nq\x01X" + long + b"q\x02"
    again = b"h\x01h\x02X\x06\x00\x00\x00latin1\x86R"
    return {
        **claims,
        "memo slot": (b"}r\xff\xff\xff\x7f.", ""),
        "frame": (b"\x95" + struct.pack("<Q", 2**60) + b"}.", ""),
        "many empty lists": (b"]" * 3_000_000, "at most 524288 opcodes"),
        "encode again": (encode + again * 5_000 + b".", "encoded once"),
        "long keys": (b"B" + long + b"q\x01" + b"}h\x01Ns" * 5_000 + b".", "short strings"),
    }


@pytest.mark.parametrize(("bomb", "end"), bombs().values(), ids=bombs().keys())
def test_memory_stays_small(bomb, end):
    message = ""
    tracemalloc.start()
    try:
        parse_pickle(bomb, "x")
    except DataError as error:
        message = str(error)
    finally:
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert reached < 120_000_000
    assert end in message
    assert bool(end) == bool(message)


def test_deep_nesting_does_not_crash():
    code = (
        "from spikedoor.data.unpickle import parse_pickle\n"
        "from spikedoor.errors import DataError\n"
        "for data in (b'}' + b')' + b'\\x85' * 300000 + b'Ns.', b']' + b']' * 300000 + b'a.',\n"
        "             b'}U\\x01a)' + b'\\x85' * 300000 + b's.'):\n"
        "    try:\n"
        "        print(len(parse_pickle(data, 'x')))\n"
        "    except DataError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.splitlines() == [
        "x: expected short strings as keys",
        "x: expected a dictionary",
        "1",
    ]
