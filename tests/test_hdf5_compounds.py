"""Data sets with fields: as h5py writes structured arrays, and as a stranger may."""

import struct
import time

import numpy as np
import pytest
from hdf5_cases import FORMATS, MOST, TYPES, ways, written
from hypothesis import given, settings
from hypothesis import strategies as st
from test_events_packed import FLIPS, damaged, done_or_told

from spikedoor.data.hdf5 import hdf5
from spikedoor.data.hdf5.datatype import datatype
from spikedoor.data.hdf5.file import Bytes, Damaged
from spikedoor.errors import DataError

h5py = pytest.importorskip("h5py", reason="files are written by h5py")
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
NAMES = st.lists(st.text(LETTERS, min_size=1, max_size=30), min_size=1, unique=True)


@st.composite
def tables(draw, libver):
    """Draw an array with fields in any order, with gaps, and a way of keeping it."""
    names = draw(NAMES)
    formats = [np.dtype(draw(st.sampled_from([*TYPES, "?"]))) for _ in names]
    places, end = [0] * len(names), 0
    for k in draw(st.permutations(range(len(names)))):
        places[k] = end + draw(st.integers(0, 3))
        end = places[k] + formats[k].itemsize
    size = end + draw(st.sampled_from([0, 1, 240, 300]))
    dtype = np.dtype({"names": names, "formats": formats, "offsets": places, "itemsize": size})
    shape = tuple(draw(st.lists(st.integers(0, 9), max_size=2)))
    values = np.zeros(shape, dtype)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    for name in names:
        values[name] = rng.integers(0, 99, shape).astype(dtype[name])
    return values, ways(draw, shape, libver)


@pytest.mark.parametrize("libver", FORMATS)
def test_tables_are_what_h5py_wrote(libver):
    @settings(max_examples=60, deadline=None)
    @given(tables(libver))
    def check(drawn):
        values, how = drawn
        whole = written(lambda file: file.create_dataset("a", data=values, **how), libver)
        with hdf5(whole, "file") as root:
            found = root.table("a", MOST)
        assert found.dtype.names == values.dtype.names
        assert found.shape == values.shape
        for name, (dtype, place, *_) in values.dtype.fields.items():
            as_kept = np.dtype("i1") if dtype.kind == "b" else dtype
            assert found.dtype.fields[name] == (as_kept, place)
            assert (found[name] == values[name]).all()

    check()


def test_what_was_not_written_is_the_fill_value():
    dtype = np.dtype([("x", "<u2"), ("t", ">i8")])
    fill = np.array((7, -3), dtype)

    def change(file):
        made = file.create_dataset("a", (5,), dtype, chunks=(2,), fillvalue=fill)
        made[2:4] = np.array([(1, 2), (3, 4)], dtype)

    with hdf5(written(change), "file") as root:
        assert root.table("a", MOST).tolist() == [(7, -3), (7, -3), (1, 2), (3, 4), (7, -3)]


REFUSED = {
    "text": ("S4", "texts"),
    "any text": (h5py.string_dtype(), "texts or lists of any length"),
    "array": (("<i4", (2,)), "an array"),
    "nested": ([("u", "<i4"), ("v", "<i4")], "another compound"),
    "opaque": ("V3", "no plain numbers"),
    "complex": ("<c8", "another compound"),
}


@pytest.mark.parametrize("libver", FORMATS)
@pytest.mark.parametrize("kind", REFUSED)
def test_fields_of_other_things_are_refused_by_name(kind, libver):
    dtype, found = REFUSED[kind]
    fields = np.dtype([("t", "<i8"), ("label", dtype)])
    whole = written(lambda file: file.create_dataset("a", (3,), fields), libver)
    told = f"^file: expected HDF5 in a form that is read: .*'label' .* holds {found}: write"
    with pytest.raises(DataError, match=told), hdf5(whole, "file") as root:
        root.table("a", MOST)


def test_what_has_no_fields_is_said():
    def change(file):
        file["a"], file["b"], file["c"] = [1], "text", h5py.Empty("i4")

    with hdf5(written(change), "file") as root:
        for name, found in (("a", "int64"), ("b", "texts")):
            with pytest.raises(
                DataError, match=f"^file: expected fields of numbers, found {found}"
            ):
                root.table(name, MOST)
        assert root.table("c", MOST) is None
        assert root.table("d", MOST) is None


def number(size: int, kind: int = 0x10) -> bytes:
    """Make the description of a signed whole number."""
    return struct.pack("<BBHIHH", kind, 8, 0, size, 0, 8 * size)


def field(version: int, name: bytes, place: int, member: bytes, sides: int = 0) -> bytes:
    """Make the description of a field in an element below 256 bytes."""
    if version == 3:
        return name + b"\0" + bytes([place]) + member
    padded = name.ljust(-(-(len(name) + 1) // 8) * 8, b"\0") + struct.pack("<I", place)
    return padded + (bytes([sides]) + bytes(27) if version == 1 else b"") + member


def compound(version: int, size: int, *fields: bytes, count: int | None = None) -> bytes:
    count = len(fields) if count is None else count
    return struct.pack("<BHBI", version << 4 | 6, count, 0, size) + b"".join(fields)


def read(message: bytes, most: int = 1000) -> np.dtype:
    """Read a description that is known to take few steps."""
    steps = iter(range(most))
    return datatype(Bytes(memoryview(message)), lambda: next(steps) and None)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_each_version_of_the_description(version):
    # An enumeration of two names lies between, which is told to its end.
    names = [b"left", b"right to"]
    told = b"".join(
        one + b"\0" if version == 3 else one.ljust(-(-(len(one) + 1) // 8) * 8, b"\0")
        for one in names
    )
    side = struct.pack("<BHBI", version << 4 | 8, 2, 0, 2) + number(2) + told + bytes(4)
    fields = field(version, b"t", 4, number(8)), field(version, b"sidewise", 0, side)
    found = read(compound(version, 16, *fields, field(version, b"x", 12, number(4))))
    assert found.itemsize == 16
    assert {name: found.fields[name] for name in found.names} == {
        "t": (np.dtype("<i8"), 4),
        "sidewise": (np.dtype("<i2"), 0),
        "x": (np.dtype("<i4"), 12),
    }


ONE = field(1, b"t", 0, number(8))
ENDLESS = b"\x38\xff\xff\0" + struct.pack("<I", 2) + number(2)  # an enumeration of 65,535 names
WRONG = {
    "none": compound(1, 8),
    "twice": compound(1, 16, ONE, ONE),
    "nameless": compound(1, 8, field(1, b"", 0, number(8))),
    "beyond": compound(1, 8, field(1, b"t", 1, number(8))),
    "sides": compound(1, 8, field(1, b"t", 0, number(8), sides=1)),
    "count": compound(1, 8, ONE, count=65535),
    "version": compound(9, 8, ONE),
    "no text": compound(1, 8, field(1, b"\xff", 0, number(8))),
    "long name": compound(3, 8, field(3, b"a" * 257, 0, number(8))),
    "itself": compound(1, 8, field(1, b"t", 0, compound(1, 8, ONE))),
    "names": compound(
        3, 2, field(3, b"t", 0, b"\x38\xff\xff\0" + struct.pack("<I", 2) + number(2))
    ),
    "large": compound(1, 1 << 20, ONE),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_descriptions_are_refused(kind):
    with pytest.raises(Damaged):
        read(WRONG[kind], most=4)


def test_a_description_is_cut_anywhere():
    whole = compound(2, 12, field(2, b"t", 0, number(8)), field(2, b"x", 8, number(4)))
    assert read(whole).names == ("t", "x")
    for end in range(len(whole)):
        with pytest.raises(Damaged):
            read(whole[:end])


def test_long_descriptions_are_counted_as_steps():
    """One of 3,000 fields that thousands of data sets share would make minutes of work."""
    fields = [field(3, b"%d" % k, 0, number(1)) for k in range(3000)]
    message = compound(3, 1, *fields)
    with pytest.raises(StopIteration):
        read(message, most=2999)
    start = time.process_time()
    assert len(read(message, most=3000).names) == 3000
    assert time.process_time() - start < 1


@pytest.mark.parametrize("libver", FORMATS)
def test_damaged_tables_are_read_or_refused(libver):
    values = np.zeros(20, [("x", "<u2"), ("p", "?"), ("t", ">i8"), ("w", "<f4")])
    whole = written(
        lambda file: file.create_dataset("a", data=values, chunks=(8,), compression="gzip"), libver
    )
    place = whole.index(b"x\0") - 8  # most of a file is empty: here is the description

    def table(data):
        with hdf5(data, "file") as root:
            return root.table("a", MOST)

    @settings(max_examples=150, deadline=None)
    @given(FLIPS, FLIPS)
    def check(flips, near):
        message = damaged(whole[place : place + 200], near, 1)
        for data in (damaged(whole, flips, 1), whole[:place] + message + whole[place + 200 :]):
            found, told = done_or_told(lambda data=data: table(data))
            assert found is None or found.nbytes <= MOST
            assert told.startswith("file") or not told
            assert "\n" not in told

    check()
