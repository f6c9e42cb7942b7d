"""Optimisers that look for flat minima."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, final

import torch
from pydantic import Field
from torch import nn

from spikedoor.rules.optimisers import OPTIMISERS, Decay, Optimiser

__all__ = ["AdaptiveSAM"]


@final
@OPTIMISERS.register("adaptive-sam", "Kwon et al. 2021, ASAM", "https://arxiv.org/abs/2102.11600")
class AdaptiveSAM(Optimiser):
    """Adaptive sharpness-aware minimisation: Adam by the gradient at the worst weights nearby.

    The gradient is taken at ``w + e`` with ``e = rho T^2 g / ||T g||``, ``T = |w|``, which to first
    order maximises the loss where ``||e / T|| <= rho``; the step is done from ``w``. It costs two
    passes. Weights at 0 are not moved by ``e``.

    Deviations:
        Nothing is added to ``|w|`` (the paper adds 0.01), as in FT-SAM. Adam in place of SGD:
        its steps do not depend on the size of gradients, which grow with steps and layers where
        neurons have no leak.
    """

    betas: tuple[Decay, Decay] = (0.9, 0.999)
    """Decay of Adam's two moments."""
    rho: float = Field(2.0, gt=0)
    """Radius, in units of each weight."""

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return _AdaptiveSAM(parameters, self.lr, self.betas, self.weight_decay, self.rho)


class _AdaptiveSAM(torch.optim.Adam):
    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float],
        weight_decay: float,
        rho: float,
    ) -> None:
        super().__init__(parameters, lr, betas, weight_decay=weight_decay)
        self.rho = rho

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Do one step; the closure computes loss and gradients, and is asked twice."""
        if closure is None:
            raise TypeError("adaptive SAM asks for the loss twice: expected a closure")
        with torch.enable_grad():
            loss = closure()
        moved = [w for group in self.param_groups for w in group["params"] if w.grad is not None]
        weighted = [w.abs() * w.grad for w in moved]
        length = torch.linalg.vector_norm(torch.stack([x.norm() for x in weighted]))
        before = [w.clone() for w in moved]
        for w, x in zip(moved, weighted, strict=True):
            w.addcmul_(w.abs(), x / length.clamp(min=1e-12), value=self.rho)
        with torch.enable_grad():
            closure()
        for w, old in zip(moved, before, strict=True):
            w.copy_(old)
        super().step()
        return loss
