"""No spikes: the ANN alone, as most of the literature on backdoors has it."""

from __future__ import annotations

from typing import Self, final

from pydantic import model_validator

from spikedoor.data.base import SampleSet
from spikedoor.rules.base import RULES, Phase, Rule
from spikedoor.rules.conversion.phases import ann_phase, train_ann
from spikedoor.rules.losses import CrossEntropy, Loss
from spikedoor.rules.training import Training
from spikedoor.snn.encoding import Direct, Encoding
from spikedoor.snn.networks import Architecture
from spikedoor.snn.rectifiers import Nonlinearity, ReLU
from spikedoor.victim import Stage

__all__ = ["ANN"]


@final
@RULES.register("ann")
class ANN(Rule):
    """Train the network as an ANN and stop there: no spiking network, no learning rule of one.

    It is what published numbers for ANNs are compared with, and the reference of the other rules.
    Those that begin with an ANN take this one, where training and activation are equal.
    """

    training: Training = Training()
    """How it is trained."""
    activation: Nonlinearity = ReLU()
    """Activation."""
    loss: Loss = CrossEntropy()
    """What is minimised."""

    encoding: Encoding = Direct()
    """From sample to input: an image, or a recording of events (``frames``)."""

    @model_validator(mode="after")
    def _is_shown_a_mean(self) -> Self:
        if (shown := self.encoding.for_ann(1)).name != self.encoding.name:
            raise ValueError(
                f"an ANN has one step: expected encoding = '{shown.name}', got "
                f"'{self.encoding.name}'"
            )
        return self

    def phases(self) -> tuple[Phase, ...]:
        decided_by = self.settings("training", "activation")
        if self.loss != CrossEntropy():
            decided_by |= self.settings("loss")
        return (ann_phase(self._train, decided_by, self.encoding.for_ann(1)),)

    def _train(
        self, network: Architecture, data: SampleSet, seed: int, device: str, before: Stage | None
    ) -> Stage:
        how = self.training, seed, device, self.activation, self.loss, self.encoding.for_ann(1)
        return train_ann(network, data, *how)
