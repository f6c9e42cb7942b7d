"""A learning rule of your own: few time steps first, more of them after."""

from __future__ import annotations

from typing import final

from pydantic import Field

from spikedoor.data.base import SampleSet
from spikedoor.rules import RULES, Rule, Training
from spikedoor.rules.base import Phase, with_notes
from spikedoor.rules.losses import CrossEntropy
from spikedoor.rules.training import train
from spikedoor.snn.encoding import Direct
from spikedoor.snn.networks import Architecture
from spikedoor.snn.neurons import LIF, Neuron
from spikedoor.victim import Blueprint, Stage

__all__ = ["MyRule"]


@final
@RULES.register("my-rule")
class MyRule(Rule):
    """Backpropagation through time, first with few time steps, then with more.

    The weights after ``first_steps`` are where training with ``steps`` begins: most of the epochs
    cost less, and the last ones see the T that the victim runs with.
    """

    steps: int = Field(4, ge=1)
    """Time steps T of the victim."""
    first_steps: int = Field(2, ge=1)
    """Time steps of the first training."""
    neuron: Neuron = LIF()
    """Neuron model."""
    training: Training = Training()
    """How it is trained with few steps."""
    then: Training = Training(epochs=1)
    """How it is trained after that."""

    def phases(self) -> tuple[Phase, ...]:
        """Return the one phase; all fields decide its weights."""
        decided_by = self.settings(*type(self).model_fields)
        return (Phase("direct", self._train, decided_by, steps=self.steps),)

    def _train(
        self, network: Architecture, data: SampleSet, seed: int, device: str, before: Stage | None
    ) -> Stage:
        blueprint = Blueprint(network, Direct().shape(data), data.classes, self.neuron)
        made, seconds = blueprint.build(seed), 0.0
        for steps, how in ((self.first_steps, self.training), (self.steps, self.then)):
            stage = Stage("direct", blueprint, made, steps).to(device)
            log = train(stage, data, CrossEntropy(), how, seed)
            seconds += log.seconds
        return with_notes(stage, training=log.to_dict(), seconds=seconds)
