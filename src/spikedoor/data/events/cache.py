"""Parsed recordings kept as flat columns in the user's cache, and mapped into memory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self, final

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.events.recordings import COLUMNS, Events
from spikedoor.errors import DataError, OutputError
from spikedoor.files import new_folder, read_plain, remove, write_bytes

__all__ = ["Kept", "Writer", "kept"]

_NOTE = "note.json"
_MAX_NOTE = 1 << 24


@final
@dataclass(frozen=True)
class Kept:
    """Hold recordings of a cache.

    Args:
        events: The recordings; columns are mapped, not read.
        labels: int64 [N], label of each.
        extra: What the one who filled the cache had to say.
    """

    events: Events
    labels: NDArray[np.int64]
    extra: dict[str, Any]


@final
class Writer:
    """Takes recordings one after the other, and holds none of their events."""

    def __init__(self, folder: Path, sensor: tuple[int, int]) -> None:
        self._folder, self._sensor = folder, sensor
        self._counts: list[int] = []
        self._labels: list[int] = []
        self._files: dict[str, BinaryIO] = {}

    def __enter__(self) -> Self:
        for name, dtype in COLUMNS.items():
            file = (self._folder / f"{name}.npy").open("wb")
            self._files[name] = file
            _write_header(file, dtype, 0)
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def add(self, label: int, recording: Events) -> None:
        """Append one recording.

        Raises:
            DataError: If it is of another sensor.
        """
        if recording.sensor != self._sensor or len(recording) != 1:
            raise DataError(f"expected one recording of {self._sensor}, got {recording.sensor}")
        for name, file in self._files.items():
            file.write(np.ascontiguousarray(getattr(recording, name)).data)
        self._counts.append(len(recording.t))
        self._labels.append(label)

    def finish(self) -> None:
        """Write how many events there are, and the division into recordings."""
        for name, dtype in COLUMNS.items():
            # The header has room for a longer shape, so that it keeps its length.
            self._files[name].seek(0)
            _write_header(self._files[name], dtype, sum(self._counts))
            self._files[name].flush()
            os.fsync(self._files[name].fileno())
        offsets = np.concatenate([[0], np.cumsum(self._counts)]).astype(np.int64)
        np.save(self._folder / "offsets.npy", offsets)
        np.save(self._folder / "labels.npy", np.array(self._labels, np.int64))


def kept(
    folder: Path, mark: str, sensor: tuple[int, int], fill: Callable[[Writer], dict[str, Any]]
) -> Kept:
    """Return the recordings kept in a folder, after filling it where that is needed.

    It is filled aside and moved to its place when whole. One that is damaged, or was filled from
    something else, is replaced. A process that comes second takes what the first has made.

    Args:
        folder: Where they are kept.
        mark: Says what they were made from, in any words.
        sensor: Height and width of the sensor.
        fill: Adds every recording, and returns what else to keep, as plain values.

    Raises:
        DataError: If `fill` raises it.
        OutputError: If the folder cannot be written.
    """
    found = _read(folder, mark, sensor)
    if found is not None:
        return found
    try:
        remove(folder)
        with new_folder(folder) as aside:
            _fill(aside, mark, sensor, fill)
    except (OutputError, OSError) as error:
        found = _read(folder, mark, sensor)
        if found is not None:
            return found
        raise OutputError(
            f"{error}; point SPIKEDOOR_CACHE at a folder with room for the recordings"
        ) from error
    found = _read(folder, mark, sensor)
    if found is None:
        raise OutputError(f"{folder}: was replaced by another process, try again")
    return found


def _fill(
    folder: Path, mark: str, sensor: tuple[int, int], fill: Callable[[Writer], dict[str, Any]]
) -> None:
    with Writer(folder, sensor) as writer:
        extra = fill(writer)
        writer.finish()
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    note = {"mark": mark, "sensor": sensor, "sizes": sizes, "extra": extra}
    write_bytes(folder / _NOTE, json.dumps(note).encode())


def _read(folder: Path, mark: str, sensor: tuple[int, int]) -> Kept | None:
    """Return what is kept, or None if it is not there, damaged, or made from something else."""
    try:
        note = json.loads(read_plain(folder / _NOTE, _MAX_NOTE))
        if note["mark"] != mark or tuple(note["sensor"]) != sensor:
            return None
        for name, size in note["sizes"].items():
            if (folder / name).stat().st_size != size:
                return None
        columns: Any = {name: _mapped(folder / f"{name}.npy") for name in (*COLUMNS, "offsets")}
        labels = _mapped(folder / "labels.npy")
        events = Events(**columns, sensor=sensor)
        if labels.dtype != np.int64 or labels.shape != (len(events),):
            return None
        return Kept(events, labels, note["extra"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DataError):
        return None


def _mapped(path: Path) -> np.ndarray:
    """Return a column without reading it; one without elements cannot be mapped."""
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except ValueError:
        return np.load(path, allow_pickle=False)


def _write_header(file: BinaryIO, dtype: type, count: int) -> None:
    described = np.lib.format.dtype_to_descr(np.dtype(dtype))
    header = {"descr": described, "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(file, header)
