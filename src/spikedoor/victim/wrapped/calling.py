"""How a module is run over time, and where in its answer the class scores are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from spikedoor.errors import ConfigError
from spikedoor.snn.signal import Signal
from spikedoor.victim.foreign.copies import tensors

__all__ = ["Calling", "Form", "Own", "read"]

Form = Literal["step", "sequence", "image"]
"""One step in a call; all steps in one, time first; or an image that it shows itself by steps."""

Own = Callable[[nn.Module, Tensor], Tensor]
"""From the module and frames [T, B, C, H, W] to scores of each step [T, B, K], or one [B, K]."""


@dataclass(frozen=True)
class Calling:
    """How a module is run.

    Args:
        form: What it takes in a call.
        flat: Whether a frame is a vector to it.
        own: Runs it, in place of all that.
    """

    form: Form = "step"
    flat: bool = False
    own: Own | None = None

    def answers(self, module: nn.Module, signal: Signal) -> Tensor:
        """Return the scores that a module gives at each step, (steps, batch, classes).

        Scores that it gives for all steps together stand at each step.

        Raises:
            ConfigError: If it is shown frames, and takes one image.
        """
        if self.form == "image" and not (signal.constant or signal.steps == 1):
            raise ConfigError(
                "the module goes through the time steps itself, with one image: expected the "
                "encoding 'direct', got one that shows something else at each step"
            )
        x = signal.over_time()
        if self.own is not None:
            found = self.own(module, x.contiguous())
        else:
            x = x.flatten(2) if self.flat else x
            if self.form == "step":
                found = torch.stack([read(module(frame.contiguous()), len(frame)) for frame in x])
            else:
                shown = (x if self.form == "sequence" else x[0]).contiguous()
                found = read(module(shown), signal.batch)
        scores = found.expand(signal.steps, *found.shape[-2:])
        return scores.to(torch.promote_types(scores.dtype, torch.float32))


def read(answer: Any, batch: int, classes: int | None = None) -> Tensor:
    """Return the first tensor in an answer that has scores: [B, K], or [T, B, K].

    Raises:
        ConfigError: If there is none.
    """
    shapes = []
    for found in tensors(answer):
        shapes.append(list(found.shape))
        scores = 2 <= found.dim() <= 3 and found.shape[-2] == batch
        if scores and classes in (None, found.shape[-1]):
            return found
    raise ConfigError(
        f"expected scores of {batch} samples{f' and {classes} classes' if classes else ''}, "
        f"[B, K] or [T, B, K], got {', '.join(map(str, shapes)) or 'no tensor'}"
    )
