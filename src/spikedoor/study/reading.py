"""An experiment of a sweep, as far as its rows are read from a store: no torch, no components."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from spikedoor.metrics.findings import Task

if TYPE_CHECKING:
    from spikedoor.study.cell import Cell, Question
    from spikedoor.study.nodes import Node
    from spikedoor.study.sweep import Planned

__all__ = ["Owner", "Plain", "Reading", "test_of"]

Owner = Literal["victim", "twin"]
Pair = tuple[str, str]
"""Keys of what a network says, or does, of clean samples and of triggered ones."""
_FEW = 256


class Plain(BaseModel):
    """Values that are read from a file nobody vouches for."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    many: ClassVar[frozenset[str]] = frozenset()
    """Fields that may have any number of entries."""

    @model_validator(mode="before")
    @classmethod
    def _has_few_entries(cls, values: Any) -> Any:
        # pydantic collects an error of every wrong entry, and each takes a kilobyte.
        if isinstance(values, dict) and not _few({k: values[k] for k in values.keys() - cls.many}):
            raise ValueError(f"expected at most {_FEW} entries")
        return values


def _few(value: Any) -> bool:
    if not isinstance(value, dict):
        return True
    return len(value) <= _FEW and all(map(_few, value.values()))


class Reading(Plain):
    """An experiment, as far as its rows are read from a store.

    Args:
        part: Label of its part of the sweep.
        axes: Where it stands on each axis, and which defence it has.
        rule: Name of the learning rule.
        seed: Of all that is random.
        data: Configuration of its data set.
        attack: Configuration of its attack.
        task: Of its defence; None without one.
        defended: Name of the stage that the defence works on.
        steps: Time steps of each stage, by name and in order.
        test: Key of its test set.
        trigger: Key of what a learned trigger has learned.
        stages: Keys of the stages, by owner.
        answers: Keys of the predictions, by owner and stage.
        activity: Keys of the firing rates of the victim, by stage.
        detections: Keys of what a detector finds, by owner.
        operations: Keys of synaptic operations, by stage.
    """

    part: str
    axes: dict[str, str | int | float | bool]
    rule: str
    seed: int
    data: dict[str, Any]
    attack: dict[str, Any]
    task: Task | None
    defended: str | None
    steps: dict[str, int]
    test: str
    trigger: str | None
    stages: dict[Owner, dict[str, str]]
    answers: dict[Owner, dict[str, Pair]]
    activity: dict[str, Pair]
    detections: dict[Owner, str]
    operations: dict[str, str]

    @model_validator(mode="after")
    def _has_what_rows_ask_for(self) -> Self:
        wanted = set(self.steps)
        complete = bool(wanted - {"repaired"}) and min(self.steps.values()) > 0
        complete &= set(self.stages) == set(self.answers) >= {"victim"}
        for found in (*self.stages.values(), *self.answers.values()):
            complete &= set(found) == wanted
        if not complete or "target" not in self.attack or (self.detections and not self.task):
            raise ValueError("expected stages and answers of every owner, target and task")
        return self

    @classmethod
    def of(cls, planned: Planned, made: Cell) -> Reading:
        """Return what of a planned experiment its rows are read from."""
        one, plan = planned.experiment, planned.experiment.defence
        axes = dict(planned.axes)
        if plan is not None:
            axes.setdefault("defence.method", plan.method.name)
        return cls(
            part=planned.part,
            axes=axes,
            rule=one.rule.name,
            seed=one.seed,
            data=one.data.to_dict(),
            attack=one.attack.to_dict(),
            task=None if plan is None else plan.method.task,
            defended=made.defended,
            steps={name: phase.steps for name, phase in made.phases.items()},
            test=test_of(made).key,
            trigger=None if made.trigger is None else made.trigger.key,
            stages={o: {n: s.key for n, s in found.items()} for o, found in made.stages.items()},
            answers={o: _pairs(made.answers, o) for o in made.stages},
            activity=_pairs(made.activity, "victim"),
            detections={owner: node.key for owner, node in made.detections.items()},
            operations={stage: node.key for stage, node in made.operations.items()},
        )

    def results(self) -> Iterator[tuple[str, str]]:
        """Yield kind and key of every result that is read."""
        if self.trigger is not None:
            yield "trigger", self.trigger
        for stages, answers in zip(self.stages.values(), self.answers.values(), strict=True):
            yield from stages.items()
            yield from (("answers", key) for pair in answers.values() for key in pair)
        yield from (("activity", key) for pair in self.activity.values() for key in pair)
        yield from (("detection", key) for key in self.detections.values())
        yield from (("operations", key) for key in self.operations.values())


def test_of(cell: Cell) -> Node:
    """Return the node of the test set of a cell."""
    return next(iter(cell.answers.values())).inputs["data"]


def _pairs(nodes: dict[Question, Node], owner: str) -> dict[str, Pair]:
    """Return the keys of an owner's nodes by stage, clean and triggered."""
    found: dict[str, dict[bool, str]] = {}
    for question, node in nodes.items():
        if question.owner == owner:
            found.setdefault(question.stage, {})[question.triggered] = node.key
    return {stage: (pair[False], pair[True]) for stage, pair in found.items()}
