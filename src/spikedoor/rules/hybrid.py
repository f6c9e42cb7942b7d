"""LR_H: convert an ANN, then train the spiking network on."""

from __future__ import annotations

from dataclasses import replace
from typing import final

from pydantic import Field

from spikedoor.data.base import SampleSet
from spikedoor.rules.base import RULES, Phase, Source, clean_of, with_notes
from spikedoor.rules.conversion.phases import RuleFromANN
from spikedoor.rules.losses import CrossEntropy, Loss
from spikedoor.rules.optimisers import Adam
from spikedoor.rules.training import Training, train
from spikedoor.snn.networks import Architecture
from spikedoor.snn.neurons import IF
from spikedoor.snn.surrogate import ATan, Surrogate
from spikedoor.victim import Stage

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

    def phases(self) -> tuple[Phase, ...]:
        decided_by = self.settings(
            "finetune", "finetune_on", "loss", "surrogate", "steps", "encoding", "readout"
        )
        run = self.steps, self.encoding, self.readout
        finetuning = Phase("finetuned", self._finetune, decided_by, self.finetune_on, *run)
        return self.ann_phase(), self.conversion_phase(), finetuning

    def _finetune(
        self, network: Architecture, data: SampleSet, seed: int, device: str, before: Stage | None
    ) -> Stage:
        assert before is not None
        neuron = IF(reset=self.converter.neuron.reset, surrogate=self.surrogate)
        blueprint = replace(before.blueprint, neuron=neuron)
        made = blueprint.build(seed).to(before.device)
        made.load_state_dict(before.network.state_dict())
        stage = Stage("finetuned", blueprint, made, self.steps, self.encoding, self.readout)
        chosen = data if self.finetune_on == "poisoned" else clean_of(data)
        log = train(stage, chosen, self.loss, self.finetune, seed)
        return with_notes(stage, training=log.to_dict(), seconds=log.seconds)
