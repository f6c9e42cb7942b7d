"""Signed neurons, step by step through autograd; what they carry is membrane and sum of spikes."""

from __future__ import annotations

import torch
from torch import Tensor

from spikedoor.snn.dynamics import Dynamics, signed_step

__all__ = ["carry", "fire", "trace"]


def trace(
    x: Tensor, steps: int, d: Dynamics, state: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Run the neuron and keep its membrane.

    Shapes:
        x: (steps, batch, ...) or, constant over time, (1, batch, ...).
        state: (2, batch, ...), the membrane and the sum of spikes; None at the start.

    Returns:
        Spikes (-1, 0 or 1) and membrane before reset, both (steps, batch, ...), and the state after
        the last step, all in at least single precision.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    if state is None:
        v = torch.as_tensor(d.initial, dtype=x.dtype, device=x.device).expand(x.shape[1:])
        sent = torch.zeros_like(x[0])
    else:
        v, sent = state
    spikes, before_reset = [], []
    for t in range(steps):
        s, h, v, sent = signed_step(v, sent, x[t if len(x) > 1 else 0], d)
        spikes.append(s)
        before_reset.append(h)
    return torch.stack(spikes), torch.stack(before_reset), torch.stack([v, sent])


def fire(x: Tensor, steps: int, d: Dynamics) -> Tensor:
    """Return the output spikes (steps, batch, ...), times the amplitude."""
    return carry(x, steps, d, None)[0]


def carry(x: Tensor, steps: int, d: Dynamics, state: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the output spikes, and the state to go on from; both as of `trace`."""
    spikes, _, after = trace(x, steps, d, state)
    return (spikes * d.amplitude).to(x.dtype), after
