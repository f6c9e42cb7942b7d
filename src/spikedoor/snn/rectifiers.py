"""The ANN's activations by name: ReLU, and those that make an ANN easier to convert."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, final

import torch
from pydantic import Field
from torch import Tensor, nn

from spikedoor.component import Component
from spikedoor.registry import Family
from spikedoor.snn.activations import Rectifier

__all__ = [
    "RECTIFIERS", "ClipFloorShift", "ClippedReLU", "ClippedRectifier", "Nonlinearity",
    "QuantisedRectifier", "ReLU",
]  # fmt: skip

RECTIFIERS = Family("activation", home="spikedoor.snn.rectifiers")


class Nonlinearity(Component):
    """An activation of the ANN; `build` makes one layer of it."""

    family = RECTIFIERS

    @abstractmethod
    def build(self) -> Rectifier:
        """Make a layer."""


@final
@RECTIFIERS.register("relu")
class ReLU(Nonlinearity):
    """Rectified linear: ``max(z, 0)``."""

    def build(self) -> Rectifier:
        return Rectifier()


@final
@RECTIFIERS.register("clipped-relu", "Deng and Gu 2021", "https://arxiv.org/abs/2103.00476")
class ClippedReLU(Nonlinearity):
    """Rectified linear with a largest value: ``min(max(z, 0), limit)``.

    A firing rate has a largest value too, so nothing is lost to clipping at the conversion.
    """

    limit: float = Field(2.0, gt=0)
    """Largest activation; ours, for currents that batch norm brings to a variance of about 1."""

    def build(self) -> Rectifier:
        return ClippedRectifier(self.limit)


@final
@RECTIFIERS.register("qcfs", "Bu et al. 2022", "https://arxiv.org/abs/2303.04347")
class ClipFloorShift(Nonlinearity):
    """Clip-floor-shift: ``lambda clip(floor(L z / lambda + 1/2) / L, 0, 1)``, lambda learned.

    This is the mean output over L steps of a neuron with threshold lambda, soft reset and an
    initial membrane of lambda / 2. The floor's derivative is taken to be 1.

    Deviations:
        The logarithm of lambda is learned, so that lambda stays positive; weight decay therefore
        pulls it to 1, not to 0.
    """

    levels: int = Field(4, ge=1, le=1024)
    """Number L of levels above 0."""
    limit: float = Field(2.0, gt=0)
    """Lambda of every layer before training; ours, for layers with batch norm."""

    def build(self) -> Rectifier:
        return QuantisedRectifier(self.levels, self.limit)


@final
class ClippedRectifier(Rectifier):
    """Layer of `ClippedReLU`."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self._limit = limit

    @property
    def limit(self) -> float:
        return self._limit

    def rectify(self, x: Tensor) -> Tensor:
        return x.clamp(0, self._limit)

    def extra_repr(self) -> str:
        return f"limit={self._limit:.4g}"


@final
class QuantisedRectifier(Rectifier):
    """Layer of `ClipFloorShift`; computes in single precision at least."""

    def __init__(self, levels: int, limit: float) -> None:
        super().__init__()
        self.levels = levels
        self.log_limit = nn.Parameter(torch.tensor(math.log(limit)))

    @property
    def limit(self) -> float:
        return float(self.log_limit.detach().exp())

    def rectify(self, x: Tensor) -> Tensor:
        limit = self.log_limit.exp()
        levels = _Floor.apply(x * (self.levels / limit) + 0.5) / self.levels
        return (levels.clamp(0, 1) * limit).to(x.dtype)

    def extra_repr(self) -> str:
        return f"levels={self.levels}, limit={self.limit:.4g}"


class _Floor(torch.autograd.Function):
    """Floor with the derivative of the identity (straight-through)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.floor()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]
