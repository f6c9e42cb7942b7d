"""LR_H: convert an ANN, then train the spiking network on."""

from __future__ import annotations

from dataclasses import replace
from typing import final

from pydantic import Field

from spikedoor.data.base import SampleSet
from spikedoor.rules.base import RULES, clean_of, with_notes
from spikedoor.rules.conversion.stages import RuleFromANN, Source
from spikedoor.rules.losses import CrossEntropy, Loss
from spikedoor.rules.optimisers import Adam
from spikedoor.rules.training import Training, train
from spikedoor.snn.networks import Architecture
from spikedoor.snn.neurons import IF
from spikedoor.snn.surrogate import ATan, Surrogate
from spikedoor.victim import Stage, Victim

__all__ = ["Hybrid"]


@final
@RULES.register("hybrid", "Rathi et al. 2020", "https://arxiv.org/abs/2005.01807")
class Hybrid(RuleFromANN):
    """Train an ANN, balance thresholds, and fine-tune by backpropagation through time (LR_H).

    Deviations:
        The paper balances thresholds on spiking input layer by layer; here any converter does it.
    """

    steps: int = Field(4, ge=1)
    """Time steps T of both spiking stages."""
    finetune: Training = Training(epochs=3, optimiser=Adam(lr=1e-4))
    """How the spiking network is fine-tuned."""
    finetune_on: Source = "poisoned"
    """Fine-tune on the training set as it is, or on its clean original."""
    loss: Loss = CrossEntropy()
    """What fine-tuning minimises."""
    surrogate: Surrogate = ATan()
    """Derivative that stands in for the spike's."""

    def fit(
        self,
        network: Architecture,
        data: SampleSet,
        seed: int = 0,
        device: str = "cpu",
        ann: Stage | None = None,
    ) -> Victim:
        first, second = self.ann_and_converted(network, data, seed, device, ann)
        return Victim((first, second, self._finetuned(second, data, seed)))

    def _finetuned(self, converted: Stage, data: SampleSet, seed: int) -> Stage:
        neuron = IF(reset="soft", surrogate=self.surrogate)
        blueprint = replace(converted.blueprint, neuron=neuron)
        network = blueprint.build(seed).to(converted.device)
        network.load_state_dict(converted.network.state_dict())
        stage = replace(converted, name="finetuned", blueprint=blueprint, network=network, notes={})
        chosen = data if self.finetune_on == "poisoned" else clean_of(data)
        log = train(stage, chosen, self.loss, self.finetune, seed)
        return with_notes(stage, training=log.to_dict(), seconds=log.seconds)
