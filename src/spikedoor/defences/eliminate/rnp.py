"""Make the model forget the classes, see what brings them back, and prune what does not."""

from __future__ import annotations

import time
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from spikedoor.defences.base import DEFENCES, Eliminator
from spikedoor.defences.defender import Defender
from spikedoor.defences.eliminate.base import accuracy
from spikedoor.defences.eliminate.masks import Channels, batches, pruned
from spikedoor.progress import bar
from spikedoor.rules.optimisers import Adam, Optimiser
from spikedoor.victim import Stage

__all__ = ["RNP"]


@final
@DEFENCES.register("rnp", source="Li et al. 2023", link="https://arxiv.org/abs/2305.14876")
class RNP(Eliminator):
    """Unlearn clean samples, ``max_w CE``, then recover them by masks, ``min_m CE(m w)``.

    A copy of the network climbs the loss of clean samples until its accuracy on them is at most
    ``forgotten``. Its weights are then kept, and a mask in [0, 1] of each channel is learned that
    brings the classes back: it falls for channels that stand in their way. Those with a mask below
    a threshold are pruned from the original network. The threshold is the largest one at which
    accuracy on validation samples falls by no more than the tolerance.

    Needs: clean samples with labels, and validation samples to choose the threshold by.
    Looks at: which channels bring back forgotten classes.
    Fails: where unlearning ruins channels of the classes and of the backdoor alike, as it does in
    small networks.

    Deviations:
        The published code chooses the threshold by the success of the attack, which no defender
        knows. Adam in place of SGD, as in `FineTuning`; norms keep their running statistics.
    """

    forgotten: float = Field(0.2, ge=0, lt=1)
    """Accuracy on clean samples at which unlearning ends."""
    unlearning: Optimiser = Adam(lr=1e-3)
    """Of the weights, when they unlearn."""
    epochs: int = Field(20, ge=1)
    """Passes over the clean samples, at most, of unlearning, and of recovering."""
    recovering: Optimiser = Adam(lr=0.05)
    """Of the masks."""
    batch: int = Field(64, ge=1)
    """Samples in a step."""
    tolerance: float = Field(0.05, ge=0, lt=1)
    """Loss of validation accuracy allowed."""

    def repair(self, stage: Stage, defender: Defender) -> Stage:
        """Return the pruned stage.

        Raises:
            ConfigError: If no channel can be pruned.
        """
        start = time.perf_counter()
        unlearned, course = self.unlearn(stage, defender)
        made = pruned(stage, defender, self.masks(unlearned, defender), self.tolerance)
        made.notes["repair"] |= {"unlearned": course, "seconds": time.perf_counter() - start}
        return made

    def unlearn(self, stage: Stage, defender: Defender) -> tuple[Stage, list[float]]:
        """Return a copy that has forgotten the clean samples, and its accuracy epoch by epoch."""
        made, data = stage.copied(), defender.clean
        made.network.eval()
        optimiser = self.unlearning.build(made.network.parameters())
        course: list[float] = []
        steps = -(-len(data) // self.batch)
        shown = batches(made, data, self.batch, self.epochs * steps, defender.seed, "unlearning")
        with bar(f"unlearn {stage.name}", self.epochs * steps) as advance:
            for step, (signal, labels) in enumerate(shown, 1):
                scores = made.readout.scores(made.network(signal))[-1]
                optimiser.zero_grad()
                (-F.cross_entropy(scores, labels)).backward()
                optimiser.step()
                advance()
                if step % steps == 0:
                    course.append(accuracy(made, data, defender.seed).value)
                    if course[-1] <= self.forgotten:
                        break
        optimiser.zero_grad()
        return made, course

    def masks(self, unlearned: Stage, defender: Defender) -> NDArray[np.float32]:
        """Return the masks by which an unlearned stage recovers, [C] as of `Channels`."""
        work, data = unlearned.copied(), defender.clean
        work.network.eval().requires_grad_(False)
        channels = Channels(work.network)
        masks = nn.Parameter(torch.ones(sum(channels.sizes), device=work.device))
        optimiser = self.recovering.build([masks])
        count = self.epochs * -(-len(data) // self.batch)
        shown = batches(work, data, self.batch, count, defender.seed, "recovering")
        with bar(f"recover {unlearned.name}", count) as advance:
            for signal, labels in shown:
                scores = work.readout.scores(channels.currents(signal, masks, masks))[-1]
                optimiser.zero_grad()
                F.cross_entropy(scores, labels).backward()
                optimiser.step()
                with torch.no_grad():
                    masks.clamp_(0, 1)
                advance()
        return masks.detach().cpu().numpy()
