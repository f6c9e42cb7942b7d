"""Train the model on with clean samples and the attention of a fine-tuned copy."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from spikedoor.defences.base import DEFENCES, Eliminator
from spikedoor.defences.defender import Defender
from spikedoor.defences.eliminate.base import TRAINING
from spikedoor.defences.eliminate.fine_tuning import FineTuning
from spikedoor.errors import ConfigError, hint
from spikedoor.rules.losses import CrossEntropy, Loss
from spikedoor.rules.training import Training, train
from spikedoor.snn.activations import Activation
from spikedoor.snn.signal import Signal
from spikedoor.victim import Stage
from spikedoor.victim.watched import Looks, watched

__all__ = ["NAD"]

_LAYERS = 3  # looked at by default


@final
@DEFENCES.register("nad", source="Li et al. 2021, NAD", link="https://arxiv.org/abs/2101.05930")
class NAD(Eliminator):
    """Distil the attention of a fine-tuned copy: ``CE + beta sum_l mean (A_l - A'_l) ** 2``.

    ``A = sum_c |F_c| ** p``, divided by its Euclidean norm over the pixels, is where a layer looks;
    F is the mean over time of its activation or of its membrane before the reset. The copy (A') is
    the teacher, the stage itself the student; the mean runs over samples and pixels.

    Needs: clean samples with labels.
    Looks at: maps of the last three layers that have any, unless others are chosen.
    Fails: where the teacher keeps the backdoor, so whenever fine-tuning has no effect at all, and
    where triggered and clean samples draw attention to the same pixels (blended triggers).

    Deviations:
        One beta for all layers, in place of 500 for the first. Teacher and student are trained as
        long as by fine-tuning, in place of 10 epochs, which are few steps for a small set.
    """

    layers: tuple[str, ...] | None = None
    """Paths of the activations looked at; by default the last three that have maps."""
    looks_at: Looks = "activation"
    """What the attention is of. Of an ANN "membrane" is the pre-activation."""
    p: float = Field(2.0, ge=1)
    """Exponent of the attention."""
    beta: float = Field(1000.0, ge=0)
    """Weight of the distance."""
    training: Training = TRAINING
    """How teacher and student are trained."""
    loss: Loss = CrossEntropy()
    """What both minimise, besides the distance."""

    def repair(self, stage: Stage, defender: Defender) -> Stage:
        """Return the student.

        Raises:
            ConfigError: If a layer is none of the network's, or has no maps.
        """
        paths = self._paths(stage, defender)
        teacher = FineTuning(training=self.training, loss=self.loss).repair(stage, defender)
        student = stage.copied()

        with watched(student.network, paths, self.looks_at) as seen:

            def distance(signal: Signal) -> Tensor:
                with torch.no_grad(), watched(teacher.network, paths, self.looks_at) as wanted:
                    teacher.network(signal)
                pairs = ((self._attention(seen[x]), self._attention(wanted[x])) for x in paths)
                parts = [(ours - theirs).square().mean() for ours, theirs in pairs]
                return self.beta * torch.stack(parts).sum()

            log = train(student, defender.clean, self.loss, self.training, defender.seed, distance)
        student.notes["repair"] = {
            "layers": list(paths),
            "training": log.to_dict(),
            "teacher": teacher.notes["repair"]["training"],
            "seconds": log.seconds + teacher.notes["repair"]["seconds"],
        }
        return student

    def _attention(self, maps: Tensor) -> Tensor:
        """Return where a layer looks: [B, H W] from [B, C, H, W], each row of length 1."""
        found = maps.abs().pow(self.p).sum(1).flatten(1)
        return found / found.norm(dim=1, keepdim=True).clamp(min=1e-6)

    @torch.no_grad()
    def _paths(self, stage: Stage, defender: Defender) -> tuple[str, ...]:
        """Return the layers looked at, found by showing one sample."""
        modules = stage.network.named_modules()
        known = [name for name, module in modules if isinstance(module, Activation)]
        for name in self.layers or ():
            if name not in known:
                raise ConfigError(f"stage '{stage.name}' has no layer '{name}'{hint(name, known)}")
        with watched(stage.network, known, self.looks_at) as seen:
            _, inputs, generator = next(stage.batches(defender.clean, defender.seed, np.arange(1)))
            stage.network(stage.encode(inputs, generator))
        maps = [x for x in known if seen[x].dim() == 4 and seen[x][0, 0].numel() > 1]
        chosen = tuple(maps[-_LAYERS:]) if self.layers is None else self.layers
        if not chosen or not set(chosen) <= set(maps):
            raise ConfigError(
                f"nad: expected layers with maps of several pixels ({', '.join(maps) or 'none'}), "
                f"got {', '.join(chosen) or 'none'}"
            )
        return chosen
