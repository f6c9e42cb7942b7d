"""Optimisers, learning-rate schedules and augmentations, by name."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable
from typing import Annotated, Self, final

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from spikedoor.component import Component
from spikedoor.registry import Family

__all__ = [
    "AUGMENTATIONS", "OPTIMISERS", "SCHEDULES", "SGD", "Adam", "Augmentation", "Constant", "Cosine",
    "Crop", "Flip", "Optimiser", "Schedule", "Step",
]  # fmt: skip

Decay = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(gt=0, lt=1)]

OPTIMISERS = Family("optimiser", home="spikedoor.rules")
SCHEDULES = Family("schedule", home="spikedoor.rules.optimisers")
AUGMENTATIONS = Family("augmentation", home="spikedoor.rules.optimisers")


class Optimiser(Component):
    """An optimiser's settings."""

    family = OPTIMISERS

    lr: float = Field(1e-3, gt=0)
    """Peak learning rate."""
    weight_decay: float = Field(0.0, ge=0)
    """L2 penalty."""

    @abstractmethod
    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Make the optimiser of these parameters."""


@final
@OPTIMISERS.register("sgd")
class SGD(Optimiser):
    """Stochastic gradient descent with momentum."""

    lr: float = Field(0.1, gt=0)
    """Peak learning rate."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Momentum."""
    nesterov: bool = False
    """Nesterov's form of it; needs momentum."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0, got 0")
        return self

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            parameters,
            self.lr,
            self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
        )


@final
@OPTIMISERS.register("adam", "Kingma and Ba 2015", "https://arxiv.org/abs/1412.6980")
class Adam(Optimiser):
    """Adam."""

    betas: tuple[Decay, Decay] = (0.9, 0.999)
    """Decay of the two moments."""
    amsgrad: bool = False
    """The AMSGrad form."""

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            parameters, self.lr, self.betas, weight_decay=self.weight_decay, amsgrad=self.amsgrad
        )


class Schedule(Component):
    """How the learning rate changes over a training run."""

    family = SCHEDULES

    @abstractmethod
    def factor(self, progress: float) -> float:
        """Return the factor on the learning rate at ``progress`` in [0, 1) of all batches."""


@final
@SCHEDULES.register("constant")
class Constant(Schedule):
    """The same rate throughout."""

    def factor(self, progress: float) -> float:
        return 1.0


@final
@SCHEDULES.register("cosine", "Loshchilov and Hutter 2017", "https://arxiv.org/abs/1608.03983")
class Cosine(Schedule):
    """Half a cosine down to zero, after a linear warm-up."""

    warmup: float = Field(0.0, ge=0, lt=1)
    """Share of the run spent warming up."""

    def factor(self, progress: float) -> float:
        if progress < self.warmup:
            return progress / self.warmup
        return 0.5 * (1 + math.cos(math.pi * (progress - self.warmup) / (1 - self.warmup)))


@final
@SCHEDULES.register("step")
class Step(Schedule):
    """Multiply the rate by ``gamma`` at given shares of the run."""

    at: tuple[Share, ...] = (0.6, 0.8, 0.9)
    """Shares of the run in (0, 1)."""
    gamma: float = Field(0.1, gt=0, le=1)
    """Factor at each."""

    def factor(self, progress: float) -> float:
        return self.gamma ** sum(progress >= share for share in self.at)


class Augmentation(Component):
    """A random change of a whole batch, made after the trigger."""

    family = AUGMENTATIONS

    @abstractmethod
    def apply(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return changed images, (batch, C, H, W); the input is left alone."""


@final
@AUGMENTATIONS.register("flip")
class Flip(Augmentation):
    """Mirror each image left to right with probability one half."""

    def apply(self, images: Tensor, generator: torch.Generator) -> Tensor:
        mirrored = torch.rand(len(images), generator=generator) < 0.5
        return torch.where(mirrored.view(-1, 1, 1, 1).to(images.device), images.flip(3), images)


@final
@AUGMENTATIONS.register("crop")
class Crop(Augmentation):
    """Pad with zeros and cut the old size out again at a random place for each image."""

    pad: int = Field(4, gt=0)
    """Pixels added on each side."""

    def apply(self, images: Tensor, generator: torch.Generator) -> Tensor:
        count, _, height, width = images.shape
        padded = F.pad(images, [self.pad] * 4)
        places = torch.randint(0, 2 * self.pad + 1, (2, count, 1), generator=generator)
        rows = (places[0] + torch.arange(height)).to(images.device)
        columns = (places[1] + torch.arange(width)).to(images.device)
        sample = torch.arange(count, device=images.device).view(-1, 1, 1)
        return padded.permute(0, 2, 3, 1)[sample, rows.unsqueeze(2), columns.unsqueeze(1)].permute(
            0, 3, 1, 2
        )
