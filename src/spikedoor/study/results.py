"""The results of a sweep as flat rows; what is missing is among them, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedoor.attack.labels import LabelRule
from spikedoor.errors import ConfigError, DataError
from spikedoor.metrics import (
    Answers,
    Scores,
    defence_effectiveness,
    mean_interval,
    score,
)
from spikedoor.metrics.findings import Detected, detection_scores
from spikedoor.progress import bar
from spikedoor.records import Entry, Store
from spikedoor.records.columns import RANGES, TIMES
from spikedoor.study import kept
from spikedoor.study.index import Index
from spikedoor.study.measures import DETECTION, REPAIR, companied, mean, scores_of
from spikedoor.study.reading import Owner, Reading

__all__ = ["rows"]

FOLD = "data.fold"

Group = Sequence[Reading]
"""Experiments whose test samples are counted together."""


def rows(
    index: Index, store: Store, every_step: bool = False, pool_folds: bool = False
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
        index: The experiments, and the keys of their results.
        store: Where the results are.
        every_step: Return a row for each step up to T; "T" then tells which.
        pool_folds: Give experiments that differ in nothing but the fold of their data one row, in
            which the test samples of all folds are counted together; seconds are means over folds.

    Raises:
        ConfigError: If folds are to be pooled, and the sweep has no axis "data.fold".
    """
    reader, axes = _Reader(index, store), index.axes
    if pool_folds:
        if FOLD not in axes:
            raise ConfigError(f"pool folds: expected an axis '{FOLD}', got {', '.join(axes)}")
        axes.remove(FOLD)
    extra = tuple(dict.fromkeys(name for one in index.readings for name in _extra(one)))
    groups: dict[Any, list[Reading]] = {}
    for i, one in enumerate(index.readings):
        alone = i if not pool_folds else None
        point = tuple(one.axes.get(name) for name in axes)
        groups.setdefault((alone, one.part, point, one.seed), []).append(one)
    found = []
    with bar("read results", len(index.readings)) as advance:
        for group in groups.values():
            first = group[0]
            for stage in first.steps:
                row = {"part": first.part, **{name: first.axes.get(name) for name in axes}}
                row |= {"rule": first.rule, "seed": first.seed, "stage": stage}
                more = reader.defence(group, stage, extra)
                found += [row | one | more for one in reader.outcomes(group, stage, every_step)]
            advance(len(group))
    return found


class _Reader:
    """Reads results from a store, each once."""

    def __init__(self, index: Index, store: Store) -> None:
        self._index, self._store = index, store
        self._read: dict[str, Any] = {}
        self._seconds: dict[str, tuple[float | None, float | None]] = {}

    def outcomes(self, group: Group, stage: str, every_step: bool) -> Iterator[dict[str, Any]]:
        """Yield the measures of a stage after its last step or every one, or why there are none."""
        steps = group[0].steps[stage]
        lacking = self._lacking(group, stage)
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
                {n: mean_interval(seen[:step].mean(0), RANGES[n]) for n, seen in rates.items()},
            )
            status = "diverged" if found.diverged else "done"
            yield {"T": step, **measured, **times, "status": status, "reason": None}

    def defence(self, group: Group, stage: str, names: Sequence[str]) -> dict[str, Any]:
        """Return the measures of defences by name, None where there are none of this stage.

        With "reason" where the stage was measured, and its detection was not.
        """
        measured: dict[str, Any] = {}
        found: dict[str, Any] = {}
        there = self._lacking(group, stage) is None
        if all(one.detections and one.defended == stage for one in group):
            measured = self._detection(group)
            keys = (key for one in group for key in one.detections.values())
            gone = next((key for key in keys if self._result(key) is None), None)
            if there and gone is not None:
                found["reason"] = self._why(gone)["reason"]
        elif stage == "repaired" and there:
            measured = self._repair(group)
        for name in names:
            found |= companied(name, measured.get(name))
        return found

    def _detection(self, group: Group) -> dict[str, Any]:
        by_owner: dict[Owner, list[Detected]] = {}
        for owner in ("victim", "twin"):
            keys = [one.detections[owner] for one in group if owner in one.detections]
            made = [self._result(key) for key in keys]
            if made and all(one is not None for one in made):
                by_owner[owner] = made
        task = group[0].task
        assert task is not None
        return detection_scores(by_owner, task)

    def _repair(self, group: Group) -> dict[str, Any]:
        found = []
        for stage in (_final(group[0]), "repaired"):
            scorer = self._scorer(group, "victim", stage)
            assert scorer is not None
            found.append(scorer(group[0].steps[stage]))
        first, last = found
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
        for stage in (_final(group[0]), "repaired"):
            keys = [one.operations.get(stage) for one in group]
            found = [self._result(key) for key in keys if key is not None]
            if len(found) < len(keys) or any(one is None for one in found):
                return None
            totals.append(float(np.concatenate(found).sum()))
        return totals[1] / totals[0] if totals[0] else None

    def _lacking(self, group: Group, stage: str) -> str | None:
        """Return the key of a result that the measures of a stage need and that is not there."""
        asked = (key for one in group for key in self._asked(one, stage))
        return next((key for key in asked if self._result(key) is None), None)

    def _asked(self, reading: Reading, stage: str) -> Iterator[str]:
        """Yield the keys of the predictions that a row is made of."""
        for answers in reading.answers.values():
            for name in ("ann", stage) if "ann" in reading.steps else (stage,):
                yield from answers[name]

    def _scorer(self, group: Group, owner: Owner, stage: str) -> Callable[[int], Scores] | None:
        """Return what gives the scores after a step; None without such an owner."""
        if any(owner not in one.stages for one in group):
            return None
        tests = [self._index.tests[one.test] for one in group]
        classes = len(tests[0].classes)
        labels = np.concatenate([np.array(test.labels, np.int64) for test in tests])
        targets = LabelRule.from_dict(group[0].attack["target"]).targets(labels, classes)
        said = self._said(group, owner, stage)
        ann = None
        if stage != "ann" and "ann" in group[0].steps:
            ann = self._said(group, owner, "ann")
        return lambda step: score(said, labels, targets, classes, ann, step)

    def _said(self, group: Group, owner: Owner, stage: str) -> Answers:
        """Return what a stage says of the test samples of all, one set after the other."""
        pairs = [[self._result(key) for key in one.answers[owner][stage]] for one in group]
        # A simulation may be of more steps than an experiment asks for.
        steps = [one.steps[stage] for one in group]
        for one, pair, n in zip(group, pairs, steps, strict=True):
            samples = len(self._index.tests[one.test].labels)
            if any(len(said) < n or said.shape[1:] != (samples,) for said in pair):
                told = f"expected answers after {n} steps to {samples} samples, found others"
                raise DataError(f"stage '{stage}': {told}")
        clean, triggered = (
            np.concatenate([pair[which][:n] for pair, n in zip(pairs, steps, strict=True)], 1)
            for which in (0, 1)
        )
        return Answers(clean, triggered)

    def _firing(self, group: Group, stage: str) -> dict[str, NDArray[np.float64]]:
        """Return the samples' firing rates at each step, [T, N], by measure."""
        found: dict[str, NDArray[np.float64]] = {}
        for which, name in enumerate(("firing_rate", "firing_rate_triggered")):
            if all(stage in one.activity for one in group):
                seen = [self._result(one.activity[stage][which]) for one in group]
                if all(one is not None for one in seen):
                    found[name] = np.concatenate([by_sample for _, _, by_sample in seen], 1)
        return found

    def _times(self, group: Group, stage: str) -> dict[str, float | None]:
        found: dict[str, float | None] = dict.fromkeys(TIMES)
        for owner, prefix in (("victim", ""), ("twin", "twin_")):
            made = [one.stages[owner][stage] for one in group if owner in one.stages]
            if made:
                took, to_best = zip(*map(self._took, made), strict=True)
                found |= {
                    f"{prefix}seconds": mean(took),
                    f"{prefix}seconds_to_best": mean(to_best),
                }
        return found

    def _took(self, key: str) -> tuple[float | None, float | None]:
        """Return how long a stage took, and its kept epoch; many rows ask for one stage."""
        if key not in self._seconds:
            read = self._store.read(key)
            took, to_best = None, None
            if read is not None:
                took = read[0].seconds
                with self._readable(read[0]):
                    training = kept.about(read[1])["notes"].get("training", {})
                    to_best = training.get("seconds_to_best")
            self._seconds[key] = took, to_best
        return self._seconds[key]

    def _result(self, key: str) -> Any:
        if key not in self._read:
            found = self._store.read(key)
            self._read[key] = None
            if found is not None:
                with self._readable(found[0]):
                    self._read[key] = kept.unpacked(found[0].kind, found[1])
        return self._read[key]

    @contextmanager
    def _readable(self, entry: Entry) -> Iterator[None]:
        """Say of what is not as its maker writes it, or of another kind, that it is damaged."""
        try:
            if entry.kind != (wanted := self._index.made[entry.key].kind):
                raise ValueError(f"the index tells of '{wanted}'")
            yield
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            told = f"{entry.kind} {entry.key[:8]}: not a readable result ({error})"
            raise DataError(told) from error

    def _why(self, key: str) -> dict[str, str]:
        for inner in self._index.behind(key):
            if self._store.entry(inner) is None:
                failure = self._store.failure(inner)
                if failure is not None:
                    kind = self._index.made[inner].kind
                    reason = f"{kind} failed: {failure.splitlines()[0]}"
                    return {"status": "missing", "reason": reason}
        return {"status": "missing", "reason": "not run yet"}


def _extra(reading: Reading) -> tuple[str, ...]:
    """Return the measures that an experiment's defence adds."""
    if reading.task is None:
        return ()
    return REPAIR if reading.task == "eliminate" else DETECTION


def _final(reading: Reading) -> str:
    """Return the last stage of the rule itself."""
    return [stage for stage in reading.steps if stage != "repaired"][-1]
