"""The results of a sweep as flat rows; what is missing is among them, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedoor.data.base import SampleSet
from spikedoor.errors import ConfigError
from spikedoor.metrics import (
    Answers,
    Scores,
    defence_effectiveness,
    mean_interval,
    score,
)
from spikedoor.progress import bar
from spikedoor.records import Store
from spikedoor.records.columns import TIMES
from spikedoor.study.cell import Cell, Question
from spikedoor.study.defended import Owner
from spikedoor.study.defending import Detected, detection_scores
from spikedoor.study.measures import DETECTION, REPAIR, companied, mean, scores_of
from spikedoor.study.nodes import Node, walk
from spikedoor.study.sweep import Planned
from spikedoor.study.work import notes, unpacked
from spikedoor.study.workshop import Workshop

__all__ = ["rows"]

FOLD = "data.fold"

Group = Sequence[tuple[Cell, SampleSet]]
"""Experiments whose test samples are counted together, each with its test set."""


def rows(
    planned: list[Planned],
    cells: list[Cell],
    workshop: Workshop,
    every_step: bool = False,
    pool_folds: bool = False,
) -> list[dict[str, Any]]:
    """Return one row for each stage of each experiment of a sweep, in order.

    A row has the part and the axes, then rule, seed, stage and T, the measures of the victim after
    T steps, "clean_model" (the success rate of the same attack on the clean twin), the seconds it
    took to make the stage and to reach its kept epoch, the same of the twin, and its status:
    "done"; "diverged" where clean accuracy is near chance and an attack's success would mean
    nothing; or "missing" with a reason. Firing rates are means over the samples that were watched,
    over all neurons and steps, with Student's interval over the samples.

    Where experiments have detectors, rows have the measures of `DETECTION`: the area under the ROC
    curve, the share of the positives found where 1 and 5 % of the negatives are flagged, the shares
    of positives and negatives flagged at the method's own threshold, and the latter of the twin's.
    A detector of models says one thing a model: that its target was found, or that it was falsely
    accused. Where they have eliminators, rows of the repaired stage have "effectiveness" (DER), and
    "operations": synaptic operations on clean samples, as a share of those before the repair.

    Args:
        planned: The experiments.
        cells: Their graphs.
        workshop: With the store.
        every_step: Return a row for each step up to T; "T" then tells which.
        pool_folds: Give experiments that differ in nothing but the fold of their data one row, in
            which the test samples of all folds are counted together; seconds are means over folds.

    Raises:
        ConfigError: If folds are to be pooled, and the sweep has no axis "data.fold".
    """
    assert workshop.store is not None
    reader = _Reader(workshop.store)
    axes = list(dict.fromkeys(name for one in planned for name in one.axes))
    if pool_folds:
        if FOLD not in axes:
            raise ConfigError(f"pool folds: expected an axis '{FOLD}', got {', '.join(axes)}")
        axes.remove(FOLD)
    extra = tuple(dict.fromkeys(name for cell in cells for name in _extra(cell)))
    groups: dict[Any, list[int]] = {}
    for i, plan in enumerate(planned):
        alone = i if not pool_folds else None
        point = tuple(plan.axes.get(name) for name in axes)
        groups.setdefault((alone, plan.part, point, plan.experiment.seed), []).append(i)
    found = []
    with bar("read results", len(cells)) as advance:
        for chosen in groups.values():
            plan, first = planned[chosen[0]], cells[chosen[0]]
            group = [(cells[i], workshop.dataset(cells[i].experiment.data).test) for i in chosen]
            for stage in first.phases:
                row = {"part": plan.part, **{name: plan.axes.get(name) for name in axes}}
                row |= {"rule": first.experiment.rule.name, "seed": first.experiment.seed}
                row |= {"stage": stage}
                more = reader.defence(group, stage, extra)
                found += [row | one | more for one in reader.outcomes(group, stage, every_step)]
            advance(len(chosen))
    return found


class _Reader:
    """Reads results from a store, each once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, Any] = {}
        self._seconds: dict[str, tuple[float | None, float | None]] = {}

    def outcomes(self, group: Group, stage: str, every_step: bool) -> Iterator[dict[str, Any]]:
        """Yield the measures of a stage after its last step or every one, or why there are none."""
        steps = group[0][0].phases[stage].steps
        lacking = self._lacking([cell for cell, _ in group], stage)
        if lacking is not None:
            nothing = dict.fromkeys(TIMES)
            yield {"T": steps, **scores_of(None, None, {}), **nothing, **self._why(lacking)}
            return
        times = self._times(group, stage)
        rates = self._firing(group, stage)
        victim, twin = (self._scorer(group, owner, stage) for owner in ("victim", "twin"))
        assert victim is not None
        for step in range(1, steps + 1) if every_step else (steps,):
            found = victim(step)
            measured = scores_of(
                found,
                twin(step) if twin else None,
                {name: mean_interval(seen[:step].mean(0)) for name, seen in rates.items()},
            )
            status = "diverged" if found.diverged else "done"
            yield {"T": step, **measured, **times, "status": status, "reason": None}

    def defence(self, group: Group, stage: str, names: Sequence[str]) -> dict[str, Any]:
        """Return the measures of defences by name, None where there are none of this stage."""
        measured: dict[str, Any] = {}
        cells = [cell for cell, _ in group]
        if all(cell.detections and cell.defended == stage for cell in cells):
            measured = self._detection(cells)
        elif stage == "repaired" and self._lacking(cells, stage) is None:
            measured = self._repair(group)
        found: dict[str, Any] = {}
        for name in names:
            found |= companied(name, measured.get(name))
        return found

    def _detection(self, cells: Sequence[Cell]) -> dict[str, Any]:
        by_owner: dict[Owner, list[Detected]] = {}
        for owner in ("victim", "twin"):
            nodes = [cell.detections[owner] for cell in cells if owner in cell.detections]
            made = [self._result(node) for node in nodes]
            if made and all(one is not None for one in made):
                by_owner[owner] = made
        plan = cells[0].experiment.defence
        assert plan is not None
        return detection_scores(by_owner, plan.method.task)

    def _repair(self, group: Group) -> dict[str, Any]:
        before = self._scorer(group, "victim", _final(group[0][0]))
        after = self._scorer(group, "victim", "repaired")
        assert before is not None
        assert after is not None
        first, last = (one(group[0][0].phases["repaired"].steps) for one in (before, after))
        if first.attack_success is None or last.attack_success is None:
            return {}
        rated = defence_effectiveness(
            first.clean_accuracy.value,
            first.attack_success.value,
            last.clean_accuracy.value,
            last.attack_success.value,
        )
        return {"effectiveness": rated, "operations": self._operations(group)}

    def _operations(self, group: Group) -> float | None:
        """Return synaptic operations after a repair as a share of those before it.

        None if they are not known, as of an ANN, which has none.
        """
        totals = []
        for stage in (_final(group[0][0]), "repaired"):
            nodes = [cell.operations.get(stage) for cell, _ in group]
            found = [None if node is None else self._result(node) for node in nodes]
            if any(one is None for one in found):
                return None
            totals.append(float(np.concatenate(found).sum()))
        return totals[1] / totals[0] if totals[0] else None

    def _lacking(self, cells: Sequence[Cell], stage: str) -> Node | None:
        """Return a node that the measures of a stage need and that is not there."""
        asked = (node for cell in cells for node in self._asked(cell, stage))
        return next((node for node in asked if self._result(node) is None), None)

    def _asked(self, cell: Cell, stage: str) -> Iterator[Node]:
        """Yield the predictions that a row is made of."""
        for owner in cell.stages:
            for name in ("ann", stage) if "ann" in cell.phases else (stage,):
                yield from (cell.answers[Question(owner, name, shown)] for shown in (False, True))

    def _scorer(self, group: Group, owner: Owner, stage: str) -> Callable[[int], Scores] | None:
        """Return what gives the scores after a step; None without such an owner."""
        if any(owner not in cell.stages for cell, _ in group):
            return None
        classes = len(group[0][1].classes)
        labels = np.concatenate([data.labels for _, data in group])
        targets = group[0][0].experiment.attack.target.targets(labels, classes)
        said = self._said(group, owner, stage)
        ann = None
        if stage != "ann" and "ann" in group[0][0].phases:
            ann = self._said(group, owner, "ann")
        return lambda step: score(said, labels, targets, classes, ann, step)

    def _said(self, group: Group, owner: Owner, stage: str) -> Answers:
        """Return what a stage says of the test samples of all, one set after the other."""
        said = [cell.said(owner, stage, self._result) for cell, _ in group]
        clean, triggered = ([getattr(one, name) for one in said] for name in ("clean", "triggered"))
        return Answers(np.concatenate(clean, 1), np.concatenate(triggered, 1))

    def _firing(self, group: Group, stage: str) -> dict[str, NDArray[np.float64]]:
        """Return the samples' firing rates at each step, [T, N], by measure."""
        found: dict[str, NDArray[np.float64]] = {}
        for name, triggered in {"firing_rate": False, "firing_rate_triggered": True}.items():
            question = Question("victim", stage, triggered)
            if all(question in cell.activity for cell, _ in group):
                seen = [self._result(cell.activity[question]) for cell, _ in group]
                if all(one is not None for one in seen):
                    found[name] = np.concatenate([one.by_sample for one in seen], 1)
        return found

    def _times(self, group: Group, stage: str) -> dict[str, float | None]:
        found: dict[str, float | None] = dict.fromkeys(TIMES)
        for owner, prefix in (("victim", ""), ("twin", "twin_")):
            made = [cell.stages[owner][stage] for cell, _ in group if owner in cell.stages]
            if made:
                took, to_best = zip(*(self._took(node.key) for node in made), strict=True)
                found |= {
                    f"{prefix}seconds": mean(took),
                    f"{prefix}seconds_to_best": mean(to_best),
                }
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


def _extra(cell: Cell) -> tuple[str, ...]:
    """Return the measures that a cell's defence adds."""
    if cell.experiment.defence is None:
        return ()
    return DETECTION if cell.detections else REPAIR


def _final(cell: Cell) -> str:
    """Return the last stage of the rule itself."""
    return [stage for stage in cell.phases if stage != "repaired"][-1]
