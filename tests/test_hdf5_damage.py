"""HDF5 files that are damaged, or ask for more than they have."""

import struct
import tracemalloc

import numpy as np
import pytest
from hdf5_cases import MOST, written

from spikedoor.data.events.hdf5 import parse_hdf5
from spikedoor.data.hdf5 import hdf5
from spikedoor.data.hdf5.datatype import datatype
from spikedoor.data.hdf5.file import Bytes, Damaged
from spikedoor.data.hdf5.filters import _lzf
from spikedoor.errors import DataError

h5py = pytest.importorskip("h5py", reason="files are written by h5py")


def linked_twice(file):
    file.create_dataset("b", data=np.arange(5000))
    file["a"] = file["b"]


def test_no_byte_is_the_content_of_two_data_sets():
    with hdf5(written(linked_twice), "file") as root:
        assert (root.array("a", MOST) == np.arange(5000)).all()
        with pytest.raises(DataError, match="overlap"):
            root.array("b", MOST)


def test_the_columns_of_a_recording_share_one_limit():
    def change(file):
        for column in "xytp":
            file.create_dataset(column, (600_000,), "u1", chunks=(600_000,))

    with pytest.raises(DataError, match="'y': expected at most 448576 bytes"):
        parse_hdf5(written(change), (128, 128), "file")


def chunked(**how) -> bytes:
    values = np.arange(64, dtype="<i4")
    return written(lambda file: file.create_dataset("a", data=values, chunks=(64,), **how))


def test_a_wrong_checksum_is_seen():
    whole = chunked(fletcher32=True)
    at = whole.index(np.arange(64, dtype="<i4").tobytes())
    wrong = whole[:at] + b"\1" + whole[at + 1 :]
    with (
        pytest.raises(DataError, match="the checksum of a chunk is wrong"),
        hdf5(wrong, "file") as root,
    ):
        root.array("a", MOST)


def test_what_leads_in_a_circle_has_an_end():
    whole = chunked()
    tree = whole.index(b"TREE\1")
    # A node one level up, whose child it is itself.
    node = whole[tree : tree + 5] + b"\1" + struct.pack("<H", 1) + whole[tree + 8 : tree + 48]
    circle = whole[:tree] + node + struct.pack("<Q", tree) + whole[tree + 56 :]
    with pytest.raises(DataError, match="leads in a circle"), hdf5(circle, "file") as root:
        root.array("a", MOST)


def peak_of_refusal(data, message, read):
    """Return the bytes that reading a file took until it was refused."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=message), hdf5(data, "file") as root:
            read(root)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_tree_of_groups_that_leads_to_itself_takes_no_memory():
    whole = written(lambda file: file.create_group("a"))
    tree, count = whole.index(b"TREE\0"), 400
    whole = whole.replace(struct.pack("<Q", tree), struct.pack("<Q", len(whole)))
    children = (bytes(8) + struct.pack("<Q", len(whole))) * count
    node = b"TREE\0\1" + struct.pack("<H", count) + bytes(16) + children
    assert peak_of_refusal(whole + node, "leads in a circle", list) < MOST


def test_texts_that_are_too_long_are_not_read():
    texts = [str(k % 10) * 100_000 for k in range(40)]
    whole = written(lambda file: file.create_dataset("a", data=texts, dtype=h5py.string_dtype()))
    assert peak_of_refusal(whole, "at most 256 bytes", lambda root: root.texts("a")) < MOST


def test_an_enumeration_of_enumerations_is_no_numbers():
    one = b"\x18\0\0\0" + struct.pack("<I", 8)
    assert datatype(Bytes(memoryview(one * 8000)), lambda: None).kind == "V"


def test_an_axis_that_is_too_long_is_refused_though_another_is_empty():
    whole = written(lambda file: file.create_dataset("a", (0, 12_345), "<u2"))
    wrong = whole.replace(struct.pack("<Q", 12_345), struct.pack("<Q", 1 << 63))
    with pytest.raises(DataError, match="found a claim of"), hdf5(wrong, "file") as root:
        root.array("a", MOST)


def test_lzf_ends_at_its_limit_and_at_its_input():
    # Three new bytes; 4 of them again, from 3 back; 9 by the longer form, from 1 back.
    packed = b"\x02abc" + b"\x40\x02" + b"\xe0\x00\x00"
    assert _lzf(packed, 16) == b"abc" + b"abca" + b"a" * 9
    for wrong, limit in [(packed, 15), (packed[:-1], 16), (b"\x40\x02", 16)]:
        with pytest.raises(Damaged):
            _lzf(wrong, limit)
