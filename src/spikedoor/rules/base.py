"""What every learning rule offers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any

from spikedoor.attack.poisoned import PoisonedSet
from spikedoor.component import Component
from spikedoor.data.base import SampleSet
from spikedoor.registry import Family
from spikedoor.rules.losses import CrossEntropy
from spikedoor.rules.training import Training, train
from spikedoor.snn.networks import Architecture
from spikedoor.victim import Blueprint, Stage, Victim

__all__ = ["RULES", "Rule", "RuleFromANN", "clean_of", "train_ann", "with_notes"]

RULES = Family("rule", home="spikedoor.rules")


class Rule(Component):
    """A supervised learning rule: from a training set, poisoned or not, to a victim."""

    family = RULES

    @abstractmethod
    def fit(
        self,
        network: Architecture,
        data: SampleSet,
        seed: int = 0,
        device: str = "cpu",
        ann: Stage | None = None,
    ) -> Victim:
        """Train a victim.

        Args:
            network: Plan of the network.
            data: Training set. A rule that trains a stage on clean data takes the clean set from
                inside a `PoisonedSet`.
            seed: The run's seed.
            device: Where to train.
            ann: A trained ANN to start from, of a rule with the same ``ann`` settings; rules that
                need none ignore it. It is not changed.
        """


class RuleFromANN(Rule):
    """A rule whose first stage is an ANN; rules with equal ``ann`` can share it."""

    ann: Training = Training()
    """How the ANN is trained."""

    def start(
        self, network: Architecture, data: SampleSet, seed: int, device: str, ann: Stage | None
    ) -> Stage:
        """Return the given ANN, or train one."""
        return train_ann(network, data, self.ann, seed, device) if ann is None else ann


def train_ann(
    network: Architecture, data: SampleSet, how: Training, seed: int, device: str = "cpu"
) -> Stage:
    """Train the network with ReLU activations on cross-entropy."""
    blueprint = Blueprint(network, data.shape, data.classes)
    stage = Stage("ann", blueprint, blueprint.build(seed)).to(device)
    log = train(stage, data, CrossEntropy(), how, seed)
    return with_notes(stage, training=log.to_dict(), seconds=log.seconds)


def with_notes(stage: Stage, **notes: Any) -> Stage:
    """Return the stage with more notes for the record."""
    return replace(stage, notes={**stage.notes, **notes})


def clean_of(data: SampleSet) -> SampleSet:
    """Return the clean set inside a poisoned one, or the set itself."""
    return data.clean if isinstance(data, PoisonedSet) else data
