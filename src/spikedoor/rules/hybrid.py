"""LR_H: convert an ANN, then train the spiking network on."""

from __future__ import annotations

from dataclasses import replace
from typing import Self, final

import torch
from pydantic import Field, model_validator

from spikedoor.data.base import SampleSet
from spikedoor.rules.base import RULES, Phase, Source, clean_of, with_notes
from spikedoor.rules.conversion.phases import RuleFromANN
from spikedoor.rules.losses import CrossEntropy, Loss
from spikedoor.rules.optimisers import Adam
from spikedoor.rules.training import Training, train
from spikedoor.snn.activations import Spiking
from spikedoor.snn.networks import Architecture
from spikedoor.snn.neurons import IF, PLIF, Neuron
from spikedoor.snn.surrogate import ATan, Surrogate
from spikedoor.victim import Stage

__all__ = ["Hybrid"]

_TAU = 100.0  # of a leak that is learned, before


@final
@RULES.register("hybrid", "Rathi et al. 2020", "https://arxiv.org/abs/2005.01807")
class Hybrid(RuleFromANN):
    """Train an ANN, balance thresholds, and fine-tune by backpropagation through time (LR_H).

    The published hybrids are settings of this rule:

    * Rathi et al. 2020: ``converter = { name = "spike-norm", reset = "soft", scale = 0.7,
      steps = 1000 }``, ``readout = "last-membrane"``, ``surrogate = "stdb"`` or ``"linear"``,
      ``encoding = "poisson"``, ``steps = 100``, ``finetune.optimiser = { name = "adam",
      amsgrad = true, lr = 1e-4, weight_decay = 5e-4 }``. In the code of the attack that this
      toolkit measures, ``finetune_on = "clean"`` is called Origin, ``"poisoned"``
      Poison_enhanced.
    * DIET-SNN (Rathi and Roy 2020, https://arxiv.org/abs/2008.03658): ``learn_threshold``
      and ``learn_leak``, ``converter = { name = "percentile", p = 99.7 }``,
      ``surrogate = "linear"``, ``steps = 5``.
    * Robust conversion (Özdenizci and Legenstein 2024, https://arxiv.org/abs/2311.09266), without
      its adversarial training: ``converter = { name = "scaled-max", factor = 0.3 }``,
      ``learn_threshold = true``, ``surrogate = "triangle"``, ``steps = 8``.
    * From QCFS (Bu et al. 2022): ``activation = "qcfs"``, ``converter = "qcfs"``; membranes go on
      starting at half the threshold.

    Deviations:
        The paper balances thresholds on spiking input layer by layer; here any converter does it.
        Signed input spikes are not offered, nor DIET-SNN's factor on the percentile. DIET-SNN
        learns threshold V and leak themselves, the leak from 1 on, by the gradient of ``z = h / V -
        1``; here it is the logarithm of V, so that V stays positive, and the log-odds of the leak,
        which stays in (0, 1) and starts at 0.99. A spike keeps its height (theirs is 1) where V
        moves; the initial membrane moves with V.
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
    learn_threshold: bool = False
    """Fine-tune each layer's threshold too."""
    learn_leak: bool = False
    """Fine-tune each layer's leak too, from next to none."""

    @property
    def neuron(self) -> Neuron:
        """Neuron of the fine-tuned network, but for its thresholds."""
        fields = {
            "reset": self.converter.neuron.reset,
            "surrogate": self.surrogate,
            "learn_threshold": self.learn_threshold,
        }
        if self.learn_leak:
            return PLIF(tau=_TAU, decay_input=False, **fields)
        return type(self.converter.neuron)(**fields)

    @model_validator(mode="after")
    def _leaks_where_it_can(self) -> Self:
        if self.learn_leak and not isinstance(self.converter.neuron, IF):
            raise ValueError(
                f"expected learn_leak = false, or a converter other than '{self.converter.name}': "
                f"its neurons ({self.converter.neuron.name}) have no leak to learn"
            )
        return self

    def phases(self) -> tuple[Phase, ...]:
        decided_by = self.settings(
            "finetune", "finetune_on", "loss", "surrogate", "learn_threshold", "learn_leak",
            "steps", "encoding", "readout",
        )  # fmt: skip
        run = self.steps, self.encoding, self.readout
        finetuning = Phase("finetuned", self._finetune, decided_by, self.finetune_on, *run)
        return self.ann_phase(), self.conversion_phase(), finetuning

    def _finetune(
        self, network: Architecture, data: SampleSet, seed: int, device: str, before: Stage | None
    ) -> Stage:
        assert before is not None
        blueprint = replace(before.blueprint, neuron=self.neuron)
        made = blueprint.build(seed).to(before.device)
        made.load_state_dict({**made.state_dict(), **before.network.state_dict()})
        stage = Stage("finetuned", blueprint, made, self.steps, self.encoding, self.readout)
        chosen = data if self.finetune_on == "poisoned" else clean_of(data)
        log = train(stage, chosen, self.loss, self.finetune, seed)
        layers = [module for module in made.modules() if isinstance(module, Spiking)]
        thresholds = [layer.threshold_in_force for layer in layers]
        with torch.no_grad():
            kept = [float(layer.dynamics().keep) for layer in layers]
        learned = {"thresholds": thresholds, "membrane_kept": kept}
        return with_notes(stage, training=log.to_dict(), seconds=log.seconds, **learned)
