"""An eliminator of your own: forget the last layer, and train the network on clean samples."""

from __future__ import annotations

from typing import final

import torch

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
    """Draw the head's weights anew, then train the whole network with clean samples.

    The head is what reads a class from the last layer. A new one knows nothing of the trigger, and
    what it learns to read, it learns from clean samples.

    Needs: clean samples with labels.
    Looks at: nothing; it trains.
    Fails: where the layers before turn a trigger into features of the target class, which the new
    head learns to read as well; it costs accuracy where clean samples are few.
    """

    training: Training = Training(
        epochs=30, batch=64, optimiser=Adam(lr=1e-3), keep="last", validation=0.0
    )
    """How it is trained."""

    def repair(self, stage: Stage, defender: Defender) -> Stage:
        """Return the stage with another head, trained."""
        made = stage.copied()
        weight = made.network.head.layer.weight
        random = torch_generator(defender.seed, "my-eliminator: new head")
        with torch.no_grad():
            bound = weight.shape[1] ** -0.5
            drawn = (2 * torch.rand(weight.shape, generator=random) - 1) * bound
            weight.copy_(drawn.to(weight.device))
        log = train(made, defender.clean, CrossEntropy(), self.training, defender.seed)
        made.notes["repair"] = {"training": log.to_dict(), "seconds": log.seconds}
        return made
