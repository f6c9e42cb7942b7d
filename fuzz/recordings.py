"""Readers of events: .bin, AEDAT 2.0 and 3.1, .npy, .npz, HDF5, zip archives, lists of labels."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import numpy as np

from fuzz.target import Target, scratch
from spikedoor.data.events.formats import parse
from spikedoor.data.events.gesture import parse_cuts
from spikedoor.data.events.members import members

import event_files  # isort: skip (target.py says where the tests are)

DVS128, DAVIS = (128, 128), (180, 240)
EVENTS = [(k, 2 * k, 10 * k, k % 2) for k in range(20)]
ARRAYS = {name: np.array(column, np.int32) for name, column in zip("xytp", zip(*EVENTS))}  # noqa: B905

_HDF5 = (
    *(b"OHDR", b"TREE\0", b"TREE\1", b"SNOD", b"HEAP", b"GCOL", b"FRHP"),
    *(b"FAHD\0", b"FADB\0", b"EAHD\0", b"EAIB\0", b"EASB\0", b"EADB\0"),
)
_PK = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06")


def _events(suffix: str, *sensors: tuple[int, int]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        for sensor in sensors or (DVS128,):
            parse(data, sensor, f"file{suffix}").recording("file").check("file")

    return run


def _aedat2() -> list[bytes]:
    return [event_files.aedat2(EVENTS)]


def _aedat3() -> list[bytes]:
    first, second = (event_files.packet(part, overflow=1) for part in (EVENTS[:9], EVENTS[9:]))
    other = event_files.packet(EVENTS[:2], kind=2, spare=3)
    return [event_files.aedat3(first, other, second)]


def _npy() -> list[bytes]:
    rows = np.array(EVENTS)
    fields = np.zeros(len(rows), [(name, "<i4") for name in "xytp"])
    found = []
    for array in (rows, fields):
        buffer = io.BytesIO()
        np.save(buffer, array)
        found.append(buffer.getvalue())
    return found


def _npz() -> list[bytes]:
    found = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, **ARRAYS)
        found.append(buffer.getvalue())
    return found


def _hdf5() -> list[bytes]:
    import h5py

    found = []
    summed = {"chunks": (8,), "shuffle": True, "fletcher32": True, "maxshape": (None,)}
    for form, how in (
        ({}, {}),
        ({}, {"chunks": (8,), "compression": "gzip"}),
        ({"userblock_size": 512}, {"compression": "lzf"}),
        ({"libver": ("v108", "v108")}, summed),
    ):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w", **form) as file:
            for name, values in ARRAYS.items():
                file.create_dataset(f"events/{name}" if form else name, data=values, **how)
        found.append(buffer.getvalue())
    fields = np.zeros(len(EVENTS), [("x", "<u2"), ("y", ">u2"), ("p", "?"), ("t", "<i8")])
    for name, values in ARRAYS.items():
        fields[name] = values
    latest = {"libver": "latest"}
    for form, how in (
        ({}, {"compression": "gzip"}),
        ({"libver": ("v108", "v108")}, {}),
        (latest, {"maxshape": (None,), "compression": "gzip"}),
        (latest, {"shuffle": True}),
    ):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w", **form) as file:
            file.create_dataset("CD/events", data=fields, chunks=(8,), **how)
        found.append(buffer.getvalue())
    return found


def _zip() -> list[bytes]:
    found = []
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", packing) as archive:
            archive.writestr("0/a.bin", event_files.atis(EVENTS))
            archive.writestr("1/b.bin", event_files.atis(EVENTS[:3]))
        found.append(buffer.getvalue())
    return found


def _read_zip(data: bytes) -> None:
    path = scratch() / "archive.zip"
    path.write_bytes(data)
    for member in members(path, (".bin",), depth=1):
        parse(member.read(), DVS128, member.name)


TARGETS = {
    "atis": Target(lambda: [event_files.atis(EVENTS)], _events(".bin")),
    "aedat2": Target(_aedat2, _events(".aedat", DVS128, DAVIS), (b"#!AER-DAT2.0", b"#!END-HEADER")),
    "aedat3": Target(
        _aedat3, _events(".aedat"), (b"#!AER-DAT3.1", b"#Format: RAW", b"#!END-HEADER")
    ),
    "npy": Target(
        _npy, _events(".npy"), (b"descr", b"fortran_order", b"shape", b"<i8", b"|O", b"|V0")
    ),
    "npz": Target(_npz, _events(".npz"), _PK[:3]),
    "hdf5": Target(_hdf5, _events(".h5"), _HDF5),
    "zip": Target(_zip, _read_zip, _PK),
    "labels": Target(
        lambda: [b"class,start,end\n1,0,10\n11,5,900\n"], lambda data: parse_cuts(data, 11, "file")
    ),
}
