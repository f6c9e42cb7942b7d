"""Limits on the current that neurons get, one pair for each step and channel."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from spikedoor.snn.signal import Signal

__all__ = ["Bounds"]


@final
class Bounds(nn.Module):
    """Clamp a current: ``max(min(x[t, c], upper[t, c]), lower[t, c])``.

    Steps beyond the last one have its limits.

    Args:
        lower, upper: float [T, C].
    """

    lower: Tensor
    upper: Tensor

    def __init__(self, lower: Tensor, upper: Tensor) -> None:
        super().__init__()
        self.register_buffer("lower", lower)
        self.register_buffer("upper", upper)

    def forward(self, current: Signal) -> Signal:
        frames = current.over_time()
        steps = torch.arange(current.first, current.first + current.steps, device=frames.device)
        steps = steps.clamp(max=len(self.lower) - 1)
        shape = (current.steps, 1, -1, *[1] * (frames.dim() - 3))
        lower, upper = self.lower[steps].view(shape), self.upper[steps].view(shape)
        held = torch.maximum(torch.minimum(frames, upper), lower)
        return current._replace(data=held.flatten(0, 1))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take the limits of as many steps and channels as there are."""
        for name in ("lower", "upper"):
            found = state_dict.get(f"{prefix}{name}")
            if found is not None and found.dim() == 2:
                setattr(self, name, torch.empty_like(found, device=self.lower.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)
