"""Packed recordings, HDF5 and zip: damage, claims, bombs, and names that lead elsewhere."""

from __future__ import annotations

import io
import resource
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from event_files import Event, aedat2, atis
from hypothesis import given
from hypothesis import strategies as st

from spikedoor.data import Cifar10Dvs
from spikedoor.data.events.formats import parse
from spikedoor.data.events.members import members
from spikedoor.errors import DataError

SENSOR = 128, 128
EVENTS: list[Event] = [(k, 2 * k, 10 * k, k % 2) for k in range(40)]
COLUMNS = dict(zip("xytp", np.array(EVENTS).T, strict=True))
FLIPS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from([0, 1, 127, 255]) | st.binary()),
    min_size=1,
    max_size=5,
)


def damaged(data: bytes, flips: list, length: float) -> bytes:
    """Overwrite bytes, each at a share of the length, and cut what is behind another."""
    changed = bytearray(data)
    for place, value in flips:
        at = int(place * len(data))
        new = bytes([value]) if isinstance(value, int) else value[:8]
        changed[at : at + len(new)] = new
    return bytes(changed[: round(length * len(changed))])


def done_or_told(call: Callable[[], Any]) -> tuple[Any, str]:
    """Return what a call returns, or the message of its error."""
    try:
        return call(), ""
    except DataError as error:
        return None, str(error)


def events_or_error(data: bytes, suffix: str) -> None:
    name = f"file{suffix}"
    events, told = done_or_told(lambda: parse(data, SENSOR, name).recording(name))
    if events is not None:
        events.check(name)
    else:
        assert told.startswith(name)
        assert "\n" not in told


def hdf5(columns: dict[str, np.ndarray] = COLUMNS, **how) -> bytes:
    h5py = pytest.importorskip("h5py", reason="HDF5 needs h5py")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, values in columns.items():
            file.create_dataset(name, data=values, **how)
    return buffer.getvalue()


PACKINGS = [{}, {"chunks": (8,), "compression": "gzip"}, {"compression": "lzf", "fletcher32": True}]


@pytest.mark.parametrize("how", PACKINGS, ids=["plain", "gzip", "lzf"])
def test_hdf5_however_packed_and_damaged(how):
    whole = hdf5(**how)
    assert parse(whole, SENSOR, "file.h5").x.tolist() == COLUMNS["x"].tolist()

    @given(FLIPS, st.floats(0.5, 1))
    def check(flips, length):
        events_or_error(damaged(whole, flips, length), ".h5")
        events_or_error(damaged(whole, flips, 1), ".h5")

    check()


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_as_hdf5(data, has_signature):
    events_or_error(b"\x89HDF\r\n\x1a\n" * has_signature + data, ".h5")


def test_an_address_beyond_all_files_is_an_error_of_the_file():
    whole = hdf5()
    lie = whole[:64] + struct.pack("<Q", 2**63 + 1) + whole[72:]  # where the root group is
    with pytest.raises(DataError, match=r"^file\.h5: expected a whole HDF5 file"):
        parse(lie, SENSOR, "file.h5")


def claims(kind: str) -> bytes:
    """Make an HDF5 file of which x, when read, takes 256 MB or more."""
    h5py = pytest.importorskip("h5py", reason="HDF5 needs h5py")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name in "ytp":
            file[name] = COLUMNS[name]
        packed: dict = {"dtype": "i8", "compression": "gzip"}
        if kind == "shape":
            file.create_dataset("x", (2**25,), chunks=(1024,), fillvalue=1, **packed)
        elif kind == "chunk":
            x = file.create_dataset("x", (40,), maxshape=(None,), chunks=(2**25,), **packed)
            x.id.write_direct_chunk((0,), zlib.compress(bytes(1 << 20)))
        elif kind == "inflating":
            x = file.create_dataset("x", (40,), maxshape=(None,), chunks=(2**17,), **packed)
            pack = zlib.compressobj()
            mebibyte = bytes(1 << 20)
            inflating = b"".join(pack.compress(mebibyte) for _ in range(256)) + pack.flush()
            x.id.write_direct_chunk((0,), inflating)
        else:
            settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            settings.set_chunk((40,))
            settings.set_filter(4, h5py.h5z.FLAG_OPTIONAL, (0, 32))  # szip
            space = h5py.h5s.create_simple((40,))
            h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_INT64, space, settings)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("shape", "'x': expected at most 1048576 bytes, found a claim of 268435456"),
        ("chunk", "'x': expected at most 16777216 bytes, found a claim of 268435456"),
        ("inflating", "'x': expected at most 1048580 bytes in a chunk, found more"),
        ("filter", r"'x': expected gzip or LZF as packing, found filter 4;"),
    ],
)
def test_hdf5_that_claims_memory_is_refused_before_it_gets_any(kind, message):
    data = claims(kind)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match=f"^file.h5: {message}"):
        parse(data, SENSOR, "file.h5")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_hdf5_does_not_lead_to_other_files(tmp_path):
    other = tmp_path / "other.h5"
    other.write_bytes(hdf5())
    h5py = pytest.importorskip("h5py", reason="HDF5 needs h5py")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name in "xytp":
            file[name] = h5py.ExternalLink(str(other), f"/{name}")
    with pytest.raises(DataError, match="found no 'x'"):
        parse(buffer.getvalue(), SENSOR, "file.h5")


def zipped(files: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, packing)
    return buffer.getvalue()


RECORDINGS = {f"Train/{k}/{k:05}.bin": atis(EVENTS) for k in range(3)}


def read_all(path: Path, data: bytes) -> dict[str, bytes]:
    """Read the recordings of an archive one after the other."""
    path.write_bytes(data)
    return {member.name: member.read() for member in members(path, (".bin",), 2)}


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_however_damaged(tmp_path, packing):
    whole, path = zipped(RECORDINGS, packing), tmp_path / "Train.zip"
    assert read_all(path, whole) == RECORDINGS

    @given(FLIPS, st.floats(0.5, 1), st.booleans())
    def check(flips, length, is_cut):
        data = damaged(whole, flips, length if is_cut else 1)
        found, told = done_or_told(lambda: read_all(path, data))
        if found is None:
            assert "Train.zip" in told
            assert "\n" not in told
            return
        for name, read in found.items():
            assert len(read) <= 1 << 20
            assert ".." not in name.split("/")

    check()


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_as_an_archive(tmp_path_factory, data, has_end):
    path = tmp_path_factory.getbasetemp() / "any.zip"
    end = b"PK\x05\x06" + bytes(18)
    found, told = done_or_told(lambda: read_all(path, data + end * has_end))
    assert found == {} or told.startswith("any.zip: expected a whole zip archive")


def test_names_of_an_archive_lead_nowhere_else(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    files = {"Train/0/0/00001.bin": b"astray", **RECORDINGS}
    assert read_all(folder / "Train.zip", zipped(files)) == RECORDINGS
    for name in ("../../0/00001.bin", "/etc/0/00001.bin", "Train/../00001.bin", "C:/0/00001.bin"):
        with pytest.raises(DataError, match=f"Train.zip: expected paths below .* '{name}'"):
            read_all(folder / "Train.zip", zipped({name: b"astray", **RECORDINGS}))
    assert [path.name for path in tmp_path.rglob("*")] == ["data", "Train.zip"]
    with pytest.raises(DataError, match=r"names of one line, found 'Train/0/a\\nb.bin'"):
        read_all(folder / "Train.zip", zipped({"Train/0/a\nb.bin": b""}))


def test_files_of_an_archive_are_stored_or_deflated(tmp_path):
    whole = bytearray(zipped({"Train/0/00001.bin": atis(EVENTS)}))
    at = whole.index(b"PK\x01\x02")
    whole[at + 10] = 14  # LZMA, whose data says how much memory it wants
    with pytest.raises(DataError, match="expected a file stored or deflated, found packing 14"):
        read_all(tmp_path / "Train.zip", bytes(whole))
    nameless = bytes(whole[: at + 46]) + b"\0" + bytes(whole[at + 47 :])
    assert read_all(tmp_path / "Train.zip", nameless) == {}


def test_bombs_are_refused_before_they_are_unpacked(tmp_path):
    zeros = bytes(1 << 24)
    archive = zipped({"Train/0/00001.bin": zeros})
    arrays = zipped({f"{column}.npy": zeros for column in "xytp"})
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"Train.zip/Train/0/00001.bin: expected at most"):
            read_all(tmp_path / "Train.zip", archive)
        with pytest.raises(DataError, match=r"file.npz/x.npy: expected at most"):
            parse(arrays, SENSOR, "file.npz")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_an_archive_of_a_class_holds_its_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEDOOR_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "CIFAR10DVS"
    folder.mkdir()
    (folder / "airplane.zip").write_bytes(zipped({"plane/1.aedat": aedat2(EVENTS)}))
    with pytest.raises(
        DataError, match=r"airplane.zip: expected a folder 'airplane', found 'plane"
    ):
        Cifar10Dvs(root=tmp_path).load()
