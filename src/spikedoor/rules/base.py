"""What every learning rule offers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any

from spikedoor.attack.poisoned import PoisonedSet
from spikedoor.component import Component
from spikedoor.data.base import SampleSet
from spikedoor.registry import Family
from spikedoor.snn.networks import Architecture
from spikedoor.victim import Stage, Victim

__all__ = ["RULES", "Rule", "clean_of", "with_notes"]

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


def with_notes(stage: Stage, **notes: Any) -> Stage:
    """Return the stage with more notes for the record."""
    return replace(stage, notes={**stage.notes, **notes})


def clean_of(data: SampleSet) -> SampleSet:
    """Return the clean set inside a poisoned one, or the set itself."""
    return data.clean if isinstance(data, PoisonedSet) else data
