"""Networks trained in SpikingJelly and in snnTorch, repaired as their owner would repair them.

    python studies/foreign_repairs.py [--out runs/foreign] [--table FILE]

Puts every eliminator, as it comes, to every backdoored network that `foreign_models.py` has left in
the folder, and to one clean network of each library to see what that costs; networks come by
`from_module`, the defender is that of the audit. What is there already is not made again, so that
it can be stopped. One row of the table for each network, method and trigger; the method "none" is
the network as it came. Methods that need the training set are left out: such an owner has none.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any, cast

from foreign.networks import ATTACKS, Case, cases, dataset, prepared
from foreign_models import defender, victim, write_table

from spikedoor import evaluate
from spikedoor.defences import DEFENCES, Eliminator
from spikedoor.errors import ConfigError
from spikedoor.files import write_file
from spikedoor.metrics import Rate
from spikedoor.progress import bar
from spikedoor.victim import Stage, Victim

REPAIRED = ("spikingjelly", "snntorch", "snntorch-zero")
SCORES = ("clean_accuracy", "attack_success", "recovered_accuracy")
COLUMNS = (
    "library", "attack", "seed", "method", "trigger", *SCORES, "clean_model", "seconds",
    "cpu_seconds", "refusal",
)  # fmt: skip


def methods() -> list[Eliminator]:
    """Return every eliminator that works with clean samples alone, as it comes."""
    members = (DEFENCES[name] for name in DEFENCES.names())
    return [
        cast(Eliminator, cls())
        for cls in members
        if issubclass(cls, Eliminator) and not cls.needs_training_set
    ]


def chosen() -> list[Case]:
    """Return the backdoored networks, and the first clean one of each library."""
    taken = [case for case in cases() if case.library in REPAIRED]
    return [case for case in taken if case.attack != "clean" or case.seed == 0]


def measured(stage: Stage, case: Case) -> dict[str, Any]:
    """Return how often a stage is right, and how often each trigger fools it, in counts."""
    triggers = ATTACKS if case.attack == "clean" else (case.attack,)
    found = {}
    for name in triggers:
        attack = prepared(case.seed)[name]
        scores = evaluate(Victim((stage,)), dataset().test, attack).scores(stage.name)
        rates = {score: getattr(scores, score) for score in SCORES}
        found[name] = {score: rate and rate.to_dict() for score, rate in rates.items()}
    return found


def repaired(case: Case, method: Eliminator | None, root: Path) -> dict[str, Any]:
    """Return what a method leaves of a network, or why it cannot work on it."""
    stage = victim(case, "adapter", root).final
    wall, cpu = time.perf_counter(), time.process_time()
    if method is not None:
        try:
            stage = method.repair(stage, defender())
        except ConfigError as error:
            return {"refusal": str(error)}
    spent = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    return {"scores": measured(stage, case), **{key: f"{spent[key]:.1f}" for key in spent}}


def rows(root: Path, names: list[str]) -> list[dict[str, Any]]:
    """Return what was found of each network and method, as far as it was tried."""
    lines = []
    for case in chosen():
        for name in names:
            file = root / case.name / f"repair-{name}.json"
            if not file.exists():
                continue
            found = json.loads(file.read_text())
            for trigger, scores in found.pop("scores", {case.attack: {}}).items():
                line = {"method": name, "trigger": trigger, **found}
                line |= {score: _share(rate) for score, rate in scores.items()}
                twin = root / Case(case.library, "clean", case.seed).name / "scores.json"
                fooled = json.loads(twin.read_text()).get(f"{trigger}_success")
                lines.append({**vars(case), **line, "clean_model": _share(fooled)})
    return lines


def _share(rate: dict[str, int] | None) -> str:
    return "" if rate is None else f"{Rate.from_dict(rate).value:.4f}"


def main() -> None:
    """Repair what was not yet, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/foreign"))
    parser.add_argument("--table", type=Path, default=Path("docs/results/foreign-repairs.csv"))
    given = parser.parse_args()
    root: Path = given.out
    tried: dict[str, Eliminator | None] = {"none": None, **{one.name: one for one in methods()}}
    pairs = [(case, name) for case in sorted(chosen(), key=lambda c: c.seed) for name in tried]
    with bar("repair", len(pairs)) as advance:
        for case, name in pairs:
            advance(0, note=f"{case.name}, {name}")
            file = root / case.name / f"repair-{name}.json"
            if not file.exists():
                found = repaired(case, tried[name], root)
                write_file(file, json.dumps(found, indent=1).encode())
            advance()
    write_table(given.table, COLUMNS, rows(root, list(tried)))


if __name__ == "__main__":
    main()
