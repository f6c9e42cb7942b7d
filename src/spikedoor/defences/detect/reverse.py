"""A trigger for each class, found from the model: what reverse engineering optimises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from spikedoor.data.base import SampleSet, modality_of
from spikedoor.errors import ConfigError
from spikedoor.snn.encoding import Frames
from spikedoor.snn.signal import Signal
from spikedoor.victim import Stage

__all__ = ["Counts", "Overlay", "Prior", "Trigger", "differentiable", "event_unit"]

Prior = Literal["static", "temporal"]
"""Whether added events are the same at all steps, or free at each."""


class Trigger(ABC):
    """Triggers of K classes; ``free`` is what is optimised, each tensor with K rows."""

    free: tuple[Tensor, ...]

    @abstractmethod
    def stamp(self, inputs: Tensor, classes: slice) -> Tensor:
        """Return the prepared inputs [B, ...] with the trigger of each class: [K, B, ...]."""

    @abstractmethod
    def size(self) -> Tensor:
        """Return the size of each trigger, [K]."""

    @property
    @abstractmethod
    def limit(self) -> float:
        """Size of the largest trigger there can be."""

    @abstractmethod
    def clip(self) -> None:
        """Bring what is free back to where it makes a difference, after a step."""


class Overlay(Trigger):
    """Mask and pattern: ``(1 - m) x + m p``, both from 0 to 1; the size is the mask's L1 norm.

    Shapes:
        masks [K, 1, H, W], patterns [K, C, H, W].
    """

    def __init__(self, classes: int, shape: Sequence[int], generator: torch.Generator) -> None:
        _, *plane = shape
        self.free = (_drawn((classes, 1, *plane), generator), _drawn((classes, *shape), generator))
        self._area = float(np.prod(plane))

    def stamp(self, inputs: Tensor, classes: slice) -> Tensor:
        mask, pattern = (torch.sigmoid(x[classes])[:, None] for x in self.free)
        return (1 - mask) * inputs + mask * pattern

    def size(self) -> Tensor:
        return torch.sigmoid(self.free[0]).flatten(1).sum(1)

    @property
    def limit(self) -> float:
        return self._area

    def clip(self) -> None:
        """Leave all as it is: the logistic function knows no bounds."""


class Counts(Trigger):
    """Added events: whole numbers of them at each pixel, polarity and step; the size is their sum.

    Counts are rounded, with the derivative of the identity, and lie between 0 and ``most``.

    Args:
        shape: Of an input: steps (or 1), channels, height, width.
        unit: What one event adds to the input.
        most: Most events added at a pixel and step.
    """

    def __init__(
        self,
        classes: int,
        shape: Sequence[int],
        prior: Prior,
        unit: float,
        most: int,
        generator: torch.Generator,
    ) -> None:
        steps, *plane = shape
        shown = (1 if prior == "static" else steps, *plane)
        self.free = (_drawn((classes, *shown), generator, 0.0, 1.0),)
        self._unit, self._most, self._times = unit, most, steps // shown[0]
        self._cells = float(np.prod(shape))

    def counts(self, classes: slice = slice(None)) -> Tensor:
        """Return the events added, [K, 1 or T, C, H, W]."""
        wanted = self.free[0][classes]
        inside = wanted.clamp(0, self._most)
        return wanted + (inside.round() - wanted).detach()

    def stamp(self, inputs: Tensor, classes: slice) -> Tensor:
        return inputs + self._unit * self.counts(classes)[:, None]

    def size(self) -> Tensor:
        return self._times * self.counts().flatten(1).sum(1)

    @property
    def limit(self) -> float:
        return self._most * self._cells

    @torch.no_grad()
    def clip(self) -> None:
        self.free[0].clamp_(0, self._most)


def _drawn(
    shape: tuple[int, ...], generator: torch.Generator, low: float = -2.0, high: float = 2.0
) -> Tensor:
    drawn = torch.rand(shape, generator=generator, device=generator.device)
    return (low + (high - low) * drawn).requires_grad_()


def event_unit(stage: Stage, samples: SampleSet) -> float:
    """Return what one event more in a frame adds to the input of its step.

    Raises:
        ConfigError: If frames do not count events.
    """
    encoding = cast("Frames", stage.encoding)
    framing = getattr(samples, "framing", encoding.framing)
    if framing.value != "count":
        raise ConfigError(
            f"expected frames that count events for a search of triggers of events, got "
            f'framing.value = "{framing.value}"'
        )
    if modality_of(samples) == "frame":
        frames = cast("Any", samples).steps
    else:
        frames = encoding.merge * stage.steps
    impulse = np.zeros((1, frames, 1, 1, 1), dtype=np.float32)
    impulse[0, 0] = 1
    return float(encoding.tensor(impulse, stage.steps).max())


def differentiable(stage: Stage, inputs: Tensor, generator: torch.Generator, name: str) -> Signal:
    """Return the signal of inputs, with its graph to them; ``name`` is the defence that needs it.

    Raises:
        ConfigError: If the encoding draws spikes, which have no gradient.
    """
    signal = stage.encode(inputs, generator)
    if not signal.data.requires_grad:
        raise ConfigError(
            f"defence '{name}' follows gradients to the input, which end at the encoding "
            f"'{stage.encoding.name}'; expected a stage with 'direct' or 'frames'"
        )
    return signal
