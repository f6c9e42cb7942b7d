"""How chunks are found in files of ``libver="latest"``: few and many, written, not, and damaged."""

import struct
import tracemalloc

import numpy as np
import pytest
from hdf5_cases import MOST, written
from hypothesis import given, settings
from hypothesis import strategies as st
from test_events_packed import FLIPS, damaged, done_or_told

from spikedoor.data.hdf5 import hdf5
from spikedoor.errors import DataError

h5py = pytest.importorskip("h5py", reason="files are written by h5py")
NEW = pytest.mark.parametrize("libver", ["v110", "latest"])
PACKED = pytest.mark.parametrize("compression", [None, "gzip"])
SHAPES = {  # shape, the most it may grow to, chunk; what is at the root of the index
    "one chunk": ((10,), (10,), (10,), None),
    "few": ((10,), (30,), (3,), b"FAHD"),
    "pages": ((5001,), (6000,), (2,), b"FAHD"),
    "two axes": ((7, 9), (30, 20), (2, 4), b"FAHD"),
    "end is open": ((5,), (None,), (2,), b"EAHD"),
    "blocks": ((99,), (None,), (2,), b"EAHD"),
    "blocks of blocks": ((9999,), (None,), (2,), b"EAHD"),
    "first axis is open": ((70, 9), (None, 20), (2, 4), b"EAHD"),
    "last axis is open": ((7, 90), (30, None), (2, 4), b"EAHD"),
    "axis in the middle is open": ((3, 40, 5), (9, None, 5), (2, 2, 2), b"EAHD"),
}


PARTS = {"none": slice(0), "some": slice(3, None, 10), "last": slice(-1, None)}


def file_of(shape, most, chunk, libver, compression=None, part="all"):
    """Return a file in which some of the chunks were written, and what h5py reads of it."""
    whole = np.arange(1, np.prod(shape) + 1, dtype="<i4").reshape(shape)

    def change(file):
        made = file.create_dataset(
            "a", shape, "<i4", chunks=chunk, maxshape=most, compression=compression, fillvalue=-1
        )
        places = [...] if part == "all" else list(made.iter_chunks())[PARTS[part]]
        for place in places:
            made[place] = whole[place]
        read.append(made[:])

    read: list[np.ndarray] = []
    return written(change, libver), read[0]


@NEW
@PACKED
@pytest.mark.parametrize("part", [*PARTS, "all"])
@pytest.mark.parametrize("name", SHAPES)
def test_every_index_finds_what_was_written(name, part, compression, libver):
    *sides, word = SHAPES[name]
    whole, expected = file_of(*sides, libver, compression, part)
    assert word is None or part in ("none", "some") or word in whole
    with hdf5(whole, "file") as root:
        assert (root.array("a", MOST) == expected).all()


@NEW
def test_chunks_may_lie_one_after_the_other(libver):
    values = np.arange(35, dtype="<i4").reshape(5, 7)

    def change(file):
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_chunk((2, 3))
        settings.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        space = h5py.h5s.create_simple((5, 7), (8, 20))
        made = h5py.h5d.create(file.id, b"a", h5py.h5t.STD_I32LE, space, settings)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, values)

    whole = written(change, libver)
    assert b"FAHD" not in whole
    with hdf5(whole, "file") as root:
        assert (root.array("a", MOST) == values).all()


def test_chunks_that_were_cut_off_or_grew_are_as_h5py_reads_them():
    values = np.arange(200, dtype="<i4")

    def change(file):
        for name, sides in (("a", (33,)), ("b", (300,))):
            made = file.create_dataset(name, data=values, chunks=(4,), maxshape=(None,))
            made.resize(sides)

    with hdf5(written(change, "latest"), "file") as root:
        assert (root.array("a", MOST) == values[:33]).all()
        assert (root.array("b", MOST) == np.pad(values, (0, 100))).all()


def patched(whole: bytes, word: bytes, at: int, new: bytes) -> bytes:
    """Overwrite bytes behind a word."""
    place = whole.index(word) + at
    return whole[:place] + new + whole[place + len(new) :]


FIXED, _ = file_of((10,), (30,), (3,), "v110", "gzip")
OPEN, _ = file_of((999,), (None,), (2,), "v110")
WRONG = {
    "width": (patched(FIXED, b"FAHD", 6, b"\x0c"), "entries of 12 bytes"),
    "bare width": (patched(OPEN, b"EAHD", 6, b"\x14"), "entries of 20 bytes"),
    "small pages": (patched(FIXED, b"FAHD", 7, b"\0"), "ends before byte"),
    "no block": (patched(FIXED, b"FAHD", 16, struct.pack("<Q", 8)), "expected FADB at byte 8"),
    "far": (patched(FIXED, b"FAHD", 16, struct.pack("<Q", 1 << 63)), "ends before byte"),
    "empty blocks": (patched(OPEN, b"EAHD", 9, b"\0"), "empty blocks"),
    "no pointers": (patched(OPEN, b"EAHD", 10, b"\0"), "empty blocks"),
    "blocks of pages": (patched(OPEN, b"EAHD", 11, b"\0"), "so many chunks"),
    "edges": (patched(OPEN, b"\x04\x02\x00\x02\x01", 2, b"\1"), "not packed at the edges"),
    "tree": (patched(OPEN, b"\x04\x02\x00\x02\x01\x02\x04\x04", 7, b"\5"), "index of kind 5"),
    "axes": (patched(OPEN, b"\x04\x02\x00\x02\x01", 3, b"\3"), "do not fit to its 1 axes"),
    "no end": (
        patched(OPEN, struct.pack("<QQ", 999, (1 << 64) - 1), 8, struct.pack("<Q", 999)),
        "one axis without an end",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_indexes_are_refused(kind):
    data, message = WRONG[kind]
    with pytest.raises(DataError, match=f"^file: .*({message})"), hdf5(data, "file") as root:
        root.array("a", MOST)


def test_chunks_that_a_shape_claims_take_no_memory():
    """Of a small file whose shape says 2^21 chunks; a list of them would take 60 MB."""
    shape = struct.pack("<QQ", 999, (1 << 64) - 1)
    data = patched(OPEN, shape, 0, struct.pack("<Q", 1 << 22))
    tracemalloc.start()
    try:
        with hdf5(data, "file") as root:
            found = root.array("a", 1 << 24)
        assert tracemalloc.get_traced_memory()[1] < (1 << 24) + MOST  # the array itself
    finally:
        tracemalloc.stop()
    assert found[:999].tolist() == list(range(1, 1000))
    assert (found[1000:] == -1).all()


def test_more_chunks_than_are_read_are_refused(monkeypatch):
    monkeypatch.setattr("spikedoor.data.hdf5.chunks._CHUNKS", 499)
    with pytest.raises(DataError, match="at most 499 chunks of 8"), hdf5(OPEN, "file") as root:
        root.array("a", MOST)


@pytest.mark.parametrize("whole", [FIXED, OPEN], ids=["fixed", "open"])
def test_damaged_indexes_are_read_or_refused(whole):
    places = [whole.index(word) for word in (b"HD\0", b"DB\0")]

    def array(data):
        with hdf5(data, "file") as root:
            return root.array("a", MOST)

    @settings(max_examples=100, deadline=None)
    @given(FLIPS, st.sampled_from(places))
    def check(flips, place):
        near = damaged(whole[place - 2 : place + 100], flips, 1)
        for data in (damaged(whole, flips, 1), whole[: place - 2] + near + whole[place + 100 :]):
            found, told = done_or_told(lambda data=data: array(data))
            assert found is None or found.nbytes <= MOST
            assert told.startswith("file") or not told
            assert "\n" not in told

    check()
