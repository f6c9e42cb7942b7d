"""What every learning rule offers: the phases it consists of, and the victim they lead to."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from spikedoor.attack.poisoned import PoisonedSet
from spikedoor.component import Component
from spikedoor.data.base import SampleSet
from spikedoor.registry import Family
from spikedoor.rules.training import Training
from spikedoor.snn.encoding import Direct, Encoding
from spikedoor.snn.networks import Architecture
from spikedoor.snn.readout import MeanCurrent, Readout
from spikedoor.victim import Stage, StageName, Victim

if TYPE_CHECKING:
    from spikedoor.data.source import DataSource

__all__ = ["RULES", "Make", "Phase", "Rule", "Source", "clean_of", "with_notes"]

RULES = Family("rule", home="spikedoor.rules")

Source = Literal["poisoned", "clean"]

Make = Callable[[Architecture, SampleSet, int, str, Stage | None], Stage]
"""From network plan, training set, seed, device and the stage before to the new stage."""


@dataclass(frozen=True)
class Phase:
    """One step of a rule: what makes a stage from the one before, and what decides its weights.

    Args:
        stage: Name of the stage it makes.
        make: Makes it; the stage before is not changed.
        decided_by: Plain values of all settings that the weights depend on, besides network, data,
            seed, device and the stage before. Equal values must mean equal weights.
        source: Whether it learns from the training set as it is, or from its clean original.
        steps, encoding, readout: How the finished network is run.
    """

    stage: StageName
    make: Make
    decided_by: dict[str, Any]
    source: Source = "poisoned"
    steps: int = 1
    encoding: Encoding = field(default_factory=Direct)
    readout: Readout = field(default_factory=MeanCurrent)

    @property
    def run(self) -> dict[str, Any]:
        """How the finished network is run, as plain values."""
        return {
            "steps": self.steps,
            "encoding": self.encoding.to_dict(),
            "readout": self.readout.to_dict(),
        }

    def dressed(self, stage: Stage) -> Stage:
        """Return a stage with the weights of this phase, made by a rule that runs it otherwise."""
        return replace(stage, steps=self.steps, encoding=self.encoding, readout=self.readout)


class Rule(Component):
    """A supervised learning rule: from a training set, poisoned or not, to a victim."""

    family = RULES

    @abstractmethod
    def phases(self) -> tuple[Phase, ...]:
        """Return the phases in order; each gives one stage of the victim."""

    def check(self, network: Architecture, data: SampleSet) -> None:
        """Refuse a network that the rule cannot train, before any training.

        Raises:
            ConfigError: Naming what is in the way.
        """

    def check_samples(self, samples: SampleSet | DataSource) -> None:
        """Refuse samples that its encoding or its augmentations are not made for.

        Args:
            samples: A set of them, or a source, whose files need not be there.

        Raises:
            ConfigError: Naming both, and what to set.
        """
        for phase in reversed(self.phases()):
            phase.encoding.check(samples, phase.steps)
        for name in type(self).model_fields:
            if isinstance(how := getattr(self, name), Training):
                how.check(samples)

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
            data: Training set. A phase that learns from clean data takes the clean set from
                inside a `PoisonedSet`.
            seed: The run's seed.
            device: Where to train.
            ann: A trained ANN to start from, of a rule with the same ``ann`` and ``activation``;
                rules that need none ignore it. It is not changed.

        Raises:
            ConfigError: If `check` refuses the network, or `check_samples` the training set.
        """
        self.check_samples(clean_of(data))
        self.check(network, data)
        stages: list[Stage] = []
        for phase in self.phases():
            if phase.stage == "ann" and ann is not None:
                stages.append(ann)
            else:
                before = stages[-1] if stages else None
                stages.append(phase.make(network, data, seed, device, before))
        return Victim(tuple(stages))

    def settings(self, *names: str) -> dict[str, Any]:
        """Return some of the fields as plain values, with the rule's own name left out."""
        plain = self.to_dict()
        return {name: plain[name] for name in names}


def with_notes(stage: Stage, **notes: Any) -> Stage:
    """Return the stage with more notes for the record."""
    return replace(stage, notes={**stage.notes, **notes})


def clean_of(data: SampleSet) -> SampleSet:
    """Return the clean set inside a poisoned one, or the set itself."""
    return data.clean if isinstance(data, PoisonedSet) else data
