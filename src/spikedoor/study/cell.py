"""An experiment as a graph of nodes: what must be made before its scores can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from spikedoor.attack.plan import poison_count
from spikedoor.attack.triggers.base import Trigger
from spikedoor.attack.triggers.learned import LearnedTrigger
from spikedoor.data.base import Dataset
from spikedoor.metrics import Answers
from spikedoor.rules import Phase
from spikedoor.snn.encoding import Encoding
from spikedoor.study.defended import Owner, Sources, defence_node, defended
from spikedoor.study.experiment import Experiment
from spikedoor.study.nodes import Node

__all__ = ["Cell", "Owner", "Question", "cell", "with_shared_simulations"]

_WATCHED = 128
"""Test samples whose spikes are counted."""


@dataclass(frozen=True)
class Question:
    """Whose predictions, at which stage, on the clean or on the triggered test set."""

    owner: Owner
    stage: str
    triggered: bool


@dataclass(frozen=True, eq=False)
class Cell:
    """An experiment and the nodes that lead to its scores.

    Args:
        experiment: The experiment.
        data: The training part of its data set.
        poison: Which samples are poisoned.
        trigger: What a learned trigger has learned; None of another.
        stages: By owner, the stages of the victim and of its clean twin (if there is one).
        phases: How each stage is made and run.
        answers: The predictions that the scores are read from. A node may simulate more steps than
            this experiment needs; the first ones are the same.
        activity: Firing rates of the victim's spiking stages, on some of the same samples.
        detections: By owner, what a detector finds, if the experiment has one.
        operations: Synaptic operations on clean samples, of the victim's last stage before and
            after an eliminator, if the experiment has one.
    """

    experiment: Experiment
    data: Node
    poison: Node
    trigger: Node | None
    stages: dict[Owner, dict[str, Node]]
    phases: dict[str, Phase]
    answers: dict[Question, Node]
    activity: dict[Question, Node]
    detections: dict[Owner, Node] = field(default_factory=dict)
    operations: dict[str, Node] = field(default_factory=dict)

    def leaves(self) -> Iterator[Node]:
        """Yield the nodes that nothing else of this cell is made from."""
        yield self.poison
        yield from self.answers.values()
        yield from self.activity.values()
        yield from self.detections.values()
        yield from self.operations.values()

    @property
    def defended(self) -> str | None:
        """Name of the stage that a defence works on; None without a defence."""
        plan = self.experiment.defence
        return None if plan is None else defended(plan, self.experiment.rule.phases()).stage

    def said(self, owner: Owner, stage: str, result: Callable[[Node], Any]) -> Answers:
        """Return the predictions of a stage after each of its steps.

        Args:
            owner: Victim or twin.
            stage: Name of the stage.
            result: Gives the result of a node.
        """
        steps = self.phases[stage].steps
        asked = (self.answers[Question(owner, stage, shown)] for shown in (False, True))
        return Answers(*(result(node)[:steps] for node in asked))


def cell(experiment: Experiment, data: Dataset) -> Cell:
    """Return the graph of an experiment on a data set that has been read.

    The clean twin depends on nothing of the attack: every attack on the same data, network, rule
    and seed has the same one, and with a rate of 0 it is the victim.

    Raises:
        ConfigError: If a GPU is asked for and there is none, or the rule cannot train the network.
    """
    experiment.rule.check(experiment.network, data.train)
    train, test = (_data_node(experiment, data, part) for part in ("train", "test"))
    attack, count = experiment.attack, len(data.train)
    poisoned = poison_count(attack.rate, count) + poison_count(attack.cover, count) > 0
    phases = experiment.rule.phases()
    clean = _stages(experiment, phases, train, None)
    used, known = {"data": train}, clean[phases[0].stage]
    learned = _learned(experiment, train, known)
    if attack.trigger.needs_model and poisoned:
        used["model"] = known
    if learned is not None:
        used["trigger"] = learned
    poison = Node("poison", {"attack": attack.to_dict(), "seed": experiment.seed}, used)
    stages: dict[Owner, dict[str, Node]] = {
        "victim": _stages(experiment, phases, train, poison, learned) if poisoned else clean
    }
    if experiment.twin and poisoned:
        stages["twin"] = clean
    detections: dict[Owner, Node] = {}
    if experiment.defence is not None:
        sources = Sources(train, test, poison if poisoned else None, learned)
        for owner, made in stages.items():
            node = defence_node(experiment, experiment.defence, made, sources, owner)
            if node.kind == "detection":
                detections[owner] = node
            else:
                stages[owner] = {**made, node.kind: node}
        if not detections:
            phases = (*phases, replace(phases[-1], stage="repaired", source="clean"))
    answers = {
        Question(owner, phase.stage, triggered): _answers(
            experiment, phase, {"stage": made[phase.stage], "data": test}, train, triggered, learned
        )
        for owner, made in stages.items()
        for phase in phases
        for triggered in (False, True)
    }
    # The rule 'ann' has nothing but a network without spikes, repaired or not.
    last = experiment.rule.phases()[-1].stage
    silent = {"ann", "repaired"} if last == "ann" else {"ann"}
    activity = {
        question: replace(node, kind="activity", config=node.config | {"samples": _WATCHED})
        for question, node in answers.items()
        if question.owner == "victim" and question.stage not in silent
    }
    operations = {
        phase.stage: replace(activity[Question("victim", phase.stage, False)], kind="operations")
        for phase in phases[-2:]
        if "repaired" in stages["victim"] and phase.stage not in silent
    }
    by_stage = {phase.stage: phase for phase in phases}
    made = stages, by_stage, answers, activity, detections, operations
    return Cell(experiment, train, poison, learned, *made)


def with_shared_simulations(cells: Iterable[Cell]) -> list[Cell]:
    """Return cells that read the predictions of one network from one simulation, the longest.

    A simulation begins with every shorter one of the same network, encoding and readout, where the
    encoding is nested.
    """
    cells = list(cells)
    longest: dict[str, Node] = {}
    for one in cells:
        for node in (*one.answers.values(), *one.activity.values()):
            known = longest.setdefault(_but_steps(node), node)
            if node.config["steps"] > known.config["steps"]:
                longest[_but_steps(node)] = node

    def shared(nodes: dict[Question, Node]) -> dict[Question, Node]:
        return {question: longest[_but_steps(node)] for question, node in nodes.items()}

    return [
        replace(one, answers=shared(one.answers), activity=shared(one.activity)) for one in cells
    ]


def _but_steps(node: Node) -> str:
    if not Encoding.from_dict(node.config["encoding"]).nested:
        return node.key
    return replace(node, config={**node.config, "steps": 0}).key


def _data_node(experiment: Experiment, data: Dataset, part: Literal["train", "test"]) -> Node:
    """Return the node of the training or the test part; what decides nothing is left out.

    That is where the files are, the limit of the other part, and folds when none is asked for.
    """
    source = experiment.data.to_dict()
    other = "test_limit" if part == "train" else "train_limit"
    idle = () if experiment.data.fold is not None else ("fold", "folds")
    means = {name: source.pop(name) for name in (*experiment.data.places, other, *idle)}
    config = {"part": part, "source": source, "checksums": data.checksums}
    return Node("data", config, means=means)


def _learned(experiment: Experiment, train: Node, model: Node) -> Node | None:
    """Return the node of what a learned trigger learns against a model trained on clean data."""
    attack = experiment.attack
    if not isinstance(attack.trigger, LearnedTrigger):
        return None
    config = {
        "trigger": attack.trigger.to_dict(),
        "target": attack.target.to_dict(),
        "seed": experiment.seed,
        **experiment.machine(),
    }
    return Node("trigger", config, {"data": train, "model": model})


def _stages(
    experiment: Experiment,
    phases: tuple[Phase, ...],
    data: Node,
    poison: Node | None,
    learned: Node | None = None,
) -> dict[str, Node]:
    made: dict[str, Node] = {}
    before: Node | None = None
    for phase in phases:
        inputs = {"data": data}
        if poison is not None and phase.source == "poisoned":
            inputs["poison"] = poison
            inputs |= {} if learned is None else {"trigger": learned}
        if before is not None:
            inputs["before"] = before
        config = {
            "network": experiment.network.to_dict(),
            "settings": phase.decided_by,
            "seed": experiment.seed,
            **experiment.machine(),
        }
        before = Node(phase.stage, config, inputs, {"rule": experiment.rule.to_dict()})
        made[phase.stage] = before
    return made


def _answers(
    experiment: Experiment,
    phase: Phase,
    inputs: dict[str, Node],
    train: Node,
    triggered: bool,
    learned: Node | None,
) -> Node:
    config = {
        **phase.run,
        "seed": experiment.seed,
        "trigger": None,
        **experiment.machine(),
    }
    if triggered:
        trigger = experiment.attack.trigger
        config["trigger"] = trigger.to_dict()
        if learned is not None:
            inputs = {**inputs, "trigger": learned}
        elif type(trigger).prepare is not Trigger.prepare:  # parts of it are drawn, or learned
            config["prepared_with"] = experiment.seed
            inputs = {**inputs, "train": train}
    return Node("answers", config, inputs)
