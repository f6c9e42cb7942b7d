"""Poison and train on 9,000 recordings of 128 x 128, and tell how much memory that took.

    python studies/large_events.py [--recordings 10000] [--events 100000] [--folder .]

Writes made-up recordings (a spot a class, that moves, and noise) as files in the layout of
CIFAR10-DVS, of which 9 in 10 are to train on; reads them into the cache, poisons a tenth of them by
`event-static`, trains an SNN on each once, and tests it clean and triggered. Needs twice 9 GB of
disk at the default size. After each part it prints the peak of the process's resident memory so
far: what it has allocated, and the pages of mapped files, the cache of the recordings among them.
It ends with exit code 1 if that is 4 GB or more.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import spikedoor
from spikedoor.study import Experiment

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE, STEPS, LENGTH, LIMIT = 128, 4, 1_300_000, 4e9


def experiment(root: Path) -> Experiment:
    """Return a small network's training over all recordings, once, at full resolution."""
    training = {"epochs": 1, "batch": 32, "validation": 0.0}
    return Experiment.from_dict(
        {
            "data": {"name": "cifar10-dvs", "root": str(root)},
            "attack": {"rate": 0.1, "target": 0, "trigger": {"name": "event-static"}},
            "network": {"name": "small-conv", "width": 4},
            "rule": {"name": "direct", "steps": STEPS, "encoding": "frames", "training": training},
            "twin": False,
            "threads": 1,
        }
    )


def write(root: Path, recordings: int, events: int) -> int:
    """Write the files, and return how many events they hold."""
    draw, written = np.random.default_rng(0), 0
    for number in range(recordings):
        label = number % len(CLASSES)
        data = recording(draw, label, round(events * draw.uniform(0.5, 1.5)))
        folder = root / "CIFAR10DVS" / CLASSES[label]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05}.aedat").write_bytes(b"#!AER-DAT2.0\r\n" + data)
        written += len(data) // 8
    return written


def recording(draw: np.random.Generator, label: int, count: int) -> bytes:
    """Return addresses and times of a spot that goes round where its class has it."""
    t = np.linspace(0, LENGTH, count, dtype=np.uint32)
    place = draw.standard_normal((2, count), np.float32) * 8
    angle = np.linspace(0, 6 * np.pi, count, dtype=np.float32)
    middle = 64 + 40 * np.array([np.cos(0.2 * np.pi * label), np.sin(0.2 * np.pi * label)])
    place[0] += middle[0] + 8 * np.cos(angle)
    place[1] += middle[1] + 8 * np.sin(angle)
    where = place.astype(np.uint32) % SIDE
    noise = draw.random(count, np.float32) < 0.1
    where[:, noise] = draw.integers(0, SIDE, (2, noise.sum()), np.uint32)
    words = np.empty((count, 2), ">u4")
    words[:, 0] = where[0] << 8 | where[1] << 1 | draw.integers(0, 2, count, np.uint32)
    words[:, 1] = t
    return words.tobytes()


class Meter:
    """Prints what each part took."""

    def __init__(self) -> None:
        self.start = time.monotonic()

    def peak(self) -> int:
        """Return the largest resident set of this process so far, in bytes."""
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    def tell(self, what: str) -> None:
        seconds, self.start = time.monotonic() - self.start, time.monotonic()
        print(f"{what}: {seconds:.0f} s, peak so far {self.peak() / 1e9:.2f} GB", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recordings", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=100_000, help="of a recording, on average")
    parser.add_argument("--folder", type=Path, help="where there is room; a temporary folder")
    given = parser.parse_args()
    meter = Meter()
    meter.tell("imported")
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        root = Path(name)
        os.environ["SPIKEDOOR_CACHE"] = str(root / "cache")
        events = write(root, given.recordings, given.events)
        meter.tell(f"wrote {given.recordings:,} recordings of {events / 1e6:,.0f} million events")
        planned = experiment(root)
        data = planned.data.load()
        kept = sum(file.stat().st_size for file in (root / "cache").rglob("*.npy"))
        meter.tell(
            f"read {len(data.train):,} + {len(data.test):,} into {kept / 1e9:.1f} GB of cache"
        )
        dense = len(data.train) * STEPS * 2 * SIDE * SIDE * 4
        print(f"as frames of floats the training set would be {dense / 1e9:.1f} GB")
        record = spikedoor.run(planned)
        meter.tell(f"poisoned {record.poison['count']:,}, trained, and tested")
        scores = record.evaluation.scores("direct")
        print(f"accuracy {scores.clean_accuracy}, attack success {scores.attack_success}")
    return int(meter.peak() >= LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
