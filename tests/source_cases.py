"""Recordings that tell a number, folders and archives of them, and a cache for each test."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from event_files import Event

from spikedoor.data.events import EventSet


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SPIKEDOOR_CACHE", str(folder))
    return folder


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def recording(number: int) -> list[Event]:
    """Return events that tell the number."""
    return [(number, 1, 5, 1), (2, number, 7 + number, 0)]


def numbers(events: EventSet) -> list[int]:
    """Return the numbers that the recordings tell."""
    batch = events.batch(np.arange(len(events)))
    return (batch.durations - 2).tolist()


def pack(folder: Path, prefix: str = "") -> None:
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, f"{prefix}{path.relative_to(folder.parent)}")
    shutil.rmtree(folder)
