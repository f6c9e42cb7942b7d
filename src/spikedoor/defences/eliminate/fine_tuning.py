"""Train the model on with clean samples."""

from __future__ import annotations

from typing import final

from spikedoor.defences.base import DEFENCES, Eliminator
from spikedoor.defences.defender import Defender
from spikedoor.defences.eliminate.base import copied
from spikedoor.rules.losses import CrossEntropy, Loss
from spikedoor.rules.optimisers import Adam
from spikedoor.rules.training import Training, train
from spikedoor.victim import Stage

__all__ = ["FineTuning"]


@final
@DEFENCES.register("fine-tuning")
class FineTuning(Eliminator):
    """Train all weights on with the defender's clean samples.

    Spiking stages are trained by backpropagation through time with their neurons' surrogate.

    Needs: clean samples with labels.
    Looks at: nothing; it trains.
    Fails: where the trigger and the clean features share few weights, so that clean samples leave
    the backdoor alone (blended triggers, small learning rates), or where samples are too few.
    """

    training: Training = Training(
        epochs=20, batch=64, optimiser=Adam(lr=1e-3), keep="last", validation=0.0
    )
    """How it is trained; nothing is held out, as the defender has samples to choose by."""
    loss: Loss = CrossEntropy()
    """What is minimised."""

    def repair(self, stage: Stage, defender: Defender) -> Stage:
        """Return the stage after training."""
        made = copied(stage)
        log = train(made, defender.clean, self.loss, self.training, defender.seed)
        made.notes["repair"] = {"training": log.to_dict(), "seconds": log.seconds}
        return made
