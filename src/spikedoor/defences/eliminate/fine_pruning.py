"""Prune the channels that clean samples do not use, then train the model on."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spikedoor.defences.base import DEFENCES, Eliminator
from spikedoor.defences.defender import Defender
from spikedoor.defences.eliminate.base import TRAINING, accuracy
from spikedoor.defences.layers import Layer, layers
from spikedoor.errors import ConfigError, hint
from spikedoor.progress import bar
from spikedoor.rules.losses import CrossEntropy, Loss
from spikedoor.rules.training import Training, train
from spikedoor.victim import Stage
from spikedoor.victim.features import features

__all__ = ["FinePruning"]


@final
@DEFENCES.register(
    "fine-pruning", source="Liu et al. 2018", link="https://arxiv.org/abs/1805.12185"
)
class FinePruning(Eliminator):
    """Prune channels in the order of their mean clean firing rate, then fine-tune.

    The channels of one layer are ranked by their rate on clean samples (of an ANN, by their mean
    activation). They are pruned one after the other, the most silent first, for as long as accuracy
    on the validation samples is at least ``before - tolerance``. The rest is trained on, in which
    the pruned ones stay silent.

    Needs: clean samples with labels, and validation samples to stop by.
    Looks at: firing rates of the last convolution's neurons, unless another layer is chosen.
    Fails: where the backdoor uses neurons that clean samples use too, or other layers.

    Deviations:
        Tolerance of 10 points, as BackdoorBench has it, on validation samples in place of its test
        set.
    """

    layer: str | None = None
    """Path of the activation whose channels are pruned; by default that of the last convolution."""
    tolerance: float = Field(0.1, ge=0, lt=1)
    """Loss of validation accuracy allowed to pruning."""
    step: int = Field(1, ge=1)
    """Channels pruned at a time."""
    training: Training = TRAINING
    """How it is trained after pruning; no epochs, and it is only pruned."""
    loss: Loss = CrossEntropy()
    """What training minimises."""

    def repair(self, stage: Stage, defender: Defender) -> Stage:
        """Return the stage, pruned and trained.

        Raises:
            ConfigError: If there is no such layer.
        """
        path = self._layer(stage).path
        rates = features(
            stage, defender.clean, "activation", path, channels=True, seed=defender.seed
        )
        order = np.argsort(rates.mean(0, dtype=np.float64), kind="stable")
        count, course = self._count(stage, defender, order)
        pruned = order[:count]
        made = stage.copied()
        layer = self._layer(made)
        layer.prune(pruned)
        with layer.held(pruned):
            log = train(made, defender.clean, self.loss, self.training, defender.seed)
        made.notes["repair"] = {
            "layer": path,
            "pruned": [int(channel) for channel in pruned],
            "channels": len(order),
            "validation": course,
            "training": log.to_dict(),
            "seconds": log.seconds,
        }
        return made

    def _layer(self, stage: Stage) -> Layer:
        known = {layer.path: layer for layer in layers(stage.network)}
        if self.layer is not None:
            if self.layer not in known:
                found = f"stage '{stage.name}' has no layer '{self.layer}' that can be pruned"
                raise ConfigError(f"{found}{hint(self.layer, list(known))}")
            return known[self.layer]
        maps = [layer for layer in known.values() if layer.maps]
        if not maps:
            raise ConfigError(
                f"stage '{stage.name}' has no convolution whose channels can be pruned; set layer "
                f"to one of {', '.join(known) or 'none'}"
            )
        return maps[-1]

    def _count(
        self, stage: Stage, defender: Defender, order: NDArray[np.integer]
    ) -> tuple[int, list[float]]:
        """Return how many channels may go, and the accuracy after each try, from none on."""
        trial = stage.copied()
        layer = self._layer(trial)
        course = [accuracy(trial, defender.validation, defender.seed).value]
        count = 0
        with bar("prune", len(order)) as advance:
            for tried in range(self.step, len(order), self.step):
                layer.prune(order[:tried])
                course.append(accuracy(trial, defender.validation, defender.seed).value)
                if course[-1] < course[0] - self.tolerance:
                    break
                count = tried
                advance(self.step)
        return count, course
