"""Prune the channels that are easily made to misbehave by perturbing them."""

from __future__ import annotations

import time
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from spikedoor.defences.base import DEFENCES, Eliminator
from spikedoor.defences.defender import Defender
from spikedoor.defences.eliminate.masks import Channels, batches, pruned
from spikedoor.defences.layers import neurons
from spikedoor.progress import bar
from spikedoor.rng import torch_generator
from spikedoor.rules.optimisers import Adam, Optimiser
from spikedoor.snn.signal import Signal
from spikedoor.victim import Stage

__all__ = ["ANP"]


@final
@DEFENCES.register("anp", source="Wu and Wang 2021", link="https://arxiv.org/abs/2110.14430")
class ANP(Eliminator):
    """Learn masks ``min_m alpha L(m w, m b) + (1 - alpha) max_{d, x} L((m + d) w, (m + x) b)``.

    w and b make the current of a channel; d and x, a number a channel each, are at most ``epsilon``
    and found anew for each batch. The mask m in [0, 1] of a channel falls if the loss does so.
    Channels whose mask is below a threshold are pruned; it is the largest one at which accuracy on
    validation samples falls by no more than the tolerance.

    With ``neurons``, the threshold V of each spiking layer is perturbed too, to ``(1 + z) V``: for
    backdoors that live in V.

    Needs: clean samples with labels, and validation samples to choose the threshold by.
    Looks at: the loss of clean samples while channels are perturbed.
    Fails: where the backdoor shares its channels with the classes, as in small networks, so that
    accuracy goes first.

    Deviations:
        The published code chooses the threshold by the success of the attack, which no defender
        knows. A pruned channel loses its bias too, so the mask is on b. Adam and 200 steps in place
        of SGD and 2000: the size of surrogate gradients depends on neurons and depth, and in more
        steps the masks of a small network without norms all reach 0.
    """

    epsilon: float = Field(0.4, ge=0, lt=1)
    """Largest perturbation, a share of weight, bias and threshold."""
    alpha: float = Field(0.2, ge=0, le=1)
    """Weight of the loss without a perturbation."""
    ascents: int = Field(1, ge=1)
    """Steps by which a perturbation is found, each of ``epsilon / ascents``, from a random one."""
    iterations: int = Field(200, ge=1)
    """Steps of the masks."""
    batch: int = Field(64, ge=1)
    """Samples in a step."""
    optimiser: Optimiser = Adam(lr=0.01)
    """Of the masks."""
    neurons: bool = False
    """Perturb the neurons' thresholds too ("ANP-neuron")."""
    tolerance: float = Field(0.05, ge=0, lt=1)
    """Loss of validation accuracy allowed."""

    def repair(self, stage: Stage, defender: Defender) -> Stage:
        """Return the pruned stage.

        Raises:
            ConfigError: If no channel can be pruned, or thresholds are to be perturbed that
                are not there or not ours.
        """
        if self.neurons:
            neurons(stage, "anp with neurons = true")
        start = time.perf_counter()
        made = pruned(stage, defender, self.masks(stage, defender), self.tolerance)
        made.notes["repair"]["seconds"] = time.perf_counter() - start
        return made

    def masks(self, stage: Stage, defender: Defender) -> NDArray[np.float32]:
        """Return the mask of each channel, [C] as of `Channels`."""
        work = stage.copied()
        work.network.eval().requires_grad_(False)
        loss = _Loss(work, self.neurons)
        masks = nn.Parameter(torch.ones(loss.count, device=work.device))
        optimiser = self.optimiser.build([masks])
        noise = torch_generator(defender.seed, "perturbation of anp", work.device)
        shown = batches(work, defender.clean, self.batch, self.iterations, defender.seed, "anp")
        with bar(f"anp of {stage.name}", self.iterations) as advance:
            for signal, labels in shown:
                worst = self._worst(loss, signal, labels, masks.detach(), noise)
                plain = loss(signal, labels, masks, loss.none)
                perturbed = loss(signal, labels, masks, worst)
                optimiser.zero_grad()
                (self.alpha * plain + (1 - self.alpha) * perturbed).backward()
                optimiser.step()
                with torch.no_grad():
                    masks.clamp_(0, 1)
                advance()
        return masks.detach().cpu().numpy()

    def _worst(
        self, loss: _Loss, signal: Signal, labels: Tensor, masks: Tensor, noise: torch.Generator
    ) -> Tensor:
        """Return the perturbation after its ascent."""
        draw = torch.rand(loss.none.shape, generator=noise, device=masks.device)
        found = self.epsilon * (2 * draw - 1)
        for _ in range(self.ascents):
            found.requires_grad_()
            (slope,) = torch.autograd.grad(loss(signal, labels, masks, found), found)
            found = found.detach() + self.epsilon / self.ascents * slope.sign()
            found = found.clamp(-self.epsilon, self.epsilon)
        return found


class _Loss:
    """Cross-entropy of a stage as a function of masks and perturbation."""

    def __init__(self, stage: Stage, neurons: bool) -> None:
        self._stage, self._neurons = stage, neurons
        self._channels = Channels(stage.network)
        self._sizes = torch.tensor(self._channels.sizes, device=stage.device)
        self.count = sum(self._channels.sizes)
        layers = len(self._sizes) if neurons else 0
        self.none = torch.zeros(2 * self.count + layers, device=stage.device)
        """No perturbation; one is that of weights, of biases, and of thresholds if any."""

    def __call__(
        self, signal: Signal, labels: Tensor, masks: Tensor, perturbation: Tensor
    ) -> Tensor:
        weight, bias = (masks + part for part in perturbation[: 2 * self.count].chunk(2))
        if self._neurons:  # a neuron of threshold (1 + z) V is one of V with its input divided
            stretch = 1 + perturbation[2 * self.count :].repeat_interleave(self._sizes)
            weight, bias = weight / stretch, bias / stretch
        currents = self._channels.currents(signal, weight, bias)
        return F.cross_entropy(self._stage.readout.scores(currents)[-1], labels)
