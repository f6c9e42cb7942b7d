"""Reading AEDAT 3.1, the format of DVS128 Gesture, side by side with SpikingJelly.

    python benchmarks/aedat.py [--events 1000000] [--packet 1024] [--rounds 5]

Writes a recording of random events in the official format, reads it in turn with both, checks that
they find the same events, and prints the medians in events a second. Both read from the disk's
cache; ours also checks every event against the sensor.
"""

from __future__ import annotations

import argparse
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np

from spikedoor.data.events.aedat3 import parse_aedat3
from spikedoor.data.events.stream import Stream
from spikedoor.records.environment import processor

SENSOR = 128, 128


def spikingjelly_reader() -> Callable[[Path], dict[str, np.ndarray]]:
    """Return SpikingJelly's reader, which does without what the other data sets there import."""
    for name in (
        "h5py",
        "torchaudio",
        "torchvision",
        "torchvision.datasets",
        "torchvision.datasets.utils",
    ):
        sys.modules.setdefault(name, MagicMock())
    from spikingjelly.datasets.utils import load_aedat_v3

    return load_aedat_v3


def recording(events: int, packet: int) -> bytes:
    """Return a file of valid polarity events at one a microsecond."""
    rng = np.random.default_rng(0)
    x, y, p = (rng.integers(0, high, events, np.uint32) for high in (128, 128, 2))
    words = np.stack([x << 17 | y << 2 | p << 1 | 1, np.arange(events, dtype=np.uint32)], 1)
    parts = [b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"]
    for start in range(0, events, packet):
        body = words[start : start + packet].astype("<u4")
        n = len(body)
        parts += [struct.pack("<HHIIIIII", 1, 1, 8, 4, 0, n, n, n), body.tobytes()]
    return b"".join(parts)


def ours(path: Path) -> Stream:
    """Read with this toolkit."""
    return parse_aedat3(path.read_bytes(), SENSOR, path.name)


def seconds(read: Callable[[Path], Any], path: Path) -> float:
    """Return the time of one reading."""
    start = time.perf_counter()
    read(path)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--packet", type=int, default=1024, help="events a packet")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    theirs = spikingjelly_reader()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "user01.aedat")
        path.write_bytes(recording(options.events, options.packet))
        mine, found = ours(path), theirs(path)
        for column in "xytp":
            np.testing.assert_array_equal(getattr(mine, column), found[column])
        rounds = [(seconds(ours, path), seconds(theirs, path)) for _ in range(options.rounds)]
    own, other = (options.events / statistics.median(taken) for taken in zip(*rounds, strict=True))
    print(f"{processor()}; {options.events} events in packets of {options.packet}")
    print(f"spikedoor     {own / 1e6:8.1f} million events a second")
    print(f"SpikingJelly  {other / 1e6:8.1f} million events a second; ours {own / other:.0f} times")


if __name__ == "__main__":
    main()
