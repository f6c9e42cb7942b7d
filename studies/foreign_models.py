"""Networks trained in SpikingJelly, snnTorch, Norse and sinabs, audited as their owner would do it.

    python studies/foreign_models.py [--out runs/foreign] [--table docs/results/foreign-models.csv]

Trains each network in its own library (studies/foreign), then asks every detector of models about
it: as `from_module` takes it, and as its library's own exporter writes it as NIR. What is there
already is not made again, so that it can be stopped; of a library that is not installed nothing is
made. One row of the table for each network and road.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import time
from pathlib import Path
from typing import Any

from foreign.networks import DATA, LIBRARIES, Case, Road, cases, dataset

from spikedoor.defences import Defender
from spikedoor.errors import ConfigError, DataError
from spikedoor.files import write_file
from spikedoor.metrics import Rate
from spikedoor.progress import bar
from spikedoor.study.audit import audit, model_detectors
from spikedoor.victim import Victim, from_module, nir

CLEAN = 0.1  # share of the training images that the defender has
SHAPE, CLASSES = (1, 28, 28), 10
METHODS = [method.name for method in model_detectors()]
COLUMNS = (
    "library", "attack", "seed", "clean_accuracy", "patch_success", "blended_success", "road",
    "same_answers", *METHODS, "verdict", "accused", "seconds", "cpu_seconds", "refusal",
)  # fmt: skip


def victim(case: Case, road: Road, root: Path) -> Victim:
    """Return a network as it comes by a road."""
    if road == "adapter":
        return from_module(case.network(root), SHAPE, CLASSES, case.steps)
    return nir.read(root / case.name / "model.nir", CLASSES, case.steps, **case.of.told)


def defender() -> Defender:
    """Return what the owner of a network has."""
    return Defender.of(dataset().train, CLEAN)


def audited(case: Case, road: Road, root: Path) -> dict[str, Any]:
    """Return what the detectors say of a network, or why it could not be taken."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        stage = victim(case, road, root).final
    except (ConfigError, DataError) as error:
        return {"refusal": str(error).removeprefix(f"{root}/")}
    found = audit(stage, defender())
    spent = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    test = dataset().test
    same = case.said(case.network(root), test) == stage.predict(test)[-1]
    return {
        **{one.method: "+".join(one.accused) or "none" for one in found.findings},
        **{name: f"{value:.1f}" for name, value in spent.items()},
        "same_answers": f"{same.mean():.4f}",
        "verdict": found.verdict,
        "accused": "+".join(found.accused),
    }


def rows(root: Path) -> list[dict[str, Any]]:
    """Return what was found of each network by each road, as far as it was asked."""
    lines = []
    for case in cases():
        folder = root / case.name
        for road in case.of.roads:
            if (folder / f"{road}.json").exists():
                scores = json.loads((folder / "scores.json").read_text())
                shares = {
                    name: f"{Rate.from_dict(value).value:.4f}"
                    for name, value in scores.items()
                    if isinstance(value, dict)
                }
                found = json.loads((folder / f"{road}.json").read_text())
                lines.append({**scores, **shares, "road": road, **found})
    return lines


def write_table(path: Path, columns: tuple[str, ...], lines: list[dict[str, Any]]) -> None:
    """Write rows as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    write_file(path, text.getvalue().encode())


def main() -> None:
    """Train and audit what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/foreign"))
    parser.add_argument("--table", type=Path, default=Path("docs/results/foreign-models.csv"))
    given = parser.parse_args()
    root: Path = given.out
    there = [case for case in cases() if case.of.installed]
    lacking = {library.package for library in LIBRARIES.values() if not library.installed}
    without = f"; not installed: {', '.join(sorted(lacking))}" if lacking else ""
    print(f"{DATA.name}, {len(there)} networks, in {root}{without}")
    with bar("train", len(there)) as advance:
        for case in there:
            advance(0, note=case.name)
            if not (root / case.name).exists():
                case.train(root)
            advance()
    pairs: list[tuple[Case, Road]] = [(case, road) for case in there for road in case.of.roads]
    with bar("audit", len(pairs)) as advance:
        for case, road in sorted(pairs, key=lambda pair: pair[0].seed):
            advance(0, note=f"{case.name}, {road}")
            file = root / case.name / f"{road}.json"
            if not file.exists():
                write_file(file, json.dumps(audited(case, road, root), indent=1).encode())
            advance()
    write_table(given.table, COLUMNS, rows(root))


if __name__ == "__main__":
    main()
