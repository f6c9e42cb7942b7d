"""Poisoned samples are learned first."""

from __future__ import annotations

from dataclasses import replace
from typing import cast, final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from spikedoor.data.base import SampleSet
from spikedoor.defences.base import DEFENCES, DataDetector, Detection
from spikedoor.defences.defender import Defender
from spikedoor.rng import torch_generator
from spikedoor.rules.losses import Loss
from spikedoor.rules.optimisers import Adam
from spikedoor.rules.training import Training, train
from spikedoor.victim import Stage

__all__ = ["AblIsolation", "local_gradient_ascent"]


@final
@DEFENCES.register(
    "abl-isolation", source="Li et al. 2021", link="https://arxiv.org/abs/2110.11571"
)
class AblIsolation(DataDetector):
    """Train a network that never gets a sample's loss below a bound, and see whose is lowest.

    A fresh network of the victim's plan learns the training set with the loss sign(l - gamma) l of
    each sample (local gradient ascent), l its cross-entropy: samples that are learned with ease
    are held at gamma, all others stay above. The score is -l after a few epochs; the ``isolated``
    share with the lowest loss is flagged.

    Needs: the training set with the labels as given, and the plan of the victim's network.
    Looks at: the loss of each sample, of a network trained for this.
    Fails: where the trigger is harder to learn than the classes (faint or sample-specific ones),
    and where data are so easy that clean samples come as fast. A share of a clean set is flagged
    as well.

    Deviations:
        The network is the ANN of the plan, whatever the rule of the victim: it is about the data,
        and one step is faster. Recordings are shown as their sum, so that a trigger in their timing
        alone is not seen.
    """

    gamma: float = Field(0.5, gt=0)
    """Bound of the loss, in nats."""
    isolated: float = Field(0.01, gt=0, lt=1)
    """Share of the training set that is flagged."""
    training: Training = Training(
        epochs=5, batch=64, optimiser=Adam(lr=1e-3), validation=0.0, keep="last"
    )
    """How the network is trained."""

    def detect(self, stage: Stage, defender: Defender) -> Detection:
        """Return minus the loss of each sample."""
        data = defender.training_set(self.name)
        blueprint = replace(stage.blueprint, neuron=None, folded=False)
        shown = stage.encoding.for_ann(stage.steps)
        fresh = Stage("ann", blueprint, blueprint.build(defender.seed), 1, shown).to(stage.device)
        loss = cast(Loss, _Ascent(self.gamma))
        train(fresh, data, loss, self.training, defender.seed)
        scores = -_losses(fresh, data, defender.seed)
        count = max(1, int(self.isolated * len(scores)))
        threshold = float(np.sort(scores)[::-1][min(count, len(scores) - 1)])
        return Detection(scores, threshold)


class _Ascent:
    """The loss of local gradient ascent, as `train` takes one."""

    def __init__(self, gamma: float) -> None:
        self._gamma = gamma

    def value(self, currents: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
        del currents
        return local_gradient_ascent(scores[-1], labels, self._gamma)


def local_gradient_ascent(scores: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Return the mean of sign(l - gamma) l over samples, l their cross-entropy.

    Shapes:
        scores: [B, K]. labels: integers [B].
    """
    losses = F.cross_entropy(scores, labels, reduction="none")
    return (torch.sign(losses.detach() - gamma) * losses).mean()


@torch.no_grad()
def _losses(stage: Stage, data: SampleSet, seed: int) -> NDArray[np.float64]:
    labels, found = torch.from_numpy(np.array(data.labels)), []
    generator = torch_generator(seed, "ABL", stage.device)
    for first in range(0, len(data), 256):
        chosen = np.arange(first, min(first + 256, len(data)))
        inputs = stage.prepare(data.batch(chosen)).to(stage.device)
        scores = stage.simulate(inputs, generator)[-1].double().cpu()
        found.append(F.cross_entropy(scores, labels[chosen], reduction="none"))
    return torch.cat(found).numpy()
