"""HDF5 files, written by h5py."""

import io

import pytest
from hypothesis import strategies as st

h5py = pytest.importorskip("h5py", reason="files are written by h5py")

MOST = 1 << 20
FORMATS = ["earliest", "v108", "v110", "latest"]
TYPES = ["<i1", ">u2", "<i4", ">i8", "<u8", "<f2", ">f4", "<f8"]


def written(change, libver="earliest") -> bytes:
    buffer = io.BytesIO()
    bounds = (libver, libver) if libver.startswith("v") else libver
    with h5py.File(buffer, "w", libver=bounds) as file:
        change(file)
    return buffer.getvalue()


def ways(draw, shape, libver):
    """Draw a way of keeping an array."""
    if not shape or draw(st.booleans()):
        return {}
    chunks = tuple(draw(st.integers(1, 12)) for _ in shape)
    most = [max(sides) + draw(st.integers(0, 9)) for sides in zip(shape, chunks, strict=True)]
    ends = len(shape) if libver in ("earliest", "v108") else 1
    for axis in draw(st.permutations(range(len(shape))))[: draw(st.integers(0, ends))]:
        most[axis] = None
    return {
        "chunks": chunks,
        "maxshape": tuple(most),
        "compression": draw(st.sampled_from([None, "gzip", "lzf"])),
        "shuffle": draw(st.booleans()),
        "fletcher32": draw(st.booleans()),
    }
