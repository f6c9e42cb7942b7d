"""How the result of each kind of node is made, and how it is kept as files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from spikedoor.attack import Attack, PoisonedSet, PoisonPlan
from spikedoor.attack.labels import AllToOne, LabelRule
from spikedoor.attack.poisoned import ChallengeSet
from spikedoor.attack.triggers.base import Trigger
from spikedoor.attack.triggers.learned import (
    WEIGHTS_FILE,
    LearnedTrigger,
    Weights,
    packed_weights,
    prepared,
    unpacked_weights,
)
from spikedoor.data.base import Dataset, SampleSet
from spikedoor.data.npz import parse_npz_arrays
from spikedoor.errors import DataError
from spikedoor.files import npz
from spikedoor.rules import Rule
from spikedoor.snn.encoding import Encoding
from spikedoor.snn.networks import Architecture
from spikedoor.snn.readout import Readout
from spikedoor.study import kept
from spikedoor.study.defending import detected, repaired
from spikedoor.study.nodes import Node
from spikedoor.victim import Activity, Attacked, Stage, Victim, activity
from spikedoor.victim.files import stage_from, weights_file
from spikedoor.victim.operations import operations

__all__ = ["Poison", "make", "packed", "unpacked"]

_DOCTORED, _WEIGHTS, _PLAN = "doctored.npz", WEIGHTS_FILE, "plan.json"


class Poison(NamedTuple):
    """What the poisoning of a training set comes down to."""

    plan: PoisonPlan
    doctored: NDArray[np.uint8] | None
    """See `PoisonedSet`."""

    def of(self, train: SampleSet, trigger: Trigger) -> PoisonedSet:
        """Return the poisoned view of the training set."""
        return PoisonedSet(train, self.plan, trigger, self.doctored)


def make(node: Node, inputs: dict[str, Any]) -> Any:
    """Make the result of a node from those of its inputs.

    Returns:
        For "poison" a `Poison`, for "trigger" the `Weights` of a learned one, for "answers" the
        predicted classes after each step [steps, samples], for "activity" an `Activity`, for
        "operations" those of each sample [N], for "detection" a `Detected`, and for all others a
        `Stage`.
    """
    if node.kind == "poison":
        return _poison(node, **inputs)
    with _threads(node.config["threads"]):
        if node.kind == "trigger":
            return _learned(node, **inputs)
        if node.kind == "answers":
            return _answers(node, **inputs)
        if node.kind == "activity":
            return _activity(node, **inputs)
        if node.kind == "operations":
            config, shown = node.config, _shown(node, inputs["data"], None, None)
            stage = _asked(node, inputs["stage"])
            return operations(stage, shown, config["samples"], config["seed"])
        if node.kind == "repaired":
            return repaired(node, *_defended(node, **inputs))
        if node.kind == "detection":
            known = {name: found for name, found in inputs.items() if name != "data"}
            return detected(
                node, *_defended(node, **known), inputs.get("data"), inputs.get("trigger")
            )
        return _stage(node, inputs)


def _poison(
    node: Node, data: Dataset, model: Stage | None = None, trigger: Weights | None = None
) -> Poison:
    attack, seed = Attack.from_dict(node.config["attack"]), node.config["seed"]
    ready = prepared(attack.trigger, data.train, seed, trigger)
    attack = attack.model_copy(update={"trigger": ready})
    made = attack.poison(data.train, seed, None if model is None else Attacked(model, seed))
    return Poison(made.plan, made.doctored)


def _learned(node: Node, data: Dataset, model: Stage) -> Weights:
    config = node.config
    trigger = cast(LearnedTrigger, Trigger.from_dict(config["trigger"]))
    target = cast(AllToOne, LabelRule.from_dict(config["target"]))
    attacked = Attacked(model, config["seed"])
    return trigger.learn(data.train, config["seed"], attacked, target.label).weights


def _stage(node: Node, inputs: dict[str, Any]) -> Stage:
    config = node.config
    train = _poisoned(node, inputs["data"], inputs.get("poison"), inputs.get("trigger"))
    rule = Rule.from_dict(node.means["rule"])
    (phase,) = (phase for phase in rule.phases() if phase.stage == node.kind)
    network = Architecture.from_dict(config["network"])
    return phase.make(network, train, config["seed"], config["device"], inputs.get("before"))


def _poisoned(
    node: Node, data: Dataset, poison: Poison | None, learned: Weights | None
) -> SampleSet:
    """Return the training set, poisoned if a node is made from poison."""
    if poison is None:
        return data.train
    chosen = node.inputs["poison"].config
    trigger = Attack.from_dict(chosen["attack"]).trigger
    return poison.of(data.train, prepared(trigger, data.train, chosen["seed"], learned))


def _defended(
    node: Node,
    stage: Stage,
    train: Dataset,
    poison: Poison | None = None,
    trigger: Weights | None = None,
) -> tuple[Stage, SampleSet, SampleSet]:
    """Return the stage as it is run, and the training set with and without poison."""
    return _asked(node, stage), _poisoned(node, train, poison, trigger), train.train


def _answers(
    node: Node,
    stage: Stage,
    data: Dataset,
    train: Dataset | None = None,
    trigger: Weights | None = None,
) -> NDArray[np.int64]:
    triggered = node.config["trigger"] is not None
    title = f"{stage.name}: {'triggered' if triggered else 'clean'} test"
    shown = _shown(node, data, train, trigger)
    return _asked(node, stage).predict(shown, node.config["seed"], title=title)


def _activity(
    node: Node,
    stage: Stage,
    data: Dataset,
    train: Dataset | None = None,
    trigger: Weights | None = None,
) -> Activity:
    config = node.config
    shown = _shown(node, data, train, trigger)
    return activity(_asked(node, stage), shown, config["samples"], config["seed"])


def _asked(node: Node, stage: Stage) -> Stage:
    """Return the stage as it is to be run."""
    config = node.config
    return replace(
        stage,
        steps=config["steps"],
        encoding=Encoding.from_dict(config["encoding"]),
        readout=Readout.from_dict(config["readout"]),
    ).to(config["device"])


def _shown(node: Node, data: Dataset, train: Dataset | None, learned: Weights | None) -> SampleSet:
    """Return the test set, with the trigger on every sample if the node is about that."""
    if node.config["trigger"] is None:
        return data.test
    trigger = Trigger.from_dict(node.config["trigger"])
    if learned is not None:
        trigger = prepared(trigger, data.train, node.config["seed"], learned)
    elif train is not None:
        trigger = prepared(trigger, train.train, node.config["prepared_with"])
    # Every sample is triggered, so the label rule does not matter here.
    return ChallengeSet(data.test, trigger, AllToOne(), include_target=True)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def packed(node: Node, result: Any) -> dict[str, bytes]:
    """Return a result as files, by name. A stage becomes a victim folder of one stage."""
    if node.kind == "poison":
        files = {_PLAN: json.dumps(result.plan.to_json()).encode()}
        return files | (
            {_DOCTORED: npz({"doctored": result.doctored})} if result.doctored is not None else {}
        )
    if node.kind == "trigger":
        return {_WEIGHTS: packed_weights(result)}
    if node.kind == "activity":
        return kept.packed("activity", (result.layers, result.by_layer, result.by_sample))
    if node.kind in kept.KINDS:
        return kept.packed(node.kind, result)
    return Victim((result,)).to_files()


def unpacked(node: Node, files: dict[str, bytes]) -> Any:
    """Return the result in some files; nothing in them can run code.

    Raises:
        DataError: If they are not what `packed` makes.
    """
    try:
        if node.kind == "poison":
            there = _DOCTORED in files
            doctored = parse_npz_arrays(files[_DOCTORED], _DOCTORED)["doctored"] if there else None
            return Poison(PoisonPlan.from_json(json.loads(files[_PLAN])), doctored)
        if node.kind == "trigger":
            return unpacked_weights(files[_WEIGHTS])
        if node.kind == "activity":
            return Activity(*kept.unpacked(node.kind, files))
        if node.kind in kept.KINDS:
            return kept.unpacked(node.kind, files)
        entry = kept.about(files)
        return stage_from(entry, files[weights_file(entry)])
    except DataError:
        raise
    except (ValueError, LookupError, TypeError, RuntimeError, OSError) as error:
        raise DataError(f"{node.short}: not a readable result ({error})") from error
