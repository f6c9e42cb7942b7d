"""Unlearn what one perturbation of all samples can do to the model."""

from __future__ import annotations

import math
import time
from typing import Any, final

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from spikedoor.defences.base import DEFENCES, Eliminator
from spikedoor.defences.defender import Defender
from spikedoor.errors import ConfigError
from spikedoor.progress import bar
from spikedoor.rng import generator, torch_generator
from spikedoor.rules.optimisers import Adam, Optimiser
from spikedoor.snn.kernels import use
from spikedoor.victim import Stage

__all__ = ["IBAU"]

_SHOWN = 512  # samples whose deviation is taken


@final
@DEFENCES.register("i-bau", source="Zeng et al. 2022", link="https://arxiv.org/abs/2110.03735")
class IBAU(Eliminator):
    """Minimax ``min_w max_d E CE(f(x + sd), y)``, by implicit hypergradients.

    d has at most ``radius`` a pixel (root mean square), in units of the inputs' standard deviation
    s. In each round it is found from 0 on by gradient ascent, one step a batch, on ``CE - decay
    d^2``.
    The weights then take one step a batch along ``dH/dw + q dS/dw``: H is the loss on the batch, a
    share of which is perturbed, S a descent step of d, and q the solution of ``q = dH/dd + q
    dS/dd``, by fixed-point iterations. Derivatives of spikes, the second ones too, are those of the
    neurons' surrogate.

    Needs: clean samples with labels.
    Looks at: the loss of samples with one perturbation added to all, on pixels or on frames.
    Fails: against triggers far from any small addition (warping), where the radius is below the
    trigger's norm, or where surrogate gradients are too coarse to find d.

    Deviations:
        Norms keep their running statistics. Half of a batch is perturbed, in place of 1 %; more
        rounds and larger steps of the weights, as a small set has few batches. A perturbation of
        events is added to the frames and not rounded.
    """

    rounds: int = Field(20, ge=1)
    """Times that d is found and unlearned."""
    batch: int = Field(64, ge=2)
    """Samples in a step."""
    optimiser: Optimiser = Adam(lr=1e-3)
    """Of the weights."""
    rate: float = Field(10.0, gt=0)
    """Step size of the ascent."""
    radius: float = Field(0.18, gt=0)
    """Largest root mean square of d; the published norm of 10 on the 3072 values of CIFAR-10."""
    decay: float = Field(1e-3, ge=0)
    """Weight of d's squared norm."""
    share: float = Field(0.5, gt=0, le=1)
    """Share of a batch that is perturbed when the weights learn."""
    iterations: int = Field(5, ge=1)
    """Fixed-point iterations K."""
    inner_rate: float = Field(0.1, gt=0)
    """Step size in S."""

    def repair(self, stage: Stage, defender: Defender) -> Stage:
        """Return the stage after all rounds.

        Raises:
            ConfigError: If the encoding, or a wrapped module, lets no gradient through.
        """
        start = time.perf_counter()
        made = stage.copied()
        made.network.eval()
        data, seed = defender.clean, defender.seed
        order = generator(seed, "order of i-bau")
        loss = _Loss(made, torch_generator(seed, "encoding of i-bau", made.device))
        loss.scale = float(loss.inputs(data.batch(np.arange(min(len(data), _SHOWN)))).std())
        labels = torch.from_numpy(np.array(data.labels)).to(made.device)
        optimiser = self.optimiser.build(loss.weights)
        course: list[dict[str, float]] = []
        steps = self.rounds * -(-len(data) // self.batch)
        with bar(f"i-bau of {made.name}", 2 * steps) as advance, use("eager"):
            for _ in range(self.rounds):
                shuffled, d, total = order.permutation(len(data)), None, 0.0
                parts = np.split(shuffled, range(self.batch, len(data), self.batch))
                for part in parts:
                    d = self._ascended(loss, loss.inputs(data.batch(part)), labels[part], d)
                    advance()
                assert d is not None
                for part in parts:
                    inputs = loss.inputs(data.batch(part))
                    total += len(part) * self._learn(loss, inputs, labels[part], d)
                    optimiser.step()
                    advance()
                course.append({"loss": total / len(data), "norm": float(d.norm())})
        optimiser.zero_grad()
        made.notes["repair"] = {"rounds": course, "seconds": time.perf_counter() - start}
        return made

    def _ascended(
        self, loss: _Loss, inputs: Tensor, labels: Tensor, before: Tensor | None
    ) -> Tensor:
        """Return d after one step of ascent, within its ball."""
        d = torch.zeros_like(inputs[:1]) if before is None else before
        d.requires_grad_()
        (slope,) = torch.autograd.grad(self._descent(loss, inputs, labels, d), d)
        d = d.detach() - self.rate * slope
        largest = self.radius * math.sqrt(d.numel())
        return d * (largest / d.norm().clamp(min=largest))

    def _descent(self, loss: _Loss, inputs: Tensor, labels: Tensor, d: Tensor) -> Tensor:
        """Return what d is to make small."""
        return self.decay * d.square().sum() - loss(inputs + loss.scale * d, labels)

    def _learn(self, loss: _Loss, inputs: Tensor, labels: Tensor, d: Tensor) -> float:
        """Leave the hypergradient in the weights, and return the loss of the batch."""
        d = d.detach().requires_grad_()
        count = math.ceil(self.share * len(inputs))
        changed = torch.cat([inputs[:count] + loss.scale * d, inputs[count:]])
        outer = loss(changed, labels)
        direct, *gradients = torch.autograd.grad(
            outer, [d, *loss.weights], allow_unused=True, materialize_grads=True
        )
        (slope,) = torch.autograd.grad(self._descent(loss, inputs, labels, d), d, create_graph=True)
        descended = d - self.inner_rate * slope
        q = direct
        for _ in range(self.iterations):
            q = direct + torch.autograd.grad(descended, d, q, retain_graph=True)[0]
        through = torch.autograd.grad(
            descended, loss.weights, q, allow_unused=True, materialize_grads=True
        )
        for weight, gradient, indirect in zip(loss.weights, gradients, through, strict=True):
            weight.grad = gradient + indirect
        return outer.item()


class _Loss:
    """Cross-entropy of a stage, as a function of inputs through which it can be derived twice."""

    def __init__(self, stage: Stage, spikes: torch.Generator) -> None:
        self._stage, self._spikes = stage, spikes
        self.scale = 1.0
        """What a perturbation of 1 adds."""
        self.weights = list(stage.network.parameters())

    def inputs(self, batch: Any) -> Tensor:
        return self._stage.prepare(batch).to(self._stage.device)

    def __call__(self, inputs: Tensor, labels: Tensor) -> Tensor:
        signal = self._stage.encode(inputs, self._spikes)
        if not signal.data.requires_grad:
            raise ConfigError(
                f"i-bau: expected an encoding that lets gradients through, such as 'direct' or "
                f"'frames', got '{self._stage.encoding.name}'"
            )
        currents = self._stage.network(signal)
        return F.cross_entropy(self._stage.readout.scores(currents)[-1], labels)
