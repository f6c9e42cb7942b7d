"""HDF5 files as h5py writes them, in every form that is read, and those that are not."""

import io

import numpy as np
import pytest
from hdf5_cases import FORMATS, MOST, TYPES, ways, written
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedoor.data.hdf5 import hdf5
from spikedoor.errors import DataError

h5py = pytest.importorskip("h5py", reason="files are written by h5py")


@st.composite
def data_sets(draw, libver):
    """Draw numbers and a way of keeping them."""
    shape = tuple(draw(st.lists(st.integers(0, 9), max_size=3)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = rng.integers(-9, 99, shape).astype(draw(st.sampled_from(TYPES)))
    return values, ways(draw, shape, libver)


@pytest.mark.parametrize("libver", FORMATS)
def test_arrays_are_what_h5py_wrote(libver):
    @settings(max_examples=60, deadline=None)
    @given(data_sets(libver))
    def check(drawn):
        values, how = drawn
        whole = written(lambda file: file.create_dataset("a", data=values, **how), libver)
        with hdf5(whole, "file") as root:
            found = root.array("a", MOST)
        assert found.dtype == values.dtype
        assert found.shape == values.shape
        assert (found == values).all()

    check()


@pytest.mark.parametrize("libver", FORMATS)
@pytest.mark.parametrize("how", [{}, {"chunks": (2, 3)}, {"chunks": (2, 3), "fillvalue": 7}])
def test_what_was_not_written_is_the_fill_value(libver, how):
    def change(file):
        made = file.create_dataset("a", (5, 5), "<i4", **how)
        if "chunks" in how:
            made[2:4, 0:3] = 3

    expected = np.full((5, 5), how.get("fillvalue", 0))
    if "chunks" in how:
        expected[2:4, 0:3] = 3
    with hdf5(written(change, libver), "file") as root:
        assert (root.array("a", MOST) == expected).all()


def test_checksums_of_large_chunks_are_as_hdf5_makes_them():
    values = np.random.default_rng(0).integers(0, 1 << 16, 200_001).astype("<u2")
    how = {"chunks": values.shape, "fletcher32": True}
    with hdf5(written(lambda file: file.create_dataset("a", data=values, **how)), "file") as root:
        assert (root.array("a", MOST) == values).all()


@pytest.mark.parametrize("block", [512, 2048])
def test_a_block_of_the_user_may_lie_before_the_file(block):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=block) as file:
        file.create_dataset("a/b", data=[1, 2, 3], compression="gzip")
    with hdf5(b"MATLAB 7.3".ljust(block) + buffer.getvalue()[block:], "file") as root:
        assert root.group("a").array("b", MOST).tolist() == [1, 2, 3]


def test_large_arrays_have_trees_of_several_levels():
    values = np.arange(20_000, dtype="<i4")
    whole = written(lambda file: file.create_dataset("a", data=values, chunks=(2,)))
    with hdf5(whole, "file") as root:
        assert (root.array("a", MOST) == values).all()


def test_compact_data_and_booleans():
    def change(file):
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((4,))
        made = h5py.h5d.create(file.id, b"a", h5py.h5t.STD_I16LE, space, settings)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(4, dtype="<i2"))
        file["b"] = np.array([True, False])

    with hdf5(written(change), "file") as root:
        assert root.array("a", MOST).tolist() == [0, 1, 2, 3]
        assert root.array("b", MOST).tolist() == [1, 0]


@pytest.mark.parametrize("libver", FORMATS)
def test_groups_and_texts(libver):
    many = [f"a name of {'x' * k}" for k in range(40)]

    def change(file):
        inner = file.create_group("one/two")
        inner["text"] = "Grüße"
        inner["fixed"] = np.array([[b"ab", b"c"]])
        inner.create_dataset("many", data=many, dtype=h5py.string_dtype())
        inner["number"] = 3
        for k in range(500 if libver == "earliest" else 0):
            file.create_group(f"groups/g{k}")

    with hdf5(written(change, libver), "file") as root:
        inner = root.group("one").group("two")
        assert set(inner) == {"text", "fixed", "many", "number"}
        assert inner.text("text") == "Grüße"
        assert inner.texts("fixed").tolist() == [["ab", "c"]]
        assert inner.texts("many").tolist() == many
        assert inner.has_text("text")
        assert not inner.has_text("number")
        assert inner.group("text") is None
        assert inner.texts("none") is None
        with pytest.raises(DataError, match="expected numbers, found texts"):
            inner.array("text", MOST)
        with pytest.raises(DataError, match="4096 texts of 256 bytes, found int64"):
            inner.texts("number")
        with pytest.raises(DataError, match=r"expected one text, found \(40,\)"):
            inner.text("many")
        if libver == "earliest":
            assert len(root.group("groups")) == 500


def test_links_are_not_followed_and_no_other_file_is_opened(tmp_path):
    other = tmp_path / "other"
    other.write_bytes(written(lambda file: file.create_dataset("x", data=[1])))

    def change(file):
        file["here"] = [1]
        file["soft"] = h5py.SoftLink("/here")
        file["away"] = h5py.ExternalLink(str(other), "/x")
        file.create_dataset("raw", (4,), "i4", external=[(str(other), 0, 16)])
        layout = h5py.VirtualLayout((1,), "i8")
        layout[:] = h5py.VirtualSource(str(other), "x", (1,))
        file.create_virtual_dataset("virtual", layout)

    with hdf5(written(change), "file") as root:
        found = {
            name: root.array(name, MOST) for name in ["here", "soft", "away", "raw", "virtual"]
        }
    assert found.pop("here").tolist() == [1]
    assert set(found.values()) == {None}


def compound(file):
    file["a"] = np.zeros(2, [("x", "i4"), ("y", "f4")])


def named_type(file):
    file["t"] = np.dtype("i4")
    file.create_dataset("a", (2,), file["t"])


def dense(file):
    for k in range(20):
        file[f"a{k}"] = [1]


def ordered(file):
    many = file.create_group("many", track_order=True)
    for k in range(20):
        many[f"a{k}"] = k
    file["a"] = many


REFUSED = {
    "compound": (compound, "earliest", "expected numbers, found the fields 'x', 'y'"),
    "complex": (
        lambda file: file.create_dataset("a", data=[1j]),
        "earliest",
        "found the fields 'r', 'i'",
    ),
    "twice": (
        lambda file: file.create_dataset("a", (9,), "i8", chunks=(9,), scaleoffset=2),
        "earliest",
        r"expected gzip or LZF as packing, found filter 6;",
    ),
    "order": (ordered, "earliest", "no track_order"),
    "long name": (
        lambda file: file.create_dataset("a" * 257, data=1),
        "earliest",
        "a name has more than 256 bytes",
    ),
    "named": (named_type, "earliest", "shared messages"),
    "dense": (dense, "v108", "links in a heap.*libver='earliest'"),
    "two axes without an end": (
        lambda file: file.create_dataset("a", data=np.eye(9), maxshape=(None, None)),
        "latest",
        "chunks with an index of kind 5 are not read: .*libver='earliest'",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_read_is_said(kind):
    change, libver, message = REFUSED[kind]
    with (
        pytest.raises(DataError, match=f"^file: .*{message}"),
        hdf5(written(change, libver), "file") as root,
    ):
        assert root.group("a") or root.array("a", MOST)
