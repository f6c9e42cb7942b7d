"""What a module is shown to see how it wants to be called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from spikedoor.errors import ConfigError
from spikedoor.snn.networks.base import Shape
from spikedoor.victim.foreign.copies import brief

__all__ = ["MOST_STEPS", "forms", "images", "several_at_once", "taken"]

MOST_STEPS = 12
"""Time steps that are shown, where there are more."""

_BRIGHTNESS = (0.5, 1.0, 2.0, 4.0, 3.0)  # of the samples, so that deep layers fire as well

R = TypeVar("R")


def images(shape: Shape, steps: int, samples: int, dtype: torch.dtype) -> Tensor:
    """Return random images, (steps, samples, C, H, W).

    Raises:
        ConfigError: If the shape is not one of images or frames.
    """
    if len(shape) != 3:
        raise ConfigError(
            "shape: expected channels, height and width of a sample, such as (1, 28, 28), "
            f"got {shape}"
        )
    levels = torch.tensor(_BRIGHTNESS[:samples], dtype=dtype).view(-1, 1, 1, 1)
    generator = torch.Generator().manual_seed(0)
    return levels * torch.rand((steps, samples, *shape), generator=generator, dtype=dtype)


def several_at_once(module: nn.Module) -> bool:
    """Whether neurons say that they take all steps in one call, by SpikingJelly's step mode."""
    return any(getattr(inner, "step_mode", "s") == "m" for inner in module.modules())


def forms(x: Tensor, several: bool) -> list[Tensor]:
    """Return what a module may take of images, the likely first: a step, or all; flat or not."""
    sequences, frames = [x, x.flatten(2)], [x[0], x[0].flatten(1)]
    return sequences + frames if several else frames + sequences


def taken(inputs: Sequence[Tensor], attempt: Callable[[Tensor], R]) -> R:
    """Return what an attempt gives of the first input that it takes.

    Raises:
        ConfigError: If it takes none; says why it did not take the first.
    """
    failures: list[tuple[str, Exception]] = []
    for x in inputs:
        try:
            return attempt(x)
        # What torch and both libraries raise at a shape that they do not take; a fault in the
        # module's own code, such as a name that is not there, passes through.
        except (RuntimeError, ValueError, AssertionError, IndexError) as error:
            failures.append((f"{list(x.shape)}: {brief(error)}", error))
    told, cause = failures[0]
    raise ConfigError(f"the module takes no input of shape {told}") from cause
