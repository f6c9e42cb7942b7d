"""Train the model on with clean samples, towards flat minima."""

from __future__ import annotations

from typing import final

from spikedoor.defences.base import DEFENCES, Eliminator
from spikedoor.defences.defender import Defender
from spikedoor.defences.eliminate.base import TRAINING
from spikedoor.defences.eliminate.fine_tuning import FineTuning
from spikedoor.rules.losses import CrossEntropy, Loss
from spikedoor.rules.sharpness import AdaptiveSAM
from spikedoor.rules.training import Training
from spikedoor.victim import Stage

__all__ = ["SharpnessAwareFineTuning"]


@final
@DEFENCES.register("ft-sam", source="Zhu et al. 2023", link="https://arxiv.org/abs/2304.11823")
class SharpnessAwareFineTuning(Eliminator):
    """Fine-tune with adaptive sharpness-aware minimisation: ``min_w max_e L(w + e)``.

    The inner maximum is over ``||e / |w||| <= rho``, so large weights, of which a backdoor is said
    to have many, are perturbed most; see `AdaptiveSAM`.

    Needs: clean samples with labels.
    Looks at: nothing; it trains.
    Fails: where rho is too small to disturb the backdoor; where it is too large for a small network
    accuracy goes too.

    Deviations:
        Adam and batches of 64 in place of SGD and 256, as in `FineTuning`. The norms' running
        statistics are those of the unperturbed weights.
    """

    training: Training = TRAINING.model_copy(update={"optimiser": AdaptiveSAM(lr=1e-3, rho=2.0)})
    """How it is trained; ``training.optimiser.rho`` is the radius."""
    loss: Loss = CrossEntropy(smoothing=0.1)
    """What is minimised."""

    def repair(self, stage: Stage, defender: Defender) -> Stage:
        """Return the stage after training."""
        return FineTuning(training=self.training, loss=self.loss).repair(stage, defender)
