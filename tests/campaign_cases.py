"""A small sweep on a store, and an engine that counts what it makes."""

from collections import Counter
from pathlib import Path

from spikedoor.records import Store
from spikedoor.records.columns import TIMES
from spikedoor.study import Campaign, Sweep
from spikedoor.study.engines import Engine, InProcess, Outcome
from spikedoor.study.nodes import Node

QUICK = {"epochs": 1, "batch": 64}
BASE = {
    "data": {"name": "digits", "train_limit": 256, "test_limit": 80},
    "network": {"name": "small-conv", "width": 4, "pool": "avg"},
    "attack": {"rate": 0.1, "trigger": {"name": "patch", "size": 2}},
}
SWEEP = Sweep(
    base=BASE,
    grid={"attack.rate": [0.05, 0.1]},
    parts=(
        {"label": "LR_B", "set": {"rule": {"name": "direct", "steps": 2, "training": QUICK}}},
        {
            "label": "LR_C",
            "set": {"rule": {"name": "conversion", "ann": QUICK}},
            "grid": {"rule.steps": [2, 5]},
        },
    ),
)


def campaign(folder: Path, sweep: Sweep = SWEEP) -> Campaign:
    return Campaign.of(sweep, Store(folder))


def done(folder: Path, sweep: Sweep = SWEEP) -> Campaign:
    made = campaign(folder, sweep)
    board = made.run(InProcess(made.workshop))
    assert not board.failed
    return made


def measured(made: Campaign) -> list[dict]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in made.rows()]


class Counting(Engine):
    """Works in process and counts; fails, or stops, where it is told to."""

    def __init__(self, made: Campaign, slots: int = 1, fail: tuple[str, ...] = ()) -> None:
        self.slots, self.kinds = slots, Counter()
        self._inner, self._fail = InProcess(made.workshop), fail
        self._store, self._outcomes = made.store, []

    def submit(self, node: Node) -> None:
        assert all(self._store.entry(n.key) for n in node.inputs.values() if n.stored)
        self.kinds[node.kind] += 1
        if node.kind in self._fail:
            self._outcomes.append(Outcome(node.key, "failed", "no luck"))
        else:
            self._inner.submit(node)

    def wait(self, seconds: float) -> list[Outcome]:
        ended, self._outcomes = self._outcomes, []
        return ended + self._inner.wait(seconds)

    def close(self) -> None:
        self._inner.close()
