"""Back end "eager": the definition, step by step through autograd; any device, any precision."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from spikedoor.snn.dynamics import Dynamics, step

__all__ = ["carry", "fire", "trace"]


def trace(
    x: Tensor, steps: int, d: Dynamics, membrane: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Run the neuron and keep its membrane.

    Shapes:
        x: (steps, batch, ...) or, constant over time, (1, batch, ...).
        membrane: (batch, ...), to start from in place of ``d.initial``.

    Returns:
        Spikes (0 or 1) and membrane before reset, both (steps, batch, ...), and the membrane after
        the last reset, (batch, ...), all in at least single precision.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    v = membrane
    if v is None:
        v = torch.as_tensor(d.initial, dtype=x.dtype, device=x.device).expand(x.shape[1:])
    spikes, before_reset = [], []
    since = torch.full_like(x[0], math.inf) if d.surrogate.timed else None
    for t in range(steps):
        s, h, v = step(v, x[t if x.shape[0] > 1 else 0], d, since)
        if since is not None:
            since = torch.where(s.detach() > 0, 1.0, since + 1)
        spikes.append(s)
        before_reset.append(h)
    return torch.stack(spikes), torch.stack(before_reset), v


def fire(x: Tensor, steps: int, d: Dynamics) -> Tensor:
    """Return the output spikes (steps, batch, ...), times the amplitude."""
    return carry(x, steps, d, None)[0]


def carry(x: Tensor, steps: int, d: Dynamics, membrane: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the output spikes, and the membrane to go on from."""
    spikes, _, after = trace(x, steps, d, membrane)
    return (spikes * d.amplitude).to(x.dtype), after
