"""How many poisoned samples `spikedoor audit --data FOLDER` names, and how many clean ones.

    python studies/data_audit.py [--out docs/results/data-audit.csv] [--seeds 20 21 22]

Writes temporary folders of MNIST and digits as PNG files and of N-MNIST as npz files, clean and
with 1 and 5 % poison, audits each, and appends a line to the CSV. What has its line already is
passed over, so that it can be stopped. `--trusted` gives some 120 other clean samples, `--rule
direct` trains the victim with spikes, `--clean` leaves poison out. The thresholds were chosen on
seeds 0 and 1; seeds 10 to 12 had been seen before the code was done. The recordings that are read
leave copies in SPIKEDOOR_CACHE: set it to a folder that you remove.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spikedoor.attack import Attack, PoisonedSet
from spikedoor.data import DataSource
from spikedoor.data.base import modality_of
from spikedoor.data.own import folder_source
from spikedoor.data.strata import split
from spikedoor.files import npz
from spikedoor.rng import generator
from spikedoor.rules import Direct
from spikedoor.snn.encoding import Frames
from spikedoor.study.data_audit import audit_data, small_victim

MNIST, NMNIST, DIGITS = "mnist", "nmnist", "digits"
SIZES = {MNIST: 2500, NMNIST: 880, DIGITS: 1437}
PATCH, BLENDED = {"name": "patch", "size": 3}, {"name": "blended"}
SMALL = {"name": "patch", "size": 2}
STATIC = {"name": "event-static", "size": 3, "rate": 40}
FLASH = {"name": "event-flash", "rate": 50}
CASES: list[tuple[str, dict[str, Any], float]] = [
    *((MNIST, PATCH, rate) for rate in (0.0, 0.01, 0.05)),
    *((MNIST, BLENDED, rate) for rate in (0.01, 0.05)),
    *((NMNIST, STATIC, rate) for rate in (0.0, 0.01, 0.05)),
    *((NMNIST, FLASH, rate) for rate in (0.01, 0.05)),
    *((DIGITS, SMALL, rate) for rate in (0.0, 0.01, 0.05)),
]
TRUSTED = 0.05  # of as many samples again
COLUMNS = (
    "rule", "data", "trigger", "rate", "seed", "trusted", "samples", "poisoned", "named",
    "hits", "classes_named", "largest_separation", "victim_accuracy", "seconds_victim",
    "seconds_detectors",
)  # fmt: skip


def main() -> None:
    """Run what has no line yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("docs/results/data-audit.csv"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[20, 21, 22])
    parser.add_argument("--trusted", action="store_true", help="with trusted samples")
    parser.add_argument("--rule", choices=("conversion", "direct"), default="conversion")
    parser.add_argument("--data", choices=list(SIZES), nargs="+", default=list(SIZES))
    parser.add_argument("--clean", action="store_true", help="only the folders without poison")
    given = parser.parse_args()
    lines = []
    if given.out.exists():
        with given.out.open() as file:
            lines = list(csv.DictReader(file))
    done = {tuple(row[name] for name in COLUMNS[:6]) for row in lines}
    for seed in given.seeds:
        for data, trigger, rate in CASES:
            # All digits are audited, so that none is left to be trusted.
            if (
                data not in given.data
                or (given.clean and rate)
                or (given.trusted and data == DIGITS)
            ):
                continue
            name = trigger["name"] if rate else "none"
            key = given.rule, data, name, str(rate), str(seed), str(given.trusted)
            if key not in done:
                how = given.trusted, given.rule
                row = [*key, *measured(data, trigger, rate, seed, *how)]
                write(given.out, row)
                print(*row, flush=True)


def measured(
    data: str, trigger: dict[str, Any], rate: float, seed: int, trusted: bool, rule: str
) -> list[Any]:
    """Write a folder, audit it, and return what came of it."""
    whole = DataSource.from_dict({"name": data}).load().train
    order = generator(seed, "audited samples").permutation(len(whole))
    own = whole.subset(np.sort(order[: SIZES[data]]))
    attack = Attack.from_dict({"trigger": trigger, "rate": rate})
    poisoned = attack.poison(own, seed)
    with tempfile.TemporaryDirectory(prefix="data-audit-") as folder:
        root = Path(folder)
        truth = written(poisoned, root / "data")
        sensor = own.shape[1:] if data == NMNIST else None
        inventory = folder_source(root / "data", sensor).inventory()
        known = None
        if trusted:
            known = extra(whole, order[SIZES[data] :], seed, root / "trusted", sensor)
        found = audit_data(inventory, known, seed, direct(own) if rule == "direct" else None)
    wanted = np.array([name in truth for name in inventory.names])
    named = found.suspicious
    largest = max(max(one.details["separation"].values()) for one in found.naming.values())
    return [
        len(wanted), int(wanted.sum()), int(named.sum()), int((named & wanted).sum()),
        len(found.by_class()), round(largest, 3), round(found.accuracy, 4),
        round(found.seconds["victim"], 1), round(found.seconds["detectors"], 1),
    ]  # fmt: skip


def direct(samples: Any) -> Direct:
    """Return the rule that trains with spikes, for as many epochs."""
    usual = small_victim(samples)[1]
    steps = 4 if modality_of(samples) == "image" else 8
    shown = usual.encoding if steps == 4 else Frames()
    return Direct(steps=steps, encoding=shown, training=usual.ann)


def written(poisoned: PoisonedSet, root: Path) -> set[str]:
    """Write each sample to the folder of its label, and return the names of the poisoned."""
    truth = set()
    for i in range(len(poisoned)):
        batch = poisoned.batch(np.array([i]))
        name = f"{poisoned.classes[poisoned.labels[i]]}/{i:05}"
        file = put(batch, root / name)
        if poisoned.poisoned[i]:
            truth.add(file.relative_to(root).as_posix())
    return truth


def put(batch: Any, stem: Path) -> Path:
    """Write the one image or recording of a batch as a file, and return its path."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(batch, np.ndarray):
        file = stem.with_suffix(".png")
        Image.fromarray(batch[0, 0]).save(file)
        return file
    file = stem.with_suffix(".npz")
    file.write_bytes(npz({name: getattr(batch, name) for name in "xytp"}))
    return file


def extra(whole: Any, rest: Any, seed: int, root: Path, sensor: Any) -> Any:
    """Return trusted samples, the same share of each class, read from a folder as well."""
    others = whole.subset(np.sort(rest))
    count = min(round(TRUSTED * SIZES[MNIST]), len(others))
    _, chosen = split(others.labels, count, generator(seed, "trusted samples"))
    for i in chosen:
        name = f"{others.classes[others.labels[i]]}/{i:05}"
        put(others.batch(np.array([i])), root / name)
    return folder_source(root, sensor).inventory().samples


def write(path: Path, row: list[Any]) -> None:
    """Append a line, below the heading."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if fresh:
            writer.writerow(COLUMNS)
        writer.writerow(row)


if __name__ == "__main__":
    main()
