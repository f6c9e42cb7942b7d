"""Events a second into frames, beside SpikingJelly's integration and, if there, tonic's ToFrame.

    python benchmarks/framing.py [--rounds 7] [--steps 16]

One thread. All variants run in this one process, interleaved in alternating order; a ratio is the
median of the ratios of each round. We frame the batch at once, the others one recording after the
other, as they are made for.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np

from spikedoor.data.events import Events, Framing
from spikedoor.data.events.counting import available, count_numpy
from spikedoor.records.environment import processor

# Sensor side, recordings in a batch, events of each: about those of N-MNIST and CIFAR10-DVS.
TASKS = {"34x34": (34, 256, 4_200), "128x128": (128, 16, 200_000)}


def recordings(side: int, count: int, events: int) -> Events:
    draw = np.random.default_rng(0)
    x, y = draw.integers(0, side, (2, count, events)).astype(np.uint16)
    t = np.sort(draw.integers(0, 300_000, (count, events)), axis=1).astype(np.int32)
    p = draw.integers(0, 2, (count, events)).astype(np.uint8)
    offsets = np.arange(count + 1, dtype=np.int64) * events
    return Events(x.ravel(), y.ravel(), t.ravel(), p.ravel(), offsets, (side, side))


@cache
def spikingjelly() -> Callable[[dict[str, Any], str, int, int], Any] | None:
    """Return its integration alone: the package around it imports readers with more needs."""
    found = find_spec("spikingjelly")
    if found is None or not found.submodule_search_locations:
        return None
    package = ModuleType("spikingjelly.datasets")
    package.__path__ = [str(Path(found.submodule_search_locations[0]) / "datasets")]
    sys.modules[package.__name__] = package
    for name in ("torchvision", "h5py"):
        if find_spec(name) is None:
            sys.modules[name] = MagicMock()
    integrate = import_module("spikingjelly.datasets.utils")
    integrate = integrate.integrate_events_by_fixed_frames_number
    return lambda one, by, steps, side: integrate(one, by, steps, side, side)


def tonic() -> Callable[[dict[str, Any], str, int, int], Any] | None:
    """Return tonic's ToFrame, which is under the GPL and therefore no need of ours."""
    if find_spec("tonic") is None:
        return None
    to_frame = import_module("tonic.transforms").ToFrame

    def frames(one: dict[str, Any], by: str, steps: int, side: int) -> Any:
        key = "n_event_bins" if by == "number" else "n_time_bins"
        return to_frame(sensor_size=(side, side, 2), **{key: steps})(one["records"])

    return frames


def records(one: dict[str, Any]) -> np.ndarray:
    dtype = [(name, column.dtype) for name, column in one.items()]
    table = np.empty(len(one["t"]), dtype)
    for name, column in one.items():
        table[name] = column
    return table


def measure(task: str, by: Any, steps: int, rounds: int) -> None:
    side, count, events = TASKS[task]
    batch = recordings(side, count, events)
    # Each library is given the columns in the types it works on.
    singles = []
    for i in range(count):
        one = batch.take(np.array([i]))
        columns: dict[str, Any] = {c: getattr(one, c).astype(np.int64) for c in "xytp"}
        singles.append({**columns, "records": records(columns)})
    framing = Framing(by=by)
    variants: dict[str, Callable[[], Any]] = {
        "spikedoor": lambda: framing.frames(batch, steps),
        "spikedoor, NumPy": lambda: count_numpy(batch, framing.bounds(batch, steps), 1),
    }
    for name, peer in (("SpikingJelly", spikingjelly()), ("tonic", tonic())):
        if peer is not None:
            variants[name] = lambda peer=peer: [peer(one, by, steps, side) for one in singles]
    times: dict[str, list[float]] = {name: [] for name in variants}
    for round_ in range(rounds + 1):
        order = list(variants) if round_ % 2 else list(variants)[::-1]
        for name in order:
            start = time.perf_counter()
            variants[name]()
            if round_:
                times[name].append(time.perf_counter() - start)
    for name, taken in times.items():
        ratios = [a / b for a, b in zip(taken, times["spikedoor"], strict=True)]
        speed = len(batch.t) / statistics.median(taken) / 1e6
        ratio = statistics.median(ratios)
        print(f"{task:8} by {by:7} {name:17} {speed:7.1f} M events/s   1 / {ratio:.2f} of ours")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=16)
    options = parser.parse_args()
    print(f"{processor()}; {options.steps} frames; compiled loop: {available()}")
    if find_spec("tonic") is None:
        print("tonic is not installed (GPL); it was measured at 9 to 11 M events/s elsewhere")
    if spikingjelly() is None:
        print("SpikingJelly is not installed; left out")
    for task in TASKS:
        for by in ("number", "time"):
            measure(task, by, options.steps, options.rounds)


if __name__ == "__main__":
    main()
