"""An eliminator of your own: forget the last layers, and learn them again from clean samples."""

from __future__ import annotations

from typing import final

import torch
from pydantic import Field

from spikedoor.defences import DEFENCES, Defender, Eliminator
from spikedoor.rng import torch_generator
from spikedoor.rules import Training
from spikedoor.rules.losses import CrossEntropy
from spikedoor.rules.optimisers import Adam
from spikedoor.rules.training import train
from spikedoor.victim import Stage

__all__ = ["MyEliminator"]


@final
@DEFENCES.register("my-eliminator")
class MyEliminator(Eliminator):
    """Draw the weights of the last layers anew, then train the whole network with clean samples.

    Weights are uniform within 1 / sqrt(fan-in), as those of a new network. What the last layers
    made of a trigger is forgotten, and what they learn, they learn from clean samples.

    Needs: clean samples with labels.
    Looks at: nothing; it trains.
    Fails: where the layers before turn a trigger into features of the target class; where clean
    samples are few, it costs accuracy.
    """

    hidden: int = Field(1, ge=0)
    """Number of layers before the head that are drawn anew with it."""
    training: Training = Training(
        epochs=30, batch=64, optimiser=Adam(lr=5e-3), keep="last", validation=0.0
    )
    """How it is trained."""

    def repair(self, stage: Stage, defender: Defender) -> Stage:
        """Return the stage with other last layers, trained."""
        made = stage.copied()
        random = torch_generator(defender.seed, "my-eliminator: new weights")
        layers = [synapse.layer for synapse in made.network.synapses()]
        with torch.no_grad():
            for layer in (*layers[len(layers) - self.hidden :], made.network.head.layer):
                weight = layer.weight
                drawn = 2 * torch.rand(weight.shape, generator=random) - 1
                weight.copy_(drawn.to(weight.device) * weight[0].numel() ** -0.5)
        log = train(made, defender.clean, CrossEntropy(), self.training, defender.seed)
        made.notes["repair"] = {"training": log.to_dict(), "seconds": log.seconds}
        return made
