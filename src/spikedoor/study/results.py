"""The results of a sweep as flat rows; what is missing is among them, with the reason."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedoor.metrics import Answers, Rate, Ratio, Scores, score
from spikedoor.progress import bar
from spikedoor.records import Store
from spikedoor.study.cell import Cell, Owner, Question
from spikedoor.study.nodes import Node, walk
from spikedoor.study.sweep import Planned
from spikedoor.study.work import unpacked
from spikedoor.study.workshop import Workshop

__all__ = ["MEASURES", "rows"]

MEASURES = (
    "clean_accuracy",
    "attack_success",
    "clean_model",
    "attack_success_all",
    "recovered_accuracy",
    "migration_ratio",
    "migration_retained",
)
"""Columns with a value, and with ``.low``, ``.high`` and ``.count`` beside it."""


def rows(planned: list[Planned], cells: list[Cell], workshop: Workshop) -> list[dict[str, Any]]:
    """Return one row for each stage of each experiment of a sweep, in order.

    A row has the part and the axes, then rule, seed, stage and T, the measures of the victim after
    T steps, "clean_model" (the success rate of the same attack on the clean twin), the seconds it
    took to make the stage, and its status: "done"; "diverged" where clean accuracy is near chance
    and an attack's success would mean nothing; or "missing" with a reason.
    """
    assert workshop.store is not None
    reader = _Reader(workshop.store)
    axes = list(dict.fromkeys(name for one in planned for name in one.axes))
    found = []
    with bar("read results", len(cells)) as advance:
        for plan, cell in zip(planned, cells, strict=True):
            data = workshop.dataset(cell.experiment.data).test
            targets = cell.experiment.attack.target.targets(data.labels, len(data.classes))
            for stage in cell.phases:
                row = {"part": plan.part, **{name: plan.axes.get(name) for name in axes}}
                row |= {"rule": cell.experiment.rule.name, "seed": cell.experiment.seed}
                row |= {"stage": stage, "T": cell.phases[stage].steps}
                found.append(row | reader.outcome(cell, stage, data, targets))
            advance()
    return found


class _Reader:
    """Reads predictions from a store, each once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, NDArray[np.int64] | None] = {}

    def outcome(self, cell: Cell, stage: str, data: Any, targets: Any) -> dict[str, Any]:
        """Return the measures of a stage, or why there are none."""
        node = next(
            (node for node in self._asked(cell, stage) if self._predictions(node) is None), None
        )
        if node is not None:
            return {**_measured(None, None), "seconds": None, **self._why(node)}
        victim = self._scores(cell, "victim", stage, data.labels, targets, len(data.classes))
        twin = None
        if "twin" in cell.stages:
            twin = self._scores(cell, "twin", stage, data.labels, targets, len(data.classes))
        entry = self._store.entry(cell.stages["victim"][stage].key)
        return {
            **_measured(victim, twin),
            "seconds": None if entry is None else entry.seconds,
            "status": "diverged" if victim.diverged else "done",
            "reason": None,
        }

    def _asked(self, cell: Cell, stage: str) -> Iterator[Node]:
        """Yield the predictions that a row is made of."""
        for owner in cell.stages:
            for name in ("ann", stage) if "ann" in cell.phases else (stage,):
                yield from (cell.answers[Question(owner, name, shown)] for shown in (False, True))

    def _scores(
        self, cell: Cell, owner: Owner, stage: str, labels: Any, targets: Any, classes: int
    ) -> Scores:
        def answers(name: str) -> Answers:
            clean, triggered = (
                self._predictions(cell.answers[Question(owner, name, shown)])
                for shown in (False, True)
            )
            assert clean is not None
            assert triggered is not None
            return Answers(clean, triggered)

        ann = answers("ann") if stage != "ann" and "ann" in cell.phases else None
        return score(answers(stage), labels, targets, classes, ann, cell.phases[stage].steps)

    def _predictions(self, node: Node) -> NDArray[np.int64] | None:
        if node.key not in self._read:
            found = self._store.read(node.key)
            self._read[node.key] = None if found is None else unpacked(node, found[1])
        return self._read[node.key]

    def _why(self, node: Node) -> dict[str, str]:
        for inner in walk(node):
            if inner.stored and self._store.entry(inner.key) is None:
                failure = self._store.failure(inner.key)
                if failure is not None:
                    reason = f"{inner.kind} failed: {failure.splitlines()[0]}"
                    return {"status": "missing", "reason": reason}
        return {"status": "missing", "reason": "not run yet"}


def _measured(victim: Scores | None, twin: Scores | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in MEASURES:
        owner, field = (twin, "attack_success") if name == "clean_model" else (victim, name)
        rate: Rate | Ratio | None = getattr(owner, field) if owner is not None else None
        low, high = rate.interval if rate is not None else (None, None)
        found |= {
            name: _finite(rate.value if rate is not None else None),
            f"{name}.low": _finite(low),
            f"{name}.high": _finite(high),
            f"{name}.count": rate.count if rate is not None else None,
        }
    return found


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
