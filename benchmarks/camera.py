"""The simulated camera beside the real one: the same digits, recorded by both.

    SPIKEDOOR_DATA=... python benchmarks/camera.py [--seeds 0 1 2] [--speed 2000] [--snn]

Real are the recordings of N-MNIST that are there as files, whose numbers are those of MNIST's
images; simulated are those images by ``mnist-dvs``. The defaults of the camera were mostly chosen
on the first 60 training recordings, which the table leaves out; its noise was read off the border
pixels of all training recordings, so the table is not held out entirely. Classifiers are logistic
regressions on event-count images, in 5 stratified folds of all digits: what is tested on was not
trained on in either form. With `--snn` the same is asked of spiking networks, those of the preset
nmnist-direct, of each camera seed, which is that of the network too; nothing else is printed.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from spikedoor.data import Mnist, MnistDvs, NMnist
from spikedoor.data.events import Events, EventSet
from spikedoor.data.files import data_root
from spikedoor.data.strata import fold
from spikedoor.errors import MissingDataError
from spikedoor.metrics import Rate

CALIBRATED, SACCADE, BIN = 60, 100_000, 10_000
Counts = NDArray[np.int64]


def pairs() -> tuple[Events, NDArray[np.uint8], NDArray[np.int64]]:
    """Return real recordings, the images they show, and the labels of both."""
    real, mnist = NMnist().load(), Mnist().load()
    recordings, images, labels = [], [], []
    for part, folder in (("train", "Train"), ("test", "Test")):
        files = Path(data_root(), "NMNIST", folder).glob("*/*.bin")
        rows = np.array(sorted(int(file.stem) - 1 for file in files))
        seen, shown = getattr(real, part), getattr(mnist, part)
        assert (shown.labels[rows] == seen.labels).all(), "other recordings than images"
        recordings.append(seen.batch(np.arange(len(seen))))
        images.append(shown.images[rows])
        labels.append(seen.labels)
    return Events.join(recordings), np.concatenate(images), np.concatenate(labels)


def counted(events: Events) -> Counts:
    """Return the events of each pixel, [N, 3, 2, H, W]: saccade by saccade, OFF and ON."""
    height, width = events.sensor
    saccade = np.minimum(events.t // SACCADE, 2)
    cell = (events.recording * 3 + saccade) * 2 + events.p
    cell = (cell * height + events.y) * width + events.x
    shape = (len(events), 3, 2, height, width)
    return np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)


def over_time(events: Events) -> NDArray[np.float64]:
    """Return the events per millisecond and recording, in bins of 10 ms."""
    found = np.bincount(events.t // BIN, minlength=32)[:32]
    return found / len(events) / (BIN / 1000)


def agreement(a: Counts, b: Counts) -> float:
    """Return the correlation of two recordings of a digit, as its mean over the digits."""
    both = zip(a.reshape(len(a), -1), b.reshape(len(b), -1), strict=True)
    return float(np.mean([np.corrcoef(x, y)[0, 1] for x, y in both]))


def describe(events: Events) -> dict[str, str]:
    found, height = counted(events), events.sensor[0]
    n = events.counts
    picture = found.sum((0, 1, 2)) / len(events)
    weights = picture / picture.sum()
    y, x = np.indices(picture.shape)
    middle = (weights * x).sum(), (weights * y).sum()
    spread = [np.sqrt((weights * (axis - m) ** 2).sum()) for axis, m in zip((x, y), middle)]  # noqa: B905
    rates = over_time(events)
    peaks = [int(rates[k : k + 10].argmax() + k) * 10 + 5 for k in (0, 10, 20)]
    border = np.ones((height, height), bool)
    border[2:-2, 2:-2] = False
    quiet = picture[border].mean() / (events.durations.mean() / 1e6)
    return {
        "events a recording": f"{n.mean():.0f}",
        "  standard deviation": f"{n.std():.0f}",
        "ON events (%)": f"{100 * events.p.mean():.2f}",
        "duration (ms)": f"{events.durations.mean() / 1000:.1f}",
        "events a saccade": " / ".join(f"{k:.0f}" for k in found.sum((0, 2, 3, 4)) / len(events)),
        "peaks at (ms)": " / ".join(map(str, peaks)),
        "peak rate (events/ms)": f"{rates.max():.1f}",
        "middle x, y (px)": f"{middle[0]:.2f}, {middle[1]:.2f}",
        "spread x, y (px)": f"{spread[0]:.2f}, {spread[1]:.2f}",
        "border (events/px/s)": f"{quiet:.2f}",
    }


def alike(real: Events, simulated: Events) -> dict[str, str]:
    a, b = counted(real), counted(simulated)
    times = np.corrcoef(over_time(real), over_time(simulated))[0, 1]
    return {
        "event counts": f"{np.corrcoef(real.counts, simulated.counts)[0, 1]:.3f}",
        "pixels": f"{agreement(a.sum((1, 2)), b.sum((1, 2))):.3f}",
        "pixels, saccades, polarities": f"{agreement(a, b):.3f}",
        "events over time": f"{times:.3f}",
    }


def transfer(sets: dict[str, Events], labels: NDArray[np.int64]) -> None:
    """Print how well a classifier of each set's counts knows the held-out digits of each."""
    seen = {
        k: np.sqrt(counted(events).sum(1).reshape(len(labels), -1)) for k, events in sets.items()
    }
    hits: dict[tuple[str, str], int] = {}
    for number in range(5):
        train, test = fold(labels, number, 5)
        for source, x in seen.items():
            model = LogisticRegression(C=0.01, max_iter=200).fit(x[train], labels[train])
            for target, z in seen.items():
                right = int((model.predict(z[test]) == labels[test]).sum())
                hits[source, target] = hits.get((source, target), 0) + right
    tell(hits, len(labels))


def transfer_snn(real: Events, simulated: dict[int, Events], labels: NDArray[np.int64]) -> None:
    """Print how well a spiking network trained on each set knows the held-out digits of each."""
    from spikedoor.study import load  # takes torch, without which the rest does

    plan = load("nmnist-direct")
    digits = tuple(map(str, range(10)))
    for seed, recorded in simulated.items():
        hits: dict[tuple[str, str], int] = {}
        sets = {
            name: EventSet(events, labels, digits, name)
            for name, events in (("real", real), ("simulated", recorded))
        }
        for number in range(5):
            train, test = fold(labels, number, 5)
            for source, shown in sets.items():
                victim = plan.rule.fit(plan.network, shown.subset(train), seed=seed)
                for target, asked in sets.items():
                    predicted = victim.final.predict(asked, indices=test)[-1]
                    right = int((predicted == labels[test]).sum())
                    hits[source, target] = hits.get((source, target), 0) + right
        print(f"seed {seed}")
        tell(hits, len(labels))


def tell(hits: dict[tuple[str, str], int], count: int) -> None:
    """Print accuracies with their intervals."""
    for (source, target), right in hits.items():
        rate = Rate(right, count)
        low, high = (100 * edge for edge in rate.interval)
        print(f"  {source:>12} -> {target:12} {100 * rate.value:5.1f} % [{low:.1f}, {high:.1f}]")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments.add_argument("--speed", type=int, default=2000, help="images to time")
    arguments.add_argument("--snn", action="store_true", help="spiking networks, and no more")
    given = arguments.parse_args()
    real, images, labels = pairs()
    recorded = {}
    for seed in given.seeds:
        camera = MnistDvs(camera={"seed": seed}).camera  # type: ignore[arg-type]
        recorded[seed] = camera.record(images, np.arange(len(images)))
    if given.snn:
        print(f"trained on -> tested on, accuracy over {len(labels):,} digits")
        transfer_snn(real, recorded, labels)
        return
    simulated = {f"sim, seed {seed}": events for seed, events in recorded.items()}
    sets = {"real": real, **simulated}
    fresh = np.arange(CALIBRATED, len(labels))
    told = {name: describe(events.take(fresh)) for name, events in sets.items()}
    print(f"{len(fresh):,} digits that the camera was not set by, but for its noise\n")
    print(f"{'':30}" + "".join(f"{name:>22}" for name in told))
    for row in told["real"]:
        print(f"{row:30}" + "".join(f"{column[row]:>22}" for column in told.values()))
    print("\ncorrelation with the real recordings")
    found = {k: alike(real.take(fresh), e.take(fresh)) for k, e in simulated.items()}
    for row in next(iter(found.values())):
        print(f"{row:52}" + "".join(f"{column[row]:>22}" for column in found.values()))
    print("\nevents/ms in bins of 10 ms")
    for name, events in list(sets.items())[:2]:
        print(f"  {name:12}", " ".join(f"{v:4.1f}" for v in over_time(events.take(fresh))))
    print(f"\ntrained on -> tested on, accuracy over {len(labels):,} digits")
    transfer(sets, labels)
    shown = Mnist().load().train.images[: given.speed]
    start, used = time.perf_counter(), time.process_time()
    events = MnistDvs().camera.record(shown, np.arange(len(shown)))
    wall, cpu = time.perf_counter() - start, time.process_time() - used
    print(f"\n{len(shown) / wall:,.0f} images/s, {len(shown) / cpu:,.0f} per CPU second, "
          f"{len(events.t) / cpu / 1e6:.1f} million events per CPU second")  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except MissingDataError as error:
        print(f"skipped: {error}")
