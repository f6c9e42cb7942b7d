"""How a defence is carried out: what it is given, and the truth that its scores are held to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np

from spikedoor.attack.labels import LabelRule
from spikedoor.attack.poisoned import ChallengeSet, PoisonedSet
from spikedoor.attack.triggers.base import Trigger
from spikedoor.attack.triggers.learned import Weights, prepared
from spikedoor.data.base import Dataset, SampleSet
from spikedoor.data.strata import split, spread
from spikedoor.defences import (
    DataDetector,
    Defender,
    Eliminator,
    InputDetector,
    ModelDetector,
)
from spikedoor.defences.inputs import Inputs
from spikedoor.defences.plan import DefencePlan
from spikedoor.metrics.findings import Detected
from spikedoor.rng import generator
from spikedoor.rules import Rule
from spikedoor.snn.networks import Architecture
from spikedoor.study.nodes import Node
from spikedoor.victim import Stage

__all__ = ["detected", "repaired"]


def repaired(node: Node, stage: Stage, train: SampleSet, clean: Any) -> Stage:
    """Return a repaired stage, and what the rest of the rule makes of it.

    Args:
        node: Of kind "repaired".
        stage: The stage to repair, dressed as it is run.
        train: The training set as the victim got it.
        clean: The same before any poisoning.
    """
    config = node.config
    plan, seed = DefencePlan.from_dict(config["defence"]), config["seed"]
    defender = _defender(plan, clean, train, seed)
    made = cast(Eliminator, plan.method).repair(stage, defender)
    phases = Rule.from_dict(node.means["rule"]).phases()
    rest = phases[len(phases) - len(config["rest"]) :]
    network = Architecture.from_dict(config["network"])
    for phase in rest:
        made = phase.make(network, defender.clean, seed, config["device"], made)
    return replace(made, name="repaired")


def detected(
    node: Node,
    stage: Stage,
    train: SampleSet,
    clean: Any,
    test: Dataset | None = None,
    learned: Weights | None = None,
) -> Detected:
    """Return what a detector finds; the truth is put beside it afterwards.

    Args:
        node: Of kind "detection".
        stage: The stage to look at, dressed as it is run.
        train: The training set as the victim got it.
        clean: The same before any poisoning.
        test: The test set, for a detector of inputs.
        learned: What a learned trigger has learned.
    """
    config = node.config
    plan, seed = DefencePlan.from_dict(config["defence"]), config["seed"]
    method, defender = plan.method, _defender(plan, clean, train, seed)
    target = LabelRule.from_dict(config["target"])
    if isinstance(method, InputDetector):
        assert test is not None
        new = test.test
        if plan.clean_from == "test":
            new, defender = _divided(new, plan.clean, seed)
        trigger = prepared(Trigger.from_dict(config["trigger"]), clean, seed, learned)
        shown = ChallengeSet(new, trigger, target)
        chosen = spread(len(new), plan.samples), spread(len(shown), plan.samples)
        inputs = Inputs(new, shown, chosen)
        return Detected(method.detect(stage, defender, inputs), inputs.from_second)
    if isinstance(method, DataDetector):
        poisoned = train.poisoned if isinstance(train, PoisonedSet) else np.zeros(len(train), bool)
        return Detected(method.detect(stage, defender), poisoned)
    found = cast(ModelDetector, method).detect(stage, defender)
    positive = np.zeros(len(found.scores), np.bool_)
    if config["poisoned"]:
        labels = np.asarray(clean.labels)
        wanted = target.targets(labels, len(clean.classes))
        positive[wanted[wanted != labels]] = True
    return Detected(found, positive)


def _defender(plan: DefencePlan, clean: Any, train: SampleSet, seed: int) -> Defender:
    """Return what the plan's defender has; the training set only where the method needs it."""
    known = train if plan.method.needs_training_set else None
    return Defender.of(clean, plan.clean, known, seed)


def _divided(test: Any, share: float, seed: int) -> tuple[Any, Defender]:
    """Return a part of the test set to show to a detector, and a defender who has the rest.

    Raises:
        ConfigError: If the share leaves the defender too few samples, or none to show.
    """
    labels = np.asarray(test.labels)
    shown, drawn = split(labels, round(share * len(labels)), generator(seed, "defender's inputs"))
    return test.subset(shown), Defender.of(test.subset(drawn), 1.0, seed=seed)
