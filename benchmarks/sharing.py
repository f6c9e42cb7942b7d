"""What it saves that experiments share their stages: a sweep cold, beside every experiment alone.

    python benchmarks/sharing.py studies/grid.toml --workers 2 [--alone 4]

Runs the sweep in a new store and measures it. Beside it stand two ways to do the same: (a) every
experiment by itself, and (b) the sharing that the released scripts of arXiv 2409.15670 do by hand:
one ANN for all converters, one simulation for each T, LR_H with an ANN of its own, a clean model
trained once for each rule and seed. Their seconds are the sums of what each stage took in the
measured run on one thread, a simulation's in proportion to its steps. `--alone` runs so many
experiments, spread over the sweep, by themselves on all threads, as somebody without a sweep would;
what they take of their sum gives the wall-clock of (a) and (b) beside the sweep's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from spikedoor.records import Store
from spikedoor.study import Campaign, Sweep, Workshop, engine_of, load_sweep
from spikedoor.study.cell import Cell, cell
from spikedoor.study.nodes import Node, walk
from spikedoor.study.pipe import evaluation

TRAININGS = ("ann", "direct", "finetuned")


def stages(one: Cell) -> dict[str, Node]:
    """Return the stages that an experiment alone needs, by key."""
    return {n.key: n for leaf in one.leaves() for n in walk(leaf) if n.stored}


def by_hand(cells: list[Cell]) -> list[Node]:
    """Return what is made with the sharing of the released scripts: per rule, and per T."""
    made: dict[tuple[str, str], Node] = {}
    for one in cells:
        for key, node in stages(one).items():
            made[one.experiment.rule.name, key] = node
    return list(made.values())


class Ledger:
    """Seconds that stages took in a store; a part of a longer simulation took its share."""

    def __init__(self, campaign: Campaign) -> None:
        self._seconds = {entry.key: entry.seconds for entry in campaign.store.entries()}
        self._longest: dict[str, Node] = {}
        for node in campaign.nodes():
            if node.kind == "answers":
                self._longest[self._but_steps(node)] = node

    @staticmethod
    def _but_steps(node: Node) -> str:
        return Node(node.kind, {**node.config, "steps": 0}, node.inputs).key

    def seconds(self, nodes: Iterable[Node]) -> float:
        """Return the sum."""
        total = 0.0
        for node in nodes:
            if node.kind != "answers":
                total += self._seconds[node.key]
                continue
            longest = self._longest[self._but_steps(node)]
            share = node.config["steps"] / longest.config["steps"]
            total += share * self._seconds[longest.key]
        return total


def line(name: str, nodes: list[Node], seconds: float, unit: float) -> str:
    """Return a row: counts, seconds, and how many times the sweep's."""
    kinds = Counter(node.kind for node in nodes)
    trained = sum(kinds[kind] for kind in TRAININGS)
    counts = f"{trained:>10}{kinds['converted']:>12}{kinds['answers']:>13}"
    return f"{name:34}{counts}{seconds:>10.0f}{seconds / unit:>9.2f}x"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--alone", type=int, default=4, help="experiments to run by themselves")
    parser.add_argument("--store", type=Path, help="new folder to keep")
    options = parser.parse_args()
    sweep = load_sweep(options.file)
    folder = options.store or Path(tempfile.mkdtemp()) / "store"
    wall, again, campaign = measured(sweep, folder, options.workers)
    alone = [cell(p.experiment, campaign.workshop.dataset(p.experiment.data))
             for p in campaign.planned]  # fmt: skip
    ledger = Ledger(campaign)
    shared = campaign.nodes()
    unit = ledger.seconds(shared)
    each = [node for one in alone for node in stages(one).values()]
    hand = by_hand(alone)
    print(f"{len(alone)} experiments, {options.workers} workers")
    print(f"measured, cold: {wall:.0f} s; a second call: {again:.1f} s")
    print(f"{'':34}{'trainings':>10}{'conversions':>12}{'simulations':>13}{'seconds':>10}{'':>10}")
    print(line("this sweep", shared, unit, unit))
    print(line("(b) shared by hand", hand, ledger.seconds(hand), unit))
    print(line("(a) every experiment alone", each, ledger.seconds(each), unit))
    print("seconds: sums over stages as they took here, whatever the number of workers")
    chosen = [alone[i * len(alone) // options.alone] for i in range(options.alone)]
    took = expected = 0.0
    for one in chosen:
        seconds = by_itself(one)
        took, expected = took + seconds, expected + ledger.seconds(stages(one).values())
        name = f"{one.experiment.rule.name}, T={one.experiment.rule.phases()[-1].steps}"
        total = ledger.seconds(stages(one).values())
        print(f"alone on all threads, measured: {name}: {seconds:.1f} s; its stages: {total:.1f} s")
    if chosen:
        for name, nodes in (("(b)", hand), ("(a)", each)):
            clock = ledger.seconds(nodes) * took / expected
            print(f"{name} one after the other on all threads: {clock:.0f} s, {clock / wall:.1f}x")


def by_itself(one: Cell) -> float:
    """Return the seconds of an experiment by itself, on all threads."""
    start = time.perf_counter()
    workshop = Workshop()
    data = workshop.dataset(one.experiment.data)
    free = one.experiment.model_copy(update={"threads": None})
    evaluation(cell(free, data), data, workshop.result)
    return time.perf_counter() - start


def measured(sweep: Sweep, folder: Path, workers: int) -> tuple[float, float, Campaign]:
    """Return the seconds of a cold run and of a second call, and the finished sweep."""
    start = time.perf_counter()
    campaign = Campaign.of(sweep, Store(folder))
    with engine_of(campaign, workers=workers) as engine:
        board = campaign.run(engine)
    campaign.rows()
    wall = time.perf_counter() - start
    if board.failed:
        raise SystemExit(f"{len(board.failed)} stages failed: {next(iter(board.failed.values()))}")
    start = time.perf_counter()
    again = Campaign.of(sweep, Store(folder))
    assert not again.missing()
    again.rows()
    return wall, time.perf_counter() - start, campaign


if __name__ == "__main__":
    main()
