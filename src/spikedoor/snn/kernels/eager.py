"""Back end "eager": the definition, step by step through autograd; any device, any precision."""

from __future__ import annotations

import torch
from torch import Tensor

from spikedoor.snn.dynamics import Dynamics, step

__all__ = ["fire", "trace"]


def trace(x: Tensor, steps: int, d: Dynamics) -> tuple[Tensor, Tensor]:
    """Run the neuron and keep its membrane.

    Shapes:
        x: (steps, batch, ...) or, constant over time, (1, batch, ...).

    Returns:
        Spikes (0 or 1) and membrane before reset, both (steps, batch, ...), in at least single
        precision.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    v = torch.as_tensor(d.initial, dtype=x.dtype, device=x.device).expand(x.shape[1:])
    spikes, membrane = [], []
    for t in range(steps):
        s, h, v = step(v, x[t if x.shape[0] > 1 else 0], d)
        spikes.append(s)
        membrane.append(h)
    return torch.stack(spikes), torch.stack(membrane)


def fire(x: Tensor, steps: int, d: Dynamics) -> Tensor:
    """Return the output spikes (steps, batch, ...), times the amplitude."""
    spikes, _ = trace(x, steps, d)
    return (spikes * d.amplitude).to(x.dtype)
