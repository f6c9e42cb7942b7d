"""Bytes to events: hand-written files, slow readers of one event at a time, and damage."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from event_files import HEADER_2, HEADER_3, aedat2, aedat3, atis, packet
from hypothesis import given
from hypothesis import strategies as st

from spikedoor.data.events import Events
from spikedoor.data.events.formats import SUFFIXES, parse
from spikedoor.data.events.gesture import parse_cuts
from spikedoor.errors import DataError

SENSOR = 128, 128
EVENTS = [(3, 5, 10, 1), (127, 0, 12, 0), (0, 127, 12, 1), (64, 2, 900, 0)]
FROM_FIRST = [(x, y, t - 10, p) for x, y, t, p in EVENTS]


def read(data: bytes, suffix: str, sensor: tuple[int, int] = SENSOR) -> Events:
    return parse(data, sensor, f"file{suffix}").recording("file")


def rows(events: Events) -> list[tuple[int, ...]]:
    columns = (getattr(events, c).tolist() for c in "xytp")
    return list(zip(*columns, strict=True))


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def structured(events: list[tuple[int, ...]] = EVENTS) -> np.ndarray:
    return np.array(events, [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])


def separate(events: list[tuple[int, ...]] = EVENTS) -> dict[str, np.ndarray]:
    return dict(zip("xytp", np.array(events).T, strict=True))


def hdf5(**arrays: np.ndarray) -> bytes:
    h5py = pytest.importorskip("h5py")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in arrays.items():
            file[f"events/{name}"] = array
    return buffer.getvalue()


FILES = {
    "bin": (atis(EVENTS), ".bin"),
    "aedat2": (aedat2(EVENTS), ".aedat"),
    "aedat3": (aedat3(packet(EVENTS[:3]), packet(EVENTS[3:])), ".aedat"),
    "npy fields": (npy(structured()), ".npy"),
    "npy columns": (npy(np.array(EVENTS)), ".npy"),
    "npy fortran": (npy(np.asfortranarray(np.array(EVENTS, np.int16))), ".npy"),
    "npz": (npz(**separate()), ".npz"),
    "npz signs": (npz(**{**separate(), "p": np.array([1, -1, 1, -1])}), ".npz"),
}
each_file = pytest.mark.parametrize(("data", "suffix"), FILES.values(), ids=FILES)


@each_file
def test_every_format_gives_the_same_events(data, suffix):
    events = read(data, suffix)
    assert rows(events) == FROM_FIRST
    assert events.check("file").sensor == SENSOR


def test_hdf5_gives_the_same_events():
    assert rows(read(hdf5(**separate()), ".h5")) == FROM_FIRST
    with pytest.raises(DataError, match="found no 'p'"):
        read(hdf5(x=np.zeros(1, int), y=np.zeros(1, int), t=np.zeros(1, int)), ".hdf5")
    with pytest.raises(DataError, match="whole HDF5 file"):
        read(hdf5(**separate())[:600], ".h5")


@pytest.mark.parametrize("suffix", [".bin", ".aedat", ".npy"])
def test_events_out_of_order_are_sorted_and_equal_times_keep_their_order(suffix):
    mixed = [EVENTS[i] for i in (3, 1, 2, 0)]
    data = {".bin": atis(mixed), ".aedat": aedat2(mixed), ".npy": npy(np.array(mixed))}[suffix]
    assert rows(read(data, suffix)) == FROM_FIRST
    swapped = [EVENTS[i] for i in (0, 2, 1, 3)]
    data = {".bin": atis(swapped), ".aedat": aedat2(swapped), ".npy": npy(np.array(swapped))}
    assert rows(read(data[suffix], suffix)) == [FROM_FIRST[i] for i in (0, 2, 1, 3)]


def test_row_240_is_a_clock_that_ran_over():
    data = atis([(1, 1, 5, 1), (0, 240, 8000, 0), (2, 2, 6, 0), (0, 240, 8000, 0), (3, 3, 7, 1)])
    assert rows(read(data, ".bin")) == [(1, 1, 0, 1), (2, 2, 8193, 0), (3, 3, 16386, 1)]


def test_a_clock_of_aedat_2_runs_over():
    events = [(1, 1, 2**32 - 5, 1), (2, 2, 2**32 + 7, 0)]
    assert rows(read(aedat2(events), ".aedat")) == [(1, 1, 0, 1), (2, 2, 12, 0)]
    # As many whole turns as there are: here the time falls, and is sorted.
    events = [(1, 1, 3, 1), (2, 2, -4, 0)]
    assert rows(read(aedat2(events), ".aedat")) == [(2, 2, 0, 0), (1, 1, 7, 1)]


def test_aedat_2_of_a_davis_leaves_frames_and_motion():
    def word(x: int, y: int, on: int, other: int = 0) -> int:
        return other | 179 - y << 22 | x << 12 | on << 11

    words = [word(239, 3, 1), word(1, 1, 0, 1 << 31), word(1, 1, 0, 1 << 10), word(0, 179, 0)]
    data = HEADER_2 + b"".join(struct.pack(">II", w, 10 * i) for i, w in enumerate(words))
    assert rows(read(data, ".aedat", (180, 240))) == [(239, 3, 0, 1), (0, 179, 30, 0)]


def test_aedat_3_counts_overflows_and_leaves_what_is_no_valid_event():
    data = aedat3(
        packet([(9, 9, 1, 1)], kind=0),
        packet([(1, 2, 2**31 - 1, 1)], spare=2),
        packet([(8, 8, 3, 0)], valid=0),
        packet([(3, 4, 6, 0)], overflow=1),
    )
    stream = parse(data, SENSOR, "file.aedat")
    assert stream.t.tolist() == [2**31 - 1, 2**31 + 6]
    assert rows(stream.recording("file")) == [(1, 2, 0, 1), (3, 4, 7, 0)]
    assert rows(stream.between(2**31, 2**31 + 7).recording("file", 2**31)) == [(3, 4, 6, 0)]
    assert not len(stream.between(2**31, 2**31 + 6).t)
    with pytest.raises(DataError, match="expected at most 2147483647 microseconds"):
        read(aedat3(packet([(1, 1, 0, 1)]), packet([(1, 1, 0, 1)], overflow=2)), ".aedat")


BAD = {
    "empty bin": (b"", ".bin", "found none"),
    "cut bin": (atis(EVENTS)[:-2], ".bin", "cut short at byte 15"),
    "bin off the sensor": (atis([*EVENTS, (128, 0, 1000, 0)]), ".bin", "found x 128 at byte 20"),
    "bin off the sensor after a mark": (
        atis([(0, 240, 1, 0), (0, 129, 1, 0)]),
        ".bin",
        "found y 129 at byte 5",
    ),
    "empty aedat": (b"", ".aedat", "header that begins with '#' at byte 0"),
    "aedat 4": (b"#!AER-DAT4.0\r\n", ".aedat", "expected AEDAT 2.0, found version '4.0'"),
    "aedat 2 of a header alone": (HEADER_2, ".aedat", "found none"),
    "cut aedat 2": (aedat2(EVENTS)[:-3], ".aedat", f"cut short at byte {len(HEADER_2) + 24}"),
    "aedat 3 of a header alone": (HEADER_3, ".aedat", "found none"),
    "packed aedat 3": (aedat3(header=HEADER_3.replace(b"RAW", b"PNG")), ".aedat", "not packed"),
    "cut packet": (
        aedat3(packet(EVENTS))[:-1],
        ".aedat",
        f"packet of 32 bytes at byte {len(HEADER_3) + 28}, found 31",
    ),
    "cut packet header": (
        aedat3(packet(EVENTS), b"\x01\0"),
        ".aedat",
        f"header cut short at byte {len(HEADER_3) + 60}",
    ),
    "more events than a packet holds": (
        aedat3(packet(EVENTS, spare=-1)[:-8]),
        ".aedat",
        f"at most 3 events .* found 4 of 8 after 4 at byte {len(HEADER_3)}",
    ),
    "aedat 3 off the sensor": (
        aedat3(packet(EVENTS), packet([(1, 1, 1, 1), (5, 128, 1, 1)])),
        ".aedat",
        f"found y 128 at byte {len(HEADER_3) + 28 + 32 + 28 + 8}",
    ),
    "no npy": (b"text", ".npy", "header of NumPy"),
    "cut npy": (npy(np.array(EVENTS))[:-1], ".npy", "expected 128 bytes of plain numbers"),
    "pickles": (npy(np.array([{}, 1], object)), ".npy", "plain numbers"),
    "floats": (npy(np.array(EVENTS, float)), ".npy", "expected x as whole numbers"),
    "another shape": (npy(np.zeros((3, 5), int)), ".npy", r"of shape \[E, 4\]"),
    "another field": (npy(structured()[["x", "y", "p"]]), ".npy", "found no 't'"),
    "polarity": (npy(np.array([(1, 1, 1, 2)])), ".npy", "found 2 of event 0"),
    "negative": (npy(np.array([EVENTS[0], (-1, 1, 1, 1)])), ".npy", "found x -1 at event 1"),
    "npz without p": (npz(x=np.zeros(1, int), y=np.zeros(1), t=np.zeros(1)), ".npz", "no 'p'"),
    "cut npz": (npz(**separate())[:-30], ".npz", "whole zip archive"),
    "uneven npz": (npz(**{**separate(), "t": np.zeros(3, int)}), ".npz", r"whole numbers \[4\]"),
    "unknown": (b"", ".mat", "ends in one of"),
}


@pytest.mark.parametrize(("data", "suffix", "message"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_named_in_one_line(data, suffix, message):
    with pytest.raises(DataError, match=f"^file.*{message}") as caught:
        read(data, suffix)
    assert "\n" not in str(caught.value)


def lying_npy(shape: str, descr: str = "'<i8'") -> bytes:
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head.encode()


def lying_npz() -> bytes:
    data = npz(**separate())
    names = [i for i in range(len(data)) if data[i : i + 4] == b"PK\x01\x02"]
    for at in names:
        data = data[: at + 24] + struct.pack("<I", 2**31 - 1) + data[at + 28 :]
    return data


LIES = {
    "npy": (lying_npy("(1000000000000, 4)"), ".npy"),
    "npy of no width": (lying_npy("(1000000000000,)", "'V0'"), ".npy"),
    "npy of great width": (lying_npy("(1, 4)", "'V1000000000'"), ".npy"),
    "npz": (lying_npz(), ".npz"),
    "aedat 3": (aedat3(struct.pack("<HHIIIIII", 1, 1, 8, 4, 0, 2**28, 2**28, 0)), ".aedat"),
    "aedat 3 of no width": (aedat3(struct.pack("<HHIIIIII", 1, 1, 0, 4, 0, 9, 9, 0)), ".aedat"),
}


@pytest.mark.parametrize(("data", "suffix"), LIES.values(), ids=LIES)
def test_a_header_that_lies_claims_no_memory(data, suffix):
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            read(data, suffix)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def events_or_error(data: bytes, suffix: str) -> None:
    try:
        events = read(data, suffix)
    except DataError:
        return
    events.check("file")
    assert len(events) == 1
    assert 0 < len(events.t) <= 256 * len(data)


@given(st.sampled_from(SUFFIXES[:2] + SUFFIXES[4:]), st.binary(max_size=200), st.booleans())
def test_any_bytes_give_events_or_an_error(suffix, data, has_header):
    starts = {".aedat": HEADER_3, ".npy": b"\x93NUMPY\x01\0", ".npz": b"PK\x03\x04"}
    events_or_error(starts.get(suffix, b"") * has_header + data, suffix)


@given(st.sampled_from(list(FILES.values())), st.data())
def test_any_damage_gives_events_or_an_error(file, draw):
    data, suffix = bytearray(file[0]), file[1]
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    events_or_error(bytes(data[: draw.draw(st.integers(0, len(data)))]), suffix)
    events_or_error(bytes(data), suffix)


PIXELS = st.tuples(*(st.integers(0, n) for n in (127, 127, 2**23 - 1, 1)))


@given(st.lists(PIXELS, min_size=1, max_size=20))
def test_what_is_written_is_read(events):
    by_time = sorted(events, key=lambda e: e[2])
    expected = [(x, y, t - by_time[0][2], p) for x, y, t, p in by_time]
    for data, suffix in (
        (atis(events), ".bin"),
        (aedat2(events), ".aedat"),
        (aedat3(packet(events)), ".aedat"),
        (npy(structured(events)), ".npy"),
    ):
        assert rows(read(data, suffix)) == expected


def test_lists_of_labels():
    text = b"class,startTime_usec,endTime_usec\n1,80048239,85092709\n11,0,5\n\n"
    assert parse_cuts(text, 11, "labels") == [(1, 80048239, 85092709), (11, 0, 5)]
    for line in (b"12,0,5", b"0,0,5", b"1,5,5", b"1,5", b"a,0,5", b"1,0,99999999999999999999"):
        with pytest.raises(DataError, match=r"labels: .* in line 2, found"):
            parse_cuts(b"titles\n" + line, 11, "labels")
    with pytest.raises(DataError, match="found none"):
        parse_cuts(b"titles\n", 11, "labels")


@given(st.binary(max_size=60))
def test_any_list_of_labels_gives_cuts_or_an_error(data):
    try:
        cuts = parse_cuts(b"titles\n" + data, 11, "labels")
    except DataError:
        return
    assert all(1 <= number <= 11 and 0 <= start < end for number, start, end in cuts)


def test_a_member_is_as_large_as_its_header_says():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for column in "xytp":
            archive.writestr(f"{column}.npy", lying_npy("(4,)") + bytes(1 << 10))
    with pytest.raises(DataError, match=r"x.npy: expected 32 bytes of plain numbers"):
        read(buffer.getvalue(), ".npz")
