"""Train the model on with clean samples."""

from __future__ import annotations

from typing import final

from spikedoor.defences.base import DEFENCES, Eliminator
from spikedoor.defences.defender import Defender
from spikedoor.defences.eliminate.base import TRAINING
from spikedoor.rules.losses import CrossEntropy, Loss
from spikedoor.rules.training import Training, train
from spikedoor.victim import Stage

__all__ = ["FineTuning"]


@final
@DEFENCES.register(
    "fine-tuning", source="Wu et al. 2022, BackdoorBench", link="https://arxiv.org/abs/2206.12654"
)
class FineTuning(Eliminator):
    """Train all weights on with the defender's clean samples.

    Spiking stages are trained by backpropagation through time with their neurons' surrogate.

    Needs: clean samples with labels.
    Looks at: nothing; it trains.
    Fails: where the trigger and the clean features share few weights, so that clean samples leave
    the backdoor alone (blended triggers, small learning rates), or where samples are too few.

    Deviations:
        Adam and batches of 64 in place of SGD and 256, for the sake of spiking stages.
    """

    training: Training = TRAINING
    """How it is trained."""
    loss: Loss = CrossEntropy()
    """What is minimised."""

    def repair(self, stage: Stage, defender: Defender) -> Stage:
        """Return the stage after training."""
        made = stage.copied()
        log = train(made, defender.clean, self.loss, self.training, defender.seed)
        made.notes["repair"] = {"training": log.to_dict(), "seconds": log.seconds}
        return made
