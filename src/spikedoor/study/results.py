"""The results of a sweep as flat rows; what is missing is among them, with the reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from spikedoor.data.base import SampleSet
from spikedoor.metrics import Mean, Rate, Ratio, Scores, mean_interval, score
from spikedoor.progress import bar
from spikedoor.records import Store
from spikedoor.records.columns import TIMES
from spikedoor.study.cell import Cell, Owner, Question
from spikedoor.study.nodes import Node, walk
from spikedoor.study.sweep import Planned
from spikedoor.study.work import notes, unpacked
from spikedoor.study.workshop import Workshop
from spikedoor.victim import Activity

__all__ = ["MEASURES", "rows"]

MEASURES = (
    "clean_accuracy",
    "attack_success",
    "clean_model",
    "attack_success_all",
    "recovered_accuracy",
    "migration_ratio",
    "migration_retained",
    "firing_rate",
    "firing_rate_triggered",
)
"""Columns with a value, and with ``.low``, ``.high`` and ``.count`` beside it."""


def rows(
    planned: list[Planned], cells: list[Cell], workshop: Workshop, every_step: bool = False
) -> list[dict[str, Any]]:
    """Return one row for each stage of each experiment of a sweep, in order.

    A row has the part and the axes, then rule, seed, stage and T, the measures of the victim after
    T steps, "clean_model" (the success rate of the same attack on the clean twin), the seconds it
    took to make the stage and to reach its kept epoch, the same of the twin, and its status:
    "done"; "diverged" where clean accuracy is near chance and an attack's success would mean
    nothing; or "missing" with a reason. Firing rates are means over the samples that were watched,
    over all neurons and steps, with Student's interval over the samples.

    Args:
        planned: The experiments.
        cells: Their graphs.
        workshop: With the store.
        every_step: Return a row for each step up to T; "T" then tells which.
    """
    assert workshop.store is not None
    reader = _Reader(workshop.store)
    axes = list(dict.fromkeys(name for one in planned for name in one.axes))
    found = []
    with bar("read results", len(cells)) as advance:
        for plan, cell in zip(planned, cells, strict=True):
            data = workshop.dataset(cell.experiment.data).test
            for stage in cell.phases:
                row = {"part": plan.part, **{name: plan.axes.get(name) for name in axes}}
                row |= {"rule": cell.experiment.rule.name, "seed": cell.experiment.seed}
                row |= {"stage": stage}
                found += [row | one for one in reader.outcomes(cell, stage, data, every_step)]
            advance()
    return found


class _Reader:
    """Reads results from a store, each once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, Any] = {}
        self._seconds: dict[str, tuple[float | None, float | None]] = {}

    def outcomes(
        self, cell: Cell, stage: str, data: SampleSet, every_step: bool
    ) -> Iterator[dict[str, Any]]:
        """Yield the measures of a stage after its last step or every one, or why there are none."""
        steps = cell.phases[stage].steps
        if any(self._result(node) is None for node in self._asked(cell, stage)):
            (node, *_) = (n for n in self._asked(cell, stage) if self._result(n) is None)
            nothing = dict.fromkeys(TIMES)
            yield {"T": steps, **_measured(None, None, {}), **nothing, **self._why(node)}
            return
        times = self._times(cell, stage)
        rates = self._firing(cell, stage)
        victim, twin = (self._scorer(cell, owner, stage, data) for owner in ("victim", "twin"))
        assert victim is not None
        for step in range(1, steps + 1) if every_step else (steps,):
            found = victim(step)
            measured = _measured(
                found,
                twin(step) if twin else None,
                {name: mean_interval(seen.until(step)) for name, seen in rates.items()},
            )
            status = "diverged" if found.diverged else "done"
            yield {"T": step, **measured, **times, "status": status, "reason": None}

    def _asked(self, cell: Cell, stage: str) -> Iterator[Node]:
        """Yield the predictions that a row is made of."""
        for owner in cell.stages:
            for name in ("ann", stage) if "ann" in cell.phases else (stage,):
                yield from (cell.answers[Question(owner, name, shown)] for shown in (False, True))

    def _scorer(
        self, cell: Cell, owner: Owner, stage: str, data: SampleSet
    ) -> Callable[[int], Scores] | None:
        """Return what gives the scores after a step; None without such an owner."""
        if owner not in cell.stages:
            return None
        classes = len(data.classes)
        targets = cell.experiment.attack.target.targets(data.labels, classes)
        said = cell.said(owner, stage, self._result)
        ann = None
        if stage != "ann" and "ann" in cell.phases:
            ann = cell.said(owner, "ann", self._result)
        return lambda step: score(said, data.labels, targets, classes, ann, step)

    def _firing(self, cell: Cell, stage: str) -> dict[str, Activity]:
        asked = {"firing_rate": False, "firing_rate_triggered": True}
        found = {
            name: self._result(cell.activity[question])
            for name, triggered in asked.items()
            if (question := Question("victim", stage, triggered)) in cell.activity
        }
        return {name: seen for name, seen in found.items() if seen is not None}

    def _times(self, cell: Cell, stage: str) -> dict[str, float | None]:
        found: dict[str, float | None] = dict.fromkeys(TIMES)
        for owner, prefix in (("victim", ""), ("twin", "twin_")):
            if owner in cell.stages:
                took, to_best = self._took(cell.stages[owner][stage].key)
                found |= {f"{prefix}seconds": took, f"{prefix}seconds_to_best": to_best}
        return found

    def _took(self, key: str) -> tuple[float | None, float | None]:
        """Return how long a stage took, and its kept epoch; many rows ask for one stage."""
        if key not in self._seconds:
            read = self._store.read(key)
            training = notes(read[1]).get("training", {}) if read else {}
            took = read[0].seconds if read else None
            self._seconds[key] = took, training.get("seconds_to_best")
        return self._seconds[key]

    def _result(self, node: Node) -> Any:
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


def _measured(victim: Scores | None, twin: Scores | None, rates: dict[str, Mean]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in MEASURES:
        owner, field = (twin, "attack_success") if name == "clean_model" else (victim, name)
        value: Rate | Ratio | Mean | None = rates.get(name) or getattr(owner, field, None)
        low, high = value.interval if value is not None else (None, None)
        found |= {
            name: _finite(value.value if value is not None else None),
            f"{name}.low": _finite(low),
            f"{name}.high": _finite(high),
            f"{name}.count": value.count if value is not None else None,
        }
    return found


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
