"""LR_B: train the spiking network itself by backpropagation through time."""

from __future__ import annotations

from typing import final

from pydantic import Field

from spikedoor.data.base import SampleSet
from spikedoor.rules.base import RULES, Phase, Rule, with_notes
from spikedoor.rules.losses import CrossEntropy, Loss
from spikedoor.rules.training import Training, train
from spikedoor.snn.encoding import Direct as DirectEncoding
from spikedoor.snn.encoding import Encoding
from spikedoor.snn.networks import Architecture
from spikedoor.snn.neurons import LIF, Neuron
from spikedoor.snn.readout import MeanCurrent, Readout
from spikedoor.victim import Blueprint, Stage

__all__ = ["Direct"]


@final
@RULES.register("direct", "Wu et al. 2018, STBP", "https://arxiv.org/abs/1706.02609")
class Direct(Rule):
    """Surrogate-gradient backpropagation through time (LR_B)."""

    steps: int = Field(4, ge=1)
    """Time steps T."""
    neuron: Neuron = LIF()
    """Neuron model."""
    encoding: Encoding = DirectEncoding()
    """From sample to current: an image, or a recording of events."""
    readout: Readout = MeanCurrent()
    """From head to scores."""
    loss: Loss = CrossEntropy()
    """What is minimised."""
    training: Training = Training()
    """How it is trained."""

    def phases(self) -> tuple[Phase, ...]:
        decided_by = self.settings(*type(self).model_fields)
        run = self.steps, self.encoding, self.readout
        return (Phase("direct", self._train, decided_by, "poisoned", *run),)

    def _train(
        self, network: Architecture, data: SampleSet, seed: int, device: str, before: Stage | None
    ) -> Stage:
        blueprint = Blueprint(network, self.encoding.shape(data), data.classes, self.neuron)
        made = blueprint.build(seed)
        stage = Stage("direct", blueprint, made, self.steps, self.encoding, self.readout)
        stage = stage.to(device)
        log = train(stage, data, self.loss, self.training, seed)
        return with_notes(stage, training=log.to_dict(), seconds=log.seconds)
