"""Signed neurons, step by step through autograd; what they carry is membrane and sum of spikes."""

from __future__ import annotations

import torch
from torch import Tensor

from spikedoor.snn.dynamics import Dynamics, signed_step

__all__ = ["carry", "fire"]


def fire(x: Tensor, steps: int, d: Dynamics) -> Tensor:
    """Return the output spikes (steps, batch, ...), times the amplitude."""
    return carry(x, steps, d, None)[0]


def carry(x: Tensor, steps: int, d: Dynamics, state: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the output spikes, and the state to go on from.

    Shapes:
        x: (steps, batch, ...) or, constant over time, (1, batch, ...).
        state: (2, batch, ...), the membrane and the sum of spikes; None at the start.
    """
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    if state is None:
        v = torch.as_tensor(d.initial, dtype=wide.dtype, device=x.device).expand(x.shape[1:])
        sent = torch.zeros_like(wide[0])
    else:
        v, sent = state
    spikes = []
    for t in range(steps):
        s, _, v, sent = signed_step(v, sent, wide[t if len(wide) > 1 else 0], d)
        spikes.append(s)
    return (torch.stack(spikes) * d.amplitude).to(x.dtype), torch.stack([v, sent])
