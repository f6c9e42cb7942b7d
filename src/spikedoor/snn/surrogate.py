"""What stands in for the derivative of a spike when gradients flow back."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar, final

import torch
from pydantic import Field
from torch import Tensor

from spikedoor.component import Component
from spikedoor.registry import Family

__all__ = [
    "STDB",
    "SURROGATES",
    "ATan",
    "Linear",
    "Rectangle",
    "Sigmoid",
    "Surrogate",
    "Triangle",
]  # fmt: skip

SURROGATES = Family("surrogate", home="spikedoor.snn.surrogate")


class Surrogate(Component):
    """A stand-in for the derivative of the step function at ``z = (h - threshold) / threshold``.

    Deviations:
        ``z`` is the distance to the threshold in units of the threshold (as in DIET-SNN), so that
        a converted network, whose thresholds span orders of magnitude, can be trained on. Other
        toolkits take ``h - threshold``; at threshold 1 the two are the same.
    """

    family = SURROGATES
    code: ClassVar[int | None] = None
    """Number of the surrogate in the compiled kernel; without one the torch back end is taken."""
    timed: ClassVar[bool] = False
    """Whether it looks at the time since the neuron's last spike."""

    @abstractmethod
    def derivative(self, z: Tensor) -> Tensor:
        """Return the derivative at each ``z``, same shape.

        A ``timed`` surrogate takes a second tensor, ``since``: the steps since each neuron's last
        spike before this one, from 1 on; infinite where there was none.
        """

    @property
    def sharpness(self) -> float:
        """The one parameter, as the compiled kernel takes it."""
        return 1.0


@final
@SURROGATES.register("atan", "Fang et al. 2021, PLIF", "https://arxiv.org/abs/2007.05785")
class ATan(Surrogate):
    """Arc tangent: ``(alpha / 2) / (1 + (pi * alpha * z / 2) ** 2)``."""

    code = 0
    alpha: float = Field(2.0, gt=0)
    """Slope; the derivative at the threshold is ``alpha / 2``."""

    @property
    def sharpness(self) -> float:
        return self.alpha

    def derivative(self, z: Tensor) -> Tensor:
        return (self.alpha / 2) / (1 + (math.pi / 2 * self.alpha * z) ** 2)


@final
@SURROGATES.register("triangle", "Esser et al. 2016", "https://arxiv.org/abs/1603.08270")
class Triangle(Surrogate):
    """Triangle of area one: ``max(0, gamma - |z|) / gamma ** 2``."""

    code = 1
    gamma: float = Field(1.0, gt=0)
    """Half the width of the base."""

    @property
    def sharpness(self) -> float:
        return self.gamma

    def derivative(self, z: Tensor) -> Tensor:
        return (self.gamma - z.abs()).clamp(min=0) / self.gamma**2


@final
@SURROGATES.register("linear", "Bellec et al. 2018", "https://arxiv.org/abs/1803.09574")
class Linear(Surrogate):
    """Triangle of fixed base: ``gamma max(0, 1 - |z|)``, as Rathi et al. 2020 fine-tune with.

    Its area is gamma, not one: below 1, gamma dampens the gradients of deep networks and long runs.
    The compiled kernel does not know it; torch does the work.
    """

    gamma: float = Field(0.3, gt=0)
    """Derivative at the threshold."""

    def derivative(self, z: Tensor) -> Tensor:
        return self.gamma * (1 - z.abs()).clamp(min=0)


@final
@SURROGATES.register("rectangle", "Wu et al. 2018, STBP", "https://arxiv.org/abs/1706.02609")
class Rectangle(Surrogate):
    """Rectangle of area one: ``1 / width`` where ``|z| < width / 2``, else 0."""

    code = 2
    width: float = Field(1.0, gt=0)
    """Width of the window around the threshold."""

    @property
    def sharpness(self) -> float:
        return self.width

    def derivative(self, z: Tensor) -> Tensor:
        return (z.abs() < self.width / 2).to(z.dtype) / self.width


@final
@SURROGATES.register("sigmoid", "Zenke and Ganguli 2018", "https://arxiv.org/abs/1705.11146")
class Sigmoid(Surrogate):
    """Derivative of a sigmoid: ``alpha * s * (1 - s)`` with ``s = sigmoid(alpha * z)``."""

    code = 3
    alpha: float = Field(4.0, gt=0)
    """Slope; the derivative at the threshold is ``alpha / 4``."""

    @property
    def sharpness(self) -> float:
        return self.alpha

    def derivative(self, z: Tensor) -> Tensor:
        s = torch.sigmoid(self.alpha * z)
        return self.alpha * s * (1 - s)


@final
@SURROGATES.register("stdb", "Rathi et al. 2020", "https://arxiv.org/abs/2005.01807")
class STDB(Surrogate):
    """Spike-timing dependent: ``alpha exp(-beta since)``, whatever the membrane.

    A neuron that has not fired yet has none, and passes no gradient on.
    """

    timed = True
    alpha: float = Field(0.3, gt=0)
    """Height."""
    beta: float = Field(0.01, gt=0)
    """Fall in a step."""

    def derivative(self, z: Tensor, since: Tensor | None = None) -> Tensor:
        if since is None:
            return torch.zeros_like(z)
        return self.alpha * torch.exp(-self.beta * since)
